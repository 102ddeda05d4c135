//! Asynchronous copies. Each is carried out as late as the program allows: when it is waited for, or when
//! no warp can go on; with a schedule other than 0 also at random times. Until then its target may be
//! neither read nor written, and its source in shared memory not be written.
//!
//! Global memory is read when the copy is carried out. Bulk copies to global memory are whole when
//! `wait_group.read` returns, which is earlier than the manual promises.

use super::access::{addresses, lanes, resolve};
use super::block::{Block, check_written};
use super::rows::LANES;
use super::shared::Who;
use crate::fault::{FaultKind, Trouble};
use crate::parse::syntax::Space;
use crate::program::{AddressRow, Bulk, NONE, ThreadCopy};
use crate::tensor_map::{TensorMap, swizzled};

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

/// A bulk copy to global memory that is not done.
#[derive(Clone, Debug)]
pub(crate) struct OpenStore {
    lane: usize,
    group: Option<u32>,
    shared: u64,
    bytes: u64,
    target: Target,
}

#[derive(Clone, Debug)]
enum Target {
    Plain(u64),
    Tile(TensorMap, Vec<i64>),
}

/// Something that happens by itself.
#[derive(Debug)]
pub(crate) struct Pending {
    pub warp: usize,
    pub pc: u32,
    lane: usize,
    line: u32,
    kind: PendingKind,
}

