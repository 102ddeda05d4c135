//! Addressed randomness: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random
//! numbers: as easy as 1, 2, 3", 2011).
//!
//! Every random value of a run is a function of (seed, stream, step, index), so its
//! value depends neither on the order in which values are asked for nor on the device.
//! The stream is the hash of a name ([`stream_of`]): changing one part of a model leaves
//! the values of the others as they were.

use crate::normal;

/// Multipliers and key increments of Philox4x32.
pub(crate) const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
pub(crate) const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Attempts at a value within a bound: in vain only where the bound is below about 0.01.
pub(crate) const REDRAWS: u32 = 256;

/// Ten rounds of Philox4x32 over one counter.
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut c = counter;
    let mut k = key;
    for round in 0..10 {
        if round > 0 {
            k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
        }
        let a = u64::from(MULTIPLIER[0]) * u64::from(c[0]);
        let b = u64::from(MULTIPLIER[1]) * u64::from(c[2]);
        c = [
            (b >> 32) as u32 ^ c[1] ^ k[0],
            b as u32,
            (a >> 32) as u32 ^ c[3] ^ k[1],
            a as u32,
        ];
    }
    c
}

/// The stream that belongs to a name: the first 8 bytes of its BLAKE3 hash, little-endian.
pub fn stream_of(name: &str) -> u64 {
    let hash = blake3::hash(name.as_bytes());
    let mut first = [0u8; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// A uniform f32 in [0, 1) from the upper 24 bits of a word.
pub fn unit_f32(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// A uniform f64 in [0, 1) from the upper 53 bits of two words (`high` leads).
pub fn unit_f64(high: u32, low: u32) -> f64 {
    let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
    bits as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// The generator of one (seed, stream).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
}

impl Philox {
    /// Seed and stream are 128 bits where the key has 64, so the key is the stream
    /// encrypted under the seed; step and index then fill the counter exactly.
    pub fn new(seed: u64, stream: u64) -> Self {
        let counter = [stream as u32, (stream >> 32) as u32, 0, 0];
        let mixed = philox4x32_10(counter, [seed as u32, (seed >> 32) as u32]);
        Self {
            key: [mixed[0], mixed[1]],
        }
    }

    /// The two words that every block is encrypted under.
    pub fn key(&self) -> [u32; 2] {
        self.key
    }

    /// Four random words at (step, index).
    pub fn block(&self, step: u64, index: u64) -> [u32; 4] {
        let counter = [
            index as u32,
            (index >> 32) as u32,
            step as u32,
            (step >> 32) as u32,
        ];
        philox4x32_10(counter, self.key)
    }

    /// Uniform in [0, 1), 24 bits.
    pub fn uniform_f32(&self, step: u64, index: u64) -> f32 {
        unit_f32(self.block(step, index)[0])
    }

    /// Uniform in [0, 1), 53 bits.
    pub fn uniform_f64(&self, step: u64, index: u64) -> f64 {
        let block = self.block(step, index);
        unit_f64(block[0], block[1])
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&self, step: u64, index: u64) -> f64 {
        normal::pair(self.block(step, index))[0]
    }

    /// Standard normal conditioned on |x| ≤ `bound` (in standard deviations, > 0): the first
    /// draw inside. Further attempts use steps that differ in the top byte, so a step must
    /// stay below 2⁵⁶.
    pub fn truncated_normal(&self, step: u64, index: u64, bound: f64) -> f64 {
        let mut last = 0.0;
        for attempt in 0..u64::from(REDRAWS) {
            for x in normal::pair(self.block(step ^ (attempt << 56), index)) {
                if x.abs() <= bound {
                    return x;
                }
                last = x;
            }
        }
        last.clamp(-bound, bound)
    }

    /// The values at (step, 0), (step, 1), … one after another.
    pub fn draws(&self, step: u64) -> Draws {
        Draws {
            philox: *self,
            step,
            index: 0,
            block: [0; 4],
            left: 0,
        }
    }
}

/// Consecutive values of one (seed, stream, step).
#[derive(Clone, Debug)]
pub struct Draws {
    philox: Philox,
    step: u64,
    index: u64,
    block: [u32; 4],
    left: usize,
}

impl Draws {
    /// The next 32 random bits.
    pub fn word(&mut self) -> u32 {
        if self.left == 0 {
            self.block = self.philox.block(self.step, self.index);
            self.index += 1;
            self.left = 4;
        }
        self.left -= 1;
        self.block[3 - self.left]
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        let (a, b) = (self.word(), self.word());
        low + (high - low) * unit_f64(a, b)
    }

    /// Uniform in 0..n without bias (Lemire's multiply-and-reject); 0 when n is 0 or 1.
    pub fn below(&mut self, n: u32) -> u32 {
        if n < 2 {
            return 0;
        }
        let reject_below = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.word()) * u64::from(n);
            if product as u32 >= reject_below {
                return (product >> 32) as u32;
            }
        }
    }
}

/// A keyed permutation of 0..n that needs no table: a six-round Feistel network over the
/// next power of four, walked until it lands inside (at most about four times on average).
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    philox: Philox,
    step: u64,
    n: u64,
    half_bits: u32,
}

