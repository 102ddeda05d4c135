//! Checkpoints that survive `kill -9` and power cuts, and know when they are damaged.
//!
//! A checkpoint is a folder `step-000123` with safetensors files, the resolved graph file, a
//! manifest with the length and hash of each, and last a mark with the manifest's hash. It is
//! written under another name, flushed, and renamed when complete; older ones are removed
//! only after that. So at any moment the newest complete checkpoint is on the disk.

pub mod files;
pub mod manifest;
pub mod tensors;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use mm1_package::{Package, Role, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use files::{FileError, Writer};
use manifest::{
    COMMITTED, Damage, FORMAT, FileEntry, MANIFEST, Manifest, OPTIMIZER, PARAMETERS, RESOLVED,
};
use tensors::{Content, Item, TensorsError, TensorsFile};

use crate::executor::{Executor, ExecutorError};

/// Regions of the optimizer's state.
const MOMENTS: [&str; 2] = ["moment1", "moment2"];

/// What a checkpoint holds besides tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Optimizer steps done.
    pub step: u64,
    /// The trainer's counters. JSON text does not keep every bit of a float: store floats
    /// that must come back exactly by their bits.
    pub counters: Value,
    /// The data cursors; floats as for `counters`.
    pub data: Value,
    /// The resolved graph file of the run.
    pub resolved: String,
    /// What made the code that the run used.
    pub code: Code,
}

/// What made machine code: the last digits of a run depend on it. Empty where a checkpoint does
/// not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Code generator.
    pub backend: String,
    /// Named target.
    pub target: String,
}

impl Code {
    /// That of a package.
    pub fn of(package: &Package) -> Self {
        Self {
            backend: package.backend.clone(),
            target: package.target.clone(),
        }
    }

    /// Whether both are known and differ.
    pub fn differs(&self, other: &Self) -> bool {
        self != other && *self != Self::default() && *other != Self::default()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.backend, self.target)
    }
}

/// Why a checkpoint cannot be written or read.
#[derive(Debug)]
pub enum CheckpointError {
    /// A file-system call failed; the previous checkpoints are untouched.
    File(FileError),
    /// The checkpoint is not what was written.
    Damaged(Damage),
    /// Every checkpoint of the folder is damaged.
    AllDamaged {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with each, newest first.
        damages: Vec<Damage>,
    },
    /// A tensor file does not parse.
    Tensors(TensorsError),
    /// The device refused what was loaded.
    Executor(ExecutorError),
    /// The checkpoint belongs to another model.
    OtherModel {
        /// The checkpoint.
        path: PathBuf,
        /// Each tensor that differs.
        differences: Vec<String>,
    },
}

impl CheckpointError {
    /// Stable code for documentation and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "MM1C0601",
            Self::Damaged(_) | Self::AllDamaged { .. } => "MM1C0602",
            Self::Tensors(_) => "MM1C0603",
            Self::Executor(error) => error.code(),
            Self::OtherModel { .. } => "MM1C0604",
        }
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Executor(error) = self {
            return write!(f, "{error}");
        }
        write!(f, "{}: ", self.code())?;
        match self {
            Self::Executor(_) => Ok(()),
            Self::File(error) => write!(f, "{error}"),
            Self::Damaged(damage) => write!(f, "the checkpoint is damaged: {damage}"),
            Self::AllDamaged { folder, damages } => {
                write!(f, "every checkpoint in {} is damaged:", folder.display())?;
                damages.iter().try_for_each(|it| write!(f, "\n  {it}"))
            }
            Self::Tensors(error) => write!(f, "{error}"),
            Self::OtherModel { path, differences } => {
                write!(f, "{} belongs to another model:", path.display())?;
                differences.iter().try_for_each(|it| write!(f, "\n  {it}"))
            }
        }
    }
}

impl std::error::Error for CheckpointError {}

impl From<FileError> for CheckpointError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<ExecutorError> for CheckpointError {
    fn from(error: ExecutorError) -> Self {
        Self::Executor(error)
    }
}

impl From<TensorsError> for CheckpointError {
    fn from(error: TensorsError) -> Self {
        Self::Tensors(error)
    }
}

/// The checkpoints of one run. One process at a time may save (see the run directory's lock).
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    keep: usize,
}

