//! What MLIR's NVVM dialect and LLVM make of TMA, mbarriers and wgmma, with its inline assembly.

// A failed expectation in a test is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

use half::bf16;
use mm1_ptx::{Fault, FaultKind, Memory, Module, Options, Param, TensorMap, TensorType, launch};

const TEXT: &str = include_str!("fixtures/nvvm.ptx");

/// Runs the kernel and compares two values of each thread.
fn run(text: &str) -> Result<(), Fault> {
    let module = Module::parse(text).unwrap();
    let mut memory = Memory::new();
    let value = |i: usize| bf16::from_f32(((i * 37 + i / 7) % 61) as f32 / 32.0 - 1.0);
    let a: Vec<bf16> = (0..64 * 64).map(value).collect();
    let b: Vec<bf16> = (0..16 * 64).map(|i| value(3 * i + 5)).collect();
    let mut map = |data: &[bf16], rows: u32| {
        let bytes: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        let base = memory.alloc_from(&bytes);
        let dims = [64, rows.into()];
        let encoded = TensorMap::encode(
            TensorType::Bf16,
            base,
            &dims,
            &[128],
            &[64, rows],
            &[1, 1],
            128,
        );
        Param::Bytes(encoded.unwrap().to_vec())
    };
    let (map_a, map_b) = (map(&a, 64), map(&b, 16));
    let out = memory.alloc(128 * 8);
    let params = [map_a, map_b, Param::U64(out)];
    let (grid, block) = ([1, 1, 1], [128, 1, 1]);
    let options = Options::default();
    let stats = launch(
        &module,
        "k",
        grid,
        block,
        10240,
        &params,
        &mut memory,
        &options,
    )?;
    assert_eq!(stats.executed("wgmma.mma_async"), 4 * 4);
    let data = memory.read(out, 128 * 8).unwrap();
    for (thread, chunk) in data.chunks(8).enumerate() {
        let row = thread / 32 * 16 + thread % 32 / 4;
        let column = 2 * (thread % 4);
        // Accumulators 0 and 5.
        for (part, column) in [(0, column), (4, 9 + column)] {
            let exact: f32 = (0..64)
                .map(|k| a[row * 64 + k].to_f32() * b[column * 64 + k].to_f32())
                .sum();
            let found = f32::from_le_bytes(chunk[part..part + 4].try_into().unwrap());
            assert!(
                (found - exact).abs() < 1e-4,
                "{thread} {column}: {found} {exact}"
            );
        }
    }
    Ok(())
}

#[test]
fn the_kernel_runs() {
    run(TEXT).unwrap();
}

#[test]
fn its_fence_and_its_wait_are_needed() {
    let fence = "fence.mbarrier_init.release.cluster;";
    assert!(TEXT.contains(fence));
    assert_eq!(
        run(&TEXT.replace(fence, "")).unwrap_err().kind,
        FaultKind::Mbarrier
    );
    let wait = "wgmma.wait_group.sync.aligned \t0;";
    assert!(TEXT.contains(wait));
    assert_eq!(
        run(&TEXT.replace(wait, "")).unwrap_err().kind,
        FaultKind::NotWaited
    );
}
