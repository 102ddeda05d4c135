//! State of one lowering: the function under construction, bound axes, known values.

use super::Machine;
use crate::kernel::{AxisId, AxisSize, ExprId, Kernel, StageId};
use crate::loops::builder::Builder;
use crate::loops::{Compare, IndexOp, Operation, ValueId};

/// Where the result of a reducing stage is.
#[derive(Clone, Debug)]
pub(crate) enum Tile {
    /// In a register; its axes are bound where it is read.
    Register(ValueId),
    /// In scratch, as f32.
    Scratch {
        /// Address of the element whose axes are all 0.
        ptr: ValueId,
        /// Elements per step of an axis; other axes are bound where it is read.
        strides: Vec<(AxisId, i64)>,
        /// Whether each element is a register of the current lanes.
        registers: bool,
    },
}

/// The threads of a team that have neighbouring points of the vector axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Along {
    /// This thread's number among them.
    pub member: ValueId,
    /// How many.
    pub threads: u32,
}

/// What a loop level computes: its number and the values carried so far give the next ones.
pub(crate) type LevelBody<'a, 'k> =
    dyn FnMut(&mut Emit<'k>, usize, &[ValueId]) -> Result<Vec<ValueId>, String> + 'a;

/// A lowering in progress.
pub(crate) struct Emit<'k> {
    pub kernel: &'k Kernel,
    pub machine: &'k Machine,
    pub b: Builder,
    /// Addresses of the buffers.
    pub args: Vec<ValueId>,
    /// The thread's scratch.
    pub scratch: ValueId,
    /// Lengths of the axes.
    pub sizes: Vec<ValueId>,
    /// An axis whose ranges start and end anywhere, whatever its length.
    pub ragged: Option<AxisId>,
    /// Values of bound axes.
    pub axis: Vec<Option<ValueId>>,
    /// Bound axes, outermost first.
    pub order: Vec<AxisId>,
    /// The axis of which registers hold consecutive points, and how many.
    pub vector: Option<(AxisId, u32)>,
    /// Values computed where we are; a suffix is dropped when a block ends.
    pub cache: Vec<(ExprId, ValueId)>,
    /// Results of the stages so far.
    pub tiles: Vec<(StageId, u32, Tile)>,
    /// Axes of every expression.
    pub depends: Vec<Vec<AxisId>>,
    /// Bytes that the address of each buffer is a multiple of; nothing is known beyond its end.
    pub alignment: Vec<u32>,
    /// Threads along the vector axis where they are not the whole team.
    pub along: Option<Along>,
}

impl<'k> Emit<'k> {
    pub fn new(kernel: &'k Kernel, machine: &'k Machine) -> Result<Self, String> {
        check(kernel)?;
        let mut b = Builder::default();
        let args = (0..kernel.buffers.len() as u32)
            .map(|number| b.op(Operation::Argument(number)))
            .collect();
        let scratch = b.op(Operation::Scratch);
        let sizes = kernel
            .axes
            .iter()
            .map(|axis| match axis.size {
                AxisSize::Fixed(size) => b.index(size as i64),
                AxisSize::Runtime(extent) => b.op(Operation::Extent(extent)),
            })
            .collect();
        let depends = (0..kernel.exprs.len() as u32)
            .map(|expr| kernel.axes_of_expr(ExprId(expr)))
            .collect();
        Ok(Self {
            kernel,
            machine,
            b,
            args,
            scratch,
            sizes,
            ragged: None,
            axis: vec![None; kernel.axes.len()],
            order: Vec::new(),
            vector: None,
            cache: Vec::new(),
            tiles: Vec::new(),
            depends,
            alignment: Vec::new(),
            along: None,
        })
    }

    /// Threads of a team along the vector axis.
    pub fn threads_along(&self) -> u32 {
        match self.along {
            Some(along) => along.threads,
            None => self.machine.threads(),
        }
    }

    /// The threads of a team along the vector axis.
    pub fn along(&mut self) -> Along {
        self.along.unwrap_or_else(|| Along {
            member: self.b.op(Operation::Member),
            threads: self.machine.threads(),
        })
    }

    /// Length of an axis.
    pub fn size(&self, axis: AxisId) -> ValueId {
        self.sizes[axis.0 as usize]
    }

    /// Length of an axis if known when compiled, and if its ranges are cut from its start on.
    pub fn fixed(&self, axis: AxisId) -> Option<u64> {
        match self.kernel.axis_of(axis).size {
            AxisSize::Fixed(size) if self.ragged != Some(axis) => Some(size),
            AxisSize::Fixed(_) | AxisSize::Runtime(_) => None,
        }
    }

