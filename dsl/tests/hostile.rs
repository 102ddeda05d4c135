//! Hostile input gives diagnostics, never a panic, a hang or unbounded memory.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mm1_dsl::component::Library;
use mm1_dsl::load;

fn load_text(name: &str, text: &[u8]) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("mm1-dsl-hostile-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let path: PathBuf = folder.join(format!("{name}.toml"));
    std::fs::write(&path, text).expect("is writable");
    let start = Instant::now();
    let result = load(&path, &[])
        .map(|_| ())
        .map_err(|error| error.render(false));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "{name} took {took:?}");
    std::fs::remove_file(&path).expect("can be removed");
    result
}

#[test]
fn nesting_and_length_are_bounded() {
    let deep_array = format!("name = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_table = format!("name = {}1{}", "{a=".repeat(50_000), "}".repeat(50_000));
    let deep_key = format!("{} = 1", vec!["a"; 100_000].join("."));
    let deep_header = format!("[{}]\nx = 1", vec!["a"; 100_000].join("."));
    let long_array = format!("[train]\nfreeze = [{}]", "\"a\",".repeat(200_000));
    let many_keys: String = (0..50_000)
        .map(|number| format!("k{number} = 1\n"))
        .collect();
    let many_nodes = "[[node]]\n".repeat(50_000);
    let long_line = format!("name = \"{}\"", "x".repeat(900_000));
    let long_key = format!("{} = 1", "x".repeat(900_000));
    for (name, text) in [
        ("deep-array", deep_array),
        ("deep-table", deep_table),
        ("deep-key", deep_key),
        ("deep-header", deep_header),
        ("long-array", long_array),
        ("many-keys", many_keys),
        ("many-nodes", many_nodes),
        ("long-line", long_line),
        ("long-key", long_key),
        ("empty", String::new()),
        ("too-large", "#".repeat(2 << 20)),
    ] {
        assert!(load_text(name, text.as_bytes()).is_err(), "{name}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for (name, bytes) in [
        ("latin", b"name = \"\xe9\"".as_slice()),
        ("nul", b"name = \"\0\"".as_slice()),
        ("cut", b"name = \"\xf0\x9f".as_slice()),
        ("mark", b"\xef\xbb\xbfname = 3".as_slice()),
    ] {
        assert!(load_text(name, bytes).is_err(), "{name}");
    }
}

#[test]
fn files_that_are_no_files_are_refused() {
    for path in ["/", "/dev/zero", "tests", "nowhere/at/all.toml", ""] {
        assert!(load(std::path::Path::new(path), &[]).is_err(), "{path}");
    }
}

/// A small generator, so that failures repeat.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // Linear congruential step with the constants of Knuth's MMIX.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % bound
    }
}

/// Cuts, doubles, swaps and replaces pieces of `text`.
fn mutate(text: &str, random: &mut Random) -> String {
    const PIECES: [&str; 16] = [
        "=",
        "[",
        "]",
        "\"",
        "\n",
        "-1",
        "9223372036854775807",
        "0",
        "{",
        "}",
        "é",
        "=isqrt(",
        "1e999",
        "nan",
        "true",
        "..",
    ];
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(4) {
        let at = random.below(characters.len().max(1)).min(characters.len());
        match random.below(4) {
            0 => {
                let end = (at + random.below(20)).min(characters.len());
                characters.drain(at..end);
            }
            1 => {
                let piece = PIECES[random.below(PIECES.len())];
                characters.splice(at..at, piece.chars());
            }
            2 => {
                let end = (at + random.below(60)).min(characters.len());
                let copy: Vec<char> = characters[at..end].to_vec();
                characters.splice(at..at, copy);
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())];
                let end = (at + piece.len()).min(characters.len());
                characters.splice(at..end, piece.chars());
            }
        }
    }
    characters.into_iter().collect()
}

#[test]
fn mutated_models_never_panic() {
    let seed = include_str!("../../models/mm1-tiny.toml");
    let mut random = Random(1);
    let mut refused = 0;
    for number in 0..1500 {
        let text = mutate(seed, &mut random);
        refused +=
            usize::from(load_text(&format!("model-{}", number % 4), text.as_bytes()).is_err());
    }
    assert!(refused > 500, "only {refused} were wrong");
}

#[test]
fn mutated_components_never_panic() {
    let embedded = Library::embedded();
    let names: Vec<String> = embedded.names().map(str::to_string).collect();
    let mut random = Random(2);
    for _ in 0..1500 {
        let name = &names[random.below(names.len())];
        let path = format!("../models/components/{name}.toml");
        let text = mutate(
            &std::fs::read_to_string(path).expect("is readable"),
            &mut random,
        );
        let mut library = embedded.clone();
        let found = match library.add(name, "mutated.toml", &text) {
            Err(found) => found,
            Ok(()) => {
                let model = load(
                    std::path::Path::new("../models/tiny/c-abstractor.toml"),
                    &[],
                )
                .expect("is legal");
                let vision = model.vision.expect("has an image side");
                let calls = [
                    &vision.encoder.call,
                    &vision.connector.call,
                    &model.decoder.call,
                ];
                calls
                    .into_iter()
                    .filter_map(|call| {
                        let mut call = call.clone();
                        // The spans belong to the model's sources, not to this library's.
                        call.assigned.clear();
                        library.instantiate_call(&call, "p").err()
                    })
                    .flatten()
                    .collect()
            }
        };
        // Rendering must stand any span.
        let diagnostics = mm1_dsl::diagnostic::Diagnostics {
            list: found,
            sources: library.sources.clone(),
        };
        let _ = diagnostics.render(false);
    }
}
