//! Kernels: what one launch computes, stated without a machine.
//!
//! # Meaning
//! A [`Kernel`] has named **axes**, **buffers** and an ordered list of **stages**. An axis is a
//! range `0 .. size`; sizes are numbers or run-time slots. Axes marked *parallel* span the grid:
//! a stage is evaluated for every point of the parallel axes in its domain, independently, so a
//! schedule may cut them into tiles and hand tiles to any number of threads or thread blocks.
//!
//! A stage computes over its **domain**, a list of axes:
//! - [`StageKind::Map`] evaluates expressions at every point and stores them;
//! - [`StageKind::Reduce`] folds an expression over the `reduced` axes with a monoid;
//! - [`StageKind::Contract`] sums lhs·rhs over the `reduced` axes, accumulating in f32;
//! - [`StageKind::SoftmaxContract`] folds pairs (score, value) over the one reduced axis with the
//!   monoid (max, Σ exp, rescaled Σ exp·value);
//! - [`StageKind::Scatter`] walks its reduced axis in order and adds an expression to rows chosen
//!   by an index.
//!
//! The results of a reducing stage are a **tile**: a value for each point of domain ∖ reduced.
//! Later stages read it with [`Expr::Tile`]. A later contraction may reduce over an axis that an
//! earlier tile spans; the schedule then interleaves the two blockwise and the tile never exists
//! as a whole (attention: scores are such a tile).
//!
//! # On paper
//! - **GEMM with epilogue**: parallel m, n; Contract over k; Map on (m, n) reading the tile, the
//!   bias (stride 0 along m) and the residual. Operand orders are strides; casts, gathers and
//!   activations of an operand are its expression (prologue).
//! - **GEMM in parts**: a batch axis s over parts of k, loads guarded by 0 <= k + s·L < K, the map stores
//!   the tile; then another kernel: Reduce over s, Map with the epilogue.
//! - **Grouped GEMM**: rows sorted by group; Contract over groups and k, with a [`Window`] whose query
//!   is the group and whose key is m: of the groups a row sees its own alone, or none, which gives 0.
//!   For dW the group axis is parallel and the key is the *reduced* axis. Ranges ascend with the
//!   group, so a schedule visits what is there: cost grows with rows, not with groups times rows.
//! - **Attention forward**: parallel b, g, r, i (query head = (g, r)); Contract scores over d;
//!   SoftmaxContract over j with a window; Map divides and stores output and log-sum-exp.
//! - **Attention dQ**: Contract s over d; Contract dp over e; Contract over j of
//!   exp(s·scale − lse)·(dp − δ)·scale with k; Map stores. **dK/dV**: parallel b, g, j; the same
//!   two, then two Contracts over (r, i); Map stores both.
//! - **Linear cross-entropy**: three GEMMs and one row kernel (Reduce max, Reduce Σexp, Map) per chunk.
//! - **Norm + residual**: Reduce, Reduce, Map per row; backward the same; parameter gradients are
//!   Reduces over rows with the channel axis parallel.
//! - **Overlapping pooling** and its transpose: Contract with a constant table.
//! - **Depthwise convolution**: Reduce over the window axes of a guarded load; weight gradient:
//!   Reduce over (image, point) with (channel, window) parallel.
//! - **Emitters**: CPU schedules walk tiles with loops and vector registers; GPU schedules map the
//!   parallel axes to blocks and stages to warps. Nothing here mentions either.
//!
//! # Addresses
//! Every buffer address is affine in axis values, with static strides, plus rows chosen by an
//! i32 value ([`Coordinate::Row`]). An index of −1 reads as zero and drops a store.
//!
//! # Identity
//! Names are not part of a kernel's hash, and row counts are run-time slots, so layers of
//! equal shape share one kernel.

pub mod evaluate;
mod expr;
mod text;

pub use expr::{Address, Coordinate, Expr, ExprId, Guard};

use mm1_package::DType;
use serde::{Deserialize, Serialize};

/// Index into [`Kernel::axes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AxisId(pub u32);

/// Index into [`Kernel::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BufferId(pub u32);

/// Index into [`Kernel::stages`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StageId(pub u32);

