//! Attention on the CPU: contractions whose tile feeds another contraction.
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

use std::collections::BTreeMap;

use mm1_package::DType;

use super::{Lowered, Machine, math};
use crate::kernel::{
    Address, AxisId, AxisSize, Coordinate, Expr, ExprId, Kernel, StageId, StageKind, Window,
};
use crate::loops::builder::Builder;
use crate::loops::{Compare, FloatBinary, IndexOp, Operation, ValueId};

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
    lanes: u32,
    /// Lanes of a tile.
    width: i64,
    vector: AxisId,
    block: AxisId,
    scratch: ValueId,
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
    let vectors = if machine.lanes >= 8 { 2 } else { 1 };
    let width = i64::from(machine.lanes) * vectors;
    let (vector, block) = sequence_axes(kernel)?;
    let mut b = Builder::default();
    let scratch = b.op(Operation::Scratch);
    let args = (0..kernel.buffers.len() as u32)
        .map(|index| b.op(Operation::Argument(index)))
        .collect();
    let mut lower = Lower {
        kernel,
        b,
        lanes: machine.lanes,
        width,
        vector,
        block,
        scratch,
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
        let scalars = if of_lhs.contains(&block) {
            of_lhs
        } else {
            of_rhs
        };
        // An axis of one element appears in no address, so the lanes' side is not asked.
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
                let round = self.b.index(*tile as i64 - 1);
                let padded = self.b.add(size, round);
                let tile = self.b.index(*tile as i64);
                self.b.index_op(IndexOp::Div, padded, tile)
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
            let (low, high) = (self.b.index(0), self.b.index(self.width));
            let open = self.b.begin_loop(low, high, 1, &[]);
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
        Ok(())
    }

    /// `[feature][lane]` of an inner contraction's lane side.
    fn pack_lanes(&mut self, part: &Inner, first: ValueId, last: ValueId) -> Result<(), String> {
        let features = self.fixed(part.feature)?;
        let (low, high) = (self.b.index(0), self.b.index(self.width));
        let open = self.b.begin_loop(low, high, 1, &[]);
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

    fn one_block(
        &mut self,
        inner: &[Inner],
        outer: &[Outer],
        count: ValueId,
    ) -> Result<(), String> {
        for part in inner {
            let zero = self.b.index(0);
            self.axes.insert(part.feature, zero);
            let strides = (self.block, part.feature);
            let features = self.fixed(part.feature)?;
            let scalars = self.scalars(part.scalars, strides, count, features)?;
            let limit = self.b.index(features);
            self.multiply(part.tile, count, &scalars, limit, part.packed, false);
        }
        self.weigh(inner, outer, count)?;
        for fold in outer {
            if fold.softmax {
                self.rescale(fold, count)?;
            }
            let zero = self.b.index(0);
            self.axes.insert(fold.feature, zero);
            let features = self.fixed(fold.feature)?;
            let by_row = self.scalars(fold.value, (self.block, fold.feature), count, features)?;
            let scalars = Scalars {
                strides: (by_row.strides.1, by_row.strides.0),
                ..by_row
            };
            let limit = self.b.index(features);
            self.multiply(fold.sums, limit, &scalars, count, fold.weights, true);
        }
        Ok(())
    }

    /// Scalars of a load over (row, column); bf16 ones are widened into scratch once per block.
    fn scalars(
        &mut self,
        load: ExprId,
        axes: (AxisId, AxisId),
        rows: ValueId,
        columns: i64,
    ) -> Result<Scalars, String> {
        let (base, dtype) = self.pointer(load)?;
        let strides = (self.stride(load, axes.0), self.stride(load, axes.1));
        if dtype != DType::Bf16 || strides.1 != 1 {
            let bytes = dtype.size() as i64;
            return Ok(Scalars {
                base,
                strides: (strides.0 * bytes, strides.1 * bytes),
                dtype,
            });
        }
        let offset = self.b.reserve_scratch((BLOCK * columns * 4) as u64) as i64;
        let start = self.b.index(offset);
        let target = self.b.op(Operation::Offset(self.scratch, start));
        let lanes = self.lanes;
        let whole = columns - columns % i64::from(lanes);
        let zero = self.b.index(0);
        self.b.for_each(zero, rows, 1, |b, row| {
            let from = b.element(base, row, strides.0 * 2);
            let to = b.element(target, row, columns * 4);
            for (low, high, lanes) in [(0, whole, lanes), (whole, columns, 1)] {
                let (low, high) = (b.index(low), b.index(high));
                b.for_each(low, high, i64::from(lanes), |b, column| {
                    let from = b.element(from, column, 2);
                    let value = b.load(from, 0, DType::Bf16, lanes);
                    let to = b.element(to, column, 4);
                    b.store(to, 0, value, DType::F32);
                });
            }
        });
        Ok(Scalars {
            base: target,
            strides: (columns * 4, 4),
            dtype: DType::F32,
        })
    }

    /// out\[x\]\[lane\] (+)= Σ over y of scalars(x, y)·vectors\[y\]\[lane\], y in order.
    fn multiply(
        &mut self,
        out: i64,
        x_count: ValueId,
        scalars: &Scalars,
        y_count: ValueId,
        vectors: i64,
        add: bool,
    ) {
        let width = self.width;
        let lanes = self.lanes;
        let registers = width / i64::from(lanes);
        let out = self.scratch_at(out);
        let vectors = self.scratch_at(vectors);
        let zero = self.b.index(0);
        let unroll = self.b.index(UNROLL);
        let rest = self.b.index_op(IndexOp::Rem, x_count, unroll);
        let minus = self.b.scaled(rest, -1);
        let whole = self.b.add(x_count, minus);
        for (low, high, rows) in [(zero, whole, UNROLL), (whole, x_count, 1)] {
            self.b.for_each(low, high, rows, |b, x| {
                let target = b.element(out, x, width * 4);
                let from = b.element(scalars.base, x, scalars.strides.0);
                let cells: Vec<i64> = (0..rows)
                    .flat_map(|row| {
                        (0..registers)
                            .map(move |register| (row * width + register * i64::from(lanes)) * 4)
                    })
                    .collect();
                let start: Vec<ValueId> = cells
                    .iter()
                    .map(|cell| {
                        if add {
                            b.load(target, *cell, DType::F32, lanes)
                        } else {
                            b.float(0.0, lanes)
                        }
                    })
                    .collect();
                let sums = b.for_carried(zero, y_count, 1, &start, |b, y, sums| {
                    let row = b.element(vectors, y, width * 4);
                    let lane: Vec<ValueId> = (0..registers)
                        .map(|register| {
                            b.load(row, register * i64::from(lanes) * 4, DType::F32, lanes)
                        })
                        .collect();
                    let column = b.element(from, y, scalars.strides.1);
                    let mut next = Vec::with_capacity(sums.len());
                    for row in 0..rows {
                        let scalar = b.load(column, row * scalars.strides.0, scalars.dtype, 1);
                        let scalar = b.op(Operation::Splat(scalar, lanes));
                        for (register, vector) in lane.iter().enumerate() {
                            let old = sums[(row * registers) as usize + register];
                            next.push(b.fma(scalar, *vector, old));
                        }
                    }
                    next
                });
                for (cell, sum) in cells.iter().zip(sums) {
                    b.store(target, *cell, sum, DType::F32);
                }
            });
        }
    }

    /// Evaluates the weights of all folds at every pair of the block; invisible pairs get 0, or −∞ as scores.
    fn weigh(&mut self, inner: &[Inner], outer: &[Outer], count: ValueId) -> Result<(), String> {
        let window = window_of(self.kernel).cloned();
        let start = self.axes[&self.block];
        let zero = self.b.index(0);
        let open = self.b.begin_loop(zero, count, 1, &[]);
        let row = open.variable;
        let at = self.b.add(start, row);
        self.axes.insert(self.block, at);
        for register in 0..self.width / i64::from(self.lanes) {
            let lane = register * i64::from(self.lanes) * 4;
            let mut tiles = BTreeMap::new();
            for part in inner {
                let tile = self.scratch_at(part.tile);
                let ptr = self.b.element(tile, row, self.width * 4);
                tiles.insert(part.stage, self.b.load(ptr, lane, DType::F32, self.lanes));
            }
            let mask = match &window {
                Some(window) => Some(self.mask(window, at, register)?),
                None => None,
            };
            for fold in outer {
                let value = self.evaluate(fold.weight, &tiles, lane)?;
                let hidden = self.b.float(
                    if fold.softmax { f32::NEG_INFINITY } else { 0.0 },
                    self.lanes,
                );
                let value = match mask {
                    Some(mask) => self.b.select(mask, value, hidden),
                    None => value,
                };
                let weights = self.scratch_at(fold.weights);
                let ptr = self.b.element(weights, row, self.width * 4);
                self.b.store(ptr, lane, value, DType::F32);
            }
        }
        self.b.end_loop(open, &[]);
        self.axes.insert(self.block, start);
        Ok(())
    }

    /// Which lanes of a register make a visible pair with the element `at` of the block axis.
    fn mask(&mut self, window: &Window, at: ValueId, register: i64) -> Result<ValueId, String> {
        let lanes = self.lanes;
        let first = self.axes[&self.vector];
        let shift = self.b.index(register * i64::from(lanes));
        let first = self.b.add(first, shift);
        let own = self.b.op(Operation::Ramp(first, lanes));
        if window.query == self.vector {
            let key = self.splat_index(at);
            let size = self.size(window.key);
            let mut begin = self.b.op(Operation::Int(0, lanes));
            let mut end = self.splat_index(size);
            if let Some(load) = window.begin {
                begin = self.kept_register(load, register);
            }
            if let Some(load) = window.end {
                end = self.kept_register(load, register);
            }
            let after = self.b.compare(Compare::Le, begin, key);
            let before = self.b.compare(Compare::Lt, key, end);
            let mut mask = self.b.op(Operation::MaskAnd(after, before));
            if window.causal {
                let past = self.b.compare(Compare::Le, key, own);
                mask = self.b.op(Operation::MaskAnd(mask, past));
            }
            return Ok(mask);
        }
        let (begin, end) = self.visible(window, at)?;
        let (begin, end) = (self.splat_index(begin), self.splat_index(end));
        let after = self.b.compare(Compare::Le, begin, own);
        let before = self.b.compare(Compare::Lt, own, end);
        Ok(self.b.op(Operation::MaskAnd(after, before)))
    }

    fn kept_register(&mut self, load: ExprId, register: i64) -> ValueId {
        let base = self.scratch_at(self.kept[&load]);
        self.b.load(
            base,
            register * i64::from(self.lanes) * 4,
            DType::I32,
            self.lanes,
        )
    }

    fn splat_index(&mut self, index: ValueId) -> ValueId {
        let scalar = self.b.op(Operation::Ramp(index, 1));
        self.b.op(Operation::Splat(scalar, self.lanes))
    }

    /// Scores become exp(s − m) with the new maximum m; sums so far are scaled to it.
    fn rescale(&mut self, fold: &Outer, count: ValueId) -> Result<(), String> {
        let lanes = self.lanes;
        let width = self.width;
        let features = self.fixed(fold.feature)?;
        for register in 0..width / i64::from(lanes) {
            let lane = register * i64::from(lanes) * 4;
            let weights = self.scratch_at(fold.weights);
            let largest = self.scratch_at(fold.largest);
            let total = self.scratch_at(fold.total);
            let sums = self.scratch_at(fold.sums);
            let round = fold.round;
            let b = &mut self.b;
            let zero = b.index(0);
            let old = b.load(largest, lane, DType::F32, lanes);
            let new = b.for_carried(zero, count, 1, &[old], |b, row, best| {
                let ptr = b.element(weights, row, width * 4);
                let score = b.load(ptr, lane, DType::F32, lanes);
                vec![b.binary(FloatBinary::Max, score, best[0])]
            })[0];
            b.store(largest, lane, new, DType::F32);
            // A lane that has seen nothing has m = −∞; subtracting 0 instead keeps exp(−∞) = 0.
            let floor = b.float(f32::NEG_INFINITY, lanes);
            let none = b.compare(Compare::Eq, new, floor);
            let nothing = b.float(0.0, lanes);
            let base = b.select(none, nothing, new);
            let gap = b.binary(FloatBinary::Sub, old, base);
            let factor = math::exp(b, gap);
            let sum = b.load(total, lane, DType::F32, lanes);
            let sum = b.binary(FloatBinary::Mul, sum, factor);
            let sum = b.for_carried(zero, count, 1, &[sum], |b, row, sum| {
                let ptr = b.element(weights, row, width * 4);
                let score = b.load(ptr, lane, DType::F32, lanes);
                let shifted = b.binary(FloatBinary::Sub, score, base);
                let weight = math::exp(b, shifted);
                let sum = b.binary(FloatBinary::Add, sum[0], weight);
                let weight = if round {
                    b.op(Operation::RoundBf16(weight))
                } else {
                    weight
                };
                b.store(ptr, lane, weight, DType::F32);
                vec![sum]
            })[0];
            b.store(total, lane, sum, DType::F32);
            let limit = b.index(features);
            b.for_each(zero, limit, 1, |b, feature| {
                let ptr = b.element(sums, feature, width * 4);
                let sum = b.load(ptr, lane, DType::F32, lanes);
                let sum = b.binary(FloatBinary::Mul, sum, factor);
                b.store(ptr, lane, sum, DType::F32);
            });
        }
        Ok(())
    }

    /// Evaluates an expression over inner tiles for one register of lanes.
    fn evaluate(
        &mut self,
        id: ExprId,
        tiles: &BTreeMap<StageId, ValueId>,
        lane: i64,
    ) -> Result<ValueId, String> {
        Ok(match self.kernel.expr_of(id).clone() {
            Expr::Const(bits) => self.b.float(f32::from_bits(bits), self.lanes),
            Expr::Tile { stage, .. } => *tiles
                .get(&stage)
                .ok_or("a weight reads a tile of its own block")?,
            Expr::Unary(function, x) => {
                let x = self.evaluate(x, tiles, lane)?;
                math::unary(&mut self.b, function, x)
            }
            Expr::Binary(function, a, b) => {
                let a = self.evaluate(a, tiles, lane)?;
                let b = self.evaluate(b, tiles, lane)?;
                math::binary(&mut self.b, function, a, b)
            }
            Expr::Round(x) => {
                let x = self.evaluate(x, tiles, lane)?;
                self.b.op(Operation::RoundBf16(x))
            }
            Expr::Load { .. } => match self.kept.get(&id) {
                Some(offset) => {
                    let base = self.scratch_at(*offset);
                    self.b.load(base, lane, DType::F32, self.lanes)
                }
                None => {
                    let (ptr, dtype) = self.pointer(id)?;
                    let scalar = self.b.load(ptr, 0, dtype, 1);
                    self.b.op(Operation::Splat(scalar, self.lanes))
                }
            },
            Expr::Index(_) | Expr::SelectEqual { .. } => {
                return Err("weights of attention are floats".to_owned());
            }
        })
    }

    /// Runs the map stages: per lane within the sequence, features as a loop.
    fn store(&mut self, outer: &[Outer], first: ValueId, size: ValueId) -> Result<(), String> {
        let minus = self.b.scaled(first, -1);
        let left = self.b.add(size, minus);
        let width = self.b.index(self.width);
        let count = self.b.index_op(IndexOp::Min, left, width);
        for stage in &self.kernel.stages {
            let StageKind::Map { stores } = &stage.kind else {
                continue;
            };
            let feature = stage
                .domain
                .iter()
                .copied()
                .find(|axis| !self.kernel.axis_of(*axis).parallel);
            let zero = self.b.index(0);
            let lanes = self.b.begin_loop(zero, count, 1, &[]);
            let lane = lanes.variable;
            let at = self.b.add(first, lane);
            self.axes.insert(self.vector, at);
            let limit = match feature {
                Some(axis) => self.size(axis),
                None => self.b.index(1),
            };
            let features = self.b.begin_loop(zero, limit, 1, &[]);
            if let Some(axis) = feature {
                self.axes.insert(axis, features.variable);
            }
            let mut outcome = Ok(());
            for store in stores {
                let value = self.result(store.value, outer, features.variable, lane);
                let address = self.element(&store.address);
                match (value, address) {
                    (Ok(value), Ok(element)) => {
                        let dtype = self.kernel.buffers[store.buffer.0 as usize].dtype;
                        let ptr = self.b.element(
                            self.args[store.buffer.0 as usize],
                            element,
                            dtype.size() as i64,
                        );
                        self.b.store(ptr, 0, value, dtype);
                    }
                    (Err(error), _) | (_, Err(error)) => outcome = Err(error),
                }
            }
            self.b.end_loop(features, &[]);
            self.b.end_loop(lanes, &[]);
            self.axes.insert(self.vector, first);
            outcome?;
        }
        Ok(())
    }

    /// A scalar expression over the folds' results.
    fn result(
        &mut self,
        id: ExprId,
        outer: &[Outer],
        feature: ValueId,
        lane: ValueId,
    ) -> Result<ValueId, String> {
        Ok(match self.kernel.expr_of(id).clone() {
            Expr::Const(bits) => self.b.float(f32::from_bits(bits), 1),
            Expr::Tile { stage, result } => {
                let fold = outer
                    .iter()
                    .find(|fold| fold.stage == stage)
                    .ok_or("a result reads a fold")?;
                let base = match result {
                    0 => {
                        let sums = self.scratch_at(fold.sums);
                        self.b.element(sums, feature, self.width * 4)
                    }
                    1 => self.scratch_at(fold.largest),
                    _ => self.scratch_at(fold.total),
                };
                let ptr = self.b.element(base, lane, 4);
                self.b.load(ptr, 0, DType::F32, 1)
            }
            Expr::Unary(function, x) => {
                let x = self.result(x, outer, feature, lane)?;
                math::unary(&mut self.b, function, x)
            }
            Expr::Binary(function, a, b) => {
                let a = self.result(a, outer, feature, lane)?;
                let b = self.result(b, outer, feature, lane)?;
                math::binary(&mut self.b, function, a, b)
            }
            Expr::Round(x) => {
                let x = self.result(x, outer, feature, lane)?;
                self.b.op(Operation::RoundBf16(x))
            }
            Expr::Load { .. } => {
                let (ptr, dtype) = self.pointer(id)?;
                self.b.load(ptr, 0, dtype, 1)
            }
            Expr::Index(_) | Expr::SelectEqual { .. } => {
                return Err("results of attention are floats".to_owned());
            }
        })
    }

    fn scratch_at(&mut self, offset: i64) -> ValueId {
        let offset = self.b.index(offset);
        self.b.op(Operation::Offset(self.scratch, offset))
    }

    fn scratch_element(&mut self, offset: i64, index: ValueId) -> ValueId {
        let base = self.scratch_at(offset);
        self.b.element(base, index, 4)
    }

    fn fill(&mut self, offset: i64, elements: i64, value: f32) {
        let base = self.scratch_at(offset);
        let lanes = self.lanes;
        let value = self.b.float(value, lanes);
        let (low, high) = (self.b.index(0), self.b.index(elements));
        self.b.for_each(low, high, i64::from(lanes), |b, at| {
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
