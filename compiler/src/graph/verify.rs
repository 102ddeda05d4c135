//! The verifier: whether a graph is well formed.
//!
//! # Rules
//! 1. Run-time sizes have distinct names; a derived one follows its base.
//! 2. Names of nodes are unique and not empty. The graph has no cycle.
//! 3. A node has as many operands as the op table says, numbered without gaps, each an existing
//!    result, and at least one result.
//! 4. A shape mentions a run-time size only in its first place, of a declared one, and its
//!    bytes at the bounds fit in 63 bits.
//! 5. Row numbers, positions and key ranges are i32; operands of arithmetic are not; only data
//!    movement passes i32 on.
//! 6. Result types are those that [`infer`] gives. A matmul may choose f32 or bf16, a grouped one too.
//! 7. Where the type is a choice: a reshape keeps the element type and count; a broadcast
//!    stretches sizes of 1 and adds leading ones; a slice stays within its operand; a cast
//!    keeps the sizes and does not make i32; a scatter gives `[R, C]` for updates `[.., C]`; a
//!    constant is f32 and of fixed sizes with as many elements as it holds; a splat is f32.
//! 8. Operands that do not decide the result type fit as well: gradients have the sizes of what
//!    they belong to, statistics those of the rows, scalars none.
//! 9. Attributes are in range: ε ≥ 0 and finite, scale finite, window odd, chunk at least 1.
//! 10. Output names are unique; an output that replaces something replaces a parameter or state
//!     of the same type, and no two replace the same.

use std::collections::HashSet;
use std::fmt;

use super::text::{print_dims, print_type};
use super::{DType, Dim, Graph, InputRole, NodeId, NormKind, Op, Type, infer, product};

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The node, run-time size or output.
    pub name: String,
    /// In words.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.name, self.message)
    }
}

type Check = Result<(), String>;

/// Checks every rule.
///
/// # Errors
/// Everything that is wrong, in order of creation; at most one violation per node.
pub fn verify(graph: &Graph) -> Result<(), Vec<Violation>> {
    let mut violations = Vec::new();
    let mut report = |name: &str, message: String| {
        violations.push(Violation {
            name: name.to_owned(),
            message,
        });
    };
    let mut names = HashSet::new();
    for (index, extent) in graph.extents.iter().enumerate() {
        if !names.insert(&extent.name) {
            report(&extent.name, "the run-time size stands twice".to_owned());
        }
        if extent
            .derived
            .is_some_and(|(base, _)| base as usize >= index)
        {
            report(&extent.name, "its base does not stand before".to_owned());
        }
    }
    let mut slots: Vec<Vec<(u32, bool)>> = vec![Vec::new(); graph.capacity()];
    for id in graph.nodes() {
        let results = graph.node(id).types.len() as u32;
        for (user, operand, result) in graph.users(id) {
            slots[user.index()].push((operand, result < results));
        }
    }
    // A node whose operands or types are broken cannot be looked at any closer, nor its users.
    let mut sound = vec![false; graph.capacity()];
    let mut names = HashSet::new();
    let order = graph.topological();
    let count = graph.nodes().count();
    if order.len() != count {
        report(
            "graph",
            format!("{} nodes lie on cycles", count - order.len()),
        );
    }
    for id in order {
        let node = graph.node(id);
        let slots = &mut slots[id.index()];
        slots.sort_unstable();
        let result = (|| {
            if node.name.is_empty() || !names.insert(node.name.clone()) {
                return Err("the name is empty or stands twice".to_owned());
            }
            if slots.iter().any(|(_, exists)| !exists) {
                return Err("an operand is a result that does not exist".to_owned());
            }
            if !slots.iter().map(|slot| slot.0).eq(0..slots.len() as u32) {
                return Err("operands are missing or given twice".to_owned());
            }
            let (fewest, most) = node.op.row().operand_counts();
            if slots.len() < fewest || slots.len() > most {
                return Err(format!("{} has {} operands", node.op.name(), slots.len()));
            }
            if node.types.is_empty() {
                return Err("there is no result".to_owned());
            }
            node.types.iter().try_for_each(|ty| shape(graph, ty))
        })();
        let operands_sound = result.is_ok()
            && graph
                .operands(id)
                .iter()
                .all(|operand| sound[operand.node.index()]);
        // Users of a broken node are judged once it is mended.
        sound[id.index()] = result.is_ok();
        let result = result.and_then(|()| {
            if operands_sound {
                operation(graph, id)
            } else {
                Ok(())
            }
        });
        if let Err(message) = result {
            report(&node.name, message);
        }
    }
    let (mut names, mut replaced) = (HashSet::new(), HashSet::new());
    for output in &graph.outputs {
        let value = output.value;
        let exists = |id: NodeId| id.index() < sound.len() && graph.nodes().any(|n| n == id);
        let result = (|| {
            if !names.insert(output.name.clone()) {
                return Err("the output stands twice".to_owned());
            }
            if !exists(value.node) || value.result as usize >= graph.node(value.node).types.len() {
                return Err("the output reads a value that does not exist".to_owned());
            }
            let Some(state) = output.replaces else {
                return Ok(());
            };
            if !exists(state) {
                return Err("what the output replaces does not exist".to_owned());
            }
            if !matches!(
                graph.op(state),
                Op::Input(InputRole::Parameter(_) | InputRole::State(_))
            ) {
                return Err("only a parameter or state can be replaced".to_owned());
            }
            if !replaced.insert(state) {
                return Err("it is replaced twice".to_owned());
            }
            equal(
                graph,
                "the replacement",
                graph.ty(value),
                graph.ty(state.into()),
            )
        })();
        if let Err(message) = result {
            report(&output.name, message);
        }
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations)
    }
}

