//! The producing warpgroup: bulk copies, and for blocks of queries the numbers of each query.

use super::super::text::Text;
use super::numbers::{largest, least, store_shared};
use super::plan::{Form, Plan, ROWS};
use super::ring::Ring;
use super::{Block, LOG2_E, Walk};

impl Block<'_> {
    /// What the producing warpgroup does; one of its threads copies.
    pub(super) fn produce(&mut self, text: &mut Text, walk: &Walk) -> Result<(), String> {
        let first = text.int(i64::from(ROWS / 64 * 128), "i32");
        let leads = text.compare("eq", &self.thread, &first, "i32");
        match self.plan.form {
            Form::Forward { .. } => text.when(&leads, |text| {
                self.bring_resident(text)?;
                self.produce_forward(text, walk)
            }),
            Form::Queries { .. } => text.when(&leads, |text| {
                self.bring_resident(text)?;
                self.produce_pairs(text, walk)
            }),
            Form::Keys { .. } => {
                let zero = text.int(0, "i32");
                let notes = text.compare("eq", &self.warp, &zero, "i32");
                text.when(&notes, |text| {
                    text.when(&leads, |text| self.bring_resident(text))?;
                    self.produce_queries(text, walk, &leads)
                })
            }
        }
    }

    fn bring_resident(&self, text: &mut Text) -> Result<(), String> {
        let plan = self.plan;
        let barrier = self.resident(text);
        Self::expect(text, &barrier, plan.resident_bytes());
        for (number, operand) in plan.resident.iter().enumerate() {
            let offset = number as i64 * i64::from(plan.tile_bytes(ROWS));
            let to = text.with("add", &self.tiles, offset, "i32");
            self.copy(text, operand, [&to, &self.first, &barrier], &self.fixed())?;
        }
        Ok(())
    }

    /// First element of a block of the walk.
    fn begin(&self, text: &mut Text, walk: &Walk, number: &str) -> String {
        let offset = text.with("mul", number, i64::from(self.plan.block), "i32");
        text.two("add", &walk.first, &offset, "i32")
    }

    /// Fills a slot with a block of keys (0) or values (1).
    fn fill(
        &self,
        text: &mut Text,
        ring: &Ring,
        operand: usize,
        begin: &str,
    ) -> Result<Ring, String> {
        self.wait_empty(text, ring);
        let full = self.full(text, &ring.slot);
        Self::expect(text, &full, self.plan.slot_bytes());
        let to = self.slot(text, &ring.slot);
        let operand = &self.plan.walked[operand];
        self.copy(text, operand, [&to, begin, &full], &self.fixed())?;
        Ok(self.advance(text, ring))
    }

    /// K₀, K₁, V₀, K₂, V₁, …: the order in which consumers wait.
    fn produce_forward(&self, text: &mut Text, walk: &Walk) -> Result<(), String> {
        let ring = self.ring(text);
        let ring = self.fill(text, &ring, 0, &walk.first)?;
        let one = text.int(1, "i32");
        let names = text.repeat(
            &[(one, "i32"), (ring.slot, "i32"), (ring.phase, "i32")],
            |text, names| text.compare("slt", &names[0], &walk.count, "i32"),
            |text, names| {
                let ring = position(names);
                let begin = self.begin(text, walk, &names[0]);
                let ring = self.fill(text, &ring, 0, &begin)?;
                let before = text.with("sub", &begin, i64::from(self.plan.block), "i32");
                let ring = self.fill(text, &ring, 1, &before)?;
                let next = text.with("add", &names[0], 1, "i32");
                Ok::<_, String>(vec![next, ring.slot, ring.phase])
            },
        )?;
        let last = text.with("sub", &walk.count, 1, "i32");
        let begin = self.begin(text, walk, &last);
        self.fill(text, &position(&names), 1, &begin)?;
        Ok(())
    }

    /// Keys and values of a block in one slot.
    fn produce_pairs(&self, text: &mut Text, walk: &Walk) -> Result<(), String> {
        let ring = self.ring(text);
        let zero = text.int(0, "i32");
        text.repeat(
            &[(zero, "i32"), (ring.slot, "i32"), (ring.phase, "i32")],
            |text, names| text.compare("slt", &names[0], &walk.count, "i32"),
            |text, names| {
                let ring = position(names);
                self.wait_empty(text, &ring);
                let begin = self.begin(text, walk, &names[0]);
                self.fill_pair(text, &ring, &begin, &self.fixed())?;
                let next = text.with("add", &names[0], 1, "i32");
                let ring = self.advance(text, &ring);
                Ok::<_, String>(vec![next, ring.slot, ring.phase])
            },
        )?;
        Ok(())
    }

    fn fill_pair(
        &self,
        text: &mut Text,
        ring: &Ring,
        begin: &str,
        at: &[(crate::kernel::AxisId, &str)],
    ) -> Result<(), String> {
        let plan = self.plan;
        let full = self.full(text, &ring.slot);
        Self::expect(text, &full, plan.slot_bytes());
        let to = self.slot(text, &ring.slot);
        for (number, operand) in plan.walked.iter().enumerate() {
            let offset = number as i64 * i64::from(plan.tile_bytes(plan.block));
            let to = text.with("add", &to, offset, "i32");
            self.copy(text, operand, [&to, begin, &full], at)?;
        }
        Ok(())
    }

    /// Blocks of queries of one member after the other, with their notes.
    fn produce_queries(&self, text: &mut Text, walk: &Walk, leads: &str) -> Result<(), String> {
        let plan = self.plan;
        let members = i64::from(plan.sizes[1]);
        let total = text.with("mul", &walk.count, members, "i32");
        let ring = self.ring(text);
        let zero = text.int(0, "i32");
        // Member and block within it go along with the number.
        text.repeat(
            &[
                (zero.clone(), "i32"),
                (ring.slot, "i32"),
                (ring.phase, "i32"),
                (zero.clone(), "i32"),
                (zero, "i32"),
            ],
            |text, names| text.compare("slt", &names[0], &total, "i32"),
            |text, names| {
                let ring = position(names);
                let member = text.widen(&names[3]);
                let begin = self.begin(text, walk, &names[4]);
                let mut at = self.fixed();
                at.push((plan.axes[2], &member));
                self.wait_empty(text, &ring);
                text.when(leads, |text| self.fill_pair(text, &ring, &begin, &at))?;
                text.effect("bar.warp.sync 0xffffffff;", "", &[]);
                self.note(text, &ring, &begin, &at)?;
                let full = self.full(text, &ring.slot);
                text.effect(
                    "mbarrier.arrive.shared::cta.b64 _, [$0];",
                    "r",
                    &[(&full, "i32")],
                );
                let next = text.with("add", &names[0], 1, "i32");
                let ring = self.advance(text, &ring);
                let inner = text.with("add", &names[4], 1, "i32");
                let wraps = text.compare("eq", &inner, &walk.count, "i32");
                let other = text.with("add", &names[3], 1, "i32");
                let zero = text.int(0, "i32");
                let member = text.select(&wraps, &other, &names[3], "i32");
                let inner = text.select(&wraps, &zero, &inner, "i32");
                Ok::<_, String>(vec![next, ring.slot, ring.phase, member, inner])
            },
        )?;
        Ok(())
    }

    /// Writes −lse·log₂e, −δ·scale, and with a window the first key, the number of keys and whether
    /// some query does not see the whole tile. Queries past the end have −∞ for the first, so that their
    /// weights are 0.
    fn note(
        &self,
        text: &mut Text,
        ring: &Ring,
        begin: &str,
        at: &[(crate::kernel::AxisId, &str)],
    ) -> Result<(), String> {
        let plan: &Plan = self.plan;
        let [total, delta] = plan.statistics.as_ref().ok_or("no statistics of rows")?;
        let offset = text.with("mul", &ring.slot, i64::from(plan.notes_bytes()), "i32");
        let notes = text.two("add", &self.notes, &offset, "i32");
        let [queries, keys] = [plan.sizes[2], plan.sizes[3]].map(i64::from);
        let block = i64::from(plan.block);
        let (count, last) = (text.int(queries, "i32"), text.int(queries - 1, "i32"));
        let (down, factor) = (text.float(-LOG2_E), text.float(-plan.scale));
        let (nothing, none) = (text.float(f32::NEG_INFINITY), text.float(0.0));
        let zero = text.int(0, "i32");
        let beyond = text.with("add", &self.first, i64::from(ROWS), "i32");
        let keys = text.int(keys, "i32");
        let beyond = least(text, &beyond, &keys);
        let mut whole: Option<String> = None;
        for part in 0..plan.block / 32 {
            let number = text.with("add", &self.lane, i64::from(32 * part), "i32");
            let query = text.two("add", begin, &number, "i32");
            let exists = text.compare("slt", &query, &count, "i32");
            let query = least(text, &query, &last);
            let wide = text.widen(&query);
            let mut at = at.to_vec();
            at.push((plan.axes[3], &wide));
            let total = self.load(text, total, &at)?;
            let total = text.two("fmul", &total, &down, "f32");
            let total = text.select(&exists, &total, &nothing, "f32");
            let delta = self.load(text, delta, &at)?;
            let delta = text.two("fmul", &delta, &factor, "f32");
            let delta = text.select(&exists, &delta, &none, "f32");
            let word = text.with("shl", &number, 2, "i32");
            let word = text.two("add", &notes, &word, "i32");
            store_shared(text, &word, &total, "f32");
            let next = text.with("add", &word, 4 * block, "i32");
            store_shared(text, &next, &delta, "f32");
            if !plan.masks() {
                continue;
            }
            let [low, high] = self.visible(text, &query)?;
            let span = text.two("sub", &high, &low, "i32");
            let span = largest(text, &span, &zero);
            for (number, value) in [(2, &low), (3, &span)] {
                let at = text.with("add", &word, 4 * block * number, "i32");
                store_shared(text, &at, value, "i32");
            }
            let from = text.compare("sle", &low, &self.first, "i32");
            let to = text.compare("sge", &high, &beyond, "i32");
            let sees = text.two("and", &from, &to, "i1");
            let yes = text.value("llvm.mlir.constant(true) : i1");
            let sees = text.select(&exists, &sees, &yes, "i1");
            whole = Some(match whole {
                None => sees,
                Some(others) => text.two("and", &others, &sees, "i1"),
            });
        }
        if let Some(whole) = whole {
            let whole = text.value(format_args!("llvm.zext {whole} : i1 to i32"));
            let masked = text.answer(
                "{ .reg .pred p, q; setp.ne.b32 p, $1, 0; vote.sync.all.pred q, p, 0xffffffff; \
                 selp.b32 $0, 0, 1, q; }",
                "=r,r",
                &[(&whole, "i32")],
                "i32",
            );
            let at = text.with("add", &notes, 16 * block, "i32");
            let zero = text.int(0, "i32");
            let speaks = text.compare("eq", &self.lane, &zero, "i32");
            text.when(&speaks, |text| {
                store_shared(text, &at, &masked, "i32");
                Ok::<_, String>(())
            })?;
        }
        Ok(())
    }
}

/// Slot and phase that a loop carries second and third.
pub(super) fn position(names: &[String]) -> Ring {
    Ring {
        slot: names[1].clone(),
        phase: names[2].clone(),
    }
}
