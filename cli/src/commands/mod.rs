//! One file per command; each prints its data on standard output.

pub mod ablate;
pub mod bench;
pub mod bisect;
pub mod compare;
pub mod compile;
pub mod data;
pub mod diff;
pub mod doctor;
pub mod draw;
pub mod eval;
pub mod explain;
pub mod generate;
pub mod golden;
pub mod inspect;
pub mod run;
pub mod runs;
pub mod shell;
pub mod summary;
pub mod train;
#[cfg(feature = "mlir")]
pub mod tune;
#[cfg(not(feature = "mlir"))]
pub mod tune {
    //! Without MLIR there is no code for cards to choose from.

    use crate::args::TuneArgs;
    use crate::compile::{Request, options};
    use crate::failure::Failure;

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn run(args: &TuneArgs) -> Result<(), Failure> {
        let _ = (&args.model, &args.output, args.repeats, args.ways);
        options(&Request::new(&args.backend, args.device))?;
        Err(Failure::new(
            "this mm1c was built without MLIR: `mm1c tune` needs it",
        ))
    }
}
pub mod weights;

/// Prints `head` and `rows` in columns.
pub(crate) fn print_table(head: &[String], rows: &[Vec<String>]) {
    out!("{}", columns(head, rows));
}

/// The first column to the left, the others to the right.
pub(crate) fn columns(head: &[String], rows: &[Vec<String>]) -> String {
    let lines = || std::iter::once(head).chain(rows.iter().map(Vec::as_slice));
    let width = |column: usize| {
        let cells = lines().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut out = String::new();
    for row in lines() {
        let cells = row.iter().zip(&widths).enumerate();
        let cells: Vec<String> = cells
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 3]| cells.map(String::from).to_vec();
        let rows = [
            row(["scenes: colour", "–", "91.4 %"]),
            row(["x", "500", "8 %"]),
        ];
        assert_eq!(
            columns(&row(["held out", "examples", "model"]), &rows),
            "held out        examples   model\n\
             scenes: colour         –  91.4 %\n\
             x                    500     8 %\n"
        );
    }
}
