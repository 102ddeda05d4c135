//! Maps, reductions and scatters.

use mm1_package::DType;

use super::*;
use crate::graph::{Binary, Unary};
use crate::kernel::{Monoid, StageKind};

fn fixed(size: usize) -> AxisSize {
    AxisSize::Fixed(size as u64)
}

fn reduce(
    kernel: &mut Kernel,
    domain: &[AxisId],
    over: &[AxisId],
    monoid: Monoid,
    value: ExprId,
) -> ExprId {
    let stage = kernel.stage(domain, over, StageKind::Reduce { monoid, value });
    kernel.expr(Expr::Tile { stage, result: 0 })
}

/// out[r, c] = gelu(x[r, c] + bias[c])·scale[r] + old out, in place.
#[test]
fn pointwise_maps_broadcast_and_have_tails() {
    for columns in (1..68).chain([100, 128, 1000]) {
        let rows = 3;
        let mut k = Kernel::new("bias+gelu");
        let (r, c) = (k.axis(fixed(rows), true), k.axis(fixed(columns), true));
        let [x, bias, scale] = [(); 3].map(|()| k.buffer(DType::F32, false));
        let out = k.buffer(DType::F32, true);
        let n = columns as i64;
        let x = load(&mut k, x, &[(r, n), (c, 1)]);
        let bias = load(&mut k, bias, &[(c, 1)]);
        let scale = load(&mut k, scale, &[(r, 1)]);
        let old = load(&mut k, out, &[(r, n), (c, 1)]);
        let sum = k.expr(Expr::Binary(Binary::Add, x, bias));
        let act = k.expr(Expr::Unary(Unary::Gelu, sum));
        let scaled = k.expr(Expr::Binary(Binary::Mul, act, scale));
        let value = k.expr(Expr::Binary(Binary::Add, scaled, old));
        let stores = vec![store(out, &[(r, n), (c, 1)], value)];
        k.stage(&[r, c], &[], StageKind::Map { stores });
        let count = rows * columns;
        let buffers = vec![
            random(count, 1),
            random(columns, 2),
            random(rows, 3),
            random(count, 4),
        ];
        check(&k, buffers, &[], 1e-6);
    }
}

#[test]
fn a_transposed_store_and_a_transposed_load_are_right() {
    for (a, b) in [(5, 7), (16, 16), (33, 70), (64, 1)] {
        for store_transposed in [false, true] {
            let mut k = Kernel::new("transpose");
            let (i, j) = (k.axis(fixed(a), true), k.axis(fixed(b), true));
            let (x, y) = (k.buffer(DType::F32, false), k.buffer(DType::Bf16, true));
            let (rows, columns) = ([(i, b as i64), (j, 1)], [(i, 1), (j, a as i64)]);
            let (from, to) = if store_transposed {
                (rows, columns)
            } else {
                (columns, rows)
            };
            let value = load(&mut k, x, &from);
            let stores = vec![store(y, &to, value)];
            k.stage(&[i, j], &[], StageKind::Map { stores });
            check(
                &k,
                vec![random(a * b, 5), bf16s(&vec![0.0; a * b])],
                &[],
                0.0,
            );
        }
    }
}

