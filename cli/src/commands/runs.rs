//! `mm1c runs`: the runs of a folder, and one of them as it goes on.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use mm1_runtime::metrics::{Record, duration, progress_text};
use serde_json::json;

use super::print_table;
use crate::args::{RunsArgs, RunsCommand, TailArgs};
use crate::failure::Failure;
use crate::runs::{RunFiles, State, below, is_baseline, shown};

/// Lists runs, or follows one.
///
/// # Errors
/// Folders that cannot be read or are no runs.
pub fn run(args: &RunsArgs) -> Result<(), Failure> {
    match &args.command {
        Some(RunsCommand::Tail(args)) => tail(args),
        None => list(args),
    }
}

fn list(args: &RunsArgs) -> Result<(), Failure> {
    let runs = below(&args.folder)?;
    if args.json {
        let all: Vec<_> = runs.iter().map(object).collect();
        outln!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    if runs.is_empty() {
        eprintln!("no runs in `{}`", args.folder.display());
        return Ok(());
    }
    let head = [
        "run", "model", "state", "step", "loss", "held out", "started", "took",
    ];
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    print_table(&head.map(String::from), &rows);
    for run in &runs {
        if let Some(error) = &run.error {
            eprintln!("{}: {error}", run.name());
        }
    }
    Ok(())
}

/// A run as a line of the table.
fn row(run: &RunFiles) -> Vec<String> {
    let none = || "–".to_owned();
    let step = run.last_step();
    let scores = run.scores().into_iter();
    let scores: Vec<String> = scores
        .map(|(name, value)| format!("{name} {}", shown(name, value)))
        .collect();
    // To the minute: the table is wide enough.
    let started = run.started.as_deref().and_then(|it| it.get(..16));
    vec![
        run.name(),
        run.model.clone().unwrap_or_else(none),
        run.state.word().to_owned(),
        format!("{}/{}", step.map_or(0, |it| it.step), run.steps),
        step.map_or_else(none, |it| format!("{:.4}", it.loss)),
        match scores.is_empty() {
            true => none(),
            false => scores.join(", "),
        },
        started.map_or_else(none, |it| it.replace('T', " ")),
        duration(run.seconds),
    ]
}

/// A run as JSON.
fn object(run: &RunFiles) -> serde_json::Value {
    let step = run.last_step();
    json!({
        "path": run.path,
        "model": run.model,
        "state": run.state,
        "step": step.map(|it| it.step),
        "steps": run.steps,
        "loss": step.map(|it| it.loss).filter(|it| it.is_finite()),
        "text_tokens": step.map(|it| it.text_tokens),
        "image_tokens": step.map(|it| it.image_tokens),
        "scores": run.scores(),
        "started": run.started,
        "seconds": run.seconds,
        "error": run.error,
    })
}

/// A line of the metrics for a person.
fn text(record: &Record, steps: u64) -> String {
    match record {
        Record::Step(step) => progress_text(step, steps),
        Record::Evaluation(it) => {
            let mut text = format!("step {} held out:", it.step);
            for (name, value) in it.evaluation.iter().filter(|it| !is_baseline(it.0)) {
                text += &format!("  {name} {}", shown(name, *value));
            }
            text
        }
    }
}

/// The last lines of a run, and those that follow for as long as a process has it.
fn tail(args: &TailArgs) -> Result<(), Failure> {
    let run = RunFiles::open(&args.run)?;
    let path = args.run.join("metrics.jsonl");
    let mut follow = Follow::default();
    let first = follow.read(&path);
    for record in &first[first.len().saturating_sub(args.lines)..] {
        outln!("{}", text(record, run.steps));
    }
    let mut state = run.state;
    while args.follow(state) {
        sleep(Duration::from_millis(500));
        // The state first: what was written before its end is then read below.
        let run = RunFiles::open(&args.run)?;
        state = run.state;
        for record in follow.read(&path) {
            outln!("{}", text(&record, run.steps));
        }
    }
    if state != State::Running {
        eprintln!("{}: {}", run.name(), state.word());
    }
    Ok(())
}

/// How far a file of metrics is read.
#[derive(Debug, Default)]
struct Follow {
    /// The file: a resumed run writes another.
    inode: u64,
    /// Bytes up to the end of the last whole line.
    offset: usize,
    /// The last step that was given, and whether its evaluation was.
    last: (u64, bool),
}

impl Follow {
    /// The records that are new; a resumed run repeats none.
    fn read(&mut self, path: &Path) -> Vec<Record> {
        let (Ok(data), Ok(text)) = (fs::metadata(path), fs::read_to_string(path)) else {
            return Vec::new();
        };
        if data.ino() != self.inode || text.len() < self.offset {
            (self.inode, self.offset) = (data.ino(), 0);
        }
        let whole = text.rfind('\n').map_or(0, |at| at + 1).max(self.offset);
        let lines = text[self.offset..whole].lines();
        self.offset = whole;
        let records = lines.filter_map(|line| serde_json::from_str::<Record>(line).ok());
        let mut new = Vec::new();
        for record in records {
            let place = (record.step(), matches!(record, Record::Evaluation(_)));
            if place > self.last {
                self.last = place;
                new.push(record);
            }
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.jsonl");
        let line = |step: u64| format!("{{\"step\":{step},\"evaluation\":{{}}}}\n");
        let steps =
            |records: Vec<Record>| -> Vec<u64> { records.iter().map(Record::step).collect() };
        let mut follow = Follow::default();
        assert!(follow.read(&path).is_empty());
        let whole = line(1) + &line(2);
        fs::write(&path, whole.clone() + "{\"step\":3,").expect("written");
        assert_eq!(steps(follow.read(&path)), [1, 2]);
        fs::write(&path, whole.clone() + &line(3)).expect("written");
        assert_eq!(steps(follow.read(&path)), [3]);
        assert!(follow.read(&path).is_empty());
        // Resumed after step 2, in a new file.
        let fresh = path.with_extension("new");
        fs::write(&fresh, whole + &line(3) + &line(4)).expect("written");
        fs::rename(&fresh, &path).expect("renamed");
        assert_eq!(steps(follow.read(&path)), [4]);
    }
}
