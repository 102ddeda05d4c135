//! Looking at runs: lists, tails, comparisons, TensorBoard's events.

use std::fs;
use std::path::Path;

use mm1_runtime::tensorboard;
use serde_json::Value;

use crate::support::{
    Running, checkpoint, folder, metrics, micro, mm1c, run, train, train_command,
};

fn json(command: &[&str], folder: &Path) -> Value {
    let ran = run(mm1c().args(command).current_dir(folder)).ok();
    serde_json::from_str(&ran.stdout).expect("JSON")
}

#[test]
fn runs_are_listed_and_compared() {
    let folder = folder();
    let path = |name: &str| folder.path().join("runs").join(name);
    train(&path("a"), &["train.steps=8", "train.seed=1"]).ok();
    train(&path("b"), &["train.steps=8", "train.seed=2"]).ok();
    train(&path("c"), &["train.steps=6", "train.lr=1e-4"]).ok();
    fs::create_dir(path("no-run")).expect("a folder");
    let list = json(&["runs", "--json"], folder.path());
    let list = list.as_array().expect("an array");
    assert_eq!(list.len(), 3);
    for (entry, steps) in list.iter().zip([8, 8, 6]) {
        assert_eq!(
            (&entry["model"], &entry["state"]),
            (&"micro".into(), &"finished".into())
        );
        assert_eq!(
            (&entry["step"], &entry["steps"]),
            (&steps.into(), &steps.into())
        );
        assert!(entry["seconds"].as_f64() > Some(0.0) && entry["started"].is_string());
        assert!(entry["scores"]["captions.loss"].is_number(), "{entry}");
    }
    let text = run(mm1c().arg("runs").current_dir(folder.path())).ok();
    text.prints("held out")
        .prints("finished")
        .prints("8/8")
        .prints("captions.loss");
    let tail = ["runs", "tail", "runs/a", "-n", "2"];
    let tail = run(mm1c().args(tail).current_dir(folder.path())).ok();
    let lines: Vec<&str> = tail.stdout.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("step 8/8") && lines[1].starts_with("step 8 held out:"));
    run(mm1c()
        .args(["runs", "tail", "runs/no-run"])
        .current_dir(folder.path()))
    .refused(&["is no run"]);

    let command = ["compare", "runs/a", "runs/b", "runs/c"];
    let found = json(&[&command[..], &["--json"]].concat(), folder.path());
    let keys: Vec<&str> = found["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .map(|it| it[0].as_str().expect("a key"))
        .collect();
    for key in ["train.seed", "train.steps", "train.lr"] {
        assert!(keys.contains(&key), "{keys:?}");
    }
    assert!(!keys.contains(&"decoder.width"), "{keys:?}");
    let groups: Vec<_> = (0..3).map(|n| found["runs"][n]["group"].clone()).collect();
    assert_eq!(groups, [0, 0, 1]);
    // As far as the shortest, and what it says is what was logged.
    let rows = found["by_steps"].as_array().expect("rows");
    assert_eq!(rows.last().expect("rows")["until"], 6);
    let first = metrics(&path("a"))[0]["loss"].as_f64().expect("a loss");
    let shown = rows[0]["losses"][0].as_f64().expect("a loss");
    assert_eq!(rows[0]["until"], 1);
    assert!((first - shown).abs() < 1e-12, "{first} {shown}");
    let scores = found["scores"].as_array().expect("scores");
    let loss = scores
        .iter()
        .find(|it| it["name"] == "captions.loss")
        .expect("a loss");
    let values: Vec<f64> = (0..2).filter_map(|n| loss["values"][n].as_f64()).collect();
    let spread = &loss["groups"][0];
    let (mean, deviation) = (spread["mean"].as_f64(), spread["deviation"].as_f64());
    let near = |found: Option<f64>, right: f64| (found.expect("a number") - right).abs() < 1e-9;
    assert!(near(mean, (values[0] + values[1]) / 2.0));
    assert!(near(deviation, (values[0] - values[1]).abs() / 2f64.sqrt()));
    let text = run(mm1c().args(command).current_dir(folder.path())).ok();
    text.prints("keys that differ")
        .prints("training loss, mean since the row above")
        .prints("repetitions, apart by seeds alone");
}

#[test]
fn a_run_is_followed_to_its_end() {
    let folder = folder();
    let directory = folder.path().join("run");
    let sets = ["train.steps=4000", "train.evaluation_examples=0"];
    let mut running = Running::start(&mut train_command(&micro(), &directory, &sets));
    running.wait_for(|| crate::support::logged(&directory) >= 3);
    let follow = Running::start(mm1c().args(["runs", "tail"]).arg(&directory));
    let list = json(&["runs", "run", "--json"], folder.path());
    assert_eq!(list[0]["state"], "running");
    let before = crate::support::logged(&directory);
    running.wait_for(|| crate::support::logged(&directory) >= before + 5);
    running.signal("TERM");
    running.end().ok();
    let followed = follow.end().ok().says(&["stopped"]);
    let records = metrics(&directory);
    let lines: Vec<&str> = followed.stdout.lines().collect();
    assert!(lines.len() >= 5 && lines.len() <= records.len());
    // Every line from where it began to the last.
    for (line, record) in lines.iter().rev().zip(records.iter().rev()) {
        let step = format!("step {}", record["step"]);
        assert!(line.starts_with(&step), "{line} {record}");
    }
}

/// Steps and training losses of TensorBoard's file.
fn board(directory: &Path) -> Vec<(u64, f32)> {
    let mut files = fs::read_dir(directory.join("tb")).expect("a folder");
    let file = files.next().expect("a file").expect("an entry").path();
    assert!(files.next().is_none(), "one file for the whole run");
    let (events, whole) = tensorboard::read(&fs::read(file).expect("readable"));
    assert!(whole);
    let scalars = events.into_iter().flat_map(|(_, event)| {
        let loss = event.scalars.into_iter().filter(|it| it.0 == "train/loss");
        loss.map(move |it| (event.step, it.1))
    });
    scalars.collect()
}

#[test]
fn tensorboard_has_each_step_once() {
    let folder = folder();
    let directory = folder.path();
    let sets = [
        "train.steps=9",
        "train.checkpoint_every=3",
        "train.keep_checkpoints=9",
    ];
    train(directory, &sets).ok();
    let losses = || -> Vec<(u64, f32)> {
        let all = metrics(directory);
        let steps = all.iter().filter(|it| it.get("loss").is_some());
        let pair = |it: &Value| (it["step"].as_u64(), it["loss"].as_f64());
        steps
            .map(|it| match pair(it) {
                (Some(step), Some(loss)) => (step, loss as f32),
                _ => panic!("{it}"),
            })
            .collect()
    };
    assert_eq!(board(directory).len(), 9);
    assert_eq!(board(directory), losses());
    // Back to step 6, as after a kill.
    fs::remove_dir_all(checkpoint(directory, 9)).expect("a checkpoint");
    train(directory, &sets)
        .ok()
        .says(&["going on after step 6\n"]);
    assert_eq!(board(directory).len(), 9);
    assert_eq!(board(directory), losses());
}
