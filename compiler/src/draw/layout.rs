//! Where boxes and lines go: rows by the longest way from the inputs, long lines in lanes at the
//! right.

use super::{Flow, Picture};

/// Height of a box, pixels.
pub const BOX_HEIGHT: f64 = 46.0;
/// Space between rows, where the sizes stand.
const ROW_SPACE: f64 = 40.0;
/// Space between boxes of a row.
const BOX_SPACE: f64 = 28.0;
/// Distance of lanes.
const LANE: f64 = 16.0;
/// Distance of lines that end at one side of a box.
const PORT: f64 = 13.0;
/// Space around everything.
const MARGIN: f64 = 24.0;
/// Space for the title.
const TITLE: f64 = 34.0;
/// Width of a character, about.
const CHARACTER: f64 = 7.4;

/// A placed box.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
}

/// A placed line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Corners; two for a line to the next row.
    pub points: Vec<(f64, f64)>,
    /// Where the sizes begin or, to the next row, have their middle.
    pub label: (f64, f64),
    /// What flows.
    pub text: String,
}

/// A placed picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Boxes in the picture's order.
    pub places: Vec<Place>,
    /// Lines in the picture's order.
    pub lines: Vec<Line>,
    /// Width of everything.
    pub width: f64,
    /// Height of everything.
    pub height: f64,
}

/// Places a picture; `captions` are the texts that boxes must hold.
pub fn layout(picture: &Picture, captions: &[String]) -> Layout {
    let rows = rows(picture);
    let count = rows.iter().max().map_or(0, |last| last + 1);
    let width_of = |index: usize| (width(&captions[index]) + 24.0).max(130.0);
    let row_width = |row: usize| {
        let boxes = (0..rows.len()).filter(|index| rows[*index] == row);
        let (number, sum) = boxes.fold((0.0, 0.0), |(number, sum), index| {
            (number + 1.0, sum + width_of(index))
        });
        sum + BOX_SPACE * f64::max(number - 1.0, 0.0)
    };
    let widest = (0..count).map(row_width).fold(0.0, f64::max);
    let mut places = vec![Place::default(); rows.len()];
    // Lines past a row leave and enter at the right, so boxes that have some stand there.
    let is_long = |flow: &Flow| rows[flow.to] != rows[flow.from] + 1;
    let has_long = |index: usize| {
        let mut ends = picture.flows.iter().filter(|flow| is_long(flow));
        ends.any(|flow| flow.from == index || flow.to == index)
    };
    for row in 0..count {
        let mut x = MARGIN + (widest - row_width(row)) / 2.0;
        let mut members: Vec<usize> = (0..rows.len())
            .filter(|index| rows[*index] == row)
            .collect();
        members.sort_by_key(|index| has_long(*index));
        for index in members {
            #[allow(clippy::cast_precision_loss, reason = "few rows")]
            let y = TITLE + MARGIN + row as f64 * (BOX_HEIGHT + ROW_SPACE);
            let width = width_of(index);
            places[index] = Place { x, y, width };
            x += width + BOX_SPACE;
        }
    }
    let right = MARGIN + widest;
    let (lines, far) = lines(&picture.flows, &rows, &places, right);
    #[allow(clippy::cast_precision_loss, reason = "few rows")]
    let height = TITLE + 2.0 * MARGIN + count as f64 * (BOX_HEIGHT + ROW_SPACE) - ROW_SPACE;
    Layout {
        places,
        lines,
        width: far + MARGIN,
        height,
    }
}

/// About the width of a text, pixels.
#[allow(clippy::cast_precision_loss, reason = "short texts")]
pub fn width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

/// The row of each box: below all that it reads. Inputs stand right above their first reader. A
/// flow to an earlier box, which folding can make, counts for nothing.
fn rows(picture: &Picture) -> Vec<usize> {
    let mut rows: Vec<usize> = vec![0; picture.boxes.len()];
    for to in 0..rows.len() {
        let above = picture
            .flows
            .iter()
            .filter(|flow| flow.to == to && flow.from < to);
        rows[to] = above.map(|flow| rows[flow.from] + 1).max().unwrap_or(0);
    }
    for (index, folded) in picture.boxes.iter().enumerate().rev() {
        let readers = picture.flows.iter().filter(|flow| flow.from == index);
        let first: Option<usize> = readers.map(|flow| rows[flow.to]).min();
        if let (true, Some(first)) = (folded.is_input, first) {
            rows[index] = first.saturating_sub(1);
        }
    }
    rows
}

