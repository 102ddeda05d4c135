//! Webdataset shards: tar files in which neighbouring entries with one stem make a sample
//! (`KEY.jpg|jpeg|png`, `KEY.txt`, optionally `KEY.json` with a `label`).
//!
//! Each shard is walked once at start for an index in memory; samples are then read in
//! place at random. Nothing is ever unpacked to disk.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::data::DataError;
use crate::data::files::Files;
use crate::data::source::{
    Fault, FileKind, MAX_IMAGE_BYTES, MAX_TEXT_BYTES, Part, Source, captioned, kind_of,
};

/// Bytes inside a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    offset: u64,
    length: u32,
}

impl Span {
    /// An entry's bytes, unless there are more than are read.
    pub(crate) fn of(entry: &Entry<'_>, kind: FileKind) -> Option<Self> {
        let limit = match kind {
            FileKind::Image => MAX_IMAGE_BYTES,
            FileKind::Text | FileKind::Json => MAX_TEXT_BYTES,
        };
        (entry.length <= limit).then_some(Self {
            offset: entry.offset,
            length: entry.length as u32,
        })
    }

    /// Reads them. The file is opened anew each time: there may be more shards than file handles.
    pub(crate) fn read(self, path: &Path) -> Result<Vec<u8>, String> {
        let file = File::open(path).map_err(|e| e.to_string())?;
        let mut bytes = vec![0; self.length as usize];
        file.read_exact_at(&mut bytes, self.offset)
            .map_err(|e| e.to_string())?;
        Ok(bytes)
    }
}

/// A file inside a shard whose name has an extension.
pub(crate) struct Entry<'a> {
    /// Its name up to the first dot of its last part.
    pub(crate) stem: &'a [u8],
    /// What follows that dot.
    pub(crate) extension: &'a str,
    offset: u64,
    length: u64,
}

/// How far a shard could be read.
pub(crate) struct Walked {
    /// Bytes up to the end of the last whole entry.
    pub(crate) reached: u64,
    /// Bytes in all.
    pub(crate) size: u64,
    /// Why the walk ended early.
    pub(crate) broken: Option<String>,
}

/// Calls `visit` with the entries of the shard at `path` in order.
pub(crate) fn walk(path: &Path, mut visit: impl FnMut(&Entry<'_>)) -> Result<Walked, DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, e))?;
    let size = file.metadata().map_err(|e| DataError::io(path, e))?.len();
    let mut archive = tar::Archive::new(file);
    let mut walked = Walked {
        reached: 0,
        size,
        broken: None,
    };
    let entries = match archive.entries_with_seek() {
        Ok(entries) => entries,
        Err(e) => {
            walked.broken = Some(e.to_string());
            return Ok(walked);
        }
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                walked.broken = Some(e.to_string());
                break;
            }
        };
        let (offset, length) = (entry.raw_file_position(), entry.size());
        if offset.checked_add(length).is_none_or(|end| end > size) {
            walked.broken = Some("the file ends inside an entry".to_owned());
            break;
        }
        walked.reached = offset + length;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path_bytes();
        let base = name.iter().rposition(|&b| b == b'/').map_or(0, |i| i + 1);
        let Some(dot) = name[base..].iter().position(|&b| b == b'.') else {
            continue;
        };
        let Ok(extension) = std::str::from_utf8(&name[base + dot + 1..]) else {
            continue;
        };
        visit(&Entry {
            stem: &name[..base + dot],
            extension,
            offset,
            length,
        });
    }
    Ok(walked)
}

/// Where the pieces of a sample lie.
#[derive(Clone, Copy, Debug)]
struct Sample {
    shard: u32,
    /// Number within the shard, unusable samples included.
    number: u32,
    image: Span,
    text: Span,
    json: Option<Span>,
}

/// The samples of a set of shards.
#[derive(Debug)]
pub struct Shards {
    tars: Files,
    samples: Vec<Sample>,
    prompt: String,
}

/// Entries of the sample being gathered.
#[derive(Default)]
struct Group {
    stem: Vec<u8>,
    image: Option<Span>,
    text: Option<Span>,
    json: Option<Span>,
    too_large: bool,
}

