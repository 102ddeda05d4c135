//! The operations of the tensor graph.
//!
//! There are few: data movement, pointwise functions, reduction, contraction, and the
//! composites that are worth a kernel of their own together with the ops of their derivatives.
//! Adaptive pooling and any other resampling is a contraction with a constant table
//! ([`Op::Constant`]), so overlapping windows and transposes need nothing new.
//! Each variant states operands → results; `[.., C]` means any leading sizes.

use mm1_package::Init;
use serde::{Deserialize, Serialize};

/// What a node computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// → tensor of the node's type, given by the caller.
    Input(InputRole),
    /// → f32 tensor with these elements in row-major order. They are kept in f64, so that the
    /// graph is the definition; kernels read them rounded to f32.
    Constant(Vec<f64>),
    /// → f32 tensor of the node's type, every element this number (kept in f64 as above). The
    /// usual form is a scalar.
    Splat(f64),

    // Data movement.
    /// x → the node's type; same elements in row-major order.
    Reshape,
    /// x → axes reordered: result axis `i` is operand axis `permutation[i]`.
    Transpose(Vec<usize>),
    /// x → elements `start .. start + length` of an axis. The length may be a run-time size
    /// only on axis 0.
    Slice {
        /// Axis.
        axis: usize,
        /// First element kept.
        start: u64,
    },
    /// tensors that differ in one axis only → joined along it.
    Concat {
        /// Axis.
        axis: usize,
    },
    /// x → the node's type: sizes aligned at the right, sizes of 1 stretched, leading sizes added.
    Broadcast,
    /// x, any other value → x. What reads x through this is evaluated after the other value: it
    /// keeps recomputed values of the forward pass from being made before they are wanted.
    After,
    /// table `[R, C]`, i32 indices `[..]` → `[.., C]`; an index of −1 gives zeros.
    GatherRows,
    /// updates `[.., C]`, i32 indices `[..]` → the node's type `[R, C]`: row r is the sum of the
    /// updates whose index is r, in order; an index of −1 is dropped. Transpose of gather.
    ScatterAddRows,
    /// table `[B, T, ..]`, rows `[B, n, ..]`, i32 positions `[B, n]` → table with row
    /// `positions[b, i]` of each b replaced; −1 is dropped; positions are distinct.
    UpdateRows,

    // Pointwise.
    /// x → f(x).
    Unary(Unary),
    /// a, b → f(a, b), sizes aligned at the right, 1 and missing sizes stretch.
    Binary(Binary),
    /// x → the node's element type. f32 → bf16 rounds to nearest even; to i32 is not allowed.
    Cast,

    // Sums.
    /// x → without the given axes.
    Reduce {
        /// Monoid.
        kind: ReduceKind,
        /// Axes that vanish, ascending.
        axes: Vec<usize>,
    },
    /// a `[B.., m, k]`, b `[B.., k, n]` → `[B.., m, n]`, accumulated in f32; the result's element
    /// type is the node's. One operand may lack the batch sizes. Flags say that an operand is
    /// stored with its last two axes exchanged.
    MatMul {
        /// a is `[B.., k, m]`.
        transpose_a: bool,
        /// b is `[B.., n, k]`.
        transpose_b: bool,
    },

    // Rows by group: experts (docs/experts.md).
    /// x `[.., E]` → p, log-sum-exp `[..]` (f32): p = e^(x − lse) over the last axis.
    Softmax,
    /// x `[R, E]`, f32 `[R]` → i32 `[R, count]`: where the second operand is not 0, the columns of
    /// the largest elements of the row, the largest first, of equal ones the first; else −1.
    TopK {
        /// Columns per row.
        count: u64,
    },
    /// i32 choices `[T, k]` of experts, −1 for none → i32 slots `[T, k]`, places `[T·k]`, tokens
    /// `[T·k]`, begin `[E]`, end `[E]`. Rows sorted by expert stand in slots: expert e has slots
    /// begin\[e\] .. end\[e\], which follow each other from 0. Within an expert, groups of
    /// T/groups tokens follow each other, and in a group all first choices stand before all second
    /// ones, in order of tokens. An expert takes the first `capacity` of each group (0: all); the
    /// others and those of none have slot −1. Slot s holds choice places\[s\] of the flat choices and
    /// token tokens\[s\]; both are −1 from end\[E−1\] on.
    SortChoices {
        /// E.
        experts: u64,
        /// Groups of tokens.
        groups: u64,
        /// Most choices of an expert in a group; 0 for any number.
        capacity: u64,
    },
    /// table `[R, C]`, i32 indices `[N]`, i32 back `[R, k]` → `[N, C]`: rows of the table, zeros
    /// for −1. `back` lists for each row of the table where in the result it stands, −1 for
    /// nowhere; both say the same, once by result and once by row.
    TakeRows,
    /// x `[N, C]`, i32 back `[R, k]`, i32 indices `[N]` → `[R, C]`: the sum of the rows of x that
    /// `back` lists, −1 for none. Transpose of [`Op::TakeRows`].
    SumRows,
    /// a `[P, k]`, b `[E, k, n]`, i32 begin `[E]`, i32 end `[E]` → `[P, n]`: rows begin\[e\] ..
    /// end\[e\] of a, times b\[e\]; zeros in rows of no group. Groups ascend and share no row.
    GroupedMatMul {
        /// b is `[E, n, k]`.
        transpose_b: bool,
    },
    /// x `[P, m]`, y `[P, n]`, i32 begin `[E]`, i32 end `[E]` → `[E, m, n]`: the sum over the rows
    /// of each group of x\[m\]·y\[n\].
    GroupedMatMulWeightGrad,

    // Composites.
    /// x `[.., C]`, weight `[C]`, for layer norm also bias `[C]` → y, for layer norm mean `[..]`,
    /// reciprocal deviation `[..]` (both f32).
    /// Layer: y = (x − μ)·r·w + b, r = (σ² + ε)^-½ with the biased variance. RMS: y = x·r·w,
    /// r = (mean x² + ε)^-½.
    Norm {
        /// Layer or RMS.
        kind: NormKind,
        /// ε.
        epsilon: f64,
    },
    /// dy, x, weight, \[mean,\] reciprocal deviation → dx.
    NormInputGrad {
        /// Layer or RMS.
        kind: NormKind,
    },
    /// dy, x, \[mean,\] reciprocal deviation → dweight `[C]` and, for layer norm, dbias `[C]` (f32).
    NormWeightGrad {
        /// Layer or RMS.
        kind: NormKind,
    },
    /// x `[B, T, H, D]`, table `[P, D]` (cosines then sines of D/2 angles), i32 positions `[B, T]`
    /// → same shape; with a, b the halves of the last axis: (a·c − b·s, b·c + a·s). `inverse`
    /// rotates back, which is the derivative.
    Rotary {
        /// Negates the sines.
        inverse: bool,
    },
    /// q `[B, Tq, H, D]`, k and v `[B, Tk, G, D]` (G divides H; query head h reads h·G/H),
    /// then, if flagged, i32 first visible key `[B, Tq]` and one past the last `[B, Tq]`
    /// → out `[B, Tq, H, D]`, log-sum-exp f32 `[B, H, Tq]`.
    /// Query t sees keys in [begin, min(end, causal ? t + 1 : Tk)); an empty range gives zeros and
    /// a log-sum-exp of −∞. A score is scale·q·k, through [`capped`] where there is a cap.
    Attention {
        /// Factor on q·k.
        scale: f64,
        /// Bound on the size of a score; 0 for none.
        softcap: f64,
        /// Query t sees no key after t.
        causal: bool,
        /// A begin operand follows v.
        begin: bool,
        /// An end operand follows.
        end: bool,
    },
    /// dout, q, k, v, out, log-sum-exp, then the range operands of the forward op → dq, dk, dv.
    AttentionGrad {
        /// As forward.
        scale: f64,
        /// As forward.
        softcap: f64,
        /// As forward.
        causal: bool,
        /// As forward.
        begin: bool,
        /// As forward.
        end: bool,
    },
    /// x `[N, h·w, C]`, weight `[C, k, k]` → `[N, h·w, C]`: each channel correlated with its own
    /// window, zero padding (k−1)/2, stride 1. `flip` turns the window by 180°, which is the
    /// derivative in x.
    DepthwiseConv2d {
        /// h, w.
        grid: [u64; 2],
        /// Odd window side.
        kernel: u64,
        /// Window turned by 180°.
        flip: bool,
    },
    /// x, dy (both `[N, h·w, C]`) → dweight `[C, k, k]` f32.
    DepthwiseConv2dWeightGrad {
        /// h, w.
        grid: [u64; 2],
        /// Odd window side.
        kernel: u64,
    },
    /// logits `[R, V]`, i32 targets `[R]`, weights `[R]`, z weight scalar → loss f32 `[R]` = w·(lse − logit of
    /// target), z f32 `[R]` = w·lse², dlogits `[R, V]` of Σ loss + zw·Σ z, typed as the logits.
    CrossEntropy,
    /// x `[R, d]`, weight `[V, d]`, i32 targets `[R]`, weights `[R]`, z weight scalar
    /// → Σ loss, Σ z (f32 scalars), dx `[R, d]`, dweight `[V, d]` f32: logits x·wᵀ through
    /// [`Op::CrossEntropy`], made in chunks of `chunk` rows, gradients in the forward pass. Where
    /// there is a cap the logits go through [`capped`].
    LinearCrossEntropy {
        /// Rows whose logits exist at one time.
        chunk: u64,
        /// Whether dx and dweight are wanted.
        gradient: bool,
        /// Bound on the size of a logit; 0 for none.
        softcap: f64,
    },
    /// w, g, m, v (f32, one shape) and scalars lr, gradient scale, decay, bias corrections 1−β₁ᵗ, 1−β₂ᵗ → w, m, v.
    /// With ĝ = scale·g: m ← β₁m + (1−β₁)ĝ; v ← β₂v + (1−β₂)ĝ²;
    /// w ← w − decay·w − lr·(m/c₁)/(√(v/c₂) + ε).
    AdamW {
        /// β₁.
        beta1: f64,
        /// β₂.
        beta2: f64,
        /// ε.
        epsilon: f64,
    },
}

