//! Where the state spaces lie among generic addresses.

/// First shared address: as on cards, the first KiB of shared memory belongs to the system.
pub(crate) const SHARED_START: u32 = 1024;
/// First local address that a variable can have, so that zero is no variable.
pub(crate) const LOCAL_START: u32 = 64;
/// Generic addresses of shared memory start here.
pub(crate) const SHARED_WINDOW: u64 = 0x0100_0000_0000;
/// Generic addresses of local memory.
pub(crate) const LOCAL_WINDOW: u64 = 0x0200_0000_0000;
/// Generic addresses of the entry's parameters.
pub(crate) const PARAM_WINDOW: u64 = 0x0300_0000_0000;
/// Bytes of each of the windows above.
pub(crate) const WINDOW_BYTES: u64 = 0x0100_0000_0000;
/// First address of global and constant memory.
pub(crate) const GLOBAL_START: u64 = 0x7000_0000_0000;
