//! A block: its warps take turns until all have exited, or nothing can go on.

use std::collections::BTreeMap;

use super::access::Values;
use super::barrier::Barriers;
use super::constants::fill_constants;
use super::copies::Pending;
use super::mbarrier::Mbarrier;
use super::rows::{ALL, LANES};
use super::shared::Shared;
use super::warp::{Group, Wait, Warp};
use super::wgmma::Log;
use super::{Launch, Stats};
use crate::fault::{Fault, FaultKind, Trouble};
use crate::program::NONE;

/// Instructions of a warp's turn in the plain order; long, and still finite for loops that wait.
const LONG_TURN: u64 = 1 << 16;

/// How many times in a row all warps may poll in vain before that is a deadlock.
const VAIN_ROUNDS: u32 = 64;

/// The state of one block; used again for the next one.
pub(crate) struct Block<'a> {
    pub launch: &'a Launch<'a>,
    pub warps: Vec<Warp>,
    pub shared: Shared,
    pub barriers: Barriers,
    pub mbarriers: BTreeMap<u64, Mbarrier>,
    /// Copies and arrivals that happen by themselves.
    pub pending: Vec<Pending>,
    pub wgmma_logs: Vec<Log>,
    /// Counts what may let a waiting thread go on.
    pub progress: u64,
    /// Number of this block.
    pub number: u32,
    /// Executions of each instruction: by warps, by threads.
    pub counts: Vec<(u64, u64)>,
    pub traffic: Traffic,
    /// Room for what a load or store moves.
    pub values: Box<Values>,
    blocks: u64,
    pub steps: u64,
    random: u64,
}

/// Bytes that threads moved.
#[derive(Default)]
#[allow(missing_docs)]
pub(crate) struct Traffic {
    pub global_read: u64,
    pub global_written: u64,
    pub shared_read: u64,
    pub shared_written: u64,
    pub copied_to_shared: u64,
    pub accumulator_moves: u64,
}

