//! Rows sorted by group, each group with a factor or a result of its own.

use mm1_compiler::codegen::nvgpu::gemm::Facts;
use mm1_compiler::codegen::nvgpu::gemm::plan::{SHAPES, Shape};
use mm1_compiler::graph::{Binary, Unary};
use mm1_compiler::kernel::evaluate::evaluate;
use mm1_compiler::kernel::{AxisId, Expr, ExprId, StageId, StageKind, Window};
use mm1_package::DType;

use super::build::{Building, address, difference};
use super::run::{Compiled, Way, shapes_with_producers};

/// Rows, and those of each group: groups without rows, rows without a group, groups within a tile and
/// over several.
const ROWS: u64 = 332;
const RANGES: [(i32, i32); 6] = [(0, 0), (3, 70), (70, 71), (71, 71), (90, 290), (290, 300)];

/// Contents of the buffers; the two last ones read are the groups' ranges.
struct Grouped {
    it: Building,
    ranges: Vec<(usize, Vec<i32>)>,
}

impl Grouped {
    fn new(name: &str) -> Self {
        Self {
            it: Building::new(name),
            ranges: Vec::new(),
        }
    }

    fn window(&mut self, query: AxisId, key: AxisId, ranges: &[(i32, i32)]) -> Window {
        let ends = [|it: &(i32, i32)| it.0, |it: &(i32, i32)| it.1].map(|end| {
            let values: Vec<i32> = ranges.iter().map(end).collect();
            self.ranges.push((self.it.elements.len(), values));
            self.it.load(DType::I32, ranges.len(), &[(query, 1)])
        });
        Window {
            query,
            key,
            causal: false,
            begin: Some(ends[0]),
            end: Some(ends[1]),
        }
    }

    /// Σ lhs·rhs within the window.
    fn contract(
        &mut self,
        domain: &[AxisId],
        folded: &[AxisId],
        [lhs, rhs]: [ExprId; 2],
        window: &Window,
    ) -> ExprId {
        let kind = StageKind::Contract {
            lhs,
            rhs,
            operands: DType::Bf16,
            window: Some(window.clone()),
        };
        let stage: StageId = self.it.kernel.stage(domain, folded, kind);
        self.it.kernel.expr(Expr::Tile { stage, result: 0 })
    }

    /// A factor with these strides; f32 is rounded where it is read.
    fn factor(&mut self, dtype: DType, elements: u64, terms: &[(AxisId, i64)]) -> ExprId {
        let value = self.it.load(dtype, elements as usize, terms);
        match dtype {
            DType::Bf16 => value,
            _ => self.it.kernel.expr(Expr::Round(value)),
        }
    }

    /// Runs it on several grids and orders of warps: the same bytes, and what the kernel means.
    fn check(&self, shape: Option<Shape>) -> String {
        let kernel = &self.it.kernel;
        let mut buffers = self.it.buffers();
        for (number, values) in &self.ranges {
            buffers[*number] = values.iter().flat_map(|it| it.to_le_bytes()).collect();
        }
        let facts = Facts {
            shape,
            ..Facts::of(kernel)
        };
        let compiled = Compiled::new(kernel, &facts);
        let mut want = buffers.clone();
        evaluate(kernel, &mut want, &[]).unwrap();
        let ways = [(None, 0), (Some(2), 7)].map(|(blocks, order)| Way {
            blocks,
            order,
            only: None,
        });
        compiled.agrees(kernel, (&buffers, &[]), &want, &ways, difference);
        compiled.schedule.summary
    }
}

/// C[m, n] += A[m, k]·B[g, ·, ·] for the group g of m; B is contiguous along k or n.
fn rows(
    [n, k]: [u64; 2],
    (a, b): (DType, DType),
    b_along_k: bool,
    ranges: &[(i32, i32)],
) -> Grouped {
    let mut made = Grouped::new("grouped");
    let (m, columns) = (made.it.axis(ROWS, true), made.it.axis(n, true));
    let groups = made.it.axis(ranges.len() as u64, false);
    let folded = made.it.axis(k, false);
    let lhs = made.factor(a, ROWS * k, &[(m, k as i64), (folded, 1)]);
    let [by_column, by_fold] = match b_along_k {
        true => [k as i64, 1],
        false => [1, n as i64],
    };
    let strides = [
        (groups, (n * k) as i64),
        (columns, by_column),
        (folded, by_fold),
    ];
    let rhs = made.factor(b, ranges.len() as u64 * n * k, &strides);
    let window = made.window(groups, m, ranges);
    let domain = [groups, m, folded, columns];
    let sum = made.contract(&domain, &[groups, folded], [lhs, rhs], &window);
    let result = made.it.buffer(DType::F32, (ROWS * n) as usize, true);
    let place = address(&[(m, n as i64), (columns, 1)]);
    let before = made.it.load_of(result, place.clone());
    let sum = made.it.kernel.expr(Expr::Binary(Binary::Add, before, sum));
    made.it.store(&[m, columns], vec![(result, place, sum)]);
    made
}

