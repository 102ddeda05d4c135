//! Kernels made by hand, lowered, compiled and compared with their plain meaning.

mod contract;
mod groups;
mod models;
mod rows;

use half::bf16;
use mm1_package::DType;

use super::{Lowered, Machine, lower};
use crate::codegen::mapped::Mapped;
use crate::codegen::{self, Backend};
use crate::kernel::evaluate::evaluate;
use crate::kernel::{
    Address, AxisId, AxisSize, BufferId, Coordinate, Expr, ExprId, Guard, Kernel, StageKind, Store,
    Window,
};
use crate::target::{CPU_TARGETS, CpuTarget};

/// Bytes after each buffer that must stay as they are; as floats they are NaN.
const GUARD: [u8; 64] = [0xff; 64];

/// Numbers in −1..1 that repeat for a seed.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn bf16s(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|x| bf16::from_f32(*x).to_le_bytes())
        .collect()
}

fn i32s(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn random(count: usize, seed: u32) -> Vec<u8> {
    f32s(&numbers(count, seed))
}

fn zeros(count: usize) -> Vec<u8> {
    vec![0; 4 * count]
}

fn decode(dtype: DType, bytes: &[u8]) -> Vec<f64> {
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

fn tile_count(kernel: &Kernel, lowered: &Lowered, extents: &[u64]) -> i64 {
    let counts = lowered.tiles.iter().map(|(axis, tile)| {
        let size = match kernel.axis_of(*axis).size {
            AxisSize::Fixed(size) => size,
            AxisSize::Runtime(extent) => extents[extent as usize],
        };
        size.div_ceil(*tile) as i64
    });
    counts.product()
}

/// The generators that make code of this machine's vectors, if it runs here; the first is the reference.
fn generators(machine: &Machine) -> Vec<(Backend, CpuTarget)> {
    #[cfg_attr(
        not(feature = "mlir"),
        expect(unused_mut, reason = "one generator only")
    )]
    let mut all = match machine.tiles {
        true => Vec::new(),
        false => vec![(Backend::Cranelift, CPU_TARGETS[3])],
    };
    #[cfg(feature = "mlir")]
    all.extend(
        CPU_TARGETS
            .into_iter()
            .filter(|target| {
                target.vector_lanes_f32 == machine.lanes as usize
                    && target.bf16_dot == (machine.bf16_dot && machine.lanes == 16)
                    && target.tiles == machine.tiles
                    && target.runs_here()
            })
            .map(|target| (Backend::Mlir, target)),
    );
    #[cfg(not(feature = "mlir"))]
    let _ = machine;
    all
}

/// Runs a kernel as machine code of every generator, whose results must be the same; the tiles
/// in two calls, the later ones first.
fn execute(
    kernel: &Kernel,
    machine: &Machine,
    buffers: &[Vec<u8>],
    extents: &[u64],
) -> Vec<Vec<u8>> {
    let lowered = lower(kernel, machine).unwrap();
    let mut results: Vec<Vec<Vec<u8>>> = Vec::new();
    for (backend, target) in generators(machine) {
        let got = execute_by(kernel, &lowered, (backend, target), buffers, extents);
        if let Some(reference) = results.first() {
            let pairs = reference.iter().zip(&got).zip(&kernel.buffers);
            for (number, ((a, b), buffer)) in pairs.enumerate() {
                let place = same(buffer.dtype, a, b);
                assert_eq!(
                    place, None,
                    "`{}` by {backend} for {target}: buffer {number} differs",
                    kernel.name
                );
            }
        }
        results.push(got);
    }
    results.swap_remove(0)
}

/// The tile of a product of two factors over a domain, folded along some of its axes.
fn contract(
    k: &mut Kernel,
    (domain, folded): (&[AxisId], &[AxisId]),
    [lhs, rhs]: [ExprId; 2],
    operands: DType,
    window: Option<Window>,
) -> ExprId {
    let kind = StageKind::Contract {
        lhs,
        rhs,
        operands,
        window,
    };
    let stage = k.stage(domain, folded, kind);
    k.expr(Expr::Tile { stage, result: 0 })
}

/// Where two arrays differ, other than in the kind of NaN.
fn same(dtype: DType, a: &[u8], b: &[u8]) -> Option<usize> {
    if a == b {
        return None;
    }
    let size = dtype.size() as usize;
    let pairs = a.chunks(size).zip(b.chunks(size));
    let bits = pairs.map(|(a, b)| a == b);
    let numbers = decode(dtype, a).into_iter().zip(decode(dtype, b));
    bits.zip(numbers)
        .position(|(same, (a, b))| !(same || a.is_nan() && b.is_nan()))
}

