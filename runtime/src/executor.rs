//! Runs the programs of a package on a device.
//!
//! The executor knows names, types and run-time sizes; memory and launches are the device's.

mod error;
mod layout;
mod validate;

use std::ops::Range;
use std::sync::Arc;

use mm1_package::{DType, Package, Tensor};

pub use error::ExecutorError;
use layout::Layout;

use crate::device::cpu::CpuDevice;
use crate::device::{Device, Rates, Sizes};
use crate::normal::Normals;

/// Bytes that are copied at once where a region is not in the host's memory.
const PIECE: usize = 8 << 20;

/// Time that one launch took.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchTime {
    /// The launch's name.
    pub name: String,
    /// The kernel's name.
    pub kernel: String,
    /// Shortest of the repeats, seconds.
    pub seconds: f64,
    /// FLOPs at full bounds.
    pub flops: u64,
    /// Bytes read and written at full bounds.
    pub bytes: u64,
}

/// A loaded package on its device.
pub struct Executor {
    device: Box<dyn Device>,
    sizes: Sizes,
    package: Arc<Package>,
    /// Parameters were written since their bf16 copies were made; of a package that has such.
    copies_are_stale: bool,
}

/// The program that makes the bf16 copies of all parameters, and the region of the copies.
const ROUND_WEIGHTS: &str = "round_weights";
const ROUNDED: &str = "rounded";

impl Executor {
    /// [`Self::with_device`] on the CPU with `threads` threads (the caller is one of them).
    pub fn new(package: Arc<Package>, threads: usize) -> Result<Self, ExecutorError> {
        Self::with_device(package, Box::new(CpuDevice::new(threads)))
    }

    /// Checks `package`, loads it on `device`, which allocates zeroed regions, and fills
    /// `constants`. Run-time sizes start at their bounds.
    pub fn with_device(
        package: Arc<Package>,
        mut device: Box<dyn Device>,
    ) -> Result<Self, ExecutorError> {
        validate::check(&package)?;
        device.load(Arc::clone(&package))?;
        let mut executor = Self {
            device,
            sizes: Sizes {
                values: package.extents.iter().map(|extent| extent.bound).collect(),
                version: 1,
            },
            copies_are_stale: package.program(ROUND_WEIGHTS).is_some(),
            package,
        };
        executor.derive_sizes();
        if !executor.package.constants.is_empty() {
            let package = Arc::clone(&executor.package);
            executor.write_region(validate::CONSTANTS, 0, &package.constants)?;
        }
        Ok(executor)
    }

    /// The package.
    pub fn package(&self) -> &Package {
        &self.package
    }

    /// Threads that work on the host may use, the caller included.
    pub fn threads(&self) -> usize {
        self.device.threads()
    }

    /// The device's name.
    pub fn device_name(&self) -> String {
        self.device.name()
    }

    /// Bytes of memory that the device holds.
    pub fn memory(&self) -> u64 {
        self.device.memory()
    }

    /// See [`Device::rates`].
    pub fn rates(&mut self) -> Result<Option<Rates>, ExecutorError> {
        Ok(self.device.rates()?)
    }

    /// Returns when all work so far is done.
    pub fn synchronize(&self) -> Result<(), ExecutorError> {
        Ok(self.device.synchronize()?)
    }

    /// Sets a run-time size for the runs that follow; sizes derived from it follow.
    pub fn set_extent(&mut self, name: &str, value: u64) -> Result<(), ExecutorError> {
        let index = self.extent_index(name)?;
        let extent = &self.package.extents[index];
        if extent.derived.is_some() {
            return Err(ExecutorError::DerivedExtent(name.to_string()));
        }
        if value > extent.bound {
            return Err(ExecutorError::ExtentBound {
                name: name.to_string(),
                value,
                bound: extent.bound,
            });
        }
        if self.sizes.values[index] != value {
            self.sizes.values[index] = value;
            self.derive_sizes();
            self.sizes.version += 1;
        }
        Ok(())
    }

    /// The current value of a run-time size.
    pub fn extent(&self, name: &str) -> Result<u64, ExecutorError> {
        Ok(self.sizes.values[self.extent_index(name)?])
    }

    /// Fills a tensor with `data`: row-major, at the run-time sizes or at the full bounds.
    /// `T` must have the tensor's element size (`f32`, `i32`, `half::bf16`).
    pub fn write<T: bytemuck::Pod>(
        &mut self,
        tensor: &str,
        data: &[T],
    ) -> Result<(), ExecutorError> {
        let package = Arc::clone(&self.package);
        let tensor = find(&package, tensor)?;
        let size = check_element::<T>(tensor)?;
        let mut layout = Layout::new(tensor, &package.extents, &self.sizes.values);
        let found = data.len() as u64;
        if found != layout.elements() {
            if found != layout.bound_elements() {
                return Err(ExecutorError::Length {
                    tensor: tensor.name.clone(),
                    elements: layout.elements(),
                    bound: layout.bound_elements(),
                    found,
                });
            }
            layout = layout.full();
        }
        self.wrote(tensor.slot.region as usize);
        let source: &[u8] = bytemuck::cast_slice(data);
        let region = tensor.slot.region as usize;
        layout.runs(|in_memory, packed, length| {
            let at = tensor.slot.offset + (in_memory * size) as u64;
            let piece = &source[packed * size..(packed + length) * size];
            self.device.write(region, at, piece)
        })?;
        Ok(())
    }

