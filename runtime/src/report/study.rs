//! The page of a study: verdicts, curves, what each variant changes, what it says of pictures. One file
//! without outside files or scripts, light or dark as the reader's system says.

use std::fmt::Write as _;

use super::escape;
use super::html::{STYLE, Sample, table, wide_table};

/// A table with its title.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StudyTable {
    /// What it is.
    pub title: String,
    /// The head.
    pub head: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
    /// What the numbers mean, below; may be empty.
    pub note: String,
}

/// A variant's part of the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StudyVariant {
    /// Its name.
    pub name: String,
    /// Keys that it changes, a line each.
    pub changes: String,
}

/// A held-out picture with what the variants say of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StudyPicture {
    /// The picture, what was asked and what is right; it has no answer of its own.
    pub shown: Sample,
    /// Names of variants and their answers.
    pub answers: Vec<(String, String)>,
}

/// Everything on the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StudyPage {
    /// Name of the study.
    pub title: String,
    /// What was compared, in a sentence.
    pub lead: String,
    /// The first stands above the curves, the others below.
    pub tables: Vec<StudyTable>,
    /// Charts, SVG text.
    pub curves: Vec<String>,
    /// The base and the variants.
    pub variants: Vec<StudyVariant>,
    /// Held-out pictures.
    pub pictures: Vec<StudyPicture>,
    /// The study's file.
    pub source: String,
}

/// Rules beside those of a run's report.
const MORE: &str = "\
body{max-width:72rem}td,th{white-space:nowrap}\
tr td:first-child{font-weight:600}\
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:1rem}\
.samples{grid-template-columns:repeat(auto-fill,minmax(min(22rem,100%),1fr))}\
figure{display:flex;gap:1rem;align-items:start}figure img{flex:none;width:7rem}\
figcaption{flex:1;min-width:0;overflow-x:auto}\
figcaption td:first-child{overflow-wrap:break-word}figcaption td{font-size:.85em;padding:.1rem .8rem .1rem 0;\
white-space:normal;vertical-align:top}figcaption tr:last-child td{border:0}\
td.good{color:var(--good)}td.bad{color:var(--bad)}\
:root{--good:#176b39;--bad:#a3341c}\
@media(prefers-color-scheme:dark){:root{--good:#6fd6a2;--bad:#ff9d7c}}";

impl StudyPage {
    /// The page.
    pub fn to_html(&self) -> String {
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n\
             <title>{0}</title>\n<style>{STYLE}{MORE}</style>\n</head>\n<body>\n<h1>{0}</h1>\n\
             <p>{1}</p>\n",
            escape(&self.title),
            escape(&self.lead)
        );
        let mut tables = self.tables.iter();
        if let Some(first) = tables.next() {
            first.write(&mut out);
        }
        if !self.curves.is_empty() {
            out.push_str("<h2>Curves</h2>\n<div class=\"charts\">\n");
            for curve in &self.curves {
                let _ = writeln!(out, "<div>{curve}</div>");
            }
            out.push_str("</div>\n");
        }
        tables.for_each(|it| it.write(&mut out));
        out.push_str("<h2>What each variant changes</h2>\n");
        for variant in &self.variants {
            let changes = match variant.changes.trim_end() {
                "" => "nothing",
                changes => changes,
            };
            let (name, changes) = (escape(&variant.name), escape(changes));
            let _ = writeln!(out, "<h3>{name}</h3>\n<pre>{changes}</pre>");
        }
        if !self.pictures.is_empty() {
            out.push_str("<h2>Held-out pictures</h2>\n<div class=\"samples\">\n");
            self.pictures.iter().for_each(|it| it.write(&mut out));
            out.push_str("</div>\n");
        }
        if !self.source.is_empty() {
            let source = escape(&self.source);
            let _ = writeln!(out, "<h2>The study</h2>\n<pre>{source}</pre>");
        }
        out.push_str("</body>\n</html>\n");
        out
    }
}

impl StudyPicture {
    /// The pictures of all variants, each once, in the order in which a variant has them.
    pub fn together(variants: &[(String, Vec<Sample>)]) -> Vec<Self> {
        let most = variants.iter().map(|it| it.1.len()).max().unwrap_or(0);
        let mut out: Vec<Self> = Vec::new();
        for place in 0..most {
            for (name, samples) in variants {
                let Some(sample) = samples.get(place) else {
                    continue;
                };
                let shown = Sample {
                    answer: String::new(),
                    ..sample.clone()
                };
                let answer = (name.clone(), sample.answer.clone());
                match out.iter_mut().find(|it| it.shown == shown) {
                    Some(known) => known.answers.push(answer),
                    None => out.push(Self {
                        shown,
                        answers: vec![answer],
                    }),
                }
            }
        }
        out
    }

