//! Slots of shared memory and their barriers.

use super::super::text::Text;
use super::Block;
use super::plan::{Form, Operand};
use crate::kernel::AxisId;

/// Position in the ring, i32.
#[derive(Clone)]
pub(super) struct Ring {
    pub slot: String,
    pub phase: String,
}

impl Block<'_> {
    /// Makes the barriers.
    pub(super) fn start(&self, text: &mut Text) -> Result<(), String> {
        let zero = text.int(0, "i32");
        let first = text.compare("eq", &self.thread, &zero, "i32");
        // One arrival with the bytes, one of each thread that writes notes.
        let fills = match self.plan.form {
            Form::Forward { .. } | Form::Queries { .. } => 1,
            Form::Keys { .. } => 33,
        };
        let stages = self.plan.stages;
        text.when(&first, |text| {
            for number in 0..=2 * stages {
                let count = match number {
                    number if number < stages => fills,
                    number if number < 2 * stages => 8,
                    _ => 1,
                };
                text.effect(
                    &format!(
                        "mbarrier.init.shared::cta.b64 [$0+{}], {count};",
                        8 * number
                    ),
                    "r",
                    &[(&self.barriers, "i32")],
                );
            }
            text.effect("fence.proxy.async.shared::cta;", "", &[]);
            Ok::<_, String>(())
        })
    }

    /// The first position.
    pub(super) fn ring(&self, text: &mut Text) -> Ring {
        let zero = text.int(0, "i32");
        Ring {
            slot: zero.clone(),
            phase: zero,
        }
    }

    pub(super) fn advance(&self, text: &mut Text, ring: &Ring) -> Ring {
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

    /// The slot before.
    pub(super) fn before(&self, text: &mut Text, slot: &str) -> String {
        let zero = text.int(0, "i32");
        let last = text.int(i64::from(self.plan.stages) - 1, "i32");
        let first = text.compare("eq", slot, &zero, "i32");
        let less = text.with("sub", slot, 1, "i32");
        text.select(&first, &last, &less, "i32")
    }

    /// Shared address of a slot.
    pub(super) fn slot(&self, text: &mut Text, slot: &str) -> String {
        let offset = text.with("mul", slot, i64::from(self.plan.slot_bytes()), "i32");
        text.two("add", &self.ring, &offset, "i32")
    }

    /// The barrier on which a slot is filled.
    pub(super) fn full(&self, text: &mut Text, slot: &str) -> String {
        let offset = text.with("shl", slot, 3, "i32");
        text.two("add", &self.barriers, &offset, "i32")
    }

    /// The barrier on which a slot is released.
    pub(super) fn empty(&self, text: &mut Text, slot: &str) -> String {
        let full = self.full(text, slot);
        text.with("add", &full, i64::from(8 * self.plan.stages), "i32")
    }

    /// The barrier on which the tile's own operands come.
    pub(super) fn resident(&self, text: &mut Text) -> String {
        text.with(
            "add",
            &self.barriers,
            i64::from(16 * self.plan.stages),
            "i32",
        )
    }

    /// Waits until a slot is filled.
    pub(super) fn wait_full(&self, text: &mut Text, ring: &Ring) {
        let full = self.full(text, &ring.slot);
        text.wait(&full, &ring.phase);
    }

    /// Waits until a slot is released; one that was never filled counts as released one phase ago.
    pub(super) fn wait_empty(&self, text: &mut Text, ring: &Ring) {
        let one = text.int(1, "i32");
        let released = text.two("xor", &ring.phase, &one, "i32");
        let empty = self.empty(text, &ring.slot);
        text.wait(&empty, &released);
    }

    /// The warp is done with a slot, where the condition holds; without a branch, so that it stays
    /// together.
    pub(super) fn release(&self, text: &mut Text, slot: &str, condition: Option<&str>) {
        let zero = text.int(0, "i32");
        let mut speaks = text.compare("eq", &self.lane, &zero, "i32");
        if let Some(condition) = condition {
            speaks = text.two("and", &speaks, condition, "i1");
        }
        let speaks = text.value(format_args!("llvm.zext {speaks} : i1 to i32"));
        let empty = self.empty(text, slot);
        text.effect(
            "{ .reg .pred p; setp.ne.b32 p, $1, 0; \
             @p mbarrier.arrive.shared::cta.b64 _, [$0]; }",
            "r,r",
            &[(&empty, "i32"), (&speaks, "i32")],
        );
    }

    /// Arrives at a barrier that then also waits for bytes.
    pub(super) fn expect(text: &mut Text, barrier: &str, bytes: u32) {
        text.effect(
            &format!("mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], {bytes};"),
            "r",
            &[(barrier, "i32")],
        );
    }

    /// Bulk copies of a tile, one for each panel; `at` binds the axes beside features and sequence (i64).
    pub(super) fn copy(
        &self,
        text: &mut Text,
        operand: &Operand,
        [to, sequence, barrier]: [&str; 3],
        at: &[(AxisId, &str)],
    ) -> Result<(), String> {
        let rows = self.plan.maps[operand.map as usize].box_dims[1];
        let mut outer = Vec::new();
        for axis in &operand.axes[2..] {
            let known = at.iter().find(|(known, _)| known == axis);
            let (_, name) = known.ok_or("an axis of a tensor map has no value here")?;
            outer.push(text.narrow(name));
        }
        for panel in 0..i64::from(self.plan.panels()) {
            let to = text.with("add", to, panel * i64::from(rows) * 128, "i32");
            let feature = text.int(64 * panel, "i32");
            let coordinates = [&[feature, sequence.to_owned()], &outer[..]].concat();
            text.copy_box(&to, operand.map, &coordinates, barrier);
        }
        Ok(())
    }
}
