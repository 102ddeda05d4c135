//! The loop.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::loader::Loader;
use super::progress::{Window, report};
use super::step::{Optimizer, StepOutcome};
use crate::data::{Batch, Cursor, Evaluation, Pipeline};
use crate::engine::{Engine, EngineExt, RunError};
use crate::evaluate::{Evaluated, EvaluationConfig, by_name, evaluate};
use crate::events::{Event, Log};
use crate::metrics::{Consumed, EvaluationRecord, Metrics, Progress, Record};
use crate::report::write_report;

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// Optimizer steps in the run.
    pub steps: u64,
    /// Micro-batches per step, at least 1.
    pub micro_batches: usize,
    /// The update rule.
    pub optimizer: Optimizer,
    /// Steps between log lines; 0 logs nothing.
    pub log_every: u64,
    /// Steps between evaluations; 0 leaves the one at the end.
    pub evaluate_every: u64,
    /// Steps between checkpoints; 0 leaves the one at the end.
    pub checkpoint_every: u64,
    /// The evaluations.
    pub evaluation: EvaluationConfig,
    /// Most steps in a row without an update before the run stops.
    pub nonfinite_limit: u64,
    /// The machine's peak rate, FLOP/s, where it is known.
    pub peak_flops: Option<f64>,
    /// Whether a thread makes batches ahead.
    pub load_ahead: bool,
}

/// Where a run stands between two steps; all integers, so JSON keeps it exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// Updates made: steps less those skipped.
    pub updates: u64,
    /// Steps skipped.
    pub skipped: u64,
    /// Of these, the last ones in a row.
    pub skipped_in_row: u64,
    /// Data consumed.
    pub consumed: Consumed,
    /// Where the data goes on.
    pub cursor: Cursor,
}

impl State {
    /// Before the first step.
    pub fn start(pipeline: &Pipeline) -> Self {
        Self {
            step: 0,
            updates: 0,
            skipped: 0,
            skipped_in_row: 0,
            consumed: Consumed::default(),
            cursor: pipeline.start(),
        }
    }
}

/// What a run works with.
pub struct Run<'a, E: Engine> {
    /// The model, initialised or resumed.
    pub engine: &'a mut E,
    /// Training data.
    pub pipeline: Arc<Pipeline>,
    /// Held-out data.
    pub evaluations: &'a [Evaluation],
    /// `metrics.jsonl`.
    pub metrics: Metrics,
    /// `log.jsonl`.
    pub log: Log,
    /// When the process began.
    pub begun: Instant,
    /// Where `loss.svg` and `report.html` go.
    pub directory: PathBuf,
    /// Writes a checkpoint.
    pub save: &'a mut dyn FnMut(&E, &State) -> Result<(), RunError>,
    /// Whether someone asked the run to stop.
    pub stop: &'a dyn Fn() -> bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// All steps are done; the last evaluation, baselines included.
    Finished(Vec<Evaluated>),
    /// Someone asked it to stop after this step; a checkpoint is written.
    Stopped(u64),
}

/// Unreadable samples that a run names; all are counted.
const SHOWN_FAULTS: u64 = 20;

/// Trains from `state` to the last step.
///
/// # Errors
/// Programs or data that fail, files that cannot be written, too many non-finite steps in a
/// row. What was learnt until then is in the last checkpoint.
pub fn train<E: Engine>(
    config: &TrainConfig,
    mut run: Run<'_, E>,
    mut state: State,
) -> Result<Ending, RunError> {
    let ending = run.steps(config, &mut state);
    let (outcome, error) = match &ending {
        Ok(Ending::Finished(_)) => ("finished", None),
        Ok(Ending::Stopped(_)) => ("stopped", None),
        Err(error) => ("failed", Some(error.to_string())),
    };
    let logged = run.log.push(&Event::End {
        step: state.step,
        outcome: outcome.to_owned(),
        error,
    });
    // What ended the run matters more than that nobody could write it down.
    ending.and_then(|ending| logged.map(|()| ending))
}

