//! Tensor maps: what the driver's opaque 128 bytes say, in the emulator's own encoding.

/// Element type of a tensor map; only its size matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TensorType {
    U8,
    U16,
    F16,
    Bf16,
    U32,
    I32,
    F32,
    Tf32,
    U64,
    I64,
    F64,
}

impl TensorType {
    /// Bytes of an element.
    pub fn bytes(self) -> u32 {
        match self {
            TensorType::U8 => 1,
            TensorType::U16 | TensorType::F16 | TensorType::Bf16 => 2,
            TensorType::U32 | TensorType::I32 | TensorType::F32 | TensorType::Tf32 => 4,
            TensorType::U64 | TensorType::I64 | TensorType::F64 => 8,
        }
    }
}

/// A tensor in global memory and the box that one copy moves. Dimensions are innermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorMap {
    /// Bytes of an element.
    pub(crate) element: u32,
    /// Global address; a multiple of 16.
    pub(crate) base: u64,
    /// Elements.
    pub(crate) dims: Vec<u64>,
    /// Bytes between neighbours in dimensions 1 and up.
    pub(crate) strides: Vec<u64>,
    /// Elements of a box in global memory.
    pub(crate) box_dims: Vec<u32>,
    /// Steps between elements that are taken.
    pub(crate) steps: Vec<u32>,
    /// 0, 32, 64 or 128 bytes.
    pub(crate) swizzle: u32,
}

/// First bytes of an encoded map.
const MARK: &[u8; 8] = b"mm1-tmap";

impl TensorMap {
    /// Encodes a map for tiled copies, as `cuTensorMapEncodeTiled` does, with zeros for what is out of
    /// bounds: sizes in elements, innermost first; strides in bytes of the dimensions from the second on.
    /// As on the device, `element_strides[0]` is ignored.
    ///
    /// # Errors
    /// If the driver would refuse the map, or if a swizzled row is shorter than the swizzle (which the
    /// driver accepts, but whose layout is not documented).
    pub fn encode(
        dtype: TensorType,
        base: u64,
        dims: &[u64],
        strides: &[u64],
        box_dims: &[u32],
        element_strides: &[u32],
        swizzle: u32,
    ) -> Result<[u8; 128], String> {
        let rank = dims.len();
        if !(1..=5).contains(&rank) {
            return Err(format!(
                "a tensor map has {rank} dimensions; 1 to 5 are possible"
            ));
        }
        if strides.len() + 1 != rank || box_dims.len() != rank || element_strides.len() != rank {
            return Err(format!(
                "{rank} dimensions need {} strides, {rank} box sizes and {rank} element strides, \
                 but {}, {} and {} are given",
                rank - 1,
                strides.len(),
                box_dims.len(),
                element_strides.len()
            ));
        }
        if !base.is_multiple_of(16) {
            return Err(format!("the base {base:#x} is no multiple of 16"));
        }
        if let Some(size) = dims.iter().find(|&&size| size == 0 || size > 1 << 32) {
            return Err(format!("a dimension of {size} is not in 1 to 2^32"));
        }
        if let Some(stride) = strides.iter().find(|&&s| s % 16 != 0 || s >= 1 << 40) {
            return Err(format!(
                "a stride of {stride} is no multiple of 16 below 2^40"
            ));
        }
        if let Some(size) = box_dims.iter().find(|&&size| size == 0 || size > 256) {
            return Err(format!("a box of {size} is not in 1 to 256"));
        }
        if let Some(step) = element_strides.iter().find(|&&step| step == 0 || step > 8) {
            return Err(format!("an element stride of {step} is not in 1 to 8"));
        }
        let row = box_dims[0] * dtype.bytes();
        if !row.is_multiple_of(16) {
            return Err(format!("a box row of {row} bytes is no multiple of 16"));
        }
        match swizzle {
            0 => {}
            32 | 64 | 128 if row == swizzle => {}
            32 | 64 | 128 => {
                return Err(format!(
                    "a box row has {row} bytes, but a swizzle of {swizzle} needs as many"
                ));
            }
            _ => return Err(format!("a swizzle of {swizzle} is not 0, 32, 64 or 128")),
        }
        let mut bytes = Vec::with_capacity(128);
        bytes.extend(MARK);
        bytes.extend([dtype.bytes() as u8, rank as u8, swizzle as u8, 0]);
        bytes.extend(base.to_le_bytes());
        for axis in 0..5 {
            let size = dims.get(axis).map_or(0, |size| size - 1) as u32;
            bytes.extend(size.to_le_bytes());
            let size = box_dims.get(axis).copied().unwrap_or(0) as u16;
            bytes.extend(size.to_le_bytes());
            bytes.push(element_strides.get(axis).copied().unwrap_or(0) as u8);
            let stride = strides.get(axis).copied().unwrap_or(0);
            bytes.extend(&stride.to_le_bytes()[..5]);
        }
        let mut encoded = [0; 128];
        encoded[..bytes.len()].copy_from_slice(&bytes);
        Ok(encoded)
    }

