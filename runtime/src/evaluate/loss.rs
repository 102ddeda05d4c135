//! The held-out loss of a language model: reference texts and documents under the training loss.

use crate::data::layout::Cell;
use crate::data::{Batch, Evaluation};
use crate::engine::{Engine, EngineExt, RunError};
use crate::tokenizer::Tokenizer;
use crate::train::write_batch;

/// Σ CE / tokens over the references and the documents of `evaluation`, nats per token; `None` where
/// none fits a sequence. Prompts and pictures are given, not predicted.
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
    let mut sum = Sum::default();
    for item in &evaluation.items {
        let mut text = item.reference.trim().to_string();
        if !item.prompt.is_empty() {
            text.insert(0, ' ');
        }
        let text = tokenizer.encode(&text)?;
        let ends = [tokenizer.begin(), tokenizer.end()];
        let cells = caption(&item.cells, &item.prompt, &text, ends);
        sum.add(engine, &mut packer, &cells, &item.views)?;
    }
    for document in &evaluation.documents {
        sum.add(engine, &mut packer, &document.cells, &document.images)?;
    }
    sum.flush(engine, &mut packer)?;
    Ok((sum.tokens > 0.0).then_some(sum.loss / sum.tokens))
}

/// Losses added up, and the tokens that they are of.
#[derive(Debug, Default)]
struct Sum {
    loss: f64,
    tokens: f64,
}

impl Sum {
    /// Puts an example into the batch, which is evaluated first where it has no room.
    fn add<E: Engine + ?Sized>(
        &mut self,
        engine: &mut E,
        packer: &mut Packer,
        cells: &[Cell],
        images: &[Vec<f32>],
    ) -> Result<(), RunError> {
        if !packer.put(cells, images) {
            self.flush(engine, packer)?;
            // One that does not fit an empty batch is longer than the model reads.
            packer.put(cells, images);
        }
        Ok(())
    }

    fn flush<E: Engine + ?Sized>(
        &mut self,
        engine: &mut E,
        packer: &mut Packer,
    ) -> Result<(), RunError> {
        let batch = packer.take();
        let count = batch.loss_rows.len() as f64;
        if count > 0.0 {
            // Divided by 1: the sum is wanted, and other batches have other counts.
            write_batch(engine, "evaluate", &batch, 1.0)?;
            engine.write_scalar("z_weight", 0.0)?;
            engine.run("evaluate")?;
            self.loss += f64::from(engine.read_scalar("loss")?);
            self.tokens += count;
        }
        Ok(())
    }
}

/// Begin, the positions of a picture, prompt, text, end.
fn caption(picture: &[Cell], prompt: &[u32], text: &[u32], [begin, end]: [u32; 2]) -> Vec<Cell> {
    let word = |id: u32, target: bool| Cell::Text { id, target };
    let mut cells = vec![word(begin, false)];
    cells.extend(picture);
    cells.extend(prompt.iter().map(|&id| word(id, false)));
    cells.extend(text.iter().map(|&id| word(id, true)));
    cells.push(word(end, true));
    cells
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
    fn put(&mut self, cells: &[Cell], images: &[Vec<f32>]) -> bool {
        let batch = &mut self.batch;
        if cells.len() > self.length || batch.image_count + images.len() > self.max_images {
            return false;
        }
        if self.used + cells.len() > self.length {
            if self.sequence + 1 == self.sequences {
                return false;
            }
            self.sequence += 1;
            self.used = 0;
        }
        let begin = self.used;
        let first = self.sequence * self.length + begin;
        for (i, cell) in cells.iter().enumerate() {
            let at = first + i;
            match *cell {
                Cell::Text { id, target } => {
                    batch.tokens[at] = id as i32;
                    // The first of a segment has nothing before it that could predict it.
                    if target && i > 0 {
                        batch.loss_rows.push(at as i32 - 1);
                        batch.loss_targets.push(id as i32);
                        batch.loss_weights.push(1.0);
                    }
                }
                Cell::Mark { id } => batch.tokens[at] = id as i32,
                Cell::Image { image, token } => {
                    let image = batch.image_count + image as usize;
                    batch.image_rows[at] = (image * self.image_tokens + token as usize) as i32;
                }
            }
            batch.positions[at] = i as i32;
            batch.segment_begin[at] = begin as i32;
        }
        for image in images {
            batch.images.extend_from_slice(image);
        }
        batch.image_count += images.len();
        self.used += cells.len();
        true
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
        let view = vec![vec![0.5; 3]];
        let picture = [0, 1].map(|token| Cell::Image { image: 0, token });
        let example = caption(&picture, &[], &[7], [1, 2]);
        let text = caption(&[], &[], &[7], [1, 2]);
        let mut packer = packer();
        assert!(packer.put(&example, &view)); // 5 positions
        assert!(packer.put(&text, &[])); // 3 positions: the sequence is full
        assert!(packer.put(&example, &view)); // the second sequence
        assert!(!packer.put(&example, &view));
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

    /// A document's targets are those that training gives it.
    #[test]
    fn documents_have_the_targets_of_training() {
        use crate::data::pack::Packer as Training;
        use crate::data::tests::{SHAPE, config};

        let word = |id: u32, target: bool| Cell::Text { id, target };
        let image = |token: u32| Cell::Image { image: 0, token };
        let document = crate::data::layout::Example {
            cells: vec![
                word(1, false),
                word(5, true),
                image(0),
                image(1),
                word(6, false),
                word(7, true),
                word(2, true),
            ],
            pictures: 1,
            images: vec![vec![0.5; 3]],
            mixture_tokens: 5,
        };
        let facts = mm1_package::ModelFacts {
            sequences: 1,
            length: 16,
            image_tokens: 2,
            images: 2,
            ..Default::default()
        };
        let shape = crate::data::BatchShape {
            sequences: 1,
            length: 16,
            image_tokens: 2,
            ..SHAPE
        };
        let config = config(crate::data::MixtureUnit::Example);
        let mut training = Training::new(&config, shape);
        let mut packer = Packer::new(&facts);
        for _ in 0..2 {
            training.place(0, 0, &document, Vec::new());
            assert!(packer.put(&document.cells, &document.images));
        }
        training.close();
        let (trained, held_out) = (training.batch, packer.take());
        assert_eq!(held_out.tokens, trained.tokens);
        assert_eq!(held_out.image_rows, trained.image_rows);
        assert_eq!(held_out.positions, trained.positions);
        assert_eq!(held_out.segment_begin, trained.segment_begin);
        assert_eq!(held_out.loss_rows, trained.loss_rows);
        assert_eq!(held_out.loss_targets, trained.loss_targets);
        assert_eq!(held_out.loss_targets, [5, 7, 2, 5, 7, 2]);
    }

    #[test]
    fn what_cannot_fit_is_refused() {
        let long = caption(&[], &[3; 6], &[7], [1, 2]);
        assert!(!packer().put(&long, &[]));
    }
}
