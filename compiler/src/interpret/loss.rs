//! Cross-entropy with z-loss.

use super::attention::log_sum_exp;
use super::contract::matmul;
use super::{Tensor, index, same, scalar};
use crate::graph::capped;

/// Loss `[R]`, z `[R]` and the derivative of Σ loss + zw·Σ z in the logits.
pub(super) fn cross_entropy(
    logits: &Tensor,
    targets: &Tensor,
    weights: &Tensor,
    z_weight: &Tensor,
) -> Result<Vec<Tensor>, String> {
    let [rows, classes] = logits.dims[..] else {
        return Err(format!("logits of sizes {:?}", logits.dims));
    };
    same("targets", targets, &[rows])?;
    same("weights", weights, &[rows])?;
    let z_weight = scalar(z_weight)?;
    let mut loss = Tensor::zeros(&[rows]);
    let mut z = Tensor::zeros(&[rows]);
    let mut dlogits = Tensor::zeros(&logits.dims);
    let classes = classes as usize;
    for row in 0..rows as usize {
        let x = logits.row(row, classes);
        let target = index(targets.data[row], classes)?;
        let weight = weights.data[row];
        let lse = log_sum_exp(x);
        loss.data[row] = weight * (lse - x[target]);
        z.data[row] = weight * lse * lse;
        let dx = &mut dlogits.data[row * classes..(row + 1) * classes];
        for (class, (dx, x)) in dx.iter_mut().zip(x).enumerate() {
            let p = (x - lse).exp();
            let hit = f64::from(class == target);
            *dx = weight * (p - hit) + z_weight * weight * 2.0 * lse * p;
        }
    }
    Ok(vec![loss, z, dlogits])
}

/// The same of the logits x·wᵀ, summed, with dx and dweight if `gradient`. The logits are not
/// rounded, whatever the types of x and w.
pub(super) fn linear_cross_entropy(
    gradient: bool,
    softcap: f64,
    [x, w]: [&Tensor; 2],
    [targets, weights, z_weight]: [&Tensor; 3],
) -> Result<Vec<Tensor>, String> {
    let mut logits = matmul(false, true, x, w)?;
    let mut slopes = Vec::with_capacity(logits.data.len());
    for logit in &mut logits.data {
        let (value, slope) = capped(*logit, softcap);
        *logit = value;
        slopes.push(slope);
    }
    let mut row = cross_entropy(&logits, targets, weights, z_weight)?;
    let [loss, z, dlogits] = &mut row[..] else {
        return Err("cross-entropy gives three results".to_owned());
    };
    for (slope, capped) in dlogits.data.iter_mut().zip(slopes) {
        *slope *= capped;
    }
    let total = |x: &Tensor| Tensor::new([], vec![x.data.iter().sum()]);
    let mut results = vec![total(loss)?, total(z)?];
    if gradient {
        results.push(matmul(false, false, dlogits, w)?);
        results.push(matmul(true, false, dlogits, x)?);
    }
    Ok(results)
}
