//! Removes nodes that no output depends on. Inputs stay: they are the program's interface.

use crate::graph::{Graph, NodeId, Op};

/// Removes what no output reads.
pub fn drop_dead_code(graph: &mut Graph) {
    let mut live = vec![false; graph.capacity()];
    let mut pending: Vec<NodeId> = graph.outputs.iter().map(|o| o.value.node).collect();
    while let Some(id) = pending.pop() {
        if !std::mem::replace(&mut live[id.index()], true) {
            pending.extend(graph.operands(id).iter().map(|value| value.node));
        }
    }
    // Users first, so that nothing is removed while it is read.
    for id in graph.topological().into_iter().rev() {
        if !live[id.index()] && !matches!(graph.op(id), Op::Input(_)) {
            graph.remove(id);
        }
    }
}
