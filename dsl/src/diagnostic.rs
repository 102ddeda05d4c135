//! Diagnostics: what is wrong, where, and what would be right.
//!
//! A [`Diagnostic`] is data; [`Diagnostics::render`] turns a list of them into text
//! in the manner of rustc. Wording: no capital at the start, no full stop on a single
//! sentence, names and values in backticks.

use annotate_snippets::renderer::{DecorStyle, Renderer};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Patch as SnippetPatch, Snippet};
use serde_json::{Value, json};

use crate::codes::Code;
use crate::source::Sources;
use crate::span::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The model is refused.
    Error,
    /// The model is built; the text is worth reading.
    Warning,
}

/// A marked place with a word on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there; may be empty.
    pub text: String,
}

/// A change of the file that would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// What the change does, as one line.
    pub message: String,
    /// The text that goes.
    pub span: Span,
    /// The text that comes.
    pub replacement: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// One line.
    pub message: String,
    /// The place to change; absent where no file is involved.
    pub primary: Option<Label>,
    /// Places that explain the finding.
    pub context: Vec<Label>,
    /// Further facts, one line each.
    pub notes: Vec<String>,
    /// Advice in words.
    pub help: Vec<String>,
    /// Advice as a change.
    pub patch: Option<Patch>,
}

impl Diagnostic {
    /// An error with nothing but its message.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: None,
            context: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
            patch: None,
        }
    }

    /// A warning with nothing but its message.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    /// Marks the place to change.
    #[must_use]
    pub fn at(mut self, span: impl Into<Option<Span>>, text: impl Into<String>) -> Self {
        if let Some(span) = span.into() {
            self.primary = Some(Label {
                span,
                text: text.into(),
            });
        }
        self
    }

    /// Marks a place that explains the finding, if it is known and not the primary one.
    #[must_use]
    pub fn with(mut self, span: impl Into<Option<Span>>, text: impl Into<String>) -> Self {
        let span = span.into();
        let is_primary = self.primary.as_ref().map(|label| label.span) == span;
        if let (Some(span), false) = (span, is_primary) {
            self.context.push(Label {
                span,
                text: text.into(),
            });
        }
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds advice, if there is any.
    #[must_use]
    pub fn help(mut self, text: impl Into<Option<String>>) -> Self {
        self.help.extend(text.into());
        self
    }

    /// Adds a change of the file, if the place is known.
    #[must_use]
    pub fn patch(
        mut self,
        message: impl Into<String>,
        span: impl Into<Option<Span>>,
        replacement: impl Into<String>,
    ) -> Self {
        if let Some(span) = span.into() {
            self.patch = Some(Patch {
                message: message.into(),
                span,
                replacement: replacement.into(),
            });
        }
        self
    }
}

/// Findings that [`Diagnostics::render`] prints; a file with more is not helped by them.
const MOST_RENDERED: usize = 100;

/// Findings together with the sources that their spans point into.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    /// In order of discovery; [`Diagnostics::sorted`] orders them by place.
    pub list: Vec<Diagnostic>,
    /// The texts.
    pub sources: Sources,
}

