//! The commands that tell: explain, schema, completions, man, doctor, golden, and findings as data.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Ran, folder, micro, mm1c, run};

fn command(words: &[&str]) -> Command {
    let mut command = mm1c();
    command.args(words);
    command
}

fn printed(words: &[&str]) -> String {
    run(&mut command(words)).ok().stdout
}

#[test]
fn explain_knows_codes_keys_tables_ops_and_kernels() {
    for (name, words) in [
        ("MM1C0012", ["multiple of the patch size", "squares"]),
        ("mm1c0503", ["MM1C0503", "memory"]),
        ("encoder.resolution", ["1 to 8192", "pixels"]),
        ("heads", ["encoder.heads", "decoder.heads"]),
        ("decoder.moe", ["decoder.moe.experts", "decoder.moe.top_k"]),
        ("connector.hidden", ["only", "c-abstractor"]),
        ("linear", ["component files", "out_width"]),
        ("matmul", ["graphs", "operands"]),
    ] {
        let text = printed(&["explain", name]);
        for word in words {
            assert!(text.contains(word), "{name}: no `{word}` in\n{text}");
        }
    }
    let unknown = |name: &str| run(&mut command(&["explain", name]));
    unknown("encoder.widht").refused(&["nothing is called", "`encoder.width`"]);
    unknown("MM1C0009x").refused(&["nothing is called"]);
    unknown("zebra").refused(&["--model"]);

    let model = micro();
    let model = model.to_str().expect("is UTF-8");
    let summary = printed(&["summary", model, "--json"]);
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    let kernel = &summary["kernels"][0];
    let (name, hash) = (&kernel["name"], &kernel["hash"]);
    for name in [name, hash] {
        let name = name.as_str().expect("a text");
        let text = printed(&["explain", name, "--model", model]);
        assert!(text.contains("called by"), "{text}");
        assert!(text.contains(hash.as_str().expect("a text")), "{text}");
    }
}

#[test]
fn findings_are_data_whose_changes_can_be_made() {
    let folder = folder();
    let file = folder.path().join("wrong.toml");
    let text = fs::read_to_string(micro()).expect("is readable");
    let wrong = text.replace("log_every", "log_evry");
    let wrong = wrong.replace("[train]", "[train]\nfreeze = [\"nothing.*\"]");
    assert_ne!(wrong, text);
    fs::write(&file, &wrong).expect("is writable");
    let path = file.to_str().expect("is UTF-8");
    let check = || -> Vec<Value> {
        let ran = run(&mut command(&["check", path, "--json"]));
        assert!(matches!(ran.status.code(), Some(0 | 2)), "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).expect("JSON")
    };
    let found = check();
    assert_eq!(found.len(), 1, "{found:?}");
    let (place, change) = (&found[0]["place"], &found[0]["change"]);
    assert_eq!(found[0]["code"], "MM1C0002");
    assert_eq!(place["file"], path);
    let at = |name: &str| usize::try_from(change[name].as_u64().expect("a number")).expect("small");
    let range = at("start")..at("end");
    assert_eq!(&wrong[range.clone()], "log_evry");
    let mut right = wrong.clone();
    right.replace_range(range, change["replacement"].as_str().expect("a text"));
    fs::write(&file, &right).expect("is writable");
    // What the compiler finds comes the same way, at the pattern.
    let found = check();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["code"], "MM1C0061");
    assert!(found[0]["place"]["line"].as_u64() > Some(1), "{found:?}");
    fs::write(&file, right.replace("nothing.*", "decoder.*")).expect("is writable");
    assert!(check().is_empty());
}

#[test]
fn editors_shells_and_manuals_are_served() {
    let schema = printed(&["schema"]);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/schema.json");
    assert!(schema == fs::read_to_string(kept).expect("is readable"));
    for (shell, word) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef mm1c"),
        ("fish", "complete -c mm1c"),
    ] {
        let text = printed(&["completions", shell]);
        assert!(text.contains(word), "{shell}: {text}");
        assert!(text.contains("plan-only"), "{shell}");
    }
    let folder = folder();
    let pages = folder.path().join("pages");
    printed(&["man", pages.to_str().expect("is UTF-8")]);
    for page in ["mm1c.1", "mm1c-train.1", "mm1c-golden-check.1"] {
        let text = fs::read_to_string(pages.join(page)).unwrap_or_default();
        assert!(text.contains(".SH NAME"), "{page}: {text}");
    }
}

