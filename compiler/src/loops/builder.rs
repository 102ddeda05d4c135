//! Writes [`Function`]s: one method per operation, closures for bodies.

use mm1_package::DType;

use super::{
    Carried, Compare, FloatBinary, FloatUnary, Function, IndexOp, IntBinary, Operation, Stmt, Type,
    ValueId,
};

/// A loop whose body is being written.
pub struct OpenLoop {
    /// The loop variable.
    pub variable: ValueId,
    /// The carried values inside the body.
    pub inside: Vec<ValueId>,
    low: ValueId,
    high: ValueId,
    step: i64,
    inits: Vec<ValueId>,
}

/// A function under construction.
pub struct Builder {
    types: Vec<Type>,
    blocks: Vec<Vec<Stmt>>,
    scratch_bytes: u64,
    /// Warps of a team; a power of two.
    pub warps: u32,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            types: Vec::new(),
            blocks: vec![Vec::new()],
            scratch_bytes: 0,
            warps: 1,
        }
    }
}

impl Builder {
    /// Ends the function.
    pub fn finish(mut self, name: impl Into<String>) -> Function {
        let body = self.blocks.pop().unwrap_or_default();
        Function {
            name: name.into(),
            types: self.types,
            body,
            scratch_bytes: self.scratch_bytes,
            warps: self.warps,
        }
    }

    /// Reserves scratch; returns the byte offset, a multiple of 64.
    pub fn reserve_scratch(&mut self, bytes: u64) -> u64 {
        let offset = self.scratch_bytes;
        self.scratch_bytes = (offset + bytes).next_multiple_of(64);
        offset
    }

    /// Type of a value.
    pub fn ty(&self, value: ValueId) -> Type {
        self.types[value.0 as usize]
    }

    /// Lanes of a register.
    pub fn lanes(&self, value: ValueId) -> u32 {
        match self.ty(value) {
            Type::F32(lanes) | Type::I32(lanes) | Type::Mask(lanes) => lanes,
            Type::Index | Type::Ptr | Type::Tile => 1,
        }
    }

    fn fresh(&mut self, ty: Type) -> ValueId {
        self.types.push(ty);
        ValueId(self.types.len() as u32 - 1)
    }

    /// A value that the surroundings of the function define.
    pub fn input(&mut self, ty: Type) -> ValueId {
        self.fresh(ty)
    }

    fn push(&mut self, stmt: Stmt) {
        self.blocks
            .last_mut()
            .expect("a block is open until `finish`")
            .push(stmt);
    }

    /// Defines a value.
    pub fn op(&mut self, operation: Operation) -> ValueId {
        let ty = self.result_type(&operation);
        let value = self.fresh(ty);
        self.push(Stmt::Let(value, operation));
        value
    }

    fn result_type(&self, operation: &Operation) -> Type {
        match operation {
            Operation::Index(_)
            | Operation::Extent(_)
            | Operation::TileBegin
            | Operation::TileEnd
            | Operation::Member
            | Operation::IndexOp(..)
            | Operation::LoadIndex { .. } => Type::Index,
            Operation::Argument(_) | Operation::Scratch | Operation::Offset(..) => Type::Ptr,
            Operation::Float(_, lanes) => Type::F32(*lanes),
            Operation::Int(_, lanes) | Operation::Ramp(_, lanes) => Type::I32(*lanes),
            Operation::Load { dtype, lanes, .. } => match dtype {
                DType::F32 | DType::Bf16 => Type::F32(*lanes),
                DType::I32 => Type::I32(*lanes),
            },
            Operation::Splat(x, lanes) => match self.ty(*x) {
                Type::I32(_) => Type::I32(*lanes),
                _ => Type::F32(*lanes),
            },
            Operation::FloatUnary(_, x)
            | Operation::FloatBinary(_, x, _)
            | Operation::IntBinary(_, x, _)
            | Operation::MaskAnd(x, _)
            | Operation::Fma(x, _, _)
            | Operation::Select(_, x, _)
            | Operation::RoundBf16(x)
            | Operation::DotPairs(x, _, _) => self.ty(*x),
            Operation::TileZero | Operation::TileLoad { .. } | Operation::TileDot(..) => Type::Tile,
            Operation::Bitcast(x) => match self.ty(*x) {
                Type::F32(lanes) => Type::I32(lanes),
                _ => Type::F32(self.lanes(*x)),
            },
            Operation::FloatToInt(x) => Type::I32(self.lanes(*x)),
            Operation::IntToFloat(x) => Type::F32(self.lanes(*x)),
            Operation::Compare(_, x, _) => Type::Mask(self.lanes(*x)),
            Operation::SumLanes(_)
            | Operation::MaxLanes(_)
            | Operation::TeamSum(_)
            | Operation::TeamMax(_) => Type::F32(1),
            Operation::Shuffle(x, _, pattern) => match self.ty(*x) {
                Type::I32(_) => Type::I32(pattern.len() as u32),
                _ => Type::F32(pattern.len() as u32),
            },
        }
    }

    /// A constant index.
    pub fn index(&mut self, value: i64) -> ValueId {
        self.op(Operation::Index(value))
    }

    /// Index arithmetic.
    pub fn index_op(&mut self, op: IndexOp, a: ValueId, b: ValueId) -> ValueId {
        self.op(Operation::IndexOp(op, a, b))
    }

    /// a + b.
    pub fn add(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.index_op(IndexOp::Add, a, b)
    }

    /// a·factor.
    pub fn scaled(&mut self, a: ValueId, factor: i64) -> ValueId {
        let factor = self.index(factor);
        self.index_op(IndexOp::Mul, a, factor)
    }

