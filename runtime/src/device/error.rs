//! Why a device cannot do what it is asked.

use std::fmt;

use mm1_package::Region;

use super::cpu::{CodeError, MemoryError, PoolError};

/// Why a package does not run on a device.
#[derive(Debug)]
pub enum DeviceError {
    /// Its code cannot run on this machine.
    Code(CodeError),
    /// No memory for a region.
    Memory {
        /// Region name.
        region: String,
        /// The system's answer.
        error: MemoryError,
    },
    /// The regions together exceed the machine.
    TooLarge {
        /// Bytes that the package needs.
        needed: u64,
        /// Bytes of physical memory.
        available: u64,
    },
    /// The regions together exceed the card.
    CardTooSmall {
        /// The card.
        card: String,
        /// Name and bytes of every region.
        regions: Vec<(String, u64)>,
        /// Free bytes of the card before the first allocation.
        free: u64,
        /// All bytes of the card.
        total: u64,
    },
    /// The thread pool cannot be made.
    Pool(PoolError),
    /// No driver library.
    NoDriver(String),
    /// No such card.
    NoCard(String),
    /// The driver cannot read the package's code.
    OldDriver(String),
    /// The code is for another kind of card.
    OtherCard(String),
    /// The driver refused a kernel's code.
    Kernel(String),
    /// A call of the machine's library failed.
    Call(String),
    /// This program was built without the device.
    NotBuilt(String),
}

impl DeviceError {
    /// Stable code for documentation and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Code(_) => "MM1C0502",
            Self::Memory { .. } | Self::TooLarge { .. } | Self::CardTooSmall { .. } => "MM1C0503",
            Self::Pool(_) => "MM1C0504",
            Self::NoDriver(_) => "MM1C0511",
            Self::NoCard(_) => "MM1C0512",
            Self::OldDriver(_) => "MM1C0513",
            Self::OtherCard(_) => "MM1C0514",
            Self::Kernel(_) => "MM1C0515",
            Self::Call(_) => "MM1C0516",
            Self::NotBuilt(_) => "MM1C0517",
        }
    }

    /// [`Self::CardTooSmall`] for these regions.
    pub fn card_too_small(card: String, regions: &[Region], free: u64, total: u64) -> Self {
        let regions = regions.iter().map(|it| (it.name.clone(), it.bytes));
        Self::CardTooSmall {
            card,
            regions: regions.collect(),
            free,
            total,
        }
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(error) => write!(f, "{error}"),
            Self::Memory { region, error } => write!(f, "region `{region}`: {error}"),
            Self::TooLarge { needed, available } => write!(
                f,
                "the package needs {needed} bytes of memory, this machine has {available}"
            ),
            Self::CardTooSmall {
                card,
                regions,
                free,
                total,
            } => {
                let needed = regions
                    .iter()
                    .fold(0, |sum: u64, it| sum.saturating_add(it.1));
                write!(
                    f,
                    "the package needs {needed} bytes, but {card} has {free} free of {total}; \
                     the plan's regions:"
                )?;
                for (name, bytes) in regions {
                    write!(f, "\n  {name}: {bytes} bytes")?;
                }
                write!(
                    f,
                    "\nhelp: a smaller `train.micro_batch_sequences` shrinks `arena`, `inputs` and \
                     `outputs`"
                )
            }
            Self::Pool(error) => write!(f, "{error}"),
            Self::NoDriver(what)
            | Self::NoCard(what)
            | Self::OldDriver(what)
            | Self::OtherCard(what)
            | Self::Kernel(what)
            | Self::Call(what)
            | Self::NotBuilt(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for DeviceError {}
