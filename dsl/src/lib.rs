//! The language of mm1c: graph files, inheritance, validation, components, diagnostics.
pub mod component;
pub mod model;
pub mod span;
