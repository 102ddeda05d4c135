//! Graph to text.

use std::fmt::Write;

use super::super::{Dim, Graph, Op, Type, Value};
use super::attributes::{self, Field};
use super::cursor::name_text;

/// Constants of at most this many elements are written as numbers.
const SHORT: usize = 16;

/// The text that [`super::parse`] reads back.
pub fn print(graph: &Graph) -> String {
    write(graph, true)
}

/// The text for people: large constants show only their hash.
pub fn display(graph: &Graph) -> String {
    write(graph, false)
}

/// A type, `f32[images*49, 128]`.
pub fn print_type(graph: &Graph, ty: &Type) -> String {
    format!("{}{}", ty.dtype, print_dims(graph, &ty.dims))
}

/// Sizes, `[images*49, 128]`.
pub fn print_dims(graph: &Graph, dims: &[Dim]) -> String {
    let dims: Vec<String> = dims.iter().map(|dim| print_dim(graph, *dim)).collect();
    format!("[{}]", dims.join(", "))
}

/// A size, `images*49`.
pub fn print_dim(graph: &Graph, dim: Dim) -> String {
    match dim {
        Dim::Fixed(n) => n.to_string(),
        Dim::Scaled { extent, scale } => {
            let name = extent_text(graph, extent.0);
            if scale == 1 {
                name
            } else {
                format!("{name}*{scale}")
            }
        }
    }
}

/// An extent's name; one that begins like a number is quoted, because sizes are numbers too.
fn extent_text(graph: &Graph, index: u32) -> String {
    let name = &graph.extents[index as usize].name;
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{name:?}")
    } else {
        name_text(name)
    }
}

fn value_text(graph: &Graph, value: Value) -> String {
    let name = name_text(&graph.node(value.node).name);
    if value.result == 0 {
        format!("%{name}")
    } else {
        format!("%{name}#{}", value.result)
    }
}

fn write(graph: &Graph, whole: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    for (index, extent) in graph.extents.iter().enumerate() {
        let name = extent_text(graph, index as u32);
        let derived = extent.derived.map_or(String::new(), |(base, offset)| {
            format!(" = {} - {offset}", extent_text(graph, base))
        });
        line(format!("extent {name} <= {}{derived}", extent.bound));
    }
    for id in graph.topological() {
        let node = graph.node(id);
        let types: Vec<String> = node.types.iter().map(|ty| print_type(graph, ty)).collect();
        let operands: Vec<String> = graph
            .operands(id)
            .iter()
            .map(|value| value_text(graph, *value))
            .collect();
        let fields = match &node.op {
            Op::Constant(values) => constant(values, whole),
            op => attributes::of(op),
        };
        let fields: Vec<String> = fields
            .iter()
            .map(|(key, field)| match field {
                Field::Flag => (*key).to_owned(),
                Field::Scalar(value) => format!("{key}={value}"),
                Field::List(values) => format!("{key}=[{}]", values.join(", ")),
                Field::Call(function, value) => format!("{key}={function}({value})"),
                Field::Quoted(value) => format!("{key}={value:?}"),
            })
            .collect();
        let fields = if fields.is_empty() {
            String::new()
        } else {
            format!(" {{{}}}", fields.join(", "))
        };
        line(format!(
            "%{}: {} = {}({}){fields}",
            name_text(&node.name),
            types.join(", "),
            node.op.name(),
            operands.join(", "),
        ));
    }
    for output in &graph.outputs {
        let value = value_text(graph, output.value);
        line(match output.replaces {
            None => format!("output {} = {value}", name_text(&output.name)),
            Some(state) => {
                let name = &graph.node(state).name;
                let renamed = if *name == output.name {
                    String::new()
                } else {
                    format!(" as {}", name_text(&output.name))
                };
                format!("update %{}{renamed} = {value}", name_text(name))
            }
        });
    }
    text
}

fn constant(values: &[f64], whole: bool) -> Vec<(&'static str, Field)> {
    // The text of a NaN loses its bits, the bytes do not.
    if values.len() <= SHORT && values.iter().all(|x| !x.is_nan()) {
        let values = values.iter().map(|x| attributes::number(*x)).collect();
        return vec![("values", Field::List(values))];
    }
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut fields = vec![("hash", Field::Scalar(attributes::hash(&bytes)))];
    if whole {
        let mut hex = String::with_capacity(bytes.len() * 2);
        for byte in &bytes {
            let _ = write!(hex, "{byte:02x}");
        }
        fields.push(("bytes", Field::Scalar(hex)));
    }
    fields
}
