//! The loop over a model of one parameter, whose every step can be worked out by hand.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use mm1_package::ModelFacts;

use super::*;
use crate::data::image::{Filter, Fit};
use crate::data::{
    Batch, BatchShape, DataConfig, ImageConfig, LossNormalization, MixtureUnit, Pipeline,
    SourceConfig,
};
use crate::engine::{Engine, RunError};
use crate::evaluate::EvaluationConfig;
use crate::events::{Event, Log};
use crate::metrics::{Metrics, Record};
use crate::schedule::{DecayConvention, Schedule};
use crate::tokenizer::Tokenizer;

/// Predicts one number for every token: loss Σ w·(p − target / 100)².
struct Toy {
    facts: ModelFacts,
    p: f64,
    gradient: f64,
    inputs: BTreeMap<String, Vec<f32>>,
    outputs: BTreeMap<String, f32>,
    /// `accumulate` runs so far.
    runs: u64,
    /// Runs whose loss is not a number.
    broken: std::ops::Range<u64>,
}

impl Toy {
    fn new() -> Self {
        Self {
            facts: ModelFacts {
                name: "toy".into(),
                ..ModelFacts::default()
            },
            p: 10.0,
            gradient: 123.0,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            runs: 0,
            broken: 0..0,
        }
    }

    fn scalar(&self, name: &str) -> f64 {
        f64::from(self.inputs[name][0])
    }
}

impl Engine for Toy {
    fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    fn inputs(&self, program: &str) -> Option<Vec<String>> {
        let names: &[&str] = match program {
            "accumulate" => &["tokens", "loss_targets", "loss_weights", "z_weight"],
            "gradient_norm" => &[],
            "apply" => &["lr"],
            _ => return None,
        };
        Some(names.iter().map(|name| name.to_string()).collect())
    }

    fn set_extent(&mut self, _: &str, _: u64) -> Result<(), RunError> {
        Ok(())
    }

    fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<(), RunError> {
        self.inputs.insert(name.into(), values.to_vec());
        Ok(())
    }

