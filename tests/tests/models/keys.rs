//! `mm1c diff` names every resolved key that changes: its lists against a comparison of the two resolved
//! texts that knows nothing of keys, over every overlay and over unlike models.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mm1_dsl::diff::Diff;
use mm1_dsl::model::Model;
use mm1_dsl::{diff, load};

use super::{files, models, overlays, parent};

/// Key, as written, to value, as written; and the sources in their order.
fn flatten(text: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut keys, mut sources, mut table) = (BTreeMap::new(), Vec::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(header) = line.strip_prefix('[') {
            table = format!("{}.", header.strip_suffix(']').unwrap());
            if let Some(source) = table.strip_prefix("data.sources.") {
                sources.push(source.to_owned());
            }
        } else if let Some((key, value)) = line.split_once(" = ") {
            let mut value = value.to_owned();
            if value == "'''" {
                for line in lines.by_ref() {
                    value = format!("{value}\n{line}");
                    if line.ends_with("'''") {
                        break;
                    }
                }
            }
            let known = keys.insert(format!("{table}{key}"), value);
            assert!(known.is_none(), "{table}{key} twice");
        } else {
            assert!(line.is_empty(), "{line}");
        }
    }
    (keys, sources)
}

/// Keys whose values differ or that one side lacks.
fn expected(left: &Model, right: &Model) -> BTreeSet<String> {
    let [(a, first), (b, second)] = [left, right].map(|it| flatten(&it.resolved));
    let differs = |key: &&String| a.get(*key) != b.get(*key);
    let mut keys: BTreeSet<String> = a.keys().chain(b.keys()).filter(differs).cloned().collect();
    let common = |of: &[String], other: &[String]| -> Vec<String> {
        of.iter().filter(|it| other.contains(it)).cloned().collect()
    };
    if common(&first, &second) != common(&second, &first) {
        keys.insert("data.sources".to_owned());
    }
    keys
}

/// What the difference names, each once.
fn named(diff: &Diff) -> BTreeSet<String> {
    let names = diff.changes.iter().map(|it| it.path.clone());
    let names = names.chain(diff.components.iter().map(|it| {
        // As the resolved text has it.
        format!("components.\"{}\"", it.name)
    }));
    let names: Vec<String> = names.collect();
    let set: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(names.len(), set.len(), "{names:?}");
    set
}

fn loaded(path: &Path, sets: &[&str]) -> Model {
    let sets: Vec<String> = sets.iter().map(|it| (*it).to_owned()).collect();
    load(path, &sets).unwrap_or_else(|found| panic!("{}:\n{found}", path.display()))
}

/// Compares names and values; returns how many keys differ.
fn check(left: &Model, right: &Model) -> usize {
    let found = diff(left, right);
    let at = format!("{} and {}", left.name, right.name);
    assert_eq!(named(&found), expected(left, right), "{at}");
    let flat = [left, right].map(|it| flatten(&it.resolved).0);
    for change in &found.changes {
        if change.path == "data.sources" {
            continue;
        }
        for (value, flat) in [&change.left, &change.right].into_iter().zip(&flat) {
            let value = value.as_ref().map(ToString::to_string);
            assert_eq!(value.as_ref(), flat.get(&change.path), "{at}");
        }
    }
    // Every line is in the text too.
    let text = found.to_string();
    for path in named(&found) {
        assert!(text.contains(&format!(" {path}")), "{at}: {path}\n{text}");
    }
    assert_eq!(found.is_empty(), left.resolved == right.resolved, "{at}");
    found.changes.len() + found.components.len()
}

#[test]
fn every_changed_key_of_every_overlay_is_named() {
    let (mut overlays_seen, mut keys) = (0, 0);
    for path in overlays() {
        let [left, right] = [parent(&path).unwrap(), path].map(|it| loaded(&it, &[]));
        keys += check(&left, &right);
        overlays_seen += 1;
    }
    assert!(overlays_seen > 80 && keys > 300, "{overlays_seen}, {keys}");
}

/// Neighbours in the list of all files have other objectives, tables, sources and components.
#[test]
fn every_changed_key_of_unlike_models_is_named() {
    let files = files(&models(), ".toml");
    let loaded: Vec<Model> = files.iter().map(|path| loaded(path, &[])).collect();
    let mut components = 0;
    for distance in [1, 7, 40] {
        for (left, right) in loaded.iter().zip(&loaded[distance..]) {
            check(left, right);
            components += diff(left, right).components.len();
        }
    }
    assert!(components > 0, "none has components of its own");
    let moe = files.iter().position(|it| it.ends_with("3b-moe-64.toml"));
    let dense = files.iter().position(|it| it.ends_with("family/3b.toml"));
    let found = diff(&loaded[dense.unwrap()], &loaded[moe.unwrap()]);
    let experts = found.changes.iter();
    let experts = experts.filter(|it| it.path.starts_with("decoder.moe."));
    let from: BTreeSet<String> = experts.map(|it| it.from[0].clone()).collect();
    assert_eq!(from, BTreeSet::from(["no [decoder.moe]".to_owned()]));
}

