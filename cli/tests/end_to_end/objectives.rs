//! Encoders under objectives of their own: what a run says of held-out examples.

use std::fs;
use std::path::Path;

use crate::support::{checkpoint, folder, metrics, mm1c, run, train_command};

/// Held-out losses of a run, in order of steps.
fn held_out(run: &Path) -> Vec<f64> {
    let records = metrics(run).into_iter();
    let losses = records.filter_map(|record| record["evaluation"]["captions.loss"].as_f64());
    losses.collect()
}

/// Trains with evaluations; the first is after one step at no rate, so of the initial weights.
fn evaluated(name: &str) -> Vec<f64> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/objectives");
    let model = models.join(name);
    let folder = folder();
    let path = folder.path();
    let untrained = [
        "train.steps=1",
        "train.lr=0.0",
        "train.warmup_steps=0",
        "train.weight_decay=0.0",
    ];
    run(&mut train_command(
        &model,
        &path.join("untrained"),
        &untrained,
    ))
    .ok();
    let trained = path.join("trained");
    let sets = ["train.steps=60", "train.evaluate_every=20"];
    let ran = run(&mut train_command(&model, &trained, &sets)).ok();
    assert!(ran.stdout.contains("captions: loss"), "{}", ran.stdout);
    ran.says(&["step 20 held out:  captions.loss"]);
    let losses = [held_out(&path.join("untrained")), held_out(&trained)].concat();
    assert_eq!(losses.len(), 4, "{losses:?}");
    let page = fs::read_to_string(trained.join("report.html")).expect("a report");
    let last = format!("{:.4}", losses[3]);
    for words in ["Held-out results", "captions: loss", &last] {
        assert!(page.contains(words), "no {words} in the report");
    }
    // The same from the checkpoint, by itself.
    let mut eval = mm1c();
    eval.arg("eval").arg(&model).arg("--json");
    eval.arg("--run-dir").arg(&trained);
    eval.arg("--checkpoint").arg(checkpoint(&trained, 60));
    eval.args(["--backend", "cranelift"]);
    let ran = run(&mut eval).ok();
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(said["results"]["captions.loss"].as_f64(), Some(losses[3]));
    losses
}

#[test]
fn a_contrastive_run_has_a_held_out_loss() {
    let losses = evaluated("tiny-contrastive.toml");
    // One of eight texts.
    assert!((losses[0] - 8.0f64.ln()).abs() < 0.5, "{losses:?}");
    assert!(losses[3] < 0.9 * losses[0], "{losses:?}");
}

#[test]
fn a_reconstruction_run_has_a_held_out_loss() {
    let losses = evaluated("tiny-reconstruction.toml");
    // Targets of variance 1, and a head that says almost nothing.
    assert!((losses[0] - 1.0).abs() < 0.1, "{losses:?}");
    assert!(losses[3] < 0.9 * losses[0], "{losses:?}");
}
