//! A device that executes the PTX of a package by the emulator: what a card would be given, without a card.

use std::sync::Arc;

use mm1_package::{DType, Launch, Package};
use mm1_ptx::{Memory, Module, Options, Param, Stats, TensorMap, TensorType};
use mm1_runtime::device::gpu::Shape;
use mm1_runtime::device::{Device, DeviceError, Sizes, normal};
use mm1_runtime::normal::Normals;

/// Multiprocessors of the emulated card; results do not depend on it.
const MULTIPROCESSORS: u32 = 4;

/// An emulated card with the memory of one package.
pub struct Emulator {
    options: Options,
    memory: Memory,
    /// Address of each region.
    regions: Vec<u64>,
    /// One per kernel.
    modules: Vec<Module>,
    /// The kernel that draws normals, once something was drawn.
    normals: Option<Module>,
    package: Option<Arc<Package>>,
    /// What all launches so far executed.
    pub executed: u64,
}

impl Emulator {
    /// A card that runs blocks and warps as `options` say.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            memory: Memory::new(),
            regions: Vec::new(),
            modules: Vec::new(),
            normals: None,
            package: None,
            executed: 0,
        }
    }

    fn package(&self) -> Result<&Arc<Package>, DeviceError> {
        self.package
            .as_ref()
            .ok_or_else(|| DeviceError::Call("no package is loaded".to_owned()))
    }

    fn call(&mut self, launch: &Launch, sizes: &Sizes) -> Result<(), DeviceError> {
        let package = Arc::clone(self.package()?);
        let kernel = &package.kernels[launch.kernel as usize];
        let Some(gpu) = &kernel.gpu else {
            return Err(DeviceError::OtherCard(format!(
                "kernel `{}` is no GPU kernel",
                kernel.name
            )));
        };
        let shape = Shape::new(gpu, launch, sizes, MULTIPROCESSORS)?;
        if shape.blocks == 0 {
            return Ok(());
        }
        let address = |region: u32, offset: u64| self.regions[region as usize] + offset;
        let mut params: Vec<Param> = launch
            .args
            .iter()
            .map(|slot| Param::U64(address(slot.region, slot.offset)))
            .collect();
        params.extend(shape.numbers.iter().map(|number| Param::U64(*number)));
        for map in &shape.maps {
            let encoded = TensorMap::encode(
                match map.dtype {
                    DType::F32 => TensorType::F32,
                    DType::Bf16 => TensorType::Bf16,
                    DType::I32 => TensorType::I32,
                },
                address(map.base.region, map.base.offset),
                &map.dims,
                &map.strides,
                &map.box_dims,
                &vec![1; map.dims.len()],
                map.swizzle,
            );
            params.push(Param::Bytes(encoded.map_err(DeviceError::Call)?.to_vec()));
        }
        let stats: Stats = mm1_ptx::launch(
            &self.modules[launch.kernel as usize],
            &format!("k{}", kernel.hash),
            [shape.blocks, 1, 1],
            [gpu.threads, 1, 1],
            gpu.shared_bytes,
            &params,
            &mut self.memory,
            &self.options,
        )
        .map_err(|fault| DeviceError::Call(format!("launch `{}`: {fault}", launch.name)))?;
        self.executed += stats.thread_instructions;
        Ok(())
    }
}

impl Device for Emulator {
    fn name(&self) -> String {
        "emulated card".to_owned()
    }

    fn threads(&self) -> usize {
        1
    }

    fn load(&mut self, package: Arc<Package>) -> Result<(), DeviceError> {
        for region in &package.regions {
            let bytes = region.bytes as usize;
            let base = self.memory.alloc(bytes.max(64));
            // What a program leaves in the arena is nobody's to read: a read before a write is a fault.
            if region.name != "arena" {
                let zeroed = self.memory.write(base, &vec![0; bytes]);
                zeroed.map_err(DeviceError::Call)?;
            }
            self.regions.push(base);
        }
        for kernel in &package.kernels {
            let length = kernel.gpu.as_ref().map_or(0, |gpu| gpu.ptx_bytes);
            let code = &package.code[kernel.entry as usize..(kernel.entry + length) as usize];
            let module = Module::parse(&String::from_utf8_lossy(code));
            let module = module.map_err(|error| {
                DeviceError::Kernel(format!("kernel `{}`: {error}", kernel.name))
            })?;
            self.modules.push(module);
        }
        self.package = Some(package);
        Ok(())
    }

    fn read(&self, region: usize, offset: u64, into: &mut [u8]) -> Result<(), DeviceError> {
        let address = self.regions[region] + offset;
        let bytes = self.memory.read(address, into.len());
        into.copy_from_slice(&bytes.map_err(DeviceError::Call)?);
        Ok(())
    }

    fn write(&mut self, region: usize, offset: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let address = self.regions[region] + offset;
        self.memory.write(address, bytes).map_err(DeviceError::Call)
    }

    fn fill(
        &mut self,
        region: usize,
        offset: u64,
        bytes: u64,
        value: u8,
    ) -> Result<(), DeviceError> {
        self.write(region, offset, &vec![value; bytes as usize])
    }

    fn draw(
        &mut self,
        region: usize,
        offset: u64,
        elements: u64,
        normals: &Normals,
    ) -> Result<bool, DeviceError> {
        let module = match &mut self.normals {
            Some(module) => module,
            none => {
                let module = Module::parse(&normal::ptx());
                none.insert(module.map_err(|error| DeviceError::Kernel(error.to_string()))?)
            }
        };
        let [first, second] = normals.philox.key();
        let params = [
            Param::U64(self.regions[region] + offset),
            Param::U64(elements),
            Param::U32(first),
            Param::U32(second),
            Param::Bytes(normals.std.to_le_bytes().to_vec()),
            Param::Bytes(normals.bound.to_le_bytes().to_vec()),
        ];
        mm1_ptx::launch(
            module,
            normal::NAME,
            [MULTIPROCESSORS, 1, 1],
            [normal::THREADS, 1, 1],
            0,
            &params,
            &mut self.memory,
            &self.options,
        )
        .map_err(|fault| DeviceError::Call(format!("normals: {fault}")))?;
        Ok(true)
    }

    fn launch(&mut self, program: usize, launch: usize, sizes: &Sizes) -> Result<(), DeviceError> {
        let package = Arc::clone(self.package()?);
        self.call(&package.programs[program].launches[launch], sizes)
    }

    fn run(&mut self, program: usize, sizes: &Sizes) -> Result<(), DeviceError> {
        let package = Arc::clone(self.package()?);
        for launch in &package.programs[program].launches {
            self.call(launch, sizes)?;
        }
        Ok(())
    }

    /// A nanosecond for each instruction that a thread executes: the same in every run.
    fn time(
        &mut self,
        program: usize,
        launches: usize,
        _repeats: usize,
        sizes: &Sizes,
    ) -> Result<Vec<f64>, DeviceError> {
        let mut seconds = Vec::with_capacity(launches);
        for launch in 0..launches {
            let before = self.executed;
            self.launch(program, launch, sizes)?;
            seconds.push((self.executed - before) as f64 * 1e-9);
        }
        Ok(seconds)
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn memory(&self) -> u64 {
        let regions = self.package.iter().flat_map(|package| &package.regions);
        regions.map(|region| region.bytes).sum()
    }
}
