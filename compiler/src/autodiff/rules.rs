//! One derivative per op.

use super::Adjoints;
use crate::graph::{Binary, Dim, NodeId, NormKind, Op, ReduceKind, Type, Unary, Value};

/// Adds the contributions of node `id` to its operands, given the adjoints of its results.
///
/// # Errors
/// The op has no derivative.
pub(super) fn derive(
    adjoints: &mut Adjoints<'_>,
    id: NodeId,
    incoming: &[Option<Value>],
) -> Result<(), String> {
    let op = adjoints.graph.op(id).clone();
    let operands = adjoints.graph.operands(id);
    if operands.is_empty() {
        return Ok(());
    }
    if op == Op::Softmax {
        softmax(adjoints, id, operands[0], incoming);
        return Ok(());
    }
    let Some(dy) = incoming[0] else {
        return Err(format!(
            "`{}`: only the first result can be differentiated",
            adjoints.graph.node(id).name
        ));
    };
    if incoming[1..].iter().any(Option::is_some) {
        return Err(format!(
            "`{}`: only the first result can be differentiated",
            adjoints.graph.node(id).name
        ));
    }
    let x = operands[0];
    match op {
        Op::Input(_) | Op::Constant(_) | Op::Splat(_) => {}
        Op::Reshape => {
            let dx = like(adjoints, id, "", Op::Reshape, x, &[dy]);
            adjoints.add(x, dx);
        }
        Op::Transpose(permutation) => {
            let mut inverse = vec![0; permutation.len()];
            for (to, from) in permutation.iter().enumerate() {
                inverse[*from] = to;
            }
            let name = adjoints.name(id, "");
            let dx = adjoints.graph.add(name, Op::Transpose(inverse), &[dy]);
            adjoints.add(x, dx);
        }
        Op::Slice { axis, start } => {
            let (whole, part) = (adjoints.graph.ty(x), adjoints.graph.ty(id.into()));
            if whole.dims == part.dims {
                adjoints.add(x, dy);
            } else if whole.dims[axis]
                .fixed()
                .and(part.dims[axis].fixed())
                .is_none()
            {
                // Its adjoint would have zeros beside a run-time size, which nothing joins.
                return Err(format!(
                    "`{}`, a part of a run-time size, has no derivative",
                    adjoints.graph.node(id).name
                ));
            } else {
                adjoints.add_part(x, axis, start, dy);
            }
        }
        Op::Concat { axis } => {
            let mut start = 0;
            for (index, part) in operands.iter().enumerate() {
                let length = adjoints.graph.bound(adjoints.graph.ty(*part).dims[axis]);
                if adjoints.wants(*part) {
                    let slice = like(
                        adjoints,
                        id,
                        &format!(".{index}"),
                        Op::Slice { axis, start },
                        *part,
                        &[dy],
                    );
                    adjoints.add(*part, slice);
                }
                start += length;
            }
        }
        Op::After => adjoints.add(x, dy),
        Op::Broadcast => {
            let dx = reduce_to(adjoints, id, "", dy, x);
            adjoints.add(x, dx);
        }
        Op::GatherRows => {
            let ty = adjoints.graph.ty(x).with_dtype(mm1_package::DType::F32);
            let name = adjoints.name(id, "");
            let dtable =
                adjoints
                    .graph
                    .add_typed(name, Op::ScatterAddRows, vec![ty], &[dy, operands[1]]);
            adjoints.add(x, dtable.into());
        }
        Op::ScatterAddRows => {
            let name = adjoints.name(id, "");
            let dx = adjoints.graph.add(name, Op::GatherRows, &[dy, operands[1]]);
            adjoints.add(x, dx);
        }
        Op::Unary(function) => unary(adjoints, id, function, x, dy)?,
        Op::Binary(function) => binary(adjoints, id, function, &operands, dy),
        Op::Cast => {
            let dx = like(adjoints, id, "", Op::Cast, x, &[dy]);
            adjoints.add(x, dx);
        }
        Op::Reduce {
            kind: ReduceKind::Sum,
            axes,
        } => {
            let ty = adjoints.graph.ty(x).clone();
            let mut kept = ty.clone();
            for axis in axes {
                kept.dims[axis] = Dim::Fixed(1);
            }
            let name = adjoints.name(id, ".kept");
            let dy = adjoints
                .graph
                .add_typed(name, Op::Reshape, vec![kept], &[dy]);
            let dx = like(adjoints, id, "", Op::Broadcast, x, &[dy.into()]);
            adjoints.add(x, dx);
        }
        Op::MatMul {
            transpose_a,
            transpose_b,
        } => matmul(adjoints, id, (transpose_a, transpose_b), &operands, dy),
        Op::TakeRows => {
            let name = adjoints.name(id, "");
            let inputs = [dy, operands[2], operands[1]];
            let dtable = adjoints.graph.add(name, Op::SumRows, &inputs);
            adjoints.add(x, dtable);
        }
        Op::SumRows => {
            let name = adjoints.name(id, "");
            let inputs = [dy, operands[2], operands[1]];
            let dx = adjoints.graph.add(name, Op::TakeRows, &inputs);
            adjoints.add(x, dx);
        }
        Op::GroupedMatMul { transpose_b } => {
            grouped_matmul(adjoints, id, transpose_b, &operands, dy);
        }
        Op::Norm { kind, .. } => norm(adjoints, id, kind, &operands, dy),
        Op::Rotary { inverse } => {
            if adjoints.wants(operands[1]) {
                return Err(format!(
                    "`{}` has no derivative in its table of angles",
                    adjoints.graph.node(id).name
                ));
            }
            let name = adjoints.name(id, "");
            let dx = adjoints.graph.add(
                name,
                Op::Rotary { inverse: !inverse },
                &[dy, operands[1], operands[2]],
            );
            adjoints.add(x, dx);
        }
        Op::Attention {
            scale,
            softcap,
            causal,
            begin,
            end,
        } => {
            let mut inputs = vec![
                dy,
                operands[0],
                operands[1],
                operands[2],
                id.into(),
                Value::from(id).sibling(1),
            ];
            inputs.extend(&operands[3..]);
            let name = adjoints.name(id, "");
            let grad = adjoints.graph.add(
                name,
                Op::AttentionGrad {
                    scale,
                    softcap,
                    causal,
                    begin,
                    end,
                },
                &inputs,
            );
            for index in 0..3 {
                adjoints.add(operands[index as usize], grad.sibling(index));
            }
        }
        Op::DepthwiseConv2d {
            grid,
            kernel,
            flip: false,
        } => {
            if adjoints.wants(x) {
                let name = adjoints.name(id, ".x");
                let op = Op::DepthwiseConv2d {
                    grid,
                    kernel,
                    flip: true,
                };
                let dx = adjoints.graph.add(name, op, &[dy, operands[1]]);
                adjoints.add(x, dx);
            }
            if adjoints.wants(operands[1]) {
                let name = adjoints.name(id, ".weight");
                let dw = adjoints.graph.add(
                    name,
                    Op::DepthwiseConv2dWeightGrad { grid, kernel },
                    &[x, dy],
                );
                adjoints.add(operands[1], dw);
            }
        }
        Op::UpdateRows
        | Op::Reduce { .. }
        | Op::Softmax
        | Op::TopK { .. }
        | Op::SortChoices { .. }
        | Op::GroupedMatMulWeightGrad
        | Op::NormInputGrad { .. }
        | Op::NormWeightGrad { .. }
        | Op::AttentionGrad { .. }
        | Op::DepthwiseConv2d { .. }
        | Op::DepthwiseConv2dWeightGrad { .. }
        | Op::CrossEntropy
        | Op::LinearCrossEntropy { .. }
        | Op::AdamW { .. } => {
            return Err(format!(
                "`{}` has no derivative",
                adjoints.graph.node(id).name
            ));
        }
    }
    Ok(())
}

