//! The mm1c compiler: tensor graph, derivative, fusion, kernels, memory plan, code generators.
//!
//! Values flow one way: `Model` → [`graph::Graph`] → derivative → passes → [`kernel::Kernel`]s →
//! [`loops::Function`]s → machine code → `mm1_package::Package`. docs/architecture.md tells the story.
pub mod autodiff;
pub mod bisect;
pub mod build;
pub mod codegen;
pub mod compile;
pub mod draw;
pub mod emit;
pub mod fuse;
pub mod graph;
pub mod interpret;
pub mod kernel;
pub mod loops;
pub mod lower;
pub mod passes;
pub mod plan;
pub mod schedules;
pub mod summary;
pub mod target;
#[cfg(feature = "mlir")]
pub mod tune;