#[test]
fn a_model_is_drawn() {
    let model = micro();
    let model = model.to_str().expect("is UTF-8");
    let folder = folder();
    let file = folder.path().join("micro.svg");
    printed(&["draw", model, "-o", file.to_str().expect("is UTF-8")]);
    let picture = fs::read_to_string(file).expect("is written");
    for part in [
        "<svg",
        "encoder.blocks",
        "connector.pooled",
        "decoder.blocks",
        "images × 16 × 32",
    ] {
        assert!(picture.contains(part), "no `{part}` in\n{picture}");
    }
    let folded = printed(&["draw", model, "--depth", "1", "--set", "decoder.depth=3"]);
    assert!(
        folded.contains(">decoder<") && !folded.contains("decoder.blocks"),
        "{folded}"
    );
    let explorer = printed(&["draw", model, "--format", "explorer"]);
    let explorer: Value = serde_json::from_str(&explorer).expect("JSON");
    let graphs = explorer["graphs"].as_array().expect("a list");
    assert!(
        graphs.iter().any(|graph| graph["id"] == "prefill"),
        "{graphs:?}"
    );
    let nodes = graphs[0]["nodes"].as_array().expect("a list");
    assert!(
        nodes
            .iter()
            .any(|node| node["namespace"] == "encoder/blocks/0")
    );
    run(&mut command(&["draw", model, "--program", "trian"])).refused(&["no program `trian`"]);
}

#[test]
fn doctor_tries_the_targets() {
    let report: Value = serde_json::from_str(&printed(&["doctor", "--json"])).expect("JSON");
    assert_eq!(report["works"], true);
    assert_eq!(report["cache"], Value::Null, "the cache is off here");
    let targets = report["targets"].as_array().expect("a list");
    assert!(targets.len() >= 6, "{targets:?}");
    let one = |target: &Value| target["works"] == true && target["code"] == "cranelift";
    assert!(targets.iter().any(one), "{targets:?}");
    for target in targets {
        assert!(
            target["works"] == true || target["why"].is_string(),
            "{target}"
        );
    }
    let text = printed(&["doctor"]);
    for word in [
        "processor",
        "threads",
        "ptxas",
        "cpu:x86-64-v3",
        "cuda:sm_90a",
    ] {
        assert!(text.contains(word), "no `{word}` in\n{text}");
    }
}

#[test]
fn golden_texts_notice_what_changes() {
    let folder = folder();
    let models = folder.path();
    let golden = |action: &str| -> Ran {
        run(&mut command(&[
            "golden",
            action,
            models.to_str().expect("is UTF-8"),
        ]))
    };
    golden("check").refused(&["no graph files"]);
    fs::copy(micro(), models.join("base.toml")).expect("is writable");
    fs::create_dir(models.join("more")).expect("is writable");
    fs::write(models.join("mm1c.toml"), "").expect("is writable");
    let overlay = models.join("more/two.toml");
    fs::write(
        &overlay,
        "extends = \"../base.toml\"\n[decoder]\ndepth = 2\n",
    )
    .expect("is writable");
    fs::write(models.join("more/wrong.toml"), "nmae = \"x\"\n").expect("is writable");
    assert_eq!(golden("check").status.code(), Some(1));
    golden("bless").ok().says(&["3 models, 3 texts changed"]);
    golden("check").ok().says(&["3 models are what they were"]);
    let kept = |name: &str| fs::read_to_string(models.join("golden").join(name)).expect("is kept");
    assert!(
        kept("more/two.txt").contains("# kernel "),
        "{}",
        kept("more/two.txt")
    );
    assert!(
        kept("more/wrong.txt").contains("MM1C0002"),
        "{}",
        kept("more/wrong.txt")
    );

    // A parent changes two models; a file comes and another goes.
    let base = fs::read_to_string(models.join("base.toml")).expect("is readable");
    fs::write(models.join("base.toml"), format!("{base}\n[init]\n")).expect("is writable");
    golden("check").ok();
    let changed = base.replace("[train]", "[train]\nz_loss = 0.001");
    fs::write(models.join("base.toml"), changed).expect("is writable");
    let ran = golden("check");
    assert_eq!(ran.status.code(), Some(1), "{}", ran.stdout);
    for words in [
        "base.toml differs",
        "more/two.toml differs",
        "+ z_loss = 0.001",
    ] {
        assert!(ran.stdout.contains(words), "{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("wrong.toml"), "{}", ran.stdout);
    fs::remove_file(&overlay).expect("is removable");
    let ran = golden("check");
    assert!(
        ran.stdout.contains("more/two.toml is gone"),
        "{}",
        ran.stdout
    );
    golden("bless").ok();
    golden("check").ok().says(&["2 models are what they were"]);
}
