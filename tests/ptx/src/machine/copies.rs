//! Asynchronous copies. Each is carried out as late as the program allows: when it is waited for, or when
//! no warp can go on; with a schedule other than 0 also at random times. Until then its target may be
//! neither read nor written, and its source in shared memory not be written.
//!
//! Global memory is read when the copy is carried out. Bulk copies to global memory are whole when
//! `wait_group.read` returns, which is earlier than the manual promises.

use super::access::{addresses, lanes, resolve};
use super::block::Block;
use super::bulk::{Target, tile_rows};
use super::rows::LANES;
use super::shared::Who;
use super::step::check_written;
use crate::fault::{FaultKind, Trouble};
use crate::parse::syntax::Space;
use crate::program::{AddressRow, NONE, ThreadCopy};
use crate::tensor_map::swizzled;

/// A `cp.async` that is not done.
#[derive(Clone, Debug)]
pub(crate) struct OpenCopy {
    lane: usize,
    /// Number among the warp's copies.
    number: u64,
    /// Group, once committed.
    group: Option<u32>,
    target: u64,
    source: u64,
    bytes: u32,
    /// Bytes that are read; the rest is zero.
    read: u32,
    line: u32,
}

/// Something that happens by itself.
#[derive(Debug)]
pub(crate) struct Pending {
    pub warp: usize,
    pub pc: u32,
    pub lane: usize,
    pub line: u32,
    pub kind: PendingKind,
}

/// What happens.
#[derive(Debug)]
pub(super) enum PendingKind {
    /// A bulk copy to shared memory.
    Load {
        shared: u64,
        bytes: u64,
        mbarrier: u64,
        source: Target,
    },
    /// An arrival when the thread's copies before this number are done.
    Arrive { mbarrier: u64, before: u64 },
}

