//! Losses that are not finite.

use crate::support::{checkpoint, checkpoints, folder, losses, metrics, train, values};

#[test]
fn an_absurd_learning_rate_is_an_error_of_the_file() {
    let folder = folder();
    train(folder.path(), &["train.lr=1e20"]).refused(&["MM1C0004", "`train.lr`"]);
    assert!(checkpoints(folder.path()).is_empty());
}

#[test]
fn a_diverging_run_stops_and_keeps_its_good_checkpoints() {
    let folder = folder();
    let run = folder.path();
    // Decay multiplies each weight by 1 - 10 · 1 at every step.
    let ran = train(
        run,
        &[
            "train.steps=200",
            "train.lr=10",
            "train.weight_decay=1",
            "train.checkpoint_every=1",
            "train.nonfinite_limit=4",
        ],
    );
    ran.refused(&[
        "5 steps in a row",
        "`nonfinite_limit`",
        ".weight`",
        "skipped 4",
    ]);
    let records = metrics(run);
    let first_bad = records.iter().position(|it| it["skipped"] == true);
    let first_bad = first_bad.expect("skipped steps are logged") as u64 + 1;
    assert!((3..60).contains(&first_bad), "{first_bad}");
    // None of the steps that led nowhere has displaced a checkpoint.
    let kept: Vec<u64> = (first_bad - 3..first_bad).collect();
    assert_eq!(checkpoints(run), kept);
    for step in kept {
        for name in ["parameters.safetensors", "optimizer.safetensors"] {
            let values = values(&checkpoint(run, step).join(name));
            assert!(
                values.iter().all(|value| value.is_finite()),
                "{step} {name}"
            );
        }
    }
}

#[test]
fn a_tiny_learning_rate_is_none_of_this() {
    let folder = folder();
    let ran = train(
        folder.path(),
        &["train.lr=1e-10", "train.steps=5", "train.nonfinite_limit=0"],
    );
    ran.ok();
    let losses = losses(folder.path());
    assert!(
        losses.iter().all(|loss| (loss - losses[0]).abs() < 0.1),
        "{losses:?}"
    );
    assert_eq!(checkpoints(folder.path()), [5]);
}
