//! Passes: graph to graph, meaning kept.
//!
//! [`PASSES`] is the whole order, flat, each with its reason. A pass is one file and one
//! function; it may leave nodes that nothing reads, which [`drop_dead_code`] takes away. Inputs
//! and outputs are a program's interface and stay, with their types.

mod assign_precision;
mod choose_recomputation;
mod drop_dead_code;
mod fold_constants;
mod merge_duplicates;
mod read_rounded_weights;
mod simplify;

pub use assign_precision::assign_precision;
pub use choose_recomputation::{choose_recomputation, is_recomputed, products_made_again};
pub use drop_dead_code::drop_dead_code;
pub use fold_constants::fold_constants;
pub use merge_duplicates::merge_duplicates;
pub use read_rounded_weights::read_rounded_weights;
pub use simplify::simplify;

use mm1_dsl::model::{Precision, Recompute, Train};

use crate::graph::verify::verify;
use crate::graph::{DType, Graph};

/// What the caller decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Contractions in bf16, with this element type of the residual stream; `None` keeps f32.
    pub mixed_precision: Option<DType>,
    /// Whether products read the bf16 copies of weights that a target keeps.
    pub rounded_weights: bool,
    /// What the backward pass makes again.
    pub recompute: Recompute,
    /// How many products it makes again at most.
    pub most_products: usize,
    /// Verify the graph before the first pass and after each.
    pub verify: bool,
}

/// One step of the order.
pub struct Pass {
    /// Its function's name.
    pub name: &'static str,
    /// Why it stands where it stands.
    pub why: &'static str,
    run: fn(&mut Graph, &Options),
}

impl Pass {
    /// Runs this pass alone.
    pub fn run(&self, graph: &mut Graph, options: &Options) {
        (self.run)(graph, options);
    }
}

/// All passes in order.
pub const PASSES: &[Pass] = &[
    Pass {
        name: "fold_constants",
        why: "before simplify, because a neutral element may first appear as a sum of constants",
        run: |graph, _| fold_constants(graph),
    },
    Pass {
        name: "simplify",
        why: "before merge_duplicates, because shorter chains compare equal",
        run: |graph, _| simplify(graph),
    },
    Pass {
        name: "merge_duplicates",
        why: "before drop_dead_code, because what it replaces is dead",
        run: |graph, _| merge_duplicates(graph),
    },
    Pass {
        name: "drop_dead_code",
        why: "before assign_precision, because a dead reader must not decide an element type",
        run: |graph, _| drop_dead_code(graph),
    },
    Pass {
        name: "assign_precision",
        why: "before the second simplify, because its casts may cancel",
        run: |graph, options| {
            if let Some(residual) = options.mixed_precision {
                assign_precision(graph, residual);
            }
        },
    },
    Pass {
        name: "simplify",
        why: "before the second merge_duplicates, because shorter chains compare equal",
        run: |graph, _| simplify(graph),
    },
    Pass {
        name: "merge_duplicates",
        why: "before the last drop_dead_code, because what it replaces is dead",
        run: |graph, _| merge_duplicates(graph),
    },
    Pass {
        name: "read_rounded_weights",
        why: "before the last drop_dead_code, because the casts that it replaces are dead",
        run: |graph, options| {
            if options.rounded_weights {
                read_rounded_weights(graph);
            }
        },
    },
    Pass {
        name: "drop_dead_code",
        why: "before choose_recomputation, because a dead reader must not decide what is kept; fusion gives every node a kernel",
        run: |graph, _| drop_dead_code(graph),
    },
    Pass {
        name: "choose_recomputation",
        why: "last, because its copies are duplicates that must not be merged",
        run: |graph, options| choose_recomputation(graph, options.recompute, options.most_products),
    },
];

impl Options {
    /// What `[train]` says: precision of contractions and of the residual stream, and what is made
    /// again, without bound.
    pub fn of(train: &Train, verify: bool) -> Self {
        let residual = match train.residual {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::Bf16,
        };
        Self {
            mixed_precision: (train.precision == Precision::Bf16).then_some(residual),
            rounded_weights: false,
            recompute: train.recompute,
            most_products: usize::MAX,
            verify,
        }
    }
}

/// Runs all passes as `[train]` says.
///
/// # Errors
/// As [`optimize`].
pub fn run(graph: &mut Graph, train: &Train, verify: bool) -> Result<(), String> {
    optimize(graph, &Options::of(train, verify))
}

/// Runs all passes.
///
/// # Errors
/// With [`Options::verify`]: the violations found, and after which pass.
pub fn optimize(graph: &mut Graph, options: &Options) -> Result<(), String> {
    let check = |graph: &Graph, when: &str| {
        if !options.verify {
            return Ok(());
        }
        verify(graph).map_err(|violations| {
            let lines: Vec<String> = violations.iter().map(|v| format!("\n  {v}")).collect();
            format!("{when}, the graph is ill-formed:{}", lines.concat())
        })
    };
    check(graph, "before the passes")?;
    for pass in PASSES {
        pass.run(graph, options);
        check(graph, &format!("after {}", pass.name))?;
    }
    Ok(())
}
