//! Maps, reductions and scatters: each parallel point, or register of points, on its own.
//!
//! One axis is the vector axis. If it is parallel, a register holds neighbouring points and
//! every fold is sequential in its lane (column sums, pointwise maps, scatters). If not, points
//! are taken one by one and each stage walks its own axis in registers (norms, softmax rows).
//! The order of every sum depends on sizes and lanes only, never on tiles.

use super::columns::{self, Group};
use super::emit::{Along, Emit, Tile};
use super::grid;
use super::spread::{self, Groups, Spread};
use super::{Lowered, Machine};
use crate::kernel::{
    Address, AxisId, BufferId, Expr, ExprId, Guard, Kernel, Monoid, Stage, StageId, StageKind,
};
use crate::loops::{Compare, FloatBinary, IndexOp, Operation, TEAM, ValueId};

/// Choices of this strategy.
pub(super) struct Plan {
    /// The vector axis if it is parallel.
    pub shared: Option<AxisId>,
    /// Points taken at once in maps and folds.
    widest: u32,
    /// Parallel axes, outermost first.
    pub parallel: Vec<AxisId>,
    /// What a team's threads do.
    spread: Spread,
    /// This thread's part of it, where a team has groups.
    group: Option<Group>,
}

impl Plan {
    /// Axes of a stage that are walked at bound parallel axes.
    pub fn own(&self, stage: &Stage) -> Vec<AxisId> {
        let own = |axis: &AxisId| !self.parallel.contains(axis);
        stage.domain.iter().copied().filter(own).collect()
    }
}

/// Lowers a kernel of maps, reductions and scatters.
pub(super) fn lower(
    kernel: &Kernel,
    machine: &Machine,
    alignment: &[u32],
) -> Result<Lowered, String> {
    let mut emit = Emit::new(kernel, machine)?;
    emit.alignment = alignment.to_vec();
    let mut plan = plan(&emit)?;
    let mut machine = *machine;
    if machine.team {
        plan.spread = spread::choose(&emit, &plan);
        plan.widest = plan.spread.along * plan.spread.lanes;
        machine.lanes = plan.spread.lanes;
        machine.warps = plan.spread.warps;
    }
    let mut emit = Emit::new(kernel, &machine)?;
    emit.alignment = alignment.to_vec();
    emit.b.warps = machine.warps;
    deal(&mut emit, &mut plan);
    let unit = kernel
        .stages
        .iter()
        .map(|stage| {
            let own = plan.own(stage).into_iter();
            own.map(|axis| grid::typical(kernel, axis)).product::<u64>()
        })
        .sum::<u64>();
    let vector = plan.shared.map(|axis| (axis, u64::from(plan.widest)));
    let tiles = match plan.spread.groups {
        Groups::None | Groups::Rows(_) => {
            grid::choose(kernel, &plan.parallel, unit, vector, machine.team)
        }
        // All threads of a team are needed for one block of columns.
        Groups::Folded(_) | Groups::Scattered => {
            let block = |axis: &AxisId| match Some(*axis) == plan.shared {
                true => u64::from(plan.widest),
                false => 1,
            };
            let axes = plan.parallel.iter();
            axes.map(|axis| (*axis, block(axis))).collect()
        }
    };
    emit.each_tile(&tiles, |emit, ranges| {
        let ranges: Vec<(AxisId, [ValueId; 2])> = tiles
            .iter()
            .zip(ranges)
            .map(|((axis, _), range)| (*axis, *range))
            .collect();
        points(emit, &plan, &ranges)
    })?;
    let vector = plan.shared.map(|axis| axis.0);
    let schedule = match machine.team {
        true => format!("rows, vector {vector:?}, {}", plan.spread.describe()),
        false => format!(
            "rows lanes {} widest {} vector {vector:?}",
            machine.lanes, plan.widest,
        ),
    };
    Ok(Lowered {
        function: emit.b.finish(format!("k{}", kernel.hash())),
        tiles,
        schedule,
    })
}

