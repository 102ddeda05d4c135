//! Zeroed memory for regions and scratch, straight from the operating system.
//!
//! Anonymous pages are zero and take no physical memory until something touches them, so a
//! region that a program never uses (the moments, in evaluation) costs nothing.

use std::fmt;
use std::ptr::NonNull;

/// Alignment that every region and scratch buffer has at least, bytes.
pub const ALIGNMENT: usize = 64;

/// The system gave no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryError {
    /// Bytes asked for.
    pub bytes: u64,
    /// The system's reason.
    pub reason: String,
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot allocate {} bytes: {}", self.bytes, self.reason)
    }
}

impl std::error::Error for MemoryError {}

/// One zeroed allocation, aligned to at least [`ALIGNMENT`] bytes.
#[derive(Debug)]
pub struct Memory {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the allocation has one owner; shared access is read-only through `&self`.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Allocates `bytes` zeroed bytes; 0 is legal.
    pub fn zeroed(bytes: u64) -> Result<Self, MemoryError> {
        let error = |reason: String| MemoryError { bytes, reason };
        let size = usize::try_from(bytes)
            .ok()
            .filter(|&size| size <= isize::MAX as usize)
            .ok_or_else(|| error("more than the address space".into()))?;
        if size == 0 {
            // Never dereferenced, but kernels may be handed it: keep it aligned.
            let start = NonNull::new(ALIGNMENT as *mut u8).expect("64 is not null");
            return Ok(Self { start, bytes: 0 });
        }
        // SAFETY: a fresh anonymous private mapping touches no existing memory.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(error(std::io::Error::last_os_error().to_string()));
        }
        let start = NonNull::new(address.cast::<u8>())
            .ok_or_else(|| error("the system mapped address 0".into()))?;
        #[cfg(target_os = "linux")]
        if size >= 4 << 20 {
            // Large pages spare the matrix kernels most TLB misses; a refusal costs only speed.
            // SAFETY: the range was mapped just above.
            unsafe { libc::madvise(address, size, libc::MADV_HUGEPAGE) };
        }
        Ok(Self { start, bytes: size })
    }

    /// Address of the first byte.
    pub fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether the size is 0.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is `bytes` long, initialised (zero pages) and lives as long as self.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    /// The bytes, to change.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as `bytes`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // SAFETY: the range is the mapping made by `zeroed`, unmapped only here.
            unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
        }
    }
}

/// Physical memory of this machine in bytes, if the system says.
pub fn physical_bytes() -> Option<u64> {
    // SAFETY: sysconf reads no memory of ours.
    let (pages, size) = unsafe {
        (
            libc::sysconf(libc::_SC_PHYS_PAGES),
            libc::sysconf(libc::_SC_PAGESIZE),
        )
    };
    u64::try_from(pages)
        .ok()?
        .checked_mul(u64::try_from(size).ok()?)
        .filter(|&bytes| bytes > 0)
}

/// Takes from the resident set what a compilation in this process leaves behind: pages of the heap
/// that are free, and the machine code that ran. Code that runs again comes back from the page
/// cache.
pub fn release_leftovers() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: only returns free pages of the heap to the system.
        unsafe { libc::malloc_trim(0) };
        let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else {
            return;
        };
        for (start, length) in maps.lines().filter_map(code_of_file) {
            // SAFETY: the range is executable, not writable and backed by a file, so that its pages
            // are those of the file and are read from it anew.
            unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
        }
    }
}

/// Start and length of a line of `/proc/self/maps`, if it is code of a file.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn code_of_file(line: &str) -> Option<(usize, usize)> {
    let mut words = line.split_whitespace();
    let (range, rights) = (words.next()?, words.next()?);
    let path = words.nth(3)?;
    if rights != "r-xp" || !path.starts_with('/') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    Some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zeroed_and_aligned() {
        for bytes in [0, 1, 63, 64, 4097, 5 << 20] {
            let mut memory = Memory::zeroed(bytes).unwrap();
            assert_eq!(memory.len() as u64, bytes);
            assert_eq!(memory.start() as usize % ALIGNMENT, 0);
            assert!(memory.bytes().iter().all(|&byte| byte == 0));
            memory.bytes_mut().fill(7);
            assert!(memory.bytes().iter().all(|&byte| byte == 7));
        }
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn code_survives_its_release() {
        let line = "5500-5f00 r-xp 00001000 08:01 42 /usr/bin/some program";
        assert_eq!(code_of_file(line), Some((0x5500, 0xa00)));
        for other in [
            "5500-5f00 r--p 00001000 08:01 42 /usr/bin/program",
            "5500-5f00 r-xp 00000000 00:00 0 ",
            "7ffd-7fff r-xp 00000000 00:00 0 [vdso]",
        ] {
            assert_eq!(code_of_file(other), None, "{other}");
        }
        let mut numbers: Vec<u64> = (0..1000).rev().collect();
        release_leftovers();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..1000));
    }

    #[test]
    fn absurd_sizes_are_refused() {
        assert!(Memory::zeroed(u64::MAX).is_err());
        assert!(Memory::zeroed(1 << 62).is_err());
    }
}
