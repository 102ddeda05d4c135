//! Atomics of integers.

use super::access::{addresses, check_aligned, lanes, resolve};
use super::block::Block;
use super::rows::Class;
use super::shared::Who;
use super::step::check_written;
use crate::fault::{FaultKind, Trouble};
use crate::parse::syntax::Space;
use crate::program::{Atomic, AtomicKind, NONE};

impl Block<'_> {
    /// One lane after the other.
    pub(super) fn atomic(
        &mut self,
        w: usize,
        atomic: &Atomic,
        active: u32,
        line: u32,
    ) -> Result<(), Trouble> {
        if atomic.refused {
            let message =
                "atomics of floats are refused: their sums depend on the order of threads";
            let lane = active.trailing_zeros() as usize;
            return Err(Trouble::new(FaultKind::Refused, lane, message));
        }
        let rows = &self.warps[w].rows;
        for slot in [atomic.address.slot, atomic.value, atomic.other] {
            if slot != NONE {
                check_written(rows, slot, active)?;
            }
        }
        let addresses = addresses(rows, &atomic.address);
        let bytes = atomic.bytes;
        for lane in lanes(active) {
            let (space, address) = resolve(atomic.space, addresses[lane]);
            check_aligned(lane, address, bytes)?;
            let rows = &self.warps[w].rows;
            let get = |slot: u32| match (slot, atomic.class) {
                (NONE, _) => 0,
                (_, Class::Wide) => rows.wide(slot)[lane],
                (_, Class::Narrow | Class::Predicate) => rows.narrow(slot)[lane].into(),
            };
            let (value, other) = (get(atomic.value), get(atomic.other));
            let old = match space {
                Space::Global | Space::Generic => {
                    let memory = self.launch.memory;
                    let found = memory.locate(address, bytes.into(), &mut self.warps[w].cache);
                    let (allocation, offset) = found
                        .map_err(|(kind, message)| Trouble::new(kind, lane, message).at(address))?;
                    if allocation.read_only {
                        let message = "constant memory is written";
                        return Err(Trouble::new(FaultKind::ReadOnly, lane, message).at(address));
                    }
                    if let Some(missing) = allocation.unwritten(offset, bytes.into()) {
                        let message = "an atomic on global memory that was never written";
                        return Err(Trouble::new(FaultKind::UninitialisedMemory, lane, message)
                            .at(allocation.base + missing));
                    }
                    let old = allocation.load(offset, bytes);
                    allocation.store(
                        offset,
                        bytes,
                        combine(atomic.kind, bytes, old, value, other),
                    );
                    old
                }
                Space::Shared => {
                    let who = Who {
                        warp: w,
                        lane,
                        line,
                        atomic: true,
                    };
                    let old = self.shared.read(who, address, bytes)?;
                    let new = combine(atomic.kind, bytes, old, value, other);
                    self.shared.write(who, address, bytes, new)?;
                    old
                }
                Space::Local | Space::Param | Space::Const => {
                    let message = format!("an atomic on {space:?} memory");
                    return Err(Trouble::new(FaultKind::Operand, lane, message).at(address));
                }
            };
            let rows = &mut self.warps[w].rows;
            match (atomic.result, atomic.class) {
                (NONE, _) => {}
                (slot, Class::Wide) => rows.set_lane_wide(slot, lane, old),
                (slot, Class::Narrow | Class::Predicate) => rows.set_lane(slot, lane, old as u32),
            }
        }
        Ok(())
    }
}

/// The new value of an atomic; only its low `bytes` count.
fn combine(kind: AtomicKind, bytes: u32, old: u64, value: u64, other: u64) -> u64 {
    let shift = 64 - 8 * bytes;
    let signed = |x: u64| (x << shift) as i64 >> shift;
    match kind {
        AtomicKind::Add => old.wrapping_add(value),
        AtomicKind::And => old & value,
        AtomicKind::Or => old | value,
        AtomicKind::Xor => old ^ value,
        AtomicKind::Exchange => value,
        AtomicKind::CompareAndSwap => {
            if old == value {
                other
            } else {
                old
            }
        }
        AtomicKind::MinUnsigned => old.min(value),
        AtomicKind::MaxUnsigned => old.max(value),
        AtomicKind::MinSigned => signed(old).min(signed(value)) as u64,
        AtomicKind::MaxSigned => signed(old).max(signed(value)) as u64,
        AtomicKind::Increment => {
            if old >= value {
                0
            } else {
                old + 1
            }
        }
        AtomicKind::Decrement => {
            if old == 0 || old > value {
                value
            } else {
                old - 1
            }
        }
    }
}
