//! Kernels of rows on a card: every way that a team's threads are shared out, every kind of edge.

use mm1_compiler::codegen::nvgpu::schedule;
use mm1_compiler::graph::{Binary, Unary};
use mm1_compiler::kernel::evaluate::evaluate;
use mm1_compiler::kernel::{Address, AxisSize, Coordinate, Expr, Kernel, Monoid, StageKind};
use mm1_compiler::schedules::Schedules;
use mm1_compiler::target::GPU_TARGETS;
use mm1_package::DType::{Bf16, F32, I32};

use super::build::{Building, address, difference};
use super::run::{Compiled, two_orders};

/// Runs a kernel where its buffers are aligned well and badly, with warps in two orders; returns
/// how it was scheduled where they are aligned well.
fn check(kernel: &Kernel, buffers: &[Vec<u8>], extents: &[u64]) -> String {
    let mut want = buffers.to_vec();
    evaluate(kernel, &mut want, extents).unwrap();
    let mut summaries = Vec::new();
    for alignment in [64, 4] {
        let aligned = vec![alignment; kernel.buffers.len()];
        let scheduled = schedule(kernel, &aligned, &GPU_TARGETS[0], &Schedules::default())
            .unwrap_or_else(|error| panic!("{}: {error}", kernel.name));
        summaries.push(scheduled.summary.clone());
        let compiled = Compiled::of(kernel, scheduled);
        let (given, ways) = ((buffers, extents), two_orders());
        compiled.agrees(kernel, given, &want, &ways, difference);
    }
    summaries.remove(0)
}

/// A schedule that says all of these.
fn says(summary: &str, words: &[&str]) {
    for word in words {
        assert!(summary.contains(word), "`{word}` is not in `{summary}`");
    }
}

#[test]
fn maps_of_any_length_are_right() {
    let most = 4099;
    let mut it = Building::new("map");
    let i = it.kernel.axis(AxisSize::Runtime(0), true);
    let x = it.load(F32, most, &[(i, 1)]);
    let y = it.load(Bf16, most, &[(i, 1)]);
    let silu = it.kernel.expr(Expr::Unary(Unary::Silu, x));
    let sum = it.kernel.expr(Expr::Binary(Binary::Add, silu, y));
    let wide = it.buffer(F32, most, true);
    let narrow = it.buffer(Bf16, most, true);
    let at = || address(&[(i, 1)]);
    it.store(&[i], vec![(wide, at(), sum), (narrow, at(), sum)]);
    for length in [0, 1, 3, 127, 128, 1000, most as u64] {
        let summary = check(&it.kernel, &it.buffers(), &[length]);
        says(&summary, &["1 warps, 4 lanes of 32 threads"]);
    }
}

/// x, mean and reciprocal deviation of rows, as a norm computes them.
fn norm(columns: u64, dtype: mm1_package::DType, rows: usize) -> Building {
    let mut it = Building::new("norm");
    let r = it.kernel.axis(AxisSize::Runtime(0), true);
    let c = it.axis(columns, false);
    let row = [(r, columns as i64), (c, 1)];
    let x = it.load(dtype, rows * columns as usize, &row);
    let weight = it.load(F32, columns as usize, &[(c, 1)]);
    let share = it
        .kernel
        .expr(Expr::Const((1.0 / columns as f32).to_bits()));
    let fold = |it: &mut Building, monoid, value| {
        let stage = it
            .kernel
            .stage(&[r, c], &[c], StageKind::Reduce { monoid, value });
        it.kernel.expr(Expr::Tile { stage, result: 0 })
    };
    let sum = fold(&mut it, Monoid::Sum, x);
    let mean = it.kernel.expr(Expr::Binary(Binary::Mul, sum, share));
    let off = it.kernel.expr(Expr::Binary(Binary::Sub, x, mean));
    let square = it.kernel.expr(Expr::Unary(Unary::Square, off));
    let sum = fold(&mut it, Monoid::Sum, square);
    let most = fold(&mut it, Monoid::Max, x);
    let variance = it.kernel.expr(Expr::Binary(Binary::Mul, sum, share));
    let value = it.kernel.expr(Expr::Binary(Binary::Mul, off, weight));
    let value = it.kernel.expr(Expr::Binary(Binary::Mul, value, variance));
    let y = it.buffer(dtype, rows * columns as usize, true);
    it.store(&[r, c], vec![(y, address(&row), value)]);
    let stats = [mean, most].map(|value| (it.buffer(F32, rows, true), address(&[(r, 1)]), value));
    it.store(&[r], stats.to_vec());
    it
}

