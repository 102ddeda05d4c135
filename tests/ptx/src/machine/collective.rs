//! Instructions that the threads of a warp execute together, and other rare ones.

use super::access::{lanes, resolve};
use super::block::Block;
use super::rows::{ALL, Class, LANES, Lane};
use super::step::{Step, check_written};
use crate::fault::{FaultKind, Trouble};
use crate::parse::syntax::Space;
use crate::program::{Inst, NONE, Op, Reduce, Shuffle, ShuffleMode, Vote};

impl Block<'_> {
    /// Everything but arithmetic, branches, loads and stores; `active` is not empty.
    pub(super) fn rare(
        &mut self,
        w: usize,
        pc: u32,
        mask: u32,
        active: u32,
    ) -> Result<Step, Trouble> {
        let program = self.launch.program;
        let inst = &program.code[pc as usize];
        let line = program.sources[inst.source as usize].0;
        let first = active.trailing_zeros() as usize;
        match &inst.op {
            Op::Pure(_) | Op::Branch(_) | Op::Exit | Op::Load(_) | Op::Store(_) => {}
            Op::Nop | Op::Fence => {}
            Op::Undefined(class) => self.undefined(w, inst.args[0], *class, active),
            Op::BranchTable(targets) => return self.branch_table(w, inst, targets, mask, active),
            Op::Trap => return Err(Trouble::new(FaultKind::Trap, first, "`trap` is executed")),
            Op::Clock(class) => {
                let now = self.clock();
                let rows = &mut self.warps[w].rows;
                match class {
                    Class::Wide => rows.set_wide(inst.args[0], active, &[now; LANES]),
                    _ => rows.set_narrow(inst.args[0], active, &[now as u32; LANES]),
                }
            }
            Op::ActiveMask => {
                self.warps[w]
                    .rows
                    .set_narrow(inst.args[0], active, &[active; LANES]);
            }
            Op::Atomic(atomic) => self.atomic(w, atomic, active, line)?,
            Op::IsSpace(space) => {
                check_written(&self.warps[w].rows, inst.args[1], active)?;
                let rows = &mut self.warps[w].rows;
                let is = rows.wide(inst.args[1]).map(|address| {
                    let (found, _) = resolve(Space::Generic, address);
                    found == *space
                });
                bool::store(rows, inst.args[0], active, &is);
            }
            Op::Barrier(op) => return self.barrier(w, op, active),
            Op::WarpSync => {
                if self.members(w, inst.args[1], mask, active)?.is_none() {
                    return Ok(Step::Together);
                }
                self.shared.order.sync_warp(w);
            }
            Op::ProxyFence => self.shared.order.fence(w),
            Op::Mbarrier(op) => return self.mbarrier_op(w, op, active, line),
            Op::Copy(copy) => self.thread_copy(w, copy, active, line)?,
            Op::CopyCommit => self.commit_copies(w, active),
            Op::CopyWait(open) => self.wait_copies(w, *open, active)?,
            Op::CopyArrive {
                address,
                space,
                increments,
            } => {
                self.copy_arrive(w, pc, (address, *space, *increments), active, line)?;
            }
            Op::Bulk(bulk) => self.bulk(w, pc, bulk, active, line)?,
            Op::BulkCommit => self.commit_stores(w, active),
            Op::BulkWait(open) => self.wait_stores(w, *open, active)?,
            Op::LoadMatrix(_) | Op::StoreMatrix(_) | Op::Mma(_) if active != self.warps[w].live => {
                return Ok(Step::Together);
            }
            Op::LoadMatrix(_) | Op::StoreMatrix(_) | Op::Mma(_) if active != ALL => {
                let message = "a matrix instruction needs all 32 threads of a warp";
                return Err(Trouble::new(FaultKind::Divergence, first, message));
            }
            Op::LoadMatrix(access) => self.load_matrix(w, access, active, line)?,
            Op::StoreMatrix(access) => self.store_matrix(w, access, active, line)?,
            Op::Mma(mma) => self.mma(w, mma)?,
            Op::WgmmaFence => return self.wgmma_fence(w, active),
            Op::WgmmaCommit => return self.wgmma_commit(w, active),
            Op::WgmmaWait(open) => return self.wgmma_wait(w, *open, active),
            Op::Wgmma(op) => return self.wgmma(w, op, pc, active, line),
            Op::SetRegisters => {
                if active != self.warps[w].live {
                    return Ok(Step::Together);
                }
            }
            Op::MapAddress => {
                check_written(&self.warps[w].rows, inst.args[2], active)?;
                let ranks = self.warps[w].rows.narrow(inst.args[2]);
                if let Some(lane) = lanes(active).find(|&lane| ranks[lane] != 0) {
                    let message = format!("rank {} of a cluster of one", ranks[lane]);
                    return Err(Trouble::new(FaultKind::Operand, lane, message));
                }
            }
            Op::Shuffle(shuffle) => {
                let Some(members) = self.members(w, shuffle.members, mask, active)? else {
                    return Ok(Step::Together);
                };
                self.shuffle(w, shuffle, members)?;
            }
            Op::Vote { mode, negated } => {
                let Some(members) = self.members(w, inst.args[2], mask, active)? else {
                    return Ok(Step::Together);
                };
                check_written(&self.warps[w].rows, inst.args[1], active)?;
                let rows = &mut self.warps[w].rows;
                let value = rows.predicate(inst.args[1]);
                let value = if *negated { !value } else { value } & members;
                let all = |yes: bool| if yes { active } else { 0 };
                match mode {
                    Vote::Ballot => rows.set_narrow(inst.args[0], active, &[value; LANES]),
                    Vote::All => rows.set_predicate(inst.args[0], active, all(value == members)),
                    Vote::Any => rows.set_predicate(inst.args[0], active, all(value != 0)),
                    Vote::Uniform => {
                        let uniform = value == members || value == 0;
                        rows.set_predicate(inst.args[0], active, all(uniform));
                    }
                }
            }
            Op::Match { class, all } => {
                let Some(members) = self.members(w, inst.args[2], mask, active)? else {
                    return Ok(Step::Together);
                };
                self.matching(w, inst, *class, *all, members)?;
            }
            Op::Reduce(reduce) => {
                let Some(members) = self.members(w, inst.args[2], mask, active)? else {
                    return Ok(Step::Together);
                };
                check_written(&self.warps[w].rows, inst.args[1], active)?;
                let rows = &mut self.warps[w].rows;
                let row = *rows.narrow(inst.args[1]);
                let values = lanes(members).map(|lane| row[lane]);
                let result = match reduce {
                    Reduce::Add => values.fold(0, u32::wrapping_add),
                    Reduce::MinUnsigned => values.fold(u32::MAX, u32::min),
                    Reduce::MaxUnsigned => values.fold(0, u32::max),
                    Reduce::MinSigned => values.fold(i32::MAX, |a, b| a.min(b as i32)) as u32,
                    Reduce::MaxSigned => values.fold(i32::MIN, |a, b| a.max(b as i32)) as u32,
                    Reduce::And => values.fold(u32::MAX, |a, b| a & b),
                    Reduce::Or => values.fold(0, |a, b| a | b),
                    Reduce::Xor => values.fold(0, |a, b| a ^ b),
                };
                rows.set_narrow(inst.args[0], active, &[result; LANES]);
            }
            Op::Elect => {
                let Some(members) = self.members(w, inst.args[2], mask, active)? else {
                    return Ok(Step::Together);
                };
                // The manual leaves the choice open; the lowest lane is what cards choose.
                let elected = members.trailing_zeros();
                let rows = &mut self.warps[w].rows;
                rows.set_narrow(inst.args[0], active, &[elected; LANES]);
                rows.set_predicate(inst.args[1], active, 1 << elected);
            }
        }
        Ok(Step::Next)
    }

    /// The live threads of a member mask once all of them stand here, or `None` while some are missing.
    fn members(
        &mut self,
        w: usize,
        slot: u32,
        mask: u32,
        active: u32,
    ) -> Result<Option<u32>, Trouble> {
        let warp = &self.warps[w];
        check_written(&warp.rows, slot, active)?;
        let row = warp.rows.narrow(slot);
        let first = active.trailing_zeros() as usize;
        let members = row[first] & warp.live;
        if let Some(lane) = lanes(active).find(|&lane| row[lane] != row[first]) {
            let message = "threads execute it with different member masks";
            return Err(Trouble::new(FaultKind::Divergence, lane, message));
        }
        if active & !members != 0 {
            let lane = (active & !members).trailing_zeros() as usize;
            let message = format!("the thread is not in its member mask {members:#010x}");
            return Err(Trouble::new(FaultKind::Divergence, lane, message));
        }
        let missing = members & !active;
        if missing & mask != 0 {
            let lane = (missing & mask).trailing_zeros() as usize;
            let message = "a thread of the member mask does not take part";
            return Err(Trouble::new(FaultKind::Divergence, lane, message));
        }
        Ok((missing == 0).then_some(members))
    }

    fn branch_table(
        &mut self,
        w: usize,
        inst: &Inst,
        targets: &[u32],
        mask: u32,
        active: u32,
    ) -> Result<Step, Trouble> {
        check_written(&self.warps[w].rows, inst.args[1], active)?;
        let row = *self.warps[w].rows.narrow(inst.args[1]);
        let first = active.trailing_zeros() as usize;
        if let Some(lane) = lanes(active).find(|&lane| row[lane] as usize >= targets.len()) {
            let message = format!("branch {} of {}", row[lane], targets.len());
            return Err(Trouble::new(FaultKind::Operand, lane, message));
        }
        let same = lanes(active).filter(|&lane| row[lane] == row[first]);
        let same = same.fold(0, |same, lane| same | 1 << lane);
        let target = targets[row[first] as usize];
        if same == mask {
            return Ok(Step::Jump(target));
        }
        // The others come here again, without those that go now.
        Ok(if same == active && active != mask {
            Step::Split(target, same)
        } else {
            Step::SplitRetry(target, same)
        })
    }

    fn undefined(&mut self, w: usize, slot: u32, class: Class, active: u32) {
        // Values that show when they are used: NaN as floats, far out of range as indices.
        let rows = &mut self.warps[w].rows;
        match class {
            Class::Predicate => rows.set_predicate(slot, active, 0),
            Class::Narrow => rows.set_narrow(slot, active, &[0xFFFF_DEAD; LANES]),
            Class::Wide => rows.set_wide(slot, active, &[0xFFFF_DEAD_FFFF_DEAD; LANES]),
        }
    }

    fn shuffle(&mut self, w: usize, shuffle: &Shuffle, members: u32) -> Result<(), Trouble> {
        let rows = &self.warps[w].rows;
        for slot in [shuffle.value, shuffle.lane, shuffle.clamp] {
            check_written(rows, slot, members)?;
        }
        let (value, by, clamp) = (
            *rows.narrow(shuffle.value),
            rows.narrow(shuffle.lane),
            rows.narrow(shuffle.clamp),
        );
        let mut result = [0; LANES];
        let mut valid = 0u32;
        for lane in lanes(members) {
            let b = by[lane] & 31;
            let (segment, clamp) = (clamp[lane] >> 8 & 31, clamp[lane] & 31);
            let here = lane as u32;
            let last = (here & segment) | (clamp & !segment);
            let lowest = here & segment;
            let (from, inside) = match shuffle.mode {
                ShuffleMode::Up => {
                    let from = here.wrapping_sub(b);
                    (from, from as i32 >= last as i32)
                }
                ShuffleMode::Down => (here + b, here + b <= last),
                ShuffleMode::Butterfly => (here ^ b, here ^ b <= last),
                ShuffleMode::Index => {
                    let from = lowest | (b & !segment);
                    (from, from <= last)
                }
            };
            let from = if inside { from as usize } else { lane };
            if members >> from & 1 == 0 {
                let message =
                    format!("the value of lane {from}, which does not take part, is read");
                return Err(Trouble::new(FaultKind::Divergence, lane, message));
            }
            result[lane] = value[from];
            valid |= u32::from(inside) << lane;
        }
        let rows = &mut self.warps[w].rows;
        rows.set_narrow(shuffle.result, members, &result);
        if shuffle.valid != NONE {
            rows.set_predicate(shuffle.valid, members, valid);
        }
        Ok(())
    }

    fn matching(
        &mut self,
        w: usize,
        inst: &Inst,
        class: Class,
        all: bool,
        members: u32,
    ) -> Result<(), Trouble> {
        let rows = &mut self.warps[w].rows;
        check_written(rows, inst.args[1], members)?;
        let values: [u64; LANES] = match class {
            Class::Wide => *rows.wide(inst.args[1]),
            _ => rows.narrow(inst.args[1]).map(u64::from),
        };
        let mut result = [0; LANES];
        let mut valid = 0u32;
        for lane in lanes(members) {
            let equal = lanes(members).filter(|&other| values[other] == values[lane]);
            let equal = equal.fold(0u32, |mask, other| mask | 1 << other);
            result[lane] = if !all || equal == members { equal } else { 0 };
            valid |= u32::from(equal == members) << lane;
        }
        rows.set_narrow(inst.args[0], members, &result);
        if inst.args[3] != NONE {
            rows.set_predicate(inst.args[3], members, valid);
        }
        Ok(())
    }
}
