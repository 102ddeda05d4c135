//! The interpreter, and the derivatives that autodiff makes, against PyTorch in float64.
//!
//! Every case of `fixtures/ops.safetensors` is built as a graph, differentiated, evaluated
//! without rounding and compared to 1e-9 of the largest element.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mm1_compiler::autodiff::differentiate;
use mm1_compiler::graph::{
    Binary, DType, Dim, Graph, InputRole, NormKind, Op, ReduceKind, Type, Unary, Value,
};
use mm1_compiler::interpret::{Tensor, interpret};
use safetensors::{Dtype, SafeTensors};

const TOLERANCE: f64 = 1e-9;

/// All tensors and the attributes per case.
struct Fixtures {
    tensors: BTreeMap<String, (DType, Tensor)>,
    attributes: BTreeMap<String, serde_json::Value>,
}

impl Fixtures {
    fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ops.safetensors");
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let attributes = header
            .metadata()
            .iter()
            .flatten()
            .filter_map(|(name, json)| Some((name.clone(), serde_json::from_str(json).ok()?)))
            .collect();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file
            .iter()
            .map(|(name, view)| {
                let words = |size: usize| view.data().chunks_exact(size);
                let (dtype, data): (DType, Vec<f64>) = match view.dtype() {
                    Dtype::F64 => {
                        let read = |b: &[u8]| f64::from_le_bytes(b.try_into().unwrap());
                        (DType::F32, words(8).map(read).collect())
                    }
                    Dtype::F32 => {
                        let read = |b: &[u8]| f32::from_le_bytes(b.try_into().unwrap()).into();
                        (DType::F32, words(4).map(read).collect())
                    }
                    Dtype::I32 => {
                        let read = |b: &[u8]| i32::from_le_bytes(b.try_into().unwrap()).into();
                        (DType::I32, words(4).map(read).collect())
                    }
                    other => panic!("{name}: unexpected {other:?}"),
                };
                let dims: Vec<u64> = view.shape().iter().map(|n| *n as u64).collect();
                (name.to_owned(), (dtype, Tensor::new(dims, data).unwrap()))
            })
            .collect();
        Self {
            tensors,
            attributes,
        }
    }

    fn get(&self, case: &str, part: &str) -> &Tensor {
        &self.tensors[&format!("{case}/{part}")].1
    }

    fn attribute(&self, case: &str, key: &str) -> &serde_json::Value {
        &self.attributes[case][key]
    }

    fn number(&self, case: &str, key: &str) -> f64 {
        self.attribute(case, key).as_f64().unwrap()
    }

    fn pair(&self, case: &str, key: &str) -> [u64; 2] {
        let pair = self.attribute(case, key).as_array().unwrap();
        [pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap()]
    }

    /// Tensors of a case under `in`, `out`, `upstream` or `grad`, by their last name.
    fn part(&self, case: &str, part: &str) -> BTreeMap<String, &(DType, Tensor)> {
        let prefix = format!("{case}/{part}/");
        self.tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor)))
            .collect()
    }
}

/// A graph under construction whose inputs have values.
#[derive(Default)]
struct Build {
    graph: Graph,
    inputs: BTreeMap<String, Tensor>,
}

impl Build {
    fn input(&mut self, name: &str, dtype: DType, tensor: &Tensor) -> Value {
        let dims: Vec<Dim> = tensor.dims.iter().map(|n| Dim::Fixed(*n)).collect();
        let ty = Type::new(dtype, dims);
        self.inputs.insert(name.to_owned(), tensor.clone());
        let op = Op::Input(InputRole::Data);
        self.graph.add_typed(name, op, vec![ty], &[]).into()
    }

    fn scalar(&mut self, name: &str, value: f64) -> Value {
        let tensor = Tensor::new([], vec![value]).unwrap();
        self.input(name, DType::F32, &tensor)
    }

    fn reshape(&mut self, x: Value, dims: &[u64]) -> Value {
        let dims: Vec<Dim> = dims.iter().map(|n| Dim::Fixed(*n)).collect();
        let ty = Type::new(DType::F32, dims);
        self.graph
            .add_typed("reshape", Op::Reshape, vec![ty], &[x])
            .into()
    }
}

/// Largest difference as a share of the largest wanted element; equal infinities agree.
fn distance(found: &Tensor, wanted: &Tensor) -> f64 {
    assert_eq!(found.dims, wanted.dims);
    let finite = wanted.data.iter().filter(|x| x.is_finite());
    let scale = finite.fold(1e-30, |m: f64, x| m.max(x.abs()));
    found
        .data
        .iter()
        .zip(&wanted.data)
        .filter(|(a, b)| a != b)
        .map(|(a, b)| (a - b).abs() / scale)
        .fold(0.0, |m, x| if x > m || x.is_nan() { x } else { m })
}

