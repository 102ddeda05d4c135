//! Which box stands in which row, by the longest way from the inputs, and the order in a row.

use super::Picture;

/// Space between boxes of a row.
const BOX_SPACE: f64 = 28.0;

/// The row of each box: below all that it reads. Inputs stand right above their first reader. A
/// flow to an earlier box, which folding can make, counts for nothing.
pub fn rows(picture: &Picture) -> Vec<usize> {
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

/// The boxes of each row from left to right: as what they read and what reads them stands, so that few
/// lines cross.
pub fn order(picture: &Picture, rows: &[usize], widths: &[f64]) -> Vec<Vec<usize>> {
    let count = rows.iter().max().map_or(0, |last| last + 1);
    let members = |row| (0..rows.len()).filter(|it| rows[*it] == row).collect();
    let mut order: Vec<Vec<usize>> = (0..count).map(members).collect();
    let flows = &picture.flows;
    let next = || flows.iter().filter(|it| rows[it.to] == rows[it.from] + 1);
    let has_lane = |index: usize| {
        let mut lanes = flows.iter().filter(|it| rows[it.to] != rows[it.from] + 1);
        lanes.any(|it| it.from == index || it.to == index)
    };
    for sweep in 0..4 {
        let mut middles = vec![0.0; rows.len()];
        for row in &order {
            for (index, x) in across(row, widths) {
                middles[index] = x + widths[index] / 2.0;
            }
        }
        let mean = |found: Vec<f64>| match found.len() {
            0 => None,
            #[allow(clippy::cast_precision_loss, reason = "few lines")]
            count => Some(found.iter().sum::<f64>() / count as f64),
        };
        let down = sweep % 2 == 0;
        let turn: Vec<usize> = match down {
            true => (0..count).collect(),
            false => (0..count).rev().collect(),
        };
        for row in turn {
            let wanted = |index: usize| {
                let ends = next().filter_map(|it| match down {
                    true => (it.to == index).then_some(it.from),
                    false => (it.from == index).then_some(it.to),
                });
                mean(ends.map(|it| middles[it]).collect()).unwrap_or(middles[index])
            };
            let mut sorted: Vec<(f64, usize)> =
                order[row].iter().map(|it| (wanted(*it), *it)).collect();
            // Where it makes no difference, lines past a row have their side free.
            sorted.sort_by(|left, right| {
                let order = left.0.total_cmp(&right.0);
                order.then(has_lane(left.1).cmp(&has_lane(right.1)))
            });
            order[row] = sorted.into_iter().map(|it| it.1).collect();
            for (index, x) in across(&order[row], widths) {
                middles[index] = x + widths[index] / 2.0;
            }
        }
    }
    order
}

/// Left edges of a row's boxes, around 0.
pub fn across(row: &[usize], widths: &[f64]) -> Vec<(usize, f64)> {
    let sum: f64 = row.iter().map(|it| widths[*it] + BOX_SPACE).sum();
    let mut x = (BOX_SPACE - sum) / 2.0;
    row.iter()
        .map(|index| {
            let left = x;
            x += widths[*index] + BOX_SPACE;
            (*index, left)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Flow, Folded};

    fn picture(flows: &[(usize, usize)], boxes: usize) -> Picture {
        let flow = |&(from, to)| Flow {
            from,
            to,
            sizes: Vec::new(),
        };
        Picture {
            boxes: vec![Folded::default(); boxes],
            flows: flows.iter().map(flow).collect(),
        }
    }

    #[test]
    fn boxes_stand_below_what_they_read() {
        let mut picture = picture(&[(0, 1), (1, 2), (0, 2), (1, 3), (2, 4), (3, 4), (5, 4)], 6);
        picture.boxes[5].is_input = true;
        assert_eq!(rows(&picture), [0, 1, 2, 2, 3, 2]);
    }

    #[test]
    fn boxes_stand_as_what_they_read() {
        let picture = picture(&[(0, 3), (1, 2)], 4);
        let order = order(&picture, &rows(&picture), &[130.0; 4]);
        let place = |index: usize| {
            let mut all = order.iter().flatten();
            all.position(|it| *it == index)
        };
        assert_eq!(place(0) < place(1), place(3) < place(2), "{order:?}");
    }
}
