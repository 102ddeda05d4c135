//! `wgmma`: each warp of a warpgroup computes its 16 rows when it issues the instruction; until the group
//! of the instruction is waited for, nobody may read or write the accumulators, write the registers of A,
//! or write the shared memory that is read.
//!
//! A plain `mov` of an accumulator that is still worked on is allowed and its copy counts as worked on
//! too: LLVM writes such moves around instructions with tied operands, and the assembler removes them.
//! For the same reason `mov` needs no `wgmma.fence`. Arithmetic is as in [`super::matrix`].

use std::collections::VecDeque;

use super::access::lanes;
use super::block::Block;
use super::matrix::{element_value, multiply};
use super::rows::{ALL, LANES, Rows};
use super::shared::Who;
use super::step::{Step, check_written};
use crate::fault::{FaultKind, Trouble};
use crate::program::{Element, NONE, Wgmma};
use crate::tensor_map::swizzled;

/// Warps of a warpgroup.
const GROUP: usize = 4;

/// The instructions of a warp that are not waited for.
#[derive(Default)]
pub(crate) struct State {
    closed: VecDeque<Batch>,
    open: Batch,
    fenced: bool,
    /// Instructions issued.
    issued: u64,
    /// Moves of accumulators that were worked on.
    pub moves: u64,
}

#[derive(Default)]
struct Batch {
    accumulators: Vec<u32>,
    operands: Vec<u32>,
    reads: Vec<(u64, u64)>,
}

impl State {
    pub fn is_open(&self) -> bool {
        !self.open.accumulators.is_empty()
            || self
                .closed
                .iter()
                .any(|batch| !batch.accumulators.is_empty())
    }
}

/// What the four warps must agree on: place and descriptors of each instruction.
type Issue = (u32, u64, u64, u32);

/// The sequence of a warpgroup's instructions, as the first warp that came issued them.
#[derive(Default)]
pub(crate) struct Log {
    first: u64,
    issues: VecDeque<Issue>,
}

/// A shared-memory matrix descriptor.
#[derive(Clone, Copy, Debug)]
struct Descriptor {
    start: u64,
    /// "Leading dimension byte offset".
    leading: u64,
    /// "Stride dimension byte offset".
    stride: u64,
    base: u64,
    swizzle: u32,
}

impl Descriptor {
    fn new(bits: u64) -> Descriptor {
        let field = |at: u32| (bits >> at & 0x3FFF) << 4;
        let swizzle = match bits >> 62 {
            0 => 0,
            1 => 128,
            2 => 64,
            _ => 32,
        };
        let (start, leading, stride) = (field(0), field(16), field(32));
        Descriptor {
            start,
            leading,
            stride,
            base: bits >> 49 & 7,
            swizzle,
        }
    }

    /// Address of the 16 bytes with element (`mn`, `k`); `per_chunk` elements lie in them.
    ///
    /// A unit is eight rows of one 16-byte chunk each without a swizzle, or of 2, 4 or 8 chunks with one
    /// of 32, 64 or 128 bytes. "K-major": rows are along M or N and hold consecutive k; units follow at
    /// the stride offset, and without a swizzle the second chunk of k is at the leading offset.
    /// "MN-major": rows are along k and hold consecutive m or n; with a swizzle units follow along M or N
    /// at the leading and along k at the stride offset, without one the other way round.
    fn chunk(&self, mn: u64, k: u64, transposed: bool, per_chunk: u64) -> u64 {
        let width = u64::from(self.swizzle.max(16)) / 16;
        let offset = if transposed {
            let chunk = mn / per_chunk;
            let (unit, inner) = (chunk / width, chunk % width);
            let (along_mn, along_k) = match self.swizzle {
                0 => (self.stride, self.leading),
                _ => (self.leading, self.stride),
            };
            inner * 16 + unit * along_mn + (k % 8) * 16 * width + k / 8 * along_k
        } else {
            let chunk = k / per_chunk;
            let along_k = if self.swizzle == 0 { self.leading } else { 16 };
            mn % 8 * 16 * width + mn / 8 * self.stride + chunk * along_k
        };
        swizzled(self.start + offset, self.swizzle)
    }
}

