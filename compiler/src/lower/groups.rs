//! Grouped products: rows sorted by group, each group with a factor of its own.
//!
//! The window of a contraction gives each group (the query) its range of rows (the key). Where the
//! rows are results, the groups are folded: a tile of rows is walked group by group, both ends of
//! the walk found by bisection, since ranges ascend with the group. So a tile costs what its rows
//! cost, in one part for each group that has some of them; rows of no group stay 0. A tile ends with a
//! group where one ends a little later, so that few groups have their factor packed twice. Where the
//! rows are folded, the fold of a group runs over its range.

use super::emit::Emit;
use crate::kernel::{AxisId, ExprId, Kernel, Stage, StageKind, Window};
use crate::loops::{Compare, IndexOp, ValueId};

/// The groups of a kernel's contractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    /// Axis of the groups.
    pub query: AxisId,
    /// Axis of the rows.
    pub key: AxisId,
    /// First row of a group.
    pub begin: ExprId,
    /// One past its last row.
    pub end: ExprId,
    /// Whether the rows are folded, not the groups.
    pub folds: bool,
}

impl Groups {
    /// The groups of the first `contracts` stages, if any has a window.
    ///
    /// # Errors
    /// A window that is not a range per group, or that not all of them have.
    pub fn of(kernel: &Kernel, contracts: usize) -> Result<Option<Self>, String> {
        let mut found = Vec::new();
        for stage in &kernel.stages[..contracts] {
            found.push(Self::of_stage(kernel, stage)?);
        }
        let first = found.first().copied().flatten();
        match found.iter().all(|other| *other == first) {
            true => Ok(first),
            false => Err("contractions of one kernel differ in their windows".to_owned()),
        }
    }

    fn of_stage(kernel: &Kernel, stage: &Stage) -> Result<Option<Self>, String> {
        let StageKind::Contract {
            window: Some(window),
            ..
        } = &stage.kind
        else {
            return Ok(None);
        };
        let Window {
            query,
            key,
            causal: false,
            begin: Some(begin),
            end: Some(end),
        } = *window
        else {
            return Err("a contraction with a window that is no range of rows".to_owned());
        };
        let by_group = |expr| kernel.axes_of_expr(expr).iter().all(|axis| *axis == query);
        if !by_group(begin) || !by_group(end) {
            return Err("a contraction whose window does not depend on the group alone".to_owned());
        }
        let folds = stage.reduced.contains(&key);
        if folds == stage.reduced.contains(&query) {
            return Err("a contraction with a window folds either groups or rows".to_owned());
        }
        if folds && stage.reduced.last() != Some(&key) {
            return Err("a contraction whose window is not on the last folded axis".to_owned());
        }
        Ok(Some(Self {
            query,
            key,
            begin,
            end,
            folds,
        }))
    }

    /// The rows of the group that is bound.
    pub fn range(&self, emit: &mut Emit<'_>) -> Result<[ValueId; 2], String> {
        let (zero, size) = (emit.b.index(0), emit.size(self.key));
        let begin = emit.index_value(self.begin)?;
        let begin = emit.b.index_op(IndexOp::Max, begin, zero);
        let end = emit.index_value(self.end)?;
        Ok([begin, emit.least(end, size)])
    }

    /// Runs `body` for each group that has some of these rows, with the group bound and with its
    /// part of them.
    pub fn each<'k>(
        &self,
        emit: &mut Emit<'k>,
        rows: [ValueId; 2],
        body: impl FnOnce(&mut Emit<'k>, [ValueId; 2]) -> Result<(), String>,
    ) -> Result<(), String> {
        self.fold(emit, rows, &[], |emit, part, _| {
            let any = emit.b.compare(Compare::Lt, part[0], part[1]);
            let known = emit.cache.len();
            emit.b.begin_if();
            let result = body(emit, part);
            emit.b.end_if(any);
            emit.cache.truncate(known);
            result.map(|()| Vec::new())
        })?;
        Ok(())
    }

