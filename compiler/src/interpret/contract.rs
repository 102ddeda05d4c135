//! Reductions and contractions.

use super::Tensor;
use super::movement::transpose;
use super::pointwise::maximum;
use crate::graph::ReduceKind;

pub(super) fn reduce(kind: ReduceKind, axes: &[usize], x: &Tensor) -> Result<Tensor, String> {
    let kept: Vec<usize> = (0..x.dims.len()).filter(|a| !axes.contains(a)).collect();
    if kept.len() + axes.len() != x.dims.len() {
        return Err(format!("axes {axes:?} of sizes {:?}", x.dims));
    }
    let dims: Vec<u64> = kept.iter().map(|axis| x.dims[*axis]).collect();
    let width: u64 = axes.iter().map(|axis| x.dims[*axis]).product();
    let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
    let rows = transpose(&order, x)?;
    let data = (0..dims.iter().product::<u64>() as usize)
        .map(|row| {
            let row = rows.row(row, width as usize).iter().copied();
            match kind {
                ReduceKind::Sum => row.sum(),
                ReduceKind::Max => row.fold(f64::NEG_INFINITY, maximum),
            }
        })
        .collect();
    Tensor::new(dims, data)
}

/// Exchanges the last two axes.
fn exchanged(x: &Tensor) -> Result<Tensor, String> {
    let rank = x.dims.len();
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 2, rank - 1);
    transpose(&order, x)
}

pub(super) fn matmul(
    transpose_a: bool,
    transpose_b: bool,
    a: &Tensor,
    b: &Tensor,
) -> Result<Tensor, String> {
    if a.dims.len() < 2 || b.dims.len() < 2 {
        return Err("a contraction needs operands of rank 2 or more".to_owned());
    }
    // Both operands with k innermost: [B.., m, k] and [B.., n, k].
    let a = if transpose_a {
        exchanged(a)?
    } else {
        a.clone()
    };
    let b = if transpose_b {
        b.clone()
    } else {
        exchanged(b)?
    };
    let (batch_a, rows_a) = a.dims.split_at(a.dims.len() - 2);
    let (batch_b, rows_b) = b.dims.split_at(b.dims.len() - 2);
    let (m, n, k) = (rows_a[0] as usize, rows_b[0] as usize, rows_a[1] as usize);
    let batch = if batch_b.is_empty() { batch_a } else { batch_b };
    let fits = rows_a[1] == rows_b[1]
        && (batch_a == batch || batch_a.is_empty())
        && (batch_b == batch || batch_b.is_empty());
    if !fits {
        return Err(format!(
            "{:?} and {:?} cannot be contracted",
            a.dims, b.dims
        ));
    }
    let count = batch.iter().product::<u64>() as usize;
    // An operand without batch sizes serves every batch.
    let step = |own: &[u64], rows: usize| if own.is_empty() { 0 } else { rows };
    let (step_a, step_b) = (step(batch_a, m), step(batch_b, n));
    let mut data = Vec::with_capacity(count * m * n);
    for item in 0..count {
        for i in 0..m {
            let left = a.row(item * step_a + i, k);
            for j in 0..n {
                data.push(dot(left, b.row(item * step_b + j, k)));
            }
        }
    }
    let mut dims = batch.to_vec();
    dims.extend([m as u64, n as u64]);
    Tensor::new(dims, data)
}

/// Σ a·b.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
