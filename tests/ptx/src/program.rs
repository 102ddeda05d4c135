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
    /// A plain `mov`, which may also move an accumulator that a tensor core still works on.
    pub moves: bool,
    /// Touches a register that some `wgmma` uses, other than by `mov`.
    pub touches: bool,
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
    /// Makes earlier writes visible to asynchronous copies and tensor cores.
    ProxyFence,
    Mbarrier(Box<MbarrierOp>),
    Copy(Box<ThreadCopy>),
    CopyCommit,
    /// Until at most this many of the thread's groups are open; `None`: until all copies are done.
    CopyWait(Option<u32>),
    /// An arrival at the mbarrier when the thread's copies are done.
    CopyArrive {
        address: AddressRow,
        space: Space,
        increments: bool,
    },
    Bulk(Box<Bulk>),
    BulkCommit,
    /// Until at most this many groups are open.
    BulkWait(u32),
    LoadMatrix(Box<MatrixAccess>),
    StoreMatrix(Box<MatrixAccess>),
    Mma(Box<Mma>),
    WgmmaFence,
    WgmmaCommit,
    WgmmaWait(u32),
    Wgmma(Box<Wgmma>),
    SetRegisters,
    /// `mapa`: result, rank; the address stays, because a cluster has one block.
    MapAddress,
}

/// An operation on an mbarrier.
pub(crate) struct MbarrierOp {
    pub kind: MbarrierKind,
    pub space: Space,
    pub address: AddressRow,
    /// Number of arrivals, or parity.
    pub count: u32,
    /// Expected or completed bytes.
    pub bytes: u32,
    /// Row of a state that is tested.
    pub state: u32,
    /// Row of a state or predicate that results.
    pub result: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum MbarrierKind {
    Init,
    Invalidate,
    Expect,
    Complete,
    Arrive { no_complete: bool, drop: bool },
    Test,
    TestParity,
}

/// `cp.async`: one thread's copy of 4, 8 or 16 bytes from global to shared memory.
pub(crate) struct ThreadCopy {
    pub target: AddressRow,
    pub source: AddressRow,
    pub bytes: u32,
    /// Row of the bytes that are read, the rest being zero, or `NONE`.
    pub size: u32,
    /// Predicate row that makes all of it zero, or `NONE`.
    pub ignore: u32,
}

/// `cp.async.bulk` and `cp.async.bulk.tensor`: a load if there is an mbarrier.
pub(crate) struct Bulk {
    pub shared: AddressRow,
    /// Global address, or the generic address of a tensor map.
    pub global: AddressRow,
    /// Coordinates of a tensor's box; empty for a plain range.
    pub coordinates: Vec<u32>,
    pub tensor: bool,
    /// Row of the bytes of a plain range.
    pub size: u32,
    /// Address of the mbarrier of a load.
    pub mbarrier: Option<AddressRow>,
    /// Row of the cluster mask, or `NONE`.
    pub multicast: u32,
}

/// `ldmatrix` and `stmatrix`: 8 × 8 matrices of 16 bits.
pub(crate) struct MatrixAccess {
    pub registers: Vec<u32>,
    pub address: AddressRow,
    pub space: Space,
    pub transposed: bool,
}

/// Element type of a tensor-core operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Element {
    F16,
    Bf16,
    Tf32,
}

impl Element {
    /// Bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Element::F16 | Element::Bf16 => 2,
            Element::Tf32 => 4,
        }
    }
}

/// `mma.sync.m16n8kK`, row by column, f32 accumulators.
pub(crate) struct Mma {
    pub element: Element,
    pub k: u32,
    pub d: Vec<u32>,
    pub a: Vec<u32>,
    pub b: Vec<u32>,
    pub c: Vec<u32>,
}

/// `wgmma.mma_async.m64nNkK`, f32 accumulators.
pub(crate) struct Wgmma {
    pub element: Element,
    pub n: u32,
    /// Accumulators.
    pub d: Vec<u32>,
    /// Four registers of A, or none.
    pub a_registers: Vec<u32>,
    /// Descriptor of A, or `NONE`.
    pub a: u32,
    pub b: u32,
    /// Predicate row: add to the accumulators rather than start from zero.
    pub accumulate: u32,
    pub negate_a: bool,
    pub negate_b: bool,
    pub transpose_a: bool,
    pub transpose_b: bool,
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
    /// Where `.extern .shared` starts.
    pub dynamic_start: u32,
    pub required_threads: Option<[u32; 3]>,
    pub most_threads: Option<[u32; 3]>,
    /// Whether blocks may depend on each other's order.
    pub ordered: bool,
}
