//! The part that all kernels of groups share: axes, loads, stores and pointwise members.

use std::collections::BTreeMap;

use mm1_package::{DType, ExtentRef};

use super::group::Kind;
use super::storage::BufferKey;
use super::view::View;
use super::{Call, Emitter};
use crate::graph::{Dim, NodeId, Op, Value};
use crate::kernel::{
    Address, AxisId, AxisSize, BufferId, Coordinate, Expr, ExprId, Kernel, StageKind, Store,
};

/// A kernel under construction together with what it will run on.
pub(super) struct Build {
    pub kernel: Kernel,
    args: Vec<(BufferKey, u64)>,
    extents: Vec<ExtentRef>,
    /// Axes of the group's domain.
    pub axes: Vec<AxisId>,
    /// Sizes of the domain at their bounds.
    pub domain: Vec<u64>,
    /// Values of the group that are known as expressions over the domain.
    pub values: BTreeMap<Value, ExprId>,
    group: usize,
    pub flops: u64,
}

impl Emitter<'_> {
    /// Starts a kernel over the group's domain, all of whose axes are parallel.
    pub fn start(&self, group: usize) -> Build {
        let mut build = self.start_empty(group, "");
        for dim in self.groups.groups[group].domain.clone() {
            let axis = build.axis(dim, true);
            build.axes.push(axis);
            build.domain.push(self.groups.graph.bound(dim));
        }
        build
    }

    /// Starts a kernel without axes, named after the anchor's op.
    pub fn start_empty(&self, group: usize, suffix: &str) -> Build {
        let anchor = self.groups.groups[group].anchor;
        Build {
            kernel: Kernel::new(format!("{}{suffix}", op_word(self.groups.graph.op(anchor)))),
            args: Vec::new(),
            extents: Vec::new(),
            axes: Vec::new(),
            domain: Vec::new(),
            values: BTreeMap::new(),
            group,
            flops: 0,
        }
    }

    /// Appends the call.
    pub fn finish(&mut self, build: Build, name: NodeId, suffix: &str) {
        let name = format!("{}{suffix}", self.groups.graph.node(name).name);
        self.calls.push(Call {
            name,
            kernel: build.kernel,
            args: build.args,
            extents: build.extents,
            flops: build.flops,
        });
    }

    /// Operands of the group's anchor.
    pub fn anchor(&self, group: usize) -> (NodeId, Vec<Value>) {
        let anchor = self.groups.groups[group].anchor;
        (anchor, self.groups.graph.operands(anchor))
    }

    /// Loads a value from memory, or states it if it is a number, through a view over `axes`.
    pub fn load(
        &self,
        build: &mut Build,
        value: Value,
        axes: &[AxisId],
        view: &dyn Fn(View) -> Option<View>,
    ) -> Result<ExprId, String> {
        let graph = self.groups.graph;
        match self.groups.kinds[value.node.index()] {
            Kind::Number => {
                let Op::Splat(number) = graph.op(value.node) else {
                    return Err("a number is a splat".to_owned());
                };
                return Ok(build.kernel.expr(Expr::Const((*number as f32).to_bits())));
            }
            Kind::ReadCast => {
                let inner = self.load(build, graph.operands(value.node)[0], axes, view)?;
                return Ok(build.kernel.expr(Expr::Round(inner)));
            }
            Kind::Inline => return self.inline(build, value.node, axes, view),
            Kind::Source | Kind::View | Kind::Pointwise | Kind::Anchor => {}
        }
        let (base, read) = self.groups.resolve(value);
        if self.groups.kinds[base.node.index()] == Kind::ReadCast {
            let wanted = view(read).ok_or_else(|| self.unreadable(value))?;
            return self.load(build, base, axes, &|_| Some(wanted.clone()));
        }
        let wanted = view(read).ok_or_else(|| self.unreadable(value))?;
        let (key, place) = self
            .storage
            .place(base)
            .ok_or_else(|| format!("`{}` is not in memory", graph.value_name(base)))?;
        if !place.is_dense() {
            return Err(format!(
                "`{}` is read but has no memory of its own",
                graph.value_name(base)
            ));
        }
        let dtype = graph.ty(base).dtype;
        let buffer = build.buffer(*key, dtype, false);
        let address = address(&wanted, axes);
        Ok(build.kernel.expr(Expr::Load {
            buffer,
            address,
            guards: Vec::new(),
        }))
    }

    /// Evaluates a pointwise node where its only reader folds it.
    fn inline(
        &self,
        build: &mut Build,
        id: NodeId,
        axes: &[AxisId],
        view: &dyn Fn(View) -> Option<View>,
    ) -> Result<ExprId, String> {
        let graph = self.groups.graph;
        let node = graph.node(id);
        let dims = graph.bounds(&node.types[0]);
        let operands: Vec<ExprId> = graph
            .operands(id)
            .into_iter()
            .map(|operand| self.load(build, operand, axes, &|read| view(read.broadcast(&dims))))
            .collect::<Result<_, _>>()?;
        let expr = match (&node.op, &operands[..]) {
            (Op::Unary(function), [x]) => build.kernel.expr(Expr::Unary(*function, *x)),
            (Op::Binary(function), [a, b]) => build.kernel.expr(Expr::Binary(*function, *a, *b)),
            (Op::Cast, [x]) => *x,
            (op, _) => return Err(format!("{op:?} is not evaluated where it is read")),
        };
        Ok(if node.types[0].dtype == DType::Bf16 {
            build.kernel.expr(Expr::Round(expr))
        } else {
            expr
        })
    }

    fn unreadable(&self, value: Value) -> String {
        format!(
            "no strides read `{}` in this order",
            self.groups.graph.value_name(value)
        )
    }

    /// An operand of a pointwise member over the group's domain.
    fn operand(&self, build: &mut Build, value: Value, dims: &[u64]) -> Result<ExprId, String> {
        let (base, _) = self.groups.resolve(value);
        if let Some(expr) = build.values.get(&base) {
            return Ok(*expr);
        }
        let (axes, domain) = (build.axes.clone(), build.domain.clone());
        self.load(build, value, &axes, &|view| {
            view.broadcast(dims).reshape(&domain)
        })
    }

    /// Evaluates the pointwise members after the anchor and adds one map stage that stores all
    /// values that are needed elsewhere, the anchor's result among them.
    pub fn finish_domain(&self, build: &mut Build) -> Result<(), String> {
        let group = &self.groups.groups[build.group];
        for member in &group.members {
            if self.groups.kinds[member.index()] == Kind::Pointwise {
                let expr = self.pointwise(build, *member)?;
                build.values.insert((*member).into(), expr);
                if *member != group.anchor {
                    build.kernel.name.push('+');
                }
                build
                    .kernel
                    .name
                    .push_str(op_word(self.groups.graph.op(*member)));
            }
        }
        let mut stores = Vec::new();
        for (value, expr) in build.values.clone() {
            if let Some((key, place)) = self.storage.place(value).cloned() {
                let view = place
                    .reshape(&build.domain)
                    .ok_or_else(|| self.unreadable(value))?;
                let buffer = build.buffer(key, self.groups.graph.ty(value).dtype, true);
                stores.push(Store {
                    buffer,
                    address: address(&view, &build.axes),
                    value: expr,
                });
            }
        }
        let axes = build.axes.clone();
        build.kernel.stage(&axes, &[], StageKind::Map { stores });
        Ok(())
    }

    fn pointwise(&self, build: &mut Build, id: NodeId) -> Result<ExprId, String> {
        let graph = self.groups.graph;
        let node = graph.node(id);
        let operands = graph.operands(id);
        let dims = graph.bounds(&node.types[0]);
        let expr = match &node.op {
            Op::Unary(function) => {
                let x = self.operand(build, operands[0], &dims)?;
                build.kernel.expr(Expr::Unary(*function, x))
            }
            Op::Binary(function) => {
                let a = self.operand(build, operands[0], &dims)?;
                let b = self.operand(build, operands[1], &dims)?;
                build.kernel.expr(Expr::Binary(*function, a, b))
            }
            Op::Cast | Op::Broadcast => self.operand(build, operands[0], &dims)?,
            // A copy walks its operand's sizes.
            Op::Reshape => {
                let axes = build.axes.clone();
                self.load(build, operands[0], &axes, &Some)?
            }
            Op::Transpose(permutation) => {
                let axes = build.axes.clone();
                self.load(build, operands[0], &axes, &|view| {
                    Some(view.transpose(permutation))
                })?
            }
            Op::Slice { axis, start } => {
                let axes = build.axes.clone();
                self.load(build, operands[0], &axes, &|view| {
                    Some(view.slice(*axis, *start, dims[*axis]))
                })?
            }
            Op::GatherRows | Op::TakeRows => self.gather(build, &operands, &dims)?,
            op => return Err(format!("{op:?} is not pointwise")),
        };
        Ok(if node.types[0].dtype == DType::Bf16 {
            build.kernel.expr(Expr::Round(expr))
        } else {
            expr
        })
    }

    fn gather(
        &self,
        build: &mut Build,
        operands: &[Value],
        dims: &[u64],
    ) -> Result<ExprId, String> {
        let (axes, domain) = (build.axes.clone(), build.domain.clone());
        let row = self.load(build, operands[1], &axes, &|view| {
            self.groups.row_view(&view, dims, &domain)
        })?;
        let (base, table) = self.groups.resolve(operands[0]);
        let (key, place) = self
            .storage
            .place(base)
            .ok_or("the table is not in memory")?;
        if !place.is_dense() {
            return Err("the table has no memory of its own".to_owned());
        }
        let mut columns = View {
            offset: table.offset,
            dims: dims.to_vec(),
            strides: vec![0; dims.len()],
        };
        if let Some(last) = columns.strides.last_mut() {
            *last = table.strides[1];
        }
        let columns = columns
            .reshape(&domain)
            .ok_or("the rows do not span the domain")?;
        let mut address = address(&columns, &axes);
        address.terms.push((Coordinate::Row(row), table.strides[0]));
        let buffer = build.buffer(*key, self.groups.graph.ty(base).dtype, false);
        Ok(build.kernel.expr(Expr::Load {
            buffer,
            address,
            guards: Vec::new(),
        }))
    }

    /// A group of pointwise nodes only.
    pub fn emit_map(&mut self, group: usize) -> Result<(), String> {
        let (anchor, _) = self.anchor(group);
        if super::storage::accumulated(self.groups, anchor).is_some() {
            return Ok(());
        }
        let mut build = self.start(group);
        build.kernel.name.clear();
        self.finish_domain(&mut build)?;
        build.merge_axes();
        self.finish(build, anchor, "");
        Ok(())
    }
}

