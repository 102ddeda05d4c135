//! Rows by group: softmax, the choice of experts, sorting by expert, grouped contractions.

use super::contract::dot;
use super::{Tensor, index_or_nothing, same};

pub(super) fn softmax(x: &Tensor) -> Result<Vec<Tensor>, String> {
    let Some((width, leading)) = x.dims.split_last() else {
        return Err("a scalar has no last axis".to_owned());
    };
    let width = *width as usize;
    let rows = leading.iter().product::<u64>() as usize;
    let (mut data, mut sums) = (Vec::with_capacity(x.data.len()), Vec::new());
    for row in 0..rows {
        let row = x.row(row, width);
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
        data.extend(row.iter().map(|x| (x - largest).exp() / sum));
        sums.push(largest + sum.ln());
    }
    Ok(vec![
        Tensor::new(x.dims.clone(), data)?,
        Tensor::new(leading, sums)?,
    ])
}

pub(super) fn top_k(count: u64, x: &Tensor, present: &Tensor) -> Result<Tensor, String> {
    let [rows, columns] = x.dims[..] else {
        return Err(format!("rows of sizes {:?}", x.dims));
    };
    same("present", present, &[rows])?;
    let mut data = Vec::new();
    for (row, present) in present.data.iter().enumerate() {
        let row = x.row(row, columns as usize);
        let mut order: Vec<usize> = (0..row.len()).collect();
        // The sort is stable: of equal elements the first stays first.
        order.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
        let chosen = order.into_iter().take(count as usize);
        data.extend(chosen.map(|column| match *present == 0.0 {
            true => -1.0,
            false => column as f64,
        }));
    }
    Tensor::new([rows, count], data)
}

pub(super) fn sort_choices(
    [experts, groups, capacity]: [u64; 3],
    choices: &Tensor,
) -> Result<Vec<Tensor>, String> {
    let [tokens, count] = choices.dims[..] else {
        return Err(format!("choices of sizes {:?}", choices.dims));
    };
    if groups == 0 || !tokens.is_multiple_of(groups) {
        return Err(format!("{tokens} tokens in {groups} groups"));
    }
    let (size, most) = (
        tokens / groups,
        if capacity == 0 { tokens } else { capacity },
    );
    // Taken choices of each expert, in the order of their slots.
    let mut taken: Vec<Vec<u64>> = vec![Vec::new(); experts as usize];
    for group in 0..groups {
        let before: Vec<usize> = taken.iter().map(Vec::len).collect();
        for choice in 0..count {
            for token in group * size..(group + 1) * size {
                let place = token * count + choice;
                let expert = choices.data[place as usize];
                if let Some(expert) = index_or_nothing(expert, experts as usize)?
                    && ((taken[expert].len() - before[expert]) as u64) < most
                {
                    taken[expert].push(place);
                }
            }
        }
    }
    let all = tokens * count;
    let nothing = |dims: &[u64]| Tensor::filled(dims, -1.0);
    let (mut slots, mut places, mut of_tokens) =
        (nothing(&choices.dims), nothing(&[all]), nothing(&[all]));
    let (mut begin, mut end) = (Vec::new(), Vec::new());
    let mut slot = 0;
    for taken in taken {
        begin.push(slot as f64);
        for place in taken {
            slots.data[place as usize] = slot as f64;
            places.data[slot] = place as f64;
            of_tokens.data[slot] = (place / count) as f64;
            slot += 1;
        }
        end.push(slot as f64);
    }
    Ok(vec![
        slots,
        places,
        of_tokens,
        Tensor::new([experts], begin)?,
        Tensor::new([experts], end)?,
    ])
}

pub(super) fn sum_rows(x: &Tensor, back: &Tensor) -> Result<Tensor, String> {
    let ([rows, width], [results, count]) = (&x.dims[..], &back.dims[..]) else {
        return Err(format!("rows {:?} listed by {:?}", x.dims, back.dims));
    };
    let mut sums = Tensor::zeros(&[*results, *width]);
    let width = *width as usize;
    for (listed, row) in back.data.iter().enumerate() {
        if let Some(row) = index_or_nothing(*row, *rows as usize)? {
            let result = listed / *count as usize;
            let target = &mut sums.data[result * width..(result + 1) * width];
            for (sum, x) in target.iter_mut().zip(x.row(row, width)) {
                *sum += x;
            }
        }
    }
    Ok(sums)
}

/// The rows of each group.
fn groups(rows: u64, [begin, end]: [&Tensor; 2]) -> Result<Vec<std::ops::Range<usize>>, String> {
    let pairs = begin.data.iter().zip(&end.data);
    let mut last = 0;
    pairs
        .map(|(begin, end)| {
            let range = *begin as usize..*end as usize;
            if *begin < last as f64 || end < begin || *end > rows as f64 {
                return Err(format!("rows {begin} .. {end} of {rows}, after row {last}"));
            }
            last = range.end;
            Ok(range)
        })
        .collect()
}

pub(super) fn matmul(
    transpose_b: bool,
    [a, b]: [&Tensor; 2],
    ranges: [&Tensor; 2],
) -> Result<Tensor, String> {
    let ([rows, inner], [_, first, second]) = (&a.dims[..], &b.dims[..]) else {
        return Err(format!("sizes {:?} and {:?}", a.dims, b.dims));
    };
    let columns = if transpose_b { *first } else { *second };
    let (k, n) = (*inner as usize, columns as usize);
    let mut y = Tensor::zeros(&[*rows, columns]);
    for (group, range) in groups(*rows, ranges)?.into_iter().enumerate() {
        let matrix = b.row(group, k * n);
        let column = |n_at: usize| -> Vec<f64> {
            let element = |k_at| match transpose_b {
                true => matrix[n_at * k + k_at],
                false => matrix[k_at * n + n_at],
            };
            (0..k).map(element).collect()
        };
        for n_at in 0..n {
            let column = column(n_at);
            for row in range.clone() {
                y.data[row * n + n_at] = dot(a.row(row, k), &column);
            }
        }
    }
    Ok(y)
}

pub(super) fn weight_grad([x, y]: [&Tensor; 2], ranges: [&Tensor; 2]) -> Result<Tensor, String> {
    let ([rows, m], [_, n]) = (&x.dims[..], &y.dims[..]) else {
        return Err(format!("sizes {:?} and {:?}", x.dims, y.dims));
    };
    let groups = groups(*rows, ranges)?;
    let mut sums = Tensor::zeros(&[groups.len() as u64, *m, *n]);
    let (m, n) = (*m as usize, *n as usize);
    for (group, range) in groups.into_iter().enumerate() {
        for row in range {
            for (i, x) in x.row(row, m).iter().enumerate() {
                let target = &mut sums.data[(group * m + i) * n..(group * m + i + 1) * n];
                for (sum, y) in target.iter_mut().zip(y.row(row, n)) {
                    *sum += x * y;
                }
            }
        }
    }
    Ok(sums)
}