/// Outputs of a case from its inputs, as graph nodes; `None` if the case is no op's.
fn build(
    fixtures: &Fixtures,
    case: &str,
    b: &mut Build,
    inputs: &BTreeMap<String, Value>,
) -> Option<Vec<(&'static str, Value)>> {
    let kind = case.split('-').next()?;
    let unary = match case {
        "gelu" => Some(Unary::Gelu),
        "gelu-tanh" => Some(Unary::GeluTanh),
        "quick-gelu" => Some(Unary::QuickGelu),
        "silu" => Some(Unary::Silu),
        "sigmoid" => Some(Unary::Sigmoid),
        "tanh" => Some(Unary::Tanh),
        "relu" => Some(Unary::Relu),
        _ => None,
    };
    if let Some(unary) = unary {
        return Some(vec![(
            "y",
            b.graph.add("y", Op::Unary(unary), &[inputs["x"]]),
        )]);
    }
    match kind {
        "layer" | "rms" => {
            let epsilon = fixtures.number(case, "epsilon");
            let (kind, names): (_, &[&str]) = if kind == "layer" {
                (NormKind::Layer, &["x", "weight", "bias"])
            } else {
                (NormKind::Rms, &["x", "weight"])
            };
            let operands: Vec<Value> = names.iter().map(|name| inputs[*name]).collect();
            let y = b.graph.add("y", Op::Norm { kind, epsilon }, &operands);
            Some(vec![("y", y)])
        }
        "attention" => {
            let causal = fixtures.attribute(case, "mask") == "causal";
            let mut operands = vec![inputs["q"], inputs["k"], inputs["v"]];
            let (begin, end) = (inputs.get("begin"), inputs.get("end"));
            operands.extend(begin.into_iter().chain(end));
            let op = Op::Attention {
                softcap: 0.0,
                scale: 8f64.powf(-0.5),
                causal,
                begin: begin.is_some(),
                end: end.is_some(),
            };
            let y = b.graph.add("y", op, &operands);
            Some(vec![("y", y), ("log_sum_exp", y.sibling(1))])
        }
        "rotary" => {
            let base = fixtures.number(case, "base");
            let (places, half) = (8192, 4);
            let angle = |p: usize, i: usize| p as f64 * base.powf(-(i as f64) / half as f64);
            let table = (0..places)
                .flat_map(|p| {
                    let cosines = (0..half).map(move |i| angle(p, i).cos());
                    cosines.chain((0..half).map(move |i| angle(p, i).sin()))
                })
                .collect();
            let table = Tensor::new([places as u64, 8], table).unwrap();
            let table = b.input("table", DType::F32, &table);
            let op = Op::Rotary { inverse: false };
            let y = b
                .graph
                .add("y", op, &[inputs["x"], table, inputs["positions"]]);
            Some(vec![("y", y)])
        }
        "depthwise" => {
            let op = Op::DepthwiseConv2d {
                grid: fixtures.pair(case, "grid"),
                kernel: fixtures.attribute(case, "kernel").as_u64().unwrap(),
                flip: false,
            };
            let y = b.graph.add("y", op, &[inputs["x"], inputs["weight"]]);
            Some(vec![("y", y)])
        }
        "pool" => {
            // A contraction with the table of window averages.
            let ([h, w], [oh, ow]) = (
                fixtures.pair(case, "grid"),
                fixtures.pair(case, "output_grid"),
            );
            let share = |size: u64, out: u64, k: u64, i: u64| {
                let (start, end) = (k * size / out, ((k + 1) * size).div_ceil(out));
                if (start..end).contains(&i) {
                    1.0 / (end - start) as f64
                } else {
                    0.0
                }
            };
            let table = (0..oh * ow)
                .flat_map(|o| {
                    (0..h * w)
                        .map(move |i| share(h, oh, o / ow, i / w) * share(w, ow, o % ow, i % w))
                })
                .collect();
            let table = Tensor::new([oh * ow, h * w], table).unwrap();
            let table = b.input("table", DType::F32, &table);
            let op = Op::MatMul {
                transpose_a: false,
                transpose_b: false,
            };
            let y = b.graph.add("y", op, &[table, inputs["x"]]);
            Some(vec![("y", y)])
        }
        "patchify" => {
            let split = b.reshape(inputs["x"], &[2, 3, 2, 2, 3, 2]);
            let op = Op::Transpose(vec![0, 2, 4, 1, 3, 5]);
            let y = b.graph.add("patches", op, &[split]);
            Some(vec![("y", b.reshape(y, &[2, 6, 12]))])
        }
        _ => None,
    }
}

