//! Copies that a graph needs before it becomes kernels.
//!
//! The caller reads an output from a buffer that is the output's alone and as large as it. A value
//! that no kernel makes (an input, a constant, a rearrangement of one), that is a part of another,
//! that replaces a state, or that is an output already is copied for it. Where a kernel reads an
//! operand through computed addresses, a number becomes a tensor; and what a scatter walks as one axis
//! of rows is copied if no stride says that axis.

use std::borrow::Cow;
use std::collections::HashSet;

use super::view::View;
use crate::graph::{Graph, NodeId, Op, Value};

/// The graph with the copies that it needs.
pub(super) fn with_copies(graph: &Graph) -> Cow<'_, Graph> {
    let (outputs, operands) = (outputs(graph), operands(graph));
    if outputs.is_empty() && operands.is_empty() {
        return Cow::Borrowed(graph);
    }
    let mut graph = graph.clone();
    for index in outputs {
        let value = graph.outputs[index].value;
        graph.outputs[index].value = copy(&mut graph, value);
    }
    for (node, operand) in operands {
        let value = graph.operands(node)[operand];
        let copied = copy(&mut graph, value);
        graph.set_operand(node, operand as u32, copied);
    }
    Cow::Owned(graph)
}

fn copy(graph: &mut Graph, value: Value) -> Value {
    let ty = graph.ty(value).clone();
    let name = format!("{}.copy", graph.value_name(value));
    graph.add_typed(name, Op::Cast, vec![ty], &[value]).into()
}

/// Outputs that have no memory of their own or not their own size, by number.
fn outputs(graph: &Graph) -> Vec<usize> {
    let whole = |value: Value| {
        let base = base(graph, value);
        (graph.ty(base).elements() == graph.ty(value).elements()).then_some(base)
    };
    let states = graph.outputs.iter().filter(|it| it.replaces.is_some());
    let mut taken: HashSet<Value> = states.filter_map(|it| whole(it.value)).collect();
    let mut copied = Vec::new();
    for (index, output) in graph.outputs.iter().enumerate() {
        let own = match whole(output.value) {
            None => false,
            Some(_) if output.replaces.is_some() => true,
            Some(base) => {
                let source = matches!(
                    graph.op(base.node),
                    Op::Input(_) | Op::Constant(_) | Op::Splat(_)
                );
                !source && taken.insert(base)
            }
        };
        if !own {
            copied.push(index);
        }
    }
    copied
}

/// Operands that a kernel cannot read where they are: (node, operand).
fn operands(graph: &Graph) -> Vec<(NodeId, usize)> {
    let mut copied = Vec::new();
    for id in graph.nodes() {
        let addressed = match graph.op(id) {
            Op::GatherRows
            | Op::TakeRows
            | Op::SumRows
            | Op::DepthwiseConv2d { .. }
            | Op::DepthwiseConv2dWeightGrad { .. } => 0..1,
            Op::Rotary { .. } => 1..2,
            Op::Attention { .. } => 0..3,
            Op::AttentionGrad { .. } => 0..6,
            Op::CrossEntropy => 0..3,
            Op::LinearCrossEntropy { .. } => 0..4,
            _ => 0..0,
        };
        let operands = graph.operands(id);
        copied.extend(addressed.filter_map(|operand| {
            let value = operands.get(operand)?;
            matches!(graph.op(value.node), Op::Splat(_)).then_some((id, operand))
        }));
        if let (Op::SortChoices { .. }, [choices]) = (graph.op(id), &operands[..]) {
            let count = graph.bound(graph.ty(*choices).elements());
            if view(graph, *choices).reshape(&[count]).is_none() {
                copied.push((id, 0));
            }
        }
        if let (Op::ScatterAddRows, [updates, indices]) = (graph.op(id), &operands[..]) {
            let rows = graph.bound(graph.ty(*indices).elements());
            let width = graph.bound(graph.node(id).types[0].dims[1]);
            let walked = [(*updates, vec![rows, width]), (*indices, vec![rows])];
            copied.extend(
                walked
                    .iter()
                    .enumerate()
                    .filter_map(|(operand, (value, dims))| {
                        let strided = view(graph, *value).reshape(dims).is_some();
                        (!strided).then_some((id, operand))
                    }),
            );
        }
    }
    copied
}

