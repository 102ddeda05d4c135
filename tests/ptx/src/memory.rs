//! Global memory: allocations with gaps between them, each byte known to be written or not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use crate::fault::FaultKind;
use crate::machine::space::GLOBAL_START;

/// Bytes between two allocations, and the alignment of their starts.
const GAP: u64 = 4096;

/// Block number in a tag that stands for several readers.
const MANY: u32 = 0xF_FFFF;

/// The global memory of the emulated device.
#[derive(Default)]
pub struct Memory {
    /// By base, ascending; freed ones stay, so that their use is recognised.
    allocations: Vec<Allocation>,
    /// Addresses of modules' variables.
    pub(crate) variables: HashMap<(u64, u32), u64>,
    launches: u32,
}

/// A range of addresses.
pub(crate) struct Allocation {
    pub base: u64,
    pub bytes: u64,
    freed: bool,
    pub read_only: bool,
    words: Box<[AtomicU64]>,
    /// 1 for each byte that holds a value; unused once `complete`.
    written: Box<[AtomicU64]>,
    complete: AtomicBool,
    /// For each byte the block that wrote and the block that read it in this launch.
    users: Option<Users>,
}

struct Users {
    writers: Box<[AtomicU32]>,
    readers: Box<[AtomicU32]>,
}

fn zeros(count: u64) -> Box<[AtomicU64]> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

impl Memory {
    /// Memory without allocations.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// Address of `bytes` new bytes, which hold nothing yet. Allocations start at multiples of 4096 and
    /// at least 4096 bytes lie between them.
    pub fn alloc(&mut self, bytes: usize) -> u64 {
        let base = self.allocations.last().map_or(GLOBAL_START, |last| {
            (last.base + last.bytes).next_multiple_of(GAP) + GAP
        });
        let words = (bytes as u64).div_ceil(8);
        self.allocations.push(Allocation {
            base,
            bytes: bytes as u64,
            freed: false,
            read_only: false,
            words: zeros(words),
            written: zeros(words),
            complete: AtomicBool::new(bytes == 0),
            users: None,
        });
        base
    }

    /// Address of a new copy of `data`.
    pub fn alloc_from(&mut self, data: &[u8]) -> u64 {
        let base = self.alloc(data.len());
        let last = self.allocations.len() - 1;
        self.allocations[last].fill(0, data);
        self.allocations[last]
            .complete
            .store(true, Ordering::Relaxed);
        base
    }

    pub(crate) fn set_read_only(&mut self, base: u64) {
        if let Some(index) = self.index(base) {
            self.allocations[index].read_only = true;
        }
    }

    /// Ends an allocation. Its addresses are never used again, and using them is a fault.
    ///
    /// # Errors
    /// If no allocation starts at `base`.
    pub fn free(&mut self, base: u64) -> Result<(), String> {
        match self.index(base) {
            Some(index) if self.allocations[index].base == base => {
                let allocation = &mut self.allocations[index];
                if allocation.freed {
                    return Err(format!("{base:#x} is freed twice"));
                }
                allocation.freed = true;
                allocation.words = zeros(0);
                allocation.written = zeros(0);
                allocation.users = None;
                Ok(())
            }
            _ => Err(format!("no allocation starts at {base:#x}")),
        }
    }

