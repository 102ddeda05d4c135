//! The book has every page once, and every link leads to a file, and to a heading where it names one.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::markdown::{anchors, links, pages, root, text};

/// `path` without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(out.pop(), "{} leaves the root", path.display()),
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

#[test]
fn the_book_has_every_page_once() {
    let mut counts: BTreeMap<String, usize> = pages()
        .into_iter()
        .filter_map(|page| Some((page.strip_prefix("docs/")?.to_string(), 0)))
        .collect();
    assert!(counts.len() > 20, "{counts:?}");
    assert_eq!(counts.remove("SUMMARY.md"), Some(0));
    for link in links(&text("docs/SUMMARY.md")) {
        let count = counts.get_mut(&link);
        *count.unwrap_or_else(|| panic!("SUMMARY.md names {link}, which is no page")) += 1;
    }
    let wrong: Vec<_> = counts.iter().filter(|it| *it.1 != 1).collect();
    assert!(wrong.is_empty(), "not once in SUMMARY.md: {wrong:?}");
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    let mut faults = Vec::new();
    for page in pages() {
        let content = text(&page);
        let folder = Path::new(&page).parent().expect("a folder");
        for link in links(&content) {
            if link.contains("://") {
                continue;
            }
            checked += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => PathBuf::from(&page),
                file => plain(&folder.join(file)),
            };
            let exists = root().join(&target).exists();
            // The book holds `docs/` alone: a link out of it would be dead there.
            let inside = page == "README.md" || target.starts_with("docs");
            let page_of = |it: &Path| it.extension().is_some_and(|end| end == "md");
            // A folder has no page in the book.
            let shown = page == "README.md" || root().join(&target).is_file();
            let heading = anchor.is_empty()
                || (exists && page_of(&target) && {
                    let target = text(target.to_str().expect("UTF-8"));
                    anchors(&target).iter().any(|it| it == anchor)
                });
            if !(exists && inside && shown && heading) {
                faults.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(checked > 80, "{checked}");
    assert!(faults.is_empty(), "dead links:\n{}", faults.join("\n"));
}