/// A node typed as `model`, named after `d(id)`.
fn like(
    adjoints: &mut Adjoints<'_>,
    id: NodeId,
    suffix: &str,
    op: Op,
    model: Value,
    operands: &[Value],
) -> Value {
    let ty = adjoints.graph.ty(model).clone();
    let name = adjoints.name(id, suffix);
    adjoints
        .graph
        .add_typed(name, op, vec![ty], operands)
        .into()
}

/// Sums `dy` over the sizes that were stretched to reach it from `target`.
fn reduce_to(
    adjoints: &mut Adjoints<'_>,
    id: NodeId,
    suffix: &str,
    dy: Value,
    target: Value,
) -> Value {
    let from = adjoints.graph.ty(dy).clone();
    let to = adjoints.graph.ty(target).clone();
    let extra = from.rank() - to.rank();
    let axes: Vec<usize> = (0..from.rank())
        .filter(|axis| *axis < extra || to.dims[*axis - extra] != from.dims[*axis])
        .collect();
    if axes.is_empty() {
        return dy;
    }
    let name = adjoints.name(id, &format!("{suffix}.sum"));
    let sum = adjoints.graph.add(name, Op::sum(&axes), &[dy]);
    if adjoints.graph.ty(sum).dims == to.dims {
        return sum;
    }
    like(adjoints, id, suffix, Op::Reshape, target, &[sum])
}

