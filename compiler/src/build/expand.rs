//! From an instantiated component to graph nodes: one arm per op of the component language.

use std::collections::{BTreeMap, HashMap};

use mm1_dsl::codes;
use mm1_dsl::component::{Argument, FlatNode, Instance, Size};
use mm1_dsl::diagnostic::Diagnostic;
use mm1_package::{DType, Init};

use super::Settings;
use super::experts::Route;
use crate::graph::text::{print_dim, print_dims};
use crate::graph::{Binary, Dim, Graph, InputRole, NormKind, Op, Parameter, Type, Unary, Value};

/// How causal attention finds its keys.
#[derive(Clone, Copy)]
pub enum Keys {
    /// Among the tokens of the same forward pass.
    Own,
    /// In a cache of that many rows: new rows go where `rows` says, keys end at `end`.
    Cache {
        /// Rows of the cache.
        length: u64,
        /// i32 `[sequences, length]`, cache row of each new token.
        rows: Value,
        /// i32 `[sequences, length]`, one past the last visible row.
        end: Value,
    },
}

/// Writes components into a graph.
pub struct Expander<'m> {
    /// The graph under construction.
    pub graph: Graph,
    pub(super) settings: &'m Settings<'m>,
    /// Values by path, and inputs of the instance under expansion by name.
    values: HashMap<String, Value>,
    /// Parameters by name.
    pub parameters: BTreeMap<String, Value>,
    /// Sequences and length of this program.
    pub sequences: u64,
    /// Tokens per sequence in this program.
    pub length: u64,
    /// Number of images.
    pub images: Option<Dim>,
    /// i32 `[images, tokens]`, one past the last token that a token of a picture sees, where the
    /// objective draws it.
    pub visible_end: Option<Value>,
    /// Where causal attention finds its keys.
    pub keys: Keys,
    /// Choices of experts made so far.
    pub routes: Vec<Route>,
}

/// An error in words; the caller adds the node.
pub(super) type Built = Result<Value, String>;

impl<'m> Expander<'m> {
    /// An empty graph.
    pub fn new(settings: &'m Settings<'m>, sequences: u64, length: u64) -> Self {
        Self {
            graph: Graph::default(),
            settings,
            values: HashMap::new(),
            parameters: BTreeMap::new(),
            sequences,
            length,
            images: None,
            visible_end: None,
            keys: Keys::Own,
            routes: Vec::new(),
        }
    }

    /// Expands an instance; returns its outputs by name.
    ///
    /// # Errors
    /// One diagnostic per node whose operands do not fit.
    pub fn expand(
        &mut self,
        instance: &Instance,
        inputs: &[(&str, Value)],
    ) -> Result<BTreeMap<String, Value>, Vec<Diagnostic>> {
        self.values.clear();
        for (name, sizes) in &instance.inputs {
            let given = inputs
                .iter()
                .find(|(given, _)| given == name)
                .map(|(_, value)| *value);
            let value = given.ok_or_else(|| {
                let known: Vec<&str> = inputs.iter().map(|(name, _)| *name).collect();
                let message = format!(
                    "component input `{name}` is not among those that this place offers: {}",
                    known.join(", ")
                );
                vec![Diagnostic::error(codes::WRONG_INTERFACE, message)]
            })?;
            self.check_sizes(name, sizes, value)
                .map_err(|message| vec![Diagnostic::error(codes::SHAPE, message)])?;
            self.values.insert(name.clone(), value);
        }
        for node in &instance.nodes {
            match self.node(node) {
                Ok(value) => {
                    self.graph.set_span(value.node, node.span);
                    self.values.insert(node.path.clone(), value);
                }
                // Later nodes lack their operand; one message is enough.
                Err(message) => {
                    let text = format!("`{}` ({}): {message}", node.path, node.op);
                    return Err(vec![
                        Diagnostic::error(codes::SHAPE, text).at(node.span, "in this node"),
                    ]);
                }
            }
        }
        let mut outputs = BTreeMap::new();
        for (name, path) in &instance.outputs {
            let value = self.values.get(path).copied();
            outputs.insert(
                name.clone(),
                value.ok_or_else(|| {
                    vec![Diagnostic::error(
                        codes::SHAPE,
                        format!("output `{name}` reads `{path}`, which no node makes"),
                    )]
                })?,
            );
        }
        Ok(outputs)
    }

