//! Contractions of the bench models in bf16: the first and the last tile of each.

use std::path::Path;

use mm1_compiler::build::Purpose;
use mm1_compiler::codegen::nvgpu::gemm::Facts;
use mm1_compiler::compile::plan_model;
use mm1_compiler::kernel::evaluate::evaluate;
use mm1_compiler::kernel::{Address, AxisId, AxisSize, Expr, Kernel, StageKind};
use mm1_package::{DType, ExtentRef};

use super::build::{contents, difference};
use super::run::{Compiled, Way};

/// Rows at each end of a tile that are evaluated.
const ROWS: u64 = 4;

/// The kernel over `start..start + length` of an axis only.
fn restrict(kernel: &mut Kernel, axis: AxisId, start: u64, length: u64) {
    let start = start as i64;
    let moved = |address: &mut Address| address.offset += address.stride(axis) * start;
    for expr in &mut kernel.exprs {
        match expr {
            Expr::Load {
                address, guards, ..
            } => {
                moved(address);
                assert!(guards.is_empty());
            }
            Expr::Index(of) => assert_ne!(*of, axis),
            _ => {}
        }
    }
    for stage in &mut kernel.stages {
        if let StageKind::Map { stores } = &mut stage.kind {
            stores
                .iter_mut()
                .for_each(|store| moved(&mut store.address));
        }
    }
    kernel.axes[axis.0 as usize].size = AxisSize::Fixed(length);
}

/// Checks what the first or the last tile stored; returns how many elements.
fn check_tile(
    kernel: &Kernel,
    compiled: &Compiled,
    buffers: &[Vec<u8>],
    extents: &[u64],
    last: bool,
) -> usize {
    let counts = compiled.counts(extents);
    let tiles: u64 = counts.iter().product();
    let block = if last { tiles as u32 - 1 } else { 0 };
    let way = Way {
        only: Some(vec![block]),
        ..Way::default()
    };
    let (got, _) = compiled
        .run(buffers, extents, &way)
        .unwrap_or_else(|fault| panic!("block {block}: {fault}\n{kernel}"));
    let grid = &compiled.schedule.tiles;
    let mut compared = 0;
    for end in [false, true] {
        let mut part = kernel.clone();
        for (number, ((axis, tile), count)) in grid.iter().zip(&counts).enumerate() {
            let size = match kernel.axis_of(*axis).size {
                AxisSize::Fixed(size) => size,
                AxisSize::Runtime(extent) => extents[extent as usize],
            };
            let mut start = if last { (count - 1) * tile } else { 0 };
            let mut length = (*tile).min(size - start);
            // The rows are the axis before the last one.
            if number + 2 == grid.len() {
                let rows = length.min(ROWS);
                start += if end { length - rows } else { 0 };
                length = rows;
            }
            restrict(&mut part, *axis, start, length);
        }
        let mut want = buffers.to_vec();
        evaluate(&part, &mut want, extents).unwrap();
        for (number, buffer) in kernel.buffers.iter().enumerate() {
            if !buffer.written {
                continue;
            }
            let size = buffer.dtype.size() as usize;
            let chunks = buffers[number].chunks(size).zip(want[number].chunks(size));
            for (element, (before, want)) in chunks.enumerate() {
                if before == want {
                    continue;
                }
                let got = &got[number][element * size..(element + 1) * size];
                let (off, _) = difference(buffer.dtype, got, want);
                assert!(
                    off <= 1.0,
                    "block {block}: buffer {number} is off by {off:.1} at {element}\n{kernel}"
                );
                compared += 1;
            }
        }
    }
    compared
}

#[test]
fn the_first_and_the_last_tile_of_every_contraction() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/bench");
    let sets = ["train.precision=\"bf16\"", "train.residual=\"bf16\""].map(str::to_owned);
    for (name, least) in [("tiny.toml", 30), ("9m.toml", 30)] {
        let model = mm1_dsl::load(&models.join(name), &sets).unwrap();
        let planned = plan_model(&model, Purpose::All, false).unwrap();
        let mut seen = Vec::new();
        for program in &planned.programs {
            let fused = &program.fused;
            for call in &fused.calls {
                let kernel = &call.kernel;
                let contracts = matches!(&kernel.stages[0].kind,
                    StageKind::Contract { operands, .. } if *operands == DType::Bf16);
                let maps = kernel.stages[1..]
                    .iter()
                    .all(|stage| matches!(stage.kind, StageKind::Map { .. }));
                if !contracts || !maps || seen.contains(&kernel.hash()) {
                    continue;
                }
                seen.push(kernel.hash());
                let extents: Vec<u64> = call
                    .extents
                    .iter()
                    .map(|extent| match extent {
                        ExtentRef::Fixed(size) => *size,
                        // Less than the bound, so that edges are ragged.
                        ExtentRef::Scaled { index, scale } => {
                            scale * (fused.extents[*index as usize].bound * 2 / 3)
                        }
                    })
                    .collect();
                let buffers: Vec<Vec<u8>> = call
                    .args
                    .iter()
                    .zip(&kernel.buffers)
                    .enumerate()
                    .map(|(number, ((key, first), buffer))| {
                        let elements = fused.buffers[key.0 as usize].elements - first;
                        contents(buffer.dtype, elements as usize, number as u32)
                    })
                    .collect();
                let facts = Facts {
                    extents: extents.len() as u32,
                    ..Facts::of(kernel)
                };
                let compiled = Compiled::new(kernel, &facts);
                for last in [false, true] {
                    let compared = check_tile(kernel, &compiled, &buffers, &extents, last);
                    assert!(compared > 0, "{}: nothing is compared", call.name);
                }
            }
        }
        assert!(
            seen.len() >= least,
            "{name} has {} contractions",
            seen.len()
        );
    }
}
