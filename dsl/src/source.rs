//! The texts that spans point into, and the one place of this crate that reads files.
//!
//! A path that a graph file names is relative to that file and stays under the project
//! root: the nearest folder upwards of the first file that holds `mm1c.toml` or `.git`
//! (without either, the first file's own folder).

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Component as Part, Path, PathBuf};
use std::sync::Arc;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::nearest::{did_you_mean, nearest, quoted_list};
use crate::span::Span;

/// Largest graph file, bytes.
pub const LARGEST_FILE: u64 = 1 << 20;

/// One text.
#[derive(Clone, Debug)]
pub struct SourceText {
    /// How messages name it: the path as the user would type it, `<set>` or `<embedded>/…`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// All texts of a model. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    list: Vec<Arc<SourceText>>,
}

impl Sources {
    /// Adds a text and returns its number.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> u32 {
        self.list.push(Arc::new(SourceText {
            name: name.into(),
            text: text.into(),
        }));
        u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX)
    }

    /// The text of number `source`.
    pub fn get(&self, source: u32) -> Option<&SourceText> {
        self.list.get(source as usize).map(Arc::as_ref)
    }

    /// The bytes of `span`, cut to the text and moved to character boundaries.
    pub fn clamp(&self, span: Span) -> std::ops::Range<usize> {
        let Some(file) = self.get(span.source) else {
            return 0..0;
        };
        let boundary = |position: u32| {
            let mut position = (position as usize).min(file.text.len());
            while !file.text.is_char_boundary(position) {
                position -= 1;
            }
            position
        };
        let start = boundary(span.start);
        start..boundary(span.end).max(start)
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The text under `span`.
    pub fn slice(&self, span: Span) -> &str {
        let range = self.clamp(span);
        self.get(span.source).map_or("", |file| &file.text[range])
    }

    /// `name:line:column` of the start of `span`, counted from 1, columns in characters.
    pub fn place(&self, span: Span) -> String {
        let Some(file) = self.get(span.source) else {
            return String::new();
        };
        let before = &file.text[..self.clamp(span).start];
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |position| position + 1);
        let column = before[line_start..].chars().count() + 1;
        format!("{}:{line}:{column}", file.name)
    }
}

/// Reads graph files.
#[derive(Clone, Debug)]
pub struct Loader {
    /// Project root, canonical.
    root: PathBuf,
    /// A path and the text that is read there, whatever the disk has.
    text: Option<(PathBuf, String)>,
    /// Components that a resolved graph file holds: their names in it and texts, by the path that the
    /// file means by the name.
    held: BTreeMap<PathBuf, (String, String)>,
}

impl Loader {
    /// A loader for the project that `path` belongs to.
    pub fn for_file(path: &Path) -> Self {
        let start = std::fs::canonicalize(path)
            .ok()
            .and_then(|path| path.parent().map(Path::to_path_buf))
            .unwrap_or_else(|| PathBuf::from("."));
        let root = start
            .ancestors()
            .find(|folder| folder.join("mm1c.toml").is_file() || folder.join(".git").exists())
            .unwrap_or(&start)
            .to_path_buf();
        Self {
            root,
            text: None,
            held: BTreeMap::new(),
        }
    }

    /// As [`Self::for_file`], but the file at `path` reads as `text`.
    pub fn for_text(path: &Path, text: &str) -> Self {
        Self {
            text: Some((path.to_path_buf(), text.to_string())),
            ..Self::for_file(path)
        }
    }

    /// Takes a component that the graph file at `path` holds itself, in place of a file.
    pub fn hold(&mut self, path: &Path, name: &str, text: &str) {
        let place = Self::join(path, name);
        self.held.insert(place, (name.to_owned(), text.to_owned()));
    }

    /// What the project calls the component at `path`: the name of a held one, else its path from the root,
    /// from wherever a command is run.
    pub fn component_name(&self, path: &Path) -> String {
        if let Some((name, _)) = self.held.get(path) {
            return name.clone();
        }
        let real = std::fs::canonicalize(path).ok();
        let inside = real
            .as_deref()
            .and_then(|it| it.strip_prefix(&self.root).ok());
        let name = inside.map_or_else(|| normalise(path), Path::to_path_buf);
        name.to_string_lossy().replace('\\', "/")
    }

    /// The project root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Joins `path`, as written in the file `from`, to that file's folder, without touching the disk.
    pub fn join(from: &Path, path: &str) -> PathBuf {
        let folder = from.parent().unwrap_or(Path::new(""));
        normalise(&folder.join(path))
    }

