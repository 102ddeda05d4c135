//! TMA descriptors: the arguments of `cuTensorMapEncodeTiled`, and the call.

use cudarc::driver::sys::{
    self, CUtensorMapDataType as DataType, CUtensorMapFloatOOBfill as Fill,
    CUtensorMapInterleave as Interleave, CUtensorMapL2promotion as Promotion,
    CUtensorMapSwizzle as Swizzle,
};
use mm1_package::DType;

use super::driver::driver;
use crate::device::DeviceError;
use crate::device::gpu::MapShape;

/// Arguments, in the driver's types.
#[derive(Debug, PartialEq)]
struct Arguments {
    data_type: DataType,
    address: u64,
    dims: Vec<u64>,
    strides: Vec<u64>,
    box_dims: Vec<u32>,
    element_strides: Vec<u32>,
    swizzle: Swizzle,
}

impl Arguments {
    fn new(shape: &MapShape, address: u64) -> Result<Self, DeviceError> {
        Ok(Self {
            data_type: match shape.dtype {
                DType::F32 => DataType::CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
                DType::Bf16 => DataType::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
                DType::I32 => DataType::CU_TENSOR_MAP_DATA_TYPE_INT32,
            },
            address,
            dims: shape.dims.clone(),
            strides: shape.strides.clone(),
            box_dims: shape.box_dims.clone(),
            element_strides: vec![1; shape.dims.len()],
            swizzle: match shape.swizzle {
                0 => Swizzle::CU_TENSOR_MAP_SWIZZLE_NONE,
                32 => Swizzle::CU_TENSOR_MAP_SWIZZLE_32B,
                64 => Swizzle::CU_TENSOR_MAP_SWIZZLE_64B,
                128 => Swizzle::CU_TENSOR_MAP_SWIZZLE_128B,
                other => {
                    return Err(DeviceError::Kernel(format!(
                        "a swizzle of {other} bytes; 0, 32, 64 and 128 exist"
                    )));
                }
            },
        })
    }
}

/// Encodes the descriptor of `shape`, which begins at `address`.
///
/// # Errors
/// What the driver refuses, with all arguments.
pub(super) fn encode(shape: &MapShape, address: u64) -> Result<sys::CUtensorMap, DeviceError> {
    let arguments = Arguments::new(shape, address)?;
    let mut map = sys::CUtensorMap { opaque: [0; 16] };
    driver!(cuTensorMapEncodeTiled(
        &raw mut map,
        arguments.data_type,
        arguments.dims.len() as u32,
        arguments.address as *mut std::ffi::c_void,
        arguments.dims.as_ptr(),
        arguments.strides.as_ptr(),
        arguments.box_dims.as_ptr(),
        arguments.element_strides.as_ptr(),
        Interleave::CU_TENSOR_MAP_INTERLEAVE_NONE,
        arguments.swizzle,
        Promotion::CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
        Fill::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE
    ))
    .map_err(|error| DeviceError::Call(format!("{error}, for {arguments:x?}")))?;
    Ok(map)
}

#[cfg(test)]
mod tests {
    use mm1_package::Slot;

    use super::*;

    #[test]
    fn arguments_are_those_of_the_driver() {
        let shape = MapShape {
            dtype: DType::Bf16,
            base: Slot {
                region: 0,
                offset: 64,
            },
            dims: vec![768, 33],
            strides: vec![1536],
            box_dims: vec![64, 128],
            swizzle: 128,
        };
        let expected = Arguments {
            data_type: DataType::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
            address: 0x7f00_0040,
            dims: vec![768, 33],
            strides: vec![1536],
            box_dims: vec![64, 128],
            element_strides: vec![1, 1],
            swizzle: Swizzle::CU_TENSOR_MAP_SWIZZLE_128B,
        };
        assert_eq!(Arguments::new(&shape, 0x7f00_0040).unwrap(), expected);
        for (swizzle, expected) in [
            (0, Swizzle::CU_TENSOR_MAP_SWIZZLE_NONE),
            (32, Swizzle::CU_TENSOR_MAP_SWIZZLE_32B),
            (64, Swizzle::CU_TENSOR_MAP_SWIZZLE_64B),
        ] {
            let shape = MapShape {
                swizzle,
                ..shape.clone()
            };
            assert_eq!(Arguments::new(&shape, 0).unwrap().swizzle, expected);
        }
        let other = MapShape {
            swizzle: 16,
            ..shape
        };
        assert_eq!(Arguments::new(&other, 0).unwrap_err().code(), "MM1C0515");
    }

    #[test]
    fn a_descriptor_is_128_bytes_and_aligned() {
        assert_eq!(size_of::<sys::CUtensorMap>(), 128);
        assert!(align_of::<sys::CUtensorMap>() >= 64);
    }
}
