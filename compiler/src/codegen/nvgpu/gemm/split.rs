//! Splitting the folded axis of a product that has too few tiles for a card.
//!
//! A gradient of a weight with few tiles and a long folded axis leaves multiprocessors idle. It becomes
//! two kernels: the first has a further batch axis s over S parts of the folded axis, of L elements each
//! (the last may have fewer), and stores its sums to f32 memory [S, …, M, N]; the second folds s in order
//! and evaluates the maps. Both are ordinary kernels, and the memory between them is a buffer of the
//! program, so the plan counts it. S follows from the kernel and the named card alone.
//!
//! Every load of the first says what part it belongs to: 0 <= k + s·L < K. Where all of them hold always,
//! the plan drops them; where the last part is short, bulk copies read zeros past K.
//!
//! Only known sizes are split: memory and strides are planned with them, and sums must not depend on
//! the bound of a run-time size.

use std::collections::BTreeMap;

use super::Facts;
use super::plan::{self, STEP, Shape};
use crate::fuse::{BufferInfo, BufferKey, Call, Fused, Home};
use crate::graph::Dim;
use crate::kernel::{
    Address, AxisId, AxisSize, BufferId, Coordinate, Expr, ExprId, Guard, Kernel, Monoid,
    StageKind, Store,
};
use crate::schedules::Schedules;
use mm1_package::DType;

/// Most parts.
pub(super) const MOST: u64 = 32;
/// Cycles that one more launch costs.
const LAUNCH: u64 = 4000;
/// Bytes a cycle that the second kernel reads and writes; its buffers mostly stay in the second-level
/// cache, but its threads are those of any row kernel.
const BYTES: u64 = 1000;

/// What a product becomes.
#[derive(Clone, Debug)]
pub struct Split {
    /// Number of parts.
    pub parts: u64,
    /// Whether all parts are equally long.
    pub even: bool,
    /// Stores the sums of each part; its last buffer holds them.
    pub partial: Kernel,
    /// The original's number of each buffer of the first kernel but the last.
    pub partial_args: Vec<usize>,
    /// Adds the parts and evaluates the maps; its first buffer holds them.
    pub total: Kernel,
    /// The original's number of each buffer of the second kernel but the first.
    pub total_args: Vec<usize>,
    /// Elements of the buffer between them.
    pub elements: u64,
}

/// Splits what was measured to pay, or is estimated to, of a program.
pub fn split(fused: &mut Fused, schedules: &Schedules) {
    let calls = std::mem::take(&mut fused.calls);
    // Layers share their kernels.
    let mut known: BTreeMap<String, Option<Split>> = BTreeMap::new();
    for call in calls {
        let hash = call.kernel.hash();
        let parts = schedules.parts(&hash);
        let split = known.entry(hash).or_insert_with(|| match parts {
            None => best(&call.kernel),
            Some(parts) => into(&call.kernel, parts),
        });
        match split.clone() {
            None => fused.calls.push(call),
            Some(split) => replace(fused, call, split),
        }
    }
}

fn replace(fused: &mut Fused, call: Call, split: Split) {
    fused.buffers.push(BufferInfo {
        name: format!("{}'parts", call.name),
        dtype: DType::F32,
        elements: split.elements,
        dims: vec![Dim::Fixed(split.elements)],
        home: Home::Arena,
    });
    let parts = (BufferKey(fused.buffers.len() as u32 - 1), 0);
    let given = |numbers: &[usize]| -> Vec<(BufferKey, u64)> {
        numbers.iter().map(|number| call.args[*number]).collect()
    };
    let partial = Call {
        name: call.name.clone(),
        kernel: split.partial,
        args: [given(&split.partial_args), vec![parts]].concat(),
        extents: Vec::new(),
        flops: call.flops,
    };
    let total = Call {
        name: format!("{}'sum", call.name),
        kernel: split.total,
        args: [vec![parts], given(&split.total_args)].concat(),
        extents: Vec::new(),
        flops: 0,
    };
    fused.calls.extend([partial, total]);
}

/// The number of parts with the least estimated time, if it saves a tenth.
pub fn best(kernel: &Kernel) -> Option<Split> {
    let whole = plan::plan(kernel, &Facts::of(kernel)).ok()?;
    if whole.cost <= LAUNCH {
        return None;
    }
    let all = (2..=MOST).filter_map(|parts| {
        let split = into(kernel, parts)?;
        Some((split.cost(None)?, split))
    });
    all.min_by_key(|(cost, _)| *cost)
        .filter(|(cost, _)| cost * 10 < whole.cost * 9)
        .map(|(_, split)| split)
}