    fn write_i32(&mut self, name: &str, values: &[i32]) -> Result<(), RunError> {
        let values = values.iter().map(|&value| value as f32).collect();
        self.inputs.insert(name.into(), values);
        Ok(())
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, RunError> {
        Ok(vec![self.outputs[name]])
    }

    fn run(&mut self, program: &str) -> Result<(), RunError> {
        match program {
            "accumulate" => {
                let mut loss = 0.0;
                let pairs = self.inputs["loss_targets"]
                    .iter()
                    .zip(&self.inputs["loss_weights"]);
                for (&target, &weight) in pairs {
                    let error = self.p - f64::from(target) / 100.0;
                    loss += f64::from(weight) * error * error;
                    self.gradient += 2.0 * f64::from(weight) * error;
                }
                if self.broken.contains(&self.runs) {
                    loss = f64::NAN;
                }
                self.runs += 1;
                self.outputs.insert("loss".into(), loss as f32);
                self.outputs.insert("z_loss".into(), 1.0);
            }
            "gradient_norm" => {
                let squared = (self.gradient * self.gradient) as f32;
                self.outputs.insert("gradient_norm_squared".into(), squared);
            }
            "apply" => {
                let scaled = self.scalar("gradient_scale") * self.gradient;
                self.p -= self.scalar("lr") * scaled + self.scalar("decay") * self.p;
            }
            other => return Err(RunError::Missing(other.into())),
        }
        Ok(())
    }

    fn zero_gradients(&mut self) -> Result<(), RunError> {
        self.gradient = 0.0;
        Ok(())
    }

    fn nonfinite_gradient(&self) -> Option<String> {
        Some("p".into())
    }
}

fn optimizer() -> Optimizer {
    Optimizer {
        schedule: Schedule {
            peak_lr: 0.1,
            warmup_steps: 2,
            steps: 8,
            floor: 0.1,
        },
        rule: Rule::AdamW {
            beta1: 0.9,
            beta2: 0.95,
        },
        weight_decay: 0.01,
        decay_convention: DecayConvention::TimesLr,
        clip_norm: 1.0,
        z_loss: 0.5,
        experts: ExpertLosses::default(),
    }
}

fn config() -> TrainConfig {
    TrainConfig {
        steps: 8,
        micro_batches: 2,
        optimizer: optimizer(),
        log_every: 1,
        evaluate_every: 3,
        checkpoint_every: 3,
        evaluation: EvaluationConfig {
            examples: 4,
            tokens: 4,
        },
        nonfinite_limit: 2,
        peak_flops: None,
        load_ahead: false,
    }
}

fn batch(targets: &[i32], weight: f32) -> Batch {
    Batch {
        tokens: vec![0; 4],
        loss_rows: (0..targets.len() as i32).collect(),
        loss_targets: targets.to_vec(),
        loss_weights: vec![weight; targets.len()],
        ..Batch::default()
    }
}

fn pipeline() -> Arc<Pipeline> {
    let texts = ["two red circles", "one blue bar", "five green rings"];
    let tokenizer = Arc::new(Tokenizer::train(texts, 280).unwrap());
    let source = SourceConfig {
        name: "words".into(),
        kind: "scenes".into(),
        task: "text".into(),
        weight: 1.0,
        path: None,
        examples: 7,
        prompt: String::new(),
        evaluation_path: None,
        classes: Vec::new(),
        columns: crate::data::rows::Columns::default(),
    };
    let config = DataConfig {
        mixture_unit: MixtureUnit::Sequence,
        sources: vec![source],
        max_images: 0,
        bad_sample_budget: 0.0,
        shuffle_seed: 1,
        loss_normalization: LossNormalization::Token,
        image: ImageConfig {
            fit: Fit::Squash,
            filter: Filter::Bilinear,
            mean: [0.5; 3],
            std: [0.5; 3],
            tiles: crate::data::tiles::Tiles::None,
        },
    };
    let shape = BatchShape {
        sequences: 2,
        length: 40,
        max_images: 0,
        resolution: 0,
        image_tokens: 0,
        objective: mm1_package::Objective::Language,
        patches: 0,
    };
    Arc::new(Pipeline::open(config, shape, tokenizer).unwrap())
}

#[test]
fn a_step_is_what_it_is_on_paper() {
    let mut toy = Toy::new();
    let outcome = optimizer()
        .step(&mut toy, 1, 1, &[batch(&[100, 300], 1.0)])
        .unwrap();
    // p = 10: errors 9 and 7, mean square 65, gradient 2·8 = 16, clipped to 1.
    assert!((outcome.loss - 65.0).abs() < 1e-4);
    assert!((outcome.gradient_norm - 16.0).abs() < 1e-4);
    assert_eq!((outcome.lr, outcome.z_loss), (0.05, 1.0));
    // 10 − 0.05·16·(1/16) − 0.05·0.01·10
    assert!((toy.p - (10.0 - 0.05 - 0.005)).abs() < 1e-6, "{}", toy.p);
    assert!((toy.scalar("bias_correction1") - 0.1).abs() < 1e-7);
    assert!((toy.scalar("bias_correction2") - 0.05).abs() < 1e-7);
    optimizer()
        .step(&mut toy, 4, 3, &[batch(&[100], 1.0)])
        .unwrap();
    assert!((toy.scalar("bias_correction1") - (1.0 - 0.729)).abs() < 1e-7);
}

#[test]
fn accumulation_equals_one_large_batch() {
    let (mut whole, mut parts, mut means) = (Toy::new(), Toy::new(), Toy::new());
    let loose = Optimizer {
        clip_norm: 0.0,
        ..optimizer()
    };
    let one = loose
        .step(&mut whole, 1, 1, &[batch(&[0, 100, 200, 900], 0.5)])
        .unwrap();
    let split = [batch(&[0], 0.5), batch(&[100, 200, 900], 0.5)];
    let two = loose.step(&mut parts, 1, 1, &split).unwrap();
    assert!((one.loss - two.loss).abs() < 1e-4);
    assert!((whole.p - parts.p).abs() < 1e-6);
    // A mean of means would be another number: the counts are unequal.
    let mean = split.map(|it| loose.step(&mut means, 1, 1, &[it]).unwrap().loss);
    assert!(((mean[0] + mean[1]) / 2.0 - one.loss).abs() > 1.0);
}

#[test]
fn a_step_without_text_is_an_error() {
    let error = optimizer()
        .step(&mut Toy::new(), 5, 5, &[batch(&[], 1.0)])
        .unwrap_err();
    assert!(error.to_string().contains("step 5"));
}

/// Trains `toy` from `state`, stopping when `stop` says so; returns the states saved.
fn go(
    toy: &mut Toy,
    state: State,
    directory: &std::path::Path,
    stop: &dyn Fn() -> bool,
    ahead: bool,
) -> (Result<Ending, RunError>, Vec<(State, f64)>) {
    let mut saved = Vec::new();
    let metrics = Metrics::open(&directory.join("metrics.jsonl"), state.step).unwrap();
    let log = Log::open(&directory.join("log.jsonl")).unwrap();
    let mut save = |toy: &Toy, state: &State| {
        saved.push((state.clone(), toy.p));
        Ok(())
    };
    let config = TrainConfig {
        load_ahead: ahead,
        ..config()
    };
    let run = Run {
        engine: toy,
        pipeline: pipeline(),
        evaluations: &[],
        metrics,
        log,
        begun: std::time::Instant::now(),
        directory: directory.to_path_buf(),
        save: &mut save,
        stop,
    };
    let ending = train(&config, run, state);
    (ending, saved)
}

/// `log.jsonl`, every event in a word.
fn events(directory: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(directory.join("log.jsonl")).unwrap();
    let word = |line: &str| match serde_json::from_str(line).unwrap() {
        Event::FirstStep {
            step,
            seconds_to_begin,
            seconds_to_end,
        } => {
            assert!((0.0..=seconds_to_end).contains(&seconds_to_begin));
            format!("first {step}")
        }
        Event::Checkpoint { step, .. } => format!("checkpoint {step}"),
        Event::SkippedStep { step, in_row, .. } => format!("skipped {step} {in_row}"),
        Event::Signal { step } => format!("signal {step}"),
        Event::End { step, outcome, .. } => format!("{outcome} {step}"),
        other => panic!("{other:?}"),
    };
    text.lines().map(word).collect()
}

fn losses(directory: &std::path::Path) -> Vec<(u64, u64, u64)> {
    let metrics = Metrics::open(&directory.join("metrics.jsonl"), u64::MAX).unwrap();
    let record = |record: &Record| match record {
        Record::Step(step) => Some((step.step, step.loss.to_bits(), step.examples)),
        Record::Evaluation(_) => None,
    };
    metrics.records().iter().filter_map(record).collect()
}

#[test]
fn resumed_equals_uninterrupted() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut toy = Toy::new();
    let start = State::start(&pipeline());
    let (ending, saved) = go(&mut toy, start.clone(), whole.path(), &|| false, false);
    assert_eq!(ending.unwrap(), Ending::Finished(Vec::new()));
    let steps: Vec<u64> = saved.iter().map(|(state, _)| state.step).collect();
    assert_eq!(steps, [3, 6, 8]);
    assert!(whole.path().join("report.html").exists());
    let wanted = [
        "first 1",
        "checkpoint 3",
        "checkpoint 6",
        "checkpoint 8",
        "finished 8",
    ];
    assert_eq!(events(whole.path()), wanted);

