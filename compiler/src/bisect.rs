//! Prepares a model for finding its first wrong kernel.
//!
//! [`Probe::new`] compiles a model's `run` program so that each value that its kernels store is
//! an output, values that passes made included, and makes sure that the kernels are the same as
//! without. What a run of it leaves is compared by [`crate::interpret::replay`].

use std::collections::BTreeMap;

use mm1_dsl::model::Model;
use mm1_package::Package;

use crate::build::Purpose;
use crate::compile::{CompileError, Options, fuse_and_plan, package_of, plan_for};
use crate::fuse::{self, Home};
use crate::graph::{DType, Graph, Value};

/// A program whose stored values can all be read.
pub struct Probe {
    /// One program, `run`.
    pub package: Package,
    /// Its graph; the outputs are all that its kernels store.
    pub graph: Graph,
    /// Name of a stored value → name, kernel and hash of the call that stores it.
    pub calls: BTreeMap<String, String>,
}

impl Probe {
    /// Compiles the program that gives the gradients of `gradients`, with every stored value as
    /// an output.
    ///
    /// # Errors
    /// As [`crate::compile::compile`].
    pub fn new(
        model: &Model,
        gradients: &[String],
        options: &Options,
    ) -> Result<Self, CompileError> {
        let purpose = Purpose::Fetch {
            fetch: &["loss".to_owned(), "z_loss".to_owned()],
            gradients,
        };
        let mut planned = plan_for(model, purpose, options)?;
        let program = &mut planned.programs[0];
        let graph = &mut program.source.graph;
        let named: BTreeMap<String, Value> = graph
            .nodes()
            .flat_map(|node| {
                let results = 0..graph.node(node).types.len() as u32;
                results.map(move |result| Value { node, result })
            })
            .map(|value| (graph.value_name(value), value))
            .collect();
        let hashes = |fused: &fuse::Fused| -> Vec<String> {
            fused.calls.iter().map(|call| call.kernel.hash()).collect()
        };
        let before = hashes(&program.fused);
        let mut calls = BTreeMap::new();
        for call in &program.fused.calls {
            for ((key, _), buffer) in call.args.iter().zip(&call.kernel.buffers) {
                let info = &program.fused.buffers[key.0 as usize];
                // What a kernel keeps for itself, such as a chunk of logits, has no value.
                let Some(value) = named.get(&info.name).copied() else {
                    continue;
                };
                let by_program = matches!(info.home, Home::Arena | Home::Output(_));
                if !buffer.written || !by_program || calls.contains_key(&info.name) {
                    continue;
                }
                // Whole numbers follow from what is recorded.
                if info.home == Home::Arena && info.dtype != DType::I32 {
                    graph.output(format!("stored {}", info.name), value);
                }
                let kernel = &call.kernel;
                let made_by = format!("{}: {} {}", call.name, kernel.name, kernel.hash());
                calls.insert(info.name.clone(), made_by);
            }
        }
        (program.fused, program.plan) = fuse_and_plan(graph, Some(options))?;
        let after = hashes(&program.fused);
        if after != before {
            let same = before
                .iter()
                .zip(&after)
                .take_while(|(a, b)| a == b)
                .count();
            let call = program.fused.calls.get(same);
            let call = call.map_or("the last", |call| call.name.as_str());
            let error = format!("reading stored values changes the kernels, first `{call}`");
            return Err(CompileError::Internal(error));
        }
        let graph = graph.clone();
        Ok(Self {
            package: package_of(model, &planned, options)?,
            graph,
            calls,
        })
    }
}
