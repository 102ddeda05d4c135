//! Run directories from the outside: what their files tell of them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use mm1_runtime::events::{Event, seconds_of};
use mm1_runtime::metrics::{Record, StepRecord};
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::trained::CONFIG;

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A process has it.
    Running,
    /// All steps are done.
    Finished,
    /// Someone asked it to stop.
    Stopped,
    /// It ended in an error.
    Failed,
    /// Its process went away without a word.
    Interrupted,
    /// It never began.
    New,
}

impl State {
    /// For a person.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::New => "new",
        }
    }
}

/// A run directory.
#[derive(Clone, Debug)]
pub struct RunFiles {
    /// The folder.
    pub path: PathBuf,
    /// Name of the model, once it began.
    pub model: Option<String>,
    /// Where it is.
    pub state: State,
    /// Steps that it is to make.
    pub steps: u64,
    /// When it first began, UTC.
    pub started: Option<String>,
    /// Time that its processes took, seconds, as far as the log tells.
    pub seconds: f64,
    /// Why it failed.
    pub error: Option<String>,
    /// Lines of `metrics.jsonl`.
    pub records: Vec<Record>,
}

impl RunFiles {
    /// Reads a run's log and metrics.
    ///
    /// # Errors
    /// A folder that is no run.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        if !path.join(CONFIG).is_file() {
            return Err(Failure::new(format!(
                "`{}` is no run: it has no `{CONFIG}`",
                path.display()
            )));
        }
        let lines = |name: &str| fs::read_to_string(path.join(name)).unwrap_or_default();
        // A torn last line belongs to a process that was killed, or is still being written.
        let records = lines("metrics.jsonl");
        let records = records
            .lines()
            .filter_map(|it| serde_json::from_str(it).ok());
        let mut run = Self {
            path: path.to_path_buf(),
            model: None,
            state: State::New,
            steps: 0,
            started: None,
            seconds: 0.0,
            error: None,
            records: records.collect(),
        };
        let last = run.read_log(&lines("log.jsonl"));
        if is_locked(&path.join("lock")) {
            run.state = State::Running;
            run.seconds += last.map_or(0.0, |last| (now() - last).max(0.0));
        }
        Ok(run)
    }

    /// Reads the log; the time of its last event.
    fn read_log(&mut self, log: &str) -> Option<f64> {
        // Times of the process whose events are being read: its start and its last event.
        let mut process: Option<(f64, f64)> = None;
        for line in log.lines() {
            let Ok(value) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let time = value["time"].as_str().unwrap_or_default().to_owned();
            let (Ok(event), Some(at)) = (serde_json::from_value(value), seconds_of(&time)) else {
                continue;
            };
            if let Event::Start { model, steps, .. } = &event {
                self.seconds += process.map_or(0.0, |(begin, end)| end - begin);
                process = Some((at, at));
                self.model = Some(model.clone());
                self.steps = *steps;
                self.started.get_or_insert(time);
                self.state = State::Interrupted;
                self.error = None;
            }
            if let Some((_, last)) = &mut process {
                *last = at;
            }
            if let Event::End { outcome, error, .. } = event {
                self.state = match outcome.as_str() {
                    "finished" => State::Finished,
                    "stopped" => State::Stopped,
                    _ => State::Failed,
                };
                self.error = error;
            }
        }
        self.seconds += process.map_or(0.0, |(begin, end)| end - begin);
        process.map(|(_, last)| last)
    }

    /// The last logged step.
    pub fn last_step(&self) -> Option<&StepRecord> {
        self.step_records().last()
    }

    /// The logged steps.
    pub fn step_records(&self) -> impl DoubleEndedIterator<Item = &StepRecord> {
        self.records.iter().filter_map(|record| match record {
            Record::Step(step) => Some(step),
            Record::Evaluation(_) => None,
        })
    }

    /// Steps and results of the evaluations.
    pub fn evaluations(&self) -> impl DoubleEndedIterator<Item = (u64, &BTreeMap<String, f64>)> {
        self.records.iter().filter_map(|record| match record {
            Record::Step(_) => None,
            Record::Evaluation(it) => Some((it.step, &it.evaluation)),
        })
    }

    /// The last evaluation, without its baselines.
    pub fn scores(&self) -> BTreeMap<&str, f64> {
        let last = self.evaluations().next_back();
        let all = last.into_iter().flat_map(|(_, scores)| scores);
        all.filter(|(name, _)| !is_baseline(name))
            .map(|(name, value)| (name.as_str(), *value))
            .collect()
    }

    /// Name of the folder.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

/// Whether a result is one of the baselines beside it.
pub fn is_baseline(name: &str) -> bool {
    name.ends_with(".majority") || name.ends_with(".blind")
}

