//! What the stages of a kernel of attention are: the forms that fusion writes, and nothing else.

use mm1_package::DType;

use super::plan::{Form, Place};
use crate::graph::{Binary, Unary};
use crate::kernel::{
    Address, AxisId, Coordinate, Expr, ExprId, Kernel, Stage, StageId, StageKind, Window,
};

/// What a kernel is made of.
pub(super) struct Found {
    pub form: Form,
    /// Values and their features.
    pub v: ExprId,
    pub e: AxisId,
    /// The gradient of the output and its features.
    pub dout: Option<(ExprId, AxisId)>,
    /// Axes that must be as long as the head is wide.
    pub features: Vec<AxisId>,
    pub scale: f32,
    pub window: Option<Window>,
    pub statistics: Option<[Place; 2]>,
}

impl Found {
    /// Results that are stored pair by pair.
    pub fn stores(&self) -> Vec<&Place> {
        match &self.form {
            Form::Forward { output, .. } => vec![output],
            Form::Queries { result } => vec![result],
            Form::Keys { results } => results.iter().collect(),
        }
    }
}

/// Factors of a contraction of bf16 over one axis, without a window.
pub(super) fn product(stage: &Stage, folded: AxisId) -> Result<(ExprId, ExprId), String> {
    match &stage.kind {
        StageKind::Contract {
            lhs,
            rhs,
            operands: DType::Bf16,
            window: None,
        } if stage.reduced == [folded] => Ok((*lhs, *rhs)),
        _ => Err("scores are no product of bf16 over the features".to_owned()),
    }
}

/// x of x·constant.
fn scaled(kernel: &Kernel, expr: ExprId) -> Option<(ExprId, f32)> {
    match kernel.expr_of(expr) {
        Expr::Binary(Binary::Mul, x, factor) => match kernel.expr_of(*factor) {
            Expr::Const(bits) => Some((*x, f32::from_bits(*bits))),
            _ => None,
        },
        _ => None,
    }
}

fn is_tile(kernel: &Kernel, expr: ExprId, stage: u32, result: u32) -> bool {
    let stage = StageId(stage);
    *kernel.expr_of(expr) == Expr::Tile { stage, result }
}

/// Softmax-weighted values, then maps of the output and the log-sum-exp.
pub(super) fn forward(
    kernel: &Kernel,
    [b, g, r, i, j]: [AxisId; 5],
    fold: &Stage,
    maps: &[Stage],
) -> Result<Found, String> {
    let StageKind::SoftmaxContract {
        score,
        value,
        operands: DType::Bf16,
        window,
    } = &fold.kind
    else {
        return Err("weights are not bf16".to_owned());
    };
    let e = *fold.domain.last().ok_or("no axis of the values")?;
    if fold.domain[..] != [b, g, r, i, j, e] || fold.reduced != [j] {
        return Err("values span other axes".to_owned());
    }
    let (tile, scale) = scaled(kernel, *score).ok_or("scores are not scaled by a number")?;
    if !is_tile(kernel, tile, 0, 0) {
        return Err("scores are not the first product".to_owned());
    }
    let (mut output, mut statistic) = (None, None);
    for map in maps {
        let StageKind::Map { stores } = &map.kind else {
            return Err("a stage after the fold that is no map".to_owned());
        };
        let [store] = &stores[..] else {
            return Err("a map with several stores".to_owned());
        };
        let at = Place {
            buffer: store.buffer.0,
            address: store.address.clone(),
            dtype: kernel.buffers[store.buffer.0 as usize].dtype,
        };
        if map.domain[..] == [b, g, r, i, e] {
            let floor = quotient(kernel, store.value).ok_or("the output is no quotient")?;
            only_axes(&at.address, &map.domain)?;
            output = Some((at, floor));
        } else if map.domain[..] == [b, g, r, i] && is_log_sum(kernel, store.value) {
            only_axes(&at.address, &map.domain)?;
            if at.dtype != DType::F32 {
                return Err("a log-sum-exp that is not f32".to_owned());
            }
            statistic = Some(at);
        } else {
            return Err("a map of something else".to_owned());
        }
    }
    let (output, floor) = output.ok_or("no output")?;
    Ok(Found {
        form: Form::Forward {
            output: along(output, e)?,
            floor,
            statistic,
        },
        v: *value,
        e,
        dout: None,
        features: vec![e],
        scale,
        window: window.clone(),
        statistics: None,
    })
}

