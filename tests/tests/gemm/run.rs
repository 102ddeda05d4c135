//! From a kernel to PTX to results.

use std::io::Write as _;
use std::process::{Command, Stdio};

use mm1_compiler::codegen::nvgpu::gemm::{Facts, MapDim, Schedule, schedule};
use mm1_compiler::kernel::{AxisSize, Kernel};
use mm1_ptx::{Memory, Module, Options, Param, Stats, TensorMap, TensorType, launch};

/// A kernel as PTX, with how it is launched.
pub struct Compiled {
    pub schedule: Schedule,
    pub entry: String,
    module: Module,
    /// Length of each axis of the grid, and of a tile.
    sizes: Vec<(AxisSize, u64)>,
}

/// What a launch varies that results must not depend on.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Blocks of the grid; all tiles if `None`.
    pub blocks: Option<u32>,
    /// Order of warps.
    pub order: u64,
    /// Only these blocks.
    pub only: Option<Vec<u32>>,
}

fn piped(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let folder = std::env::var("LLVM").unwrap_or_else(|_| "/usr/lib/llvm-22/bin".to_owned());
    let mut child = Command::new(format!("{folder}/{program}"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{folder}/{program}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{program} refuses the text");
    output.stdout
}

/// MLIR text to PTX.
pub fn ptx(mlir: &str) -> String {
    let text = piped("mlir-opt", &["--convert-nvvm-to-llvm"], mlir.as_bytes());
    let text = piped("mlir-translate", &["--mlir-to-llvmir"], &text);
    let target = ["-O3", "-mtriple=nvptx64-nvidia-cuda", "-mcpu=sm_90a", "-S"];
    let text = piped("opt", &target, &text);
    let target = ["-march=nvptx64", "-mcpu=sm_90a", "-mattr=+ptx86", "-O3"];
    String::from_utf8(piped("llc", &target, &text)).unwrap()
}

impl Compiled {
    pub fn new(kernel: &Kernel, facts: &Facts) -> Self {
        let schedule =
            schedule(kernel, facts).unwrap_or_else(|refusal| panic!("{}: {refusal}", kernel.name));
        Self::of(kernel, schedule)
    }

    /// Of a schedule, which may have been tampered with.
    pub fn of(kernel: &Kernel, schedule: Schedule) -> Self {
        let text = ptx(&schedule.text);
        let module = Module::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        let sizes = schedule
            .tiles
            .iter()
            .map(|(axis, tile)| (kernel.axis_of(*axis).size, *tile))
            .collect();
        Self {
            schedule,
            entry: format!("k{}", kernel.hash()),
            module,
            sizes,
        }
    }

    /// Tiles along each axis of the grid.
    pub fn counts(&self, extents: &[u64]) -> Vec<u64> {
        self.sizes
            .iter()
            .map(|(size, tile)| match size {
                AxisSize::Fixed(size) => size.div_ceil(*tile),
                AxisSize::Runtime(extent) => extents[*extent as usize].div_ceil(*tile),
            })
            .collect()
    }

    /// Runs the kernel on copies of the buffers.
    pub fn run(
        &self,
        buffers: &[Vec<u8>],
        extents: &[u64],
        way: &Way,
    ) -> Result<(Vec<Vec<u8>>, Stats), String> {
        let mut memory = Memory::new();
        let addresses: Vec<u64> = buffers.iter().map(|data| memory.alloc_from(data)).collect();
        let tiles: u64 = self.counts(extents).iter().product();
        let mut params: Vec<Param> = addresses.iter().map(|at| Param::U64(*at)).collect();
        params.extend(extents.iter().map(|extent| Param::U64(*extent)));
        params.push(Param::U64(tiles));
        for map in &self.schedule.launch.tensor_maps {
            let dims: Vec<u64> = map
                .dims
                .iter()
                .map(|dim| match dim {
                    MapDim::Fixed(size) => *size,
                    MapDim::Extent(extent) => extents[*extent as usize].max(1),
                })
                .collect();
            let encoded = TensorMap::encode(
                TensorType::Bf16,
                addresses[map.arg as usize] + map.offset,
                &dims,
                &map.strides,
                &map.box_dims,
                &vec![1; dims.len()],
                map.swizzle,
            )?;
            params.push(Param::Bytes(encoded.to_vec()));
        }
        let launched = &self.schedule.launch;
        let options = Options {
            schedule: way.order,
            blocks: way.only.clone(),
            ..Options::default()
        };
        if tiles == 0 {
            return Ok((buffers.to_vec(), Stats::default()));
        }
        let stats = launch(
            &self.module,
            &self.entry,
            [way.blocks.unwrap_or(tiles as u32), 1, 1],
            [launched.threads, 1, 1],
            launched.shared_bytes,
            &params,
            &mut memory,
            &options,
        )
        .map_err(|fault| fault.to_string())?;
        let results = addresses
            .iter()
            .zip(buffers)
            .map(|(at, data)| memory.read(*at, data.len()))
            .collect::<Result<_, _>>()?;
        Ok((results, stats))
    }
}
