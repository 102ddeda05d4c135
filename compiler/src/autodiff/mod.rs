//! Reverse-mode differentiation, graph to graph.
//!
//! [`differentiate`] walks the graph from its results to its sources. Each op has one derivative
//! (`rules.rs`), which adds nodes that compute the contributions to its operands from the
//! adjoint of its results. Only values on a path from a wanted value are visited, so frozen
//! parameters cost no gradient and keep no activation alive.
//!
//! The adjoint of a value is the sum of its contributions. Contributions of slices are kept as
//! parts and joined by one concatenation when they tile an axis (the split of a fused
//! query-key-value projection), instead of being padded and added.

mod rules;

use std::collections::BTreeMap;

use crate::graph::{Binary, Dim, Graph, NodeId, Op, Type, Value};

/// What one user adds to the adjoint of a value.
enum Contribution {
    /// A tensor of the value's sizes.
    Whole(Value),
    /// A tensor for the part `start .. start + length` of an axis.
    Part {
        axis: usize,
        start: u64,
        value: Value,
    },
}

/// The adjoints under construction.
pub(crate) struct Adjoints<'a> {
    graph: &'a mut Graph,
    wanted: Vec<bool>,
    contributions: BTreeMap<Value, Vec<Contribution>>,
}

/// Adds nodes that compute d(Σ seeds)/d(wanted) and returns the gradient of each wanted value.
///
/// A seed (value, adjoint) says that the derivative of the objective by `value` is `adjoint`. A
/// wanted value that the seeds do not depend on gets zeros.
///
/// # Errors
/// An op on the path that has no derivative.
pub fn differentiate(
    graph: &mut Graph,
    seeds: &[(Value, Value)],
    wanted: &[Value],
) -> Result<BTreeMap<Value, Value>, String> {
    let order = graph.topological();
    let mut needs = vec![false; graph.capacity()];
    for value in wanted {
        needs[value.node.index()] = true;
    }
    for id in &order {
        if graph
            .operands(*id)
            .iter()
            .any(|operand| needs[operand.node.index()])
        {
            needs[id.index()] = true;
        }
    }
    let mut adjoints = Adjoints {
        graph,
        wanted: needs,
        contributions: BTreeMap::new(),
    };
    for (value, adjoint) in seeds {
        adjoints.add(*value, *adjoint);
    }
    let mut gradients = BTreeMap::new();
    for id in order.into_iter().rev() {
        if !adjoints.wanted[id.index()] {
            continue;
        }
        let results = adjoints.graph.node(id).types.len();
        let incoming: Vec<Option<Value>> = (0..results as u32)
            .map(|result| adjoints.take(Value { node: id, result }))
            .collect();
        for value in wanted.iter().filter(|value| value.node == id) {
            if let Some(gradient) = incoming[value.result as usize] {
                gradients.insert(*value, gradient);
            }
        }
        if incoming.iter().any(Option::is_some) {
            rules::derive(&mut adjoints, id, &incoming)?;
        }
    }
    for value in wanted {
        if !gradients.contains_key(value) {
            let name = format!("d({})", adjoints.graph.value_name(*value));
            let ty = adjoints.graph.ty(*value).clone();
            let zeros = adjoints
                .graph
                .add_typed(name, Op::Splat(0.0), vec![ty], &[]);
            gradients.insert(*value, zeros.into());
        }
    }
    Ok(gradients)
}

impl Adjoints<'_> {
    /// Whether the adjoint of a value is wanted.
    fn wants(&self, value: Value) -> bool {
        self.wanted
            .get(value.node.index())
            .copied()
            .unwrap_or(false)
    }

    fn add(&mut self, value: Value, adjoint: Value) {
        if self.wants(value) {
            self.contributions
                .entry(value)
                .or_default()
                .push(Contribution::Whole(adjoint));
        }
    }

    fn add_part(&mut self, value: Value, axis: usize, start: u64, adjoint: Value) {
        if self.wants(value) {
            let part = Contribution::Part {
                axis,
                start,
                value: adjoint,
            };
            self.contributions.entry(value).or_default().push(part);
        }
    }

    /// The finished adjoint of a value: all users have contributed.
    fn take(&mut self, value: Value) -> Option<Value> {
        let contributions = self.contributions.remove(&value)?;
        let name = format!("d({})", self.graph.value_name(value));
        let mut parts: BTreeMap<usize, Vec<(u64, Value)>> = BTreeMap::new();
        let mut whole = Vec::new();
        for contribution in contributions {
            match contribution {
                Contribution::Whole(adjoint) => whole.push(adjoint),
                Contribution::Part { axis, start, value } => {
                    parts.entry(axis).or_default().push((start, value))
                }
            }
        }
        let ty = self.graph.ty(value).clone();
        for (axis, mut list) in parts {
            list.sort_by_key(|(start, _)| *start);
            while !list.is_empty() {
                whole.push(self.join(&name, &ty, axis, &mut list));
            }
        }
        let mut sum = whole[0];
        for (index, next) in whole[1..].iter().enumerate() {
            let partial = if index + 2 == whole.len() {
                name.clone()
            } else {
                format!("{name}.sum{index}")
            };
            sum = self
                .graph
                .add(partial, Op::Binary(Binary::Add), &[sum, *next]);
        }
        Some(sum)
    }

    /// Takes non-overlapping parts off the sorted list and joins them, zeros in the gaps.
    fn join(&mut self, name: &str, ty: &Type, axis: usize, list: &mut Vec<(u64, Value)>) -> Value {
        let total = self.graph.bound(ty.dims[axis]);
        let mut pieces = Vec::new();
        let mut end = 0;
        let mut rest = Vec::new();
        for (start, value) in list.drain(..) {
            if start < end {
                rest.push((start, value));
                continue;
            }
            if start > end {
                pieces.push(zeros(self.graph, name, ty, axis, start - end));
            }
            end = start + self.graph.bound(self.graph.ty(value).dims[axis]);
            pieces.push(value);
        }
        if end < total {
            pieces.push(zeros(self.graph, name, ty, axis, total - end));
        }
        *list = rest;
        if let [single] = pieces[..] {
            return single;
        }
        self.graph
            .add(format!("{name}.joined"), Op::Concat { axis }, &pieces)
    }

    fn name(&self, id: NodeId, suffix: &str) -> String {
        format!("d({}){suffix}", self.graph.node(id).name)
    }
}

fn zeros(graph: &mut Graph, name: &str, ty: &Type, axis: usize, length: u64) -> Value {
    let mut ty = ty.clone();
    ty.dims[axis] = Dim::Fixed(length);
    graph
        .add_typed(format!("{name}.gap"), Op::Splat(0.0), vec![ty], &[])
        .into()
}
