//! Attention: contractions whose tile feeds another contraction.
//!
//! The kernels of attention (forward, dQ, dK with dV) have one shape. One sequence axis is
//! parallel; its elements lie in vector lanes, [`ROWS`] vectors to a tile. The other sequence axis
//! is walked in blocks. Per block, *inner* contractions fill tiles `[block][lane]`; then *outer*
//! contractions (or the softmax monoid) fold them into accumulators `[feature][lane]`. All
//! products are of a lane vector from scratch with a scalar from memory, so neither side is
//! packed per block and no reduction crosses lanes.
//!
//! FLOPs per tile are 2·lanes·keys·features per contraction; scratch traffic per block is the
//! accumulators, twice. A block without a visible pair is skipped.
//!
//! On a GPU the lanes are the threads of a team: each reads and writes its own column of scratch,
//! so threads wait for each other only where the range of visible keys is found.

use std::collections::BTreeMap;

use mm1_package::DType;

mod block;
mod results;

use super::{Lowered, Machine};
use crate::kernel::{
    Address, AxisId, AxisSize, Coordinate, Expr, ExprId, Kernel, StageId, StageKind, Window,
};
use crate::loops::builder::Builder;
use crate::loops::{Compare, IndexOp, Operation, TEAM, ValueId};

/// Elements of the walked sequence axis in one block.
const BLOCK: i64 = 64;
/// Scalars that one pass of the inner loop multiplies with the same lane vectors.
const UNROLL: i64 = 8;

/// Whether a kernel has this shape.
pub(super) fn is_attention(kernel: &Kernel) -> bool {
    let reads_tile = |id: ExprId| !tiles_of(kernel, id).is_empty();
    kernel.stages.iter().any(|stage| match stage.kind {
        StageKind::SoftmaxContract { .. } => true,
        StageKind::Contract { lhs, .. } => reads_tile(lhs),
        _ => false,
    })
}

/// Earlier stages that an expression reads.
fn tiles_of(kernel: &Kernel, id: ExprId) -> Vec<StageId> {
    match kernel.expr_of(id) {
        Expr::Tile { stage, .. } => vec![*stage],
        Expr::Unary(_, x) | Expr::Round(x) => tiles_of(kernel, *x),
        Expr::Binary(_, a, b) => [tiles_of(kernel, *a), tiles_of(kernel, *b)].concat(),
        Expr::SelectEqual {
            a,
            b,
            then,
            otherwise,
        } => [a, b, then, otherwise]
            .into_iter()
            .flat_map(|part| tiles_of(kernel, *part))
            .collect(),
        Expr::Const(_) | Expr::Index(_) | Expr::Load { .. } => Vec::new(),
    }
}

/// A contraction over features whose tile is `[block][lane]`.
struct Inner {
    stage: StageId,
    /// Load that depends on the lanes.
    lanes: ExprId,
    /// Load that depends on the block axis.
    scalars: ExprId,
    feature: AxisId,
    /// Scratch: `[feature][lane]`, `[block][lane]`.
    packed: i64,
    tile: i64,
}

/// A fold over the block axis.
struct Outer {
    stage: StageId,
    /// Weight of a pair: an expression over inner tiles.
    weight: ExprId,
    value: ExprId,
    feature: AxisId,
    softmax: bool,
    round: bool,
    /// Scratch: `[block][lane]`, `[feature][lane]`, and for softmax `[lane]` each.
    weights: i64,
    sums: i64,
    largest: i64,
    total: i64,
}

struct Lower<'k> {
    kernel: &'k Kernel,
    b: Builder,
    /// Lanes of a register.
    lanes: u32,
    /// Registers of a tile.
    registers: i64,
    /// Lanes of a tile.
    width: i64,
    vector: AxisId,
    block: AxisId,
    scratch: ValueId,
    /// The thread's number and its column of scratch, where a team stands for lanes.
    member: Option<(ValueId, ValueId)>,
    /// Current values of axes; for the vector axis its first element.
    axes: BTreeMap<AxisId, ValueId>,
    /// Loads that depend on the lanes, kept as `[lane]` in scratch.
    kept: BTreeMap<ExprId, i64>,
    args: Vec<ValueId>,
}

