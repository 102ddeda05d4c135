//! Pictures of graphs: nodes folded by their paths into boxes, with the sizes of what flows between.
//!
//! A box is everything whose path begins alike, `decoder.blocks` with all its blocks among it;
//! parameters and constants belong to who uses them. [`svg`] draws the boxes, [`explorer`] gives
//! the whole graph to Model Explorer, which folds by itself.

pub mod explorer;
mod layout;
mod rows;
pub mod svg;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::graph::{Dim, Graph, InputRole, NodeId, Op, Type};

/// A folded graph.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Boxes in an order in which data flows.
    pub boxes: Vec<Folded>,
    /// What flows between them.
    pub flows: Vec<Flow>,
}

/// A box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// The path that its nodes begin with.
    pub path: String,
    /// How often a repeated part is in it; 1 for one that is not repeated.
    pub repeats: u64,
    /// Nodes that compute.
    pub nodes: u64,
    /// Elements of its parameters.
    pub parameters: u64,
    /// Whether it is data given before a run.
    pub is_input: bool,
}

/// What flows from one box to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Index of the source.
    pub from: usize,
    /// Index of the target.
    pub to: usize,
    /// Sizes of each different tensor.
    pub sizes: Vec<String>,
}

/// Folds a graph to boxes of the first `depth` segments of a path.
pub fn fold(graph: &Graph, depth: usize) -> Picture {
    let path_of = |id: NodeId| folded_path(&graph.node(id).name, depth);
    let is_source = |id: NodeId| {
        matches!(
            graph.op(id),
            Op::Input(InputRole::Parameter(_) | InputRole::State(_))
                | Op::Constant(_)
                | Op::Splat(_)
        )
    };
    // Boxes that hold nothing but sources go to their first user.
    let computes: BTreeSet<String> = graph
        .nodes()
        .filter(|id| !is_source(*id))
        .map(path_of)
        .collect();
    let mut user: BTreeMap<NodeId, String> = BTreeMap::new();
    for id in graph.nodes().filter(|id| !is_source(*id)) {
        for operand in graph.operands(id) {
            user.entry(operand.node).or_insert_with(|| path_of(id));
        }
    }
    let home = |id: NodeId| {
        let own = path_of(id);
        match is_source(id) && !computes.contains(&own) {
            true => user.get(&id).cloned().unwrap_or(own),
            false => own,
        }
    };
    // In the order of what computes: a weight may be made long before it is used.
    let ordered = || {
        let computing = graph.nodes().filter(|id| !is_source(*id));
        computing.chain(graph.nodes().filter(|id| is_source(*id)))
    };
    let mut boxes: IndexMap<String, Folded> = IndexMap::new();
    let mut flows: IndexMap<(usize, usize), Vec<String>> = IndexMap::new();
    for id in ordered() {
        let node = graph.node(id);
        let path = home(id);
        let entry = boxes.entry(path.clone()).or_insert_with(|| Folded {
            path: path.clone(),
            repeats: 1,
            ..Folded::default()
        });
        entry.repeats = entry.repeats.max(repeat_of(&node.name, &path) + 1);
        entry.is_input |= matches!(node.op, Op::Input(InputRole::Data));
        if let Op::Input(InputRole::Parameter(_)) = node.op {
            entry.parameters += graph.bounds(&node.types[0]).iter().product::<u64>();
        }
        entry.nodes += u64::from(!is_source(id));
        let to = boxes.get_index_of(&path).unwrap_or_default();
        for operand in graph.operands(id) {
            let Some(from) = boxes.get_index_of(&home(operand.node)) else {
                continue;
            };
            let ty = &graph.node(operand.node).types[operand.result as usize];
            let sizes = sizes_text(graph, ty);
            let known = flows.entry((from, to)).or_default();
            if from != to && !known.contains(&sizes) {
                known.push(sizes);
            }
        }
    }
    let flows = flows.into_iter().filter(|((from, to), _)| from != to);
    Picture {
        boxes: boxes.into_values().collect(),
        flows: flows
            .map(|((from, to), sizes)| Flow { from, to, sizes })
            .collect(),
    }
}

/// The first `depth` segments of a path, up to a number.
fn folded_path(name: &str, depth: usize) -> String {
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = name.split('.').take(depth.max(1));
    let parts: Vec<&str> = parts.take_while(|part| !is_number(part)).collect();
    match parts.is_empty() {
        true => name.to_owned(),
        false => parts.join("."),
    }
}

/// The number that follows `path` in `name`, 0 without one.
fn repeat_of(name: &str, path: &str) -> u64 {
    let rest = name
        .strip_prefix(path)
        .and_then(|rest| rest.strip_prefix('.'));
    let number = rest.and_then(|rest| rest.split('.').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Sizes as a person writes them: `images × 16 × 48`; a scalar is `1`.
pub fn sizes_text(graph: &Graph, ty: &Type) -> String {
    let dims: Vec<String> = ty
        .dims
        .iter()
        .map(|dim| match *dim {
            Dim::Fixed(size) => size.to_string(),
            Dim::Scaled { extent, scale } => {
                let name = &graph.extents[extent.0 as usize].name;
                match scale {
                    1 => name.clone(),
                    scale => format!("{name}·{scale}"),
                }
            }
        })
        .collect();
    match dims.is_empty() {
        true => "1".to_owned(),
        false => dims.join(" × "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fold_before_numbers() {
        assert_eq!(
            folded_path("decoder.blocks.3.mlp.gate", 2),
            "decoder.blocks"
        );
        assert_eq!(
            folded_path("decoder.blocks.3.mlp.gate", 4),
            "decoder.blocks"
        );
        assert_eq!(folded_path("encoder.patch.rows", 1), "encoder");
        assert_eq!(folded_path("pixels", 2), "pixels");
        assert_eq!(repeat_of("decoder.blocks.11.q", "decoder.blocks"), 11);
        assert_eq!(repeat_of("decoder.norm.weight", "decoder.norm"), 0);
    }

    #[test]
    fn a_graph_folds_to_boxes_with_sizes_between() {
        let text = "extent n <= 4\n\
            %x: f32[n, 8] = input()\n\
            %a.0.w: f32[6, 8] = parameter() {init=zeros, trained}\n\
            %a.0.y: f32[n, 6] = matmul(%x, %a.0.w) {transpose_b}\n\
            %a.1.y: f32[n, 6] = tanh(%a.0.y)\n\
            %shift: f32[6] = parameter() {init=zeros, trained}\n\
            %b.y: f32[n, 6] = add(%a.1.y, %shift)\n\
            output y = %b.y\n";
        let graph = crate::graph::text::parse(text).expect("parses");
        let picture = fold(&graph, 2);
        let paths: Vec<&str> = picture.boxes.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["x", "a", "b.y"]);
        assert!(picture.boxes[0].is_input);
        assert_eq!(
            (picture.boxes[1].repeats, picture.boxes[1].parameters),
            (2, 48)
        );
        assert_eq!(picture.boxes[2].parameters, 6);
        let flow = |from, to, sizes: &str| Flow {
            from,
            to,
            sizes: vec![sizes.to_owned()],
        };
        assert_eq!(picture.flows, [flow(0, 1, "n × 8"), flow(1, 2, "n × 6")]);
    }
}
