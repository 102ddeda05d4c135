//! Which nodes share a kernel.
//!
//! Nodes are visited in topological order. A composite, a contraction or a reduction starts a
//! group as its **anchor**. A pointwise node joins the latest group that produces one of its
//! operands over the same elements, so it becomes part of that kernel's epilogue; else it
//! starts a group of its own. A join is legal if it leaves the graph of groups acyclic. Views are
//! not grouped: they are read through strides, and where no strides say what a reshape means,
//! it becomes a copy.
//!
//! Groups do not cross the components encoder, connector, decoder and head/loss, so a component
//! that is equal in two variants has equal kernels.

use std::collections::BTreeSet;

use crate::fuse::view::View;
use crate::graph::{Dim, Graph, InputRole, NodeId, Op, Value};

/// How fusion treats a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lives in a region that the runtime fills.
    Source,
    /// A number known when compiled.
    Number,
    /// Read through strides.
    View,
    /// f32 → bf16 of a source, done where it is read.
    ReadCast,
    /// One expression per element.
    Pointwise,
    /// A pointwise node that only a reduction reads, evaluated there.
    Inline,
    /// Has kernels of its own; may take an epilogue.
    Anchor,
}

/// Nodes that share kernels.
#[derive(Clone, Debug)]
pub struct Group {
    /// First node.
    pub anchor: NodeId,
    /// Nodes in topological order, the anchor first.
    pub members: Vec<NodeId>,
    /// Sizes over which pointwise members are evaluated.
    pub domain: Vec<Dim>,
    /// Other groups whose results it reads.
    pub reads: BTreeSet<usize>,
}

/// The partition of a graph.
pub struct Groups<'g> {
    /// The graph.
    pub graph: &'g Graph,
    /// Treatment by node index.
    pub kinds: Vec<Kind>,
    /// For view nodes: what they read and how.
    views: Vec<Option<(Value, View)>>,
    /// Groups that must run before the readers of a view or an inline node, though these read
    /// nothing of them.
    waits: Vec<Vec<usize>>,
    /// Groups in order of creation.
    pub groups: Vec<Group>,
    /// Group by node index.
    pub group_of: Vec<Option<usize>>,
}

impl<'g> Groups<'g> {
    /// Partitions a graph.
    pub fn new(graph: &'g Graph) -> Self {
        let capacity = graph.capacity();
        let mut groups = Self {
            graph,
            kinds: vec![Kind::Source; capacity],
            views: vec![None; capacity],
            waits: vec![Vec::new(); capacity],
            groups: Vec::new(),
            group_of: vec![None; capacity],
        };
        for id in graph.topological() {
            groups.classify(id);
            match groups.kinds[id.index()] {
                Kind::Pointwise => groups.place(id),
                Kind::Anchor => groups.start(id),
                Kind::Source | Kind::Number | Kind::View | Kind::ReadCast | Kind::Inline => {}
            }
        }
        groups
    }

    /// Sizes at their bounds.
    pub fn bounds(&self, dims: &[Dim]) -> Vec<u64> {
        dims.iter().map(|dim| self.graph.bound(*dim)).collect()
    }

    /// Uses of a node's results that read them: (user, operand index, result).
    pub fn readers_of(&self, id: NodeId) -> impl Iterator<Item = (NodeId, u32, u32)> {
        self.graph
            .users(id)
            .into_iter()
            .filter(|(user, operand, _)| {
                *operand == 0 || !matches!(self.graph.op(*user), Op::After)
            })
    }

    /// Groups that read a source, through views too.
    pub fn readers(&self, source: NodeId) -> Vec<usize> {
        let mut stack = vec![source];
        let mut readers = Vec::new();
        while let Some(node) = stack.pop() {
            for (user, _, _) in self.readers_of(node) {
                match self.kinds[user.index()] {
                    Kind::View | Kind::ReadCast | Kind::Inline => stack.push(user),
                    _ => readers.extend(self.group_of[user.index()]),
                }
            }
        }
        readers
    }

    /// What a value reads: itself densely, or another value through strides.
    pub fn resolve(&self, value: Value) -> (Value, View) {
        match &self.views[value.node.index()] {
            Some((base, view)) => (*base, view.clone()),
            None => (value, View::dense(&self.graph.bounds(self.graph.ty(value)))),
        }
    }

