//! Pointwise functions in f32, as loop-program snippets for any number of lanes.
//!
//! Polynomials are Chebyshev fits on reduced ranges. Exponential, logarithm, tanh and erf have a
//! relative error near 2·10⁻⁷; results below the smallest normal number become 0. NaN stays NaN.

use crate::graph::{Binary, Unary};
use crate::loops::builder::Builder;
use crate::loops::{Compare, FloatBinary, FloatUnary, IntBinary, Operation, ValueId};

/// f(x) of a float register.
pub(crate) fn unary(b: &mut Builder, op: Unary, x: ValueId) -> ValueId {
    match op {
        Unary::Neg => b.unary(FloatUnary::Neg, x),
        Unary::Exp => exp(b, x),
        Unary::Log => log(b, x),
        Unary::Sqrt => b.unary(FloatUnary::Sqrt, x),
        Unary::Rsqrt => {
            let root = b.unary(FloatUnary::Sqrt, x);
            reciprocal(b, root)
        }
        Unary::Reciprocal => reciprocal(b, x),
        Unary::Square => mul(b, x, x),
        Unary::Relu => {
            // The second operand wins where x is NaN.
            let zero = like(b, 0.0, x);
            b.binary(FloatBinary::Max, zero, x)
        }
        Unary::Step => {
            let (zero, one) = (like(b, 0.0, x), like(b, 1.0, x));
            let positive = b.compare(Compare::Lt, zero, x);
            b.select(positive, one, zero)
        }
        Unary::Tanh => tanh(b, x),
        Unary::Sigmoid => sigmoid(b, x),
        Unary::Erf => erf(b, x),
        Unary::Gelu => {
            let (cumulative, _) = normal(b, x);
            mul(b, x, cumulative)
        }
        Unary::GeluGrad => {
            let (cumulative, bell) = normal(b, x);
            let scale = like(b, 0.398_942_3, x);
            let density = mul(b, bell, scale);
            b.fma(x, density, cumulative)
        }
        Unary::GeluTanh => {
            let (inner, _) = gelu_tanh_inner(b, x);
            let s = sigmoid(b, inner);
            mul(b, x, s)
        }
        Unary::GeluTanhGrad => {
            let (inner, slope) = gelu_tanh_inner(b, x);
            gated_grad(b, x, inner, slope)
        }
        Unary::QuickGelu => {
            let factor = like(b, 1.702, x);
            let inner = mul(b, x, factor);
            let s = sigmoid(b, inner);
            mul(b, x, s)
        }
        Unary::QuickGeluGrad => {
            let factor = like(b, 1.702, x);
            let inner = mul(b, x, factor);
            gated_grad(b, x, inner, factor)
        }
        Unary::Silu => {
            let s = sigmoid(b, x);
            mul(b, x, s)
        }
        Unary::SiluGrad => {
            let one = like(b, 1.0, x);
            gated_grad(b, x, x, one)
        }
    }
}

/// f(a, b) of float registers of equal lanes.
pub(crate) fn binary(builder: &mut Builder, op: Binary, a: ValueId, b: ValueId) -> ValueId {
    let truth = |builder: &mut Builder, compare| {
        let lanes = builder.lanes(a);
        let (one, zero) = (builder.float(1.0, lanes), builder.float(0.0, lanes));
        let holds = builder.compare(compare, a, b);
        builder.select(holds, one, zero)
    };
    let op = match op {
        Binary::Equal => return truth(builder, Compare::Eq),
        Binary::Less => return truth(builder, Compare::Lt),
        Binary::Add => FloatBinary::Add,
        Binary::Sub => FloatBinary::Sub,
        Binary::Mul => FloatBinary::Mul,
        Binary::Div => FloatBinary::Div,
        Binary::Max => FloatBinary::Max,
        Binary::Min => FloatBinary::Min,
    };
    builder.binary(op, a, b)
}

fn like(b: &mut Builder, value: f32, x: ValueId) -> ValueId {
    let lanes = b.lanes(x);
    b.float(value, lanes)
}

fn mul(b: &mut Builder, x: ValueId, y: ValueId) -> ValueId {
    b.binary(FloatBinary::Mul, x, y)
}

fn reciprocal(b: &mut Builder, x: ValueId) -> ValueId {
    let one = like(b, 1.0, x);
    b.binary(FloatBinary::Div, one, x)
}

