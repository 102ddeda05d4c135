//! `cvt`.

use half::{bf16, f16};

use super::float::Modifiers;
use crate::number::{
    Rounding, bf16_toward_zero, canonical, f16_toward_zero, flush, round_f32, saturate, to_bf16,
    to_bf16_wide, to_f16, to_f16_wide, to_tf32,
};
use crate::parse::syntax::Type;
use crate::program::{Pure, pure};

/// How a float becomes an integer or an integral float.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Integral {
    Nearest,
    Zero,
    Down,
    Up,
}

/// Conversion of `from` to `to`; `parts` are the modifiers between `cvt` and the types.
pub(super) fn find(parts: &[String], to: Type, from: Type) -> Option<Pure> {
    let mut integral = None;
    let mut rest = Vec::new();
    for part in parts {
        match part.as_str() {
            "rni" => integral = Some(Integral::Nearest),
            "rzi" => integral = Some(Integral::Zero),
            "rmi" => integral = Some(Integral::Down),
            "rpi" => integral = Some(Integral::Up),
            "rna" if to == Type::Tf32 && from == Type::F32 => {
                return Some(pure!(f32; a: f32 => to_tf32(a)));
            }
            "satfinite" => return None,
            _ => rest.push(part.clone()),
        }
    }
    let modifiers = Modifiers::parse(&rest)?;
    match (is_float(from), is_float(to)) {
        (false, false) => integers(to, from, modifiers.saturate),
        (false, true) => from_integer(to, from, modifiers),
        (true, false) => to_integer(to, from, integral?, modifiers),
        (true, true) => floats(to, from, integral, modifiers),
    }
}

/// `cvt.rn.bf16x2.f32 d, a, b`: `a` in the upper half.
pub(super) fn pack(parts: &[String], to: Type) -> Option<Pure> {
    let modifiers = Modifiers::parse(parts)?;
    macro_rules! packing {
        ($round:expr) => {
            if modifiers.relu {
                pure!(u32; a: f32, b: f32 => {
                    let (a, b) = (if a <= 0.0 { 0.0 } else { a }, if b <= 0.0 { 0.0 } else { b });
                    u32::from($round(a).to_bits()) << 16 | u32::from($round(b).to_bits())
                })
            } else {
                pure!(u32; a: f32, b: f32 =>
                    u32::from($round(a).to_bits()) << 16 | u32::from($round(b).to_bits()))
            }
        };
    }
    Some(match (to, modifiers.rounding?) {
        (Type::Bf16x2, Rounding::Nearest) => packing!(to_bf16),
        (Type::Bf16x2, Rounding::Zero) => packing!(bf16_toward_zero),
        (Type::F16x2, Rounding::Nearest) => packing!(to_f16),
        (Type::F16x2, Rounding::Zero) => packing!(f16_toward_zero),
        _ => return None,
    })
}

fn is_float(ty: Type) -> bool {
    matches!(
        ty,
        Type::F16 | Type::Bf16 | Type::F32 | Type::F64 | Type::Tf32
    )
}

/// Calls a macro with the Rust type of an integer type.
macro_rules! with_integer {
    ($ty:expr, $call:ident $(, $args:tt)*) => {
        match $ty {
            Type::U8 | Type::B8 => $call!(u8 $(, $args)*),
            Type::U16 | Type::B16 => $call!(u16 $(, $args)*),
            Type::U32 | Type::B32 => $call!(u32 $(, $args)*),
            Type::U64 | Type::B64 => $call!(u64 $(, $args)*),
            Type::S8 => $call!(i8 $(, $args)*),
            Type::S16 => $call!(i16 $(, $args)*),
            Type::S32 => $call!(i32 $(, $args)*),
            Type::S64 => $call!(i64 $(, $args)*),
            _ => None,
        }
    };
}

/// The sources here may sit in wider registers than their type; the row class is what counts, so an
/// 8-, 16- or 32-bit source is read from a narrow row.
fn integers(to: Type, from: Type, saturating: bool) -> Option<Pure> {
    if saturating {
        macro_rules! from_type {
            ($from:ty) => {
                with_integer!(to, to_type, $from)
            };
        }
        macro_rules! to_type {
            ($to:ty, $from:ty) => {
                Some(pure!($to; a: $from =>
                    i128::from(a).clamp(<$to>::MIN.into(), <$to>::MAX.into()) as $to))
            };
        }
        return with_integer!(from, from_type);
    }
    macro_rules! from_type {
        ($from:ty) => {
            with_integer!(to, to_type, $from)
        };
    }
    macro_rules! to_type {
        ($to:ty, $from:ty) => {
            Some(pure!($to; a: $from => a as $to))
        };
    }
    with_integer!(from, from_type)
}

