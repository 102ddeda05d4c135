//! Removes what changes nothing.
//!
//! - reshape, transpose, broadcast, cast and slice to the operand's own type and order; concat
//!   of one part
//! - reshape of reshape, transpose of transpose, slice of slice along one axis, broadcast of
//!   broadcast: one step
//! - a cast bf16 → f32 → bf16 (widening loses nothing)
//! - x·1, x/1, x + 0, x − 0 where the result has x's type; −(−x)
//!
//! Results are the same bit for bit, but for the sign of a zero in x + 0.

use crate::graph::{Binary, DType, Graph, NodeId, Op, Unary, Value};

/// Removes what changes nothing, operands before users.
pub fn simplify(graph: &mut Graph) {
    for id in graph.topological() {
        shorten(graph, id);
        if let Some(same) = identity(graph, id) {
            graph.replace_uses(id.into(), same);
            graph.remove(id);
        }
    }
}

/// Reads past a producer of the same kind.
fn shorten(graph: &mut Graph, id: NodeId) {
    let Some(inner) = graph.operands(id).first().map(|operand| operand.node) else {
        return;
    };
    let merged = match (graph.op(id), graph.op(inner)) {
        (Op::Reshape, Op::Reshape) => Op::Reshape,
        (Op::Broadcast, Op::Broadcast) => Op::Broadcast,
        (Op::Transpose(outer), Op::Transpose(first)) => {
            Op::Transpose(outer.iter().map(|axis| first[*axis]).collect())
        }
        (Op::Slice { axis, start }, Op::Slice { axis: other, start: first })
            // A part of a run-time size is known only as a part of the size itself.
            if axis == other
                && graph.node(inner).types[0].dims[*axis].fixed().is_some()
                && graph.ty(graph.operands(inner)[0]).dims[*axis].fixed().is_some() =>
        {
            Op::Slice {
                axis: *axis,
                start: start + first,
            }
        }
        _ => return,
    };
    let source = graph.operands(inner)[0];
    graph.set_op(id, merged);
    graph.set_operand(id, 0, source);
}

/// The value that a node's only result equals, if that is another one.
fn identity(graph: &Graph, id: NodeId) -> Option<Value> {
    let operands = graph.operands(id);
    let x = *operands.first()?;
    let same_type = |value: Value| *graph.ty(value) == graph.node(id).types[0];
    match graph.op(id) {
        Op::Reshape | Op::Broadcast | Op::Slice { .. } => same_type(x).then_some(x),
        Op::Cast => {
            let widened = matches!(graph.op(x.node), Op::Cast)
                .then(|| graph.operands(x.node)[0])
                .filter(|first| same_type(*first) && graph.ty(*first).dtype == DType::Bf16);
            if same_type(x) { Some(x) } else { widened }
        }
        Op::Transpose(permutation) => permutation
            .iter()
            .copied()
            .eq(0..permutation.len())
            .then_some(x),
        Op::Concat { .. } => (operands.len() == 1).then_some(x),
        Op::Unary(Unary::Neg) => match graph.op(x.node) {
            Op::Unary(Unary::Neg) => Some(graph.operands(x.node)[0]),
            _ => None,
        },
        Op::Binary(function) => {
            let y = *operands.get(1)?;
            let neutral = match function {
                Binary::Mul | Binary::Div => 1.0,
                Binary::Add | Binary::Sub => 0.0,
                Binary::Max | Binary::Min | Binary::Equal | Binary::Less => return None,
            };
            let commutes = matches!(function, Binary::Mul | Binary::Add);
            if is_number(graph, y, neutral) && same_type(x) {
                Some(x)
            } else if commutes && is_number(graph, x, neutral) && same_type(y) {
                Some(y)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// Whether every element is `number`.
fn is_number(graph: &Graph, value: Value, number: f64) -> bool {
    match graph.op(value.node) {
        Op::Splat(x) => *x == number,
        Op::Constant(elements) => elements.iter().all(|x| *x == number),
        Op::Broadcast | Op::Reshape => is_number(graph, graph.operands(value.node)[0], number),
        _ => false,
    }
}
