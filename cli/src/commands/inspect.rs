//! `mm1c check` and `resolve`: what a graph file says, without running it.

use std::process::ExitCode;

use mm1_compiler::build::{self, Purpose};
use mm1_dsl::diagnostic::Diagnostics;
use mm1_dsl::model::Model;
use mm1_runtime::checkpoint::tensors::TensorsFile;
use mm1_runtime::data;

use crate::args::{CheckArgs, ResolveArgs};
use crate::compile::{self, load_model};
use crate::convert::data_config;
use crate::failure::Failure;
use crate::trained::initial_weights;

/// `mm1c check`; with `--json` findings are data and the exit code says that there are some.
///
/// # Errors
/// The findings.
pub fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    if args.json {
        let found = findings(args);
        outln!("{}", serde_json::to_string_pretty(&found.json())?);
        return Ok(match found.has_errors() {
            true => ExitCode::from(2),
            false => ExitCode::SUCCESS,
        });
    }
    let model = load_model(&args.model.model, &args.model.sets)?;
    compile::check(&model)?;
    if args.strict {
        open_files(&model)?;
    }
    eprintln!("`{}` is correct", model.name);
    Ok(ExitCode::SUCCESS)
}

/// What language and compiler find; none if the model is correct.
fn findings(args: &CheckArgs) -> Diagnostics {
    let model = match mm1_dsl::load(&args.model.model, &args.model.sets) {
        Ok(model) => model,
        Err(found) => return found,
    };
    let sources = model.sources().clone();
    let list = match build::build(&model, Purpose::All) {
        Ok(_) => Vec::new(),
        Err(list) => list,
    };
    Diagnostics { list, sources }.sorted()
}

/// Opens what a run would read.
fn open_files(model: &Model) -> Result<(), Failure> {
    if model.data.is_some() {
        let side = model.vision.as_ref().map_or(0, |it| it.encoder.resolution);
        for (source, samples) in data::probe(&data_config(model)?, side as usize)? {
            eprintln!("source `{source}`: {samples} samples");
        }
    }
    for (part, path) in initial_weights(model)? {
        let file = TensorsFile::open(&path)
            .map_err(|error| Failure::new(format!("`init.{part}`: {error}")))?;
        let tensors = file.tensors().len();
        eprintln!("init.{part}: `{}`, {tensors} tensors", path.display());
    }
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
