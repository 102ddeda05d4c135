//! The difference of two models by their resolved keys.

use std::fmt;

use crate::component::Argument;
use crate::model::Model;

/// One differing key.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Dotted path.
    pub path: String,
    /// Value on the left; `None` where the key does not exist.
    pub left: Option<Argument>,
    /// Value on the right.
    pub right: Option<Argument>,
}

/// All differing keys, in the order of the left model's keys, then those only on the right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    /// The changes.
    pub changes: Vec<Change>,
}

/// Compares resolved keys, so that two spellings of one model do not differ.
pub fn diff(left: &Model, right: &Model) -> Diff {
    let (left, right) = (&left.keys.keys, &right.keys.keys);
    let mut changes = Vec::new();
    for (path, key) in left {
        let other = right.get(path).map(|key| key.value.clone());
        if other.as_ref() != Some(&key.value) {
            changes.push(Change {
                path: path.clone(),
                left: Some(key.value.clone()),
                right: other,
            });
        }
    }
    for (path, key) in right {
        if !left.contains_key(path) {
            changes.push(Change {
                path: path.clone(),
                left: None,
                right: Some(key.value.clone()),
            });
        }
    }
    Diff { changes }
}

impl Diff {
    /// Whether the models are equal.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl fmt::Display for Diff {
    /// One line per change: `~ path: left -> right`, `- path = left`, `+ path = right`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Change { path, left, right } in &self.changes {
            match (left, right) {
                (Some(left), Some(right)) => writeln!(formatter, "~ {path}: {left} -> {right}")?,
                (Some(left), None) => writeln!(formatter, "- {path} = {left}")?,
                (None, Some(right)) => writeln!(formatter, "+ {path} = {right}")?,
                (None, None) => {}
            }
        }
        Ok(())
    }
}
