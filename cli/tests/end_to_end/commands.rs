//! The commands around training.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::pictures::png;
use crate::support::{
    Ran, checkpoint, content, folder, micro, micro_mlp, mm1c, run, train, train_command,
};

fn command(name: &str) -> Command {
    let mut command = mm1c();
    command.arg(name);
    command
}

fn trained(name: &str, directory: &Path) -> Command {
    let mut command = command(name);
    command.arg("--run-dir").arg(directory);
    command.args(["--backend", "cranelift", "--threads", "2"]);
    command
}

fn check(sets: &[&str]) -> Ran {
    let mut command = command("check");
    command.arg(micro());
    sets.iter().for_each(|set| {
        command.args(["--set", set]);
    });
    run(&mut command)
}

#[test]
fn check_says_what_is_wrong() {
    check(&[]).ok().says(&["`micro` is correct"]);
    check(&["connector.image_tokens=5"]).refused(&["error[MM1C0037]", "not a square"]);
    let ran = check(&[
        "decoder.hedas=2",
        "encoder.resolution=17",
        "decoder.width='wide'",
    ]);
    let ran = ran.refused(&["error[MM1C", "`decoder.hedas`", "heads", "3 errors"]);
    assert_eq!(
        ran.stderr.matches("error[MM1C").count(),
        3,
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.is_empty());

    let folder = folder();
    let file = folder.path().join("wrong.toml");
    fs::write(&file, "name = \"wrong\"\n[decoder\nwidth = 1\n").expect("writable");
    run(command("check").arg(&file)).refused(&["error[MM1C", "wrong.toml:2"]);
    run(command("check").arg(folder.path().join("none.toml"))).refused(&["none.toml"]);
    // Training says the same, before it makes a folder.
    let runs = folder.path().join("run");
    train(&runs, &["connector.image_tokens=5"]).refused(&["error[MM1C0037]"]);
    assert!(!runs.exists());
}

#[test]
fn resolve_states_every_key_and_reads_its_own_output() {
    let plain = |model: &Path| {
        run(command("resolve").arg(model).arg("--plain"))
            .ok()
            .stdout
    };
    let once = plain(&micro());
    for line in [
        "norm_epsilon =",
        "bad_sample_budget =",
        "width = 32",
        "kind = \"avg-pool\"",
    ] {
        assert!(once.contains(line), "no `{line}` in\n{once}");
    }
    let folder = folder();
    let file = folder.path().join("again.toml");
    fs::write(&file, &once).expect("writable");
    assert_eq!(plain(&file), once);
    let commented = run(command("resolve").arg(micro_mlp())).ok().stdout;
    assert!(commented.contains("micro-mlp.toml:6"), "{commented}");
    assert!(commented.contains("micro.toml:"), "{commented}");
    assert!(commented.contains("# default"), "{commented}");
}