impl Shards {
    /// Indexes the shards that `pattern` names: a tar file, a folder of `*.tar`, or a path
    /// whose last part holds `*` or a range such as `{00000..00041}`. Shards are taken in
    /// the order of their names. `prompt` goes before captions.
    pub fn open(pattern: &str, prompt: &str) -> Result<Self, DataError> {
        let mut shards = Self {
            tars: Files::open(pattern, "tar")?,
            samples: Vec::new(),
            prompt: prompt.to_owned(),
        };
        let (mut read_bytes, mut unread_bytes) = (0, Vec::new());
        for shard in 0..shards.tars.paths.len() {
            let (reached, size, broken) = shards.index(shard)?;
            read_bytes += reached;
            if broken {
                unread_bytes.push(size.saturating_sub(reached));
            }
        }
        // How many samples the unread part of a broken shard held is not known: estimated
        // from the mean size of those that could be read.
        let mean = (read_bytes / (shards.samples.len() as u64).max(1)).max(512);
        shards.tars.lost += unread_bytes.iter().map(|b| (b / mean).max(1)).sum::<u64>();
        if shards.samples.is_empty() {
            return Err(shards.tars.unusable(pattern, "sample"));
        }
        Ok(shards)
    }

    /// Walks one shard: bytes walked, size, and whether the walk ended early.
    fn index(&mut self, shard: usize) -> Result<(u64, u64, bool), DataError> {
        let path = self.tars.paths[shard].clone();
        let place = path.display().to_string();
        let mut number = 0u32;
        let mut group = Group::default();
        let Walked {
            reached,
            size,
            mut broken,
        } = walk(&path, |entry| {
            let Some(kind) = kind_of(entry.extension) else {
                return;
            };
            if entry.stem != group.stem {
                self.close(shard, &mut number, &mut group);
                group.stem = entry.stem.to_vec();
            }
            let Some(span) = Span::of(entry, kind) else {
                group.too_large = true;
                return;
            };
            let slot = match kind {
                FileKind::Image => &mut group.image,
                FileKind::Text => &mut group.text,
                FileKind::Json => &mut group.json,
            };
            slot.get_or_insert(span);
        })?;
        let whole = group.image.is_some() && group.text.is_some();
        if broken.is_none() || whole {
            self.close(shard, &mut number, &mut group);
        }
        if broken.is_none() && number == 0 {
            broken = Some("no sample inside".to_owned());
        }
        if let Some(why) = &broken {
            self.tars.fault(place, format!("broken shard: {why}"));
        }
        Ok((reached, size, broken.is_some()))
    }

    /// Files the gathered entries as a sample, or as a lost one.
    fn close(&mut self, shard: usize, number: &mut u32, group: &mut Group) {
        let group = std::mem::take(group);
        if group.image.is_none() && group.text.is_none() && !group.too_large {
            return;
        }
        match (group.image, group.text) {
            (Some(image), Some(text)) if !group.too_large => self.samples.push(Sample {
                shard: shard as u32,
                number: *number,
                image,
                text,
                json: group.json,
            }),
            (image, _) => {
                let why = match image {
                    _ if group.too_large => "an entry is too large",
                    Some(_) => "no caption (.txt)",
                    None => "no picture",
                };
                self.tars.lost += 1;
                let place = self.tars.place(shard, *number);
                self.tars.fault(place, why.to_owned());
            }
        }
        *number += 1;
    }

    fn bytes(&self, sample: &Sample, span: Span) -> Result<Vec<u8>, String> {
        span.read(&self.tars.paths[sample.shard as usize])
    }
}

impl Source for Shards {
    fn samples(&self) -> u64 {
        self.samples.len() as u64
    }

    fn lost(&self) -> (u64, &[Fault]) {
        self.tars.lost()
    }

    fn read(&self, n: u64, pictures: bool) -> Result<Vec<Part>, Fault> {
        let sample = &self.samples[n as usize];
        let read = || {
            let picture = match pictures {
                true => Some(self.bytes(sample, sample.image)?),
                false => None,
            };
            captioned(
                picture.as_deref(),
                &self.prompt,
                self.bytes(sample, sample.text)?,
            )
        };
        read().map_err(|why| Fault {
            place: self.tars.place(sample.shard as usize, sample.number),
            why,
        })
    }

