//! Attention and its derivative.

use std::ops::Range;

use super::contract::dot;
use super::{Tensor, same};
use crate::graph::capped;

/// Sizes of an attention and the keys that each query sees.
pub(super) struct Keys {
    batch: usize,
    queries: usize,
    keys: usize,
    heads: usize,
    groups: usize,
    width: usize,
    /// Visible keys of query `b·Tq + t`.
    visible: Vec<Range<usize>>,
}

impl Keys {
    pub(super) fn new(
        causal: bool,
        begin: bool,
        end: bool,
        ranges: &[&Tensor],
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<Self, String> {
        let ([batch, queries, heads, width], [_, keys, groups, _]) = (&q.dims[..], &k.dims[..])
        else {
            return Err("attention needs operands of rank 4".to_owned());
        };
        same("k", k, &[*batch, *keys, *groups, *width])?;
        same("v", v, &k.dims)?;
        if *groups == 0 || heads % groups != 0 {
            return Err(format!("{groups} key heads for {heads} query heads"));
        }
        if ranges.len() != usize::from(begin) + usize::from(end) {
            return Err(format!("{} range operands", ranges.len()));
        }
        for range in ranges {
            same("a key range", range, &[*batch, *queries])?;
        }
        let first = begin.then(|| ranges[0]);
        let last = end.then(|| ranges[ranges.len() - 1]);
        let visible = (0..(batch * queries) as usize)
            .map(|query| {
                let t = query % *queries as usize;
                let limit = if causal {
                    (t + 1).min(*keys as usize)
                } else {
                    *keys as usize
                };
                // A float-to-integer cast saturates: a negative bound counts as 0.
                let begin = first.map_or(0, |begin| begin.data[query] as usize);
                let end = last.map_or(limit, |end| (end.data[query] as usize).min(limit));
                begin.min(end)..end
            })
            .collect();
        Ok(Self {
            batch: *batch as usize,
            queries: *queries as usize,
            keys: *keys as usize,
            heads: *heads as usize,
            groups: *groups as usize,
            width: *width as usize,
            visible,
        })
    }

    /// Row of q (as rows of D) of a query.
    fn query(&self, b: usize, t: usize, h: usize) -> usize {
        (b * self.queries + t) * self.heads + h
    }

    /// Row of k and v of a key under query head h.
    fn key(&self, b: usize, s: usize, h: usize) -> usize {
        (b * self.keys + s) * self.groups + h * self.groups / self.heads
    }

    /// Calls `f(b, t, h, visible keys)` for every query of every head.
    fn each(&self, mut f: impl FnMut(usize, usize, usize, Range<usize>)) {
        for b in 0..self.batch {
            for h in 0..self.heads {
                for t in 0..self.queries {
                    f(b, t, h, self.visible[b * self.queries + t].clone());
                }
            }
        }
    }
}

pub(super) fn forward(
    scale: f64,
    softcap: f64,
    keys: &Keys,
    [q, k, v]: [&Tensor; 3],
) -> Vec<Tensor> {
    let width = keys.width;
    let mut out = Tensor::zeros(&q.dims);
    let mut lse = Tensor::zeros(&[q.dims[0], q.dims[2], q.dims[1]]);
    keys.each(|b, t, h, visible| {
        let query = keys.query(b, t, h);
        let scores: Vec<f64> = visible
            .clone()
            .map(|s| {
                let score = scale * dot(q.row(query, width), k.row(keys.key(b, s, h), width));
                capped(score, softcap).0
            })
            .collect();
        let total = log_sum_exp(&scores);
        lse.data[(b * keys.heads + h) * keys.queries + t] = total;
        let target = &mut out.data[query * width..(query + 1) * width];
        for (s, score) in visible.zip(&scores) {
            axpy(
                (score - total).exp(),
                v.row(keys.key(b, s, h), width),
                target,
            );
        }
    });
    vec![out, lse]
}

/// dq, dk, dv from \[dout, q, k, v, out, log-sum-exp\].
pub(super) fn backward(
    scale: f64,
    softcap: f64,
    keys: &Keys,
    [dout, q, k, v, out, lse]: [&Tensor; 6],
) -> Result<Vec<Tensor>, String> {
    same("dout", dout, &q.dims)?;
    same("out", out, &q.dims)?;
    same("lse", lse, &[q.dims[0], q.dims[2], q.dims[1]])?;
    let width = keys.width;
    let mut dq = Tensor::zeros(&q.dims);
    let mut dk = Tensor::zeros(&k.dims);
    let mut dv = Tensor::zeros(&v.dims);
    keys.each(|b, t, h, visible| {
        let query = keys.query(b, t, h);
        let (q_row, dout_row) = (q.row(query, width), dout.row(query, width));
        let total = lse.data[(b * keys.heads + h) * keys.queries + t];
        // Σ p·dp, by which softmax's derivative is centred.
        let centre = dot(dout_row, out.row(query, width));
        for s in visible {
            let key = keys.key(b, s, h);
            let at = key * width..(key + 1) * width;
            let (score, slope) = capped(scale * dot(q_row, k.row(key, width)), softcap);
            let p = (score - total).exp();
            let dscore = scale * slope * p * (dot(dout_row, v.row(key, width)) - centre);
            axpy(p, dout_row, &mut dv.data[at.clone()]);
            axpy(dscore, q_row, &mut dk.data[at]);
            let dq_row = &mut dq.data[query * width..(query + 1) * width];
            axpy(dscore, k.row(key, width), dq_row);
        }
    });
    Ok(vec![dq, dk, dv])
}

/// y ← y + a·x.
pub(super) fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// ln Σ eˣ; −∞ of nothing.
pub(super) fn log_sum_exp(x: &[f64]) -> f64 {
    let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + x.iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
}
