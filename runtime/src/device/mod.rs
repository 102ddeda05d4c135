//! Machines that run kernels.

pub mod cpu;
