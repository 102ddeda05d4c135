//! The operations of the component language: operands and attributes of each.
//!
//! Shapes and derivatives belong to the compiler; this table is what can be said about a
//! node before any size is known.

use crate::nearest::quoted_list;

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// An integer ≥ 1.
    Positive,
    /// An integer ≥ 0.
    Count,
    /// An odd integer ≥ 1.
    Odd,
    /// A float; an integer is converted.
    Float,
    /// A boolean.
    Bool,
    /// A list of sizes, each an integer ≥ 1 or a run-time size.
    Shape,
    /// A permutation of `0..n`.
    Permutation,
    /// Two integers ≥ 1: rows, columns.
    Grid,
    /// One of these names.
    Name(&'static [&'static str]),
}

impl AttributeType {
    /// The type in words.
    pub fn words(self) -> String {
        match self {
            Self::Positive => "an integer from 1 to 2^40".to_string(),
            Self::Count => "an integer from 0 to 2^40".to_string(),
            Self::Odd => "an odd integer of at least 1".to_string(),
            Self::Float => "a finite float".to_string(),
            Self::Bool => "a boolean".to_string(),
            Self::Shape => format!(
                "a list of sizes from 1 to 2^40, or {}",
                quoted_list(SYMBOLS.iter().copied())
            ),
            Self::Permutation => "a permutation of the axes".to_string(),
            Self::Grid => "a list of two integers of at least 1".to_string(),
            Self::Name(names) => format!("one of {}", quoted_list(names.iter().copied())),
        }
    }
}

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its key.
    pub name: &'static str,
    /// Its type.
    pub kind: AttributeType,
    /// Whether it must be given.
    pub required: bool,
}

/// One row of the op table.
#[derive(Clone, Copy, Debug)]
pub struct OpRule {
    /// Name in a component file.
    pub name: &'static str,
    /// Least and most operands.
    pub operands: (usize, usize),
    /// What it computes, in one line.
    pub doc: &'static str,
    /// Attributes.
    pub attributes: &'static [Attribute],
}

impl OpRule {
    /// How many operands it takes.
    pub fn operand_text(&self) -> String {
        match self.operands {
            (0, 0) => "none".to_string(),
            (least, most) if least == most => format!("{least}"),
            (least, most) => format!("{least} to {most}"),
        }
    }
}

/// Run-time sizes.
pub const SYMBOLS: &[&str] = &["images", "sequences", "length"];

/// Stands for any number of leading sizes, as the first size of an input.
pub const ANY_SIZES: &str = "..";

/// The operation that disappears: its name stands for its first operand. Legal only where a
/// parameter chooses the operation or component.
pub const IDENTITY: &str = "identity";

const fn needs(name: &'static str, kind: AttributeType) -> Attribute {
    Attribute {
        name,
        kind,
        required: true,
    }
}

const fn may(name: &'static str, kind: AttributeType) -> Attribute {
    Attribute {
        name,
        kind,
        required: false,
    }
}

const fn op(
    name: &'static str,
    operands: (usize, usize),
    doc: &'static str,
    attributes: &'static [Attribute],
) -> OpRule {
    OpRule {
        name,
        operands,
        doc,
        attributes,
    }
}

use AttributeType as A;