/// Horner's rule, highest coefficient first.
fn polynomial(b: &mut Builder, x: ValueId, coefficients: &[f32]) -> ValueId {
    let mut sum = like(b, coefficients[0], x);
    for coefficient in &coefficients[1..] {
        let next = like(b, *coefficient, x);
        sum = b.fma(sum, x, next);
    }
    sum
}

/// eˣ = 2ⁿ·eʳ with |r| ≤ ½ ln 2.
pub(crate) fn exp(b: &mut Builder, x: ValueId) -> ValueId {
    let lanes = b.lanes(x);
    // Beyond these bounds the result is ∞ or 0; NaN passes as the second operand.
    let (low, high) = (like(b, -104.0, x), like(b, 89.0, x));
    let x = b.binary(FloatBinary::Max, low, x);
    let x = b.binary(FloatBinary::Min, high, x);
    let log2e = like(b, std::f32::consts::LOG2_E, x);
    let n = mul(b, x, log2e);
    let n = b.unary(FloatUnary::Nearest, n);
    // ln 2 in two parts; the first has few bits, so n·part is exact.
    let (part1, part2) = (like(b, -0.693_359_4, x), like(b, 2.121_944_4e-4, x));
    let r = b.fma(n, part1, x);
    let r = b.fma(n, part2, r);
    let p = polynomial(
        b,
        r,
        &[
            0.001_392_617_6,
            0.008_363_173,
            0.041_666_556,
            0.166_665_78,
            0.5,
        ],
    );
    let square = mul(b, r, r);
    let e = b.fma(p, square, r);
    let one = like(b, 1.0, x);
    let e = b.binary(FloatBinary::Add, e, one);
    // 2e·2ⁿ⁻¹: n = 128 occurs for finite results. n = −126 gives the factor 0.
    let least = like(b, -126.0, x);
    let n = b.binary(FloatBinary::Max, n, least);
    let n = b.op(Operation::FloatToInt(n));
    let bias = b.op(Operation::Int(126, lanes));
    let shift = b.op(Operation::Int(23, lanes));
    let n = b.int(IntBinary::Add, n, bias);
    let scale = b.int(IntBinary::Shl, n, shift);
    let scale = b.op(Operation::Bitcast(scale));
    let twice = b.binary(FloatBinary::Add, e, e);
    mul(b, twice, scale)
}

/// ln x = n·ln 2 + ln(1 + f) with 1 + f in [√½, √2).
fn log(b: &mut Builder, x: ValueId) -> ValueId {
    let lanes = b.lanes(x);
    let smallest = like(b, f32::MIN_POSITIVE, x);
    let tiny = b.compare(Compare::Lt, x, smallest);
    let up = like(b, 8_388_608.0, x);
    let scaled = mul(b, x, up);
    let normal = b.select(tiny, scaled, x);
    let bits = b.op(Operation::Bitcast(normal));
    // Moving √½ to a power of two makes the exponent field the wanted n.
    let root = b.op(Operation::Int(0x3f35_04f3, lanes));
    let shift = b.op(Operation::Int(23, lanes));
    let moved = b.int(IntBinary::Sub, bits, root);
    let sign_fill = b.op(Operation::Int(256 << 23, lanes));
    let moved = b.int(IntBinary::Add, moved, sign_fill);
    let n = b.int(IntBinary::ShrU, moved, shift);
    let bias = b.op(Operation::Int(256, lanes));
    let n = b.int(IntBinary::Sub, n, bias);
    let fraction_bits = b.op(Operation::Int(0x007f_ffff, lanes));
    let mantissa = b.int(IntBinary::And, moved, fraction_bits);
    let mantissa = b.int(IntBinary::Add, mantissa, root);
    let mantissa = b.op(Operation::Bitcast(mantissa));
    let one = like(b, 1.0, x);
    let f = b.binary(FloatBinary::Sub, mantissa, one);
    let n = b.op(Operation::IntToFloat(n));
    let (lowered, zero) = (like(b, -23.0, x), like(b, 0.0, x));
    let correction = b.select(tiny, lowered, zero);
    let n = b.binary(FloatBinary::Add, n, correction);
    let p = polynomial(
        b,
        f,
        &[
            0.069_716_12,
            -0.114_797_34,
            0.116_854_2,
            -0.124_256_87,
            0.142_490_58,
            -0.166_678_02,
            0.200_007_16,
            -0.249_999_97,
            0.333_333_3,
        ],
    );
    let square = mul(b, f, f);
    let cube = mul(b, square, f);
    let (part1, part2) = (like(b, 0.693_359_4, x), like(b, -2.121_944_4e-4, x));
    let tail = mul(b, n, part2);
    let tail = b.fma(p, cube, tail);
    let minus_half = like(b, -0.5, x);
    let tail = b.fma(minus_half, square, tail);
    let sum = b.binary(FloatBinary::Add, f, tail);
    let result = b.fma(n, part1, sum);
    // ln 0 = −∞, ln ∞ = ∞, NaN below 0 and for NaN.
    let infinity = like(b, f32::INFINITY, x);
    let below = b.compare(Compare::Lt, x, infinity);
    let result = b.select(below, result, x);
    let minus_infinity = like(b, f32::NEG_INFINITY, x);
    let is_zero = b.compare(Compare::Eq, x, zero);
    let result = b.select(is_zero, minus_infinity, result);
    let nan = like(b, f32::NAN, x);
    let negative = b.compare(Compare::Lt, x, zero);
    b.select(negative, nan, result)
}