/// Scalars in memory: address of (x, y) is base + x·stride.0 + y·stride.1 bytes.
struct Scalars {
    base: ValueId,
    strides: (i64, i64),
    dtype: DType,
}

/// Lowers a kernel of attention's shape.
pub(super) fn lower(kernel: &Kernel, machine: &Machine) -> Result<Lowered, String> {
    let registers = if machine.lanes >= 8 { 2 } else { 1 };
    let width = i64::from(machine.width()) * registers;
    let (vector, block) = sequence_axes(kernel)?;
    let mut b = Builder::default();
    let scratch = b.op(Operation::Scratch);
    let member = machine.team.then(|| {
        let member = b.op(Operation::Member);
        (member, b.element(scratch, member, 4))
    });
    let args = (0..kernel.buffers.len() as u32)
        .map(|index| b.op(Operation::Argument(index)))
        .collect();
    let mut lower = Lower {
        kernel,
        b,
        lanes: machine.lanes,
        registers,
        width,
        vector,
        block,
        scratch,
        member,
        axes: BTreeMap::new(),
        kept: BTreeMap::new(),
        args,
    };
    let (inner, outer) = lower.classify()?;
    let tiles = lower.grid(&inner, &outer)?;
    let function = lower.b.finish(&kernel.name);
    Ok(Lowered {
        function,
        tiles,
        schedule: format!("attention lanes={width} block={BLOCK}"),
    })
}

/// The parallel sequence axis (lanes) and the one that is walked.
fn sequence_axes(kernel: &Kernel) -> Result<(AxisId, AxisId), String> {
    for stage in &kernel.stages {
        let weight = match stage.kind {
            StageKind::SoftmaxContract { score, .. } => score,
            StageKind::Contract { lhs, .. } if !tiles_of(kernel, lhs).is_empty() => lhs,
            _ => continue,
        };
        let block = *stage.reduced.last().ok_or("a fold needs a reduced axis")?;
        let first = tiles_of(kernel, weight)
            .first()
            .copied()
            .ok_or("a fold reads no tile")?;
        // One factor of the tile varies with the block axis, the other with the lanes.
        let StageKind::Contract { lhs, rhs, .. } = kernel.stages[first.0 as usize].kind else {
            return Err("a fold reads a contraction".to_owned());
        };
        let (of_lhs, of_rhs) = (kernel.axes_of_expr(lhs), kernel.axes_of_expr(rhs));
        // An axis of one element appears in no address: where the block axis is one, its side is
        // not known, and what both sides vary with are the axes of the batch.
        let scalars = match (of_lhs.contains(&block), of_rhs.contains(&block)) {
            (true, _) => of_lhs,
            (false, true) => of_rhs,
            (false, false) => of_lhs
                .into_iter()
                .filter(|axis| of_rhs.contains(axis))
                .collect(),
        };
        // For the same reason the lanes' side is not asked.
        let own = |axis: &AxisId| kernel.axis_of(*axis).parallel && !scalars.contains(axis);
        let vector = stage.domain.iter().copied().rfind(own);
        return Ok((vector.ok_or("no parallel axis for the lanes")?, block));
    }
    Err("no stage folds a tile".to_owned())
}

fn window_of(kernel: &Kernel) -> Option<&Window> {
    kernel.stages.iter().find_map(|stage| match &stage.kind {
        StageKind::Contract { window, .. } | StageKind::SoftmaxContract { window, .. } => {
            window.as_ref()
        }
        _ => None,
    })
}

