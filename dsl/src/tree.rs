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
        .map(|error| {
            Diagnostic::error(codes::SYNTAX, error.message().replace('\n', ", "))
                .at(error.span().map(|range| Span::new(source, range)), "")
        })
        .collect();
    let table = lower_table(source, document.get_ref(), &mut diagnostics);
    (table, diagnostics)
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
                    .at(span, ""),
                );
                Kind::Int(0)
            }
        },
        DeValue::Float(value) => Kind::Float(value.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Datetime(_) => {
            diagnostics.push(
                Diagnostic::error(codes::WRONG_TYPE, "dates and times have no use here")
                    .at(span, ""),
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
                    ),
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
