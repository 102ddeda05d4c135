//! Folds of columns and scatters by groups of a team's threads.
//!
//! Neighbouring threads have neighbouring columns; groups of them share the folded axis. Group g
//! folds points g, g + groups, … by [`UNROLLED`] sums side by side, and the groups' sums are added in
//! shared memory, each to the one half as many groups away, so the order follows from the sizes alone.
//! A scatter's rows are dealt to groups by number: each row has one group, which walks the whole
//! index in order, so its sums are those of one thread.

use mm1_package::DType;

use super::emit::{Emit, Tile};
use super::spread::{Groups, Spread};
use crate::kernel::{Address, AxisId, BufferId, Coordinate, ExprId, Monoid, StageId, StageKind};
use crate::loops::{Compare, FloatBinary, IndexOp, Operation, ValueId};

/// Points that a thread has under way at once.
const UNROLLED: i64 = 4;

/// This thread's group.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub number: ValueId,
    pub count: u32,
}

/// Columns of one tile: at most one block of the vector axis, `shared`.
pub(super) fn fold(
    emit: &mut Emit<'_>,
    spread: &Spread,
    group: Group,
    (shared, [low, high]): (AxisId, [ValueId; 2]),
) -> Result<(), String> {
    let Groups::Folded(axes) = &spread.groups else {
        return Err("columns without a folded axis".to_owned());
    };
    let along = emit.along();
    let lanes = i64::from(spread.lanes);
    let skipped = emit.b.scaled(along.member, lanes);
    let point = emit.b.add(low, skipped);
    let inside = emit.b.compare(Compare::Lt, point, high);
    // Threads past the end repeat the last points and store nothing, for all must exchange.
    let back = emit.b.index(-lanes);
    let last = emit.b.add(high, back);
    let point = emit.least(point, last);
    let zero = emit.b.index(0);
    let first = emit.b.compare(Compare::Eq, group.number, zero);
    let stores = emit.b.op(Operation::MaskAnd(inside, first));
    let place = Exchange::new(emit, spread, group);
    let kernel = emit.kernel;
    let vector = (spread.lanes > 1).then_some((shared, spread.lanes));
    let outer = std::mem::replace(&mut emit.vector, vector);
    let known = (emit.cache.len(), emit.tiles.len());
    let result = emit.bound(shared, point, |emit| {
        for (number, stage) in kernel.stages.iter().enumerate() {
            match &stage.kind {
                StageKind::Reduce { monoid, value } => {
                    let part = column(emit, axes, group, spread.lanes, (*monoid, *value))?;
                    let whole = place.combine(emit, *monoid, part);
                    emit.tiles
                        .push((StageId(number as u32), 0, Tile::Register(whole)));
                }
                StageKind::Map { stores: all } => {
                    let known = emit.cache.len();
                    emit.b.begin_if();
                    let own: Vec<AxisId> = stage
                        .domain
                        .iter()
                        .copied()
                        .filter(|axis| emit.axis[axis.0 as usize].is_none())
                        .collect();
                    let result = emit.nest(&own, &mut |emit| emit.stores(all));
                    emit.b.end_if(stores);
                    emit.cache.truncate(known);
                    result?;
                }
                StageKind::Scatter { .. }
                | StageKind::Contract { .. }
                | StageKind::SoftmaxContract { .. } => {
                    return Err("a stage that columns do not have".to_owned());
                }
            }
        }
        Ok(())
    });
    emit.cache.truncate(known.0);
    emit.tiles.truncate(known.1);
    emit.vector = outer;
    result
}

/// Where groups leave their sums.
struct Exchange {
    group: Group,
    lanes: u32,
    /// Bytes between groups.
    stride: i64,
    /// The thread's own sum.
    own: ValueId,
    /// That of group 0 for the same columns.
    first: ValueId,
}