impl Block<'_> {
    /// `cp.async`.
    pub(super) fn thread_copy(
        &mut self,
        w: usize,
        copy: &ThreadCopy,
        active: u32,
        line: u32,
    ) -> Result<(), Trouble> {
        let rows = &self.warps[w].rows;
        for slot in [copy.target.slot, copy.source.slot, copy.size, copy.ignore] {
            if slot != NONE {
                check_written(rows, slot, active)?;
            }
        }
        let (targets, sources) = (addresses(rows, &copy.target), addresses(rows, &copy.source));
        let sizes = if copy.size == NONE {
            [copy.bytes; LANES]
        } else {
            *rows.narrow(copy.size)
        };
        let ignored = if copy.ignore == NONE {
            0
        } else {
            rows.predicate(copy.ignore)
        };
        for lane in lanes(active) {
            let (target, source, bytes) = (targets[lane], sources[lane], copy.bytes);
            let read = if ignored >> lane & 1 != 0 {
                0
            } else {
                sizes[lane]
            };
            if read > bytes {
                let message = format!("{read} bytes are read for a copy of {bytes}");
                return Err(Trouble::new(FaultKind::Operand, lane, message));
            }
            for address in [target, source] {
                if !address.is_multiple_of(bytes.into()) {
                    let message = format!("a copy of {bytes} bytes is not at a multiple of them");
                    return Err(Trouble::new(FaultKind::Misaligned, lane, message).at(address));
                }
            }
            if read > 0 {
                self.global_read(w, lane, source, read)?;
            }
            let who = Who {
                warp: w,
                lane,
                line,
                atomic: false,
            };
            self.shared.start_write(who, target, bytes.into())?;
            let warp = &mut self.warps[w];
            let number = warp.copy_count;
            warp.copy_count += 1;
            warp.copies.push(OpenCopy {
                lane,
                number,
                group: None,
                target,
                source,
                bytes,
                read,
                line,
            });
        }
        Ok(())
    }

    pub(super) fn commit_copies(&mut self, w: usize, active: u32) {
        let warp = &mut self.warps[w];
        for copy in &mut warp.copies {
            if active >> copy.lane & 1 != 0 && copy.group.is_none() {
                copy.group = Some(warp.copy_groups[copy.lane]);
            }
        }
        for lane in lanes(active) {
            warp.copy_groups[lane] += 1;
        }
    }

    /// Carries out all copies of the threads but their last `open` groups.
    pub(super) fn wait_copies(
        &mut self,
        w: usize,
        open: Option<u32>,
        active: u32,
    ) -> Result<(), Trouble> {
        let groups = self.warps[w].copy_groups;
        self.finish_copies(w, |copy| {
            let over = match (open, copy.group) {
                (None, _) => true,
                (Some(open), Some(group)) => group + open < groups[copy.lane],
                (Some(_), None) => false,
            };
            active >> copy.lane & 1 != 0 && over
        })
    }

    fn finish_copies(&mut self, w: usize, over: impl Fn(&OpenCopy) -> bool) -> Result<(), Trouble> {
        let copies = std::mem::take(&mut self.warps[w].copies);
        let (done, open): (Vec<_>, Vec<_>) = copies.into_iter().partition(|copy| over(copy));
        self.warps[w].copies = open;
        for copy in done {
            let mut data = [0; 16];
            self.read_global(w, copy.lane, copy.source, &mut data[..copy.read as usize])?;
            self.traffic.global_read += u64::from(copy.read);
            let who = Who {
                warp: w,
                lane: copy.lane,
                line: copy.line,
                atomic: false,
            };
            self.shared
                .finish_own_write(who, copy.target, &data[..copy.bytes as usize]);
        }
        Ok(())
    }

    /// Global memory for a copy, at any alignment of the destination.
    pub(super) fn read_global(
        &mut self,
        w: usize,
        lane: usize,
        address: u64,
        data: &mut [u8],
    ) -> Result<(), Trouble> {
        if data.is_empty() {
            return Ok(());
        }
        let (allocation, offset) = self.global_read(w, lane, address, data.len() as u32)?;
        let step = step(offset, data.len());
        for (index, chunk) in data.chunks_mut(step).enumerate() {
            let value = allocation.load(offset + (index * step) as u64, step as u32);
            chunk.copy_from_slice(&value.to_le_bytes()[..step]);
        }
        Ok(())
    }

    pub(super) fn write_global(
        &mut self,
        w: usize,
        lane: usize,
        address: u64,
        data: &[u8],
    ) -> Result<(), Trouble> {
        if data.is_empty() {
            return Ok(());
        }
        let (allocation, offset) = self.global_write(w, lane, address, data.len() as u32)?;
        let step = step(offset, data.len());
        for (index, chunk) in data.chunks(step).enumerate() {
            let mut value = [0; 8];
            value[..step].copy_from_slice(chunk);
            let value = u64::from_le_bytes(value);
            allocation.store(offset + (index * step) as u64, step as u32, value);
        }
        self.traffic.global_written += data.len() as u64;
        Ok(())
    }

    /// `cp.async.mbarrier.arrive`.
    pub(super) fn copy_arrive(
        &mut self,
        w: usize,
        pc: u32,
        (address, space, increments): (&AddressRow, Space, bool),
        active: u32,
        line: u32,
    ) -> Result<(), Trouble> {
        check_written(&self.warps[w].rows, address.slot, active)?;
        let places = addresses(&self.warps[w].rows, address);
        for lane in lanes(active) {
            let (_, mbarrier) = resolve(space, places[lane]);
            let who = Who {
                warp: w,
                lane,
                line,
                atomic: false,
            };
            self.mbarrier(who, mbarrier, false)?;
            if increments {
                self.add_pending(who, mbarrier)?;
            }
            let before = self.warps[w].copy_count;
            let kind = PendingKind::Arrive { mbarrier, before };
            self.pending.push(Pending {
                warp: w,
                pc,
                lane,
                line,
                kind,
            });
        }
        Ok(())
    }

    /// Carries out one pending operation.
    pub(super) fn deliver(&mut self, index: usize) -> Result<(), (usize, u32, Trouble)> {
        let pending = self.pending.remove(index);
        self.progress += 1;
        let (warp, pc) = (pending.warp, pending.pc);
        self.carry_out(pending)
            .map_err(|trouble| (warp, pc, trouble))
    }

    fn carry_out(&mut self, pending: Pending) -> Result<(), Trouble> {
        let Pending {
            warp: w,
            lane,
            line,
            kind,
            ..
        } = pending;
        match kind {
            PendingKind::Arrive { mbarrier, before } => {
                self.finish_copies(w, |copy| copy.lane == lane && copy.number < before)?;
                let who = Who {
                    warp: w,
                    lane,
                    line,
                    atomic: false,
                };
                self.arrive(who, mbarrier, 1)?;
                self.settle_mbarrier(mbarrier);
            }
            PendingKind::Load {
                shared,
                bytes,
                mbarrier,
                source,
            } => {
                let mut data = vec![0; bytes as usize];
                let mut swizzle = 0;
                match source {
                    Target::Plain(address) => self.read_global(w, lane, address, &mut data)?,
                    Target::Tile(map, coordinates) => {
                        swizzle = map.swizzle;
                        for row in tile_rows(&map, &coordinates) {
                            let part = &mut data[row.at as usize..(row.at + row.bytes) as usize];
                            self.read_global(w, lane, row.global, part)?;
                        }
                    }
                }
                self.traffic.copied_to_shared += bytes;
                let channel = self.shared.order.channel(mbarrier);
                let Some(object) = self.mbarriers.get_mut(&mbarrier) else {
                    let message = "the mbarrier of a copy is gone";
                    return Err(Trouble::new(FaultKind::Mbarrier, lane, message).at(mbarrier));
                };
                let time = self.shared.order.complete(channel, &mut object.current);
                for (index, chunk) in data.chunks(16).enumerate() {
                    let address = swizzled(shared + 16 * index as u64, swizzle);
                    self.shared
                        .finish_write(address, chunk, channel, time, line);
                }
                self.count_bytes(lane, mbarrier, -(bytes as i64))?;
                self.settle_mbarrier(mbarrier);
            }
        }
        Ok(())
    }

    /// What a thread must have waited for before it exits.
    pub(super) fn check_exit(&self, w: usize, done: u32) -> Result<(), Trouble> {
        let warp = &self.warps[w];
        if let Some(store) = warp.stores.iter().find(|store| done >> store.lane & 1 != 0) {
            let message = "the thread exits before its bulk copy has read shared memory";
            return Err(Trouble::new(FaultKind::NotWaited, store.lane, message).at(store.shared));
        }
        if warp.wgmma.is_open() {
            let lane = done.trailing_zeros() as usize;
            let message = "the thread exits before its `wgmma` was waited for";
            return Err(Trouble::new(FaultKind::NotWaited, lane, message));
        }
        Ok(())
    }

    /// A copy to shared memory that is under way when the block ends.
    pub(super) fn check_end(&self) -> Result<(), (usize, u32, Trouble)> {
        match self.pending.first() {
            None => Ok(()),
            Some(pending) => {
                let message = "the block ends before this operation was waited for";
                let trouble = Trouble::new(FaultKind::NotWaited, pending.lane, message);
                Err((pending.warp, pending.pc, trouble))
            }
        }
    }
}

/// Largest access that fits offset and length.
fn step(offset: u64, length: usize) -> usize {
    [8, 4, 2]
        .into_iter()
        .find(|&s| offset.is_multiple_of(s as u64) && length.is_multiple_of(s))
        .unwrap_or(1)
}
