//! TensorBoard's event files: what `metrics.jsonl` has, as scalars under `tb/`.
//!
//! A file is a row of records: length (u64), checksum of the length, bytes, checksum of the bytes; the
//! checksums are CRC-32C, rotated and offset, and all numbers little-endian. The bytes are an `Event`
//! in protobuf's wire format: 1 wall time (double), 2 step (varint), 3 version of the file (first event
//! only), 5 summary of values (field 1), each a tag (1) and a float (2).

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::engine::RunError;
use crate::metrics::Record;

/// The file of a run: one, as a resumed run goes on in it.
const FILE: &str = "events.out.tfevents.0.mm1c";
/// What the first event says.
const VERSION: &str = "brain.Event:2";

/// One event of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Seconds since 1970.
    pub wall_time: f64,
    /// Optimizer steps made.
    pub step: u64,
    /// Tags and values.
    pub scalars: Vec<(String, f32)>,
}

/// Appends to the event file of a run.
#[derive(Debug)]
pub struct Board {
    path: PathBuf,
    file: File,
}

impl Board {
    /// Opens the event file in `folder`, keeping the events up to and including step `resumed`. Where
    /// there is no such file it is begun with `records`, which are those of the run until then.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn open(folder: &Path, resumed: u64, records: &[Record]) -> Result<Self, RunError> {
        let path = folder.join(FILE);
        let io = |source| RunError::io(&path, source);
        fs::create_dir_all(folder).map_err(io)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        let bytes = fs::read(&path).map_err(io)?;
        let events = match resumed {
            0 => Vec::new(),
            _ => read(&bytes).0,
        };
        // Cut in place: whoever follows the file keeps following it. Steps only grow, so what is
        // too much is at the end.
        let kept = events.iter().take_while(|(_, event)| event.step <= resumed);
        let end = kept.map(|(end, _)| *end).last().unwrap_or(0);
        file.set_len(end).map_err(io)?;
        file.seek(SeekFrom::Start(end)).map_err(io)?;
        let mut board = Self { path, file };
        if end == 0 {
            let mut first = Vec::new();
            double(&mut first, 1, now());
            bytes_field(&mut first, 3, VERSION.as_bytes());
            board.append(&first)?;
            for record in records {
                board.push(record)?;
            }
        }
        Ok(board)
    }

    /// Appends a record of the metrics.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn push(&mut self, record: &Record) -> Result<(), RunError> {
        let event = Event {
            wall_time: now(),
            step: record.step(),
            scalars: scalars(record),
        };
        self.append(&event.encode())
    }

    fn append(&mut self, event: &[u8]) -> Result<(), RunError> {
        self.file
            .write_all(&frame(event))
            .map_err(|source| RunError::io(&self.path, source))
    }
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |it| it.as_secs_f64())
}

/// Tags and values of a record.
fn scalars(record: &Record) -> Vec<(String, f32)> {
    let mut out = Vec::new();
    let mut put = |tag: String, value: f64| out.push((tag, value as f32));
    match record {
        Record::Evaluation(record) => {
            for (name, value) in &record.evaluation {
                put(format!("held_out/{name}"), *value);
            }
        }
        Record::Step(step) => {
            for (name, value) in [
                ("loss", step.loss),
                ("z_loss", step.z_loss),
                ("lr", step.lr),
                ("gradient_norm", step.gradient_norm),
                ("skipped_steps", step.skipped_steps as f64),
                ("bad_samples", step.bad_samples as f64),
            ] {
                put(format!("train/{name}"), value);
            }
            for (name, value) in [
                ("tokens_per_second", step.tokens_per_second),
                ("text_tokens_per_second", step.text_tokens_per_second),
                ("image_tokens_per_second", step.image_tokens_per_second),
                ("step_seconds", step.step_seconds),
                ("memory_gib", step.memory_gib),
                ("fill_rate", step.fill_rate),
            ] {
                put(format!("speed/{name}"), value);
            }
            if let Some(mfu) = step.mfu {
                put("speed/mfu".to_owned(), mfu);
            }
            if let Some(experts) = &step.experts {
                put("experts/load_balance".to_owned(), experts.load_balance);
                put("experts/router_z".to_owned(), experts.router_z);
                put("experts/dropped".to_owned(), experts.dropped);
            }
            for (source, epochs) in &step.epochs {
                put(format!("epochs/{source}"), *epochs);
            }
        }
    }
    out
}

