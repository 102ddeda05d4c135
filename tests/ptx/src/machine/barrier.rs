//! The sixteen barriers of a block, and the barrier of its cluster of one.

use super::block::Block;
use super::order::Clock;
use super::rows::LANES;
use super::step::{Step, check_written};
use super::warp::Wait;
use crate::fault::{FaultKind, Trouble};
use crate::program::{BarrierOp, ClusterPart, NONE, Vote};

/// State of all barriers.
#[derive(Default)]
pub(crate) struct Barriers {
    named: [Named; 16],
    /// Threads that arrived at the cluster barrier.
    cluster_arrived: u32,
    /// Cluster barriers that completed.
    cluster_done: u32,
    /// What those who arrived have done.
    cluster_order: Clock,
}

#[derive(Clone, Default)]
struct Named {
    /// Threads of a barrier with a count; 0 for one of all threads.
    expected: u32,
    /// Threads that came, as they count.
    arrived: u32,
    /// What those who came have done.
    order: Clock,
    /// `.red`: true predicates so far.
    trues: u32,
    /// `.red`: predicates so far.
    voters: u32,
    /// Who gets the result.
    results: Vec<(usize, u32, u32, Vote)>,
}

impl Barriers {
    /// How far a barrier has come.
    pub fn describe(&self, id: u32) -> String {
        let barrier = &self.named[id as usize];
        match barrier.expected {
            0 => format!(" ({} threads arrived)", barrier.arrived),
            expected => format!(" ({} of {expected} threads arrived)", barrier.arrived),
        }
    }
}

/// The value that all active lanes have.
fn uniform(block: &Block, w: usize, slot: u32, active: u32) -> Result<u32, Trouble> {
    let rows = &block.warps[w].rows;
    check_written(rows, slot, active)?;
    let first = active.trailing_zeros() as usize;
    let row = rows.narrow(slot);
    match super::access::lanes(active).find(|&lane| row[lane] != row[first]) {
        None => Ok(row[first]),
        Some(lane) => {
            let message = "threads of a warp give different operands to a barrier";
            Err(Trouble::new(FaultKind::Barrier, lane, message))
        }
    }
}

