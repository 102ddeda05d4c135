//! A graph as Model Explorer's JSON: every node with its path as layers, operands and types.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::sizes_text;
use crate::graph::{Graph, NodeId};

/// One collection of graphs, each with its name: an object, as an array of collections is not read.
pub fn collection<'g>(
    label: &str,
    graphs: impl IntoIterator<Item = (&'g str, &'g Graph)>,
) -> Value {
    let graphs: Vec<Value> = graphs
        .into_iter()
        .map(|(name, graph)| json!({ "id": name, "nodes": nodes(graph) }))
        .collect();
    json!({ "label": label, "graphs": graphs })
}

fn nodes(graph: &Graph) -> Vec<Value> {
    let numbers: BTreeMap<NodeId, String> = graph
        .nodes()
        .enumerate()
        .map(|(number, id)| (id, number.to_string()))
        .collect();
    graph
        .nodes()
        .map(|id| {
            let node = graph.node(id);
            let edges: Vec<Value> = graph
                .operands(id)
                .iter()
                .enumerate()
                .map(|(operand, value)| {
                    json!({
                        "sourceNodeId": numbers[&value.node],
                        "sourceNodeOutputId": value.result.to_string(),
                        "targetNodeInputId": operand.to_string(),
                    })
                })
                .collect();
            let outputs: Vec<Value> = node
                .types
                .iter()
                .enumerate()
                .map(|(result, ty)| {
                    let sizes = format!("{} {}", ty.dtype, sizes_text(graph, ty));
                    json!({
                        "id": result.to_string(),
                        "attrs": [{ "key": "tensor_shape", "value": sizes }],
                    })
                })
                .collect();
            json!({
                "id": numbers[&id],
                "label": node.op.name(),
                "namespace": layers(&node.name),
                "attrs": [
                    { "key": "name", "value": node.name },
                    { "key": "computes", "value": node.op.row().doc },
                ],
                "incomingEdges": edges,
                "outputsMetadata": outputs,
            })
        })
        .collect()
}

/// The layers that a node is in: its path less the last segment, of a derivative `d(PATH)` that of what it is of,
/// below a layer `d(FIRST)`.
fn layers(name: &str) -> String {
    let inner = name
        .strip_prefix("d(")
        .and_then(|rest| rest.split_once(')'));
    let path = inner.map_or(name, |(inner, _)| inner);
    let mut layers = path.split('.');
    layers.next_back();
    let layers: Vec<&str> = layers.collect();
    match (inner, layers.as_slice()) {
        (Some(_), [first, rest @ ..]) => {
            [&[format!("d({first})").as_str()], rest].concat().join("/")
        }
        _ => layers.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_have_layers_of_their_own() {
        assert_eq!(layers("decoder.blocks.0.q"), "decoder/blocks/0");
        assert_eq!(
            layers("d(decoder.blocks.0.q.product).b"),
            "d(decoder)/blocks/0/q"
        );
        assert_eq!(
            (layers("pixels").as_str(), layers("d(loss)").as_str()),
            ("", "")
        );
    }

    #[test]
    fn nodes_name_their_operands() {
        let text = "%m.x: f32[8] = input()\n%m.y: f32[8] = tanh(%m.x)\noutput y = %m.y\n";
        let graph = crate::graph::text::parse(text).expect("parses");
        let found = collection("m", [("run", &graph)]);
        let nodes = &found["graphs"][0]["nodes"];
        assert_eq!(nodes[1]["label"], "tanh");
        assert_eq!(nodes[1]["namespace"], "m");
        assert_eq!(nodes[1]["incomingEdges"][0]["sourceNodeId"], nodes[0]["id"]);
        assert_eq!(nodes[0]["outputsMetadata"][0]["attrs"][0]["value"], "f32 8");
    }
}
