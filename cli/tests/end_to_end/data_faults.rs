//! Broken pictures and shards: counted, reported, skipped within the budget, refused past it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::pictures::{jpeg, png, put, tar, truncated_jpeg};
use crate::support::{
    Ran, assert_same, checkpoint, checkpoints, folder, metrics, micro, run, steps, train_command,
};

const WORDS: [&str; 4] = ["a red barn", "two green ships", "a blue door", "some trees"];

/// A graph file with one source, `data` beside it, in place of the generated ones.
fn model(folder: &Path, kind: &str) -> PathBuf {
    let file = folder.join("model.toml");
    let text = fs::read_to_string(micro()).expect("the micro model");
    let (head, rest) = text.split_once("[data.sources.captions]").expect("sources");
    let (_, tail) = rest.split_once("[train]").expect("training");
    let source = format!("kind = \"{kind}\"\npath = \"data\"\ntask = \"caption\"\nweight = 1.0\n");
    let text = format!("{head}[data.sources.photos]\n{source}\n[train]{tail}");
    fs::write(&file, text).expect("writable");
    file
}

struct Case {
    folder: TempDir,
    model: PathBuf,
}

impl Case {
    fn new(kind: &str, fill: impl FnOnce(&Path)) -> Self {
        let folder = folder();
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a new folder");
        fill(&data);
        let model = model(folder.path(), kind);
        Self { folder, model }
    }

