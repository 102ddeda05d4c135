//! Expressions of a kernel at points that a block-level schedule names, as text of one thread.

use super::text::Text;
use super::thread::{self, Lanes};
use crate::kernel::{AxisId, ExprId, Kernel, StageId, Store};
use crate::loops::{Type, ValueId};
use crate::lower::Machine;
use crate::lower::emit::{Emit, Tile};
use crate::lower::groups::Groups;

/// Values of a kernel under way; inputs are names of the text around.
pub(super) struct Point<'k> {
    emit: Emit<'k>,
    given: Vec<(ValueId, Vec<String>)>,
}

impl<'k> Point<'k> {
    /// Starts where no axis is bound.
    pub fn new(kernel: &'k Kernel, machine: &'k Machine) -> Result<Self, String> {
        Ok(Self {
            emit: Emit::new(kernel, machine)?,
            given: Vec::new(),
        })
    }

    fn input(&mut self, ty: Type, names: Vec<String>) -> ValueId {
        let value = self.emit.b.input(ty);
        self.given.push((value, names));
        value
    }

    /// Binds an axis to an i64.
    pub fn bind(&mut self, axis: AxisId, name: &str) {
        let value = self.input(Type::Index, vec![name.to_owned()]);
        self.emit.axis[axis.0 as usize] = Some(value);
        self.emit.order.push(axis);
    }

    /// Values from here on have so many neighbours along an axis.
    pub fn vector(&mut self, axis: AxisId, lanes: u32) {
        self.emit.vector = Some((axis, lanes));
    }

    /// The value of an expression where two axes are bound to i64s.
    pub fn value(
        &mut self,
        expr: ExprId,
        [(a, at_a), (b, at_b)]: [(AxisId, &str); 2],
        lanes: u32,
    ) -> Result<ValueId, String> {
        let at_a = self.input(Type::Index, vec![at_a.to_owned()]);
        let at_b = self.input(Type::Index, vec![at_b.to_owned()]);
        self.emit.rebound(a, at_a, |emit| {
            emit.rebound(b, at_b, |emit| emit.float_at(expr, lanes))
        })
    }

    /// First row of the group that is bound and one past its last, as i64s.
    pub fn range(&mut self, groups: &Groups) -> Result<[ValueId; 2], String> {
        groups.range(&mut self.emit)
    }

    /// Gives the result of a contraction at the bound point.
    pub fn tile(&mut self, stage: StageId, names: Vec<String>) {
        let value = self.input(Type::F32(names.len() as u32), names);
        self.emit.tiles.push((stage, 0, Tile::Register(value)));
    }

    /// Performs stores at the bound point; what is known before them may be out of date after.
    pub fn stores(&mut self, stores: &[Store]) -> Result<(), String> {
        self.emit.stores(stores)?;
        self.emit.cache.clear();
        Ok(())
    }

    /// Writes everything.
    pub fn finish(self, text: &mut Text) -> Result<Lanes, String> {
        let function = self.emit.b.finish("point");
        thread::print(text, &function, &self.given)
    }
}
