//! Whether a run may go on from a checkpoint that another graph file wrote.
//!
//! Resolved files state every key, so two runs differ in exactly the keys whose text
//! differs. Keys that say how long to run and what to record may change; any other would
//! make the resumed run one that no uninterrupted run equals.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What `--resume` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Go on from the newest checkpoint of the run directory, if there is one.
    Auto,
    /// Start at step 0; an error if the run directory has checkpoints.
    Never,
    /// Go on from this checkpoint folder.
    From(PathBuf),
}

impl FromStr for Resume {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "never" => Self::Never,
            path => Self::From(PathBuf::from(path)),
        })
    }
}

/// Whether a change lets a run go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It changes how long the run goes and what it records.
    Allowed,
    /// It changes what is trained.
    Refused,
}

/// One key that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Dotted key: `train.steps`.
    pub key: String,
    /// Its text in the checkpoint; `None` if it was not there.
    pub before: Option<String>,
    /// Its text now; `None` if it is gone.
    pub after: Option<String>,
    /// Whether the run may go on.
    pub verdict: Verdict,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "(absent)".into());
        write!(
            f,
            "{}: {} -> {}",
            self.key,
            text(&self.before),
            text(&self.after)
        )?;
        match self.verdict {
            Verdict::Allowed => Ok(()),
            Verdict::Refused => f.write_str(" (refused)"),
        }
    }
}

/// Keys, and tables ending in a dot, that may change when a run is resumed.
const ALLOWED: &[&str] = &[
    "name",
    "train.recompute",
    "train.arena_mib",
    "train.steps",
    "train.log_every",
    "train.evaluate_every",
    "train.evaluation_examples",
    "train.generate_tokens",
    "train.checkpoint_every",
    "train.keep_checkpoints",
    "train.nonfinite_limit",
    "data.bad_sample_budget",
    "train.logging.",
    "train.evaluation.",
    "train.checkpoints.",
];

/// The keys in which two resolved files differ, in the order of their names.
pub fn compare(before: &str, after: &str) -> Vec<Change> {
    let (before, after) = (keys(before), keys(after));
    let mut all: Vec<&String> = before.keys().chain(after.keys()).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| Change {
            key: key.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
            verdict: verdict(key),
        })
        .collect()
}

/// One line per change, for people; empty without changes.
pub fn describe(changes: &[Change]) -> String {
    changes
        .iter()
        .map(|change| format!("  {change}\n"))
        .collect()
}

fn verdict(key: &str) -> Verdict {
    // `evaluation_path` of any source: what is looked at, not what is trained on.
    let looked_at = key.starts_with("data.sources.") && key.ends_with(".evaluation_path");
    let allowed = ALLOWED.iter().any(|allowed| {
        if allowed.ends_with('.') {
            key.starts_with(allowed)
        } else {
            key == *allowed
        }
    });
    if allowed || looked_at {
        Verdict::Allowed
    } else {
        Verdict::Refused
    }
}

/// Dotted keys and the text of their values. The text is canonical TOML (one key per line,
/// values possibly over several lines), so no full parser is needed to compare it.
fn keys(text: &str) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    let mut table = String::new();
    let mut tables: BTreeMap<String, usize> = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix("[[")
            .and_then(|line| line.split_once("]]"))
        {
            // Members of an array of tables are told apart by their number.
            let count = tables.entry(name.0.trim().to_string()).or_default();
            table = format!("{}[{count}].", name.0.trim());
            *count += 1;
            continue;
        }
        if let Some((name, _)) = line
            .strip_prefix('[')
            .and_then(|line| line.rsplit_once(']'))
        {
            table = format!("{}.", name.trim());
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            // No key: kept, so that a difference in it is not overlooked.
            keys.insert(format!("{table}{line}"), String::new());
            continue;
        };
        let mut value = value.trim().to_string();
        let mut open = Open::default();
        open.scan(&value);
        while open.unfinished() {
            let Some(next) = lines.next() else { break };
            open.scan("\n");
            open.scan(next);
            value.push('\n');
            value.push_str(next.trim_end());
        }
        let mut key = format!("{table}{}", key.trim());
        // A key given twice is no TOML; keep both rather than hide one.
        while keys.contains_key(&key) {
            key.push('\'');
        }
        keys.insert(key, value);
    }
    keys
}

/// What of a value is still open at the end of a line.
#[derive(Default)]
struct Open {
    brackets: usize,
    quote: Option<&'static str>,
}

