//! Every operation and statement, on every code generator that can run here, against Rust.

use mm1_package::DType;

use super::mapped::Mapped;
use super::*;
use crate::loops::builder::Builder;
use crate::loops::{
    Compare, FloatBinary, FloatUnary, IndexOp, IntBinary, Operation, Type, ValueId,
};
use crate::target::CPU_TARGETS;

type Unary = (FloatUnary, fn(f32) -> f32);
type Binary = (FloatBinary, fn(f32, f32) -> f32);
type Int = (IntBinary, fn(u32, u32) -> u32);

const WIDTHS: [u32; 4] = [1, 4, 8, 16];

/// The generators whose code can run here.
fn generators() -> Vec<(Backend, CpuTarget)> {
    #[cfg_attr(
        not(feature = "mlir"),
        expect(unused_mut, reason = "one generator only")
    )]
    let mut all = vec![(Backend::Cranelift, CPU_TARGETS[3])];
    #[cfg(feature = "mlir")]
    all.extend(
        CPU_TARGETS
            .into_iter()
            .filter(CpuTarget::runs_here)
            .map(|target| (Backend::Mlir, target)),
    );
    all
}

/// Bit patterns that float operations tend to get wrong, then ordinary numbers.
fn floats(seed: u32) -> [f32; 16] {
    let special = [
        0.0,
        -0.0,
        1.5,
        -2.5,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1e-41,
        3.0e9,
        -7.0e9,
        0.5,
        8_388_609.0,
    ];
    std::array::from_fn(|lane| {
        let lane = lane as u32;
        match seed {
            0 => special.get(lane as usize).copied().unwrap_or(3.25),
            1 => special[(5 * lane as usize + 1) % special.len()],
            _ => ((lane * 7919 + seed * 104_729) % 1000) as f32 * 0.37 - 150.0,
        }
    })
}

fn ints(seed: u32) -> [i32; 16] {
    std::array::from_fn(|lane| {
        let bits = (lane as u32 + 1)
            .wrapping_mul(2_654_435_761)
            .wrapping_add(seed * 40_503);
        if seed == 9 {
            (bits % 32) as i32
        } else {
            bits as i32
        }
    })
}

/// Runs an operation on three registers (kinds by `dtypes`) and returns the bits of its result.
fn run(
    lanes: u32,
    inputs: [(&[u32; 16], DType); 3],
    operation: impl FnOnce(&mut Builder, [ValueId; 3]) -> ValueId,
) -> Vec<u32> {
    let mut b = Builder::default();
    let mut number = 0;
    let values = inputs.map(|(_, dtype)| {
        let ptr = b.op(Operation::Argument(number));
        number += 1;
        b.load(ptr, 0, dtype, lanes)
    });
    let mut result = operation(&mut b, values);
    if let Type::Mask(lanes) = b.ty(result) {
        let (one, zero) = (
            b.op(Operation::Int(1, lanes)),
            b.op(Operation::Int(0, lanes)),
        );
        result = b.select(result, one, zero);
    }
    let out = b.op(Operation::Argument(3));
    let dtype = match b.ty(result) {
        Type::I32(_) => DType::I32,
        _ => DType::F32,
    };
    let count = b.lanes(result) as usize;
    b.store(out, 0, result, dtype);
    let function = b.finish("op");
    let mut results: Vec<Vec<u32>> = Vec::new();
    for (backend, target) in generators() {
        let code =
            Mapped::new(&generate(std::slice::from_ref(&function), backend, &target).unwrap());
        let mut memory: Vec<Vec<u32>> = inputs.iter().map(|(bits, _)| bits.to_vec()).collect();
        memory.push(vec![0xdead_beef; 17]);
        let args: Vec<*mut u8> = memory.iter_mut().map(|m| m.as_mut_ptr().cast()).collect();
        code.call("op", &args, &[], 0..1, 0);
        assert_eq!(memory[3][count], 0xdead_beef, "wrote past the register");
        memory[3].truncate(count);
        results.push(memory[3].clone());
        let agree = |(a, b): (&u32, &u32)| {
            let nan = |bits: &u32| dtype == DType::F32 && f32::from_bits(*bits).is_nan();
            // Which NaN comes out of an operation is no one's promise.
            a == b || nan(a) && nan(b)
        };
        assert!(
            results[0].iter().zip(&memory[3]).all(agree),
            "{backend} for {target} gives {:x?}, not {:x?}, for {function:?}",
            memory[3],
            results[0]
        );
    }
    results.swap_remove(0)
}

