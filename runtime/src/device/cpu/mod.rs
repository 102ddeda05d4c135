//! The CPU: executable code, memory for tensors and the thread pool.

pub mod code;
mod device;
pub mod memory;
pub mod pool;

pub use code::{Code, CodeError, KernelFn};
pub use device::CpuDevice;
pub use memory::{Memory, MemoryError, release_leftovers};
pub use pool::{Pool, PoolError};
