//! Cross-entropy over a vocabulary, with logits that exist for one chunk of rows at a time.
//!
//! Per chunk: logits = x·wᵀ; one row kernel for loss and dlogits; dx = dlogits·w;
//! dw += dlogitsᵀ·x. The chunks run one after the other over the same two buffers.

use mm1_package::{DType, Extent};

use super::build::Build;
use super::rows::Exprs;
use super::{BufferKey, Emitter, Home};
use crate::graph::{Binary, Dim, ExtentId, NodeId, Op, Unary, Value};
use crate::kernel::{Address, AxisId, Coordinate, Expr, ExprId, Monoid, StageKind, Store};

/// Chunks begin at multiples of this many rows, and so at multiples of 64 bytes, as the arguments of
/// every launch do.
const CHUNK_ROWS: u64 = 32;

/// Buffers of one chunk's row kernel: (key, first element).
struct Rows {
    logits: BufferKey,
    dlogits: Option<(BufferKey, DType)>,
    /// First row of the chunk in targets, weights and losses.
    first: u64,
    rows: Dim,
    width: u64,
    losses: [Option<BufferKey>; 2],
    /// Bound on the size of a logit; 0 for none.
    softcap: f64,
}

/// A matrix in memory for a contraction of one chunk.
#[derive(Clone, Copy)]
struct Matrix {
    key: BufferKey,
    first: u64,
    dtype: DType,
    /// Round what is read to bf16.
    round: bool,
    /// Strides of (row, column).
    strides: [i64; 2],
    offset: i64,
}

