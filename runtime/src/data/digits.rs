//! Pictures of small digits, and what they say: what resolution and tokens of a picture decide.
//!
//! A picture has [`SIDE`] rows of [`SIDE`] digits, grey to white over a dark ground, each somewhat off its
//! place and of its own size, about 0.3 of the picture's side high. The text has them in reading order. A
//! tenth of all texts is held out, the same in every run: training never draws them, evaluation draws
//! nothing else.

use crate::data::draw::Canvas;
use crate::data::image::Picture;
use crate::philox::{Draws, Philox, stream_of};

/// Digits in a row, and rows.
const SIDE: usize = 2;
/// Digits of a picture.
pub const COUNT: usize = SIDE * SIDE;
/// Seed of the held-out pictures, the same in every run.
const HOLD_OUT_SEED: u64 = 0x6d6d_3164;

/// The digits of a picture in reading order.
pub type Digits = [u8; COUNT];

/// Draws the digits of a picture, of those that are held out or of the others.
pub fn draw(held_out: bool, draws: &mut Draws) -> Digits {
    loop {
        let digits = [0; COUNT].map(|_: u8| draws.below(10) as u8);
        if is_held_out(&digits) == held_out {
            return digits;
        }
    }
}

fn is_held_out(digits: &Digits) -> bool {
    let number = digits.iter().fold(0, |sum, it| sum * 10 + u64::from(*it));
    let philox = Philox::new(HOLD_OUT_SEED, stream_of("data.digits.hold-out"));
    philox.draws(number).below(10) == 0
}

/// "3 0 7 1".
pub fn text(digits: &Digits) -> String {
    let words: Vec<String> = digits.iter().map(u8::to_string).collect();
    words.join(" ")
}

/// The picture, of `side` by `side` pixels; `draws` says where the digits are and how bright.
pub fn render(digits: &Digits, side: usize, draws: &mut Draws) -> Picture {
    let ground = [0; 3].map(|_: u8| draws.range(12.0, 60.0) as u8);
    let mut canvas = Canvas::new(side, ground);
    let room = 1.0 / SIDE as f64;
    for (place, &digit) in digits.iter().enumerate() {
        let radius = draws.range(0.16, 0.2);
        let free = room / 2.0 - radius;
        let centre =
            |at: usize, draws: &mut Draws| (at as f64 + 0.5) * room + draws.range(-free, free);
        let x = centre(place % SIDE, draws);
        let y = centre(place / SIDE, draws);
        let grey = draws.range(170.0, 250.0) as u8;
        canvas.digit(usize::from(digit), x, y, radius, [grey; 3]);
    }
    Picture {
        width: side,
        height: side,
        rgb: canvas.into_rgb(),
    }
}

/// Held-out picture `index` with its digits.
pub fn held_out(index: u64, side: usize) -> (Digits, Picture) {
    let philox = Philox::new(HOLD_OUT_SEED, stream_of("data.digits.evaluation"));
    let mut draws = philox.draws(index);
    let digits = draw(true, &mut draws);
    let picture = render(&digits, side, &mut draws);
    (digits, picture)
}

/// The first digits of a text, each a word of its own; none after the first longer number.
pub fn parse(text: &str) -> Vec<u8> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let numbers = words.filter_map(|word| word.parse::<u64>().ok());
    let digits = numbers.map_while(|number| u8::try_from(number).ok().filter(|it| *it < 10));
    digits.take(COUNT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_text_says_what_the_picture_shows() {
        let (digits, picture) = held_out(3, 48);
        assert_eq!(parse(&text(&digits)), digits);
        assert_eq!(picture.rgb.len(), 48 * 48 * 3);
        // Another digit in any place changes pixels of its room, and no others.
        for place in 0..COUNT {
            let mut changed = digits;
            changed[place] = (digits[place] + 1) % 10;
            let picture = |digits: &Digits| {
                let philox = Philox::new(HOLD_OUT_SEED, stream_of("test"));
                render(digits, 48, &mut philox.draws(0)).rgb
            };
            let (before, after) = (picture(&digits), picture(&changed));
            let differ = (0..48 * 48).filter(|at| before[at * 3] != after[at * 3]);
            let differ: Vec<usize> = differ.collect();
            assert!(differ.len() > 3, "{differ:?}");
            for at in differ {
                let (row, column) = (at / 48 / 24, at % 48 / 24);
                assert_eq!(row * SIDE + column, place);
            }
        }
    }

    #[test]
    fn held_out_pictures_use_every_digit_in_every_place_and_are_not_trained() {
        let all: Vec<Digits> = (0..200).map(|index| held_out(index, 16).0).collect();
        let philox = Philox::new(0, stream_of("test"));
        for index in 0..2000 {
            assert!(!all.contains(&draw(false, &mut philox.draws(index))));
        }
        for place in 0..COUNT {
            let seen: BTreeSet<u8> = all.iter().map(|it| it[place]).collect();
            assert_eq!(seen.len(), 10);
        }
    }

    #[test]
    fn only_single_digits_are_read() {
        assert_eq!(parse("3, 0 and 7"), [3, 0, 7]);
        assert_eq!(parse("3 12 7"), [3]);
        assert_eq!(parse("1 2 3 4 5 6"), [1, 2, 3, 4]);
        assert!(parse("none").is_empty());
    }
}
