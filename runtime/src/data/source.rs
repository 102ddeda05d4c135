//! Where examples come from.

use crate::data::image::{Picture, decode};
use crate::data::scene::Scenes;

/// One piece of an example, in reading order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A picture.
    Picture(Picture),
    /// Text that is shown but not learnt (its tokens weigh 0 as targets).
    Prompt(String),
    /// Text to learn.
    Text(String),
}

/// Why one sample cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it is: a path, or `shard#n`.
    pub place: String,
    /// What is wrong with it.
    pub why: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

/// A numbered set of samples, each readable at random.
pub trait Source: Send + Sync {
    /// Samples that can be asked for.
    fn samples(&self) -> u64;

    /// Samples found unusable while indexing: how many, and some of them.
    fn lost(&self) -> (u64, &[Fault]) {
        (0, &[])
    }

    /// Sample `n` (below [`Source::samples`]) as parts; without `pictures` only its texts.
    /// The answer depends on `n` and the stored data alone.
    fn read(&self, n: u64, pictures: bool) -> Result<Vec<Part>, Fault>;

    /// Name of sample `n` for people.
    fn name(&self, n: u64) -> String;

    /// The label stored with sample `n`, where the format has one.
    fn label(&self, _n: u64) -> Option<String> {
        None
    }
}

impl Source for Scenes {
    fn samples(&self) -> u64 {
        self.examples()
    }

    fn read(&self, n: u64, pictures: bool) -> Result<Vec<Part>, Fault> {
        Ok(self.example(n, pictures))
    }

    fn name(&self, n: u64) -> String {
        format!("scene {n}")
    }
}

/// Largest picture file and largest text that are read, bytes.
pub(crate) const MAX_IMAGE_BYTES: u64 = 64 << 20;
/// See [`MAX_IMAGE_BYTES`].
pub(crate) const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Kind of a file by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Image,
    Text,
    Json,
}

/// What the end of a name promises, in any letter case.
pub(crate) fn kind_of(extension: &str) -> Option<FileKind> {
    match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "png" => Some(FileKind::Image),
        "txt" => Some(FileKind::Text),
        "json" => Some(FileKind::Json),
        _ => None,
    }
}

/// The parts of a captioned picture: picture, prompt (unless empty), caption.
pub(crate) fn captioned(
    picture: Option<&[u8]>,
    prompt: &str,
    caption: Vec<u8>,
) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    if let Some(bytes) = picture {
        parts.push(Part::Picture(decode(bytes).map_err(|e| e.0)?));
    }
    let caption = String::from_utf8(caption).map_err(|_| "caption is not UTF-8".to_owned())?;
    let caption = caption.trim();
    if caption.is_empty() {
        return Err("caption is empty".to_owned());
    }
    if !prompt.is_empty() {
        parts.push(Part::Prompt(prompt.to_owned()));
    }
    parts.push(Part::Text(caption.to_owned()));
    Ok(parts)
}