impl Permutation {
    /// The permutation of `n` items that belongs to (`philox`, `step`). `n` is at most 2⁶².
    pub fn new(philox: Philox, step: u64, n: u64) -> Self {
        let bits = 64 - n.saturating_sub(1).leading_zeros();
        Self {
            philox,
            step,
            n,
            half_bits: bits.div_ceil(2).max(1),
        }
    }

    /// Where item `i` goes; `i` must be below `n`.
    pub fn at(&self, i: u64) -> u64 {
        debug_assert!(i < self.n);
        let mask = (1u64 << self.half_bits) - 1;
        let mut x = i;
        loop {
            let (mut left, mut right) = (x >> self.half_bits, x & mask);
            for round in 0..6u64 {
                let word = self.philox.block(self.step, right | (round << 60));
                let f = u64::from(word[0]) & mask;
                (left, right) = (right, left ^ f);
            }
            x = left << self.half_bits | right;
            if x < self.n {
                return x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that come with Random123 (kat_vectors, philox 4x32 10 rounds).
    #[test]
    fn known_answers() {
        let all = u32::MAX;
        let cases: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [all; 4],
                [all; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(philox4x32_10(counter, key), expected);
        }
    }

    #[test]
    fn addresses_are_independent() {
        let a = Philox::new(1, stream_of("decoder.head"));
        let b = Philox::new(1, stream_of("decoder.tail"));
        let c = Philox::new(2, stream_of("decoder.head"));
        assert_ne!(a.block(0, 0), b.block(0, 0));
        assert_ne!(a.block(0, 0), c.block(0, 0));
        assert_ne!(a.block(0, 1), a.block(1, 0));
        assert_eq!(
            a.block(7, 9),
            Philox::new(1, stream_of("decoder.head")).block(7, 9)
        );
    }

    #[test]
    fn moments() {
        let p = Philox::new(3, 4);
        let n = 20_000u64;
        let (mut sum, mut square, mut uniform, mut truncated) = (0.0, 0.0, 0.0, 0.0f64);
        for i in 0..n {
            let x = p.normal(0, i);
            sum += x;
            square += x * x;
            uniform += f64::from(p.uniform_f32(1, i));
            let t = p.truncated_normal(2, i, 2.0);
            assert!(t.abs() <= 2.0);
            truncated += t * t;
        }
        let n = n as f64;
        assert!((sum / n).abs() < 0.03);
        assert!((square / n - 1.0).abs() < 0.04);
        assert!((uniform / n - 0.5).abs() < 0.01);
        // Variance of the standard normal cut at two deviations.
        assert!((truncated / n - 0.774).abs() < 0.03);
    }

    #[test]
    fn bounded_integers_cover_evenly() {
        let mut draws = Philox::new(5, 6).draws(0);
        let mut seen = [0u32; 6];
        for _ in 0..6000 {
            seen[draws.below(6) as usize] += 1;
        }
        assert!(
            seen.iter().all(|&count| (850..1150).contains(&count)),
            "{seen:?}"
        );
    }

    #[test]
    fn permutations_permute() {
        for n in [1u64, 2, 3, 10, 63, 64, 65, 1000] {
            let p = Permutation::new(Philox::new(8, 9), 0, n);
            let mut seen: Vec<u64> = (0..n).map(|i| p.at(i)).collect();
            let moved = seen
                .iter()
                .enumerate()
                .filter(|&(i, &x)| i as u64 != x)
                .count();
            assert!(n < 10 || moved as u64 > n / 2);
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..n));
        }
        let a = Permutation::new(Philox::new(8, 9), 0, 1000);
        let b = Permutation::new(Philox::new(8, 9), 1, 1000);
        assert!((0..1000).any(|i| a.at(i) != b.at(i)));
    }
}
