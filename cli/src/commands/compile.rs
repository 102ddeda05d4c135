//! `mm1c compile`.

use std::path::PathBuf;

use crate::args::CompileArgs;
use crate::compile::{Request, compile, load_model, stage};
use crate::failure::Failure;

/// Compiles to a file, or prints stages.
///
/// # Errors
/// A model that is refused, a stage that does not exist, a file that cannot be written.
pub fn run(args: &CompileArgs) -> Result<(), Failure> {
    let model = load_model(&args.model.model, &args.model.sets)?;
    if !args.emit.is_empty() {
        for name in &args.emit {
            out!("{}", stage(&model, name)?);
        }
        return Ok(());
    }
    let package = compile(&model, &Request::from(&args.backend))?;
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
