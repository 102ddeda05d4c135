//! Floating-point arithmetic.
//!
//! The `.approx` functions are computed in f64 and rounded once: cards differ from that by the few units
//! in the last place that the PTX manual allows them.

use half::{bf16, f16};

use crate::number::{
    Rounding, add_odd, canonical, flush, maximum, minimum, round_f32, saturate, to_bf16,
    to_bf16_wide, to_f16, to_f16_wide,
};
use crate::parse::syntax::Type;
use crate::program::{Pure, pure};

/// Modifiers of an opcode.
#[derive(Clone, Copy, Default)]
pub(super) struct Modifiers {
    pub rounding: Option<Rounding>,
    pub ftz: bool,
    pub saturate: bool,
    pub nan: bool,
    pub relu: bool,
    pub approximate: bool,
    pub full: bool,
}

impl Modifiers {
    /// `None` for one that is not known.
    pub fn parse(parts: &[String]) -> Option<Modifiers> {
        let mut modifiers = Modifiers::default();
        for part in parts {
            match part.as_str() {
                "rn" => modifiers.rounding = Some(Rounding::Nearest),
                "rz" => modifiers.rounding = Some(Rounding::Zero),
                "rm" => modifiers.rounding = Some(Rounding::Down),
                "rp" => modifiers.rounding = Some(Rounding::Up),
                "ftz" => modifiers.ftz = true,
                "sat" => modifiers.saturate = true,
                "NaN" => modifiers.nan = true,
                "relu" => modifiers.relu = true,
                "approx" => modifiers.approximate = true,
                "full" => modifiers.full = true,
                _ => return None,
            }
        }
        Some(modifiers)
    }
}

/// f32 with `.ftz` and `.sat` as asked for; NaN results are canonical.
macro_rules! single {
    ($modifiers:expr; $($name:ident),* => $value:expr) => {
        match ($modifiers.ftz, $modifiers.saturate) {
            (false, false) => pure!(f32; $($name: f32),* => canonical($value)),
            (true, false) => pure!(f32; $($name: f32),* => {
                $(let $name = flush($name);)*
                canonical(flush($value))
            }),
            (false, true) => pure!(f32; $($name: f32),* => saturate($value)),
            (true, true) => pure!(f32; $($name: f32),* => {
                $(let $name = flush($name);)*
                saturate(flush($value))
            }),
        }
    };
}

/// The two halves of a 32-bit register.
macro_rules! packed {
    ($half:ty; $($name:ident),* => $value:expr) => {
        pure!(u32; $($name: u32),* => {
            let low = {
                $(let $name = <$half>::from_bits($name as u16);)*
                $value.to_bits()
            };
            let high = {
                $(let $name = <$half>::from_bits(($name >> 16) as u16);)*
                $value.to_bits()
            };
            u32::from(high) << 16 | u32::from(low)
        })
    };
}

/// One operation on f16, bf16 and their pairs, by an expression of halves that yields a half.
macro_rules! halves {
    ($ty:expr; $($name:ident),*; $f16:expr; $bf16:expr) => {
        match $ty {
            Type::F16 => Some(pure!(f16; $($name: f16),* => $f16)),
            Type::Bf16 => Some(pure!(bf16; $($name: bf16),* => $bf16)),
            Type::F16x2 => Some(packed!(f16; $($name),* => $f16)),
            Type::Bf16x2 => Some(packed!(bf16; $($name),* => $bf16)),
            _ => None,
        }
    };
}

fn f16_value(x: f64, modifiers: (bool, bool)) -> f16 {
    let x = if modifiers.0 {
        if x > 0.0 { x.min(1.0) } else { 0.0 }
    } else {
        x
    };
    let x = if modifiers.1 && !x.is_nan() && x <= 0.0 {
        0.0
    } else {
        x
    };
    to_f16_wide(x)
}

fn bf16_value(x: f64, relu: bool) -> bf16 {
    let x = if relu && !x.is_nan() && x <= 0.0 {
        0.0
    } else {
        x
    };
    to_bf16_wide(x)
}

/// The operation `name` with its modifiers on `ty`.
pub(super) fn find(name: &str, modifiers: Modifiers, ty: Type) -> Option<Pure> {
    match ty {
        Type::F32 => single(name, modifiers),
        Type::F64 => double(name, modifiers),
        Type::F16 | Type::Bf16 | Type::F16x2 | Type::Bf16x2 => half(name, modifiers, ty),
        _ => None,
    }
}

