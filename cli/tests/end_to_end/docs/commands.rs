//! Every command of README and of the guide runs, page by page, each page in a scratch copy of the
//! project: what a page needs it makes itself.
//!
//! What a page's blocks of code mean:
//!
//! | block | meaning |
//! | --- | --- |
//! | `sh` | commands for the shell in the root of the project; all of them must succeed |
//! | `sh differs` | the last of them must end with 1, as `diff` does where there is a difference |
//! | `sh fails` | the last of them must fail with a message |
//! | `sh needs-llvm` | commands that run where the program is built with LLVM |
//! | `sh no-run`, `python no-run` | commands that cannot run here; [`NOT_RUN`] lists all of them |
//! | `text`, `text varies` | what the `sh` block before it prints; see `output.rs` |
//! | `toml` | begins with `# file: PATH`, a file that the reader writes, or `# from: PATH`, lines of a file that is there |

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::markdown::{Block, blocks, pages, root, text};
use super::output::difference;
use crate::support::{Ran, copy, folder};

macro_rules! walked {
    ($($name:ident: $page:literal,)*) => {
        /// The pages whose commands run.
        const WALKED: &[&str] = &[$($page),*];
        $(#[test]
        fn $name() {
            walk($page);
        })*
    };
}

walked! {
    readme: "README.md",
    first_run: "docs/guide/start.md",
    reading_a_run: "docs/guide/report.md",
    model_file: "docs/guide/model-file.md",
    overlay: "docs/guide/overlay.md",
    data: "docs/guide/data.md",
    runs: "docs/guide/runs.md",
    component: "docs/guide/component.md",
    study: "docs/guide/study.md",
    cards: "docs/guide/cards.md",
    trouble: "docs/guide/trouble.md",
}

/// Page and first line of each block that is marked `no-run`.
const NOT_RUN: &[(&str, &str)] = &[
    ("README.md", "scripts/test"),
    ("docs/guide/data.md", "import pandas"),
    ("docs/guide/runs.md", "tensorboard --logdir runs"),
    (
        "docs/guide/cards.md",
        "cargo build --release -p mm1c --no-default-features --features cuda",
    ),
    (
        "docs/guide/cards.md",
        "mm1c train tiny.mm1pkg --device cuda",
    ),
];

/// Stands in the place of `scripts/mm1c`. It does not build, and makes work short: one of 200 steps of a
/// training, but at least four, one sequence in each, four examples in an evaluation; Cranelift, which
/// compiles in a moment; two threads.
const STAND_IN: &str = r#"#!/bin/sh
steps=1200
for word; do
  case $word in train.steps=*) steps=${word#*=} ;; esac
done
steps=$((steps / 200))
[ "$steps" -ge 4 ] || steps=4
code='--backend cranelift --threads 2'
small='--set train.global_batch_sequences=1 --set train.micro_batch_sequences=1 --set train.micro_batch_images=6'
short="--set train.steps=$steps --set train.warmup_steps=2 --set train.evaluation_examples=4"
case $1 in
  train) set -- "$@" $code $small $short ;;
  bisect) set -- "$@" $code $small ;;
  eval | generate | ablate) set -- "$@" $code ;;
esac
exec "$MM1C" "$@"
"#;

/// The text of a study with short runs, and other files as they are.
fn shortened(text: &str) -> String {
    let study = text
        .lines()
        .any(|line| ["[[variant]]", "[grid]"].contains(&line));
    if !study {
        return text.to_string();
    }
    let line = |line: &str| {
        let (key, _) = line.split_once(" = ").unwrap_or((line, ""));
        let value = match key {
            "steps" => 6,
            "warmup_steps" => 2,
            "evaluation_examples" => 4,
            _ => return format!("{line}\n"),
        };
        format!("{key} = {value}\n")
    };
    let few = "global_batch_sequences = 1\nmicro_batch_sequences = 1\nmicro_batch_images = 6\n";
    let short: String = text.lines().map(line).collect();
    short.replace("[set.train]\n", &format!("[set.train]\n{few}"))
}

/// A copy of what commands read: models, with short studies, and the stand-in.
fn project() -> tempfile::TempDir {
    let folder = folder();
    let at = |path: &str| folder.path().join(path);
    fs::copy(root().join("mm1c.toml"), at("mm1c.toml")).expect("a copy");
    copy(&root().join("models"), &at("models"));
    for entry in fs::read_dir(at("models/studies")).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("is readable");
        fs::write(&path, shortened(&text)).expect("is writable");
    }
    fs::create_dir(at("scripts")).expect("a folder");
    fs::write(at("scripts/mm1c"), STAND_IN).expect("is writable");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(at("scripts/mm1c"), executable).expect("is ours");
    folder
}

