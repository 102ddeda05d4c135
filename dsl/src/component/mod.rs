//! Components: graph files that describe a part of a model (a connector, a block, an encoder).
//!
//! A component is instantiated with arguments; the result is a flat list of nodes whose
//! attributes are plain values. Only symbolic leading sizes (`images`, `sequences`, `length`)
//! remain for the compiler, whose expander turns each node into graph operations. The
//! language is described in `docs/components.md`.

mod attribute;
mod expression;
mod file;
mod instantiate;
pub(crate) mod library;
mod ops;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::span::Span;

pub use expression::{Expression, Fault, Function, Operator};
pub use file::ComponentFile;
pub use instantiate::{DEEPEST_CALLS, MOST_NODES};
pub use library::Library;
pub use ops::{
    ANY_SIZES, Attribute, AttributeType, IDENTITY, OPS, OpRule, SYMBOLS, op_names, op_rule,
};

/// A value that a component receives or a node carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Argument {
    /// `true` / `false`.
    Bool(bool),
    /// An integer, also the value of an `"=…"` expression.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Text(String),
    /// An array of the above.
    List(Vec<Argument>),
}

impl std::fmt::Display for Argument {
    /// TOML notation.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Int(value) => write!(formatter, "{value}"),
            Self::Float(value) => formatter.write_str(&float_text(*value)),
            Self::Text(text) => formatter.write_str(&quote(text)),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(formatter, "[{}]", items.join(", "))
            }
        }
    }
}

/// A float as TOML: the shortest text that reads back to the same bits, always with a point or exponent.
fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_string();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_string();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e15).contains(&magnitude) {
        return format!("{value:e}");
    }
    let text = format!("{value}");
    if text.contains('.') {
        text
    } else {
        format!("{text}.0")
    }
}

/// A TOML basic string.
fn quote(text: &str) -> String {
    let mut result = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => result.push_str("\\\""),
            '\\' => result.push_str("\\\\"),
            '\n' => result.push_str("\\n"),
            '\t' => result.push_str("\\t"),
            '\r' => result.push_str("\\r"),
            control if control.is_control() => {
                result.push_str(&format!("\\u{:04X}", u32::from(control)));
            }
            other => result.push(other),
        }
    }
    result.push('"');
    result
}

/// One primitive node of an instantiated component.
#[derive(Clone, Debug, PartialEq)]
pub struct FlatNode {
    /// Call path and node name: `decoder.blocks.3.mlp.gate`.
    pub path: String,
    /// Op name as the component language spells it: `linear`, `layer-norm`, `add` …
    pub op: String,
    /// Operands: each the full path of an earlier node (`PATH` or `PATH#RESULT` for further
    /// results), or the name of an input of the instance.
    pub inputs: Vec<String>,
    /// Attributes, evaluated and checked against the op table: integers, floats, booleans and
    /// names have the type that the table gives; a shape is a list of integers and run-time sizes.
    pub attributes: IndexMap<String, Argument>,
    /// The `[[node]]` table, for messages.
    pub span: Span,
}

/// An instantiated component.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Inputs in declared order: name and dimensions, each a number or a symbolic size.
    pub inputs: Vec<(String, Vec<Size>)>,
    /// Nodes in an order where operands come first.
    pub nodes: Vec<FlatNode>,
    /// Outputs: name to node path, or to the name of an input that is passed through.
    pub outputs: IndexMap<String, String>,
}

/// One declared dimension.
#[derive(Clone, Debug, PartialEq)]
pub enum Size {
    /// Known when instantiated.
    Known(u64),
    /// `images`, `sequences`, `length`: known at run time; or `..`, any number of leading sizes.
    Symbol(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_print_as_toml() {
        let list = Argument::List(vec![
            Argument::Float(1.0),
            Argument::Float(1e-5),
            Argument::Text("a \"b\"\n".to_string()),
        ]);
        assert_eq!(list.to_string(), r#"[1.0, 1e-5, "a \"b\"\n"]"#);
        for value in [0.1, 3e-4, 1e300, -2.5e-9, 0.0, 123456789.0] {
            let text = Argument::Float(value).to_string();
            assert_eq!(text.parse::<f64>().expect("reads back"), value, "{text}");
        }
    }
}