fn bits(values: &[f32; 16]) -> [u32; 16] {
    values.map(f32::to_bits)
}

fn same(got: &[u32], want: impl Iterator<Item = f32>, what: &str) {
    for (lane, (got, want)) in got.iter().zip(want).enumerate() {
        let got = f32::from_bits(*got);
        assert!(
            got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(),
            "{what}, lane {lane}: {got:e} is not {want:e}"
        );
    }
}

#[test]
fn float_operations_agree_with_rust() {
    let unary: [Unary; 4] = [
        (FloatUnary::Neg, |x| -x),
        (FloatUnary::Abs, f32::abs),
        (FloatUnary::Sqrt, f32::sqrt),
        (FloatUnary::Nearest, f32::round_ties_even),
    ];
    let binary: [Binary; 6] = [
        (FloatBinary::Add, |a, b| a + b),
        (FloatBinary::Sub, |a, b| a - b),
        (FloatBinary::Mul, |a, b| a * b),
        (FloatBinary::Div, |a, b| a / b),
        (FloatBinary::Min, |a, b| if a < b { a } else { b }),
        (FloatBinary::Max, |a, b| if a > b { a } else { b }),
    ];
    for lanes in WIDTHS {
        for (x, y, z) in [(0, 1, 2), (1, 0, 3), (2, 3, 0), (4, 5, 6)] {
            let (x, y, z) = (floats(x), floats(y), floats(z));
            let (bx, by, bz) = (bits(&x), bits(&y), bits(&z));
            let inputs = [(&bx, DType::F32), (&by, DType::F32), (&bz, DType::F32)];
            let n = lanes as usize;
            for (op, want) in unary {
                let got = run(lanes, inputs, |b, [x, ..]| b.unary(op, x));
                same(&got, x[..n].iter().map(|x| want(*x)), &format!("{op:?}"));
            }
            for (op, want) in binary {
                let got = run(lanes, inputs, |b, [x, y, _]| b.binary(op, x, y));
                let want = (0..n).map(|i| want(x[i], y[i]));
                same(&got, want, &format!("{op:?} of {lanes}"));
            }
            let got = run(lanes, inputs, |b, [x, y, z]| b.fma(x, y, z));
            same(&got, (0..n).map(|i| x[i].mul_add(y[i], z[i])), "fma");
        }
    }
}

#[test]
fn integer_operations_and_conversions_agree_with_rust() {
    let binary: [Int; 7] = [
        (IntBinary::Add, u32::wrapping_add),
        (IntBinary::Sub, u32::wrapping_sub),
        (IntBinary::And, |a, b| a & b),
        (IntBinary::Or, |a, b| a | b),
        (IntBinary::Xor, |a, b| a ^ b),
        (IntBinary::Shl, |a, b| a << b),
        (IntBinary::ShrU, |a, b| a >> b),
    ];
    let (x, counts, f) = (ints(1), ints(9), floats(0));
    let (bx, bc, bf) = (x.map(|x| x as u32), counts.map(|x| x as u32), bits(&f));
    let inputs = [(&bx, DType::I32), (&bc, DType::I32), (&bf, DType::F32)];
    for lanes in WIDTHS {
        let n = lanes as usize;
        for (op, want) in binary {
            let got = run(lanes, inputs, |b, [x, y, _]| b.int(op, x, y));
            let want: Vec<u32> = (0..n).map(|i| want(bx[i], bc[i])).collect();
            assert_eq!(got, want, "{op:?}");
        }
        for op in [IntBinary::Shl, IntBinary::ShrU] {
            let got = run(lanes, inputs, |b, [x, ..]| {
                let count = b.op(Operation::Int(7, lanes));
                b.int(op, x, count)
            });
            let want = bx[..n].iter().map(|x| match op {
                IntBinary::Shl => x << 7,
                _ => x >> 7,
            });
            assert!(got.into_iter().eq(want), "{op:?} by a constant");
        }
        let got = run(lanes, inputs, |b, [_, _, f]| b.op(Operation::FloatToInt(f)));
        let want = f[..n].iter().map(|x| *x as i32 as u32);
        assert!(got.into_iter().eq(want), "float to int of {lanes}");
        let got = run(lanes, inputs, |b, [x, ..]| b.op(Operation::IntToFloat(x)));
        same(&got, x[..n].iter().map(|x| *x as f32), "int to float");
        let got = run(lanes, inputs, |b, [x, ..]| b.op(Operation::Bitcast(x)));
        assert_eq!(got, bx[..n]);
        let got = run(lanes, inputs, |b, _| {
            let base = b.index(41);
            b.op(Operation::Ramp(base, lanes))
        });
        assert_eq!(got, (41..41 + lanes).collect::<Vec<_>>());
    }
}

