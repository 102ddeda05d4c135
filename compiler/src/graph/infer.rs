//! Shape rules: result types from operand types, one function per kind of op.
//!
//! Ops whose result type is a choice of their maker (sources, reshape, broadcast, cast, slice
//! with a run-time length, scatter) are not inferred; [`super::Graph::add_typed`] takes their
//! type and the verifier checks it.

use mm1_package::DType;

use super::text::{print_dim, print_dims, print_type};
use super::{Dim, Graph, NormKind, Op, Type};

type Rule = Result<Vec<Type>, String>;

/// Result types of `op` applied to operands of these types.
///
/// # Errors
/// What is wrong with the operands, without naming the node.
pub fn infer(graph: &Graph, op: &Op, operands: &[&Type]) -> Rule {
    match (op, operands) {
        (Op::Transpose(permutation), [x]) => transpose(permutation, x),
        (Op::Concat { axis }, parts) if !parts.is_empty() => concat(graph, *axis, parts),
        (Op::After, [x, _]) => Ok(vec![(*x).clone()]),
        (Op::GatherRows, [table, indices]) => gather(table, indices),
        (Op::UpdateRows, [table, _, _]) => Ok(vec![(*table).clone()]),
        (Op::Unary(_), [x]) => Ok(vec![(*x).clone()]),
        (Op::Binary(_), [a, b]) => binary(graph, a, b),
        (Op::Reduce { axes, .. }, [x]) => reduce(axes, x),
        (
            Op::MatMul {
                transpose_a,
                transpose_b,
            },
            [a, b],
        ) => matmul(graph, [*transpose_a, *transpose_b], a, b),
        (Op::Softmax, [x]) => {
            last(x)?;
            let row = Type::new(DType::F32, &x.dims[..x.rank() - 1]);
            Ok(vec![(*x).clone(), row])
        }
        (Op::TopK { count }, [x, present]) => top_k(graph, *count, x, present),
        (
            Op::SortChoices {
                experts, groups, ..
            },
            [choices],
        ) => sort_choices(*experts, *groups, choices),
        (Op::TakeRows, [table, indices, back]) => {
            rows_and_back(graph, table.dims.first(), indices, back)?;
            gather(table, indices)
        }
        (Op::SumRows, [x, back, indices]) => {
            let [rows, width] = x.dims[..] else {
                return Err(format!("rows of rank 2 are summed, not {}", x.rank()));
            };
            rows_and_back(graph, back.dims.first(), indices, back)?;
            same(graph, "indices", &indices.dims, &[rows])?;
            Ok(vec![Type::new(x.dtype, [back.dims[0], width])])
        }
        (Op::GroupedMatMul { transpose_b }, [a, b, begin, end]) => {
            grouped_matmul(graph, *transpose_b, [a, b], [begin, end])
        }
        (Op::GroupedMatMulWeightGrad, [x, y, begin, end]) => {
            let ([rows, m], [_, n], [groups]) = (&x.dims[..], &y.dims[..], &begin.dims[..]) else {
                return Err("rows of rank 2 and ranges of rank 1 are needed".to_owned());
            };
            same(graph, "y", &y.dims[..1], &[*rows])?;
            same(graph, "end", &end.dims, &begin.dims)?;
            Ok(vec![Type::new(DType::F32, [*groups, *m, *n])])
        }
        (Op::Norm { kind, .. }, [x, ..]) => norm(graph, *kind, x, &operands[1..]),
        (Op::NormInputGrad { .. }, [_, x, ..]) => Ok(vec![(*x).clone()]),
        (Op::NormWeightGrad { kind }, [_, x, ..]) => {
            let width = last(x)?;
            let results = if *kind == NormKind::Layer { 2 } else { 1 };
            Ok(vec![Type::new(DType::F32, [width]); results])
        }
        (Op::Rotary { .. }, [x, table, positions]) => rotary(graph, x, table, positions),
        (Op::Attention { begin, end, .. }, [q, k, v, ranges @ ..]) => {
            ranges_match(graph, q, ranges, usize::from(*begin) + usize::from(*end))?;
            attention(graph, q, k, v)
        }
        (Op::AttentionGrad { .. }, [_, q, k, v, ..]) => {
            Ok(vec![(*q).clone(), (*k).clone(), (*v).clone()])
        }
        (Op::DepthwiseConv2d { grid, kernel, .. }, [x, w]) => {
            let channels = conv_channels(graph, x, *grid)?;
            let side = Dim::Fixed(*kernel);
            same(graph, "the weight", &w.dims, &[channels, side, side])?;
            Ok(vec![(*x).clone()])
        }
        (Op::DepthwiseConv2dWeightGrad { grid, kernel }, [x, dy]) => {
            let channels = conv_channels(graph, x, *grid)?;
            same(graph, "dy", &dy.dims, &x.dims)?;
            let side = Dim::Fixed(*kernel);
            Ok(vec![Type::new(DType::F32, [channels, side, side])])
        }
        (Op::CrossEntropy, [logits, targets, weights, _]) => {
            let rows = &logits.dims[..1];
            same(graph, "targets", &targets.dims, rows)?;
            same(graph, "weights", &weights.dims, rows)?;
            let row = Type::new(DType::F32, rows);
            Ok(vec![row.clone(), row, (*logits).clone()])
        }
        (Op::LinearCrossEntropy { gradient, .. }, [x, w, _, _, _]) => {
            if x.rank() != 2 || w.rank() != 2 || x.dims[1] != w.dims[1] {
                return Err(format!(
                    "x {} does not fit weight {}",
                    print_dims(graph, &x.dims),
                    print_dims(graph, &w.dims)
                ));
            }
            let scalar = Type::scalar(DType::F32);
            let mut results = vec![scalar.clone(), scalar];
            if *gradient {
                results.extend([(*x).clone(), w.with_dtype(DType::F32)]);
            }
            Ok(results)
        }
        (Op::AdamW { .. }, [w, g, m, v, ..]) => {
            for (name, other) in [("g", g), ("m", m), ("v", v)] {
                same(graph, name, &other.dims, &w.dims)?;
            }
            Ok(vec![(*w).clone(); 3])
        }
        _ => Err(format!(
            "{} operands do not fit the operation, or its result type must be given",
            operands.len()
        )),
    }
}

