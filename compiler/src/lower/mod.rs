//! Lowering.
mod math;
