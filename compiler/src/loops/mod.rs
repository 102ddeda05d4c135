//! Loop programs: what the emitters print.
//!
//! A [`Function`] is one kernel after scheduling: loops, vector registers, loads and stores. The
//! emitters translate it statement by statement, so a schedule is written once and checked by
//! several code generators. Values are in SSA form: each [`ValueId`] is defined once, by a `Let`, a
//! loop variable or a carried value, and used only where its definition is visible.
//!
//! # Types
//! [`Type::Index`] is a 64-bit integer, [`Type::Ptr`] an address. [`Type::F32`], [`Type::I32`] and
//! [`Type::Mask`] are registers of that many lanes; one lane is a scalar. An I32 register may
//! hold lanes of two bf16 numbers (even element in the low half) for [`Operation::DotPairs`].
//!
//! # Teams
//! On a GPU a function runs on a *team* of [`TEAM`] threads (a warp), or of several warps: each
//! thread has values of its own, and [`Operation::Member`] tells them apart. `TeamSum` and `TeamMax`
//! exchange values and must be reached by the whole team, as must [`Stmt::TeamSync`]. Scratch belongs
//! to the team; a `TeamSync` stands between a thread's access and another's to the same element.
//! Registers of several lanes are read and written at multiples of their bytes, or of 16 where they
//! have more. On a CPU there is no team, and its emitters refuse these operations.
//!
//! # Tiles
//! A processor with [`Type::Tile`] registers (AMX has eight) multiplies whole tiles of bf16 pairs. Only
//! loops and the four operations on tiles carry them.
//!
//! # Arithmetic
//! Floats follow IEEE, round to nearest even, no reassociation and no contraction except where
//! [`Operation::Fma`] says so (one rounding). `Min`/`Max` return the second operand if either is NaN.
//! Index arithmetic does not overflow; division is unsigned.

pub mod builder;
pub mod text;

use mm1_package::DType;

/// Threads of a team.
pub const TEAM: u32 = 32;

/// Identifies a value of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub u32);

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// 64-bit integer.
    Index,
    /// Address.
    Ptr,
    /// Lanes of f32.
    F32(u32),
    /// Lanes of i32.
    I32(u32),
    /// Lanes of truth values.
    Mask(u32),
    /// 16 rows of 16 words, each an f32 or a pair of bf16.
    Tile,
}

/// Integer operations on indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexOp {
    /// a + b.
    Add,
    /// a − b.
    Sub,
    /// a·b.
    Mul,
    /// ⌊a/b⌋, both non-negative.
    Div,
    /// Remainder, both non-negative.
    Rem,
    /// Smaller, signed.
    Min,
    /// Larger, signed.
    Max,
}

/// Lane-wise float operations of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatUnary {
    /// −x.
    Neg,
    /// |x|.
    Abs,
    /// √x.
    Sqrt,
    /// Nearest integer, ties to even.
    Nearest,
}

/// Lane-wise float operations of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatBinary {
    /// a + b.
    Add,
    /// a − b.
    Sub,
    /// a·b.
    Mul,
    /// a/b.
    Div,
    /// Smaller.
    Min,
    /// Larger.
    Max,
}

/// Lane-wise operations on i32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntBinary {
    /// a + b, wrapping.
    Add,
    /// a − b, wrapping.
    Sub,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// a << b.
    Shl,
    /// a >> b, zeros shifted in.
    ShrU,
}

/// Comparisons; on floats false if either is NaN, except `Ne`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// =
    Eq,
    /// ≠
    Ne,
    /// < (signed)
    Lt,
    /// ≤ (signed)
    Le,
}

