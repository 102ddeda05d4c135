//! Replays a run tensor by tensor and finds the first that is wrong.
//!
//! A run leaves the values of a graph's outputs. Walking the graph in topological order, each
//! output is computed anew from the *recorded* values before it, so what one kernel got wrong is
//! found at that kernel and does not taint those after it.
//!
//! # Tolerance
//! A recorded value may differ from its meaning by ε·(64 + L) + 2⁻⁷·B of the tensor's scale, with
//! ε = 2⁻²⁴, L the terms of the reductions since the values that were recorded (rounding of a sum of L
//! terms in any order) and B the roundings to bf16 since them. The scale is the tensor's
//! largest magnitude, or that of the sum's terms √K·rms(a)·rms(b) where they cancel.

use std::collections::BTreeMap;

use super::{Tensor, actual, ancestors, apply, input, round_bf16, run_time_sizes};
use crate::graph::{Binary, DType, Graph, NodeId, Op, Value};

/// Rounding of f32.
const EPSILON: f64 = 1.0 / (1 << 24) as f64;
/// Spacing of bf16.
const BF16: f64 = 1.0 / 128.0;
/// Roundings of f32 that any kernel is allowed: functions are polynomials.
const SLACK: f64 = 64.0;

/// One compared tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Name of the value.
    pub name: String,
    /// What computes it.
    pub op: &'static str,
    /// Its node.
    pub node: NodeId,
    /// Largest difference as a share of the tensor's scale; infinite for a NaN.
    pub error: f64,
    /// What is allowed.
    pub tolerance: f64,
    /// Element with the largest difference.
    pub element: usize,
    /// What the run had there.
    pub recorded: f64,
    /// What it should have had.
    pub expected: f64,
}

impl Check {
    /// Whether the tensor is as it should be.
    pub fn passes(&self) -> bool {
        self.error <= self.tolerance
    }
}

/// What rounding may do to a value that was not recorded.
#[derive(Clone, Copy, Debug, Default)]
struct Doubt {
    /// Terms of reductions.
    length: f64,
    /// Roundings to bf16.
    roundings: f64,
    /// Magnitude of what was added up.
    scale: f64,
}

/// Compares the recorded outputs of a run with their meaning, in topological order.
///
/// `extents` gives the run-time sizes, `inputs` the inputs by node name and `recorded` values by
/// output name; outputs that were not recorded are not compared.
///
/// # Errors
/// As [`super::interpret`], or a recorded value of another length.
pub fn replay(
    graph: &Graph,
    extents: &BTreeMap<String, u64>,
    inputs: &BTreeMap<String, Tensor>,
    recorded: &BTreeMap<String, Vec<f32>>,
) -> Result<Vec<Check>, String> {
    let mut known: BTreeMap<Value, &Vec<f32>> = BTreeMap::new();
    for output in &graph.outputs {
        if let Some(values) = recorded.get(&output.name) {
            known.insert(output.value, values);
        }
    }
    let wanted: Vec<Value> = known.keys().copied().collect();
    let needed = ancestors(graph, &wanted);
    let sizes = run_time_sizes(graph, extents, &needed)?;
    let mut users = vec![0usize; graph.capacity()];
    for id in graph.nodes().filter(|id| needed[id.index()]) {
        for operand in graph.operands(id) {
            users[operand.node.index()] += 1;
        }
    }
    let mut values: Vec<Vec<Tensor>> = vec![Vec::new(); graph.capacity()];
    let mut doubts: Vec<Vec<Doubt>> = vec![Vec::new(); graph.capacity()];
    let mut checks = Vec::new();
    for id in graph.topological() {
        if !needed[id.index()] {
            continue;
        }
        let node = graph.node(id);
        let of = |error: String| format!("`{}`: {error}", node.name);
        let operand_values = graph.operands(id);
        let operands: Vec<&Tensor> = operand_values
            .iter()
            .map(|value| &values[value.node.index()][value.result as usize])
            .collect();
        let before: Vec<Doubt> = operand_values
            .iter()
            .map(|value| doubts[value.node.index()][value.result as usize])
            .collect();
        let dims = node
            .types
            .iter()
            .map(|ty| actual(graph, &sizes, ty))
            .collect::<Result<Vec<_>, _>>()
            .map_err(of)?;
        let mut results = match &node.op {
            Op::Input(_) => input(&node.name, &dims[0], inputs),
            op => apply(op, &operands, &dims),
        }
        .map_err(of)?;
        let mixed = operand_values
            .iter()
            .any(|value| graph.ty(*value).dtype == DType::Bf16);
        let mut after = Vec::with_capacity(results.len());
        for (result, (tensor, ty)) in results.iter_mut().zip(&node.types).enumerate() {
            if ty.dtype == DType::Bf16 {
                tensor.data.iter_mut().for_each(|x| *x = round_bf16(*x));
            }
            let mut doubt = doubt(&node.op, &operands, &before, tensor);
            let contracts = matches!(
                node.op,
                Op::MatMul { .. }
                    | Op::Attention { .. }
                    | Op::AttentionGrad { .. }
                    | Op::LinearCrossEntropy { .. }
            );
            // Kernels round what they multiply, such as the weights of attention.
            doubt.roundings += f64::from(u8::from(mixed && contracts));
            doubt.roundings += f64::from(u8::from(ty.dtype == DType::Bf16));
            let value = Value {
                node: id,
                result: result as u32,
            };
            if let Some(there) = known.get(&value) {
                if there.len() < tensor.data.len() {
                    return Err(format!(
                        "`{}`: {} values were recorded of {}",
                        node.name,
                        there.len(),
                        tensor.data.len()
                    ));
                }
                checks.push(check(graph, value, tensor, there, doubt));
                for (own, there) in tensor.data.iter_mut().zip(*there) {
                    *own = f64::from(*there);
                }
                doubt = Doubt {
                    scale: largest(tensor),
                    ..Doubt::default()
                };
            }
            after.push(doubt);
        }
        values[id.index()] = results;
        doubts[id.index()] = after;
        for value in operand_values {
            let left = &mut users[value.node.index()];
            *left -= 1;
            if *left == 0 {
                values[value.node.index()] = Vec::new();
            }
        }
    }
    Ok(checks)
}

