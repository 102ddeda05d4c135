//! Recomputation changes memory and nothing else.

use mm1_compiler::build::Purpose;
use mm1_compiler::codegen::Backend;
use mm1_compiler::compile::{CompileError, PlannedProgram, plan_model};
use mm1_compiler::passes::products_made_again;
use mm1_dsl::codes;
use mm1_tests::case::{Case, MODELS};
use mm1_tests::fixture::Fixture;
use mm1_tests::programs::{executor, package};

use crate::per_backend;
use crate::training::optimizer;

const POLICIES: [&str; 3] = [
    "train.recompute=\"none\"",
    "train.recompute=\"cheap\"",
    "train.recompute=\"products\"",
];

per_backend! {
    gradients_are_the_same_bytes => gradients_are_the_same,
    ten_steps_are_the_same_bytes => ten_steps_are_the_same,
}

fn gradients_are_the_same(backend: Backend) {
    for name in ["avg-pool", "c-abstractor"] {
        for precision in ["train.precision=\"f32\"", "train.precision=\"bf16\""] {
            let results = POLICIES.map(|policy| {
                let case = Case::load(name, &[precision, policy]);
                case.trained(backend, 1)
            });
            assert!(
                results[0].len() > 10,
                "{name}: {} tensors",
                results[0].len()
            );
            for (policy, result) in POLICIES.iter().zip(&results) {
                for (tensor, values) in result {
                    let same = values.len() == results[0][tensor].len()
                        && values
                            .iter()
                            .zip(&results[0][tensor])
                            .all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{name}, {precision}, {policy}: {tensor} differs");
                }
            }
        }
    }
}

/// Bits of ten losses and of the weights after them.
fn steps(backend: Backend, precision: &str, policy: &str) -> (Vec<u64>, Vec<u8>) {
    let case = Case::load("avg-pool", &[precision, policy]);
    let curve = Fixture::load("training");
    let package = package(&case.model, Purpose::All, backend);
    let mut executor = executor(package, &case.fixture, 2);
    let optimizer = optimizer(&case.model);
    let losses = (0..10u64).map(|index| {
        let batch = curve.batch(&format!("{}/", index % 4));
        let step = index + 1;
        let outcome = optimizer.step(&mut executor, step, step, &[batch]).unwrap();
        outcome.loss.to_bits()
    });
    let losses = losses.collect();
    let mut parameters = vec![0; executor.region_bytes("parameters").unwrap() as usize];
    executor
        .read_region("parameters", 0, &mut parameters)
        .unwrap();
    (losses, parameters)
}

fn ten_steps_are_the_same(backend: Backend) {
    for precision in ["train.precision=\"f32\"", "train.precision=\"bf16\""] {
        let kept = steps(backend, precision, POLICIES[0]);
        assert!(kept.0[0] != kept.0[9], "nothing is learnt");
        for policy in &POLICIES[1..] {
            let again = steps(backend, precision, policy);
            assert!(kept.0 == again.0, "{precision}, {policy}: losses differ");
            assert!(kept.1 == again.1, "{precision}, {policy}: weights differ");
        }
    }
}

/// Each policy needs less in training than the one before, and placement costs little over what is live.
#[test]
fn plans_shrink_and_are_tight() {
    for name in MODELS {
        let mut before = u64::MAX;
        for policy in POLICIES {
            // More layers than the fixture has: what is kept outweighs one layer's own needs.
            let sets = [policy, "encoder.depth=6", "decoder.depth=6"];
            let case = Case::load(name, &sets);
            let planned = plan_model(&case.model, Purpose::All, true)
                .unwrap_or_else(|error| panic!("{error}"));
            let mut programs = planned.programs.iter();
            let program = programs.find(|program| program.source.name == "accumulate");
            let plan = &program.unwrap().plan;
            let (arena, live) = (plan.arena_bytes, plan.largest_live_bytes);
            assert!(
                arena as f64 <= 1.1 * live as f64,
                "{name}, {policy}: {arena} bytes for {live}"
            );
            assert!(live < before, "{name}, {policy}: {live} after {before}");
            before = live;
        }
    }
}

/// The training program of a deep model and the products that it makes again.
fn deep(sets: &[&str]) -> Result<(PlannedProgram, usize), CompileError> {
    let deep = ["encoder.depth=48", "decoder.depth=48"];
    let case = Case::load("avg-pool", &[sets, &deep].concat());
    let planned = plan_model(&case.model, Purpose::All, true)?;
    let mut programs = planned.programs.into_iter();
    let program = programs.find(|program| program.source.name == "accumulate");
    let program = program.unwrap();
    let again = products_made_again(&program.source.graph);
    Ok((program, again))
}

#[test]
fn a_budget_makes_as_few_products_again_as_it_takes() {
    let [cheap, all] = [POLICIES[1], POLICIES[2]].map(|policy| deep(&[policy]).unwrap());
    let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
    let [most, least] = [&cheap, &all].map(|(program, _)| mib(program.plan.arena_bytes));
    let budget = ((most + least) / 2.0).ceil() as u64;
    assert!(
        (budget as f64) < most,
        "{least} to {most} MiB leave no room"
    );
    let with = |budget: u64| deep(&[POLICIES[2], &format!("train.arena_mib={budget}")]);
    let (program, again) = with(budget).unwrap();
    assert!(program.plan.arena_bytes <= budget << 20);
    assert!(cheap.1 < again && again < all.1, "{again} of {}", all.1);
    // What fits anyway is kept.
    let (_, none) = with(most.ceil() as u64 + 1).unwrap();
    assert_eq!(none, cheap.1);
    let Err(CompileError::Model(found)) = with(1) else {
        panic!("1 MiB is too little for {least}");
    };
    assert_eq!(found[0].code, codes::BUDGET);
}
