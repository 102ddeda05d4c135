//! Lowering: a kernel becomes a loop program for a named machine.
//!
//! [`lower`] picks a strategy by the kernel's stages; each strategy is one file. All share
//! `emit.rs` (loops, axes, scratch), `value.rs` (expressions and addresses), `grid.rs` (tiles)
//! and `math.rs` (functions). What a strategy decides from sizes is either invisible in the
//! results (tile sizes) or named in [`Lowered::schedule`], which joins the kernel's hash.

mod attention;
mod columns;
mod contract;
pub(crate) mod emit;
mod grid;
pub(crate) mod groups;
mod math;
mod micro;
mod panels;
mod rows;
mod spread;
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
    /// Whether a team of threads takes the place of vector registers (a GPU): neighbouring points
    /// of the vector axis, or neighbouring groups of `lanes` points, belong to neighbouring threads.
    pub team: bool,
    /// Warps of a team.
    pub warps: u32,
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
            warps: 1,
        }
    }

    /// A GPU of which every thread sees one lane.
    pub fn with_teams() -> Self {
        Self {
            team: true,
            ..Self::with_lanes(1)
        }
    }

    /// Threads of a team.
    pub fn threads(&self) -> u32 {
        TEAM * self.warps
    }

    /// Points that are computed side by side: lanes of a register, or of the threads of a team.
    pub fn width(&self) -> u32 {
        match self.team {
            true => self.threads() * self.lanes,
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
    lower_aligned(kernel, machine, &[])
}

/// As [`lower`], where the address of each buffer is a multiple of so many bytes in every launch.
/// Teams read and write registers of several lanes only where that is known.
///
/// # Errors
/// As [`lower`].
pub fn lower_aligned(
    kernel: &Kernel,
    machine: &Machine,
    alignment: &[u32],
) -> Result<Lowered, String> {
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
        return rows::lower(kernel, machine, alignment);
    };
    strategy(kernel, machine)
}

#[cfg(test)]
mod tests;
