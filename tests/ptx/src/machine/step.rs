//! Executes instructions of a warp.

use super::block::Block;
use super::rows::{ALL, Rows};
use super::warp::{Group, Wait};
use crate::fault::{Fault, FaultKind, Trouble};
use crate::program::{Inst, NONE, Op};

/// What the instruction did to the group's way.
pub(crate) enum Step {
    /// To the next instruction.
    Next,
    /// All threads of the group to this place.
    Jump(u32),
    /// These threads to this place, the others to the next instruction.
    Split(u32, u32),
    /// These threads to this place, the others once more to this instruction.
    SplitRetry(u32, u32),
    /// These threads are done.
    Exit(u32),
    /// Try again when other threads of the warp have come.
    Together,
    /// Done, but the group waits.
    Wait(Wait),
}

impl Block<'_> {
    /// Runs warp `w` for at most `turns` instructions; whether it cannot go on.
    pub(super) fn run_warp(&mut self, w: usize, turns: u64) -> Result<bool, Box<Fault>> {
        let mut left = turns;
        while let Some(group) = self.warps[w].take_ready() {
            let (mut pc, mut mask) = (group.pc, group.mask);
            loop {
                if left == 0 || (!self.warps[w].groups.is_empty() && self.warps[w].must_switch(pc))
                {
                    self.warps[w].put(Group {
                        pc,
                        mask,
                        wait: Wait::No,
                    });
                    break;
                }
                left -= 1;
                let step = match self.step(w, pc, mask) {
                    Ok(step) => step,
                    Err(trouble) => return Err(self.fault(w, pc, trouble)),
                };
                match step {
                    Step::Next => pc += 1,
                    Step::Jump(target) => pc = target,
                    Step::Split(target, taken) => {
                        self.warps[w].put(Group {
                            pc: target,
                            mask: taken,
                            wait: Wait::No,
                        });
                        mask &= !taken;
                        pc += 1;
                        if self.warps[w].must_switch(pc) {
                            self.warps[w].put(Group {
                                pc,
                                mask,
                                wait: Wait::No,
                            });
                            break;
                        }
                    }
                    Step::SplitRetry(target, taken) => {
                        self.warps[w].put(Group {
                            pc: target,
                            mask: taken,
                            wait: Wait::No,
                        });
                        mask &= !taken;
                    }
                    Step::Exit(done) => {
                        if let Err(trouble) = self.check_exit(w, done) {
                            return Err(self.fault(w, pc, trouble));
                        }
                        self.warps[w].live &= !done;
                        mask &= !done;
                        pc += 1;
                        self.after_exit(w);
                        if mask == 0 {
                            break;
                        }
                    }
                    Step::Together => {
                        self.warps[w].put(Group {
                            pc,
                            mask,
                            wait: Wait::Together,
                        });
                        break;
                    }
                    Step::Wait(wait) => {
                        self.warps[w].groups.push(Group {
                            pc: pc + 1,
                            mask,
                            wait,
                        });
                        self.settle_barriers();
                        break;
                    }
                }
            }
            if left == 0 {
                break;
            }
        }
        self.steps += turns - left;
        if self.steps > self.launch.options.step_limit {
            let limit = self.launch.options.step_limit;
            let message = format!("the block executed more than {limit} instructions");
            let group = self.warps[w].groups.first();
            let (pc, lane) = group.map_or((0, 0), |g| (g.pc, g.mask.trailing_zeros() as usize));
            return Err(self.fault(w, pc, Trouble::new(FaultKind::StepLimit, lane, message)));
        }
        Ok(!self.warps[w].is_ready())
    }

    /// Threads that are gone may be what others in the warp, or at a barrier, waited for.
    fn after_exit(&mut self, w: usize) {
        for group in &mut self.warps[w].groups {
            if group.wait == Wait::Together {
                group.wait = Wait::No;
            }
        }
        self.settle_barriers();
    }

    /// Executes one instruction for the threads of `mask`.
    #[inline]
    fn step(&mut self, w: usize, pc: u32, mask: u32) -> Result<Step, Trouble> {
        let launch = self.launch;
        let inst = &launch.program.code[pc as usize];
        let warp = &mut self.warps[w];
        let mut active = mask;
        if inst.guard != NONE {
            check_written(&warp.rows, inst.guard, mask)?;
            let value = warp.rows.predicate(inst.guard);
            active &= if inst.negated { !value } else { value };
        }
        let count = &mut self.counts[pc as usize];
        count.0 += 1;
        count.1 += u64::from(active.count_ones());
        match &inst.op {
            Op::Pure(run) => {
                if active != 0 {
                    if (inst.touches || warp.rows.busy != 0)
                        && let Some(step) = self.guarded_step(w, inst, active)?
                    {
                        return Ok(step);
                    }
                    let warp = &mut self.warps[w];
                    for &source in &inst.args[1..1 + inst.reads as usize] {
                        check_written(&warp.rows, source, active)?;
                    }
                    // SAFETY: `pure!` picks a function that this processor can run.
                    unsafe { run(&mut warp.rows, &inst.args, active) };
                }
                Ok(Step::Next)
            }
            Op::Branch(target) => Ok(match active {
                0 => Step::Next,
                _ if active == mask => Step::Jump(*target),
                _ => Step::Split(*target, active),
            }),
            Op::Exit => Ok(if active == 0 {
                Step::Next
            } else {
                Step::Exit(active)
            }),
            _ if active == 0 => Ok(Step::Next),
            Op::Load(access) => {
                if inst.touches || warp.rows.busy != 0 {
                    for &(row, _) in access.elements.iter().filter(|(row, _)| *row != NONE) {
                        self.check_free(w, row, active)?;
                        if inst.touches {
                            self.warps[w].rows.touched.insert(row);
                        }
                    }
                }
                let line = launch.program.sources[inst.source as usize].0;
                self.load(w, access, active, line).map(|()| Step::Next)
            }
            Op::Store(access) => {
                if inst.touches {
                    let rows = &mut self.warps[w].rows;
                    rows.touched
                        .extend(access.elements.iter().map(|(row, _)| *row));
                }
                let line = launch.program.sources[inst.source as usize].0;
                self.store(w, access, active, line).map(|()| Step::Next)
            }
            _ => self.rare(w, pc, mask, active),
        }
    }

    /// A pure operation while tensor cores use registers, or on registers that they use.
    #[cold]
    fn guarded_step(
        &mut self,
        w: usize,
        inst: &Inst,
        active: u32,
    ) -> Result<Option<Step>, Trouble> {
        let target = inst.args[0];
        self.check_free(w, target, active)?;
        if inst.moves && self.warps[w].rows.is_pending(inst.args[1]) {
            if active != ALL {
                return check_written(&self.warps[w].rows, inst.args[1], active).map(|()| None);
            }
            self.move_accumulator(w, target, inst.args[1]);
            self.traffic.accumulator_moves += 1;
            return Ok(Some(Step::Next));
        }
        if inst.touches {
            let rows = &mut self.warps[w].rows;
            rows.touched
                .extend(inst.args.iter().filter(|&&row| row != NONE));
        }
        Ok(None)
    }
}

/// A register that holds nothing in an active lane is a fault.
#[inline]
pub(crate) fn check_written(rows: &Rows, slot: u32, active: u32) -> Result<(), Trouble> {
    let missing = active & !rows.written[slot as usize];
    if missing == 0 {
        Ok(())
    } else {
        Err(unwritten(rows, slot, missing))
    }
}

#[cold]
fn unwritten(rows: &Rows, slot: u32, missing: u32) -> Trouble {
    if rows.is_pending(slot) {
        let message = "an accumulator is read before its `wgmma` was waited for";
        return Trouble::new(
            FaultKind::NotWaited,
            missing.trailing_zeros() as usize,
            message,
        );
    }
    let message = format!(
        "a register that {} threads never wrote is read",
        missing.count_ones()
    );
    Trouble::new(
        FaultKind::UninitialisedRegister,
        missing.trailing_zeros() as usize,
        message,
    )
}
