//! The program `apply`: from summed gradients to new parameters.
//!
//! AdamW is one op over flat arrays. Adafactor is a few nodes per parameter, from ops that there are:
//! means of squares by row and column, the mean square of the update, and the update. Each of these
//! reads the gradient again through [`Op::After`] instead of keeping what it computes per element, so
//! none of them takes memory of a parameter's size. docs/optimizers.md has the formulas.

use mm1_dsl::model::{Adafactor, Model, Optimizer};
use mm1_package::DType;

use super::layout::{Layout, ParameterSlot};
use crate::graph::{Binary, Dim, Graph, InputRole, NodeId, Op, Type, Unary, Value};

/// Elements of a row in which the squares of an unfactored parameter are summed, at most.
const ROW: u64 = 4096;
/// Narrower rows are not worth a second sum.
const NARROW: u64 = 32;

/// The optimizer of a model over its trained parameters.
pub fn apply_graph(model: &Model, layout: &Layout) -> Graph {
    match model.train.optimizer {
        Optimizer::AdamW {
            beta1,
            beta2,
            epsilon,
        } => adamw(
            model,
            layout,
            Op::AdamW {
                beta1,
                beta2,
                epsilon,
            },
        ),
        Optimizer::Adafactor(keys) => adafactor(model, layout, keys),
    }
}

fn input(graph: &mut Graph, name: &str) -> Value {
    let scalar = vec![Type::scalar(DType::F32)];
    graph
        .add_typed(name, Op::Input(InputRole::Data), scalar, &[])
        .into()
}

fn number(graph: &mut Graph, name: String, value: f64) -> Value {
    let scalar = vec![Type::scalar(DType::F32)];
    graph.add_typed(name, Op::Splat(value), scalar, &[]).into()
}

fn state(graph: &mut Graph, region: &str, name: String, dims: &[u64]) -> NodeId {
    let role = Op::Input(InputRole::State(region.to_owned()));
    let dims: Vec<Dim> = dims.iter().map(|size| Dim::Fixed(*size)).collect();
    graph.add_typed(name, role, vec![Type::new(DType::F32, dims)], &[])
}

/// `value` times the factor of a group or parameter, unless it is 1.
fn scaled(graph: &mut Graph, name: String, value: Value, factor: f64) -> Value {
    if factor == 1.0 {
        return value;
    }
    let factor = number(graph, format!("{name}.factor"), factor);
    graph.add(name, Op::Binary(Binary::Mul), &[value, factor])
}

/// The decay of a group or parameter, if it has one.
fn decay_of(
    graph: &mut Graph,
    name: String,
    decay: Value,
    model: &Model,
    (decays, lr_scale): (bool, f64),
) -> Option<Value> {
    match (decays, model.train.weight_decay_convention.as_str()) {
        (false, _) => None,
        (true, "times-lr") => Some(scaled(graph, name, decay, lr_scale)),
        (true, _) => Some(decay),
    }
}

/// New weights held between bounds.
fn held(graph: &mut Graph, prefix: &str, weights: Value, bounds: Option<[f64; 2]>) -> Value {
    let Some([least, largest]) = bounds else {
        return weights;
    };
    let mut weights = weights;
    for (what, bound, op) in [
        ("least", least, Binary::Max),
        ("largest", largest, Binary::Min),
    ] {
        let bound = number(graph, format!("{prefix}.{what}"), bound);
        let name = format!("{prefix}.{what}.held");
        weights = graph.add(name, Op::Binary(op), &[weights, bound]);
    }
    weights
}

/// AdamW over the flat arrays, one node per group of equal decay and rate.
fn adamw(model: &Model, layout: &Layout, op: Op) -> Graph {
    let mut graph = Graph::default();
    let [lr, scale, decay, correction1, correction2] = [
        "lr",
        "gradient_scale",
        "decay",
        "bias_correction1",
        "bias_correction2",
    ]
    .map(|name| input(&mut graph, name));
    for (index, group) in layout.groups.iter().enumerate() {
        let [w, g, m, v] = ["parameters", "gradients", "moment1", "moment2"].map(|region| {
            let name = format!("{region}.{index}");
            state(&mut graph, region, name, &[group.elements])
        });
        let prefix = format!("group.{index}");
        let rate = scaled(&mut graph, format!("{prefix}.lr"), lr, group.lr_scale);
        let facts = (group.decay, group.lr_scale);
        let decay = decay_of(&mut graph, format!("{prefix}.decay"), decay, model, facts)
            .unwrap_or_else(|| number(&mut graph, format!("{prefix}.no_decay"), 0.0));
        let operands = [
            w.into(),
            g.into(),
            m.into(),
            v.into(),
            rate,
            scale,
            decay,
            correction1,
            correction2,
        ];
        let updated = graph.add(format!("adamw.{index}"), op.clone(), &operands);
        let weights = held(&mut graph, &prefix, updated, group.bounds);
        graph.update(w, weights);
        graph.update(m, updated.sibling(1));
        graph.update(v, updated.sibling(2));
    }
    graph
}