impl Op {
    /// The sum along `axes`.
    #[must_use]
    pub fn sum(axes: &[usize]) -> Self {
        Self::Reduce {
            kind: ReduceKind::Sum,
            axes: axes.to_vec(),
        }
    }
}

/// cap·tanh(x/cap) and its derivative; x itself where the cap is 0.
pub fn capped(x: f64, cap: f64) -> (f64, f64) {
    if cap == 0.0 {
        return (x, 1.0);
    }
    let share = (x / cap).tanh();
    (cap * share, 1.0 - share * share)
}

/// What an [`Op::Input`] is for.
#[derive(Clone, Debug, PartialEq)]
pub enum InputRole {
    /// Given before each run.
    Data,
    /// A weight.
    Parameter(Parameter),
    /// Kept by the runtime: KV caches, gradients, moments. Lives in the named region.
    State(String),
}

/// Facts of a weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Distribution at step 0.
    pub init: Init,
    /// Whether the optimizer changes it; a frozen weight has no gradient.
    pub trained: bool,
    /// Whether weight decay applies.
    pub decay: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
}

/// Pointwise functions of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unary {
    /// −x.
    Neg,
    /// eˣ.
    Exp,
    /// ln x.
    Log,
    /// √x.
    Sqrt,
    /// x^-½.
    Rsqrt,
    /// 1/x.
    Reciprocal,
    /// x².
    Square,
    /// max(x, 0).
    Relu,
    /// 1 where x > 0, else 0: derivative of [`Unary::Relu`].
    Step,
    /// tanh x.
    Tanh,
    /// 1/(1+e^-x).
    Sigmoid,
    /// Gauss error function.
    Erf,
    /// x·Φ(x).
    Gelu,
    /// Φ(x) + x·φ(x).
    GeluGrad,
    /// ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
    GeluTanh,
    /// Its derivative.
    GeluTanhGrad,
    /// x·σ(1.702x).
    QuickGelu,
    /// Its derivative.
    QuickGeluGrad,
    /// x·σ(x).
    Silu,
    /// Its derivative.
    SiluGrad,
}

/// Pointwise functions of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Binary {
    /// a + b.
    Add,
    /// a − b.
    Sub,
    /// a·b.
    Mul,
    /// a/b.
    Div,
    /// max(a, b).
    Max,
    /// min(a, b).
    Min,
    /// 1 where a = b, else 0.
    Equal,
    /// 1 where a < b, else 0.
    Less,
}

/// Monoid of a reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReduceKind {
    /// Σ in f32.
    Sum,
    /// Largest.
    Max,
}

/// Which normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NormKind {
    /// Mean and variance over the last axis.
    Layer,
    /// Root mean square over the last axis.
    Rms,
}