    /// Reads an encoded map.
    pub(crate) fn decode(bytes: &[u8; 128]) -> Option<TensorMap> {
        if &bytes[..8] != MARK {
            return None;
        }
        let rank = usize::from(bytes[9]);
        let mut base = [0; 8];
        base.copy_from_slice(&bytes[12..20]);
        let mut map = TensorMap {
            element: bytes[8].into(),
            base: u64::from_le_bytes(base),
            dims: Vec::new(),
            strides: Vec::new(),
            box_dims: Vec::new(),
            steps: Vec::new(),
            swizzle: bytes[10].into(),
        };
        for axis in 0..rank {
            let part = &bytes[20 + 12 * axis..32 + 12 * axis];
            let size = u32::from_le_bytes([part[0], part[1], part[2], part[3]]);
            map.dims.push(u64::from(size) + 1);
            map.box_dims
                .push(u16::from_le_bytes([part[4], part[5]]).into());
            map.steps.push(if axis == 0 { 1 } else { part[6].into() });
            if axis + 1 < rank {
                let mut stride = [0; 8];
                stride[..5].copy_from_slice(&part[7..12]);
                map.strides.push(u64::from_le_bytes(stride));
            }
        }
        Some(map)
    }

    /// Elements of the box in shared memory, along each dimension.
    pub(crate) fn tile(&self) -> Vec<u64> {
        let sizes = self.box_dims.iter().zip(&self.steps);
        sizes
            .map(|(&size, &step)| u64::from(size.div_ceil(step)))
            .collect()
    }

    /// Bytes of the box in shared memory.
    pub(crate) fn tile_bytes(&self) -> u64 {
        self.tile().iter().product::<u64>() * u64::from(self.element)
    }
}

/// Where a swizzle puts a byte of shared memory: bits 7 and up of the address are added, without carry,
/// to bits 4 and up; one bit for 32 bytes, two for 64, three for 128.
pub(crate) fn swizzled(address: u64, swizzle: u32) -> u64 {
    let mask = match swizzle {
        32 => 1,
        64 => 3,
        128 => 7,
        _ => 0,
    };
    address ^ ((address >> 7 & mask) << 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_map_reads_back() {
        let encoded = TensorMap::encode(
            TensorType::Bf16,
            0x7000_0000_0040,
            &[200, 33, 1 << 32],
            &[400, 400 * 33 + 48],
            &[64, 7, 3],
            &[1, 1, 2],
            128,
        );
        let map = TensorMap::decode(&encoded.unwrap()).unwrap();
        assert_eq!(map.dims, [200, 33, 1 << 32]);
        assert_eq!(map.strides, [400, 400 * 33 + 48]);
        assert_eq!(
            (map.base, map.element, map.swizzle),
            (0x7000_0000_0040, 2, 128)
        );
        assert_eq!(map.tile(), [64, 7, 2]);
        assert!(TensorMap::decode(&[0; 128]).is_none());
    }

    #[test]
    fn what_the_driver_refuses_is_refused() {
        let encode = |base, stride, row, swizzle| {
            let (dims, boxes) = ([512, 8], [row, 8]);
            TensorMap::encode(
                TensorType::Bf16,
                base,
                &dims,
                &[stride],
                &boxes,
                &[1, 1],
                swizzle,
            )
        };
        assert!(encode(16, 1024, 64, 128).is_ok());
        assert!(
            encode(8, 1024, 64, 128)
                .unwrap_err()
                .contains("multiple of 16")
        );
        assert!(
            encode(16, 1000, 64, 128)
                .unwrap_err()
                .contains("stride of 1000")
        );
        assert!(
            encode(16, 1024, 128, 128)
                .unwrap_err()
                .contains("row has 256 bytes")
        );
        assert!(encode(16, 1024, 512, 0).unwrap_err().contains("box of 512"));
        assert!(
            encode(16, 1024, 64, 96)
                .unwrap_err()
                .contains("swizzle of 96")
        );
    }
}
