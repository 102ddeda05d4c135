//! Kernels made by hand: every way of an operand, every kind of edge.

use mm1_compiler::codegen::nvgpu::gemm::plan::{SHAPES, Shape};
use mm1_compiler::codegen::nvgpu::gemm::{Facts, schedule};
use mm1_compiler::graph::{Binary, Unary};
use mm1_compiler::kernel::evaluate::evaluate;
use mm1_compiler::kernel::{AxisSize, Coordinate, Expr, Kernel};
use mm1_package::DType;

use super::build::{Building, address, difference};
use super::run::{Compiled, Way, shapes_with_producers};

/// Runs a kernel on several grids and orders of warps; all must give the same bytes and what the
/// kernel means.
fn check(kernel: &Kernel, buffers: &[Vec<u8>], extents: &[u64], shape: Option<Shape>) {
    let facts = Facts {
        shape,
        ..Facts::of(kernel)
    };
    let compiled = Compiled::new(kernel, &facts);
    let mut want = buffers.to_vec();
    evaluate(kernel, &mut want, extents).unwrap();
    let ways = [(None, 0), (Some(1), 7)].map(|(blocks, order)| Way {
        blocks,
        order,
        only: None,
    });
    compiled.agrees(kernel, (buffers, extents), &want, &ways, difference);
}

/// C = A·B with strides (result axis, folded axis) and an f32 result added to what is there.
pub fn product(
    [m, n, k]: [u64; 3],
    (a_type, a): (DType, [i64; 2]),
    (b_type, b): (DType, [i64; 2]),
) -> Building {
    let mut it = Building::new("product");
    let rows = it.axis(m, true);
    let columns = it.axis(n, true);
    let folded = it.axis(k, false);
    let reach = |size: u64, [result, fold]: [i64; 2]| {
        ((size as i64 - 1) * result + (k as i64 - 1) * fold + 1) as usize
    };
    let factor = |it: &mut Building, dtype, axis, size, strides: [i64; 2]| {
        let terms = [(axis, strides[0]), (folded, strides[1])];
        let value = it.load(dtype, reach(size, strides), &terms);
        match dtype {
            DType::Bf16 => value,
            _ => it.kernel.expr(Expr::Round(value)),
        }
    };
    let lhs = factor(&mut it, a_type, rows, m, a);
    let rhs = factor(&mut it, b_type, columns, n, b);
    let (_, tile) = it.contract(&[rows, folded, columns], &[folded], lhs, rhs);
    let result = it.buffer(DType::F32, (m * n) as usize, true);
    let place = address(&[(rows, n as i64), (columns, 1)]);
    let before = it.load_of(result, place.clone());
    let sum = it.kernel.expr(Expr::Binary(Binary::Add, before, tile));
    it.store(&[rows, columns], vec![(result, place, sum)]);
    it
}

fn check_building(it: &Building, shape: Option<Shape>) {
    check(&it.kernel, &it.buffers(), &[], shape);
}

#[test]
fn copied_operands_in_every_order_and_tile() {
    for shape in SHAPES {
        let [m, n, k] = [136, 264, 136];
        for (a, b) in [
            ([136, 1], [136, 1]),
            ([136, 1], [1, 264]),
            ([1, 136], [1, 264]),
            ([1, 136], [136, 1]),
        ] {
            let it = product([m, n, k], (DType::Bf16, a), (DType::Bf16, b));
            check_building(&it, Some(shape));
        }
    }
}

#[test]
fn computed_operands_in_every_order_and_tile() {
    for shape in shapes_with_producers() {
        for (a, b) in [
            ((DType::Bf16, [136, 1]), (DType::F32, [136, 1])),
            ((DType::Bf16, [1, 136]), (DType::F32, [1, 264])),
            ((DType::F32, [136, 1]), (DType::F32, [1, 264])),
            ((DType::F32, [1, 136]), (DType::Bf16, [136, 1])),
        ] {
            check_building(&product([136, 264, 136], a, b), Some(shape));
        }
    }
}

#[test]
fn odd_sizes_and_strides() {
    for (sizes, a, b) in [
        ([65, 37, 7], ([7, 1], DType::Bf16), ([7, 1], DType::F32)),
        ([5, 130, 67], ([67, 1], DType::Bf16), ([1, 130], DType::F32)),
        ([1, 1, 1], ([1, 1], DType::Bf16), ([1, 1], DType::Bf16)),
        (
            [66, 70, 65],
            ([195, 3], DType::F32),
            ([2, 140], DType::Bf16),
        ),
    ] {
        check_building(&product(sizes, (a.1, a.0), (b.1, b.0)), None);
    }
}