    /// The elements of a tensor at the run-time sizes, row-major. `T` as for [`Self::write`].
    pub fn read<T: bytemuck::Pod>(&self, tensor: &str) -> Result<Vec<T>, ExecutorError> {
        let tensor = find(&self.package, tensor)?;
        check_element::<T>(tensor)?;
        self.gather(tensor, tensor.slot.region)
    }

    /// The elements of an f32 or bf16 tensor at the run-time sizes, row-major, as f32.
    pub fn read_f32(&self, tensor: &str) -> Result<Vec<f32>, ExecutorError> {
        let tensor = find(&self.package, tensor)?;
        match tensor.dtype {
            DType::F32 => self.gather(tensor, tensor.slot.region),
            DType::Bf16 => Ok(self
                .gather::<half::bf16>(tensor, tensor.slot.region)?
                .into_iter()
                .map(half::bf16::to_f32)
                .collect()),
            DType::I32 => Err(ExecutorError::DType {
                tensor: tensor.name.clone(),
                what: "i32, not a float".into(),
            }),
        }
    }

    /// The gradient of a trained parameter as accumulated so far, row-major.
    pub fn read_gradient(&self, parameter: &str) -> Result<Vec<f32>, ExecutorError> {
        let tensor = find(&self.package, parameter)?;
        let trained = tensor.parameter.as_ref().is_some_and(|it| it.trained);
        match self.package.region("gradients") {
            Some(region) if trained && self.package.regions[region as usize].bytes > 0 => {
                self.gather(tensor, region)
            }
            _ => Err(ExecutorError::NoGradient(parameter.to_string())),
        }
    }

    /// Size of a region; `None` where the package has none of this name.
    pub fn region_bytes(&self, name: &str) -> Option<u64> {
        let index = self.package.region(name)?;
        Some(self.package.regions[index as usize].bytes)
    }

    /// Fills `into` with the bytes of a region from `offset` on.
    pub fn read_region(
        &self,
        name: &str,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), ExecutorError> {
        let region = self.region_index(name, offset, into.len() as u64)?;
        Ok(self.device.read(region, offset, into)?)
    }

    /// Writes `bytes` into a region from `offset` on.
    pub fn write_region(
        &mut self,
        name: &str,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), ExecutorError> {
        let region = self.region_index(name, offset, bytes.len() as u64)?;
        self.wrote(region);
        Ok(self.device.write(region, offset, bytes)?)
    }

    /// Lets the device draw a whole tensor of f32; `false` where it does not, and the caller is to.
    pub fn draw(&mut self, tensor: &str, normals: &Normals) -> Result<bool, ExecutorError> {
        let package = Arc::clone(&self.package);
        let tensor = find(&package, tensor)?;
        if tensor.dtype != DType::F32 {
            return Ok(false);
        }
        let region = tensor.slot.region as usize;
        let elements = tensor.bound_elements(&package.extents);
        let offset = tensor.slot.offset;
        let drawn = self.device.draw(region, offset, elements, normals)?;
        if drawn {
            self.wrote(region);
        }
        Ok(drawn)
    }

    /// Sets every byte of a region to `value`.
    pub fn fill_region(&mut self, name: &str, value: u8) -> Result<(), ExecutorError> {
        let region = self.region_index(name, 0, 0)?;
        let bytes = self.package.regions[region].bytes;
        self.wrote(region);
        Ok(self.device.fill(region, 0, bytes, value)?)
    }

    /// Shows `range` of a region to `visit`, in order and in pieces: one, without a copy, where
    /// the region is in the host's memory.
    pub fn visit_region<E: From<ExecutorError>>(
        &self,
        name: &str,
        range: Range<u64>,
        visit: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let length = range.end.saturating_sub(range.start);
        let region = self.region_index(name, range.start, length)?;
        if let Some(bytes) = self.device.host(region) {
            return visit(&bytes[range.start as usize..][..length as usize]);
        }
        let mut piece = vec![0; (length as usize).min(PIECE)];
        let mut at = range.start;
        while at < range.end {
            let part = &mut piece[..((range.end - at) as usize).min(PIECE)];
            self.device
                .read(region, at, part)
                .map_err(ExecutorError::from)?;
            visit(part)?;
            at += part.len() as u64;
        }
        Ok(())
    }

    /// Runs a program once. Launches without tiles (no images, say) are skipped.
    pub fn run(&mut self, program: &str) -> Result<(), ExecutorError> {
        let index = self.program_index(program)?;
        self.refresh_copies(index)?;
        Ok(self.device.run(index, &self.sizes)?)
    }

