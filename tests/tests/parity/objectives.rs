//! Encoders under objectives of their own against PyTorch (fixtures/objectives): loss and gradients of a
//! batch by the interpreter to 1e-9 and by kernels to 2e-5, the losses of twenty AdamW steps to 1e-3.

use std::collections::BTreeMap;

use mm1_compiler::build::{Purpose, build};
use mm1_compiler::codegen::Backend;
use mm1_compiler::graph::{Graph, InputRole, Op, Value};
use mm1_compiler::interpret::{Tensor, interpret};
use mm1_compiler::passes;
use mm1_dsl::model::Model;
use mm1_runtime::data::Batch;
use mm1_tests::compare::{Tensors, errors, within};
use mm1_tests::fixture::{Fixture, place};
use mm1_tests::programs::{executor, package, read};

use crate::per_backend;
use crate::training::optimizer;

const NAMES: [&str; 2] = ["objectives/contrastive", "objectives/reconstruction"];
const BATCHES: usize = 4;
const STEPS: usize = 20;
const EXACT: f64 = 1e-9;
const TOLERANCE: f64 = 2e-5;
/// Bound on the difference of a loss.
const LOSS: f64 = 1e-3;

/// (fixture, change): a constant or convention other than the reference's.
const CHANGES: [(&str, &str); 7] = [
    (NAMES[0], "encoder.norm_epsilon=1e-4"),
    (NAMES[0], "decoder.activation=\"gelu\""),
    (NAMES[0], "encoder.activation=\"gelu\""),
    (NAMES[1], "objective.target_epsilon=1e-3"),
    (NAMES[1], "objective.normalize_targets=false"),
    (NAMES[1], "connector.norm_epsilon=1e-3"),
    (NAMES[1], "connector.activation=\"gelu-tanh\""),
];

per_backend! {
    kernels_agree_with_pytorch => kernels_agree,
    twenty_losses_follow_pytorch => losses_follow,
}

fn model(name: &str, sets: &[&str]) -> Model {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    mm1_dsl::load(&place(name).with_extension("toml"), &sets)
        .unwrap_or_else(|found| panic!("{name}: {}", found.render(false)))
}

/// Batch `index`; what an objective lacks is empty.
fn batch(fixture: &Fixture, index: usize) -> Batch {
    let find = |name: &str| fixture.tensors.get(&format!("{index}/{name}"));
    let numbers = |name: &str| find(name).map_or(Vec::new(), |it| it.data.clone());
    let i32 = |name: &str| numbers(name).into_iter().map(|x| x as i32).collect();
    let f32 = |name: &str| numbers(name).into_iter().map(|x| x as f32).collect();
    Batch {
        tokens: i32("tokens"),
        positions: i32("positions"),
        segment_begin: i32("segment_begin"),
        visible_end: i32("visible_end"),
        images: f32("images"),
        image_count: find("images").map_or(0, |it| it.dims[0] as usize),
        loss_rows: i32("loss_rows"),
        loss_targets: i32("loss_targets"),
        loss_weights: f32("loss_weights"),
        ..Batch::default()
    }
}

/// The loss and its gradients as a program, before the passes.
fn graph(model: &Model) -> Graph {
    let (fetch, gradients) = (["loss".to_owned()], ["all".to_owned()]);
    let purpose = Purpose::Fetch {
        fetch: &fetch,
        gradients: &gradients,
    };
    let mut built = build(model, purpose).unwrap_or_else(|found| panic!("{found:?}"));
    built.programs.remove(0).graph
}

fn interpreted(graph: &Graph, fixture: &Fixture) -> Tensors {
    let weights = fixture.get("0/loss_weights");
    let total: f64 = weights.data.iter().sum();
    let nodes = graph.nodes().map(|id| graph.node(id));
    let inputs: BTreeMap<String, Tensor> = nodes
        .filter_map(|node| {
            let stored = |name: &str| fixture.get(name).clone();
            let tensor = match (&node.op, node.name.as_str()) {
                (Op::Input(InputRole::Parameter(_)), name) => stored(&format!("weights/{name}")),
                (Op::Input(_), "z_weight") => Tensor::new(Vec::new(), vec![0.0]).unwrap(),
                (Op::Input(_), "pixels") => stored("0/images"),
                (Op::Input(_), "loss_weights") => {
                    let mut shares = weights.clone();
                    shares.data.iter_mut().for_each(|w| *w /= total);
                    shares
                }
                (Op::Input(_), name) => stored(&format!("0/{name}")),
                _ => return None,
            };
            Some((node.name.clone(), tensor))
        })
        .collect();
    let size = |name: &str| fixture.get(&format!("0/{name}")).dims[0];
    let extents = [("images", size("images")), ("loss_rows", size("loss_rows"))];
    let known = |name: &str| graph.extents.iter().any(|extent| extent.name == name);
    let extents = extents.into_iter().filter(|(name, _)| known(name));
    let extents = extents
        .map(|(name, size)| (name.to_owned(), size))
        .collect();
    let wanted: Vec<Value> = graph.outputs.iter().map(|output| output.value).collect();
    let results = interpret(graph, &extents, &inputs, &wanted);
    let results = results.unwrap_or_else(|error| panic!("{error}"));
    let outputs = graph.outputs.iter();
    outputs
        .map(|output| (output.name.clone(), results[&output.value].data.clone()))
        .collect()
}