/// What a `Let` computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// → Index.
    Index(i64),
    /// → F32 of that many lanes, all this number.
    Float(f32, u32),
    /// → I32 of that many lanes, all this number.
    Int(i32, u32),
    /// → Ptr: the kernel's i-th argument.
    Argument(u32),
    /// → Index: the launch's i-th extent.
    Extent(u32),
    /// → Ptr: the thread's scratch.
    Scratch,
    /// → Index: first tile of this call.
    TileBegin,
    /// → Index: one past the last.
    TileEnd,
    /// Index × Index → Index.
    IndexOp(IndexOp, ValueId, ValueId),
    /// Ptr + bytes → Ptr.
    Offset(ValueId, ValueId),
    /// Ptr, constant byte offset → F32 lanes (from f32 or bf16 memory) or I32 lanes (from i32), unaligned.
    Load {
        /// Address.
        ptr: ValueId,
        /// Added bytes.
        offset: i64,
        /// In memory.
        dtype: DType,
        /// Lanes.
        lanes: u32,
    },
    /// Ptr, constant byte offset → Index, from one i32, sign-extended.
    LoadIndex {
        /// Address.
        ptr: ValueId,
        /// Added bytes.
        offset: i64,
    },
    /// Scalar F32/I32 → that many lanes.
    Splat(ValueId, u32),
    /// Index → I32 lanes base, base + 1, …
    Ramp(ValueId, u32),
    /// F32 → F32.
    FloatUnary(FloatUnary, ValueId),
    /// F32 × F32 → F32.
    FloatBinary(FloatBinary, ValueId, ValueId),
    /// a·b + c with one rounding.
    Fma(ValueId, ValueId, ValueId),
    /// I32 × I32 → I32.
    IntBinary(IntBinary, ValueId, ValueId),
    /// F32 → I32 or I32 → F32, same bits.
    Bitcast(ValueId),
    /// F32 → I32, towards zero, saturating.
    FloatToInt(ValueId),
    /// I32 → F32, nearest.
    IntToFloat(ValueId),
    /// F32 × F32, I32 × I32 → Mask; Index × Index → Mask(1).
    Compare(Compare, ValueId, ValueId),
    /// Mask × Mask → Mask.
    MaskAnd(ValueId, ValueId),
    /// Mask, a, b → a where set, else b (F32, I32; with Mask(1) also Index).
    Select(ValueId, ValueId, ValueId),
    /// F32 lanes → scalar F32: pairwise halves until one is left.
    SumLanes(ValueId),
    /// F32 lanes → scalar F32.
    MaxLanes(ValueId),
    /// F32 → F32 rounded to bf16, nearest even (NaN stays NaN).
    RoundBf16(ValueId),
    /// acc F32, a and b I32 of bf16 pairs → per lane fma(a.even, b.even, fma(a.odd, b.odd, acc)), subnormal
    /// inputs and results flushed to zero, as `vdpbf16ps`.
    DotPairs(ValueId, ValueId, ValueId),
    /// Two F32 or I32 registers of n lanes → n lanes picked by constant numbers in 0..2n.
    Shuffle(ValueId, ValueId, Vec<u32>),
    /// → Tile of zeros.
    TileZero,
    /// Ptr, constant bytes from row to row → Tile.
    TileLoad {
        /// Address of row 0.
        ptr: ValueId,
        /// Added bytes.
        offset: i64,
        /// Bytes between rows.
        row: i64,
    },
    /// acc, a and b → acc\[m\]\[n\] + Σ over w of the pairs a\[m\]\[w\]·b\[w\]\[n\]: even and odd products are
    /// chains of fused multiply-adds from 0, which are added to each other and then to acc;
    /// subnormals count as zero, as in `tdpbf16ps`.
    TileDot(ValueId, ValueId, ValueId),
    /// → Index: this thread's number in its team.
    Member,
    /// Scalar F32 → Σ over the team, in every thread: x of thread t and of thread t ⊕ 16 are added
    /// first, then with distance 8, 4, 2, 1; then the sums of warps, likewise from half their number on.
    TeamSum(ValueId),
    /// Scalar F32 → largest of the team, in every thread.
    TeamMax(ValueId),
}

/// A value that a loop carries from one iteration to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Carried {
    /// Seen inside the body.
    pub inside: ValueId,
    /// Before the first iteration.
    pub init: ValueId,
    /// At the end of the body.
    pub next: ValueId,
    /// After the loop.
    pub result: ValueId,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    /// Defines a value.
    Let(ValueId, Operation),
    /// Stores F32 (to f32 memory, or rounded to bf16 memory) or I32 lanes (to i32), unaligned.
    Store {
        /// Address.
        ptr: ValueId,
        /// Added bytes.
        offset: i64,
        /// What.
        value: ValueId,
        /// In memory.
        dtype: DType,
    },
    /// Stores a Tile.
    TileStore {
        /// Address of row 0.
        ptr: ValueId,
        /// Added bytes.
        offset: i64,
        /// Bytes between rows.
        row: i64,
        /// What.
        value: ValueId,
    },
    /// `for variable in low..high step step`, signed; the body runs while variable < high.
    For {
        /// Index, seen inside.
        variable: ValueId,
        /// First.
        low: ValueId,
        /// Bound.
        high: ValueId,
        /// Positive.
        step: i64,
        /// Values across iterations.
        carried: Vec<Carried>,
        /// What repeats.
        body: Vec<Stmt>,
    },
    /// Makes memory accesses of the team's threads before it visible to those after it.
    TeamSync,
    /// Runs the body where the Mask(1) is set.
    If {
        /// Condition.
        condition: ValueId,
        /// What may run.
        body: Vec<Stmt>,
    },
}

/// A scheduled kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Symbol.
    pub name: String,
    /// Type of each value.
    pub types: Vec<Type>,
    /// Statements.
    pub body: Vec<Stmt>,
    /// Scratch that one thread, or one team, needs.
    pub scratch_bytes: u64,
    /// Warps of a team.
    pub warps: u32,
}

impl Function {
    /// Type of a value.
    pub fn ty(&self, value: ValueId) -> Type {
        self.types[value.0 as usize]
    }
}
