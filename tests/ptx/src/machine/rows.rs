//! The registers of a warp: one row of 32 lanes for each, with a mask of the lanes that were written.
//!
//! A register of up to 32 bits takes one row, one of 64 bits two; registers of 8 and 16 bits hold their
//! value extended by zeros. A predicate is a mask in the first word of its row. Constants and special
//! registers are rows that are filled when the warp starts, so an operand is always a row.

use std::collections::BTreeSet;

use half::{bf16, f16};

/// All lanes.
pub(crate) const ALL: u32 = u32::MAX;

/// Number of lanes.
pub(crate) const LANES: usize = 32;

#[derive(Clone, Copy)]
#[repr(C, align(128))]
struct Row([u32; LANES]);

/// The registers of a warp.
pub(crate) struct Rows {
    rows: Vec<Row>,
    /// Lanes that hold a value, for each row; for two-row registers, in the first.
    pub written: Vec<u32>,
    /// For each row the tensor-core instructions that still accumulate in it; it then counts as unwritten.
    pending: Vec<u16>,
    /// For each row the tensor-core instructions that still read it.
    held: Vec<u16>,
    /// Number of rows with either.
    pub busy: u32,
    /// Rows used since the last `wgmma.fence`, among those that matter to one.
    pub touched: BTreeSet<u32>,
}

impl Rows {
    pub fn new(count: usize) -> Rows {
        Rows {
            rows: vec![Row([0; LANES]); count],
            written: vec![0; count],
            pending: vec![0; count],
            held: vec![0; count],
            busy: 0,
            touched: BTreeSet::new(),
        }
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.written.fill(0);
        self.pending.fill(0);
        self.held.fill(0);
        self.busy = 0;
        self.touched.clear();
    }

    /// A tensor core accumulates in the row.
    pub fn make_pending(&mut self, slot: u32) {
        let count = &mut self.pending[slot as usize];
        self.busy += u32::from(*count == 0);
        *count += 1;
        self.written[slot as usize] = 0;
    }

    /// One of the instructions that accumulate in the row is waited for.
    pub fn release(&mut self, slot: u32) {
        let count = &mut self.pending[slot as usize];
        *count -= 1;
        if *count == 0 {
            self.busy -= 1;
            self.written[slot as usize] = ALL;
        }
    }

    pub fn is_pending(&self, slot: u32) -> bool {
        self.pending[slot as usize] != 0
    }

    /// A tensor core reads the row.
    pub fn hold(&mut self, slot: u32) {
        let count = &mut self.held[slot as usize];
        self.busy += u32::from(*count == 0);
        *count += 1;
    }

    pub fn unhold(&mut self, slot: u32) {
        let count = &mut self.held[slot as usize];
        *count -= 1;
        self.busy -= u32::from(*count == 0);
    }

    /// Whether the row may be written.
    pub fn is_free(&self, slot: u32) -> bool {
        self.pending[slot as usize] == 0 && self.held[slot as usize] == 0
    }

    /// A register of up to 32 bits.
    #[inline]
    pub fn narrow(&self, slot: u32) -> &[u32; LANES] {
        &self.rows[slot as usize].0
    }

    #[inline]
    pub fn narrow_mut(&mut self, slot: u32) -> &mut [u32; LANES] {
        &mut self.rows[slot as usize].0
    }

    /// A register of 64 bits.
    #[inline]
    pub fn wide(&self, slot: u32) -> &[u64; LANES] {
        let pair = &self.rows[slot as usize..slot as usize + 2];
        // SAFETY: two rows are 256 bytes without padding, aligned to 128; any bits are a u64.
        unsafe { &*pair.as_ptr().cast::<[u64; LANES]>() }
    }

    #[inline]
    pub fn wide_mut(&mut self, slot: u32) -> &mut [u64; LANES] {
        let pair = &mut self.rows[slot as usize..slot as usize + 2];
        // SAFETY: as in `wide`; the borrow is exclusive.
        unsafe { &mut *pair.as_mut_ptr().cast::<[u64; LANES]>() }
    }

    /// The lanes in which a predicate is true.
    #[inline]
    pub fn predicate(&self, slot: u32) -> u32 {
        self.rows[slot as usize].0[0]
    }

    #[inline]
    pub fn set_predicate(&mut self, slot: u32, mask: u32, value: u32) {
        let word = &mut self.rows[slot as usize].0[0];
        *word = (*word & !mask) | (value & mask);
        self.written[slot as usize] |= mask;
    }

