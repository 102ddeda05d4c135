//! Who used which bytes of shared memory last, and whether that is ordered before what happens now.
//!
//! Two accesses of a byte, one of them a write, race if the order of [`super::order`] has neither before
//! the other. Writes are recorded for pairs of bytes, reads for each warp and word of four bytes; what a
//! record cannot hold is forgotten, which can hide a race and reports none that is not there.

use std::ops::Range;

use super::order::Order;
use super::shared::Who;
use super::space::SHARED_START;
use crate::fault::{FaultKind, Trouble};

/// Lane that stands for several.
const MANY: u32 = 62;

/// The last write of a pair of bytes: time (32 bits), lane (8), agent (8), kind (8). Zero: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Write(u64);

/// How something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By a thread.
    Plain = 0,
    Atomic = 1,
    /// By the asynchronous proxy, on behalf of a channel.
    Copy = 2,
}

impl Write {
    fn new(time: u32, lane: u32, agent: usize, kind: Kind) -> Write {
        Write(u64::from(time) << 32 | u64::from(lane) << 16 | (agent as u64) << 8 | kind as u64)
    }

    fn time(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn lane(self) -> u32 {
        (self.0 >> 16) as u32 & 0xFF
    }

    fn agent(self) -> usize {
        (self.0 >> 8) as usize & 0xFF
    }

    fn is(self, kind: Kind) -> bool {
        self.0 & 0xFF == kind as u64
    }
}

/// The records of a block's shared memory; places are bytes from its start.
pub(crate) struct Races {
    warps: usize,
    writes: Vec<Write>,
    /// Lines of the writes.
    lines: Vec<u32>,
    /// For each word the warps with a read of it since the last write.
    readers: Vec<u32>,
    /// For each word and warp: time (32 bits) of its last read, and lane + 1 for each half (8 each).
    reads: Vec<u64>,
}

/// The halves of a word that a range covers, as multipliers of a lane field.
#[inline]
fn halves(word: usize, range: &Range<usize>) -> u64 {
    let low = u64::from(range.start < 4 * word + 2);
    let high = u64::from(range.end > 4 * word + 2);
    low << 8 | high
}

impl Races {
    pub fn new(bytes: usize, warps: usize) -> Races {
        let words = bytes.div_ceil(4);
        Races {
            warps,
            writes: vec![Write::default(); 2 * words],
            lines: vec![0; 2 * words],
            readers: vec![0; words],
            reads: vec![0; words * warps],
        }
    }

    pub fn reset(&mut self) {
        self.writes.fill(Write::default());
        self.readers.fill(0);
    }

    /// Whether a write comes before what a thread does now.
    #[inline]
    fn ordered(order: &Order, who: Who, write: Write) -> bool {
        let agent = write.agent();
        if agent == who.warp && !write.is(Kind::Copy) {
            let lane = write.lane();
            return lane == who.lane as u32 || lane == MANY || write.time() < order.synced[agent];
        }
        order.clock(who.warp).knows(agent, write.time())
    }

    /// A thread reads.
    #[inline]
    pub fn read(&mut self, order: &Order, who: Who, range: Range<usize>) -> Result<(), Trouble> {
        let now = u64::from(order.time[who.warp]) << 32;
        for word in range.start / 4..range.end.div_ceil(4) {
            let halves = halves(word, &range);
            let mine = now | (halves * (who.lane as u64 + 1));
            let many = now | (halves * u64::from(MANY + 1));
            let place = word * self.warps + who.warp;
            let is_reader = self.readers[word] >> who.warp & 1 != 0;
            let found = if is_reader { self.reads[place] } else { 0 };
            // Whoever wrote since would have been told of this read.
            if found == mine || found == many {
                continue;
            }
            for half in 0..2 {
                let write = self.writes[2 * word + half];
                if halves >> (8 * (1 - half)) & 1 != 0
                    && write.0 != 0
                    && !Self::ordered(order, who, write)
                    && !(who.atomic && write.is(Kind::Atomic))
                {
                    let line = self.lines[2 * word + half];
                    return Err(self.race(who, word, "is read", "was written", write, line));
                }
            }
            self.readers[word] |= 1 << who.warp;
            let mut record = mine;
            if found >> 32 == now >> 32 {
                // Lanes that read different halves keep both; of one half there may be many.
                record = now;
                for shift in [0, 8] {
                    let (old, new) = (found >> shift & 0xFF, mine >> shift & 0xFF);
                    let lane = match (old, new) {
                        (lane, 0) | (0, lane) => lane,
                        (old, new) if old == new => old,
                        _ => u64::from(MANY + 1),
                    };
                    record |= lane << shift;
                }
            }
            self.reads[place] = record;
        }
        Ok(())
    }

    /// A thread writes; `same` if the bytes keep their values.
    #[inline]
    pub fn write(
        &mut self,
        order: &Order,
        who: Who,
        range: Range<usize>,
        same: bool,
    ) -> Result<(), Trouble> {
        let time = order.time[who.warp];
        let kind = if who.atomic {
            Kind::Atomic
        } else {
            Kind::Plain
        };
        let mine = Write::new(time, who.lane as u32, who.warp, kind);
        let many = Write::new(time, MANY, who.warp, kind);
        for pair in range.start / 2..range.end.div_ceil(2) {
            let write = self.writes[pair];
            let mut record = mine;
            // Lanes that write the same value by one instruction do no harm.
            let at_once = same
                && write.time() == time
                && write.agent() == who.warp
                && self.lines[pair] == who.line;
            if write.0 != 0 && at_once && (write != mine || write == many) {
                record = many;
            } else if write.0 != 0
                && !Self::ordered(order, who, write)
                && !(who.atomic && write.is(Kind::Atomic))
            {
                let line = self.lines[pair];
                return Err(self.race(who, pair / 2, "is written", "was written", write, line));
            }
            self.writes[pair] = record;
            self.lines[pair] = who.line;
        }
        self.check_reads(order, who, &range)
    }

