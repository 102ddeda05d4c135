//! Tests of the whole path from sources to batches.

mod marks;
mod rows;

use std::path::Path;
use std::sync::Arc;

use super::image::{Filter, Fit, ImageConfig};
use super::layout::Layout;
use super::source::Part;
use super::testing::{jpeg, tar_of};
use super::*;
use crate::tokenizer::Tokenizer;

pub(crate) const SHAPE: BatchShape = BatchShape {
    sequences: 3,
    length: 96,
    max_images: 8,
    resolution: 16,
    image_tokens: 4,
    objective: mm1_package::Objective::Language,
    patches: 0,
};

pub(crate) fn source(name: &str, task: &str, weight: f64) -> SourceConfig {
    SourceConfig {
        name: name.to_owned(),
        kind: "scenes".to_owned(),
        task: task.to_owned(),
        weight,
        path: None,
        examples: 13,
        prompt: String::new(),
        evaluation_path: None,
        classes: Vec::new(),
        columns: crate::data::rows::Columns::default(),
    }
}

pub(crate) fn config(mixture_unit: MixtureUnit) -> DataConfig {
    DataConfig {
        mixture_unit,
        sources: vec![
            source("captions", "caption", 2.0),
            source("questions", "question", 1.0),
            source("documents", "interleaved", 1.0),
            source("texts", "text", 0.5),
        ],
        max_images: 4,
        bad_sample_budget: 0.0,
        shuffle_seed: 7,
        loss_normalization: LossNormalization::Token,
        image: ImageConfig {
            fit: Fit::Squash,
            filter: Filter::Bicubic,
            mean: [0.5; 3],
            std: [0.5; 3],
            tiles: super::tiles::Tiles::None,
        },
    }
}

pub(crate) fn tokenizer() -> Arc<Tokenizer> {
    let config = config(MixtureUnit::Example);
    let texts = first_texts(&config, 60).expect("texts");
    assert_eq!(texts.len(), 60);
    Arc::new(Tokenizer::train(texts, 320).expect("trains"))
}

fn open(config: DataConfig, shape: BatchShape) -> Pipeline {
    Pipeline::open(config, shape, tokenizer()).expect("opens")
}

/// `n` batches from the start, with the cursor after each.
fn batches(pipeline: &Pipeline, n: usize) -> Vec<(Batch, Cursor)> {
    let mut cursor = pipeline.start();
    (0..n)
        .map(|_| {
            let item = pipeline.batch(&cursor).expect("batch");
            cursor = item.1.clone();
            item
        })
        .collect()
}

const UNITS: [MixtureUnit; 3] = [
    MixtureUnit::Sequence,
    MixtureUnit::Example,
    MixtureUnit::Token,
];

