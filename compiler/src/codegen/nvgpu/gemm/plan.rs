//! What a kernel of contractions becomes: its matrix axes, tile, ring, and how each operand comes
//! into shared memory. A pure function of the kernel, the buffers' alignment and the named card.

use mm1_package::DType;

use super::{Facts, MapDim, TensorMap};
use crate::kernel::{
    Address, AxisId, AxisSize, Coordinate, Expr, ExprId, Guard, Kernel, StageId, StageKind,
};
use crate::lower::groups::Groups;

/// Elements of the folded axis per step of the ring: 128 bytes of bf16, one swizzled line.
pub(super) const STEP: u32 = 64;
/// What a run-time size is taken for when tiles are chosen.
const TYPICAL: u64 = 2048;
/// Multiprocessors of the named card (H100 SXM and H200).
const PROCESSORS: u64 = 132;
/// Dynamic shared memory that a block may have.
const SHARED: u32 = 227 << 10;
/// Rows of a warp's part of a 64-row slice.
pub(super) const WARP_ROWS: u32 = 16;

/// A shape of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows and columns of a tile.
    pub tile: [u32; 2],
    /// Blocks on one multiprocessor.
    pub blocks: u32,
    /// Columns that a warp stages at once.
    panel: u32,
}

/// All shapes. Two blocks on a multiprocessor hide each other's epilogues; larger tiles read less.
pub const SHAPES: [Shape; 5] = [
    Shape::new([128, 256], 1, 32),
    Shape::new([128, 128], 1, 32),
    Shape::new([128, 128], 2, 16),
    Shape::new([64, 128], 2, 32),
    Shape::new([64, 64], 2, 32),
];

impl Shape {
    const fn new(tile: [u32; 2], blocks: u32, panel: u32) -> Self {
        Self {
            tile,
            blocks,
            panel,
        }
    }

    /// The shape with such a tile and so many blocks on a multiprocessor.
    pub fn named((tile, blocks): ([u32; 2], u32)) -> Option<Self> {
        let mut shapes = SHAPES.into_iter();
        shapes.find(|it| it.tile == tile && it.blocks == blocks)
    }

    /// Bytes of one step of the ring.
    fn stage_bytes(self) -> u32 {
        2 * STEP * (self.tile[0] + self.tile[1])
    }

    /// f32 from row to row of a staged panel: 8 more than it has spread a store over all banks.
    fn pitch(self) -> u32 {
        self.panel + 8
    }

    fn staging_bytes(self, products: usize) -> u32 {
        4 * self.pitch() * self.tile[0] * products as u32
    }

    /// Steps for which there is room, at most 6.
    fn stages(self, products: usize) -> u32 {
        // A block's share, less the kilobyte that the system keeps of each.
        let share = (SHARED + 1024) / self.blocks - 1024;
        let fixed = 1024 + self.staging_bytes(products) + 16 * 6;
        (share.saturating_sub(fixed) / self.stage_bytes()).min(6)
    }
}

/// Which axis of an operand runs along the lines of 64 elements in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Major {
    /// The folded axis.
    Folded,
    /// The axis of the result.
    Result,
}

/// How an operand comes into shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// By bulk copies through the tensor map of this number.
    Copied {
        /// Index into [`Plan::maps`].
        map: u32,
    },
    /// Evaluated by the producer's threads, eight elements at once.
    Computed {
        /// Whether the eight are read by vector loads.
        vector: bool,
    },
}

/// One factor of a product.
#[derive(Clone, Debug)]
pub struct Operand {
    /// Its value; a rounding to bf16 around it is left to the packing.
    pub expr: ExprId,
    /// Its result axis.
    pub axis: AxisId,
    /// Lines.
    pub major: Major,
    /// Way.
    pub source: Source,
    /// Where copies end that may reach past the folded axis as a whole.
    pub end: Option<PastEnd>,
}

/// A folded axis in parts of which the last is short: element k of part s is element k + s·length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastEnd {
    /// The axis that counts the parts.
    pub part: AxisId,
    /// Elements of a part.
    pub length: u64,
    /// Elements of all parts; what follows is zero.
    pub whole: u64,
}

