//! Golden text: what was found against what is kept in the repository.
//!
//! `MM1C_BLESS=1` rewrites the kept files; where `CI` is set that is refused.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// Whether the kept files are to be rewritten.
///
/// # Panics
/// Under continuous integration, which must not change what it checks.
pub fn bless() -> bool {
    let asked = std::env::var_os("MM1C_BLESS").is_some_and(|value| value == "1");
    assert!(
        !(asked && std::env::var_os("CI").is_some()),
        "MM1C_BLESS=1 is refused where CI is set"
    );
    asked
}

/// Compares text with a kept file, or rewrites it.
///
/// # Errors
/// A unified diff and how to accept it.
pub fn check(path: &Path, found: &str) -> Result<(), String> {
    let kept = fs::read_to_string(path).unwrap_or_default();
    if kept == found {
        return Ok(());
    }
    if bless() {
        let folder = path.parent().ok_or("a golden file is in a folder")?;
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, found));
        return written.map_err(|error| format!("{}: {error}", path.display()));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = path.strip_prefix(root).unwrap_or(path).display();
    Err(format!(
        "--- tests/{name}\n+++ found\n{}MM1C_BLESS=1 cargo test --release -p mm1-tests accepts it\n",
        diff(&kept, found)
    ))
}

/// A unified diff by lines.
pub fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = (old.len() - head).min(new.len() - head);
    let tails = old.iter().rev().zip(new.iter().rev()).take(rest);
    let tail = tails.take_while(|(a, b)| a == b).count();
    let script = edits(&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut lines: Vec<(char, &str)> = old[..head].iter().map(|line| (' ', *line)).collect();
    lines.extend(script);
    lines.extend(old[old.len() - tail..].iter().map(|line| (' ', *line)));
    hunks(&lines)
}

/// Removed, added and kept lines in order: the longest common subsequence where the texts are
/// small enough to look for it, else all of the old before all of the new.
fn edits<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<(char, &'t str)> {
    if old.len().saturating_mul(new.len()) > 4_000_000 {
        let removed = old.iter().map(|line| ('-', *line));
        return removed.chain(new.iter().map(|line| ('+', *line))).collect();
    }
    let mut common = vec![vec![0u32; new.len() + 1]; old.len() + 1];
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            common[i][j] = if a == b {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut script = Vec::with_capacity(old.len() + new.len());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            script.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            script.push(('-', old[i]));
            i += 1;
        } else {
            script.push(('+', new[j]));
            j += 1;
        }
    }
    script
}

fn hunks(lines: &[(char, &str)]) -> String {
    let near = |at: usize| {
        let begin = at.saturating_sub(CONTEXT);
        let end = (at + CONTEXT + 1).min(lines.len());
        lines[begin..end].iter().any(|(sign, _)| *sign != ' ')
    };
    let (mut old, mut new) = (1, 1);
    let mut text = String::new();
    let mut open = false;
    for (at, (sign, line)) in lines.iter().enumerate() {
        let shown = near(at);
        if shown && !open {
            let _ = writeln!(text, "@@ -{old} +{new} @@");
        }
        if shown {
            let _ = writeln!(text, "{sign}{line}");
        }
        open = shown;
        old += usize::from(*sign != '+');
        new += usize::from(*sign != '-');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn a_diff_shows_changes_with_their_surroundings() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let new = "a\nb\nc\nd\nE\nf\ng\nh\ni\n";
        let wanted = "@@ -2 +2 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n+i\n";
        assert_eq!(diff(old, new), wanted);
        assert_eq!(diff("", "x\n"), "@@ -1 +1 @@\n+x\n");
        assert_eq!(diff("x\ny\n", ""), "@@ -1 +1 @@\n-x\n-y\n");
    }
}
