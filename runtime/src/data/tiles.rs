//! Sub-images: a large picture as tiles of the encoder's resolution, with an overview of the whole.
//!
//! A fixed grid of n × n tiles takes the picture stretched, cut or padded to n times the resolution.
//! A dynamic grid is chosen for each picture (MM1.5, arXiv 2409.20566): among the grids of at most so
//! many tiles, the one with least padding of those that hold the picture without shrinking it, else
//! the one that shrinks it least; the picture keeps its aspect and is padded. Tiles go row by row.

use serde::{Deserialize, Serialize};

use crate::data::image::{Fit, ImageConfig, ImageError, Picture, prepare, prepare_to};

/// How a picture becomes the encoder's inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tiles {
    /// One input: the whole.
    #[default]
    None,
    /// `side` × `side` tiles.
    Grid {
        /// Tiles in a row.
        side: usize,
        /// Where the whole picture comes.
        overview: Overview,
        /// Most pictures of an example that are cut, the last ones.
        last: usize,
        /// What is written among them.
        marks: Marks,
    },
    /// A grid for each picture.
    Dynamic {
        /// Fewest tiles.
        least: usize,
        /// Most tiles.
        most: usize,
        /// Where the whole picture comes.
        overview: Overview,
        /// Most pictures of an example that are cut, the last ones.
        last: usize,
        /// What is written among them.
        marks: Marks,
    },
}

/// Text among the tiles of a picture that says where they are (MM1.5, arXiv 2409.20566, 3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Marks {
    /// None.
    #[default]
    None,
    /// `,` between the tiles of a row, a line's end between rows, `:` between tiles and overview.
    Separators,
    /// `(k,i,j)` before each: picture of the example from 0, row and column from 1; the overview is
    /// `(k,0,0)`.
    Index,
}

/// Where the whole picture comes among its tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overview {
    /// Nowhere.
    None,
    /// Before them.
    First,
    /// After them.
    Last,
}

impl Tiles {
    /// What is written among the tiles.
    pub fn marks(&self) -> Marks {
        match *self {
            Self::None => Marks::None,
            Self::Grid { marks, .. } | Self::Dynamic { marks, .. } => marks,
        }
    }

    /// Pictures of an example, of `pictures`, that are cut: the last ones.
    pub fn cut(&self, pictures: usize) -> usize {
        match *self {
            Self::None => 0,
            Self::Grid { last, .. } | Self::Dynamic { last, .. } => last.min(pictures),
        }
    }
}

/// Rows and columns of the grid of a picture of `width` × `height` pixels, tiles being of `side`.
pub fn choose_grid(
    width: usize,
    height: usize,
    side: usize,
    least: usize,
    most: usize,
) -> (usize, usize) {
    let mut best: Option<((bool, f64), (usize, usize))> = None;
    for tiles in least.max(1)..=most {
        for rows in (1..=tiles).filter(|rows| tiles % rows == 0) {
            let columns = tiles / rows;
            let room = [columns * side, rows * side].map(|pixels| pixels as f64);
            let scale = (room[0] / width as f64).min(room[1] / height as f64);
            let filled = (scale * width as f64) * (scale * height as f64);
            // Enlarged pictures: least padding. Shrunk ones: most pixels kept.
            let holds = scale >= 1.0;
            let merit = match holds {
                true => filled - room[0] * room[1],
                false => filled,
            };
            let better = best.is_none_or(|((held, known), _)| {
                // Rounding must not decide between grids of equal merit: the first stays.
                (holds && !held) || (holds == held && merit > known + 1e-6 * room[0] * room[1])
            });
            if better {
                best = Some(((holds, merit), (rows, columns)));
            }
        }
    }
    best.map_or((1, 1), |(_, grid)| grid)
}