impl Emitter<'_> {
    /// The chunk `first .. first + length` of a number of rows.
    fn chunk_of(&mut self, rows: Dim, first: u64, length: u64) -> Result<Dim, String> {
        Ok(match rows {
            Dim::Fixed(total) => Dim::Fixed(length.min(total - first)),
            Dim::Scaled { scale, .. } if scale != 1 => {
                return Err(format!(
                    "rows with a loss are counted one by one, not {scale} at a time"
                ));
            }
            Dim::Scaled { extent, .. } => {
                let base = &self.extents[extent.0 as usize];
                let bound = length.min(base.bound - first);
                let name = format!("{}[{first}..+{bound}]", base.name);
                let index = self
                    .extents
                    .iter()
                    .position(|known| known.name == name)
                    .unwrap_or_else(|| {
                        self.extents.push(Extent {
                            name,
                            bound,
                            derived: Some((extent.0, first)),
                        });
                        self.extents.len() - 1
                    });
                Dim::Scaled {
                    extent: ExtentId(index as u32),
                    scale: 1,
                }
            }
        })
    }

    /// A value as a matrix; parameters read through a cast are rounded where they are read.
    fn matrix(&self, value: Value) -> Result<Matrix, String> {
        use super::group::Kind;
        let graph = self.groups.graph;
        let (base, view) = self.groups.resolve(value);
        if self.groups.kinds[base.node.index()] == Kind::ReadCast {
            let inner = self.matrix(graph.operands(base.node)[0])?;
            return Ok(Matrix {
                round: true,
                strides: [view.strides[0], view.strides[1]],
                offset: view.offset,
                ..inner
            });
        }
        let (key, place) = self
            .storage
            .place(base)
            .ok_or_else(|| format!("`{}` is not in memory", graph.value_name(base)))?;
        if !place.is_dense() {
            return Err(format!(
                "`{}` has no memory of its own",
                graph.value_name(base)
            ));
        }
        Ok(Matrix {
            key: *key,
            first: 0,
            dtype: graph.ty(base).dtype,
            round: false,
            strides: [view.strides[0], view.strides[1]],
            offset: view.offset,
        })
    }

    /// out\[m, n\] (+)= Σ lhs\[m, k\]·rhs\[k, n\].
    fn contract_chunk(
        &mut self,
        group: usize,
        suffix: &str,
        sizes: [Dim; 3],
        factors: [Matrix; 2],
        out: Matrix,
        accumulate: bool,
    ) {
        let mut build = self.start_empty(group, suffix);
        let [m, n, k] = [(sizes[0], true), (sizes[1], true), (sizes[2], false)]
            .map(|(dim, parallel)| build.axis(dim, parallel));
        let [lhs, rhs] = [(factors[0], [m, k]), (factors[1], [k, n])]
            .map(|(matrix, axes)| build.read(matrix, axes));
        let bf16 = factors
            .iter()
            .all(|factor| factor.round || factor.dtype == DType::Bf16);
        let operands = if bf16 { DType::Bf16 } else { DType::F32 };
        let stage = build.kernel.stage(
            &[m, k, n],
            &[k],
            StageKind::Contract {
                lhs,
                rhs,
                operands,
                window: None,
            },
        );
        let mut value = build.tile(stage);
        if accumulate {
            let old = build.read(out, [m, n]);
            value = build.binary(Binary::Add, old, value);
        }
        let buffer = build.buffer_from(out.key, out.first, out.dtype, true);
        let stores = vec![Store {
            buffer,
            address: out.address([m, n]),
            value,
        }];
        build.kernel.stage(&[m, n], &[], StageKind::Map { stores });
        build.flops = 2 * sizes.iter().map(|dim| self.bound(*dim)).product::<u64>();
        let anchor = self.anchor(group).0;
        self.finish(build, anchor, suffix);
    }

    fn bound(&self, dim: Dim) -> u64 {
        match dim {
            Dim::Fixed(n) => n,
            Dim::Scaled { extent, scale } => self.extents[extent.0 as usize].bound * scale,
        }
    }

    /// Loss, log-partition penalty and gradient of rows of logits.
    fn row_losses(
        &mut self,
        group: usize,
        suffix: &str,
        rows: &Rows,
        targets: Value,
        weights: Value,
        z_weight: Value,
    ) -> Result<(), String> {
        let graph = self.groups.graph;
        let mut build = self.start_empty(
            group,
            if rows.dlogits.is_some() {
                "_rows"
            } else {
                "_loss_rows"
            },
        );
        let r = build.axis(rows.rows, true);
        let v = build.axis(Dim::Fixed(rows.width), false);
        let width = rows.width as i64;
        let per_row = |this: &Self, build: &mut Build, value: Value| -> Result<ExprId, String> {
            let (base, view) = this.groups.resolve(value);
            let (key, _) = this
                .storage
                .place(base)
                .ok_or_else(|| format!("`{}` is not in memory", graph.value_name(value)))?;
            let stride = view.strides[0];
            let buffer = build.buffer_from(
                *key,
                rows.first * stride as u64,
                graph.ty(base).dtype,
                false,
            );
            let address = Address {
                offset: view.offset,
                terms: vec![(Coordinate::Axis(r), stride)],
            };
            Ok(build.kernel.expr(Expr::Load {
                buffer,
                address,
                guards: Vec::new(),
            }))
        };
        let target = per_row(self, &mut build, targets)?;
        let weight = per_row(self, &mut build, weights)?;
        let z_weight = self.load(&mut build, z_weight, &[], &Some)?;
        let buffer = build.buffer(rows.logits, DType::F32, false);
        let at = |terms: Vec<(Coordinate, i64)>| Expr::Load {
            buffer,
            address: Address { offset: 0, terms },
            guards: Vec::new(),
        };
        let logit = build.kernel.expr(at(vec![
            (Coordinate::Axis(r), width),
            (Coordinate::Axis(v), 1),
        ]));
        let chosen = build.kernel.expr(at(vec![
            (Coordinate::Axis(r), width),
            (Coordinate::Row(target), 1),
        ]));
        let (logit, capped) = build.capped(logit, rows.softcap);
        let (chosen, _) = build.capped(chosen, rows.softcap);
        let largest = build.fold(&[r, v], &[v], Monoid::Max, logit);
        let shifted = build.binary(Binary::Sub, logit, largest);
        let power = build.unary(Unary::Exp, shifted);
        let sum = build.fold(&[r, v], &[v], Monoid::Sum, power);
        let log = build.unary(Unary::Log, sum);
        let partition = build.binary(Binary::Add, largest, log);
        let gap = build.binary(Binary::Sub, partition, chosen);
        let loss = build.binary(Binary::Mul, weight, gap);
        let square = build.unary(Unary::Square, partition);
        let penalty = build.binary(Binary::Mul, weight, square);
        let mut stores = Vec::new();
        for (key, value) in rows.losses.iter().zip([loss, penalty]) {
            if let Some(key) = key {
                let buffer = build.buffer_from(*key, rows.first, DType::F32, true);
                stores.push(Store {
                    buffer,
                    address: Address {
                        offset: 0,
                        terms: vec![(Coordinate::Axis(r), 1)],
                    },
                    value,
                });
            }
        }
        build.kernel.stage(&[r], &[], StageKind::Map { stores });
        if let Some((key, dtype)) = rows.dlogits {
            // w·(p·(1 + 2·z·lse) − [v = target]), times the slope of a cap.
            let two = build.number(2.0);
            let one = build.number(1.0);
            let zero = build.number(0.0);
            let twice = build.binary(Binary::Mul, partition, two);
            let extra = build.binary(Binary::Mul, twice, z_weight);
            let factor = build.binary(Binary::Add, one, extra);
            let difference = build.binary(Binary::Sub, logit, partition);
            let share = build.unary(Unary::Exp, difference);
            let share = build.binary(Binary::Mul, share, factor);
            let index = build.kernel.expr(Expr::Index(v));
            let hit = build.kernel.expr(Expr::SelectEqual {
                a: index,
                b: target,
                then: one,
                otherwise: zero,
            });
            let slope = build.binary(Binary::Sub, share, hit);
            let slope = match capped {
                Some(capped) => build.binary(Binary::Mul, slope, capped),
                None => slope,
            };
            let value = build.binary(Binary::Mul, weight, slope);
            let buffer = build.buffer(key, dtype, true);
            let address = Address {
                offset: 0,
                terms: vec![(Coordinate::Axis(r), width), (Coordinate::Axis(v), 1)],
            };
            build.kernel.stage(
                &[r, v],
                &[],
                StageKind::Map {
                    stores: vec![Store {
                        buffer,
                        address,
                        value,
                    }],
                },
            );
        }
        let anchor = self.anchor(group).0;
        self.finish(build, anchor, suffix);
        Ok(())
    }

    pub fn emit_linear_cross_entropy(&mut self, group: usize) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let Op::LinearCrossEntropy {
            chunk,
            gradient,
            softcap,
        } = *graph.op(anchor)
        else {
            return Err("not a loss".to_owned());
        };
        let [x, weight, targets, weights, z_weight] = operands[..] else {
            return Err("five operands".to_owned());
        };
        let result = Value::from(anchor);
        let rows = graph.ty(x).dims[0];
        let total = graph.bound(rows);
        let (width, vocabulary) = (graph.ty(x).dims[1], graph.ty(weight).dims[0]);
        let (d, v) = (graph.bound(width), graph.bound(vocabulary));
        let chunk = chunk.next_multiple_of(CHUNK_ROWS).min(total).max(1);
        let x_matrix = self.matrix(x)?;
        let w_matrix = self.matrix(weight)?;
        let name = |part: &str| format!("{}.{part}", graph.node(anchor).name);
        let logits_dims = vec![Dim::Fixed(chunk), vocabulary];
        let logits = self.storage.buffer(
            name("logits"),
            DType::F32,
            logits_dims.clone(),
            &[chunk, v],
            Home::Arena,
        );
        let bf16 = graph.ty(x).dtype == DType::Bf16;
        let dlogits = match (gradient, bf16) {
            (false, _) => None,
            (true, false) => Some((logits, DType::F32)),
            (true, true) => Some((
                self.storage.buffer(
                    name("dlogits"),
                    DType::Bf16,
                    logits_dims,
                    &[chunk, v],
                    Home::Arena,
                ),
                DType::Bf16,
            )),
        };
        let mut losses = [None, None];
        for (index, slot) in losses.iter_mut().enumerate() {
            let part = ["loss_rows", "z_rows"][index];
            *slot = Some(self.storage.buffer(
                name(part),
                DType::F32,
                vec![rows],
                &[total],
                Home::Arena,
            ));
        }
        let dense = |key, first, dtype, columns: u64| Matrix {
            key,
            first,
            dtype,
            round: false,
            strides: [columns as i64, 1],
            offset: 0,
        };
        for (index, first) in (0..total).step_by(chunk as usize).enumerate() {
            let part = self.chunk_of(rows, first, chunk)?;
            let x_part = Matrix {
                first: first * x_matrix.strides[0] as u64,
                ..x_matrix
            };
            self.contract_chunk(
                group,
                &format!(".logits{index}"),
                [part, vocabulary, width],
                [x_part, w_matrix.transposed()],
                dense(logits, 0, DType::F32, v),
                false,
            );
            let rows = Rows {
                logits,
                dlogits,
                first,
                rows: part,
                width: v,
                losses,
                softcap,
            };
            self.row_losses(
                group,
                &format!(".rows{index}"),
                &rows,
                targets,
                weights,
                z_weight,
            )?;
            let Some((key, dtype)) = dlogits else {
                continue;
            };
            let slope = dense(key, 0, dtype, v);
            if let Some((dx, place)) = self.storage.place(result.sibling(2)).cloned() {
                if !place.is_dense() {
                    return Err("dx is written densely".to_owned());
                }
                let out = dense(dx, first * d, graph.ty(result.sibling(2)).dtype, d);
                self.contract_chunk(
                    group,
                    &format!(".dx{index}"),
                    [part, width, vocabulary],
                    [slope, w_matrix],
                    out,
                    false,
                );
            }
            if let Some((dw, place)) = self.storage.place(result.sibling(3)).cloned() {
                if !place.is_dense() {
                    return Err("dweight is written densely".to_owned());
                }
                let adds_to_state =
                    matches!(self.storage.buffers[dw.0 as usize].home, Home::Source(_));
                let out = dense(dw, 0, DType::F32, d);
                let accumulate = adds_to_state || index > 0;
                let suffix = format!(".dw{index}");
                self.contract_chunk(
                    group,
                    &suffix,
                    [vocabulary, width, part],
                    [slope.transposed(), x_part],
                    out,
                    accumulate,
                );
            }
        }
        for (index, key) in losses.into_iter().enumerate() {
            if let (Some(key), Some((out, _))) = (
                key,
                self.storage.place(result.sibling(index as u32)).cloned(),
            ) {
                self.sum_rows(group, anchor, ["loss", "z"][index], rows, key, out);
            }
        }
        Ok(())
    }

    fn sum_rows(
        &mut self,
        group: usize,
        anchor: NodeId,
        part: &str,
        rows: Dim,
        from: BufferKey,
        to: BufferKey,
    ) {
        let mut build = self.start_empty(group, "_sum");
        let r = build.axis(rows, false);
        let buffer = build.buffer(from, DType::F32, false);
        let address = Address {
            offset: 0,
            terms: vec![(Coordinate::Axis(r), 1)],
        };
        let value = build.kernel.expr(Expr::Load {
            buffer,
            address,
            guards: Vec::new(),
        });
        let tile = build.fold(&[r], &[r], Monoid::Sum, value);
        let buffer = build.buffer(to, DType::F32, true);
        let stores = vec![Store {
            buffer,
            address: Address::default(),
            value: tile,
        }];
        build.kernel.stage(&[], &[], StageKind::Map { stores });
        self.finish(build, anchor, &format!(".{part}"));
    }

    /// Rows of logits that exist as a value: loss, penalty and gradient.
    pub fn emit_cross_entropy(&mut self, group: usize) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let [logits, targets, weights, z_weight] = operands[..] else {
            return Err("four operands".to_owned());
        };
        let result = Value::from(anchor);
        let matrix = self.matrix(logits)?;
        let width = graph.bound(graph.ty(logits).dims[1]);
        if matrix.strides != [width as i64, 1] || matrix.dtype != DType::F32 {
            return Err("logits are dense f32 rows".to_owned());
        }
        let place = |index: u32| {
            self.storage
                .place(result.sibling(index))
                .map(|(key, _)| *key)
        };
        let rows = Rows {
            logits: matrix.key,
            dlogits: place(2).map(|key| (key, DType::F32)),
            first: 0,
            rows: graph.ty(logits).dims[0],
            width,
            losses: [place(0), place(1)],
            softcap: 0.0,
        };
        self.row_losses(group, "", &rows, targets, weights, z_weight)
    }
}

impl Matrix {
    fn transposed(self) -> Self {
        Self {
            strides: [self.strides[1], self.strides[0]],
            ..self
        }
    }

    fn address(&self, axes: [AxisId; 2]) -> Address {
        let terms = axes
            .iter()
            .zip(self.strides)
            .map(|(axis, stride)| (Coordinate::Axis(*axis), stride))
            .collect();
        Address {
            offset: self.offset,
            terms,
        }
    }
}

impl Build {
    fn read(&mut self, matrix: Matrix, axes: [AxisId; 2]) -> ExprId {
        let buffer = self.buffer_from(matrix.key, matrix.first, matrix.dtype, false);
        let load = self.kernel.expr(Expr::Load {
            buffer,
            address: matrix.address(axes),
            guards: Vec::new(),
        });
        if matrix.round {
            self.kernel.expr(Expr::Round(load))
        } else {
            load
        }
    }
}