    // Asked to stop before its sixth step, after the checkpoint of step 3.
    let polls = Cell::new(0);
    let stop = || {
        polls.set(polls.get() + 1);
        polls.get() == 6
    };
    let mut first = Toy::new();
    let (ending, saved) = go(&mut first, start, parts.path(), &stop, true);
    assert_eq!(ending.unwrap(), Ending::Stopped(5));
    let (state, p) = saved.last().unwrap();
    assert_eq!(state.step, 5);
    let state: State = serde_json::from_value(serde_json::to_value(state).unwrap()).unwrap();
    let mut second = Toy::new();
    second.p = *p;
    let (ending, saved) = go(&mut second, state, parts.path(), &|| false, true);
    assert_eq!(ending.unwrap(), Ending::Finished(Vec::new()));
    assert_eq!(saved.last().unwrap().0.step, 8);
    assert_eq!(second.p.to_bits(), toy.p.to_bits());
    let wanted = [
        "first 1",
        "checkpoint 3",
        "signal 5",
        "checkpoint 5",
        "stopped 5",
        "first 6",
        "checkpoint 6",
        "checkpoint 8",
        "finished 8",
    ];
    assert_eq!(events(parts.path()), wanted);
    let found = losses(parts.path());
    assert_eq!(found.len(), 8);
    assert_eq!(found, losses(whole.path()));
}

#[test]
fn steps_that_are_not_finite_are_skipped_up_to_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let start = State::start(&pipeline());
    let mut toy = Toy::new();
    toy.broken = 2..6; // both micro-batches of steps 2 and 3
    let (ending, saved) = go(&mut toy, start.clone(), directory.path(), &|| false, false);
    assert!(ending.is_ok());
    let state = &saved.last().unwrap().0;
    assert_eq!((state.step, state.updates, state.skipped), (8, 6, 2));
    assert_eq!(state.skipped_in_row, 0);
    assert!(toy.p.is_finite());

    toy.broken = 0..u64::MAX;
    let p = toy.p;
    let (ending, _) = go(&mut toy, start, directory.path(), &|| false, false);
    let error = ending.unwrap_err().to_string();
    assert!(
        error.contains("3 steps in a row") && error.contains("`p`"),
        "{error}"
    );
    assert_eq!(toy.p, p, "no update was made");
    let found = events(directory.path());
    assert_eq!(found[..3], ["first 1", "skipped 2 1", "skipped 3 2"]);
    let end = [
        "first 1",
        "skipped 1 1",
        "skipped 2 2",
        "skipped 3 3",
        "failed 3",
    ];
    assert_eq!(found[found.len() - 5..], end);
}