    fn run_dir(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn train(&self, name: &str, budget: f64, more: &[&str]) -> Ran {
        let budget = format!("data.bad_sample_budget={budget}");
        let mut sets = vec![
            &*budget,
            "train.steps=6",
            "train.warmup_steps=0",
            "train.checkpoint_every=2",
        ];
        sets.extend(more);
        run(&mut train_command(&self.model, &self.run_dir(name), &sets))
    }

    /// Unusable samples met by the last step.
    fn met(&self, name: &str) -> u64 {
        let records = steps(&self.run_dir(name));
        let last = records.last().expect("a step");
        last["bad_samples"].as_u64().expect("a count")
    }
}

/// Twenty pictures, four of which cannot be used for four reasons.
fn pictures(data: &Path) {
    for n in 0..16 {
        let stem = format!("good{n:02}");
        let words = WORDS[n % 4];
        match n % 2 {
            0 => put(data, &stem, "png", &png(n as u8), words),
            _ => put(data, &stem, "jpg", &jpeg(), words),
        }
    }
    put(data, "short", "jpg", &truncated_jpeg(), "cut off");
    put(data, "noise", "png", b"no picture at all", "noise");
    put(data, "empty", "jpeg", b"", "nothing");
    put(data, "gone", "png", b"", "a link to nowhere");
    fs::remove_file(data.join("gone.png")).expect("a file");
    std::os::unix::fs::symlink("/nowhere/at/all.png", data.join("gone.png")).expect("a link");
}

#[test]
fn bad_pictures_are_counted_and_skipped_within_the_budget() {
    let case = Case::new("image-folder", pictures);
    case.train("run", 0.25, &[]).ok();
    let met = case.met("run");
    let run = case.run_dir("run");
    let epochs = steps(&run).pop().expect("a step")["epochs"]["photos"].as_f64();
    let epochs = epochs.expect("epochs");
    // Four per epoch; the last one may not have come to all of its own.
    assert!(epochs > 2.0, "{epochs}");
    let whole = epochs.floor() as u64;
    assert!(
        (4 * whole..=4 * (whole + 1)).contains(&met),
        "{met} in {epochs}"
    );
    let page = fs::read_to_string(run.join("report.html")).expect("a report");
    let row = page.split("unreadable samples").nth(1).expect("a row");
    let row = row.split("</tr>").next().expect("its end");
    assert!(row.contains(&format!(">{met}<")), "{row}");

    // Skipping is part of the order of the data: a resumed run skips the same ones.
    let other = case.run_dir("other");
    crate::support::copy(&run, &other);
    for step in [4, 6] {
        fs::remove_dir_all(checkpoint(&other, step)).expect("a checkpoint");
    }
    let ran = case.train("other", 0.25, &[]).ok();
    ran.says(&["going on after step 2\n"]);
    assert_same(&checkpoint(&run, 6), &checkpoint(&other, 6));
    assert_eq!(steps(&run), steps(&other));
}

#[test]
fn past_the_budget_the_run_ends_with_a_reason() {
    let case = Case::new("image-folder", pictures);
    let ran = case.train("run", 0.1, &[]);
    ran.refused(&[
        "source `photos`",
        "of 20",
        "`bad_sample_budget = 0.1` allows 2",
        "data/",
    ]);
    let none = case.train("none", 0.0, &[]);
    none.refused(&["1 of 20", "`bad_sample_budget = 0` allows 0"]);
    // Nothing was usable at all.
    let case = Case::new("image-folder", |data| {
        put(data, "a", "png", b"noise", "one");
        put(data, "b", "jpg", &truncated_jpeg(), "two");
    });
    case.train("run", 1.0, &[])
        .refused(&["source `photos`", "no usable sample"]);
    assert!(checkpoints(&case.run_dir("run")).is_empty());
}

#[test]
fn a_folder_without_pictures_is_an_error() {
    let case = Case::new("image-folder", |_| {});
    case.train("run", 1.0, &[])
        .refused(&["no captioned picture"]);
    fs::remove_dir(case.folder.path().join("data")).expect("an empty folder");
    case.train("run", 1.0, &[]).refused(&["data"]);
}

fn shard(from: usize) -> Vec<u8> {
    let entries: Vec<_> = (from..from + 8)
        .flat_map(|n| {
            let words = WORDS[n % 4].as_bytes().to_vec();
            [
                (format!("{n:04}.png"), png(n as u8)),
                (format!("{n:04}.txt"), words),
            ]
        })
        .collect();
    tar(&entries)
}

#[test]
fn broken_shards_cost_only_what_is_in_them() {
    let case = Case::new("webdataset", |data| {
        for n in 0..4 {
            fs::write(data.join(format!("{n}.tar")), shard(8 * n)).expect("writable");
        }
        // One is cut off inside a picture, one is noise from its third header on.
        let cut = shard(32);
        fs::write(data.join("4.tar"), &cut[..cut.len() / 2]).expect("writable");
        let mut noise = shard(40);
        let rest = noise[4096..].iter_mut().enumerate();
        rest.for_each(|(i, byte)| *byte = (i * 7919 >> 3) as u8 | 1);
        fs::write(data.join("5.tar"), noise).expect("writable");
        fs::write(data.join("6.tar"), [0xa5; 4000]).expect("writable");
    });
    let ran = case.train("run", 0.6, &[]).ok();
    let ran = ran.says(&[
        "source `photos`",
        "samples cannot be used",
        "4.tar",
        "5.tar",
        "6.tar",
    ]);
    assert!(!ran.stderr.contains("0.tar"), "{}", ran.stderr);
    assert!(checkpoints(&case.run_dir("run")).contains(&6));
    case.train("small", 0.01, &[])
        .refused(&["source `photos`", "`bad_sample_budget = 0.01`"]);
}

#[test]
fn bad_samples_inside_a_whole_shard_are_skipped() {
    let case = Case::new("webdataset", |data| {
        let mut entries = Vec::new();
        for n in 0..12u8 {
            let picture = match n {
                3 => ("jpg", truncated_jpeg()),
                7 => ("png", b"noise".to_vec()),
                _ => ("png", png(n)),
            };
            let words = match n {
                9 => vec![0xff, 0xfe],
                _ => WORDS[usize::from(n) % 4].as_bytes().to_vec(),
            };
            entries.push((format!("{n:04}.{}", picture.0), picture.1));
            entries.push((format!("{n:04}.txt"), words));
        }
        fs::write(data.join("a.tar"), tar(&entries)).expect("writable");
    });
    case.train("run", 0.3, &[]).ok();
    assert!(case.met("run") >= 3);
    assert!(!metrics(&case.run_dir("run")).is_empty());
    case.train("small", 0.1, &[]).refused(&["of 12", "a.tar#"]);
}

#[test]
fn held_out_pictures_have_the_same_budget() {
    let case = Case::new("image-folder", pictures);
    let data = case.folder.path().join("data");
    let path = format!("data.sources.photos.evaluation_path='{}'", data.display());
    let sets = [&*path, "train.evaluation_examples=20"];
    case.train("run", 0.25, &sets).ok();
    let page = fs::read_to_string(case.run_dir("run").join("report.html")).expect("a report");
    assert_eq!(page.matches("<figure>").count(), 16);
    case.train("small", 0.1, &sets)
        .refused(&["photos", "data/"]);
}
