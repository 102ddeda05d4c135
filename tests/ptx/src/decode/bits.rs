//! Logic, shifts and other operations on bits.

use super::integer::{by_type, same_type};
use crate::parse::syntax::Type;
use crate::program::{Pure, pure};

/// The operation `name` (opcode without its type) on `ty`.
pub(super) fn find(name: &str, ty: Type) -> Option<Pure> {
    match name {
        "and" => by_type!(ty; Type::B16 => u16, Type::B32 => u32, Type::B64 => u64,
            Type::Pred => bool; (a, b) => a & b),
        "or" => by_type!(ty; Type::B16 => u16, Type::B32 => u32, Type::B64 => u64,
            Type::Pred => bool; (a, b) => a | b),
        "xor" => by_type!(ty; Type::B16 => u16, Type::B32 => u32, Type::B64 => u64,
            Type::Pred => bool; (a, b) => a ^ b),
        "not" => by_type!(ty; Type::B16 => u16, Type::B32 => u32, Type::B64 => u64,
            Type::Pred => bool; (a) => !a),
        "mov" => by_type!(ty;
            Type::B16 | Type::U16 | Type::S16 | Type::F16 | Type::Bf16 => u16,
            Type::B32 | Type::U32 | Type::S32 | Type::F32 | Type::F16x2 | Type::Bf16x2 => u32,
            Type::B64 | Type::U64 | Type::S64 | Type::F64 => u64,
            Type::Pred => bool; (a) => a),
        "cnot" => by_type!(ty; Type::B16 => u16, Type::B32 => u32, Type::B64 => u64;
            (a) => (a == 0).into()),
        "shl" => match ty {
            Type::B16 => Some(pure!(u16; a: u16, n: u32 => a.checked_shl(n).unwrap_or(0))),
            Type::B32 => Some(pure!(u32; a: u32, n: u32 => a.checked_shl(n).unwrap_or(0))),
            Type::B64 => Some(pure!(u64; a: u64, n: u32 => a.checked_shl(n).unwrap_or(0))),
            _ => None,
        },
        "shr" => match ty {
            Type::B16 | Type::U16 => {
                Some(pure!(u16; a: u16, n: u32 => a.checked_shr(n).unwrap_or(0)))
            }
            Type::B32 | Type::U32 => {
                Some(pure!(u32; a: u32, n: u32 => a.checked_shr(n).unwrap_or(0)))
            }
            Type::B64 | Type::U64 => {
                Some(pure!(u64; a: u64, n: u32 => a.checked_shr(n).unwrap_or(0)))
            }
            Type::S16 => Some(pure!(i16; a: i16, n: u32 => a >> n.min(15))),
            Type::S32 => Some(pure!(i32; a: i32, n: u32 => a >> n.min(31))),
            Type::S64 => Some(pure!(i64; a: i64, n: u32 => a >> n.min(63))),
            _ => None,
        },
        "shf.l.wrap" | "shf.l.clamp" | "shf.r.wrap" | "shf.r.clamp" => funnel(name, ty),
        "popc" | "clz" | "brev" => count(name, ty),
        "bfind" | "bfind.shiftamt" => find_bit(name, ty),
        "bfe" | "bfi" => field(name, ty),
        "szext.clamp" | "szext.wrap" | "bmsk.clamp" | "bmsk.wrap" => mask(name, ty),
        "lop3" => None,
        "prmt" if ty == Type::B32 => Some(pure!(u32; a: u32, b: u32, s: u32 => permute(a, b, s))),
        "slct.u32" | "slct.s32" | "slct.b32" | "slct.f32" => None,
        _ => None,
    }
}

