//! Held-out examples in a fixed order, and what they are scored against.

use serde::{Deserialize, Serialize};

use crate::data::digits::{self, Digits};
use crate::data::image::Picture;
use crate::data::layout::{Cell, Example, Layout, Place};
use crate::data::scene::{Triple, held_out_scene};
use crate::data::source::{Fault, Part, Source};
use crate::data::tiles::views;
use crate::data::{BatchShape, DataConfig, DataError, SourceConfig, open_source, score};
use crate::philox::{Permutation, Philox, stream_of};
use crate::tokenizer::Tokenizer;

/// The scene evaluation set has this many scenes.
pub const SCENES: usize = 500;

/// What a right answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// A scene.
    Scene(Triple),
    /// Digits in reading order.
    Digits(Digits),
    /// A class, by its index in [`Evaluation::classes`].
    Class(usize),
    /// Free text only; not scored.
    Text,
}

/// One held-out example.
#[derive(Clone, Debug)]
pub struct EvaluationItem {
    /// What the encoder sees of the picture, `[3, R, R]` each.
    pub views: Vec<Vec<f32>>,
    /// The picture's positions.
    pub cells: Vec<Cell>,
    /// The picture as it is, for reports.
    pub picture: Picture,
    /// Tokens after `<bos>` and the picture: the encoded prompt, perhaps none.
    pub prompt: Vec<u32>,
    /// A right text.
    pub reference: String,
    /// Name for people.
    pub name: String,
    /// What to score against.
    pub truth: Truth,
}

/// Held-out examples of one source.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Name of the source.
    pub source: String,
    /// Prompt text before each answer.
    pub prompt: String,
    /// Class words; empty for scenes and free captions.
    pub classes: Vec<String>,
    /// Examples in order, of a source of captions.
    pub items: Vec<EvaluationItem>,
    /// Documents or texts in order as they are trained on, of a source of those.
    pub documents: Vec<Example>,
    /// Samples that could not be used.
    pub faults: Vec<Fault>,
}

/// Scores of a set of answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationScore {
    /// Answers scored.
    pub scored: usize,
    /// For scenes.
    pub scene: Option<score::SceneScore>,
    /// For pictures of digits.
    pub digits: Option<score::DigitScore>,
    /// For classes: share of texts that name exactly one class, the right one.
    pub class: Option<f64>,
}

impl Evaluation {
    /// The held-out part of a source: [`SCENES`] scenes of triples never trained, or as many
    /// pictures of digits, or the first `limit` samples under its `evaluation_path`; `None` where it has none. Scenes
    /// have one of captions only, which stands in for `interleaved` where no source has that
    /// task. `shape` is that of a training batch.
    pub fn open(
        config: &DataConfig,
        source: &SourceConfig,
        tokenizer: &Tokenizer,
        shape: BatchShape,
        limit: usize,
    ) -> Result<Option<Self>, DataError> {
        let side = shape.resolution;
        let caption = source.task == "caption";
        let prompt = if caption { source.prompt.trim() } else { "" };
        let mut evaluation = Self {
            source: source.name.clone(),
            prompt: prompt.to_owned(),
            classes: source.classes.clone(),
            items: Vec::new(),
            documents: Vec::new(),
            faults: Vec::new(),
        };
        let prompt = tokenizer.encode(prompt)?;
        let layout = Layout {
            tokenizer,
            image: &config.image,
            shape,
            max_pictures: config.max_images,
        };
        if source.kind == "scenes" {
            let captions = |s: &SourceConfig| s.kind == "scenes" && s.task == "caption";
            let stands_in = source.task == "interleaved" && !config.sources.iter().any(captions);
            let digits = source.task == "digits";
            if !(captions(source) || stands_in || digits) || side < 16 {
                return Ok(None);
            }
            evaluation.classes.clear();
            for index in 0..SCENES.min(limit) as u64 {
                let (picture, reference, truth) = if digits {
                    let (digits, picture) = digits::held_out(index, side);
                    (picture, digits::text(&digits), Truth::Digits(digits))
                } else {
                    let (triple, picture) = held_out_scene(index, side);
                    (picture, triple.phrase(), Truth::Scene(triple))
                };
                let item = item(picture, &layout, &prompt);
                let mut item = item.map_err(DataError::Source)?;
                item.reference = reference;
                item.name = format!("held-out scene {index}");
                item.truth = truth;
                evaluation.items.push(item);
            }
            return Ok(Some(evaluation));
        }
        let Some(path) = source.evaluation_path.as_ref() else {
            return Ok(None);
        };
        let held_out = SourceConfig {
            path: Some(path.clone()),
            prompt: String::new(),
            ..source.clone()
        };
        let samples = open_source(&held_out, config.shuffle_seed, side)?;
        evaluation.faults.extend_from_slice(samples.lost().1);
        let lost = samples.lost().0;
        let mut bad = 0;
        for n in 0..samples.samples() {
            if evaluation.items.len() + evaluation.documents.len() == limit {
                break;
            }
            let read = match caption {
                true => {
                    let item = evaluation.read(samples.as_ref(), n, &layout, &prompt);
                    item.map(|item| evaluation.items.push(item))
                }
                false => {
                    let parts = samples.read(n, true).map_err(|fault| fault.why);
                    let document = parts.and_then(|parts| layout.example(&parts));
                    document.map(|document| evaluation.documents.push(document))
                }
            };
            if let Err(why) = read {
                bad += 1;
                let place = samples.name(n);
                evaluation.faults.push(Fault { place, why });
            }
        }
        let all = lost + samples.samples();
        if (lost + bad) as f64 > config.bad_sample_budget * all as f64 {
            let last = evaluation.faults.last();
            let last = last.map_or(String::new(), |f| format!("; the last: {f}"));
            return Err(DataError::Budget(format!(
                "evaluation of `{}`: {} of {all}, where `bad_sample_budget = {}` allows {}{last}",
                source.name,
                lost + bad,
                config.bad_sample_budget,
                (config.bad_sample_budget * all as f64).floor()
            )));
        }
        Ok(Some(evaluation))
    }

