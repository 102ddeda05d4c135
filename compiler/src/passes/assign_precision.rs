//! Mixed precision: contractions read bf16, what must be exact stays f32.
//!
//! Runs after differentiation and treats forward and backward alike.
//!
//! - A contraction (matmul, attention, depthwise convolution, linear cross-entropy, and their
//!   derivatives) reads its operands through casts `NAME.bf16`. Sums are f32 inside.
//! - Its result is bf16, but f32 where it leaves the graph or becomes a parameter's gradient or
//!   logits, and, if the residual stream is f32, where it enters that.
//! - A bias or another parameter meets a contraction's result in f32; the sum is rounded, once.
//! - Pointwise functions keep their operands' type, f32 where types differ.
//! - A contraction with a constant table (pooling, resampling) reads its operands as they are,
//!   since rounded weights would no longer sum to one; the result is typed as what is resampled.
//! - The residual stream is found by its shape: a sum of a value and something computed from it,
//!   forward (x + f(x)) as well as backward. An f32 stream is f32 from its first value on.
//! - Scores of experts are the f32 sums of their contraction.
//! - Norms, softmax, cross-entropy, rotary and reductions read anything; they are f32 inside.
//! - Parameters, their gradients, the optimizer and all inputs and outputs keep their types.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Binary, DType, Graph, InputRole, NodeId, Op, Value, infer};

/// Puts in casts and assigns element types; `residual` is f32 or bf16.
pub fn assign_precision(graph: &mut Graph, residual: DType) {
    let outputs: Vec<DType> = graph
        .outputs
        .iter()
        .map(|output| graph.ty(output.value).dtype)
        .collect();
    let capacity = graph.capacity();
    let mut pass = Assign {
        graph,
        residual,
        casts: BTreeMap::new(),
        unrounded: Vec::new(),
        residual_sums: Vec::new(),
        wants: vec![Vec::new(); capacity],
    };
    let order = pass.graph.topological();
    pass.residual_sums = pass.find_residual_sums(&order);
    for id in order.iter().rev() {
        let results = pass.graph.node(*id).types.len() as u32;
        pass.wants[id.index()] = (0..results)
            .map(|result| pass.find_wish(Value::from(*id).sibling(result)))
            .collect();
    }
    for id in order {
        pass.visit(id);
    }
    for (index, dtype) in outputs.into_iter().enumerate() {
        let value = pass.graph.outputs[index].value;
        pass.graph.outputs[index].value = pass.cast(value, dtype);
    }
}

struct Assign<'a> {
    graph: &'a mut Graph,
    residual: DType,
    /// Casts made so far.
    casts: BTreeMap<(Value, DType), Value>,
    /// f32 results of contractions that are rounded after a parameter is added.
    unrounded: Vec<Value>,
    /// By node index: x + f(x).
    residual_sums: Vec<bool>,
    /// By node index and result: whether rounding it would be seen where bf16 is not wanted.
    wants: Vec<Vec<bool>>,
}