/// One contraction.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its stage.
    pub stage: StageId,
    /// Folded axes around the last one, walked in order.
    pub outer: Vec<AxisId>,
    /// The folded axis that is cut into steps.
    pub folded: AxisId,
    /// The factor with the rows.
    pub rows: Operand,
    /// The factor with the columns.
    pub columns: Operand,
    /// Where both factors are copied and a step may reach past its group: whether the rows, which are
    /// evaluated there, are read by vector loads.
    pub masked: Option<bool>,
}

/// The schedule of a kernel.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kernel; an axis of one point stands in for a missing row or column axis.
    pub kernel: Kernel,
    /// Axes of the kernel as it was given.
    pub given_axes: u32,
    /// Axes whose points are tiles of their own.
    pub batch: Vec<AxisId>,
    /// The axis of the rows.
    pub m: AxisId,
    /// The axis of the columns.
    pub n: AxisId,
    /// Blocks.
    pub shape: Shape,
    /// Steps that the ring holds.
    pub stages: u32,
    /// Contractions in order.
    pub products: Vec<Product>,
    /// Groups of rows, each with a factor or a result of its own.
    pub(crate) groups: Option<Groups>,
    /// Tensor maps in order.
    pub maps: Vec<TensorMap>,
    /// Whether the epilogue handles four columns at once.
    pub vector: bool,
    /// Parts of the folded axis and the elements of each, where it is split.
    pub parts: Option<(u64, u64)>,
    /// Estimated time, cycles; a run-time size counts as a typical one.
    pub cost: u64,
}

impl Plan {
    /// Rows and columns of a tile.
    pub fn tile(&self) -> [u32; 2] {
        self.shape.tile
    }

    /// Columns that a warp stages at once, and f32 from row to row there.
    pub fn panel(&self) -> [u32; 2] {
        [self.shape.panel, self.shape.pitch()]
    }

    /// Warpgroups that multiply, 64 rows each.
    pub fn consumers(&self) -> u32 {
        self.shape.tile[0] / 64
    }

    /// Threads that fill the ring: a warpgroup, or one warp where two blocks leave no registers for
    /// more.
    pub fn producers(&self) -> u32 {
        match (self.consumers(), self.shape.blocks) {
            (2, 2) => 32,
            _ => 128,
        }
    }

    /// Threads of a block: the consuming warpgroups, then the producers.
    pub fn threads(&self) -> u32 {
        128 * self.consumers() + self.producers()
    }

    /// Bytes of one step of the ring.
    pub fn stage_bytes(&self) -> u32 {
        self.shape.stage_bytes()
    }

    /// Bytes in which the accumulators of all warps are staged.
    pub fn staging_bytes(&self) -> u32 {
        self.shape.staging_bytes(self.products.len())
    }

    /// Dynamic shared memory: slack to align the ring, the ring, the staging, two barriers a step.
    pub fn shared_bytes(&self) -> u32 {
        1024 + self.stages * self.stage_bytes() + self.staging_bytes() + 16 * self.stages
    }

    /// Whether the producer's threads evaluate an operand.
    pub fn computes(&self) -> bool {
        self.products.iter().any(|product| {
            let operands = [&product.rows, &product.columns];
            let mut sources = operands.iter().map(|operand| operand.source);
            product.masked.is_some() || sources.any(|it| matches!(it, Source::Computed { .. }))
        })
    }

    /// Groups whose rows are results.
    pub(crate) fn parts_of_tiles(&self) -> Option<Groups> {
        self.groups.filter(|groups| !groups.folds)
    }

    /// Groups whose rows are folded.
    pub(crate) fn folded_groups(&self) -> Option<Groups> {
        self.groups.filter(|groups| groups.folds)
    }

    /// Registers of a producing and of a consuming thread, where they are moved between
    /// warpgroups: 384 threads start with 168 each. A producer that evaluates keeps some 90 for
    /// loads under way.
    pub fn registers(&self) -> Option<(u32, u32)> {
        match (self.consumers(), self.shape.blocks, self.computes()) {
            (2, 1, false) => Some((40, 232)),
            (2, 1, true) => Some((120, 192)),
            _ => None,
        }
    }

    /// Length of an axis, if known.
    pub fn fixed(&self, axis: AxisId) -> Option<u64> {
        match self.kernel.axis_of(axis).size {
            AxisSize::Fixed(size) => Some(size),
            AxisSize::Runtime(_) => None,
        }
    }
}