fn unary(
    adjoints: &mut Adjoints<'_>,
    id: NodeId,
    function: Unary,
    x: Value,
    dy: Value,
) -> Result<(), String> {
    let y = Value::from(id);
    let name = adjoints.name(id, "");
    let graph = &mut *adjoints.graph;
    let mut multiply =
        |factor: Value| graph.add(name.clone(), Op::Binary(Binary::Mul), &[dy, factor]);
    let dx = match function {
        Unary::Exp => multiply(y),
        Unary::Neg => adjoints.graph.add(name, Op::Unary(Unary::Neg), &[dy]),
        Unary::Log => adjoints.graph.add(name, Op::Binary(Binary::Div), &[dy, x]),
        // A step has derivative 0 almost everywhere.
        Unary::Step => return Ok(()),
        // Second derivatives of activations are never asked for.
        Unary::GeluGrad | Unary::GeluTanhGrad | Unary::QuickGeluGrad | Unary::SiluGrad => {
            return Err(format!(
                "`{}` has no derivative",
                adjoints.graph.node(id).name
            ));
        }
        Unary::Sqrt
        | Unary::Rsqrt
        | Unary::Reciprocal
        | Unary::Square
        | Unary::Relu
        | Unary::Tanh
        | Unary::Sigmoid
        | Unary::Erf
        | Unary::Gelu
        | Unary::GeluTanh
        | Unary::QuickGelu
        | Unary::Silu => {
            let Some(slope) = slope(adjoints, id, function, x, y) else {
                return Ok(());
            };
            let name = adjoints.name(id, "");
            adjoints
                .graph
                .add(name, Op::Binary(Binary::Mul), &[dy, slope])
        }
    };
    adjoints.add(x, dx);
    Ok(())
}

/// f'(x) as a node, where it takes more than one of what the graph has already.
fn slope(
    adjoints: &mut Adjoints<'_>,
    id: NodeId,
    function: Unary,
    x: Value,
    y: Value,
) -> Option<Value> {
    let base = adjoints.name(id, ".slope");
    let graph = &mut *adjoints.graph;
    let mut count = 0;
    let mut step = |graph: &mut crate::graph::Graph, op: Op, operands: &[Value]| {
        count += 1;
        graph.add(format!("{base}{count}"), op, operands)
    };
    let constant = |graph: &mut crate::graph::Graph, value: f64| -> Value {
        let ty = Type::scalar(mm1_package::DType::F32);
        graph
            .add_typed(format!("{value:?}"), Op::Splat(value), vec![ty], &[])
            .into()
    };
    let mul = Op::Binary(Binary::Mul);
    Some(match function {
        Unary::Relu => step(graph, Op::Unary(Unary::Step), &[x]),
        Unary::Gelu => step(graph, Op::Unary(Unary::GeluGrad), &[x]),
        Unary::GeluTanh => step(graph, Op::Unary(Unary::GeluTanhGrad), &[x]),
        Unary::QuickGelu => step(graph, Op::Unary(Unary::QuickGeluGrad), &[x]),
        Unary::Silu => step(graph, Op::Unary(Unary::SiluGrad), &[x]),
        Unary::Square => {
            let two = constant(graph, 2.0);
            step(graph, mul, &[x, two])
        }
        Unary::Sqrt => {
            let half = constant(graph, 0.5);
            step(graph, Op::Binary(Binary::Div), &[half, y])
        }
        Unary::Rsqrt => {
            // −½ y³
            let factor = constant(graph, -0.5);
            let square = step(graph, Op::Unary(Unary::Square), &[y]);
            let cube = step(graph, mul.clone(), &[square, y]);
            step(graph, mul, &[cube, factor])
        }
        Unary::Reciprocal => {
            let square = step(graph, Op::Unary(Unary::Square), &[y]);
            step(graph, Op::Unary(Unary::Neg), &[square])
        }
        Unary::Tanh => {
            let one = constant(graph, 1.0);
            let square = step(graph, Op::Unary(Unary::Square), &[y]);
            step(graph, Op::Binary(Binary::Sub), &[one, square])
        }
        Unary::Sigmoid => {
            let one = constant(graph, 1.0);
            let rest = step(graph, Op::Binary(Binary::Sub), &[one, y]);
            step(graph, mul, &[y, rest])
        }
        Unary::Erf => {
            // 2/√π · e^(−x²)
            let factor = constant(graph, std::f64::consts::FRAC_2_SQRT_PI);
            let square = step(graph, Op::Unary(Unary::Square), &[x]);
            let minus = step(graph, Op::Unary(Unary::Neg), &[square]);
            let bell = step(graph, Op::Unary(Unary::Exp), &[minus]);
            step(graph, mul, &[bell, factor])
        }
        Unary::Neg
        | Unary::Exp
        | Unary::Log
        | Unary::Step
        | Unary::GeluGrad
        | Unary::GeluTanhGrad
        | Unary::QuickGeluGrad
        | Unary::SiluGrad => return None,
    })
}

