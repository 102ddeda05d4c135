//! The runtime's error codes: where each comes from stands beside its error type, what each means
//! stands here. `docs/reference/run-codes.md` is made from this table.

use std::fmt::Write as _;

/// One code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunCode {
    /// `MM1C0501`.
    pub code: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What it means and what to do.
    pub doc: &'static str,
}

const fn row(code: &'static str, title: &'static str, doc: &'static str) -> RunCode {
    RunCode { code, title, doc }
}

/// Every code of the runtime, ascending.
pub const CODES: &[RunCode] = &[
    row(
        "MM1C0501",
        "package contradicts itself",
        "An index, offset, size or name in the package cannot be. The file was made by another version or changed since; compile again.",
    ),
    row(
        "MM1C0502",
        "code does not run here",
        "The processor lacks what the package's target has, or its code cannot be mapped. Compile for this machine, or name another one with `--target`.",
    ),
    row(
        "MM1C0503",
        "not enough memory",
        "The package's regions exceed the machine's memory, or the system refused one of them. Fewer sequences in a micro-batch need less.",
    ),
    row(
        "MM1C0504",
        "no threads",
        "The system refused the threads that run kernels. `--threads` asks for fewer.",
    ),
    row(
        "MM1C0505",
        "no such program",
        "The package has no program of this name; the message lists those that it has.",
    ),
    row(
        "MM1C0506",
        "no such tensor",
        "The package has no input, output, state or parameter of this name; `mm1c run --list` lists them.",
    ),
    row(
        "MM1C0507",
        "run-time size cannot be set",
        "The size is unknown, follows from another one, or exceeds the bound that the package was compiled for.",
    ),
    row(
        "MM1C0508",
        "another element type",
        "A tensor was given or asked for in a type that it does not have.",
    ),
    row(
        "MM1C0509",
        "another number of elements",
        "A tensor was given elements for neither its run-time sizes nor its bounds.",
    ),
    row(
        "MM1C0510",
        "no gradient",
        "The tensor is frozen or no parameter, or the package was compiled without training.",
    ),
    row(
        "MM1C0511",
        "no driver",
        "`--device cuda` needs the library of NVIDIA's driver, which this machine lacks.",
    ),
    row(
        "MM1C0512",
        "no such card",
        "`--device cuda:N` names a card that the driver does not show.",
    ),
    row(
        "MM1C0513",
        "driver too old",
        "The driver reads no PTX of the package's version; the message names both.",
    ),
    row(
        "MM1C0514",
        "package for another card",
        "The package was compiled for an architecture that this card is not, or for a CPU.",
    ),
    row(
        "MM1C0515",
        "kernel refused",
        "The driver's assembler refused the PTX of a kernel; the message has its log. It is a fault of the compiler.",
    ),
    row(
        "MM1C0516",
        "call failed",
        "A call of the driver failed; the message names it. `MM1C_CUDA_SYNC=1` runs launches one by one and names the one that fails.",
    ),
    row(
        "MM1C0517",
        "built without the device",
        "This mm1c was built without CUDA; build it with feature `cuda`.",
    ),
    row(
        "MM1C0601",
        "checkpoint cannot be written or read",
        "The file system refused a call; checkpoints that were complete before are untouched.",
    ),
    row(
        "MM1C0602",
        "checkpoint is damaged",
        "A file is missing or is not what was written. Where an earlier checkpoint is whole, the run goes on from it.",
    ),
    row(
        "MM1C0603",
        "tensor file is malformed",
        "A `.safetensors` file does not parse.",
    ),
    row(
        "MM1C0604",
        "checkpoint of another model",
        "Its tensors are not those of this model; the message lists what differs.",
    ),
    row(
        "MM1C0611",
        "weights cannot be read",
        "A file that `[init]` or `--weights` names cannot be read or does not parse.",
    ),
    row(
        "MM1C0612",
        "weights cannot be written",
        "The file system refused a call.",
    ),
    row(
        "MM1C0613",
        "weights of another model",
        "Names, sizes or element types of a weight file are not those of the model; the message lists them.",
    ),
    row(
        "MM1C0621",
        "run directory cannot be used",
        "The file system refused a call.",
    ),
    row(
        "MM1C0622",
        "run directory is in use",
        "Another process trains in it. Wait for it, or name another directory with `--run-dir`.",
    ),
];

/// The reference page, in Markdown.
pub fn reference() -> String {
    let mut text = String::from(
        "# Error codes of the runtime\n\nThose of graph files are in [codes.md](codes.md).\n",
    );
    for row in CODES {
        let _ = write!(text, "\n## {}: {}\n\n{}\n", row.code, row.title, row.doc);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes that stand in a source file, in order.
    fn named(source: &str) -> Vec<&str> {
        let code = |(at, _): (usize, &str)| &source[at + 1..at + 9];
        source.match_indices("\"MM1C0").map(code).collect()
    }

    #[test]
    fn the_table_has_every_code() {
        let files = [
            include_str!("executor/error.rs"),
            include_str!("device/error.rs"),
            include_str!("checkpoint.rs"),
            include_str!("init.rs"),
            include_str!("rundir.rs"),
        ];
        let mut found: Vec<&str> = files.iter().flat_map(|text| named(text)).collect();
        found.sort_unstable();
        found.dedup();
        let listed: Vec<&str> = CODES.iter().map(|row| row.code).collect();
        assert_eq!(found, listed);
    }

    #[test]
    fn the_page_is_up_to_date() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../docs/reference/run-codes.md"
        );
        if std::env::var_os("MM1C_BLESS").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap_or_default() == reference(),
            "`MM1C_BLESS=1 cargo test -p mm1-runtime codes` rewrites {path}"
        );
    }
}
