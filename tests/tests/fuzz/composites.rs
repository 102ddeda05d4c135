//! Random nodes of the ops with several operands: norms, rows, attention, windows, losses.

use mm1_compiler::graph::{Binary, DType, Dim, NormKind, Op, Type, Unary, Value};

use crate::generate::Generator;

impl Generator {
    pub fn composite(&mut self) {
        match self.random.below(if self.smooth { 9 } else { 12 }) {
            0 | 1 => self.norm(),
            2 => self.gather(),
            3 => self.scatter(),
            4 => self.attention(),
            5 => self.rotary(),
            6 => self.convolution(),
            7 => self.softmax(),
            8 => self.experts(),
            9 => self.cross_entropy(),
            10 => self.linear_cross_entropy(),
            _ => self.adamw(),
        }
    }

    fn norm(&mut self) {
        let (x, _) = self.pick();
        let dims = self.dims(x);
        let Some(width) = dims.last().copied().filter(|width| width.fixed().is_some()) else {
            return;
        };
        // A large ε keeps rows of little spread from blowing up rounding.
        let epsilon = *self.random.of(&[0.1, 0.5]);
        let kind = *self.random.of(&[NormKind::Layer, NormKind::Rms]);
        let mut operands = vec![x];
        let parameters = if kind == NormKind::Layer { 2 } else { 1 };
        for _ in 0..parameters {
            operands.push(self.of_sizes(&[width]).0);
        }
        let y = self.add(Op::Norm { kind, epsilon }, &operands);
        let spread = (self.graph.bound(width) as f64).sqrt();
        self.keep(y, 4.0 * spread + 4.0);
        if !self.smooth && self.random.one_in(3) {
            let statistic = y.sibling(1);
            self.keep(statistic, 4.0);
        }
    }

    /// A table of rank 2: a value of the pool, or an input.
    fn table(&mut self) -> (Value, f64) {
        let (x, magnitude) = self.pick();
        match self.dims(x)[..] {
            [Dim::Fixed(_), _] => (x, magnitude),
            _ => {
                let dims = [self.fixed(1, 5), self.fixed(1, 4)];
                self.of_sizes(&dims)
            }
        }
    }

    fn index_dims(&mut self) -> Vec<Dim> {
        let mut dims = vec![self.first()];
        if self.random.one_in(2) {
            dims.push(self.fixed(1, 3));
        }
        dims
    }

    fn gather(&mut self) {
        let (table, magnitude) = self.table();
        let rows = self.graph.bound(self.dims(table)[0]) as i64;
        let dims = self.index_dims();
        let indices = self.integers(&dims, -1, rows);
        let y = self.add(Op::GatherRows, &[table, indices]);
        self.keep(y, magnitude);
    }

    fn scatter(&mut self) {
        let (x, magnitude) = self.pick();
        let dims = self.dims(x);
        if dims.len() < 2 {
            return;
        }
        let (leading, width) = dims.split_at(dims.len() - 1);
        if width[0].fixed().is_none() {
            return;
        }
        let rows = self.random.between(1, 5);
        let indices = match leading {
            // Stored the other way round, which no stride makes one axis.
            [Dim::Fixed(_), Dim::Fixed(_)] if self.random.one_in(2) => {
                let turned = self.integers(&[leading[1], leading[0]], -1, rows as i64);
                self.add(Op::Transpose(vec![1, 0]), &[turned])
            }
            _ => self.integers(leading, -1, rows as i64),
        };
        let table = [Dim::Fixed(rows), width[0]];
        let y = self.typed(Op::ScatterAddRows, &table, &[x, indices]);
        let terms = self.elements(leading) as f64;
        self.keep(y, magnitude * terms);
    }

    fn attention(&mut self) {
        let batch = self.first();
        let groups = self.random.between(1, 2);
        let heads = groups * self.random.between(1, 2);
        let [queries, keys] = [self.fixed(1, 5), self.fixed(1, 5)];
        let width = Dim::Fixed(2 * self.random.between(1, 3));
        let q = [batch, queries, Dim::Fixed(heads), width];
        let k = [batch, keys, Dim::Fixed(groups), width];
        let (query, _) = self.of_sizes(&q);
        let (key, _) = self.of_sizes(&k);
        let (value, magnitude) = self.of_sizes(&k);
        let mut operands = vec![query, key, value];
        let [causal, begin, end] = [2, 2, 2].map(|odds| self.random.one_in(odds));
        for flag in [begin, end] {
            if flag {
                let bound = self.graph.bound(keys) as i64 + 2;
                operands.push(self.integers(&[batch, queries], -1, bound));
            }
        }
        let scale = *self.random.of(&[0.5, 0.25]);
        let softcap = *self.random.of(&[0.0, 0.0, 1.5]);
        let op = Op::Attention {
            scale,
            softcap,
            causal,
            begin,
            end,
        };
        let y = self.add(op, &operands);
        self.keep(y, magnitude);
    }