/// Rule 4.
fn shape(graph: &Graph, ty: &Type) -> Check {
    let mut bytes = ty.dtype.size();
    for (axis, dim) in ty.dims.iter().enumerate() {
        let bound = match *dim {
            Dim::Fixed(n) => Some(n),
            Dim::Scaled { .. } if axis > 0 => {
                return Err(format!("a run-time size stands in place {axis} of a shape"));
            }
            Dim::Scaled { extent, scale } => graph
                .extents
                .get(extent.0 as usize)
                .ok_or("a run-time size is not declared")?
                .bound
                .checked_mul(scale),
        };
        bytes = bound
            .and_then(|bound| bytes.checked_mul(bound.max(1)))
            .filter(|bytes| *bytes < 1 << 63)
            .ok_or("the tensor is larger than an address space")?;
    }
    Ok(())
}

fn equal(graph: &Graph, what: &str, found: &Type, wanted: &Type) -> Check {
    if found == wanted {
        return Ok(());
    }
    Err(format!(
        "{what} has type {}, which should be {}",
        print_type(graph, found),
        print_type(graph, wanted)
    ))
}

/// Rules 5 to 9 for a node whose operands exist and have sound shapes.
fn operation(graph: &Graph, id: NodeId) -> Check {
    let node = graph.node(id);
    let operands = graph.operands(id);
    let types: Vec<&Type> = operands.iter().map(|operand| graph.ty(*operand)).collect();
    element_types(&node.op, &types)?;
    attributes(&node.op)?;
    fits(graph, &node.op, &types)?;
    let found = &node.types;
    if let Some(result) = chosen(graph, &node.op, &types, &found[0]) {
        result?;
        return match found.len() {
            1 => Ok(()),
            n => Err(format!("{n} results instead of one")),
        };
    }
    let mut wanted = infer(graph, &node.op, &types)?;
    let contracts = matches!(
        node.op,
        Op::MatMul { .. } | Op::GroupedMatMul { .. } | Op::GroupedMatMulWeightGrad
    );
    if contracts && found[0].dtype != DType::I32 {
        wanted[0].dtype = found[0].dtype;
    }
    if found.len() != wanted.len() {
        return Err(format!(
            "{} results instead of {}",
            found.len(),
            wanted.len()
        ));
    }
    found
        .iter()
        .zip(&wanted)
        .enumerate()
        .try_for_each(|(index, (found, wanted))| {
            equal(graph, &format!("result {index}"), found, wanted)
        })
}

/// Rule 5: which operands are i32.
fn element_types(op: &Op, types: &[&Type]) -> Check {
    let integers = match op {
        Op::GatherRows | Op::ScatterAddRows | Op::CrossEntropy => 1..2,
        Op::UpdateRows | Op::Rotary { .. } | Op::LinearCrossEntropy { .. } => 2..3,
        Op::SortChoices { .. } => 0..1,
        Op::TakeRows | Op::SumRows => 1..3,
        Op::GroupedMatMul { .. } | Op::GroupedMatMulWeightGrad => 2..4,
        Op::Attention { .. } => 3..types.len(),
        Op::AttentionGrad { .. } => 6..types.len(),
        _ => 0..0,
    };
    let movement = matches!(
        op,
        Op::Reshape
            | Op::Transpose(_)
            | Op::Slice { .. }
            | Op::Concat { .. }
            | Op::Broadcast
            | Op::After
            | Op::GatherRows
            | Op::UpdateRows
            | Op::Cast
    );
    let names = op.row().operands;
    for (index, ty) in types.iter().enumerate() {
        let name = names.get(index).copied().unwrap_or("operand");
        let integer = ty.dtype == DType::I32;
        if integers.contains(&index) && !integer {
            return Err(format!("{name} is {} instead of i32", ty.dtype));
        }
        if !integers.contains(&index) && integer && !movement {
            return Err(format!("{name} is i32, which is not for arithmetic"));
        }
    }
    Ok(())
}