    #[inline]
    pub fn set_narrow(&mut self, slot: u32, mask: u32, values: &[u32; LANES]) {
        let row = &mut self.rows[slot as usize].0;
        if mask == ALL {
            *row = *values;
        } else {
            for lane in 0..LANES {
                row[lane] = if mask >> lane & 1 != 0 {
                    values[lane]
                } else {
                    row[lane]
                };
            }
        }
        self.written[slot as usize] |= mask;
    }

    #[inline]
    pub fn set_wide(&mut self, slot: u32, mask: u32, values: &[u64; LANES]) {
        let row = self.wide_mut(slot);
        if mask == ALL {
            *row = *values;
        } else {
            for lane in 0..LANES {
                row[lane] = if mask >> lane & 1 != 0 {
                    values[lane]
                } else {
                    row[lane]
                };
            }
        }
        self.written[slot as usize] |= mask;
    }

    /// Writes one lane of a register of up to 32 bits.
    #[inline]
    pub fn set_lane(&mut self, slot: u32, lane: usize, value: u32) {
        self.rows[slot as usize].0[lane] = value;
        self.written[slot as usize] |= 1 << lane;
    }

    /// Writes one lane of a register of 64 bits.
    #[inline]
    pub fn set_lane_wide(&mut self, slot: u32, lane: usize, value: u64) {
        self.wide_mut(slot)[lane] = value;
        self.written[slot as usize] |= 1 << lane;
    }
}

/// A type of values that a row holds one of per lane.
pub(crate) trait Lane: Copy + Default {
    /// Class of the registers that hold it.
    const CLASS: Class;
    fn load(rows: &Rows, slot: u32) -> [Self; LANES];
    fn store(rows: &mut Rows, slot: u32, mask: u32, values: &[Self; LANES]);
}

/// What kind of rows a register needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Predicate,
    Narrow,
    Wide,
}

macro_rules! narrow_lane {
    ($($ty:ty: $value:ident => $load:expr, $kept:ident => $store:expr;)*) => {$(
        impl Lane for $ty {
            const CLASS: Class = Class::Narrow;
            #[inline(always)]
            fn load(rows: &Rows, slot: u32) -> [Self; LANES] {
                rows.narrow(slot).map(|$value| $load)
            }
            #[inline(always)]
            fn store(rows: &mut Rows, slot: u32, mask: u32, values: &[Self; LANES]) {
                rows.set_narrow(slot, mask, &values.map(|$kept| $store));
            }
        }
    )*};
}

narrow_lane! {
    u8: v => v as u8, v => v.into();
    i8: v => v as i8, v => v as u16 as u32;
    u16: v => v as u16, v => v.into();
    i16: v => v as i16, v => v as u16 as u32;
    u32: v => v, v => v;
    i32: v => v as i32, v => v as u32;
    f32: v => f32::from_bits(v), v => v.to_bits();
    f16: v => f16::from_bits(v as u16), v => v.to_bits().into();
    bf16: v => bf16::from_bits(v as u16), v => v.to_bits().into();
}

macro_rules! wide_lane {
    ($($ty:ty: $value:ident => $load:expr, $kept:ident => $store:expr;)*) => {$(
        impl Lane for $ty {
            const CLASS: Class = Class::Wide;
            #[inline(always)]
            fn load(rows: &Rows, slot: u32) -> [Self; LANES] {
                rows.wide(slot).map(|$value| $load)
            }
            #[inline(always)]
            fn store(rows: &mut Rows, slot: u32, mask: u32, values: &[Self; LANES]) {
                rows.set_wide(slot, mask, &values.map(|$kept| $store));
            }
        }
    )*};
}

wide_lane! {
    u64: v => v, v => v;
    i64: v => v as i64, v => v as u64;
    f64: v => f64::from_bits(v), v => v.to_bits();
}

impl Lane for bool {
    const CLASS: Class = Class::Predicate;
    #[inline(always)]
    fn load(rows: &Rows, slot: u32) -> [bool; LANES] {
        let mask = rows.predicate(slot);
        std::array::from_fn(|lane| mask >> lane & 1 != 0)
    }
    #[inline(always)]
    fn store(rows: &mut Rows, slot: u32, mask: u32, values: &[bool; LANES]) {
        let mut value = 0;
        for (lane, bit) in values.iter().enumerate() {
            value |= u32::from(*bit) << lane;
        }
        rows.set_predicate(slot, mask, value);
    }
}