/// Gives each thread its group, where a team has groups.
fn deal(emit: &mut Emit<'_>, plan: &mut Plan) {
    if plan.spread.groups == Groups::None {
        return;
    }
    let (along, count) = (plan.spread.along, plan.spread.count());
    let member = emit.b.op(Operation::Member);
    let threads = emit.b.index(i64::from(along));
    let mut number = emit.b.index_op(IndexOp::Div, member, threads);
    let own = emit.b.index_op(IndexOp::Rem, member, threads);
    if along * count < TEAM * plan.spread.warps {
        // Threads beyond the last whole group are past every end.
        let used = emit.b.index(i64::from(along * count));
        let has = emit.b.compare(Compare::Lt, member, used);
        let far = emit.b.index(1 << 40);
        number = emit.b.select(has, number, far);
    }
    emit.along = Some(Along {
        member: own,
        threads: along,
    });
    plan.group = Some(Group { number, count });
}

fn plan(emit: &Emit<'_>) -> Result<Plan, String> {
    let kernel = emit.kernel;
    let is_parallel = |axis: &AxisId| kernel.axis_of(*axis).parallel;
    let Some(main) = kernel
        .stages
        .iter()
        .enumerate()
        .max_by_key(|(number, stage)| (stage.domain.len(), usize::MAX - number))
        .map(|(_, stage)| stage)
    else {
        return Err("no stages".to_owned());
    };
    let mut parallel: Vec<AxisId> = main.domain.iter().copied().filter(is_parallel).collect();
    for stage in &kernel.stages {
        for axis in stage.domain.iter().filter(|axis| is_parallel(axis)) {
            if !parallel.contains(axis) {
                parallel.push(*axis);
            }
        }
    }
    for stage in &kernel.stages {
        let writes = matches!(
            stage.kind,
            StageKind::Map { .. } | StageKind::Scatter { .. }
        );
        if let Some(axis) = parallel.iter().find(|axis| !stage.domain.contains(axis))
            && writes
            && emit.fixed(*axis) != Some(1)
        {
            return Err(format!(
                "a stage stores without parallel axis {}, so tiles would store the same element",
                axis.0
            ));
        }
    }
    let shared = best_axis(emit, main, &main.domain).filter(is_parallel);
    let folds = kernel.stages.iter().any(|stage| !stage.reduced.is_empty());
    let lanes = emit.machine.width();
    let widest = match (folds, emit.machine.registers) {
        _ if emit.machine.team => lanes,
        (true, _) => 4 * lanes,
        (false, 32..) => 2 * lanes,
        (false, _) => lanes,
    };
    Ok(Plan {
        shared,
        widest,
        parallel,
        spread: Spread::plain(),
        group: None,
    })
}

/// The candidate along which most memory is contiguous; the last of equals.
fn best_axis(emit: &Emit<'_>, stage: &Stage, candidates: &[AxisId]) -> Option<AxisId> {
    candidates
        .iter()
        .enumerate()
        .max_by_key(|(position, axis)| (score(emit, stage, **axis), *position))
        .map(|(_, axis)| *axis)
}

fn score(emit: &Emit<'_>, stage: &Stage, axis: AxisId) -> i64 {
    let mut score = 0;
    let mut count = |address: &Address, guards: &[Guard], weight: i64| {
        score += match emit.stride_along(address, guards, axis) {
            Some(0) => 0,
            Some(1) => 2 * weight,
            _ => -4 * weight,
        };
    };
    let mut roots = Vec::new();
    match &stage.kind {
        StageKind::Map { stores } => {
            for store in stores {
                count(&store.address, &[], 1);
                roots.push(store.value);
            }
        }
        StageKind::Reduce { value, .. } => roots.push(*value),
        StageKind::Scatter { address, value, .. } => {
            count(address, &[], 2);
            roots.push(*value);
        }
        StageKind::Contract { .. } | StageKind::SoftmaxContract { .. } => {}
    }
    for (address, guards) in loads(emit.kernel, &roots) {
        count(address, guards, 1);
    }
    match emit.fixed(axis) {
        // A team's threads go on to further rows of a map.
        Some(_) if emit.machine.team && matches!(stage.kind, StageKind::Map { .. }) => score,
        Some(size) if emit.machine.team && size < u64::from(TEAM) => score - 16,
        Some(size) if !emit.machine.team && size < u64::from(emit.machine.width()) => score - 16,
        _ => score,
    }
}

