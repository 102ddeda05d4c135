//! Built-in scenes: pictures of one to five equal objects, and texts about them.
//!
//! A scene shows `count` objects of one colour and one shape at random places and sizes
//! over a dark ground, sometimes with a small grey digit that no text mentions. Everything
//! about it is a function of (seed, stream, index). One shape per (colour, count) is held
//! out, that is 40 of the 240 triples, the same ones in every run: training never draws
//! them, evaluation draws nothing else.

use crate::data::image::Picture;
use crate::data::source::Part;
use crate::data::{digits, draw};
use crate::philox::{Draws, Permutation, Philox, stream_of};

/// Colour words and their RGB values.
pub const COLOURS: [(&str, [u8; 3]); 8] = [
    ("red", [225, 35, 35]),
    ("green", [40, 180, 50]),
    ("blue", [45, 80, 235]),
    ("yellow", [240, 225, 40]),
    ("purple", [150, 50, 200]),
    ("orange", [245, 140, 25]),
    ("cyan", [50, 215, 225]),
    ("white", [245, 245, 245]),
];

/// Shape words, singular and plural.
pub const SHAPES: [(&str, &str); 6] = [
    ("circle", "circles"),
    ("square", "squares"),
    ("triangle", "triangles"),
    ("cross", "crosses"),
    ("ring", "rings"),
    ("bar", "bars"),
];

/// Count words for 1 to 5.
pub const COUNTS: [&str; 5] = ["one", "two", "three", "four", "five"];

/// What a scene shows: indices into [`COLOURS`], [`SHAPES`] and [`COUNTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Triple {
    /// Index of the colour.
    pub colour: usize,
    /// Index of the shape.
    pub shape: usize,
    /// Number of objects less one.
    pub count: usize,
}

impl Triple {
    /// The noun phrase: "three red circles".
    pub fn phrase(&self) -> String {
        format!(
            "{} {} {}",
            self.count_word(),
            self.colour_word(),
            self.shape_word()
        )
    }

    /// "red".
    pub fn colour_word(&self) -> &'static str {
        COLOURS[self.colour].0
    }

    /// "circle" or "circles", as the count asks.
    pub fn shape_word(&self) -> &'static str {
        let (one, many) = SHAPES[self.shape];
        if self.count == 0 { one } else { many }
    }

    /// "three".
    pub fn count_word(&self) -> &'static str {
        COUNTS[self.count]
    }
}

/// The seed of the hold-out. Fixed: scores of different runs then speak of the same scenes.
const HOLD_OUT_SEED: u64 = 0x6d6d_3163;

/// All triples in two lists: (trained, held out), both in ascending order.
///
/// For each (colour, count) one shape is held out; within a colour the five shapes differ.
/// So each colour is held out five times, each count eight times, and every colour, shape
/// and count, and every pair of them but (colour, count, ·), is seen in training.
pub fn triples() -> (Vec<Triple>, Vec<Triple>) {
    let philox = Philox::new(HOLD_OUT_SEED, stream_of("data.scenes.hold-out"));
    let (mut trained, mut held_out) = (Vec::new(), Vec::new());
    for colour in 0..COLOURS.len() {
        let order = Permutation::new(philox, colour as u64, SHAPES.len() as u64);
        for shape in 0..SHAPES.len() {
            for count in 0..COUNTS.len() {
                let triple = Triple {
                    colour,
                    shape,
                    count,
                };
                if order.at(count as u64) == shape as u64 {
                    held_out.push(triple);
                } else {
                    trained.push(triple);
                }
            }
        }
    }
    (trained, held_out)
}

/// What a generated example is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SceneTask {
    /// Picture, then a caption.
    Caption,
    /// Picture, a question (not trained on), a one-word answer.
    Question,
    /// Two to four pictures, each followed by its caption.
    Interleaved,
    /// A sentence without a picture.
    Text,
    /// A picture of digits, then what it says; see [`digits`].
    Digits,
}

impl SceneTask {
    /// The task of a configuration word, or `None`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "caption" => Self::Caption,
            "question" => Self::Question,
            "interleaved" => Self::Interleaved,
            "text" => Self::Text,
            "digits" => Self::Digits,
            _ => return None,
        })
    }
}

/// Generator of training examples that never shows a held-out triple.
#[derive(Clone, Debug)]
pub struct Scenes {
    philox: Philox,
    task: SceneTask,
    prompt: String,
    side: usize,
    examples: u64,
    trained: Vec<Triple>,
}

