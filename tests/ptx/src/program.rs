//! The decoded form of an entry: one flat list of instructions on rows of registers.

use std::sync::Arc;

use crate::machine::rows::{Class, Rows};
use crate::parse::syntax::Space;

/// Computes all lanes of the mask from rows; the first argument is the result.
pub(crate) type Run = unsafe fn(&mut Rows, &[u32; 5], u32);

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

/// An operation without effects but on its result, and what rows it takes.
#[derive(Clone, Copy)]
pub(crate) struct Pure {
    pub run: Run,
    pub result: Class,
    pub sources: &'static [Class],
}

/// Defines a [`Pure`] operation by what it does in one lane:
/// `pure!(u32; a: u32, b: u32 => a.wrapping_add(b))`.
///
/// It is compiled twice, plainly and for AVX2 and FMA, which give the same results.
macro_rules! pure {
    ($result:ty; $($name:ident: $ty:ty),* => $value:expr) => {{
        use $crate::machine::rows::{Lane, Rows, LANES};
        #[inline(always)]
        fn body(rows: &mut Rows, args: &[u32; 5], mask: u32) {
            let mut _source = 0;
            $(
                _source += 1;
                let $name: [$ty; LANES] = <$ty as Lane>::load(rows, args[_source]);
            )*
            let mut out = [<$result>::default(); LANES];
            for lane in 0..LANES {
                $(let $name: $ty = $name[lane];)*
                out[lane] = $value;
            }
            <$result as Lane>::store(rows, args[0], mask, &out);
        }
        unsafe fn plain(rows: &mut Rows, args: &[u32; 5], mask: u32) {
            body(rows, args, mask);
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn fast(rows: &mut Rows, args: &[u32; 5], mask: u32) {
            body(rows, args, mask);
        }
        #[cfg(target_arch = "x86_64")]
        let run: $crate::program::Run = if $crate::program::has_fast() { fast } else { plain };
        #[cfg(not(target_arch = "x86_64"))]
        let run: $crate::program::Run = plain;
        $crate::program::Pure {
            run,
            result: <$result as Lane>::CLASS,
            sources: &[$(<$ty as Lane>::CLASS),*],
        }
    }};
}
pub(crate) use pure;

/// Whether this processor has what the fast forms of [`pure!`] need.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_fast() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma")
        && std::arch::is_x86_feature_detected!("f16c")
}

/// One instruction.
pub(crate) struct Inst {
    pub op: Op,
    pub args: [u32; 5],
    /// Rows in `args[1..]` that a pure operation reads.
    pub reads: u8,
    pub negated: bool,
    /// Predicate row, or `NONE`.
    pub guard: u32,
    /// Index into [`Program::sources`].
    pub source: u32,
}

/// What an instruction does.
pub(crate) enum Op {
    Pure(Run),
    /// The rows `args[0]` hold nothing defined, on purpose.
    Undefined(Class),
    /// To this place.
    Branch(u32),
    /// By the value of `args[1]`, to one of these.
    BranchTable(Box<[u32]>),
    Exit,
    Trap,
    /// `args[0]` becomes a counter of `Class` bits.
    Clock(Class),
    ActiveMask,
    Load(Box<Access>),
    Store(Box<Access>),
    Atomic(Box<Atomic>),
    Shuffle(Box<Shuffle>),
    /// `args`: result, predicate, member mask.
    Vote {
        mode: Vote,
        negated: bool,
    },
    /// `args`: result, value, member mask, predicate.
    Match {
        class: Class,
        all: bool,
    },
    /// `args`: result, value, member mask.
    Reduce(Reduce),
    /// `args`: result (or `NONE`), predicate, member mask.
    Elect,
    /// `args`: member mask.
    WarpSync,
    Barrier(BarrierOp),
    /// Only orders memory; all memory of the emulator is in order.
    Fence,
    /// `bool isspacep`: result, address.
    IsSpace(Space),
    Nop,
}

