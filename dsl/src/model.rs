//! The resolved model: what a graph file means once `extends`, presets, `--set`
//! and defaults are applied and every key is checked.
//!
//! This is the only thing that the compiler and the training loop read; neither
//! ever sees TOML text. Every quantity that changes results is a field here, so
//! nothing has a silent default. Lengths are in tokens, sizes in pixels, widths
//! in features.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::span::Span;

/// A validated graph file.
#[derive(Clone, Debug)]
pub struct Model {
    /// `name`: letters, digits, `-`, `_`, `.`, `/`.
    pub name: String,
    /// Image side of the model; absent for a text-only language model.
    pub vision: Option<Vision>,
    /// `[objective]`.
    pub objective: Objective,
    /// `[decoder]`; zeros and empty texts, which nothing reads, where [`Objective::Reconstruction`]
    /// leaves it out.
    pub decoder: Decoder,
    /// `[data]`; absent where a file only describes a network (`mm1c compile`, `summary`).
    pub data: Option<Data>,
    /// `[train]`.
    pub train: Train,
    /// Every component that this model may call: the embedded ones and those of the project.
    pub components: crate::component::Library,
    /// Where each resolved key was assigned, for messages that arise after validation
    /// (dotted key to span). A key that came from a default has no entry.
    pub assigned: IndexMap<String, Span>,
    /// Canonical TOML text of the resolved file, keys sorted, defaults included; what
    /// `mm1c resolve` prints and a run directory keeps.
    pub resolved: String,
    /// Every key with its value and origin, in the order of the key table.
    pub keys: crate::resolved::Resolved,
    /// `[init]`: part (`encoder`, `connector`, `decoder`) to the weights that it starts from.
    pub init: IndexMap<String, String>,
    /// Findings that did not refuse the model.
    pub warnings: Vec<crate::diagnostic::Diagnostic>,
}

impl Model {
    /// The texts that every span of this model points into.
    pub fn sources(&self) -> &crate::source::Sources {
        &self.components.sources
    }

    /// The warnings as text; empty without any.
    pub fn render_warnings(&self, colour: bool) -> String {
        let diagnostics = crate::diagnostic::Diagnostics {
            list: self.warnings.clone(),
            sources: self.sources().clone(),
        };
        diagnostics.render(colour)
    }
}

/// `[objective]`: what is learnt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Objective {
    /// Text after text and pictures.
    Language,
    /// Which picture belongs to which text: cosines of all pairs of a batch under cross-entropy, both
    /// ways. The connector gives one token per picture, the decoder's last token is the text's.
    Contrastive {
        /// Width of the common space.
        width: u64,
        /// Temperature at step 0.
        temperature: f64,
        /// Bound on the factor on the cosines.
        largest_scale: f64,
    },
    /// The patches of a picture after those before them, past a first part that sees itself and whose
    /// length is drawn for each picture. The connector gives the predicted pixels of the next patch.
    Reconstruction {
        /// Whether each target patch is normalised.
        normalize: bool,
        /// Term under the root of its deviation.
        epsilon: f64,
    },
}

/// Encoder, preprocessing and connector.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vision {
    /// `[encoder]`.
    pub encoder: Encoder,
    /// `[image]`.
    pub image: ImagePreprocessing,
    /// `[connector]`.
    pub connector: Connector,
}

/// Everything about a component call that is not a tensor: the component's name and
/// its arguments, which are the keys of the table that chose it.
///
/// `encoder.component`, `connector.kind` and so on name a component; the expander
/// instantiates it with these arguments (`dsl::component::Library::instantiate`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComponentCall {
    /// File stem under `models/components/` or a project path ending in `.toml`.
    pub component: String,
    /// Argument values by parameter name (integers, floats, booleans, strings).
    pub arguments: IndexMap<String, crate::component::Argument>,
    /// Where each argument was assigned, for those that a file or `--set` gave.
    #[serde(skip)]
    pub assigned: IndexMap<String, Span>,
}

