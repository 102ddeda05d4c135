//! Checks of attribute values against the op table.

use super::Argument;
use super::ops::{AttributeType, SYMBOLS};
use crate::nearest::quoted_list;

/// Largest integer in an attribute.
const LARGEST: i64 = 1 << 40;

/// The value in the type's own form, or what the type wants.
///
/// # Errors
/// A phrase such as "an integer of at least 1".
pub fn check(kind: AttributeType, value: &Argument) -> Result<Argument, String> {
    let integer = |least: i64| match value {
        Argument::Int(number) if (least..=LARGEST).contains(number) => Ok(value.clone()),
        _ => Err(format!("an integer from {least} to 2^40")),
    };
    match kind {
        AttributeType::Positive => integer(1),
        AttributeType::Count => integer(0),
        AttributeType::Odd => match value {
            Argument::Int(number) if *number >= 1 && number % 2 == 1 && *number <= LARGEST => {
                Ok(value.clone())
            }
            _ => Err("an odd integer of at least 1".to_string()),
        },
        AttributeType::Float => match value {
            Argument::Float(number) if number.is_finite() => Ok(value.clone()),
            #[allow(clippy::cast_precision_loss, reason = "a float was meant")]
            Argument::Int(number) => Ok(Argument::Float(*number as f64)),
            _ => Err("a finite float".to_string()),
        },
        AttributeType::Bool => match value {
            Argument::Bool(_) => Ok(value.clone()),
            _ => Err("a boolean".to_string()),
        },
        AttributeType::Name(names) => match value {
            Argument::Text(text) if names.contains(&text.as_str()) => Ok(value.clone()),
            _ => Err(format!("one of {}", quoted_list(names.iter().copied()))),
        },
        AttributeType::Shape => match value {
            Argument::List(items) if !items.is_empty() && items.iter().all(is_size) => {
                Ok(value.clone())
            }
            _ => Err(format!(
                "a list of sizes from 1 to 2^40, or {}",
                quoted_list(SYMBOLS.iter().copied())
            )),
        },
        AttributeType::Grid => match value {
            Argument::List(items) if items.len() == 2 && items.iter().all(is_known_size) => {
                Ok(value.clone())
            }
            _ => Err("a list of two integers of at least 1".to_string()),
        },
        AttributeType::Permutation => match value {
            Argument::List(items) if is_permutation(items) => Ok(value.clone()),
            _ => Err("a permutation of the axes".to_string()),
        },
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
