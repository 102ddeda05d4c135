//! The difference of two models: resolved keys, texts of components, and what follows from the keys.

use std::fmt;

use crate::component::Argument;
use crate::follow;
use crate::keys;
use crate::model::Model;
use crate::resolve;
use crate::resolved::{join_path, segment_text, split_path};

/// One differing key.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Dotted path. `data.sources` stands for the order of the sources, which decides the examples
    /// that a run sees.
    pub path: String,
    /// Value on the left; `None` where the key does not exist.
    pub left: Option<Argument>,
    /// Value on the right.
    pub right: Option<Argument>,
    /// Left and right: where the value comes from, or why there is none.
    pub from: [String; 2],
}

/// A component file of the project that the two models read otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentChange {
    /// Its name in the project.
    pub name: String,
    /// Left and right: lines, where the model has the file.
    pub lines: [Option<usize>; 2],
    /// First line that differs, from 1, where both have it.
    pub first: Option<usize>,
}

/// A figure that several keys decide together.
#[derive(Clone, Debug, PartialEq)]
pub struct Follows {
    /// Its name.
    pub name: &'static str,
    /// The keys that it is made of.
    pub of: &'static str,
    /// Left and right; `None` where the model has no such thing.
    pub values: [Option<Argument>; 2],
}

/// All differing keys, in the order of the left model's keys, then those only on the right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    /// The changes.
    pub changes: Vec<Change>,
    /// Component files.
    pub components: Vec<ComponentChange>,
    /// What follows from the changes.
    pub follows: Vec<Follows>,
}

/// Compares resolved keys, so that two spellings of one model do not differ.
pub fn diff(left: &Model, right: &Model) -> Diff {
    let (ours, theirs) = (&left.keys.keys, &right.keys.keys);
    let only_right = theirs.keys().filter(|path| !ours.contains_key(*path));
    let mut changes = Vec::new();
    for path in ours.keys().chain(only_right) {
        let [a, b] = [left, right].map(|it| it.keys.get(path).cloned());
        if a != b {
            changes.push(Change {
                path: path.clone(),
                left: a,
                right: b,
                from: [(left, right), (right, left)].map(|(it, other)| {
                    resolve::origin(it, path).unwrap_or_else(|| absent(it, other, path))
                }),
            });
        }
    }
    changes.extend(order(left, right));
    let rows = follow::ROWS.iter().filter_map(|row| {
        let values = [left, right].map(row.value);
        (values[0] != values[1]).then_some(Follows {
            name: row.name,
            of: row.of,
            values,
        })
    });
    Diff {
        changes,
        components: components(left, right),
        follows: rows.collect(),
    }
}

/// The order of the sources that both models have, where it differs.
fn order(left: &Model, right: &Model) -> Option<Change> {
    let names = |of: &Model, other: &Model| -> Option<Vec<Argument>> {
        let known = &other.data.as_ref()?.sources;
        let names = of.data.as_ref()?.sources.keys();
        let common = names.filter(|name| known.contains_key(*name));
        Some(common.cloned().map(Argument::Text).collect())
    };
    let [a, b] = [names(left, right)?, names(right, left)?];
    (a != b).then(|| Change {
        path: "data.sources".to_owned(),
        left: Some(Argument::List(a)),
        right: Some(Argument::List(b)),
        from: [left, right].map(|_| "order of the tables".to_owned()),
    })
}