/// Layer norm with statistics, rows counted at run time.
fn layer_norm(columns: usize) -> Kernel {
    let mut k = Kernel::new("layer-norm");
    let (r, c) = (
        k.axis(AxisSize::Runtime(0), true),
        k.axis(fixed(columns), false),
    );
    let [x, weight, bias] =
        [DType::Bf16, DType::F32, DType::F32].map(|dtype| k.buffer(dtype, false));
    let [y, mean, deviation] = [(); 3].map(|()| k.buffer(DType::F32, true));
    let n = columns as i64;
    let x = load(&mut k, x, &[(r, n), (c, 1)]);
    let share = constant(&mut k, 1.0 / columns as f32);
    let sum = reduce(&mut k, &[r, c], &[c], Monoid::Sum, x);
    let mu = k.expr(Expr::Binary(Binary::Mul, sum, share));
    let centred = k.expr(Expr::Binary(Binary::Sub, x, mu));
    let square = k.expr(Expr::Unary(Unary::Square, centred));
    let power = reduce(&mut k, &[r, c], &[c], Monoid::Sum, square);
    let variance = k.expr(Expr::Binary(Binary::Mul, power, share));
    let epsilon = constant(&mut k, 1e-5);
    let shifted = k.expr(Expr::Binary(Binary::Add, variance, epsilon));
    let rstd = k.expr(Expr::Unary(Unary::Rsqrt, shifted));
    let unit = k.expr(Expr::Binary(Binary::Mul, centred, rstd));
    let weight = load(&mut k, weight, &[(c, 1)]);
    let scaled = k.expr(Expr::Binary(Binary::Mul, unit, weight));
    let bias = load(&mut k, bias, &[(c, 1)]);
    let value = k.expr(Expr::Binary(Binary::Add, scaled, bias));
    let stores = vec![store(y, &[(r, n), (c, 1)], value)];
    k.stage(&[r, c], &[], StageKind::Map { stores });
    let stores = vec![
        store(mean, &[(r, 1)], mu),
        store(deviation, &[(r, 1)], rstd),
    ];
    k.stage(&[r], &[], StageKind::Map { stores });
    k
}

#[test]
fn layer_norm_rows_are_right_for_any_width_and_row_count() {
    for columns in [1, 3, 17, 64, 83, 768] {
        for rows in [0usize, 1, 5] {
            let k = layer_norm(columns);
            let buffers = vec![
                bf16s(&numbers(rows * columns, 6)),
                random(columns, 7),
                random(columns, 8),
                zeros(rows * columns),
                zeros(rows),
                zeros(rows),
            ];
            // A single column has no variance, so its deviation is large.
            check(&k, buffers, &[rows as u64], 2e-6);
        }
    }
}

#[test]
fn column_sums_and_maxima_walk_rows_in_order() {
    for (rows, columns) in [(0, 5), (1, 1), (19, 3), (50, 64), (33, 150)] {
        for monoid in [Monoid::Sum, Monoid::Max] {
            let mut k = Kernel::new("columns");
            let (r, c) = (
                k.axis(AxisSize::Runtime(0), false),
                k.axis(fixed(columns), true),
            );
            let (x, y) = (k.buffer(DType::F32, false), k.buffer(DType::F32, true));
            let n = columns as i64;
            let value = load(&mut k, x, &[(r, n), (c, 1)]);
            let tile = reduce(&mut k, &[r, c], &[r], monoid, value);
            let old = load(&mut k, y, &[(c, 1)]);
            let value = k.expr(Expr::Binary(Binary::Add, old, tile));
            let stores = vec![store(y, &[(c, 1)], value)];
            k.stage(&[c], &[], StageKind::Map { stores });
            check(
                &k,
                vec![random(rows * columns, 9), random(columns, 10)],
                &[rows as u64],
                2e-6,
            );
        }
    }
}

#[test]
fn a_sum_over_everything_needs_no_parallel_axis() {
    for (a, b) in [(3, 5), (7, 100), (130, 1)] {
        let mut k = Kernel::new("sum");
        let (i, j) = (k.axis(fixed(a), false), k.axis(fixed(b), false));
        let (x, y) = (k.buffer(DType::F32, false), k.buffer(DType::F32, true));
        let value = load(&mut k, x, &[(i, b as i64), (j, 1)]);
        let tile = reduce(&mut k, &[i, j], &[i, j], Monoid::Sum, value);
        let stores = vec![store(y, &[], tile)];
        k.stage(&[], &[], StageKind::Map { stores });
        check(&k, vec![random(a * b, 11), zeros(1)], &[], 2e-6);
    }
}

