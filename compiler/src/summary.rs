//! What a model costs: parameters, FLOPs, memory and kernels, part by part and in total.
//!
//! # Definitions
//! Parameters are elements of weights, without the gaps of the flat arrays. FLOPs are two per
//! multiply-add of contractions ([`table::flops`]), counted on the graphs after the passes and
//! at full bounds: every image slot is filled and every position has a loss. Attention counts
//! scores and values over all keys, half of that where it is causal; making scores again
//! in the derivative counts nothing, and neither does any other value of the forward pass. Pooling is a contraction with a constant table and counts.
//! A training step has no derivative in pixels, none in frozen parameters, and the optimizer
//! multiplies no matrices.
//!
//! Bytes are those of the package's regions. The arena is what the plan takes; the largest live
//! set beside it is what no plan of the same order could go below.

use std::collections::{BTreeMap, BTreeSet};

use mm1_dsl::model::Model;
use serde::Serialize;

use crate::compile::{Constants, Planned, PlannedProgram};
use crate::fuse::Home;
use crate::graph::{InputRole, Op, table};
use crate::passes;

/// A model's costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// `name` of the graph file.
    pub model: String,
    /// What a micro-batch holds.
    pub batch: Batch,
    /// Parts of the model in the order of data flow; parts of parts where there are several.
    pub components: Vec<Component>,
    /// All of them together.
    pub total: Costs,
    /// Parameters of the decoder without its embedding; the head is no part of it.
    pub decoder_without_embedding: u64,
    /// FLOPs by unit of work.
    pub flops: Flops,
    /// Bytes by region.
    pub memory: Memory,
    /// Programs in order.
    pub programs: Vec<Program>,
    /// Distinct kernels of all programs in order of first use.
    pub kernels: Vec<KernelUse>,
}

/// Sizes of the work of one micro-batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// Sequences in a micro-batch.
    pub sequences: u64,
    /// Tokens per sequence, image tokens included.
    pub length: u64,
    /// Most images in a micro-batch; 0 without an encoder.
    pub images: u64,
    /// Tokens per image.
    pub image_tokens: u64,
    /// Most images that a picture is shown in: its tiles and the whole.
    pub picture_images: u64,
    /// Most marks among them, each one token of the sequence or more.
    pub picture_marks: u64,
    /// Micro-batches in a step.
    pub micro_batches: u64,
}

/// What a part costs. FLOPs are those of one micro-batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// Elements of its weights.
    pub parameters: u64,
    /// Those that the optimizer changes.
    pub trained: u64,
    /// Forward, loss included.
    pub forward_flops: u64,
    /// Forward and backward.
    pub training_flops: u64,
    /// Kernel calls, forward and backward.
    pub calls: u64,
    /// Distinct kernels among them.
    pub kernels: u64,
}

/// A part of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Component {
    /// `encoder`, `connector`, `decoder`, `head`; a second level such as `decoder.blocks`.
    pub name: String,
    /// What it costs.
    pub costs: Costs,
    /// Its parts, if it has more than one.
    pub parts: Vec<Component>,
}

/// FLOPs of the whole model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Flops {
    /// Forward of a micro-batch.
    pub forward: u64,
    /// Forward and backward of a micro-batch.
    pub training: u64,
    /// All micro-batches of an optimizer step.
    pub training_step: u64,
    /// Training, per sequence.
    pub training_per_sequence: f64,
    /// Training, per token of a sequence, images included.
    pub training_per_token: f64,
    /// What the kernels of a training micro-batch do, work that is done twice included.
    pub executed: u64,
}

/// Bytes by region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Weights, f32.
    pub parameters: u64,
    /// Their bf16 copies, where the target keeps them.
    pub rounded: u64,
    /// Gradients of the trained ones, f32.
    pub gradients: u64,
    /// What the optimizer keeps, f32.
    pub moments: u64,
    /// Numbers known when compiled.
    pub constants: u64,
    /// What is kept between runs: key and value caches, tokens of images.
    pub state: u64,
    /// What the caller writes.
    pub inputs: u64,
    /// What the caller reads.
    pub outputs: u64,
    /// The arena as planned: the largest of all programs.
    pub arena: u64,
    /// The largest live set of any program in its order of calls.
    pub largest_live: u64,
    /// Everything but code and the threads' scratch.
    pub total: u64,
}

/// One program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Name.
    pub name: String,
    /// Kernel calls.
    pub calls: u64,
    /// Distinct kernels among them.
    pub kernels: u64,
    /// FLOPs that its kernels do.
    pub flops: u64,
    /// Its arena, bytes.
    pub arena: u64,
    /// Its largest live set, bytes.
    pub largest_live: u64,
}

/// One kernel of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KernelUse {
    /// Content hash; equal kernels of two models have equal schedules on equal targets.
    pub hash: String,
    /// Readable name.
    pub name: String,
    /// Calls in all programs.
    pub calls: u64,
}