fn wanted(fixture: &Fixture) -> Tensors {
    let gradients = fixture.under("gradients").into_iter();
    let gradients = gradients.map(|(name, tensor)| (format!("d({name})"), tensor.data.clone()));
    let loss = ("loss".to_owned(), fixture.get("loss").data.clone());
    gradients.chain([loss]).collect()
}

#[test]
fn definitions_agree_with_pytorch() {
    for name in NAMES {
        let (model, fixture) = (model(name, &[]), Fixture::load(name));
        let mut graph = graph(&model);
        let wanted = wanted(&fixture);
        assert!(wanted.len() > 20);
        let worst = within(&interpreted(&graph, &fixture), &wanted, EXACT)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name}: {worst:.1e}");
        passes::run(&mut graph, &model.train, true).unwrap_or_else(|error| panic!("{error}"));
        within(&interpreted(&graph, &fixture), &wanted, EXACT)
            .unwrap_or_else(|error| panic!("{name} after the passes: {error}"));
    }
}

#[test]
fn a_changed_constant_of_an_objective_is_seen() {
    for (name, change) in CHANGES {
        let fixture = Fixture::load(name);
        let found = interpreted(&graph(&model(name, &[change])), &fixture);
        let (tensor, error) = errors(&found, &wanted(&fixture)).swap_remove(0);
        println!("{name}: {change} moves {tensor} by {error:.1e}");
        assert!(error > 10.0 * TOLERANCE, "{name}: {change}: {error:e}");
    }
}

fn kernels_agree(backend: Backend) {
    for name in NAMES {
        let (model, fixture) = (model(name, &[]), Fixture::load(name));
        let mut executor = executor(package(&model, Purpose::All, backend), &fixture, 2);
        let batch = batch(&fixture, 0);
        let weights = batch.weight_sum();
        if name == NAMES[0] {
            executor.write("z_weight", &[0.0f32]).unwrap();
        }
        mm1_runtime::train::write_batch(&mut executor, "accumulate", &batch, weights).unwrap();
        executor.run("accumulate").unwrap();
        let mut found = Tensors::from([("loss".to_owned(), read(&executor, "loss"))]);
        for parameter in fixture.under("weights").into_keys() {
            let gradient = executor.read_gradient(&parameter).unwrap();
            let gradient = gradient.into_iter().map(f64::from).collect();
            found.insert(format!("d({parameter})"), gradient);
        }
        let worst = within(&found, &wanted(&fixture), TOLERANCE)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name}: {worst:.1e}");
        executor.run("evaluate").unwrap();
        let evaluated = read(&executor, "loss")[0];
        assert!((evaluated - found["loss"][0]).abs() < 1e-6, "{name}");
    }
}

/// Largest difference of a loss, and of a weight after the last step.
fn differences(name: &str, sets: &[&str], backend: Backend) -> (f64, f64) {
    let (model, fixture) = (model(name, sets), Fixture::load(name));
    let mut executor = executor(package(&model, Purpose::All, backend), &fixture, 2);
    let optimizer = optimizer(&model);
    let losses = fixture.get("losses");
    assert_eq!(losses.data.len(), STEPS);
    assert!(losses.data[STEPS - 1] < losses.data[0]);
    let mut worst = 0.0f64;
    for (index, loss) in losses.data.iter().enumerate() {
        let step = index as u64 + 1;
        let batches = [batch(&fixture, index % BATCHES)];
        let outcome = optimizer.step(&mut executor, step, step, &batches).unwrap();
        assert!(!outcome.skipped, "step {step} is not finite");
        worst = worst.max((outcome.loss - loss).abs());
    }
    let trained = fixture.under("trained").into_iter().map(|(name, tensor)| {
        let pairs = read(&executor, &name).into_iter().zip(&tensor.data);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    });
    (worst, trained.fold(0.0, f64::max))
}

fn losses_follow(backend: Backend) {
    for name in NAMES {
        let (loss, weight) = differences(name, &[], backend);
        println!("{name}: loss {loss:.1e}, weight {weight:.1e}");
        assert!(loss <= LOSS, "{name}: a loss is off by {loss:e}");
    }
    // The scale is held at its bound, which acts within twenty steps.
    let (_, weight) = differences(NAMES[0], &["objective.largest_scale=100.0"], backend);
    println!("another bound moves a weight by {weight:.1e}");
    assert!(
        weight > LOSS,
        "a bound that does not act would pass, {weight:e}"
    );
}
