//! Pointwise functions of f64.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use crate::graph::{Binary, Unary};

/// Factor of x³ in the tanh form of GELU.
const GELU_CUBIC: f64 = 0.044715;
/// Factor of x in the sigmoid form of GELU.
const QUICK_GELU: f64 = 1.702;

/// f(x).
pub(super) fn unary(f: Unary, x: f64) -> f64 {
    match f {
        Unary::Neg => -x,
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Rsqrt => 1.0 / x.sqrt(),
        Unary::Reciprocal => 1.0 / x,
        Unary::Square => x * x,
        Unary::Relu => maximum(x, 0.0),
        Unary::Step => f64::from(x > 0.0),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => sigmoid(x),
        Unary::Erf => libm::erf(x),
        Unary::Gelu => x * normal_cdf(x),
        Unary::GeluGrad => normal_cdf(x) + x * normal_density(x),
        Unary::GeluTanh => 0.5 * x * (1.0 + gelu_inner(x).tanh()),
        Unary::GeluTanhGrad => {
            let t = gelu_inner(x).tanh();
            let slope = (2.0 / PI).sqrt() * (1.0 + 3.0 * GELU_CUBIC * x * x);
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope
        }
        Unary::QuickGelu => x * sigmoid(QUICK_GELU * x),
        Unary::QuickGeluGrad => {
            let s = sigmoid(QUICK_GELU * x);
            s + QUICK_GELU * x * s * (1.0 - s)
        }
        Unary::Silu => x * sigmoid(x),
        Unary::SiluGrad => {
            let s = sigmoid(x);
            s + x * s * (1.0 - s)
        }
    }
}

/// f(a, b).
pub(super) fn binary(f: Binary, a: f64, b: f64) -> f64 {
    match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Max => maximum(a, b),
        Binary::Min => -maximum(-a, -b),
        Binary::Equal => f64::from(u8::from(a == b)),
        Binary::Less => f64::from(u8::from(a < b)),
    }
}

/// The larger one; not a number if either is not.
pub(super) fn maximum(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Φ(x), through erfc so that the left tail keeps its digits.
fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// φ(x).
fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

fn gelu_inner(x: f64) -> f64 {
    (2.0 / PI).sqrt() * (x + GELU_CUBIC * x * x * x)
}
