//! An emulator of PTX.
mod decode;
mod fault;
pub(crate) mod machine;
mod memory;
mod module;
mod number;
mod parse;
pub(crate) mod program;
mod tensor_map;

pub use fault::{Fault, FaultKind};
pub use machine::{Options, Stats, launch};
pub use memory::Memory;
pub use module::{Module, Param};
pub use parse::ParseError;
pub use tensor_map::{TensorMap, TensorType};
