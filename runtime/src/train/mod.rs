//! Training: from batches to updates, with metrics, evaluations and checkpoints on the way.
//!
//! ```text
//! loader ──batches──▶ step (accumulate × k, gradient_norm, apply) ──▶ log ──▶ evaluate ──▶ save
//! ```
//! A checkpoint is the last thing that happens at a step, so everything that a line of
//! `metrics.jsonl` up to its step says has been written when it exists, and a run resumed
//! from it goes on as if it had never stopped.

mod experts;
mod loader;
mod progress;
mod run;
mod step;
#[cfg(test)]
mod tests;

pub use experts::{ExpertLosses, ExpertRecord};
pub use loader::split_threads;
pub use progress::report;
pub use run::{Ending, Run, State, TrainConfig, train};
pub use step::{Optimizer, Rule, StepOutcome, write_batch};
