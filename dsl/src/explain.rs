//! What the tables say of a name: a diagnostic code, a key, a table of keys, an operation.

use std::fmt::Write as _;

use crate::codes::{CODES, Code, entry};
use crate::component::{OPS, op_rule};
use crate::keys::{KEYS, Key, KeyDefault, KeyKind, find};
use crate::presets;
use crate::schema::default_text;

/// The text on `name`, if the tables have it. A key's last segment is enough.
pub fn explain(name: &str) -> Option<String> {
    if let Some(text) = code(name) {
        return Some(text);
    }
    let segments: Vec<&str> = name.split('.').collect();
    let keys: Vec<&Key> = match find(&segments) {
        Some(row) => vec![row],
        None => KEYS.iter().filter(|row| row.leaf() == name).collect(),
    };
    let mut parts: Vec<String> = keys.into_iter().map(key).collect();
    parts.extend(table(&segments));
    parts.extend(op_rule(name).map(|_| op(name)));
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// Every name that [`explain`] knows.
pub fn names() -> Vec<String> {
    let codes = CODES.iter().map(|entry| entry.code.to_string());
    let keys = KEYS.iter().flat_map(|row| {
        let leaf = row.leaf().to_string();
        [row.path.to_string(), leaf]
    });
    let tables = KEYS.iter().filter_map(|row| {
        let (table, _) = row.path.rsplit_once('.')?;
        Some(table.to_string())
    });
    let ops = OPS.iter().map(|rule| rule.name.to_string());
    let mut names: Vec<String> = codes.chain(keys).chain(tables).chain(ops).collect();
    names.retain(|name| name != "*");
    names.sort();
    names.dedup();
    names
}

/// `MM1C0012`, `mm1c0012` or `0012`.
fn code(name: &str) -> Option<String> {
    let upper = name.to_uppercase();
    let digits = upper.strip_prefix("MM1C").unwrap_or(&upper);
    let number: u16 = (digits.len() == 4).then(|| digits.parse().ok())??;
    let row = entry(Code(number))?;
    Some(format!("{}: {}\n\n{}\n", row.code, row.title, row.doc))
}

fn key(row: &Key) -> String {
    let mut text = format!("{}: {}\n\n", row.path, row.doc);
    let unit = match row.unit {
        "" => String::new(),
        unit => format!(" ({unit})"),
    };
    let _ = writeln!(text, "  value    {}{unit}", row.type_text());
    if let KeyKind::Preset(section) = row.kind {
        let _ = writeln!(text, "  presets  {}", presets::names(section).join(", "));
    }
    let default = match row.default {
        KeyDefault::Required(example) => format!("none, it must be given; for example {example}"),
        KeyDefault::Absent => "none, it may be left out".to_string(),
        _ => default_text(row),
    };
    let _ = writeln!(text, "  default  {default}");
    if let Some(when) = row.when {
        let values: Vec<String> = when.values.iter().map(|it| format!("\"{it}\"")).collect();
        let _ = writeln!(
            text,
            "  only     with `{}` = {}",
            when.tag,
            values.join(", ")
        );
    }
    text
}

/// The keys right below a table, one a line.
fn table(segments: &[&str]) -> Option<String> {
    let below: Vec<&Key> = KEYS
        .iter()
        .filter(|row| row.below(segments).is_some())
        .collect();
    if below.is_empty() {
        return None;
    }
    let mut text = format!("[{}]\n\n", segments.join("."));
    let width = below.iter().map(|row| row.path.len()).max().unwrap_or(0);
    for row in below {
        let _ = writeln!(text, "  {:width$}  {}", row.path, row.doc);
    }
    Some(text)
}

fn op(name: &str) -> String {
    let Some(rule) = op_rule(name) else {
        return String::new();
    };
    let mut text = format!("op `{}` of component files: {}\n\n", rule.name, rule.doc);
    let _ = writeln!(text, "  operands   {}", rule.operand_text());
    for (number, attribute) in rule.attributes.iter().enumerate() {
        let head = if number == 0 { "attributes" } else { "" };
        let may = if attribute.required {
            ""
        } else {
            ", or absent"
        };
        let words = attribute.kind.words();
        let _ = writeln!(text, "  {head:10} `{}`: {words}{may}", attribute.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_text() {
        let names = names();
        assert!(names.len() > 200, "{}", names.len());
        for name in names {
            let text = explain(&name).unwrap_or_default();
            assert!(text.len() > name.len() + 10, "{name}: {text}");
        }
        assert!(explain("MM1C9999").is_none());
        assert!(explain("").is_none());
    }

    #[test]
    fn a_code_is_found_in_three_spellings() {
        let texts = ["MM1C0012", "mm1c0012", "0012"].map(explain);
        assert!(texts[0].is_some());
        assert!(texts.iter().all(|text| *text == texts[0]));
    }

    #[test]
    fn a_last_segment_finds_all_its_keys() {
        let text = explain("heads").expect("a key");
        for path in ["encoder.heads:", "decoder.heads:", "connector.heads:"] {
            assert!(text.contains(path), "{text}");
        }
    }
}
