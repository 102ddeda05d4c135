//! Mixture and packing: from a cursor to the next micro-batch and the cursor after it.
//!
//! A cursor only counts: per source, how far its current epoch has been consumed; for the
//! mixture, how many draws were used. An example that does not fit into a sequence is not
//! consumed, so it comes first in the next one and no cursor needs to carry it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::layout::{Cell, Example, Layout};
use crate::data::source::{Fault, Source};
use crate::data::{
    Batch, BatchShape, DataConfig, DataError, LossNormalization, MixtureUnit, SourceStats,
    open_source,
};
use crate::philox::{Permutation, Philox, stream_of};
use crate::tokenizer::Tokenizer;

/// Where a source stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCursor {
    /// Name of the source.
    pub name: String,
    /// Samples that it had when the run began.
    pub samples: u64,
    /// Current epoch, from 0.
    pub epoch: u64,
    /// Samples consumed of the current epoch, unusable ones included.
    pub position: u64,
    /// Unusable samples met in the current epoch.
    pub bad_in_epoch: u64,
    /// Unusable samples met so far.
    pub bad: u64,
    /// Text tokens given so far.
    pub text_tokens: u64,
}

/// Where the data of a run stands, between two micro-batches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Micro-batches given so far.
    pub batches: u64,
    /// Mixture draws used so far.
    pub draws: u64,
    /// One per source, in the order of the configuration.
    pub sources: Vec<SourceCursor>,
}

/// An example drawn but perhaps not yet consumed.
#[derive(Clone)]
struct Drawn {
    sample: u64,
    example: Arc<Example>,
    before: SourceCursor,
    after: SourceCursor,
}

/// Examples that were drawn but did not fit yet, per source. Purely a saving: what it
/// holds could be drawn again.
#[derive(Clone, Default)]
pub(crate) struct Memo(Vec<Option<Drawn>>);

/// Opened sources and everything that batches depend on.
pub struct Pipeline {
    config: DataConfig,
    shape: BatchShape,
    tokenizer: Arc<Tokenizer>,
    sources: Vec<Box<dyn Source>>,
    /// Normalised weights.
    weights: Vec<f64>,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Pipeline({:?}, {} sources)",
            self.shape,
            self.sources.len()
        )
    }
}

