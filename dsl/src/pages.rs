//! Reference pages of what the binary holds as files: presets, components and name maps.

use std::fmt::Write as _;

use crate::component::library::EMBEDDED;
use crate::nearest::quoted_list;
use crate::presets;
use crate::tree::{self, Table};
use crate::weights;

/// The reference page of the presets, in Markdown: what each sets.
pub fn presets() -> String {
    let mut text = String::from(
        "# Presets\n\nNamed sets of keys for `encoder.variant` and `decoder.variant`. What a graph file writes \
         beside `variant` wins.\nWhere the shapes come from is in [Sizes and variants](../family.md), what the keys \
         mean in [Keys](keys.md).\n",
    );
    for (section, file) in presets::files() {
        let _ = write!(
            text,
            "\n## `{section}.variant`\n\n| preset | keys |\n| --- | --- |\n"
        );
        for (name, entry) in &tree::parse(0, file).0.entries {
            let keys: Vec<String> = entry
                .value
                .table()
                .into_iter()
                .flat_map(|preset| settings("", preset, file))
                .map(|setting| format!("`{setting}`"))
                .collect();
            let _ = writeln!(text, "| `{name}` | {} |", keys.join(", "));
        }
    }
    text
}

/// The reference page of the components in the binary, in Markdown.
pub fn components() -> String {
    let mut text = String::from(
        "# Components\n\nThose in the binary, `models/components/*.toml`. How such a file is written is in \
         [Components](../components.md),\nthe \
         operations in [Operations of component files](ops.md).\n",
    );
    for (name, file) in EMBEDDED {
        let (table, _) = tree::parse(0, file);
        let names = |key: &str| {
            let value = table.at(key).map(|entry| &entry.value);
            let list = value.and_then(tree::Value::table);
            list.map_or_else(Vec::new, |list| settings("", list, file))
        };
        let parameters = table.at("parameters").and_then(|it| it.value.argument());
        let parameters = parameters.map_or(String::new(), |it| it.to_string());
        let _ = write!(text, "\n## `{name}`\n\n{}\n\n", comment(file));
        for (title, lines) in [
            ("inputs", names("inputs")),
            ("outputs", names("outputs")),
            ("choices", names("choices")),
        ] {
            if !lines.is_empty() {
                let list = quoted_list(lines.iter().map(String::as_str));
                let _ = writeln!(text, "- {title}: {list}");
            }
        }
        let _ = writeln!(text, "- parameters: `{parameters}`");
    }
    text
}

/// The reference page of the name maps in the binary, in Markdown.
pub fn maps() -> String {
    let mut text = String::from(
        "# Name maps\n\nThose in the binary, `models/weights/*.toml`, for `--map`. What they do is in [Weights of \
         other programs](../weights.md).\n\n| map | part | of |\n| --- | --- | --- |\n",
    );
    for (name, file) in weights::EMBEDDED {
        let (table, _) = tree::parse(0, file);
        let part = table.at("part").and_then(|it| it.value.text());
        let _ = writeln!(
            text,
            "| `{name}` | `{}` | {} |",
            part.unwrap_or_default(),
            comment(file)
        );
    }
    text
}

/// `key = value` of each entry as the file has it, tables within by dotted keys; in one line each.
fn settings(prefix: &str, table: &Table, file: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (key, entry) in &table.entries {
        if let Some(inner) = entry.value.table() {
            found.extend(settings(&format!("{prefix}{key}."), inner, file));
        } else {
            let span = entry.value.span;
            let value = &file[span.start as usize..span.end as usize];
            let value: Vec<&str> = value.split_whitespace().collect();
            found.push(format!("{prefix}{key} = {}", value.join(" ")));
        }
    }
    found
}

/// The comment that a file begins with, as Markdown: one line per paragraph.
fn comment(file: &str) -> String {
    let lines = file.lines().map_while(|line| line.strip_prefix('#'));
    let mut paragraphs = vec![String::new()];
    for line in lines.filter(|line| !line.starts_with(":schema")) {
        match (line.trim(), paragraphs.last_mut()) {
            ("", _) => paragraphs.push(String::new()),
            (line, Some(last)) if !last.is_empty() => {
                last.push(' ');
                last.push_str(line);
            }
            (line, Some(last)) => last.push_str(line),
            (_, None) => {}
        }
    }
    paragraphs.retain(|text| !text.is_empty());
    escaped(&paragraphs.join("\n\n"))
}

/// The text with what Markdown would take for its own marked, but between backticks.
fn escaped(text: &str) -> String {
    let mut code = false;
    let mut out = String::new();
    for character in text.chars() {
        code ^= character == '`';
        if !code && matches!(character, '*' | '_' | '[' | ']' | '<' | '|') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_markdown_would_take_for_its_own_is_marked() {
        assert_eq!(escaped("a*b [c] `d*e` f"), "a\\*b \\[c\\] `d*e` f");
        assert_eq!(
            comment("#:schema x\n# One\n# two.\n#\n# Three.\nkey = 1\n# no\n"),
            "One two.\n\nThree."
        );
    }

    #[test]
    fn values_of_several_lines_take_one() {
        let file = "[a]\nlist = [\n  1,\n  2,\n]\n[a.b]\nc = \"x\"\n";
        let (table, _) = tree::parse(0, file);
        let inner = table.at("a").and_then(|it| it.value.table());
        let found = settings("", inner.expect("a table"), file);
        assert_eq!(found, ["list = [ 1, 2, ]", "b.c = \"x\""]);
    }
}
