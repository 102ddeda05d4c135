//! What a wrong value was probably meant to be, as a change of the file.
//!
//! A value that says the right thing in another type is rewritten, one next to its range is moved
//! to the bound, a misspelt name becomes the nearest one. Otherwise the default stands in, or an
//! example from the key table: the reader then sees at least what a right line looks like.

use crate::component::Argument;
use crate::diagnostic::Diagnostic;
use crate::edit;
use crate::keys::{Key, KeyDefault, KeyKind};
use crate::nearest::{did_you_mean, nearest};
use crate::presets;
use crate::source::Sources;
use crate::span::Span;
use crate::tree::{Kind, Value};

/// Adds the change that would make `value` legal for `row`, unless there is one.
pub fn value(diagnostic: Diagnostic, sources: &Sources, row: &Key, value: &Value) -> Diagnostic {
    // The place of a table may be its header, which no value replaces.
    if diagnostic.patch.is_some() || value.table().is_some() {
        return diagnostic;
    }
    if let Some((message, meant)) = meant(row, value) {
        return diagnostic.patch(message, value.span, meant.to_string());
    }
    let (message, text) = match row.default {
        KeyDefault::Required(example) => ("for example", example.to_string()),
        KeyDefault::Absent | KeyDefault::Computed(..) => {
            return remove(diagnostic, sources, value.span, &without(row));
        }
        _ => match stated(row) {
            Some(default) => ("the default", default.to_string()),
            None => return diagnostic,
        },
    };
    diagnostic.patch(message, value.span, text)
}

/// What holds where an optional key is not written.
fn without(row: &Key) -> String {
    match row.default {
        KeyDefault::Computed(rule, _) => format!("without the line it is: {rule}"),
        _ => "the key may be left out".to_string(),
    }
}

/// A default that is a plain value.
pub fn stated(row: &Key) -> Option<Argument> {
    Some(match row.default {
        KeyDefault::Int(value) => Argument::Int(value),
        KeyDefault::Float(value) => Argument::Float(value),
        KeyDefault::Bool(value) => Argument::Bool(value),
        KeyDefault::Text(value) => Argument::Text(value.to_string()),
        KeyDefault::NoTexts => Argument::List(Vec::new()),
        KeyDefault::Triple(values) => {
            Argument::List(values.into_iter().map(Argument::Float).collect())
        }
        KeyDefault::Required(_) | KeyDefault::Absent | KeyDefault::Computed(..) => return None,
    })
}

/// Adds the removal of the assignment whose value stands at `value`, if its line holds nothing else.
pub fn remove(diagnostic: Diagnostic, sources: &Sources, value: Span, message: &str) -> Diagnostic {
    match edit::assignment(sources, value) {
        Some(lines) => diagnostic.patch(message, lines, ""),
        None => diagnostic.help(format!("remove it; {message}")),
    }
}

