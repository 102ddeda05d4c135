//! Interrupted and resumed equals uninterrupted, bit for bit.

use std::fs;
use std::path::Path;

use crate::support::{
    ADAFACTOR, assert_same, checkpoint, checkpoints, content, folder, micro, micro_mlp, records,
    run, steps, tensors, train, train_command,
};

/// Steps of each run here; every source but one passes at least one end of an epoch in them.
const STEPS: u64 = 24;

/// A run that keeps a checkpoint of every step.
fn reference(directory: &Path, sets: &[&str]) {
    train(directory, &all(sets)).ok();
    assert_eq!(
        checkpoints(directory),
        (1..=STEPS).collect::<Vec<_>>(),
        "one per step"
    );
}

fn all<'a>(sets: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec![
        "train.checkpoint_every=1",
        "train.keep_checkpoints=100",
        "train.warmup_steps=5",
    ];
    all.extend(sets);
    all
}

/// Goes on from step `at` of the run in `whole` and compares the end.
fn resumed_equals(whole: &Path, at: u64, sets: &[&str]) {
    let folder = folder();
    let part = folder.path();
    crate::support::copy(&checkpoint(whole, at), &checkpoint(part, at));
    // As a killed run leaves it: with lines past its last checkpoint.
    for name in ["metrics.jsonl", "tokenizer.json"] {
        fs::copy(whole.join(name), part.join(name)).expect("a copy");
    }
    let ran = train(part, &all(sets)).ok();
    ran.says(&[&format!("going on after step {at}\n")]);
    for step in [at + 1, (at + STEPS).div_ceil(2), STEPS] {
        assert_same(&checkpoint(whole, step), &checkpoint(part, step));
    }
    assert_eq!(records(part), records(whole));
}

fn epochs(directory: &Path, step: u64, source: &str) -> f64 {
    let records = steps(directory);
    let record = &records[step as usize - 1];
    record["epochs"][source].as_f64().expect("a source")
}

#[test]
fn at_any_step_and_past_the_end_of_epochs() {
    let folder = folder();
    let whole = folder.path();
    reference(whole, &[]);
    // Four kinds of tasks, two micro-batches a step, and ends of epochs on both sides.
    for source in ["captions", "questions", "documents", "texts"] {
        assert!(epochs(whole, STEPS, source) > 1.0, "{source}");
    }
    assert!(epochs(whole, 7, "captions") < 1.0 && epochs(whole, 11, "captions") > 1.0);
    for at in [1, 2, 7, 10, 11, 16, STEPS - 1] {
        resumed_equals(whole, at, &[]);
    }
    // Checkpoints do not change the run.
    let folder = crate::support::folder();
    let plain = folder.path();
    train(plain, &["train.warmup_steps=5"]).ok();
    let (a, b) = (
        content(&checkpoint(plain, STEPS)),
        content(&checkpoint(whole, STEPS)),
    );
    for name in ["parameters.safetensors", "optimizer.safetensors"] {
        assert!(a[name] == b[name], "{name}");
    }
    assert_eq!(steps(plain), steps(whole));
}

#[test]
fn in_every_unit_of_the_mixture() {
    for unit in ["sequence", "token"] {
        let set = format!("data.mixture_unit='{unit}'");
        let folder = folder();
        reference(folder.path(), &[&set]);
        for at in [5, 13] {
            resumed_equals(folder.path(), at, &[&set]);
        }
    }
}

#[test]
fn with_one_micro_batch_or_many_and_in_bf16() {
    for sets in [
        ["train.micro_batch_sequences=8", "train.precision='f32'"],
        ["train.micro_batch_sequences=1", "train.precision='f32'"],
        ["train.micro_batch_sequences=4", "train.precision='bf16'"],
    ] {
        let folder = folder();
        reference(folder.path(), &sets);
        resumed_equals(folder.path(), 9, &sets);
    }
}

#[test]
fn with_adafactor_and_its_states() {
    for more in [
        ["train.scale_parameter=true", "train.precision='f32'"],
        ["train.momentum=0.9", "train.precision='bf16'"],
    ] {
        let sets = [&ADAFACTOR[..], &more].concat();
        let folder = folder();
        reference(folder.path(), &sets);
        let states = tensors(&checkpoint(folder.path(), 9).join("optimizer.safetensors"));
        let with = |prefix: &str| {
            states
                .keys()
                .filter(|name| name.starts_with(prefix))
                .count()
        };
        // Matrices by rows and columns, norms and the rest whole; means of updates where asked for.
        assert!(with("moment2.rows.") >= 8, "{:?}", states.keys());
        assert_eq!(with("moment2.rows."), with("moment2.columns."));
        assert!(with("moment2.") > 2 * with("moment2.rows."));
        assert_eq!(with("moment1.") > 0, more[0] == "train.momentum=0.9");
        for at in [2, 13] {
            resumed_equals(folder.path(), at, &sets);
        }
    }
}

