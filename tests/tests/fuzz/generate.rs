//! Builds random legal graphs with values for their inputs.
//!
//! A pool of f32 values grows node by node; each step takes values out of it, draws an operation
//! and puts the results back. Every value carries a bound on its magnitude, and what grows beyond
//! [`LARGEST`] is squeezed, so that numbers stay comparable in f32. Sizes are small, run-time sizes
//! stand first and may be 0.

use std::collections::BTreeMap;

use mm1_compiler::graph::{
    Binary, DType, Dim, ExtentId, Graph, InputRole, Op, ReduceKind, Type, Unary, Value,
};
use mm1_compiler::interpret::Tensor;
use mm1_tests::differences::{Point, sizes};
use mm1_tests::random::Random;

/// Magnitude beyond which a value is squeezed.
const LARGEST: f64 = 4.0;
/// Most elements of a value, at the bounds.
const ELEMENTS: u64 = 600;

/// A graph and a point to evaluate it at.
#[derive(Debug)]
pub struct Example {
    /// Legal, before any pass; its outputs are dense values that kernels make.
    pub graph: Graph,
    /// Sizes and inputs.
    pub point: Point,
}

/// A graph under construction.
pub struct Generator {
    pub graph: Graph,
    pub point: Point,
    pub random: Random,
    /// Values to go on from: result and magnitude.
    pool: Vec<(Value, f64)>,
    /// Run-time sizes that a shape may begin with, derived ones aside.
    extents: Vec<ExtentId>,
    /// Whether only what has a derivative may be drawn.
    pub smooth: bool,
    count: usize,
}

/// The graph of a seed. A smooth one has a derivative in each of its f32 inputs.
pub fn example(seed: u64, smooth: bool) -> Example {
    let mut it = Generator {
        graph: Graph::default(),
        point: Point::default(),
        random: Random::new(seed),
        pool: Vec::new(),
        extents: Vec::new(),
        smooth,
        count: 0,
    };
    for name in ["n", "m"] {
        if it.random.one_in(2) {
            let bound = it.random.between(1, 4);
            let id = it.graph.extent(name, bound);
            let size = it.random.between(0, bound);
            it.extents.push(id);
            it.point.extents.insert(name.to_owned(), size);
        }
    }
    for _ in 0..it.random.between(1, 3) {
        it.start();
    }
    for _ in 0..it.random.between(2, 12) {
        it.step();
    }
    it.finish()
}

impl Generator {
    /// A name in one of the components that fusion keeps apart.
    pub fn name(&mut self) -> String {
        self.count += 1;
        let part = *self
            .random
            .of(&["encoder", "decoder", "decoder", "decoder"]);
        format!("{part}.v{}", self.count)
    }

    pub fn fixed(&mut self, low: u64, high: u64) -> Dim {
        Dim::Fixed(self.random.between(low, high))
    }

    /// The first size of a shape: a number or a run-time size.
    pub fn first(&mut self) -> Dim {
        if self.extents.is_empty() || self.random.one_in(2) {
            return self.fixed(1, 4);
        }
        let extent = *self.random.of(&self.extents.clone());
        let scale = self.random.between(1, 2);
        Dim::Scaled { extent, scale }
    }

    /// A f32 input (or now and then a constant or state) of these sizes, in (−1.3, 1.3).
    pub fn input(&mut self, dims: &[Dim]) -> Value {
        let ty = Type::new(DType::F32, dims);
        let count = sizes(&self.graph, &self.point.extents, &ty);
        let total = count.iter().product::<u64>() as usize;
        let data: Vec<f64> = (0..total).map(|_| self.number()).collect();
        let name = self.name();
        if dims.iter().all(|dim| dim.fixed().is_some()) && self.random.one_in(5) {
            let op = match self.random.one_in(3) {
                true => Op::Splat(f64::from(data.first().copied().unwrap_or(0.5) as f32)),
                false => Op::Constant(data),
            };
            return self.graph.add_typed(name, op, vec![ty], &[]).into();
        }
        let role = match self.random.one_in(4) {
            true => InputRole::State("state".to_owned()),
            false => InputRole::Data,
        };
        let tensor = Tensor::new(count, data).unwrap();
        self.point.inputs.insert(name.clone(), tensor);
        let node = self.graph.add_typed(name, Op::Input(role), vec![ty], &[]);
        node.into()
    }

