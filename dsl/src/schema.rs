//! The key table as a JSON schema and as a reference page, and the page of diagnostic codes.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::component::{Argument, OPS};
use crate::keys::{KEYS, Key, KeyDefault, KeyKind};
use crate::presets;

/// Sections that may hold the parameters of a project component besides their own keys.
const OPEN: [&str; 3] = ["encoder", "connector", "decoder"];

/// A JSON schema (draft 2020-12) of graph files, for editors.
///
/// It knows types, ranges and names, but no rule between keys, and requires nothing: what a file
/// leaves out its parents may give.
pub fn json_schema() -> Value {
    let mut root = object("A graph file of mm1c.");
    for key in KEYS {
        let segments: Vec<&str> = key.path.split('.').collect();
        insert(&mut root, &segments, &mut Vec::new(), leaf(key));
    }
    let path = json!({ "type": "string", "description": "The one file that this one changes; relative to this file." });
    let remove = json!({
        "type": "array",
        "items": { "type": "string" },
        "description": "Inherited keys and tables to delete.",
    });
    for (name, schema) in [("extends", path), ("remove", remove)] {
        root["properties"][name] = schema;
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root
}

/// The schema as the text that is kept in `models/schema.json`.
pub fn schema_text() -> String {
    format!("{:#}\n", json_schema())
}

fn object(description: &str) -> Value {
    json!({
        "type": "object",
        "description": description,
        "properties": {},
        "additionalProperties": false,
    })
}

/// Puts `schema` at `path` below `parent`, making the tables between.
fn insert(parent: &mut Value, path: &[&str], above: &mut Vec<String>, schema: Value) {
    let [first, rest @ ..] = path else { return };
    above.push((*first).to_string());
    let slot = if *first == "*" {
        &mut parent["additionalProperties"]
    } else {
        &mut parent["properties"][*first]
    };
    if rest.is_empty() {
        *slot = schema;
    } else {
        if !slot.is_object() {
            *slot = object(&format!("`[{}]`", above.join(".")));
            if above.len() == 1 && OPEN.contains(first) {
                slot["additionalProperties"] = json!(true);
            }
        }
        insert(slot, rest, above, schema);
    }
    above.pop();
}

fn leaf(key: &Key) -> Value {
    let text = || json!({ "type": "string" });
    let mut schema = match key.kind {
        KeyKind::Int { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        KeyKind::Float { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        KeyKind::FloatOr { min, max, name } => json!({
            "anyOf": [{ "type": "number", "minimum": min, "maximum": max }, { "const": name }],
        }),
        KeyKind::Bool => json!({ "type": "boolean" }),
        KeyKind::Text | KeyKind::Name | KeyKind::Path { .. } => text(),
        KeyKind::Choice(names) => json!({ "enum": names }),
        KeyKind::ChoiceOrFile(names) => json!({
            "anyOf": [{ "enum": names }, { "type": "string", "pattern": "\\.toml$" }],
        }),
        KeyKind::Preset(section) => json!({ "enum": presets::names(section) }),
        KeyKind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        KeyKind::Triple { min, max } => json!({
            "type": "array",
            "items": { "type": "number", "minimum": min, "maximum": max },
            "minItems": 3,
            "maxItems": 3,
        }),
    };
    let unit = if key.unit.is_empty() {
        String::new()
    } else {
        format!(" Unit: {}.", key.unit)
    };
    schema["description"] = json!(format!("{}{unit}", key.doc));
    let default = match key.default {
        KeyDefault::Int(value) => Some(json!(value)),
        KeyDefault::Float(value) => Some(json!(value)),
        KeyDefault::Bool(value) => Some(json!(value)),
        KeyDefault::Text(value) => Some(json!(value)),
        KeyDefault::NoTexts => Some(json!([])),
        KeyDefault::Triple(values) => Some(json!(values)),
        KeyDefault::Required(_) | KeyDefault::Absent | KeyDefault::Computed(..) => None,
    };
    if let (Some(default), Some(map)) = (default, schema.as_object_mut()) {
        let map: &mut Map<String, Value> = map;
        map.insert("default".to_string(), default);
    }
    schema
}

/// The reference page of all keys, in Markdown: one table per section.
pub fn reference() -> String {
    let mut text = String::from("# Keys of a graph file\n");
    let mut table = None;
    for key in KEYS {
        let section = key.path.rsplit_once('.').map_or("", |(section, _)| section);
        if table != Some(section) {
            table = Some(section);
            let title = if section.is_empty() {
                "At the top".to_string()
            } else {
                format!("`[{section}]`")
            };
            let _ = write!(
                text,
                "\n## {title}\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n"
            );
        }
        let unit = if key.unit.is_empty() {
            String::new()
        } else {
            format!(", {}", key.unit)
        };
        let only = key.when.map_or(String::new(), |when| {
            format!(
                " Only with `{}` = {}.",
                when.tag,
                crate::nearest::quoted_list(when.values.iter().copied())
            )
        });
        let _ = writeln!(
            text,
            "| `{}` | {}{unit} | {} | {}{only} |",
            key.leaf(),
            key.type_text(),
            default_text(key),
            key.doc
        );
    }
    text
}

/// The reference page of all diagnostic codes, in Markdown.
pub fn code_reference() -> String {
    let mut text = String::from(
        "# Diagnostic codes\n\nThose of graph files and studies. Running has its own: [run-codes.md](run-codes.md).\n",
    );
    for entry in crate::codes::CODES {
        let _ = write!(
            text,
            "\n## {}: {}\n\n{}\n",
            entry.code, entry.title, entry.doc
        );
    }
    text
}

/// The reference page of the operations of component files, in Markdown.
pub fn op_reference() -> String {
    let mut text = String::from(
        "# Operations of component files\n\nHow they are put together is in [components.md](../components.md).\n\n\
         | op | operands | what it computes | attributes |\n| --- | --- | --- | --- |\n",
    );
    for rule in OPS {
        let attributes: Vec<String> = rule
            .attributes
            .iter()
            .map(|it| {
                let may = if it.required { "" } else { ", or absent" };
                format!("`{}`: {}{may}", it.name, it.kind.words())
            })
            .collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            rule.name,
            rule.operand_text(),
            rule.doc,
            attributes.join("; ")
        );
    }
    text
}

/// The default in words.
pub(crate) fn default_text(key: &Key) -> String {
    match key.default {
        KeyDefault::Required(_) => "required".to_string(),
        KeyDefault::Absent => "none".to_string(),
        KeyDefault::Int(value) => format!("`{value}`"),
        KeyDefault::Float(value) => format!("`{}`", Argument::Float(value)),
        KeyDefault::Bool(value) => format!("`{value}`"),
        KeyDefault::Text(value) => format!("`\"{value}\"`"),
        KeyDefault::NoTexts => "`[]`".to_string(),
        KeyDefault::Triple(values) => format!("`{values:?}`"),
        KeyDefault::Computed(rule, _) => rule.to_string(),
    }
}
