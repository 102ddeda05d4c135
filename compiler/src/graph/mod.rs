//! The tensor graph.
//!
//! # Meaning
//! A [`Graph`] is a directed acyclic graph of [`Node`]s. A node applies one [`Op`] to the
//! results of other nodes and yields one or more results; a [`Value`] names one result. Every
//! result is a dense, row-major tensor with a [`Type`]: an element type and a list of sizes.
//! A node has no side effect: the order of evaluation is any topological order. What lives
//! longer than one evaluation enters through an [`Op::Input`] of role parameter or state and
//! leaves through an [`Output`] that names the input it replaces.
//!
//! # Sizes
//! A [`Dim`] is a number, or a multiple of an [`Extent`]: a run-time size with a static bound
//! (`images`, `loss_rows`). Memory is planned at the bound, evaluation covers the run-time
//! size only, and results do not depend on the bound. A run-time size may stand only in the
//! first place of a shape, so that every stride is static. 0 is a legal run-time size.
//!
//! # Element types
//! Values are `f32`, `bf16` or `i32`. A value typed `bf16` is rounded to nearest even wherever
//! it is produced, also inside a fused kernel, so that numbers do not depend on fusion. Sums
//! (contractions, reductions, norms, softmax) accumulate in f32 whatever their operands are.
//!
//! # Names
//! A node's name is the call path of the component that made it (`decoder.blocks.3.mlp.down`);
//! derivatives are `d(NAME)`; nodes that a pass makes carry the root's name and a suffix. Names
//! are unique within a graph and are what the text form, dumps and messages show. Edges are
//! stored in a petgraph `StableDiGraph`, so node ids stay valid while passes remove nodes.

mod infer;
mod op;
pub mod table;
pub mod text;
pub mod verify;

pub use infer::infer;
pub use mm1_package::{DType, Extent, Init};
pub use op::{Binary, InputRole, NormKind, Op, Parameter, ReduceKind, Unary, capped};

use std::collections::HashSet;
use std::fmt;

use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;

/// Identifies a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(NodeIndex<u32>);

impl NodeId {
    /// A dense index for side tables of [`Graph::capacity`] entries.
    pub fn index(self) -> usize {
        self.0.index()
    }
}

/// One result of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    /// The producer.
    pub node: NodeId,
    /// Which of its results.
    pub result: u32,
}

/// Identifies a run-time size of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExtentId(pub u32);

/// One size of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// Known when compiled.
    Fixed(u64),
    /// `scale` × a run-time size.
    Scaled {
        /// The run-time size.
        extent: ExtentId,
        /// Factor.
        scale: u64,
    },
}

impl Dim {
    /// The number, if it is known when compiled.
    pub fn fixed(self) -> Option<u64> {
        match self {
            Self::Fixed(n) => Some(n),
            Self::Scaled { .. } => None,
        }
    }

    /// This size times a constant.
    pub fn times(self, factor: u64) -> Self {
        match self {
            Self::Fixed(n) => Self::Fixed(n * factor),
            Self::Scaled { extent, scale } => Self::Scaled {
                extent,
                scale: scale * factor,
            },
        }
    }
}

/// Element type and sizes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// Element type.
    pub dtype: DType,
    /// Sizes, outermost first; empty for a scalar.
    pub dims: Vec<Dim>,
}

impl Type {
    /// A type with the given sizes.
    pub fn new(dtype: DType, dims: impl Into<Vec<Dim>>) -> Self {
        Self {
            dtype,
            dims: dims.into(),
        }
    }

    /// A scalar.
    pub fn scalar(dtype: DType) -> Self {
        Self {
            dtype,
            dims: Vec::new(),
        }
    }

    /// Number of sizes.
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The same sizes with another element type.
    pub fn with_dtype(&self, dtype: DType) -> Self {
        Self {
            dtype,
            dims: self.dims.clone(),
        }
    }

    /// Product of all sizes as one size.
    pub fn elements(&self) -> Dim {
        product(&self.dims)
    }
}

/// Product of sizes; at most one of them is a run-time size.
pub fn product(dims: &[Dim]) -> Dim {
    let mut total = Dim::Fixed(1);
    for dim in dims {
        total = match (total, *dim) {
            (Dim::Fixed(n), dim) => dim.times(n),
            (scaled, Dim::Fixed(n)) => scaled.times(n),
            (Dim::Scaled { .. }, Dim::Scaled { .. }) => {
                unreachable!("the verifier allows one run-time size per shape")
            }
        };
    }
    total
}

/// An operation with its result types.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// One per result.
    pub types: Vec<Type>,
    /// Unique name.
    pub name: String,
    /// Where in a graph file it comes from.
    pub span: Option<mm1_dsl::span::Span>,
    /// Nodes that the graph had made before: unlike an id, it is never that of a removed node.
    pub age: u64,
}

