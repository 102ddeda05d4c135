//! The rows that hold constants and special registers, filled when a warp starts.

use super::Launch;
use super::rows::{ALL, Class, LANES, Rows};
use crate::program::{Constant, Special};

/// Constants and special registers of a warp.
pub(super) fn fill_constants(launch: &Launch, number: u32, warp: usize, rows: &mut Rows) {
    let block = launch.block_index(number);
    for &(slot, class, constant) in &launch.program.constants {
        let mut values = [0u64; LANES];
        match constant {
            Constant::Bits(bits) => values.fill(bits),
            Constant::Variable(index, offset) => {
                values.fill(launch.variables[index as usize].wrapping_add_signed(offset));
            }
            Constant::Special(special) => {
                for (lane, value) in values.iter_mut().enumerate() {
                    *value = special_value(launch, block, warp, lane as u32, special).into();
                }
            }
        }
        match class {
            Class::Wide => rows.set_wide(slot, ALL, &values),
            Class::Narrow | Class::Predicate => {
                rows.set_narrow(slot, ALL, &values.map(|value| value as u32));
            }
        }
    }
}

fn special_value(
    launch: &Launch,
    block: [u32; 3],
    warp: usize,
    lane: u32,
    special: Special,
) -> u32 {
    let program = launch.program;
    match special {
        Special::Thread(axis) => launch.thread_index((warp * LANES) as u32 + lane)[axis as usize],
        Special::Threads(axis) => launch.block[axis as usize],
        Special::Block(axis) => block[axis as usize],
        Special::Blocks(axis) => launch.grid[axis as usize],
        Special::Lane => lane,
        Special::Warp => warp as u32,
        Special::Warps => launch.threads().div_ceil(LANES as u32),
        Special::LaneMaskEqual => 1 << lane,
        Special::LaneMaskLess => (1 << lane) - 1,
        Special::LaneMaskLessEqual => ALL >> (31 - lane),
        Special::LaneMaskGreater => !(ALL >> (31 - lane)),
        Special::LaneMaskGreaterEqual => ALL << lane,
        Special::DynamicShared => launch.dynamic_shared,
        Special::TotalShared => {
            program.dynamic_start + launch.dynamic_shared - super::space::SHARED_START
        }
        Special::Zero => 0,
        Special::One => 1,
    }
}
