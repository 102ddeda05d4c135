//! Rows of files that pyarrow, pandas, polars, DuckDB and fastparquet wrote.

use std::path::{Path, PathBuf};

use super::{SHAPE, from_disk, open, source};
use crate::data::rows::{Columns, Rows, Task};
use crate::data::source::{Part, Source};
use crate::data::{DataError, MixtureUnit, Pipeline, probe};

/// Rows in the files that are not `pandas-paths`.
const ROWS: u64 = 50;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/rows")
        .join(name)
}

fn columns(image: &str, text: &str, prompt: &str) -> Columns {
    let given = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    Columns {
        image: given(image),
        text: given(text),
        prompt: given(prompt),
    }
}

fn rows(name: &str, task: Task, columns: &Columns, prompt: &str) -> Result<Rows, DataError> {
    let path = fixture(name).display().to_string();
    match name.ends_with(".jsonl") {
        true => Rows::lines(&path, task, columns, prompt),
        false => Rows::tables(&path, task, columns, prompt),
    }
}

/// The first pixel of a picture, which is that of row `n`.
fn assert_picture(part: &Part, n: u64) {
    let Part::Picture(picture) = part else {
        panic!("{part:?} is no picture");
    };
    assert_eq!((picture.width, picture.height), (8, 8));
    let n = n as u8;
    assert_eq!(picture.rgb[..3], [n, 2 * n, 255 - n]);
}

fn text(text: impl Into<String>) -> Part {
    Part::Text(text.into())
}

#[test]
fn captions_of_five_writers_are_read() {
    let usual = Columns::default();
    let other = columns("jpg", "caption", "");
    for (name, columns, label) in [
        ("pyarrow-snappy.parquet", &usual, true),
        ("pyarrow-zstd-pages2.parquet", &usual, true),
        ("pyarrow-plain.parquet", &usual, true),
        ("pyarrow-required.parquet", &other, false),
        ("fastparquet-gzip.parquet", &usual, false),
        ("polars-zstd.parquet", &usual, false),
        ("duckdb-snappy.parquet", &usual, false),
    ] {
        let rows = rows(name, Task::Caption, columns, "A photo of").expect(name);
        assert_eq!((rows.samples(), rows.lost().0), (ROWS, 0), "{name}");
        // Any order: each row is found by itself.
        for n in (0..ROWS).map(|n| n * 17 % ROWS) {
            let parts = rows.read(n, true).expect(name);
            assert_picture(&parts[0], n);
            let words = [
                Part::Prompt("A photo of".to_owned()),
                text(format!("row {n} é")),
            ];
            assert_eq!(parts[1..], words, "{name}");
            assert_eq!(rows.read(n, false).expect(name), words);
            let named = label.then(|| ["cat", "dog"][(n % 2) as usize].to_owned());
            assert_eq!(rows.label(n), named, "{name}");
        }
        assert_eq!(rows.name(21), format!("{name}#21"));
    }
}

#[test]
fn documents_are_lists_side_by_side() {
    for name in [
        "documents-pyarrow.parquet",
        "documents-pyarrow-pages2.parquet",
        "documents-polars.parquet",
    ] {
        let rows = rows(name, Task::Interleaved, &Columns::default(), "").expect(name);
        assert_eq!(rows.samples(), ROWS);
        for n in (0..ROWS).map(|n| n * 17 % ROWS) {
            let parts = rows.read(n, true).expect(name);
            assert_eq!(parts.len() as u64, 1 + 2 * (n % 3), "{name} {n}");
            assert_eq!(parts[0], text(format!("document {n}")));
            for k in 0..n % 3 {
                assert_picture(&parts[1 + 2 * k as usize], n + k);
                assert_eq!(parts[2 + 2 * k as usize], text(format!("row {} é", n + k)));
            }
        }
    }
    let asked = columns("", "", "asked");
    let rows = rows("documents-pandas.jsonl", Task::Interleaved, &asked, "").expect("opens");
    assert_eq!(rows.samples(), ROWS);
    for n in 0..ROWS {
        let mut parts = rows.read(n, true).expect("reads");
        if n % 2 == 1 {
            assert_picture(&parts.remove(1), n % 6);
        }
        let why = Part::Prompt("why?".to_owned());
        let words = [
            text(format!("document {n}")),
            why,
            text(format!("row {n} é")),
        ];
        assert_eq!(parts, words);
    }
    assert_eq!(rows.name(0), "documents-pandas.jsonl#1");
}

