//! The key table: every key of a graph file with its type, unit, range, default and meaning.
//!
//! Validation, defaults, `mm1c resolve`, the schema and the reference page all come from here.
//! A `*` in a path stands for a name that the file chooses.

use crate::component::Argument;
use crate::resolved::Resolved;

/// What a key holds.
#[derive(Clone, Copy, Debug)]
pub enum KeyKind {
    /// An integer in `min..=max`.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A float in `min..=max`; an integer is converted.
    Float {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// A float in `min..=max` or one name.
    FloatOr {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
        /// The name.
        name: &'static str,
    },
    /// `true` or `false`.
    Bool,
    /// Any string.
    Text,
    /// A string of letters, digits, `-`, `_`, `.` and `/`.
    Name,
    /// A path of data: relative to the file that writes it, or to the working directory in `--set`.
    Path {
        /// Words that are no path.
        words: &'static [&'static str],
    },
    /// One of these names.
    Choice(&'static [&'static str]),
    /// One of these names, or the path of a component file ending in `.toml`.
    ChoiceOrFile(&'static [&'static str]),
    /// A preset of `models/presets/SECTION.toml`.
    Preset(&'static str),
    /// An array of strings.
    Texts,
    /// Three floats, each in `min..=max`.
    Triple {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
}

/// What holds where nobody gives the key.
#[derive(Clone, Copy, Debug)]
pub enum KeyDefault {
    /// An error; the value, in TOML notation, is an example of what could be written.
    Required(&'static str),
    /// Nothing: the key is optional.
    Absent,
    /// This integer.
    Int(i64),
    /// This float.
    Float(f64),
    /// This boolean.
    Bool(bool),
    /// This string.
    Text(&'static str),
    /// An empty array of strings.
    NoTexts,
    /// These three floats.
    Triple([f64; 3]),
    /// A function of keys above this one, described in words.
    Computed(&'static str, fn(&Resolved) -> Option<Argument>),
}

/// The key exists only where another key of the same table has one of these values.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// Last segment of the other key.
    pub tag: &'static str,
    /// Its values.
    pub values: &'static [&'static str],
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted path.
    pub path: &'static str,
    /// Type and range.
    pub kind: KeyKind,
    /// Unit, empty where there is none.
    pub unit: &'static str,
    /// Default.
    pub default: KeyDefault,
    /// Restriction to a kind.
    pub when: Option<When>,
    /// Meaning, one line.
    pub doc: &'static str,
}

impl Key {
    /// Whether the row describes the key at `path`.
    pub fn matches(&self, path: &[&str]) -> bool {
        let mut segments = self.path.split('.');
        path.iter().all(|part| {
            segments
                .next()
                .is_some_and(|segment| segment == "*" || segment == *part)
        }) && segments.next().is_none()
    }

    /// The segment after `prefix`, if the row lies below it.
    pub fn below(&self, prefix: &[&str]) -> Option<&'static str> {
        let mut segments = self.path.split('.');
        let inside = prefix.iter().all(|part| {
            segments
                .next()
                .is_some_and(|segment| segment == "*" || segment == *part)
        });
        if inside { segments.next() } else { None }
    }

    /// The last segment.
    pub fn leaf(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The type in words.
    pub fn type_text(&self) -> String {
        match self.kind {
            KeyKind::Int { min, max } => format!("an integer from {min} to {max}"),
            KeyKind::Float { min, max } => {
                format!("a number from {} to {}", Bound(min), Bound(max))
            }
            KeyKind::FloatOr { min, max, name } => {
                format!(
                    "a number from {} to {} or `\"{name}\"`",
                    Bound(min),
                    Bound(max)
                )
            }
            KeyKind::Bool => "`true` or `false`".to_string(),
            KeyKind::Text => "a string".to_string(),
            KeyKind::Name => "a name".to_string(),
            KeyKind::Path { .. } => "a path".to_string(),
            KeyKind::Choice(names) => format!(
                "one of {}",
                crate::nearest::quoted_list(names.iter().copied())
            ),
            KeyKind::ChoiceOrFile(names) => format!(
                "one of {}, or the path of a component file",
                crate::nearest::quoted_list(names.iter().copied())
            ),
            KeyKind::Preset(_) => "the name of a preset".to_string(),
            KeyKind::Texts => "an array of strings".to_string(),
            KeyKind::Triple { min, max } => {
                format!(
                    "an array of three numbers from {} to {}",
                    Bound(min),
                    Bound(max)
                )
            }
        }
    }
}

/// Prints a bound shortly.
struct Bound(f64);

impl std::fmt::Display for Bound {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 != 0.0 && !(1e-3..1e6).contains(&self.0.abs()) {
            write!(formatter, "{:e}", self.0)
        } else {
            write!(formatter, "{}", self.0)
        }
    }
}

/// The row of the key at `path`.
pub fn find(path: &[&str]) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.matches(path))
}