impl Assign<'_> {
    fn find_residual_sums(&self, order: &[NodeId]) -> Vec<bool> {
        let mut place = vec![0; self.graph.capacity()];
        for (index, id) in order.iter().enumerate() {
            place[id.index()] = index;
        }
        let mut found = vec![false; self.graph.capacity()];
        for id in order.iter().copied() {
            if !matches!(self.graph.op(id), Op::Binary(Binary::Add)) {
                continue;
            }
            let operands = self.graph.operands(id);
            let (a, b) = (operands[0].node, operands[1].node);
            let (skip, branch) = if place[a.index()] < place[b.index()] {
                (a, b)
            } else {
                (b, a)
            };
            found[id.index()] = !matches!(self.graph.op(skip), Op::Input(_) | Op::Splat(_))
                && self.depends(branch, skip, &place);
        }
        found
    }

    /// Whether `node` is computed from `source`; only what stands between them is searched.
    fn depends(&self, node: NodeId, source: NodeId, place: &[usize]) -> bool {
        let mut seen = BTreeSet::new();
        let mut pending = vec![node];
        while let Some(id) = pending.pop() {
            if id == source {
                return true;
            }
            if place[id.index()] > place[source.index()] && seen.insert(id) {
                pending.extend(self.graph.operands(id).iter().map(|value| value.node));
            }
        }
        false
    }

    fn in_residual_sum(&self, user: NodeId) -> bool {
        self.residual == DType::F32
            && self
                .residual_sums
                .get(user.index())
                .copied()
                .unwrap_or(false)
    }

    fn dtype(&self, value: Value) -> DType {
        self.graph.ty(value).dtype
    }

    fn set_dtype(&mut self, value: Value, dtype: DType) {
        let ty = self.graph.ty(value).with_dtype(dtype);
        self.graph.set_type(value, ty);
    }

    /// The value in another element type.
    fn cast(&mut self, value: Value, dtype: DType) -> Value {
        if self.dtype(value) == dtype || self.dtype(value) == DType::I32 {
            return value;
        }
        if let Some(known) = self.casts.get(&(value, dtype)) {
            return *known;
        }
        let name = format!("{}.{dtype}", self.graph.value_name(value));
        let ty = self.graph.ty(value).with_dtype(dtype);
        let cast = self.graph.add_typed(name, Op::Cast, vec![ty], &[value]);
        if let Some(span) = self.graph.node(value.node).span {
            self.graph.set_span(cast, span);
        }
        self.casts.insert((value, dtype), cast.into());
        cast.into()
    }

    fn cast_operands(&mut self, id: NodeId, which: std::ops::Range<usize>, dtype: DType) {
        let operands = self.graph.operands(id);
        for index in which {
            let cast = self.cast(operands[index], dtype);
            if cast != operands[index] {
                self.graph.set_operand(id, index as u32, cast);
            }
        }
    }

    /// Makes all users read the value rounded to bf16.
    fn round(&mut self, value: Value) {
        let rounded = self.cast(value, DType::Bf16);
        self.graph.replace_uses(value, rounded);
    }

    /// Result types that follow from the operands.
    fn retype(&mut self, id: NodeId) {
        let operands = self.graph.operands(id);
        match self.graph.op(id) {
            Op::Input(_)
            | Op::Constant(_)
            | Op::Splat(_)
            | Op::Cast
            | Op::ScatterAddRows
            | Op::GroupedMatMul { .. }
            | Op::GroupedMatMulWeightGrad
            | Op::MatMul { .. } => {}
            Op::Reshape | Op::Broadcast | Op::Slice { .. } => {
                let dtype = self.dtype(operands[0]);
                self.set_dtype(id.into(), dtype);
            }
            op => {
                let types: Vec<_> = operands.iter().map(|value| self.graph.ty(*value)).collect();
                // Only element types changed, so that what fitted still fits.
                if let Ok(results) = infer(self.graph, op, &types) {
                    for (result, ty) in results.into_iter().enumerate() {
                        self.graph
                            .set_type(Value::from(id).sibling(result as u32), ty);
                    }
                }
            }
        }
    }

    fn visit(&mut self, id: NodeId) {
        let value = Value::from(id);
        match self.graph.op(id).clone() {
            Op::MatMul { .. } | Op::GroupedMatMul { .. } => self.matmul(id),
            // The gradient of a parameter stays f32.
            Op::GroupedMatMulWeightGrad => self.cast_operands(id, 0..2, DType::Bf16),
            Op::Attention { .. } => self.cast_operands(id, 0..3, DType::Bf16),
            // Not the log-sum-exp, which follows.
            Op::AttentionGrad { .. } => self.cast_operands(id, 0..5, DType::Bf16),
            Op::DepthwiseConv2d { .. }
            | Op::DepthwiseConv2dWeightGrad { .. }
            | Op::LinearCrossEntropy { .. } => self.cast_operands(id, 0..2, DType::Bf16),
            Op::Binary(_) => return self.binary(id),
            Op::Concat { .. } => self.concat(id),
            Op::UpdateRows => {
                let table = self.dtype(self.graph.operands(id)[0]);
                self.cast_operands(id, 1..2, table);
            }
            Op::AdamW { .. } => {
                let parameter = self.dtype(self.graph.operands(id)[0]);
                self.cast_operands(id, 1..4, parameter);
            }
            Op::GatherRows if self.residual == DType::Bf16 => {
                self.retype(id);
                // An embedding enters the residual stream.
                if self.dtype(value) == DType::F32
                    && self.is_parameter(value)
                    && !self.wants_f32(value)
                {
                    self.round(value);
                }
                return;
            }
            _ => {}
        }
        self.retype(id);
    }

    fn matmul(&mut self, id: NodeId) {
        let value = Value::from(id);
        let operands = self.graph.operands(id);
        let table = operands[..2]
            .iter()
            .position(|operand| self.is_constant(*operand));
        if let Some(table) = table {
            let resampled = self.dtype(operands[1 - table]);
            self.set_dtype(value, resampled);
            return;
        }
        self.cast_operands(id, 0..2, DType::Bf16);
        if self.wants_f32(value) {
            self.set_dtype(value, DType::F32);
        } else if self.only_meets_parameters(value) {
            self.set_dtype(value, DType::F32);
            self.unrounded.push(value);
        } else {
            self.set_dtype(value, DType::Bf16);
        }
    }

    fn binary(&mut self, id: NodeId) {
        if self.in_residual_sum(id) {
            self.cast_operands(id, 0..2, DType::F32);
        }
        self.retype(id);
        let value = Value::from(id);
        if self.dtype(value) != DType::F32 {
            return;
        }
        let operands = self.graph.operands(id);
        let narrow = |pass: &Self, operand: &Value| {
            pass.dtype(*operand) == DType::Bf16 || pass.unrounded.contains(operand)
        };
        let mixes = operands.iter().any(|operand| narrow(self, operand));
        let rest_follows = operands.iter().all(|operand| {
            narrow(self, operand) || self.residual == DType::Bf16 || self.is_parameter(*operand)
        });
        if !mixes || !rest_follows || self.wants_f32(value) {
            return;
        }
        if self.only_meets_parameters(value) {
            self.unrounded.push(value);
        } else {
            self.round(value);
        }
    }

    /// Parts of one type: gaps follow the rest, then the residual stream's type decides.
    fn concat(&mut self, id: NodeId) {
        let operands = self.graph.operands(id);
        let narrow = |pass: &Self, value: &Value| pass.dtype(*value) == DType::Bf16;
        if !operands.iter().any(|operand| narrow(self, operand)) {
            return;
        }
        let only_gaps = operands.iter().all(|operand| {
            narrow(self, operand) || matches!(self.graph.op(operand.node), Op::Splat(_))
        });
        let dtype = if only_gaps {
            DType::Bf16
        } else {
            self.residual
        };
        self.cast_operands(id, 0..operands.len(), dtype);
    }

    /// Whether a value is a constant seen through movement.
    fn is_constant(&self, value: Value) -> bool {
        match self.graph.op(value.node) {
            Op::Constant(_) => true,
            Op::Reshape | Op::Transpose(_) | Op::Slice { .. } | Op::Broadcast => {
                self.is_constant(self.graph.operands(value.node)[0])
            }
            _ => false,
        }
    }

    /// Whether a value is a parameter or number seen through movement.
    fn is_parameter(&self, value: Value) -> bool {
        match self.graph.op(value.node) {
            Op::Input(InputRole::Parameter(_)) | Op::Constant(_) | Op::Splat(_) => true,
            Op::Reshape
            | Op::Transpose(_)
            | Op::Slice { .. }
            | Op::Broadcast
            | Op::GatherRows
            | Op::TakeRows
            | Op::Cast => self.is_parameter(self.graph.operands(value.node)[0]),
            _ => false,
        }
    }

    /// Whether every use adds, subtracts or multiplies a parameter.
    fn only_meets_parameters(&self, value: Value) -> bool {
        let users = self.users(value);
        !users.is_empty()
            && users.iter().all(|(user, operand)| {
                matches!(self.graph.op(*user), Op::Binary(_))
                    && self
                        .other(*user, *operand)
                        .is_some_and(|other| self.is_wide_parameter(other))
            })
    }

    /// A parameter or tensor of numbers; a scalar takes the other operand's type anyway.
    fn is_wide_parameter(&self, value: Value) -> bool {
        self.dtype(value) == DType::F32
            && self.graph.ty(value).rank() > 0
            && self.is_parameter(value)
    }

    fn users(&self, value: Value) -> Vec<(NodeId, u32)> {
        let users = self.graph.users(value.node).into_iter();
        users
            .filter(|(_, _, result)| *result == value.result)
            .map(|(user, operand, _)| (user, operand))
            .collect()
    }

    /// The other operand of a pointwise function of two.
    fn other(&self, user: NodeId, operand: u32) -> Option<Value> {
        self.graph.operands(user).get(1 - operand as usize).copied()
    }

    fn wants_f32(&self, value: Value) -> bool {
        let results = self.wants.get(value.node.index());
        let wish = results.and_then(|results| results.get(value.result as usize));
        wish.copied().unwrap_or(false)
    }

    /// The wish of a value from those of its users' results.
    fn find_wish(&self, value: Value) -> bool {
        let mut outputs = self.graph.outputs.iter();
        outputs.any(|output| output.value == value)
            || self
                .users(value)
                .into_iter()
                .any(|(user, operand)| self.use_wants_f32(user, operand))
    }

    fn use_wants_f32(&self, user: NodeId, operand: u32) -> bool {
        match self.graph.op(user) {
            Op::Reshape
            | Op::Transpose(_)
            | Op::Slice { .. }
            | Op::Broadcast
            | Op::Concat { .. }
            | Op::Reduce { .. }
            | Op::Unary(_) => self.wants_f32(user.into()),
            Op::GatherRows | Op::TakeRows | Op::SumRows | Op::Norm { .. } => {
                operand == 0 && self.wants_f32(user.into())
            }
            // Experts are chosen by unrounded scores.
            Op::Softmax | Op::TopK { .. } => true,
            Op::Binary(Binary::Add | Binary::Sub) => {
                self.in_residual_sum(user) || self.wants_f32(user.into())
            }
            Op::Binary(_) => self
                .other(user, operand)
                .is_some_and(|other| self.is_parameter(other) && self.wants_f32(user.into())),
            Op::AdamW { .. } | Op::CrossEntropy => true,
            _ => false,
        }
    }
}