/// Wire types.
const VARINT: u64 = 0;
const DOUBLE: u64 = 1;
const BYTES: u64 = 2;
const FLOAT: u64 = 5;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    varint(out, field << 3 | DOUBLE);
    out.extend(value.to_le_bytes());
}

fn bytes_field(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | BYTES);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

impl Event {
    fn encode(&self) -> Vec<u8> {
        let mut summary = Vec::new();
        for (tag, scalar) in &self.scalars {
            let mut value = Vec::new();
            bytes_field(&mut value, 1, tag.as_bytes());
            varint(&mut value, 2 << 3 | FLOAT);
            value.extend(scalar.to_le_bytes());
            bytes_field(&mut summary, 1, &value);
        }
        let mut out = Vec::new();
        double(&mut out, 1, self.wall_time);
        varint(&mut out, 2 << 3 | VARINT);
        varint(&mut out, self.step);
        bytes_field(&mut out, 5, &summary);
        out
    }

    /// An event, or the version's where it has neither step nor summary.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut event = Self::default();
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (1, Field::Double(time)) => event.wall_time = time,
                (2, Field::Varint(step)) => event.step = step,
                (3, Field::Bytes(version)) if version == VERSION.as_bytes() => {}
                (5, Field::Bytes(summary)) => {
                    let mut values = Fields(summary);
                    while let Some((1, Field::Bytes(value))) = values.next()? {
                        event.scalars.push(scalar(value)?);
                    }
                    if !values.0.is_empty() {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        Some(event)
    }
}

/// Tag and value of a summary's entry.
fn scalar(bytes: &[u8]) -> Option<(String, f32)> {
    let mut fields = Fields(bytes);
    let (Some((1, Field::Bytes(tag))), Some((2, Field::Float(value))), None) =
        (fields.next()?, fields.next()?, fields.next()?)
    else {
        return None;
    };
    Some((String::from_utf8(tag.to_vec()).ok()?, value))
}

/// The fields of a message that are left.
struct Fields<'a>(&'a [u8]);

