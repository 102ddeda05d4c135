//! Splits PTX text into tokens: words keep their dots and `::`, so an opcode with its modifiers is one word.

use super::ParseError;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Opcode, directive, register or symbol.
    Word(String),
    /// Text of a number: `12`, `0x1F`, `0f3F800000`, `8.7`.
    Number(String),
    /// A quoted string without its quotes.
    Text(String),
    /// One character of punctuation.
    Mark(char),
    /// A register that LLVM says holds nothing on purpose (`// implicit-def: %r1`).
    Undefined(String),
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub kind: Kind,
    /// First line is 1.
    pub line: u32,
    /// Byte offsets in the text.
    pub start: usize,
    pub end: usize,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'%' | b'.')
}

/// All tokens of `text`.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1u32);
    while at < bytes.len() {
        let start = at;
        let byte = bytes[at];
        let kind = match byte {
            b'\n' => {
                line += 1;
                at += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' => {
                at += 1;
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                let end = text[at..].find('\n').map_or(bytes.len(), |n| at + n);
                let comment = text[at + 2..end].trim();
                at = end;
                match comment.strip_prefix("implicit-def: ") {
                    Some(register) => Kind::Undefined(register.trim().to_string()),
                    None => continue,
                }
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let Some(length) = text[at + 2..].find("*/") else {
                    return Err(ParseError::new(line, "comment without `*/`"));
                };
                let end = at + 2 + length + 2;
                line += text[at..end].matches('\n').count() as u32;
                at = end;
                continue;
            }
            b'"' => {
                let Some(length) = text[at + 1..].find('"') else {
                    return Err(ParseError::new(line, "string without its end"));
                };
                at += length + 2;
                Kind::Text(text[start + 1..at - 1].to_string())
            }
            b'0'..=b'9' => {
                while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'.') {
                    at += 1;
                }
                Kind::Number(text[start..at].to_string())
            }
            _ if is_word(byte) => {
                while at < bytes.len() {
                    if is_word(bytes[at]) {
                        at += 1;
                    } else if bytes[at] == b':' && bytes.get(at + 1) == Some(&b':') {
                        at += 2;
                    } else {
                        break;
                    }
                }
                Kind::Word(text[start..at].to_string())
            }
            _ if byte.is_ascii_punctuation() => {
                at += 1;
                Kind::Mark(byte as char)
            }
            _ => {
                return Err(ParseError::new(
                    line,
                    format!("unknown character `{}`", byte as char),
                ));
            }
        };
        tokens.push(Token {
            kind,
            line,
            start,
            end: at,
        });
    }
    Ok(tokens)
}
