//! The language of mm1c: graph files, inheritance, validation, components, diagnostics.
pub mod codes;
pub mod component;
pub mod diagnostic;
pub mod model;
mod nearest;
pub mod source;
pub mod span;
pub mod tree;
