//! Evaluates at compile time what depends on constants only.
//!
//! The interpreter evaluates in f64, and so the result is kept: kernels read it rounded to f32,
//! nearer to the definition than what they would have computed. Results of more than [`LARGEST`] elements stay as they are, so that
//! packages do not grow. Pointwise functions and movement of splats give splats, of any size.

use crate::graph::{DType, Dim, Graph, NodeId, Op};
use crate::interpret::{Tensor, apply};

/// Elements of the largest constant that is made, and of the largest that is read.
const LARGEST: u64 = 4096;

/// Replaces nodes over constants by constants.
pub fn fold_constants(graph: &mut Graph) {
    for id in graph.topological() {
        let folded = fold_splats(graph, id).or_else(|| fold(graph, id));
        if let Some(op) = folded {
            let node = graph.node(id);
            let (name, types, span) = (node.name.clone(), node.types.clone(), node.span);
            // The name is free only once the node is gone, and the node is read until then.
            let constant = graph.add_typed(format!("{name}.folded"), op, types, &[]);
            if let Some(span) = span {
                graph.set_span(constant, span);
            }
            graph.replace_uses(id.into(), constant.into());
            graph.remove(id);
        }
    }
}

/// A splat, if all operands are splats and every element of the result is the same.
fn fold_splats(graph: &Graph, id: NodeId) -> Option<Op> {
    let values: Vec<f64> = graph
        .operands(id)
        .iter()
        .map(|operand| match graph.op(operand.node) {
            Op::Splat(value) => Some(*value),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let op = graph.op(id);
    match op {
        Op::Reshape | Op::Transpose(_) | Op::Slice { .. } | Op::Broadcast => {}
        Op::Concat { .. } if values.iter().all(|x| x.to_bits() == values[0].to_bits()) => {}
        Op::Unary(_) | Op::Binary(_) => {
            let scalars: Vec<Tensor> = values
                .iter()
                .map(|x| Tensor::new([], vec![*x]))
                .collect::<Result<_, _>>()
                .ok()?;
            let operands: Vec<&Tensor> = scalars.iter().collect();
            let result = apply(op, &operands, &[Vec::new()]).ok()?;
            return Some(Op::Splat(result[0].data[0]));
        }
        _ => return None,
    }
    values.first().map(|value| Op::Splat(*value))
}

/// A constant, if all operands are small and known.
fn fold(graph: &Graph, id: NodeId) -> Option<Op> {
    let node = graph.node(id);
    let operands = graph.operands(id);
    let [ty] = &node.types[..] else {
        return None;
    };
    if operands.is_empty() || ty.dtype != DType::F32 {
        return None;
    }
    let sizes = |dims: &[Dim]| {
        dims.iter()
            .map(|dim| dim.fixed())
            .collect::<Option<Vec<u64>>>()
    };
    let small = |dims: &[u64]| {
        let count = dims.iter().try_fold(1u64, |n, size| n.checked_mul(*size));
        count.is_some_and(|count| count <= LARGEST)
    };
    let dims = sizes(&ty.dims).filter(|dims| small(dims))?;
    let known: Vec<Tensor> = operands
        .iter()
        .map(|operand| {
            let dims = sizes(&graph.ty(*operand).dims).filter(|dims| small(dims))?;
            let data = match graph.op(operand.node) {
                Op::Constant(values) => values.clone(),
                Op::Splat(value) => vec![*value; dims.iter().product::<u64>() as usize],
                _ => return None,
            };
            Tensor::new(dims, data).ok()
        })
        .collect::<Option<_>>()?;
    let operands: Vec<&Tensor> = known.iter().collect();
    // What cannot be evaluated (an index out of range) stays for the run to refuse.
    let results = apply(&node.op, &operands, &[dims]).ok()?;
    Some(Op::Constant(results.first()?.data.clone()))
}
