//! Which blocks of the walked sequence a tile needs, and which of those need a mask.
//!
//! Query i sees keys [low(i), high(i)): the window's ranges, cut at i + 1 where causal and at the
//! number of keys. A tile walks from the first to the last visible element of the other sequence;
//! what lies between and is invisible is masked. Where ranges are in memory, all threads of the block look
//! at the queries and share what they found.

use super::super::text::Text;
use super::numbers::{largest, least, store_shared};
use super::plan::{Form, Place, ROWS, THREADS};
use super::{Block, Walk};

/// Beyond every index.
const FAR: i64 = i32::MAX as i64;

impl Block<'_> {
    /// First visible key and one past the last, of a query that exists (i32).
    pub(super) fn visible(&self, text: &mut Text, query: &str) -> Result<[String; 2], String> {
        let plan = self.plan;
        let [low, high] = &plan.limits;
        let load = |text: &mut Text, place: &Place| {
            let query = text.widen(query);
            let at = [(plan.axes[0], &*self.batch), (plan.axes[3], &query)];
            self.load(text, place, &at)
        };
        let low = match low {
            Some(place) => load(text, place)?,
            None => text.int(0, "i32"),
        };
        let mut end = text.int(i64::from(plan.sizes[3]), "i32");
        if let Some(place) = high {
            let high = load(text, place)?;
            end = least(text, &end, &high);
        }
        if plan.is_causal() {
            let next = text.with("add", query, 1, "i32");
            end = least(text, &end, &next);
        }
        Ok([low, end])
    }

    /// What the block walks; all threads come here.
    pub(super) fn walk(&self, text: &mut Text) -> Result<Walk, String> {
        let plan = self.plan;
        let zero = text.int(0, "i32");
        let [queries, keys] = [plan.sizes[2], plan.sizes[3]].map(i64::from);
        let (walk_end, by_keys) = match plan.form {
            Form::Forward { .. } | Form::Queries { .. } => (keys, false),
            Form::Keys { .. } => (queries, true),
        };
        let mut first = zero.clone();
        let mut end = text.int(walk_end, "i32");
        let mut sees_from = zero;
        let mut sees_to = end.clone();
        if plan.has_limits() && by_keys {
            [first, end] = self.scan_queries(text)?;
        } else if plan.has_limits() {
            [first, end, sees_from, sees_to] = self.scan_rows(text)?;
        } else if plan.is_causal() && by_keys {
            first = least(text, &self.first, &end);
        } else if plan.is_causal() {
            let last = text.with("add", &self.first, i64::from(ROWS), "i32");
            end = least(text, &end, &last);
            let own = text.with("mul", &self.group, 64, "i32");
            let own = text.two("add", &self.first, &own, "i32");
            let own = text.with("add", &own, 1, "i32");
            sees_to = least(text, &sees_to, &own);
        }
        let length = text.two("sub", &end, &first, "i32");
        let up = text.with("add", &length, i64::from(plan.block) - 1, "i32");
        let zero = text.int(0, "i32");
        let up = largest(text, &up, &zero);
        let mut count = text.with("udiv", &up, i64::from(plan.block), "i32");
        if matches!(plan.form, Form::Forward { .. }) {
            // The first block starts the sums, though it may be invisible.
            let one = text.int(1, "i32");
            count = largest(text, &count, &one);
        }
        Ok(Walk {
            first,
            count,
            sees_from,
            sees_to,
        })
    }

    /// Over the queries of the tile: first and last visible key of any, last first key, first last key.
    fn scan_rows(&self, text: &mut Text) -> Result<[String; 4], String> {
        let plan = self.plan;
        let row = text.with("and", &self.thread, i64::from(ROWS) - 1, "i32");
        let row = text.two("add", &self.first, &row, "i32");
        let last = text.int(i64::from(plan.sizes[2]) - 1, "i32");
        let row = least(text, &row, &last);
        let [low, high] = self.visible(text, &row)?;
        let some = text.compare("slt", &low, &high, "i32");
        let (far, zero) = (text.int(FAR, "i32"), text.int(0, "i32"));
        let first = text.select(&some, &low, &far, "i32");
        let first = largest(text, &first, &zero);
        let end = text.select(&some, &high, &zero, "i32");
        let [first, end, from, to] = self.folded(
            text,
            [
                (&first, "min"),
                (&end, "max"),
                (&low, "max"),
                (&high, "min"),
            ],
        )?;
        // A tile that sees nothing starts anywhere among the keys.
        let key = text.int(i64::from(plan.sizes[3]) - 1, "i32");
        Ok([least(text, &first, &key), end, from, to])
    }

    /// First query that sees any key of the tile, and one past the last.
    fn scan_queries(&self, text: &mut Text) -> Result<[String; 2], String> {
        let plan = self.plan;
        let queries = i64::from(plan.sizes[2]);
        let beyond = text.with("add", &self.first, i64::from(ROWS), "i32");
        let (far, zero) = (text.int(FAR, "i32"), text.int(0, "i32"));
        let names = text.repeat(
            &[(self.thread.clone(), "i32"), (far, "i32"), (zero, "i32")],
            |text, names| {
                let queries = text.int(queries, "i32");
                text.compare("slt", &names[0], &queries, "i32")
            },
            |text, names| {
                let [low, high] = self.visible(text, &names[0])?;
                let high = least(text, &high, &beyond);
                let low = largest(text, &low, &self.first);
                let sees = text.compare("slt", &low, &high, "i32");
                let next = text.with("add", &names[0], 1, "i32");
                let first = least(text, &names[1], &names[0]);
                let end = largest(text, &names[2], &next);
                Ok::<_, String>(vec![
                    text.with("add", &names[0], i64::from(THREADS), "i32"),
                    text.select(&sees, &first, &names[1], "i32"),
                    text.select(&sees, &end, &names[2], "i32"),
                ])
            },
        )?;
        let [first, end] = self.folded(text, [(&names[1], "min"), (&names[2], "max")])?;
        let last = text.int(queries, "i32");
        Ok([least(text, &first, &last), end])
    }

    /// Least or largest of a value of all threads of the block.
    fn folded<const N: usize>(
        &self,
        text: &mut Text,
        values: [(&str, &str); N],
    ) -> Result<[String; N], String> {
        let warps = i64::from(THREADS / 32);
        let fold = |text: &mut Text, value: &str, how: &str| {
            text.answer(
                &format!("redux.sync.{how}.s32 $0, $1, 0xffffffff;"),
                "=r,r",
                &[(value, "i32")],
                "i32",
            )
        };
        let own: Vec<String> = values
            .iter()
            .map(|(value, how)| fold(text, value, how))
            .collect();
        let warp = text.with("lshr", &self.thread, 5, "i32");
        let at = text.with("shl", &warp, 2, "i32");
        let at = text.two("add", &self.scan, &at, "i32");
        let zero = text.int(0, "i32");
        let speaks = text.compare("eq", &self.lane, &zero, "i32");
        text.when(&speaks, |text| {
            for (number, value) in own.iter().enumerate() {
                let at = text.with("add", &at, 4 * warps * number as i64, "i32");
                store_shared(text, &at, value, "i32");
            }
            Ok::<_, String>(())
        })?;
        text.line("nvvm.barrier0");
        let last = text.int(warps - 1, "i32");
        let other = least(text, &self.lane, &last);
        let at = text.with("shl", &other, 2, "i32");
        let at = text.two("add", &self.scan, &at, "i32");
        let mut found = Vec::new();
        for (number, (_, how)) in values.iter().enumerate() {
            let at = text.with("add", &at, 4 * warps * number as i64, "i32");
            let value = super::numbers::shared_words(text, &at, 1, "i32").remove(0);
            let value = fold(text, &value, how);
            found.push(text.uniform(&value));
        }
        found
            .try_into()
            .map_err(|_| "as many results as values".to_owned())
    }
}