fn binary(
    adjoints: &mut Adjoints<'_>,
    id: NodeId,
    function: Binary,
    operands: &[Value],
    dy: Value,
) {
    let (a, b) = (operands[0], operands[1]);
    // Comparisons have derivative 0 almost everywhere.
    if matches!(function, Binary::Equal | Binary::Less) {
        return;
    }
    let contribution = |adjoints: &mut Adjoints<'_>, suffix: &str, op: Op, inputs: &[Value]| {
        let name = adjoints.name(id, suffix);
        adjoints.graph.add(name, op, inputs)
    };
    let mul = Op::Binary(Binary::Mul);
    if adjoints.wants(a) {
        let da = match function {
            Binary::Add | Binary::Sub | Binary::Equal | Binary::Less => dy,
            Binary::Mul => contribution(adjoints, ".a", mul.clone(), &[dy, b]),
            Binary::Div => contribution(adjoints, ".a", Op::Binary(Binary::Div), &[dy, b]),
            Binary::Max | Binary::Min => {
                let order = if function == Binary::Max {
                    [a, b]
                } else {
                    [b, a]
                };
                let gap = contribution(adjoints, ".a.gap", Op::Binary(Binary::Sub), &order);
                let step = contribution(adjoints, ".a.step", Op::Unary(Unary::Step), &[gap]);
                contribution(adjoints, ".a", mul.clone(), &[dy, step])
            }
        };
        let da = reduce_to(adjoints, id, ".a", da, a);
        adjoints.add(a, da);
    }
    if adjoints.wants(b) {
        let db = match function {
            Binary::Add | Binary::Equal | Binary::Less => dy,
            Binary::Sub => contribution(adjoints, ".b", Op::Unary(Unary::Neg), &[dy]),
            Binary::Mul => contribution(adjoints, ".b", mul, &[dy, a]),
            Binary::Div => {
                // −dy · y / b
                let ratio = contribution(
                    adjoints,
                    ".b.ratio",
                    Op::Binary(Binary::Div),
                    &[id.into(), b],
                );
                let product = contribution(adjoints, ".b.product", mul, &[dy, ratio]);
                contribution(adjoints, ".b", Op::Unary(Unary::Neg), &[product])
            }
            Binary::Max | Binary::Min => {
                // Where a wins strictly, b gets nothing; at a tie b gets all (a's step is 0 there).
                let order = if function == Binary::Max {
                    [a, b]
                } else {
                    [b, a]
                };
                let gap = contribution(adjoints, ".b.gap", Op::Binary(Binary::Sub), &order);
                let step = contribution(adjoints, ".b.step", Op::Unary(Unary::Step), &[gap]);
                let lost = contribution(adjoints, ".b.lost", mul, &[dy, step]);
                contribution(adjoints, ".b", Op::Binary(Binary::Sub), &[dy, lost])
            }
        };
        let db = reduce_to(adjoints, id, ".b", db, b);
        adjoints.add(b, db);
    }
}

fn matmul(
    adjoints: &mut Adjoints<'_>,
    id: NodeId,
    flags: (bool, bool),
    operands: &[Value],
    dy: Value,
) {
    let (a, b) = (operands[0], operands[1]);
    let (transpose_a, transpose_b) = flags;
    let product =
        |adjoints: &mut Adjoints<'_>, suffix: &str, x: Value, y: Value, tx: bool, ty: bool| {
            let name = adjoints.name(id, suffix);
            adjoints.graph.add(
                name,
                Op::MatMul {
                    transpose_a: tx,
                    transpose_b: ty,
                },
                &[x, y],
            )
        };
    if adjoints.wants(a) {
        let da = if transpose_a {
            product(adjoints, ".a", b, dy, transpose_b, true)
        } else {
            product(adjoints, ".a", dy, b, false, !transpose_b)
        };
        let da = reduce_to(adjoints, id, ".a", da, a);
        adjoints.add(a, da);
    }
    if adjoints.wants(b) {
        let db = if transpose_b {
            product(adjoints, ".b", dy, a, true, transpose_a)
        } else {
            product(adjoints, ".b", a, dy, !transpose_a, false)
        };
        let db = reduce_to(adjoints, id, ".b", db, b);
        adjoints.add(b, db);
    }
}

