//! Code generators: kernels in, machine code out.

#[cfg(feature = "mlir")]
pub mod mlir;
