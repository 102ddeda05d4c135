//! The table of diagnostic codes. A code is never reused and never changes its meaning.

use std::fmt;

/// A stable diagnostic code; prints as `MM1C0012`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MM1C{:04}", self.0)
    }
}

/// One row of the code table.
#[derive(Clone, Copy, Debug)]
pub struct CodeEntry {
    /// The code.
    pub code: Code,
    /// A title of a few words.
    pub title: &'static str,
    /// One paragraph: what it means and what to do.
    pub doc: &'static str,
}

/// Declares the constants and the table together, so that neither can miss a row.
macro_rules! codes {
    ($($name:ident = $number:literal, $title:literal, $doc:literal;)*) => {
        $(#[doc = $title] #[doc = "\n\n"] #[doc = $doc] pub const $name: Code = Code($number);)*

        /// Every code in ascending order, with its documentation.
        pub const CODES: &[CodeEntry] = &[
            $(CodeEntry { code: $name, title: $title, doc: $doc },)*
        ];
    };
}

codes! {
    SYNTAX = 1, "TOML syntax error",
        "The file is not valid TOML 1.1. Every syntax error that the parser can recover from is reported at once.";
    UNKNOWN_KEY = 2, "unknown key",
        "The key is not in the key table. The nearest known names are suggested; `mm1c resolve` prints every key that a model has.";
    WRONG_TYPE = 3, "wrong type",
        "The value has another TOML type than the key wants. An integer is accepted where a float is wanted; nothing else is converted.";
    OUT_OF_RANGE = 4, "value out of range",
        "The value lies outside the range that the key table gives for this key.";
    UNKNOWN_VALUE = 5, "unknown value",
        "The key takes one of a fixed set of names, and this is none of them.";
    MISSING_KEY = 6, "missing key",
        "The key has no default, because a silent one would change results, and neither the file, its parents, a preset nor `--set` gives it.";
    CYCLIC_EXTENDS = 7, "cyclic extends",
        "Following `extends` from this file leads back to it. A file has one parent, and the chain must end.";
    UNREADABLE = 8, "file cannot be read",
        "The file does not exist, is not a regular file, or is not UTF-8.";
    OUTSIDE_PROJECT = 9, "path leaves the project",
        "A path that a file names is relative to that file and stays under the project root: the nearest folder upwards with `mm1c.toml` or `.git`. Data elsewhere is named on the command line with `--set`.";
    TOO_LARGE_FILE = 10, "file too large",
        "Graph files are limited to 1 MiB, an array in one to 65536 values, a chain of `extends` to 16 files, and the grid of a study to 256 points.";
    BAD_SET = 11, "malformed --set",
        "`--set` takes `a.b=value`, with the value in TOML notation; a bare word is taken as a string.";
    PATCH_DIVIDES = 12, "resolution is not a multiple of the patch size",
        "The encoder cuts the picture into squares of `patch` pixels without remainder.";
    HEADS_DIVIDE = 13, "heads do not divide the width",
        "Each attention head takes an equal share of the features.";
    KV_HEADS_DIVIDE = 14, "kv_heads do not divide heads",
        "In grouped-query attention every key/value head serves the same number of query heads.";
    TOKENS_FIT = 15, "image tokens do not fit the sequence",
        "`connector.image_tokens` times `data.max_images` must leave room for text in `decoder.max_sequence_length`.";
    BATCH_DIVIDES = 16, "micro batch does not divide the global batch",
        "A step accumulates a whole number of micro batches.";
    LONG_WARMUP = 17, "warm-up is longer than half the run",
        "The learning rate would fall before it has been at its peak for any useful time; usually `steps` was shortened and `warmup_steps` forgotten.";
    TOO_LARGE_MODEL = 18, "model too large",
        "The sizes multiply to more than any machine holds, or overflow 64 bits: almost always a typing error.";
    UNKNOWN_PRESET = 19, "unknown preset",
        "`variant` names a preset under `models/presets`, and there is none of this name.";
    REMOVES_NOTHING = 20, "remove names nothing",
        "An entry of `remove` names a key or table that the parents do not have.";
    UNSUPPORTED = 21, "not supported yet",
        "The key is reserved: its meaning is fixed, but this version cannot build it.";
    INCOMPLETE = 22, "incomplete model",
        "Sections that need each other are not all there: an encoder needs a connector and the other way round, and every model needs a decoder.";
    WRONG_KIND = 23, "key of another kind",
        "The key exists, but only beside another value of the key that selects the kind (`kind`, `arch`, `mlp`, `position`, `optimizer`).";
    NO_WEIGHT = 24, "mixture has no weight",
        "At least one source must have a weight above zero.";
    BAD_NAME = 25, "bad name",
        "Names consist of letters, digits, `-`, `_`, `.` and, for models, `/`.";
    LAW_INAPPLICABLE = 26, "learning-rate law cannot be applied",
        "`lr = \"mm1\"` needs the number of non-embedding decoder parameters, which is known only for the built-in decoder; write a number instead.";
    ODD_ROTARY = 27, "odd head width with rotary positions",
        "Rotary embedding turns the two halves of a head against each other, so a head has an even number of features.";
    QUARTERS = 28, "width has no quarters",
        "Positions by sines and cosines give a quarter of the features each to sines and cosines of the column and of the row.";
    SPARSE_LAYERS = 29, "experts do not fit the decoder",
        "`decoder.moe.every` divides the number of blocks, `offset` is below it, a token chooses among the experts that there are, and experts have no biases.";
    UNKNOWN_COMPONENT = 30, "unknown component",
        "No embedded component and no project file has this name.";
    BAD_COMPONENT = 31, "malformed component",
        "The component file does not follow the component language (docs/components.md).";
    UNKNOWN_OP = 32, "unknown operation",
        "The operation is not in the op table of the component language.";
    BAD_ATTRIBUTE = 33, "bad attribute",
        "The operation does not have this attribute, lacks one that it needs, or the value does not fit it.";
    UNKNOWN_OPERAND = 34, "unknown operand",
        "An operand or output names neither an input of the component nor an earlier node.";
    BAD_EXPRESSION = 35, "malformed expression",
        "The text after `=` is not an integer expression over the component's parameters.";
    INEXACT_DIVISION = 36, "division leaves a remainder",
        "`/` divides exactly; write `//` where rounding down is meant.";
    NOT_SQUARE = 37, "not a square number",
        "`isqrt` takes the exact root. A connector that pools to a square grid needs a square number of image tokens.";
    BAD_ARGUMENTS = 38, "wrong arguments of a component",
        "A caller passes every declared parameter and no other; there are no defaults.";
    NOT_A_CHOICE = 39, "not among the declared choices",
        "The component restricts this parameter to a declared set of names.";
    RECURSION = 40, "component calls itself",
        "Recursion is not part of the component language; `repeat` repeats a node.";
    EXPANSION_CAP = 41, "expansion too large",
        "A component expands to at most 200 000 nodes, 32 levels deep.";
    BAD_REPEAT = 42, "bad repeat count",
        "`repeat` takes a count of zero or more.";
    ARITHMETIC = 43, "arithmetic fault in an expression",
        "The expression overflows 64 bits or divides by zero.";
    BAD_SIZE = 44, "size is not positive",
        "A size of a tensor is at least 1 and at most 2^40, or one of the run-time sizes `images`, `sequences`, `length`.";
    DUPLICATE_NAME = 45, "name used twice",
        "Inputs and nodes of a component share one set of names.";
    WRONG_INTERFACE = 46, "component does not fit its place",
        "An encoder takes `pixels` and gives `features`, a connector takes `features` and gives `tokens`, a decoder takes `x`, `positions`, `segment_begin` (and `present` beside `[decoder.moe]`) and gives `x`.";
    LAW_EXTRAPOLATED = 50, "learning-rate law used outside its range",
        "The law was fitted on 9 M to 1.2 B parameters and used up to 30 B, with batches of 512 sequences; outside it is a guess.";
    UNKNOWN_MAP = 51, "unknown name map",
        "`--map` names one of the maps in the binary (`models/weights`) or the path of a file that ends in `.toml`.";
    BAD_MAP = 52, "malformed name map",
        "The file does not follow the rules of name maps (docs/weights.md).";
    LAW_SCALED = 53, "learning-rate law with updates scaled by their parameters",
        "The law was fitted for updates of one size for all parameters. `scale_parameter` multiplies each by the root mean square of its parameter, so the rate that the law gives is one to two orders of magnitude too small; write a number, or turn `scale_parameter` off.";
    SHAPE = 60, "tensors do not fit",
        "The operands of a node have sizes that its operation cannot combine.";
    PATTERN_MATCHES_NOTHING = 61, "pattern matches no parameter",
        "A pattern of `freeze`, `no_decay` or `lr_scale` names no parameter of this model; `mm1c summary` lists the names.";
    BUDGET = 62, "memory budget too small",
        "The values of one micro-batch do not fit `train.arena_mib`, even if the backward pass makes again what it can.";
    EMPTY_STUDY = 70, "study without runs",
        "A study needs at least one variant or one point of a grid, and at least one seed; a grid over a key has at least one value.";
    DUPLICATE_VARIANT = 71, "name used twice in a study",
        "Variants have folders of their names, so no two have one name, and none is called `base`; points of a grid are named by their values. A seed stands once.";
    OTHER_BASE = 72, "overlay of another base",
        "An overlay either extends the study's base, perhaps through other files, or extends nothing and is laid over the base.";
    STUDY_BUDGET = 73, "study over its budget",
        "The plan costs more than `budget` allows: take variants, seeds or steps away, or allow more. `mm1c ablate --plan-only` prints the cost.";
    UNKNOWN_SCORE = 74, "unknown score",
        "`score` is `SOURCE.loss`, or for captions of scenes `SOURCE.colour`, `.shape`, `.count`, `.all`, for digits `SOURCE.digits`, `.all`, and with classes `SOURCE.class`; the source has held-out examples in every variant.";
    STUDY_DECIDES = 75, "key that the study decides",
        "Steps follow from the base's and from `hold`, seeds from `seeds`; a variant that set them itself would be compared with another base. Change the base, or give them in the study's `set`, which is for all runs.";
}

/// The row of `code`, if there is one.
pub fn entry(code: Code) -> Option<&'static CodeEntry> {
    CODES.iter().find(|entry| entry.code == code)
}
