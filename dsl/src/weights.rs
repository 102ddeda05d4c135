//! Name maps: which tensors of a foreign weights file make which parameters of a model.
//!
//! A map is a TOML file (`models/weights/*.toml`, or a path). `part` says whose keys its expressions
//! read; `prefixes` what all names of a file may begin with; `ignore` which of its tensors no model
//! wants. Each `[[tensor]]` names one parameter (`ours`) and what holds it (`theirs`): one tensor, or
//! several that are joined along the first axis, with `rows` of each. `repeat` makes a rule for every
//! `{i}`. `stack` says how often `theirs` is repeated, for every `{e}`, along a first axis that only the
//! parameter has: its experts. `transposed` tensors are stored with their axes exchanged, `shape` says
//! how they are stored where that differs from the parameter, and `before` marks a position table by
//! its rows before the grid's, which may have another grid in the file.

use crate::codes;
use crate::component::{Argument, Expression, Fault};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::model::Model;
use crate::nearest::{did_you_mean, nearest, quoted_list};
use crate::source::Sources;
use crate::span::Span;
use crate::tree::{self, Entry, Kind, Table, Value};

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../models/weights/", $name, ".toml")))),*]
    };
}

/// Name and text of every map in the binary.
pub const EMBEDDED: &[(&str, &str)] = embedded![
    "aim",
    "clip",
    "dinov2",
    "gemma2",
    "gpt2",
    "llama",
    "mixtral",
    "open-clip",
    "qwen",
    "siglip",
];

/// Largest number of foreign tensors that one map names.
const MOST_NAMES: u64 = 200_000;

/// A map for one model: its expressions evaluated, its rules repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightMap {
    /// Part of the model that it fills: `encoder` or `decoder`.
    pub part: String,
    /// What all names of a file may begin with.
    pub prefixes: Vec<String>,
    /// Patterns of names, less the prefix, that no model wants; `*` stands for any text.
    pub ignore: Vec<String>,
    /// One per parameter.
    pub rules: Vec<Rule>,
}

/// What holds one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The parameter.
    pub ours: String,
    /// Tensors joined along the first axis: names less the prefix, and rows of each; `None` for all.
    pub theirs: Vec<(String, Option<u64>)>,
    /// They lack the first axis of the parameter, along which they are stacked.
    pub stacked: bool,
    /// Stored with the two axes exchanged.
    pub transposed: bool,
    /// How it is stored, where that differs from the parameter.
    pub shape: Option<Vec<u64>>,
    /// Rows before those of a grid, in a position table.
    pub before: Option<u64>,
}

impl Rule {
    /// The rule by which a parameter is held under its own name.
    #[must_use]
    pub fn own(&self) -> Self {
        Self {
            ours: self.ours.clone(),
            theirs: vec![(self.ours.clone(), None)],
            stacked: false,
            transposed: false,
            shape: None,
            before: None,
        }
    }
}

/// The map called `name` in the binary, for `model`.
///
/// # Errors
/// An unknown name, or what [`read`] says.
pub fn embedded(name: &str, model: &Model) -> Result<WeightMap, Diagnostics> {
    match EMBEDDED.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => read(&format!("models/weights/{name}.toml"), text, model),
        None => {
            let names = || EMBEDDED.iter().map(|(name, _)| *name);
            let mut sources = Sources::default();
            let source = sources.add("--map", name);
            let span = Span::new(source, 0..name.len());
            let near = nearest(name, names());
            let diagnostic =
                Diagnostic::error(codes::UNKNOWN_MAP, format!("there is no name map `{name}`"))
                    .at(span, "")
                    .note(format!("maps: {}", quoted_list(names())));
            let diagnostic = match (did_you_mean(&near), near.first()) {
                (Some(meant), Some(first)) => diagnostic.patch(meant, span, *first),
                _ => diagnostic.help("a map of your own is a path that ends in `.toml`".to_owned()),
            };
            Err(Diagnostics {
                list: vec![diagnostic],
                sources,
            })
        }
    }
}

/// Reads the map of `text`, whose place messages call `display`.
///
/// # Errors
/// Everything wrong with it, at its lines.
pub fn read(display: &str, text: &str, model: &Model) -> Result<WeightMap, Diagnostics> {
    let mut sources = Sources::default();
    let source = sources.add(display, text);
    let (table, diagnostics) = tree::parse(source, text);
    let mut reader = Reader {
        model,
        start: Span::new(source, 0..0),
        part: String::new(),
        names: 0,
        diagnostics,
    };
    let map = reader.map(&table);
    if reader.diagnostics.is_empty() {
        return Ok(map);
    }
    Err(Diagnostics {
        list: reader.diagnostics,
        sources,
    }
    .sorted())
}