impl Pipeline {
    /// Checks the configuration, opens and indexes every source.
    pub fn open(
        config: DataConfig,
        shape: BatchShape,
        tokenizer: Arc<Tokenizer>,
    ) -> Result<Self, DataError> {
        let bad = |why: &str| Err(DataError::Config(why.to_owned()));
        if config.sources.is_empty() {
            return bad("no source");
        }
        for (i, source) in config.sources.iter().enumerate() {
            if config.sources[..i].iter().any(|s| s.name == source.name) {
                return bad("two sources have one name");
            }
            if !(source.weight.is_finite() && source.weight > 0.0) {
                return bad("a source's weight must be a positive number");
            }
        }
        if !(0.0..=1.0).contains(&config.bad_sample_budget) {
            return bad("`bad_sample_budget` must lie in [0, 1]");
        }
        if config.image.std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            return bad("image `std` must be positive");
        }
        let positions = shape.sequences.checked_mul(shape.length);
        if shape.sequences == 0 || positions.is_none_or(|n| n > i32::MAX as usize) {
            return bad("the batch has no sequence or too many positions");
        }
        if shape.length < shape.image_tokens + 3 {
            return bad("a sequence has no room for one image, a token and its ends");
        }
        let images = shape.max_images.saturating_mul(shape.image_tokens.max(1));
        if images > i32::MAX as usize {
            return bad("too many image tokens in a batch");
        }
        let blind = shape.resolution == 0 || shape.image_tokens == 0;
        let needs_sight = |s: &&crate::data::SourceConfig| s.task != "text";
        if let Some(source) = config.sources.iter().find(needs_sight) {
            let name = &source.name;
            if blind {
                return bad(&format!(
                    "source `{name}` has pictures, but the model has no encoder"
                ));
            }
            if shape.max_images == 0 || config.max_images == 0 {
                return bad(&format!(
                    "source `{name}` has pictures, but no image is allowed"
                ));
            }
        }
        let sources = config
            .sources
            .iter()
            .map(|s| open_source(s, config.shuffle_seed, shape.resolution))
            .collect::<Result<Vec<_>, _>>()?;
        let total: f64 = config.sources.iter().map(|s| s.weight).sum();
        let weights = config.sources.iter().map(|s| s.weight / total).collect();
        let pipeline = Self {
            config,
            shape,
            tokenizer,
            sources,
            weights,
        };
        for (i, cursor) in pipeline.start().sources.iter().enumerate() {
            pipeline.check_budget(i, cursor, None)?;
        }
        Ok(pipeline)
    }

    /// The configuration.
    pub fn config(&self) -> &DataConfig {
        &self.config
    }

    /// The bounds of its batches.
    pub fn shape(&self) -> BatchShape {
        self.shape
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.tokenizer
    }

    /// Samples found unusable while indexing, per source: (name, number, some of them).
    pub fn lost(&self) -> Vec<(String, u64, Vec<Fault>)> {
        let sources = self.config.sources.iter().zip(&self.sources);
        sources
            .map(|(config, source)| {
                let (count, faults) = source.lost();
                (config.name.clone(), count, faults.to_vec())
            })
            .collect()
    }

    /// The cursor of a run's first batch.
    pub fn start(&self) -> Cursor {
        let sources = self.config.sources.iter().zip(&self.sources);
        Cursor {
            batches: 0,
            draws: 0,
            sources: sources
                .map(|(config, source)| SourceCursor {
                    name: config.name.clone(),
                    samples: source.samples(),
                    ..SourceCursor::default()
                })
                .collect(),
        }
    }

    /// Checks that a stored cursor belongs to these sources.
    pub fn check(&self, cursor: &Cursor) -> Result<(), DataError> {
        let bad = |why: String| Err(DataError::Cursor(why));
        let start = self.start();
        if cursor.sources.len() != start.sources.len() {
            let (was, is) = (cursor.sources.len(), start.sources.len());
            return bad(format!("{was} sources then, {is} now"));
        }
        for (was, is) in cursor.sources.iter().zip(&start.sources) {
            if was.name != is.name {
                return bad(format!("source `{}` then, `{}` now", was.name, is.name));
            }
            if was.samples != is.samples {
                return bad(format!(
                    "source `{}` had {} samples, now {}",
                    is.name, was.samples, is.samples
                ));
            }
            if was.position > was.samples {
                return bad(format!("source `{}` stands beyond its end", is.name));
            }
        }
        Ok(())
    }

    /// The batch at `cursor` and the cursor after it: a function of the configuration, the
    /// stored data and the cursor.
    pub fn batch(&self, cursor: &Cursor) -> Result<(Batch, Cursor), DataError> {
        self.check(cursor)?;
        self.next(cursor, &mut Memo::default())
    }

    /// [`Pipeline::batch`] for a checked cursor, sparing examples that `memo` still holds.
    pub(crate) fn next(
        &self,
        cursor: &Cursor,
        memo: &mut Memo,
    ) -> Result<(Batch, Cursor), DataError> {
        let shape = self.shape;
        let mut cursor = cursor.clone();
        let mut packer = Packer::new(self, shape);
        for sequence in 0..shape.sequences {
            // Images are shared out over the sequences, so that the first ones cannot use
            // up the bound and leave the others empty; the last may use what is left.
            let quota = (shape.max_images * (sequence + 1)).div_ceil(shape.sequences);
            let mut used = false;
            loop {
                let source = match self.config.mixture_unit {
                    MixtureUnit::Sequence | MixtureUnit::Example => self.pick(cursor.draws),
                    MixtureUnit::Token => self.most_behind(&cursor),
                };
                let drawn = self.draw(source, &cursor.sources[source], memo)?;
                if !packer.fits(&drawn.example, quota) {
                    break;
                }
                packer.place(source, drawn.sample, &drawn.example);
                cursor.sources[source] = drawn.after;
                memo.0[source] = None;
                used = true;
                if self.config.mixture_unit == MixtureUnit::Example {
                    cursor.draws += 1;
                }
            }
            if used && self.config.mixture_unit == MixtureUnit::Sequence {
                cursor.draws += 1;
            }
            packer.close();
        }
        cursor.batches += 1;
        Ok((packer.finish(&cursor), cursor))
    }

    /// The source of mixture draw `draw`.
    fn pick(&self, draw: u64) -> usize {
        let philox = Philox::new(self.config.shuffle_seed, stream_of("data.mixture"));
        let mut rest = philox.uniform_f64(0, draw);
        for (i, weight) in self.weights.iter().enumerate() {
            rest -= weight;
            if rest < 0.0 {
                return i;
            }
        }
        self.weights.len() - 1
    }

    /// The source with the fewest text tokens for its weight; the first of equals.
    fn most_behind(&self, cursor: &Cursor) -> usize {
        let share = |i: usize| cursor.sources[i].text_tokens as f64 / self.weights[i];
        (1..self.weights.len()).fold(0, |best, i| if share(i) < share(best) { i } else { best })
    }

    /// The next usable example of a source at its cursor.
    fn draw(&self, source: usize, at: &SourceCursor, memo: &mut Memo) -> Result<Drawn, DataError> {
        memo.0.resize_with(self.sources.len(), || None);
        if let Some(drawn) = memo.0[source].as_ref().filter(|drawn| drawn.before == *at) {
            return Ok(drawn.clone());
        }
        let layout = self.layout();
        let mut after = at.clone();
        let mut bad_in_a_row = 0;
        loop {
            if after.position >= after.samples {
                after.epoch += 1;
                after.position = 0;
                after.bad_in_epoch = 0;
            }
            let sample = self.order(source, after.epoch).at(after.position);
            after.position += 1;
            let parts = self.sources[source].read(sample, true);
            let laid_out = parts.and_then(|parts| {
                layout.example(parts).map_err(|why| Fault {
                    place: self.sources[source].name(sample),
                    why,
                })
            });
            match laid_out {
                Ok(example) => {
                    after.text_tokens += example.mixture_tokens;
                    let drawn = Drawn {
                        sample,
                        example: Arc::new(example),
                        before: at.clone(),
                        after,
                    };
                    memo.0[source] = Some(drawn.clone());
                    return Ok(drawn);
                }
                Err(fault) => {
                    after.bad += 1;
                    after.bad_in_epoch += 1;
                    bad_in_a_row += 1;
                    self.check_budget(source, &after, Some(&fault))?;
                    // A budget of 1 allows everything, but not waiting for ever.
                    if bad_in_a_row > after.samples {
                        return Err(DataError::Budget(format!(
                            "source `{}` has no usable sample, the last: {fault}",
                            after.name
                        )));
                    }
                }
            }
        }
    }

    /// The order of a source's samples in an epoch.
    fn order(&self, source: usize, epoch: u64) -> Permutation {
        let stream = stream_of(&format!("data.order.{}", self.config.sources[source].name));
        let philox = Philox::new(self.config.shuffle_seed, stream);
        Permutation::new(philox, epoch, self.sources[source].samples())
    }

    /// An error where a source has lost more than its budget: samples lost while indexing
    /// plus those met in this epoch, out of all.
    fn check_budget(
        &self,
        source: usize,
        cursor: &SourceCursor,
        last: Option<&Fault>,
    ) -> Result<(), DataError> {
        let (lost, faults) = self.sources[source].lost();
        let bad = lost + cursor.bad_in_epoch;
        let all = lost + cursor.samples;
        let budget = self.config.bad_sample_budget;
        if bad as f64 <= budget * all as f64 {
            return Ok(());
        }
        let last = last.or(faults.last());
        let last = last.map_or(String::new(), |fault| format!("; the last: {fault}"));
        Err(DataError::Budget(format!(
            "source `{}`: {bad} of {all}, where `bad_sample_budget = {budget}` allows {}{last}",
            cursor.name,
            (budget * all as f64).floor()
        )))
    }

    pub(crate) fn layout(&self) -> Layout<'_> {
        Layout {
            tokenizer: &self.tokenizer,
            image: &self.config.image,
            shape: self.shape,
            max_images: self.config.max_images.min(self.shape.max_images),
        }
    }
}

