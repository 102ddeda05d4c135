//! The mixture: from a cursor to the next micro-batch and the cursor after it.
//!
//! A cursor only counts: per source, how far its current epoch has been consumed; for the
//! mixture, how many draws were used. An example that does not fit into a sequence is not
//! consumed, so it comes first in the next one and no cursor needs to carry it.

use std::sync::Arc;

use mm1_package::Objective;
use serde::{Deserialize, Serialize};

use crate::data::layout::{Example, Layout};
use crate::data::pack::Packer;
use crate::data::source::{Fault, Source};
use crate::data::{Batch, BatchShape, DataConfig, DataError, MixtureUnit, open_source};
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
pub(super) struct Drawn {
    pub(super) sample: u64,
    pub(super) example: Arc<Example>,
    /// Unusable samples passed over on the way.
    pub(super) faults: Vec<Fault>,
    before: SourceCursor,
    pub(super) after: SourceCursor,
}

/// Examples that were drawn but did not fit yet, per source. Purely a saving: what it
/// holds could be drawn again.
#[derive(Clone, Default)]
pub(crate) struct Memo(pub(super) Vec<Option<Drawn>>);

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
        let texts = shape.objective != Objective::Reconstruction;
        let positions = shape.sequences.checked_mul(shape.length);
        if shape.sequences == 0 || positions.is_none_or(|n| n > i32::MAX as usize) {
            return bad("the batch has no sequence or too many positions");
        }
        if texts && shape.length < shape.cells_per_image() + 3 {
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
        if shape.objective != Objective::Language {
            return self.next_pairs(cursor, memo);
        }
        let mut cursor = cursor.clone();
        let mut packer = Packer::new(&self.config, shape);
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
                packer.place(source, drawn.sample, &drawn.example, drawn.faults);
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
    pub(super) fn pick(&self, draw: u64) -> usize {
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
    pub(super) fn most_behind(&self, cursor: &Cursor) -> usize {
        let share = |i: usize| cursor.sources[i].text_tokens as f64 / self.weights[i];
        (1..self.weights.len()).fold(0, |best, i| if share(i) < share(best) { i } else { best })
    }

    /// The next usable example of a source at its cursor.
    pub(super) fn draw(
        &self,
        source: usize,
        at: &SourceCursor,
        memo: &mut Memo,
    ) -> Result<Drawn, DataError> {
        memo.0.resize_with(self.sources.len(), || None);
        if let Some(drawn) = memo.0[source].as_ref().filter(|drawn| drawn.before == *at) {
            return Ok(drawn.clone());
        }
        let layout = self.layout();
        let mut after = at.clone();
        let mut faults = Vec::new();
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
                layout.example(&parts).map_err(|why| Fault {
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
                        faults,
                        before: at.clone(),
                        after,
                    };
                    memo.0[source] = Some(drawn.clone());
                    return Ok(drawn);
                }
                Err(fault) => {
                    after.bad += 1;
                    after.bad_in_epoch += 1;
                    self.check_budget(source, &after, Some(&fault))?;
                    // A budget of 1 allows everything, but not waiting for ever.
                    if faults.len() as u64 >= after.samples {
                        return Err(DataError::Budget(format!(
                            "source `{}` has no usable sample, the last: {fault}",
                            after.name
                        )));
                    }
                    faults.push(fault);
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
            max_pictures: self.config.max_images,
        }
    }
}
