//! Position tables of another grid: bicubic interpolation of a square grid of rows.
//!
//! Output point i lies at (i + ½)·in/out − ½ of the input, so corners are not aligned. Without
//! antialiasing four neighbours count, by the cubic kernel with a = −¾, and the border is repeated.
//! With it the kernel has a = −½, is stretched by the shrinking factor, and is cut and normalised at
//! the border. These are PyTorch's `interpolate(mode="bicubic", align_corners=False)` without and
//! with `antialias=True`, whose results the test holds.

/// Cubic convolution with parameter `a` (Keys, 1981).
fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

/// Weights of the inputs for each output: first input and its successors' weights, summing to 1.
fn weights(from: usize, to: usize, antialias: bool) -> Vec<Vec<(usize, f64)>> {
    let scale = from as f64 / to as f64;
    let last = from as i64 - 1;
    (0..to)
        .map(|out| {
            let centre = scale * (out as f64 + 0.5);
            if !antialias {
                let place = centre - 0.5;
                let base = place.floor();
                return (-1..=2)
                    .map(|offset| {
                        let at = (base as i64 + offset).clamp(0, last) as usize;
                        (at, cubic(place - base - offset as f64, -0.75))
                    })
                    .collect();
            }
            let stretch = scale.max(1.0);
            let support = 2.0 * stretch;
            // A cast cuts towards zero, and negative numbers to 0.
            let begin = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let raw: Vec<(usize, f64)> = (begin..end)
                .map(|at| (at, cubic((at as f64 - centre + 0.5) / stretch, -0.5)))
                .collect();
            let total: f64 = raw.iter().map(|(_, weight)| weight).sum();
            raw.into_iter()
                .map(|(at, weight)| (at, weight / total))
                .collect()
        })
        .collect()
}