impl Split {
    /// Estimated cycles of both kernels, if the first can run so.
    pub(super) fn cost(&self, shape: Option<Shape>) -> Option<u64> {
        let facts = Facts {
            shape,
            ..Facts::of(&self.partial)
        };
        let partial = plan::plan(&self.partial, &facts).ok()?;
        // Guards that may fail let no thread read eight elements at once.
        if partial.computes() && !self.even {
            return None;
        }
        // The parts are read, and about two values of four bytes a result besides.
        let bytes = 4 * (self.elements + 2 * self.elements / self.parts);
        Some(partial.cost + LAUNCH + bytes / BYTES)
    }
}

/// A kernel in so many parts of whole steps, if it can be cut so.
pub fn into(kernel: &Kernel, parts: u64) -> Option<Split> {
    let (product, maps) = kernel.stages.split_first()?;
    let StageKind::Contract {
        lhs,
        rhs,
        operands,
        window: None,
    } = &product.kind
    else {
        return None;
    };
    let [folded] = product.reduced[..] else {
        return None;
    };
    let AxisSize::Fixed(length) = kernel.axis_of(folded).size else {
        return None;
    };
    let step = u64::from(STEP);
    let part_length = length.div_ceil(step).div_ceil(parts.max(1)) * step;
    let even = part_length * parts == length;
    // Past the end a plain load is zero, other expressions need not be.
    let ends = even
        || [lhs, rhs]
            .into_iter()
            .all(|it| is_plain(kernel, *it, folded));
    if parts < 2 || length.div_ceil(part_length) != parts || !ends || kernel.extents() > 0 {
        return None;
    }
    let kept: Vec<AxisId> = kernel.tile_axes(crate::kernel::StageId(0), 0);
    let spans = |domain: &[AxisId]| {
        domain.len() == kept.len() && domain.iter().all(|axis| kept.contains(axis))
    };
    // The first kernel: all axes and one more.
    let mut first = Part::new(kernel, &format!("{}/{parts}", kernel.name));
    let part = first.to.axis(AxisSize::Fixed(parts), true);
    first.to.axes[folded.0 as usize].size = AxisSize::Fixed(part_length);
    first.cut = Some(Cut {
        folded,
        part,
        length: part_length as i64,
        whole: length as i64,
    });
    let (lhs, rhs) = (first.expr(*lhs)?, first.expr(*rhs)?);
    let mut domain = vec![part];
    domain.extend(&product.domain);
    let stage = first.to.stage(
        &domain,
        &[folded],
        StageKind::Contract {
            lhs,
            rhs,
            operands: *operands,
            window: None,
        },
    );
    let (place, elements) = place(kernel, &kept, maps, part, parts)?;
    let value = first.to.expr(Expr::Tile { stage, result: 0 });
    let buffer = first.to.buffer(DType::F32, true);
    let mut results = vec![part];
    results.extend(&kept);
    let stores = vec![Store {
        buffer,
        address: place.clone(),
        value,
    }];
    first.to.stage(&results, &[], StageKind::Map { stores });
    // The second one.
    let mut second = Part::new(kernel, &format!("{}.sum", kernel.name));
    let part_again = second.to.axis(AxisSize::Fixed(parts), false);
    debug_assert_eq!(part, part_again);
    let buffer = second.to.buffer(DType::F32, false);
    let value = second.to.expr(Expr::Load {
        buffer,
        address: place,
        guards: Vec::new(),
    });
    let monoid = Monoid::Sum;
    second
        .to
        .stage(&results, &[part], StageKind::Reduce { monoid, value });
    for map in maps {
        let StageKind::Map { stores } = &map.kind else {
            return None;
        };
        if !spans(&map.domain) {
            return None;
        }
        let stores = stores
            .iter()
            .map(|store| {
                Some(Store {
                    value: second.expr(store.value)?,
                    address: second.address(&store.address)?,
                    buffer: second.buffer(store.buffer),
                })
            })
            .collect::<Option<Vec<Store>>>()?;
        second.to.stage(&map.domain, &[], StageKind::Map { stores });
    }
    // Nothing of a kernel refers to its folded axis any more; a size of 1 keeps the numbers.
    second.to.axes[folded.0 as usize].size = AxisSize::Fixed(1);
    Some(Split {
        parts,
        even,
        partial_args: first.buffers.iter().map(|(from, _)| *from).collect(),
        partial: first.to,
        total_args: second.buffers.iter().map(|(from, _)| *from).collect(),
        total: second.to,
        elements,
    })
}

/// Whether an operand is a load, rounded or not, whose element is chosen by the folded axis itself.
fn is_plain(kernel: &Kernel, expr: ExprId, folded: AxisId) -> bool {
    match kernel.expr_of(expr) {
        Expr::Round(inner) => is_plain(kernel, *inner, folded),
        Expr::Load { address, .. } => address.stride(folded) != 0,
        _ => false,
    }
}