/// Adafactor, parameter by parameter.
fn adafactor(model: &Model, layout: &Layout, keys: Adafactor) -> Graph {
    let mut graph = Graph::default();
    let [lr, scale, decay, share] =
        ["lr", "gradient_scale", "decay", "second_share"].map(|name| input(&mut graph, name));
    let square = Op::Unary(Unary::Square);
    let squared_scale = graph.add("gradient_scale.square", square, &[scale]);
    for slot in layout.parameters.iter().filter(|slot| slot.trained) {
        let prefix = format!("adafactor.{}", slot.name);
        let rate = scaled(&mut graph, format!("{prefix}.lr"), lr, slot.lr_scale);
        let facts = (slot.decay, slot.lr_scale);
        let decay = decay_of(&mut graph, format!("{prefix}.decay"), decay, model, facts);
        let shape = Shape::new(&slot.dims, keys.factor_minimum);
        let w = state(&mut graph, "parameters", slot.name.clone(), &shape.dims);
        let name = format!("gradient.{}", slot.name);
        let g = state(&mut graph, "gradients", name, &shape.dims).into();
        let mut step = Step {
            graph: &mut graph,
            keys,
            slot,
            prefix,
            shape,
            g,
            scale,
            squared_scale,
            share,
        };
        step.add(w, rate, decay);
    }
    graph
}

/// How Adafactor sees a parameter.
struct Shape {
    /// `[L, R, C]` or `[R, C]` where factored, else any split of the elements.
    dims: Vec<u64>,
    factored: bool,
}

impl Shape {
    fn new(dims: &[u64], minimum: u64) -> Self {
        if let [lead @ .., rows, columns] = dims
            && *rows >= minimum
            && *columns >= minimum
        {
            let stacked: u64 = lead.iter().product();
            let mut dims = vec![*rows, *columns];
            if stacked > 1 {
                dims.insert(0, stacked);
            }
            return Self {
                dims,
                factored: true,
            };
        }
        let elements: u64 = dims.iter().product();
        let width = (NARROW..=ROW)
            .rev()
            .find(|width| elements.is_multiple_of(*width));
        let dims = match width {
            Some(width) if elements > ROW => vec![elements / width, width],
            _ => vec![elements],
        };
        Self {
            dims,
            factored: false,
        }
    }

    fn elements(&self) -> f64 {
        self.dims.iter().product::<u64>() as f64
    }
}

/// The step of one parameter in the making.
struct Step<'a> {
    graph: &'a mut Graph,
    keys: Adafactor,
    slot: &'a ParameterSlot,
    prefix: String,
    shape: Shape,
    g: Value,
    scale: Value,
    squared_scale: Value,
    share: Value,
}

/// What the gradient is multiplied by to give the update, but for its size.
enum Spread {
    /// By row `[.., R]` and by column `[.., C]`.
    Factored { rows: Value, columns: Value },
    /// The second moment of every element.
    Whole(Value),
}

