//! What a machine can do at most: multiply-adds per second, bytes per second.
//!
//! A bench run states each kernel's time against the time that these rates would allow. A CPU is
//! measured here, on all threads at once for a fraction of a second; a GPU measures itself.

use std::time::{Duration, Instant};

use mm1_runtime::executor::Executor;

use crate::args::BenchArgs;
use crate::failure::Failure;

/// Length of one measurement.
const TIME: Duration = Duration::from_millis(150);

/// Rates that nothing on the machine exceeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roof {
    /// FLOP/s in the model's precision; `None` where nothing measures them.
    pub flops: Option<f64>,
    /// Bytes per second of the machine's memory.
    pub bytes: f64,
}

impl Roof {
    /// The rates that `args` give; those that they do not are measured where `executor` runs.
    ///
    /// # Errors
    /// A device that has failed.
    pub fn new(args: &BenchArgs, executor: &mut Executor, bf16: bool) -> Result<Self, Failure> {
        let flops = args.peak_gflops.map(|gflops| gflops * 1e9);
        let bytes = args.peak_gbs.map(|gbs| gbs * 1e9);
        if let (Some(flops), Some(bytes)) = (flops, bytes) {
            let flops = Some(flops);
            return Ok(Self { flops, bytes });
        }
        let threads = executor.threads();
        Ok(match executor.rates()? {
            Some(rates) => Self {
                // What is measured is bf16.
                flops: flops.or(rates.matrix.filter(|_| bf16)),
                bytes: bytes.unwrap_or(rates.copy),
            },
            None => Self {
                flops: flops
                    .or_else(|| peak_flops(threads, bf16))
                    .or_else(|| peak_flops(threads, false)),
                bytes: bytes.unwrap_or_else(|| peak_bytes(threads)),
            },
        })
    }
}

/// FLOP/s of f32 (or, with `bf16`, of bf16 dot products) on `threads` threads; `None` where
/// this program knows no such instruction of the machine.
pub fn peak_flops(threads: usize, bf16: bool) -> Option<f64> {
    let kernel = flop_kernel(bf16)?;
    // Settles the clock rate.
    kernel(1 << 20);
    Some(rate(threads, &|| kernel(1 << 18) as f64))
}

/// Bytes per second read from memory on `threads` threads.
pub fn peak_bytes(threads: usize) -> f64 {
    const WORDS: usize = 8 << 20;
    let data: Vec<u64> = (0..WORDS as u64).collect();
    rate(threads, &|| {
        // Eight sums, so that the additions do not wait for one another.
        let mut sums = [0u64; 8];
        for part in data.chunks_exact(8) {
            for (sum, value) in sums.iter_mut().zip(part) {
                *sum = sum.wrapping_add(*value);
            }
        }
        std::hint::black_box(sums);
        (WORDS * 8) as f64
    })
}

/// Work per second of `threads` threads that repeat `work` for [`TIME`].
fn rate(threads: usize, work: &(dyn Fn() -> f64 + Sync)) -> f64 {
    let run = || {
        let begin = Instant::now();
        let mut done = 0.0;
        while begin.elapsed() < TIME {
            done += work();
        }
        done / begin.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(run)).collect();
        let own = run();
        let others = workers.into_iter().filter_map(|it| it.join().ok());
        own + others.sum::<f64>()
    })
}

/// A function of a number of rounds that returns the FLOPs it did.
type FlopKernel = fn(u64) -> u64;

#[cfg(not(target_arch = "x86_64"))]
fn flop_kernel(_: bool) -> Option<FlopKernel> {
    None
}

#[cfg(target_arch = "x86_64")]
fn flop_kernel(bf16: bool) -> Option<FlopKernel> {
    use std::arch::is_x86_feature_detected as has;
    if bf16 {
        if mm1_package::cpu::has("amx-bf16") {
            // SAFETY: the instructions are there, and the system lets this process use them.
            return Some(|rounds| unsafe { x86::tiles(rounds) });
        }
        if !(has!("avx512bf16") && has!("avx512f")) {
            return None;
        }
        // SAFETY: the instructions are there.
        return Some(|rounds| unsafe { x86::bf16(rounds) });
    }
    if has!("avx512f") {
        // SAFETY: the instructions are there.
        return Some(|rounds| unsafe { x86::wide(rounds) });
    }
    if has!("avx2") && has!("fma") {
        // SAFETY: the instructions are there.
        return Some(|rounds| unsafe { x86::narrow(rounds) });
    }
    None
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// Independent sums: enough to hide the latency of two multiply-add units.
    const SUMS: usize = 12;

    #[target_feature(enable = "avx512f")]
    pub(super) fn wide(rounds: u64) -> u64 {
        let (a, b) = (_mm512_set1_ps(0.999), _mm512_set1_ps(0.001));
        let mut sums = [b; SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, a, b);
            }
        }
        black_box(sums);
        rounds * (SUMS * 16 * 2) as u64
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn narrow(rounds: u64) -> u64 {
        let (a, b) = (_mm256_set1_ps(0.999), _mm256_set1_ps(0.001));
        let mut sums = [b; SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, a, b);
            }
        }
        black_box(sums);
        rounds * (SUMS * 8 * 2) as u64
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn bf16(rounds: u64) -> u64 {
        let zero = _mm512_setzero_ps();
        let (a, b) = black_box((
            _mm512_cvtne2ps_pbh(zero, zero),
            _mm512_cvtne2ps_pbh(zero, zero),
        ));
        let mut sums = [zero; SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, a, b);
            }
        }
        black_box(sums);
        rounds * (SUMS * 32 * 2) as u64
    }

    /// Four sums of tiles, in assembly: Rust has no stable intrinsics for tiles.
    ///
    /// # Safety
    /// The processor has AMX and the system lets this process use it.
    pub(super) unsafe fn tiles(rounds: u64) -> u64 {
        // Palette 1; eight tiles of 16 rows of 64 bytes.
        let mut shape = [0u8; 64];
        shape[0] = 1;
        for tile in 0..8 {
            shape[16 + 2 * tile] = 64;
            shape[48 + tile] = 16;
        }
        // SAFETY: `shape` is a legal configuration; no memory is written, and every tile register
        // that changes is named.
        unsafe {
            std::arch::asm!(
                "ldtilecfg [{shape}]",
                "tilezero tmm4",
                "tilezero tmm5",
                "2:",
                "tdpbf16ps tmm0, tmm4, tmm5",
                "tdpbf16ps tmm1, tmm4, tmm5",
                "tdpbf16ps tmm2, tmm4, tmm5",
                "tdpbf16ps tmm3, tmm4, tmm5",
                "dec {left}",
                "jnz 2b",
                "tilerelease",
                shape = in(reg) shape.as_ptr(),
                left = inout(reg) rounds.max(1) => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _,
                options(nostack, readonly),
            );
        }
        rounds.max(1) * 4 * 16 * 16 * 32 * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_a_computer() {
        assert!((1e8..1e13).contains(&peak_bytes(1)));
        if let Some(flops) = peak_flops(1, false) {
            assert!((1e9..1e13).contains(&flops), "{flops}");
        }
        if let Some(flops) = peak_flops(1, true) {
            assert!((1e9..1e14).contains(&flops), "{flops}");
        }
    }
}