/// Plans a kernel.
///
/// # Errors
/// Why the schedule does not cover the kernel.
pub fn plan(original: &Kernel, facts: &Facts) -> Result<Plan, String> {
    let alignment = &facts.alignment[..];
    let parts = parts(original);
    let mut kernel = original.clone();
    drop_true_guards(&mut kernel);
    let given_axes = kernel.axes.len() as u32;
    let contracts = kernel
        .stages
        .iter()
        .take_while(|stage| matches!(stage.kind, StageKind::Contract { .. }))
        .count();
    if !(1..=2).contains(&contracts) {
        return Err(format!("{contracts} contractions, not one or two"));
    }
    let mut shapes = Vec::new();
    for stage in &kernel.stages[..contracts] {
        shapes.push(result_axes(&kernel, stage)?);
    }
    let first = shapes[0].clone();
    if shapes[1..].iter().any(|other| *other != first) {
        return Err("contractions of one kernel differ in their result axes".to_owned());
    }
    let ResultAxes {
        kept,
        mut left,
        mut right,
    } = first;
    // Results are contiguous along the columns.
    let stores = stored(&kernel, contracts)?;
    let along = |axes: &[AxisId]| {
        axes.iter()
            .copied()
            .find(|axis| stores.iter().any(|address| address.stride(*axis) == 1))
    };
    let swap = along(&right).is_none() && along(&left).is_some();
    if swap {
        std::mem::swap(&mut left, &mut right);
    }
    let longest = |kernel: &Kernel, axes: &[AxisId]| {
        axes.iter()
            .enumerate()
            .max_by_key(|(position, axis)| (typical(kernel, **axis), *position))
            .map(|(_, axis)| *axis)
    };
    let one = AxisSize::Fixed(1);
    let n = along(&right).or_else(|| longest(&kernel, &right));
    let m = longest(&kernel, &left).unwrap_or_else(|| kernel.axis(one, true));
    let n = n.unwrap_or_else(|| kernel.axis(one, true));
    let batch: Vec<AxisId> = kept
        .iter()
        .copied()
        .filter(|axis| *axis != m && *axis != n)
        .collect();
    for stage in &mut kernel.stages {
        for axis in [m, n] {
            if axis.0 >= given_axes {
                stage.domain.push(axis);
            }
        }
    }
    let bound: Vec<AxisId> = batch.iter().copied().chain([m, n]).collect();
    for stage in &kernel.stages[contracts..] {
        let whole = bound
            .iter()
            .all(|axis| stage.domain.contains(axis) || typical(&kernel, *axis) == 1);
        if !whole || !stage.domain.iter().all(|axis| bound.contains(axis)) {
            return Err("a map does not span the results of the contraction".to_owned());
        }
    }
    let mut folds = Vec::new();
    for stage in &kernel.stages[..contracts] {
        let mut outer = stage.reduced.clone();
        let folded = outer.pop().ok_or("a contraction that folds nothing")?;
        folds.push((outer, folded));
    }
    let groups = Groups::of(&kernel, contracts)?;
    match groups {
        Some(groups) if groups.folds && !batch.contains(&groups.query) => {
            return Err("groups that are no results of their own".to_owned());
        }
        Some(groups) if !groups.folds && groups.key != m => {
            return Err("groups of something other than rows".to_owned());
        }
        // A tile's part knows its group.
        Some(groups) => folds
            .iter_mut()
            .for_each(|(outer, _)| outer.retain(|it| *it != groups.query)),
        None => {}
    }
    let sizes = [m, n].map(|axis| typical(&kernel, axis));
    let rest: u64 = batch.iter().map(|axis| typical(&kernel, *axis)).product();
    let mut plan = Plan {
        given_axes,
        batch,
        m,
        n,
        shape: SHAPES[0],
        stages: 0,
        products: Vec::new(),
        groups,
        maps: Vec::new(),
        vector: false,
        parts,
        cost: 0,
        kernel,
    };
    // Ways do not depend on the tile but for the boxes, which are set below.
    for (number, (outer, folded)) in folds.into_iter().enumerate() {
        let StageKind::Contract { lhs, rhs, .. } = plan.kernel.stages[number].kind else {
            return Err("a contraction is expected".to_owned());
        };
        let (rows, columns) = if swap { (rhs, lhs) } else { (lhs, rhs) };
        let rows = operand(&mut plan, rows, m, folded, alignment)?;
        let columns = operand(&mut plan, columns, n, folded, alignment)?;
        let copied = |it: &Operand| matches!(it.source, Source::Copied { .. });
        let masked = plan.folded_groups().is_some() && copied(&rows) && copied(&columns);
        let masked = masked.then(|| evaluated(&plan, rows.expr, m, folded, alignment).1);
        plan.products.push(Product {
            stage: StageId(number as u32),
            outer,
            folded,
            rows,
            columns,
            masked,
        });
    }
    let steps: u64 = plan
        .products
        .iter()
        .map(|product| {
            let outer = product.outer.iter();
            let outer: u64 = outer.map(|axis| typical(&plan.kernel, *axis)).product();
            let groups = plan.folded_groups();
            let groups = groups.map_or(1, |groups| typical(&plan.kernel, groups.query));
            let folded = typical(&plan.kernel, product.folded).div_ceil(groups);
            outer * folded.div_ceil(u64::from(STEP))
        })
        .sum();
    choose_shape(&mut plan, sizes, rest, steps, facts.shape)?;
    for product in &plan.products {
        for (operand, lines) in [
            (&product.rows, plan.shape.tile[0]),
            (&product.columns, plan.shape.tile[1]),
        ] {
            if let (Source::Copied { map }, Major::Folded) = (operand.source, operand.major) {
                plan.maps[map as usize].box_dims[1] = lines;
            }
        }
    }
    let mut values = Vec::new();
    let mut addresses = Vec::new();
    for stage in &plan.kernel.stages[contracts..] {
        if let StageKind::Map { stores } = &stage.kind {
            values.extend(stores.iter().map(|store| store.value));
            addresses.extend(stores.iter().map(|store| (store.buffer.0, &store.address)));
        }
    }
    plan.vector = is_vector(&plan.kernel, &values, plan.n, 4, alignment)
        && addresses.into_iter().all(|(buffer, address)| {
            is_vector_place(&plan.kernel, buffer, address, &[], plan.n, 4, alignment) == Some(true)
        });
    Ok(plan)
}

