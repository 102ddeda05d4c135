//! Held-out evaluation: the loss, and scores of free greedy text beside two baselines. Documents and
//! texts have a loss only: what they say next is not right or wrong.
//!
//! *Majority* answers the most frequent value every time. *Blind* is the same model shown
//! the picture of another example: what it still gets right it does not owe to its eyes.
//! A model of another objective than language says nothing, and has a loss only.

mod loss;
mod objective;

use std::collections::BTreeMap;

use mm1_package::Objective;

use crate::data::evaluation::EvaluationScore;
use crate::data::{BatchShape, DataConfig, Evaluation};
use crate::engine::{Engine, RunError};
use crate::generate::{Limits, Prompt, generate};
use crate::report::{Sample, png_data_uri};
use crate::tokenizer::Tokenizer;

pub use objective::held_out_loss;

/// How to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationConfig {
    /// Held-out examples per source.
    pub examples: usize,
    /// Most tokens in an answer.
    pub tokens: usize,
}

/// One scored property: shares in [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// `colour`, `shape`, `count`, `digits`, `all`, `class`.
    pub name: &'static str,
    /// The model.
    pub model: f64,
    /// Always the most frequent answer.
    pub majority: f64,
    /// The model with the pictures shuffled, where that was run.
    pub blind: Option<f64>,
}

/// Results on one source.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// Name of the source.
    pub source: String,
    /// Held-out loss of the model's objective; see [`held_out_loss`].
    pub loss: Option<f64>,
    /// Held-out examples, documents among them.
    pub examples: usize,
    /// Examples scored.
    pub scored: usize,
    /// Scores; none for free captions.
    pub scores: Vec<Score>,
    /// What the model said, one per captioned picture; nothing where it does not speak.
    pub answers: Vec<String>,
}

/// What of a model decides which scores it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scored {
    /// Side of the encoder's input, pixels.
    pub resolution: usize,
    /// Whether it continues text.
    pub speaks: bool,
}

/// Names of the results that a run has at its end, baselines aside, without reading any data: those of
/// [`by_name`], if each source has what its `evaluation_path` promises.
pub fn names(config: &DataConfig, model: &Scored) -> Vec<String> {
    let kept = kept_scenes(config);
    let mut out = Vec::new();
    for (index, source) in config.sources.iter().enumerate() {
        let scenes = source.kind == "scenes";
        let held_out = match scenes {
            true => kept.contains(&index) && source.task != "question" && model.resolution >= 16,
            false => source.evaluation_path.is_some(),
        };
        if !held_out {
            continue;
        }
        let scores: &[&str] = match (scenes, model.speaks) {
            (_, false) => &[],
            (true, true) if source.task == "digits" => &["digits", "all"],
            (true, true) => &["colour", "shape", "count", "all"],
            (false, true) if source.task == "caption" && !source.classes.is_empty() => &["class"],
            (false, true) => &[],
        };
        let name = |score: &str| format!("{}.{score}", source.name);
        out.push(name("loss"));
        out.extend(scores.iter().map(|it| name(it)));
    }
    out
}

/// The sources of scenes that are evaluated: one of objects, one of digits.
fn kept_scenes(config: &DataConfig) -> Vec<usize> {
    let scenes = |task: &str| {
        let mut all = config.sources.iter();
        all.position(|it| it.kind == "scenes" && it.task == task)
    };
    let objects = scenes("caption")
        .or_else(|| scenes("question"))
        .or_else(|| scenes("interleaved"));
    objects.into_iter().chain(scenes("digits")).collect()
}

/// The held-out parts of a run's sources.
///
/// Of several sources of scenes one is kept, a captioning one if there is any, and one of
/// digits: they share their held-out scenes.
///
/// # Errors
/// A source that cannot be read, or has too many bad samples.
pub fn open(
    config: &DataConfig,
    tokenizer: &Tokenizer,
    shape: BatchShape,
    examples: usize,
) -> Result<Vec<Evaluation>, RunError> {
    let kept = kept_scenes(config);
    let mut out = Vec::new();
    for (index, source) in config.sources.iter().enumerate() {
        if source.kind == "scenes" && !kept.contains(&index) {
            continue;
        }
        let held_out = Evaluation::open(config, source, tokenizer, shape, examples)?;
        out.extend(held_out.filter(|it| !it.items.is_empty() || !it.documents.is_empty()));
    }
    Ok(out)
}