#[test]
fn comparisons_and_choices_agree_with_rust() {
    let (x, mut y, i, mut j) = (floats(0), floats(1), ints(1), ints(2));
    y[2] = x[2];
    j[3] = i[3];
    let (bx, by) = (bits(&x), bits(&y));
    let (bi, bj) = (i.map(|x| x as u32), j.map(|x| x as u32));
    for lanes in WIDTHS {
        let n = lanes as usize;
        for op in [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le] {
            let inputs = [(&bx, DType::F32), (&by, DType::F32), (&bi, DType::I32)];
            let got = run(lanes, inputs, |b, [x, y, _]| b.compare(op, x, y));
            let want = (0..n).map(|k| match op {
                Compare::Eq => x[k] == y[k],
                Compare::Ne => x[k] != y[k],
                Compare::Lt => x[k] < y[k],
                Compare::Le => x[k] <= y[k],
            });
            assert!(got.into_iter().eq(want.map(u32::from)), "{op:?} floats");
            let inputs = [(&bi, DType::I32), (&bj, DType::I32), (&bx, DType::F32)];
            let got = run(lanes, inputs, |b, [x, y, _]| b.compare(op, x, y));
            let want = (0..n).map(|k| match op {
                Compare::Eq => i[k] == j[k],
                Compare::Ne => i[k] != j[k],
                Compare::Lt => i[k] < j[k],
                Compare::Le => i[k] <= j[k],
            });
            assert!(got.into_iter().eq(want.map(u32::from)), "{op:?} ints");
        }
        let inputs = [(&bx, DType::F32), (&by, DType::F32), (&bi, DType::I32)];
        let got = run(lanes, inputs, |b, [x, y, i]| {
            let less = b.compare(Compare::Lt, x, y);
            let zero = b.op(Operation::Int(0, lanes));
            let positive = b.compare(Compare::Lt, zero, i);
            let both = b.op(Operation::MaskAnd(less, positive));
            b.select(both, y, x)
        });
        let want = (0..n).map(|k| if x[k] < y[k] && i[k] > 0 { y[k] } else { x[k] });
        same(&got, want, "select");
    }
}

#[test]
fn folds_add_halves_and_shuffles_pick_lanes() {
    let x: [f32; 16] = std::array::from_fn(|i| 1.0 / (i as f32 + 0.7));
    let (bx, by) = (bits(&x), bits(&floats(3)));
    let inputs = [(&bx, DType::F32), (&by, DType::F32), (&by, DType::F32)];
    for lanes in WIDTHS {
        let mut sum = x[..lanes as usize].to_vec();
        while sum.len() > 1 {
            let upper = sum.split_off(sum.len() / 2);
            sum = sum.iter().zip(&upper).map(|(a, b)| a + b).collect();
        }
        let got = run(lanes, inputs, |b, [x, ..]| b.op(Operation::SumLanes(x)));
        same(&got, sum.into_iter(), "sum");
        let got = run(lanes, inputs, |b, [_, y, _]| b.op(Operation::MaxLanes(y)));
        let max = floats(3)[..lanes as usize]
            .iter()
            .fold(f32::NEG_INFINITY, |a, b| a.max(*b));
        same(&got, std::iter::once(max), "max");
        let got = run(lanes, inputs, |b, _| {
            let scalar = b.float(2.5, 1);
            b.op(Operation::Splat(scalar, lanes))
        });
        same(&got, (0..lanes).map(|_| 2.5), "splat");
        if lanes == 1 {
            continue;
        }
        for factor in [1, 3, 5, 7] {
            let pattern: Vec<u32> = (0..lanes)
                .map(|i| (i * factor + factor) % (2 * lanes))
                .collect();
            let both: Vec<u32> = [&bx[..lanes as usize], &by[..lanes as usize]].concat();
            let want: Vec<u32> = pattern.iter().map(|lane| both[*lane as usize]).collect();
            let got = run(lanes, inputs, |b, [x, y, _]| {
                b.op(Operation::Shuffle(x, y, pattern))
            });
            assert_eq!(got, want, "shuffle of {lanes} by {factor}");
        }
    }
}