    fn name(&self, n: u64) -> String {
        let sample = &self.samples[n as usize];
        self.tars.name(sample.shard as usize, sample.number)
    }

    fn label(&self, n: u64) -> Option<String> {
        let sample = &self.samples[n as usize];
        let bytes = self.bytes(sample, sample.json?).ok()?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        Some(value.get("label")?.as_str()?.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{jpeg, tar_of};

    #[test]
    fn samples_are_grouped_by_stem() {
        let folder = tempfile::tempdir().expect("folder");
        let picture = jpeg(1, 16, 8);
        let entries: Vec<(&str, &[u8])> = vec![
            ("d/a.x.jpg", b"other"),
            ("d/a.jpg", &picture),
            ("d/a.txt", b" a cat \n"),
            ("d/a.json", br#"{"label": "cat"}"#),
            ("b.txt", b"a text alone"),
            ("c.jpeg", &picture),
            ("c.txt", b"a dog"),
            ("readme", b"x"),
            ("d.png", b"no caption"),
        ];
        std::fs::write(folder.path().join("s-0.tar"), tar_of(&entries)).expect("writes");
        std::fs::write(folder.path().join("s-1.tar"), tar_of(&entries)).expect("writes");
        for pattern in ["", "s-*.tar", "s-{0..1}.tar"] {
            let pattern = folder.path().join(pattern);
            let shards = Shards::open(pattern.to_str().expect("UTF-8"), "See:").expect("opens");
            assert_eq!((shards.samples(), shards.lost().0), (4, 4));
            let parts = shards.read(0, true).expect("reads");
            assert!(matches!(&parts[0], Part::Picture(p) if (p.width, p.height) == (16, 8)));
            assert_eq!(
                parts[1..],
                [
                    Part::Prompt("See:".to_owned()),
                    Part::Text("a cat".to_owned())
                ]
            );
            assert_eq!(shards.label(2).as_deref(), Some("cat"));
            assert_eq!(shards.label(1), None);
            assert_eq!(shards.name(3), "s-1.tar#2");
        }
        assert!(Shards::open("/nowhere/x.tar", "").is_err());
        assert!(Shards::open(folder.path().join("t-*.tar").to_str().expect("UTF-8"), "").is_err());
    }

    /// A shard cut at any block keeps what lies before the cut and says so.
    #[test]
    fn broken_shards_are_counted() {
        let folder = tempfile::tempdir().expect("folder");
        let picture = jpeg(1, 16, 8);
        let names: Vec<[String; 2]> = (0..8)
            .map(|i| [format!("{i}.jpg"), format!("{i}.txt")])
            .collect();
        let entries: Vec<(&str, &[u8])> = names
            .iter()
            .flat_map(|[a, b]| [(a.as_str(), &picture[..]), (b.as_str(), &b"a cat"[..])])
            .collect();
        let whole = tar_of(&entries);
        let path = folder.path().join("s.tar");
        let open = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("writes");
            Shards::open(path.to_str().expect("UTF-8"), "")
        };
        assert_eq!(open(&whole).expect("opens").lost().0, 0);
        for cut in (1..whole.len() / 512).map(|block| block * 512 - 300) {
            match open(&whole[..cut]) {
                Ok(shards) => {
                    let end = shards.samples.last().expect("some").text;
                    assert!(end.offset + u64::from(end.length) <= cut as u64);
                    for n in 0..shards.samples() {
                        shards.read(n, true).expect("whole samples stay readable");
                    }
                }
                Err(error) => assert!(error.to_string().contains("no usable sample"), "{error}"),
            }
        }
        // A damaged header in the middle: the second half is lost, estimated, reported.
        let mut bytes = whole.clone();
        let middle = (whole.len() - 1024) / 512 / 2 * 512;
        bytes[middle..middle + 512].fill(0x5A);
        let shards = open(&bytes).expect("opens");
        let (lost, faults) = shards.lost();
        assert!((2..=6).contains(&lost), "{lost}");
        assert!(faults[0].why.contains("broken shard"), "{}", faults[0]);
        assert!(open(b"not a tar at all").is_err());
        assert!(open(&[]).is_err());
    }
}
