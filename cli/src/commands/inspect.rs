//! `mm1c check` and `resolve`: what a graph file says, without running it.

use crate::args::{ModelArgs, ResolveArgs};
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