    fn classify(&mut self, id: NodeId) {
        let op = self.graph.op(id);
        let kind = match op {
            Op::Input(_) | Op::Constant(_) => Kind::Source,
            Op::Splat(_) => Kind::Number,
            Op::Reshape | Op::Transpose(_) | Op::Slice { .. } | Op::Broadcast | Op::After => {
                self.view(id)
            }
            Op::Cast => {
                let (base, _) = self.resolve(self.graph.operands(id)[0]);
                let is_parameter =
                    matches!(self.graph.op(base.node), Op::Input(InputRole::Parameter(_)));
                let only_read_by_contractions = self.readers_of(id).all(|(user, _, _)| {
                    matches!(
                        self.graph.op(user),
                        Op::MatMul { .. }
                            | Op::GroupedMatMul { .. }
                            | Op::LinearCrossEntropy { .. }
                    )
                }) && self
                    .graph
                    .outputs
                    .iter()
                    .all(|output| output.value.node != id);
                let dense = self.resolve(self.graph.operands(id)[0]).1.is_dense();
                if is_parameter && dense && only_read_by_contractions {
                    Kind::ReadCast
                } else {
                    Kind::Pointwise
                }
            }
            Op::Unary(_) | Op::Binary(_) if self.only_folded(id) || self.only_joined(id) => {
                Kind::Inline
            }
            Op::Unary(_) | Op::Binary(_) | Op::GatherRows | Op::TakeRows => Kind::Pointwise,
            _ => Kind::Anchor,
        };
        self.kinds[id.index()] = kind;
        if kind == Kind::Inline {
            let operands = self.graph.operands(id).into_iter();
            self.waits[id.index()] = operands
                .flat_map(|operand| self.waits[operand.node.index()].clone())
                .collect();
        }
    }

    /// Whether one pointwise node is the only reader of a pointwise node that waits: it then needs
    /// no memory, and no kernel of its own.
    fn only_joined(&self, id: NodeId) -> bool {
        let operands = self.graph.operands(id);
        let waits = operands
            .iter()
            .any(|operand| !self.waits[operand.node.index()].is_empty());
        let in_memory = operands.iter().all(|operand| {
            let base = self.resolve(*operand).0.node;
            !self.waits[operand.node.index()].is_empty()
                || matches!(self.kinds[base.index()], Kind::Source | Kind::Number)
        });
        let mut outputs = self.graph.outputs.iter();
        waits
            && in_memory
            && outputs.all(|output| output.value.node != id)
            && match self.readers_of(id).collect::<Vec<_>>()[..] {
                [(user, _, _)] => matches!(self.graph.op(user), Op::Unary(_) | Op::Binary(_)),
                _ => false,
            }
    }

    /// Whether a reduction is the only reader of a pointwise node whose operands are in memory.
    fn only_folded(&self, id: NodeId) -> bool {
        let folded = match self.readers_of(id).collect::<Vec<_>>()[..] {
            [(user, _, _)] => matches!(self.graph.op(user), Op::Reduce { .. }),
            _ => false,
        };
        folded
            && self
                .graph
                .outputs
                .iter()
                .all(|output| output.value.node != id)
            && self.graph.operands(id).iter().all(|operand| {
                // A value that could take this node as its epilogue is better left to do so.
                let base = self.resolve(*operand).0.node;
                matches!(
                    self.kinds[base.index()],
                    Kind::Source | Kind::Number | Kind::Inline
                ) || self.readers_of(base).count() > 1
            })
    }

    fn view(&mut self, id: NodeId) -> Kind {
        let operand = self.graph.operands(id)[0];
        let (base, view) = self.resolve(operand);
        let dims = self.graph.bounds(&self.graph.node(id).types[0]);
        // A number has no memory to view: stretching it is a map.
        if self.kinds[base.node.index()] == Kind::Number {
            return Kind::Pointwise;
        }
        let read = match self.graph.op(id) {
            Op::Reshape => view.reshape(&dims),
            Op::Transpose(permutation) => Some(view.transpose(permutation)),
            Op::Slice { axis, start } => Some(view.slice(*axis, *start, dims[*axis])),
            Op::After => Some(view),
            _ => Some(view.broadcast(&dims)),
        };
        let mut waits = self.waits[operand.node.index()].clone();
        if let (Op::After, [_, other]) = (self.graph.op(id), &self.graph.operands(id)[..]) {
            waits.extend(self.groups_behind(vec![*other]));
        }
        self.waits[id.index()] = waits;
        let is_output = self
            .graph
            .outputs
            .iter()
            .any(|output| output.value.node == id);
        match read {
            // What the caller reads is dense.
            Some(view) if is_output && !view.is_dense() => Kind::Pointwise,
            Some(view) => {
                self.views[id.index()] = Some((base, view));
                Kind::View
            }
            None => Kind::Pointwise,
        }
    }

    fn start(&mut self, id: NodeId) {
        let ty = &self.graph.node(id).types[0];
        // A copy walks its operand's sizes: its own admit no strides.
        let domain = match self.graph.op(id) {
            Op::Reshape => self.graph.ty(self.graph.operands(id)[0]).dims.clone(),
            _ => ty.dims.clone(),
        };
        let reads = self.read_groups(id).into_iter().collect();
        self.group_of[id.index()] = Some(self.groups.len());
        self.groups.push(Group {
            anchor: id,
            members: vec![id],
            domain,
            reads,
        });
    }