#[test]
fn from_a_named_checkpoint_in_another_folder() {
    let (first, second) = (folder(), folder());
    let (whole, part) = (first.path(), second.path());
    reference(whole, &[]);
    let mut command = train_command(&micro(), part, &all(&[]));
    let from = checkpoint(whole, 6);
    let ran = run(command.arg("--resume").arg(&from)).ok();
    ran.says(&["going on after step 6\n"]);
    assert_same(&checkpoint(whole, STEPS), &checkpoint(part, STEPS));
    assert_eq!(steps(part)[..], steps(whole)[6..]);

    let mut command = train_command(&micro(), part, &all(&[]));
    let nowhere = part.join("ckpt/step-000099");
    run(command.arg("--resume").arg(nowhere)).refused(&["MM1C0602", "step-000099"]);
}

#[test]
fn a_damaged_newest_checkpoint_is_passed_over() {
    let folder = folder();
    let run = folder.path();
    let sets = ["train.checkpoint_every=8"];
    train(run, &sets).ok();
    assert_eq!(checkpoints(run), [8, 16, 24]);
    let whole = content(&checkpoint(run, 24));
    let file = checkpoint(run, 24).join("optimizer.safetensors");
    let mut bytes = fs::read(&file).expect("a file");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&file, bytes).expect("writable");
    let ran = train(run, &sets).ok();
    ran.says(&["step 24 is damaged", "going on after step 16\n"]);
    assert!(content(&checkpoint(run, 24)) == whole);
}

#[test]
fn an_edited_file_is_refused_where_it_matters() {
    let folder = folder();
    let path = folder.path();
    train(path, &[]).ok();
    let before = fs::read(path.join("config.resolved.toml")).expect("a file");
    let records = fs::read(path.join("metrics.jsonl")).expect("a file");

    train(path, &["train.lr=1e-3", "train.log_every=2"]).refused(&[
        "cannot go on from",
        "train.lr: 0.003 -> 0.001 (refused)",
        "train.log_every: 1 -> 2\n",
        "--run-dir",
    ]);
    for (set, line) in [
        ("train.seed=7", "train.seed: 0 -> 7 (refused)"),
        (
            "data.sources.texts.weight=0.2",
            "data.sources.texts.weight: 0.1 -> 0.2 (refused)",
        ),
        ("decoder.depth=2", "decoder.depth: 1 -> 2 (refused)"),
        (
            "train.precision='bf16'",
            "train.precision: \"f32\" -> \"bf16\" (refused)",
        ),
    ] {
        train(path, &[set]).refused(&[line]);
    }
    run(&mut train_command(&micro_mlp(), path, &[])).refused(&[
        "connector.kind: \"avg-pool\" -> \"mlp\" (refused)",
        "connector.hidden: (absent) -> 32 (refused)",
        "name: \"micro\" -> \"micro-mlp\"\n",
    ]);
    // Nothing was touched by the refused ones.
    assert_eq!(
        fs::read(path.join("config.resolved.toml")).ok(),
        Some(before)
    );
    assert_eq!(fs::read(path.join("metrics.jsonl")).ok(), Some(records));
    assert_eq!(checkpoints(path), [STEPS]);

    // What only says how long and how loud goes on.
    let sets = [
        "train.steps=26",
        "train.log_every=2",
        "train.keep_checkpoints=1",
        "train.evaluation_examples=2",
    ];
    train(path, &sets).ok().says(&[
        "changed since the checkpoint",
        "train.steps: 24 -> 26\n",
        "going on after step 24\n",
    ]);
    assert_eq!(checkpoints(path), [26]);
}

#[test]
fn never_resuming_refuses_a_used_directory() {
    let folder = folder();
    let path = folder.path();
    let start = || {
        let mut command = train_command(&micro(), path, &["train.steps=2"]);
        run(command.args(["--resume", "never"]))
    };
    start().ok();
    let before = content(&checkpoint(path, 2));
    start().refused(&["holds a run already", "--run-dir"]);
    assert!(content(&checkpoint(path, 2)) == before);
}