impl<'a> Block<'a> {
    pub fn new(launch: &'a Launch<'a>) -> Block<'a> {
        let program = launch.program;
        let count = launch.threads().div_ceil(LANES as u32);
        Block {
            launch,
            warps: (0..count)
                .map(|_| Warp::new(program.rows, program.local_bytes))
                .collect(),
            shared: Shared::new(
                program.dynamic_start + launch.dynamic_shared,
                count as usize,
                launch.options.shared_races,
            ),
            barriers: Barriers::default(),
            mbarriers: BTreeMap::new(),
            pending: Vec::new(),
            wgmma_logs: Vec::new(),
            progress: 0,
            number: 0,
            counts: vec![(0, 0); program.code.len()],
            traffic: Traffic::default(),
            values: Box::default(),
            blocks: 0,
            steps: 0,
            random: 0,
        }
    }

    /// What ran so far.
    pub fn stats(&self) -> Stats {
        let program = self.launch.program;
        let mut by_opcode: BTreeMap<String, u64> = BTreeMap::new();
        let (mut warp_instructions, mut thread_instructions) = (0, 0);
        let mut last = NONE;
        for (inst, &(warps, threads)) in program.code.iter().zip(&self.counts) {
            // One source instruction may be several decoded ones.
            if warps == 0 || inst.source == last {
                continue;
            }
            last = inst.source;
            warp_instructions += warps;
            thread_instructions += threads;
            let opcode = &program.sources[inst.source as usize].2;
            *by_opcode.entry(opcode.to_string()).or_default() += warps;
        }
        Stats {
            blocks: self.blocks,
            warp_instructions,
            thread_instructions,
            by_opcode,
            global_read_bytes: self.traffic.global_read,
            global_written_bytes: self.traffic.global_written,
            shared_read_bytes: self.traffic.shared_read,
            shared_written_bytes: self.traffic.shared_written,
            bulk_read_bytes: self.traffic.copied_to_shared,
            accumulator_moves: self.traffic.accumulator_moves,
        }
    }

    fn reset(&mut self, number: u32) {
        self.number = number;
        self.steps = 0;
        self.blocks += 1;
        let seed = self.launch.options.schedule;
        self.random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(number) << 32 | 1;
        self.shared.reset();
        self.barriers = Barriers::default();
        self.mbarriers.clear();
        self.pending.clear();
        self.wgmma_logs.clear();
        self.wgmma_logs
            .resize_with(self.warps.len().div_ceil(4), Log::default);
        let launch = self.launch;
        let threads = launch.threads();
        for (index, warp) in self.warps.iter_mut().enumerate() {
            let left = threads - (index * LANES) as u32;
            warp.reset(if left >= 32 { ALL } else { (1 << left) - 1 });
            fill_constants(launch, number, index, &mut warp.rows);
        }
    }

    fn next_random(&mut self) -> u64 {
        // xorshift64*; only the variety of orders matters.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// Runs block `number`.
    pub fn run(&mut self, number: u32) -> Result<(), Box<Fault>> {
        self.reset(number);
        let count = self.warps.len();
        let scheduled = self.launch.options.schedule != 0;
        let (mut turn, mut vain, mut progress) = (0, 0, 0);
        loop {
            if scheduled && !self.pending.is_empty() && self.next_random().is_multiple_of(8) {
                self.deliver_one()?;
            }
            let start = if scheduled {
                self.next_random() as usize % count
            } else {
                turn
            };
            let ready = (0..count)
                .map(|i| (start + i) % count)
                .find(|&w| self.warps[w].is_ready());
            let Some(w) = ready else {
                if self.warps.iter().all(|warp| warp.live == 0) {
                    return self
                        .check_end()
                        .map_err(|(w, pc, trouble)| self.fault(w, pc, trouble));
                }
                if !self.pending.is_empty() {
                    self.deliver_one()?;
                    continue;
                }
                vain = if progress == self.progress {
                    vain + 1
                } else {
                    0
                };
                progress = self.progress;
                if vain > VAIN_ROUNDS || !self.wake_pollers() {
                    return Err(self.deadlock());
                }
                continue;
            };
            let turns = match scheduled {
                // Both single instructions and long stretches show faults that the other hides.
                true if self.next_random().is_multiple_of(4) => 1 + self.next_random() % 2000,
                true => 1 + self.next_random() % 24,
                false => LONG_TURN,
            };
            self.run_warp(w, turns)?;
            turn = (w + 1) % count;
        }
    }

    /// Carries out the oldest pending operation, or a random one.
    fn deliver_one(&mut self) -> Result<(), Box<Fault>> {
        let index = match self.launch.options.schedule {
            0 => 0,
            _ => self.next_random() as usize % self.pending.len(),
        };
        self.deliver(index)
            .map_err(|(w, pc, trouble)| self.fault(w, pc, trouble))
    }

    /// Threads that tested an mbarrier in vain go on; whether there are any.
    fn wake_pollers(&mut self) -> bool {
        let any = self.warps.iter().any(|warp| {
            warp.groups
                .iter()
                .any(|group| matches!(group.wait, Wait::Poll(_)))
        });
        self.wake(|wait| matches!(wait, Wait::Poll(_)));
        any
    }

    /// Instructions so far, as a clock.
    pub(super) fn clock(&self) -> u64 {
        self.steps + self.counts.len() as u64
    }

    /// All warps wait: says what for.
    fn deadlock(&self) -> Box<Fault> {
        let mut waits = Vec::new();
        let mut first = None;
        for (w, warp) in self.warps.iter().enumerate() {
            for group in &warp.groups {
                first.get_or_insert((w, *group));
                if waits.len() == 6 {
                    waits.push("…".to_string());
                }
                if waits.len() > 6 {
                    continue;
                }
                let what = match group.wait {
                    Wait::No => "nothing".to_string(),
                    Wait::Together => "the other threads of its warp".to_string(),
                    Wait::Barrier(id) => format!("barrier {id}{}", self.barriers.describe(id)),
                    Wait::Cluster(_) => "the cluster barrier".to_string(),
                    Wait::Poll(address) => match self.mbarriers.get(&address) {
                        Some(mbarrier) => {
                            format!("the mbarrier at {address:#x} ({})", mbarrier.describe())
                        }
                        None => format!("the mbarrier at {address:#x}"),
                    },
                };
                let line =
                    self.source_of(group.pc.saturating_sub(u32::from(!matches!(
                        group.wait,
                        Wait::Together | Wait::No
                    ))));
                waits.push(format!(
                    "warp {w} ({} threads, line {line}) waits for {what}",
                    group.mask.count_ones()
                ));
            }
        }
        let (w, group) = first.unwrap_or((
            0,
            Group {
                pc: 0,
                mask: 1,
                wait: Wait::No,
            },
        ));
        let apart = self
            .warps
            .iter()
            .any(|warp| warp.groups.iter().any(|group| group.wait == Wait::Together));
        let kind = if apart {
            FaultKind::Divergence
        } else {
            FaultKind::Deadlock
        };
        let message = format!("all threads wait: {}", waits.join("; "));
        let lane = group.mask.trailing_zeros() as usize % LANES;
        let back = u32::from(group.wait != Wait::Together);
        self.fault(
            w,
            group.pc.saturating_sub(back),
            Trouble::new(kind, lane, message),
        )
    }

    fn source_of(&self, pc: u32) -> u32 {
        let program = self.launch.program;
        program
            .code
            .get(pc as usize)
            .map_or(0, |inst| program.sources[inst.source as usize].0)
    }

    /// Adds the place to a trouble.
    pub fn fault(&self, w: usize, pc: u32, trouble: Trouble) -> Box<Fault> {
        let program = self.launch.program;
        let source = program
            .code
            .get(pc as usize)
            .map(|inst| inst.source as usize);
        let (line, text) = source
            .and_then(|source| program.sources.get(source))
            .map_or((0, String::new()), |(line, text, _)| {
                (*line, text.to_string())
            });
        Box::new(Fault {
            kind: trouble.kind,
            message: trouble.message,
            kernel: program.name.clone(),
            line,
            text,
            block: self.launch.block_index(self.number),
            thread: self.launch.thread_index((w * LANES + trouble.lane) as u32),
            address: trouble.address,
        })
    }
}
