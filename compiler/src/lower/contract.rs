//! Contractions with an epilogue: blocked products over packed panels.
//!
//! A tile of the grid is MC × NC results, kept in scratch as f32. Blocks of at most KC of the
//! folded axis are packed into panels (`panels.rs`), multiplied by a register-blocked micro-kernel
//! (`micro.rs`) and added to the tile; then the map stages read it. Packing evaluates the
//! operands' expressions, so casts, gathers, activations and any storage order cost one pass over a
//! panel. Each result is one chain of fused multiply-adds in increasing order of the folded axis
//! (in pairs, odd element first, for bf16), whatever the blocks, tiles and threads; tile registers sum
//! 32 elements at a time (`TileDot`), for f32 the six products of their pieces that count (`Words`).

use super::emit::{Emit, Tile};
use super::groups::Groups;
use super::micro::{self, Words};
use super::panels::{self, Panel};
use super::rows;
use super::{Lowered, Machine, grid};
use crate::kernel::{AxisId, AxisSize, ExprId, Kernel, Stage, StageId, StageKind};
use crate::loops::{IndexOp, ValueId};
use mm1_package::DType;

/// Axes and blocks of a kernel of contractions.
pub(super) struct Plan {
    /// Axes taken one point at a time by the grid.
    pub batch: Vec<AxisId>,
    /// Rows of the tile.
    pub m: AxisId,
    /// Columns of the tile, the vector axis.
    pub n: AxisId,
    /// Groups of rows that have factors of their own.
    pub groups: Option<Groups>,
    /// Rows and columns of a tile.
    mc: u64,
    nc: u64,
    /// Rows that a tile may take from the next one so as to end with a group.
    reach: u64,
    pub products: Vec<Product>,
}

/// One contraction.
pub(super) struct Product {
    pub stage: StageId,
    pub rows: ExprId,
    pub columns: ExprId,
    /// Folded axes but the last.
    pub outer: Vec<AxisId>,
    /// The folded axis that is blocked.
    pub k: AxisId,
    kc: u64,
    operands: DType,
    words: Words,
}

/// Largest blocks; measured in docs/bench/cpu-gemm.md.
const MC: u64 = 192;
const NC: u64 = 256;
const KC: u64 = 512;
/// Blocks where rows cost little to pack, or nothing: then columns are packed for more rows.
const TALL: (u64, u64) = (384, 128);
/// Blocks of f32 in pieces: three panels are to be packed, and have to stay in the cache.
const PIECES: (u64, u64) = (256, 256);
const KC_PIECES: u64 = 256;
/// Tiles that a product should have for many threads; fewer where packing is dear.
const TILES: u64 = 16;
const TILES_OF_PIECES: u64 = 8;

/// Lowers contractions that share their result axes, followed by maps.
pub(super) fn lower(original: &Kernel, machine: &Machine) -> Result<Lowered, String> {
    let mut kernel = original.clone();
    let mut plan = plan(&mut kernel, machine)?;
    let virtual_axes = original.axes.len() as u32;
    let mut emit = Emit::new(&kernel, machine)?;
    emit.ragged = plan.groups.map(|groups| groups.key);
    choose_tile(&emit, &mut plan);
    let mut tiles: Vec<(AxisId, u64)> = plan.batch.iter().map(|axis| (*axis, 1)).collect();
    tiles.extend([(plan.m, plan.mc), (plan.n, plan.nc)]);
    emit.each_tile(&tiles, |emit, ranges| tile(emit, &plan, &tiles, ranges))?;
    // An axis of one point that only this file knows does not count.
    tiles.retain(|(axis, _)| axis.0 < virtual_axes);
    let pairs: Vec<bool> = plan
        .products
        .iter()
        .map(|product| product.operands == DType::Bf16)
        .collect();
    let tiled = |product: &Product| product.words.in_tiles(machine);
    Ok(Lowered {
        function: emit.b.finish(format!("k{}", original.hash())),
        tiles,
        schedule: format!(
            "contract pairs {pairs:?} instruction {} tiles {}",
            machine.bf16_dot && pairs.contains(&true),
            plan.products.iter().any(tiled)
        ),
    })
}