#[test]
fn pictures_are_found_beside_their_table() {
    for name in ["pandas-paths.parquet", "pandas-paths.jsonl"] {
        let rows = rows(name, Task::Caption, &Columns::default(), "").expect(name);
        assert_eq!(rows.samples(), 6);
        for n in 0..6 {
            let parts = rows.read(n, true).expect(name);
            assert_picture(&parts[0], n);
            assert_eq!(parts[1], text(format!("row {n} é")));
        }
    }
    let only = rows("pandas-paths.jsonl", Task::Text, &Columns::default(), "").expect("opens");
    assert_eq!(only.read(3, true).expect("reads"), [text("row 3 é")]);
}

#[test]
fn pictures_outside_the_folder_are_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let inner = folder.path().join("inner");
    std::fs::create_dir_all(inner.join("deep")).expect("creates");
    let png = std::fs::read(fixture("pictures/1.png")).expect("reads");
    for at in ["outside.png", "inner/deep/in.png"] {
        std::fs::write(folder.path().join(at), &png).expect("writes");
    }
    std::os::unix::fs::symlink(folder.path(), inner.join("link")).expect("links");
    std::os::unix::fs::symlink("deep/in.png", inner.join("good.png")).expect("links");
    let absolute = folder.path().join("inner/deep/in.png");
    let absolute = absolute.display().to_string();
    let cases = [
        ("deep/in.png", None),
        ("./deep/in.png", None),
        ("good.png", None),
        ("../outside.png", Some("leads out of the folder")),
        ("deep/../../outside.png", Some("leads out of the folder")),
        ("link/outside.png", Some("leads out of the folder")),
        (absolute.as_str(), Some("leads out of the folder")),
        ("http://example.org/a.png", Some("is an address")),
        ("deep", Some("not a regular file")),
        ("none.png", Some("No such file")),
        ("a\0b", Some("unexpected NUL")),
    ];
    let lines =
        cases.map(|(image, _)| serde_json::json!({"image": image, "text": "x"}).to_string() + "\n");
    let path = inner.join("a.jsonl");
    std::fs::write(&path, lines.concat()).expect("writes");
    let path = path.display().to_string();
    let rows = Rows::lines(&path, Task::Caption, &Columns::default(), "").expect("opens");
    for (n, (image, why)) in cases.iter().enumerate() {
        let found = rows.read(n as u64, true);
        match why {
            None => assert_picture(&found.expect(image)[0], 1),
            Some(why) => {
                let fault = found.expect_err(image);
                assert!(fault.why.contains(why), "{fault}");
                assert!(fault.place.ends_with(&format!("a.jsonl#{}", n + 1)));
            }
        }
    }
}

#[test]
fn wrong_rows_and_columns_are_named() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.jsonl");
    let lines = [
        "",
        r#"{"image": null, "text": "x"}"#,
        r#"{"image": ["a.png", "b.png"], "text": "x"}"#,
        r#"{"image": "a.png"}"#,
        r#"{"image": "a.png", "text": 3}"#,
        r#"{"image": 3, "text": "x"}"#,
        "   ",
        r#"{"image": "a.png", "text": ["x", "y"]}"#,
        "[1]",
        r#"{"image": "a.png", "te"#,
    ];
    std::fs::write(&path, lines.join("\n")).expect("writes");
    let text = path.display().to_string();
    let rows = Rows::lines(&text, Task::Caption, &Columns::default(), "").expect("opens");
    let whys = [
        (2, "0 pictures and 1 texts"),
        (3, "2 pictures and 1 texts"),
        (4, "no `text`"),
        (5, "`text` holds something that is no text"),
        (6, "`image` holds something that is no path"),
        (8, "1 pictures and 2 texts"),
        (9, "no JSON object"),
        (10, "no JSON"),
    ];
    assert_eq!(rows.samples(), whys.len() as u64);
    for (n, (line, why)) in whys.iter().enumerate() {
        let fault = rows.read(n as u64, true).expect_err(why);
        assert!(fault.why.contains(why), "{fault}");
        assert!(fault.place.ends_with(&format!("a.jsonl#{line}")), "{fault}");
    }
    let open = |name: &str, columns: &Columns| {
        super::rows::rows(name, Task::Caption, columns, "")
            .expect_err("no such column")
            .to_string()
    };
    let error = open("pyarrow-required.parquet", &Columns::default());
    let known =
        "no column of texts or bytes `image` (`image_column`); it has `jpg`, `caption`, `id`";
    assert!(error.contains(known), "{error}");
    let error = open("pyarrow-required.parquet", &columns("jpg", "id", ""));
    assert!(error.contains("`id` (`text_column`)"), "{error}");
    // A packing that is not read is a fault of the row, by name.
    let packed = super::rows::rows("pyarrow-lz4.parquet", Task::Text, &Columns::default(), "");
    let fault = packed.expect("opens").read(0, true).expect_err("lz4");
    assert!(
        fault.why.contains("write snappy, zstd, gzip or none"),
        "{fault}"
    );
}

