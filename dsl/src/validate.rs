//! The merged tree against the key table: unknown keys, types, ranges, kinds, defaults.

use crate::codes;
use crate::component::{Argument, Library};
use crate::diagnostic::Diagnostic;
use crate::edit;
use crate::keys::{KEYS, Key, KeyDefault, KeyKind, RESERVED, find};
use crate::layers::{Layer, Merged};
use crate::nearest::{did_you_mean, nearest, quoted_list};
use crate::presets;
use crate::resolved::{Origin, Resolved, ResolvedKey, join_path, split_path};
use crate::source::Loader;
use crate::span::Span;
use crate::suggest;
use crate::tree::{Entry, Kind, Table, Value};

/// Sections that describe the image side; all or none of `encoder` and `connector` are there.
const VISION: [&str; 3] = ["encoder", "image", "connector"];

/// Checks `merged` and adds defaults. Keys with an error are missing from the result.
///
/// Project components that a key names are read into `library`.
pub fn validate(
    merged: &Merged,
    loader: &Loader,
    library: &mut Library,
    diagnostics: &mut Vec<Diagnostic>,
) -> Resolved {
    let mut validator = Validator {
        unreadable: diagnostics.len(),
        merged,
        loader,
        library,
        diagnostics,
        resolved: Resolved {
            dropped: merged.dropped.clone(),
            ..Resolved::default()
        },
        failed: Vec::new(),
    };
    validator.resolved.vision = VISION
        .iter()
        .any(|section| merged.table.get(section).is_some());
    validator.reserved();
    validator.components();
    validator.table(&merged.table, &mut Vec::new());
    validator.kinds();
    let sections_complete = validator.sections();
    validator.defaults(sections_complete);
    validator.resolved
}

struct Validator<'a> {
    merged: &'a Merged,
    loader: &'a Loader,
    library: &'a mut Library,
    diagnostics: &'a mut Vec<Diagnostic>,
    resolved: Resolved,
    /// Number of findings from before.
    unreadable: usize,
    /// Keys that are written but wrong: no second message for them.
    failed: Vec<String>,
}

