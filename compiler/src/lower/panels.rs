//! Packing: a block of an operand, evaluated and laid out for the micro-kernel.
//!
//! In words of 4 bytes (an f32, or two bf16 neighbours along k, the even one low):
//! - the left operand is `[m][k]` if its memory runs along k, else `[k][m]`: the micro-kernel reads
//!   single words, so any constant strides will do, and packing copies what is contiguous;
//! - the right operand is `[n / NR][k][NR]`; what runs along k is transposed by shuffles.
//!
//! Tiles of a processor that has them are 16 rows of 16 words, so the left operand is `[m][k]` there
//! whatever its memory, and what runs along m is transposed.
//!
//! A left operand that lies in memory as f32, next to each other along k, is read where it is.
//!
//! Rows and columns past the range hold anything: their results are never read. The word that
//! completes an odd pair is 0, as are the words that complete a tile along k.

use mm1_package::DType;

use super::contract::is_contiguous;
use super::emit::Emit;
use super::micro;
use crate::kernel::{AxisId, Coordinate, Expr, ExprId};
use crate::loops::{Compare, IndexOp, IntBinary, Operation, ValueId};

/// A packed block of an operand.
pub(crate) struct Panel {
    pub ptr: ValueId,
    /// Axis of the operand that is not folded.
    axis: AxisId,
    k: AxisId,
    /// Whether words are pairs of bf16.
    pub pairs: bool,
    /// Words per step of a word along k.
    pub k_step: i64,
    /// Words per step of the other axis inside a group.
    pub step: i64,
    /// Elements of the other axis in a group, and words from one group to the next.
    pub group: i64,
    pub group_step: i64,
    /// Scratch for what waits for its transposition.
    waiting: Option<Waiting>,
    /// Whether the operand is read where it lies; `ptr` is then set block by block.
    in_place: bool,
}

/// As many lines of words as a register has lanes, which transposition turns by a right angle.
#[derive(Clone, Copy)]
struct Waiting {
    ptr: ValueId,
    /// Words from line to line.
    step: i64,
    /// Whether lines run along k.
    along_k: bool,
}

/// Words between rows, beyond the block: what a whole register may overrun, and no power of two.
const SPACE: u64 = 16;

impl Panel {
    /// The left operand where it lies, if nothing need be evaluated or laid out.
    fn in_place(emit: &Emit<'_>, expr: ExprId, axis: AxisId, k: AxisId) -> Option<Self> {
        let step = plain_rows(emit, expr, axis, k, DType::F32)?;
        Some(Self {
            ptr: emit.scratch,
            axis,
            k,
            pairs: false,
            k_step: 1,
            step,
            group: 0,
            group_step: 0,
            waiting: None,
            in_place: true,
        })
    }

    /// Scratch for `mc` × `kc` elements of the left operand.
    pub fn rows(
        emit: &mut Emit<'_>,
        expr: ExprId,
        axis: AxisId,
        k: AxisId,
        mc: u64,
        kc: u64,
        pairs: bool,
    ) -> Self {
        if !pairs && let Some(panel) = Self::in_place(emit, expr, axis, k) {
            return panel;
        }
        let words = words_of(emit, kc, pairs);
        let along_m = !is_contiguous(emit, expr, k) && is_contiguous(emit, expr, axis);
        let tiles = pairs && emit.machine.tiles;
        let (k_step, step) = match along_m && !tiles {
            true => ((mc + SPACE) as i64, 1),
            false => (1, (words + SPACE) as i64),
        };
        let bytes = 4 * ((mc + SPACE) * (words + SPACE));
        let offset = emit.b.reserve_scratch(bytes);
        let ptr = emit.scratch_at(offset);
        let waiting = (along_m && tiles).then(|| {
            let line = mc + SPACE;
            let offset = emit
                .b
                .reserve_scratch(4 * line * u64::from(emit.machine.lanes));
            Waiting {
                ptr: emit.scratch_at(offset),
                step: line as i64,
                along_k: false,
            }
        });
        Self {
            ptr,
            axis,
            k,
            pairs,
            k_step,
            step,
            group: mc as i64,
            group_step: 0,
            waiting,
            in_place: false,
        }
    }

