//! Checks of GPU kernels: their text, their blocks and what their TMA descriptors reach.

use mm1_package::{DType, GpuKernel, Kernel, Launch, MapDim, Package, TensorMap};

use super::bound;

/// Most threads of a block.
const MAX_THREADS: u32 = 1024;
/// Most dynamic shared memory of a block on the cards that the targets name, bytes.
const MAX_SHARED: u32 = 232_448;
/// Most resident blocks of a multiprocessor.
const MAX_BLOCKS_PER_SM: u32 = 32;
/// Most parameter bytes of a kernel.
const MAX_PARAMETERS: usize = 32_764;
/// Bytes of a TMA descriptor.
const MAP_BYTES: usize = 128;
/// Most axes of a TMA descriptor.
const MAX_RANK: usize = 5;
/// Longest side of a box.
const MAX_BOX: u32 = 256;
/// What addresses and strides of a TMA descriptor are multiples of.
const MAP_ALIGNMENT: u64 = 16;
/// Past the largest size of a TMA descriptor.
const MAX_DIM: u64 = 1 << 32;
/// Past the largest stride of a TMA descriptor.
const MAX_STRIDE: u64 = 1 << 40;

/// Whether a package's kernels are for a GPU.
pub(super) fn is_gpu(package: &Package) -> bool {
    package.target.starts_with("cuda:")
}

/// What is wrong with a kernel, if anything.
pub(super) fn check_kernel(package: &Package, kernel: &Kernel) -> Result<(), String> {
    let gpu = match (&kernel.gpu, is_gpu(package)) {
        (None, false) => return Ok(()),
        (Some(gpu), true) => gpu,
        (None, true) => return Err(format!("it has no block, but runs on {}", package.target)),
        (Some(_), false) => return Err(format!("it is a GPU's, but runs on {}", package.target)),
    };
    check_text(package, kernel, gpu)?;
    if gpu.threads == 0 || gpu.threads > MAX_THREADS || !gpu.threads.is_multiple_of(32) {
        return Err(format!(
            "a block of {} threads; a multiple of 32 up to {MAX_THREADS} is legal",
            gpu.threads
        ));
    }
    if gpu.shared_bytes > MAX_SHARED {
        return Err(format!(
            "{} bytes of shared memory; {MAX_SHARED} are the most",
            gpu.shared_bytes
        ));
    }
    if gpu.tiles_per_block == 0 {
        return Err("a block of 0 tiles".into());
    }
    if let Some(blocks) = gpu.blocks_per_sm
        && !(1..=MAX_BLOCKS_PER_SM).contains(&blocks)
    {
        return Err(format!(
            "{blocks} blocks per multiprocessor; 1 to {MAX_BLOCKS_PER_SM} are legal"
        ));
    }
    for (number, map) in gpu.tensor_maps.iter().enumerate() {
        check_map(map).map_err(|what| format!("tensor map {number}: {what}"))?;
    }
    Ok(())
}

/// The PTX lies within the code, is text, and its entry's name is one.
fn check_text(package: &Package, kernel: &Kernel, gpu: &GpuKernel) -> Result<(), String> {
    let end = kernel.entry.checked_add(gpu.ptx_bytes);
    let range = end
        .filter(|&end| gpu.ptx_bytes > 0 && end <= package.code.len() as u64)
        .map(|end| kernel.entry as usize..end as usize);
    let range = range.ok_or_else(|| {
        format!(
            "{} bytes of PTX from byte {} of {} bytes of code",
            gpu.ptx_bytes,
            kernel.entry,
            package.code.len()
        )
    })?;
    let text = std::str::from_utf8(&package.code[range])
        .map_err(|error| format!("its PTX is no text: {error}"))?;
    if text.contains('\0') {
        return Err("its PTX has a zero byte".into());
    }
    let letter = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    if kernel.hash.is_empty() || !kernel.hash.bytes().all(letter) {
        return Err(format!("its hash `{}` makes no name", kernel.hash));
    }
    Ok(())
}