#[derive(Clone, PartialEq)]
struct ResultAxes {
    kept: Vec<AxisId>,
    left: Vec<AxisId>,
    right: Vec<AxisId>,
}

fn result_axes(kernel: &Kernel, stage: &crate::kernel::Stage) -> Result<ResultAxes, String> {
    let StageKind::Contract {
        lhs,
        rhs,
        operands,
        window: _,
    } = &stage.kind
    else {
        return Err("a contraction is expected".to_owned());
    };
    if *operands != DType::Bf16 {
        return Err("operands are not bf16".to_owned());
    }
    let (of_lhs, of_rhs) = (kernel.axes_of_expr(*lhs), kernel.axes_of_expr(*rhs));
    let kept: Vec<AxisId> = stage
        .domain
        .iter()
        .copied()
        .filter(|axis| !stage.reduced.contains(axis))
        .collect();
    let only = |of: &[AxisId], not: &[AxisId]| -> Vec<AxisId> {
        kept.iter()
            .copied()
            .filter(|axis| of.contains(axis) && !not.contains(axis))
            .collect()
    };
    let (left, right) = (only(&of_lhs, &of_rhs), only(&of_rhs, &of_lhs));
    Ok(ResultAxes { kept, left, right })
}

/// Addresses that the maps store to.
fn stored(kernel: &Kernel, contracts: usize) -> Result<Vec<&Address>, String> {
    let mut addresses = Vec::new();
    for stage in &kernel.stages[contracts..] {
        let StageKind::Map { stores } = &stage.kind else {
            return Err("contractions are followed by something other than maps".to_owned());
        };
        addresses.extend(stores.iter().map(|store| &store.address));
    }
    Ok(addresses)
}

fn typical(kernel: &Kernel, axis: AxisId) -> u64 {
    match kernel.axis_of(axis).size {
        AxisSize::Fixed(size) => size.max(1),
        AxisSize::Runtime(_) => TYPICAL,
    }
}