/// Loss and scores on one source; `blind` also runs the baseline with shuffled pictures.
///
/// # Errors
/// A program that is missing or fails.
pub fn evaluate<E: Engine + ?Sized>(
    engine: &mut E,
    tokenizer: &Tokenizer,
    evaluation: &Evaluation,
    config: EvaluationConfig,
    blind: bool,
) -> Result<Evaluated, RunError> {
    let loss = held_out_loss(engine, tokenizer, evaluation)?;
    let examples = evaluation.items.len();
    if engine.facts().objective != Objective::Language {
        return Ok(Evaluated {
            source: evaluation.source.clone(),
            loss,
            examples,
            scored: 0,
            scores: Vec::new(),
            answers: Vec::new(),
        });
    }
    let own: Vec<usize> = (0..evaluation.items.len()).collect();
    let answers = answers(engine, tokenizer, evaluation, config, &own)?;
    let score = evaluation.score(&answers);
    let blind = match blind && score.scored > 0 {
        true => {
            let others = derangement(&evaluation.shuffled_pictures());
            let unseeing = self::answers(engine, tokenizer, evaluation, config, &others)?;
            Some(evaluation.score(&unseeing))
        }
        false => None,
    };
    Ok(Evaluated {
        source: evaluation.source.clone(),
        loss,
        examples: examples + evaluation.documents.len(),
        scored: score.scored,
        scores: scores(&score, &evaluation.majority(), blind.as_ref()),
        answers,
    })
}

/// Greedy answers where item `i` is shown the picture of item `pictures[i]`.
fn answers<E: Engine + ?Sized>(
    engine: &mut E,
    tokenizer: &Tokenizer,
    evaluation: &Evaluation,
    config: EvaluationConfig,
    pictures: &[usize],
) -> Result<Vec<String>, RunError> {
    let limits = Limits {
        end: tokenizer.end() as i32,
        tokens: config.tokens,
    };
    let mut out = Vec::with_capacity(evaluation.items.len());
    let together = engine.facts().decode_sequences.max(1) as usize;
    // A batch of prompts at a time: their pixels are copies.
    let pairs: Vec<_> = evaluation.items.iter().zip(pictures).collect();
    for pairs in pairs.chunks(together) {
        let prompts: Vec<Prompt> = pairs
            .iter()
            .map(|&(item, &picture)| {
                let shown = &evaluation.items[picture];
                let mut tokens = vec![tokenizer.begin() as i32];
                tokens.extend(shown.cells.iter().map(|cell| cell.token()));
                tokens.extend(item.prompt.iter().map(|&token| token as i32));
                Prompt {
                    tokens,
                    images: shown.views.clone(),
                }
            })
            .collect();
        for answer in generate(engine, &prompts, limits)? {
            let ids: Vec<u32> = answer.iter().map(|&token| token as u32).collect();
            out.push(known_text(tokenizer, &ids)?);
        }
    }
    Ok(out)
}

/// The text of `ids`; rows of the embedding past the tokenizer's vocabulary have none.
pub fn known_text(tokenizer: &Tokenizer, ids: &[u32]) -> Result<String, RunError> {
    let known: Vec<u32> = ids
        .iter()
        .copied()
        .filter(|&id| (id as usize) < tokenizer.vocabulary())
        .collect();
    Ok(tokenizer.decode(&known)?.trim().to_string())
}

/// `order` (a permutation) changed as little as needed to leave nothing in its place.
fn derangement(order: &[usize]) -> Vec<usize> {
    let mut out = order.to_vec();
    let fixed: Vec<usize> = (0..out.len()).filter(|&i| out[i] == i).collect();
    match fixed[..] {
        [] => {}
        // The only one at home changes places with its neighbour, who is not at home and
        // whose picture is not this one's.
        [only] => {
            let neighbour = (only + 1) % out.len();
            out.swap(only, neighbour);
        }
        _ => {
            for (n, &i) in fixed.iter().enumerate() {
                out[i] = fixed[(n + 1) % fixed.len()];
            }
        }
    }
    out
}

fn scores(
    model: &EvaluationScore,
    majority: &EvaluationScore,
    blind: Option<&EvaluationScore>,
) -> Vec<Score> {
    let named = |score: &EvaluationScore| -> Vec<(&'static str, f64)> {
        let scene = score.scene.iter().flat_map(|scene| {
            [
                ("colour", scene.colour),
                ("shape", scene.shape),
                ("count", scene.count),
                ("all", scene.all),
            ]
        });
        let digits = score
            .digits
            .iter()
            .flat_map(|it| [("digits", it.digits), ("all", it.all)]);
        scene
            .chain(digits)
            .chain(score.class.map(|class| ("class", class)))
            .collect()
    };
    let majority = named(majority);
    let blind = blind.map(named);
    named(model)
        .into_iter()
        .enumerate()
        .map(|(i, (name, model))| Score {
            name,
            model,
            majority: majority.get(i).map_or(0.0, |pair| pair.1),
            blind: blind.as_ref().and_then(|it| it.get(i)).map(|pair| pair.1),
        })
        .collect()
}

/// Results by name, for `metrics.jsonl` and `mm1c eval --json`: `scenes.loss`,
/// `scenes.colour`, `scenes.colour.majority`, `scenes.colour.blind`.
pub fn by_name(results: &[Evaluated]) -> BTreeMap<String, f64> {
    let mut out = BTreeMap::new();
    for result in results {
        let source = &result.source;
        if let Some(loss) = result.loss {
            out.insert(format!("{source}.loss"), loss);
        }
        for score in &result.scores {
            let name = format!("{source}.{}", score.name);
            if let Some(blind) = score.blind {
                out.insert(format!("{name}.blind"), blind);
            }
            out.insert(format!("{name}.majority"), score.majority);
            out.insert(name, score.model);
        }
    }
    out
}

