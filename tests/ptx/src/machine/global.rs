//! Checked access to global memory.

use super::block::Block;
use crate::fault::{FaultKind, Trouble};
use crate::memory::Allocation;

impl Block<'_> {
    /// The tag of this block among the users of global memory.
    pub(super) fn tag(&self) -> u32 {
        self.launch.tag | (self.number + 1)
    }

    /// Checks a read of global memory, and gives the allocation and the offset in it.
    #[inline]
    pub(super) fn global_read(
        &mut self,
        w: usize,
        lane: usize,
        address: u64,
        bytes: u32,
    ) -> Result<(&Allocation, u64), Trouble> {
        let tag = self.tag();
        let memory = self.launch.memory;
        let found = memory.locate(address, bytes.into(), &mut self.warps[w].cache);
        let (allocation, offset) =
            found.map_err(|(kind, message)| Trouble::new(kind, lane, message).at(address))?;
        if let Some(missing) = allocation.unwritten(offset, bytes.into()) {
            let message = "a byte of global memory that was never written is read";
            return Err(Trouble::new(FaultKind::UninitialisedMemory, lane, message)
                .at(allocation.base + missing));
        }
        if let Some(writer) = allocation.note_read(offset, bytes.into(), tag) {
            let message = format!(
                "block {} reads what block {writer} writes in this launch",
                self.number
            );
            return Err(Trouble::new(FaultKind::BlockRace, lane, message).at(address));
        }
        Ok((allocation, offset))
    }

    /// Checks a write of global memory, and gives the allocation and the offset in it.
    #[inline]
    pub(super) fn global_write(
        &mut self,
        w: usize,
        lane: usize,
        address: u64,
        bytes: u32,
    ) -> Result<(&Allocation, u64), Trouble> {
        let tag = self.tag();
        let memory = self.launch.memory;
        let found = memory.locate(address, bytes.into(), &mut self.warps[w].cache);
        let (allocation, offset) =
            found.map_err(|(kind, message)| Trouble::new(kind, lane, message).at(address))?;
        if allocation.read_only {
            let message = "constant memory is written";
            return Err(Trouble::new(FaultKind::ReadOnly, lane, message).at(address));
        }
        if let Some((did, other)) = allocation.note_write(offset, bytes.into(), tag) {
            let message = format!(
                "block {} writes what block {other} {did} in this launch",
                self.number
            );
            return Err(Trouble::new(FaultKind::BlockRace, lane, message).at(address));
        }
        Ok((allocation, offset))
    }
}
