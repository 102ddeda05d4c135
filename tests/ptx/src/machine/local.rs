//! Local memory of a warp's threads.

use crate::fault::{FaultKind, Trouble};

/// A range of bytes for each lane.
pub(crate) struct Local {
    bytes: usize,
    data: Vec<u8>,
    written: Vec<bool>,
}

impl Local {
    pub fn new(bytes: usize) -> Local {
        Local {
            bytes,
            data: vec![0; 32 * bytes],
            written: vec![false; 32 * bytes],
        }
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.written.fill(false);
    }

    fn range(&self, lane: usize, address: u64, bytes: u32) -> Result<usize, Trouble> {
        if address < super::space::LOCAL_START.into()
            || address.saturating_add(bytes.into()) > self.bytes as u64
        {
            let message = format!(
                "{bytes} bytes of local memory, of which the thread has addresses {} to {}",
                super::space::LOCAL_START,
                self.bytes
            );
            return Err(Trouble::new(FaultKind::OutOfBounds, lane, message).at(address));
        }
        Ok(lane * self.bytes + address as usize)
    }

    pub fn read(&self, lane: usize, address: u64, bytes: u32) -> Result<u64, Trouble> {
        let at = self.range(lane, address, bytes)?;
        let range = at..at + bytes as usize;
        if let Some(place) = self.written[range.clone()]
            .iter()
            .position(|written| !written)
        {
            let message = "a byte of local memory that was never written is read";
            return Err(Trouble::new(FaultKind::UninitialisedMemory, lane, message)
                .at(address + place as u64));
        }
        let mut value = [0; 8];
        value[..bytes as usize].copy_from_slice(&self.data[range]);
        Ok(u64::from_le_bytes(value))
    }

    pub fn write(
        &mut self,
        lane: usize,
        address: u64,
        bytes: u32,
        value: u64,
    ) -> Result<(), Trouble> {
        let at = self.range(lane, address, bytes)?;
        let range = at..at + bytes as usize;
        self.data[range.clone()].copy_from_slice(&value.to_le_bytes()[..bytes as usize]);
        self.written[range].fill(true);
        Ok(())
    }
}
