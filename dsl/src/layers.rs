//! Inheritance: a chain of `extends`, overlays, `remove`, `--set` and presets become one tree.

use std::path::{Path, PathBuf};

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::edit;
use crate::keys::{KEYS, KeyDefault, find};
use crate::nearest::{did_you_mean, nearest};
use crate::presets;
use crate::resolved::{Dropped, join_path, split_path};
use crate::source::{Loader, Sources};
use crate::span::Span;
use crate::study::{Study, Variant};
use crate::suggest;
use crate::tree::{self, Entry, Kind, Table, Value};

/// Longest chain of `extends`.
const LONGEST_CHAIN: usize = 16;
/// Table of a resolved graph file with the project's components that it uses, by name.
pub(crate) const HELD: &str = "components";

/// What a source is.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// A graph file.
    File(PathBuf),
    /// A `--set`.
    Set,
    /// A preset file.
    Preset,
}

/// The merged tree and how it came about.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// All values, the nearest assignment of each.
    pub table: Table,
    /// Dropped keys.
    pub dropped: Vec<Dropped>,
    /// Kind of each source that a span may name.
    pub layers: Vec<(u32, Layer)>,
    /// Start of the first file.
    pub start: Option<Span>,
    /// Sections whose `variant` names no preset.
    pub unknown_presets: Vec<&'static str>,
    /// Whether every file was read to its end.
    pub complete: bool,
}

impl Merged {
    /// What `source` is.
    pub fn layer(&self, source: u32) -> Option<&Layer> {
        let found = self.layers.iter().find(|(number, _)| *number == source);
        found.map(|(_, layer)| layer)
    }
}

/// Reads `path` and its parents, applies `sets` and fills in presets.
pub fn merge(
    loader: &Loader,
    sources: &mut Sources,
    path: &Path,
    over: Option<&Over<'_>>,
    sets: &[String],
    diagnostics: &mut Vec<Diagnostic>,
) -> Merged {
    let mut merged = Merged::default();
    let mut layers: Vec<Table> = Vec::new();
    match over {
        None => read_chain(
            loader,
            sources,
            (path, None),
            &mut layers,
            &mut merged,
            diagnostics,
        ),
        Some(over) => read_variant(loader, sources, over, &mut layers, &mut merged, diagnostics),
    }
    // A number too large for 64 bits or a date leaves the rest of its file readable.
    merged.complete &= diagnostics
        .iter()
        .all(|found| found.code == codes::OUT_OF_RANGE || found.code == codes::WRONG_TYPE);
    // The root ancestor comes first.
    layers.reverse();
    let files = layers.len();
    for set in sets {
        if let Some((source, table)) = parse_set(sources, set, diagnostics) {
            merged.layers.push((source, Layer::Set));
            layers.push(table);
        }
    }
    for (position, layer) in layers.into_iter().enumerate() {
        apply(
            &mut merged,
            sources,
            layer,
            position == 0,
            position >= files,
            diagnostics,
        );
    }
    presets::fill(sources, &mut merged, diagnostics);
    merged
}

/// A variant of a study, which lies over the study's base.
pub struct Over<'a> {
    /// The study.
    pub study: &'a Study,
    /// The variant.
    pub variant: &'a Variant,
}

