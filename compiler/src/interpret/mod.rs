//! The reference interpreter: what a graph means, in f64.
//!
//! Every operation is written as its definition reads, in plain loops; nothing is fused,
//! blocked or reordered, so this is the yardstick for kernels, passes and derivatives.
//!
//! # Rounding
//! [`interpret`] ignores element types: all arithmetic is f64 and nothing is rounded, which is
//! the definition. [`interpret_rounded`] also rounds each bf16 result to the nearest bf16,
//! ties to even (through f32, as the hardware does), which shows what mixed precision costs.
//! f32 results are never rounded to f32. Integers are exact in either case.
//!
//! # Sizes
//! The caller sets the run-time sizes; derived ones follow. 0 is legal: reductions over
//! nothing give the monoid's neutral element, and everything else is empty.

mod attention;
mod composite;
mod contract;
mod experts;
mod loss;
mod movement;
mod pointwise;
mod replay;

pub use replay::{Check, replay};

use std::collections::BTreeMap;

use half::bf16;

use crate::graph::{DType, Dim, Graph, NodeId, Op, Type, Value};

/// A dense row-major tensor with its run-time sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes, outermost first; empty for a scalar.
    pub dims: Vec<u64>,
    /// Elements; i32 values are whole numbers.
    pub data: Vec<f64>,
}

impl Tensor {
    /// A tensor of these elements.
    ///
    /// # Errors
    /// If their number is not the product of the sizes.
    pub fn new(dims: impl Into<Vec<u64>>, data: Vec<f64>) -> Result<Self, String> {
        let dims = dims.into();
        let wanted = count(&dims)?;
        if wanted == data.len() {
            Ok(Self { dims, data })
        } else {
            Err(format!(
                "{} elements for sizes {dims:?}, which need {wanted}",
                data.len()
            ))
        }
    }

    /// A tensor of one number; the caller keeps the sizes within memory.
    fn filled(dims: &[u64], value: f64) -> Self {
        Self {
            dims: dims.to_vec(),
            data: vec![value; dims.iter().product::<u64>() as usize],
        }
    }

    fn zeros(dims: &[u64]) -> Self {
        Self::filled(dims, 0.0)
    }

    /// Size of the last axis; 1 for a scalar.
    fn width(&self) -> usize {
        self.dims.last().map_or(1, |width| *width as usize)
    }

    /// Elements at `start .. start + width` of every group of `width`.
    fn row(&self, row: usize, width: usize) -> &[f64] {
        &self.data[row * width..(row + 1) * width]
    }
}

/// Elements of these sizes.
fn count(dims: &[u64]) -> Result<usize, String> {
    dims.iter()
        .try_fold(1u64, |total, size| total.checked_mul(*size))
        .and_then(|total| usize::try_from(total).ok())
        .filter(|total| *total <= isize::MAX as usize / 8)
        .ok_or_else(|| format!("sizes {dims:?} exceed the memory"))
}

/// Evaluates `wanted` in f64 without any rounding.
///
/// `extents` gives the run-time sizes by name (derived ones are computed), `inputs` the
/// inputs by node name. Only what `wanted` depends on is evaluated and needed.
///
/// # Errors
/// A missing or misshapen input or run-time size, an index out of range, or an ill-typed
/// graph; the message names the node.
pub fn interpret(
    graph: &Graph,
    extents: &BTreeMap<String, u64>,
    inputs: &BTreeMap<String, Tensor>,
    wanted: &[Value],
) -> Result<BTreeMap<Value, Tensor>, String> {
    evaluate(graph, extents, inputs, wanted, false)
}

/// As [`interpret`], with every bf16 value (inputs too) rounded to bf16 where it is produced.
///
/// # Errors
/// As [`interpret`].
pub fn interpret_rounded(
    graph: &Graph,
    extents: &BTreeMap<String, u64>,
    inputs: &BTreeMap<String, Tensor>,
    wanted: &[Value],
) -> Result<BTreeMap<Value, Tensor>, String> {
    evaluate(graph, extents, inputs, wanted, true)
}

