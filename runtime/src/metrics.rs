//! `metrics.jsonl` and the progress line.
//!
//! Every logged step and every evaluation is one JSON object in a line of its own. A resumed
//! run first drops the lines past its checkpoint, so that the file reads as one run. What goes there
//! also goes to TensorBoard's file, where a run has one.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::RunError;
use crate::tensorboard::Board;
use crate::train::ExpertRecord;

/// What a run has consumed so far; part of every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Consumed {
    /// Examples begun.
    pub examples: u64,
    /// Text tokens, padding excluded.
    pub text_tokens: u64,
    /// Image tokens.
    pub image_tokens: u64,
    /// Positions offered, padding included; (text + image) / positions is the fill rate.
    pub positions: u64,
}

impl Consumed {
    /// Share of the positions that hold a token.
    pub fn fill_rate(&self) -> f64 {
        (self.text_tokens + self.image_tokens) as f64 / self.positions.max(1) as f64
    }
}

/// One logged step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Optimizer step, counted from 1.
    pub step: u64,
    /// Σ w·CE / Σ w of this step, nats per token.
    #[serde(deserialize_with = "number_or_null")]
    pub loss: f64,
    /// Σ w·(log Σ exp)² / Σ w of this step, without its weight.
    #[serde(deserialize_with = "number_or_null")]
    pub z_loss: f64,
    /// Learning rate of this step.
    pub lr: f64,
    /// Global gradient norm before clipping.
    #[serde(deserialize_with = "number_or_null")]
    pub gradient_norm: f64,
    /// Whether a loss or norm was not finite and no update was made.
    pub skipped: bool,
    /// Steps skipped since the run began.
    pub skipped_steps: u64,
    /// Text and image tokens per second since the last line.
    pub tokens_per_second: f64,
    /// Text tokens per second since the last line.
    pub text_tokens_per_second: f64,
    /// Image tokens per second since the last line.
    pub image_tokens_per_second: f64,
    /// Mean seconds per step since the last line.
    pub step_seconds: f64,
    /// Resident memory of the process, GiB.
    pub memory_gib: f64,
    /// Share of the machine's peak rate, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mfu: Option<f64>,
    /// What a mixture of experts did in this step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub experts: Option<ExpertRecord>,
    /// Examples so far.
    pub examples: u64,
    /// Text tokens so far.
    pub text_tokens: u64,
    /// Image tokens so far.
    pub image_tokens: u64,
    /// Share of positions so far that held a token.
    pub fill_rate: f64,
    /// Epochs of each source so far.
    pub epochs: BTreeMap<String, f64>,
    /// Unreadable samples so far.
    pub bad_samples: u64,
}

/// JSON has no NaN: a loss that was not finite is written as `null`.
fn number_or_null<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Option::deserialize(from).map(|value| value.unwrap_or(f64::NAN))
}

/// Results of one evaluation by name, shares in [0, 1] and losses in nats.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRecord {
    /// Optimizer steps made before it.
    pub step: u64,
    /// `loss`, `scenes.colour`, `scenes.colour.blind` …
    pub evaluation: BTreeMap<String, f64>,
}

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Record {
    /// An evaluation.
    Evaluation(EvaluationRecord),
    /// A logged step.
    Step(StepRecord),
}

impl Record {
    /// Steps made when it was written.
    pub fn step(&self) -> u64 {
        match self {
            Self::Evaluation(record) => record.step,
            Self::Step(record) => record.step,
        }
    }
}

/// Appends to `metrics.jsonl`.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
    records: Vec<Record>,
    board: Option<Board>,
}

impl Metrics {
    /// Opens the file, keeping the lines up to and including step `resumed`.
    ///
    /// A torn last line, which a killed run leaves, is dropped.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn open(path: &Path, resumed: u64) -> Result<Self, RunError> {
        let io = |source| RunError::io(path, source);
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(io(error)),
        };
        let records: Vec<Record> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|record: &Record| record.step() <= resumed && resumed > 0)
            .collect();
        let mut kept = String::new();
        for record in &records {
            kept.push_str(&line(record)?);
        }
        // Through a second file, so that a kill here does not lose the history.
        let fresh = path.with_extension("jsonl.new");
        fs::write(&fresh, &kept).map_err(io)?;
        fs::rename(&fresh, path).map_err(io)?;
        let file = OpenOptions::new().append(true).open(path).map_err(io)?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
            records,
            board: None,
        })
    }

    /// Also writes TensorBoard's events in `folder`, those of the records so far included.
    ///
    /// # Errors
    /// Where its file cannot be read or written.
    pub fn with_board(mut self, folder: &Path, resumed: u64) -> Result<Self, RunError> {
        self.board = Some(Board::open(folder, resumed, &self.records)?);
        Ok(self)
    }

    /// Appends a record.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn push(&mut self, record: Record) -> Result<(), RunError> {
        self.file
            .write_all(line(&record)?.as_bytes())
            .map_err(|source| RunError::io(&self.path, source))?;
        if let Some(board) = &mut self.board {
            board.push(&record)?;
        }
        self.records.push(record);
        Ok(())
    }

    /// All records of the run, those before a resumption included.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

