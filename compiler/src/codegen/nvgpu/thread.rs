//! Loop-program statements as the work of one thread: each lane of a register is a scalar.
//!
//! For expressions inside a block-level schedule. Arguments are `%arg0…` (`!llvm.ptr<1>`), extents
//! `%ext0…` (`i64`). Registers of more than one lane are read and written by vector accesses, so
//! the schedule asks for lanes only where addresses are aligned; loops and scratch it does not ask for.

use mm1_package::DType;

use super::text::Text;
use crate::loops::{
    Compare, FloatBinary, FloatUnary, Function, IndexOp, IntBinary, Operation, Stmt, Type, ValueId,
};

const PTR: &str = "!llvm.ptr<1>";

/// Names of the lanes of every value, by number; empty where a value is not defined.
pub(super) struct Lanes(Vec<Vec<String>>);

impl Lanes {
    /// The names of a value's lanes.
    pub fn of(&self, value: ValueId) -> &[String] {
        &self.0[value.0 as usize]
    }
}

/// Writes the statements of a function; `given` are its inputs.
///
/// # Errors
/// A statement that needs more than one thread's registers.
pub(super) fn print(
    text: &mut Text,
    function: &Function,
    given: &[(ValueId, Vec<String>)],
) -> Result<Lanes, String> {
    let mut names = vec![Vec::new(); function.types.len()];
    for (value, lanes) in given {
        names[value.0 as usize].clone_from(lanes);
    }
    let mut printer = Printer {
        function,
        text,
        names,
    };
    printer.block(&function.body)?;
    Ok(Lanes(printer.names))
}

struct Printer<'a> {
    function: &'a Function,
    text: &'a mut Text,
    names: Vec<Vec<String>>,
}

