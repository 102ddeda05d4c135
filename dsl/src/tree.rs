//! TOML text as a tree in which every key and value knows its place.
//!
//! The `toml` crate's own tree is lowered by hand: serde loses spans in flattened and
//! tagged tables, and one pass here reports every syntax error of a file.

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use crate::codes;
use crate::component::Argument;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Most values in one array.
pub const LONGEST_ARRAY: usize = 65_536;
/// Most syntax errors reported for one file.
const MOST_SYNTAX_ERRORS: usize = 50;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// The text of the value; for a table written with a header, the header.
    pub span: Span,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `true`, `false`.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// A table, inline or with a header.
    Table(Table),
}

/// A table in file order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Entries by key.
    pub entries: IndexMap<String, Entry>,
}

/// One `key = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Place of the key.
    pub key: Span,
    /// The value.
    pub value: Value,
}

impl Value {
    /// The type as messages name it.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) => "an integer",
            Kind::Float(_) => "a float",
            Kind::Text(_) => "a string",
            Kind::Array(_) => "an array",
            Kind::Table(_) => "a table",
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The table.
    pub fn table(&self) -> Option<&Table> {
        match &self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    /// This value with all places in source `source`.
    #[must_use]
    pub fn in_source(&self, source: u32) -> Self {
        let kind = match &self.kind {
            Kind::Array(items) => {
                Kind::Array(items.iter().map(|item| item.in_source(source)).collect())
            }
            Kind::Table(table) => Kind::Table(table.in_source(source)),
            plain => plain.clone(),
        };
        let span = Span {
            source,
            ..self.span
        };
        Self { kind, span }
    }

    /// The value as a component argument; tables are none.
    pub fn argument(&self) -> Option<Argument> {
        Some(match &self.kind {
            Kind::Bool(value) => Argument::Bool(*value),
            Kind::Int(value) => Argument::Int(*value),
            Kind::Float(value) => Argument::Float(*value),
            Kind::Text(value) => Argument::Text(value.clone()),
            Kind::Array(items) => Argument::List(
                items
                    .iter()
                    .map(Value::argument)
                    .collect::<Option<Vec<_>>>()?,
            ),
            Kind::Table(_) => return None,
        })
    }
}

impl Table {
    /// The entry of `key`.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// This table with all places in source `source`.
    #[must_use]
    pub fn in_source(&self, source: u32) -> Self {
        let here = |span: Span| Span { source, ..span };
        let entry = |entry: &Entry| Entry {
            key: here(entry.key),
            value: entry.value.in_source(source),
        };
        let entries = self.entries.iter();
        Self {
            entries: entries.map(|(key, it)| (key.clone(), entry(it))).collect(),
        }
    }

