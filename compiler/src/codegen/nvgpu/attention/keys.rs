//! dK and dV of a tile of keys. Rows of the accumulators are keys, columns queries of the block.

use super::super::text::{Carried, Text};
use super::numbers::{fma, power, shared_words};
use super::plan::{Place, ROWS};
use super::produce::position;
use super::products::{Issue, Left, across, descriptor};
use super::store::pack;
use super::{Block, LOG2_E, Walk};

impl Block<'_> {
    /// What a consuming warpgroup does.
    pub(super) fn keys(
        &mut self,
        text: &mut Text,
        walk: &Walk,
        results: &[Place; 2],
    ) -> Result<(), String> {
        let plan = self.plan;
        let rows = self.rows(text);
        let zero = text.int(0, "i32");
        let resident = self.resident(text);
        text.wait(&resident, &zero);
        let own = text.with("mul", &self.group, 64 * 128, "i32");
        let own = text.two("add", &self.tiles, &own, "i32");
        let key = descriptor(text, &own, ROWS);
        let beside = text.with("add", &own, i64::from(plan.tile_bytes(ROWS)), "i32");
        let value = descriptor(text, &beside, ROWS);
        let (up, scale) = (text.float(plan.scale * LOG2_E), text.float(plan.scale));
        let column = self.column(text);
        let column = text.with("shl", &column, 2, "i32");
        let total = text.with("mul", &walk.count, i64::from(plan.sizes[1]), "i32");

        let ring = self.ring(text);
        let mut carried: Vec<Carried> =
            vec![(zero, "i32"), (ring.slot, "i32"), (ring.phase, "i32")];
        let none = text.float(0.0);
        carried.extend((0..plan.features).map(|_| (none.clone(), "f32")));
        let half = plan.block as usize / 2;
        let width = plan.features as usize / 2;
        let names = text.repeat(
            &carried,
            |text, names| text.compare("slt", &names[0], &total, "i32"),
            |text, names| {
                let ring = position(names);
                let (of_keys, of_values) = names[3..].split_at(width);
                self.wait_full(text, &ring);
                let at = self.slot(text, &ring.slot);
                let query = descriptor(text, &at, plan.block);
                let at = text.with("add", &at, i64::from(plan.tile_bytes(plan.block)), "i32");
                let source = descriptor(text, &at, plan.block);
                let mut issue = Issue::default();
                let (scores, gaps) = (issue.make(half), issue.make(half));
                let [key, value, queries, sources] =
                    [&key, &value, &query, &source].map(|name| issue.read(name, "i64"));
                issue.fence();
                self.score(&mut issue, scores, key, queries);
                self.score(&mut issue, gaps, value, sources);
                issue.wait(1);
                let found = issue.finish(text, &mut self.structs);
                let (scores, gaps) = found.split_at(half);
                // The sums with the block before are complete too.
                let earlier = self.before(text, &ring.slot);
                let zero = text.int(0, "i32");
                let any = text.compare("sgt", &names[0], &zero, "i32");
                self.release(text, &earlier, Some(&any));
                let offset = text.with("mul", &ring.slot, i64::from(plan.notes_bytes()), "i32");
                let notes = text.two("add", &self.notes, &offset, "i32");
                let own = text.two("add", &notes, &column, "i32");
                let lower = self.noted(text, &own, 0, "f32");
                let mut weights = Vec::new();
                for (number, score) in scores.iter().enumerate() {
                    let exponent = fma(text, score, &up, &lower[number / 4 * 2 + number % 2]);
                    weights.push(power(text, &exponent));
                }
                if plan.masks() {
                    weights = self.masked_keys(text, &weights, &notes, &own, &rows)?;
                }
                let packed = pack(text, &weights);
                let mut issue = Issue::default();
                let kept = issue.keep(gaps);
                let sums = issue.keep(of_values);
                let sources = issue.read(&source, "i64");
                let left = Left::Registers(issue.read_all(&packed));
                issue.fence();
                issue.product(sums, &left, (sources, &across(plan.block)), true, false);
                issue.wait(1);
                let found = issue.finish(text, &mut self.structs);
                let (gaps, of_values) = found.split_at(kept.len());
                let deltas = self.noted(text, &own, 1, "f32");
                let mut slopes = Vec::new();
                for (number, (weight, gap)) in weights.iter().zip(gaps).enumerate() {
                    let gap = fma(text, gap, &scale, &deltas[number / 4 * 2 + number % 2]);
                    slopes.push(text.two("fmul", weight, &gap, "f32"));
                }
                let slopes = pack(text, &slopes);
                // Weights give their registers back before the next scores need some.
                let mut issue = Issue::default();
                let sums = issue.keep(of_keys);
                issue.keep(of_values);
                let queries = issue.read(&query, "i64");
                let left = Left::Registers(issue.read_all(&slopes));
                issue.fence();
                issue.product(sums, &left, (queries, &across(plan.block)), true, false);
                issue.wait(1);
                let found = issue.finish(text, &mut self.structs);
                let mut next = vec![text.with("add", &names[0], 1, "i32")];
                let ring = self.advance(text, &ring);
                next.extend([ring.slot, ring.phase]);
                next.extend(found);
                Ok::<_, String>(next)
            },
        )?;
        let mut issue = Issue::default();
        issue.keep(&names[3..]);
        issue.wait(0);
        let sums = issue.finish(text, &mut self.structs);
        for (place, sums) in results.iter().zip(sums.chunks(width)) {
            self.store_rows(text, place, (plan.axes[4], plan.sizes[3]), &rows, sums)?;
        }
        Ok(())
    }

    /// Notes of one kind for the thread's columns, two of each eight.
    fn noted(&self, text: &mut Text, own: &str, kind: u32, ty: &str) -> Vec<String> {
        let block = self.plan.block;
        (0..block / 8)
            .flat_map(|eight| {
                let offset = i64::from(4 * block * kind + 32 * eight);
                let at = text.with("add", own, offset, "i32");
                shared_words(text, &at, 2, ty)
            })
            .collect()
    }

    /// Weights without those of queries that do not see the key of a row.
    fn masked_keys(
        &self,
        text: &mut Text,
        weights: &[String],
        notes: &str,
        own: &str,
        rows: &[String; 2],
    ) -> Result<Vec<String>, String> {
        let flag = text.with("add", notes, i64::from(16 * self.plan.block), "i32");
        let flag = shared_words(text, &flag, 1, "i32").remove(0);
        let flag = text.uniform(&flag);
        let zero = text.int(0, "i32");
        let partly = text.compare("ne", &flag, &zero, "i32");
        text.revised(&partly, weights, "f32", |text| {
            let hidden = text.float(0.0);
            let lows = self.noted(text, own, 2, "i32");
            let spans = self.noted(text, own, 3, "i32");
            let mut revised = Vec::new();
            for (number, weight) in weights.iter().enumerate() {
                let column = number / 4 * 2 + number % 2;
                let at = text.two("sub", &rows[number / 2 % 2], &lows[column], "i32");
                let seen = text.compare("ult", &at, &spans[column], "i32");
                revised.push(text.select(&seen, weight, &hidden, "f32"));
            }
            Ok(revised)
        })
    }
}
