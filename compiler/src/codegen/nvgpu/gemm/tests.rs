//! Plans and texts of kernels made by hand.

use std::path::Path;

use mm1_package::DType;

use super::multiply::descriptor;
use super::plan::{Major, Plan, SHAPES, Source, plan};
use super::{Facts, MapDim, schedule};
use crate::build::Purpose;
use crate::compile::plan_model;
use crate::kernel::{
    Address, AxisId, AxisSize, Coordinate, Expr, ExprId, Kernel, StageKind, Store, Window,
};

/// C[m, n] = Σ A·B with these element types and strides (row or column axis, folded axis).
struct Case {
    sizes: [AxisSize; 3],
    a: (DType, [i64; 2]),
    b: (DType, [i64; 2]),
    c: [i64; 2],
}

fn fixed(sizes: [u64; 3]) -> [AxisSize; 3] {
    sizes.map(AxisSize::Fixed)
}

fn address(terms: &[(AxisId, i64)]) -> Address {
    let terms = terms.iter();
    Address {
        offset: 0,
        terms: terms
            .map(|(axis, stride)| (Coordinate::Axis(*axis), *stride))
            .collect(),
    }
}

fn load(kernel: &mut Kernel, dtype: DType, address: Address) -> ExprId {
    let buffer = kernel.buffer(dtype, false);
    let value = kernel.expr(Expr::Load {
        buffer,
        address,
        guards: Vec::new(),
    });
    match dtype {
        DType::F32 => kernel.expr(Expr::Round(value)),
        DType::Bf16 | DType::I32 => value,
    }
}

fn contract(kernel: &mut Kernel, axes: [AxisId; 3], lhs: ExprId, rhs: ExprId, to: [i64; 2]) {
    let [m, n, k] = axes;
    let stage = kernel.stage(
        &[m, k, n],
        &[k],
        StageKind::Contract {
            lhs,
            rhs,
            operands: DType::Bf16,
            window: None,
        },
    );
    let value = kernel.expr(Expr::Tile { stage, result: 0 });
    let buffer = kernel.buffer(DType::F32, true);
    let stores = vec![Store {
        buffer,
        address: address(&[(m, to[0]), (n, to[1])]),
        value,
    }];
    kernel.stage(&[m, n], &[], StageKind::Map { stores });
}

fn build(case: &Case) -> Kernel {
    let mut kernel = Kernel::new("matmul");
    let m = kernel.axis(case.sizes[0], true);
    let n = kernel.axis(case.sizes[1], true);
    let k = kernel.axis(case.sizes[2], false);
    let lhs = address(&[(m, case.a.1[0]), (k, case.a.1[1])]);
    let lhs = load(&mut kernel, case.a.0, lhs);
    let rhs = address(&[(n, case.b.1[0]), (k, case.b.1[1])]);
    let rhs = load(&mut kernel, case.b.0, rhs);
    contract(&mut kernel, [m, n, k], lhs, rhs, case.c);
    kernel
}

fn forward(m: u64, n: u64, k: u64) -> Case {
    Case {
        sizes: fixed([m, n, k]),
        a: (DType::Bf16, [k as i64, 1]),
        b: (DType::Bf16, [k as i64, 1]),
        c: [n as i64, 1],
    }
}

fn planned(kernel: &Kernel) -> Plan {
    plan(kernel, &Facts::of(kernel)).unwrap()
}

fn ways(plan: &Plan) -> Vec<(Source, Major)> {
    plan.products
        .iter()
        .flat_map(|product| [&product.rows, &product.columns])
        .map(|operand| (operand.source, operand.major))
        .collect()
}