/// Length of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AxisSize {
    /// Known when compiled.
    Fixed(u64),
    /// Read from the launch's extent with this number.
    Runtime(u32),
}

/// A range that stages iterate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Axis {
    /// Its length.
    pub size: AxisSize,
    /// Whether it spans the grid.
    pub parallel: bool,
}

/// One argument of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Buffer {
    /// Element type in memory.
    pub dtype: DType,
    /// Whether a stage stores to it. A buffer that is both loaded and stored is updated in
    /// place: each point is loaded before it is stored, at the same address.
    pub written: bool,
}

/// What the points of a softmax or a masked contraction see of an axis: key index j is visible
/// to query index i when begin(i) ≤ j < end(i) and, if causal, j ≤ i.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Axis of the queries.
    pub query: AxisId,
    /// Axis of the keys.
    pub key: AxisId,
    /// Whether key j > query i is invisible.
    pub causal: bool,
    /// i32 load (over axes without the key) of the first visible key.
    pub begin: Option<ExprId>,
    /// i32 load of one past the last visible key.
    pub end: Option<ExprId>,
}

/// Monoid of a [`StageKind::Reduce`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Monoid {
    /// Σ from 0.
    Sum,
    /// Largest, from −∞.
    Max,
}

/// One store of a map stage.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Store {
    /// Where.
    pub buffer: BufferId,
    /// At which element.
    pub address: Address,
    /// What; rounded if the buffer is bf16, a whole number if it is i32.
    pub value: ExprId,
}

/// What a stage does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StageKind {
    /// Evaluates and stores at each point of the domain.
    Map {
        /// Stores in order.
        stores: Vec<Store>,
    },
    /// Folds `value` over the reduced axes; tile result 0.
    Reduce {
        /// How.
        monoid: Monoid,
        /// What.
        value: ExprId,
    },
    /// Σ lhs·rhs over the reduced axes; tile result 0. Non-reduced axes that only lhs (or only rhs)
    /// depends on are its m (or n) axes, those of both are batch axes.
    Contract {
        /// Left factor.
        lhs: ExprId,
        /// Right factor.
        rhs: ExprId,
        /// `Bf16`: both factors are bf16 values and may be multiplied pairwise by
        /// bf16 instructions; otherwise f32.
        operands: DType,
        /// Invisible points contribute nothing.
        window: Option<Window>,
    },
    /// Over the one reduced axis j, with scores s(j) and values v(j): m = max s, l = Σ exp(s − m),
    /// a = Σ exp(s − m)·v. Tile results: 0 = a (domain without j), 1 = m, 2 = l (without j and
    /// without the axes that only v depends on). Invisible points contribute nothing; no visible
    /// point leaves m = −∞, l = 0, a = 0.
    SoftmaxContract {
        /// s.
        score: ExprId,
        /// v.
        value: ExprId,
        /// As for [`StageKind::Contract`]; then exp(s − m) is rounded to bf16 for a, not for l.
        operands: DType,
        /// Visible points.
        window: Option<Window>,
    },
    /// In order of the reduced axis: buffer\[address\] += value, where the address has a row
    /// coordinate that depends on the reduced axis; −1 is dropped. The other axes are parallel
    /// and the buffer was zeroed or holds what is added to.
    Scatter {
        /// Target, f32.
        buffer: BufferId,
        /// Element.
        address: Address,
        /// What is added.
        value: ExprId,
    },
}

/// One step of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stage {
    /// Axes, outermost first; the last is the one to vectorise if strides allow.
    pub domain: Vec<AxisId>,
    /// The part of the domain that is folded.
    pub reduced: Vec<AxisId>,
    /// What is computed.
    pub kind: StageKind,
}

/// One launch's work.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kernel {
    /// Readable name (`matmul+bias+gelu`); not part of the identity.
    pub name: String,
    /// Axes.
    pub axes: Vec<Axis>,
    /// Arguments in order.
    pub buffers: Vec<Buffer>,
    /// Expressions; an expression refers to earlier ones only.
    pub exprs: Vec<Expr>,
    /// Stages in order.
    pub stages: Vec<Stage>,
}

