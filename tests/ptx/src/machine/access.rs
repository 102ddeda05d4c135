//! Loads, stores and atomics of threads.

use super::block::{Block, check_written};
use super::rows::{Class, LANES, Rows};
use super::shared::Who;
use super::space::{LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, WINDOW_BYTES};
use crate::fault::{FaultKind, Trouble};
use crate::parse::syntax::Space;
use crate::program::{Access, AddressRow, Atomic, AtomicKind, NONE};

/// The lanes of a mask, in order.
pub(crate) fn lanes(mut mask: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lane = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (lane < LANES).then_some(lane)
    })
}

/// The addresses of all lanes.
pub(crate) fn addresses(rows: &Rows, address: &AddressRow) -> [u64; LANES] {
    match address.class {
        Class::Wide => rows
            .wide(address.slot)
            .map(|a| a.wrapping_add_signed(address.offset)),
        Class::Narrow | Class::Predicate => rows
            .narrow(address.slot)
            .map(|a| a.wrapping_add_signed(address.offset as i32).into()),
    }
}

/// The space of a generic address, and the address in it.
pub(crate) fn resolve(space: Space, address: u64) -> (Space, u64) {
    if space != Space::Generic {
        return (space, address);
    }
    let inside = |window: u64| address.wrapping_sub(window) < WINDOW_BYTES;
    if inside(SHARED_WINDOW) {
        (Space::Shared, address - SHARED_WINDOW)
    } else if inside(LOCAL_WINDOW) {
        (Space::Local, address - LOCAL_WINDOW)
    } else if inside(PARAM_WINDOW) {
        (Space::Param, address - PARAM_WINDOW)
    } else {
        (Space::Global, address)
    }
}

fn check_aligned(lane: usize, address: u64, bytes: u32) -> Result<(), Trouble> {
    if address.is_multiple_of(bytes.into()) {
        return Ok(());
    }
    let message = format!("an access of {bytes} bytes is not at a multiple of {bytes}");
    Err(Trouble::new(FaultKind::Misaligned, lane, message).at(address))
}

