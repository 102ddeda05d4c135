//! From parts to tokens: the layout of one example.
//!
//! An example is `<bos>`, its parts in order, `<eos>`; what the encoder sees of a picture (once,
//! or in tiles) takes a fixed number of image positions each, with marks among tiles where asked
//! for. Text after a prompt is joined to it with a space; otherwise texts are encoded as they stand.
//! An example that is too long is cut at its end, never inside a picture.

use mm1_package::Objective;

use crate::data::BatchShape;
use crate::data::image::{ImageConfig, Picture};
use crate::data::source::Part;
use crate::data::tiles::{marks, views};
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
    /// Text token among the tiles of a picture: shown, never a target, and counted as the picture's.
    Mark {
        /// Token id.
        id: u32,
    },
    /// Token `token` of the example's picture `image`.
    Image {
        /// Number of the encoder's input within the example.
        image: u32,
        /// Number of the token within that input.
        token: u32,
    },
}

impl Cell {
    /// The token here; −1 for a picture's.
    pub fn token(self) -> i32 {
        match self {
            Self::Text { id, .. } | Self::Mark { id } => id as i32,
            Self::Image { .. } => -1,
        }
    }
}

/// An example ready for packing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Example {
    /// Positions in order.
    pub cells: Vec<Cell>,
    /// Pictures.
    pub pictures: usize,
    /// What the encoder sees of them, `[3, R, R]` each.
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
    /// Most pictures in one example.
    pub max_pictures: usize,
}

/// Where a picture stands in its example.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Number of the picture.
    pub number: usize,
    /// Whether it may be shown in tiles.
    pub cut: bool,
    /// Number of its first input of the encoder.
    pub first: u32,
}

impl Layout<'_> {
    /// How many inputs of the encoder a picture has, and its positions, marks included.
    ///
    /// # Errors
    /// A tokenizer that fails.
    pub fn picture(&self, picture: &Picture, place: Place) -> Result<(usize, Vec<Cell>), String> {
        let side = self.shape.resolution;
        let marks = marks(picture, place.number, side, self.image, place.cut);
        let mut cells = Vec::new();
        for (image, mark) in (place.first..).zip(&marks) {
            let tokens = 0..self.shape.cells_per_image() as u32;
            // Where pictures take no positions there is nothing to mark.
            if !mark.is_empty() && !tokens.is_empty() {
                let ids = self.tokenizer.encode(mark).map_err(|e| e.to_string())?;
                cells.extend(ids.into_iter().map(|id| Cell::Mark { id }));
            }
            cells.extend(tokens.map(|token| Cell::Image { image, token }));
        }
        Ok((marks.len(), cells))
    }

    /// Lays out an example; the error says why the sample cannot be used.
    pub fn example(&self, parts: &[Part]) -> Result<Example, String> {
        let pictures = parts.iter().filter(|part| matches!(part, Part::Picture(_)));
        let pictures = pictures.count();
        if self.shape.objective != Objective::Language && pictures != 1 {
            return Err(format!("{pictures} pictures, where one is to be learnt"));
        }
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
        let room = self.shape.length.saturating_sub(2);
        let mut cut = false;
        let whole = pictures - self.image.tiles.cut(pictures);
        let mut seen = 0;
        let texts = texts(parts);
        for (part, text) in parts.iter().zip(texts) {
            if let Part::Picture(picture) = part {
                seen += 1;
                if cut {
                    continue;
                }
                let (side, in_tiles) = (self.shape.resolution, seen > whole);
                let first = example.images.len() as u32;
                let place = Place {
                    number: seen - 1,
                    cut: in_tiles,
                    first,
                };
                let (count, cells) = self.picture(picture, place)?;
                let end = example.cells.len() + cells.len();
                // What follows would speak of a picture that is not there. (Its text still
                // counts for the mixture, whose order no token count may change.)
                let texts = self.shape.objective != Objective::Reconstruction;
                let images = example.images.len() + count;
                cut = example.pictures == self.max_pictures
                    || images > self.shape.max_images
                    || (texts && end > room);
                if !cut {
                    example.pictures += 1;
                    let views = views(picture, side, self.image, in_tiles);
                    example.images.extend(views.map_err(|e| e.0)?);
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
        if self.shape.objective == Objective::Reconstruction {
            example.cells.clear();
            return Ok(example);
        }
        example.cells.truncate(self.shape.length - 1);
        example.cells.push(Cell::Text {
            id: self.tokenizer.end(),
            target: true,
        });
        Ok(example)
    }
}
