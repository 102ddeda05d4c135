//! bf16 copies of weights, which products on Hopper read: same numbers, and never out of date.

use std::collections::BTreeMap;

use mm1_compiler::build::{Purpose, ROUNDED};
use mm1_compiler::compile::{Options, plan_for};
use mm1_compiler::fuse::Home;
use mm1_compiler::graph::{DType, Graph, InputRole, Op};
use mm1_compiler::interpret::{Tensor, interpret_rounded};
use mm1_compiler::kernel::{Expr, StageKind};
use mm1_compiler::passes::{self, optimize};
use mm1_tests::case::{Case, MODELS};
use mm1_tests::programs::card;

const SETS: [&str; 1] = ["train.precision=\"bf16\""];

fn copies(graph: &Graph) -> usize {
    let is_copy = |role: &Op| matches!(role, Op::Input(InputRole::State(it)) if it == ROUNDED);
    graph.nodes().filter(|id| is_copy(graph.op(*id))).count()
}

#[test]
fn copies_change_no_value() {
    for name in MODELS {
        let case = Case::load(name, &SETS);
        let results = [false, true].map(|rounded_weights| -> Vec<Tensor> {
            let mut graph = case.training_graph();
            let options = passes::Options {
                rounded_weights,
                ..passes::Options::of(&case.model.train, true)
            };
            optimize(&mut graph, &options).unwrap();
            assert_eq!(copies(&graph) > 10, rounded_weights, "{name}");
            let mut inputs = case.inputs(&graph);
            for tensor in inputs.values_mut() {
                tensor
                    .data
                    .iter_mut()
                    .for_each(|x| *x = f64::from(*x as f32));
            }
            let wanted: Vec<_> = graph.outputs.iter().map(|it| it.value).collect();
            let found = interpret_rounded(&graph, &case.extents(), &inputs, &wanted).unwrap();
            wanted.iter().map(|value| found[value].clone()).collect()
        });
        let [plain, copied] = results;
        for (plain, copied) in plain.iter().zip(&copied) {
            assert_eq!(plain.data, copied.data, "{name}");
        }
    }
}

#[test]
fn no_product_rounds_a_weight_and_no_other_target_keeps_copies() {
    let case = Case::load(MODELS[0], &SETS);
    let products = |options: &Options| -> BTreeMap<bool, usize> {
        let planned = plan_for(&case.model, Purpose::All, options).unwrap();
        let mut products = BTreeMap::new();
        for program in &planned.programs {
            for call in &program.fused.calls {
                let kernel = &call.kernel;
                let StageKind::Contract {
                    lhs,
                    rhs,
                    operands: DType::Bf16,
                    ..
                } = &kernel.stages[0].kind
                else {
                    continue;
                };
                let rounds = [lhs, rhs].into_iter().any(|expr| {
                    let Expr::Round(inner) = kernel.expr_of(*expr) else {
                        return false;
                    };
                    let Expr::Load { buffer, .. } = kernel.expr_of(*inner) else {
                        return false;
                    };
                    let key = call.args[buffer.0 as usize].0;
                    let home = program.fused.buffers[key.0 as usize].home;
                    matches!(home, Home::Source(node)
                        if matches!(program.source.graph.op(node), Op::Input(InputRole::Parameter(_))))
                });
                *products.entry(rounds).or_default() += 1;
            }
        }
        let names = planned.programs.iter().map(|it| it.source.name.as_str());
        let rounds = names.filter(|name| *name == "round_weights").count();
        assert_eq!(rounds == 1, !products.contains_key(&true));
        products
    };
    let copied = products(&card("sm_90a"));
    assert!(copied[&false] > 30 && copied.len() == 1, "{copied:?}");
    let rounded = products(&card("sm_80"));
    assert!(rounded[&true] > 20, "{rounded:?}");
}

/// What the pass removes and adds must not put off kernels: a weight's gradient stands beside that of its input.
#[test]
fn copies_leave_the_order_of_kernels() {
    for recompute in ["none", "products"] {
        let recompute = format!("train.recompute=\"{recompute}\"");
        let case = Case::load(MODELS[0], &[SETS[0], &recompute]);
        let arena = |target: &str| {
            let planned = plan_for(&case.model, Purpose::All, &card(target)).unwrap();
            let mut programs = planned.programs.into_iter();
            let program = programs.find(|it| it.source.name == "accumulate").unwrap();
            let names: Vec<&str> = program.fused.calls.iter().map(|it| &it.name[..]).collect();
            let place = |name: &str| names.iter().position(|it| *it == name);
            let mut pairs = 0;
            for name in names.iter().filter(|it| it.ends_with(".product).b")) {
                let of_input = name.replace(".product).b", ".product).a");
                if let Some(input) = place(&of_input) {
                    let apart = place(name).unwrap().abs_diff(input);
                    assert!(apart <= 3, "{name} is {apart} kernels from {of_input}");
                    pairs += 1;
                }
            }
            assert!(pairs > 10, "{pairs}");
            program.plan.arena_bytes
        };
        assert_eq!(arena("sm_90a"), arena("sm_80"), "{recompute}");
    }
}