impl Scenes {
    /// `examples` examples of `task` for the source called `name`, pictures of `side` by
    /// `side` pixels; `prompt` goes before captions.
    pub fn new(
        seed: u64,
        name: &str,
        task: SceneTask,
        prompt: &str,
        side: usize,
        examples: u64,
    ) -> Self {
        Self {
            philox: Philox::new(seed, stream_of(&format!("data.scenes.{name}"))),
            task,
            prompt: prompt.to_owned(),
            side,
            examples,
            trained: triples().0,
        }
    }

    /// Examples in an epoch.
    pub fn examples(&self) -> u64 {
        self.examples
    }

    /// Triple, and the draws that the rest of the scene comes from, of picture `n` of
    /// example `sample`.
    fn scene(&self, sample: u64, n: u64) -> (Triple, Draws) {
        let mut draws = self.philox.draws(sample * 8 + n);
        let triple = self.trained[draws.below(self.trained.len() as u32) as usize];
        (triple, draws)
    }

    /// What the first picture of an example shows (for tests and audits).
    pub fn triple(&self, sample: u64) -> Triple {
        self.scene(sample, 0).0
    }

    /// Example `sample` as parts in order; pictures are left out unless `pictures`.
    pub fn example(&self, sample: u64, pictures: bool) -> Vec<Part> {
        let (triple, mut draws) = self.scene(sample, 0);
        // Words are drawn before pixels, so texts do not depend on the picture's side.
        match self.task {
            SceneTask::Caption => {
                let text = caption(triple, !self.prompt.is_empty(), &mut draws);
                let mut parts = Vec::new();
                if pictures {
                    parts.push(Part::Picture(render(triple, self.side, &mut draws)));
                }
                if !self.prompt.is_empty() {
                    parts.push(Part::Prompt(self.prompt.clone()));
                }
                parts.push(Part::Text(text));
                parts
            }
            SceneTask::Question => {
                let (question, answer) = question(triple, draws.below(3));
                let mut parts = Vec::new();
                if pictures {
                    parts.push(Part::Picture(render(triple, self.side, &mut draws)));
                }
                parts.push(Part::Prompt(question));
                parts.push(Part::Text(answer));
                parts
            }
            SceneTask::Interleaved => {
                let count = 2 + u64::from(draws.below(3));
                let mut parts = Vec::new();
                for n in 1..=count {
                    let (triple, mut draws) = self.scene(sample, n);
                    let text = caption(triple, false, &mut draws);
                    if pictures {
                        parts.push(Part::Picture(render(triple, self.side, &mut draws)));
                    }
                    parts.push(Part::Text(text + "."));
                }
                parts
            }
            SceneTask::Text => vec![Part::Text(caption(triple, false, &mut draws) + ".")],
            SceneTask::Digits => {
                let said = digits::draw(false, &mut draws);
                let mut parts = Vec::new();
                if pictures {
                    parts.push(Part::Picture(digits::render(&said, self.side, &mut draws)));
                }
                parts.push(Part::Text(digits::text(&said)));
                parts
            }
        }
    }
}

/// Held-out scene `index` of the evaluation set: triples in turn, so that any 40 in a row
/// show each once.
pub fn held_out_scene(index: u64, side: usize) -> (Triple, Picture) {
    let held_out = triples().1;
    let triple = held_out[(index % held_out.len() as u64) as usize];
    let philox = Philox::new(HOLD_OUT_SEED, stream_of("data.scenes.evaluation"));
    let picture = render(triple, side, &mut philox.draws(index));
    (triple, picture)
}

/// One of several wordings; after a prompt only noun phrases fit.
fn caption(triple: Triple, after_prompt: bool, draws: &mut Draws) -> String {
    let (count, colour, shape) = (
        triple.count_word(),
        triple.colour_word(),
        triple.shape_word(),
    );
    let be = if triple.count == 0 { "is" } else { "are" };
    match draws.below(if after_prompt { 4 } else { 7 }) {
        0 | 1 => triple.phrase(),
        2 => format!("{count} {shape} in {colour}"),
        3 => format!("{count} {colour} {shape} on a dark ground"),
        4 => format!("a picture of {count} {colour} {shape}"),
        5 => format!("there {be} {count} {colour} {shape}"),
        _ => format!("here {be} {count} {shape} in {colour}"),
    }
}

/// Question number 0 to 2 and its answer.
fn question(triple: Triple, which: u32) -> (String, String) {
    let (asked, answer) = match which {
        0 => ("what colour?", triple.colour_word()),
        1 => ("what shape?", SHAPES[triple.shape].0),
        _ => ("how many?", triple.count_word()),
    };
    (
        format!("Question: {asked} Short answer:"),
        answer.to_owned(),
    )
}

/// A circle that some object occupies, in units of the side.
struct Place {
    x: f64,
    y: f64,
    radius: f64,
}