impl Exchange {
    fn new(emit: &mut Emit<'_>, spread: &Spread, group: Group) -> Self {
        let along = emit.along();
        let bytes = 4 * i64::from(spread.lanes);
        let stride = bytes * i64::from(spread.along);
        let offset = emit
            .b
            .reserve_scratch(stride as u64 * u64::from(group.count));
        let scratch = emit.scratch_at(offset);
        let first = emit.b.element(scratch, along.member, bytes);
        let own = emit.b.element(first, group.number, stride);
        Self {
            group,
            lanes: spread.lanes,
            stride,
            own,
            first,
        }
    }

    /// Folds the groups' parts; every thread gets the whole.
    fn combine(&self, emit: &mut Emit<'_>, monoid: Monoid, part: ValueId) -> ValueId {
        // Others may still read what was exchanged before.
        emit.b.team_sync();
        emit.b.store(self.own, 0, part, DType::F32);
        emit.b.team_sync();
        let mut half = i64::from(self.group.count / 2);
        while half > 0 {
            let bound = emit.b.index(half);
            let adds = emit.b.compare(Compare::Lt, self.group.number, bound);
            emit.b.begin_if();
            let a = emit.b.load(self.own, 0, DType::F32, self.lanes);
            let b = emit
                .b
                .load(self.own, half * self.stride, DType::F32, self.lanes);
            let both = combine(emit, monoid, a, b);
            emit.b.store(self.own, 0, both, DType::F32);
            emit.b.end_if(adds);
            emit.b.team_sync();
            half /= 2;
        }
        emit.b.load(self.first, 0, DType::F32, self.lanes)
    }
}

fn combine(emit: &mut Emit<'_>, monoid: Monoid, a: ValueId, b: ValueId) -> ValueId {
    let operation = match monoid {
        Monoid::Sum => FloatBinary::Add,
        Monoid::Max => FloatBinary::Max,
    };
    emit.b.binary(operation, a, b)
}

/// What a group folds of the columns at hand.
fn column(
    emit: &mut Emit<'_>,
    axes: &[AxisId],
    group: Group,
    lanes: u32,
    (monoid, value): (Monoid, ExprId),
) -> Result<ValueId, String> {
    let start = match monoid {
        Monoid::Sum => 0.0,
        Monoid::Max => f32::NEG_INFINITY,
    };
    let known = emit.cache.len();
    emit.hoist(value, axes)?;
    let start = emit.b.float(start, lanes);
    let inits = vec![start; UNROLLED as usize];
    let step = i64::from(group.count);
    let parts = unrolled(
        emit,
        axes,
        group.number,
        step,
        &inits,
        &mut |emit, points, parts| {
            let pairs = points.iter().zip(parts);
            pairs
                .map(|(point, part)| {
                    at(emit, axes, *point, &mut |emit| match monoid {
                        Monoid::Sum => emit.add_term(*part, value),
                        Monoid::Max => {
                            let value = emit.float_at(value, lanes)?;
                            Ok(combine(emit, monoid, value, *part))
                        }
                    })
                })
                .collect()
        },
    )?;
    emit.cache.truncate(known);
    let mut parts = parts;
    while parts.len() > 1 {
        parts = parts
            .chunks(2)
            .map(|pair| combine(emit, monoid, pair[0], pair[1]))
            .collect();
    }
    parts.pop().ok_or_else(|| "a fold of no parts".to_owned())
}

