//! The files of a source: which ones a pattern names, and what was lost of them.

use std::path::{Path, PathBuf};

use crate::data::DataError;
use crate::data::source::Fault;

/// Most shards that one pattern may name.
const MAX_SHARDS: usize = 1 << 20;
/// Faults kept for the report; all are counted.
pub(crate) const KEPT_FAULTS: usize = 20;

/// The files of a source, and what is lost of them.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) lost: u64,
    faults: Vec<Fault>,
}

impl Files {
    /// The files that `pattern` names; of a folder those whose names end in `.extension`.
    pub(crate) fn open(pattern: &str, extension: &str) -> Result<Self, DataError> {
        Ok(Self {
            paths: expand(pattern, extension)?,
            lost: 0,
            faults: Vec::new(),
        })
    }

    pub(crate) fn fault(&mut self, place: String, why: String) {
        if self.faults.len() < KEPT_FAULTS {
            self.faults.push(Fault { place, why });
        }
    }

    pub(crate) fn lost(&self) -> (u64, &[Fault]) {
        (self.lost, &self.faults)
    }

    /// Where sample `number` of a shard lies, for a person.
    pub(crate) fn place(&self, shard: usize, number: u32) -> String {
        format!("{}#{number}", self.paths[shard].display())
    }

    /// The same without the folder.
    pub(crate) fn name(&self, shard: usize, number: u32) -> String {
        let path = &self.paths[shard];
        let file = path.file_name().unwrap_or(path.as_os_str());
        format!("{}#{number}", file.to_string_lossy())
    }

    /// None of the shards has a `what`.
    pub(crate) fn unusable(&self, pattern: &str, what: &str) -> DataError {
        let first = self.faults.first();
        let why = first.map_or(String::new(), |fault| format!(" ({fault})"));
        DataError::Source(format!("{pattern}: no usable {what}{why}"))
    }
}

/// The shards that a pattern names, sorted.
fn expand(pattern: &str, extension: &str) -> Result<Vec<PathBuf>, DataError> {
    let path = Path::new(pattern);
    let bad = |why: &str| Err(DataError::Source(format!("{pattern}: {why}")));
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    let mut found = Vec::new();
    if path.is_dir() {
        found = matching(path, &format!("*.{extension}"))?;
    } else if path.exists() {
        found.push(path.to_owned());
    } else if let Some((head, rest)) = name.split_once('{') {
        let range = rest.split_once('}').and_then(|(range, tail)| {
            let (low, high) = range.split_once("..")?;
            let (first, last): (u64, u64) = (low.parse().ok()?, high.parse().ok()?);
            Some((first, last, low.len(), tail))
        });
        let Some((first, last, width, tail)) = range else {
            return bad("a shard range is written {000..041}");
        };
        if first > last || last - first >= MAX_SHARDS as u64 {
            return bad("the shard range is empty or too long");
        }
        let name = |i| format!("{head}{i:0width$}{tail}");
        found.extend((first..=last).map(|i| path.with_file_name(name(i))));
    } else if name.contains('*') {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        found = matching(parent.unwrap_or(Path::new(".")), name)?;
    } else {
        return bad("no such file or folder");
    }
    found.sort();
    if found.is_empty() {
        return bad("no shard there");
    }
    if found.len() > MAX_SHARDS {
        return bad("too many shards");
    }
    Ok(found)
}

/// Files of a folder whose name matches a pattern with `*`.
fn matching(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| DataError::io(folder, e))? {
        let path = entry.map_err(|e| DataError::io(folder, e))?.path();
        let name = path.file_name().and_then(|n| n.to_str());
        if name.is_some_and(|name| glob(pattern, name)) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Whether `name` matches `pattern`, in which `*` stands for any run of characters.
fn glob(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        assert!(glob("*.tar", "a.tar") && glob("train-*.tar", "train-00.tar"));
        assert!(glob("a*b*c", "a-b-b-c") && glob("a", "a"));
        assert!(!glob("*.tar", "a.tar.gz") && !glob("a*b*c", "ac") && !glob("a", "ab"));
    }
}