#[derive(Debug)]
enum PendingKind {
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

/// A row of a tile: its place in the tile, and the part of it that is in bounds.
struct TileRow {
    at: u64,
    global: u64,
    bytes: u64,
}

/// Rows of a box with their part inside of the tensor; rows wholly outside are left out.
fn tile_rows(map: &TensorMap, coordinates: &[i64]) -> Vec<TileRow> {
    let element = i64::from(map.element);
    let tile = map.tile();
    let rank = tile.len();
    let inside = |axis: usize, at: i64| at >= 0 && (at as u64) < map.dims[axis];
    let row_bytes = tile[0] * map.element as u64;
    let first = coordinates[0].max(0);
    let last = (coordinates[0] + tile[0] as i64).min(map.dims[0] as i64);
    let mut rows = Vec::new();
    if first >= last {
        return rows;
    }
    let count: u64 = tile[1..].iter().product();
    for row in 0..count {
        let mut rest = row;
        let mut global = map.base as i64 + first * element;
        let mut is_inside = true;
        for axis in 1..rank {
            let index = (rest % tile[axis]) as i64 * i64::from(map.steps[axis]);
            rest /= tile[axis];
            let at = coordinates[axis] + index;
            is_inside &= inside(axis, at);
            global += at * map.strides[axis - 1] as i64;
        }
        if is_inside {
            rows.push(TileRow {
                at: row * row_bytes + ((first - coordinates[0]) * element) as u64,
                global: global as u64,
                bytes: ((last - first) * element) as u64,
            });
        }
    }
    rows
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
    fn read_global(
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

    fn write_global(
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

    /// `cp.async.bulk` and its tensor form.
    pub(super) fn bulk(
        &mut self,
        w: usize,
        pc: u32,
        bulk: &Bulk,
        active: u32,
        line: u32,
    ) -> Result<(), Trouble> {
        let rows = &self.warps[w].rows;
        let mut slots = vec![
            bulk.shared.slot,
            bulk.global.slot,
            bulk.size,
            bulk.multicast,
        ];
        slots.extend(&bulk.coordinates);
        slots.extend(bulk.mbarrier.iter().map(|address| address.slot));
        for slot in slots {
            if slot != NONE {
                check_written(rows, slot, active)?;
            }
        }
        let shared = addresses(rows, &bulk.shared);
        let global = addresses(rows, &bulk.global);
        let mbarriers = bulk.mbarrier.map(|address| addresses(rows, &address));
        for lane in lanes(active) {
            let who = Who {
                warp: w,
                lane,
                line,
                atomic: false,
            };
            let rows = &self.warps[w].rows;
            let narrow = |slot: u32| rows.narrow(slot)[lane];
            if bulk.multicast != NONE && narrow(bulk.multicast) & 0xFFFF != 1 {
                let message = "a multicast to blocks that the cluster of one does not have";
                return Err(Trouble::new(FaultKind::Operand, lane, message));
            }
            let (bytes, target) = if bulk.tensor {
                let coordinates: Vec<i64> = bulk
                    .coordinates
                    .iter()
                    .map(|&slot| narrow(slot) as i32 as i64)
                    .collect();
                let map = self.tensor_map(w, lane, global[lane])?;
                if map.dims.len() != coordinates.len() {
                    let message = format!(
                        "a copy of {} dimensions with a tensor map of {}",
                        coordinates.len(),
                        map.dims.len()
                    );
                    return Err(Trouble::new(FaultKind::Operand, lane, message));
                }
                (map.tile_bytes(), Target::Tile(map, coordinates))
            } else {
                (u64::from(narrow(bulk.size)), Target::Plain(global[lane]))
            };
            let alignment = if bulk.tensor { 128 } else { 16 };
            if !shared[lane].is_multiple_of(alignment) {
                let message = format!("a bulk copy is not at a multiple of {alignment} bytes");
                return Err(Trouble::new(FaultKind::Misaligned, lane, message).at(shared[lane]));
            }
            if let Target::Plain(address) = target
                && !(address.is_multiple_of(16) && bytes.is_multiple_of(16) && bytes > 0)
            {
                let message =
                    format!("a bulk copy of {bytes} bytes; 16 must divide size and address");
                return Err(Trouble::new(FaultKind::Misaligned, lane, message).at(address));
            }
            match &mbarriers {
                Some(mbarriers) => {
                    let mbarrier = mbarriers[lane];
                    self.mbarrier(who, mbarrier, true)?;
                    self.shared.start_write(who, shared[lane], bytes)?;
                    let shared = shared[lane];
                    let kind = PendingKind::Load {
                        shared,
                        bytes,
                        mbarrier,
                        source: target,
                    };
                    self.pending.push(Pending {
                        warp: w,
                        pc,
                        lane,
                        line,
                        kind,
                    });
                }
                None => {
                    self.shared.start_read(who, shared[lane], bytes)?;
                    let shared = shared[lane];
                    let store = OpenStore {
                        lane,
                        group: None,
                        shared,
                        bytes,
                        target,
                    };
                    self.warps[w].stores.push(store);
                }
            }
        }
        Ok(())
    }

    /// The tensor map at a generic address.
    fn tensor_map(&mut self, w: usize, lane: usize, address: u64) -> Result<TensorMap, Trouble> {
        let (space, place) = resolve(Space::Generic, address);
        let mut bytes = [0; 128];
        match space {
            Space::Param => {
                let params = &self.launch.params;
                let place = place as usize;
                let Some(found) = params.get(place..place + 128) else {
                    let message = "a tensor map outside of the parameters";
                    return Err(Trouble::new(FaultKind::OutOfBounds, lane, message).at(address));
                };
                bytes.copy_from_slice(found);
            }
            Space::Global => self.read_global(w, lane, place, &mut bytes)?,
            _ => {
                let message = format!("a tensor map in {space:?} memory");
                return Err(Trouble::new(FaultKind::Operand, lane, message).at(address));
            }
        }
        if !address.is_multiple_of(64) {
            let message = "a tensor map is not at a multiple of 64";
            return Err(Trouble::new(FaultKind::Misaligned, lane, message).at(address));
        }
        TensorMap::decode(&bytes).ok_or_else(|| {
            let message = "these 128 bytes are not a map of `TensorMap::encode`";
            Trouble::new(FaultKind::Operand, lane, message).at(address)
        })
    }

    pub(super) fn commit_stores(&mut self, w: usize, active: u32) {
        let warp = &mut self.warps[w];
        for store in &mut warp.stores {
            if active >> store.lane & 1 != 0 && store.group.is_none() {
                store.group = Some(warp.store_groups[store.lane]);
            }
        }
        for lane in lanes(active) {
            warp.store_groups[lane] += 1;
        }
    }

    pub(super) fn wait_stores(&mut self, w: usize, open: u32, active: u32) -> Result<(), Trouble> {
        let groups = self.warps[w].store_groups;
        let stores = std::mem::take(&mut self.warps[w].stores);
        let (done, open): (Vec<_>, Vec<_>) = stores.into_iter().partition(|store| {
            let over = store
                .group
                .is_some_and(|group| group + open < groups[store.lane]);
            active >> store.lane & 1 != 0 && over
        });
        self.warps[w].stores = open;
        for store in done {
            let data = match &store.target {
                Target::Plain(_) => self
                    .shared
                    .bytes(store.lane, store.shared, store.bytes)?
                    .to_vec(),
                Target::Tile(map, _) => {
                    let mut data = Vec::with_capacity(store.bytes as usize);
                    for place in (0..store.bytes).step_by(16) {
                        let address = swizzled(store.shared + place, map.swizzle);
                        data.extend(self.shared.bytes(store.lane, address, 16)?);
                    }
                    data
                }
            };
            self.shared.finish_read(w, store.shared, store.bytes);
            match store.target {
                Target::Plain(address) => self.write_global(w, store.lane, address, &data)?,
                Target::Tile(map, coordinates) => {
                    for row in tile_rows(&map, &coordinates) {
                        let part = &data[row.at as usize..(row.at + row.bytes) as usize];
                        self.write_global(w, store.lane, row.global, part)?;
                    }
                }
            }
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
        .find(|&s| offset % s as u64 == 0 && length % s == 0)
        .unwrap_or(1)
}
