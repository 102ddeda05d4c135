//! Studies: what is refused, and one that is killed, goes on, and tells what an uninterrupted one does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{
    Ran, Running, assert_same, checkpoint, checkpoints, folder, micro, mm1c, records, run,
};

/// Steps of each run of [`STUDY`].
const STEPS: u64 = 24;
const STUDY: &str = r#"
base = "micro.toml"
seeds = [0, 1]
score = "captions.loss"

[set.train]
checkpoint_every = 8
evaluate_every = 8

[[variant]]
name = "slow"
set = { train.lr = 1e-5 }

[[variant]]
name = "one-token"
set = { connector.image_tokens = 1 }
"#;

/// A folder with the micro model and a study over it.
fn site(study: &str) -> tempfile::TempDir {
    let folder = folder();
    fs::copy(micro(), folder.path().join("micro.toml")).expect("a copy");
    fs::write(folder.path().join("study.toml"), study).expect("is writable");
    folder
}

fn ablate(folder: &Path, more: &[&str]) -> Command {
    let mut command = mm1c();
    command.current_dir(folder).args(["ablate", "study.toml"]);
    command.args(["--backend", "cranelift", "--threads", "2"]);
    command.args(more);
    command
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).expect("JSON")
}

/// Results without what depends on the clock.
fn timeless(mut results: Value) -> Value {
    for variant in results["variants"].as_array_mut().expect("variants") {
        for run in variant["runs"].as_array_mut().expect("runs") {
            assert!(run["seconds"].take().as_f64() >= Some(0.0));
        }
    }
    results
}

/// A text with the minutes that a plan takes, and those that would be enough, as dots.
fn unmeasured(text: &str) -> String {
    let (before, measured, after) = ("the plan takes ", " minutes on", "`minutes = ");
    let Some((head, rest)) = text.split_once(before) else {
        return text.to_owned();
    };
    let Some((_, rest)) = rest.split_once(measured) else {
        return text.to_owned();
    };
    let (middle, rest) = rest.split_once(after).expect("what would be enough");
    let (_, end) = rest.split_once('`').expect("its end");
    format!("{head}{before}…{measured}{middle}{after}…`{end}")
}