#[test]
fn plain_bf16_is_copied_whichever_axis_is_contiguous() {
    let cases = [
        ([1024, 1], [1024, 1], [Major::Folded, Major::Folded]),
        ([1024, 1], [1, 4096], [Major::Folded, Major::Result]),
        ([1, 2048], [1, 4096], [Major::Result, Major::Result]),
    ];
    for (a, b, majors) in cases {
        let kernel = build(&Case {
            a: (DType::Bf16, a),
            b: (DType::Bf16, b),
            ..forward(2048, 4096, 1024)
        });
        let plan = planned(&kernel);
        let want = [
            (Source::Copied { map: 0 }, majors[0]),
            (Source::Copied { map: 1 }, majors[1]),
        ];
        assert_eq!(ways(&plan), want);
        assert_eq!(plan.tile(), [128, 256]);
        for (map, (major, lines)) in plan.maps.iter().zip(majors.into_iter().zip([128, 256])) {
            assert_eq!(map.box_dims[0], 64);
            let across = match major {
                Major::Folded => lines,
                Major::Result => 64,
            };
            assert_eq!(map.box_dims[1], across);
            assert_eq!(map.swizzle, 128);
        }
        assert!(!plan.computes());
    }
}

#[test]
fn maps_have_the_strides_of_memory_and_the_launchs_extents() {
    let kernel = build(&Case {
        sizes: [
            AxisSize::Fixed(96),
            AxisSize::Fixed(32),
            AxisSize::Runtime(0),
        ],
        a: (DType::Bf16, [1, 96]),
        b: (DType::Bf16, [1, 32]),
        c: [32, 1],
    });
    let plan = planned(&kernel);
    assert_eq!(plan.maps[0].dims, [MapDim::Fixed(96), MapDim::Extent(0)]);
    assert_eq!(plan.maps[0].strides, [192]);
    assert_eq!(plan.maps[1].dims, [MapDim::Fixed(32), MapDim::Extent(0)]);
    assert_eq!(plan.maps[1].strides, [64]);
}

#[test]
fn what_bulk_copies_cannot_read_is_computed() {
    let by_eights = Source::Computed { vector: true };
    let by_ones = Source::Computed { vector: false };
    // An f32 weight, in both orders.
    for (strides, major) in [([1024, 1], Major::Folded), ([1, 4096], Major::Result)] {
        let kernel = build(&Case {
            b: (DType::F32, strides),
            ..forward(2048, 4096, 1024)
        });
        assert_eq!(ways(&planned(&kernel))[1], (by_eights, major));
    }
    // Rows of 36 bf16 are 72 bytes, no multiple of 16.
    let kernel = build(&Case {
        a: (DType::Bf16, [36, 1]),
        ..forward(2048, 4096, 36)
    });
    assert_eq!(ways(&planned(&kernel))[0], (by_ones, Major::Folded));
    // Neither axis is contiguous.
    let kernel = build(&Case {
        a: (DType::Bf16, [2048, 2]),
        ..forward(2048, 4096, 1024)
    });
    assert_eq!(ways(&planned(&kernel))[0], (by_ones, Major::Folded));
    // The address is only known to be that of an element.
    let kernel = build(&forward(2048, 4096, 1024));
    let facts = Facts {
        alignment: vec![2, 16, 16],
        ..Facts::of(&kernel)
    };
    let plan = plan(&kernel, &facts).unwrap();
    assert_eq!(ways(&plan)[0], (by_ones, Major::Folded));
    assert_eq!(ways(&plan)[1], (Source::Copied { map: 0 }, Major::Folded));
}

#[test]
fn gathered_rows_are_computed_by_eights() {
    let mut kernel = Kernel::new("gathered");
    let [m, n] = [512, 256].map(|size| kernel.axis(AxisSize::Fixed(size), true));
    let k = kernel.axis(AxisSize::Fixed(128), false);
    let rows = kernel.buffer(DType::I32, false);
    let row = kernel.expr(Expr::Load {
        buffer: rows,
        address: address(&[(m, 1)]),
        guards: Vec::new(),
    });
    let mut gathered = address(&[(k, 1)]);
    gathered.terms.push((Coordinate::Row(row), 128));
    let lhs = load(&mut kernel, DType::Bf16, gathered);
    let rhs = address(&[(n, 128), (k, 1)]);
    let rhs = load(&mut kernel, DType::Bf16, rhs);
    contract(&mut kernel, [m, n, k], lhs, rhs, [256, 1]);
    let plan = planned(&kernel);
    let want = [
        (Source::Computed { vector: true }, Major::Folded),
        (Source::Copied { map: 0 }, Major::Folded),
    ];
    assert_eq!(ways(&plan), want);
}