    /// Value of a bound axis.
    pub fn at(&self, axis: AxisId) -> Result<ValueId, String> {
        self.axis[axis.0 as usize].ok_or_else(|| {
            format!(
                "axis {} is used outside its domain (bound: {:?})",
                axis.0, self.order
            )
        })
    }

    /// Whether an expression depends on an axis.
    pub fn depends_on(&self, expr: ExprId, axis: AxisId) -> bool {
        self.depends[expr.0 as usize].contains(&axis)
    }

    /// Binds an axis while `body` runs.
    pub fn bound<T>(
        &mut self,
        axis: AxisId,
        value: ValueId,
        body: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let before = self.axis[axis.0 as usize].replace(value);
        self.order.push(axis);
        let result = body(self);
        self.order.pop();
        self.axis[axis.0 as usize] = before;
        result
    }

    /// A loop over `low..high` that binds an axis to the first of `width` consecutive points and
    /// carries values. Where a team stands for registers, each thread is bound to the first of its
    /// own points and carries its own values.
    pub fn fold(
        &mut self,
        axis: AxisId,
        [low, high]: [ValueId; 2],
        width: u32,
        inits: &[ValueId],
        body: impl FnOnce(&mut Self, &[ValueId]) -> Result<Vec<ValueId>, String>,
    ) -> Result<Vec<ValueId>, String> {
        if !self.machine.team || width == 1 {
            return self.steps(axis, [low, high], i64::from(width), width, inits, body);
        }
        let along = self.along();
        let lanes = width / along.threads;
        let skipped = self.b.scaled(along.member, i64::from(lanes));
        let low = self.b.add(low, skipped);
        self.steps(axis, [low, high], i64::from(width), lanes, inits, body)
    }

    /// A loop over `low..high` in steps that binds an axis to the first of so many consecutive
    /// points and carries values.
    pub fn steps<T>(
        &mut self,
        axis: AxisId,
        [low, high]: [ValueId; 2],
        step: i64,
        lanes: u32,
        inits: &[ValueId],
        body: T,
    ) -> Result<Vec<ValueId>, String>
    where
        T: FnOnce(&mut Self, &[ValueId]) -> Result<Vec<ValueId>, String>,
    {
        let open = self.b.begin_loop(low, high, step, inits);
        let known = self.cache.len();
        let outer = self.vector;
        if lanes > 1 {
            self.vector = Some((axis, lanes));
        }
        let inside = open.inside.clone();
        let next = self.bound(axis, open.variable, |this| body(this, &inside))?;
        self.vector = outer;
        self.cache.truncate(known);
        Ok(self.b.end_loop(open, &next))
    }

    /// A loop over the points of an axis.
    pub fn each(
        &mut self,
        axis: AxisId,
        range: [ValueId; 2],
        body: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        self.fold(axis, range, 1, &[], |this, _| {
            body(this)?;
            Ok(Vec::new())
        })?;
        Ok(())
    }

    /// Nested loops over whole axes, the first outermost.
    pub fn nest(
        &mut self,
        axes: &[AxisId],
        body: &mut dyn FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        match axes.split_first() {
            None => body(self),
            Some((axis, rest)) => {
                let zero = self.b.index(0);
                let size = self.size(*axis);
                self.each(*axis, [zero, size], |this| this.nest(rest, body))
            }
        }
    }

    /// Loops that cover a range with the given widths in turn, each as far as it fits; each
    /// folds its own values (`inits[level]`). The last width is 1 unless the length is known to
    /// be a multiple.
    pub fn levels(
        &mut self,
        axis: AxisId,
        [low, high]: [ValueId; 2],
        widths: &[u32],
        inits: &[Vec<ValueId>],
        body: &mut LevelBody<'_, 'k>,
    ) -> Result<Vec<Vec<ValueId>>, String> {
        let mut low = low;
        let mut results = Vec::new();
        for (level, width) in widths.iter().enumerate() {
            let end = if level + 1 == widths.len() {
                high
            } else {
                let width = self.b.index(i64::from(*width));
                let rest = self.b.index_op(IndexOp::Sub, high, low);
                let count = self.b.index_op(IndexOp::Div, rest, width);
                let whole = self.b.index_op(IndexOp::Mul, count, width);
                self.b.add(low, whole)
            };
            let init = inits.get(level).map_or(&[][..], Vec::as_slice);
            results.push(self.fold(axis, [low, end], *width, init, |this, inside| {
                body(this, level, inside)
            })?);
            low = end;
        }
        Ok(results)
    }