fn single(name: &str, m: Modifiers) -> Option<Pure> {
    let nearest = m
        .rounding
        .is_none_or(|rounding| rounding == Rounding::Nearest);
    if m.relu || (m.nan && !matches!(name, "min" | "max")) {
        return None;
    }
    if !nearest {
        return directed(name, m);
    }
    Some(match name {
        "add" => single!(m; a, b => a + b),
        "sub" => single!(m; a, b => a - b),
        "mul" => single!(m; a, b => a * b),
        "fma" | "mad" => single!(m; a, b, c => a.mul_add(b, c)),
        "div" if m.rounding.is_some() || m.full || m.approximate => single!(m; a, b => a / b),
        "rcp" => single!(m; a => 1.0 / a),
        "sqrt" => single!(m; a => a.sqrt()),
        "rsqrt" => single!(m; a => (1.0 / f64::from(a).sqrt()) as f32),
        "ex2" if m.approximate => single!(m; a => f64::from(a).exp2() as f32),
        "lg2" if m.approximate => single!(m; a => f64::from(a).log2() as f32),
        "sin" if m.approximate => single!(m; a => f64::from(a).sin() as f32),
        "cos" if m.approximate => single!(m; a => f64::from(a).cos() as f32),
        "tanh" if m.approximate => single!(m; a => f64::from(a).tanh() as f32),
        "min" if m.nan => single!(m; a, b =>
            if a.is_nan() || b.is_nan() { f32::NAN } else { minimum(a, b) }),
        "max" if m.nan => single!(m; a, b =>
            if a.is_nan() || b.is_nan() { f32::NAN } else { maximum(a, b) }),
        "min" => single!(m; a, b => minimum(a, b)),
        "max" => single!(m; a, b => maximum(a, b)),
        // Sign operations keep the payload of a NaN.
        "abs" if m.ftz => pure!(f32; a: f32 => flush(a).abs()),
        "neg" if m.ftz => pure!(f32; a: f32 => -flush(a)),
        "abs" => pure!(f32; a: f32 => a.abs()),
        "neg" => pure!(f32; a: f32 => -a),
        // The sign of `a` on the size of `b`.
        "copysign" => pure!(f32; a: f32, b: f32 => b.copysign(a)),
        _ => return None,
    })
}

/// Rounding other than to the nearest; sums and products are exact or odd-rounded in f64.
fn directed(name: &str, m: Modifiers) -> Option<Pure> {
    macro_rules! by_rounding {
        ($($arg:ident),* => $value:expr) => {
            match m.rounding {
                Some(Rounding::Zero) => single!(m; $($arg),* => round_f32($value, Rounding::Zero)),
                Some(Rounding::Down) => single!(m; $($arg),* => round_f32($value, Rounding::Down)),
                Some(Rounding::Up) => single!(m; $($arg),* => round_f32($value, Rounding::Up)),
                Some(Rounding::Nearest) | None => return None,
            }
        };
    }
    Some(match name {
        "add" => by_rounding!(a, b => add_odd(a.into(), b.into())),
        "sub" => by_rounding!(a, b => add_odd(a.into(), f64::from(-b))),
        "mul" => by_rounding!(a, b => f64::from(a) * f64::from(b)),
        "fma" => by_rounding!(a, b, c => add_odd(f64::from(a) * f64::from(b), c.into())),
        _ => return None,
    })
}

fn double(name: &str, m: Modifiers) -> Option<Pure> {
    let nearest = m
        .rounding
        .is_none_or(|rounding| rounding == Rounding::Nearest);
    if m.relu || m.saturate || m.nan || !nearest {
        return None;
    }
    Some(match name {
        "add" => pure!(f64; a: f64, b: f64 => a + b),
        "sub" => pure!(f64; a: f64, b: f64 => a - b),
        "mul" => pure!(f64; a: f64, b: f64 => a * b),
        "fma" | "mad" => pure!(f64; a: f64, b: f64, c: f64 => a.mul_add(b, c)),
        "div" => pure!(f64; a: f64, b: f64 => a / b),
        "rcp" => pure!(f64; a: f64 => 1.0 / a),
        "sqrt" => pure!(f64; a: f64 => a.sqrt()),
        "rsqrt" => pure!(f64; a: f64 => 1.0 / a.sqrt()),
        "min" => pure!(f64; a: f64, b: f64 =>
            if a < b || b.is_nan() || (a == b && a.is_sign_negative()) { a } else { b }),
        "max" => pure!(f64; a: f64, b: f64 =>
            if a > b || b.is_nan() || (a == b && b.is_sign_negative()) { a } else { b }),
        "abs" => pure!(f64; a: f64 => a.abs()),
        "neg" => pure!(f64; a: f64 => -a),
        "copysign" => pure!(f64; a: f64, b: f64 => b.copysign(a)),
        _ => return None,
    })
}