enum Field<'a> {
    Varint(u64),
    Double(f64),
    Float(f32),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Number and value of the next field; `Some(None)` at the end, `None` where there is neither.
    #[allow(clippy::type_complexity, reason = "an end is no error")]
    fn next(&mut self) -> Option<Option<(u64, Field<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let key = self.varint()?;
        let field = match key & 7 {
            VARINT => Field::Varint(self.varint()?),
            DOUBLE => Field::Double(f64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            FLOAT => Field::Float(f32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            BYTES => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            _ => return None,
        };
        Some(Some((key >> 3, field)))
    }
}

/// An event as a record.
fn frame(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let mut out = length.to_vec();
    out.extend(masked(&length).to_le_bytes());
    out.extend(event);
    out.extend(masked(event).to_le_bytes());
    out
}

/// The events at the start of a file, each with the offset of its end, and whether the file is whole:
/// nothing follows them that is no record with both checksums right and an event inside.
pub fn read(bytes: &[u8]) -> (Vec<(u64, Event)>, bool) {
    let mut events = Vec::new();
    let mut rest = Fields(bytes);
    let mut record = || -> Option<(u64, Event)> {
        let length = rest.take(8)?;
        let checked = rest.take(4)? == masked(length).to_le_bytes();
        let length = u64::from_le_bytes(length.try_into().ok()?);
        let event = rest.take(usize::try_from(length).ok().filter(|_| checked)?)?;
        let right = rest.take(4)? == masked(event).to_le_bytes();
        let event = Event::decode(event).filter(|_| right)?;
        Some(((bytes.len() - rest.0.len()) as u64, event))
    };
    while let Some(found) = record() {
        events.push(found);
    }
    let whole = events.last().map_or(0, |(end, _)| *end) == bytes.len() as u64;
    (events, whole)
}

/// CRC-32C (Castagnoli, reflected), rotated right by 15 and offset, so that a checksum of bytes that
/// hold checksums is as good.
fn masked(bytes: &[u8]) -> u32 {
    let crc = !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    });
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{EvaluationRecord, StepRecord};

    fn step(step: u64) -> Record {
        Record::Step(StepRecord {
            step,
            loss: 4.0 / step as f64,
            lr: 1e-3,
            tokens_per_second: 1234.0,
            epochs: [("scenes".to_owned(), 0.5)].into(),
            ..StepRecord::default()
        })
    }

    fn evaluation(step: u64) -> Record {
        Record::Evaluation(EvaluationRecord {
            step,
            evaluation: [("scenes.loss".to_owned(), 2.0)].into(),
        })
    }

    fn file(folder: &Path) -> Vec<u8> {
        fs::read(folder.join(FILE)).expect("there")
    }

    /// Steps with one of their tags.
    fn of(bytes: &[u8], tag: &str) -> Vec<(u64, f32)> {
        let (events, whole) = read(bytes);
        assert!(whole);
        let scalars = events.iter().flat_map(|(_, event)| {
            let named = event.scalars.iter().filter(|it| it.0 == tag);
            named.map(|it| (event.step, it.1))
        });
        scalars.collect()
    }

    /// RFC 3720, B.4, before the mask; and a record as TensorFlow writes it.
    #[test]
    fn checksums_are_those_of_the_standard() {
        let unmask = |masked: u32| masked.wrapping_sub(0xa282_ead8).rotate_left(15);
        assert_eq!(unmask(masked(&[0; 32])), 0x8a91_36aa);
        assert_eq!(unmask(masked(&[0xff; 32])), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(unmask(masked(&ascending)), 0x46dd_794e);
        assert_eq!(unmask(masked(b"123456789")), 0xe306_9283);
    }

    #[test]
    fn events_are_read_back_and_any_changed_byte_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut board = Board::open(folder.path(), 0, &[]).expect("opens");
        for record in [step(1), step(10), evaluation(10)] {
            board.push(&record).expect("written");
        }
        let bytes = file(folder.path());
        let (events, whole) = read(&bytes);
        assert!(whole && events.len() == 4);
        // The version comes first, where readers look for it.
        assert_eq!(&bytes[23..36], VERSION.as_bytes());
        assert!(events[0].1.scalars.is_empty());
        assert!(events.iter().all(|(_, event)| event.wall_time > 1.7e9));
        assert_eq!(of(&bytes, "train/loss"), [(1, 4.0), (10, 0.4)]);
        assert_eq!(of(&bytes, "train/lr"), [(1, 1e-3), (10, 1e-3)]);
        assert_eq!(of(&bytes, "held_out/scenes.loss"), [(10, 2.0)]);
        assert_eq!(of(&bytes, "epochs/scenes").len(), 2);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(!read(&changed).1, "byte {at}");
            assert_eq!(
                read(&bytes[..at]).1,
                at == 0 || events.iter().any(|e| e.0 == at as u64)
            );
        }
    }

    #[test]
    fn a_resumed_run_has_each_step_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut board = Board::open(folder.path(), 0, &[]).expect("opens");
        for record in [step(1), step(2), evaluation(2), step(3), step(4)] {
            board.push(&record).expect("written");
        }
        // Torn by a kill.
        let torn = frame(&[0; 40]);
        board.file.write_all(&torn[..20]).expect("written");
        let before = file(folder.path());
        let mut board = Board::open(folder.path(), 2, &[step(1)]).expect("opens");
        let kept = file(folder.path());
        assert_eq!(before[..kept.len()], kept);
        for record in [step(3), step(4), step(5)] {
            board.push(&record).expect("written");
        }
        let steps = |tag| -> Vec<u64> {
            of(&file(folder.path()), tag)
                .iter()
                .map(|it| it.0)
                .collect()
        };
        assert_eq!(steps("train/loss"), [1, 2, 3, 4, 5]);
        assert_eq!(steps("held_out/scenes.loss"), [2]);
        // Begun anew.
        let mut board = Board::open(folder.path(), 0, &[]).expect("opens");
        board.push(&step(1)).expect("written");
        assert_eq!(steps("train/loss"), [1]);
        // A run whose file is lost gets it back.
        fs::remove_file(folder.path().join(FILE)).expect("there");
        let mut board = Board::open(folder.path(), 2, &[step(1), step(2)]).expect("opens");
        board.push(&step(3)).expect("written");
        assert_eq!(steps("train/loss"), [1, 2, 3]);
    }
}