    /// The value at a dotted path of bare keys.
    pub fn at(&self, path: &str) -> Option<&Entry> {
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let entry = self.entries.get(first)?;
        match rest {
            None => Some(entry),
            Some(rest) => entry.value.table()?.at(rest),
        }
    }
}

/// Parses `text`, the content of source `source`; what could be read and everything wrong with it.
pub fn parse(source: u32, text: &str) -> (Table, Vec<Diagnostic>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut diagnostics: Vec<Diagnostic> = errors
        .iter()
        .take(MOST_SYNTAX_ERRORS)
        .map(|error| syntax(source, text, error.message(), error.span()))
        .collect();
    // The parser may stumble twice over what one change repairs.
    diagnostics.dedup_by(|next, before| next.patch.is_some() && next.patch == before.patch);
    let table = lower_table(source, document.get_ref(), &mut diagnostics);
    (table, diagnostics)
}

/// A syntax error with the change that would repair it, where its message names one.
fn syntax(
    source: u32,
    text: &str,
    message: &str,
    range: Option<std::ops::Range<usize>>,
) -> Diagnostic {
    let message = message.replace('\n', ", ");
    let place = range.clone().map(|range| Span::new(source, range));
    let diagnostic = Diagnostic::error(codes::SYNTAX, message.as_str()).at(place, "");
    let Some(range) = range.filter(|range| range.end <= text.len()) else {
        return diagnostic;
    };
    let start = text[..range.start].rfind('\n').map_or(0, |feed| feed + 1);
    let end = text[range.start..].find('\n');
    let end = end.map_or(text.len(), |feed| range.start + feed);
    let line = &text[start..end];
    if message.contains("duplicate key") {
        let value = line.split_once('=').map_or("", |(_, value)| value.trim());
        // A value of one line; others are for the reader.
        let plain = !value.is_empty() && !value.ends_with(['[', '{', '"']) || value.len() > 4;
        let next = (end + 1).min(text.len());
        let lines = Span::new(source, start..next);
        return match plain && range.end <= end {
            true => diagnostic.patch("one of the two is enough", lines, ""),
            false if line.trim_start().starts_with('[') => {
                diagnostic.help("its keys belong under the first of the two".to_string())
            }
            false => diagnostic.help("one of the two is enough".to_string()),
        };
    }
    let key_like = |key: &str| {
        let plain = |it: char| it.is_ascii_alphanumeric() || "_-.".contains(it);
        !key.trim().is_empty() && key.trim().chars().all(plain)
    };
    let named = |message: &str| Diagnostic::error(codes::SYNTAX, message).at(place, "");
    match line.split_once('=') {
        None => {
            if let Some((before, _)) = line.split_once(':').filter(|(before, _)| key_like(before)) {
                let colon = start + before.len();
                let colon = Span::new(source, colon..colon + 1);
                return Diagnostic::error(codes::SYNTAX, "a colon in the place of `=`")
                    .at(colon, "")
                    .patch("values follow `=`", colon, " =");
            }
        }
        // What stands unquoted after the equals sign was meant as a string, or is a capital boolean.
        Some((key, rest)) if key_like(key) => {
            let value = rest.split('#').next().unwrap_or_default().trim();
            let word = |it: char| it.is_ascii_alphanumeric() || "-_./:+".contains(it);
            if value.is_empty() {
                let key = key.trim();
                return named(&format!("`{key}` has no value"))
                    .help(format!("write a value after `{key} =`"));
            }
            if value.starts_with(|it: char| it.is_ascii_alphabetic()) && value.chars().all(word) {
                let begin = start + line.len() - rest.trim_start().len();
                let place = Span::new(source, begin..begin + value.len());
                return match value.to_lowercase().as_str() {
                    lower @ ("true" | "false") => named(&format!("`{value}` is no value")).patch(
                        "booleans are written small",
                        place,
                        lower,
                    ),
                    _ => named("a string without quotes").patch(
                        "strings have quotes",
                        place,
                        format!("\"{value}\""),
                    ),
                };
            }
        }
        Some(_) => {}
    }
    let expected = message.rsplit_once("expected `").map(|(_, rest)| rest);
    let token = expected.and_then(|rest| rest.strip_suffix('`'));
    match token.filter(|token| !token.contains('`')) {
        Some(token) => {
            let place = Span::new(source, range.start..range.start);
            diagnostic.patch(format!("add `{token}`"), place, token)
        }
        None => diagnostic.help(
            "a line is `[table]` or `key = value`; values are numbers, `true`, `false`, strings in \
             quotes, arrays in `[]`, tables in `{}`"
                .to_string(),
        ),
    }
}

fn lower_table(source: u32, table: &DeTable<'_>, diagnostics: &mut Vec<Diagnostic>) -> Table {
    let mut entries: Vec<(String, Entry)> = table
        .iter()
        .map(|(key, value)| {
            let entry = Entry {
                key: Span::new(source, key.span()),
                value: lower_value(source, value.get_ref(), value.span(), diagnostics),
            };
            (key.get_ref().to_string(), entry)
        })
        .collect();
    // The parser's map is sorted by name; people and messages want the order of the file.
    entries.sort_by_key(|(_, entry)| entry.key.start);
    Table {
        entries: entries.into_iter().collect(),
    }
}

fn lower_value(
    source: u32,
    value: &DeValue<'_>,
    range: std::ops::Range<usize>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Value {
    let span = Span::new(source, range);
    let kind = match value {
        DeValue::Boolean(value) => Kind::Bool(*value),
        DeValue::String(value) => Kind::Text(value.to_string()),
        DeValue::Integer(value) => match i64::from_str_radix(value.as_str(), value.radix()) {
            Ok(value) => Kind::Int(value),
            Err(_) => {
                diagnostics.push(
                    Diagnostic::error(
                        codes::OUT_OF_RANGE,
                        format!("integer `{}` does not fit 64 bits", value.as_str()),
                    )
                    .at(span, "")
                    .help("`mm1c explain KEY` says what a key takes".to_string()),
                );
                Kind::Int(0)
            }
        },
        DeValue::Float(value) => Kind::Float(value.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Datetime(_) => {
            diagnostics.push(
                Diagnostic::error(codes::WRONG_TYPE, "dates and times have no use here")
                    .at(span, "")
                    .help("as a text it has quotes".to_string()),
            );
            Kind::Text(String::new())
        }
        DeValue::Array(items) => {
            if items.len() > LONGEST_ARRAY {
                diagnostics.push(
                    Diagnostic::error(
                        codes::TOO_LARGE_FILE,
                        format!(
                            "array of {} values; at most {LONGEST_ARRAY} are read",
                            items.len()
                        ),
                    )
                    .at(
                        Span::new(source, span.start as usize..span.start as usize + 1),
                        "",
                    )
                    .help("graph files hold no data; name its file by a path".to_string()),
                );
            }
            Kind::Array(
                items
                    .iter()
                    .take(LONGEST_ARRAY)
                    .map(|item| lower_value(source, item.get_ref(), item.span(), diagnostics))
                    .collect(),
            )
        }
        DeValue::Table(table) => Kind::Table(lower_table(source, table, diagnostics)),
    };
    Value { kind, span }
}