/// The axis along which a stage of rows of their own is taken in registers.
pub(super) fn vector_of(emit: &Emit<'_>, stage: &Stage, own: &[AxisId]) -> Option<AxisId> {
    best_axis(emit, stage, own).filter(|axis| emit.fixed(*axis) != Some(1))
}

/// Addresses that expressions read in their own stage.
pub(super) fn loads<'k>(kernel: &'k Kernel, roots: &[ExprId]) -> Vec<(&'k Address, &'k [Guard])> {
    let exprs = load_exprs(kernel, roots).into_iter();
    exprs
        .filter_map(|expr| match kernel.expr_of(expr) {
            Expr::Load {
                address, guards, ..
            } => Some((address, guards.as_slice())),
            _ => None,
        })
        .collect()
}

/// Loads that expressions make in their own stage.
pub(super) fn load_exprs(kernel: &Kernel, roots: &[ExprId]) -> Vec<ExprId> {
    let mut seen = Vec::new();
    let mut waiting = roots.to_vec();
    let mut found = Vec::new();
    while let Some(expr) = waiting.pop() {
        if seen.contains(&expr) {
            continue;
        }
        seen.push(expr);
        match kernel.expr_of(expr) {
            Expr::Load { .. } => found.push(expr),
            Expr::Unary(_, x) | Expr::Round(x) => waiting.push(*x),
            Expr::Binary(_, a, b) => waiting.extend([*a, *b]),
            Expr::SelectEqual {
                a,
                b,
                then,
                otherwise,
            } => waiting.extend([*a, *b, *then, *otherwise]),
            Expr::Const(_) | Expr::Index(_) | Expr::Tile { .. } => {}
        }
    }
    found
}

/// Loops over the parallel axes of a tile, the shared vector axis innermost.
fn points(
    emit: &mut Emit<'_>,
    plan: &Plan,
    ranges: &[(AxisId, [ValueId; 2])],
) -> Result<(), String> {
    let outer: Vec<_> = ranges
        .iter()
        .filter(|(axis, _)| Some(*axis) != plan.shared)
        .copied()
        .collect();
    outer_points(emit, plan, &outer, ranges)
}

fn outer_points(
    emit: &mut Emit<'_>,
    plan: &Plan,
    outer: &[(AxisId, [ValueId; 2])],
    ranges: &[(AxisId, [ValueId; 2])],
) -> Result<(), String> {
    if let Some(((axis, range), rest)) = outer.split_first() {
        if let (Groups::Rows(row), Some(group)) = (&plan.spread.groups, plan.group)
            && row == axis
        {
            let low = emit.b.add(range[0], group.number);
            let step = i64::from(group.count);
            emit.steps(*axis, [low, range[1]], step, 1, &[], |emit, _| {
                outer_points(emit, plan, rest, ranges)?;
                Ok(Vec::new())
            })?;
            return Ok(());
        }
        return emit.each(*axis, *range, |emit| outer_points(emit, plan, rest, ranges));
    }
    let count = emit.kernel.stages.len();
    let Some(shared) = plan.shared else {
        return stages(emit, plan, 0..count);
    };
    let range = ranges
        .iter()
        .find(|(axis, _)| *axis == shared)
        .map(|(_, range)| *range)
        .ok_or("the vector axis is not tiled")?;
    if let (Groups::Folded(_), Some(group)) = (&plan.spread.groups, plan.group) {
        return columns::fold(emit, &plan.spread, group, (shared, range));
    }
    // Stages before the first one along the vector axis are done once.
    let first = emit
        .kernel
        .stages
        .iter()
        .position(|stage| stage.domain.contains(&shared))
        .unwrap_or(count);
    stages(emit, plan, 0..first)?;
    let inner: Vec<AxisId> = (0..emit.kernel.axes.len() as u32)
        .map(AxisId)
        .filter(|axis| emit.axis[axis.0 as usize].is_none())
        .collect();
    let known = emit.cache.len();
    for root in first..count {
        for expr in roots(&emit.kernel.stages[root]) {
            emit.hoist(expr, &inner)?;
        }
    }
    let widths = emit.widths(shared, plan.widest);
    emit.levels(shared, range, &widths, &[], &mut |emit, _, _| {
        let results = emit.tiles.len();
        stages(emit, plan, first..count)?;
        emit.tiles.truncate(results);
        Ok(Vec::new())
    })?;
    emit.cache.truncate(known);
    Ok(())
}

