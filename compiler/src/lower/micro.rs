//! The micro-kernel: a block of results in registers, multiplied over packed panels.

use mm1_package::DType;

use super::Machine;
use super::emit::Emit;
use super::panels::Panel;
use crate::loops::{IndexOp, Operation, ValueId};

/// Rows of a tile, and words of one of its rows.
pub(crate) const TILE: i64 = 16;

/// What the words of packed operands are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// An f32 each.
    Single,
    /// Two bf16 neighbours along k, the even one low.
    Pairs,
    /// Pairs, three panels of them: every f32 is the sum of three bf16, its significand cut into
    /// pieces of 8 bits. A product of two f32 is then that of the pieces, of which those below
    /// 2⁻²¹ of it are left out; an infinity becomes NaN.
    Pieces,
}

impl Words {
    /// Panels that an operand is packed into.
    pub fn panels(self) -> i64 {
        match self {
            Self::Pieces => 3,
            _ => 1,
        }
    }

    /// Elements of a word along k.
    pub fn elements(self) -> i64 {
        match self {
            Self::Single => 1,
            _ => 2,
        }
    }

    /// Whether tile registers multiply them.
    pub fn in_tiles(self, machine: &Machine) -> bool {
        machine.tiles && self != Self::Single
    }
}

/// Rows and columns of results that fit the registers beside two of the right operand and one
/// broadcast; with tiles, what a tile of rows and two of columns hold.
pub(crate) fn block(machine: &Machine, words: Words) -> (u32, u32) {
    match machine.registers {
        _ if words.in_tiles(machine) => (TILE as u32, 2 * TILE as u32),
        32.. => (12, 2 * machine.lanes),
        _ => (6, 2 * machine.lanes),
    }
}

/// What one call of the micro-kernels multiplies.
pub(crate) struct Block<'p> {
    pub left: &'p Panel,
    pub right: &'p Panel,
    /// f32 results, `width` per row, added to.
    pub sums: ValueId,
    pub width: u64,
    /// Rows, columns and elements of k.
    pub counts: [ValueId; 3],
    /// Rows that there is scratch for.
    pub most_rows: u64,
    /// All rows of the kernel if known when compiled.
    pub rows: Option<u64>,
    /// Whether pairs along k are added odd element first, as `DotPairs` does.
    pub odd_first: bool,
}

/// Zeroes the rows of a tile.
pub(crate) fn clear(emit: &mut Emit<'_>, sums: ValueId, rows: ValueId, width: u64) {
    let lanes = emit.machine.lanes;
    let zero = emit.b.float(0.0, lanes);
    let (low, width) = (emit.b.index(0), emit.b.index(width as i64));
    let words = emit.b.index_op(IndexOp::Mul, rows, width);
    emit.b.for_each(low, words, i64::from(lanes), |b, word| {
        let to = b.element(sums, word, 4);
        b.store(to, 0, zero, DType::F32);
    });
}

/// sums += left·right.
pub(crate) fn multiply(emit: &mut Emit<'_>, block: &Block<'_>) {
    let (mr, nr) = self::block(emit.machine, block.left.words);
    let tiles = block.left.words.in_tiles(emit.machine);
    // Heights of blocks: whole ones, then smaller ones for what is left. Tiles have scratch for whole
    // blocks, so one height will do where there are few ends.
    let mut heights = Vec::new();
    let mut left = block.rows;
    if tiles {
        let two = block.most_rows.is_multiple_of(2 * u64::from(mr));
        if two {
            heights.push(2 * mr);
        }
        if !two || block.rows.is_none() {
            heights.push(mr);
        }
    } else {
        for height in [mr, 4, 1] {
            let fits = left.is_none_or(|rows| rows >= u64::from(height));
            if fits && !heights.contains(&height) {
                heights.push(height);
                left = left.map(|rows| rows % u64::from(height));
            }
        }
    }
    let zero = emit.b.index(0);
    let columns = emit.b.begin_loop(zero, block.counts[1], i64::from(nr), &[]);
    let group = emit.b.index(i64::from(nr));
    let group = emit.b.index_op(IndexOp::Div, columns.variable, group);
    let right = emit
        .b
        .element(block.right.ptr, group, 4 * block.right.group_step);
    let sums = emit.b.element(block.sums, columns.variable, 4);
    let mut low = zero;
    for (level, height) in heights.iter().enumerate() {
        let end = if level + 1 == heights.len() {
            block.counts[0]
        } else {
            let step = emit.b.index(i64::from(*height));
            let mut rest = emit.b.index_op(IndexOp::Sub, block.counts[0], low);
            if tiles {
                // What is more than the lower height is a whole block.
                let more = emit.b.index(i64::from(height - heights[level + 1] - 1));
                rest = emit.b.add(rest, more);
            }
            let count = emit.b.index_op(IndexOp::Div, rest, step);
            let whole = emit.b.index_op(IndexOp::Mul, count, step);
            emit.b.add(low, whole)
        };
        let rows = emit.b.begin_loop(low, end, i64::from(*height), &[]);
        let left = emit
            .b
            .element(block.left.ptr, rows.variable, 4 * block.left.step);
        let sums = emit.b.element(sums, rows.variable, 4 * block.width as i64);
        match tiles {
            true => tile_registers(emit, block, *height, [left, right, sums]),
            false => registers(emit, block, *height, [left, right, sums]),
        }
        emit.b.end_loop(rows, &[]);
        low = end;
    }
    emit.b.end_loop(columns, &[]);
}