/// 1/(1 + e^-x).
fn sigmoid(b: &mut Builder, x: ValueId) -> ValueId {
    let minus = b.unary(FloatUnary::Neg, x);
    let e = exp(b, minus);
    let one = like(b, 1.0, x);
    let sum = b.binary(FloatBinary::Add, one, e);
    b.binary(FloatBinary::Div, one, sum)
}

/// Derivative of x·σ(inner) given d inner / dx: σ + x·σ·(1 − σ)·slope, where with
/// e = e^−|inner| and q = 1/(1 + e) the product σ·(1 − σ) is e·q², free of cancellation.
fn gated_grad(b: &mut Builder, x: ValueId, inner: ValueId, slope: ValueId) -> ValueId {
    let magnitude = b.unary(FloatUnary::Abs, inner);
    let minus = b.unary(FloatUnary::Neg, magnitude);
    let e = exp(b, minus);
    let (zero, one) = (like(b, 0.0, x), like(b, 1.0, x));
    let sum = b.binary(FloatBinary::Add, one, e);
    let q = b.binary(FloatBinary::Div, one, sum);
    let other = mul(b, e, q);
    let negative = b.compare(Compare::Lt, inner, zero);
    let s = b.select(negative, other, q);
    let product = mul(b, other, q);
    let product = mul(b, product, slope);
    b.fma(x, product, s)
}

/// √(8/π)·(x + 0.044715x³) and its slope: ½(1 + tanh u) = σ(2u).
fn gelu_tanh_inner(b: &mut Builder, x: ValueId) -> (ValueId, ValueId) {
    const ROOT: f32 = 1.595_769;
    let square = mul(b, x, x);
    let (cubic, linear) = (like(b, ROOT * 0.044_715, x), like(b, ROOT, x));
    let factor = b.fma(cubic, square, linear);
    let inner = mul(b, x, factor);
    let cubic3 = like(b, 3.0 * ROOT * 0.044_715, x);
    let slope = b.fma(cubic3, square, linear);
    (inner, slope)
}

/// |x| < ⅝: x + x·z·P(z), z = x²; else 1 − 2/(e^2|x| + 1) with the sign of x.
fn tanh(b: &mut Builder, x: ValueId) -> ValueId {
    let z = mul(b, x, x);
    let p = polynomial(
        b,
        z,
        &[
            -0.006_045_165,
            0.020_961_33,
            -0.053_843_264,
            0.133_327_19,
            -0.333_333_28,
        ],
    );
    let p = mul(b, p, z);
    let small = b.fma(x, p, x);
    let magnitude = b.unary(FloatUnary::Abs, x);
    let twice = b.binary(FloatBinary::Add, magnitude, magnitude);
    let e = exp(b, twice);
    let (one, two) = (like(b, 1.0, x), like(b, 2.0, x));
    let sum = b.binary(FloatBinary::Add, e, one);
    let part = b.binary(FloatBinary::Div, two, sum);
    let large = b.binary(FloatBinary::Sub, one, part);
    let large = with_sign(b, large, x);
    let limit = like(b, 0.625, x);
    let is_small = b.compare(Compare::Lt, magnitude, limit);
    b.select(is_small, small, large)
}

/// The magnitude with the sign of x.
fn with_sign(b: &mut Builder, magnitude: ValueId, x: ValueId) -> ValueId {
    let lanes = b.lanes(x);
    let bits = b.op(Operation::Bitcast(x));
    let sign_bit = b.op(Operation::Int(i32::MIN, lanes));
    let sign = b.int(IntBinary::And, bits, sign_bit);
    let magnitude = b.op(Operation::Bitcast(magnitude));
    let signed = b.int(IntBinary::Or, magnitude, sign);
    b.op(Operation::Bitcast(signed))
}

