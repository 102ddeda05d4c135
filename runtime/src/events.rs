//! `log.jsonl`: what happened in a run, one JSON object a line.
//!
//! Every object has `time` (UTC) and `event`, and what [`Event`] says of it. The file grows over
//! all starts of a run; steps taken again after a kill are logged again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::checkpoint::Code;
use crate::engine::RunError;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A process took up the run.
    Start {
        /// Name of the model.
        model: String,
        /// Version of mm1c.
        version: String,
        /// What made the code.
        code: Code,
        /// Threads that run kernels.
        kernel_threads: usize,
        /// Threads that make batches.
        loader_threads: usize,
        /// Steps in the run.
        steps: u64,
    },
    /// The run goes on from a checkpoint.
    Resume {
        /// Steps done.
        step: u64,
        /// Keys that differ from the checkpoint's: before and after, absent ones as `null`.
        changed: BTreeMap<String, [Option<String>; 2]>,
    },
    /// Its code comes from elsewhere than before, so last digits may differ from a run without
    /// interruption.
    CodeChanged {
        /// Of the checkpoint.
        before: Code,
        /// Of this process.
        after: Code,
    },
    /// The first step of this process is done.
    FirstStep {
        /// Its number.
        step: u64,
        /// Seconds from the process' start to the step's.
        seconds_to_begin: f64,
        /// Seconds from the process' start to the step's end.
        seconds_to_end: f64,
    },
    /// A checkpoint is written.
    Checkpoint {
        /// Steps done.
        step: u64,
        /// Time that it took.
        seconds: f64,
    },
    /// Held-out examples were looked at.
    Evaluation {
        /// Steps done.
        step: u64,
        /// Time that it took.
        seconds: f64,
        /// Results as in `metrics.jsonl`.
        evaluation: BTreeMap<String, f64>,
    },
    /// A loss or gradient was not finite, so no update was made.
    SkippedStep {
        /// Its number.
        step: u64,
        /// Such steps in a row, this one included.
        in_row: u64,
        /// Its loss; `null` where it is no number.
        loss: Option<f64>,
        /// Its gradient's norm; `null` where it is no number.
        gradient_norm: Option<f64>,
    },
    /// A sample could not be used.
    BadSample {
        /// The step that would have had it; 0 where it was noticed before the first.
        step: u64,
        /// Which, and why.
        fault: String,
    },
    /// Someone asked the run to stop.
    Signal {
        /// Steps done.
        step: u64,
    },
    /// This process is done with the run.
    End {
        /// Steps done.
        step: u64,
        /// `finished`, `stopped` or `failed`.
        outcome: String,
        /// Why it failed.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        error: Option<String>,
    },
}

#[derive(Serialize)]
struct Line<'e> {
    time: String,
    #[serde(flatten)]
    event: &'e Event,
}

/// Appends to `log.jsonl`.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens the file at its end. A torn last line, which a killed run leaves, is dropped.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let io = |source| RunError::io(path, source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        let whole = whole_lines(&mut file).map_err(io)?;
        file.set_len(whole).map_err(io)?;
        file.seek(SeekFrom::Start(whole)).map_err(io)?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
        })
    }

    /// Appends an event.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn push(&mut self, event: &Event) -> Result<(), RunError> {
        let time = utc(SystemTime::now());
        let text = serde_json::to_string(&Line { time, event })
            .map_err(|error| RunError::Engine(format!("an event has no JSON form: {error}")))?;
        self.file
            .write_all((text + "\n").as_bytes())
            .map_err(|source| RunError::io(&self.path, source))
    }
}

/// Bytes up to the end of the last whole line.
fn whole_lines(file: &mut File) -> std::io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut end = length;
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// `2026-11-26T17:05:43.120Z`. The date is counted in years that begin in March, so that leap days come
/// last (Hinnant, "chrono-compatible low-level date algorithms").
fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01; 400 years have 146 097.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Seconds since 1970 of a time as `log.jsonl` has it, the inverse of [`utc`].
pub fn seconds_of(time: &str) -> Option<f64> {
    let part = |from: usize, to: usize| time.get(from..to)?.parse::<u64>().ok();
    let marks = [
        (4, "-"),
        (7, "-"),
        (10, "T"),
        (13, ":"),
        (16, ":"),
        (19, "."),
        (23, "Z"),
    ];
    if time.len() != 24
        || marks
            .iter()
            .any(|(at, mark)| time.get(*at..at + 1) != Some(mark))
    {
        return None;
    }
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March here too.
    let shifted = year - u64::from(month <= 2);
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    let seconds = days * 86_400 + part(11, 13)? * 3600 + part(14, 16)? * 60 + part(17, 19)?;
    Some(seconds as f64 + part(20, 23)? as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.250Z"),
            (951_782_399, "2000-02-28T23:59:59.250Z"),
            (951_782_400, "2000-02-29T00:00:00.250Z"),
            (1_709_251_199, "2024-02-29T23:59:59.250Z"),
            (1_709_251_200, "2024-03-01T00:00:00.250Z"),
            (4_107_542_400, "2100-03-01T00:00:00.250Z"),
            (1_795_713_149, "2026-11-26T17:12:29.250Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 250);
            assert_eq!(utc(time), text);
            assert_eq!(seconds_of(text), Some(seconds as f64 + 0.25));
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "2026-11-26T17:12:29Z",
            "2026-11-26 17:12:29.250Z",
            "2026-13-26T17:12:29.250Z",
            "2026-11-26T17:12:2x.250Z",
            "1969-12-31T23:59:59.999Z",
        ] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }

    #[test]
    fn the_file_grows_and_loses_torn_lines() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log.jsonl");
        let events = [
            Event::Resume {
                step: 3,
                changed: [("train.steps".to_owned(), [Some("8".to_owned()), None])].into(),
            },
            Event::SkippedStep {
                step: 4,
                in_row: 1,
                loss: None,
                gradient_norm: Some(1.5),
            },
            Event::End {
                step: 8,
                outcome: "finished".to_owned(),
                error: None,
            },
        ];
        for event in &events {
            // Each start finds a torn line that the last one left.
            let mut log = Log::open(&path).expect("writable");
            log.push(event).expect("writable");
            let mut file = OpenOptions::new().append(true).open(&path).expect("there");
            file.write_all(&[b'{'; 5000]).expect("writable");
        }
        drop(Log::open(&path).expect("writable"));
        let text = std::fs::read_to_string(&path).expect("text");
        let found: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is JSON"))
            .collect();
        assert_eq!(found.len(), events.len());
        for (found, event) in found.into_iter().zip(&events) {
            assert!(found["time"].as_str().is_some_and(|it| it.ends_with('Z')));
            let read: Event = serde_json::from_value(found).expect("an event");
            assert_eq!(read, *event);
        }
        assert!(text.contains("\"event\":\"skipped_step\",\"step\":4,\"in_row\":1,\"loss\":null"));
        assert!(text.contains("\"changed\":{\"train.steps\":[\"8\",null]}"));
    }
}