    /// ⌈a / size⌉.
    pub fn div_ceil(&mut self, a: ValueId, size: i64) -> ValueId {
        let (less, size) = (self.index(size - 1), self.index(size));
        let up = self.add(a, less);
        self.index_op(IndexOp::Div, up, size)
    }

    /// Ptr + index·bytes.
    pub fn element(&mut self, ptr: ValueId, index: ValueId, bytes: i64) -> ValueId {
        let offset = self.scaled(index, bytes);
        self.op(Operation::Offset(ptr, offset))
    }

    /// Number in all lanes.
    pub fn float(&mut self, value: f32, lanes: u32) -> ValueId {
        self.op(Operation::Float(value, lanes))
    }

    /// Loads lanes.
    pub fn load(&mut self, ptr: ValueId, offset: i64, dtype: DType, lanes: u32) -> ValueId {
        self.op(Operation::Load {
            ptr,
            offset,
            dtype,
            lanes,
        })
    }

    /// Stores lanes.
    pub fn store(&mut self, ptr: ValueId, offset: i64, value: ValueId, dtype: DType) {
        self.push(Stmt::Store {
            ptr,
            offset,
            value,
            dtype,
        });
    }

    /// Stores a tile, its rows so many bytes apart.
    pub fn store_tile(&mut self, ptr: ValueId, offset: i64, row: i64, value: ValueId) {
        self.push(Stmt::TileStore {
            ptr,
            offset,
            row,
            value,
        });
    }

    /// Lane-wise function.
    pub fn unary(&mut self, op: FloatUnary, x: ValueId) -> ValueId {
        self.op(Operation::FloatUnary(op, x))
    }

    /// Lane-wise function.
    pub fn binary(&mut self, op: FloatBinary, a: ValueId, b: ValueId) -> ValueId {
        self.op(Operation::FloatBinary(op, a, b))
    }

    /// Lane-wise integer function.
    pub fn int(&mut self, op: IntBinary, a: ValueId, b: ValueId) -> ValueId {
        self.op(Operation::IntBinary(op, a, b))
    }

    /// a·b + c.
    pub fn fma(&mut self, a: ValueId, b: ValueId, c: ValueId) -> ValueId {
        self.op(Operation::Fma(a, b, c))
    }

    /// Comparison.
    pub fn compare(&mut self, op: Compare, a: ValueId, b: ValueId) -> ValueId {
        self.op(Operation::Compare(op, a, b))
    }

    /// Choice by mask.
    pub fn select(&mut self, mask: ValueId, a: ValueId, b: ValueId) -> ValueId {
        self.op(Operation::Select(mask, a, b))
    }

    /// Opens a loop that carries values; what follows is its body until [`Builder::end_loop`].
    pub fn begin_loop(
        &mut self,
        low: ValueId,
        high: ValueId,
        step: i64,
        inits: &[ValueId],
    ) -> OpenLoop {
        let variable = self.fresh(Type::Index);
        let inside = inits
            .iter()
            .map(|init| self.fresh(self.ty(*init)))
            .collect();
        self.blocks.push(Vec::new());
        OpenLoop {
            variable,
            inside,
            low,
            high,
            step,
            inits: inits.to_vec(),
        }
    }

    /// Ends the innermost open loop, which must be this one; `next` are the carried values of
    /// the next iteration. Returns the values after the last iteration.
    pub fn end_loop(&mut self, open: OpenLoop, next: &[ValueId]) -> Vec<ValueId> {
        assert_eq!(
            next.len(),
            open.inits.len(),
            "a loop returns as many values as it carries"
        );
        let body = self.blocks.pop().expect("opened by `begin_loop`");
        let results: Vec<ValueId> = open
            .inits
            .iter()
            .map(|init| self.fresh(self.ty(*init)))
            .collect();
        let carried = open
            .inits
            .iter()
            .zip(&open.inside)
            .zip(next.iter().zip(&results))
            .map(|((init, inside), (next, result))| Carried {
                inside: *inside,
                init: *init,
                next: *next,
                result: *result,
            })
            .collect();
        self.push(Stmt::For {
            variable: open.variable,
            low: open.low,
            high: open.high,
            step: open.step,
            carried,
            body,
        });
        results
    }

    /// A loop that carries values; `body` gets the variable and the carried values and returns
    /// the next ones. Returns the values after the last iteration.
    pub fn for_carried(
        &mut self,
        low: ValueId,
        high: ValueId,
        step: i64,
        inits: &[ValueId],
        body: impl FnOnce(&mut Self, ValueId, &[ValueId]) -> Vec<ValueId>,
    ) -> Vec<ValueId> {
        let open = self.begin_loop(low, high, step, inits);
        let next = body(self, open.variable, &open.inside.clone());
        self.end_loop(open, &next)
    }

    /// A loop without carried values.
    pub fn for_each(
        &mut self,
        low: ValueId,
        high: ValueId,
        step: i64,
        body: impl FnOnce(&mut Self, ValueId),
    ) {
        self.for_carried(low, high, step, &[], |builder, variable, _| {
            body(builder, variable);
            Vec::new()
        });
    }

    /// Orders the team's memory accesses.
    pub fn team_sync(&mut self) {
        self.push(Stmt::TeamSync);
    }

    /// Statements under a condition.
    pub fn if_set(&mut self, condition: ValueId, body: impl FnOnce(&mut Self)) {
        self.begin_if();
        body(self);
        self.end_if(condition);
    }

    /// What follows runs under the condition given to [`Builder::end_if`].
    pub fn begin_if(&mut self) {
        self.blocks.push(Vec::new());
    }

    /// Ends what [`Builder::begin_if`] began.
    pub fn end_if(&mut self, condition: ValueId) {
        let body = self.blocks.pop().expect("opened by `begin_if`");
        self.push(Stmt::If { condition, body });
    }
}
