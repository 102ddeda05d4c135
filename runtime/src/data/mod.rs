//! Training and evaluation data.
//!
//! ```text
//! sources ──shuffle per epoch──▶ mixture ──▶ examples ──layout──▶ packing ──▶ Batch
//! (scenes, folders, files)      (weights)   (parts)    (tokens)  (sequences)
//! ```
//! Everything is addressed: a [`Batch`] is a function of the configuration and a
//! [`Cursor`], and so is the cursor after it. Which examples come, and in which order, is
//! settled before packing, so models with other tokens per image see the same ones.

pub mod digits;
pub mod documents;
mod draw;
pub mod evaluation;
pub mod export;
mod files;
pub mod folder;
pub mod image;
pub mod layout;
mod lines;
pub(crate) mod pack;
pub(crate) mod pairs;
mod parquet;
pub mod pipeline;
pub mod prefetch;
pub mod rows;
pub mod scene;
pub mod score;
pub mod source;
pub mod tar;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
pub(crate) mod tests;
pub mod tiles;

use std::path::Path;

use mm1_package::Objective;
use serde::{Deserialize, Serialize};

pub use evaluation::{Evaluation, EvaluationItem, Truth};
pub use image::ImageConfig;
pub use pipeline::{Cursor, Pipeline, SourceCursor};
pub use prefetch::Prefetch;

use source::Source;

/// What the data of a run consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// What mixture weights count.
    pub mixture_unit: MixtureUnit,
    /// Sources in the order of the file; names are unique.
    pub sources: Vec<SourceConfig>,
    /// Most pictures in one sequence, each once or in tiles.
    pub max_images: usize,
    /// Share of a source's samples that may be unusable within an epoch, in [0, 1].
    pub bad_sample_budget: f64,
    /// Seed of orders, mixture and generated scenes.
    pub shuffle_seed: u64,
    /// How targets are weighted.
    pub loss_normalization: LossNormalization,
    /// Preprocessing of pictures.
    pub image: ImageConfig,
}

/// What a mixture weight counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MixtureUnit {
    /// Each sequence comes wholly from one source, drawn by weight.
    Sequence,
    /// Each example's source is drawn by weight.
    Example,
    /// The source that is most behind its share of text tokens comes next. Image tokens do
    /// not count, so that the order does not depend on how many an image has.
    Token,
}

/// What each counted target weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossNormalization {
    /// 1.
    Token,
    /// 1 / counted targets of its example.
    Example,
    /// 1 / counted targets of its sequence.
    Sequence,
}

impl LossNormalization {
    /// The value of a configuration word, or `None`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "token" => Self::Token,
            "example" => Self::Example,
            "sequence" => Self::Sequence,
            _ => return None,
        })
    }
}

/// One source of examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceConfig {
    /// Its name; part of the address of its randomness.
    pub name: String,
    /// `scenes`, `image-folder`, `webdataset`, `json-lines` or `parquet`.
    pub kind: String,
    /// `caption`, `question`, `interleaved` or `text` for scenes, all but `question` for files,
    /// `caption` for a folder.
    pub task: String,
    /// Share in the mixture, > 0; weights are normalised.
    pub weight: f64,
    /// Folder or shards, for sources on disk.
    pub path: Option<String>,
    /// Examples per epoch, for generated sources.
    pub examples: u64,
    /// Text before each caption, with weight 0.
    pub prompt: String,
    /// Held-out part of a source on disk.
    pub evaluation_path: Option<String>,
    /// Class words for scoring; may be empty.
    pub classes: Vec<String>,
    /// Columns of the rows of files.
    pub columns: rows::Columns,
}

/// Bounds of a micro-batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchShape {
    /// Sequences S.
    pub sequences: usize,
    /// Positions per sequence L.
    pub length: usize,
    /// Most inputs of the encoder in the micro-batch: pictures, or tiles and overviews.
    pub max_images: usize,
    /// Side R of the encoder's input, pixels; 0 for a model without an encoder.
    pub resolution: usize,
    /// Positions that an image takes; 0 for a model without an encoder.
    pub image_tokens: usize,
    /// What is learnt of an example.
    pub objective: Objective,
    /// Patches of a picture, where they are what is learnt.
    pub patches: usize,
}