    /// Checks that `path` is relative as written and stays under the root; `written` is the text in the file.
    ///
    /// # Errors
    /// [`codes::OUTSIDE_PROJECT`].
    pub fn check_inside(
        &self,
        written: &str,
        path: &Path,
        span: Option<Span>,
    ) -> Result<(), Box<Diagnostic>> {
        if self.held.contains_key(path) {
            return Ok(());
        }
        let outside = || {
            Diagnostic::error(
                codes::OUTSIDE_PROJECT,
                format!("path `{written}` leaves the project"),
            )
            .at(span, "")
            .note("paths in a graph file are relative to it and stay under the folder with `mm1c.toml` or `.git`")
        };
        if Path::new(written).is_absolute() {
            let help =
                "name data elsewhere on the command line: `--set data.sources.NAME.path=...`";
            return Err(Box::new(outside().help(help.to_string())));
        }
        // The existing part is compared after resolving links; what does not exist yet cannot be a link.
        let absolute = normalise(&std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()));
        let real = absolute
            .ancestors()
            .find_map(|ancestor| {
                let rest = absolute.strip_prefix(ancestor).ok()?;
                Some(std::fs::canonicalize(ancestor).ok()?.join(rest))
            })
            .unwrap_or(absolute);
        if real.starts_with(&self.root) {
            Ok(())
        } else {
            let help = "copy the file into the project, or name the project's root by an \
                        `mm1c.toml` further up";
            Err(Box::new(outside().help(help.to_string())))
        }
    }

    /// Reads the file at `path`; `span` is where it is named, if a file names it.
    ///
    /// # Errors
    /// [`codes::UNREADABLE`], [`codes::TOO_LARGE_FILE`].
    pub fn read(&self, path: &Path, span: Option<Span>) -> Result<String, Box<Diagnostic>> {
        let unreadable = |reason: String| {
            let message = format!("cannot read `{}`: {reason}", path.display());
            let diagnostic = Diagnostic::error(codes::UNREADABLE, message).at(span, "");
            Box::new(neighbours(diagnostic, path))
        };
        if let Some((known, text)) = &self.text
            && known == path
        {
            return Ok(text.clone());
        }
        if let Some((_, text)) = self.held.get(path) {
            return Ok(text.clone());
        }
        let metadata = std::fs::metadata(path).map_err(|error| unreadable(describe(&error)))?;
        if !metadata.is_file() {
            return Err(unreadable("not a regular file".to_string()));
        }
        let file = std::fs::File::open(path).map_err(|error| unreadable(describe(&error)))?;
        let mut bytes = Vec::new();
        file.take(LARGEST_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(describe(&error)))?;
        if bytes.len() as u64 > LARGEST_FILE {
            let message = format!("`{}` is larger than 1 MiB", path.display());
            return Err(Box::new(
                Diagnostic::error(codes::TOO_LARGE_FILE, message)
                    .at(span, "")
                    .help("graph files hold no data; name its file by a path".to_string()),
            ));
        }
        String::from_utf8(bytes).map_err(|_| unreadable("not UTF-8".to_string()))
    }
}

/// Says what a folder has instead of the file at `path`: the nearest name, or all if they are few.
fn neighbours(diagnostic: Diagnostic, path: &Path) -> Diagnostic {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let names = std::fs::read_dir(folder).into_iter().flatten();
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".toml")).collect();
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let wanted = wanted.trim_end_matches(".toml");
    // The end is the same for all, so only what is before it is compared.
    let stems = names.iter().map(|name| name.trim_end_matches(".toml"));
    let near: Vec<String> = nearest(wanted, stems)
        .into_iter()
        .filter(|stem| *stem != wanted)
        .map(|stem| folder.join(format!("{stem}.toml")).display().to_string())
        .collect();
    let near: Vec<&str> = near.iter().map(String::as_str).collect();
    match did_you_mean(&near) {
        Some(question) => diagnostic.help(question),
        None if names.is_empty() => {
            diagnostic.help(format!("`{}` has no graph files", folder.display()))
        }
        None if names.len() <= 12 => {
            diagnostic.help(format!("`{}` has {}", folder.display(), quoted_list(names)))
        }
        None => diagnostic.help(format!("see what `{}` has", folder.display())),
    }
}

/// The reason of an I/O error without the system's number, which differs between systems.
fn describe(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_string(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_string(),
        _ => error.to_string(),
    }
}

/// Drops `.` and resolves `..` against the parts before it.
pub fn normalise(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for part in path.components() {
        match part {
            Part::CurDir => {}
            Part::ParentDir => {
                let can_pop = matches!(result.components().next_back(), Some(Part::Normal(_)));
                if can_pop {
                    result.pop();
                } else if !result.has_root() {
                    result.push("..");
                }
            }
            other => result.push(other),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_resolved_without_the_disk() {
        assert_eq!(normalise(Path::new("a/./b/../c")), Path::new("a/c"));
        assert_eq!(normalise(Path::new("../a/../../b")), Path::new("../../b"));
        assert_eq!(normalise(Path::new("/../a")), Path::new("/a"));
    }

    #[test]
    fn places_count_characters_from_one() {
        let mut sources = Sources::default();
        let source = sources.add("x.toml", "a = 1\nünder = 2\n");
        assert_eq!(sources.place(Span::new(source, 14..15)), "x.toml:2:8");
    }
}
