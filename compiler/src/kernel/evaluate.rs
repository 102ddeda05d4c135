//! The meaning of a kernel as plain loops: f64 arithmetic, one point after the other.
//!
//! Slow and obvious; what schedules and code generators are tested against.

use std::collections::BTreeMap;

use half::bf16;
use mm1_package::DType;

use super::{
    Address, AxisId, AxisSize, BufferId, Coordinate, Expr, ExprId, Guard, Kernel, Monoid, Stage,
    StageId, StageKind, Window,
};
use crate::graph::{Binary, Unary};

/// Runs a kernel over buffers of raw bytes, with the launch's extents.
///
/// # Errors
/// The kernel refers to what does not exist, or to an element outside its buffer.
pub fn evaluate(kernel: &Kernel, buffers: &mut [Vec<u8>], extents: &[u64]) -> Result<(), String> {
    if buffers.len() != kernel.buffers.len() {
        return Err(format!(
            "{} buffers for a kernel of {}",
            buffers.len(),
            kernel.buffers.len()
        ));
    }
    let sizes = kernel
        .axes
        .iter()
        .map(|axis| match axis.size {
            AxisSize::Fixed(size) => Ok(size as i64),
            AxisSize::Runtime(extent) => extents
                .get(extent as usize)
                .map(|size| *size as i64)
                .ok_or_else(|| format!("extent {extent} is not given")),
        })
        .collect::<Result<_, String>>()?;
    let mut run = Run {
        kernel,
        buffers,
        sizes,
        at: vec![0; kernel.axes.len()],
        tiles: BTreeMap::new(),
    };
    for (number, stage) in kernel.stages.iter().enumerate() {
        run.stage(StageId(number as u32), stage)?;
    }
    Ok(())
}

struct Run<'a> {
    kernel: &'a Kernel,
    buffers: &'a mut [Vec<u8>],
    sizes: Vec<i64>,
    at: Vec<i64>,
    tiles: BTreeMap<(StageId, u32), Vec<f64>>,
}