    /// An f32 number, so that kernels and interpreter start from the same.
    fn number(&mut self) -> f64 {
        f64::from(((self.random.unit() - 0.5) * 2.6) as f32)
    }

    /// An i32 input with values from `low` to below `high`.
    pub fn integers(&mut self, dims: &[Dim], low: i64, high: i64) -> Value {
        let ty = Type::new(DType::I32, dims);
        let count = sizes(&self.graph, &self.point.extents, &ty);
        let data = (0..count.iter().product::<u64>())
            .map(|_| (low + self.random.below((high - low) as u64) as i64) as f64)
            .collect();
        let name = self.name();
        let tensor = Tensor::new(count, data).unwrap();
        self.point.inputs.insert(name.clone(), tensor);
        let op = Op::Input(InputRole::Data);
        self.graph.add_typed(name, op, vec![ty], &[]).into()
    }

    pub fn dims(&self, value: Value) -> Vec<Dim> {
        self.graph.ty(value).dims.clone()
    }

    /// Elements at the bounds.
    pub fn elements(&self, dims: &[Dim]) -> u64 {
        dims.iter().map(|dim| self.graph.bound(*dim)).product()
    }

    /// A node whose type follows from its operands.
    pub fn add(&mut self, op: Op, operands: &[Value]) -> Value {
        let name = self.name();
        self.graph.add(name, op, operands)
    }

    /// A node of a chosen f32 type.
    pub fn typed(&mut self, op: Op, dims: &[Dim], operands: &[Value]) -> Value {
        let name = self.name();
        let ty = Type::new(DType::F32, dims);
        self.graph.add_typed(name, op, vec![ty], operands).into()
    }

    /// A value of the pool with its magnitude; the newest ones are likelier.
    pub fn pick(&mut self) -> (Value, f64) {
        let last = self.pool.len() as u64 - 1;
        let back = self.random.below(last + 1).min(self.random.below(last + 1));
        self.pool[(last - back) as usize]
    }

    /// A value of exactly these sizes, from the pool if there is one.
    pub fn of_sizes(&mut self, dims: &[Dim]) -> (Value, f64) {
        let fitting: Vec<(Value, f64)> = self
            .pool
            .iter()
            .copied()
            .filter(|(value, _)| self.graph.ty(*value).dims == dims)
            .collect();
        if fitting.is_empty() || self.random.one_in(3) {
            return (self.input(dims), 1.3);
        }
        *self.random.of(&fitting)
    }

    /// Puts a result into the pool, squeezed if it may be large.
    pub fn keep(&mut self, value: Value, magnitude: f64) {
        if self.elements(&self.dims(value)) > ELEMENTS {
            return;
        }
        if magnitude <= LARGEST {
            self.pool.push((value, magnitude));
            return;
        }
        let squeezed = match self.random.below(3) {
            0 => self.add(Op::Unary(Unary::Tanh), &[value]),
            1 => {
                let factor = self.splat(1.0 / magnitude.ceil());
                self.add(Op::Binary(Binary::Mul), &[value, factor])
            }
            _ => {
                let factor = self.splat(magnitude.ceil());
                self.add(Op::Binary(Binary::Div), &[value, factor])
            }
        };
        self.pool.push((squeezed, 1.0));
    }

    /// A number.
    pub fn splat(&mut self, value: f64) -> Value {
        self.typed(Op::Splat(f64::from(value as f32)), &[], &[])
    }

