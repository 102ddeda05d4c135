//! Where boxes and lines go. Lines past a row go by lanes at the right, from and to the side of the last box
//! of a row, and through the gaps between rows from and to the others.

use super::rows::{across, order, rows};
use super::{Flow, Picture};

/// Least height of a box, pixels.
pub const BOX_HEIGHT: f64 = 46.0;
/// Least space between rows.
const GAP: f64 = 40.0;
/// Space in a gap above and below what stands in it.
const GAP_MARGIN: f64 = 13.0;
/// Height of a row of sizes in a gap, and of a line that enters with sizes over it.
const LEVEL: f64 = 15.0;
/// Height of a line without sizes in a gap.
const TRACK: f64 = 7.0;
/// Distance of lanes.
const LANE: f64 = 16.0;
/// Distance of lines that end at the right of a box.
const PORT: f64 = 15.0;
/// Distance of lines that begin at the same side.
const START: f64 = 5.0;
/// Space around everything.
const MARGIN: f64 = 24.0;
/// Space for the title.
const TITLE: f64 = 34.0;
/// Width of a character, about.
const CHARACTER: f64 = 7.4;
/// Space between a line and its sizes.
const BESIDE: f64 = 7.0;

/// A placed box.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Place {
    fn middle(&self) -> f64 {
        self.x + self.width / 2.0
    }

    fn right(&self) -> f64 {
        self.x + self.width
    }

    fn bottom(&self) -> f64 {
        self.y + self.height
    }
}

/// A placed line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Corners; two for a line to the next row, which is a curve ([`bend`]).
    pub points: Vec<(f64, f64)>,
    /// Left end of the sizes' base line.
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
    let widths: Vec<f64> = captions
        .iter()
        .map(|caption| (width(caption) + 24.0).max(130.0))
        .collect();
    let order = order(picture, &rows, &widths);
    let mut drawing = Drawing {
        flows: &picture.flows,
        ways: ways(&picture.flows, &rows, &order),
        rows,
        order,
        stubs: vec![Default::default(); picture.flows.len()],
        layout: Layout {
            places: vec![Place::default(); widths.len()],
            lines: picture.flows.iter().map(start).collect(),
            ..Layout::default()
        },
    };
    drawing.columns(&widths);
    drawing.fall();
    drawing.lanes();
    drawing.layout
}

/// About the width of a text, pixels.
#[allow(clippy::cast_precision_loss, reason = "short texts")]
pub fn width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

/// How far down the curve between two points turns: its inner points are above and below its ends.
pub fn bend(from: (f64, f64), to: (f64, f64)) -> f64 {
    (from.1 + to.1) / 2.0
}

/// A line with its text, not placed yet.
fn start(flow: &Flow) -> Line {
    let text = match flow.sizes.as_slice() {
        [first, second, _, ..] => format!("{first}, {second}, …"),
        sizes => sizes.join(", "),
    };
    Line {
        text,
        ..Line::default()
    }
}

/// How a line goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// Down to the next row.
    Next,
    /// By a lane; whether it begins and whether it ends at the right of its box, not below and above.
    Lane { from_side: bool, to_side: bool },
}

fn ways(flows: &[Flow], rows: &[usize], order: &[Vec<usize>]) -> Vec<Way> {
    // A line from the side of another box would go through its neighbour.
    let is_last = |index: usize| order[rows[index]].last() == Some(&index);
    let way = |flow: &Flow| match rows[flow.to] == rows[flow.from] + 1 {
        true => Way::Next,
        false => Way::Lane {
            from_side: is_last(flow.from),
            to_side: is_last(flow.to),
        },
    };
    flows.iter().map(way).collect()
}

struct Drawing<'p> {
    flows: &'p [Flow],
    ways: Vec<Way>,
    rows: Vec<usize>,
    order: Vec<Vec<usize>>,
    /// Of lines by lanes: from their box to the lane's height, and from there to their box.
    stubs: Vec<[Vec<(f64, f64)>; 2]>,
    layout: Layout,
}