/// `[encoder]`: a vision transformer over square images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encoder {
    /// `arch`: only `vit` so far.
    pub arch: String,
    /// `resolution`: side of the square input, pixels.
    pub resolution: u64,
    /// `patch`: side of a patch, pixels; divides `resolution`.
    pub patch: u64,
    /// `width`, `depth`, `heads`, `mlp_width`.
    pub width: u64,
    /// Number of blocks.
    pub depth: u64,
    /// Attention heads; divides `width`.
    pub heads: u64,
    /// Hidden width of the MLP.
    pub mlp_width: u64,
    /// The whole encoder as a component call: component `vit` (or a project file) with
    /// arguments grid, patch, width, depth, heads, mlp_width, activation, norm_epsilon, class_token,
    /// pre_norm, final_norm, run_blocks … as `models/components/vit.toml` declares them.
    pub call: ComponentCall,
    /// `position_resize`: how a learned position table of another grid is read; absent without one.
    pub position_resize: Option<String>,
    /// `class_token`: whether a learned token precedes the patches.
    pub class_token: bool,
    /// Parameter-name patterns of `freeze` that apply to the encoder are in `Train::freeze`.
    pub weights: Option<String>,
}

impl Encoder {
    /// Patches along one side.
    pub fn grid(&self) -> u64 {
        self.resolution / self.patch
    }
}

/// `[image]`: how a picture becomes the encoder's input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImagePreprocessing {
    /// `fit`: `squash` (stretch), `crop` (resize the short side, centre crop) or `pad` (letterbox with the mean).
    pub fit: String,
    /// `filter`: `bicubic`, `bilinear` or `nearest`; antialiased when shrinking.
    pub filter: String,
    /// Per-channel mean of the [0, 1]-scaled RGB values.
    pub mean: [f64; 3],
    /// Per-channel standard deviation.
    pub std: [f64; 3],
    /// `tiles` and the keys that belong to it.
    pub tiles: Tiles,
}

/// Whether and how a picture is shown in tiles of the encoder's resolution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tiles {
    /// Once, whole.
    None,
    /// In a square grid.
    Grid {
        /// `tile_grid`: tiles in a row.
        side: u64,
        /// `overview`: `none`, `first` or `last`.
        overview: String,
        /// `tiled_pictures`: most pictures of an example that are cut, the last ones.
        last: u64,
        /// `tile_marks`: `none`, `separators` or `index`.
        marks: String,
    },
    /// In a grid chosen by its shape.
    Dynamic {
        /// `least_tiles`.
        least: u64,
        /// `most_tiles`.
        most: u64,
        /// As for a square grid.
        overview: String,
        /// As for a square grid.
        last: u64,
        /// As for a square grid.
        marks: String,
    },
}

impl Tiles {
    /// Inputs of the encoder that one picture has at most, and marks among them; a mark is one token
    /// or more, as the tokenizer has it.
    pub fn most(&self) -> (u64, u64) {
        let (tiles, overview, marks) = match self {
            Self::None => return (1, 0),
            Self::Grid {
                side,
                overview,
                marks,
                ..
            } => (side * side, overview, marks),
            Self::Dynamic {
                most,
                overview,
                marks,
                ..
            } => (*most, overview, marks),
        };
        let inputs = tiles + u64::from(overview != "none");
        match marks.as_str() {
            "separators" => (inputs, inputs - 1),
            "index" => (inputs, inputs),
            _ => (inputs, 0),
        }
    }
}

/// `[connector]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Connector {
    /// `image_tokens`: tokens per image handed to the decoder.
    pub image_tokens: u64,
    /// `position_resize`: as the encoder's, for a connector that has a table.
    pub position_resize: Option<String>,
    /// Component and arguments (`grid`, `in_width`, `out_width`, `image_tokens`, …).
    pub call: ComponentCall,
}