#[test]
fn softmax_cross_entropy_rows_find_their_target() {
    for width in [5usize, 64, 131] {
        let rows = 4;
        let mut k = Kernel::new("cross-entropy");
        let (r, v) = (k.axis(fixed(rows), true), k.axis(fixed(width), false));
        let logits = k.buffer(DType::F32, true);
        let targets = k.buffer(DType::I32, false);
        let losses = k.buffer(DType::F32, true);
        let n = width as i64;
        let logit = load(&mut k, logits, &[(r, n), (v, 1)]);
        let target = load(&mut k, targets, &[(r, 1)]);
        let address = Address {
            offset: 0,
            terms: vec![(Coordinate::Axis(r), n), (Coordinate::Row(target), 1)],
        };
        let chosen = load_at(&mut k, logits, address, Vec::new());
        let largest = reduce(&mut k, &[r, v], &[v], Monoid::Max, logit);
        let shifted = k.expr(Expr::Binary(Binary::Sub, logit, largest));
        let power = k.expr(Expr::Unary(Unary::Exp, shifted));
        let sum = reduce(&mut k, &[r, v], &[v], Monoid::Sum, power);
        let log = k.expr(Expr::Unary(Unary::Log, sum));
        let lse = k.expr(Expr::Binary(Binary::Add, largest, log));
        let loss = k.expr(Expr::Binary(Binary::Sub, lse, chosen));
        let stores = vec![store(losses, &[(r, 1)], loss)];
        k.stage(&[r], &[], StageKind::Map { stores });
        let difference = k.expr(Expr::Binary(Binary::Sub, logit, lse));
        let share = k.expr(Expr::Unary(Unary::Exp, difference));
        let (one, zero) = (constant(&mut k, 1.0), constant(&mut k, 0.0));
        let index = k.expr(Expr::Index(v));
        let hit = k.expr(Expr::SelectEqual {
            a: index,
            b: target,
            then: one,
            otherwise: zero,
        });
        let slope = k.expr(Expr::Binary(Binary::Sub, share, hit));
        let stores = vec![store(logits, &[(r, n), (v, 1)], slope)];
        k.stage(&[r, v], &[], StageKind::Map { stores });
        let wide: Vec<f32> = numbers(rows * width, 12).iter().map(|x| 20.0 * x).collect();
        let targets = i32s(&[0, width as i32 - 1, -1, 2]);
        check(&k, vec![f32s(&wide), targets, zeros(rows)], &[], 3e-6);
    }
}

#[test]
fn a_depthwise_window_sees_zeros_outside_the_picture() {
    let (side, channels) = (5usize, 19usize);
    for channels_last in [true, false] {
        let mut k = Kernel::new("depthwise");
        let [h, w] = [(); 2].map(|()| k.axis(fixed(side), true));
        let c = k.axis(fixed(channels), true);
        let [p, q] = [(); 2].map(|()| k.axis(fixed(3), false));
        let (x, weight) = (k.buffer(DType::F32, false), k.buffer(DType::F32, false));
        let y = k.buffer(DType::F32, true);
        // Channels first makes a guarded axis the contiguous one.
        let (sh, sw, sc) = match channels_last {
            true => ((side * channels) as i64, channels as i64, 1),
            false => (side as i64, 1, (side * side) as i64),
        };
        let guard = |along, window| Guard {
            offset: -1,
            terms: vec![(along, 1), (window, 1)],
            bound: side as i64,
        };
        let address = affine(-sh - sw, &[(h, sh), (w, sw), (c, sc), (p, sh), (q, sw)]);
        let x = load_at(&mut k, x, address, vec![guard(h, p), guard(w, q)]);
        let weight = load(
            &mut k,
            weight,
            &[(p, 3 * channels as i64), (q, channels as i64), (c, 1)],
        );
        let product = k.expr(Expr::Binary(Binary::Mul, x, weight));
        let tile = reduce(&mut k, &[h, w, p, q, c], &[p, q], Monoid::Sum, product);
        let stores = vec![store(y, &[(h, sh), (w, sw), (c, sc)], tile)];
        k.stage(&[h, w, c], &[], StageKind::Map { stores });
        let count = side * side * channels;
        check(
            &k,
            vec![random(count, 13), random(9 * channels, 14), zeros(count)],
            &[],
            2e-6,
        );
    }
}

