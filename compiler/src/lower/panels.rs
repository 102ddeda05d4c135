//! Packing: a block of an operand, evaluated and laid out for the micro-kernel.
//!
//! In words of 4 bytes (an f32, or two bf16 neighbours along k, the even one low; of f32 that are cut
//! into pieces, three panels of such pairs):
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
use super::micro::{self, Words};
use crate::kernel::{AxisId, Coordinate, Expr, ExprId};
use crate::loops::{Compare, FloatBinary, IndexOp, IntBinary, Operation, ValueId};

/// A packed block of an operand.
pub(crate) struct Panel {
    pub ptr: ValueId,
    /// Axis of the operand that is not folded.
    axis: AxisId,
    k: AxisId,
    pub words: Words,
    /// Words from one panel of pieces to the next.
    pub panel_step: i64,
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
    /// Words from one panel of pieces to the next.
    panel_step: i64,
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
            words: Words::Single,
            panel_step: 0,
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
        words: Words,
    ) -> Self {
        if words == Words::Single
            && let Some(panel) = Self::in_place(emit, expr, axis, k)
        {
            return panel;
        }
        let length = words_of(emit, kc, words);
        let along_m = !is_contiguous(emit, expr, k) && is_contiguous(emit, expr, axis);
        let tiles = words.in_tiles(emit.machine);
        let (k_step, step) = match along_m && !tiles {
            true => ((mc + SPACE) as i64, 1),
            false => (1, (length + SPACE) as i64),
        };
        let (ptr, panel_step) = reserve(emit, (mc + SPACE) * (length + SPACE), words);
        let waiting = (along_m && tiles).then(|| {
            let line = mc + SPACE;
            let (ptr, panel_step) = reserve(emit, line * u64::from(emit.machine.lanes), words);
            Waiting {
                ptr,
                step: line as i64,
                panel_step,
                along_k: false,
            }
        });
        Self {
            ptr,
            axis,
            k,
            words,
            panel_step,
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
        words: Words,
    ) -> Self {
        let lanes = u64::from(emit.machine.lanes);
        let (_, nr) = micro::block(emit.machine, words);
        let nr = u64::from(nr);
        let length = words_of(emit, kc, words).next_multiple_of(lanes);
        let (ptr, panel_step) = reserve(emit, nc.next_multiple_of(nr) * length, words);
        let waiting =
            (is_contiguous(emit, expr, k) && !is_contiguous(emit, expr, axis)).then(|| {
                let length = match words {
                    Words::Pieces => 2 * length + lanes,
                    Words::Single | Words::Pairs => length,
                };
                let row = length + lanes + SPACE;
                let (ptr, panel_step) = reserve(emit, row * lanes, Words::Single);
                Waiting {
                    ptr,
                    step: row as i64,
                    panel_step,
                    along_k: true,
                }
            });
        Self {
            ptr,
            axis,
            k,
            words,
            panel_step,
            k_step: nr as i64,
            step: 1,
            group: nr as i64,
            group_step: (length * nr) as i64,
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
fn words_of(emit: &Emit<'_>, kc: u64, words: Words) -> u64 {
    let length = kc.div_ceil(words.elements() as u64);
    match words.in_tiles(emit.machine) {
        true => length.next_multiple_of(micro::TILE as u64),
        false => length,
    }
}

/// Scratch for panels of so many words each, and the words from one to the next.
fn reserve(emit: &mut Emit<'_>, length: u64, words: Words) -> (ValueId, i64) {
    let offset = emit.b.reserve_scratch(4 * length * words.panels() as u64);
    (emit.scratch_at(offset), length as i64)
}

/// What a value puts into each panel: itself, or its pieces, each the upper half of what those
/// before it left over.
fn pieces(emit: &mut Emit<'_>, words: Words, value: ValueId) -> Vec<ValueId> {
    if words != Words::Pieces {
        return vec![value];
    }
    let lanes = emit.b.lanes(value);
    let keep = emit.b.op(Operation::Int(!0xffff, lanes));
    let mut rest = value;
    (0..words.panels())
        .map(|_| {
            let bits = emit.b.op(Operation::Bitcast(rest));
            let upper = emit.b.int(IntBinary::And, bits, keep);
            let piece = emit.b.op(Operation::Bitcast(upper));
            rest = emit.b.binary(FloatBinary::Sub, rest, piece);
            piece
        })
        .collect()
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

/// Writes one row along k, once per panel: elements next to each other, then a zero.
fn row_of(
    emit: &mut Emit<'_>,
    panel: &Panel,
    expr: ExprId,
    to: ValueId,
    block: [ValueId; 2],
) -> Result<(), String> {
    emit.hoist(expr, &[panel.k])?;
    let lanes = emit.machine.lanes;
    let (dtype, bytes) = match panel.words {
        Words::Single => (DType::F32, 4),
        Words::Pairs | Words::Pieces => (DType::Bf16, 2),
    };
    let widths = emit.widths(panel.k, 2 * lanes);
    emit.levels(panel.k, block, &widths, &[], &mut |emit, _, _| {
        let at = emit.at(panel.k)?;
        let lanes = emit.vector.map_or(1, |(_, lanes)| lanes);
        let value = emit.float_at(expr, lanes)?;
        let local = emit.b.index_op(IndexOp::Sub, at, block[0]);
        let to = emit.b.element(to, local, bytes);
        for (number, piece) in (0..).zip(pieces(emit, panel.words, value)) {
            emit.b
                .store(to, 4 * panel.panel_step * number, piece, dtype);
        }
        Ok(Vec::new())
    })?;
    if panel.words != Words::Single {
        let count = emit.b.index_op(IndexOp::Sub, block[1], block[0]);
        let end = emit.b.element(to, count, bytes);
        // To the end of the pair, or of any tile: beyond it follows space.
        let lanes = if emit.machine.tiles { 2 * lanes } else { 1 };
        let zero = emit.b.float(0.0, lanes);
        for number in 0..panel.words.panels() {
            emit.b
                .store(end, 4 * panel.panel_step * number, zero, dtype);
        }
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
    let pairs = panel.words != Words::Single;
    let step = panel.words.elements();
    let open = emit.b.begin_loop(block[0], block[1], step, &[]);
    let even = open.variable;
    let local = emit.b.index_op(IndexOp::Sub, even, block[0]);
    let step = emit.b.index(step);
    let word = emit.b.index_op(IndexOp::Div, local, step);
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
            let value = emit.float_at(expr, lanes)?;
            let to = place(emit, panel, line, at, range[0]);
            if !pairs {
                emit.b.store(to, 0, value, DType::F32);
                return Ok(Vec::new());
            }
            let second = emit.rebound(panel.k, odd, |emit| emit.float_at(expr, lanes))?;
            let second = emit.or_zero(exists, second)?;
            store_pair(emit, panel, (to, 0), [value, second]);
            Ok(Vec::new())
        })?;
        Ok(())
    })?;
    emit.b.end_loop(open, &[]);
    if panel.words.in_tiles(emit.machine) {
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
        let whole = emit.b.div_ceil(count, elements);
        emit.b.scaled(whole, elements / 2)
    });
    let open = emit.b.begin_loop(words, end, 1, &[]);
    let line = emit.b.element(panel.ptr, open.variable, 4 * panel.k_step);
    emit.levels(panel.axis, range, &widths, &[], &mut |emit, _, _| {
        let at = emit.at(panel.axis)?;
        let lanes = emit.vector.map_or(1, |(_, lanes)| lanes);
        let zero = emit.b.op(Operation::Int(0, lanes));
        let to = place(emit, panel, line, at, range[0]);
        for number in 0..panel.words.panels() {
            emit.b
                .store(to, 4 * panel.panel_step * number, zero, DType::I32);
        }
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
        panel_step: waiting.panel_step,
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
    for number in 0..panel.words.panels() {
        let bytes = emit.b.index(4 * waiting.panel_step * number);
        let from = emit.b.op(Operation::Offset(from, bytes));
        let lines = turned(emit, (from, waiting.step), DType::I32);
        for (line, value) in (0..).zip(lines) {
            let offset = 4 * (panel.panel_step * number + panel.step * line);
            emit.b.store(to, offset, value, DType::I32);
        }
    }
    emit.b.end_loop(inner, &[]);
    emit.b.end_loop(outer, &[]);
    Ok(())
}

/// Writes rows along k to waiting space, as many as a register has lanes, and transposes them.
/// What is cut into pieces waits in one piece.
fn rows_transposed(
    emit: &mut Emit<'_>,
    panel: &Panel,
    waiting: Waiting,
    expr: ExprId,
    range: [ValueId; 2],
    block: [ValueId; 2],
) -> Result<(), String> {
    let lanes = i64::from(emit.machine.lanes);
    let lying = Panel {
        words: match panel.words {
            Words::Pieces => Words::Single,
            words => words,
        },
        ..*panel
    };
    let (zero, all, one) = (emit.b.index(0), emit.b.index(lanes), emit.b.index(1));
    let last = emit.b.index_op(IndexOp::Sub, range[1], one);
    let count = emit.b.index_op(IndexOp::Sub, block[1], block[0]);
    let outer = emit.b.begin_loop(range[0], range[1], lanes, &[]);
    let first = outer.variable;
    let inner = emit.b.begin_loop(zero, all, 1, &[]);
    // Past the range the last row is repeated.
    let at = emit.b.add(first, inner.variable);
    let at = emit.least(at, last);
    let to = emit
        .b
        .element(waiting.ptr, inner.variable, 4 * waiting.step);
    emit.rebound(panel.axis, at, |emit| row_of(emit, &lying, expr, to, block))?;
    if panel.words == Words::Pieces {
        // To the end of a tile.
        let end = emit.b.element(to, count, 4);
        let nothing = emit.b.float(0.0, 2 * emit.machine.lanes);
        emit.b.store(end, 0, nothing, DType::F32);
    }
    emit.b.end_loop(inner, &[]);

    let column = place(emit, panel, panel.ptr, first, range[0]);
    if panel.words == Words::Pieces {
        let tiles = emit.b.div_ceil(count, 2 * micro::TILE);
        let end = emit.b.scaled(tiles, 2 * micro::TILE);
        let inner = emit.b.begin_loop(zero, end, lanes, &[]);
        let from = emit.b.element(waiting.ptr, inner.variable, 4);
        let to = emit.b.element(column, inner.variable, 2 * panel.k_step);
        let lines = turned(emit, (from, waiting.step), DType::F32);
        for (number, pair) in (0..).zip(lines.chunks(2)) {
            store_pair(emit, panel, (to, panel.k_step * number), [pair[0], pair[1]]);
        }
        emit.b.end_loop(inner, &[]);
    } else {
        let (words, dtype) = match panel.words {
            Words::Single => (count, DType::F32),
            Words::Pairs | Words::Pieces => (emit.b.div_ceil(count, 2), DType::I32),
        };
        let inner = emit.b.begin_loop(zero, words, lanes, &[]);
        let from = emit.b.element(waiting.ptr, inner.variable, 4);
        let to = emit.b.element(column, inner.variable, 4 * panel.k_step);
        for (number, line) in (0..).zip(turned(emit, (from, waiting.step), dtype)) {
            emit.b.store(to, 4 * panel.k_step * number, line, dtype);
        }
        emit.b.end_loop(inner, &[]);
    }
    emit.b.end_loop(outer, &[]);
    Ok(())
}

/// Reads a square of words, as many lines as a register has lanes and so many words apart, and
/// gives its columns.
fn turned(emit: &mut Emit<'_>, (from, step): (ValueId, i64), dtype: DType) -> Vec<ValueId> {
    let lanes = emit.machine.lanes;
    let mut square: Vec<ValueId> = (0..i64::from(lanes))
        .map(|line| emit.b.load(from, 4 * step * line, dtype, lanes))
        .collect();
    transpose(emit, &mut square);
    square
}

/// Stores the pairs of two registers of neighbours along k, in as many panels as they have
/// pieces, at an address and words beyond it.
fn store_pair(
    emit: &mut Emit<'_>,
    panel: &Panel,
    (to, word): (ValueId, i64),
    values: [ValueId; 2],
) {
    let [even, odd] = values.map(|value| pieces(emit, panel.words, value));
    for (number, (even, odd)) in (0..).zip(even.into_iter().zip(odd)) {
        let pair = paired(emit, even, odd);
        let offset = 4 * (word + panel.panel_step * number);
        emit.b.store(to, offset, pair, DType::I32);
    }
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