impl Validator<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        // A value that could not be read has its message already.
        let known = self.diagnostics[..self.unreadable]
            .iter()
            .any(|earlier| earlier.primary.is_some() && earlier.primary == diagnostic.primary);
        if !known {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Adds the removal of a table or an assignment.
    fn without(&self, diagnostic: Diagnostic, entry: &Entry) -> Diagnostic {
        let sources = &self.library.sources;
        let table = entry.value.table().is_some();
        let lines = match table.then(|| edit::table(sources, entry.key)).flatten() {
            Some(lines) => Some(lines),
            None => edit::assignment(sources, entry.value.span),
        };
        match (lines, table) {
            (Some(lines), true) => diagnostic.patch("remove the table", lines, ""),
            (Some(lines), false) => diagnostic.patch("remove it", lines, ""),
            (None, _) => diagnostic.help("remove it".to_string()),
        }
    }

    fn has_section(&self, section: &str) -> bool {
        self.merged
            .table
            .get(section)
            .is_some_and(|entry| entry.value.table().is_some())
    }

    fn reserved(&mut self) {
        for (path, why) in RESERVED {
            if let Some(entry) = self.merged.table.at(path) {
                let message = format!("`[{path}]` is not supported yet");
                let diagnostic = Diagnostic::error(codes::UNSUPPORTED, message)
                    .at(entry.key, "")
                    .note(*why);
                let diagnostic = self.without(diagnostic, entry);
                self.report(diagnostic);
            }
        }
    }

    /// Loads the project components that keys name, so that their parameters are known as keys.
    fn components(&mut self) {
        for row in KEYS
            .iter()
            .filter(|row| matches!(row.kind, KeyKind::ChoiceOrFile(_)))
        {
            let Some(entry) = self.merged.table.at(row.path) else {
                continue;
            };
            let Some(written) = entry.value.text().filter(|text| text.ends_with(".toml")) else {
                continue;
            };
            let span = entry.value.span;
            let base = match self.merged.layer(span.source) {
                Some(Layer::File(path)) => path.clone(),
                _ => std::path::PathBuf::new(),
            };
            let path = Loader::join(&base, written);
            match self
                .library
                .add_project_file(self.loader, &path, written, Some(span))
            {
                Ok(name) => {
                    self.insert(row.path, Argument::Text(name), span);
                }
                Err(found) => {
                    self.diagnostics.extend(found);
                    self.failed.push(row.path.to_string());
                }
            }
        }
    }

    fn insert(&mut self, path: &str, value: Argument, span: Span) {
        let origin = match self.merged.layer(span.source) {
            Some(Layer::Preset) => {
                let section = path.split('.').next().unwrap_or_default();
                let name = self.merged.table.at(&format!("{section}.variant"));
                Origin::Preset {
                    name: name
                        .and_then(|entry| entry.value.text())
                        .unwrap_or_default()
                        .to_string(),
                    span,
                }
            }
            Some(Layer::Set) => Origin::Set(span),
            _ => Origin::File(span),
        };
        self.resolved
            .keys
            .insert(path.to_string(), ResolvedKey { value, origin });
    }

    /// Whether `path` is a parameter of the project component that its section names.
    fn is_component_parameter(&self, path: &[&str]) -> bool {
        let [section, name] = path else { return false };
        self.section_component(section)
            .and_then(|component| self.library.get(component))
            .is_some_and(|file| file.parameters.contains_key(*name))
    }

    /// The project component of a section, if it has one.
    fn section_component(&self, section: &str) -> Option<&str> {
        let tag = if section == "connector" {
            "kind"
        } else {
            "arch"
        };
        let value = self.resolved.text(&format!("{section}.{tag}"))?;
        value.ends_with(".toml").then_some(value)
    }

    /// Walks one table of the merged tree.
    fn table(&mut self, table: &Table, prefix: &mut Vec<String>) {
        for (key, entry) in &table.entries {
            prefix.push(key.clone());
            self.entry(entry, prefix);
            prefix.pop();
        }
    }

    fn entry(&mut self, entry: &Entry, prefix: &mut Vec<String>) {
        let path: Vec<&str> = prefix.iter().map(String::as_str).collect();
        let joined = join_path(path.iter().copied());
        if RESERVED.iter().any(|(reserved, _)| *reserved == joined) {
            return;
        }
        if let Some(row) = find(&path) {
            if self.resolved.keys.contains_key(&joined) || self.failed.contains(&joined) {
                return;
            }
            match self.value(row, &joined, &entry.value) {
                Ok(value) => self.insert(&joined, value, entry.value.span),
                Err(diagnostic) => {
                    let sources = &self.library.sources;
                    let patched = suggest::value(*diagnostic, sources, row, &entry.value);
                    self.report(patched);
                    self.failed.push(joined);
                }
            }
            return;
        }
        let is_table = KEYS.iter().any(|row| row.below(&path).is_some());
        if is_table {
            let needs_name = KEYS
                .iter()
                .any(|row| row.below(&path[..path.len() - 1]) == Some("*"));
            let bad_name = needs_name && path.last().is_none_or(|name| join_path([*name]) != *name);
            if bad_name {
                let name = path.last().copied().unwrap_or_default();
                let message = format!("`{name}` is no name for a source");
                let diagnostic = Diagnostic::error(codes::BAD_NAME, message)
                    .at(entry.key, "")
                    .note("such a name consists of letters, digits, `-` and `_`");
                let legal = suggest::legal_name(name, "-_").replace('/', "-");
                self.report(if legal.is_empty() {
                    self.without(diagnostic, entry)
                } else {
                    diagnostic.patch("a legal name", entry.key, legal)
                });
                return;
            }
            match &entry.value.kind {
                Kind::Table(inner) => self.table(inner, prefix),
                _ => {
                    let name = entry.value.type_name();
                    let message = format!("`{joined}` is a table, not {name}");
                    let below = KEYS.iter().filter_map(|row| row.below(&path));
                    let below: Vec<&str> = below.filter(|name| *name != "*").collect();
                    let mut diagnostic = Diagnostic::error(codes::WRONG_TYPE, message)
                        .at(entry.value.span, "")
                        .note(format!("it is written as `[{joined}]` with keys below"));
                    if let Some(first) = below.first() {
                        diagnostic = diagnostic.note(format!("its first key is `{first}`"));
                    }
                    let diagnostic = self.without(diagnostic, entry);
                    self.report(diagnostic);
                }
            }
            return;
        }
        if self.is_component_parameter(&path) {
            match entry.value.argument() {
                Some(value) => self.insert(&joined, value, entry.value.span),
                None => {
                    let message = format!("`{joined}` is an argument, not a table");
                    let diagnostic = Diagnostic::error(codes::WRONG_TYPE, message)
                        .at(entry.value.span, "")
                        .help(format!("write `{} = VALUE`", path.last().unwrap_or(&"")));
                    self.report(diagnostic);
                }
            }
            return;
        }
        self.unknown(entry, &path, &joined);
    }

    fn unknown(&mut self, entry: &Entry, path: &[&str], joined: &str) {
        let (Some(leaf), parents) = (path.last().copied(), &path[..path.len().saturating_sub(1)])
        else {
            return;
        };
        // It may belong to the component whose file has a message of its own.
        if let [section] = parents
            && ["kind", "arch"]
                .iter()
                .any(|tag| self.failed.contains(&format!("{section}.{tag}")))
        {
            return;
        }
        let mut siblings: Vec<&str> = KEYS.iter().filter_map(|row| row.below(parents)).collect();
        if parents.is_empty() {
            siblings.extend(["extends", "remove"]);
        }
        let mut arguments: Vec<&str> = Vec::new();
        if let [section] = parents
            && let Some(file) = self
                .section_component(section)
                .and_then(|component| self.library.get(component))
        {
            arguments.extend(file.parameters.keys().map(String::as_str));
        }
        let mut known = std::collections::BTreeSet::new();
        siblings.retain(|name| known.insert(*name));
        let mut diagnostic =
            Diagnostic::error(codes::UNKNOWN_KEY, format!("unknown key `{joined}`"))
                .at(entry.key, "");
        let near = nearest(
            leaf,
            siblings
                .iter()
                .chain(&arguments)
                .copied()
                .filter(|name| *name != "*"),
        );
        // A patch replaces one bare key, so it fits only where the place is that key.
        let is_bare = (entry.key.end - entry.key.start) as usize == leaf.len();
        let elsewhere = KEYS.iter().filter(|row| row.leaf() == leaf);
        let elsewhere: Vec<&str> = elsewhere.map(|row| row.path).take(3).collect();
        if let (Some(best), Some(question)) = (near.first(), did_you_mean(&near)) {
            diagnostic = match is_bare {
                true => diagnostic.patch(question, entry.key, *best),
                false => diagnostic.help(question),
            };
        } else if !elsewhere.is_empty() {
            diagnostic = diagnostic.help(format!("there is {}", quoted_list(elsewhere)));
            diagnostic = self.without(diagnostic, entry);
        } else {
            let table = join_path(parents.iter().copied());
            diagnostic = diagnostic.note(match parents.is_empty() {
                true => format!("a graph file has {}", quoted_list(siblings)),
                false => format!("`[{table}]` has {}", quoted_list(siblings)),
            });
            diagnostic = self.without(diagnostic, entry);
        }
        self.report(diagnostic);
    }

    /// The value of a row in its own type.
    fn value(&self, row: &Key, path: &str, value: &Value) -> Result<Argument, Box<Diagnostic>> {
        let wrong_type = || {
            Box::new(
                Diagnostic::error(
                    codes::WRONG_TYPE,
                    format!("`{path}` is {}, not {}", row.type_text(), value.type_name()),
                )
                .at(value.span, ""),
            )
        };
        let unit = if row.unit.is_empty() {
            String::new()
        } else {
            format!(" ({})", row.unit)
        };
        let out_of_range = || {
            Box::new(
                Diagnostic::error(codes::OUT_OF_RANGE, format!("`{path}` is out of range"))
                    .at(value.span, "")
                    .note(format!("it is {}{unit}", row.type_text())),
            )
        };
        #[allow(clippy::cast_precision_loss, reason = "a float was meant")]
        let number = |value: &Value| match value.kind {
            Kind::Int(number) => Some(number as f64),
            Kind::Float(number) => Some(number),
            _ => None,
        };
        match row.kind {
            KeyKind::Int { min, max } => match value.kind {
                Kind::Int(number) if (min..=max).contains(&number) => Ok(Argument::Int(number)),
                Kind::Int(_) => Err(out_of_range()),
                _ => Err(wrong_type()),
            },
            KeyKind::Float { min, max } | KeyKind::FloatOr { min, max, .. } => {
                match (number(value), row.kind) {
                    (Some(number), _) if (min..=max).contains(&number) => {
                        Ok(Argument::Float(number))
                    }
                    (Some(_), _) => Err(out_of_range()),
                    (None, KeyKind::FloatOr { name, .. }) if value.text() == Some(name) => {
                        Ok(Argument::Text(name.to_string()))
                    }
                    (None, KeyKind::FloatOr { .. }) if value.text().is_some() => Err(Box::new(
                        Diagnostic::error(
                            codes::UNKNOWN_VALUE,
                            format!(
                                "unknown value `{}` for `{path}`",
                                value.text().unwrap_or_default()
                            ),
                        )
                        .at(value.span, "")
                        .note(format!("it is {}", row.type_text())),
                    )),
                    _ => Err(wrong_type()),
                }
            }
            KeyKind::Triple { min, max } => {
                let Kind::Array(items) = &value.kind else {
                    return Err(wrong_type());
                };
                let numbers: Option<Vec<f64>> = items.iter().map(number).collect();
                match numbers {
                    Some(numbers)
                        if numbers.len() == 3
                            && numbers.iter().all(|number| (min..=max).contains(number)) =>
                    {
                        Ok(Argument::List(
                            numbers.into_iter().map(Argument::Float).collect(),
                        ))
                    }
                    Some(_) => Err(out_of_range()),
                    None => Err(wrong_type()),
                }
            }
            KeyKind::Bool => match value.kind {
                Kind::Bool(flag) => Ok(Argument::Bool(flag)),
                _ => Err(wrong_type()),
            },
            KeyKind::Texts => match value.argument() {
                Some(Argument::List(items))
                    if items.iter().all(|item| matches!(item, Argument::Text(_))) =>
                {
                    Ok(Argument::List(items))
                }
                _ => Err(wrong_type()),
            },
            KeyKind::Text => value
                .text()
                .map(|text| Argument::Text(text.to_string()))
                .ok_or_else(wrong_type),
            KeyKind::Name => {
                let text = value.text().ok_or_else(wrong_type)?;
                let legal = |character: char| {
                    character.is_ascii_alphanumeric() || "-_./".contains(character)
                };
                let escapes = text.starts_with('/')
                    || text
                        .split('/')
                        .any(|part| part.is_empty() || part == "." || part == "..");
                if text.is_empty() || !text.chars().all(legal) || escapes || text.len() > 200 {
                    return Err(Box::new(
                        Diagnostic::error(codes::BAD_NAME, format!("`{path}` is not a name"))
                            .at(value.span, "")
                            .note("names consist of letters, digits, `-`, `_`, `.` and single `/` between them"),
                    ));
                }
                Ok(Argument::Text(text.to_string()))
            }
            KeyKind::Path { words } => {
                let text = value.text().ok_or_else(wrong_type)?;
                if words.contains(&text) {
                    return Ok(Argument::Text(text.to_string()));
                }
                self.path(text, value.span).map(Argument::Text)
            }
            KeyKind::Choice(names) | KeyKind::ChoiceOrFile(names) => {
                let text = value.text().ok_or_else(wrong_type)?;
                if names.contains(&text) {
                    return Ok(Argument::Text(text.to_string()));
                }
                Err(Box::new(
                    Diagnostic::error(
                        codes::UNKNOWN_VALUE,
                        format!("unknown value `{text}` for `{path}`"),
                    )
                    .at(value.span, "")
                    .note(format!("it is {}", row.type_text())),
                ))
            }
            // An unknown one is reported where presets are filled in.
            KeyKind::Preset(_) => value
                .text()
                .map(|text| Argument::Text(text.to_string()))
                .ok_or_else(wrong_type),
        }
    }

    /// A data path, absolute: from the file that writes it and under the project, or from the working directory.
    fn path(&self, text: &str, span: Span) -> Result<String, Box<Diagnostic>> {
        let path = match self.merged.layer(span.source) {
            Some(Layer::File(file)) => {
                let joined = Loader::join(file, text);
                self.loader.check_inside(text, &joined, Some(span))?;
                joined
            }
            _ => std::path::PathBuf::from(text),
        };
        let absolute = std::path::absolute(&path).unwrap_or(path);
        Ok(crate::source::normalise(&absolute)
            .to_string_lossy()
            .into_owned())
    }

    /// Keys that exist only beside another value of a tag.
    fn kinds(&mut self) {
        let paths: Vec<String> = self.resolved.keys.keys().cloned().collect();
        for path in paths {
            let segments = split_path(&path);
            let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
            let Some((row, when)) = find(&segments).and_then(|row| Some((row, row.when?))) else {
                continue;
            };
            let tag = tag_path(&segments, when.tag);
            let Some(value) = self.tag_value(&tag) else {
                continue;
            };
            if when.values.contains(&value.as_str()) || value.ends_with(".toml") {
                continue;
            }
            let diagnostic = Diagnostic::error(
                codes::WRONG_KIND,
                format!("`{path}` has no meaning with `{} = \"{value}\"`", when.tag),
            )
            .at(self.resolved.place(&path), "")
            .with(self.resolved.place(&tag), "chosen here")
            .note(format!(
                "`{}` belongs to {}",
                row.leaf(),
                when.values
                    .iter()
                    .map(|value| format!("`{} = \"{value}\"`", when.tag))
                    .collect::<Vec<_>>()
                    .join(" and ")
            ));
            let place = self.resolved.assigned(&path);
            let diagnostic = match place {
                Some(value) => {
                    suggest::remove(diagnostic, &self.library.sources, value, "remove it")
                }
                None => diagnostic.help("remove it".to_string()),
            };
            self.report(diagnostic);
            self.resolved.keys.shift_remove(&path);
            self.failed.push(path);
        }
    }

    /// A tag's value or default.
    fn tag_value(&self, path: &str) -> Option<String> {
        if let Some(text) = self.resolved.text(path) {
            return Some(text.to_string());
        }
        let segments = split_path(path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match find(&segments)?.default {
            KeyDefault::Text(text) if !self.failed.iter().any(|failed| failed == path) => {
                Some(text.to_string())
            }
            _ => None,
        }
    }

    /// Whether the sections that need each other are there; returns the names of the missing ones.
    fn sections(&mut self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        let entry = self.merged.table.get("decoder");
        let reconstructs = self.objective() == Some("reconstruction");
        if let (Some(entry), true) = (entry, reconstructs) {
            let diagnostic = Diagnostic::error(
                codes::WRONG_KIND,
                "objective `reconstruction` has no text, so nothing reads `[decoder]`",
            );
            let help = "an inherited table goes by `remove = [\"decoder\"]`";
            let diagnostic = diagnostic.at(entry.key, "").help(help.to_string());
            let diagnostic = self.without(diagnostic, entry);
            self.report(diagnostic);
        }
        if !self.has_section("decoder") && !reconstructs {
            missing.push("decoder");
            let start = self.merged.start;
            let diagnostic =
                Diagnostic::error(codes::INCOMPLETE, "the model has no `[decoder]`").at(start, "");
            let lines =
                "\n[decoder]\nvariant = \"85m\"\nvocabulary = 8192\nmax_sequence_length = 512";
            let diagnostic = self.appended(diagnostic, "for example", lines);
            self.report(diagnostic);
        }
        let kind = self.objective().unwrap_or("language").to_owned();
        if kind != "language" && !self.resolved.vision {
            let entry = self.merged.table.at("objective.kind");
            let span = entry.map(|entry| entry.value.span);
            let message =
                format!("objective `{kind}` is about pictures, but there is no `[encoder]`");
            let mut diagnostic = Diagnostic::error(codes::INCOMPLETE, message).at(span, "");
            diagnostic = diagnostic.help("add `[encoder]` and `[connector]`".to_string());
            self.report(diagnostic.patch("or learn from texts", span, "\"language\""));
        }
        if self.resolved.vision {
            for section in ["encoder", "connector"] {
                if !self.has_section(section) {
                    missing.push(section);
                    let other = VISION.iter().find_map(|other| self.merged.table.get(other));
                    let diagnostic = Diagnostic::error(
                        codes::INCOMPLETE,
                        format!("the model has an image side but no `[{section}]`"),
                    )
                    .at(other.map(|entry| entry.key), "the image side begins here")
                    .note("a text-only model has none of `[encoder]`, `[image]` and `[connector]`");
                    let diagnostic = match section {
                        "connector" => self.appended(
                            diagnostic,
                            "for example",
                            "\n[connector]\nkind = \"avg-pool\"\nimage_tokens = 64",
                        ),
                        _ => self.appended(
                            diagnostic,
                            "for example",
                            "\n[encoder]\nvariant = \"clip-vit-b/16\"\nresolution = 224\nfeatures.final_norm = false",
                        ),
                    };
                    self.report(diagnostic);
                }
            }
        }
        if let Some(entry) = self.merged.table.get("data") {
            // Sources that are no table are reported as such.
            let is_empty = match self
                .merged
                .table
                .at("data.sources")
                .map(|entry| &entry.value)
            {
                Some(value) => value.table().is_some_and(|table| table.entries.is_empty()),
                None => true,
            };
            if is_empty {
                let diagnostic = Diagnostic::error(codes::INCOMPLETE, "`[data]` has no source")
                    .at(entry.key, "");
                let task = match self.resolved.vision {
                    true => "caption",
                    false => "text",
                };
                let lines =
                    format!("\n[data.sources.scenes]\nkind = \"scenes\"\ntask = \"{task}\"");
                let diagnostic = self.appended(diagnostic, "for example", &lines);
                self.report(diagnostic);
            }
        }
        missing
    }

    /// Adds lines to the end of the first file.
    fn appended(&self, diagnostic: Diagnostic, message: &str, lines: &str) -> Diagnostic {
        let place = self
            .merged
            .start
            .and_then(|start| edit::at_end(&self.library.sources, start.source, lines));
        match place {
            Some((place, text)) => diagnostic.patch(message, place, text),
            None => diagnostic,
        }
    }

    /// `objective.kind`, where it is written as a text.
    fn objective(&self) -> Option<&str> {
        self.merged.table.at("objective.kind")?.value.text()
    }

    /// `[decoder.moe]`, where it is a table.
    fn moe(&self) -> Option<&Table> {
        self.merged.table.at("decoder.moe")?.value.table()
    }

    /// Whether a row applies to this model at all.
    fn applies(&self, row: &Key, missing: &[&str]) -> bool {
        let section = row.path.split('.').next().unwrap_or_default();
        if row.path.starts_with("decoder.moe.") && self.moe().is_none() {
            return false;
        }
        match section {
            "encoder" | "image" | "connector" => {
                self.resolved.vision && !missing.contains(&section)
            }
            "decoder" => self.has_section("decoder") && !missing.contains(&section),
            "objective" => self.has_section("objective"),
            "data" => self.has_section("data"),
            _ => true,
        }
    }

    fn defaults(&mut self, missing: Vec<&str>) {
        let sources: Vec<String> = self
            .merged
            .table
            .at("data.sources")
            .and_then(|entry| entry.value.table())
            .map(|table| table.entries.keys().cloned().collect())
            .unwrap_or_default();
        let mut ordered = indexmap::IndexMap::new();
        for row in KEYS {
            if !self.applies(row, &missing) {
                continue;
            }
            let paths: Vec<String> = if row.path.starts_with("data.sources.*.") {
                let instances = sources
                    .iter()
                    .filter(|name| join_path([name.as_str()]) == **name);
                instances.map(|name| row.path.replace('*', name)).collect()
            } else if row.path.contains('*') {
                let given = self.resolved.keys.keys();
                given
                    .filter(|path| {
                        let segments = split_path(path);
                        row.matches(&segments.iter().map(String::as_str).collect::<Vec<_>>())
                    })
                    .cloned()
                    .collect()
            } else {
                vec![row.path.to_string()]
            };
            for path in paths {
                self.default(row, &path);
                if let Some(key) = self.resolved.keys.get(&path) {
                    ordered.insert(path, key.clone());
                }
            }
        }
        // What is left are arguments of project components.
        for (path, key) in &self.resolved.keys {
            ordered.entry(path.clone()).or_insert_with(|| key.clone());
        }
        self.resolved.keys = ordered;
    }

    fn default(&mut self, row: &Key, path: &str) {
        if self.resolved.keys.contains_key(path) || self.failed.iter().any(|failed| failed == path)
        {
            return;
        }
        let segments = split_path(path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        if let Some(when) = row.when {
            let value = self.tag_value(&tag_path(&segments, when.tag));
            if value.is_none_or(|value| !when.values.contains(&value.as_str())) {
                return;
            }
        }
        let (value, origin) = match row.default {
            KeyDefault::Absent => return,
            KeyDefault::Required(example) => {
                self.missing(row, path, &segments, example);
                return;
            }
            KeyDefault::Int(value) => (Argument::Int(value), Origin::Default),
            KeyDefault::Float(value) => (Argument::Float(value), Origin::Default),
            KeyDefault::Bool(value) => (Argument::Bool(value), Origin::Default),
            KeyDefault::Text(value) => (Argument::Text(value.to_string()), Origin::Default),
            KeyDefault::NoTexts => (Argument::List(Vec::new()), Origin::Default),
            KeyDefault::Triple(values) => (
                Argument::List(values.into_iter().map(Argument::Float).collect()),
                Origin::Default,
            ),
            // Without its inputs there is nothing to compute; they are reported themselves.
            KeyDefault::Computed(rule, compute) => match compute(&self.resolved) {
                Some(value) => (value, Origin::Computed(rule)),
                None => return,
            },
        };
        self.resolved
            .keys
            .insert(path.to_string(), ResolvedKey { value, origin });
    }

    fn missing(&mut self, row: &Key, path: &str, segments: &[&str], example: &str) {
        let section = segments.first().copied().unwrap_or_default();
        if self.merged.unknown_presets.contains(&section) && presets::governs(segments) {
            return;
        }
        // Marked at the innermost table that is written.
        let parents = &segments[..segments.len() - 1];
        let place = (1..=parents.len())
            .rev()
            .find_map(|count| self.merged.table.at(&parents[..count].join(".")))
            .map(|entry| entry.key)
            .or(self.merged.start);
        // Where another key makes this one necessary, that key is what the reader wrote.
        let tag = row.when.map(|when| tag_path(segments, when.tag));
        let tag = tag.and_then(|tag| self.resolved.assigned(&tag));
        let sources = &self.library.sources;
        let (table, start) = (&self.merged.table, self.merged.start);
        let patch = edit::added(sources, table, start, segments, example);
        let mark = if tag.is_some() { "this wants it" } else { "" };
        let mut diagnostic = Diagnostic::error(codes::MISSING_KEY, format!("`{path}` is missing"))
            .at(tag.or(place), mark)
            .note(format!(
                "it is {}: {}",
                row.type_text(),
                first_lower(row.doc)
            ));
        if presets::governs(segments) && self.resolved.get(&format!("{section}.variant")).is_none()
        {
            diagnostic = diagnostic.help(format!("or choose a preset with `{section}.variant`"));
        }
        diagnostic = match patch {
            Some((place, text)) => diagnostic.patch("for example", place, text),
            None => diagnostic.help(format!("for example `{path} = {example}`")),
        };
        self.report(diagnostic);
    }
}

/// `a.b.leaf` to `a.b.tag`.
fn tag_path(segments: &[&str], tag: &str) -> String {
    let parents = segments[..segments.len().saturating_sub(1)].iter().copied();
    join_path(parents.chain([tag]))
}

/// A doc line within a sentence.
fn first_lower(doc: &str) -> String {
    let mut characters = doc.trim_end_matches('.').chars();
    characters
        .next()
        .map(|first| first.to_lowercase().collect::<String>() + characters.as_str())
        .unwrap_or_default()
}
