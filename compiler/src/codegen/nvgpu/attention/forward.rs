//! Forward: softmax over the walked keys in registers.
//!
//! With c = scale·log₂e and the largest raw score m so far, a weight is 2^(c·s − c·m): one
//! multiply-add and one exponential. Sums so far are scaled when m grows. A row that has seen
//! nothing has m = −∞; 0 stands in for it, so that its weights are 2^−∞ = 0.

use super::super::text::{Carried, Text};
use super::numbers::{fma, largest, least, maximum, power, quad};
use super::plan::{Form, Place, ROWS};
use super::produce::position;
use super::products::{Issue, Left, across, along, descriptor};
use super::store::{Sight, pack};
use super::{Block, LOG2_E, Walk};

/// Largest score and sum of weights of the thread's two rows.
#[derive(Clone)]
struct Sums {
    largest: [String; 2],
    total: [String; 2],
}

/// A block's weights, the sums with it, and the factor for what was summed before.
struct Weighed {
    weights: Vec<String>,
    sums: Sums,
    rescale: [String; 2],
}

impl Block<'_> {
    /// What a consuming warpgroup does.
    pub(super) fn forward(&mut self, text: &mut Text, walk: &Walk) -> Result<(), String> {
        let plan = self.plan;
        let rows = self.rows(text);
        let sight = self.sights(text, &rows)?;
        let zero = text.int(0, "i32");
        let resident = self.resident(text);
        text.wait(&resident, &zero);
        let own = text.with("mul", &self.group, 64 * 128, "i32");
        let own = text.two("add", &self.tiles, &own, "i32");
        let query = descriptor(text, &own, ROWS);

        let ring = self.ring(text);
        self.wait_full(text, &ring);
        let mut issue = Issue::default();
        let scores = issue.make(plan.block as usize / 2);
        let key = self.tile(text, &ring.slot);
        let (query_operand, key) = (issue.read(&query, "i64"), issue.read(&key, "i64"));
        issue.fence();
        self.score(&mut issue, scores, query_operand, key);
        issue.wait(0);
        let scores = issue.finish(text, &mut self.structs);
        self.release(text, &ring.slot, None);
        let ring = self.advance(text, &ring);
        let nothing = text.float(f32::NEG_INFINITY);
        let none = text.float(0.0);
        let sums = Sums {
            largest: [nothing.clone(), nothing],
            total: [none.clone(), none.clone()],
        };
        let weighed = self.weigh(text, walk, &walk.first, &scores, &sight, &sums)?;
        let weights = pack(text, &weighed.weights);

        let one = text.int(1, "i32");
        let (words, outputs) = (weights.len(), plan.features as usize / 2);
        let mut carried: Vec<Carried> = vec![(one, "i32"), (ring.slot, "i32"), (ring.phase, "i32")];
        let sums = weighed.sums;
        carried.extend(
            sums.largest
                .into_iter()
                .chain(sums.total)
                .map(|name| (name, "f32")),
        );
        carried.extend(weights.into_iter().map(|name| (name, "i32")));
        carried.extend((0..outputs).map(|_| (none.clone(), "f32")));
        let names = text.repeat(
            &carried,
            |text, names| text.compare("slt", &names[0], &walk.count, "i32"),
            |text, names| {
                let keys = position(names);
                let values = self.advance(text, &keys);
                let (weights, output) = names[7..].split_at(words);
                self.wait_full(text, &keys);
                self.wait_full(text, &values);
                let mut issue = Issue::default();
                let scores = issue.make(plan.block as usize / 2);
                let sums = issue.keep(output);
                let [key, value] = [&keys, &values].map(|ring| self.tile(text, &ring.slot));
                let query = issue.read(&query, "i64");
                let (key, value) = (issue.read(&key, "i64"), issue.read(&value, "i64"));
                let left = Left::Registers(issue.read_all(weights));
                issue.fence();
                self.score(&mut issue, scores, query, key);
                issue.product(sums, &left, (value, &across(plan.block)), true, false);
                issue.wait(1);
                let found = issue.finish(text, &mut self.structs);
                let (scores, output) = found.split_at(plan.block as usize / 2);
                self.release(text, &keys.slot, None);
                let offset = text.with("mul", &names[0], i64::from(plan.block), "i32");
                let begin = text.two("add", &walk.first, &offset, "i32");
                let before = Sums {
                    largest: [names[3].clone(), names[4].clone()],
                    total: [names[5].clone(), names[6].clone()],
                };
                let weighed = self.weigh(text, walk, &begin, scores, &sight, &before)?;
                // The weights are named so that no register of theirs is written before.
                let mut issue = Issue::default();
                issue.keep(output);
                issue.read_all(weights);
                issue.wait(0);
                let output = issue.finish(text, &mut self.structs);
                self.release(text, &values.slot, None);
                let mut next = vec![text.with("add", &names[0], 1, "i32")];
                let ring = self.advance(text, &values);
                next.extend([ring.slot, ring.phase]);
                next.extend(weighed.sums.largest.into_iter().chain(weighed.sums.total));
                next.extend(pack(text, &weighed.weights));
                next.extend(output.iter().enumerate().map(|(number, sum)| {
                    text.two("fmul", sum, &weighed.rescale[number / 2 % 2], "f32")
                }));
                Ok::<_, String>(next)
            },
        )?;
        let ring = position(&names);
        self.wait_full(text, &ring);
        let (weights, output) = names[7..].split_at(words);
        let mut issue = Issue::default();
        let sums = issue.keep(output);
        let value = self.tile(text, &ring.slot);
        let value = issue.read(&value, "i64");
        let left = Left::Registers(issue.read_all(weights));
        issue.fence();
        issue.product(sums, &left, (value, &across(plan.block)), true, false);
        issue.wait(0);
        let output = issue.finish(text, &mut self.structs);
        let total = [&names[5], &names[6]]
            .map(|total| quad(text, total, |text, a, b| text.two("fadd", a, b, "f32")));
        let largest = [names[3].clone(), names[4].clone()];
        self.store_forward(text, &rows, &output, &Sums { largest, total })
    }

    /// Output and log-sum-exp.
    fn store_forward(
        &self,
        text: &mut Text,
        rows: &[String; 2],
        output: &[String],
        sums: &Sums,
    ) -> Result<(), String> {
        let plan = self.plan;
        let Form::Forward {
            output: place,
            floor,
            statistic,
        } = &plan.form
        else {
            return Err("another form of attention".to_owned());
        };
        let (floor, one) = (text.float(*floor), text.float(1.0));
        let factors = [0, 1].map(|row: usize| {
            let divisor = maximum(text, &sums.total[row], &floor);
            text.two("fdiv", &one, &divisor, "f32")
        });
        let output: Vec<String> = output
            .iter()
            .enumerate()
            .map(|(number, sum)| text.two("fmul", sum, &factors[number / 2 % 2], "f32"))
            .collect();
        let queries = (plan.axes[3], plan.sizes[2]);
        self.store_rows(text, place, queries, rows, &output)?;
        match statistic {
            Some(place) => self.store_statistic(text, place, rows, sums),
            None => Ok(()),
        }
    }

    /// largest·scale + log total, by the first of the four threads of a row.
    fn store_statistic(
        &self,
        text: &mut Text,
        place: &Place,
        rows: &[String; 2],
        sums: &Sums,
    ) -> Result<(), String> {
        let plan = self.plan;
        let column = self.column(text);
        let (zero, length) = (
            text.int(0, "i32"),
            text.int(i64::from(plan.sizes[2]), "i32"),
        );
        let speaks = text.compare("eq", &column, &zero, "i32");
        let (scale, ln2) = (text.float(plan.scale), text.float(std::f32::consts::LN_2));
        for (half, row) in rows.iter().enumerate() {
            let exists = text.compare("slt", row, &length, "i32");
            let stores = text.two("and", &exists, &speaks, "i1");
            text.when(&stores, |text| {
                let row = text.widen(row);
                let mut at = self.fixed();
                at.push((plan.axes[3], &row));
                let at = self.address(text, place, &at)?;
                let total = &sums.total[half];
                let log = text.pure("lg2.approx.f32 $0, $1;", "=f,f", &[(total, "f32")], "f32");
                let log = text.two("fmul", &log, &ln2, "f32");
                let value = fma(text, &sums.largest[half], &scale, &log);
                text.line(format_args!(
                    "llvm.store {value}, {at} {{alignment = 4 : i64}} : f32, !llvm.ptr<1>"
                ));
                Ok::<_, String>(())
            })?;
        }
        Ok(())
    }

    /// Descriptor of the block in a slot.
    fn tile(&self, text: &mut Text, slot: &str) -> String {
        let at = self.slot(text, slot);
        descriptor(text, &at, self.plan.block)
    }

    /// S = rows of the tile · columns of the block, folding features.
    pub(super) fn score(
        &self,
        issue: &mut Issue,
        sums: std::ops::Range<usize>,
        rows: usize,
        columns: usize,
    ) {
        let slices = self.plan.slices();
        let left = Left::Shared(rows, along(slices, ROWS));
        let right = along(slices, self.plan.block);
        issue.product(sums, &left, (columns, &right), false, true);
    }

    /// What the thread's rows see, where blocks are masked.
    pub(super) fn sights(
        &self,
        text: &mut Text,
        rows: &[String; 2],
    ) -> Result<Option<[Sight; 2]>, String> {
        if !self.plan.masks() {
            return Ok(None);
        }
        let last = text.int(i64::from(self.plan.sizes[2]) - 1, "i32");
        let zero = text.int(0, "i32");
        let mut found = Vec::new();
        for row in rows {
            let row = least(text, row, &last);
            let [low, high] = self.visible(text, &row)?;
            let span = text.two("sub", &high, &low, "i32");
            found.push(Sight {
                low,
                span: largest(text, &span, &zero),
            });
        }
        let found = found.try_into();
        Ok(Some(found.map_err(|_| "a thread has two rows")?))
    }

    /// Whether some row does not see all keys of a block.
    pub(super) fn partly(&self, text: &mut Text, walk: &Walk, begin: &str) -> String {
        let end = text.with("add", begin, i64::from(self.plan.block), "i32");
        let before = text.compare("slt", begin, &walk.sees_from, "i32");
        let after = text.compare("sgt", &end, &walk.sees_to, "i32");
        text.two("or", &before, &after, "i1")
    }

    /// Scores of a block to weights.
    fn weigh(
        &self,
        text: &mut Text,
        walk: &Walk,
        begin: &str,
        scores: &[String],
        sight: &Option<[Sight; 2]>,
        before: &Sums,
    ) -> Result<Weighed, String> {
        let masked;
        let scores = match sight {
            None => scores,
            Some(sight) => {
                let partly = self.partly(text, walk, begin);
                let hidden = f32::NEG_INFINITY;
                masked = self.masked(text, &partly, scores, begin, sight, hidden)?;
                &masked[..]
            }
        };
        let (up, down) = (
            text.float(self.plan.scale * LOG2_E),
            text.float(-self.plan.scale * LOG2_E),
        );
        let (nothing, none) = (text.float(f32::NEG_INFINITY), text.float(0.0));
        let mut weights = vec![String::new(); scores.len()];
        let mut sums = before.clone();
        let mut rescale = [String::new(), String::new()];
        for (row, rescale) in rescale.iter_mut().enumerate() {
            let own: Vec<usize> = (0..scores.len())
                .filter(|number| number / 2 % 2 == row)
                .collect();
            let values = own.iter().map(|number| scores[*number].clone()).collect();
            let best = tree(text, values, maximum);
            let best = quad(text, &best, maximum);
            let best = maximum(text, &best, &before.largest[row]);
            let unseen = text.value(format_args!("llvm.fcmp \"oeq\" {best}, {nothing} : f32"));
            let base = text.select(&unseen, &none, &best, "f32");
            let shift = text.two("fmul", &base, &down, "f32");
            let old = fma(text, &before.largest[row], &up, &shift);
            *rescale = power(text, &old);
            for number in &own {
                let exponent = fma(text, &scores[*number], &up, &shift);
                weights[*number] = power(text, &exponent);
            }
            let values = own.iter().map(|number| weights[*number].clone()).collect();
            let sum = tree(text, values, |text, a, b| text.two("fadd", a, b, "f32"));
            sums.total[row] = fma(text, &before.total[row], rescale, &sum);
            sums.largest[row] = best;
        }
        Ok(Weighed {
            weights,
            sums,
            rescale,
        })
    }
}

/// Folds values pairwise.
fn tree(
    text: &mut Text,
    mut values: Vec<String>,
    fold: impl Fn(&mut Text, &str, &str) -> String,
) -> String {
    while values.len() > 1 {
        values = values
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => fold(text, a, b),
                rest => rest[0].clone(),
            })
            .collect();
    }
    values.swap_remove(0)
}
