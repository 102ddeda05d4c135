//! How many inputs of the encoder pictures make, by the keys of `[image]`.

use crate::resolved::Resolved;

/// Fewest tokens of the marks among the tiles of so many pictures: one each.
pub(crate) fn marks(keys: &Resolved, pictures: i64) -> i64 {
    let tiled = keys.int("image.tiled_pictures").unwrap_or(0).min(pictures);
    let each = inputs(keys, 1);
    match keys.text("image.tile_marks") {
        Some("separators") => tiled.saturating_mul(each - 1),
        Some("index") => tiled.saturating_mul(each),
        _ => 0,
    }
}

/// Most inputs for `pictures` pictures of one sequence.
pub(crate) fn inputs(keys: &Resolved, pictures: i64) -> i64 {
    let int = |key: &str| keys.int(&format!("image.{key}")).unwrap_or(1);
    let tiles = match keys.text("image.tiles") {
        Some("grid") => int("tile_grid").saturating_mul(int("tile_grid")),
        Some("dynamic") => int("most_tiles"),
        _ => return pictures,
    };
    let overview = i64::from(keys.text("image.overview") != Some("none"));
    let cut = int("tiled_pictures").min(pictures);
    cut.saturating_mul(tiles.saturating_add(overview))
        .saturating_add(pictures - cut)
}