struct Reader<'m> {
    model: &'m Model,
    start: Span,
    part: String,
    /// Foreign tensors that the rules so far name.
    names: u64,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn bad(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(
            Diagnostic::error(codes::BAD_MAP, message)
                .at(span, "")
                .help(help.into()),
        );
    }

    fn keys(&mut self, table: &Table, known: &[&str], what: &str) {
        for (key, entry) in &table.entries {
            if !known.contains(&key.as_str()) {
                let near = nearest(key, known.iter().copied());
                let found = Diagnostic::error(codes::BAD_MAP, format!("{what} has no key `{key}`"))
                    .at(entry.key, "")
                    .note(format!("keys: {}", quoted_list(known.iter().copied())));
                self.diagnostics
                    .push(match (did_you_mean(&near), &near[..]) {
                        (Some(meant), [one]) => found.patch(meant, entry.key, *one),
                        (meant, _) => {
                            found.help(meant.unwrap_or_else(|| "take it out".to_string()))
                        }
                    });
            }
        }
    }

    fn map(&mut self, table: &Table) -> WeightMap {
        const TENSORS: &str = "a rule is a table of its own under the line `[[tensor]]`";
        let keys = ["part", "prefixes", "ignore", "tensor"];
        self.keys(table, &keys, "a name map");
        let parts = "`part = \"encoder\"` or `part = \"decoder\"`: expressions read its keys";
        match table.get("part") {
            Some(entry) => match entry.value.text() {
                Some(part @ ("encoder" | "decoder")) => self.part = part.to_string(),
                Some(part) => {
                    let message = format!("a map fills an encoder or a decoder, not `{part}`");
                    self.bad(entry.value.span, message, parts);
                }
                None => {
                    let message = format!("`part` is a string, not {}", entry.value.type_name());
                    self.bad(entry.value.span, message, parts);
                }
            },
            None => self.bad(self.start, "the map does not say what it fills", parts),
        }
        let prefixes = self.texts(table.get("prefixes"));
        let mut map = WeightMap {
            part: self.part.clone(),
            prefixes: if prefixes.is_empty() {
                vec![String::new()]
            } else {
                prefixes
            },
            ignore: self.texts(table.get("ignore")),
            rules: Vec::new(),
        };
        match table.get("tensor").map(|entry| &entry.value) {
            Some(Value {
                kind: Kind::Array(items),
                ..
            }) => {
                for item in items {
                    match item.table() {
                        Some(table) => self.rules(table, item.span, &mut map.rules),
                        None => self.bad(item.span, "`tensor` is a list of tables", TENSORS),
                    }
                }
            }
            Some(value) => self.bad(value.span, "`tensor` is a list of tables", TENSORS),
            None => self.bad(self.start, "the map has no `[[tensor]]`", TENSORS),
        }
        map
    }

    /// A string or an array of them; nothing where there is no entry.
    fn texts(&mut self, entry: Option<&Entry>) -> Vec<String> {
        let Some(entry) = entry else {
            return Vec::new();
        };
        let items = match &entry.value.kind {
            Kind::Array(items) => items.iter().collect(),
            _ => vec![&entry.value],
        };
        let texts: Option<Vec<String>> = items
            .into_iter()
            .map(|item| item.text().map(str::to_string))
            .collect();
        texts.unwrap_or_else(|| {
            let message = "a string or a list of strings is wanted here";
            self.bad(
                entry.value.span,
                message,
                "names stand in quotes: `\"model.\"`",
            );
            Vec::new()
        })
    }

    fn rules(&mut self, table: &Table, span: Span, rules: &mut Vec<Rule>) {
        const KEYS: [&str; 8] = [
            "ours",
            "theirs",
            "rows",
            "repeat",
            "stack",
            "transposed",
            "shape",
            "before",
        ];
        let before = self.diagnostics.len();
        self.keys(table, &KEYS, "a tensor");
        let ours = self.texts(table.get("ours"));
        let theirs = self.texts(table.get("theirs"));
        let ([ours], [_, ..]) = (&ours[..], &theirs[..]) else {
            // A misspelt key has its own finding.
            if self.diagnostics.len() > before {
                return;
            }
            let (place, help) = match table.get("ours") {
                Some(entry) if ours.len() > 1 => {
                    (entry.value.span, "write a `[[tensor]]` for each parameter")
                }
                _ => (
                    span,
                    "`ours` is a parameter of the model, `theirs` what the file has for it",
                ),
            };
            return self.bad(
                place,
                "a tensor has one `ours` and at least one `theirs`",
                help,
            );
        };
        let rows = self.numbers(table.get("rows"));
        let names = theirs.len();
        let (counted, at) = match table.get("rows").map(|entry| &entry.value) {
            Some(value) => match &value.kind {
                Kind::Array(items) => (items.len(), value.span),
                // Has its own finding.
                _ => (names, value.span),
            },
            None => (1, table.get("theirs").map_or(span, |it| it.value.span)),
        };
        if counted != names {
            let message = match table.get("rows") {
                Some(_) => format!("{counted} `rows`, but {names} `theirs`"),
                None => format!("{names} `theirs` without `rows`"),
            };
            let help = "`rows` lists how many rows each of `theirs` has: `[\"=width\", 64]`";
            self.bad(at, message, help);
        }
        let transposed = match table.get("transposed").map(|entry| &entry.value) {
            None => false,
            Some(Value {
                kind: Kind::Bool(flag),
                ..
            }) => *flag,
            Some(value) => {
                let message = format!("`transposed` is a boolean, not {}", value.type_name());
                self.bad(value.span, message, "`transposed = true`, or no such line");
                false
            }
        };
        let shape = self.numbers(table.get("shape"));
        let count = table
            .get("repeat")
            .and_then(|entry| self.number(&entry.value));
        let stack = table
            .get("stack")
            .and_then(|entry| self.number(&entry.value));
        let table_rows = table
            .get("before")
            .and_then(|entry| self.number(&entry.value));
        if let (Some(0), Some(entry)) = (stack, table.get("stack")) {
            let help = "`stack` is the number of experts, such as `\"=experts\"`";
            self.bad(entry.value.span, "`stack` is 0, but at least 1", help);
        }
        let joined = theirs.len() > 1 || stack.is_some();
        if usize::from(transposed) + usize::from(joined) + usize::from(shape.is_some()) > 1 {
            self.bad(
                span,
                "only one of several `theirs` (or `stack`), `transposed` and `shape` is possible",
                "write each of `theirs` as a tensor of its own, if the model has them apart",
            );
        }
        if self.diagnostics.len() > before {
            return;
        }
        for index in 0..count.unwrap_or(1) {
            let slices = stack.unwrap_or(1);
            let more = slices.saturating_mul(theirs.len() as u64);
            self.names = self.names.saturating_add(more);
            if self.names > MOST_NAMES {
                return self.bad(
                    span,
                    format!("the map names more than {MOST_NAMES} tensors"),
                    "`repeat`, `stack` and the length of `theirs` multiply",
                );
            }
            let block = count.map(|_| index);
            let mut held = Vec::new();
            for slice in 0..slices {
                for (at, text) in theirs.iter().enumerate() {
                    let name = numbered(text, "{e}", stack.map(|_| slice));
                    let name = numbered(&name, "{i}", block);
                    held.push((name, rows.as_ref().map(|rows| rows[at])));
                }
            }
            rules.push(Rule {
                ours: numbered(ours, "{i}", block),
                theirs: held,
                stacked: stack.is_some(),
                transposed,
                shape: shape.clone(),
                before: table_rows,
            });
        }
    }

    fn numbers(&mut self, entry: Option<&Entry>) -> Option<Vec<u64>> {
        let entry = entry?;
        let Kind::Array(items) = &entry.value.kind else {
            let message = "a list of sizes is wanted here";
            self.bad(entry.value.span, message, "for example `[64, \"=width\"]`");
            return None;
        };
        // Each wrong one has its finding.
        let numbers: Vec<Option<u64>> = items.iter().map(|item| self.number(item)).collect();
        numbers.into_iter().collect()
    }

    /// A size, or an expression over the keys of the part and of its mixture of experts; a boolean key
    /// counts as 0 or 1.
    fn number(&mut self, value: &Value) -> Option<u64> {
        let example = "a number, or an expression over keys of the part, such as `\"=depth\"`";
        let text = match &value.kind {
            Kind::Int(number) if *number >= 0 => return u64::try_from(*number).ok(),
            Kind::Int(number) => {
                self.bad(value.span, format!("a size is not {number}"), example);
                return None;
            }
            Kind::Text(text) => text,
            _ => {
                let message = format!("a size is not {}", value.type_name());
                self.bad(value.span, message, example);
                return None;
            }
        };
        let expression = match text.strip_prefix('=').map(Expression::parse) {
            Some(Ok(expression)) => expression,
            Some(Err((message, _))) => {
                self.bad(value.span, message, example);
                return None;
            }
            None => {
                let message = "an expression begins with `=`";
                self.bad(value.span, message, format!("`\"={text}\"`"));
                return None;
            }
        };
        let keys = &self.model.keys;
        let key = |name: &str| {
            let of_experts = || keys.get(&format!("{}.moe.{name}", self.part));
            keys.get(&format!("{}.{name}", self.part))
                .or_else(of_experts)
        };
        let lookup = |name: &str| match key(name)? {
            Argument::Int(number) => Some(Some(*number)),
            Argument::Bool(flag) => Some(Some(i64::from(*flag))),
            _ => Some(None),
        };
        let fault = match expression.evaluate(&lookup) {
            Ok(number) => match u64::try_from(number) {
                Ok(number) => return Some(number),
                Err(_) => {
                    self.bad(value.span, format!("a size is not {number}"), example);
                    return None;
                }
            },
            Err(fault) => fault,
        };
        match &fault {
            Fault::Unknown { name } if !self.part.is_empty() => {
                let section = format!("{}.", self.part);
                let known = keys
                    .keys
                    .keys()
                    .filter_map(|key| key.strip_prefix(&section));
                let near = did_you_mean(&nearest(name, known));
                let message = format!("the model has no key `{section}{name}`");
                let help = near.unwrap_or_else(|| {
                    "`mm1c resolve` prints the keys that the model has".to_string()
                });
                self.bad(value.span, message, help);
            }
            // Without a part there are no keys, and the part has its own finding.
            Fault::Unknown { .. } => {}
            _ => self.bad(value.span, fault.to_string(), example),
        }
        None
    }
}

