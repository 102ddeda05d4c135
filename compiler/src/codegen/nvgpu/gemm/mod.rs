//! Contractions of bf16 on Hopper's matrix instructions, with prologue and epilogue.
//!
//! # Work and bounds
//! C[m, n] = Σ over k of A[m, k]·B[n, k] is 2·M·N·K floating-point operations and at least 2·(M·K + N·K)
//! bytes of operands. An H100 multiplies and adds 4096 numbers of bf16 a cycle and multiprocessor
//! (2048 of them products), so at 128×256 a step of 64 folded elements takes 1024 cycles and brings
//! 48 KiB: 48 bytes a cycle for each multiprocessor, about what the second-level cache gives. At
//! 128×128 it is 64 bytes. Hence the largest tile that leaves work for all 132 multiprocessors;
//! [`plan`] estimates both times for each tile shape and takes the least.
//!
//! # Shape
//! A block is one consuming warpgroup for each 64 rows of the tile and one that produces. They
//! share a ring of steps in shared memory. Each slot of the ring has two barriers: *full*, on which
//! the producer's copies (by bytes) and stores (by arrivals) are counted, and *empty*, on which each
//! consuming warp arrives when the multiplications that read the slot are done. Consumers hold the
//! accumulators in registers: 128 of them a thread for 256 columns, so at two consumers the producer
//! hands its registers over (`setmaxnreg`). A block that is alone on its multiprocessor multiplies
//! nothing while it stores; of two smaller blocks one does, which wins where the folded axis is short.
//! Tiles of 64 rows exist for results too small for 132 blocks of 128 rows.
//!
//! Blocks are persistent: block b computes tiles b, b + grid, …; the producer runs ahead into the
//! next tile while the consumers store this one. Tiles go down eight rows of tiles before they go one to
//! the right, so that tiles that run together share operands in the second-level cache.
//!
//! # Operands
//! `produce.rs`: a plain load of bf16 comes by bulk tensor copies, whichever of its two axes is
//! contiguous (the matrix instruction transposes). Anything else (f32 weights that are rounded where
//! they are read, gathers, activations, odd strides) is evaluated by the producer's 128 threads and
//! stored in the same layout. The latter costs twice the bytes for an f32 operand and is bound by the
//! second-level cache at about half of the roof: what is multiplied often should be stored as bf16.
//!
//! # Result
//! `epilogue.rs` evaluates the maps. Every edge may be ragged and any axis may have a run-time length:
//! what lies outside is read as zero and not stored.
//!
//! # Groups
//! `groups.rs`: rows sorted by group, each group with a factor or a result of its own.
//!
//! # Order of sums
//! One accumulator holds a result from first to last: 16 folded elements at once, in increasing
//! order. Neither tile shape nor grid changes that. Where the folded axis is split (`split.rs`), a
//! result is the sum of its parts in order.

mod epilogue;
mod groups;
mod multiply;
pub mod plan;
mod produce;
pub mod split;
#[cfg(test)]
mod tests;
mod ways;

pub use super::Schedule;
use super::text::Text;
use crate::kernel::{AxisId, AxisSize, Kernel};
use crate::lower::Machine;
pub use mm1_package::{GpuKernel, MapDim, TensorMap};
use plan::{Plan, Product, STEP, Shape};
pub use ways::ways;

/// What the launches of a kernel have in common beyond the kernel.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Bytes that the address of each buffer is a multiple of.
    pub alignment: Vec<u32>,
    /// Extents of a launch.
    pub extents: u32,
    /// Blocks, where a measurement or a test wants others than the plan's choice.
    pub shape: Option<Shape>,
}

impl Facts {
    /// Facts of a kernel whose buffers are aligned so in every launch.
    pub fn new(kernel: &Kernel, alignment: &[u32]) -> Self {
        Self {
            alignment: alignment.to_vec(),
            extents: kernel.extents(),
            shape: None,
        }
    }

    /// What holds where every argument starts at a multiple of 16 bytes.
    pub fn of(kernel: &Kernel) -> Self {
        Self::new(kernel, &vec![16; kernel.buffers.len()])
    }
}

/// Schedules a kernel.
///
/// # Errors
/// Why the schedule does not cover the kernel.
pub fn schedule(kernel: &Kernel, facts: &Facts) -> Result<Schedule, String> {
    let plan = plan::plan(kernel, facts)?;
    let text = module(&plan, kernel, facts)?;
    let mut tiles: Vec<(AxisId, u64)> = plan.batch.iter().map(|axis| (*axis, 1)).collect();
    tiles.extend([
        (plan.m, u64::from(plan.tile()[0])),
        (plan.n, u64::from(plan.tile()[1])),
    ]);
    tiles.retain(|(axis, _)| axis.0 < plan.given_axes);
    Ok(Schedule {
        text,
        launch: GpuKernel {
            ptx_bytes: 0,
            threads: plan.threads(),
            shared_bytes: plan.shared_bytes(),
            tiles_per_block: 1,
            blocks_per_sm: Some(plan.shape.blocks),
            tensor_maps: plan.maps.clone(),
        },
        tiles,
        summary: summary(&plan),
    })
}