impl Kernel {
    /// An empty kernel.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            axes: Vec::new(),
            buffers: Vec::new(),
            exprs: Vec::new(),
            stages: Vec::new(),
        }
    }

    /// Adds an axis.
    pub fn axis(&mut self, size: AxisSize, parallel: bool) -> AxisId {
        self.axes.push(Axis { size, parallel });
        AxisId(self.axes.len() as u32 - 1)
    }

    /// Adds a buffer.
    pub fn buffer(&mut self, dtype: DType, written: bool) -> BufferId {
        self.buffers.push(Buffer { dtype, written });
        BufferId(self.buffers.len() as u32 - 1)
    }

    /// Run-time sizes that a launch passes: as many as the axes refer to.
    pub fn extents(&self) -> u32 {
        let slots = self.axes.iter().map(|axis| match axis.size {
            AxisSize::Fixed(_) => 0,
            AxisSize::Runtime(slot) => slot + 1,
        });
        slots.max().unwrap_or(0)
    }

    /// Adds an expression, or finds the equal one.
    pub fn expr(&mut self, expr: Expr) -> ExprId {
        let found = self.exprs.iter().position(|known| *known == expr);
        ExprId(found.unwrap_or_else(|| {
            self.exprs.push(expr);
            self.exprs.len() - 1
        }) as u32)
    }

    /// Adds a stage.
    pub fn stage(&mut self, domain: &[AxisId], reduced: &[AxisId], kind: StageKind) -> StageId {
        self.stages.push(Stage {
            domain: domain.to_vec(),
            reduced: reduced.to_vec(),
            kind,
        });
        StageId(self.stages.len() as u32 - 1)
    }

    /// The axis.
    pub fn axis_of(&self, id: AxisId) -> &Axis {
        &self.axes[id.0 as usize]
    }

    /// The expression.
    pub fn expr_of(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }

    /// Axes that the value of an expression depends on, ascending.
    pub fn axes_of_expr(&self, id: ExprId) -> Vec<AxisId> {
        let mut axes = Vec::new();
        self.collect_axes(id, &mut axes);
        axes.sort_unstable();
        axes.dedup();
        axes
    }

    fn collect_axes(&self, id: ExprId, axes: &mut Vec<AxisId>) {
        match self.expr_of(id) {
            Expr::Const(_) => {}
            Expr::Index(axis) => axes.push(*axis),
            Expr::Load {
                address, guards, ..
            } => {
                for (coordinate, _) in &address.terms {
                    match coordinate {
                        Coordinate::Axis(axis) => axes.push(*axis),
                        Coordinate::Row(row) => self.collect_axes(*row, axes),
                    }
                }
                for guard in guards {
                    axes.extend(guard.terms.iter().map(|(axis, _)| *axis));
                }
            }
            Expr::Tile { stage, result } => axes.extend(self.tile_axes(*stage, *result)),
            Expr::Unary(_, x) | Expr::Round(x) => self.collect_axes(*x, axes),
            Expr::Binary(_, a, b) => {
                self.collect_axes(*a, axes);
                self.collect_axes(*b, axes);
            }
            Expr::SelectEqual {
                a,
                b,
                then,
                otherwise,
            } => {
                for part in [a, b, then, otherwise] {
                    self.collect_axes(*part, axes);
                }
            }
        }
    }

    /// Axes that a tile result spans, in domain order.
    pub fn tile_axes(&self, stage: StageId, result: u32) -> Vec<AxisId> {
        let stage = &self.stages[stage.0 as usize];
        let mut axes: Vec<AxisId> = stage
            .domain
            .iter()
            .copied()
            .filter(|axis| !stage.reduced.contains(axis))
            .collect();
        if let StageKind::SoftmaxContract { score, .. } = stage.kind
            && result > 0
        {
            let of_score = self.axes_of_expr(score);
            axes.retain(|axis| of_score.contains(axis));
        }
        axes
    }

    /// Content hash: everything but the name.
    pub fn hash(&self) -> String {
        let text = format!(
            "{:?}{:?}{:?}{:?}",
            self.axes, self.buffers, self.exprs, self.stages
        );
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }
}
