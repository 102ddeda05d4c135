//! Loads and stores of threads: all lanes of one space at a time.

use super::block::Block;
use super::rows::{Class, LANES, Rows};
use super::shared::Who;
use super::space::{LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, WINDOW_BYTES};
use super::step::check_written;
use crate::fault::{FaultKind, Trouble};
use crate::parse::syntax::Space;
use crate::program::{Access, AddressRow, NONE};

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

/// `bytes` must be a power of two.
#[inline]
pub(super) fn check_aligned(lane: usize, address: u64, bytes: u32) -> Result<(), Trouble> {
    if address & (u64::from(bytes) - 1) == 0 {
        return Ok(());
    }
    let message = format!("an access of {bytes} bytes is not at a multiple of {bytes}");
    Err(Trouble::new(FaultKind::Misaligned, lane, message).at(address))
}

/// Values of up to eight elements, for all lanes.
pub(crate) type Values = [[u64; LANES]; 8];

impl Block<'_> {
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

    /// The lanes of `active` that access the space of the first of them, the space, and their addresses
    /// in it, which are multiples of `total`.
    fn one_space(
        access: &Access,
        active: u32,
        total: u32,
        addresses: &mut [u64; LANES],
    ) -> Result<(Space, u32), Trouble> {
        let first = active.trailing_zeros() as usize;
        let (space, _) = resolve(access.space, addresses[first]);
        let mut mask = 0;
        for lane in lanes(active) {
            let (found, address) = resolve(access.space, addresses[lane]);
            if found != space {
                continue;
            }
            check_aligned(lane, address, total)?;
            addresses[lane] = address;
            mask |= 1 << lane;
        }
        Ok((space, mask))
    }

    pub(super) fn load(
        &mut self,
        w: usize,
        access: &Access,
        active: u32,
        line: u32,
    ) -> Result<(), Trouble> {
        check_written(&self.warps[w].rows, access.address.slot, active)?;
        let mut addresses = addresses(&self.warps[w].rows, &access.address);
        let (bytes, count) = (access.bytes, access.elements.len());
        let total = bytes * count as u32;
        let mut values = std::mem::take(&mut self.values);
        let mut left = active;
        while left != 0 {
            let (space, mask) = Self::one_space(access, left, total, &mut addresses)?;
            left &= !mask;
            match space {
                Space::Global | Space::Const | Space::Generic => {
                    self.traffic.global_read += u64::from(total * mask.count_ones());
                    for lane in lanes(mask) {
                        let (allocation, at) = self.global_read(w, lane, addresses[lane], total)?;
                        for (index, values) in values[..count].iter_mut().enumerate() {
                            values[lane] =
                                allocation.load(at + index as u64 * u64::from(bytes), bytes);
                        }
                    }
                }
                Space::Shared => {
                    self.traffic.shared_read += u64::from(total * mask.count_ones());
                    for lane in lanes(mask) {
                        let who = Who {
                            warp: w,
                            lane,
                            line,
                            atomic: false,
                        };
                        for (index, values) in values[..count].iter_mut().enumerate() {
                            let at = addresses[lane] + index as u64 * u64::from(bytes);
                            values[lane] = self.shared.read(who, at, bytes)?;
                        }
                    }
                }
                Space::Local => {
                    for lane in lanes(mask) {
                        for (index, values) in values[..count].iter_mut().enumerate() {
                            let at = addresses[lane] + index as u64 * u64::from(bytes);
                            values[lane] = self.warps[w].local.read(lane, at, bytes)?;
                        }
                    }
                }
                Space::Param => {
                    for lane in lanes(mask) {
                        for (index, values) in values[..count].iter_mut().enumerate() {
                            let at = addresses[lane] + index as u64 * u64::from(bytes);
                            values[lane] = self.read_param(lane, at, bytes)?;
                        }
                    }
                }
            }
        }
        let rows = &mut self.warps[w].rows;
        let shift = 64 - 8 * bytes;
        for (values, &(slot, class)) in values.iter_mut().zip(&access.elements) {
            if slot == NONE {
                continue;
            }
            if access.signed {
                *values = values.map(|value| ((value << shift) as i64 >> shift) as u64);
            }
            match class {
                Class::Wide => rows.set_wide(slot, active, values),
                Class::Narrow | Class::Predicate => {
                    rows.set_narrow(slot, active, &values.map(|value| value as u32));
                }
            }
        }
        self.values = values;
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
        let mut addresses = addresses(rows, &access.address);
        let (bytes, count) = (access.bytes, access.elements.len());
        let total = bytes * count as u32;
        let mut values = std::mem::take(&mut self.values);
        for (values, &(slot, class)) in values.iter_mut().zip(&access.elements) {
            *values = match class {
                Class::Wide => *rows.wide(slot),
                Class::Narrow | Class::Predicate => rows.narrow(slot).map(u64::from),
            };
        }
        let mut left = active;
        while left != 0 {
            let (space, mask) = Self::one_space(access, left, total, &mut addresses)?;
            left &= !mask;
            for lane in lanes(mask) {
                let address = addresses[lane];
                let elements = values[..count].iter().map(|values| values[lane]);
                let places = (address..).step_by(bytes as usize);
                match space {
                    Space::Global | Space::Generic => {
                        let (allocation, at) = self.global_write(w, lane, address, total)?;
                        for (value, place) in elements.zip((at..).step_by(bytes as usize)) {
                            allocation.store(place, bytes, value);
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
                        for (value, place) in elements.zip(places) {
                            self.shared.write(who, place, bytes, value)?;
                        }
                        self.traffic.shared_written += u64::from(total);
                    }
                    Space::Local => {
                        for (value, place) in elements.zip(places) {
                            self.warps[w].local.write(lane, place, bytes, value)?;
                        }
                    }
                    Space::Param | Space::Const => {
                        let message = format!("{space:?} memory is written");
                        return Err(Trouble::new(FaultKind::ReadOnly, lane, message).at(address));
                    }
                }
            }
        }
        self.values = values;
        Ok(())
    }
}
