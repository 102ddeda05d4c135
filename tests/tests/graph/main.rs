//! Single graphs and operations: text form, verifier, interpreter, derivatives, passes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod differences;
mod interpreter;
mod operations;
mod passes;
mod text;