fn summary(plan: &Plan) -> String {
    let mut text = format!(
        "wgmma {}x{}, {} steps",
        plan.tile()[0],
        plan.tile()[1],
        plan.stages
    );
    if let Some((parts, length)) = plan.parts {
        text += &format!(", {parts} parts of {length}");
    }
    match plan.groups {
        None => {}
        Some(groups) if groups.folds => text += ", by groups of the folded axis",
        Some(_) => text += ", by groups of rows",
    }
    for product in &plan.products {
        for (name, operand) in [("rows", &product.rows), ("columns", &product.columns)] {
            let way = match operand.source {
                plan::Source::Copied { .. } => "copied",
                plan::Source::Computed { vector: true } => "computed by eights",
                plan::Source::Computed { vector: false } => "computed",
            };
            let lines = match operand.major {
                plan::Major::Folded => "k",
                plan::Major::Result => "mn",
            };
            text += &format!(", {name} {way} along {lines}");
        }
    }
    text
}

/// Rows of tiles that are walked before the next column.
const RASTER: i64 = 8;

/// The kernel under way.
struct Block<'a> {
    plan: &'a Plan,
    machine: Machine,
    /// Whether all lanes of a warp come here.
    whole_warps: bool,
    /// Number of the thread and of its warpgroup, i32.
    thread: String,
    group: String,
    /// Shared addresses, i32.
    ring: String,
    staging: String,
    barriers: String,
}

/// Where a tile is: its batch point, first row and first column, i64.
struct Place {
    batch: Vec<(AxisId, String)>,
    m: String,
    n: String,
    /// First row of the group and one past its last.
    group: Option<[String; 2]>,
    /// First row that is stored and one past the last, where they are not all.
    stored: Option<[String; 2]>,
}

/// Where an axis is.
fn bound(axes: &[(AxisId, String)], axis: AxisId) -> Result<&str, String> {
    let found = axes.iter().find(|(bound, _)| *bound == axis);
    let (_, at) = found.ok_or_else(|| format!("axis {} is not bound", axis.0))?;
    Ok(at)
}

/// Position in the ring, i32.
struct Ring {
    slot: String,
    phase: String,
}

fn module(plan: &Plan, kernel: &Kernel, facts: &Facts) -> Result<String, String> {
    let mut text = Text::default();
    let parameters = text.parameters(kernel.buffers.len(), facts.extents, plan.maps.len());
    for (number, axis) in plan.kernel.axes.iter().enumerate() {
        match axis.size {
            AxisSize::Fixed(size) => text.line(format_args!(
                "%size{number} = llvm.mlir.constant({size} : i64) : i64"
            )),
            AxisSize::Runtime(extent) => text.line(format_args!(
                "%size{number} = llvm.freeze %ext{extent} : i64"
            )),
        }
    }
    let thread = text.value("nvvm.read.ptx.sreg.tid.x : i32");
    let group = text.with("lshr", &thread, 7, "i32");
    // So that the assembler keeps the warp together.
    let group = text.uniform(&group);
    let base = text.value("llvm.mlir.addressof @ring : !llvm.ptr<3>");
    let base = text.value(format_args!("llvm.ptrtoint {base} : !llvm.ptr<3> to i32"));
    let base = text.with("add", &base, 1023, "i32");
    let ring = text.with("and", &base, -1024, "i32");
    let after_ring = i64::from(plan.stages * plan.stage_bytes());
    let staging = text.with("add", &ring, after_ring, "i32");
    let barriers = text.with("add", &staging, i64::from(plan.staging_bytes()), "i32");
    let mut block = Block {
        plan,
        machine: Machine::with_lanes(4),
        whole_warps: true,
        thread,
        group,
        ring,
        staging,
        barriers,
    };
    block.start(&mut text)?;
    let consumers = text.int(i64::from(plan.consumers()), "i32");
    let produces = text.compare("eq", &block.group, &consumers, "i32");
    let (producer, consumer, end) = (text.label(), text.label(), text.label());
    text.branch(&produces, &producer, &consumer);
    text.open(&producer);
    block.produce(&mut text)?;
    text.go(&end);
    text.open(&consumer);
    block.consume(&mut text)?;
    text.go(&end);
    text.open(&end);
    text.line("llvm.return");
    let sums = vec!["f32"; (plan.tile()[1] / 2) as usize].join(", ");
    Ok(format!(
        "!sums = !llvm.struct<({sums})>\nmodule {{\n\
         llvm.mlir.global external @ring() {{addr_space = 3 : i32, alignment = 1024 : i64}} \
         : !llvm.array<0 x i8>\n\
         llvm.func @k{}({}) attributes {{nvvm.kernel, nvvm.reqntid = array<i32: {}>, \
         nvvm.minctasm = {} : i32}} {{\n{}}}\n}}\n",
        kernel.hash(),
        parameters,
        plan.threads(),
        plan.shape.blocks,
        text.finish()
    ))
}

