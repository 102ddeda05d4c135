//! Copies between host and card.
//!
//! A write goes to page-locked memory first, so that the caller's bytes are free at once. Large
//! pieces then go by the copy stream to a buffer on the card while programs run, and only the
//! copy within the card waits its turn in the compute stream. The memory has two halves: while the
//! card takes the inputs of one run from one, the host fills the other with the next run's.
//!
//! A small read fetches what lies around it as well: the scalars that a program leaves lie side by
//! side, so that they cost one copy in all.

use std::sync::Mutex;

use super::driver::driver;
use super::memory::{DeviceMemory, Event, Pinned, Stream};
use crate::device::DeviceError;

/// Up to this many bytes a piece goes straight into the compute stream: the copy takes less time
/// than the hand-over between two streams.
const DIRECT: usize = 64 << 10;
/// Smallest and largest half of the write buffer, bytes.
const HALF: std::ops::RangeInclusive<u64> = 1 << 20..=64 << 20;
/// What pieces in a buffer are aligned to, bytes.
const ALIGNMENT: usize = 256;
/// Each of the two parts of the read buffer, bytes.
const READ: usize = 4 << 20;
/// Reads up to this long fetch a whole window, bytes.
const SMALL: usize = 256;
/// What a small read fetches, bytes.
const WINDOW: u64 = 4096;

/// The write buffer.
pub(super) struct Writer {
    copy: Stream,
    host: Pinned,
    card: DeviceMemory,
    half: usize,
    /// The half that is being filled.
    active: usize,
    /// Bytes of it in use.
    used: usize,
    /// Per half: everything that reads from it is done.
    free: [Event; 2],
    copied: Event,
    /// The active half has not been waited for.
    fresh: bool,
}

impl Writer {
    /// A buffer whose halves hold `bytes` bytes where that is neither little nor much.
    ///
    /// # Errors
    /// Too little memory.
    pub(super) fn new(bytes: u64) -> Result<Self, DeviceError> {
        let half = bytes
            .clamp(*HALF.start(), *HALF.end())
            .next_multiple_of(ALIGNMENT as u64);
        Ok(Self {
            copy: Stream::new()?,
            host: Pinned::new(2 * half as usize)?,
            card: DeviceMemory::new(2 * half)?,
            half: half as usize,
            active: 0,
            used: 0,
            free: [Event::new()?, Event::new()?],
            copied: Event::new()?,
            fresh: false,
        })
    }

    /// Queues the copy of `bytes` to `address`, after all work of `compute` so far.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn write(
        &mut self,
        address: u64,
        bytes: &[u8],
        compute: &Stream,
    ) -> Result<(), DeviceError> {
        let mut at = 0;
        while at < bytes.len() {
            if self.used >= self.half {
                self.turn(compute)?;
            }
            if self.fresh {
                self.free[self.active].synchronize()?;
                self.fresh = false;
            }
            let length = (bytes.len() - at).min(self.half - self.used);
            let start = self.active * self.half + self.used;
            self.host
                .bytes_mut(start, length)
                .copy_from_slice(&bytes[at..at + length]);
            let (from, to) = (self.host.at(start).cast(), address + at as u64);
            if length <= DIRECT {
                driver!(cuMemcpyHtoDAsync_v2(to, from, length, compute.handle))?;
            } else {
                let between = self.card.address + start as u64;
                driver!(cuMemcpyHtoDAsync_v2(
                    between,
                    from,
                    length,
                    self.copy.handle
                ))?;
                self.copied.record(&self.copy)?;
                compute.wait(&self.copied)?;
                driver!(cuMemcpyDtoDAsync_v2(to, between, length, compute.handle))?;
            }
            self.used = (self.used + length).next_multiple_of(ALIGNMENT);
            at += length;
        }
        Ok(())
    }

    /// Goes on with the other half, if this one is in use; before a run, so that the half is
    /// free again when the run begins and not when it ends.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn turn(&mut self, compute: &Stream) -> Result<(), DeviceError> {
        if self.used > 0 {
            self.free[self.active].record(compute)?;
            self.active = 1 - self.active;
            self.used = 0;
            self.fresh = true;
        }
        Ok(())
    }

    /// Bytes on the card.
    pub(super) fn bytes(&self) -> u64 {
        self.card.bytes
    }
}

