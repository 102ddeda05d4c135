//! Attention and its derivative.
//!
//! Query heads are split into (key head g, member r), so that addresses stay affine. The
//! derivative is three kernels: δ = Σ dout·out per query, then dQ over query blocks, then dK and
//! dV over key blocks.

use mm1_package::DType;

use super::build::{Build, address};
use super::rows::Exprs;
use super::view::View;
use super::{BufferKey, Emitter, Home};
use crate::graph::{Binary, Dim, Graph, NodeId, Unary, Value};
use crate::kernel::{AxisId, Expr, ExprId, Monoid, StageKind, Store, Window};

/// Sizes of an attention node.
struct Shape {
    batch: Dim,
    queries: u64,
    keys: u64,
    groups: u64,
    members: u64,
    width: u64,
    batch_bound: u64,
}

/// Axes of one of its kernels.
struct Axes {
    b: AxisId,
    g: AxisId,
    r: AxisId,
    i: AxisId,
    j: AxisId,
    d: AxisId,
}

impl Shape {
    fn new(graph: &Graph, q: Value, k: Value) -> Result<Self, String> {
        let (q, k) = (graph.ty(q), graph.ty(k));
        let (queries, keys) = (graph.bounds(q), graph.bounds(k));
        if q.dims[1].fixed().is_none() || k.dims[1].fixed().is_none() {
            return Err(
                "the number of keys is limited by ranges, not by a run-time size".to_owned(),
            );
        }
        Ok(Self {
            batch: q.dims[0],
            batch_bound: queries[0],
            queries: queries[1],
            keys: keys[1],
            groups: keys[2],
            members: queries[2] / keys[2],
            width: queries[3],
        })
    }

    /// `[B, Tq, H, D]` as (b, i, g, r, d).
    fn split_heads(&self, view: View) -> Option<View> {
        view.reshape(&[
            self.batch_bound,
            self.queries,
            self.groups,
            self.members,
            self.width,
        ])
    }

    /// `[B, H, Tq]` as (b, g, r, i).
    fn split_rows(&self, view: View) -> Option<View> {
        view.reshape(&[self.batch_bound, self.groups, self.members, self.queries])
    }

    fn axes(&self, build: &mut Build, queries_parallel: bool) -> Axes {
        Axes {
            b: build.axis(self.batch, true),
            g: build.axis(Dim::Fixed(self.groups), true),
            r: build.axis(Dim::Fixed(self.members), queries_parallel),
            i: build.axis(Dim::Fixed(self.queries), queries_parallel),
            j: build.axis(Dim::Fixed(self.keys), !queries_parallel),
            d: build.axis(Dim::Fixed(self.width), false),
        }
    }

    fn flops(&self, causal: bool, contractions: u64) -> u64 {
        let pairs = self.queries * self.keys / if causal { 2 } else { 1 };
        2 * contractions * self.batch_bound * self.groups * self.members * pairs * self.width
    }
}

