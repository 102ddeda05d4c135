//! Presets: named sets of keys for `encoder.variant` and `decoder.variant`.
//!
//! They live in `models/presets/SECTION.toml`, one table per preset, and lie below every
//! file: what a graph file writes beside `variant` wins.

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::layers::{Layer, Merged};
use crate::nearest::{did_you_mean, nearest, quoted_list};
use crate::source::Sources;
use crate::tree::{self, Entry, Kind, Table};

/// Section, file name and text of each preset file.
const FILES: &[(&str, &str, &str)] = &[
    (
        "encoder",
        "models/presets/encoder.toml",
        include_str!("../../models/presets/encoder.toml"),
    ),
    (
        "decoder",
        "models/presets/decoder.toml",
        include_str!("../../models/presets/decoder.toml"),
    ),
];

/// Section and text of each preset file.
pub(crate) fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().map(|(section, _, text)| (*section, *text))
}

/// Names of the presets of `section`.
pub fn names(section: &str) -> Vec<String> {
    FILES
        .iter()
        .filter(|(name, ..)| *name == section)
        .flat_map(|(_, _, text)| tree::parse(0, text).0.entries.into_keys())
        .collect()
}

/// Whether a preset of the section fills the key at `path`.
pub fn governs(path: &[&str]) -> bool {
    let [section, rest @ ..] = path else {
        return false;
    };
    let rest = rest.join(".");
    FILES
        .iter()
        .filter(|(name, ..)| name == section)
        .any(|(_, _, text)| {
            let (presets, _) = tree::parse(0, text);
            presets
                .entries
                .values()
                .filter_map(|entry| entry.value.table())
                .any(|preset| preset.at(&rest).is_some())
        })
}

/// Puts the chosen presets below the merged tree.
pub(crate) fn fill(sources: &mut Sources, merged: &mut Merged, diagnostics: &mut Vec<Diagnostic>) {
    for (section, display, text) in FILES {
        let Some(variant) = merged.table.at(&format!("{section}.variant")) else {
            continue;
        };
        let Some(chosen) = variant.value.text().map(str::to_string) else {
            // The type check reports it.
            continue;
        };
        let span = variant.value.span;
        let source = sources.add(*display, *text);
        merged.layers.push((source, Layer::Preset));
        let (mut presets, _) = tree::parse(source, text);
        let known: Vec<String> = presets.entries.keys().cloned().collect();
        let Some(Kind::Table(preset)) = presets
            .entries
            .swap_remove(&chosen)
            .map(|entry| entry.value.kind)
        else {
            merged.unknown_presets.push(section);
            let message = format!("unknown preset `{chosen}` for `{section}.variant`");
            let names = || known.iter().map(String::as_str);
            let mut diagnostic = Diagnostic::error(codes::UNKNOWN_PRESET, message)
                .at(span, "")
                .note(format!("presets are {}", quoted_list(names())));
            let near = nearest(&chosen, names());
            if let (Some(best), Some(question)) = (near.first(), did_you_mean(&near)) {
                diagnostic = diagnostic.patch(question, span, format!("\"{best}\""));
            }
            diagnostics.push(diagnostic);
            continue;
        };
        if let Some(Kind::Table(table)) = merged
            .table
            .entries
            .get_mut(*section)
            .map(|entry| &mut entry.value.kind)
        {
            underlay(table, preset);
        }
    }
}

/// Adds the keys of `under` that `table` lacks.
fn underlay(table: &mut Table, under: Table) {
    for (key, entry) in under.entries {
        let Entry { key: span, value } = entry;
        match (
            table.entries.get_mut(&key).map(|old| &mut old.value.kind),
            value.kind,
        ) {
            (None, kind) => {
                let value = tree::Value {
                    kind,
                    span: value.span,
                };
                table.entries.insert(key, Entry { key: span, value });
            }
            (Some(Kind::Table(inner)), Kind::Table(new)) => underlay(inner, new),
            (Some(_), _) => {}
        }
    }
}