fn last(ty: &Type) -> Result<Dim, String> {
    ty.dims
        .last()
        .copied()
        .ok_or_else(|| "a scalar where a tensor is needed".to_owned())
}

fn same(graph: &Graph, what: &str, found: &[Dim], wanted: &[Dim]) -> Result<(), String> {
    if found == wanted {
        Ok(())
    } else {
        Err(format!(
            "{what} has sizes {} instead of {}",
            print_dims(graph, found),
            print_dims(graph, wanted)
        ))
    }
}

fn transpose(permutation: &[usize], x: &Type) -> Rule {
    let mut seen = vec![false; x.rank()];
    for axis in permutation {
        match seen.get_mut(*axis) {
            Some(flag) if !*flag => *flag = true,
            _ => {
                return Err(format!(
                    "{permutation:?} is not a permutation of {} axes",
                    x.rank()
                ));
            }
        }
    }
    if permutation.len() != x.rank() {
        return Err(format!(
            "{permutation:?} is not a permutation of {} axes",
            x.rank()
        ));
    }
    let dims: Vec<Dim> = permutation.iter().map(|axis| x.dims[*axis]).collect();
    if dims.iter().skip(1).any(|dim| dim.fixed().is_none()) {
        return Err("a run-time size must stay first".to_owned());
    }
    Ok(vec![Type::new(x.dtype, dims)])
}

fn concat(graph: &Graph, axis: usize, parts: &[&Type]) -> Rule {
    let first = parts[0];
    if axis >= first.rank() {
        return Err(format!("axis {axis} of a tensor of rank {}", first.rank()));
    }
    let mut total = 0;
    for part in parts {
        let fits = part.rank() == first.rank()
            && part.dtype == first.dtype
            && (0..first.rank())
                .all(|other| other == axis || part.dims[other] == first.dims[other]);
        if !fits {
            return Err(format!(
                "parts {} and {} differ in more than axis {axis}",
                print_type(graph, first),
                print_type(graph, part)
            ));
        }
        total += part.dims[axis]
            .fixed()
            .ok_or_else(|| "a run-time size cannot be joined".to_owned())?;
    }
    let mut dims = first.dims.clone();
    dims[axis] = Dim::Fixed(total);
    Ok(vec![Type::new(first.dtype, dims)])
}

fn gather(table: &Type, indices: &Type) -> Rule {
    if table.rank() != 2 || indices.dtype != DType::I32 {
        return Err("gather needs a table of rank 2 and i32 indices".to_owned());
    }
    let mut dims = indices.dims.clone();
    dims.push(table.dims[1]);
    Ok(vec![Type::new(table.dtype, dims)])
}

