//! Rates of lowered contractions through MLIR; run with `--ignored --nocapture`.

use std::time::Instant;

use mm1_package::DType;

use super::contract::Product;
use super::*;
use crate::codegen::mlir;
use crate::target::CpuTarget;

#[test]
#[ignore = "a measurement"]
fn products_per_second() {
    let target = CpuTarget::host().unwrap();
    let machine = Machine {
        bf16_dot: target.bf16_dot,
        ..Machine::with_lanes(target.vector_lanes_f32 as u32)
    };
    for (m, n, k) in [
        (1024, 768, 256),
        (1024, 2048, 768),
        (392, 192, 768),
        (768, 768, 4096),
    ] {
        for transposed in [[false, false], [false, true], [true, false]] {
            for (operands, rounded) in [
                (DType::F32, false),
                (DType::Bf16, true),
                (DType::Bf16, false),
            ] {
                let product = Product {
                    m,
                    n,
                    k,
                    transposed,
                    operands,
                    rounded,
                    runtime: false,
                };
                let kernel = product.kernel();
                let lowered = lower(&kernel, &machine).unwrap();
                let start = Instant::now();
                let blob =
                    mlir::compile_functions(std::slice::from_ref(&lowered.function), &target)
                        .unwrap();
                let compiled = start.elapsed();
                let code = Mapped::new(&blob);
                let mut memory = product.buffers();
                let args: Vec<*mut u8> = memory.iter_mut().map(|x| x.as_mut_ptr()).collect();
                let tiles = tile_count(&kernel, &lowered, &[]);
                let mut best = f64::INFINITY;
                for _ in 0..5 {
                    let start = Instant::now();
                    code.call(
                        &lowered.function.name,
                        &args,
                        &[],
                        0..tiles,
                        lowered.function.scratch_bytes,
                    );
                    best = best.min(start.elapsed().as_secs_f64());
                }
                println!(
                    "{m}x{n}x{k} {transposed:?} {operands:?} rounded {rounded}: {:.0} GFLOP/s, {tiles} tiles {:?}, compiled in {compiled:?}",
                    2.0 * (m * n * k) as f64 / best / 1e9,
                    lowered.tiles
                );
            }
        }
    }
}
