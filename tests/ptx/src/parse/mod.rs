//! From PTX text to its syntax.

mod body;
mod lexer;
mod parser;
pub(crate) mod syntax;

pub(crate) use parser::parse;

use std::fmt;

/// Text that is not PTX, or PTX that the emulator does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Line of the text; the first is 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

impl ParseError {
    pub(crate) fn new(line: u32, message: impl Into<String>) -> ParseError {
        ParseError {
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PTX line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}
