//! Products read the bf16 copy of a weight that the target keeps, not the weight.
//!
//! A cast f32 → bf16 of a parameter, also of a rearranged one, becomes a read of the state
//! `rounded.NAME`: the same numbers, since the copy is the parameter rounded to nearest even. Who
//! keeps the copies up to date is said in docs/programs.md.

use std::collections::BTreeMap;

use crate::build::ROUNDED;
use crate::graph::{DType, Graph, InputRole, NodeId, Op, Value};

/// Replaces casts of parameters.
pub fn read_rounded_weights(graph: &mut Graph) {
    let mut copies = BTreeMap::new();
    for id in graph.topological() {
        let is_cast = matches!(graph.op(id), Op::Cast);
        if !is_cast || graph.node(id).types[0].dtype != DType::Bf16 {
            continue;
        }
        let operand = graph.operands(id)[0];
        if let Some(copy) = copy(graph, operand, &mut copies) {
            graph.replace_uses(id.into(), copy);
        }
    }
}

/// The copy of a parameter, rearranged as the value is.
fn copy(graph: &mut Graph, value: Value, copies: &mut BTreeMap<NodeId, Value>) -> Option<Value> {
    if graph.ty(value).dtype != DType::F32 {
        return None;
    }
    if let Some(known) = copies.get(&value.node) {
        return Some(*known);
    }
    let node = graph.node(value.node);
    let (name, op, ty) = (
        format!("{ROUNDED}.{}", node.name),
        node.op.clone(),
        node.types[0].with_dtype(DType::Bf16),
    );
    let copy = match &op {
        Op::Input(InputRole::Parameter(_)) => {
            let role = Op::Input(InputRole::State(ROUNDED.to_owned()));
            graph.add_typed(name, role, vec![ty], &[])
        }
        Op::Reshape | Op::Transpose(_) | Op::Slice { .. } | Op::Broadcast => {
            let operand = graph.operands(value.node)[0];
            let operand = self::copy(graph, operand, copies)?;
            graph.add_typed(name, op, vec![ty], &[operand])
        }
        _ => return None,
    };
    copies.insert(value.node, copy.into());
    Some(copy.into())
}
