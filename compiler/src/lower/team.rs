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
    /// Clamped to the range.
    at: Vec<ValueId>,
    /// Whether the unclamped coordinate is in the range.
    inside: Vec<ValueId>,
}

/// Lowers contractions that share their result axes, followed by maps.
pub(super) fn lower(original: &Kernel, machine: &Machine) -> Result<Lowered, String> {
    let mut kernel = original.clone();
    let plan = contract::plan(&mut kernel, machine)?;
    let virtual_axes = original.axes.len() as u32;
    let mut emit = Emit::new(&kernel, machine)?;
    emit.ragged = plan.groups.map(|groups| groups.key);
    let mut tiles: Vec<(AxisId, u64)> = plan.batch.iter().map(|axis| (*axis, 1)).collect();
    tiles.extend([(plan.m, ROWS), (plan.n, COLUMNS)]);
    emit.each_tile(&tiles, |emit, ranges| {
        contract::with_batch(emit, &plan.batch, ranges, &mut |emit| {
            let [whole, columns] = [tiles.len() - 2, tiles.len() - 1].map(|at| ranges[at]);
            let member = emit.b.op(Operation::Member);
            let wide = emit.b.index(GRID[1]);
            let y = emit.b.index_op(IndexOp::Div, member, wide);
            let x = emit.b.index_op(IndexOp::Rem, member, wide);
            let first = emit.b.add(whole[0], y);
            let rows = points(emit, plan.m, first, whole, GRID[0], BLOCK[0]);
            let left = emit.b.add(columns[0], x);
            let columns = points(emit, plan.n, left, columns, GRID[1], BLOCK[1]);
            let zero = emit.b.float(0.0, 1);
            let zeros = vec![zero; BLOCK[0] * BLOCK[1]];
            let mut sums = Vec::new();
            for product in &plan.products {
                sums.push(match plan.groups.filter(|groups| !groups.folds) {
                    None => multiply(emit, &plan, product, [&rows, &columns], zeros.clone())?,
                    // Rows of other groups keep their sums.
                    Some(groups) => groups.fold(emit, whole, &zeros, |emit, part, inside| {
                        let rows = points(emit, plan.m, first, part, GRID[0], BLOCK[0]);
                        let own = multiply(emit, &plan, product, [&rows, &columns], zeros.clone())?;
                        let rows = (0..own.len()).map(|number| rows.inside[number / BLOCK[1]]);
                        let pairs = rows.zip(own).zip(inside);
                        Ok(pairs
                            .map(|((here, own), before)| emit.b.select(here, own, *before))
                            .collect())
                    })?,
                });
            }
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

/// Points `first`, `first + step`, … of a range.
fn points(
    emit: &mut Emit<'_>,
    axis: AxisId,
    first: ValueId,
    [low, high]: [ValueId; 2],
    step: i64,
    count: usize,
) -> Points {
    let less = emit.b.index(-1);
    let last = emit.b.add(high, less);
    let last = emit.b.index_op(IndexOp::Max, last, low);
    let mut points = Points {
        axis,
        at: Vec::new(),
        inside: Vec::new(),
    };
    for number in 0..count as i64 {
        let skip = emit.b.index(number * step);
        let at = emit.b.add(first, skip);
        let below = emit.b.compare(Compare::Lt, at, high);
        let above = emit.b.compare(Compare::Le, low, at);
        let inside = emit.b.op(Operation::MaskAnd(above, below));
        points.inside.push(inside);
        let at = emit.least(at, last);
        points.at.push(emit.b.index_op(IndexOp::Max, at, low));
    }
    points
}

/// The thread's block of sums, row by row.
fn multiply(
    emit: &mut Emit<'_>,
    plan: &contract::Plan,
    product: &Product,
    points: [&Points; 2],
    sums: Vec<ValueId>,
) -> Result<Vec<ValueId>, String> {
    let mut folded = product.outer.clone();
    folded.push(product.k);
    fold(emit, plan, &folded, product, points, sums)
}

fn fold(
    emit: &mut Emit<'_>,
    plan: &contract::Plan,
    folded: &[AxisId],
    product: &Product,
    [rows, columns]: [&Points; 2],
    sums: Vec<ValueId>,
) -> Result<Vec<ValueId>, String> {
    if let Some((axis, rest)) = folded.split_first() {
        let range = plan.folded(emit, *axis)?;
        return emit.fold(*axis, range, 1, &sums, |emit, inside| {
            let inside = inside.to_vec();
            fold(emit, plan, rest, product, [rows, columns], inside)
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
