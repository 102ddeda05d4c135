//! Barriers, and what the threads of a warp do together.

use super::{Decoder, Result};
use crate::machine::rows::Class;
use crate::parse::syntax::{Instruction, Operand, Type};
use crate::program::{BarrierOp, ClusterPart, NONE, Op, Reduce, Shuffle, ShuffleMode, Vote};

impl Decoder<'_> {
    /// Decodes `i` if it synchronises threads.
    pub(super) fn synchronisation(&mut self, i: &Instruction) -> Result<bool> {
        match i.opcode[0].as_str() {
            "bar" | "barrier" => self.barrier(i)?,
            "shfl" => self.shuffle(i)?,
            "vote" => self.vote(i)?,
            "match" => self.matching(i)?,
            "redux" => self.reduce(i)?,
            "activemask" => {
                let target = self.target(self.operand(i, 0)?, Class::Narrow)?;
                self.emit(Op::ActiveMask, [target, NONE, NONE, NONE, NONE]);
            }
            "elect" => {
                let Operand::Pair(lane, elected) = self.operand(i, 0)? else {
                    return self.unknown(i).map(|()| true);
                };
                let lane = self.target(lane, Class::Narrow)?;
                let elected = self.target(elected, Class::Predicate)?;
                let members = self.value(self.operand(i, 1)?, Class::Narrow)?;
                self.emit(Op::Elect, [lane, elected, members, NONE, NONE]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn barrier(&mut self, i: &Instruction) -> Result<()> {
        let parts: Vec<&str> = i.opcode.iter().map(String::as_str).collect();
        if parts[1] == "warp" {
            let members = self.value(self.operand(i, 0)?, Class::Narrow)?;
            self.emit(Op::WarpSync, [NONE, members, NONE, NONE, NONE]);
            return Ok(());
        }
        let mut op = BarrierOp {
            id: NONE,
            threads: NONE,
            arrive: false,
            // `bar` is `barrier.aligned`.
            aligned: parts[0] == "bar" || parts.contains(&"aligned"),
            cluster: ClusterPart::No,
            reduce: None,
        };
        if parts[1] == "cluster" {
            op.cluster = match parts.get(2) {
                Some(&"arrive") => ClusterPart::Arrive,
                Some(&"wait") => ClusterPart::Wait,
                _ => return self.unknown(i),
            };
            self.emit(Op::Barrier(op), [NONE; 5]);
            return Ok(());
        }
        let mut operands = i.operands.iter();
        if parts.contains(&"red") {
            let (mode, class) = match (parts.contains(&"popc"), parts.contains(&"and")) {
                (true, _) => (Vote::Ballot, Class::Narrow),
                (_, true) => (Vote::All, Class::Predicate),
                _ => (Vote::Any, Class::Predicate),
            };
            let (Some(target), Some((predicate, front))) =
                (operands.next(), operands.as_slice().split_last())
            else {
                return self.unknown(i);
            };
            let target = self.target(target, class)?;
            let (predicate, negated) = self.maybe_negated(predicate)?;
            op.reduce = Some((target, predicate, negated, mode));
            operands = front.iter();
        } else if parts.contains(&"arrive") {
            op.arrive = true;
        } else if !parts.contains(&"sync") {
            return self.unknown(i);
        }
        let Some(id) = operands.next() else {
            return self.error("a barrier needs its number");
        };
        op.id = self.value(id, Class::Narrow)?;
        if let Some(threads) = operands.next() {
            op.threads = self.value(threads, Class::Narrow)?;
        }
        self.emit(Op::Barrier(op), [NONE; 5]);
        Ok(())
    }

    /// A predicate's row and whether it stands behind `!`.
    fn maybe_negated(&mut self, operand: &Operand) -> Result<(u32, bool)> {
        match operand {
            Operand::Not(name) => Ok((self.register(name, Class::Predicate)?, true)),
            operand => Ok((self.value(operand, Class::Predicate)?, false)),
        }
    }

    fn shuffle(&mut self, i: &Instruction) -> Result<()> {
        let mode = match i.opcode.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["shfl", "sync", "up", "b32"] => ShuffleMode::Up,
            ["shfl", "sync", "down", "b32"] => ShuffleMode::Down,
            ["shfl", "sync", "bfly", "b32"] => ShuffleMode::Butterfly,
            ["shfl", "sync", "idx", "b32"] => ShuffleMode::Index,
            _ => return self.unknown(i),
        };
        let (result, valid) = match self.operand(i, 0)? {
            Operand::Pair(result, valid) => {
                (result.as_ref(), self.target(valid, Class::Predicate)?)
            }
            result => (result, NONE),
        };
        let value = self.value(self.operand(i, 1)?, Class::Narrow)?;
        let lane = self.value(self.operand(i, 2)?, Class::Narrow)?;
        let clamp = self.value(self.operand(i, 3)?, Class::Narrow)?;
        let members = self.value(self.operand(i, 4)?, Class::Narrow)?;
        let result = self.target(result, Class::Narrow)?;
        let shuffle = Shuffle {
            mode,
            result,
            valid,
            value,
            lane,
            clamp,
            members,
        };
        self.emit(Op::Shuffle(Box::new(shuffle)), [NONE; 5]);
        Ok(())
    }

    fn vote(&mut self, i: &Instruction) -> Result<()> {
        let (mode, class) = match i.opcode.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["vote", "sync", "all", "pred"] => (Vote::All, Class::Predicate),
            ["vote", "sync", "any", "pred"] => (Vote::Any, Class::Predicate),
            ["vote", "sync", "uni", "pred"] => (Vote::Uniform, Class::Predicate),
            ["vote", "sync", "ballot", "b32"] => (Vote::Ballot, Class::Narrow),
            _ => return self.unknown(i),
        };
        let (predicate, negated) = self.maybe_negated(self.operand(i, 1)?)?;
        let members = self.value(self.operand(i, 2)?, Class::Narrow)?;
        let target = self.target(self.operand(i, 0)?, class)?;
        self.emit(
            Op::Vote { mode, negated },
            [target, predicate, members, NONE, NONE],
        );
        Ok(())
    }

    fn matching(&mut self, i: &Instruction) -> Result<()> {
        let all = match i.opcode[1].as_str() {
            "all" => true,
            "any" => false,
            _ => return self.unknown(i),
        };
        let ty = self.last_type(i)?;
        let class = self.class(ty)?;
        let (result, valid) = match self.operand(i, 0)? {
            Operand::Pair(result, valid) => {
                (result.as_ref(), self.target(valid, Class::Predicate)?)
            }
            result => (result, NONE),
        };
        let value = self.value(self.operand(i, 1)?, class)?;
        let members = self.value(self.operand(i, 2)?, Class::Narrow)?;
        let target = self.target(result, Class::Narrow)?;
        self.emit(
            Op::Match { class, all },
            [target, value, members, valid, NONE],
        );
        Ok(())
    }

    fn reduce(&mut self, i: &Instruction) -> Result<()> {
        let ty = self.last_type(i)?;
        let reduce = match (i.opcode[2].as_str(), ty) {
            ("add", Type::U32 | Type::S32) => Reduce::Add,
            ("min", Type::U32) => Reduce::MinUnsigned,
            ("min", Type::S32) => Reduce::MinSigned,
            ("max", Type::U32) => Reduce::MaxUnsigned,
            ("max", Type::S32) => Reduce::MaxSigned,
            ("and", Type::B32) => Reduce::And,
            ("or", Type::B32) => Reduce::Or,
            ("xor", Type::B32) => Reduce::Xor,
            _ => return self.unknown(i),
        };
        let value = self.value(self.operand(i, 1)?, Class::Narrow)?;
        let members = self.value(self.operand(i, 2)?, Class::Narrow)?;
        let target = self.target(self.operand(i, 0)?, Class::Narrow)?;
        self.emit(Op::Reduce(reduce), [target, value, members, NONE, NONE]);
        Ok(())
    }
}