/// The shape with the least estimated time. A step of a tile takes the longer of its products
/// (2048 multiply-adds a cycle) and its bytes from the second-level cache (about 38 a cycle and
/// multiprocessor). A block that is alone also waits for its epilogues.
fn choose_shape(
    plan: &mut Plan,
    [m, n]: [u64; 2],
    batch: u64,
    steps: u64,
    wanted: Option<Shape>,
) -> Result<(), String> {
    let mut best: Option<(u64, Shape)> = None;
    let groups = plan.parts_of_tiles();
    let parts = groups.map_or(0, |groups| typical(&plan.kernel, groups.query) - 1);
    // A function's polynomial, or the ends of a group, beside 64 accumulators spill at 96 registers.
    let functions = plan.kernel.exprs.iter();
    let functions = functions.filter(|it| matches!(it, Expr::Unary(..))).count();
    for shape in SHAPES {
        let [rows, columns] = shape.tile.map(u64::from);
        let accumulators = plan.products.len() as u64 * columns / 2;
        // Two blocks leave about 110 registers to a thread.
        let room = if shape.blocks == 2 { 64 } else { 128 };
        let one_warp = rows == 128 && shape.blocks == 2;
        if wanted.is_some_and(|wanted| wanted != shape)
            || accumulators > room
            || one_warp && (plan.computes() || functions > 0 || groups.is_some())
            || shape.stages(plan.products.len()) < 2
        {
            continue;
        }
        let tiles = batch * (m.div_ceil(rows) + parts) * n.div_ceil(columns);
        let products = rows * columns * u64::from(STEP) / 2048;
        let mut bytes = 0;
        for product in &plan.products {
            for (operand, lines) in [(&product.rows, rows), (&product.columns, columns)] {
                bytes += lines
                    * u64::from(STEP)
                    * match operand.source {
                        Source::Copied { .. } => 2,
                        Source::Computed { .. } => 4,
                    };
            }
        }
        let bytes = bytes / plan.products.len() as u64;
        let step = products.max(bytes / 38) + 40;
        let epilogue = match shape.blocks {
            1 => rows * columns / 12,
            _ => rows * columns / 24,
        };
        let waves = tiles.div_ceil(PROCESSORS);
        let cost = waves * (steps * step + 400 + epilogue) + 1500;
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, shape));
        }
    }
    let (cost, shape) = best.ok_or_else(|| format!("no blocks of {wanted:?}"))?;
    plan.cost = cost;
    plan.shape = shape;
    plan.stages = shape.stages(plan.products.len());
    Ok(())
}

/// How an operand is laid out and comes into shared memory.
fn operand(
    plan: &mut Plan,
    expr: ExprId,
    axis: AxisId,
    folded: AxisId,
    alignment: &[u32],
) -> Result<Operand, String> {
    let kernel = &plan.kernel;
    let expr = match kernel.expr_of(expr) {
        // Packing rounds.
        Expr::Round(inner) => *inner,
        _ => expr,
    };
    if let Some((map, major, end)) = tensor_map(kernel, expr, axis, folded, alignment) {
        plan.maps.push(map);
        return Ok(Operand {
            expr,
            axis,
            major,
            source: Source::Copied {
                map: plan.maps.len() as u32 - 1,
            },
            end,
        });
    }
    let (major, vector) = evaluated(plan, expr, axis, folded, alignment);
    Ok(Operand {
        expr,
        axis,
        major,
        source: Source::Computed { vector },
        end: None,
    })
}

/// Lines of an operand whose elements are evaluated, and whether eight of them are read by vector
/// loads.
fn evaluated(
    plan: &Plan,
    expr: ExprId,
    axis: AxisId,
    folded: AxisId,
    alignment: &[u32],
) -> (Major, bool) {
    let kernel = &plan.kernel;
    let mut loads = Vec::new();
    collect_loads(kernel, expr, &mut loads);
    let contiguous = |along: AxisId| {
        loads
            .iter()
            .filter(|(_, address, guards)| stride_along(kernel, address, guards, along) == Some(1))
            .count()
    };
    let major = if contiguous(axis) > contiguous(folded) {
        Major::Result
    } else {
        Major::Folded
    };
    let along = match major {
        Major::Folded => folded,
        Major::Result => axis,
    };
    // A group of folded rows begins anywhere.
    let begins = major == Major::Result || plan.folded_groups().is_none();
    let whole = matches!(kernel.axis_of(along).size, AxisSize::Fixed(size) if size % 8 == 0);
    let vector = begins && whole && is_vector(kernel, &[expr], along, 8, alignment);
    (major, vector)
}

