//! Foreign weights by a name map: compared with a model, read into its parameters, written back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use mm1_compiler::build::{Purpose, build};
use mm1_compiler::compile::CompileError;
use mm1_dsl::model::Model;
use mm1_dsl::weights::{Rule, WeightMap};
use mm1_runtime::checkpoint::tensors::{Stored, TensorsFile, is_float};
use mm1_runtime::resize::resize_table;

use crate::compile::refused;
use crate::failure::Failure;

/// A weights file, or the files that share its tensors.
pub struct Shards {
    files: Vec<TensorsFile>,
    /// File of each tensor.
    index: BTreeMap<String, usize>,
}

impl Shards {
    /// Opens a file, the `*.index.json` of several, or a folder with either.
    ///
    /// # Errors
    /// Files that cannot be read, and a name that two of them hold.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let mut shards = Self {
            files: Vec::new(),
            index: BTreeMap::new(),
        };
        for path in Self::paths(path)? {
            let file = TensorsFile::open(&path)?;
            for name in file.tensors().keys() {
                if shards
                    .index
                    .insert(name.clone(), shards.files.len())
                    .is_some()
                {
                    return Err(Failure::at(&path, format!("`{name}` is in two files")));
                }
            }
            shards.files.push(file);
        }
        Ok(shards)
    }

    fn paths(path: &Path) -> Result<Vec<PathBuf>, Failure> {
        if path.is_dir() {
            let index = path.join("model.safetensors.index.json");
            if index.is_file() {
                return Self::paths(&index);
            }
            let entries = std::fs::read_dir(path).map_err(|error| Failure::at(path, error))?;
            let mut found: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|it| it == "safetensors"))
                .collect();
            found.sort();
            return match found.is_empty() {
                true => Err(Failure::at(path, "the folder holds no safetensors file")),
                false => Ok(found),
            };
        }
        if path.extension().is_none_or(|it| it != "json") {
            return Ok(vec![path.to_path_buf()]);
        }
        let text = std::fs::read(path).map_err(|error| Failure::at(path, error))?;
        let index: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| Failure::at(path, error))?;
        let files: Option<BTreeSet<&str>> = index["weight_map"]
            .as_object()
            .and_then(|map| map.values().map(serde_json::Value::as_str).collect());
        let files = files.ok_or_else(|| Failure::at(path, "it has no `weight_map` of files"))?;
        // A name of a file, not a path: an index leads nowhere else.
        if let Some(wrong) = files.iter().find(|name| name.contains(['/', '\\'])) {
            return Err(Failure::at(path, format!("`{wrong}` is not beside it")));
        }
        Ok(files
            .into_iter()
            .map(|name| path.with_file_name(name))
            .collect())
    }

    /// Its tensors, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Stored)> {
        self.index
            .iter()
            .map(|(name, file)| (name.as_str(), &self.files[*file].tensors()[name]))
    }

    fn get(&self, name: &str) -> Option<&Stored> {
        self.files[*self.index.get(name)?].tensors().get(name)
    }

    /// A float tensor as f32.
    ///
    /// # Errors
    /// A tensor of another kind, or a file that cannot be read.
    ///
    /// # Panics
    /// If there is no such tensor.
    pub fn read(&mut self, name: &str) -> Result<Vec<f32>, Failure> {
        let file = &mut self.files[self.index[name]];
        crate::tensors::read_f32(file, name)
    }
}

/// Sizes of the parameters of a part of the model, by name; the decoder's head is its own.
///
/// # Errors
/// A model that cannot be built.
pub fn parameters(model: &Model, part: &str) -> Result<BTreeMap<String, Vec<u64>>, Failure> {
    let built =
        build(model, Purpose::All).map_err(|found| refused(model, CompileError::Model(found)))?;
    let own = |name: &str| {
        name.strip_prefix(part)
            .is_some_and(|rest| rest.starts_with('.'))
            || (part == "decoder" && name.starts_with("head."))
    };
    let parameters = built.layout.parameters.into_iter();
    Ok(parameters
        .filter(|slot| own(&slot.name))
        .map(|slot| (slot.name, slot.dims))
        .collect())
}

/// What a file has for a model.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Prefix of the file's names.
    pub prefix: String,
    /// Rules whose parameters the model has and whose tensors the file has.
    pub matched: Vec<(Rule, Vec<u64>)>,
    /// Position tables of another grid: parameter, side in the file, side in the model.
    pub resized: Vec<(String, usize, usize)>,
    /// Tensors that the map knows and this model has no use for.
    pub unused: Vec<String>,
    /// Parameters that nothing of the file makes.
    pub missing: Vec<String>,
    /// Tensors that neither the map nor its `ignore` knows.
    pub unexpected: Vec<String>,
    /// Tensor, sizes in the file, sizes that the parameter wants.
    pub shape: Vec<(String, Vec<u64>, Vec<u64>)>,
    /// Tensor and its type, which does not convert to a float.
    pub dtype: Vec<(String, String)>,
}

