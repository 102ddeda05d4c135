//! A line chart as SVG text: axes, ticks at round numbers, grid, curves, legend.
//!
//! Colours come from CSS classes with a dark variant, so the file is legible alone in a
//! browser and inside the report. Numbers are printed with fixed decimals, hence equal data
//! give equal bytes.

use std::fmt::Write as _;

use super::escape;

/// What a chart shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// Its title.
    pub title: String,
    /// Name of the upright axis.
    pub unit: String,
    /// Where the axis of steps ends; it begins at 0.
    pub steps: u64,
    /// The curves: steps and values.
    pub series: Vec<Series>,
}

/// One curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Points in the order they are joined; those that are not finite break the line.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 48.0;

/// Light and dark colours of everything in the chart; the two curve colours keep apart
/// under the common kinds of colour blindness.
const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#333}\
.title{font-size:14px;font-weight:600}\
.grid{stroke:#ddd}.axis{stroke:#666}\
.line{fill:none;stroke-width:1.6;stroke-linejoin:round}\
.s0{stroke:#0b62c4}.s1{stroke:#d1570a}.s2{stroke:#2a8a57}.s3{stroke:#8a3fa0}\
.name{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}\
@media(prefers-color-scheme:dark){text{fill:#ddd}.name{stroke:#16181c}.grid{stroke:#333}.axis{stroke:#999}\
.s0{stroke:#6cb0ff}.s1{stroke:#ff9d5c}.s2{stroke:#6fd6a2}.s3{stroke:#d59be8}}";

/// A chart of curves over steps.
pub fn line_chart(chart: &Chart) -> String {
    let Chart {
        title,
        unit,
        steps,
        series,
    } = chart;
    let finite = || {
        series
            .iter()
            .flat_map(|series| &series.points)
            .filter(|(x, y)| x.is_finite() && y.is_finite())
    };
    // A step past the end, which a caller should not have, is shown all the same.
    let last = finite().fold(*steps as f64, |last, point| last.max(point.0));
    let x_axis = Axis::from_zero(last, LEFT, WIDTH - RIGHT);
    let y_axis = Axis::around(finite().map(|point| point.1), HEIGHT - BOTTOM, TOP);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\n<title>{0}</title>\n\
         <style>{STYLE}</style>\n<text class=\"title\" x=\"{LEFT}\" y=\"20\">{0}</text>\n",
        escape(title)
    );
    let bottom = HEIGHT - BOTTOM;
    let right = WIDTH - RIGHT;
    for tick in x_axis.ticks() {
        let at = x_axis.place(tick);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 18.0,
            x_axis.label(tick)
        );
    }
    for tick in y_axis.ticks() {
        let at = y_axis.place(tick);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            y_axis.label(tick)
        );
    }
    let _ = writeln!(
        out,
        "<path class=\"axis\" fill=\"none\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">step</text>\n\
         <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        (LEFT + right) / 2.0,
        HEIGHT - 10.0,
        (TOP + bottom) / 2.0,
        escape(unit)
    );
    for (index, series) in series.iter().enumerate() {
        let class = index % 4;
        let path = path(&series.points, &x_axis, &y_axis);
        if !path.is_empty() {
            let _ = writeln!(out, "<path class=\"line s{class}\" d=\"{path}\"/>");
        }
        let row = TOP + 8.0 + 16.0 * index as f64;
        let _ = writeln!(
            out,
            "<path class=\"line s{class}\" d=\"M{:.1} {row:.1}h18\"/>\
             <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            right - 18.0,
            right - 24.0,
            row + 4.0,
            escape(&series.name)
        );
    }
    out.push_str("</svg>\n");
    out
}

fn path(points: &[(f64, f64)], x_axis: &Axis, y_axis: &Axis) -> String {
    let mut out = String::new();
    let mut pen_down = false;
    for (i, &(x, y)) in points.iter().enumerate() {
        if !(x.is_finite() && y.is_finite()) {
            pen_down = false;
            continue;
        }
        let letter = if pen_down { 'L' } else { 'M' };
        let (x, y) = (x_axis.place(x), y_axis.place(y));
        let _ = write!(out, "{letter}{x:.1} {y:.1}");
        // A point without a finite neighbour would leave no ink.
        let alone = !pen_down
            && points
                .get(i + 1)
                .is_none_or(|next| !(next.0.is_finite() && next.1.is_finite()));
        if alone {
            out.push_str("h1");
        }
        pen_down = true;
    }
    out
}

/// A linear axis with ticks at the multiples of a round step.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// An axis from 0 to `high`, drawn from pixel `from` to pixel `to`; its last tick may be below `high`.
    fn from_zero(high: f64, from: f64, to: f64) -> Self {
        let high = if high > 0.0 { high } else { 1.0 };
        Self {
            low: 0.0,
            high,
            step: round_step(high / 6.0),
            from,
            to,
        }
    }

    /// An axis over `values`, widened to whole ticks, drawn from pixel `from` to pixel `to`.
    fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let (low, high) = match (low <= high, low < high) {
            (false, _) => (0.0, 1.0),
            (true, true) => (low, high),
            (true, false) => {
                let margin = (low.abs() * 0.1).max(0.5);
                (low - margin, low + margin)
            }
        };
        let step = round_step((high - low) / 6.0);
        Self {
            low: (low / step).floor() * step,
            high: (high / step).ceil() * step,
            step,
            from,
            to,
        }
    }

    fn place(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step + 1e-6).floor() as usize;
        (0..=count)
            .map(|i| self.low + i as f64 * self.step)
            .collect()
    }

    fn label(&self, tick: f64) -> String {
        let decimals = (-self.step.log10()).ceil().clamp(0.0, 9.0) as usize;
        let text = format!("{tick:.decimals$}");
        // −0 would be printed where the first tick is a rounded zero.
        match text
            .trim_start_matches('-')
            .bytes()
            .all(|b| matches!(b, b'0' | b'.'))
        {
            true => text.trim_start_matches('-').to_string(),
            false => text,
        }
    }
}

