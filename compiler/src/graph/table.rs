//! The op table: what the text form, the reference pages and `mm1c explain` say of each op,
//! and what it costs.
//!
//! The table is data. The meaning stands in `op.rs`, the shape rules in `infer.rs`; a test
//! keeps the operand counts here and there in step.

use super::{Binary, Graph, NodeId, NormKind, Op, ReduceKind, Unary};

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpRow {
    /// Name in text form.
    pub name: &'static str,
    /// What it computes, in one line.
    pub doc: &'static str,
    /// Operands in order; `x?` may be absent, `x…` stands for one or more.
    pub operands: &'static [&'static str],
    /// Results in order; `x?` may be absent.
    pub results: &'static [&'static str],
}

const fn row(
    name: &'static str,
    operands: &'static [&'static str],
    results: &'static [&'static str],
    doc: &'static str,
) -> OpRow {
    OpRow {
        name,
        doc,
        operands,
        results,
    }
}

const X: &[&str] = &["x"];
const Y: &[&str] = &["y"];
const AB: &[&str] = &["a", "b"];

/// Every op, in the order of the reference page.
pub const OPS: &[OpRow] = &[
    row("input", &[], X, "data given before each run"),
    row("parameter", &[], &["w"], "a weight"),
    row(
        "state",
        &[],
        X,
        "a tensor that the runtime keeps between runs, in a named region",
    ),
    row("constant", &[], X, "numbers known when compiled"),
    row("splat", &[], X, "one number in every element"),
    row(
        "reshape",
        X,
        Y,
        "the same elements in row-major order under other sizes",
    ),
    row(
        "transpose",
        X,
        Y,
        "axes reordered: result axis i is operand axis permutation[i]",
    ),
    row("slice", X, Y, "elements start .. start + length of an axis"),
    row(
        "concat",
        &["x…"],
        Y,
        "tensors that differ in one axis, joined along it",
    ),
    row(
        "broadcast",
        X,
        Y,
        "sizes of 1 stretched, leading sizes added",
    ),
    row(
        "after",
        &["x", "other"],
        Y,
        "x; what reads it so is evaluated after the other value",
    ),
    row(
        "gather_rows",
        &["table", "indices"],
        Y,
        "rows of a table; index −1 gives zeros",
    ),
    row(
        "scatter_add_rows",
        &["updates", "indices"],
        Y,
        "row r is the sum of the updates with index r; −1 is dropped",
    ),
    row(
        "update_rows",
        &["table", "rows", "positions"],
        Y,
        "the table with the rows at the positions replaced; −1 is dropped",
    ),
    row("neg", X, Y, "−x"),
    row("exp", X, Y, "eˣ"),
    row("log", X, Y, "ln x"),
    row("sqrt", X, Y, "√x"),
    row("rsqrt", X, Y, "1/√x"),
    row("reciprocal", X, Y, "1/x"),
    row("square", X, Y, "x²"),
    row("relu", X, Y, "max(x, 0)"),
    row("step", X, Y, "1 where x > 0, else 0"),
    row("tanh", X, Y, "tanh x"),
    row("sigmoid", X, Y, "σ(x) = 1/(1 + e⁻ˣ)"),
    row("erf", X, Y, "the Gauss error function"),
    row("gelu", X, Y, "x·Φ(x)"),
    row("gelu_grad", X, Y, "derivative of gelu"),
    row("gelu_tanh", X, Y, "½x(1 + tanh(√(2/π)(x + 0.044715x³)))"),
    row("gelu_tanh_grad", X, Y, "derivative of gelu_tanh"),
    row("quick_gelu", X, Y, "x·σ(1.702x)"),
    row("quick_gelu_grad", X, Y, "derivative of quick_gelu"),
    row("silu", X, Y, "x·σ(x)"),
    row("silu_grad", X, Y, "derivative of silu"),
    row("add", AB, Y, "a + b"),
    row("sub", AB, Y, "a − b"),
    row("mul", AB, Y, "a·b"),
    row("div", AB, Y, "a/b"),
    row("max", AB, Y, "the larger of a and b"),
    row("min", AB, Y, "the smaller of a and b"),
    row("equal", AB, Y, "1 where a = b, else 0"),
    row("less", AB, Y, "1 where a < b, else 0"),
    row(
        "cast",
        X,
        Y,
        "x in another element type, rounded to nearest even",
    ),
    row("reduce_sum", X, Y, "Σ over the given axes"),
    row("reduce_max", X, Y, "the largest over the given axes"),
    row(
        "matmul",
        AB,
        Y,
        "a·b over the last two axes, batched over the others",
    ),
    row(
        "softmax",
        X,
        &["p", "log_sum_exp"],
        "eˣ over the last axis, divided by its sum",
    ),
    row(
        "top_k",
        &["x", "present"],
        &["columns"],
        "columns of the largest elements of each row, −1 in rows that are not there",
    ),
    row(
        "sort_choices",
        &["choices"],
        &["slots", "places", "tokens", "begin", "end"],
        "choices sorted by expert, as many as an expert takes",
    ),
    row(
        "take_rows",
        &["table", "indices", "back"],
        Y,
        "rows of a table; index −1 gives zeros",
    ),
    row(
        "sum_rows",
        &["x", "back", "indices"],
        Y,
        "the sum of the rows that each row of `back` lists; −1 is none",
    ),
    row(
        "grouped_matmul",
        &["a", "b", "begin", "end"],
        Y,
        "rows of each group times its own matrix",
    ),
    row(
        "grouped_matmul_weight_grad",
        &["x", "y", "begin", "end"],
        &["dweight"],
        "xᵀ·y over the rows of each group",
    ),
    row(
        "layer_norm",
        &["x", "weight", "bias"],
        &["y", "mean", "reciprocal"],
        "(x − μ)·r·w + b, r = (σ² + ε)^-½",
    ),
    row(
        "rms_norm",
        &["x", "weight"],
        &["y", "reciprocal"],
        "x·r·w, r = (mean x² + ε)^-½",
    ),
    row(
        "layer_norm_input_grad",
        &["dy", "x", "weight", "mean", "reciprocal"],
        &["dx"],
        "derivative of layer_norm in x",
    ),
    row(
        "rms_norm_input_grad",
        &["dy", "x", "weight", "reciprocal"],
        &["dx"],
        "derivative of rms_norm in x",
    ),
    row(
        "layer_norm_weight_grad",
        &["dy", "x", "mean", "reciprocal"],
        &["dweight", "dbias"],
        "derivative of layer_norm in weight and bias",
    ),
    row(
        "rms_norm_weight_grad",
        &["dy", "x", "reciprocal"],
        &["dweight"],
        "derivative of rms_norm in weight",
    ),
    row(
        "rotary",
        &["x", "table", "positions"],
        Y,
        "halves of each head turned by the angles of their position",
    ),
    row(
        "attention",
        &["q", "k", "v", "begin?", "end?"],
        &["out", "log_sum_exp"],
        "softmax(scale·q·kᵀ)·v over the visible keys",
    ),
    row(
        "attention_grad",
        &[
            "dout",
            "q",
            "k",
            "v",
            "out",
            "log_sum_exp",
            "begin?",
            "end?",
        ],
        &["dq", "dk", "dv"],
        "derivative of attention",
    ),
    row(
        "depthwise_conv2d",
        &["x", "weight"],
        Y,
        "each channel correlated with its own window",
    ),
    row(
        "depthwise_conv2d_weight_grad",
        &["x", "dy"],
        &["dweight"],
        "derivative of depthwise_conv2d in the windows",
    ),
    row(
        "cross_entropy",
        &["logits", "targets", "weights", "z_weight"],
        &["loss", "z", "dlogits"],
        "w·(lse − logit of target), w·lse² and their derivative",
    ),
    row(
        "linear_cross_entropy",
        &["x", "weight", "targets", "weights", "z_weight"],
        &["loss", "z", "dx?", "dweight?"],
        "summed cross-entropy of x·wᵀ, logits made in chunks",
    ),
    row(
        "adamw",
        &[
            "w",
            "g",
            "m",
            "v",
            "lr",
            "gradient_scale",
            "decay",
            "correction1",
            "correction2",
        ],
        &["w", "m", "v"],
        "one AdamW step",
    ),
];

