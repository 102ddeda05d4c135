//! Instruction families against Rust's arithmetic: each row runs one instruction on many values.

// A failed expectation in a test is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Kind, check};
use half::{bf16, f16};

use Kind::{B16, B32, B64, Pred};

fn f(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

fn same(x: f32) -> u64 {
    if x.is_nan() {
        0x7FFF_FFFF
    } else {
        x.to_bits().into()
    }
}

fn d(bits: u64) -> f64 {
    f64::from_bits(bits)
}

fn flush(x: f32) -> f32 {
    if x.is_subnormal() {
        0.0f32.copysign(x)
    } else {
        x
    }
}

fn h(bits: u64) -> f64 {
    f16::from_bits(bits as u16).to_f64()
}

fn b(bits: u64) -> f64 {
    bf16::from_bits(bits as u16).to_f64()
}

/// The 16-bit float nearest to `sum + error`, where `error` is below half a unit of `sum`: neighbours of
/// a first guess are compared by their distance, which f64 holds exactly.
fn nearest(sum: f64, error: f64, guess: u16, value: fn(u64) -> f64) -> u64 {
    if sum.is_nan() {
        return 0x7FFF;
    }
    if sum.is_infinite() || value(guess.into()).is_infinite() {
        return guess.into();
    }
    let mut best = guess;
    for other in [guess.wrapping_sub(1), guess + 1] {
        let (x, y) = (value(other.into()), value(best.into()));
        let (far, near) = ((x - sum).abs(), (y - sum).abs());
        let by_tie = match error {
            0.0 => other & 1 == 0,
            error => (error > 0.0) == (x > sum),
        };
        if x.is_finite()
            && x.is_sign_negative() == y.is_sign_negative()
            && (far < near || (far == near && by_tie))
        {
            best = other;
        }
    }
    best.into()
}

fn h_bits(x: f64) -> u64 {
    nearest(x, 0.0, f16::from_f64(x).to_bits(), h)
}

fn b_bits(x: f64) -> u64 {
    nearest(x, 0.0, bf16::from_f64(x).to_bits(), b)
}

/// `p + c` to bf16.
fn exact_bf16(p: f64, c: f64) -> u64 {
    let sum = p + c;
    let part = sum - p;
    let error = if sum.is_finite() {
        (p - (sum - part)) + (c - part)
    } else {
        0.0
    };
    nearest(sum, error, bf16::from_f64(sum).to_bits(), b)
}

#[test]
fn integers_of_32_bits() {
    let two = &[B32, B32];
    check("add.s32 %d, %a, %b;", B32, two, |v| {
        (v[0] + v[1]) as u32 as u64
    });
    check("sub.s32 %d, %a, %b;", B32, two, |v| {
        (v[0] as u32).wrapping_sub(v[1] as u32) as u64
    });
    check("mul.lo.s32 %d, %a, %b;", B32, two, |v| {
        (v[0] as u32).wrapping_mul(v[1] as u32) as u64
    });
    check("mul.hi.u32 %d, %a, %b;", B32, two, |v| (v[0] * v[1]) >> 32);
    check("mul.hi.s32 %d, %a, %b;", B32, two, |v| {
        ((v[0] as i32 as i64 * v[1] as i32 as i64) >> 32) as u32 as u64
    });
    check("mul.wide.u32 %d, %a, %b;", B64, two, |v| v[0] * v[1]);
    check("mul.wide.s32 %d, %a, %b;", B64, two, |v| {
        (v[0] as i32 as i64 * v[1] as i32 as i64) as u64
    });
    check("mad.lo.s32 %d, %a, %b, %c;", B32, &[B32; 3], |v| {
        (v[0] as u32)
            .wrapping_mul(v[1] as u32)
            .wrapping_add(v[2] as u32) as u64
    });
    check("mul24.lo.s32 %d, %a, %b;", B32, two, |v| {
        let low = |x: u64| ((x as i32) << 8 >> 8) as i64;
        (low(v[0]) * low(v[1])) as u32 as u64
    });
    check("mad24.hi.u32 %d, %a, %b, %c;", B32, &[B32; 3], |v| {
        let high = ((v[0] & 0xFFFFFF) * (v[1] & 0xFFFFFF)) >> 16;
        (high as u32).wrapping_add(v[2] as u32) as u64
    });
    check("div.u32 %d, %a, %b;", B32, two, |v| {
        v[0].checked_div(v[1]).unwrap_or(0xFFFF_FFFF)
    });
    check("div.s32 %d, %a, %b;", B32, two, |v| match v[1] {
        0 => 0xFFFF_FFFF,
        _ => (v[0] as i32).wrapping_div(v[1] as i32) as u32 as u64,
    });
    check("rem.s32 %d, %a, %b;", B32, two, |v| match v[1] {
        0 => v[0],
        _ => (v[0] as i32).wrapping_rem(v[1] as i32) as u32 as u64,
    });
    check("min.s32 %d, %a, %b;", B32, two, |v| {
        (v[0] as i32).min(v[1] as i32) as u32 as u64
    });
    check("max.u32 %d, %a, %b;", B32, two, |v| v[0].max(v[1]));
    check("abs.s32 %d, %a;", B32, &[B32], |v| {
        (v[0] as i32).unsigned_abs() as u64
    });
    check("neg.s32 %d, %a;", B32, &[B32], |v| {
        (v[0] as i32).wrapping_neg() as u32 as u64
    });
    check("sad.s32 %d, %a, %b, %c;", B32, &[B32; 3], |v| {
        (v[0] as i32)
            .abs_diff(v[1] as i32)
            .wrapping_add(v[2] as u32) as u64
    });
    check("add.sat.s32 %d, %a, %b;", B32, two, |v| {
        (v[0] as i32).saturating_add(v[1] as i32) as u32 as u64
    });
}

#[test]
fn integers_of_16_and_64_bits() {
    check("add.s16 %d, %a, %b;", B16, &[B16; 2], |v| {
        (v[0] + v[1]) as u16 as u64
    });
    check("mul.lo.s16 %d, %a, %b;", B16, &[B16; 2], |v| {
        (v[0] * v[1]) as u16 as u64
    });
    check("mul.wide.s16 %d, %a, %b;", B32, &[B16; 2], |v| {
        (v[0] as i16 as i32 * v[1] as i16 as i32) as u32 as u64
    });
    check("max.s16 %d, %a, %b;", B16, &[B16; 2], |v| {
        (v[0] as i16).max(v[1] as i16) as u16 as u64
    });
    check("add.s64 %d, %a, %b;", B64, &[B64; 2], |v| {
        v[0].wrapping_add(v[1])
    });
    check("mul.lo.s64 %d, %a, %b;", B64, &[B64; 2], |v| {
        v[0].wrapping_mul(v[1])
    });
    check("mul.hi.s64 %d, %a, %b;", B64, &[B64; 2], |v| {
        ((v[0] as i64 as i128 * v[1] as i64 as i128) >> 64) as u64
    });
    check("mad.wide.s32 %d, %a, %b, %c;", B64, &[B32, B32, B64], |v| {
        (v[0] as i32 as i64 * v[1] as i32 as i64).wrapping_add(v[2] as i64) as u64
    });
    check("div.s64 %d, %a, %b;", B64, &[B64; 2], |v| match v[1] {
        0 => u64::MAX,
        _ => (v[0] as i64).wrapping_div(v[1] as i64) as u64,
    });
    check("rem.u64 %d, %a, %b;", B64, &[B64; 2], |v| {
        v[0].checked_rem(v[1]).unwrap_or(v[0])
    });
    check("min.u64 %d, %a, %b;", B64, &[B64; 2], |v| v[0].min(v[1]));
    // Sums of 128 bits through the carry; the upper half is shown.
    check(
        "{ .reg .b64 %t; add.cc.u64 %t, %a, %b; addc.u64 %d, %b, %c; }",
        B64,
        &[B64; 3],
        |v| {
            let carry = v[0].overflowing_add(v[1]).1;
            v[1].wrapping_add(v[2]).wrapping_add(carry.into())
        },
    );
    check(
        "{ .reg .b64 %t; sub.cc.u64 %t, %a, %b; subc.u64 %d, %b, %c; }",
        B64,
        &[B64; 3],
        |v| v[1].wrapping_sub(v[2]).wrapping_sub(u64::from(v[0] < v[1])),
    );
}

#[test]
fn bits_and_shifts() {
    let two = &[B32, B32];
    check("and.b32 %d, %a, %b;", B32, two, |v| v[0] & v[1]);
    check("or.b64 %d, %a, %b;", B64, &[B64; 2], |v| v[0] | v[1]);
    check("xor.b16 %d, %a, %b;", B16, &[B16; 2], |v| v[0] ^ v[1]);
    check("not.b32 %d, %a;", B32, &[B32], |v| !v[0] & 0xFFFF_FFFF);
    check("cnot.b32 %d, %a;", B32, &[B32], |v| u64::from(v[0] == 0));
    check("shl.b32 %d, %a, %b;", B32, two, |v| {
        if v[1] > 31 {
            0
        } else {
            v[0] << v[1] & 0xFFFF_FFFF
        }
    });
    check("shr.u32 %d, %a, %b;", B32, two, |v| {
        if v[1] > 31 { 0 } else { v[0] >> v[1] }
    });
    check("shr.s32 %d, %a, %b;", B32, two, |v| {
        (v[0] as i32 >> v[1].min(31)) as u32 as u64
    });
    check("shl.b64 %d, %a, %b;", B64, &[B64, B32], |v| {
        if v[1] > 63 { 0 } else { v[0] << v[1] }
    });
    check("shr.s64 %d, %a, %b;", B64, &[B64, B32], |v| {
        (v[0] as i64 >> v[1].min(63)) as u64
    });
    check("shr.s16 %d, %a, %b;", B16, &[B16, B32], |v| {
        (v[0] as i16 >> v[1].min(15)) as u16 as u64
    });
    check("shf.l.wrap.b32 %d, %a, %b, %c;", B32, &[B32; 3], |v| {
        ((v[1] << 32 | v[0]) << (v[2] & 31)) >> 32
    });
    check("shf.r.clamp.b32 %d, %a, %b, %c;", B32, &[B32; 3], |v| {
        (v[1] << 32 | v[0]) >> v[2].min(32) & 0xFFFF_FFFF
    });
    check("popc.b64 %d, %a;", B32, &[B64], |v| {
        v[0].count_ones().into()
    });
    check("clz.b32 %d, %a;", B32, &[B32], |v| {
        (v[0] as u32).leading_zeros().into()
    });
    check("brev.b32 %d, %a;", B32, &[B32], |v| {
        (v[0] as u32).reverse_bits().into()
    });
    check("bfind.s32 %d, %a;", B32, &[B32], |v| {
        let x = v[0] as i32;
        let x = if x < 0 { !x } else { x };
        if x == 0 {
            0xFFFF_FFFF
        } else {
            31 - x.leading_zeros() as u64
        }
    });
    check("prmt.b32 %d, %a, %b, %c;", B32, &[B32; 3], |v| {
        let bytes = (v[1] << 32 | v[0]).to_le_bytes();
        (0..4).fold(0, |out, i| {
            let selector = v[2] >> (4 * i) & 15;
            let byte = bytes[selector as usize & 7];
            let byte = if selector < 8 {
                byte
            } else if byte > 127 {
                255
            } else {
                0
            };
            out | u64::from(byte) << (8 * i)
        })
    });
    check("lop3.b32 %d, %a, %b, %c, 0xE8;", B32, &[B32; 3], |v| {
        v[0] & v[1] | v[1] & v[2] | v[0] & v[2]
    });
}

/// Bit by bit, as the manual writes it.
fn bfe(a: u64, at: u64, length: u64, bits: u64, signed: bool) -> u64 {
    let (at, length) = (at & 255, length & 255);
    let sign = if !signed || length == 0 {
        0
    } else {
        a >> (at + length - 1).min(bits - 1) & 1
    };
    (0..bits).fold(0, |d, i| {
        let bit = if i < length && at + i < bits {
            a >> (at + i) & 1
        } else {
            sign
        };
        d | bit << i
    })
}

#[test]
fn bit_fields() {
    check("bfe.u32 %d, %a, %b, %c;", B32, &[B32; 3], |v| {
        bfe(v[0], v[1], v[2], 32, false)
    });
    check("bfe.s32 %d, %a, %b, %c;", B32, &[B32; 3], |v| {
        bfe(v[0], v[1], v[2], 32, true)
    });
    check("bfe.u64 %d, %a, %b, %c;", B64, &[B64, B32, B32], |v| {
        bfe(v[0], v[1], v[2], 64, false)
    });
    check("bfe.s64 %d, %a, %b, %c;", B64, &[B64, B32, B32], |v| {
        bfe(v[0], v[1], v[2], 64, true)
    });
    check(
        "{ .reg .b32 %t; mov.b32 %t, 5; bfi.b32 %d, %a, %b, %c, %t; }",
        B32,
        &[B32; 3],
        |v| {
            let at = v[2] & 255;
            (0..5).filter(|i| at + i < 32).fold(v[1], |d, i| {
                d & !(1 << (at + i)) | (v[0] >> i & 1) << (at + i)
            })
        },
    );
    check("szext.clamp.s32 %d, %a, %b;", B32, &[B32; 2], |v| {
        match v[1] {
            0 => 0,
            n if n > 31 => v[0],
            n => ((v[0] as i32) << (32 - n) >> (32 - n)) as u32 as u64,
        }
    });
    check("bmsk.clamp.b32 %d, %a, %b;", B32, &[B32; 2], |v| {
        (0..32)
            .filter(|&i| i >= v[0] && i - v[0] < v[1])
            .fold(0, |d, i| d | 1 << i)
    });
}

#[test]
fn comparisons_and_choices() {
    check("setp.lt.s32 %d, %a, %b;", Pred, &[B32; 2], |v| {
        u64::from((v[0] as i32) < v[1] as i32)
    });
    check("setp.hi.u32 %d, %a, %b;", Pred, &[B32; 2], |v| {
        u64::from(v[0] > v[1])
    });
    check("setp.ge.s64 %d, %a, %b;", Pred, &[B64; 2], |v| {
        u64::from(v[0] as i64 >= v[1] as i64)
    });
    check("setp.ne.b16 %d, %a, %b;", Pred, &[B16; 2], |v| {
        u64::from(v[0] != v[1])
    });
    check("setp.lt.f32 %d, %a, %b;", Pred, &[B32; 2], |v| {
        u64::from(f(v[0]) < f(v[1]))
    });
    check("setp.geu.f32 %d, %a, %b;", Pred, &[B32; 2], |v| {
        u64::from(f(v[0]) >= f(v[1]) || f(v[0]).is_nan() || f(v[1]).is_nan())
    });
    check("setp.ne.f32 %d, %a, %b;", Pred, &[B32; 2], |v| {
        u64::from(f(v[0]) < f(v[1]) || f(v[0]) > f(v[1]))
    });
    check("setp.neu.f32 %d, %a, %b;", Pred, &[B32; 2], |v| {
        u64::from(f(v[0]) != f(v[1]))
    });
    check("setp.eq.ftz.f32 %d, %a, %b;", Pred, &[B32; 2], |v| {
        u64::from(flush(f(v[0])) == flush(f(v[1])))
    });
    check("setp.nan.f64 %d, %a, %b;", Pred, &[B64; 2], |v| {
        u64::from(d(v[0]).is_nan() || d(v[1]).is_nan())
    });
    check("setp.gt.bf16 %d, %a, %b;", Pred, &[B16; 2], |v| {
        u64::from(b(v[0]) > b(v[1]))
    });
    check(
        "{ .reg .pred %p, %q; setp.lt.s32 %p, %a, %c; setp.eq.and.s32 %q|%d, %a, %b, !%p; }",
        Pred,
        &[B32; 3],
        |v| u64::from(v[0] != v[1] && v[0] as i32 >= v[2] as i32),
    );
    check(
        "{ .reg .pred %p; setp.lt.s32 %p, %a, %b; selp.b32 %d, %a, %c, %p; }",
        B32,
        &[B32; 3],
        |v| {
            if (v[0] as i32) < v[1] as i32 {
                v[0]
            } else {
                v[2]
            }
        },
    );
    check("slct.b32.s32 %d, %a, %b, %c;", B32, &[B32; 3], |v| {
        if v[2] as i32 >= 0 { v[0] } else { v[1] }
    });
    check("set.lt.u32.f32 %d, %a, %b;", B32, &[B32; 2], |v| {
        if f(v[0]) < f(v[1]) { 0xFFFF_FFFF } else { 0 }
    });
}

#[test]
fn floats_of_32_bits() {
    let two = &[B32, B32];
    check("add.rn.f32 %d, %a, %b;", B32, two, |v| {
        same(f(v[0]) + f(v[1]))
    });
    check("sub.f32 %d, %a, %b;", B32, two, |v| same(f(v[0]) - f(v[1])));
    check("mul.rn.f32 %d, %a, %b;", B32, two, |v| {
        same(f(v[0]) * f(v[1]))
    });
    check("mul.ftz.f32 %d, %a, %b;", B32, two, |v| {
        same(flush(flush(f(v[0])) * flush(f(v[1]))))
    });
    check("add.sat.f32 %d, %a, %b;", B32, two, |v| {
        let sum = f(v[0]) + f(v[1]);
        if sum.is_nan() {
            0
        } else {
            same(sum.clamp(0.0, 1.0).abs())
        }
    });
    check("fma.rn.f32 %d, %a, %b, %c;", B32, &[B32; 3], |v| {
        same(f(v[0]).mul_add(f(v[1]), f(v[2])))
    });
    check("div.rn.f32 %d, %a, %b;", B32, two, |v| {
        same(f(v[0]) / f(v[1]))
    });
    check("rcp.approx.ftz.f32 %d, %a;", B32, &[B32], |v| {
        same(flush(1.0 / flush(f(v[0]))))
    });
    check("sqrt.rn.f32 %d, %a;", B32, &[B32], |v| same(f(v[0]).sqrt()));
    check("min.f32 %d, %a, %b;", B32, two, |v| {
        let (a, b) = (f(v[0]), f(v[1]));
        if a == b {
            same(if a.is_sign_negative() { a } else { b })
        } else {
            same(a.min(b))
        }
    });
    check("max.NaN.f32 %d, %a, %b;", B32, two, |v| {
        let (a, b) = (f(v[0]), f(v[1]));
        if a.is_nan() || b.is_nan() {
            same(f32::NAN)
        } else if a == b {
            same(if a.is_sign_negative() { b } else { a })
        } else {
            same(a.max(b))
        }
    });
    check("abs.f32 %d, %a;", B32, &[B32], |v| v[0] & 0x7FFF_FFFF);
    check("neg.f32 %d, %a;", B32, &[B32], |v| v[0] ^ 0x8000_0000);
    check("copysign.f32 %d, %a, %b;", B32, two, |v| {
        v[0] & 0x8000_0000 | v[1] & 0x7FFF_FFFF
    });
    check("testp.normal.f32 %d, %a;", Pred, &[B32], |v| {
        u64::from(f(v[0]).is_normal())
    });
    check("ex2.approx.ftz.f32 %d, %a;", B32, &[B32], |v| {
        same(flush((flush(f(v[0])) as f64).exp2() as f32))
    });
    check("tanh.approx.f32 %d, %a;", B32, &[B32], |v| {
        same((f(v[0]) as f64).tanh() as f32)
    });
}

/// Rounding of an exact sum of two f32, by trying neighbours.
fn toward_zero(exact: f64) -> f32 {
    let near = exact as f32;
    if near.is_finite() && (near as f64).abs() > exact.abs() {
        return f32::from_bits(near.to_bits() - 1);
    }
    if near.is_infinite() && exact.is_finite() {
        f32::MAX.copysign(near)
    } else {
        near
    }
}

#[test]
fn directed_rounding() {
    check("mul.rz.f32 %d, %a, %b;", B32, &[B32; 2], |v| {
        same(toward_zero(f(v[0]) as f64 * f(v[1]) as f64))
    });
    check("cvt.rz.f32.f64 %d, %a;", B32, &[B64], |v| {
        same(toward_zero(d(v[0])))
    });
    check("add.rp.f32 %d, %a, %b;", B32, &[B32; 2], |v| {
        let (a, b) = (f(v[0]), f(v[1]));
        let near = a + b;
        // The error of an f32 sum is an f32 unless it overflows.
        let part = near - a;
        let error = (a - (near - part)) + (b - part);
        if near.is_infinite() && near < 0.0 && a.is_finite() && b.is_finite() {
            same(f32::MIN)
        } else if near.is_finite() && error > 0.0 {
            same(near.next_up())
        } else {
            same(near)
        }
    });
}

#[test]
fn floats_of_64_and_16_bits() {
    let nan = |x: f64, bits: u64| if x.is_nan() { None } else { Some(bits) };
    check("add.rn.f64 %d, %a, %b;", B64, &[B64; 2], |v| {
        (d(v[0]) + d(v[1])).to_bits()
    });
    check("fma.rn.f64 %d, %a, %b, %c;", B64, &[B64; 3], |v| {
        d(v[0]).mul_add(d(v[1]), d(v[2])).to_bits()
    });
    check("mul.rn.f16 %d, %a, %b;", B16, &[B16; 2], |v| {
        h_bits(h(v[0]) * h(v[1]))
    });
    check("add.rn.bf16 %d, %a, %b;", B16, &[B16; 2], |v| {
        b_bits(b(v[0]) + b(v[1]))
    });
    check("max.bf16 %d, %a, %b;", B16, &[B16; 2], |v| {
        let (x, y) = (b(v[0]), b(v[1]));
        let first = x > y || y.is_nan() || (x == y && y.is_sign_negative());
        let (x, bits) = if first { (x, v[0]) } else { (y, v[1]) };
        nan(x, bits).unwrap_or(0x7FFF)
    });
    check("fma.rn.bf16x2 %d, %a, %b, %c;", B32, &[B32; 3], |v| {
        let half = |shift: u64| {
            let x: Vec<f64> = v.iter().map(|x| b(x >> shift)).collect();
            exact_bf16(x[0] * x[1], x[2])
        };
        half(16) << 16 | half(0)
    });
    check("neg.f16x2 %d, %a;", B32, &[B32], |v| v[0] ^ 0x8000_8000);
}

#[test]
fn conversions() {
    check("cvt.u64.u32 %d, %a;", B64, &[B32], |v| v[0]);
    check("cvt.s64.s32 %d, %a;", B64, &[B32], |v| {
        v[0] as i32 as i64 as u64
    });
    check("cvt.u32.u64 %d, %a;", B32, &[B64], |v| v[0] as u32 as u64);
    check("cvt.s32.s8 %d, %a;", B32, &[B32], |v| {
        v[0] as i8 as i32 as u32 as u64
    });
    check("cvt.u16.u32 %d, %a;", B16, &[B32], |v| v[0] as u16 as u64);
    check("cvt.s64.s8 %d, %a;", B64, &[B64], |v| {
        v[0] as i8 as i64 as u64
    });
    check("cvt.s32.s16 %d, %a;", B32, &[B16], |v| {
        v[0] as i16 as i32 as u32 as u64
    });
    check("cvt.sat.u8.s32 %d, %a;", B32, &[B32], |v| {
        (v[0] as i32).clamp(0, 255) as u64
    });
    check("cvt.rn.f32.s32 %d, %a;", B32, &[B32], |v| {
        same(v[0] as i32 as f32)
    });
    check("cvt.rn.f32.u64 %d, %a;", B32, &[B64], |v| same(v[0] as f32));
    check("cvt.rz.f32.u64 %d, %a;", B32, &[B64], |v| {
        let near = v[0] as f32;
        same(if near as u128 > v[0] as u128 {
            near.next_down()
        } else {
            near
        })
    });
    check("cvt.rn.f64.s64 %d, %a;", B64, &[B64], |v| {
        (v[0] as i64 as f64).to_bits()
    });
    check("cvt.rn.bf16.s32 %d, %a;", B16, &[B32], |v| {
        b_bits(v[0] as i32 as f64)
    });
    check("cvt.rzi.s32.f32 %d, %a;", B32, &[B32], |v| {
        f(v[0]) as i32 as u32 as u64
    });
    check("cvt.rni.s32.f32 %d, %a;", B32, &[B32], |v| {
        f(v[0]).round_ties_even() as i32 as u32 as u64
    });
    check("cvt.rmi.s64.f32 %d, %a;", B64, &[B32], |v| match f(v[0]) {
        x if x.is_nan() => 1 << 63,
        x => x.floor() as i64 as u64,
    });
    check("cvt.rpi.u32.f64 %d, %a;", B32, &[B64], |v| match d(v[0]) {
        x if x.is_nan() => 1 << 31,
        x => x.ceil() as u32 as u64,
    });
    check("cvt.rni.f32.f32 %d, %a;", B32, &[B32], |v| {
        same(f(v[0]).round_ties_even())
    });
    check("cvt.rn.bf16.f32 %d, %a;", B16, &[B32], |v| {
        b_bits(f(v[0]) as f64)
    });
    check("cvt.rz.bf16.f32 %d, %a;", B16, &[B32], |v| {
        if f(v[0]).is_nan() { 0x7FFF } else { v[0] >> 16 }
    });
    check("cvt.rn.bf16x2.f32 %d, %a, %b;", B32, &[B32; 2], |v| {
        b_bits(f(v[0]) as f64) << 16 | b_bits(f(v[1]) as f64)
    });
    check("cvt.f32.bf16 %d, %a;", B32, &[B16], |v| v[0] << 16);
    check("cvt.f32.f16 %d, %a;", B32, &[B16], |v| same(h(v[0]) as f32));
    check("cvt.rn.f16.f32 %d, %a;", B16, &[B32], |v| {
        h_bits(f(v[0]) as f64)
    });
    check("cvt.f64.f32 %d, %a;", B64, &[B32], |v| {
        (f(v[0]) as f64).to_bits()
    });
    check("cvt.rn.f32.f64 %d, %a;", B32, &[B64], |v| {
        same(d(v[0]) as f32)
    });
    check("cvt.sat.f32.f32 %d, %a;", B32, &[B32], |v| match f(v[0]) {
        x if x.is_nan() => 0,
        x => same(x.clamp(0.0, 1.0).abs()),
    });
    check("cvt.rna.tf32.f32 %d, %a;", B32, &[B32], |v| {
        match f(v[0]).is_finite() {
            true => (v[0] + 0x1000) & !0x1FFF & 0xFFFF_FFFF,
            false => v[0],
        }
    });
}

#[test]
fn packing() {
    check("mov.b32 %d, {%a, %b};", B32, &[B16; 2], |v| {
        v[1] << 16 | v[0]
    });
    check("mov.b64 %d, {%a, %b};", B64, &[B32; 2], |v| {
        v[1] << 32 | v[0]
    });
    check("mov.b64 {%d, _}, %a;", B32, &[B64], |v| v[0] & 0xFFFF_FFFF);
    check(
        "{ .reg .b16 %t; mov.b32 {%t, %d}, %a; }",
        B16,
        &[B32],
        |v| v[0] >> 16,
    );
}
