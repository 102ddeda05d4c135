//! A GEMM with TMA, mbarriers and wgmma, right and with planted mistakes.

// A failed expectation in a test is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

use half::bf16;
use mm1_ptx::{
    Fault, FaultKind, Memory, Module, Options, Param, Stats, TensorMap, TensorType, launch,
};

const TEXT: &str = include_str!("fixtures/hopper_gemm.ptx");

#[derive(Clone)]
struct Problem {
    text: String,
    m: usize,
    n: usize,
    k: usize,
    swizzle: u32,
    options: Options,
}

impl Problem {
    fn new() -> Problem {
        Problem {
            text: TEXT.to_string(),
            m: 128,
            n: 128,
            k: 320,
            swizzle: 128,
            options: Options::default(),
        }
    }

    /// A copy of the kernel in which `from`, which must be there, reads `to`.
    fn with(from: &str, to: &str) -> Problem {
        assert!(TEXT.contains(from), "{from}");
        Problem {
            text: TEXT.replace(from, to),
            ..Problem::new()
        }
    }

    /// The largest difference from sums in f64, and what ran.
    fn run(&self) -> Result<(f32, Stats), Fault> {
        let module = Module::parse(&self.text).unwrap();
        let mut memory = Memory::new();
        let value = |i: usize| bf16::from_f32(((i * 37 + i / 7) % 61) as f32 / 32.0 - 1.0);
        let a: Vec<bf16> = (0..self.m * self.k).map(value).collect();
        let b: Vec<bf16> = (0..self.n * self.k).map(|i| value(3 * i + 5)).collect();
        let bytes = |x: &[bf16]| x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        let (pa, pb) = (memory.alloc_from(&bytes(&a)), memory.alloc_from(&bytes(&b)));
        let pc = memory.alloc(4 * self.m * self.n);
        let map = |base: u64, rows: usize| {
            let dims = [self.k as u64, rows as u64];
            let (strides, boxes) = ([2 * self.k as u64], [64, 64]);
            let encoded = TensorMap::encode(
                TensorType::Bf16,
                base,
                &dims,
                &strides,
                &boxes,
                &[1, 1],
                self.swizzle,
            );
            Param::Bytes(encoded.unwrap().to_vec())
        };
        let params = [
            map(pa, self.m),
            map(pb, self.n),
            Param::U64(pc),
            Param::U32(self.n as u32),
            Param::U32(self.k.div_ceil(64) as u32),
        ];
        let grid = [self.n as u32 / 64, self.m as u32 / 64, 1];
        let shared = 2 * 16384;
        let start = std::time::Instant::now();
        let stats = launch(
            &module,
            "gemm",
            grid,
            [160, 1, 1],
            shared,
            &params,
            &mut memory,
            &self.options,
        )?;
        println!(
            "{:.2} GFLOP/s",
            2e-9 * (self.m * self.n * self.k) as f64 / start.elapsed().as_secs_f64()
        );
        let c = memory.read(pc, 4 * self.m * self.n).unwrap();
        let mut worst = 0.0f32;
        for (index, c) in c.chunks(4).enumerate() {
            let c = f32::from_le_bytes(c.try_into().unwrap());
            let (row, column) = (index / self.n, index % self.n);
            let exact: f64 = (0..self.k)
                .map(|k| a[row * self.k + k].to_f64() * b[column * self.k + k].to_f64())
                .sum();
            worst = worst.max((c - exact as f32).abs());
        }
        Ok((worst, stats))
    }

    fn fault(&self) -> Fault {
        self.run().expect_err("the mistake must be noticed")
    }
}

#[test]
fn the_gemm_is_right_in_every_order() {
    for schedule in 0..12 {
        let options = Options {
            schedule,
            ..Options::default()
        };
        let (worst, stats) = Problem {
            options,
            ..Problem::new()
        }
        .run()
        .unwrap();
        assert!(worst < 1e-4, "schedule {schedule}: {worst}");
        // Four blocks of four warps, five steps of four instructions.
        assert_eq!(stats.executed("wgmma.mma_async"), 4 * 4 * 5 * 4);
        assert_eq!(stats.bulk_read_bytes, 4 * 5 * 16384);
        assert_eq!(stats.accumulator_moves, 0);
    }
}

#[test]
fn a_large_gemm_takes_seconds() {
    let problem = Problem {
        m: 256,
        n: 256,
        k: 1024,
        ..Problem::new()
    };
    for shared_races in [true, false] {
        let options = Options {
            shared_races,
            threads: 1,
            ..Options::default()
        };
        let (worst, stats) = Problem {
            options,
            ..problem.clone()
        }
        .run()
        .unwrap();
        let multiplications = 64 * 64 * 16 * stats.executed("wgmma.mma_async") / 4;
        assert_eq!(multiplications, 256 * 256 * 1024);
        assert!(worst < 1e-3, "{worst}");
    }
}

#[test]
fn what_is_out_of_bounds_reads_as_zero() {
    let (worst, _) = Problem {
        k: 296,
        ..Problem::new()
    }
    .run()
    .unwrap();
    assert!(worst < 1e-4, "{worst}");
}

#[test]
fn a_map_without_the_swizzle_of_the_descriptor_gives_wrong_sums() {
    let (worst, _) = Problem {
        swizzle: 0,
        ..Problem::new()
    }
    .run()
    .unwrap();
    assert!(worst > 1.0, "{worst}");
    let (worst, _) = Problem::with("0x4000004000010000", "0x8000004000010000")
        .run()
        .unwrap();
    assert!(worst > 1.0, "{worst}");
}