#[allow(clippy::cast_precision_loss, reason = "few lines and rows")]
impl Drawing<'_> {
    /// Widths, heights and left edges of all boxes.
    fn columns(&mut self, widths: &[f64]) {
        let across: Vec<Vec<(usize, f64)>> =
            self.order.iter().map(|row| across(row, widths)).collect();
        let left = across.iter().flatten().map(|it| it.1);
        let left = left.fold(0.0, f64::min);
        for (index, x) in across.into_iter().flatten() {
            let all = || self.flows.iter().zip(&self.ways);
            let ends = all().filter(|(flow, way)| {
                flow.to == index && matches!(way, Way::Lane { to_side: true, .. })
            });
            let starts = all().filter(|(flow, way)| {
                flow.from == index
                    && matches!(
                        way,
                        Way::Lane {
                            from_side: true,
                            ..
                        }
                    )
            });
            let (ends, starts) = (ends.count() as f64, starts.count() as f64);
            self.layout.places[index] = Place {
                x: MARGIN + x - left,
                y: 0.0,
                width: widths[index],
                height: BOX_HEIGHT.max(16.0 + PORT * ends + START * starts),
            };
        }
    }

    /// Rows and the gaps between them from top to bottom, with the lines to next rows and what other
    /// lines have in gaps.
    fn fall(&mut self) {
        let mut y = TITLE + MARGIN;
        for gap in 0..=self.order.len() {
            y = self.gap(gap, y);
            let Some(row) = self.order.get(gap) else {
                break;
            };
            let mut bottom = y;
            for index in row {
                let place = &mut self.layout.places[*index];
                place.y = y;
                bottom = bottom.max(place.bottom());
            }
            y = bottom;
        }
        self.layout.height = y + MARGIN;
    }

    /// The gap above row `gap`, which begins at `top`; where it ends.
    fn gap(&mut self, gap: usize, top: f64) -> f64 {
        let all = || self.flows.iter().zip(&self.ways).enumerate();
        let numbers = |wanted: &dyn Fn(&Flow, &Way) -> bool| -> Vec<usize> {
            let found = all().filter(|(_, (flow, way))| wanted(flow, way));
            found.map(|it| it.0).collect()
        };
        let row_of = |index: usize| self.rows[index];
        let next = numbers(&|flow, way| *way == Way::Next && row_of(flow.to) == gap);
        let leaving = numbers(&|flow, way| {
            matches!(
                way,
                Way::Lane {
                    from_side: false,
                    ..
                }
            ) && row_of(flow.from) + 1 == gap
        });
        let entering = numbers(&|flow, way| {
            matches!(way, Way::Lane { to_side: false, .. }) && row_of(flow.to) == gap
        });
        if next.len() + leaving.len() + entering.len() == 0 {
            return match gap == 0 || gap == self.order.len() {
                true => top,
                false => top + GAP,
            };
        }
        let above = GAP_MARGIN + TRACK * leaving.len() as f64;
        let below = GAP_MARGIN + LEVEL * entering.len() as f64;
        let ends = self.ports(&next, &entering);
        // As many rows of sizes as keep them apart; with one for each line they are.
        for levels in 1..=next.len().max(1) {
            let bottom = top + (above + LEVEL * levels as f64 + below).max(GAP);
            let first = top + (bottom - top + above - below - LEVEL * levels as f64) / 2.0;
            let placed = self.curves(&next, &ends, bottom, first, levels);
            let Some(placed) = placed else { continue };
            for (number, line) in next.iter().zip(placed) {
                self.layout.lines[*number] = line;
            }
            for (place, number) in leaving.iter().enumerate() {
                let from = self.layout.places[self.flows[*number].from];
                let earlier = leaving[..place].iter();
                let earlier =
                    earlier.filter(|it| self.flows[**it].from == self.flows[*number].from);
                // Beside the middle, where lines to the next row begin.
                let x = from.x + from.width * 0.75 + START * earlier.count() as f64;
                let y = top + GAP_MARGIN + TRACK * place as f64;
                self.stubs[*number][0] = vec![(x, from.bottom()), (x, y)];
            }
            for (place, number) in entering.iter().enumerate() {
                let x = ends[next.len() + place];
                let y = bottom - GAP_MARGIN - LEVEL * place as f64;
                self.layout.lines[*number].label = (x + BESIDE, y - 4.0);
                self.stubs[*number][1] = vec![(x, y), (x, bottom)];
            }
            return bottom;
        }
        top + GAP
    }

    /// Where the lines `next` and then `entering` end at the tops of the boxes of a row: side by side,
    /// in the order in which they come.
    fn ports(&self, next: &[usize], entering: &[usize]) -> Vec<f64> {
        let places = &self.layout.places;
        let all: Vec<usize> = next.iter().chain(entering).copied().collect();
        // Lanes are at the right of all boxes.
        let begins = |number: usize| match self.ways[number] {
            Way::Next => places[self.flows[number].from].middle(),
            Way::Lane { .. } => f64::INFINITY,
        };
        let end = |place: usize| {
            let number = all[place];
            let to = self.flows[number].to;
            let beside = |other: &usize| self.flows[*other].to == to;
            let before = all.iter().enumerate().filter(|(at, other)| {
                let order = begins(**other).total_cmp(&begins(number));
                beside(other) && order.then(at.cmp(&place)).is_lt()
            });
            let share = (before.count() + 1) as f64;
            let count = (all.iter().filter(|it| beside(it)).count() + 1) as f64;
            places[to].x + places[to].width * share / count
        };
        (0..all.len()).map(end).collect()
    }

    /// The lines `next` down to `ends`, with their sizes on `levels` rows from `first` on; `None` where
    /// sizes would overlap.
    fn curves(
        &self,
        next: &[usize],
        ends: &[f64],
        bottom: f64,
        first: f64,
        levels: usize,
    ) -> Option<Vec<Line>> {
        let mut turn: Vec<usize> = (0..next.len()).collect();
        let begin = |place: usize| {
            let from = self.layout.places[self.flows[next[place]].from];
            (from.middle(), from.bottom())
        };
        let middle = |place: usize| begin(place).0 + ends[place];
        turn.sort_by(|left, right| middle(*left).total_cmp(&middle(*right)));
        let mut lines: Vec<Line> = next
            .iter()
            .map(|number| self.layout.lines[*number].clone())
            .collect();
        let mut taken = vec![f64::NEG_INFINITY; levels];
        for place in turn {
            let (from, to) = (begin(place), (ends[place], bottom));
            let at = |level: usize| {
                let base = first + LEVEL * level as f64 + 11.0;
                (along(from, to, base - 4.0) + BESIDE, base)
            };
            let level = (0..levels).find(|level| at(*level).0 > taken[*level])?;
            let line = &mut lines[place];
            line.label = at(level);
            line.points = vec![from, to];
            taken[level] = line.label.0 + width(&line.text) + BESIDE;
        }
        Some(lines)
    }

    /// The lines that go by lanes, each in the first lane that is free where it goes.
    fn lanes(&mut self) {
        let mut starts = vec![0.0; self.layout.places.len()];
        let mut ends = starts.clone();
        for (number, flow) in self.flows.iter().enumerate() {
            let Way::Lane { from_side, to_side } = self.ways[number] else {
                continue;
            };
            let (from, to) = (self.layout.places[flow.from], self.layout.places[flow.to]);
            if from_side {
                let y = from.bottom() - 8.0 - START * starts[flow.from];
                starts[flow.from] += 1.0;
                self.stubs[number][0] = vec![(from.right(), y)];
            }
            if to_side {
                let y = to.y + 14.0 + PORT * ends[flow.to];
                ends[flow.to] += 1.0;
                self.layout.lines[number].label = (to.right() + 12.0, y - 3.0);
                self.stubs[number][1] = vec![(to.right(), y)];
            }
        }
        let edges = self.layout.places.iter().map(Place::right);
        let labels = self.layout.lines.iter();
        let labels = labels.map(|line| line.label.0 + width(&line.text));
        let mut far = edges.chain(labels).fold(0.0, f64::max);
        let first = far + LANE;
        let mut lanes: Vec<Vec<[f64; 2]>> = Vec::new();
        for (line, [start, end]) in self.layout.lines.iter_mut().zip(&self.stubs) {
            let (Some(out), Some(into)) = (start.last(), end.first()) else {
                continue;
            };
            let span = [out.1.min(into.1) - 1.0, out.1.max(into.1) + 1.0];
            let free = |taken: &Vec<[f64; 2]>| {
                let apart = |other: &[f64; 2]| other[1] < span[0] || span[1] < other[0];
                taken.iter().all(apart)
            };
            let lane = lanes.iter().position(free).unwrap_or_else(|| {
                lanes.push(Vec::new());
                lanes.len() - 1
            });
            lanes[lane].push(span);
            let x = first + lane as f64 * LANE;
            far = far.max(x);
            line.points = start.clone();
            line.points.extend([(x, out.1), (x, into.1)]);
            line.points.extend(end);
        }
        self.layout.width = far + MARGIN;
    }
}