/// erfc(z)·e^(z²) for z ≥ 0, a polynomial in t = 1/(1 + 0.4z) times t.
fn scaled_erfc(b: &mut Builder, z: ValueId) -> ValueId {
    let (one, slope) = (like(b, 1.0, z), like(b, 0.4, z));
    let denominator = b.fma(z, slope, one);
    let t = b.binary(FloatBinary::Div, one, denominator);
    let p = polynomial(
        b,
        t,
        &[
            -0.033_501_126,
            0.218_785_36,
            -0.546_502_6,
            0.609_342_16,
            -0.334_311_87,
            0.297_973_2,
            0.121_059_97,
            0.216_689_4,
            0.224_748_67,
            0.225_716_86,
        ],
    );
    mul(b, p, t)
}

/// |x| < 1: x·P(x²); else 1 − erfc|x| with the sign of x.
fn erf(b: &mut Builder, x: ValueId) -> ValueId {
    let square = mul(b, x, x);
    let p = polynomial(
        b,
        square,
        &[
            7.875_875e-5,
            -8.016_864e-4,
            0.005_189_087,
            -0.026_854_211,
            0.112_835_94,
            -0.376_126_26,
            std::f32::consts::FRAC_2_SQRT_PI,
        ],
    );
    let small = mul(b, x, p);
    let magnitude = b.unary(FloatUnary::Abs, x);
    let scaled = scaled_erfc(b, magnitude);
    let minus = b.unary(FloatUnary::Neg, square);
    let bell = exp(b, minus);
    let rest = mul(b, scaled, bell);
    let one = like(b, 1.0, x);
    let large = b.binary(FloatBinary::Sub, one, rest);
    let large = with_sign(b, large, x);
    let is_small = b.compare(Compare::Lt, magnitude, one);
    b.select(is_small, small, large)
}

/// Φ(x) and e^(−x²/2).
fn normal(b: &mut Builder, x: ValueId) -> (ValueId, ValueId) {
    let magnitude = b.unary(FloatUnary::Abs, x);
    let root = like(b, std::f32::consts::FRAC_1_SQRT_2, x);
    let z = mul(b, magnitude, root);
    let scaled = scaled_erfc(b, z);
    let (half, minus_half) = (like(b, 0.5, x), like(b, -0.5, x));
    let square = mul(b, x, x);
    let exponent = mul(b, square, minus_half);
    let bell = exp(b, exponent);
    let tail = mul(b, scaled, bell);
    let tail = mul(b, tail, half);
    let (zero, one) = (like(b, 0.0, x), like(b, 1.0, x));
    let rest = b.binary(FloatBinary::Sub, one, tail);
    let negative = b.compare(Compare::Lt, x, zero);
    (b.select(negative, tail, rest), bell)
}

#[cfg(test)]
mod tests {
    use mm1_package::DType;

    use super::*;
    use crate::codegen::cranelift::compile_functions;
    use crate::codegen::mapped::Mapped;
    use crate::kernel::evaluate::unary as exact;

    fn apply(op: Unary, inputs: &[f32], lanes: u32) -> Vec<f32> {
        let mut b = Builder::default();
        let (from, to) = (b.op(Operation::Argument(0)), b.op(Operation::Argument(1)));
        let (zero, end) = (b.index(0), b.index(inputs.len() as i64));
        b.for_each(zero, end, i64::from(lanes), |b, i| {
            let (from, to) = (b.element(from, i, 4), b.element(to, i, 4));
            let x = b.load(from, 0, DType::F32, lanes);
            let y = unary(b, op, x);
            b.store(to, 0, y, DType::F32);
        });
        let code = Mapped::new(&compile_functions(&[b.finish("f")]).unwrap());
        let (mut inputs, mut outputs) = (inputs.to_vec(), vec![0.0f32; inputs.len()]);
        let args = [inputs.as_mut_ptr().cast(), outputs.as_mut_ptr().cast()];
        code.call("f", &args, &[], 0..1, 0);
        outputs
    }

    /// Numbers of both signs from 10⁻³⁸ to `largest`, dense around 1.
    fn range(largest: f32, signed: bool) -> Vec<f32> {
        let mut numbers = Vec::new();
        let mut x = 1e-38f32;
        while x <= largest {
            numbers.push(x);
            if signed {
                numbers.push(-x);
            }
            x *= if x < 1e-4 { 1.7 } else { 1.0007 };
        }
        numbers.resize(numbers.len().next_multiple_of(16), 0.5);
        numbers
    }