impl Build {
    /// Adds an axis of a graph size.
    pub fn axis(&mut self, dim: Dim, parallel: bool) -> AxisId {
        let size = match dim {
            Dim::Fixed(n) => AxisSize::Fixed(n),
            Dim::Scaled { extent, scale } => AxisSize::Runtime(self.slot(ExtentRef::Scaled {
                index: extent.0,
                scale,
            })),
        };
        self.kernel.axis(size, parallel)
    }

    /// The slot of a run-time size.
    pub fn slot(&mut self, extent: ExtentRef) -> u32 {
        self.extents.push(extent);
        self.extents.len() as u32 - 1
    }

    /// The kernel's number for a buffer from its first element.
    pub fn buffer(&mut self, key: BufferKey, dtype: DType, written: bool) -> BufferId {
        self.buffer_from(key, 0, dtype, written)
    }

    /// The kernel's number for a buffer from an element on (rows of a chunk).
    pub fn buffer_from(
        &mut self,
        key: BufferKey,
        first: u64,
        dtype: DType,
        written: bool,
    ) -> BufferId {
        if let Some(found) = self.args.iter().position(|known| *known == (key, first)) {
            self.kernel.buffers[found].written |= written;
            return BufferId(found as u32);
        }
        self.args.push((key, first));
        self.kernel.buffer(dtype, written)
    }