impl Emitter<'_> {
    /// q, dout or out at (b, i, g, r, along).
    fn query_side(
        &self,
        build: &mut Build,
        shape: &Shape,
        axes: &Axes,
        value: Value,
        along: AxisId,
    ) -> Result<ExprId, String> {
        self.load(
            build,
            value,
            &[axes.b, axes.i, axes.g, axes.r, along],
            &|view| shape.split_heads(view),
        )
    }

    /// k or v at (b, j, g, along).
    fn key_side(
        &self,
        build: &mut Build,
        axes: &Axes,
        value: Value,
        along: AxisId,
    ) -> Result<ExprId, String> {
        self.load(build, value, &[axes.b, axes.j, axes.g, along], &Some)
    }

    fn window(
        &self,
        build: &mut Build,
        axes: &Axes,
        causal: bool,
        ranges: &[Value],
        begin: bool,
    ) -> Result<Option<Window>, String> {
        let mut loads = Vec::new();
        for range in ranges {
            loads.push(self.load(build, *range, &[axes.b, axes.i], &Some)?);
        }
        let mut loads = loads.into_iter();
        let begin = if begin { loads.next() } else { None };
        let end = loads.next();
        let window = Window {
            query: axes.i,
            key: axes.j,
            causal,
            begin,
            end,
        };
        Ok((causal || begin.is_some() || end.is_some()).then_some(window))
    }

    fn store_at(
        &self,
        build: &mut Build,
        value: Value,
        axes: &[AxisId],
        view: impl FnOnce(View) -> Option<View>,
        expr: ExprId,
    ) -> Result<Option<Store>, String> {
        let Some((key, place)) = self.storage.place(value).cloned() else {
            return Ok(None);
        };
        let bounds = self.groups.graph.bounds(self.groups.graph.ty(value));
        let place = place
            .reshape(&bounds)
            .and_then(view)
            .ok_or("a result of attention has no strides")?;
        let buffer = build.buffer(key, self.groups.graph.ty(value).dtype, true);
        Ok(Some(Store {
            buffer,
            address: address(&place, axes),
            value: expr,
        }))
    }

    pub fn emit_attention(&mut self, group: usize) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let crate::graph::Op::Attention {
            scale,
            softcap,
            causal,
            begin,
            ..
        } = *graph.op(anchor)
        else {
            return Err("not attention".to_owned());
        };
        let shape = Shape::new(graph, operands[0], operands[1])?;
        let dtype = graph.ty(operands[0]).dtype;
        let mut build = self.start_empty(group, "");
        let axes = shape.axes(&mut build, true);
        let e = build.axis(Dim::Fixed(shape.width), false);
        let window = self.window(&mut build, &axes, causal, &operands[3..], begin)?;
        let q = self.query_side(&mut build, &shape, &axes, operands[0], axes.d)?;
        let k = self.key_side(&mut build, &axes, operands[1], axes.d)?;
        let v = self.key_side(&mut build, &axes, operands[2], e)?;
        let rows = [axes.b, axes.g, axes.r, axes.i];
        let scores = build.kernel.stage(
            &[axes.b, axes.g, axes.r, axes.i, axes.j, axes.d],
            &[axes.d],
            StageKind::Contract {
                lhs: q,
                rhs: k,
                operands: dtype,
                window: None,
            },
        );
        let tile = build.tile(scores);
        let factor = build.number(scale);
        let score = build.binary(Binary::Mul, tile, factor);
        let (score, _) = build.capped(score, softcap);
        let folded = build.kernel.stage(
            &[axes.b, axes.g, axes.r, axes.i, axes.j, e],
            &[axes.j],
            StageKind::SoftmaxContract {
                score,
                value: v,
                operands: dtype,
                window,
            },
        );
        let [sum, largest, weight] = [0, 1, 2].map(|result| {
            build.kernel.expr(Expr::Tile {
                stage: folded,
                result,
            })
        });
        // A query that sees nothing has weight 0 and sum 0.
        let tiny = build.number(f64::from(f32::MIN_POSITIVE));
        let safe = build.binary(Binary::Max, weight, tiny);
        let out = build.binary(Binary::Div, sum, safe);
        let log = build.unary(Unary::Log, weight);
        let total = build.binary(Binary::Add, largest, log);
        let at = [axes.b, axes.i, axes.g, axes.r, e];
        if let Some(store) = self.store_at(
            &mut build,
            anchor.into(),
            &at,
            |view| shape.split_heads(view),
            out,
        )? {
            let domain = [axes.b, axes.g, axes.r, axes.i, e];
            build.kernel.stage(
                &domain,
                &[],
                StageKind::Map {
                    stores: vec![store],
                },
            );
        }
        let statistic = Value::from(anchor).sibling(1);
        if let Some(store) = self.store_at(
            &mut build,
            statistic,
            &rows,
            |view| shape.split_rows(view),
            total,
        )? {
            build.kernel.stage(
                &rows,
                &[],
                StageKind::Map {
                    stores: vec![store],
                },
            );
        }
        build.flops = shape.flops(causal, 2);
        self.finish(build, anchor, "");
        Ok(())
    }

    /// δ(b, g, r, i) = Σ dout·out in a buffer of its own.
    fn emit_delta(
        &mut self,
        group: usize,
        shape: &Shape,
        anchor: NodeId,
        dout: Value,
        out: Value,
    ) -> Result<BufferKey, String> {
        let heads = shape.groups * shape.members;
        let dims = vec![shape.batch, Dim::Fixed(heads), Dim::Fixed(shape.queries)];
        let bounds = [shape.batch_bound, heads, shape.queries];
        let name = format!("{}.delta", self.groups.graph.node(anchor).name);
        let key = self
            .storage
            .buffer(name, DType::F32, dims, &bounds, Home::Arena);
        let mut build = self.start_empty(group, "_delta");
        let axes = [
            build.axis(shape.batch, true),
            build.axis(Dim::Fixed(heads), true),
            build.axis(Dim::Fixed(shape.queries), true),
            build.axis(Dim::Fixed(shape.width), false),
        ];
        let [b, h, i, d] = axes;
        let left = self.load(&mut build, dout, &[b, i, h, d], &Some)?;
        let right = self.load(&mut build, out, &[b, i, h, d], &Some)?;
        let value = build.binary(Binary::Mul, left, right);
        let tile = build.fold(&axes, &[d], Monoid::Sum, value);
        let buffer = build.buffer(key, DType::F32, true);
        let stores = vec![Store {
            buffer,
            address: address(&View::dense(&bounds), &[b, h, i]),
            value: tile,
        }];
        build
            .kernel
            .stage(&[b, h, i], &[], StageKind::Map { stores });
        self.finish(build, anchor, ".delta");
        Ok(key)
    }

    pub fn emit_attention_grad(&mut self, group: usize) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let crate::graph::Op::AttentionGrad {
            scale,
            softcap,
            causal,
            begin,
            ..
        } = *graph.op(anchor)
        else {
            return Err("not a derivative of attention".to_owned());
        };
        let [dout, q, k, v, out, statistic, ranges @ ..] = &operands[..] else {
            return Err("six operands and ranges".to_owned());
        };
        let shape = Shape::new(graph, *q, *k)?;
        let dtype = graph.ty(*q).dtype;
        let delta = self.emit_delta(group, &shape, anchor, *dout, *out)?;
        for queries in [true, false] {
            let mut build = self.start_empty(group, if queries { "_q" } else { "_kv" });
            let axes = shape.axes(&mut build, queries);
            let d2 = build.axis(Dim::Fixed(shape.width), false);
            let e = build.axis(Dim::Fixed(shape.width), false);
            let window = self.window(&mut build, &axes, causal, ranges, begin)?;
            let rows = [axes.b, axes.g, axes.r, axes.i];
            // s = q·k and dp = dout·v.
            let contract = |build: &mut Build, lhs, rhs, along| {
                let domain = [axes.b, axes.g, axes.r, axes.i, axes.j, along];
                let stage = build.kernel.stage(
                    &domain,
                    &[along],
                    StageKind::Contract {
                        lhs,
                        rhs,
                        operands: dtype,
                        window: None,
                    },
                );
                build.tile(stage)
            };
            let q_along = self.query_side(&mut build, &shape, &axes, *q, axes.d)?;
            let k_along = self.key_side(&mut build, &axes, *k, axes.d)?;
            let scores = contract(&mut build, q_along, k_along, axes.d);
            let dout_along = self.query_side(&mut build, &shape, &axes, *dout, e)?;
            let v_along = self.key_side(&mut build, &axes, *v, e)?;
            let dweights = contract(&mut build, dout_along, v_along, e);
            // p = exp(s·scale − lse), ds = p·(dp − δ)·scale, times the slope of a cap.
            let total = self.load(&mut build, *statistic, &rows, &|view| {
                shape.split_rows(view)
            })?;
            let view = View::dense(&[
                shape.batch_bound,
                shape.groups,
                shape.members,
                shape.queries,
            ]);
            let buffer = build.buffer(delta, DType::F32, false);
            let delta = build.kernel.expr(Expr::Load {
                buffer,
                address: address(&view, &rows),
                guards: Vec::new(),
            });
            let factor = build.number(scale);
            let scaled = build.binary(Binary::Mul, scores, factor);
            let (score, slope) = build.capped(scaled, softcap);
            let shifted = build.binary(Binary::Sub, score, total);
            let weight = build.unary(Unary::Exp, shifted);
            let gap = build.binary(Binary::Sub, dweights, delta);
            let product = build.binary(Binary::Mul, weight, gap);
            let dscore = build.binary(Binary::Mul, product, factor);
            let dscore = match slope {
                Some(slope) => build.binary(Binary::Mul, dscore, slope),
                None => dscore,
            };
            let round = |build: &mut Build, x| {
                if dtype == DType::Bf16 {
                    build.kernel.expr(Expr::Round(x))
                } else {
                    x
                }
            };
            let dscore = round(&mut build, dscore);
            let result = Value::from(anchor);
            if queries {
                let rhs = self.key_side(&mut build, &axes, *k, d2)?;
                let stage = build.kernel.stage(
                    &[axes.b, axes.g, axes.r, axes.i, axes.j, d2],
                    &[axes.j],
                    StageKind::Contract {
                        lhs: dscore,
                        rhs,
                        operands: dtype,
                        window,
                    },
                );
                let tile = build.tile(stage);
                let at = [axes.b, axes.i, axes.g, axes.r, d2];
                if let Some(store) = self.store_at(
                    &mut build,
                    result,
                    &at,
                    |view| shape.split_heads(view),
                    tile,
                )? {
                    let domain = [axes.b, axes.g, axes.r, axes.i, d2];
                    build.kernel.stage(
                        &domain,
                        &[],
                        StageKind::Map {
                            stores: vec![store],
                        },
                    );
                }
                build.flops = shape.flops(causal, 3);
            } else {
                let weight = round(&mut build, weight);
                for (index, (factor, rhs)) in
                    [(dscore, *q), (weight, *dout)].into_iter().enumerate()
                {
                    let along = if index == 0 { d2 } else { e };
                    let rhs = self.query_side(&mut build, &shape, &axes, rhs, along)?;
                    let stage = build.kernel.stage(
                        &[axes.b, axes.g, axes.j, axes.r, axes.i, along],
                        &[axes.r, axes.i],
                        StageKind::Contract {
                            lhs: factor,
                            rhs,
                            operands: dtype,
                            window: window.clone(),
                        },
                    );
                    let tile = build.tile(stage);
                    let at = [axes.b, axes.j, axes.g, along];
                    if let Some(store) = self.store_at(
                        &mut build,
                        result.sibling(index as u32 + 1),
                        &at,
                        Some,
                        tile,
                    )? {
                        build.kernel.stage(
                            &[axes.b, axes.g, axes.j, along],
                            &[],
                            StageKind::Map {
                                stores: vec![store],
                            },
                        );
                    }
                }
                build.flops = shape.flops(causal, 4);
            }
            self.finish(build, anchor, if queries { ".q" } else { ".kv" });
        }
        Ok(())
    }
}
