//! Kernels that walk rows: norms, reductions, depthwise convolution, the optimizer.

use mm1_package::DType;

use super::Emitter;
use super::build::{Build, address};
use super::view::View;
use crate::graph::{Binary, Dim, NormKind, ReduceKind, Unary, Value};
use crate::kernel::{AxisId, Expr, ExprId, Guard, Monoid, StageId, StageKind, Store};

/// Shorthand for expressions.
pub(super) trait Exprs {
    /// A number.
    fn number(&mut self, value: f64) -> ExprId;
    /// f(x).
    fn unary(&mut self, function: Unary, x: ExprId) -> ExprId;
    /// f(a, b).
    fn binary(&mut self, function: Binary, a: ExprId, b: ExprId) -> ExprId;
    /// A result of a stage.
    fn tile(&mut self, stage: StageId) -> ExprId;
    /// A value of `domain` folded along some of its axes.
    fn fold(
        &mut self,
        domain: &[AxisId],
        folded: &[AxisId],
        monoid: Monoid,
        value: ExprId,
    ) -> ExprId;
    /// cap·tanh(x/cap) and its slope; x itself, which has none, where the cap is 0.
    fn capped(&mut self, x: ExprId, cap: f64) -> (ExprId, Option<ExprId>);
}

impl Exprs for Build {
    fn number(&mut self, value: f64) -> ExprId {
        self.kernel.expr(Expr::Const((value as f32).to_bits()))
    }

    fn unary(&mut self, function: Unary, x: ExprId) -> ExprId {
        self.kernel.expr(Expr::Unary(function, x))
    }

    fn binary(&mut self, function: Binary, a: ExprId, b: ExprId) -> ExprId {
        self.kernel.expr(Expr::Binary(function, a, b))
    }

    fn tile(&mut self, stage: StageId) -> ExprId {
        self.kernel.expr(Expr::Tile { stage, result: 0 })
    }

    fn fold(
        &mut self,
        domain: &[AxisId],
        folded: &[AxisId],
        monoid: Monoid,
        value: ExprId,
    ) -> ExprId {
        let kind = StageKind::Reduce { monoid, value };
        let stage = self.kernel.stage(domain, folded, kind);
        self.tile(stage)
    }

    fn capped(&mut self, x: ExprId, cap: f64) -> (ExprId, Option<ExprId>) {
        if cap == 0.0 {
            return (x, None);
        }
        let [factor, share, one] = [cap, 1.0 / cap, 1.0].map(|value| self.number(value));
        let share = self.binary(Binary::Mul, x, share);
        let bounded = self.unary(Unary::Tanh, share);
        let value = self.binary(Binary::Mul, bounded, factor);
        let square = self.unary(Unary::Square, bounded);
        (value, Some(self.binary(Binary::Sub, one, square)))
    }
}

/// What a kernel over windows sums.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Folds {
    /// The elements of the window at each place.
    Window,
    /// The places for each element of the window.
    Places,
}

/// A picture under windows.
struct Windowed {
    /// (n, h, w, c).
    axes: [AxisId; 4],
    /// Their sizes at the bounds.
    dims: Vec<u64>,
    /// (ky, kx).
    window: [AxisId; 2],
    /// The picture at (n, h + ky − p, w + kx − p, c), zero outside the grid.
    x: ExprId,
}