/// Rows `[before + from², width]` as rows `[before + to², width]`: the first `before` are copied.
///
/// # Panics
/// If the number of values is not that of the rows.
pub fn resize_table(
    values: &[f32],
    width: usize,
    before: usize,
    [from, to]: [usize; 2],
    antialias: bool,
) -> Vec<f32> {
    assert_eq!(values.len(), (before + from * from) * width);
    let (head, grid) = values.split_at(before * width);
    let along = weights(from, to, antialias);
    // Columns first: [from, to, width] in f64.
    let mut columns = vec![0.0; from * to * width];
    for row in 0..from {
        for (column, taps) in along.iter().enumerate() {
            let target = &mut columns[(row * to + column) * width..][..width];
            for (at, weight) in taps {
                let source = &grid[(row * from + at) * width..][..width];
                for (sum, value) in target.iter_mut().zip(source) {
                    *sum += weight * f64::from(*value);
                }
            }
        }
    }
    let mut result = head.to_vec();
    for taps in &along {
        for column in 0..to {
            let mut sums = vec![0.0; width];
            for (at, weight) in taps {
                let source = &columns[(at * to + column) * width..][..width];
                for (sum, value) in sums.iter_mut().zip(source) {
                    *sum += weight * value;
                }
            }
            result.extend(sums.into_iter().map(|sum| sum as f32));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of one row before a grid, two features: values that no symmetry hides.
    fn table(side: usize) -> Vec<f32> {
        let head = [7.0, -7.0];
        let grid = (0..side * side).flat_map(|at| {
            let (row, column) = ((at / side) as f32, (at % side) as f32);
            [row * row - 2.0 * column, (at % 5) as f32 * 0.5]
        });
        head.into_iter().chain(grid).collect()
    }

    #[test]
    fn grids_are_resized_as_pytorch_does() {
        for (from, to, antialias, wanted) in RESIZED {
            let found = resize_table(&table(*from), 2, 1, [*from, *to], *antialias);
            assert_eq!(found.len(), 2 * (1 + to * to));
            assert_eq!(found[..2], [7.0, -7.0]);
            assert_eq!(wanted.len(), to * to * 2);
            for (found, wanted) in found[2..].iter().zip(*wanted) {
                assert!(
                    (found - wanted).abs() < 1e-4,
                    "{from} to {to}: {found}, {wanted}"
                );
            }
        }
    }

    #[test]
    fn an_equal_grid_is_copied() {
        for antialias in [false, true] {
            let table = table(4);
            let found = resize_table(&table, 2, 1, [4, 4], antialias);
            for (found, wanted) in found.iter().zip(table) {
                assert!((found - wanted).abs() < 1e-6);
            }
        }
    }

    /// From, to, antialias, and what `F.interpolate` of PyTorch 2.15 makes of the grid in float64.
    type Resized = (usize, usize, bool, &'static [f32]);

    const RESIZED: &[Resized] = &[
        (
            4,
            6,
            false,
            &[
                0.0868056, -0.235852, -0.899306, 0.138021, -2.51273, 0.668722, -3.66088, 0.940689,
                -5.27431, 1.34028, -6.26042, 1.58681, 0.392361, 1.13232, -0.59375, 0.48584,
                -2.20718, 0.0737666, -3.35532, 0.630986, -4.96875, 1.11572, -5.95486, 1.34028,
                1.60417, 2.27184, 0.618056, 1.17225, -0.99537, 0.0956134, -2.14352, 0.256648,
                -3.75694, 0.630986, -4.74306, 0.940689, 3.32639, 1.64139, 2.34028, 1.87299,
                0.726852, 1.47704, -0.421296, 0.0956134, -2.03472, 0.0737666, -3.02083, 0.668722,
                6.95486, 1.13938, 5.96875, 1.6626, 4.35532, 1.87299, 3.20718, 1.17225, 1.59375,
                0.48584, 0.607639, 0.138021, 9.60764, 0.913194, 8.62153, 1.13938, 7.0081, 1.64139,
                5.85995, 2.27184, 4.24653, 1.13232, 3.26042, -0.235852,
            ],
        ),
        (
            4,
            6,
            true,
            &[
                0.0657895, -0.175294, -0.889319, 0.151703, -2.39912, 0.625746, -3.73246, 0.951465,
                -5.24226, 1.32701, -6.19737, 1.56579, 0.425697, 1.02477, -0.529412, 0.544983,
                -2.03922, 0.171501, -3.37255, 0.677764, -4.88235, 1.09689, -5.83746, 1.32701,
                1.49269, 2.18264, 0.537582, 1.18369, -0.972222, 0.125252, -2.30556, 0.315302,
                -3.81536, 0.677764, -4.77047, 0.951465, 3.49269, 1.60108, 2.53758, 1.80079,
                1.02778, 1.56286, -0.305556, 0.125252, -1.81536, 0.171501, -2.77047, 0.625746,
                6.95511, 1.16331, 6.0, 1.55882, 4.4902, 1.80079, 3.15686, 1.18369, 1.64706,
                0.544983, 0.69195, 0.151703, 9.46053, 0.934211, 8.50542, 1.16331, 6.99561, 1.60108,
                5.66228, 2.18264, 4.15248, 1.02477, 3.19737, -0.175294,
            ],
        ),
        (
            5,
            3,
            false,
            &[
                -0.37037, 0.12963, -3.85185, 1.0, -7.33333, 1.87037, 3.48148, 0.12963, 0.0, 1.0,
                -3.48148, 1.87037, 13.5556, 0.12963, 10.0741, 1.0, 6.59259, 1.87037,
            ],
        ),
        (
            5,
            3,
            true,
            &[
                -0.538462, 0.176923, -3.83077, 1.0, -7.12308, 1.82308, 3.48766, 0.176923, 0.195349,
                1.0, -3.09696, 1.82308, 12.6308, 0.176923, 9.33846, 1.0, 6.04615, 1.82308,
            ],
        ),
    ];
}
