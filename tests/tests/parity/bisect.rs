//! Every kernel call on its recorded inputs against the interpreter, and the first wrong one
//! is named.

use std::collections::BTreeMap;

use mm1_compiler::bisect::Probe;
use mm1_compiler::codegen::Backend;
use mm1_compiler::graph::Graph;
use mm1_compiler::interpret::{Check, Tensor, replay};
use mm1_runtime::executor::Executor;
use mm1_tests::case::{Case, MODELS};
use mm1_tests::programs::{executor, host, run};

use crate::per_backend;

/// Mixtures of experts: with padding and dropped choices, and with neither.
const EXPERTS: [&str; 2] = ["references/gshard", "references/mixtral"];

/// The kernels that a card would run, on the emulator.
#[cfg(feature = "mlir")]
#[test]
fn every_kernel_of_a_card_agrees() {
    use mm1_tests::emulator::Emulator;
    use mm1_tests::programs::{card, executor_on};
    let mut wrong = Vec::new();
    for (name, precision) in MODELS
        .iter()
        .chain(&EXPERTS)
        .flat_map(|name| ["f32", "bf16"].map(|precision| (name, precision)))
    {
        let case = Case::load(name, &[&format!("train.precision=\"{precision}\"")]);
        // Hopper's schedules cover products of bf16; f32 runs on any card.
        let wgmma = precision == "bf16";
        let options = card(if wgmma { "sm_90a" } else { "sm_80" });
        let probe = Probe::new(&case.model, &case.parameters(), &options).unwrap();
        if wgmma && case.model.vision.is_some() {
            // Forward, dQ, dK with dV of encoder and decoder, by bulk copies.
            let kernels = probe.package.kernels.iter();
            let copied = |gpu: &mm1_package::GpuKernel| !gpu.tensor_maps.is_empty();
            let fast = kernels.filter(|kernel| {
                kernel.name.starts_with("attention") && kernel.gpu.as_ref().is_some_and(copied)
            });
            assert!(fast.count() >= 6, "{name}: attention by teams");
        }
        let device = Box::new(Emulator::new(mm1_ptx::Options::default()));
        let executor = executor_on(device, probe.package.clone(), &case.fixture);
        let values = outputs(&case, &probe, executor);
        wrong.extend(faults(&case, precision, &probe, &values));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

per_backend! {
    every_kernel_agrees => every_kernel_agrees,
    the_first_wrong_call_is_named => the_first_wrong_call_is_named,
}

/// A probe and what its kernels stored.
fn recorded(case: &Case, backend: Backend) -> (Probe, BTreeMap<String, Vec<f32>>) {
    let probe = Probe::new(&case.model, &case.parameters(), &host(backend))
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let executor = executor(probe.package.clone(), &case.fixture, 1);
    let values = outputs(case, &probe, executor);
    (probe, values)
}

/// All outputs of a probe after it ran on the fixture's batch.
fn outputs(case: &Case, probe: &Probe, mut executor: Executor) -> BTreeMap<String, Vec<f32>> {
    let batch = case.fixture.batch("");
    let z_weight = case.model.train.z_loss;
    case.weigh_experts(&mut executor);
    run(&mut executor, "run", &batch, batch.weight_sum(), z_weight);
    let outputs = probe.graph.outputs.iter();
    outputs
        .map(|output| {
            (
                output.name.clone(),
                executor.read_f32(&output.name).unwrap(),
            )
        })
        .collect()
}

/// Inputs as the kernels read them: f32.
fn inputs(case: &Case, graph: &Graph) -> BTreeMap<String, Tensor> {
    let mut inputs = case.inputs(graph);
    for tensor in inputs.values_mut() {
        let rounded = tensor.data.iter().map(|x| f64::from(*x as f32));
        tensor.data = rounded.collect();
    }
    inputs
}

fn checks(case: &Case, probe: &Probe, values: &BTreeMap<String, Vec<f32>>) -> Vec<Check> {
    let checks = replay(
        &probe.graph,
        &case.extents(),
        &inputs(case, &probe.graph),
        values,
    );
    checks.unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

fn every_kernel_agrees(backend: Backend) {
    let mut wrong = Vec::new();
    for (name, precision) in MODELS
        .iter()
        .chain(&EXPERTS)
        .flat_map(|name| ["f32", "bf16"].map(|precision| (name, precision)))
    {
        let case = Case::load(name, &[&format!("train.precision=\"{precision}\"")]);
        let (probe, values) = recorded(&case, backend);
        wrong.extend(faults(&case, precision, &probe, &values));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Values that are not within their tolerance.
fn faults(
    case: &Case,
    precision: &str,
    probe: &Probe,
    values: &BTreeMap<String, Vec<f32>>,
) -> Vec<String> {
    let name = &case.name;
    let checks = checks(case, probe, values);
    assert!(checks.len() > 100, "{name}: {} values", checks.len());
    let shares = checks.iter().map(|it| it.error / it.tolerance);
    let worst = shares.fold(0.0, f64::max);
    println!(
        "{name}, {precision}: {worst:.2} of the tolerance in {} values",
        checks.len()
    );
    let found = checks.iter().filter(|it| !it.passes());
    let found = found.map(|it| {
        format!(
            "{name}, {precision}: {it:?} {:?}",
            probe.calls.get(&it.name)
        )
    });
    found.collect()
}

fn the_first_wrong_call_is_named(backend: Backend) {
    let right = Case::load("avg-pool", &[]);
    let (probe, _) = recorded(&right, backend);
    // The kernels of a model with another definition stand for a wrong compiler.
    for (change, first) in [
        ("encoder.norm_epsilon=1e-6", "encoder.norm_pre"),
        ("encoder.activation=\"quick-gelu\"", "encoder.blocks.0.mlp."),
        ("decoder.norm_epsilon=1e-6", "decoder.blocks.0.norm_1"),
    ] {
        let (_, values) = recorded(&Case::load("avg-pool", &[change]), backend);
        let checks = checks(&right, &probe, &values);
        let wrong = checks.iter().find(|it| !it.passes()).unwrap();
        println!("{change}: {}", probe.calls[&wrong.name]);
        assert!(wrong.name.starts_with(first), "{change}: {wrong:?}");
    }
}
