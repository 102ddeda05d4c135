//! Products of rows that are sorted by group.

use mm1_package::DType;

use super::*;
use crate::graph::Binary;
use crate::kernel::{StageKind, Window};

/// y[r, n] = x[r, k]·w[g, k, n] + b[n] for the group of the row, or its weight's gradient
/// dw[g, k, n] = Σ over the rows of g of x[r, k]·dy[r, n], and b[n].
#[derive(Clone, Copy, Debug)]
struct Grouped {
    folds: bool,
    n: usize,
    k: usize,
    operands: DType,
    /// The number of rows is a run-time size.
    runtime: bool,
    /// Results are contiguous along rows.
    turned: bool,
}

impl Grouped {
    fn check(self, sizes: &[usize]) {
        let groups = sizes.len();
        // Three rows before and after belong to no group.
        let mut next = 3;
        let (mut begins, mut ends) = (Vec::new(), Vec::new());
        for size in sizes {
            begins.push(next as i32);
            next += size;
            ends.push(next as i32);
        }
        let count = next + 3;
        let mut k = Kernel::new(format!("{self:?}"));
        let g = k.axis(AxisSize::Fixed(groups as u64), self.folds);
        let size = match self.runtime {
            true => AxisSize::Runtime(0),
            false => AxisSize::Fixed(count as u64),
        };
        let row = k.axis(size, !self.folds);
        let column = k.axis(AxisSize::Fixed(self.n as u64), true);
        let inner = k.axis(AxisSize::Fixed(self.k as u64), self.folds);
        let ranges = [k.buffer(DType::I32, false), k.buffer(DType::I32, false)];
        let [begin, end] = ranges.map(|buffer| load(&mut k, buffer, &[(g, 1)]));
        let window = Some(Window {
            query: g,
            key: row,
            causal: false,
            begin: Some(begin),
            end: Some(end),
        });
        let (n, width) = (self.n as i64, self.k as i64);
        let (x, second) = (
            k.buffer(self.operands, false),
            k.buffer(self.operands, false),
        );
        let lhs = load(&mut k, x, &[(row, width), (inner, 1)]);
        let pack = |values: &[f32]| match self.operands {
            DType::Bf16 => bf16s(values),
            _ => f32s(values),
        };
        let mut buffers = vec![
            i32s(&begins),
            i32s(&ends),
            pack(&numbers(count * self.k, 51)),
        ];
        let (rhs, domain, folded): (_, _, &[AxisId]) = match self.folds {
            true => {
                buffers.push(pack(&numbers(count * self.n, 52)));
                let rhs = load(&mut k, second, &[(row, n), (column, 1)]);
                (rhs, [g, inner, row, column], &[row])
            }
            false => {
                buffers.push(pack(&numbers(groups * self.k * self.n, 52)));
                let rhs = load(&mut k, second, &[(g, width * n), (inner, n), (column, 1)]);
                (rhs, [g, row, inner, column], &[g, inner])
            }
        };
        let tile = contract(&mut k, (&domain, folded), [lhs, rhs], self.operands, window);
        let bias = k.buffer(DType::F32, false);
        let bias = load(&mut k, bias, &[(column, 1)]);
        let sum = k.expr(Expr::Binary(Binary::Add, bias, tile));
        let y = k.buffer(DType::F32, true);
        let at = match (self.folds, self.turned) {
            (true, _) => vec![(g, width * n), (inner, n), (column, 1)],
            (false, false) => vec![(row, n), (column, 1)],
            (false, true) => vec![(row, 1), (column, count as i64)],
        };
        let results: Vec<AxisId> = domain
            .into_iter()
            .filter(|axis| !folded.contains(axis))
            .collect();
        let stores = vec![store(y, &at, sum)];
        k.stage(&results, &[], StageKind::Map { stores });
        buffers.push(random(self.n, 53));
        let elements = match self.folds {
            true => groups * self.k * self.n,
            false => count * self.n,
        };
        buffers.push(random(elements, 54));
        let extents: &[u64] = match self.runtime {
            true => &[count as u64],
            false => &[],
        };
        check(&k, buffers, extents, 4e-5);
    }
}