    /// As `each`, with values carried from group to group; a part may be empty.
    pub fn fold<'k>(
        &self,
        emit: &mut Emit<'k>,
        rows: [ValueId; 2],
        inits: &[ValueId],
        body: impl FnOnce(&mut Emit<'k>, [ValueId; 2], &[ValueId]) -> Result<Vec<ValueId>, String>,
    ) -> Result<Vec<ValueId>, String> {
        let one = emit.b.index(1);
        let after = emit.b.add(rows[0], one);
        let first = self.before(emit, self.end, after)?;
        let stop = self.before(emit, self.begin, rows[1])?;
        emit.fold(self.query, [first, stop], 1, inits, |emit, inside| {
            let [begin, end] = self.range(emit)?;
            let low = emit.b.index_op(IndexOp::Max, begin, rows[0]);
            let high = emit.least(end, rows[1]);
            body(emit, [low, high], inside)
        })
    }

    /// `row`, or the first row of the group that begins at most `reach` rows after it, which is where
    /// one tile ends and the next begins. The first row stays, whoever has it.
    pub fn boundary(
        &self,
        emit: &mut Emit<'_>,
        row: ValueId,
        reach: u64,
    ) -> Result<ValueId, String> {
        let group = self.before(emit, self.begin, row)?;
        let group = self.existing(emit, group);
        let begin = emit.rebound(self.query, group, |emit| emit.index_value(self.begin))?;
        let reach = emit.b.index(reach as i64);
        let limit = emit.b.add(row, reach);
        let one = emit.b.index(1);
        let mut found = begin;
        // The last group may begin before the row.
        for (low, high) in [(row, begin), (begin, limit), (one, row)] {
            let holds = emit.b.compare(Compare::Le, low, high);
            found = emit.b.select(holds, found, row);
        }
        let size = emit.size(self.key);
        Ok(emit.least(found, size))
    }

    /// The group, or the last one: past it nothing may be read.
    fn existing(&self, emit: &mut Emit<'_>, group: ValueId) -> ValueId {
        let (zero, one) = (emit.b.index(0), emit.b.index(1));
        let size = emit.size(self.query);
        let last = emit.b.index_op(IndexOp::Sub, size, one);
        let group = emit.least(group, last);
        emit.b.index_op(IndexOp::Max, group, zero)
    }

    /// How many groups have a `value` below `limit`, which ascends with the group.
    fn before(
        &self,
        emit: &mut Emit<'_>,
        value: ExprId,
        limit: ValueId,
    ) -> Result<ValueId, String> {
        let size = emit.size(self.query);
        let (zero, one, two) = (emit.b.index(0), emit.b.index(1), emit.b.index(2));
        let rounds = match emit.fixed(self.query) {
            Some(size) => u64::BITS - size.leading_zeros(),
            None => 32,
        };
        let rounds = emit.b.index(i64::from(rounds));
        let open = emit.b.begin_loop(zero, rounds, 1, &[zero, size]);
        let [low, high] = [open.inside[0], open.inside[1]];
        let sum = emit.b.add(low, high);
        let middle = emit.b.index_op(IndexOp::Div, sum, two);
        // Of the group that is read instead nothing counts; the comparison with `high` decides.
        let read = self.existing(emit, middle);
        let found = emit.rebound(self.query, read, |emit| emit.index_value(value))?;
        let below = emit.b.compare(Compare::Lt, found, limit);
        let is_open = emit.b.compare(Compare::Lt, low, high);
        let next = emit.b.add(middle, one);
        let raised = emit.b.select(below, next, low);
        let raised = emit.b.select(is_open, raised, low);
        let lowered = emit.b.select(below, high, middle);
        let lowered = emit.b.select(is_open, lowered, high);
        let results = emit.b.end_loop(open, &[raised, lowered]);
        Ok(results[0])
    }
}