/// The rules of the loss on one example written out by hand, packed before another.
#[test]
fn loss_rules() {
    let tokenizer = tokenizer();
    let mut config = config(MixtureUnit::Example);
    config.sources = vec![source("questions", "question", 1.0)];
    let shape = BatchShape {
        sequences: 1,
        image_tokens: 2,
        ..SHAPE
    };
    let ids = |text: &str| -> Vec<i32> {
        let ids = tokenizer.encode(text).expect("encodes");
        ids.into_iter().map(|id| id as i32).collect()
    };
    for normalization in [
        LossNormalization::Token,
        LossNormalization::Example,
        LossNormalization::Sequence,
    ] {
        config.loss_normalization = normalization;
        let pipeline = Pipeline::open(config.clone(), shape, tokenizer.clone()).expect("opens");
        let (batch, _) = pipeline.batch(&pipeline.start()).expect("batch");
        let sources = open_source(&config.sources[0], 7, 16).expect("opens");
        let mut tokens = Vec::new();
        let (mut rows, mut image_rows, mut positions, mut begins) =
            (vec![], vec![], vec![], vec![]);
        let (mut targets, mut weights) = (vec![], vec![]);
        for (n, &(_, sample)) in batch.examples.iter().enumerate() {
            let parts = sources.read(sample, false).expect("reads");
            let [Part::Prompt(prompt), Part::Text(answer)] = &parts[..] else {
                panic!("{parts:?}");
            };
            let (prompt, answer) = (ids(prompt), ids(&format!(" {answer}")));
            let at = tokens.len() as i32;
            // <bos> [image] [image] prompt answer <eos>
            tokens.extend([1, -1, -1]);
            image_rows.extend([-1, 2 * n as i32, 2 * n as i32 + 1]);
            tokens.extend(&prompt);
            tokens.extend(&answer);
            tokens.push(2);
            let length = 3 + prompt.len() + answer.len() + 1;
            image_rows.resize(tokens.len(), -1);
            positions.extend(0..length as i32);
            begins.resize(tokens.len(), at);
            // The last prompt token predicts the first answer token; the last answer token
            // predicts the end; the end predicts nothing.
            let first = at + 3 + prompt.len() as i32 - 1;
            rows.extend(first..=first + answer.len() as i32);
            targets.extend(&answer);
            targets.push(2);
            weights.resize(rows.len(), 1.0 / (answer.len() + 1) as f32);
        }
        assert!(batch.examples.len() >= 2);
        let used = tokens.len();
        assert!(used < 96, "the test wants some padding");
        assert_eq!(batch.tokens[..used], tokens);
        assert_eq!(batch.image_rows[..used], image_rows);
        assert_eq!(batch.positions[..used], positions);
        assert_eq!(batch.segment_begin[..used], begins);
        assert_eq!(batch.loss_rows, rows);
        assert_eq!(batch.loss_targets, targets);
        for p in used..96 {
            assert_eq!((batch.tokens[p], batch.image_rows[p]), (-1, -1));
            assert_eq!((batch.positions[p], batch.segment_begin[p]), (0, p as i32));
        }
        let examples = batch.examples.len() as f64;
        match normalization {
            LossNormalization::Token => assert_eq!(batch.weight_sum(), rows.len() as f64),
            LossNormalization::Example => {
                assert_eq!(batch.loss_weights, weights);
                assert!((batch.weight_sum() - examples).abs() < 1e-5);
            }
            LossNormalization::Sequence => assert!((batch.weight_sum() - 1.0).abs() < 1e-6),
        }
        assert_eq!(batch.image_count, batch.examples.len());
        assert_eq!(batch.images.len(), batch.image_count * 3 * 16 * 16);
        assert_eq!(batch.stats.padding, 96 - used as u64);
        assert_eq!(batch.stats.image_tokens, 2 * batch.stats.examples);
    }
}

/// The last position of a picture predicts the first token of the text after it.
#[test]
fn pictures_predict_their_first_token() {
    let mut config = config(MixtureUnit::Example);
    config.sources = vec![source("documents", "interleaved", 1.0)];
    let pipeline = open(config, SHAPE);
    let (batch, _) = pipeline.batch(&pipeline.start()).expect("batch");
    let mut pictures = 0;
    for p in 0..batch.tokens.len() {
        let is_row = batch.loss_rows.binary_search(&(p as i32)).is_ok();
        if batch.image_rows[p] >= 0 {
            let last = batch.image_rows[p] % 4 == 3;
            assert_eq!(is_row, last, "position {p}");
            pictures += i32::from(last);
        }
        // Nothing predicts a picture, padding or the begin of a segment.
        let next_is_text = batch.tokens.get(p + 1).is_some_and(|&t| t > 1);
        assert_eq!(is_row, next_is_text, "position {p}");
    }
    assert_eq!(pictures as usize, batch.image_count);
}

