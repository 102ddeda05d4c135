//! Machine code of a package, mapped so that it is never writable and executable at once.

use std::fmt;
use std::ptr::NonNull;

use mm1_package::cpu;

/// A kernel's entry point; see the package crate for the meaning of the arguments.
pub type KernelFn = unsafe extern "C" fn(
    args: *const *mut u8,
    extents: *const i64,
    scalars: *const f32,
    tile_begin: i64,
    tile_end: i64,
    scratch: *mut u8,
);

/// Why code cannot run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// This CPU lacks features that the code was compiled for.
    MissingFeatures(Vec<String>),
    /// The package was compiled for another kind of machine.
    Target(String),
    /// The system refused the mapping.
    Map(String),
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingFeatures(names) => write!(
                f,
                "this CPU lacks {}, which the package's code needs: compile the model for this \
                 machine's target",
                names.join(", ")
            ),
            Self::Target(target) if target.starts_with("cuda:") => write!(
                f,
                "the package was compiled for {target}: run it with `--device cuda`"
            ),
            Self::Target(target) => write!(
                f,
                "the package was compiled for {target}, this machine is {}: compile the model for \
                 this machine's target",
                std::env::consts::ARCH
            ),
            Self::Map(reason) => write!(f, "cannot map the package's code: {reason}"),
        }
    }
}

impl std::error::Error for CodeError {}

/// Executable code.
#[derive(Debug)]
pub struct Code {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping is read-only and executable; nothing writes to it after `load`.
unsafe impl Send for Code {}
// SAFETY: as above.
unsafe impl Sync for Code {}

impl Code {
    /// Maps `code` after checking that this CPU is of the kind that `target` names
    /// (`cpu:x86-64-v3`) and has every one of `features`.
    pub fn load(target: &str, features: &[String], code: &[u8]) -> Result<Self, CodeError> {
        check_target(target)?;
        let missing: Vec<String> = features
            .iter()
            .filter(|feature| !cpu::has(feature))
            .cloned()
            .collect();
        if !missing.is_empty() {
            return Err(CodeError::MissingFeatures(missing));
        }
        // A mapping cannot be empty; a package without kernels still loads.
        let bytes = code.len().max(1);
        // SAFETY: a fresh anonymous private mapping touches no existing memory.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(last_error());
        }
        let start = NonNull::new(address.cast::<u8>())
            .ok_or_else(|| CodeError::Map("the system mapped address 0".into()))?;
        // From here on `Drop` unmaps, also when a step below fails.
        let mapped = Self { start, bytes };
        // SAFETY: the mapping is at least code.len() long and does not overlap `code`.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), start.as_ptr(), code.len()) };
        // SAFETY: the range is the mapping above.
        let status = unsafe { libc::mprotect(address, bytes, libc::PROT_READ | libc::PROT_EXEC) };
        if status != 0 {
            return Err(last_error());
        }
        Ok(mapped)
    }

    /// The function `entry` bytes into the code; `None` outside of it.
    pub fn kernel(&self, entry: u64) -> Option<KernelFn> {
        let offset = usize::try_from(entry).ok()?;
        if offset >= self.bytes {
            return None;
        }
        // SAFETY: the address lies inside the executable mapping. Whether a kernel with this
        // signature starts there is the package's word, as it is for a shared library.
        Some(unsafe { std::mem::transmute::<*mut u8, KernelFn>(self.start.as_ptr().add(offset)) })
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: the range is the mapping made by `load`, unmapped only here.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

fn last_error() -> CodeError {
    CodeError::Map(std::io::Error::last_os_error().to_string())
}

fn check_target(target: &str) -> Result<(), CodeError> {
    let name = target.strip_prefix("cpu:").unwrap_or(target);
    let here = if cfg!(target_arch = "x86_64") {
        "x86-64"
    } else {
        std::env::consts::ARCH
    };
    if target.starts_with("cpu:") && name.starts_with(here) {
        Ok(())
    } else {
        Err(CodeError::Target(target.to_string()))
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn missing_features_are_named() {
        let features = ["sse2", "warp-drive", "mmx9"].map(String::from);
        let error = Code::load("cpu:x86-64-v3", &features, &[0xc3]).unwrap_err();
        assert_eq!(
            error,
            CodeError::MissingFeatures(vec!["warp-drive".into(), "mmx9".into()])
        );
        assert!(error.to_string().contains("warp-drive, mmx9"));
    }

    #[test]
    fn other_machines_are_refused() {
        for target in ["cuda:sm_90a", "cpu:aarch64", "x86-64-v3"] {
            assert!(matches!(
                Code::load(target, &[], &[0xc3]),
                Err(CodeError::Target(_))
            ));
        }
    }

    #[test]
    fn entries_outside_are_refused() {
        let code = Code::load("cpu:x86-64-v3", &[], &[0xc3, 0xc3]).unwrap();
        assert!(code.kernel(1).is_some());
        assert!(code.kernel(2).is_none());
        assert!(code.kernel(u64::MAX).is_none());
    }

    #[test]
    fn code_is_executable_and_not_writable() {
        let code = Code::load("cpu:x86-64-v3", &[], &[0xc3]).unwrap();
        let address = format!("{:x}-", code.start.as_ptr() as usize);
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps
            .lines()
            .find(|line| line.starts_with(&address))
            .unwrap();
        assert_eq!(line.split_whitespace().nth(1), Some("r-xp"), "{line}");
        // The one instruction is `ret`.
        let kernel = code.kernel(0).unwrap();
        // SAFETY: a lone `ret` touches nothing.
        unsafe {
            kernel(
                std::ptr::null(),
                std::ptr::null(),
                std::ptr::null(),
                0,
                0,
                std::ptr::null_mut(),
            );
        }
    }
}
