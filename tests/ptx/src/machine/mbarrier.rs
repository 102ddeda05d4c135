//! mbarriers: counted arrivals and bytes, phase after phase.

use super::access::{addresses, lanes, resolve};
use super::block::Block;
use super::order::Clock;
use super::rows::LANES;
use super::shared::Who;
use super::step::{Step, check_written};
use super::warp::Wait;
use crate::fault::{FaultKind, Trouble};
use crate::parse::syntax::Space;
use crate::program::{MbarrierKind, MbarrierOp, NONE};

/// Largest count of arrivals or bytes.
const MOST: i64 = (1 << 20) - 1;

/// An mbarrier in shared memory.
#[derive(Debug, Default)]
pub(crate) struct Mbarrier {
    /// Arrivals of a phase.
    count: u32,
    /// Arrivals that the current phase still needs.
    pending: i64,
    /// Bytes that the current phase still needs.
    bytes: i64,
    /// Phases that are complete.
    pub phase: u64,
    /// What the current phase's arrivals have done.
    pub current: Clock,
    /// What those of complete phases have done.
    complete: Clock,
    /// Who initialised it.
    warp: usize,
    time: u32,
}

impl Mbarrier {
    /// What is missing.
    pub fn describe(&self) -> String {
        format!(
            "phase {} lacks {} arrivals and {} bytes",
            self.phase, self.pending, self.bytes
        )
    }
}