/// Sizes of two operands aligned at the right.
fn stretch(graph: &Graph, a: &[Dim], b: &[Dim]) -> Result<Vec<Dim>, String> {
    let rank = a.len().max(b.len());
    let at = |dims: &[Dim], axis: usize| {
        (axis + dims.len())
            .checked_sub(rank)
            .map(|index| dims[index])
    };
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (Some(x), Some(y)) if x == y => Ok(x),
            (Some(x), None | Some(Dim::Fixed(1))) => Ok(x),
            (None | Some(Dim::Fixed(1)), Some(y)) => Ok(y),
            _ => Err(format!(
                "sizes {} and {} do not align at the right",
                print_dims(graph, a),
                print_dims(graph, b)
            )),
        })
        .collect()
}

fn binary(graph: &Graph, a: &Type, b: &Type) -> Rule {
    if a.dtype == DType::I32 || b.dtype == DType::I32 {
        return Err("arithmetic on i32".to_owned());
    }
    // A scalar takes the other's element type; otherwise f32 wins.
    let dtype = match (a.rank(), b.rank()) {
        (0, 1..) => b.dtype,
        (1.., 0) => a.dtype,
        _ if a.dtype == b.dtype => a.dtype,
        _ => DType::F32,
    };
    Ok(vec![Type::new(dtype, stretch(graph, &a.dims, &b.dims)?)])
}

fn reduce(axes: &[usize], x: &Type) -> Rule {
    if axes.is_empty()
        || axes.windows(2).any(|pair| pair[0] >= pair[1])
        || axes.iter().any(|axis| *axis >= x.rank())
    {
        return Err(format!("axes {axes:?} of a tensor of rank {}", x.rank()));
    }
    let dims: Vec<Dim> = (0..x.rank())
        .filter(|axis| !axes.contains(axis))
        .map(|axis| x.dims[axis])
        .collect();
    Ok(vec![Type::new(DType::F32, dims)])
}

fn matmul(graph: &Graph, transposed: [bool; 2], a: &Type, b: &Type) -> Rule {
    if a.rank() < 2 || b.rank() < 2 {
        return Err("a contraction needs operands of rank 2 or more".to_owned());
    }
    let split = |ty: &Type, transposed: bool| {
        let (batch, matrix) = ty.dims.split_at(ty.rank() - 2);
        let (rows, columns) = if transposed {
            (matrix[1], matrix[0])
        } else {
            (matrix[0], matrix[1])
        };
        (batch.to_vec(), rows, columns)
    };
    let (batch_a, m, k_a) = split(a, transposed[0]);
    let (batch_b, k_b, n) = split(b, transposed[1]);
    if k_a != k_b {
        return Err(format!(
            "contracted sizes differ: {} and {}",
            print_dim(graph, k_a),
            print_dim(graph, k_b)
        ));
    }
    let batch = match (batch_a.as_slice(), batch_b.as_slice()) {
        (x, y) if x == y => batch_a,
        (_, []) => batch_a,
        ([], _) => batch_b,
        _ => {
            return Err(format!(
                "batch sizes differ: {} and {}",
                print_dims(graph, &batch_a),
                print_dims(graph, &batch_b)
            ));
        }
    };
    let dtype = if a.dtype == b.dtype {
        a.dtype
    } else {
        DType::F32
    };
    let mut dims = batch;
    dims.extend([m, n]);
    Ok(vec![Type::new(dtype, dims)])
}

fn top_k(graph: &Graph, count: u64, x: &Type, present: &Type) -> Rule {
    let [rows, columns] = x.dims[..] else {
        return Err(format!(
            "columns of a matrix are chosen, not of rank {}",
            x.rank()
        ));
    };
    same(graph, "present", &present.dims, &[rows])?;
    match columns.fixed() {
        Some(columns) if (1..=columns).contains(&count) => {
            Ok(vec![Type::new(DType::I32, [rows, Dim::Fixed(count)])])
        }
        _ => Err(format!("{count} of {} columns", print_dim(graph, columns))),
    }
}

/// Largest number of choices: their numbers are exact in f32.
const MOST_CHOICES: u64 = 1 << 24;

fn sort_choices(experts: u64, groups: u64, choices: &Type) -> Rule {
    let [Dim::Fixed(tokens), Dim::Fixed(count)] = choices.dims[..] else {
        return Err("choices are [T, k], both known when compiled".to_owned());
    };
    let all = tokens.saturating_mul(count);
    if experts == 0 || groups == 0 || !tokens.is_multiple_of(groups) {
        return Err(format!(
            "{tokens} tokens in {groups} groups for {experts} experts"
        ));
    }
    if all > MOST_CHOICES || experts > MOST_CHOICES {
        return Err(format!("{all} choices are more than {MOST_CHOICES}"));
    }
    let list = |size| Type::new(DType::I32, [Dim::Fixed(size)]);
    Ok(vec![
        choices.clone(),
        list(all),
        list(all),
        list(experts),
        list(experts),
    ])
}

