//! Tests with mutated bytes: pictures, shards, tensor files, tokenizers and packages.
//!
//! Whatever the bytes, there is a value or an error: no panic, no hang, and no allocation beyond
//! what the reader's own limits allow. Seeds are fixed, so a failure repeats.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
#[cfg(target_arch = "x86_64")]
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::checkpoint::tensors::{Content, Item, TensorsFile, write};
use crate::data::image::{MAX_PIXELS, Picture, decode};
use crate::data::rows::{Columns, Rows, Task};
use crate::data::source::Source;
use crate::data::tar::Shards;
use crate::data::testing::{jpeg, tar_of};
#[cfg(target_arch = "x86_64")]
use crate::executor::Executor;
use crate::philox::{Draws, Philox};
use crate::tokenizer::Tokenizer;

thread_local! {
    /// Largest allocation of this thread since it was last set to 0, bytes.
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, watched.
struct Watched;

// SAFETY: every call goes to the system's allocator as it came; the counter allocates nothing.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from the system's allocator with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: `pointer` came from the system's allocator with this layout.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn note(size: usize) {
    // A thread that ends has no counter any more.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// Random numbers of one test.
struct Random(Draws);

impl Random {
    fn new(seed: u64) -> Self {
        Self(Philox::new(seed, 0).draws(0))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u32) as usize
    }
}

/// Flips, overwrites, removes, doubles and cuts a few bytes.
fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    const WORDS: [&[u8]; 8] = [
        &[0],
        &[0xff],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff; 8],
        &[0; 8],
        b"9999999999999999999",
        b"\"",
        b"-1",
    ];
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + 1 + random.below(40)).min(bytes.len());
        match random.below(6) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 => {
                let word = WORDS[random.below(WORDS.len())];
                let end = (at + word.len()).min(bytes.len());
                bytes.splice(at..end, word.iter().copied());
            }
            3 => {
                bytes.drain(at..end);
            }
            4 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            5 if random.below(4) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}

/// Reads `count` mutations of each of `seeds`; `read` says whether the bytes were accepted.
/// No reading may take long or ask for more than `most` bytes at once. Both outcomes must occur.
fn each(seeds: &[Vec<u8>], count: usize, most: usize, read: impl Fn(&[u8]) -> bool) {
    let mut random = Random::new(7);
    let mut outcomes = [0; 2];
    for seed in seeds {
        assert!(read(seed), "the seed itself is refused");
        for number in 0..count {
            let bytes = mutate(seed, &mut random);
            LARGEST.set(0);
            let begin = Instant::now();
            outcomes[usize::from(read(&bytes))] += 1;
            let took = begin.elapsed();
            // Generous, as a machine may be busy: a hang is what matters.
            assert!(took < Duration::from_secs(20), "{number} took {took:?}");
            let largest = LARGEST.get();
            assert!(largest <= most, "{number} asked for {largest} bytes");
        }
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

/// A path with these bytes.
fn file(folder: &tempfile::TempDir, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.path().join("mutated");
    std::fs::write(&path, bytes).expect("writable");
    path
}

#[test]
fn mutated_pictures_are_read_or_refused() {
    let rgb = (0..24 * 16 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let picture = Picture {
        width: 24,
        height: 16,
        rgb,
    };
    let png = picture.png().expect("encodes");
    // Components of four bytes, and the decoder's own coefficients, at the limit of pixels.
    let most = MAX_PIXELS * 16;
    each(
        &[png, jpeg(1, 40, 24), jpeg(3, 40, 24)],
        700,
        most,
        |bytes| decode(bytes).is_ok_and(|it| it.rgb.len() == it.width * it.height * 3),
    );
}

#[test]
fn mutated_shards_are_read_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = jpeg(1, 16, 8);
    let shard = tar_of(&[
        ("a.jpg", &picture),
        ("a.txt", b"a cat"),
        ("a.json", br#"{"label": "cat"}"#),
        ("b.jpg", &picture),
        ("b.txt", b"a dog"),
    ]);
    each(&[shard], 1500, 64 << 20, |bytes| {
        let path = file(&folder, bytes);
        let Ok(shards) = Shards::open(path.to_str().expect("UTF-8"), "") else {
            return false;
        };
        for sample in 0..shards.samples() {
            let _ = (shards.read(sample, true), shards.label(sample));
        }
        true
    });
}

/// Tables of several writers, packings and kinds of pages.
#[test]
fn mutated_tables_are_read_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let seeds = |names: &[&str]| -> Vec<Vec<u8>> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rows");
        let read = |name: &&str| std::fs::read(fixtures.join(name)).expect("readable");
        names.iter().map(read).collect()
    };
    let every = |rows: Result<Rows, crate::data::DataError>| {
        let Ok(rows) = rows else {
            return false;
        };
        // A footer may claim any number of rows.
        let samples = rows.samples();
        for n in (0..samples.min(10)).chain(samples.saturating_sub(10)..samples) {
            let _ = (rows.read(n, true), rows.label(n));
        }
        true
    };
    // Claimed sizes are held against the file's; what is packed unfolds to no more than was said.
    let most = 64 << 20;
    let columns = Columns::default();
    let captions = seeds(&[
        "duckdb-snappy.parquet",
        "fastparquet-gzip.parquet",
        "polars-zstd.parquet",
        "pyarrow-zstd-pages2.parquet",
        "pyarrow-snappy.parquet",
    ]);
    each(&captions, 300, most, |bytes| {
        let path = file(&folder, bytes).display().to_string();
        every(Rows::tables(&path, Task::Caption, &columns, ""))
    });
    let documents = seeds(&[
        "documents-polars.parquet",
        "documents-pyarrow-pages2.parquet",
    ]);
    each(&documents, 300, most, |bytes| {
        let path = file(&folder, bytes).display().to_string();
        every(Rows::tables(&path, Task::Interleaved, &columns, ""))
    });
    let lines = seeds(&["documents-pandas.jsonl"]);
    let texts = Columns {
        text: Some("texts".to_owned()),
        ..Columns::default()
    };
    let (mut read, mut refused) = (0, 0);
    let mut random = Random::new(13);
    for _ in 0..700 {
        let path = file(&folder, &mutate(&lines[0], &mut random));
        LARGEST.set(0);
        match Rows::lines(&path.display().to_string(), Task::Text, &texts, "") {
            Ok(rows) => {
                for n in 0..rows.samples() {
                    match rows.read(n, true) {
                        Ok(_) => read += 1,
                        Err(_) => refused += 1,
                    }
                }
            }
            Err(_) => refused += 1,
        }
        assert!(LARGEST.get() <= most, "{} bytes", LARGEST.get());
    }
    assert!(read > 10_000 && refused > 100, "{read} {refused}");
}

#[test]
fn mutated_tensor_files_are_read_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("seed");
    let items = ["a", "decoder.b"].map(|name| Item {
        name: name.to_owned(),
        dtype: mm1_package::DType::F32,
        shape: vec![2, 3],
        content: Content::Bytes(&[1; 24]),
    });
    write(&path, &items).expect("writable");
    let seed = std::fs::read(&path).expect("readable");
    each(&[seed], 1500, 1 << 20, |bytes| {
        let Ok(mut tensors) = TensorsFile::open(&file(&folder, bytes)) else {
            return false;
        };
        let names: Vec<String> = tensors.tensors().keys().cloned().collect();
        for name in names {
            let _ = tensors.read_f32(&name);
        }
        true
    });
}