impl Emitter<'_> {
    /// Loads a value over the whole domain, stretched from the right.
    pub(super) fn over_domain(&self, build: &mut Build, value: Value) -> Result<ExprId, String> {
        let (axes, domain) = (build.axes.clone(), build.domain.clone());
        self.load(build, value, &axes, &|view| Some(view.broadcast(&domain)))
    }

    /// Loads a per-row value over the domain without its last axis.
    fn over_rows(&self, build: &mut Build, value: Value) -> Result<ExprId, String> {
        let rows = build.axes[..build.axes.len() - 1].to_vec();
        self.load(build, value, &rows, &Some)
    }

    /// Marks the last domain axis as one that each row walks by itself.
    pub(super) fn walk_last(build: &mut Build) -> AxisId {
        let last = build.axes[build.axes.len() - 1];
        build.kernel.axes[last.0 as usize].parallel = false;
        last
    }

    /// Stores per-row values where they are needed elsewhere.
    pub(super) fn store_rows(&self, build: &mut Build, values: &[(Value, ExprId)]) {
        let rows = build.axes[..build.axes.len() - 1].to_vec();
        let mut stores = Vec::new();
        for (value, expr) in values {
            if let Some((key, place)) = self.storage.place(*value).cloned() {
                let buffer = build.buffer(key, DType::F32, true);
                stores.push(Store {
                    buffer,
                    address: address(&place, &rows),
                    value: *expr,
                });
            }
        }
        if !stores.is_empty() {
            build.kernel.stage(&rows, &[], StageKind::Map { stores });
        }
    }

    pub(super) fn round_like(&self, build: &mut Build, value: Value, expr: ExprId) -> ExprId {
        if self.groups.graph.ty(value).dtype == DType::Bf16 {
            build.kernel.expr(Expr::Round(expr))
        } else {
            expr
        }
    }

    pub fn emit_norm(&mut self, group: usize, kind: NormKind, epsilon: f64) -> Result<(), String> {
        let (anchor, operands) = self.anchor(group);
        let y = Value::from(anchor);
        let mut build = self.start(group);
        let last = Self::walk_last(&mut build);
        let axes = build.axes.clone();
        let width = build.domain[axes.len() - 1] as f64;
        let x = self.over_domain(&mut build, operands[0])?;
        let weight = self.over_domain(&mut build, operands[1])?;
        let share = build.number(1.0 / width);
        let epsilon = build.number(epsilon);
        let sum = |build: &mut Build, value| build.fold(&axes, &[last], Monoid::Sum, value);
        let (centred, mean) = match kind {
            NormKind::Layer => {
                let total = sum(&mut build, x);
                let mean = build.binary(Binary::Mul, total, share);
                (build.binary(Binary::Sub, x, mean), Some(mean))
            }
            NormKind::Rms => (x, None),
        };
        let square = build.unary(Unary::Square, centred);
        let power = sum(&mut build, square);
        let variance = build.binary(Binary::Mul, power, share);
        let shifted = build.binary(Binary::Add, variance, epsilon);
        let deviation = build.unary(Unary::Rsqrt, shifted);
        let unit = build.binary(Binary::Mul, centred, deviation);
        let mut result = build.binary(Binary::Mul, unit, weight);
        if kind == NormKind::Layer {
            let bias = self.over_domain(&mut build, operands[2])?;
            result = build.binary(Binary::Add, result, bias);
        }
        let result = self.round_like(&mut build, y, result);
        build.values.insert(y, result);
        self.finish_domain(&mut build)?;
        let mut statistics: Vec<ExprId> = mean.into_iter().collect();
        statistics.push(deviation);
        let statistics: Vec<(Value, ExprId)> = statistics
            .into_iter()
            .enumerate()
            .map(|(index, expr)| (y.sibling(index as u32 + 1), expr))
            .collect();
        self.store_rows(&mut build, &statistics);
        self.finish(build, anchor, "");
        Ok(())
    }

    /// x centred and scaled to unit deviation, from saved statistics.
    fn unit(
        &self,
        build: &mut Build,
        kind: NormKind,
        x: Value,
        statistics: &[Value],
    ) -> Result<(ExprId, ExprId), String> {
        let x = self.over_domain(build, x)?;
        let deviation = self.over_rows(build, statistics[statistics.len() - 1])?;
        let centred = match kind {
            NormKind::Layer => {
                let mean = self.over_rows(build, statistics[0])?;
                build.binary(Binary::Sub, x, mean)
            }
            NormKind::Rms => x,
        };
        Ok((build.binary(Binary::Mul, centred, deviation), deviation))
    }

    pub fn emit_norm_input_grad(&mut self, group: usize, kind: NormKind) -> Result<(), String> {
        let (anchor, operands) = self.anchor(group);
        let mut build = self.start(group);
        let last = Self::walk_last(&mut build);
        let axes = build.axes.clone();
        let width = build.domain[axes.len() - 1] as f64;
        let dy = self.over_domain(&mut build, operands[0])?;
        let weight = self.over_domain(&mut build, operands[2])?;
        let (unit, deviation) = self.unit(&mut build, kind, operands[1], &operands[3..])?;
        let slope = build.binary(Binary::Mul, dy, weight);
        let share = build.number(1.0 / width);
        let mean = |build: &mut Build, value| {
            let tile = build.fold(&axes, &[last], Monoid::Sum, value);
            build.binary(Binary::Mul, tile, share)
        };
        let along = build.binary(Binary::Mul, slope, unit);
        let along = mean(&mut build, along);
        let projected = build.binary(Binary::Mul, unit, along);
        let mut rest = build.binary(Binary::Sub, slope, projected);
        if kind == NormKind::Layer {
            let shift = mean(&mut build, slope);
            rest = build.binary(Binary::Sub, rest, shift);
        }
        let dx = build.binary(Binary::Mul, rest, deviation);
        let dx = self.round_like(&mut build, anchor.into(), dx);
        build.values.insert(anchor.into(), dx);
        self.finish_domain(&mut build)?;
        self.finish(build, anchor, "");
        Ok(())
    }

    pub fn emit_norm_weight_grad(&mut self, group: usize, kind: NormKind) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let mut build = self.start(group);
        // The domain is one row; the rows of x are folded.
        let columns = (build.axes.clone(), build.domain.clone());
        let dims = graph.ty(operands[1]).dims.clone();
        let rows: Vec<AxisId> = dims[..dims.len() - 1]
            .iter()
            .map(|dim| build.axis(*dim, false))
            .collect();
        build.axes = rows.iter().chain(&columns.0).copied().collect();
        build.domain = graph.bounds(graph.ty(operands[1]));
        let axes = build.axes.clone();
        let dy = self.over_domain(&mut build, operands[0])?;
        let (unit, _) = self.unit(&mut build, kind, operands[1], &operands[2..])?;
        let product = build.binary(Binary::Mul, dy, unit);
        let mut terms = vec![product];
        if kind == NormKind::Layer {
            terms.push(dy);
        }
        (build.axes, build.domain) = columns;
        for (index, value) in terms.into_iter().enumerate() {
            let tile = build.fold(&axes, &rows, Monoid::Sum, value);
            build
                .values
                .insert(Value::from(anchor).sibling(index as u32), tile);
        }
        self.finish_domain(&mut build)?;
        self.finish(build, anchor, "");
        Ok(())
    }

    pub fn emit_reduce(
        &mut self,
        group: usize,
        kind: ReduceKind,
        folded: &[usize],
    ) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let mut build = self.start(group);
        let dims = graph.ty(operands[0]).dims.clone();
        let mut kept = build.axes.clone().into_iter();
        let mut axes = Vec::new();
        let mut reduced = Vec::new();
        for (index, dim) in dims.iter().enumerate() {
            let axis = if folded.contains(&index) {
                let axis = build.axis(*dim, false);
                reduced.push(axis);
                axis
            } else {
                kept.next()
                    .ok_or("a reduction keeps the sizes that it does not fold")?
            };
            axes.push(axis);
        }
        let value = self.load(&mut build, operands[0], &axes, &Some)?;
        let monoid = match kind {
            ReduceKind::Sum => Monoid::Sum,
            ReduceKind::Max => Monoid::Max,
        };
        let tile = build.fold(&axes, &reduced, monoid, value);
        build.values.insert(anchor.into(), tile);
        self.finish_domain(&mut build)?;
        self.finish(build, anchor, "");
        Ok(())
    }

    pub fn emit_adamw(&mut self, group: usize, constants: [f64; 3]) -> Result<(), String> {
        let (anchor, operands) = self.anchor(group);
        let mut build = self.start(group);
        let values: Vec<ExprId> = operands
            .iter()
            .map(|operand| self.over_domain(&mut build, *operand))
            .collect::<Result<_, _>>()?;
        let [w, g, m, v, rate, scale, decay, correction1, correction2] = values[..] else {
            return Err("adamw has nine operands".to_owned());
        };
        let [beta1, beta2, epsilon] = constants;
        let g = build.binary(Binary::Mul, g, scale);
        let blend = |build: &mut Build, old, new, beta: f64| {
            let (keep, take) = (build.number(beta), build.number(1.0 - beta));
            let kept = build.binary(Binary::Mul, old, keep);
            let taken = build.binary(Binary::Mul, new, take);
            build.binary(Binary::Add, kept, taken)
        };
        let first = blend(&mut build, m, g, beta1);
        let square = build.unary(Unary::Square, g);
        let second = blend(&mut build, v, square, beta2);
        let step = build.binary(Binary::Div, first, correction1);
        let spread = build.binary(Binary::Div, second, correction2);
        let spread = build.unary(Unary::Sqrt, spread);
        let epsilon = build.number(epsilon);
        let spread = build.binary(Binary::Add, spread, epsilon);
        let step = build.binary(Binary::Div, step, spread);
        let step = build.binary(Binary::Mul, step, rate);
        let shrink = build.binary(Binary::Mul, decay, w);
        let kept = build.binary(Binary::Sub, w, shrink);
        let updated = build.binary(Binary::Sub, kept, step);
        for (index, value) in [updated, first, second].into_iter().enumerate() {
            build
                .values
                .insert(Value::from(anchor).sibling(index as u32), value);
        }
        self.finish_domain(&mut build)?;
        build.merge_axes();
        self.finish(build, anchor, "");
        Ok(())
    }

    /// `[N, h·w, C]` under windows: what both kernels of a depthwise convolution walk. Of the
    /// places and the window, `folds` says which is summed; the other is parallel, as are the
    /// channels.
    fn windowed(
        &self,
        build: &mut Build,
        value: Value,
        grid: [u64; 2],
        kernel: u64,
        folds: Folds,
    ) -> Result<Windowed, String> {
        let graph = self.groups.graph;
        let sizes = graph.ty(value).dims.clone();
        let places = folds == Folds::Window;
        let places = [sizes[0], Dim::Fixed(grid[0]), Dim::Fixed(grid[1])]
            .map(|size| build.axis(size, places));
        let axes = [places[0], places[1], places[2], build.axis(sizes[2], true)];
        let window = [(); 2].map(|()| build.axis(Dim::Fixed(kernel), folds == Folds::Places));
        let bounds = graph.bounds(graph.ty(value));
        let dims = vec![bounds[0], grid[0], grid[1], bounds[2]];
        let pad = (kernel / 2) as i64;
        let x = self.load_shifted(build, value, axes, &dims, window, pad)?;
        Ok(Windowed {
            axes,
            dims,
            window,
            x,
        })
    }

    /// Loads `[N, h·w, C]` at (n, h + ky − p, w + kx − p, c), zero outside the grid.
    fn load_shifted(
        &self,
        build: &mut Build,
        value: Value,
        axes: [AxisId; 4],
        dims: &[u64],
        window: [AxisId; 2],
        pad: i64,
    ) -> Result<ExprId, String> {
        let plain = self.load(build, value, &axes, &|view| view.reshape(dims))?;
        let Expr::Load {
            buffer,
            mut address,
            mut guards,
        } = build.kernel.expr_of(plain).clone()
        else {
            return Err("a picture is loaded from memory".to_owned());
        };
        for (index, axis) in window.into_iter().enumerate() {
            let along = axes[1 + index];
            let stride = address.stride(along);
            if stride != 0 {
                address
                    .terms
                    .push((crate::kernel::Coordinate::Axis(axis), stride));
                address.offset -= pad * stride;
            }
            guards.push(Guard {
                offset: -pad,
                terms: vec![(along, 1), (axis, 1)],
                bound: dims[1 + index] as i64,
            });
        }
        Ok(build.kernel.expr(Expr::Load {
            buffer,
            address,
            guards,
        }))
    }

    pub fn emit_depthwise(
        &mut self,
        group: usize,
        grid: [u64; 2],
        kernel: u64,
        flip: bool,
    ) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        // Channels are the vector axis, so the window is turned to [k, k, C] once.
        let channels = graph.bound(graph.ty(operands[1]).dims[0]);
        let turned = self.turn_window(group, operands[1], channels, kernel)?;

        let mut build = self.start_empty(group, "");
        let Windowed {
            axes,
            dims,
            window,
            x,
        } = self.windowed(&mut build, operands[0], grid, kernel, Folds::Window)?;
        let mut taps = View::dense(&[kernel, kernel, channels]);
        if flip {
            for axis in 0..2 {
                taps.offset += taps.strides[axis] * (kernel as i64 - 1);
                taps.strides[axis] = -taps.strides[axis];
            }
        }
        let buffer = build.buffer(turned, DType::F32, false);
        let address = address(&taps, &[window[0], window[1], axes[3]]);
        let mut tap = build.kernel.expr(Expr::Load {
            buffer,
            address,
            guards: Vec::new(),
        });
        if graph.ty(operands[1]).dtype == DType::Bf16 {
            tap = build.kernel.expr(Expr::Round(tap));
        }
        let value = build.binary(Binary::Mul, x, tap);
        let domain = [axes[0], axes[1], axes[2], window[0], window[1], axes[3]];
        let tile = build.fold(&domain, &window, Monoid::Sum, value);
        let tile = self.round_like(&mut build, anchor.into(), tile);
        build.values.insert(anchor.into(), tile);
        build.axes = axes.to_vec();
        build.domain = dims;
        self.finish_domain(&mut build)?;
        build.flops = 2 * build.domain.iter().product::<u64>() * kernel * kernel;
        self.finish(build, anchor, "");
        Ok(())
    }

    /// Copies a `[C, k, k]` window to `[k, k, C]`.
    fn turn_window(
        &mut self,
        group: usize,
        weight: Value,
        channels: u64,
        kernel: u64,
    ) -> Result<super::BufferKey, String> {
        let (anchor, _) = self.anchor(group);
        let name = format!("{}.window", self.groups.graph.node(anchor).name);
        let dims = [kernel, kernel, channels];
        let key = self.storage.buffer(
            name,
            DType::F32,
            dims.map(Dim::Fixed).to_vec(),
            &dims,
            super::Home::Arena,
        );
        let mut build = self.start_empty(group, "_window");
        let axes: Vec<AxisId> = dims
            .iter()
            .map(|dim| build.axis(Dim::Fixed(*dim), true))
            .collect();
        let value = self.load(&mut build, weight, &axes, &|view| {
            Some(view.transpose(&[1, 2, 0]))
        })?;
        let buffer = build.buffer(key, DType::F32, true);
        let stores = vec![Store {
            buffer,
            address: address(&View::dense(&dims), &axes),
            value,
        }];
        build.kernel.stage(&axes, &[], StageKind::Map { stores });
        self.finish(build, anchor, ".window");
        Ok(key)
    }

    pub fn emit_depthwise_weight_grad(
        &mut self,
        group: usize,
        grid: [u64; 2],
        kernel: u64,
    ) -> Result<(), String> {
        let (anchor, operands) = self.anchor(group);
        let mut build = self.start_empty(group, "");
        let Windowed {
            axes,
            dims,
            window,
            x,
        } = self.windowed(&mut build, operands[0], grid, kernel, Folds::Places)?;
        let dy = self.load(&mut build, operands[1], &axes, &|view| view.reshape(&dims))?;
        let value = build.binary(Binary::Mul, x, dy);
        let domain = [window[0], window[1], axes[0], axes[1], axes[2], axes[3]];
        let tile = build.fold(&domain, &axes[..3], Monoid::Sum, value);
        build.values.insert(anchor.into(), tile);
        build.axes = vec![axes[3], window[0], window[1]];
        build.domain = vec![dims[3], kernel, kernel];
        self.finish_domain(&mut build)?;
        // The store keeps channels as the vector axis.
        if let Some(last) = build.kernel.stages.last_mut() {
            last.domain = vec![window[0], window[1], axes[3]];
        }
        build.flops = 2 * dims.iter().product::<u64>() * kernel * kernel;
        self.finish(build, anchor, "");
        Ok(())
    }
}