/// A part's costs while they are collected.
#[derive(Default)]
struct Tally {
    costs: Costs,
    kernels: BTreeSet<String>,
}

impl Tally {
    fn costs(&self) -> Costs {
        Costs {
            kernels: self.kernels.len() as u64,
            ..self.costs
        }
    }
}

impl Summary {
    /// The costs of a model that was planned for all purposes. A part of the work whose program
    /// is not in the plan costs nothing.
    pub fn of(model: &Model, planned: &Planned) -> Self {
        let tallies = tallies(planned);
        let total = tallies
            .get(&(String::new(), String::new()))
            .map(Tally::costs)
            .unwrap_or_default();
        let train = &model.train;
        let vision = model.vision.as_ref();
        let batch = Batch {
            sequences: train.micro_batch_sequences,
            length: model.decoder.max_sequence_length,
            images: vision.map_or(0, |_| train.micro_batch_images.max(1)),
            image_tokens: vision.map_or(0, |it| it.connector.image_tokens),
            picture_images: vision.map_or(0, |it| it.image.tiles.most().0),
            picture_marks: vision.map_or(0, |it| it.image.tiles.most().1),
            micro_batches: train
                .global_batch_sequences
                .div_ceil(train.micro_batch_sequences.max(1)),
        };
        let sequences = batch.sequences.max(1) as f64;
        let training = total.training_flops;
        let find = |name| planned.programs.iter().find(|it| it.source.name == name);
        let flops = Flops {
            forward: total.forward_flops,
            training,
            training_step: training * batch.micro_batches,
            training_per_sequence: training as f64 / sequences,
            training_per_token: training as f64 / (sequences * batch.length.max(1) as f64),
            executed: find("accumulate").map_or(0, kernel_flops),
        };
        let parameters = &planned.built.layout.parameters;
        Self {
            model: model.name.clone(),
            batch,
            components: components(&tallies),
            total,
            decoder_without_embedding: parameters
                .iter()
                .filter(|it| {
                    let (part, of_part) = part(&it.name);
                    part == "decoder" && of_part != "embedding"
                })
                .map(|it| it.elements())
                .sum(),
            flops,
            memory: memory(planned),
            programs: planned.programs.iter().map(program).collect(),
            kernels: kernels(planned),
        }
    }
}

/// First and second component of the name of a node, of its derivative or of a parameter. The
/// loss is part of the head, whose logits it makes.
fn part(name: &str) -> (&str, &str) {
    let inner = name.strip_prefix("d(").unwrap_or(name);
    let inner = inner.split([')', '\'', '#']).next().unwrap_or(inner);
    let mut parts = inner.split('.');
    match parts.next().unwrap_or(inner) {
        "loss" => ("head", ""),
        first => (first, parts.next().unwrap_or_default()),
    }
}

/// Costs by part and part of part; the empty name is the total.
fn tallies(planned: &Planned) -> BTreeMap<(String, String), Tally> {
    let mut tallies: BTreeMap<(String, String), Tally> = BTreeMap::new();
    let mut add = |name: &str, change: &dyn Fn(&mut Tally)| {
        let (first, second) = part(name);
        change(tallies.entry(Default::default()).or_default());
        change(tallies.entry((first.into(), "".into())).or_default());
        if !second.is_empty() {
            change(tallies.entry((first.into(), second.into())).or_default());
        }
    };
    for slot in &planned.built.layout.parameters {
        add(&slot.name, &|tally| {
            tally.costs.parameters += slot.elements();
            tally.costs.trained += if slot.trained { slot.elements() } else { 0 };
        });
    }
    for PlannedProgram { source, fused, .. } in &planned.programs {
        let training = match source.name.as_str() {
            "accumulate" => true,
            "evaluate" => false,
            _ => continue,
        };
        for id in source.graph.nodes() {
            let name = &source.graph.node(id).name;
            let flops = match passes::is_recomputed(name) {
                true => 0,
                false => table::flops(&source.graph, id),
            };
            add(name, &|tally| match training {
                true => tally.costs.training_flops += flops,
                false => tally.costs.forward_flops += flops,
            });
        }
        for call in fused.calls.iter().filter(|_| training) {
            add(&call.name, &|tally| {
                tally.costs.calls += 1;
                tally.kernels.insert(call.kernel.hash());
            });
        }
    }
    tallies
}