/// The rules of `cuTensorMapEncodeTiled` that do not depend on a launch.
fn check_map(map: &TensorMap) -> Result<(), String> {
    let rank = map.dims.len();
    if rank == 0 || rank > MAX_RANK {
        return Err(format!("{rank} axes; 1 to {MAX_RANK} are legal"));
    }
    if map.strides.len() + 1 != rank || map.box_dims.len() != rank {
        return Err(format!(
            "{} strides and {} box sides for {rank} axes",
            map.strides.len(),
            map.box_dims.len()
        ));
    }
    if !map.offset.is_multiple_of(MAP_ALIGNMENT) {
        return Err(format!("offset {} is no multiple of 16", map.offset));
    }
    for &stride in &map.strides {
        if stride == 0 || stride >= MAX_STRIDE || !stride.is_multiple_of(MAP_ALIGNMENT) {
            return Err(format!(
                "stride {stride}; a multiple of 16 below 2^40 is legal"
            ));
        }
    }
    for &side in &map.box_dims {
        if side == 0 || side > MAX_BOX {
            return Err(format!("a box side of {side}; 1 to {MAX_BOX} are legal"));
        }
    }
    let inner = u64::from(map.box_dims[0]) * map.dtype.size();
    if !inner.is_multiple_of(MAP_ALIGNMENT) {
        return Err(format!("a box row of {inner} bytes, no multiple of 16"));
    }
    match map.swizzle {
        0 => {}
        32 | 64 | 128 if inner <= u64::from(map.swizzle) => {}
        32 | 64 | 128 => {
            return Err(format!(
                "a box row of {inner} bytes exceeds a swizzle of {}",
                map.swizzle
            ));
        }
        other => {
            return Err(format!(
                "a swizzle of {other} bytes; 0, 32, 64 and 128 are legal"
            ));
        }
    }
    match map.dtype {
        DType::F32 | DType::Bf16 | DType::I32 => Ok(()),
    }
}

/// What is wrong with a GPU launch of a checked kernel, if anything.
pub(super) fn check_launch(
    package: &Package,
    kernel: &Kernel,
    launch: &Launch,
) -> Result<(), String> {
    let Some(gpu) = &kernel.gpu else {
        return Ok(());
    };
    let words = launch.args.len() + launch.extents.len() + 1;
    let bytes = words * 8 + gpu.tensor_maps.len() * MAP_BYTES;
    if bytes > MAX_PARAMETERS {
        return Err(format!("{bytes} bytes of parameters of {MAX_PARAMETERS}"));
    }
    for (number, map) in gpu.tensor_maps.iter().enumerate() {
        check_reach(package, launch, map).map_err(|what| format!("tensor map {number}: {what}"))?;
    }
    Ok(())
}

