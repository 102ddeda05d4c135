//! Runs packages: devices, executor, data, checkpoints, training and evaluation.
//!
//! Nothing here knows the graph language or a code generator; a package is all that the
//! runtime needs of a model.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod checkpoint;
pub mod data;
pub mod device;
pub mod executor;
pub mod init;
pub mod philox;
pub mod rundir;
pub mod signal;
pub mod tokenizer;
