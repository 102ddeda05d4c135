//! Training on rows of parquet files and JSON lines, in tiles with marks; held-out documents.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{
    Ran, assert_same, checkpoint, copy, folder, losses, metrics, micro, records, run, steps,
    train_command,
};

/// A graph file with `sources` in place of the generated ones, and the rows' fixtures beside it.
fn model(folder: &Path, sources: &str, more: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/tests/fixtures/rows");
    copy(&fixtures, &folder.join("data"));
    let text = fs::read_to_string(micro()).expect("the micro model");
    let (head, rest) = text.split_once("[data.sources.captions]").expect("sources");
    let (_, tail) = rest.split_once("[train]").expect("training");
    let head = head.replace("max_images = 3", "max_images = 2");
    let head = head.replace("fit = \"squash\"", &format!("fit = \"squash\"\n{more}"));
    let file = folder.join("model.toml");
    fs::write(&file, format!("{head}{sources}\n[train]{tail}")).expect("writable");
    file
}

const SOURCES: &str = "
[data.sources.pairs]
kind = \"parquet\"
path = \"data/pyarrow-snappy.parquet\"
prompt = \"A photo of\"

[data.sources.documents]
kind = \"parquet\"
task = \"interleaved\"
path = \"data/documents-pyarrow.parquet\"
evaluation_path = \"data/documents-polars.parquet\"

[data.sources.lines]
kind = \"json-lines\"
task = \"interleaved\"
path = \"data/documents-pandas.jsonl\"
prompt_column = \"asked\"

[data.sources.texts]
kind = \"parquet\"
task = \"text\"
path = \"data/duckdb-snappy.parquet\"
evaluation_path = \"data/fastparquet-gzip.parquet\"
";

const TILES: &str =
    "tiles = \"grid\"\ntile_grid = 2\noverview = \"last\"\ntile_marks = \"separators\"";

#[test]
fn rows_train_in_tiles_and_resume_exactly() {
    let folder = folder();
    let model = model(folder.path(), SOURCES, TILES);
    let train = |name: &str| -> Ran {
        let sets = [
            "train.steps=8",
            "train.checkpoint_every=1",
            "train.keep_checkpoints=100",
            "train.evaluate_every=4",
        ];
        run(&mut train_command(&model, &folder.path().join(name), &sets))
    };
    train("whole").ok();
    let (whole, part) = (folder.path().join("whole"), folder.path().join("part"));
    let found = steps(&whole);
    let last = found.last().expect("steps");
    for source in ["pairs", "documents", "lines", "texts"] {
        assert!(last["epochs"][source].as_f64() > Some(0.0), "{source}");
    }
    assert_eq!(last["bad_samples"], 0);
    // Five inputs of four tokens with four marks each, or what such pictures are together.
    let images = last["image_tokens"].as_u64().expect("a count");
    assert!(images > 0 && images.is_multiple_of(24), "{images}");
    for at in [3, 6] {
        let _ = fs::remove_dir_all(&part);
        copy(&checkpoint(&whole, at), &checkpoint(&part, at));
        for name in ["metrics.jsonl", "tokenizer.json"] {
            fs::copy(whole.join(name), part.join(name)).expect("a copy");
        }
        train("part")
            .ok()
            .says(&[&format!("going on after step {at}\n")]);
        assert_same(&checkpoint(&whole, 8), &checkpoint(&part, 8));
        assert_eq!(records(&part), records(&whole));
    }
    let evaluations = metrics(&whole);
    let evaluations = evaluations.iter().filter_map(|it| it.get("evaluation"));
    let evaluations: Vec<_> = evaluations.collect();
    assert_eq!(evaluations.len(), 2);
    for evaluation in evaluations {
        for name in ["documents.loss", "texts.loss"] {
            let loss = evaluation[name].as_f64().expect("a loss");
            assert!(loss > 0.5 && loss < 8.0, "{name} {loss}");
        }
        assert_eq!(evaluation.as_object().map(serde_json::Map::len), Some(2));
    }
    let page = fs::read_to_string(whole.join("report.html")).expect("a report");
    for words in ["documents: loss", "held out: documents", "texts: loss"] {
        assert!(page.contains(words), "{words}");
    }
}

/// The same document over and over, and no learning: what is held out has the loss of training.
#[test]
fn held_out_documents_have_the_loss_of_training() {
    let folder = folder();
    let rows = "
[data.sources.documents]
kind = \"json-lines\"
task = \"interleaved\"
path = \"data/same.jsonl\"
evaluation_path = \"data/same.jsonl\"
";
    let model = model(folder.path(), rows, TILES);
    let row = "{\"images\": [null, \"pictures/1.png\"], \"texts\": [\"see\", \"a red barn\"]}\n";
    fs::write(folder.path().join("data/same.jsonl"), row.repeat(30)).expect("writable");
    let directory = folder.path().join("run");
    let sets = ["train.lr=0.0", "train.steps=1"];
    run(&mut train_command(&model, &directory, &sets)).ok();
    let trained = losses(&directory)[0];
    let metrics = metrics(&directory);
    let held_out = metrics
        .iter()
        .find_map(|it| it["evaluation"]["documents.loss"].as_f64());
    let held_out = held_out.expect("a loss");
    assert!((trained - held_out).abs() < 1e-5, "{trained} {held_out}");
}

#[test]
fn broken_rows_are_named_and_counted() {
    let folder = folder();
    let model = model(folder.path(), SOURCES, "");
    let lines = folder.path().join("data/documents-pandas.jsonl");
    let text = fs::read_to_string(&lines).expect("lines");
    let text = text.replacen("document 7", "\\ud800", 1);
    fs::write(
        &lines,
        text + "{\"images\": [\"../../secret.png\"], \"texts\": [\"x\"]}\n",
    )
    .expect("writable");
    let train = |name: &str, budget: f64| {
        let budget = format!("data.bad_sample_budget={budget}");
        let sets = [&*budget, "train.steps=30", "train.evaluation_examples=0"];
        run(&mut train_command(&model, &folder.path().join(name), &sets))
    };
    let ran = train("all", 0.5).ok();
    ran.says(&[
        "documents-pandas.jsonl#8: no JSON",
        "leads out of the folder of its table",
    ]);
    let found = steps(&folder.path().join("all"));
    assert!(found.last().expect("steps")["bad_samples"].as_u64() >= Some(2));
    train("few", 0.0).refused(&["too many unusable samples", "documents-pandas.jsonl#"]);
}