/// Draws the picture of a triple.
fn render(triple: Triple, side: usize, draws: &mut Draws) -> Picture {
    let ground = [0; 3].map(|_: u8| draws.range(12.0, 60.0) as u8);
    let mut canvas = draw::Canvas::new(side, ground);
    let tint = draws.range(-12.0, 12.0);
    let colour = COLOURS[triple.colour]
        .1
        .map(|c| (f64::from(c) + tint).clamp(0.0, 255.0) as u8);
    let mut places: Vec<Place> = Vec::new();
    let mut shrink = 1.0;
    while places.len() <= triple.count {
        if !put(&mut places, 0.11, 0.17, shrink, draws) {
            // Five large objects may not find room: start again with smaller ones.
            places.clear();
            shrink *= 0.92;
        }
    }
    for place in &places {
        let turn = draws.range(-0.15, 0.15);
        let shape = draw::Shape::ALL[triple.shape];
        canvas.shape(shape, place.x, place.y, place.radius, turn, colour);
    }
    if draws.below(4) == 0 && put(&mut places, 0.08, 0.1, 1.0, draws) {
        let digit = draws.below(10) as usize;
        if let Some(place) = places.last() {
            canvas.digit(digit, place.x, place.y, place.radius, [120, 120, 120]);
        }
    }
    Picture {
        width: side,
        height: side,
        rgb: canvas.into_rgb(),
    }
}

/// Adds a random place that touches no other and lies within the picture; false where
/// forty attempts found none.
fn put(places: &mut Vec<Place>, low: f64, high: f64, shrink: f64, draws: &mut Draws) -> bool {
    for _ in 0..40 {
        let radius = draws.range(low, high) * shrink;
        let x = draws.range(radius, 1.0 - radius);
        let y = draws.range(radius, 1.0 - radius);
        let free = places.iter().all(|p| {
            let apart = p.radius + radius + 0.03;
            (p.x - x).powi(2) + (p.y - y).powi(2) > apart * apart
        });
        if free {
            places.push(Place { x, y, radius });
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn hold_out_covers_and_leaves_every_word() {
        let (trained, held_out) = triples();
        assert_eq!((trained.len(), held_out.len()), (200, 40));
        for list in [&trained, &held_out] {
            assert_eq!(
                list.iter().map(|t| t.colour).collect::<BTreeSet<_>>().len(),
                8
            );
            assert_eq!(
                list.iter().map(|t| t.shape).collect::<BTreeSet<_>>().len(),
                6
            );
            assert_eq!(
                list.iter().map(|t| t.count).collect::<BTreeSet<_>>().len(),
                5
            );
        }
        assert!(held_out.iter().all(|t| !trained.contains(t)));
    }

    #[test]
    fn training_never_shows_a_held_out_triple() {
        let held_out = triples().1;
        let scenes = Scenes::new(1, "a", SceneTask::Interleaved, "", 16, 4000);
        let mut seen = BTreeSet::new();
        for sample in 0..4000 {
            for n in 0..5 {
                let (triple, _) = scenes.scene(sample, n);
                assert!(!held_out.contains(&triple));
                seen.insert(triple);
            }
        }
        assert_eq!(seen.len(), 200);
        for index in 0..500 {
            assert!(held_out.contains(&held_out_scene(index, 16).0));
        }
    }

    #[test]
    fn scenes_are_functions_of_seed_and_index() {
        let make = |seed| Scenes::new(seed, "a", SceneTask::Caption, "", 32, 10).example(3, true);
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        let text = |side| {
            let parts = Scenes::new(1, "a", SceneTask::Caption, "", side, 10).example(3, true);
            format!("{:?}", parts.last())
        };
        assert_eq!(text(16), text(64));
    }

    #[test]
    fn pictures_show_the_colour() {
        for index in 0..40 {
            let (triple, picture) = held_out_scene(index, 48);
            assert_eq!(picture.rgb.len(), 48 * 48 * 3);
            let wanted = COLOURS[triple.colour].1.map(i32::from);
            let near = picture.rgb.chunks_exact(3).filter(|pixel| {
                pixel
                    .iter()
                    .zip(wanted)
                    .all(|(&p, w)| (i32::from(p) - w).abs() <= 13)
            });
            assert!(near.count() > 8 * (triple.count + 1), "{}", triple.phrase());
        }
    }

    #[test]
    fn questions_have_prompts() {
        let parts = Scenes::new(1, "q", SceneTask::Question, "", 16, 10).example(0, false);
        assert!(matches!(&parts[0], Part::Prompt(p) if p.starts_with("Question: ")));
        assert!(matches!(&parts[1], Part::Text(t) if !t.contains(' ')));
    }
}
