//! Contractions with epilogues.

use mm1_package::DType;

use super::*;
use crate::graph::{Binary, Unary};
use crate::kernel::StageKind;

/// A matrix product and what is around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    /// Stored with their two axes exchanged.
    pub(super) transposed: [bool; 2],
    pub(super) operands: DType,
    /// Operands in memory as f32, rounded where they are read.
    pub(super) rounded: bool,
    /// Rows and folded length are run-time sizes.
    pub(super) runtime: bool,
}

impl Product {
    pub(super) fn kernel(self) -> Kernel {
        let mut k = Kernel::new(format!("{self:?}"));
        let size = |slot, size: usize| match self.runtime {
            true => AxisSize::Runtime(slot),
            false => AxisSize::Fixed(size as u64),
        };
        let m = k.axis(size(0, self.m), true);
        let n = k.axis(AxisSize::Fixed(self.n as u64), true);
        let inner = k.axis(size(1, self.k), false);
        let memory = match (self.operands, self.rounded) {
            (DType::Bf16, false) => DType::Bf16,
            _ => DType::F32,
        };
        let (a, b) = (k.buffer(memory, false), k.buffer(memory, false));
        let bias = k.buffer(DType::F32, false);
        let (y, residual) = (k.buffer(DType::F32, true), k.buffer(DType::Bf16, true));
        let dense =
            |rows: (AxisId, usize), columns: (AxisId, usize), transposed: bool| match transposed {
                false => [(rows.0, columns.1 as i64), (columns.0, 1)],
                true => [(rows.0, 1), (columns.0, rows.1 as i64)],
            };
        let terms = dense((m, self.m), (inner, self.k), self.transposed[0]);
        let mut lhs = load(&mut k, a, &terms);
        let terms = dense((inner, self.k), (n, self.n), self.transposed[1]);
        let mut rhs = load(&mut k, b, &terms);
        if self.rounded {
            lhs = k.expr(Expr::Round(lhs));
            rhs = k.expr(Expr::Round(rhs));
        }
        let tile = contract(
            &mut k,
            (&[m, inner, n], &[inner]),
            [lhs, rhs],
            self.operands,
            None,
        );
        let bias = load(&mut k, bias, &[(n, 1)]);
        let sum = k.expr(Expr::Binary(Binary::Add, tile, bias));
        let act = k.expr(Expr::Unary(Unary::Gelu, sum));
        let at = [(m, self.n as i64), (n, 1)];
        let old = load(&mut k, y, &at);
        let value = k.expr(Expr::Binary(Binary::Add, act, old));
        let stores = vec![store(y, &at, value), store(residual, &at, tile)];
        k.stage(&[m, n], &[], StageKind::Map { stores });
        k
    }

    pub(super) fn buffers(self) -> Vec<Vec<u8>> {
        let scale = 1.0 / (self.k as f32).sqrt().max(1.0);
        let a: Vec<f32> = numbers(self.m * self.k, 31)
            .iter()
            .map(|x| x * scale)
            .collect();
        let b = numbers(self.k * self.n, 32);
        let pack = |values: &[f32]| match (self.operands, self.rounded) {
            (DType::Bf16, false) => bf16s(values),
            _ => f32s(values),
        };
        let count = self.m * self.n;
        vec![
            pack(&a),
            pack(&b),
            random(self.n, 33),
            random(count, 34),
            bf16s(&vec![0.0; count]),
        ]
    }

    fn check(self) {
        let extents: &[u64] = match self.runtime {
            true => &[self.m as u64, self.k as u64],
            false => &[],
        };
        check(&self.kernel(), self.buffers(), extents, 4e-6);
    }
}

fn every(m: usize, n: usize, k: usize, runtime: bool) {
    for transposed in [[false, false], [false, true], [true, false], [true, true]] {
        for (operands, rounded) in [
            (DType::F32, false),
            (DType::Bf16, false),
            (DType::Bf16, true),
        ] {
            Product {
                m,
                n,
                k,
                transposed,
                operands,
                rounded,
                runtime,
            }
            .check();
        }
    }
}

#[test]
fn products_of_odd_sizes_with_epilogue_are_right_in_every_order() {
    for (m, n, k) in [
        (13, 35, 27),
        (1, 40, 9),
        (30, 3, 31),
        (5, 1, 1),
        (12, 32, 64),
    ] {
        every(m, n, k, false);
    }
}

#[test]
fn sizes_given_at_run_time_may_be_zero() {
    for (m, k) in [(0, 5), (7, 0), (1, 1), (29, 33)] {
        every(m, 34, k, true);
    }
}