/// Names of the unary functions.
pub(super) const UNARY: &[(Unary, &str)] = &[
    (Unary::Neg, "neg"),
    (Unary::Exp, "exp"),
    (Unary::Log, "log"),
    (Unary::Sqrt, "sqrt"),
    (Unary::Rsqrt, "rsqrt"),
    (Unary::Reciprocal, "reciprocal"),
    (Unary::Square, "square"),
    (Unary::Relu, "relu"),
    (Unary::Step, "step"),
    (Unary::Tanh, "tanh"),
    (Unary::Sigmoid, "sigmoid"),
    (Unary::Erf, "erf"),
    (Unary::Gelu, "gelu"),
    (Unary::GeluGrad, "gelu_grad"),
    (Unary::GeluTanh, "gelu_tanh"),
    (Unary::GeluTanhGrad, "gelu_tanh_grad"),
    (Unary::QuickGelu, "quick_gelu"),
    (Unary::QuickGeluGrad, "quick_gelu_grad"),
    (Unary::Silu, "silu"),
    (Unary::SiluGrad, "silu_grad"),
];

/// Names of the binary functions.
pub(super) const BINARY: &[(Binary, &str)] = &[
    (Binary::Add, "add"),
    (Binary::Sub, "sub"),
    (Binary::Mul, "mul"),
    (Binary::Div, "div"),
    (Binary::Max, "max"),
    (Binary::Min, "min"),
    (Binary::Equal, "equal"),
    (Binary::Less, "less"),
];