#[test]
fn a_wait_for_the_wrong_phase_is_noticed() {
    // Consumers pass at once and read what has not arrived.
    let consumer = "\tand.b32 %r10, %r10, 1;\n\tshl.b32 %r11, %r9, 3;\n\tadd.u32 %r12";
    let flipped = "\tand.b32 %r10, %r10, 1;\n\txor.b32 %r10, %r10, 1;\n\tshl.b32 %r11, %r9, 3;\n\tadd.u32 %r12";
    let fault = Problem::with(consumer, flipped).fault();
    assert!(
        matches!(
            fault.kind,
            FaultKind::NotWaited | FaultKind::UninitialisedMemory
        ),
        "{fault}"
    );
    assert!(fault.text.contains("wgmma.mma_async"), "{fault}");
    // The producer waits for a phase that nobody can complete.
    let fault = Problem::with("\txor.b32 %r10, %r10, 1;\n", "").fault();
    assert_eq!(fault.kind, FaultKind::Deadlock, "{fault}");
    assert!(fault.message.contains("mbarrier"), "{fault}");
}

#[test]
fn a_stage_that_is_filled_before_it_is_empty_is_a_race() {
    let fault = Problem::with("\t@!%p6 bra WAIT_EMPTY;\n", "").fault();
    assert!(
        matches!(fault.kind, FaultKind::SharedRace | FaultKind::Mbarrier),
        "{fault}"
    );
    for schedule in 1..6 {
        let mut problem = Problem::with("\t@!%p6 bra WAIT_EMPTY;\n", "");
        problem.options.schedule = schedule;
        problem.fault();
    }
}

#[test]
fn a_stage_that_is_given_back_before_the_wait_is_a_race() {
    let text = TEXT.replace("\twgmma.wait_group.sync.aligned 0;\n", "");
    let arrive = "\tmbarrier.arrive.shared::cta.b64 _, [%r15];\n";
    let text = text.replace(
        arrive,
        &format!("{arrive}\twgmma.wait_group.sync.aligned 0;\n"),
    );
    let noticed = (0..8).any(|schedule| {
        let options = Options {
            schedule,
            ..Options::default()
        };
        let problem = Problem {
            text: text.clone(),
            options,
            ..Problem::new()
        };
        problem
            .run()
            .is_err_and(|fault| fault.kind == FaultKind::SharedRace)
    });
    assert!(noticed);
}

#[test]
fn accumulators_before_their_wait_are_a_fault() {
    let fault = Problem::with("\twgmma.wait_group.sync.aligned 0;\n", "").fault();
    assert!(
        matches!(fault.kind, FaultKind::NotWaited | FaultKind::SharedRace),
        "{fault}"
    );
    let mut problem = Problem::with("\twgmma.wait_group.sync.aligned 0;\n", "");
    problem.k = 64;
    let fault = problem.fault();
    assert_eq!(fault.kind, FaultKind::NotWaited, "{fault}");
    assert!(fault.text.contains("st.global.v2.f32"), "{fault}");
}

#[test]
fn missing_fences_are_faults() {
    let fault = Problem::with("\tfence.mbarrier_init.release.cluster;\n", "").fault();
    assert_eq!(fault.kind, FaultKind::Mbarrier, "{fault}");
    assert!(fault.text.contains("cp.async.bulk.tensor"), "{fault}");
    let fault = Problem::with("\twgmma.fence.sync.aligned;\n", "").fault();
    assert!(fault.message.contains("wgmma.fence"), "{fault}");
}

#[test]
fn wrong_byte_counts_are_noticed() {
    let fault = Problem::with("[%r12], 16384;", "[%r12], 16400;").fault();
    assert_eq!(fault.kind, FaultKind::Deadlock, "{fault}");
    let fault = Problem::with("[%r12], 16384;", "[%r12], 8192;").fault();
    assert!(
        matches!(fault.kind, FaultKind::NotWaited | FaultKind::Mbarrier),
        "{fault}"
    );
}

#[test]
fn a_barrier_between_initialisation_and_use_is_needed() {
    let fault = Problem::with("\tbar.sync 0;\n", "").fault();
    assert!(
        matches!(fault.kind, FaultKind::SharedRace | FaultKind::Mbarrier),
        "{fault}"
    );
}

#[test]
fn a_copy_past_the_tensors_memory_is_out_of_bounds() {
    // The map says 129 rows, but there are 128.
    let mut memory = Memory::new();
    let module = Module::parse(TEXT).unwrap();
    let a = memory.alloc_from(&[0; 2 * 64 * 128]);
    let map = TensorMap::encode(
        TensorType::Bf16,
        a,
        &[64, 129],
        &[128],
        &[64, 64],
        &[1, 1],
        128,
    );
    let map = Param::Bytes(map.unwrap().to_vec());
    let c = memory.alloc(4 * 192 * 64);
    let params = [
        map.clone(),
        map,
        Param::U64(c),
        Param::U32(64),
        Param::U32(1),
    ];
    let options = Options::default();
    let fault = launch(
        &module,
        "gemm",
        [1, 3, 1],
        [160, 1, 1],
        32768,
        &params,
        &mut memory,
        &options,
    );
    assert_eq!(fault.unwrap_err().kind, FaultKind::OutOfBounds);
}
