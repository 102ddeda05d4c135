//! Studies: a base, what its variants change, seeds, and what all runs have equal.
//!
//! [`Study::read`] parses a study's file; [`Study::load`] lays a variant over the base, so that whatever
//! is wrong with a key is found at its line of the study or of the overlay's file. The page on the
//! format is docs/studies.md.

use std::path::{Path, PathBuf};

use crate::codes::{self, Code};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::layers::Over;
use crate::load::load_with;
use crate::model::Model;
use crate::nearest::{did_you_mean, nearest, quoted_list};
use crate::resolved::join_path;
use crate::source::{Loader, Sources};
use crate::span::Span;
use crate::tree::{self, Entry, Kind, Table, Value};

/// Most variants of a study.
const MOST_VARIANTS: usize = 256;
/// Most seeds of a study.
const MOST_SEEDS: usize = 64;
/// Name of the base among the variants.
pub const BASE: &str = "base";
/// Keys of a study's file.
const KEYS: [&str; 9] = [
    "name", "base", "seeds", "hold", "score", "budget", "set", "variant", "grid",
];
/// Keys of a variant.
const VARIANT_KEYS: [&str; 3] = ["name", "overlay", "set"];
/// Keys of a budget.
const BUDGET_KEYS: [&str; 3] = ["runs", "petaflop", "minutes"];
/// Keys that a study decides for its runs, with what decides them.
pub const DECIDED: [(&str, &str); 3] = [
    ("train.steps", "`hold`"),
    ("train.seed", "`seeds`"),
    ("data.shuffle_seed", "`seeds`"),
];

/// What all runs of a study have equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Optimizer steps.
    Steps,
    /// Examples.
    Examples,
    /// Text tokens.
    TextTokens,
    /// FLOPs of training.
    Flops,
}

impl Hold {
    /// All, with their names.
    pub const ALL: [(&'static str, Self); 4] = [
        ("steps", Self::Steps),
        ("examples", Self::Examples),
        ("text-tokens", Self::TextTokens),
        ("flops", Self::Flops),
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|it| it.1 == self)
            .map_or("", |it| it.0)
    }
}

/// A number with its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// The number.
    pub value: f64,
    /// Where it stands.
    pub span: Span,
}

/// What a study may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Runs.
    pub runs: Option<Limit>,
    /// FLOPs of training, 10¹⁵.
    pub petaflop: Option<Limit>,
    /// Minutes on this machine.
    pub minutes: Option<Limit>,
}

/// A graph file that a variant names.
#[derive(Clone, Debug, PartialEq)]
pub struct OverlayFile {
    /// The file.
    pub path: PathBuf,
    /// Where it is named.
    pub span: Span,
}

/// A model of the study.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Name, also of its folders.
    pub name: String,
    /// Where it stands; none for the base.
    pub span: Option<Span>,
    /// A graph file over the base.
    pub overlay: Option<OverlayFile>,
    /// Keys over that.
    pub keys: Table,
    /// Of a grid: keys and their values.
    pub factors: Vec<(String, String)>,
}

/// A study's file.
#[derive(Clone, Debug)]
pub struct Study {
    /// Name: that of the file if it gives none.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The text; spans of this value are of source 0, which is this text.
    pub sources: Sources,
    /// The base's graph file.
    pub base: OverlayFile,
    /// Keys over the base, for all runs.
    pub common: Table,
    /// The base and the variants in order.
    pub variants: Vec<Variant>,
    /// Seeds, at least one.
    pub seeds: Vec<u64>,
    /// What is equal.
    pub hold: Hold,
    /// Where that is said.
    pub hold_span: Option<Span>,
    /// What ranks: `SOURCE.NAME`.
    pub score: Option<(String, Span)>,
    /// What it may cost.
    pub budget: Budget,
}