/// c of sum / max(weight, c), results 0 and 2 of the fold.
fn quotient(kernel: &Kernel, expr: ExprId) -> Option<f32> {
    let Expr::Binary(Binary::Div, sum, divisor) = kernel.expr_of(expr) else {
        return None;
    };
    let Expr::Binary(Binary::Max, weight, floor) = kernel.expr_of(*divisor) else {
        return None;
    };
    match kernel.expr_of(*floor) {
        Expr::Const(bits) if is_tile(kernel, *sum, 1, 0) && is_tile(kernel, *weight, 1, 2) => {
            Some(f32::from_bits(*bits))
        }
        _ => None,
    }
}

/// Whether it is largest + log weight, results 1 and 2 of the fold.
fn is_log_sum(kernel: &Kernel, expr: ExprId) -> bool {
    let Expr::Binary(Binary::Add, largest, log) = kernel.expr_of(expr) else {
        return false;
    };
    matches!(kernel.expr_of(*log), Expr::Unary(Unary::Log, weight)
        if is_tile(kernel, *largest, 1, 1) && is_tile(kernel, *weight, 1, 2))
}

/// dout·v, then folds over keys (dQ) or over members and queries (dK and dV), each with its map.
pub(super) fn gradient(
    kernel: &Kernel,
    [b, g, r, i, j]: [AxisId; 5],
    [q, k]: [(ExprId, AxisId); 2],
    dweights: &Stage,
    rest: &[Stage],
) -> Result<Found, String> {
    let e = *dweights.domain.last().ok_or("no axis of the values")?;
    if dweights.domain[..] != [b, g, r, i, j, e] {
        return Err("gradients of weights span other axes".to_owned());
    }
    let (dout, v) = product(dweights, e)?;
    // A fold of an expression with rows, and where its result goes.
    let folded = |stage: &Stage, number: u32, map: &Stage, over: &[AxisId]| {
        let StageKind::Contract {
            lhs,
            rhs,
            operands: DType::Bf16,
            window,
        } = &stage.kind
        else {
            return Err("a fold that is no product of bf16".to_owned());
        };
        let Expr::Round(weight) = kernel.expr_of(*lhs) else {
            return Err("weights are not rounded".to_owned());
        };
        let StageKind::Map { stores } = &map.kind else {
            return Err("a fold without a map".to_owned());
        };
        let [store] = &stores[..] else {
            return Err("a map with several stores".to_owned());
        };
        if stage.reduced != over || !is_tile(kernel, store.value, number, 0) {
            return Err("a fold over other axes".to_owned());
        }
        let feature = *stage.domain.last().ok_or("no axis of the result")?;
        only_axes(&store.address, &map.domain)?;
        let result = Place {
            buffer: store.buffer.0,
            address: store.address.clone(),
            dtype: kernel.buffers[store.buffer.0 as usize].dtype,
        };
        Ok((
            *weight,
            *rhs,
            window.clone(),
            feature,
            along(result, feature)?,
        ))
    };
    match rest {
        [fold, map] => {
            let (dscore, rows, window, feature, result) = folded(fold, 2, map, &[j])?;
            is_same(kernel, k, (rows, feature))?;
            let (scale, _, statistics) = scores(kernel, [b, g, r, i], dscore)?;
            Ok(Found {
                form: Form::Queries { result },
                v,
                e,
                dout: Some((dout, e)),
                features: vec![e, feature],
                scale,
                window,
                statistics: Some(statistics),
            })
        }
        [fold, map, second, last] => {
            let (dscore, rows, window, feature, keys) = folded(fold, 2, map, &[r, i])?;
            is_same(kernel, q, (rows, feature))?;
            let (weight, rows, other, along, values) = folded(second, 4, last, &[r, i])?;
            is_same(kernel, (dout, e), (rows, along))?;
            let (scale, expected, statistics) = scores(kernel, [b, g, r, i], dscore)?;
            if weight != expected || window != other {
                return Err("the two folds differ".to_owned());
            }
            Ok(Found {
                form: Form::Keys {
                    results: [keys, values],
                },
                v,
                e,
                dout: Some((dout, e)),
                features: vec![e, feature, along],
                scale,
                window,
                statistics: Some(statistics),
            })
        }
        _ => Err(format!("{} stages after the products", rest.len())),
    }
}