impl<E: Engine> Run<'_, E> {
    /// The loop itself.
    fn steps(&mut self, config: &TrainConfig, state: &mut State) -> Result<Ending, RunError> {
        self.engine
            .require(&["accumulate", "gradient_norm", "apply"])?;
        let ahead = if config.load_ahead {
            config.micro_batches
        } else {
            0
        };
        let mut loader = Loader::new(Arc::clone(&self.pipeline), state.cursor.clone(), ahead)?;
        let mut progress = Progress::new(config.steps);
        let mut window = Window::default();
        let facts = self.engine.facts().clone();
        let mut checkpoint_owed = false;
        let mut faults_shown = 0;
        let mut first = true;
        while state.step < config.steps {
            if (self.stop)() {
                self.log.push(&Event::Signal { step: state.step })?;
                self.checkpoint(state)?;
                progress.message(&format!(
                    "stopped after step {}; checkpoint written",
                    state.step
                ));
                write_report(
                    &self.directory,
                    &report(&facts, config, self.metrics.records(), &[], &[]),
                )?;
                return Ok(Ending::Stopped(state.step));
            }
            let begin = Instant::now();
            let (batches, cursor) = loader.step(config.micro_batches)?;
            for fault in batches.iter().flat_map(|batch| &batch.faults) {
                faults_shown += 1;
                match faults_shown {
                    ..=SHOWN_FAULTS => progress.message(&format!("skipped: {fault}")),
                    it if it == SHOWN_FAULTS + 1 => {
                        progress.message("further unreadable samples are only counted");
                    }
                    _ => {}
                }
                self.log.push(&Event::BadSample {
                    step: state.step + 1,
                    fault: fault.to_string(),
                })?;
            }
            let outcome =
                config
                    .optimizer
                    .step(self.engine, state.step + 1, state.updates + 1, &batches)?;
            state.advance(&batches, cursor, outcome.skipped);
            window.add(&batches, begin.elapsed());
            if std::mem::take(&mut first) {
                self.log.push(&Event::FirstStep {
                    step: state.step,
                    seconds_to_begin: (begin - self.begun).as_secs_f64(),
                    seconds_to_end: self.begun.elapsed().as_secs_f64(),
                })?;
            }
            if outcome.skipped {
                self.skipped(config, state, &outcome)?;
            }
            let due = |every: u64| every > 0 && state.step.is_multiple_of(every);
            let last = state.step == config.steps;
            if config.log_every > 0 && (due(config.log_every) || state.step == 1 || last) {
                let record = window.record(state, &outcome, config, &facts);
                progress.show(&record);
                self.metrics.push(Record::Step(record))?;
            }
            if due(config.evaluate_every) && !last {
                let results = self.evaluate(config, state, false)?;
                if !results.is_empty() {
                    progress.message(&summary(state.step, &results));
                }
            }
            // Steps without an update are no progress: their checkpoints would only displace those
            // from before whatever led here. The first update after them makes up for it.
            checkpoint_owed |= due(config.checkpoint_every);
            if last || (checkpoint_owed && state.skipped_in_row == 0) {
                self.checkpoint(state)?;
                checkpoint_owed = false;
            }
        }
        let results = self.evaluate(config, state, true)?;
        Ok(Ending::Finished(results))
    }

    fn checkpoint(&mut self, state: &State) -> Result<(), RunError> {
        let begin = Instant::now();
        (self.save)(self.engine, state)?;
        self.log.push(&Event::Checkpoint {
            step: state.step,
            seconds: begin.elapsed().as_secs_f64(),
        })
    }

    /// Notes a step without an update, and gives up where there are too many in a row.
    fn skipped(
        &mut self,
        config: &TrainConfig,
        state: &State,
        outcome: &StepOutcome,
    ) -> Result<(), RunError> {
        let finite = |x: f64| Some(x).filter(|x| x.is_finite());
        self.log.push(&Event::SkippedStep {
            step: state.step,
            in_row: state.skipped_in_row,
            loss: finite(outcome.loss),
            gradient_norm: finite(outcome.gradient_norm),
        })?;
        if state.skipped_in_row <= config.nonfinite_limit {
            return Ok(());
        }
        let place = self
            .engine
            .nonfinite_gradient()
            .map_or_else(String::new, |name| {
                format!("; the first gradient that is not finite is that of `{name}`")
            });
        Err(RunError::Diverged(format!(
            "the loss or its gradient was not finite in {} steps in a row, more than \
             `nonfinite_limit` allows (step {}: loss {}, gradient norm {}){place}",
            state.skipped_in_row, state.step, outcome.loss, outcome.gradient_norm
        )))
    }
}

impl State {
    fn advance(&mut self, batches: &[Batch], cursor: Cursor, skipped: bool) {
        self.step += 1;
        self.cursor = cursor;
        if skipped {
            self.skipped += 1;
            self.skipped_in_row += 1;
        } else {
            self.updates += 1;
            self.skipped_in_row = 0;
        }
        for batch in batches {
            let stats = &batch.stats;
            self.consumed.examples += stats.examples;
            self.consumed.text_tokens += stats.text_tokens;
            self.consumed.image_tokens += stats.image_tokens;
            self.consumed.positions += stats.text_tokens + stats.image_tokens + stats.padding;
        }
    }
}

impl<E: Engine> Run<'_, E> {
    /// Evaluates every source, records it and rewrites the report.
    fn evaluate(
        &mut self,
        config: &TrainConfig,
        state: &State,
        blind: bool,
    ) -> Result<Vec<Evaluated>, RunError> {
        let begin = Instant::now();
        let results = self
            .evaluations
            .iter()
            .map(|it| {
                let tokenizer = self.pipeline.tokenizer();
                evaluate(self.engine, tokenizer, it, config.evaluation, blind)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let evaluation = by_name(&results);
        if !results.is_empty() {
            self.log.push(&Event::Evaluation {
                step: state.step,
                seconds: begin.elapsed().as_secs_f64(),
                evaluation: evaluation.clone(),
            })?;
        }
        let record = Record::Evaluation(EvaluationRecord {
            step: state.step,
            evaluation,
        });
        // A finished run that is started again repeats its last evaluation.
        let known = |old: &Record| matches!(old, Record::Evaluation(it) if it.step == state.step);
        if !results.is_empty() && !self.metrics.records().iter().any(known) {
            self.metrics.push(record)?;
        }
        let page = report(
            self.engine.facts(),
            config,
            self.metrics.records(),
            self.evaluations,
            &results,
        );
        write_report(&self.directory, &page)?;
        Ok(results)
    }
}

/// An evaluation in a line.
fn summary(step: u64, results: &[Evaluated]) -> String {
    let mut text = format!("step {step} held out:");
    for (name, value) in by_name(results) {
        if name.ends_with(".majority") || name.ends_with(".blind") {
            continue;
        }
        text += &match name.ends_with(".loss") {
            true => format!("  {name} {value:.4}"),
            false => format!("  {name} {:.1} %", value * 100.0),
        };
    }
    text
}
