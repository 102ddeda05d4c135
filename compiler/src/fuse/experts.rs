//! Kernels of mixtures of experts: softmax, the choice of experts, sorting, grouped products.
//!
//! # Sorting on paper
//! A group's tokens are cut into blocks of at most [`BLOCK`]; a *run* is a block's j-th choices,
//! and runs are in order of j, then of blocks: the order in which experts are served.
//! - **counts**\[g, run, e\]: how many of a run chose e (Reduce over the block);
//! - **before**\[g, run, e\]: the same in earlier runs (Reduce over runs), **kept**\[g, e\]: in all
//!   of them, at most the capacity;
//! - **begin**, **end**\[e\]: sums of kept over smaller experts (Reduce over groups and experts);
//! - **start**\[g, e\]: begin and what earlier groups keep;
//! - **slots**\[t, j\]: start + before + how many earlier of the block chose the same (Reduce over
//!   the block), −1 from the capacity on;
//! - **places**, **tokens**: −1 everywhere, then each choice writes itself to its slot.
//!
//! All are whole numbers below 2²⁴, exact in f32. Each launch is parallel over its results, so
//! neither threads nor tiles decide anything.

use mm1_package::DType;

use super::build::{Build, address};
use super::rows::Exprs;
use super::view::View;
use super::{BufferKey, Emitter, Home};
use crate::graph::{Binary, Dim, Unary, Value};
use crate::kernel::{Address, AxisId, Coordinate, Expr, ExprId, Monoid, StageKind, Store, Window};

/// Most tokens of a block.
const BLOCK: u64 = 64;
/// More than any score.
const BEYOND: f64 = 3e38;

/// A tensor that a launch of the sort leaves for the next ones.
#[derive(Clone)]
struct Table {
    key: BufferKey,
    dtype: DType,
    place: View,
}