fn check(graph: &Graph, value: Value, expected: &Tensor, recorded: &[f32], doubt: Doubt) -> Check {
    // Below the smallest normal number nothing is promised.
    let scale = doubt.scale.max(f64::from(f32::MIN_POSITIVE));
    let (mut error, mut element) = (0.0, 0);
    for (index, (expected, recorded)) in expected.data.iter().zip(recorded).enumerate() {
        let recorded = f64::from(*recorded);
        let difference = match (expected - recorded).abs() / scale {
            _ if *expected == recorded => 0.0,
            it if it.is_nan() => f64::INFINITY,
            it => it,
        };
        if difference > error {
            (error, element) = (difference, index);
        }
    }
    Check {
        name: graph.value_name(value),
        op: graph.op(value.node).name(),
        node: value.node,
        error,
        tolerance: EPSILON * (SLACK + doubt.length) + BF16 * doubt.roundings,
        element,
        recorded: recorded.get(element).copied().map_or(0.0, f64::from),
        expected: expected.data.get(element).copied().unwrap_or(0.0),
    }
}

/// What rounding may do to one result, given what it may have done to the operands.
fn doubt(op: &Op, operands: &[&Tensor], before: &[Doubt], result: &Tensor) -> Doubt {
    // The value that is only waited for adds nothing.
    let before = match op {
        Op::After => &before[..before.len().min(1)],
        _ => before,
    };
    let most = |of: fn(&Doubt) -> f64| before.iter().map(of).fold(0.0, f64::max);
    let width = |operand: usize| operands.get(operand).map_or(1, |it| it.width()) as f64;
    let count = |operand: usize| operands.get(operand).map_or(0, |it| it.data.len()) as f64;
    let size = |operand: usize, axis: usize| {
        let dims = operands.get(operand).map(|it| &it.dims);
        dims.and_then(|it| it.get(axis)).copied().unwrap_or(1) as f64
    };
    let root = |operand: usize| operands.get(operand).map_or(0.0, |it| rms(it));
    let elements = (result.data.len() as f64).max(1.0);
    // Terms of this op's own sums, and the size of such a sum if its terms do not cancel.
    let (length, sum) = match op {
        Op::MatMul { transpose_a, .. } => {
            let rank = operands.first().map_or(0, |it| it.dims.len());
            let k = size(0, rank.saturating_sub(if *transpose_a { 2 } else { 1 }));
            (k, k.sqrt() * root(0) * root(1))
        }
        Op::GroupedMatMul { .. } => (width(0), width(0).sqrt() * root(0) * root(1)),
        Op::GroupedMatMulWeightGrad => {
            let terms = (count(0) / width(0).max(1.0)).max(1.0);
            (terms, terms.sqrt() * root(0) * root(1))
        }
        Op::Softmax => (width(0), 0.0),
        Op::SumRows => (width(1), width(1).sqrt() * root(0)),
        Op::Reduce { .. } => {
            let terms = (count(0) / elements).max(1.0);
            (terms, terms.sqrt() * root(0))
        }
        Op::Norm { .. } => (width(0), 0.0),
        Op::NormInputGrad { .. } => (width(1), 0.0),
        Op::NormWeightGrad { .. } => {
            let rows = (count(0) / width(0).max(1.0)).max(1.0);
            (rows, rows.sqrt() * root(0))
        }
        Op::Attention { .. } => (size(1, 1) + width(0), 0.0),
        Op::AttentionGrad { .. } => {
            let terms = size(1, 1) + size(2, 1) + width(0);
            (terms, 0.0)
        }
        Op::DepthwiseConv2d { kernel, .. } => ((kernel * kernel) as f64, 0.0),
        Op::DepthwiseConv2dWeightGrad { .. } => {
            let terms = (count(0) / width(0).max(1.0)).max(1.0);
            (terms, terms.sqrt() * root(0) * root(1))
        }
        Op::CrossEntropy => (width(0) + size(0, 0), 0.0),
        Op::LinearCrossEntropy { .. } => (size(1, 0) + width(0) + size(0, 0), 0.0),
        Op::ScatterAddRows => (size(0, 0), 0.0),
        _ => (1.0, 0.0),
    };
    // What moves or adds values keeps the size of what they were added up from.
    let inherited = match op {
        Op::Binary(Binary::Add | Binary::Sub)
        | Op::Reshape
        | Op::Transpose(_)
        | Op::Slice { .. }
        | Op::Concat { .. }
        | Op::Broadcast
        | Op::After
        | Op::TakeRows
        | Op::SumRows
        | Op::Cast => most(|it| it.scale),
        _ => 0.0,
    };
    Doubt {
        length: most(|it| it.length) + length,
        roundings: most(|it| it.roundings),
        scale: largest(result).max(sum).max(inherited),
    }
}