/// Where the sums of a part lie, and the elements of all: the axis that results are contiguous along
/// is the last one.
fn place(
    kernel: &Kernel,
    kept: &[AxisId],
    maps: &[crate::kernel::Stage],
    part: AxisId,
    parts: u64,
) -> Option<(Address, u64)> {
    let mut order = kept.to_vec();
    let contiguous = |axis: &AxisId| {
        maps.iter().any(|map| match &map.kind {
            StageKind::Map { stores } => {
                stores.iter().any(|store| store.address.stride(*axis) == 1)
            }
            _ => false,
        })
    };
    if let Some(last) = order.iter().rposition(contiguous) {
        let last = order.remove(last);
        order.push(last);
    }
    let mut stride: u64 = 1;
    let mut terms = Vec::new();
    for axis in order.iter().rev() {
        let AxisSize::Fixed(size) = kernel.axis_of(*axis).size else {
            return None;
        };
        terms.push((Coordinate::Axis(*axis), stride as i64));
        stride = stride.checked_mul(size)?;
    }
    terms.push((Coordinate::Axis(part), stride as i64));
    let elements = stride.checked_mul(parts)?;
    Some((Address { offset: 0, terms }, elements))
}

/// A kernel made of parts of another: the same axes, the buffers and expressions that are used.
struct Part<'k> {
    from: &'k Kernel,
    to: Kernel,
    /// The original's number of a buffer, and its number here.
    buffers: Vec<(usize, BufferId)>,
    cut: Option<Cut>,
}

/// An axis in parts.
#[derive(Clone, Copy, Debug)]
struct Cut {
    folded: AxisId,
    /// The axis that counts the parts.
    part: AxisId,
    /// Elements of a part.
    length: i64,
    /// Elements of all.
    whole: i64,
}

impl<'k> Part<'k> {
    fn new(from: &'k Kernel, name: &str) -> Self {
        let mut to = Kernel::new(name);
        to.axes = from.axes.clone();
        Self {
            from,
            to,
            buffers: Vec::new(),
            cut: None,
        }
    }

    fn buffer(&mut self, buffer: BufferId) -> BufferId {
        let number = buffer.0 as usize;
        if let Some((_, known)) = self.buffers.iter().find(|(from, _)| *from == number) {
            return *known;
        }
        let known = &self.from.buffers[number];
        let made = self.to.buffer(known.dtype, known.written);
        self.buffers.push((number, made));
        made
    }

    fn address(&mut self, address: &Address) -> Option<Address> {
        let mut terms = Vec::new();
        for (coordinate, stride) in &address.terms {
            match coordinate {
                Coordinate::Axis(axis) => {
                    terms.push((*coordinate, *stride));
                    if let Some(cut) = self.cut.filter(|cut| cut.folded == *axis) {
                        terms.push((Coordinate::Axis(cut.part), stride * cut.length));
                    }
                }
                Coordinate::Row(row) => terms.push((Coordinate::Row(self.expr(*row)?), *stride)),
            }
        }
        let offset = address.offset;
        Some(Address { offset, terms })
    }

    /// A copy of an expression; `None` if it says the number of a point along the axis that is cut.
    fn expr(&mut self, expr: ExprId) -> Option<ExprId> {
        let copy = match self.from.expr_of(expr).clone() {
            Expr::Const(bits) => Expr::Const(bits),
            Expr::Index(axis) => match self.cut {
                Some(cut) if cut.folded == axis => return None,
                _ => Expr::Index(axis),
            },
            Expr::Load {
                buffer,
                address,
                guards,
            } => {
                let inside = self.cut.filter(|cut| address.stride(cut.folded) != 0);
                let inside = inside.map(|cut| Guard {
                    offset: 0,
                    terms: vec![(cut.folded, 1), (cut.part, cut.length)],
                    bound: cut.whole,
                });
                let guards = guards.iter().map(|guard| self.guard(guard)).chain(inside);
                Expr::Load {
                    guards: guards.collect(),
                    address: self.address(&address)?,
                    buffer: self.buffer(buffer),
                }
            }
            // The one product is the first stage of either kernel.
            Expr::Tile { stage, result } => Expr::Tile { stage, result },
            Expr::Unary(op, x) => Expr::Unary(op, self.expr(x)?),
            Expr::Round(x) => Expr::Round(self.expr(x)?),
            Expr::Binary(op, a, b) => Expr::Binary(op, self.expr(a)?, self.expr(b)?),
            Expr::SelectEqual {
                a,
                b,
                then,
                otherwise,
            } => Expr::SelectEqual {
                a: self.expr(a)?,
                b: self.expr(b)?,
                then: self.expr(then)?,
                otherwise: self.expr(otherwise)?,
            },
        };
        Some(self.to.expr(copy))
    }

    fn guard(&self, guard: &Guard) -> Guard {
        let mut guard = guard.clone();
        if let Some(cut) = self.cut {
            let of_cut = guard.terms.iter().filter(|(axis, _)| *axis == cut.folded);
            let factor: i64 = of_cut.map(|(_, factor)| factor).sum();
            if factor != 0 {
                guard.terms.push((cut.part, factor * cut.length));
            }
        }
        guard
    }
}
