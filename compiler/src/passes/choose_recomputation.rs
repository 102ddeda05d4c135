//! Chooses which values of the forward pass the backward pass makes again instead of keeping.
//!
//! The **forward pass** is the loss ([`Op::LinearCrossEntropy`] with gradients), other outputs that
//! depend on no derivative (losses and loads of experts), and all that these are computed from;
//! **gradients** are what depends on its derivatives. Nodes that are neither
//! (slopes of activations) belong to the backward pass as well.
//!
//! A value that the backward pass reads is made again if it is cheap and everything that it is
//! made from is at hand: a source, a value that is kept for a reader of its own, or one that is made
//! again itself. So nothing is kept that was not kept before. What is cheap is said by
//! [`Recompute`]; the choice looks at an op, its operands and its readers only, so that equal
//! components of two models keep equal kernels.
//!
//! Where only so many products shall be made again, those are that come first.
//!
//! The copy of `NAME` is called `NAME'again`. It applies the same op to the same numbers, so the
//! results are the same bytes. It reads what is kept through [`Op::After`], which holds it back
//! until the backward pass gets to the gradient that its first reader needs; thereby fusion does
//! not join it with the forward pass, and duplicates must not be merged after this pass.

use std::collections::BTreeMap;

use mm1_dsl::model::Recompute;

use crate::graph::{Graph, InputRole, NodeId, Op, Value};

/// Suffix of the names of recomputed nodes; no component can give such a name.
const SUFFIX: &str = "'again";

/// A contraction is made again if its result has at least this many times its operand's elements.
const WIDENING: u64 = 2;

/// Whether a node computes again what another one has computed.
pub fn is_recomputed(name: &str) -> bool {
    name.contains(SUFFIX)
}

/// How many products a graph makes again.
pub fn products_made_again(graph: &Graph) -> usize {
    let nodes = graph.nodes().map(|id| graph.node(id));
    nodes
        .filter(|node| is_product(&node.op) && is_recomputed(&node.name))
        .count()
}

/// Puts in the copies, among them those of at most so many products.
pub fn choose_recomputation(graph: &mut Graph, policy: Recompute, most_products: usize) {
    if policy == Recompute::None {
        return;
    }
    let order = graph.topological();
    let capacity = graph.capacity();
    let mut choice = Choice {
        sides: vec![Side::Neither; capacity],
        place: vec![0; capacity],
        fates: vec![Fate::Lost; capacity],
        triggers: vec![None; capacity],
        copies: BTreeMap::new(),
        held: BTreeMap::new(),
        graph,
        policy,
        products_left: most_products,
    };
    for (index, id) in order.iter().enumerate() {
        choice.place[id.index()] = index;
    }
    choice.find_sides(&order);
    for id in &order {
        choice.fates[id.index()] = choice.fate(*id);
    }
    for id in order.iter().rev() {
        choice.triggers[id.index()] = choice.trigger(*id);
    }
    for id in order {
        choice.rewire(id);
    }
}

/// Where a node stands relative to the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// The loss or another output of the forward pass depends on it, or it is one.
    Forward,
    /// It depends on the loss's derivatives.
    Gradient,
    /// Neither.
    Neither,
}

/// How the backward pass gets at a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is in memory for the whole program, or a number.
    Source,
    /// The forward pass leaves it in memory.
    Kept,
    /// It is made again, or seen again if it is a view.
    Again,
    /// Not at all.
    Lost,
}

struct Choice<'g> {
    graph: &'g mut Graph,
    policy: Recompute,
    products_left: usize,
    sides: Vec<Side>,
    /// Place in topological order.
    place: Vec<usize>,
    fates: Vec<Fate>,
    /// By node of the backward pass or to be copied: its first reader among the gradients (itself for one
    /// of them) and the gradient that this reads.
    triggers: Vec<Option<(NodeId, Value)>>,
    /// Copy by the node that it repeats.
    copies: BTreeMap<NodeId, NodeId>,
    /// Kept values as seen after another value.
    held: BTreeMap<(Value, Value), Value>,
}

