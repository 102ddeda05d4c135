//! Adafactor against transformers in float64 (fixtures/optimizers): ten steps on given gradients, the
//! program `apply` by the interpreter to 1e-9 and by kernels, of an emulated card too, to 2e-5.

use std::collections::BTreeMap;

use mm1_compiler::build::{Purpose, build};
use mm1_compiler::codegen::Backend;
use mm1_compiler::graph::{Graph, InputRole, Op, Value};
use mm1_compiler::interpret::{Tensor, interpret};
use mm1_compiler::passes;
use mm1_dsl::model::Model;
use mm1_runtime::executor::Executor;
use mm1_runtime::train::Optimizer;
use mm1_tests::compare::{Tensors, errors, within};
use mm1_tests::fixture::{Fixture, place};
use mm1_tests::programs::{executor, package, read};

use crate::per_backend;
use crate::training::optimizer;

const NAME: &str = "optimizers/adafactor";
const STEPS: usize = 10;
const GRADIENTS: usize = 3;
const EXACT: f64 = 1e-9;
const TOLERANCE: f64 = 2e-5;

/// Tensors of the fixture after the last step, and the keys that lead there.
const CASES: [(&str, &[&str]); 2] = [
    ("scaled", &[]),
    (
        "momentum",
        &["train.scale_parameter=false", "train.momentum=0.9"],
    ),
];

/// (case, change): a constant or convention other than the reference's.
const CHANGES: [(usize, &str); 12] = [
    (0, "train.scale_parameter=false"),
    (0, "train.momentum=0.1"),
    (0, "train.decay_exponent=0.79"),
    (0, "train.update_clip=1.1"),
    (0, "train.factor_minimum=17"),
    (0, "train.factor_minimum=128"),
    (0, "train.epsilon_square=1e-4"),
    (0, "train.epsilon_scale=2e-3"),
    (0, "train.weight_decay=0.11"),
    (0, "train.weight_decay_convention=\"independent\""),
    (0, "train.clip_norm=0.0"),
    (1, "train.momentum=0.89"),
];

per_backend! {
    kernels_follow_transformers => kernels_follow,
    threads_change_no_byte_of_a_step => threads_change_nothing,
}

fn model(sets: &[&str]) -> Model {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    mm1_dsl::load(&place(NAME).with_extension("toml"), &sets)
        .unwrap_or_else(|found| panic!("{}", found.render(false)))
}

fn graph(model: &Model) -> Graph {
    let built = build(model, Purpose::All).unwrap_or_else(|found| panic!("{found:?}"));
    let mut programs = built.programs.into_iter();
    let apply = programs.find(|program| program.name == "apply");
    apply.expect("training changes parameters").graph
}

/// Gradients of step `t`, counted from 1, and their norm.
fn gradients(fixture: &Fixture, t: usize) -> (BTreeMap<String, Tensor>, f64) {
    let amplitude = fixture.get("amplitudes").data[t - 1];
    let mut squares = 0.0;
    let set = fixture.under(&format!("gradients/{}", t % GRADIENTS));
    let scaled = set.into_iter().map(|(name, tensor)| {
        let mut tensor = tensor.clone();
        tensor.data.iter_mut().for_each(|x| *x *= amplitude);
        squares += tensor.data.iter().map(|x| x * x).sum::<f64>();
        (name, tensor)
    });
    let gradients = scaled.collect();
    (gradients, squares.sqrt())
}

fn wanted(fixture: &Fixture, case: &str) -> Tensors {
    let tensors = fixture.under(case).into_iter();
    let wanted: Tensors = tensors.map(|(name, it)| (name, it.data.clone())).collect();
    assert_eq!(wanted.len(), 19, "{case}");
    wanted
}

