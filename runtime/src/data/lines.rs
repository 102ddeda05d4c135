//! JSON lines: where each line of a file lies, and the columns of one.
//!
//! Files are walked once at start for an index in memory; lines are then read in place at random.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::Value;

use crate::data::DataError;
use crate::data::files::Files;
use crate::data::rows::{At, Row, Wanted};

/// Longest line that is read, bytes.
const MAX_LINE: u64 = 16 << 20;

/// A line that is not blank.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) file: u32,
    /// Counted from 1, blank lines included.
    pub(crate) number: u32,
    offset: u64,
    length: u32,
}

/// Appends the lines of file `at`; those that are too long are lost.
pub(crate) fn index(files: &mut Files, at: usize, lines: &mut Vec<Line>) -> Result<(), DataError> {
    let path = files.paths[at].clone();
    let io = |e| DataError::io(&path, e);
    let mut file = File::open(&path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        let path = path.display();
        return Err(DataError::Source(format!("{path}: not a regular file")));
    }
    let mut close = |files: &mut Files, begin: u64, end: u64, number: u64, blank: bool| {
        let length = end - begin;
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        match (blank, u32::try_from(length)) {
            (true, _) => {}
            (false, Ok(length)) if u64::from(length) <= MAX_LINE => lines.push(Line {
                file: at as u32,
                number,
                offset: begin,
                length,
            }),
            (false, _) => {
                files.lost += 1;
                let place = files.place(at, number);
                files.fault(
                    place,
                    format!("a line of {length} bytes, more than {MAX_LINE}"),
                );
            }
        }
    };
    let mut buffer = vec![0; 1 << 20];
    let (mut offset, mut begin, mut number, mut blank) = (0u64, 0u64, 1u64, true);
    loop {
        let read = file.read(&mut buffer).map_err(io)?;
        for &byte in &buffer[..read] {
            if byte == b'\n' {
                close(files, begin, offset, number, blank);
                (begin, number, blank) = (offset + 1, number + 1, true);
            } else {
                blank &= byte.is_ascii_whitespace();
            }
            offset += 1;
        }
        if read == 0 {
            close(files, begin, offset, number, blank);
            return Ok(());
        }
    }
}

fn value(path: &Path, line: Line) -> Result<Value, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut bytes = vec![0; line.length as usize];
    file.read_exact_at(&mut bytes, line.offset)
        .map_err(|e| e.to_string())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| format!("no JSON: {e}"))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err("a line is no JSON object".to_owned()),
    }
}

/// The entries of a column, each with its name; none where it is not asked for.
fn column<'a>(
    row: &'a Value,
    name: Option<&'a str>,
    must: bool,
) -> Result<Vec<(&'a str, &'a Value)>, String> {
    let Some(name) = name else {
        return Ok(Vec::new());
    };
    match row.get(name) {
        None if must => Err(format!("no `{name}`")),
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.iter().map(|item| (name, item)).collect()),
        Some(one) => Ok(vec![(name, one)]),
    }
}

/// The wanted columns of a line.
pub(crate) fn read(path: &Path, line: Line, wanted: &Wanted<'_>) -> Result<Row, String> {
    let value = value(path, line)?;
    let texts = |name, must| {
        let items = column(&value, name, must)?.into_iter();
        items
            .map(|(name, item)| match item {
                Value::Null => Ok(None),
                Value::String(text) => Ok(Some(text.clone())),
                _ => Err(format!("`{name}` holds something that is no text")),
            })
            .collect::<Result<Vec<_>, String>>()
    };
    let pictures = column(&value, wanted.image, false)?.into_iter();
    let pictures = pictures.map(|(name, item)| match item {
        Value::Null => Ok(None),
        Value::String(path) => Ok(Some(At::Path(path.clone()))),
        other => match other.get("path").and_then(Value::as_str) {
            Some(path) => Ok(Some(At::Path(path.to_owned()))),
            None => Err(format!("`{name}` holds something that is no path")),
        },
    });
    Ok(Row {
        pictures: pictures.collect::<Result<_, String>>()?,
        prompts: texts(wanted.prompt, false)?,
        texts: texts(Some(wanted.text), true)?,
    })
}

/// The `label` of a line.
pub(crate) fn label(path: &Path, line: Line) -> Option<String> {
    let value = value(path, line).ok()?;
    Some(value.get("label")?.as_str()?.to_owned())
}