/// Indices `[N]` and the places `[R, k]` that they say the other way round.
fn rows_and_back(
    graph: &Graph,
    rows: Option<&Dim>,
    indices: &Type,
    back: &Type,
) -> Result<(), String> {
    match (rows, indices.rank(), back.rank()) {
        (Some(rows), 1, 2) => same(graph, "back", &back.dims[..1], &[*rows]),
        _ => Err("indices are [N], back is [R, k]".to_owned()),
    }
}

fn grouped_matmul(
    graph: &Graph,
    transpose_b: bool,
    [a, b]: [&Type; 2],
    [begin, end]: [&Type; 2],
) -> Rule {
    let ([rows, inner], [groups, first, second]) = (&a.dims[..], &b.dims[..]) else {
        return Err("rows of rank 2 and a matrix per group are needed".to_owned());
    };
    let (k, n) = match transpose_b {
        true => (second, first),
        false => (first, second),
    };
    same(graph, "begin", &begin.dims, &[*groups])?;
    same(graph, "end", &end.dims, &[*groups])?;
    if k != inner {
        return Err(format!(
            "contracted sizes differ: {} and {}",
            print_dim(graph, *inner),
            print_dim(graph, *k)
        ));
    }
    let dtype = if a.dtype == b.dtype {
        a.dtype
    } else {
        DType::F32
    };
    Ok(vec![Type::new(dtype, [*rows, *n])])
}

fn norm(graph: &Graph, kind: NormKind, x: &Type, parameters: &[&Type]) -> Rule {
    let width = last(x)?;
    let wanted = if kind == NormKind::Layer { 2 } else { 1 };
    if parameters.len() != wanted {
        return Err(format!(
            "{wanted} parameters are needed, {} given",
            parameters.len()
        ));
    }
    for parameter in parameters {
        same(graph, "a parameter", &parameter.dims, &[width])?;
    }
    let row = Type::new(DType::F32, &x.dims[..x.rank() - 1]);
    let mut results = vec![x.clone()];
    results.extend(std::iter::repeat_n(row, wanted));
    Ok(results)
}

fn rotary(graph: &Graph, x: &Type, table: &Type, positions: &Type) -> Rule {
    let [batch, length, _, width] = x.dims[..] else {
        return Err(format!("rotary needs [B, T, H, D], not rank {}", x.rank()));
    };
    same(graph, "positions", &positions.dims, &[batch, length])?;
    if table.rank() != 2 || table.dims[1] != width || width.fixed().is_none_or(|d| d % 2 != 0) {
        return Err("the table must be [P, D] with the even head width D".to_owned());
    }
    Ok(vec![x.clone()])
}

fn ranges_match(graph: &Graph, q: &Type, ranges: &[&Type], wanted: usize) -> Result<(), String> {
    if ranges.len() != wanted {
        return Err(format!(
            "{wanted} range operands are announced, {} given",
            ranges.len()
        ));
    }
    for range in ranges {
        same(
            graph,
            "a key range",
            &range.dims,
            &q.dims[..2.min(q.rank())],
        )?;
    }
    Ok(())
}

fn attention(graph: &Graph, q: &Type, k: &Type, v: &Type) -> Rule {
    let ([batch, length, heads, width], [batch_k, _, groups, width_k]) = (&q.dims[..], &k.dims[..])
    else {
        return Err("attention needs [B, T, H, D]".to_owned());
    };
    same(graph, "v", &v.dims, &k.dims)?;
    let divides =
        matches!((heads.fixed(), groups.fixed()), (Some(h), Some(g)) if g > 0 && h % g == 0);
    if batch != batch_k || width != width_k || !divides {
        return Err(format!(
            "q {} and k {} do not fit: batch and head width must agree, key heads divide query heads",
            print_dims(graph, &q.dims),
            print_dims(graph, &k.dims)
        ));
    }
    Ok(vec![
        q.clone(),
        Type::new(DType::F32, [*batch, *heads, *length]),
    ])
}

fn conv_channels(graph: &Graph, x: &Type, grid: [u64; 2]) -> Result<Dim, String> {
    match x.dims[..] {
        [_, points, channels] if points == Dim::Fixed(grid[0] * grid[1]) => Ok(channels),
        _ => Err(format!(
            "x has sizes {}, needed is [N, {}·{}, C]",
            print_dims(graph, &x.dims),
            grid[0],
            grid[1]
        )),
    }
}
