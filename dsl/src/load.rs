//! From a path to a validated [`Model`].

use std::path::Path;

use crate::checks;
use crate::component::Library;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::layers::{self, Over};
use crate::lower;
use crate::model::Model;
use crate::source::{Loader, Sources};
use crate::tree;
use crate::validate;

/// Reads the graph file at `path` with its parents, lays `sets` (`a.b=value`) over it and checks everything.
///
/// Nothing but graph and component files is read; data and weights are not looked at.
///
/// # Errors
/// Every error found, in the order of files and lines.
pub fn load(path: &Path, sets: &[String]) -> Result<Model, Diagnostics> {
    load_with(Loader::for_file(path), path, None, sets)
}

/// As [`load`], of a text that stands in for the file at `path`, such as the one that a package
/// keeps. Paths in it are as if it were there.
///
/// # Errors
/// As [`load`].
pub fn load_text(path: &Path, text: &str, sets: &[String]) -> Result<Model, Diagnostics> {
    load_with(Loader::for_text(path, text), path, None, sets)
}

/// Lets the loader read the components that a resolved graph file holds. What is wrong with the file is
/// said when its layers are merged.
fn hold_components(loader: &mut Loader, path: &Path) {
    let Ok(text) = loader.read(path, None) else {
        return;
    };
    let (table, _) = tree::parse(0, &text);
    let held = table.get(layers::HELD).and_then(|it| it.value.table());
    for (name, entry) in held.iter().flat_map(|held| &held.entries) {
        if let Some(text) = entry.value.text() {
            loader.hold(path, name, text);
        }
    }
}

/// As [`load`] by `loader`, with a variant of a study `over` the file.
pub(crate) fn load_with(
    mut loader: Loader,
    path: &Path,
    over: Option<&Over<'_>>,
    sets: &[String],
) -> Result<Model, Diagnostics> {
    hold_components(&mut loader, path);
    let mut library = Library::embedded();
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let mut sources: Sources = std::mem::take(&mut library.sources);
    let merged = layers::merge(&loader, &mut sources, path, over, sets, &mut diagnostics);
    library.sources = sources;
    let fail =
        |list: Vec<Diagnostic>, sources: Sources| Err(Diagnostics { list, sources }.sorted());

    // A file that is read only in part would give errors that follow from it.
    if !merged.complete {
        return fail(diagnostics, library.sources);
    }
    let resolved = validate::validate(&merged, &loader, &mut library, &mut diagnostics);
    checks::check(&resolved, &merged, &library.sources, &mut diagnostics);
    if !diagnostics.is_empty() {
        lower::check_components(&resolved, &library, &mut diagnostics);
        return fail(diagnostics, library.sources);
    }
    let sources = library.sources.clone();
    match lower::lower(resolved, library) {
        Ok(model) => Ok(model),
        Err(list) => fail(list, sources),
    }
}