impl OpRow {
    /// The row called `name`.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        OPS.iter().find(|row| row.name == name)
    }

    /// Fewest and most operands.
    pub fn operand_counts(&self) -> (usize, usize) {
        let optional = self.operands.iter().filter(|o| o.ends_with('?')).count();
        let many = self.operands.iter().any(|o| o.ends_with('…'));
        let most = if many {
            usize::MAX
        } else {
            self.operands.len()
        };
        (self.operands.len() - optional, most)
    }
}

impl Op {
    /// Its name in text form.
    pub fn name(&self) -> &'static str {
        use super::InputRole;
        let layer = |kind: &NormKind, layer, rms| match kind {
            NormKind::Layer => layer,
            NormKind::Rms => rms,
        };
        match self {
            Self::Input(InputRole::Data) => "input",
            Self::Input(InputRole::Parameter(_)) => "parameter",
            Self::Input(InputRole::State(_)) => "state",
            Self::Constant(_) => "constant",
            Self::Splat(_) => "splat",
            Self::Reshape => "reshape",
            Self::Transpose(_) => "transpose",
            Self::Slice { .. } => "slice",
            Self::Concat { .. } => "concat",
            Self::Broadcast => "broadcast",
            Self::After => "after",
            Self::GatherRows => "gather_rows",
            Self::ScatterAddRows => "scatter_add_rows",
            Self::UpdateRows => "update_rows",
            Self::Unary(f) => UNARY
                .iter()
                .find(|row| row.0 == *f)
                .map_or("?", |row| row.1),
            Self::Binary(f) => BINARY
                .iter()
                .find(|row| row.0 == *f)
                .map_or("?", |row| row.1),
            Self::Cast => "cast",
            Self::Reduce { kind, .. } => match kind {
                ReduceKind::Sum => "reduce_sum",
                ReduceKind::Max => "reduce_max",
            },
            Self::MatMul { .. } => "matmul",
            Self::Softmax => "softmax",
            Self::TopK { .. } => "top_k",
            Self::SortChoices { .. } => "sort_choices",
            Self::TakeRows => "take_rows",
            Self::SumRows => "sum_rows",
            Self::GroupedMatMul { .. } => "grouped_matmul",
            Self::GroupedMatMulWeightGrad => "grouped_matmul_weight_grad",
            Self::Norm { kind, .. } => layer(kind, "layer_norm", "rms_norm"),
            Self::NormInputGrad { kind } => {
                layer(kind, "layer_norm_input_grad", "rms_norm_input_grad")
            }
            Self::NormWeightGrad { kind } => {
                layer(kind, "layer_norm_weight_grad", "rms_norm_weight_grad")
            }
            Self::Rotary { .. } => "rotary",
            Self::Attention { .. } => "attention",
            Self::AttentionGrad { .. } => "attention_grad",
            Self::DepthwiseConv2d { .. } => "depthwise_conv2d",
            Self::DepthwiseConv2dWeightGrad { .. } => "depthwise_conv2d_weight_grad",
            Self::CrossEntropy => "cross_entropy",
            Self::LinearCrossEntropy { .. } => "linear_cross_entropy",
            Self::AdamW { .. } => "adamw",
        }
    }

    /// Its line of the table.
    pub fn row(&self) -> &'static OpRow {
        OpRow::by_name(self.name()).expect("a test finds every op's name in the table")
    }
}