impl Emitter<'_> {
    pub fn emit_softmax(&mut self, group: usize) -> Result<(), String> {
        let (anchor, operands) = self.anchor(group);
        let p = Value::from(anchor);
        let mut build = self.start(group);
        let last = Self::walk_last(&mut build);
        let axes = build.axes.clone();
        let x = self.over_domain(&mut build, operands[0])?;
        let largest = build.fold(&axes, &[last], Monoid::Max, x);
        let shifted = build.binary(Binary::Sub, x, largest);
        let power = build.unary(Unary::Exp, shifted);
        let sum = build.fold(&axes, &[last], Monoid::Sum, power);
        let share = build.unary(Unary::Reciprocal, sum);
        let value = build.binary(Binary::Mul, power, share);
        let value = self.round_like(&mut build, p, value);
        build.values.insert(p, value);
        self.finish_domain(&mut build)?;
        let log = build.unary(Unary::Log, sum);
        let log = build.binary(Binary::Add, largest, log);
        self.store_rows(&mut build, &[(p.sibling(1), log)]);
        self.finish(build, anchor, "");
        Ok(())
    }

    /// Per choice: the largest element, then E less the column where it stands first.
    pub fn emit_top_k(&mut self, group: usize, count: u64) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let dims = graph.ty(operands[0]).dims.clone();
        let columns = graph.bound(dims[1]) as f64;
        let mut build = self.start_empty(group, "");
        let (row, column) = (build.axis(dims[0], true), build.axis(dims[1], false));
        let mut x = self.load(&mut build, operands[0], &[row, column], &Some)?;
        let present = self.load(&mut build, operands[1], &[row], &Some)?;
        let (key, place) = self
            .storage
            .place(anchor.into())
            .cloned()
            .ok_or("the choice is never read")?;
        let buffer = build.buffer(key, DType::I32, true);
        let at = build.kernel.expr(Expr::Index(column));
        let [all, last, one, zero, beyond] =
            [columns, columns - 1.0, 1.0, 0.0, BEYOND].map(|number| build.number(number));
        let there = build.binary(Binary::Equal, present, zero);
        let there = build.binary(Binary::Sub, one, there);
        let largest =
            |build: &mut Build, value| build.fold(&[row, column], &[column], Monoid::Max, value);
        let mut stores = Vec::new();
        for number in 0..count {
            let most = largest(&mut build, x);
            let hit = build.binary(Binary::Equal, x, most);
            let hit = build.binary(Binary::Mul, hit, all);
            let rank = build.binary(Binary::Sub, hit, at);
            let rank = largest(&mut build, rank);
            let found = build.binary(Binary::Sub, all, rank);
            // Where nothing equals the largest, as it is no number, some column is as good as another.
            let found = build.binary(Binary::Min, found, last);
            let chosen = build.binary(Binary::Equal, at, found);
            let chosen = build.binary(Binary::Mul, chosen, beyond);
            x = build.binary(Binary::Sub, x, chosen);
            let next = build.binary(Binary::Add, found, one);
            let next = build.binary(Binary::Mul, there, next);
            stores.push(Store {
                buffer,
                address: address(&place.slice(1, number, 1), &[row, column]),
                value: build.binary(Binary::Sub, next, one),
            });
        }
        build.kernel.stage(&[row], &[], StageKind::Map { stores });
        self.finish(build, anchor, "");
        Ok(())
    }

    /// A tensor of the sort: a result of the node where it is one and is read, else scratch.
    fn table(
        &mut self,
        group: usize,
        result: Option<u32>,
        (name, dtype, dims): (&str, DType, &[u64]),
    ) -> Result<Table, String> {
        let (anchor, _) = self.anchor(group);
        let known = result.and_then(|result| {
            let value = Value::from(anchor).sibling(result);
            self.storage.place(value).cloned()
        });
        let (key, place) = match known {
            Some((key, place)) => {
                let place = place.reshape(dims).ok_or("a sorted list has no strides")?;
                (key, place)
            }
            None => {
                let name = format!("{}.{name}", self.groups.graph.node(anchor).name);
                let sizes = dims.iter().map(|dim| Dim::Fixed(*dim)).collect();
                let key = self.storage.buffer(name, dtype, sizes, dims, Home::Arena);
                (key, View::dense(dims))
            }
        };
        Ok(Table { key, dtype, place })
    }

    pub fn emit_sort_choices(
        &mut self,
        group: usize,
        [experts, groups, capacity]: [u64; 3],
    ) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let choices = operands[0];
        let [tokens, count] = graph.bounds(graph.ty(choices))[..] else {
            return Err("choices are [T, k]".to_owned());
        };
        let size = tokens / groups;
        let block = (1..=BLOCK.min(size)).rev().find(|it| size % it == 0);
        let block = block.ok_or("a group has no tokens")?;
        let blocks = size / block;
        let runs = count * blocks;
        let sizes = [groups, count, blocks, block];
        // In memory blocks stand before choices.
        let in_order = |view: View| {
            let view = view.reshape(&[groups, blocks, block, count])?;
            Some(view.transpose(&[0, 3, 1, 2]))
        };
        let of_run = |table: &Table| {
            let place = table.place.reshape(&[groups, count, blocks, experts]);
            place.ok_or("runs are dense")
        };
        let per_run = [groups, runs, experts];
        let counts = self.table(group, None, ("counts", DType::F32, &per_run))?;
        let before = self.table(group, None, ("before", DType::F32, &per_run))?;
        let kept = self.table(group, None, ("kept", DType::F32, &[groups, experts]))?;
        let start = self.table(group, None, ("start", DType::F32, &[groups, experts]))?;
        let slots = self.table(group, Some(0), ("slots", DType::I32, &[tokens, count]))?;
        let all = tokens * count;
        let places = self.table(group, Some(1), ("places", DType::I32, &[all]))?;
        let of_tokens = self.table(group, Some(2), ("tokens", DType::I32, &[all]))?;
        let begin = self.table(group, Some(3), ("begin", DType::I32, &[experts]))?;
        let end = self.table(group, Some(4), ("end", DType::I32, &[experts]))?;

        // counts
        let mut build = self.start_empty(group, "_counts");
        let [g, j, b] = [groups, count, blocks].map(|size| build.fixed(size, true));
        let (i, e) = (build.fixed(block, false), build.fixed(experts, true));
        let choice = self.load(&mut build, choices, &[g, j, b, i], &in_order)?;
        let expert = build.kernel.expr(Expr::Index(e));
        let same = build.binary(Binary::Equal, choice, expert);
        let total = build.sum(&[g, j, b, i, e], &[i], same);
        build.store(&[g, j, b, e], &[(&counts, of_run(&counts)?, total)]);
        self.finish(build, anchor, ".counts");

        // before, kept
        let mut build = self.start_empty(group, "_before");
        let (g, run) = (build.fixed(groups, true), build.fixed(runs, true));
        let (other, e) = (build.fixed(runs, false), build.fixed(experts, true));
        let count_of = build.element(&counts, &[g, other, e]);
        let earlier = build.less(other, run);
        let term = build.binary(Binary::Mul, earlier, count_of);
        let total = build.sum(&[g, run, other, e], &[other], term);
        build.store(&[g, run, e], &[(&before, before.place.clone(), total)]);
        self.finish(build, anchor, ".before");
        let mut build = self.start_empty(group, "_kept");
        let (g, run, e) = (
            build.fixed(groups, true),
            build.fixed(runs, false),
            build.fixed(experts, true),
        );
        let count_of = build.element(&counts, &[g, run, e]);
        let mut total = build.sum(&[g, run, e], &[run], count_of);
        if capacity != 0 {
            let most = build.number(capacity as f64);
            total = build.binary(Binary::Min, total, most);
        }
        build.store(&[g, e], &[(&kept, kept.place.clone(), total)]);
        self.finish(build, anchor, ".kept");

        // begin, end
        let mut build = self.start_empty(group, "_begin");
        let (e, g, other) = (
            build.fixed(experts, true),
            build.fixed(groups, false),
            build.fixed(experts, false),
        );
        let of_other = build.element(&kept, &[g, other]);
        let smaller = build.less(other, e);
        let term = build.binary(Binary::Mul, smaller, of_other);
        let first = build.sum(&[e, g, other], &[g, other], term);
        let own = build.element(&kept, &[g, e]);
        let own = build.sum(&[e, g], &[g], own);
        let last = build.binary(Binary::Add, first, own);
        build.store(
            &[e],
            &[
                (&begin, begin.place.clone(), first),
                (&end, end.place.clone(), last),
            ],
        );
        self.finish(build, anchor, ".begin");

        // start
        let mut build = self.start_empty(group, "_start");
        let (g, other, e) = (
            build.fixed(groups, true),
            build.fixed(groups, false),
            build.fixed(experts, true),
        );
        let of_other = build.element(&kept, &[other, e]);
        let earlier = build.less(other, g);
        let term = build.binary(Binary::Mul, earlier, of_other);
        let total = build.sum(&[g, other, e], &[other], term);
        let first = build.element(&begin, &[e]);
        let total = build.binary(Binary::Add, first, total);
        build.store(&[g, e], &[(&start, start.place.clone(), total)]);
        self.finish(build, anchor, ".start");

        // slots
        let mut build = self.start_empty(group, "_slots");
        let [g, j, b, i] = sizes.map(|size| build.fixed(size, true));
        let other = build.fixed(block, false);
        let choice = self.load(&mut build, choices, &[g, j, b, i], &in_order)?;
        let of_other = self.load(&mut build, choices, &[g, j, b, other], &in_order)?;
        let earlier = build.less(other, i);
        let same = build.binary(Binary::Equal, of_other, choice);
        let term = build.binary(Binary::Mul, earlier, same);
        let rank = build.sum(&[g, j, b, i, other], &[other], term);
        let run_place = of_run(&before)?;
        let in_runs = build.read_row(&before, &run_place, &[g, j, b], choice);
        let rank = build.binary(Binary::Add, in_runs, rank);
        let of_start = build.read_row(&start, &start.place, &[g], choice);
        let slot = build.binary(Binary::Add, of_start, rank);
        let [one, zero] = [1.0, 0.0].map(|number| build.number(number));
        let nothing = build.binary(Binary::Less, choice, zero);
        let mut fits = build.binary(Binary::Sub, one, nothing);
        if capacity != 0 {
            let most = build.number(capacity as f64);
            let below = build.binary(Binary::Less, rank, most);
            fits = build.binary(Binary::Mul, fits, below);
        }
        let next = build.binary(Binary::Add, slot, one);
        let next = build.binary(Binary::Mul, fits, next);
        let slot = build.binary(Binary::Sub, next, one);
        let place = in_order(slots.place.clone()).ok_or("slots are dense")?;
        build.store(&[g, j, b, i], &[(&slots, place, slot)]);
        self.finish(build, anchor, ".slots");

        // places, tokens
        let mut build = self.start_empty(group, "_nothing");
        let slot = build.fixed(all, true);
        let nothing = build.number(-1.0);
        let lists = [&places, &of_tokens];
        build.store(&[slot], &lists.map(|it| (it, it.place.clone(), nothing)));
        self.finish(build, anchor, ".nothing");
        let mut build = self.start_empty(group, "_places");
        let (token, j) = (build.fixed(tokens, true), build.fixed(count, true));
        let slot = build.element(&slots, &[token, j]);
        let [of_token, of_choice] = [token, j].map(|axis| build.kernel.expr(Expr::Index(axis)));
        let width = build.number(count as f64);
        let first = build.binary(Binary::Mul, of_token, width);
        let place = build.binary(Binary::Add, first, of_choice);
        let stores = [(&places, place), (&of_tokens, of_token)]
            .into_iter()
            .map(|(table, value)| Store {
                buffer: build.buffer(table.key, table.dtype, true),
                address: Address {
                    offset: table.place.offset,
                    terms: vec![(Coordinate::Row(slot), table.place.strides[0])],
                },
                value,
            })
            .collect();
        build
            .kernel
            .stage(&[token, j], &[], StageKind::Map { stores });
        self.finish(build, anchor, ".places");
        Ok(())
    }

    pub fn emit_sum_rows(&mut self, group: usize) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let mut build = self.start(group);
        let listed = graph.ty(operands[1]).dims[1];
        let number = build.axis(listed, false);
        let (row, column) = (build.axes[0], build.axes[1]);
        let from = self.load(&mut build, operands[1], &[row, number], &Some)?;
        let columns = self.load(&mut build, operands[0], &[row, column], &|view| {
            Some(View {
                offset: view.offset,
                dims: vec![1, view.dims[1]],
                strides: vec![0, view.strides[1]],
            })
        })?;
        let (_, view) = self.groups.resolve(operands[0]);
        let Expr::Load {
            buffer,
            mut address,
            guards,
        } = build.kernel.expr_of(columns).clone()
        else {
            return Err("rows that are summed are in memory".to_owned());
        };
        address.terms.push((Coordinate::Row(from), view.strides[0]));
        let value = build.kernel.expr(Expr::Load {
            buffer,
            address,
            guards,
        });
        let total = build.sum(&[row, number, column], &[number], value);
        let total = self.round_like(&mut build, anchor.into(), total);
        build.values.insert(anchor.into(), total);
        self.finish_domain(&mut build)?;
        self.finish(build, anchor, "");
        Ok(())
    }

    /// y\[p, n\] = Σ over g with p in its range, and over k, of a\[p, k\]·b\[g, k, n\].
    pub fn emit_grouped_matmul(&mut self, group: usize, transpose_b: bool) -> Result<(), String> {
        let graph = self.groups.graph;
        let (_, operands) = self.anchor(group);
        let mut build = self.start(group);
        let (row, column) = (build.axes[0], build.axes[1]);
        let of_groups = build.axis(graph.ty(operands[1]).dims[0], false);
        let inner = graph.ty(operands[0]).dims[1];
        let k = build.axis(inner, false);
        let lhs = self.load(&mut build, operands[0], &[row, k], &Some)?;
        let order = if transpose_b { [0, 2, 1] } else { [0, 1, 2] };
        let rhs = self.load(&mut build, operands[1], &[of_groups, k, column], &|view| {
            Some(view.transpose(&order))
        })?;
        let window = self.rows_of_groups(&mut build, &operands[2..], [of_groups, row])?;
        let stage = build.kernel.stage(
            &[of_groups, row, k, column],
            &[of_groups, k],
            StageKind::Contract {
                lhs,
                rhs,
                operands: self.operand_type(&operands),
                window: Some(window),
            },
        );
        self.finish_contraction(build, group, stage, graph.bound(inner))
    }

    /// dw\[g, m, n\] = Σ over the rows p of g of x\[p, m\]·y\[p, n\].
    pub fn emit_grouped_weight_grad(&mut self, group: usize) -> Result<(), String> {
        let graph = self.groups.graph;
        let (_, operands) = self.anchor(group);
        let mut build = self.start(group);
        let (of_groups, m, n) = (build.axes[0], build.axes[1], build.axes[2]);
        let rows = graph.ty(operands[0]).dims[0];
        let row = build.axis(rows, false);
        let lhs = self.load(&mut build, operands[0], &[row, m], &Some)?;
        let rhs = self.load(&mut build, operands[1], &[row, n], &Some)?;
        let window = self.rows_of_groups(&mut build, &operands[2..], [of_groups, row])?;
        let stage = build.kernel.stage(
            &[of_groups, m, row, n],
            &[row],
            StageKind::Contract {
                lhs,
                rhs,
                operands: self.operand_type(&operands),
                window: Some(window),
            },
        );
        // All groups together have as many rows as there are.
        let share = build.domain[0].max(1);
        let flops = graph.bound(rows) / share;
        self.finish_contraction(build, group, stage, flops)
    }

    fn rows_of_groups(
        &self,
        build: &mut Build,
        ranges: &[Value],
        [query, key]: [AxisId; 2],
    ) -> Result<Window, String> {
        Ok(Window {
            query,
            key,
            causal: false,
            begin: Some(self.load(build, ranges[0], &[query], &Some)?),
            end: Some(self.load(build, ranges[1], &[query], &Some)?),
        })
    }
}

