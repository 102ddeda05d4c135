//! Batches for the loop, made by a thread of their own where there are threads to spare.

use std::sync::Arc;

use crate::data::pipeline::Memo;
use crate::data::{Batch, Cursor, Pipeline, Prefetch};
use crate::device::Choice;
use crate::engine::RunError;

/// How many of `threads` run kernels, and how many make batches.
///
/// With few threads on a CPU the loop makes its batches itself between two steps: a thread that
/// loads for a hundredth of the time would take a third of the kernels' share. A GPU's kernels
/// need no thread but the one that queues them.
pub fn split_threads(threads: usize, device: Choice) -> (usize, usize) {
    match (device, threads) {
        (_, 0) => (1, 0),
        (Choice::Cpu, 1..=3) | (Choice::Cuda(_), 1) => (threads, 0),
        _ => (threads - 1, 1),
    }
}

/// Where the loop gets its batches. Both ways give the same ones.
pub(crate) enum Loader {
    /// Made on demand.
    Here {
        pipeline: Arc<Pipeline>,
        cursor: Cursor,
        memo: Memo,
    },
    /// Made ahead.
    Ahead(Prefetch),
}

impl Loader {
    /// Batches from `cursor` on; `ahead` of them wait at most, 0 makes them on demand.
    pub(crate) fn new(
        pipeline: Arc<Pipeline>,
        cursor: Cursor,
        ahead: usize,
    ) -> Result<Self, RunError> {
        pipeline.check(&cursor)?;
        Ok(match ahead {
            0 => Self::Here {
                pipeline,
                cursor,
                memo: Memo::default(),
            },
            _ => Self::Ahead(Prefetch::start(pipeline, cursor, ahead)?),
        })
    }

    /// The `count` micro-batches of a step, and the cursor after them.
    pub(crate) fn step(&mut self, count: usize) -> Result<(Vec<Batch>, Cursor), RunError> {
        let mut batches = Vec::with_capacity(count);
        loop {
            let (batch, after) = match self {
                Self::Ahead(prefetch) => prefetch.next()?,
                Self::Here {
                    pipeline,
                    cursor,
                    memo,
                } => {
                    let (batch, after) = pipeline.next(cursor, memo)?;
                    *cursor = after.clone();
                    (batch, after)
                }
            };
            batches.push(batch);
            if batches.len() >= count.max(1) {
                return Ok((batches, after));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loader_threads_are_counted() {
        for device in [Choice::Cpu, Choice::Cuda(0)] {
            for threads in 0..20 {
                let (kernels, loaders) = split_threads(threads, device);
                assert!(kernels >= 1 && kernels + loaders == threads.max(1));
            }
        }
    }
}
