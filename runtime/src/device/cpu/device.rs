//! The CPU as a [`Device`].
//!
//! Everything that a launch needs (entry point, argument addresses) is computed once when
//! the package is loaded; a run only walks the list. Run-time sizes are refreshed in a
//! program when it runs after one of them changed.

use std::sync::Arc;

use mm1_package::{Launch, Package};

use super::memory::physical_bytes;
use super::{Code, CodeError, KernelFn, Memory, Pool};
use crate::device::{Device, DeviceError, Sizes};

/// Rates at which a launch is judged too short to be shared, per thread; waking a worker
/// takes about [`SHARE_SECONDS`], so only the order of magnitude matters.
const FLOPS_PER_SECOND: f64 = 40e9;
/// As above, bytes.
const BYTES_PER_SECOND: f64 = 8e9;
/// Launches that take less than this on one thread stay on the caller.
const SHARE_SECONDS: f64 = 5e-6;

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

/// A program with everything resolved. Addresses point into the device's regions.
struct PreparedProgram {
    launches: Vec<Prepared>,
    args: Vec<*mut u8>,
    extents: Vec<i64>,
    /// [`Sizes::version`] that `tiles` and `extents` reflect.
    version: u64,
}

// SAFETY: the addresses point into regions that the same device owns and that do not move.
unsafe impl Send for PreparedProgram {}
// SAFETY: they are dereferenced only by `launch`, which takes the device by `&mut`.
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

/// A loaded package.
struct Loaded {
    // The pool is dropped first: its threads run code that points into the regions.
    pool: Pool,
    programs: Vec<PreparedProgram>,
    regions: Vec<Memory>,
    package: Arc<Package>,
    scratch_bytes: u64,
    _code: Code,
}

/// This machine's processor: mapped code, memory and threads.
pub struct CpuDevice {
    threads: usize,
    loaded: Option<Loaded>,
}

impl CpuDevice {
    /// A device that runs kernels on `threads` threads, the caller among them.
    pub fn new(threads: usize) -> Self {
        Self {
            threads,
            loaded: None,
        }
    }

    fn loaded(&self) -> &Loaded {
        self.loaded.as_ref().expect("a device is loaded first")
    }

    fn loaded_mut(&mut self) -> &mut Loaded {
        self.loaded.as_mut().expect("a device is loaded first")
    }
}

impl Device for CpuDevice {
    fn name(&self) -> String {
        match self.threads {
            1 => "1 thread".into(),
            threads => format!("{threads} threads"),
        }
    }

    fn threads(&self) -> usize {
        self.threads
    }

    fn load(&mut self, package: Arc<Package>) -> Result<(), DeviceError> {
        let code = Code::load(&package.target, &package.cpu_features, &package.code)
            .map_err(DeviceError::Code)?;
        let kernels = package.kernels.iter();
        let scratch_bytes = kernels.map(|it| it.scratch_bytes).max().unwrap_or(0);
        check_memory(&package, scratch_bytes, self.threads)?;
        let mut regions = Vec::with_capacity(package.regions.len());
        for region in &package.regions {
            let memory = Memory::zeroed(region.bytes).map_err(|error| DeviceError::Memory {
                region: region.name.clone(),
                error,
            })?;
            regions.push(memory);
        }
        let programs = package.programs.iter();
        let programs = programs
            .map(|program| prepare(&package, &code, &regions, &program.launches))
            .collect::<Result<Vec<_>, _>>()?;
        self.loaded = Some(Loaded {
            pool: Pool::new(self.threads, scratch_bytes).map_err(DeviceError::Pool)?,
            programs,
            regions,
            package,
            scratch_bytes,
            _code: code,
        });
        Ok(())
    }

    fn read(&self, region: usize, offset: u64, into: &mut [u8]) -> Result<(), DeviceError> {
        let start = offset as usize;
        into.copy_from_slice(&self.loaded().regions[region].bytes()[start..start + into.len()]);
        Ok(())
    }

    fn write(&mut self, region: usize, offset: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let start = offset as usize;
        self.loaded_mut().regions[region].bytes_mut()[start..start + bytes.len()]
            .copy_from_slice(bytes);
        Ok(())
    }

    fn fill(
        &mut self,
        region: usize,
        offset: u64,
        bytes: u64,
        value: u8,
    ) -> Result<(), DeviceError> {
        let (start, end) = (offset as usize, (offset + bytes) as usize);
        self.loaded_mut().regions[region].bytes_mut()[start..end].fill(value);
        Ok(())
    }

    fn host(&self, region: usize) -> Option<&[u8]> {
        Some(self.loaded().regions[region].bytes())
    }

    fn launch(&mut self, program: usize, launch: usize, sizes: &Sizes) -> Result<(), DeviceError> {
        let loaded = self.loaded_mut();
        loaded.refresh(program, sizes);
        loaded.launch(program, launch);
        Ok(())
    }

    fn run(&mut self, program: usize, sizes: &Sizes) -> Result<(), DeviceError> {
        let loaded = self.loaded_mut();
        loaded.refresh(program, sizes);
        for launch in 0..loaded.programs[program].launches.len() {
            loaded.launch(program, launch);
        }
        Ok(())
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn memory(&self) -> u64 {
        let loaded = self.loaded();
        let regions = loaded.regions.iter().map(|it| it.len() as u64);
        regions.sum::<u64>()
            + loaded.package.code.len() as u64
            + loaded.scratch_bytes * self.threads as u64
    }
}

impl Loaded {
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

    /// Brings a program's tiles and extents up to the run-time sizes.
    fn refresh(&mut self, index: usize, sizes: &Sizes) {
        let prepared = &mut self.programs[index];
        if prepared.version == sizes.version {
            return;
        }
        let launches = &self.package.programs[index].launches;
        for (launch, resolved) in launches.iter().zip(&mut prepared.launches) {
            resolved.tiles = sizes.tiles(launch);
            let values = &mut prepared.extents[resolved.extents..];
            for (value, extent) in values.iter_mut().zip(sizes.extents(launch)) {
                *value = extent as i64;
            }
        }
        prepared.version = sizes.version;
    }
}

fn check_memory(package: &Package, scratch_bytes: u64, threads: usize) -> Result<(), DeviceError> {
    let needed = package
        .regions
        .iter()
        .map(|region| region.bytes)
        .chain([scratch_bytes.saturating_mul(threads as u64)])
        .fold(0, u64::saturating_add);
    match physical_bytes() {
        Some(available) if needed > available => Err(DeviceError::TooLarge { needed, available }),
        _ => Ok(()),
    }
}

fn prepare(
    package: &Package,
    code: &Code,
    regions: &[Memory],
    launches: &[Launch],
) -> Result<PreparedProgram, DeviceError> {
    let mut program = PreparedProgram {
        launches: Vec::with_capacity(launches.len()),
        args: Vec::new(),
        extents: Vec::new(),
        version: 0,
    };
    for launch in launches {
        let kernel = &package.kernels[launch.kernel as usize];
        let entry = code.kernel(kernel.entry).ok_or_else(|| {
            let name = &kernel.name;
            DeviceError::Code(CodeError::Map(format!("`{name}` starts outside of it")))
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
