//! Machines that run kernels: what the executor needs of one, the CPU, and NVIDIA's GPUs.
//!
//! A device holds the regions of one package and runs its launches. The executor has checked the
//! package before, knows names, types and sizes, and asks for byte ranges and numbered programs.
//! Anything that implements [`Device`] runs whole packages by
//! [`crate::executor::Executor::with_device`].

pub mod choice;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod error;
pub mod gpu;
pub mod matrix;
pub mod normal;

use std::sync::Arc;
use std::time::Instant;

use mm1_package::{Launch, Package};

use crate::normal::Normals;

pub use choice::{Choice, open};
pub use error::DeviceError;

/// Values of a package's run-time sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// One per [`Package::extents`], derived ones filled in.
    pub values: Vec<u64>,
    /// Another number after every change, never 0.
    pub version: u64,
}

impl Sizes {
    /// Tiles of a launch at these sizes.
    pub fn tiles(&self, launch: &Launch) -> u64 {
        let axes = launch.tiles.iter();
        axes.map(|axis| axis.extent.value(&self.values).div_ceil(axis.tile))
            .product()
    }

    /// The launch's extents at these sizes.
    pub fn extents<'a>(&'a self, launch: &'a Launch) -> impl Iterator<Item = u64> + 'a {
        let extents = launch.extents.iter();
        extents.map(|extent| extent.value(&self.values))
    }
}

/// What a machine can do at most, as measured on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// FLOP/s of dense bf16 products with f32 sums; `None` where nothing measures them.
    pub matrix: Option<f64>,
    /// Bytes read plus bytes written per second by a copy within the machine's memory.
    pub copy: f64,
}

/// A machine with the memory and the code of one package.
///
/// Regions are numbered as in [`Package::regions`], programs as in [`Package::programs`], launches
/// as in their program. Work happens in the order of the calls; only `read`, `time` and
/// `synchronize` need to wait for it. Ranges lie within their region: the executor sees to it.
pub trait Device: Send {
    /// The machine, for people: `2 threads`, `NVIDIA H100 80GB HBM3`.
    fn name(&self) -> String;

    /// Threads that work on the host may use.
    fn threads(&self) -> usize;

    /// Takes in a checked package: allocates its regions, all zero, and resolves its launches.
    /// Called once, before anything else.
    ///
    /// # Errors
    /// Code for another machine, or too little memory.
    fn load(&mut self, package: Arc<Package>) -> Result<(), DeviceError>;

    /// Copies `into.len()` bytes of a region from `offset` on, after all work so far.
    ///
    /// # Errors
    /// A machine that has failed.
    fn read(&self, region: usize, offset: u64, into: &mut [u8]) -> Result<(), DeviceError>;

    /// Copies `bytes` into a region from `offset` on; `bytes` may change after the call.
    ///
    /// # Errors
    /// A machine that has failed.
    fn write(&mut self, region: usize, offset: u64, bytes: &[u8]) -> Result<(), DeviceError>;

    /// Sets `bytes` bytes of a region from `offset` on to `value`.
    ///
    /// # Errors
    /// A machine that has failed.
    fn fill(
        &mut self,
        region: usize,
        offset: u64,
        bytes: u64,
        value: u8,
    ) -> Result<(), DeviceError>;

    /// Draws f32 into a region from `offset` on, as [`Normals::fill`] does from element 0; `false` where
    /// the host is to draw and write them.
    ///
    /// # Errors
    /// A machine that has failed.
    fn draw(
        &mut self,
        _region: usize,
        _offset: u64,
        _elements: u64,
        _normals: &Normals,
    ) -> Result<bool, DeviceError> {
        Ok(false)
    }

    /// The bytes of a region where they are in the host's memory, so that nobody copies them.
    fn host(&self, _region: usize) -> Option<&[u8]> {
        None
    }

    /// Runs one launch; without tiles it does nothing.
    ///
    /// # Errors
    /// A machine that has failed.
    fn launch(&mut self, program: usize, launch: usize, sizes: &Sizes) -> Result<(), DeviceError>;

    /// Runs the launches of a program in order.
    ///
    /// # Errors
    /// A machine that has failed.
    fn run(&mut self, program: usize, sizes: &Sizes) -> Result<(), DeviceError>;

    /// Runs a program `repeats` times, launch by launch; seconds of the shortest run of each.
    ///
    /// # Errors
    /// A machine that has failed.
    fn time(
        &mut self,
        program: usize,
        launches: usize,
        repeats: usize,
        sizes: &Sizes,
    ) -> Result<Vec<f64>, DeviceError> {
        let mut seconds = vec![f64::INFINITY; launches];
        for _ in 0..repeats {
            for (launch, best) in seconds.iter_mut().enumerate() {
                self.synchronize()?;
                let begin = Instant::now();
                self.launch(program, launch, sizes)?;
                self.synchronize()?;
                *best = best.min(begin.elapsed().as_secs_f64());
            }
        }
        Ok(seconds)
    }

    /// Returns when all work so far is done.
    ///
    /// # Errors
    /// A machine that has failed.
    fn synchronize(&self) -> Result<(), DeviceError>;

    /// Bytes of memory that the device holds for the package, code and buffers included.
    fn memory(&self) -> u64;

    /// Measures the machine, for a fraction of a second; `None` where the host's own
    /// measurements say it.
    ///
    /// # Errors
    /// A machine that has failed.
    fn rates(&mut self) -> Result<Option<Rates>, DeviceError> {
        Ok(None)
    }
}
