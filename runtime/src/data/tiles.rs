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
    },
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

/// How many inputs [`views`] makes of a picture.
pub fn inputs(picture: &Picture, side: usize, config: &ImageConfig, cut: bool) -> usize {
    grid(picture, side, config, cut).map_or(1, |(rows, columns, overview, _)| {
        rows * columns + usize::from(overview != Overview::None)
    })
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
        };
        let found = views(&picture(8, 3), 4, &config(tiles), true).expect("cut");
        assert_eq!(found.len(), 3);
        // Three rows in a tile of four: the fourth is the mean.
        let padded = |tile: &Vec<f32>| tile[12..16].iter().all(|x| *x == 0.0);
        assert!(padded(&found[0]) && padded(&found[1]));
    }
}