/// f16, bf16 and pairs of them: one rounding of the exact result. Subnormals are kept, as cards do
/// without `.ftz`; `.ftz` is refused.
fn half(name: &str, m: Modifiers, ty: Type) -> Option<Pure> {
    let nearest = m
        .rounding
        .is_none_or(|rounding| rounding == Rounding::Nearest);
    let unary = matches!(name, "ex2" | "tanh");
    if !nearest || m.full || (m.approximate && !unary) {
        return None;
    }
    if m.ftz && name != "ex2" {
        return None;
    }
    if m.nan && !matches!(name, "min" | "max") {
        return None;
    }
    let bf = matches!(ty, Type::Bf16 | Type::Bf16x2);
    if bf && m.saturate {
        return None;
    }
    macro_rules! arithmetic {
        ($($arg:ident),* => $value:expr) => {
            match (m.saturate, m.relu) {
                (false, false) => halves!(ty; $($arg),*;
                    { $(let $arg = $arg.to_f64();)* f16_value($value, (false, false)) };
                    { $(let $arg = $arg.to_f64();)* bf16_value($value, false) }),
                (true, false) => halves!(ty; $($arg),*;
                    { $(let $arg = $arg.to_f64();)* f16_value($value, (true, false)) };
                    { $(let $arg = $arg.to_f64();)* bf16_value($value, false) }),
                (_, true) => halves!(ty; $($arg),*;
                    { $(let $arg = $arg.to_f64();)* f16_value($value, (false, true)) };
                    { $(let $arg = $arg.to_f64();)* bf16_value($value, true) }),
            }
        };
    }
    macro_rules! choose {
        ($a:ident, $b:ident => $value:expr) => {
            halves!(ty; $a, $b;
                { let ($a, $b) = ($a.to_f32(), $b.to_f32()); to_f16($value) };
                { let ($a, $b) = ($a.to_f32(), $b.to_f32()); to_bf16($value) })
        };
    }
    match name {
        "add" => arithmetic!(a, b => add_odd(a, b)),
        "sub" => arithmetic!(a, b => add_odd(a, -b)),
        "mul" => arithmetic!(a, b => a * b),
        "fma" => arithmetic!(a, b, c => add_odd(a * b, c)),
        "min" if m.nan => choose!(a, b =>
            if a.is_nan() || b.is_nan() { f32::NAN } else { minimum(a, b) }),
        "max" if m.nan => choose!(a, b =>
            if a.is_nan() || b.is_nan() { f32::NAN } else { maximum(a, b) }),
        "min" => choose!(a, b => minimum(a, b)),
        "max" => choose!(a, b => maximum(a, b)),
        "ex2" if m.approximate => halves!(ty; a;
            to_f16_wide(a.to_f64().exp2()); to_bf16_wide(a.to_f64().exp2())),
        "tanh" if m.approximate => halves!(ty; a;
            to_f16_wide(a.to_f64().tanh()); to_bf16_wide(a.to_f64().tanh())),
        "abs" => match ty {
            Type::F16 | Type::Bf16 => Some(pure!(u16; a: u16 => a & 0x7FFF)),
            _ => Some(pure!(u32; a: u32 => a & 0x7FFF_7FFF)),
        },
        "neg" => match ty {
            Type::F16 | Type::Bf16 => Some(pure!(u16; a: u16 => a ^ 0x8000)),
            _ => Some(pure!(u32; a: u32 => a ^ 0x8000_8000)),
        },
        _ => None,
    }
}

/// `testp`: a property of a value.
pub(super) fn test(property: &str, ty: Type) -> Option<Pure> {
    macro_rules! property {
        ($lane:ty) => {
            Some(match property {
                "finite" => pure!(bool; a: $lane => a.is_finite()),
                "infinite" => pure!(bool; a: $lane => a.is_infinite()),
                "number" => pure!(bool; a: $lane => !a.is_nan()),
                "notanumber" => pure!(bool; a: $lane => a.is_nan()),
                "normal" => pure!(bool; a: $lane => a.is_normal()),
                "subnormal" => pure!(bool; a: $lane => a.is_subnormal()),
                _ => return None,
            })
        };
    }
    match ty {
        Type::F32 => property!(f32),
        Type::F64 => property!(f64),
        _ => None,
    }
}