    fn write(&self, out: &mut String) {
        let Sample {
            picture,
            prompt,
            reference,
            ..
        } = &self.shown;
        let _ = write!(
            out,
            "<figure><img src=\"{}\" alt=\"{}\"/><figcaption>",
            escape(picture),
            escape(reference)
        );
        if !prompt.is_empty() {
            let _ = write!(out, "<span>prompt</span>{}", escape(prompt));
        }
        let _ = writeln!(out, "<span>reference</span>{}", escape(reference));
        let rows = self.answers.iter();
        let rows = rows.map(|(name, answer)| vec![name.clone(), answer.clone()]);
        table(out, &[], rows);
        out.push_str("</figcaption></figure>\n");
    }
}

impl StudyTable {
    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "<h2>{}</h2>", escape(&self.title));
        let mut text = String::new();
        wide_table(&mut text, &self.head, self.rows.iter().cloned());
        // Words stand beside the colour: nothing relies on it.
        for (word, class) in [("better", "good"), ("worse", "bad")] {
            let plain = format!("<td>{word}</td>");
            text = text.replace(&plain, &format!("<td class=\"{class}\">{word}</td>"));
        }
        out.push_str(&text);
        if !self.note.is_empty() {
            let _ = writeln!(out, "<p class=\"soft\">{}</p>", escape(&self.note));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::svg::tests::well_formed;
    use crate::report::{Chart, Series, line_chart};

    #[test]
    fn the_page_nests_and_needs_nothing_else() {
        let series = Series {
            name: "base".into(),
            points: vec![(1.0, 2.0), (2.0, 1.0)],
        };
        let table = StudyTable {
            title: "Verdicts".into(),
            head: vec!["variant".into(), "verdict".into()],
            rows: vec![
                vec!["tokens <9>".into(), "better".into()],
                vec!["mlp".into(), "worse".into()],
                vec!["pool".into(), "within noise".into()],
            ],
            note: "Student's".into(),
        };
        let page = StudyPage {
            title: "a & b".into(),
            lead: "two variants".into(),
            tables: vec![table.clone(), table],
            curves: vec![line_chart(&Chart {
                series: vec![series],
                ..Chart::default()
            })],
            variants: vec![StudyVariant {
                name: "mlp".into(),
                changes: "~ connector.kind: \"avg-pool\" -> \"mlp\"\n".into(),
            }],
            pictures: vec![StudyPicture {
                shown: Sample {
                    picture: "data:image/png;base64,AA==".into(),
                    reference: "one red circle".into(),
                    ..Sample::default()
                },
                answers: vec![("mlp".into(), "two <red> circles".into())],
            }],
            source: "base = \"x.toml\"".into(),
        };
        let html = page.to_html();
        well_formed(html.trim_start_matches("<!doctype html>\n")).expect("the page nests");
        for part in [
            "a &amp; b",
            "tokens &lt;9&gt;",
            "<td class=\"good\">better</td>",
            "<td class=\"bad\">worse</td>",
            "<td>within noise</td>",
            "-&gt; &quot;mlp&quot;",
            "<td>two &lt;red&gt; circles</td>",
            "one red circle",
            "<svg",
            "prefers-color-scheme:dark",
        ] {
            assert!(html.contains(part), "{part} is missing");
        }
        assert!(!html.contains("<script") && !html.contains("https://"));
        assert_eq!(html.matches("http://").count(), 1, "the SVG namespace");
    }

    #[test]
    fn a_picture_stands_once() {
        let sample = |picture: &str, answer: &str| Sample {
            picture: picture.into(),
            answer: answer.into(),
            ..Sample::default()
        };
        let found = StudyPicture::together(&[
            ("base".into(), vec![sample("p", "1"), sample("q", "2")]),
            ("slow".into(), vec![sample("p", "3"), sample("q", "4")]),
            ("small".into(), vec![sample("r", "5")]),
        ]);
        let list: Vec<String> = found
            .iter()
            .map(|it| {
                let answers = it
                    .answers
                    .iter()
                    .map(|(name, said)| format!(" {name} {said}"));
                it.shown.picture.clone() + &answers.collect::<String>()
            })
            .collect();
        assert_eq!(list, ["p base 1 slow 3", "r small 5", "q base 2 slow 4"]);
    }
}