    fn check(op: Unary, inputs: &[f32], relative: f64, absolute: f64) {
        for lanes in [1, 4, 16] {
            for (x, got) in inputs.iter().zip(apply(op, inputs, lanes)) {
                let want = exact(op, f64::from(*x));
                if want.abs() > f64::from(f32::MAX) {
                    assert_eq!(got, want.signum() as f32 * f32::INFINITY, "{op:?}({x})");
                    continue;
                }
                let bound = relative * want.abs() + absolute;
                let error = (f64::from(got) - want).abs();
                assert!(
                    error <= bound,
                    "{op:?}({x:e}) = {got:e}, not {want:e}: {:.2e} of it",
                    error / want.abs()
                );
            }
        }
    }

    #[test]
    fn basic_functions_have_a_small_relative_error() {
        // 2.4e-38: results below the smallest normal number may become 0.
        check(Unary::Exp, &range(104.0, true), 2e-7, 2.4e-38);
        check(Unary::Log, &range(3e38, false), 2.5e-7, 0.0);
        check(Unary::Tanh, &range(100.0, true), 3e-7, 0.0);
        check(Unary::Erf, &range(10.0, true), 3e-7, 0.0);
        check(Unary::Sigmoid, &range(80.0, true), 3e-7, 2.4e-38);
        check(Unary::Rsqrt, &range(3e38, false), 2e-7, 0.0);
        check(Unary::Sqrt, &range(3e38, false), 7e-8, 0.0);
        check(Unary::Reciprocal, &range(1e37, true), 7e-8, 0.0);
        for op in [Unary::Neg, Unary::Relu, Unary::Step] {
            check(op, &range(3e38, true), 0.0, 0.0);
        }
        check(Unary::Square, &range(1e19, true), 7e-8, 1e-44);
    }

    #[test]
    fn activations_and_derivatives_are_within_a_millionth() {
        for op in [
            Unary::Gelu,
            Unary::GeluTanh,
            Unary::QuickGelu,
            Unary::Silu,
            Unary::GeluGrad,
            Unary::GeluTanhGrad,
            Unary::QuickGeluGrad,
            Unary::SiluGrad,
        ] {
            check(op, &range(60.0, true), 5e-7, 5e-7);
        }
        // Far out the values stay relatively right, not only small.
        let tail: Vec<f32> = (0..64).map(|i| -3.0 - i as f32 / 16.0).collect();
        check(Unary::Gelu, &tail, 3e-6, 0.0);
        check(Unary::Silu, &tail, 3e-7, 0.0);
    }

    #[test]
    fn extremes_give_limits_and_nan_stays() {
        let inputs = [
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            0.0,
            -0.0,
            1e-41,
            -1e30,
            1e30,
        ];
        let cases: [(Unary, [f32; 8]); 5] = [
            (
                Unary::Exp,
                [
                    f32::INFINITY,
                    0.0,
                    f32::NAN,
                    1.0,
                    1.0,
                    1.0,
                    0.0,
                    f32::INFINITY,
                ],
            ),
            (
                Unary::Log,
                [
                    f32::INFINITY,
                    f32::NAN,
                    f32::NAN,
                    f32::NEG_INFINITY,
                    f32::NEG_INFINITY,
                    -94.406_02,
                    f32::NAN,
                    69.077_55,
                ],
            ),
            (
                Unary::Tanh,
                [1.0, -1.0, f32::NAN, 0.0, -0.0, 1e-41, -1.0, 1.0],
            ),
            (
                Unary::Erf,
                [1.0, -1.0, f32::NAN, 0.0, -0.0, 1.128e-41, -1.0, 1.0],
            ),
            (
                Unary::Sigmoid,
                [1.0, 0.0, f32::NAN, 0.5, 0.5, 0.5, 0.0, 1.0],
            ),
        ];
        for (op, want) in cases {
            let got = apply(op, &inputs, 4);
            for ((x, got), want) in inputs.iter().zip(got).zip(want) {
                let close = (got - want).abs() <= 1e-6 * want.abs() + 1e-43;
                assert!(
                    got == want || got.is_nan() && want.is_nan() || close,
                    "{op:?}({x}) = {got}, not {want}"
                );
            }
        }
    }
}
