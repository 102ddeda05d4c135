//! A tiled GEMM in shared memory that LLVM made, right and with planted mistakes.

// A failed expectation in a test is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

use mm1_ptx::{Fault, FaultKind, Memory, Module, Options, Param, Stats, launch};

const TEXT: &str = include_str!("fixtures/gemm.ptx");

struct Run {
    stats: Stats,
    seconds: f64,
}

/// Multiplies and compares with the same sums in the same order.
fn run(text: &str, size: usize, options: &Options) -> Result<Run, Fault> {
    let module = Module::parse(text).unwrap();
    let mut memory = Memory::new();
    let value = |i: usize| ((i * 37 + i / 7) % 61) as f32 / 32.0 - 1.0;
    let a: Vec<f32> = (0..size * size).map(value).collect();
    let b: Vec<f32> = (0..size * size).map(|i| value(3 * i + 5)).collect();
    let bytes = |x: &[f32]| x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let (pa, pb) = (memory.alloc_from(&bytes(&a)), memory.alloc_from(&bytes(&b)));
    let pc = memory.alloc(4 * size * size);
    let size32 = size as u32;
    let params = [
        Param::U64(pa),
        Param::U64(pb),
        Param::U64(pc),
        Param::U32(size32),
        Param::U32(size32),
    ];
    let grid = [size32 / 32, size32 / 32, 1];
    let start = std::time::Instant::now();
    let stats = launch(
        &module,
        "gemm",
        grid,
        [256, 1, 1],
        0,
        &params,
        &mut memory,
        options,
    )?;
    let seconds = start.elapsed().as_secs_f64();
    let c = memory.read(pc, 4 * size * size).unwrap();
    for (index, c) in c.chunks(4).enumerate() {
        let (row, column) = (index / size, index % size);
        let sum = (0..size).fold(0.0f32, |sum, k| {
            a[row * size + k].mul_add(b[k * size + column], sum)
        });
        assert_eq!(f32::from_le_bytes(c.try_into().unwrap()), sum);
    }
    Ok(Run { stats, seconds })
}

#[test]
fn the_gemm_is_right_in_every_order() {
    for schedule in 0..8 {
        let options = Options {
            schedule,
            ..Options::default()
        };
        let stats = run(TEXT, 96, &options).unwrap().stats;
        assert_eq!(stats.blocks, 9);
        assert_eq!(stats.executed("bar.sync"), 9 * 8 * 3 * 2);
        assert_eq!(stats.global_written_bytes, 4 * 96 * 96);
    }
}

#[test]
fn millions_of_instructions_take_a_second() {
    for (name, options) in [
        (
            "one thread, all checks",
            Options {
                threads: 1,
                ..Options::default()
            },
        ),
        (
            "one thread, no races",
            Options {
                threads: 1,
                block_races: false,
                shared_races: false,
                ..Options::default()
            },
        ),
        ("all processors, all checks", Options::default()),
    ] {
        let run = run(TEXT, 256, &options).unwrap();
        let rate = run.stats.thread_instructions as f64 / run.seconds / 1e6;
        println!("{name}: {rate:.0} M thread instructions/s");
        // Far below what is measured, so that a busy machine passes.
        assert!(rate > 5.0, "{name}: {rate} M/s");
    }
}

#[test]
fn each_missing_barrier_is_a_race() {
    let barriers: Vec<usize> = TEXT.match_indices("bar.sync").map(|(at, _)| at).collect();
    assert_eq!(barriers.len(), 2);
    for at in barriers {
        let end = at + TEXT[at..].find(';').unwrap() + 1;
        let text = format!("{}{}", &TEXT[..at], &TEXT[end..]);
        let fault = run(&text, 64, &Options::default()).err().unwrap();
        let kinds = [FaultKind::SharedRace, FaultKind::UninitialisedMemory];
        assert!(kinds.contains(&fault.kind), "{fault}");
        assert!(fault.text.contains("shared"), "{fault}");
    }
}

#[test]
fn blocks_that_write_one_place_are_reported() {
    // Every block takes the first tile of rows.
    let text = TEXT.replace("%ctaid.y", "%cluster_ctarank");
    let fault = run(&text, 64, &Options::default()).err().unwrap();
    assert_eq!(fault.kind, FaultKind::BlockRace, "{fault}");
    assert!(fault.text.contains("st.global"), "{fault}");
}

#[test]
fn a_sample_of_blocks_runs_alone() {
    let module = Module::parse(TEXT).unwrap();
    let mut memory = Memory::new();
    let a = memory.alloc_from(&[0; 4 * 64 * 64]);
    let c = memory.alloc(4 * 64 * 64);
    let params = [
        Param::U64(a),
        Param::U64(a),
        Param::U64(c),
        Param::U32(64),
        Param::U32(64),
    ];
    let options = Options {
        blocks: Some(vec![3]),
        ..Options::default()
    };
    let stats = launch(
        &module,
        "gemm",
        [2, 2, 1],
        [256, 1, 1],
        0,
        &params,
        &mut memory,
        &options,
    );
    assert_eq!(stats.unwrap().blocks, 1);
    let written = memory.read_partly(c, 4 * 64 * 64).unwrap();
    assert_eq!(
        written.iter().filter(|byte| byte.is_some()).count(),
        4 * 32 * 32
    );
    assert!(memory.read(c, 4).unwrap_err().contains("never written"));
}
