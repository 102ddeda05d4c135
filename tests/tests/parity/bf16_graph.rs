//! Whole models against PyTorch: components, loss, derivative and passes, in f64.
//!
//! Every model of `fixtures/parity` is loaded from its graph file, built, optimised and
//! evaluated by the interpreter. In f32 the loss and the gradient of every parameter agree to
//! 5e-7; under bf16 they stay as near to the exact ones as PyTorch's autocast does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mm1_compiler::build::{Purpose, build};
use mm1_compiler::graph::{DType, Graph, InputRole, Op, Value};
use mm1_compiler::interpret::{Tensor, interpret, interpret_rounded};
use mm1_compiler::passes;
use mm1_dsl::model::Precision;
use safetensors::{Dtype, SafeTensors};

const MODELS: [&str; 5] = [
    "avg-pool",
    "attention-pool",
    "c-abstractor",
    "mlp",
    "packed",
];
/// Constant tables (rotary angles, pooling weights) are f32 in a graph, f64 in the fixture.
const TOLERANCE: f64 = 5e-7;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parity")
}

fn fixture(name: &str) -> BTreeMap<String, Tensor> {
    let bytes = std::fs::read(folder().join(format!("{name}.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, view)| {
            let data = match view.dtype() {
                Dtype::F64 => read(view.data(), f64::from_le_bytes),
                Dtype::F32 => read(view.data(), |b| f32::from_le_bytes(b).into()),
                Dtype::I32 => read(view.data(), |b| i32::from_le_bytes(b).into()),
                other => panic!("{name}: unexpected {other:?}"),
            };
            let dims: Vec<u64> = view.shape().iter().map(|n| *n as u64).collect();
            (name.to_owned(), Tensor::new(dims, data).unwrap())
        })
        .collect()
}

fn read<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    let words = data.chunks_exact(N);
    words.map(|word| number(word.try_into().unwrap())).collect()
}

/// `accumulate` after the passes.
fn accumulate(name: &str, precision: Precision, residual: Precision) -> Graph {
    let path = folder().join(format!("{name}.toml"));
    let model = mm1_dsl::load(&path, &[]).unwrap_or_else(|_| panic!("{name} does not load"));
    let built = build(&model, Purpose::All).unwrap_or_else(|found| panic!("{name}: {found:?}"));
    let mut programs = built.programs.into_iter();
    let mut graph = programs
        .find(|program| program.name == "accumulate")
        .unwrap()
        .graph;
    passes::run(&mut graph, precision, residual, true)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    graph
}

/// Outputs of `accumulate` by name, for the fixture's batch and gradients that start at 0.
fn evaluate(
    graph: &Graph,
    fixture: &BTreeMap<String, Tensor>,
    z_weight: f64,
    round: bool,
) -> BTreeMap<String, Tensor> {
    let extents = BTreeMap::from([
        ("images".to_owned(), fixture["images"].dims[0]),
        ("loss_rows".to_owned(), fixture["loss_rows"].dims[0]),
    ]);
    let mut weights = fixture["loss_weights"].clone();
    let total = fixture["weight_sum"].data[0];
    weights.data.iter_mut().for_each(|w| *w /= total);
    let mut inputs = BTreeMap::from([
        ("pixels".to_owned(), fixture["images"].clone()),
        ("loss_weights".to_owned(), weights),
        (
            "z_weight".to_owned(),
            Tensor::new([], vec![z_weight]).unwrap(),
        ),
    ]);
    for id in graph.nodes() {
        let node = graph.node(id);
        let tensor = match &node.op {
            Op::Input(InputRole::Parameter(_)) => {
                fixture[&format!("weights/{}", node.name)].clone()
            }
            Op::Input(InputRole::State(_)) => {
                let dims: Vec<u64> = node.types[0]
                    .dims
                    .iter()
                    .filter_map(|d| d.fixed())
                    .collect();
                let zeros = vec![0.0; dims.iter().product::<u64>() as usize];
                Tensor::new(dims, zeros).unwrap()
            }
            Op::Input(InputRole::Data) if !inputs.contains_key(&node.name) => {
                fixture[&node.name].clone()
            }
            _ => continue,
        };
        inputs.insert(node.name.clone(), tensor);
    }
    let wanted: Vec<Value> = graph.outputs.iter().map(|output| output.value).collect();
    let evaluate = if round { interpret_rounded } else { interpret };
    let results = evaluate(graph, &extents, &inputs, &wanted).unwrap();
    let named = graph.outputs.iter();
    named
        .map(|output| (output.name.clone(), results[&output.value].clone()))
        .collect()
}

