//! What a launch of a GPU kernel is told, computed from package and sizes alone.
//!
//! The driver's device and an emulator of PTX share this; the calling convention is written down
//! in `mm1-package`.

use mm1_package::{DType, GpuKernel, Launch, MapDim, Slot, TensorMap};

use super::{DeviceError, Sizes};

/// Largest grid in x.
const MAX_BLOCKS: u64 = (1 << 31) - 1;

/// Grid and numbers of one launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Blocks; 0 where the launch is skipped.
    pub blocks: u32,
    /// The launch's extents, then the number of tiles: the parameters after the addresses.
    pub numbers: Vec<u64>,
    /// One per [`GpuKernel::tensor_maps`].
    pub maps: Vec<MapShape>,
}

/// A TMA descriptor with all sizes known: the arguments of `cuTensorMapEncodeTiled`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapShape {
    /// Element type.
    pub dtype: DType,
    /// Where it begins.
    pub base: Slot,
    /// Sizes in elements, innermost first, none of them 0.
    pub dims: Vec<u64>,
    /// Strides of `dims[1..]`, bytes.
    pub strides: Vec<u64>,
    /// Box in elements, innermost first.
    pub box_dims: Vec<u32>,
    /// Swizzle in bytes.
    pub swizzle: u32,
}

impl Shape {
    /// The shape of a validated launch on a card of so many multiprocessors.
    ///
    /// # Errors
    /// More blocks than a grid has.
    pub fn new(
        kernel: &GpuKernel,
        launch: &Launch,
        sizes: &Sizes,
        multiprocessors: u32,
    ) -> Result<Self, DeviceError> {
        let tiles = sizes.tiles(launch);
        let mut numbers: Vec<u64> = sizes.extents(launch).collect();
        let maps = kernel.tensor_maps.iter();
        let maps = maps
            .map(|map| MapShape::new(map, launch, &numbers))
            .collect();
        numbers.push(tiles);
        let needed = tiles.div_ceil(u64::from(kernel.tiles_per_block));
        let blocks = match kernel.blocks_per_sm {
            Some(blocks) => needed.min(u64::from(blocks) * u64::from(multiprocessors)),
            None => needed,
        };
        let blocks = u32::try_from(blocks)
            .ok()
            .filter(|&blocks| u64::from(blocks) <= MAX_BLOCKS)
            .ok_or_else(|| {
                DeviceError::Call(format!(
                    "launch `{}` needs {needed} blocks, a grid has at most {MAX_BLOCKS}",
                    launch.name
                ))
            })?;
        Ok(Self {
            blocks,
            numbers,
            maps,
        })
    }
}

impl MapShape {
    fn new(map: &TensorMap, launch: &Launch, extents: &[u64]) -> Self {
        let slot = launch.args[map.arg as usize];
        Self {
            dtype: map.dtype,
            base: Slot {
                offset: slot.offset + map.offset,
                ..slot
            },
            dims: map
                .dims
                .iter()
                .map(|dim| match *dim {
                    MapDim::Fixed(size) => size,
                    MapDim::Extent(index) => extents[index as usize].max(1),
                })
                .collect(),
            strides: map.strides.clone(),
            box_dims: map.box_dims.clone(),
            swizzle: map.swizzle,
        }
    }
}

#[cfg(test)]
mod tests {
    use mm1_package::{ExtentRef, TileAxis};

    use super::*;

    fn kernel() -> GpuKernel {
        GpuKernel {
            ptx_bytes: 1,
            threads: 128,
            shared_bytes: 0,
            tiles_per_block: 4,
            blocks_per_sm: None,
            tensor_maps: vec![TensorMap {
                arg: 1,
                offset: 32,
                dtype: DType::Bf16,
                dims: vec![MapDim::Fixed(64), MapDim::Extent(0)],
                strides: vec![128],
                box_dims: vec![64, 16],
                swizzle: 128,
            }],
        }
    }

    fn launch() -> Launch {
        let rows = ExtentRef::Scaled { index: 0, scale: 3 };
        Launch {
            name: "product".into(),
            kernel: 0,
            args: [0, 4096].map(|offset| Slot { region: 2, offset }).to_vec(),
            extents: vec![rows],
            tiles: vec![
                TileAxis {
                    extent: rows,
                    tile: 16,
                },
                TileAxis {
                    extent: ExtentRef::Fixed(100),
                    tile: 64,
                },
            ],
            flops: 0,
            bytes: 0,
        }
    }

    fn shape(kernel: &GpuKernel, rows: u64) -> Shape {
        let sizes = Sizes {
            values: vec![rows],
            version: 1,
        };
        Shape::new(kernel, &launch(), &sizes, 10).unwrap()
    }

    #[test]
    fn the_grid_covers_the_tiles() {
        // 33 rows are 3 tiles, times 2: 6 tiles in 2 blocks.
        let found = shape(&kernel(), 11);
        assert_eq!((found.blocks, found.numbers), (2, vec![33, 6]));
        let found = shape(&kernel(), 0);
        assert_eq!((found.blocks, found.numbers), (0, vec![0, 0]));
    }

    #[test]
    fn a_persistent_kernel_fills_the_card_at_most() {
        let persistent = GpuKernel {
            blocks_per_sm: Some(2),
            tiles_per_block: 1,
            ..kernel()
        };
        assert_eq!(shape(&persistent, 11).blocks, 6);
        assert_eq!(shape(&persistent, 1100).blocks, 20);
    }

    #[test]
    fn descriptors_follow_the_sizes_and_are_never_empty() {
        let map = shape(&kernel(), 11).maps.remove(0);
        assert_eq!(map.dims, [64, 33]);
        let base = Slot {
            region: 2,
            offset: 4128,
        };
        assert_eq!(map.base, base);
        assert_eq!(shape(&kernel(), 0).maps[0].dims, [64, 1]);
    }

    #[test]
    fn a_grid_has_an_end() {
        let single = GpuKernel {
            tiles_per_block: 1,
            ..kernel()
        };
        let sizes = Sizes {
            values: vec![1 << 40],
            version: 1,
        };
        let error = Shape::new(&single, &launch(), &sizes, 10).unwrap_err();
        assert!(error.to_string().contains("`product`"), "{error}");
    }
}