impl Comparison {
    /// Compares.
    pub fn new(map: &WeightMap, shards: &Shards, wanted: &BTreeMap<String, Vec<u64>>) -> Self {
        let mut found = Self {
            prefix: best_prefix(map, shards),
            ..Self::default()
        };
        let full = |name: &str| format!("{}{name}", found.prefix);
        let mut made: BTreeSet<&str> = BTreeSet::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        let (mut matched, mut problems) = (Vec::new(), Self::default());
        for rule in &map.rules {
            let names: Vec<String> = rule.theirs.iter().map(|(name, _)| full(name)).collect();
            known.extend(names.iter().cloned());
            let there = names.iter().all(|name| shards.get(name).is_some());
            let Some(dims) = wanted.get(&rule.ours) else {
                let held = names.into_iter().filter(|name| shards.get(name).is_some());
                problems.unused.extend(held);
                continue;
            };
            if !there {
                continue;
            }
            made.insert(&rule.ours);
            let before = problems.shape.len() + problems.dtype.len();
            for (at, name) in names.iter().enumerate() {
                let Some(stored) = shards.get(name) else {
                    continue;
                };
                problems.check(rule, at, name, stored, dims);
            }
            if problems.shape.len() + problems.dtype.len() == before {
                matched.push((rule.clone(), dims.clone()));
            }
        }
        problems.missing = wanted
            .keys()
            .filter(|name| !made.contains(name.as_str()))
            .cloned()
            .collect();
        problems.unexpected = shards
            .tensors()
            // What lacks the prefix belongs to another part of the file.
            .filter_map(|(name, _)| Some((name, name.strip_prefix(&*found.prefix)?)))
            .filter(|(name, rest)| {
                let ignored = |text: &str| {
                    let mut patterns = map.ignore.iter();
                    patterns.any(|pattern| mm1_compiler::build::matches(pattern, text))
                };
                !known.contains(*name) && !ignored(name) && !ignored(rest)
            })
            .map(|(name, _)| name.to_owned())
            .collect();
        found = Self {
            prefix: found.prefix,
            matched,
            ..problems
        };
        found
    }

    /// Notes what is wrong with one tensor of a rule.
    fn check(&mut self, rule: &Rule, at: usize, name: &str, stored: &Stored, dims: &[u64]) {
        if !is_float(stored.dtype) {
            self.dtype.push((name.to_owned(), stored.dtype.to_string()));
            return;
        }
        let there: Vec<u64> = stored.shape.iter().map(|&size| size as u64).collect();
        let mut wanted = stored_shape(rule, at, dims);
        let equal_elements = wanted.iter().product::<u64>() == dims.iter().product::<u64>();
        if let (Some(before), true) = (rule.before, there.len() == wanted.len() && wanted.len() > 1)
        {
            let row = wanted.len() - 2;
            let sides = (side(there[row], before), side(wanted[row], before));
            if let (Some(from), Some(to)) = sides {
                if from != to {
                    self.resized.push((rule.ours.clone(), from, to));
                }
                wanted[row] = there[row];
            }
        }
        let whole = rule.theirs.len() > 1 || rule.stacked || equal_elements;
        if there != wanted || !whole {
            self.shape.push((name.to_owned(), there, wanted));
        }
    }

    /// Whether every parameter is made and every tensor understood.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
            && self.unexpected.is_empty()
            && self.shape.is_empty()
            && self.dtype.is_empty()
    }

    /// Everything in which file and model differ, a line each.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, from, to) in &self.resized {
            let _ = writeln!(text, "resized: `{name}` from {from}×{from} to {to}×{to}");
        }
        for (what, names) in [
            ("unused", &self.unused),
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
        ] {
            for name in names {
                let _ = writeln!(text, "{what}: `{name}`");
            }
        }
        for (name, there, wanted) in &self.shape {
            let _ = writeln!(text, "shape: `{name}` is {there:?}, {wanted:?} is wanted");
        }
        for (name, dtype) in &self.dtype {
            let _ = writeln!(
                text,
                "dtype: `{name}` is {dtype}, not a float that converts"
            );
        }
        text
    }
}

/// The prefix under which the file has most of the map's tensors.
fn best_prefix(map: &WeightMap, shards: &Shards) -> String {
    let count = |prefix: &str| {
        let names = map.rules.iter().flat_map(|rule| &rule.theirs);
        names
            .filter(|(name, _)| shards.get(&format!("{prefix}{name}")).is_some())
            .count()
    };
    // The first of the best.
    let best = map.prefixes.iter().rev().max_by_key(|prefix| count(prefix));
    best.cloned().unwrap_or_default()
}

