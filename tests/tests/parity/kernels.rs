//! Compiled kernels in f32 against PyTorch in float64: hidden states, logits, loss and the
//! gradient of every parameter, for each connector and both code generators.

use mm1_compiler::codegen::Backend;
use mm1_tests::case::{Case, MODELS};
use mm1_tests::compare::{Tensors, errors, within};

use crate::mistakes::{CHANGES, with_windows};
use crate::per_backend;

const TOLERANCE: f64 = 2e-5;

per_backend! {
    fetched_tensors_agree => fetched_tensors_agree,
    programs_of_training_and_generation_agree => programs_agree,
    a_changed_definition_is_seen => a_changed_definition_is_seen,
    a_changed_pooling_window_is_seen => a_changed_window_is_seen,
}

fn fetched_tensors_agree(backend: Backend) {
    each_model(|case| (case.fetched(backend), case.wanted()));
}

fn programs_agree(backend: Backend) {
    each_model(|case| {
        let mut wanted = case.wanted();
        wanted.remove("features");
        wanted.remove("hidden");
        if case.name == "packed" {
            // `prefill` has no segments.
            wanted.remove("logits");
        }
        wanted.insert("evaluated".to_owned(), wanted["loss"].clone());
        (case.trained(backend, 2), wanted)
    });
}

/// Compares all models before it fails, so that a failure shows which ones do.
fn each_model(results: impl Fn(&Case) -> (Tensors, Tensors)) {
    let mut failures = Vec::new();
    for name in MODELS {
        let (found, wanted) = results(&Case::load(name, &[]));
        match within(&found, &wanted, TOLERANCE) {
            Ok(worst) => println!("{name}: {worst:.1e}"),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn a_changed_definition_is_seen(backend: Backend) {
    for (name, change) in CHANGES {
        let case = Case::load(name, &[change]);
        let (tensor, error) = errors(&case.fetched(backend), &case.wanted()).swap_remove(0);
        println!("{name}: {change} moves {tensor} by {error:.1e}");
        assert!(
            error > 10.0 * TOLERANCE,
            "{name}: {change} would pass, {error:e}"
        );
    }
}

fn a_changed_window_is_seen(backend: Backend) {
    let right = with_windows([2, 2, 2]);
    within(&right.fetched(backend), &right.wanted(), TOLERANCE)
        .unwrap_or_else(|error| panic!("{error}"));
    let wrong = with_windows([1, 1, 2]);
    let error = errors(&wrong.fetched(backend), &wrong.wanted()).swap_remove(0);
    assert!(error.1 > 10.0 * TOLERANCE, "{error:?} would pass");
}