/// The smallest of 1, 2, 5 × 10ⁿ that is at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&candidate| candidate >= step * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Whether tags nest, attributes are quoted and no raw `&` or `<` stands in text.
    pub(crate) fn well_formed(mut text: &str) -> Result<(), String> {
        let mut open: Vec<String> = Vec::new();
        while let Some(at) = text.find('<') {
            if text[..at].contains('>') {
                return Err(format!("stray `>` before {}", &text[at..]));
            }
            let end = text[at..].find('>').ok_or("unclosed tag")? + at;
            let tag = &text[at + 1..end];
            if !tag.matches('"').count().is_multiple_of(2) || tag.contains('<') {
                return Err(format!("bad tag <{tag}>"));
            }
            let name = tag.trim_start_matches('/').split([' ', '/']).next();
            let name = name.unwrap_or_default().to_string();
            if tag.starts_with('/') {
                if open.pop() != Some(name.clone()) {
                    return Err(format!("</{name}> closes something else"));
                }
            } else if !tag.ends_with('/') {
                open.push(name);
            }
            text = &text[end + 1..];
        }
        match open.pop() {
            None => Ok(()),
            Some(name) => Err(format!("<{name}> stays open")),
        }
    }

    fn chart(points: &[(f64, f64)]) -> String {
        let series = Series {
            name: "train <a&b>".into(),
            points: points.to_vec(),
        };
        line_chart(&Chart {
            title: "loss".into(),
            unit: "nats".into(),
            steps: 0,
            series: vec![series],
        })
    }

    #[test]
    fn the_checker_notices_faults() {
        assert!(well_formed("<a><b></a>").is_err());
        assert!(well_formed("<a>").is_err());
        assert!(well_formed("<a><b/></a>").is_ok());
    }

    #[test]
    fn charts_are_well_formed() {
        let falling: Vec<_> = (1..100)
            .map(|i| (f64::from(i), 5.0 / f64::from(i)))
            .collect();
        for points in [
            &falling[..],
            &[],
            &[(1.0, 2.0)],
            &[(0.0, 1.0), (1.0, f64::NAN), (2.0, 1.0), (3.0, 0.5)],
            &[(0.0, -3e-12), (1e9, 4e12)],
        ] {
            let svg = chart(points);
            well_formed(&svg).expect("the chart nests");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(svg.contains("train &lt;a&amp;b&gt;"));
        }
    }

    #[test]
    fn points_land_where_their_values_are() {
        let svg = chart(&[(0.0, 0.0), (50.0, 3.0), (100.0, 6.0)]);
        // x from 64 to 704, y from 312 to 40.
        assert!(svg.contains("d=\"M64.0 312.0L"), "{svg}");
        assert!(svg.contains("L384.0 176.0"), "{svg}");
    }

    #[test]
    fn ticks_are_round() {
        let axis = Axis::around([0.0, 100.0].into_iter(), 0.0, 1.0);
        let labels: Vec<_> = axis.ticks().iter().map(|&t| axis.label(t)).collect();
        assert_eq!(labels, ["0", "20", "40", "60", "80", "100"]);
        let axis = Axis::around([0.31, 0.52].into_iter(), 0.0, 1.0);
        let labels: Vec<_> = axis.ticks().iter().map(|&t| axis.label(t)).collect();
        assert_eq!(labels, ["0.30", "0.35", "0.40", "0.45", "0.50", "0.55"]);
    }

    #[test]
    fn steps_are_from_0_to_the_last() {
        let svg = line_chart(&Chart {
            steps: 150,
            series: vec![Series {
                name: "a".into(),
                points: vec![(50.0, 2.0), (100.0, 1.0)],
            }],
            ..Chart::default()
        });
        // 150 steps on 640 pixels from 64 on.
        assert!(svg.contains("d=\"M277.3 40.0L490.7 312.0\""), "{svg}");
        let axis = Axis::from_zero(150.0, 0.0, 1.0);
        let labels: Vec<_> = axis.ticks().iter().map(|&t| axis.label(t)).collect();
        assert_eq!(labels, ["0", "50", "100", "150"]);
        assert_eq!(axis.place(150.0), 1.0);
        let ticks = Axis::from_zero(1985.0, 0.0, 1.0).ticks();
        assert_eq!(ticks, [0.0, 500.0, 1000.0, 1500.0]);
    }

    #[test]
    fn a_break_splits_the_line() {
        let svg = chart(&[
            (0.0, 1.0),
            (1.0, 1.5),
            (2.0, f64::NAN),
            (3.0, 1.0),
            (4.0, 2.0),
        ]);
        let line = svg
            .lines()
            .find(|l| l.contains("class=\"line s0\""))
            .expect("a curve");
        assert_eq!(line.matches('M').count(), 2);
    }
}
