//! Normal numbers with the same bits on every machine.
//!
//! Box and Muller (1958) turn one block of [`Philox`] into two independent standard normals. The
//! logarithm, the sine and the cosine are polynomials in f64, made of single IEEE operations in a
//! written order, so that a card's kernel ([`crate::device::normal`]) and any host's library give the
//! same bits. They are within 2·10⁻¹⁵ of the true functions; what is drawn is rounded to f32.

use crate::philox::{Philox, unit_f64};

/// ln m = 2·s·Σ s²ⁿ/(2n + 1) with s = (m − 1)/(m + 1), for m in [√½, √2]: what is left out is below 10⁻¹⁶.
pub(crate) const LN: [f64; 11] = [
    1.0,
    1.0 / 3.0,
    1.0 / 5.0,
    1.0 / 7.0,
    1.0 / 9.0,
    1.0 / 11.0,
    1.0 / 13.0,
    1.0 / 15.0,
    1.0 / 17.0,
    1.0 / 19.0,
    1.0 / 21.0,
];
/// sin t = t·Σ SIN[n]·t²ⁿ for |t| ≤ π/4.
pub(crate) const SIN: [f64; 9] = [
    1.0,
    -1.0 / 6.0,
    1.0 / 120.0,
    -1.0 / 5_040.0,
    1.0 / 362_880.0,
    -1.0 / 39_916_800.0,
    1.0 / 6_227_020_800.0,
    -1.0 / 1_307_674_368_000.0,
    1.0 / 355_687_428_096_000.0,
];
/// cos t = Σ COS[n]·t²ⁿ for |t| ≤ π/4.
pub(crate) const COS: [f64; 9] = [
    1.0,
    -0.5,
    1.0 / 24.0,
    -1.0 / 720.0,
    1.0 / 40_320.0,
    -1.0 / 3_628_800.0,
    1.0 / 479_001_600.0,
    -1.0 / 87_178_291_200.0,
    1.0 / 20_922_789_888_000.0,
];
/// Bits of the significand of an f64, without the leading one.
pub(crate) const SIGNIFICAND: u64 = (1 << 52) - 1;
/// Bits of 1.
pub(crate) const ONE: u64 = 1023 << 52;

/// Σ c[n]·zⁿ by Horner's rule, each product and sum rounded.
fn polynomial(coefficients: &[f64], z: f64) -> f64 {
    let (last, rest) = coefficients.split_last().expect("no table is empty");
    rest.iter().rev().fold(*last, |sum, next| sum * z + next)
}

/// The natural logarithm of a normal number above 0.
fn ln(x: f64) -> f64 {
    let mut exponent = (x.to_bits() >> 52) as i32 - 1023;
    let mut m = f64::from_bits(x.to_bits() & SIGNIFICAND | ONE);
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        exponent += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let half = polynomial(&LN, s * s) * s;
    (half + half) + f64::from(exponent) * std::f64::consts::LN_2
}

/// Sine and cosine of `u` turns, 0 ≤ u < 1.
fn sin_cos_turns(u: f64) -> (f64, f64) {
    let quarter = (u * 4.0 + 0.5).floor() as i32;
    let t = (u - f64::from(quarter) * 0.25) * std::f64::consts::TAU;
    let z = t * t;
    let (sin, cos) = (polynomial(&SIN, z) * t, polynomial(&COS, z));
    let (sin, cos) = match quarter & 1 {
        0 => (sin, cos),
        _ => (cos, sin),
    };
    let signed = |x: f64, negative: bool| if negative { -x } else { x };
    (
        signed(sin, quarter & 2 != 0),
        signed(cos, (quarter + 1) & 2 != 0),
    )
}

/// Two independent standard normals from one block.
pub fn pair(block: [u32; 4]) -> [f64; 2] {
    // 1 − u lies in (0, 1], so the logarithm is finite.
    let radius = (ln(1.0 - unit_f64(block[0], block[1])) * -2.0).sqrt();
    let (sin, cos) = sin_cos_turns(unit_f64(block[2], block[3]));
    [radius * cos, radius * sin]
}

/// Step of the Philox address for first draws.
const FIRST: u64 = 0;
/// Step for what was beyond the bound.
pub(crate) const REDRAW: u64 = 1;

/// The distribution of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normals {
    /// Where the randomness comes from.
    pub philox: Philox,
    /// Standard deviation.
    pub std: f64,
    /// Standard deviations from 0 beyond which a value is drawn anew; may be infinite.
    pub bound: f64,
}

impl Normals {
    /// Fills elements `start..start + values.len()`; `start` is even.
    pub fn fill(&self, start: usize, values: &mut [f32]) {
        for (number, chunk) in values.chunks_mut(2).enumerate() {
            let first = (start + 2 * number) as u64;
            let normals = pair(self.philox.block(FIRST, first / 2));
            for (at, (value, mut normal)) in chunk.iter_mut().zip(normals).enumerate() {
                if normal.abs() > self.bound {
                    let index = first + at as u64;
                    normal = self.philox.truncated_normal(REDRAW, index, self.bound);
                }
                *value = (self.std * normal) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_polynomials_are_the_functions() {
        let philox = Philox::new(5, 6);
        for index in 0..20_000 {
            // Small numbers too: the logarithm sees what 1 − u leaves near 0 and near 1.
            let u = philox.uniform_f64(0, index) * f64::from(index as i32 % 50 - 49).exp2();
            let u = if index % 2 == 0 { u } else { 1.0 - u };
            let x = 1.0 - u;
            if x > 0.0 {
                let error = (ln(x) - x.ln()).abs();
                assert!(error <= 2e-15 * x.ln().abs(), "ln {x}: {error}");
            }
            if u < 1.0 {
                let (sin, cos) = sin_cos_turns(u);
                let (want_sin, want_cos) = (std::f64::consts::TAU * u).sin_cos();
                assert!((sin - want_sin).abs() <= 2e-15, "sin {u}: {sin}");
                assert!((cos - want_cos).abs() <= 2e-15, "cos {u}: {cos}");
            }
        }
    }

    #[test]
    fn quarters_are_exact() {
        let turns = [0.0, 0.25, 0.5, 0.75].map(sin_cos_turns);
        assert_eq!(turns, [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)]);
        assert_eq!(ln(1.0), 0.0);
    }
}
