//! The mm1c compiler: tensor graph, derivative, fusion, kernels, memory plan, code generators.
//!
//! Values flow one way: `Model` → [`graph::Graph`] → derivative → passes → [`kernel::Kernel`]s →
//! [`loops::Function`]s → machine code → `mm1_package::Package`. docs/architecture.md tells the story.
pub mod autodiff;
pub mod fuse;
pub mod graph;
pub mod kernel;
pub mod loops;
