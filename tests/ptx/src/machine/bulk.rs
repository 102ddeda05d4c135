//! Bulk and tensor copies: their operands, their boxes, and their way to global memory.

use super::access::{addresses, lanes, resolve};
use super::block::Block;
use super::copies::{Pending, PendingKind};
use super::shared::Who;
use super::step::check_written;
use crate::fault::{FaultKind, Trouble};
use crate::parse::syntax::Space;
use crate::program::{Bulk, NONE};
use crate::tensor_map::{TensorMap, swizzled};

/// A bulk copy to global memory that is not done.
#[derive(Clone, Debug)]
pub(crate) struct OpenStore {
    pub lane: usize,
    group: Option<u32>,
    pub shared: u64,
    bytes: u64,
    target: Target,
}

/// The side of a bulk copy in global memory.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Plain(u64),
    Tile(TensorMap, Vec<i64>),
}

/// A row of a tile: its place in the tile, and the part of it that is in bounds.
pub(super) struct TileRow {
    pub at: u64,
    pub global: u64,
    pub bytes: u64,
}

/// Rows of a box with their part inside of the tensor; rows wholly outside are left out.
pub(super) fn tile_rows(map: &TensorMap, coordinates: &[i64]) -> Vec<TileRow> {
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
}
