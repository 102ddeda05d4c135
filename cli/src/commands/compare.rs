//! `mm1c compare`: runs side by side. What differs in their configurations, their losses at equal
//! steps and at equal tokens, and their last scores; runs that differ by seeds alone are repetitions of
//! one another, and have a mean and a deviation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mm1_dsl::model::Model;
use serde::Serialize;

use super::columns;
use crate::args::CompareArgs;
use crate::compile::load_model;
use crate::failure::Failure;
use crate::runs::{RunFiles, State, is_baseline, shown};
use crate::study::results::with_deviation;
use crate::study::statistics::Spread;
use crate::trained::CONFIG;

/// Keys that make a repetition of a run, not another model.
const SEEDS: &[&str] = &["name", "train.seed", "data.shuffle_seed"];
/// Rows of a curve.
const ROWS: u64 = 10;

/// Runs side by side.
#[derive(Debug, Serialize)]
struct Comparison {
    runs: Vec<Side>,
    /// Keys that differ, with their values in the order of the runs.
    keys: Vec<(String, Vec<Option<String>>)>,
    /// Training losses at equal steps.
    by_steps: Vec<Losses>,
    /// Training losses at equal text and image tokens.
    by_tokens: Vec<Losses>,
    /// Held-out results at steps where all runs have one.
    held_out: Vec<Results>,
    /// Last results.
    scores: Vec<Score>,
}

#[derive(Debug, Serialize)]
struct Side {
    path: String,
    name: String,
    model: Option<String>,
    state: State,
    step: u64,
    tokens: u64,
    seconds: f64,
    /// Number of the group of repetitions that it belongs to.
    group: usize,
}

