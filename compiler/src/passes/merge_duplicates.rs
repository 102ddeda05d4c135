//! Computes equal things once: nodes of the same op, operands and types become the oldest one.
//!
//! Inputs are never merged. Operands of commutative functions compare in either order.

use std::collections::HashMap;

use crate::graph::{Binary, Graph, Op, Type, Value};

/// Equal keys mean equal results.
type Key = (String, Vec<Value>, Vec<Type>);

/// Merges equal nodes.
pub fn merge_duplicates(graph: &mut Graph) {
    let mut first = HashMap::new();
    for id in graph.topological() {
        if matches!(graph.op(id), Op::Input(_)) {
            continue;
        }
        // Operands stand earlier, so they are merged already.
        let Some(kept) = first.insert(key(graph, id), id) else {
            continue;
        };
        first.insert(key(graph, id), kept);
        for result in 0..graph.node(id).types.len() as u32 {
            let (old, new) = (Value { node: id, result }, Value { node: kept, result });
            graph.replace_uses(old, new);
        }
        graph.remove(id);
    }
}

fn key(graph: &Graph, id: crate::graph::NodeId) -> Key {
    let node = graph.node(id);
    // `{:?}` writes numbers exactly; a long list is compared by its hash.
    let op = match &node.op {
        Op::Constant(values) => {
            let bytes: &[u8] = bytemuck::cast_slice(values);
            format!("constant {}", blake3::hash(bytes).to_hex())
        }
        op => format!("{op:?}"),
    };
    let mut operands = graph.operands(id);
    if matches!(
        node.op,
        Op::Binary(Binary::Add | Binary::Mul | Binary::Max | Binary::Min | Binary::Equal)
    ) {
        operands.sort_unstable();
    }
    (op, operands, node.types.clone())
}
