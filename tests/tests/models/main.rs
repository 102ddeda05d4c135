//! The files under `models/`: each is correct, an overlay of a study is short and says its place in
//! the paper, and what it changes is kept as text in `diffs/`.
//!
//! `MM1C_BLESS=1` rewrites the kept text and removes what nothing makes any more.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod counts;
mod keys;
mod refusals;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mm1_compiler::build::{Purpose, build};
use mm1_dsl::diagnostic::Diagnostics;
use mm1_dsl::model::Model;
use mm1_dsl::{diff, load};
use mm1_tests::golden;

/// Most lines of settings in an overlay.
const LONGEST: usize = 6;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

/// Files under `folder` whose names end in `end`, sorted; parts of models are left out.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["components", "presets", "studies", "weights"].contains(&name) {
                    waiting.push(path);
                }
            } else if name.ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The file that `path` extends.
fn parent(path: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(path).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("extends = "))?;
    let named = path.parent().unwrap().join(line.trim().trim_matches('"'));
    Some(named.canonicalize().unwrap())
}

/// Files of studies but those that others extend.
fn overlays() -> Vec<PathBuf> {
    let all = files(&models().join("ablations"), ".toml");
    let bases: Vec<PathBuf> = all.iter().filter_map(|path| parent(path)).collect();
    let mut overlays = all;
    overlays.retain(|path| {
        !bases.contains(&path.canonicalize().unwrap()) && !path.ends_with("tiny/scenes.toml")
    });
    overlays
}

#[test]
fn every_file_is_correct() {
    let files = files(&models(), ".toml");
    assert!(files.len() > 100, "{} files", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let built = load(file, &[]).and_then(|model| {
            let sources = model.sources().clone();
            let built = build(&model, Purpose::All);
            built.map_err(|list| Diagnostics { list, sources })
        });
        if let Err(found) = built {
            wrong.push(format!("{}:\n{found}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn overlays_are_short_and_say_their_place() {
    let overlays = overlays();
    assert!(overlays.len() > 70, "{} overlays", overlays.len());
    let mut bases: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for path in overlays {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.display();
        let settings = text
            .lines()
            .filter(|it| !it.is_empty() && !it.starts_with('#'));
        let count = settings.count();
        assert!(count <= LONGEST, "{shown} has {count} lines of settings");
        let place = ["Table ", "Table 1's", "Figure ", "ppendix "];
        let first: String = text.lines().take_while(|it| it.starts_with('#')).collect();
        assert!(
            place.iter().any(|it| first.contains(it)),
            "{shown}: {first}"
        );
        // All files of a study extend one.
        let base = parent(&path).unwrap_or_else(|| panic!("{shown} extends nothing"));
        let study = path.parent().unwrap().to_path_buf();
        let known = bases.entry(study).or_insert_with(|| base.clone());
        assert_eq!(*known, base, "{shown}");
    }
}

/// Tuning takes weights of the model it is named after, so all sizes are that model's.
#[test]
fn a_chat_stage_tunes_the_model_of_its_name() {
    let stages = files(&models().join("family"), "-chat.toml");
    assert_eq!(stages.len(), 5);
    for stage in stages {
        let name = stage.file_name().unwrap().to_str().unwrap();
        let trained = stage.with_file_name(name.replace("-chat", ""));
        let [before, after] = [&trained, &stage].map(|it| load(it, &[]).unwrap());
        let sizes = |model: &Model| -> BTreeMap<String, String> {
            let parts = ["encoder.", "connector.", "decoder."];
            let keys = model.keys.keys.iter().filter(|(key, _)| {
                parts.iter().any(|part| key.starts_with(part))
                    && *key != "decoder.max_sequence_length"
            });
            keys.map(|(key, it)| (key.clone(), format!("{:?}", it.value)))
                .collect()
        };
        assert!(sizes(&before).len() > 30, "{name}");
        assert_eq!(sizes(&before), sizes(&after), "{name}");
        let run = format!("run:runs/{}", before.name.replace('/', "-"));
        for part in ["encoder", "connector", "decoder"] {
            assert_eq!(after.init[part], run, "{name}: {part}");
        }
    }
}

#[test]
fn what_each_changes_is_as_kept() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("diffs");
    let (mut failures, mut made) = (Vec::new(), Vec::new());
    for path in overlays() {
        let base = parent(&path).unwrap();
        let [left, right] = [&base, &path]
            .map(|it| load(it, &[]).unwrap_or_else(|error| panic!("{}:\n{error}", it.display())));
        let name = path.strip_prefix(models().join("ablations")).unwrap();
        let file = kept.join(name).with_extension("txt");
        // Data are named by their place on this machine.
        let here = models().canonicalize().unwrap().display().to_string();
        let text = diff(&left, &right).to_string().replace(&here, "models");
        failures.extend(golden::check(&file, &text).err());
        made.push(file);
    }
    for stale in files(&kept, ".txt") {
        if made.contains(&stale) {
            continue;
        }
        if golden::bless() {
            fs::remove_file(&stale).unwrap();
        } else {
            failures.push(format!("nothing makes {}", stale.display()));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