/// Rows and columns of a picture's tiles, where the whole comes among them, and how it is fitted to
/// them; `None` where it is shown once.
fn grid(
    picture: &Picture,
    side: usize,
    config: &ImageConfig,
    cut: bool,
) -> Option<(usize, usize, Overview, Fit)> {
    match config.tiles {
        Tiles::None => None,
        _ if !cut => None,
        Tiles::Grid {
            side: n, overview, ..
        } => Some((n, n, overview, config.fit)),
        Tiles::Dynamic {
            least,
            most,
            overview,
            ..
        } => {
            let (rows, columns) = choose_grid(picture.width, picture.height, side, least, most);
            Some((rows, columns, overview, Fit::Pad))
        }
    }
}

/// What is written before each input that [`views`] makes of picture `number` of an example; an empty
/// text is nothing.
pub fn marks(
    picture: &Picture,
    number: usize,
    side: usize,
    config: &ImageConfig,
    cut: bool,
) -> Vec<String> {
    let Some((rows, columns, overview, _)) = grid(picture, side, config, cut) else {
        return vec![String::new()];
    };
    let tiles = (1..=rows).flat_map(|row| (1..=columns).map(move |column| (row, column)));
    let mut places: Vec<(usize, usize)> = tiles.collect();
    match overview {
        Overview::None => {}
        Overview::First => places.insert(0, (0, 0)),
        Overview::Last => places.push((0, 0)),
    }
    let marks = config.tiles.marks();
    let before = std::iter::once(None).chain(places.iter().copied().map(Some));
    let mark = |(before, (row, column)): (Option<(usize, usize)>, (usize, usize))| match marks {
        Marks::None => String::new(),
        Marks::Index => format!("({number},{row},{column})"),
        Marks::Separators => match before {
            None => "",
            Some((0, 0)) => ":",
            Some(_) if row == 0 => ":",
            Some((last, _)) if last != row => "\n",
            Some(_) => ",",
        }
        .to_owned(),
    };
    before.zip(places.iter().copied()).map(mark).collect()
}

