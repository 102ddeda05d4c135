//! The operations of the component language: operands and attributes of each.
//!
//! Shapes and derivatives belong to the compiler; this table is what can be said about a
//! node before any size is known.

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
    /// Attributes.
    pub attributes: &'static [Attribute],
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
    attributes: &'static [Attribute],
) -> OpRule {
    OpRule {
        name,
        operands,
        attributes,
    }
}

use AttributeType as A;

/// Every operation.
pub const OPS: &[OpRule] = &[
    op(
        "parameter",
        (0, 0),
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
        &[needs("out_width", A::Positive), needs("bias", A::Bool)],
    ),
    op("layer-norm", (1, 1), &[needs("epsilon", A::Float)]),
    op("rms-norm", (1, 1), &[needs("epsilon", A::Float)]),
    op(
        "zero-centered-rms-norm",
        (1, 1),
        &[needs("epsilon", A::Float)],
    ),
    op("add", (2, 2), &[]),
    op("subtract", (2, 2), &[]),
    op("multiply", (2, 2), &[]),
    op("gelu", (1, 1), &[]),
    op("gelu-tanh", (1, 1), &[]),
    op("quick-gelu", (1, 1), &[]),
    op("silu", (1, 1), &[]),
    op("sigmoid", (1, 1), &[]),
    op("tanh", (1, 1), &[]),
    op("relu", (1, 1), &[]),
    op("scale", (1, 1), &[needs("factor", A::Float)]),
    op("reshape", (1, 1), &[needs("shape", A::Shape)]),
    op("transpose", (1, 1), &[needs("permutation", A::Permutation)]),
    op(
        "slice",
        (1, 1),
        &[
            needs("axis", A::Count),
            needs("start", A::Count),
            needs("length", A::Positive),
        ],
    ),
    op("concat", (1, 64), &[needs("axis", A::Count)]),
    op("expand", (1, 1), &[needs("shape", A::Shape)]),
    op("mean", (1, 1), &[needs("axis", A::Count)]),
    op("patchify", (1, 1), &[needs("patch", A::Positive)]),
    op(
        "attention",
        (3, 4),
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
    op("rotary", (2, 2), &[needs("base", A::Float)]),
    op("gather-rows", (2, 2), &[]),
    op(
        "route",
        (2, 2),
        &[
            needs("top_k", A::Positive),
            needs("capacity_factor", A::Float),
            needs("group", A::Name(&["micro-batch", "sequence"])),
        ],
    ),
    op("dispatch", (2, 2), &[]),
    op("expert-linear", (2, 2), &[needs("out_width", A::Positive)]),
    op("combine", (2, 2), &[]),
    op(
        "sin-cos-2d",
        (0, 0),
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
        &[needs("grid", A::Grid), needs("output_grid", A::Grid)],
    ),
    op(
        "depthwise-conv-2d",
        (1, 1),
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