    fn check_sizes(&self, name: &str, sizes: &[Size], value: Value) -> Result<(), String> {
        let dims = &self.graph.ty(value).dims;
        let open = matches!(sizes.first(), Some(Size::Symbol(symbol)) if symbol == "..");
        let sizes = if open { &sizes[1..] } else { sizes };
        if dims.len() < sizes.len() || (!open && dims.len() != sizes.len()) {
            return Err(format!(
                "input `{name}` has {} sizes, the component declares {}",
                dims.len(),
                sizes.len()
            ));
        }
        for (size, dim) in sizes.iter().rev().zip(dims.iter().rev()) {
            let wanted = match size {
                Size::Known(n) => Dim::Fixed(*n),
                Size::Symbol(symbol) => self.symbol(symbol)?,
            };
            if wanted != *dim {
                return Err(format!(
                    "input `{name}` has size {} where the component declares {}",
                    print_dim(&self.graph, *dim),
                    print_dim(&self.graph, wanted)
                ));
            }
        }
        Ok(())
    }

    fn symbol(&self, name: &str) -> Result<Dim, String> {
        match name {
            "images" => self
                .images
                .ok_or_else(|| "there are no images here".to_owned()),
            "sequences" => Ok(Dim::Fixed(self.sequences)),
            "length" => Ok(Dim::Fixed(self.length)),
            other => Err(format!("`{other}` is no run-time size")),
        }
    }

    fn dims(&self, argument: &Argument) -> Result<Vec<Dim>, String> {
        let Argument::List(items) = argument else {
            return Err("a list of sizes is needed".to_owned());
        };
        items
            .iter()
            .map(|item| match item {
                Argument::Int(n) if *n > 0 => Ok(Dim::Fixed(*n as u64)),
                Argument::Text(symbol) => self.symbol(symbol),
                other => Err(format!("{other} is no size")),
            })
            .collect()
    }

    fn node(&mut self, node: &FlatNode) -> Built {
        let path = &node.path;
        let inputs: Vec<Value> = node
            .inputs
            .iter()
            .map(|name| {
                self.values
                    .get(name)
                    .copied()
                    .ok_or_else(|| format!("operand `{name}` does not exist"))
            })
            .collect::<Result<_, _>>()?;
        let x = inputs.first().copied();
        let x = || x.ok_or_else(|| "an operand is missing".to_owned());
        match node.op.as_str() {
            "parameter" => {
                let dims = self.dims(node.attribute("shape")?)?;
                let std = node
                    .attributes
                    .get("std")
                    .map_or(Ok(self.settings.init_std), |_| node.float("std"))?;
                let init = match node.text("init")? {
                    "zeros" => Init::Zeros,
                    "ones" => Init::Ones,
                    "normal" => Init::Normal(std as f32),
                    _ => Init::TruncatedNormal(std as f32),
                };
                Ok(self.parameter(path, dims, init))
            }
            "linear" => self.linear(path, x()?, node.size("out_width")?, node.flag("bias")?),
            "layer-norm" => self.norm(path, NormKind::Layer, x()?, node.float("epsilon")?),
            "rms-norm" => self.norm(path, NormKind::Rms, x()?, node.float("epsilon")?),
            "zero-centered-rms-norm" => self.centered_norm(path, x()?, node.float("epsilon")?),
            "add" => self.binary(path, Binary::Add, &inputs),
            "subtract" => self.binary(path, Binary::Sub, &inputs),
            "multiply" => self.binary(path, Binary::Mul, &inputs),
            "gelu" => self.unary(path, Unary::Gelu, x()?),
            "gelu-tanh" => self.unary(path, Unary::GeluTanh, x()?),
            "quick-gelu" => self.unary(path, Unary::QuickGelu, x()?),
            "silu" => self.unary(path, Unary::Silu, x()?),
            "sigmoid" => self.unary(path, Unary::Sigmoid, x()?),
            "tanh" => self.unary(path, Unary::Tanh, x()?),
            "relu" => self.unary(path, Unary::Relu, x()?),
            "scale" => {
                let factor = self.splat(&format!("{path}.factor"), node.float("factor")?);
                self.binary(path, Binary::Mul, &[x()?, factor])
            }
            "reshape" => {
                let dims = self.dims(node.attribute("shape")?)?;
                self.reshape(path, x()?, dims)
            }
            "transpose" => {
                let permutation = node
                    .numbers("permutation")?
                    .into_iter()
                    .map(|axis| axis as usize)
                    .collect();
                self.add(path, Op::Transpose(permutation), &[x()?])
            }
            "slice" => self.slice(
                path,
                x()?,
                node.size("axis")? as usize,
                node.size("start")?,
                node.size("length")?,
            ),
            "concat" => self.add(
                path,
                Op::Concat {
                    axis: node.size("axis")? as usize,
                },
                &inputs,
            ),
            "expand" => {
                let dims = self.dims(node.attribute("shape")?)?;
                self.broadcast(path, x()?, dims)
            }
            "mean" => self.mean(path, x()?, node.size("axis")? as usize),
            "patchify" => self.patchify(path, x()?, node.size("patch")?),
            "attention" => self.attention(path, &inputs, node),
            "rotary" => self.rotary(path, &inputs, node.float("base")?),
            "gather-rows" => self.add(path, Op::GatherRows, &inputs),
            "route" => {
                let by_sequence = node.text("group")? == "sequence";
                let factor = node.float("capacity_factor")?;
                self.route(path, &inputs, node.size("top_k")?, (factor, by_sequence))
            }
            "dispatch" => self.dispatch(path, &inputs),
            "expert-linear" => self.expert_linear(path, &inputs, node.size("out_width")?),
            "combine" => self.combine(path, &inputs),
            "sin-cos-2d" => self.sin_cos(
                path,
                &node.numbers("grid")?,
                [node.size("width")?, node.size("prefix")?],
                node.float("base")?,
            ),
            "adaptive-average-pool-2d" => self.pool(
                path,
                x()?,
                &node.numbers("grid")?,
                &node.numbers("output_grid")?,
            ),
            "depthwise-conv-2d" => {
                self.depthwise(path, x()?, &node.numbers("grid")?, node.size("kernel")?)
            }
            other => Err(format!("operation `{other}` is not known to the compiler")),
        }
    }