fn from_integer(to: Type, from: Type, m: Modifiers) -> Option<Pure> {
    let rounding = m.rounding?;
    if m.saturate || m.relu {
        return None;
    }
    macro_rules! from_type {
        ($from:ty) => {
            match (to, rounding) {
                (Type::F32, Rounding::Nearest) => Some(pure!(f32; a: $from => a as f32)),
                (Type::F32, Rounding::Zero) => {
                    Some(pure!(f32; a: $from => round_f32(odd(a as i128), Rounding::Zero)))
                }
                (Type::F32, Rounding::Down) => {
                    Some(pure!(f32; a: $from => round_f32(odd(a as i128), Rounding::Down)))
                }
                (Type::F32, Rounding::Up) => {
                    Some(pure!(f32; a: $from => round_f32(odd(a as i128), Rounding::Up)))
                }
                (Type::F64, Rounding::Nearest) => Some(pure!(f64; a: $from => a as f64)),
                (Type::F16, Rounding::Nearest) => {
                    Some(pure!(f16; a: $from => to_f16_wide(odd(a as i128))))
                }
                (Type::Bf16, Rounding::Nearest) => {
                    Some(pure!(bf16; a: $from => to_bf16_wide(odd(a as i128))))
                }
                _ => None,
            }
        };
    }
    with_integer!(from, from_type)
}

/// An integer of up to 64 bits as f64, rounded to odd.
fn odd(value: i128) -> f64 {
    let near = value as f64;
    let back = near as i128;
    if back == value || near.to_bits() & 1 != 0 {
        return near;
    }
    // A neighbour in the direction of the value has the odd last bit.
    if (back < value) == (near > 0.0) {
        f64::from_bits(near.to_bits() + 1)
    } else {
        f64::from_bits(near.to_bits() - 1)
    }
}

fn integral_value(x: f64, how: Integral) -> f64 {
    match how {
        Integral::Nearest => x.round_ties_even(),
        Integral::Zero => x.trunc(),
        Integral::Down => x.floor(),
        Integral::Up => x.ceil(),
    }
}

/// Out-of-range values are clamped. NaN gives 0, or the highest bit alone where either side has 64 bits.
fn to_integer(to: Type, from: Type, how: Integral, m: Modifiers) -> Option<Pure> {
    if m.relu || m.rounding.is_some() {
        return None;
    }
    macro_rules! convert {
        ($to:ty, $from:ty, $how:expr, $ftz:expr) => {
            pure!($to; a: $from => {
                let x = widen(a.into(), $ftz);
                if x.is_nan() {
                    if size_of::<$to>() == 8 || size_of::<$from>() == 8 {
                        (1 as $to) << (8 * size_of::<$to>() - 1)
                    } else {
                        0
                    }
                } else {
                    // `as` clamps.
                    integral_value(x, $how) as $to
                }
            })
        };
    }
    macro_rules! by_mode {
        ($to:ty, $from:ty) => {
            Some(match (how, m.ftz) {
                (Integral::Nearest, false) => convert!($to, $from, Integral::Nearest, false),
                (Integral::Zero, false) => convert!($to, $from, Integral::Zero, false),
                (Integral::Down, false) => convert!($to, $from, Integral::Down, false),
                (Integral::Up, false) => convert!($to, $from, Integral::Up, false),
                (Integral::Nearest, true) => convert!($to, $from, Integral::Nearest, true),
                (Integral::Zero, true) => convert!($to, $from, Integral::Zero, true),
                (Integral::Down, true) => convert!($to, $from, Integral::Down, true),
                (Integral::Up, true) => convert!($to, $from, Integral::Up, true),
            })
        };
    }
    macro_rules! to_type {
        ($to:ty) => {
            match from {
                Type::F32 => by_mode!($to, f32),
                Type::F64 => by_mode!($to, f64),
                Type::F16 => by_mode!($to, f16),
                Type::Bf16 => by_mode!($to, bf16),
                _ => None,
            }
        };
    }
    with_integer!(to, to_type)
}

/// f32 subnormals are exact in f64; `ftz` drops them.
#[inline(always)]
fn widen(x: f64, ftz: bool) -> f64 {
    if ftz && x.abs() < f64::from(f32::MIN_POSITIVE) {
        0.0f64.copysign(x)
    } else {
        x
    }
}