impl BatchShape {
    /// Positions of the text that an image takes.
    pub(crate) fn cells_per_image(&self) -> usize {
        match self.objective {
            Objective::Language => self.image_tokens,
            Objective::Contrastive | Objective::Reconstruction => 0,
        }
    }
}

/// One micro-batch. Flat position `s * L + p` is position p of sequence s.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// `[S*L]`: token id; −1 at image positions and padding.
    pub tokens: Vec<i32>,
    /// `[S*L]`: row of the `[image_count * image_tokens]` image-token matrix; −1 elsewhere.
    pub image_rows: Vec<i32>,
    /// `[S*L]`: position within its segment; 0 at padding.
    pub positions: Vec<i32>,
    /// `[S*L]`: first position of the sequence that this one may attend to; its own at padding.
    pub segment_begin: Vec<i32>,
    /// `[image_count, 3, R, R]`: normalised pictures.
    pub images: Vec<f32>,
    /// Pictures in the batch.
    pub image_count: usize,
    /// `[image_count, patches]`: one past the last patch that a patch sees, under reconstruction.
    pub visible_end: Vec<i32>,
    /// Flat positions whose next token is a counted target, ascending.
    pub loss_rows: Vec<i32>,
    /// The target at each loss row.
    pub loss_targets: Vec<i32>,
    /// The weight of each loss row.
    pub loss_weights: Vec<f32>,
    /// (source number, sample number) of each example, in order.
    pub examples: Vec<(u32, u64)>,
    /// Unusable samples that were passed over for these examples.
    pub faults: Vec<source::Fault>,
    /// Counts.
    pub stats: BatchStats,
}

impl Batch {
    /// Σ of the loss weights: add these over the micro-batches of a step, and divide the
    /// added losses by the sum.
    pub fn weight_sum(&self) -> f64 {
        self.loss_weights.iter().map(|&w| f64::from(w)).sum()
    }
}

/// Counts of a batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchStats {
    /// Examples.
    pub examples: u64,
    /// Text positions, begin and end tokens included.
    pub text_tokens: u64,
    /// Image positions, marks among tiles included.
    pub image_tokens: u64,
    /// Unused positions.
    pub padding: u64,
    /// Counts per source, in the order of the configuration.
    pub sources: Vec<SourceStats>,
    /// Unusable samples skipped since the start of the run, all sources together.
    pub bad_samples: u64,
}

/// Counts of one source in a batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceStats {
    /// Name of the source.
    pub name: String,
    /// Examples in this batch.
    pub examples: u64,
    /// Text positions in this batch.
    pub text_tokens: u64,
    /// Image positions in this batch.
    pub image_tokens: u64,
    /// Epochs consumed since the start of the run, in parts.
    pub epochs: f64,
    /// Unusable samples skipped since the start of the run.
    pub bad_samples: u64,
}

/// Why data cannot be had.
#[derive(Debug)]
pub enum DataError {
    /// The configuration contradicts itself.
    Config(String),
    /// A source cannot be opened or holds nothing.
    Source(String),
    /// Reading failed.
    Io(std::path::PathBuf, std::io::Error),
    /// More samples are unusable than the budget allows.
    Budget(String),
    /// A cursor does not belong to these sources.
    Cursor(String),
    /// The tokenizer failed.
    Tokenizer(crate::tokenizer::TokenizerError),
}

impl DataError {
    pub(crate) fn io(path: &Path, error: std::io::Error) -> Self {
        Self::Io(path.to_owned(), error)
    }
}