/// The nearest bf16 of the nearest f32.
pub fn round_bf16(x: f64) -> f64 {
    bf16::from_f32(x as f32).to_f64()
}

fn evaluate(
    graph: &Graph,
    extents: &BTreeMap<String, u64>,
    inputs: &BTreeMap<String, Tensor>,
    wanted: &[Value],
    round: bool,
) -> Result<BTreeMap<Value, Tensor>, String> {
    let needed = ancestors(graph, wanted);
    let sizes = run_time_sizes(graph, extents, &needed)?;
    let mut results: Vec<Vec<Tensor>> = vec![Vec::new(); graph.capacity()];
    for id in graph.topological() {
        if !needed[id.index()] {
            continue;
        }
        let node = graph.node(id);
        let operand_values = graph.operands(id);
        let operands: Vec<&Tensor> = operand_values
            .iter()
            .map(|value| &results[value.node.index()][value.result as usize])
            .collect();
        let dims = node
            .types
            .iter()
            .map(|ty| actual(graph, &sizes, ty))
            .collect::<Result<Vec<_>, _>>();
        let mut tensors = dims
            .and_then(|dims| match &node.op {
                Op::Input(_) => input(&node.name, &dims[0], inputs),
                op => apply(op, &operands, &dims),
            })
            .map_err(|error| format!("`{}`: {error}", node.name))?;
        if tensors.len() != node.types.len() {
            return Err(format!(
                "`{}`: {} results of {} types",
                node.name,
                tensors.len(),
                node.types.len()
            ));
        }
        for (index, (tensor, ty)) in tensors.iter_mut().zip(&node.types).enumerate() {
            let dims = actual(graph, &sizes, ty)?;
            if tensor.dims != dims {
                return Err(format!(
                    "`{}`: result {index} has sizes {:?}, its type says {dims:?}",
                    node.name, tensor.dims
                ));
            }
            if round && ty.dtype == DType::Bf16 {
                tensor.data.iter_mut().for_each(|x| *x = round_bf16(*x));
            }
        }
        results[id.index()] = tensors;
    }
    wanted
        .iter()
        .map(|value| {
            results[value.node.index()]
                .get(value.result as usize)
                .map(|tensor| (*value, tensor.clone()))
                .ok_or_else(|| format!("`{}` does not exist", graph.value_name(*value)))
        })
        .collect()
}

/// Which nodes the values depend on, indexed by node.
fn ancestors(graph: &Graph, wanted: &[Value]) -> Vec<bool> {
    let mut needed = vec![false; graph.capacity()];
    let mut pending: Vec<NodeId> = wanted.iter().map(|value| value.node).collect();
    while let Some(id) = pending.pop() {
        if !std::mem::replace(&mut needed[id.index()], true) {
            pending.extend(graph.operands(id).iter().map(|value| value.node));
        }
    }
    needed
}

/// Values of the run-time sizes that the needed nodes mention; `None` for others that the
/// caller left out.
fn run_time_sizes(
    graph: &Graph,
    given: &BTreeMap<String, u64>,
    needed: &[bool],
) -> Result<Vec<Option<u64>>, String> {
    let mut sizes: Vec<Option<u64>> = Vec::new();
    for extent in &graph.extents {
        let size = match extent.derived {
            Some((base, offset)) => sizes
                .get(base as usize)
                .copied()
                .flatten()
                .map(|base| base.saturating_sub(offset).min(extent.bound)),
            None => given.get(&extent.name).copied(),
        };
        if size.is_some_and(|size| size > extent.bound) {
            return Err(format!(
                "run-time size `{}` exceeds its bound {}",
                extent.name, extent.bound
            ));
        }
        sizes.push(size);
    }
    for id in graph.nodes().filter(|id| needed[id.index()]) {
        let node = graph.node(id);
        for dim in node.types.iter().flat_map(|ty| &ty.dims) {
            if let Dim::Scaled { extent, .. } = dim
                && sizes[extent.0 as usize].is_none()
            {
                return Err(format!(
                    "run-time size `{}` is not given, `{}` needs it",
                    graph.extents[extent.0 as usize].name, node.name
                ));
            }
        }
    }
    Ok(sizes)
}

