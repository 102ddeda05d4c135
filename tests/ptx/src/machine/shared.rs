//! Shared memory of a block, with the state of each byte.

use super::space::SHARED_START;
use crate::fault::{FaultKind, Trouble};

/// The byte holds a value.
const WRITTEN: u16 = 1;

/// Shared memory; addresses start at `SHARED_START`.
pub(crate) struct Shared {
    data: Vec<u8>,
    state: Vec<u16>,
}

impl Shared {
    /// Memory up to the address `end`.
    pub fn new(end: u32) -> Shared {
        let bytes = (end - SHARED_START) as usize;
        Shared {
            data: vec![0; bytes],
            state: vec![0; bytes],
        }
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.state.fill(0);
    }

    fn range(&self, lane: usize, address: u64, bytes: u32) -> Result<usize, Trouble> {
        let start = u64::from(SHARED_START);
        let end = start + self.data.len() as u64;
        if address < start || address.saturating_add(bytes.into()) > end {
            let message = format!(
                "{bytes} bytes of shared memory, of which the block has addresses {start} to {end}"
            );
            return Err(Trouble::new(FaultKind::OutOfBounds, lane, message).at(address));
        }
        Ok((address - start) as usize)
    }

    pub fn read(&mut self, lane: usize, address: u64, bytes: u32) -> Result<u64, Trouble> {
        let at = self.range(lane, address, bytes)?;
        let range = at..at + bytes as usize;
        let state = self.state[range.clone()]
            .iter()
            .position(|state| state & WRITTEN == 0);
        if let Some(place) = state {
            let message = "a byte of shared memory that was never written is read";
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
        self.state[range].fill(WRITTEN);
        Ok(())
    }
}
