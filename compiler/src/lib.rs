//! Placeholder crate root.

pub mod codegen;
pub mod target;