/// Run-time sizes of a type.
fn actual(graph: &Graph, sizes: &[Option<u64>], ty: &Type) -> Result<Vec<u64>, String> {
    let dims: Vec<u64> = ty
        .dims
        .iter()
        .map(|dim| match *dim {
            Dim::Fixed(n) => Ok(n),
            Dim::Scaled { extent, scale } => {
                let size = sizes[extent.0 as usize];
                size.and_then(|size| size.checked_mul(scale))
                    .ok_or_else(|| {
                        format!(
                            "run-time size `{}` is unknown",
                            graph.extents[extent.0 as usize].name
                        )
                    })
            }
        })
        .collect::<Result<_, _>>()?;
    count(&dims)?;
    Ok(dims)
}

fn input(
    name: &str,
    dims: &[u64],
    inputs: &BTreeMap<String, Tensor>,
) -> Result<Vec<Tensor>, String> {
    let given = inputs.get(name).ok_or("the input is not given")?;
    if given.dims != dims || given.data.len() != count(dims)? {
        return Err(format!(
            "the given sizes {:?} ({} elements) are not {dims:?}",
            given.dims,
            given.data.len()
        ));
    }
    Ok(vec![given.clone()])
}

/// Results of one operation, other than an input, under `dims`, the sizes of its results.
///
/// # Errors
/// What is wrong with the operands.
pub fn apply(op: &Op, operands: &[&Tensor], dims: &[Vec<u64>]) -> Result<Vec<Tensor>, String> {
    let first = dims.first().ok_or("no result")?;
    let one = |tensor: Tensor| Ok(vec![tensor]);
    match (op, operands) {
        (Op::Constant(values), []) => one(Tensor::new(first.clone(), values.clone())?),
        (Op::Splat(value), []) => one(Tensor::filled(first, *value)),
        (Op::Reshape, [x]) => one(Tensor::new(first.clone(), x.data.clone())?),
        (Op::Cast, [x]) | (Op::After, [x, _]) => one((*x).clone()),
        (Op::Transpose(permutation), [x]) => one(movement::transpose(permutation, x)?),
        (Op::Slice { axis, start }, [x]) => one(movement::slice(*axis, *start, x, first)?),
        (Op::Concat { axis }, parts) => one(movement::concat(*axis, parts, first)?),
        (Op::Broadcast, [x]) => one(movement::broadcast(x, first)?),
        (Op::GatherRows, [table, indices]) => one(movement::gather_rows(table, indices)?),
        (Op::ScatterAddRows, [updates, indices]) => {
            one(movement::scatter_add_rows(updates, indices, first)?)
        }
        (Op::UpdateRows, [table, rows, positions]) => {
            one(movement::update_rows(table, rows, positions)?)
        }
        (Op::Unary(unary), [x]) => one(Tensor {
            dims: x.dims.clone(),
            data: x
                .data
                .iter()
                .map(|x| pointwise::unary(*unary, *x))
                .collect(),
        }),
        (Op::Binary(binary), [a, b]) => {
            let (a, b) = (
                movement::broadcast(a, first)?,
                movement::broadcast(b, first)?,
            );
            let pairs = a.data.iter().zip(&b.data);
            one(Tensor {
                dims: first.clone(),
                data: pairs
                    .map(|(a, b)| pointwise::binary(*binary, *a, *b))
                    .collect(),
            })
        }
        (Op::Reduce { kind, axes }, [x]) => one(contract::reduce(*kind, axes, x)?),
        (
            Op::MatMul {
                transpose_a,
                transpose_b,
            },
            [a, b],
        ) => one(contract::matmul(*transpose_a, *transpose_b, a, b)?),
        (Op::Softmax, [x]) => experts::softmax(x),
        (Op::TopK { count }, [x, present]) => one(experts::top_k(*count, x, present)?),
        (
            Op::SortChoices {
                experts,
                groups,
                capacity,
            },
            [choices],
        ) => experts::sort_choices([*experts, *groups, *capacity], choices),
        (Op::TakeRows, [table, indices, _]) => one(movement::gather_rows(table, indices)?),
        (Op::SumRows, [x, back, _]) => one(experts::sum_rows(x, back)?),
        (Op::GroupedMatMul { transpose_b }, [a, b, begin, end]) => {
            one(experts::matmul(*transpose_b, [a, b], [begin, end])?)
        }
        (Op::GroupedMatMulWeightGrad, [x, y, begin, end]) => {
            one(experts::weight_grad([x, y], [begin, end])?)
        }
        (Op::Norm { kind, epsilon }, [x, parameters @ ..]) => {
            composite::norm(*kind, *epsilon, x, parameters)
        }
        (Op::NormInputGrad { kind }, [dy, x, weight, statistics @ ..]) => one(
            composite::norm_input_grad(*kind, dy, x, weight, statistics)?,
        ),
        (Op::NormWeightGrad { kind }, [dy, x, statistics @ ..]) => {
            composite::norm_weight_grad(*kind, dy, x, statistics)
        }
        (Op::Rotary { inverse }, [x, table, positions]) => {
            one(composite::rotary(*inverse, x, table, positions)?)
        }
        (
            Op::Attention {
                scale,
                softcap,
                causal,
                begin,
                end,
            },
            [q, k, v, ranges @ ..],
        ) => {
            let keys = attention::Keys::new(*causal, *begin, *end, ranges, q, k, v)?;
            Ok(attention::forward(*scale, *softcap, &keys, [q, k, v]))
        }
        (
            Op::AttentionGrad {
                scale,
                softcap,
                causal,
                begin,
                end,
            },
            [dout, q, k, v, out, lse, ranges @ ..],
        ) => {
            let keys = attention::Keys::new(*causal, *begin, *end, ranges, q, k, v)?;
            attention::backward(*scale, *softcap, &keys, [dout, q, k, v, out, lse])
        }
        (Op::DepthwiseConv2d { grid, kernel, flip }, [x, w]) => {
            one(composite::depthwise_conv(*grid, *kernel, *flip, x, w)?)
        }
        (Op::DepthwiseConv2dWeightGrad { grid, kernel }, [x, dy]) => one(
            composite::depthwise_conv_weight_grad(*grid, *kernel, x, dy)?,
        ),
        (Op::CrossEntropy, [logits, targets, weights, z_weight]) => {
            loss::cross_entropy(logits, targets, weights, z_weight)
        }
        (
            Op::LinearCrossEntropy {
                gradient, softcap, ..
            },
            [x, w, targets, weights, z_weight],
        ) => loss::linear_cross_entropy(*gradient, *softcap, [x, w], [targets, weights, z_weight]),
        (
            Op::AdamW {
                beta1,
                beta2,
                epsilon,
            },
            [w, g, m, v, scalars @ ..],
        ) => composite::adamw(*beta1, *beta2, *epsilon, [w, g, m, v], scalars),
        _ => Err(format!(
            "{} operands do not fit the operation",
            operands.len()
        )),
    }
}

/// Element 0 of a scalar operand.
fn scalar(tensor: &Tensor) -> Result<f64, String> {
    match tensor.data[..] {
        [value] => Ok(value),
        _ => Err(format!("sizes {:?} where a scalar is needed", tensor.dims)),
    }
}

/// An index that must lie below `bound`; −1 gives `None`.
fn index_or_nothing(value: f64, bound: usize) -> Result<Option<usize>, String> {
    if value == -1.0 {
        return Ok(None);
    }
    index(value, bound).map(Some)
}

/// An index that must lie below `bound`.
fn index(value: f64, bound: usize) -> Result<usize, String> {
    if value >= 0.0 && value < bound as f64 && value.fract() == 0.0 {
        Ok(value as usize)
    } else {
        Err(format!("index {value} is not below {bound}"))
    }
}

/// Refuses sizes other than the wanted ones.
fn same(what: &str, found: &Tensor, wanted: &[u64]) -> Result<(), String> {
    if found.dims == wanted {
        Ok(())
    } else {
        Err(format!(
            "{what} has sizes {:?} instead of {wanted:?}",
            found.dims
        ))
    }
}
