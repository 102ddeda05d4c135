//! Which assignment of the graph file a refusal is laid to, and what would be right there.

use std::collections::BTreeSet;

use mm1_dsl::codes;
use mm1_dsl::diagnostic::Diagnostic;
use mm1_dsl::edit;
use mm1_dsl::model::Model;
use mm1_dsl::nearest::{did_you_mean, nearest};
use mm1_dsl::resolved::join_path;
use mm1_dsl::span::Span;

use super::layout::Layout;
use super::{Outcome, matches};
use crate::graph::text::print_dims;
use crate::graph::{Dim, Graph, Value};

/// Parts of models, of which one may have some.
const PARTS: [&str; 4] = ["encoder", "connector", "decoder", "head"];

/// Adds to findings of a component the key that chose it: the place of those that have none.
pub(super) fn chosen<T>(
    model: &Model,
    key: &str,
    component: &str,
    result: Outcome<T>,
) -> Outcome<T> {
    result.map_err(|list| {
        let chosen = model.assigned.get(key).copied();
        let file = model.components.get(component).map(|it| it.span);
        let blamed = list.into_iter().map(|found| {
            let found = match found.primary {
                Some(_) => found.with(chosen, "this component"),
                None => found
                    .at(chosen.or(file), "this component")
                    .with(file, "declared here"),
            };
            match found.help.is_empty() && found.patch.is_none() {
                true => found.help(format!(
                    "make the sizes agree in that file, or choose another `{key}`"
                )),
                false => found,
            }
        });
        blamed.collect()
    })
}

/// Checks that a component gives what its place takes.
pub(super) fn gives(graph: &Graph, name: &str, value: Value, wanted: &[Dim]) -> Outcome<()> {
    let given = &graph.ty(value).dims;
    if given[..] == *wanted {
        return Ok(());
    }
    let message = format!(
        "output `{name}` has the sizes {}, but its place takes {}",
        print_dims(graph, given),
        print_dims(graph, wanted)
    );
    Err(vec![Diagnostic::error(codes::SHAPE, message)])
}

/// Refuses patterns that match no parameter.
pub(super) fn patterns(model: &Model, layout: &Layout) -> Outcome<()> {
    let train = &model.train;
    let lists = [
        ("train.freeze", &train.freeze),
        ("train.no_decay", &train.no_decay),
    ];
    let lists = lists
        .iter()
        .flat_map(|(key, list)| list.iter().map(move |pattern| (*key, pattern)));
    let rates = train.lr_scale.keys().map(|it| ("train.lr_scale", it));
    let mut strange = lists.chain(rates);
    let known = |pattern: &str| {
        let mut parameters = layout.parameters.iter();
        parameters.any(|parameter| matches(pattern, &parameter.name))
    };
    let strange: Vec<(&str, &String)> = strange.by_ref().filter(|it| !known(it.1)).collect();
    if strange.is_empty() {
        return Ok(());
    }
    // What a pattern could be: a name, or its beginning and a star.
    let possible: BTreeSet<String> = layout
        .parameters
        .iter()
        .flat_map(|parameter| {
            let name = parameter.name.as_str();
            let begins = name
                .match_indices('.')
                .map(|(at, _)| format!("{}.*", &name[..at]));
            begins.chain([name.to_owned()])
        })
        .collect();
    let found = strange.into_iter().map(|(key, pattern)| {
        let message = format!("`{pattern}` in `{key}` matches no parameter");
        // A part that this model does not have is no misspelling of another.
        let part = pattern.split('.').next().unwrap_or(pattern);
        let is_absent = PARTS.contains(&part) && !known(&format!("{part}.*"));
        let candidates = possible.iter().map(String::as_str);
        let near = nearest(pattern, candidates.filter(|_| !is_absent));
        let (written, whole) = written(model, key, pattern);
        let found = Diagnostic::error(codes::PATTERN_MATCHES_NOTHING, message)
            .at(written.or(whole), "this pattern");
        let sources = model.sources();
        match (near.first(), did_you_mean(&near), written) {
            (Some(best), Some(question), Some(span)) => {
                found.patch(question, span, format!("\"{best}\""))
            }
            (_, Some(question), _) => found.help(question),
            _ => {
                let lines = match key {
                    "train.lr_scale" => whole.and_then(|value| edit::assignment(sources, value)),
                    _ => written.and_then(|item| edit::item(sources, item)),
                };
                let found = found.note("`mm1c summary` shows what there is");
                match lines {
                    Some(lines) => found.patch("leave it out", lines, ""),
                    None => found.help("leave it out".to_owned()),
                }
            }
        }
    });
    Err(found.collect())
}

/// Where the pattern itself stands, with its quotes, and the value of its assignment.
fn written(model: &Model, key: &str, pattern: &str) -> (Option<Span>, Option<Span>) {
    let is_rate = key == "train.lr_scale";
    let path = match is_rate {
        true => join_path(["train", "lr_scale", pattern]),
        false => key.to_owned(),
    };
    let Some(value) = model.assigned.get(&path).copied() else {
        return (None, None);
    };
    let sources = model.sources();
    let range = sources.clamp(value);
    let text = sources.get(value.source).map_or("", |it| it.text.as_str());
    // A rate's pattern is its key, before the value; others are entries of the list.
    let region = match is_rate {
        true => {
            let start = text[..range.start].rfind('\n').map_or(0, |feed| feed + 1);
            start..range.start
        }
        false => range,
    };
    let place = ['"', '\''].iter().find_map(|quote| {
        let quoted = format!("{quote}{pattern}{quote}");
        let at = region.start + text[region.clone()].find(&quoted)?;
        Some(Span::new(value.source, at..at + quoted.len()))
    });
    (place, Some(value))
}
