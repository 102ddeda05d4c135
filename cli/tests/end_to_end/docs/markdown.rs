//! What the tests read of a page: its code blocks, headings and links.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().expect("the repository")
}

/// Every page: README and the Markdown files below `docs/`, from the root on, sorted.
pub fn pages() -> Vec<String> {
    let mut found = vec!["README.md".to_string()];
    let mut waiting = vec!["docs".to_string()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("UTF-8");
            let path = format!("{folder}/{name}");
            if entry.file_type().expect("a type").is_dir() {
                waiting.push(path);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The text of a page.
pub fn text(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// A fenced block of code.
#[derive(Debug, PartialEq)]
pub struct Block {
    /// What stands behind the fence: the language, and marks.
    pub info: String,
    /// What is between the fences.
    pub text: String,
    /// The line of the first fence, from 1.
    pub line: usize,
}

/// The blocks of a page in order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut inside = false;
    for (number, line) in page.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            if !inside {
                found.push(Block {
                    info: info.trim().to_string(),
                    text: String::new(),
                    line: number + 1,
                });
            }
            inside = !inside;
        } else if let Some(block) = found.last_mut().filter(|_| inside) {
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    assert!(!inside, "a fence that is not closed");
    found
}

/// The page without blocks of code and without code in lines, whose brackets are no links.
fn prose(page: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for line in page.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if !inside {
            let parts = line.split('`').enumerate();
            let parts: Vec<&str> = parts.filter(|(at, _)| at % 2 == 0).map(|it| it.1).collect();
            out.push_str(&parts.join("`"));
            out.push('\n');
        }
    }
    out
}

/// Where the links and pictures of a page lead.
pub fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    let targets = prose
        .match_indices("](")
        .filter_map(|(at, _)| prose[at + 2..].split([')', ' ']).next());
    targets.map(str::to_string).collect()
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
pub fn anchors(page: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut inside = false;
    let mut found = Vec::new();
    for line in page.lines() {
        inside ^= line.starts_with("```");
        let title = line.trim_start_matches('#');
        let depth = line.len() - title.len();
        if inside || depth == 0 || !title.starts_with(' ') {
            continue;
        }
        let anchor: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            })
            .collect();
        let count = seen.entry(anchor.clone()).or_default();
        found.push(match *count {
            0 => anchor,
            count => format!("{anchor}-{count}"),
        });
        *count += 1;
    }
    found
}

#[test]
fn a_page_is_read() {
    let page = "# One `two`: (3)\n\n[a](b.md#c) and `[no](link)`\n```sh no-run\n# no heading\n```\n\
                ## One\n![x](y.svg \"t\")\n## One\n";
    assert_eq!(anchors(page), ["one-two-3", "one", "one-1"]);
    assert_eq!(links(page), ["b.md#c", "y.svg"]);
    let block = Block {
        info: "sh no-run".to_string(),
        text: "# no heading\n".to_string(),
        line: 4,
    };
    assert_eq!(blocks(page), [block]);
}
