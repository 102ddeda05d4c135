//! Floating-point rules that Rust has no operator for.

use half::{bf16, f16};

/// Subnormals to zero of the same sign.
#[inline(always)]
pub(crate) fn flush(x: f32) -> f32 {
    if x.to_bits() & 0x7F80_0000 == 0 {
        f32::from_bits(x.to_bits() & 0x8000_0000)
    } else {
        x
    }
}

/// PTX has one NaN as a result of f32 arithmetic. The test is one of integers, because a compiler may
/// replace one NaN by another.
#[inline(always)]
pub(crate) fn canonical(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(if bits & 0x7FFF_FFFF > 0x7F80_0000 {
        0x7FFF_FFFF
    } else {
        bits
    })
}

/// Clamps to [0, 1]; NaN becomes 0.
#[inline(always)]
pub(crate) fn saturate(x: f32) -> f32 {
    if x > 0.0 {
        if x < 1.0 { x } else { 1.0 }
    } else {
        0.0
    }
}

/// The smaller; -0 is below 0, and a number wins over NaN.
#[inline(always)]
pub(crate) fn minimum(a: f32, b: f32) -> f32 {
    if a.is_nan() {
        return canonical(b);
    }
    if a < b || b.is_nan() || (a == b && a.is_sign_negative()) {
        a
    } else {
        b
    }
}

/// The larger; -0 is below 0, and a number wins over NaN.
#[inline(always)]
pub(crate) fn maximum(a: f32, b: f32) -> f32 {
    if a.is_nan() {
        return canonical(b);
    }
    if a > b || b.is_nan() || (a == b && b.is_sign_negative()) {
        a
    } else {
        b
    }
}

/// `a + b` rounded to odd: rounding the result again to fewer bits is then right.
#[inline]
pub(crate) fn add_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    if !sum.is_finite() {
        return sum;
    }
    // The exact error of the sum (Knuth's two-sum).
    let part = sum - a;
    let error = (a - (sum - part)) + (b - part);
    if error == 0.0 || sum.to_bits() & 1 != 0 {
        return sum;
    }
    if (error > 0.0) == (sum > 0.0) {
        f64::from_bits(sum.to_bits() + 1)
    } else {
        f64::from_bits(sum.to_bits() - 1)
    }
}

/// How a value is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Rounding {
    Nearest,
    Zero,
    Down,
    Up,
}

/// `x` to f32; `x` must be exact or rounded to odd.
#[inline]
pub(crate) fn round_f32(x: f64, rounding: Rounding) -> f32 {
    let nearest = x as f32;
    let back = f64::from(nearest);
    let away = match rounding {
        Rounding::Nearest => return nearest,
        _ if x.is_nan() || back == x => return nearest,
        // A finite value beyond the largest f32 stays finite towards zero.
        Rounding::Zero => back.abs() > x.abs(),
        Rounding::Down => back > x,
        Rounding::Up => back < x,
    };
    if !away {
        return nearest;
    }
    match rounding {
        Rounding::Zero => f32::from_bits(nearest.to_bits() - 1),
        Rounding::Up => nearest.next_up(),
        Rounding::Down | Rounding::Nearest => nearest.next_down(),
    }
}

/// `x` to bf16 by truncation.
#[inline]
pub(crate) fn bf16_toward_zero(x: f32) -> bf16 {
    if x.is_nan() {
        bf16::from_bits(0x7FFF)
    } else {
        bf16::from_bits((x.to_bits() >> 16) as u16)
    }
}

/// `x` to f16 towards zero.
#[inline]
pub(crate) fn f16_toward_zero(x: f32) -> f16 {
    let near = f16::from_f32(x);
    if x.is_finite() && near.to_f32().abs() > x.abs() {
        return f16::from_bits(near.to_bits() - 1);
    }
    near
}

/// `x` to bf16; NaN is the one of PTX.
#[inline(always)]
pub(crate) fn to_bf16(x: f32) -> bf16 {
    if x.is_nan() {
        bf16::from_bits(0x7FFF)
    } else {
        bf16::from_f32(x)
    }
}

/// `x` to f16; NaN is the one of PTX.
#[inline(always)]
pub(crate) fn to_f16(x: f32) -> f16 {
    if x.is_nan() {
        f16::from_bits(0x7FFF)
    } else {
        f16::from_f32(x)
    }
}

/// `x` to f32, rounded to odd; `x` must be exact or rounded to odd itself.
#[inline(always)]
fn odd_f32(x: f64) -> f32 {
    let near = x as f32;
    let toward_zero = near.to_bits() - u32::from(f64::from(near).abs() > x.abs());
    let inexact = f64::from(f32::from_bits(toward_zero)) != x;
    f32::from_bits(toward_zero | u32::from(inexact))
}

/// An exact or odd-rounded f64 to bf16.
#[inline]
pub(crate) fn to_bf16_wide(x: f64) -> bf16 {
    if x.is_nan() {
        bf16::from_bits(0x7FFF)
    } else {
        bf16::from_f32(odd_f32(x))
    }
}

/// An exact or odd-rounded f64 to f16.
#[inline]
pub(crate) fn to_f16_wide(x: f64) -> f16 {
    if x.is_nan() {
        f16::from_bits(0x7FFF)
    } else {
        f16::from_f32(odd_f32(x))
    }
}

/// The 19 upper bits, nearest with ties away from zero (`cvt.rna.tf32`).
#[inline]
pub(crate) fn to_tf32(x: f32) -> f32 {
    if x.is_finite() {
        f32::from_bits(x.to_bits().wrapping_add(0x1000) & !0x1FFF)
    } else {
        x
    }
}

/// What a tensor core reads of an f32 register as tf32: the lower 13 bits do not count.
#[inline(always)]
pub(crate) fn as_tf32(bits: u32) -> f32 {
    f32::from_bits(bits & !0x1FFF)
}