    /// Scratch for `nc` × `kc` elements of the right operand.
    pub fn columns(
        emit: &mut Emit<'_>,
        expr: ExprId,
        axis: AxisId,
        k: AxisId,
        nc: u64,
        kc: u64,
        pairs: bool,
    ) -> Self {
        let lanes = u64::from(emit.machine.lanes);
        let (_, nr) = micro::block(emit.machine, pairs);
        let nr = u64::from(nr);
        let words = words_of(emit, kc, pairs).next_multiple_of(lanes);
        let offset = emit.b.reserve_scratch(4 * nc.next_multiple_of(nr) * words);
        let waiting =
            (is_contiguous(emit, expr, k) && !is_contiguous(emit, expr, axis)).then(|| {
                let row = words + lanes + SPACE;
                let offset = emit.b.reserve_scratch(4 * row * lanes);
                Waiting {
                    ptr: emit.scratch_at(offset),
                    step: row as i64,
                    along_k: true,
                }
            });
        Self {
            ptr: emit.scratch_at(offset),
            axis,
            k,
            pairs,
            k_step: nr as i64,
            step: 1,
            group: nr as i64,
            group_step: (words * nr) as i64,
            waiting,
            in_place: false,
        }
    }
}

/// Elements between the rows of an operand that is a load of this type without conditions, from memory
/// that the kernel does not write, its elements next to each other along k.
pub(super) fn plain_rows(
    emit: &Emit<'_>,
    expr: ExprId,
    axis: AxisId,
    k: AxisId,
    dtype: DType,
) -> Option<i64> {
    let Expr::Load {
        buffer,
        address,
        guards,
    } = emit.kernel.expr_of(expr)
    else {
        return None;
    };
    let memory = &emit.kernel.buffers[buffer.0 as usize];
    let affine = |(coordinate, _): &(Coordinate, i64)| matches!(coordinate, Coordinate::Axis(_));
    let plain = guards.is_empty() && address.terms.iter().all(affine);
    (plain && memory.dtype == dtype && !memory.written && address.stride(k) == 1)
        .then(|| address.stride(axis))
}

/// Words of a block along k.
fn words_of(emit: &Emit<'_>, kc: u64, pairs: bool) -> u64 {
    let words = if pairs { kc.div_ceil(2) } else { kc };
    match pairs && emit.machine.tiles {
        true => words.next_multiple_of(micro::TILE as u64),
        false => words,
    }
}

/// Fills a panel with the elements of `range` × `block` (of k).
pub(crate) fn pack(
    emit: &mut Emit<'_>,
    panel: &mut Panel,
    expr: ExprId,
    range: [ValueId; 2],
    block: [ValueId; 2],
) -> Result<(), String> {
    if panel.in_place {
        let Expr::Load {
            buffer, address, ..
        } = emit.kernel.expr_of(expr)
        else {
            return Err("an operand in place is a load".to_owned());
        };
        let place = emit.rebound(panel.axis, range[0], |emit| {
            emit.rebound(panel.k, block[0], |emit| emit.place(*buffer, address, &[]))
        })?;
        let offset = emit.b.index(place.offset);
        panel.ptr = emit.b.op(Operation::Offset(place.ptr, offset));
        return Ok(());
    }
    match (panel.waiting, panel.k_step) {
        (Some(waiting), _) if waiting.along_k => {
            rows_transposed(emit, panel, waiting, expr, range, block)
        }
        (Some(waiting), _) => lines_transposed(emit, panel, waiting, expr, range, block),
        (None, 1) => {
            let row = panel.step;
            emit.each(panel.axis, range, |emit| {
                let at = emit.at(panel.axis)?;
                let local = emit.b.index_op(IndexOp::Sub, at, range[0]);
                let to = emit.b.element(panel.ptr, local, 4 * row);
                row_of(emit, panel, expr, to, block)
            })
        }
        _ => lines(emit, panel, expr, range, block),
    }
}

