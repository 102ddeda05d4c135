//! What the card can do at most: copies within its memory, and products on Hopper's matrix units.

use std::ffi::c_void;

use super::card::Card;
use super::driver::driver;
use super::kernels::Module;
use super::memory::{DeviceMemory, Event, Stream};
use crate::device::{DeviceError, Rates, matrix};

/// Bytes of one side of the measured copy; far beyond any cache.
const COPY_BYTES: u64 = 512 << 20;
/// Copies that are timed together.
const COPIES: usize = 20;
/// Rounds of the first launch of products.
const FIRST_ROUNDS: u64 = 64;
/// Seconds that the counted launch of products is to take: long enough for the clock to settle.
const PRODUCTS_SECONDS: f64 = 0.1;

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
pub(super) fn measure(card: &Card) -> Result<Rates, DeviceError> {
    let stream = Stream::new()?;
    let hopper = card.capability == 90;
    Ok(Rates {
        matrix: hopper.then(|| matrix_rate(card, &stream)).transpose()?,
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

/// FLOP/s of a kernel that only multiplies, one block on each multiprocessor.
fn matrix_rate(card: &Card, stream: &Stream) -> Result<f64, DeviceError> {
    let module = Module::of_text(matrix::ptx())?;
    let sums = DeviceMemory::new(4 * u64::from(matrix::THREADS))?;
    let launch = |rounds: u64| {
        let (mut address, mut rounds) = (sums.address, rounds);
        let mut arguments: [*mut c_void; 2] = [(&raw mut address).cast(), (&raw mut rounds).cast()];
        let grid = [card.multiprocessors, matrix::THREADS];
        module.launch(matrix::NAME, grid, &mut arguments, stream)
    };
    let first = timed(stream, || launch(FIRST_ROUNDS), 1)?;
    let rounds = (FIRST_ROUNDS as f64 * PRODUCTS_SECONDS / first.max(1e-6)) as u64;
    let rounds = rounds.max(FIRST_ROUNDS);
    let seconds = timed(stream, || launch(rounds), 1)?;
    Ok(matrix::flops(u64::from(card.multiprocessors), rounds) / seconds)
}