/// The legal value that `value` says in another way, with the reason to think so.
fn meant(row: &Key, value: &Value) -> Option<(String, Argument)> {
    let same = |meant: Argument| ("the same in the right type".to_string(), meant);
    let bound = |meant: Argument| ("the nearest that is allowed".to_string(), meant);
    let spelt = |names: &[&str]| {
        let near = nearest(value.text()?, names.iter().copied());
        let best = Argument::Text((*near.first()?).to_string());
        Some((did_you_mean(&near)?, best))
    };
    let quoted = || match &value.kind {
        Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => {
            Some(Argument::Text(value.argument()?.to_string()))
        }
        _ => None,
    };
    match row.kind {
        KeyKind::Int { min, max } => {
            let number = match &value.kind {
                Kind::Int(number) => return Some(bound(Argument::Int((*number).clamp(min, max)))),
                Kind::Text(text) => text.trim().replace(['_', ','], "").parse().ok()?,
                Kind::Float(number) => whole(*number)?,
                _ => return None,
            };
            (min..=max)
                .contains(&number)
                .then(|| same(Argument::Int(number)))
        }
        KeyKind::Float { min, max } => float(value, min, max),
        KeyKind::FloatOr { min, max, name } => float(value, min, max).or_else(|| spelt(&[name])),
        KeyKind::Bool => match &value.kind {
            Kind::Int(0) => Some(same(Argument::Bool(false))),
            Kind::Int(1) => Some(same(Argument::Bool(true))),
            Kind::Text(text) => match text.to_lowercase().as_str() {
                "true" | "yes" | "on" => Some(same(Argument::Bool(true))),
                "false" | "no" | "off" => Some(same(Argument::Bool(false))),
                _ => None,
            },
            _ => None,
        },
        KeyKind::Text | KeyKind::Path { .. } => quoted().map(same),
        KeyKind::Name => match value.text() {
            None => quoted().map(same),
            Some(text) => {
                let legal = legal_name(text, "-_./");
                (!legal.is_empty()).then(|| ("a legal name".to_string(), Argument::Text(legal)))
            }
        },
        KeyKind::Choice(names) | KeyKind::ChoiceOrFile(names) => spelt(names),
        KeyKind::Preset(section) => {
            let names = presets::names(section);
            spelt(&names.iter().map(String::as_str).collect::<Vec<_>>())
        }
        KeyKind::Texts => match &value.kind {
            Kind::Text(text) => Some((
                "as an array of one".to_string(),
                Argument::List(vec![Argument::Text(text.clone())]),
            )),
            _ => None,
        },
        KeyKind::Triple { min, max } => {
            let number = number(value).filter(|number| (min..=max).contains(number))?;
            Some((
                "the same three times".to_string(),
                Argument::List(vec![Argument::Float(number); 3]),
            ))
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a float was meant")]
fn number(value: &Value) -> Option<f64> {
    match &value.kind {
        Kind::Int(number) => Some(*number as f64),
        Kind::Float(number) => Some(*number),
        _ => None,
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "compared with the float that it came from"
)]
fn whole(number: f64) -> Option<i64> {
    let whole = number as i64;
    (whole as f64 == number).then_some(whole)
}

fn float(value: &Value, min: f64, max: f64) -> Option<(String, Argument)> {
    if let Some(number) = number(value).filter(|number| !number.is_nan()) {
        let bound = Argument::Float(number.clamp(min, max));
        return Some(("the nearest that is allowed".to_string(), bound));
    }
    let number: f64 = value.text()?.trim().parse().ok()?;
    (min..=max).contains(&number).then(|| {
        (
            "the same in the right type".to_string(),
            Argument::Float(number),
        )
    })
}

/// `text` with `-` for what names do not have, without parts that leave a folder.
pub fn legal_name(text: &str, marks: &str) -> String {
    let legal = |character: char| character.is_ascii_alphanumeric() || marks.contains(character);
    let parts = text
        .split('/')
        .filter(|part| !["", ".", ".."].contains(part))
        .map(|part| part.replace(|character| !legal(character), "-"));
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KEYS;
    use crate::tree;

    #[test]
    fn examples_are_values_of_their_keys() {
        let mut examples = 0;
        for row in KEYS {
            let KeyDefault::Required(example) = row.default else {
                continue;
            };
            examples += 1;
            let (table, found) = tree::parse(0, &format!("x = {example}"));
            assert!(found.is_empty(), "{}", row.path);
            let value = &table.get("x").expect("it is written").value;
            let fits = match row.kind {
                KeyKind::Int { min, max } => {
                    matches!(value.kind, Kind::Int(number) if (min..=max).contains(&number))
                }
                KeyKind::Bool => matches!(value.kind, Kind::Bool(_)),
                KeyKind::Name => value.text().is_some(),
                KeyKind::Choice(names) | KeyKind::ChoiceOrFile(names) => {
                    value.text().is_some_and(|text| names.contains(&text))
                }
                _ => false,
            };
            assert!(fits, "{} = {example}", row.path);
        }
        assert!(examples >= 20, "{examples}");
    }

    #[test]
    fn names_keep_what_is_legal() {
        assert_eq!(legal_name("../my photos/a", "-_./"), "my-photos/a");
        assert_eq!(legal_name("/srv/weights", "-_./"), "srv/weights");
    }
}
