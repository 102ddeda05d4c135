//! `mm1c`: checks, compiles, trains and inspects models that graph files describe.
//!
//! Data goes to standard output; messages, progress and errors go to standard error.

mod args;
mod commands;
mod compile;
mod convert;
mod failure;
mod roof;
mod tensors;
mod trained;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Check(args) => commands::inspect::check(args)?,
        Command::Resolve(args) => commands::inspect::resolve(args)?,
        Command::Diff(args) => return commands::inspect::diff(args),
        Command::Compile(args) => commands::compile::run(args)?,
        Command::Train(args) => commands::train::run(args)?,
        Command::Eval(args) => commands::eval::run(args)?,
        Command::Generate(args) => commands::generate::run(args)?,
        Command::Run(args) => commands::run::run(args)?,
        Command::Bench(args) => commands::bench::run(args)?,
        Command::Data(command) => commands::data::run(command)?,
    }
    Ok(ExitCode::SUCCESS)
}
