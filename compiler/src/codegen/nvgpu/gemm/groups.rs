//! Rows sorted by group, each group with a factor or a result of its own ([`crate::lower::groups`]).
//!
//! Where the rows are results, a tile is done part by part: a part is a group's rows of the tile and those
//! of no group behind them. It multiplies the whole tile by its group's factor and stores its own
//! rows; those of no group are stored as a sum of nothing. So a tile that one group has costs what any
//! tile costs, and each group adds at most one more, however long it is. The alternative, tiles that
//! begin where groups do, has as many and balances them over the grid, but which tile is where then takes
//! a sum over all groups' rows before the first copy.
//!
//! Where the rows are folded, a tile's steps go from the first row of its group to the last. The last
//! step may reach into the rows of the next group: there one operand is evaluated with zeros past
//! the end, though bulk copies bring it everywhere else. The other operand keeps its rows past the end, so
//! what is not finite there reaches the group before: such a step is skipped anyway.

use super::super::point::Point;
use super::super::text::Text;
use super::plan::{Product, STEP};
use super::{Block, Place, Ring, bound};
use crate::kernel::AxisId;
use crate::lower::groups::Groups;

impl Block<'_> {
    /// First row of a group and one past its last, i64.
    pub(super) fn range(
        &self,
        text: &mut Text,
        groups: &Groups,
        group: &str,
    ) -> Result<[String; 2], String> {
        let mut point = Point::new(&self.plan.kernel, &self.machine)?;
        point.bind(groups.query, group);
        let range = point.range(groups)?;
        let lanes = point.finish(text)?;
        let [begin, end] = range.map(|value| self.alike(text, &lanes.of(value)[0]));
        // Numbers that are no range, as a measurement may bring, are an empty one.
        let reversed = text.compare("slt", &end, &begin, "i64");
        let end = text.select(&reversed, &begin, &end, "i64");
        Ok([begin, end])
    }

    /// An i64 below 2³¹ that the lanes of a warp have alike, made known where they are together.
    fn alike(&self, text: &mut Text, x: &str) -> String {
        if !self.whole_warps {
            return x.to_owned();
        }
        let x = text.narrow(x);
        let x = text.uniform(&x);
        text.widen(&x)
    }

    /// Runs `body` for each part of a tile; the ring goes on from part to part.
    pub(super) fn each_part(
        &mut self,
        text: &mut Text,
        groups: &Groups,
        place: Place,
        ring: Ring,
        body: impl FnOnce(&mut Self, &mut Text, &Place, Ring) -> Result<Ring, String>,
    ) -> Result<Ring, String> {
        let plan = self.plan;
        let rows = format!("%size{}", plan.m.0);
        let end = text.with("add", &place.m, i64::from(plan.tile()[0]), "i64");
        let end = text.least(&end, &rows);
        let count = format!("%size{}", groups.query.0);
        let last = text.with("sub", &count, 1, "i64");
        let group = self.first_group(text, groups, &place.m)?;
        let group = text.least(&group, &last);
        let names = text.repeat(
            &[
                (group, "i64"),
                (place.m.clone(), "i64"),
                (ring.slot, "i32"),
                (ring.phase, "i32"),
            ],
            |text, names| text.compare("slt", &names[1], &end, "i64"),
            |text, names| {
                let [group, from] = [&names[0], &names[1]];
                let range = self.range(text, groups, group)?;
                // The part ends where the next group begins; after the last group, with the tile.
                let next = text.with("add", group, 1, "i64");
                let following = text.least(&next, &last);
                let [to, _] = self.range(text, groups, &following)?;
                let exists = text.compare("slt", &next, &count, "i64");
                let to = text.select(&exists, &to, &end, "i64");
                let to = text.least(&to, &end);
                let mut batch = place.batch.clone();
                batch.push((groups.query, group.clone()));
                let part = Place {
                    batch,
                    m: place.m.clone(),
                    n: place.n.clone(),
                    group: Some(range),
                    stored: Some([from.clone(), to.clone()]),
                };
                let ring = Ring {
                    slot: names[2].clone(),
                    phase: names[3].clone(),
                };
                let ring = body(self, text, &part, ring)?;
                Ok::<_, String>(vec![next, to, ring.slot, ring.phase])
            },
        )?;
        Ok(Ring {
            slot: names[2].clone(),
            phase: names[3].clone(),
        })
    }

    /// The first group that ends after a row, by bisection: ranges ascend.
    fn first_group(&self, text: &mut Text, groups: &Groups, row: &str) -> Result<String, String> {
        let zero = text.int(0, "i64");
        let count = format!("%size{}", groups.query.0);
        let names = text.repeat(
            &[(zero, "i64"), (count, "i64")],
            |text, names| text.compare("slt", &names[0], &names[1], "i64"),
            |text, names| {
                let sum = text.two("add", &names[0], &names[1], "i64");
                let middle = text.with("lshr", &sum, 1, "i64");
                let [_, end] = self.range(text, groups, &middle)?;
                let before = text.compare("sle", &end, row, "i64");
                let above = text.with("add", &middle, 1, "i64");
                Ok::<_, String>(vec![
                    text.select(&before, &above, &names[0], "i64"),
                    text.select(&before, &names[1], &middle, "i64"),
                ])
            },
        )?;
        Ok(names[0].clone())
    }

    /// Steps of a part: none where it has no row of its group.
    pub(super) fn steps_of_part(&self, text: &mut Text, place: &Place, steps: String) -> String {
        let (Some([begin, end]), Some([from, to])) = (&place.group, &place.stored) else {
            return steps;
        };
        let begins = text.compare("slt", begin, to, "i64");
        let ends = text.compare("slt", from, end, "i64");
        let some = text.compare("slt", begin, end, "i64");
        let any = text.two("and", &begins, &ends, "i1");
        let any = text.two("and", &any, &some, "i1");
        let zero = text.int(0, "i32");
        text.select(&any, &steps, &zero, "i32")
    }

    /// Whether a row of a tile is stored.
    pub(super) fn is_stored(&self, text: &mut Text, place: &Place, row: &str) -> String {
        let size = format!("%size{}", self.plan.m.0);
        match &place.stored {
            None => text.compare("slt", row, &size, "i64"),
            Some([from, to]) => within(text, row, [from, to]),
        }
    }

    /// Sums of a row, zeros where it is no row of the part's group.
    pub(super) fn of_group(
        &self,
        text: &mut Text,
        place: &Place,
        row: &str,
        sums: Vec<String>,
    ) -> Vec<String> {
        let (Some(_), Some([begin, end])) = (&place.stored, &place.group) else {
            return sums;
        };
        let own = within(text, row, [begin, end]);
        let zero = text.float(0.0);
        let sums = sums.iter();
        sums.map(|sum| text.select(&own, sum, &zero, "f32"))
            .collect()
    }

    /// First row of a tile's group and one past its last, where those are folded.
    pub(super) fn folded_rows<'p>(&self, place: &'p Place) -> Option<&'p [String; 2]> {
        self.plan.folded_groups().and(place.group.as_ref())
    }

    /// Whether a step of folded rows reaches past its group.
    pub(super) fn past_group(
        &self,
        text: &mut Text,
        product: &Product,
        place: &Place,
        axes: &[(AxisId, String)],
    ) -> Result<String, String> {
        let [_, end] = self.folded_rows(place).ok_or("a group is not known")?;
        let first = bound(axes, product.folded)?;
        let after = text.with("add", first, i64::from(STEP), "i64");
        Ok(text.compare("slt", end, &after, "i64"))
    }
}

/// Whether from <= x < to.
fn within(text: &mut Text, x: &str, [from, to]: [&str; 2]) -> String {
    let begun = text.compare("sle", from, x, "i64");
    let open = text.compare("slt", x, to, "i64");
    text.two("and", &begun, &open, "i1")
}
