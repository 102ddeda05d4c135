//! The producing warpgroup: fills the ring, by bulk copies or by evaluating an operand.
//!
//! In shared memory an operand's step is lines of 128 bytes, 64 elements along its contiguous
//! axis; chunk c of 16 bytes of line l lies at chunk c ⊕ (l mod 8), as the 128-byte swizzle of bulk
//! copies has it. With lines along the folded axis, line l is result element l. With lines along
//! the result axis, line 64·b + j has elements 64·b … 64·b + 63 at step element j.

use super::super::point::Point;
use super::super::text::Text;
use super::super::thread;
use super::plan::{Major, Operand, Product, STEP, Source, map_axes};
use super::{Block, bound};
use crate::kernel::AxisId;

impl Block<'_> {
    /// What the producing warpgroup does.
    pub(super) fn produce(&mut self, text: &mut Text) -> Result<(), String> {
        if let Some((few, _)) = self.plan.registers() {
            text.effect(&format!("setmaxnreg.dec.sync.aligned.u32 {few};"), "", &[]);
        }
        if self.plan.computes() {
            return self.produce_tiles(text);
        }
        let leader = self.leader(text);
        self.whole_warps = false;
        text.when(&leader, |text| self.produce_tiles(text))?;
        self.whole_warps = true;
        Ok(())
    }

    /// Whether the thread is the first of the producers.
    fn leader(&self, text: &mut Text) -> String {
        let first = text.int(i64::from(128 * self.plan.consumers()), "i32");
        text.compare("eq", &self.thread, &first, "i32")
    }

    fn produce_tiles(&mut self, text: &mut Text) -> Result<(), String> {
        self.each_tile(text, |this, text, place, ring| {
            let mut ring = ring;
            let plan = this.plan;
            for product in &plan.products {
                ring = this.each_step(text, product, place, ring, |this, text, step, ring| {
                    // A slot that was never filled counts as released one phase ago.
                    let one = text.int(1, "i32");
                    let released = text.two("xor", &ring.phase, &one, "i32");
                    let empty = this.empty(text, &ring.slot);
                    text.wait(&empty, &released);
                    let axes = this.step_axes(text, product, place, step);
                    this.fill(text, product, place, &axes, &ring.slot)
                })?;
            }
            Ok(ring)
        })
    }

    /// One step of the ring.
    fn fill(
        &mut self,
        text: &mut Text,
        product: &Product,
        place: &super::Place,
        axes: &[(AxisId, String)],
        slot: &str,
    ) -> Result<(), String> {
        let plan = self.plan;
        let full = self.full(text, slot);
        let stage = self.stage(text, slot);
        let columns = text.with("add", &stage, i64::from(2 * STEP * plan.tile()[0]), "i32");
        let operands = [
            (&product.rows, stage, plan.tile()[0], &place.m),
            (&product.columns, columns, plan.tile()[1], &place.n),
        ];
        // With `masked` all but the rows.
        let copies = |this: &Self, text: &mut Text, masked: bool| -> Result<(), String> {
            let operands = || {
                let copied = |operand: &Operand| matches!(operand.source, Source::Copied { .. });
                let all = operands.iter().skip(usize::from(masked));
                all.filter(move |(operand, ..)| copied(operand))
            };
            let bytes: u32 = operands().map(|(_, _, lines, _)| 2 * STEP * lines).sum();
            match bytes {
                0 => arrive(text, &full),
                bytes => text.effect(
                    &format!("mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], {bytes};"),
                    "r",
                    &[(&full, "i32")],
                ),
            }
            for (operand, to, lines, first) in operands() {
                if let Source::Copied { map } = operand.source {
                    this.copy(
                        text,
                        operand,
                        product.folded,
                        map,
                        [to, first, &full],
                        *lines,
                        axes,
                    )?;
                }
            }
            Ok(())
        };
        if !plan.computes() {
            return copies(self, text, false);
        }
        let past = match product.masked {
            None => None,
            Some(vector) => Some((self.past_group(text, product, place, axes)?, vector)),
        };
        let leader = self.leader(text);
        text.when(&leader, |text| match &past {
            None => copies(self, text, false),
            Some((past, _)) => {
                text.when(past, |text| copies(self, text, true))?;
                let whole = text.not(past);
                text.when(&whole, |text| copies(self, text, false))
            }
        })?;
        text.effect("bar.warp.sync 0xffffffff;", "", &[]);
        let end = self.folded_rows(place).map(|[_, end]| end.as_str());
        let evaluated = |operand, lines, vector| Evaluated {
            operand,
            folded: product.folded,
            lines,
            end,
            vector,
        };
        for (operand, to, lines, first) in &operands {
            if let Source::Computed { vector } = operand.source {
                let step = evaluated(operand, *lines, vector);
                self.compute(text, &step, [to, first], axes)?;
            }
        }
        if let Some((past, vector)) = past {
            let [(operand, to, lines, first), _] = &operands;
            // The same condition, but none by which a compiler would part the warp before its barrier.
            let past = text.value(format_args!("llvm.zext {past} : i1 to i32"));
            let past = text.uniform(&past);
            let zero = text.int(0, "i32");
            let past = text.compare("ne", &past, &zero, "i32");
            let step = evaluated(operand, *lines, vector);
            text.when(&past, |text| self.compute(text, &step, [to, first], axes))?;
        }
        // What the multiplying instructions read was written by ordinary stores.
        text.effect("fence.proxy.async.shared::cta;", "", &[]);
        arrive(text, &full);
        Ok(())
    }

    /// Bulk copies of one operand's step: one box with lines along the folded axis, else one for
    /// each 64 lines.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call; a struct would name each twice"
    )]
    fn copy(
        &self,
        text: &mut Text,
        operand: &Operand,
        folded: AxisId,
        map: u32,
        [to, first, full]: [&str; 3],
        lines: u32,
        axes: &[(AxisId, String)],
    ) -> Result<(), String> {
        let boxes = match operand.major {
            Major::Folded => 1,
            Major::Result => lines / STEP,
        };
        for number in 0..i64::from(boxes) {
            let to = text.with("add", to, number * 8192, "i32");
            let mut coordinates = Vec::new();
            for axis in map_axes(&self.plan.kernel, operand, folded) {
                coordinates.push(if axis == operand.axis {
                    let first = text.narrow(first);
                    text.with("add", &first, number * i64::from(STEP), "i32")
                } else {
                    let at = text.narrow(bound(axes, axis)?);
                    match operand.end.filter(|_| axis == folded) {
                        None => at,
                        Some(end) => {
                            let part = text.narrow(bound(axes, end.part)?);
                            let start = text.with("mul", &part, end.length as i64, "i32");
                            text.two("add", &start, &at, "i32")
                        }
                    }
                });
            }
            text.copy_box(&to, map, &coordinates, full);
        }
        Ok(())
    }

    /// Evaluates one operand's step. Thread t has chunk t mod 8 of lines t div 8 + 16·i; four such
    /// chunks are read before the first is stored.
    fn compute(
        &mut self,
        text: &mut Text,
        step: &Evaluated<'_>,
        [to, first]: [&str; 2],
        axes: &[(AxisId, String)],
    ) -> Result<(), String> {
        let Evaluated {
            operand,
            folded,
            lines,
            end,
            vector,
        } = *step;
        let chunk = text.with("and", &self.thread, 7, "i32");
        let line = text.with("and", &self.thread, 127, "i32");
        let line = text.with("lshr", &line, 3, "i32");
        let low = text.with("and", &line, 7, "i32");
        let swizzled = text.two("xor", &chunk, &low, "i32");
        let swizzled = text.with("shl", &swizzled, 4, "i32");
        let offset = text.with("shl", &line, 7, "i32");
        let offset = text.two("add", &offset, &swizzled, "i32");
        let own = text.two("add", to, &offset, "i32");
        let chunk = text.widen(&chunk);
        let chunk = text.with("shl", &chunk, 3, "i64");
        let line = text.widen(&line);
        let step = bound(axes, folded)?;
        // Where the thread's chunk starts along the lines, and its first line across them.
        let (along, across) = match operand.major {
            Major::Folded => ((folded, step), (operand.axis, first)),
            Major::Result => ((operand.axis, first), (folded, step)),
        };
        let start = text.two("add", along.1, &chunk, "i64");
        let line = text.two("add", across.1, &line, "i64");
        let zero = text.int(0, "i32");
        let groups = i64::from(lines / 64);
        text.repeat(
            &[(zero, "i32"), (own, "i32")],
            |text, names| {
                let groups = text.int(groups, "i32");
                text.compare("slt", &names[0], &groups, "i32")
            },
            |text, names| {
                let group = text.widen(&names[0]);
                let moved = text.with("shl", &group, 6, "i64");
                let (start, line) = match operand.major {
                    Major::Folded => (start.clone(), text.two("add", &line, &moved, "i64")),
                    Major::Result => (text.two("add", &start, &moved, "i64"), line.clone()),
                };
                let part = Part {
                    along: along.0,
                    across: across.0,
                    start,
                    line,
                    end: end.map(|end| (folded, end)),
                    vector,
                };
                let chunks = self.chunks(text, operand, &part, axes)?;
                for (number, words) in chunks.iter().enumerate() {
                    let at = text.with("add", &names[1], 2048 * number as i64, "i32");
                    let given: Vec<(&str, &str)> = std::iter::once((at.as_str(), "i32"))
                        .chain(words.iter().map(|word| (word.as_str(), "i32")))
                        .collect();
                    text.effect(
                        "st.shared.v4.b32 [$0], {$1, $2, $3, $4};",
                        "r,r,r,r,r",
                        &given,
                    );
                }
                let next = text.with("add", &names[0], 1, "i32");
                let to = text.with("add", &names[1], 8192, "i32");
                Ok::<_, String>(vec![next, to])
            },
        )?;
        Ok(())
    }

    /// Four chunks, 16 lines apart, as packed words.
    fn chunks(
        &mut self,
        text: &mut Text,
        operand: &Operand,
        part: &Part<'_>,
        axes: &[(AxisId, String)],
    ) -> Result<Vec<Vec<String>>, String> {
        let plan = self.plan;
        let mut point = Point::new(&plan.kernel, &self.machine)?;
        for (axis, name) in axes {
            if *axis != part.along && *axis != part.across {
                point.bind(*axis, name);
            }
        }
        let width = if part.vector { 8 } else { 1 };
        if part.vector {
            point.vector(part.along, width);
        }
        // Points outside are read inside and replaced by zero.
        let mut starts = Vec::new();
        for element in (0..8).step_by(width as usize) {
            let at = text.with("add", &part.start, element, "i64");
            starts.push(self.clamped(text, part, part.along, &at, i64::from(width)));
        }
        let mut evaluated = Vec::new();
        for number in 0..4 {
            let line = text.with("add", &part.line, 16 * number, "i64");
            let (line, inside) = self.clamped(text, part, part.across, &line, 1);
            let mut values = Vec::new();
            for (start, exists) in &starts {
                let value = point.value(
                    operand.expr,
                    [(part.along, start), (part.across, &line)],
                    width,
                )?;
                values.push((value, exists.clone()));
            }
            evaluated.push((values, inside));
        }
        let lanes = point.finish(text)?;
        let mut chunks = Vec::new();
        for (values, inside) in evaluated {
            let mut elements = Vec::new();
            for (value, exists) in values {
                for name in lanes.of(value) {
                    elements.push(match (&exists, part.vector) {
                        (Some(exists), false) => {
                            let zero = text.float(0.0);
                            text.select(exists, name, &zero, "f32")
                        }
                        _ => name.clone(),
                    });
                }
            }
            let whole = starts[0].1.as_ref().filter(|_| part.vector);
            let conditions: Vec<&String> = inside.iter().chain(whole).collect();
            let condition = match &conditions[..] {
                [] => None,
                [one] => Some((*one).clone()),
                [a, b, ..] => Some(text.two("and", a, b, "i1")),
            };
            let mut words = thread::pack(text, &elements);
            if let Some(condition) = condition {
                for word in &mut words {
                    let zero = text.int(0, "i32");
                    *word = text.select(&condition, word, &zero, "i32");
                }
            }
            chunks.push(words);
        }
        Ok(chunks)
    }

    /// A place along an axis moved so that so many elements exist, and whether it was inside.
    fn clamped(
        &self,
        text: &mut Text,
        part: &Part<'_>,
        axis: AxisId,
        at: &str,
        width: i64,
    ) -> (String, Option<String>) {
        let plan = self.plan;
        let end = part.end.filter(|(folded, _)| *folded == axis);
        let step = match axis {
            axis if axis == plan.m => plan.tile()[0],
            axis if axis == plan.n => plan.tile()[1],
            _ => STEP,
        };
        let whole = |size: u64| size.is_multiple_of(u64::from(step));
        if end.is_none() && plan.fixed(axis).is_some_and(whole) {
            return (at.to_owned(), None);
        }
        let size = end.map_or_else(|| format!("%size{}", axis.0), |(_, end)| end.to_owned());
        let inside = text.compare("slt", at, &size, "i64");
        let last = text.with("sub", &size, width, "i64");
        (text.least(at, &last), Some(inside))
    }
}

/// An operand that is evaluated in a step.
struct Evaluated<'a> {
    operand: &'a Operand,
    folded: AxisId,
    lines: u32,
    /// One past the last folded element, where it is not that of the axis.
    end: Option<&'a str>,
    vector: bool,
}

/// What a thread evaluates of an operand's step.
struct Part<'a> {
    along: AxisId,
    across: AxisId,
    start: String,
    line: String,
    /// An axis that ends early, and one past its last element.
    end: Option<(AxisId, &'a str)>,
    vector: bool,
}

/// One arrival.
fn arrive(text: &mut Text, barrier: &str) {
    text.effect(
        "mbarrier.arrive.shared::cta.b64 _, [$0];",
        "r",
        &[(barrier, "i32")],
    );
}
