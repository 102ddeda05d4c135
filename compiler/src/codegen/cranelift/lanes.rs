//! Lane-wise operations: each is done on every 4-lane part of a register, or on its one scalar.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{ConstantData, InstBuilder, MemFlagsData, Value, types};
use mm1_package::DType;

use super::translate::{Translator, float_condition, int_condition, plain, vectors};
use crate::loops::{FloatBinary, FloatUnary, IntBinary, Operation, Type, ValueId};

/// Whether a part is one lane or four.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    One,
    Four,
}

impl Translator<'_> {
    pub(super) fn lane_operation(&mut self, operation: &Operation) -> Result<Vec<Value>, String> {
        match operation {
            Operation::Float(value, lanes) => {
                let bits = value.to_bits();
                self.repeat(*lanes, |this, width| match width {
                    Width::One => this.builder.ins().f32const(*value),
                    Width::Four => this.vector_constant([bits; 4], types::F32X4),
                })
            }
            Operation::Int(value, lanes) => self.repeat(*lanes, |this, width| match width {
                Width::One => this.builder.ins().iconst(types::I32, i64::from(*value)),
                Width::Four => this.int_constant(*value as u32, width),
            }),
            Operation::Load {
                ptr,
                offset,
                dtype,
                lanes,
            } => self.load(*ptr, *offset, *dtype, *lanes),
            Operation::Splat(x, lanes) => {
                let scalar = self.scalar(*x)?;
                let vector = match self.ty(*x)? {
                    Type::F32(1) => types::F32X4,
                    Type::I32(1) => types::I32X4,
                    other => return Err(format!("splat of {other:?}")),
                };
                match vectors(*lanes)? {
                    0 => Ok(vec![scalar]),
                    count => {
                        let splat = self.builder.ins().splat(vector, scalar);
                        Ok(vec![splat; count as usize])
                    }
                }
            }
            Operation::Ramp(base, lanes) => {
                let base = self.scalar(*base)?;
                let base = self.builder.ins().ireduce(types::I32, base);
                let count = vectors(*lanes)?;
                if count == 0 {
                    return Ok(vec![base]);
                }
                let base = self.builder.ins().splat(types::I32X4, base);
                let ramps = (0..count).map(|part| {
                    let first = 4 * part;
                    let steps = self
                        .vector_constant([first, first + 1, first + 2, first + 3], types::I32X4);
                    self.builder.ins().iadd(base, steps)
                });
                Ok(ramps.collect())
            }
            Operation::FloatUnary(op, x) => {
                let op = *op;
                self.each(*x, |this, x| {
                    let ins = this.builder.ins();
                    match op {
                        FloatUnary::Neg => ins.fneg(x),
                        FloatUnary::Abs => ins.fabs(x),
                        FloatUnary::Sqrt => ins.sqrt(x),
                        FloatUnary::Nearest => ins.nearest(x),
                    }
                })
            }
            Operation::FloatBinary(op, a, b) => {
                let op = *op;
                self.pairs(*a, *b, |this, a, b| this.float_binary(op, a, b))
            }
            Operation::Fma(a, b, c) => {
                let (a, b, c) = (self.get(*a)?, self.get(*b)?, self.get(*c)?);
                same_parts(&[a.len(), b.len(), c.len()])?;
                let results = a.iter().zip(&b).zip(&c);
                Ok(results
                    .map(|((a, b), c)| self.builder.ins().fma(*a, *b, *c))
                    .collect())
            }
            Operation::IntBinary(op, a, b) => {
                let op = *op;
                self.pairs(*a, *b, |this, a, b| this.int_binary(op, a, b))
            }
            Operation::Bitcast(x) => self.each(*x, |this, x| {
                let ty = match this.builder.func.dfg.value_type(x) {
                    types::F32 => types::I32,
                    types::I32 => types::F32,
                    types::F32X4 => types::I32X4,
                    _ => types::F32X4,
                };
                this.reinterpret(x, ty)
            }),
            Operation::FloatToInt(x) => self.each(*x, |this, x| {
                let ty = match this.width(x) {
                    Width::One => types::I32,
                    Width::Four => types::I32X4,
                };
                this.builder.ins().fcvt_to_sint_sat(ty, x)
            }),
            Operation::IntToFloat(x) => self.each(*x, |this, x| {
                let ty = match this.width(x) {
                    Width::One => types::F32,
                    Width::Four => types::F32X4,
                };
                this.builder.ins().fcvt_from_sint(ty, x)
            }),
            Operation::Compare(op, a, b) => {
                let op = *op;
                match self.ty(*a)? {
                    Type::F32(_) => self.pairs(*a, *b, |this, a, b| {
                        this.builder.ins().fcmp(float_condition(op), a, b)
                    }),
                    _ => self.pairs(*a, *b, |this, a, b| {
                        this.builder.ins().icmp(int_condition(op), a, b)
                    }),
                }
            }
            Operation::MaskAnd(a, b) => {
                self.pairs(*a, *b, |this, a, b| this.builder.ins().band(a, b))
            }
            Operation::Select(mask, a, b) => {
                let (mask, a, b) = (self.get(*mask)?, self.get(*a)?, self.get(*b)?);
                same_parts(&[mask.len(), a.len(), b.len()])?;
                let results = mask.iter().zip(&a).zip(&b);
                Ok(results
                    .map(|((mask, a), b)| self.select(*mask, *a, *b))
                    .collect())
            }
            Operation::SumLanes(x) => self.fold(*x, FloatBinary::Add),
            Operation::MaxLanes(x) => self.fold(*x, FloatBinary::Max),
            Operation::RoundBf16(x) => self.each(*x, |this, x| {
                let rounded = this.rounded_bits(x);
                let ty = this.builder.func.dfg.value_type(x);
                this.reinterpret(rounded, ty)
            }),
            Operation::DotPairs(acc, a, b) => {
                let (acc, a, b) = (self.get(*acc)?, self.get(*a)?, self.get(*b)?);
                same_parts(&[acc.len(), a.len(), b.len()])?;
                let results = acc.iter().zip(&a).zip(&b);
                Ok(results
                    .map(|((acc, a), b)| self.dot_pairs(*acc, *a, *b))
                    .collect())
            }
            Operation::TileZero | Operation::TileLoad { .. } | Operation::TileDot(..) => {
                Err(super::translate::no_tiles())
            }
            Operation::Member | Operation::TeamSum(_) | Operation::TeamMax(_) => {
                Err("a CPU has no teams of threads".to_owned())
            }
            Operation::Shuffle(a, b, pattern) => {
                let mut parts = self.get(*a)?;
                parts.extend(self.get(*b)?);
                self.shuffle(&parts, pattern)
            }
            other => Err(format!("{other:?} on {:?}", "registers")),
        }
    }

    fn width(&self, part: Value) -> Width {
        match self.builder.func.dfg.value_type(part).is_vector() {
            true => Width::Four,
            false => Width::One,
        }
    }

    fn repeat(
        &mut self,
        lanes: u32,
        make: impl FnOnce(&mut Self, Width) -> Value,
    ) -> Result<Vec<Value>, String> {
        Ok(match vectors(lanes)? {
            0 => vec![make(self, Width::One)],
            count => vec![make(self, Width::Four); count as usize],
        })
    }

    fn each(
        &mut self,
        x: ValueId,
        mut make: impl FnMut(&mut Self, Value) -> Value,
    ) -> Result<Vec<Value>, String> {
        let parts = self.get(x)?;
        Ok(parts.into_iter().map(|part| make(self, part)).collect())
    }

    fn pairs(
        &mut self,
        a: ValueId,
        b: ValueId,
        mut make: impl FnMut(&mut Self, Value, Value) -> Value,
    ) -> Result<Vec<Value>, String> {
        let (a, b) = (self.get(a)?, self.get(b)?);
        same_parts(&[a.len(), b.len()])?;
        let results = a.into_iter().zip(b);
        Ok(results.map(|(a, b)| make(self, a, b)).collect())
    }

    fn vector_constant(&mut self, lanes: [u32; 4], ty: cranelift_codegen::ir::Type) -> Value {
        let bytes: Vec<u8> = lanes.iter().flat_map(|lane| lane.to_le_bytes()).collect();
        let constant = self
            .builder
            .func
            .dfg
            .constants
            .insert(ConstantData::from(bytes));
        self.builder.ins().vconst(ty, constant)
    }

    fn int_constant(&mut self, value: u32, width: Width) -> Value {
        match width {
            Width::One => self.builder.ins().iconst(types::I32, i64::from(value)),
            Width::Four => self.vector_constant([value; 4], types::I32X4),
        }
    }

    fn reinterpret(&mut self, x: Value, ty: cranelift_codegen::ir::Type) -> Value {
        let flags = MemFlagsData::new().with_endianness(cranelift_codegen::ir::Endianness::Little);
        self.builder.ins().bitcast(ty, flags, x)
    }

    fn float_binary(&mut self, op: FloatBinary, a: Value, b: Value) -> Value {
        match op {
            FloatBinary::Add => self.builder.ins().fadd(a, b),
            FloatBinary::Sub => self.builder.ins().fsub(a, b),
            FloatBinary::Mul => self.builder.ins().fmul(a, b),
            FloatBinary::Div => self.builder.ins().fdiv(a, b),
            // These forms are one instruction each, and give b if either is NaN.
            FloatBinary::Min => {
                let mask = self.builder.ins().fcmp(FloatCC::LessThan, a, b);
                self.select(mask, a, b)
            }
            FloatBinary::Max => {
                let mask = self.builder.ins().fcmp(FloatCC::LessThan, b, a);
                self.select(mask, a, b)
            }
        }
    }

    fn int_binary(&mut self, op: IntBinary, a: Value, b: Value) -> Value {
        match op {
            IntBinary::Add => self.builder.ins().iadd(a, b),
            IntBinary::Sub => self.builder.ins().isub(a, b),
            IntBinary::And => self.builder.ins().band(a, b),
            IntBinary::Or => self.builder.ins().bor(a, b),
            IntBinary::Xor => self.builder.ins().bxor(a, b),
            IntBinary::Shl | IntBinary::ShrU if self.width(a) == Width::One => match op {
                IntBinary::Shl => self.builder.ins().ishl(a, b),
                _ => self.builder.ins().ushr(a, b),
            },
            // Cranelift shifts all lanes by one count; lanes are shifted one by one here.
            IntBinary::Shl | IntBinary::ShrU => {
                if let Some(count) = self.same_count(b) {
                    return match op {
                        IntBinary::Shl => self.builder.ins().ishl(a, count),
                        _ => self.builder.ins().ushr(a, count),
                    };
                }
                let mut result = a;
                for lane in 0..4 {
                    let x = self.builder.ins().extractlane(a, lane);
                    let count = self.builder.ins().extractlane(b, lane);
                    let shifted = match op {
                        IntBinary::Shl => self.builder.ins().ishl(x, count),
                        _ => self.builder.ins().ushr(x, count),
                    };
                    result = self.builder.ins().insertlane(result, shifted, lane);
                }
                result
            }
        }
    }

    /// The scalar that all lanes of a shift count equal, if that is visible.
    fn same_count(&mut self, counts: Value) -> Option<Value> {
        use cranelift_codegen::ir::{InstructionData, Opcode};
        let instruction = self.builder.func.dfg.value_def(counts).inst()?;
        match self.builder.func.dfg.insts[instruction] {
            InstructionData::Unary {
                opcode: Opcode::Splat,
                arg,
            } => Some(arg),
            InstructionData::UnaryConst {
                opcode: Opcode::Vconst,
                constant_handle,
            } => {
                let bytes = self.builder.func.dfg.constants.get(constant_handle);
                let (first, rest) = bytes.as_slice().split_first_chunk::<4>()?;
                if !rest.chunks(4).all(|lane| lane == first) {
                    return None;
                }
                let count = i64::from(u32::from_le_bytes(*first));
                Some(self.builder.ins().iconst(types::I32, count))
            }
            _ => None,
        }
    }

    fn select(&mut self, mask: Value, a: Value, b: Value) -> Value {
        if self.width(a) == Width::One {
            return self.builder.ins().select(mask, a, b);
        }
        let ty = self.builder.func.dfg.value_type(a);
        let mask = match ty {
            types::I32X4 => mask,
            _ => self.reinterpret(mask, ty),
        };
        self.builder.ins().bitselect(mask, a, b)
    }

    fn fold(&mut self, x: ValueId, op: FloatBinary) -> Result<Vec<Value>, String> {
        let mut parts = self.get(x)?;
        if self.width(parts[0]) == Width::One {
            return Ok(parts);
        }
        if !parts.len().is_power_of_two() {
            return Err("a fold of lanes that are not a power of two".to_owned());
        }
        while parts.len() > 1 {
            let upper = parts.split_off(parts.len() / 2);
            parts = parts
                .iter()
                .zip(&upper)
                .map(|(a, b)| self.float_binary(op, *a, *b))
                .collect();
        }
        let low = parts[0];
        let high = self.shuffle_two(low, low, [2, 3, 2, 3]);
        let two = self.float_binary(op, low, high);
        let first = self.builder.ins().extractlane(two, 0);
        let second = self.builder.ins().extractlane(two, 1);
        Ok(vec![self.float_binary(op, first, second)])
    }

    /// Lanes 0–3 of a, 4–7 of b.
    fn shuffle_two(&mut self, a: Value, b: Value, pattern: [u8; 4]) -> Value {
        let ty = self.builder.func.dfg.value_type(a);
        let bytes: Vec<u8> = pattern
            .iter()
            .flat_map(|lane| (0..4).map(move |byte| 4 * lane + byte))
            .collect();
        let mask = self
            .builder
            .func
            .dfg
            .immediates
            .push(ConstantData::from(bytes));
        let (a, b) = (
            self.reinterpret(a, types::I8X16),
            self.reinterpret(b, types::I8X16),
        );
        let mixed = self.builder.ins().shuffle(a, b, mask);
        self.reinterpret(mixed, ty)
    }

    /// Picks lanes of a row of parts. Four lanes come from at most four parts: two shuffles of
    /// two parts each and one of their results.
    fn shuffle(&mut self, parts: &[Value], pattern: &[u32]) -> Result<Vec<Value>, String> {
        if self.width(parts[0]) == Width::One {
            return Err("a shuffle of scalars".to_owned());
        }
        if pattern.iter().any(|lane| *lane as usize >= 4 * parts.len()) {
            return Err("a shuffle picks a lane that does not exist".to_owned());
        }
        if let [lane] = pattern {
            let part = parts[*lane as usize / 4];
            return Ok(vec![self.builder.ins().extractlane(part, (lane % 4) as u8)]);
        }
        vectors(pattern.len() as u32)?;
        let mut results = Vec::new();
        for four in pattern.chunks(4) {
            let mut sources: Vec<u32> = Vec::new();
            for lane in four {
                if !sources.contains(&(lane / 4)) {
                    sources.push(lane / 4);
                }
            }
            let mut pairs = Vec::new();
            for pair in sources.chunks(2) {
                let (first, second) = (pair[0], pair[pair.len() - 1]);
                let mut picks = [0; 4];
                for (pick, lane) in picks.iter_mut().zip(four) {
                    if lane / 4 == first {
                        *pick = (lane % 4) as u8;
                    } else if lane / 4 == second {
                        *pick = 4 + (lane % 4) as u8;
                    }
                }
                pairs.push(self.shuffle_two(parts[first as usize], parts[second as usize], picks));
            }
            results.push(match pairs[..] {
                [one] => one,
                [one, other] => {
                    let mut picks = [0; 4];
                    for (position, (pick, lane)) in picks.iter_mut().zip(four).enumerate() {
                        let in_first = sources[..2].contains(&(lane / 4));
                        *pick = position as u8 + if in_first { 0 } else { 4 };
                    }
                    self.shuffle_two(one, other, picks)
                }
                _ => return Err("a shuffle of nothing".to_owned()),
            });
        }
        Ok(results)
    }

    /// Bits of x rounded to bf16, in the upper half; the lower half is zero.
    fn rounded_bits(&mut self, x: Value) -> Value {
        let width = self.width(x);
        let ty = match width {
            Width::One => types::I32,
            Width::Four => types::I32X4,
        };
        let bits = self.reinterpret(x, ty);
        let sixteen = self.builder.ins().iconst(types::I32, 16);
        let upper = self.builder.ins().ushr(bits, sixteen);
        let one = self.int_constant(1, width);
        let odd = self.builder.ins().band(upper, one);
        let half = self.int_constant(0x7fff, width);
        let bias = self.builder.ins().iadd(odd, half);
        let sum = self.builder.ins().iadd(bits, bias);
        let quiet = self.int_constant(0x0040_0000, width);
        let nan = self.builder.ins().bor(bits, quiet);
        let is_nan = self.builder.ins().fcmp(FloatCC::Unordered, x, x);
        let chosen = self.select(is_nan, nan, sum);
        let keep = self.int_constant(0xffff_0000, width);
        self.builder.ins().band(chosen, keep)
    }

    /// Zero of the same sign where x is subnormal.
    fn flushed(&mut self, x: Value) -> Value {
        let width = self.width(x);
        let float = self.builder.func.dfg.value_type(x);
        let ty = match width {
            Width::One => types::I32,
            Width::Four => types::I32X4,
        };
        let bits = self.reinterpret(x, ty);
        let exponent_bits = self.int_constant(0x7f80_0000, width);
        let exponent = self.builder.ins().band(bits, exponent_bits);
        let zero = self.int_constant(0, width);
        let tiny = self.builder.ins().icmp(
            cranelift_codegen::ir::condcodes::IntCC::Equal,
            exponent,
            zero,
        );
        let sign_bit = self.int_constant(0x8000_0000, width);
        let sign = self.builder.ins().band(bits, sign_bit);
        let flushed = self.select(tiny, sign, bits);
        self.reinterpret(flushed, float)
    }

    fn dot_pairs(&mut self, acc: Value, a: Value, b: Value) -> Value {
        let width = self.width(a);
        let float = self.builder.func.dfg.value_type(acc);
        let sixteen = self.builder.ins().iconst(types::I32, 16);
        let mut acc = self.flushed(acc);
        for odd in [true, false] {
            let mut halves = [a, b].map(|pair| match odd {
                true => {
                    let keep = self.int_constant(0xffff_0000, width);
                    self.builder.ins().band(pair, keep)
                }
                false => self.builder.ins().ishl(pair, sixteen),
            });
            for half in &mut halves {
                let wide = self.reinterpret(*half, float);
                *half = self.flushed(wide);
            }
            let sum = self.builder.ins().fma(halves[0], halves[1], acc);
            acc = self.flushed(sum);
        }
        acc
    }

    fn load(
        &mut self,
        ptr: ValueId,
        offset: i64,
        dtype: DType,
        lanes: u32,
    ) -> Result<Vec<Value>, String> {
        let (ptr, offset) = self.address(ptr, offset)?;
        let count = vectors(lanes)?;
        if count == 0 {
            return Ok(vec![match dtype {
                DType::F32 => self.builder.ins().load(types::F32, plain(), ptr, offset),
                DType::I32 => self.builder.ins().load(types::I32, plain(), ptr, offset),
                DType::Bf16 => {
                    let half = self.builder.ins().load(types::I16, plain(), ptr, offset);
                    let bits = self.builder.ins().uextend(types::I32, half);
                    let sixteen = self.builder.ins().iconst(types::I32, 16);
                    let bits = self.builder.ins().ishl(bits, sixteen);
                    self.reinterpret(bits, types::F32)
                }
            }]);
        }
        let parts = (0..count as i32).map(|part| match dtype {
            DType::F32 => {
                let offset = offset + 16 * part;
                self.builder.ins().load(types::F32X4, plain(), ptr, offset)
            }
            DType::I32 => {
                let offset = offset + 16 * part;
                self.builder.ins().load(types::I32X4, plain(), ptr, offset)
            }
            DType::Bf16 => {
                let offset = offset + 8 * part;
                let bits = self.builder.ins().uload16x4(plain(), ptr, offset);
                let sixteen = self.builder.ins().iconst(types::I32, 16);
                let bits = self.builder.ins().ishl(bits, sixteen);
                self.reinterpret(bits, types::F32X4)
            }
        });
        Ok(parts.collect())
    }

    pub(super) fn store(
        &mut self,
        ptr: ValueId,
        offset: i64,
        value: ValueId,
        dtype: DType,
    ) -> Result<(), String> {
        match (self.ty(value)?, dtype) {
            (Type::F32(_), DType::F32 | DType::Bf16) | (Type::I32(_), DType::I32) => {}
            (ty, dtype) => return Err(format!("a store of {ty:?} to {dtype:?} memory")),
        }
        let (ptr, offset) = self.address(ptr, offset)?;
        for (number, part) in (0i32..).zip(self.get(value)?) {
            if dtype != DType::Bf16 {
                self.builder
                    .ins()
                    .store(plain(), part, ptr, offset + 16 * number);
                continue;
            }
            let sixteen = self.builder.ins().iconst(types::I32, 16);
            let bits = self.rounded_bits(part);
            let bits = self.builder.ins().ushr(bits, sixteen);
            let (small, step) = match self.width(part) {
                Width::One => (self.builder.ins().ireduce(types::I16, bits), 0),
                Width::Four => {
                    let packed = self.builder.ins().unarrow(bits, bits);
                    let packed = self.reinterpret(packed, types::I64X2);
                    (self.builder.ins().extractlane(packed, 0), 8)
                }
            };
            self.builder
                .ins()
                .store(plain(), small, ptr, offset + step * number);
        }
        Ok(())
    }
}

fn same_parts(counts: &[usize]) -> Result<(), String> {
    match counts.iter().all(|count| *count == counts[0]) {
        true => Ok(()),
        false => Err("operands differ in lanes".to_owned()),
    }
}