    fn rotary(&mut self) {
        let (x, magnitude) = self.pick();
        let dims = match self.dims(x)[..] {
            [_, _, _, Dim::Fixed(width)] if width % 2 == 0 => self.dims(x),
            _ => {
                let batch = self.first();
                let width = Dim::Fixed(2 * self.random.between(1, 3));
                vec![batch, self.fixed(1, 4), self.fixed(1, 3), width]
            }
        };
        let (x, magnitude) = match self.dims(x) == dims {
            true => (x, magnitude),
            false => self.of_sizes(&dims),
        };
        let places = self.random.between(1, 6);
        let table = self.angles(places, dims[3]);
        let positions = self.integers(&dims[..2], 0, places as i64);
        let inverse = self.random.one_in(2);
        let y = self.add(Op::Rotary { inverse }, &[x, table, positions]);
        self.keep(y, 2.6 * magnitude);
    }

    /// Cosines and sines of some angles, which have no derivative.
    fn angles(&mut self, places: u64, width: Dim) -> Value {
        let half = self.graph.bound(width) as usize / 2;
        let numbers = (0..places)
            .flat_map(|place| {
                let angle = move |at: usize| place as f64 / (1 + at) as f64;
                let cosines = (0..half).map(move |at| angle(at).cos());
                cosines.chain((0..half).map(move |at| angle(at).sin()))
            })
            .map(|x| f64::from(x as f32))
            .collect();
        self.typed(Op::Constant(numbers), &[Dim::Fixed(places), width], &[])
    }

    fn softmax(&mut self) {
        let (x, magnitude) = self.pick();
        let fixed = |dim: &Dim| dim.fixed().is_some();
        if !self.dims(x).last().is_some_and(fixed) {
            return;
        }
        let p = self.add(Op::Softmax, &[x]);
        self.keep(p, 1.0);
        self.keep(p.sibling(1), magnitude + 3.0);
    }

    /// Rows to experts and back, by the largest scores or (these have kinks) by given choices.
    fn experts(&mut self) {
        let groups = self.random.between(1, 3);
        // Now and then several blocks of a sort.
        let size = match self.random.one_in(6) {
            true => *self.random.of(&[65, 70, 130]),
            false => self.random.between(1, 6),
        };
        let (tokens, experts) = (groups * size, self.random.between(1, 5));
        let count = self.random.between(1, experts.min(3));
        let (k, n) = (self.random.between(1, 5), self.random.between(1, 5));
        let fixed = |sizes: &[u64]| sizes.iter().map(|n| Dim::Fixed(*n)).collect::<Vec<_>>();
        let choices = match self.smooth || self.random.one_in(3) {
            true => self.integers(&fixed(&[tokens, count]), -1, experts as i64),
            false => {
                let scores = self.input(&fixed(&[tokens, experts]));
                let there = self.input(&fixed(&[tokens]));
                let zero = self.splat(0.5);
                let there = self.add(Op::Binary(Binary::Less), &[there, zero]);
                self.add(Op::TopK { count }, &[scores, there])
            }
        };
        let op = Op::SortChoices {
            experts,
            groups,
            capacity: *self.random.of(&[0, 0, 1, 2, 5]),
        };
        let sorted = self.add(op, &[choices]);
        let [places, of_tokens, begin, end] = [1, 2, 3, 4].map(|result| sorted.sibling(result));
        let (x, magnitude) = self.of_sizes(&fixed(&[tokens, k]));
        let rows = self.add(Op::TakeRows, &[x, of_tokens, sorted]);
        let transpose_b = self.random.one_in(2);
        let matrix = if transpose_b { [n, k] } else { [k, n] };
        let (w, more) = self.of_sizes(&fixed(&[experts, matrix[0], matrix[1]]));
        let op = Op::GroupedMatMul { transpose_b };
        let products = self.add(op, &[rows, w, begin, end]);
        let (gates, most) = self.of_sizes(&fixed(&[tokens, count]));
        let all = tokens * count;
        let gates = self.typed(Op::Reshape, &fixed(&[all, 1]), &[gates]);
        let name = self.name();
        let ty = Type::new(DType::I32, fixed(&[all, 1]));
        let back = self.graph.add_typed(name, Op::Reshape, vec![ty], &[sorted]);
        let gates = self.add(Op::TakeRows, &[gates, places, back.into()]);
        let weighted = self.add(Op::Binary(Binary::Mul), &[products, gates]);
        let y = self.add(Op::SumRows, &[weighted, sorted, of_tokens]);
        self.keep(y, magnitude * more * most * (k * count) as f64);
    }

