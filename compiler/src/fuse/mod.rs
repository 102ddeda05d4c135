//! Fusion: from a tensor graph to an ordered list of kernel calls.
//!
//! `group.rs` decides which nodes share a kernel, `storage.rs` decides which values exist in
//! memory and where, and the other files write the kernels of a group: `build.rs` the pointwise
//! part that all share, then one file per family of anchors. Before all, `copies.rs` adds the copies
//! that outputs and computed addresses need. Nothing here knows a machine.

mod attention;
mod build;
mod copies;
mod cross_entropy;
mod experts;
mod group;
mod matmul;
mod movement;
mod rows;
mod storage;
pub mod text;
pub mod view;

use std::collections::BTreeSet;

pub use storage::{BufferInfo, BufferKey, Home};

use crate::graph::{Graph, Op};
use crate::kernel::Kernel;
use group::Groups;
use mm1_package::{Extent, ExtentRef};
use storage::Storage;

/// One launch: a kernel and what it runs on.
#[derive(Clone, Debug)]
pub struct Call {
    /// Name of the anchor node.
    pub name: String,
    /// What is computed.
    pub kernel: Kernel,
    /// Buffers in the kernel's order, each with the first element that the kernel sees.
    pub args: Vec<(BufferKey, u64)>,
    /// Run-time sizes in the kernel's order; indices are those of the graph's extents.
    pub extents: Vec<ExtentRef>,
    /// Multiply-adds of contractions times two, at full bounds.
    pub flops: u64,
}

/// A program as kernel calls.
#[derive(Clone, Debug)]
pub struct Fused {
    /// In order.
    pub calls: Vec<Call>,
    /// All memory that the calls use.
    pub buffers: Vec<BufferInfo>,
    /// Buffers of the graph's outputs, in order.
    pub outputs: Vec<BufferKey>,
    /// The graph's run-time sizes, then those that fusion derives from them.
    pub extents: Vec<Extent>,
}

/// Fuses a verified graph.
///
/// # Errors
/// A construct that no kernel covers, naming the node.
pub fn fuse(graph: &Graph) -> Result<Fused, String> {
    let graph = &*copies::with_copies(graph);
    let groups = Groups::new(graph);
    let storage = Storage::new(&groups)?;
    let mut emitter = Emitter {
        groups: &groups,
        storage,
        calls: Vec::new(),
        extents: graph.extents.clone(),
    };
    for group in order(&groups, &emitter.storage)? {
        emitter.emit(group).map_err(|error| {
            format!(
                "`{}`: {error}",
                graph.node(groups.groups[group].anchor).name
            )
        })?;
    }
    let outputs = emitter.storage.outputs(&groups)?;
    Ok(Fused {
        calls: emitter.calls,
        buffers: emitter.storage.buffers,
        outputs,
        extents: emitter.extents,
    })
}

/// Groups with operands first; a group that overwrites a source comes after all its readers.
fn order(groups: &Groups<'_>, storage: &Storage) -> Result<Vec<usize>, String> {
    let count = groups.groups.len();
    let mut after: Vec<BTreeSet<usize>> = groups
        .groups
        .iter()
        .map(|group| group.reads.clone())
        .collect();
    for (source, writer) in storage.overwritten(groups) {
        for reader in groups.readers(source) {
            if reader != writer {
                after[writer].insert(reader);
            }
        }
    }
    let mut done = vec![false; count];
    let mut waiting: Vec<usize> = after.iter().map(BTreeSet::len).collect();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (group, reads) in after.iter().enumerate() {
        for read in reads {
            users[*read].push(group);
        }
    }
    let position = positions(groups, &after, &users);
    let mut ready: BTreeSet<((u64, u64), usize)> = (0..count)
        .filter(|group| waiting[*group] == 0)
        .map(|group| (position[group], group))
        .collect();
    let mut order = Vec::with_capacity(count);
    while let Some((_, group)) = ready.pop_first() {
        done[group] = true;
        order.push(group);
        for user in &users[group] {
            waiting[*user] -= 1;
            if waiting[*user] == 0 {
                ready.insert((position[*user], *user));
            }
        }
    }
    match done.iter().position(|done| !done) {
        None => Ok(order),
        Some(stuck) => Err(format!(
            "`{}` must run before and after another group: a state is read after it is replaced",
            groups.graph.node(groups.groups[stuck].anchor).name
        )),
    }
}

