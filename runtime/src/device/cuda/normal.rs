//! Normals drawn on the card.

use std::ffi::c_void;

use super::kernels::Module;
use super::memory::Stream;
use crate::device::{DeviceError, normal};
use crate::normal::Normals;

/// Elements from which the card draws: for fewer its kernel takes longer to load than the host to draw.
pub(super) const LEAST: u64 = 1 << 16;
/// Blocks for each multiprocessor.
const BLOCKS: u32 = 8;

/// The loaded kernel.
pub(super) struct Drawer {
    module: Module,
}

impl Drawer {
    /// Loads it.
    ///
    /// # Errors
    /// A driver that does not take it.
    pub(super) fn new() -> Result<Self, DeviceError> {
        Ok(Self {
            module: Module::of_text(normal::ptx())?,
        })
    }

    /// Queues the draw of `elements` f32 at `address`.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn queue(
        &self,
        address: u64,
        elements: u64,
        normals: &Normals,
        multiprocessors: u32,
        stream: &Stream,
    ) -> Result<(), DeviceError> {
        let (mut address, mut elements) = (address, elements);
        let [mut first, mut second] = normals.philox.key();
        let (mut std, mut bound) = (normals.std, normals.bound);
        let mut arguments: [*mut c_void; 6] = [
            (&raw mut address).cast(),
            (&raw mut elements).cast(),
            (&raw mut first).cast(),
            (&raw mut second).cast(),
            (&raw mut std).cast(),
            (&raw mut bound).cast(),
        ];
        let grid = [BLOCKS * multiprocessors, normal::THREADS];
        self.module
            .launch(normal::NAME, grid, &mut arguments, stream)
    }
}