/// One block of `height` × NR results.
fn registers(
    emit: &mut Emit<'_>,
    block: &Block<'_>,
    height: u32,
    [left, right, sums]: [ValueId; 3],
) {
    let lanes = emit.machine.lanes;
    let register = i64::from(4 * lanes);
    let columns = [0, register];
    let places: Vec<i64> = (0..i64::from(height))
        .flat_map(|row| columns.map(|column| row * 4 * block.width as i64 + column))
        .collect();
    let mut values: Vec<ValueId> = places
        .iter()
        .map(|place| emit.b.load(sums, *place, DType::F32, lanes))
        .collect();
    let pairs = block.left.words == Words::Pairs;
    let (zero, two) = (emit.b.index(0), emit.b.index(2));
    // Words along k, two at a time, then the last of an odd number.
    let words = match pairs {
        true => emit.b.div_ceil(block.counts[2], 2),
        false => block.counts[2],
    };
    let half = emit.b.index_op(IndexOp::Div, words, two);
    let whole = emit.b.index_op(IndexOp::Mul, half, two);
    let order = if block.odd_first && !pairs {
        [1, 0]
    } else {
        [0, 1]
    };
    for (low, high, steps) in [(zero, whole, &order[..]), (whole, words, &[0][..])] {
        let open = emit.b.begin_loop(low, high, steps.len() as i64, &values);
        let mut inside = open.inside.clone();
        let left = emit.b.element(left, open.variable, 4 * block.left.k_step);
        let right = emit.b.element(right, open.variable, 4 * block.right.k_step);
        for step in steps {
            let dtype = if pairs { DType::I32 } else { DType::F32 };
            let from = 4 * block.right.k_step * step;
            let right = columns.map(|column| emit.b.load(right, from + column, dtype, lanes));
            for row in 0..height as usize {
                let from = 4 * (block.left.k_step * step + block.left.step * row as i64);
                let scalar = emit.b.load(left, from, dtype, 1);
                let splat = emit.b.op(Operation::Splat(scalar, lanes));
                for (column, right) in right.iter().enumerate() {
                    let sum = &mut inside[2 * row + column];
                    *sum = match pairs {
                        true => emit.b.op(Operation::DotPairs(*sum, splat, *right)),
                        false => emit.b.fma(splat, *right, *sum),
                    };
                }
            }
        }
        values = emit.b.end_loop(open, &inside);
    }
    for (place, value) in places.iter().zip(values) {
        emit.b.store(sums, *place, value, DType::F32);
    }
}

/// One block of `height` × NR results in tiles; rows past the end are computed and never read.
fn tile_registers(
    emit: &mut Emit<'_>,
    block: &Block<'_>,
    height: u32,
    [left, right, sums]: [ValueId; 3],
) {
    let width = 4 * block.width as i64;
    let row_of = |tile: i64| tile * TILE;
    let tiles = i64::from(height) / TILE;
    let columns = [0, 4 * TILE];
    let places: Vec<i64> = (0..tiles)
        .flat_map(|tile| columns.map(|column| row_of(tile) * width + column))
        .collect();
    let load =
        |emit: &mut Emit<'_>, ptr, offset, row| emit.b.op(Operation::TileLoad { ptr, offset, row });
    let values: Vec<ValueId> = places
        .iter()
        .map(|place| load(emit, sums, *place, width))
        .collect();
    let zero = emit.b.index(0);
    let words = emit.b.div_ceil(block.counts[2], 2);
    let open = emit.b.begin_loop(zero, words, TILE, &values);
    let mut inside = open.inside.clone();
    let left = emit.b.element(left, open.variable, 4 * block.left.k_step);
    let right = emit.b.element(right, open.variable, 4 * block.right.k_step);
    let panels = block.left.words.panels();
    for piece in 0..panels {
        let columns = columns.map(|column| {
            let offset = 4 * block.right.panel_step * piece + column;
            load(emit, right, offset, 4 * block.right.k_step)
        });
        // Pieces that together are too small to count are not multiplied.
        for other in 0..panels - piece {
            for (tile, sums) in (0..).zip(inside.chunks_mut(2)) {
                let step = 4 * block.left.step;
                let offset = 4 * block.left.panel_step * other + row_of(tile) * step;
                let rows = load(emit, left, offset, step);
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = emit.b.op(Operation::TileDot(*sum, rows, column));
                }
            }
        }
    }
    let values = emit.b.end_loop(open, &inside);
    for (place, value) in places.iter().zip(values) {
        emit.b.store_tile(sums, *place, width, value);
    }
}
