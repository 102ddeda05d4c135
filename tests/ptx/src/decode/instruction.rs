//! Instructions without memory: which operation an opcode is, and its control flow.

use std::collections::HashMap;

use super::{Binding, Decoder, Result, bits, compare, convert, float, integer};
use crate::machine::rows::Class;
use crate::machine::space::{LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW};
use crate::parse::syntax::{Instruction, Operand, Space, Type};
use crate::program::{Constant, NONE, Op, Pure, pure};

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

    fn type_at(&self, i: &Instruction, part: usize) -> Result<Type> {
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

    fn label(&self, name: &str) -> Result<usize> {
        match self.lookup(name) {
            Some(&Binding::Label(label)) => Ok(label),
            _ => self.error(format!("`{name}` is not a label")),
        }
    }

    fn branch_table(&mut self, i: &Instruction) -> Result<()> {
        let Operand::Name(name, 0) = self.operand(i, 1)? else {
            return self.unknown(i);
        };
        let Some(Binding::Targets(names)) = self.lookup(name).cloned() else {
            return self.error(format!("`{name}` is not a list of branch targets"));
        };
        let mut targets = Vec::new();
        for name in &names {
            targets.push(self.label(name)? as u32);
        }
        let index = self.value(self.operand(i, 0)?, Class::Narrow)?;
        self.emit(
            Op::BranchTable(targets.into()),
            [NONE, index, NONE, NONE, NONE],
        );
        Ok(())
    }

    /// Expands the function in place; its parameters are the caller's parameter variables.
    fn call(&mut self, i: &Instruction) -> Result<()> {
        let mut groups = Vec::new();
        let mut name = None;
        for operand in &i.operands {
            match operand {
                Operand::Group(list) => groups.push((name.is_some(), list)),
                Operand::Name(word, 0) if name.is_none() => name = Some(word),
                _ => return self.error("only direct calls are supported"),
            }
        }
        let Some(name) = name else {
            return self.error("`call` without a function");
        };
        let source = self.source;
        let found = source
            .functions
            .iter()
            .find(|f| f.name == *name && f.body.is_some());
        let Some(function) = found else {
            return self.error(format!(
                "`{name}` has no body in this module: only direct calls are supported"
            ));
        };
        if self.calls.iter().any(|(active, _)| active == name) {
            return self.error(format!("`{name}` calls itself, which is not supported"));
        }
        let mut scope = HashMap::new();
        for (is_argument, list) in groups {
            let formal = if is_argument {
                &function.params
            } else {
                &function.returns
            };
            if formal.len() != list.len() {
                return self.error(format!(
                    "`{name}` is called with {} parameters, but has {}",
                    list.len(),
                    formal.len()
                ));
            }
            for (variable, operand) in formal.iter().zip(list) {
                let Operand::Name(actual, 0) = operand else {
                    return self.error("parameters of a call must be `.param` variables");
                };
                let place = self.place(actual)?;
                scope.insert(variable.name.clone(), Binding::Place(place));
            }
        }
        let behind = self.new_label();
        let guard = self.guard;
        if guard.0 != NONE {
            // Threads that do not call go past the whole body.
            self.guard = (guard.0, !guard.1);
            self.emit(Op::Branch(behind as u32), [NONE; 5]);
            self.guard = (NONE, false);
        }
        let outer = std::mem::take(&mut self.scopes);
        self.scopes = vec![outer[0].clone(), scope];
        self.calls.push((name.clone(), behind));
        self.body(function.body.as_deref().unwrap_or_default())?;
        self.calls.pop();
        self.scopes = outer;
        self.place_label(behind);
        self.guard = guard;
        Ok(())
    }

    /// `setp.CMP{.BOOL}{.ftz}.type p{|q}, a, b{, c}`.
    fn compare_predicate(&mut self, i: &Instruction) -> Result<()> {
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
    fn compare_value(&mut self, i: &Instruction) -> Result<()> {
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

    fn convert(&mut self, i: &Instruction) -> Result<()> {
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
    fn convert_address(&mut self, i: &Instruction) -> Result<()> {
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
    fn carry(&mut self, i: &Instruction) -> Result<()> {
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
