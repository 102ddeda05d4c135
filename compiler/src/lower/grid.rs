//! Tiles: how a launch's work is cut, and the loop over the tiles of one call.

use super::emit::Emit;
use crate::kernel::{AxisId, AxisSize, Kernel};
use crate::loops::{IndexOp, Operation, ValueId};

/// What a run-time size is taken for when tiles are chosen.
pub(crate) const TYPICAL: u64 = 1024;

/// Length of an axis, guessed if it is known only at run time.
pub(crate) fn typical(kernel: &Kernel, axis: AxisId) -> u64 {
    match kernel.axis_of(axis).size {
        AxisSize::Fixed(size) => size.max(1),
        AxisSize::Runtime(_) => TYPICAL,
    }
}

/// Tile sizes for parallel axes, outermost first. `unit` is the cost of one point in loaded
/// elements; `vector` must stay in blocks of that many. There shall be enough tiles for many
/// threads, and each shall be worth its launch.
pub(crate) fn choose(
    kernel: &Kernel,
    axes: &[AxisId],
    unit: u64,
    vector: Option<(AxisId, u64)>,
    team: bool,
) -> Vec<(AxisId, u64)> {
    let total = axes.iter().fold(unit, |total, axis| {
        total.saturating_mul(typical(kernel, *axis))
    });
    let target = match team {
        // Many small tiles: a GPU has some thousand teams at once.
        true => (total / 16384).clamp(128, 4096),
        false => (total / 64).clamp(4096, 65536),
    };
    let mut covered = unit.max(1);
    let mut tiles = vec![0; axes.len()];
    // The vector axis first, then the others from the innermost.
    let mut order: Vec<usize> = (0..axes.len()).rev().collect();
    order.sort_by_key(|index| vector.is_none_or(|(axis, _)| axis != axes[*index]));
    for index in order {
        let axis = axes[index];
        let block = match vector {
            Some((of, block)) if of == axis => block,
            _ => 1,
        };
        let size = match kernel.axis_of(axis).size {
            AxisSize::Fixed(size) => size.max(1),
            AxisSize::Runtime(_) => u64::MAX / 2,
        };
        let mut tile = (target / covered).clamp(1, size);
        if tile < size {
            tile = tile.next_multiple_of(block).min(size);
        }
        if tile < size && size < u64::MAX / 2 {
            // Equal parts.
            let parts = size.div_ceil(tile);
            tile = size.div_ceil(parts).next_multiple_of(block).min(size);
        }
        tiles[index] = tile;
        covered = covered.saturating_mul(tile);
    }
    axes.iter().copied().zip(tiles).collect()
}

impl Emit<'_> {
    /// Runs `body` for each tile of the call with the tile's range along each tiled axis.
    pub fn each_tile(
        &mut self,
        tiles: &[(AxisId, u64)],
        body: impl FnOnce(&mut Self, &[[ValueId; 2]]) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut counts = Vec::new();
        for (axis, tile) in tiles {
            let size = self.size(*axis);
            counts.push(self.b.div_ceil(size, *tile as i64));
        }
        let (begin, end) = (
            self.b.op(Operation::TileBegin),
            self.b.op(Operation::TileEnd),
        );
        let open = self.b.begin_loop(begin, end, 1, &[]);
        let mut rest = open.variable;
        let mut ranges = Vec::new();
        for (index, (axis, tile)) in tiles.iter().enumerate().rev() {
            let number = if index == 0 {
                rest
            } else {
                let number = self.b.index_op(IndexOp::Rem, rest, counts[index]);
                rest = self.b.index_op(IndexOp::Div, rest, counts[index]);
                number
            };
            let low = self.b.scaled(number, *tile as i64);
            let length = self.b.index(*tile as i64);
            let high = self.b.add(low, length);
            let size = self.size(*axis);
            let high = self.least(high, size);
            ranges.push([low, high]);
        }
        ranges.reverse();
        let known = self.cache.len();
        body(self, &ranges)?;
        self.cache.truncate(known);
        self.b.end_loop(open, &[]);
        Ok(())
    }
}