impl Choice<'_> {
    fn find_sides(&mut self, order: &[NodeId]) {
        let is_loss = |graph: &Graph, id| {
            matches!(graph.op(id), Op::LinearCrossEntropy { gradient: true, .. })
        };
        for id in order {
            let depends = self.graph.operands(*id).into_iter().any(|operand| {
                self.sides[operand.node.index()] == Side::Gradient
                    || is_loss(self.graph, operand.node) && operand.result >= 2
            });
            if depends {
                self.sides[id.index()] = Side::Gradient;
            }
        }
        let reported: Vec<NodeId> = self
            .graph
            .outputs
            .iter()
            .map(|output| output.value.node)
            .filter(|id| self.sides[id.index()] == Side::Neither)
            .collect();
        for id in order.iter().rev() {
            let mut users = self.graph.users(*id).into_iter();
            if is_loss(self.graph, *id)
                || reported.contains(id)
                || users.any(|(user, _, _)| self.sides[user.index()] == Side::Forward)
            {
                self.sides[id.index()] = Side::Forward;
            }
        }
    }

    /// Whether the backward pass reads result 0 of a node of the forward pass, through views too.
    fn is_read_backward(&self, id: NodeId) -> bool {
        let mut users = self.graph.users(id).into_iter();
        users.any(|(user, _, result)| {
            let forward = self.sides[user.index()] == Side::Forward;
            result == 0 && (!forward || is_view(self.graph.op(user)) && self.is_read_backward(user))
        })
    }

    fn fate(&mut self, id: NodeId) -> Fate {
        let op = self.graph.op(id);
        if matches!(op, Op::Input(_) | Op::Constant(_) | Op::Splat(_)) {
            return Fate::Source;
        }
        if self.sides[id.index()] != Side::Forward {
            return Fate::Lost;
        }
        let operands = self.graph.operands(id);
        let fates: Vec<Fate> = operands
            .iter()
            .map(|operand| self.fates[operand.node.index()])
            .collect();
        let from_sources = fates.iter().all(|fate| *fate == Fate::Source);
        // Weights are rounded where they are read.
        let is_rounded_weight = matches!(op, Op::Cast)
            && matches!(
                self.graph.op(operands[0].node),
                Op::Input(InputRole::Parameter(_))
            );
        let at_hand = fates.iter().all(|fate| *fate != Fate::Lost);
        if is_view(op) || is_rounded_weight {
            return match (from_sources, at_hand) {
                (true, _) => Fate::Source,
                (false, true) => Fate::Again,
                (false, false) => Fate::Lost,
            };
        }
        if at_hand && !from_sources && self.is_cheap(id, &operands) {
            if is_product(op) {
                self.products_left -= 1;
            }
            Fate::Again
        } else if self.is_read_backward(id) {
            Fate::Kept
        } else {
            Fate::Lost
        }
    }

    fn is_cheap(&self, id: NodeId, operands: &[Value]) -> bool {
        match self.graph.op(id) {
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Cast
            | Op::Norm { .. }
            | Op::Rotary { .. }
            | Op::TakeRows => true,
            Op::MatMul { .. } | Op::GroupedMatMul { .. } => {
                let elements = |value: Value| self.graph.bound(self.graph.ty(value).elements());
                self.policy == Recompute::Products
                    && self.products_left > 0
                    && self.fates[operands[1].node.index()] == Fate::Source
                    && elements(id.into()) >= WIDENING * elements(operands[0])
            }
            _ => false,
        }
    }

    /// The first gradient that reads a node, directly or through copies and nodes of neither side,
    /// and what it reads of the backward pass.
    fn trigger(&self, id: NodeId) -> Option<(NodeId, Value)> {
        if self.sides[id.index()] == Side::Gradient {
            let operands = self.graph.operands(id).into_iter();
            return operands
                .filter(|operand| {
                    self.sides[operand.node.index()] == Side::Gradient
                        || operand.result >= 2
                            && matches!(self.graph.op(operand.node), Op::LinearCrossEntropy { .. })
                })
                .max_by_key(|operand| (self.place[operand.node.index()], operand.result))
                .map(|operand| (id, operand));
        }
        let users = self.graph.users(id).into_iter();
        users
            .filter(|(user, _, result)| {
                *result == 0
                    && (self.sides[user.index()] != Side::Forward
                        || self.fates[user.index()] == Fate::Again)
            })
            .filter_map(|(user, _, _)| self.triggers[user.index()])
            .min_by_key(|(reader, _)| self.place[reader.index()])
    }

    /// Makes a node of the backward pass read copies; one of neither side also waits.
    fn rewire(&mut self, id: NodeId) {
        let side = self.sides[id.index()];
        if side == Side::Forward {
            return;
        }
        let Some((_, trigger)) = self.triggers[id.index()] else {
            return;
        };
        for (index, operand) in self.graph.operands(id).into_iter().enumerate() {
            if self.sides[operand.node.index()] != Side::Forward {
                continue;
            }
            let value = if side == Side::Neither {
                self.seen(operand, trigger)
            } else {
                self.copied(operand)
            };
            if value != operand {
                self.graph.set_operand(id, index as u32, value);
            }
        }
    }

    /// What a gradient reads in place of a value of the forward pass.
    fn copied(&mut self, value: Value) -> Value {
        match (
            self.fates[value.node.index()],
            self.triggers[value.node.index()],
        ) {
            // Statistics of a norm are kept; a view of what is kept needs no copy.
            (Fate::Again, Some((_, trigger)))
                if value.result == 0 && self.is_made_again(value.node) =>
            {
                self.copy(value.node, trigger).into()
            }
            _ => value,
        }
    }

    /// Whether anything behind a value to be copied is computed, not only seen.
    fn is_made_again(&self, id: NodeId) -> bool {
        self.fates[id.index()] == Fate::Again
            && (!is_view(self.graph.op(id)) || self.is_made_again(self.graph.operands(id)[0].node))
    }

    /// What a copy or a node of neither side reads, which waits for `trigger`.
    fn seen(&mut self, value: Value, trigger: Value) -> Value {
        match self.fates[value.node.index()] {
            Fate::Source | Fate::Lost => value,
            Fate::Again if value.result == 0 && self.is_made_again(value.node) => {
                let own = self.triggers[value.node.index()].map_or(trigger, |it| it.1);
                self.copy(value.node, own).into()
            }
            Fate::Again if value.result == 0 => self.view_after(value.node, trigger),
            Fate::Again | Fate::Kept => self.after(value, trigger),
        }
    }

    fn after(&mut self, value: Value, trigger: Value) -> Value {
        if let Some(known) = self.held.get(&(value, trigger)) {
            return *known;
        }
        let name = format!("{}'kept", self.graph.value_name(value).replace('#', "."));
        let held = self.graph.add(name, Op::After, &[value, trigger]);
        self.held.insert((value, trigger), held);
        held
    }

    /// A chain of views of a kept value, seen after `trigger`.
    fn view_after(&mut self, id: NodeId, trigger: Value) -> Value {
        if let Some(known) = self.held.get(&(id.into(), trigger)) {
            return *known;
        }
        let seen = self.clone_with(id, |this, operand| this.seen(operand, trigger));
        self.held.insert((id.into(), trigger), seen.into());
        seen.into()
    }

    fn copy(&mut self, id: NodeId, trigger: Value) -> NodeId {
        if let Some(known) = self.copies.get(&id) {
            return *known;
        }
        let copy = self.clone_with(id, |this, operand| this.seen(operand, trigger));
        self.copies.insert(id, copy);
        copy
    }

    fn clone_with(&mut self, id: NodeId, read: impl Fn(&mut Self, Value) -> Value) -> NodeId {
        let operands: Vec<Value> = self
            .graph
            .operands(id)
            .into_iter()
            .map(|operand| read(self, operand))
            .collect();
        let node = self.graph.node(id).clone();
        let name = format!("{}{SUFFIX}", node.name);
        let copy = self.graph.add_typed(name, node.op, node.types, &operands);
        if let Some(span) = node.span {
            self.graph.set_span(copy, span);
        }
        copy
    }
}

/// Products with a weight, one or one per group of rows.
fn is_product(op: &Op) -> bool {
    matches!(op, Op::MatMul { .. } | Op::GroupedMatMul { .. })
}

/// Ops that fusion reads through strides.
fn is_view(op: &Op) -> bool {
    matches!(
        op,
        Op::Reshape | Op::Transpose(_) | Op::Slice { .. } | Op::Broadcast
    )
}
