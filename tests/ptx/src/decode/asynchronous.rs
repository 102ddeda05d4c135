//! mbarriers and asynchronous copies.

use super::{Decoder, Result};
use crate::machine::rows::Class;
use crate::parse::syntax::{Instruction, Operand, Space};
use crate::program::{AddressRow, Bulk, Constant, MbarrierKind, MbarrierOp, NONE, Op, ThreadCopy};

impl Decoder<'_> {
    /// Decodes `i` if it belongs here.
    pub(super) fn asynchronous(&mut self, i: &Instruction) -> Result<bool> {
        let parts: Vec<&str> = i.opcode.iter().map(String::as_str).collect();
        match parts[..] {
            ["mbarrier", ..] => self.mbarrier(i, &parts)?,
            ["cp", "async", "bulk", "commit_group"] => self.emit(Op::BulkCommit, [NONE; 5]),
            ["cp", "async", "bulk", "wait_group", ..] => {
                let count = self.immediate(self.operand(i, 0)?)?;
                self.emit(Op::BulkWait(count), [NONE; 5]);
            }
            ["cp", "async", "bulk", "tensor", ..] => self.bulk_tensor(i, &parts)?,
            ["cp", "async", "bulk", "prefetch", ..] => self.emit(Op::Nop, [NONE; 5]),
            ["cp", "async", "bulk", ..] => self.bulk(i, &parts)?,
            ["cp", "async", "commit_group"] => self.emit(Op::CopyCommit, [NONE; 5]),
            ["cp", "async", "wait_all"] => self.emit(Op::CopyWait(None), [NONE; 5]),
            ["cp", "async", "wait_group"] => {
                let count = self.immediate(self.operand(i, 0)?)?;
                self.emit(Op::CopyWait(Some(count)), [NONE; 5]);
            }
            ["cp", "async", "mbarrier", "arrive", ..] => {
                let increments = !parts.contains(&"noinc");
                let (address, found) = self.address(self.operand(i, 0)?)?;
                let space = self.shared_space(i, &parts, found)?;
                self.emit(
                    Op::CopyArrive {
                        address,
                        space,
                        increments,
                    },
                    [NONE; 5],
                );
            }
            ["cp", "async", "ca" | "cg", ..] => self.thread_copy(i, &parts)?,
            ["mapa", ..] | ["getctarank", ..] => self.map_address(i, &parts)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The value of an operand that must be a number.
    pub(super) fn immediate(&self, operand: &Operand) -> Result<u32> {
        match operand {
            Operand::Integer(value) => Ok(*value as u32),
            other => self.error(format!("{other:?} must be a number")),
        }
    }

    /// Shared, or generic where the opcode names no space.
    fn shared_space(&self, i: &Instruction, parts: &[&str], found: Option<Space>) -> Result<Space> {
        let named = parts
            .iter()
            .any(|part| matches!(*part, "shared" | "shared::cta" | "shared::cluster"));
        match found {
            None if named => Ok(Space::Shared),
            None => Ok(Space::Generic),
            Some(Space::Shared) => Ok(Space::Shared),
            Some(_) => self.unknown(i),
        }
    }

    fn mbarrier(&mut self, i: &Instruction, parts: &[&str]) -> Result<()> {
        let has = |part: &str| parts.contains(&part);
        for part in &parts[2..] {
            let known = matches!(
                *part,
                "shared"
                    | "shared::cta"
                    | "shared::cluster"
                    | "b64"
                    | "expect_tx"
                    | "noComplete"
                    | "parity"
                    | "release"
                    | "acquire"
                    | "relaxed"
                    | "cta"
                    | "cluster"
            );
            if !known {
                return self.unknown(i);
            }
        }
        let kind = match parts[1] {
            "init" => MbarrierKind::Init,
            "inval" => MbarrierKind::Invalidate,
            "expect_tx" => MbarrierKind::Expect,
            "complete_tx" => MbarrierKind::Complete,
            "arrive" => MbarrierKind::Arrive {
                no_complete: has("noComplete"),
                drop: false,
            },
            "arrive_drop" => MbarrierKind::Arrive {
                no_complete: has("noComplete"),
                drop: true,
            },
            "test_wait" | "try_wait" if has("parity") => MbarrierKind::TestParity,
            "test_wait" | "try_wait" => MbarrierKind::Test,
            _ => return self.unknown(i),
        };
        // A result stands before the address, except where nothing results.
        let at = usize::from(!matches!(i.operands.first(), Some(Operand::Address(_))));
        let (address, found) = self.address(self.operand(i, at)?)?;
        let space = self.shared_space(i, parts, found)?;
        let mut op = MbarrierOp {
            kind,
            space,
            address,
            count: NONE,
            bytes: NONE,
            state: NONE,
            result: NONE,
        };
        let argument = i.operands.get(at + 1);
        match kind {
            MbarrierKind::Init => {
                op.count = self.value(self.operand(i, at + 1)?, Class::Narrow)?;
            }
            MbarrierKind::Invalidate => {}
            MbarrierKind::Expect | MbarrierKind::Complete => {
                op.bytes = self.value(self.operand(i, at + 1)?, Class::Narrow)?;
            }
            MbarrierKind::Arrive { .. } => {
                if let Some(argument) = argument {
                    let row = self.value(argument, Class::Narrow)?;
                    if has("expect_tx") {
                        op.bytes = row;
                    } else {
                        op.count = row;
                    }
                }
                if at == 1 && i.operands[0] != Operand::Sink {
                    op.result = self.target(&i.operands[0], Class::Wide)?;
                }
            }
            MbarrierKind::Test => {
                op.state = self.value(self.operand(i, at + 1)?, Class::Wide)?;
                op.result = self.target(self.operand(i, 0)?, Class::Predicate)?;
            }
            MbarrierKind::TestParity => {
                op.count = self.value(self.operand(i, at + 1)?, Class::Narrow)?;
                op.result = self.target(self.operand(i, 0)?, Class::Predicate)?;
            }
        }
        self.emit(Op::Mbarrier(Box::new(op)), [NONE; 5]);
        Ok(())
    }

    /// `cp.async.ca.shared.global [dst], [src], bytes{, size | ignore}`.
    fn thread_copy(&mut self, i: &Instruction, parts: &[&str]) -> Result<()> {
        for part in &parts[3..] {
            let known = matches!(*part, "shared" | "shared::cta" | "global")
                || (part.starts_with("L2::") && *part != "L2::cache_hint");
            if !known {
                return self.unknown(i);
            }
        }
        let (target, _) = self.address(self.operand(i, 0)?)?;
        let (source, _) = self.address(self.operand(i, 1)?)?;
        let bytes = self.immediate(self.operand(i, 2)?)?;
        let legal = if parts[2] == "cg" {
            bytes == 16
        } else {
            matches!(bytes, 4 | 8 | 16)
        };
        if !legal {
            return self.error(format!("`cp.async.{}` cannot copy {bytes} bytes", parts[2]));
        }
        let mut copy = ThreadCopy {
            target,
            source,
            bytes,
            size: NONE,
            ignore: NONE,
        };
        if let Some(operand) = i.operands.get(3) {
            let is_predicate = matches!(operand, Operand::Name(name, 0)
                if self.register(name, Class::Predicate).is_ok());
            if is_predicate {
                copy.ignore = self.value(operand, Class::Predicate)?;
            } else {
                copy.size = self.value(operand, Class::Narrow)?;
            }
        }
        self.emit(Op::Copy(Box::new(copy)), [NONE; 5]);
        Ok(())
    }

    /// Checks the modifiers of a bulk copy; whether it loads.
    fn bulk_direction(&self, i: &Instruction, parts: &[&str]) -> Result<bool> {
        for part in parts {
            let known = matches!(
                *part,
                "shared"
                    | "shared::cta"
                    | "shared::cluster"
                    | "global"
                    | "bulk_group"
                    | "tile"
                    | "mbarrier::complete_tx::bytes"
                    | "multicast::cluster"
                    | "1d"
                    | "2d"
                    | "3d"
                    | "4d"
                    | "5d"
                    | "L2::cache_hint"
                    | "cta_group::1"
            );
            if !known {
                return self.unknown(i);
            }
        }
        let spaces: Vec<&&str> = parts
            .iter()
            .filter(|part| part.starts_with("shared") || **part == "global")
            .collect();
        match spaces[..] {
            [to, from] if to.starts_with("shared") && *from == "global" => Ok(true),
            [to, from] if *to == "global" && from.starts_with("shared") => Ok(false),
            _ => self.unknown(i),
        }
    }

    fn multicast(&mut self, i: &Instruction, parts: &[&str], at: usize) -> Result<u32> {
        if !parts.contains(&"multicast::cluster") {
            return Ok(NONE);
        }
        self.value(self.operand(i, at)?, Class::Narrow)
    }

    fn bulk(&mut self, i: &Instruction, parts: &[&str]) -> Result<()> {
        let load = self.bulk_direction(i, &parts[3..])?;
        let (to, _) = self.address(self.operand(i, 0)?)?;
        let (from, _) = self.address(self.operand(i, 1)?)?;
        let size = self.value(self.operand(i, 2)?, Class::Narrow)?;
        let mbarrier = match load {
            true => Some(self.address(self.operand(i, 3)?)?.0),
            false => None,
        };
        let multicast = self.multicast(i, parts, 4)?;
        let (shared, global) = if load { (to, from) } else { (from, to) };
        let bulk = Bulk {
            shared,
            global,
            coordinates: Vec::new(),
            tensor: false,
            size,
            mbarrier,
            multicast,
        };
        self.emit(Op::Bulk(Box::new(bulk)), [NONE; 5]);
        Ok(())
    }

    /// Load: `[dst], [map, {c…}], [mbar]`; store: `[map, {c…}], [src]`.
    fn bulk_tensor(&mut self, i: &Instruction, parts: &[&str]) -> Result<()> {
        let load = self.bulk_direction(i, &parts[4..])?;
        let (map_at, shared_at) = if load { (1, 0) } else { (0, 1) };
        let (shared, _) = self.address(self.operand(i, shared_at)?)?;
        let operand = self.operand(i, map_at)?;
        let (global, found) = self.address(operand)?;
        let global = match found {
            // The map is named directly: its parameter's generic address.
            Some(Space::Param) => self.param_window(global),
            _ => global,
        };
        let Operand::Address(address) = operand else {
            return self.unknown(i);
        };
        let rank = parts[4].trim_end_matches('d').parse().unwrap_or(0);
        if address.coordinates.len() != rank {
            let given = address.coordinates.len();
            return self.error(format!("{given} coordinates for a tensor of {}", parts[4]));
        }
        let mut coordinates = Vec::new();
        for coordinate in &address.coordinates {
            coordinates.push(self.value(coordinate, Class::Narrow)?);
        }
        let mbarrier = match load {
            true => Some(self.address(self.operand(i, 2)?)?.0),
            false => None,
        };
        let multicast = self.multicast(i, parts, 3)?;
        let bulk = Bulk {
            shared,
            global,
            coordinates,
            tensor: true,
            size: NONE,
            mbarrier,
            multicast,
        };
        self.emit(Op::Bulk(Box::new(bulk)), [NONE; 5]);
        Ok(())
    }

    fn param_window(&mut self, address: AddressRow) -> AddressRow {
        let offset = address.offset + crate::machine::space::PARAM_WINDOW as i64;
        AddressRow { offset, ..address }
    }

    /// `mapa d, a, rank` and `getctarank d, a`: the cluster has one block, of rank 0.
    fn map_address(&mut self, i: &Instruction, parts: &[&str]) -> Result<()> {
        let ty = self.last_type(i)?;
        let class = self.class(ty)?;
        let row = self.value(self.operand(i, 1)?, class)?;
        let target = self.target(
            self.operand(i, 0)?,
            if parts[0] == "mapa" {
                class
            } else {
                Class::Narrow
            },
        )?;
        if parts[0] == "getctarank" {
            let zero = self.constant(Class::Narrow, Constant::Bits(0));
            self.emit_pure(crate::program::pure!(u32; a: u32 => a), target, &[zero]);
            return Ok(());
        }
        let rank = self.value(self.operand(i, 2)?, Class::Narrow)?;
        self.emit(Op::MapAddress, [target, row, rank, NONE, NONE]);
        let copy = match class {
            Class::Wide => crate::program::pure!(u64; a: u64 => a),
            Class::Narrow | Class::Predicate => crate::program::pure!(u32; a: u32 => a),
        };
        self.emit_pure(copy, target, &[row]);
        Ok(())
    }
}
