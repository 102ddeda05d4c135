//! All component files that a model may call.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::file::ComponentFile;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::nearest::{did_you_mean, nearest};
use crate::source::{Loader, Sources};
use crate::span::Span;
use crate::tree;

/// Component files, parsed but not instantiated, with the texts that their spans point into.
#[derive(Clone, Debug, Default)]
pub struct Library {
    pub(super) components: IndexMap<String, ComponentFile>,
    /// The texts of the components; in a loaded model, of every file of the model.
    pub sources: Sources,
}

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../models/components/", $name, ".toml")))),*]
    };
}

/// Name and text of every embedded component.
pub const EMBEDDED: &[(&str, &str)] = embedded![
    "attention-pool",
    "avg-pool",
    "c-abstractor",
    "class-projection",
    "class-token",
    "decoder",
    "decoder-block",
    "expert-gelu-mlp",
    "expert-swiglu",
    "gelu-mlp",
    "layer-norm",
    "layer-scale",
    "learned-position",
    "mlp",
    "moe-block",
    "moe-decoder",
    "moe-layers",
    "moe-mlp",
    "patch-head",
    "patch-head-block",
    "register-tokens",
    "regnet-block",
    "regnet-shortcut",
    "rms-norm",
    "swiglu",
    "vit",
    "vit-block",
    "with-class-token",
    "zero-centered-rms-norm",
];

impl Library {
    /// The components in the binary.
    pub fn embedded() -> Self {
        let mut library = Self::default();
        for (name, text) in EMBEDDED {
            let added = library.add(name, &format!("models/components/{name}.toml"), text);
            debug_assert!(
                added.is_ok(),
                "embedded component {name} is malformed: {added:?}"
            );
        }
        library
    }

    /// Parses `text` and adds it as `name`; messages call the file `display`.
    ///
    /// # Errors
    /// Everything wrong with the file; the library is then unchanged but for its sources.
    pub fn add(&mut self, name: &str, display: &str, text: &str) -> Result<(), Vec<Diagnostic>> {
        let source = self.sources.add(display, text);
        let (table, diagnostics) = tree::parse(source, text);
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        let file = ComponentFile::lower(name, source, &table)?;
        self.components.insert(name.to_string(), file);
        Ok(())
    }

    /// Reads the project's component at `path` and every project component that it names, and returns its name
    /// in the library. `span` is where it is named.
    ///
    /// # Errors
    /// Everything wrong with these files.
    pub fn add_project_file(
        &mut self,
        loader: &Loader,
        path: &Path,
        written: &str,
        span: Option<Span>,
    ) -> Result<String, Vec<Diagnostic>> {
        let name = loader.component_name(path);
        let mut waiting: Vec<(PathBuf, String, Option<Span>)> =
            vec![(path.to_path_buf(), written.to_string(), span)];
        let mut diagnostics = Vec::new();
        while let Some((path, written, span)) = waiting.pop() {
            let name = loader.component_name(&path);
            if self.components.contains_key(&name) {
                continue;
            }
            let text = loader
                .check_inside(&written, &path, span)
                .and_then(|()| loader.read(&path, span));
            let text = match text {
                Ok(text) => text,
                Err(diagnostic) => {
                    diagnostics.push(*diagnostic);
                    continue;
                }
            };
            let display = crate::source::normalise(&path);
            if let Err(found) = self.add(&name, &display.to_string_lossy(), &text) {
                diagnostics.extend(found);
                continue;
            }
            let Some(file) = self.components.get_mut(&name) else {
                continue;
            };
            for (reference, span) in file.references_mut() {
                if reference.ends_with(".toml") {
                    let target = Loader::join(&path, reference);
                    let written = std::mem::replace(reference, loader.component_name(&target));
                    waiting.push((target, written, Some(span)));
                }
            }
        }
        if diagnostics.is_empty() {
            Ok(name)
        } else {
            Err(diagnostics)
        }
    }

    /// Names and texts of the components that are files of the project.
    pub fn of_project(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self
            .components
            .iter()
            .filter(|(name, _)| name.ends_with(".toml"));
        files.filter_map(|(name, file)| {
            let source = self.sources.get(file.span.source)?;
            Some((name.as_str(), source.text.as_str()))
        })
    }

    /// The component `name`.
    pub fn get(&self, name: &str) -> Option<&ComponentFile> {
        self.components.get(name)
    }

    /// Names of all components.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.components.keys().map(String::as_str)
    }

    /// The message for a component that is not there.
    pub(super) fn unknown(&self, name: &str, span: Option<Span>) -> Diagnostic {
        let diagnostic = Diagnostic::error(
            codes::UNKNOWN_COMPONENT,
            format!("unknown component `{name}`"),
        )
        .at(span, "");
        let near = nearest(name, self.names());
        match (near.first(), did_you_mean(&near)) {
            (Some(best), Some(question)) => diagnostic.patch(question, span, format!("\"{best}\"")),
            _ => diagnostic.help("a component of the project is named by its path".to_string()),
        }
    }
}