/// Expressions that a stage evaluates at its points.
fn roots(stage: &Stage) -> Vec<ExprId> {
    match &stage.kind {
        StageKind::Map { stores } => stores.iter().map(|store| store.value).collect(),
        StageKind::Reduce { value, .. } | StageKind::Scatter { value, .. } => vec![*value],
        StageKind::Contract { .. } | StageKind::SoftmaxContract { .. } => Vec::new(),
    }
}

/// Emits stages at bound parallel axes.
fn stages(emit: &mut Emit<'_>, plan: &Plan, range: std::ops::Range<usize>) -> Result<(), String> {
    let kernel = emit.kernel;
    for number in range {
        let stage = &kernel.stages[number];
        let known = emit.cache.len();
        let own = plan.own(stage);
        let vector = match plan.shared {
            Some(_) => None,
            None => vector_of(emit, stage, &own),
        };
        match &stage.kind {
            StageKind::Map { stores } => {
                let values: Vec<ExprId> = stores.iter().map(|store| store.value).collect();
                shared_out(emit, plan, vector, |emit| {
                    walk(emit, plan, &own, vector, &values, &mut |emit| {
                        emit.stores(stores)
                    })
                })?;
            }
            StageKind::Reduce { monoid, value } => {
                let id = StageId(number as u32);
                reduce(emit, plan, (id, stage), &own, vector, (*monoid, *value))?;
            }
            StageKind::Scatter {
                buffer,
                address,
                value,
            } => {
                if let (Groups::Scattered, Some(group)) = (&plan.spread.groups, plan.group) {
                    let folded = *stage
                        .reduced
                        .first()
                        .ok_or("a scatter that folds nothing")?;
                    columns::scatter(emit, group, folded, (*buffer, address, *value))?;
                    emit.cache.truncate(known);
                    continue;
                }
                // In order of the folded axes.
                let mut order = stage.reduced.clone();
                order.extend(own.iter().filter(|axis| !stage.reduced.contains(axis)));
                let vector = vector.filter(|axis| !stage.reduced.contains(axis));
                shared_out(emit, plan, vector, |emit| {
                    walk(emit, plan, &order, vector, &[*value], &mut |emit| {
                        scatter(emit, *buffer, address, *value)
                    })
                })?;
            }
            StageKind::Contract { .. } | StageKind::SoftmaxContract { .. } => {
                return Err("a contraction among row stages".to_owned());
            }
        }
        emit.cache.truncate(known);
    }
    Ok(())
}