/// A batch in the making.
struct Packer<'a> {
    pipeline: &'a Pipeline,
    shape: BatchShape,
    batch: Batch,
    /// Images in the open sequence.
    images: usize,
    /// Loss rows before the open sequence.
    sequence_rows: usize,
    /// Flat position where the open sequence began.
    begin: usize,
}

impl<'a> Packer<'a> {
    fn new(pipeline: &'a Pipeline, shape: BatchShape) -> Self {
        let mut batch = Batch::default();
        let names = pipeline.config.sources.iter();
        batch.stats.sources = names
            .map(|source| SourceStats {
                name: source.name.clone(),
                ..SourceStats::default()
            })
            .collect();
        Self {
            pipeline,
            shape,
            batch,
            images: 0,
            sequence_rows: 0,
            begin: 0,
        }
    }

    fn fits(&self, example: &Example, quota: usize) -> bool {
        let used = self.batch.tokens.len() - self.begin;
        let images = example.images.len();
        used + example.cells.len() <= self.shape.length
            && self.images + images <= self.pipeline.config.max_images
            && self.batch.image_count + images <= quota
    }

    /// Appends an example to the open sequence as a segment of its own.
    fn place(&mut self, source: usize, sample: u64, example: &Example) {
        let batch = &mut self.batch;
        let first_row = batch.loss_rows.len();
        let first = batch.tokens.len();
        let segment = (first - self.begin) as i32;
        let image_tokens = self.shape.image_tokens;
        let mut text = 0;
        for (i, cell) in example.cells.iter().enumerate() {
            let (token, row) = match *cell {
                Cell::Text { id, .. } => (id as i32, -1),
                Cell::Image { image, token } => {
                    let image = batch.image_count + image as usize;
                    (-1, (image * image_tokens + token as usize) as i32)
                }
            };
            text += u64::from(row < 0);
            batch.tokens.push(token);
            batch.image_rows.push(row);
            batch.positions.push(i as i32);
            batch.segment_begin.push(segment);
            // The last position of the segment has no successor here, so it predicts nothing.
            if let Some(Cell::Text { id, target: true }) = example.cells.get(i + 1) {
                batch.loss_rows.push((first + i) as i32);
                batch.loss_targets.push(*id as i32);
            }
        }
        let counted = batch.loss_rows.len() - first_row;
        let weight = match self.pipeline.config.loss_normalization {
            LossNormalization::Example => 1.0 / counted as f32,
            // Sequence weights are set when the sequence is closed.
            LossNormalization::Token | LossNormalization::Sequence => 1.0,
        };
        batch.loss_weights.resize(batch.loss_rows.len(), weight);
        for image in &example.images {
            batch.images.extend_from_slice(image);
        }
        batch.image_count += example.images.len();
        self.images += example.images.len();
        let image = example.cells.len() as u64 - text;
        batch.examples.push((source as u32, sample));
        batch.stats.examples += 1;
        batch.stats.text_tokens += text;
        batch.stats.image_tokens += image;
        let stats = &mut batch.stats.sources[source];
        stats.examples += 1;
        stats.text_tokens += text;
        stats.image_tokens += image;
    }

