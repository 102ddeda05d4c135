//! Mixtures of experts: what the ops `route`, `dispatch`, `expert-linear` and `combine` of the
//! component language mean, and the losses and reports of all sparse layers.
//!
//! With p the softmax of a token's E logits, its experts are the `top_k` largest; its gates are their
//! p divided by their sum, before anything is dropped. `sort_choices` puts the choices in order of
//! experts; rows are taken in that order, go through the experts as grouped products, are multiplied
//! by their gates and added back by token.
//!
//! Losses, over the tokens of a group that are no padding, then averaged over groups:
//! - load balance: E·Σₑ fₑ·Pₑ with fₑ the share of tokens whose first choice (or the shares of all
//!   choices, added) is e and Pₑ the mean of p;
//! - router z: the mean of (log Σ exp logits)².

use mm1_dsl::model::Moe;
use mm1_package::{DType, Init};

use super::expand::{Built, Expander, Keys};
use crate::graph::{Binary, Dim, Op, Type, Unary, Value};

/// Least sum of a token's chosen probabilities: those of a token have a larger one, and 0 is that of
/// a token that is not there.
const LEAST: f64 = 1e-9;

/// One sparse layer's choice of experts.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Gates `[T, k]`, by which the other ops know it.
    gates: Value,
    /// p `[T, E]`.
    chance: Value,
    /// Log-sum-exp of the logits `[T]`.
    log_sum: Value,
    /// 1 where a token is there, `[T]`.
    present: Value,
    /// 1 where a token's choice is the expert, `[T, k, E]`.
    hits: Value,
    /// Slots, places, tokens, begin, end: results of one node.
    sorted: Value,
    tokens: u64,
    top_k: u64,
    experts: u64,
    /// Groups of tokens.
    groups: u64,
}

/// What all sparse layers give together.
pub struct Losses {
    /// Scalar, without its weight.
    pub load_balance: Value,
    /// Scalar, without its weight.
    pub router_z: Value,
    load: Value,
    dropped: Value,
}

impl Losses {
    /// Names and values of what a program reports.
    pub fn reports(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("load_balance", self.load_balance),
            ("router_z", self.router_z),
            ("expert_load", self.load),
            ("dropped", self.dropped),
        ]
    }
}

fn fixed(sizes: &[u64]) -> Vec<Dim> {
    sizes.iter().map(|size| Dim::Fixed(*size)).collect()
}

