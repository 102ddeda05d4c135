//! Losses of a mixture of experts in a step, and what its layers report.

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, EngineExt, RunError};

/// Weights of the losses that keep experts in use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ExpertLosses {
    /// Of the load-balance loss.
    pub load_balance: f64,
    /// Of the mean squared log-sum-exp of the routers' logits.
    pub router_z: f64,
}

/// What the experts did in one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExpertRecord {
    /// Load-balance loss, mean over micro-batches, without its weight.
    pub load_balance: f64,
    /// Router z-loss likewise.
    pub router_z: f64,
    /// Share of choices that found their expert full, of all layers.
    pub dropped: f64,
    /// Share of choices of each expert, layer by layer.
    pub load: Vec<Vec<f64>>,
}

impl ExpertLosses {
    /// Tells `accumulate` what each of so many micro-batches counts; whether it has experts.
    ///
    /// # Errors
    /// A package that does not take a number.
    pub fn begin<E: Engine + ?Sized>(
        self,
        engine: &mut E,
        micro_batches: usize,
    ) -> Result<bool, RunError> {
        let inputs = engine.inputs("accumulate").unwrap_or_default();
        let has_experts = inputs.iter().any(|name| name == "load_balance_weight");
        if has_experts {
            let share = 1.0 / micro_batches.max(1) as f64;
            let (balance, z) = (self.load_balance * share, self.router_z * share);
            engine.write_scalar("load_balance_weight", balance as f32)?;
            engine.write_scalar("router_z_weight", z as f32)?;
        }
        Ok(has_experts)
    }

    /// What they add to the objective.
    pub fn of(self, record: &ExpertRecord) -> f64 {
        self.load_balance * record.load_balance + self.router_z * record.router_z
    }
}

impl ExpertRecord {
    /// Adds what the last micro-batch reported: sums until [`ExpertRecord::finish`].
    ///
    /// # Errors
    /// A package that does not report it.
    pub fn add<E: Engine + ?Sized>(&mut self, engine: &E) -> Result<(), RunError> {
        self.load_balance += f64::from(engine.read_scalar("load_balance")?);
        self.router_z += f64::from(engine.read_scalar("router_z")?);
        let dropped = engine.read_f32("dropped")?;
        self.dropped += dropped.iter().map(|x| f64::from(*x)).sum::<f64>();
        let load = engine.read_f32("expert_load")?;
        let experts = (load.len() / dropped.len().max(1)).max(1);
        let layers: Vec<&[f32]> = load.chunks(experts).collect();
        self.load.resize(layers.len(), vec![0.0; experts]);
        for (sums, counts) in self.load.iter_mut().zip(layers) {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += f64::from(*count);
            }
        }
        Ok(())
    }

    /// Sums as means and shares.
    pub fn finish(&mut self, micro_batches: usize) {
        let share = 1.0 / micro_batches.max(1) as f64;
        self.load_balance *= share;
        self.router_z *= share;
        let all: f64 = self.load.iter().flatten().sum();
        self.dropped /= all.max(1.0);
        for layer in &mut self.load {
            let all: f64 = layer.iter().sum();
            layer.iter_mut().for_each(|count| *count /= all.max(1.0));
        }
    }
}
