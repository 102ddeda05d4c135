//! The consuming warpgroups: 64 rows of the tile each, accumulators in registers.
//!
//! A step is four `wgmma` of 16 folded elements, committed as one group. The group before it is
//! awaited, and its slot released, while this one runs.
//!
//! Descriptors (PTX ISA, "matrix descriptor format"): start address in bits 0–13, leading and stride
//! offset in bits 16–29 and 32–45, all in units of 16 bytes, swizzle of 128 bytes as 1 in bits 62–63.
//! With lines along the folded axis, the stride offset is that of 8 lines (1024 bytes), the leading
//! one is not used, and 16 folded elements are 32 bytes. With lines along the result axis, the stride
//! offset is again that of 8 lines, the leading one that of 64 result elements (8192 bytes), and 16
//! folded elements are 16 lines (2048 bytes).

use super::super::text::{Carried, Text};
use super::plan::{Major, Product, STEP};
use super::{Block, Place, Ring};

impl Block<'_> {
    /// What a consuming warpgroup does.
    pub(super) fn consume(&mut self, text: &mut Text) -> Result<(), String> {
        if let Some((_, many)) = self.plan.registers() {
            text.effect(&format!("setmaxnreg.inc.sync.aligned.u32 {many};"), "", &[]);
        }
        self.each_tile(text, |this, text, place, ring| {
            let mut ring = ring;
            let plan = this.plan;
            let mut sums = Vec::new();
            for product in &plan.products {
                let (after, accumulators) = this.multiply(text, product, place, ring)?;
                ring = after;
                sums.push(accumulators);
            }
            match &place.stored {
                None => this.epilogue(text, place, &sums)?,
                Some([from, to]) => {
                    let any = text.compare("slt", from, to, "i64");
                    text.when(&any, |text| this.epilogue(text, place, &sums))?;
                }
            }
            Ok(ring)
        })
    }

    /// All steps of a product; the thread's accumulators.
    fn multiply(
        &mut self,
        text: &mut Text,
        product: &Product,
        place: &Place,
        ring: Ring,
    ) -> Result<(Ring, Vec<String>), String> {
        let plan = self.plan;
        let count = self.steps(text, product, place);
        let zero = text.int(0, "i32");
        let start = text.float(0.0);
        let registers = plan.tile()[1] / 2;
        let mut carried: Vec<Carried> = vec![
            (zero.clone(), "i32"),
            (ring.slot, "i32"),
            (ring.phase, "i32"),
        ];
        carried.extend((0..registers).map(|_| (start.clone(), "f32")));
        let step = step_text(product, plan.tile()[1]);
        let lane = text.with("and", &self.thread, 31, "i32");
        let first_lane = text.compare("eq", &lane, &zero, "i32");
        // 64 lines of the rows operand.
        let own = text.with("mul", &self.group, i64::from(2 * STEP * 64), "i32");
        let [rows, columns] = [&product.rows, &product.columns]
            .map(|operand| text.int(descriptor(operand.major), "i64"));
        let last = text.int(i64::from(plan.stages) - 1, "i32");
        let names = text.repeat(
            &carried,
            |text, names| text.compare("slt", &names[0], &count, "i32"),
            |text, names| {
                let [number, slot, phase] = [&names[0], &names[1], &names[2]];
                let full = self.full(text, slot);
                text.wait(&full, phase);
                let stage = self.stage(text, slot);
                let a = text.two("add", &stage, &own, "i32");
                let b = text.with("add", &stage, i64::from(2 * STEP * plan.tile()[0]), "i32");
                let a = described(text, &rows, &a);
                let b = described(text, &columns, &b);
                let sums = multiply_step(text, &step, &a, &b, &names[3..]);
                // The group before this one has finished with its slot.
                let before = self.before(text, slot, &last);
                let zero = text.int(0, "i32");
                let not_first = text.compare("sgt", number, &zero, "i32");
                let releases = text.two("and", &not_first, &first_lane, "i1");
                self.release(text, &before, &releases);
                let next = text.with("add", number, 1, "i32");
                let ring = self.advance(
                    text,
                    &Ring {
                        slot: slot.clone(),
                        phase: phase.clone(),
                    },
                );
                let mut carried = vec![next, ring.slot, ring.phase];
                carried.extend(sums);
                Ok::<_, String>(carried)
            },
        )?;
        text.effect("wgmma.wait_group.sync.aligned 0;", "", &[]);
        let any = text.compare("sgt", &names[0], &zero, "i32");
        let releases = text.two("and", &any, &first_lane, "i1");
        let before = self.before(text, &names[1], &last);
        self.release(text, &before, &releases);
        let ring = Ring {
            slot: names[1].clone(),
            phase: names[2].clone(),
        };
        Ok((ring, names[3..].to_vec()))
    }

    fn before(&self, text: &mut Text, slot: &str, last: &str) -> String {
        let zero = text.int(0, "i32");
        let first = text.compare("eq", slot, &zero, "i32");
        let less = text.with("sub", slot, 1, "i32");
        text.select(&first, last, &less, "i32")
    }

    /// Releases a slot where the condition holds, without a branch: the warp stays together.
    fn release(&self, text: &mut Text, slot: &str, condition: &str) {
        let empty = self.empty(text, slot);
        let condition = text.value(format_args!("llvm.zext {condition} : i1 to i32"));
        text.effect(
            "{ .reg .pred p; setp.ne.b32 p, $1, 0; \
             @p mbarrier.arrive.shared::cta.b64 _, [$0]; }",
            "r,r",
            &[(&empty, "i32"), (&condition, "i32")],
        );
    }
}