fn floats(to: Type, from: Type, integral: Option<Integral>, m: Modifiers) -> Option<Pure> {
    if let Some(how) = integral {
        if m.rounding.is_some() || m.relu || to != from {
            return None;
        }
        macro_rules! round {
            ($how:expr) => {
                match (to, m.ftz, m.saturate) {
                    (Type::F32, false, false) => Some(pure!(f32; a: f32 =>
                        canonical(integral_value(a.into(), $how) as f32))),
                    (Type::F32, true, false) => Some(pure!(f32; a: f32 =>
                        canonical(integral_value(flush(a).into(), $how) as f32))),
                    (Type::F64, false, false) => {
                        Some(pure!(f64; a: f64 => integral_value(a, $how)))
                    }
                    (Type::F16, false, false) => {
                        Some(pure!(f16; a: f16 => to_f16_wide(integral_value(a.into(), $how))))
                    }
                    (Type::Bf16, false, false) => {
                        Some(pure!(bf16; a: bf16 => to_bf16_wide(integral_value(a.into(), $how))))
                    }
                    _ => None,
                }
            };
        }
        return match how {
            Integral::Nearest => round!(Integral::Nearest),
            Integral::Zero => round!(Integral::Zero),
            Integral::Down => round!(Integral::Down),
            Integral::Up => round!(Integral::Up),
        };
    }
    let clean = !m.relu && !m.saturate;
    Some(match (to, from, m.rounding, m.ftz) {
        (Type::F32, Type::F32, None, false) if m.saturate => pure!(f32; a: f32 => saturate(a)),
        (Type::F32, Type::F32, None, true) if m.saturate => {
            pure!(f32; a: f32 => saturate(flush(a)))
        }
        (Type::F32, Type::F32, None, true) if clean => pure!(f32; a: f32 => flush(a)),
        (Type::F32, Type::F16, None, _) if clean => pure!(f32; a: f16 => canonical(a.to_f32())),
        // The bits move up; a NaN keeps its payload.
        (Type::F32, Type::Bf16, None, false) if clean => pure!(u32; a: u16 => u32::from(a) << 16),
        (Type::F32, Type::Bf16, None, true) if clean => {
            pure!(f32; a: bf16 => canonical(flush(a.to_f32())))
        }
        (Type::F64, Type::F32, None, false) if clean => pure!(f64; a: f32 => a.into()),
        (Type::F64, Type::F32, None, true) if clean => pure!(f64; a: f32 => flush(a).into()),
        (Type::F64, Type::F16, None, _) if clean => pure!(f64; a: f16 => a.to_f64()),
        (Type::F64, Type::Bf16, None, _) if clean => pure!(f64; a: bf16 => a.to_f64()),
        (Type::F32, Type::F64, Some(Rounding::Nearest), false) if clean => {
            pure!(f32; a: f64 => canonical(a as f32))
        }
        (Type::F32, Type::F64, Some(Rounding::Nearest), true) if clean => {
            pure!(f32; a: f64 => canonical(flush(a as f32)))
        }
        (Type::F32, Type::F64, Some(Rounding::Zero), false) if clean => {
            pure!(f32; a: f64 => canonical(round_f32(a, Rounding::Zero)))
        }
        (Type::F32, Type::F64, Some(Rounding::Down), false) if clean => {
            pure!(f32; a: f64 => canonical(round_f32(a, Rounding::Down)))
        }
        (Type::F32, Type::F64, Some(Rounding::Up), false) if clean => {
            pure!(f32; a: f64 => canonical(round_f32(a, Rounding::Up)))
        }
        (Type::F16, Type::F64, Some(Rounding::Nearest), false) if clean => {
            pure!(f16; a: f64 => to_f16_wide(a))
        }
        (Type::Bf16, Type::F64, Some(Rounding::Nearest), false) if clean => {
            pure!(bf16; a: f64 => to_bf16_wide(a))
        }
        (Type::F16, Type::F32, Some(Rounding::Nearest), false) if clean => {
            pure!(f16; a: f32 => to_f16(a))
        }
        (Type::F16, Type::F32, Some(Rounding::Nearest), true) if clean => {
            pure!(f16; a: f32 => to_f16(flush(a)))
        }
        (Type::F16, Type::F32, Some(Rounding::Zero), false) if clean => {
            pure!(f16; a: f32 => f16_toward_zero(a))
        }
        (Type::Bf16, Type::F32, Some(Rounding::Nearest), false) if clean => {
            pure!(bf16; a: f32 => to_bf16(a))
        }
        (Type::Bf16, Type::F32, Some(Rounding::Nearest), false) if m.relu => {
            pure!(bf16; a: f32 => to_bf16(if a <= 0.0 { 0.0 } else { a }))
        }
        (Type::Bf16, Type::F32, Some(Rounding::Zero), false) if clean => {
            pure!(bf16; a: f32 => bf16_toward_zero(a))
        }
        (Type::Bf16, Type::F16, Some(Rounding::Nearest), false) if clean => {
            pure!(bf16; a: f16 => to_bf16(a.to_f32()))
        }
        (Type::F16, Type::Bf16, Some(Rounding::Nearest), false) if clean => {
            pure!(f16; a: bf16 => to_f16(a.to_f32()))
        }
        _ => return None,
    })
}