    /// Pads the open sequence and opens the next.
    fn close(&mut self) {
        let batch = &mut self.batch;
        let end = self.begin + self.shape.length;
        for position in batch.tokens.len() - self.begin..self.shape.length {
            batch.segment_begin.push(position as i32);
            batch.stats.padding += 1;
        }
        batch.tokens.resize(end, -1);
        batch.image_rows.resize(end, -1);
        batch.positions.resize(end, 0);
        if self.pipeline.config.loss_normalization == LossNormalization::Sequence {
            let counted = batch.loss_rows.len() - self.sequence_rows;
            batch.loss_weights[self.sequence_rows..].fill(1.0 / counted.max(1) as f32);
        }
        self.begin = end;
        self.images = 0;
        self.sequence_rows = batch.loss_rows.len();
    }

    /// The batch, with the totals of the cursor after it.
    fn finish(self, after: &Cursor) -> Batch {
        let mut batch = self.batch;
        for (stats, cursor) in batch.stats.sources.iter_mut().zip(&after.sources) {
            stats.epochs = cursor.epoch as f64 + cursor.position as f64 / cursor.samples as f64;
            stats.bad_samples = cursor.bad;
        }
        batch.stats.bad_samples = after.sources.iter().map(|s| s.bad).sum();
        batch
    }
}