fn components(left: &Model, right: &Model) -> Vec<ComponentChange> {
    let [ours, theirs] =
        [left, right].map(|it| it.components.of_project().collect::<Vec<(&str, &str)>>());
    let text_of = |list: &[(&str, &'_ str)], name: &str| -> Option<String> {
        let found = list.iter().find(|(known, _)| *known == name)?;
        Some(found.1.to_owned())
    };
    let mut names: Vec<&str> = ours.iter().chain(&theirs).map(|(name, _)| *name).collect();
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let changed = names.into_iter().filter_map(|name| {
        let texts = [&ours, &theirs].map(|it| text_of(it, name));
        if texts[0] == texts[1] {
            return None;
        }
        let first = match &texts {
            [Some(a), Some(b)] => {
                let equal = a.lines().zip(b.lines()).take_while(|(a, b)| a == b);
                Some(equal.count() + 1)
            }
            _ => None,
        };
        Some(ComponentChange {
            name: name.to_owned(),
            lines: texts.map(|it| it.map(|text| text.lines().count())),
            first,
        })
    });
    changed.collect()
}

/// Why `model` has no key `path`, which `other` has.
fn absent(model: &Model, other: &Model, path: &str) -> String {
    let mut dropped = model.keys.dropped.iter();
    if let Some(dropped) = dropped.find(|it| it.path == path) {
        let place = resolve::place(model.sources(), dropped.tag_span);
        return format!("dropped with a change of {} ({place})", dropped.tag);
    }
    let segments = split_path(path);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let parents = &segments[..segments.len().saturating_sub(1)];
    // The outermost table of which the model has nothing.
    for count in 1..=parents.len() {
        let table = join_path(parents[..count].iter().copied());
        let prefix = format!("{table}.");
        if !model.keys.keys.keys().any(|it| it.starts_with(&prefix)) {
            return format!("no [{table}]");
        }
    }
    // A key of a kind; arguments of project components belong to the key that names them.
    let tags = match keys::find(&segments) {
        Some(row) => row.when.map(|when| vec![when.tag]),
        None => Some(vec!["kind", "arch"]),
    };
    for tag in tags.into_iter().flatten() {
        let tag = join_path(parents.iter().copied().chain([tag]));
        let [here, there] = [model, other].map(|it| it.keys.get(&tag));
        if let Some(value) = here.filter(|_| here != there) {
            let place = resolve::origin(model, &tag).unwrap_or_default();
            return format!("not with {tag} = {value} ({place})");
        }
    }
    "not given".to_owned()
}

impl Diff {
    /// Whether the models are equal.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.components.is_empty()
    }

    /// As the short form, with the place of both sides behind each key.
    pub fn with_places(&self) -> String {
        let lines: Vec<(String, String)> = self
            .changes
            .iter()
            .map(|it| (it.to_string(), format!("# {}", it.from.join(" -> "))))
            .chain(self.components.iter().map(|it| {
                let first = it.first.map(|line| format!("# line {line} differs first"));
                (it.to_string(), first.unwrap_or_default())
            }))
            .chain(
                self.follows
                    .iter()
                    .map(|it| (it.to_string(), format!("# follows from {}", it.of))),
            )
            .collect();
        // Places line up, but a long value does not push them all to the right.
        let widths = lines.iter().map(|(line, _)| line.chars().count());
        let width = widths.filter(|width| *width <= 64).max().unwrap_or(0);
        let line = |(change, place): &(String, String)| match place.is_empty() {
            true => format!("{change}\n"),
            false => format!("{change:width$}  {place}\n"),
        };
        lines.iter().map(line).collect()
    }
}

impl fmt::Display for Change {
    /// `~ path: left -> right`, `- path = left` or `+ path = right`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match (&self.left, &self.right) {
            (Some(left), Some(right)) => write!(formatter, "~ {path}: {left} -> {right}"),
            (Some(left), None) => write!(formatter, "- {path} = {left}"),
            (None, Some(right)) => write!(formatter, "+ {path} = {right}"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for ComponentChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("components.{}", segment_text(&self.name));
        match self.lines {
            [Some(left), Some(right)] => {
                write!(formatter, "~ {name}: {left} lines -> {right} lines")
            }
            [Some(left), None] => write!(formatter, "- {name}: {left} lines"),
            [None, Some(right)] => write!(formatter, "+ {name}: {right} lines"),
            [None, None] => Ok(()),
        }
    }
}

impl fmt::Display for Follows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Argument>| {
            let text = value.as_ref().map(ToString::to_string);
            text.unwrap_or_else(|| "none".to_owned())
        };
        let [left, right] = &self.values;
        write!(
            formatter,
            "> {}: {} -> {}",
            self.name,
            text(left),
            text(right)
        )
    }
}

impl fmt::Display for Diff {
    /// A line per change: `~ path: left -> right`, `- path = left`, `+ path = right`; components likewise;
    /// and `> figure: left -> right` for what follows.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            writeln!(formatter, "{change}")?;
        }
        for change in &self.components {
            writeln!(formatter, "{change}")?;
        }
        for change in &self.follows {
            writeln!(formatter, "{change}")?;
        }
        Ok(())
    }
}
