//! Shared memory of a block, with the state of each byte and who used it last.
//!
//! Races are found by the order of [`super::order`]: two accesses of one byte, one of them a write, by
//! threads between which no barrier, mbarrier or `bar.warp.sync` stands. Use is recorded for pairs of
//! bytes, so two threads that write the two bytes of a pair are not told apart from one; that can hide a
//! race of single bytes and reports none that is not there.

use super::order::{Clock, Order};
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

/// Lane of a record that stands for several.
const MANY: u32 = 63;

/// Who accesses memory, and where in the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub warp: usize,
    pub lane: usize,
    pub line: u32,
    /// Atomics do not race with each other.
    pub atomic: bool,
}

/// The last write of a pair of bytes.
#[derive(Clone, Copy, Default)]
struct Write {
    /// 0: none.
    time: u32,
    line: u32,
    /// Warp or channel.
    agent: u8,
    lane: u8,
    kind: Kind,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Plain,
    Atomic,
    /// By the asynchronous proxy.
    Copy,
}

/// Shared memory; addresses start at `SHARED_START`.
pub(crate) struct Shared {
    data: Vec<u8>,
    state: Vec<u16>,
    pub order: Order,
    warps: usize,
    /// Empty if races are not looked for.
    writes: Vec<Write>,
    /// For each pair of bytes and warp: time and lane of the last read, `time << 6 | lane`.
    reads: Vec<u32>,
}

impl Shared {
    /// Memory up to the address `end`, for a block of `warps`.
    pub fn new(end: u32, warps: usize, races: bool) -> Shared {
        let bytes = (end - SHARED_START) as usize;
        let pairs = if races { bytes.div_ceil(2) } else { 0 };
        Shared {
            data: vec![0; bytes],
            state: vec![0; bytes],
            order: Order::new(warps),
            warps,
            writes: vec![Write::default(); pairs],
            reads: vec![0; pairs * warps],
        }
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.state.fill(0);
        self.writes.fill(Write::default());
        self.reads.fill(0);
        self.order = Order::new(self.warps);
    }

    fn range(
        &self,
        lane: usize,
        address: u64,
        bytes: u64,
    ) -> Result<std::ops::Range<usize>, Trouble> {
        let start = u64::from(SHARED_START);
        let end = start + self.data.len() as u64;
        if address < start || address.saturating_add(bytes) > end {
            let message = format!(
                "{bytes} bytes of shared memory, of which the block has addresses {start} to {end}"
            );
            return Err(Trouble::new(FaultKind::OutOfBounds, lane, message).at(address));
        }
        let at = (address - start) as usize;
        Ok(at..at + bytes as usize)
    }

    pub fn read(&mut self, who: Who, address: u64, bytes: u32) -> Result<u64, Trouble> {
        let range = self.range(who.lane, address, bytes.into())?;
        let settled = WRITTEN | ARRIVING | MBARRIER;
        for at in range.clone() {
            if self.state[at] & settled != WRITTEN {
                return Err(self.unreadable(who.lane, at));
            }
        }
        if !self.writes.is_empty() {
            self.note_read(who, range.clone())?;
        }
        let mut value = [0; 8];
        value[..bytes as usize].copy_from_slice(&self.data[range]);
        Ok(u64::from_le_bytes(value))
    }

    pub fn write(&mut self, who: Who, address: u64, bytes: u32, value: u64) -> Result<(), Trouble> {
        let range = self.range(who.lane, address, bytes.into())?;
        for at in range.clone() {
            if self.state[at] & !WRITTEN != 0 {
                return Err(self.unwritable(who.lane, at));
            }
        }
        let value = &value.to_le_bytes()[..bytes as usize];
        if !self.writes.is_empty() {
            self.note_write(who, range.clone(), value)?;
        }
        self.data[range.clone()].copy_from_slice(value);
        self.state[range].fill(WRITTEN);
        Ok(())
    }