/// dx = p·(dp − Σ dp·p) + p·dlse.
fn softmax(adjoints: &mut Adjoints<'_>, id: NodeId, x: Value, incoming: &[Option<Value>]) {
    let p = Value::from(id);
    let mul = Op::Binary(Binary::Mul);
    let mut row = adjoints.graph.ty(p.sibling(1)).clone();
    row.dims.push(Dim::Fixed(1));
    let add = |adjoints: &mut Adjoints<'_>, suffix: &str, op: Op, inputs: &[Value]| {
        let name = adjoints.name(id, suffix);
        adjoints.graph.add(name, op, inputs)
    };
    let column = |adjoints: &mut Adjoints<'_>, suffix: &str, value: Value| -> Value {
        let name = adjoints.name(id, suffix);
        let types = vec![row.clone()];
        let node = adjoints.graph.add_typed(name, Op::Reshape, types, &[value]);
        node.into()
    };
    let mut slope = incoming[0].map(|dp| {
        let product = add(adjoints, ".products", mul.clone(), &[dp, p]);
        let sum = Op::sum(&[adjoints.graph.ty(p).rank() - 1]);
        let total = add(adjoints, ".total", sum, &[product]);
        let total = column(adjoints, ".mean", total);
        add(adjoints, ".centred", Op::Binary(Binary::Sub), &[dp, total])
    });
    if let Some(dlse) = incoming[1] {
        let dlse = column(adjoints, ".lse", dlse);
        slope = Some(match slope {
            Some(slope) => add(adjoints, ".sum", Op::Binary(Binary::Add), &[slope, dlse]),
            None => dlse,
        });
    }
    if let Some(slope) = slope {
        let dx = add(adjoints, "", mul, &[p, slope]);
        adjoints.add(x, dx);
    }
}

fn grouped_matmul(
    adjoints: &mut Adjoints<'_>,
    id: NodeId,
    transpose_b: bool,
    operands: &[Value],
    dy: Value,
) {
    let (a, b) = (operands[0], operands[1]);
    let ranges = [operands[2], operands[3]];
    if adjoints.wants(a) {
        let name = adjoints.name(id, ".a");
        let op = Op::GroupedMatMul {
            transpose_b: !transpose_b,
        };
        let inputs = [dy, b, ranges[0], ranges[1]];
        let da = adjoints.graph.add(name, op, &inputs);
        adjoints.add(a, da);
    }
    if adjoints.wants(b) {
        let name = adjoints.name(id, ".b");
        let (first, second) = match transpose_b {
            true => (dy, a),
            false => (a, dy),
        };
        let inputs = [first, second, ranges[0], ranges[1]];
        let db = adjoints
            .graph
            .add(name, Op::GroupedMatMulWeightGrad, &inputs);
        adjoints.add(b, db);
    }
}

fn norm(adjoints: &mut Adjoints<'_>, id: NodeId, kind: NormKind, operands: &[Value], dy: Value) {
    let (x, weight) = (operands[0], operands[1]);
    let y = Value::from(id);
    let statistics: Vec<Value> = match kind {
        NormKind::Layer => vec![y.sibling(1), y.sibling(2)],
        NormKind::Rms => vec![y.sibling(1)],
    };
    if adjoints.wants(x) {
        let mut inputs = vec![dy, x, weight];
        inputs.extend(&statistics);
        let name = adjoints.name(id, ".x");
        let dx = adjoints
            .graph
            .add(name, Op::NormInputGrad { kind }, &inputs);
        adjoints.add(x, dx);
    }
    if operands[1..]
        .iter()
        .any(|parameter| adjoints.wants(*parameter))
    {
        let mut inputs = vec![dy, x];
        inputs.extend(&statistics);
        let name = adjoints.name(id, ".weight");
        let dw = adjoints
            .graph
            .add(name, Op::NormWeightGrad { kind }, &inputs);
        for (index, parameter) in operands[1..].iter().enumerate() {
            adjoints.add(*parameter, dw.sibling(index as u32));
        }
    }
}