/// Reads the base, the keys for all runs of the study, and what the variant changes; the last layer
/// comes first. An overlay that extends a file brings the base with it.
fn read_variant(
    loader: &Loader,
    sources: &mut Sources,
    over: &Over<'_>,
    layers: &mut Vec<Table>,
    merged: &mut Merged,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Over { study, variant } = over;
    let text = study.sources.get(0).map_or("", |it| it.text.as_str());
    let source = sources.add(study.path.to_string_lossy(), text);
    merged
        .layers
        .push((source, Layer::File(study.path.clone())));
    let here = |span: Span| Span { source, ..span };
    let base = &study.base;
    layers.push(variant.keys.in_source(source));
    let Some(overlay) = &variant.overlay else {
        layers.push(study.common.in_source(source));
        let start = (base.path.as_path(), Some(here(base.span)));
        read_chain(loader, sources, start, layers, merged, diagnostics);
        return;
    };
    let before = layers.len();
    let start = (overlay.path.as_path(), Some(here(overlay.span)));
    read_chain(loader, sources, start, layers, merged, diagnostics);
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    // Files of the chain after the study's own text, in the order in which they were read.
    let chain: Vec<PathBuf> = merged.layers[1..]
        .iter()
        .filter_map(|(_, layer)| match layer {
            Layer::File(path) => Some(real(path)),
            Layer::Set | Layer::Preset => None,
        })
        .collect();
    let common = study.common.in_source(source);
    match chain.iter().position(|path| *path == real(&base.path)) {
        Some(at) => {
            let at = (before + at).min(layers.len());
            layers.insert(at, common);
        }
        None if chain.len() == 1 => {
            layers.push(common);
            let start = (base.path.as_path(), Some(here(base.span)));
            read_chain(loader, sources, start, layers, merged, diagnostics);
        }
        None => diagnostics.push(
            Diagnostic::error(
                codes::OTHER_BASE,
                format!(
                    "`{}` extends other files, but not the base of the study",
                    overlay.path.display()
                ),
            )
            .at(here(overlay.span), "this overlay")
            .with(here(base.span), "the base")
            .help("take `extends` out, or let it lead to the base".to_string()),
        ),
    }
}

/// Reads the file at a path and its parents; with the path comes where it is named.
fn read_chain(
    loader: &Loader,
    sources: &mut Sources,
    (path, named): (&Path, Option<Span>),
    layers: &mut Vec<Table>,
    merged: &mut Merged,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut path = path.to_path_buf();
    let mut named = named;
    let mut seen: Vec<(PathBuf, String)> = Vec::new();
    loop {
        let display = path.to_string_lossy().into_owned();
        let real = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if let Some(first) = seen.iter().position(|(known, _)| *known == real) {
            let mut chain: Vec<&str> = seen[first..]
                .iter()
                .map(|(_, name)| name.as_str())
                .collect();
            chain.push(&seen[first].1);
            diagnostics.push(
                Diagnostic::error(codes::CYCLIC_EXTENDS, format!("`{display}` extends itself"))
                    .at(named, "leads back")
                    .note(format!("the chain: {}", chain.join(" -> ")))
                    .help("one of these files stands for itself: it has no `extends`".to_string()),
            );
            return;
        }
        if seen.len() >= LONGEST_CHAIN {
            diagnostics.push(
                Diagnostic::error(
                    codes::TOO_LARGE_FILE,
                    format!("the chain of `extends` is longer than {LONGEST_CHAIN} files"),
                )
                .at(named, "")
                .help("merge some of them into one file".to_string()),
            );
            return;
        }
        seen.push((real, display.clone()));
        let text = match loader.read(&path, named) {
            Ok(text) => text,
            Err(diagnostic) => {
                diagnostics.push(*diagnostic);
                return;
            }
        };
        let source = sources.add(display, text.as_str());
        merged.layers.push((source, Layer::File(path.clone())));
        merged.start.get_or_insert(Span::new(source, 0..0));
        let (mut table, found) = tree::parse(source, &text);
        diagnostics.extend(found);
        let extends = table.entries.shift_remove("extends");
        // The loader has them.
        table.entries.shift_remove(HELD);
        layers.push(table);
        let Some(extends) = extends else {
            merged.complete = true;
            return;
        };
        let span = extends.value.span;
        let Some(parent) = extends.value.text() else {
            let name = extends.value.type_name();
            let message = format!("`extends` is the path of one file, not {name}");
            let diagnostic = Diagnostic::error(codes::WRONG_TYPE, message).at(span, "");
            let only = match &extends.value.kind {
                Kind::Array(items) if items.len() == 1 => items[0].text().map(|_| items[0].span),
                _ => None,
            };
            diagnostics.push(match only {
                Some(only) => {
                    let path = sources.slice(only).to_string();
                    diagnostic.patch("without brackets", span, path)
                }
                None => diagnostic
                    .help("a file has one parent; what others say is written here".to_string()),
            });
            return;
        };
        let target = Loader::join(&path, parent);
        if let Err(diagnostic) = loader.check_inside(parent, &target, Some(span)) {
            diagnostics.push(*diagnostic);
            return;
        }
        path = target;
        named = Some(span);
    }
}

