//! Placeholder crate root.

pub mod data;
pub mod philox;
pub mod tokenizer;
