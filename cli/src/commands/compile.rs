//! `mm1c compile`.

use std::path::PathBuf;

use super::{bisect, summary};
use crate::args::CompileArgs;
use crate::compile::{Request, compile, load_model};
use crate::failure::Failure;
use crate::stages::stage;

/// Compiles to a file, or prints stages or the costs of the plan.
///
/// # Errors
/// A model that is refused, a stage that does not exist, a file that cannot be written.
pub fn run(args: &CompileArgs) -> Result<(), Failure> {
    let model = load_model(&args.model.model, &args.model.sets)?;
    if args.plan_only {
        out!("{}", summary::text(&summary::of(&model)?));
        return Ok(());
    }
    let request = Request::from(&args.backend);
    if !args.emit.is_empty() {
        for name in &args.emit {
            out!("{}", stage(&model, name, &request)?);
        }
        return Ok(());
    }
    let package = match args.for_bisect {
        true => bisect::package(&model, &request)?,
        false => compile(&model, &request)?,
    };
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.mm1pkg", model.name.replace('/', "-"))));
    let bytes = package.to_bytes();
    std::fs::write(&path, &bytes).map_err(|error| Failure::at(&path, error))?;
    eprintln!(
        "`{}`: {} kernels, {} programs, {} bytes for {} ({})",
        path.display(),
        package.kernels.len(),
        package.programs.len(),
        bytes.len(),
        package.target,
        package.backend
    );
    Ok(())
}