/// What a round makes of its points and of as many carried values.
type Round<'a, 'k> =
    dyn FnMut(&mut Emit<'k>, &[ValueId], &[ValueId]) -> Result<Vec<ValueId>, String> + 'a;

/// Walks first, first + step, … below the product of the axes' sizes, several at once while there
/// are so many; a carried value belongs to each of these, and the rest goes to the first.
fn unrolled<'k>(
    emit: &mut Emit<'k>,
    axes: &[AxisId],
    first: ValueId,
    step: i64,
    inits: &[ValueId],
    round: &mut Round<'_, 'k>,
) -> Result<Vec<ValueId>, String> {
    let mut total = emit.b.index(1);
    for axis in axes {
        let size = emit.size(*axis);
        total = emit.b.index_op(IndexOp::Mul, total, size);
    }
    let wide = step * UNROLLED;
    let less = emit.b.index(step - wide);
    let most = emit.b.add(total, less);
    let known = emit.cache.len();
    let open = emit.b.begin_loop(first, most, wide, inits);
    let mut points = vec![open.variable];
    for number in 1..UNROLLED {
        let skipped = emit.b.index(number * step);
        points.push(emit.b.add(open.variable, skipped));
    }
    let inside = open.inside.clone();
    let next = round(emit, &points, &inside)?;
    emit.cache.truncate(known);
    let mut parts = emit.b.end_loop(open, &next);
    // Where the loop ended: rounds are ⌈(most − first) / wide⌉ where that is positive.
    let zero = emit.b.index(0);
    let length = emit.b.index_op(IndexOp::Sub, most, first);
    let length = emit.b.index_op(IndexOp::Max, length, zero);
    let up = emit.b.index(wide - 1);
    let length = emit.b.add(length, up);
    let divisor = emit.b.index(wide);
    let rounds = emit.b.index_op(IndexOp::Div, length, divisor);
    let done = emit.b.scaled(rounds, wide);
    let rest = emit.b.add(first, done);
    let carried = &parts[..parts.len().min(1)];
    let open = emit.b.begin_loop(rest, total, step, carried);
    let inside = open.inside.clone();
    let next = round(emit, &[open.variable], &inside)?;
    emit.cache.truncate(known);
    let last = emit.b.end_loop(open, &next);
    if let (Some(first), Some(last)) = (parts.first_mut(), last.first()) {
        *first = *last;
    }
    Ok(parts)
}

/// Runs `body` where axes are bound to the coordinates of a flat index, the last axis fastest.
fn at<'k, T>(
    emit: &mut Emit<'k>,
    axes: &[AxisId],
    index: ValueId,
    body: &mut dyn FnMut(&mut Emit<'k>) -> Result<T, String>,
) -> Result<T, String> {
    match axes.split_last() {
        None => body(emit),
        Some((axis, [])) => emit.rebound(*axis, index, |emit| body(emit)),
        Some((axis, rest)) => {
            let size = emit.size(*axis);
            let own = emit.b.index_op(IndexOp::Rem, index, size);
            let index = emit.b.index_op(IndexOp::Div, index, size);
            emit.rebound(*axis, own, |emit| at(emit, rest, index, body))
        }
    }
}

/// A scatter along its one folded axis: this group's rows only.
pub(super) fn scatter(
    emit: &mut Emit<'_>,
    group: Group,
    folded: AxisId,
    (buffer, address, value): (BufferId, &Address, ExprId),
) -> Result<(), String> {
    let row = address
        .terms
        .iter()
        .find_map(|(coordinate, _)| match coordinate {
            Coordinate::Row(row) => Some(*row),
            Coordinate::Axis(_) => None,
        });
    let row = row.ok_or("a scatter without a row")?;
    let zero = emit.b.index(0);
    let axes = [folded];
    unrolled(emit, &axes, zero, 1, &[], &mut |emit, points, _| {
        // All numbers are read before the first store, which might change them for all that is known.
        let rows = points
            .iter()
            .map(|point| at(emit, &axes, *point, &mut |emit| emit.index_value(row)))
            .collect::<Result<Vec<_>, _>>()?;
        for (point, row) in points.iter().zip(rows) {
            let count = emit.b.index(i64::from(group.count));
            let owner = emit.b.index_op(IndexOp::Rem, row, count);
            let own = emit.b.compare(Compare::Eq, owner, group.number);
            let known = emit.cache.len();
            emit.b.begin_if();
            let result = at(emit, &axes, *point, &mut |emit| {
                super::rows::scatter(emit, buffer, address, value)
            });
            emit.b.end_if(own);
            emit.cache.truncate(known);
            result?;
        }
        Ok(Vec::new())
    })?;
    Ok(())
}