/// How a value is read: densely, or through the strides of the rearrangements that made it.
fn view(graph: &Graph, value: Value) -> View {
    let dims = graph.bounds(graph.ty(value));
    let operand = || view(graph, graph.operands(value.node)[0]);
    match graph.op(value.node) {
        Op::Transpose(permutation) => operand().transpose(permutation),
        Op::Slice { axis, start } => operand().slice(*axis, *start, dims[*axis]),
        Op::Broadcast => operand().broadcast(&dims),
        // Where no strides say it, fusion makes a copy.
        Op::Reshape => operand()
            .reshape(&dims)
            .unwrap_or_else(|| View::dense(&dims)),
        _ => View::dense(&dims),
    }
}

/// The value in whose memory a value is: what a chain of rearrangements starts from. A reshape
/// that no strides say has memory of its own.
fn base(graph: &Graph, mut value: Value) -> Value {
    loop {
        let views = match graph.op(value.node) {
            Op::Transpose(_) | Op::Slice { .. } | Op::Broadcast => true,
            Op::Reshape => {
                let operand = view(graph, graph.operands(value.node)[0]);
                let dims = graph.bounds(graph.ty(value));
                operand.reshape(&dims).is_some()
            }
            _ => false,
        };
        if !views {
            return value;
        }
        value = graph.operands(value.node)[0];
    }
}

#[cfg(test)]
mod tests {
    use crate::fuse::{Home, fuse};
    use crate::graph::text::parse;

    #[test]
    fn every_output_has_memory_of_its_own() {
        let text = "\
%x: f32[2, 3] = input()
%i: i32[3] = input()
%s: f32[6] = state() {region=\"state\"}
%c: f32[3] = constant() {values=[1, 2, 3]}
%y: f32[2, 3] = tanh(%x)
%flat: f32[6] = reshape(%y)
%turned: f32[3, 2] = transpose(%x) {permutation=[1, 0]}
%n: f32[] = splat() {value=0.5}
%sum: f32[6] = add(%s, %flat)
%part: f32[2] = slice(%sum) {axis=0, start=0}
output y = %y
output again = %y
output flat = %flat
output x = %x
output turned = %turned
output i = %i
output c = %c
output n = %n
output before = %s
output sum = %sum
output part = %part
update %s = %sum
";
        let graph = parse(text).expect("a graph");
        let fused = fuse(&graph).expect("a program");
        let homes: Vec<Home> = fused
            .outputs
            .iter()
            .map(|key| fused.buffers[key.0 as usize].home)
            .collect();
        for (index, home) in homes.iter().enumerate().take(11) {
            assert_eq!(*home, Home::Output(index), "{}", graph.outputs[index].name);
        }
        assert!(matches!(homes[11], Home::Source(_)));
        let sizes = |name: &str| {
            let index = graph.outputs.iter().position(|it| it.name == name);
            let key = fused.outputs[index.expect("an output")];
            let info = &fused.buffers[key.0 as usize];
            (
                info.elements,
                graph.bounds(&crate::graph::Type::new(info.dtype, info.dims.clone())),
            )
        };
        assert_eq!(sizes("flat"), (6, vec![6]));
        assert_eq!(sizes("part"), (2, vec![2]));
    }

    #[test]
    fn operands_are_copied_where_kernels_cannot_read_them() {
        let text = "\
%x: f32[1, 3, 2, 4] = input()
%angles: f32[5, 4] = splat() {value=0.5}
%rows: i32[1, 3] = input()
%turned: f32[1, 3, 2, 4] = rotary(%x, %angles, %rows)
%k: f32[1, 2, 1, 4] = splat() {value=0.25}
%a: f32[1, 3, 2, 4], f32[1, 2, 3] = attention(%turned, %k, %k) {scale=1}
%table: f32[5, 4] = splat() {value=2}
%g: f32[1, 3, 4] = gather_rows(%table, %rows)
%x.turned: f32[2, 3, 1, 4] = transpose(%x) {permutation=[2, 1, 0, 3]}
%places: i32[1, 3, 2] = input()
%places.turned: i32[2, 3, 1] = transpose(%places) {permutation=[2, 1, 0]}
%s: f32[5, 4] = scatter_add_rows(%x.turned, %places.turned)
output a = %a
output g = %g
output s = %s
";
        fuse(&parse(text).expect("a graph")).expect("a program");
    }
}
