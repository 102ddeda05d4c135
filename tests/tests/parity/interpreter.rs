//! The definitions themselves: every model of `fixtures/parity`, evaluated by the interpreter
//! without rounding, agrees with PyTorch in float64 to 1e-9, before and after the passes.

use mm1_compiler::passes;
use mm1_tests::case::{Case, MODELS};
use mm1_tests::compare::within;

const TOLERANCE: f64 = 1e-9;

#[test]
fn definitions_agree_with_pytorch_in_float64() {
    for name in MODELS {
        let case = Case::load(name, &[]);
        let graph = case.graph();
        let worst = within(&case.interpreted(&graph), &case.wanted(), TOLERANCE)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name}: {worst:.1e}");
    }
}

#[test]
fn passes_do_not_change_them() {
    for name in MODELS {
        let case = Case::load(name, &[]);
        let mut graph = case.graph();
        let train = &case.model.train;
        passes::run(&mut graph, train, true).unwrap_or_else(|error| panic!("{name}: {error}"));
        let worst = within(&case.interpreted(&graph), &case.wanted(), TOLERANCE)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name}: {worst:.1e}");
    }
}