/// A result for a person: losses as they are, shares in percent.
pub fn shown(name: &str, value: f64) -> String {
    match name.ends_with(".loss") {
        true => format!("{value:.4}"),
        false => format!("{:.1} %", value * 100.0),
    }
}

/// Whether a process holds the lock. Asked of the system, as trying the lock would make a run that
/// begins at that moment believe that it is taken.
fn is_locked(path: &Path) -> bool {
    let (Ok(data), Ok(locks)) = (fs::metadata(path), fs::read_to_string("/proc/locks")) else {
        return false;
    };
    let ending = format!(":{}", data.ino());
    let owner = fs::read_to_string(path).unwrap_or_default();
    let owner = owner.trim();
    // `1: FLOCK  ADVISORY  WRITE 4711 fe:01:123456 0 EOF`; `->` marks one that waits.
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words[..], [_, "FLOCK", _, "WRITE", process, place, ..]
            if place.ends_with(&ending) && process == owner)
    })
}

/// The runs directly below a folder, by name; the folder itself where it is one.
///
/// # Errors
/// A folder that cannot be read.
pub fn below(folder: &Path) -> Result<Vec<RunFiles>, Failure> {
    if folder.join(CONFIG).is_file() {
        return Ok(vec![RunFiles::open(folder)?]);
    }
    let entries = fs::read_dir(folder).map_err(|error| Failure::at(folder, error))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join(CONFIG).is_file())
        .collect();
    paths.sort();
    paths.iter().map(|path| RunFiles::open(path)).collect()
}

/// Now, seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |it| it.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    fn folder(log: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text);
        put(CONFIG, "").expect("written");
        put("log.jsonl", log).expect("written");
        let metrics =
            "{\"step\":4,\"evaluation\":{\"a.loss\":2.0,\"a.all\":0.5,\"a.all.blind\":0.1}}\n{\"st";
        put("metrics.jsonl", metrics).expect("written");
        folder
    }

    fn line(second: u32, event: &str) -> String {
        format!("{{\"time\":\"2026-11-27T09:00:{second:02}.000Z\",{event}}}\n")
    }

    fn start(second: u32) -> String {
        line(
            second,
            "\"event\":\"start\",\"model\":\"m\",\"version\":\"0\",\"code\":{\"backend\":\"g\",\"target\":\"t\"},\
             \"kernel_threads\":1,\"loader_threads\":0,\"steps\":8",
        )
    }

    #[test]
    fn a_run_is_what_its_log_says() {
        let checkpoint = |second| {
            line(
                second,
                "\"event\":\"checkpoint\",\"step\":4,\"seconds\":0.1",
            )
        };
        let end = |second, how: &str| {
            line(
                second,
                &format!("\"event\":\"end\",\"step\":8,\"outcome\":\"{how}\""),
            )
        };
        let killed = start(0) + &checkpoint(7);
        for (log, state, seconds) in [
            (String::new(), State::New, 0.0),
            (killed.clone(), State::Interrupted, 7.0),
            (
                killed.clone() + &start(20) + &end(31, "finished"),
                State::Finished,
                18.0,
            ),
            (
                killed.clone() + &start(20) + &end(22, "stopped") + "{\"time",
                State::Stopped,
                9.0,
            ),
            (start(0) + &end(2, "failed"), State::Failed, 2.0),
        ] {
            let folder = folder(&log);
            let run = RunFiles::open(folder.path()).expect("a run");
            assert_eq!((run.state, run.seconds), (state, seconds), "{log}");
            let begun = state != State::New;
            assert_eq!(run.model.is_some(), begun);
            assert_eq!(run.started.is_some(), begun);
            assert_eq!(run.steps, if begun { 8 } else { 0 });
            let scores: Vec<_> = run.scores().into_iter().collect();
            assert_eq!(scores, [("a.all", 0.5), ("a.loss", 2.0)]);
        }
        let empty = tempfile::tempdir().expect("a folder");
        let error = RunFiles::open(empty.path())
            .expect_err("no run")
            .to_string();
        assert!(error.contains("is no run"), "{error}");
        assert!(below(empty.path()).expect("a folder").is_empty());
    }

    #[test]
    fn a_held_lock_is_seen_without_taking_it() {
        let folder = folder(&start(0));
        let path = folder.path().join("lock");
        let mut lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .expect("opens");
        writeln!(lock, "{}", std::process::id()).expect("written");
        let state = || RunFiles::open(folder.path()).expect("a run").state;
        assert_eq!(state(), State::Interrupted);
        lock.try_lock().expect("free");
        assert_eq!(state(), State::Running);
        lock.unlock().expect("held");
        assert_eq!(state(), State::Interrupted);
    }
}