const fn row(path: &'static str, kind: KeyKind, default: KeyDefault, doc: &'static str) -> Key {
    Key {
        path,
        kind,
        unit: "",
        default,
        when: None,
        doc,
    }
}

impl Key {
    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    const fn when(mut self, tag: &'static str, values: &'static [&'static str]) -> Self {
        self.when = Some(When { tag, values });
        self
    }
}

use KeyDefault as D;
use KeyKind as K;

const ACTIVATIONS: &[&str] = &["gelu", "gelu-tanh", "quick-gelu", "silu", "relu"];
const NORMS: &[&str] = &["layer-norm", "rms-norm"];
const DECODER_NORMS: &[&str] = &["layer-norm", "rms-norm", "zero-centered-rms-norm"];
const RESIZES: &[&str] = &["bicubic", "bicubic-antialias"];
const CAP: KeyKind = K::Float { min: 0.0, max: 1e6 };
const WIDTH: KeyKind = K::Int {
    min: 1,
    max: 1 << 17,
};
const COUNT: KeyKind = K::Int { min: 1, max: 4096 };
const STEPS: KeyKind = K::Int {
    min: 0,
    max: 1_000_000_000,
};
const EPSILON: KeyKind = K::Float {
    min: 1e-12,
    max: 0.1,
};
const SHARE: KeyKind = K::Float { min: 0.0, max: 1.0 };
const ADAFACTOR: &[&str] = &["adafactor"];
const SOURCES_ON_DISK: &[&str] = &["image-folder", "webdataset", "json-lines", "parquet"];
const ROWS: &[&str] = &["json-lines", "parquet"];

/// Every key, section by section; a computed default reads keys above its row only.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    row("name", K::Name, D::Required(r#""my-model""#), "Name of the model; names the run directory."),

    row("objective.kind", K::Choice(&["language", "contrastive", "reconstruction"]), D::Text("language"), "What is learnt: text after text and pictures (as without the table); which picture belongs to which text, the `[decoder]` being the text tower; or the patches of a picture after those before them."),
    row("objective.width", WIDTH, D::Required("512"), "Width of the space in which pictures and texts are compared.").unit("features").when("kind", &["contrastive"]),
    row("objective.temperature", K::Float { min: 1e-3, max: 10.0 }, D::Float(0.07), "Temperature at the start; the logarithm of its reciprocal is learnt.").when("kind", &["contrastive"]),
    row("objective.largest_scale", K::Float { min: 1.0, max: 1e6 }, D::Float(100.0), "Bound on the factor on the cosines, the reciprocal of the temperature; the least is 1. It holds after each step.").when("kind", &["contrastive"]),
    row("objective.normalize_targets", K::Bool, D::Bool(true), "Whether each patch to predict is taken less its mean and over its (unbiased) deviation.").when("kind", &["reconstruction"]),
    row("objective.target_epsilon", EPSILON, D::Float(1e-6), "Term under the root of that deviation.").when("kind", &["reconstruction"]),

