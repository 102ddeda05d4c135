//! The manifest: what a checkpoint consists of, and the proof that all of it is there.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Code;

/// Layout of a checkpoint folder; a reader refuses any other.
pub(crate) const FORMAT: u32 = 1;
/// The manifest.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Holds the manifest's hash; written last.
pub(crate) const COMMITTED: &str = "COMMITTED";
/// Parameters by name.
pub(crate) const PARAMETERS: &str = "parameters.safetensors";
/// Optimizer state: `moment1.NAME`, `moment2.NAME`, `moment2.rows.NAME`, `moment2.columns.NAME`.
pub(crate) const OPTIMIZER: &str = "optimizer.safetensors";
/// The resolved graph file of the run.
pub(crate) const RESOLVED: &str = "config.resolved.toml";

/// One file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    /// Name within the folder.
    pub(crate) name: String,
    /// Length.
    pub(crate) bytes: u64,
    /// BLAKE3 of the content, hex.
    pub(crate) blake3: String,
}

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// Commits in this folder so far: the greatest is the newest, also after a run was
    /// taken back to an earlier step.
    pub(crate) sequence: u64,
    /// Optimizer steps done.
    pub(crate) step: u64,
    /// The trainer's counters.
    pub(crate) counters: Value,
    /// The data cursors.
    pub(crate) data: Value,
    /// BLAKE3 of the resolved graph file, hex.
    pub(crate) resolved: String,
    /// What made the code of the run.
    #[serde(default)]
    pub(crate) code: Code,
    /// All files but manifest and mark.
    pub(crate) files: Vec<FileEntry>,
}

/// Why a checkpoint folder cannot be trusted.
#[derive(Debug)]
pub struct Damage {
    /// The folder or file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

impl Manifest {
    /// Reads the manifest of a folder and checks it against the commit mark.
    pub(crate) fn read(folder: &Path) -> Result<Self, Damage> {
        let path = folder.join(MANIFEST);
        let damage = |what: String| Damage {
            path: path.clone(),
            what,
        };
        let text = fs::read(&path).map_err(|error| damage(error.to_string()))?;
        let mark = fs::read(folder.join(COMMITTED)).map_err(|error| Damage {
            path: folder.join(COMMITTED),
            what: error.to_string(),
        })?;
        if mark != blake3::hash(&text).to_hex().as_bytes() {
            return Err(damage("its hash is not the committed one".into()));
        }
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| damage(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(damage(format!(
                "checkpoint format {}, this mm1c reads {FORMAT}",
                manifest.format
            )));
        }
        Ok(manifest)
    }

    /// Checks length and hash of every file.
    pub(crate) fn verify(&self, folder: &Path) -> Result<(), Damage> {
        for name in [PARAMETERS, OPTIMIZER, RESOLVED] {
            let path = folder.join(name);
            let damage = |what: String| Damage {
                path: path.clone(),
                what,
            };
            let entry = self
                .files
                .iter()
                .find(|entry| entry.name == name)
                .ok_or_else(|| damage("the manifest does not list it".into()))?;
            let (bytes, hash) = hash_file(&path).map_err(|error| damage(error.to_string()))?;
            if bytes != entry.bytes {
                return Err(damage(format!(
                    "{bytes} bytes where {} were written",
                    entry.bytes
                )));
            }
            if hash != entry.blake3 {
                return Err(damage("its content changed since it was written".into()));
            }
        }
        Ok(())
    }
}

fn hash_file(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hash = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hash.finalize().to_hex().to_string()));
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
}
