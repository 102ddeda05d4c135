//! Scores of free text: what it says of a scene, or which class it names.

use serde::{Deserialize, Serialize};

use crate::data::digits::{self, Digits};
use crate::data::scene::{COLOURS, COUNTS, SHAPES, Triple};

/// What a text says of a scene: indices as in [`Triple`], `None` where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// First colour word.
    pub colour: Option<usize>,
    /// First shape word, singular or plural.
    pub shape: Option<usize>,
    /// First count word (`one` to `five`, `1` to `5`), less one.
    pub count: Option<usize>,
}

/// Words of a text: runs of letters and digits, in lower case.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Reads the first colour, shape and count from free text.
pub fn parse_scene(text: &str) -> Said {
    let mut said = Said::default();
    for word in words(text) {
        let colour = COLOURS.iter().position(|c| c.0 == word);
        let shape = SHAPES.iter().position(|s| s.0 == word || s.1 == word);
        let count = COUNTS.iter().position(|c| *c == word).or_else(|| {
            let n: usize = word.parse().ok()?;
            (1..=COUNTS.len()).contains(&n).then(|| n - 1)
        });
        said.colour = said.colour.or(colour);
        said.shape = said.shape.or(shape);
        said.count = said.count.or(count);
    }
    said
}

/// Shares of right answers over a set of scenes, each in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SceneScore {
    /// Share with the right colour word.
    pub colour: f64,
    /// Share with the right shape word.
    pub shape: f64,
    /// Share with the right count word.
    pub count: f64,
    /// Share with all three right.
    pub all: f64,
}

/// Shares of right answers over pictures of digits, each in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DigitScore {
    /// Share of digits that are right, each in its place.
    pub digits: f64,
    /// Share of pictures with all digits right.
    pub all: f64,
}

/// Scores answers against the digits of the pictures, pairwise; zeros for no pictures.
pub fn score_digits<'a>(pairs: impl IntoIterator<Item = (Digits, &'a str)>) -> DigitScore {
    let (mut n, mut right, mut all) = (0usize, 0usize, 0usize);
    for (digits, answer) in pairs {
        let said = digits::parse(answer);
        let hits = digits.iter().zip(&said).filter(|(a, b)| a == b).count();
        right += hits;
        all += usize::from(hits == digits::COUNT);
        n += 1;
    }
    let n = n.max(1) as f64;
    DigitScore {
        digits: right as f64 / (n * digits::COUNT as f64),
        all: all as f64 / n,
    }
}

/// The score of always saying the most frequent digit of each place, and the most frequent picture.
pub fn majority_of_digits(pictures: &[Digits]) -> DigitScore {
    let place = |place: usize| {
        let keys: Vec<usize> = pictures.iter().map(|it| usize::from(it[place])).collect();
        most_frequent(&keys)
    };
    let whole = |it: &Digits| {
        it.iter()
            .fold(0, |sum, &digit| sum * 10 + usize::from(digit))
    };
    let wholes: Vec<usize> = pictures.iter().map(whole).collect();
    DigitScore {
        digits: (0..digits::COUNT).map(place).sum::<f64>() / digits::COUNT as f64,
        all: most_frequent(&wholes),
    }
}

/// Scores answers against what the pictures show, pairwise; zeros for no scenes.
pub fn score_scenes<'a>(pairs: impl IntoIterator<Item = (Triple, &'a str)>) -> SceneScore {
    let (mut n, mut right) = (0u32, [0u32; 4]);
    for (triple, answer) in pairs {
        let said = parse_scene(answer);
        let hits = [
            said.colour == Some(triple.colour),
            said.shape == Some(triple.shape),
            said.count == Some(triple.count),
        ];
        for (sum, hit) in right.iter_mut().zip(hits) {
            *sum += u32::from(hit);
        }
        right[3] += u32::from(hits.iter().all(|&hit| hit));
        n += 1;
    }
    let share = |sum: u32| f64::from(sum) / f64::from(n.max(1));
    SceneScore {
        colour: share(right[0]),
        shape: share(right[1]),
        count: share(right[2]),
        all: share(right[3]),
    }
}