#[test]
fn ops_and_their_derivatives_agree_with_pytorch() {
    let fixtures = Fixtures::load();
    let cases: BTreeSet<&str> = fixtures
        .tensors
        .keys()
        .filter_map(|name| name.split('/').next())
        .collect();
    let mut checked = 0;
    for case in cases {
        let mut b = Build::default();
        let inputs: BTreeMap<String, Value> = fixtures
            .part(case, "in")
            .into_iter()
            .map(|(name, (dtype, tensor))| (name.clone(), b.input(&name, *dtype, tensor)))
            .collect();
        let Some(outputs) = build(&fixtures, case, &mut b, &inputs) else {
            assert!(
                case == "adamw" || case.starts_with("cross-entropy"),
                "case `{case}` is not checked"
            );
            continue;
        };
        let upstream = fixtures.part(case, "upstream");
        let seeds: Vec<(Value, Value)> = outputs
            .iter()
            .filter_map(|(name, value)| {
                let (dtype, tensor) = upstream.get(*name)?;
                Some((*value, b.input(&format!("upstream.{name}"), *dtype, tensor)))
            })
            .collect();
        let gradients = fixtures.part(case, "grad");
        let leaves: Vec<Value> = gradients.keys().map(|name| inputs[name]).collect();
        let found = differentiate(&mut b.graph, &seeds, &leaves).unwrap();
        let mut wanted: Vec<(String, Value, &Tensor)> = Vec::new();
        for (name, value) in &outputs {
            wanted.push((
                (*name).to_owned(),
                *value,
                fixtures.get(case, &format!("out/{name}")),
            ));
        }
        for (name, (_, tensor)) in &gradients {
            wanted.push((format!("d({name})"), found[&inputs[name]], tensor));
        }
        let values: Vec<Value> = wanted.iter().map(|(_, value, _)| *value).collect();
        let results = interpret(&b.graph, &BTreeMap::new(), &b.inputs, &values).unwrap();
        for (name, value, tensor) in wanted {
            let distance = distance(&results[&value], tensor);
            assert!(
                distance < TOLERANCE,
                "{case}: {name} differs by {distance:e}"
            );
            checked += 1;
        }
    }
    assert!(checked > 70, "only {checked} tensors were compared");
}

/// The fixture's loss is the weighted mean, which the op leaves to the weights.
#[test]
fn cross_entropy_agrees_with_pytorch() {
    let fixtures = Fixtures::load();
    for case in ["cross-entropy-z0", "cross-entropy-z0.01"] {
        let z_weight = fixtures.number(case, "z_loss");
        let upstream = fixtures.get(case, "upstream/loss").data[0];
        let mut weights = fixtures.get(case, "in/weights").clone();
        let total: f64 = weights.data.iter().sum();
        weights.data.iter_mut().for_each(|w| *w /= total);

        let mut b = Build::default();
        let x = b.input("x", DType::F32, fixtures.get(case, "in/x"));
        let head = b.input("head", DType::F32, fixtures.get(case, "in/head"));
        let targets = b.input("targets", DType::I32, fixtures.get(case, "in/targets"));
        let weights = b.input("weights", DType::F32, &weights);
        let z = b.scalar("z", z_weight);
        let fused = b.graph.add(
            "fused",
            Op::LinearCrossEntropy {
                softcap: 0.0,
                chunk: 4,
                gradient: true,
            },
            &[x, head, targets, weights, z],
        );
        let op = Op::MatMul {
            transpose_a: false,
            transpose_b: true,
        };
        let logits = b.graph.add("logits", op, &[x, head]);
        let rows = b
            .graph
            .add("ce", Op::CrossEntropy, &[logits, targets, weights, z]);
        let sum = |graph: &mut Graph, value| {
            let kind = ReduceKind::Sum;
            graph.add(
                "sum",
                Op::Reduce {
                    kind,
                    axes: vec![0],
                },
                &[value],
            )
        };
        let row_loss = sum(&mut b.graph, rows);
        let row_z = sum(&mut b.graph, rows.sibling(1));
        let wanted: Vec<Value> = (0..4)
            .map(|result| fused.sibling(result))
            .chain([row_loss, row_z])
            .collect();
        let results = interpret(&b.graph, &BTreeMap::new(), &b.inputs, &wanted).unwrap();
        let loss = &fixtures.get(case, "out/loss").data[0];
        for (ce, z) in [(fused, fused.sibling(1)), (row_loss, row_z)] {
            let total = results[&ce].data[0] + z_weight * results[&z].data[0];
            assert!((total - loss).abs() < TOLERANCE * loss.abs(), "{case}");
        }
        for (result, name) in [(2, "grad/x"), (3, "grad/head")] {
            let mut found = results[&fused.sibling(result)].clone();
            found.data.iter_mut().for_each(|x| *x *= upstream);
            let distance = distance(&found, fixtures.get(case, name));
            assert!(
                distance < TOLERANCE,
                "{case}: {name} differs by {distance:e}"
            );
        }
    }
}