/// A committed checkpoint in a store.
struct Found {
    step: u64,
    path: PathBuf,
    manifest: Result<Manifest, Damage>,
}

impl Found {
    fn sequence(&self) -> Option<u64> {
        self.manifest.as_ref().ok().map(|it| it.sequence)
    }
}

impl Store {
    /// A store in `folder` (made when first saved to) that keeps the `keep` newest (at least 1).
    pub fn new(folder: impl Into<PathBuf>, keep: usize) -> Self {
        Self {
            folder: folder.into(),
            keep: keep.max(1),
        }
    }

    /// Steps and paths of the complete checkpoints, oldest first.
    pub fn list(&self) -> Vec<(u64, PathBuf)> {
        self.found()
            .into_iter()
            .filter(|found| found.manifest.is_ok())
            .map(|found| (found.step, found.path))
            .collect()
    }

    /// Writes parameters, optimizer state and `snapshot` as `step-NNNNNN`, then removes
    /// checkpoints beyond those to keep. On an error the earlier ones are as they were.
    pub fn save(
        &self,
        executor: &Executor,
        snapshot: &Snapshot,
    ) -> Result<PathBuf, CheckpointError> {
        if !self.folder.exists() {
            files::create_folder(&self.folder)?;
            if let Some(parent) = self.folder.parent().filter(|it| it.is_dir()) {
                files::sync_folder(parent)?;
            }
        }
        self.clean()?;
        let sequence = self
            .found()
            .iter()
            .filter_map(Found::sequence)
            .max()
            .unwrap_or(0)
            + 1;
        let name = format!("step-{:06}", snapshot.step);
        let partial = self.folder.join(format!(".{name}.tmp"));
        if let Err(error) = write_all(&partial, executor, snapshot, sequence) {
            // A full disk needs the space back; if that fails too, the next save tries again.
            let _ = fs::remove_dir_all(&partial);
            return Err(error);
        }
        let path = self.folder.join(&name);
        let old = self.folder.join(format!(".{name}.old"));
        // The same step again, after a run was taken back: until the new one has its place,
        // the old one counts under its other name.
        let replaced = path.exists();
        if replaced {
            files::rename(&path, &old)?;
        }
        files::rename(&partial, &path)?;
        files::sync_folder(&self.folder)?;
        if replaced {
            files::remove_folder(&old)?;
        }
        self.prune()?;
        Ok(path)
    }

    /// Loads the newest checkpoint that is whole into `executor`; `None` if there is none.
    /// Each damaged one that is passed over is reported to `warn`.
    pub fn load_newest(
        &self,
        executor: &mut Executor,
        warn: &mut dyn FnMut(&str),
    ) -> Result<Option<Snapshot>, CheckpointError> {
        let mut damages = Vec::new();
        let mut whole = None;
        for found in self.found().into_iter().rev() {
            let checked = found.manifest.and_then(|manifest| {
                manifest.verify(&found.path)?;
                Ok(manifest)
            });
            match checked {
                // Folders that have no readable manifest sort last, so all of them were seen.
                Ok(manifest) => {
                    whole = Some((found.path, manifest));
                    break;
                }
                Err(damage) => {
                    warn(&format!(
                        "the checkpoint of step {} is damaged and passed over: {damage}",
                        found.step
                    ));
                    damages.push(damage);
                }
            }
        }
        match whole {
            Some((path, manifest)) => load_verified(&path, manifest, executor).map(Some),
            None if damages.is_empty() => Ok(None),
            None => Err(CheckpointError::AllDamaged {
                folder: self.folder.clone(),
                damages,
            }),
        }
    }