#[test]
fn bias_activation_residual_and_two_results() {
    let [m, n, k] = [150u64, 72u64, 64u64];
    let mut it = Building::new("epilogue");
    let (rows, columns, folded) = (it.axis(m, true), it.axis(n, true), it.axis(k, false));
    let lhs = it.load(
        DType::Bf16,
        (m * k) as usize,
        &[(rows, k as i64), (folded, 1)],
    );
    let rhs = it.load(
        DType::F32,
        (n * k) as usize,
        &[(columns, k as i64), (folded, 1)],
    );
    let rhs = it.kernel.expr(Expr::Round(rhs));
    let (_, tile) = it.contract(&[rows, folded, columns], &[folded], lhs, rhs);
    let bias = it.load(DType::F32, n as usize, &[(columns, 1)]);
    let sum = it.kernel.expr(Expr::Binary(Binary::Add, tile, bias));
    let sum = it.kernel.expr(Expr::Round(sum));
    let gelu = it.kernel.expr(Expr::Unary(Unary::Gelu, sum));
    let gelu = it.kernel.expr(Expr::Round(gelu));
    let slope = it.kernel.expr(Expr::Unary(Unary::GeluGrad, sum));
    let slope = it.kernel.expr(Expr::Round(slope));
    let place = [(rows, n as i64), (columns, 1)];
    let residual = it.load(DType::Bf16, (m * n) as usize, &place);
    let total = it.kernel.expr(Expr::Binary(Binary::Add, residual, gelu));
    let first = it.buffer(DType::Bf16, (m * n) as usize, true);
    let second = it.buffer(DType::Bf16, (2 * m * n) as usize, true);
    // The second result stands in the right half of wider rows.
    let mut beside = address(&[(rows, 2 * n as i64), (columns, 1)]);
    beside.offset = n as i64;
    it.store(
        &[rows, columns],
        vec![(first, address(&place), total), (second, beside, slope)],
    );
    check_building(&it, Some(SHAPES[1]));
    check_building(&it, None);
}

#[test]
fn a_gated_pair_keeps_both_results_in_registers() {
    let [m, n, k] = [140u64, 136u64, 96u64];
    let mut it = Building::new("gated");
    let (rows, columns, folded) = (it.axis(m, true), it.axis(n, true), it.axis(k, false));
    let x = it.load(
        DType::Bf16,
        (m * k) as usize,
        &[(rows, k as i64), (folded, 1)],
    );
    let domain = [rows, folded, columns];
    let gate = it.load(
        DType::Bf16,
        (n * k) as usize,
        &[(columns, k as i64), (folded, 1)],
    );
    let up = it.load(
        DType::F32,
        (n * k) as usize,
        &[(columns, k as i64), (folded, 1)],
    );
    let up = it.kernel.expr(Expr::Round(up));
    let (_, gate) = it.contract(&domain, &[folded], x, gate);
    let (_, up) = it.contract(&domain, &[folded], x, up);
    let gate = it.kernel.expr(Expr::Unary(Unary::Silu, gate));
    let value = it.kernel.expr(Expr::Binary(Binary::Mul, gate, up));
    let result = it.buffer(DType::Bf16, (m * n) as usize, true);
    let place = address(&[(rows, n as i64), (columns, 1)]);
    it.store(&[rows, columns], vec![(result, place, value)]);
    check_building(&it, Some(SHAPES[1]));
    check_building(&it, Some(SHAPES[4]));
}

#[test]
fn batches_and_two_folded_axes() {
    let [batch, m, n, outer, k] = [3u64, 72u64, 40u64, 5u64, 24u64];
    let mut it = Building::new("batched");
    let axes = [batch, m, n].map(|size| it.axis(size, true));
    let [b, rows, columns] = axes;
    let (around, folded) = (it.axis(outer, false), it.axis(k, false));
    let (mi, ni, oi, ki) = (m as i64, n as i64, outer as i64, k as i64);
    let lhs = it.load(
        DType::Bf16,
        (batch * outer * m * k) as usize,
        &[
            (b, oi * mi * ki),
            (around, mi * ki),
            (rows, ki),
            (folded, 1),
        ],
    );
    // One factor for all batches.
    let rhs = it.load(
        DType::F32,
        (outer * n * k) as usize,
        &[(around, ni * ki), (columns, 1), (folded, ni)],
    );
    let rhs = it.kernel.expr(Expr::Round(rhs));
    let domain = [b, rows, around, folded, columns];
    let (_, tile) = it.contract(&domain, &[around, folded], lhs, rhs);
    let result = it.buffer(DType::F32, (batch * m * n) as usize, true);
    let place = address(&[(b, mi * ni), (rows, 1), (columns, mi)]);
    it.store(&axes, vec![(result, place, tile)]);
    check_building(&it, None);
}

