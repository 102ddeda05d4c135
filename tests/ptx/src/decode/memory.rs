//! Loads, stores and atomics.

use super::{Decoder, Result};
use crate::machine::rows::Class;
use crate::parse::syntax::{Instruction, Operand, Space, Type};
use crate::program::{Access, Atomic, AtomicKind, NONE, Op};

impl Decoder<'_> {
    /// Decodes `i` if it is a memory instruction.
    pub(super) fn memory(&mut self, i: &Instruction) -> Result<bool> {
        match i.opcode[0].as_str() {
            "ld" | "ldu" => self.load(i)?,
            "st" => self.store(i)?,
            "atom" | "red" => self.atomic(i)?,
            // Hints about caches.
            "prefetch" | "prefetchu" | "applypriority" | "discard" | "createpolicy" => {
                if i.opcode[0] == "createpolicy" {
                    return self.unknown(i).map(|()| true);
                }
                self.emit(Op::Nop, [NONE; 5]);
            }
            "isspacep" => {
                let Some(space) = Self::space(&i.opcode[1]) else {
                    return self.unknown(i).map(|()| true);
                };
                let address = self.value(self.operand(i, 1)?, Class::Wide)?;
                let target = self.target(self.operand(i, 0)?, Class::Predicate)?;
                self.emit(Op::IsSpace(space), [target, address, NONE, NONE, NONE]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Space, element type and number of elements of `ld` and `st`.
    fn shape(&mut self, i: &Instruction) -> Result<(Space, Type, usize)> {
        let mut space = Space::Generic;
        let mut count = 1;
        let ty = self.last_type(i)?;
        for part in &i.opcode[1..i.opcode.len() - 1] {
            match part.as_str() {
                "v2" => count = 2,
                "v4" => count = 4,
                "v8" => count = 8,
                // Order and scope: the emulator's memory is in order.
                "volatile" | "relaxed" | "acquire" | "release" | "weak" | "mmio" => {
                    self.ordered |= part != "weak" && !matches!(space, Space::Shared);
                }
                "cta" | "cluster" | "gpu" | "sys" => {}
                "nc" | "ca" | "cg" | "cs" | "lu" | "cv" | "wb" | "wt" | "unified" => {}
                hint if hint.starts_with("L1::") || hint.starts_with("L2::") => {
                    if hint == "L2::cache_hint" {
                        return self.error("`L2::cache_hint` is not supported");
                    }
                }
                part => match Self::space(part) {
                    Some(found) => space = found,
                    None => return self.unknown(i),
                },
            }
        }
        Ok((space, ty, count))
    }

    fn elements(
        &mut self,
        i: &Instruction,
        operand: &Operand,
        count: usize,
    ) -> Result<Vec<Operand>> {
        match operand {
            Operand::Vector(list) if list.len() == count => Ok(list.clone()),
            operand if count == 1 => Ok(vec![operand.clone()]),
            _ => self.error(format!("`{}` needs {count} registers", i.opcode.join("."))),
        }
    }

    /// The space of an access: a device function's parameters are in local memory.
    fn access_space(&self, space: Space, found: Option<Space>) -> Result<Space> {
        match (space, found) {
            (Space::Param, Some(Space::Local)) => Ok(Space::Local),
            (Space::Const, Some(Space::Global)) => Ok(Space::Const),
            (Space::Generic, Some(found)) => Ok(found),
            (space, Some(found)) if space != found => self.error(format!(
                "a variable of space {found:?} is accessed as {space:?}"
            )),
            (space, _) => Ok(space),
        }
    }

    fn load(&mut self, i: &Instruction) -> Result<()> {
        let (space, ty, count) = self.shape(i)?;
        let operands = self.elements(i, self.operand(i, 0)?, count)?;
        let mut elements = Vec::new();
        for operand in &operands {
            elements.push(self.any_register(operand)?);
        }
        let (address, found) = self.address(self.operand(i, 1)?)?;
        let space = self.access_space(space, found)?;
        self.check_elements(ty, &elements)?;
        let (bytes, signed) = (ty.bytes(), ty.signed());
        self.emit(
            Op::Load(Box::new(Access {
                space,
                bytes,
                signed,
                elements,
                address,
            })),
            [NONE; 5],
        );
        Ok(())
    }

    fn check_elements(&self, ty: Type, elements: &[(u32, Class)]) -> Result<()> {
        let fits = |class: &Class| match class {
            Class::Predicate => false,
            Class::Narrow => ty.bytes() <= 4,
            Class::Wide => ty.bytes() <= 8,
        };
        if elements
            .iter()
            .any(|(slot, class)| *slot != NONE && !fits(class))
        {
            return self.error(format!("a register is narrower than {ty:?}"));
        }
        Ok(())
    }

    fn store(&mut self, i: &Instruction) -> Result<()> {
        let (space, ty, count) = self.shape(i)?;
        let operands = self.elements(i, self.operand(i, 1)?, count)?;
        let mut elements = Vec::new();
        for operand in &operands {
            let element = match operand {
                Operand::Name(..) => match self.any_register(operand) {
                    Ok(register) => register,
                    Err(_) => {
                        let class = self.class(ty)?;
                        (self.value(operand, class)?, class)
                    }
                },
                _ => {
                    let class = self.class(ty)?;
                    (self.value(operand, class)?, class)
                }
            };
            elements.push(element);
        }
        self.check_elements(ty, &elements)?;
        let (address, found) = self.address(self.operand(i, 0)?)?;
        let space = self.access_space(space, found)?;
        if space == Space::Const || space == Space::Param {
            return self.error(format!("{space:?} memory cannot be written"));
        }
        let access = Access {
            space,
            bytes: ty.bytes(),
            signed: false,
            elements,
            address,
        };
        self.emit(Op::Store(Box::new(access)), [NONE; 5]);
        Ok(())
    }

    /// `atom{.sem}{.scope}{.space}.op.type d, [a], b{, c}` and `red`.
    fn atomic(&mut self, i: &Instruction) -> Result<()> {
        let ty = self.last_type(i)?;
        let mut space = Space::Generic;
        let mut kind = None;
        let signed = ty.signed();
        for part in &i.opcode[1..i.opcode.len() - 1] {
            match part.as_str() {
                "relaxed" | "acquire" | "release" | "acq_rel" | "cta" | "cluster" | "gpu"
                | "sys" => {}
                "add" => kind = Some(AtomicKind::Add),
                "and" => kind = Some(AtomicKind::And),
                "or" => kind = Some(AtomicKind::Or),
                "xor" => kind = Some(AtomicKind::Xor),
                "exch" => kind = Some(AtomicKind::Exchange),
                "cas" => kind = Some(AtomicKind::CompareAndSwap),
                "min" if signed => kind = Some(AtomicKind::MinSigned),
                "min" => kind = Some(AtomicKind::MinUnsigned),
                "max" if signed => kind = Some(AtomicKind::MaxSigned),
                "max" => kind = Some(AtomicKind::MaxUnsigned),
                "inc" => kind = Some(AtomicKind::Increment),
                "dec" => kind = Some(AtomicKind::Decrement),
                part => match Self::space(part) {
                    Some(found) => space = found,
                    None => return self.unknown(i),
                },
            }
        }
        let Some(kind) = kind else {
            return self.unknown(i);
        };
        if space != Space::Shared {
            self.ordered = true;
        }
        let class = self.class(ty)?;
        let returns = i.opcode[0] == "atom";
        let at = usize::from(returns);
        let (address, found) = self.address(self.operand(i, at)?)?;
        let space = self.access_space(space, found)?;
        let value = self.value(self.operand(i, at + 1)?, class)?;
        let other = match kind {
            AtomicKind::CompareAndSwap => self.value(self.operand(i, at + 2)?, class)?,
            _ => NONE,
        };
        let result = if returns {
            self.target(self.operand(i, 0)?, class)?
        } else {
            NONE
        };
        let refused = matches!(
            ty,
            Type::F16 | Type::F16x2 | Type::Bf16 | Type::Bf16x2 | Type::F32 | Type::F64
        );
        if ty.bytes() < 4 && !refused {
            return self.unknown(i);
        }
        let bytes = ty.bytes();
        let atomic = Atomic {
            space,
            bytes,
            kind,
            result,
            class,
            value,
            other,
            address,
            refused,
        };
        self.emit(Op::Atomic(Box::new(atomic)), [NONE; 5]);
        Ok(())
    }
}
