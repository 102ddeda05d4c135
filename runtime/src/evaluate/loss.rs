//! The held-out loss of a language model: reference texts under the training loss.

use crate::data::{Batch, Evaluation};
use crate::engine::{Engine, EngineExt, RunError};
use crate::tokenizer::Tokenizer;
use crate::train::write_batch;

/// Σ CE / tokens over the references of `evaluation`, nats per token; `None` where no
/// reference fits a sequence. Prompts and pictures are given, not predicted.
///
/// # Errors
/// A program that fails, or a text that cannot be encoded.
pub(super) fn language_loss<E: Engine + ?Sized>(
    engine: &mut E,
    tokenizer: &Tokenizer,
    evaluation: &Evaluation,
) -> Result<Option<f64>, RunError> {
    let facts = engine.facts().clone();
    let mut packer = Packer::new(&facts);
    let (mut loss, mut tokens) = (0.0, 0.0);
    let mut flush = |engine: &mut E, packer: &mut Packer| -> Result<(), RunError> {
        let batch = packer.take();
        let count = batch.loss_rows.len() as f64;
        if count > 0.0 {
            // Divided by 1: the sum is wanted, and other batches have other counts.
            write_batch(engine, "evaluate", &batch, 1.0)?;
            engine.write_scalar("z_weight", 0.0)?;
            engine.run("evaluate")?;
            loss += f64::from(engine.read_scalar("loss")?);
            tokens += count;
        }
        Ok(())
    };
    for item in &evaluation.items {
        let mut text = item.reference.trim().to_string();
        if !item.prompt.is_empty() {
            text.insert(0, ' ');
        }
        let example = Example {
            views: &item.views,
            prompt: &item.prompt,
            text: &tokenizer.encode(&text)?,
            begin: tokenizer.begin(),
            end: tokenizer.end(),
        };
        if !packer.put(&example) {
            flush(engine, &mut packer)?;
            // One that does not fit an empty batch is longer than the model reads.
            packer.put(&example);
        }
    }
    flush(engine, &mut packer)?;
    Ok((tokens > 0.0).then_some(loss / tokens))
}

/// One held-out example: begin, picture, prompt, text, end.
struct Example<'a> {
    views: &'a [Vec<f32>],
    prompt: &'a [u32],
    text: &'a [u32],
    begin: u32,
    end: u32,
}

/// Puts examples one after the other into the sequences of a batch.
struct Packer {
    sequences: usize,
    length: usize,
    image_tokens: usize,
    max_images: usize,
    sequence: usize,
    used: usize,
    batch: Batch,
}

impl Packer {
    fn new(facts: &mm1_package::ModelFacts) -> Self {
        let mut packer = Self {
            sequences: facts.sequences as usize,
            length: facts.length as usize,
            image_tokens: facts.image_tokens as usize,
            max_images: facts.images as usize,
            sequence: 0,
            used: 0,
            batch: Batch::default(),
        };
        packer.take();
        packer
    }

    /// The batch so far; an empty one takes its place.
    fn take(&mut self) -> Batch {
        let positions = self.sequences * self.length;
        let own = (0..positions).map(|at| (at % self.length) as i32);
        self.sequence = 0;
        self.used = 0;
        std::mem::replace(
            &mut self.batch,
            Batch {
                tokens: vec![-1; positions],
                image_rows: vec![-1; positions],
                positions: vec![0; positions],
                segment_begin: own.collect(),
                ..Batch::default()
            },
        )
    }

    /// False where the batch has no room for it.
    fn put(&mut self, example: &Example) -> bool {
        let images = example.views.len();
        let length = 2 + images * self.image_tokens + example.prompt.len() + example.text.len();
        if length > self.length || self.batch.image_count + images > self.max_images {
            return false;
        }
        if self.used + length > self.length {
            if self.sequence + 1 == self.sequences {
                return false;
            }
            self.sequence += 1;
            self.used = 0;
        }
        let begin = self.used;
        self.token(begin, example.begin as i32, -1);
        for view in example.views {
            for k in 0..self.image_tokens {
                let row = self.batch.image_count * self.image_tokens + k;
                self.token(begin, -1, row as i32);
            }
            self.batch.images.extend_from_slice(view);
            self.batch.image_count += 1;
        }
        for &token in example.prompt {
            self.token(begin, token as i32, -1);
        }
        for &token in example.text.iter().chain([&example.end]) {
            let row = self.sequence * self.length + self.used - 1;
            self.batch.loss_rows.push(row as i32);
            self.batch.loss_targets.push(token as i32);
            self.batch.loss_weights.push(1.0);
            self.token(begin, token as i32, -1);
        }
        true
    }

    fn token(&mut self, begin: usize, token: i32, image_row: i32) {
        let at = self.sequence * self.length + self.used;
        self.batch.tokens[at] = token;
        self.batch.image_rows[at] = image_row;
        self.batch.positions[at] = (self.used - begin) as i32;
        self.batch.segment_begin[at] = begin as i32;
        self.used += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packer() -> Packer {
        Packer::new(&mm1_package::ModelFacts {
            sequences: 2,
            length: 8,
            image_tokens: 2,
            images: 3,
            ..Default::default()
        })
    }

    #[test]
    fn segments_follow_one_another() {
        let example = Example {
            views: &[vec![0.5; 3]],
            prompt: &[],
            text: &[7],
            begin: 1,
            end: 2,
        };
        let text = Example {
            views: &[],
            ..example
        };
        let mut packer = packer();
        assert!(packer.put(&example)); // 5 positions
        assert!(packer.put(&text)); // 3 positions: the sequence is full
        assert!(packer.put(&example)); // the second sequence
        assert!(!packer.put(&example));
        let batch = packer.take();
        assert_eq!(
            batch.tokens,
            [1, -1, -1, 7, 2, 1, 7, 2, 1, -1, -1, 7, 2, -1, -1, -1]
        );
        assert_eq!(
            batch.image_rows,
            [-1, 0, 1, -1, -1, -1, -1, -1, -1, 2, 3, -1, -1, -1, -1, -1]
        );
        assert_eq!(
            batch.positions,
            [0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3, 4, 0, 0, 0]
        );
        assert_eq!(
            batch.segment_begin,
            [0, 0, 0, 0, 0, 5, 5, 5, 0, 0, 0, 0, 0, 5, 6, 7]
        );
        // The last image position predicts the first word; an end predicts nothing.
        assert_eq!(batch.loss_rows, [2, 3, 5, 6, 10, 11]);
        assert_eq!(batch.loss_targets, [7, 2, 7, 2, 7, 2]);
        assert_eq!(batch.image_count, 2);
        assert!(packer.batch.loss_rows.is_empty());
    }

    #[test]
    fn what_cannot_fit_is_refused() {
        let long = Example {
            views: &[],
            prompt: &[3; 6],
            text: &[7],
            begin: 1,
            end: 2,
        };
        assert!(!packer().put(&long));
    }
}
