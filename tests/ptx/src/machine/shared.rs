//! Shared memory of a block, with the state of each byte.

use std::ops::Range;

use super::order::{Clock, Order};
use super::races::Races;
use super::space::SHARED_START;
use crate::fault::{FaultKind, Trouble};

/// The byte holds a value.
const WRITTEN: u16 = 1;
/// An asynchronous copy will write the byte.
const ARRIVING: u16 = 2;
/// The byte belongs to an mbarrier.
const MBARRIER: u16 = 4;
/// One asynchronous reader of the byte; the upper bits count them.
const READER: u16 = 8;

/// Who accesses memory, and where in the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub warp: usize,
    pub lane: usize,
    pub line: u32,
    /// Atomics do not race with each other.
    pub atomic: bool,
}

/// Shared memory; addresses start at `SHARED_START`.
pub(crate) struct Shared {
    data: Vec<u8>,
    state: Vec<u16>,
    pub order: Order,
    warps: usize,
    races: Option<Races>,
}

#[inline]
fn is_settled(state: &u16) -> bool {
    state & (WRITTEN | ARRIVING | MBARRIER) == WRITTEN
}

impl Shared {
    /// Memory up to the address `end`, for a block of `warps`.
    pub fn new(end: u32, warps: usize, races: bool) -> Shared {
        let bytes = (end - SHARED_START) as usize;
        Shared {
            data: vec![0; bytes],
            state: vec![0; bytes],
            order: Order::new(warps),
            warps,
            races: races.then(|| Races::new(bytes, warps)),
        }
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.state.fill(0);
        self.order = Order::new(self.warps);
        if let Some(races) = &mut self.races {
            races.reset();
        }
    }

    #[inline]
    fn range(&self, lane: usize, address: u64, bytes: u64) -> Result<Range<usize>, Trouble> {
        let start = u64::from(SHARED_START);
        let end = start + self.data.len() as u64;
        if address < start || address.saturating_add(bytes) > end {
            return Err(self.outside(lane, address, bytes));
        }
        let at = (address - start) as usize;
        Ok(at..at + bytes as usize)
    }

    #[cold]
    fn outside(&self, lane: usize, address: u64, bytes: u64) -> Trouble {
        let end = SHARED_START as usize + self.data.len();
        let message = format!(
            "{bytes} bytes of shared memory, of which the block has addresses {SHARED_START} to {end}"
        );
        Trouble::new(FaultKind::OutOfBounds, lane, message).at(address)
    }

    #[inline]
    pub fn read(&mut self, who: Who, address: u64, bytes: u32) -> Result<u64, Trouble> {
        let range = self.range(who.lane, address, bytes.into())?;
        if !self.state[range.clone()].iter().all(is_settled) {
            return Err(self.unreadable(who.lane, range));
        }
        if let Some(races) = &mut self.races {
            races.read(&self.order, who, range.clone())?;
        }
        let mut value = [0; 8];
        let data = &self.data[range];
        match bytes {
            4 => value[..4].copy_from_slice(&data[..4]),
            8 => value.copy_from_slice(&data[..8]),
            _ => value[..data.len()].copy_from_slice(data),
        }
        Ok(u64::from_le_bytes(value))
    }

    #[inline]
    pub fn write(&mut self, who: Who, address: u64, bytes: u32, value: u64) -> Result<(), Trouble> {
        let range = self.range(who.lane, address, bytes.into())?;
        if self.state[range.clone()]
            .iter()
            .any(|state| state & !WRITTEN != 0)
        {
            return Err(self.unwritable(who.lane, range));
        }
        let value = &value.to_le_bytes()[..bytes as usize];
        if let Some(races) = &mut self.races {
            let same = self.data[range.clone()] == *value;
            races.write(&self.order, who, range.clone(), same)?;
        }
        self.data[range.clone()].copy_from_slice(value);
        self.state[range].fill(WRITTEN);
        Ok(())
    }

    #[cold]
    fn unreadable(&self, lane: usize, range: Range<usize>) -> Trouble {
        let place = self.state[range.clone()]
            .iter()
            .position(|state| !is_settled(state));
        let at = range.start + place.unwrap_or(0);
        let state = self.state[at];
        let (kind, message) = if state & MBARRIER != 0 {
            (FaultKind::Mbarrier, "an mbarrier is read as memory")
        } else if state & ARRIVING != 0 {
            let message = "shared memory is read before the copy that writes it was waited for";
            (FaultKind::NotWaited, message)
        } else {
            let message = "a byte of shared memory that was never written is read";
            (FaultKind::UninitialisedMemory, message)
        };
        Trouble::new(kind, lane, message).at(at as u64 + u64::from(SHARED_START))
    }