/// Where each group would stand: its place, then its anchor for those that share it.
///
/// The anchor's age follows the maker of the graph: a weight gradient comes beside the gradient
/// that it needs, although the sum that ends its group was made last. What a pass made late for
/// an older reader (a cast, a recomputed value) stands before that reader, so that it does not
/// live longer than it must.
fn positions(
    groups: &Groups<'_>,
    reads: &[BTreeSet<usize>],
    users: &[Vec<usize>],
) -> Vec<(u64, u64)> {
    let ages = groups.groups.iter();
    let ages = ages.map(|group| groups.graph.node(group.anchor).age);
    let mut positions: Vec<(u64, u64)> = ages.map(|age| (age, age)).collect();
    let mut waiting: Vec<usize> = users.iter().map(Vec::len).collect();
    let mut ready: Vec<usize> = (0..users.len()).filter(|it| waiting[*it] == 0).collect();
    while let Some(group) = ready.pop() {
        for read in &reads[group] {
            positions[*read].0 = positions[*read].0.min(positions[group].0);
            waiting[*read] -= 1;
            if waiting[*read] == 0 {
                ready.push(*read);
            }
        }
    }
    positions
}

/// Writes the kernels of groups.
struct Emitter<'g> {
    groups: &'g Groups<'g>,
    storage: Storage,
    calls: Vec<Call>,
    /// The graph's run-time sizes and those of chunks.
    extents: Vec<Extent>,
}

impl Emitter<'_> {
    fn emit(&mut self, group: usize) -> Result<(), String> {
        let anchor = self.groups.groups[group].anchor;
        match self.groups.graph.op(anchor).clone() {
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Cast
            | Op::GatherRows
            | Op::TakeRows
            | Op::Broadcast
            | Op::Reshape
            | Op::Transpose(_)
            | Op::Slice { .. } => self.emit_map(group),
            Op::MatMul {
                transpose_a,
                transpose_b,
            } => self.emit_matmul(group, transpose_a, transpose_b),
            Op::GroupedMatMul { transpose_b } => self.emit_grouped_matmul(group, transpose_b),
            Op::GroupedMatMulWeightGrad => self.emit_grouped_weight_grad(group),
            Op::Softmax => self.emit_softmax(group),
            Op::TopK { count } => self.emit_top_k(group, count),
            Op::SortChoices {
                experts,
                groups,
                capacity,
            } => self.emit_sort_choices(group, [experts, groups, capacity]),
            Op::SumRows => self.emit_sum_rows(group),
            Op::Reduce { kind, axes } => self.emit_reduce(group, kind, &axes),
            Op::Norm { kind, epsilon } => self.emit_norm(group, kind, epsilon),
            Op::NormInputGrad { kind } => self.emit_norm_input_grad(group, kind),
            Op::NormWeightGrad { kind } => self.emit_norm_weight_grad(group, kind),
            Op::Rotary { inverse } => self.emit_rotary(group, inverse),
            Op::Attention { .. } => self.emit_attention(group),
            Op::AttentionGrad { .. } => self.emit_attention_grad(group),
            Op::DepthwiseConv2d { grid, kernel, flip } => {
                self.emit_depthwise(group, grid, kernel, flip)
            }
            Op::DepthwiseConv2dWeightGrad { grid, kernel } => {
                self.emit_depthwise_weight_grad(group, grid, kernel)
            }
            Op::LinearCrossEntropy { .. } => self.emit_linear_cross_entropy(group),
            Op::CrossEntropy => self.emit_cross_entropy(group),
            Op::AdamW {
                beta1,
                beta2,
                epsilon,
            } => self.emit_adamw(group, [beta1, beta2, epsilon]),
            Op::ScatterAddRows => self.emit_scatter(group),
            Op::UpdateRows => self.emit_update_rows(group),
            Op::Concat { axis } => self.emit_concat(group, axis),
            op @ (Op::Input(_) | Op::Constant(_) | Op::Splat(_) | Op::After) => {
                Err(format!("{op:?} starts no kernel"))
            }
        }
    }
}
