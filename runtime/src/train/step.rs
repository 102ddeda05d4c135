//! One optimizer step: micro-batches in, one update of the parameters out.
//!
//! The loss is Σ w·CE / Σ w over *all* micro-batches, so the sum of weights is known before
//! the first of them runs, and eight sequences at once equal four times two.

use crate::data::Batch;
use crate::engine::{Engine, EngineExt, RunError};
use crate::schedule::{DecayConvention, Schedule};

use super::experts::{ExpertLosses, ExpertRecord};

/// What the optimizer is told; constant over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimizer {
    /// Learning rate over the run.
    pub schedule: Schedule,
    /// How gradients become updates.
    pub rule: Rule,
    /// λ.
    pub weight_decay: f64,
    /// What λ is multiplied by.
    pub decay_convention: DecayConvention,
    /// Largest global gradient norm; 0 turns clipping off.
    pub clip_norm: f64,
    /// Weight of (log Σ exp)².
    pub z_loss: f64,
    /// Weights of the losses of a mixture of experts.
    pub experts: ExpertLosses,
}

/// What the program `apply` must be told of the number of updates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Corrections of both moments.
    AdamW {
        /// β₁.
        beta1: f64,
        /// β₂.
        beta2: f64,
    },
    /// The share of the new second moment.
    Adafactor {
        /// x in t^−x.
        decay_exponent: f64,
    },
}

impl Rule {
    /// Inputs of `apply` for update `t`, counted from 1.
    fn inputs(self, t: u64) -> Vec<(&'static str, f64)> {
        match self {
            Self::AdamW { beta1, beta2 } => {
                // Past this many updates both powers are 0 in f64.
                let power = |beta: f64| beta.powi(t.min(i32::MAX as u64) as i32);
                vec![
                    ("bias_correction1", 1.0 - power(beta1)),
                    ("bias_correction2", 1.0 - power(beta2)),
                ]
            }
            Self::Adafactor { decay_exponent } => {
                vec![("second_share", (t.max(1) as f64).powf(-decay_exponent))]
            }
        }
    }
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepOutcome {
    /// Σ w·CE / Σ w.
    pub loss: f64,
    /// Σ w·(log Σ exp)² / Σ w, without its weight.
    pub z_loss: f64,
    /// Learning rate.
    pub lr: f64,
    /// Global gradient norm before clipping.
    pub gradient_norm: f64,
    /// A loss or the norm was not finite; parameters and moments are as before.
    pub skipped: bool,
    /// What the experts did, where there are any.
    pub experts: Option<ExpertRecord>,
}

impl Optimizer {
    /// Runs step `step` of the schedule as update `update` of the moments (both counted
    /// from 1; they differ once a step was skipped).
    ///
    /// # Errors
    /// A step without a single weighted position, or a program that fails.
    pub fn step<E: Engine + ?Sized>(
        &self,
        engine: &mut E,
        step: u64,
        update: u64,
        batches: &[Batch],
    ) -> Result<StepOutcome, RunError> {
        let weights: f64 = batches.iter().map(Batch::weight_sum).sum();
        if !(weights.is_finite() && weights > 0.0) {
            return Err(RunError::Data(format!(
                "the batch of step {step} has no text to learn from"
            )));
        }
        engine.zero_gradients()?;
        let inputs = engine.inputs("accumulate").unwrap_or_default();
        // Without logits there is no z-loss.
        let has_logits = inputs.iter().any(|name| name == "z_weight");
        if has_logits {
            engine.write_scalar("z_weight", self.z_loss as f32)?;
        }
        let has_experts = self.experts.begin(engine, batches.len())?;
        let mut outcome = StepOutcome {
            lr: self.schedule.lr(step),
            experts: has_experts.then(ExpertRecord::default),
            ..StepOutcome::default()
        };
        let mut ahead = batches.iter();
        let mut write_next = |engine: &mut E| match ahead.next() {
            Some(batch) => write_batch(engine, "accumulate", batch, weights),
            None => Ok(()),
        };
        write_next(engine)?;
        for _ in batches {
            engine.run("accumulate")?;
            // Before anything waits for results: a GPU takes these in while it computes.
            write_next(engine)?;
            outcome.loss += f64::from(engine.read_scalar("loss")?);
            if has_logits {
                outcome.z_loss += f64::from(engine.read_scalar("z_loss")?);
            }
            if let Some(experts) = &mut outcome.experts {
                experts.add(engine)?;
            }
        }
        let mut balance = 0.0;
        if let Some(experts) = &mut outcome.experts {
            experts.finish(batches.len());
            balance = self.experts.of(experts);
        }
        engine.run("gradient_norm")?;
        let squared = f64::from(engine.read_scalar("gradient_norm_squared")?);
        outcome.gradient_norm = squared.sqrt();
        let objective = outcome.loss + self.z_loss * outcome.z_loss + balance;
        outcome.skipped = !(objective.is_finite() && outcome.gradient_norm.is_finite());
        if !outcome.skipped {
            self.apply(engine, step, update, outcome.gradient_norm)?;
        }
        Ok(outcome)
    }

    /// Inputs of `apply` in step `step` as update `update`, for gradients whose norm is `norm`.
    pub fn inputs(&self, step: u64, update: u64, norm: f64) -> Vec<(&'static str, f64)> {
        let scale = match self.clip_norm > 0.0 {
            true => (self.clip_norm / (norm + 1e-6)).min(1.0),
            false => 1.0,
        };
        let decay = self
            .decay_convention
            .factor(&self.schedule, self.weight_decay, step);
        let common = [
            ("lr", self.schedule.lr(step)),
            ("gradient_scale", scale),
            ("decay", decay),
        ];
        let own = self.rule.inputs(update);
        common.into_iter().chain(own).collect()
    }

    /// Changes the parameters by the gradients that there are; as [`Optimizer::inputs`].
    ///
    /// # Errors
    /// A program that fails.
    pub fn apply<E: Engine + ?Sized>(
        &self,
        engine: &mut E,
        step: u64,
        update: u64,
        norm: f64,
    ) -> Result<(), RunError> {
        for (name, value) in self.inputs(step, update, norm) {
            engine.write_scalar(name, value as f32)?;
        }
        engine.run("apply")
    }
}

/// Writes the inputs of `accumulate` or `evaluate`; `weights` is what the weights are
/// divided by.
///
/// # Errors
/// Where the batch exceeds the bounds of the package.
pub fn write_batch<E: Engine + ?Sized>(
    engine: &mut E,
    program: &str,
    batch: &Batch,
    weights: f64,
) -> Result<(), RunError> {
    engine.set_extent("images", batch.image_count as u64)?;
    engine.set_extent("loss_rows", batch.loss_rows.len() as u64)?;
    let inputs = engine.inputs(program).unwrap_or_default();
    let has = |name: &str| inputs.iter().any(|input| input == name);
    for (name, values) in [
        ("tokens", &batch.tokens),
        ("image_rows", &batch.image_rows),
        ("positions", &batch.positions),
        ("segment_begin", &batch.segment_begin),
        ("visible_end", &batch.visible_end),
        ("loss_rows", &batch.loss_rows),
        ("loss_targets", &batch.loss_targets),
    ] {
        if has(name) {
            engine.write_i32(name, values)?;
        }
    }
    if has("pixels") {
        engine.write_f32("pixels", &batch.images)?;
    }
    let share: Vec<f32> = batch
        .loss_weights
        .iter()
        .map(|&weight| (f64::from(weight) / weights) as f32)
        .collect();
    engine.write_f32("loss_weights", &share)
}