#[test]
fn several_blocks_and_tiles_add_up() {
    // More than one block of k, of rows and of columns.
    every(50, 66, 520, false);
    every(50, 66, 517, true);
}

#[test]
fn batches_are_separate_products() {
    let (batch, m, n, d) = (3usize, 9usize, 21usize, 18usize);
    let mut k = Kernel::new("batched");
    let [b, i, j] = [batch, m, n].map(|size| k.axis(AxisSize::Fixed(size as u64), true));
    let inner = k.axis(AxisSize::Fixed(d as u64), false);
    let (x, w) = (k.buffer(DType::F32, false), k.buffer(DType::F32, false));
    let y = k.buffer(DType::F32, true);
    let lhs = load(&mut k, x, &[(b, (m * d) as i64), (i, d as i64), (inner, 1)]);
    let rhs = load(&mut k, w, &[(b, (n * d) as i64), (j, d as i64), (inner, 1)]);
    let tile = contract(
        &mut k,
        (&[b, i, inner, j], &[inner]),
        [lhs, rhs],
        DType::F32,
        None,
    );
    // Stored with the batch between rows and columns.
    let at = [(i, (batch * n) as i64), (b, n as i64), (j, 1)];
    let stores = vec![store(y, &at, tile)];
    k.stage(&[b, i, j], &[], StageKind::Map { stores });
    let buffers = vec![
        random(batch * m * d, 35),
        random(batch * n * d, 36),
        zeros(batch * m * n),
    ];
    check(&k, buffers, &[], 4e-6);
}

#[test]
fn two_products_may_share_one_epilogue() {
    // silu(x·g)·(x·u), all rows read through an index.
    let (rows, n, d) = (11usize, 40usize, 24usize);
    let mut k = Kernel::new("gate+up");
    let [i, j] = [rows, n].map(|size| k.axis(AxisSize::Fixed(size as u64), true));
    let inner = k.axis(AxisSize::Fixed(d as u64), false);
    let x = k.buffer(DType::F32, false);
    let [gate, up] = [(); 2].map(|()| k.buffer(DType::F32, false));
    let index = k.buffer(DType::I32, false);
    let y = k.buffer(DType::F32, true);
    let row = load(&mut k, index, &[(i, 1)]);
    let address = Address {
        offset: 0,
        terms: vec![
            (Coordinate::Row(row), d as i64),
            (Coordinate::Axis(inner), 1),
        ],
    };
    let lhs = load_at(&mut k, x, address, Vec::new());
    let tiles = [gate, up].map(|weight| {
        let rhs = load(&mut k, weight, &[(j, d as i64), (inner, 1)]);
        k.stage(
            &[i, inner, j],
            &[inner],
            StageKind::Contract {
                lhs,
                rhs,
                operands: DType::F32,
                window: None,
            },
        )
    });
    let [gate, up] = tiles.map(|stage| k.expr(Expr::Tile { stage, result: 0 }));
    let act = k.expr(Expr::Unary(Unary::Silu, gate));
    let value = k.expr(Expr::Binary(Binary::Mul, act, up));
    let stores = vec![store(y, &[(i, n as i64), (j, 1)], value)];
    k.stage(&[i, j], &[], StageKind::Map { stores });
    let picks: Vec<i32> = (0..rows as i32).map(|i| (i * 5) % 8 - 1).collect();
    let buffers = vec![
        random(7 * d, 37),
        random(n * d, 38),
        random(n * d, 39),
        i32s(&picks),
        zeros(rows * n),
    ];
    check(&k, buffers, &[], 4e-6);
}

#[test]
fn a_convolution_folds_window_and_channels() {
    // Patches of 3 × 3 × c with zero padding; two image axes, three folded axes.
    let (side, channels, out) = (4usize, 6usize, 17usize);
    let mut k = Kernel::new("conv");
    let [h, w] = [(); 2].map(|()| k.axis(AxisSize::Fixed(side as u64), true));
    let o = k.axis(AxisSize::Fixed(out as u64), true);
    let [p, q] = [(); 2].map(|()| k.axis(AxisSize::Fixed(3), false));
    let c = k.axis(AxisSize::Fixed(channels as u64), false);
    let (x, weight) = (k.buffer(DType::F32, false), k.buffer(DType::F32, false));
    let y = k.buffer(DType::F32, true);
    let (sh, sw) = ((side * channels) as i64, channels as i64);
    let guard = |along, window| Guard {
        offset: -1,
        terms: vec![(along, 1), (window, 1)],
        bound: side as i64,
    };
    let address = affine(-sh - sw, &[(h, sh), (w, sw), (p, sh), (q, sw), (c, 1)]);
    let lhs = load_at(&mut k, x, address, vec![guard(h, p), guard(w, q)]);
    let per = channels as i64;
    let rhs = load(
        &mut k,
        weight,
        &[(o, 9 * per), (p, 3 * per), (q, per), (c, 1)],
    );
    let tile = contract(
        &mut k,
        (&[h, w, p, q, c, o], &[p, q, c]),
        [lhs, rhs],
        DType::F32,
        None,
    );
    let at = [(h, (side * out) as i64), (w, out as i64), (o, 1)];
    let stores = vec![store(y, &at, tile)];
    k.stage(&[h, w, o], &[], StageKind::Map { stores });
    let count = side * side;
    let buffers = vec![
        random(count * channels, 40),
        random(9 * channels * out, 41),
        zeros(count * out),
    ];
    check(&k, buffers, &[], 4e-6);
}

