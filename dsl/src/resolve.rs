//! Printing of resolved keys: the canonical text, and the text with provenance.

use std::fmt::Write as _;

use indexmap::IndexMap;

use crate::component::{Argument, Library};
use crate::layers::HELD;
use crate::model::Model;
use crate::resolved::{Origin, Resolved, join_path, segment_text, split_path};
use crate::source::Sources;

/// Keys grouped by table: table path to lines of last segment and full path, both sorted, but
/// the sources of data in the model's order: it decides which examples a run sees.
fn grouped(resolved: &Resolved) -> Vec<(String, Vec<(String, String)>)> {
    let mut tables: IndexMap<String, Vec<(String, String)>> = IndexMap::new();
    for path in resolved.keys.keys() {
        let segments = split_path(path);
        let (leaf, table) = match segments.split_last() {
            Some((leaf, table)) => (leaf.clone(), table),
            None => continue,
        };
        let table = join_path(table.iter().map(String::as_str));
        tables.entry(table).or_default().push((leaf, path.clone()));
    }
    for lines in tables.values_mut() {
        lines.sort();
    }
    // As `lower` orders them: by where each says its kind.
    let sources: Vec<String> = resolved
        .keys
        .keys()
        .filter_map(|path| match split_path(path).as_slice() {
            [data, list, name, leaf] if data == "data" && list == "sources" && leaf == "kind" => {
                Some(name.clone())
            }
            _ => None,
        })
        .collect();
    let place = |table: &str| match split_path(table).as_slice() {
        [data, list, name, ..] if data == "data" && list == "sources" => {
            let rank = sources.iter().position(|known| known == name);
            let rank = rank.map_or(usize::MAX, |rank| rank + 1);
            (join_path(["data", "sources"]), rank, table.to_string())
        }
        _ => (table.to_string(), 0, String::new()),
    };
    let mut placed: Vec<_> = tables.into_iter().map(|it| (place(&it.0), it)).collect();
    placed.sort_by(|(a, _), (b, _)| a.cmp(b));
    placed.into_iter().map(|(_, table)| table).collect()
}

/// The resolved keys as TOML, tables and keys sorted, then the components that are files of the project.
/// It is itself a legal graph file, and needs no other.
pub fn canonical(resolved: &Resolved, library: &Library) -> String {
    let mut text = print(resolved, |_| String::new());
    for (number, (name, component)) in library.of_project().enumerate() {
        if number == 0 {
            let _ = writeln!(text, "\n[{HELD}]");
        }
        let _ = writeln!(text, "{} = {}", segment_text(name), literal(component));
    }
    text
}

/// A text of several lines as a string that reads as it is, where TOML allows that.
fn literal(text: &str) -> String {
    let plain = |c: char| c == '\n' || c == '\t' || !c.is_control();
    match text.contains("'''") || text.ends_with('\'') || !text.chars().all(plain) {
        true => Argument::Text(text.to_owned()).to_string(),
        false => format!("'''\n{text}'''"),
    }
}

/// The resolved keys as TOML with the origin of each as a comment, and the dropped keys at the end.
pub fn with_provenance(model: &Model) -> String {
    let sources = model.sources();
    let mut text = print(&model.keys, |path| {
        let mut comment = origin(model, path).unwrap_or_default();
        if path == "train.lr" && model.keys.text(path).is_some() {
            let _ = write!(comment, ", {:e}", model.train.peak_lr);
        }
        comment
    });
    for (number, dropped) in model.keys.dropped.iter().enumerate() {
        if number == 0 {
            text.push_str("\n# Inherited keys that a change of kind dropped:\n");
        }
        let _ = writeln!(
            text,
            "# {} ({}), because {} changed ({})",
            dropped.path,
            place(sources, dropped.span),
            dropped.tag,
            place(sources, dropped.tag_span),
        );
    }
    text
}

/// Where the value of `path` comes from: `file:line`, a preset, `--set`, or the rule of its default.
/// `None` where the model has no such key.
pub fn origin(model: &Model, path: &str) -> Option<String> {
    Some(match &model.keys.keys.get(path)?.origin {
        Origin::Default => "default".to_string(),
        Origin::Computed(rule) => format!("default: {rule}"),
        Origin::Preset { name, .. } => format!("preset {name}"),
        Origin::File(span) => place(model.sources(), *span),
        Origin::Set(_) => "--set".to_string(),
    })
}

/// `file:line` of an assignment.
pub(crate) fn place(sources: &Sources, span: crate::span::Span) -> String {
    let place = sources.place(span);
    place
        .rsplit_once(':')
        .map_or(place.clone(), |(line, _)| line.to_string())
}

fn print(resolved: &Resolved, comment: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for (table, lines) in grouped(resolved) {
        if !table.is_empty() {
            if !text.is_empty() {
                text.push('\n');
            }
            let _ = writeln!(text, "[{table}]");
        }
        let assignments: Vec<(String, String)> = lines
            .iter()
            .filter_map(|(leaf, path)| {
                let value = resolved.get(path)?;
                Some((format!("{} = {value}", segment_text(leaf)), comment(path)))
            })
            .collect();
        // Comments line up, but a long value does not push them all to the right.
        let width = assignments
            .iter()
            .map(|(assignment, _)| assignment.chars().count())
            .filter(|width| *width <= 48)
            .max()
            .unwrap_or(0);
        for (assignment, comment) in assignments {
            if comment.is_empty() {
                let _ = writeln!(text, "{assignment}");
            } else {
                let _ = writeln!(text, "{assignment:width$}  # {comment}");
            }
        }
    }
    text
}