/// Writes one row along k: elements next to each other, then a zero.
fn row_of(
    emit: &mut Emit<'_>,
    panel: &Panel,
    expr: ExprId,
    to: ValueId,
    block: [ValueId; 2],
) -> Result<(), String> {
    emit.hoist(expr, &[panel.k])?;
    let lanes = emit.machine.lanes;
    let (dtype, bytes) = match panel.pairs {
        true => (DType::Bf16, 2),
        false => (DType::F32, 4),
    };
    let widths = emit.widths(panel.k, 2 * lanes);
    emit.levels(panel.k, block, &widths, &[], &mut |emit, _, _| {
        let at = emit.at(panel.k)?;
        let lanes = emit.vector.map_or(1, |(_, lanes)| lanes);
        let value = emit.float_at(expr, lanes)?;
        let local = emit.b.index_op(IndexOp::Sub, at, block[0]);
        let to = emit.b.element(to, local, bytes);
        emit.b.store(to, 0, value, dtype);
        Ok(Vec::new())
    })?;
    if panel.pairs {
        let count = emit.b.index_op(IndexOp::Sub, block[1], block[0]);
        let end = emit.b.element(to, count, bytes);
        // To the end of the pair, or of any tile: beyond it follows space.
        let lanes = if emit.machine.tiles { 2 * lanes } else { 1 };
        let zero = emit.b.float(0.0, lanes);
        emit.b.store(end, 0, zero, dtype);
    }
    Ok(())
}

/// Writes lines along the other axis, k outermost.
fn lines(
    emit: &mut Emit<'_>,
    panel: &Panel,
    expr: ExprId,
    range: [ValueId; 2],
    block: [ValueId; 2],
) -> Result<(), String> {
    let lanes = emit.machine.lanes;
    let widths = emit.widths(panel.axis, 2 * lanes);
    let step = if panel.pairs { 2 } else { 1 };
    let open = emit.b.begin_loop(block[0], block[1], step, &[]);
    let even = open.variable;
    let local = emit.b.index_op(IndexOp::Sub, even, block[0]);
    let word = if panel.pairs {
        let two = emit.b.index(2);
        emit.b.index_op(IndexOp::Div, local, two)
    } else {
        local
    };
    let line = emit.b.element(panel.ptr, word, 4 * panel.k_step);
    // The odd element of the last pair may not exist.
    let one = emit.b.index(1);
    let odd = emit.b.add(even, one);
    let exists = emit.b.compare(Compare::Lt, odd, block[1]);
    let odd = emit.b.select(exists, odd, even);
    emit.rebound(panel.k, even, |emit| {
        emit.hoist(expr, &[panel.axis])?;
        emit.levels(panel.axis, range, &widths, &[], &mut |emit, _, _| {
            let at = emit.at(panel.axis)?;
            let lanes = emit.vector.map_or(1, |(_, lanes)| lanes);
            let mut value = emit.float_at(expr, lanes)?;
            if panel.pairs {
                let second = emit.rebound(panel.k, odd, |emit| emit.float_at(expr, lanes))?;
                let second = emit.or_zero(exists, second)?;
                value = paired(emit, value, second);
            }
            let to = place(emit, panel, line, at, range[0]);
            let dtype = if panel.pairs { DType::I32 } else { DType::F32 };
            emit.b.store(to, 0, value, dtype);
            Ok(Vec::new())
        })?;
        Ok(())
    })?;
    emit.b.end_loop(open, &[]);
    if panel.pairs && emit.machine.tiles {
        complete(emit, panel, range, block)?;
    }
    Ok(())
}