    /// Joins a pointwise node to a producer's group or starts one.
    fn place(&mut self, id: NodeId) {
        let mut candidates: Vec<usize> = self
            .graph
            .operands(id)
            .iter()
            .filter_map(|operand| self.group_of[self.resolve(*operand).0.node.index()])
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        for group in candidates.into_iter().rev() {
            if self.accepts(group, id) {
                let reads = self
                    .read_groups(id)
                    .into_iter()
                    .filter(|read| *read != group);
                self.groups[group].reads.extend(reads);
                self.groups[group].members.push(id);
                self.group_of[id.index()] = Some(group);
                return;
            }
        }
        self.start(id);
    }

    fn accepts(&self, index: usize, id: NodeId) -> bool {
        let group = &self.groups[index];
        if !takes_epilogue(self.graph.op(group.anchor)) || is_copy(self.graph.op(id)) {
            return false;
        }
        if component(&self.graph.node(group.anchor).name) != component(&self.graph.node(id).name) {
            return false;
        }
        let ty = &self.graph.node(id).types[0];
        if ty.elements() != crate::graph::product(&group.domain) {
            return false;
        }
        let domain = self.bounds(&group.domain);
        let dims = self.graph.bounds(ty);
        let mut joined = false;
        for (position, operand) in self.graph.operands(id).into_iter().enumerate() {
            if self.kinds[operand.node.index()] == Kind::Number {
                continue;
            }
            let (base, view) = self.resolve(operand);
            let inside = self.group_of[base.node.index()] == Some(index);
            if matches!(self.graph.op(id), Op::GatherRows | Op::TakeRows) {
                // The table must exist as a whole; the indices are read per row.
                if inside || (position == 1 && self.row_view(&view, &dims, &domain).is_none()) {
                    return false;
                }
                continue;
            }
            let Some(read) = view.broadcast(&dims).reshape(&domain) else {
                return false;
            };
            if inside {
                if !self.spans_domain(base, &domain) || read != View::dense(&domain) {
                    return false;
                }
                joined = true;
            }
        }
        joined && self.operands_independent(index, id)
    }

    /// Whether a member's value has one element per point of the domain.
    fn spans_domain(&self, value: Value, domain: &[u64]) -> bool {
        let elements: u64 = self.graph.bounds(self.graph.ty(value)).iter().product();
        elements == domain.iter().product::<u64>()
            && !is_statistic(self.graph.op(value.node), value.result)
    }

    /// The strides of a gather's indices over a domain whose last size is the row's width.
    pub fn row_view(&self, indices: &View, dims: &[u64], domain: &[u64]) -> Option<View> {
        let mut stretched = indices.clone();
        stretched.dims.push(1);
        stretched.strides.push(0);
        stretched.broadcast(dims).reshape(domain)
    }

    /// Groups that a node reads, also through nodes that are evaluated where they are read.
    fn read_groups(&self, id: NodeId) -> Vec<usize> {
        self.groups_behind(self.graph.operands(id))
    }

    fn groups_behind(&self, mut stack: Vec<Value>) -> Vec<usize> {
        let mut groups = Vec::new();
        while let Some(operand) = stack.pop() {
            groups.extend(&self.waits[operand.node.index()]);
            let base = self.resolve(operand).0.node;
            match self.kinds[base.index()] {
                Kind::Inline | Kind::ReadCast => stack.extend(self.graph.operands(base)),
                _ => groups.extend(self.group_of[base.index()]),
            }
        }
        groups
    }

    /// No operand from outside depends on the group, also through other groups.
    fn operands_independent(&self, index: usize, id: NodeId) -> bool {
        let mut seen = vec![false; self.groups.len()];
        let mut stack: Vec<usize> = self
            .read_groups(id)
            .into_iter()
            .filter(|group| *group != index)
            .collect();
        while let Some(group) = stack.pop() {
            if group == index {
                return false;
            }
            if !std::mem::replace(&mut seen[group], true) {
                stack.extend(&self.groups[group].reads);
            }
        }
        true
    }
}

/// Rearrangements, where they are copies and no views.
fn is_copy(op: &Op) -> bool {
    matches!(op, Op::Reshape | Op::Transpose(_) | Op::Slice { .. })
}

/// Whether pointwise users of the op's results may be evaluated in its kernel.
fn takes_epilogue(op: &Op) -> bool {
    matches!(
        op,
        Op::MatMul { .. }
            | Op::GroupedMatMul { .. }
            | Op::GroupedMatMulWeightGrad
            | Op::SumRows
            | Op::Softmax
            | Op::Norm { .. }
            | Op::NormInputGrad { .. }
            | Op::NormWeightGrad { .. }
            | Op::Reduce { .. }
            | Op::DepthwiseConv2d { .. }
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Cast
            | Op::GatherRows
            | Op::TakeRows
            | Op::Broadcast
            | Op::AdamW { .. }
    )
}

/// Results that are per row although the op's domain is per element.
fn is_statistic(op: &Op, result: u32) -> bool {
    matches!(op, Op::Norm { .. } | Op::Softmax) && result > 0
}

/// The first component of a node's name, derivative marks stripped.
fn component(name: &str) -> &str {
    let name = name.trim_start_matches("d(");
    let end = name.find(['.', ')', '\'']).unwrap_or(name.len());
    &name[..end]
}