impl std::fmt::Display for DataError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(why) => write!(f, "data: {why}"),
            Self::Source(why) => write!(f, "data source: {why}"),
            Self::Io(path, e) => write!(f, "{}: {e}", path.display()),
            Self::Budget(why) => write!(f, "too many unusable samples: {why}"),
            Self::Cursor(why) => write!(f, "cannot resume the data: {why}"),
            Self::Tokenizer(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for DataError {}

impl From<crate::tokenizer::TokenizerError> for DataError {
    fn from(error: crate::tokenizer::TokenizerError) -> Self {
        Self::Tokenizer(error)
    }
}

/// Opens a source. `side` is the side of generated pictures.
fn open_source(
    config: &SourceConfig,
    seed: u64,
    side: usize,
) -> Result<Box<dyn Source>, DataError> {
    let name = &config.name;
    let fault = |why: String| DataError::Config(format!("source `{name}`: {why}"));
    let fits = match config.kind.as_str() {
        "webdataset" | "json-lines" | "parquet" => {
            !matches!(config.task.as_str(), "question" | "digits")
        }
        "image-folder" => config.task == "caption",
        _ => true,
    };
    if !fits {
        let (kind, task) = (&config.kind, &config.task);
        return Err(fault(format!("kind `{kind}` has no task `{task}`")));
    }
    let path = || {
        let path = config.path.as_deref();
        path.ok_or_else(|| fault("no `path`".to_owned()))
    };
    match config.kind.as_str() {
        "scenes" => {
            let task = scene::SceneTask::parse(&config.task)
                .ok_or_else(|| fault(format!("unknown task `{}`", config.task)))?;
            if config.examples == 0 || config.examples > 1 << 40 {
                return Err(fault("`examples` must be 1 to 2^40".to_owned()));
            }
            if task != scene::SceneTask::Text && side < 16 {
                return Err(fault(format!(
                    "scenes need a resolution of at least 16 pixels, not {side}"
                )));
            }
            let prompt = &config.prompt;
            Ok(Box::new(scene::Scenes::new(
                seed,
                name,
                task,
                prompt,
                side,
                config.examples,
            )))
        }
        "image-folder" => Ok(Box::new(folder::Folder::open(path()?, &config.prompt)?)),
        "webdataset" if config.task == "caption" => {
            Ok(Box::new(tar::Shards::open(path()?, &config.prompt)?))
        }
        "webdataset" => {
            let pictures = config.task == "interleaved";
            Ok(Box::new(documents::Documents::open(path()?, pictures)?))
        }
        kind @ ("json-lines" | "parquet") => {
            let task = match config.task.as_str() {
                "caption" => rows::Task::Caption,
                "interleaved" => rows::Task::Interleaved,
                _ => rows::Task::Text,
            };
            let open = match kind {
                "parquet" => rows::Rows::tables,
                _ => rows::Rows::lines,
            };
            Ok(Box::new(open(
                path()?,
                task,
                &config.columns,
                &config.prompt,
            )?))
        }
        other => Err(fault(format!("unknown kind `{other}`"))),
    }
}

/// Opens each source of a run and its held-out part, and reads a sample of it: what
/// `mm1c check --strict` does with data. Returns names and numbers of samples.
///
/// # Errors
/// A source that cannot be opened, or whose first sample is unusable.
pub fn probe(config: &DataConfig, side: usize) -> Result<Vec<(String, u64)>, DataError> {
    let mut found = Vec::new();
    for source in &config.sources {
        let held_out = source.evaluation_path.clone().map(|path| SourceConfig {
            name: format!("{}, held out", source.name),
            path: Some(path),
            ..source.clone()
        });
        for source in std::iter::once(source).chain(&held_out) {
            let opened = open_source(source, config.shuffle_seed, side)?;
            opened
                .read(0, true)
                .map_err(|fault| DataError::Source(fault.to_string()))?;
            found.push((source.name.clone(), opened.samples()));
        }
    }
    Ok(found)
}

/// The first texts (prompts included) of all sources in turn, `limit` in all, each as it
/// is encoded: what a `builtin` tokenizer is trained on. Samples without a readable text
/// are passed over.
pub fn first_texts(config: &DataConfig, limit: usize) -> Result<Vec<String>, DataError> {
    // Texts do not depend on the pictures' side; 16 is the least that scenes accept.
    let sources = config.sources.iter();
    let sources: Vec<_> = sources
        .map(|s| open_source(s, config.shuffle_seed, 16))
        .collect::<Result<_, _>>()?;
    let longest = sources.iter().map(|s| s.samples()).max().unwrap_or(0);
    let mut texts = Vec::new();
    for n in 0..longest {
        for source in sources.iter().filter(|s| n < s.samples()) {
            let parts = source.read(n, false).unwrap_or_default();
            texts.extend(layout::texts(&parts).into_iter().flatten().map(|t| t.0));
            if texts.len() >= limit {
                texts.truncate(limit);
                return Ok(texts);
            }
        }
    }
    Ok(texts)
}