#[test]
fn bounds_hold_and_nothing_is_lost() {
    for unit in UNITS {
        let pipeline = open(config(unit), SHAPE);
        let mut counts = [0u64; 4];
        for (batch, _) in batches(&pipeline, 12) {
            assert!(batch.image_count <= SHAPE.max_images);
            assert_eq!(batch.tokens.len(), 3 * 96);
            assert_eq!(batch.loss_rows.len(), batch.loss_targets.len());
            assert_eq!(batch.loss_rows.len(), batch.loss_weights.len());
            assert!(batch.loss_rows.is_sorted_by(|a, b| a < b));
            for sequence in 0..3 {
                let at = sequence * 96..(sequence + 1) * 96;
                let rows = &batch.image_rows[at.clone()];
                let images = rows.iter().filter(|&&row| row >= 0).count() / 4;
                assert!(images <= 4);
                for p in at {
                    let begin = batch.segment_begin[p] as usize;
                    assert!(begin <= p % 96);
                    if batch.tokens[p] >= 0 || batch.image_rows[p] >= 0 {
                        assert_eq!(p % 96 - begin, batch.positions[p] as usize);
                    }
                }
            }
            let stats = &batch.stats;
            let all = stats.text_tokens + stats.image_tokens + stats.padding;
            assert_eq!(all, 3 * 96);
            assert_eq!(
                stats.sources.iter().map(|s| s.examples).sum::<u64>(),
                stats.examples
            );
            for (sum, source) in counts.iter_mut().zip(&stats.sources) {
                *sum += source.examples;
            }
        }
        assert!(counts.iter().all(|&n| n > 0), "{unit:?} {counts:?}");
        assert!(counts[0] > counts[2], "{unit:?} {counts:?}");
    }
}

/// Stopping after any batch, storing the cursor as JSON and going on gives the same
/// batches: in the middle of packing, over epoch ends, with four sources.
#[test]
fn resume_is_exact() {
    for unit in UNITS {
        let pipeline = open(config(unit), SHAPE);
        let whole = batches(&pipeline, 12);
        let last = &whole[11].1;
        assert!(last.sources[0].epoch > 1, "epochs must end within the test");
        for stop in 0..11 {
            let stored = serde_json::to_string(&whole[stop].1).expect("stores");
            let cursor: Cursor = serde_json::from_str(&stored).expect("loads");
            let again = open(config(unit), SHAPE);
            let mut resumed = Prefetch::start(Arc::new(again), cursor, 2).expect("starts");
            for item in &whole[stop + 1..(stop + 4).min(12)] {
                assert_eq!(
                    resumed.next().expect("batch"),
                    *item,
                    "{unit:?} after {stop}"
                );
            }
        }
    }
    // And the test could fail: another cursor gives another batch.
    let pipeline = open(config(MixtureUnit::Example), SHAPE);
    let whole = batches(&pipeline, 2);
    assert_ne!(whole[0].0, whole[1].0);
}

/// Other tokens per image change the packing but neither the examples nor their order:
/// over all sources by example and token, source by source where sequences are drawn.
#[test]
fn order_does_not_depend_on_image_tokens() {
    for unit in UNITS {
        let order = |image_tokens, length| {
            let shape = BatchShape {
                image_tokens,
                max_images: 12,
                length,
                ..SHAPE
            };
            let pipeline = open(config(unit), shape);
            let items = batches(&pipeline, 16);
            items
                .into_iter()
                .flat_map(|(b, _)| b.examples)
                .collect::<Vec<_>>()
        };
        let (a, b) = (order(1, 130), order(24, 96));
        let compare = |keep: &dyn Fn(u32) -> bool| {
            let filter = |list: &[(u32, u64)]| -> Vec<(u32, u64)> {
                list.iter().copied().filter(|e| keep(e.0)).collect()
            };
            let (a, b) = (filter(&a), filter(&b));
            let n = a.len().min(b.len());
            assert!(n > 4, "{unit:?} {n}");
            assert_eq!(a[..n], b[..n], "{unit:?}");
        };
        if unit == MixtureUnit::Sequence {
            compare(&|source| source == 0);
            compare(&|source| source == 2);
        } else {
            compare(&|_| true);
        }
        assert_ne!(
            a.len(),
            b.len(),
            "the packing must differ for this to say anything"
        );
    }
}

