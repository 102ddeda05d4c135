//! The learning-rate schedule: linear warm-up from 0, then a cosine to a floor.
//!
//! Updates are counted from 1, so the first update already moves: update `t ≤ warmup` has the
//! share `t / warmup`, the last update has exactly the floor.

use std::f64::consts::PI;

/// Warm-up and cosine over a run of fixed length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Learning rate at the top.
    pub peak_lr: f64,
    /// Updates until the peak; 0 starts at the peak.
    pub warmup_steps: u64,
    /// Updates in the run.
    pub steps: u64,
    /// Last value as a share of the peak.
    pub floor: f64,
}

impl Schedule {
    /// Share of the peak at update `t`, counted from 1. Past the end it stays at the floor.
    pub fn share(&self, t: u64) -> f64 {
        if t < self.warmup_steps {
            return t as f64 / self.warmup_steps as f64;
        }
        if t >= self.steps {
            // Also the case of a run that is all warm-up, whose last update is the peak itself.
            return if self.steps == self.warmup_steps && t == self.steps {
                1.0
            } else {
                self.floor
            };
        }
        let progress = (t - self.warmup_steps) as f64 / (self.steps - self.warmup_steps) as f64;
        self.floor + (1.0 - self.floor) * 0.5 * (1.0 + (PI * progress).cos())
    }

    /// Learning rate at update `t`, counted from 1.
    pub fn lr(&self, t: u64) -> f64 {
        self.peak_lr * self.share(t)
    }
}

/// What the factor of decoupled weight decay is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecayConvention {
    /// p −= lr·λ·p, as `torch.optim.AdamW`.
    TimesLr,
    /// p −= s·λ·p with the schedule's share s in [0, 1].
    Independent,
}

impl DecayConvention {
    /// The convention that a graph file calls `times-lr` or `independent`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "times-lr" => Some(Self::TimesLr),
            "independent" => Some(Self::Independent),
            _ => None,
        }
    }

    /// The factor on a decayed parameter at update `t`.
    pub fn factor(self, schedule: &Schedule, decay: f64, t: u64) -> f64 {
        match self {
            Self::TimesLr => schedule.lr(t) * decay,
            Self::Independent => schedule.share(t) * decay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule {
        peak_lr: 2e-3,
        warmup_steps: 10,
        steps: 110,
        floor: 0.1,
    };

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn warms_up_linearly_from_zero() {
        close(SCHEDULE.share(0), 0.0);
        close(SCHEDULE.share(1), 0.1);
        close(SCHEDULE.share(5), 0.5);
        close(SCHEDULE.lr(10), 2e-3);
    }

    #[test]
    fn falls_by_a_cosine_to_the_floor() {
        // A quarter, half and three quarters of the way: 0.1 + 0.45·(1 + cos(π·x)).
        close(SCHEDULE.share(35), 0.55 + 0.45 * 0.5f64.sqrt());
        close(SCHEDULE.share(60), 0.55);
        close(SCHEDULE.share(85), 0.55 - 0.45 * 0.5f64.sqrt());
        close(SCHEDULE.share(110), 0.1);
        close(SCHEDULE.share(200), 0.1);
    }

    #[test]
    fn degenerate_runs_have_finite_shares() {
        let without_warmup = Schedule {
            warmup_steps: 0,
            ..SCHEDULE
        };
        assert!(without_warmup.share(1) > 0.999);
        let all_warmup = Schedule {
            warmup_steps: 10,
            steps: 10,
            ..SCHEDULE
        };
        close(all_warmup.share(10), 1.0);
    }

    #[test]
    fn decay_follows_its_convention() {
        close(
            DecayConvention::TimesLr.factor(&SCHEDULE, 0.1, 5),
            2e-3 * 0.5 * 0.1,
        );
        close(
            DecayConvention::Independent.factor(&SCHEDULE, 2e-4, 5),
            1e-4,
        );
        assert_eq!(DecayConvention::from_name("l2"), None);
    }
}