/// `[decoder]`: a decoder-only transformer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decoder {
    /// `width`: residual stream.
    pub width: u64,
    /// `depth`: blocks.
    pub depth: u64,
    /// `heads`: query heads.
    pub heads: u64,
    /// `kv_heads`: key/value heads; divides `heads`.
    pub kv_heads: u64,
    /// `head_width`: features per head.
    pub head_width: u64,
    /// `mlp_width`.
    pub mlp_width: u64,
    /// `vocabulary`: rows of the embedding table.
    pub vocabulary: u64,
    /// `max_sequence_length`: tokens per sequence, image tokens included.
    pub max_sequence_length: u64,
    /// `tied_head`: the output head is the embedding table.
    pub tied_head: bool,
    /// `embedding_scale`: factor on the embeddings of text tokens.
    pub embedding_scale: f64,
    /// `logit_softcap`: bound on the logits; 0 for none.
    pub logit_softcap: f64,
    /// `position`: `rotary` or `learned`.
    pub position: String,
    /// `rotary_base`: θ of the rotary angles.
    pub rotary_base: f64,
    /// The stack of blocks and the final norm as one component (`decoder.toml`), from embedded
    /// tokens to the head's input.
    pub call: ComponentCall,
    /// Named weights to start from, if any.
    pub weights: Option<String>,
    /// `[decoder.moe]`; absent for a dense decoder.
    pub moe: Option<Moe>,
}

/// `[decoder.moe]`: sparse layers and their losses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Moe {
    /// `experts` of a sparse layer.
    pub experts: u64,
    /// `every`: one block of so many is sparse.
    pub every: u64,
    /// `offset`: which of them.
    pub offset: u64,
    /// `top_k`: experts of a token.
    pub top_k: u64,
    /// `capacity_factor`; absent where nothing is dropped.
    pub capacity_factor: Option<f64>,
    /// `group`: `micro-batch` or `sequence`.
    pub group: String,
    /// `load_balance_weight`.
    pub load_balance_weight: f64,
    /// `load_balance_convention`: `first-choice` or `all-choices`.
    pub load_balance_convention: String,
    /// `load_balance_layers`: `mean`, `sum` or `together`.
    pub load_balance_layers: String,
    /// `router_z_weight`.
    pub router_z_weight: f64,
    /// `from_dense`: `init.decoder` names a dense decoder.
    pub from_dense: bool,
}

/// `[data]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Data {
    /// `tokenizer`: path of a `tokenizer.json`, or `builtin` (trained on the first captions of the
    /// sources with `vocabulary` entries and kept beside the run).
    pub tokenizer: String,
    /// `mixture_unit`: what the weights count.
    pub mixture_unit: MixtureUnit,
    /// `[data.sources.NAME]` in file order.
    pub sources: IndexMap<String, Source>,
    /// `max_images`: most images in one sequence.
    pub max_images: u64,
    /// `bad_sample_budget`: share of samples that may be unreadable before a run stops.
    pub bad_sample_budget: f64,
    /// `shuffle_seed`.
    pub shuffle_seed: u64,
}

/// What a mixture weight counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MixtureUnit {
    /// Each sequence comes wholly from one source.
    Sequence,
    /// Each example is drawn by weight.
    Example,
    /// Weights hold per token.
    Token,
}

/// One `[data.sources.NAME]` table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// `kind`: `scenes` (built-in generator), `image-folder`, `webdataset`, `json-lines`, `parquet`.
    pub kind: String,
    /// `task`: `caption`, `question`, `digits`, `interleaved` or `text` (for `scenes`); `caption` otherwise.
    pub task: String,
    /// `weight`: share in the mixture; weights are normalised.
    pub weight: f64,
    /// `path`: folder or shard pattern, for sources on disk (absolute, already resolved).
    pub path: Option<String>,
    /// `examples`: how many the generator makes per epoch, for generated sources.
    pub examples: u64,
    /// `prompt`: text put before the caption with weight 0 (`A photo of` style), may be empty.
    pub prompt: String,
    /// `evaluation`: `path` and so on of the held-out part, if the source has one on disk.
    pub evaluation_path: Option<String>,
    /// `classes`: class words for exact-one-word scoring of captions; empty otherwise.
    pub classes: Vec<String>,
    /// `image_column`: column of pictures in the rows of a file, where it has another name.
    pub image_column: Option<String>,
    /// `text_column`: column of texts, likewise.
    pub text_column: Option<String>,
    /// `prompt_column`: column of texts without loss, if there is one.
    pub prompt_column: Option<String>,
}

