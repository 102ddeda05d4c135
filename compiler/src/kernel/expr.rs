//! Expressions and addresses of kernels.

use serde::{Deserialize, Serialize};

use super::{AxisId, BufferId, StageId};
use crate::graph::{Binary, Unary};

/// Index into `Kernel::exprs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExprId(pub u32);

/// A value at one point of a stage's domain: f32, or i32 for loads from i32 buffers and indices.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Expr {
    /// An f32 number, by its bits (so that it hashes).
    Const(u32),
    /// The value of an axis, i32.
    Index(AxisId),
    /// An element of a buffer, widened to f32 (or i32 from an i32 buffer); 0 where a guard fails
    /// or a row coordinate is −1.
    Load {
        /// From where.
        buffer: BufferId,
        /// Which element.
        address: Address,
        /// All must hold for the element to exist.
        guards: Vec<Guard>,
    },
    /// A result of an earlier stage at the same axis values.
    Tile {
        /// The stage.
        stage: StageId,
        /// Which of its results.
        result: u32,
    },
    /// f(x), in f32.
    Unary(Unary, ExprId),
    /// f(a, b), in f32.
    Binary(Binary, ExprId, ExprId),
    /// x rounded to bf16 (nearest even), as f32.
    Round(ExprId),
    /// `then` where the i32 values a and b are equal, else `otherwise`.
    SelectEqual {
        /// i32.
        a: ExprId,
        /// i32.
        b: ExprId,
        /// f32.
        then: ExprId,
        /// f32.
        otherwise: ExprId,
    },
}

/// An element of a buffer: offset + Σ coordinate·stride, in elements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Constant part.
    pub offset: i64,
    /// Coordinates and their strides; strides are not 0.
    pub terms: Vec<(Coordinate, i64)>,
}

/// What an address term multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Coordinate {
    /// The value of an axis.
    Axis(AxisId),
    /// A row number: the i32 value of an expression; −1 means that the element does not exist.
    Row(ExprId),
}

/// 0 ≤ offset + Σ axis·factor < bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Guard {
    /// Constant part.
    pub offset: i64,
    /// Axes and factors.
    pub terms: Vec<(AxisId, i64)>,
    /// Exclusive upper bound.
    pub bound: i64,
}

impl Address {
    /// The stride along an axis, 0 if the address does not depend on it directly.
    pub fn stride(&self, axis: AxisId) -> i64 {
        self.terms
            .iter()
            .filter(|(coordinate, _)| *coordinate == Coordinate::Axis(axis))
            .map(|(_, stride)| stride)
            .sum()
    }
}