/// Weights after the last step by the definition; inputs of rank 0 come from the optimizer.
fn interpreted(model: &Model, graph: &Graph, fixture: &Fixture) -> Tensors {
    let rule = optimizer(model);
    let names: BTreeMap<String, Value> = graph
        .outputs
        .iter()
        .map(|output| {
            let state = output.replaces.expect("`apply` gives nothing else");
            (graph.node(state).name.clone(), output.value)
        })
        .collect();
    let mut states: BTreeMap<String, Vec<f64>> = fixture
        .under("weights")
        .into_iter()
        .map(|(name, tensor)| (name, tensor.data.clone()))
        .collect();
    for t in 1..=STEPS {
        let (gradients, norm) = gradients(fixture, t);
        let scalars = rule.inputs(t as u64, t as u64, norm);
        let inputs = graph.nodes().filter_map(|id| {
            let node = graph.node(id);
            let dims = graph.bounds(&node.types[0]);
            let elements: u64 = dims.iter().product();
            let data = match &node.op {
                Op::Input(InputRole::Data) => {
                    let found = scalars.iter().find(|(name, _)| *name == node.name);
                    vec![found.expect("the runtime gives it").1]
                }
                Op::Input(_) => match node.name.strip_prefix("gradient.") {
                    Some(name) => gradients[name].data.clone(),
                    None => states
                        .get(&node.name)
                        .cloned()
                        .unwrap_or_else(|| vec![0.0; elements as usize]),
                },
                _ => return None,
            };
            Some((node.name.clone(), Tensor::new(dims, data).unwrap()))
        });
        let inputs = inputs.collect();
        let values: Vec<Value> = names.values().copied().collect();
        let results = interpret(graph, &BTreeMap::new(), &inputs, &values);
        let results = results.unwrap_or_else(|error| panic!("{error}"));
        for (name, value) in &names {
            states.insert(name.clone(), results[value].data.clone());
        }
    }
    states
}

/// Writes the gradients of step `t` and runs `gradient_norm` and `apply`.
fn step(executor: &mut Executor, rule: &Optimizer, fixture: &Fixture, t: usize) {
    let (gradients, _) = gradients(fixture, t);
    for (name, tensor) in gradients {
        let offset = executor.package().tensor(&name).unwrap().slot.offset;
        let values = tensor.data.iter().flat_map(|x| (*x as f32).to_le_bytes());
        let bytes: Vec<u8> = values.collect();
        executor.write_region("gradients", offset, &bytes).unwrap();
    }
    executor.run("gradient_norm").unwrap();
    let norm = read(executor, "gradient_norm_squared")[0].sqrt();
    rule.apply(executor, t as u64, t as u64, norm).unwrap();
}

fn trained(executor: &Executor, names: &Tensors) -> Tensors {
    let names = names.keys();
    names
        .map(|name| (name.clone(), read(executor, name)))
        .collect()
}

#[test]
fn the_definition_follows_transformers() {
    let fixture = Fixture::load(NAME);
    for (case, sets) in CASES {
        let model = model(sets);
        let mut graph = graph(&model);
        let wanted = wanted(&fixture, case);
        let worst = within(&interpreted(&model, &graph, &fixture), &wanted, EXACT)
            .unwrap_or_else(|error| panic!("{case}: {error}"));
        println!("{case}: {worst:.1e}");
        passes::run(&mut graph, &model.train, true).unwrap_or_else(|error| panic!("{error}"));
        within(&interpreted(&model, &graph, &fixture), &wanted, EXACT)
            .unwrap_or_else(|error| panic!("{case} after the passes: {error}"));
    }
}

#[test]
fn a_changed_constant_of_adafactor_is_seen() {
    let fixture = Fixture::load(NAME);
    for (case, change) in CHANGES {
        let (name, sets) = CASES[case];
        let model = model(&[sets, &[change]].concat());
        let found = interpreted(&model, &graph(&model), &fixture);
        let (tensor, error) = errors(&found, &wanted(&fixture, name)).swap_remove(0);
        println!("{name}: {change} moves {tensor} by {error:.1e}");
        assert!(error > 10.0 * TOLERANCE, "{name}: {change}: {error:e}");
    }
}

fn kernels_follow(backend: Backend) {
    follow(&[], |model, fixture| {
        executor(package(model, Purpose::All, backend), fixture, 2)
    });
}

/// Takes the ten steps of each case, its model changed by `more`, on what `start` makes.
fn follow(more: &[&str], start: impl Fn(&Model, &Fixture) -> Executor) {
    let fixture = Fixture::load(NAME);
    for (case, sets) in CASES {
        let model = model(&[sets, more].concat());
        let mut executor = start(&model, &fixture);
        for t in 1..=STEPS {
            step(&mut executor, &optimizer(&model), &fixture, t);
        }
        let wanted = wanted(&fixture, case);
        let worst = within(&trained(&executor, &wanted), &wanted, TOLERANCE)
            .unwrap_or_else(|error| panic!("{case} {more:?}: {error}"));
        println!("{case} {more:?}: {worst:.1e}");
        // What does not train is as it was.
        let frozen = "decoder.norm.weight";
        assert_eq!(
            read(&executor, frozen),
            fixture.get(&format!("weights/{frozen}")).data
        );
    }
}

