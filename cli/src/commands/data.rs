//! `mm1c data`.

use crate::args::{DataCommand, TokenizerArgs};
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
    }
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
