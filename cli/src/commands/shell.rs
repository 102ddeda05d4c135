//! `mm1c schema`, `completions` and `man`: what editors, shells and `man` read.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::Failure;

/// Prints the JSON schema of graph files.
pub fn schema() {
    out!("{}", mm1_dsl::schema::schema_text());
}

/// Prints the completions of a shell.
pub fn completions(shell: Shell) {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mm1c", &mut text);
    out!("{}", String::from_utf8_lossy(&text));
}

/// Writes a page for the program and each command, `mm1c-train.1` and the like.
///
/// # Errors
/// A folder that cannot be written to.
pub fn man(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::at(folder, error))?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(|error| Failure::at(folder, error))
}
