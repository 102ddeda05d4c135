//! Owners of the driver's objects: memory, streams, events.

use std::ptr::NonNull;

use cudarc::driver::sys;

use super::driver::driver;
use crate::device::DeviceError;

/// Memory of the card.
pub(super) struct DeviceMemory {
    /// Address of the first byte; 0 for an empty one, which nothing dereferences.
    pub(super) address: u64,
    /// Size.
    pub(super) bytes: u64,
}

impl DeviceMemory {
    /// Allocates; the content is undefined. The driver aligns to 256 bytes at least.
    ///
    /// # Errors
    /// Too little memory.
    pub(super) fn new(bytes: u64) -> Result<Self, DeviceError> {
        let mut address = 0;
        if bytes > 0 {
            driver!(cuMemAlloc_v2(&raw mut address, bytes as usize))?;
        }
        Ok(Self { address, bytes })
    }

    /// Sets every byte to 0, in the order of `stream`.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn clear(&self, stream: &Stream) -> Result<(), DeviceError> {
        fill(self.address, self.bytes, 0, stream)
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // A drop cannot report; the call waits for work that uses the memory.
            let _ = driver!(cuMemFree_v2(self.address));
        }
    }
}

/// Sets `bytes` bytes from `address` on, in the order of `stream`.
///
/// # Errors
/// A card that has failed.
pub(super) fn fill(
    address: u64,
    bytes: u64,
    value: u8,
    stream: &Stream,
) -> Result<(), DeviceError> {
    if bytes == 0 {
        return Ok(());
    }
    if address.is_multiple_of(4) && bytes.is_multiple_of(4) {
        let word = u32::from_ne_bytes([value; 4]);
        return driver!(cuMemsetD32Async(
            address,
            word,
            (bytes / 4) as usize,
            stream.handle
        ));
    }
    driver!(cuMemsetD8Async(
        address,
        value,
        bytes as usize,
        stream.handle
    ))
}

/// Page-locked memory of the host, which the card copies from and to by itself.
pub(super) struct Pinned {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the memory has one owner.
unsafe impl Send for Pinned {}

impl Pinned {
    /// Allocates `bytes` > 0 bytes, all zero.
    ///
    /// # Errors
    /// Too little memory.
    pub(super) fn new(bytes: usize) -> Result<Self, DeviceError> {
        let mut start = std::ptr::null_mut();
        driver!(cuMemHostAlloc(&raw mut start, bytes, 0))?;
        let start = NonNull::new(start.cast::<u8>())
            .ok_or_else(|| DeviceError::Call("cuMemHostAlloc gave no memory".into()))?;
        // SAFETY: the allocation is `bytes` long.
        unsafe { start.as_ptr().write_bytes(0, bytes) };
        Ok(Self { start, bytes })
    }

    /// Address of byte `at`.
    pub(super) fn at(&self, at: usize) -> *mut u8 {
        assert!(at <= self.bytes, "byte {at} of {}", self.bytes);
        // SAFETY: within the allocation, or one past it.
        unsafe { self.start.as_ptr().add(at) }
    }

    /// Bytes from `at` on; no copy into them may be under way.
    pub(super) fn bytes(&self, at: usize, length: usize) -> &[u8] {
        assert!(at + length <= self.bytes, "{length} bytes from {at}");
        // SAFETY: within the allocation, which is initialised.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(at), length) }
    }

    /// As [`Self::bytes`], to change; no copy from them may be under way either.
    pub(super) fn bytes_mut(&mut self, at: usize, length: usize) -> &mut [u8] {
        assert!(at + length <= self.bytes, "{length} bytes from {at}");
        // SAFETY: as above, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(at), length) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // A drop cannot report.
        let _ = driver!(cuMemFreeHost(self.start.as_ptr().cast()));
    }
}

/// A queue of work.
pub(super) struct Stream {
    /// The driver's.
    pub(super) handle: sys::CUstream,
}

// SAFETY: streams may be used from any thread that binds their context.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    /// A stream that does not wait for the default one.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn new() -> Result<Self, DeviceError> {
        let flags = sys::CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32;
        let mut handle = std::ptr::null_mut();
        driver!(cuStreamCreate(&raw mut handle, flags))?;
        Ok(Self { handle })
    }

    /// Returns when all work so far is done.
    ///
    /// # Errors
    /// What the work ran into.
    pub(super) fn synchronize(&self) -> Result<(), DeviceError> {
        driver!(cuStreamSynchronize(self.handle))
    }

    /// Lets the work that follows wait for `event` as it was last recorded.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn wait(&self, event: &Event) -> Result<(), DeviceError> {
        driver!(cuStreamWaitEvent(self.handle, event.handle, 0))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // A drop cannot report.
        let _ = driver!(cuStreamDestroy_v2(self.handle));
    }
}

/// A point in a stream.
pub(super) struct Event {
    handle: sys::CUevent,
}

// SAFETY: events may be used from any thread that binds their context.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    /// An event without a time, which is cheaper.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn new() -> Result<Self, DeviceError> {
        Self::create(sys::CUevent_flags_enum::CU_EVENT_DISABLE_TIMING)
    }

    /// An event that [`Self::seconds_since`] understands.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn timed() -> Result<Self, DeviceError> {
        Self::create(sys::CUevent_flags_enum::CU_EVENT_DEFAULT)
    }

    fn create(flags: sys::CUevent_flags_enum) -> Result<Self, DeviceError> {
        let mut handle = std::ptr::null_mut();
        driver!(cuEventCreate(&raw mut handle, flags as u32))?;
        Ok(Self { handle })
    }

    /// Puts the event behind all work of `stream` so far.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn record(&self, stream: &Stream) -> Result<(), DeviceError> {
        driver!(cuEventRecord(self.handle, stream.handle))
    }

    /// Returns when the event has happened; at once if it was never recorded.
    ///
    /// # Errors
    /// What the work before it ran into.
    pub(super) fn synchronize(&self) -> Result<(), DeviceError> {
        driver!(cuEventSynchronize(self.handle))
    }

    /// Seconds from `earlier` to this event; both have happened.
    ///
    /// # Errors
    /// An event that was not recorded.
    pub(super) fn seconds_since(&self, earlier: &Self) -> Result<f64, DeviceError> {
        let mut milliseconds = 0.0f32;
        driver!(cuEventElapsedTime_v2(
            &raw mut milliseconds,
            earlier.handle,
            self.handle
        ))?;
        Ok(f64::from(milliseconds) / 1e3)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // A drop cannot report.
        let _ = driver!(cuEventDestroy_v2(self.handle));
    }
}
