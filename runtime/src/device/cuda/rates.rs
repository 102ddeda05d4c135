//! What the card can do at most: copies within its memory.

use super::driver::driver;
use super::memory::{DeviceMemory, Event, Stream};
use crate::device::{DeviceError, Rates};

/// Bytes of one side of the measured copy; far beyond any cache.
const COPY_BYTES: u64 = 512 << 20;
/// Copies that are timed together.
const COPIES: usize = 20;
/// Two buffers to copy between.
pub(super) struct Copy {
    from: DeviceMemory,
    to: DeviceMemory,
}

impl Copy {
    /// Buffers of `bytes` bytes each.
    ///
    /// # Errors
    /// Too little memory.
    pub(super) fn new(bytes: u64) -> Result<Self, DeviceError> {
        Ok(Self {
            from: DeviceMemory::new(bytes)?,
            to: DeviceMemory::new(bytes)?,
        })
    }

    /// Queues one copy.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn queue(&self, stream: &Stream) -> Result<(), DeviceError> {
        driver!(cuMemcpyDtoDAsync_v2(
            self.to.address,
            self.from.address,
            self.from.bytes as usize,
            stream.handle
        ))
    }
}

/// Measures the card.
///
/// # Errors
/// A card that has failed, or has no memory left for two buffers.
pub(super) fn measure() -> Result<Rates, DeviceError> {
    let stream = Stream::new()?;
    Ok(Rates {
        matrix: None,
        copy: copy_rate(&stream)?,
    })
}

/// Seconds that the queued work of `work` takes.
fn timed(
    stream: &Stream,
    work: impl Fn() -> Result<(), DeviceError>,
    times: usize,
) -> Result<f64, DeviceError> {
    let (begin, end) = (Event::timed()?, Event::timed()?);
    work()?;
    begin.record(stream)?;
    for _ in 0..times {
        work()?;
    }
    end.record(stream)?;
    stream.synchronize()?;
    end.seconds_since(&begin)
}

fn copy_rate(stream: &Stream) -> Result<f64, DeviceError> {
    let copy = Copy::new(COPY_BYTES)?;
    copy.from.clear(stream)?;
    let seconds = timed(stream, || copy.queue(stream), COPIES)?;
    Ok((2 * COPY_BYTES) as f64 * COPIES as f64 / seconds)
}