/// `[train]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Train {
    /// `seed`: initialisation and data order.
    pub seed: u64,
    /// `steps`: optimizer steps.
    pub steps: u64,
    /// `global_batch_sequences`: sequences per optimizer step.
    pub global_batch_sequences: u64,
    /// `micro_batch_sequences`: sequences per forward pass; divides the global batch.
    pub micro_batch_sequences: u64,
    /// `micro_batch_images`: bound on images per forward pass.
    pub micro_batch_images: u64,
    /// `precision`: `f32` or `bf16` (contractions in bf16, f32 master weights).
    pub precision: Precision,
    /// `residual`: dtype of the residual stream under bf16, `f32` or `bf16`.
    pub residual: Precision,
    /// `recompute`: what the backward pass makes again.
    pub recompute: Recompute,
    /// `arena_mib`: memory that the values of a micro-batch may take before products are made
    /// again; 0 makes all of them again.
    pub arena_mib: u64,
    /// `peak_lr`: a number, or `"mm1"` resolved to η = exp(−0.4214 ln N − 0.5535).
    pub peak_lr: f64,
    /// `warmup_steps`: linear from 0.
    pub warmup_steps: u64,
    /// `floor`: final rate as a share of the peak, reached by a cosine.
    pub lr_floor: f64,
    /// `optimizer` with the keys that belong to it.
    pub optimizer: Optimizer,
    /// `weight_decay` in the convention named next.
    pub weight_decay: f64,
    /// `times-lr` (torch AdamW: p −= lr·λ·p) or `independent` (p −= s(t)·λ·p with s the schedule in [0, 1]).
    pub weight_decay_convention: String,
    /// `no_decay`: parameter-name patterns excluded from decay, besides vectors (rank < 2).
    pub no_decay: Vec<String>,
    /// `clip_norm`: global gradient-norm clip; 0 turns it off.
    pub clip_norm: f64,
    /// `loss_normalization`: `token`, `example` or `sequence`.
    pub loss_normalization: String,
    /// `z_loss`: weight of (log Σ exp logits)², per token.
    pub z_loss: f64,
    /// `freeze`: parameter-name patterns (`encoder.*`).
    pub freeze: Vec<String>,
    /// `[train.lr_scale]`: pattern to factor.
    pub lr_scale: IndexMap<String, f64>,
    /// `initialization`: standard deviation of the truncated normal for weights not told otherwise.
    pub init_std: f64,
    /// `log_every`, `evaluate_every`, `checkpoint_every` steps; 0 turns one off.
    pub log_every: u64,
    /// Steps between evaluations.
    pub evaluate_every: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Checkpoints kept.
    pub keep_checkpoints: u64,
    /// `evaluation_examples`: held-out examples per evaluation.
    pub evaluation_examples: u64,
    /// `generate_tokens`: greedy tokens per answer.
    pub generate_tokens: u64,
    /// `nonfinite_limit`: skipped steps in a row before a run stops.
    pub nonfinite_limit: u64,
}

/// How parameters follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Both moments of every element.
    AdamW {
        /// `beta1`.
        beta1: f64,
        /// `beta2`.
        beta2: f64,
        /// `epsilon`, added outside the square root.
        epsilon: f64,
    },
    /// Second moments of rows and columns.
    Adafactor(Adafactor),
}

/// The keys of Adafactor (docs/optimizers.md has the formulas).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adafactor {
    /// `scale_parameter`: an update is multiplied by its parameter's root mean square.
    pub scale_parameter: bool,
    /// `momentum`: decay of the mean of updates; 0 for none.
    pub momentum: f64,
    /// `decay_exponent`: update t blends the share t^−x of the new second moment in.
    pub decay_exponent: f64,
    /// `update_clip`: bound on an update's root mean square.
    pub update_clip: f64,
    /// `factor_minimum`: both of the last two sizes are at least this where moments are factored.
    pub factor_minimum: u64,
    /// `epsilon_square`: beside the squared gradient.
    pub epsilon_square: f64,
    /// `epsilon_scale`: least root mean square of a parameter.
    pub epsilon_scale: f64,
}

/// What the backward pass makes again instead of keeping it from the forward pass. Results
/// are the same bytes under each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recompute {
    /// Nothing.
    None,
    /// Pointwise functions, norms and rotations of what is kept anyway.
    Cheap,
    /// Also products with a weight whose result is at least twice as wide as their operand.
    Products,
}

/// Arithmetic of contractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit IEEE.
    F32,
    /// bfloat16 operands, f32 accumulation.
    Bf16,
}
