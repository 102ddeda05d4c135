//! What a person looks at after a run: the loss curve and a page of results.

pub mod html;
mod picture;
mod study;
pub mod svg;

pub use html::{Report, Sample, write_report};
pub use picture::png_data_uri;
pub use study::{StudyPage, StudyPicture, StudyTable, StudyVariant};
pub use svg::{Chart, Series, line_chart};

/// `text` with the characters that mean something in HTML and SVG replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML allows no other control characters, not even escaped.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}
