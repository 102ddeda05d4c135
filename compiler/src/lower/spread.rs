//! How the threads of a card share a kernel of rows: lanes of a thread, warps of a team, and what
//! a team's threads do beside the vector axis.
//!
//! A card moves memory at its full rate where each warp asks for whole sectors by 16 bytes a thread
//! and enough warps have asked. So a thread takes 16 bytes of the widest type along the vector axis
//! where alignment is known, wide rows get several warps, and threads that the vector axis has
//! no use for go on to other points ([`Groups`]). Nothing here depends on the machine, and only
//! what [`Spread::describe`] prints changes results.

use super::emit::Emit;
use super::grid::typical;
use super::rows::Plan;
use super::value::bytes;
use crate::kernel::{
    Address, AxisId, AxisSize, BufferId, Coordinate, Expr, ExprId, Guard, Stage, StageKind,
};
use crate::loops::TEAM;

/// Blocks that keep every multiprocessor of a large card busy twice.
const BLOCKS: u64 = 264;
/// Bytes of neighbouring memory that are worth a request of their own: a sector.
const SECTOR: u64 = 32;
/// Most threads of a team.
const THREADS: u64 = 1024;
/// Rounds of a thread along a row before another warp is worth its part of the exchange.
const ROUNDS: u64 = 4;
/// Points of a folded axis for which a column is worth more than one thread.
const LONG: u64 = 32;

/// What the threads of a team do that are not along the vector axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    /// There are none.
    None,
    /// Group g has rows g, g + groups, … of a parallel axis.
    Rows(AxisId),
    /// Group g folds points g, g + groups, … of these axes, the last fastest.
    Folded(Vec<AxisId>),
    /// Group g adds to the rows whose number leaves g: each row has one group, which adds in order.
    Scattered,
}

/// A team's threads and their work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spread {
    /// Points of a thread along the vector axis.
    pub lanes: u32,
    /// Warps of a team.
    pub warps: u32,
    /// Threads along the vector axis.
    pub along: u32,
    /// The others.
    pub groups: Groups,
}

impl Spread {
    /// One warp, one point a thread.
    pub fn plain() -> Self {
        Self {
            lanes: 1,
            warps: 1,
            along: TEAM,
            groups: Groups::None,
        }
    }

    /// How many groups of threads a team has.
    pub fn count(&self) -> u32 {
        self.warps * TEAM / self.along
    }

    /// For people and for the kernel's hash.
    pub fn describe(&self) -> String {
        let groups = match &self.groups {
            Groups::None => String::new(),
            Groups::Rows(_) => format!(", {} rows at once", self.count()),
            Groups::Folded(_) => format!(", folded by {}", self.count()),
            Groups::Scattered => format!(", scattered by {}", self.count()),
        };
        format!(
            "{} warps, {} lanes of {} threads{groups}",
            self.warps, self.lanes, self.along
        )
    }
}

/// One access of a stage.
struct Access<'k> {
    buffer: BufferId,
    address: &'k Address,
    guards: &'k [Guard],
    /// Whether lanes may not be taken one by one.
    whole: bool,
}

/// Chooses; `emit` is where nothing is bound yet.
pub(super) fn choose(emit: &Emit<'_>, plan: &Plan) -> Spread {
    let kernel = emit.kernel;
    let mut vectored: Vec<(&Stage, AxisId)> = Vec::new();
    let (mut folds, mut scatters, mut own_tiles) = (false, false, false);
    for stage in &kernel.stages {
        let own = plan.own(stage);
        match stage.kind {
            StageKind::Reduce { .. } => {
                folds = true;
                own_tiles |= own.iter().any(|axis| !stage.reduced.contains(axis));
            }
            StageKind::Scatter { .. } => scatters = true,
            _ => {}
        }
        let axis = match plan.shared {
            Some(shared) => Some(shared).filter(|axis| stage.domain.contains(axis)),
            None => super::rows::vector_of(emit, stage, &own),
        };
        vectored.extend(axis.map(|axis| (stage, axis)));
    }
    if own_tiles || vectored.is_empty() {
        return Spread::plain();
    }
    let lanes = lanes(emit, &vectored);
    let everywhere = vectored.len() == kernel.stages.len();
    match plan.shared {
        Some(axis) if scatters && !folds => scattered(emit, plan, axis, lanes),
        Some(axis) if folds && !scatters && everywhere => folded(emit, plan, axis, lanes),
        Some(axis) if !folds && !scatters => maps(emit, plan, axis, lanes),
        None if !scatters => long_rows(emit, plan, &vectored, lanes),
        Some(_) | None => Spread::plain(),
    }
}