#[test]
fn rows_are_gathered_and_dropped_by_index() {
    for columns in [1usize, 20, 64, 70] {
        let table = 6;
        let picks = [3, -1, 0, 5, 5, -1, 2];
        let n = columns as i64;
        // y[i] = table[picks[i]], zero for −1; then z[picks[i]] = y[i], dropped for −1.
        let mut k = Kernel::new("gather");
        let (i, c) = (
            k.axis(fixed(picks.len()), true),
            k.axis(fixed(columns), true),
        );
        let (x, index) = (k.buffer(DType::F32, false), k.buffer(DType::I32, false));
        let y = k.buffer(DType::F32, true);
        let row = load(&mut k, index, &[(i, 1)]);
        let by_row = Address {
            offset: 0,
            terms: vec![(Coordinate::Row(row), n), (Coordinate::Axis(c), 1)],
        };
        let value = load_at(&mut k, x, by_row.clone(), Vec::new());
        let stores = vec![store(y, &[(i, n), (c, 1)], value)];
        k.stage(&[i, c], &[], StageKind::Map { stores });
        let out = random(picks.len() * columns, 15);
        check(
            &k,
            vec![random(table * columns, 16), i32s(&picks), out],
            &[],
            0.0,
        );

        let mut k = Kernel::new("update");
        let (i, c) = (k.axis(fixed(3), true), k.axis(fixed(columns), true));
        let (x, index) = (k.buffer(DType::F32, false), k.buffer(DType::I32, false));
        let z = k.buffer(DType::F32, true);
        let row = load(&mut k, index, &[(i, 1)]);
        let value = load(&mut k, x, &[(i, n), (c, 1)]);
        let address = Address {
            offset: 0,
            terms: vec![(Coordinate::Row(row), n), (Coordinate::Axis(c), 1)],
        };
        let stores = vec![Store {
            buffer: z,
            address,
            value,
        }];
        k.stage(&[i, c], &[], StageKind::Map { stores });
        let out = random(table * columns, 17);
        check(
            &k,
            vec![random(3 * columns, 18), i32s(&[4, -1, 1]), out],
            &[],
            0.0,
        );
    }
}

#[test]
fn gathers_along_the_vector_axis_go_lane_by_lane() {
    // y[i, j] = x[index[j]]·2 + j; index −1 gives 0.
    let (rows, columns) = (2usize, 37usize);
    let mut k = Kernel::new("pick");
    let (i, j) = (k.axis(fixed(rows), true), k.axis(fixed(columns), true));
    let (x, index) = (k.buffer(DType::Bf16, false), k.buffer(DType::I32, false));
    let y = k.buffer(DType::F32, true);
    let row = load(&mut k, index, &[(j, 1)]);
    let address = Address {
        offset: 1,
        terms: vec![(Coordinate::Row(row), 1), (Coordinate::Axis(i), 40)],
    };
    let value = load_at(&mut k, x, address, Vec::new());
    let two = constant(&mut k, 2.0);
    let value = k.expr(Expr::Binary(Binary::Mul, value, two));
    let position = k.expr(Expr::Index(j));
    let value = k.expr(Expr::Binary(Binary::Add, value, position));
    let stores = vec![store(y, &[(i, columns as i64), (j, 1)], value)];
    k.stage(&[i, j], &[], StageKind::Map { stores });
    let picks: Vec<i32> = (0..columns as i32).map(|j| (j * 7) % 38 - 1).collect();
    let table = bf16s(&numbers(80, 19));
    check(
        &k,
        vec![table, i32s(&picks), zeros(rows * columns)],
        &[],
        0.0,
    );
}

#[test]
fn scattered_rows_add_up_in_order() {
    for columns in [3usize, 64, 90] {
        let mut k = Kernel::new("scatter");
        let (i, c) = (
            k.axis(AxisSize::Runtime(0), false),
            k.axis(fixed(columns), true),
        );
        let (x, index) = (k.buffer(DType::Bf16, false), k.buffer(DType::I32, false));
        let y = k.buffer(DType::F32, true);
        let n = columns as i64;
        let row = load(&mut k, index, &[(i, 1)]);
        let value = load(&mut k, x, &[(i, n), (c, 1)]);
        let address = Address {
            offset: 0,
            terms: vec![(Coordinate::Row(row), n), (Coordinate::Axis(c), 1)],
        };
        k.stage(
            &[i, c],
            &[i],
            StageKind::Scatter {
                buffer: y,
                address,
                value,
            },
        );
        let picks = [2, 0, 2, -1, 1, 2, 0];
        for rows in [0usize, 7] {
            let buffers = vec![
                bf16s(&numbers(7 * columns, 20)),
                i32s(&picks),
                random(3 * columns, 21),
            ];
            check(&k, buffers, &[rows as u64], 1e-6);
        }
    }
}