/// Zeroes the lines that complete a tile along k.
fn complete(
    emit: &mut Emit<'_>,
    panel: &Panel,
    range: [ValueId; 2],
    block: [ValueId; 2],
) -> Result<(), String> {
    let widths = emit.widths(panel.axis, 2 * emit.machine.lanes);
    let count = emit.b.index_op(IndexOp::Sub, block[1], block[0]);
    let [words, end] = [2, 2 * micro::TILE].map(|elements| {
        let round = emit.b.index(elements - 1);
        let up = emit.b.add(count, round);
        let size = emit.b.index(elements);
        let whole = emit.b.index_op(IndexOp::Div, up, size);
        emit.b.scaled(whole, elements / 2)
    });
    let open = emit.b.begin_loop(words, end, 1, &[]);
    let line = emit.b.element(panel.ptr, open.variable, 4 * panel.k_step);
    emit.levels(panel.axis, range, &widths, &[], &mut |emit, _, _| {
        let at = emit.at(panel.axis)?;
        let lanes = emit.vector.map_or(1, |(_, lanes)| lanes);
        let zero = emit.b.op(Operation::Int(0, lanes));
        let to = place(emit, panel, line, at, range[0]);
        emit.b.store(to, 0, zero, DType::I32);
        Ok(Vec::new())
    })?;
    emit.b.end_loop(open, &[]);
    Ok(())
}

/// Pairs of bf16 from two registers of bf16 values: the even one low.
fn paired(emit: &mut Emit<'_>, even: ValueId, odd: ValueId) -> ValueId {
    let lanes = emit.b.lanes(even);
    // Values that are bf16 already stay as they are.
    let [even, odd] = [even, odd].map(|x| emit.b.op(Operation::Bitcast(x)));
    let shift = emit.b.op(Operation::Int(16, lanes));
    let keep = emit.b.op(Operation::Int(!0xffff, lanes));
    let low = emit.b.int(IntBinary::ShrU, even, shift);
    let high = emit.b.int(IntBinary::And, odd, keep);
    emit.b.int(IntBinary::Or, low, high)
}

/// Address of the word at a point of the other axis, given the address of its line.
fn place(
    emit: &mut Emit<'_>,
    panel: &Panel,
    line: ValueId,
    at: ValueId,
    first: ValueId,
) -> ValueId {
    let local = emit.b.index_op(IndexOp::Sub, at, first);
    if panel.group_step == 0 {
        return emit.b.element(line, local, 4 * panel.step);
    }
    let size = emit.b.index(panel.group);
    let group = emit.b.index_op(IndexOp::Div, local, size);
    let inside = emit.b.index_op(IndexOp::Rem, local, size);
    let ptr = emit.b.element(line, group, 4 * panel.group_step);
    emit.b.element(ptr, inside, 4 * panel.step)
}

/// Writes lines along the other axis to waiting space, as many as a register has lanes, and
/// transposes them to rows along k.
fn lines_transposed(
    emit: &mut Emit<'_>,
    panel: &Panel,
    waiting: Waiting,
    expr: ExprId,
    range: [ValueId; 2],
    block: [ValueId; 2],
) -> Result<(), String> {
    let lanes = emit.machine.lanes;
    let standing = Panel {
        ptr: waiting.ptr,
        k_step: waiting.step,
        step: 1,
        waiting: None,
        ..*panel
    };
    let (zero, two) = (emit.b.index(0), emit.b.index(2));
    let count = emit.b.index_op(IndexOp::Sub, range[1], range[0]);
    let outer = emit
        .b
        .begin_loop(block[0], block[1], 2 * i64::from(lanes), &[]);
    let low = outer.variable;
    let step = emit.b.index(2 * i64::from(lanes));
    let high = emit.b.add(low, step);
    let high = emit.least(high, block[1]);
    lines(emit, &standing, expr, range, [low, high])?;
    let local = emit.b.index_op(IndexOp::Sub, low, block[0]);
    let word = emit.b.index_op(IndexOp::Div, local, two);
    let to = emit.b.element(panel.ptr, word, 4);
    let inner = emit.b.begin_loop(zero, count, i64::from(lanes), &[]);
    let from = emit.b.element(waiting.ptr, inner.variable, 4);
    let to = emit.b.element(to, inner.variable, 4 * panel.step);
    let mut square: Vec<ValueId> = (0..i64::from(lanes))
        .map(|line| {
            emit.b
                .load(from, 4 * waiting.step * line, DType::I32, lanes)
        })
        .collect();
    transpose(emit, &mut square);
    for (line, value) in (0..).zip(square) {
        emit.b.store(to, 4 * panel.step * line, value, DType::I32);
    }
    emit.b.end_loop(inner, &[]);
    emit.b.end_loop(outer, &[]);
    Ok(())
}

