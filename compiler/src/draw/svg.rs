//! A picture as SVG, for light and dark pages.

use std::fmt::Write as _;

use super::layout::{BOX_HEIGHT, Layout, Line, bend, layout};
use super::{Folded, Picture};

/// Colours by the part of the model: light fill and line, dark fill and line.
const PARTS: &[(&str, [&str; 4])] = &[
    ("encoder", ["#dcebfb", "#3b74b8", "#1c3350", "#79aee8"]),
    ("connector", ["#dff3e3", "#35814a", "#1b3d26", "#76c98c"]),
    ("decoder", ["#fdebd3", "#b26a12", "#46300f", "#e6a75a"]),
    ("input", ["#eeeeee", "#777777", "#333333", "#a8a8a8"]),
    ("other", ["#ece4f7", "#7453a6", "#33264a", "#b195dd"]),
];

/// The picture under a title.
pub fn svg(picture: &Picture, title: &str) -> String {
    let captions: Vec<[String; 2]> = picture.boxes.iter().map(caption).collect();
    let longest = |lines: &[String; 2]| {
        let [first, second] = lines;
        match first.chars().count() > second.chars().count() {
            true => first.clone(),
            false => second.clone(),
        }
    };
    let widths: Vec<String> = captions.iter().map(longest).collect();
    let Layout {
        places,
        lines,
        width,
        height,
    } = layout(picture, &widths);
    let width = width.max(super::layout::width(title) * 1.2 + 48.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"13\">\n{}",
        style()
    );
    let _ = writeln!(
        text,
        "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>"
    );
    let _ = writeln!(
        text,
        "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"24\" y=\"34\">{}</text>",
        escaped(title)
    );
    lines.iter().for_each(|it| line(&mut text, it));
    lines.iter().for_each(|it| label(&mut text, it));
    for ((folded, place), [first, second]) in picture.boxes.iter().zip(&places).zip(&captions) {
        let (x, y, middle) = (place.x, place.y, place.x + place.width / 2.0);
        let radius = if folded.is_input {
            BOX_HEIGHT / 2.0
        } else {
            6.0
        };
        let _ = writeln!(
            text,
            "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" \
             height=\"{:.1}\" rx=\"{radius}\"/>",
            part(folded),
            place.width,
            place.height
        );
        let y = y + (place.height - BOX_HEIGHT) / 2.0;
        let first_y = if second.is_empty() {
            y + 27.0
        } else {
            y + 20.0
        };
        let _ = writeln!(
            text,
            "<text class=\"name\" x=\"{middle:.1}\" y=\"{first_y:.1}\">{}</text>",
            escaped(first)
        );
        if !second.is_empty() {
            let _ = writeln!(
                text,
                "<text class=\"facts\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
                y + 36.0,
                escaped(second)
            );
        }
    }
    text.push_str("</svg>\n");
    text
}

fn style() -> String {
    let mut light = String::from(
        ".page{fill:#ffffff}.title,.name{fill:#1a1a1a}.facts,.sizes{fill:#555555}\
         .line{stroke:#8a8a8a}.tip{fill:#8a8a8a}",
    );
    let mut dark = String::from(
        ".page{fill:#16181c}.title,.name{fill:#f0f0f0}.facts,.sizes{fill:#b4b4b4}\
         .line{stroke:#7d7d7d}.tip{fill:#7d7d7d}",
    );
    for (part, [fill, line, dark_fill, dark_line]) in PARTS {
        let _ = write!(light, ".{part}{{fill:{fill};stroke:{line}}}");
        let _ = write!(dark, ".{part}{{fill:{dark_fill};stroke:{dark_line}}}");
    }
    format!(
        "<style>.title{{font-size:17px;font-weight:600}}.name{{font-weight:600;text-anchor:middle}}\
         .facts{{font-size:11.5px;text-anchor:middle}}.sizes{{font-size:11.5px}}\
         .line{{fill:none;stroke-width:1.4}}rect{{stroke-width:1.4}}.page{{stroke:none}}\n{light}\n\
         @media (prefers-color-scheme:dark){{{dark}}}</style>\n"
    )
}

fn line(text: &mut String, line: &Line) {
    let mut path = String::new();
    match line.points.as_slice() {
        [from @ (x, y), to @ (to_x, to_y)] => {
            let middle = bend(*from, *to);
            let _ = write!(
                path,
                "M{x:.1} {y:.1}C{x:.1} {middle:.1} {to_x:.1} {middle:.1} {to_x:.1} {to_y:.1}"
            );
        }
        points => {
            for (number, (x, y)) in points.iter().enumerate() {
                let step = if number == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{step}{x:.1} {y:.1}");
            }
        }
    }
    let _ = writeln!(
        text,
        "<path class=\"line\" d=\"{path}\" marker-end=\"url(#tip)\"/>"
    );
}

/// The sizes beside a line, over all lines, which are interrupted there.
fn label(text: &mut String, line: &Line) {
    let (x, y) = line.label;
    let _ = writeln!(
        text,
        "<rect class=\"page\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\"/>\
         <text class=\"sizes\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
        x - 2.0,
        y - 10.0,
        super::layout::width(&line.text) + 3.0,
        escaped(&line.text)
    );
}

/// Name with repetitions, and what is inside.
fn caption(folded: &Folded) -> [String; 2] {
    let name = match folded.repeats {
        1 => folded.path.clone(),
        repeats => format!("{} × {repeats}", folded.path),
    };
    let facts = match (folded.is_input, folded.parameters) {
        (true, _) => "input".to_owned(),
        (false, 0) => count(folded.nodes, "node"),
        (false, parameters) => {
            format!(
                "{}, {} parameters",
                count(folded.nodes, "node"),
                short(parameters)
            )
        }
    };
    [name, facts]
}

fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

/// Three digits and a unit.
#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
fn short(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        1000..1_000_000 => format!("{:.3} k", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.3} M", number as f64 / 1e6),
        _ => format!("{:.3} G", number as f64 / 1e9),
    }
}

fn part(folded: &Folded) -> &'static str {
    let first = folded.path.split('.').next().unwrap_or_default();
    let known = PARTS.iter().find(|(part, _)| *part == first);
    match (folded.is_input, known) {
        (true, _) => "input",
        (false, Some((part, _))) => part,
        (false, None) => "other",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Flow;

    #[test]
    fn the_picture_holds_names_sizes_and_nothing_unescaped() {
        let named = |path: &str, is_input| Folded {
            path: path.to_owned(),
            repeats: 12,
            nodes: 3,
            parameters: 1_234_567,
            is_input,
        };
        let picture = Picture {
            boxes: vec![named("pixels", true), named("decoder.blocks", false)],
            flows: vec![Flow {
                from: 0,
                to: 1,
                sizes: vec!["images × 3".to_owned()],
            }],
        };
        let text = svg(&picture, "a<b");
        for part in [
            "a&lt;b",
            "decoder.blocks × 12",
            "3 nodes, 1.235 M parameters",
            "images × 3",
            "class=\"decoder\"",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
    }
}
