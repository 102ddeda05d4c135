//! Runs machine code inside the tests.

use super::CodeBlob;

/// A blob mapped executable.
pub(crate) struct Mapped {
    base: *mut u8,
    length: usize,
    entries: Vec<(String, usize)>,
}

/// The calling convention of a kernel: buffers, extents, scalars, the tiles to do, scratch.
pub(crate) type KernelCode = unsafe extern "C" fn(
    args: *const *mut u8,
    extents: *const i64,
    scalars: *const f32,
    tile_begin: i64,
    tile_end: i64,
    scratch: *mut u8,
);

/// Scratch of one call, aligned as the runtime aligns it.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; 64]);

impl Mapped {
    pub(crate) fn new(blob: &CodeBlob) -> Self {
        let length = blob.bytes.len().max(1);
        // SAFETY: a fresh anonymous mapping of `length` bytes is filled before it becomes executable.
        unsafe {
            let base = libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(base, libc::MAP_FAILED, "mmap");
            std::ptr::copy_nonoverlapping(blob.bytes.as_ptr(), base.cast(), blob.bytes.len());
            let protected = libc::mprotect(base, length, libc::PROT_READ | libc::PROT_EXEC);
            assert_eq!(protected, 0, "mprotect");
            Self {
                base: base.cast(),
                length,
                entries: blob.entries.clone(),
            }
        }
    }

    /// The code of a function, valid as long as the mapping.
    pub(crate) fn kernel(&self, name: &str) -> KernelCode {
        let (_, offset) = self
            .entries
            .iter()
            .find(|(known, _)| known == name)
            .expect("the blob has this entry");
        // SAFETY: the entry is code of this signature.
        unsafe { std::mem::transmute::<*mut u8, KernelCode>(self.base.add(*offset)) }
    }

    /// Calls a function. `args` are the addresses of the kernel's buffers.
    pub(crate) fn call(
        &self,
        name: &str,
        args: &[*mut u8],
        extents: &[i64],
        tiles: std::ops::Range<i64>,
        scratch_bytes: u64,
    ) {
        let code = self.kernel(name);
        let mut scratch = vec![Line([0xa5; 64]); scratch_bytes as usize / 64 + 1];
        // SAFETY: the caller gives buffers as large as the kernel's sizes say.
        unsafe {
            code(
                args.as_ptr(),
                extents.as_ptr(),
                std::ptr::null(),
                tiles.start,
                tiles.end,
                scratch.as_mut_ptr().cast(),
            );
        }
        let guard = scratch[scratch_bytes as usize / 64].0;
        assert_eq!(guard, [0xa5; 64], "`{name}` wrote past its scratch");
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: this mapping is ours and nothing refers to it any more.
        unsafe { libc::munmap(self.base.cast(), self.length) };
    }
}