impl Block<'_> {
    pub(super) fn barrier(
        &mut self,
        w: usize,
        op: &BarrierOp,
        active: u32,
    ) -> Result<Step, Trouble> {
        let live = self.warps[w].live;
        if op.aligned && active != live {
            return Ok(Step::Together);
        }
        let lane = active.trailing_zeros() as usize;
        match op.cluster {
            ClusterPart::No => {}
            ClusterPart::Arrive => {
                if self.warps[w].cluster > self.barriers.cluster_done {
                    let message = "a second arrival at the cluster barrier without a wait";
                    return Err(Trouble::new(FaultKind::Barrier, lane, message));
                }
                self.warps[w].cluster += 1;
                self.barriers.cluster_arrived += active.count_ones();
                self.shared
                    .order
                    .release(w, &mut self.barriers.cluster_order);
                self.settle_barriers();
                return Ok(Step::Next);
            }
            ClusterPart::Wait => {
                let number = self.warps[w].cluster;
                if number == 0 {
                    let message = "a wait at the cluster barrier without an arrival";
                    return Err(Trouble::new(FaultKind::Barrier, lane, message));
                }
                return Ok(Step::Wait(Wait::Cluster(number)));
            }
        }
        let id = uniform(self, w, op.id, active)?;
        if id >= 16 {
            let message = format!("barrier {id} is not one of 0 to 15");
            return Err(Trouble::new(FaultKind::Barrier, lane, message));
        }
        let expected = match op.threads {
            NONE => 0,
            slot => {
                let threads = uniform(self, w, slot, active)?;
                if threads == 0 || !threads.is_multiple_of(32) {
                    let message =
                        format!("barrier {id} is for {threads} threads, no multiple of 32");
                    return Err(Trouble::new(FaultKind::Barrier, lane, message));
                }
                threads
            }
        };
        if op.arrive && expected == 0 {
            let message = format!("arrival at barrier {id} without a number of threads");
            return Err(Trouble::new(FaultKind::Barrier, lane, message));
        }
        let counted = match (expected, op.aligned) {
            // A barrier with a count counts warps.
            (1.., true) => LANES as u32,
            _ => active.count_ones(),
        };
        let barrier = &mut self.barriers.named[id as usize];
        if barrier.arrived > 0 && barrier.expected != expected {
            let name = |count: u32| match count {
                0 => "all threads".to_string(),
                count => format!("{count} threads"),
            };
            let message = format!(
                "barrier {id} is used for {} while others use it for {}",
                name(expected),
                name(barrier.expected)
            );
            return Err(Trouble::new(FaultKind::Barrier, lane, message));
        }
        if expected > 0 && barrier.arrived + counted > expected {
            let message = format!(
                "{} threads arrive at barrier {id}, which is for {expected}",
                barrier.arrived + counted
            );
            return Err(Trouble::new(FaultKind::Barrier, lane, message));
        }
        barrier.expected = expected;
        barrier.arrived += counted;
        self.shared.order.release(w, &mut barrier.order);
        if let Some((target, predicate, negated, mode)) = op.reduce {
            check_written(&self.warps[w].rows, predicate, active)?;
            let value = self.warps[w].rows.predicate(predicate);
            let value = active & if negated { !value } else { value };
            barrier.trues += value.count_ones();
            barrier.voters += active.count_ones();
            barrier.results.push((w, active, target, mode));
        }
        if op.arrive {
            self.settle_barriers();
            return Ok(Step::Next);
        }
        Ok(Step::Wait(Wait::Barrier(id)))
    }

    /// Completes the barriers that have all their threads.
    pub(super) fn settle_barriers(&mut self) {
        let live: u32 = self.warps.iter().map(|warp| warp.live.count_ones()).sum();
        for id in 0..16 {
            let barrier = &mut self.barriers.named[id as usize];
            let needed = if barrier.expected == 0 {
                live
            } else {
                barrier.expected
            };
            if barrier.arrived == 0 || barrier.arrived < needed {
                continue;
            }
            let done = std::mem::take(barrier);
            for (w, mask, target, mode) in done.results {
                let rows = &mut self.warps[w].rows;
                match mode {
                    Vote::Ballot => rows.set_narrow(target, mask, &[done.trues; LANES]),
                    Vote::All | Vote::Uniform => {
                        let all = if done.trues == done.voters { mask } else { 0 };
                        rows.set_predicate(target, mask, all);
                    }
                    Vote::Any => {
                        rows.set_predicate(target, mask, if done.trues > 0 { mask } else { 0 });
                    }
                }
            }
            self.pass(&done.order, |wait| wait == Wait::Barrier(id));
        }
        if self.barriers.cluster_arrived > 0 && self.barriers.cluster_arrived >= live {
            self.barriers.cluster_arrived = 0;
            self.barriers.cluster_done += 1;
        }
        let done = self.barriers.cluster_done;
        let order = self.barriers.cluster_order.clone();
        self.pass(
            &order,
            |wait| matches!(wait, Wait::Cluster(number) if number <= done),
        );
    }

    /// Groups whose wait is over go on, and know what the others did before it.
    fn pass(&mut self, order: &Clock, over: impl Fn(Wait) -> bool) {
        for w in 0..self.warps.len() {
            let live = self.warps[w].live;
            for index in 0..self.warps[w].groups.len() {
                let group = &mut self.warps[w].groups[index];
                if over(group.wait) {
                    group.wait = Wait::No;
                    self.progress += 1;
                    self.shared.order.acquire(w, order, group.mask == live);
                }
            }
        }
    }

    /// Groups whose wait is over go on.
    pub(super) fn wake(&mut self, over: impl Fn(Wait) -> bool) {
        for warp in &mut self.warps {
            for index in 0..warp.groups.len() {
                if over(warp.groups[index].wait) {
                    warp.groups[index].wait = Wait::No;
                }
            }
        }
    }
}