/// Sorts the axes of a kernel of contractions.
pub(super) fn plan(kernel: &mut Kernel, machine: &Machine) -> Result<Plan, String> {
    let contracts = kernel
        .stages
        .iter()
        .take_while(|stage| matches!(stage.kind, StageKind::Contract { .. }))
        .count();
    if kernel.stages[contracts..]
        .iter()
        .any(|stage| !matches!(stage.kind, StageKind::Map { .. }))
    {
        return Err("contractions are followed by something other than maps".to_owned());
    }
    let groups = Groups::of(kernel, contracts)?;
    let walked = groups.filter(|groups| !groups.folds);
    let mut kept: Vec<AxisId> = Vec::new();
    let (mut row_axes, mut column_axes) = (Vec::new(), Vec::new());
    let mut swapped = Vec::new();
    for number in 0..contracts {
        let stage = &kernel.stages[number];
        let StageKind::Contract { lhs, rhs, .. } = &stage.kind else {
            continue;
        };
        let (of_lhs, of_rhs) = (kernel.axes_of_expr(*lhs), kernel.axes_of_expr(*rhs));
        let own: Vec<AxisId> = stage
            .domain
            .iter()
            .copied()
            .filter(|axis| !stage.reduced.contains(axis))
            .collect();
        let only = |of: &[AxisId], not: &[AxisId]| -> Vec<AxisId> {
            own.iter()
                .copied()
                .filter(|axis| of.contains(axis) && !not.contains(axis))
                .collect()
        };
        let (mut m, mut n) = (only(&of_lhs, &of_rhs), only(&of_rhs, &of_lhs));
        // Registers run along the columns: few of them are better rows.
        let largest = |axes: &[AxisId]| {
            let sizes = axes.iter().map(|axis| grid::typical(kernel, *axis));
            sizes.max().unwrap_or(1)
        };
        let lanes = u64::from(machine.width());
        let swap = match walked {
            // The rows of groups are rows of the tile.
            Some(groups) => n.contains(&groups.key),
            None => largest(&n) < lanes && largest(&m) > largest(&n),
        };
        if swap {
            std::mem::swap(&mut m, &mut n);
        }
        if number == 0 {
            (kept, row_axes, column_axes) = (own, m, n);
        } else if own != kept || m != row_axes || n != column_axes {
            return Err("contractions of one kernel differ in their result axes".to_owned());
        }
        swapped.push(swap);
    }
    let longest = |kernel: &Kernel, axes: &[AxisId]| {
        axes.iter()
            .enumerate()
            .max_by_key(|(position, axis)| (grid::typical(kernel, **axis), *position))
            .map(|(_, axis)| *axis)
    };
    let one = AxisSize::Fixed(1);
    let m = match walked {
        Some(groups) => groups.key,
        None => longest(kernel, &row_axes).unwrap_or_else(|| kernel.axis(one, true)),
    };
    // The last column axis is the one that memory is contiguous along.
    let wide = |axis: &&AxisId| grid::typical(kernel, **axis) >= u64::from(machine.width());
    let n = column_axes
        .iter()
        .rev()
        .find(wide)
        .copied()
        .or_else(|| longest(kernel, &column_axes));
    let n = n.unwrap_or_else(|| kernel.axis(one, true));
    // An axis made here is part of every domain, so that it is bound where a tile is read.
    for stage in &mut kernel.stages {
        for axis in [m, n] {
            let made = !kept.contains(&axis);
            if made {
                stage.domain.push(axis);
            }
        }
    }
    let batch = kept
        .into_iter()
        .filter(|axis| *axis != m && *axis != n)
        .collect();
    let mut products = Vec::new();
    for (number, swapped) in swapped.into_iter().enumerate() {
        let stage = kernel.stages[number].clone();
        let StageKind::Contract {
            lhs, rhs, operands, ..
        } = stage.kind
        else {
            continue;
        };
        let (rows, columns) = if swapped { (rhs, lhs) } else { (lhs, rhs) };
        let mut outer = stage.reduced;
        outer.retain(|axis| walked.is_none_or(|groups| groups.query != *axis));
        // Only the last folded axis is blocked; the others are walked around it.
        let k = outer.pop().unwrap_or_else(|| kernel.axis(one, false));
        let words = words(kernel, machine, operands, [m, n, k]);
        let most = match words {
            Words::Pieces => KC_PIECES,
            Words::Single | Words::Pairs => KC,
        };
        let kc = match kernel.axis_of(k).size {
            AxisSize::Runtime(_) => most,
            AxisSize::Fixed(size) => {
                let parts = size.div_ceil(most).max(1);
                let step = 2 * u64::from(machine.lanes);
                size.div_ceil(parts).max(1).next_multiple_of(step)
            }
        };
        products.push(Product {
            stage: StageId(number as u32),
            rows,
            columns,
            outer,
            k,
            kc,
            operands,
            words,
        });
    }
    Ok(Plan {
        batch,
        m,
        n,
        groups,
        mc: 0,
        nc: 0,
        reach: 0,
        products,
    })
}