fn round_bf16(x: f32) -> u32 {
    u32::from(half::bf16::from_f32(x).to_bits())
}

#[test]
fn bf16_is_rounded_loaded_and_stored_as_half_does_it() {
    let mut x = floats(0);
    // Ties to even both ways, and a carry into the exponent.
    x[12] = f32::from_bits(0x3f80_8000);
    x[13] = f32::from_bits(0x3f81_8000);
    x[14] = f32::from_bits(0x3fff_ffff);
    let bx = bits(&x);
    let inputs = [(&bx, DType::F32), (&bx, DType::F32), (&bx, DType::F32)];
    for lanes in WIDTHS {
        let n = lanes as usize;
        let got = run(lanes, inputs, |b, [x, ..]| b.op(Operation::RoundBf16(x)));
        let want = x[..n].iter().map(|x| f32::from_bits(round_bf16(*x) << 16));
        same(&got, want, "round");
        let mut b = Builder::default();
        let (from, to) = (b.op(Operation::Argument(0)), b.op(Operation::Argument(1)));
        let value = b.load(from, 4, DType::Bf16, lanes);
        let twice = b.binary(FloatBinary::Add, value, value);
        b.store(to, 2, twice, DType::Bf16);
        let function = b.finish("bf16");
        for (backend, target) in generators() {
            let code =
                Mapped::new(&generate(std::slice::from_ref(&function), backend, &target).unwrap());
            let mut input: Vec<u16> = (0..18).map(|i| 0x3f81 + 37 * i).collect();
            let mut output = vec![0u16; 18];
            let args = [input.as_mut_ptr().cast(), output.as_mut_ptr().cast()];
            code.call("bf16", &args, &[], 0..1, 0);
            for lane in 0..18 {
                let source = f32::from_bits(u32::from(input[(lane + 1).min(17)]) << 16);
                let want = match lane {
                    1.. if lane <= n => round_bf16(2.0 * source),
                    _ => 0,
                };
                let got = u32::from(output[lane]);
                assert_eq!(got, want, "lane {lane} of {lanes}, {backend} for {target}");
            }
        }
    }
}

#[test]
fn pairs_are_multiplied_odd_first_without_subnormals() {
    let flush = |x: f32| {
        if x.is_subnormal() {
            0.0f32.copysign(x)
        } else {
            x
        }
    };
    let value = |bits: u32| flush(f32::from_bits(bits));
    let dot = |acc: f32, a: u32, b: u32| {
        let odd = flush(value(a & 0xffff_0000).mul_add(value(b & 0xffff_0000), flush(acc)));
        flush(value(a << 16).mul_add(value(b << 16), odd))
    };
    let mut acc = floats(2);
    acc[3] = 1e-39;
    let (mut a, mut b) = (ints(3).map(|x| x as u32), ints(4).map(|x| x as u32));
    // Ordinary magnitudes, so that order and rounding show; then a subnormal and a tiny product.
    for pair in a.iter_mut().chain(&mut b) {
        *pair = *pair & 0x807f_807f | 0x3f80_4000;
    }
    a[3] = 0x0001_0001;
    a[5] = 0x0100_0100;
    b[5] = 0x3000_0000;
    acc[5] = 0.0;
    let bacc = bits(&acc);
    let inputs = [(&bacc, DType::F32), (&a, DType::I32), (&b, DType::I32)];
    for lanes in WIDTHS {
        let got = run(lanes, inputs, |builder, [acc, a, b]| {
            builder.op(Operation::DotPairs(acc, a, b))
        });
        let want = (0..lanes as usize).map(|i| dot(acc[i], a[i], b[i]));
        same(&got, want, "dot");
    }
}

