//! Webdataset shards of documents: tar files in which neighbouring entries with one stem make a
//! document. Its pieces are read in the order of the rest of their names: `KEY.000.jpg` (or `jpeg`,
//! `png`) is a picture, `KEY.001.txt` text to learn, `KEY.002.prompt` text that is shown only.

use crate::data::DataError;
use crate::data::files::Files;
use crate::data::image::decode;
use crate::data::source::{Fault, FileKind, Part, Source, kind_of};
use crate::data::tar::{Span, Walked, walk};

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Picture,
    Text,
    Prompt,
}

impl Kind {
    fn of(extension: &str) -> Option<Self> {
        let last = extension.rsplit('.').next().unwrap_or_default();
        match kind_of(last) {
            Some(FileKind::Image) => Some(Self::Picture),
            Some(FileKind::Text) => Some(Self::Text),
            Some(FileKind::Json) => None,
            None => last.eq_ignore_ascii_case("prompt").then_some(Self::Prompt),
        }
    }

    fn file(self) -> FileKind {
        match self {
            Self::Picture => FileKind::Image,
            Self::Text | Self::Prompt => FileKind::Text,
        }
    }
}

#[derive(Debug)]
struct Document {
    shard: u32,
    /// Number within the shard, unusable documents included.
    number: u32,
    pieces: Vec<(Kind, Span)>,
}

/// Pieces of the document being gathered, by the rest of their names.
#[derive(Default)]
struct Group {
    stem: Vec<u8>,
    pieces: Vec<(String, Kind, Span)>,
    too_large: bool,
}

/// The documents of a set of shards.
#[derive(Debug)]
pub struct Documents {
    tars: Files,
    documents: Vec<Document>,
    pictures: bool,
}

impl Documents {
    /// Indexes the shards that `pattern` names, as [`crate::data::tar::Shards::open`] does.
    /// Without `pictures` those of a document are passed over.
    ///
    /// # Errors
    /// No such shards, or not one usable document in them.
    pub fn open(pattern: &str, pictures: bool) -> Result<Self, DataError> {
        let mut all = Self {
            tars: Files::open(pattern, "tar")?,
            documents: Vec::new(),
            pictures,
        };
        for shard in 0..all.tars.paths.len() {
            all.index(shard)?;
        }
        if all.documents.is_empty() {
            return Err(all.tars.unusable(pattern, "document"));
        }
        Ok(all)
    }

    fn index(&mut self, shard: usize) -> Result<(), DataError> {
        let path = self.tars.paths[shard].clone();
        let (mut number, mut group) = (0, Group::default());
        let before = (self.documents.len() as u64, self.tars.lost);
        let walked = walk(&path, |entry| {
            let Some(kind) = Kind::of(entry.extension) else {
                return;
            };
            if entry.stem != group.stem {
                self.close(shard, &mut number, &mut group);
                group.stem = entry.stem.to_vec();
            }
            match Span::of(entry, kind.file()) {
                Some(span) => group.pieces.push((entry.extension.to_owned(), kind, span)),
                None => group.too_large = true,
            }
        })?;
        let Walked {
            reached,
            size,
            broken,
        } = walked;
        // The last document of a broken shard may lack its end.
        if broken.is_none() {
            self.close(shard, &mut number, &mut group);
        }
        let broken = broken.or((number == 0).then(|| "no document inside".to_owned()));
        if let Some(why) = broken {
            // Estimated from those that could be read, as their number is not known.
            let read = self.documents.len() as u64 + self.tars.lost - before.0 - before.1;
            let mean = (reached / read.max(1)).max(512);
            self.tars.lost += (size.saturating_sub(reached) / mean).max(1);
            let place = path.display().to_string();
            self.tars.fault(place, format!("broken shard: {why}"));
        }
        Ok(())
    }

    /// Files the gathered pieces as a document, or as a lost one.
    fn close(&mut self, shard: usize, number: &mut u32, group: &mut Group) {
        let mut group = std::mem::take(group);
        if group.pieces.is_empty() && !group.too_large {
            return;
        }
        let has_text = group.pieces.iter().any(|(_, kind, _)| *kind == Kind::Text);
        if group.too_large || !has_text {
            let why = match group.too_large {
                true => "an entry is too large",
                false => "no text (.txt)",
            };
            self.tars.lost += 1;
            let place = self.tars.place(shard, *number);
            self.tars.fault(place, why.to_owned());
        } else {
            group.pieces.sort_by(|a, b| a.0.cmp(&b.0));
            let pieces = group.pieces.into_iter();
            self.documents.push(Document {
                shard: shard as u32,
                number: *number,
                pieces: pieces.map(|(_, kind, span)| (kind, span)).collect(),
            });
        }
        *number += 1;
    }

