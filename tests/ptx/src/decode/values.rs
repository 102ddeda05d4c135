//! Comparisons, conversions of values and addresses, and sums with a carry.

use super::{Binding, Decoder, Result, compare, convert};
use crate::machine::rows::Class;
use crate::machine::space::{LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW};
use crate::parse::syntax::{Instruction, Operand, Type};
use crate::program::{Constant, pure};

impl Decoder<'_> {
    /// `setp.CMP{.BOOL}{.ftz}.type p{|q}, a, b{, c}`.
    pub(super) fn compare_predicate(&mut self, i: &Instruction) -> Result<()> {
        let result = self.comparison(i)?;
        let (p, q) = match self.operand(i, 0)? {
            Operand::Pair(p, q) => (p.as_ref(), Some(q.as_ref())),
            p => (p, None),
        };
        let copy = pure!(bool; a: bool => a);
        let target = self.target(p, Class::Predicate)?;
        self.emit_pure(copy, target, &[result.0]);
        if let Some(q) = q {
            let target = self.target(q, Class::Predicate)?;
            self.emit_pure(copy, target, &[result.1]);
        }
        Ok(())
    }

    /// The rows of a comparison and of its opposite, each joined with the third operand.
    fn comparison(&mut self, i: &Instruction) -> Result<(u32, u32)> {
        let ty = self.last_type(i)?;
        let mut ftz = false;
        let mut join = None;
        for part in &i.opcode[2..i.opcode.len() - 1] {
            match part.as_str() {
                "ftz" => ftz = true,
                "and" | "or" | "xor" => join = compare::combine(part),
                // The result type of `set`.
                "u32" | "s32" | "f32" if i.opcode[0] == "set" => {}
                _ => return self.unknown(i),
            }
        }
        let Some(pure) = compare::find(&i.opcode[1], ty, ftz) else {
            return self.unknown(i);
        };
        let a = self.value(self.operand(i, 1)?, pure.sources[0])?;
        let b = self.value(self.operand(i, 2)?, pure.sources[1])?;
        let plain = self.new_row(Class::Predicate);
        self.emit_pure(pure, plain, &[a, b]);
        let opposite = self.new_row(Class::Predicate);
        self.emit_pure(pure!(bool; a: bool => !a), opposite, &[plain]);
        let Some(join) = join else {
            return Ok((plain, opposite));
        };
        let with = match self.operand(i, 3)? {
            Operand::Not(name) => {
                let row = self.register(name, Class::Predicate)?;
                let negated = self.new_row(Class::Predicate);
                self.emit_pure(pure!(bool; a: bool => !a), negated, &[row]);
                negated
            }
            operand => self.value(operand, Class::Predicate)?,
        };
        self.emit_pure(join, plain, &[plain, with]);
        self.emit_pure(join, opposite, &[opposite, with]);
        Ok((plain, opposite))
    }

    /// `set.CMP.dtype.stype d, a, b`: all ones, or 1.0.
    pub(super) fn compare_value(&mut self, i: &Instruction) -> Result<()> {
        let ty = self.type_at(i, i.opcode.len() - 2)?;
        let (plain, _) = self.comparison(i)?;
        let pure = match ty {
            Type::U32 | Type::S32 => pure!(u32; a: bool => if a { u32::MAX } else { 0 }),
            Type::F32 => pure!(f32; a: bool => if a { 1.0 } else { 0.0 }),
            _ => return self.unknown(i),
        };
        let target = self.target(self.operand(i, 0)?, Class::Narrow)?;
        self.emit_pure(pure, target, &[plain]);
        Ok(())
    }

    pub(super) fn convert(&mut self, i: &Instruction) -> Result<()> {
        let count = i.opcode.len();
        if count < 3 {
            return self.unknown(i);
        }
        let (to, from) = (self.type_at(i, count - 2)?, self.last_type(i)?);
        let parts = &i.opcode[1..count - 2];
        let pure = if matches!(to, Type::Bf16x2 | Type::F16x2) && from == Type::F32 {
            convert::pack(parts, to)
        } else {
            convert::find(parts, to, from)
        };
        let Some(mut pure) = pure else {
            return self.unknown(i);
        };
        // Registers may be wider than the types; the narrow part of a wide source is taken first.
        let mut sources = Vec::new();
        for (index, &class) in pure.sources.iter().enumerate() {
            let operand = self.operand(i, index + 1)?;
            let row = match operand {
                Operand::Name(name, 0) if class == Class::Narrow => match self.lookup(name) {
                    Some(&Binding::Register(wide, Class::Wide)) => {
                        let narrow = self.new_row(Class::Narrow);
                        self.emit_pure(pure!(u32; a: u64 => a as u32), narrow, &[wide]);
                        narrow
                    }
                    _ => self.value(operand, class)?,
                },
                _ => self.value(operand, class)?,
            };
            sources.push(row);
        }
        let operand = self.operand(i, 0)?;
        if let Operand::Name(name, 0) = operand
            && let Some(&Binding::Register(wide, Class::Wide)) = self.lookup(name)
            && pure.result == Class::Narrow
        {
            let narrow = self.new_row(Class::Narrow);
            self.emit_pure(pure, narrow, &sources);
            pure = if to.signed() {
                pure!(u64; a: i32 => a as i64 as u64)
            } else {
                pure!(u64; a: u32 => a.into())
            };
            self.emit_pure(pure, wide, &[narrow]);
            return Ok(());
        }
        let target = self.target(operand, pure.result)?;
        self.emit_pure(pure, target, &sources);
        // A narrow signed result is extended by its sign in the wider register.
        match to {
            Type::S8 => self.emit_pure(pure!(i32; a: i8 => a.into()), target, &[target]),
            Type::S16 => self.emit_pure(pure!(i32; a: i16 => a.into()), target, &[target]),
            _ => {}
        }
        Ok(())
    }

    /// `cvta{.to}.space.u64`.
    pub(super) fn convert_address(&mut self, i: &Instruction) -> Result<()> {
        let to_space = i.opcode[1] == "to";
        let space = i.opcode[if to_space { 2 } else { 1 }].as_str();
        if self.last_type(i)?.bytes() != 8 {
            return self.error("generic addresses have 64 bits");
        }
        let window = match space {
            "global" | "const" => 0,
            "shared" | "shared::cta" | "shared::cluster" => SHARED_WINDOW,
            "local" => LOCAL_WINDOW,
            "param" | "param::entry" => PARAM_WINDOW,
            _ => return self.unknown(i),
        };
        let window = if to_space {
            window.wrapping_neg()
        } else {
            window
        };
        let row = self.value(self.operand(i, 1)?, Class::Wide)?;
        let target = self.target(self.operand(i, 0)?, Class::Wide)?;
        let add = self.constant(Class::Wide, Constant::Bits(window));
        self.emit_pure(
            pure!(u64; a: u64, b: u64 => a.wrapping_add(b)),
            target,
            &[row, add],
        );
        Ok(())
    }

    /// `add.cc`, `addc`, `addc.cc` and the same of `sub`; the carry of a thread is a predicate.
    pub(super) fn carry(&mut self, i: &Instruction) -> Result<()> {
        let uses = matches!(i.opcode[0].as_str(), "addc" | "subc");
        let sets = i.opcode[1] == "cc";
        let subtract = i.opcode[0].starts_with("sub");
        let ty = self.last_type(i)?;
        let class = self.class(ty)?;
        let carry = match self.carry {
            Some(row) => row,
            None => {
                let row = self.new_row(Class::Predicate);
                self.carry = Some(row);
                row
            }
        };
        let zero = self.constant(Class::Predicate, Constant::Bits(0));
        let input = if uses { carry } else { zero };
        macro_rules! pair {
            ($lane:ty) => {
                if subtract {
                    (
                        pure!($lane; a: $lane, b: $lane, c: bool =>
                            a.wrapping_sub(b).wrapping_sub(c.into())),
                        pure!(bool; a: $lane, b: $lane, c: bool =>
                            u128::from(a) < u128::from(b) + u128::from(c)),
                    )
                } else {
                    (
                        pure!($lane; a: $lane, b: $lane, c: bool =>
                            a.wrapping_add(b).wrapping_add(c.into())),
                        pure!(bool; a: $lane, b: $lane, c: bool =>
                            u128::from(a) + u128::from(b) + u128::from(c)
                                > u128::from(<$lane>::MAX)),
                    )
                }
            };
        }
        let (value, out) = match class {
            Class::Narrow if ty.bytes() == 4 => pair!(u32),
            Class::Wide => pair!(u64),
            _ => return self.unknown(i),
        };
        let a = self.value(self.operand(i, 1)?, class)?;
        let b = self.value(self.operand(i, 2)?, class)?;
        let target = self.target(self.operand(i, 0)?, class)?;
        let next = self.new_row(Class::Predicate);
        if sets {
            self.emit_pure(out, next, &[a, b, input]);
        }
        self.emit_pure(value, target, &[a, b, input]);
        if sets {
            self.emit_pure(pure!(bool; a: bool => a), carry, &[next]);
        }
        Ok(())
    }
}