    fn read(
        &self,
        samples: &dyn Source,
        n: u64,
        layout: &Layout<'_>,
        prompt: &[u32],
    ) -> Result<EvaluationItem, String> {
        let (mut picture, mut reference) = (None, String::new());
        for part in samples.read(n, true).map_err(|fault| fault.why)? {
            match part {
                Part::Picture(p) => picture = Some(p),
                Part::Text(text) => reference = text,
                Part::Prompt(_) => {}
            }
        }
        let picture = picture.ok_or_else(|| "no picture".to_owned())?;
        let mut item = item(picture, layout, prompt)?;
        item.name = samples.name(n);
        if !self.classes.is_empty() {
            // The stored label decides; without one, the class that the caption names.
            let label = samples.label(n).unwrap_or_else(|| reference.clone());
            item.truth = match score::classes_in(&label, &self.classes)[..] {
                [class] => Truth::Class(class),
                _ => return Err(format!("\"{label}\" names no class, or several")),
            };
        }
        item.reference = reference;
        Ok(item)
    }

    /// Scores one answer per item, in the order of the items (missing answers are wrong).
    pub fn score(&self, answers: &[String]) -> EvaluationScore {
        let answer = |i: usize| answers.get(i).map_or("", String::as_str);
        let items = self.items.iter().enumerate();
        let scenes = items.clone().filter_map(|(i, item)| match item.truth {
            Truth::Scene(triple) => Some((triple, answer(i))),
            _ => None,
        });
        let digits = items.clone().filter_map(|(i, item)| match item.truth {
            Truth::Digits(digits) => Some((digits, answer(i))),
            _ => None,
        });
        let classes = items.filter_map(|(i, item)| match item.truth {
            Truth::Class(class) => Some((class, answer(i))),
            _ => None,
        });
        let (scenes, classes): (Vec<_>, Vec<_>) = (scenes.collect(), classes.collect());
        let digits: Vec<_> = digits.collect();
        EvaluationScore {
            scored: scenes.len() + digits.len() + classes.len(),
            digits: (!digits.is_empty()).then(|| score::score_digits(digits)),
            scene: (!scenes.is_empty()).then(|| score::score_scenes(scenes)),
            class: (!classes.is_empty()).then(|| score::score_classes(&self.classes, classes)),
        }
    }

    /// The score of always answering what is most frequent.
    pub fn majority(&self) -> EvaluationScore {
        let mut scenes = Vec::new();
        let mut digits = Vec::new();
        let mut classes = Vec::new();
        for item in &self.items {
            match item.truth {
                Truth::Scene(triple) => scenes.push(triple),
                Truth::Digits(said) => digits.push(said),
                Truth::Class(class) => classes.push(class),
                Truth::Text => {}
            }
        }
        EvaluationScore {
            scored: scenes.len() + digits.len() + classes.len(),
            digits: (!digits.is_empty()).then(|| score::majority_of_digits(&digits)),
            scene: (!scenes.is_empty()).then(|| score::majority_of_scenes(&scenes)),
            class: (!classes.is_empty()).then(|| score::majority_of_classes(&classes)),
        }
    }

    /// For the blind baseline: which item's picture each item is shown instead of its own.
    pub fn shuffled_pictures(&self) -> Vec<usize> {
        let n = self.items.len() as u64;
        let philox = Philox::new(0, stream_of("data.evaluation.blind"));
        let order = Permutation::new(philox, 0, n);
        (0..n).map(|i| order.at(i) as usize).collect()
    }
}

/// An item without reference, name or truth.
fn item(picture: Picture, layout: &Layout<'_>, prompt: &[u32]) -> Result<EvaluationItem, String> {
    let place = Place {
        number: 0,
        cut: layout.image.tiles.cut(1) > 0,
        first: 0,
    };
    let (_, cells) = layout.picture(&picture, place)?;
    let side = layout.shape.resolution;
    Ok(EvaluationItem {
        views: views(&picture, side, layout.image, place.cut).map_err(|e| e.0)?,
        cells,
        picture,
        prompt: prompt.to_vec(),
        reference: String::new(),
        name: String::new(),
        truth: Truth::Text,
    })
}
