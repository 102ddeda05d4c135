//! Where a suggested change goes in a text: an assignment that is removed, a line that is added.
//!
//! A graph file is changed as a person would: whole lines go, lines are added below the header of
//! their table, and what stands around them stays. Where that is not plain (a value in the midst of
//! an inline table), there is no place and so no patch.

use crate::resolved::join_path;
use crate::source::Sources;
use crate::span::Span;
use crate::tree::{Entry, Table};

/// Start and end of the line of `position`; the end is before its line feed.
fn line(text: &str, position: usize) -> (usize, usize) {
    let start = text[..position].rfind('\n').map_or(0, |feed| feed + 1);
    let end = text[position..]
        .find('\n')
        .map_or(text.len(), |feed| position + feed);
    (start, end)
}

/// Whether `text` is a dotted key and an equals sign, and nothing else.
fn is_assignment(text: &str) -> bool {
    let Some(key) = text.trim().strip_suffix('=') else {
        return false;
    };
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "_-.\"' ".contains(character);
    !key.trim().is_empty() && key.chars().all(plain)
}

/// Whether nothing but a comment follows.
fn is_rest(text: &str) -> bool {
    let rest = text.trim();
    rest.is_empty() || rest.starts_with('#')
}

/// The lines of the assignment whose value stands at `value`, if they hold nothing else.
pub fn assignment(sources: &Sources, value: Span) -> Option<Span> {
    let text = &sources.get(value.source)?.text;
    let range = sources.clamp(value);
    let (start, _) = line(text, range.start);
    let (_, end) = line(text, range.end);
    (is_assignment(&text[start..range.start]) && is_rest(&text[range.end..end]))
        .then(|| Span::new(value.source, start..(end + 1).min(text.len())))
}

/// The last segment of the key whose value stands at `value`, if both are on one line.
pub fn key(sources: &Sources, value: Span) -> Option<Span> {
    let text = &sources.get(value.source)?.text;
    let position = sources.clamp(value).start;
    let (start, _) = line(text, position);
    let before = text[start..position]
        .trim_end()
        .strip_suffix('=')?
        .trim_end();
    let bare = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    let length = before.len() - before.trim_end_matches(bare).len();
    let end = start + before.len();
    (length > 0).then(|| Span::new(value.source, end - length..end))
}

/// The table whose header holds `key`, up to the next header.
pub fn table(sources: &Sources, key: Span) -> Option<Span> {
    let text = &sources.get(key.source)?.text;
    let (start, end) = line(text, sources.clamp(key).start);
    let header = text[start..end].trim();
    if !header.starts_with('[') || header.starts_with("[[") {
        return None;
    }
    let mut position = (end + 1).min(text.len());
    while position < text.len() {
        let (_, end) = line(text, position);
        if text[position..end].trim_start().starts_with('[') {
            break;
        }
        position = (end + 1).min(text.len());
    }
    Some(Span::new(key.source, start..position))
}

/// The entry of an array at `item`, with the comma that it needs.
pub fn item(sources: &Sources, item: Span) -> Option<Span> {
    let text = &sources.get(item.source)?.text;
    let range = sources.clamp(item);
    let rest = &text[range.end..];
    if let Some(after) = rest.trim_start().strip_prefix(',') {
        let end = text.len() - after.trim_start_matches(' ').len();
        return Some(Span::new(item.source, range.start..end));
    }
    let before = text[..range.start].trim_end();
    let start = before.strip_suffix(',').map_or(range.start, str::len);
    Some(Span::new(item.source, start..range.end))
}

/// Where and how `assignment` is added to the table of `entry`: below its header, or as the first
/// of an inline table.
pub fn insertion(sources: &Sources, entry: &Entry, assignment: &str) -> Option<(Span, String)> {
    let table = entry.value.table()?;
    let source = entry.key.source;
    let text = &sources.get(source)?.text;
    let value = sources.clamp(entry.value.span);
    if entry.value.span.source == source && text[value.clone()].starts_with('{') {
        let comma = if table.entries.is_empty() { "" } else { "," };
        let place = Span::new(source, value.start + 1..value.start + 1);
        return Some((place, format!(" {assignment}{comma}")));
    }
    let (start, end) = line(text, sources.clamp(entry.key).start);
    let header = text[start..end].trim_start();
    // Only the last part of a header is the table that stands below it.
    let closes = text[sources.clamp(entry.key).end..end].starts_with([']', '"']);
    if header.starts_with('[') && !header.starts_with("[[") && closes {
        return Some(below(source, text, end, assignment));
    }
    None
}

/// Where and how the key at `path` gets the value `text`, in the file of `start`: in its table, if
/// the file has that, else in a new one. `table` is the merged tree.
pub fn added(
    sources: &Sources,
    table: &Table,
    start: Option<Span>,
    path: &[&str],
    text: &str,
) -> Option<(Span, String)> {
    let written = (1..path.len()).rev().find_map(|count| {
        let entry = table.at(&path[..count].join("."))?;
        Some((entry, join_path(path[count..].iter().copied())))
    });
    let source = start?.source;
    match written {
        Some((entry, key)) if entry.key.source == source => {
            insertion(sources, entry, &format!("{key} = {text}"))
                .or_else(|| in_own_table(sources, source, path, text))
        }
        Some(_) => in_own_table(sources, source, path, text),
        None => {
            let key = join_path(path.iter().copied());
            at_top(sources, source, &format!("{key} = {text}"))
        }
    }
}