/// Runs the commands of a block; both streams in the order in which they were written.
fn shell(site: &Path, script: &str) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-e", "-c", &format!("exec 2>&1\n{script}")]);
    command.current_dir(site).stdin(Stdio::null());
    command.env("MM1C", env!("CARGO_BIN_EXE_mm1c"));
    command.env("MM1C_CACHE", site.join("cache"));
    command.env_remove("MM1C_FAULT").env_remove("MM1C_LLVM");
    command.output().expect("a shell").into()
}

/// Lines of a file of the repository, in order; `# …` stands for those between.
fn assert_excerpt(place: &str, path: &str, excerpt: &str) {
    let file = text(path);
    let mut lines = file.lines();
    for line in excerpt.lines().filter(|line| !line.is_empty()) {
        assert!(
            line == "# …" || lines.any(|it| it == line),
            "{place}: {path} has no such line, or not in this order: {line}"
        );
    }
}

/// Makes the file that a block shows, or compares it with the one that is there.
fn toml(site: &Path, place: &str, block: &Block) {
    let (title, rest) = block.text.split_once('\n').expect("lines");
    if let Some(path) = title.strip_prefix("# from: ") {
        assert_excerpt(place, path, rest);
    } else if let Some(path) = title.strip_prefix("# file: ") {
        assert!(
            !root().join(path).exists(),
            "{place}: {path} is there already"
        );
        let target = site.join(path);
        let parent = target.parent().expect("a folder");
        fs::create_dir_all(parent).expect("a folder");
        fs::write(&target, shortened(&block.text)).expect("is writable");
    } else {
        panic!("{place}: a TOML block begins with `# file: PATH` or `# from: PATH`");
    }
}

/// Runs the commands of a block with marks: what they printed, or `None` where they are not for here.
fn run(site: &Path, place: &str, marks: &[&str], script: &str) -> Option<String> {
    let status = match marks {
        [] => 0,
        ["differs"] => 1,
        ["fails"] => 2,
        ["needs-llvm"] if cfg!(feature = "mlir") => 0,
        ["needs-llvm"] => return None,
        _ => panic!("{place}: unknown marks {marks:?}"),
    };
    let ran = shell(site, script);
    let output = ran.stdout;
    assert!(!output.contains("panicked"), "{place}:\n{output}");
    let code = ran.status.code();
    assert_eq!(code, Some(status), "{place}:\n{output}");
    Some(output)
}

/// Follows a page from its first block to its last.
fn walk(page: &str) {
    let site = project();
    let site = site.path();
    // What the last commands printed; `None` where they did not run.
    let mut printed: Option<String> = None;
    let mut after_commands = false;
    let mut commands = 0;
    for block in blocks(&text(page)) {
        let place = format!("{page}:{}", block.line);
        let mut words = block.info.split(' ');
        let language = words.next().expect("one, perhaps empty");
        let marks: Vec<&str> = words.collect();
        match (language, &marks[..]) {
            ("sh" | "python", ["no-run"]) => {
                printed = None;
                after_commands = true;
            }
            ("sh", marks) => {
                commands += 1;
                after_commands = true;
                printed = run(site, &place, marks, &block.text);
            }
            ("text", [] | ["varies"]) => {
                assert!(after_commands, "{place}: no commands before this output");
                after_commands = false;
                if let Some(found) = printed.take()
                    && let Some(found) = difference(&block.text, &found, !marks.is_empty())
                {
                    panic!("{place}: {found}");
                }
            }
            ("toml", []) => {
                after_commands = false;
                toml(site, &place, &block);
            }
            _ => panic!("{place}: a block of unknown kind `{}`", block.info),
        }
    }
    assert!(commands > 0, "{page} has no commands");
}

#[test]
fn the_whole_guide_is_walked() {
    let guide = |page: &String| page == "README.md" || page.starts_with("docs/guide/");
    let mut walked = WALKED.to_vec();
    walked.sort_unstable();
    assert_eq!(
        pages().into_iter().filter(guide).collect::<Vec<_>>(),
        walked
    );
}

#[test]
fn what_does_not_run_is_known() {
    let mut found: Vec<(&str, String)> = Vec::new();
    for page in WALKED {
        for block in blocks(&text(page)) {
            if block.info.ends_with("no-run") {
                let first = block.text.lines().next().expect("a line");
                let command = first.split(" #").next().expect("one");
                found.push((page, command.trim().to_string()));
            }
        }
    }
    let known: Vec<_> = NOT_RUN
        .iter()
        .map(|(page, line)| (*page, line.to_string()))
        .collect();
    assert_eq!(found, known);
}

#[test]
fn only_studies_are_shortened() {
    let study = "base = \"a\"\n[set.train]\nsteps = 300\n[[variant]]\nname = \"b\"\n";
    let short = shortened(study);
    assert!(short.contains("\nsteps = 6\n") && short.contains("\nmicro_batch_sequences = 1\n"));
    assert!(
        short.starts_with("base = \"a\"\n") && short.ends_with("\n[[variant]]\nname = \"b\"\n")
    );
    let model = "[train]\nsteps = 300\n";
    assert_eq!(shortened(model), model);
}
