//! Wrong and doubtful graph files: what is said about them, as golden text, and that the advice helps.
//!
//! Each `tests/wrong/NAME.toml` has its rendered diagnostics in `NAME.txt`. Lines `# set: a.b=c` at
//! the top of a file are `--set` arguments. `MM1C_BLESS=1` rewrites the texts. Suggested changes are
//! made until none is left; where what was meant is for a person to know, `fixed/NAME.toml` (or
//! `fixed/parts/...`, for a mistake in another file) has the rest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mm1_dsl::diagnostic::Diagnostics;
use mm1_dsl::{codes, load, weights};

/// Rounds of changes after which a file should be legal: one repair may uncover the next mistake.
const MOST_ROUNDS: usize = 8;

fn cases() -> Vec<PathBuf> {
    tomls("tests/wrong")
}

/// The TOML files of a folder in order.
fn tomls(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
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
    let cases = cases();
    assert!(cases.len() >= 60, "{} kinds of mistakes", cases.len());
    for path in cases {
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
fn every_finding_names_its_place_and_advice() {
    let mut checked = 0;
    for path in cases() {
        // A doubtful file loads, with a warning that its golden text shows.
        let Err(found) = load(&path, &sets(&path)) else {
            continue;
        };
        for diagnostic in &found.list {
            let what = format!("{}: {}", path.display(), diagnostic.message);
            let Some(primary) = &diagnostic.primary else {
                panic!("{what}: no place");
            };
            let place = found.sources.place(primary.span);
            let text = found.render(false);
            assert!(text.contains(&format!("--> {place}")), "{what}\n{text}");
            assert!(
                diagnostic.patch.is_some() || !diagnostic.help.is_empty(),
                "{what}: no advice"
            );
            checked += 1;
        }
    }
    assert!(checked > 130, "{checked}");
}

/// A copy of the folder that changes can be made in.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("mm1c-wrong-{}-{name}", std::process::id()));
        let copy = Self(folder);
        copy_files(Path::new("tests/wrong/parts"), &copy.0.join("parts"));
        // Two files of a chain name each other.
        for main in cases() {
            let to = copy.0.join(main.file_name().expect("has a name"));
            std::fs::copy(&main, to).expect("is writable");
        }
        copy
    }

    /// Puts the corrected file in the place of `name`, if there is one.
    fn correct(&self, name: &str) -> bool {
        std::fs::copy(Path::new("tests/wrong/fixed").join(name), self.0.join(name)).is_ok()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Copies a folder with the folders in it.
fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder is readable") {
        let path = entry.expect("is readable").path();
        let to = to.join(path.file_name().expect("has a name"));
        if path.is_dir() {
            copy_files(&path, &to);
        } else {
            std::fs::copy(&path, to).expect("is writable");
        }
    }
}

/// Makes every suggested change; whether there was one.
fn apply(found: &Diagnostics, sets: &mut Vec<String>) -> bool {
    let texts = found.patched();
    let is_set = |source: &u32| {
        found
            .sources
            .get(*source)
            .is_some_and(|it| it.name == "--set")
    };
    let numbers: Vec<u32> = (0..u32::try_from(found.sources.len()).expect("few"))
        .filter(is_set)
        .collect();
    for (source, text) in &texts {
        let name = &found.sources.get(*source).expect("a source").name;
        match numbers.iter().position(|number| number == source) {
            Some(position) => sets[position] = text.trim().to_string(),
            None => std::fs::write(name, text).expect("only files of the case change"),
        }
    }
    sets.retain(|set| !set.is_empty());
    !texts.is_empty()
}

/// Why the advice does not help, if it does not.
fn repaired(name: &str) -> Result<bool, String> {
    let copy = Copy::new(name);
    let main = copy.0.join(format!("{name}.toml"));
    let mut given = sets(&main);
    let mut by_hand = false;
    for _ in 0..MOST_ROUNDS {
        let Err(found) = load(&main, &given) else {
            return Ok(by_hand);
        };
        if apply(&found, &mut given) {
            continue;
        }
        let mut corrected = copy.correct(&format!("{name}.toml"));
        for diagnostic in &found.list {
            let place = diagnostic.primary.as_ref().map(|label| label.span.source);
            let file = place.and_then(|source| found.sources.get(source));
            let file = file.and_then(|file| Path::new(&file.name).file_name());
            if let Some(file) = file {
                corrected |= copy.correct(&format!("parts/{}", file.to_string_lossy()));
            }
        }
        if by_hand || !corrected {
            return Err(format!(
                "{name}: nothing in tests/wrong/fixed helps:\n{found}"
            ));
        }
        by_hand = true;
        given = sets(&main);
    }
    Err(format!(
        "{name}: still wrong after {MOST_ROUNDS} rounds:\n{}",
        match load(&main, &given) {
            Ok(_) => return Ok(by_hand),
            Err(found) => found,
        }
    ))
}

#[test]
fn the_advice_makes_every_wrong_file_legal() {
    let mut faults = Vec::new();
    let (mut by_patch, mut by_hand) = (0, 0);
    for case in cases() {
        let name = case
            .file_stem()
            .expect("has a name")
            .to_string_lossy()
            .into_owned();
        let has_file = Path::new("tests/wrong/fixed")
            .join(format!("{name}.toml"))
            .exists();
        match repaired(&name) {
            Ok(false) if has_file => faults.push(format!("{name}: needs no file in fixed/")),
            Ok(false) => by_patch += 1,
            Ok(true) => by_hand += 1,
            Err(fault) => faults.push(fault),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(
        by_patch > by_hand,
        "{by_patch} by patches, {by_hand} by hand"
    );
}

/// Wrong name maps and their texts; no graph file names a map, so they have a folder of their own.
#[test]
fn wrong_name_maps_have_texts_and_places() {
    let model = load(Path::new("tests/wrong/parts/base.toml"), &[]).expect("is legal");
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).expect("is readable");
        weights::read(&path.to_string_lossy(), &text, &model)
    };
    let mut wrong = Vec::new();
    let mut names = Vec::new();
    for path in tomls("tests/wrong/maps") {
        let found = read(&path).expect_err("is wrong");
        for finding in &found.list {
            let place = finding.primary.is_some() && finding.code == codes::BAD_MAP;
            let advice = finding.patch.is_some() || !finding.help.is_empty();
            assert!(place && advice, "{}: {}", path.display(), finding.message);
        }
        compare(&path, found.render(false), &mut wrong);
        let name = path.file_name().expect("has a name");
        let fixed = Path::new("tests/wrong/maps/fixed").join(name);
        if let Err(found) = read(&fixed) {
            panic!("{found}");
        }
        names.push(path);
    }
    assert!(names.len() >= 4, "{names:?}");
    for (name, meant) in [("lama", Some("llama")), ("bert", None)] {
        let found = weights::embedded(name, &model).expect_err("is unknown");
        assert_eq!(found.list[0].code, codes::UNKNOWN_MAP);
        let patched: Vec<String> = found.patched().into_iter().map(|it| it.1).collect();
        assert_eq!(patched.first().map(String::as_str), meant);
        let path = format!("tests/wrong/maps/unknown-{name}.txt");
        compare(Path::new(&path), found.render(false), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
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
