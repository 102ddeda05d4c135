//! Calls of the driver: every failure names the call and the driver's word for it.

use std::ffi::CStr;

use cudarc::driver::sys::{self, CUresult};

use crate::device::DeviceError;

/// Oldest driver that has every function that is called here, as CUDA counts versions.
pub(super) const OLDEST: i32 = 12_080;

/// Calls a function of the driver and turns its status into a `Result`.
///
/// The arguments are evaluated inside `unsafe`: handles must be live, addresses must span what the
/// function reads or writes until it (or the stream it queues on) is done.
macro_rules! driver {
    ($function:ident($($argument:expr),* $(,)?)) => {{
        // SAFETY: see the macro; the types that wrap handles keep them alive.
        let status = unsafe { ::cudarc::driver::sys::$function($($argument),*) };
        $crate::device::cuda::driver::check(stringify!($function), status)
    }};
}
pub(super) use driver;

/// The error of a failed call.
pub(super) fn check(function: &str, status: CUresult) -> Result<(), DeviceError> {
    match status {
        CUresult::CUDA_SUCCESS => Ok(()),
        status => Err(DeviceError::Call(format!(
            "{function} failed: {}",
            describe(status)
        ))),
    }
}

/// Whether a failed call found too little memory.
pub(super) fn is_out_of_memory(error: &DeviceError) -> bool {
    let name = "CUDA_ERROR_OUT_OF_MEMORY";
    matches!(error, DeviceError::Call(text) if text.contains(name))
}

/// Name, number and meaning of a status.
pub(super) fn describe(status: CUresult) -> String {
    let mut text: *const std::ffi::c_char = std::ptr::null();
    // SAFETY: the driver stores the address of a constant, or null for a number it does not know.
    let known = unsafe { sys::cuGetErrorName(status, &raw mut text) } == CUresult::CUDA_SUCCESS;
    let name = owned(known, text);
    // SAFETY: as above.
    let known = unsafe { sys::cuGetErrorString(status, &raw mut text) } == CUresult::CUDA_SUCCESS;
    let meaning = owned(known, text);
    format!("{name} ({}): {meaning}", status as u32)
}

fn owned(known: bool, text: *const std::ffi::c_char) -> String {
    if !known || text.is_null() {
        return "unknown".into();
    }
    // SAFETY: a constant of the driver that ends with a zero.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// Loads the driver's library, checks its version and starts it. Returns the version.
///
/// # Errors
/// No library, or an old one, or no card at all.
pub(super) fn start() -> Result<i32, DeviceError> {
    // SAFETY: opening the driver's library runs its initialisers and nothing else.
    if !unsafe { sys::is_culib_present() } {
        return Err(DeviceError::NoDriver(
            "no NVIDIA driver: `libcuda.so.1` is not among the system's libraries; install the \
             driver, or run with `--device cpu`"
                .into(),
        ));
    }
    let mut version = 0;
    driver!(cuDriverGetVersion(&raw mut version))?;
    if version < OLDEST {
        return Err(DeviceError::OldDriver(format!(
            "this NVIDIA driver is for CUDA {}; {} or newer is needed",
            version_text(version),
            version_text(OLDEST)
        )));
    }
    // SAFETY: no argument is an address.
    match unsafe { sys::cuInit(0) } {
        CUresult::CUDA_SUCCESS => Ok(version),
        status @ CUresult::CUDA_ERROR_NO_DEVICE => Err(DeviceError::NoCard(format!(
            "the NVIDIA driver finds no card: cuInit failed: {}",
            describe(status)
        ))),
        status => check("cuInit", status).map(|()| version),
    }
}

/// `13.0` of 13000.
pub(super) fn version_text(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}