#[test]
fn vectors_and_scalars_contract_too() {
    // y[j] = Σ x[i]·w[i, j], and s = Σ x[i]·x[i].
    let (n, d) = (19usize, 45usize);
    let mut k = Kernel::new("vector");
    let j = k.axis(AxisSize::Fixed(n as u64), true);
    let inner = k.axis(AxisSize::Fixed(d as u64), false);
    let (x, w) = (k.buffer(DType::F32, false), k.buffer(DType::F32, false));
    let y = k.buffer(DType::F32, true);
    let lhs = load(&mut k, x, &[(inner, 1)]);
    let rhs = load(&mut k, w, &[(inner, n as i64), (j, 1)]);
    let tile = contract(
        &mut k,
        (&[inner, j], &[inner]),
        [lhs, rhs],
        DType::F32,
        None,
    );
    let stores = vec![store(y, &[(j, 1)], tile)];
    k.stage(&[j], &[], StageKind::Map { stores });
    check(
        &k,
        vec![random(d, 42), random(d * n, 43), zeros(n)],
        &[],
        4e-6,
    );

    let mut k = Kernel::new("scalar");
    let inner = k.axis(AxisSize::Fixed(d as u64), false);
    let (x, y) = (k.buffer(DType::F32, false), k.buffer(DType::F32, true));
    let lhs = load(&mut k, x, &[(inner, 1)]);
    let stage = k.stage(
        &[inner],
        &[inner],
        StageKind::Contract {
            lhs,
            rhs: lhs,
            operands: DType::F32,
            window: None,
        },
    );
    let tile = k.expr(Expr::Tile { stage, result: 0 });
    let stores = vec![store(y, &[], tile)];
    k.stage(&[], &[], StageKind::Map { stores });
    check(&k, vec![random(d, 44), zeros(1)], &[], 4e-6);
}

#[test]
fn results_do_not_depend_on_lanes_or_tiles() {
    // The order along k is one: four and sixteen lanes, blocked and not, give the same bits.
    for operands in [DType::F32, DType::Bf16] {
        let product = Product {
            m: 50,
            n: 70,
            k: 700,
            transposed: [false, true],
            operands,
            rounded: false,
            runtime: false,
        };
        let plain = |lanes| {
            let mut kernel = product.kernel();
            // Keep the sums themselves: no activation of other rounding.
            let tile = ExprId(2);
            assert!(matches!(kernel.expr_of(tile), Expr::Tile { .. }));
            let StageKind::Map { stores } = &mut kernel.stages[1].kind else {
                panic!("the second stage is the map");
            };
            stores[0].value = tile;
            execute(
                &kernel,
                &Machine::with_lanes(lanes),
                &product.buffers(),
                &[],
            )[3]
            .clone()
        };
        let first = plain(4);
        assert_eq!(first, plain(8));
        assert_eq!(first, plain(16));
        // One column at a time is another grid.
        let narrow = Product { n: 1, ..product };
        let mut kernel = narrow.kernel();
        let StageKind::Map { stores } = &mut kernel.stages[1].kind else {
            panic!("the second stage is the map");
        };
        stores[0].value = ExprId(2);
        let mut buffers = product.buffers();
        let length = buffers[1].len() / 70;
        buffers[1].truncate(length);
        buffers[2].truncate(4);
        for number in [3, 4] {
            let length = buffers[number].len() / 70;
            buffers[number].truncate(length);
        }
        let got = execute(&kernel, &Machine::with_lanes(16), &buffers, &[])[3].clone();
        let want: Vec<u8> = first
            .chunks(4 * 70)
            .flat_map(|row| &row[..4])
            .copied()
            .collect();
        assert_eq!(got, want, "{operands:?}");
    }
}