/// Which result feeds which operand.
#[derive(Clone, Copy, Debug)]
struct Edge {
    result: u32,
    operand: u32,
}

/// A result that the caller sees.
#[derive(Clone, Debug)]
pub struct Output {
    /// Name by which it is read.
    pub name: String,
    /// What is read.
    pub value: Value,
    /// The parameter or state input whose content it replaces, if any.
    pub replaces: Option<NodeId>,
}

/// A tensor program.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    dag: StableDiGraph<Node, Edge>,
    names: HashSet<String>,
    /// Nodes made so far.
    made: u64,
    /// Run-time sizes, indexed by [`ExtentId`].
    pub extents: Vec<Extent>,
    /// Results, in the caller's order.
    pub outputs: Vec<Output>,
}

impl Graph {
    /// Declares a run-time size.
    pub fn extent(&mut self, name: &str, bound: u64) -> ExtentId {
        self.push_extent(Extent {
            name: name.to_owned(),
            bound,
            derived: None,
        })
    }

    /// Declares clamp(base − offset, 0, bound), the part of `base` in one chunk.
    pub fn derived_extent(&mut self, base: ExtentId, offset: u64, bound: u64) -> ExtentId {
        let name = format!("{}[{offset}..+{bound}]", self.extents[base.0 as usize].name);
        self.push_extent(Extent {
            name,
            bound,
            derived: Some((base.0, offset)),
        })
    }

    fn push_extent(&mut self, extent: Extent) -> ExtentId {
        if let Some(found) = self
            .extents
            .iter()
            .position(|known| known.name == extent.name)
        {
            return ExtentId(found as u32);
        }
        self.extents.push(extent);
        ExtentId(self.extents.len() as u32 - 1)
    }

    /// Largest value of a size.
    pub fn bound(&self, dim: Dim) -> u64 {
        match dim {
            Dim::Fixed(n) => n,
            Dim::Scaled { extent, scale } => self.extents[extent.0 as usize].bound * scale,
        }
    }

    /// Sizes at their bounds.
    pub fn bounds(&self, ty: &Type) -> Vec<u64> {
        ty.dims.iter().map(|dim| self.bound(*dim)).collect()
    }

    /// Bytes of a tensor at its bounds.
    pub fn bytes(&self, ty: &Type) -> u64 {
        self.bound(ty.elements()) * ty.dtype.size()
    }

    /// Adds a node whose result types follow from its operands.
    ///
    /// # Errors
    /// The shape rule that the operands break, in words.
    pub fn try_add(
        &mut self,
        name: impl Into<String>,
        op: Op,
        operands: &[Value],
    ) -> Result<NodeId, String> {
        let types: Vec<&Type> = operands.iter().map(|operand| self.ty(*operand)).collect();
        let results = infer(self, &op, &types)?;
        Ok(self.add_typed(name, op, results, operands))
    }

    /// As [`Graph::try_add`], for operands that are known to fit.
    pub fn add(&mut self, name: impl Into<String>, op: Op, operands: &[Value]) -> Value {
        let name = name.into();
        match self.try_add(name.clone(), op, operands) {
            Ok(node) => Value { node, result: 0 },
            Err(error) => panic!("ill-typed node `{name}`: {error}"),
        }
    }

    /// Adds a node with the given result types (sources, and ops whose result type is a choice).
    pub fn add_typed(
        &mut self,
        name: impl Into<String>,
        op: Op,
        types: Vec<Type>,
        operands: &[Value],
    ) -> NodeId {
        let name = self.unique(name.into());
        let id = self.dag.add_node(Node {
            op,
            types,
            name,
            span: None,
            age: self.made,
        });
        self.made += 1;
        for (index, operand) in operands.iter().enumerate() {
            self.dag.add_edge(
                operand.node.0,
                id,
                Edge {
                    result: operand.result,
                    operand: index as u32,
                },
            );
        }
        NodeId(id)
    }

    fn unique(&mut self, name: String) -> String {
        let mut candidate = name.clone();
        let mut suffix = 2;
        while !self.names.insert(candidate.clone()) {
            candidate = format!("{name}'{suffix}");
            suffix += 1;
        }
        candidate
    }

    /// Records where a node comes from.
    pub fn set_span(&mut self, node: NodeId, span: mm1_dsl::span::Span) {
        self.dag[node.0].span = Some(span);
    }