/// Tables with damaged bytes among good ones: counted, named, passed over; resumed in the middle.
#[test]
fn damaged_tables_are_skipped_within_the_budget() {
    let folder = tempfile::tempdir().expect("folder");
    let bytes = std::fs::read(fixture("pyarrow-plain.parquet")).expect("reads");
    for name in ["a", "b"] {
        std::fs::write(folder.path().join(format!("{name}.parquet")), &bytes).expect("writes");
    }
    // One of the second file's texts is no UTF-8 any more.
    let mut damaged = bytes.clone();
    let needle = "row 33 é".as_bytes();
    let at = damaged
        .windows(needle.len())
        .rposition(|it| it == needle)
        .expect("plain");
    damaged[at..at + 3].fill(0xff);
    std::fs::write(folder.path().join("b.parquet"), &damaged).expect("writes");
    let config = |budget| from_disk("parquet", folder.path(), budget);
    let pipeline = open(config(0.05), SHAPE);
    let (mut seen, mut faults, mut cursors) = (Vec::new(), Vec::new(), vec![pipeline.start()]);
    while seen.len() < 99 {
        let last = cursors.last().expect("begins with one");
        let (batch, after) = pipeline.batch(last).expect("within the budget");
        seen.extend(batch.examples.iter().map(|example| example.1));
        faults.extend(batch.faults);
        cursors.push(after);
    }
    seen.truncate(99);
    seen.sort_unstable();
    assert!(seen.into_iter().eq((0..100).filter(|n| *n != 83)));
    assert!(faults[0].place.ends_with("b.parquet#33"), "{}", faults[0]);
    assert!(faults[0].why.contains("not UTF-8"), "{}", faults[0]);
    // From any cursor, opened anew, the same batch.
    for cursor in &cursors[1..] {
        let stored = serde_json::to_string(cursor).expect("JSON");
        let stored = serde_json::from_str(&stored).expect("JSON");
        let again = open(config(0.05), SHAPE).batch(&stored).expect("reads");
        assert_eq!(again, pipeline.batch(cursor).expect("reads"));
    }
    // A file without its end is lost as a whole.
    std::fs::write(folder.path().join("b.parquet"), &bytes[..bytes.len() - 9]).expect("writes");
    let open = |budget| Pipeline::open(config(budget), SHAPE, super::tokenizer());
    let error = open(0.3).expect_err("over the budget").to_string();
    assert!(error.contains("lacks its end"), "{error}");
    let pipeline = open(0.6).expect("within the budget");
    assert!(
        (45..=55).contains(&pipeline.lost()[0].1),
        "{:?}",
        pipeline.lost()
    );
}

#[test]
fn sources_of_rows_are_opened_by_kind_and_task() {
    let mut config = super::config(MixtureUnit::Example);
    let from = |name: &str, kind: &str, task: &str, file: &str| crate::data::SourceConfig {
        kind: kind.to_owned(),
        path: Some(fixture(file).display().to_string()),
        ..source(name, task, 1.0)
    };
    config.sources = vec![
        from("captions", "parquet", "caption", "pyarrow-snappy.parquet"),
        from("pairs", "json-lines", "caption", "pandas-paths.jsonl"),
        from(
            "documents",
            "parquet",
            "interleaved",
            "documents-pyarrow.parquet",
        ),
        from(
            "lines",
            "json-lines",
            "interleaved",
            "documents-pandas.jsonl",
        ),
        from("texts", "parquet", "text", "duckdb-snappy.parquet"),
    ];
    let found = probe(&config, 16).expect("opens");
    let counts: Vec<u64> = found.iter().map(|it| it.1).collect();
    assert_eq!(counts, [50, 6, 50, 50, 50]);
    let pipeline = open(config.clone(), SHAPE);
    let (batch, _) = pipeline.batch(&pipeline.start()).expect("a batch");
    assert!(batch.image_count > 0 && batch.stats.text_tokens > 0);
    config.sources[0].task = "question".to_owned();
    let error = probe(&config, 16).expect_err("no such task").to_string();
    assert!(
        error.contains("kind `parquet` has no task `question`"),
        "{error}"
    );
}