    #[cold]
    fn unreadable(&self, lane: usize, at: usize) -> Trouble {
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
    fn unwritable(&self, lane: usize, at: usize) -> Trouble {
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

    /// Whether the last write of a pair comes before what a thread does now.
    #[inline]
    fn ordered(&self, who: Who, write: Write) -> bool {
        let agent = usize::from(write.agent);
        if agent == who.warp && write.kind != Kind::Copy {
            return usize::from(write.lane) == who.lane || write.time < self.order.synced[agent];
        }
        self.order.clock(who.warp).knows(agent, write.time)
    }

    #[inline]
    fn note_read(&mut self, who: Who, range: std::ops::Range<usize>) -> Result<(), Trouble> {
        let now = self.order.time[who.warp] << 6;
        for pair in range.start / 2..range.end.div_ceil(2) {
            let write = self.writes[pair];
            if write.time != 0
                && !self.ordered(who, write)
                && !(who.atomic && write.kind == Kind::Atomic)
            {
                return Err(self.race(who, pair, "is read", "was written", write));
            }
            let read = &mut self.reads[pair * self.warps + who.warp];
            let same = *read & !63 == now && *read & 63 != who.lane as u32;
            *read = now | if same { MANY } else { who.lane as u32 };
        }
        Ok(())
    }

    #[inline]
    fn note_write(
        &mut self,
        who: Who,
        range: std::ops::Range<usize>,
        value: &[u8],
    ) -> Result<(), Trouble> {
        let time = self.order.time[who.warp];
        let kind = if who.atomic {
            Kind::Atomic
        } else {
            Kind::Plain
        };
        for pair in range.start / 2..range.end.div_ceil(2) {
            let write = self.writes[pair];
            if write.time != 0
                && !self.ordered(who, write)
                && !(who.atomic && write.kind == Kind::Atomic)
            {
                // Lanes that write the same value at once do no harm.
                let same = usize::from(write.agent) == who.warp
                    && write.line == who.line
                    && self.data[range.clone()] == *value;
                if !same {
                    return Err(self.race(who, pair, "is written", "was written", write));
                }
            }
            self.check_reads(who, pair)?;
            self.writes[pair] = Write {
                time,
                line: who.line,
                agent: who.warp as u8,
                lane: who.lane as u8,
                kind,
            };
        }
        Ok(())
    }

    /// Every read of a pair must come before a write of it.
    #[inline]
    fn check_reads(&mut self, who: Who, pair: usize) -> Result<(), Trouble> {
        let first = pair * self.warps;
        for warp in 0..self.warps {
            let read = self.reads[first + warp];
            if read == 0 {
                continue;
            }
            let (time, lane) = (read >> 6, read & 63);
            let ordered = if warp == who.warp {
                lane == who.lane as u32 || time < self.order.synced[warp]
            } else {
                self.order.clock(who.warp).knows(warp, time)
            };
            if !ordered && !who.atomic {
                let read = Write {
                    agent: warp as u8,
                    lane: lane as u8,
                    ..Write::default()
                };
                return Err(self.race(who, pair, "is written", "was read", read));
            }
        }
        self.reads[first..first + self.warps].fill(0);
        Ok(())
    }

    #[cold]
    fn race(&self, who: Who, pair: usize, now: &str, before: &str, other: Write) -> Trouble {
        let agent = usize::from(other.agent);
        let mut message = format!("shared memory {now} that {before} by ");
        if agent >= self.warps {
            message += "an asynchronous copy";
        } else if u32::from(other.lane) == MANY {
            message += &format!("several threads of warp {agent}");
        } else {
            message += &format!("thread {}", 32 * agent + usize::from(other.lane));
        }
        if other.line > 0 {
            message += &format!(" at line {}", other.line);
        }
        message += ", and nothing orders the two";
        if agent == who.warp {
            message += " (threads of one warp need `bar.warp.sync`)";
        }
        Trouble::new(FaultKind::SharedRace, who.lane, message)
            .at(2 * pair as u64 + u64::from(SHARED_START))
    }

    /// An asynchronous copy of `who` will write the range.
    pub fn start_write(&mut self, who: Who, address: u64, bytes: u64) -> Result<(), Trouble> {
        let range = self.range(who.lane, address, bytes)?;
        for at in range.clone() {
            if self.state[at] & !WRITTEN != 0 {
                return Err(self.unwritable(who.lane, at));
            }
        }
        if !self.writes.is_empty() {
            for pair in range.start / 2..range.end.div_ceil(2) {
                let write = self.writes[pair];
                if write.time != 0 && !self.ordered(who, write) {
                    let now = "is written by a copy";
                    return Err(self.race(who, pair, now, "was written", write));
                }
                self.check_reads(who, pair)?;
            }
        }
        for state in &mut self.state[range] {
            *state |= ARRIVING;
        }
        Ok(())
    }

    /// The copy writes; `agent` and `time` are what those who wait for it know.
    pub fn finish_write(&mut self, address: u64, data: &[u8], agent: usize, time: u32, line: u32) {
        let at = (address - u64::from(SHARED_START)) as usize;
        let range = at..at + data.len();
        self.data[range.clone()].copy_from_slice(data);
        for state in &mut self.state[range.clone()] {
            *state = *state & !ARRIVING | WRITTEN;
        }
        if !self.writes.is_empty() {
            let write = Write {
                time,
                line,
                agent: agent as u8,
                lane: 0,
                kind: Kind::Copy,
            };
            self.writes[range.start / 2..range.end.div_ceil(2)].fill(write);
        }
    }

    /// A thread's own copy (`cp.async`) has been waited for: as if it wrote now.
    pub fn finish_own_write(&mut self, who: Who, address: u64, data: &[u8]) {
        let at = (address - u64::from(SHARED_START)) as usize;
        let range = at..at + data.len();
        self.data[range.clone()].copy_from_slice(data);
        for state in &mut self.state[range.clone()] {
            *state = *state & !ARRIVING | WRITTEN;
        }
        if !self.writes.is_empty() {
            let write = Write {
                time: self.order.time[who.warp],
                line: who.line,
                agent: who.warp as u8,
                lane: who.lane as u8,
                kind: Kind::Plain,
            };
            self.writes[range.start / 2..range.end.div_ceil(2)].fill(write);
        }
    }

    /// An asynchronous operation of `who` reads the range until `finish_read`.
    pub fn start_read(&mut self, who: Who, address: u64, bytes: u64) -> Result<&[u8], Trouble> {
        let range = self.range(who.lane, address, bytes)?;
        let settled = WRITTEN | ARRIVING | MBARRIER;
        for at in range.clone() {
            if self.state[at] & settled != WRITTEN {
                return Err(self.unreadable(who.lane, at));
            }
        }
        if !self.writes.is_empty() {
            for pair in range.start / 2..range.end.div_ceil(2) {
                let write = self.writes[pair];
                if write.time == 0 {
                    continue;
                }
                if !self.ordered(who, write) {
                    let now = "is read by an asynchronous operation";
                    return Err(self.race(who, pair, now, "was written", write));
                }
                let clock = self.order.clock(who.warp);
                if write.kind != Kind::Copy && !clock.fenced(write.agent.into(), write.time) {
                    let mut trouble = self.race(
                        who,
                        pair,
                        "is read by an asynchronous operation",
                        "was written",
                        write,
                    );
                    trouble.message = format!(
                        "shared memory that was written at line {} is read by an asynchronous operation \
                         without `fence.proxy.async` in between",
                        write.line
                    );
                    return Err(trouble);
                }
            }
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
        if !self.writes.is_empty() {
            let read = self.order.time[warp] << 6 | MANY;
            for pair in range.start / 2..range.end.div_ceil(2) {
                self.reads[pair * self.warps + warp] = read;
            }
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
        for at in range.clone() {
            if is && self.state[at] & !WRITTEN != 0 {
                return Err(self.unwritable(who.lane, at));
            }
        }
        if is && !self.writes.is_empty() {
            self.note_write(who, range.clone(), &[])?;
        }
        self.state[range].fill(if is { MBARRIER } else { 0 });
        Ok(())
    }

    /// Whether a clock knows of a write by a warp.
    pub fn clock(&self, warp: usize) -> &Clock {
        self.order.clock(warp)
    }
}