    /// Joins neighbouring axes of a kernel of one map stage where every address allows it.
    pub fn merge_axes(&mut self) {
        let mut at = 0;
        while at + 1 < self.axes.len() {
            let (outer, inner) = (self.axes[at], self.axes[at + 1]);
            // No address depends on an axis of one element.
            if self.kernel.axis_of(outer).size == AxisSize::Fixed(1) {
                self.drop_axis(outer);
                self.axes.remove(at);
                continue;
            }
            let AxisSize::Fixed(inner_size) = self.kernel.axis_of(inner).size else {
                at += 1;
                continue;
            };
            let fits = |address: &Address| {
                address.stride(outer) == address.stride(inner) * inner_size as i64
            };
            let loads = self.kernel.exprs.iter().all(|expr| match expr {
                Expr::Load { address, .. } => fits(address),
                Expr::Index(axis) => *axis != outer && *axis != inner,
                _ => true,
            });
            let stores = self.kernel.stages.iter().all(|stage| match &stage.kind {
                StageKind::Map { stores } => stores.iter().all(|store| fits(&store.address)),
                _ => false,
            });
            if !loads || !stores {
                at += 1;
                continue;
            }
            self.kernel.axes[inner.0 as usize].size = match self.kernel.axis_of(outer).size {
                AxisSize::Fixed(outer_size) => AxisSize::Fixed(outer_size * inner_size),
                AxisSize::Runtime(slot) => {
                    self.extents[slot as usize] = match self.extents[slot as usize] {
                        ExtentRef::Fixed(n) => ExtentRef::Fixed(n * inner_size),
                        ExtentRef::Scaled { index, scale } => ExtentRef::Scaled {
                            index,
                            scale: scale * inner_size,
                        },
                    };
                    AxisSize::Runtime(slot)
                }
            };
            self.drop_axis(outer);
            self.axes.remove(at);
        }
        self.renumber_axes();
    }

