//! Text to graph.

use std::collections::HashMap;
use std::fmt;

use super::super::{DType, Dim, Extent, ExtentId, Graph, NodeId, Op, Output, Type, Value};
use super::attributes::{Field, Given};
use super::cursor::Cursor;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// In words.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Reads a graph.
///
/// # Errors
/// The first place that is not of the form that the module describes. Types are taken as they
/// are written.
pub fn parse(text: &str) -> Result<Graph, ParseError> {
    let mut parser = Parser::default();
    for (index, line) in text.lines().enumerate() {
        let mut cursor = Cursor::new(index + 1, line);
        if !cursor.at_end() && !cursor.eat("//") {
            parser.line(&mut cursor)?;
            if !cursor.at_end() {
                return Err(cursor.error("the line should end here"));
            }
        }
    }
    Ok(parser.graph)
}

#[derive(Default)]
struct Parser {
    graph: Graph,
    nodes: HashMap<String, NodeId>,
    extents: HashMap<String, u32>,
}

impl Parser {
    fn line(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
        if cursor.eat("%") {
            return self.node(cursor);
        }
        let place = cursor.place();
        match cursor.word("`extent`, `output`, `update` or `%NAME`")? {
            "extent" => self.extent(cursor),
            "output" => {
                let name = cursor.name()?;
                cursor.expect("=")?;
                let value = self.value(cursor)?;
                self.graph.output(name, value);
                Ok(())
            }
            "update" => {
                let place = cursor.place();
                let state = self.value(cursor)?;
                if !matches!(self.graph.op(state.node), Op::Input(_)) || state.result != 0 {
                    return Err(cursor.error_at(place, "only an input can be updated"));
                }
                let name = if cursor.eat("as ") {
                    cursor.name()?
                } else {
                    self.graph.node(state.node).name.clone()
                };
                cursor.expect("=")?;
                let value = self.value(cursor)?;
                self.graph.outputs.push(Output {
                    name,
                    value,
                    replaces: Some(state.node),
                });
                Ok(())
            }
            word => Err(cursor.error_at(
                place,
                format!("`extent`, `output`, `update` or `%NAME` expected, not `{word}`"),
            )),
        }
    }

    /// `NAME <= BOUND [= BASE - OFFSET]`
    fn extent(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
        let place = cursor.place();
        let name = cursor.name()?;
        if self.extents.contains_key(&name) {
            return Err(cursor.error_at(place, format!("run-time size `{name}` stands twice")));
        }
        cursor.expect("<=")?;
        let bound = cursor.number()?;
        let derived = if cursor.eat("=") {
            let base = self.extent_named(cursor)?;
            cursor.expect("-")?;
            Some((base, cursor.number()?))
        } else {
            None
        };
        let index = self.graph.extents.len() as u32;
        self.extents.insert(name.clone(), index);
        self.graph.extents.push(Extent {
            name,
            bound,
            derived,
        });
        Ok(())
    }

    fn extent_named(&self, cursor: &mut Cursor<'_>) -> Result<u32, ParseError> {
        let place = cursor.place();
        let name = cursor.name()?;
        self.extents
            .get(&name)
            .copied()
            .ok_or_else(|| cursor.error_at(place, format!("no run-time size is called `{name}`")))
    }

    /// `NAME[#RESULT]` after the percent sign.
    fn value(&self, cursor: &mut Cursor<'_>) -> Result<Value, ParseError> {
        let place = cursor.place();
        cursor.expect("%")?;
        let name = cursor.name()?;
        let Some(node) = self.nodes.get(&name).copied() else {
            return Err(cursor.error_at(place, format!("`%{name}` does not stand above")));
        };
        let result = if cursor.eat("#") { cursor.number()? } else { 0 };
        let results = self.graph.node(node).types.len();
        if result >= results as u64 {
            return Err(cursor.error_at(place, format!("`%{name}` has {results} results")));
        }
        Ok(Value {
            node,
            result: result as u32,
        })
    }

    fn node(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
        let place = cursor.place();
        let name = cursor.name()?;
        if self.nodes.contains_key(&name) {
            return Err(cursor.error_at(place, format!("`%{name}` stands twice")));
        }
        cursor.expect(":")?;
        let mut types = vec![self.ty(cursor)?];
        while cursor.eat(",") {
            types.push(self.ty(cursor)?);
        }
        cursor.expect("=")?;
        let op_place = cursor.place();
        let op_name = cursor.word("an operation")?;
        cursor.expect("(")?;
        let mut operands = Vec::new();
        if !cursor.eat(")") {
            loop {
                operands.push(self.value(cursor)?);
                if cursor.eat(")") {
                    break;
                }
                cursor.expect(",")?;
            }
        }
        let op = attributes(cursor)?
            .op(op_name)
            .map_err(|message| cursor.error_at(op_place, message))?;
        let node = self.graph.add_typed(name.clone(), op, types, &operands);
        self.nodes.insert(name, node);
        Ok(())
    }

    /// `f32[images*49, 128]`
    fn ty(&self, cursor: &mut Cursor<'_>) -> Result<Type, ParseError> {
        let place = cursor.place();
        let word = cursor.word("an element type")?;
        let dtype = DType::from_name(word)
            .ok_or_else(|| cursor.error_at(place, format!("`{word}` is no element type")))?;
        cursor.expect("[")?;
        let mut dims = Vec::new();
        if !cursor.eat("]") {
            loop {
                dims.push(self.dim(cursor)?);
                if cursor.eat("]") {
                    break;
                }
                cursor.expect(",")?;
            }
        }
        Ok(Type::new(dtype, dims))
    }

    fn dim(&self, cursor: &mut Cursor<'_>) -> Result<Dim, ParseError> {
        if cursor.digit_next() {
            return cursor.number().map(Dim::Fixed);
        }
        let extent = ExtentId(self.extent_named(cursor)?);
        let scale = if cursor.eat("*") { cursor.number()? } else { 1 };
        Ok(Dim::Scaled { extent, scale })
    }
}

/// `{key=value, flag}`, or nothing.
fn attributes(cursor: &mut Cursor<'_>) -> Result<Given, ParseError> {
    let mut given = Given::default();
    if !cursor.eat("{") || cursor.eat("}") {
        return Ok(given);
    }
    loop {
        let place = cursor.place();
        let key = cursor.word("an attribute")?;
        let field = if cursor.eat("=") {
            field(cursor)?
        } else {
            Field::Flag
        };
        if !given.insert(key, field) {
            return Err(cursor.error_at(place, format!("`{key}` stands twice")));
        }
        if cursor.eat("}") {
            return Ok(given);
        }
        cursor.expect(",")?;
    }
}

fn field(cursor: &mut Cursor<'_>) -> Result<Field, ParseError> {
    if cursor.eat("[") {
        let mut values = Vec::new();
        if !cursor.eat("]") {
            loop {
                values.push(cursor.scalar()?.to_owned());
                if cursor.eat("]") {
                    break;
                }
                cursor.expect(",")?;
            }
        }
        return Ok(Field::List(values));
    }
    if cursor.quote_next() {
        return cursor.quoted().map(Field::Quoted);
    }
    let word = cursor.scalar()?.to_owned();
    if cursor.eat("(") {
        let value = cursor.scalar()?.to_owned();
        cursor.expect(")")?;
        return Ok(Field::Call(word, value));
    }
    Ok(Field::Scalar(word))
}
