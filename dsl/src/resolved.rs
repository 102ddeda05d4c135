//! The flat map of all keys after inheritance, presets, `--set` and defaults, with provenance.

use indexmap::IndexMap;

use crate::component::Argument;
use crate::span::Span;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// The key table.
    Default,
    /// Computed by the rule described.
    Computed(&'static str),
    /// A preset.
    Preset {
        /// Its name.
        name: String,
        /// The line in the preset file.
        span: Span,
    },
    /// A graph file.
    File(Span),
    /// `--set`.
    Set(Span),
}

impl Origin {
    /// The assignment, where a file or `--set` made it.
    pub fn assigned(&self) -> Option<Span> {
        match self {
            Self::File(span) | Self::Set(span) => Some(*span),
            _ => None,
        }
    }
}

/// A key's value and origin.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedKey {
    /// The value.
    pub value: Argument,
    /// Where it comes from.
    pub origin: Origin,
}

/// An inherited key that a change of kind dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropped {
    /// Dotted path.
    pub path: String,
    /// Its assignment.
    pub span: Span,
    /// The key whose change dropped it.
    pub tag: String,
    /// The assignment of that key.
    pub tag_span: Span,
}

/// All keys in the order of the key table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    /// Values by dotted path; segments that are no bare keys are quoted.
    pub keys: IndexMap<String, ResolvedKey>,
    /// Inherited keys that a change of kind dropped.
    pub dropped: Vec<Dropped>,
    /// Whether the model has an image side.
    pub vision: bool,
}

impl Resolved {
    /// The value at `path`.
    pub fn get(&self, path: &str) -> Option<&Argument> {
        self.keys.get(path).map(|key| &key.value)
    }

    /// The integer at `path`.
    pub fn int(&self, path: &str) -> Option<i64> {
        match self.get(path)? {
            Argument::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The float at `path`.
    pub fn float(&self, path: &str) -> Option<f64> {
        match self.get(path)? {
            Argument::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The boolean at `path`.
    pub fn bool(&self, path: &str) -> Option<bool> {
        match self.get(path)? {
            Argument::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The string at `path`.
    pub fn text(&self, path: &str) -> Option<&str> {
        match self.get(path)? {
            Argument::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the model has an image side.
    pub fn has_vision(&self) -> bool {
        self.vision
    }

    /// The assignment of `path`, where a file or `--set` made it.
    pub fn assigned(&self, path: &str) -> Option<Span> {
        self.keys.get(path)?.origin.assigned()
    }

    /// The assignment of `path`, in a preset too.
    pub fn place(&self, path: &str) -> Option<Span> {
        match &self.keys.get(path)?.origin {
            Origin::Preset { span, .. } => Some(*span),
            other => other.assigned(),
        }
    }
}

/// Splits a dotted path, honouring quotes.
pub fn split_path(path: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut characters = path.chars();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let last = segments.len() - 1;
        match character {
            '\\' if quoted => segments[last].extend(characters.next()),
            '"' => quoted = !quoted,
            '.' if !quoted => segments.push(String::new()),
            other => segments[last].push(other),
        }
    }
    segments
}

/// A path segment as TOML writes it.
pub fn segment_text(segment: &str) -> String {
    let bare = !segment.is_empty()
        && segment.chars().all(|character| {
            character.is_ascii_alphanumeric() || character == '_' || character == '-'
        });
    if bare {
        segment.to_string()
    } else {
        Argument::Text(segment.to_string()).to_string()
    }
}

/// Joins segments to a dotted path.
pub fn join_path<'a>(segments: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<String> = segments.into_iter().map(segment_text).collect();
    parts.join(".")
}