    pub(super) fn add(&mut self, path: &str, op: Op, operands: &[Value]) -> Built {
        self.graph.try_add(path, op, operands).map(Value::from)
    }

    fn unary(&mut self, path: &str, function: Unary, x: Value) -> Built {
        self.add(path, Op::Unary(function), &[x])
    }

    pub(super) fn binary(&mut self, path: &str, function: Binary, inputs: &[Value]) -> Built {
        self.add(path, Op::Binary(function), inputs)
    }

    /// A number as a scalar.
    pub fn splat(&mut self, name: &str, value: f64) -> Value {
        self.graph
            .add_typed(name, Op::Splat(value), vec![Type::scalar(DType::F32)], &[])
            .into()
    }

    /// A tensor that the caller writes before each run.
    pub fn input(&mut self, name: &str, dtype: DType, dims: Vec<Dim>) -> Value {
        self.graph
            .add_typed(
                name,
                Op::Input(InputRole::Data),
                vec![Type::new(dtype, dims)],
                &[],
            )
            .into()
    }

    /// A weight, made at its first mention.
    pub fn parameter(&mut self, name: &str, dims: Vec<Dim>, init: Init) -> Value {
        if let Some(known) = self.parameters.get(name) {
            return *known;
        }
        let rank = dims.len();
        let role = InputRole::Parameter(Parameter {
            init,
            trained: self.settings.trains(name),
            decay: rank >= 2 && self.settings.decays(name),
            lr_scale: self.settings.lr_scale(name),
        });
        let value: Value = self
            .graph
            .add_typed(
                name,
                Op::Input(role),
                vec![Type::new(DType::F32, dims)],
                &[],
            )
            .into();
        self.parameters.insert(name.to_owned(), value);
        value
    }

    /// Another arrangement of the same elements.
    pub fn reshape(&mut self, name: &str, x: Value, dims: Vec<Dim>) -> Built {
        let ty = self.graph.ty(x);
        let wanted = Type::new(ty.dtype, dims);
        if wanted.dims.iter().skip(1).any(|dim| dim.fixed().is_none()) {
            return Err("a run-time size must stay first".to_owned());
        }
        if ty.elements() != wanted.elements() {
            return Err(format!(
                "elements of sizes {} cannot be arranged as {}",
                print_dims(&self.graph, &ty.dims),
                print_dims(&self.graph, &wanted.dims)
            ));
        }
        Ok(self
            .graph
            .add_typed(name, Op::Reshape, vec![wanted], &[x])
            .into())
    }