impl Diagnostics {
    /// Orders findings by file and place and drops repetitions. Findings without a place come first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.list.sort_by_key(|diagnostic| {
            (
                diagnostic.primary.as_ref().map(|label| label.span),
                diagnostic.code,
            )
        });
        self.list.dedup();
        self
    }

    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The texts after every suggested change, by number of their source. Of changes that overlap
    /// the first is made; another look at the changed texts finds what remains.
    pub fn patched(&self) -> Vec<(u32, String)> {
        let mut patches: Vec<&Patch> = self
            .list
            .iter()
            .filter_map(|it| it.patch.as_ref())
            .collect();
        patches.sort_by_key(|patch| (patch.span.source, patch.span.start, patch.span.end));
        let mut texts: Vec<(u32, String)> = Vec::new();
        let mut done: Option<Span> = None;
        for patch in patches {
            let Some(file) = self.sources.get(patch.span.source) else {
                continue;
            };
            let range = self.sources.clamp(patch.span);
            let begin = match done.filter(|done| done.source == patch.span.source) {
                Some(done) if range.start < done.end as usize => continue,
                Some(done) => done.end as usize,
                None => {
                    finish(&mut texts, done, &self.sources);
                    texts.push((patch.span.source, String::new()));
                    0
                }
            };
            if let Some((_, text)) = texts.last_mut() {
                text.push_str(&file.text[begin..range.start]);
                text.push_str(&patch.replacement);
            }
            done = Some(Span::new(patch.span.source, range));
        }
        finish(&mut texts, done, &self.sources);
        texts
    }

    /// The findings as data. Spans are bytes of the file, lines and columns count from 1; the change
    /// of a finding is the text that stands in the place of its span.
    pub fn json(&self) -> Value {
        let place = |span: Span| {
            let place = self.sources.place(span);
            let mut parts = place.rsplitn(3, ':');
            let mut number = || parts.next().and_then(|text| text.parse::<u64>().ok());
            let (column, line) = (number(), number());
            let range = self.sources.clamp(span);
            json!({
                "file": self.sources.get(span.source).map(|file| file.name.as_str()),
                "line": line,
                "column": column,
                "start": range.start,
                "end": range.end,
            })
        };
        let label = |label: &Label| {
            let mut value = place(label.span);
            value["text"] = json!(label.text);
            value
        };
        let finding = |it: &Diagnostic| {
            let patch = it.patch.as_ref().map(|patch| {
                let mut value = place(patch.span);
                value["message"] = json!(patch.message);
                value["replacement"] = json!(patch.replacement);
                value
            });
            json!({
                "code": it.code.to_string(),
                "severity": match it.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                },
                "message": it.message,
                "place": it.primary.as_ref().map(label),
                "context": it.context.iter().map(label).collect::<Vec<_>>(),
                "notes": it.notes,
                "help": it.help,
                "change": patch,
            })
        };
        Value::Array(self.list.iter().map(finding).collect())
    }

    /// The report as text, with terminal colours if `colour`. Each finding ends with a newline
    /// and an empty line; the count of errors comes last.
    pub fn render(&self, colour: bool) -> String {
        let mut text = String::new();
        for diagnostic in self.list.iter().take(MOST_RENDERED) {
            text.push_str(&render_one(diagnostic, &self.sources, colour));
            text.push_str("\n\n");
        }
        if let Some(more) = self
            .list
            .len()
            .checked_sub(MOST_RENDERED)
            .filter(|more| *more > 0)
        {
            text.push_str(&format!("... and {more} more\n\n"));
        }
        let errors = self
            .list
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .count();
        match errors {
            0 => {}
            1 => text.push_str("1 error\n"),
            _ => text.push_str(&format!("{errors} errors\n")),
        }
        text
    }
}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Diagnostics {}

/// Adds to the last text what follows its last change.
fn finish(texts: &mut [(u32, String)], done: Option<Span>, sources: &Sources) {
    if let (Some((_, text)), Some(done)) = (texts.last_mut(), done)
        && let Some(file) = sources.get(done.source)
    {
        text.push_str(&file.text[done.end as usize..]);
    }
}

/// Renders one finding against `sources`.
pub fn render_one(diagnostic: &Diagnostic, sources: &Sources, colour: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.to_string());
    let mut group = Group::with_title(title);

    // One snippet per source, the primary's first.
    let labels = || {
        let primary = diagnostic.primary.iter().map(|label| (true, label));
        primary.chain(diagnostic.context.iter().map(|label| (false, label)))
    };
    let mut order: Vec<u32> = Vec::new();
    for (_, label) in labels() {
        if !order.contains(&label.span.source) {
            order.push(label.span.source);
        }
    }
    for source in order {
        let Some(file) = sources.get(source) else {
            continue;
        };
        if file.text.trim().is_empty() {
            group = group.element(Origin::path(file.name.as_str()));
            continue;
        }
        let mut snippet = Snippet::source(file.text.as_str()).path(file.name.as_str());
        for (primary, label) in labels().filter(|(_, label)| label.span.source == source) {
            let kind = if primary {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            let mut annotation = kind.span(sources.clamp(label.span));
            if !label.text.is_empty() {
                annotation = annotation.label(label.text.as_str());
            }
            snippet = snippet.annotation(annotation);
        }
        group = group.element(snippet);
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let mut groups = vec![group];
    if let Some(patch) = &diagnostic.patch
        && let Some(file) = sources.get(patch.span.source)
    {
        groups.push(
            Group::with_title(Level::HELP.secondary_title(patch.message.as_str())).element(
                Snippet::source(file.text.as_str())
                    .path(file.name.as_str())
                    .patch(SnippetPatch::new(
                        sources.clamp(patch.span),
                        patch.replacement.as_str(),
                    )),
            ),
        );
    }
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.decor_style(DecorStyle::Ascii).render(&groups)
}
