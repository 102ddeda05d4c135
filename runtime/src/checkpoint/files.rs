//! The file-system calls of a checkpoint: each one counted, so that a test can stop the
//! process before any of them, and each error naming the path and the bytes at stake.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::executor::ExecutorError;

/// Environment variable of the fault: `checkpoint@N` kills the process, as `kill -9` would,
/// before its N-th file-system call for checkpoints (from 1).
pub const FAULT_VARIABLE: &str = "MM1C_FAULT";

/// A file-system call that failed.
#[derive(Debug)]
pub struct FileError {
    /// What was tried: `write`, `rename` …
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Bytes that were to be written.
    pub bytes: Option<u64>,
    /// The system's answer.
    pub source: io::Error,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.action, self.path.display())?;
        if let Some(bytes) = self.bytes {
            write!(f, " ({bytes} bytes)")?;
        }
        write!(f, ": {}", self.source)
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<ExecutorError> for FileError {
    fn from(error: ExecutorError) -> Self {
        Self {
            action: "read",
            path: PathBuf::from("the device's memory"),
            bytes: None,
            source: io::Error::other(error.to_string()),
        }
    }
}

/// Counts one call and dies if the fault says so.
fn call() {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static FATAL: OnceLock<Option<u64>> = OnceLock::new();
    let fatal = *FATAL.get_or_init(|| {
        let text = std::env::var(FAULT_VARIABLE).ok()?;
        text.strip_prefix("checkpoint@")?.parse().ok()
    });
    let number = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    if fatal == Some(number) {
        // SAFETY: raising a signal touches no memory; this one cannot be caught.
        unsafe { libc::raise(libc::SIGKILL) };
    }
}

fn checked<T>(
    action: &'static str,
    path: &Path,
    run: impl FnOnce() -> io::Result<T>,
) -> Result<T, FileError> {
    call();
    run().map_err(|source| FileError {
        action,
        path: path.to_path_buf(),
        bytes: None,
        source,
    })
}

/// Creates a folder and its parents.
pub(crate) fn create_folder(path: &Path) -> Result<(), FileError> {
    checked("create folder", path, || fs::create_dir_all(path))
}

/// Renames within one folder, atomically.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    checked("rename", from, || fs::rename(from, to))
}

/// Makes renames and creations in a folder survive a power cut.
pub(crate) fn sync_folder(path: &Path) -> Result<(), FileError> {
    checked("sync folder", path, || File::open(path)?.sync_all())
}

/// Removes a folder that holds files only.
pub(crate) fn remove_folder(path: &Path) -> Result<(), FileError> {
    let entries = checked("read folder", path, || fs::read_dir(path))?;
    for entry in entries.flatten() {
        let file = entry.path();
        checked("remove", &file, || fs::remove_file(&file))?;
    }
    checked("remove folder", path, || fs::remove_dir(path))
}

/// A file being written: hashed as it goes.
pub(crate) struct Writer {
    file: File,
    path: PathBuf,
    hash: blake3::Hasher,
    bytes: u64,
}

impl Writer {
    /// Creates the file; it must not exist.
    pub(crate) fn create(path: &Path) -> Result<Self, FileError> {
        let file = checked("create", path, || File::create_new(path))?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
            hash: blake3::Hasher::new(),
            bytes: 0,
        })
    }

    /// Appends.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        checked("write", &self.path, || self.file.write_all(bytes)).map_err(|error| FileError {
            bytes: Some(bytes.len() as u64),
            ..error
        })?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Flushes to the disk; returns length and hash (hex).
    pub(crate) fn finish(self) -> Result<(u64, String), FileError> {
        checked("sync", &self.path, || self.file.sync_all()).map_err(|error| FileError {
            bytes: Some(self.bytes),
            ..error
        })?;
        Ok((self.bytes, self.hash.finalize().to_hex().to_string()))
    }
}