/// A tensor map for a plain load of bf16 whose lines are contiguous and whose other strides, base
/// and offset are multiples of 16 bytes. The box of the second axis is set with the tile.
fn tensor_map(
    kernel: &Kernel,
    expr: ExprId,
    axis: AxisId,
    folded: AxisId,
    alignment: &[u32],
) -> Option<(TensorMap, Major, Option<PastEnd>)> {
    let Expr::Load {
        buffer,
        address,
        guards,
    } = kernel.expr_of(expr)
    else {
        return None;
    };
    let memory = &kernel.buffers[buffer.0 as usize];
    let aligned = alignment
        .get(buffer.0 as usize)
        .is_some_and(|by| by % 16 == 0);
    let plain = memory.dtype == DType::Bf16
        && !memory.written
        && aligned
        && address.offset >= 0
        && address.offset % 8 == 0;
    if !plain {
        return None;
    }
    let end = match &guards[..] {
        [] => None,
        [guard] => Some(past_end(kernel, address, guard, folded)?),
        _ => return None,
    };
    let major = match (address.stride(axis), address.stride(folded)) {
        (result, 1) if result > 1 => Major::Folded,
        (1, step) if step > 1 => Major::Result,
        _ => return None,
    };
    let lines = match major {
        Major::Folded => [folded, axis],
        Major::Result => [axis, folded],
    };
    let mut axes = lines.to_vec();
    for (coordinate, _) in &address.terms {
        match coordinate {
            Coordinate::Axis(other) if axes.contains(other) => {}
            Coordinate::Axis(other) if end.is_some_and(|end| end.part == *other) => {}
            Coordinate::Axis(other) => axes.push(*other),
            Coordinate::Row(_) => return None,
        }
    }
    let strides: Vec<i64> = axes[1..].iter().map(|axis| address.stride(*axis)).collect();
    if axes.len() > 5 || strides.iter().any(|by| *by <= 0 || by % 8 != 0) {
        return None;
    }
    let mut box_dims = vec![1; axes.len()];
    (box_dims[0], box_dims[1]) = (STEP, STEP);
    Some((
        TensorMap {
            arg: buffer.0,
            offset: 2 * address.offset as u64,
            dtype: DType::Bf16,
            dims: axes
                .iter()
                .map(|axis| match (kernel.axis_of(*axis).size, end) {
                    (_, Some(end)) if *axis == folded => MapDim::Fixed(end.whole),
                    (AxisSize::Fixed(size), _) => MapDim::Fixed(size),
                    (AxisSize::Runtime(extent), _) => MapDim::Extent(extent),
                })
                .collect(),
            strides: strides.iter().map(|by| 2 * *by as u64).collect(),
            box_dims,
            swizzle: 128,
        },
        major,
        end,
    ))
}

/// What a guard says that is one of a folded axis in parts.
fn past_end(kernel: &Kernel, address: &Address, guard: &Guard, folded: AxisId) -> Option<PastEnd> {
    let [(first, 1), (part, length)] = guard.terms[..] else {
        return None;
    };
    let AxisSize::Fixed(size) = kernel.axis_of(folded).size else {
        return None;
    };
    let moves = address.stride(part) == length * address.stride(folded);
    let whole = u64::try_from(guard.bound).ok()?;
    (first == folded && part != folded && guard.offset == 0 && length == size as i64 && moves)
        .then_some(PastEnd {
            part,
            length: size,
            whole,
        })
}

/// Parts of the folded axis of a kernel's one product, by the guards that `split.rs` gives its loads.
fn parts(kernel: &Kernel) -> Option<(u64, u64)> {
    let folded = *kernel.stages.first()?.reduced.last()?;
    kernel.exprs.iter().find_map(|expr| {
        let Expr::Load {
            address, guards, ..
        } = expr
        else {
            return None;
        };
        let mut ends = guards.iter();
        let end = ends.find_map(|guard| past_end(kernel, address, guard, folded))?;
        match kernel.axis_of(end.part).size {
            AxisSize::Fixed(parts) => Some((parts, end.length)),
            AxisSize::Runtime(_) => None,
        }
    })
}

/// Drops guards that hold at every point.
fn drop_true_guards(kernel: &mut Kernel) {
    let axes = &kernel.axes;
    let largest = |axis: AxisId| match axes[axis.0 as usize].size {
        AxisSize::Fixed(size) => Some(size.saturating_sub(1) as i64),
        AxisSize::Runtime(_) => None,
    };
    let holds = |guard: &Guard| {
        let last = guard.terms.iter().map(|(axis, factor)| {
            let last = largest(*axis).filter(|_| *factor >= 0)?;
            last.checked_mul(*factor)
        });
        let last: Option<i64> = last.sum();
        guard.offset >= 0 && last.is_some_and(|last| guard.offset + last < guard.bound)
    };
    for expr in &mut kernel.exprs {
        if let Expr::Load { guards, .. } = expr {
            guards.retain(|guard| !holds(guard));
        }
    }
}

