//! Runs an entry: blocks on a few threads, warps of a block in turns.

mod access;
mod atomic;
mod barrier;
mod block;
mod bulk;
mod collective;
mod constants;
mod copies;
mod global;
mod local;
mod matrix;
mod mbarrier;
mod order;
mod races;
pub(crate) mod rows;
mod shared;
pub(crate) mod space;
mod step;
mod warp;
mod wgmma;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fault::{Fault, FaultKind};
use crate::memory::Memory;
use crate::module::{Module, Param};
use crate::program::Program;
use block::Block;

/// How a launch is run and what it checks.
#[derive(Clone, Debug)]
pub struct Options {
    /// 0: warps run in their order, each until it waits. Others: a random order and random turns.
    pub schedule: u64,
    /// Only these blocks (by their linear number); all if `None`.
    pub blocks: Option<Vec<u32>>,
    /// Report bytes of global memory that two blocks of the launch use, one of them writing.
    pub block_races: bool,
    /// Report shared memory that two threads use without an order between them, one of them writing.
    pub shared_races: bool,
    /// Ask for `wgmma.fence` between arithmetic on a register and a `wgmma` that uses it. A compiler that
    /// moves arithmetic behind the fence breaks the letter of the manual, though assemblers cope.
    pub wgmma_fences: bool,
    /// Most instructions of warps in one block.
    pub step_limit: u64,
    /// Threads that run blocks; 0 for all processors. Kernels with atomics on global memory or with
    /// ordered loads and stores run on one.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            schedule: 0,
            blocks: None,
            block_races: true,
            shared_races: true,
            wgmma_fences: true,
            step_limit: 1 << 32,
            threads: 0,
        }
    }
}

/// What a launch executed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Blocks that ran.
    pub blocks: u64,
    /// Instructions, counted once for each warp.
    pub warp_instructions: u64,
    /// Instructions, counted for each thread that took part.
    pub thread_instructions: u64,
    /// Warp instructions by opcode with its modifiers.
    pub by_opcode: BTreeMap<String, u64>,
    /// Bytes that threads loaded from global memory.
    pub global_read_bytes: u64,
    /// Bytes that threads stored to global memory.
    pub global_written_bytes: u64,
    /// Bytes that threads loaded from shared memory.
    pub shared_read_bytes: u64,
    /// Bytes that threads stored to shared memory.
    pub shared_written_bytes: u64,
    /// Bytes that bulk copies brought to shared memory.
    pub bulk_read_bytes: u64,
    /// `mov` of accumulators that a `wgmma` was still working on; see [`Options`].
    pub accumulator_moves: u64,
}

impl Stats {
    /// Warp instructions whose opcode starts with these parts: `wgmma.mma_async`, `bar.sync`.
    pub fn executed(&self, prefix: &str) -> u64 {
        let matches = |opcode: &str| {
            let rest = opcode.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.by_opcode
            .iter()
            .filter(|(opcode, _)| matches(opcode))
            .map(|(_, count)| count)
            .sum()
    }

    fn add(&mut self, other: &Stats) {
        self.blocks += other.blocks;
        self.warp_instructions += other.warp_instructions;
        self.thread_instructions += other.thread_instructions;
        for (opcode, count) in &other.by_opcode {
            *self.by_opcode.entry(opcode.clone()).or_default() += count;
        }
        self.global_read_bytes += other.global_read_bytes;
        self.global_written_bytes += other.global_written_bytes;
        self.shared_read_bytes += other.shared_read_bytes;
        self.shared_written_bytes += other.shared_written_bytes;
        self.bulk_read_bytes += other.bulk_read_bytes;
        self.accumulator_moves += other.accumulator_moves;
    }
}

/// What all blocks of a launch share.
pub(crate) struct Launch<'a> {
    pub program: &'a Program,
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub dynamic_shared: u32,
    pub params: Vec<u8>,
    pub memory: &'a Memory,
    pub variables: Vec<u64>,
    pub options: &'a Options,
    /// The launch's part of the tags by which blocks are told apart.
    pub tag: u32,
}

impl Launch<'_> {
    /// `%ctaid` of a block number.
    pub fn block_index(&self, linear: u32) -> [u32; 3] {
        let [x, y, _] = self.grid;
        [linear % x, linear / x % y, linear / x / y]
    }

    /// `%tid` of a thread number.
    pub fn thread_index(&self, linear: u32) -> [u32; 3] {
        let [x, y, _] = self.block;
        [linear % x, linear / x % y, linear / x / y]
    }

    pub fn threads(&self) -> u32 {
        self.block.iter().product()
    }
}

/// Most bytes of shared memory that a block of an H100 can have.
const MOST_SHARED: u32 = 227 * 1024;

