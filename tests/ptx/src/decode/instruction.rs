//! Instructions without memory: which operation an opcode is, and its control flow.

use super::{Decoder, Result, bits, compare, float, integer};
use crate::machine::rows::Class;
use crate::parse::syntax::{Instruction, Operand, Space, Type};
use crate::program::{NONE, Op, Pure, pure};

/// Opcodes that only order memory, or hint.
const FENCES: [&str; 4] = ["membar", "fence", "griddepcontrol", "nanosleep"];

impl Decoder<'_> {
    pub(super) fn instruction(&mut self, i: &Instruction) -> Result<()> {
        let parts = &i.opcode;
        match parts[0].as_str() {
            "mov" => self.mov(i),
            "bra" => {
                let Some(Operand::Name(name, 0)) = i.operands.first() else {
                    return self.error("`bra` needs a label");
                };
                let label = self.label(name)?;
                self.emit(Op::Branch(label as u32), [NONE; 5]);
                Ok(())
            }
            "brx" => self.branch_table(i),
            "ret" => {
                match self.calls.last() {
                    Some(&(_, label)) => self.emit(Op::Branch(label as u32), [NONE; 5]),
                    None => self.emit(Op::Exit, [NONE; 5]),
                }
                Ok(())
            }
            "exit" => {
                self.emit(Op::Exit, [NONE; 5]);
                Ok(())
            }
            "trap" | "brkpt" => {
                self.emit(Op::Trap, [NONE; 5]);
                Ok(())
            }
            "call" => self.call(i),
            "setp" => self.compare_predicate(i),
            "set" => self.compare_value(i),
            "selp" => {
                let ty = self.last_type(i)?;
                let pure = compare::select(ty);
                self.table(i, pure)
            }
            "slct" => {
                let of = self.last_type(i)?;
                let ty = self.type_at(i, parts.len() - 2)?;
                let pure = compare::by_sign(ty, of, parts.iter().any(|part| part == "ftz"));
                self.table(i, pure)
            }
            "cvt" => self.convert(i),
            "cvta" => self.convert_address(i),
            "testp" => {
                let ty = self.last_type(i)?;
                self.table(i, float::test(&parts[1], ty))
            }
            "lop3" if parts.len() == 2 => self.table(i, Some(bits::lop3())),
            "addc" | "subc" => self.carry(i),
            "add" | "sub" if parts[1] == "cc" => self.carry(i),
            name if FENCES.contains(&name) => {
                let op = if self.is_proxy_fence(i)? {
                    Op::ProxyFence
                } else {
                    Op::Fence
                };
                self.emit(op, [NONE; 5]);
                Ok(())
            }
            _ => {
                if self.memory(i)?
                    || self.synchronisation(i)?
                    || self.asynchronous(i)?
                    || self.tensor(i)?
                {
                    return Ok(());
                }
                let pure = self.arithmetic(i);
                self.table(i, pure)
            }
        }
    }

    fn arithmetic(&self, i: &Instruction) -> Option<Pure> {
        let (last, front) = i.opcode.split_last()?;
        let ty = Type::named(last)?;
        integer::find(&front.join("."), ty).or_else(|| {
            let modifiers = float::Modifiers::parse(&front[1..])?;
            float::find(&front[0], modifiers, ty)
        })
    }

    pub(super) fn unknown<T>(&self, i: &Instruction) -> Result<T> {
        self.error(format!("`{}` is not supported", i.opcode.join(".")))
    }

    pub(super) fn last_type(&self, i: &Instruction) -> Result<Type> {
        self.type_at(i, i.opcode.len() - 1)
    }

    pub(super) fn type_at(&self, i: &Instruction, part: usize) -> Result<Type> {
        match i.opcode.get(part).and_then(|name| Type::named(name)) {
            Some(ty) => Ok(ty),
            None => self.unknown(i),
        }
    }

    pub(super) fn operand<'i>(&self, i: &'i Instruction, index: usize) -> Result<&'i Operand> {
        match i.operands.get(index) {
            Some(operand) => Ok(operand),
            None => self.error(format!("`{}` lacks operand {index}", i.opcode.join("."))),
        }
    }

    /// Emits a pure operation on the operands in their order.
    fn table(&mut self, i: &Instruction, pure: Option<Pure>) -> Result<()> {
        let Some(pure) = pure else {
            return self.unknown(i);
        };
        if i.operands.len() != pure.sources.len() + 1 {
            return self.error(format!(
                "`{}` has {} operands, but takes {}",
                i.opcode.join("."),
                i.operands.len(),
                pure.sources.len() + 1
            ));
        }
        let mut rows = [NONE; 4];
        for (index, &class) in pure.sources.iter().enumerate() {
            rows[index] = self.value(&i.operands[index + 1], class)?;
        }
        let target = self.target(&i.operands[0], pure.result)?;
        self.emit_pure(pure, target, &rows[..pure.sources.len()]);
        Ok(())
    }

    /// `mov`, with packing and unpacking.
    fn mov(&mut self, i: &Instruction) -> Result<()> {
        let ty = self.last_type(i)?;
        let (to, from) = (self.operand(i, 0)?, self.operand(i, 1)?);
        match (to, from) {
            (to, Operand::Vector(parts)) => {
                let pure = match (ty.bytes(), parts.len()) {
                    (4, 2) => pure!(u32; a: u16, b: u16 => u32::from(b) << 16 | u32::from(a)),
                    (8, 2) => pure!(u64; a: u32, b: u32 => u64::from(b) << 32 | u64::from(a)),
                    (8, 4) => pure!(u64; a: u16, b: u16, c: u16, d: u16 =>
                        u64::from(d) << 48 | u64::from(c) << 32 | u64::from(b) << 16
                            | u64::from(a)),
                    (4, 4) => pure!(u32; a: u8, b: u8, c: u8, d: u8 =>
                        u32::from(d) << 24 | u32::from(c) << 16 | u32::from(b) << 8
                            | u32::from(a)),
                    (2, 2) => pure!(u16; a: u8, b: u8 => u16::from(b) << 8 | u16::from(a)),
                    _ => return self.unknown(i),
                };
                let mut rows = Vec::new();
                for part in parts {
                    rows.push(self.value(part, Class::Narrow)?);
                }
                let target = self.target(to, pure.result)?;
                self.emit_pure(pure, target, &rows);
            }
            (Operand::Vector(parts), from) => {
                let pieces: &[Pure] = &match (ty.bytes(), parts.len()) {
                    (4, 2) => vec![
                        pure!(u16; a: u32 => a as u16),
                        pure!(u16; a: u32 => (a >> 16) as u16),
                    ],
                    (8, 2) => vec![
                        pure!(u32; a: u64 => a as u32),
                        pure!(u32; a: u64 => (a >> 32) as u32),
                    ],
                    (8, 4) => vec![
                        pure!(u16; a: u64 => a as u16),
                        pure!(u16; a: u64 => (a >> 16) as u16),
                        pure!(u16; a: u64 => (a >> 32) as u16),
                        pure!(u16; a: u64 => (a >> 48) as u16),
                    ],
                    (4, 4) => vec![
                        pure!(u8; a: u32 => a as u8),
                        pure!(u8; a: u32 => (a >> 8) as u8),
                        pure!(u8; a: u32 => (a >> 16) as u8),
                        pure!(u8; a: u32 => (a >> 24) as u8),
                    ],
                    _ => return self.unknown(i),
                };
                let row = self.value(from, pieces[0].sources[0])?;
                for (part, pure) in parts.iter().zip(pieces) {
                    if *part != Operand::Sink {
                        let target = self.target(part, Class::Narrow)?;
                        self.emit_pure(*pure, target, &[row]);
                    }
                }
            }
            (to, Operand::Name(name, 0)) if is_clock(name) => {
                let class = self.class(ty)?;
                let target = self.target(to, class)?;
                self.emit(Op::Clock(class), [target, NONE, NONE, NONE, NONE]);
            }
            _ => {
                self.moving = true;
                let done = self.table(i, bits::find("mov", ty));
                self.moving = false;
                return done;
            }
        }
        Ok(())
    }

    /// Whether a fence makes writes visible to the asynchronous proxy.
    fn is_proxy_fence(&self, i: &Instruction) -> Result<bool> {
        if i.opcode[0] != "fence" {
            return Ok(false);
        }
        match (i.opcode[1].as_str(), i.opcode.get(2).map(String::as_str)) {
            ("proxy", Some("async" | "async::generic")) | ("mbarrier_init", _) => Ok(true),
            // Tensor maps do not change while a kernel runs.
            ("proxy", Some("alias" | "tensormap::generic")) => Ok(false),
            ("proxy", _) => self.unknown(i),
            _ => Ok(false),
        }
    }

    /// The space that an opcode's part names.
    pub(super) fn space(part: &str) -> Option<Space> {
        Some(match part {
            "global" => Space::Global,
            "shared" | "shared::cta" | "shared::cluster" => Space::Shared,
            "local" => Space::Local,
            "const" => Space::Const,
            "param" | "param::entry" | "param::func" => Space::Param,
            _ => return None,
        })
    }
}

fn is_clock(name: &str) -> bool {
    matches!(
        name,
        "%clock" | "%clock64" | "%globaltimer" | "%globaltimer_lo" | "%globaltimer_hi"
    )
}
