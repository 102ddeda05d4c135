//! What stops a launch.

use std::fmt;

/// The rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The launch itself is wrong: entry, parameters, block size, shared memory.
    Launch,
    /// No allocation holds all bytes of an access.
    OutOfBounds,
    /// An address that is no multiple of the access's size.
    Misaligned,
    /// Memory that was freed.
    Freed,
    /// Memory that nobody wrote.
    UninitialisedMemory,
    /// A register that nobody wrote.
    UninitialisedRegister,
    /// A write to memory that may only be read.
    ReadOnly,
    /// All threads wait.
    Deadlock,
    /// Threads of a warp are apart where they must be together.
    Divergence,
    /// A barrier used with other numbers of threads than its other participants.
    Barrier,
    /// An mbarrier used against its rules.
    Mbarrier,
    /// Shared memory used by two threads without an order between them.
    SharedRace,
    /// Global memory used by two blocks.
    BlockRace,
    /// The result of an asynchronous operation used before it was waited for.
    NotWaited,
    /// A tensor-core or copy operation whose operands are illegal.
    Operand,
    /// Something that the emulator, or the project, refuses.
    Refused,
    /// Too many instructions.
    StepLimit,
    /// `trap`.
    Trap,
}

/// Why a launch stopped, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule.
    pub kind: FaultKind,
    /// What is wrong.
    pub message: String,
    /// Entry.
    pub kernel: String,
    /// Line of the PTX text, 0 if none.
    pub line: u32,
    /// The instruction.
    pub text: String,
    /// `%ctaid`.
    pub block: [u32; 3],
    /// `%tid`.
    pub thread: [u32; 3],
    /// The address, if one is at fault.
    pub address: Option<u64>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        if let Some(address) = self.address {
            write!(f, " (address {address:#x})")?;
        }
        write!(
            f,
            "\n  in `{}`, block {:?}, thread {:?}",
            self.kernel, self.block, self.thread
        )?;
        if self.line > 0 {
            write!(f, "\n  PTX line {}: {}", self.line, self.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// A fault before its place is known: the machine adds it.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub kind: FaultKind,
    pub message: String,
    pub address: Option<u64>,
    /// Lane of the warp.
    pub lane: usize,
}

impl Trouble {
    pub fn new(kind: FaultKind, lane: usize, message: impl Into<String>) -> Trouble {
        Trouble {
            kind,
            message: message.into(),
            address: None,
            lane,
        }
    }

    pub fn at(mut self, address: u64) -> Trouble {
        self.address = Some(address);
        self
    }
}