impl Printer<'_> {
    fn block(&mut self, body: &[Stmt]) -> Result<(), String> {
        for stmt in body {
            match stmt {
                Stmt::Let(value, operation) => {
                    let names = self.operation(*value, operation)?;
                    self.names[value.0 as usize] = names;
                }
                Stmt::Store {
                    ptr,
                    offset,
                    value,
                    dtype,
                } => self.store(*ptr, *offset, *value, *dtype)?,
                Stmt::If { condition, body } => {
                    let condition = self.one(*condition)?;
                    let (then, after) = (self.text.label(), self.text.label());
                    self.text.branch(&condition, &then, &after);
                    self.text.open(&then);
                    self.block(body)?;
                    self.text.go(&after);
                    self.text.open(&after);
                }
                Stmt::For { .. } | Stmt::TeamSync | Stmt::TileStore { .. } => {
                    return Err("a loop in an expression of one thread".to_owned());
                }
            }
        }
        Ok(())
    }

    fn lanes(&self, value: ValueId) -> Result<Vec<String>, String> {
        let names = &self.names[value.0 as usize];
        match names.is_empty() {
            true => Err(format!("value {} is read before it exists", value.0)),
            false => Ok(names.clone()),
        }
    }

    fn one(&self, value: ValueId) -> Result<String, String> {
        match &self.lanes(value)?[..] {
            [name] => Ok(name.clone()),
            lanes => Err(format!("{} lanes where one is wanted", lanes.len())),
        }
    }

    /// Applies `f` lane by lane.
    fn each(
        &mut self,
        x: ValueId,
        mut f: impl FnMut(&mut Text, &str) -> String,
    ) -> Result<Vec<String>, String> {
        let x = self.lanes(x)?;
        Ok(x.iter().map(|x| f(self.text, x)).collect())
    }

    fn pairs(
        &mut self,
        a: ValueId,
        b: ValueId,
        mut f: impl FnMut(&mut Text, &str, &str) -> String,
    ) -> Result<Vec<String>, String> {
        let (a, b) = (self.lanes(a)?, self.lanes(b)?);
        let pairs = a.iter().zip(&b);
        Ok(pairs.map(|(a, b)| f(self.text, a, b)).collect())
    }

    fn address(&mut self, ptr: ValueId, bytes: i64) -> Result<String, String> {
        let ptr = self.one(ptr)?;
        if bytes == 0 {
            return Ok(ptr);
        }
        Ok(self.text.value(format_args!(
            "llvm.getelementptr {ptr}[{bytes}] : ({PTR}) -> {PTR}, i8"
        )))
    }

    fn operation(&mut self, value: ValueId, operation: &Operation) -> Result<Vec<String>, String> {
        let one = |name: String| Ok(vec![name]);
        match operation {
            Operation::Index(number) => one(self.text.int(*number, "i64")),
            Operation::Float(number, lanes) => {
                let name = self.text.float(*number);
                Ok(vec![name; *lanes as usize])
            }
            Operation::Int(number, lanes) => {
                let name = self.text.int(i64::from(*number), "i32");
                Ok(vec![name; *lanes as usize])
            }
            Operation::Argument(number) => one(format!("%arg{number}")),
            Operation::Extent(number) => one(format!("%ext{number}")),
            Operation::IndexOp(op, a, b) => {
                let (a, b) = (self.one(*a)?, self.one(*b)?);
                let name = match op {
                    IndexOp::Add => "add",
                    IndexOp::Sub => "sub",
                    IndexOp::Mul => "mul",
                    IndexOp::Div => "udiv",
                    IndexOp::Rem => "urem",
                    IndexOp::Min => return one(self.text.least(&a, &b)),
                    IndexOp::Max => {
                        let call = format!("llvm.intr.smax({a}, {b}) : (i64, i64) -> i64");
                        return one(self.text.value(call));
                    }
                };
                one(self.text.two(name, &a, &b, "i64"))
            }
            Operation::Offset(ptr, bytes) => {
                let (ptr, bytes) = (self.one(*ptr)?, self.one(*bytes)?);
                one(self.text.value(format_args!(
                    "llvm.getelementptr {ptr}[{bytes}] : ({PTR}, i64) -> {PTR}, i8"
                )))
            }
            Operation::Load {
                ptr,
                offset,
                dtype,
                lanes,
            } => self.load(*ptr, *offset, *dtype, *lanes),
            Operation::LoadIndex { ptr, offset } => {
                let at = self.address(*ptr, *offset)?;
                let value = self.text.value(format_args!(
                    "llvm.load {at} {{alignment = 4 : i64}} : {PTR} -> i32"
                ));
                one(self
                    .text
                    .value(format_args!("llvm.sext {value} : i32 to i64")))
            }
            Operation::Splat(x, lanes) => Ok(vec![self.one(*x)?; *lanes as usize]),
            Operation::Ramp(base, lanes) => {
                let base = self.one(*base)?;
                let base = self.text.narrow(&base);
                Ok((0..i64::from(*lanes))
                    .map(|lane| match lane {
                        0 => base.clone(),
                        lane => self.text.with("add", &base, lane, "i32"),
                    })
                    .collect())
            }
            Operation::FloatUnary(op, x) => self.each(*x, |text, x| match op {
                FloatUnary::Neg => text.value(format_args!("llvm.fneg {x} : f32")),
                FloatUnary::Abs => text.value(format_args!("llvm.intr.fabs({x}) : (f32) -> f32")),
                FloatUnary::Sqrt => text.value(format_args!("llvm.intr.sqrt({x}) : (f32) -> f32")),
                FloatUnary::Nearest => {
                    text.value(format_args!("llvm.intr.roundeven({x}) : (f32) -> f32"))
                }
            }),
            Operation::FloatBinary(op, a, b) => self.pairs(*a, *b, |text, a, b| {
                let operation = match op {
                    FloatBinary::Add => "fadd",
                    FloatBinary::Sub => "fsub",
                    FloatBinary::Mul => "fmul",
                    FloatBinary::Div => "fdiv",
                    // The second operand where either is NaN.
                    FloatBinary::Min | FloatBinary::Max => {
                        let predicate = match op {
                            FloatBinary::Min => "olt",
                            _ => "ogt",
                        };
                        let first =
                            text.value(format_args!("llvm.fcmp \"{predicate}\" {a}, {b} : f32"));
                        return text.select(&first, a, b, "f32");
                    }
                };
                text.two(operation, a, b, "f32")
            }),
            Operation::Fma(a, b, c) => {
                let (a, b, c) = (self.lanes(*a)?, self.lanes(*b)?, self.lanes(*c)?);
                let all = a.iter().zip(&b).zip(&c);
                Ok(all
                    .map(|((a, b), c)| {
                        self.text.value(format_args!(
                            "llvm.intr.fma({a}, {b}, {c}) : (f32, f32, f32) -> f32"
                        ))
                    })
                    .collect())
            }
            Operation::IntBinary(op, a, b) => self.pairs(*a, *b, |text, a, b| {
                let operation = match op {
                    IntBinary::Add => "add",
                    IntBinary::Sub => "sub",
                    IntBinary::And => "and",
                    IntBinary::Or => "or",
                    IntBinary::Xor => "xor",
                    IntBinary::Shl => "shl",
                    IntBinary::ShrU => "lshr",
                };
                text.two(operation, a, b, "i32")
            }),
            Operation::Bitcast(x) => {
                let (from, to) = match self.function.ty(*x) {
                    Type::F32(_) => ("f32", "i32"),
                    _ => ("i32", "f32"),
                };
                self.each(*x, |text, x| {
                    text.value(format_args!("llvm.bitcast {x} : {from} to {to}"))
                })
            }
            // The instruction saturates and takes NaN to 0.
            Operation::FloatToInt(x) => self.each(*x, |text, x| {
                text.pure("cvt.rzi.s32.f32 $0, $1;", "=r,f", &[(x, "f32")], "i32")
            }),
            Operation::IntToFloat(x) => self.each(*x, |text, x| {
                text.value(format_args!("llvm.sitofp {x} : i32 to f32"))
            }),
            Operation::Compare(op, a, b) => {
                let ty = self.function.ty(*a);
                self.pairs(*a, *b, |text, a, b| match ty {
                    Type::F32(_) => {
                        let predicate = match op {
                            Compare::Eq => "oeq",
                            Compare::Ne => "une",
                            Compare::Lt => "olt",
                            Compare::Le => "ole",
                        };
                        text.value(format_args!("llvm.fcmp \"{predicate}\" {a}, {b} : f32"))
                    }
                    _ => {
                        let predicate = match op {
                            Compare::Eq => "eq",
                            Compare::Ne => "ne",
                            Compare::Lt => "slt",
                            Compare::Le => "sle",
                        };
                        let ty = match ty {
                            Type::Index => "i64",
                            _ => "i32",
                        };
                        text.compare(predicate, a, b, ty)
                    }
                })
            }
            Operation::MaskAnd(a, b) => {
                self.pairs(*a, *b, |text, a, b| text.two("and", a, b, "i1"))
            }
            Operation::Select(mask, a, b) => {
                let ty = match self.function.ty(value) {
                    Type::F32(_) => "f32",
                    Type::I32(_) => "i32",
                    Type::Index => "i64",
                    other => return Err(format!("a choice between values of type {other:?}")),
                };
                let mut mask = self.lanes(*mask)?;
                let (a, b) = (self.lanes(*a)?, self.lanes(*b)?);
                if mask.len() == 1 {
                    mask = vec![mask[0].clone(); a.len()];
                }
                let all = mask.iter().zip(&a).zip(&b);
                Ok(all
                    .map(|((mask, a), b)| self.text.select(mask, a, b, ty))
                    .collect())
            }
            Operation::RoundBf16(x) => self.each(*x, |text, x| {
                let short = text.value(format_args!("llvm.fptrunc {x} : f32 to bf16"));
                text.value(format_args!("llvm.fpext {short} : bf16 to f32"))
            }),
            // Every lowering names its scratch; only a use of it is an error.
            Operation::Scratch => Ok(Vec::new()),
            Operation::TileBegin
            | Operation::TileEnd
            | Operation::SumLanes(_)
            | Operation::MaxLanes(_)
            | Operation::DotPairs(..)
            | Operation::TileZero
            | Operation::TileLoad { .. }
            | Operation::TileDot(..)
            | Operation::Member
            | Operation::TeamSum(_)
            | Operation::TeamMax(_)
            | Operation::Shuffle(..) => {
                Err(format!("{operation:?} in an expression of one thread"))
            }
        }
    }

    fn load(
        &mut self,
        ptr: ValueId,
        offset: i64,
        dtype: DType,
        lanes: u32,
    ) -> Result<Vec<String>, String> {
        if lanes == 1 {
            let at = self.address(ptr, offset)?;
            let (ty, align) = match dtype {
                DType::F32 => ("f32", 4),
                DType::I32 => ("i32", 4),
                DType::Bf16 => ("bf16", 2),
            };
            let value = self.text.value(format_args!(
                "llvm.load {at} {{alignment = {align} : i64}} : {PTR} -> {ty}"
            ));
            return Ok(vec![match dtype {
                DType::Bf16 => self
                    .text
                    .value(format_args!("llvm.fpext {value} : bf16 to f32")),
                DType::F32 | DType::I32 => value,
            }]);
        }
        let words = match dtype {
            DType::Bf16 => lanes / 2,
            DType::F32 | DType::I32 => lanes,
        };
        let element = match dtype {
            DType::F32 => "f32",
            DType::I32 | DType::Bf16 => "i32",
        };
        let mut names = Vec::new();
        let mut first = 0;
        while first < words {
            let count = (words - first).min(4);
            let at = self.address(ptr, offset + 4 * i64::from(first))?;
            let ty = format!("vector<{count}x{element}>");
            let vector = self.text.value(format_args!(
                "llvm.load {at} {{alignment = {} : i64}} : {PTR} -> {ty}",
                4 * count
            ));
            for lane in 0..count {
                let number = self.text.int(i64::from(lane), "i32");
                let word = self.text.value(format_args!(
                    "llvm.extractelement {vector}[{number} : i32] : {ty}"
                ));
                match dtype {
                    DType::Bf16 => {
                        let low = self.text.with("shl", &word, 16, "i32");
                        let high = self.text.with("and", &word, -65536, "i32");
                        for half in [low, high] {
                            names.push(
                                self.text
                                    .value(format_args!("llvm.bitcast {half} : i32 to f32")),
                            );
                        }
                    }
                    DType::F32 | DType::I32 => names.push(word),
                }
            }
            first += count;
        }
        Ok(names)
    }

    fn store(
        &mut self,
        ptr: ValueId,
        offset: i64,
        value: ValueId,
        dtype: DType,
    ) -> Result<(), String> {
        let lanes = self.lanes(value)?;
        if let [name] = &lanes[..] {
            let at = self.address(ptr, offset)?;
            let (name, ty, align) = match dtype {
                DType::F32 => (name.clone(), "f32", 4),
                DType::I32 => (name.clone(), "i32", 4),
                DType::Bf16 => {
                    let short = self
                        .text
                        .value(format_args!("llvm.fptrunc {name} : f32 to bf16"));
                    (short, "bf16", 2)
                }
            };
            self.text.line(format_args!(
                "llvm.store {name}, {at} {{alignment = {align} : i64}} : {ty}, {PTR}"
            ));
            return Ok(());
        }
        let (words, element) = match dtype {
            DType::F32 => (lanes, "f32"),
            DType::I32 => (lanes, "i32"),
            DType::Bf16 => (pack(self.text, &lanes), "i32"),
        };
        for (number, words) in words.chunks(4).enumerate() {
            let at = self.address(ptr, offset + 16 * number as i64)?;
            let (vector, ty) = gather(self.text, words, element);
            self.text.line(format_args!(
                "llvm.store {vector}, {at} {{alignment = {} : i64}} : {ty}, {PTR}",
                4 * words.len()
            ));
        }
        Ok(())
    }
}

/// Pairs of f32 as words of two bf16, the even one low; nearest even.
pub(super) fn pack(text: &mut Text, lanes: &[String]) -> Vec<String> {
    lanes
        .chunks(2)
        .map(|pair| {
            text.pure(
                "cvt.rn.bf16x2.f32 $0, $1, $2;",
                "=r,f,f",
                &[(&pair[1], "f32"), (&pair[0], "f32")],
                "i32",
            )
        })
        .collect()
}

/// A vector of scalars, and its type.
pub(super) fn gather(text: &mut Text, words: &[String], element: &str) -> (String, String) {
    let ty = format!("vector<{}x{element}>", words.len());
    let mut vector = text.value(format_args!("llvm.mlir.poison : {ty}"));
    for (lane, word) in words.iter().enumerate() {
        let number = text.int(lane as i64, "i32");
        vector = text.value(format_args!(
            "llvm.insertelement {word}, {vector}[{number} : i32] : {ty}"
        ));
    }
    (vector, ty)
}