impl Open {
    fn unfinished(&self) -> bool {
        self.brackets > 0 || self.quote.is_some()
    }

    fn scan(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let mut step = first.len_utf8();
            match self.quote {
                Some(quote) => {
                    if first == '\\' && quote.starts_with('"') {
                        step += rest[1..].chars().next().map_or(0, char::len_utf8);
                    } else if rest.starts_with(quote) {
                        step = quote.len();
                        self.quote = None;
                    } else if first == '\n' && quote.len() == 1 {
                        // A one-line string cannot go on: malformed, stop looking.
                        self.quote = None;
                    }
                }
                None => {
                    let quote = ["\"\"\"", "'''", "\"", "'"]
                        .into_iter()
                        .find(|quote| rest.starts_with(quote));
                    if let Some(quote) = quote {
                        step = quote.len();
                        self.quote = Some(quote);
                    } else if first == '#' {
                        return;
                    } else if matches!(first, '[' | '{') {
                        self.brackets += 1;
                    } else if matches!(first, ']' | '}') {
                        self.brackets = self.brackets.saturating_sub(1);
                    }
                }
            }
            rest = &rest[step..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"name = "tiny"

[connector]
image_tokens = 16
kind = "avg-pool"

[data.sources.captions]
prompt = "a = [b"
weight = 0.45

[train]
no_decay = [
    "*.bias",
    "*.norm.*",
]
seed = 1
steps = 100
"#;

    #[test]
    fn equal_files_have_no_changes() {
        assert!(compare(BASE, BASE).is_empty());
        let reordered = BASE.replace("seed = 1\nsteps = 100", "steps = 100\n\n# why\nseed = 1");
        assert!(compare(BASE, &reordered).is_empty());
    }

    #[test]
    fn every_key_is_judged() {
        let cases = [
            (
                "steps = 100",
                "steps = 200",
                "train.steps",
                Verdict::Allowed,
            ),
            ("\"tiny\"", "\"other\"", "name", Verdict::Allowed),
            ("seed = 1", "seed = 2", "train.seed", Verdict::Refused),
            (
                "image_tokens = 16",
                "image_tokens = 9",
                "connector.image_tokens",
                Verdict::Refused,
            ),
            (
                "weight = 0.45",
                "weight = 0.5",
                "data.sources.captions.weight",
                Verdict::Refused,
            ),
            ("*.norm.*", "*.gain", "train.no_decay", Verdict::Refused),
            (
                "a = [b",
                "a = {b",
                "data.sources.captions.prompt",
                Verdict::Refused,
            ),
        ];
        for (from, to, key, verdict) in cases {
            let changes = compare(BASE, &BASE.replace(from, to));
            assert_eq!(changes.len(), 1, "{changes:?}");
            assert_eq!((&*changes[0].key, changes[0].verdict), (key, verdict));
        }
    }

    #[test]
    fn added_and_removed_keys_are_changes() {
        let text = BASE.replace("seed = 1\n", "") + "log_every = 5\nbeta1 = 0.9\n";
        let changes = compare(BASE, &text);
        assert_eq!(
            describe(&changes),
            "  train.beta1: (absent) -> 0.9 (refused)\n  \
             train.log_every: (absent) -> 5\n  \
             train.seed: 1 -> (absent) (refused)\n"
        );
    }

    #[test]
    fn values_over_several_lines_are_one() {
        let text =
            "a = \"\"\"\nb = 1\n\"\"\"\n[[node]]\nx = 1\n[[node]]\nx = 2 # [\ny = { z = [\n1] }\n";
        let found = keys(text);
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["a", "node[0].x", "node[1].x", "node[1].y"]);
        assert_eq!(found["a"], "\"\"\"\nb = 1\n\"\"\"");
    }

    #[test]
    fn no_text_makes_it_panic() {
        for text in [
            "=",
            "[",
            "[[",
            "]]",
            "a = [",
            "a = \"",
            "a = \"\\",
            "é = \"\\é",
            "a\na",
        ] {
            let _ = compare(text, BASE);
        }
    }

    #[test]
    fn policies_parse() {
        assert_eq!("auto".parse(), Ok(Resume::Auto));
        assert_eq!("never".parse(), Ok(Resume::Never));
        assert_eq!(
            "x/step-000001".parse(),
            Ok(Resume::From("x/step-000001".into()))
        );
    }
}
