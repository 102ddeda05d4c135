//! Lowering: a kernel becomes a loop program for a named machine.
//!
//! [`lower`] picks a strategy by the kernel's stages; each strategy is one file. All share
//! `emit.rs` (loops, axes, scratch), `value.rs` (expressions and addresses), `grid.rs` (tiles)
//! and `math.rs` (functions). What a strategy decides from sizes is either invisible in the
//! results (tile sizes) or named in [`Lowered::schedule`], which joins the kernel's hash.

mod attention;
mod contract;
pub(crate) mod emit;
mod grid;
mod math;
mod micro;
mod panels;
mod rows;
mod team;
mod value;

use crate::kernel::{AxisId, Kernel, StageKind};
use crate::loops::{Function, TEAM};

/// What lowering must know of a machine; a pure function of the named target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// f32 lanes of a vector register.
    pub lanes: u32,
    /// Vector registers.
    pub registers: u32,
    /// Whether pairs of bf16 are multiplied by an instruction.
    pub bf16_dot: bool,
    /// Whether pairs of bf16 are multiplied tile by tile: 16 rows of 16 pairs.
    pub tiles: bool,
    /// Bytes of the first-level data cache.
    pub l1: u64,
    /// Bytes of the second-level cache of one core.
    pub l2: u64,
    /// Whether a team of threads takes the place of vector registers (a GPU): values have one
    /// lane, and neighbouring points of the vector axis belong to neighbouring threads.
    pub team: bool,
}

impl Machine {
    /// A processor with vectors of so many f32 lanes: 16 for AVX-512, 8 for AVX2, 4 for the
    /// vectors that Cranelift has.
    pub fn with_lanes(lanes: u32) -> Self {
        Self {
            lanes,
            registers: if lanes >= 16 { 32 } else { 16 },
            bf16_dot: false,
            tiles: false,
            l1: 32 << 10,
            l2: 1 << 20,
            team: false,
        }
    }

    /// A GPU of which every thread sees one lane.
    pub fn with_teams() -> Self {
        Self {
            team: true,
            ..Self::with_lanes(1)
        }
    }

    /// Points that are computed side by side: lanes of a register, or threads of a team.
    pub fn width(&self) -> u32 {
        match self.team {
            true => TEAM,
            false => self.lanes,
        }
    }
}

/// A scheduled kernel.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// The program.
    pub function: Function,
    /// The grid: tiled axes, outermost first, and elements per tile. A launch has
    /// Π ⌈size / tile⌉ tiles.
    pub tiles: Vec<(AxisId, u64)>,
    /// What changes results: strategy, vector axis, reduction width. Part of the hash.
    pub schedule: String,
}

/// Schedules a kernel.
///
/// # Errors
/// A stage pattern that no strategy covers, or a malformed kernel.
pub fn lower(kernel: &Kernel, machine: &Machine) -> Result<Lowered, String> {
    let has =
        |wanted: fn(&StageKind) -> bool| kernel.stages.iter().any(|stage| wanted(&stage.kind));
    let strategy = if attention::is_attention(kernel) {
        attention::lower
    } else if has(|kind| matches!(kind, StageKind::Contract { .. })) {
        match machine.team {
            true => team::lower,
            false => contract::lower,
        }
    } else {
        rows::lower
    };
    strategy(kernel, machine)
}

#[cfg(test)]
mod tests;
