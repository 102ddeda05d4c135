//! Tensor cores: `ldmatrix`, `stmatrix`, `mma.sync`, `wgmma`.

use super::{Decoder, Result};
use crate::machine::rows::Class;
use crate::parse::syntax::{Instruction, Operand, Space};
use crate::program::{Element, MatrixAccess, Mma, NONE, Op, Wgmma};

impl Decoder<'_> {
    /// Decodes `i` if it belongs here.
    pub(super) fn tensor(&mut self, i: &Instruction) -> Result<bool> {
        let parts: Vec<&str> = i.opcode.iter().map(String::as_str).collect();
        match parts[..] {
            ["ldmatrix", "sync", "aligned", ..] | ["stmatrix", "sync", "aligned", ..] => {
                self.matrix_access(i, &parts)?;
            }
            ["mma", "sync", "aligned", ..] => self.mma(i, &parts)?,
            ["wgmma", "fence", "sync", "aligned"] => self.emit(Op::WgmmaFence, [NONE; 5]),
            ["wgmma", "commit_group", "sync", "aligned"] => self.emit(Op::WgmmaCommit, [NONE; 5]),
            ["wgmma", "wait_group", "sync", "aligned"] => {
                let count = self.immediate(self.operand(i, 0)?)?;
                self.emit(Op::WgmmaWait(count), [NONE; 5]);
            }
            ["wgmma", "mma_async", "sync", "aligned", ..] => self.wgmma(i, &parts)?,
            ["setmaxnreg", "inc" | "dec", "sync", "aligned", "u32"] => {
                let count = self.immediate(self.operand(i, 0)?)?;
                if !(24..=256).contains(&count) || !count.is_multiple_of(8) {
                    return self.error(format!(
                        "{count} registers are no multiple of 8 from 24 to 256"
                    ));
                }
                self.emit(Op::SetRegisters, [NONE; 5]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The rows of `{r, r, …}`, or of one register.
    fn registers_of(&mut self, operand: &Operand) -> Result<Vec<u32>> {
        let list = match operand {
            Operand::Vector(list) => list.clone(),
            operand => vec![operand.clone()],
        };
        list.iter()
            .map(|operand| self.value(operand, Class::Narrow))
            .collect()
    }

    fn matrix_access(&mut self, i: &Instruction, parts: &[&str]) -> Result<()> {
        let load = parts[0] == "ldmatrix";
        let mut space = Space::Generic;
        let mut count = 0;
        let mut transposed = false;
        for part in &parts[3..] {
            match *part {
                "m8n8" | "b16" => {}
                "x1" => count = 1,
                "x2" => count = 2,
                "x4" => count = 4,
                "trans" => transposed = true,
                "shared" | "shared::cta" => space = Space::Shared,
                _ => return self.unknown(i),
            }
        }
        let (at, registers_at) = if load { (1, 0) } else { (0, 1) };
        let (address, found) = self.address(self.operand(i, at)?)?;
        let registers = self.registers_of(self.operand(i, registers_at)?)?;
        if registers.len() != count {
            return self.error(format!("x{count} needs {count} registers"));
        }
        let space = found.unwrap_or(space);
        let access = Box::new(MatrixAccess {
            registers,
            address,
            space,
            transposed,
        });
        self.emit(
            if load {
                Op::LoadMatrix(access)
            } else {
                Op::StoreMatrix(access)
            },
            [NONE; 5],
        );
        Ok(())
    }

    fn element(&self, i: &Instruction, a: &str, b: &str) -> Result<Element> {
        match (a, b) {
            ("bf16", "bf16") => Ok(Element::Bf16),
            ("f16", "f16") => Ok(Element::F16),
            ("tf32", "tf32") => Ok(Element::Tf32),
            _ => self.unknown(i),
        }
    }

    /// `mma.sync.aligned.m16n8kK.row.col.f32.A.B.f32 d, a, b, c`.
    fn mma(&mut self, i: &Instruction, parts: &[&str]) -> Result<()> {
        let [_, _, _, shape, "row", "col", "f32", a, b, "f32"] = parts else {
            return self.unknown(i);
        };
        let element = self.element(i, a, b)?;
        let k = match (*shape, element) {
            ("m16n8k16", Element::F16 | Element::Bf16) => 16,
            ("m16n8k8", _) => 8,
            ("m16n8k4", Element::Tf32) => 4,
            _ => return self.unknown(i),
        };
        let [d, a, b, c] = &i.operands[..] else {
            return self.unknown(i);
        };
        let mma = Mma {
            element,
            k,
            d: self.registers_of(d)?,
            a: self.registers_of(a)?,
            b: self.registers_of(b)?,
            c: self.registers_of(c)?,
        };
        let words = (k * element.bytes() / 4) as usize;
        let counts = (mma.d.len(), mma.a.len(), mma.b.len(), mma.c.len());
        if counts != (4, words / 2, words / 4, 4) {
            return self.error(format!("{counts:?} registers do not fit `{shape}`"));
        }
        self.emit(Op::Mma(Box::new(mma)), [NONE; 5]);
        Ok(())
    }

    /// `wgmma.mma_async.sync.aligned.m64nNkK.f32.A.B d, a, b-desc, scale-d, ±1, ±1{, trans-a}{, trans-b}`.
    fn wgmma(&mut self, i: &Instruction, parts: &[&str]) -> Result<()> {
        let [_, _, _, _, shape, "f32", a, b] = parts else {
            return self.unknown(i);
        };
        let element = self.element(i, a, b)?;
        let size = shape
            .strip_prefix("m64n")
            .and_then(|rest| rest.split_once('k'));
        let Some((Ok(n), Ok(k))) = size.map(|(n, k)| (n.parse::<u32>(), k.parse::<u32>())) else {
            return self.unknown(i);
        };
        if !(8..=256).contains(&n) || !n.is_multiple_of(8) || k * element.bytes() != 32 {
            return self.unknown(i);
        }
        let d = self.registers_of(self.operand(i, 0)?)?;
        if d.len() != (n / 2) as usize {
            return self.error(format!(
                "{} accumulators, but `{shape}` has {}",
                d.len(),
                n / 2
            ));
        }
        let operand = self.operand(i, 1)?;
        let (a, a_registers) = match operand {
            Operand::Vector(_) => (NONE, self.registers_of(operand)?),
            operand => (self.value(operand, Class::Wide)?, Vec::new()),
        };
        if a == NONE && a_registers.len() != 4 {
            return self.error(format!(
                "{} registers of A, but there are 4",
                a_registers.len()
            ));
        }
        let b = self.value(self.operand(i, 2)?, Class::Wide)?;
        let accumulate = match self.operand(i, 3)? {
            Operand::Integer(value) => {
                let bits =
                    crate::program::Constant::Bits(if *value != 0 { 0xFFFF_FFFF } else { 0 });
                self.constant(Class::Predicate, bits)
            }
            operand => self.value(operand, Class::Predicate)?,
        };
        let sign = |operand: &Operand| match operand {
            Operand::Integer(1) => Some(false),
            Operand::Integer(u64::MAX) => Some(true),
            _ => None,
        };
        let signs = (sign(self.operand(i, 4)?), sign(self.operand(i, 5)?));
        let (Some(negate_a), Some(negate_b)) = signs else {
            return self.error("the scales of A and B must be 1 or -1");
        };
        let mut transposed = Vec::new();
        for operand in &i.operands[6..] {
            transposed.push(match self.immediate(operand)? {
                0 => false,
                1 => true,
                other => return self.error(format!("a transposition of {other} is not 0 or 1")),
            });
        }
        let (transpose_a, transpose_b) = match (a == NONE, element, &transposed[..]) {
            (false, Element::F16 | Element::Bf16, &[a, b]) => (a, b),
            (true, Element::F16 | Element::Bf16, &[b]) => (false, b),
            (_, Element::Tf32, []) => (false, false),
            _ => return self.unknown(i),
        };
        self.wgmma_rows.extend(&d);
        self.wgmma_rows.extend(&a_registers);
        let wgmma = Wgmma {
            element,
            n,
            d,
            a_registers,
            a,
            b,
            accumulate,
            negate_a,
            negate_b,
            transpose_a,
            transpose_b,
        };
        self.emit(Op::Wgmma(Box::new(wgmma)), [NONE; 5]);
        Ok(())
    }
}