    /// Leading sizes merged: `[rows, C]`.
    pub fn rows(&mut self, name: &str, x: Value) -> Built {
        let dims = self.graph.ty(x).dims.clone();
        match dims.split_last() {
            None => Err("a scalar has no rows".to_owned()),
            Some(_) if dims.len() == 2 => Ok(x),
            Some((last, leading)) => {
                self.reshape(name, x, vec![crate::graph::product(leading), *last])
            }
        }
    }

    pub(super) fn fixed(&self, x: Value, axis: usize) -> Result<u64, String> {
        let dim = self.graph.ty(x).dims.get(axis).copied();
        dim.and_then(Dim::fixed)
            .ok_or_else(|| format!("axis {axis} must have a size that is known when compiled"))
    }

    fn linear(&mut self, path: &str, x: Value, out: u64, bias: bool) -> Built {
        let rank = self.graph.ty(x).rank();
        let width = self.fixed(x, rank.saturating_sub(1))?;
        let init = Init::TruncatedNormal(self.settings.init_std as f32);
        let weight = self.parameter(
            &format!("{path}.weight"),
            vec![Dim::Fixed(out), Dim::Fixed(width)],
            init,
        );
        let flat = self.rows(&format!("{path}.rows"), x)?;
        let shaped = rank != 2;
        let name = |last: bool, part: &str| {
            if last {
                path.to_owned()
            } else {
                format!("{path}.{part}")
            }
        };
        let op = Op::MatMul {
            transpose_a: false,
            transpose_b: true,
        };
        let mut y = self.add(&name(!shaped && !bias, "product"), op, &[flat, weight])?;
        if bias {
            let bias = self.parameter(&format!("{path}.bias"), vec![Dim::Fixed(out)], Init::Zeros);
            y = self.add(
                &name(!shaped, "biased"),
                Op::Binary(Binary::Add),
                &[y, bias],
            )?;
        }
        if shaped {
            let mut dims = self.graph.ty(x).dims.clone();
            dims[rank - 1] = Dim::Fixed(out);
            y = self.reshape(path, y, dims)?;
        }
        Ok(y)
    }

    fn norm(&mut self, path: &str, kind: NormKind, x: Value, epsilon: f64) -> Built {
        let width = self.fixed(x, self.graph.ty(x).rank().saturating_sub(1))?;
        let mut operands = vec![
            x,
            self.parameter(
                &format!("{path}.weight"),
                vec![Dim::Fixed(width)],
                Init::Ones,
            ),
        ];
        if kind == NormKind::Layer {
            operands.push(self.parameter(
                &format!("{path}.bias"),
                vec![Dim::Fixed(width)],
                Init::Zeros,
            ));
        }
        self.add(path, Op::Norm { kind, epsilon }, &operands)
    }

    fn slice(&mut self, path: &str, x: Value, axis: usize, start: u64, length: u64) -> Built {
        let size = self.fixed(x, axis)?;
        if start.checked_add(length).is_none_or(|end| end > size) {
            return Err(format!(
                "{start} + {length} is past the end of axis {axis}, which has {size} elements"
            ));
        }
        let mut ty = self.graph.ty(x).clone();
        ty.dims[axis] = Dim::Fixed(length);
        Ok(self
            .graph
            .add_typed(path, Op::Slice { axis, start }, vec![ty], &[x])
            .into())
    }

    fn broadcast(&mut self, path: &str, x: Value, dims: Vec<Dim>) -> Built {
        let from = &self.graph.ty(x).dims;
        let fits = from.len() <= dims.len()
            && from
                .iter()
                .rev()
                .zip(dims.iter().rev())
                .all(|(own, wanted)| own == wanted || *own == Dim::Fixed(1));
        if !fits {
            return Err(format!(
                "sizes {} do not stretch to {}",
                print_dims(&self.graph, from),
                print_dims(&self.graph, &dims)
            ));
        }
        let ty = Type::new(self.graph.ty(x).dtype, dims);
        Ok(self
            .graph
            .add_typed(path, Op::Broadcast, vec![ty], &[x])
            .into())
    }

    fn mean(&mut self, path: &str, x: Value, axis: usize) -> Built {
        let size = self.fixed(x, axis)?;
        let mut dims = self.graph.ty(x).dims.clone();
        dims[axis] = Dim::Fixed(1);
        let sum = self.add(&format!("{path}.sum"), Op::sum(&[axis]), &[x])?;
        let share = self.splat(&format!("{path}.share"), 1.0 / size as f64);
        let mean = self.binary(&format!("{path}.mean"), Binary::Mul, &[sum, share])?;
        self.reshape(path, mean, dims)
    }