#[test]
fn an_optimizer_update_reads_before_it_writes() {
    // m ← m/2 + g; w ← w − m_old·g, both in place with the new value of the other.
    let count = 77;
    let mut k = Kernel::new("update");
    let i = k.axis(fixed(count), true);
    let g = k.buffer(DType::F32, false);
    let (m, w) = (k.buffer(DType::F32, true), k.buffer(DType::F32, true));
    let [g, m_old, w_old] = [g, m, w].map(|buffer| load(&mut k, buffer, &[(i, 1)]));
    let half = constant(&mut k, 0.5);
    let part = k.expr(Expr::Binary(Binary::Mul, m_old, half));
    let m_new = k.expr(Expr::Binary(Binary::Add, part, g));
    let step = k.expr(Expr::Binary(Binary::Mul, m_old, g));
    let w_new = k.expr(Expr::Binary(Binary::Sub, w_old, step));
    let stores = vec![store(m, &[(i, 1)], m_new), store(w, &[(i, 1)], w_new)];
    k.stage(&[i], &[], StageKind::Map { stores });
    check(
        &k,
        vec![random(count, 22), random(count, 23), random(count, 24)],
        &[],
        1e-6,
    );
}

#[test]
fn a_tile_with_axes_of_its_own_lives_in_scratch() {
    // t[r, h] = Σ_d x[r, h, d]; y[r, h, d] = x[r, h, d]·t[r, h] + t[r, d mod ...] read along h.
    let (rows, heads, depth) = (3usize, 5usize, 20usize);
    let mut k = Kernel::new("heads");
    let r = k.axis(fixed(rows), true);
    let (h, d) = (k.axis(fixed(heads), false), k.axis(fixed(depth), false));
    let (x, y) = (k.buffer(DType::F32, false), k.buffer(DType::F32, true));
    let terms = [(r, (heads * depth) as i64), (h, depth as i64), (d, 1)];
    let x = load(&mut k, x, &terms);
    let sum = reduce(&mut k, &[r, h, d], &[d], Monoid::Sum, x);
    let across = reduce(&mut k, &[r, h, d], &[h], Monoid::Max, x);
    let product = k.expr(Expr::Binary(Binary::Mul, x, sum));
    let value = k.expr(Expr::Binary(Binary::Add, product, across));
    let stores = vec![store(y, &terms, value)];
    k.stage(&[r, h, d], &[], StageKind::Map { stores });
    let count = rows * heads * depth;
    check(&k, vec![random(count, 25), zeros(count)], &[], 2e-6);
}

#[test]
fn tiles_and_schedule_do_not_depend_on_names_and_malformed_kernels_are_refused() {
    let machine = Machine::with_lanes(16);
    let mut k = layer_norm(64);
    let first = lower(&k, &machine).unwrap();
    k.name = "other".to_owned();
    let second = lower(&k, &machine).unwrap();
    assert_eq!(first.function, second.function);
    assert_eq!(first.tiles, second.tiles);

    k.exprs.push(Expr::Unary(Unary::Exp, ExprId(1000)));
    assert!(lower(&k, &machine).unwrap_err().contains("does not exist"));

    // A store that misses a parallel axis would race.
    let mut k = Kernel::new("race");
    let (i, j) = (k.axis(fixed(4), true), k.axis(fixed(4), true));
    let (x, y) = (k.buffer(DType::F32, false), k.buffer(DType::F32, true));
    let value = load(&mut k, x, &[(i, 1)]);
    let stores = vec![store(y, &[(i, 1)], value)];
    k.stage(&[i], &[], StageKind::Map { stores });
    let stores = vec![store(y, &[(i, 4), (j, 1)], value)];
    k.stage(&[i, j], &[], StageKind::Map { stores });
    assert!(lower(&k, &machine).unwrap_err().contains("parallel axis 1"));
}
