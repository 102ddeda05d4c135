//! Integer arithmetic and logic.

use crate::parse::syntax::Type;
use crate::program::{Pure, pure};

/// `pure!` with arguments and result of one type.
macro_rules! same_type {
    ($lane:ty; ($($name:ident),*) => $value:expr) => {
        pure!($lane; $($name: $lane),* => $value)
    };
}

/// `pure!` for one operation on several types.
macro_rules! by_type {
    ($ty:expr; $($pattern:pat => $lane:ty),*; $names:tt => $value:expr) => {
        match $ty {
            $($pattern => Some(same_type!($lane; $names => $value)),)*
            _ => None,
        }
    };
}
pub(super) use {by_type, same_type};

/// The operation `name` (opcode without its type) on `ty`.
pub(super) fn find(name: &str, ty: Type) -> Option<Pure> {
    match name {
        "add" => by_type!(ty; Type::U16 | Type::S16 => u16, Type::U32 | Type::S32 => u32,
            Type::U64 | Type::S64 => u64; (a, b) => a.wrapping_add(b)),
        "sub" => by_type!(ty; Type::U16 | Type::S16 => u16, Type::U32 | Type::S32 => u32,
            Type::U64 | Type::S64 => u64; (a, b) => a.wrapping_sub(b)),
        "add.sat" => by_type!(ty; Type::S32 => i32; (a, b) => a.saturating_add(b)),
        "sub.sat" => by_type!(ty; Type::S32 => i32; (a, b) => a.saturating_sub(b)),
        "mul.lo" => by_type!(ty; Type::U16 | Type::S16 => u16, Type::U32 | Type::S32 => u32,
            Type::U64 | Type::S64 => u64; (a, b) => a.wrapping_mul(b)),
        "mad.lo" => by_type!(ty; Type::U16 | Type::S16 => u16, Type::U32 | Type::S32 => u32,
            Type::U64 | Type::S64 => u64; (a, b, c) => a.wrapping_mul(b).wrapping_add(c)),
        "mad.hi.sat" => by_type!(ty; Type::S32 => i32;
            (a, b, c) => (((i64::from(a) * i64::from(b)) >> 32) as i32).saturating_add(c)),
        "mul.hi" | "mad.hi" | "mul.wide" | "mad.wide" => product(name, ty),
        "mul24.lo" | "mul24.hi" | "mad24.lo" | "mad24.hi" => product24(name, ty),
        "sad" => match ty {
            Type::U16 => Some(pure!(u16; a: u16, b: u16, c: u16 => c.wrapping_add(a.abs_diff(b)))),
            Type::S16 => Some(pure!(u16; a: i16, b: i16, c: u16 => c.wrapping_add(a.abs_diff(b)))),
            Type::U32 => Some(pure!(u32; a: u32, b: u32, c: u32 => c.wrapping_add(a.abs_diff(b)))),
            Type::S32 => Some(pure!(u32; a: i32, b: i32, c: u32 => c.wrapping_add(a.abs_diff(b)))),
            Type::U64 => Some(pure!(u64; a: u64, b: u64, c: u64 => c.wrapping_add(a.abs_diff(b)))),
            Type::S64 => Some(pure!(u64; a: i64, b: i64, c: u64 => c.wrapping_add(a.abs_diff(b)))),
            _ => None,
        },
        // The result of a division by zero is the machine's own; all ones is what cards give.
        "div" => match ty {
            Type::U16 => Some(pure!(u16; a: u16, b: u16 => a.checked_div(b).unwrap_or(u16::MAX))),
            Type::U32 => Some(pure!(u32; a: u32, b: u32 => a.checked_div(b).unwrap_or(u32::MAX))),
            Type::U64 => Some(pure!(u64; a: u64, b: u64 => a.checked_div(b).unwrap_or(u64::MAX))),
            Type::S16 => {
                Some(pure!(i16; a: i16, b: i16 => if b == 0 { -1 } else { a.wrapping_div(b) }))
            }
            Type::S32 => {
                Some(pure!(i32; a: i32, b: i32 => if b == 0 { -1 } else { a.wrapping_div(b) }))
            }
            Type::S64 => {
                Some(pure!(i64; a: i64, b: i64 => if b == 0 { -1 } else { a.wrapping_div(b) }))
            }
            _ => None,
        },
        "rem" => match ty {
            Type::U16 => Some(pure!(u16; a: u16, b: u16 => a.checked_rem(b).unwrap_or(a))),
            Type::U32 => Some(pure!(u32; a: u32, b: u32 => a.checked_rem(b).unwrap_or(a))),
            Type::U64 => Some(pure!(u64; a: u64, b: u64 => a.checked_rem(b).unwrap_or(a))),
            Type::S16 => {
                Some(pure!(i16; a: i16, b: i16 => if b == 0 { a } else { a.wrapping_rem(b) }))
            }
            Type::S32 => {
                Some(pure!(i32; a: i32, b: i32 => if b == 0 { a } else { a.wrapping_rem(b) }))
            }
            Type::S64 => {
                Some(pure!(i64; a: i64, b: i64 => if b == 0 { a } else { a.wrapping_rem(b) }))
            }
            _ => None,
        },
        "min" => by_type!(ty; Type::U16 => u16, Type::S16 => i16, Type::U32 => u32,
            Type::S32 => i32, Type::U64 => u64, Type::S64 => i64; (a, b) => a.min(b)),
        "max" => by_type!(ty; Type::U16 => u16, Type::S16 => i16, Type::U32 => u32,
            Type::S32 => i32, Type::U64 => u64, Type::S64 => i64; (a, b) => a.max(b)),
        "min.relu" => by_type!(ty; Type::S32 => i32; (a, b) => a.min(b).max(0)),
        "max.relu" => by_type!(ty; Type::S32 => i32; (a, b) => a.max(b).max(0)),
        "abs" => by_type!(ty; Type::S16 => i16, Type::S32 => i32, Type::S64 => i64;
            (a) => a.wrapping_abs()),
        "neg" => by_type!(ty; Type::S16 => i16, Type::S32 => i32, Type::S64 => i64;
            (a) => a.wrapping_neg()),
        _ => super::bits::find(name, ty),
    }
}