    fn parts(&self, document: &Document, pictures: bool) -> Result<Vec<Part>, String> {
        let path = &self.tars.paths[document.shard as usize];
        let mut parts = Vec::new();
        let mut has_text = false;
        for (kind, span) in &document.pieces {
            if *kind == Kind::Picture {
                if pictures && self.pictures {
                    let picture = decode(&span.read(path)?).map_err(|e| e.0)?;
                    parts.push(Part::Picture(picture));
                }
                continue;
            }
            let text = String::from_utf8(span.read(path)?);
            let text = text.map_err(|_| "a text is not UTF-8".to_owned())?;
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            has_text |= *kind == Kind::Text;
            parts.push(match kind {
                Kind::Prompt => Part::Prompt(text.to_owned()),
                Kind::Text | Kind::Picture => Part::Text(text.to_owned()),
            });
        }
        match has_text {
            true => Ok(parts),
            false => Err("its texts are empty".to_owned()),
        }
    }
}

impl Source for Documents {
    fn samples(&self) -> u64 {
        self.documents.len() as u64
    }

    fn lost(&self) -> (u64, &[Fault]) {
        self.tars.lost()
    }

    fn read(&self, n: u64, pictures: bool) -> Result<Vec<Part>, Fault> {
        let document = &self.documents[n as usize];
        self.parts(document, pictures).map_err(|why| Fault {
            place: self.tars.place(document.shard as usize, document.number),
            why,
        })
    }

    fn name(&self, n: u64) -> String {
        let document = &self.documents[n as usize];
        self.tars.name(document.shard as usize, document.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{jpeg, tar_of};

    fn shard(entries: &[(&str, &[u8])], cut: usize) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.tar");
        let bytes = tar_of(entries);
        std::fs::write(&path, &bytes[..bytes.len() - cut]).expect("writable");
        let path = path.display().to_string();
        (folder, path)
    }

    #[test]
    fn pieces_come_in_the_order_of_their_names() {
        let picture = jpeg(3, 8, 8);
        let (_folder, path) = shard(
            &[
                ("x/one.002.txt", b"a dog "),
                ("x/one.000.txt", b"before"),
                ("x/one.001.jpg", &picture),
                ("x/two.prompt", b"why?"),
                ("x/two.txt", b"because"),
                ("x/two.json", b"{}"),
                ("x/three.jpg", &picture),
            ],
            0,
        );
        let documents = Documents::open(&path, true).expect("opens");
        assert_eq!((documents.samples(), documents.lost().0), (2, 1));
        assert_eq!(documents.lost().1[0].why, "no text (.txt)");
        let parts = documents.read(0, true).expect("reads");
        let text = |text: &str| Part::Text(text.to_owned());
        assert_eq!((&parts[0], &parts[2]), (&text("before"), &text("a dog")));
        assert!(matches!(&parts[1], Part::Picture(it) if it.width == 8));
        let answer = [Part::Prompt("why?".to_owned()), text("because")];
        assert_eq!(documents.read(1, true).expect("reads"), answer);
        let blind = Documents::open(&path, false).expect("opens");
        assert_eq!(blind.read(0, true).expect("reads").len(), 2);
    }

    #[test]
    fn broken_shards_are_counted() {
        let long = [b'a'; 600];
        // The second may lack its end, as the third does.
        let whole: &[(&str, &[u8])] = &[("a.txt", b"one"), ("b.txt", b"two"), ("c.txt", &long)];
        let (_folder, path) = shard(whole, 2000);
        let documents = Documents::open(&path, true).expect("opens");
        assert_eq!((documents.samples(), documents.lost().0), (1, 1));
        let (_folder, path) = shard(&[("a.jpg", b"one")], 0);
        let error = Documents::open(&path, true).expect_err("nothing to read");
        assert!(error.to_string().contains("no usable document"), "{error}");
    }
}