#[test]
fn rows_take_the_factor_of_their_group() {
    for shape in shapes_with_producers() {
        let made = rows([136, 72], (DType::Bf16, DType::Bf16), true, &RANGES);
        let summary = made.check(Some(shape));
        assert!(summary.contains("groups of rows, rows copied"), "{summary}");
        assert!(summary.contains("columns copied"), "{summary}");
    }
    rows([136, 136], (DType::Bf16, DType::Bf16), false, &RANGES).check(None);
    // Evaluated by the producing threads.
    rows([70, 67], (DType::F32, DType::F32), true, &RANGES).check(None);
    rows([64, 128], (DType::Bf16, DType::F32), false, &RANGES).check(Some(SHAPES[0]));
}

#[test]
fn a_group_of_all_rows_of_none_and_of_one() {
    let all = ROWS as i32;
    for ranges in [
        &[(0, all)][..],
        &[(0, 0), (0, 0)],
        &[(0, 0), (0, all), (all, all)],
        &[(all - 1, all)],
    ] {
        rows([64, 64], (DType::Bf16, DType::Bf16), true, ranges).check(Some(SHAPES[3]));
    }
}

#[test]
fn two_products_of_a_group_meet_in_the_epilogue() {
    let [n, k] = [72u64, 80u64];
    let mut made = Grouped::new("gated");
    let (m, columns) = (made.it.axis(ROWS, true), made.it.axis(n, true));
    let groups = made.it.axis(RANGES.len() as u64, false);
    let folded = made.it.axis(k, false);
    let lhs = made.factor(DType::Bf16, ROWS * k, &[(m, k as i64), (folded, 1)]);
    let window = made.window(groups, m, &RANGES);
    let sums = [(); 2].map(|()| {
        let strides = [(groups, (n * k) as i64), (columns, k as i64), (folded, 1)];
        let rhs = made.factor(DType::Bf16, RANGES.len() as u64 * n * k, &strides);
        let domain = [groups, m, folded, columns];
        made.contract(&domain, &[groups, folded], [lhs, rhs], &window)
    });
    let gate = made.it.kernel.expr(Expr::Unary(Unary::Silu, sums[0]));
    let value = made
        .it
        .kernel
        .expr(Expr::Binary(Binary::Mul, gate, sums[1]));
    // A number that rows of no group have too.
    let bias = made.it.load(DType::F32, n as usize, &[(columns, 1)]);
    let value = made.it.kernel.expr(Expr::Binary(Binary::Add, value, bias));
    let value = made.it.kernel.expr(Expr::Round(value));
    let result = made.it.buffer(DType::Bf16, (ROWS * n) as usize, true);
    let place = address(&[(m, n as i64), (columns, 1)]);
    made.it.store(&[m, columns], vec![(result, place, value)]);
    made.check(None);
}

/// W[g, m, n] = Σ over the rows of g of X[·, m]·Y[·, n].
fn folded(
    [m, n]: [u64; 2],
    (x, y): (DType, DType),
    x_along_rows: bool,
    ranges: &[(i32, i32)],
) -> Grouped {
    let mut made = Grouped::new("weights");
    let groups = made.it.axis(ranges.len() as u64, true);
    let [rows, columns] = [m, n].map(|size| made.it.axis(size, true));
    let folded = made.it.axis(ROWS, false);
    let strides = match x_along_rows {
        true => [(rows, ROWS as i64 + 4), (folded, 1)],
        false => [(rows, 1), (folded, m as i64)],
    };
    let lhs = made.factor(x, (ROWS + 4) * m, &strides);
    let rhs = made.factor(y, ROWS * n, &[(columns, 1), (folded, n as i64)]);
    let window = made.window(groups, folded, ranges);
    let domain = [groups, rows, folded, columns];
    let sum = made.contract(&domain, &[folded], [lhs, rhs], &window);
    let result = made
        .it
        .buffer(DType::F32, ranges.len() * (m * n) as usize, true);
    let place = address(&[(groups, (m * n) as i64), (rows, n as i64), (columns, 1)]);
    made.it
        .store(&[groups, rows, columns], vec![(result, place, sum)]);
    made
}

#[test]
fn groups_fold_their_own_rows() {
    for shape in shapes_with_producers() {
        let made = folded([136, 72], (DType::Bf16, DType::Bf16), false, &RANGES);
        let summary = made.check(Some(shape));
        assert!(summary.contains("folded axis, rows copied"), "{summary}");
    }
    folded([72, 64], (DType::Bf16, DType::Bf16), true, &RANGES).check(None);
    for (x, y) in [
        (DType::F32, DType::F32),
        (DType::Bf16, DType::F32),
        (DType::F32, DType::Bf16),
    ] {
        folded([70, 136], (x, y), false, &RANGES).check(None);
    }
    folded([64, 64], (DType::Bf16, DType::F32), true, &RANGES).check(None);
}
