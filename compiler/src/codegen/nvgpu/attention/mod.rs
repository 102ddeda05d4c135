//! Attention in bf16 on Hopper's matrix instructions: forward, dQ, and dK with dV.
//!
//! # Work and bounds
//! With pairs = visible (query, key) pairs and D the width of a head, forward is 4·D·pairs
//! floating-point operations, dQ 6·D·pairs (s, dp, dQ), dK with dV 8·D·pairs (s, dp, dV, dK). The two
//! gradients share no sums between blocks, so s and dp are computed twice, 14·D·pairs where 10 are needed;
//! in exchange nothing is added to memory and the order of every sum is fixed. Each pair also takes one
//! exponential per kernel. A multiprocessor of an H100 does 4096 operations a cycle and 16
//! exponentials: at D = 128 a block of 128 × 128 pairs is 2048 cycles of products forward and 1024 of
//! exponentials, plus some 600 of other arithmetic; at D = 64 the products are 1024 cycles and the
//! exponentials bound. Blocks of keys and values come from the second-level cache: 64 KiB in
//! 2048 cycles, 32 bytes a cycle, below its 38 or so.
//!
//! # Shape
//! A block of threads has one tile of 128 rows: queries of one head (forward, dQ), or keys of one key head
//! (dK with dV). Two consuming warpgroups have 64 rows each, a third produces: it brings the tile's
//! own operands once and walks the other sequence through a ring of slots by bulk tensor copies (elements
//! past the end, and features past the head's, are zero). Barriers are as in [`super::gemm`]: *full*
//! counts bytes, *empty* the eight consuming warps. While one warpgroup computes exponentials the other's
//! products run, as the two share nothing but the ring.
//!
//! - **Forward** (`forward.rs`): S = Q·Kᵀ of the next block is issued before O += P·V of this one, so the
//!   exponentials of the next block run beside the latter. P never leaves the registers: two columns of
//!   an accumulator, rounded, are one register of a left factor.
//! - **dQ** (`queries.rs`): S and dP = dO·Vᵀ together; the exponentials of S run beside dP, and dQ += dS·K
//!   beside the products of the next block.
//! - **dK with dV** (`keys.rs`): everything transposed, S = K·Qᵀ and dP = V·dOᵀ, so that P and dS are left
//!   factors as they are: dV += P·dO, dK += dS·Q. Members of the group and blocks of queries are walked
//!   in order. The producer's first warp also brings what belongs to a query: log-sum-exp, δ, its keys.
//!
//! # Masks
//! `range.rs`: blocks outside of what the tile sees are not walked; a block takes the branch with
//! comparisons only where some row does not see all of it.
//!
//! # Order of tiles
//! One block per tile; the hardware hands them out in order. Heads go slowest, so that blocks that run
//! together share keys in the second-level cache; within a head long tiles (causal: late queries, early keys)
//! go first and members of a group are neighbours.
//!
//! # Order of sums
//! Along the walked sequence, 16 elements at a time, block by block; row sums of exponentials as a
//! tree within each thread's columns, then over blocks, then over the four threads of a row.

mod forward;
mod found;
mod keys;
mod numbers;
mod plan;
mod produce;
mod products;
mod queries;
mod range;
mod ring;
mod store;

use std::collections::BTreeSet;

use mm1_package::{DType, GpuKernel};

use super::Schedule;
use super::gemm::Facts;
use super::text::Text;
use crate::kernel::{AxisId, Coordinate, Kernel};
use plan::{Form, Place, Plan, ROWS, THREADS};

/// Registers of a producing and of a consuming thread: 384 threads start with 168 each, and two
/// gradients of 128 features beside two blocks of scores need all that can be had.
const REGISTERS: [u32; 2] = [24, 240];
/// log₂ e.
const LOG2_E: f32 = std::f32::consts::LOG2_E;

/// Schedules a kernel.
///
/// # Errors
/// Why the schedule does not cover the kernel.
pub fn schedule(kernel: &Kernel, facts: &Facts) -> Result<Schedule, String> {
    let plan = plan::plan(kernel, facts)?;
    Ok(Schedule {
        text: module(&plan, kernel, facts)?,
        launch: GpuKernel {
            ptx_bytes: 0,
            threads: THREADS,
            shared_bytes: plan.shared_bytes(),
            tiles_per_block: 1,
            blocks_per_sm: None,
            tensor_maps: plan.maps.clone(),
        },
        tiles: plan.tiles(),
        summary: plan.summary(),
    })
}