#[test]
fn wrong_studies_are_refused_before_anything_runs() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/refused");
    let entries = fs::read_dir(&cases).expect("a folder");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect();
    files.sort();
    assert!(files.len() > 20, "{files:?}");
    let runs = folder();
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().expect("a name").to_str().expect("UTF-8");
        let mut command = mm1c();
        command.current_dir(&cases).args(["ablate", name]);
        command.args(["--backend", "cranelift", "--threads", "1", "--folder"]);
        command.arg(runs.path().join(name));
        let ran = run(&mut command).refused(&["error"]);
        // What comes before the error is progress of a measurement.
        let begin = ran.stderr.find("error").expect("an error");
        let found = unmeasured(&ran.stderr[begin..]);
        assert!(found.contains("MM1C"), "{name}: no code in\n{found}");
        let golden = file.with_extension("txt");
        if std::env::var_os("MM1C_BLESS").is_some() {
            fs::write(&golden, &found).expect("is writable");
        }
        let kept = fs::read_to_string(&golden).unwrap_or_default();
        if kept != found {
            wrong.push(format!("{name}\n--- kept\n{kept}\n--- found\n{found}"));
        }
        let left = fs::read_dir(runs.path().join(name)).into_iter().flatten();
        assert_eq!(left.count(), 0, "{name} left runs behind");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_killed_study_goes_on_and_equals_an_uninterrupted_one() {
    let whole = site(STUDY);
    let expected = run(&mut ablate(whole.path(), &["--json"])).ok();
    let expected = timeless(json(&expected));

    let killed = site(STUDY);
    let runs = killed.path().join("runs/study");
    let second = runs.join("base-seed1");
    let mut process = Running::start(&mut ablate(killed.path(), &[]));
    process.wait_for(|| checkpoints(&second).contains(&8));
    process.signal("KILL");
    let _ = process.end();
    assert!(checkpoint(&runs.join("base-seed0"), STEPS).exists());
    assert!(!runs.join("one-token-seed1").exists(), "killed too late");
    let again = run(&mut ablate(killed.path(), &["--json"])).ok();
    again
        .stderr
        .find("going on after step")
        .expect("a resumption");
    let again = timeless(json(&again));
    assert_eq!(again, expected);
    for run in ["base", "slow", "one-token"] {
        for seed in 0..2 {
            let name = format!("runs/study/{run}-seed{seed}");
            let [left, right] = [&whole, &killed].map(|it| it.path().join(&name));
            assert_same(&checkpoint(&left, STEPS), &checkpoint(&right, STEPS));
            assert_eq!(records(&left), records(&right), "{name}");
        }
    }

    // The table and the page say what the runs do.
    let variants = again["variants"].as_array().expect("variants");
    let names: Vec<&str> = variants
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    assert_eq!(names, ["base", "slow", "one-token"]);
    let losses = |variant: &Value| -> Vec<f64> {
        let runs = variant["runs"].as_array().expect("runs").iter();
        runs.map(|run| {
            let loss = run["scores"]["captions.loss"].as_f64();
            loss.expect("a loss")
        })
        .collect()
    };
    let (base, slow) = (losses(&variants[0]), losses(&variants[1]));
    let differences: Vec<f64> = slow.iter().zip(&base).map(|(a, b)| a - b).collect();
    let mean = (differences[0] + differences[1]) / 2.0;
    // Of two numbers: half of their distance times the root of two, t with one degree, over that root.
    let half = 12.706_204_736_174_694 * (differences[0] - differences[1]).abs() / 2.0;
    let close = |value: &Value, expected: f64| {
        let value = value.as_f64().expect("a number");
        assert!((value - expected).abs() < 1e-9, "{value} and {expected}");
    };
    close(&variants[1]["difference"]["mean"], mean);
    close(&variants[1]["interval"][0], mean - half);
    close(&variants[1]["interval"][1], mean + half);
    let verdict = match (mean - half > 0.0, mean + half < 0.0) {
        (true, _) => "worse",
        (_, true) => "better",
        _ => "within-noise",
    };
    assert_eq!(variants[1]["verdict"], verdict);
    assert!(mean > 0.0, "almost no learning cannot be better: {mean}");
    let page = fs::read_to_string(runs.join("study.html")).expect("a page");
    for part in [
        "~ train.lr: 0.003 -&gt; 1e-5",
        "~ connector.image_tokens: 4 -&gt; 1",
        "captions.loss, less is better",
        "captions.all, blind",
        verdict.replace('-', " ").as_str(),
        "data:image/png;base64,",
        "<svg",
        "prefers-color-scheme:dark",
        &format!("{:.4}", base[0]),
    ] {
        assert!(page.contains(part), "no `{part}` on the page");
    }
    assert!(!page.contains("<script") && !page.contains("https://"));

    // Finished runs are found by what they are, not by what they are called.
    let renamed = STUDY.replace("\"slow\"", "\"slower\"");
    fs::write(killed.path().join("study.toml"), renamed).expect("is writable");
    let table = run(&mut ablate(killed.path(), &[])).ok();
    assert!(!table.stderr.contains("run 1 of"), "{}", table.stderr);
    table
        .prints("slower")
        .prints("finished as slow-seed1")
        .prints(&format!("{:.4}", base[0]));
    // Another learning rate under a name that is taken is another run.
    let changed = STUDY.replace("1e-5", "1e-4");
    fs::write(killed.path().join("study.toml"), changed).expect("is writable");
    let plan = run(&mut ablate(killed.path(), &["--plan-only"])).ok();
    plan.prints("6 runs of").prints("4 are done");
}

#[test]
fn the_plan_says_what_is_equal_and_what_it_costs() {
    let study = |hold: &str| {
        // What image tokens leave of a sequence is filled with other examples: the same FLOPs.
        let axis = match hold {
            "flops" => "decoder.mlp_width = [16, 64]",
            _ => "connector.image_tokens = [1, 4]",
        };
        format!(
            "base = \"micro.toml\"\nhold = \"{hold}\"\n[grid]\n{axis}\ntrain.lr = [1e-3, 3e-3]\n"
        )
    };
    let plan = |hold: &str| {
        let site = site(&study(hold));
        let found = json(&run(&mut ablate(site.path(), &["--plan-only", "--json"])).ok());
        assert!(!site.path().join("runs").exists(), "a plan runs nothing");
        found
    };
    let of = |plan: &Value, key: &str| -> Vec<f64> {
        let variants = plan["variants"].as_array().expect("variants").iter();
        variants
            .map(|it| it[key].as_f64().expect("a number"))
            .collect()
    };
    let near = |values: &[f64], tolerance: f64| {
        let first = values[0];
        let apart = values.iter().map(|it| (it / first - 1.0).abs());
        assert!(apart.clone().all(|it| it < tolerance), "{values:?}");
    };
    let steps = plan("steps");
    assert_eq!(of(&steps, "steps"), [24.0; 5]);
    assert_eq!(steps["variants"][1]["name"], "1-0.001");
    let flops = plan("flops");
    assert!(of(&flops, "steps")[1] > 24.0, "a narrower layer costs less");
    near(&of(&flops, "flops"), 0.03);
    for (hold, key) in [("examples", "examples"), ("text-tokens", "text_tokens")] {
        let plan = plan(hold);
        assert!(of(&plan, "steps")[1] < 24.0, "more fit a sequence");
        near(&of(&plan, key), 0.03);
    }
}
