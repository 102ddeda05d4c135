//! Graphs and kernels under bf16: as near to float64 as 1.5 times PyTorch's autocast.
//!
//! Rounding hits a small tensor or misses it, so logits and large gradients are held to the
//! bound each, and the gradients of fewer elements together (root of the mean squared relative
//! error).

use mm1_compiler::codegen::Backend;
use mm1_compiler::passes;
use mm1_tests::case::{Case, MODELS};
use mm1_tests::compare::{Tensors, distance, norm, within};

use crate::per_backend;

/// Elements of a gradient from which it is compared on its own.
const LARGE: usize = 512;
const BOUND: f64 = 1.5;

per_backend! {
    bf16_is_as_near_as_autocast => bf16_is_as_near_as_autocast,
    a_changed_activation_is_farther => a_changed_activation_is_farther,
}

/// Distance from float64 as a multiple of autocast's, by tensor; `small` pools the small ones.
fn ratios(case: &Case, found: &Tensors) -> Vec<(String, f64)> {
    let (mut small, mut small_autocast) = (0.0, 0.0);
    let mut ratios = Vec::new();
    let wanted = case.wanted();
    let largest = wanted
        .iter()
        .filter(|(name, _)| name.starts_with("d("))
        .map(|(_, values)| norm(values))
        .fold(0.0, f64::max);
    for (key, autocast) in case.fixture.under("bf16_distance") {
        let name = match key.strip_prefix("gradients/") {
            Some(parameter) => format!("d({parameter})"),
            None => key,
        };
        let exact = &wanted[&name];
        let Some(values) = found.get(&name) else {
            // Logits are whole in generation only, which has no packed segments.
            assert_eq!(name, "logits");
            continue;
        };
        let ours = distance(values, exact);
        let autocast = autocast.data[0];
        if name == "logits" || exact.len() >= LARGE {
            ratios.push((name, ours / autocast));
        } else if norm(exact) > 1e-10 * largest {
            small += (ours / norm(exact)).powi(2);
            small_autocast += (autocast / norm(exact)).powi(2);
        }
    }
    ratios.push(("small".to_owned(), f64::sqrt(small / small_autocast)));
    ratios.sort_by(|a, b| b.1.total_cmp(&a.1));
    ratios
}

/// What the casts cost by definition, under either type of the residual stream; without
/// rounding they change nothing.
#[test]
fn the_definition_is_as_near_as_autocast() {
    for (residual, bound) in [("f32", BOUND), ("bf16", 2.0 * BOUND)] {
        for name in MODELS {
            let residual = format!("train.residual=\"{residual}\"");
            let case = Case::load(name, &["train.precision=\"bf16\"", &residual]);
            let mut graph = case.training_graph();
            let train = &case.model.train;
            passes::run(&mut graph, train, true).unwrap();
            let mut wanted = case.wanted();
            wanted.retain(|tensor, _| tensor == "loss" || tensor.starts_with("d("));
            within(&case.interpreted(&graph), &wanted, 1e-9)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let ratios = ratios(&case, &case.rounded(&graph));
            println!("{name}, {residual}: {:?}", ratios[0]);
            assert!(ratios[0].1 <= bound, "{name}, {residual}: {:?}", ratios[0]);
        }
    }
}

fn results(name: &str, sets: &[&str], backend: Backend) -> Vec<(String, f64)> {
    let mut all = vec!["train.precision=\"bf16\""];
    all.extend(sets);
    let case = Case::load(name, &all);
    ratios(&case, &case.trained(backend, 1))
}

fn bf16_is_as_near_as_autocast(backend: Backend) {
    let mut failures = Vec::new();
    for name in MODELS {
        let ratios = results(name, &[], backend);
        println!("{name}: {:?}", &ratios[..3]);
        let far = ratios
            .iter()
            .filter(|(_, ratio)| *ratio > BOUND || ratio.is_nan());
        failures.extend(far.map(|(tensor, ratio)| format!("{name}: {tensor}: {ratio:.2}")));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn a_changed_activation_is_farther(backend: Backend) {
    for (name, change) in [
        ("avg-pool", "decoder.activation=\"gelu\""),
        ("avg-pool", "encoder.norm_epsilon=1e-3"),
        ("mlp", "connector.activation=\"relu\""),
    ] {
        let ratios = results(name, &[change], backend);
        println!("{name}: {change}: {:?}", ratios[0]);
        assert!(ratios[0].1 > BOUND, "{name}: {change} would pass");
    }
}
