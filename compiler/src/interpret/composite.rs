//! Norms, rotary positions, depthwise convolution and AdamW.

use super::{Tensor, index, same, scalar};
use crate::graph::NormKind;

pub(super) fn norm(
    kind: NormKind,
    epsilon: f64,
    x: &Tensor,
    parameters: &[&Tensor],
) -> Result<Vec<Tensor>, String> {
    let (rows, width) = rows_of(x)?;
    let layer = kind == NormKind::Layer;
    let (weight, bias) = match (parameters, layer) {
        ([weight, bias], true) => (weight, Some(bias)),
        ([weight], false) => (weight, None),
        _ => return Err(format!("{} parameters of a norm", parameters.len())),
    };
    for parameter in parameters {
        same("a parameter", parameter, &[width as u64])?;
    }
    let leading = &x.dims[..x.dims.len() - 1];
    let mut y = Tensor::zeros(&x.dims);
    let mut mean = Tensor::zeros(leading);
    let mut reciprocal = Tensor::zeros(leading);
    for row in 0..rows {
        let x = x.row(row, width);
        let mu = if layer {
            average(x.iter().copied())
        } else {
            0.0
        };
        let variance = average(x.iter().map(|x| (x - mu) * (x - mu)));
        let r = 1.0 / (variance + epsilon).sqrt();
        for (c, x) in x.iter().enumerate() {
            let shift = bias.map_or(0.0, |bias| bias.data[c]);
            y.data[row * width + c] = (x - mu) * r * weight.data[c] + shift;
        }
        mean.data[row] = mu;
        reciprocal.data[row] = r;
    }
    Ok(if layer {
        vec![y, mean, reciprocal]
    } else {
        vec![y, reciprocal]
    })
}

pub(super) fn norm_input_grad(
    kind: NormKind,
    dy: &Tensor,
    x: &Tensor,
    weight: &Tensor,
    statistics: &[&Tensor],
) -> Result<Tensor, String> {
    let (rows, width) = rows_of(x)?;
    same("dy", dy, &x.dims)?;
    same("weight", weight, &[width as u64])?;
    let normal = normalised(kind, x, statistics)?;
    let reciprocal = statistics[statistics.len() - 1];
    let mut dx = Tensor::zeros(&x.dims);
    for row in 0..rows {
        let g: Vec<f64> = dy
            .row(row, width)
            .iter()
            .zip(&weight.data)
            .map(|(dy, w)| dy * w)
            .collect();
        let n = normal.row(row, width);
        // The parts of g along the mean (layer norm only) and along n vanish.
        let along_mean = match kind {
            NormKind::Layer => average(g.iter().copied()),
            NormKind::Rms => 0.0,
        };
        let along_n = average(g.iter().zip(n).map(|(g, n)| g * n));
        for c in 0..width {
            dx.data[row * width + c] = reciprocal.data[row] * (g[c] - along_mean - n[c] * along_n);
        }
    }
    Ok(dx)
}

pub(super) fn norm_weight_grad(
    kind: NormKind,
    dy: &Tensor,
    x: &Tensor,
    statistics: &[&Tensor],
) -> Result<Vec<Tensor>, String> {
    let (rows, width) = rows_of(x)?;
    same("dy", dy, &x.dims)?;
    let normal = normalised(kind, x, statistics)?;
    let mut dweight = Tensor::zeros(&[width as u64]);
    let mut dbias = Tensor::zeros(&[width as u64]);
    for row in 0..rows {
        let (dy, n) = (dy.row(row, width), normal.row(row, width));
        for c in 0..width {
            dweight.data[c] += dy[c] * n[c];
            dbias.data[c] += dy[c];
        }
    }
    Ok(match kind {
        NormKind::Layer => vec![dweight, dbias],
        NormKind::Rms => vec![dweight],
    })
}

/// (x − μ)·r from saved statistics.
fn normalised(kind: NormKind, x: &Tensor, statistics: &[&Tensor]) -> Result<Tensor, String> {
    let (rows, width) = rows_of(x)?;
    let (mean, reciprocal) = match (statistics, kind) {
        ([mean, reciprocal], NormKind::Layer) => (Some(mean), reciprocal),
        ([reciprocal], NormKind::Rms) => (None, reciprocal),
        _ => return Err(format!("{} statistics of a norm", statistics.len())),
    };
    for statistic in statistics {
        same("a statistic", statistic, &x.dims[..x.dims.len() - 1])?;
    }
    let mut normal = x.clone();
    for row in 0..rows {
        let mu = mean.map_or(0.0, |mean| mean.data[row]);
        for value in &mut normal.data[row * width..(row + 1) * width] {
            *value = (*value - mu) * reciprocal.data[row];
        }
    }
    Ok(normal)
}

/// Number of rows and their width.
fn rows_of(x: &Tensor) -> Result<(usize, usize), String> {
    let (width, leading) = x
        .dims
        .split_last()
        .ok_or("a scalar where a tensor is needed")?;
    Ok((leading.iter().product::<u64>() as usize, *width as usize))
}

