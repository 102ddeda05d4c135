//! The tiny twins of the paper's studies: each opens its files and trains twenty steps.

use std::path::{Path, PathBuf};

use crate::support::{folder, losses, mm1c, run};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

/// Names of the files of a study, from the folder of models on, sorted.
fn study(name: &str) -> Vec<String> {
    let folder = format!("ablations/tiny/{name}");
    let entries = std::fs::read_dir(models().join(&folder)).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|path| Some(format!("{folder}/{}", path.file_stem()?.to_str()?)))
        .collect();
    names.sort();
    assert!(names.len() >= 2, "{names:?}");
    names
}

/// Trains a model in the folder `site`, where the runs that it may start from are.
fn trains(site: &Path, name: &str) {
    let file = models().join(format!("{name}.toml"));
    let mut check = mm1c();
    check
        .current_dir(site)
        .arg("check")
        .arg(&file)
        .arg("--strict");
    run(&mut check).ok().says(&["samples"]);
    let mut train = mm1c();
    train.current_dir(site).arg("train").arg(&file);
    train.args(["--backend", "cranelift", "--threads", "2"]);
    train.args(["--set", "train.steps=20"]);
    run(&mut train).ok();
    let directory = format!("runs/{}", name.replace('/', "-"));
    let losses = losses(&site.join(directory));
    assert_eq!(losses.len(), 20, "{name}");
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (first, last) = (mean(&losses[..4]), mean(&losses[16..]));
    assert!(last < first, "{name}: {first} -> {last}");
}

fn all_train(site: &Path, names: &[String]) {
    names.iter().for_each(|name| trains(site, name));
}

#[test]
fn encoders() {
    let site = folder();
    trains(site.path(), "objectives/tiny-contrastive");
    trains(site.path(), "objectives/tiny-reconstruction");
    all_train(site.path(), &study("table1"));
}

#[test]
fn connectors_and_their_tuning() {
    let site = folder();
    all_train(site.path(), &study("fig4"));
    all_train(site.path(), &study("c4"));
}

#[test]
fn mixtures() {
    all_train(folder().path(), &study("fig5"));
}

#[test]
fn sizes() {
    all_train(folder().path(), &study("fig6"));
}

#[test]
fn tuning_by_resolution_and_checkpoint() {
    let site = folder();
    trains(site.path(), "ablations/tiny/base");
    all_train(site.path(), &study("fig7b"));
    all_train(site.path(), &study("fig7c"));
}
