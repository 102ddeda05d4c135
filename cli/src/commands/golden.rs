//! `mm1c golden`: what the models of a folder are, kept as text beside them, and whether they
//! still are.
//!
//! The text of a model holds everything that a change of a parent, a preset or a new version of
//! mm1c may change unseen: its resolved keys, its costs, and the hashes of its kernels. A graph
//! file that is refused has its findings as text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mm1_compiler::build::Purpose;
use mm1_compiler::compile::CompileError;
use mm1_compiler::compile::plan_model;
use mm1_compiler::summary::Summary;
use mm1_dsl::diagnostic::Diagnostics;

use super::summary;
use crate::args::{GoldenArgs, GoldenCommand};
use crate::failure::Failure;

/// Folder of the texts in the folder of the models.
const FOLDER: &str = "golden";
/// Differing lines that are shown of one model.
const MOST_LINES: usize = 20;

/// `mm1c golden check` and `bless`; the exit code of `check` is 1 where texts differ.
///
/// # Errors
/// A folder without graph files, or one that cannot be read or written.
pub fn run(command: &GoldenCommand) -> Result<ExitCode, Failure> {
    match command {
        GoldenCommand::Check(args) => check(args),
        GoldenCommand::Bless(args) => bless(args),
    }
}

fn check(args: &GoldenArgs) -> Result<ExitCode, Failure> {
    let expected = kept(&args.folder)?;
    let found = texts(&args.folder)?;
    let mut faults = 0;
    for (name, text) in &found {
        match expected.get(name) {
            Some(known) if known == text => {}
            Some(known) => {
                faults += 1;
                outln!("{name} differs");
                out!("{}", difference(known, text));
            }
            None => {
                faults += 1;
                outln!("{name} is new");
            }
        }
    }
    for name in expected.keys().filter(|name| !found.contains_key(*name)) {
        faults += 1;
        outln!("{name} is gone");
    }
    if faults == 0 {
        eprintln!("{} models are what they were", found.len());
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "{faults} of {} models differ\nhelp: if that is meant, `mm1c golden bless {}`",
        found.len(),
        args.folder.display()
    );
    Ok(ExitCode::FAILURE)
}

fn bless(args: &GoldenArgs) -> Result<ExitCode, Failure> {
    let expected = kept(&args.folder)?;
    let found = texts(&args.folder)?;
    let folder = args.folder.join(FOLDER);
    let mut changed = 0;
    for (name, text) in &found {
        if expected.get(name) == Some(text) {
            continue;
        }
        let path = folder.join(text_name(name));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| Failure::at(parent, error))?;
        }
        std::fs::write(&path, text).map_err(|error| Failure::at(&path, error))?;
        changed += 1;
    }
    for name in expected.keys().filter(|name| !found.contains_key(*name)) {
        let path = folder.join(text_name(name));
        std::fs::remove_file(&path).map_err(|error| Failure::at(&path, error))?;
        changed += 1;
    }
    eprintln!("{} models, {changed} texts changed", found.len());
    Ok(ExitCode::SUCCESS)
}

/// `a/b.toml` to `a/b.txt`.
fn text_name(name: &str) -> PathBuf {
    Path::new(name).with_extension("txt")
}

/// Files below `folder` that end in `ending`, by their names from there with `/`.
fn files(folder: &Path, ending: &str) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(at) = waiting.pop() {
        let entries = std::fs::read_dir(&at).map_err(|error| Failure::at(&at, error))?;
        for entry in entries {
            let path = entry.map_err(|error| Failure::at(&at, error))?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.starts_with('.') || (at == folder && name == FOLDER) {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
            } else if name.ends_with(ending) {
                let parts = path.strip_prefix(folder).unwrap_or(&path).components();
                let parts: Vec<_> = parts.map(|it| it.as_os_str().to_string_lossy()).collect();
                found.insert(parts.join("/"), path);
            }
        }
    }
    Ok(found)
}

/// The texts that are kept, by the names of their graph files.
fn kept(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let texts = folder.join(FOLDER);
    if !texts.is_dir() {
        return Ok(BTreeMap::new());
    }
    let mut kept = BTreeMap::new();
    for (name, path) in files(&texts, ".txt")? {
        let text = std::fs::read_to_string(&path).map_err(|error| Failure::at(&path, error))?;
        kept.insert(format!("{}.toml", name.trim_end_matches(".txt")), text);
    }
    Ok(kept)
}

/// What the graph files of a folder are. Component files are parts of models and none themselves.
fn texts(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut texts = BTreeMap::new();
    for (name, path) in files(folder, ".toml")? {
        let written = std::fs::read_to_string(&path).map_err(|error| Failure::at(&path, error))?;
        let is_component = written
            .lines()
            .any(|line| line.trim() == "[outputs]" || line.trim() == "[[node]]");
        if !is_component && name != "mm1c.toml" {
            texts.insert(name, text_of(folder, &path));
        }
    }
    if texts.is_empty() {
        return Err(Failure::at(folder, "no graph files"));
    }
    Ok(texts)
}

/// Resolved keys, costs and kernels; or why the file is refused. Paths are as seen from `folder`.
fn text_of(folder: &Path, path: &Path) -> String {
    let from_here = |text: String| {
        let absolute = std::path::absolute(folder).unwrap_or_default();
        let text = text.replace(&format!("{}/", absolute.display()), "");
        text.replace(&format!("{}/", folder.display()), "")
    };
    let refused = |found: Diagnostics| from_here(found.render(false));
    let model = match mm1_dsl::load(path, &[]) {
        Ok(model) => model,
        Err(found) => return refused(found),
    };
    let planned = match plan_model(&model, Purpose::All, false) {
        Ok(planned) => planned,
        Err(CompileError::Model(list)) => {
            let sources = model.sources().clone();
            return refused(Diagnostics { list, sources }.sorted());
        }
        Err(CompileError::Internal(why)) => return from_here(format!("{why}\n")),
    };
    let summary = Summary::of(&model, &planned);
    let mut text = from_here(model.resolved.clone());
    text.push('\n');
    for line in summary::text(&summary).lines() {
        text.push_str(format!("# {line}").trim_end());
        text.push('\n');
    }
    text.push('\n');
    for kernel in &summary.kernels {
        text.push_str(&format!(
            "# kernel {} {}, {} calls\n",
            kernel.hash, kernel.name, kernel.calls
        ));
    }
    text
}

/// Lines that only one of two texts has, in order.
fn difference(before: &str, after: &str) -> String {
    let count = |text: &str| {
        let mut lines: BTreeMap<String, i64> = BTreeMap::new();
        for line in text.lines() {
            *lines.entry(line.to_string()).or_default() += 1;
        }
        lines
    };
    let only = |text: &str, other: &str, mark: char| {
        let mut left = count(other);
        let mut lines = Vec::new();
        for line in text.lines() {
            let there = left.entry(line.to_string()).or_default();
            *there -= 1;
            if *there < 0 {
                lines.push(format!("  {mark} {line}\n"));
            }
        }
        lines
    };
    let mut lines = only(before, after, '-');
    lines.extend(only(after, before, '+'));
    let surplus = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    if surplus > 0 {
        lines.push(format!("  ... and {surplus} more\n"));
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_the_lines_of_one_side() {
        assert_eq!(difference("a\nb\nb\nc\n", "a\nb\nd\nc\n"), "  - b\n  + d\n");
        assert_eq!(difference("a\n", "a\n"), "");
        let many: String = (0..50).map(|line| format!("{line}\n")).collect();
        assert!(difference("", &many).ends_with("... and 30 more\n"));
    }
}