    /// Notes that the host writes a region.
    fn wrote(&mut self, region: usize) {
        if self.package.regions[region].name == "parameters" {
            self.copies_are_stale = self.package.program(ROUND_WEIGHTS).is_some();
        }
    }

    /// Makes the copies of parameters that the host has written, for a program that reads copies.
    /// What `apply` changes it copies itself.
    fn refresh_copies(&mut self, program: usize) -> Result<(), ExecutorError> {
        let Some(rounded) = self.package.region(ROUNDED) else {
            return Ok(());
        };
        let launches = &self.package.programs[program].launches;
        let mut slots = launches.iter().flat_map(|launch| &launch.args);
        if self.copies_are_stale && slots.any(|slot| slot.region == rounded) {
            let index = self.program_index(ROUND_WEIGHTS)?;
            self.device.run(index, &self.sizes)?;
            self.copies_are_stale = false;
        }
        Ok(())
    }

    /// Runs a program `repeats` times (at least once) and returns each launch's shortest time.
    /// State changes as under [`Self::run`]: gradients accumulate, `apply` updates.
    pub fn profile(
        &mut self,
        program: &str,
        repeats: usize,
    ) -> Result<Vec<LaunchTime>, ExecutorError> {
        let index = self.program_index(program)?;
        self.refresh_copies(index)?;
        let launches = self.package.programs[index].launches.len();
        let seconds = self
            .device
            .time(index, launches, repeats.max(1), &self.sizes)?;
        let package = &self.package;
        Ok(package.programs[index]
            .launches
            .iter()
            .zip(seconds)
            .map(|(launch, seconds)| LaunchTime {
                name: launch.name.clone(),
                kernel: package.kernels[launch.kernel as usize].name.clone(),
                seconds,
                flops: launch.flops,
                bytes: launch.bytes,
            })
            .collect())
    }

    fn derive_sizes(&mut self) {
        for (index, extent) in self.package.extents.iter().enumerate() {
            // Validation saw to it that the base comes first.
            if let Some((base, offset)) = extent.derived {
                let value = self.sizes.values[base as usize].saturating_sub(offset);
                self.sizes.values[index] = value.min(extent.bound);
            }
        }
    }

    fn gather<T: bytemuck::Pod>(
        &self,
        tensor: &Tensor,
        region: u32,
    ) -> Result<Vec<T>, ExecutorError> {
        let layout = Layout::new(tensor, &self.package.extents, &self.sizes.values);
        let size = size_of::<T>();
        let mut data = vec![T::zeroed(); layout.elements() as usize];
        let target: &mut [u8] = bytemuck::cast_slice_mut(&mut data);
        layout.runs(|in_memory, packed, length| {
            let at = tensor.slot.offset + (in_memory * size) as u64;
            let piece = &mut target[packed * size..(packed + length) * size];
            self.device.read(region as usize, at, piece)
        })?;
        Ok(data)
    }

    /// The number of a region that has `bytes` bytes from `offset` on.
    fn region_index(&self, name: &str, offset: u64, bytes: u64) -> Result<usize, ExecutorError> {
        let unknown = || ExecutorError::UnknownRegion(name.to_string());
        let index = self.package.region(name).ok_or_else(unknown)? as usize;
        let size = self.package.regions[index].bytes;
        match offset.checked_add(bytes) {
            Some(end) if end <= size => Ok(index),
            _ => Err(ExecutorError::Range {
                region: name.to_string(),
                offset,
                bytes,
                size,
            }),
        }
    }

    fn program_index(&self, name: &str) -> Result<usize, ExecutorError> {
        let programs = &self.package.programs;
        programs
            .iter()
            .position(|program| program.name == name)
            .ok_or_else(|| ExecutorError::UnknownProgram {
                name: name.to_string(),
                known: programs.iter().map(|it| it.name.clone()).collect(),
            })
    }

    fn extent_index(&self, name: &str) -> Result<usize, ExecutorError> {
        self.package
            .extents
            .iter()
            .position(|extent| extent.name == name)
            .ok_or_else(|| ExecutorError::UnknownExtent(name.to_string()))
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor")
            .field("model", &self.package.model.name)
            .field("device", &self.device_name())
            .finish_non_exhaustive()
    }
}

fn find<'a>(package: &'a Package, name: &str) -> Result<&'a Tensor, ExecutorError> {
    package
        .tensor(name)
        .ok_or_else(|| ExecutorError::UnknownTensor(name.to_string()))
}

fn check_element<T>(tensor: &Tensor) -> Result<usize, ExecutorError> {
    let size = size_of::<T>();
    if size as u64 == tensor.dtype.size() {
        return Ok(size);
    }
    Err(ExecutorError::DType {
        tensor: tensor.name.clone(),
        what: format!(
            "{} ({} bytes per element), not {} ({size})",
            tensor.dtype,
            tensor.dtype.size(),
            std::any::type_name::<T>()
        ),
    })
}

#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) mod tests;