fn product(name: &str, ty: Type) -> Option<Pure> {
    Some(match (name, ty) {
        ("mul.hi", Type::U16) => {
            pure!(u16; a: u16, b: u16 => ((u32::from(a) * u32::from(b)) >> 16) as u16)
        }
        ("mul.hi", Type::S16) => {
            pure!(i16; a: i16, b: i16 => ((i32::from(a) * i32::from(b)) >> 16) as i16)
        }
        ("mul.hi", Type::U32) => {
            pure!(u32; a: u32, b: u32 => ((u64::from(a) * u64::from(b)) >> 32) as u32)
        }
        ("mul.hi", Type::S32) => {
            pure!(i32; a: i32, b: i32 => ((i64::from(a) * i64::from(b)) >> 32) as i32)
        }
        ("mul.hi", Type::U64) => {
            pure!(u64; a: u64, b: u64 => ((u128::from(a) * u128::from(b)) >> 64) as u64)
        }
        ("mul.hi", Type::S64) => {
            pure!(i64; a: i64, b: i64 => ((i128::from(a) * i128::from(b)) >> 64) as i64)
        }
        ("mad.hi", Type::U32) => pure!(u32; a: u32, b: u32, c: u32 =>
            (((u64::from(a) * u64::from(b)) >> 32) as u32).wrapping_add(c)),
        ("mad.hi", Type::S32) => pure!(i32; a: i32, b: i32, c: i32 =>
            (((i64::from(a) * i64::from(b)) >> 32) as i32).wrapping_add(c)),
        ("mad.hi", Type::U64) => pure!(u64; a: u64, b: u64, c: u64 =>
            (((u128::from(a) * u128::from(b)) >> 64) as u64).wrapping_add(c)),
        ("mad.hi", Type::S64) => pure!(i64; a: i64, b: i64, c: i64 =>
            (((i128::from(a) * i128::from(b)) >> 64) as i64).wrapping_add(c)),
        ("mul.wide", Type::U16) => pure!(u32; a: u16, b: u16 => u32::from(a) * u32::from(b)),
        ("mul.wide", Type::S16) => pure!(i32; a: i16, b: i16 => i32::from(a) * i32::from(b)),
        ("mul.wide", Type::U32) => pure!(u64; a: u32, b: u32 => u64::from(a) * u64::from(b)),
        ("mul.wide", Type::S32) => pure!(i64; a: i32, b: i32 => i64::from(a) * i64::from(b)),
        ("mad.wide", Type::U16) => pure!(u32; a: u16, b: u16, c: u32 =>
            (u32::from(a) * u32::from(b)).wrapping_add(c)),
        ("mad.wide", Type::S16) => pure!(i32; a: i16, b: i16, c: i32 =>
            (i32::from(a) * i32::from(b)).wrapping_add(c)),
        ("mad.wide", Type::U32) => pure!(u64; a: u32, b: u32, c: u64 =>
            (u64::from(a) * u64::from(b)).wrapping_add(c)),
        ("mad.wide", Type::S32) => pure!(i64; a: i32, b: i32, c: i64 =>
            (i64::from(a) * i64::from(b)).wrapping_add(c)),
        _ => return None,
    })
}

/// Low 24 bits by low 24 bits: `lo` keeps bits 0..32 of the 48, `hi` bits 16..48.
fn product24(name: &str, ty: Type) -> Option<Pure> {
    const fn unsigned(a: u32, b: u32) -> u64 {
        (a & 0xFF_FFFF) as u64 * (b & 0xFF_FFFF) as u64
    }
    const fn signed(a: i32, b: i32) -> i64 {
        (a << 8 >> 8) as i64 * (b << 8 >> 8) as i64
    }
    Some(match (name, ty) {
        ("mul24.lo", Type::U32) => pure!(u32; a: u32, b: u32 => unsigned(a, b) as u32),
        ("mul24.hi", Type::U32) => pure!(u32; a: u32, b: u32 => (unsigned(a, b) >> 16) as u32),
        ("mul24.lo", Type::S32) => pure!(i32; a: i32, b: i32 => signed(a, b) as i32),
        ("mul24.hi", Type::S32) => pure!(i32; a: i32, b: i32 => (signed(a, b) >> 16) as i32),
        ("mad24.lo", Type::U32) => {
            pure!(u32; a: u32, b: u32, c: u32 => (unsigned(a, b) as u32).wrapping_add(c))
        }
        ("mad24.hi", Type::U32) => {
            pure!(u32; a: u32, b: u32, c: u32 => ((unsigned(a, b) >> 16) as u32).wrapping_add(c))
        }
        ("mad24.lo", Type::S32) => {
            pure!(i32; a: i32, b: i32, c: i32 => (signed(a, b) as i32).wrapping_add(c))
        }
        ("mad24.hi", Type::S32) => {
            pure!(i32; a: i32, b: i32, c: i32 => ((signed(a, b) >> 16) as i32).wrapping_add(c))
        }
        _ => return None,
    })
}
