//! Contractions on a GPU, without its matrix units: each thread keeps a block of results.
//!
//! A team computes [`ROWS`] × [`COLUMNS`] results of one batch point. Its threads form a grid of
//! 4 × 8; thread (y, x) keeps 4 × 4 results, those of rows y, y + 4, … and columns x, x + 8, …, so
//! that neighbouring threads read neighbouring columns. Operands are evaluated where they are
//! used: per point of the folded axis 8 values for 16 fused multiply-adds. Rows and columns past
//! the end repeat the last one and are not stored. Each result is one chain of fused
//! multiply-adds in increasing order of the folded axes.

use super::contract::{self, Product};
use super::emit::{Emit, Tile};
use super::{Lowered, Machine};
use crate::kernel::{AxisId, ExprId, Kernel, StageKind};
use crate::loops::{Compare, IndexOp, Operation, ValueId};

/// Threads along rows and columns.
const GRID: [i64; 2] = [4, 8];
/// Results of a thread along rows and columns.
const BLOCK: [usize; 2] = [4, 4];
const ROWS: u64 = GRID[0] as u64 * BLOCK[0] as u64;
const COLUMNS: u64 = GRID[1] as u64 * BLOCK[1] as u64;

/// A thread's coordinates along one axis.
struct Points {
    axis: AxisId,
    /// Clamped to the axis.
    at: Vec<ValueId>,
    /// Whether the unclamped coordinate is on the axis.
    inside: Vec<ValueId>,
}

/// Lowers contractions that share their result axes, followed by maps.
pub(super) fn lower(original: &Kernel, machine: &Machine) -> Result<Lowered, String> {
    let mut kernel = original.clone();
    let plan = contract::plan(&mut kernel, machine)?;
    let virtual_axes = original.axes.len() as u32;
    let mut emit = Emit::new(&kernel, machine)?;
    let mut tiles: Vec<(AxisId, u64)> = plan.batch.iter().map(|axis| (*axis, 1)).collect();
    tiles.extend([(plan.m, ROWS), (plan.n, COLUMNS)]);
    emit.each_tile(&tiles, |emit, ranges| {
        contract::with_batch(emit, &plan.batch, ranges, &mut |emit| {
            let [rows, columns] = [tiles.len() - 2, tiles.len() - 1].map(|at| ranges[at][0]);
            let member = emit.b.op(Operation::Member);
            let wide = emit.b.index(GRID[1]);
            let y = emit.b.index_op(IndexOp::Div, member, wide);
            let x = emit.b.index_op(IndexOp::Rem, member, wide);
            let rows = points(emit, plan.m, rows, y, GRID[0], BLOCK[0]);
            let columns = points(emit, plan.n, columns, x, GRID[1], BLOCK[1]);
            let sums = plan
                .products
                .iter()
                .map(|product| multiply(emit, product, &rows, &columns))
                .collect::<Result<Vec<_>, _>>()?;
            store(emit, &plan, &sums, &rows, &columns)
        })
    })?;
    tiles.retain(|(axis, _)| axis.0 < virtual_axes);
    Ok(Lowered {
        function: emit.b.finish(format!("k{}", original.hash())),
        tiles,
        schedule: "contract by teams".to_owned(),
    })
}

fn points(
    emit: &mut Emit<'_>,
    axis: AxisId,
    low: ValueId,
    own: ValueId,
    step: i64,
    count: usize,
) -> Points {
    let size = emit.size(axis);
    let less = emit.b.index(-1);
    let last = emit.b.add(size, less);
    let first = emit.b.add(low, own);
    let mut points = Points {
        axis,
        at: Vec::new(),
        inside: Vec::new(),
    };
    for number in 0..count as i64 {
        let skip = emit.b.index(number * step);
        let at = emit.b.add(first, skip);
        points.inside.push(emit.b.compare(Compare::Lt, at, size));
        points.at.push(emit.least(at, last));
    }
    points
}

/// The thread's block of sums, row by row.
fn multiply(
    emit: &mut Emit<'_>,
    product: &Product,
    rows: &Points,
    columns: &Points,
) -> Result<Vec<ValueId>, String> {
    let zero = emit.b.float(0.0, 1);
    let sums = vec![zero; BLOCK[0] * BLOCK[1]];
    let mut folded = product.outer.clone();
    folded.push(product.k);
    fold(emit, &folded, product, rows, columns, sums)
}

fn fold(
    emit: &mut Emit<'_>,
    folded: &[AxisId],
    product: &Product,
    rows: &Points,
    columns: &Points,
    sums: Vec<ValueId>,
) -> Result<Vec<ValueId>, String> {
    if let Some((axis, rest)) = folded.split_first() {
        let (zero, size) = (emit.b.index(0), emit.size(*axis));
        return emit.fold(*axis, [zero, size], 1, &sums, |emit, inside| {
            fold(emit, rest, product, rows, columns, inside.to_vec())
        });
    }
    let left = along(emit, product.rows, rows)?;
    let right = along(emit, product.columns, columns)?;
    let mut next = Vec::with_capacity(sums.len());
    for (number, sum) in sums.into_iter().enumerate() {
        let (row, column) = (number / BLOCK[1], number % BLOCK[1]);
        next.push(emit.b.fma(left[row], right[column], sum));
    }
    Ok(next)
}

/// An operand at each of a thread's points.
fn along(emit: &mut Emit<'_>, operand: ExprId, points: &Points) -> Result<Vec<ValueId>, String> {
    let values = points
        .at
        .iter()
        .map(|at| emit.rebound(points.axis, *at, |emit| emit.float_at(operand, 1)));
    values.collect()
}

/// The maps that follow, at each point of the block that exists.
fn store(
    emit: &mut Emit<'_>,
    plan: &contract::Plan,
    sums: &[Vec<ValueId>],
    rows: &Points,
    columns: &Points,
) -> Result<(), String> {
    let kernel = emit.kernel;
    let known = (emit.tiles.len(), emit.cache.len());
    for number in 0..BLOCK[0] * BLOCK[1] {
        let (row, column) = (number / BLOCK[1], number % BLOCK[1]);
        let results = plan.products.iter().zip(sums);
        emit.tiles.extend(
            results.map(|(product, sums)| (product.stage, 0, Tile::Register(sums[number]))),
        );
        let exists = [rows.inside[row], columns.inside[column]];
        let exists = emit.b.op(Operation::MaskAnd(exists[0], exists[1]));
        emit.b.begin_if();
        let result = emit.rebound(rows.axis, rows.at[row], |emit| {
            emit.rebound(columns.axis, columns.at[column], |emit| {
                for stage in &kernel.stages[plan.products.len()..] {
                    contract::check_epilogue(emit, plan, stage)?;
                    if let StageKind::Map { stores } = &stage.kind {
                        emit.stores(stores)?;
                    }
                }
                Ok(())
            })
        });
        emit.b.end_if(exists);
        emit.cache.truncate(known.1);
        emit.tiles.truncate(known.0);
        result?;
    }
    Ok(())
}