    /// `[images, 3, H, W]` → `[images, (H/p)·(W/p), 3·p·p]`, channel first within a patch.
    ///
    /// # Errors
    /// Sizes that are no whole number of patches.
    pub fn patchify(&mut self, path: &str, x: Value, patch: u64) -> Built {
        let dims = self.graph.ty(x).dims.clone();
        if dims.len() != 4 {
            return Err("pictures are [images, channels, height, width]".to_owned());
        }
        let [channels, height, width] = [self.fixed(x, 1)?, self.fixed(x, 2)?, self.fixed(x, 3)?];
        if height % patch != 0 || width % patch != 0 {
            return Err(format!(
                "{height}×{width} pixels are no whole number of patches of {patch}"
            ));
        }
        let (rows, columns) = (height / patch, width / patch);
        let mut split = vec![dims[0]];
        split.extend([channels, rows, patch, columns, patch].map(Dim::Fixed));
        let split = self.reshape(&format!("{path}.split"), x, split)?;
        let turned = self.add(
            &format!("{path}.turned"),
            Op::Transpose(vec![0, 2, 4, 1, 3, 5]),
            &[split],
        )?;
        self.reshape(
            path,
            turned,
            vec![
                dims[0],
                Dim::Fixed(rows * columns),
                Dim::Fixed(channels * patch * patch),
            ],
        )
    }

    fn attention(&mut self, path: &str, inputs: &[Value], node: &FlatNode) -> Built {
        let [q, mut k, mut v] = inputs[..3] else {
            return Err("q, k and v are needed".to_owned());
        };
        let width = self.fixed(q, 3)?;
        let scale = match node.float("scale")? {
            0.0 => 1.0 / (width as f64).sqrt(),
            scale => scale,
        };
        let softcap = match node.attributes.contains_key("softcap") {
            true => node.float("softcap")?,
            false => 0.0,
        };
        let causal = match node.text("mask")? {
            "prefix" => {
                let op = |causal| Op::Attention {
                    scale,
                    softcap,
                    causal,
                    begin: false,
                    end: false,
                };
                return self.prefix_attention(path, [q, k, v], node.size("prefix")?, op);
            }
            "drawn-prefix" => {
                let end = self.visible_end;
                let end = end.ok_or_else(|| "no prefix is drawn here".to_owned())?;
                let op = Op::Attention {
                    scale,
                    softcap,
                    causal: false,
                    begin: false,
                    end: true,
                };
                return self.add(path, op, &[q, k, v, end]);
            }
            mask => mask == "causal",
        };
        let Keys::Cache { length, rows, end } = self.keys else {
            let begin = inputs.len() > 3;
            return self.add(
                path,
                Op::Attention {
                    scale,
                    softcap,
                    causal,
                    begin,
                    end: false,
                },
                inputs,
            );
        };
        if !causal {
            return self.add(
                path,
                Op::Attention {
                    scale,
                    softcap,
                    causal,
                    begin: false,
                    end: false,
                },
                &inputs[..3],
            );
        }
        for (value, part) in [(&mut k, "k"), (&mut v, "v")] {
            let mut ty = self.graph.ty(*value).clone();
            ty.dims[1] = Dim::Fixed(length);
            ty.dtype = self.settings.cache_dtype();
            if self.graph.ty(*value).dtype != ty.dtype {
                let cast = self.graph.ty(*value).with_dtype(ty.dtype);
                *value = self
                    .graph
                    .add_typed(
                        format!("{path}.{part}.cast"),
                        Op::Cast,
                        vec![cast],
                        &[*value],
                    )
                    .into();
            }
            let role = Op::Input(InputRole::State("state".to_owned()));
            let state = self
                .graph
                .add_typed(format!("cache.{path}.{part}"), role, vec![ty], &[]);
            *value = self.add(
                &format!("{path}.{part}.cached"),
                Op::UpdateRows,
                &[state.into(), *value, rows],
            )?;
            self.graph.update(state, *value);
        }
        self.add(
            path,
            Op::Attention {
                scale,
                softcap,
                causal: false,
                begin: false,
                end: true,
            },
            &[q, k, v, end],
        )
    }