/// What the operands of a product over these axes are packed into: f32 are cut into pieces where tiles
/// multiply them faster than vectors do, and few of their rows, columns and words stay empty.
fn words(kernel: &Kernel, machine: &Machine, operands: DType, axes: [AxisId; 3]) -> Words {
    let fill = |axis| grid::typical(kernel, axis) >= 2 * micro::TILE as u64;
    match operands {
        DType::Bf16 if machine.bf16_dot => Words::Pairs,
        DType::F32 if machine.tiles && axes.into_iter().all(fill) => Words::Pieces,
        _ => Words::Single,
    }
}

/// Tiles near the measured best, smaller where there would be too few for many threads.
fn choose_tile(emit: &Emit<'_>, plan: &mut Plan) {
    let kernel = emit.kernel;
    // Where one product is made in tiles, the blocks of all are whole tiles.
    let mut words = plan.products.iter().map(|product| product.words);
    let tiled = words.find(|words| words.in_tiles(emit.machine));
    let words = tiled.unwrap_or(Words::Single);
    let (mr, nr) = micro::block(emit.machine, words);
    let (m, n) = (grid::typical(kernel, plan.m), grid::typical(kernel, plan.n));
    let batch: u64 = plan
        .batch
        .iter()
        .map(|axis| grid::typical(kernel, *axis))
        .product();
    let cut = |size: u64, most: u64, step: u64| {
        let parts = size.div_ceil(most);
        size.div_ceil(parts).next_multiple_of(step)
    };
    let cheap_rows = plan.products.iter().all(|product| {
        [DType::F32, DType::Bf16]
            .into_iter()
            .any(|dtype| panels::plain_rows(emit, product.rows, plan.m, product.k, dtype).is_some())
    });
    let pieces = words == Words::Pieces;
    let (mut most_m, mut most_n) = match cheap_rows {
        _ if pieces => PIECES,
        true => TALL,
        false => (MC, NC),
    };
    // Many tiles, but no smaller than what pays for packing.
    let tiles = if pieces { TILES_OF_PIECES } else { TILES };
    while batch * m.div_ceil(most_m) * n.div_ceil(most_n) < tiles && most_m.max(most_n) > 64 {
        if most_n >= most_m {
            most_n /= 2;
        } else {
            most_m /= 2;
        }
    }
    let mr = u64::from(mr);
    let two = tiled.is_some() && m > mr;
    let step = if two { 2 * mr } else { mr };
    plan.mc = cut(m, most_m, step);
    plan.nc = cut(n, most_n, u64::from(nr));
    if plan.walked().is_some() {
        plan.reach = (plan.mc / 2).next_multiple_of(step);
    }
}

