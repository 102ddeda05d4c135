//! Hopper contractions as PTX in the emulator, compared with what their kernels mean.
#![cfg(feature = "mlir")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod hand;
mod models;
mod run;