/// Writes rows along k to waiting space, as many as a register has lanes, and transposes them.
fn rows_transposed(
    emit: &mut Emit<'_>,
    panel: &Panel,
    Waiting {
        ptr: waiting,
        step: row,
        ..
    }: Waiting,
    expr: ExprId,
    range: [ValueId; 2],
    block: [ValueId; 2],
) -> Result<(), String> {
    let lanes = emit.machine.lanes;
    let (zero, all, one) = (
        emit.b.index(0),
        emit.b.index(i64::from(lanes)),
        emit.b.index(1),
    );
    let last = emit.b.index_op(IndexOp::Sub, range[1], one);
    let outer = emit.b.begin_loop(range[0], range[1], i64::from(lanes), &[]);
    let first = outer.variable;
    let inner = emit.b.begin_loop(zero, all, 1, &[]);
    // Past the range the last row is repeated.
    let at = emit.b.add(first, inner.variable);
    let at = emit.least(at, last);
    let to = emit.b.element(waiting, inner.variable, 4 * row);
    emit.rebound(panel.axis, at, |emit| row_of(emit, panel, expr, to, block))?;
    emit.b.end_loop(inner, &[]);

    let count = emit.b.index_op(IndexOp::Sub, block[1], block[0]);
    let words = if panel.pairs {
        let up = emit.b.add(count, one);
        let two = emit.b.index(2);
        emit.b.index_op(IndexOp::Div, up, two)
    } else {
        count
    };
    let dtype = if panel.pairs { DType::I32 } else { DType::F32 };
    let column = place(emit, panel, panel.ptr, first, range[0]);
    let inner = emit.b.begin_loop(zero, words, i64::from(lanes), &[]);
    let from = emit.b.element(waiting, inner.variable, 4);
    let to = emit.b.element(column, inner.variable, 4 * panel.k_step);
    let mut square: Vec<ValueId> = (0..i64::from(lanes))
        .map(|line| emit.b.load(from, 4 * row * line, dtype, lanes))
        .collect();
    transpose(emit, &mut square);
    for (line, value) in (0..).zip(square) {
        emit.b.store(to, 4 * panel.k_step * line, value, dtype);
    }
    emit.b.end_loop(inner, &[]);
    emit.b.end_loop(outer, &[]);
    Ok(())
}

/// Transposes a square of registers: for each power of two, exchanges the off-diagonal halves of
/// all blocks of that size.
pub(crate) fn transpose(emit: &mut Emit<'_>, square: &mut [ValueId]) {
    let lanes = square.len();
    let mut distance = 1;
    while distance < lanes {
        let upper: Vec<u32> = (0..lanes)
            .map(|lane| match lane & distance {
                0 => lane as u32,
                _ => (lanes + lane - distance) as u32,
            })
            .collect();
        let lower: Vec<u32> = (0..lanes)
            .map(|lane| match lane & distance {
                0 => (lane + distance) as u32,
                _ => (lanes + lane) as u32,
            })
            .collect();
        for index in (0..lanes).filter(|index| index & distance == 0) {
            let (a, b) = (square[index], square[index + distance]);
            square[index] = emit.b.op(Operation::Shuffle(a, b, upper.clone()));
            square[index + distance] = emit.b.op(Operation::Shuffle(a, b, lower.clone()));
        }
        distance *= 2;
    }
}
