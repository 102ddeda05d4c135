//! A kernel that LLVM made, with most of what its SIMT code uses, against the same sums in Rust.

// A failed expectation in a test is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

use half::bf16;
use mm1_ptx::{FaultKind, Memory, Module, Options, Param, launch};

const TEXT: &str = include_str!("fixtures/mixed.ptx");

struct Run {
    a: Vec<f32>,
    b: Vec<bf16>,
    result: Result<(Vec<f32>, Vec<bf16>), mm1_ptx::Fault>,
}

fn run(n: u64, threads: u32) -> Run {
    let module = Module::parse(TEXT).unwrap();
    let mut memory = Memory::new();
    let a: Vec<f32> = (0..4 * 32).map(|i| i as f32 * 0.25 - 3.0).collect();
    let b: Vec<bf16> = (0..64)
        .map(|i| bf16::from_f32(1.0 + i as f32 / 64.0))
        .collect();
    let bytes: Vec<u8> = a.iter().flat_map(|x| x.to_le_bytes()).collect();
    let pa = memory.alloc_from(&bytes);
    let bytes: Vec<u8> = b.iter().flat_map(|x| x.to_le_bytes()).collect();
    let pb = memory.alloc_from(&bytes);
    let params = [
        Param::U64(pa),
        Param::U64(pb),
        Param::U64(n),
        Param::F32(0.5),
        Param::Bytes(vec![0; 128]),
    ];
    let (grid, block) = ([1, 1, 1], [threads, 1, 1]);
    let options = Options::default();
    let result = launch(
        &module,
        "k1",
        grid,
        block,
        128,
        &params,
        &mut memory,
        &options,
    );
    let result = result.map(|_| {
        let read_a = memory.read(pa, 4 * a.len()).unwrap();
        let read_b = memory.read(pb, 2 * b.len()).unwrap();
        (
            read_a
                .chunks(4)
                .map(|x| f32::from_le_bytes(x.try_into().unwrap()))
                .collect(),
            read_b
                .chunks(2)
                .map(|x| bf16::from_le_bytes(x.try_into().unwrap()))
                .collect(),
        )
    });
    Run { a, b, result }
}

#[test]
fn a_kernel_of_llvm_gives_what_rust_gives() {
    let n = 3;
    let run = run(n, 32);
    let (a, b) = run.result.unwrap();
    let first: Vec<f32> = (0..32)
        .map(|t| {
            run.a[4 * t]
                .mul_add(run.b[t].to_f32(), run.a[4 * t + 1])
                .max(0.5)
        })
        .collect();
    for t in 0..32 {
        let mut expected = first[t];
        if (t as u64) < n {
            let table = [1.0, 2.0, 3.0, 4.0][t];
            let integers = [1.0, -2.0, 3.0, 4.0][t];
            let sum = n as f32 / first[t ^ 16] + table + integers;
            let root = (f64::from(sum).exp2() as f32).sqrt();
            let low = bf16::from_f64(bf16::from_f32(sum).to_f64() * run.b[t].to_f64());
            let high = bf16::from_f32(root);
            for (place, x) in [(2 * t, low), (2 * t + 1, high)] {
                let square = x.to_f64() * x.to_f64() + run.b[place].to_f64();
                assert_eq!(b[place], bf16::from_f64(square), "thread {t}");
            }
            expected = root;
        }
        assert_eq!(a[4 * t], expected, "thread {t}");
    }
}

#[test]
fn reading_past_a_table_names_thread_line_and_instruction() {
    let fault = run(5, 32).result.unwrap_err();
    assert_eq!(fault.kind, FaultKind::OutOfBounds);
    assert_eq!(fault.thread, [4, 0, 0]);
    assert!(fault.text.contains("ld.const.b32"), "{fault}");
    assert!(
        TEXT.lines()
            .nth(fault.line as usize - 1)
            .unwrap()
            .contains("ld.const.b32")
    );
}

#[test]
fn a_shuffle_with_lanes_that_do_not_exist_is_a_fault() {
    let fault = run(0, 16).result.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Divergence);
    assert!(fault.text.contains("shfl.sync"), "{fault}");
}