#[test]
fn gathered_rows_and_rows_that_do_not_exist() {
    let [m, n, k] = [90u64, 64u64, 128u64];
    let mut it = Building::new("gathered");
    let (rows, columns, folded) = (it.axis(m, true), it.axis(n, true), it.axis(k, false));
    // Rows are −1, 0 and 1 in turn.
    let row = it.load(DType::I32, m as usize, &[(rows, 1)]);
    let table = it.buffer(DType::Bf16, (2 * k) as usize, false);
    let mut place = address(&[(folded, 1)]);
    place.terms.push((Coordinate::Row(row), k as i64));
    let lhs = it.load_of(table, place);
    let lhs = it.kernel.expr(Expr::Unary(Unary::Relu, lhs));
    let rhs = it.load(
        DType::Bf16,
        (n * k) as usize,
        &[(columns, k as i64), (folded, 1)],
    );
    let (_, tile) = it.contract(&[rows, folded, columns], &[folded], lhs, rhs);
    let result = it.buffer(DType::F32, (m * n) as usize, true);
    let place = address(&[(rows, n as i64), (columns, 1)]);
    it.store(&[rows, columns], vec![(result, place, tile)]);
    check_building(&it, None);
}

#[test]
fn run_time_rows_and_folded_lengths() {
    for extent in [0u64, 1, 64, 77, 150] {
        let bound = 160usize;
        // Rows of run-time length.
        let (n, k) = (72u64, 88u64);
        let mut it = Building::new("rows");
        let rows = it.kernel.axis(AxisSize::Runtime(0), true);
        let (columns, folded) = (it.axis(n, true), it.axis(k, false));
        let lhs = it.load(
            DType::Bf16,
            bound * k as usize,
            &[(rows, k as i64), (folded, 1)],
        );
        let rhs = it.load(
            DType::F32,
            (n * k) as usize,
            &[(columns, 1), (folded, n as i64)],
        );
        let rhs = it.kernel.expr(Expr::Round(rhs));
        let (_, tile) = it.contract(&[rows, folded, columns], &[folded], lhs, rhs);
        let result = it.buffer(DType::Bf16, bound * n as usize, true);
        let place = address(&[(rows, n as i64), (columns, 1)]);
        it.store(&[rows, columns], vec![(result, place, tile)]);
        check(&it.kernel, &it.buffers(), &[extent], None);
        // A weight gradient over a run-time number of rows.
        let mut it = Building::new("folded");
        let (rows, columns) = (it.axis(k, true), it.axis(n, true));
        let folded = it.kernel.axis(AxisSize::Runtime(0), false);
        let lhs = it.load(
            DType::Bf16,
            bound * k as usize,
            &[(rows, 1), (folded, k as i64)],
        );
        let rhs = it.load(
            DType::Bf16,
            bound * n as usize,
            &[(columns, 1), (folded, n as i64)],
        );
        let (_, tile) = it.contract(&[rows, folded, columns], &[folded], lhs, rhs);
        let result = it.buffer(DType::F32, (k * n) as usize, true);
        let place = address(&[(rows, n as i64), (columns, 1)]);
        let before = it.load_of(result, place.clone());
        let sum = it.kernel.expr(Expr::Binary(Binary::Add, before, tile));
        it.store(&[rows, columns], vec![(result, place, sum)]);
        check(&it.kernel, &it.buffers(), &[extent], Some(SHAPES[1]));
    }
}

#[test]
fn a_planted_mistake_is_noticed() {
    let it = product(
        [72, 264, 136],
        (DType::Bf16, [136, 1]),
        (DType::Bf16, [136, 1]),
    );
    // Six steps of one block through a ring of four.
    let way = Way {
        blocks: Some(1),
        ..Way::default()
    };
    let (kernel, buffers) = (&it.kernel, it.buffers());
    let facts = Facts {
        shape: Some(SHAPES[0]),
        ..Facts::of(kernel)
    };
    let mut want = buffers.clone();
    evaluate(kernel, &mut want, &[]).unwrap();
    for (right, wrong) in [
        // The columns as if they were contiguous along the result axis.
        ("1, 1, 0, 0;", "1, 1, 0, 1;"),
        // A slot that is released before its products are done.
        ("wgmma.wait_group.sync.aligned 1;", ""),
        // The third product of a step on the operands of the second.
        ("add.s64 a, a, 2; add.s64 b, b, 2; ", ""),
        // A barrier that waits for half of the bytes.
        ("b64 _, [$0], 49152;", "b64 _, [$0], 24576;"),
    ] {
        let mut schedule = schedule(kernel, &facts).unwrap();
        assert!(schedule.text.contains(right), "{right}");
        schedule.text = schedule.text.replacen(right, wrong, 1);
        let compiled = Compiled::of(kernel, schedule);
        let noticed = match compiled.run(&buffers, &[], &way) {
            Err(_) => true,
            Ok((got, _)) => difference(DType::F32, &got[2], &want[2]).0 > 1.0,
        };
        assert!(noticed, "`{right}` as `{wrong}`");
    }
}