impl Block<'_> {
    /// The mbarrier that a thread names, if the thread may use it.
    pub(super) fn mbarrier(
        &mut self,
        who: Who,
        address: u64,
        by_copy: bool,
    ) -> Result<&mut Mbarrier, Trouble> {
        let Some(mbarrier) = self.mbarriers.get_mut(&address) else {
            let message = "no mbarrier was initialised here";
            return Err(Trouble::new(FaultKind::Mbarrier, who.lane, message).at(address));
        };
        let clock = self.shared.clock(who.warp);
        if mbarrier.warp != who.warp && !clock.knows(mbarrier.warp, mbarrier.time) {
            let message = format!(
                "the mbarrier is used without an order after its initialisation by warp {}",
                mbarrier.warp
            );
            return Err(Trouble::new(FaultKind::SharedRace, who.lane, message).at(address));
        }
        if by_copy && !clock.fenced(mbarrier.warp, mbarrier.time) {
            let message = "a copy uses an mbarrier whose initialisation is not made visible to copies \
                           by `fence.mbarrier_init` or `fence.proxy.async`";
            return Err(Trouble::new(FaultKind::Mbarrier, who.lane, message).at(address));
        }
        Ok(mbarrier)
    }

    /// Ends the current phase if nothing is missing.
    pub(super) fn settle_mbarrier(&mut self, address: u64) {
        let Some(mbarrier) = self.mbarriers.get_mut(&address) else {
            return;
        };
        if mbarrier.pending != 0 || mbarrier.bytes != 0 {
            return;
        }
        mbarrier.phase += 1;
        mbarrier.pending = mbarrier.count.into();
        let current = std::mem::take(&mut mbarrier.current);
        mbarrier.complete.add(&current);
        self.progress += 1;
        self.wake(|wait| wait == Wait::Poll(address));
    }

    /// `bytes` more are expected, or, if negative, have come.
    pub(super) fn count_bytes(
        &mut self,
        lane: usize,
        address: u64,
        bytes: i64,
    ) -> Result<(), Trouble> {
        let Some(mbarrier) = self.mbarriers.get_mut(&address) else {
            let message = "the mbarrier of a copy is gone";
            return Err(Trouble::new(FaultKind::Mbarrier, lane, message).at(address));
        };
        mbarrier.bytes += bytes;
        if mbarrier.bytes.abs() > MOST {
            let message = format!("{} bytes are more than an mbarrier counts", mbarrier.bytes);
            return Err(Trouble::new(FaultKind::Mbarrier, lane, message).at(address));
        }
        Ok(())
    }

    /// `count` arrivals of a thread.
    pub(super) fn arrive(&mut self, who: Who, address: u64, count: i64) -> Result<u64, Trouble> {
        let mbarrier = self.mbarrier(who, address, false)?;
        let phase = mbarrier.phase;
        if count < 1 || count > mbarrier.pending {
            let message = format!(
                "{count} arrivals, but phase {phase} of the mbarrier lacks {} of {}",
                mbarrier.pending, mbarrier.count
            );
            return Err(Trouble::new(FaultKind::Mbarrier, who.lane, message).at(address));
        }
        mbarrier.pending -= count;
        let mut current = std::mem::take(&mut mbarrier.current);
        self.shared.order.release(who.warp, &mut current);
        if let Some(mbarrier) = self.mbarriers.get_mut(&address) {
            mbarrier.current = current;
        }
        Ok(phase)
    }

    /// One thread after the other.
    pub(super) fn mbarrier_op(
        &mut self,
        w: usize,
        op: &MbarrierOp,
        active: u32,
        line: u32,
    ) -> Result<Step, Trouble> {
        let rows = &self.warps[w].rows;
        check_written(rows, op.address.slot, active)?;
        for slot in [op.count, op.bytes, op.state] {
            if slot != NONE {
                check_written(rows, slot, active)?;
            }
        }
        let places = addresses(rows, &op.address);
        let narrow = |slot: u32, other: u32| match slot {
            NONE => [other; LANES],
            slot => *rows.narrow(slot),
        };
        let (counts, bytes) = (narrow(op.count, 1), narrow(op.bytes, 0));
        let states = match op.state {
            NONE => [0; LANES],
            slot => *rows.wide(slot),
        };
        let mut done = 0;
        let mut asleep = None;
        for lane in lanes(active) {
            let who = Who {
                warp: w,
                lane,
                line,
                atomic: false,
            };
            let (space, address) = resolve(op.space, places[lane]);
            if space != Space::Shared {
                let message = "an mbarrier outside of shared memory";
                return Err(Trouble::new(FaultKind::Mbarrier, lane, message).at(address));
            }
            if !address.is_multiple_of(8) {
                let message = "an mbarrier is not at a multiple of 8";
                return Err(Trouble::new(FaultKind::Misaligned, lane, message).at(address));
            }
            match op.kind {
                MbarrierKind::Init => self.init_mbarrier(who, address, counts[lane])?,
                MbarrierKind::Invalidate => {
                    self.mbarrier(who, address, false)?;
                    self.mbarriers.remove(&address);
                    self.shared.set_mbarrier(who, address, false)?;
                }
                MbarrierKind::Expect => {
                    self.mbarrier(who, address, false)?;
                    self.count_bytes(lane, address, bytes[lane].into())?;
                }
                MbarrierKind::Complete => {
                    self.mbarrier(who, address, false)?;
                    self.count_bytes(lane, address, -i64::from(bytes[lane]))?;
                    self.settle_mbarrier(address);
                }
                MbarrierKind::Arrive { no_complete, drop } => {
                    if op.bytes != NONE {
                        self.mbarrier(who, address, false)?;
                        self.count_bytes(lane, address, bytes[lane].into())?;
                    }
                    let phase = self.arrive(who, address, counts[lane].into())?;
                    let mbarrier = self.mbarrier(who, address, false)?;
                    if drop {
                        mbarrier.count = mbarrier.count.saturating_sub(counts[lane]);
                    }
                    if no_complete && mbarrier.pending == 0 && mbarrier.bytes == 0 {
                        let message = "`.noComplete`, but the arrival completes the phase";
                        return Err(Trouble::new(FaultKind::Mbarrier, lane, message).at(address));
                    }
                    self.settle_mbarrier(address);
                    if op.result != NONE {
                        self.warps[w].rows.set_lane_wide(op.result, lane, phase);
                    }
                }
                MbarrierKind::Test | MbarrierKind::TestParity => {
                    let mbarrier = self.mbarrier(who, address, false)?;
                    let phase = mbarrier.phase;
                    let over = match op.kind {
                        MbarrierKind::Test => {
                            let state = states[lane];
                            if state > phase || state + 1 < phase {
                                let message = format!(
                                    "a wait for phase {state} while the mbarrier is in phase {phase}"
                                );
                                return Err(
                                    Trouble::new(FaultKind::Mbarrier, lane, message).at(address)
                                );
                            }
                            phase > state
                        }
                        // True if the phase of this parity is the one before the current.
                        _ => {
                            let parity = u64::from(counts[lane]);
                            if parity > 1 {
                                let message = format!("a parity of {parity} is not 0 or 1");
                                return Err(
                                    Trouble::new(FaultKind::Mbarrier, lane, message).at(address)
                                );
                            }
                            phase & 1 != parity
                        }
                    };
                    if over {
                        done |= 1 << lane;
                        let complete = mbarrier.complete.clone();
                        let whole = active == self.warps[w].live;
                        self.shared.order.acquire(w, &complete, whole);
                    } else {
                        asleep = Some(address);
                    }
                }
            }
        }
        match (op.kind, asleep) {
            (MbarrierKind::Test | MbarrierKind::TestParity, asleep) => {
                self.warps[w].rows.set_predicate(op.result, active, done);
                // Nobody of the group can go on: sleep until something may have changed.
                Ok(match asleep {
                    Some(address) if done == 0 => Step::Wait(Wait::Poll(address)),
                    _ => {
                        self.progress += u64::from(done != 0);
                        Step::Next
                    }
                })
            }
            _ => Ok(Step::Next),
        }
    }

    fn init_mbarrier(&mut self, who: Who, address: u64, count: u32) -> Result<(), Trouble> {
        if count == 0 || i64::from(count) > MOST {
            let message = format!("an mbarrier for {count} arrivals; 1 to {MOST} are possible");
            return Err(Trouble::new(FaultKind::Mbarrier, who.lane, message).at(address));
        }
        if self.mbarriers.contains_key(&address) {
            let message = "an mbarrier is initialised again without `mbarrier.inval`";
            return Err(Trouble::new(FaultKind::Mbarrier, who.lane, message).at(address));
        }
        self.shared.set_mbarrier(who, address, true)?;
        let mbarrier = Mbarrier {
            count,
            pending: count.into(),
            warp: who.warp,
            time: self.shared.order.time[who.warp],
            ..Mbarrier::default()
        };
        self.mbarriers.insert(address, mbarrier);
        Ok(())
    }

    /// `cp.async.mbarrier.arrive` without `.noinc`: one arrival more is pending.
    pub(super) fn add_pending(&mut self, who: Who, address: u64) -> Result<(), Trouble> {
        self.mbarrier(who, address, false)?.pending += 1;
        Ok(())
    }
}
