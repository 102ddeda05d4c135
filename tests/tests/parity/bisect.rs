//! Every kernel call on its recorded inputs against the interpreter, and the first wrong one
//! is named.

use std::collections::BTreeMap;

use mm1_compiler::bisect::{Finding, Probe};
use mm1_compiler::codegen::Backend;
use mm1_compiler::compile::Options;
use mm1_compiler::interpret::Tensor;
use mm1_compiler::target::CpuTarget;
use mm1_tests::case::{Case, MODELS};
use mm1_tests::compare::Tensors;
use mm1_tests::programs::{executor, read, run};

use crate::per_backend;

per_backend! {
    every_kernel_agrees => every_kernel_agrees,
    the_first_wrong_call_is_named => the_first_wrong_call_is_named,
}

/// A probe and what its kernels stored.
fn recorded(case: &Case, backend: Backend) -> (Probe, Tensors) {
    let options = Options {
        target: CpuTarget::host().unwrap(),
        backend,
        verify: true,
    };
    let probe = Probe::new(&case.model, &case.parameters(), &options)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let mut executor = executor(probe.package.clone(), &case.fixture, 1);
    let batch = case.fixture.batch("");
    let z_weight = case.model.train.z_loss;
    run(&mut executor, "run", &batch, batch.weight_sum(), z_weight);
    let values = probe
        .outputs()
        .map(|name| (name.to_owned(), read(&executor, name)));
    let values = values.collect();
    (probe, values)
}

/// Inputs as the kernels read them: f32.
fn inputs(case: &Case) -> BTreeMap<String, Tensor> {
    let mut inputs = case.inputs(&case.graph());
    for tensor in inputs.values_mut() {
        let rounded = tensor.data.iter().map(|x| f64::from(*x as f32));
        tensor.data = rounded.collect();
    }
    inputs
}

fn findings(case: &Case, probe: &Probe, values: &Tensors) -> Vec<Finding> {
    let findings = probe.compare(&case.extents(), &inputs(case), values);
    findings.unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

fn every_kernel_agrees(backend: Backend) {
    let mut wrong = Vec::new();
    for (name, precision) in MODELS
        .iter()
        .flat_map(|name| ["f32", "bf16"].map(|precision| (name, precision)))
    {
        let case = Case::load(name, &[&format!("train.precision=\"{precision}\"")]);
        let (probe, values) = recorded(&case, backend);
        let findings = findings(&case, &probe, &values);
        assert!(findings.len() > 50, "{name}: {} values", findings.len());
        let worst = findings.iter().map(|it| it.error).fold(0.0, f64::max);
        println!(
            "{name}, {precision}: {worst:.1e} in {} values",
            findings.len()
        );
        let found = findings.iter().filter(|it| it.is_wrong());
        wrong.extend(found.map(|it| format!("{name}, {precision}: {it:?}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
        let findings = findings(&right, &probe, &values);
        let wrong = findings.iter().find(|it| it.is_wrong()).unwrap();
        println!("{change}: {wrong:?}");
        assert!(wrong.value.starts_with(first), "{change}: {wrong:?}");
    }
}
