//! Runs the programs of a package on the CPU.
//!
//! Everything that a launch needs (entry point, argument addresses) is computed once when
//! the package is loaded; a run only walks the list. Run-time sizes are refreshed in a
//! program when it runs after one of them changed.

mod error;
mod layout;
mod validate;

use std::sync::Arc;
use std::time::Instant;

use mm1_package::{DType, Package, Tensor};

pub use error::ExecutorError;
use layout::Layout;

use crate::device::cpu::memory::physical_bytes;
use crate::device::cpu::{Code, KernelFn, Memory, Pool};

/// Rates at which a launch is judged too short to be shared, per thread; waking a worker
/// takes about [`SHARE_SECONDS`], so only the order of magnitude matters.
const FLOPS_PER_SECOND: f64 = 40e9;
/// As above, bytes.
const BYTES_PER_SECOND: f64 = 8e9;
/// Launches that take less than this on one thread stay on the caller.
const SHARE_SECONDS: f64 = 5e-6;

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

/// A launch with everything resolved.
struct Prepared {
    kernel: KernelFn,
    /// Start in [`PreparedProgram::args`].
    args: usize,
    /// Start in [`PreparedProgram::extents`].
    extents: usize,
    /// Tiles at the current run-time sizes.
    tiles: u64,
    /// Too short to share.
    alone: bool,
}

/// A program with everything resolved. Addresses point into the executor's regions.
struct PreparedProgram {
    launches: Vec<Prepared>,
    args: Vec<*mut u8>,
    extents: Vec<i64>,
    /// [`Executor::sizes_version`] that `tiles` and `extents` reflect.
    version: u64,
}

// SAFETY: the addresses point into regions that the same executor owns and that do not move.
unsafe impl Send for PreparedProgram {}
// SAFETY: they are dereferenced only by `run` and `profile`, which take the executor by `&mut`.
unsafe impl Sync for PreparedProgram {}

/// One call of a kernel, shareable with the workers.
struct Call {
    kernel: KernelFn,
    args: *const *mut u8,
    extents: *const i64,
}

// SAFETY: the pointers are read only; what kernels write through `args` is split by tile.
unsafe impl Sync for Call {}

impl Call {
    fn tiles(&self, begin: u64, end: u64, scratch: *mut u8) {
        // SAFETY: the arguments are those that the package gave for this kernel, checked
        // against the regions; the tile range is within the launch's grid.
        unsafe {
            (self.kernel)(
                self.args,
                self.extents,
                std::ptr::null(),
                begin as i64,
                end as i64,
                scratch,
            );
        }
    }
}

/// A loaded package: its memory, code and threads.
pub struct Executor {
    // The pool is dropped first: its threads run code that points into the regions.
    pool: Pool,
    programs: Vec<PreparedProgram>,
    regions: Vec<Memory>,
    /// Value per extent, derived ones filled in.
    sizes: Vec<u64>,
    sizes_version: u64,
    package: Arc<Package>,
    _code: Code,
}

impl Executor {
    /// Checks `package`, maps its code, allocates zeroed regions, fills `constants` and starts
    /// `threads` threads (the caller is one of them). Run-time sizes start at their bounds.
    pub fn new(package: Arc<Package>, threads: usize) -> Result<Self, ExecutorError> {
        validate::check(&package)?;
        let code = Code::load(&package.target, &package.cpu_features, &package.code)
            .map_err(ExecutorError::Code)?;
        let scratch_bytes = package
            .kernels
            .iter()
            .map(|kernel| kernel.scratch_bytes)
            .max()
            .unwrap_or(0);
        check_memory(&package, scratch_bytes, threads)?;
        let mut regions = Vec::with_capacity(package.regions.len());
        for region in &package.regions {
            let memory = Memory::zeroed(region.bytes).map_err(|error| ExecutorError::Memory {
                region: region.name.clone(),
                error,
            })?;
            regions.push(memory);
        }
        if let Some(index) = package.region(validate::CONSTANTS) {
            regions[index as usize].bytes_mut()[..package.constants.len()]
                .copy_from_slice(&package.constants);
        }
        let programs = package
            .programs
            .iter()
            .map(|program| prepare(&package, &code, &regions, &program.launches))
            .collect::<Result<Vec<_>, _>>()?;
        let mut executor = Self {
            pool: Pool::new(threads, scratch_bytes).map_err(ExecutorError::Pool)?,
            programs,
            regions,
            sizes: package.extents.iter().map(|extent| extent.bound).collect(),
            sizes_version: 1,
            package,
            _code: code,
        };
        executor.derive_sizes();
        Ok(executor)
    }

