//! The map stages of attention: from accumulators in scratch to memory.

use mm1_package::DType;

use super::{Lower, Outer};
use crate::kernel::{Expr, ExprId, StageKind};
use crate::loops::{IndexOp, Operation, ValueId};
use crate::lower::math;

impl Lower<'_> {
    /// Runs the map stages: per lane within the sequence, features as a loop.
    pub(super) fn store(
        &mut self,
        outer: &[Outer],
        first: ValueId,
        size: ValueId,
    ) -> Result<(), String> {
        let minus = self.b.scaled(first, -1);
        let left = self.b.add(size, minus);
        let width = self.b.index(self.width);
        let count = self.b.index_op(IndexOp::Min, left, width);
        for stage in &self.kernel.stages {
            let StageKind::Map { stores } = &stage.kind else {
                continue;
            };
            let feature = stage
                .domain
                .iter()
                .copied()
                .find(|axis| !self.kernel.axis_of(*axis).parallel);
            let (low, step) = self.own_lanes();
            let zero = self.b.index(0);
            let lanes = self.b.begin_loop(low, count, step, &[]);
            let lane = lanes.variable;
            let at = self.b.add(first, lane);
            self.axes.insert(self.vector, at);
            let limit = match feature {
                Some(axis) => self.size(axis),
                None => self.b.index(1),
            };
            let features = self.b.begin_loop(zero, limit, 1, &[]);
            if let Some(axis) = feature {
                self.axes.insert(axis, features.variable);
            }
            let mut outcome = Ok(());
            for store in stores {
                let value = self.result(store.value, outer, features.variable, lane);
                let address = self.element(&store.address);
                match (value, address) {
                    (Ok(value), Ok(element)) => {
                        let dtype = self.kernel.buffers[store.buffer.0 as usize].dtype;
                        let ptr = self.b.element(
                            self.args[store.buffer.0 as usize],
                            element,
                            dtype.size() as i64,
                        );
                        self.b.store(ptr, 0, value, dtype);
                    }
                    (Err(error), _) | (_, Err(error)) => outcome = Err(error),
                }
            }
            self.b.end_loop(features, &[]);
            self.b.end_loop(lanes, &[]);
            self.axes.insert(self.vector, first);
            outcome?;
        }
        Ok(())
    }

    /// A scalar expression over the folds' results.
    fn result(
        &mut self,
        id: ExprId,
        outer: &[Outer],
        feature: ValueId,
        lane: ValueId,
    ) -> Result<ValueId, String> {
        Ok(match self.kernel.expr_of(id).clone() {
            Expr::Const(bits) => self.b.float(f32::from_bits(bits), 1),
            Expr::Tile { stage, result } => {
                let fold = outer
                    .iter()
                    .find(|fold| fold.stage == stage)
                    .ok_or("a result reads a fold")?;
                let base = match result {
                    0 => {
                        let sums = self.scratch_at(fold.sums);
                        self.b.element(sums, feature, self.width * 4)
                    }
                    1 => self.scratch_at(fold.largest),
                    _ => self.scratch_at(fold.total),
                };
                let ptr = self.b.element(base, lane, 4);
                self.b.load(ptr, 0, DType::F32, 1)
            }
            Expr::Unary(function, x) => {
                let x = self.result(x, outer, feature, lane)?;
                math::unary(&mut self.b, function, x)
            }
            Expr::Binary(function, a, b) => {
                let a = self.result(a, outer, feature, lane)?;
                let b = self.result(b, outer, feature, lane)?;
                math::binary(&mut self.b, function, a, b)
            }
            Expr::Round(x) => {
                let x = self.result(x, outer, feature, lane)?;
                self.b.op(Operation::RoundBf16(x))
            }
            Expr::Load { .. } => {
                let (ptr, dtype) = self.pointer(id)?;
                self.b.load(ptr, 0, dtype, 1)
            }
            Expr::Index(_) | Expr::SelectEqual { .. } => {
                return Err("results of attention are floats".to_owned());
            }
        })
    }
}