    fn drop_axis(&mut self, axis: AxisId) {
        let clean = |address: &mut Address| {
            address
                .terms
                .retain(|(coordinate, _)| *coordinate != Coordinate::Axis(axis))
        };
        for expr in &mut self.kernel.exprs {
            if let Expr::Load { address, .. } = expr {
                clean(address);
            }
        }
        for stage in &mut self.kernel.stages {
            stage.domain.retain(|known| *known != axis);
            if let StageKind::Map { stores } = &mut stage.kind {
                stores
                    .iter_mut()
                    .for_each(|store| clean(&mut store.address));
            }
        }
    }

    /// Removes axes that no stage iterates, so that equal kernels have equal numbers.
    fn renumber_axes(&mut self) {
        let used: Vec<bool> = (0..self.kernel.axes.len())
            .map(|axis| {
                self.kernel
                    .stages
                    .iter()
                    .any(|stage| stage.domain.contains(&AxisId(axis as u32)))
            })
            .collect();
        let number: Vec<u32> = used
            .iter()
            .scan(0, |next, used| {
                let own = *next;
                *next += u32::from(*used);
                Some(own)
            })
            .collect();
        let rename = |axis: &mut AxisId| axis.0 = number[axis.0 as usize];
        let fix = |address: &mut Address| {
            for (coordinate, _) in &mut address.terms {
                if let Coordinate::Axis(axis) = coordinate {
                    axis.0 = number[axis.0 as usize];
                }
            }
            address
                .terms
                .sort_by_key(|(coordinate, stride)| (format!("{coordinate:?}"), *stride));
        };
        for expr in &mut self.kernel.exprs {
            match expr {
                Expr::Load { address, .. } => fix(address),
                Expr::Index(axis) => rename(axis),
                _ => {}
            }
        }
        for stage in &mut self.kernel.stages {
            stage.domain.iter_mut().for_each(rename);
            if let StageKind::Map { stores } = &mut stage.kind {
                stores.iter_mut().for_each(|store| fix(&mut store.address));
            }
        }
        let axes = std::mem::take(&mut self.kernel.axes);
        self.kernel.axes = axes
            .into_iter()
            .zip(&used)
            .filter(|(_, used)| **used)
            .map(|(axis, _)| axis)
            .collect();
        self.axes.iter_mut().for_each(rename);
    }
}

