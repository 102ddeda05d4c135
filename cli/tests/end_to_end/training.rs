//! A run from its start to its report.

use std::fs;
use std::path::Path;

use crate::support::{
    ADAFACTOR, checkpoint, content, folder, losses, metrics, run, steps, tensors, train,
    train_command, values,
};

#[test]
fn training_lowers_the_loss_and_leaves_its_files() {
    let folder = folder();
    let run = folder.path();
    let ran = train(
        run,
        &[
            "train.steps=60",
            "train.evaluate_every=20",
            "train.checkpoint_every=20",
        ],
    )
    .ok();
    assert!(ran.stdout.contains("captions: colour"), "{}", ran.stdout);
    assert!(ran.stderr.contains("step 60/60"), "{}", ran.stderr);

    let losses = losses(run);
    assert_eq!(losses.len(), 60);
    let (first, last) = (losses[0], losses[59]);
    // 300 entries to choose from, so ln 300 = 5.7 before anything is learnt.
    assert!((5.0..6.5).contains(&first), "{first}");
    assert!(last < 0.75 * first, "{first} -> {last}");

    let evaluations: Vec<_> = metrics(run)
        .into_iter()
        .filter(|record| record.get("evaluation").is_some())
        .collect();
    let at: Vec<_> = evaluations.iter().map(|it| it["step"].as_u64()).collect();
    assert_eq!(at, [Some(20), Some(40), Some(60)]);
    let held_out = |i: usize| evaluations[i]["evaluation"]["captions.loss"].as_f64();
    assert!(held_out(2) < held_out(0), "{evaluations:?}");
    for name in ["colour", "shape", "count"] {
        for kind in ["", ".majority", ".blind"] {
            let share = &evaluations[2]["evaluation"][format!("captions.{name}{kind}")];
            let share = share.as_f64().expect("a score");
            assert!((0.0..=1.0).contains(&share));
        }
    }

    for (step, record) in steps(run).iter().enumerate() {
        assert_eq!(record["step"].as_u64(), Some(step as u64 + 1));
        assert_eq!(record["skipped"].as_bool(), Some(false));
        assert!(record["gradient_norm"].as_f64() > Some(0.0));
        let fill = record["fill_rate"].as_f64().expect("a share");
        assert!((0.3..=1.0).contains(&fill), "{fill}");
    }

    for step in [20, 40, 60] {
        assert_eq!(content(&checkpoint(run, step)).len(), 4);
    }
    let weights = values(&checkpoint(run, 60).join("parameters.safetensors"));
    assert!(weights.len() > 10_000 && weights.iter().all(|it| it.is_finite()));

    let read = |name: &str| fs::read_to_string(run.join(name)).expect(name);
    let resolved = read("config.resolved.toml");
    assert!(resolved.contains("name = \"micro\"") && resolved.contains("steps = 60"));
    let environment = read("env.toml");
    assert!(environment.contains("backend = \"cranelift\""));
    let curve = read("loss.svg");
    assert!(curve.starts_with("<svg") && curve.trim_end().ends_with("</svg>"));
    assert!(
        curve.contains("<poly") || curve.contains("<path"),
        "a curve"
    );
    let page = read("report.html");
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert_eq!(page.matches("<img src=\"data:image/png;base64,").count(), 4);
    for words in [
        "<svg",
        "colour",
        "60 of 60",
        "epochs of documents",
        "[decoder]",
    ] {
        assert!(page.contains(words), "no {words} in the report");
    }
}

#[test]
fn adafactor_lowers_the_loss() {
    // Rates that fit the two sizes of updates.
    for more in [
        ["train.scale_parameter=false", "train.lr=3e-3"],
        ["train.scale_parameter=true", "train.lr=5e-2"],
    ] {
        let folder = folder();
        let sets = [
            &ADAFACTOR[..],
            &more,
            &["train.steps=60", "train.evaluate_every=20"],
        ];
        train(folder.path(), &sets.concat()).ok();
        let losses = losses(folder.path());
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&losses[..5]), mean(&losses[55..]));
        assert!(last < 0.75 * first, "{more:?}: {first} -> {last}");
        let records = metrics(folder.path()).into_iter();
        let held_out: Vec<f64> = records
            .filter_map(|record| record["evaluation"]["captions.loss"].as_f64())
            .collect();
        assert_eq!(held_out.len(), 3);
        assert!(held_out[2] < held_out[0], "{more:?}: {held_out:?}");
    }
}

/// A connector that is a file of the project, trained with everything else and alone.
#[test]
fn a_connector_in_toml_learns() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = model.join("tests/end_to_end/micro-pixel-shuffle.toml");
    let weights = |run: &Path, step| tensors(&checkpoint(run, step).join("parameters.safetensors"));
    // Alone it has to move the loss through a decoder that does not learn: larger weights, a larger rate.
    let alone = [
        "train.freeze=['encoder.*', 'decoder.*', 'head.*']",
        "train.init_std=0.3",
        "train.lr=3e-2",
    ];
    for (more, share) in [(&[][..], 0.75), (&alone[..], 0.95)] {
        let folder = folder();
        let sets = [&["train.steps=60", "train.checkpoint_every=20"][..], more].concat();
        run(&mut train_command(&model, folder.path(), &sets)).ok();
        let losses = losses(folder.path());
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&losses[..5]), mean(&losses[55..]));
        assert!(last < share * first, "{more:?}: {first} -> {last}");
        let (before, after) = (weights(folder.path(), 20), weights(folder.path(), 60));
        let own = before.keys().filter(|name| name.starts_with("connector."));
        let own: Vec<_> = own.collect();
        assert_eq!(own.len(), 6, "{own:?}");
        assert!(own.iter().all(|name| before[*name] != after[*name]));
        let others = before.keys().filter(|name| before[*name] != after[*name]);
        assert_eq!(others.count() == 6, !more.is_empty());
    }
}

#[test]
fn a_finished_run_started_again_only_evaluates() {
    let folder = folder();
    let run = folder.path();
    train(run, &["train.steps=3"]).ok();
    let before = content(&checkpoint(run, 3));
    let records = metrics(run);
    train(run, &["train.steps=3"])
        .ok()
        .says(&["going on after step 3"]);
    assert_eq!(content(&checkpoint(run, 3)), before);
    assert_eq!(metrics(run), records);
}
