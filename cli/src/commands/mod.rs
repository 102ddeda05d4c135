//! One file per command; each prints its data on standard output.

pub mod bench;
pub mod compile;
pub mod data;
pub mod eval;
pub mod generate;
pub mod inspect;
pub mod run;
pub mod train;

/// Prints `head` and `rows` in columns.
pub(crate) fn print_table(head: &[String], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().chain([&head.to_vec()]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in [&head.to_vec()].into_iter().chain(rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
}
