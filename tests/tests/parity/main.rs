//! Whole models against PyTorch: definitions in float64, kernels in f32 and bf16, training.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accumulation;
mod bf16;
mod bisect;
mod determinism;
mod interpreter;
mod kernels;
mod mistakes;
mod objectives;
mod optimizers;
mod recomputation;
mod references;
mod rounded;
mod training;

/// One test per code generator of this build from a function of it.
macro_rules! per_backend {
    ($($test:ident => $body:ident),+ $(,)?) => {
        mod cranelift {
            use mm1_compiler::codegen::Backend;
            $(#[test] fn $test() { super::$body(Backend::Cranelift); })+
        }
        #[cfg(feature = "mlir")]
        mod mlir {
            use mm1_compiler::codegen::Backend;
            $(#[test] fn $test() { super::$body(Backend::Mlir); })+
        }
    };
}
pub(crate) use per_backend;