#[test]
fn epochs_are_shuffled_and_complete() {
    let mut config = config(MixtureUnit::Example);
    config.sources.truncate(1);
    let pipeline = open(config.clone(), SHAPE);
    let items = batches(&pipeline, 10);
    let samples: Vec<u64> = items
        .into_iter()
        .flat_map(|(b, _)| b.examples)
        .map(|e| e.1)
        .collect();
    let epochs: Vec<&[u64]> = samples.chunks_exact(13).collect();
    assert!(epochs.len() >= 3);
    for epoch in &epochs {
        let mut sorted = epoch.to_vec();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..13));
    }
    assert_ne!(epochs[0], epochs[1]);
    config.shuffle_seed = 8;
    let other = open(config, SHAPE);
    let (batch, _) = other.batch(&other.start()).expect("batch");
    assert_ne!(
        batch.examples[0..4].iter().map(|e| e.1).collect::<Vec<_>>(),
        samples[..4]
    );
}

#[test]
fn token_weights_hold() {
    let mut config = config(MixtureUnit::Token);
    config.sources[3].weight = 6.0;
    let pipeline = open(config, SHAPE);
    let last = batches(&pipeline, 40).pop().expect("some").1;
    let total: u64 = last.sources.iter().map(|s| s.text_tokens).sum();
    for (source, share) in last.sources.iter().zip([0.2, 0.1, 0.1, 0.6]) {
        let found = source.text_tokens as f64 / total as f64;
        assert!((found - share).abs() < 0.02, "{} {found}", source.name);
    }
}

/// Texts too long for a sequence are cut, and pictures that do not fit are left out whole.
#[test]
fn long_examples_are_cut() {
    let tokenizer = tokenizer();
    let layout = Layout {
        tokenizer: &tokenizer,
        image: &config(MixtureUnit::Example).image,
        shape: BatchShape {
            length: 12,
            ..SHAPE
        },
        max_pictures: 4,
    };
    let picture = || Part::Picture(scene::held_out_scene(0, 16).1);
    let text = Part::Text("qqqqqqqqqqqqqqqqqqqqqqqq".to_owned());
    let example = layout.example(&[picture(), text]).expect("fits");
    assert_eq!((example.cells.len(), example.images.len()), (12, 1));
    let short = Part::Text("q".to_owned());
    let parts = [picture(), short.clone(), picture(), picture(), short];
    let example = layout.example(&parts).expect("fits");
    // <bos> iiii q iiii <eos>: the third picture would leave no room for text and end.
    assert_eq!((example.cells.len(), example.images.len()), (11, 2));
    assert_eq!(example.mixture_tokens, 4);
}

/// Writes a shard of `n` samples of which those in `bad` are damaged.
fn shard(path: &Path, n: usize, bad: &[usize]) {
    let good = jpeg(3, 24, 16);
    let names: Vec<[String; 2]> = (0..n)
        .map(|i| [format!("{i:04}.jpg"), format!("{i:04}.txt")])
        .collect();
    let captions: Vec<String> = (0..n)
        .map(|i| format!("a photo of a {}", ["cat", "dog"][i % 2]))
        .collect();
    let mut entries: Vec<(&str, &[u8])> = Vec::new();
    for i in 0..n {
        let picture = match bad.contains(&i) {
            true => &good[..good.len() - 3],
            false => &good[..],
        };
        entries.push((&names[i][0], picture));
        entries.push((&names[i][1], captions[i].as_bytes()));
    }
    std::fs::write(path, tar_of(&entries)).expect("writes");
}

fn from_disk(kind: &str, path: &Path, budget: f64) -> DataConfig {
    let mut config = config(MixtureUnit::Example);
    config.bad_sample_budget = budget;
    config.sources = vec![SourceConfig {
        kind: kind.to_owned(),
        path: Some(path.display().to_string()),
        prompt: "A photo of".to_owned(),
        ..source("disk", "caption", 1.0)
    }];
    config
}