    /// Every read of the range must come before a write of it.
    #[inline]
    fn check_reads(
        &mut self,
        order: &Order,
        who: Who,
        range: &Range<usize>,
    ) -> Result<(), Trouble> {
        for word in range.start / 4..range.end.div_ceil(4) {
            let mut left = self.readers[word];
            while left != 0 {
                let warp = left.trailing_zeros() as usize;
                left &= left - 1;
                self.check_read(order, who, word, warp, halves(word, range))?;
            }
        }
        Ok(())
    }

    fn check_read(
        &mut self,
        order: &Order,
        who: Who,
        word: usize,
        warp: usize,
        halves: u64,
    ) -> Result<(), Trouble> {
        let place = word * self.warps + warp;
        let read = self.reads[place];
        let time = (read >> 32) as u32;
        for shift in [0, 8] {
            let field = (read >> shift) as u32 & 0xFF;
            if halves >> shift & 1 == 0 || field == 0 {
                continue;
            }
            let lane = field - 1;
            let ordered = if warp == who.warp {
                lane == who.lane as u32 || time < order.synced[warp]
            } else {
                order.clock(who.warp).knows(warp, time)
            };
            if !ordered && !who.atomic {
                let read = Write::new(time, lane, warp, Kind::Plain);
                return Err(self.race(who, word, "is written", "was read", read, 0));
            }
        }
        let rest = read & !(halves * 0xFF);
        self.reads[place] = rest;
        if rest & 0xFFFF == 0 {
            self.readers[word] &= !(1 << warp);
        }
        Ok(())
    }

    /// A thread starts a copy that will write the range.
    pub fn start_copy(
        &mut self,
        order: &Order,
        who: Who,
        range: Range<usize>,
    ) -> Result<(), Trouble> {
        for pair in range.start / 2..range.end.div_ceil(2) {
            let write = self.writes[pair];
            if write.0 != 0 && !Self::ordered(order, who, write) {
                let (now, line) = ("is written by a copy", self.lines[pair]);
                return Err(self.race(who, pair / 2, now, "was written", write, line));
            }
        }
        self.check_reads(order, who, &range)
    }

    /// What a copy wrote: by a channel, or as if by the thread.
    pub fn finish_copy(
        &mut self,
        range: Range<usize>,
        agent: usize,
        lane: u32,
        time: u32,
        line: u32,
    ) {
        let kind = if agent < self.warps {
            Kind::Plain
        } else {
            Kind::Copy
        };
        let pairs = range.start / 2..range.end.div_ceil(2);
        self.writes[pairs.clone()].fill(Write::new(time, lane, agent, kind));
        self.lines[pairs].fill(line);
    }

    /// A thread starts an asynchronous operation that reads the range.
    pub fn start_read(&self, order: &Order, who: Who, range: Range<usize>) -> Result<(), Trouble> {
        let mut checked = Write::default();
        for pair in range.start / 2..range.end.div_ceil(2) {
            let write = self.writes[pair];
            if write.0 == 0 || write == checked {
                continue;
            }
            let (now, line) = ("is read by an asynchronous operation", self.lines[pair]);
            if !Self::ordered(order, who, write) {
                return Err(self.race(who, pair / 2, now, "was written", write, line));
            }
            let clock = order.clock(who.warp);
            if !write.is(Kind::Copy) && !clock.fenced(write.agent(), write.time()) {
                let message = format!(
                    "shared memory {now} that was written at line {line}, without \
                     `fence.proxy.async` in between"
                );
                let address = 2 * pair as u64 + u64::from(SHARED_START);
                return Err(Trouble::new(FaultKind::SharedRace, who.lane, message).at(address));
            }
            checked = write;
        }
        Ok(())
    }

    /// The asynchronous read is over, and the warp that started it knows.
    pub fn finish_read(&mut self, order: &Order, warp: usize, range: Range<usize>) {
        let time = u64::from(order.time[warp]) << 32;
        for word in range.start / 4..range.end.div_ceil(4) {
            self.readers[word] |= 1 << warp;
            self.reads[word * self.warps + warp] =
                time | (halves(word, &range) * u64::from(MANY + 1));
        }
    }

    #[cold]
    fn race(
        &self,
        who: Who,
        word: usize,
        now: &str,
        before: &str,
        other: Write,
        line: u32,
    ) -> Trouble {
        let agent = other.agent();
        let mut message = format!("shared memory {now} that {before} by ");
        if agent >= self.warps {
            message += "an asynchronous copy";
        } else if other.lane() == MANY {
            message += &format!("several threads of warp {agent}");
        } else {
            message += &format!("thread {}", 32 * agent + other.lane() as usize);
        }
        if line > 0 {
            message += &format!(" at line {line}");
        }
        message += ", and nothing orders the two";
        if agent == who.warp {
            message += " (threads of one warp need `bar.warp.sync`)";
        }
        Trouble::new(FaultKind::SharedRace, who.lane, message)
            .at(4 * word as u64 + u64::from(SHARED_START))
    }
}
