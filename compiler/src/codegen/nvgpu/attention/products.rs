//! Matrix instructions as blocks of inline PTX.
//!
//! `wgmma` runs while the warpgroup goes on. Whoever names its accumulators before they are waited for
//! would name registers that still change, so a block that waits also names, as its results, the
//! accumulators that are complete after it.
//!
//! Tiles in shared memory are lines of 64 features (128 bytes, swizzled), one per element of the sequence;
//! panels of them lie side by side where a head is wider. A product that folds features reads
//! lines as they are; one that folds the sequence has the instruction transpose them.

use std::collections::BTreeSet;
use std::ops::Range;

use super::super::text::Text;

/// Left factor of a product.
pub(super) enum Left {
    /// Rows of a tile: its descriptor's operand, and the offset of each slice of 16.
    Shared(usize, Vec<i64>),
    /// Registers of bf16 pairs, four for each slice of 16.
    Registers(Range<usize>),
}

/// Operands and text of one block.
#[derive(Default)]
pub(super) struct Issue {
    made: usize,
    kept: Vec<String>,
    read: Vec<(String, &'static str)>,
    ptx: String,
}

impl Issue {
    /// Makes room for accumulators that start here; before any that are kept.
    pub fn make(&mut self, count: usize) -> Range<usize> {
        self.made += count;
        self.made - count..self.made
    }

    /// Accumulators that the block adds to, or whose end it waits for; before anything is read.
    pub fn keep(&mut self, names: &[String]) -> Range<usize> {
        let first = self.made + self.kept.len();
        self.kept.extend_from_slice(names);
        first..first + names.len()
    }

    /// An operand.
    pub fn read(&mut self, name: &str, ty: &'static str) -> usize {
        self.read.push((name.to_owned(), ty));
        self.made + self.kept.len() + self.read.len() - 1
    }

    /// Registers of bf16 pairs.
    pub fn read_all(&mut self, names: &[String]) -> Range<usize> {
        let first = self.made + self.kept.len() + self.read.len();
        for name in names {
            self.read(name, "i32");
        }
        first..first + names.len()
    }

    /// Orders what the registers held before.
    pub fn fence(&mut self) {
        self.ptx += "wgmma.fence.sync.aligned; ";
    }

    /// sums (+)= left·right, as one group. `right` is the operand with the descriptor of a tile and the
    /// offset of each slice; `across` if the product folds the lines of that tile.
    pub fn product(
        &mut self,
        sums: Range<usize>,
        left: &Left,
        (right, offsets): (usize, &[i64]),
        across: bool,
        fresh: bool,
    ) {
        let columns = 2 * sums.len();
        let sums: Vec<String> = sums.map(|number| format!("${number}")).collect();
        let sums = sums.join(", ");
        for (slice, offset) in offsets.iter().enumerate() {
            let adds = if fresh && slice == 0 { "no" } else { "yes" };
            self.ptx += &format!("add.s64 b, ${right}, {offset}; ");
            let (left, transposes) = match left {
                Left::Shared(number, offsets) => {
                    self.ptx += &format!("add.s64 a, ${number}, {}; ", offsets[slice]);
                    ("a".to_owned(), "0, ")
                }
                Left::Registers(all) => {
                    let four = all.start + 4 * slice;
                    let four: Vec<String> = (four..four + 4)
                        .map(|number| format!("${number}"))
                        .collect();
                    (format!("{{{}}}", four.join(", ")), "")
                }
            };
            self.ptx += &format!(
                "wgmma.mma_async.sync.aligned.m64n{columns}k16.f32.bf16.bf16 {{{sums}}}, {left}, b, \
                 {adds}, 1, 1, {transposes}{}; ",
                u32::from(across)
            );
        }
        self.ptx += "wgmma.commit_group.sync.aligned; ";
    }

    /// Waits until at most so many groups run.
    pub fn wait(&mut self, groups: u32) {
        self.ptx += &format!("wgmma.wait_group.sync.aligned {groups}; ");
    }

    /// Writes the block; returns the accumulators, those that start here first.
    pub fn finish(self, text: &mut Text, structs: &mut BTreeSet<usize>) -> Vec<String> {
        let count = self.made + self.kept.len();
        let ptx = format!(
            "{{ .reg .pred yes, no; .reg .b64 a, b; setp.eq.b32 yes, 0, 0; setp.ne.b32 no, 0, 0; {}}}",
            self.ptx
        );
        // Fresh accumulators are written while operands are still read.
        let mut constraints = vec!["=&f".to_owned(); self.made];
        constraints.resize(count, "=f".to_owned());
        constraints.extend(self.read.iter().map(|(_, ty)| {
            let letter = if *ty == "i64" { "l" } else { "r" };
            letter.to_owned()
        }));
        constraints.extend((self.made..count).map(|number| number.to_string()));
        let mut operands: Vec<(&str, &str)> = Vec::new();
        operands.extend(self.read.iter().map(|(name, ty)| (name.as_str(), *ty)));
        operands.extend(self.kept.iter().map(|name| (name.as_str(), "f32")));
        structs.insert(count);
        let ty = format!("!sums{count}");
        let results = text.answer(&ptx, &constraints.join(","), &operands, &ty);
        (0..count)
            .map(|number| text.value(format_args!("llvm.extractvalue {results}[{number}] : {ty}")))
            .collect()
    }
}

/// Offsets of slices that fold features, in units of 16 bytes, in a tile of so many rows.
pub(super) fn along(slices: u32, rows: u32) -> Vec<i64> {
    (0..i64::from(slices))
        .map(|slice| slice / 4 * i64::from(rows) * 8 + slice % 4 * 2)
        .collect()
}

/// Offsets of slices that fold the sequence.
pub(super) fn across(rows: u32) -> Vec<i64> {
    (0..i64::from(rows / 16)).map(|slice| slice * 128).collect()
}

/// Descriptor of a tile of so many rows (fields: see `gemm/multiply.rs`): units of 8 lines are 1024
/// bytes apart; across lines, panels are as far apart as they are long.
pub(super) fn descriptor(text: &mut Text, address: &str, rows: u32) -> String {
    let constant = 1 << 62 | (1024 >> 4) << 32 | i64::from(rows * 8) << 16;
    let constant = text.int(constant, "i64");
    let units = text.with("lshr", address, 4, "i32");
    let units = text.widen(&units);
    text.two("or", &constant, &units, "i64")
}