/// The address of a view over axes; stretched axes and axes of size 1 do not count.
pub(super) fn address(view: &View, axes: &[AxisId]) -> Address {
    debug_assert_eq!(view.strides.len(), axes.len());
    let terms = view
        .strides
        .iter()
        .zip(axes)
        .zip(&view.dims)
        .filter(|((stride, _), dim)| **stride != 0 && **dim != 1)
        .map(|((stride, axis), _)| (Coordinate::Axis(*axis), *stride))
        .collect();
    Address {
        offset: view.offset,
        terms,
    }
}

/// A short word for kernel names.
pub(super) fn op_word(op: &Op) -> &'static str {
    use crate::graph::{Binary, Unary};
    match op {
        Op::Input(_) => "input",
        Op::Constant(_) | Op::Splat(_) => "constant",
        Op::Reshape | Op::Transpose(_) | Op::Slice { .. } | Op::Broadcast | Op::After => "copy",
        Op::Concat { .. } => "concat",
        Op::GatherRows => "gather",
        Op::ScatterAddRows => "scatter",
        Op::UpdateRows => "update",
        Op::Unary(function) => match function {
            Unary::Neg => "neg",
            Unary::Exp => "exp",
            Unary::Log => "log",
            Unary::Sqrt => "sqrt",
            Unary::Rsqrt => "rsqrt",
            Unary::Reciprocal => "reciprocal",
            Unary::Square => "square",
            Unary::Relu => "relu",
            Unary::Step => "step",
            Unary::Tanh => "tanh",
            Unary::Sigmoid => "sigmoid",
            Unary::Erf => "erf",
            Unary::Gelu | Unary::GeluTanh | Unary::QuickGelu => "gelu",
            Unary::GeluGrad | Unary::GeluTanhGrad | Unary::QuickGeluGrad => "gelu_slope",
            Unary::Silu => "silu",
            Unary::SiluGrad => "silu_slope",
        },
        Op::Binary(function) => match function {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Max => "max",
            Binary::Min => "min",
            Binary::Equal => "equal",
            Binary::Less => "less",
        },
        Op::Cast => "cast",
        Op::Reduce { .. } => "reduce",
        Op::MatMul { .. } => "matmul",
        Op::Softmax => "softmax",
        Op::TopK { .. } => "top",
        Op::SortChoices { .. } => "sort",
        Op::TakeRows => "take",
        Op::SumRows => "sum_rows",
        Op::GroupedMatMul { .. } => "grouped_matmul",
        Op::GroupedMatMulWeightGrad => "grouped_matmul_weight_grad",
        Op::Norm { .. } => "norm",
        Op::NormInputGrad { .. } => "norm_grad",
        Op::NormWeightGrad { .. } => "norm_weight_grad",
        Op::Rotary { .. } => "rotary",
        Op::Attention { .. } => "attention",
        Op::AttentionGrad { .. } => "attention_grad",
        Op::DepthwiseConv2d { .. } => "depthwise",
        Op::DepthwiseConv2dWeightGrad { .. } => "depthwise_weight_grad",
        Op::CrossEntropy => "cross_entropy",
        Op::LinearCrossEntropy { .. } => "linear_cross_entropy",
        Op::AdamW { .. } => "adamw",
    }
}