/// Every line, and how far they go to the right.
fn lines(flows: &[Flow], rows: &[usize], places: &[Place], right: f64) -> (Vec<Line>, f64) {
    let text = |flow: &Flow| match flow.sizes.as_slice() {
        [first, second, _, ..] => format!("{first}, {second}, …"),
        sizes => sizes.join(", "),
    };
    let is_long = |flow: &Flow| rows[flow.to] != rows[flow.from] + 1;
    let longest = flows.iter().filter(|flow| is_long(flow));
    let longest = longest.map(|flow| width(&text(flow))).fold(0.0, f64::max);
    let first_lane = right + 18.0 + longest;
    // Rows that each lane is taken in.
    let mut lanes: Vec<Vec<(usize, usize)>> = Vec::new();
    let mut ends = vec![0.0; places.len()];
    let mut starts = vec![0.0; places.len()];
    let mut far = right;
    let mut lines = Vec::new();
    for flow in flows {
        let (from, to) = (places[flow.from], places[flow.to]);
        if !is_long(flow) {
            // Lines to one box end side by side.
            let into = flows.iter().filter(|it| it.to == flow.to && !is_long(it));
            let into: Vec<usize> = into.map(|it| it.from).collect();
            let place = into.iter().position(|from| *from == flow.from).unwrap_or(0);
            #[allow(clippy::cast_precision_loss, reason = "few lines")]
            let share = (place as f64 + 1.0) / (into.len() as f64 + 1.0);
            let start = (from.x + from.width / 2.0, from.y + BOX_HEIGHT);
            let end = (to.x + to.width * share, to.y);
            let label = ((start.0 + end.0) / 2.0 + 7.0, (start.1 + end.1) / 2.0 + 4.0);
            lines.push(Line {
                points: vec![start, end],
                label,
                text: text(flow),
            });
            continue;
        }
        let span = (
            rows[flow.from].min(rows[flow.to]),
            rows[flow.from].max(rows[flow.to]),
        );
        let free = |taken: &Vec<(usize, usize)>| {
            taken
                .iter()
                .all(|other| other.1 < span.0 || span.1 < other.0)
        };
        let lane = lanes.iter().position(free).unwrap_or_else(|| {
            lanes.push(Vec::new());
            lanes.len() - 1
        });
        lanes[lane].push(span);
        #[allow(clippy::cast_precision_loss, reason = "few lanes")]
        let x = first_lane + lane as f64 * LANE;
        far = far.max(x);
        let out = from.y + BOX_HEIGHT - 8.0 - starts[flow.from];
        let into = to.y + 14.0 + ends[flow.to];
        starts[flow.from] += 4.0;
        ends[flow.to] += PORT;
        lines.push(Line {
            points: vec![
                (from.x + from.width, out),
                (x, out),
                (x, into),
                (to.x + to.width, into),
            ],
            label: (to.x + to.width + 12.0, into - 3.0),
            text: text(flow),
        });
    }
    let labels = lines.iter().map(|line| line.label.0 + width(&line.text));
    let far = labels.fold(far, f64::max);
    (lines, far)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Folded;

    fn picture(flows: &[(usize, usize)], boxes: usize) -> Picture {
        Picture {
            boxes: vec![Folded::default(); boxes],
            flows: flows
                .iter()
                .map(|&(from, to)| Flow {
                    from,
                    to,
                    sizes: vec!["4".to_owned()],
                })
                .collect(),
        }
    }

    #[test]
    fn boxes_stand_below_what_they_read_and_do_not_overlap() {
        let picture = picture(&[(0, 1), (1, 2), (0, 2), (1, 3), (2, 4), (3, 4)], 5);
        assert_eq!(rows(&picture), [0, 1, 2, 2, 3]);
        let captions = vec!["a box".to_owned(); 5];
        let layout = layout(&picture, &captions);
        let apart = |a: Place, b: Place| {
            a.y + BOX_HEIGHT < b.y || a.x + a.width < b.x || b.x + b.width < a.x
        };
        for (index, place) in layout.places.iter().enumerate() {
            for other in &layout.places[..index] {
                assert!(apart(*other, *place), "{other:?} {place:?}");
            }
            assert!(place.x + place.width < layout.width && place.y < layout.height);
        }
        // The line past a row is in a lane, beside all boxes.
        assert_eq!(layout.lines[2].points.len(), 4);
        let lane = layout.lines[2].points[1].0;
        assert!(
            layout
                .places
                .iter()
                .all(|place| place.x + place.width < lane)
        );
    }
}