/// One tile of the grid.
fn tile(
    emit: &mut Emit<'_>,
    plan: &Plan,
    tiles: &[(AxisId, u64)],
    ranges: &[[ValueId; 2]],
) -> Result<(), String> {
    with_batch(emit, &plan.batch, ranges, &mut |emit| {
        let mut rows = ranges[tiles.len() - 2];
        let columns = ranges[tiles.len() - 1];
        if let Some(groups) = plan.walked() {
            for end in &mut rows {
                *end = groups.boundary(emit, *end, plan.reach)?;
            }
        }
        let width = plan.nc as i64;
        let known = emit.tiles.len();
        for product in &plan.products {
            // Tiles of a processor write whole heights, also past the end of a group.
            let spare = match plan.groups {
                Some(_) => spare_rows(emit, product),
                None => 0,
            };
            let offset = emit
                .b
                .reserve_scratch(4 * (plan.most_rows() + spare) * plan.nc);
            let sums = emit.scratch_at(offset);
            multiply(emit, plan, product, sums, rows, columns)?;
            // The tile's element (0, 0) is the range's first.
            let up = emit.b.scaled(rows[0], width);
            let skipped = emit.b.add(up, columns[0]);
            let back = emit.b.scaled(skipped, -4);
            let ptr = emit.b.op(crate::loops::Operation::Offset(sums, back));
            emit.tiles.push((
                product.stage,
                0,
                Tile::Scratch {
                    ptr,
                    strides: vec![(plan.m, width), (plan.n, 1)],
                    registers: false,
                },
            ));
        }
        for number in plan.products.len()..emit.kernel.stages.len() {
            epilogue(emit, plan, number, rows, columns)?;
        }
        emit.tiles.truncate(known);
        Ok(())
    })
}

/// Binds the batch axes to their one point.
pub(super) fn with_batch(
    emit: &mut Emit<'_>,
    axes: &[AxisId],
    ranges: &[[ValueId; 2]],
    body: &mut dyn FnMut(&mut Emit<'_>) -> Result<(), String>,
) -> Result<(), String> {
    match axes.split_first() {
        None => body(emit),
        Some((axis, rest)) => emit.bound(*axis, ranges[0][0], |emit| {
            with_batch(emit, rest, &ranges[1..], body)
        }),
    }
}

/// Rows past the end of a range that a micro-kernel may add to.
fn spare_rows(emit: &Emit<'_>, product: &Product) -> u64 {
    match product.words.in_tiles(emit.machine) {
        true => 2 * micro::TILE as u64,
        false => 0,
    }
}

fn multiply(
    emit: &mut Emit<'_>,
    plan: &Plan,
    product: &Product,
    sums: ValueId,
    rows: [ValueId; 2],
    columns: [ValueId; 2],
) -> Result<(), String> {
    let mut left = Panel::rows(
        emit,
        product.rows,
        plan.m,
        product.k,
        plan.most_rows(),
        product.kc,
        product.words,
    );
    let mut right = Panel::columns(
        emit,
        product.columns,
        plan.n,
        product.k,
        plan.nc,
        product.kc,
        product.words,
    );
    let panels = [&mut left, &mut right];
    let row_count = emit.b.index_op(IndexOp::Sub, rows[1], rows[0]);
    micro::clear(emit, sums, row_count, plan.nc);
    let Some(groups) = plan.walked() else {
        return multiply_rows(emit, plan, product, panels, sums, [rows, columns]);
    };
    let spare = spare_rows(emit, product);
    groups.each(emit, rows, |emit, part| {
        let down = |emit: &mut Emit<'_>, row| {
            let skipped = emit.b.index_op(IndexOp::Sub, row, rows[0]);
            emit.b.element(sums, skipped, 4 * plan.nc as i64)
        };
        let own = down(emit, part[0]);
        multiply_rows(emit, plan, product, panels, own, [part, columns])?;
        if spare > 0 {
            // What was added past the part belongs to none; later parts add their own.
            let (after, spare) = (down(emit, part[1]), emit.b.index(spare as i64));
            micro::clear(emit, after, spare, plan.nc);
        }
        Ok(())
    })
}