impl Study {
    /// Reads the file at `path`. Graph files are not looked at.
    ///
    /// # Errors
    /// Everything wrong with it, in the order of lines.
    pub fn read(path: &Path) -> Result<Self, Diagnostics> {
        let loader = Loader::for_file(path);
        let mut sources = Sources::default();
        let text = loader.read(path, None).map_err(|found| Diagnostics {
            list: vec![*found],
            sources: Sources::default(),
        })?;
        let source = sources.add(path.to_string_lossy(), text.as_str());
        let (table, diagnostics) = tree::parse(source, &text);
        if !diagnostics.is_empty() {
            return Err(Diagnostics {
                list: diagnostics,
                sources,
            }
            .sorted());
        }
        let mut reader = Reader {
            path,
            loader,
            start: Span::new(source, 0..0),
            diagnostics: Vec::new(),
        };
        let study = reader.study(&table, &sources);
        match study {
            Some(study) if reader.diagnostics.is_empty() => Ok(study),
            _ => Err(Diagnostics {
                list: reader.diagnostics,
                sources,
            }
            .sorted()),
        }
    }

    /// The model of a variant under `sets` (`a.b=value`).
    ///
    /// # Errors
    /// As [`crate::load`]; an overlay that extends another file than the base.
    pub fn load(&self, variant: &Variant, sets: &[String]) -> Result<Model, Diagnostics> {
        let over = Over {
            study: self,
            variant,
        };
        load_with(
            Loader::for_file(&self.path),
            &self.base.path,
            Some(&over),
            sets,
        )
    }

    /// A finding as it is printed with this study's text.
    pub fn findings(&self, list: Vec<Diagnostic>) -> Diagnostics {
        Diagnostics {
            list,
            sources: self.sources.clone(),
        }
        .sorted()
    }
}