/// Means of what was logged since the row above.
#[derive(Debug, PartialEq, Serialize)]
struct Losses {
    /// Steps or tokens at the end of the row.
    until: u64,
    losses: Vec<Option<f64>>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Results {
    step: u64,
    name: String,
    values: Vec<f64>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Score {
    name: String,
    values: Vec<Option<f64>>,
    /// Of each group of two runs or more that all have it.
    groups: Vec<Repetitions>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Repetitions {
    group: usize,
    #[serde(flatten)]
    spread: Spread,
}

/// Compares runs.
///
/// # Errors
/// Folders that are no runs, or whose configuration this version does not read.
pub fn run(args: &CompareArgs) -> Result<(), Failure> {
    let mut runs = Vec::new();
    let mut models = Vec::new();
    for path in &args.runs {
        runs.push(RunFiles::open(path)?);
        models.push(values(&load_model(&path.join(CONFIG), &[])?));
    }
    let comparison = compare(&runs, &models);
    match args.json {
        true => outln!("{}", serde_json::to_string_pretty(&comparison)?),
        false => out!("{}", comparison.text()),
    }
    Ok(())
}

/// The resolved keys of a model in order, as text.
fn values(model: &Model) -> Vec<(String, String)> {
    let keys = model.keys.keys.iter();
    keys.map(|(path, key)| (path.clone(), key.value.to_string()))
        .collect()
}

fn compare(runs: &[RunFiles], models: &[Vec<(String, String)>]) -> Comparison {
    let groups = groups(models);
    let sides = runs.iter().zip(&groups).map(|(run, &group)| {
        let last = run.last_step();
        Side {
            path: run.path.display().to_string(),
            name: run.name(),
            model: run.model.clone(),
            state: run.state,
            step: last.map_or(0, |it| it.step),
            tokens: last.map_or(0, |it| it.text_tokens + it.image_tokens),
            seconds: run.seconds,
            group,
        }
    });
    Comparison {
        runs: sides.collect(),
        keys: differing(models),
        by_steps: curve(runs, |run| {
            run.step_records().map(|it| (it.step, it.loss)).collect()
        }),
        by_tokens: curve(runs, |run| {
            let records = run.step_records();
            records
                .map(|it| (it.text_tokens + it.image_tokens, it.loss))
                .collect()
        }),
        held_out: held_out(runs),
        scores: scores(runs, &groups),
    }
}

/// Keys with another value in some model, in the order of the first model that has them.
fn differing(models: &[Vec<(String, String)>]) -> Vec<(String, Vec<Option<String>>)> {
    let maps: Vec<BTreeMap<&str, &str>> = models
        .iter()
        .map(|keys| keys.iter().map(|(k, v)| (&**k, &**v)).collect())
        .collect();
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for (key, _) in models.iter().flatten() {
        if !seen.insert(key) {
            continue;
        }
        let values = maps
            .iter()
            .map(|map| map.get(&**key).map(|it| (*it).to_owned()));
        let values: Vec<_> = values.collect();
        if values.iter().any(|value| *value != values[0]) {
            out.push((key.clone(), values));
        }
    }
    out
}

/// The group of each run: runs are in one where only seeds tell them apart.
fn groups(models: &[Vec<(String, String)>]) -> Vec<usize> {
    let mut known: Vec<Vec<&(String, String)>> = Vec::new();
    let mut out = Vec::new();
    for keys in models {
        let own: Vec<_> = keys.iter().filter(|it| !SEEDS.contains(&&*it.0)).collect();
        let at = known.iter().position(|it| *it == own).unwrap_or_else(|| {
            known.push(own);
            known.len() - 1
        });
        out.push(at);
    }
    out
}

/// Losses along an axis that all runs have come along, as far as the shortest.
fn curve(runs: &[RunFiles], points: impl Fn(&RunFiles) -> Vec<(u64, f64)>) -> Vec<Losses> {
    let points: Vec<Vec<(u64, f64)>> = runs.iter().map(points).collect();
    let ends = points.iter().map(|it| it.last().map_or(0, |it| it.0));
    let end = ends.min().unwrap_or(0);
    let mut out = Vec::new();
    let mut begin = 0;
    for row in 1..=ROWS {
        let until = end * row / ROWS;
        if until == begin {
            continue;
        }
        let losses = points.iter().map(|points| {
            let here = points.iter().filter(|it| it.0 > begin && it.0 <= until);
            let here: Vec<f64> = here.map(|it| it.1).filter(|it| it.is_finite()).collect();
            (!here.is_empty()).then(|| here.iter().sum::<f64>() / here.len() as f64)
        });
        let losses: Vec<_> = losses.collect();
        if losses.iter().any(Option::is_some) {
            out.push(Losses { until, losses });
        }
        begin = until;
    }
    out
}

/// Results at the steps where all runs have them.
fn held_out(runs: &[RunFiles]) -> Vec<Results> {
    let Some((first, others)) = runs.split_first() else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for (step, results) in first.evaluations() {
        for (name, value) in results.iter().filter(|it| !is_baseline(it.0)) {
            let of = |run: &RunFiles| {
                let mut here = run.evaluations().filter(|it| it.0 == step);
                here.find_map(|it| it.1.get(name).copied())
            };
            let mut values = vec![*value];
            values.extend(others.iter().filter_map(of));
            if values.len() == runs.len() {
                let name = name.clone();
                out.push(Results { step, name, values });
            }
        }
    }
    out
}

fn scores(runs: &[RunFiles], groups: &[usize]) -> Vec<Score> {
    let all: Vec<BTreeMap<&str, f64>> = runs.iter().map(RunFiles::scores).collect();
    let names: BTreeSet<&str> = all.iter().flat_map(|it| it.keys().copied()).collect();
    let score = |name: &str| {
        let values: Vec<Option<f64>> = all.iter().map(|it| it.get(name).copied()).collect();
        let count = groups.iter().max().map_or(0, |it| it + 1);
        let spread = |group: usize| {
            let own = values.iter().zip(groups).filter(|it| *it.1 == group);
            let own: Option<Vec<f64>> = own.map(|it| *it.0).collect();
            let own = own.filter(|own| own.len() > 1)?;
            let spread = Spread::of(&own)?;
            Some(Repetitions { group, spread })
        };
        Score {
            name: name.to_owned(),
            groups: (0..count).filter_map(spread).collect(),
            values,
        }
    };
    names.into_iter().map(score).collect()
}

impl Comparison {
    fn text(&self) -> String {
        let mut out = String::new();
        let none = || "–".to_owned();
        let head = |first: &str| -> Vec<String> {
            let names = self.runs.iter().map(|it| it.name.clone());
            std::iter::once(first.to_owned()).chain(names).collect()
        };
        let table = |out: &mut String, title: &str, first: &str, rows: Vec<Vec<String>>| {
            if !rows.is_empty() {
                let _ = writeln!(out, "{title}\n{}", columns(&head(first), &rows));
            }
        };
        let facts = |name: &str, of: &dyn Fn(&Side) -> String| {
            let values = self.runs.iter().map(of);
            std::iter::once(name.to_owned())
                .chain(values)
                .collect::<Vec<_>>()
        };
        let rows = vec![
            facts("model", &|it| it.model.clone().unwrap_or_else(none)),
            facts("state", &|it| it.state.word().to_owned()),
            facts("steps", &|it| it.step.to_string()),
            facts("tokens", &|it| it.tokens.to_string()),
            facts("seconds", &|it| format!("{:.0}", it.seconds)),
        ];
        table(&mut out, "runs", "", rows);
        let keys = self.keys.iter().map(|(key, values)| {
            let values = values.iter().map(|it| it.clone().unwrap_or_else(none));
            std::iter::once(key.clone()).chain(values).collect()
        });
        match self.keys.is_empty() {
            true => out += "no key of the configurations differs\n\n",
            false => table(&mut out, "keys that differ", "key", keys.collect()),
        }
        let losses = |rows: &[Losses]| -> Vec<Vec<String>> {
            let row = |it: &Losses| {
                let values = it.losses.iter();
                let values = values.map(|it| it.map_or_else(none, |it| format!("{it:.4}")));
                std::iter::once(it.until.to_string())
                    .chain(values)
                    .collect()
            };
            rows.iter().map(row).collect()
        };
        let title = "training loss, mean since the row above";
        table(&mut out, title, "steps", losses(&self.by_steps));
        table(&mut out, title, "tokens", losses(&self.by_tokens));
        let results = self.held_out.iter().map(|it| {
            let values = it.values.iter().map(|value| shown(&it.name, *value));
            let name = format!("{} {}", it.step, it.name);
            std::iter::once(name).chain(values).collect()
        });
        table(
            &mut out,
            "held out, at equal steps",
            "step",
            results.collect(),
        );
        let last = self.scores.iter().map(|it| {
            let value = |value: &Option<f64>| value.map_or_else(none, |v| shown(&it.name, v));
            std::iter::once(it.name.clone())
                .chain(it.values.iter().map(value))
                .collect()
        });
        table(&mut out, "held out, last", "", last.collect());
        let spreads = self.scores.iter().flat_map(|score| {
            score.groups.iter().map(|it| {
                let names = self.runs.iter().filter(|run| run.group == it.group);
                let names: Vec<&str> = names.map(|it| &*it.name).collect();
                vec![
                    score.name.clone(),
                    names.join(", "),
                    with_deviation(&score.name, &it.spread),
                ]
            })
        });
        let spreads: Vec<Vec<String>> = spreads.collect();
        if !spreads.is_empty() {
            let head = ["", "runs", "mean ± deviation"].map(String::from);
            out += "repetitions, apart by seeds alone\n";
            out += &columns(&head, &spreads);
        }
        out.trim_end().to_owned() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use mm1_runtime::metrics::{EvaluationRecord, Record, StepRecord};

    /// A run that logged every `every` steps of `tokens` tokens, with losses 1 / step + `above`.
    fn run(name: &str, every: u64, tokens: u64, above: f64, score: f64) -> RunFiles {
        let step = |step: u64| {
            Record::Step(StepRecord {
                step,
                loss: 1.0 / step as f64 + above,
                text_tokens: step * tokens,
                ..StepRecord::default()
            })
        };
        let mut records: Vec<Record> = (1..=40 / every).map(|it| step(it * every)).collect();
        records.push(Record::Evaluation(EvaluationRecord {
            step: 40,
            evaluation: [("scenes.all", score), ("scenes.all.blind", 0.1)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        }));
        RunFiles {
            path: Path::new("runs").join(name),
            model: Some("m".to_owned()),
            state: State::Finished,
            steps: 40,
            started: None,
            seconds: 1.0,
            error: None,
            records,
        }
    }

    fn keys(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn repetitions_differ_by_seeds_alone() {
        let models = [
            keys(&[
                ("name", "a"),
                ("train.seed", "0"),
                ("train.lr", "1"),
                ("x", "2"),
            ]),
            keys(&[
                ("name", "b"),
                ("train.seed", "1"),
                ("train.lr", "1"),
                ("x", "2"),
            ]),
            keys(&[("name", "c"), ("train.seed", "0"), ("train.lr", "2")]),
        ];
        assert_eq!(groups(&models), [0, 0, 1]);
        let found = differing(&models);
        let names: Vec<&str> = found.iter().map(|it| &*it.0).collect();
        assert_eq!(names, ["name", "train.seed", "train.lr", "x"]);
        let two = Some("2".to_owned());
        assert_eq!(found[3].1, [two.clone(), two, None]);
        let runs = [
            run("a", 1, 10, 0.0, 0.5),
            run("b", 1, 10, 0.0, 0.7),
            run("c", 1, 5, 0.0, 0.9),
        ];
        let comparison = compare(&runs, &models);
        let [score] = &comparison.scores[..] else {
            panic!("{:?}", comparison.scores);
        };
        assert_eq!(score.values, [Some(0.5), Some(0.7), Some(0.9)]);
        let [Repetitions { group, spread }] = &score.groups[..] else {
            panic!("{score:?}");
        };
        assert_eq!((*group, spread.count), (0, 2));
        assert!((spread.mean - 0.6).abs() < 1e-12);
        let deviation = spread.deviation.expect("two runs");
        assert!((deviation - 0.02f64.sqrt()).abs() < 1e-12);
        let text = comparison.text();
        for line in ["train.lr    1  1  2", "scenes.all  50.0 %  70.0 %  90.0 %"] {
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(squeezed(&text).contains(&squeezed(line)), "{text}");
        }
        assert!(
            text.contains("a, b") && text.contains("60.0 % ± 14.1 %"),
            "{text}"
        );
    }

    /// At equal steps the runs agree; at equal tokens the second is twice as far.
    #[test]
    fn curves_go_by_steps_and_by_tokens() {
        let runs = [run("a", 1, 10, 0.0, 0.5), run("b", 2, 5, 0.0, 0.7)];
        let comparison = compare(&runs, &[keys(&[]), keys(&[])]);
        let steps = &comparison.by_steps;
        assert_eq!(steps.len(), 10);
        assert_eq!((steps[0].until, steps[9].until), (4, 40));
        // Steps 37 to 40 of the first, 38 and 40 of the second.
        let mean = |steps: &[u64]| {
            steps.iter().map(|it| 1.0 / *it as f64).sum::<f64>() / steps.len() as f64
        };
        let near = |found: Option<f64>, right: f64| (found.expect("logged") - right).abs() < 1e-12;
        assert!(near(steps[9].losses[0], mean(&[37, 38, 39, 40])));
        assert!(near(steps[9].losses[1], mean(&[38, 40])));
        // 200 tokens are 20 steps of the first and 40 of the second.
        let tokens = &comparison.by_tokens;
        assert_eq!(tokens[9].until, 200);
        assert!(near(tokens[9].losses[0], mean(&[19, 20])));
        assert!(near(tokens[9].losses[1], mean(&[38, 40])));
        assert_eq!(comparison.held_out.len(), 1);
        assert_eq!(comparison.held_out[0].values, [0.5, 0.7]);
    }
}
