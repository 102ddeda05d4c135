//! Lowering: a kernel becomes a loop program for a named machine.
mod attention;
mod math;

use crate::kernel::{AxisId, Kernel};
use crate::loops::Function;

/// What lowering must know of a processor; a pure function of the named target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// f32 lanes of a vector register.
    pub lanes: u32,
    /// Vector registers.
    pub registers: u32,
    /// Whether pairs of bf16 are multiplied by an instruction.
    pub bf16_dot: bool,
    /// Bytes of the first-level data cache.
    pub l1: u64,
    /// Bytes of the second-level cache of one core.
    pub l2: u64,
}

impl Machine {
    /// A processor with vectors of so many f32 lanes.
    pub fn with_lanes(lanes: u32) -> Self {
        Self {
            lanes,
            registers: if lanes >= 16 { 32 } else { 16 },
            bf16_dot: false,
            l1: 32 << 10,
            l2: 1 << 20,
        }
    }
}

/// A scheduled kernel.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// The program.
    pub function: Function,
    /// The grid.
    pub tiles: Vec<(AxisId, u64)>,
    /// What changes results.
    pub schedule: String,
}

/// Schedules a kernel.
///
/// # Errors
/// A stage pattern that no strategy covers.
pub fn lower(kernel: &Kernel, machine: &Machine) -> Result<Lowered, String> {
    if attention::is_attention(kernel) {
        return attention::lower(kernel, machine);
    }
    Err(format!("kernel `{}`", kernel.name))
}
