//! From parts to tokens: the layout of one example.
//!
//! An example is `<bos>`, its parts in order, `<eos>`; a picture takes a fixed number of
//! image positions. Text after a prompt is joined to it with a space; otherwise texts are
//! encoded as they stand. An example that is too long is cut at its end, never inside a
//! picture.

use crate::data::BatchShape;
use crate::data::image::{ImageConfig, prepare};
use crate::data::source::Part;
use crate::tokenizer::Tokenizer;

/// One position of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Text token; `target` tells whether predicting it counts.
    Text {
        /// Token id.
        id: u32,
        /// Whether it counts as a target.
        target: bool,
    },
    /// Token `token` of the example's picture `image`.
    Image {
        /// Number of the picture within the example.
        image: u32,
        /// Number of the token within the picture.
        token: u32,
    },
}

/// An example ready for packing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Example {
    /// Positions in order.
    pub cells: Vec<Cell>,
    /// Normalised pictures, `[3, R, R]` each.
    pub images: Vec<Vec<f32>>,
    /// Text tokens before any cut: what the mixture counts.
    pub mixture_tokens: u64,
}

/// The text of each part as it is encoded, and whether its tokens count as targets;
/// `None` for a picture.
pub(crate) fn texts(parts: &[Part]) -> Vec<Option<(String, bool)>> {
    let mut after_prompt = false;
    let each = parts.iter().map(|part| {
        let space = if after_prompt { " " } else { "" };
        after_prompt = matches!(part, Part::Prompt(_));
        match part {
            Part::Picture(_) => None,
            Part::Prompt(text) => Some((format!("{space}{}", text.trim()), false)),
            Part::Text(text) => Some((format!("{space}{}", text.trim()), true)),
        }
    });
    each.collect()
}

/// What layouts depend on.
pub struct Layout<'a> {
    /// Encodes texts.
    pub tokenizer: &'a Tokenizer,
    /// Preprocesses pictures.
    pub image: &'a ImageConfig,
    /// Length, resolution and image tokens.
    pub shape: BatchShape,
    /// Most images in one example.
    pub max_images: usize,
}

impl Layout<'_> {
    /// Lays out an example; the error says why the sample cannot be used.
    pub fn example(&self, parts: &[Part]) -> Result<Example, String> {
        let begin = Cell::Text {
            id: self.tokenizer.begin(),
            target: false,
        };
        let mut example = Example {
            cells: vec![begin],
            mixture_tokens: 2,
            ..Example::default()
        };
        // Two positions stay free for at least one text token and the end.
        let room = self.shape.length - 2;
        let mut cut = false;
        let texts = texts(parts);
        for (part, text) in parts.iter().zip(texts) {
            if let Part::Picture(picture) = part {
                let image = example.images.len();
                let end = example.cells.len() + self.shape.image_tokens;
                // What follows would speak of a picture that is not there. (Its text still
                // counts for the mixture, whose order no token count may change.)
                cut |= image == self.max_images || end > room;
                if !cut {
                    let pixels = prepare(picture, self.shape.resolution, self.image);
                    example.images.push(pixels.map_err(|e| e.0)?);
                    let tokens = 0..self.shape.image_tokens as u32;
                    let image = image as u32;
                    let cells = tokens.map(|token| Cell::Image { image, token });
                    example.cells.extend(cells);
                }
                continue;
            }
            let Some((text, target)) = text else { continue };
            let ids = self.tokenizer.encode(&text).map_err(|e| e.to_string())?;
            example.mixture_tokens += ids.len() as u64;
            if !cut {
                let cells = ids.into_iter().map(|id| Cell::Text { id, target });
                example.cells.extend(cells);
                cut = example.cells.len() >= self.shape.length;
            }
        }
        example.cells.truncate(self.shape.length - 1);
        example.cells.push(Cell::Text {
            id: self.tokenizer.end(),
            target: true,
        });
        Ok(example)
    }
}