fn average(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    values.sum::<f64>() / count as f64
}

pub(super) fn rotary(
    inverse: bool,
    x: &Tensor,
    table: &Tensor,
    positions: &Tensor,
) -> Result<Tensor, String> {
    let ([batch, length, heads, width], [places, _]) = (&x.dims[..], &table.dims[..]) else {
        return Err("rotary needs [B, T, H, D] and a table [P, D]".to_owned());
    };
    same("the table", table, &[*places, *width])?;
    same("positions", positions, &[*batch, *length])?;
    let (heads, width) = (*heads as usize, *width as usize);
    let half = width / 2;
    let mut y = x.clone();
    for token in 0..positions.data.len() {
        let angles = table.row(index(positions.data[token], *places as usize)?, width);
        for head in 0..heads {
            let start = (token * heads + head) * width;
            for i in 0..half {
                let (c, s) = (angles[i], angles[half + i]);
                let s = if inverse { -s } else { s };
                let (a, b) = (x.data[start + i], x.data[start + half + i]);
                y.data[start + i] = a * c - b * s;
                y.data[start + half + i] = b * c + a * s;
            }
        }
    }
    Ok(y)
}

/// Calls `f(x element, y element, window element)` for every product of the correlation.
fn each_tap(
    [height, width]: [u64; 2],
    kernel: u64,
    x: &Tensor,
    mut f: impl FnMut(usize, usize, usize),
) -> Result<(), String> {
    let [images, points, channels] = x.dims[..] else {
        return Err(format!("x of sizes {:?}", x.dims));
    };
    if Some(points) != height.checked_mul(width) || kernel.is_multiple_of(2) {
        return Err(format!(
            "{points} points on a grid {height} × {width}, window {kernel}"
        ));
    }
    let pad = kernel / 2;
    for n in 0..images {
        for (i, j) in (0..height).flat_map(|i| (0..width).map(move |j| (i, j))) {
            for (u, v) in (0..kernel).flat_map(|u| (0..kernel).map(move |v| (u, v))) {
                // The point read is (i + u − pad, j + v − pad) where it exists.
                let (Some(row), Some(column)) =
                    ((i + u).checked_sub(pad), (j + v).checked_sub(pad))
                else {
                    continue;
                };
                if row >= height || column >= width {
                    continue;
                }
                for c in 0..channels {
                    f(
                        ((n * points + row * width + column) * channels + c) as usize,
                        ((n * points + i * width + j) * channels + c) as usize,
                        ((c * kernel + u) * kernel + v) as usize,
                    );
                }
            }
        }
    }
    Ok(())
}

pub(super) fn depthwise_conv(
    grid: [u64; 2],
    kernel: u64,
    flip: bool,
    x: &Tensor,
    w: &Tensor,
) -> Result<Tensor, String> {
    same("the weight", w, &[x.width() as u64, kernel, kernel])?;
    let window = (kernel * kernel) as usize;
    let mut y = Tensor::zeros(&x.dims);
    each_tap(grid, kernel, x, |from, to, tap| {
        // Turning a window by 180° reverses its elements.
        let tap = if flip {
            tap - tap % window + (window - 1 - tap % window)
        } else {
            tap
        };
        y.data[to] += w.data[tap] * x.data[from];
    })?;
    Ok(y)
}

pub(super) fn depthwise_conv_weight_grad(
    grid: [u64; 2],
    kernel: u64,
    x: &Tensor,
    dy: &Tensor,
) -> Result<Tensor, String> {
    same("dy", dy, &x.dims)?;
    let mut dweight = Tensor::zeros(&[x.width() as u64, kernel, kernel]);
    each_tap(grid, kernel, x, |from, to, tap| {
        dweight.data[tap] += dy.data[to] * x.data[from];
    })?;
    Ok(dweight)
}

pub(super) fn adamw(
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    [w, g, m, v]: [&Tensor; 4],
    scalars: &[&Tensor],
) -> Result<Vec<Tensor>, String> {
    let [lr, gradient_scale, decay, c1, c2] = scalars else {
        return Err(format!("{} scalars instead of 5", scalars.len()));
    };
    let (lr, gradient_scale, decay) = (scalar(lr)?, scalar(gradient_scale)?, scalar(decay)?);
    let (c1, c2) = (scalar(c1)?, scalar(c2)?);
    for (name, other) in [("g", g), ("m", m), ("v", v)] {
        same(name, other, &w.dims)?;
    }
    let (mut new_w, mut new_m, mut new_v) = (w.clone(), m.clone(), v.clone());
    for i in 0..w.data.len() {
        let g = gradient_scale * g.data[i];
        let m = beta1 * m.data[i] + (1.0 - beta1) * g;
        let v = beta2 * v.data[i] + (1.0 - beta2) * g * g;
        new_m.data[i] = m;
        new_v.data[i] = v;
        new_w.data[i] = w.data[i] - decay * w.data[i] - lr * (m / c1) / ((v / c2).sqrt() + epsilon);
    }
    Ok(vec![new_w, new_m, new_v])
}
