//! NVIDIA GPUs through the driver API; the only place that names cudarc.
//!
//! The driver's library is loaded at run time, so a program with this feature starts on any
//! machine. One stream computes and one copies inputs; a program is a CUDA graph.

mod card;
mod device;
mod driver;
mod graph;
mod kernels;
mod memory;
mod normal;
mod ptx;
mod rates;
mod tensor_map;
mod transfer;

pub use device::CudaDevice;
