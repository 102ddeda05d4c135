//! Kernels for NVIDIA cards, as MLIR text in the LLVM and NVVM dialects.

pub mod gemm;
mod point;
mod text;
mod thread;