#[test]
fn columns_are_the_axis_that_results_are_contiguous_along() {
    let kernel = build(&forward(2048, 4096, 1024));
    assert_eq!(planned(&kernel).n, AxisId(1));
    let kernel = build(&Case {
        c: [1, 2048],
        ..forward(2048, 4096, 1024)
    });
    let plan = planned(&kernel);
    assert_eq!((plan.m, plan.n), (AxisId(1), AxisId(0)));
    assert!(plan.vector);
}

#[test]
fn a_tile_is_large_where_there_is_work_for_all() {
    let tile = |m, n, k| planned(&build(&forward(m, n, k))).tile();
    assert_eq!(tile(4096, 4096, 4096), [128, 256]);
    // 64 blocks of 128 × 128 would leave half of the card idle.
    assert_eq!(tile(1024, 1024, 4096)[0], 64);
    assert_eq!(tile(16, 32, 48), [64, 64]);
}

#[test]
fn every_plan_fits_a_multiprocessor() {
    for size in [16, 200, 1024, 2048, 8192] {
        for dtype in [DType::Bf16, DType::F32] {
            let kernel = build(&Case {
                b: (dtype, [512, 1]),
                ..forward(size, 1000, 512)
            });
            for shape in SHAPES {
                let facts = Facts {
                    shape: Some(shape),
                    ..Facts::of(&kernel)
                };
                let Ok(plan) = plan(&kernel, &facts) else {
                    // One producing warp does not evaluate.
                    assert_eq!((shape.blocks, shape.tile[0], dtype), (2, 128, DType::F32));
                    continue;
                };
                let blocks = plan.shape.blocks;
                assert!(
                    blocks * (plan.shared_bytes() + 1024) <= 228 << 10,
                    "{plan:?}"
                );
                assert!(plan.stages >= 3, "{plan:?}");
                let registers = match plan.registers() {
                    Some((few, many)) => blocks * 128 * (few + plan.consumers() * many),
                    None => blocks * plan.threads() * (65536 / blocks / plan.threads() / 8 * 8),
                };
                assert!(registers <= 65536, "{plan:?}");
            }
        }
    }
}

#[test]
fn other_kernels_are_refused_with_the_reason() {
    let kernel = build(&forward(64, 64, 64));
    let refusal = |kernel: &Kernel| plan(kernel, &Facts::of(kernel)).unwrap_err();
    let mut in_f32 = kernel.clone();
    if let StageKind::Contract { operands, .. } = &mut in_f32.stages[0].kind {
        *operands = DType::F32;
    }
    assert_eq!(refusal(&in_f32), "operands are not bf16");
    let mut masked = kernel.clone();
    if let StageKind::Contract { window, .. } = &mut masked.stages[0].kind {
        *window = Some(Window {
            query: AxisId(0),
            key: AxisId(2),
            causal: true,
            begin: None,
            end: None,
        });
    }
    assert_eq!(
        refusal(&masked),
        "a contraction with a window that is no range of rows"
    );
    let mut only_map = kernel.clone();
    only_map.stages.remove(0);
    assert_eq!(refusal(&only_map), "0 contractions, not one or two");
    let mut twice = kernel;
    let stages = twice.stages.clone();
    twice.stages.extend(stages);
    assert_eq!(
        refusal(&twice),
        "contractions are followed by something other than maps"
    );
}