/// sums += rows · columns.
fn multiply_rows(
    emit: &mut Emit<'_>,
    plan: &Plan,
    product: &Product,
    [left, right]: [&mut Panel; 2],
    sums: ValueId,
    [rows, columns]: [[ValueId; 2]; 2],
) -> Result<(), String> {
    let row_count = emit.b.index_op(IndexOp::Sub, rows[1], rows[0]);
    let column_count = emit.b.index_op(IndexOp::Sub, columns[1], columns[0]);
    // Packing stands between the folded axes, so nothing known outside is lost inside.
    emit.hoist(product.rows, &[plan.m, product.k])?;
    emit.hoist(product.columns, &[plan.n, product.k])?;
    emit.nest(&product.outer, &mut |emit| {
        let [first, size] = plan.folded(emit, product.k)?;
        let open = emit.b.begin_loop(first, size, product.kc as i64, &[]);
        let low = open.variable;
        let step = emit.b.index(product.kc as i64);
        let end = emit.b.add(low, step);
        let end = emit.least(end, size);
        let count = emit.b.index_op(IndexOp::Sub, end, low);
        let known = emit.cache.len();
        panels::pack(emit, right, product.columns, columns, [low, end])?;
        panels::pack(emit, left, product.rows, rows, [low, end])?;
        emit.cache.truncate(known);
        micro::multiply(
            emit,
            &micro::Block {
                left,
                right,
                sums,
                width: plan.nc,
                counts: [row_count, column_count, count],
                most_rows: plan.most_rows(),
                rows: emit.fixed(plan.m),
                odd_first: product.operands == DType::Bf16,
            },
        );
        emit.b.end_loop(open, &[]);
        Ok(())
    })
}

impl Plan {
    /// The groups that a tile of rows walks.
    fn walked(&self) -> Option<Groups> {
        self.groups.filter(|groups| !groups.folds)
    }

    /// Rows that a tile may have.
    fn most_rows(&self) -> u64 {
        self.mc + self.reach
    }

    /// What a product folds of an axis: all of it, or the rows of the group that is bound.
    pub fn folded(&self, emit: &mut Emit<'_>, axis: AxisId) -> Result<[ValueId; 2], String> {
        match self.groups.filter(|groups| groups.key == axis) {
            Some(groups) => groups.range(emit),
            None => Ok([emit.b.index(0), emit.size(axis)]),
        }
    }
}

/// A map over the tile.
fn epilogue(
    emit: &mut Emit<'_>,
    plan: &Plan,
    number: usize,
    rows: [ValueId; 2],
    columns: [ValueId; 2],
) -> Result<(), String> {
    let kernel = emit.kernel;
    let stage = &kernel.stages[number];
    let StageKind::Map { stores } = &stage.kind else {
        return Err("contractions are followed by something other than maps".to_owned());
    };
    check_epilogue(emit, plan, stage)?;
    let known = emit.cache.len();
    let widest = 2 * emit.machine.lanes;
    let widths = emit.widths(plan.n, widest);
    for store in stores {
        emit.hoist(store.value, &[plan.m, plan.n])?;
    }
    emit.each(plan.m, rows, |emit| {
        for store in stores {
            emit.hoist(store.value, &[plan.n])?;
        }
        emit.levels(plan.n, columns, &widths, &[], &mut |emit, _, _| {
            emit.stores(stores)?;
            Ok(Vec::new())
        })?;
        Ok(())
    })?;
    emit.cache.truncate(known);
    Ok(())
}

/// Refuses a map that does not span just the axes of the tile.
pub(super) fn check_epilogue(emit: &Emit<'_>, plan: &Plan, stage: &Stage) -> Result<(), String> {
    for axis in plan.batch.iter().chain([&plan.m, &plan.n]) {
        if !stage.domain.contains(axis) && emit.fixed(*axis) != Some(1) {
            return Err(format!(
                "a map over results of a contraction lacks axis {}",
                axis.0
            ));
        }
    }
    let bound = |axis: &AxisId| plan.batch.contains(axis) || *axis == plan.m || *axis == plan.n;
    match stage.domain.iter().all(bound) {
        true => Ok(()),
        false => Err("a map after a contraction has an axis of its own".to_owned()),
    }
}

/// Whether memory read by an expression is contiguous along an axis.
pub(super) fn is_contiguous(emit: &Emit<'_>, expr: ExprId, axis: AxisId) -> bool {
    rows::loads(emit.kernel, &[expr])
        .into_iter()
        .any(|(address, guards)| emit.stride_along(address, guards, axis) == Some(1))
}
