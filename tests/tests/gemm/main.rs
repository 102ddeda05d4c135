//! Hopper contractions as PTX in the emulator, compared with what their kernels mean.
//!
//! The PTX is made by the installed LLVM 22 (`LLVM` names its `bin` folder).
#![cfg(feature = "mlir")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod hand;
mod models;
mod run;