/// Every operation.
pub const OPS: &[OpRule] = &[
    op(
        "parameter",
        (0, 0),
        "a learned tensor of the sizes `shape`; `std` is for the first two kinds of `init`, `train.init_std` where it is absent",
        &[
            needs("shape", A::Shape),
            needs(
                "init",
                A::Name(&["truncated-normal", "normal", "zeros", "ones"]),
            ),
            may("std", A::Float),
        ],
    ),
    op(
        "linear",
        (1, 1),
        "[.., in] → [.., out_width] by a weight [out_width, in] and a bias [out_width]",
        &[needs("out_width", A::Positive), needs("bias", A::Bool)],
    ),
    op(
        "layer-norm",
        (1, 1),
        "[.., C] less its mean, over its deviation, times a weight [C], plus a bias [C]",
        &[needs("epsilon", A::Float)],
    ),
    op(
        "rms-norm",
        (1, 1),
        "[.., C] over its root mean square, times a weight [C]",
        &[needs("epsilon", A::Float)],
    ),
    op(
        "zero-centered-rms-norm",
        (1, 1),
        "as `rms-norm`, with 1 added to the stored weight",
        &[needs("epsilon", A::Float)],
    ),
    op(
        "add",
        (2, 2),
        "a sum; sizes are aligned at the right, and 1 stretches",
        &[],
    ),
    op(
        "subtract",
        (2, 2),
        "a difference; sizes are aligned at the right, and 1 stretches",
        &[],
    ),
    op(
        "multiply",
        (2, 2),
        "a product of elements; sizes are aligned at the right, and 1 stretches",
        &[],
    ),
    op(
        "gelu",
        (1, 1),
        "x Φ(x) of each element, by the error function",
        &[],
    ),
    op("gelu-tanh", (1, 1), "gelu by the hyperbolic tangent", &[]),
    op(
        "quick-gelu",
        (1, 1),
        "x sigmoid(1.702 x) of each element",
        &[],
    ),
    op("silu", (1, 1), "x sigmoid(x) of each element", &[]),
    op("sigmoid", (1, 1), "1 / (1 + exp(-x)) of each element", &[]),
    op(
        "tanh",
        (1, 1),
        "the hyperbolic tangent of each element",
        &[],
    ),
    op("relu", (1, 1), "max(x, 0) of each element", &[]),
    op(
        "scale",
        (1, 1),
        "each element times `factor`",
        &[needs("factor", A::Float)],
    ),
    op(
        "reshape",
        (1, 1),
        "the same elements in row-major order under other sizes",
        &[needs("shape", A::Shape)],
    ),
    op(
        "transpose",
        (1, 1),
        "the axes in the order `permutation`",
        &[needs("permutation", A::Permutation)],
    ),
    op(
        "slice",
        (1, 1),
        "`length` entries of an axis from `start`",
        &[
            needs("axis", A::Count),
            needs("start", A::Count),
            needs("length", A::Positive),
        ],
    ),
    op(
        "concat",
        (1, 64),
        "the operands one after the other along an axis",
        &[needs("axis", A::Count)],
    ),
    op(
        "expand",
        (1, 1),
        "sizes of 1 are stretched and leading sizes added",
        &[needs("shape", A::Shape)],
    ),
    op(
        "mean",
        (1, 1),
        "the mean over an axis, which stays with size 1",
        &[needs("axis", A::Count)],
    ),
    op(
        "patchify",
        (1, 1),
        "[images, 3, H, W] → [images, H/p * W/p, 3 p p], the channel first within a patch",
        &[needs("patch", A::Positive)],
    ),
    op(
        "attention",
        (3, 4),
        "q [B, Tq, H, D], k and v [B, Tk, Hkv, D] and, if given, the first visible key [B, Tq] → [B, Tq, H, D]; a `scale` of 0 is D^-1/2, `softcap` c bounds scores by c tanh(s / c), `prefix` tokens are seen by all",
        &[
            needs(
                "mask",
                A::Name(&["none", "causal", "prefix", "drawn-prefix"]),
            ),
            needs("scale", A::Float),
            may("softcap", A::Float),
            may("prefix", A::Count),
        ],
    ),
    op(
        "rotary",
        (2, 2),
        "x [B, T, H, D] turned by positions [B, T], one half of a head against the other",
        &[needs("base", A::Float)],
    ),
    op(
        "gather-rows",
        (2, 2),
        "table [R, C], indices [..] → [.., C]",
        &[],
    ),
    op(
        "route",
        (2, 2),
        "logits [.., E] and presence → the gates [T, top_k] of each token's experts; a `capacity_factor` of 0 drops none",
        &[
            needs("top_k", A::Positive),
            needs("capacity_factor", A::Float),
            needs("group", A::Name(&["micro-batch", "sequence"])),
        ],
    ),
    op(
        "dispatch",
        (2, 2),
        "x [.., C] and gates → rows [T top_k, C] in the order of experts",
        &[],
    ),
    op(
        "expert-linear",
        (2, 2),
        "rows [T top_k, in] and gates → [T top_k, out_width] by a weight [E, out_width, in]",
        &[needs("out_width", A::Positive)],
    ),
    op(
        "combine",
        (2, 2),
        "rows [T top_k, C] and gates → [T, C], each row times its gate, added by token",
        &[],
    ),
    op(
        "sin-cos-2d",
        (0, 0),
        "→ [prefix + h w, width]: zeros, then sines and cosines of columns and of rows",
        &[
            needs("grid", A::Grid),
            needs("width", A::Positive),
            needs("prefix", A::Count),
            needs("base", A::Float),
        ],
    ),
    op(
        "adaptive-average-pool-2d",
        (1, 1),
        "[images, h w, C] → [images, h' w', C], means over windows that cover the grid",
        &[needs("grid", A::Grid), needs("output_grid", A::Grid)],
    ),
    op(
        "depthwise-conv-2d",
        (1, 1),
        "[images, h w, C] → the same sizes by a weight [C, k, k], padded with zeros",
        &[needs("grid", A::Grid), needs("kernel", A::Odd)],
    ),
];

/// The row of operation `name`.
pub fn op_rule(name: &str) -> Option<&'static OpRule> {
    OPS.iter().find(|rule| rule.name == name)
}

/// Names of all operations.
pub fn op_names() -> impl Iterator<Item = &'static str> {
    OPS.iter().map(|rule| rule.name)
}