fn line(record: &Record) -> Result<String, RunError> {
    serde_json::to_string(record)
        .map(|text| text + "\n")
        .map_err(|error| RunError::Engine(format!("a metric has no JSON form: {error}")))
}

/// The line that follows a run on a terminal; on anything else each update is a line.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    steps: u64,
    open: bool,
}

impl Progress {
    /// Progress towards `steps`, on standard error.
    pub fn new(steps: u64) -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            steps,
            open: false,
        }
    }

    /// Shows a logged step.
    pub fn show(&mut self, record: &StepRecord) {
        let text = progress_text(record, self.steps);
        let mut out = std::io::stderr().lock();
        // A closed terminal must not end a run.
        let _ = match self.terminal {
            true => write!(out, "\r\x1b[2K{text}").and_then(|()| out.flush()),
            false => writeln!(out, "{text}"),
        };
        self.open = self.terminal;
    }

    /// Ends the current line and prints a message below it.
    pub fn message(&mut self, text: &str) {
        let mut out = std::io::stderr().lock();
        if std::mem::take(&mut self.open) {
            let _ = writeln!(out);
        }
        let _ = writeln!(out, "{text}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.open {
            let _ = writeln!(std::io::stderr());
        }
    }
}

/// A logged step in a line of at most some 110 characters.
pub fn progress_text(record: &StepRecord, steps: u64) -> String {
    let mfu = record
        .mfu
        .map(|mfu| format!("  mfu {:.1} %", mfu * 100.0))
        .unwrap_or_default();
    let left = steps.saturating_sub(record.step) as f64 * record.step_seconds;
    let skipped = match record.skipped_steps {
        0 => String::new(),
        n => format!("  skipped {n}"),
    };
    format!(
        "step {}/{steps}  loss {:.4}  lr {:.2e}  norm {:.3}  {:.0} tok/s  {:.0} ms  {:.2} GiB{mfu}{skipped}  {} left",
        record.step,
        record.loss,
        record.lr,
        record.gradient_norm,
        record.tokens_per_second,
        record.step_seconds * 1e3,
        record.memory_gib,
        duration(left),
    )
}

/// `1h02m`, `3m05s`, `12s`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.clamp(0.0, 1e9) as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, _) => format!("{h}h{m:02}m"),
    }
}

/// Resident and largest resident memory of this process in bytes; `None` where the system
/// has no `/proc`.
pub fn resident_memory() -> Option<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1024)
    };
    Some((field("VmRSS:")?, field("VmHWM:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64) -> Record {
        Record::Step(StepRecord {
            step,
            loss: 1.0 / step as f64,
            ..StepRecord::default()
        })
    }

    fn evaluation(step: u64) -> Record {
        Record::Evaluation(EvaluationRecord {
            step,
            evaluation: [("loss".to_string(), 2.0)].into(),
        })
    }

    #[test]
    fn resuming_drops_what_came_later_and_torn_lines() {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let path = directory.path().join("metrics.jsonl");
        let mut metrics = Metrics::open(&path, 0).expect("a new file");
        for record in [step(1), step(2), evaluation(2), step(3)] {
            metrics.push(record).expect("writable");
        }
        let mut text = fs::read_to_string(&path).expect("written");
        text.push_str("{\"step\":4,\"lo");
        fs::write(&path, text).expect("writable");

        let mut metrics = Metrics::open(&path, 2).expect("an old file");
        assert_eq!(metrics.records(), [step(1), step(2), evaluation(2)]);
        metrics.push(step(3)).expect("writable");
        let lines: Vec<Record> = fs::read_to_string(&path)
            .expect("written")
            .lines()
            .map(|line| serde_json::from_str(line).expect("whole lines"))
            .collect();
        assert_eq!(lines, [step(1), step(2), evaluation(2), step(3)]);

        let fresh = Metrics::open(&path, 0).expect("an old file");
        assert!(fresh.records().is_empty());
    }

    #[test]
    fn losses_that_are_not_finite_survive() {
        let record = Record::Step(StepRecord {
            step: 1,
            loss: f64::NAN,
            gradient_norm: f64::INFINITY,
            skipped: true,
            ..StepRecord::default()
        });
        let text = line(&record).unwrap();
        match serde_json::from_str(&text).unwrap() {
            Record::Step(step) => assert!(step.loss.is_nan() && step.skipped),
            Record::Evaluation(_) => panic!("not an evaluation"),
        }
    }

    #[test]
    fn the_progress_line_names_the_quantities() {
        let record = StepRecord {
            step: 10,
            loss: 1.25,
            lr: 1e-3,
            gradient_norm: 0.5,
            tokens_per_second: 1234.4,
            step_seconds: 0.25,
            memory_gib: 0.5,
            mfu: Some(0.625),
            ..StepRecord::default()
        };
        assert_eq!(
            progress_text(&record, 250),
            "step 10/250  loss 1.2500  lr 1.00e-3  norm 0.500  1234 tok/s  250 ms  0.50 GiB  \
             mfu 62.5 %  1m00s left"
        );
    }

    #[test]
    fn memory_is_that_of_this_process() {
        let block = vec![1u8; 64 << 20];
        let (resident, peak) = resident_memory().expect("Linux");
        assert!(block.iter().all(|&b| b == 1));
        assert!(resident >= 64 << 20 && peak >= resident);
    }
}