#[test]
fn unusable_samples_are_skipped_within_the_budget() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.tar");
    shard(&path, 40, &[3, 17]);
    let pipeline = open(from_disk("webdataset", &path, 0.05), SHAPE);
    let mut cursor = pipeline.start();
    let (mut seen, mut faults) = (Vec::new(), Vec::new());
    while seen.len() < 76 {
        let (batch, after) = pipeline.batch(&cursor).expect("within the budget");
        seen.extend(batch.examples.iter().map(|e| e.1));
        assert_eq!(batch.stats.bad_samples, after.sources[0].bad);
        faults.extend(batch.faults);
        cursor = after;
    }
    seen.truncate(76);
    seen.sort_unstable();
    let expected = (0..40)
        .filter(|n| ![3, 17].contains(n))
        .flat_map(|n| [n, n]);
    assert!(seen.into_iter().eq(expected));
    assert!(cursor.sources[0].bad >= 4);
    assert_eq!(faults.len() as u64, cursor.sources[0].bad);
    assert!(
        faults
            .iter()
            .all(|f| f.place.ends_with("a.tar#3") || f.place.ends_with("a.tar#17"))
    );

    shard(&path, 40, &[3, 17, 18]);
    let pipeline = open(from_disk("webdataset", &path, 0.05), SHAPE);
    let mut loader = Prefetch::start(
        Arc::new(pipeline),
        open(from_disk("webdataset", &path, 0.05), SHAPE).start(),
        1,
    )
    .expect("starts");
    let error = (0..40)
        .find_map(|_| loader.next().err())
        .expect("over the budget");
    let text = error.to_string();
    assert!(
        text.contains("3 of 40") && text.contains("allows 2") && text.contains("a.tar#"),
        "{text}"
    );

    // Every sample damaged and everything allowed: an error, not an endless search.
    shard(&path, 6, &[0, 1, 2, 3, 4, 5]);
    let pipeline = open(from_disk("webdataset", &path, 1.0), SHAPE);
    let error = pipeline
        .batch(&pipeline.start())
        .expect_err("nothing usable");
    assert!(error.to_string().contains("no usable sample"), "{error}");

    // A shard cut in the middle is over the budget at once.
    shard(&path, 40, &[]);
    let whole = std::fs::read(&path).expect("reads");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("writes");
    let tokenizer = tokenizer();
    let open = |budget| {
        Pipeline::open(
            from_disk("webdataset", &path, budget),
            SHAPE,
            tokenizer.clone(),
        )
    };
    let error = open(0.02).expect_err("over the budget").to_string();
    assert!(error.contains("broken shard"), "{error}");
    let pipeline = open(0.5).expect("within the budget");
    assert!(pipeline.lost()[0].1 >= 1);
    pipeline
        .batch(&pipeline.start())
        .expect("the first half is good");
}

#[test]
fn cursors_of_other_data_are_refused() {
    let pipeline = open(config(MixtureUnit::Example), SHAPE);
    let mut cursor = pipeline.start();
    cursor.sources[1].samples = 99;
    let error = pipeline.batch(&cursor).expect_err("other data").to_string();
    assert!(error.contains("had 99 samples, now 13"), "{error}");
    let mut cursor = pipeline.start();
    cursor.sources.pop();
    assert!(pipeline.batch(&cursor).is_err());
}

