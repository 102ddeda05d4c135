//! The MLIR code generator for CPUs.
//!
//! The front half writes a loop program as MLIR text. The back half makes
//! position-independent machine code of it for a named [`CpuTarget`], without
//! an execution engine and without looking at the machine that compiles.
//!
//! | file | step |
//! | --- | --- |
//! | `emit.rs`, `lanes.rs` | loop program → text |
//! | `compile.rs` | text → verified module → LLVM dialect; the entry points |
//! | `check.rs` | only operations that translation and instruction selection can take |
//! | `llvm.rs` | LLVM IR → optimised → ELF object |
//! | `link.rs` | ELF object → one blob with its references resolved |
//! | `ffi.rs` | LLVM-C functions that `mlir-sys` does not declare |

mod check;
mod compile;
mod emit;
mod ffi;
mod lanes;
mod link;
mod llvm;

#[cfg(test)]
mod tests;

pub use compile::{Compiler, compile_module, compile_modules};
pub use emit::module_text;

use std::fmt;
use std::thread;

use super::CodeBlob;
use crate::loops::Function;
use crate::target::CpuTarget;

/// Compiles functions to one blob, each as a module of its own, on every core.
///
/// # Errors
/// The first function, in their order, that is malformed or that MLIR or LLVM refuses.
pub fn compile_functions(functions: &[Function], target: &CpuTarget) -> Result<CodeBlob, String> {
    let fault = |function: &Function, message: &dyn fmt::Display| {
        format!("kernel `{}`: {message}", function.name)
    };
    let mut texts = Vec::with_capacity(functions.len());
    for function in functions {
        texts.push(module_text(function, target).map_err(|error| fault(function, &error))?);
    }
    let modules: Vec<&str> = texts.iter().map(String::as_str).collect();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let results = compile_modules(&modules, target, threads);
    let mut blob = CodeBlob::default();
    for (function, result) in functions.iter().zip(results) {
        let code = result.map_err(|error| fault(function, &error))?;
        let offset = code
            .entry(&function.name)
            .ok_or_else(|| fault(function, &"its code has no entry"))?;
        blob.bytes
            .resize(blob.bytes.len().next_multiple_of(CodeBlob::ALIGNMENT), 0xcc);
        let entry = blob.bytes.len() + offset;
        blob.entries.push((function.name.clone(), entry));
        blob.bytes.extend_from_slice(&code.bytes);
    }
    Ok(blob)
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