/// `b:a` shifted by `n`; left gives the upper word, right the lower.
fn funnel(name: &str, ty: Type) -> Option<Pure> {
    if ty != Type::B32 {
        return None;
    }
    const fn join(a: u32, b: u32) -> u64 {
        (b as u64) << 32 | a as u64
    }
    Some(match name {
        "shf.l.wrap" => {
            pure!(u32; a: u32, b: u32, n: u32 => ((join(a, b) << (n & 31)) >> 32) as u32)
        }
        "shf.l.clamp" => pure!(u32; a: u32, b: u32, n: u32 =>
            ((join(a, b) << (if n > 32 { 32 } else { n })) >> 32) as u32),
        "shf.r.wrap" => pure!(u32; a: u32, b: u32, n: u32 => (join(a, b) >> (n & 31)) as u32),
        _ => pure!(u32; a: u32, b: u32, n: u32 =>
            (join(a, b) >> (if n > 32 { 32 } else { n })) as u32),
    })
}

fn count(name: &str, ty: Type) -> Option<Pure> {
    Some(match (name, ty) {
        ("popc", Type::B32) => pure!(u32; a: u32 => a.count_ones()),
        ("popc", Type::B64) => pure!(u32; a: u64 => a.count_ones()),
        ("clz", Type::B32) => pure!(u32; a: u32 => a.leading_zeros()),
        ("clz", Type::B64) => pure!(u32; a: u64 => a.leading_zeros()),
        ("brev", Type::B32) => pure!(u32; a: u32 => a.reverse_bits()),
        ("brev", Type::B64) => pure!(u64; a: u64 => a.reverse_bits()),
        _ => return None,
    })
}

/// Place of the highest bit that differs from the sign; all ones if there is none.
fn find_bit(name: &str, ty: Type) -> Option<Pure> {
    const fn highest(a: u64) -> u32 {
        63u32.wrapping_sub(a.leading_zeros())
    }
    const fn shift(place: u32, bits: u32) -> u32 {
        if place == u32::MAX {
            place
        } else {
            bits - 1 - place
        }
    }
    Some(match (name, ty) {
        ("bfind", Type::U32) => pure!(u32; a: u32 => highest(a.into())),
        ("bfind", Type::U64) => pure!(u32; a: u64 => highest(a)),
        ("bfind", Type::S32) => pure!(u32; a: i32 => highest((a ^ (a >> 31)) as u32 as u64)),
        ("bfind", Type::S64) => pure!(u32; a: i64 => highest((a ^ (a >> 63)) as u64)),
        ("bfind.shiftamt", Type::U32) => pure!(u32; a: u32 => shift(highest(a.into()), 32)),
        ("bfind.shiftamt", Type::U64) => pure!(u32; a: u64 => shift(highest(a), 64)),
        ("bfind.shiftamt", Type::S32) => {
            pure!(u32; a: i32 => shift(highest((a ^ (a >> 31)) as u32 as u64), 32))
        }
        ("bfind.shiftamt", Type::S64) => {
            pure!(u32; a: i64 => shift(highest((a ^ (a >> 63)) as u64), 64))
        }
        _ => return None,
    })
}

