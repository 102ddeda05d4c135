//! What the runs of a study tell: scores, differences to the base, a verdict for each variant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use mm1_dsl::study::BASE;
use serde::Serialize;

use super::factors::{self, Factor, Point};
use super::plan::{Plan, Planned, PlannedRun, lower_is_better};
use super::statistics::{CONFIDENCE, Spread, Verdict};
use crate::commands::columns;
use crate::failure::Failure;
use crate::runs::{RunFiles, State, is_baseline, shown};

/// A finished or unfinished study.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Name of the study.
    pub study: String,
    /// What is equal in all runs.
    pub hold: &'static str,
    /// What ranks.
    pub score: String,
    /// Which way it is better.
    pub lower_is_better: bool,
    /// How the numbers come about.
    pub method: String,
    /// The base and the variants.
    pub variants: Vec<VariantResults>,
    /// Keys of a grid whose points all have results.
    pub factors: Vec<Factor>,
}

/// What the runs of a variant tell.
#[derive(Debug, Serialize)]
pub struct VariantResults {
    /// Its name.
    pub name: String,
    /// Steps of a run.
    pub steps: u64,
    /// Parameters.
    pub parameters: u64,
    /// FLOPs of a run.
    pub flops: f64,
    /// Keys in which it differs from the base, a line each.
    pub changes: String,
    /// One for each seed.
    pub runs: Vec<RunResults>,
    /// Of the score that ranks, over the seeds.
    pub spread: Option<Spread>,
    /// Of its differences to the base, by seed; none for the base.
    pub difference: Option<Spread>,
    /// Interval of their mean.
    pub interval: Option<[f64; 2]>,
    /// What they say; none for the base.
    pub verdict: Option<Verdict>,
    /// All scores with their baselines, over the seeds.
    pub scores: BTreeMap<String, Spread>,
}

/// A run.
#[derive(Debug, Serialize)]
pub struct RunResults {
    /// Its seed.
    pub seed: u64,
    /// Its folder.
    pub folder: PathBuf,
    /// Where it is.
    pub state: State,
    /// Why it failed.
    pub error: Option<String>,
    /// Last results, of a finished run.
    pub scores: BTreeMap<String, f64>,
    /// Steps made.
    pub step: u64,
    /// Examples read.
    pub examples: u64,
    /// Text tokens read.
    pub text_tokens: u64,
    /// Image tokens read.
    pub image_tokens: u64,
    /// Share of positions that held a token.
    pub fill_rate: f64,
    /// Time that it took, seconds.
    pub seconds: f64,
}

impl RunResults {
    fn of(planned: &PlannedRun) -> Self {
        let mut out = Self {
            seed: planned.seed,
            folder: planned.folder.clone(),
            state: State::New,
            error: None,
            scores: BTreeMap::new(),
            step: 0,
            examples: 0,
            text_tokens: 0,
            image_tokens: 0,
            fill_rate: 0.0,
            seconds: 0.0,
        };
        // A folder without a configuration is a run that never began.
        let Ok(run) = RunFiles::open(&planned.folder) else {
            return out;
        };
        out.state = run.state;
        out.seconds = run.seconds;
        out.error.clone_from(&run.error);
        if run.state == State::Finished {
            out.scores = run
                .evaluations()
                .next_back()
                .map(|it| it.1.clone())
                .unwrap_or_default();
        }
        if let Some(step) = run.last_step() {
            out.step = step.step;
            out.examples = step.examples;
            out.text_tokens = step.text_tokens;
            out.image_tokens = step.image_tokens;
            out.fill_rate = step.fill_rate;
        }
        out
    }
}