/// The parts that cost anything, in the order of data flow.
fn components(tallies: &BTreeMap<(String, String), Tally>) -> Vec<Component> {
    const ORDER: [&str; 4] = ["encoder", "connector", "decoder", "head"];
    let place = |name: &str| ORDER.iter().position(|it| *it == name);
    let counts = |tally: &Tally| {
        let costs = &tally.costs;
        costs.parameters + costs.training_flops + costs.forward_flops + costs.calls > 0
    };
    let mut components: Vec<Component> = tallies
        .iter()
        .filter(|((first, second), tally)| !first.is_empty() && second.is_empty() && counts(tally))
        .map(|((first, _), tally)| {
            let parts: Vec<Component> = tallies
                .iter()
                .filter(|((of, second), tally)| of == first && !second.is_empty() && counts(tally))
                .map(|((_, second), tally)| Component {
                    name: format!("{first}.{second}"),
                    costs: tally.costs(),
                    parts: Vec::new(),
                })
                .collect();
            Component {
                name: first.clone(),
                costs: tally.costs(),
                parts: if parts.len() > 1 { parts } else { Vec::new() },
            }
        })
        .collect();
    components.sort_by_key(|it| (place(&it.name).unwrap_or(ORDER.len()), it.name.clone()));
    components
}

fn kernel_flops(program: &PlannedProgram) -> u64 {
    program.fused.calls.iter().map(|call| call.flops).sum()
}

fn program(program: &PlannedProgram) -> Program {
    let calls = &program.fused.calls;
    let distinct: BTreeSet<String> = calls.iter().map(|call| call.kernel.hash()).collect();
    Program {
        name: program.source.name.clone(),
        calls: calls.len() as u64,
        kernels: distinct.len() as u64,
        flops: kernel_flops(program),
        arena: program.plan.arena_bytes,
        largest_live: program.plan.largest_live_bytes,
    }
}

fn kernels(planned: &Planned) -> Vec<KernelUse> {
    let mut uses: Vec<KernelUse> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let calls = planned.programs.iter().flat_map(|it| &it.fused.calls);
    for call in calls {
        let hash = call.kernel.hash();
        let index = *known.entry(hash.clone()).or_insert_with(|| {
            uses.push(KernelUse {
                hash,
                name: call.kernel.name.clone(),
                calls: 0,
            });
            uses.len() - 1
        });
        uses[index].calls += 1;
    }
    uses
}

/// The regions of the package that the plan gives.
fn memory(planned: &Planned) -> Memory {
    let layout = &planned.built.layout;
    let mut constants = Constants::default();
    let mut named: BTreeSet<String> = BTreeSet::new();
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    for PlannedProgram { source, fused, .. } in &planned.programs {
        let used: BTreeSet<usize> = fused
            .calls
            .iter()
            .flat_map(|call| call.args.iter().map(|(key, _)| key.0 as usize))
            .collect();
        for (index, info) in fused.buffers.iter().enumerate() {
            let (name, region) = match info.home {
                Home::Arena => continue,
                Home::Output(number) => (source.graph.outputs[number].name.clone(), "outputs"),
                Home::Source(_) if !used.contains(&index) => continue,
                Home::Source(node) => match source.graph.op(node) {
                    Op::Constant(values) => {
                        constants.place(values);
                        continue;
                    }
                    op => {
                        let name = source.graph.node(node).name.clone();
                        if source.bindings.contains_key(&name) {
                            continue;
                        }
                        match op {
                            Op::Input(InputRole::State(region)) => (name, region.as_str()),
                            _ => (name, "inputs"),
                        }
                    }
                },
            };
            if named.insert(name) {
                *sizes.entry(region.to_owned()).or_default() += info.bytes().next_multiple_of(64);
            }
        }
    }
    let region = |name: &str| sizes.get(name).copied().unwrap_or(0);
    let most = |of: fn(&PlannedProgram) -> u64| planned.programs.iter().map(of).max().unwrap_or(0);
    let mut memory = Memory {
        parameters: layout.elements * 4,
        rounded: match planned.built.rounded_weights {
            true => layout.elements * 2,
            false => 0,
        },
        gradients: layout.trained_elements * 4,
        moments: match layout.flat_moments {
            true => layout.trained_elements * 8,
            false => region("moment1") + region("moment2"),
        },
        constants: constants.bytes.len() as u64,
        state: region("state"),
        inputs: region("inputs"),
        outputs: region("outputs"),
        arena: most(|it| it.plan.arena_bytes),
        largest_live: most(|it| it.plan.largest_live_bytes),
        total: 0,
    };
    memory.total = memory.parameters
        + memory.rounded
        + memory.gradients
        + memory.moments
        + memory.constants
        + memory.state
        + memory.inputs
        + memory.outputs
        + memory.arena;
    memory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_belong_to_parts() {
        for (name, expected) in [
            ("decoder.blocks.0.qkv.weight", ("decoder", "blocks")),
            ("d(decoder.blocks.0.out.product).a", ("decoder", "blocks")),
            ("d(encoder.patch)", ("encoder", "patch")),
            ("decoder.embedding", ("decoder", "embedding")),
            ("loss", ("head", "")),
            ("d(loss.rows)", ("head", "")),
            ("decoder.norm'2", ("decoder", "norm")),
        ] {
            assert_eq!(part(name), expected, "{name}");
        }
    }
}