/// Sizes of a rule's tensor number `at` for a parameter of sizes `dims`.
fn stored_shape(rule: &Rule, at: usize, dims: &[u64]) -> Vec<u64> {
    if let Some(shape) = &rule.shape {
        return shape.clone();
    }
    let mut shape = dims[usize::from(rule.stacked).min(dims.len())..].to_vec();
    if rule.transposed {
        shape.reverse();
    }
    if let (Some(rows), Some(first)) = (rule.theirs[at].1, shape.first_mut()) {
        *first = rows;
    }
    shape
}

/// Side of the grid of a table.
fn side(rows: u64, before: u64) -> Option<usize> {
    let points = usize::try_from(rows.checked_sub(before)?).ok()?;
    let side = points.isqrt();
    (side > 0 && side * side == points).then_some(side)
}

/// `[rows, columns]` with its axes exchanged.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

/// Values of a parameter of sizes `dims` from the tensors of its rule.
///
/// # Errors
/// A file that cannot be read.
pub fn import(
    found: &Comparison,
    (rule, dims): (&Rule, &[u64]),
    shards: &mut Shards,
    antialias: bool,
) -> Result<Vec<f32>, Failure> {
    let mut values = Vec::new();
    for (name, _) in &rule.theirs {
        let name = format!("{}{name}", found.prefix);
        values.extend(shards.read(&name)?);
    }
    if rule.transposed {
        values = transpose(&values, dims[1] as usize, dims[0] as usize);
    }
    let resized = found.resized.iter().find(|(name, ..)| *name == rule.ours);
    if let (Some((_, from, to)), Some(before)) = (resized, rule.before) {
        let width = dims[1] as usize;
        values = resize_table(&values, width, before as usize, [*from, *to], antialias);
    }
    Ok(values)
}

/// Names and sizes of the tensors of a rule for a parameter of sizes `dims`.
pub fn exported(rule: &Rule, dims: &[u64]) -> Vec<(String, Vec<u64>)> {
    let names = rule.theirs.iter().enumerate();
    names
        .map(|(at, (name, _))| (name.clone(), stored_shape(rule, at, dims)))
        .collect()
}

/// Values of the tensors of [`exported`] from those of the parameter.
pub fn export(rule: &Rule, dims: &[u64], values: &[f32]) -> Vec<Vec<f32>> {
    let whole = match rule.transposed {
        true => transpose(values, dims[0] as usize, dims[1] as usize),
        false => values.to_vec(),
    };
    let mut rest = whole.as_slice();
    let mut tensors = Vec::new();
    for (_, shape) in exported(rule, dims) {
        let count = shape.iter().product::<u64>() as usize;
        let (own, after) = rest.split_at(count.min(rest.len()));
        rest = after;
        tensors.push(own.to_vec());
    }
    tensors
}

/// Writes f32 tensors one by one, so that a model is never in memory as a whole; the file appears
/// under its name when it is complete.
///
/// # Errors
/// A file that cannot be written, or the failure of `values`.
pub fn write(
    path: &Path,
    tensors: &[(String, Vec<u64>)],
    mut values: impl FnMut(usize) -> Result<Vec<f32>, Failure>,
) -> Result<(), Failure> {
    let fault = |error: std::io::Error| Failure::at(path, error);
    let mut header = serde_json::Map::new();
    let mut offset = 0;
    for (name, shape) in tensors {
        let end = offset + 4 * shape.iter().product::<u64>();
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [offset, end],
        });
        header.insert(name.clone(), entry);
        offset = end;
    }
    let mut header = serde_json::Value::Object(header).to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut partial = path.as_os_str().to_os_string();
    partial.push(".tmp");
    let file = std::fs::File::create(&partial).map_err(fault)?;
    let mut file = BufWriter::new(file);
    file.write_all(&(header.len() as u64).to_le_bytes())
        .map_err(fault)?;
    file.write_all(header.as_bytes()).map_err(fault)?;
    for (index, (name, shape)) in tensors.iter().enumerate() {
        let values = values(index)?;
        if values.len() as u64 != shape.iter().product::<u64>() {
            return Err(Failure::at(
                path,
                format!("`{name}` has another size than its header"),
            ));
        }
        for value in values {
            file.write_all(&value.to_le_bytes()).map_err(fault)?;
        }
    }
    let file = file
        .into_inner()
        .map_err(|error| fault(error.into_error()))?;
    file.sync_all().map_err(fault)?;
    std::fs::rename(&partial, path).map_err(fault)
}