impl VariantResults {
    fn of(planned: &Planned, score: &str, base: Option<&Self>) -> Self {
        let runs: Vec<RunResults> = planned.runs.iter().map(RunResults::of).collect();
        let names: BTreeSet<&String> = runs.iter().flat_map(|run| run.scores.keys()).collect();
        let values = |name: &str| -> Vec<f64> {
            let all = runs.iter().filter_map(|run| run.scores.get(name));
            all.copied().collect()
        };
        let scores = names
            .into_iter()
            .filter_map(|name| Some((name.clone(), Spread::of(&values(name))?)))
            .collect();
        let differences = base.map(|base| {
            let pairs = base.runs.iter().zip(&runs);
            let pair = |(base, run): (&RunResults, &RunResults)| {
                Some(run.scores.get(score)? - base.scores.get(score)?)
            };
            pairs.filter_map(pair).collect::<Vec<f64>>()
        });
        let difference = differences.as_deref().and_then(Spread::of);
        Self {
            name: planned.variant.name.clone(),
            steps: planned.steps,
            parameters: planned.parameters[0],
            flops: planned.flops(),
            changes: planned.diff.to_string(),
            spread: Spread::of(&values(score)),
            interval: difference.and_then(|it| it.interval()),
            difference,
            verdict: differences.map(|it| Verdict::of(&it, lower_is_better(score))),
            scores,
            runs,
        }
    }
}

/// A mean with its deviation.
pub fn with_deviation(name: &str, spread: &Spread) -> String {
    let mean = shown(name, spread.mean);
    match spread.deviation {
        Some(deviation) => format!("{mean} ± {}", shown(name, deviation)),
        None => mean,
    }
}

/// A difference with its sign.
pub(super) fn signed(name: &str, value: f64) -> String {
    let text = shown(name, value);
    match value >= 0.0 {
        true => format!("+{text}"),
        false => text,
    }
}

