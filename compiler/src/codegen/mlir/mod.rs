//! The MLIR code generator for CPUs.
//!
//! The back half: MLIR text of a kernel becomes position-independent machine
//! code for a named [`CpuTarget`](crate::target::CpuTarget), without an
//! execution engine and without looking at the machine that compiles.
//!
//! | file | step |
//! | --- | --- |
//! | `compile.rs` | text → verified module → LLVM dialect; the entry points |
//! | `check.rs` | only operations that translation and instruction selection can take |
//! | `llvm.rs` | LLVM IR → optimised → ELF object |
//! | `link.rs` | ELF object → one blob with its references resolved |
//! | `ffi.rs` | LLVM-C functions that `mlir-sys` does not declare |

mod check;
mod compile;
mod ffi;
mod link;
mod llvm;

#[cfg(test)]
mod tests;

pub use compile::{Compiler, compile_module, compile_modules};

use std::fmt;

/// Position-independent machine code: instructions and read-only data in one
/// block without outside references.
///
/// It may be mapped at any address that is a multiple of
/// [`CodeBlob::ALIGNMENT`], readable and executable, never writable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeBlob {
    /// The code and its data.
    pub bytes: Vec<u8>,
    /// Public functions and their byte offsets in `bytes`, by name.
    pub entries: Vec<(String, usize)>,
}

impl CodeBlob {
    /// What the address of the first byte must be a multiple of.
    pub const ALIGNMENT: usize = 64;

    /// The byte offset of the function `name`.
    pub fn entry(&self, name: &str) -> Option<usize> {
        self.entries
            .iter()
            .find(|(entry, _)| entry == name)
            .map(|&(_, offset)| offset)
    }
}

/// Why MLIR text did not become machine code. Every variant is a fault of the
/// emitter that wrote the text, not of the user's model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodegenError {
    /// The text does not parse or does not verify; MLIR's messages.
    Parse(String),
    /// A lowering pass failed; MLIR's messages.
    Lower(String),
    /// An operation or intrinsic that the target cannot take.
    Unsupported(String),
    /// LLVM refused the translated module or the target.
    Llvm(String),
    /// The object cannot become a blob: an undefined symbol, writable data, or a
    /// reference that depends on the load address.
    Link(String),
}

impl fmt::Display for CodegenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stage, message) = match self {
            Self::Parse(message) => ("parse", message),
            Self::Lower(message) => ("lower", message),
            Self::Unsupported(message) => ("check", message),
            Self::Llvm(message) => ("translate", message),
            Self::Link(message) => ("link", message),
        };
        write!(f, "cannot {stage} MLIR module: {message}")
    }
}

impl std::error::Error for CodegenError {}