/// The score of always giving the most frequent answer, attribute by attribute.
pub fn majority_of_scenes(scenes: &[Triple]) -> SceneScore {
    let share = |key: &dyn Fn(&Triple) -> usize| {
        let keys: Vec<usize> = scenes.iter().map(key).collect();
        most_frequent(&keys)
    };
    let whole = |t: &Triple| (t.colour * SHAPES.len() + t.shape) * COUNTS.len() + t.count;
    SceneScore {
        colour: share(&|t| t.colour),
        shape: share(&|t| t.shape),
        count: share(&|t| t.count),
        all: share(&whole),
    }
}

/// Share of the most frequent value; 0 for none.
fn most_frequent(values: &[usize]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let longest = sorted.chunk_by(|a, b| a == b).map(<[usize]>::len).max();
    longest.unwrap_or(0) as f64 / values.len().max(1) as f64
}

/// Class words that occur in a text as whole words (each once, in the order of `classes`).
/// A class of several words matches them in a row.
pub fn classes_in(text: &str, classes: &[String]) -> Vec<usize> {
    let text = words(text);
    let occurs = |class: &String| {
        let class = words(class);
        !class.is_empty() && text.windows(class.len()).any(|window| window == class)
    };
    (0..classes.len())
        .filter(|&i| occurs(&classes[i]))
        .collect()
}

/// Whether a text names exactly one class, the right one.
pub fn names_class(text: &str, classes: &[String], right: usize) -> bool {
    classes_in(text, classes) == [right]
}

/// Share of answers that name exactly the right class; 0 for none.
pub fn score_classes<'a>(
    classes: &[String],
    pairs: impl IntoIterator<Item = (usize, &'a str)>,
) -> f64 {
    let (mut n, mut right) = (0u32, 0u32);
    for (class, answer) in pairs {
        n += 1;
        right += u32::from(names_class(answer, classes, class));
    }
    f64::from(right) / f64::from(n.max(1))
}

/// Share of the most frequent class.
pub fn majority_of_classes(labels: &[usize]) -> f64 {
    most_frequent(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words_count() {
        let said = parse_scene("There are THREE red circles, not two blue squares.");
        assert_eq!(
            said,
            Said {
                colour: Some(0),
                shape: Some(0),
                count: Some(2)
            }
        );
        assert_eq!(parse_scene("4 crosses").count, Some(3));
        assert_eq!(parse_scene("4 crosses").shape, Some(3));
        // Words inside words do not count.
        assert_eq!(parse_scene("hundred barges someone"), Said::default());
    }

    #[test]
    fn scene_scores() {
        let t = |colour, shape, count| Triple {
            colour,
            shape,
            count,
        };
        let score = score_scenes([
            (t(0, 0, 0), "one red circle"),
            (t(1, 1, 1), "two green rings"),
            (t(1, 1, 2), ""),
            (t(1, 2, 3), "green"),
        ]);
        assert_eq!(
            (score.colour, score.shape, score.count, score.all),
            (0.75, 0.25, 0.5, 0.25)
        );
        let majority = majority_of_scenes(&[t(0, 0, 0), t(1, 1, 1), t(1, 1, 2), t(1, 2, 3)]);
        assert_eq!(
            (majority.colour, majority.shape, majority.count),
            (0.75, 0.5, 0.25)
        );
    }

    #[test]
    fn digits_count_in_their_places() {
        let four = [1, 2, 3, 4];
        let score = score_digits([(four, "1 2 3 4"), (four, "1 2"), (four, "0 1 2 3")]);
        assert_eq!((score.digits, score.all), (0.5, 1.0 / 3.0));
        let other = [1, 0, 0, 0];
        let majority = majority_of_digits(&[four, four, other]);
        assert!((majority.digits - 0.75).abs() < 1e-12);
        assert_eq!(majority.all, 2.0 / 3.0);
        assert_eq!(score_digits([]), DigitScore::default());
    }

    #[test]
    fn exactly_one_class() {
        let classes: Vec<String> = ["cat", "dog", "fire truck"].map(str::to_owned).into();
        assert!(names_class("A photo of a cat, a cat!", &classes, 0));
        assert!(names_class("a Fire truck.", &classes, 2));
        for wrong in ["a cat and a dog", "cats", "concatenate", "", "dog"] {
            assert!(!names_class(wrong, &classes, 0), "{wrong}");
        }
        assert_eq!(score_classes(&classes, [(0, "cat"), (1, "cat")]), 0.5);
        assert_eq!(majority_of_classes(&[1, 1, 2]), 2.0 / 3.0);
    }
}
