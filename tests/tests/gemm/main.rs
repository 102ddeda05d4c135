//! Hopper contractions, attention and rows as PTX in the emulator, compared with what their kernels mean.
#![cfg(feature = "mlir")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attention;
mod build;
mod grouped;
mod hand;
mod models;
mod normal;
mod rates;
mod rows;
mod run;
mod split;
mod tune;