impl Run<'_> {
    /// Visits all points of some axes, the last fastest.
    fn points(
        &mut self,
        axes: &[AxisId],
        body: &mut dyn FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some((axis, rest)) = axes.split_first() else {
            return body(self);
        };
        for value in 0..self.sizes[axis.0 as usize] {
            self.at[axis.0 as usize] = value;
            self.points(rest, body)?;
        }
        Ok(())
    }

    fn position(&self, axes: &[AxisId]) -> usize {
        axes.iter().fold(0, |position, axis| {
            position * self.sizes[axis.0 as usize] as usize + self.at[axis.0 as usize] as usize
        })
    }

    fn count(&self, axes: &[AxisId]) -> usize {
        axes.iter()
            .map(|axis| self.sizes[axis.0 as usize] as usize)
            .product()
    }

    fn stage(&mut self, id: StageId, stage: &Stage) -> Result<(), String> {
        let kept: Vec<AxisId> = kernel_kept(stage);
        match &stage.kind {
            StageKind::Map { stores } => self.points(&stage.domain, &mut |run| {
                let values: Vec<f64> = stores
                    .iter()
                    .map(|store| run.value(store.value))
                    .collect::<Result<_, _>>()?;
                for (store, value) in stores.iter().zip(values) {
                    if let Some(element) = run.element(&store.address, &[])? {
                        run.write(store.buffer, element, value)?;
                    }
                }
                Ok(())
            }),
            StageKind::Reduce { monoid, value } => {
                let start = match monoid {
                    Monoid::Sum => 0.0,
                    Monoid::Max => f64::NEG_INFINITY,
                };
                let mut tile = vec![start; self.count(&kept)];
                self.points(&stage.domain, &mut |run| {
                    let value = run.value(*value)?;
                    let slot = &mut tile[run.position(&kept)];
                    *slot = match monoid {
                        Monoid::Sum => *slot + value,
                        Monoid::Max => slot.max(value),
                    };
                    Ok(())
                })?;
                self.tiles.insert((id, 0), tile);
                Ok(())
            }
            StageKind::Contract {
                lhs, rhs, window, ..
            } => {
                let mut tile = vec![0.0; self.count(&kept)];
                self.points(&stage.domain, &mut |run| {
                    if run.is_visible(window.as_ref())? {
                        tile[run.position(&kept)] += run.value(*lhs)? * run.value(*rhs)?;
                    }
                    Ok(())
                })?;
                self.tiles.insert((id, 0), tile);
                Ok(())
            }
            StageKind::SoftmaxContract {
                score,
                value,
                operands,
                window,
            } => {
                let rows = self.kernel.tile_axes(id, 1);
                let mut largest = vec![f64::NEG_INFINITY; self.count(&rows)];
                let mut sums = vec![0.0; self.count(&rows)];
                let mut weighted = vec![0.0; self.count(&kept)];
                // Axes that only the value depends on repeat the same score.
                let scored: Vec<AxisId> = rows.iter().chain(&stage.reduced).copied().collect();
                self.points(&scored, &mut |run| {
                    if run.is_visible(window.as_ref())? {
                        let slot = &mut largest[run.position(&rows)];
                        *slot = slot.max(run.value(*score)?);
                    }
                    Ok(())
                })?;
                self.points(&scored, &mut |run| {
                    if run.is_visible(window.as_ref())? {
                        let row = run.position(&rows);
                        sums[row] += (run.value(*score)? - largest[row]).exp();
                    }
                    Ok(())
                })?;
                self.points(&stage.domain, &mut |run| {
                    if run.is_visible(window.as_ref())? {
                        let mut power = (run.value(*score)? - largest[run.position(&rows)]).exp();
                        if *operands == DType::Bf16 {
                            power = round(power);
                        }
                        weighted[run.position(&kept)] += power * run.value(*value)?;
                    }
                    Ok(())
                })?;
                for (result, tile) in [weighted, largest, sums].into_iter().enumerate() {
                    self.tiles.insert((id, result as u32), tile);
                }
                Ok(())
            }
            StageKind::Scatter {
                buffer,
                address,
                value,
            } => {
                let order: Vec<AxisId> = stage.reduced.iter().chain(&kept).copied().collect();
                self.points(&order, &mut |run| {
                    if let Some(element) = run.element(address, &[])? {
                        let sum = run.read(*buffer, element)? + run.value(*value)?;
                        run.write(*buffer, element, sum)?;
                    }
                    Ok(())
                })
            }
        }
    }

    fn is_visible(&self, window: Option<&Window>) -> Result<bool, String> {
        let Some(window) = window else {
            return Ok(true);
        };
        let query = self.at[window.query.0 as usize];
        let key = self.at[window.key.0 as usize];
        if window.causal && key > query {
            return Ok(false);
        }
        if let Some(begin) = window.begin
            && (key as f64) < self.value(begin)?
        {
            return Ok(false);
        }
        if let Some(end) = window.end
            && key as f64 >= self.value(end)?
        {
            return Ok(false);
        }
        Ok(true)
    }

    /// The element that an address means here, `None` if it does not exist.
    fn element(&self, address: &Address, guards: &[Guard]) -> Result<Option<usize>, String> {
        for guard in guards {
            let terms = guard.terms.iter();
            let sum: i64 = terms.map(|(axis, by)| by * self.at[axis.0 as usize]).sum();
            if !(0..guard.bound).contains(&(guard.offset + sum)) {
                return Ok(None);
            }
        }
        let mut element = address.offset;
        for (coordinate, stride) in &address.terms {
            let value = match coordinate {
                Coordinate::Axis(axis) => self.at[axis.0 as usize],
                Coordinate::Row(row) => self.value(*row)? as i64,
            };
            if value < 0 {
                return Ok(None);
            }
            element += value * stride;
        }
        usize::try_from(element)
            .map(Some)
            .map_err(|_| format!("element {element} is before its buffer"))
    }

    fn read(&self, buffer: BufferId, element: usize) -> Result<f64, String> {
        let data = &self.buffers[buffer.0 as usize];
        let outside = || format!("element {element} is outside buffer {}", buffer.0);
        match self.kernel.buffers[buffer.0 as usize].dtype {
            DType::F32 => four(data, element)
                .map(|bytes| f64::from(f32::from_le_bytes(bytes)))
                .ok_or_else(outside),
            DType::I32 => four(data, element)
                .map(|bytes| f64::from(i32::from_le_bytes(bytes)))
                .ok_or_else(outside),
            DType::Bf16 => data
                .get(2 * element..2 * element + 2)
                .map(|bytes| bf16::from_le_bytes([bytes[0], bytes[1]]).to_f64())
                .ok_or_else(outside),
        }
    }

    fn write(&mut self, buffer: BufferId, element: usize, value: f64) -> Result<(), String> {
        let bytes: &[u8] = match self.kernel.buffers[buffer.0 as usize].dtype {
            DType::F32 => &(value as f32).to_le_bytes(),
            DType::I32 => &(value as i32).to_le_bytes(),
            DType::Bf16 => &bf16::from_f32(value as f32).to_le_bytes(),
        };
        let first = element * bytes.len();
        self.buffers[buffer.0 as usize]
            .get_mut(first..first + bytes.len())
            .ok_or_else(|| format!("element {element} is outside buffer {}", buffer.0))?
            .copy_from_slice(bytes);
        Ok(())
    }

    fn value(&self, expr: ExprId) -> Result<f64, String> {
        Ok(match self.kernel.expr_of(expr) {
            Expr::Const(bits) => f64::from(f32::from_bits(*bits)),
            Expr::Index(axis) => self.at[axis.0 as usize] as f64,
            Expr::Load {
                buffer,
                address,
                guards,
            } => match self.element(address, guards)? {
                Some(element) => self.read(*buffer, element)?,
                None => 0.0,
            },
            Expr::Tile { stage, result } => {
                let axes = self.kernel.tile_axes(*stage, *result);
                let tile = self
                    .tiles
                    .get(&(*stage, *result))
                    .ok_or_else(|| format!("stage {} has no result {result} yet", stage.0))?;
                tile[self.position(&axes)]
            }
            Expr::Unary(op, x) => unary(*op, self.value(*x)?),
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.value(*a)?, self.value(*b)?);
                match op {
                    Binary::Add => a + b,
                    Binary::Sub => a - b,
                    Binary::Mul => a * b,
                    Binary::Div => a / b,
                    Binary::Max => a.max(b),
                    Binary::Min => a.min(b),
                    Binary::Equal => f64::from(u8::from(a == b)),
                    Binary::Less => f64::from(u8::from(a < b)),
                }
            }
            Expr::Round(x) => round(self.value(*x)?),
            Expr::SelectEqual {
                a,
                b,
                then,
                otherwise,
            } => match self.value(*a)? == self.value(*b)? {
                true => self.value(*then)?,
                false => self.value(*otherwise)?,
            },
        })
    }
}

