//! Runs packages: devices, executor, data, checkpoints, training and evaluation.
//!
//! Nothing here knows the graph language or a code generator; a package is all that the
//! runtime needs of a model.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod checkpoint;
pub mod codes;
pub mod data;
pub mod device;
pub mod engine;
pub mod evaluate;
pub mod events;
pub mod executor;
pub mod generate;
#[cfg(test)]
mod hostile;
pub mod init;
pub mod metrics;
pub mod normal;
pub mod philox;
pub mod report;
pub mod resize;
pub mod rundir;
pub mod schedule;
pub mod signal;
pub mod tensorboard;
pub mod tokenizer;
pub mod train;