    fn convolution(&mut self) {
        let grid = [self.random.between(1, 4), self.random.between(1, 4)];
        let batch = self.first();
        let channels = self.fixed(1, 5);
        let x = [batch, Dim::Fixed(grid[0] * grid[1]), channels];
        let (x, magnitude) = self.of_sizes(&x);
        let kernel = *self.random.of(&[1, 3, 5]);
        let side = Dim::Fixed(kernel);
        let (window, more) = self.of_sizes(&[channels, side, side]);
        // The turned window is the derivative, which has none itself.
        let flip = !self.smooth && self.random.one_in(3);
        let op = Op::DepthwiseConv2d { grid, kernel, flip };
        let y = self.add(op, &[x, window]);
        self.keep(y, magnitude * more * (kernel * kernel) as f64);
    }

    /// Targets and weights of rows.
    fn labels(&mut self, rows: Dim, classes: u64) -> [Value; 3] {
        let targets = self.integers(&[rows], 0, classes as i64);
        let weights = self.input(&[rows]);
        let z_weight = self.splat(0.25);
        [targets, weights, z_weight]
    }

    /// Rows with a loss, which are counted one by one.
    fn rows(&mut self) -> Dim {
        match self.first() {
            Dim::Scaled { extent, .. } => Dim::Scaled { extent, scale: 1 },
            fixed => fixed,
        }
    }

    fn cross_entropy(&mut self) {
        let rows = self.rows();
        let classes = self.random.between(1, 6);
        let (logits, _) = self.of_sizes(&[rows, Dim::Fixed(classes)]);
        let [targets, weights, z_weight] = self.labels(rows, classes);
        let op = Op::CrossEntropy;
        let loss = self.add(op, &[logits, targets, weights, z_weight]);
        self.keep(loss, 16.0);
        self.keep(loss.sibling(1), 60.0);
        self.keep(loss.sibling(2), 8.0);
    }

    fn linear_cross_entropy(&mut self) {
        // Now and then more rows than the smallest chunk.
        let rows = match self.random.one_in(3) {
            true => self.fixed(33, 70),
            false => self.rows(),
        };
        let (width, classes) = (self.random.between(1, 5), self.random.between(1, 6));
        let (x, _) = self.of_sizes(&[rows, Dim::Fixed(width)]);
        let (w, _) = self.of_sizes(&[Dim::Fixed(classes), Dim::Fixed(width)]);
        let [targets, weights, z_weight] = self.labels(rows, classes);
        let op = Op::LinearCrossEntropy {
            chunk: self.random.between(1, 4),
            gradient: true,
            softcap: *self.random.of(&[0.0, 0.0, 2.5]),
        };
        let loss = self.add(op, &[x, w, targets, weights, z_weight]);
        for result in 0..4 {
            self.keep(loss.sibling(result), 400.0);
        }
    }

    /// The second moment is a square, the corrections are away from 0.
    fn adamw(&mut self) {
        let (w, _) = self.pick();
        let dims = self.dims(w);
        let (g, _) = self.of_sizes(&dims);
        let (m, _) = self.of_sizes(&dims);
        let (v, _) = self.of_sizes(&dims);
        let v = self.add(Op::Unary(Unary::Square), &[v]);
        let mut operands = vec![w, g, m, v];
        for value in [0.1, 0.5, 0.01] {
            operands.push(self.splat(value));
        }
        for _ in 0..2 {
            let scalar = self.input(&[]);
            let square = self.add(Op::Unary(Unary::Square), &[scalar]);
            let half = self.splat(0.5);
            operands.push(self.add(Op::Binary(Binary::Add), &[square, half]));
        }
        let op = Op::AdamW {
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 0.1,
        };
        let new = self.add(op, &operands);
        for result in 0..3 {
            self.keep(new.sibling(result), 16.0);
        }
    }
}
