//! What a run directory holds besides weights and metrics: texts of the compilation, and the log.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{folder, micro, run, train, train_command};

/// The events of `log.jsonl`, each with its time.
fn events(directory: &Path) -> Vec<Value> {
    let text = fs::read_to_string(directory.join("log.jsonl")).expect("log.jsonl");
    assert!(text.ends_with('\n'));
    let parse = |line| serde_json::from_str(line).expect("a line is JSON");
    let events: Vec<Value> = text.lines().map(parse).collect();
    let times: Vec<&str> = events
        .iter()
        .map(|it| it["time"].as_str().expect("every event has its time"))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    events
}

fn names(events: &[Value]) -> Vec<&str> {
    let names = events.iter().map(|it| it["event"].as_str());
    names
        .map(|it| it.expect("every event has its name"))
        .collect()
}

#[test]
fn the_texts_are_those_of_the_compilation_and_need_none_when_it_is_kept() {
    let (folder, cache) = (folder(), folder());
    let start = |name: &str, cached: bool| {
        let path = folder.path().join(name);
        let mut command = train_command(&micro(), &path, &["train.steps=1"]);
        if cached {
            command.env("MM1C_CACHE", cache.path());
        }
        run(&mut command).ok();
        ["graph.txt", "plan.txt", "summary.txt"].map(|name| {
            let text = fs::read_to_string(path.join(name)).expect(name);
            assert!(!text.is_empty(), "{name}");
            text
        })
    };
    let kept = || -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(cache.path())
            .expect("a cache")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| {
                let name = path.file_name().expect("a name").to_string_lossy();
                (name.into_owned(), fs::read(&path).expect("a file"))
            })
            .collect();
        files.sort();
        files
    };
    let plain = start("plain", false);
    assert_eq!(start("first", true), plain);
    let before = kept();
    assert_eq!(before.len(), 4, "a package and three texts");
    assert_eq!(start("second", true), plain);
    assert_eq!(kept(), before);
    // A text that is gone is made again; one that is there is believed.
    let changed = |name: &str, text: Option<&str>| {
        let found = before.iter().find(|it| it.0.ends_with(name));
        let path = cache.path().join(&found.expect("kept").0);
        match text {
            Some(text) => fs::write(path, text).expect("writable"),
            None => fs::remove_file(path).expect("removable"),
        }
    };
    changed("graph.txt", None);
    assert_eq!(start("third", true), plain);
    assert_eq!(kept(), before);
    changed("plan.txt", Some("kept"));
    assert_eq!(start("fourth", true)[1], "kept");

    assert!(plain[0].contains("# program accumulate\n") && plain[0].contains("attention("));
    assert!(plain[1].contains("largest live set"));
    assert!(plain[2].contains("connector") && plain[2].contains("largest live set"));
}

#[test]
fn the_log_tells_the_run() {
    let folder = folder();
    let path = folder.path();
    let sets = [
        "train.steps=4",
        "train.checkpoint_every=2",
        "train.evaluate_every=2",
    ];
    train(path, &sets).ok();
    let first = events(path);
    let wanted = [
        "start",
        "first_step",
        "evaluation",
        "checkpoint",
        "checkpoint",
        "evaluation",
        "end",
    ];
    assert_eq!(names(&first), wanted);
    assert_eq!(first[0]["code"]["backend"], "cranelift");
    assert_eq!(first[0]["steps"], 4);
    let (begin, end) = (&first[1]["seconds_to_begin"], &first[1]["seconds_to_end"]);
    let (begin, end) = (begin.as_f64(), end.as_f64());
    assert!(Some(0.0) < begin && begin < end && end < Some(60.0));
    assert!(first[2]["evaluation"]["captions.loss"].as_f64() > Some(0.0));
    assert_eq!(first[6]["outcome"], "finished");

    train(path, &["train.steps=5", "train.checkpoint_every=2"]).ok();
    let both = events(path);
    assert_eq!(both[..first.len()], first);
    let second = &both[first.len()..];
    assert_eq!(
        names(second),
        [
            "start",
            "resume",
            "first_step",
            "checkpoint",
            "evaluation",
            "end"
        ]
    );
    assert_eq!(second[1]["step"], 4);
    let changed = serde_json::json!({
        "train.evaluate_every": ["2", second[1]["changed"]["train.evaluate_every"][1]],
        "train.steps": ["4", "5"],
    });
    assert_eq!(second[1]["changed"], changed);

    // A run that fails says why.
    let diverging = folder.path().join("diverging");
    let sets = [
        "train.steps=200",
        "train.lr=10",
        "train.weight_decay=1",
        "train.nonfinite_limit=2",
    ];
    train(&diverging, &sets).refused(&["3 steps in a row"]);
    let log = events(&diverging);
    let last = log.last().expect("an end");
    assert_eq!(last["outcome"], "failed");
    let error = last["error"].as_str().expect("a reason");
    assert!(error.contains("3 steps in a row"), "{error}");
    let skipped = names(&log)
        .iter()
        .filter(|it| **it == "skipped_step")
        .count();
    assert_eq!(skipped, 3);
}

#[test]
fn going_on_with_other_code_is_said() {
    let folder = folder();
    let path = folder.path();
    let start = |steps: &str, target: &str| {
        let mut command = train_command(&micro(), path, &[steps]);
        run(command.args(["--target", target])).ok()
    };
    let warning = "warning: the checkpoint is from code of cranelift for cpu:x86-64-v3, this run \
                   has code of cranelift for cpu:x86-64-v4: last digits may differ";
    let silent = |ran: crate::support::Ran| {
        assert!(!ran.stderr.contains("last digits"), "{}", ran.stderr);
    };
    silent(start("train.steps=2", "cpu:x86-64-v3"));
    silent(start("train.steps=3", "cpu:x86-64-v3"));
    start("train.steps=4", "cpu:x86-64-v4").says(&[warning]);
    let events = events(path);
    let changes: Vec<&Value> = events
        .iter()
        .filter(|it| it["event"] == "code_changed")
        .collect();
    let [change] = changes[..] else {
        panic!("{changes:?}");
    };
    assert_eq!(change["before"]["target"], "cpu:x86-64-v3");
    assert_eq!(change["after"]["target"], "cpu:x86-64-v4");
    assert_eq!(change["after"]["backend"], "cranelift");
    silent(start("train.steps=5", "cpu:x86-64-v4"));
}

#[cfg(feature = "mlir")]
#[test]
fn going_on_with_another_generator_is_said() {
    let folder = folder();
    let path = folder.path();
    train(path, &["train.steps=2"]).ok();
    let mut command = crate::support::train_on(["mlir", "2"], &micro(), path, &["train.steps=3"]);
    run(&mut command).ok().says(&[
        "warning: the checkpoint is from code of cranelift for ",
        "this run has code of mlir for ",
    ]);
}