/// A load or store.
pub(crate) struct Access {
    pub space: Space,
    /// Bytes of one element.
    pub bytes: u32,
    /// Sign-extend to the register.
    pub signed: bool,
    /// Row and class for each element; `NONE` is a sink.
    pub elements: Vec<(u32, Class)>,
    pub address: AddressRow,
}

/// A row that holds an address, and bytes added to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressRow {
    pub slot: u32,
    pub class: Class,
    pub offset: i64,
}

/// A read-modify-write of integers.
pub(crate) struct Atomic {
    pub space: Space,
    pub bytes: u32,
    pub kind: AtomicKind,
    /// `NONE` for `red`.
    pub result: u32,
    pub class: Class,
    pub value: u32,
    /// Second value of `cas`.
    pub other: u32,
    pub address: AddressRow,
    /// An atomic of floats, whose result would depend on the order of threads.
    pub refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum AtomicKind {
    Add,
    And,
    Or,
    Xor,
    Exchange,
    CompareAndSwap,
    MinUnsigned,
    MinSigned,
    MaxUnsigned,
    MaxSigned,
    Increment,
    Decrement,
}

/// `shfl.sync`.
pub(crate) struct Shuffle {
    pub mode: ShuffleMode,
    pub result: u32,
    /// Predicate row, or `NONE`.
    pub valid: u32,
    pub value: u32,
    pub lane: u32,
    pub clamp: u32,
    pub members: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum ShuffleMode {
    Up,
    Down,
    Butterfly,
    Index,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Vote {
    All,
    Any,
    Uniform,
    Ballot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Reduce {
    Add,
    MinUnsigned,
    MinSigned,
    MaxUnsigned,
    MaxSigned,
    And,
    Or,
    Xor,
}

/// `bar`, `barrier`: which barrier, how many threads, and what the caller does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BarrierOp {
    /// Row of the barrier's number.
    pub id: u32,
    /// Row of the number of threads, or `NONE` for all.
    pub threads: u32,
    /// Arrive without waiting.
    pub arrive: bool,
    pub aligned: bool,
    /// `barrier.cluster`.
    pub cluster: ClusterPart,
    /// `.red`: result row, predicate row and what is computed.
    pub reduce: Option<(u32, u32, bool, Vote)>,
}

/// Which half of a cluster barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum ClusterPart {
    No,
    Arrive,
    Wait,
}

/// Value of a constant row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Constant {
    Bits(u64),
    /// Address of a module variable in global or constant memory, plus bytes.
    Variable(u32, i64),
    /// One component of a register that is fixed for a warp's life.
    Special(Special),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub(crate) enum Special {
    Thread(u8),
    Threads(u8),
    Block(u8),
    Blocks(u8),
    Lane,
    Warp,
    Warps,
    LaneMaskEqual,
    LaneMaskLess,
    LaneMaskLessEqual,
    LaneMaskGreater,
    LaneMaskGreaterEqual,
    DynamicShared,
    TotalShared,
    Zero,
    One,
}

/// A parameter of an entry.
#[derive(Clone, Debug)]
pub(crate) struct Param {
    pub name: String,
    pub offset: u32,
    pub bytes: u32,
}

/// An entry that can be launched.
pub(crate) struct Program {
    pub name: String,
    pub code: Vec<Inst>,
    /// Line, text and opcode (for counting) of each source instruction.
    pub sources: Vec<(u32, Arc<str>, Arc<str>)>,
    /// Rows that a warp needs.
    pub rows: u32,
    pub constants: Vec<(u32, Class, Constant)>,
    pub params: Vec<Param>,
    pub param_bytes: u32,
    /// Bytes of local memory of a thread.
    pub local_bytes: u32,
    /// End of static shared variables; the first is at `SHARED_START`.
    pub static_shared: u32,
    /// Where `.extern .shared` starts.
    pub dynamic_start: u32,
    pub required_threads: Option<[u32; 3]>,
    pub most_threads: Option<[u32; 3]>,
    /// Whether blocks may depend on each other's order.
    pub ordered: bool,
}