/// Stores whose points are not spread over a team are made by one of its threads.
fn shared_out(
    emit: &mut Emit<'_>,
    plan: &Plan,
    vector: Option<AxisId>,
    body: impl FnOnce(&mut Emit<'_>) -> Result<(), String>,
) -> Result<(), String> {
    match plan.shared.or(vector) {
        None => emit.once(body),
        Some(_) => body(emit),
    }
}

/// Loops over axes, the vector axis innermost, with what is invariant computed before.
fn walk(
    emit: &mut Emit<'_>,
    plan: &Plan,
    axes: &[AxisId],
    vector: Option<AxisId>,
    values: &[ExprId],
    body: &mut dyn FnMut(&mut Emit<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let outer: Vec<AxisId> = axes
        .iter()
        .copied()
        .filter(|axis| Some(*axis) != vector)
        .collect();
    walk_outer(emit, plan, &outer, vector, values, body)
}

fn walk_outer(
    emit: &mut Emit<'_>,
    plan: &Plan,
    outer: &[AxisId],
    vector: Option<AxisId>,
    values: &[ExprId],
    body: &mut dyn FnMut(&mut Emit<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let inner: Vec<AxisId> = outer.iter().copied().chain(vector).collect();
    if inner.is_empty() {
        return body(emit);
    }
    let known = emit.cache.len();
    for value in values {
        emit.hoist(*value, &inner)?;
    }
    let zero = emit.b.index(0);
    if let Some((axis, rest)) = outer.split_first() {
        let size = emit.size(*axis);
        emit.each(*axis, [zero, size], |emit| {
            walk_outer(emit, plan, rest, vector, values, body)
        })?;
    } else if let Some(axis) = vector {
        let size = emit.size(axis);
        let widths = emit.widths(axis, plan.widest);
        emit.levels(axis, [zero, size], &widths, &[], &mut |emit, _, _| {
            body(emit)?;
            Ok(Vec::new())
        })?;
    }
    emit.cache.truncate(known);
    Ok(())
}

/// Adds to a row chosen by an index.
pub(super) fn scatter(
    emit: &mut Emit<'_>,
    buffer: BufferId,
    address: &Address,
    value: ExprId,
) -> Result<(), String> {
    let dtype = emit.kernel.buffers[buffer.0 as usize].dtype;
    let contiguous = emit
        .vector
        .is_none_or(|(axis, _)| emit.stride_along(address, &[], axis) == Some(1));
    if !contiguous {
        return Err("a scatter whose rows are not contiguous along the vector axis".to_owned());
    }
    let lanes = emit.vector.map_or(1, |(_, lanes)| lanes);
    let place = emit.place(buffer, address, &[])?;
    let known = emit.cache.len();
    if place.exists.is_some() {
        emit.b.begin_if();
    }
    let value = emit.float_at(value, lanes)?;
    let old = emit.b.load(place.ptr, place.offset, dtype, lanes);
    let new = emit.b.binary(FloatBinary::Add, old, value);
    emit.b.store(place.ptr, place.offset, new, dtype);
    emit.cache.truncate(known);
    if let Some(exists) = place.exists {
        emit.b.end_if(exists);
    }
    Ok(())
}

fn reduce(
    emit: &mut Emit<'_>,
    plan: &Plan,
    (id, stage): (StageId, &Stage),
    own: &[AxisId],
    vector: Option<AxisId>,
    (monoid, value): (Monoid, ExprId),
) -> Result<(), String> {
    let (folded, kept): (Vec<AxisId>, Vec<AxisId>) =
        own.iter().partition(|axis| stage.reduced.contains(axis));
    let along = vector.filter(|axis| folded.contains(axis));
    let across = vector.filter(|axis| kept.contains(axis));
    if kept.is_empty() {
        let result = fold(emit, plan, &folded, along, (monoid, value))?;
        emit.tiles.push((id, 0, Tile::Register(result)));
        return Ok(());
    }
    // A tile with axes of its own lives in scratch, the last axis contiguous.
    let block = match plan.shared {
        Some(shared) if stage.domain.contains(&shared) => i64::from(plan.widest),
        _ => 1,
    };
    let mut strides = Vec::new();
    let mut elements = block;
    let contiguous = across.into_iter();
    let rest = kept
        .iter()
        .rev()
        .copied()
        .filter(|axis| Some(*axis) != across);
    for axis in contiguous.chain(rest) {
        let size = emit
            .fixed(axis)
            .ok_or("a tile spans an axis whose size is known only at run time")?;
        strides.push((axis, elements));
        elements = elements
            .checked_mul(size as i64)
            .ok_or("a tile is too large")?;
    }
    let offset = emit.b.reserve_scratch(4 * elements as u64);
    let mut ptr = emit.scratch_at(offset);
    if emit.machine.team && block > 1 {
        // Each thread has a place of its own in a block.
        let along = emit.along();
        let lanes = i64::from(plan.spread.lanes);
        ptr = emit.b.element(ptr, along.member, 4 * lanes);
    }
    // Threads read what others wrote.
    let exchanged = emit.machine.team && block == 1;
    if exchanged {
        emit.b.team_sync();
    }
    walk(emit, plan, &kept, across, &[], &mut |emit| {
        let result = fold(emit, plan, &folded, along, (monoid, value))?;
        let to = emit.tile_address(ptr, &strides)?;
        if exchanged && across.is_none() {
            return emit.once(|emit| {
                emit.b.store(to, 0, result, mm1_package::DType::F32);
                Ok(())
            });
        }
        let lanes = emit.vector.map_or(1, |(_, lanes)| lanes);
        let result = emit.widened(
            result,
            if block > 1 || across.is_some() {
                lanes
            } else {
                1
            },
        )?;
        emit.b.store(to, 0, result, mm1_package::DType::F32);
        Ok(())
    })?;
    if exchanged {
        emit.b.team_sync();
    }
    emit.tiles.push((
        id,
        0,
        Tile::Scratch {
            ptr,
            strides,
            registers: block > 1,
        },
    ));
    Ok(())
}

/// Folds an expression over axes; `along` is walked in registers whose lanes are folded last.
fn fold(
    emit: &mut Emit<'_>,
    plan: &Plan,
    folded: &[AxisId],
    along: Option<AxisId>,
    (monoid, value): (Monoid, ExprId),
) -> Result<ValueId, String> {
    let outer: Vec<AxisId> = folded
        .iter()
        .copied()
        .filter(|axis| Some(*axis) != along)
        .collect();
    let start = match monoid {
        Monoid::Sum => 0.0,
        Monoid::Max => f32::NEG_INFINITY,
    };
    let widths = match along {
        Some(axis) => emit.widths(axis, plan.widest),
        None => {
            let depends = |(axis, _): &(AxisId, u32)| emit.depends_on(value, *axis);
            vec![emit.vector.filter(depends).map_or(1, |(_, lanes)| lanes)]
        }
    };
    let sums: Vec<ValueId> = widths
        .iter()
        .map(|lanes| {
            let lanes = match (emit.machine.team, along) {
                // A thread's part of a width.
                (true, Some(_)) => lanes / emit.threads_along(),
                _ => *lanes,
            };
            emit.b.float(start, lanes)
        })
        .collect();
    let known = emit.cache.len();
    let sums = fold_outer(emit, &outer, along, &widths, (monoid, value), sums)?;
    emit.cache.truncate(known);
    if along.is_none() {
        return Ok(sums[0]);
    }
    let mut total = None;
    for sum in sums {
        let lane = match (monoid, emit.b.lanes(sum)) {
            (_, 1) if emit.machine.team => sum,
            (Monoid::Sum, _) => emit.b.op(Operation::SumLanes(sum)),
            (Monoid::Max, _) => emit.b.op(Operation::MaxLanes(sum)),
        };
        total = Some(match total {
            None => lane,
            Some(before) => combine(emit, monoid, before, lane),
        });
    }
    let total = total.ok_or_else(|| "a fold over no widths".to_owned())?;
    Ok(match (monoid, emit.machine.team) {
        (_, false) => total,
        (Monoid::Sum, true) => emit.b.op(Operation::TeamSum(total)),
        (Monoid::Max, true) => emit.b.op(Operation::TeamMax(total)),
    })
}

fn combine(emit: &mut Emit<'_>, monoid: Monoid, a: ValueId, b: ValueId) -> ValueId {
    match monoid {
        Monoid::Sum => emit.b.binary(FloatBinary::Add, a, b),
        Monoid::Max => emit.b.binary(FloatBinary::Max, a, b),
    }
}

fn fold_outer(
    emit: &mut Emit<'_>,
    outer: &[AxisId],
    along: Option<AxisId>,
    widths: &[u32],
    (monoid, value): (Monoid, ExprId),
    sums: Vec<ValueId>,
) -> Result<Vec<ValueId>, String> {
    let term = |emit: &mut Emit<'_>, sum: ValueId| match monoid {
        Monoid::Sum => emit.add_term(sum, value),
        Monoid::Max => {
            let lanes = emit.b.lanes(sum);
            let value = emit.float_at(value, lanes)?;
            Ok(combine(emit, Monoid::Max, value, sum))
        }
    };
    let inner: Vec<AxisId> = outer.iter().copied().chain(along).collect();
    if inner.is_empty() {
        return Ok(vec![term(emit, sums[0])?]);
    }
    emit.hoist(value, &inner)?;
    let zero = emit.b.index(0);
    if let Some((axis, rest)) = outer.split_first() {
        let size = emit.size(*axis);
        return emit.fold(*axis, [zero, size], 1, &sums, |emit, inside| {
            fold_outer(emit, rest, along, widths, (monoid, value), inside.to_vec())
        });
    }
    let Some(axis) = along else { return Ok(sums) };
    let size = emit.size(axis);
    let inits: Vec<Vec<ValueId>> = sums.iter().map(|sum| vec![*sum]).collect();
    let results = emit.levels(
        axis,
        [zero, size],
        widths,
        &inits,
        &mut |emit, _, inside| Ok(vec![term(emit, inside[0])?]),
    )?;
    Ok(results.into_iter().flatten().collect())
}
