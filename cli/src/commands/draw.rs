//! `mm1c draw`: a program of a model as a picture, or all of them for Model Explorer.

use mm1_compiler::build::{self, Purpose};
use mm1_compiler::compile::CompileError;
use mm1_compiler::draw::{explorer, fold, svg};

use crate::args::{DrawArgs, DrawFormat};
use crate::compile::{load_model, refused};
use crate::failure::Failure;

/// Writes the picture, to standard output without a file.
///
/// # Errors
/// A model that is refused, a program that it does not have, or a file that cannot be written.
pub fn run(args: &DrawArgs) -> Result<(), Failure> {
    let model = load_model(&args.model.model, &args.model.sets)?;
    let programs = build::build(&model, Purpose::All)
        .map_err(|found| refused(&model, CompileError::Model(found)))?
        .programs;
    let text = match args.format {
        DrawFormat::Svg => {
            let found = programs.iter().find(|it| it.name == args.program);
            let program = found.ok_or_else(|| {
                let names: Vec<&str> = programs.iter().map(|it| it.name.as_str()).collect();
                let program = &args.program;
                let names = names.join("`, `");
                Failure::new(format!(
                    "there is no program `{program}`; there are `{names}`"
                ))
            })?;
            let title = format!("{}: {}", model.name, program.name);
            svg::svg(&fold(&program.graph, args.depth), &title)
        }
        DrawFormat::Explorer => {
            let graphs = programs.iter().map(|it| (it.name.as_str(), &it.graph));
            format!("{}\n", explorer::collection(&model.name, graphs))
        }
    };
    match &args.output {
        Some(path) => std::fs::write(path, text).map_err(|error| Failure::at(path, error)),
        None => {
            out!("{text}");
            Ok(())
        }
    }
}