    /// The first `prefix` tokens see one another, every other one sees what stands before it. Key
    /// ranges state no such mask for tokens of the prefix, so these are attention of their own, which
    /// replaces the first rows of the causal one.
    fn prefix_attention(
        &mut self,
        path: &str,
        operands: [Value; 3],
        prefix: u64,
        op: impl Fn(bool) -> Op,
    ) -> Built {
        if !matches!(self.keys, Keys::Own) {
            return Err("a prefix that sees itself has no cache".to_owned());
        }
        let tokens = self.fixed(operands[0], 1)?;
        if !(1..tokens).contains(&prefix) {
            return Err(format!("a prefix of {prefix} among {tokens} tokens"));
        }
        let mut first = Vec::new();
        for (value, part) in operands.into_iter().zip(["q", "k", "v"]) {
            first.push(self.slice(&format!("{path}.prefix.{part}"), value, 1, 0, prefix)?);
        }
        let first = self.add(&format!("{path}.prefix"), op(false), &first)?;
        let all = self.add(&format!("{path}.causal"), op(true), &operands)?;
        let rest = self.slice(&format!("{path}.rest"), all, 1, prefix, tokens - prefix)?;
        self.add(path, Op::Concat { axis: 1 }, &[first, rest])
    }

    /// RMS norm whose stored weight is what is added to 1.
    fn centered_norm(&mut self, path: &str, x: Value, epsilon: f64) -> Built {
        let width = self.fixed(x, self.graph.ty(x).rank().saturating_sub(1))?;
        let stored = self.parameter(
            &format!("{path}.weight"),
            vec![Dim::Fixed(width)],
            Init::Zeros,
        );
        let one = self.splat(&format!("{path}.one"), 1.0);
        let weight = self.binary(&format!("{path}.scale"), Binary::Add, &[stored, one])?;
        let kind = NormKind::Rms;
        self.add(path, Op::Norm { kind, epsilon }, &[x, weight])
    }

    /// Rows of a grid's points, after `prefix` rows of zeros. The first half of a row holds sines,
    /// then cosines, of column·base^(−k/(width/4)), the second half the same of the row.
    fn sin_cos(&mut self, path: &str, grid: &[u64], of: [u64; 2], base: f64) -> Built {
        let ([rows, columns], [width, prefix]) = (grid, of) else {
            return Err("a grid has two sizes".to_owned());
        };
        if !width.is_multiple_of(4) {
            return Err(format!(
                "{width} features are no sines and cosines of two directions"
            ));
        }
        let quarter = width / 4;
        let mut table = vec![0.0; (prefix * width) as usize];
        for row in 0..*rows {
            for column in 0..*columns {
                for place in [column, row] {
                    let angles = (0..quarter)
                        .map(|k| place as f64 * base.powf(-(k as f64) / quarter as f64));
                    table.extend(angles.clone().map(f64::sin));
                    table.extend(angles.map(f64::cos));
                }
            }
        }
        let dims = [Dim::Fixed(prefix + rows * columns), Dim::Fixed(width)];
        let ty = Type::new(DType::F32, dims);
        Ok(self
            .graph
            .add_typed(path, Op::Constant(table), vec![ty], &[])
            .into())
    }

    /// Angles position·base^(−2i/D): cosines in the first half of a row, sines in the second.
    fn rotary(&mut self, path: &str, inputs: &[Value], base: f64) -> Built {
        let [x, positions] = inputs[..] else {
            return Err("x and positions are needed".to_owned());
        };
        let width = self.fixed(x, 3)?;
        let rows = self.settings.positions;
        let name = format!("rotary.{base}.{width}");
        let table = match self.graph.find(&name) {
            Some(known) => known.into(),
            None => {
                let half = width / 2;
                let mut table = Vec::with_capacity((rows * width) as usize);
                for position in 0..rows {
                    let angles: Vec<f64> = (0..half)
                        .map(|index| {
                            position as f64 * base.powf(-2.0 * index as f64 / width as f64)
                        })
                        .collect();
                    table.extend(angles.iter().map(|angle| angle.cos()));
                    table.extend(angles.iter().map(|angle| angle.sin()));
                }
                let ty = Type::new(DType::F32, [Dim::Fixed(rows), Dim::Fixed(width)]);
                Value::from(
                    self.graph
                        .add_typed(name, Op::Constant(table), vec![ty], &[]),
                )
            }
        };
        self.add(path, Op::Rotary { inverse: false }, &[x, table, positions])
    }

