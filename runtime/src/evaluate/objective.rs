//! The held-out losses of encoders' objectives.
//!
//! *Contrastive*: all pairs of the held-out examples in batches as large as those of training, since the
//! loss of a pair depends on how many others it is told from; chance is the logarithm of that size.
//! The last batch is filled up with the first examples, which count nothing there.
//!
//! *Reconstruction*: the mean over all patches past the first part of each picture, whose size is drawn
//! from the picture's number: the same in every evaluation. A model that always says the mean of
//! normalised patches is near 1.

use mm1_package::{ModelFacts, Objective};

use super::loss::language_loss;
use crate::data::evaluation::EvaluationItem;
use crate::data::pairs::{drawn_prefix, patches_past};
use crate::data::{Batch, Evaluation, LossNormalization};
use crate::engine::{Engine, EngineExt, RunError};
use crate::philox::{Philox, stream_of};
use crate::tokenizer::Tokenizer;
use crate::train::write_batch;

/// The loss of a model's objective on the examples of `evaluation`: nats per token, nats per pair, or
/// squared error per patch. `None` where there are too few examples for one batch of pairs, or where no
/// text fits a sequence.
///
/// # Errors
/// A program that fails, or a text that cannot be encoded.
pub fn held_out_loss<E: Engine + ?Sized>(
    engine: &mut E,
    tokenizer: &Tokenizer,
    evaluation: &Evaluation,
) -> Result<Option<f64>, RunError> {
    engine.require(&["evaluate"])?;
    let facts = engine.facts().clone();
    match facts.objective {
        Objective::Language => language_loss(engine, tokenizer, evaluation),
        Objective::Contrastive => pair_loss(engine, tokenizer, &evaluation.items, &facts),
        Objective::Reconstruction => patch_loss(engine, &evaluation.items, &facts),
    }
}

fn pair_loss<E: Engine + ?Sized>(
    engine: &mut E,
    tokenizer: &Tokenizer,
    items: &[EvaluationItem],
    facts: &ModelFacts,
) -> Result<Option<f64>, RunError> {
    let pairs = facts.sequences as usize;
    if items.is_empty() || items.len() < pairs {
        return Ok(None);
    }
    let mut loss = 0.0;
    for begin in (0..items.len()).step_by(pairs) {
        let mut batch = Batch::default();
        for place in begin..begin + pairs {
            let item = &items[place % items.len()];
            let text = pair_text(tokenizer, item, facts.length as usize)?;
            let weight = if place < items.len() { 1.0 } else { 0.0 };
            add_pair(
                &mut batch,
                &item.views[0],
                &text,
                weight,
                facts.length as usize,
            );
        }
        // Divided by 1: the sum is wanted.
        write_batch(engine, "evaluate", &batch, 1.0)?;
        engine.write_scalar("z_weight", 0.0)?;
        engine.run("evaluate")?;
        loss += f64::from(engine.read_scalar("loss")?);
    }
    Ok(Some(loss / items.len() as f64))
}

/// A text as training has it: begin, prompt, text, end, cut at the end where it is too long.
fn pair_text(
    tokenizer: &Tokenizer,
    item: &EvaluationItem,
    length: usize,
) -> Result<Vec<i32>, RunError> {
    let mut text = item.reference.trim().to_owned();
    if !item.prompt.is_empty() {
        text.insert(0, ' ');
    }
    let text = tokenizer.encode(&text)?;
    let ids = [tokenizer.begin()]
        .into_iter()
        .chain(item.prompt.iter().copied());
    let mut ids: Vec<i32> = ids.chain(text).map(|id| id as i32).collect();
    ids.truncate(length - 1);
    ids.push(tokenizer.end() as i32);
    Ok(ids)
}