/// The value that all lanes have.
fn uniform(rows: &Rows, slot: u32, what: &str) -> Result<u64, Trouble> {
    check_written(rows, slot, ALL)?;
    let row = rows.wide(slot);
    match (1..LANES).find(|&lane| row[lane] != row[0]) {
        None => Ok(row[0]),
        Some(lane) => {
            let message = format!("threads give different {what}");
            Err(Trouble::new(FaultKind::Operand, lane, message))
        }
    }
}

impl Block<'_> {
    /// Whether a warp may go on with an instruction of its whole warpgroup.
    fn whole_warp(&self, w: usize, active: u32) -> Result<bool, Trouble> {
        let live = self.warps[w].live;
        if active != live {
            return Ok(false);
        }
        let last = w / GROUP * GROUP + GROUP;
        if live != ALL || last > self.warps.len() {
            let message = "`wgmma` needs four whole warps";
            return Err(Trouble::new(
                FaultKind::Divergence,
                active.trailing_zeros() as usize,
                message,
            ));
        }
        Ok(true)
    }

    pub(super) fn wgmma_fence(&mut self, w: usize, active: u32) -> Result<Step, Trouble> {
        if !self.whole_warp(w, active)? {
            return Ok(Step::Together);
        }
        self.warps[w].wgmma.fenced = true;
        self.warps[w].rows.touched.clear();
        Ok(Step::Next)
    }

    pub(super) fn wgmma_commit(&mut self, w: usize, active: u32) -> Result<Step, Trouble> {
        if !self.whole_warp(w, active)? {
            return Ok(Step::Together);
        }
        let state = &mut self.warps[w].wgmma;
        let open = std::mem::take(&mut state.open);
        state.closed.push_back(open);
        Ok(Step::Next)
    }

    pub(super) fn wgmma_wait(&mut self, w: usize, open: u32, active: u32) -> Result<Step, Trouble> {
        if !self.whole_warp(w, active)? {
            return Ok(Step::Together);
        }
        while self.warps[w].wgmma.closed.len() > open as usize {
            let Some(batch) = self.warps[w].wgmma.closed.pop_front() else {
                break;
            };
            let rows = &mut self.warps[w].rows;
            for row in batch.accumulators {
                rows.release(row);
            }
            for row in batch.operands {
                rows.unhold(row);
            }
            for (address, bytes) in batch.reads {
                self.shared.finish_read(w, address, bytes);
            }
        }
        Ok(Step::Next)
    }

    pub(super) fn wgmma(
        &mut self,
        w: usize,
        op: &Wgmma,
        pc: u32,
        active: u32,
        line: u32,
    ) -> Result<Step, Trouble> {
        if !self.whole_warp(w, active)? {
            return Ok(Step::Together);
        }
        let warp = &self.warps[w];
        let rows = &warp.rows;
        let refuse = |kind, message: &str| Err(Trouble::new(kind, 0, message));
        if !warp.wgmma.fenced {
            return refuse(
                FaultKind::NotWaited,
                "the first `wgmma` comes without `wgmma.fence`",
            );
        }
        check_written(rows, op.accumulate, ALL)?;
        let accumulate = rows.predicate(op.accumulate);
        if accumulate != 0 && accumulate != ALL {
            return refuse(
                FaultKind::Operand,
                "threads disagree on whether to accumulate",
            );
        }
        for &row in op.d.iter().chain(&op.a_registers) {
            if self.launch.options.wgmma_fences && rows.touched.contains(&row) {
                let message =
                    "a register was used since the last `wgmma.fence`, other than by `wgmma`";
                return refuse(FaultKind::NotWaited, message);
            }
        }
        for &row in &op.d {
            if accumulate != 0 && !rows.is_pending(row) {
                check_written(rows, row, ALL)?;
            }
        }
        for &row in &op.a_registers {
            check_written(rows, row, ALL)?;
        }
        let b_bits = uniform(rows, op.b, "descriptors of B")?;
        let a_bits = if op.a == NONE {
            0
        } else {
            uniform(rows, op.a, "descriptors of A")?
        };
        self.agree(w, (pc, a_bits, b_bits, accumulate))?;

        let who = Who {
            warp: w,
            lane: 0,
            line,
            atomic: false,
        };
        let mut batch = std::mem::take(&mut self.warps[w].wgmma.open);
        let k = (32 / op.element.bytes()) as usize;
        let n = op.n as usize;
        let a = if op.a == NONE {
            self.a_of_registers(w, op, k)
        } else {
            let rows = (w % GROUP * 16) as u64..(w % GROUP * 16 + 16) as u64;
            let operand = Operand {
                bits: a_bits,
                rows,
                transposed: op.transpose_a,
            };
            self.matrix(who, op.element, &operand, &mut batch.reads)?
        };
        let operand = Operand {
            bits: b_bits,
            rows: 0..n as u64,
            transposed: op.transpose_b,
        };
        let columns = self.matrix(who, op.element, &operand, &mut batch.reads)?;
        let sign = if op.negate_a != op.negate_b {
            -1.0
        } else {
            1.0
        };
        let mut b = vec![0.0; k * n];
        for (column, values) in columns.chunks_exact(k).enumerate() {
            for (row, &value) in values.iter().enumerate() {
                b[row * n + column] = sign * value;
            }
        }
        // Accumulator i of a thread: eight columns for each four, two for each, rows 8 apart.
        let place = |lane: usize, index: usize| {
            let (row, column) = (
                lane / 4 + 8 * (index / 2 % 2),
                8 * (index / 4) + 2 * (lane % 4) + index % 2,
            );
            row * n + column
        };
        let mut acc = vec![0.0; 16 * n];
        let rows = &mut self.warps[w].rows;
        if accumulate != 0 {
            for (index, &slot) in op.d.iter().enumerate() {
                for (lane, &bits) in rows.narrow(slot).iter().enumerate() {
                    acc[place(lane, index)] = f32::from_bits(bits);
                }
            }
        }
        multiply(&mut acc, &a, &b, n);
        for (index, &slot) in op.d.iter().enumerate() {
            let values = std::array::from_fn(|lane| acc[place(lane, index)].to_bits());
            *rows.narrow_mut(slot) = values;
            rows.make_pending(slot);
        }
        for &slot in &op.a_registers {
            rows.hold(slot);
        }
        batch.accumulators.extend(&op.d);
        batch.operands.extend(&op.a_registers);
        let state = &mut self.warps[w].wgmma;
        state.open = batch;
        Ok(Step::Next)
    }

    /// All warps of a warpgroup issue the same instructions.
    fn agree(&mut self, w: usize, issue: Issue) -> Result<(), Trouble> {
        let group = w / GROUP;
        let number = self.warps[w].wgmma.issued;
        self.warps[w].wgmma.issued += 1;
        let log = &mut self.wgmma_logs[group];
        let index = (number - log.first) as usize;
        match log.issues.get(index) {
            Some(&other) if other != issue => {
                let message = "warps of a warpgroup issue different `wgmma` or descriptors";
                return Err(Trouble::new(FaultKind::Divergence, 0, message));
            }
            Some(_) => {}
            None => log.issues.push_back(issue),
        }
        let warps = &self.warps[group * GROUP..group * GROUP + GROUP];
        let least = warps
            .iter()
            .map(|warp| warp.wgmma.issued)
            .min()
            .unwrap_or(0);
        while log.first < least {
            log.issues.pop_front();
            log.first += 1;
        }
        Ok(())
    }

    fn a_of_registers(&self, w: usize, op: &Wgmma, k: usize) -> Vec<f32> {
        let rows = &self.warps[w].rows;
        let per_word = (4 / op.element.bytes()) as usize;
        let mut a = vec![0.0; 16 * k];
        for (index, &slot) in op.a_registers.iter().enumerate() {
            for (lane, &bits) in rows.narrow(slot).iter().enumerate() {
                let row = lane / 4 + 8 * (index % 2);
                for part in 0..per_word {
                    let column = per_word * (lane % 4 + 4 * (index / 2)) + part;
                    a[row * k + column] = element_value(op.element, bits >> (16 * part));
                }
            }
        }
        a
    }

    /// Rows of an operand in shared memory, each with its k values.
    fn matrix(
        &mut self,
        who: Who,
        element: Element,
        operand: &Operand,
        reads: &mut Vec<(u64, u64)>,
    ) -> Result<Vec<f32>, Trouble> {
        let descriptor = Descriptor::new(operand.bits);
        if descriptor.base != 0 {
            let message = "matrix descriptors with a base offset are not supported";
            return Err(Trouble::new(FaultKind::Refused, 0, message).at(descriptor.start));
        }
        let bytes = u64::from(element.bytes());
        let (k, per_chunk) = (32 / bytes, 16 / bytes);
        let first = operand.rows.start;
        let mut values = vec![0.0; ((operand.rows.end - first) * k) as usize];
        let mut chunks = Vec::new();
        let (rows, steps) = if operand.transposed {
            (
                (first..operand.rows.end).step_by(per_chunk as usize),
                (0..k).step_by(1),
            )
        } else {
            (
                operand.rows.clone().step_by(1),
                (0..k).step_by(per_chunk as usize),
            )
        };
        for mn in rows {
            for start in steps.clone() {
                let address = descriptor.chunk(mn, start, operand.transposed, per_chunk);
                chunks.push(address);
                let data = self.shared.start_read(who, address, 16)?;
                for (index, bits) in data.chunks_exact(bytes as usize).enumerate() {
                    let (row, column) = match operand.transposed {
                        true => (mn - first + index as u64, start),
                        false => (mn - first, start + index as u64),
                    };
                    let bits = match bits {
                        [low, high] => u32::from(u16::from_le_bytes([*low, *high])),
                        _ => u32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]),
                    };
                    values[(row * k + column) as usize] = element_value(element, bits);
                }
            }
        }
        // Neighbours are released together.
        chunks.sort_unstable();
        for address in chunks {
            match reads.last_mut() {
                Some((start, bytes)) if *start + *bytes == address => *bytes += 16,
                _ => reads.push((address, 16)),
            }
        }
        Ok(values)
    }

    /// A `mov` of an accumulator that is worked on: its copy is worked on as long.
    pub(super) fn move_accumulator(&mut self, w: usize, target: u32, source: u32) {
        let warp = &mut self.warps[w];
        let state = &mut warp.wgmma;
        let values = *warp.rows.narrow(source);
        *warp.rows.narrow_mut(target) = values;
        state.moves += 1;
        for batch in state
            .closed
            .iter_mut()
            .chain(std::iter::once(&mut state.open))
        {
            let count = batch
                .accumulators
                .iter()
                .filter(|&&row| row == source)
                .count();
            for _ in 0..count {
                batch.accumulators.push(target);
                warp.rows.make_pending(target);
            }
        }
    }

    /// Lanes for which a rule about registers under work is broken.
    pub(super) fn check_free(&self, w: usize, row: u32, active: u32) -> Result<(), Trouble> {
        if self.warps[w].rows.is_free(row) {
            return Ok(());
        }
        let lane = lanes(active).next().unwrap_or(0);
        let message = "a register that a `wgmma` still uses is written";
        Err(Trouble::new(FaultKind::NotWaited, lane, message))
    }
}

/// A matrix in shared memory: descriptor, rows along M or N, and whether those are consecutive.
struct Operand {
    bits: u64,
    rows: std::ops::Range<u64>,
    transposed: bool,
}