    /// Window k of n covers [⌊k·in/out⌋, ⌈(k+1)·in/out⌉) in each direction.
    fn pool(&mut self, path: &str, x: Value, grid: &[u64], output: &[u64]) -> Built {
        let ([rows, columns], [rows_out, columns_out]) = (grid, output) else {
            return Err("a grid has two sizes".to_owned());
        };
        if self.fixed(x, 1)? != rows * columns {
            return Err(format!(
                "{} points are no grid of {rows}×{columns}",
                self.fixed(x, 1)?
            ));
        }
        let window = |size: u64, out: u64, index: u64| {
            (index * size / out, ((index + 1) * size).div_ceil(out))
        };
        let mut table = vec![0.0; (rows_out * columns_out * rows * columns) as usize];
        for row_out in 0..*rows_out {
            let (top, bottom) = window(*rows, *rows_out, row_out);
            for column_out in 0..*columns_out {
                let (left, right) = window(*columns, *columns_out, column_out);
                let weight = 1.0 / ((bottom - top) * (right - left)) as f64;
                let first = (row_out * columns_out + column_out) * rows * columns;
                for row in top..bottom {
                    for column in left..right {
                        table[(first + row * columns + column) as usize] = weight;
                    }
                }
            }
        }
        let ty = Type::new(
            DType::F32,
            [
                Dim::Fixed(rows_out * columns_out),
                Dim::Fixed(rows * columns),
            ],
        );
        let table =
            self.graph
                .add_typed(format!("{path}.table"), Op::Constant(table), vec![ty], &[]);
        self.add(
            path,
            Op::MatMul {
                transpose_a: false,
                transpose_b: false,
            },
            &[table.into(), x],
        )
    }

    fn depthwise(&mut self, path: &str, x: Value, grid: &[u64], kernel: u64) -> Built {
        let [rows, columns] = grid[..] else {
            return Err("a grid has two sizes".to_owned());
        };
        let channels = self.fixed(x, 2)?;
        let dims = vec![Dim::Fixed(channels), Dim::Fixed(kernel), Dim::Fixed(kernel)];
        let init = Init::TruncatedNormal(self.settings.init_std as f32);
        let weight = self.parameter(&format!("{path}.weight"), dims, init);
        self.add(
            path,
            Op::DepthwiseConv2d {
                grid: [rows, columns],
                kernel,
                flip: false,
            },
            &[x, weight],
        )
    }
}

/// Typed access to checked attributes.
trait Attributes {
    fn attribute(&self, name: &str) -> Result<&Argument, String>;
    fn size(&self, name: &str) -> Result<u64, String>;
    fn float(&self, name: &str) -> Result<f64, String>;
    fn flag(&self, name: &str) -> Result<bool, String>;
    fn text(&self, name: &str) -> Result<&str, String>;
    fn numbers(&self, name: &str) -> Result<Vec<u64>, String>;
}

impl Attributes for FlatNode {
    fn attribute(&self, name: &str) -> Result<&Argument, String> {
        self.attributes
            .get(name)
            .ok_or_else(|| format!("attribute `{name}` is missing"))
    }

    fn size(&self, name: &str) -> Result<u64, String> {
        match self.attribute(name)? {
            Argument::Int(n) if *n >= 0 => Ok(*n as u64),
            other => Err(format!("`{name} = {other}` is no count")),
        }
    }

    fn float(&self, name: &str) -> Result<f64, String> {
        match self.attribute(name)? {
            Argument::Float(x) => Ok(*x),
            Argument::Int(n) => Ok(*n as f64),
            other => Err(format!("`{name} = {other}` is no number")),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.attribute(name)? {
            Argument::Bool(flag) => Ok(*flag),
            other => Err(format!("`{name} = {other}` is neither true nor false")),
        }
    }

    fn text(&self, name: &str) -> Result<&str, String> {
        match self.attribute(name)? {
            Argument::Text(text) => Ok(text),
            other => Err(format!("`{name} = {other}` is no name")),
        }
    }

    fn numbers(&self, name: &str) -> Result<Vec<u64>, String> {
        let Argument::List(items) = self.attribute(name)? else {
            return Err(format!("`{name}` is no list"));
        };
        items
            .iter()
            .map(|item| match item {
                Argument::Int(n) if *n >= 0 => Ok(*n as u64),
                other => Err(format!("{other} in `{name}` is no count")),
            })
            .collect()
    }
}