#[test]
fn rows_narrow_and_wide_are_right() {
    for (columns, dtype, words) in [
        // One column: neighbours are rows.
        (1, F32, "vector Some(0), 1 warps, 1 lanes"),
        // Few columns: as well, and what a row has once is stored by four lanes.
        (8, F32, "vector Some(0), 1 warps, 4 lanes"),
        (30, Bf16, "vector Some(0), 1 warps, 4 lanes"),
        (80, Bf16, "1 warps, 4 lanes"),
        (257, F32, "1 lanes"),
        (512, F32, "1 warps, 4 lanes"),
        (1024, Bf16, "1 warps, 8 lanes"),
        (2560, F32, "8 warps, 4 lanes"),
        (5000, Bf16, "8 warps, 8 lanes"),
        (33_001, F32, "16 warps"),
    ] {
        let it = norm(columns, dtype, 3);
        for rows in [0, 1, 3] {
            let summary = check(&it.kernel, &it.buffers(), &[rows]);
            says(&summary, &[words]);
        }
    }
}

#[test]
fn one_row_has_the_largest_team() {
    let mut it = Building::new("sum");
    let i = it.kernel.axis(AxisSize::Runtime(0), false);
    let x = it.load(F32, 70_001, &[(i, 1)]);
    let stage = it.kernel.stage(
        &[i],
        &[i],
        StageKind::Reduce {
            monoid: Monoid::Sum,
            value: x,
        },
    );
    let sum = it.kernel.expr(Expr::Tile { stage, result: 0 });
    let y = it.buffer(F32, 1, true);
    it.store(&[], vec![(y, address(&[]), sum)]);
    for length in [0, 1, 31, 4096, 70_001] {
        check(&it.kernel, &it.buffers(), &[length]);
    }
}

/// Sums and the largest of columns, one read by another, added to what is there.
fn columns(count: u64, inner: u64, dtype: mm1_package::DType, most: u64) -> Building {
    let mut it = Building::new("columns");
    let c = it.axis(count, true);
    let f = it.kernel.axis(AxisSize::Runtime(0), false);
    let g = it.axis(inner, false);
    let wide = (inner * count) as i64;
    let terms = [(f, wide), (g, count as i64), (c, 1)];
    let x = it.load(dtype, (most * inner * count) as usize, &terms);
    let scale = it.load(F32, (most * inner) as usize, &[(f, inner as i64), (g, 1)]);
    let product = it.kernel.expr(Expr::Binary(Binary::Mul, x, scale));
    let domain = [f, g, c];
    let mut fold = |monoid, value| {
        let stage = it
            .kernel
            .stage(&domain, &[f, g], StageKind::Reduce { monoid, value });
        it.kernel.expr(Expr::Tile { stage, result: 0 })
    };
    let sum = fold(Monoid::Sum, product);
    let largest = fold(Monoid::Max, x);
    let below = it.kernel.expr(Expr::Binary(Binary::Sub, x, largest));
    let power = it.kernel.expr(Expr::Unary(Unary::Exp, below));
    let stage = it.kernel.stage(
        &domain,
        &[f, g],
        StageKind::Reduce {
            monoid: Monoid::Sum,
            value: power,
        },
    );
    let powers = it.kernel.expr(Expr::Tile { stage, result: 0 });
    let total = it.buffer(F32, count as usize, true);
    let old = it.load_of(total, address(&[(c, 1)]));
    let sum = it.kernel.expr(Expr::Binary(Binary::Add, old, sum));
    let other = it.buffer(F32, count as usize, true);
    let at = || address(&[(c, 1)]);
    it.store(&[c], vec![(total, at(), sum), (other, at(), powers)]);
    it
}

#[test]
fn columns_are_folded_by_groups() {
    for (count, dtype, words) in [
        (5, F32, "8 warps, 1 lanes of 256 threads"),
        (40, F32, "1 lanes of 8 threads, folded by 128"),
        (64, Bf16, "2 lanes of 8 threads, folded by 128"),
        (100, F32, "1 lanes of 8 threads, folded by 128"),
        (8192, F32, "2 lanes of 8 threads, folded by 128"),
        (8200, Bf16, "2 lanes of 8 threads, folded by 128"),
    ] {
        let inner = if count < 1000 { 3 } else { 1 };
        let most = if count < 1000 { 150 } else { 9 };
        let it = columns(count, inner, dtype, most);
        // Without a point the largest is −∞, and nothing is read from it.
        for rows in [1, 7, most] {
            let summary = check(&it.kernel, &it.buffers(), &[rows]);
            says(&summary, &[words]);
        }
    }
}