/// `text` with a number in the place of `mark`, where there is one.
fn numbered(text: &str, mark: &str, number: Option<u64>) -> String {
    number.map_or_else(
        || text.to_string(),
        |number| text.replace(mark, &number.to_string()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn model(sets: &[&str]) -> Model {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_string()).collect();
        let path = Path::new("../models/mm1-tiny.toml");
        crate::load(path, &sets).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_map_in_the_binary_is_legal() {
        let model = model(&[
            "decoder.moe.experts=4",
            "decoder.moe.every=1",
            "decoder.moe.top_k=2",
        ]);
        for (name, _) in EMBEDDED {
            let map = embedded(name, &model).unwrap_or_else(|error| panic!("{error}"));
            assert!(map.rules.len() > 10, "{name}");
        }
        let error = embedded("lama", &model)
            .expect_err("is unknown")
            .to_string();
        assert!(error.contains("did you mean `llama`?"), "{error}");
    }

    #[test]
    fn rules_are_repeated_and_cut_by_the_model() {
        let map = embedded("llama", &model(&["decoder.kv_heads=2"])).expect("is legal");
        let rule = map
            .rules
            .iter()
            .find(|rule| rule.ours == "decoder.blocks.3.qkv.weight");
        let theirs = &rule.expect("every block has it").theirs;
        assert_eq!(
            theirs[0],
            (
                "model.layers.3.self_attn.q_proj.weight".to_string(),
                Some(128)
            )
        );
        assert_eq!(theirs[2].1, Some(64));
    }

    #[test]
    fn tensors_are_stacked_by_expert() {
        let text = |stack: &str| {
            format!(
                "part = \"decoder\"\n[[tensor]]\nours = \"down\"\ntheirs = \"{{e}}.w2\"\nstack = {stack}\n"
            )
        };
        let map = read("map.toml", &text("3"), &model(&[])).expect("is legal");
        let names: Vec<&str> = map.rules[0]
            .theirs
            .iter()
            .map(|(name, _)| &**name)
            .collect();
        assert_eq!(names, ["0.w2", "1.w2", "2.w2"]);
        for (stack, fault) in [
            ("0", "`stack` is 0"),
            ("9_000_000", "more than 200000"),
            ("9_223_372_036_854_775_807", "more than 200000"),
        ] {
            let error = read("map.toml", &text(stack), &model(&[])).expect_err("is wrong");
            assert!(error.to_string().contains(fault), "{error}");
        }
    }

    #[test]
    fn faults_are_reported_at_their_lines() {
        let text = "part = \"head\"\nprefix = \"\"\n[[tensor]]\nours = \"a\"\n\
            theirs = [\"b\", \"c\"]\n[[tensor]]\nours = \"a\"\ntheirs = \"b\"\nrepeat = \"=depht\"\n";
        let error = read("map.toml", text, &model(&[]))
            .expect_err("is wrong")
            .to_string();
        for part in ["map.toml:1:8", "no key `prefix`", "map.toml:5:10"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        // Without a part there are no keys, and one finding says that.
        assert!(!error.contains("depht"), "{error}");
    }
}