/// The axes of a copied operand's map in its order.
pub(super) fn map_axes(kernel: &Kernel, operand: &Operand, folded: AxisId) -> Vec<AxisId> {
    let mut axes = match operand.major {
        Major::Folded => vec![folded, operand.axis],
        Major::Result => vec![operand.axis, folded],
    };
    if let Expr::Load { address, .. } = kernel.expr_of(operand.expr) {
        for (coordinate, _) in &address.terms {
            if let Coordinate::Axis(axis) = coordinate
                && !axes.contains(axis)
                && operand.end.is_none_or(|end| end.part != *axis)
            {
                axes.push(*axis);
            }
        }
    }
    axes
}

type Found<'k> = (u32, &'k Address, &'k [Guard]);

/// All loads of an expression, those of rows included.
fn collect_loads<'k>(kernel: &'k Kernel, expr: ExprId, found: &mut Vec<Found<'k>>) {
    match kernel.expr_of(expr) {
        Expr::Const(_) | Expr::Index(_) | Expr::Tile { .. } => {}
        Expr::Load {
            buffer,
            address,
            guards,
        } => {
            found.push((buffer.0, address, guards));
            for (coordinate, _) in &address.terms {
                if let Coordinate::Row(row) = coordinate {
                    collect_loads(kernel, *row, found);
                }
            }
        }
        Expr::Unary(_, x) | Expr::Round(x) => collect_loads(kernel, *x, found),
        Expr::Binary(_, a, b) => {
            collect_loads(kernel, *a, found);
            collect_loads(kernel, *b, found);
        }
        Expr::SelectEqual {
            a,
            b,
            then,
            otherwise,
        } => {
            for part in [a, b, then, otherwise] {
                collect_loads(kernel, *part, found);
            }
        }
    }
}

/// How an address moves along an axis, `None` if rows or guards depend on it.
fn stride_along(kernel: &Kernel, address: &Address, guards: &[Guard], axis: AxisId) -> Option<i64> {
    let by_row = address
        .terms
        .iter()
        .any(|(coordinate, _)| match coordinate {
            Coordinate::Row(row) => kernel.axes_of_expr(*row).contains(&axis),
            Coordinate::Axis(_) => false,
        });
    let guarded = guards
        .iter()
        .any(|guard| guard.terms.iter().any(|(on, _)| *on == axis));
    (!by_row && !guarded).then(|| address.stride(axis))
}

/// Whether so many neighbours along an axis are one aligned access: `Some(false)` if the address
/// does not depend on the axis, `None` if they are not.
fn is_vector_place(
    kernel: &Kernel,
    buffer: u32,
    address: &Address,
    guards: &[Guard],
    axis: AxisId,
    lanes: i64,
    alignment: &[u32],
) -> Option<bool> {
    match stride_along(kernel, address, guards, axis)? {
        0 => return Some(false),
        1 => {}
        _ => return None,
    }
    let size: i64 = match kernel.buffers[buffer as usize].dtype {
        DType::F32 | DType::I32 => 4,
        DType::Bf16 => 2,
    };
    let access = (lanes * size).min(16);
    let others = address
        .terms
        .iter()
        .filter(|(coordinate, _)| *coordinate != Coordinate::Axis(axis))
        .all(|(_, stride)| stride * size % access == 0);
    let base = i64::from(alignment.get(buffer as usize).copied().unwrap_or(1));
    (others && address.offset * size % access == 0 && base % access == 0).then_some(true)
}

fn is_vector(
    kernel: &Kernel,
    exprs: &[ExprId],
    axis: AxisId,
    lanes: i64,
    alignment: &[u32],
) -> bool {
    let mut loads = Vec::new();
    for expr in exprs {
        collect_loads(kernel, *expr, &mut loads);
    }
    let whole = matches!(kernel.axis_of(axis).size,
        AxisSize::Fixed(size) if size % lanes as u64 == 0);
    whole
        && loads.into_iter().all(|(buffer, address, guards)| {
            is_vector_place(kernel, buffer, address, guards, axis, lanes, alignment).is_some()
        })
}