#[test]
fn the_text_has_one_step_of_four_products_and_every_parameter() {
    let kernel = build(&Case {
        sizes: [
            AxisSize::Runtime(1),
            AxisSize::Fixed(4096),
            AxisSize::Fixed(1024),
        ],
        ..forward(2048, 4096, 1024)
    });
    let schedule = schedule(&kernel, &Facts::of(&kernel)).unwrap();
    let count = |word: &str| schedule.text.matches(word).count();
    assert_eq!(count("wgmma.mma_async.sync.aligned.m64n256k16"), 4);
    assert_eq!(count("wgmma.commit_group"), 1);
    assert_eq!(count("cp.async.bulk.tensor.2d"), 2);
    let head = format!(
        "llvm.func @k{}(%p0: i64, %p1: i64, %p2: i64, %ext0: i64, %ext1: i64, %tiles: i64, %map0: ",
        kernel.hash()
    );
    assert_eq!(count(&head), 1);
    assert_eq!(schedule.tiles, [(AxisId(0), 128), (AxisId(1), 256)]);
    assert_eq!(schedule.launch.threads, 384);
    assert_eq!(schedule.launch.blocks_per_sm, Some(1));
}

/// Byte of an element of a 64-line operand where the producer puts it: a line is 128 bytes, and chunk
/// c of line l lies at chunk c ⊕ (l mod 8).
fn produced(major: Major, result: i64, folded: i64) -> i64 {
    let (line, within) = match major {
        Major::Folded => (result, folded),
        Major::Result => (64 * (result / 64) + folded, result % 64),
    };
    128 * line + 16 * ((within / 8) ^ (line % 8)) + 2 * (within % 8)
}

/// The same by the PTX ISA: the canonical layout of the major-ness with the descriptor's offsets,
/// then the swizzle of address bits 4–6 by bits 7–9.
fn described(major: Major, result: i64, folded: i64) -> i64 {
    let word = descriptor(major);
    assert_eq!(word >> 62, 1, "a swizzle of 128 bytes");
    assert_eq!(word & 0x3fff, 0, "the address is added later");
    let leading = (word >> 16 & 0x3fff) << 4;
    let stride = (word >> 32 & 0x3fff) << 4;
    // The start moves by 16 folded elements a product.
    let (product, folded) = (folded / 16, folded % 16);
    let byte = match major {
        Major::Folded => 32 * product + result % 8 * 128 + result / 8 * stride + 2 * folded,
        Major::Result => {
            2048 * product
                + result % 64 * 2
                + result / 64 * leading
                + folded % 8 * 128
                + folded / 8 * stride
        }
    };
    byte ^ ((byte >> 7 & 7) << 4)
}

#[test]
fn descriptors_find_every_element_where_the_producer_puts_it() {
    for major in [Major::Folded, Major::Result] {
        for result in 0..256 {
            for folded in 0..64 {
                assert_eq!(
                    produced(major, result, folded),
                    described(major, result, folded),
                    "{major:?} {result} {folded}"
                );
            }
        }
    }
}

#[test]
fn every_bf16_contraction_of_the_bench_models_is_scheduled() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/bench");
    let sets = ["train.precision=\"bf16\"", "train.residual=\"bf16\""].map(str::to_owned);
    for (name, least) in [("tiny.toml", 30), ("9m.toml", 30)] {
        let model = mm1_dsl::load(&models.join(name), &sets).unwrap();
        let planned = plan_model(&model, Purpose::All, false).unwrap();
        let mut seen = Vec::new();
        for program in &planned.programs {
            for call in &program.fused.calls {
                let kernel = &call.kernel;
                let first = &kernel.stages[0].kind;
                let contracts = matches!(first, StageKind::Contract { operands, .. }
                    if *operands == DType::Bf16);
                let maps = kernel.stages[1..]
                    .iter()
                    .all(|stage| matches!(stage.kind, StageKind::Map { .. }));
                if !contracts || !maps || seen.contains(&kernel.hash()) {
                    continue;
                }
                seen.push(kernel.hash());
                if let Err(refusal) = schedule(kernel, &Facts::of(kernel)) {
                    panic!("{}: {refusal}\n{kernel}", call.name);
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