fn threads_change_nothing(backend: Backend) {
    let fixture = Fixture::load(NAME);
    let model = model(CASES[1].1);
    let package = package(&model, Purpose::All, backend);
    let bytes = [1, 2].map(|threads| {
        let mut executor = executor(package.clone(), &fixture, threads);
        for t in 1..=3 {
            step(&mut executor, &optimizer(&model), &fixture, t);
        }
        ["parameters", "moment1", "moment2"].map(|region| {
            let mut bytes = vec![0; executor.region_bytes(region).unwrap() as usize];
            assert!(!bytes.is_empty());
            executor.read_region(region, 0, &mut bytes).unwrap();
            bytes
        })
    });
    assert!(bytes[0] == bytes[1], "one and two threads differ");
}

/// What a card would run, on the emulator.
#[cfg(feature = "mlir")]
mod card {
    use mm1_compiler::compile::compile;
    use mm1_tests::case::Case;
    use mm1_tests::emulator::Emulator;
    use mm1_tests::programs::{card, executor_on};

    use super::*;

    /// Whole steps of a model: its losses and its weights.
    const WHOLE: usize = 4;
    const PRECISIONS: [&str; 2] = ["train.precision=\"f32\"", "train.precision=\"bf16\""];

    /// A package for any card, or for Hopper's schedules, which cover products of bf16.
    fn emulated(model: &Model, fixture: &Fixture, precision: &str) -> Executor {
        let wgmma = precision == PRECISIONS[1];
        let options = card(if wgmma { "sm_90a" } else { "sm_80" });
        let package = compile(model, Purpose::All, &options)
            .unwrap_or_else(|error| panic!("{}: {error}", model.name));
        let device = Box::new(Emulator::new(mm1_ptx::Options::default()));
        executor_on(device, package, fixture)
    }

    #[test]
    fn kernels_of_a_card_follow_transformers() {
        for precision in PRECISIONS {
            follow(&[precision], |model, fixture| {
                emulated(model, fixture, precision)
            });
        }
    }

    /// Losses of whole steps on the batches of the training fixture, and the weights after them.
    fn steps(model: &Model, mut executor: Executor, names: &[String]) -> (Vec<f64>, Tensors) {
        let curve = Fixture::load("training");
        let rule = optimizer(model);
        let losses = (0..WHOLE).map(|index| {
            let batch = curve.batch(&format!("{}/", index % 2));
            let step = index as u64 + 1;
            let outcome = rule.step(&mut executor, step, step, &[batch]).unwrap();
            assert!(!outcome.skipped, "step {step} is not finite");
            outcome.loss
        });
        let losses = losses.collect();
        let weights = names.iter();
        let weights = weights.map(|name| (name.clone(), read(&executor, name)));
        (losses, weights.collect())
    }

    #[test]
    fn a_card_trains_by_adafactor_as_the_cpu_does() {
        // In bf16 small gradients differ by a large share of their size, and updates with them.
        for (precision, loss, weight) in [(PRECISIONS[0], 1e-4, 1e-3), (PRECISIONS[1], 3e-2, 0.5)] {
            let sets = [
                precision,
                "train.optimizer=\"adafactor\"",
                "train.scale_parameter=false",
                "train.momentum=0.5",
                "train.factor_minimum=8",
                // Gradients that are 0 but for rounding have no sign to go by.
                "train.epsilon_square=1e-10",
                "train.lr=0.003",
                "train.warmup_steps=0",
            ];
            let case = Case::load("avg-pool", &sets);
            let names = case.parameters();
            let cpu = package(&case.model, Purpose::All, Backend::Mlir);
            let cpu = steps(&case.model, executor(cpu, &case.fixture, 2), &names);
            let card = emulated(&case.model, &case.fixture, precision);
            let card = steps(&case.model, card, &names);
            println!("{precision}: {:?} {:?}", cpu.0, card.0);
            // The same batch two updates later.
            assert!(card.0[WHOLE - 1] < card.0[1] - 0.01, "{:?}", card.0);
            for (found, wanted) in card.0.iter().zip(&cpu.0) {
                let error = (found - wanted).abs();
                assert!(error <= loss, "{precision}: {found}, {wanted}");
            }
            let (name, error) = errors(&card.1, &cpu.1).swap_remove(0);
            println!("{precision}: {name} {error:.1e}");
            assert!(error <= weight, "{precision}: {name} is off by {error:e}");
        }
    }
}
