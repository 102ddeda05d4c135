//! Kernels for NVIDIA cards, as MLIR text in the LLVM and NVVM dialects.
//!
//! Products of bf16 that `gemm/` covers and the kernels of attention that `attention/` does run on
//! Hopper's matrix instructions. Every other kernel is
//! a loop program for teams of threads ([`crate::loops`]), which runs on any card.

pub mod attention;
pub mod gemm;
mod point;
mod text;
mod thread;

use gemm::plan::Shape;
use mm1_package::GpuKernel;

use crate::codegen::mlir;
use crate::compile::{Body, Scheduled};
use crate::fuse::Fused;
use crate::kernel::{AxisId, Kernel, Stage, StageKind};
use crate::loops::TEAM;
use crate::lower::{self, Machine};
use crate::schedules::Schedules;
use crate::target::GpuTarget;

/// Shared memory that a block may ask for, bytes.
const SHARED_MEMORY: u64 = 227 << 10;
/// Most teams of a block.
const TEAMS: u64 = 4;
/// Threads of products that a multiprocessor has registers for, 168 a thread.
const PRODUCT_THREADS: u64 = 384;

/// A scheduled kernel.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// A module of one function, named `k` and the kernel's hash.
    pub text: String,
    /// How it is launched; the PTX is not known here.
    pub launch: GpuKernel,
    /// The grid: tiled axes and elements per tile.
    pub tiles: Vec<(AxisId, u64)>,
    /// What changes results, for the kernel's hash and for people.
    pub summary: String,
}

/// Schedules a kernel for a card; `alignment` are the bytes that the addresses of each buffer are
/// multiples of in all of its launches.
///
/// # Errors
/// A kernel that no schedule covers.
pub fn schedule(
    kernel: &Kernel,
    alignment: &[u32],
    target: &GpuTarget,
    schedules: &Schedules,
) -> Result<Schedule, String> {
    if target.wgmma {
        let mut facts = gemm::Facts::new(kernel, alignment);
        facts.shape = schedules.blocks(&kernel.hash()).and_then(Shape::named);
        // Blocks that were measured may not suit other alignments.
        if facts.shape.is_some()
            && let Ok(schedule) = gemm::schedule(kernel, &facts)
        {
            return Ok(schedule);
        }
        facts.shape = None;
        let fast = [gemm::schedule, attention::schedule];
        if let Some(schedule) = fast.iter().find_map(|by| by(kernel, &facts).ok()) {
            return Ok(schedule);
        }
    }
    by_teams(kernel, alignment)
}

/// Replaces calls of products that leave most of a card idle by two calls each, with a buffer of
/// partial sums between them.
pub fn split(fused: &mut Fused, target: &GpuTarget, schedules: &Schedules) {
    if target.wgmma {
        gemm::split::split(fused, schedules);
    }
}

/// The schedule that runs on any card: a team of threads per tile.
fn by_teams(kernel: &Kernel, alignment: &[u32]) -> Result<Schedule, String> {
    let mut lowered = lower::lower_aligned(kernel, &Machine::with_teams(), alignment)?;
    lowered.function.name = format!("k{}", kernel.hash());
    let scratch = lowered.function.scratch_bytes;
    let warps = u64::from(lowered.function.warps);
    let teams = match scratch {
        // The warps of a team wait for each other at the block's barrier.
        _ if warps > 1 => u64::from(scratch <= SHARED_MEMORY),
        0 => TEAMS,
        bytes => (SHARED_MEMORY / bytes).min(TEAMS),
    };
    if teams == 0 {
        return Err(format!(
            "a team needs {scratch} bytes of shared memory, a block has {SHARED_MEMORY}"
        ));
    }
    // Left to itself the assembler spills registers of products to have more blocks at once.
    let multiplies = |stage: &Stage| matches!(stage.kind, StageKind::Contract { .. });
    let threads = teams * warps * u64::from(TEAM);
    let blocks = kernel.stages.iter().any(multiplies).then(|| {
        let fit = SHARED_MEMORY / (teams * scratch).max(1);
        fit.min(PRODUCT_THREADS / threads).max(1) as u32
    });
    let text = mlir::emit_team_kernel(
        &lowered.function,
        kernel.buffers.len(),
        kernel.extents() as usize,
        teams as u32,
        blocks,
    )
    .map_err(|error| error.to_string())?;
    Ok(Schedule {
        text,
        launch: GpuKernel {
            ptx_bytes: 0,
            threads: threads as u32,
            shared_bytes: (teams * scratch) as u32,
            tiles_per_block: teams as u32,
            blocks_per_sm: None,
            tensor_maps: Vec::new(),
        },
        tiles: lowered.tiles,
        summary: format!("teams {}", lowered.schedule),
    })
}

/// Where a kernel's code begins, and the launch of a GPU kernel.
pub type Entry = (u64, Option<GpuKernel>);

/// PTX of scheduled kernels, module after module, with each one's place and launch.
///
/// # Errors
/// The first kernel, in order, that does not compile.
pub fn compile(
    scheduled: &[Scheduled],
    target: &GpuTarget,
) -> Result<(Vec<u8>, Vec<Entry>), String> {
    let mut texts = Vec::with_capacity(scheduled.len());
    let mut launches = Vec::with_capacity(scheduled.len());
    for it in scheduled {
        let Body::Gpu { text, launch } = &it.body else {
            return Err(format!("kernel `{}` is for a CPU", it.kernel.name));
        };
        texts.push(text.as_str());
        launches.push(launch);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let modules = mlir::compile_modules_to_ptx(&texts, target, threads);
    let mut code = Vec::new();
    let mut entries = Vec::with_capacity(scheduled.len());
    for ((it, launch), ptx) in scheduled.iter().zip(launches).zip(modules) {
        let ptx = ptx.map_err(|error| format!("kernel `{}`: {error}", it.kernel.name))?;
        let launch = GpuKernel {
            ptx_bytes: ptx.len() as u64,
            ..launch.clone()
        };
        entries.push((code.len() as u64, Some(launch)));
        code.extend_from_slice(ptx.as_bytes());
    }
    Ok((code, entries))
}