/// Puts a picture and its text into the next sequence of a batch.
fn add_pair(batch: &mut Batch, view: &[f32], text: &[i32], weight: f32, length: usize) {
    let place = batch.image_count as i32;
    let last = batch.tokens.len() + text.len() - 1;
    for at in 0..length {
        let token = text.get(at).copied();
        batch.tokens.push(token.unwrap_or(-1));
        batch.image_rows.push(-1);
        batch.positions.push(token.map_or(0, |_| at as i32));
        // Padding sees itself only.
        batch.segment_begin.push(token.map_or(at as i32, |_| 0));
    }
    batch.images.extend_from_slice(view);
    batch.image_count += 1;
    batch.loss_rows.push(last as i32);
    batch.loss_targets.push(place);
    batch.loss_weights.push(weight);
}

fn patch_loss<E: Engine + ?Sized>(
    engine: &mut E,
    items: &[EvaluationItem],
    facts: &ModelFacts,
) -> Result<Option<f64>, RunError> {
    let (mut loss, mut count) = (0.0, 0.0);
    let together = facts.images.max(1) as usize;
    for (index, items) in items.chunks(together).enumerate() {
        let batch = patch_batch(items, index * together, facts.patches as usize);
        if batch.loss_rows.is_empty() {
            continue;
        }
        write_batch(engine, "evaluate", &batch, 1.0)?;
        engine.run("evaluate")?;
        loss += f64::from(engine.read_scalar("loss")?);
        count += batch.weight_sum();
    }
    Ok((count > 0.0).then_some(loss / count))
}

/// Pictures from number `first` on, each with its own first part.
fn patch_batch(items: &[EvaluationItem], first: usize, patches: usize) -> Batch {
    let philox = Philox::new(0, stream_of("data.evaluation.prefix"));
    let mut batch = Batch::default();
    for (place, item) in items.iter().enumerate() {
        batch.images.extend_from_slice(&item.views[0]);
        batch.image_count += 1;
        let prefix = drawn_prefix(philox, patches, (first + place) as u64, 0);
        patches_past(patches, prefix, LossNormalization::Token, &mut batch);
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Truth;
    use crate::data::image::Picture;

    #[test]
    fn a_text_ends_where_it_is_compared_and_padding_sees_nothing() {
        let mut batch = Batch::default();
        add_pair(&mut batch, &[0.5; 3], &[1, 7, 2], 1.0, 5);
        add_pair(&mut batch, &[0.25; 3], &[1, 8, 9, 9, 2], 0.0, 5);
        assert_eq!(batch.tokens, [1, 7, 2, -1, -1, 1, 8, 9, 9, 2]);
        assert_eq!(batch.positions, [0, 1, 2, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(batch.segment_begin, [0, 0, 0, 3, 4, 0, 0, 0, 0, 0]);
        assert_eq!(batch.loss_rows, [2, 9]);
        assert_eq!(batch.loss_targets, [0, 1]);
        assert_eq!(batch.loss_weights, [1.0, 0.0]);
        assert_eq!((batch.image_count, batch.images.len()), (2, 6));
    }

    #[test]
    fn the_first_part_of_a_picture_depends_on_its_number_alone() {
        let item = EvaluationItem {
            views: vec![vec![0.0; 3]],
            cells: Vec::new(),
            picture: Picture {
                width: 1,
                height: 1,
                rgb: vec![0; 3],
            },
            prompt: Vec::new(),
            reference: String::new(),
            name: String::new(),
            truth: Truth::Text,
        };
        let items = vec![item; 40];
        let whole = patch_batch(&items, 0, 16);
        assert_eq!(whole.visible_end.len(), 40 * 16);
        let part = patch_batch(&items[..7], 33, 16);
        assert_eq!(part.visible_end, whole.visible_end[33 * 16..]);
        let prefixes = whole.visible_end.chunks(16).map(|ends| ends[0]);
        let different: std::collections::BTreeSet<i32> = prefixes.collect();
        assert!(different.len() > 8, "{different:?}");
        assert!(different.iter().all(|prefix| (1..16).contains(prefix)));
    }
}
