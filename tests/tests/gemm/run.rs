//! From a kernel to PTX to results.

use mm1_compiler::codegen::mlir::compile_modules_to_ptx;
use mm1_compiler::codegen::nvgpu;
use mm1_compiler::codegen::nvgpu::gemm::plan::{SHAPES, Shape};
use mm1_compiler::codegen::nvgpu::gemm::{Facts, MapDim, Schedule, schedule};
use mm1_compiler::kernel::{AxisSize, Kernel};
use mm1_compiler::schedules::Schedules;
use mm1_compiler::target::GPU_TARGETS;
use mm1_package::DType;
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

/// Shapes with a warpgroup that produces: one warp does not evaluate, and has no registers for groups.
pub fn shapes_with_producers() -> impl Iterator<Item = Shape> {
    let one_warp = |shape: &Shape| shape.blocks == 2 && shape.tile[0] == 128;
    SHAPES.into_iter().filter(move |shape| !one_warp(shape))
}

/// Two orders of warps.
pub fn two_orders() -> [Way; 2] {
    [0, 7].map(|order| Way {
        order,
        ..Way::default()
    })
}

/// MLIR text to PTX, as in a compilation.
fn ptx(mlir: &str) -> String {
    let target = GPU_TARGETS.iter().find(|target| target.wgmma).unwrap();
    let mut modules = compile_modules_to_ptx(&[mlir], target, 1);
    modules.remove(0).unwrap_or_else(|error| panic!("{error}"))
}

impl Compiled {
    pub fn new(kernel: &Kernel, facts: &Facts) -> Self {
        let schedule =
            schedule(kernel, facts).unwrap_or_else(|refusal| panic!("{}: {refusal}", kernel.name));
        Self::of(kernel, schedule)
    }

    /// By teams of threads, on any card.
    pub fn by_teams(kernel: &Kernel) -> Self {
        let target = GPU_TARGETS.iter().find(|target| !target.wgmma).unwrap();
        let alignment = vec![16; kernel.buffers.len()];
        let schedule = nvgpu::schedule(kernel, &alignment, target, &Schedules::default()).unwrap();
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

    /// Runs the kernel in several ways: all must give the same bytes, and those wanted, but for what
    /// `difference` allows (its unit).
    pub fn agrees(
        &self,
        kernel: &Kernel,
        (before, extents): (&[Vec<u8>], &[u64]),
        want: &[Vec<u8>],
        ways: &[Way],
        difference: impl Fn(DType, &[u8], &[u8]) -> (f64, usize),
    ) {
        let summary = &self.schedule.summary;
        let mut first: Option<Vec<Vec<u8>>> = None;
        for way in ways {
            let what = format!("{} {extents:?} ({summary}) as {way:?}", kernel.name);
            let (got, _) = self
                .run(before, extents, way)
                .unwrap_or_else(|fault| panic!("{what}: {fault}\n{kernel}"));
            for (number, (got, want)) in got.iter().zip(want).enumerate() {
                let dtype = kernel.buffers[number].dtype;
                let (worst, element) = difference(dtype, got, want);
                assert!(
                    worst <= 1.0,
                    "{what}: buffer {number} is off by {worst:.1} at {element}\n{kernel}"
                );
            }
            match &first {
                None => first = Some(got),
                Some(first) => assert!(*first == got, "{what}: other bytes"),
            }
        }
    }
}