    row("encoder.arch", K::ChoiceOrFile(&["vit"]), D::Text("vit"), "Architecture of the image encoder."),
    row("encoder.variant", K::Preset("encoder"), D::Absent, "Preset that fills sizes and architecture of the encoder."),
    row("encoder.resolution", K::Int { min: 1, max: 8192 }, D::Required("224"), "Side of the square input.").unit("pixels"),
    row("encoder.patch", K::Int { min: 1, max: 1024 }, D::Required("16"), "Side of a patch; divides the resolution.").unit("pixels"),
    row("encoder.width", WIDTH, D::Required("768"), "Width of the residual stream.").unit("features"),
    row("encoder.depth", COUNT, D::Required("12"), "Number of blocks."),
    row("encoder.run_blocks", COUNT, D::Computed("depth", |keys| int(keys.int("encoder.depth")?)), "Blocks that run, the first ones; the others are no part of the model."),
    row("encoder.heads", COUNT, D::Required("12"), "Attention heads; they divide the width."),
    row("encoder.mlp_width", WIDTH, D::Computed("4 x width", |keys| int(4 * keys.int("encoder.width")?)), "Hidden width of the MLP.").unit("features"),
    row("encoder.activation", K::Choice(ACTIVATIONS), D::Required(r#""gelu""#), "Activation of the MLP; it belongs to the pre-trained weights, not to the architecture."),
    row("encoder.norm", K::Choice(NORMS), D::Text("layer-norm"), "Kind of norm."),
    row("encoder.norm_epsilon", EPSILON, D::Float(1e-5), "Term under the root of every norm of the encoder."),
    row("encoder.bias", K::Bool, D::Bool(true), "Whether linear layers of the blocks have biases."),
    row("encoder.layer_scale", K::Bool, D::Bool(false), "Whether what a block adds is scaled by a learned factor per feature."),
    row("encoder.patch_bias", K::Bool, D::Bool(false), "Whether the patch embedding has a bias."),
    row("encoder.patch_norm", K::Bool, D::Bool(false), "Whether a norm follows the patch embedding."),
    row("encoder.position", K::Choice(&["learned", "sin-cos"]), D::Text("learned"), "Position table: learned, or sines and cosines of column and row."),
    row("encoder.position_resize", K::Choice(RESIZES), D::Text("bicubic"), "How a position table of another grid is interpolated when weights are loaded, corners not aligned; with `antialias` the kernel is stretched where the grid shrinks.").when("position", &["learned"]),
    row("encoder.attention", K::Choice(&["bidirectional", "causal", "prefix", "drawn-prefix"]), D::Text("bidirectional"), "What a token sees: all, those up to itself, these and the first `attention_prefix`, or these and a first part whose length is drawn for each picture (objective `reconstruction`)."),
    row("encoder.attention_prefix", COUNT, D::Required("1"), "First tokens of a picture that every token sees.").unit("tokens").when("attention", &["prefix"]),
    row("encoder.class_token", K::Bool, D::Bool(true), "Whether a learned token precedes the patches."),
    row("encoder.registers", K::Int { min: 0, max: 1024 }, D::Int(0), "Learned tokens without a position between class token and patches; they are no features.").unit("tokens"),
    row("encoder.pre_norm", K::Bool, D::Bool(true), "Whether a norm precedes the first block."),
    row("encoder.weights", K::Name, D::Absent, "Name of pre-trained weights."),
    row("encoder.features.block", K::Int { min: -4096, max: 4095 }, D::Int(-1), "Block whose output is used; -1 is the last of those that run. Later blocks do not run."),
    row("encoder.features.class_token", K::Choice(&["drop", "keep"]), D::Text("drop"), "Whether the class token is the first of the features; only the attention pool takes it."),
    row("encoder.features.final_norm", K::Bool, D::Required("false"), "Whether the encoder's final norm applies to the features."),

    row("image.fit", K::Choice(&["squash", "crop", "pad"]), D::Text("squash"), "How a picture becomes square: stretched, cut in the centre after resizing the short side, or padded with the mean."),
    row("image.filter", K::Choice(&["bicubic", "bilinear", "nearest"]), D::Text("bicubic"), "Interpolation; antialiased when shrinking."),
    row("image.mean", K::Triple { min: 0.0, max: 1.0 }, D::Triple([0.481_454_66, 0.457_827_5, 0.408_210_73]), "Mean of red, green and blue on a scale of 0 to 1."),
    row("image.std", K::Triple { min: 1e-6, max: 10.0 }, D::Triple([0.268_629_54, 0.261_302_58, 0.275_777_11]), "Standard deviation of red, green and blue."),
    row("image.tiles", K::Choice(&["none", "grid", "dynamic"]), D::Text("none"), "Whether a picture is shown in tiles of the encoder's resolution: not, in a square grid that it is fitted to, or in a grid chosen by its shape, padded."),
    row("image.tile_grid", K::Int { min: 2, max: 32 }, D::Required("2"), "Tiles in a row of the square grid.").unit("tiles").when("tiles", &["grid"]),
    row("image.least_tiles", K::Int { min: 1, max: 1024 }, D::Required("1"), "Fewest tiles of a grid that may be chosen.").unit("tiles").when("tiles", &["dynamic"]),
    row("image.most_tiles", K::Int { min: 1, max: 1024 }, D::Required("4"), "Most tiles of a grid that may be chosen.").unit("tiles").when("tiles", &["dynamic"]),
    row("image.overview", K::Choice(&["none", "first", "last"]), D::Required(r#""first""#), "Where the whole picture, at the encoder's resolution, comes among its tiles, which go row by row.").when("tiles", &["grid", "dynamic"]),
    row("image.tile_marks", K::Choice(&["none", "separators", "index"]), D::Text("none"), "Text among the tiles that says where they are, without loss: none; `,` between the tiles of a row, a line's end between rows and `:` between tiles and overview; or `(k,i,j)` before each, picture k of the example from 0, row i and column j from 1, the overview `(k,0,0)`.").when("tiles", &["grid", "dynamic"]),
    row("image.tiled_pictures", K::Int { min: 1, max: 1024 }, D::Int(1024), "Most pictures of an example that are cut, the last ones; those before them are shown once.").unit("pictures").when("tiles", &["grid", "dynamic"]),

    row("decoder.arch", K::ChoiceOrFile(&["decoder"]), D::Text("decoder"), "Architecture of the decoder."),
    row("decoder.variant", K::Preset("decoder"), D::Absent, "Preset that fills sizes and architecture of the decoder."),
    row("decoder.width", WIDTH, D::Required("768"), "Width of the residual stream.").unit("features"),
    row("decoder.depth", COUNT, D::Required("12"), "Number of blocks."),
    row("decoder.heads", COUNT, D::Required("12"), "Query heads."),
    row("decoder.kv_heads", COUNT, D::Computed("heads", |keys| int(keys.int("decoder.heads")?)), "Key/value heads; they divide the query heads."),
    row("decoder.head_width", K::Int { min: 1, max: 4096 }, D::Computed("width / heads", |keys| {
        let (width, heads) = (keys.int("decoder.width")?, keys.int("decoder.heads")?);
        if width % heads == 0 { int(width / heads) } else { None }
    }), "Width of a head.").unit("features"),
    row("decoder.mlp", K::Choice(&["swiglu", "gelu-mlp"]), D::Text("swiglu"), "Kind of MLP: gated, or two layers."),
    row("decoder.mlp_width", WIDTH, D::Required("2048"), "Hidden width of the MLP (of each half of a gated one).").unit("features"),
    row("decoder.activation", K::Choice(ACTIVATIONS), D::Computed("silu in a gated MLP, gelu otherwise", |keys| {
        Some(Argument::Text(if keys.text("decoder.mlp")? == "swiglu" { "silu" } else { "gelu" }.to_string()))
    }), "Activation of the MLP."),
    row("decoder.bias", K::Bool, D::Bool(false), "Whether linear layers of the blocks have biases."),
    row("decoder.qkv_bias", K::Bool, D::Computed("bias", |keys| keys.get("decoder.bias").cloned()), "Whether the layer that makes queries, keys and values has a bias."),
    row("decoder.norm", K::Choice(DECODER_NORMS), D::Text("rms-norm"), "Kind of norm; `zero-centered-rms-norm` stores its weights less 1."),
    row("decoder.post_norm", K::Bool, D::Bool(false), "Whether a norm follows attention and MLP, before they are added."),
    row("decoder.qk_norm", K::Bool, D::Bool(false), "Whether an RMS norm over each head precedes the rotation of queries and keys."),
    row("decoder.norm_epsilon", EPSILON, D::Float(1e-5), "Term under the root of every norm of the decoder."),
    row("decoder.attention_scale", K::Float { min: 1e-6, max: 1e3 }, D::Computed("1 / sqrt(head_width)", |keys| {
        #[allow(clippy::cast_precision_loss, reason = "a head has at most 4096 features")]
        let width = keys.int("decoder.head_width")? as f64;
        Some(Argument::Float(1.0 / width.sqrt()))
    }), "Factor on the products of queries and keys."),
    row("decoder.attention_softcap", CAP, D::Float(0.0), "Bound c on attention scores, by c tanh(s / c); 0 for none."),
    row("decoder.position", K::Choice(&["rotary", "learned"]), D::Text("rotary"), "How positions enter."),
    row("decoder.rotary_base", K::Float { min: 1.0, max: 1e12 }, D::Float(10_000.0), "Base of the rotary angles.").when("position", &["rotary"]),
    row("decoder.vocabulary", K::Int { min: 2, max: 4_000_000 }, D::Required("8192"), "Rows of the embedding table.").unit("tokens"),
    row("decoder.max_sequence_length", K::Int { min: 2, max: 1 << 20 }, D::Required("512"), "Longest sequence, image tokens included.").unit("tokens"),
    row("decoder.embedding_scale", K::FloatOr { min: 1e-6, max: 1e6, name: "sqrt-width" }, D::Float(1.0), "Factor on the embeddings of text tokens; image tokens come as they are."),
    row("decoder.logit_softcap", CAP, D::Float(0.0), "Bound c on the logits, by c tanh(x / c); 0 for none."),
    row("decoder.tied_head", K::Bool, D::Bool(false), "Whether the output head is the embedding table."),
    row("decoder.moe.experts", COUNT, D::Required("8"), "Experts of a sparse layer, each an MLP of the decoder's kind and width."),
    row("decoder.moe.every", COUNT, D::Int(1), "One block of so many is sparse; it divides the depth."),
    row("decoder.moe.offset", K::Int { min: 0, max: 4095 }, D::Computed("every - 1", |keys| int(keys.int("decoder.moe.every")? - 1)), "Which of them, counted from 0."),
    row("decoder.moe.top_k", K::Int { min: 1, max: 64 }, D::Int(2), "Experts of a token."),
    row("decoder.moe.capacity_factor", K::FloatOr { min: 0.01, max: 1e6, name: "dropless" }, D::Float(2.0), "Of a group of S positions an expert takes floor(S x factor / experts), at least 1, all first choices before all second ones; `dropless` takes all. Generation never drops."),
    row("decoder.moe.group", K::Choice(&["micro-batch", "sequence"]), D::Text("micro-batch"), "Tokens over which capacity and shares of the load-balance loss are counted; padding is no token, image tokens are."),
    row("decoder.moe.load_balance_weight", K::Float { min: 0.0, max: 1e3 }, D::Float(0.01), "Weight of the load-balance loss."),
    row("decoder.moe.load_balance_convention", K::Choice(&["first-choice", "all-choices"]), D::Text("first-choice"), "E x sum over experts of share x mean probability: the share of tokens whose first choice it is (1 at balance), or of all choices (top_k at balance, as Mixtral counts)."),
    row("decoder.moe.load_balance_layers", K::Choice(&["mean", "sum", "together"]), D::Text("mean"), "Mean or sum over sparse layers, or shares and probabilities over the tokens of all layers together, as Mixtral does."),
    row("decoder.moe.router_z_weight", K::Float { min: 0.0, max: 1e3 }, D::Float(0.001), "Weight of the mean squared log-sum-exp of the router's logits; summed over layers where the load-balance loss is."),
    row("decoder.moe.from_dense", K::Bool, D::Bool(false), "Whether `init.decoder` names a dense decoder of the same sizes: each expert starts as a copy of its MLP, routers as without `init`."),
    row("decoder.weights", K::Name, D::Absent, "Name of pre-trained weights."),

    row("connector.kind", K::ChoiceOrFile(&["avg-pool", "attention-pool", "c-abstractor", "mlp", "class-projection", "patch-head"]), D::Required(r#""avg-pool""#), "What turns image features into tokens; `class-projection` and `patch-head` end the encoder under the objectives `contrastive` and `reconstruction`."),
    row("connector.image_tokens", K::Int { min: 1, max: 65_536 }, D::Required("64"), "Tokens per image.").unit("tokens"),
    row("connector.heads", COUNT, D::Computed("one per 64 features of the encoder", |keys| int((keys.int("encoder.width")? / 64).max(1))), "Heads of the attention pool; they divide the encoder's width.").when("kind", &["attention-pool"]),
    row("connector.hidden", WIDTH, D::Computed("1024 for c-abstractor, 2048 for patch-head, the decoder's width for mlp", |keys| {
        match keys.text("connector.kind")? { "mlp" => int(keys.int("decoder.width")?), "patch-head" => int(2048), _ => int(1024) }
    }), "Hidden width.").unit("features").when("kind", &["c-abstractor", "mlp", "patch-head"]),
    row("connector.depth", K::Int { min: 1, max: 64 }, D::Computed("3 for c-abstractor, 12 for patch-head", |keys| int(if keys.text("connector.kind")? == "patch-head" { 12 } else { 3 })), "Bottlenecks before and after the pooling; blocks of the patch head.").when("kind", &["c-abstractor", "patch-head"]),
    row("connector.position_resize", K::Choice(RESIZES), D::Text("bicubic"), "How the connector's position table of another grid is interpolated when weights are loaded.").when("kind", &["c-abstractor"]),
    row("connector.norm_epsilon", EPSILON, D::Float(1e-5), "Term under the root of every norm of the connector.").when("kind", &["attention-pool", "c-abstractor", "patch-head"]),
    row("connector.activation", K::Choice(ACTIVATIONS), D::Text("gelu"), "Activation between the layers.").when("kind", &["mlp", "patch-head"]),

    row("data.tokenizer", K::Path { words: &["builtin"] }, D::Text("builtin"), "A `tokenizer.json`, or `builtin`: trained on the sources and kept beside the run."),
    row("data.mixture_unit", K::Choice(&["sequence", "example", "token"]), D::Text("sequence"), "What the weights of the sources count."),
    row("data.max_images", K::Int { min: 0, max: 1024 }, D::Computed("1, or 0 without an encoder", |keys| int(i64::from(keys.has_vision()))), "Most pictures in one sequence, each once or in tiles.").unit("images"),
    row("data.bad_sample_budget", SHARE, D::Float(0.01), "Share of samples that may be unreadable before a run stops."),
    row("data.shuffle_seed", K::Int { min: 0, max: i64::MAX }, D::Int(0), "Seed of the order of examples."),
    row("data.sources.*.kind", K::Choice(&["scenes", "image-folder", "webdataset", "json-lines", "parquet"]), D::Required(r#""scenes""#), "Where the examples come from: the built-in generator, a folder, webdataset shards, or the rows of JSON lines or parquet files."),
    row("data.sources.*.task", K::Choice(&["caption", "question", "digits", "interleaved", "text"]), D::Text("caption"), "What an example is: a picture with its caption, a picture with a question and an answer or one of four small digits to read (both `scenes` only), a document of pictures and texts, or a text; a folder holds captions only."),
    row("data.sources.*.weight", K::Float { min: 0.0, max: 1e9 }, D::Float(1.0), "Share in the mixture; weights are normalised."),
    row("data.sources.*.path", K::Path { words: &[] }, D::Absent, "Folder, file, or pattern of files; usually given by `--set`.").when("kind", SOURCES_ON_DISK),
    row("data.sources.*.evaluation_path", K::Path { words: &[] }, D::Absent, "Folder, file, or pattern of files of the held-out part.").when("kind", SOURCES_ON_DISK),
    row("data.sources.*.examples", K::Int { min: 1, max: 1_000_000_000 }, D::Int(10_000), "Examples per epoch.").when("kind", &["scenes"]),
    row("data.sources.*.prompt", K::Text, D::Text(""), "Text before the caption, without loss."),
    row("data.sources.*.image_column", K::Text, D::Absent, "Column of pictures, a value or a list: bytes (parquet) or paths below the file's folder; without the key `image`, or `images` of documents.").when("kind", ROWS),
    row("data.sources.*.text_column", K::Text, D::Absent, "Column of texts to learn, a value or a list; without the key `text`, or `texts` of documents.").when("kind", ROWS),
    row("data.sources.*.prompt_column", K::Text, D::Absent, "Column of texts that are shown without loss, a value or a list; a caption's takes the place of `prompt`.").when("kind", ROWS),
    row("data.sources.*.classes", K::Texts, D::NoTexts, "Class words for scoring captions by the one that they contain."),

    row("train.seed", K::Int { min: 0, max: i64::MAX }, D::Int(0), "Seed of the initial weights."),
    row("train.steps", K::Int { min: 1, max: 1_000_000_000 }, D::Int(1000), "Optimizer steps."),
    row("train.global_batch_sequences", K::Int { min: 1, max: 1 << 20 }, D::Int(8), "Sequences per optimizer step.").unit("sequences"),
    row("train.micro_batch_sequences", K::Int { min: 1, max: 1 << 20 }, D::Computed("global_batch_sequences", |keys| int(keys.int("train.global_batch_sequences")?)), "Sequences per forward pass; divides the global batch.").unit("sequences"),
    row("train.micro_batch_images", K::Int { min: 0, max: 1 << 24 }, D::Computed("micro_batch_sequences x data.max_images, each with its tiles", |keys| {
        let pictures = keys.int("data.max_images").unwrap_or_else(|| i64::from(keys.has_vision()));
        int(keys.int("train.micro_batch_sequences")?.saturating_mul(crate::tiles::inputs(keys, pictures)))
    }), "Bound on the encoder's inputs per forward pass, tiles and overviews among them.").unit("images"),
    row("train.precision", K::Choice(&["f32", "bf16"]), D::Text("f32"), "Operands of contractions; sums and master weights are f32."),
    row("train.residual", K::Choice(&["f32", "bf16"]), D::Text("f32"), "Type of the residual stream under bf16."),
    row("train.recompute", K::Choice(&["none", "cheap", "products"]), D::Text("cheap"), "What the backward pass makes again to save memory: nothing; pointwise functions, norms and rotations of what is kept anyway; also products that widen their operand twofold or more. Results do not change."),
    row("train.arena_mib", K::Int { min: 0, max: 1 << 24 }, D::Int(0), "Memory for the values of one micro-batch, with `recompute = \"products\"`: only so many products are made again, the first ones, as it takes to fit; 0 makes all of them again.").unit("MiB"),
    row("train.optimizer", K::Choice(&["adamw", "adafactor"]), D::Text("adamw"), "Optimizer; `adafactor` keeps, of a matrix, the mean squares of rows and columns in the place of every element's."),
    row("train.lr", K::FloatOr { min: 0.0, max: 10.0, name: "mm1" }, D::Float(3e-4), "Peak learning rate; `mm1` is exp(-0.4214 ln N - 0.5535) with N non-embedding decoder parameters."),
    row("train.schedule", K::Choice(&["cosine"]), D::Text("cosine"), "Shape of the learning rate after the warm-up."),
    row("train.warmup_steps", STEPS, D::Computed("a tenth of the steps, at most 2000", |keys| int((keys.int("train.steps")? / 10).min(2000))), "Steps of linear increase from 0."),
    row("train.lr_floor", SHARE, D::Float(0.1), "Final learning rate as a share of the peak."),
    row("train.beta1", K::Float { min: 0.0, max: 0.999_999 }, D::Float(0.9), "Decay of the first moment.").when("optimizer", &["adamw"]),
    row("train.beta2", K::Float { min: 0.0, max: 0.999_999 }, D::Float(0.95), "Decay of the second moment.").when("optimizer", &["adamw"]),
    row("train.epsilon", K::Float { min: 0.0, max: 1.0 }, D::Float(1e-8), "Term beside the root of the second moment.").when("optimizer", &["adamw"]),
    row("train.scale_parameter", K::Bool, D::Required("true"), "Whether an update is multiplied by the root mean square of its parameter, which changes its size by one to two orders of magnitude.").when("optimizer", ADAFACTOR),
    row("train.momentum", K::Float { min: 0.0, max: 0.999_999 }, D::Float(0.0), "Decay of the mean of updates; 0 keeps none, which saves as much memory as the parameters take.").when("optimizer", ADAFACTOR),
    row("train.decay_exponent", K::Float { min: 0.0, max: 1.0 }, D::Float(0.8), "The second moment of update t has the decay 1 - t^-decay_exponent.").when("optimizer", ADAFACTOR),
    row("train.update_clip", K::Float { min: 1e-6, max: 1e9 }, D::Float(1.0), "Bound on the root mean square of a parameter's update, before the learning rate.").when("optimizer", ADAFACTOR),
    row("train.factor_minimum", K::Int { min: 1, max: 1 << 40 }, D::Int(128), "A parameter whose last two sizes are both at least this has factored second moments; of stacked matrices, each its own.").when("optimizer", ADAFACTOR),
    row("train.epsilon_square", K::Float { min: 1e-36, max: 1.0 }, D::Float(1e-30), "Term beside the square of the gradient.").when("optimizer", ADAFACTOR),
    row("train.epsilon_scale", K::Float { min: 1e-12, max: 1.0 }, D::Float(1e-3), "Least root mean square that `scale_parameter` multiplies by.").when("optimizer", ADAFACTOR),
    row("train.weight_decay", K::Float { min: 0.0, max: 10.0 }, D::Float(0.1), "Weight decay in the convention named next."),
    row("train.weight_decay_convention", K::Choice(&["times-lr", "independent"]), D::Text("times-lr"), "Whether decay is multiplied by the learning rate (PyTorch) or by the schedule alone."),
    row("train.no_decay", K::Texts, D::NoTexts, "Patterns of parameters without decay, besides vectors."),
    row("train.clip_norm", K::Float { min: 0.0, max: 1e9 }, D::Float(1.0), "Bound on the global gradient norm; 0 for none."),
    row("train.loss_normalization", K::Choice(&["token", "example", "sequence"]), D::Text("token"), "What the loss is a mean over."),
    row("train.z_loss", K::Float { min: 0.0, max: 1.0 }, D::Float(0.0), "Weight of the squared log-sum-exp of the logits."),
    row("train.freeze", K::Texts, D::NoTexts, "Patterns of parameters that do not change."),
    row("train.init_std", K::Float { min: 0.0, max: 10.0 }, D::Float(0.02), "Standard deviation of initial weights (truncated normal)."),
    row("train.log_every", STEPS, D::Int(10), "Steps between log lines; 0 for none."),
    row("train.evaluate_every", STEPS, D::Int(0), "Steps between evaluations; 0 for one at the end."),
    row("train.checkpoint_every", STEPS, D::Int(500), "Steps between checkpoints; 0 for one at the end."),
    row("train.keep_checkpoints", K::Int { min: 1, max: 1_000_000 }, D::Int(3), "Checkpoints kept."),
    row("train.evaluation_examples", K::Int { min: 0, max: 10_000_000 }, D::Int(100), "Held-out examples per evaluation."),
    row("train.generate_tokens", K::Int { min: 1, max: 1 << 20 }, D::Int(32), "Longest answer.").unit("tokens"),
    row("train.nonfinite_limit", K::Int { min: 0, max: 1_000_000 }, D::Int(10), "Skipped steps in a row before a run stops."),
    row("train.lr_scale.*", K::Float { min: 0.0, max: 1e6 }, D::Absent, "Factor on the learning rate of the parameters that match the pattern."),

    row("init.encoder", K::Text, D::Absent, "Weights that the encoder starts from: `run:DIRECTORY` or a file."),
    row("init.connector", K::Text, D::Absent, "Weights that the connector starts from."),
    row("init.decoder", K::Text, D::Absent, "Weights that the decoder and its output head start from."),
];

#[allow(clippy::unnecessary_wraps, reason = "the shape of a computed default")]
fn int(value: i64) -> Option<Argument> {
    Some(Argument::Int(value))
}

/// Tables that are reserved: their meaning is fixed, but this version cannot build them.
pub const RESERVED: &[(&str, &str)] =
    &[("parallel", "training runs on one device; remove the table")];