impl Block<'_> {
    /// The tag of this block among the users of global memory.
    pub(super) fn tag(&self) -> u32 {
        self.launch.tag | (self.number + 1)
    }

    /// Checks a read of global memory, and gives the allocation and the offset in it.
    #[inline]
    pub(super) fn global_read(
        &mut self,
        w: usize,
        lane: usize,
        address: u64,
        bytes: u32,
    ) -> Result<(&crate::memory::Allocation, u64), Trouble> {
        let tag = self.tag();
        let memory = self.launch.memory;
        let found = memory.locate(address, bytes.into(), &mut self.warps[w].cache);
        let (allocation, offset) =
            found.map_err(|(kind, message)| Trouble::new(kind, lane, message).at(address))?;
        if let Some(missing) = allocation.unwritten(offset, bytes.into()) {
            let message = "a byte of global memory that was never written is read";
            return Err(Trouble::new(FaultKind::UninitialisedMemory, lane, message)
                .at(allocation.base + missing));
        }
        if let Some(writer) = allocation.note_read(offset, bytes.into(), tag) {
            let message = format!(
                "block {} reads what block {writer} writes in this launch",
                self.number
            );
            return Err(Trouble::new(FaultKind::BlockRace, lane, message).at(address));
        }
        Ok((allocation, offset))
    }

    /// Checks a write of global memory, and gives the allocation and the offset in it.
    #[inline]
    pub(super) fn global_write(
        &mut self,
        w: usize,
        lane: usize,
        address: u64,
        bytes: u32,
    ) -> Result<(&crate::memory::Allocation, u64), Trouble> {
        let tag = self.tag();
        let memory = self.launch.memory;
        let found = memory.locate(address, bytes.into(), &mut self.warps[w].cache);
        let (allocation, offset) =
            found.map_err(|(kind, message)| Trouble::new(kind, lane, message).at(address))?;
        if allocation.read_only {
            let message = "constant memory is written";
            return Err(Trouble::new(FaultKind::ReadOnly, lane, message).at(address));
        }
        if let Some((did, other)) = allocation.note_write(offset, bytes.into(), tag) {
            let message = format!(
                "block {} writes what block {other} {did} in this launch",
                self.number
            );
            return Err(Trouble::new(FaultKind::BlockRace, lane, message).at(address));
        }
        Ok((allocation, offset))
    }

    fn read_param(&self, lane: usize, address: u64, bytes: u32) -> Result<u64, Trouble> {
        let params = &self.launch.params;
        let end = address.saturating_add(bytes.into());
        if end > params.len() as u64 {
            let message = format!("{bytes} bytes of {} bytes of parameters", params.len());
            return Err(Trouble::new(FaultKind::OutOfBounds, lane, message).at(address));
        }
        let mut value = [0; 8];
        value[..bytes as usize].copy_from_slice(&params[address as usize..end as usize]);
        Ok(u64::from_le_bytes(value))
    }

    pub(super) fn load(
        &mut self,
        w: usize,
        access: &Access,
        active: u32,
        line: u32,
    ) -> Result<(), Trouble> {
        check_written(&self.warps[w].rows, access.address.slot, active)?;
        let addresses = addresses(&self.warps[w].rows, &access.address);
        let bytes = access.bytes;
        let total = bytes * access.elements.len() as u32;
        for lane in lanes(active) {
            let (space, address) = resolve(access.space, addresses[lane]);
            check_aligned(lane, address, total)?;
            let mut values = [0u64; 8];
            let values = &mut values[..access.elements.len()];
            let places = (0..).step_by(bytes as usize);
            match space {
                Space::Global | Space::Const | Space::Generic => {
                    let (allocation, offset) = self.global_read(w, lane, address, total)?;
                    for (value, place) in values.iter_mut().zip(places) {
                        *value = allocation.load(offset + place, bytes);
                    }
                    self.traffic.global_read += u64::from(total);
                }
                Space::Shared => {
                    let who = Who {
                        warp: w,
                        lane,
                        line,
                        atomic: false,
                    };
                    for (value, place) in values.iter_mut().zip(places) {
                        *value = self.shared.read(who, address + place, bytes)?;
                    }
                    self.traffic.shared_read += u64::from(total);
                }
                Space::Local => {
                    for (value, place) in values.iter_mut().zip(places) {
                        *value = self.warps[w].local.read(lane, address + place, bytes)?;
                    }
                }
                Space::Param => {
                    for (value, place) in values.iter_mut().zip(places) {
                        *value = self.read_param(lane, address + place, bytes)?;
                    }
                }
            }
            let rows = &mut self.warps[w].rows;
            for (&value, &(slot, class)) in values.iter().zip(&access.elements) {
                if slot == NONE {
                    continue;
                }
                let shift = 64 - 8 * bytes;
                let value = if access.signed {
                    ((value << shift) as i64 >> shift) as u64
                } else {
                    value
                };
                match class {
                    Class::Wide => rows.set_lane_wide(slot, lane, value),
                    Class::Narrow | Class::Predicate => rows.set_lane(slot, lane, value as u32),
                }
            }
        }
        Ok(())
    }

    pub(super) fn store(
        &mut self,
        w: usize,
        access: &Access,
        active: u32,
        line: u32,
    ) -> Result<(), Trouble> {
        let rows = &self.warps[w].rows;
        check_written(rows, access.address.slot, active)?;
        for &(slot, _) in &access.elements {
            check_written(rows, slot, active)?;
        }
        let addresses = addresses(rows, &access.address);
        let bytes = access.bytes;
        let total = bytes * access.elements.len() as u32;
        for lane in lanes(active) {
            let (space, address) = resolve(access.space, addresses[lane]);
            check_aligned(lane, address, total)?;
            let mut values = [0u64; 8];
            let values = &mut values[..access.elements.len()];
            let rows = &self.warps[w].rows;
            for (value, &(slot, class)) in values.iter_mut().zip(&access.elements) {
                *value = match class {
                    Class::Wide => rows.wide(slot)[lane],
                    Class::Narrow | Class::Predicate => rows.narrow(slot)[lane].into(),
                };
            }
            let places = (0..).step_by(bytes as usize);
            match space {
                Space::Global | Space::Generic => {
                    let (allocation, offset) = self.global_write(w, lane, address, total)?;
                    for (&value, place) in values.iter().zip(places) {
                        allocation.store(offset + place, bytes, value);
                    }
                    self.traffic.global_written += u64::from(total);
                }
                Space::Shared => {
                    let who = Who {
                        warp: w,
                        lane,
                        line,
                        atomic: false,
                    };
                    for (&value, place) in values.iter().zip(places) {
                        self.shared.write(who, address + place, bytes, value)?;
                    }
                    self.traffic.shared_written += u64::from(total);
                }
                Space::Local => {
                    for (&value, place) in values.iter().zip(places) {
                        self.warps[w]
                            .local
                            .write(lane, address + place, bytes, value)?;
                    }
                }
                Space::Param | Space::Const => {
                    let message = format!("{space:?} memory is written");
                    return Err(Trouble::new(FaultKind::ReadOnly, lane, message).at(address));
                }
            }
        }
        Ok(())
    }

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