impl Step<'_> {
    fn add(&mut self, w: NodeId, rate: Value, decay: Option<Value>) {
        let spread = match self.shape.factored {
            true => self.factored(),
            false => self.whole(),
        };
        let size = self.size(&spread, w.into(), rate);
        let (update, last) = self.update(&spread, size);
        let update = self.momentum(update);
        let mut kept = Value::from(w);
        if let Some(decay) = decay {
            let (held, decay) = (
                self.after("kept", kept, last),
                self.after("decay.kept", decay, last),
            );
            let shrink = self.binary("shrink", Binary::Mul, held, decay);
            kept = self.binary("shrunk", Binary::Sub, kept, shrink);
        }
        let weights = self.binary("weights", Binary::Sub, kept, update);
        let weights = held(self.graph, &self.prefix, weights, self.slot.bounds);
        self.graph.update(w, weights);
    }

    /// Moments of rows and columns; the roots that divide the gradient.
    fn factored(&mut self) -> Spread {
        let rank = self.shape.dims.len();
        let (row_axis, column_axis) = (rank - 2, rank - 1);
        let rows = self.moment_of("rows", self.g, column_axis);
        let again = self.after("gradient.columns", self.g, rows);
        let columns = self.moment_of("columns", again, row_axis);
        let columns = self.unary("columns.root", Unary::Rsqrt, columns);
        let mean = self.sum("rows.sum", rows, &[row_axis]);
        let share = 1.0 / self.shape.dims[row_axis] as f64;
        let mean = self.times("rows.mean", mean, share);
        let root = self.unary("rows.mean.root", Unary::Sqrt, mean);
        let lead = self.shape.dims[..row_axis].to_vec();
        let root = self.view("rows.mean.stretched", root, &[&lead[..], &[1]].concat());
        let rows = self.unary("rows.root", Unary::Rsqrt, rows);
        let rows = self.binary("rows.share", Binary::Mul, rows, root);
        Spread::Factored { rows, columns }
    }

    /// The new mean square along an axis; `gradient` is the gradient as this reader sees it.
    fn moment_of(&mut self, what: &str, gradient: Value, axis: usize) -> Value {
        let length = self.shape.dims[axis] as f64;
        let square = self.unary(&format!("{what}.square"), Unary::Square, gradient);
        let sum = self.sum(&format!("{what}.sum"), square, &[axis]);
        let factor = self.times(&format!("{what}.factor"), self.squared_scale, 1.0 / length);
        let mean = self.binary(&format!("{what}.new"), Binary::Mul, sum, factor);
        let mut dims = self.shape.dims.clone();
        dims.remove(axis);
        let name = format!("moment2.{what}.{}", self.slot.name);
        self.blend(what, name, &dims, mean)
    }

    /// The second moment of every element.
    fn whole(&mut self) -> Spread {
        let square = self.unary("square", Unary::Square, self.g);
        let new = self.binary("new", Binary::Mul, square, self.squared_scale);
        let dims = self.shape.dims.clone();
        let name = format!("moment2.{}", self.slot.name);
        Spread::Whole(self.blend("moment2", name, &dims, new))
    }

    /// state + share·(new + ε − state), which replaces the state.
    fn blend(&mut self, what: &str, state_name: String, dims: &[u64], new: Value) -> Value {
        let old = state(self.graph, "moment2", state_name, dims);
        let epsilon = self.number(&format!("{what}.epsilon"), self.keys.epsilon_square);
        let new = self.binary(&format!("{what}.held"), Binary::Add, new, epsilon);
        let change = self.binary(&format!("{what}.change"), Binary::Sub, new, old.into());
        let change = self.binary(&format!("{what}.share"), Binary::Mul, change, self.share);
        let blended = self.binary(what, Binary::Add, old.into(), change);
        self.graph.update(old, blended);
        blended
    }

    /// rate · gradient scale · the parameter's size / what holds the update within its bound.
    fn size(&mut self, spread: &Spread, w: Value, rate: Value) -> Value {
        let last = self.shape.dims.len() - 1;
        let total = match *spread {
            Spread::Factored { rows, columns } => {
                let gradient = self.after("gradient.size", self.g, rows);
                let columns = self.after("columns.size", columns, rows);
                let columns = self.by_column("columns.size.stretched", columns);
                let shares = self.binary("size.elements", Binary::Mul, gradient, columns);
                let squares = self.unary("size.squares", Unary::Square, shares);
                let sums = self.sum("size.rows", squares, &[last]);
                // Twice, as a row without any gradient has a share whose square is no f32.
                let sums = self.binary("size.rows.once", Binary::Mul, sums, rows);
                let sums = self.binary("size.rows.twice", Binary::Mul, sums, rows);
                self.total("size.sum", sums)
            }
            Spread::Whole(moment) => {
                let gradient = self.after("gradient.size", self.g, moment);
                let squares = self.unary("size.squares", Unary::Square, gradient);
                let shares = self.binary("size.elements", Binary::Div, squares, moment);
                let sums = self.sum("size.rows", shares, &[last]);
                self.total("size.sum", sums)
            }
        };
        let elements = self.shape.elements();
        let factor = self.times("size.factor", self.squared_scale, 1.0 / elements);
        let mean = self.binary("size.mean", Binary::Mul, total, factor);
        let root = self.unary("size", Unary::Sqrt, mean);
        let excess = self.times("excess", root, 1.0 / self.keys.update_clip);
        let one = self.number("excess.least", 1.0);
        let excess = self.binary("excess.held", Binary::Max, excess, one);
        let rate = self.binary("rate.scaled", Binary::Mul, rate, self.scale);
        let rate = self.binary("rate.held", Binary::Div, rate, excess);
        if !self.keys.scale_parameter {
            return rate;
        }
        let squares = self.unary("parameter.squares", Unary::Square, w);
        let sums = self.sum("parameter.rows", squares, &[last]);
        let total = self.total("parameter.sum", sums);
        let mean = self.times("parameter.mean", total, 1.0 / elements);
        let root = self.unary("parameter.size", Unary::Sqrt, mean);
        let least = self.number("parameter.size.least", self.keys.epsilon_scale);
        let size = self.binary("parameter.size.held", Binary::Max, root, least);
        self.binary("rate", Binary::Mul, rate, size)
    }

    /// The update, and what is computed last before it.
    fn update(&mut self, spread: &Spread, size: Value) -> (Value, Value) {
        match *spread {
            Spread::Factored { rows, columns } => {
                let rows = self.binary("rows.update", Binary::Mul, rows, size);
                let gradient = self.after("gradient.update", self.g, rows);
                let columns = self.after("columns.update", columns, rows);
                let columns = self.by_column("columns.update.stretched", columns);
                let mut dims = self.shape.dims.clone();
                if let Some(last) = dims.last_mut() {
                    *last = 1;
                }
                let by_row = self.view("rows.update.stretched", rows, &dims);
                let update = self.binary("update.columns", Binary::Mul, gradient, columns);
                (self.binary("update", Binary::Mul, update, by_row), rows)
            }
            Spread::Whole(moment) => {
                let gradient = self.after("gradient.update", self.g, size);
                let moment = self.after("moment2.update", moment, size);
                let root = self.unary("root", Unary::Rsqrt, moment);
                let update = self.binary("update.elements", Binary::Mul, gradient, root);
                (self.binary("update", Binary::Mul, update, size), size)
            }
        }
    }

    /// m + (1 − β)·(update − m), which replaces m; the update itself without momentum.
    fn momentum(&mut self, update: Value) -> Value {
        if self.keys.momentum == 0.0 {
            return update;
        }
        let name = format!("moment1.{}", self.slot.name);
        let old = state(self.graph, "moment1", name, &self.shape.dims.clone());
        let change = self.binary("moment1.change", Binary::Sub, update, old.into());
        let change = self.times("moment1.share", change, 1.0 - self.keys.momentum);
        let new = self.binary("moment1", Binary::Add, old.into(), change);
        self.graph.update(old, new);
        new
    }

    fn name(&self, what: &str) -> String {
        format!("{}.{what}", self.prefix)
    }

    fn number(&mut self, what: &str, value: f64) -> Value {
        let name = self.name(what);
        number(self.graph, name, value)
    }

    fn times(&mut self, what: &str, x: Value, factor: f64) -> Value {
        let name = self.name(what);
        scaled(self.graph, name, x, factor)
    }

    fn unary(&mut self, what: &str, function: Unary, x: Value) -> Value {
        self.graph.add(self.name(what), Op::Unary(function), &[x])
    }

    fn binary(&mut self, what: &str, function: Binary, a: Value, b: Value) -> Value {
        self.graph
            .add(self.name(what), Op::Binary(function), &[a, b])
    }

    fn sum(&mut self, what: &str, x: Value, axes: &[usize]) -> Value {
        self.graph.add(self.name(what), Op::sum(axes), &[x])
    }

    /// The sum of everything that is left of a sum.
    fn total(&mut self, what: &str, sums: Value) -> Value {
        let axes: Vec<usize> = (0..self.graph.ty(sums).rank()).collect();
        match axes.is_empty() {
            true => sums,
            false => self.sum(what, sums, &axes),
        }
    }

    /// x, read again once `other` is there.
    fn after(&mut self, what: &str, x: Value, other: Value) -> Value {
        self.graph.add(self.name(what), Op::After, &[x, other])
    }

    fn view(&mut self, what: &str, x: Value, dims: &[u64]) -> Value {
        let dims: Vec<Dim> = dims.iter().map(|size| Dim::Fixed(*size)).collect();
        let ty = vec![Type::new(DType::F32, dims)];
        let name = self.name(what);
        self.graph.add_typed(name, Op::Reshape, ty, &[x]).into()
    }

    /// `[.., C]` as `[.., 1, C]`.
    fn by_column(&mut self, what: &str, columns: Value) -> Value {
        let mut dims = self.shape.dims.clone();
        let row_axis = dims.len() - 2;
        dims[row_axis] = 1;
        self.view(what, columns, &dims)
    }
}