/// Two loads of one tensor, but for the name of the feature axis.
fn is_same(
    kernel: &Kernel,
    (a, along_a): (ExprId, AxisId),
    (b, along_b): (ExprId, AxisId),
) -> Result<(), String> {
    let renamed = |expr: ExprId, from: AxisId| match kernel.expr_of(expr) {
        Expr::Load {
            buffer,
            address,
            guards,
        } if guards.is_empty() => {
            let mut address = address.clone();
            for (coordinate, _) in &mut address.terms {
                if *coordinate == Coordinate::Axis(from) {
                    *coordinate = Coordinate::Axis(along_b);
                }
            }
            address.terms.sort_by_key(|(_, stride)| *stride);
            Some((*buffer, address))
        }
        _ => None,
    };
    match (renamed(a, along_a), renamed(b, along_b)) {
        (Some(a), Some(b)) if a == b => Ok(()),
        _ => Err("a fold of another tensor than the scores".to_owned()),
    }
}

/// Scale, weight and places of log-sum-exp and δ of
/// exp(s·scale − lse)·(dp − δ)·scale.
fn scores(
    kernel: &Kernel,
    rows: [AxisId; 4],
    expr: ExprId,
) -> Result<(f32, ExprId, [Place; 2]), String> {
    let found = || {
        let (product, outer) = scaled(kernel, expr)?;
        let Expr::Binary(Binary::Mul, weight, gap) = kernel.expr_of(product) else {
            return None;
        };
        let Expr::Binary(Binary::Sub, dweights, delta) = kernel.expr_of(*gap) else {
            return None;
        };
        let Expr::Unary(Unary::Exp, shifted) = kernel.expr_of(*weight) else {
            return None;
        };
        let Expr::Binary(Binary::Sub, score, total) = kernel.expr_of(*shifted) else {
            return None;
        };
        let (tile, inner) = scaled(kernel, *score)?;
        let same =
            inner == outer && is_tile(kernel, tile, 0, 0) && is_tile(kernel, *dweights, 1, 0);
        same.then_some((inner, *weight, [*total, *delta]))
    };
    let (scale, weight, [total, delta]) = found().ok_or("gradients of scores in another form")?;
    let at = |load| place(kernel, load, &rows, DType::F32);
    Ok((scale, weight, [at(total)?, at(delta)?]))
}

/// A plain load of a type at some axes.
pub(super) fn place(
    kernel: &Kernel,
    load: ExprId,
    axes: &[AxisId],
    dtype: DType,
) -> Result<Place, String> {
    let Expr::Load {
        buffer,
        address,
        guards,
    } = kernel.expr_of(load)
    else {
        return Err("an operand of attention that is no load".to_owned());
    };
    if !guards.is_empty() || kernel.buffers[buffer.0 as usize].dtype != dtype {
        return Err("an operand of attention with guards or of another type".to_owned());
    }
    only_axes(address, axes)?;
    Ok(Place {
        buffer: buffer.0,
        address: address.clone(),
        dtype,
    })
}

fn only_axes(address: &Address, axes: &[AxisId]) -> Result<(), String> {
    let known = |(coordinate, _): &(Coordinate, i64)| match coordinate {
        Coordinate::Axis(axis) => axes.contains(axis),
        Coordinate::Row(_) => false,
    };
    match address.terms.iter().all(known) {
        true => Ok(()),
        false => Err("an address with rows or other axes".to_owned()),
    }
}

/// A place that is contiguous along an axis, without its term.
fn along(mut place: Place, axis: AxisId) -> Result<Place, String> {
    if place.address.stride(axis) != 1 {
        return Err("results are not contiguous along the features".to_owned());
    }
    let terms = &mut place.address.terms;
    terms.retain(|(coordinate, _)| *coordinate != Coordinate::Axis(axis));
    Ok(place)
}
