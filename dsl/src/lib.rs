//! The language of mm1c: graph files, inheritance, validation, components, diagnostics.
//!
//! [`load`] goes from a path to a [`model::Model`]: the chain of `extends` is read and merged with
//! `--set` and presets (`layers`), every key is checked against the key table ([`keys`],
//! `validate`) and against the others (`checks`), and components are instantiated once so that
//! what they find wrong is reported with everything else ([`component`]).

mod checks;
pub mod codes;
pub mod component;
pub mod diagnostic;
pub mod diff;
pub mod edit;
pub mod explain;
mod follow;
pub mod keys;
mod layers;
mod load;
mod lower;
pub mod model;
pub mod nearest;
mod objective;
pub mod pages;
pub mod presets;
pub mod resolve;
pub mod resolved;
pub mod schema;
pub mod source;
pub mod span;
pub mod study;
mod suggest;
mod tiles;
pub mod tree;
mod validate;
pub mod weights;

pub use diff::diff;
pub use load::{load, load_text};
pub use lower::mm1_learning_rate;