/// The kernel under way. Names are i32 but where said.
struct Block<'a> {
    plan: &'a Plan,
    thread: String,
    /// Warpgroup, and warp within it.
    group: String,
    warp: String,
    lane: String,
    /// Shared addresses: tiles, then the rest.
    tiles: String,
    ring: String,
    notes: String,
    barriers: String,
    scan: String,
    /// Batch, key head and member (i64); no member where keys are tiled.
    batch: String,
    head: String,
    member: Option<String>,
    /// First row of the tile.
    first: String,
    /// Lengths of the result structs of matrix blocks.
    structs: BTreeSet<usize>,
}

/// What a tile walks of the other sequence (i32).
struct Walk {
    first: String,
    /// Blocks.
    count: String,
    /// A block of keys from here …
    sees_from: String,
    /// … to here is seen by all rows.
    sees_to: String,
}

fn module(plan: &Plan, kernel: &Kernel, facts: &Facts) -> Result<String, String> {
    let mut text = Text::default();
    let parameters = text.parameters(kernel.buffers.len(), facts.extents, plan.maps.len());
    let mut block = Block::new(plan, &mut text);
    block.start(&mut text)?;
    let walk = block.walk(&mut text)?;
    text.line("nvvm.barrier0");
    let consumers = text.int(i64::from(ROWS / 64), "i32");
    let produces = text.compare("eq", &block.group, &consumers, "i32");
    let (producer, consumer, end) = (text.label(), text.label(), text.label());
    text.branch(&produces, &producer, &consumer);
    text.open(&producer);
    let [few, many] = REGISTERS;
    text.effect(&format!("setmaxnreg.dec.sync.aligned.u32 {few};"), "", &[]);
    block.produce(&mut text, &walk)?;
    text.go(&end);
    text.open(&consumer);
    text.effect(&format!("setmaxnreg.inc.sync.aligned.u32 {many};"), "", &[]);
    match &plan.form {
        Form::Forward { .. } => block.forward(&mut text, &walk)?,
        Form::Queries { result } => block.queries(&mut text, &walk, result)?,
        Form::Keys { results } => block.keys(&mut text, &walk, results)?,
    }
    text.go(&end);
    text.open(&end);
    text.line("llvm.return");
    let structs: String = block
        .structs
        .iter()
        .map(|count| {
            let all = vec!["f32"; *count].join(", ");
            format!("!sums{count} = !llvm.struct<({all})>\n")
        })
        .collect();
    Ok(format!(
        "{structs}module {{\n\
         llvm.mlir.global external @ring() {{addr_space = 3 : i32, alignment = 1024 : i64}} \
         : !llvm.array<0 x i8>\n\
         llvm.func @k{}({}) attributes {{nvvm.kernel, nvvm.reqntid = array<i32: {THREADS}>, \
         nvvm.minctasm = 1 : i32}} {{\n{}}}\n}}\n",
        kernel.hash(),
        parameters,
        text.finish()
    ))
}