#[test]
fn short_columns_keep_one_thread() {
    let mut it = Building::new("short");
    let [r, c, f] = [(5, true), (96, true), (9, false)].map(|(size, of)| it.axis(size, of));
    let x = it.load(Bf16, 5 * 9 * 96, &[(r, 9 * 96), (f, 96), (c, 1)]);
    let stage = it.kernel.stage(
        &[r, f, c],
        &[f],
        StageKind::Reduce {
            monoid: Monoid::Sum,
            value: x,
        },
    );
    let sum = it.kernel.expr(Expr::Tile { stage, result: 0 });
    let y = it.buffer(Bf16, 5 * 96, true);
    it.store(&[r, c], vec![(y, address(&[(r, 96), (c, 1)]), sum)]);
    let summary = check(&it.kernel, &it.buffers(), &[]);
    says(&summary, &["1 warps, 8 lanes of 32 threads"]);
}

#[test]
fn scattered_rows_are_added_in_order() {
    for (count, words) in [
        (4, "scattered by 128"),
        (100, "scattered by 128"),
        (4096, "2 lanes of 8 threads, scattered by 128"),
    ] {
        let most = 333;
        let mut it = Building::new("scatter");
        let i = it.kernel.axis(AxisSize::Runtime(0), false);
        let c = it.axis(count, true);
        let row = it.load(I32, most, &[(i, 1)]);
        let value = it.load(F32, most * count as usize, &[(i, count as i64), (c, 1)]);
        let sums = it.buffer(F32, 2 * count as usize, true);
        let address = Address {
            offset: 0,
            terms: vec![
                (Coordinate::Axis(c), 1),
                (Coordinate::Row(row), count as i64),
            ],
        };
        it.kernel.stage(
            &[i, c],
            &[i],
            StageKind::Scatter {
                buffer: sums,
                address,
                value,
            },
        );
        let lengths = match count {
            // Slow in the emulator.
            1000.. => vec![9],
            _ => vec![0, 1, 5, most as u64],
        };
        for rows in lengths {
            let summary = check(&it.kernel, &it.buffers(), &[rows]);
            says(&summary, &[words]);
        }
    }
}

#[test]
fn narrow_rows_share_a_warp() {
    for (inner, words) in [
        (14, "2 lanes of 7 threads, 4 rows at once"),
        (5, "1 lanes of 5 threads, 6 rows at once"),
        (16, "4 lanes of 4 threads, 8 rows at once"),
        (40, "4 lanes of 10 threads, 3 rows at once"),
        (68, "4 lanes of 32 threads"),
    ] {
        let mut it = Building::new("transposed");
        let a = it.kernel.axis(AxisSize::Runtime(0), true);
        let [b, c] = [7, inner].map(|size| it.axis(size, true));
        let (wide, short) = (7 * inner as i64, inner as i64);
        let x = it.load(F32, 3 * wide as usize, &[(a, wide), (b, short), (c, 1)]);
        let y = it.buffer(F32, 3 * wide as usize, true);
        // [b, a, c] for at most three a.
        let at = address(&[(b, 3 * short), (a, short), (c, 1)]);
        it.store(&[a, b, c], vec![(y, at, x)]);
        for rows in [0, 1, 3] {
            let summary = check(&it.kernel, &it.buffers(), &[rows]);
            says(&summary, &[words]);
        }
    }
}

#[test]
fn strided_lanes_are_taken_one_by_one() {
    let mut it = Building::new("strided");
    let [r, c] = [37, 64].map(|size| it.axis(size, true));
    let x = it.load(F32, 37 * 64, &[(r, 64), (c, 1)]);
    let turned = it.load(Bf16, 37 * 64, &[(r, 1), (c, 37)]);
    let index = it.kernel.expr(Expr::Index(c));
    let sum = it.kernel.expr(Expr::Binary(Binary::Add, x, turned));
    let sum = it.kernel.expr(Expr::Binary(Binary::Add, sum, index));
    let y = it.buffer(F32, 37 * 64, true);
    let z = it.buffer(Bf16, 37 * 64, true);
    let stores = vec![
        (y, address(&[(r, 64), (c, 1)]), sum),
        (z, address(&[(r, 1), (c, 37)]), sum),
    ];
    it.store(&[r, c], stores);
    let summary = check(&it.kernel, &it.buffers(), &[]);
    says(&summary, &["lanes"]);
}