    /// Copies `data` to `address`.
    ///
    /// # Errors
    /// If the range is not inside one allocation.
    pub fn write(&mut self, address: u64, data: &[u8]) -> Result<(), String> {
        let (allocation, offset) = self.range_mut(address, data.len() as u64)?;
        allocation.fill(offset, data);
        if data.len() as u64 == allocation.bytes {
            allocation.complete.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The `bytes` bytes at `address`.
    ///
    /// # Errors
    /// If the range is not inside one allocation, or a byte of it was never written.
    pub fn read(&self, address: u64, bytes: usize) -> Result<Vec<u8>, String> {
        let (allocation, offset) = self.range(address, bytes as u64)?;
        if let Some(missing) = allocation.unwritten(offset, bytes as u64) {
            return Err(format!(
                "the byte at {:#x} was never written",
                allocation.base + missing
            ));
        }
        Ok((0..bytes as u64)
            .map(|i| allocation.load(offset + i, 1) as u8)
            .collect())
    }

    /// The `bytes` bytes at `address`, where those that were never written read as `None`.
    ///
    /// # Errors
    /// If the range is not inside one allocation.
    pub fn read_partly(&self, address: u64, bytes: usize) -> Result<Vec<Option<u8>>, String> {
        let (allocation, offset) = self.range(address, bytes as u64)?;
        let byte = |i| match allocation.unwritten(i, 1) {
            None => Some(allocation.load(i, 1) as u8),
            Some(_) => None,
        };
        Ok((offset..offset + bytes as u64).map(byte).collect())
    }

    /// Declares a range to hold values, as it is (zeros where nobody wrote).
    ///
    /// # Errors
    /// If the range is not inside one allocation.
    pub fn mark_initialised(&mut self, address: u64, bytes: usize) -> Result<(), String> {
        let (allocation, offset) = self.range_mut(address, bytes as u64)?;
        allocation.mark(offset, bytes as u64);
        if bytes as u64 == allocation.bytes {
            allocation.complete.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn range(&self, address: u64, bytes: u64) -> Result<(&Allocation, u64), String> {
        self.locate(address, bytes, &mut 0)
            .map_err(|(_, message)| message)
    }

    fn range_mut(&mut self, address: u64, bytes: u64) -> Result<(&mut Allocation, u64), String> {
        let mut index = 0;
        let (_, offset) = self
            .locate(address, bytes, &mut index)
            .map_err(|(_, message)| message)?;
        Ok((&mut self.allocations[index], offset))
    }

    fn index(&self, address: u64) -> Option<usize> {
        self.allocations
            .partition_point(|a| a.base <= address)
            .checked_sub(1)
    }

    /// The allocation with all of `bytes` at `address`, and the offset in it. `cache` is the index of the
    /// allocation that was used last.
    #[inline]
    pub(crate) fn locate(
        &self,
        address: u64,
        bytes: u64,
        cache: &mut usize,
    ) -> Result<(&Allocation, u64), (FaultKind, String)> {
        if let Some(allocation) = self.allocations.get(*cache) {
            let offset = address.wrapping_sub(allocation.base);
            if offset < allocation.bytes && bytes <= allocation.bytes - offset && !allocation.freed
            {
                return Ok((allocation, offset));
            }
        }
        self.search(address, bytes, cache)
    }

    #[cold]
    fn search(
        &self,
        address: u64,
        bytes: u64,
        cache: &mut usize,
    ) -> Result<(&Allocation, u64), (FaultKind, String)> {
        let Some(index) = self.index(address) else {
            let message = format!("{bytes} bytes below every allocation");
            return Err((FaultKind::OutOfBounds, message));
        };
        let allocation = &self.allocations[index];
        let offset = address - allocation.base;
        let inside = offset <= allocation.bytes && bytes <= allocation.bytes - offset;
        if !inside {
            let message = format!(
                "{bytes} bytes at offset {offset} of an allocation of {} bytes at {:#x}",
                allocation.bytes, allocation.base
            );
            return Err((FaultKind::OutOfBounds, message));
        }
        if allocation.freed {
            let message = format!("the allocation at {:#x} was freed", allocation.base);
            return Err((FaultKind::Freed, message));
        }
        *cache = index;
        Ok((allocation, offset))
    }

    /// Starts the record of which blocks use which bytes; returns the launch's part of a tag.
    pub(crate) fn start_launch(&mut self, races: bool) -> u32 {
        // Tags have 12 bits for the launch; the records are cleared when they are used up.
        self.launches = (self.launches + 1) % 4096;
        if self.launches == 0 {
            self.launches = 1;
            for allocation in &mut self.allocations {
                allocation.users = None;
            }
        }
        for allocation in self.allocations.iter_mut().filter(|a| races && !a.freed) {
            let bytes = allocation.bytes;
            allocation.users.get_or_insert_with(|| Users {
                writers: (0..bytes).map(|_| AtomicU32::new(0)).collect(),
                readers: (0..bytes).map(|_| AtomicU32::new(0)).collect(),
            });
        }
        self.launches << 20
    }
}

impl Allocation {
    fn pointer(&self) -> *mut u8 {
        self.words.as_ptr().cast::<u8>().cast_mut()
    }

    /// `bytes` (1, 2, 4 or 8) at a multiple of `bytes` inside the allocation.
    #[inline]
    pub fn load(&self, offset: u64, bytes: u32) -> u64 {
        debug_assert!(
            offset + u64::from(bytes) <= self.bytes && offset.is_multiple_of(bytes.into())
        );
        assert!(offset + u64::from(bytes) <= 8 * self.words.len() as u64);
        // SAFETY: the range is inside `words` (checked above) and aligned, because `words` is aligned to 8
        // and callers keep offsets multiples of the size; all access to `words` is atomic. Blocks on
        // several threads may touch one word in different sizes only in programs that race.
        unsafe {
            let pointer = self.pointer().add(offset as usize);
            match bytes {
                1 => AtomicU8::from_ptr(pointer).load(Ordering::Relaxed).into(),
                2 => AtomicU16::from_ptr(pointer.cast())
                    .load(Ordering::Relaxed)
                    .into(),
                4 => AtomicU32::from_ptr(pointer.cast())
                    .load(Ordering::Relaxed)
                    .into(),
                _ => AtomicU64::from_ptr(pointer.cast()).load(Ordering::Relaxed),
            }
        }
    }

    /// Stores the low `bytes` (1, 2, 4 or 8) of `value` at a multiple of `bytes`, and marks them written.
    #[inline]
    pub fn store(&self, offset: u64, bytes: u32, value: u64) {
        debug_assert!(
            offset + u64::from(bytes) <= self.bytes && offset.is_multiple_of(bytes.into())
        );
        assert!(offset + u64::from(bytes) <= 8 * self.words.len() as u64);
        store(self.pointer(), offset, bytes, value);
        if !self.complete.load(Ordering::Relaxed) {
            let flags = self.written.as_ptr().cast::<u8>().cast_mut();
            store(flags, offset, bytes, 0x0101_0101_0101_0101);
        }
    }

    /// Offset of the first byte in the range that was never written.
    #[inline]
    pub fn unwritten(&self, offset: u64, bytes: u64) -> Option<u64> {
        if self.complete.load(Ordering::Relaxed) {
            return None;
        }
        (offset..offset + bytes).find(|&byte| {
            let flags = self.written[byte as usize / 8].load(Ordering::Relaxed);
            flags >> (8 * (byte % 8)) & 1 == 0
        })
    }

    fn mark(&mut self, offset: u64, bytes: u64) {
        for byte in offset..offset + bytes {
            *self.written[byte as usize / 8].get_mut() |= 1 << (8 * (byte % 8));
        }
    }

    fn fill(&mut self, offset: u64, data: &[u8]) {
        for (at, &byte) in (offset..).zip(data) {
            let word = self.words[at as usize / 8].get_mut();
            let shift = 8 * (at % 8);
            *word = *word & !(0xFF << shift) | u64::from(byte) << shift;
        }
        self.mark(offset, data.len() as u64);
    }

    /// Notes that a block reads a range; the block that wrote a byte of it, if it is another one.
    #[inline]
    pub fn note_read(&self, offset: u64, bytes: u64, tag: u32) -> Option<u32> {
        let users = self.users.as_ref()?;
        let range = offset as usize..(offset + bytes) as usize;
        // A byte that this block has read is checked when another one writes it.
        let known = |reader: &AtomicU32| reader.load(Ordering::Relaxed) == tag;
        if users.readers[range.clone()].iter().all(known) {
            return None;
        }
        for (writer, reader) in users.writers[range.clone()]
            .iter()
            .zip(&users.readers[range])
        {
            let found = reader.load(Ordering::Relaxed);
            if found != tag {
                let current = found >> 20 == tag >> 20;
                reader.store(if current { tag | MANY } else { tag }, Ordering::Relaxed);
            }
            let found = writer.load(Ordering::Relaxed);
            if found >> 20 == tag >> 20 && found != tag {
                return Some((found & MANY) - 1);
            }
        }
        None
    }

    /// Notes that a block writes a range; what another block did with a byte of it.
    #[inline]
    pub fn note_write(&self, offset: u64, bytes: u64, tag: u32) -> Option<(&'static str, u32)> {
        let users = self.users.as_ref()?;
        let range = offset as usize..(offset + bytes) as usize;
        let known = |writer: &AtomicU32| writer.load(Ordering::Relaxed) == tag;
        if users.writers[range.clone()].iter().all(known) {
            return None;
        }
        for (writer, reader) in users.writers[range.clone()]
            .iter()
            .zip(&users.readers[range])
        {
            let found = writer.load(Ordering::Relaxed);
            if found >> 20 == tag >> 20 && found != tag {
                return Some(("wrote", (found & MANY) - 1));
            }
            writer.store(tag, Ordering::Relaxed);
            let found = reader.load(Ordering::Relaxed);
            if found >> 20 == tag >> 20 && found != tag {
                return Some(("read", (found & MANY) - 1));
            }
        }
        None
    }
}

#[inline]
fn store(base: *mut u8, offset: u64, bytes: u32, value: u64) {
    // SAFETY: as in `Allocation::load`; callers pass an aligned range inside `words` or `written`.
    unsafe {
        let pointer = base.add(offset as usize);
        match bytes {
            1 => AtomicU8::from_ptr(pointer).store(value as u8, Ordering::Relaxed),
            2 => AtomicU16::from_ptr(pointer.cast()).store(value as u16, Ordering::Relaxed),
            4 => AtomicU32::from_ptr(pointer.cast()).store(value as u32, Ordering::Relaxed),
            _ => AtomicU64::from_ptr(pointer.cast()).store(value, Ordering::Relaxed),
        }
    }
}