struct Reader<'a> {
    path: &'a Path,
    loader: Loader,
    start: Span,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn study(&mut self, table: &Table, sources: &Sources) -> Option<Study> {
        self.known(table, &KEYS, "a study");
        let base = match table.get("base") {
            Some(entry) => self.file(&entry.value, "base"),
            None => {
                let message = "a study needs `base`, the graph file that its variants change";
                let help = "`base = \"model.toml\"`, a path from this file's folder";
                self.refuse(codes::MISSING_KEY, self.start, message, help);
                None
            }
        };
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let name = match table.get("name") {
            Some(entry) => self.name(&entry.value, "name")?,
            None => stem.into_owned(),
        };
        let seeds = match table.get("seeds") {
            Some(entry) => self.seeds(&entry.value),
            None => vec![0],
        };
        let hold = table.get("hold");
        let score = table.get("score").and_then(|entry| {
            let text = self.text(&entry.value, "score")?;
            Some((text, entry.value.span))
        });
        let common = table.get("set");
        let common = common.and_then(|entry| self.table(&entry.value, "set"));
        let mut variants = vec![Variant {
            name: BASE.to_owned(),
            span: None,
            overlay: None,
            keys: Table::default(),
            factors: Vec::new(),
        }];
        if let Some(entry) = table.get("variant") {
            self.variants(&entry.value, &mut variants);
        }
        if let Some(entry) = table.get("grid") {
            self.grid(entry, &mut variants);
        }
        if table.get("variant").is_none() && table.get("grid").is_none() {
            let message = "a study needs `[[variant]]` or `[grid]`: there is nothing to compare";
            let help = "a grid is a key with values: `[grid]`, `train.lr = [1e-3, 1e-4]`";
            self.refuse(codes::EMPTY_STUDY, self.start, message, help);
        }
        self.duplicates(&variants);
        Some(Study {
            name,
            path: self.path.to_path_buf(),
            sources: sources.clone(),
            common: common.unwrap_or_default(),
            variants,
            seeds,
            hold: hold.map_or(Hold::Steps, |entry| self.hold(&entry.value)),
            hold_span: hold.map(|entry| entry.value.span),
            score,
            budget: match table.get("budget") {
                Some(entry) => self.budget(&entry.value),
                None => Budget::default(),
            },
            base: base?,
        })
    }

    fn known(&mut self, table: &Table, keys: &[&str], what: &str) {
        for (key, entry) in &table.entries {
            if !keys.contains(&&**key) {
                let near = did_you_mean(&nearest(key, keys.iter().copied()));
                self.diagnostics.push(
                    Diagnostic::error(codes::UNKNOWN_KEY, format!("{what} has no key `{key}`"))
                        .at(entry.key, "")
                        .note(format!("keys: {}", quoted_list(keys.iter().copied())))
                        .help(near.unwrap_or_else(|| "take it out".to_owned())),
                );
            }
        }
    }

    /// A finding with advice.
    fn refuse(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.diagnostics.push(
            Diagnostic::error(code, message)
                .at(span, "")
                .help(help.into()),
        );
    }

    fn wrong_type(&mut self, value: &Value, key: &str, want: &str) {
        let message = format!("`{key}` is {want}, not {}", value.type_name());
        self.diagnostics
            .push(Diagnostic::error(codes::WRONG_TYPE, message).at(value.span, ""));
    }

    fn text(&mut self, value: &Value, key: &str) -> Option<String> {
        if value.text().is_none() {
            self.wrong_type(value, key, "a string");
        }
        value.text().map(str::to_owned)
    }

    fn table(&mut self, value: &Value, key: &str) -> Option<Table> {
        if value.table().is_none() {
            self.wrong_type(value, key, "a table of keys of the model");
        }
        value.table().cloned()
    }

    /// A name that is also that of a folder.
    fn name(&mut self, value: &Value, key: &str) -> Option<String> {
        let text = self.text(value, key)?;
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.starts_with('.') || !text.chars().all(legal) {
            let message =
                format!("`{text}` is no name: runs have folders of their variants' names");
            let help = "names here are letters, digits, `-`, `_` and `.`, which is not the first";
            self.refuse(codes::BAD_NAME, value.span, message, help);
            return None;
        }
        Some(text)
    }

    fn file(&mut self, value: &Value, key: &str) -> Option<OverlayFile> {
        let written = self.text(value, key)?;
        let path = Loader::join(self.path, &written);
        let span = value.span;
        let found = self
            .loader
            .check_inside(&written, &path, Some(span))
            .and_then(|()| self.loader.read(&path, Some(span)));
        match found {
            Ok(_) => Some(OverlayFile { path, span }),
            Err(diagnostic) => {
                self.diagnostics.push(*diagnostic);
                None
            }
        }
    }

    fn seeds(&mut self, value: &Value) -> Vec<u64> {
        let Kind::Array(items) = &value.kind else {
            self.wrong_type(value, "seeds", "a list of integers such as `[0, 1]`");
            return Vec::new();
        };
        if items.is_empty() || items.len() > MOST_SEEDS {
            let message = format!("{} seeds: a study has 1 to {MOST_SEEDS}", items.len());
            let help = "without `seeds` it has one, 0";
            self.refuse(codes::EMPTY_STUDY, value.span, message, help);
        }
        let mut seeds: Vec<u64> = Vec::new();
        for item in items {
            match item.kind {
                Kind::Int(seed) if seed >= 0 => {
                    if seeds.contains(&seed.unsigned_abs()) {
                        let message = format!("seed {seed} stands twice");
                        let help = "a repetition with the same seed is the same run: take another";
                        self.refuse(codes::DUPLICATE_VARIANT, item.span, message, help);
                    }
                    seeds.push(seed.unsigned_abs());
                }
                Kind::Int(seed) => {
                    let message = format!("a seed is not {seed}");
                    let help = "seeds are integers of at least 0";
                    self.refuse(codes::OUT_OF_RANGE, item.span, message, help);
                }
                _ => self.wrong_type(item, "seeds", "a list of integers"),
            }
        }
        seeds
    }

    fn hold(&mut self, value: &Value) -> Hold {
        let Some(text) = self.text(value, "hold") else {
            return Hold::Steps;
        };
        let names = Hold::ALL.map(|it| it.0);
        match Hold::ALL.iter().find(|it| it.0 == text) {
            Some((_, hold)) => *hold,
            None => {
                self.diagnostics.push(
                    Diagnostic::error(codes::UNKNOWN_VALUE, format!("`hold` is not `{text}`"))
                        .at(value.span, "")
                        .note(format!("one of {}", quoted_list(names)))
                        .help(did_you_mean(&nearest(&text, names))),
                );
                Hold::Steps
            }
        }
    }

    fn budget(&mut self, value: &Value) -> Budget {
        let mut budget = Budget::default();
        let Some(table) = value.table() else {
            self.wrong_type(value, "budget", "a table such as `{ minutes = 20 }`");
            return budget;
        };
        self.known(table, &BUDGET_KEYS, "a budget");
        for (key, entry) in &table.entries {
            let number = match entry.value.kind {
                Kind::Int(number) => number as f64,
                Kind::Float(number) => number,
                _ => {
                    self.wrong_type(&entry.value, &format!("budget.{key}"), "a number");
                    continue;
                }
            };
            let limit = Some(Limit {
                value: number,
                span: entry.value.span,
            });
            match key.as_str() {
                "runs" => budget.runs = limit,
                "petaflop" => budget.petaflop = limit,
                "minutes" => budget.minutes = limit,
                _ => {}
            }
        }
        budget
    }

    fn variants(&mut self, value: &Value, variants: &mut Vec<Variant>) {
        let Kind::Array(items) = &value.kind else {
            self.wrong_type(value, "variant", "a list: it is written `[[variant]]`");
            return;
        };
        for item in items {
            let Some(table) = item.table() else {
                self.wrong_type(item, "variant", "a list of tables");
                continue;
            };
            self.known(table, &VARIANT_KEYS, "a variant");
            let overlay = table.get("overlay");
            let set = table.get("set");
            if overlay.is_none() && set.is_none() {
                let message = "a variant needs `overlay` or `set`: this one is the base again";
                let help = "`set = { train.lr = 1e-3 }` changes a key";
                self.refuse(codes::EMPTY_STUDY, item.span, message, help);
                continue;
            }
            let overlay = match overlay {
                Some(entry) => match self.file(&entry.value, "overlay") {
                    Some(file) => Some(file),
                    None => continue,
                },
                None => None,
            };
            let keys = match set {
                Some(entry) => self.table(&entry.value, "set").unwrap_or_default(),
                None => Table::default(),
            };
            let (name, span) = match (table.get("name"), &overlay) {
                (Some(entry), _) => match self.name(&entry.value, "name") {
                    Some(name) => (name, entry.value.span),
                    None => continue,
                },
                (None, Some(file)) => {
                    let stem = file.path.file_stem().unwrap_or_default();
                    (stem.to_string_lossy().into_owned(), file.span)
                }
                (None, None) => {
                    let message = "a variant without `overlay` needs a `name`";
                    let help = "its folder is named by it";
                    self.refuse(codes::MISSING_KEY, item.span, message, help);
                    continue;
                }
            };
            variants.push(Variant {
                name,
                span: Some(span),
                overlay,
                keys,
                factors: Vec::new(),
            });
        }
        if items.is_empty() {
            let help = "`[[variant]]` begins one, with `overlay` or `set`";
            self.refuse(
                codes::EMPTY_STUDY,
                value.span,
                "there are no variants",
                help,
            );
        }
    }

    fn grid(&mut self, entry: &Entry, variants: &mut Vec<Variant>) {
        let Some(table) = entry.value.table() else {
            self.wrong_type(&entry.value, "grid", "a table of lists");
            return;
        };
        let mut axes = Vec::new();
        self.axes(table, &mut Vec::new(), &mut axes);
        if table.entries.is_empty() {
            let message = "the grid is empty";
            let help = "a grid has keys with lists of values: `connector.image_tokens = [9, 16]`";
            self.refuse(codes::EMPTY_STUDY, entry.value.span, message, help);
            return;
        }
        let count = axes
            .iter()
            .try_fold(1usize, |count, axis| count.checked_mul(axis.values.len()));
        if count.is_none_or(|count| count > MOST_VARIANTS) {
            let counts: Vec<String> = axes.iter().map(|it| it.values.len().to_string()).collect();
            let counts = counts.join(" × ");
            let message = format!("a grid of {counts} points; a study has at most {MOST_VARIANTS}");
            let help = "ask less at once: fewer values, or a study for some of the keys";
            self.refuse(codes::TOO_LARGE_FILE, entry.key, message, help);
            return;
        }
        let count = if axes.is_empty() {
            0
        } else {
            count.unwrap_or(0)
        };
        for point in 0..count {
            // The last key changes fastest.
            let mut rest = point;
            let mut chosen = Vec::new();
            for axis in axes.iter().rev() {
                chosen.push((axis, &axis.values[rest % axis.values.len()]));
                rest /= axis.values.len();
            }
            chosen.reverse();
            let mut keys = Table::default();
            let mut factors = Vec::new();
            for (axis, value) in &chosen {
                put(&mut keys, &axis.path, (*value).clone());
                let path = join_path(axis.path.iter().map(|it| it.0.as_str()));
                factors.push((path, word(value)));
            }
            let name: Vec<&str> = factors.iter().map(|it| it.1.as_str()).collect();
            variants.push(Variant {
                name: name.join("-"),
                span: chosen.last().map(|it| it.1.span),
                overlay: None,
                keys,
                factors,
            });
        }
    }

    fn axes(&mut self, table: &Table, path: &mut Vec<(String, Span)>, axes: &mut Vec<Axis>) {
        for (key, entry) in &table.entries {
            path.push((key.clone(), entry.key));
            match &entry.value.kind {
                Kind::Table(inner) if !inner.entries.is_empty() => self.axes(inner, path, axes),
                Kind::Array(values) if !values.is_empty() => axes.push(Axis {
                    path: path.clone(),
                    values: values.clone(),
                }),
                kind => {
                    let name = join_path(path.iter().map(|it| it.0.as_str()));
                    if matches!(kind, Kind::Array(_) | Kind::Table(_)) {
                        let message = format!("the grid has no value of `{name}`");
                        let help = "a grid over no values has no runs: give some";
                        self.refuse(codes::EMPTY_STUDY, entry.value.span, message, help);
                    } else {
                        let message = format!(
                            "`{name}` is {} here, where a grid has a list of values",
                            entry.value.type_name()
                        );
                        let help = "a value for all runs belongs to `[set]`, one to try against \
                                    the base into brackets";
                        self.refuse(codes::WRONG_TYPE, entry.value.span, message, help);
                    }
                }
            }
            path.pop();
        }
    }

    fn duplicates(&mut self, variants: &[Variant]) {
        for (place, variant) in variants.iter().enumerate() {
            let Some(first) = variants[..place].iter().find(|it| it.name == variant.name) else {
                continue;
            };
            let message = format!("two variants are called `{}`", variant.name);
            let found = Diagnostic::error(codes::DUPLICATE_VARIANT, message);
            let found = match first.span {
                None => found.at(variant.span, "").help(
                    "`base` is the base itself, which a study always runs: rename this one"
                        .to_owned(),
                ),
                Some(_) => {
                    let found = found
                        .at(variant.span, "the second")
                        .with(first.span, "the first");
                    match variant.factors.is_empty() {
                        true => found.help("their runs would share folders: rename one".to_owned()),
                        false => found.help(
                            "points of a grid are named by their values: take one out, or write it \
                             as a `[[variant]]` with a name of its own"
                                .to_owned(),
                        ),
                    }
                }
            };
            self.diagnostics.push(found);
        }
    }
}