impl Lower<'_> {
    fn classify(&mut self) -> Result<(Vec<Inner>, Vec<Outer>), String> {
        let (mut inner, mut outer) = (Vec::new(), Vec::new());
        for (index, stage) in self.kernel.stages.iter().enumerate() {
            let id = StageId(index as u32);
            let bytes = |lower: &mut Self, elements: i64| {
                lower.b.reserve_scratch((elements * 4) as u64) as i64
            };
            match &stage.kind {
                StageKind::Contract { lhs, rhs, .. } if tiles_of(self.kernel, *lhs).is_empty() => {
                    let [feature] = stage.reduced[..] else {
                        return Err("scores fold one feature axis".to_owned());
                    };
                    let (of_lhs, of_rhs) = (
                        self.kernel.axes_of_expr(*lhs),
                        self.kernel.axes_of_expr(*rhs),
                    );
                    // An axis of one element appears in no address.
                    let lhs_in_lanes =
                        of_lhs.contains(&self.vector) || of_rhs.contains(&self.block);
                    let (lanes, scalars) = if lhs_in_lanes {
                        (*lhs, *rhs)
                    } else {
                        (*rhs, *lhs)
                    };
                    let features = self.fixed(feature)?;
                    let packed = bytes(self, features * self.width);
                    let tile = bytes(self, BLOCK * self.width);
                    inner.push(Inner {
                        stage: id,
                        lanes,
                        scalars,
                        feature,
                        packed,
                        tile,
                    });
                }
                StageKind::Contract {
                    lhs: weight,
                    rhs: value,
                    operands,
                    ..
                }
                | StageKind::SoftmaxContract {
                    score: weight,
                    value,
                    operands,
                    ..
                } => {
                    let softmax = matches!(stage.kind, StageKind::SoftmaxContract { .. });
                    let feature = *stage.domain.last().ok_or("a fold has a feature axis")?;
                    let features = self.fixed(feature)?;
                    let weights = bytes(self, BLOCK * self.width);
                    let sums = bytes(self, features * self.width);
                    let (largest, total) = (bytes(self, self.width), bytes(self, self.width));
                    outer.push(Outer {
                        stage: id,
                        weight: *weight,
                        value: *value,
                        feature,
                        softmax,
                        round: softmax && *operands == DType::Bf16,
                        weights,
                        sums,
                        largest,
                        total,
                    });
                }
                StageKind::Map { .. } => {}
                StageKind::Reduce { .. } | StageKind::Scatter { .. } => {
                    return Err("attention has no such stage".to_owned());
                }
            }
        }
        Ok((inner, outer))
    }

    fn fixed(&self, axis: AxisId) -> Result<i64, String> {
        match self.kernel.axis_of(axis).size {
            AxisSize::Fixed(n) => Ok(n as i64),
            AxisSize::Runtime(_) => Err("features are known when compiled".to_owned()),
        }
    }

    fn size(&mut self, axis: AxisId) -> ValueId {
        match self.kernel.axis_of(axis).size {
            AxisSize::Fixed(n) => self.b.index(n as i64),
            AxisSize::Runtime(slot) => self.b.op(Operation::Extent(slot)),
        }
    }

    /// Walks tiles; every parallel axis but the lanes' is one point of a tile.
    fn grid(&mut self, inner: &[Inner], outer: &[Outer]) -> Result<Vec<(AxisId, u64)>, String> {
        let parallel: Vec<AxisId> = (0..self.kernel.axes.len() as u32)
            .map(AxisId)
            .filter(|axis| self.kernel.axis_of(*axis).parallel)
            .collect();
        let tiles: Vec<(AxisId, u64)> = parallel
            .iter()
            .map(|axis| {
                (
                    *axis,
                    if *axis == self.vector {
                        self.width as u64
                    } else {
                        1
                    },
                )
            })
            .collect();
        let begin = self.b.op(Operation::TileBegin);
        let end = self.b.op(Operation::TileEnd);
        let counts: Vec<ValueId> = tiles
            .iter()
            .map(|(axis, tile)| {
                let size = self.size(*axis);
                self.b.div_ceil(size, *tile as i64)
            })
            .collect();
        let mut outcome = Ok(());
        // The closure needs `self`, whose builder drives the loop: the loop is opened by hand.
        let open = self.b.begin_loop(begin, end, 1, &[]);
        let mut rest = open.variable;
        for ((axis, tile), count) in tiles.iter().zip(&counts).rev() {
            let number = self.b.index_op(IndexOp::Rem, rest, *count);
            rest = self.b.index_op(IndexOp::Div, rest, *count);
            let first = self.b.scaled(number, *tile as i64);
            self.axes.insert(*axis, first);
        }
        if let Err(error) = self.tile(inner, outer) {
            outcome = Err(error);
        }
        self.b.end_loop(open, &[]);
        outcome.map(|()| tiles)
    }

    /// Loads that depend on the lanes but on no walked axis, outside of the packed operands.
    fn lane_loads(&self, id: ExprId, found: &mut Vec<ExprId>) {
        match self.kernel.expr_of(id) {
            Expr::Load { .. } => {
                let axes = self.kernel.axes_of_expr(id);
                if axes.contains(&self.vector) && !found.contains(&id) {
                    found.push(id);
                }
            }
            Expr::Unary(_, x) | Expr::Round(x) => self.lane_loads(*x, found),
            Expr::Binary(_, a, b) => {
                self.lane_loads(*a, found);
                self.lane_loads(*b, found);
            }
            Expr::SelectEqual { .. } | Expr::Const(_) | Expr::Index(_) | Expr::Tile { .. } => {}
        }
    }

    fn tile(&mut self, inner: &[Inner], outer: &[Outer]) -> Result<(), String> {
        if self.member.is_some() {
            // The last tile's readers are done.
            self.b.team_sync();
        }
        let size = self.size(self.vector);
        let first = self.axes[&self.vector];
        let last = {
            let one = self.b.index(-1);
            self.b.add(size, one)
        };
        self.keep_lanes(outer, first, last)?;
        for part in inner {
            self.pack_lanes(part, first, last)?;
        }
        for fold in outer {
            let features = self.fixed(fold.feature)?;
            self.fill(fold.sums, features * self.width, 0.0);
            if fold.softmax {
                self.fill(fold.largest, self.width, f32::NEG_INFINITY);
                self.fill(fold.total, self.width, 0.0);
            }
        }
        // Reduced axes besides the block axis (query heads that share a key head) are walked outermost.
        let extra: Vec<AxisId> = outer
            .first()
            .map(|fold| self.kernel.stages[fold.stage.0 as usize].reduced.clone())
            .unwrap_or_default()
            .into_iter()
            .filter(|axis| *axis != self.block)
            .collect();
        self.walk(&extra, inner, outer)?;
        self.store(outer, first, size)
    }

    fn walk(&mut self, extra: &[AxisId], inner: &[Inner], outer: &[Outer]) -> Result<(), String> {
        let Some((axis, rest)) = extra.split_first() else {
            return self.blocks(inner, outer);
        };
        let low = self.b.index(0);
        let high = self.size(*axis);
        let open = self.b.begin_loop(low, high, 1, &[]);
        self.axes.insert(*axis, open.variable);
        let outcome = self.walk(rest, inner, outer);
        self.b.end_loop(open, &[]);
        outcome
    }

    /// Keeps every per-lane load of weights, windows and results in scratch, lanes past the end
    /// reading the last element.
    fn keep_lanes(&mut self, outer: &[Outer], first: ValueId, last: ValueId) -> Result<(), String> {
        let mut loads = Vec::new();
        for fold in outer {
            self.lane_loads(fold.weight, &mut loads);
        }
        if let Some(window) = window_of(self.kernel)
            && window.query == self.vector
        {
            loads.extend(window.begin);
            loads.extend(window.end);
        }
        for load in loads {
            let offset = self.b.reserve_scratch((self.width * 4) as u64) as i64;
            self.kept.insert(load, offset);
            let (low, step) = self.own_lanes();
            let high = self.b.index(self.width);
            let open = self.b.begin_loop(low, high, step, &[]);
            let at = self.b.add(first, open.variable);
            let at = self.b.index_op(IndexOp::Min, at, last);
            let outside = self.axes.insert(self.vector, at);
            let (ptr, dtype) = self.pointer(load)?;
            let value = self.b.load(ptr, 0, dtype, 1);
            let target = self.scratch_element(offset, open.variable);
            self.b.store(
                target,
                0,
                value,
                if dtype == DType::I32 {
                    DType::I32
                } else {
                    DType::F32
                },
            );
            if let Some(outside) = outside {
                self.axes.insert(self.vector, outside);
            }
            self.b.end_loop(open, &[]);
        }
        if self.member.is_some() {
            self.b.team_sync();
        }
        Ok(())
    }

    /// The first lane that is this thread's, and the distance to its next.
    fn own_lanes(&mut self) -> (ValueId, i64) {
        match self.member {
            Some((member, _)) => (member, i64::from(TEAM)),
            None => (self.b.index(0), 1),
        }
    }

    /// `[feature][lane]` of an inner contraction's lane side.
    fn pack_lanes(&mut self, part: &Inner, first: ValueId, last: ValueId) -> Result<(), String> {
        let features = self.fixed(part.feature)?;
        let (low, step) = self.own_lanes();
        let high = self.b.index(self.width);
        let open = self.b.begin_loop(low, high, step, &[]);
        let at = self.b.add(first, open.variable);
        let at = self.b.index_op(IndexOp::Min, at, last);
        let outside = self.axes.insert(self.vector, at);
        let zero = self.b.index(0);
        self.axes.insert(part.feature, zero);
        let (ptr, dtype) = self.pointer(part.lanes)?;
        let stride = self.stride(part.lanes, part.feature) * dtype.size() as i64;
        let target = self.scratch_element(part.packed, open.variable);
        let limit = self.b.index(features);
        let width = self.width;
        self.b.for_each(zero, limit, 1, |b, feature| {
            let from = b.element(ptr, feature, stride);
            let value = b.load(from, 0, dtype, 1);
            let to = b.element(target, feature, width * 4);
            b.store(to, 0, value, DType::F32);
        });
        if let Some(outside) = outside {
            self.axes.insert(self.vector, outside);
        }
        self.b.end_loop(open, &[]);
        Ok(())
    }

    /// Range of the block axis that any lane may see.
    fn range(&mut self) -> Result<(ValueId, ValueId), String> {
        let zero = self.b.index(0);
        let size = self.size(self.block);
        let Some(window) = window_of(self.kernel).cloned() else {
            return Ok((zero, size));
        };
        let first = self.axes[&self.vector];
        let (mut low, mut high) = (zero, size);
        if window.query == self.vector {
            let width = self.b.index(self.width);
            if window.causal {
                let beyond = self.b.add(first, width);
                high = self.b.index_op(IndexOp::Min, high, beyond);
            }
            for (range, op) in [(window.begin, IndexOp::Min), (window.end, IndexOp::Max)] {
                let Some(load) = range else { continue };
                let offset = self.kept[&load];
                let start = if op == IndexOp::Min { size } else { zero };
                let open = self.b.begin_loop(zero, width, 1, &[start]);
                let at = self.scratch_element(offset, open.variable);
                let value = self.b.op(Operation::LoadIndex { ptr: at, offset: 0 });
                let best = self.b.index_op(op, open.inside[0], value);
                let found = self.b.end_loop(open, &[best]);
                if op == IndexOp::Min {
                    low = self.b.index_op(IndexOp::Max, low, found[0]);
                } else {
                    high = self.b.index_op(IndexOp::Min, high, found[0]);
                }
            }
        } else if window.causal {
            // Lanes are keys: queries before the first of them see none.
            low = first;
        }
        Ok((low, high))
    }

    fn blocks(&mut self, inner: &[Inner], outer: &[Outer]) -> Result<(), String> {
        let (low, high) = self.range()?;
        let open = self.b.begin_loop(low, high, BLOCK, &[]);
        let start = open.variable;
        let step = self.b.index(BLOCK);
        let stop = self.b.add(start, step);
        let stop = self.b.index_op(IndexOp::Min, stop, high);
        let minus = self.b.scaled(start, -1);
        let count = self.b.add(stop, minus);
        self.axes.insert(self.block, start);
        let mut outcome = Ok(());
        match self.seen(start, stop)? {
            None => outcome = self.one_block(inner, outer, count),
            Some(condition) => {
                self.b.begin_if();
                outcome = outcome.and_then(|()| self.one_block(inner, outer, count));
                self.b.end_if(condition);
            }
        }
        self.b.end_loop(open, &[]);
        outcome
    }

    /// For lanes that are keys under a window with ranges: whether any query of the block sees any lane.
    fn seen(&mut self, start: ValueId, stop: ValueId) -> Result<Option<ValueId>, String> {
        let Some(window) = window_of(self.kernel).cloned() else {
            return Ok(None);
        };
        if window.query == self.vector || (window.begin.is_none() && window.end.is_none()) {
            return Ok(None);
        }
        let zero = self.b.index(0);
        let first = self.axes[&self.vector];
        let width = self.b.index(self.width);
        let beyond = self.b.add(first, width);
        let open = self.b.begin_loop(start, stop, 1, &[zero]);
        self.axes.insert(window.query, open.variable);
        let (begin, end) = self.visible(&window, open.variable)?;
        let one = self.b.index(1);
        let before = self.b.compare(Compare::Lt, begin, beyond);
        let after = self.b.compare(Compare::Lt, first, end);
        let both = self.b.op(Operation::MaskAnd(before, after));
        let hit = self.b.select(both, one, zero);
        let any = self.b.index_op(IndexOp::Max, open.inside[0], hit);
        let any = self.b.end_loop(open, &[any]);
        self.axes.insert(self.block, start);
        Ok(Some(self.b.compare(Compare::Lt, zero, any[0])))
    }

    /// For a scalar query: first visible key and one past the last.
    fn visible(&mut self, window: &Window, query: ValueId) -> Result<(ValueId, ValueId), String> {
        let mut begin = self.b.index(0);
        let mut end = self.size(window.key);
        if let Some(load) = window.begin {
            let (ptr, _) = self.pointer(load)?;
            begin = self.b.op(Operation::LoadIndex { ptr, offset: 0 });
        }
        if let Some(load) = window.end {
            let (ptr, _) = self.pointer(load)?;
            let limit = self.b.op(Operation::LoadIndex { ptr, offset: 0 });
            end = self.b.index_op(IndexOp::Min, end, limit);
        }
        if window.causal {
            let one = self.b.index(1);
            let next = self.b.add(query, one);
            end = self.b.index_op(IndexOp::Min, end, next);
        }
        Ok((begin, end))
    }

    fn scratch_at(&mut self, offset: i64) -> ValueId {
        let offset = self.b.index(offset);
        self.b.op(Operation::Offset(self.scratch, offset))
    }

    /// Address of the lanes kept at an offset of scratch: of the first, or of this thread's.
    fn lanes_at(&mut self, offset: i64) -> ValueId {
        let offset = self.b.index(offset);
        let base = self.member.map_or(self.scratch, |(_, column)| column);
        self.b.op(Operation::Offset(base, offset))
    }

    fn scratch_element(&mut self, offset: i64, index: ValueId) -> ValueId {
        let base = self.scratch_at(offset);
        self.b.element(base, index, 4)
    }

    fn fill(&mut self, offset: i64, elements: i64, value: f32) {
        let base = self.lanes_at(offset);
        let lanes = self.lanes;
        let value = self.b.float(value, lanes);
        let (low, high) = (self.b.index(0), self.b.index(elements));
        let step = self.width / self.registers;
        self.b.for_each(low, high, step, |b, at| {
            let ptr = b.element(base, at, 4);
            b.store(ptr, 0, value, DType::F32);
        });
    }

    fn stride(&self, load: ExprId, axis: AxisId) -> i64 {
        match self.kernel.expr_of(load) {
            Expr::Load { address, .. } => address.stride(axis),
            _ => 0,
        }
    }

    /// Element number of an address at the current axis values.
    fn element(&mut self, address: &Address) -> Result<ValueId, String> {
        let mut element = self.b.index(address.offset);
        for (coordinate, stride) in &address.terms {
            let Coordinate::Axis(axis) = coordinate else {
                return Err("attention reads no chosen rows".to_owned());
            };
            let at = *self.axes.get(axis).ok_or("an axis has no value here")?;
            let term = self.b.scaled(at, *stride);
            element = self.b.add(element, term);
        }
        Ok(element)
    }

    /// Address of a load at the current axis values.
    fn pointer(&mut self, load: ExprId) -> Result<(ValueId, DType), String> {
        let Expr::Load {
            buffer,
            address,
            guards,
        } = self.kernel.expr_of(load).clone()
        else {
            return Err("operands of attention are loads".to_owned());
        };
        if !guards.is_empty() {
            return Err("operands of attention have no guards".to_owned());
        }
        let dtype = self.kernel.buffers[buffer.0 as usize].dtype;
        let element = self.element(&address)?;
        Ok((
            self.b
                .element(self.args[buffer.0 as usize], element, dtype.size() as i64),
            dtype,
        ))
    }
}
