//! Kernels that fusion makes of the models in this repository.

use std::path::Path;

use super::*;
use crate::build::Purpose;
use crate::compile::plan_model;
use crate::fuse::Fused;
use crate::kernel::StageKind;
use mm1_package::ExtentRef;

/// Values for a buffer of a kernel that came from a model: indices are small or −1.
fn contents(dtype: DType, count: usize, seed: u32) -> Vec<u8> {
    match dtype {
        DType::F32 => {
            // Positive, so that roots and quotients exist.
            let values: Vec<f32> = numbers(count, seed).iter().map(|x| x + 1.5).collect();
            f32s(&values)
        }
        DType::Bf16 => bf16s(&numbers(count, seed)),
        DType::I32 => i32s(&(0..count as i32).map(|i| i % 3 - 1).collect::<Vec<_>>()),
    }
}

/// Checks the kernels of a program that are quick to evaluate; returns how many there were, and
/// how many of attention.
fn check_program(fused: &Fused, seen: &mut Vec<String>) -> (usize, usize) {
    let (mut checked, mut attention) = (0, 0);
    for call in &fused.calls {
        let kernel = &call.kernel;
        let hash = kernel.hash();
        let softmax = kernel
            .stages
            .iter()
            .any(|stage| matches!(stage.kind, StageKind::SoftmaxContract { .. }));
        if seen.contains(&hash) || (call.flops > 40_000_000 && !softmax) {
            continue;
        }
        seen.push(hash);
        let extents: Vec<u64> = call
            .extents
            .iter()
            .map(|extent| match extent {
                ExtentRef::Fixed(size) => *size,
                // Less than the bound, so that bounds are not sizes.
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
        if buffers.iter().map(Vec::len).sum::<usize>() > 8 << 20 {
            continue;
        }
        if softmax {
            // Its meaning is tested elsewhere; here its code must not depend on who makes it.
            for lanes in [8, 16] {
                execute(kernel, &Machine::with_lanes(lanes), &buffers, &extents);
            }
            attention += 1;
            continue;
        }
        let mut want = buffers.clone();
        evaluate(kernel, &mut want, &extents).unwrap();
        for lanes in [4, 16] {
            let got = execute(kernel, &Machine::with_lanes(lanes), &buffers, &extents);
            let what = format!("{} at {lanes} lanes", call.name);
            // Long sums of large terms may cancel; a wrong address is off by far more.
            compare(kernel, &got, &want, 3e-4, &what);
        }
        checked += 1;
    }
    (checked, attention)
}

#[test]
fn kernels_of_whole_models_mean_what_they_say() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let mut seen = Vec::new();
    let mut folded = 0;
    for (name, least) in [("mm1-tiny.toml", 20), ("tiny/c-abstractor.toml", 5)] {
        let model = mm1_dsl::load(&models.join(name), &[]).unwrap();
        let planned = plan_model(&model, Purpose::All, false).unwrap();
        let mut checked = 0;
        for program in &planned.programs {
            let (others, attention) = check_program(&program.fused, &mut seen);
            checked += others;
            folded += attention;
        }
        assert!(
            checked >= least,
            "{name} has {checked} kernels that were not seen before"
        );
    }
    assert!(folded >= 2, "{folded} kernels with a softmax");
}
