//! Wrong and doubtful graph files and what is said about them, as golden text.
//!
//! Each `tests/wrong/NAME.toml` has its rendered diagnostics in `NAME.txt`. Lines `# set: a.b=c` at
//! the top of a file are `--set` arguments. `MM1C_BLESS=1` rewrites the texts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mm1_dsl::{codes, load};

fn cases() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir("tests/wrong")
        .expect("the folder is readable")
        .map(|entry| entry.expect("is readable").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
}

fn sets(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("is readable");
    text.lines()
        .map_while(|line| line.strip_prefix("# set: "))
        .map(str::to_string)
        .collect()
}

/// Compares with the text beside a file, or rewrites that.
fn compare(path: &Path, found: String, wrong: &mut Vec<String>) {
    let golden = path.with_extension("txt");
    if std::env::var_os("MM1C_BLESS").is_some() {
        std::fs::write(&golden, &found).expect("is writable");
        return;
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    if expected != found {
        wrong.push(format!(
            "{}\n--- expected\n{expected}\n--- found\n{found}",
            golden.display()
        ));
    }
}

#[test]
fn diagnostics_match_their_texts() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for path in cases() {
        let diagnostics = match load(&path, &sets(&path)) {
            Ok(model) => {
                assert!(!model.warnings.is_empty(), "{} is legal", path.display());
                seen.extend(model.warnings.iter().map(|warning| warning.code));
                compare(&path, model.render_warnings(false), &mut wrong);
                continue;
            }
            Err(diagnostics) => diagnostics,
        };
        seen.extend(diagnostics.list.iter().map(|diagnostic| diagnostic.code));
        compare(&path, diagnostics.render(false), &mut wrong);
    }
    assert!(
        wrong.is_empty(),
        "{}\n{} texts differ; `MM1C_BLESS=1 cargo test -p mm1-dsl --test wrong` rewrites them",
        wrong.join("\n\n"),
        wrong.len()
    );
    assert!(seen.len() >= 30, "the cases show only {} codes", seen.len());
    for code in seen {
        assert!(codes::entry(code).is_some(), "{code} has no documentation");
    }
}

#[test]
fn colour_changes_the_look_only() {
    let diagnostics = load(Path::new("tests/wrong/unknown-key.toml"), &[]).expect_err("is wrong");
    let coloured = diagnostics.render(true);
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    let mut characters = coloured.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A control sequence ends with a letter.
            for part in characters.by_ref() {
                if part.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            plain.push(character);
        }
    }
    assert_eq!(plain, diagnostics.render(false));
}

#[test]
fn codes_are_unique_ascending_and_documented() {
    for pair in codes::CODES.windows(2) {
        assert!(
            pair[0].code < pair[1].code,
            "{} and {}",
            pair[0].code,
            pair[1].code
        );
    }
    for entry in codes::CODES {
        assert!(
            entry.doc.ends_with('.') && !entry.title.is_empty(),
            "{}",
            entry.code
        );
    }
    assert_eq!(codes::UNKNOWN_KEY.to_string(), "MM1C0002");
}