/// Where the curve between two points is at the height `y`.
fn along(from: (f64, f64), to: (f64, f64), y: f64) -> f64 {
    let curve = |share: f64, [a, b, c, d]: [f64; 4]| {
        let rest = 1.0 - share;
        a * rest.powi(3)
            + 3.0 * b * rest.powi(2) * share
            + 3.0 * c * rest * share.powi(2)
            + d * share.powi(3)
    };
    let turn = bend(from, to);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..24 {
        let middle = (low + high) / 2.0;
        match curve(middle, [from.1, turn, turn, to.1]) < y {
            true => low = middle,
            false => high = middle,
        }
    }
    curve(low, [from.0, from.0, to.0, to.0])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::build::{self, Purpose};
    use crate::draw::{Folded, fold};

    fn picture(flows: &[(usize, usize)], boxes: usize) -> Picture {
        Picture {
            boxes: vec![Folded::default(); boxes],
            flows: flows
                .iter()
                .map(|&(from, to)| Flow {
                    from,
                    to,
                    sizes: vec!["16 × 128 × 128".to_owned()],
                })
                .collect(),
        }
    }

    fn placed(picture: &Picture) -> Layout {
        let captions: Vec<String> = picture.boxes.iter().map(|it| it.path.clone()).collect();
        layout(picture, &captions)
    }

    /// Left, right, upper and lower edge of a line's sizes.
    fn label(line: &Line) -> [f64; 4] {
        let (x, y) = line.label;
        [x, x + width(&line.text), y - 10.0, y + 3.0]
    }

    fn meet(one: [f64; 4], other: [f64; 4]) -> bool {
        one[0] < other[1] && other[0] < one[1] && one[2] < other[3] && other[2] < one[3]
    }

    /// What overlaps in a picture: boxes, sizes, and lines with boxes that they do not join.
    fn overlaps(picture: &Picture) -> Vec<String> {
        let layout = placed(picture);
        let mut found = Vec::new();
        let edges = |place: &Place| [place.x, place.right(), place.y, place.bottom()];
        for (index, place) in layout.places.iter().enumerate() {
            let inside = place.right() < layout.width && place.bottom() < layout.height;
            if !inside || place.x < 0.0 {
                found.push(format!("box {index} is outside"));
            }
            for (other, before) in layout.places[..index].iter().enumerate() {
                if meet(edges(place), edges(before)) {
                    found.push(format!("boxes {other} and {index}"));
                }
            }
            for line in &layout.lines {
                if meet(edges(place), label(line)) {
                    found.push(format!("box {index} and `{}`", line.text));
                }
                // Horizontal and vertical parts; touching an edge is no overlap.
                let parts = line.points.windows(2).filter(|_| line.points.len() > 2);
                for part in parts {
                    let (from, to) = (part[0], part[1]);
                    let area = [
                        from.0.min(to.0),
                        from.0.max(to.0),
                        from.1.min(to.1),
                        from.1.max(to.1),
                    ];
                    if meet(edges(place), area) {
                        found.push(format!("box {index} and the line of `{}`", line.text));
                    }
                }
            }
        }
        for (number, line) in layout.lines.iter().enumerate() {
            if label(line)[1] > layout.width {
                found.push(format!("`{}` is outside", line.text));
            }
            for other in &layout.lines[..number] {
                if meet(label(line), label(other)) {
                    found.push(format!("`{}` and `{}`", other.text, line.text));
                }
            }
        }
        found
    }

    #[test]
    fn a_line_past_a_row_is_beside_all_boxes() {
        let picture = picture(&[(0, 1), (1, 2), (0, 2), (1, 3), (2, 4), (3, 4)], 5);
        assert_eq!(overlaps(&picture), Vec::<String>::new());
        let layout = placed(&picture);
        assert_eq!(layout.lines[2].points.len(), 4);
        let lane = layout.lines[2].points[1].0;
        assert!(layout.places.iter().all(|place| place.right() < lane));
    }

    #[test]
    fn many_lines_to_one_box_keep_their_sizes_apart() {
        // Eight boxes above one; then lines past a row, from and to boxes that are not the last of theirs.
        let mut flows: Vec<(usize, usize)> = (0..8).map(|from| (from, 8)).collect();
        flows.extend([(8, 9), (8, 10), (8, 11)]);
        flows.extend((0..8).flat_map(|from| [(from, 9), (from, 11)]));
        // To an earlier row, which folding can make.
        flows.push((9, 2));
        assert_eq!(overlaps(&picture(&flows, 12)), Vec::<String>::new());
    }

    #[test]
    fn sizes_and_boxes_of_models_keep_apart() {
        let models = [
            "mm1-tiny",
            "tiny/c-abstractor",
            "tiny/attention-pool",
            "tiny/digits",
            "objectives/tiny-contrastive",
            "objectives/tiny-reconstruction",
        ];
        let mut labels = 0;
        for name in models {
            let path = Path::new("../models").join(format!("{name}.toml"));
            let model = mm1_dsl::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
            let programs = build::build(&model, Purpose::All).expect("builds").programs;
            for program in &programs {
                for depth in [1, 2, 3] {
                    let picture = fold(&program.graph, depth);
                    labels += picture.flows.len();
                    let found = overlaps(&picture);
                    assert!(
                        found.is_empty(),
                        "{name} {} {depth}: {found:?}",
                        program.name
                    );
                }
            }
        }
        assert!(labels > 500, "{labels} labels");
    }
}
