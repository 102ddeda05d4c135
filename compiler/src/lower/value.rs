//! Expressions, loads and stores at the point where a lowering stands.
//!
//! A value has one lane unless it depends on the vector axis; then it has the vector's lanes.
//! Memory along the vector axis is read as a register where it is contiguous, and lane by lane
//! through scratch where it is not. An element that does not exist is read from the buffer's
//! first element and replaced by zero, so that no address outside the buffer is touched.

use mm1_package::DType;

use super::emit::{Emit, Tile};
use super::math;
use crate::graph::{Binary, Unary};
use crate::kernel::{Address, AxisId, BufferId, Coordinate, Expr, ExprId, Guard, StageId, Store};
use crate::loops::{Compare, IndexOp, IntBinary, Operation, Type, ValueId};

/// An element's address, as pointer and constant bytes, and whether it exists.
pub(crate) struct Place {
    pub ptr: ValueId,
    pub offset: i64,
    pub exists: Option<ValueId>,
}

/// Bytes of an element in memory.
pub(crate) fn bytes(dtype: DType) -> i64 {
    match dtype {
        DType::F32 | DType::I32 => 4,
        DType::Bf16 => 2,
    }
}

impl Emit<'_> {
    /// Lanes of an expression's value here.
    pub fn lanes_of(&self, expr: ExprId) -> u32 {
        match self.vector {
            Some((axis, lanes)) if self.depends_on(expr, axis) => lanes,
            _ => 1,
        }
    }

    /// Value of an expression, with its own lanes.
    pub fn value(&mut self, expr: ExprId) -> Result<ValueId, String> {
        if let Some((_, value)) = self.cache.iter().rev().find(|(known, _)| *known == expr) {
            return Ok(*value);
        }
        let lanes = self.lanes_of(expr);
        let kernel = self.kernel;
        let value = match kernel.expr_of(expr) {
            Expr::Const(bits) => self.b.float(f32::from_bits(*bits), 1),
            Expr::Index(axis) => {
                let at = self.at(*axis)?;
                self.b.op(Operation::Ramp(at, lanes))
            }
            Expr::Load {
                buffer,
                address,
                guards,
            } => self.load(*buffer, address, guards, lanes)?,
            Expr::Tile { stage, result } => self.tile(*stage, *result, lanes)?,
            Expr::Unary(op, x) => {
                let x = self.float_at(*x, lanes)?;
                math::unary(&mut self.b, *op, x)
            }
            Expr::Binary(op, a, b) => {
                let a = self.float_at(*a, lanes)?;
                let b = self.float_at(*b, lanes)?;
                math::binary(&mut self.b, *op, a, b)
            }
            Expr::Round(x) => {
                let bf16 = self.is_bf16_load(*x);
                let x = self.float_at(*x, lanes)?;
                match bf16 {
                    true => x,
                    false => self.b.op(Operation::RoundBf16(x)),
                }
            }
            Expr::SelectEqual {
                a,
                b,
                then,
                otherwise,
            } => {
                let a = self.int_at(*a, lanes)?;
                let b = self.int_at(*b, lanes)?;
                let then = self.float_at(*then, lanes)?;
                let otherwise = self.float_at(*otherwise, lanes)?;
                let equal = self.b.compare(Compare::Eq, a, b);
                self.b.select(equal, then, otherwise)
            }
        };
        self.cache.push((expr, value));
        Ok(value)
    }

    fn is_bf16_load(&self, expr: ExprId) -> bool {
        matches!(self.kernel.expr_of(expr), Expr::Load { buffer, .. }
            if self.kernel.buffers[buffer.0 as usize].dtype == DType::Bf16)
    }

    /// Value as f32 of so many lanes.
    pub fn float_at(&mut self, expr: ExprId, lanes: u32) -> Result<ValueId, String> {
        if let Expr::Const(bits) = self.kernel.expr_of(expr) {
            return Ok(self.b.float(f32::from_bits(*bits), lanes));
        }
        let mut value = self.value(expr)?;
        if matches!(self.b.ty(value), Type::I32(_)) {
            value = self.b.op(Operation::IntToFloat(value));
        }
        self.widened(value, lanes)
    }

    fn int_at(&mut self, expr: ExprId, lanes: u32) -> Result<ValueId, String> {
        let value = self.value(expr)?;
        if !matches!(self.b.ty(value), Type::I32(_)) {
            return Err("an i32 is wanted, the expression gives f32".to_owned());
        }
        self.widened(value, lanes)
    }

    /// The value in all of so many lanes.
    pub fn widened(&mut self, value: ValueId, lanes: u32) -> Result<ValueId, String> {
        match self.b.lanes(value) {
            have if have == lanes => Ok(value),
            1 => Ok(self.b.op(Operation::Splat(value, lanes))),
            have => Err(format!("{have} lanes where {lanes} are wanted")),
        }
    }

    /// Computes the parts of an expression that do not depend on the axes, and are worth it.
    pub fn hoist(&mut self, expr: ExprId, axes: &[AxisId]) -> Result<(), String> {
        let kernel = self.kernel;
        if !axes.iter().any(|axis| self.depends_on(expr, *axis)) && self.is_ready(expr) {
            let trivial = match kernel.expr_of(expr) {
                Expr::Const(_) | Expr::Index(_) => true,
                // A later store may change it.
                Expr::Load { buffer, .. } => kernel.buffers[buffer.0 as usize].written,
                _ => self.reads_written(expr),
            };
            if !trivial {
                self.value(expr)?;
            }
            return Ok(());
        }
        match kernel.expr_of(expr) {
            Expr::Unary(_, x) | Expr::Round(x) => self.hoist(*x, axes),
            Expr::Binary(_, a, b) => {
                self.hoist(*a, axes)?;
                self.hoist(*b, axes)
            }
            Expr::SelectEqual {
                a,
                b,
                then,
                otherwise,
            } => [a, b, then, otherwise]
                .into_iter()
                .try_for_each(|part| self.hoist(*part, axes)),
            _ => Ok(()),
        }
    }

    /// Whether all tiles that an expression reads have been computed.
    fn is_ready(&self, expr: ExprId) -> bool {
        match self.kernel.expr_of(expr) {
            Expr::Const(_) | Expr::Index(_) | Expr::Load { .. } => true,
            Expr::Tile { stage, result } => self
                .tiles
                .iter()
                .any(|(of, number, _)| of == stage && number == result),
            Expr::Unary(_, x) | Expr::Round(x) => self.is_ready(*x),
            Expr::Binary(_, a, b) => self.is_ready(*a) && self.is_ready(*b),
            Expr::SelectEqual {
                a,
                b,
                then,
                otherwise,
            } => [a, b, then, otherwise]
                .into_iter()
                .all(|part| self.is_ready(*part)),
        }
    }

    fn reads_written(&self, expr: ExprId) -> bool {
        match self.kernel.expr_of(expr) {
            Expr::Const(_) | Expr::Index(_) | Expr::Tile { .. } => false,
            Expr::Load { buffer, .. } => self.kernel.buffers[buffer.0 as usize].written,
            Expr::Unary(_, x) | Expr::Round(x) => self.reads_written(*x),
            Expr::Binary(_, a, b) => self.reads_written(*a) || self.reads_written(*b),
            Expr::SelectEqual {
                a,
                b,
                then,
                otherwise,
            } => [a, b, then, otherwise]
                .into_iter()
                .any(|part| self.reads_written(*part)),
        }
    }

    /// How an address moves along the vector axis: `Some(stride)`, or `None` if rows or guards
    /// depend on the axis.
    pub fn stride_along(&self, address: &Address, guards: &[Guard], axis: AxisId) -> Option<i64> {
        let rows = address
            .terms
            .iter()
            .any(|(coordinate, _)| match coordinate {
                Coordinate::Row(row) => self.depends_on(*row, axis),
                Coordinate::Axis(_) => false,
            });
        let guarded = guards
            .iter()
            .any(|guard| guard.terms.iter().any(|(on, _)| *on == axis));
        (!rows && !guarded).then(|| address.stride(axis))
    }

    /// Whether a register along an axis is one access to memory: contiguous and, for a team,
    /// aligned, since its threads reach no other addresses by several lanes.
    fn is_register(
        &self,
        buffer: BufferId,
        address: &Address,
        guards: &[Guard],
        (axis, lanes): (AxisId, u32),
    ) -> bool {
        self.stride_along(address, guards, axis) == Some(1)
            && (!self.machine.team || self.is_aligned(buffer, address, axis, lanes))
    }

    /// Whether every address along an axis at which a thread's points start is a multiple of what
    /// so many lanes take, or of 16 bytes if they take more.
    pub fn is_aligned(
        &self,
        buffer: BufferId,
        address: &Address,
        axis: AxisId,
        lanes: u32,
    ) -> bool {
        let size = bytes(self.kernel.buffers[buffer.0 as usize].dtype);
        let wanted = (size * i64::from(lanes)).min(16);
        let known = self.alignment.get(buffer.0 as usize).copied();
        let others = address
            .terms
            .iter()
            .filter(|(coordinate, _)| match coordinate {
                Coordinate::Axis(on) => *on != axis,
                Coordinate::Row(_) => true,
            });
        i64::from(known.unwrap_or(1)) % wanted == 0
            && address.offset * size % wanted == 0
            && others
                .into_iter()
                .all(|(_, stride)| stride * size % wanted == 0)
    }

    /// A register of values that are computed point by point along the vector axis.
    fn by_lanes(
        &mut self,
        (axis, lanes): (AxisId, u32),
        mut body: impl FnMut(&mut Self) -> Result<ValueId, String>,
    ) -> Result<ValueId, String> {
        let base = self.at(axis)?;
        let vector = self.vector.take();
        let mut parts = Vec::new();
        for lane in 0..lanes {
            let skipped = self.b.index(i64::from(lane));
            let point = self.b.add(base, skipped);
            parts.push(self.rebound(axis, point, &mut body)?);
        }
        self.vector = vector;
        while parts.len() > 1 {
            let width = 2 * self.b.lanes(parts[0]);
            let all: Vec<u32> = (0..width).collect();
            parts = parts
                .chunks(2)
                .map(|pair| self.b.op(Operation::Shuffle(pair[0], pair[1], all.clone())))
                .collect();
        }
        parts
            .pop()
            .ok_or_else(|| "a register of no lanes".to_owned())
    }

    fn load(
        &mut self,
        buffer: BufferId,
        address: &Address,
        guards: &[Guard],
        lanes: u32,
    ) -> Result<ValueId, String> {
        let dtype = self.kernel.buffers[buffer.0 as usize].dtype;
        if let Some((axis, width)) = self.vector
            && lanes > 1
            && !self.is_register(buffer, address, guards, (axis, width))
        {
            if self.machine.team {
                return self.by_lanes((axis, width), |this| this.load(buffer, address, guards, 1));
            }
            let offset = self.b.reserve_scratch(u64::from(4 * width));
            let slot = self.scratch_at(offset);
            let kept = match dtype {
                DType::Bf16 => DType::F32,
                other => other,
            };
            self.each_lane(axis, width, |this, lane| {
                let value = this.load(buffer, address, guards, 1)?;
                let to = this.b.element(slot, lane, 4);
                this.b.store(to, 0, value, kept);
                Ok(())
            })?;
            return Ok(self.b.load(slot, 0, kept, width));
        }
        let place = self.place(buffer, address, guards)?;
        let value = self.b.load(place.ptr, place.offset, dtype, lanes);
        match place.exists {
            None => Ok(value),
            Some(exists) => self.or_zero(exists, value),
        }
    }

    /// The value where a scalar condition holds, else 0.
    pub fn or_zero(&mut self, exists: ValueId, value: ValueId) -> Result<ValueId, String> {
        let lanes = self.b.lanes(value);
        let (ones, zero) = (
            self.b.op(Operation::Int(-1, 1)),
            self.b.op(Operation::Int(0, 1)),
        );
        let mask = self.b.select(exists, ones, zero);
        let mask = self.widened(mask, lanes)?;
        if matches!(self.b.ty(value), Type::I32(_)) {
            return Ok(self.b.int(IntBinary::And, value, mask));
        }
        let bits = self.b.op(Operation::Bitcast(value));
        let bits = self.b.int(IntBinary::And, bits, mask);
        Ok(self.b.op(Operation::Bitcast(bits)))
    }

    /// Runs `body` for every lane with the vector axis bound to that lane's point; `body` also
    /// gets the lane's number.
    fn each_lane(
        &mut self,
        axis: AxisId,
        width: u32,
        body: impl FnOnce(&mut Self, ValueId) -> Result<(), String>,
    ) -> Result<(), String> {
        let base = self.at(axis)?;
        let (zero, end) = (self.b.index(0), self.b.index(i64::from(width)));
        let vector = self.vector.take();
        let open = self.b.begin_loop(zero, end, 1, &[]);
        let lane = open.variable;
        let point = self.b.add(base, lane);
        self.rebound(axis, point, |this| body(this, lane))?;
        self.b.end_loop(open, &[]);
        self.vector = vector;
        Ok(())
    }

    /// Binds an axis to another value for a while, forgetting what depends on it.
    pub fn rebound<T>(
        &mut self,
        axis: AxisId,
        value: ValueId,
        body: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let depends = &self.depends;
        let other = self
            .cache
            .iter()
            .filter(|(expr, _)| !depends[expr.0 as usize].contains(&axis))
            .copied()
            .collect();
        let cache = std::mem::replace(&mut self.cache, other);
        let result = self.bound(axis, value, body);
        self.cache = cache;
        result
    }

    /// An i32 expression as an index.
    pub fn index_value(&mut self, expr: ExprId) -> Result<ValueId, String> {
        let kernel = self.kernel;
        match kernel.expr_of(expr) {
            Expr::Index(axis) => self.at(*axis),
            Expr::Load {
                buffer,
                address,
                guards,
            } if kernel.buffers[buffer.0 as usize].dtype == DType::I32 => {
                let place = self.place(*buffer, address, guards)?;
                let value = self.b.op(Operation::LoadIndex {
                    ptr: place.ptr,
                    offset: place.offset,
                });
                Ok(match place.exists {
                    None => value,
                    Some(exists) => {
                        let zero = self.b.index(0);
                        self.b.select(exists, value, zero)
                    }
                })
            }
            other => Err(format!("{other:?} is not an i32 load or an index")),
        }
    }

    /// Address of an element at the bound axes.
    pub fn place(
        &mut self,
        buffer: BufferId,
        address: &Address,
        guards: &[Guard],
    ) -> Result<Place, String> {
        let size = bytes(self.kernel.buffers[buffer.0 as usize].dtype);
        let mut exists: Option<ValueId> = None;
        // Inner axes last, so that what is invariant in a loop is one subexpression.
        let mut terms: Vec<(usize, ValueId, i64)> = Vec::new();
        for (coordinate, stride) in &address.terms {
            let (rank, value) = match coordinate {
                Coordinate::Axis(axis) => (self.rank(*axis), self.at(*axis)?),
                Coordinate::Row(row) => {
                    let rank = self.depends[row.0 as usize]
                        .iter()
                        .map(|axis| self.rank(*axis))
                        .max();
                    let value = self.index_value(*row)?;
                    let zero = self.b.index(0);
                    let valid = self.b.compare(Compare::Le, zero, value);
                    self.and(&mut exists, valid);
                    (rank.unwrap_or(0), value)
                }
            };
            terms.push((rank, value, *stride));
        }
        terms.sort_by_key(|(rank, ..)| *rank);
        for guard in guards {
            self.guard(guard, &mut exists)?;
        }
        let base = self.args[buffer.0 as usize];
        let Some(valid) = exists else {
            let mut ptr = base;
            for (_, value, stride) in terms {
                ptr = self.b.element(ptr, value, stride * size);
            }
            return Ok(Place {
                ptr,
                offset: address.offset * size,
                exists,
            });
        };
        let mut total = self.b.index(address.offset * size);
        for (_, value, stride) in terms {
            let part = self.b.scaled(value, stride * size);
            total = self.b.add(total, part);
        }
        let zero = self.b.index(0);
        let total = self.b.select(valid, total, zero);
        Ok(Place {
            ptr: self.b.op(Operation::Offset(base, total)),
            offset: 0,
            exists,
        })
    }

    fn rank(&self, axis: AxisId) -> usize {
        1 + self
            .order
            .iter()
            .rposition(|bound| *bound == axis)
            .unwrap_or(0)
    }

    fn and(&mut self, exists: &mut Option<ValueId>, condition: ValueId) {
        *exists = Some(match *exists {
            None => condition,
            Some(before) => self.b.op(Operation::MaskAnd(before, condition)),
        });
    }

    fn guard(&mut self, guard: &Guard, exists: &mut Option<ValueId>) -> Result<(), String> {
        let mut sum = self.b.index(guard.offset);
        for (axis, factor) in &guard.terms {
            let at = self.at(*axis)?;
            let part = self.b.scaled(at, *factor);
            sum = self.b.add(sum, part);
        }
        let (zero, bound) = (self.b.index(0), self.b.index(guard.bound));
        let not_below = self.b.compare(Compare::Le, zero, sum);
        let not_above = self.b.compare(Compare::Lt, sum, bound);
        self.and(exists, not_below);
        self.and(exists, not_above);
        Ok(())
    }

    fn tile(&mut self, stage: StageId, result: u32, lanes: u32) -> Result<ValueId, String> {
        let found = self
            .tiles
            .iter()
            .rev()
            .find(|(of, number, _)| *of == stage && *number == result);
        let Some((_, _, tile)) = found.cloned() else {
            return Err(format!(
                "result {result} of stage {} is read before it exists",
                stage.0
            ));
        };
        match tile {
            Tile::Register(value) => self.widened(value, lanes),
            Tile::Scratch {
                ptr,
                strides,
                registers,
            } => {
                let stride_of = |axis: AxisId| {
                    let found = strides.iter().find(|(of, _)| *of == axis);
                    found.map_or(0, |(_, stride)| *stride)
                };
                if let Some((axis, width)) = self.vector
                    && lanes > 1
                    && !registers
                    && (self.machine.team || stride_of(axis) != 1)
                {
                    if self.machine.team {
                        return self.by_lanes((axis, width), |this| this.tile(stage, result, 1));
                    }
                    let slot = self.b.reserve_scratch(u64::from(4 * width));
                    let slot = self.scratch_at(slot);
                    self.each_lane(axis, width, |this, lane| {
                        let value = this.tile(stage, result, 1)?;
                        let to = this.b.element(slot, lane, 4);
                        this.b.store(to, 0, value, DType::F32);
                        Ok(())
                    })?;
                    return Ok(self.b.load(slot, 0, DType::F32, width));
                }
                let ptr = self.tile_address(ptr, &strides)?;
                Ok(self.b.load(ptr, 0, DType::F32, lanes))
            }
        }
    }

    /// Address of a tile element in scratch.
    pub fn tile_address(
        &mut self,
        ptr: ValueId,
        strides: &[(AxisId, i64)],
    ) -> Result<ValueId, String> {
        let mut ptr = ptr;
        for (axis, stride) in strides {
            let at = self.at(*axis)?;
            ptr = self.b.element(ptr, at, 4 * stride);
        }
        Ok(ptr)
    }

    /// Performs the stores of a map: all values first, since a buffer may be updated in place.
    pub fn stores(&mut self, stores: &[Store]) -> Result<(), String> {
        let mut values = Vec::new();
        for store in stores {
            let dtype = self.kernel.buffers[store.buffer.0 as usize].dtype;
            // The store itself rounds.
            let value = match self.kernel.expr_of(store.value) {
                Expr::Round(inner) if dtype == DType::Bf16 => *inner,
                _ => store.value,
            };
            values.push(match dtype {
                DType::I32 => {
                    let lanes = self.lanes_of(value);
                    let number = self.value(value)?;
                    match self.b.ty(number) {
                        Type::F32(_) => {
                            let number = self.float_at(value, lanes)?;
                            self.b.op(Operation::FloatToInt(number))
                        }
                        _ => self.int_at(value, lanes)?,
                    }
                }
                _ => {
                    let lanes = self.lanes_of(value);
                    self.float_at(value, lanes)?
                }
            });
        }
        for (store, value) in stores.iter().zip(values) {
            self.store(store.buffer, &store.address, value)?;
        }
        Ok(())
    }

    /// Stores a value at an address.
    pub fn store(
        &mut self,
        buffer: BufferId,
        address: &Address,
        value: ValueId,
    ) -> Result<(), String> {
        let dtype = self.kernel.buffers[buffer.0 as usize].dtype;
        if let Some((axis, width)) = self.vector {
            let register = self.is_register(buffer, address, &[], (axis, width));
            match self.stride_along(address, &[], axis) {
                Some(0) if self.b.lanes(value) == 1 => {}
                Some(1) if register => {
                    let value = self.widened(value, width)?;
                    return self.store_here(buffer, address, value);
                }
                _ if self.machine.team => {
                    let value = self.widened(value, width)?;
                    let base = self.at(axis)?;
                    let vector = self.vector.take();
                    for lane in 0..width {
                        let skipped = self.b.index(i64::from(lane));
                        let point = self.b.add(base, skipped);
                        let one = self.b.op(Operation::Shuffle(value, value, vec![lane]));
                        self.rebound(axis, point, |this| this.store_here(buffer, address, one))?;
                    }
                    self.vector = vector;
                    return Ok(());
                }
                _ => {
                    let value = self.widened(value, width)?;
                    let kept = match dtype {
                        DType::I32 => DType::I32,
                        _ => DType::F32,
                    };
                    let slot = self.b.reserve_scratch(u64::from(4 * width));
                    let slot = self.scratch_at(slot);
                    self.b.store(slot, 0, value, kept);
                    return self.each_lane(axis, width, |this, lane| {
                        let from = this.b.element(slot, lane, 4);
                        let value = this.b.load(from, 0, kept, 1);
                        this.store_here(buffer, address, value)
                    });
                }
            }
        }
        self.store_here(buffer, address, value)
    }

    fn store_here(
        &mut self,
        buffer: BufferId,
        address: &Address,
        value: ValueId,
    ) -> Result<(), String> {
        let dtype = self.kernel.buffers[buffer.0 as usize].dtype;
        let place = self.place(buffer, address, &[])?;
        if let Some(exists) = place.exists {
            self.b.begin_if();
            self.b.store(place.ptr, place.offset, value, dtype);
            self.b.end_if(exists);
        } else {
            self.b.store(place.ptr, place.offset, value, dtype);
        }
        Ok(())
    }

    /// Adds a term to a running fold, with one rounding where the term is a product.
    pub fn add_term(&mut self, sum: ValueId, term: ExprId) -> Result<ValueId, String> {
        let lanes = self.b.lanes(sum);
        let known = self.cache.iter().any(|(expr, _)| *expr == term);
        let (a, b) = match self.kernel.expr_of(term) {
            Expr::Binary(Binary::Mul, a, b) if !known => (*a, *b),
            Expr::Unary(Unary::Square, x) if !known => (*x, *x),
            _ => {
                let value = self.float_at(term, lanes)?;
                return Ok(self.b.binary(crate::loops::FloatBinary::Add, sum, value));
            }
        };
        let a = self.float_at(a, lanes)?;
        let b = self.float_at(b, lanes)?;
        Ok(self.b.fma(a, b, sum))
    }

    /// Smaller of two indices.
    pub fn least(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.b.index_op(IndexOp::Min, a, b)
    }
}
