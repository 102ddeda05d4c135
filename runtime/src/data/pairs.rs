//! Batches for the objectives of encoders: a fixed number of examples, each one picture and, under the
//! contrastive objective, its text in a sequence of its own.

use mm1_package::Objective;

use crate::data::layout::Example;
use crate::data::pack::Packer;
use crate::data::pipeline::Memo;
use crate::data::{Batch, Cursor, DataError, LossNormalization, MixtureUnit, Pipeline};
use crate::philox::{Philox, stream_of};

impl Pipeline {
    /// As [`Pipeline::next`].
    pub(super) fn next_pairs(
        &self,
        cursor: &Cursor,
        memo: &mut Memo,
    ) -> Result<(Batch, Cursor), DataError> {
        let shape = self.shape();
        let mut cursor = cursor.clone();
        let mut packer = Packer::new(self.config(), shape);
        for place in 0..shape.sequences {
            let source = match self.config().mixture_unit {
                MixtureUnit::Sequence | MixtureUnit::Example => self.pick(cursor.draws),
                MixtureUnit::Token => self.most_behind(&cursor),
            };
            let drawn = self.draw(source, &cursor.sources[source], memo)?;
            packer.place(source, drawn.sample, &drawn.example, drawn.faults);
            match shape.objective {
                Objective::Reconstruction => {
                    let seed = self.config().shuffle_seed;
                    let philox = Philox::new(seed, stream_of("data.prefix"));
                    let patches = shape.patches;
                    let prefix = drawn_prefix(philox, patches, cursor.batches, place as u64);
                    let normalization = self.config().loss_normalization;
                    patches_past(patches, prefix, normalization, &mut packer.batch);
                    packer.batch.stats.image_tokens += shape.patches as u64;
                    packer.batch.stats.sources[source].image_tokens += shape.patches as u64;
                }
                Objective::Language | Objective::Contrastive => {
                    text_of(place, &drawn.example, &mut packer);
                    packer.close();
                }
            }
            cursor.sources[source] = drawn.after;
            memo.0[source] = None;
            cursor.draws += 1;
        }
        cursor.batches += 1;
        Ok((packer.finish(&cursor), cursor))
    }
}

/// Patches in the first part of picture `place` of a batch, each number from 1 to one less than all
/// as likely.
pub(crate) fn drawn_prefix(philox: Philox, patches: usize, batch: u64, place: u64) -> usize {
    let numbers = patches.saturating_sub(1).max(1);
    let drawn = philox.uniform_f64(batch, place) * numbers as f64;
    1 + (drawn as usize).min(numbers - 1)
}

/// The last picture's ranges of sight and the patches to predict: those past the first `prefix`,
/// each from the one before.
pub(crate) fn patches_past(
    patches: usize,
    prefix: usize,
    normalization: LossNormalization,
    batch: &mut Batch,
) {
    let ends = (0..patches).map(|patch| prefix.max(patch + 1) as i32);
    batch.visible_end.extend(ends);
    let first = (batch.image_count - 1) * patches;
    let predicted = first + prefix..first + patches;
    let weight = match normalization {
        LossNormalization::Token => 1.0,
        LossNormalization::Example | LossNormalization::Sequence => 1.0 / predicted.len() as f32,
    };
    batch.loss_weights.extend(predicted.clone().map(|_| weight));
    batch
        .loss_rows
        .extend(predicted.clone().map(|patch| patch as i32 - 1));
    batch
        .loss_targets
        .extend(predicted.map(|patch| patch as i32));
}

/// The text in the open sequence is compared by its last token, and belongs to picture `place`.
fn text_of(place: usize, example: &Example, packer: &mut Packer<'_>) {
    let last = packer.begin + example.cells.len() - 1;
    let batch = &mut packer.batch;
    batch.loss_rows.truncate(place);
    batch.loss_targets.truncate(place);
    batch.loss_weights.truncate(place);
    batch.loss_rows.push(last as i32);
    batch.loss_targets.push(place as i32);
    batch.loss_weights.push(1.0);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::data::tests::{SHAPE, config};
    use crate::data::{BatchShape, first_texts};
    use crate::tokenizer::Tokenizer;

    fn pipeline(shape: BatchShape) -> Pipeline {
        let mut config = config(MixtureUnit::Sequence);
        config.sources.truncate(1);
        let texts = first_texts(&config, 50).expect("texts");
        let tokenizer = Tokenizer::train(texts, 300).expect("a tokenizer");
        Pipeline::open(config, shape, Arc::new(tokenizer)).expect("opens")
    }

    #[test]
    fn each_text_has_a_sequence_and_a_picture() {
        let pipeline = pipeline(BatchShape {
            objective: Objective::Contrastive,
            image_tokens: 1,
            ..SHAPE
        });
        let (batch, after) = pipeline.batch(&pipeline.start()).expect("a batch");
        let pairs = SHAPE.sequences;
        assert_eq!((batch.image_count, batch.examples.len()), (pairs, pairs));
        let targets: Vec<i32> = (0..pairs as i32).collect();
        assert_eq!(batch.loss_targets, targets);
        assert_eq!(batch.weight_sum(), pairs as f64);
        assert!(batch.image_rows.iter().all(|row| *row == -1));
        let end = pipeline.tokenizer().end() as i32;
        for (sequence, row) in batch.loss_rows.iter().enumerate() {
            let row = *row as usize;
            assert_eq!(row / SHAPE.length, sequence);
            assert_eq!(batch.tokens[row], end);
            let next = batch.tokens.get(row + 1).copied().unwrap_or(-1);
            assert!(next == -1 || (row + 1).is_multiple_of(SHAPE.length));
        }
        let (next, _) = pipeline.batch(&after).expect("a batch");
        assert_ne!(next.examples, batch.examples);
    }

    #[test]
    fn patches_past_a_drawn_prefix_are_predicted() {
        let patches = 16;
        let pipeline = pipeline(BatchShape {
            objective: Objective::Reconstruction,
            sequences: 8,
            length: 0,
            patches,
            max_images: 8,
            ..SHAPE
        });
        let mut cursor = pipeline.start();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..40 {
            let (batch, after) = pipeline.batch(&cursor).expect("a batch");
            cursor = after;
            assert_eq!((batch.image_count, batch.tokens.len()), (8, 0));
            for image in 0..8 {
                let ends = &batch.visible_end[image * patches..][..patches];
                let prefix = ends[0] as usize;
                seen.insert(prefix);
                let wanted = (0..patches).map(|patch| prefix.max(patch + 1) as i32);
                assert!(ends.iter().copied().eq(wanted), "{ends:?}");
                let range = (image * patches + prefix) as i32..((image + 1) * patches) as i32;
                let found = batch.loss_targets.iter().filter(|it| range.contains(it));
                assert_eq!(found.count(), patches - prefix);
            }
            let pairs = batch.loss_rows.iter().zip(&batch.loss_targets);
            assert!(pairs.clone().all(|(row, target)| row + 1 == *target));
            let predicted: usize = (0..8)
                .map(|it| 16 - batch.visible_end[it * 16] as usize)
                .sum();
            assert_eq!(batch.loss_rows.len(), predicted);
        }
        assert_eq!(
            seen.into_iter().collect::<Vec<_>>(),
            (1..16).collect::<Vec<_>>()
        );
    }
}
