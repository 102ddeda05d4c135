//! Components: graph files that describe a part of a model (a connector, a block, an encoder).
//!
//! A component is instantiated with arguments; the result is a flat list of nodes whose
//! attributes are plain values. Only symbolic leading sizes (`images`, `tokens`) remain for
//! the compiler, whose expander turns each node into graph operations.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::span::Span;

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
    /// Attributes, evaluated.
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
    /// Outputs: name to node path.
    pub outputs: IndexMap<String, String>,
}

/// One declared dimension.
#[derive(Clone, Debug, PartialEq)]
pub enum Size {
    /// Known when instantiated.
    Known(u64),
    /// `images`, `tokens`, `sequences`: known at run time.
    Symbol(String),
}

/// All component files known to a model, parsed but not instantiated.
#[derive(Clone, Debug, Default)]
pub struct Library {
    // Filled in by the component parser.
}