impl Block<'_> {
    /// Makes the barriers.
    fn start(&self, text: &mut Text) -> Result<(), String> {
        let zero = text.int(0, "i32");
        let first = text.compare("eq", &self.thread, &zero, "i32");
        // One arrival for the copies, one of each thread that stores.
        let fills = if self.plan.computes() { 129 } else { 1 };
        let releases = 4 * self.plan.consumers();
        text.when(&first, |text| {
            for slot in 0..2 * self.plan.stages {
                let count = if slot < self.plan.stages {
                    fills
                } else {
                    releases
                };
                text.effect(
                    &format!("mbarrier.init.shared::cta.b64 [$0+{}], {count};", 8 * slot),
                    "r",
                    &[(&self.barriers, "i32")],
                );
            }
            text.effect("fence.proxy.async.shared::cta;", "", &[]);
            Ok::<_, String>(())
        })?;
        text.line("nvvm.barrier0");
        Ok(())
    }

    /// Runs `body` for each tile of the block; the ring goes on from tile to tile.
    fn each_tile(
        &mut self,
        text: &mut Text,
        body: impl FnOnce(&mut Self, &mut Text, &Place, Ring) -> Result<Ring, String>,
    ) -> Result<(), String> {
        let first = text.value("nvvm.read.ptx.sreg.ctaid.x : i32");
        let blocks = text.value("nvvm.read.ptx.sreg.nctaid.x : i32");
        let tiles = text.narrow("%tiles");
        let [rows, columns] = [(self.plan.m, 0), (self.plan.n, 1)].map(|(axis, side)| {
            let tile = i64::from(self.plan.tile()[side]);
            let up = text.with("add", &format!("%size{}", axis.0), tile - 1, "i64");
            let count = text.with("udiv", &up, tile, "i64");
            text.narrow(&count)
        });
        let zero = text.int(0, "i32");
        text.repeat(
            &[(first, "i32"), (zero.clone(), "i32"), (zero, "i32")],
            |text, names| text.compare("slt", &names[0], &tiles, "i32"),
            |text, names| {
                let place = self.place(text, &names[0], [&rows, &columns])?;
                let ring = Ring {
                    slot: names[1].clone(),
                    phase: names[2].clone(),
                };
                let ring = match self.plan.parts_of_tiles() {
                    None => body(self, text, &place, ring)?,
                    Some(groups) => self.each_part(text, &groups, place, ring, body)?,
                };
                let next = text.two("add", &names[0], &blocks, "i32");
                Ok::<_, String>(vec![next, ring.slot, ring.phase])
            },
        )?;
        Ok(())
    }

    /// Where a tile is.
    fn place(
        &self,
        text: &mut Text,
        tile: &str,
        [rows, columns]: [&str; 2],
    ) -> Result<Place, String> {
        let plan = self.plan;
        let per_batch = text.two("mul", rows, columns, "i32");
        let (mut batch_number, within) = match plan.batch.is_empty() {
            true => (String::new(), tile.to_owned()),
            false => (
                text.two("udiv", tile, &per_batch, "i32"),
                text.two("urem", tile, &per_batch, "i32"),
            ),
        };
        let mut batch = Vec::new();
        for (number, axis) in plan.batch.iter().enumerate().rev() {
            let size = text.narrow(&format!("%size{}", axis.0));
            let at = if number == 0 {
                batch_number.clone()
            } else {
                let at = text.two("urem", &batch_number, &size, "i32");
                batch_number = text.two("udiv", &batch_number, &size, "i32");
                at
            };
            batch.push((*axis, text.widen(&at)));
        }
        batch.reverse();
        let strip = text.with("mul", columns, RASTER, "i32");
        let number = text.two("udiv", &within, &strip, "i32");
        let within = text.two("urem", &within, &strip, "i32");
        let top = text.with("mul", &number, RASTER, "i32");
        let left = text.two("sub", rows, &top, "i32");
        let most = text.int(RASTER, "i32");
        let high = text.value(format_args!(
            "llvm.intr.umin({left}, {most}) : (i32, i32) -> i32"
        ));
        let down = text.two("urem", &within, &high, "i32");
        let right = text.two("udiv", &within, &high, "i32");
        let down = text.two("add", &top, &down, "i32");
        let [m, n] = [(down, 0), (right, 1)].map(|(number, side)| {
            let number = text.widen(&number);
            text.with("mul", &number, i64::from(plan.tile()[side]), "i64")
        });
        let group = match plan.folded_groups() {
            None => None,
            Some(groups) => {
                let group = bound(&batch, groups.query)?;
                Some(self.range(text, &groups, group)?)
            }
        };
        Ok(Place {
            batch,
            m,
            n,
            group,
            stored: None,
        })
    }

    /// Steps of a product, i32.
    fn steps(&self, text: &mut Text, product: &Product, place: &Place) -> String {
        let mut count = self.folded_steps(text, product, place);
        for axis in &product.outer {
            let size = text.narrow(&format!("%size{}", axis.0));
            count = text.two("mul", &count, &size, "i32");
        }
        self.steps_of_part(text, place, count)
    }

    fn folded_steps(&self, text: &mut Text, product: &Product, place: &Place) -> String {
        let size = match self.folded_rows(place) {
            Some([begin, end]) => text.two("sub", end, begin, "i64"),
            None => format!("%size{}", product.folded.0),
        };
        let up = text.with("add", &size, i64::from(STEP) - 1, "i64");
        let steps = text.with("udiv", &up, i64::from(STEP), "i64");
        text.narrow(&steps)
    }

    /// The axes that a step of a product fixes: the batch point, the outer folded axes and the
    /// first element along the folded one.
    fn step_axes(
        &self,
        text: &mut Text,
        product: &Product,
        place: &Place,
        step: &str,
    ) -> Vec<(AxisId, String)> {
        let mut axes = place.batch.clone();
        let mut step = step.to_owned();
        let mut within = step.clone();
        if !product.outer.is_empty() {
            let steps = self.folded_steps(text, product, place);
            within = text.two("urem", &step, &steps, "i32");
            step = text.two("udiv", &step, &steps, "i32");
        }
        for (number, axis) in product.outer.iter().enumerate().rev() {
            let at = if number == 0 {
                step.clone()
            } else {
                let size = text.narrow(&format!("%size{}", axis.0));
                let at = text.two("urem", &step, &size, "i32");
                step = text.two("udiv", &step, &size, "i32");
                at
            };
            axes.push((*axis, text.widen(&at)));
        }
        let within = text.widen(&within);
        let mut first = text.with("mul", &within, i64::from(STEP), "i64");
        if let Some([begin, _]) = self.folded_rows(place) {
            first = text.two("add", begin, &first, "i64");
        }
        axes.push((product.folded, first));
        axes
    }

    /// Runs `body` for each step of a product; the ring goes on by one each time.
    fn each_step(
        &mut self,
        text: &mut Text,
        product: &Product,
        place: &Place,
        ring: Ring,
        body: impl FnOnce(&mut Self, &mut Text, &str, &Ring) -> Result<(), String>,
    ) -> Result<Ring, String> {
        let count = self.steps(text, product, place);
        let zero = text.int(0, "i32");
        let names = text.repeat(
            &[(zero, "i32"), (ring.slot, "i32"), (ring.phase, "i32")],
            |text, names| text.compare("slt", &names[0], &count, "i32"),
            |text, names| {
                let ring = Ring {
                    slot: names[1].clone(),
                    phase: names[2].clone(),
                };
                body(self, text, &names[0], &ring)?;
                let next = text.with("add", &names[0], 1, "i32");
                let ring = self.advance(text, &ring);
                Ok::<_, String>(vec![next, ring.slot, ring.phase])
            },
        )?;
        Ok(Ring {
            slot: names[1].clone(),
            phase: names[2].clone(),
        })
    }

    fn advance(&self, text: &mut Text, ring: &Ring) -> Ring {
        let next = text.with("add", &ring.slot, 1, "i32");
        let stages = text.int(i64::from(self.plan.stages), "i32");
        let wraps = text.compare("eq", &next, &stages, "i32");
        let (zero, one) = (text.int(0, "i32"), text.int(1, "i32"));
        let flips = text.select(&wraps, &one, &zero, "i32");
        Ring {
            slot: text.select(&wraps, &zero, &next, "i32"),
            phase: text.two("xor", &ring.phase, &flips, "i32"),
        }
    }

    /// Shared address of a slot.
    fn stage(&self, text: &mut Text, slot: &str) -> String {
        let offset = text.with("mul", slot, i64::from(self.plan.stage_bytes()), "i32");
        text.two("add", &self.ring, &offset, "i32")
    }

    /// The barrier on which a slot is filled.
    fn full(&self, text: &mut Text, slot: &str) -> String {
        let offset = text.with("shl", slot, 3, "i32");
        text.two("add", &self.barriers, &offset, "i32")
    }

    /// The barrier on which a slot is released.
    fn empty(&self, text: &mut Text, slot: &str) -> String {
        let full = self.full(text, slot);
        text.with("add", &full, i64::from(8 * self.plan.stages), "i32")
    }
}