/// Four steps; PyTorch's decay factor is lr·λ.
#[test]
fn adamw_agrees_with_pytorch() {
    let fixtures = Fixtures::load();
    let number = |key| fixtures.number("adamw", key);
    let (beta1, beta2) = (number("beta1"), number("beta2"));
    let mut b = Build::default();
    let w = b.input("w", DType::F32, fixtures.get("adamw", "in/w"));
    let zeros = Tensor::new([3, 5], vec![0.0; 15]).unwrap();
    let names = ["g", "m", "v"];
    let [g, m, v] = names.map(|name| b.input(name, DType::F32, &zeros));
    let scalars = ["lr", "scale", "decay", "c1", "c2"].map(|name| b.scalar(name, 1.0));
    let mut operands = vec![w, g, m, v];
    operands.extend(scalars);
    let step = b.graph.add(
        "step",
        Op::AdamW {
            beta1,
            beta2,
            epsilon: number("epsilon"),
        },
        &operands,
    );
    // The fixture holds the gradients as they arrive; the op scales them by ½ · 2.
    let gradients = fixtures.get("adamw", "in/g");
    let rates = fixtures.attribute("adamw", "lr").as_array().unwrap();
    for (index, rate) in rates.iter().enumerate() {
        let lr = rate.as_f64().unwrap();
        let t = index as i32 + 1;
        let g = gradients.data[index * 15..(index + 1) * 15].iter();
        let half = g.map(|g| g / 2.0).collect();
        b.inputs
            .insert("g".into(), Tensor::new([3, 5], half).unwrap());
        for (name, value) in [
            ("lr", lr),
            ("scale", 2.0),
            ("decay", lr * number("weight_decay")),
            ("c1", 1.0 - beta1.powi(t)),
            ("c2", 1.0 - beta2.powi(t)),
        ] {
            b.inputs
                .insert(name.into(), Tensor::new([], vec![value]).unwrap());
        }
        let wanted = [0, 1, 2].map(|result| step.sibling(result));
        let results = interpret(&b.graph, &BTreeMap::new(), &b.inputs, &wanted).unwrap();
        for (name, value) in ["w", "m", "v"].into_iter().zip(wanted) {
            b.inputs.insert(name.into(), results[&value].clone());
        }
    }
    for name in ["w", "m", "v"] {
        let distance = distance(
            &b.inputs[name],
            fixtures.get("adamw", &format!("out/{name}")),
        );
        assert!(distance < TOLERANCE, "{name} differs by {distance:e}");
    }
}

#[test]
fn reduction_by_maximum_and_pairs() {
    let mut b = Build::default();
    let x = Tensor::new([2, 3], vec![1.0, 5.0, -2.0, -7.0, -1.0, -3.0]).unwrap();
    let y = Tensor::new([3], vec![2.0, -4.0, 0.5]).unwrap();
    let (x, y) = (b.input("x", DType::F32, &x), b.input("y", DType::F32, &y));
    let kind = ReduceKind::Max;
    let largest = b.graph.add(
        "m",
        Op::Reduce {
            kind,
            axes: vec![1],
        },
        &[x],
    );
    let expected: [(Binary, [f64; 6]); 8] = [
        (Binary::Add, [3.0, 1.0, -1.5, -5.0, -5.0, -2.5]),
        (Binary::Sub, [-1.0, 9.0, -2.5, -9.0, 3.0, -3.5]),
        (Binary::Mul, [2.0, -20.0, -1.0, -14.0, 4.0, -1.5]),
        (Binary::Div, [0.5, -1.25, -4.0, -3.5, 0.25, -6.0]),
        (Binary::Max, [2.0, 5.0, 0.5, 2.0, -1.0, 0.5]),
        (Binary::Min, [1.0, -4.0, -2.0, -7.0, -4.0, -3.0]),
        (Binary::Equal, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (Binary::Less, [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]),
    ];
    for (function, wanted) in expected {
        let z = b.graph.add("z", Op::Binary(function), &[x, y]);
        let results = interpret(&b.graph, &BTreeMap::new(), &b.inputs, &[z, largest]).unwrap();
        assert_eq!(results[&z].data, wanted, "{function:?}");
        assert_eq!(results[&largest].data, [5.0, -1.0]);
    }
}