    /// The package.
    pub fn package(&self) -> &Package {
        &self.package
    }

    /// Threads that share launches, the caller included.
    pub fn threads(&self) -> usize {
        self.pool.threads()
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
        if self.sizes[index] != value {
            self.sizes[index] = value;
            self.derive_sizes();
            self.sizes_version += 1;
        }
        Ok(())
    }

    /// The current value of a run-time size.
    pub fn extent(&self, name: &str) -> Result<u64, ExecutorError> {
        Ok(self.sizes[self.extent_index(name)?])
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
        let mut layout = Layout::new(tensor, &package.extents, &self.sizes);
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
        let source: &[u8] = bytemuck::cast_slice(data);
        let offset = tensor.slot.offset as usize;
        let memory = self.regions[tensor.slot.region as usize].bytes_mut();
        layout.runs(|in_memory, packed, length| {
            let at = offset + in_memory * size;
            memory[at..at + length * size]
                .copy_from_slice(&source[packed * size..(packed + length) * size]);
        });
        Ok(())
    }

    /// The elements of a tensor at the run-time sizes, row-major. `T` as for [`Self::write`].
    pub fn read<T: bytemuck::Pod>(&self, tensor: &str) -> Result<Vec<T>, ExecutorError> {
        let tensor = find(&self.package, tensor)?;
        check_element::<T>(tensor)?;
        Ok(self.gather(tensor, tensor.slot.region))
    }

