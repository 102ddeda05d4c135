//! The data that a run of a model sees: what its file settles, and, where the data can be opened, what
//! its first micro-batches hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mm1_compiler::summary::{Batch, Summary};
use mm1_dsl::model::{Model, Objective};
use mm1_runtime::data::{BatchShape, DataConfig, Pipeline};
use mm1_runtime::tokenizer::Tokenizer;
use serde::Serialize;

use crate::convert::data_config;
use crate::failure::Failure;
use crate::trained;

/// Micro-batches that are read of each model.
const READ: u64 = 8;

/// What a run sees, all steps together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Seen {
    /// Optimizer steps.
    pub steps: u64,
    /// Sequences, or pictures where the objective is about pictures.
    pub sequences: u64,
    /// Positions of sequences, empty ones included.
    pub positions: u64,
    /// Most images.
    pub images: u64,
    /// Most image tokens.
    pub image_tokens: u64,
    /// Sources and their shares of what the mixture counts.
    pub shares: BTreeMap<String, f64>,
    /// By the first micro-batches.
    pub estimate: Option<Estimate>,
    /// Why there is no estimate.
    pub unread: Option<String>,
}

/// What the first micro-batches hold, multiplied by how often a run has as many.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Micro-batches read.
    pub read: u64,
    /// Examples.
    pub examples: u64,
    /// Text tokens.
    pub text_tokens: u64,
    /// Image tokens.
    pub image_tokens: u64,
    /// Share of the positions that hold a token.
    pub fill_rate: f64,
}

/// Tokenizers of earlier models, by what they were made from.
#[derive(Default)]
pub struct Tokenizers(BTreeMap<String, Arc<Tokenizer>>);

impl Seen {
    /// What a run of `model` sees.
    pub fn of(model: &Model, costs: &Summary, tokenizers: &mut Tokenizers) -> Self {
        let train = &model.train;
        let batch = &costs.batch;
        let sequences = train.steps.saturating_mul(train.global_batch_sequences);
        let micro_batches = train.steps.saturating_mul(batch.micro_batches);
        let images = micro_batches.saturating_mul(batch.images);
        let sources = model.data.iter().flat_map(|it| &it.sources);
        let sources: Vec<(&String, f64)> = sources
            .map(|(name, source)| (name, source.weight))
            .collect();
        let whole: f64 = sources.iter().map(|(_, weight)| weight).sum();
        let shares = sources
            .iter()
            .map(|(name, it)| ((*name).clone(), it / whole));
        let (estimate, unread) = match read(model, batch, micro_batches, tokenizers) {
            Ok(estimate) => (Some(estimate), None),
            Err(error) => {
                let text = error.to_string();
                let line = text.lines().next().unwrap_or_default();
                let line = line.strip_prefix("error: ").unwrap_or(line);
                (None, Some(line.to_owned()))
            }
        };
        Self {
            steps: train.steps,
            sequences,
            positions: sequences.saturating_mul(batch.length),
            images,
            image_tokens: images.saturating_mul(batch.image_tokens),
            shares: shares.collect(),
            estimate,
            unread,
        }
    }
}

/// Reads the first micro-batches of a run of so many.
fn read(
    model: &Model,
    batch: &Batch,
    micro_batches: u64,
    tokenizers: &mut Tokenizers,
) -> Result<Estimate, Failure> {
    let folder = trained::default_run_dir(model);
    let data = data_config(model)?;
    let tokenizer = tokenizers.get(model, &data, Path::new(&folder))?;
    let read = READ.min(micro_batches).max(1);
    let sums = held(model, batch, data, tokenizer, read)?;
    let times = micro_batches as f64 / read as f64;
    let [examples, text_tokens, image_tokens] = sums.map(|it| (it as f64 * times).round() as u64);
    let positions = read * batch.sequences * batch.length;
    Ok(Estimate {
        read,
        examples,
        text_tokens,
        image_tokens,
        fill_rate: (sums[1] + sums[2]) as f64 / positions.max(1) as f64,
    })
}

impl Tokenizers {
    /// That of a model, of the run in `folder` if it keeps one.
    ///
    /// # Errors
    /// Data that do not open.
    pub fn get(
        &mut self,
        model: &Model,
        data: &DataConfig,
        folder: &Path,
    ) -> Result<Arc<Tokenizer>, Failure> {
        let word = model.data.as_ref().map(|it| it.tokenizer.as_str());
        let key = format!("{word:?} {:?} {}", data.sources, model.decoder.vocabulary);
        if let Some(kept) = self.0.get(&key) {
            return Ok(Arc::clone(kept));
        }
        let made = trained::tokenizer(model, data, folder)?;
        self.0.insert(key, Arc::clone(&made));
        Ok(made)
    }
}

/// Examples, text tokens and image tokens of the first `count` micro-batches.
///
/// # Errors
/// Data that do not open or cannot be used.
pub fn held(
    model: &Model,
    batch: &Batch,
    data: DataConfig,
    tokenizer: Arc<Tokenizer>,
    count: u64,
) -> Result<[u64; 3], Failure> {
    let vision = model.vision.as_ref();
    let patches = vision.map_or(0, |it| it.encoder.grid().pow(2));
    let (objective, images, patches) = match model.objective {
        Objective::Language => (mm1_package::Objective::Language, batch.images, 0),
        Objective::Contrastive { .. } => (mm1_package::Objective::Contrastive, batch.sequences, 0),
        Objective::Reconstruction { .. } => {
            let objective = mm1_package::Objective::Reconstruction;
            (objective, batch.images, patches)
        }
    };
    let shape = BatchShape {
        sequences: batch.sequences as usize,
        length: batch.length as usize,
        max_images: images as usize,
        resolution: vision.map_or(0, |it| it.encoder.resolution) as usize,
        image_tokens: batch.image_tokens as usize,
        objective,
        patches: patches as usize,
    };
    let pipeline = Pipeline::open(data, shape, tokenizer)?;
    let mut cursor = pipeline.start();
    let mut sums = [0; 3];
    for _ in 0..count {
        let (batch, next) = pipeline.batch(&cursor)?;
        let stats = &batch.stats;
        let of = [stats.examples, stats.text_tokens, stats.image_tokens];
        for (sum, of) in sums.iter_mut().zip(of) {
            *sum += of;
        }
        cursor = next;
    }
    Ok(sums)
}
