//! One block of the walked axis: tiles, weights, the softmax monoid, accumulation.

use std::collections::BTreeMap;

use mm1_package::DType;

use super::{BLOCK, Inner, Lower, Outer, Scalars, UNROLL, window_of};
use crate::kernel::{AxisId, Expr, ExprId, StageId, Window};
use crate::loops::{Compare, FloatBinary, IndexOp, Operation, ValueId};
use crate::lower::math;

impl Lower<'_> {
    pub(super) fn one_block(
        &mut self,
        inner: &[Inner],
        outer: &[Outer],
        count: ValueId,
    ) -> Result<(), String> {
        for part in inner {
            let zero = self.b.index(0);
            self.axes.insert(part.feature, zero);
            let strides = (self.block, part.feature);
            let features = self.fixed(part.feature)?;
            let scalars = self.scalars(part.scalars, strides, count, features)?;
            let limit = self.b.index(features);
            self.multiply(part.tile, count, &scalars, limit, part.packed, false);
        }
        self.weigh(inner, outer, count)?;
        for fold in outer {
            if fold.softmax {
                self.rescale(fold, count)?;
            }
            let zero = self.b.index(0);
            self.axes.insert(fold.feature, zero);
            let features = self.fixed(fold.feature)?;
            let by_row = self.scalars(fold.value, (self.block, fold.feature), count, features)?;
            let scalars = Scalars {
                strides: (by_row.strides.1, by_row.strides.0),
                ..by_row
            };
            let limit = self.b.index(features);
            self.multiply(fold.sums, limit, &scalars, count, fold.weights, true);
        }
        Ok(())
    }

    /// Scalars of a load over (row, column); bf16 ones are widened into scratch once per block.
    fn scalars(
        &mut self,
        load: ExprId,
        axes: (AxisId, AxisId),
        rows: ValueId,
        columns: i64,
    ) -> Result<Scalars, String> {
        let (base, dtype) = self.pointer(load)?;
        let strides = (self.stride(load, axes.0), self.stride(load, axes.1));
        if dtype != DType::Bf16 || strides.1 != 1 || self.member.is_some() {
            let bytes = dtype.size() as i64;
            return Ok(Scalars {
                base,
                strides: (strides.0 * bytes, strides.1 * bytes),
                dtype,
            });
        }
        let offset = self.b.reserve_scratch((BLOCK * columns * 4) as u64) as i64;
        let start = self.b.index(offset);
        let target = self.b.op(Operation::Offset(self.scratch, start));
        let lanes = self.lanes;
        let whole = columns - columns % i64::from(lanes);
        let zero = self.b.index(0);
        self.b.for_each(zero, rows, 1, |b, row| {
            let from = b.element(base, row, strides.0 * 2);
            let to = b.element(target, row, columns * 4);
            for (low, high, lanes) in [(0, whole, lanes), (whole, columns, 1)] {
                let (low, high) = (b.index(low), b.index(high));
                b.for_each(low, high, i64::from(lanes), |b, column| {
                    let from = b.element(from, column, 2);
                    let value = b.load(from, 0, DType::Bf16, lanes);
                    let to = b.element(to, column, 4);
                    b.store(to, 0, value, DType::F32);
                });
            }
        });
        Ok(Scalars {
            base: target,
            strides: (columns * 4, 4),
            dtype: DType::F32,
        })
    }

    /// out\[x\]\[lane\] (+)= Σ over y of scalars(x, y)·vectors\[y\]\[lane\], y in order.
    fn multiply(
        &mut self,
        out: i64,
        x_count: ValueId,
        scalars: &Scalars,
        y_count: ValueId,
        vectors: i64,
        add: bool,
    ) {
        let width = self.width;
        let lanes = self.lanes;
        let registers = self.registers;
        let out = self.lanes_at(out);
        let vectors = self.lanes_at(vectors);
        let zero = self.b.index(0);
        let unroll = self.b.index(UNROLL);
        let rest = self.b.index_op(IndexOp::Rem, x_count, unroll);
        let minus = self.b.scaled(rest, -1);
        let whole = self.b.add(x_count, minus);
        for (low, high, rows) in [(zero, whole, UNROLL), (whole, x_count, 1)] {
            self.b.for_each(low, high, rows, |b, x| {
                let target = b.element(out, x, width * 4);
                let from = b.element(scalars.base, x, scalars.strides.0);
                let cells: Vec<i64> = (0..rows)
                    .flat_map(|row| {
                        (0..registers)
                            .map(move |register| (row * width + register * i64::from(lanes)) * 4)
                    })
                    .collect();
                let start: Vec<ValueId> = cells
                    .iter()
                    .map(|cell| {
                        if add {
                            b.load(target, *cell, DType::F32, lanes)
                        } else {
                            b.float(0.0, lanes)
                        }
                    })
                    .collect();
                let sums = b.for_carried(zero, y_count, 1, &start, |b, y, sums| {
                    let row = b.element(vectors, y, width * 4);
                    let lane: Vec<ValueId> = (0..registers)
                        .map(|register| {
                            b.load(row, register * i64::from(lanes) * 4, DType::F32, lanes)
                        })
                        .collect();
                    let column = b.element(from, y, scalars.strides.1);
                    let mut next = Vec::with_capacity(sums.len());
                    for row in 0..rows {
                        let scalar = b.load(column, row * scalars.strides.0, scalars.dtype, 1);
                        let scalar = b.op(Operation::Splat(scalar, lanes));
                        for (register, vector) in lane.iter().enumerate() {
                            let old = sums[(row * registers) as usize + register];
                            next.push(b.fma(scalar, *vector, old));
                        }
                    }
                    next
                });
                for (cell, sum) in cells.iter().zip(sums) {
                    b.store(target, *cell, sum, DType::F32);
                }
            });
        }
    }

    /// Evaluates the weights of all folds at every pair of the block; invisible pairs get 0, or −∞ as scores.
    fn weigh(&mut self, inner: &[Inner], outer: &[Outer], count: ValueId) -> Result<(), String> {
        let window = window_of(self.kernel).cloned();
        let start = self.axes[&self.block];
        let zero = self.b.index(0);
        let open = self.b.begin_loop(zero, count, 1, &[]);
        let row = open.variable;
        let at = self.b.add(start, row);
        self.axes.insert(self.block, at);
        for register in 0..self.registers {
            let lane = register * i64::from(self.lanes) * 4;
            let mut tiles = BTreeMap::new();
            for part in inner {
                let tile = self.lanes_at(part.tile);
                let ptr = self.b.element(tile, row, self.width * 4);
                tiles.insert(part.stage, self.b.load(ptr, lane, DType::F32, self.lanes));
            }
            let mask = match &window {
                Some(window) => Some(self.mask(window, at, register)?),
                None => None,
            };
            for fold in outer {
                let value = self.evaluate(fold.weight, &tiles, lane)?;
                let hidden = self.b.float(
                    if fold.softmax { f32::NEG_INFINITY } else { 0.0 },
                    self.lanes,
                );
                let value = match mask {
                    Some(mask) => self.b.select(mask, value, hidden),
                    None => value,
                };
                let weights = self.lanes_at(fold.weights);
                let ptr = self.b.element(weights, row, self.width * 4);
                self.b.store(ptr, lane, value, DType::F32);
            }
        }
        self.b.end_loop(open, &[]);
        self.axes.insert(self.block, start);
        Ok(())
    }

    /// Which lanes of a register make a visible pair with the element `at` of the block axis.
    fn mask(&mut self, window: &Window, at: ValueId, register: i64) -> Result<ValueId, String> {
        let lanes = self.lanes;
        let first = self.axes[&self.vector];
        let shift = self.b.index(register * i64::from(lanes));
        let mut first = self.b.add(first, shift);
        if let Some((member, _)) = self.member {
            first = self.b.add(first, member);
        }
        let own = self.b.op(Operation::Ramp(first, lanes));
        if window.query == self.vector {
            let key = self.splat_index(at);
            let size = self.size(window.key);
            let mut begin = self.b.op(Operation::Int(0, lanes));
            let mut end = self.splat_index(size);
            if let Some(load) = window.begin {
                begin = self.kept_register(load, register);
            }
            if let Some(load) = window.end {
                end = self.kept_register(load, register);
            }
            let after = self.b.compare(Compare::Le, begin, key);
            let before = self.b.compare(Compare::Lt, key, end);
            let mut mask = self.b.op(Operation::MaskAnd(after, before));
            if window.causal {
                let past = self.b.compare(Compare::Le, key, own);
                mask = self.b.op(Operation::MaskAnd(mask, past));
            }
            return Ok(mask);
        }
        let (begin, end) = self.visible(window, at)?;
        let (begin, end) = (self.splat_index(begin), self.splat_index(end));
        let after = self.b.compare(Compare::Le, begin, own);
        let before = self.b.compare(Compare::Lt, own, end);
        Ok(self.b.op(Operation::MaskAnd(after, before)))
    }

    fn kept_register(&mut self, load: ExprId, register: i64) -> ValueId {
        let base = self.lanes_at(self.kept[&load]);
        self.b.load(
            base,
            register * i64::from(self.lanes) * 4,
            DType::I32,
            self.lanes,
        )
    }

    fn splat_index(&mut self, index: ValueId) -> ValueId {
        let scalar = self.b.op(Operation::Ramp(index, 1));
        self.b.op(Operation::Splat(scalar, self.lanes))
    }

    /// Scores become exp(s − m) with the new maximum m; sums so far are scaled to it.
    fn rescale(&mut self, fold: &Outer, count: ValueId) -> Result<(), String> {
        let lanes = self.lanes;
        let width = self.width;
        let features = self.fixed(fold.feature)?;
        for register in 0..self.registers {
            let lane = register * i64::from(lanes) * 4;
            let weights = self.lanes_at(fold.weights);
            let largest = self.lanes_at(fold.largest);
            let total = self.lanes_at(fold.total);
            let sums = self.lanes_at(fold.sums);
            let round = fold.round;
            let b = &mut self.b;
            let zero = b.index(0);
            let old = b.load(largest, lane, DType::F32, lanes);
            let new = b.for_carried(zero, count, 1, &[old], |b, row, best| {
                let ptr = b.element(weights, row, width * 4);
                let score = b.load(ptr, lane, DType::F32, lanes);
                vec![b.binary(FloatBinary::Max, score, best[0])]
            })[0];
            b.store(largest, lane, new, DType::F32);
            // A lane that has seen nothing has m = −∞; subtracting 0 instead keeps exp(−∞) = 0.
            let floor = b.float(f32::NEG_INFINITY, lanes);
            let none = b.compare(Compare::Eq, new, floor);
            let nothing = b.float(0.0, lanes);
            let base = b.select(none, nothing, new);
            let gap = b.binary(FloatBinary::Sub, old, base);
            let factor = math::exp(b, gap);
            let sum = b.load(total, lane, DType::F32, lanes);
            let sum = b.binary(FloatBinary::Mul, sum, factor);
            let sum = b.for_carried(zero, count, 1, &[sum], |b, row, sum| {
                let ptr = b.element(weights, row, width * 4);
                let score = b.load(ptr, lane, DType::F32, lanes);
                let shifted = b.binary(FloatBinary::Sub, score, base);
                let weight = math::exp(b, shifted);
                let sum = b.binary(FloatBinary::Add, sum[0], weight);
                let weight = if round {
                    b.op(Operation::RoundBf16(weight))
                } else {
                    weight
                };
                b.store(ptr, lane, weight, DType::F32);
                vec![sum]
            })[0];
            b.store(total, lane, sum, DType::F32);
            let limit = b.index(features);
            b.for_each(zero, limit, 1, |b, feature| {
                let ptr = b.element(sums, feature, width * 4);
                let sum = b.load(ptr, lane, DType::F32, lanes);
                let sum = b.binary(FloatBinary::Mul, sum, factor);
                b.store(ptr, lane, sum, DType::F32);
            });
        }
        Ok(())
    }

    /// Evaluates an expression over inner tiles for one register of lanes.
    fn evaluate(
        &mut self,
        id: ExprId,
        tiles: &BTreeMap<StageId, ValueId>,
        lane: i64,
    ) -> Result<ValueId, String> {
        Ok(match self.kernel.expr_of(id).clone() {
            Expr::Const(bits) => self.b.float(f32::from_bits(bits), self.lanes),
            Expr::Tile { stage, .. } => *tiles
                .get(&stage)
                .ok_or("a weight reads a tile of its own block")?,
            Expr::Unary(function, x) => {
                let x = self.evaluate(x, tiles, lane)?;
                math::unary(&mut self.b, function, x)
            }
            Expr::Binary(function, a, b) => {
                let a = self.evaluate(a, tiles, lane)?;
                let b = self.evaluate(b, tiles, lane)?;
                math::binary(&mut self.b, function, a, b)
            }
            Expr::Round(x) => {
                let x = self.evaluate(x, tiles, lane)?;
                self.b.op(Operation::RoundBf16(x))
            }
            Expr::Load { .. } => match self.kept.get(&id) {
                Some(offset) => {
                    let base = self.lanes_at(*offset);
                    self.b.load(base, lane, DType::F32, self.lanes)
                }
                None => {
                    let (ptr, dtype) = self.pointer(id)?;
                    let scalar = self.b.load(ptr, 0, dtype, 1);
                    self.b.op(Operation::Splat(scalar, self.lanes))
                }
            },
            Expr::Index(_) | Expr::SelectEqual { .. } => {
                return Err("weights of attention are floats".to_owned());
            }
        })
    }
}