#[test]
fn contradictions_are_refused() {
    let tokenizer = tokenizer();
    let open = |change: &dyn Fn(&mut DataConfig, &mut BatchShape)| {
        let (mut config, mut shape) = (config(MixtureUnit::Example), SHAPE);
        change(&mut config, &mut shape);
        Pipeline::open(config, shape, tokenizer.clone())
            .err()
            .map(|e| e.to_string())
    };
    assert_eq!(open(&|_, _| {}), None);
    type Case = (&'static str, fn(&mut DataConfig, &mut BatchShape));
    let cases: [Case; 10] = [
        ("no source", |c, _| c.sources.clear()),
        ("one name", |c, _| c.sources[1].name = "captions".to_owned()),
        ("weight", |c, _| c.sources[0].weight = f64::NAN),
        ("budget", |c, _| c.bad_sample_budget = 2.0),
        ("std", |c, _| c.image.std[1] = 0.0),
        ("room", |_, s| s.length = 6),
        ("no encoder", |_, s| s.resolution = 0),
        ("unknown kind", |c, _| c.sources[0].kind = "csv".to_owned()),
        ("unknown task", |c, _| c.sources[0].task = "sing".to_owned()),
        ("no image", |c, _| c.max_images = 0),
    ];
    for (reason, change) in cases {
        let error = open(&change).expect(reason);
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

/// A language model without an encoder trains on texts alone.
#[test]
fn text_alone_needs_no_encoder() {
    let mut config = config(MixtureUnit::Example);
    config.sources = vec![source("texts", "text", 1.0)];
    let shape = BatchShape {
        max_images: 0,
        resolution: 0,
        image_tokens: 0,
        ..SHAPE
    };
    let pipeline = open(config, shape);
    let (batch, _) = pipeline.batch(&pipeline.start()).expect("batch");
    assert_eq!((batch.image_count, batch.images.len()), (0, 0));
    assert!(batch.stats.examples > 8);
}

#[test]
fn scenes_are_evaluated_on_held_out_triples() {
    let config = config(MixtureUnit::Example);
    let tokenizer = tokenizer();
    let of = |source: &SourceConfig| {
        Evaluation::open(&config, source, &tokenizer, SHAPE, 1000).expect("opens")
    };
    let evaluation = of(&config.sources[0]).expect("scenes have one");
    assert_eq!(evaluation.items.len(), 500);
    let answers: Vec<String> = evaluation
        .items
        .iter()
        .map(|i| i.reference.clone())
        .collect();
    let perfect = evaluation.score(&answers).scene.expect("scenes");
    assert_eq!(
        (perfect.colour, perfect.shape, perfect.count, perfect.all),
        (1.0, 1.0, 1.0, 1.0)
    );
    let majority = evaluation.majority().scene.expect("scenes");
    assert!(majority.colour < 0.14 && majority.count < 0.22 && majority.shape < 0.3);
    // Answers to other pictures are right by chance only.
    let order = evaluation.shuffled_pictures();
    let blind: Vec<String> = order.iter().map(|&i| answers[i].clone()).collect();
    let blind = evaluation.score(&blind).scene.expect("scenes");
    assert!(
        blind.colour < 0.19 && blind.count < 0.28 && blind.all < 0.1,
        "{blind:?}"
    );
    assert!(
        config.sources[1..]
            .iter()
            .all(|source| of(source).is_none())
    );
}

#[test]
fn digits_are_evaluated_by_place() {
    let mut config = config(MixtureUnit::Example);
    config.sources.push(source("plates", "digits", 1.0));
    let tokenizer = tokenizer();
    let plates = &config.sources[4];
    let evaluation = Evaluation::open(&config, plates, &tokenizer, SHAPE, 300);
    let evaluation = evaluation.expect("opens").expect("has one");
    assert_eq!(evaluation.items.len(), 300);
    let answers = evaluation.items.iter().map(|it| it.reference.clone());
    let answers: Vec<String> = answers.collect();
    let score = |answers: &[String]| {
        let score = evaluation.score(answers);
        assert_eq!((score.scored, score.scene), (300, None));
        score.digits.expect("digits")
    };
    let perfect = score(&answers);
    assert_eq!((perfect.digits, perfect.all), (1.0, 1.0));
    let order = evaluation.shuffled_pictures();
    let blind: Vec<String> = order.iter().map(|&i| answers[i].clone()).collect();
    let blind = score(&blind);
    assert!((0.06..0.14).contains(&blind.digits), "{blind:?}");
    let majority = evaluation.majority().digits.expect("digits");
    assert!((0.1..0.16).contains(&majority.digits), "{majority:?}");
    // What is trained on is the picture, then what it says.
    let read = open_source(plates, 7, 16).expect("opens").read(5, true);
    let [Part::Picture(_), Part::Text(text)] = &read.expect("reads")[..] else {
        panic!("a picture and a text");
    };
    assert_eq!(super::digits::parse(text).len(), super::digits::COUNT);
}

#[test]
fn shards_are_evaluated_by_class() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("test.tar");
    shard(&path, 10, &[4]);
    let mut config = from_disk("webdataset", Path::new("unused"), 0.1);
    config.sources[0].evaluation_path = Some(path.display().to_string());
    config.sources[0].classes = vec!["cat".to_owned(), "dog".to_owned()];
    let tokenizer = tokenizer();
    let open =
        |config: &DataConfig| Evaluation::open(config, &config.sources[0], &tokenizer, SHAPE, 1000);
    let evaluation = open(&config).expect("opens").expect("has one");
    assert_eq!((evaluation.items.len(), evaluation.faults.len()), (9, 1));
    assert_eq!(
        evaluation.items[0].prompt,
        tokenizer.encode("A photo of").expect("encodes")
    );
    assert_eq!(evaluation.items[0].name, "test.tar#0");
    assert_eq!(evaluation.items[0].views[0].len(), 3 * 16 * 16);
    let score = evaluation.score(&vec![" a cat".to_owned(); 9]);
    assert_eq!((score.scored, score.class), (9, Some(4.0 / 9.0)));
    assert_eq!(evaluation.majority().class, Some(5.0 / 9.0));
    config.bad_sample_budget = 0.0;
    assert!(matches!(open(&config), Err(DataError::Budget(_))));
}

/// Held-out documents are laid out and cut as in training; of them only the loss is known.
#[test]
fn documents_are_evaluated_as_they_are_trained_on() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("held-out.tar");
    let picture = jpeg(1, 16, 16);
    let long = "there are two red circles ".repeat(40);
    let entries: [(&str, &[u8]); 7] = [
        ("a.0.txt", b"a cat"),
        ("a.1.jpg", &picture),
        ("a.2.prompt", b"and?"),
        ("a.3.txt", b"a dog"),
        ("b.0.txt", &[0xff, 0xfe]),
        ("c.0.txt", long.as_bytes()),
        ("c.1.jpg", &picture),
    ];
    std::fs::write(&path, tar_of(&entries)).expect("writes");
    let mut config = config(MixtureUnit::Example);
    config.bad_sample_budget = 0.5;
    config.sources = vec![SourceConfig {
        kind: "webdataset".to_owned(),
        path: Some(path.display().to_string()),
        evaluation_path: Some(path.display().to_string()),
        ..source("documents", "interleaved", 1.0)
    }];
    let tokenizer = tokenizer();
    let held_out = |config: &DataConfig, limit| {
        Evaluation::open(config, &config.sources[0], &tokenizer, SHAPE, limit)
    };
    let evaluation = held_out(&config, 10).expect("opens").expect("has one");
    assert!(evaluation.items.is_empty());
    assert_eq!(
        (evaluation.documents.len(), evaluation.faults.len()),
        (2, 1)
    );
    assert_eq!(evaluation.faults[0].place, "held-out.tar#1");
    let pipeline = Pipeline::open(config.clone(), SHAPE, tokenizer.clone()).expect("opens");
    let layout = pipeline.layout();
    let sources = open_source(&config.sources[0], 7, 16).expect("opens");
    for (document, n) in evaluation.documents.iter().zip([0, 2]) {
        let parts = sources.read(n, true).expect("reads");
        assert_eq!(document, &layout.example(&parts).expect("fits"));
        assert!(document.cells.len() <= SHAPE.length);
    }
    // The second is cut before its picture, the first has one.
    let images = evaluation.documents.iter().map(|it| it.images.len());
    assert_eq!(images.collect::<Vec<_>>(), [1, 0]);
    let one = held_out(&config, 1).expect("opens").expect("has one");
    assert_eq!(one.documents.len(), 1);
    config.bad_sample_budget = 0.1;
    assert!(matches!(held_out(&config, 10), Err(DataError::Budget(_))));
}