/// Also where a parameter has bounds (the scale of a contrastive objective) and where no program generates.
#[test]
fn a_step_rounds_what_it_stores() {
    let mut bounded = 0;
    for name in [
        MODELS[0],
        "objectives/contrastive",
        "references/mixtral",
        "optimizers/adafactor",
    ] {
        let case = Case::load(name, &SETS);
        let planned = plan_for(&case.model, Purpose::All, &card("sm_90a")).unwrap();
        let names = planned.programs.iter().map(|it| it.source.name.as_str());
        assert_eq!(names.filter(|name| *name == "round_weights").count(), 1);
        let program = |name: &str| -> &Graph {
            let mut all = planned.programs.iter();
            &all.find(|it| it.source.name == name).unwrap().source.graph
        };
        assert!(copies(program("accumulate")) > 5, "{name}");
        let apply = program("apply");
        let stored = |name: &str| {
            let mut outputs = apply.outputs.iter();
            outputs.find(|it| it.name == name).unwrap().value
        };
        let mut rounded = 0;
        for output in &apply.outputs {
            let replaced = apply.op(output.replaces.unwrap());
            if !matches!(replaced, Op::Input(InputRole::State(it)) if it == "parameters") {
                continue;
            }
            let copy = stored(&format!("{ROUNDED}.{}", output.name));
            assert_eq!(*apply.op(copy.node), Op::Cast, "{name}");
            assert_eq!(apply.operands(copy.node), [output.value], "{name}");
            rounded += 1;
        }
        assert_eq!(copies(apply), rounded, "{name}");
        let groups = &planned.built.layout.groups;
        assert!(rounded >= groups.len() && rounded > 0, "{name}");
        bounded += groups.iter().filter(|it| it.bounds.is_some()).count();
    }
    assert!(bounded > 0);
}

#[cfg(feature = "mlir")]
#[test]
fn copies_follow_what_the_host_and_the_optimizer_write() {
    use mm1_compiler::compile::compile;
    use mm1_package::Region;
    use mm1_runtime::executor::Executor;
    use mm1_tests::emulator::Emulator;
    use mm1_tests::fixture::Fixture;
    use mm1_tests::programs::{executor_on, run};

    fn bytes(executor: &Executor, region: &str) -> Vec<u8> {
        let mut bytes = vec![0; executor.region_bytes(region).unwrap() as usize];
        executor.read_region(region, 0, &mut bytes).unwrap();
        bytes
    }

    /// Whether every copy is its parameter, rounded.
    fn agree(executor: &Executor) -> bool {
        let parameters = bytes(executor, "parameters");
        let wanted = parameters.chunks(4).flat_map(|x| {
            let x = f32::from_le_bytes(x.try_into().unwrap());
            half::bf16::from_f32(x).to_le_bytes()
        });
        let copies = bytes(executor, ROUNDED);
        assert_eq!(copies.len() * 2, parameters.len());
        copies.into_iter().eq(wanted)
    }

    let sets = [SETS[0], "train.freeze=[\"encoder.patch.*\"]"];
    let case = Case::load("avg-pool", &sets);
    let package = compile(&case.model, Purpose::All, &card("sm_90a")).unwrap();
    // A package whose optimizer stores its copies where nothing reads them.
    let mut wrong = package.clone();
    let rounded = package.region(ROUNDED).unwrap();
    wrong.regions.push(Region {
        name: "elsewhere".to_owned(),
        bytes: package.regions[rounded as usize].bytes,
    });
    let programs = wrong.programs.iter_mut();
    let apply = programs.filter(|program| program.name == "apply");
    let slots = apply.flat_map(|program| program.launches.iter_mut().flat_map(|it| &mut it.args));
    let moved = slots.filter(|slot| slot.region == rounded).map(|slot| {
        slot.region = package.regions.len() as u32;
    });
    assert!(moved.count() > 0);
    let device = Box::new(Emulator::new(mm1_ptx::Options::default()));
    let mut executor = executor_on(device, package, &case.fixture);
    assert!(!agree(&executor));
    let batch = case.fixture.batch("");
    run(&mut executor, "evaluate", &batch, batch.weight_sum(), 0.0);
    assert!(agree(&executor));
    let before = bytes(&executor, ROUNDED);
    let curve = Fixture::load("training");
    let optimizer = crate::training::optimizer(&case.model);
    let batches = [curve.batch("0/")];
    let outcome = optimizer.step(&mut executor, 20, 1, &batches).unwrap();
    assert!(!outcome.skipped && outcome.lr > 0.0);
    assert!(bytes(&executor, ROUNDED) != before && agree(&executor));
    let device = Box::new(Emulator::new(mm1_ptx::Options::default()));
    let mut stale = executor_on(device, wrong, &case.fixture);
    run(&mut stale, "evaluate", &batch, batch.weight_sum(), 0.0);
    assert!(agree(&stale));
    optimizer.step(&mut stale, 20, 1, &batches).unwrap();
    assert!(!agree(&stale), "copies that no step stores are noticed");
    // A checkpoint comes as bytes of the region, a weight file by tensors.
    let other: Vec<u8> = bytes(&executor, "parameters")
        .chunks(4)
        .flat_map(|x| (0.5 * f32::from_le_bytes(x.try_into().unwrap())).to_le_bytes())
        .collect();
    executor.write_region("parameters", 0, &other).unwrap();
    assert!(!agree(&executor));
    run(&mut executor, "evaluate", &batch, batch.weight_sum(), 0.0);
    assert!(agree(&executor));
    let name = case.parameters().remove(0);
    let value: Vec<f32> = executor.read_f32(&name).unwrap();
    let changed: Vec<f32> = value.iter().map(|x| x + 1.0).collect();
    executor.write(&name, &changed).unwrap();
    executor.run("encode_images").unwrap();
    assert!(agree(&executor));
}
