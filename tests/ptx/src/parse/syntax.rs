//! A module as it is written: names are text, nothing is checked against anything.

use std::sync::Arc;

/// A type of a register, variable or instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Type {
    B8,
    B16,
    B32,
    B64,
    B128,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    F16x2,
    Bf16,
    Bf16x2,
    F32,
    Tf32,
    F64,
    Pred,
}

impl Type {
    /// The type named by an opcode part or by a directive without its dot.
    pub fn named(name: &str) -> Option<Type> {
        Some(match name {
            "b8" => Type::B8,
            "b16" => Type::B16,
            "b32" => Type::B32,
            "b64" => Type::B64,
            "b128" => Type::B128,
            "u8" => Type::U8,
            "u16" => Type::U16,
            "u32" => Type::U32,
            "u64" => Type::U64,
            "s8" => Type::S8,
            "s16" => Type::S16,
            "s32" => Type::S32,
            "s64" => Type::S64,
            "f16" => Type::F16,
            "f16x2" => Type::F16x2,
            "bf16" => Type::Bf16,
            "bf16x2" => Type::Bf16x2,
            "f32" => Type::F32,
            "tf32" => Type::Tf32,
            "f64" => Type::F64,
            "pred" => Type::Pred,
            _ => return None,
        })
    }

    /// Bytes of a value; a predicate counts as one.
    pub fn bytes(self) -> u32 {
        match self {
            Type::B8 | Type::U8 | Type::S8 | Type::Pred => 1,
            Type::B16 | Type::U16 | Type::S16 | Type::F16 | Type::Bf16 => 2,
            Type::B32 | Type::U32 | Type::S32 | Type::F32 | Type::Tf32 => 4,
            Type::F16x2 | Type::Bf16x2 => 4,
            Type::B64 | Type::U64 | Type::S64 | Type::F64 => 8,
            Type::B128 => 16,
        }
    }

    /// Whether narrow values are extended by their sign.
    pub fn signed(self) -> bool {
        matches!(self, Type::S8 | Type::S16 | Type::S32 | Type::S64)
    }
}

/// An operand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    /// A register, special register, variable, label or function, perhaps with bytes added.
    Name(String, i64),
    /// An integer, as 64 bits.
    Integer(u64),
    /// Bits of an f32.
    Float32(u32),
    /// Bits of an f64.
    Float64(u64),
    /// `!%p`.
    Not(String),
    /// `{a, b}`.
    Vector(Vec<Operand>),
    /// `[base + offset]` or `[base, {coordinates}]`.
    Address(Address),
    /// `a|b`.
    Pair(Box<Operand>, Box<Operand>),
    /// `(a, b)` of a call.
    Group(Vec<Operand>),
    /// `_`.
    Sink,
}

/// What stands in brackets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Address {
    /// A register or variable; none for a number.
    pub base: Option<String>,
    pub offset: i64,
    pub coordinates: Vec<Operand>,
}

/// One instruction.
#[derive(Clone, Debug)]
pub(crate) struct Instruction {
    /// Register and whether it is negated.
    pub guard: Option<(String, bool)>,
    /// `ld`, `global`, `v4`, `b32`.
    pub opcode: Vec<String>,
    pub operands: Vec<Operand>,
    pub line: u32,
    pub text: Arc<str>,
}

/// Where a variable lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Space {
    Global,
    Shared,
    Local,
    Const,
    Param,
    Generic,
}

/// A variable or parameter.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub space: Space,
    pub name: String,
    pub align: u32,
    /// Zero for an array without a size.
    pub bytes: u32,
    /// Bytes of the initializer; the rest is zero. Empty without one.
    pub init: Vec<u8>,
    /// Whether there is an initializer, or the space starts as zero.
    pub has_init: bool,
    pub external: bool,
    pub line: u32,
}

/// A statement of a body.
#[derive(Clone, Debug)]
pub(crate) enum Statement {
    Label(String),
    /// Name and, for `%r<5>`, the number of registers.
    Register(Type, String, Option<u32>),
    Variable(Variable),
    Instruction(Instruction),
    Undefined(String),
    /// `name: .branchtargets a, b;`
    Targets(String, Vec<String>),
    Open,
    Close,
}

/// An entry or a device function.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub name: String,
    pub entry: bool,
    pub returns: Vec<Variable>,
    pub params: Vec<Variable>,
    pub body: Option<Vec<Statement>>,
    /// `.reqntid`.
    pub required_threads: Option<[u32; 3]>,
    /// `.maxntid`.
    pub most_threads: Option<[u32; 3]>,
    /// `.reqnctapercluster`.
    pub cluster: Option<[u32; 3]>,
    pub line: u32,
}