/// Rows under a head.
pub struct Rows {
    /// What they are.
    pub title: &'static str,
    /// The head.
    pub head: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Results {
    /// Reads the runs of a plan.
    pub fn of(plan: &Plan) -> Self {
        let score = &plan.score;
        let mut variants: Vec<VariantResults> = Vec::new();
        for planned in &plan.variants {
            let next = VariantResults::of(planned, score, variants.first());
            variants.push(next);
        }
        let seeds = plan.study.seeds.len();
        let pairs = plan.variants.iter().zip(&variants);
        let points: Option<Vec<Point>> = pairs
            .filter(|it| !it.0.variant.factors.is_empty())
            .map(|(planned, own)| Point::of(&planned.variant.factors, own, score))
            .collect();
        let lower = lower_is_better(score);
        Self {
            study: plan.study.name.clone(),
            hold: plan.study.hold.name(),
            lower_is_better: lower,
            factors: factors::factors(&points.unwrap_or_default(), lower),
            method: format!(
                "Mean ± standard deviation over {seeds} seeds. Differences to the base are taken seed \
                 by seed; their interval is Student's t at {:.0} %, each variant for itself, without a \
                 correction for their number. \"Within noise\" is where the interval holds zero.",
                CONFIDENCE * 100.0
            ),
            score: score.clone(),
            variants,
        }
    }

    /// Whether all runs are finished.
    ///
    /// # Errors
    /// The runs that are not, with their reasons.
    pub fn complete(&self) -> Result<(), Failure> {
        let runs = self.variants.iter().flat_map(|it| &it.runs);
        let missing: Vec<String> = runs
            .filter(|run| run.state != State::Finished)
            .map(|run| {
                let error = run.error.as_deref().unwrap_or(run.state.word());
                format!("\n  {}: {error}", run.folder.display())
            })
            .collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Failure::new(format!(
                "{} runs of `{}` are not finished:{}",
                missing.len(),
                self.study,
                missing.concat()
            ))),
        }
    }

    /// All tables, each with what its numbers mean.
    pub fn tables(&self) -> Vec<(Rows, &str)> {
        let mut out = vec![(self.ranking(), &*self.method)];
        if !self.factors.is_empty() {
            out.push((factors::rows(&self.factors, &self.score), factors::NOTE));
        }
        let scores = self.scores();
        let blind = match scores.rows.iter().any(|row| row[0].ends_with(", blind")) {
            true => "Blind: the same model shown the picture of another example.",
            false => "",
        };
        out.push((scores, blind));
        let data = "Text and image are tokens; fill is the share of positions that held one.";
        out.push((self.data(), data));
        out
    }

    /// The verdicts, best first after the base.
    pub fn ranking(&self) -> Rows {
        let score = &self.score;
        let none = || "–".to_owned();
        let better = match self.lower_is_better {
            true => "less is better",
            false => "more is better",
        };
        let names = ["", "blind", "difference to the base", "95 % interval"];
        let blind = format!("{score}.blind");
        let mut head = vec!["variant".to_owned()];
        head.extend(names.map(str::to_owned));
        head.push("verdict".to_owned());
        head[1] = format!("{score}, {better}");
        let mut order: Vec<&VariantResults> = self.variants.iter().collect();
        if let Some((_, rest)) = order.split_first_mut() {
            // Variants without a result come last.
            let key = |it: &VariantResults| {
                let mean = it.spread.map_or(f64::INFINITY, |it| it.mean);
                match self.lower_is_better || mean.is_infinite() {
                    true => mean,
                    false => -mean,
                }
            };
            rest.sort_by(|a, b| key(a).total_cmp(&key(b)));
        }
        let row = |it: &&VariantResults| {
            vec![
                it.name.clone(),
                it.spread
                    .as_ref()
                    .map_or_else(none, |spread| with_deviation(score, spread)),
                it.scores
                    .get(&blind)
                    .map_or_else(none, |spread| with_deviation(score, spread)),
                it.difference
                    .map_or_else(none, |spread| signed(score, spread.mean)),
                it.interval.map_or_else(none, |[low, high]| {
                    format!("{} … {}", signed(score, low), signed(score, high))
                }),
                it.verdict
                    .map_or_else(|| BASE.to_owned(), |it| it.word().to_owned()),
            ]
        };
        let mut rows = Rows {
            title: "Verdicts",
            head,
            rows: order.iter().map(row).collect(),
        };
        // A column that has nothing to say is left out.
        if rows.rows.iter().all(|row| row[2] == none()) {
            rows.head.remove(2);
            rows.rows.iter_mut().for_each(|row| drop(row.remove(2)));
        }
        rows
    }

    /// All scores of all variants, with the blind baseline below those that have it.
    pub fn scores(&self) -> Rows {
        let names: BTreeSet<&String> = self
            .variants
            .iter()
            .flat_map(|it| it.scores.keys())
            .filter(|name| !name.ends_with(".majority"))
            .collect();
        let mut head = vec!["score".to_owned()];
        head.extend(self.variants.iter().map(|it| it.name.clone()));
        let row = |name: &&String| {
            let value = |it: &VariantResults| {
                let spread = it.scores.get(*name);
                spread.map_or_else(|| "–".to_owned(), |it| with_deviation(name, it))
            };
            let label = match is_baseline(name) {
                true => name.replace(".blind", ", blind"),
                false => (*name).clone(),
            };
            std::iter::once(label)
                .chain(self.variants.iter().map(value))
                .collect()
        };
        Rows {
            title: "All scores",
            head,
            rows: names.iter().map(row).collect(),
        }
    }

    /// What each run has read and how long it took.
    pub fn data(&self) -> Rows {
        let head = [
            "run",
            "state",
            "steps",
            "examples",
            "text",
            "image",
            "fill",
            "TFLOP",
            "seconds",
            &self.score,
        ];
        let mut rows = Vec::new();
        for variant in &self.variants {
            for run in &variant.runs {
                let name = run.folder.file_name().unwrap_or_default();
                let score = run.scores.get(&self.score);
                rows.push(vec![
                    format!("{}, seed {}", variant.name, run.seed),
                    match name.to_string_lossy().starts_with(&variant.name) {
                        true => run.state.word().to_owned(),
                        false => format!("{} as {}", run.state.word(), name.to_string_lossy()),
                    },
                    format!("{}/{}", run.step, variant.steps),
                    run.examples.to_string(),
                    run.text_tokens.to_string(),
                    run.image_tokens.to_string(),
                    format!("{:.1} %", run.fill_rate * 100.0),
                    format!("{:.3}", variant.flops / 1e12),
                    format!("{:.0}", run.seconds),
                    score.map_or_else(|| "–".to_owned(), |it| shown(&self.score, *it)),
                ]);
            }
        }
        Rows {
            title: "Data of each run",
            head: head.map(str::to_owned).to_vec(),
            rows,
        }
    }

    /// The tables for a person.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (rows, note) in self.tables() {
            let _ = writeln!(out, "{}\n{}", rows.title, columns(&rows.head, &rows.rows));
            if !note.is_empty() {
                let _ = writeln!(out, "{note}\n");
            }
        }
        out
    }
}