/// Bit field extract and insert; position and length are 8 bits wide.
fn field(name: &str, ty: Type) -> Option<Pure> {
    const fn ones(length: u32) -> u64 {
        if length >= 64 {
            u64::MAX
        } else {
            (1 << length) - 1
        }
    }
    const fn extract(a: u64, at: u32, length: u32) -> u64 {
        let (at, length) = (at & 255, length & 255);
        if at >= 64 { 0 } else { a >> at & ones(length) }
    }
    /// Bits past the register's end are copies of its sign, and so is the rest of the result.
    const fn extract_signed(a: i64, at: u32, length: u32, bits: u32) -> i64 {
        let (at, length) = (at & 255, length & 255);
        if length == 0 {
            return 0;
        }
        let last = if at + length - 1 < bits - 1 {
            at + length - 1
        } else {
            bits - 1
        };
        let sign = if a >> last & 1 != 0 { -1i64 } else { 0 };
        let kept = if at >= bits { 0 } else { last + 1 - at };
        let value = if at >= bits {
            0
        } else {
            (a >> at) as u64 & ones(kept)
        };
        value as i64 | if kept >= 64 { 0 } else { sign << kept }
    }
    const fn insert(a: u64, b: u64, at: u32, length: u32) -> u64 {
        let (at, length) = (at & 255, length & 255);
        let mask = if at >= 64 { 0 } else { ones(length) << at };
        let moved = if at >= 64 { 0 } else { a << at };
        b & !mask | moved & mask
    }
    Some(match (name, ty) {
        ("bfe", Type::U32) => {
            pure!(u32; a: u32, p: u32, n: u32 => extract(a.into(), p, n) as u32)
        }
        ("bfe", Type::U64) => pure!(u64; a: u64, p: u32, n: u32 => extract(a, p, n)),
        ("bfe", Type::S32) => {
            pure!(i32; a: i32, p: u32, n: u32 => extract_signed(a.into(), p, n, 32) as i32)
        }
        ("bfe", Type::S64) => {
            pure!(i64; a: i64, p: u32, n: u32 => extract_signed(a, p, n, 64))
        }
        ("bfi", Type::B32) => pure!(u32; a: u32, b: u32, p: u32, n: u32 =>
            insert(a.into(), b.into(), p, n) as u32),
        ("bfi", Type::B64) => {
            pure!(u64; a: u64, b: u64, p: u32, n: u32 => insert(a, b, p, n))
        }
        _ => return None,
    })
}

/// `szext`: the low `n` bits extended; `bmsk`: `b` ones from bit `a` on.
fn mask(name: &str, ty: Type) -> Option<Pure> {
    const fn unsigned(a: u32, n: u32) -> u32 {
        if n >= 32 { a } else { a & ((1 << n) - 1) }
    }
    const fn signed(a: i32, n: u32) -> i32 {
        if n == 0 {
            0
        } else if n >= 32 {
            a
        } else {
            a << (32 - n) >> (32 - n)
        }
    }
    const fn ones(at: u32, length: u32) -> u32 {
        if at >= 32 {
            0
        } else if length >= 32 {
            u32::MAX << at
        } else {
            ((1 << length) - 1) << at
        }
    }
    Some(match (name, ty) {
        ("szext.clamp", Type::U32) => pure!(u32; a: u32, n: u32 => unsigned(a, n)),
        ("szext.wrap", Type::U32) => pure!(u32; a: u32, n: u32 => unsigned(a, n & 31)),
        ("szext.clamp", Type::S32) => pure!(i32; a: i32, n: u32 => signed(a, n)),
        ("szext.wrap", Type::S32) => pure!(i32; a: i32, n: u32 => signed(a, n & 31)),
        ("bmsk.clamp", Type::B32) => pure!(u32; a: u32, n: u32 => ones(a, n)),
        ("bmsk.wrap", Type::B32) => pure!(u32; a: u32, n: u32 => ones(a & 31, n & 31)),
        _ => return None,
    })
}

/// Four bytes chosen from the eight of `b:a`; bit 3 of a selector repeats the byte's sign.
fn permute(a: u32, b: u32, selectors: u32) -> u32 {
    let bytes = u64::from(b) << 32 | u64::from(a);
    let mut out = 0;
    for place in 0..4 {
        let selector = selectors >> (4 * place) & 15;
        let byte = (bytes >> (8 * (selector & 7))) as u8;
        let byte = if selector & 8 == 0 {
            byte
        } else {
            (byte as i8 >> 7) as u8
        };
        out |= u32::from(byte) << (8 * place);
    }
    out
}

/// `lop3` with the truth table `table`: bit `4a + 2b + c` of it is the result.
pub(super) fn lop3() -> Pure {
    pure!(u32; a: u32, b: u32, c: u32, table: u32 => {
        let mut out = 0;
        let mut row = 0;
        while row < 8 {
            if table >> row & 1 != 0 {
                let a = if row & 4 != 0 { a } else { !a };
                let b = if row & 2 != 0 { b } else { !b };
                let c = if row & 1 != 0 { c } else { !c };
                out |= a & b & c;
            }
            row += 1;
        }
        out
    })
}