/// Head and rows of a table of `results` for people.
pub fn table(results: &[Evaluated]) -> (Vec<String>, Vec<Vec<String>>) {
    let head = ["held out", "examples", "model", "majority", "blind"];
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut rows = Vec::new();
    for result in results {
        let source = &result.source;
        if let Some(loss) = result.loss {
            let examples = result.examples.to_string();
            let loss = format!("{loss:.4}");
            rows.push(vec![
                format!("{source}: loss"),
                examples,
                loss,
                "–".into(),
                "–".into(),
            ]);
        }
        for score in &result.scores {
            rows.push(vec![
                format!("{source}: {}", score.name),
                result.scored.to_string(),
                percent(score.model),
                percent(score.majority),
                score.blind.map_or("–".into(), percent),
            ]);
        }
    }
    (head.map(String::from).to_vec(), rows)
}

/// What the columns of [`table`] mean.
pub const TABLE_NOTE: &str = "Loss: of the model's objective, per token, pair or patch. Accuracies are read from free greedy text. Majority: always the \
most frequent answer. Blind: the same model shown the picture of another example.";

/// The first `count` examples of each source as pictures with the model's words.
pub fn samples(evaluations: &[Evaluation], results: &[Evaluated], count: usize) -> Vec<Sample> {
    evaluations
        .iter()
        .zip(results)
        .flat_map(|(evaluation, result)| {
            let pairs = evaluation.items.iter().zip(&result.answers).take(count);
            pairs.filter_map(|(item, answer)| {
                let picture = &item.picture;
                Some(Sample {
                    picture: png_data_uri(
                        &picture.rgb,
                        picture.width as u32,
                        picture.height as u32,
                    )?,
                    prompt: evaluation.prompt.clone(),
                    answer: answer.clone(),
                    reference: item.reference.clone(),
                })
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_keeps_his_own_picture() {
        for order in [
            vec![1, 0, 2],
            vec![0, 1, 2, 3],
            vec![2, 1, 0],
            vec![1, 2, 0],
            vec![0, 1],
            vec![3, 1, 0, 2, 4],
        ] {
            let out = derangement(&order);
            let mut sorted = out.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..order.len()).collect::<Vec<_>>());
            assert!(
                out.iter().enumerate().all(|(i, &j)| i != j),
                "{order:?} {out:?}"
            );
        }
        assert_eq!(derangement(&[1, 2, 0]), [1, 2, 0]);
    }

    #[test]
    fn the_names_are_known_before_anything_is_read() {
        use crate::data::MixtureUnit;
        use crate::data::tests::{SHAPE, config, source, tokenizer};
        let all = ["caption", "question", "interleaved", "text", "digits"];
        let tokenizer = tokenizer();
        let mut checked = 0;
        for present in 1..1u32 << all.len() {
            let mut config = config(MixtureUnit::Example);
            let tasks = all.iter().enumerate();
            let tasks = tasks.filter(|(bit, _)| present >> bit & 1 == 1);
            config.sources = tasks.map(|(_, task)| source(task, task, 1.0)).collect();
            let mut found = Vec::new();
            for evaluation in open(&config, &tokenizer, SHAPE, 4).expect("opens") {
                let source = evaluation.source.clone();
                found.push(format!("{source}.loss"));
                let scores = scores(&evaluation.score(&[]), &evaluation.majority(), None);
                found.extend(scores.iter().map(|it| format!("{source}.{}", it.name)));
                checked += scores.len();
            }
            let model = Scored {
                resolution: SHAPE.resolution,
                speaks: true,
            };
            assert_eq!(names(&config, &model), found, "{present:b}");
        }
        assert!(checked > 100, "{checked}");
    }

    #[test]
    fn results_have_names_and_a_table() {
        let results = [Evaluated {
            source: "scenes".into(),
            loss: Some(0.25),
            examples: 500,
            scored: 500,
            scores: vec![Score {
                name: "colour",
                model: 0.914,
                majority: 0.126,
                blind: Some(0.13),
            }],
            answers: vec![String::new(); 500],
        }];
        let names = by_name(&results);
        assert_eq!(names["scenes.loss"], 0.25);
        assert_eq!(names["scenes.colour"], 0.914);
        assert_eq!(names["scenes.colour.blind"], 0.13);
        assert_eq!(names["scenes.colour.majority"], 0.126);
        let (head, rows) = table(&results);
        assert!(rows.iter().all(|row| row.len() == head.len()));
        assert_eq!(
            rows[1],
            ["scenes: colour", "500", "91.4 %", "12.6 %", "13.0 %"]
        );
    }
}
