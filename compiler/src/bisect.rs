//! Finds the first kernel that is wrong: every call is replayed on its recorded inputs.
//!
//! [`Probe::new`] compiles a model's `run` program so that each value that its kernels store is
//! an output. The caller runs it and hands back what was stored; [`Probe::compare`] evaluates
//! each stored value by the interpreter *from the recorded values that its kernel read*, so an
//! error shows at the call that made it and not at those after it.

use std::collections::{BTreeMap, BTreeSet};

use mm1_dsl::model::Model;
use mm1_package::Package;

use crate::build::Purpose;
use crate::compile::{CompileError, Options, package_of, plan_model};
use crate::fuse::{self, Home};
use crate::graph::{DType, Dim, Graph, InputRole, Op, Value};
use crate::interpret::{Tensor, interpret_rounded};
use crate::plan;

/// Error of a kernel that sums in f32.
const F32: f64 = 2e-5;
/// Where bf16 values occur, a sum in another order may round one of them the other way.
const BF16: f64 = 4e-3;

/// A stored value and the call that stores it.
#[derive(Clone, Debug)]
struct Stored {
    value: Value,
    output: String,
    call: String,
    kernel: String,
}

/// A program whose stored values can all be read.
pub struct Probe {
    /// One program, `run`; its outputs are what [`Probe::compare`] wants.
    pub package: Package,
    graph: Graph,
    stored: Vec<Stored>,
}

/// How far a call's result is from its meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Name of the call.
    pub call: String,
    /// Its kernel: name and hash.
    pub kernel: String,
    /// Name of the stored value.
    pub value: String,
    /// ‖found − wanted‖ / ‖wanted‖.
    pub error: f64,
    /// Errors up to this are rounding.
    pub tolerance: f64,
}

impl Finding {
    /// Whether the kernel is wrong.
    pub fn is_wrong(&self) -> bool {
        // An error that is no number is wrong too.
        !matches!(
            self.error.partial_cmp(&self.tolerance),
            Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)
        )
    }
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
        let mut planned = plan_model(model, purpose, options.verify)?;
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
        let mut stored = Vec::new();
        let mut seen = BTreeSet::new();
        for call in &program.fused.calls {
            for ((key, _), buffer) in call.args.iter().zip(&call.kernel.buffers) {
                let info = &program.fused.buffers[key.0 as usize];
                // What a kernel keeps for itself, such as a chunk of logits, has no value.
                let Some(value) = named.get(&info.name).copied() else {
                    continue;
                };
                let output = match info.home {
                    Home::Arena => format!("stored {}", info.name),
                    Home::Output(index) => graph.outputs[index].name.clone(),
                    Home::Source(_) => continue,
                };
                if !buffer.written || !seen.insert(value) {
                    continue;
                }
                if info.home == Home::Arena {
                    graph.output(output.clone(), value);
                }
                stored.push(Stored {
                    value,
                    output,
                    call: call.name.clone(),
                    kernel: format!("{} {}", call.kernel.name, call.kernel.hash()),
                });
            }
        }
        program.fused = fuse::fuse(graph)?;
        program.plan = plan::plan(&program.fused);
        if hashes(&program.fused) != before {
            let error = "reading stored values changes the kernels".to_owned();
            return Err(CompileError::Internal(error));
        }
        let graph = graph.clone();
        Ok(Self {
            package: package_of(model, &planned, options)?,
            graph,
            stored,
        })
    }

    /// Names of the outputs that [`Probe::compare`] needs, in the order of the calls.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.stored.iter().map(|stored| stored.output.as_str())
    }

    /// Every stored value against its meaning, in the order of the calls.
    ///
    /// `extents` and `inputs` (parameters too) are those of the run, `recorded` its outputs.
    ///
    /// # Errors
    /// An output that is missing or has another size; an input that the interpreter refuses.
    pub fn compare(
        &self,
        extents: &BTreeMap<String, u64>,
        inputs: &BTreeMap<String, Tensor>,
        recorded: &BTreeMap<String, Vec<f64>>,
    ) -> Result<Vec<Finding>, String> {
        let mut graph = self.graph.clone();
        let mut inputs = inputs.clone();
        for stored in &self.stored {
            let ty = graph.ty(stored.value).clone();
            let dims: Vec<u64> = ty
                .dims
                .iter()
                .map(|dim| match *dim {
                    Dim::Fixed(n) => Ok(n),
                    Dim::Scaled { extent, scale } => {
                        let extent = &graph.extents[extent.0 as usize];
                        let size = extents.get(&extent.name);
                        size.map(|size| size * scale)
                            .ok_or_else(|| format!("run-time size `{}` is missing", extent.name))
                    }
                })
                .collect::<Result<_, _>>()?;
            let values = recorded.get(&stored.output);
            let values = values.ok_or_else(|| format!("`{}` was not recorded", stored.output))?;
            let tensor = Tensor::new(dims, values.clone())
                .map_err(|error| format!("`{}`: {error}", stored.output))?;
            let op = Op::Input(InputRole::Data);
            let input = graph.add_typed(format!("recorded {}", stored.output), op, vec![ty], &[]);
            inputs.insert(graph.node(input).name.clone(), tensor);
            graph.replace_uses(stored.value, input.into());
        }
        let wanted: Vec<Value> = self.stored.iter().map(|stored| stored.value).collect();
        let results = interpret_rounded(&graph, extents, &inputs, &wanted)?;
        let rounds = self.graph.nodes().any(|id| {
            let types = &self.graph.node(id).types;
            types.iter().any(|ty| ty.dtype == DType::Bf16)
        });
        let findings = self.stored.iter().map(|stored| Finding {
            call: stored.call.clone(),
            kernel: stored.kernel.clone(),
            value: self.graph.value_name(stored.value),
            error: error(&recorded[&stored.output], &results[&stored.value].data),
            tolerance: if rounds { BF16 } else { F32 },
        });
        Ok(findings.collect())
    }
}

/// ‖a − b‖ / ‖b‖ over finite elements; the others must be equal.
fn error(a: &[f64], b: &[f64]) -> f64 {
    let (mut square, mut scale) = (0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        if a != b {
            square += (a - b) * (a - b);
        }
        if b.is_finite() {
            scale += b * b;
        }
    }
    if square == 0.0 {
        0.0
    } else {
        (square / scale.max(1e-60)).sqrt()
    }
}
