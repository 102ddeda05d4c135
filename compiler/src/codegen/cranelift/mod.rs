//! Machine code through Cranelift: compiles in milliseconds and needs nothing installed.
//!
//! Cranelift knows 128-bit vectors, so a register of n lanes is n/4 of its vectors; schedules
//! made for four lanes fit best, but any function compiles. The code needs AVX and FMA
//! ([`CPU_FEATURES`]). Functions are leaves and hold no relocation; their constants follow each
//! function's code.

mod lanes;
mod translate;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::{self, OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::FunctionBuilderContext;

use super::CodeBlob;
use crate::loops::Function;

/// What the code needs of the processor, as `is_x86_feature_detected!` spells it.
pub const CPU_FEATURES: [&str; 3] = ["sse4.2", "avx", "fma"];

/// Lanes of the vectors that Cranelift has.
pub const LANES: u32 = 4;

/// Compiles functions to one blob.
///
/// # Errors
/// A function uses a value before its definition, has a register whose lanes are neither 1 nor
/// a multiple of 4, mixes types, or needs what Cranelift cannot express without a call.
pub fn compile_functions(functions: &[Function]) -> Result<CodeBlob, String> {
    let isa = named_isa()?;
    let mut blob = CodeBlob::default();
    let mut frontend = FunctionBuilderContext::new();
    for function in functions {
        let code = catch_unwind(AssertUnwindSafe(|| {
            compile(function, isa.as_ref(), &mut frontend)
        }))
        .unwrap_or_else(|panic| {
            // The context may be half built; a fresh one serves the next function.
            frontend = FunctionBuilderContext::new();
            Err(format!("Cranelift panicked: {}", panic_text(&*panic)))
        })
        .map_err(|message| format!("kernel `{}`: {message}", function.name))?;
        // Its vector constants are aligned with it.
        blob.bytes
            .resize(blob.bytes.len().next_multiple_of(CodeBlob::ALIGNMENT), 0xcc);
        blob.entries.push((function.name.clone(), blob.bytes.len()));
        blob.bytes.extend_from_slice(&code);
    }
    Ok(blob)
}

/// The text of a function in Cranelift's language, for dumps and tests.
///
/// # Errors
/// As [`compile_functions`].
pub fn function_text(function: &Function) -> Result<String, String> {
    let isa = named_isa()?;
    let mut frontend = FunctionBuilderContext::new();
    let clif = translate::translate(function, isa.as_ref(), &mut frontend)?;
    Ok(clif.display().to_string())
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// x86-64 with exactly [`CPU_FEATURES`], whatever the machine that compiles.
fn named_isa() -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", "speed"),
        ("is_pic", "true"),
        // A probe is a call; kernels keep their arrays in scratch, not on the stack.
        ("enable_probestack", "false"),
        ("unwind_info", "false"),
    ] {
        flags
            .set(name, value)
            .map_err(|error| format!("Cranelift setting {name}: {error}"))?;
    }
    let mut builder =
        isa::lookup_by_name("x86_64").map_err(|error| format!("Cranelift target: {error}"))?;
    for name in [
        "has_sse3",
        "has_ssse3",
        "has_sse41",
        "has_sse42",
        "has_avx",
        "has_fma",
    ] {
        builder
            .enable(name)
            .map_err(|error| format!("Cranelift feature {name}: {error}"))?;
    }
    let isa: Arc<dyn TargetIsa> = builder
        .finish(settings::Flags::new(flags))
        .map_err(|error| format!("Cranelift target: {error}"))?;
    Ok(isa)
}

fn compile(
    function: &Function,
    isa: &dyn TargetIsa,
    frontend: &mut FunctionBuilderContext,
) -> Result<Vec<u8>, String> {
    let clif = translate::translate(function, isa, frontend)?;
    let mut context = Context::for_function(clif);
    let compiled = context
        .compile(isa, &mut ControlPlane::default())
        .map_err(|error| format!("{:?}", error.inner))?;
    if let Some(relocation) = compiled.buffer.relocs().first() {
        return Err(format!(
            "code at byte {} refers to a symbol ({:?})",
            relocation.offset, relocation.kind
        ));
    }
    if compiled.buffer.alignment as usize > CodeBlob::ALIGNMENT {
        return Err(format!(
            "code wants an alignment of {}",
            compiled.buffer.alignment
        ));
    }
    Ok(compiled.code_buffer().to_vec())
}
