//! Checks of attribute values against the op table.

use super::Argument;
use super::ops::{AttributeType, SYMBOLS};

/// Largest integer in an attribute.
const LARGEST: i64 = 1 << 40;

/// The value in the type's own form, or what the type wants.
///
/// # Errors
/// A phrase such as "an integer of at least 1".
pub fn check(kind: AttributeType, value: &Argument) -> Result<Argument, String> {
    let integer = |least: i64| match value {
        Argument::Int(number) => (least..=LARGEST).contains(number),
        _ => false,
    };
    let fits = match kind {
        AttributeType::Positive => integer(1),
        AttributeType::Count => integer(0),
        AttributeType::Odd => {
            integer(1) && matches!(value, Argument::Int(number) if number % 2 == 1)
        }
        AttributeType::Float => match value {
            #[allow(clippy::cast_precision_loss, reason = "a float was meant")]
            Argument::Int(number) => return Ok(Argument::Float(*number as f64)),
            Argument::Float(number) => number.is_finite(),
            _ => false,
        },
        AttributeType::Bool => matches!(value, Argument::Bool(_)),
        AttributeType::Name(names) => {
            matches!(value, Argument::Text(text) if names.contains(&text.as_str()))
        }
        AttributeType::Shape => match value {
            Argument::List(items) => !items.is_empty() && items.iter().all(is_size),
            _ => false,
        },
        AttributeType::Grid => match value {
            Argument::List(items) => items.len() == 2 && items.iter().all(is_known_size),
            _ => false,
        },
        AttributeType::Permutation => match value {
            Argument::List(items) => is_permutation(items),
            _ => false,
        },
    };
    match fits {
        true => Ok(value.clone()),
        false => Err(kind.words()),
    }
}

fn is_known_size(item: &Argument) -> bool {
    matches!(item, Argument::Int(number) if (1..=LARGEST).contains(number))
}

fn is_size(item: &Argument) -> bool {
    match item {
        Argument::Text(text) => SYMBOLS.contains(&text.as_str()),
        other => is_known_size(other),
    }
}

fn is_permutation(items: &[Argument]) -> bool {
    let mut axes: Vec<i64> = items
        .iter()
        .filter_map(|item| match item {
            Argument::Int(axis) => Some(*axis),
            _ => None,
        })
        .collect();
    axes.sort_unstable();
    !items.is_empty()
        && axes.len() == items.len()
        && axes
            .iter()
            .zip(0..)
            .all(|(axis, expected)| *axis == expected)
}