#[test]
fn each_group_has_its_own_factor() {
    for sizes in [
        &[0, 7, 1, 0, 0, 260, 12, 3, 0][..],
        &[5],
        &[0, 0],
        &[13, 1, 2],
        // Groups begin where tiles do, a little later and too late for a tile to end there.
        &[61, 0, 64, 30, 33, 130, 1, 1, 1, 64],
    ] {
        for (operands, k) in [(DType::F32, 27), (DType::F32, 40), (DType::Bf16, 27)] {
            for (runtime, turned, n) in [
                (false, false, 35),
                (true, false, 34),
                (false, true, 40),
                // Rows are the vector axis where columns are few.
                (false, true, 2),
                (true, false, 3),
            ] {
                Grouped {
                    folds: false,
                    n,
                    k,
                    operands,
                    runtime,
                    turned,
                }
                .check(sizes);
            }
        }
    }
}

#[test]
fn each_group_has_its_own_gradient() {
    for sizes in [&[0, 7, 1, 0, 0, 530, 12, 3, 0][..], &[0, 0], &[13, 2]] {
        for operands in [DType::F32, DType::Bf16] {
            for (runtime, n) in [(false, 35), (true, 34), (false, 2)] {
                Grouped {
                    folds: true,
                    n,
                    k: 27,
                    operands,
                    runtime,
                    turned: false,
                }
                .check(sizes);
            }
        }
    }
}

#[test]
fn windows_that_are_no_ranges_of_rows_are_refused() {
    let mut k = Kernel::new("causal");
    let [i, j] = [(); 2].map(|()| k.axis(AxisSize::Fixed(4), true));
    let inner = k.axis(AxisSize::Fixed(4), false);
    let [a, b] = [(); 2].map(|()| k.buffer(DType::F32, false));
    let y = k.buffer(DType::F32, true);
    let lhs = load(&mut k, a, &[(i, 4), (inner, 1)]);
    let rhs = load(&mut k, b, &[(j, 4), (inner, 1)]);
    let window = Some(Window {
        query: i,
        key: j,
        causal: true,
        begin: None,
        end: None,
    });
    let tile = contract(
        &mut k,
        (&[i, inner, j], &[inner]),
        [lhs, rhs],
        DType::F32,
        window,
    );
    let stores = vec![store(y, &[(i, 4), (j, 1)], tile)];
    k.stage(&[i, j], &[], StageKind::Map { stores });
    let refusal = lower(&k, &Machine::with_lanes(8)).unwrap_err();
    assert!(refusal.contains("no range of rows"), "{refusal}");
}

#[test]
fn a_window_on_groups_that_are_kept_is_refused() {
    let mut k = Kernel::new("kept");
    let [g, row] = [(); 2].map(|()| k.axis(AxisSize::Fixed(4), true));
    let inner = k.axis(AxisSize::Fixed(4), false);
    let [a, b, begins, ends] =
        [DType::F32, DType::F32, DType::I32, DType::I32].map(|dtype| k.buffer(dtype, false));
    let y = k.buffer(DType::F32, true);
    let lhs = load(&mut k, a, &[(row, 4), (inner, 1)]);
    let rhs = load(&mut k, b, &[(g, 4), (inner, 1)]);
    let (begin, end) = (
        load(&mut k, begins, &[(g, 1)]),
        load(&mut k, ends, &[(g, 1)]),
    );
    let window = Some(Window {
        query: g,
        key: row,
        causal: false,
        begin: Some(begin),
        end: Some(end),
    });
    let tile = contract(
        &mut k,
        (&[g, row, inner], &[inner]),
        [lhs, rhs],
        DType::F32,
        window,
    );
    let stores = vec![store(y, &[(g, 4), (row, 1)], tile)];
    k.stage(&[g, row], &[], StageKind::Map { stores });
    let refusal = lower(&k, &Machine::with_lanes(8)).unwrap_err();
    assert!(refusal.contains("either groups or rows"), "{refusal}");
}