fn largest(tensor: &Tensor) -> f64 {
    let finite = tensor.data.iter().filter(|it| it.is_finite());
    finite.fold(0.0, |most, it| it.abs().max(most))
}

fn rms(tensor: &Tensor) -> f64 {
    let squares: f64 = tensor.data.iter().map(|it| it * it).sum();
    (squares / (tensor.data.len() as f64).max(1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::text::parse;

    const GRAPH: &str = "\
%x: f32[2, 3] = input()
%w: f32[3, 2] = input()
%y: f32[2, 2] = matmul(%x, %w)
%z: f32[2, 2] = relu(%y)
%t: f32[2, 2] = add(%z, %z)
output y = %y
output t = %t
";

    fn run(recorded: &[(&str, &[f32])]) -> Vec<Check> {
        let graph = parse(GRAPH).expect("a graph");
        let tensor =
            |dims: [u64; 2], data: &[f64]| Tensor::new(dims, data.to_vec()).expect("it fits");
        let inputs = BTreeMap::from([
            (
                "x".to_owned(),
                tensor([2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            ),
            (
                "w".to_owned(),
                tensor([3, 2], &[1.0, 0.0, 0.0, 1.0, -1.0, 1.0]),
            ),
        ]);
        let recorded = recorded
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.to_vec()))
            .collect();
        replay(&graph, &BTreeMap::new(), &inputs, &recorded).expect("a graph that runs")
    }

    #[test]
    fn a_right_run_passes() {
        let checks = run(&[
            ("y", &[-2.0, 5.0, -2.0, 11.0]),
            ("t", &[0.0, 10.0, 0.0, 22.0]),
        ]);
        assert_eq!(checks.len(), 2);
        assert!(checks.iter().all(Check::passes), "{checks:?}");
    }

    #[test]
    fn a_fault_is_found_where_it_happens_and_taints_nothing() {
        let checks = run(&[
            ("y", &[-2.0, 5.0, -2.0, 12.0]),
            ("t", &[0.0, 10.0, 0.0, 24.0]),
        ]);
        assert!(!checks[0].passes() && checks[1].passes(), "{checks:?}");
        let found = (
            checks[0].name.as_str(),
            checks[0].element,
            checks[0].expected,
        );
        assert_eq!(found, ("y", 3, 11.0));
        let checks = run(&[
            ("y", &[-2.0, 5.0, -2.0, 11.0]),
            ("t", &[0.0, 10.0, 0.001, 22.0]),
        ]);
        assert!(checks[0].passes() && !checks[1].passes(), "{checks:?}");
    }

    #[test]
    fn what_is_no_number_is_wrong() {
        let checks = run(&[("y", &[f32::NAN, 5.0, -2.0, 11.0])]);
        assert!(!checks[0].passes());
    }

    #[test]
    fn values_that_were_not_recorded_are_computed_through() {
        let checks = run(&[("t", &[0.0, 10.0, 0.0, 22.0])]);
        assert!(checks.len() == 1 && checks[0].passes(), "{checks:?}");
    }
}