/// Floating-point operations of a node at the bounds of its sizes: 2 per multiply-add of a
/// contraction, 0 for other ops (bytes are what they cost).
///
/// Attention counts its two contractions over all keys, half of them where it is causal; its
/// derivative counts four, as the scores that it makes again are no new result.
pub fn flops(graph: &Graph, id: NodeId) -> u64 {
    let node = graph.node(id);
    let operands = graph.operands(id);
    // Operand sizes at their bounds; none where a malformed graph lacks the operand.
    let sizes = |operand: usize| {
        operands
            .get(operand)
            .map(|value| graph.bounds(graph.ty(*value)))
            .unwrap_or_default()
    };
    let volume = |sizes: &[u64]| sizes.iter().fold(1u64, |a, b| a.saturating_mul(*b));
    let total = |factors: &[u64]| volume(factors);
    let attention = |q: &[u64], k: &[u64], causal: bool, contractions: u64| {
        let keys = k.get(1).copied().unwrap_or(0);
        total(&[2 * contractions, volume(q), keys]) / if causal { 2 } else { 1 }
    };
    match &node.op {
        Op::MatMul { transpose_a, .. } => {
            let a = sizes(0);
            let k = match (a.len(), transpose_a) {
                (0 | 1, _) => 0,
                (rank, true) => a[rank - 2],
                (rank, false) => a[rank - 1],
            };
            total(&[2, volume(&graph.bounds(&node.types[0])), k])
        }
        // Each row meets the matrix of its group only.
        Op::GroupedMatMul { .. } => {
            let columns = graph.bounds(&node.types[0]);
            total(&[2, volume(&sizes(0)), columns.last().copied().unwrap_or(0)])
        }
        Op::GroupedMatMulWeightGrad => {
            total(&[2, volume(&sizes(0)), sizes(1).last().copied().unwrap_or(0)])
        }
        Op::Attention { causal, .. } => attention(&sizes(0), &sizes(1), *causal, 2),
        Op::AttentionGrad { causal, .. } => attention(&sizes(1), &sizes(2), *causal, 4),
        Op::DepthwiseConv2d { kernel, .. } | Op::DepthwiseConv2dWeightGrad { kernel, .. } => {
            total(&[2, volume(&sizes(0)), *kernel, *kernel])
        }
        Op::LinearCrossEntropy { gradient, .. } => {
            let vocabulary = sizes(1).first().copied().unwrap_or(0);
            let contractions = if *gradient { 3 } else { 1 };
            total(&[2 * contractions, volume(&sizes(0)), vocabulary])
        }
        _ => 0,
    }
}

/// Bytes that a node must read and write at the bounds of its sizes, each tensor once: only
/// the rows that it touches of a table that it gathers from or updates, nothing for what moves nothing.
pub fn bytes(graph: &Graph, id: NodeId) -> u64 {
    let node = graph.node(id);
    let read: Vec<u64> = graph
        .operands(id)
        .iter()
        .map(|value| graph.bytes(graph.ty(*value)))
        .collect();
    let written: u64 = node.types.iter().map(|ty| graph.bytes(ty)).sum();
    match (&node.op, &read[..]) {
        (Op::Input(_) | Op::Constant(_) | Op::Splat(_) | Op::Reshape | Op::After, _) => 0,
        (Op::Slice { .. }, _) => 2 * written,
        (Op::GatherRows, [_, indices]) => 2 * written + indices,
        (Op::TakeRows, [_, indices, _]) => 2 * written + indices,
        (Op::UpdateRows, [_, rows, positions]) => 2 * rows + positions,
        _ => read.iter().sum::<u64>() + written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_functions_are_listed() {
        for (index, row) in OPS.iter().enumerate() {
            assert!(OPS[..index].iter().all(|other| other.name != row.name));
        }
        for (f, name) in UNARY {
            assert_eq!(Op::Unary(*f).row().name, *name);
        }
        for (f, name) in BINARY {
            assert_eq!(Op::Binary(*f).row().name, *name);
        }
    }
}