#[test]
fn an_edited_component_and_the_order_of_sources_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    let custom = models().join("custom");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let model = read(&custom.join("pixel-shuffle.toml"));
    let component = files_named(&custom.join("components"));
    let name = component.file_name().unwrap().to_str().unwrap();
    let text = read(&component);
    for side in ["a", "b"] {
        write(&format!("{side}/pixel-shuffle.toml"), &model);
        write(&format!("{side}/components/{name}"), &text);
        let parent = model.lines().find_map(|it| it.strip_prefix("extends = "));
        if let Some(parent) = parent {
            let parent = parent.trim_matches('"');
            let inherited = read(&custom.join(parent));
            let flat = model.replace(parent, "parent.toml");
            write(&format!("{side}/pixel-shuffle.toml"), &flat);
            write(&format!("{side}/parent.toml"), &inherited);
        }
    }
    let paths = ["a", "b"].map(|side| folder.path().join(side).join("pixel-shuffle.toml"));
    let two = ["data.sources.more.kind=\"scenes\""];
    let [left, right] = [&paths[0], &paths[1]].map(|it| loaded(it, &two));
    assert!(diff(&left, &right).is_empty());
    let edited = format!("# A remark.\n{text}");
    write(&format!("b/components/{name}"), &edited);
    let right = loaded(&paths[1], &two);
    assert_eq!(check(&left, &right), 1);
    let found = diff(&left, &right);
    assert_eq!(found.components[0].first, Some(1), "{found}");
    assert!(found.to_string().starts_with("~ components."), "{found}");

    let order = |first: &str, second: &str| {
        let source = |name: &str| format!("[data.sources.{name}]\nkind = \"scenes\"\n");
        let base = models().join("mm1-tiny.toml");
        let path = write("order.toml", "");
        let head = "remove = [\"data.sources\"]\nextends = \"parent.toml\"\n";
        write("parent.toml", &read(&base));
        write(
            "order.toml",
            &[head, &source(first), &source(second)].concat(),
        );
        loaded(&path, &[])
    };
    let (left, right) = (order("x", "y"), order("y", "x"));
    assert_eq!(check(&left, &right), 1);
    let text = diff(&left, &right).to_string();
    assert_eq!(text, "~ data.sources: [\"x\", \"y\"] -> [\"y\", \"x\"]\n");
}

/// The one component of a folder.
fn files_named(folder: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(folder).unwrap();
    entries.next().unwrap().unwrap().path()
}

/// The line named for a key is one that has its last segment.
#[test]
fn places_are_those_of_the_assignments() {
    let mut checked = 0;
    for path in overlays() {
        let [left, right] = [parent(&path).unwrap(), path].map(|it| loaded(&it, &[]));
        for change in diff(&left, &right).changes {
            for from in &change.from {
                let Some((file, line)) = from.split_once(".toml:") else {
                    assert!(!from.is_empty(), "{change}");
                    continue;
                };
                let (Ok(line), true) = (line.parse::<usize>(), Path::new(file).is_absolute())
                else {
                    continue;
                };
                let text = std::fs::read_to_string(format!("{file}.toml")).unwrap();
                let line = text.lines().nth(line - 1).unwrap();
                let leaf = change.path.rsplit('.').next().unwrap();
                assert!(line.contains(leaf), "{change} at {from}: {line}");
                checked += 1;
            }
        }
    }
    assert!(checked > 300, "{checked}");
}

#[test]
fn what_follows_from_keys_is_named() {
    let base = models().join("ablations/base.toml");
    let with = |sets: &[&str]| diff(&loaded(&base, &[]), &loaded(&base, sets)).to_string();
    let other = with(&["decoder.variant=\"9m\""]);
    assert!(
        other.contains("> rate of the law: 8.5614e-5 -> "),
        "{other}"
    );
    let other = with(&["encoder.resolution=224", "train.steps=100000"]);
    for line in [
        "> patches of an image: 576 -> 256\n",
        "> sequences of the run: 102400000 -> 51200000\n",
    ] {
        assert!(other.contains(line), "{other}");
    }
    let other = with(&["train.seed=1"]);
    assert_eq!(other, "~ train.seed: 0 -> 1\n");
}