/// As [`added`], where another file wrote the table first.
fn in_own_table(
    sources: &Sources,
    source: u32,
    path: &[&str],
    value: &str,
) -> Option<(Span, String)> {
    let text = &sources.get(source)?.text;
    let mut position = 0;
    let mut found = None;
    for written in text.split_inclusive('\n') {
        let (head, end) = (
            written.trim(),
            position + written.trim_end_matches('\n').len(),
        );
        for count in 1..path.len() {
            if head == format!("[{}]", path[..count].join(".")) {
                found = found.max(Some((count, end)));
            }
        }
        position += written.len();
    }
    let joined = |from: usize| join_path(path[from..].iter().copied());
    if let Some((count, end)) = found {
        return Some(below(
            source,
            text,
            end,
            &format!("{} = {value}", joined(count)),
        ));
    }
    // A table that is written in another way cannot be opened again.
    let (leaf, parents) = path.split_last()?;
    let first = parents.first()?;
    let other = text
        .lines()
        .any(|line| line.trim_start().starts_with(first));
    let header = join_path(parents.iter().copied());
    let leaf = join_path([*leaf]);
    match other {
        true => None,
        false => at_end(sources, source, &format!("\n[{header}]\n{leaf} = {value}")),
    }
}

/// A line after the one that ends at `end`.
fn below(source: u32, text: &str, end: usize, line: &str) -> (Span, String) {
    if end < text.len() {
        (Span::new(source, end + 1..end + 1), format!("{line}\n"))
    } else {
        (Span::new(source, end..end), format!("\n{line}\n"))
    }
}

/// Where and how `assignment` is added at the top of a file, before the first table, below the
/// comments at its head.
pub fn at_top(sources: &Sources, source: u32, assignment: &str) -> Option<(Span, String)> {
    let text = &sources.get(source)?.text;
    let mut position = 0;
    while text[position..].starts_with('#') {
        let (_, end) = line(text, position);
        position = (end + 1).min(text.len());
    }
    let place = Span::new(source, position..position);
    Some((place, format!("{assignment}\n")))
}

/// Where and how `lines` are added at the end of a file.
pub fn at_end(sources: &Sources, source: u32, lines: &str) -> Option<(Span, String)> {
    let text = &sources.get(source)?.text;
    let feed = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let place = Span::new(source, text.len()..text.len());
    Some((place, format!("{feed}{lines}\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &str) -> Sources {
        let mut sources = Sources::default();
        sources.add("x.toml", text);
        sources
    }

    fn at(text: &str, part: &str) -> Span {
        let start = text.find(part).expect("it is there");
        Span::new(0, start..start + part.len())
    }

    #[test]
    fn an_assignment_is_its_whole_lines() {
        let text = "a = 1\nb.c = [\n  2,\n] # why\nd = { e = 3, f = 4 }\n";
        let sources = sources(text);
        let lines = |part: &str| assignment(&sources, at(text, part)).map(|it| sources.slice(it));
        assert_eq!(lines("1"), Some("a = 1\n"));
        assert_eq!(lines("[\n  2,\n]"), Some("b.c = [\n  2,\n] # why\n"));
        assert_eq!(lines("3"), None);
        assert_eq!(
            key(&sources, at(text, "4")).map(|it| sources.slice(it)),
            Some("f")
        );
        assert_eq!(
            key(&sources, at(text, "[\n")).map(|it| sources.slice(it)),
            Some("c")
        );
    }

    #[test]
    fn a_table_ends_before_the_next_header() {
        let text = "[a]\nx = 1\n\n[a.b]\ny = 2\n";
        let sources = sources(text);
        let found = |part: &str| table(&sources, at(text, part)).map(|it| sources.slice(it));
        assert_eq!(found("a]"), Some("[a]\nx = 1\n\n"));
        assert_eq!(found("b]"), Some("[a.b]\ny = 2\n"));
        assert_eq!(found("x"), None);
    }

    #[test]
    fn a_key_goes_into_its_table_or_a_new_one() {
        let sources = sources("[a]\nx = 1\n[a.b]\ny = 2");
        let added = |path: &[&str]| in_own_table(&sources, 0, path, "3");
        assert_eq!(
            added(&["a", "z"]),
            Some((Span::new(0, 4..4), "z = 3\n".into()))
        );
        assert_eq!(
            added(&["a", "b", "z"]),
            Some((Span::new(0, 16..16), "z = 3\n".into()))
        );
        assert_eq!(
            added(&["c", "z"]),
            Some((Span::new(0, 21..21), "\n\n[c]\nz = 3\n".into()))
        );
    }

    #[test]
    fn an_item_goes_with_its_comma() {
        let text = "r = [\"a\", \"b\"]\n";
        let sources = sources(text);
        let found = |part: &str| item(&sources, at(text, part)).map(|it| sources.slice(it));
        assert_eq!(found("\"a\""), Some("\"a\", "));
        assert_eq!(found("\"b\""), Some(", \"b\""));
    }
}
