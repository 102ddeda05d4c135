//! Opening the device that `--device` names.

use mm1_runtime::device::choice::Settings;
use mm1_runtime::device::{self, Choice, Device};
use mm1_runtime::executor::ExecutorError;

use crate::cache;
use crate::failure::Failure;

/// Opens a device whose kernels, or whose work on the host, may use `threads` threads.
///
/// # Errors
/// A device that this machine or this build lacks.
pub fn open(choice: Choice, threads: usize) -> Result<Box<dyn Device>, Failure> {
    let settings = Settings {
        threads,
        cache: cache::folder(),
    };
    Ok(device::open(choice, settings).map_err(ExecutorError::from)?)
}