#[test]
fn diff_names_the_keys_and_tells_by_its_exit_code() {
    let same = run(command("diff").arg(micro()).arg(micro())).ok();
    assert_eq!(same.stdout, "");
    let ran = run(command("diff").arg(micro()).arg(micro_mlp()));
    assert_eq!(ran.status.code(), Some(1), "{}", ran.stderr);
    for line in [
        "~ connector.kind: \"avg-pool\" -> \"mlp\"",
        "+ connector.hidden = 32",
    ] {
        assert!(ran.stdout.contains(line), "{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("decoder.width"), "{}", ran.stdout);
    assert!(
        !ran.stdout.contains("shared, 0 removed, 0 added"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("total: parameters"), "{}", ran.stdout);
    let missing = run(command("diff").arg(micro()).arg("/nowhere.toml"));
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn diff_sums_up_and_says_places_costs_and_data() {
    let text = run(command("diff").arg(micro()).arg(micro_mlp())).stdout;
    let head = text.lines().next().unwrap_or_default();
    for part in [
        "micro-mlp against micro: ",
        " keys differ; ",
        " FLOPs in a step, ",
        "kernels shared; as many sequences seen, ",
    ] {
        assert!(head.contains(part), "{part}\n{head}");
    }
    for part in [
        "micro-mlp.toml:6",
        " -> default",
        "memory: optimizer (MiB)",
        "examples, about",
        "text tokens, about",
        "by the first 8 micro-batches of each",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let mut rate = command("diff");
    rate.arg(micro()).arg(micro()).args(["--json"]);
    let same: Value = serde_json::from_str(&run(&mut rate).ok().stdout).expect("is there");
    assert_eq!(same["keys"], serde_json::json!([]));
    let mut json = command("diff");
    json.arg(micro()).arg(micro_mlp()).arg("--json");
    let found: Value = serde_json::from_str(&run(&mut json).stdout).expect("is there");
    assert_eq!(found["verdict"], head);
    let keys = found["keys"].as_array().expect("is there");
    let kind = keys.iter().find(|it| it["key"] == "connector.kind");
    let from = kind.expect("is there")["right_from"]
        .as_str()
        .expect("is there");
    assert!(from.contains("micro-mlp.toml:"), "{from}");
    for side in ["left", "right"] {
        let seen = &found["data"][side];
        assert_eq!(seen["sequences"], 24 * 8, "{seen}");
        let estimate = &seen["estimate"];
        assert!(
            estimate["examples"].as_u64().expect("is there") > 24 * 8,
            "{seen}"
        );
        let fill = estimate["fill_rate"].as_f64().expect("is there");
        assert!(fill > 0.1 && fill <= 1.0, "{seen}");
    }
}

#[test]
fn a_package_trains_like_its_graph_file() {
    let folder = folder();
    let package = folder.path().join("micro.mm1pkg");
    let mut compile = command("compile");
    compile.arg(micro()).arg("-o").arg(&package);
    run(compile.args(["--backend", "cranelift"]))
        .ok()
        .says(&["kernels", "programs"]);

    let (from_file, from_package) = (folder.path().join("a"), folder.path().join("b"));
    let sets = ["train.steps=4"];
    train(&from_file, &sets).ok();
    let mut command = train_command(&micro(), &from_package, &sets);
    run(command.arg("--package").arg(&package)).ok();
    assert!(content(&checkpoint(&from_file, 4)) == content(&checkpoint(&from_package, 4)));

    // A package of other sizes, a damaged one, and one that is none.
    let mut other = train_command(
        &micro(),
        &folder.path().join("c"),
        &["decoder.max_sequence_length=48"],
    );
    run(other.arg("--package").arg(&package)).refused(&["another model", "max_sequence_length"]);
    let whole = fs::read(&package).expect("a package");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&whole[..whole.len() / 2], &flipped, b"no package", b""] {
        fs::write(&package, damaged).expect("writable");
        let mut command = train_command(&micro(), &folder.path().join("d"), &sets);
        run(command.arg("--package").arg(&package)).refused(&["micro.mm1pkg"]);
    }
}

#[test]
fn a_trained_model_is_evaluated_and_answers() {
    let folder = folder();
    let path = folder.path();
    train(path, &["train.steps=60"]).ok();

    let ran = run(trained("eval", path).args(["--json", "--examples", "6"])).ok();
    let out: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&out["model"], &out["step"]), (&"micro".into(), &60.into()));
    let answers = out["answers"].as_array().expect("a list");
    assert_eq!(answers.len(), 6);
    let reference = answers[0]["reference"].as_str().expect("words");
    assert!(reference.split(' ').count() >= 3, "{reference}");
    let loss = out["results"]["captions.loss"].as_f64().expect("a loss");
    assert!((1.0..5.0).contains(&loss), "{loss}");
    assert!(out["results"]["captions.colour.blind"].is_number());
    let again = run(trained("eval", path).args(["--json", "--examples", "6"])).ok();
    assert_eq!(again.stdout, ran.stdout);
    let table = run(trained("eval", path).args(["--no-blind", "--examples", "3"])).ok();
    assert!(table.stdout.contains("majority"), "{}", table.stdout);

    let picture = path.join("picture.png");
    fs::write(&picture, png(3)).expect("writable");
    let prompt = format!("<image:{}>", picture.display());
    let mut generate = trained("generate", path);
    generate.args(["--tokens", "6", "--prompt", "There", "--prompt", &prompt]);
    let first = run(&mut generate).ok().stdout;
    assert_eq!(first.lines().count(), 2, "one answer each: {first}");
    assert!(first.lines().any(|line| !line.trim().is_empty()), "{first}");
    assert_eq!(run(&mut generate).ok().stdout, first);

    let refused = |prompt: &str, words: &[&str]| {
        run(trained("generate", path).args(["--prompt", prompt])).refused(words);
    };
    refused("<image:/nowhere.png> What?", &["/nowhere.png"]);
    refused(&"so many words ".repeat(60), &["64"]);
    let elsewhere = path.join("empty");
    run(trained("generate", &elsewhere).args(["--prompt", "a"])).refused(&["empty"]);
}

#[test]
fn a_tokenizer_is_made_and_used() {
    let folder = folder();
    let file = folder.path().join("tokens.json");
    let mut make = command("data");
    make.arg("tokenizer").arg(micro()).arg("-o").arg(&file);
    run(make.args(["--vocabulary", "280"])).ok();
    let text = fs::read(&file).expect("a tokenizer");
    assert!(serde_json::from_slice::<Value>(&text).is_ok());
    let set = format!("data.tokenizer='{}'", file.display());
    let path = folder.path().join("run");
    train(&path, &[&set, "train.steps=2"]).ok();
    assert_eq!(fs::read(path.join("tokenizer.json")).ok(), Some(text));
    let small = train(
        &folder.path().join("small"),
        &[&set, "train.steps=2", "decoder.vocabulary=270"],
    );
    small.refused(&["280 entries", "`decoder.vocabulary` is 270"]);
}