/// The read buffer; behind a lock, because reading changes no tensor.
pub(super) struct Reader(Mutex<ReadBuffer>);

struct ReadBuffer {
    host: Pinned,
    done: [Event; 2],
    /// Address, length and generation of what the window holds.
    window: Option<(u64, u64, u64)>,
}

/// Where to read.
pub(super) struct Place {
    /// Address of the region.
    pub(super) region: u64,
    /// Its size.
    pub(super) bytes: u64,
    /// Offset of the first byte.
    pub(super) offset: u64,
    /// Another number after everything that may have changed memory.
    pub(super) generation: u64,
}

impl Place {
    /// The piece of the region that a small read of `length` bytes fetches: offset and length.
    fn window(&self, length: u64) -> (u64, u64) {
        let begin = self.offset - self.offset % WINDOW;
        let end = (begin + WINDOW).max(self.offset + length).min(self.bytes);
        (begin, end - begin)
    }
}

impl Reader {
    /// A new buffer.
    ///
    /// # Errors
    /// Too little memory.
    pub(super) fn new() -> Result<Self, DeviceError> {
        Ok(Self(Mutex::new(ReadBuffer {
            host: Pinned::new(2 * READ)?,
            done: [Event::new()?, Event::new()?],
            window: None,
        })))
    }

    /// Fills `into`, after all work of `compute` so far.
    ///
    /// # Errors
    /// What that work ran into.
    pub(super) fn read(
        &self,
        place: &Place,
        into: &mut [u8],
        compute: &Stream,
    ) -> Result<(), DeviceError> {
        let mut buffer = match self.0.lock() {
            Ok(buffer) => buffer,
            Err(poisoned) => poisoned.into_inner(),
        };
        match into.len() {
            0 => Ok(()),
            1..=SMALL => buffer.read_small(place, into, compute),
            _ => buffer.read_large(place.region + place.offset, into, compute),
        }
    }
}

impl ReadBuffer {
    fn read_small(
        &mut self,
        place: &Place,
        into: &mut [u8],
        compute: &Stream,
    ) -> Result<(), DeviceError> {
        let (begin, length) = place.window(into.len() as u64);
        let wanted = (place.region + begin, length, place.generation);
        if self.window != Some(wanted) {
            self.window = None;
            driver!(cuMemcpyDtoHAsync_v2(
                self.host.at(0).cast(),
                place.region + begin,
                length as usize,
                compute.handle
            ))?;
            compute.synchronize()?;
            self.window = Some(wanted);
        }
        let start = (place.offset - begin) as usize;
        into.copy_from_slice(self.host.bytes(start, into.len()));
        Ok(())
    }

    /// The card fills one part of the buffer while the host empties the other.
    fn read_large(
        &mut self,
        address: u64,
        into: &mut [u8],
        compute: &Stream,
    ) -> Result<(), DeviceError> {
        self.window = None;
        let total = into.len();
        let pieces = total.div_ceil(READ);
        let length = |piece: usize| (total - piece * READ).min(READ);
        let fetch = |piece: usize| -> Result<(), DeviceError> {
            driver!(cuMemcpyDtoHAsync_v2(
                self.host.at(piece % 2 * READ).cast(),
                address + (piece * READ) as u64,
                length(piece),
                compute.handle
            ))?;
            self.done[piece % 2].record(compute)
        };
        fetch(0)?;
        for piece in 0..pieces {
            if piece + 1 < pieces {
                fetch(piece + 1)?;
            }
            self.done[piece % 2].synchronize()?;
            let length = length(piece);
            into[piece * READ..][..length]
                .copy_from_slice(self.host.bytes(piece % 2 * READ, length));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_read_fetches_its_neighbours_within_the_region() {
        let window = |bytes, offset, length| {
            let place = Place {
                region: 1 << 20,
                bytes,
                offset,
                generation: 1,
            };
            place.window(length)
        };
        // Two scalars side by side are one window.
        assert_eq!(window(1 << 20, 0, 4), (0, 4096));
        assert_eq!(window(1 << 20, 64, 4), (0, 4096));
        assert_eq!(window(1 << 20, 4160, 4), (4096, 4096));
        // Across a window's end, and at a region's.
        assert_eq!(window(1 << 20, 4032, 128), (0, 4160));
        assert_eq!(window(100, 64, 36), (0, 100));
        assert_eq!(window(5000, 4992, 8), (4096, 904));
    }
}
