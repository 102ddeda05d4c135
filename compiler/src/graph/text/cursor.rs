//! Reads one line of graph text, piece by piece.

use super::parser::ParseError;

/// A place in a line.
pub(super) struct Cursor<'a> {
    line: usize,
    text: &'a str,
    /// Bytes read.
    at: usize,
}

/// Characters of a bare name outside brackets.
fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.'+-/".contains(c)
}

/// Length in bytes of the bare name that `text` begins with.
fn bare_length(text: &str) -> usize {
    let mut closing = Vec::new();
    let mut end = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => closing.push(')'),
            '[' => closing.push(']'),
            ')' | ']' => {
                if closing.pop() != Some(c) {
                    return end;
                }
            }
            c if plain(c) => {}
            '#' | ',' | ':' | '*' if !closing.is_empty() => {}
            _ => return end,
        }
        if closing.is_empty() {
            end = at + c.len_utf8();
        }
    }
    end
}

/// A name as it stands in text: bare if that reads back, else quoted.
pub(super) fn name_text(name: &str) -> String {
    let bare = bare_length(name) == name.len()
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if bare {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: usize, text: &'a str) -> Self {
        Self { line, text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// An error at this place.
    pub(super) fn error(&self, message: impl Into<String>) -> ParseError {
        self.error_at(self.at, message)
    }

    /// An error at a place returned by [`Cursor::place`].
    pub(super) fn error_at(&self, at: usize, message: impl Into<String>) -> ParseError {
        ParseError {
            line: self.line,
            column: self.text[..at].chars().count() + 1,
            message: message.into(),
        }
    }

    /// Where the next piece begins.
    pub(super) fn place(&mut self) -> usize {
        self.space();
        self.at
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.space();
        self.rest().is_empty()
    }

    pub(super) fn digit_next(&mut self) -> bool {
        self.space();
        self.rest().starts_with(|c: char| c.is_ascii_digit())
    }

    pub(super) fn quote_next(&mut self) -> bool {
        self.space();
        self.rest().starts_with('"')
    }

    /// Reads `symbol` if it comes next.
    pub(super) fn eat(&mut self, symbol: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Result<(), ParseError> {
        if self.eat(symbol) {
            Ok(())
        } else {
            Err(self.error(format!("`{symbol}` expected")))
        }
    }

    fn take(&mut self, length: usize, what: &str) -> Result<&'a str, ParseError> {
        if length == 0 {
            return Err(self.error(format!("{what} expected")));
        }
        let piece = &self.rest()[..length];
        self.at += length;
        Ok(piece)
    }

    /// A keyword: letters, digits, `_`.
    pub(super) fn word(&mut self, what: &str) -> Result<&'a str, ParseError> {
        self.space();
        let rest = self.rest();
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        self.take(length, what)
    }

    /// A number's characters, or a word.
    pub(super) fn scalar(&mut self) -> Result<&'a str, ParseError> {
        self.space();
        let rest = self.rest();
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"_.+-".contains(c))
            .unwrap_or(rest.len());
        self.take(length, "a value")
    }

    /// A whole number.
    pub(super) fn number(&mut self) -> Result<u64, ParseError> {
        let place = self.place();
        let word = self.word("a number")?;
        word.parse()
            .map_err(|_| self.error_at(place, format!("`{word}` is not a whole number")))
    }

    /// A bare or quoted name.
    pub(super) fn name(&mut self) -> Result<String, ParseError> {
        self.space();
        if self.rest().starts_with('"') {
            self.quoted()
        } else {
            let length = bare_length(self.rest());
            self.take(length, "a name").map(str::to_owned)
        }
    }

    /// A string as Rust's `{:?}` writes it.
    pub(super) fn quoted(&mut self) -> Result<String, ParseError> {
        self.expect("\"")?;
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(text);
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    Some('0') => text.push('\0'),
                    Some(c @ ('\\' | '"' | '\'')) => text.push(c),
                    Some('u') => {
                        let code: String = chars
                            .by_ref()
                            .map(|(_, c)| c)
                            .skip_while(|c| *c == '{')
                            .take_while(|c| *c != '}')
                            .collect();
                        let c = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                        text.push(c.ok_or_else(|| {
                            self.error_at(self.at + at, format!("`{code}` is no character"))
                        })?);
                    }
                    _ => return Err(self.error_at(self.at + at, "an unknown escape")),
                },
                c => text.push(c),
            }
        }
        Err(self.error("the string does not end"))
    }
}
