//! Kernels of contractions, buffers for them, and comparison of results.

use half::bf16;
use mm1_compiler::kernel::{
    Address, AxisId, AxisSize, BufferId, Coordinate, Expr, ExprId, Kernel, StageId, StageKind,
    Store,
};
use mm1_package::DType;

/// Numbers in −1..1 that repeat for a seed.
pub fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

/// Bytes of such numbers.
pub fn contents(dtype: DType, count: usize, seed: u32) -> Vec<u8> {
    let numbers = numbers(count, seed);
    match dtype {
        DType::F32 => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        DType::Bf16 => numbers
            .iter()
            .flat_map(|x| bf16::from_f32(*x).to_le_bytes())
            .collect(),
        DType::I32 => (0..count as i32)
            .flat_map(|i| (i % 3 - 1).to_le_bytes())
            .collect(),
    }
}

pub fn decode(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    match dtype {
        DType::F32 => bytes
            .chunks(4)
            .map(|x| f64::from(f32::from_le_bytes(x.try_into().unwrap())))
            .collect(),
        DType::I32 => bytes
            .chunks(4)
            .map(|x| f64::from(i32::from_le_bytes(x.try_into().unwrap())))
            .collect(),
        DType::Bf16 => bytes
            .chunks(2)
            .map(|x| bf16::from_le_bytes(x.try_into().unwrap()).to_f64())
            .collect(),
    }
}

/// The largest difference in units of what f32 sums and the rounding to the type allow.
pub fn difference(dtype: DType, got: &[u8], want: &[u8]) -> (f64, usize) {
    let relative = match dtype {
        // Values near a tie may round either way, also within an expression.
        DType::Bf16 => 1.0 / 64.0,
        DType::F32 => 2e-4,
        DType::I32 => 0.0,
    };
    let pairs = decode(dtype, got).into_iter().zip(decode(dtype, want));
    let mut worst = (0.0, 0);
    for (element, (got, want)) in pairs.enumerate() {
        let off = if got.is_nan() && want.is_nan() || got == want {
            0.0
        } else {
            (got - want).abs() / (relative * want.abs().max(0.5))
        };
        let off = if off.is_nan() { f64::INFINITY } else { off };
        if off > worst.0 {
            worst = (off, element);
        }
    }
    worst
}

pub fn address(terms: &[(AxisId, i64)]) -> Address {
    let terms = terms.iter().filter(|(_, stride)| *stride != 0);
    Address {
        offset: 0,
        terms: terms
            .map(|(axis, stride)| (Coordinate::Axis(*axis), *stride))
            .collect(),
    }
}

/// A kernel under construction, with the elements that each buffer needs.
pub struct Building {
    pub kernel: Kernel,
    pub elements: Vec<usize>,
}

impl Building {
    pub fn new(name: &str) -> Self {
        Self {
            kernel: Kernel::new(name),
            elements: Vec::new(),
        }
    }

    pub fn axis(&mut self, size: u64, parallel: bool) -> AxisId {
        self.kernel.axis(AxisSize::Fixed(size), parallel)
    }

    pub fn buffer(&mut self, dtype: DType, elements: usize, written: bool) -> BufferId {
        self.elements.push(elements);
        self.kernel.buffer(dtype, written)
    }

    /// A load of a new buffer.
    pub fn load(&mut self, dtype: DType, elements: usize, terms: &[(AxisId, i64)]) -> ExprId {
        let buffer = self.buffer(dtype, elements, false);
        self.load_of(buffer, address(terms))
    }

    pub fn load_of(&mut self, buffer: BufferId, address: Address) -> ExprId {
        self.kernel.expr(Expr::Load {
            buffer,
            address,
            guards: Vec::new(),
        })
    }

    /// Σ lhs·rhs over the folded axes.
    pub fn contract(
        &mut self,
        domain: &[AxisId],
        folded: &[AxisId],
        lhs: ExprId,
        rhs: ExprId,
    ) -> (StageId, ExprId) {
        let stage = self.kernel.stage(
            domain,
            folded,
            StageKind::Contract {
                lhs,
                rhs,
                operands: DType::Bf16,
                window: None,
            },
        );
        let tile = self.kernel.expr(Expr::Tile { stage, result: 0 });
        (stage, tile)
    }

    /// One map with these stores.
    pub fn store(&mut self, domain: &[AxisId], stores: Vec<(BufferId, Address, ExprId)>) {
        let stores = stores
            .into_iter()
            .map(|(buffer, address, value)| Store {
                buffer,
                address,
                value,
            })
            .collect();
        self.kernel.stage(domain, &[], StageKind::Map { stores });
    }

    pub fn buffers(&self) -> Vec<Vec<u8>> {
        self.elements
            .iter()
            .zip(&self.kernel.buffers)
            .enumerate()
            .map(|(number, (elements, buffer))| contents(buffer.dtype, *elements, number as u32))
            .collect()
    }
}
