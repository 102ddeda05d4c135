//! Lane-wise operations of loop programs in MLIR's terms.

use mm1_package::DType;

use super::emit::{Emitter, Term, float_predicate, int_predicate, lanes_of, mlir_type};
use crate::loops::{FloatBinary, FloatUnary, IntBinary, Operation, Type, ValueId};

/// Sign, exponent and upper fraction: the bits that a bf16 number keeps.
const UPPER: i32 = 0xffff_0000_u32.cast_signed();

impl Emitter<'_> {
    pub(super) fn lane_operation(&mut self, operation: &Operation) -> Result<(Term, Type), String> {
        let (expression, ty) = match operation {
            Operation::Float(value, lanes) => {
                return Ok((Term::Known(self.float(*value, *lanes)?), Type::F32(*lanes)));
            }
            Operation::Int(value, lanes) => {
                return Ok((Term::Known(self.int(*value, *lanes)?), Type::I32(*lanes)));
            }
            Operation::Load {
                ptr,
                offset,
                dtype,
                lanes,
            } => self.load(*ptr, *offset, *dtype, *lanes)?,
            Operation::Splat(x, lanes) => {
                let (from, to) = match self.ty(*x)? {
                    Type::F32(1) => ("f32", Type::F32(*lanes)),
                    Type::I32(1) => ("i32", Type::I32(*lanes)),
                    other => return Err(format!("splat of {other:?}")),
                };
                let name = self.get(*x)?;
                if *lanes == 1 {
                    return Ok((Term::Known(name), to));
                }
                let text = mlir_type(to)?;
                (format!("vector.broadcast {name} : {from} to {text}"), to)
            }
            Operation::Ramp(base, lanes) => self.ramp(*base, *lanes)?,
            Operation::FloatUnary(op, x) => {
                let (x, lanes) = self.floats(*x)?;
                let op = match op {
                    FloatUnary::Neg => "arith.negf",
                    FloatUnary::Abs => "math.absf",
                    FloatUnary::Sqrt => "math.sqrt",
                    FloatUnary::Nearest => "math.roundeven",
                };
                let ty = lanes_of("f32", lanes)?;
                (format!("{op} {x} : {ty}"), Type::F32(lanes))
            }
            Operation::FloatBinary(op, a, b) => {
                let (a, lanes) = self.floats(*a)?;
                let b = self.typed(*b, Type::F32(lanes))?;
                (self.float_binary(*op, &a, &b, lanes)?, Type::F32(lanes))
            }
            Operation::Fma(a, b, c) => {
                let (a, lanes) = self.floats(*a)?;
                let b = self.typed(*b, Type::F32(lanes))?;
                let c = self.typed(*c, Type::F32(lanes))?;
                let ty = lanes_of("f32", lanes)?;
                (format!("math.fma {a}, {b}, {c} : {ty}"), Type::F32(lanes))
            }
            Operation::IntBinary(op, a, b) => {
                let (a, lanes) = self.ints(*a)?;
                let b = self.typed(*b, Type::I32(lanes))?;
                let op = match op {
                    IntBinary::Add => "addi",
                    IntBinary::Sub => "subi",
                    IntBinary::And => "andi",
                    IntBinary::Or => "ori",
                    IntBinary::Xor => "xori",
                    IntBinary::Shl => "shli",
                    IntBinary::ShrU => "shrui",
                };
                let ty = lanes_of("i32", lanes)?;
                (format!("arith.{op} {a}, {b} : {ty}"), Type::I32(lanes))
            }
            Operation::Bitcast(x) => {
                let from = self.ty(*x)?;
                let to = match from {
                    Type::F32(lanes) => Type::I32(lanes),
                    Type::I32(lanes) => Type::F32(lanes),
                    other => return Err(format!("bitcast of {other:?}")),
                };
                let (x, from, text) = (self.get(*x)?, mlir_type(from)?, mlir_type(to)?);
                (format!("arith.bitcast {x} : {from} to {text}"), to)
            }
            Operation::FloatToInt(x) => self.float_to_int(*x)?,
            Operation::IntToFloat(x) => {
                let (x, lanes) = self.ints(*x)?;
                let (from, to) = (lanes_of("i32", lanes)?, lanes_of("f32", lanes)?);
                (
                    format!("arith.sitofp {x} : {from} to {to}"),
                    Type::F32(lanes),
                )
            }
            Operation::Compare(op, a, b) => {
                let ty = self.ty(*a)?;
                let (comparison, lanes) = match ty {
                    Type::F32(lanes) => (format!("cmpf {}", float_predicate(*op)), lanes),
                    Type::I32(lanes) => (format!("cmpi {}", int_predicate(*op)), lanes),
                    Type::Index => (format!("cmpi {}", int_predicate(*op)), 1),
                    other => return Err(format!("comparison of {other:?}")),
                };
                let (a, b) = (self.get(*a)?, self.typed(*b, ty)?);
                let ty = mlir_type(ty)?;
                (
                    format!("arith.{comparison}, {a}, {b} : {ty}"),
                    Type::Mask(lanes),
                )
            }
            Operation::MaskAnd(a, b) => {
                let Type::Mask(lanes) = self.ty(*a)? else {
                    return Err(format!("value {} is no mask", a.0));
                };
                let (a, b) = (self.get(*a)?, self.typed(*b, Type::Mask(lanes))?);
                let ty = lanes_of("i1", lanes)?;
                (format!("arith.andi {a}, {b} : {ty}"), Type::Mask(lanes))
            }
            Operation::Select(mask, a, b) => {
                let ty = self.ty(*a)?;
                let lanes = match ty {
                    Type::F32(lanes) | Type::I32(lanes) => lanes,
                    Type::Index => 1,
                    other => return Err(format!("selection of {other:?}")),
                };
                let mask = self.typed(*mask, Type::Mask(lanes))?;
                let (a, b) = (self.get(*a)?, self.typed(*b, ty)?);
                let element = match ty {
                    Type::F32(_) => "f32",
                    Type::I32(_) => "i32",
                    _ => "i64",
                };
                (select(&mask, &a, &b, element, lanes)?, ty)
            }
            Operation::SumLanes(x) => return self.fold(*x, FloatBinary::Add),
            Operation::MaxLanes(x) => return self.fold(*x, FloatBinary::Max),
            Operation::RoundBf16(x) => {
                let (x, lanes) = self.floats(*x)?;
                let bits = self.rounded_bits(&x, lanes)?;
                let (i, f) = (lanes_of("i32", lanes)?, lanes_of("f32", lanes)?);
                let keep = self.int(UPPER, lanes)?;
                let bits = self.temporary(&format!("arith.andi {bits}, {keep} : {i}"));
                (
                    format!("arith.bitcast {bits} : {i} to {f}"),
                    Type::F32(lanes),
                )
            }
            Operation::DotPairs(acc, a, b) => self.dot_pairs(*acc, *a, *b)?,
            Operation::Shuffle(a, b, pattern) => self.shuffle(*a, *b, pattern)?,
            other => return Err(format!("{other:?} is not lane-wise")),
        };
        Ok((Term::Expression(expression), ty))
    }

    fn floats(&self, x: ValueId) -> Result<(String, u32), String> {
        match self.ty(x)? {
            Type::F32(lanes) => Ok((self.get(x)?, lanes)),
            other => Err(format!("value {} is {other:?}, not F32", x.0)),
        }
    }

    fn ints(&self, x: ValueId) -> Result<(String, u32), String> {
        match self.ty(x)? {
            Type::I32(lanes) => Ok((self.get(x)?, lanes)),
            other => Err(format!("value {} is {other:?}, not I32", x.0)),
        }
    }

    fn float_binary(
        &mut self,
        op: FloatBinary,
        a: &str,
        b: &str,
        lanes: u32,
    ) -> Result<String, String> {
        let ty = lanes_of("f32", lanes)?;
        let name = match op {
            FloatBinary::Add => "addf",
            FloatBinary::Sub => "subf",
            FloatBinary::Mul => "mulf",
            FloatBinary::Div => "divf",
            // These forms are one instruction each, and give b if either is NaN.
            FloatBinary::Min | FloatBinary::Max => {
                let order = match op {
                    FloatBinary::Min => "olt",
                    _ => "ogt",
                };
                let mask = self.temporary(&format!("arith.cmpf {order}, {a}, {b} : {ty}"));
                return select(&mask, a, b, "f32", lanes);
            }
        };
        Ok(format!("arith.{name} {a}, {b} : {ty}"))
    }

    fn ramp(&mut self, base: ValueId, lanes: u32) -> Result<(String, Type), String> {
        let base = self.typed(base, Type::Index)?;
        let narrow = format!("arith.trunci {base} : i64 to i32");
        if lanes == 1 {
            return Ok((narrow, Type::I32(1)));
        }
        let ty = lanes_of("i32", lanes)?;
        let narrow = self.temporary(&narrow);
        let all = self.temporary(&format!("vector.broadcast {narrow} : i32 to {ty}"));
        let steps = self.steps(lanes)?;
        Ok((
            format!("arith.addi {all}, {steps} : {ty}"),
            Type::I32(lanes),
        ))
    }

    /// Where the conversion itself means nothing, another lane is chosen.
    fn float_to_int(&mut self, x: ValueId) -> Result<(String, Type), String> {
        let (x, lanes) = self.floats(x)?;
        let (f, i) = (lanes_of("f32", lanes)?, lanes_of("i32", lanes)?);
        let mut result = self.temporary(&format!("arith.fptosi {x} : {f} to {i}"));
        for (order, limit, saturated) in [
            ("oge", 2_147_483_648.0, i32::MAX),
            ("olt", -2_147_483_648.0, i32::MIN),
        ] {
            let limit = self.float(limit, lanes)?;
            let beyond = self.temporary(&format!("arith.cmpf {order}, {x}, {limit} : {f}"));
            let saturated = self.int(saturated, lanes)?;
            result = self.temporary(&select(&beyond, &saturated, &result, "i32", lanes)?);
        }
        let is_nan = self.temporary(&format!("arith.cmpf uno, {x}, {x} : {f}"));
        let zero = self.int(0, lanes)?;
        Ok((
            select(&is_nan, &zero, &result, "i32", lanes)?,
            Type::I32(lanes),
        ))
    }

    /// The order of additions is written out, so that it is nobody's choice.
    fn fold(&mut self, x: ValueId, op: FloatBinary) -> Result<(Term, Type), String> {
        let (mut x, mut lanes) = self.floats(x)?;
        if lanes == 1 {
            return Ok((Term::Known(x), Type::F32(1)));
        }
        if !lanes.is_power_of_two() {
            return Err("a fold of lanes that are not a power of two".to_owned());
        }
        while lanes > 2 {
            let half = lanes / 2;
            let ty = format!("vector<{lanes}xf32>");
            let [low, high] = [0..half, half..lanes].map(|range| {
                let list: Vec<String> = range.map(|lane| lane.to_string()).collect();
                self.temporary(&format!(
                    "vector.shuffle {x}, {x} [{}] : {ty}, {ty}",
                    list.join(", ")
                ))
            });
            let sum = self.pair(op, &low, &high, &format!("vector<{half}xf32>"), half)?;
            x = self.temporary(&sum);
            lanes = half;
        }
        let [first, second] = [0, 1].map(|lane| {
            self.temporary(&format!(
                "vector.extract {x}[{lane}] : f32 from vector<2xf32>"
            ))
        });
        let result = self.pair(op, &first, &second, "f32", 1)?;
        Ok((Term::Expression(result), Type::F32(1)))
    }

    fn pair(
        &mut self,
        op: FloatBinary,
        a: &str,
        b: &str,
        ty: &str,
        lanes: u32,
    ) -> Result<String, String> {
        if op != FloatBinary::Max {
            return Ok(format!("arith.addf {a}, {b} : {ty}"));
        }
        let mask = self.temporary(&format!("arith.cmpf ogt, {a}, {b} : {ty}"));
        Ok(match lanes {
            1 => format!("arith.select {mask}, {a}, {b} : f32"),
            _ => format!("arith.select {mask}, {a}, {b} : vector<{lanes}xi1>, {ty}"),
        })
    }

    fn shuffle(
        &mut self,
        a: ValueId,
        b: ValueId,
        pattern: &[u32],
    ) -> Result<(String, Type), String> {
        let ty = self.ty(a)?;
        let (lanes, element) = match ty {
            Type::F32(lanes) if lanes > 1 => (lanes, "f32"),
            Type::I32(lanes) if lanes > 1 => (lanes, "i32"),
            other => return Err(format!("shuffle of {other:?}")),
        };
        let (a, b) = (self.get(a)?, self.typed(b, ty)?);
        if pattern.iter().any(|lane| *lane >= 2 * lanes) {
            return Err("a shuffle picks a lane that does not exist".to_owned());
        }
        let count = pattern.len() as u32;
        let result = match ty {
            Type::F32(_) => Type::F32(count),
            _ => Type::I32(count),
        };
        mlir_type(result)?;
        let text = mlir_type(ty)?;
        if let [lane] = *pattern {
            let from = if lane < lanes { a } else { b };
            let lane = lane % lanes;
            return Ok((
                format!("vector.extract {from}[{lane}] : {element} from {text}"),
                result,
            ));
        }
        let list: Vec<String> = pattern.iter().map(u32::to_string).collect();
        Ok((
            format!(
                "vector.shuffle {a}, {b} [{}] : {text}, {text}",
                list.join(", ")
            ),
            result,
        ))
    }

    /// Bits of x rounded to bf16 in the upper half; the lower half is arbitrary.
    fn rounded_bits(&mut self, x: &str, lanes: u32) -> Result<String, String> {
        let (f, i) = (lanes_of("f32", lanes)?, lanes_of("i32", lanes)?);
        let sixteen = self.int(16, lanes)?;
        let one = self.int(1, lanes)?;
        let half = self.int(0x7fff, lanes)?;
        let quiet = self.int(0x0040_0000, lanes)?;
        let bits = self.temporary(&format!("arith.bitcast {x} : {f} to {i}"));
        let upper = self.temporary(&format!("arith.shrui {bits}, {sixteen} : {i}"));
        let odd = self.temporary(&format!("arith.andi {upper}, {one} : {i}"));
        let bias = self.temporary(&format!("arith.addi {odd}, {half} : {i}"));
        let sum = self.temporary(&format!("arith.addi {bits}, {bias} : {i}"));
        let nan = self.temporary(&format!("arith.ori {bits}, {quiet} : {i}"));
        let is_nan = self.temporary(&format!("arith.cmpf uno, {x}, {x} : {f}"));
        Ok(self.temporary(&select(&is_nan, &nan, &sum, "i32", lanes)?))
    }

    /// An expression of a number given by its bits: zero of the same sign if it is subnormal.
    fn flushed(&mut self, bits: &str, lanes: u32) -> Result<String, String> {
        let (f, i) = (lanes_of("f32", lanes)?, lanes_of("i32", lanes)?);
        let exponent_bits = self.int(0x7f80_0000, lanes)?;
        let sign_bit = self.int(i32::MIN, lanes)?;
        let zero = self.int(0, lanes)?;
        let exponent = self.temporary(&format!("arith.andi {bits}, {exponent_bits} : {i}"));
        let tiny = self.temporary(&format!("arith.cmpi eq, {exponent}, {zero} : {i}"));
        let sign = self.temporary(&format!("arith.andi {bits}, {sign_bit} : {i}"));
        let bits = self.temporary(&select(&tiny, &sign, bits, "i32", lanes)?);
        Ok(format!("arith.bitcast {bits} : {i} to {f}"))
    }

    fn dot_pairs(
        &mut self,
        acc: ValueId,
        a: ValueId,
        b: ValueId,
    ) -> Result<(String, Type), String> {
        let (acc, lanes) = self.floats(acc)?;
        let a = self.typed(a, Type::I32(lanes))?;
        let b = self.typed(b, Type::I32(lanes))?;
        let ty = Type::F32(lanes);
        let (f, i) = (lanes_of("f32", lanes)?, lanes_of("i32", lanes)?);
        if self.bf16_dot && matches!(lanes, 4 | 8 | 16) {
            let pairs = format!("vector<{}xbf16>", 2 * lanes);
            let [a, b] =
                [a, b].map(|x| self.temporary(&format!("vector.bitcast {x} : {i} to {pairs}")));
            let bits = 32 * lanes;
            return Ok((
                format!(
                    "llvm.call_intrinsic \"llvm.x86.avx512bf16.dpbf16ps.{bits}\"({acc}, {a}, {b}) : ({f}, {pairs}, {pairs}) -> {f}"
                ),
                ty,
            ));
        }
        let upper = self.int(UPPER, lanes)?;
        let sixteen = self.int(16, lanes)?;
        let mut sum = acc;
        for half in [format!("andi %, {upper}"), format!("shli %, {sixteen}")] {
            let bits = self.temporary(&format!("arith.bitcast {sum} : {f} to {i}"));
            let start = self.flushed(&bits, lanes)?;
            let start = self.temporary(&start);
            let mut factors = Vec::new();
            for pair in [&a, &b] {
                let bits = self.temporary(&format!("arith.{} : {i}", half.replacen('%', pair, 1)));
                let factor = self.flushed(&bits, lanes)?;
                factors.push(self.temporary(&factor));
            }
            sum = self.temporary(&format!("math.fma {}, {start} : {f}", factors.join(", ")));
        }
        let bits = self.temporary(&format!("arith.bitcast {sum} : {f} to {i}"));
        Ok((self.flushed(&bits, lanes)?, ty))
    }

    fn load(
        &mut self,
        ptr: ValueId,
        offset: i64,
        dtype: DType,
        lanes: u32,
    ) -> Result<(String, Type), String> {
        let address = self.address(ptr, offset)?;
        let (element, ty) = match dtype {
            DType::F32 => ("f32", Type::F32(lanes)),
            DType::I32 => ("i32", Type::I32(lanes)),
            DType::Bf16 => ("i16", Type::F32(lanes)),
        };
        let memory = lanes_of(element, lanes)?;
        let alignment = dtype.size();
        let load = format!(
            "llvm.load {address} {{alignment = {alignment} : i64}} : !llvm.ptr -> {memory}"
        );
        if dtype != DType::Bf16 {
            return Ok((load, ty));
        }
        let (f, i) = (lanes_of("f32", lanes)?, lanes_of("i32", lanes)?);
        let half = self.temporary(&load);
        let wide = self.temporary(&format!("arith.extui {half} : {memory} to {i}"));
        let sixteen = self.int(16, lanes)?;
        let bits = self.temporary(&format!("arith.shli {wide}, {sixteen} : {i}"));
        Ok((format!("arith.bitcast {bits} : {i} to {f}"), ty))
    }

    pub(super) fn store(
        &mut self,
        ptr: ValueId,
        offset: i64,
        value: ValueId,
        dtype: DType,
    ) -> Result<(), String> {
        let ty = self.ty(value)?;
        let lanes = match (ty, dtype) {
            (Type::F32(lanes), DType::F32 | DType::Bf16) | (Type::I32(lanes), DType::I32) => lanes,
            (ty, dtype) => return Err(format!("a store of {ty:?} to {dtype:?} memory")),
        };
        let (mut name, mut text) = (self.get(value)?, mlir_type(ty)?);
        if dtype == DType::Bf16 {
            let (i, memory) = (lanes_of("i32", lanes)?, lanes_of("i16", lanes)?);
            let bits = if self.rounded.contains(&value) {
                self.temporary(&format!("arith.bitcast {name} : {text} to {i}"))
            } else {
                self.rounded_bits(&name, lanes)?
            };
            let sixteen = self.int(16, lanes)?;
            let upper = self.temporary(&format!("arith.shrui {bits}, {sixteen} : {i}"));
            name = self.temporary(&format!("arith.trunci {upper} : {i} to {memory}"));
            text = memory;
        }
        let address = self.address(ptr, offset)?;
        let alignment = dtype.size();
        self.line(&format!(
            "llvm.store {name}, {address} {{alignment = {alignment} : i64}} : {text}, !llvm.ptr"
        ));
        Ok(())
    }
}

fn select(mask: &str, a: &str, b: &str, element: &str, lanes: u32) -> Result<String, String> {
    let ty = lanes_of(element, lanes)?;
    Ok(match lanes {
        1 => format!("arith.select {mask}, {a}, {b} : {ty}"),
        _ => format!(
            "arith.select {mask}, {a}, {b} : {}, {ty}",
            lanes_of("i1", lanes)?
        ),
    })
}
