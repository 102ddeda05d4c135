//! What may change between a checkpoint and the run that goes on from it.

use mm1_dsl::diff::Change;
use mm1_dsl::model::Model;

use crate::compile::load_model;
use crate::failure::Failure;

/// Keys that a run may change on the way: they leave data order, parameters and the meaning
/// of the optimizer's state as they are. `*` stands for one name.
const FREE: &[&str] = &[
    "data.bad_sample_budget",
    "data.sources.*.classes",
    "data.sources.*.evaluation_path",
    "train.checkpoint_every",
    "train.clip_norm",
    "train.evaluate_every",
    "train.evaluation_examples",
    "train.generate_tokens",
    "train.keep_checkpoints",
    "train.log_every",
    "train.lr",
    "train.lr_floor",
    "train.lr_scale.*",
    "train.nonfinite_limit",
    "train.steps",
    "train.warmup_steps",
    "train.weight_decay",
    "train.weight_decay_convention",
    "train.z_loss",
];

/// Compares the resolved file of a checkpoint with the model that is to go on; returns lines
/// that say what changed.
///
/// # Errors
/// A change under which the checkpoint would not be that of this run.
pub fn check_changes(old: &str, new: &Model) -> Result<Vec<String>, Failure> {
    if old == new.resolved {
        return Ok(Vec::new());
    }
    let old = model_of_text(old)?;
    let (free, bound): (Vec<Change>, Vec<Change>) = mm1_dsl::diff(&old, new)
        .changes
        .into_iter()
        .partition(|change| FREE.iter().any(|pattern| matches(pattern, &change.path)));
    let lines = |changes: &[Change]| changes.iter().map(line).collect::<Vec<_>>();
    if bound.is_empty() {
        return Ok(lines(&free));
    }
    Err(Failure::new(format!(
        "the run cannot go on under another model; what changed since its checkpoint:\n  {}\n\
         take the changes back, or start a new run with --run-dir",
        lines(&bound).join("\n  ")
    )))
}

fn line(change: &Change) -> String {
    let side = |value: &Option<mm1_dsl::component::Argument>| {
        value
            .as_ref()
            .map_or("nothing".to_string(), ToString::to_string)
    };
    format!(
        "{}: {} -> {}",
        change.path,
        side(&change.left),
        side(&change.right)
    )
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('.'), path.split('.'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

/// The model of a resolved file's text, which names nothing outside of itself but components
/// of the project and data.
///
/// # Errors
/// A text that is no graph file of this version.
pub fn model_of_text(text: &str) -> Result<Model, Failure> {
    // The language reads files only; the text goes through one of this process's own.
    let path = std::env::temp_dir().join(format!("mm1c-{}-resolved.toml", std::process::id()));
    std::fs::write(&path, text).map_err(|error| Failure::at(&path, error))?;
    let model = load_model(&path, &[]);
    // Left behind, it would only be a small file in the folder for such.
    let _ = std::fs::remove_file(&path);
    model
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn tiny(sets: &[&str]) -> Model {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/mm1-tiny.toml");
        let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
        mm1_dsl::load(&path, &sets).expect("a model of this repository")
    }

    #[test]
    fn free_changes_are_listed_and_others_refused() {
        let old = tiny(&[]).resolved;
        assert_eq!(check_changes(&old, &tiny(&[])), Ok(Vec::new()));
        let lines = check_changes(&old, &tiny(&["train.steps=20", "train.log_every=1"]));
        let lines = lines.expect("free keys");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines.iter().any(|line| line.ends_with("-> 20")),
            "{lines:?}"
        );
        for bound in [
            "decoder.depth=2",
            "train.seed=7",
            "data.sources.captions.weight=0.1",
            "train.micro_batch_sequences=8",
            "image.filter=\"nearest\"",
        ] {
            let error = check_changes(&old, &tiny(&["train.steps=20", bound]));
            let error = error.expect_err(bound).to_string();
            let key = bound.split('=').next().expect("a key");
            assert!(
                error.contains(key) && !error.contains("train.steps"),
                "{error}"
            );
        }
    }

    #[test]
    fn patterns_match_whole_paths() {
        assert!(matches(
            "data.sources.*.classes",
            "data.sources.photos.classes"
        ));
        assert!(!matches(
            "data.sources.*.classes",
            "data.sources.photos.path"
        ));
        assert!(!matches("train.lr", "train.lr.x"));
        assert!(!matches("train.lr_scale.*", "train.lr_scale"));
    }
}