impl<'a> Block<'a> {
    fn new(plan: &'a Plan, text: &mut Text) -> Self {
        let thread = text.value("nvvm.read.ptx.sreg.tid.x : i32");
        let group = text.with("lshr", &thread, 7, "i32");
        let group = text.uniform(&group);
        let warp = text.with("lshr", &thread, 5, "i32");
        let warp = text.with("and", &warp, 3, "i32");
        let warp = text.uniform(&warp);
        let lane = text.with("and", &thread, 31, "i32");
        let base = text.value("llvm.mlir.addressof @ring : !llvm.ptr<3>");
        let base = text.value(format_args!("llvm.ptrtoint {base} : !llvm.ptr<3> to i32"));
        let base = text.with("add", &base, 1023, "i32");
        let tiles = text.with("and", &base, -1024, "i32");
        let [ring, notes, barriers, scan] = [
            plan.resident_bytes(),
            plan.notes_at(),
            plan.barriers_at(),
            plan.scan_at(),
        ]
        .map(|offset| text.with("add", &tiles, i64::from(offset), "i32"));
        let [groups, members, queries, keys] = plan.sizes.map(i64::from);
        let number = text.value("nvvm.read.ptx.sreg.ctaid.x : i32");
        let by_keys = matches!(plan.form, Form::Keys { .. });
        let (length, members) = if by_keys {
            (keys, 1)
        } else {
            (queries, members)
        };
        let count = (length + i64::from(ROWS) - 1) / i64::from(ROWS);
        let head = text.with("udiv", &number, count * members, "i32");
        let within = text.with("urem", &number, count * members, "i32");
        let batch = text.with("udiv", &head, groups, "i32");
        let head = text.with("urem", &head, groups, "i32");
        let mut tile = text.with("udiv", &within, members, "i32");
        let member = text.with("urem", &within, members, "i32");
        if plan.is_causal() && !by_keys {
            let last = text.int(count - 1, "i32");
            tile = text.two("sub", &last, &tile, "i32");
        }
        let first = text.with("mul", &tile, i64::from(ROWS), "i32");
        let [batch, head, member] = [batch, head, member].map(|name| text.widen(&name));
        Self {
            plan,
            thread,
            group,
            warp,
            lane,
            tiles,
            ring,
            notes,
            barriers,
            scan,
            batch,
            head,
            member: (!by_keys).then_some(member),
            first,
            structs: BTreeSet::new(),
        }
    }

    /// Axes that the block fixes, in i64; the member where it is one.
    fn fixed(&self) -> Vec<(AxisId, &str)> {
        let [b, g, r, ..] = self.plan.axes;
        let mut fixed = vec![(b, &*self.batch), (g, &*self.head)];
        fixed.extend(self.member.as_deref().map(|member| (r, member)));
        fixed
    }

    /// Address of an element where all axes of its place are known (i64).
    fn address(
        &self,
        text: &mut Text,
        place: &Place,
        at: &[(AxisId, &str)],
    ) -> Result<String, String> {
        let mut element = text.int(place.address.offset, "i64");
        for (coordinate, stride) in &place.address.terms {
            let known = match coordinate {
                Coordinate::Axis(axis) => at.iter().find(|(known, _)| known == axis),
                Coordinate::Row(_) => None,
            };
            let (_, name) = known.ok_or("an address of an axis that has no value here")?;
            let term = text.with("mul", name, *stride, "i64");
            element = text.two("add", &element, &term, "i64");
        }
        let bytes = text.with("mul", &element, place.dtype.size() as i64, "i64");
        Ok(text.value(format_args!(
            "llvm.getelementptr %arg{}[{bytes}] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8",
            place.buffer
        )))
    }

    /// A load of f32 or i32.
    fn load(
        &self,
        text: &mut Text,
        place: &Place,
        at: &[(AxisId, &str)],
    ) -> Result<String, String> {
        let at = self.address(text, place, at)?;
        let ty = match place.dtype {
            DType::F32 => "f32",
            DType::I32 => "i32",
            DType::Bf16 => return Err("a row's number in bf16".to_owned()),
        };
        Ok(text.value(format_args!(
            "llvm.load {at} {{alignment = 4 : i64}} : !llvm.ptr<1> -> {ty}"
        )))
    }

    /// The thread's two rows of the tile, 8 apart (i32).
    fn rows(&self, text: &mut Text) -> [String; 2] {
        let group = text.with("mul", &self.group, 64, "i32");
        let warp = text.with("mul", &self.warp, 16, "i32");
        let row = text.with("lshr", &self.lane, 2, "i32");
        let row = text.two("add", &row, &warp, "i32");
        let row = text.two("add", &row, &group, "i32");
        let row = text.two("add", &row, &self.first, "i32");
        let below = text.with("add", &row, 8, "i32");
        [row, below]
    }

    /// The first of the thread's two neighbouring columns in each eight.
    fn column(&self, text: &mut Text) -> String {
        let pair = text.with("and", &self.lane, 3, "i32");
        text.with("shl", &pair, 1, "i32")
    }
}
