//! dQ of a tile of queries: dS = P·(dP − δ)·scale, rounded, times the keys of each block.

use super::super::text::{Carried, Text};
use super::numbers::{fma, least, power};
use super::plan::{Place, ROWS};
use super::produce::position;
use super::products::{Issue, Left, across, descriptor};
use super::store::pack;
use super::{Block, LOG2_E, Walk};

impl Block<'_> {
    /// What a consuming warpgroup does.
    pub(super) fn queries(
        &mut self,
        text: &mut Text,
        walk: &Walk,
        result: &Place,
    ) -> Result<(), String> {
        let plan = self.plan;
        let rows = self.rows(text);
        let sight = self.sights(text, &rows)?;
        let [lower, deltas] = self.statistics(text, &rows)?;
        let zero = text.int(0, "i32");
        let resident = self.resident(text);
        text.wait(&resident, &zero);
        let own = text.with("mul", &self.group, 64 * 128, "i32");
        let own = text.two("add", &self.tiles, &own, "i32");
        let query = descriptor(text, &own, ROWS);
        let beside = text.with("add", &own, i64::from(plan.tile_bytes(ROWS)), "i32");
        let source = descriptor(text, &beside, ROWS);
        let (up, scale) = (text.float(plan.scale * LOG2_E), text.float(plan.scale));

        let ring = self.ring(text);
        let mut carried: Vec<Carried> = vec![
            (zero.clone(), "i32"),
            (ring.slot, "i32"),
            (ring.phase, "i32"),
        ];
        let none = text.float(0.0);
        carried.extend((0..plan.features / 2).map(|_| (none.clone(), "f32")));
        let half = plan.block as usize / 2;
        let names = text.repeat(
            &carried,
            |text, names| text.compare("slt", &names[0], &walk.count, "i32"),
            |text, names| {
                let ring = position(names);
                self.wait_full(text, &ring);
                let at = self.slot(text, &ring.slot);
                let key = descriptor(text, &at, plan.block);
                let at = text.with("add", &at, i64::from(plan.tile_bytes(plan.block)), "i32");
                let value = descriptor(text, &at, plan.block);
                let mut issue = Issue::default();
                let (scores, gaps) = (issue.make(half), issue.make(half));
                let [query, source, keys, values] =
                    [&query, &source, &key, &value].map(|name| issue.read(name, "i64"));
                issue.fence();
                self.score(&mut issue, scores, query, keys);
                self.score(&mut issue, gaps, source, values);
                issue.wait(1);
                let found = issue.finish(text, &mut self.structs);
                let (scores, gaps) = found.split_at(half);
                // The sum with the block before is complete too.
                let earlier = self.before(text, &ring.slot);
                let zero = text.int(0, "i32");
                let any = text.compare("sgt", &names[0], &zero, "i32");
                self.release(text, &earlier, Some(&any));
                let mut weights = Vec::new();
                for (number, score) in scores.iter().enumerate() {
                    let exponent = fma(text, score, &up, &lower[number / 2 % 2]);
                    weights.push(power(text, &exponent));
                }
                if let Some(sight) = &sight {
                    let offset = text.with("mul", &names[0], i64::from(plan.block), "i32");
                    let begin = text.two("add", &walk.first, &offset, "i32");
                    let partly = self.partly(text, walk, &begin);
                    weights = self.masked(text, &partly, &weights, &begin, sight, 0.0)?;
                }
                let mut issue = Issue::default();
                issue.keep(gaps);
                issue.wait(0);
                let gaps = issue.finish(text, &mut self.structs);
                let mut slopes = Vec::new();
                for (number, (weight, gap)) in weights.iter().zip(&gaps).enumerate() {
                    let gap = fma(text, gap, &scale, &deltas[number / 2 % 2]);
                    slopes.push(text.two("fmul", weight, &gap, "f32"));
                }
                let slopes = pack(text, &slopes);
                let mut issue = Issue::default();
                let sums = issue.keep(&names[3..]);
                let keys = issue.read(&key, "i64");
                let left = Left::Registers(issue.read_all(&slopes));
                issue.fence();
                issue.product(sums, &left, (keys, &across(plan.block)), true, false);
                let sums = issue.finish(text, &mut self.structs);
                let mut next = vec![text.with("add", &names[0], 1, "i32")];
                let ring = self.advance(text, &ring);
                next.extend([ring.slot, ring.phase]);
                next.extend(sums);
                Ok::<_, String>(next)
            },
        )?;
        let mut issue = Issue::default();
        issue.keep(&names[3..]);
        issue.wait(0);
        let sums = issue.finish(text, &mut self.structs);
        let queries = (plan.axes[3], plan.sizes[2]);
        self.store_rows(text, result, queries, &rows, &sums)
    }

    /// −lse·log₂e and −δ·scale of the thread's two rows; of the last row for those past the end.
    fn statistics(&self, text: &mut Text, rows: &[String; 2]) -> Result<[[String; 2]; 2], String> {
        let plan = self.plan;
        let [total, delta] = plan.statistics.as_ref().ok_or("no statistics of rows")?;
        let last = text.int(i64::from(plan.sizes[2]) - 1, "i32");
        let (down, factor) = (text.float(-LOG2_E), text.float(-plan.scale));
        let mut found = [
            [String::new(), String::new()],
            [String::new(), String::new()],
        ];
        for (half, row) in rows.iter().enumerate() {
            let row = least(text, row, &last);
            let row = text.widen(&row);
            let mut at = self.fixed();
            at.push((plan.axes[3], &row));
            for (number, (place, by)) in [(total, &down), (delta, &factor)].iter().enumerate() {
                let value = self.load(text, place, &at)?;
                found[number][half] = text.two("fmul", &value, by, "f32");
            }
        }
        Ok(found)
    }
}
