//! The kernel that measures a card's matrix units multiplies what it says.

use mm1_ptx::{Memory, Module, Options, Param, launch};
use mm1_runtime::device::matrix;

/// Byte of element k of a line in swizzled shared memory.
fn place(begin: u32, line: u32, k: u32) -> u32 {
    begin + line * 128 + ((k * 2) ^ (line % 8 * 16))
}

#[test]
fn the_matrix_rates_kernel_multiplies_and_counts_right() {
    let module = Module::parse(&matrix::ptx()).unwrap();
    let mut memory = Memory::new();
    let sums = memory.alloc(4 * matrix::THREADS as usize);
    let (blocks, rounds) = (2, 3);
    let params = [Param::U64(sums), Param::U64(rounds)];
    let (grid, block) = ([blocks, 1, 1], [matrix::THREADS, 1, 1]);
    let stats = launch(
        &module,
        matrix::NAME,
        grid,
        block,
        0,
        &params,
        &mut memory,
        &Options::default(),
    )
    .unwrap();
    // Each instruction of a warpgroup's four warps is 64 x 256 x 16 multiply-adds.
    let instructions = stats.executed("wgmma.mma_async") / 4;
    let flops = (instructions * 2 * 64 * 256 * 16) as f64;
    assert_eq!(flops, matrix::flops(u64::from(blocks), rounds));
    let bytes = memory.read(sums, 4 * matrix::THREADS as usize).unwrap();
    for thread in 0..matrix::THREADS {
        let (group, warp, lane) = (thread / 128, thread / 32 % 4, thread % 32);
        let (row, column) = (warp * 16 + lane / 4, lane % 4 * 2);
        let rows = group * 64 * 128;
        let of_tile: f64 = (0..64)
            .map(|k| {
                let a = matrix::element(place(rows, row, k));
                let b = matrix::element(place(2 * 64 * 128, column, k));
                f64::from(a) * f64::from(b)
            })
            .sum();
        let want = of_tile * rounds as f64 * f64::from(matrix::REPEATS);
        let at = 4 * thread as usize;
        let got = f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert!(
            (f64::from(got) - want).abs() < 1e-3,
            "{thread}: {got}, {want}"
        );
    }
}
