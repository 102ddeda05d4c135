//! `report.html`: one page without outside files, light or dark as the reader's system says.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::escape;
use crate::engine::RunError;

/// A held-out picture with the model's words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// `data:` address of the picture ([`super::png_data_uri`]).
    pub picture: String,
    /// What the model was asked; may be empty.
    pub prompt: String,
    /// What the model says.
    pub answer: String,
    /// What it should say.
    pub reference: String,
}

/// Everything on the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Name of the model.
    pub title: String,
    /// Facts in a line each: name and value.
    pub facts: Vec<(String, String)>,
    /// The loss curve, SVG text.
    pub curve: String,
    /// Head of the results table.
    pub columns: Vec<String>,
    /// Rows of the results table, as long as `columns`.
    pub results: Vec<Vec<String>>,
    /// What the results mean, under the table.
    pub note: String,
    /// Held-out pictures.
    pub samples: Vec<Sample>,
    /// The resolved graph file.
    pub config: String,
}

/// Rules of all pages.
pub(super) const STYLE: &str = "\
:root{color-scheme:light dark;--back:#fff;--text:#1c1c1c;--soft:#666;--line:#ddd;--card:#f6f6f6}
@media(prefers-color-scheme:dark){:root{--back:#16181c;--text:#e6e6e6;--soft:#a0a0a0;--line:#333;--card:#20242a}}
body{background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse}td,th{padding:.25rem .8rem .25rem 0;text-align:left;border-bottom:1px solid var(--line)}
td+td{font-variant-numeric:tabular-nums}
svg{max-width:100%;height:auto}.wide{overflow-x:auto}
.samples{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:1rem}
figure{margin:0;padding:.8rem;background:var(--card);border-radius:.4rem}
img{width:100%;image-rendering:pixelated}
figcaption{overflow-wrap:anywhere}figcaption span{color:var(--soft);font-size:.85em;display:block}
pre{background:var(--card);padding:1rem;overflow:auto;font-size:.85em}
.soft{color:var(--soft)}";

impl Report {
    /// The page.
    pub fn to_html(&self) -> String {
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n\
             <title>{0}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
            escape(&self.title)
        );
        if !self.facts.is_empty() {
            let rows = self
                .facts
                .iter()
                .map(|(name, value)| vec![name.clone(), value.clone()]);
            wide_table(&mut out, &[], rows);
        }
        if !self.curve.is_empty() {
            let _ = writeln!(out, "<h2>Loss</h2>\n{}", self.curve);
        }
        if !self.results.is_empty() {
            out.push_str("<h2>Held-out results</h2>\n");
            wide_table(&mut out, &self.columns, self.results.iter().cloned());
            let _ = writeln!(out, "<p class=\"soft\">{}</p>", escape(&self.note));
        }
        if !self.samples.is_empty() {
            out.push_str("<h2>Held-out pictures</h2>\n<div class=\"samples\">\n");
            for sample in &self.samples {
                sample.write(&mut out);
            }
            out.push_str("</div>\n");
        }
        if !self.config.is_empty() {
            let _ = writeln!(
                out,
                "<h2>Configuration</h2>\n<pre>{}</pre>",
                escape(&self.config)
            );
        }
        out.push_str("</body>\n</html>\n");
        out
    }
}

impl Sample {
    /// The picture with its words.
    pub(super) fn write(&self, out: &mut String) {
        let _ = write!(
            out,
            "<figure><img src=\"{}\" alt=\"{}\"/><figcaption>",
            escape(&self.picture),
            escape(&self.reference)
        );
        for (label, text) in [
            ("prompt", &self.prompt),
            ("model", &self.answer),
            ("reference", &self.reference),
        ] {
            if !(label == "prompt" && text.is_empty()) {
                let _ = write!(out, "<span>{label}</span>{}", escape(text));
            }
        }
        out.push_str("</figcaption></figure>\n");
    }
}

/// A table; the head may be empty.
pub(super) fn table(out: &mut String, head: &[String], rows: impl Iterator<Item = Vec<String>>) {
    out.push_str("<table>\n");
    if !head.is_empty() {
        row(out, "th", head);
    }
    for cells in rows {
        row(out, "td", &cells);
    }
    out.push_str("</table>\n");
}

/// A table that scrolls by itself where the page is too narrow for it.
pub(super) fn wide_table(
    out: &mut String,
    head: &[String],
    rows: impl Iterator<Item = Vec<String>>,
) {
    out.push_str("<div class=\"wide\">\n");
    table(out, head, rows);
    out.push_str("</div>\n");
}

fn row(out: &mut String, tag: &str, cells: &[String]) {
    out.push_str("<tr>");
    for cell in cells {
        let _ = write!(out, "<{tag}>{}</{tag}>", escape(cell));
    }
    out.push_str("</tr>\n");
}

/// Writes `report.html`, `loss.svg` and `samples.json`, which has the held-out pictures for other pages,
/// into `directory`.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_report(directory: &Path, report: &Report) -> Result<(), RunError> {
    let samples = serde_json::to_string(&report.samples)
        .map_err(|error| RunError::io(directory, std::io::Error::other(error)))?;
    for (name, text) in [
        ("loss.svg", &report.curve),
        ("report.html", &report.to_html()),
        ("samples.json", &samples),
    ] {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|source| RunError::io(&path, source))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::svg::tests::well_formed;
    use crate::report::{Chart, Series, line_chart, png_data_uri};

    #[test]
    fn the_page_holds_pictures_words_and_results() {
        let picture = png_data_uri(&[200; 12], 2, 2).expect("the sizes fit");
        let report = Report {
            title: "tiny <model>".into(),
            facts: vec![("steps".into(), "20".into())],
            curve: line_chart(&Chart {
                series: vec![Series {
                    name: "train".into(),
                    points: vec![(1.0, 2.0), (2.0, 1.0)],
                }],
                ..Chart::default()
            }),
            columns: vec!["task".into(), "model".into(), "majority".into()],
            results: vec![vec!["colour".into(), "91.0 %".into(), "14.2 %".into()]],
            note: "free greedy text".into(),
            samples: vec![Sample {
                picture: picture.clone(),
                prompt: String::new(),
                answer: "two <red> circles".into(),
                reference: "two \"red\" circles".into(),
            }],
            config: "a = 1 & 2".into(),
        };
        let html = report.to_html();
        well_formed(html.trim_start_matches("<!doctype html>\n")).expect("the page nests");
        for part in [
            picture.as_str(),
            "two &lt;red&gt; circles",
            "alt=\"two &quot;red&quot; circles\"",
            "91.0 %",
            "14.2 %",
            "<svg",
            "prefers-color-scheme:dark",
            "a = 1 &amp; 2",
        ] {
            assert!(html.contains(part), "{part} is missing");
        }
        assert!(
            !html.contains("http://") || html.matches("http://").count() == 1,
            "only the SVG namespace"
        );
    }

    #[test]
    fn files_are_written() {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let report = Report {
            curve: line_chart(&Chart::default()),
            ..Report::default()
        };
        write_report(directory.path(), &report).expect("the folder is writable");
        assert!(directory.path().join("loss.svg").exists());
        let missing = directory.path().join("none");
        assert!(write_report(&missing, &report).is_err());
    }
}