    /// Complete checkpoints and damaged ones: by commit, those of unknown commit last.
    fn found(&self) -> Vec<Found> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        let mut found: Vec<Found> = names
            .iter()
            .filter_map(|name| {
                let hidden = name
                    .strip_prefix('.')
                    .and_then(|it| it.strip_suffix(".old"));
                if hidden.is_some_and(|it| names.binary_search_by(|n| (**n).cmp(it)).is_ok()) {
                    return None;
                }
                let step = step_of(hidden.unwrap_or(name))?;
                let path = self.folder.join(name);
                let manifest = Manifest::read(&path);
                Some(Found {
                    step,
                    path,
                    manifest,
                })
            })
            .collect();
        found.sort_by_key(|it| (it.sequence().unwrap_or(u64::MAX), it.step));
        found
    }

    /// Removes what an interrupted save left behind.
    fn clean(&self) -> Result<(), CheckpointError> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Ok(());
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        for name in names {
            let path = self.folder.join(&name);
            let Some((stem, kind)) = name
                .strip_prefix('.')
                .and_then(|name| name.rsplit_once('.'))
                .filter(|(stem, _)| step_of(stem).is_some())
            else {
                continue;
            };
            match kind {
                "old" if !self.folder.join(stem).exists() => {
                    files::rename(&path, &self.folder.join(stem))?;
                }
                "old" | "tmp" | "prune" => files::remove_folder(&path)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the oldest complete checkpoints beyond those to keep. Damaged ones stay, for
    /// whoever wants to look at them.
    fn prune(&self) -> Result<(), CheckpointError> {
        let complete = self.list();
        let surplus = complete.len().saturating_sub(self.keep);
        for (step, path) in complete.into_iter().take(surplus) {
            // Under its own name a half-removed folder would look like a damaged checkpoint.
            let hidden = self.folder.join(format!(".step-{step:06}.prune"));
            files::rename(&path, &hidden)?;
            files::remove_folder(&hidden)?;
        }
        Ok(())
    }
}

/// Reads the snapshot of one checkpoint folder without loading tensors.
pub fn peek(path: &Path) -> Result<Snapshot, CheckpointError> {
    let manifest = Manifest::read(path).map_err(CheckpointError::Damaged)?;
    snapshot(path, manifest)
}

/// Loads one checkpoint folder into `executor` after checking every hash. On an error of the
/// checkpoint the executor is unchanged.
pub fn load(path: &Path, executor: &mut Executor) -> Result<Snapshot, CheckpointError> {
    let manifest = Manifest::read(path).map_err(CheckpointError::Damaged)?;
    manifest.verify(path).map_err(CheckpointError::Damaged)?;
    load_verified(path, manifest, executor)
}

fn snapshot(path: &Path, manifest: Manifest) -> Result<Snapshot, CheckpointError> {
    let file = path.join(RESOLVED);
    let damaged = |what: String| {
        CheckpointError::Damaged(Damage {
            path: file.clone(),
            what,
        })
    };
    let resolved = fs::read_to_string(&file).map_err(|error| damaged(error.to_string()))?;
    if blake3::hash(resolved.as_bytes()).to_hex().as_str() != manifest.resolved {
        return Err(damaged("its content changed since it was written".into()));
    }
    Ok(Snapshot {
        step: manifest.step,
        counters: manifest.counters,
        data: manifest.data,
        resolved,
        code: manifest.code,
    })
}

fn load_verified(
    path: &Path,
    manifest: Manifest,
    executor: &mut Executor,
) -> Result<Snapshot, CheckpointError> {
    let snapshot = snapshot(path, manifest)?;
    let mut differences = Vec::new();
    let mut plan = Vec::new();
    for (name, expected) in [
        (PARAMETERS, parameters(executor)),
        (OPTIMIZER, moments(executor)),
    ] {
        let file = TensorsFile::open(&path.join(name))?;
        differences.extend(compare(&file, &expected, executor));
        plan.push((file, expected));
    }
    if !differences.is_empty() {
        return Err(CheckpointError::OtherModel {
            path: path.to_path_buf(),
            differences,
        });
    }
    for (mut file, places) in plan {
        for place in places {
            let bytes = file.read(&place.name)?;
            executor.write_region(&place.region, place.range.start, &bytes)?;
        }
    }
    Ok(snapshot)
}

/// Where a stored tensor lives.
struct Place {
    name: String,
    region: String,
    tensor: Tensor,
    range: Range<u64>,
}

impl Place {
    fn new(executor: &Executor, tensor: &Tensor, name: String, region: &str) -> Self {
        let elements = tensor.bound_elements(&executor.package().extents);
        Self {
            name,
            region: region.to_string(),
            tensor: tensor.clone(),
            range: tensor.slot.offset..tensor.slot.offset + elements * tensor.dtype.size(),
        }
    }

    fn shape(&self, executor: &Executor) -> Vec<u64> {
        let extents = &executor.package().extents;
        let dims = self.tensor.dims.iter();
        dims.map(|dim| dim.bound(extents)).collect()
    }
}

fn parameters(executor: &Executor) -> Vec<Place> {
    let package = executor.package();
    let tensors = package.tensors.iter();
    tensors
        .filter(|tensor| tensor.role == Role::Parameter)
        .map(|tensor| {
            let region = &package.regions[tensor.slot.region as usize].name;
            Place::new(executor, tensor, tensor.name.clone(), region)
        })
        .collect()
}

/// What the optimizer keeps: the tensors of its regions, else a part of each region per trained
/// parameter.
fn moments(executor: &Executor) -> Vec<Place> {
    let package = executor.package();
    let mut places = Vec::new();
    for region in MOMENTS {
        if executor.region_bytes(region).is_none_or(|bytes| bytes == 0) {
            continue;
        }
        let before = places.len();
        let own = package.states(region);
        places.extend(own.map(|it| Place::new(executor, it, it.name.clone(), region)));
        if places.len() > before {
            continue;
        }
        let trained = package
            .tensors
            .iter()
            .filter(|tensor| tensor.parameter.as_ref().is_some_and(|it| it.trained));
        places.extend(trained.map(|tensor| {
            let name = format!("{region}.{}", tensor.name);
            Place::new(executor, tensor, name, region)
        }));
    }
    places
}

fn compare(file: &TensorsFile, places: &[Place], executor: &Executor) -> Vec<String> {
    let mut differences = Vec::new();
    let mut known = BTreeSet::new();
    for place in places {
        known.insert(place.name.as_str());
        let Some(stored) = file.tensors().get(&place.name) else {
            differences.push(format!("`{}` is missing in it", place.name));
            continue;
        };
        let here = describe(tensors::dtype(place.tensor.dtype), &place.shape(executor));
        let shape: Vec<u64> = stored.shape.iter().map(|&size| size as u64).collect();
        let there = describe(stored.dtype, &shape);
        if here != there {
            differences.push(format!(
                "`{}` is {there} where the model has {here}",
                place.name
            ));
        }
    }
    for name in file.tensors().keys() {
        if !known.contains(name.as_str()) {
            differences.push(format!("`{name}` is not in the model"));
        }
    }
    differences
}

fn describe(dtype: safetensors::Dtype, shape: &[u64]) -> String {
    format!("{dtype} {shape:?}")
}

fn write_all(
    folder: &Path,
    executor: &Executor,
    snapshot: &Snapshot,
    sequence: u64,
) -> Result<(), CheckpointError> {
    files::create_folder(folder)?;
    let mut entries = Vec::new();
    for (name, places) in [
        (PARAMETERS, parameters(executor)),
        (OPTIMIZER, moments(executor)),
    ] {
        let items: Vec<Item<'_>> = places
            .iter()
            .map(|place| Item {
                name: place.name.clone(),
                dtype: place.tensor.dtype,
                shape: place.shape(executor),
                content: Content::Region {
                    executor,
                    region: &place.region,
                    range: place.range.clone(),
                },
            })
            .collect();
        let (bytes, blake3) = tensors::write(&folder.join(name), &items)?;
        entries.push(FileEntry {
            name: name.to_string(),
            bytes,
            blake3,
        });
    }
    let (bytes, resolved) = write_text(&folder.join(RESOLVED), snapshot.resolved.as_bytes())?;
    entries.push(FileEntry {
        name: RESOLVED.to_string(),
        bytes,
        blake3: resolved.clone(),
    });
    let manifest = Manifest {
        format: FORMAT,
        sequence,
        step: snapshot.step,
        counters: snapshot.counters.clone(),
        data: snapshot.data.clone(),
        resolved,
        code: snapshot.code.clone(),
        files: entries,
    };
    let text =
        serde_json::to_string_pretty(&manifest).expect("numbers, text and JSON values serialise");
    let (_, hash) = write_text(&folder.join(MANIFEST), text.as_bytes())?;
    write_text(&folder.join(COMMITTED), hash.as_bytes())?;
    files::sync_folder(folder)?;
    Ok(())
}

fn write_text(path: &Path, text: &[u8]) -> Result<(u64, String), FileError> {
    let mut writer = Writer::create(path)?;
    writer.write(text)?;
    writer.finish()
}

fn step_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("step-")?;
    let plain = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) mod tests;
