//! `mm1c`: checks, compiles, trains and inspects models that graph files describe.
//!
//! Data goes to standard output; messages, progress and errors go to standard error.

/// Prints to standard output. A reader that has gone away (`| head`) ends nothing: what is
/// left to say is for nobody.
macro_rules! out {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(std::io::stdout().lock(), $($text)*);
    }};
}

/// [`out`] with a line's end.
macro_rules! outln {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), $($text)*);
    }};
}

mod args;
mod cache;
mod commands;
mod compile;
mod convert;
mod device;
mod failure;
mod given;
#[cfg(test)]
mod pages;
mod reference;
mod roof;
mod runs;
mod schedules;
mod seen;
mod sparse;
mod stages;
mod study;
mod tensors;
mod trained;
mod undisturbed;
mod weights;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    let begun = Instant::now();
    match run(&Cli::parse().command, begun) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command, begun: Instant) -> Result<ExitCode, Failure> {
    match command {
        Command::Check(args) => return commands::inspect::check(args),
        Command::Resolve(args) => commands::inspect::resolve(args)?,
        Command::Diff(args) => return commands::diff::run(args),
        Command::Summary(args) => commands::summary::run(args)?,
        Command::Compile(args) => commands::compile::run(args)?,
        Command::Train(args) => commands::train::run(args, begun)?,
        Command::Ablate(args) => commands::ablate::run(args)?,
        Command::Eval(args) => commands::eval::run(args)?,
        Command::Generate(args) => commands::generate::run(args)?,
        Command::Runs(args) => commands::runs::run(args)?,
        Command::Compare(args) => commands::compare::run(args)?,
        Command::Run(args) => commands::run::run(args)?,
        Command::Bisect(args) => return commands::bisect::run(args),
        Command::Bench(args) => commands::bench::run(args)?,
        Command::Tune(args) => commands::tune::run(args)?,
        Command::Data(command) => commands::data::run(command)?,
        Command::Weights(command) => commands::weights::run(command)?,
        Command::Explain(args) => commands::explain::run(args)?,
        Command::Draw(args) => commands::draw::run(args)?,
        Command::Golden(command) => return commands::golden::run(command),
        Command::Doctor(args) => return commands::doctor::run(args),
        Command::Schema => commands::shell::schema(),
        Command::Completions(args) => commands::shell::completions(args.shell),
        Command::Man(args) => commands::shell::man(&args.folder)?,
    }
    Ok(ExitCode::SUCCESS)
}