/// Bytes of a tokenizer's file, and values in it: most mutations of bytes are no JSON.
#[test]
fn mutated_tokenizers_are_read_or_refused() {
    let texts = (0..40).map(|i| format!("there are {i} circles and {} rings", i * 3));
    let good = Tokenizer::train(texts, 290).expect("trains");
    let read = |bytes: &[u8]| {
        let Ok(it) = Tokenizer::from_json(bytes) else {
            return false;
        };
        let ids = it
            .encode("there are 3 circles é <image>")
            .unwrap_or_default();
        let _ = it.decode(&ids);
        true
    };
    each(&[good.json().as_bytes().to_vec()], 250, 64 << 20, read);
    let seed: Value = serde_json::from_str(good.json()).expect("JSON");
    let mut random = Random::new(11);
    for _ in 0..250 {
        let mut value = seed.clone();
        for _ in 0..=random.below(2) {
            change(&mut value, &mut random);
        }
        let begin = Instant::now();
        LARGEST.set(0);
        let _ = read(value.to_string().as_bytes());
        assert!(begin.elapsed() < Duration::from_secs(20));
        assert!(LARGEST.get() < 64 << 20, "{} bytes", LARGEST.get());
    }
}

/// Replaces or removes a value somewhere in a document.
fn change(value: &mut Value, random: &mut Random) {
    let descend = random.below(4) > 0;
    match value {
        Value::Object(map) if descend && !map.is_empty() => {
            let at = random.below(map.len());
            let key = map.keys().nth(at).cloned().expect("within its length");
            if random.below(12) == 0 {
                map.remove(&key);
            } else if let Some(inner) = map.get_mut(&key) {
                change(inner, random);
            }
        }
        Value::Array(items) if descend && !items.is_empty() => {
            let at = random.below(items.len());
            change(&mut items[at], random);
        }
        other => {
            let values = [
                json!(null),
                json!(-1),
                json!(u64::MAX),
                json!(1e300),
                json!(""),
                json!("x".repeat(3000)),
                json!([]),
                json!({}),
                json!(true),
                json!([["a", "b"], ["ab", "c"]]),
            ];
            *other = values[random.below(values.len())].clone();
        }
    }
}

/// The hash would refuse every mutation, so it is made anew; an accepted package must also pass,
/// or be refused by, the executor's own checks.
#[cfg(target_arch = "x86_64")]
#[test]
fn mutated_packages_are_read_or_refused() {
    let seed = crate::executor::tests::package().to_bytes();
    let header = seed.len() - body(&seed).len();
    let read = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        if bytes.len() > header {
            let hash = blake3::hash(&bytes[header..]);
            bytes[header - 32..header].copy_from_slice(hash.as_bytes());
        }
        let Ok(package) = mm1_package::Package::from_bytes(&bytes) else {
            return false;
        };
        // Nothing is run: the code may be anything now.
        let _ = Executor::new(Arc::new(package), 1);
        true
    };
    each(&[seed], 3000, 64 << 20, read);
}

/// What follows magic, version and hash.
#[cfg(target_arch = "x86_64")]
fn body(bytes: &[u8]) -> &[u8] {
    &bytes[8 + 4 + 32..]
}