    #[cold]
    fn unwritable(&self, lane: usize, range: Range<usize>) -> Trouble {
        let place = self.state[range.clone()]
            .iter()
            .position(|state| state & !WRITTEN != 0);
        let at = range.start + place.unwrap_or(0);
        let state = self.state[at];
        let (kind, message) = if state & MBARRIER != 0 {
            (FaultKind::Mbarrier, "an mbarrier is written as memory")
        } else if state & ARRIVING != 0 {
            let message = "shared memory is written while an asynchronous copy writes it";
            (FaultKind::SharedRace, message)
        } else {
            let message = "shared memory is written while an asynchronous operation still reads it";
            (FaultKind::SharedRace, message)
        };
        Trouble::new(kind, lane, message).at(at as u64 + u64::from(SHARED_START))
    }

    /// An asynchronous copy of `who` will write the range.
    pub fn start_write(&mut self, who: Who, address: u64, bytes: u64) -> Result<(), Trouble> {
        let range = self.range(who.lane, address, bytes)?;
        if self.state[range.clone()]
            .iter()
            .any(|state| state & !WRITTEN != 0)
        {
            return Err(self.unwritable(who.lane, range));
        }
        if let Some(races) = &mut self.races {
            races.start_copy(&self.order, who, range.clone())?;
        }
        for state in &mut self.state[range] {
            *state |= ARRIVING;
        }
        Ok(())
    }

    /// A copy writes. `agent` (a channel, or a warp), `lane` and `time` are what those who wait know.
    fn arrive(&mut self, address: u64, data: &[u8], by: (usize, u32, u32), line: u32) {
        let at = (address - u64::from(SHARED_START)) as usize;
        let range = at..at + data.len();
        self.data[range.clone()].copy_from_slice(data);
        for state in &mut self.state[range.clone()] {
            *state = *state & !ARRIVING | WRITTEN;
        }
        if let Some(races) = &mut self.races {
            let (agent, lane, time) = by;
            races.finish_copy(range, agent, lane, time, line);
        }
    }

    /// A bulk copy writes, by a channel.
    pub fn finish_write(
        &mut self,
        address: u64,
        data: &[u8],
        channel: usize,
        time: u32,
        line: u32,
    ) {
        self.arrive(address, data, (channel, 0, time), line);
    }

    /// A thread's own copy (`cp.async`) has been waited for: as if it wrote now.
    pub fn finish_own_write(&mut self, who: Who, address: u64, data: &[u8]) {
        let time = self.order.time[who.warp];
        self.arrive(address, data, (who.warp, who.lane as u32, time), who.line);
    }

    /// An asynchronous operation of `who` reads the range until `finish_read`.
    pub fn start_read(&mut self, who: Who, address: u64, bytes: u64) -> Result<&[u8], Trouble> {
        let range = self.range(who.lane, address, bytes)?;
        if !self.state[range.clone()].iter().all(is_settled) {
            return Err(self.unreadable(who.lane, range));
        }
        if let Some(races) = &self.races {
            races.start_read(&self.order, who, range.clone())?;
        }
        for state in &mut self.state[range.clone()] {
            *state += READER;
        }
        Ok(&self.data[range])
    }

    /// The asynchronous read is over, and its issuer knows.
    pub fn finish_read(&mut self, warp: usize, address: u64, bytes: u64) {
        let at = (address - u64::from(SHARED_START)) as usize;
        let range = at..at + bytes as usize;
        for state in &mut self.state[range.clone()] {
            *state -= READER;
        }
        if let Some(races) = &mut self.races {
            races.finish_read(&self.order, warp, range);
        }
    }

    /// The bytes of a range, unchecked but for bounds.
    pub fn bytes(&self, lane: usize, address: u64, bytes: u64) -> Result<&[u8], Trouble> {
        let range = self.range(lane, address, bytes)?;
        Ok(&self.data[range])
    }

    /// The eight bytes become an mbarrier, or ordinary memory again.
    pub fn set_mbarrier(&mut self, who: Who, address: u64, is: bool) -> Result<(), Trouble> {
        let range = self.range(who.lane, address, 8)?;
        if is {
            if self.state[range.clone()]
                .iter()
                .any(|state| state & !WRITTEN != 0)
            {
                return Err(self.unwritable(who.lane, range));
            }
            if let Some(races) = &mut self.races {
                races.write(&self.order, who, range.clone(), false)?;
            }
        }
        self.state[range].fill(if is { MBARRIER } else { 0 });
        Ok(())
    }

    /// What a warp knows of the others.
    pub fn clock(&self, warp: usize) -> &Clock {
        self.order.clock(warp)
    }
}
