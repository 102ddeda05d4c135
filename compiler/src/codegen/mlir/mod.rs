//! The MLIR code generator.
//!
//! A loop program becomes MLIR text, and the text position-independent machine
//! code for a named [`CpuTarget`], without an
//! execution engine and without looking at the machine that compiles.
//!
//! | file | step |
//! | --- | --- |
//! | `compile.rs` | text → verified module → LLVM dialect; the entry points |
//! | `emit.rs` | loop program → MLIR text |
//! | `check.rs` | only operations that translation and instruction selection can take |
//! | `llvm.rs` | LLVM IR → optimised → ELF object |
//! | `link.rs` | ELF object → one blob with its references resolved |
//! | `ffi.rs` | LLVM-C functions that `mlir-sys` does not declare |

mod check;
mod compile;
mod emit;
mod ffi;
mod link;
mod llvm;

#[cfg(test)]
mod tests;

pub use compile::{Compiler, compile_module, compile_modules, compile_modules_to_ptx};
pub use emit::{emit_function, emit_team_kernel};

use crate::{codegen::CodeBlob, loops::Function, target::CpuTarget};
use std::fmt;

/// Version of the LLVM that is linked, with its patch level.
pub fn llvm_version() -> String {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: the three numbers are live, and the function only writes them.
    unsafe { ffi::LLVMGetVersion(&mut major, &mut minor, &mut patch) };
    format!("{major}.{minor}.{patch}")
}

/// Compiles loop programs, each as a module of its own, on all cores, into one
/// blob. The result does not depend on the number of cores.
///
/// # Errors
///
/// The first function, in order, that does not compile: its name and a [`CodegenError`].
pub fn compile_functions(functions: &[Function], target: &CpuTarget) -> Result<CodeBlob, String> {
    let fault =
        |function: &Function, error: CodegenError| format!("kernel `{}`: {error}", function.name);
    let texts = functions
        .iter()
        .map(|function| emit_function(function, target).map_err(|error| fault(function, error)))
        .collect::<Result<Vec<String>, String>>()?;
    let modules: Vec<&str> = texts.iter().map(String::as_str).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut whole = CodeBlob::default();
    let parts = compile_modules(&modules, target, threads);
    for (function, part) in functions.iter().zip(parts) {
        let part = part.map_err(|error| fault(function, error))?;
        let base = whole.bytes.len().next_multiple_of(CodeBlob::ALIGNMENT);
        // `int3` between functions stops a stray jump.
        whole.bytes.resize(base, 0xcc);
        whole.bytes.extend_from_slice(&part.bytes);
        let entries = part.entries.into_iter();
        whole
            .entries
            .extend(entries.map(|(name, offset)| (name, base + offset)));
    }
    Ok(whole)
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