/// The encoder's inputs for a picture, `[3, side, side]` each; `cut` where it is cut at all.
///
/// # Errors
/// As [`prepare`].
pub fn views(
    picture: &Picture,
    side: usize,
    config: &ImageConfig,
    cut: bool,
) -> Result<Vec<Vec<f32>>, ImageError> {
    let Some((rows, columns, overview, fit)) = grid(picture, side, config, cut) else {
        return Ok(vec![prepare(picture, side, config)?]);
    };
    let (width, height) = (columns * side, rows * side);
    let whole = ImageConfig {
        fit,
        ..config.clone()
    };
    let pixels = prepare_to(picture, width, height, &whole)?;
    let mut views = Vec::with_capacity(rows * columns + 1);
    for row in 0..rows {
        for column in 0..columns {
            let mut tile = Vec::with_capacity(3 * side * side);
            for channel in 0..3 {
                for y in 0..side {
                    let at = (channel * height + row * side + y) * width + column * side;
                    tile.extend_from_slice(&pixels[at..at + side]);
                }
            }
            views.push(tile);
        }
    }
    match overview {
        Overview::None => {}
        Overview::First => views.insert(0, prepare(picture, side, config)?),
        Overview::Last => views.push(prepare(picture, side, config)?),
    }
    Ok(views)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::image::Filter;

    fn config(tiles: Tiles) -> ImageConfig {
        ImageConfig {
            fit: Fit::Squash,
            filter: Filter::Nearest,
            mean: [0.0; 3],
            std: [1.0; 3],
            tiles,
        }
    }

    /// Red counts columns, green rows.
    fn picture(width: usize, height: usize) -> Picture {
        let pixels = (0..width * height).flat_map(|i| [(i % width) as u8, (i / width) as u8, 0]);
        Picture {
            width,
            height,
            rgb: pixels.collect(),
        }
    }

    #[test]
    fn tiles_put_together_are_the_picture() {
        let tiles = |overview| Tiles::Grid {
            side: 2,
            overview,
            last: 1,
            marks: Marks::None,
        };
        let whole = views(&picture(8, 8), 4, &config(tiles(Overview::None)), true).expect("cut");
        assert_eq!(whole.len(), 4);
        for (place, tile) in whole.iter().enumerate() {
            let (left, top) = (place % 2 * 4, place / 2 * 4);
            for y in 0..4 {
                for x in 0..4 {
                    let red = tile[y * 4 + x] * 255.0;
                    let green = tile[16 + y * 4 + x] * 255.0;
                    assert_eq!(
                        (red.round(), green.round()),
                        ((left + x) as f32, (top + y) as f32)
                    );
                }
            }
        }
        let overview = prepare(&picture(8, 8), 4, &config(Tiles::None)).expect("prepared");
        for (order, at) in [(Overview::First, 0), (Overview::Last, 4)] {
            let found = views(&picture(8, 8), 4, &config(tiles(order)), true).expect("cut");
            assert_eq!((found.len(), &found[at]), (5, &overview));
            let mut rest = found;
            rest.remove(at);
            assert_eq!(rest, whole);
        }
        let uncut = views(&picture(8, 8), 4, &config(tiles(Overview::First)), false);
        assert_eq!(uncut.expect("prepared"), [overview]);
    }

    #[test]
    fn grids_fit_their_pictures() {
        // A picture that grids hold: least padding. One that none holds: most pixels kept.
        for (width, height, grid) in [
            (200, 200, (2, 2)),
            (300, 100, (1, 4)),
            (100, 400, (4, 1)),
            (290, 190, (2, 3)),
            (900, 900, (3, 3)),
            (2000, 500, (1, 4)),
            (1000, 2000, (4, 2)),
        ] {
            let found = choose_grid(width, height, 100, 4, 9);
            assert_eq!(found, grid, "{width}×{height}");
        }
    }

    #[test]
    fn a_dynamic_grid_keeps_the_aspect_and_pads() {
        let tiles = Tiles::Dynamic {
            least: 2,
            most: 2,
            overview: Overview::Last,
            last: 1,
            marks: Marks::Separators,
        };
        let found = views(&picture(8, 3), 4, &config(tiles), true).expect("cut");
        assert_eq!(found.len(), 3);
        // Three rows in a tile of four: the fourth is the mean.
        let padded = |tile: &Vec<f32>| tile[12..16].iter().all(|x| *x == 0.0);
        assert!(padded(&found[0]) && padded(&found[1]));
    }

    #[test]
    fn marks_say_where_a_tile_is() {
        let marked = |overview, marks, size: (usize, usize)| {
            let tiles = Tiles::Dynamic {
                least: 6,
                most: 6,
                overview,
                last: 1,
                marks,
            };
            let picture = picture(size.0, size.1);
            super::marks(&picture, 2, 4, &config(tiles), true)
        };
        // Two rows of three tiles.
        let wide = (12, 8);
        let between = marked(Overview::Last, Marks::Separators, wide);
        assert_eq!(between, ["", ",", ",", "\n", ",", ",", ":"]);
        let between = marked(Overview::First, Marks::Separators, wide);
        assert_eq!(between, ["", ":", ",", ",", "\n", ",", ","]);
        let between = marked(Overview::None, Marks::Separators, (8, 12));
        assert_eq!(between, ["", ",", "\n", ",", "\n", ","]);
        let before = marked(Overview::Last, Marks::Index, wide);
        let places = ["1,1", "1,2", "1,3", "2,1", "2,2", "2,3", "0,0"];
        assert_eq!(before, places.map(|place| format!("(2,{place})")));
        let none = marked(Overview::First, Marks::None, wide);
        assert_eq!(none, [""; 7]);
        let whole = super::marks(&picture(8, 8), 0, 4, &config(Tiles::None), true);
        assert_eq!(whole, [""]);
    }
}