/// Runs the entry `entry` of a module.
///
/// `grid` and `block` are sizes in blocks and threads, `dynamic_shared` is the size in bytes of
/// `.extern .shared` memory, `params` are in the entry's order.
///
/// # Errors
/// The first rule that is broken; of several blocks, that of the block with the lowest number.
#[allow(clippy::too_many_arguments)]
pub fn launch(
    module: &Module,
    entry: &str,
    grid: [u32; 3],
    block: [u32; 3],
    dynamic_shared: u32,
    params: &[Param],
    memory: &mut Memory,
    options: &Options,
) -> Result<Stats, Fault> {
    let refuse = |message: String| Fault {
        kind: FaultKind::Launch,
        message,
        kernel: entry.to_string(),
        line: 0,
        text: String::new(),
        block: [0; 3],
        thread: [0; 3],
        address: None,
    };
    let found = module.programs.iter().find(|program| program.name == entry);
    let Some(program) = found else {
        return Err(refuse(format!("the module has no entry `{entry}`")));
    };
    let bytes = check(program, grid, block, dynamic_shared, params).map_err(refuse)?;
    let variables = module.place_variables(memory);
    let tag = memory.start_launch(options.block_races);
    let blocks = grid.iter().map(|&size| u64::from(size)).product::<u64>() as u32;
    let launch = Launch {
        program,
        grid,
        block,
        dynamic_shared,
        params: bytes,
        memory,
        variables,
        options,
        tag,
    };
    let list: Vec<u32> = match &options.blocks {
        Some(list) => list.clone(),
        None => (0..blocks).collect(),
    };
    if let Some(block) = list.iter().find(|&&block| block >= blocks) {
        return Err(refuse(format!(
            "block {block} is asked for, but the grid has {blocks}"
        )));
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = if options.threads == 0 {
        processors
    } else {
        options.threads
    };
    let threads = if program.ordered {
        1
    } else {
        wanted.min(list.len()).max(1)
    };
    run_blocks(&launch, &list, threads)
}

/// Checks a launch; the parameters' bytes.
fn check(
    program: &Program,
    grid: [u32; 3],
    block: [u32; 3],
    dynamic_shared: u32,
    params: &[Param],
) -> Result<Vec<u8>, String> {
    let threads = block.iter().map(|&size| u64::from(size)).product::<u64>();
    if threads == 0 || threads > 1024 {
        return Err(format!(
            "a block of {block:?} has {threads} threads; 1 to 1024 are possible"
        ));
    }
    let blocks = grid.iter().map(|&size| u64::from(size)).product::<u64>();
    if blocks == 0 || blocks > 0xF_FFFE {
        return Err(format!(
            "a grid of {grid:?} has {blocks} blocks; 1 to 1048574 are possible"
        ));
    }
    if let Some(required) = program.required_threads
        && required != block
    {
        return Err(format!(
            "`.reqntid` is {required:?}, but the block is {block:?}"
        ));
    }
    if let Some(most) = program.most_threads
        && threads > most.iter().map(|&size| u64::from(size)).product()
    {
        return Err(format!(
            "`.maxntid` is {most:?}, but the block is {block:?}"
        ));
    }
    let shared = program.dynamic_start + dynamic_shared - space::SHARED_START;
    if shared > MOST_SHARED {
        return Err(format!(
            "the block needs {shared} bytes of shared memory of {MOST_SHARED}"
        ));
    }
    if params.len() != program.params.len() {
        return Err(format!(
            "{} parameters are given, but the entry has {}",
            params.len(),
            program.params.len()
        ));
    }
    let mut bytes = vec![0; program.param_bytes as usize];
    for (given, declared) in params.iter().zip(&program.params) {
        let value = given.bytes();
        if value.len() != declared.bytes as usize {
            return Err(format!(
                "parameter `{}` has {} bytes, but {} are given",
                declared.name,
                declared.bytes,
                value.len()
            ));
        }
        let at = declared.offset as usize;
        bytes[at..at + value.len()].copy_from_slice(&value);
    }
    Ok(bytes)
}

/// Blocks are claimed in their order, so those before the first faulty one all run.
fn run_blocks(launch: &Launch, list: &[u32], threads: usize) -> Result<Stats, Fault> {
    let next = AtomicU64::new(0);
    let faulty = AtomicU64::new(u64::MAX);
    let result = Mutex::new((Stats::default(), None::<(u64, Fault)>));
    let work = || {
        let mut block = Block::new(launch);
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= list.len() as u64 || place > faulty.load(Ordering::Relaxed) {
                break;
            }
            if let Err(fault) = block.run(list[place as usize]) {
                faulty.fetch_min(place, Ordering::Relaxed);
                let mut result = result.lock().unwrap_or_else(|poison| poison.into_inner());
                if result.1.as_ref().is_none_or(|(first, _)| place < *first) {
                    result.1 = Some((place, *fault));
                }
                break;
            }
        }
        let mut result = result.lock().unwrap_or_else(|poison| poison.into_inner());
        result.0.add(&block.stats());
    };
    if threads <= 1 {
        work();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
    }
    let (stats, fault) = result
        .into_inner()
        .unwrap_or_else(|poison| poison.into_inner());
    match fault {
        Some((_, fault)) => Err(fault),
        None => Ok(stats),
    }
}