/// Everything of a descriptor but the address.
pub(super) fn descriptor(major: Major) -> i64 {
    let leading: i64 = match major {
        Major::Folded => 1,
        Major::Result => 8192 >> 4,
    };
    1 << 62 | (1024 >> 4) << 32 | leading << 16
}

/// A descriptor with its address; shared addresses have 18 bits.
fn described(text: &mut Text, constant: &str, address: &str) -> String {
    let units = text.with("lshr", address, 4, "i32");
    let units = text.widen(&units);
    text.two("or", constant, &units, "i64")
}

/// PTX of one step.
fn step_text(product: &Product, columns: u32) -> String {
    let registers = columns / 2;
    let listed: Vec<String> = (0..registers).map(|number| format!("${number}")).collect();
    let listed = listed.join(", ");
    let [by_a, by_b] = [product.rows.major, product.columns.major].map(|major| match major {
        Major::Folded => 32 >> 4,
        Major::Result => 2048 >> 4,
    });
    let [across_a, across_b] =
        [product.rows.major, product.columns.major].map(|major| u32::from(major == Major::Result));
    let mut ptx = format!(
        "{{ .reg .pred p; .reg .b64 a, b; setp.eq.b32 p, 0, 0; \
         mov.b64 a, ${registers}; mov.b64 b, ${}; wgmma.fence.sync.aligned; ",
        registers + 1
    );
    for number in 0..STEP / 16 {
        if number > 0 {
            ptx += &format!("add.s64 a, a, {by_a}; add.s64 b, b, {by_b}; ");
        }
        ptx += &format!(
            "wgmma.mma_async.sync.aligned.m64n{columns}k16.f32.bf16.bf16 {{{listed}}}, a, b, p, \
             1, 1, {across_a}, {across_b}; "
        );
    }
    ptx + "wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 1; }"
}

fn multiply_step(text: &mut Text, ptx: &str, a: &str, b: &str, sums: &[String]) -> Vec<String> {
    let count = sums.len();
    let tied: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    let constraints = format!("{}l,l,{}", "=f,".repeat(count), tied.join(","));
    let mut operands: Vec<(&str, &str)> = vec![(a, "i64"), (b, "i64")];
    operands.extend(sums.iter().map(|name| (name.as_str(), "f32")));
    let results = text.answer(ptx, &constraints, &operands, "!sums");
    (0..count)
        .map(|number| {
            text.value(format_args!(
                "llvm.extractvalue {results}[{number}] : !sums"
            ))
        })
        .collect()
}