/// A key of a grid with its values.
struct Axis {
    path: Vec<(String, Span)>,
    values: Vec<Value>,
}

/// Puts `value` at `path`.
fn put(table: &mut Table, path: &[(String, Span)], value: Value) {
    let Some(((key, span), rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        let entry = Entry { key: *span, value };
        table.entries.insert(key.clone(), entry);
        return;
    }
    let entry = table.entries.entry(key.clone()).or_insert_with(|| Entry {
        key: *span,
        value: Value {
            kind: Kind::Table(Table::default()),
            span: *span,
        },
    });
    if let Kind::Table(inner) = &mut entry.value.kind {
        put(inner, rest, value);
    }
}

/// A value as a part of a variant's name.
fn word(value: &Value) -> String {
    let text = match &value.kind {
        Kind::Bool(value) => value.to_string(),
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) => value.to_string(),
        Kind::Text(text) => text.strip_suffix(".toml").unwrap_or(text).to_owned(),
        Kind::Array(items) => items.iter().map(word).collect::<Vec<_>>().join("-"),
        Kind::Table(table) => {
            let words = table.entries.values().map(|entry| word(&entry.value));
            words.collect::<Vec<_>>().join("-")
        }
    };
    let legal = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let text: String = text.chars().map(legal).collect();
    text.trim_matches(['.', '-']).to_owned()
}