/// Parses one `--set a.b=value`.
fn parse_set(
    sources: &mut Sources,
    set: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(u32, Table)> {
    let bad = |message: String| {
        Diagnostic::error(codes::BAD_SET, message)
            .note("`--set` takes `a.b=value` with the value in TOML notation")
    };
    let Some((key, value)) = set.split_once('=') else {
        let source = sources.add("--set", set);
        let segments = split_path(set);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let example = find(&segments).and_then(|row| match row.default {
            KeyDefault::Required(example) => Some(example.to_string()),
            _ => Some(suggest::stated(row)?.to_string()),
        });
        let diagnostic = bad(format!("`--set {set}` has no `=`"));
        let diagnostic = diagnostic.at(Span::new(source, 0..set.len()), "");
        diagnostics.push(match example {
            Some(example) => {
                let end = Span::new(source, set.len()..set.len());
                diagnostic.patch("for example", end, format!(" = {example}"))
            }
            None => diagnostic.help(format!("write `--set {set}=VALUE`")),
        });
        return None;
    };
    let value = value.trim();
    // Shells eat quotes: what is no TOML value, but has no mark of one either, is a string.
    let is_word = !value.is_empty()
        && !value.starts_with(['"', '\'', '[', '{'])
        && !value.contains(['\n', '\r', '#'])
        && toml::de::DeValue::parse(value).is_err();
    let text = if is_word {
        let quoted = crate::component::Argument::Text(value.to_string());
        format!("{} = {quoted}", key.trim())
    } else {
        format!("{} = {value}", key.trim())
    };
    let source = sources.add("--set", text.as_str());
    let (table, found) = tree::parse(source, &text);
    if !found.is_empty() || text.contains('\n') {
        diagnostics.extend(found);
        if text.contains('\n') {
            diagnostics.push(bad("`--set` takes one line".to_string()));
        }
        return None;
    }
    Some((source, table))
}

/// Lays `layer` over the tree so far.
fn apply(
    merged: &mut Merged,
    sources: &Sources,
    mut layer: Table,
    is_root: bool,
    is_set: bool,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let remove = layer.entries.shift_remove("remove");
    if let Some(entry) = layer.entries.get("extends").filter(|_| is_set) {
        diagnostics.push(
            Diagnostic::error(codes::BAD_SET, "`extends` cannot be set")
                .at(entry.key, "")
                .help("name the parent in a file of its own: `extends = \"PARENT\"`".to_string()),
        );
        layer.entries.shift_remove("extends");
    }
    if let Some(remove) = remove {
        remove_keys(
            &mut merged.table,
            sources,
            &remove.value,
            is_root,
            diagnostics,
        );
    }
    let Merged { table, dropped, .. } = merged;
    overlay(table, layer, &mut Vec::new(), dropped);
}

fn remove_keys(
    table: &mut Table,
    sources: &Sources,
    value: &Value,
    is_root: bool,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Kind::Array(items) = &value.kind else {
        let message = "`remove` is an array of keys such as `[\"decoder.moe\"]`";
        let diagnostic = Diagnostic::error(codes::WRONG_TYPE, message).at(value.span, "");
        diagnostics.push(match value.text() {
            Some(_) => {
                let array = format!("[{}]", sources.slice(value.span));
                diagnostic.patch("as an array of one", value.span, array)
            }
            None => suggest::remove(diagnostic, sources, value.span, "remove it"),
        });
        return;
    };
    for item in items {
        let Some(path) = item.text() else {
            diagnostics.push(
                Diagnostic::error(
                    codes::WRONG_TYPE,
                    format!("`remove` holds strings, not {}", item.type_name()),
                )
                .at(item.span, "")
                .patch("leave it out", edit::item(sources, item.span), ""),
            );
            continue;
        };
        let segments = split_path(path);
        if !remove_at(table, &segments) {
            let mut diagnostic = Diagnostic::error(
                codes::REMOVES_NOTHING,
                format!("there is no inherited `{path}` to remove"),
            )
            .at(item.span, "");
            let known = paths_of(table);
            let near = nearest(path, known.iter().map(String::as_str));
            if is_root {
                diagnostic = diagnostic.note("this file extends no other");
            }
            diagnostic = match (near.first(), did_you_mean(&near)) {
                (Some(best), Some(question)) => {
                    diagnostic.patch(question, item.span, format!("\"{best}\""))
                }
                _ => diagnostic.patch("leave it out", edit::item(sources, item.span), ""),
            };
            diagnostics.push(diagnostic);
        }
    }
}

fn remove_at(table: &mut Table, segments: &[String]) -> bool {
    match segments {
        [] => false,
        [last] => table.entries.shift_remove(last).is_some(),
        [first, rest @ ..] => match table
            .entries
            .get_mut(first)
            .map(|entry| &mut entry.value.kind)
        {
            Some(Kind::Table(inner)) => remove_at(inner, rest),
            _ => false,
        },
    }
}

/// Every key and table of `table`, dotted.
fn paths_of(table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting: Vec<(Vec<&str>, &Table)> = vec![(Vec::new(), table)];
    while let Some((prefix, table)) = waiting.pop() {
        for (key, entry) in &table.entries {
            let mut path = prefix.clone();
            path.push(key);
            found.push(join_path(path.iter().copied()));
            if let Some(inner) = entry.value.table() {
                waiting.push((path, inner));
            }
        }
    }
    found
}

/// Lays `over` on `base`: tables merge, everything else is replaced, and a change of a tag drops
/// the inherited keys that belong to the old kind.
fn overlay(base: &mut Table, over: Table, path: &mut Vec<String>, dropped: &mut Vec<Dropped>) {
    for (key, entry) in &over.entries {
        drop_for_tag(base, &over, key, entry, path, dropped);
    }
    for (key, entry) in over.entries {
        let old = base.entries.get_mut(&key).map(|old| &mut old.value.kind);
        match (old, entry.value.kind) {
            (Some(Kind::Table(inner)), Kind::Table(new)) => {
                path.push(key);
                overlay(inner, new, path, dropped);
                path.pop();
            }
            (_, kind) => {
                let value = Value {
                    kind,
                    span: entry.value.span,
                };
                base.entries.insert(
                    key,
                    Entry {
                        key: entry.key,
                        value,
                    },
                );
            }
        }
    }
}

/// Drops from `base` the keys that belong to the old value of tag `key`, if `entry` changes it.
/// Keys that `over` writes itself stay: they are about to be replaced.
fn drop_for_tag(
    base: &mut Table,
    over: &Table,
    key: &str,
    entry: &Entry,
    path: &[String],
    dropped: &mut Vec<Dropped>,
) {
    let old = base.get(key).and_then(|old| old.value.text());
    let (Some(new), section) = (
        entry.value.text(),
        path.iter().map(String::as_str).collect::<Vec<_>>(),
    ) else {
        return;
    };
    if old == Some(new) || base.entries.is_empty() {
        return;
    }
    let belongs = |inner: &[&str]| -> bool {
        let mut full = section.clone();
        full.extend(inner);
        match key {
            "variant" => presets::governs(&full),
            // A tag that was not written had its default, whose keys stay legal only if the new value allows them.
            _ => match find(&full) {
                Some(row) => row.when.is_some_and(|when| {
                    when.tag == key && (old.is_some() || !when.values.contains(&new))
                }),
                // A key that only a project component can have read.
                None => {
                    old.is_some_and(|old| old.ends_with(".toml"))
                        && matches!(key, "kind" | "arch")
                        && inner.len() == 1
                }
            },
        }
    };
    let is_tag = key == "variant"
        || KEYS
            .iter()
            .any(|row| row.when.is_some_and(|when| when.tag == key))
        || key == "arch";
    if !is_tag || section.is_empty() {
        return;
    }
    // Two levels are enough: no table below a tagged one has a deeper key.
    let mut victims: Vec<(Vec<String>, Span)> = Vec::new();
    for (name, entry) in &base.entries {
        match entry.value.table() {
            Some(inner) => {
                for (second, entry) in &inner.entries {
                    if belongs(&[name, second]) {
                        victims.push((vec![name.clone(), second.clone()], entry.key));
                    }
                }
            }
            None if name != key && belongs(&[name]) => {
                victims.push((vec![name.clone()], entry.key))
            }
            None => {}
        }
    }
    for (segments, span) in victims {
        if over.at(&segments.join(".")).is_some() {
            continue;
        }
        remove_at(base, &segments);
        let full = path.iter().chain(&segments).map(String::as_str);
        dropped.push(Dropped {
            path: join_path(full),
            span,
            tag: join_path(path.iter().map(String::as_str).chain([key])),
            tag_span: entry.value.span,
        });
    }
}
