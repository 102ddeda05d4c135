//! Signals, kills and a second process: whatever comes, the run ends as if nothing had.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use crate::support::{
    Running, assert_same, checkpoint, checkpoints, folder, logged, micro, run, steps, train,
    train_command,
};

const STEPS: u64 = 40;
const SETS: [&str; 3] = [
    "train.steps=40",
    "train.checkpoint_every=6",
    "train.evaluate_every=15",
];

/// The run that nothing interrupts.
fn whole(directory: &Path) {
    train(directory, &SETS).ok();
}

fn same(left: &Path, right: &Path) {
    assert_same(&checkpoint(left, STEPS), &checkpoint(right, STEPS));
    assert_eq!(steps(left), steps(right));
    let count = |path: &Path| logged(path);
    assert_eq!(count(left), count(right), "evaluations are kept too");
}

/// Numbers that look random and are the same every time.
fn scattered(seed: &mut u64, below: u64) -> u64 {
    *seed = seed
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    (*seed >> 33) % below
}

#[test]
fn a_request_to_stop_writes_a_checkpoint() {
    let (first, second) = (folder(), folder());
    whole(first.path());
    let part = second.path();
    let (mut seed, mut stops) = (1, 0);
    for _ in 0..12 {
        let begun = logged(part);
        let mut process = Running::start(&mut train_command(&micro(), part, &SETS));
        let more = 1 + scattered(&mut seed, 9) as usize;
        process.wait_for(|| logged(part) >= begun + more);
        process.signal("TERM");
        let ran = process.end().ok();
        let Some(rest) = ran.stderr.split("stopped after step ").nth(1) else {
            break;
        };
        stops += 1;
        let step = rest.split(';').next().and_then(|text| text.parse().ok());
        let step: u64 = step.expect("a number");
        assert_eq!(checkpoints(part).last(), Some(&step));
        assert!(part.join("report.html").is_file());
    }
    assert!(stops >= 3, "only {stops} interruptions");
    train(part, &SETS).ok();
    same(first.path(), part);
}

#[test]
fn a_kill_loses_only_what_came_after_the_last_checkpoint() {
    let (first, second) = (folder(), folder());
    whole(first.path());
    let part = second.path();
    let (mut seed, mut kills, mut newest) = (7, 0, None);
    for round in 0..10 {
        let mut process = Running::start(&mut train_command(&micro(), part, &SETS));
        // At first until it has got somewhere, later at any time, its start included.
        if round % 3 != 2 {
            let target = newest.unwrap_or(0) as usize + 7;
            process.wait_for(|| logged(part) >= target);
        }
        std::thread::sleep(Duration::from_micros(scattered(&mut seed, 60_000)));
        process.signal("KILL");
        let ran = process.end();
        kills += u32::from(ran.status.signal() == Some(9));
        let found = checkpoints(part).last().copied();
        assert!(found >= newest, "{newest:?} was lost: {found:?}");
        newest = found;
    }
    assert!(kills >= 3, "only {kills} kills");
    train(part, &SETS).ok();
    same(first.path(), part);
}

#[test]
fn a_kill_during_a_checkpoint_never_loses_the_previous_one() {
    let sets = [
        "train.steps=6",
        "train.checkpoint_every=2",
        "train.keep_checkpoints=1",
    ];
    let (first, second) = (folder(), folder());
    let (whole, begun) = (first.path(), second.path());
    train(whole, &sets).ok();
    // A run that was stopped with the checkpoint of step 2 in place and later ones to come.
    let kept = [
        "train.steps=6",
        "train.checkpoint_every=2",
        "train.keep_checkpoints=9",
    ];
    train(begun, &kept).ok();
    for step in [4, 6] {
        fs::remove_dir_all(checkpoint(begun, step)).expect("a checkpoint");
    }
    let (mut call, mut died, mut progress) = (1, 0, 0);
    loop {
        let third = folder();
        let part = third.path();
        crate::support::copy(begun, part);
        let mut command = train_command(&micro(), part, &sets);
        let ran = run(command.env("MM1C_FAULT", format!("checkpoint@{call}")));
        if ran.status.success() {
            break;
        }
        assert_eq!(ran.status.signal(), Some(9), "{}", ran.stderr);
        died += 1;
        let ran = train(part, &sets).ok();
        let rest = ran.stderr.split("going on after step ").nth(1);
        let step: u64 = rest
            .and_then(|it| it.lines().next()?.parse().ok())
            .expect("a step");
        assert!([2, 4, 6].contains(&step) && step >= progress, "{step}");
        // A later death never means an older checkpoint.
        progress = step;
        assert!(!ran.stderr.contains("damaged"), "{}", ran.stderr);
        assert_same(&checkpoint(whole, 6), &checkpoint(part, 6));
        assert_eq!(checkpoints(part), [6], "one is kept");
        assert_eq!(steps(part), steps(whole));
        // Each of the first calls, then a sample of the many writes of tensors.
        call += if call < 4 { 1 } else { 13 };
    }
    assert!(
        died >= 10 && progress >= 4,
        "{died} deaths, at last {progress}"
    );
}

#[test]
fn two_processes_do_not_share_a_run() {
    let folder = folder();
    let path = folder.path();
    let mut long = train_command(&micro(), path, &["train.steps=1000000"]);
    let mut process = Running::start(&mut long);
    process.wait_for(|| logged(path) >= 2);
    train(path, &["train.steps=1000000"]).refused(&["MM1C0622", "in use by process"]);
    assert!(!process.ended(), "the first goes on");
    process.signal("TERM");
    process.end().ok().says(&["stopped after step"]);
}