    fn start(&mut self) {
        let rank = self.random.below(5);
        let dims: Vec<Dim> = (0..rank)
            .map(|axis| {
                if axis == 0 {
                    self.first()
                } else {
                    self.fixed(1, 5)
                }
            })
            .collect();
        let value = self.input(&dims);
        self.pool.push((value, 1.3));
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..3 => self.unary(),
            3..6 => self.binary(),
            6 => self.guarded(),
            7 => self.transpose(),
            8 => self.reshape(),
            9 => self.slice(),
            10 => self.concat(),
            11 => self.broadcast(),
            12 | 13 => self.reduce(),
            14 | 15 => self.matmul(),
            _ => self.composite(),
        }
    }

    fn unary(&mut self) {
        use Unary::{Erf, Gelu, GeluTanh, Neg, QuickGelu, Relu, Sigmoid, Silu, Square, Step, Tanh};
        let (x, magnitude) = self.pick();
        let functions = [
            Neg, Square, Relu, Step, Tanh, Sigmoid, Erf, Gelu, GeluTanh, QuickGelu, Silu,
        ];
        let function = *self.random.of(&functions);
        let y = self.add(Op::Unary(function), &[x]);
        let magnitude = match function {
            Square => magnitude * magnitude,
            Step | Tanh | Sigmoid | Erf => 1.0,
            _ => magnitude,
        };
        self.keep(y, magnitude);
    }

    /// Functions with a pole or steep places, of arguments kept away from them.
    fn guarded(&mut self) {
        let (x, magnitude) = self.pick();
        if self.random.one_in(3) {
            let calm = self.add(Op::Unary(Unary::Tanh), &[x]);
            let y = self.add(Op::Unary(Unary::Exp), &[calm]);
            return self.keep(y, 2.8);
        }
        let square = self.add(Op::Unary(Unary::Square), &[x]);
        let half = self.splat(0.5);
        let positive = self.add(Op::Binary(Binary::Add), &[square, half]);
        let largest = magnitude * magnitude + 0.5;
        let functions = [Unary::Log, Unary::Sqrt, Unary::Rsqrt, Unary::Reciprocal];
        if self.random.one_in(3) {
            let dims = self.dims(x);
            let (above, more) = self.of_sizes(&dims);
            let y = self.add(Op::Binary(Binary::Div), &[above, positive]);
            return self.keep(y, 2.0 * more);
        }
        let function = *self.random.of(&functions);
        let y = self.add(Op::Unary(function), &[positive]);
        self.keep(y, largest.max(2.0));
    }

    fn binary(&mut self) {
        let (x, magnitude) = self.pick();
        let dims = self.dims(x);
        // The other operand has the same sizes, fewer, or sizes of 1.
        let other: Vec<Dim> = match self.random.below(4) {
            0 | 1 => dims.clone(),
            2 => dims[self.random.below(dims.len() as u64 + 1) as usize..].to_vec(),
            _ => dims
                .iter()
                .map(|dim| {
                    if self.random.one_in(2) {
                        Dim::Fixed(1)
                    } else {
                        *dim
                    }
                })
                .collect(),
        };
        let (y, other) = self.of_sizes(&other);
        let functions = [
            Binary::Add,
            Binary::Sub,
            Binary::Mul,
            Binary::Mul,
            Binary::Max,
            Binary::Min,
        ];
        let function = *self.random.of(&functions);
        let operands = if self.random.one_in(2) {
            [x, y]
        } else {
            [y, x]
        };
        let z = self.add(Op::Binary(function), &operands);
        let magnitude = match function {
            Binary::Mul => magnitude * other,
            Binary::Max | Binary::Min => magnitude.max(other),
            _ => magnitude + other,
        };
        self.keep(z, magnitude);
    }

    fn transpose(&mut self) {
        let (x, magnitude) = self.pick();
        let dims = self.dims(x);
        let pinned = dims.first().is_some_and(|dim| dim.fixed().is_none());
        let order = match pinned {
            true => std::iter::once(0)
                .chain(
                    self.random
                        .permutation(dims.len() - 1)
                        .into_iter()
                        .map(|axis| axis + 1),
                )
                .collect(),
            false => self.random.permutation(dims.len()),
        };
        let y = self.add(Op::Transpose(order), &[x]);
        self.keep(y, magnitude);
    }

    /// Joins two neighbouring sizes, splits one, or adds a size of 1.
    fn reshape(&mut self) {
        let (x, magnitude) = self.pick();
        let y = self.reshaped(x);
        self.keep(y, magnitude);
    }

    fn reshaped(&mut self, x: Value) -> Value {
        let mut dims = self.dims(x);
        let at = self.random.below(dims.len() as u64 + 1) as usize;
        match self.random.below(3) {
            0 if dims.len() > 1 => {
                let at = at.min(dims.len() - 2);
                let inner = dims.remove(at + 1);
                dims[at] = match inner {
                    Dim::Fixed(n) => dims[at].times(n),
                    Dim::Scaled { .. } => return x,
                };
            }
            1 if at < dims.len() => {
                let divides = |n: u64| (2..=n).filter(|d| n.is_multiple_of(*d)).collect::<Vec<_>>();
                match dims[at] {
                    Dim::Fixed(n) if n > 1 => {
                        let inner = *self.random.of(&divides(n));
                        dims[at] = Dim::Fixed(n / inner);
                        dims.insert(at + 1, Dim::Fixed(inner));
                    }
                    Dim::Scaled { extent, scale } if scale > 1 => {
                        let inner = *self.random.of(&divides(scale));
                        let scale = scale / inner;
                        dims[at] = Dim::Scaled { extent, scale };
                        dims.insert(at + 1, Dim::Fixed(inner));
                    }
                    _ => {}
                }
            }
            _ => {
                let at = match dims.first() {
                    Some(Dim::Scaled { .. }) => at.max(1),
                    _ => at,
                };
                dims.insert(at, Dim::Fixed(1));
            }
        }
        self.typed(Op::Reshape, &dims, &[x])
    }

    fn slice(&mut self) {
        let (x, magnitude) = self.pick();
        let mut dims = self.dims(x);
        if dims.is_empty() {
            return;
        }
        let axis = self.random.below(dims.len() as u64) as usize;
        let start = match dims[axis] {
            Dim::Fixed(n) => {
                let start = self.random.below(n);
                dims[axis] = self.fixed(1, n - start);
                start
            }
            Dim::Scaled { extent, scale } if !self.smooth => {
                let bound = self.graph.extents[extent.0 as usize].bound;
                let offset = self.random.below(bound);
                let length = self.random.between(1, bound - offset);
                let part = self.graph.derived_extent(extent, offset, length);
                dims[axis] = Dim::Scaled {
                    extent: part,
                    scale,
                };
                offset * scale
            }
            Dim::Scaled { .. } => 0,
        };
        let y = self.typed(Op::Slice { axis, start }, &dims, &[x]);
        self.keep(y, magnitude);
    }

    fn concat(&mut self) {
        let (x, magnitude) = self.pick();
        let dims = self.dims(x);
        let fixed: Vec<usize> = (0..dims.len())
            .filter(|axis| dims[*axis].fixed().is_some())
            .collect();
        if fixed.is_empty() {
            return;
        }
        let axis = *self.random.of(&fixed);
        let mut parts = vec![(x, magnitude)];
        for _ in 0..self.random.between(1, 2) {
            let mut other = dims.clone();
            if self.random.one_in(2) {
                other[axis] = self.fixed(1, 3);
            }
            let part = self.of_sizes(&other);
            parts.push(part);
        }
        let largest = parts.iter().fold(0.0, |most: f64, part| most.max(part.1));
        let order = self.random.permutation(parts.len());
        let parts: Vec<Value> = order.into_iter().map(|at| parts[at].0).collect();
        let y = self.add(Op::Concat { axis }, &parts);
        self.keep(y, largest);
    }

    fn broadcast(&mut self) {
        let (x, magnitude) = self.pick();
        let mut dims = self.dims(x);
        let pinned = dims.first().is_some_and(|dim| dim.fixed().is_none());
        for dim in &mut dims {
            if *dim == Dim::Fixed(1) && self.random.one_in(2) {
                *dim = self.fixed(1, 3);
            }
        }
        if !pinned && dims.len() < 4 && self.random.one_in(2) {
            let first = self.first();
            dims.insert(0, first);
        }
        let y = self.typed(Op::Broadcast, &dims, &[x]);
        self.keep(y, magnitude);
    }

    fn reduce(&mut self) {
        let (x, magnitude) = self.pick();
        let dims = self.dims(x);
        let axes: Vec<usize> = (0..dims.len()).filter(|_| self.random.one_in(2)).collect();
        if axes.is_empty() {
            return;
        }
        // The largest of nothing is −∞, so only axes that are there for certain.
        let certain = axes.iter().all(|axis| dims[*axis].fixed().is_some());
        if !self.smooth && certain && self.random.one_in(3) {
            let kind = ReduceKind::Max;
            let y = self.add(Op::Reduce { kind, axes }, &[x]);
            return self.keep(y, magnitude);
        }
        let folded: Vec<Dim> = axes.iter().map(|axis| dims[*axis]).collect();
        let terms = self.elements(&folded) as f64;
        let kind = ReduceKind::Sum;
        let y = self.add(Op::Reduce { kind, axes }, &[x]);
        self.keep(y, magnitude * terms);
    }

    /// x and another factor: both batched alike, or one without batches; stored either way round.
    fn matmul(&mut self) {
        let (x, magnitude) = self.pick();
        let dims = self.dims(x);
        if dims.len() < 2 {
            return;
        }
        let (batch, matrix) = dims.split_at(dims.len() - 2);
        let mut transpose_a = self.random.one_in(2);
        // A run-time size can be contracted only where the result does not keep it inside.
        let runtime = matrix[0].fixed().is_none();
        let inner = if transpose_a { matrix[0] } else { matrix[1] };
        let mut transpose_b = self.random.one_in(2);
        let outer = self.fixed(1, 5);
        let mut other = match batch.len() {
            0 => Vec::new(),
            _ if self.random.one_in(2) => Vec::new(),
            _ => batch.to_vec(),
        };
        if runtime && transpose_a {
            // b is [n·s, k]: the run-time size stays first.
            transpose_b = false;
        }
        if batch.is_empty() && !runtime && self.random.one_in(3) {
            let first = self.first();
            other = vec![first];
        }
        other.extend(if transpose_b {
            [outer, inner]
        } else {
            [inner, outer]
        });
        let (y, more) = self.of_sizes(&other);
        let terms = self.graph.bound(inner) as f64;
        let mut operands = [x, y];
        // b·a, where nothing but the roles changes.
        if self.random.one_in(3) && !runtime && batch.len() == other.len() - 2 {
            operands = [y, x];
            (transpose_a, transpose_b) = (!transpose_b, !transpose_a);
        }
        let op = Op::MatMul {
            transpose_a,
            transpose_b,
        };
        let z = self.add(op, &operands);
        self.keep(z, magnitude * more * terms);
    }

    /// Every pool value that nothing reads becomes an output, some by way of a last operation,
    /// and some states are replaced.
    fn finish(mut self) -> Example {
        let unread: Vec<Value> = self
            .pool
            .iter()
            .map(|(value, _)| *value)
            .filter(|value| {
                let mut users = self.graph.users(value.node).into_iter();
                users.all(|(_, _, result)| result != value.result)
            })
            .collect();
        for (number, value) in unread.into_iter().enumerate() {
            let value = if self.random.one_in(3) {
                let factor = self.splat(0.75);
                self.add(Op::Binary(Binary::Mul), &[value, factor])
            } else {
                value
            };
            self.graph.output(format!("y{number}"), value);
        }
        self.replace_states();
        Example {
            graph: self.graph,
            point: self.point,
        }
    }

    /// State + value, or another value of its type, as what follows the state.
    fn replace_states(&mut self) {
        let states: Vec<Value> = self
            .graph
            .nodes()
            .filter(|id| matches!(self.graph.op(*id), Op::Input(InputRole::State(_))))
            .map(Value::from)
            .collect();
        for state in states {
            if self.smooth || self.random.one_in(2) {
                continue;
            }
            let dims = self.dims(state);
            let (more, _) = self.of_sizes(&dims);
            let new = match self.random.one_in(2) {
                true => self.add(Op::Binary(Binary::Add), &[state, more]),
                false => self.add(Op::Binary(Binary::Sub), &[more, state]),
            };
            self.graph.update(state.node, new);
        }
    }
}

/// Values of the graph's outputs by name.
pub fn outputs(graph: &Graph, point: &Point) -> Result<BTreeMap<String, Tensor>, String> {
    let wanted: Vec<Value> = graph.outputs.iter().map(|output| output.value).collect();
    let values = point.values(graph, &wanted)?;
    let names = graph.outputs.iter().map(|output| output.name.clone());
    Ok(names.zip(values).collect())
}