/// Rule 9.
fn attributes(op: &Op) -> Check {
    match op {
        Op::Norm { epsilon, .. } if !(epsilon.is_finite() && *epsilon >= 0.0) => {
            Err(format!("ε = {epsilon}"))
        }
        Op::Attention { scale, .. } | Op::AttentionGrad { scale, .. } if !scale.is_finite() => {
            Err(format!("scale = {scale}"))
        }
        Op::Attention { softcap, .. }
        | Op::AttentionGrad { softcap, .. }
        | Op::LinearCrossEntropy { softcap, .. }
            if !(softcap.is_finite() && *softcap >= 0.0) =>
        {
            Err(format!("softcap = {softcap}"))
        }
        Op::DepthwiseConv2d { kernel, grid, .. }
        | Op::DepthwiseConv2dWeightGrad { kernel, grid }
            if kernel.is_multiple_of(2) || grid[0].checked_mul(grid[1]).is_none() =>
        {
            Err(format!("window {kernel} on a grid {grid:?}"))
        }
        Op::LinearCrossEntropy { chunk: 0, .. } => Err("chunks of no rows".to_owned()),
        Op::AdamW {
            beta1,
            beta2,
            epsilon,
        } => {
            let unit = 0.0..1.0;
            if unit.contains(beta1)
                && unit.contains(beta2)
                && epsilon.is_finite()
                && *epsilon >= 0.0
            {
                Ok(())
            } else {
                Err(format!("β₁ = {beta1}, β₂ = {beta2}, ε = {epsilon}"))
            }
        }
        _ => Ok(()),
    }
}

fn sizes(graph: &Graph, what: &str, found: &Type, wanted: &[Dim]) -> Check {
    if found.dims == wanted {
        Ok(())
    } else {
        Err(format!(
            "{what} has sizes {} instead of {}",
            print_dims(graph, &found.dims),
            print_dims(graph, wanted)
        ))
    }
}

/// Rule 8: operands that the inferred result type does not depend on.
fn fits(graph: &Graph, op: &Op, types: &[&Type]) -> Check {
    let scalars = |types: &[&Type]| {
        types
            .iter()
            .try_for_each(|ty| sizes(graph, "a scalar", ty, &[]))
    };
    let rank = |ty: &Type, wanted: usize| {
        if ty.rank() == wanted {
            Ok(())
        } else {
            Err(format!("rank {} instead of {wanted}", ty.rank()))
        }
    };
    match (op, types) {
        (Op::UpdateRows, [table, rows, positions]) => {
            let ([batch, _, inner @ ..], [_, new, ..]) = (&table.dims[..], &rows.dims[..]) else {
                return Err("a table and rows of rank 2 or more are needed".to_owned());
            };
            sizes(graph, "positions", positions, &[*batch, *new])?;
            let wanted: Vec<Dim> = [*batch, *new].iter().chain(inner).copied().collect();
            equal(graph, "rows", rows, &Type::new(table.dtype, wanted))
        }
        (Op::NormInputGrad { kind }, [dy, x, weight, statistics @ ..]) => {
            let width = *x.dims.last().ok_or("x is a scalar")?;
            sizes(graph, "dy", dy, &x.dims)?;
            sizes(graph, "the weight", weight, &[width])?;
            rows(graph, *kind, x, statistics)
        }
        (Op::NormWeightGrad { kind }, [dy, x, statistics @ ..]) => {
            x.dims.last().ok_or("x is a scalar")?;
            sizes(graph, "dy", dy, &x.dims)?;
            rows(graph, *kind, x, statistics)
        }
        (
            Op::AttentionGrad {
                begin,
                end,
                scale,
                softcap,
                causal,
            },
            [dout, q, k, v, out, lse, ranges @ ..],
        ) => {
            let forward = Op::Attention {
                scale: *scale,
                softcap: *softcap,
                causal: *causal,
                begin: *begin,
                end: *end,
            };
            let mut operands = vec![*q, *k, *v];
            operands.extend(ranges);
            let results = infer(graph, &forward, &operands)?;
            sizes(graph, "dout", dout, &q.dims)?;
            sizes(graph, "out", out, &q.dims)?;
            sizes(graph, "the log-sum-exp", lse, &results[1].dims)
        }
        (Op::CrossEntropy, [logits, _, _, z]) => {
            rank(logits, 2)?;
            scalars(&[z])
        }
        (Op::LinearCrossEntropy { .. }, [x, w, targets, weights, z]) => {
            rank(x, 2)?;
            rank(w, 2)?;
            sizes(graph, "targets", targets, &x.dims[..1])?;
            sizes(graph, "weights", weights, &x.dims[..1])?;
            scalars(&[z])
        }
        (Op::AdamW { .. }, [_, _, _, _, rest @ ..]) => scalars(rest),
        _ => Ok(()),
    }
}