fn kernel_kept(stage: &Stage) -> Vec<AxisId> {
    let axes = stage.domain.iter().copied();
    axes.filter(|axis| !stage.reduced.contains(axis)).collect()
}

fn four(data: &[u8], element: usize) -> Option<[u8; 4]> {
    data.get(4 * element..4 * element + 4)?.try_into().ok()
}

fn round(x: f64) -> f64 {
    bf16::from_f32(x as f32).to_f64()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Derivative of x·σ(inner).
fn gated_grad(x: f64, inner: f64, slope: f64) -> f64 {
    sigmoid(inner) + x * sigmoid(inner) * sigmoid(-inner) * slope
}

/// The pointwise functions in f64.
pub fn unary(op: Unary, x: f64) -> f64 {
    let root = (8.0 / std::f64::consts::PI).sqrt();
    let inner = root * (x + 0.044715 * x * x * x);
    match op {
        Unary::Neg => -x,
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Rsqrt => 1.0 / x.sqrt(),
        Unary::Reciprocal => 1.0 / x,
        Unary::Square => x * x,
        Unary::Relu => x.max(0.0),
        Unary::Step => f64::from(u8::from(x > 0.0)),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => sigmoid(x),
        Unary::Erf => erf(x),
        Unary::Gelu => x * cumulative(x),
        Unary::GeluGrad => {
            cumulative(x) + x * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
        }
        Unary::GeluTanh => x * sigmoid(inner),
        Unary::GeluTanhGrad => gated_grad(x, inner, root * (1.0 + 3.0 * 0.044715 * x * x)),
        Unary::QuickGelu => x * sigmoid(1.702 * x),
        Unary::QuickGeluGrad => gated_grad(x, 1.702 * x, 1.702),
        Unary::Silu => x * sigmoid(x),
        Unary::SiluGrad => gated_grad(x, x, 1.0),
    }
}

/// Taylor series; right to 1e-13 for |x| < 2.
fn erf_series(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..100 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

/// 1 − erf x for x ≥ 0: continued fraction above 2.
fn erfc(x: f64) -> f64 {
    if x < 2.0 {
        return 1.0 - erf_series(x);
    }
    let fraction = (1..200)
        .rev()
        .fold(x, |fraction, n| x + f64::from(n) / 2.0 / fraction);
    (-x * x).exp() / (fraction * std::f64::consts::PI.sqrt())
}

fn erf(x: f64) -> f64 {
    match x.abs() < 2.0 {
        true => erf_series(x),
        false => (1.0 - erfc(x.abs())).copysign(x),
    }
}

fn cumulative(x: f64) -> f64 {
    let tail = erfc(x.abs() / std::f64::consts::SQRT_2) / 2.0;
    if x < 0.0 { tail } else { 1.0 - tail }
}