/// All that the map can read at the largest sizes lies within the argument's region.
fn check_reach(package: &Package, launch: &Launch, map: &TensorMap) -> Result<(), String> {
    let slot = launch
        .args
        .get(map.arg as usize)
        .ok_or_else(|| format!("argument {} of {}", map.arg, launch.args.len()))?;
    let overflow = || "its reach overflows".to_string();
    let mut end = map.dtype.size();
    for (axis, dim) in map.dims.iter().enumerate() {
        let size = match *dim {
            MapDim::Fixed(size) => size,
            MapDim::Extent(index) => {
                let extent = launch.extents.get(index as usize);
                let extent =
                    extent.ok_or_else(|| format!("extent {index} of {}", launch.extents.len()))?;
                bound(*extent, &package.extents)?.max(1)
            }
        };
        if size == 0 || size >= MAX_DIM {
            return Err(format!("a size of {size}; 1 to 2^32 − 1 are legal"));
        }
        let stride = match axis {
            0 => map.dtype.size(),
            _ => map.strides[axis - 1],
        };
        end = (size - 1)
            .checked_mul(stride)
            .and_then(|reach| end.checked_add(reach))
            .ok_or_else(overflow)?;
    }
    let region = package
        .regions
        .get(slot.region as usize)
        .ok_or_else(|| format!("region {} of {}", slot.region, package.regions.len()))?;
    let end = slot
        .offset
        .checked_add(map.offset)
        .and_then(|start| start.checked_add(end))
        .ok_or_else(overflow)?;
    if end > region.bytes {
        return Err(format!(
            "it reaches byte {end} of region `{}` of {} bytes",
            region.name, region.bytes
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mm1_package::{Extent, ExtentRef, ModelFacts, Program, Region, Slot, TileAxis};

    use super::super::check;
    use super::*;

    const PTX: &str = ".version 8.0\n.target sm_90a\n.entry k1f() { ret; }\n";

    /// One kernel with one descriptor over `x`, 64 columns × 3 × rows (at most 20) of bf16.
    fn package() -> Package {
        let map = TensorMap {
            arg: 0,
            offset: 0,
            dtype: DType::Bf16,
            dims: vec![MapDim::Fixed(64), MapDim::Extent(0)],
            strides: vec![128],
            box_dims: vec![64, 128],
            swizzle: 128,
        };
        let rows = ExtentRef::Scaled { index: 0, scale: 3 };
        Package {
            target: "cuda:sm_90a".into(),
            backend: "nvgpu".into(),
            cpu_features: vec![],
            model: ModelFacts::default(),
            extents: vec![Extent {
                name: "rows".into(),
                bound: 20,
                derived: None,
            }],
            regions: vec![Region {
                name: "arena".into(),
                bytes: 60 * 128,
            }],
            tensors: vec![],
            constants: vec![],
            kernels: vec![Kernel {
                name: "copy".into(),
                hash: "1f".into(),
                entry: 2,
                scratch_bytes: 0,
                gpu: Some(GpuKernel {
                    ptx_bytes: PTX.len() as u64,
                    threads: 128,
                    shared_bytes: MAX_SHARED,
                    tiles_per_block: 1,
                    blocks_per_sm: Some(2),
                    tensor_maps: vec![map],
                }),
            }],
            code: [b"\n\n", PTX.as_bytes(), b"\n"].concat(),
            programs: vec![Program {
                name: "run".into(),
                launches: vec![Launch {
                    name: "x".into(),
                    kernel: 0,
                    args: vec![Slot {
                        region: 0,
                        offset: 0,
                    }],
                    extents: vec![rows],
                    tiles: vec![TileAxis {
                        extent: rows,
                        tile: 128,
                    }],
                    flops: 0,
                    bytes: 0,
                }],
                inputs: vec![],
                outputs: vec![],
                largest_live_bytes: 0,
                arena_bytes: 0,
            }],
        }
    }

    fn gpu(package: &mut Package) -> &mut GpuKernel {
        package.kernels[0].gpu.as_mut().unwrap()
    }

    fn map(package: &mut Package) -> &mut TensorMap {
        &mut gpu(package).tensor_maps[0]
    }

    #[test]
    fn a_sound_package_passes_and_comes_back_from_bytes() {
        let package = package();
        check(&package).unwrap();
        assert_eq!(Package::from_bytes(&package.to_bytes()), Ok(package));
    }

    #[test]
    fn malformed_gpu_kernels_are_refused() {
        type Change = fn(&mut Package);
        let changes: &[(&str, Change)] = &[
            ("it has no block", |p| p.kernels[0].gpu = None),
            ("runs on cpu:x86-64-v4", |p| {
                p.target = "cpu:x86-64-v4".into()
            }),
            ("of 53 bytes of code", |p| gpu(p).ptx_bytes += 2),
            ("bytes of PTX from byte 2", |p| gpu(p).ptx_bytes = u64::MAX),
            ("0 bytes of PTX", |p| gpu(p).ptx_bytes = 0),
            ("is no text", |p| p.code[9] = 0xff),
            ("a zero byte", |p| p.code[9] = 0),
            ("makes no name", |p| p.kernels[0].hash = "a b".into()),
            ("makes no name", |p| p.kernels[0].hash.clear()),
            ("block of 0 threads", |p| gpu(p).threads = 0),
            ("block of 48 threads", |p| gpu(p).threads = 48),
            ("block of 1056 threads", |p| gpu(p).threads = 1056),
            ("232449 bytes of shared", |p| gpu(p).shared_bytes += 1),
            ("0 tiles", |p| gpu(p).tiles_per_block = 0),
            ("0 blocks per", |p| gpu(p).blocks_per_sm = Some(0)),
            ("33 blocks per", |p| gpu(p).blocks_per_sm = Some(33)),
            ("argument 1 of 1", |p| map(p).arg = 1),
            ("0 axes", |p| map(p).dims.clear()),
            ("6 axes", |p| map(p).dims = vec![MapDim::Fixed(1); 6]),
            ("2 strides", |p| map(p).strides.push(128)),
            ("3 box sides", |p| map(p).box_dims.push(1)),
            ("offset 8", |p| map(p).offset = 8),
            ("stride 24", |p| map(p).strides[0] = 24),
            ("stride 0", |p| map(p).strides[0] = 0),
            ("stride 1099511627776", |p| map(p).strides[0] = 1 << 40),
            ("box side of 257", |p| map(p).box_dims[1] = 257),
            ("box side of 0", |p| map(p).box_dims[1] = 0),
            ("row of 120 bytes", |p| map(p).box_dims[0] = 60),
            ("exceeds a swizzle of 64", |p| map(p).swizzle = 64),
            ("swizzle of 16", |p| map(p).swizzle = 16),
            ("extent 1 of 1", |p| map(p).dims[1] = MapDim::Extent(1)),
            ("a size of 0", |p| map(p).dims[1] = MapDim::Fixed(0)),
            ("a size of 4294967296", |p| {
                map(p).dims[1] = MapDim::Fixed(1 << 32)
            }),
            ("reaches byte 7696 of region", |p| map(p).offset = 16),
            ("reaches byte 7808 of region", |p| {
                map(p).dims[1] = MapDim::Fixed(61)
            }),
            ("bytes of parameters", |p| {
                let all = map(p).clone();
                gpu(p).tensor_maps = vec![all; 256];
            }),
        ];
        for (expected, change) in changes {
            let mut package = package();
            change(&mut package);
            let error = check(&package).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
