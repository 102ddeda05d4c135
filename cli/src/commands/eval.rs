//! `mm1c eval`.

use mm1_runtime::evaluate;
use serde_json::json;

use super::print_table;
use crate::args::EvalArgs;
use crate::convert::{batch_shape, evaluation_config};
use crate::failure::Failure;
use crate::trained;

/// Evaluates a trained model and prints a table or JSON.
///
/// # Errors
/// A run without a checkpoint, or without held-out data.
pub fn run(args: &EvalArgs) -> Result<(), Failure> {
    let mut it = trained::open(&args.trained)?;
    let mut config = evaluation_config(&it.model);
    config.examples = args.examples.unwrap_or(config.examples);
    let shape = batch_shape(&it.executor.package().model);
    let held_out = evaluate::open(&it.data, &it.tokenizer, shape, config.examples)?;
    if held_out.is_empty() {
        return Err(Failure::new(format!(
            "no source of `{}` has held-out examples: give `evaluation_path`",
            it.model.name
        )));
    }
    let mut results = Vec::new();
    for evaluation in &held_out {
        for fault in &evaluation.faults {
            eprintln!("skipped: {fault}");
        }
        results.push(evaluate::evaluate(
            &mut it.executor,
            &it.tokenizer,
            evaluation,
            config,
            !args.no_blind,
        )?);
    }
    if args.json {
        let answers: Vec<_> = held_out
            .iter()
            .zip(&results)
            .flat_map(|(evaluation, result)| evaluation.items.iter().zip(&result.answers))
            .map(|(item, answer)| {
                json!({"name": item.name, "answer": answer, "reference": item.reference})
            })
            .collect();
        let out = json!({
            "model": it.model.name,
            "step": it.step,
            "results": evaluate::by_name(&results),
            "answers": answers,
        });
        outln!("{}", serde_json::to_string_pretty(&out)?);
    } else {
        let (head, rows) = evaluate::table(&results);
        print_table(&head, &rows);
        eprintln!("{}", evaluate::TABLE_NOTE);
    }
    Ok(())
}
