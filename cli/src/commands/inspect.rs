//! `mm1c check`, `resolve` and `diff`: what a graph file says, without running it.

use std::process::ExitCode;

use crate::args::{DiffArgs, ModelArgs, ResolveArgs};
use crate::compile::{self, load_model};
use crate::failure::Failure;

/// `mm1c check`.
///
/// # Errors
/// The findings.
pub fn check(args: &ModelArgs) -> Result<(), Failure> {
    let model = load_model(&args.model, &args.sets)?;
    compile::check(&model)?;
    eprintln!("`{}` is correct", model.name);
    Ok(())
}

/// `mm1c resolve`.
///
/// # Errors
/// The findings.
pub fn resolve(args: &ResolveArgs) -> Result<(), Failure> {
    let model = load_model(&args.model.model, &args.model.sets)?;
    match args.plain {
        true => out!("{}", model.resolved),
        false => out!("{}", mm1_dsl::resolve::with_provenance(&model)),
    }
    Ok(())
}

/// `mm1c diff`: exit code 1 where the files differ, as `diff` has it.
///
/// # Errors
/// The findings of either file.
pub fn diff(args: &DiffArgs) -> Result<ExitCode, Failure> {
    let left = load_model(&args.left, &args.sets)?;
    let right = load_model(&args.right, &args.sets)?;
    let diff = mm1_dsl::diff(&left, &right);
    out!("{diff}");
    Ok(match diff.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}