    /// Widths for an axis whose ranges start at multiples of the widest.
    pub fn widths(&self, axis: AxisId, widest: u32) -> Vec<u32> {
        if self.machine.team {
            // Threads past the end have nothing to do.
            let threads = self.threads_along();
            let lanes = u64::from(widest / threads);
            return match self.fixed(axis) {
                Some(size) if size % lanes == 0 => vec![widest],
                Some(size) if size < u64::from(widest) => vec![threads],
                None if lanes == 1 => vec![threads],
                Some(_) | None => vec![widest, threads],
            };
        }
        let lanes = self.machine.lanes;
        let Some(size) = self.fixed(axis) else {
            let mut widths = vec![widest, lanes, 1];
            widths.dedup();
            return widths;
        };
        let mut rest = size;
        let mut widths = Vec::new();
        for width in [widest, lanes, 1] {
            if rest >= u64::from(width) && !widths.contains(&width) {
                widths.push(width);
                rest %= u64::from(width);
            }
        }
        if widths.is_empty() {
            widths.push(1);
        }
        widths
    }

    /// Writes statements that one thread of a team runs for all, between accesses of the others;
    /// without teams they are just written.
    pub fn once(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        if !self.machine.team {
            return body(self);
        }
        self.b.team_sync();
        let member = self.b.op(Operation::Member);
        let zero = self.b.index(0);
        let first = self.b.compare(Compare::Eq, member, zero);
        let known = self.cache.len();
        self.b.begin_if();
        let result = body(self);
        self.b.end_if(first);
        self.cache.truncate(known);
        self.b.team_sync();
        result
    }

    /// Address of scratch bytes.
    pub fn scratch_at(&mut self, offset: u64) -> ValueId {
        let bytes = self.b.index(offset as i64);
        self.b.op(Operation::Offset(self.scratch, bytes))
    }
}

/// Refuses kernels whose parts refer to what does not exist.
fn check(kernel: &Kernel) -> Result<(), String> {
    use crate::kernel::{Coordinate, Expr, StageKind};
    let axes = kernel.axes.len() as u32;
    let known_axis = |axis: &AxisId| match axis.0 < axes {
        true => Ok(()),
        false => Err(format!("axis {} does not exist", axis.0)),
    };
    let known_expr = |expr: ExprId, before: usize| match (expr.0 as usize) < before {
        true => Ok(()),
        false => Err(format!("expression {} does not exist yet", expr.0)),
    };
    let known_address = |buffer: u32, address: &crate::kernel::Address, before: usize| {
        if buffer as usize >= kernel.buffers.len() {
            return Err(format!("buffer {buffer} does not exist"));
        }
        address
            .terms
            .iter()
            .try_for_each(|(coordinate, _)| match coordinate {
                Coordinate::Axis(axis) => known_axis(axis),
                Coordinate::Row(row) => known_expr(*row, before),
            })
    };
    for (number, expr) in kernel.exprs.iter().enumerate() {
        match expr {
            Expr::Const(_) => {}
            Expr::Index(axis) => known_axis(axis)?,
            Expr::Load {
                buffer,
                address,
                guards,
            } => {
                known_address(buffer.0, address, number)?;
                for guard in guards {
                    guard
                        .terms
                        .iter()
                        .try_for_each(|(axis, _)| known_axis(axis))?;
                }
            }
            Expr::Tile { stage, .. } => {
                if stage.0 as usize >= kernel.stages.len() {
                    return Err(format!("stage {} does not exist", stage.0));
                }
            }
            Expr::Unary(_, x) | Expr::Round(x) => known_expr(*x, number)?,
            Expr::Binary(_, a, b) => {
                known_expr(*a, number)?;
                known_expr(*b, number)?;
            }
            Expr::SelectEqual {
                a,
                b,
                then,
                otherwise,
            } => {
                for part in [a, b, then, otherwise] {
                    known_expr(*part, number)?;
                }
            }
        }
    }
    let all = kernel.exprs.len();
    for stage in &kernel.stages {
        stage.domain.iter().try_for_each(known_axis)?;
        if let Some(axis) = stage
            .reduced
            .iter()
            .find(|axis| !stage.domain.contains(axis))
        {
            return Err(format!("axis {} is folded outside its domain", axis.0));
        }
        match &stage.kind {
            StageKind::Map { stores } => {
                for store in stores {
                    known_address(store.buffer.0, &store.address, all)?;
                    known_expr(store.value, all)?;
                }
            }
            StageKind::Reduce { value, .. } => known_expr(*value, all)?,
            StageKind::Contract { lhs, rhs, .. } => {
                known_expr(*lhs, all)?;
                known_expr(*rhs, all)?;
            }
            StageKind::SoftmaxContract { score, value, .. } => {
                known_expr(*score, all)?;
                known_expr(*value, all)?;
            }
            StageKind::Scatter {
                buffer,
                address,
                value,
            } => {
                known_address(buffer.0, address, all)?;
                known_expr(*value, all)?;
            }
        }
    }
    Ok(())
}