impl Expander<'_> {
    /// 1 where a position holds a token or a part of an image, 0 at padding: f32.
    pub fn present(&mut self, tokens: Value, image_rows: Option<Value>) -> Built {
        let minus = self.splat("decoder.nothing", -1.0);
        let mut empty = self.number_is("decoder.no_token", tokens, minus)?;
        if let Some(rows) = image_rows {
            let no_image = self.number_is("decoder.no_image", rows, minus)?;
            empty = self.binary("decoder.empty", Binary::Mul, &[empty, no_image])?;
        }
        let one = self.splat("decoder.something", 1.0);
        self.binary("decoder.present", Binary::Sub, &[one, empty])
    }

    /// 1 where i32 values equal a number.
    fn number_is(&mut self, name: &str, x: Value, number: Value) -> Built {
        let ty = self.graph.ty(x).with_dtype(DType::F32);
        let cast = format!("{name}.number");
        let x = self.graph.add_typed(cast, Op::Cast, vec![ty], &[x]);
        self.binary(name, Binary::Equal, &[x.into(), number])
    }

    fn shaped(&mut self, name: &str, x: Value, sizes: &[u64]) -> Built {
        self.reshape(name, x, fixed(sizes))
    }

    /// Gates `[T, k]` of the logits' rows.
    pub(super) fn route(
        &mut self,
        path: &str,
        inputs: &[Value],
        top_k: u64,
        (factor, by_sequence): (f64, bool),
    ) -> Built {
        let [logits, present] = inputs[..] else {
            return Err("logits and presence are needed".to_owned());
        };
        let logits = self.rows(&format!("{path}.logits"), logits)?;
        let [tokens, experts] = [self.fixed(logits, 0)?, self.fixed(logits, 1)?];
        if top_k > experts {
            return Err(format!("{top_k} of {experts} experts"));
        }
        let present = self.shaped(&format!("{path}.present"), present, &[tokens])?;
        let chance = self.add(&format!("{path}.chance"), Op::Softmax, &[logits])?;
        let choice = self.add(
            &format!("{path}.choice"),
            Op::TopK { count: top_k },
            &[chance, present],
        )?;
        let groups = if by_sequence { self.sequences } else { 1 };
        let size = tokens / groups;
        // What is generated must not depend on what else is generated.
        let capacity = match self.keys {
            Keys::Own if factor > 0.0 => {
                ((size as f64 * factor / experts as f64).floor() as u64).max(1)
            }
            Keys::Own | Keys::Cache { .. } => 0,
        };
        let op = Op::SortChoices {
            experts,
            groups,
            capacity: if capacity >= size { 0 } else { capacity },
        };
        let sorted = self.add(&format!("{path}.sorted"), op, &[choice])?;
        let name = format!("experts.{experts}");
        let numbers = match self.graph.find(&name) {
            Some(known) => known.into(),
            None => {
                let numbers = (0..experts).map(|expert| expert as f64).collect();
                let ty = Type::new(DType::F32, fixed(&[experts]));
                let op = Op::Constant(numbers);
                Value::from(self.graph.add_typed(name, op, vec![ty], &[]))
            }
        };
        let column = format!("{path}.column");
        let column = self.shaped(&column, choice, &[tokens, top_k, 1])?;
        let hits = self.number_is(&format!("{path}.hits"), column, numbers)?;
        let each = self.shaped(&format!("{path}.each"), chance, &[tokens, 1, experts])?;
        let picked = self.binary(&format!("{path}.picked"), Binary::Mul, &[each, hits])?;
        let chosen = self.add(&format!("{path}.chosen"), Op::sum(&[2]), &[picked])?;
        let total = self.add(&format!("{path}.total"), Op::sum(&[1]), &[chosen])?;
        let total = self.shaped(&format!("{path}.totals"), total, &[tokens, 1])?;
        let least = self.splat(&format!("{path}.least"), LEAST);
        let total = self.binary(&format!("{path}.divisor"), Binary::Max, &[total, least])?;
        let gates = self.binary(path, Binary::Div, &[chosen, total])?;
        self.routes.push(Route {
            gates,
            chance,
            log_sum: chance.sibling(1),
            present,
            hits,
            sorted,
            tokens,
            top_k,
            experts,
            groups,
        });
        Ok(gates)
    }

    fn routed(&self, inputs: &[Value]) -> Result<(Value, Route), String> {
        let [x, gates] = inputs[..] else {
            return Err("rows and gates are needed".to_owned());
        };
        let route = self.routes.iter().find(|route| route.gates == gates);
        let route = route.ok_or("the second operand is no result of `route`")?;
        Ok((x, *route))
    }

    /// Rows of tokens in order of experts: `[.., C]` → `[T·k, C]`.
    pub(super) fn dispatch(&mut self, path: &str, inputs: &[Value]) -> Built {
        let (x, route) = self.routed(inputs)?;
        let x = self.rows(&format!("{path}.of"), x)?;
        let of_tokens = route.sorted.sibling(2);
        self.add(path, Op::TakeRows, &[x, of_tokens, route.sorted])
    }

    /// A linear layer of each expert; weight `[E, out, in]`.
    pub(super) fn expert_linear(&mut self, path: &str, inputs: &[Value], out: u64) -> Built {
        let (x, route) = self.routed(inputs)?;
        let width = self.fixed(x, 1)?;
        let init = Init::TruncatedNormal(self.settings.init_std as f32);
        let dims = fixed(&[route.experts, out, width]);
        let weight = self.parameter(&format!("{path}.weight"), dims, init);
        let op = Op::GroupedMatMul { transpose_b: true };
        let ranges = [route.sorted.sibling(3), route.sorted.sibling(4)];
        self.add(path, op, &[x, weight, ranges[0], ranges[1]])
    }

    /// Rows in order of experts, times their gates, added by token: `[T·k, C]` → `[T, C]`.
    pub(super) fn combine(&mut self, path: &str, inputs: &[Value]) -> Built {
        let (x, route) = self.routed(inputs)?;
        let all = route.tokens * route.top_k;
        let gates = self.shaped(&format!("{path}.gates"), route.gates, &[all, 1])?;
        let slots = self.shaped(&format!("{path}.slots"), route.sorted, &[all, 1])?;
        let places = route.sorted.sibling(1);
        let gates = self.add(
            &format!("{path}.gate"),
            Op::TakeRows,
            &[gates, places, slots],
        )?;
        let weighted = self.binary(&format!("{path}.weighted"), Binary::Mul, &[x, gates])?;
        let of_tokens = route.sorted.sibling(2);
        self.add(path, Op::SumRows, &[weighted, route.sorted, of_tokens])
    }

    /// Losses and reports of all sparse layers.
    pub(super) fn expert_losses(&mut self, moe: &Moe) -> Result<Losses, String> {
        let routes = self.routes.clone();
        let Some(first) = routes.first().copied() else {
            return Err("`[decoder.moe]` without a single `route`".to_owned());
        };
        let same = routes.iter().all(|route| {
            (route.experts, route.groups, route.tokens)
                == (first.experts, first.groups, first.tokens)
        });
        if !same {
            return Err("sparse layers differ in tokens or experts".to_owned());
        }
        let (mut shares, mut chances, mut powers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut loads, mut drops) = (Vec::new(), Vec::new());
        for (layer, route) in routes.iter().enumerate() {
            let name = format!("decoder.experts.{layer}");
            let counts = self.counts(&name, route)?;
            shares.push(match moe.load_balance_convention.as_str() {
                "all-choices" => self.add(&format!("{name}.chosen"), Op::sum(&[1]), &[counts])?,
                _ => {
                    let kept = fixed(&[route.groups, 1, route.experts]);
                    let ty = Type::new(DType::F32, kept);
                    let op = Op::Slice { axis: 1, start: 0 };
                    let of_first = format!("{name}.first");
                    let part = self.graph.add_typed(of_first, op, vec![ty], &[counts]);
                    let sizes = [route.groups, route.experts];
                    self.shaped(&format!("{name}.chosen"), part.into(), &sizes)?
                }
            });
            chances.push(self.chances(&name, route)?);
            powers.push(self.powers(&name, route)?);
            let load = self.add(&format!("{name}.load"), Op::sum(&[0, 1]), &[counts])?;
            loads.push(self.shaped(&format!("{name}.loads"), load, &[1, route.experts])?);
            drops.push(self.dropped(&name, route, load)?);
        }
        let divisor = self.divisor(&first)?;
        let balance = self.balance(moe, &first, [&shares, &chances], divisor)?;
        let mut z = self.total("decoder.router_z.sum", &powers)?;
        let everything = self.add("decoder.tokens", Op::sum(&[0]), &[divisor])?;
        z = self.binary("decoder.router_z.mean", Binary::Div, &[z, everything])?;
        let router_z = self.over_layers("decoder.router_z", z, moe, routes.len())?;
        let load = self.add("decoder.expert_load", Op::Concat { axis: 0 }, &loads)?;
        let dropped = self.add("decoder.dropped", Op::Concat { axis: 0 }, &drops)?;
        Ok(Losses {
            load_balance: balance,
            router_z,
            load,
            dropped,
        })
    }

    /// How many tokens of each group chose each expert, by choice: `[G, k, E]`.
    fn counts(&mut self, name: &str, route: &Route) -> Built {
        let size = route.tokens / route.groups;
        let sizes = [route.groups, size, route.top_k, route.experts];
        let hits = self.shaped(&format!("{name}.hits"), route.hits, &sizes)?;
        self.add(&format!("{name}.counts"), Op::sum(&[1]), &[hits])
    }

    /// Σ p over the tokens of each group that are there: `[G, E]`.
    fn chances(&mut self, name: &str, route: &Route) -> Built {
        let column = [route.tokens, 1];
        let present = self.shaped(&format!("{name}.present"), route.present, &column)?;
        let chance = self.binary(
            &format!("{name}.chance"),
            Binary::Mul,
            &[route.chance, present],
        )?;
        let sizes = [route.groups, route.tokens / route.groups, route.experts];
        let chance = self.shaped(&format!("{name}.of_groups"), chance, &sizes)?;
        self.add(&format!("{name}.chances"), Op::sum(&[1]), &[chance])
    }

    /// Σ (log Σ exp)² over the tokens that are there: a scalar.
    fn powers(&mut self, name: &str, route: &Route) -> Built {
        let square = Op::Unary(Unary::Square);
        let square = self.add(&format!("{name}.square"), square, &[route.log_sum])?;
        let square = self.binary(
            &format!("{name}.squares"),
            Binary::Mul,
            &[square, route.present],
        )?;
        self.add(&format!("{name}.power"), Op::sum(&[0]), &[square])
    }

    /// Choices that no expert took: `[1]`.
    fn dropped(&mut self, name: &str, route: &Route, load: Value) -> Built {
        let last = Type::new(DType::I32, fixed(&[1]));
        let start = route.experts - 1;
        let op = Op::Slice { axis: 0, start };
        let end = route.sorted.sibling(4);
        let end = self
            .graph
            .add_typed(format!("{name}.end"), op, vec![last.clone()], &[end]);
        let number = last.with_dtype(DType::F32);
        let taken = self.graph.add_typed(
            format!("{name}.taken"),
            Op::Cast,
            vec![number],
            &[end.into()],
        );
        let all = self.add(&format!("{name}.all"), Op::sum(&[0]), &[load])?;
        let all = self.shaped(&format!("{name}.choices"), all, &[1])?;
        self.binary(
            &format!("{name}.dropped"),
            Binary::Sub,
            &[all, taken.into()],
        )
    }

    /// Tokens of each group, at least 1: `[G]`.
    fn divisor(&mut self, route: &Route) -> Built {
        let sizes = [route.groups, route.tokens / route.groups];
        let present = self.shaped("decoder.groups", route.present, &sizes)?;
        let count = self.add("decoder.group_tokens", Op::sum(&[1]), &[present])?;
        let one = self.splat("decoder.one_token", 1.0);
        self.binary("decoder.group_divisor", Binary::Max, &[count, one])
    }

    fn total(&mut self, name: &str, values: &[Value]) -> Built {
        let mut total = values[0];
        for (index, value) in values.iter().enumerate().skip(1) {
            total = self.binary(&format!("{name}.{index}"), Binary::Add, &[total, *value])?;
        }
        Ok(total)
    }

    /// A sum over layers as the mean over layers, where that is wanted.
    fn over_layers(&mut self, name: &str, x: Value, moe: &Moe, layers: usize) -> Built {
        let factor = match moe.load_balance_layers.as_str() {
            "sum" => 1.0,
            _ => 1.0 / layers as f64,
        };
        let factor = self.splat(&format!("{name}.share"), factor);
        self.binary(name, Binary::Mul, &[x, factor])
    }

    /// E·Σ f·P, mean over groups.
    fn balance(
        &mut self,
        moe: &Moe,
        route: &Route,
        [shares, chances]: [&[Value]; 2],
        divisor: Value,
    ) -> Built {
        let layers = shares.len();
        let square = self.add(
            "decoder.divisor.square",
            Op::Unary(Unary::Square),
            &[divisor],
        )?;
        let of_group = |this: &mut Self, name: &str, share: Value, chance: Value| -> Built {
            let product =
                this.binary(&format!("{name}.products"), Binary::Mul, &[share, chance])?;
            let total = this.add(&format!("{name}.groups"), Op::sum(&[1]), &[product])?;
            let mean = this.binary(&format!("{name}.means"), Binary::Div, &[total, square])?;
            this.add(&format!("{name}.balance"), Op::sum(&[0]), &[mean])
        };
        let scale = route.experts as f64 / route.groups as f64;
        let scale = self.splat("decoder.load_balance.scale", scale);
        if moe.load_balance_layers == "together" {
            let share = self.total("decoder.load_balance.share", shares)?;
            let chance = self.total("decoder.load_balance.chance", chances)?;
            let balance = of_group(self, "decoder.load_balance", share, chance)?;
            // Shares and chances are both of the tokens of all layers.
            let layers = self.splat(
                "decoder.load_balance.layers",
                1.0 / (layers * layers) as f64,
            );
            let balance =
                self.binary("decoder.load_balance.mean", Binary::Mul, &[balance, layers])?;
            return self.binary("decoder.load_balance", Binary::Mul, &[balance, scale]);
        }
        let mut balances = Vec::new();
        for (layer, (share, chance)) in shares.iter().zip(chances).enumerate() {
            let name = format!("decoder.experts.{layer}");
            balances.push(of_group(self, &name, *share, *chance)?);
        }
        let total = self.total("decoder.load_balance.total", &balances)?;
        let total = self.binary("decoder.load_balance.sum", Binary::Mul, &[total, scale])?;
        self.over_layers("decoder.load_balance", total, moe, layers)
    }
}
