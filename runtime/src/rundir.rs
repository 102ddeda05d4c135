//! The folder of one run: where its files lie, and who may write to them.

mod resume;

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

pub use resume::{Change, Resume, Verdict, compare, describe};

use crate::checkpoint::Store;

/// Why a run folder cannot be used.
#[derive(Debug)]
pub enum RunDirError {
    /// A file-system call failed.
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process runs in it.
    Locked {
        /// The folder.
        path: PathBuf,
        /// What the other process wrote: its process id.
        owner: String,
    },
}

impl RunDirError {
    /// Stable code for documentation and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "MM1C0621",
            Self::Locked { .. } => "MM1C0622",
        }
    }
}

impl fmt::Display for RunDirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code())?;
        match self {
            Self::Io {
                action,
                path,
                source,
            } => write!(f, "cannot {action} {}: {source}", path.display()),
            Self::Locked { path, owner } => write!(
                f,
                "run directory {} is in use by process {owner}: wait for it, or name another one",
                path.display()
            ),
        }
    }
}

impl std::error::Error for RunDirError {}

/// A run folder that this process has locked; dropping it (or dying) frees the lock.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    _lock: File,
}

impl RunDir {
    /// Creates the folder if need be and locks it.
    pub fn open(path: &Path) -> Result<Self, RunDirError> {
        fs::create_dir_all(path).map_err(io_error("create", path))?;
        let lock_path = path.join("lock");
        let failed = io_error("lock", &lock_path);
        let mut lock = match OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
        {
            Ok(lock) => lock,
            Err(source) => return Err(failed(source)),
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Only for the message: an unreadable file leaves it empty.
                let _ = lock.take(64).read_to_string(&mut owner);
                let owner = owner.trim();
                return Err(RunDirError::Locked {
                    path: path.to_path_buf(),
                    owner: if owner.is_empty() { "(unknown)" } else { owner }.to_string(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(Self {
            path: path.to_path_buf(),
            _lock: lock,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The resolved graph file.
    pub fn resolved(&self) -> PathBuf {
        self.path.join("config.resolved.toml")
    }

    /// TensorBoard's events.
    pub fn board(&self) -> PathBuf {
        self.path.join("tb")
    }

    /// The graph as text.
    pub fn graph(&self) -> PathBuf {
        self.path.join("graph.txt")
    }

    /// The memory plan as text.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.txt")
    }

    /// Parameters, FLOPs and memory per component.
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.txt")
    }

    /// Version, machine, threads and command line.
    pub fn environment(&self) -> PathBuf {
        self.path.join("env.toml")
    }

    /// One JSON object per logged step.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// One JSON object per event.
    pub fn log(&self) -> PathBuf {
        self.path.join("log.jsonl")
    }

    /// The loss curve.
    pub fn loss_curve(&self) -> PathBuf {
        self.path.join("loss.svg")
    }

    /// The report.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// The compiled model that the run used.
    pub fn package(&self) -> PathBuf {
        self.path.join("model.mm1c")
    }

    /// The checkpoints, of which `keep` stay.
    pub fn checkpoints(&self, keep: usize) -> Store {
        Store::new(self.path.join("ckpt"), keep)
    }

    /// Replaces a file of the run as a whole: readers see the old or the new content.
    pub fn write(&self, path: &Path, content: &[u8]) -> Result<(), RunDirError> {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".tmp");
        let partial = path.with_file_name(name);
        fs::write(&partial, content).map_err(io_error("write", &partial))?;
        fs::rename(&partial, path).map_err(io_error("replace", path))
    }

    /// Opens a file of the run to append lines.
    pub fn append(&self, path: &Path) -> Result<File, RunDirError> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(io_error("append to", path))
    }
}

fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> RunDirError + use<> {
    let path = path.to_path_buf();
    move |source| RunDirError::Io {
        action,
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_is_refused_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs/a");
        let first = RunDir::open(&path).unwrap();
        let error = RunDir::open(&path).unwrap_err();
        assert_eq!(error.code(), "MM1C0622");
        let expected = format!("in use by process {}:", std::process::id());
        assert!(error.to_string().contains(&expected), "{error}");
        drop(first);
        RunDir::open(&path).unwrap();
    }

    #[test]
    fn files_are_replaced_whole_and_appended() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::open(folder.path()).unwrap();
        run.write(&run.report(), b"one").unwrap();
        run.write(&run.report(), b"two").unwrap();
        assert_eq!(fs::read(run.report()).unwrap(), b"two");
        for line in ["a\n", "b\n"] {
            let mut file = run.append(&run.metrics()).unwrap();
            file.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read(run.metrics()).unwrap(), b"a\nb\n");
        assert!(run.checkpoints(1).list().is_empty());
    }

    #[test]
    fn errors_name_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = RunDir::open(&file).unwrap_err();
        assert_eq!(error.code(), "MM1C0621");
        assert!(error.to_string().contains("file: "), "{error}");
    }
}