#[test]
fn loops_carry_values_and_conditions_hold() {
    // out[i] = Σ_{j < i} (j mod 3), for the odd i of tile_begin..tile_end; extent 0 scales.
    let mut b = Builder::default();
    let out = b.op(Operation::Argument(0));
    let scale = b.op(Operation::Extent(0));
    let (begin, end) = (b.op(Operation::TileBegin), b.op(Operation::TileEnd));
    let (zero, two, three) = (b.index(0), b.index(2), b.index(3));
    let one = b.index(1);
    b.for_each(begin, end, 1, |b, i| {
        let odd = b.index_op(IndexOp::Rem, i, two);
        let is_odd = b.compare(Compare::Eq, odd, one);
        b.if_set(is_odd, |b| {
            let sum = b.for_carried(zero, i, 1, &[zero], |b, j, sum| {
                let rest = b.index_op(IndexOp::Rem, j, three);
                vec![b.add(sum[0], rest)]
            });
            let scaled = b.index_op(IndexOp::Mul, sum[0], scale);
            let largest = b.index(50);
            let scaled = b.index_op(IndexOp::Min, scaled, largest);
            let value = b.op(Operation::Ramp(scaled, 1));
            let to = b.element(out, i, 4);
            b.store(to, 0, value, DType::I32);
        });
    });
    let function = b.finish("sums");
    for (backend, target) in generators() {
        let code =
            Mapped::new(&generate(std::slice::from_ref(&function), backend, &target).unwrap());
        let mut memory = vec![-1i32; 20];
        let args = [memory.as_mut_ptr().cast()];
        code.call("sums", &args, &[3], 4..17, 0);
        for (i, got) in memory.iter().enumerate() {
            let want = match i {
                4..17 if i % 2 == 1 => (3 * (0..i).map(|j| j as i32 % 3).sum::<i32>()).min(50),
                _ => -1,
            };
            assert_eq!(*got, want, "element {i}, {backend} for {target}");
        }
    }
}

#[test]
fn functions_share_a_blob_and_bad_ones_are_refused() {
    let constant = |name: &str, value: f32| {
        let mut b = Builder::default();
        let out = b.op(Operation::Argument(0));
        let value = b.float(value, 8);
        b.store(out, 0, value, DType::F32);
        b.finish(name)
    };
    for (backend, target) in generators() {
        let blob = generate(
            &[constant("one", 1.0), constant("two", 2.0)],
            backend,
            &target,
        )
        .unwrap();
        assert_eq!(
            blob,
            generate(
                &[constant("one", 1.0), constant("two", 2.0)],
                backend,
                &target
            )
            .unwrap(),
            "the same functions give the same bytes"
        );
        let code = Mapped::new(&blob);
        for (name, want) in [("one", 1.0), ("two", 2.0)] {
            let mut memory = [0.0f32; 8];
            code.call(name, &[memory.as_mut_ptr().cast()], &[], 0..1, 0);
            assert_eq!(memory, [want; 8]);
        }

        let mut b = Builder::default();
        let x = b.float(1.0, 6);
        let out = b.op(Operation::Argument(0));
        b.store(out, 0, x, DType::F32);
        // LLVM splits any vector; Cranelift has those of four lanes.
        if backend == Backend::Cranelift {
            let error = generate(&[b.finish("six")], backend, &target).unwrap_err();
            assert!(
                error.contains("`six`") && error.contains("6 lanes"),
                "{error}"
            );
        }

        let mut b = Builder::default();
        let (one, four) = (b.float(1.0, 1), b.float(1.0, 4));
        b.binary(FloatBinary::Add, one, four);
        b.binary(FloatBinary::Add, four, one);
        assert!(generate(&[b.finish("mixed")], backend, &target).is_err());

        let mut broken = constant("early", 1.0);
        broken.body.reverse();
        let error = generate(&[broken], backend, &target).unwrap_err();
        let said = ["before its definition", "undeclared SSA value"];
        assert!(
            error.contains("`early`") && said.iter().any(|said| error.contains(said)),
            "{error}"
        );
    }
}
