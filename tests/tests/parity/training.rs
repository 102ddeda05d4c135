//! Fifty AdamW steps on the batches that PyTorch saw: the losses follow its float64 curve.

use mm1_compiler::build::Purpose;
use mm1_compiler::codegen::Backend;
use mm1_dsl::model::Model;
use mm1_runtime::schedule::{DecayConvention, Schedule};
use mm1_runtime::train::{ExpertLosses, Optimizer, Rule};
use mm1_tests::case::Case;
use mm1_tests::fixture::Fixture;
use mm1_tests::programs::{executor, package};

use crate::per_backend;

const F32: f64 = 1e-4;
const BF16: f64 = 3e-2;

per_backend! {
    f32_losses_follow_float64 => f32_losses_follow,
    bf16_losses_follow_float64 => bf16_losses_follow,
    a_changed_definition_is_seen => a_changed_definition_is_seen,
}

/// The optimizer that a graph file asks for.
pub fn optimizer(model: &Model) -> Optimizer {
    let train = &model.train;
    Optimizer {
        schedule: Schedule {
            peak_lr: train.peak_lr,
            warmup_steps: train.warmup_steps,
            steps: train.steps,
            floor: train.lr_floor,
        },
        rule: match train.optimizer {
            mm1_dsl::model::Optimizer::AdamW { beta1, beta2, .. } => Rule::AdamW { beta1, beta2 },
            mm1_dsl::model::Optimizer::Adafactor(keys) => Rule::Adafactor {
                decay_exponent: keys.decay_exponent,
            },
        },
        weight_decay: train.weight_decay,
        decay_convention: DecayConvention::from_name(&train.weight_decay_convention).unwrap(),
        clip_norm: train.clip_norm,
        z_loss: train.z_loss,
        experts: ExpertLosses::default(),
    }
}

/// Largest difference of a loss and largest relative one of a gradient norm in fifty steps.
fn differences(sets: &[&str], backend: Backend) -> (f64, f64) {
    let case = Case::load("avg-pool", sets);
    let curve = Fixture::load("training");
    let package = package(&case.model, Purpose::All, backend);
    let mut executor = executor(package, &case.fixture, 2);
    let optimizer = optimizer(&case.model);
    let batches: Vec<_> = (0..4).map(|i| curve.batch(&format!("{i}/"))).collect();
    let (losses, norms) = (curve.get("loss_float64"), curve.get("gradient_norm"));
    assert_eq!(losses.data.len(), 50);
    assert!(losses.data[49] < losses.data[0]);
    let (mut worst, mut worst_norm) = (0.0f64, 0.0f64);
    for (index, (loss, norm)) in losses.data.iter().zip(&norms.data).enumerate() {
        let step = index as u64 + 1;
        let batch = std::slice::from_ref(&batches[index % 4]);
        let outcome = optimizer.step(&mut executor, step, step, batch).unwrap();
        assert!(!outcome.skipped, "step {step} is not finite");
        worst = worst.max((outcome.loss - loss).abs());
        worst_norm = worst_norm.max((outcome.gradient_norm / norm - 1.0).abs());
    }
    (worst, worst_norm)
}

fn f32_losses_follow(backend: Backend) {
    let (loss, norm) = differences(&[], backend);
    println!("loss {loss:.1e}, gradient norm {norm:.1e}");
    assert!(loss <= F32, "a loss is off by {loss:e}");
    assert!(norm <= 1e-3, "a gradient norm is off by {norm:e}");
}

fn bf16_losses_follow(backend: Backend) {
    let (loss, norm) = differences(&["train.precision=\"bf16\""], backend);
    println!("loss {loss:.1e}, gradient norm {norm:.1e}");
    assert!(loss <= BF16, "a loss is off by {loss:e}");
}

fn a_changed_definition_is_seen(backend: Backend) {
    for change in [
        "encoder.norm_epsilon=1e-6",
        "decoder.activation=\"gelu\"",
        "train.beta2=0.94",
        "train.weight_decay=0.05",
    ] {
        let (loss, _) = differences(&[change], backend);
        println!("{change} moves a loss by {loss:.1e}");
        assert!(loss > F32, "{change} would pass, {loss:e}");
    }
    let (loss, _) = differences(
        &["train.precision=\"bf16\"", "decoder.activation=\"gelu\""],
        backend,
    );
    println!("bf16: {loss:.1e}");
    assert!(loss > BF16, "bf16: an activation would pass, {loss:e}");
}
