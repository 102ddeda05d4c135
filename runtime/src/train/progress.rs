//! From steps to log lines, and from log lines to the report.

use std::collections::BTreeMap;
use std::time::Duration;

use mm1_package::ModelFacts;

use super::run::{State, TrainConfig};
use super::step::StepOutcome;
use crate::data::{Batch, Evaluation};
use crate::evaluate::{self, Evaluated};
use crate::metrics::{Record, StepRecord, resident_memory};
use crate::report::{Chart, Report, Series, line_chart};

/// Sums since the last log line.
#[derive(Debug, Default)]
pub(super) struct Window {
    steps: u64,
    seconds: f64,
    text_tokens: u64,
    image_tokens: u64,
    epochs: BTreeMap<String, f64>,
    bad_samples: u64,
}

impl Window {
    pub(super) fn add(&mut self, batches: &[Batch], time: Duration) {
        self.steps += 1;
        self.seconds += time.as_secs_f64();
        for batch in batches {
            self.text_tokens += batch.stats.text_tokens;
            self.image_tokens += batch.stats.image_tokens;
            self.bad_samples = batch.stats.bad_samples;
            for source in &batch.stats.sources {
                self.epochs.insert(source.name.clone(), source.epochs);
            }
        }
    }

    /// The log line of the step that `state` has just finished; the next window begins.
    pub(super) fn record(
        &mut self,
        state: &State,
        outcome: &StepOutcome,
        config: &TrainConfig,
        facts: &ModelFacts,
    ) -> StepRecord {
        let window = std::mem::take(self);
        let seconds = window.seconds.max(1e-9);
        let text = window.text_tokens as f64 / seconds;
        let image = window.image_tokens as f64 / seconds;
        let step_seconds = window.seconds / window.steps.max(1) as f64;
        let flops = facts.flops as f64 * config.micro_batches as f64;
        StepRecord {
            step: state.step,
            loss: outcome.loss,
            z_loss: outcome.z_loss,
            lr: outcome.lr,
            gradient_norm: outcome.gradient_norm,
            skipped: outcome.skipped,
            skipped_steps: state.skipped,
            tokens_per_second: text + image,
            text_tokens_per_second: text,
            image_tokens_per_second: image,
            step_seconds,
            memory_gib: resident_memory().map_or(0.0, |(now, _)| now as f64 / (1u64 << 30) as f64),
            mfu: config
                .peak_flops
                .filter(|_| flops > 0.0)
                .map(|peak| flops / step_seconds.max(1e-9) / peak),
            experts: outcome.experts.clone(),
            examples: state.consumed.examples,
            text_tokens: state.consumed.text_tokens,
            image_tokens: state.consumed.image_tokens,
            fill_rate: state.consumed.fill_rate(),
            epochs: window.epochs,
            bad_samples: window.bad_samples,
        }
    }
}

/// Held-out pictures per source on the page.
const SAMPLES: usize = 24;

/// The report of a run from its records and its last evaluation.
pub fn report(
    facts: &ModelFacts,
    config: &TrainConfig,
    records: &[Record],
    evaluations: &[Evaluation],
    results: &[Evaluated],
) -> Report {
    let last = records.iter().rev().find_map(|record| match record {
        Record::Step(step) => Some(step),
        Record::Evaluation(_) => None,
    });
    let mut page = Report {
        title: facts.name.clone(),
        curve: line_chart(&Chart {
            title: "Loss".to_string(),
            unit: "nats per token".to_string(),
            steps: config.steps,
            series: curves(records),
        }),
        note: evaluate::TABLE_NOTE.to_string(),
        samples: evaluate::samples(evaluations, results, SAMPLES),
        config: facts.resolved.clone(),
        ..Report::default()
    };
    (page.columns, page.results) = evaluate::table(results);
    if let Some(step) = last {
        let mut fact = |name: &str, value: String| page.facts.push((name.to_string(), value));
        fact("steps", format!("{} of {}", step.step, config.steps));
        fact("training loss", format!("{:.4}", step.loss));
        fact("examples", step.examples.to_string());
        fact("text tokens", step.text_tokens.to_string());
        fact("image tokens", step.image_tokens.to_string());
        fact("fill rate", format!("{:.1} %", step.fill_rate * 100.0));
        for (source, epochs) in &step.epochs {
            fact(&format!("epochs of {source}"), format!("{epochs:.2}"));
        }
        fact("unreadable samples", step.bad_samples.to_string());
        fact("skipped steps", step.skipped_steps.to_string());
        fact(
            "time per step",
            format!("{:.0} ms", step.step_seconds * 1e3),
        );
        fact(
            "tokens per second",
            format!("{:.0}", step.tokens_per_second),
        );
        fact("memory", format!("{:.2} GiB", step.memory_gib));
    }
    page
}

/// Training loss, and the held-out loss of each source.
fn curves(records: &[Record]) -> Vec<Series> {
    let mut training = Series {
        name: "training".into(),
        points: Vec::new(),
    };
    let mut held_out: BTreeMap<&str, Series> = BTreeMap::new();
    for record in records {
        match record {
            Record::Step(step) => training.points.push((step.step as f64, step.loss)),
            Record::Evaluation(evaluation) => {
                for (name, &value) in &evaluation.evaluation {
                    let Some(source) = name.strip_suffix(".loss") else {
                        continue;
                    };
                    held_out
                        .entry(source)
                        .or_insert_with(|| Series {
                            name: format!("held out: {source}"),
                            points: Vec::new(),
                        })
                        .points
                        .push((evaluation.step as f64, value));
                }
            }
        }
    }
    std::iter::once(training)
        .chain(held_out.into_values())
        .collect()
}
