//! `setp`, `set`, `selp`, `slct`: comparisons and choices.

use half::{bf16, f16};

use crate::number::flush;
use crate::parse::syntax::Type;
use crate::program::{Pure, pure};

/// Comparisons of floats; those with `u` at the end are also true of NaN.
macro_rules! floats {
    ($comparison:expr, $lane:ty, $map:expr) => {
        Some(match $comparison {
            "eq" => pure!(bool; a: $lane, b: $lane => $map(a) == $map(b)),
            "ne" => pure!(bool; a: $lane, b: $lane => $map(a) < $map(b) || $map(a) > $map(b)),
            "lt" => pure!(bool; a: $lane, b: $lane => $map(a) < $map(b)),
            "le" => pure!(bool; a: $lane, b: $lane => $map(a) <= $map(b)),
            "gt" => pure!(bool; a: $lane, b: $lane => $map(a) > $map(b)),
            "ge" => pure!(bool; a: $lane, b: $lane => $map(a) >= $map(b)),
            "equ" => pure!(bool; a: $lane, b: $lane => !($map(a) < $map(b) || $map(a) > $map(b))),
            "neu" => pure!(bool; a: $lane, b: $lane => $map(a) != $map(b)),
            "ltu" => pure!(bool; a: $lane, b: $lane =>
                $map(a) < $map(b) || a.is_nan() || b.is_nan()),
            "leu" => pure!(bool; a: $lane, b: $lane =>
                $map(a) <= $map(b) || a.is_nan() || b.is_nan()),
            "gtu" => pure!(bool; a: $lane, b: $lane =>
                $map(a) > $map(b) || a.is_nan() || b.is_nan()),
            "geu" => pure!(bool; a: $lane, b: $lane =>
                $map(a) >= $map(b) || a.is_nan() || b.is_nan()),
            "num" => pure!(bool; a: $lane, b: $lane => !a.is_nan() && !b.is_nan()),
            "nan" => pure!(bool; a: $lane, b: $lane => a.is_nan() || b.is_nan()),
            _ => return None,
        })
    };
}

macro_rules! integers {
    ($comparison:expr, $lane:ty) => {
        Some(match $comparison {
            "eq" => pure!(bool; a: $lane, b: $lane => a == b),
            "ne" => pure!(bool; a: $lane, b: $lane => a != b),
            "lt" | "lo" => pure!(bool; a: $lane, b: $lane => a < b),
            "le" | "ls" => pure!(bool; a: $lane, b: $lane => a <= b),
            "gt" | "hi" => pure!(bool; a: $lane, b: $lane => a > b),
            "ge" | "hs" => pure!(bool; a: $lane, b: $lane => a >= b),
            _ => return None,
        })
    };
}

#[inline(always)]
fn same<T>(x: T) -> T {
    x
}

/// The predicate `a comparison b`.
pub(super) fn find(comparison: &str, ty: Type, ftz: bool) -> Option<Pure> {
    if ftz && ty != Type::F32 {
        return None;
    }
    match ty {
        Type::F16 => floats!(comparison, f16, f16::to_f32),
        Type::Bf16 => floats!(comparison, bf16, bf16::to_f32),
        Type::F32 if ftz => floats!(comparison, f32, flush),
        Type::F32 => floats!(comparison, f32, same),
        Type::F64 => floats!(comparison, f64, same),
        Type::B16 | Type::U16 => integers!(comparison, u16),
        Type::B32 | Type::U32 => integers!(comparison, u32),
        Type::B64 | Type::U64 => integers!(comparison, u64),
        Type::S16 => integers!(comparison, i16),
        Type::S32 => integers!(comparison, i32),
        Type::S64 => integers!(comparison, i64),
        _ => None,
    }
}

/// Joins a comparison's result with a predicate.
pub(super) fn combine(operation: &str) -> Option<Pure> {
    Some(match operation {
        "and" => pure!(bool; a: bool, b: bool => a & b),
        "or" => pure!(bool; a: bool, b: bool => a | b),
        "xor" => pure!(bool; a: bool, b: bool => a ^ b),
        _ => return None,
    })
}

/// `selp`: `p ? a : b`.
pub(super) fn select(ty: Type) -> Option<Pure> {
    Some(match ty.bytes() {
        2 => pure!(u16; a: u16, b: u16, p: bool => if p { a } else { b }),
        4 => pure!(u32; a: u32, b: u32, p: bool => if p { a } else { b }),
        8 => pure!(u64; a: u64, b: u64, p: bool => if p { a } else { b }),
        _ => return None,
    })
}

/// `slct`: `c >= 0 ? a : b`, where -0 counts as 0 and NaN takes `b`.
pub(super) fn by_sign(ty: Type, of: Type, ftz: bool) -> Option<Pure> {
    Some(match (ty.bytes(), of, ftz) {
        (2, Type::S32, false) => pure!(u16; a: u16, b: u16, c: i32 => if c >= 0 { a } else { b }),
        (4, Type::S32, false) => pure!(u32; a: u32, b: u32, c: i32 => if c >= 0 { a } else { b }),
        (8, Type::S32, false) => pure!(u64; a: u64, b: u64, c: i32 => if c >= 0 { a } else { b }),
        (4, Type::F32, false) => {
            pure!(u32; a: u32, b: u32, c: f32 => if c >= 0.0 { a } else { b })
        }
        (4, Type::F32, true) => {
            pure!(u32; a: u32, b: u32, c: f32 => if flush(c) >= 0.0 { a } else { b })
        }
        (8, Type::F32, false) => {
            pure!(u64; a: u64, b: u64, c: f32 => if c >= 0.0 { a } else { b })
        }
        _ => return None,
    })
}
