//! One card: its context and what it is able to do.

use cudarc::driver::sys::{self, CUdevice_attribute as Attribute};

use super::driver::{self, driver};
use super::ptx;
use crate::device::DeviceError;

/// A card with its primary context.
pub(super) struct Card {
    device: sys::CUdevice,
    context: sys::CUcontext,
    /// Number as the driver counts.
    pub(super) number: u32,
    /// `NVIDIA H100 80GB HBM3`.
    pub(super) name: String,
    /// Compute capability, 90.
    pub(super) capability: u32,
    /// Streaming multiprocessors.
    pub(super) multiprocessors: u32,
    /// CUDA version of the driver, 13000.
    pub(super) driver: i32,
}

// SAFETY: the driver's handles may be used from any thread that binds the context.
unsafe impl Send for Card {}
// SAFETY: as above; nothing changes after `open`.
unsafe impl Sync for Card {}

impl Card {
    /// Opens card `number`.
    ///
    /// # Errors
    /// No driver, an old one, no such card.
    pub(super) fn open(number: u32) -> Result<Self, DeviceError> {
        let driver = driver::start()?;
        let mut count = 0;
        driver!(cuDeviceGetCount(&raw mut count))?;
        let index = i32::try_from(number)
            .ok()
            .filter(|&index| index < count)
            .ok_or_else(|| {
                DeviceError::NoCard(format!(
                    "there is no `cuda:{number}`: the driver finds {count} cards, `cuda:0` the first"
                ))
            })?;
        let mut device = 0;
        driver!(cuDeviceGet(&raw mut device, index))?;
        let mut name = [0u8; 256];
        driver!(cuDeviceGetName(
            name.as_mut_ptr().cast(),
            name.len() as i32,
            device
        ))?;
        let end = name.iter().position(|&byte| byte == 0);
        let name = String::from_utf8_lossy(&name[..end.unwrap_or(name.len())]).into_owned();
        let attribute = |attribute: Attribute| -> Result<u32, DeviceError> {
            let mut value = 0;
            driver!(cuDeviceGetAttribute(&raw mut value, attribute, device))?;
            Ok(value.max(0) as u32)
        };
        let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        let multiprocessors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let mut context = std::ptr::null_mut();
        driver!(cuDevicePrimaryCtxRetain(&raw mut context, device))?;
        let card = Self {
            device,
            context,
            number,
            name,
            capability: major * 10 + minor,
            multiprocessors: multiprocessors.max(1),
            driver,
        };
        card.bind()?;
        Ok(card)
    }

    /// Makes the context that of the calling thread; everything else needs it.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn bind(&self) -> Result<(), DeviceError> {
        driver!(cuCtxSetCurrent(self.context))
    }

    /// Free and total bytes.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn free_memory(&self) -> Result<(u64, u64), DeviceError> {
        let (mut free, mut total) = (0usize, 0usize);
        driver!(cuMemGetInfo_v2(&raw mut free, &raw mut total))?;
        Ok((free as u64, total as u64))
    }

    /// For messages: number and name.
    pub(super) fn describe(&self) -> String {
        format!("cuda:{} ({})", self.number, self.name)
    }

    /// Whether the card runs code for `target`, and the driver reads PTX of version `ptx`.
    ///
    /// # Errors
    /// What does not fit, with both sides' versions.
    pub(super) fn check(&self, target: &str, ptx: (u32, u32)) -> Result<(), DeviceError> {
        ptx::check_target(target, self.capability, &self.describe())?;
        ptx::check_version(ptx, self.driver)
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        // A drop cannot report; the process's end releases the context as well.
        let _ = driver!(cuDevicePrimaryCtxRelease_v2(self.device));
    }
}