fn rows(graph: &Graph, kind: NormKind, x: &Type, statistics: &[&Type]) -> Check {
    let wanted = if kind == NormKind::Layer { 2 } else { 1 };
    if statistics.len() != wanted {
        return Err(format!(
            "{} statistics instead of {wanted}",
            statistics.len()
        ));
    }
    statistics
        .iter()
        .try_for_each(|statistic| sizes(graph, "a statistic", statistic, &x.dims[..x.rank() - 1]))
}

/// Rule 7; `None` for an op whose type is inferred.
fn chosen(graph: &Graph, op: &Op, operands: &[&Type], found: &Type) -> Option<Check> {
    let same_dtype = |x: &Type| {
        if found.dtype == x.dtype {
            Ok(())
        } else {
            Err(format!("{} becomes {}", x.dtype, found.dtype))
        }
    };
    let show = |ty: &Type| print_type(graph, ty);
    Some(match (op, operands) {
        (Op::Input(_), []) => Ok(()),
        (Op::Constant(values), []) => {
            if found.dtype == DType::F32 && found.elements() == Dim::Fixed(values.len() as u64) {
                Ok(())
            } else {
                Err(format!("{} numbers as {}", values.len(), show(found)))
            }
        }
        (Op::Splat(_), []) => match found.dtype {
            DType::F32 => Ok(()),
            other => Err(format!("a splat of {other}")),
        },
        (Op::Reshape, [x]) => same_dtype(x).and_then(|()| {
            if product(&x.dims) == product(&found.dims) {
                Ok(())
            } else {
                Err(format!("{} cannot become {}", show(x), show(found)))
            }
        }),
        (Op::Broadcast, [x]) => same_dtype(x).and_then(|()| {
            let leading = found.rank().checked_sub(x.rank());
            let stretches = leading.is_some_and(|leading| {
                let pairs = x.dims.iter().zip(&found.dims[leading..]);
                pairs
                    .into_iter()
                    .all(|(x, y)| x == y || *x == Dim::Fixed(1))
            });
            if stretches {
                Ok(())
            } else {
                Err(format!("{} does not stretch to {}", show(x), show(found)))
            }
        }),
        (Op::Slice { axis, start }, [x]) => {
            same_dtype(x).and_then(|()| slice(graph, *axis, *start, x, found))
        }
        (Op::Cast, [x]) => sizes(graph, "the result", found, &x.dims).and_then(|()| {
            if found.dtype == DType::I32 && x.dtype != DType::I32 {
                Err("a cast to i32".to_owned())
            } else {
                Ok(())
            }
        }),
        (Op::ScatterAddRows, [updates, indices]) => {
            let mut wanted = indices.dims.clone();
            wanted.extend(found.dims.last());
            if found.rank() != 2 || found.dtype == DType::I32 {
                Err(format!("{} is no table of numbers", show(found)))
            } else {
                sizes(graph, "updates", updates, &wanted)
            }
        }
        _ => return None,
    })
}

fn slice(graph: &Graph, axis: usize, start: u64, x: &Type, found: &Type) -> Check {
    let same_elsewhere = x.rank() == found.rank()
        && axis < x.rank()
        && (0..x.rank()).all(|other| other == axis || x.dims[other] == found.dims[other]);
    let inside = |length: u64, size: u64| start.checked_add(length).is_some_and(|end| end <= size);
    let fits = same_elsewhere
        && match (x.dims[axis], found.dims[axis]) {
            // The whole of a run-time size, or a part of one that is cut at its end.
            (whole @ Dim::Scaled { .. }, part) if whole == part => start == 0,
            (
                Dim::Scaled { extent, scale },
                Dim::Scaled {
                    extent: part,
                    scale: part_scale,
                },
            ) => {
                let derived = graph.extents[part.0 as usize].derived;
                scale == part_scale
                    && derived.is_some_and(|(base, offset)| {
                        base == extent.0 && offset.checked_mul(scale) == Some(start)
                    })
            }
            // A fixed part of a run-time size might not be there.
            (Dim::Scaled { .. }, Dim::Fixed(length)) => length == 0,
            (Dim::Fixed(size), part) => inside(graph.bound(part), size),
        };
    if fits {
        Ok(())
    } else {
        Err(format!(
            "{} is not within {} from {start} along axis {axis}",
            print_type(graph, found),
            print_type(graph, x)
        ))
    }
}
