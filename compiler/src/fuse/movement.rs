//! Kernels that move rows: rotation by position, concatenation, scatter, cache update.

use mm1_package::DType;

use super::build::address;
use super::rows::Exprs;
use super::view::View;
use super::{Emitter, Home};
use crate::graph::{Binary, Dim, Value};
use crate::kernel::{Address, AxisId, Coordinate, Expr, StageKind, Store};

impl Emitter<'_> {
    pub fn emit_rotary(&mut self, group: usize, inverse: bool) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let dims = graph.ty(operands[0]).dims.clone();
        let bounds = graph.bounds(graph.ty(operands[0]));
        let half = bounds[3] / 2;
        let mut build = self.start_empty(group, if inverse { "_inverse" } else { "" });
        let mut axes: Vec<AxisId> = dims[..3].iter().map(|dim| build.axis(*dim, true)).collect();
        axes.push(build.axis(Dim::Fixed(half), true));
        let row = self.load(&mut build, operands[2], &axes[..2], &Some)?;
        let part = |this: &Self, build: &mut super::build::Build, upper: u64| {
            let x = this.load(build, operands[0], &axes, &|view| {
                Some(view.slice(3, upper * half, half))
            })?;
            let plain = this.load(build, operands[1], &[axes[3], axes[3]], &|view| {
                let column = view.slice(1, upper * half, half);
                Some(View {
                    offset: column.offset,
                    dims: vec![1, half],
                    strides: column.strides,
                })
            })?;
            let Expr::Load {
                buffer,
                mut address,
                ..
            } = build.kernel.expr_of(plain).clone()
            else {
                return Err("the angle table is loaded from memory".to_owned());
            };
            address.terms.push((Coordinate::Row(row), bounds[3] as i64));
            let table = build.kernel.expr(Expr::Load {
                buffer,
                address,
                guards: Vec::new(),
            });
            Ok((x, table))
        };
        let (a, cosine) = part(self, &mut build, 0)?;
        let (b, sine) = part(self, &mut build, 1)?;
        let mut rotate = |plus: bool, x, cross| {
            let along = build.binary(Binary::Mul, x, cosine);
            let across = build.binary(Binary::Mul, cross, sine);
            build.binary(if plus { Binary::Add } else { Binary::Sub }, along, across)
        };
        let results = [rotate(inverse, a, b), rotate(!inverse, b, a)];
        let (key, place) = self
            .storage
            .place(anchor.into())
            .cloned()
            .ok_or("the rotated value is never read")?;
        let dtype = graph.ty(anchor.into()).dtype;
        let buffer = build.buffer(key, dtype, true);
        let place = place
            .reshape(&bounds)
            .ok_or("the rotated value has no strides")?;
        let stores = results
            .into_iter()
            .enumerate()
            .map(|(upper, value)| {
                let view = place.slice(3, upper as u64 * half, half);
                Store {
                    buffer,
                    address: address(&view, &axes),
                    value,
                }
            })
            .collect();
        build.kernel.stage(&axes, &[], StageKind::Map { stores });
        self.finish(build, anchor, "");
        Ok(())
    }

    /// Copies the parts that their makers could not write in place.
    pub fn emit_concat(&mut self, group: usize, axis: usize) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let (key, place) = self
            .storage
            .place(anchor.into())
            .cloned()
            .ok_or("the joined value is never read")?;
        let mut start = 0;
        for (index, part) in operands.into_iter().enumerate() {
            let dims = graph.ty(part).dims.clone();
            let bounds = graph.bounds(graph.ty(part));
            let target = place.slice(axis, start, bounds[axis]);
            start += bounds[axis];
            let (base, _) = self.groups.resolve(part);
            // Only a part that its maker writes in place stands in the joined buffer.
            if self.storage.place(base).is_some_and(|(own, _)| *own == key) {
                continue;
            }
            let mut build = self.start_empty(group, "");
            build.axes = dims.iter().map(|dim| build.axis(*dim, true)).collect();
            build.domain = bounds;
            let axes = build.axes.clone();
            let value = self.load(&mut build, part, &axes, &Some)?;
            let buffer = build.buffer(key, graph.ty(anchor.into()).dtype, true);
            let stores = vec![Store {
                buffer,
                address: address(&target, &axes),
                value,
            }];
            build.kernel.stage(&axes, &[], StageKind::Map { stores });
            build.merge_axes();
            self.finish(build, anchor, &format!(".{index}"));
        }
        Ok(())
    }

    pub fn emit_scatter(&mut self, group: usize) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let result = Value::from(anchor);
        let (key, place) = self
            .storage
            .place(result)
            .cloned()
            .ok_or("the sum is never read")?;
        if !place.is_dense() {
            return Err("rows are added to a dense tensor".to_owned());
        }
        let table = graph.ty(result).dims.clone();
        let width = graph.bound(table[1]);
        if !matches!(self.storage.buffers[key.0 as usize].home, Home::Source(_)) {
            let mut zero = self.start_empty(group, "_zero");
            let axis = zero.axis(table[0].times(width), true);
            let value = zero.number(0.0);
            let buffer = zero.buffer(key, DType::F32, true);
            let address = Address {
                offset: 0,
                terms: vec![(Coordinate::Axis(axis), 1)],
            };
            zero.kernel.stage(
                &[axis],
                &[],
                StageKind::Map {
                    stores: vec![Store {
                        buffer,
                        address,
                        value,
                    }],
                },
            );
            self.finish(zero, anchor, ".zero");
        }
        // All leading sizes of the updates are one ordered axis of rows.
        let rows = crate::graph::product(&graph.ty(operands[1]).dims);
        let count = graph.bound(rows);
        let mut build = self.start_empty(group, "");
        let row = build.axis(rows, false);
        let column = build.axis(table[1], true);
        let index = self.load(&mut build, operands[1], &[row], &|view| {
            view.reshape(&[count])
        })?;
        let value = self.load(&mut build, operands[0], &[row, column], &|view| {
            view.reshape(&[count, width])
        })?;
        let buffer = build.buffer(key, DType::F32, true);
        let address = Address {
            offset: 0,
            terms: vec![
                (Coordinate::Axis(column), 1),
                (Coordinate::Row(index), width as i64),
            ],
        };
        build.kernel.stage(
            &[row, column],
            &[row],
            StageKind::Scatter {
                buffer,
                address,
                value,
            },
        );
        self.finish(build, anchor, "");
        Ok(())
    }

    pub fn emit_update_rows(&mut self, group: usize) -> Result<(), String> {
        let graph = self.groups.graph;
        let (anchor, operands) = self.anchor(group);
        let (key, _) = self
            .storage
            .place(anchor.into())
            .cloned()
            .ok_or("the updated table is never read")?;
        let table = self.storage.place(operands[0]).map(|(table, _)| *table);
        if table != Some(key) {
            return Err(
                "only a state can be updated in place: make the result replace it".to_owned(),
            );
        }
        let dims = graph.ty(operands[1]).dims.clone();
        let strides = View::dense(&graph.bounds(graph.ty(operands[0]))).strides;
        let mut build = self.start_empty(group, "");
        let axes: Vec<AxisId> = dims.iter().map(|dim| build.axis(*dim, true)).collect();
        let value = self.load(&mut build, operands[1], &axes, &Some)?;
        let row = self.load(&mut build, operands[2], &axes[..2], &Some)?;
        let mut terms: Vec<(Coordinate, i64)> = axes
            .iter()
            .zip(&strides)
            .enumerate()
            .filter(|(index, _)| *index != 1)
            .map(|(_, (axis, stride))| (Coordinate::Axis(*axis), *stride))
            .collect();
        terms.push((Coordinate::Row(row), strides[1]));
        let buffer = build.buffer(key, graph.ty(anchor.into()).dtype, true);
        let stores = vec![Store {
            buffer,
            address: Address { offset: 0, terms },
            value,
        }];
        build.kernel.stage(&axes, &[], StageKind::Map { stores });
        self.finish(build, anchor, "");
        Ok(())
    }
}