/// Most lanes that every contiguous access has the alignment for, up to 16 bytes of the widest
/// type that is streamed.
fn lanes(emit: &Emit<'_>, vectored: &[(&Stage, AxisId)]) -> u32 {
    let accesses: Vec<(AxisId, Access<'_>)> = vectored
        .iter()
        .flat_map(|(stage, axis)| {
            let all = accesses(emit, stage).into_iter();
            all.map(|access| (*axis, access))
        })
        .collect();
    let contiguous: Vec<&(AxisId, Access<'_>)> = accesses
        .iter()
        .filter(|(axis, it)| emit.stride_along(it.address, it.guards, *axis) == Some(1))
        .collect();
    // What every row has of its own counts; what all rows share comes from a cache.
    let most = contiguous
        .iter()
        .map(|(_, it)| it.address.terms.len())
        .max();
    let widest = contiguous
        .iter()
        .filter(|(_, it)| Some(it.address.terms.len()) == most)
        .map(|(_, it)| bytes(emit.kernel.buffers[it.buffer.0 as usize].dtype))
        .max();
    let mut lanes = match widest {
        Some(widest) => 16 / widest as u32,
        None => return 1,
    };
    let fits = |lanes: u32| {
        let aligned = contiguous
            .iter()
            .all(|(axis, it)| emit.is_aligned(it.buffer, it.address, *axis, lanes));
        let whole = accesses.iter().all(|(axis, it)| {
            !it.whole || emit.stride_along(it.address, it.guards, *axis) == Some(1)
        });
        let sizes = vectored.iter().all(|(_, axis)| match emit.fixed(*axis) {
            Some(size) => size % u64::from(lanes) == 0 || size >= u64::from(64 * lanes),
            None => true,
        });
        aligned && whole && sizes
    };
    while lanes > 1 && !fits(lanes) {
        lanes /= 2;
    }
    lanes
}

fn accesses<'k>(emit: &Emit<'k>, stage: &'k Stage) -> Vec<Access<'k>> {
    let mut found = Vec::new();
    let mut roots: Vec<ExprId> = Vec::new();
    match &stage.kind {
        StageKind::Map { stores } => {
            for store in stores {
                found.push(Access {
                    buffer: store.buffer,
                    address: &store.address,
                    guards: &[],
                    whole: false,
                });
                roots.push(store.value);
            }
        }
        StageKind::Reduce { value, .. } => roots.push(*value),
        StageKind::Scatter {
            buffer,
            address,
            value,
        } => {
            found.push(Access {
                buffer: *buffer,
                address,
                guards: &[],
                whole: true,
            });
            roots.push(*value);
        }
        StageKind::Contract { .. } | StageKind::SoftmaxContract { .. } => {}
    }
    for expr in super::rows::load_exprs(emit.kernel, &roots) {
        if let Expr::Load {
            buffer,
            address,
            guards,
        } = emit.kernel.expr_of(expr)
        {
            found.push(Access {
                buffer: *buffer,
                address,
                guards,
                whole: false,
            });
        }
    }
    found
}

/// Rows of their own: more warps where a warp would go along the row for long.
fn long_rows(
    emit: &Emit<'_>,
    plan: &Plan,
    vectored: &[(&Stage, AxisId)],
    mut lanes: u32,
) -> Spread {
    let length = vectored
        .iter()
        .map(|(_, axis)| typical(emit.kernel, *axis))
        .max()
        .unwrap_or(1);
    // At least half of a warp has points.
    while lanes > 1 && length < u64::from(TEAM / 2 * lanes) {
        lanes /= 2;
    }
    let rounds = length.div_ceil(u64::from(TEAM * lanes));
    let rows: u64 = plan
        .parallel
        .iter()
        .map(|axis| typical(emit.kernel, *axis))
        .product();
    let most = match rows {
        0..64 => 32,
        _ if rounds >= 64 => 16,
        _ => 8,
    };
    let mut warps = 1;
    while warps < most && rounds > ROUNDS * u64::from(warps) {
        warps *= 2;
    }
    Spread {
        lanes,
        warps,
        along: warps * TEAM,
        groups: Groups::None,
    }
}

/// Maps: where the vector axis is short, a warp takes several rows at once.
fn maps(emit: &Emit<'_>, plan: &Plan, axis: AxisId, lanes: u32) -> Spread {
    let plain = Spread {
        lanes,
        ..Spread::plain()
    };
    let row = plan.parallel.iter().rev().find(|other| **other != axis);
    let (Some(size), Some(row)) = (emit.fixed(axis), row) else {
        return plain;
    };
    let threads = size.div_ceil(u64::from(lanes));
    if threads == 0 || 2 * threads > u64::from(TEAM) || size % u64::from(lanes) != 0 {
        return plain;
    }
    Spread {
        along: threads as u32,
        groups: Groups::Rows(*row),
        ..plain
    }
}

/// Narrows what a team has of the vector axis until there are blocks for a whole card, but not below
/// a sector; returns threads along the axis and lanes.
fn narrowed(emit: &Emit<'_>, plan: &Plan, axis: AxisId, lanes: u32, blocks: u64) -> (u32, u32) {
    let others: u64 = plan
        .parallel
        .iter()
        .filter(|other| **other != axis)
        .map(|other| typical(emit.kernel, *other))
        .product();
    let narrowest = emit.kernel.buffers.iter().map(|it| bytes(it.dtype)).min();
    let narrowest = narrowest.unwrap_or(4) as u64;
    let (mut along, mut lanes) = (TEAM, lanes);
    loop {
        let points = u64::from(along * lanes);
        let enough = others * typical(emit.kernel, axis).div_ceil(points) >= blocks;
        if enough || points * narrowest <= SECTOR {
            return (along, lanes);
        }
        match along {
            16.. => along /= 2,
            _ if lanes > 1 => lanes /= 2,
            _ => return (along, lanes),
        }
    }
}

/// Columns: groups of threads fold parts of the column.
fn folded(emit: &Emit<'_>, plan: &Plan, axis: AxisId, lanes: u32) -> Spread {
    let kernel = emit.kernel;
    let plain = Spread {
        lanes,
        ..Spread::plain()
    };
    let mut folds = kernel.stages.iter().filter(|it| !it.reduced.is_empty());
    let Some(first) = folds.next() else {
        return plain;
    };
    // Only the first axis of a flat index may have a size that is not known.
    let known = |axis: &AxisId| matches!(kernel.axis_of(*axis).size, AxisSize::Fixed(_));
    let mut axes = first.reduced.clone();
    axes.sort_by_key(known);
    let length: u64 = axes.iter().map(|axis| typical(kernel, *axis)).product();
    let same = folds.all(|it| {
        it.reduced.len() == axes.len() && it.reduced.iter().all(|axis| axes.contains(axis))
    });
    let unknown = axes.iter().filter(|axis| !known(axis)).count();
    // A thread past the end of the vector axis repeats its last points.
    let repeats = match emit.fixed(axis) {
        Some(size) => size % u64::from(lanes) == 0,
        None => lanes == 1,
    };
    if !same || unknown > 1 || length < LONG || !repeats {
        return plain;
    }
    let (along, lanes) = narrowed(emit, plan, axis, lanes, BLOCKS);
    let most = THREADS / u64::from(along);
    let mut groups = u64::from(TEAM / along);
    while groups < most && 8 * groups <= length {
        groups *= 2;
    }
    Spread {
        lanes,
        warps: (groups * u64::from(along) / u64::from(TEAM)) as u32,
        along,
        groups: Groups::Folded(axes),
    }
}

/// Scatters: rows are dealt to groups of threads by their number.
fn scattered(emit: &Emit<'_>, plan: &Plan, axis: AxisId, lanes: u32) -> Spread {
    let kernel = emit.kernel;
    let plain = Spread {
        lanes,
        ..Spread::plain()
    };
    let dealt = kernel.stages.iter().all(|stage| match &stage.kind {
        StageKind::Scatter { address, .. } => {
            let rows = address.terms.iter().filter(|(coordinate, _)| {
                matches!(coordinate, Coordinate::Row(row) if !emit.depends_on(*row, axis))
            });
            stage.reduced.len() == 1 && rows.count() == 1
        }
        _ => false,
    });
    if !dealt {
        return plain;
    }
    let (along, lanes) = narrowed(emit, plan, axis, lanes, BLOCKS / 2);
    let length = kernel
        .stages
        .iter()
        .flat_map(|stage| &stage.reduced)
        .map(|axis| typical(kernel, *axis))
        .max()
        .unwrap_or(1);
    let mut groups = u64::from(TEAM / along);
    while groups < THREADS / u64::from(along) && 2 * groups <= length {
        groups *= 2;
    }
    Spread {
        lanes,
        warps: (groups * u64::from(along) / u64::from(TEAM)) as u32,
        along,
        groups: Groups::Scattered,
    }
}