fn execute_by(
    kernel: &Kernel,
    lowered: &Lowered,
    (backend, target): (Backend, CpuTarget),
    buffers: &[Vec<u8>],
    extents: &[u64],
) -> Vec<Vec<u8>> {
    let functions = std::slice::from_ref(&lowered.function);
    let code = Mapped::new(&codegen::generate(functions, backend, &target).unwrap());
    let mut memory: Vec<Vec<u8>> = buffers
        .iter()
        .map(|bytes| [bytes.as_slice(), &GUARD].concat())
        .collect();
    let args: Vec<*mut u8> = memory.iter_mut().map(|bytes| bytes.as_mut_ptr()).collect();
    let sizes: Vec<i64> = extents.iter().map(|size| *size as i64).collect();
    let tiles = tile_count(kernel, lowered, extents);
    let middle = (tiles + 1) / 2;
    for range in [middle..tiles, 0..middle] {
        let scratch = lowered.function.scratch_bytes;
        code.call(&lowered.function.name, &args, &sizes, range, scratch);
    }
    for (number, bytes) in memory.iter_mut().enumerate() {
        let guard = bytes.split_off(bytes.len() - GUARD.len());
        assert_eq!(guard, GUARD, "wrote past buffer {number}");
    }
    memory
}

/// Compares machine code with the kernel's meaning: |error| ≤ tolerance·(1 + |value|).
fn check(kernel: &Kernel, buffers: Vec<Vec<u8>>, extents: &[u64], tolerance: f64) {
    let mut want = buffers.clone();
    evaluate(kernel, &mut want, extents).unwrap();
    for lanes in [4, 8, 16] {
        for bf16_dot in [false, true] {
            let machine = Machine {
                bf16_dot,
                ..Machine::with_lanes(lanes)
            };
            let got = execute(kernel, &machine, &buffers, extents);
            compare(kernel, &got, &want, tolerance, &format!("{lanes} lanes"));
        }
    }
    let machine = Machine {
        bf16_dot: true,
        tiles: true,
        ..Machine::with_lanes(16)
    };
    // Only one generator has tiles, and only where the processor has them.
    if !generators(&machine).is_empty() {
        let got = execute(kernel, &machine, &buffers, extents);
        compare(kernel, &got, &want, tolerance, "tiles");
    }
}

fn compare(kernel: &Kernel, got: &[Vec<u8>], want: &[Vec<u8>], tolerance: f64, what: &str) {
    for (number, buffer) in kernel.buffers.iter().enumerate() {
        if !buffer.written {
            assert_eq!(got[number], want[number], "buffer {number} was changed");
            continue;
        }
        // One step of bf16 is 2⁻⁸ at most.
        let tolerance = match buffer.dtype {
            DType::Bf16 => tolerance.max(0.0079),
            _ => tolerance,
        };
        let got = decode(buffer.dtype, &got[number]);
        let want = decode(buffer.dtype, &want[number]);
        for (element, (got, want)) in got.iter().zip(&want).enumerate() {
            let error = (got - want).abs();
            assert!(
                error <= tolerance * (1.0 + want.abs()) || got == want,
                "`{}`, {what}: buffer {number}[{element}] = {got}, not {want}",
                kernel.name
            );
        }
    }
}

/// offset + Σ axis·stride.
fn affine(offset: i64, terms: &[(AxisId, i64)]) -> Address {
    Address {
        offset,
        terms: terms
            .iter()
            .map(|(axis, stride)| (Coordinate::Axis(*axis), *stride))
            .collect(),
    }
}

fn load(kernel: &mut Kernel, buffer: BufferId, terms: &[(AxisId, i64)]) -> ExprId {
    load_at(kernel, buffer, affine(0, terms), Vec::new())
}

fn load_at(kernel: &mut Kernel, buffer: BufferId, address: Address, guards: Vec<Guard>) -> ExprId {
    kernel.expr(Expr::Load {
        buffer,
        address,
        guards,
    })
}

fn store(buffer: BufferId, terms: &[(AxisId, i64)], value: ExprId) -> Store {
    Store {
        buffer,
        address: affine(0, terms),
        value,
    }
}

fn constant(kernel: &mut Kernel, value: f32) -> ExprId {
    kernel.expr(Expr::Const(value.to_bits()))
}