    /// The elements of an f32 or bf16 tensor at the run-time sizes, row-major, as f32.
    pub fn read_f32(&self, tensor: &str) -> Result<Vec<f32>, ExecutorError> {
        let tensor = find(&self.package, tensor)?;
        match tensor.dtype {
            DType::F32 => Ok(self.gather(tensor, tensor.slot.region)),
            DType::Bf16 => Ok(self
                .gather::<half::bf16>(tensor, tensor.slot.region)
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
            Some(region) if trained && !self.regions[region as usize].is_empty() => {
                Ok(self.gather(tensor, region))
            }
            _ => Err(ExecutorError::NoGradient(parameter.to_string())),
        }
    }

    /// The bytes of a region.
    pub fn region(&self, name: &str) -> Option<&[u8]> {
        let index = self.package.region(name)?;
        Some(self.regions[index as usize].bytes())
    }

    /// The bytes of a region, to change.
    pub fn region_mut(&mut self, name: &str) -> Option<&mut [u8]> {
        let index = self.package.region(name)?;
        Some(self.regions[index as usize].bytes_mut())
    }

    /// Runs a program once. Launches without tiles (no images, say) are skipped.
    pub fn run(&mut self, program: &str) -> Result<(), ExecutorError> {
        let index = self.program_index(program)?;
        self.refresh(index);
        for launch in 0..self.programs[index].launches.len() {
            self.launch(index, launch);
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
        self.refresh(index);
        let mut seconds = vec![f64::INFINITY; self.programs[index].launches.len()];
        for _ in 0..repeats.max(1) {
            for (launch, best) in seconds.iter_mut().enumerate() {
                let begin = Instant::now();
                self.launch(index, launch);
                *best = best.min(begin.elapsed().as_secs_f64());
            }
        }
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

    fn launch(&mut self, program: usize, launch: usize) {
        let program = &self.programs[program];
        let launch = &program.launches[launch];
        let call = Call {
            kernel: launch.kernel,
            args: program.args[launch.args..].as_ptr(),
            extents: program.extents[launch.extents..].as_ptr(),
        };
        self.pool
            .launch(launch.tiles, launch.alone, &|begin, end, scratch| {
                call.tiles(begin, end, scratch);
            });
    }

    /// Brings a program's tiles and extents up to the current run-time sizes.
    fn refresh(&mut self, index: usize) {
        let prepared = &mut self.programs[index];
        if prepared.version == self.sizes_version {
            return;
        }
        let launches = &self.package.programs[index].launches;
        for (launch, resolved) in launches.iter().zip(&mut prepared.launches) {
            resolved.tiles = launch
                .tiles
                .iter()
                .map(|axis| axis.extent.value(&self.sizes).div_ceil(axis.tile))
                .product();
            let values = &mut prepared.extents[resolved.extents..];
            for (value, extent) in values.iter_mut().zip(&launch.extents) {
                *value = extent.value(&self.sizes) as i64;
            }
        }
        prepared.version = self.sizes_version;
    }

    fn derive_sizes(&mut self) {
        for (index, extent) in self.package.extents.iter().enumerate() {
            // Validation saw to it that the base comes first.
            if let Some((base, offset)) = extent.derived {
                let value = self.sizes[base as usize].saturating_sub(offset);
                self.sizes[index] = value.min(extent.bound);
            }
        }
    }

    fn gather<T: bytemuck::Pod>(&self, tensor: &Tensor, region: u32) -> Vec<T> {
        let layout = Layout::new(tensor, &self.package.extents, &self.sizes);
        let memory = self.regions[region as usize].bytes();
        let size = size_of::<T>();
        let offset = tensor.slot.offset as usize;
        let mut data = vec![T::zeroed(); layout.elements() as usize];
        let target: &mut [u8] = bytemuck::cast_slice_mut(&mut data);
        layout.runs(|in_memory, packed, length| {
            let at = offset + in_memory * size;
            target[packed * size..(packed + length) * size]
                .copy_from_slice(&memory[at..at + length * size]);
        });
        data
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
            .field("threads", &self.threads())
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

fn check_memory(
    package: &Package,
    scratch_bytes: u64,
    threads: usize,
) -> Result<(), ExecutorError> {
    let needed = package
        .regions
        .iter()
        .map(|region| region.bytes)
        .chain([scratch_bytes.saturating_mul(threads as u64)])
        .fold(0, u64::saturating_add);
    match physical_bytes() {
        Some(available) if needed > available => Err(ExecutorError::TooLarge { needed, available }),
        _ => Ok(()),
    }
}

fn prepare(
    package: &Package,
    code: &Code,
    regions: &[Memory],
    launches: &[mm1_package::Launch],
) -> Result<PreparedProgram, ExecutorError> {
    let mut program = PreparedProgram {
        launches: Vec::with_capacity(launches.len()),
        args: Vec::new(),
        extents: Vec::new(),
        version: 0,
    };
    for launch in launches {
        let kernel = &package.kernels[launch.kernel as usize];
        let entry = code.kernel(kernel.entry).ok_or_else(|| {
            ExecutorError::Invalid(format!("kernel `{}` starts outside the code", kernel.name))
        })?;
        let seconds =
            launch.flops as f64 / FLOPS_PER_SECOND + launch.bytes as f64 / BYTES_PER_SECOND;
        program.launches.push(Prepared {
            kernel: entry,
            args: program.args.len(),
            extents: program.extents.len(),
            tiles: 0,
            alone: seconds < SHARE_SECONDS,
        });
        program.args.extend(launch.args.iter().map(|slot| {
            // Within the region: validated.
            regions[slot.region as usize]
                .start()
                .wrapping_add(slot.offset as usize)
        }));
        program
            .extents
            .resize(program.extents.len() + launch.extents.len(), 0);
    }
    Ok(program)
}

#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) mod tests;
