//! Attributes of operations: what stands in braces behind the operands.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::str::FromStr;

use super::super::table::{BINARY, UNARY};
use super::super::{Init, InputRole, NormKind, Op, Parameter, ReduceKind};

/// One attribute's value.
pub(super) enum Field {
    /// `key`.
    Flag,
    /// `key=1e-5`, `key=word`.
    Scalar(String),
    /// `key=[1, 2]`.
    List(Vec<String>),
    /// `key=normal(0.02)`.
    Call(String, String),
    /// `key="text"`.
    Quoted(String),
}

type Fields = Vec<(&'static str, Field)>;

/// The shortest decimal number that reads back, without a trailing `.0`.
pub(super) fn number(x: impl Debug) -> String {
    let text = format!("{x:?}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Short hash of a constant's bytes.
pub(super) fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_owned()
}

fn scalar(key: &'static str, x: impl Debug) -> (&'static str, Field) {
    (key, Field::Scalar(number(x)))
}

/// A bound that is left out where there is none.
fn cap(softcap: f64) -> Option<(&'static str, Field)> {
    (softcap != 0.0).then(|| scalar("softcap", softcap))
}

fn list(key: &'static str, values: &[impl Debug]) -> (&'static str, Field) {
    (key, Field::List(values.iter().map(number).collect()))
}

fn flags(flags: &[(&'static str, bool)]) -> Fields {
    let set = flags.iter().filter(|(_, set)| *set);
    set.map(|(key, _)| (*key, Field::Flag)).collect()
}

/// Attributes of an op other than a constant.
pub(super) fn of(op: &Op) -> Fields {
    match op {
        Op::Input(InputRole::Parameter(parameter)) => {
            let init = match parameter.init {
                Init::Zeros => Field::Scalar("zeros".to_owned()),
                Init::Ones => Field::Scalar("ones".to_owned()),
                Init::Constant(value) => Field::Call("constant".to_owned(), number(value)),
                Init::Normal(std) => Field::Call("normal".to_owned(), number(std)),
                Init::TruncatedNormal(std) => {
                    Field::Call("truncated_normal".to_owned(), number(std))
                }
            };
            let mut fields = vec![("init", init)];
            fields.extend(flags(&[
                ("trained", parameter.trained),
                ("decay", parameter.decay),
            ]));
            if parameter.lr_scale != 1.0 {
                fields.push(scalar("lr_scale", parameter.lr_scale));
            }
            fields
        }
        Op::Input(InputRole::State(region)) => vec![("region", Field::Quoted(region.clone()))],
        Op::Splat(value) => vec![scalar("value", value)],
        Op::Transpose(permutation) => vec![list("permutation", permutation)],
        Op::Slice { axis, start } => vec![scalar("axis", axis), scalar("start", start)],
        Op::Concat { axis } => vec![scalar("axis", axis)],
        Op::Reduce { axes, .. } => vec![list("axes", axes)],
        Op::MatMul {
            transpose_a,
            transpose_b,
        } => flags(&[("transpose_a", *transpose_a), ("transpose_b", *transpose_b)]),
        Op::TopK { count } => vec![scalar("count", count)],
        Op::SortChoices {
            experts,
            groups,
            capacity,
        } => {
            let mut fields = vec![scalar("experts", experts), scalar("groups", groups)];
            if *capacity != 0 {
                fields.push(scalar("capacity", capacity));
            }
            fields
        }
        Op::GroupedMatMul { transpose_b } => flags(&[("transpose_b", *transpose_b)]),
        Op::Norm { epsilon, .. } => vec![scalar("epsilon", epsilon)],
        Op::Rotary { inverse } => flags(&[("inverse", *inverse)]),
        Op::Attention {
            scale,
            softcap,
            causal,
            begin,
            end,
        }
        | Op::AttentionGrad {
            scale,
            softcap,
            causal,
            begin,
            end,
        } => {
            let mut fields = vec![scalar("scale", scale)];
            fields.extend(cap(*softcap));
            fields.extend(flags(&[
                ("causal", *causal),
                ("begin", *begin),
                ("end", *end),
            ]));
            fields
        }
        Op::DepthwiseConv2d { grid, kernel, flip } => {
            let mut fields = vec![list("grid", grid), scalar("kernel", kernel)];
            fields.extend(flags(&[("flip", *flip)]));
            fields
        }
        Op::DepthwiseConv2dWeightGrad { grid, kernel } => {
            vec![list("grid", grid), scalar("kernel", kernel)]
        }
        Op::LinearCrossEntropy {
            chunk,
            gradient,
            softcap,
        } => {
            let mut fields = vec![scalar("chunk", chunk)];
            fields.extend(flags(&[("gradient", *gradient)]));
            fields.extend(cap(*softcap));
            fields
        }
        Op::AdamW {
            beta1,
            beta2,
            epsilon,
        } => vec![
            scalar("beta1", beta1),
            scalar("beta2", beta2),
            scalar("epsilon", epsilon),
        ],
        Op::Input(InputRole::Data)
        | Op::Constant(_)
        | Op::Reshape
        | Op::Broadcast
        | Op::After
        | Op::GatherRows
        | Op::ScatterAddRows
        | Op::UpdateRows
        | Op::Unary(_)
        | Op::Binary(_)
        | Op::Cast
        | Op::Softmax
        | Op::TakeRows
        | Op::SumRows
        | Op::GroupedMatMulWeightGrad
        | Op::NormInputGrad { .. }
        | Op::NormWeightGrad { .. }
        | Op::CrossEntropy => Vec::new(),
    }
}

/// Attributes as read, taken out one by one.
#[derive(Default)]
pub(super) struct Given(BTreeMap<String, Field>);

impl Given {
    /// Adds one; false if the key is there already.
    pub(super) fn insert(&mut self, key: &str, field: Field) -> bool {
        self.0.insert(key.to_owned(), field).is_none()
    }

    fn scalar<T: FromStr>(&mut self, key: &str) -> Result<T, String> {
        match self.0.remove(key) {
            Some(Field::Scalar(text)) => text
                .parse()
                .map_err(|_| format!("`{text}` is no value of `{key}`")),
            Some(_) => Err(format!("`{key}` needs a number")),
            None => Err(format!("attribute `{key}` is missing")),
        }
    }

    fn list<T: FromStr>(&mut self, key: &str) -> Result<Vec<T>, String> {
        match self.0.remove(key) {
            Some(Field::List(values)) => values
                .iter()
                .map(|text| {
                    text.parse()
                        .map_err(|_| format!("`{text}` is no value of `{key}`"))
                })
                .collect(),
            Some(_) => Err(format!("`{key}` needs a list")),
            None => Err(format!("attribute `{key}` is missing")),
        }
    }

    fn pair(&mut self, key: &str) -> Result<[u64; 2], String> {
        let list = self.list(key)?;
        <[u64; 2]>::try_from(list).map_err(|_| format!("`{key}` needs two numbers"))
    }

    /// A bound that is left out where there is none.
    fn cap(&mut self) -> Result<f64, String> {
        if self.0.contains_key("softcap") {
            self.scalar("softcap")
        } else {
            Ok(0.0)
        }
    }

    fn flag(&mut self, key: &str) -> Result<bool, String> {
        match self.0.remove(key) {
            None => Ok(false),
            Some(Field::Flag) => Ok(true),
            Some(_) => Err(format!("`{key}` is a flag and takes no value")),
        }
    }

    fn parameter(&mut self) -> Result<Parameter, String> {
        let std = |text: &str| {
            let std = text.parse::<f32>();
            std.map_err(|_| format!("`{text}` is no number"))
        };
        let init = match self.0.remove("init") {
            Some(Field::Scalar(word)) if word == "zeros" => Init::Zeros,
            Some(Field::Scalar(word)) if word == "ones" => Init::Ones,
            Some(Field::Call(word, x)) if word == "constant" => Init::Constant(std(&x)?),
            Some(Field::Call(word, x)) if word == "normal" => Init::Normal(std(&x)?),
            Some(Field::Call(word, x)) if word == "truncated_normal" => {
                Init::TruncatedNormal(std(&x)?)
            }
            _ => {
                return Err(
                    "`init` is zeros, ones, constant(X), normal(STD) or truncated_normal(STD)"
                        .to_owned(),
                );
            }
        };
        Ok(Parameter {
            init,
            trained: self.flag("trained")?,
            decay: self.flag("decay")?,
            lr_scale: if self.0.contains_key("lr_scale") {
                self.scalar("lr_scale")?
            } else {
                1.0
            },
        })
    }

    fn constant(&mut self) -> Result<Vec<f64>, String> {
        if self.0.contains_key("values") {
            return self.list("values");
        }
        let wanted: String = self.scalar("hash")?;
        if !self.0.contains_key("bytes") {
            return Err("the constant's bytes were left out for display".to_owned());
        }
        let hex: String = self.scalar("bytes")?;
        let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8);
        let bytes: Vec<u8> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| match *pair {
                [high, low] => Some(digit(high)? * 16 + digit(low)?),
                _ => None,
            })
            .collect::<Option<_>>()
            .filter(|bytes: &Vec<u8>| bytes.len().is_multiple_of(8))
            .ok_or("`bytes` needs sixteen hexadecimal digits per element")?;
        if hash(&bytes) != wanted {
            return Err(format!("the bytes' hash is {}, not {wanted}", hash(&bytes)));
        }
        Ok(bytes
            .chunks_exact(8)
            .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
            .collect())
    }

    /// The op called `name` with these attributes.
    pub(super) fn op(mut self, name: &str) -> Result<Op, String> {
        let norm = match name.split('_').next() {
            Some("layer") => NormKind::Layer,
            _ => NormKind::Rms,
        };
        let op = match name {
            "input" => Op::Input(InputRole::Data),
            "parameter" => Op::Input(InputRole::Parameter(self.parameter()?)),
            "state" => match self.0.remove("region") {
                Some(Field::Quoted(region)) => Op::Input(InputRole::State(region)),
                _ => return Err("`region=\"NAME\"` is missing".to_owned()),
            },
            "constant" => Op::Constant(self.constant()?),
            "splat" => Op::Splat(self.scalar("value")?),
            "reshape" => Op::Reshape,
            "transpose" => Op::Transpose(self.list("permutation")?),
            "slice" => Op::Slice {
                axis: self.scalar("axis")?,
                start: self.scalar("start")?,
            },
            "concat" => Op::Concat {
                axis: self.scalar("axis")?,
            },
            "broadcast" => Op::Broadcast,
            "after" => Op::After,
            "gather_rows" => Op::GatherRows,
            "scatter_add_rows" => Op::ScatterAddRows,
            "update_rows" => Op::UpdateRows,
            "cast" => Op::Cast,
            "reduce_sum" | "reduce_max" => Op::Reduce {
                kind: if name == "reduce_sum" {
                    ReduceKind::Sum
                } else {
                    ReduceKind::Max
                },
                axes: self.list("axes")?,
            },
            "matmul" => Op::MatMul {
                transpose_a: self.flag("transpose_a")?,
                transpose_b: self.flag("transpose_b")?,
            },
            "softmax" => Op::Softmax,
            "top_k" => Op::TopK {
                count: self.scalar("count")?,
            },
            "sort_choices" => Op::SortChoices {
                experts: self.scalar("experts")?,
                groups: self.scalar("groups")?,
                capacity: if self.0.contains_key("capacity") {
                    self.scalar("capacity")?
                } else {
                    0
                },
            },
            "take_rows" => Op::TakeRows,
            "sum_rows" => Op::SumRows,
            "grouped_matmul" => Op::GroupedMatMul {
                transpose_b: self.flag("transpose_b")?,
            },
            "grouped_matmul_weight_grad" => Op::GroupedMatMulWeightGrad,
            "layer_norm" | "rms_norm" => Op::Norm {
                kind: norm,
                epsilon: self.scalar("epsilon")?,
            },
            "layer_norm_input_grad" | "rms_norm_input_grad" => Op::NormInputGrad { kind: norm },
            "layer_norm_weight_grad" | "rms_norm_weight_grad" => Op::NormWeightGrad { kind: norm },
            "rotary" => Op::Rotary {
                inverse: self.flag("inverse")?,
            },
            "attention" => Op::Attention {
                scale: self.scalar("scale")?,
                softcap: self.cap()?,
                causal: self.flag("causal")?,
                begin: self.flag("begin")?,
                end: self.flag("end")?,
            },
            "attention_grad" => Op::AttentionGrad {
                scale: self.scalar("scale")?,
                softcap: self.cap()?,
                causal: self.flag("causal")?,
                begin: self.flag("begin")?,
                end: self.flag("end")?,
            },
            "depthwise_conv2d" => Op::DepthwiseConv2d {
                grid: self.pair("grid")?,
                kernel: self.scalar("kernel")?,
                flip: self.flag("flip")?,
            },
            "depthwise_conv2d_weight_grad" => Op::DepthwiseConv2dWeightGrad {
                grid: self.pair("grid")?,
                kernel: self.scalar("kernel")?,
            },
            "cross_entropy" => Op::CrossEntropy,
            "linear_cross_entropy" => Op::LinearCrossEntropy {
                chunk: self.scalar("chunk")?,
                gradient: self.flag("gradient")?,
                softcap: self.cap()?,
            },
            "adamw" => Op::AdamW {
                beta1: self.scalar("beta1")?,
                beta2: self.scalar("beta2")?,
                epsilon: self.scalar("epsilon")?,
            },
            name => {
                let unary = UNARY.iter().find(|row| row.1 == name);
                let binary = BINARY.iter().find(|row| row.1 == name);
                match (unary, binary) {
                    (Some((f, _)), _) => Op::Unary(*f),
                    (_, Some((f, _))) => Op::Binary(*f),
                    _ => return Err(format!("`{name}` is no operation")),
                }
            }
        };
        match self.0.keys().next() {
            Some(key) => Err(format!("`{name}` has no attribute `{key}`")),
            None => Ok(op),
        }
    }
}
