//! `mm1c data`.

use std::fs::File;
use std::io::BufWriter;

use mm1_runtime::data::export;

use crate::args::{DataCommand, ExportArgs, TokenizerArgs};
use crate::compile::load_model;
use crate::convert::data_config;
use crate::failure::Failure;
use crate::trained::train_tokenizer;

/// Runs a data command.
///
/// # Errors
/// As the command says.
pub fn run(command: &DataCommand) -> Result<(), Failure> {
    match command {
        DataCommand::Tokenizer(args) => tokenizer(args),
        DataCommand::Export(args) => export(args),
    }
}

fn export(args: &ExportArgs) -> Result<(), Failure> {
    let model = load_model(&args.model.model, &args.model.sets)?;
    let data = data_config(&model)?;
    let side = model.vision.as_ref().map_or(0, |it| it.encoder.resolution);
    let file = File::create(&args.output).map_err(|error| Failure::at(&args.output, error))?;
    let out = BufWriter::new(file);
    let count = export::export(&data, &args.source, side as usize, args.count, out)?;
    eprintln!("`{}`: {count} samples", args.output.display());
    Ok(())
}

fn tokenizer(args: &TokenizerArgs) -> Result<(), Failure> {
    let model = load_model(&args.model.model, &args.model.sets)?;
    let vocabulary = args.vocabulary.unwrap_or(model.decoder.vocabulary as usize);
    let tokenizer = train_tokenizer(&data_config(&model)?, vocabulary, args.texts)?;
    tokenizer.save(&args.output)?;
    eprintln!(
        "`{}`: {} entries",
        args.output.display(),
        tokenizer.vocabulary()
    );
    Ok(())
}