fn z_weight(name: &str) -> f64 {
    let bytes = std::fs::read(folder().join(format!("{name}.safetensors"))).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let config = &header.metadata().as_ref().unwrap()["config"];
    let config: serde_json::Value = serde_json::from_str(config).unwrap();
    config["z_loss"].as_f64().unwrap()
}

/// ‖a − b‖.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.data.len(), b.data.len());
    let squares = a.data.iter().zip(&b.data).map(|(a, b)| (a - b) * (a - b));
    squares.sum::<f64>().sqrt()
}

fn size(a: &Tensor) -> f64 {
    a.data.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[test]
fn losses_and_gradients_agree_with_pytorch() {
    for name in MODELS {
        let graph = accumulate(name, Precision::F32, Precision::F32);
        let fixture = fixture(name);
        let z = z_weight(name);
        let outputs = evaluate(&graph, &fixture, z, false);
        let loss = outputs["loss"].data[0] + z * outputs["z_loss"].data[0];
        let wanted = fixture["loss"].data[0];
        assert!(
            (loss - wanted).abs() < TOLERANCE * wanted,
            "{name}: {loss} {wanted}"
        );
        let mut compared = 0;
        for (key, wanted) in &fixture {
            let Some(parameter) = key.strip_prefix("gradients/") else {
                continue;
            };
            let found = &outputs[&format!("gradient.{parameter}")];
            let error = distance(found, wanted) / size(wanted).max(1e-12);
            assert!(
                error < TOLERANCE,
                "{name}: d({parameter}) differs by {error:e}"
            );
            compared += 1;
        }
        let parameters = graph
            .nodes()
            .filter(|id| matches!(graph.op(*id), Op::Input(InputRole::Parameter(_))));
        assert_eq!(compared, parameters.count(), "{name}");
    }
}

/// Rounding hits one gradient or another, so that single ones may be nearer or farther; over all
/// of them the relative error is about autocast's.
#[test]
fn bf16_stays_as_near_as_autocast() {
    for residual in [Precision::F32, Precision::Bf16] {
        for name in MODELS {
            let graph = accumulate(name, Precision::Bf16, residual);
            assert!(graph.nodes().any(|id| {
                let types = &graph.node(id).types;
                types.iter().any(|ty| ty.dtype == DType::Bf16)
            }));
            let fixture = fixture(name);
            let z = z_weight(name);
            let exact = evaluate(&graph, &fixture, z, false);
            let rounded = evaluate(&graph, &fixture, z, true);
            let (mut ours, mut theirs) = (0.0, 0.0);
            for (key, wanted) in &fixture {
                let Some(parameter) = key.strip_prefix("gradients/") else {
                    continue;
                };
                let output = format!("gradient.{parameter}");
                let error = distance(&exact[&output], wanted) / size(wanted).max(1e-12);
                assert!(
                    error < TOLERANCE,
                    "{name}: casts change d({parameter}) by {error:e}"
                );
                let scale = size(wanted).max(1e-12);
                let error = distance(&rounded[&output], wanted) / scale;
                let autocast = fixture[&format!("bf16_distance/gradients/{parameter}")].data[0];
                ours += error * error;
                theirs += (autocast / scale).powi(2);
            }
            let bound = if residual == Precision::F32 { 1.2 } else { 3.0 };
            assert!(
                ours > 0.0 && ours.sqrt() < bound * f64::sqrt(theirs),
                "{name}"
            );
        }
    }
}
