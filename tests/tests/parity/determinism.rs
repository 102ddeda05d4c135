//! Same model, same bytes: packages, results on any number of threads, kernels of deeper and of
//! related models.

use std::collections::{BTreeMap, BTreeSet};

use mm1_compiler::build::Purpose;
use mm1_compiler::codegen::Backend;
use mm1_compiler::compile::{Planned, distinct_kernels, plan_model};
use mm1_dsl::model::Model;
use mm1_tests::case::{Case, MODELS};
use mm1_tests::programs::package;

use crate::per_backend;

per_backend! {
    two_compilations_give_the_same_bytes => two_compilations,
    one_and_two_threads_give_the_same_bytes => one_and_two_threads,
}

fn two_compilations(backend: Backend) {
    for name in ["avg-pool", "c-abstractor"] {
        let bytes = || {
            let case = Case::load(name, &["train.precision=\"bf16\""]);
            package(&case.model, Purpose::All, backend).to_bytes()
        };
        assert!(bytes() == bytes(), "{name}: two packages differ");
    }
}

fn one_and_two_threads(backend: Backend) {
    for name in MODELS {
        let case = Case::load(name, &[]);
        let bits = |threads| -> BTreeMap<String, Vec<u64>> {
            let results = case.trained(backend, threads).into_iter();
            results
                .map(|(name, values)| (name, values.iter().map(|x| x.to_bits()).collect()))
                .collect()
        };
        let (one, two) = (bits(1), bits(2));
        for (tensor, values) in &one {
            assert!(two[tensor] == *values, "{name}: {tensor} differs");
        }
    }
}

fn planned(model: &Model) -> Planned {
    plan_model(model, Purpose::All, true).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn deeper_models_have_no_more_kernels() {
    let kernels = |depth: u64| -> BTreeSet<String> {
        let decoder = format!("decoder.depth={depth}");
        let encoder = format!("encoder.depth={depth}");
        let case = Case::load("avg-pool", &[&decoder, &encoder]);
        let kernels = distinct_kernels(&planned(&case.model));
        kernels.iter().map(|kernel| kernel.hash()).collect()
    };
    let (shallow, deep) = (kernels(4), kernels(48));
    println!("{} kernels", shallow.len());
    assert_eq!(shallow.len(), deep.len());
    // The flat arrays of norm and update are longer, all else is the same.
    let other = deep.difference(&shallow).count();
    assert!(other <= 4, "{other} kernels of 48 layers are not those of 4");
}

#[test]
fn variants_that_share_a_decoder_share_its_kernels() {
    let calls = |sets: &[&str]| -> BTreeMap<String, String> {
        let case = Case::load("avg-pool", sets);
        let planned = planned(&case.model);
        let programs = planned.programs.iter();
        let calls = programs.flat_map(|program| {
            let calls = program.fused.calls.iter();
            calls.map(|call| (program.source.name.clone(), call))
        });
        calls
            .filter(|(_, call)| {
                let name = call.name.trim_start_matches("d(");
                name.starts_with("decoder.") || name.starts_with("head.") || name.starts_with("loss")
            })
            .map(|(program, call)| (format!("{program}/{}", call.name), call.kernel.hash()))
            .collect()
    };
    let first = calls(&[]);
    assert!(first.len() > 50, "{} calls", first.len());
    for variant in [
        &["connector.image_tokens=4"][..],
        &["connector.kind=\"attention-pool\"", "connector.image_tokens=4", "connector.heads=2"],
        &["encoder.width=32", "encoder.depth=1"],
    ] {
        let second = calls(variant);
        let differ: Vec<&String> = first
            .keys()
            .chain(second.keys())
            .filter(|name| first.get(*name) != second.get(*name))
            .collect();
        assert!(differ.is_empty(), "{variant:?}: {differ:?}");
    }
    assert_ne!(first, calls(&["decoder.norm_epsilon=1e-6"]));
}