    /// The node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.dag[id.0]
    }

    /// The operation of a node.
    pub fn op(&self, id: NodeId) -> &Op {
        &self.dag[id.0].op
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.dag[value.node.0].types[value.result as usize]
    }

    /// The name of a value: the node's, with `#RESULT` for further results.
    pub fn value_name(&self, value: Value) -> String {
        let name = &self.node(value.node).name;
        if value.result == 0 {
            name.clone()
        } else {
            format!("{name}#{}", value.result)
        }
    }

    /// Finds a node by name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.dag
            .node_indices()
            .find(|id| self.dag[*id].name == name)
            .map(NodeId)
    }

    /// Operands in order.
    pub fn operands(&self, id: NodeId) -> Vec<Value> {
        let mut operands: Vec<(u32, Value)> = self
            .dag
            .edges_directed(id.0, Direction::Incoming)
            .map(|edge| {
                let weight = edge.weight();
                (
                    weight.operand,
                    Value {
                        node: NodeId(edge.source()),
                        result: weight.result,
                    },
                )
            })
            .collect();
        operands.sort_unstable_by_key(|(operand, _)| *operand);
        operands.into_iter().map(|(_, value)| value).collect()
    }

    /// Uses of a node's results: (user, operand index, result), in a fixed order.
    pub fn users(&self, id: NodeId) -> Vec<(NodeId, u32, u32)> {
        let mut users: Vec<(NodeId, u32, u32)> = self
            .dag
            .edges_directed(id.0, Direction::Outgoing)
            .map(|edge| {
                (
                    NodeId(edge.target()),
                    edge.weight().operand,
                    edge.weight().result,
                )
            })
            .collect();
        users.sort_unstable();
        users
    }

    /// Replaces one operand of a node.
    pub fn set_operand(&mut self, id: NodeId, operand: u32, value: Value) {
        let edge = self
            .dag
            .edges_directed(id.0, Direction::Incoming)
            .find(|edge| edge.weight().operand == operand)
            .map(|edge| edge.id());
        if let Some(edge) = edge {
            self.dag.remove_edge(edge);
        }
        self.dag.add_edge(
            value.node.0,
            id.0,
            Edge {
                result: value.result,
                operand,
            },
        );
    }

    /// Makes every use of `old`, outputs included, read `new`.
    pub fn replace_uses(&mut self, old: Value, new: Value) {
        for (user, operand, result) in self.users(old.node) {
            if result == old.result && user != new.node {
                self.set_operand(user, operand, new);
            }
        }
        for output in &mut self.outputs {
            if output.value == old {
                output.value = new;
            }
        }
    }

    /// Removes a node that nothing uses.
    pub fn remove(&mut self, id: NodeId) {
        debug_assert!(
            self.users(id).is_empty(),
            "removing `{}`, which is used",
            self.node(id).name
        );
        if let Some(node) = self.dag.remove_node(id.0) {
            self.names.remove(&node.name);
        }
    }

    /// Changes a node's operation in place; the result types stay.
    pub fn set_op(&mut self, id: NodeId, op: Op) {
        self.dag[id.0].op = op;
    }

    /// Changes the type of one result.
    pub fn set_type(&mut self, value: Value, ty: Type) {
        self.dag[value.node.0].types[value.result as usize] = ty;
    }

    /// All nodes, in order of creation.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.dag.node_indices().map(NodeId)
    }

    /// One more than the largest [`NodeId::index`].
    pub fn capacity(&self) -> usize {
        self.dag
            .node_indices()
            .next_back()
            .map_or(0, |id| id.index() + 1)
    }

    /// Nodes with operands first; among ready nodes the oldest comes first, so the order is
    /// a function of the graph alone.
    pub fn topological(&self) -> Vec<NodeId> {
        let mut waiting = vec![0usize; self.capacity()];
        let mut ready = std::collections::BinaryHeap::new();
        for id in self.dag.node_indices() {
            waiting[id.index()] = self.dag.edges_directed(id, Direction::Incoming).count();
            if waiting[id.index()] == 0 {
                ready.push(std::cmp::Reverse(id));
            }
        }
        let mut order = Vec::with_capacity(self.dag.node_count());
        while let Some(std::cmp::Reverse(id)) = ready.pop() {
            order.push(NodeId(id));
            for edge in self.dag.edges_directed(id, Direction::Outgoing) {
                let left = &mut waiting[edge.target().index()];
                *left -= 1;
                if *left == 0 {
                    ready.push(std::cmp::Reverse(edge.target()));
                }
            }
        }
        order
    }

    /// Adds a result.
    pub fn output(&mut self, name: impl Into<String>, value: Value) {
        self.outputs.push(Output {
            name: name.into(),
            value,
            replaces: None,
        });
    }

    /// Adds a result that replaces a parameter or state.
    pub fn update(&mut self, state: NodeId, value: Value) {
        let name = self.node(state).name.clone();
        self.outputs.push(Output {
            name,
            value,
            replaces: Some(state),
        });
    }
}

impl Value {
    /// Another result of the same node.
    pub fn sibling(self, result: u32) -> Self {
        Self {
            node: self.node,
            result,
        }
    }
}

impl From<NodeId> for Value {
    fn from(node: NodeId) -> Self {
        Self { node, result: 0 }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0.index())
    }
}
