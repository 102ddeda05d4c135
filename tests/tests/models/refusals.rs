//! What the compiler itself refuses: the text of each refusal, its place, and that the advice helps.
//!
//! As in `dsl/tests/wrong.rs`: each `wrong/NAME.toml` loads, is refused by the compiler, and has the text in
//! `NAME.txt`; lines `# set: a.b=c` at its top are `--set` arguments. Suggested changes are made until
//! none is left; where a person must say what was meant, `fixed/` has the file or the component.
//! `MM1C_BLESS=1` rewrites the texts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mm1_compiler::build::Purpose;
use mm1_compiler::compile::{CompileError, plan_model};
use mm1_dsl::diagnostic::Diagnostics;
use mm1_dsl::{codes, load};
use mm1_tests::golden;

/// Rounds of changes after which a model should be legal.
const MOST_ROUNDS: usize = 6;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("wrong")
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "toml"));
    files.sort();
    files
}

fn sets(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map_while(|line| line.strip_prefix("# set: "));
    lines.map(str::to_owned).collect()
}

/// What is wrong with a file, as `mm1c compile --plan-only` finds it; whether the compiler says so.
fn refused(path: &Path, sets: &[String]) -> Option<(Diagnostics, bool)> {
    let model = match load(path, sets) {
        Ok(model) => model,
        Err(found) => return Some((found, false)),
    };
    match plan_model(&model, Purpose::All, false) {
        Ok(_) => None,
        Err(CompileError::Model(list)) => {
            let sources = model.sources().clone();
            Some((Diagnostics { list, sources }.sorted(), true))
        }
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

#[test]
fn the_compilers_refusals_have_their_texts_and_places() {
    let here = format!("{}/", folder().display());
    let (mut failures, mut seen) = (Vec::new(), BTreeSet::new());
    let cases = cases();
    assert!(cases.len() >= 10, "{} cases", cases.len());
    for path in cases {
        let (found, by_compiler) = refused(&path, &sets(&path)).unwrap();
        let text = found.render(false);
        assert!(
            by_compiler,
            "{}: not by the compiler\n{text}",
            path.display()
        );
        for diagnostic in &found.list {
            let Some(primary) = &diagnostic.primary else {
                failures.push(format!("{}: no place\n{text}", path.display()));
                continue;
            };
            let place = found.sources.place(primary.span);
            assert!(text.contains(&format!("--> {place}")), "{text}");
            let advised = diagnostic.patch.is_some() || !diagnostic.help.is_empty();
            assert!(advised, "{}: no advice\n{text}", path.display());
            // An assignment of the graph file is shown, also where a component is at fault.
            let mut labels = diagnostic.context.iter().chain([primary]);
            let in_model = labels.any(|label| {
                let name = &found.sources.get(label.span.source).unwrap().name;
                !name.ends_with(".component.toml") && !name.starts_with("models/components")
            });
            assert!(in_model, "{}: no assignment\n{text}", path.display());
            seen.insert(diagnostic.code);
        }
        let golden = path.with_extension("txt");
        failures.extend(golden::check(&golden, &text.replace(&here, "")).err());
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    for code in [codes::SHAPE, codes::BUDGET, codes::PATTERN_MATCHES_NOTHING] {
        assert!(seen.contains(&code), "{code} has no case");
    }
}

/// Puts the corrected `name` in its place, if there is one.
fn correct(copy: &Path, name: &str) -> bool {
    fs::copy(folder().join("fixed").join(name), copy.join(name)).is_ok()
}

/// Changes the copy as it is told until the model compiles; whether that took a corrected file.
fn repaired(path: &Path) -> Result<bool, String> {
    let copy = tempfile::tempdir().unwrap();
    let copy = copy.path().canonicalize().unwrap();
    fs::create_dir(copy.join("parts")).unwrap();
    for part in fs::read_dir(folder().join("parts")).unwrap() {
        let part = part.unwrap();
        fs::copy(part.path(), copy.join("parts").join(part.file_name())).unwrap();
    }
    let name = path.file_name().unwrap().to_str().unwrap();
    let main = copy.join(name);
    fs::copy(path, &main).unwrap();
    let (mut given, mut by_hand) = (sets(&main), false);
    for _ in 0..MOST_ROUNDS {
        let Some((found, _)) = refused(&main, &given) else {
            return Ok(by_hand);
        };
        let texts = found.patched();
        for (source, text) in &texts {
            let file = &found.sources.get(*source).unwrap().name;
            match file == "--set" {
                true => given = vec![text.trim().to_owned()],
                false => fs::write(file, text).unwrap(),
            }
        }
        given.retain(|set| !set.is_empty());
        if !texts.is_empty() {
            continue;
        }
        let mut corrected = correct(&copy, name);
        for diagnostic in &found.list {
            let labels = diagnostic.context.iter().chain(&diagnostic.primary);
            for label in labels {
                let file = Path::new(&found.sources.get(label.span.source).unwrap().name);
                if let Some(file) = file.file_name() {
                    corrected |= correct(&copy, &format!("parts/{}", file.to_string_lossy()));
                }
            }
        }
        if by_hand || !corrected {
            return Err(format!("{name}: nothing in wrong/fixed helps:\n{found}"));
        }
        by_hand = true;
    }
    match refused(&main, &given) {
        None => Ok(by_hand),
        Some((found, _)) => Err(format!("{name}: still wrong:\n{found}")),
    }
}

#[test]
fn the_compilers_advice_makes_every_model_compile() {
    let (mut faults, mut by_patch) = (Vec::new(), 0);
    for case in cases() {
        match repaired(&case) {
            Ok(by_hand) => by_patch += usize::from(!by_hand),
            Err(fault) => faults.push(fault),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(by_patch >= 6, "{by_patch} by patches");
}