impl Build {
    fn fixed(&mut self, size: u64, parallel: bool) -> AxisId {
        self.axis(Dim::Fixed(size), parallel)
    }

    fn sum(&mut self, domain: &[AxisId], reduced: &[AxisId], value: ExprId) -> ExprId {
        self.fold(domain, reduced, Monoid::Sum, value)
    }

    /// 1 where one axis's value is below another's.
    fn less(&mut self, a: AxisId, b: AxisId) -> ExprId {
        let [a, b] = [a, b].map(|axis| self.kernel.expr(Expr::Index(axis)));
        self.binary(Binary::Less, a, b)
    }

    fn element(&mut self, table: &Table, axes: &[AxisId]) -> ExprId {
        let buffer = self.buffer(table.key, table.dtype, false);
        self.kernel.expr(Expr::Load {
            buffer,
            address: address(&table.place, axes),
            guards: Vec::new(),
        })
    }

    /// An element whose last coordinate is a number in memory.
    fn read_row(&mut self, table: &Table, place: &View, axes: &[AxisId], row: ExprId) -> ExprId {
        let buffer = self.buffer(table.key, table.dtype, false);
        let leading = View {
            offset: place.offset,
            dims: place.dims[..axes.len()].to_vec(),
            strides: place.strides[..axes.len()].to_vec(),
        };
        let mut address = address(&leading, axes);
        let stride = place.strides[axes.len()];
        address.terms.push((Coordinate::Row(row), stride));
        self.kernel.expr(Expr::Load {
            buffer,
            address,
            guards: Vec::new(),
        })
    }

    fn store(&mut self, axes: &[AxisId], values: &[(&Table, View, ExprId)]) {
        let stores = values
            .iter()
            .map(|(table, place, value)| Store {
                buffer: self.buffer(table.key, table.dtype, true),
                address: address(place, axes),
                value: *value,
            })
            .collect();
        self.kernel.stage(axes, &[], StageKind::Map { stores });
    }
}
