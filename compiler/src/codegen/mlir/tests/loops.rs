//! Loop programs → numbers, operation by operation, on every target that runs
//! here.

use super::*;
use crate::loops::{
    Compare, FloatBinary, FloatUnary, Function, IndexOp, IntBinary, Operation, ValueId,
    builder::Builder,
};
use mm1_package::DType;

/// Compiles, maps and runs one function over one tile.
fn execute(function: &Function, target: &CpuTarget, buffers: &mut [&mut [f32]], extents: &[i64]) {
    let text = emit_function(function, target).unwrap();
    let blob = compile_module(&text, target).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mapped = Mapped::new(&blob);
    run(mapped.kernel(&function.name), buffers, extents, &[], 1);
}

/// Runs `body` on registers of `lanes` loaded from each input, on each target;
/// what it gives must equal `expected` bit for bit.
fn check_lanes(
    inputs: &[&[f32]],
    body: impl Fn(&mut Builder, &[ValueId]) -> ValueId,
    expected: impl Fn(&[f32]) -> u32,
) {
    let count = inputs[0].len();
    for target in runnable() {
        for lanes in [1, 4, 16] {
            assert_eq!(count % lanes, 0);
            let mut b = Builder::default();
            let pointers: Vec<ValueId> = (0..=inputs.len() as u32)
                .map(|index| b.op(Operation::Argument(index)))
                .collect();
            let (zero, end) = (b.index(0), b.index(count as i64));
            b.for_each(zero, end, lanes as i64, |b, i| {
                let at: Vec<ValueId> = pointers.iter().map(|p| b.element(*p, i, 4)).collect();
                let registers: Vec<ValueId> = at[1..]
                    .iter()
                    .map(|p| b.load(*p, 0, DType::F32, lanes as u32))
                    .collect();
                let result = body(b, &registers);
                let dtype = match b.ty(result) {
                    crate::loops::Type::I32(_) => DType::I32,
                    _ => DType::F32,
                };
                b.store(at[0], 0, result, dtype);
            });
            let mut out = vec![0.0; count];
            let mut copies: Vec<Vec<f32>> = inputs.iter().map(|x| x.to_vec()).collect();
            let mut buffers: Vec<&mut [f32]> = vec![&mut out];
            buffers.extend(copies.iter_mut().map(Vec::as_mut_slice));
            execute(&b.finish("lanes"), &target, &mut buffers, &[]);
            for (i, got) in out.iter().enumerate() {
                let operands: Vec<f32> = inputs.iter().map(|x| x[i]).collect();
                let want = expected(&operands);
                assert_eq!(
                    got.to_bits(),
                    want,
                    "{operands:?} gives {got}, not {}, in {lanes} lanes on {target}",
                    f32::from_bits(want)
                );
            }
        }
    }
}

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;
const TINY: f32 = 1.0e-40;

const X: [f32; 16] = [
    0.0, -0.0, 1.5, -2.5, 0.5, 3.0, NAN, 1.0, INF, -INF, TINY, 2.5, -7.25, 3.0e9, -3.0e9, 1.0e20,
];
const Y: [f32; 16] = [
    -0.0, 0.0, -1.0, 4.0, 0.5, -3.0, 1.0, NAN, 2.0, INF, 1.0, -TINY, 0.1, 1.0e9, 2.5, -1.0e20,
];

/// Number, or any NaN as one.
fn bits(x: f32) -> u32 {
    if x.is_nan() {
        NAN.to_bits()
    } else {
        x.to_bits()
    }
}

/// Every NaN as the one that `bits` gives.
fn one_nan(b: &mut Builder, x: ValueId) -> ValueId {
    let lanes = b.lanes(x);
    let nan = b.float(NAN, lanes);
    let number = b.compare(Compare::Eq, x, x);
    b.select(number, x, nan)
}

#[test]
fn float_operations() {
    type Binary = (FloatBinary, fn(f32, f32) -> f32);
    let binaries: [Binary; 6] = [
        (FloatBinary::Add, |a, b| a + b),
        (FloatBinary::Sub, |a, b| a - b),
        (FloatBinary::Mul, |a, b| a * b),
        (FloatBinary::Div, |a, b| a / b),
        (FloatBinary::Min, |a, b| if a < b { a } else { b }),
        (FloatBinary::Max, |a, b| if a > b { a } else { b }),
    ];
    for (op, function) in binaries {
        check_lanes(
            &[&X, &Y],
            |b, v| {
                let result = b.binary(op, v[0], v[1]);
                one_nan(b, result)
            },
            |v| bits(function(v[0], v[1])),
        );
    }
    type Unary = (FloatUnary, fn(f32) -> f32);
    let unaries: [Unary; 4] = [
        (FloatUnary::Neg, |a| -a),
        (FloatUnary::Abs, f32::abs),
        (FloatUnary::Sqrt, f32::sqrt),
        (FloatUnary::Nearest, f32::round_ties_even),
    ];
    for (op, function) in unaries {
        check_lanes(
            &[&X],
            |b, v| {
                let result = b.unary(op, v[0]);
                one_nan(b, result)
            },
            |v| bits(function(v[0])),
        );
    }
    check_lanes(
        &[&X, &Y, &X],
        |b, v| {
            let result = b.fma(v[0], v[1], v[2]);
            one_nan(b, result)
        },
        |v| bits(v[0].mul_add(v[1], v[2])),
    );
}

#[test]
fn fma_rounds_once() {
    let x = [1.0 + f32::EPSILON; 16];
    let y = [1.0 - f32::EPSILON; 16];
    let z = [-1.0; 16];
    // In two roundings the answer is 0.
    check_lanes(
        &[&x, &y, &z],
        |b, v| b.fma(v[0], v[1], v[2]),
        |_| (-f32::EPSILON * f32::EPSILON).to_bits(),
    );
}

#[test]
fn integers_and_conversions() {
    check_lanes(
        &[&X],
        |b, v| b.op(Operation::FloatToInt(v[0])),
        |v| v[0] as i32 as u32,
    );
    check_lanes(
        &[&X],
        |b, v| {
            let x = b.op(Operation::Bitcast(v[0]));
            b.op(Operation::IntToFloat(x))
        },
        |v| (v[0].to_bits() as i32 as f32).to_bits(),
    );
    type Int = (IntBinary, fn(u32, u32) -> u32);
    let ints: [Int; 7] = [
        (IntBinary::Add, u32::wrapping_add),
        (IntBinary::Sub, u32::wrapping_sub),
        (IntBinary::And, |a, b| a & b),
        (IntBinary::Or, |a, b| a | b),
        (IntBinary::Xor, |a, b| a ^ b),
        (IntBinary::Shl, |a, b| a << (b & 31)),
        (IntBinary::ShrU, |a, b| a >> (b & 31)),
    ];
    for (op, function) in ints {
        check_lanes(
            &[&X, &Y],
            |b, v| {
                let x = b.op(Operation::Bitcast(v[0]));
                let mut y = b.op(Operation::Bitcast(v[1]));
                if matches!(op, IntBinary::Shl | IntBinary::ShrU) {
                    let mask = b.op(Operation::Int(31, b.lanes(y)));
                    y = b.int(IntBinary::And, y, mask);
                }
                b.int(op, x, y)
            },
            |v| function(v[0].to_bits(), v[1].to_bits()),
        );
    }
}

#[test]
fn comparisons_and_masks() {
    type Test = (Compare, fn(f32, f32) -> bool);
    let tests: [Test; 4] = [
        (Compare::Eq, |a, b| a == b),
        (Compare::Ne, |a, b| a != b),
        (Compare::Lt, |a, b| a < b),
        (Compare::Le, |a, b| a <= b),
    ];
    for (op, function) in tests {
        check_lanes(
            &[&X, &Y],
            |b, v| {
                let lanes = b.lanes(v[0]);
                let mask = b.compare(op, v[0], v[1]);
                let (one, two) = (b.float(1.0, lanes), b.float(2.0, lanes));
                let below = b.compare(Compare::Lt, one, two);
                let mask = b.op(Operation::MaskAnd(mask, below));
                b.select(mask, one, two)
            },
            |v| if function(v[0], v[1]) { 1.0f32 } else { 2.0 }.to_bits(),
        );
    }
    // One condition for all lanes, and a ramp.
    check_lanes(
        &[&X],
        |b, v| {
            let lanes = b.lanes(v[0]);
            let (five, six) = (b.index(5), b.index(6));
            let less = b.compare(Compare::Lt, six, five);
            let ramp = b.op(Operation::Ramp(five, lanes));
            let other = b.op(Operation::Int(-3, lanes));
            let chosen = b.select(less, other, ramp);
            b.int(IntBinary::Sub, chosen, ramp)
        },
        |_| 0,
    );
}

/// Rounds to bf16 as the `half` crate does.
fn rounded(x: f32) -> f32 {
    half::bf16::from_f32(x).to_f32()
}

#[test]
fn bf16_in_registers_and_memory() {
    let x = [
        1.0,
        -0.0,
        NAN,
        INF,
        f32::from_bits(0x3f80_8000), // tie to even, down
        f32::from_bits(0x3f81_8000), // tie to even, up
        f32::from_bits(0x3f80_8001),
        f32::MAX,
        TINY,
        -TINY,
        f32::from_bits(0x0000_8000),
        f32::from_bits(0x7f80_0001), // a NaN that truncation would turn into infinity
        0.1,
        -12345.678,
        f32::MIN_POSITIVE,
        2.0,
    ];
    check_lanes(
        &[&x],
        |b, v| b.op(Operation::RoundBf16(v[0])),
        |v| rounded(v[0]).to_bits(),
    );
    for target in runnable() {
        for lanes in [1, 4, 16] {
            // Through bf16 memory: store, load again, store as f32.
            let mut b = Builder::default();
            let pointers = [0, 1, 2].map(|index| b.op(Operation::Argument(index)));
            let (zero, end) = (b.index(0), b.index(16));
            b.for_each(zero, end, lanes, |b, i| {
                let [from, half, to] = [(0, 4), (1, 2), (2, 4)]
                    .map(|(p, size): (usize, i64)| b.element(pointers[p], i, size));
                let x = b.load(from, 0, DType::F32, lanes as u32);
                b.store(half, 2, x, DType::Bf16);
                let y = b.load(half, 2, DType::Bf16, lanes as u32);
                b.store(to, 0, y, DType::F32);
            });
            let (mut x, mut half, mut out) = (x, [0.0; 9], [0.0; 16]);
            let buffers: &mut [&mut [f32]] = &mut [&mut x, &mut half, &mut out];
            execute(&b.finish("memory"), &target, buffers, &[]);
            for (x, got) in x.iter().zip(out) {
                assert_eq!(got.to_bits(), rounded(*x).to_bits(), "{x} on {target}");
            }
        }
    }
}

#[test]
fn dot_pairs_follow_the_instruction_everywhere() {
    let flush = |x: f32| {
        if x.is_subnormal() {
            0.0f32.copysign(x)
        } else {
            x
        }
    };
    let pair =
        |even: f32, odd: f32| f32::from_bits(even.to_bits() >> 16 | odd.to_bits() & 0xffff_0000);
    let half = |x: f32| f32::from_bits(x.to_bits() & 0xffff_0000);
    let mut state = 1u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Exponents near 1: no sum is subnormal by rounding.
        half(f32::from_bits(
            state & 0x807f_ffff | (0x78 + (state >> 8 & 15)) << 23,
        ))
    };
    let mut a: Vec<f32> = (0..64).map(|_| pair(random(), random())).collect();
    let b: Vec<f32> = (0..64).map(|_| pair(random(), random())).collect();
    let mut acc: Vec<f32> = (0..64).map(|_| random() * 1.234_567).collect();
    let subnormal = f32::from_bits(0x0040_0000);
    a[3] = pair(subnormal, 1.0);
    a[5] = pair(1.0, -subnormal);
    acc[7] = TINY;
    a[7] = 0.0;
    // The sum of the odd products swallows what the even ones would have kept.
    acc[9] = 1.0;
    let big = half(1.0e8);
    a[9] = pair(-big, big);
    let mut b = b;
    b[9] = pair(1.0, 1.0);
    check_lanes_of(&[1, 4, 8, 16], &[&acc, &a, &b], |v| {
        let odd = |x: f32| flush(f32::from_bits(x.to_bits() & 0xffff_0000));
        let even = |x: f32| flush(f32::from_bits(x.to_bits() << 16));
        let first = flush(odd(v[1]).mul_add(odd(v[2]), flush(v[0])));
        flush(even(v[1]).mul_add(even(v[2]), first)).to_bits()
    });
}

/// `DotPairs` over whole arrays in each number of lanes.
fn check_lanes_of(lanes: &[u32], inputs: &[&[f32]; 3], expected: impl Fn(&[f32]) -> u32) {
    for target in runnable() {
        for &lanes in lanes {
            let mut b = Builder::default();
            let p = [0, 1, 2, 3].map(|index| b.op(Operation::Argument(index)));
            let (zero, end) = (b.index(0), b.index(inputs[0].len() as i64));
            b.for_each(zero, end, i64::from(lanes), |b, i| {
                let at = p.map(|p| b.element(p, i, 4));
                let acc = b.load(at[1], 0, DType::F32, lanes);
                let x = b.load(at[2], 0, DType::I32, lanes);
                let y = b.load(at[3], 0, DType::I32, lanes);
                let result = b.op(Operation::DotPairs(acc, x, y));
                b.store(at[0], 0, result, DType::F32);
            });
            let mut out = vec![0.0; inputs[0].len()];
            let mut copies = inputs.map(<[f32]>::to_vec);
            let [x, y, z] = &mut copies;
            execute(&b.finish("dot"), &target, &mut [&mut out, x, y, z], &[]);
            for (i, got) in out.iter().enumerate() {
                let want = expected(&inputs.map(|x| x[i]));
                let wanted = f32::from_bits(want);
                assert_eq!(
                    got.to_bits(),
                    want,
                    "{i}: {got}, not {wanted}: {lanes} on {target}"
                );
            }
        }
    }
}

/// Two steps of 16 words with rows further apart than they are long, against the definition.
#[test]
fn tiles_multiply_pairs_in_two_chains() {
    const ROWS: usize = 16;
    const WORDS: usize = 32;
    const GAP: usize = 5;
    let targets: Vec<CpuTarget> = runnable().filter(|target| target.tiles).collect();
    let mut state = 7u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from_bits(state & 0x807f_ffff | (0x7a + (state >> 8 & 7)) << 23)
    };
    let mut words = |rows: usize, words: usize| -> Vec<f32> {
        let pair = |even: f32, odd: f32| {
            f32::from_bits(even.to_bits() >> 16 | odd.to_bits() & 0xffff_0000)
        };
        (0..rows * (words + GAP))
            .map(|_| pair(random(), random()))
            .collect()
    };
    let (mut left, mut right) = (words(ROWS, WORDS), words(WORDS, ROWS));
    let start: Vec<f32> = (0..ROWS * (ROWS + GAP)).map(|_| random()).collect();
    let (left_row, right_row) = (WORDS + GAP, ROWS + GAP);
    // A subnormal counts as zero.
    left[3] = f32::from_bits(0x0040_3f80);
    right[4] = f32::from_bits(0x0001_0001);
    let halves = |x: f32| {
        let flush = |x: f32| if x.is_subnormal() { 0.0 } else { x };
        let bits = x.to_bits();
        [bits << 16, bits & 0xffff_0000].map(|half| flush(f32::from_bits(half)))
    };
    let mut want = start.clone();
    for (row, column) in (0..ROWS).flat_map(|row| (0..ROWS).map(move |column| (row, column))) {
        let sum = &mut want[row * right_row + column];
        for step in (0..WORDS).step_by(ROWS) {
            let mut chains = [0.0f32; 2];
            for word in step..step + ROWS {
                let a = halves(left[row * left_row + word]);
                let b = halves(right[word * right_row + column]);
                for (chain, (a, b)) in chains.iter_mut().zip(a.into_iter().zip(b)) {
                    *chain = a.mul_add(b, *chain);
                }
            }
            *sum += chains[0] + chains[1];
        }
    }
    for target in targets {
        let mut b = Builder::default();
        let [a, c, sums, zeros] = [0, 1, 2, 3].map(|index| b.op(Operation::Argument(index)));
        let row = 4 * right_row as i64;
        let load = |b: &mut Builder, ptr, row| {
            b.op(Operation::TileLoad {
                ptr,
                offset: 0,
                row,
            })
        };
        let acc = load(&mut b, sums, row);
        let (zero, end) = (b.index(0), b.index(WORDS as i64));
        let done = b.for_carried(zero, end, ROWS as i64, &[acc], |b, word, acc| {
            let left = b.element(a, word, 4);
            let right = b.element(c, word, row);
            let left = load(b, left, 4 * left_row as i64);
            let right = load(b, right, row);
            vec![b.op(Operation::TileDot(acc[0], left, right))]
        });
        b.store_tile(sums, 0, row, done[0]);
        let cleared = b.op(Operation::TileZero);
        b.store_tile(zeros, 0, 64, cleared);
        let mut got = start.clone();
        let mut ones = vec![1.0; ROWS * ROWS];
        let buffers: &mut [&mut [f32]] = &mut [&mut left, &mut right, &mut got, &mut ones];
        execute(&b.finish("tiles"), &target, buffers, &[]);
        assert!(ones.iter().all(|x| *x == 0.0), "TileZero on {target}");
        for (place, (got, want)) in got.iter().zip(&want).enumerate() {
            assert_eq!(got.to_bits(), want.to_bits(), "{place}: {got}, not {want}");
        }
    }
}

#[test]
fn tiles_belong_to_their_target() {
    let mut b = Builder::default();
    let to = b.op(Operation::Argument(0));
    let zero = b.op(Operation::TileZero);
    b.store_tile(to, 0, 64, zero);
    let function = b.finish("zero");
    for target in crate::target::CPU_TARGETS {
        let text = emit_function(&function, &target).unwrap();
        let outcome = compile_module(&text, &target);
        match target.tiles {
            true => assert!(outcome.is_ok(), "{target}"),
            false => assert!(
                matches!(outcome, Err(CodegenError::Unsupported(_))),
                "{target}"
            ),
        }
    }
    let error = crate::codegen::cranelift::compile_functions(&[function]).unwrap_err();
    assert!(error.contains("tiles"), "{error}");
}

#[test]
fn lanes_fold_in_halves_and_shuffle() {
    // Sums of different order differ here.
    let x: Vec<f32> = (0..16).map(|i| 1.0 / (1.0 + i as f32)).collect();
    for target in runnable() {
        for lanes in [1u32, 2, 4, 8, 16] {
            let mut b = Builder::default();
            let [from, to] = [0, 1].map(|index| b.op(Operation::Argument(index)));
            let x_register = b.load(from, 0, DType::F32, lanes);
            let sum = b.op(Operation::SumLanes(x_register));
            let max = b.op(Operation::MaxLanes(x_register));
            b.store(to, 0, sum, DType::F32);
            b.store(to, 4, max, DType::F32);
            let backwards: Vec<u32> = (0..2 * lanes).rev().step_by(2).collect();
            let spread = b.op(Operation::Splat(sum, lanes));
            let shuffled = b.op(Operation::Shuffle(x_register, spread, backwards));
            b.store(to, 8, shuffled, DType::F32);
            let (mut input, mut out) = (x.clone(), vec![0.0; 18]);
            execute(&b.finish("fold"), &target, &mut [&mut input, &mut out], &[]);
            let mut halves = x[..lanes as usize].to_vec();
            while halves.len() > 1 {
                let (low, high) = halves.split_at(halves.len() / 2);
                halves = low.iter().zip(high).map(|(a, b)| a + b).collect();
            }
            let mut expected = vec![halves[0], 1.0];
            let both: Vec<f32> = x[..lanes as usize]
                .iter()
                .copied()
                .chain(vec![halves[0]; lanes as usize])
                .collect();
            expected.extend(both.iter().rev().step_by(2));
            assert_eq!(out[..expected.len()], expected, "{lanes} on {target}");
        }
    }
}

#[test]
fn loops_conditions_and_indices() {
    for target in runnable() {
        // out[t] = Σ_{k<n, k≡t mod 3} k·t for t in 0..m, by index arithmetic and one i32 load.
        let mut b = Builder::default();
        let [table, out] = [0, 1].map(|index| b.op(Operation::Argument(index)));
        let n = b.op(Operation::Extent(1));
        let m = b.op(Operation::LoadIndex {
            ptr: table,
            offset: 4,
        });
        let (zero, three) = (b.index(0), b.index(3));
        b.for_each(zero, m, 1, |b, t| {
            let nothing = b.float(0.0, 1);
            let sums = b.for_carried(zero, n, 1, &[nothing, t], |b, k, carried| {
                let rest = b.index_op(IndexOp::Rem, k, three);
                let rest_t = b.index_op(IndexOp::Rem, t, three);
                let same = b.compare(Compare::Eq, rest, rest_t);
                let product = b.index_op(IndexOp::Mul, k, t);
                let ramp = b.op(Operation::Ramp(product, 1));
                let number = b.op(Operation::IntToFloat(ramp));
                let number = b.select(same, number, nothing);
                let sum = b.binary(FloatBinary::Add, carried[0], number);
                let seen = b.index_op(IndexOp::Max, carried[1], k);
                vec![sum, seen]
            });
            let place = b.element(out, t, 4);
            b.store(place, 0, sums[0], DType::F32);
            let last = b.index_op(IndexOp::Sub, m, three);
            let late = b.compare(Compare::Le, last, t);
            b.if_set(late, |b| {
                let seen = b.op(Operation::Ramp(sums[1], 1));
                b.store(place, 32, seen, DType::I32);
            });
        });
        let function = b.finish("nest");
        let mut table = [0.0, f32::from_bits(6)];
        let mut out = [-1.0f32; 14];
        execute(&function, &target, &mut [&mut table, &mut out], &[99, 11]);
        for t in 0..6 {
            let want: usize = (0..11).filter(|k| k % 3 == t % 3).map(|k| k * t).sum();
            assert_eq!(out[t], want as f32);
            let seen = if t >= 3 { f32::from_bits(10) } else { -1.0 };
            assert_eq!(out[t + 8].to_bits(), seen.to_bits());
        }
        // No extent, no work: loops run zero times.
        out = [-1.0; 14];
        execute(
            &function,
            &target,
            &mut [&mut [0.0, 0.0], &mut out],
            &[0, 0],
        );
        assert_eq!(out, [-1.0; 14]);
    }
}

#[test]
fn a_register_tile_product() {
    // 12 × 32 accumulators carried through k, as the matrix product does it.
    let (rows, columns, depth) = (12, 32, 37);
    for target in runnable() {
        let mut b = Builder::default();
        let [x, y, out] = [0, 1, 2].map(|index| b.op(Operation::Argument(index)));
        let (zero, end) = (b.index(0), b.op(Operation::Extent(0)));
        let nothing = b.float(0.0, 16);
        let sums = b.for_carried(zero, end, 1, &[nothing; 24], |b, k, sums| {
            let x = b.element(x, k, 4 * rows as i64);
            let y = b.element(y, k, 4 * columns as i64);
            let y = [0, 64].map(|offset| b.load(y, offset, DType::F32, 16));
            let mut next = Vec::new();
            for row in 0..rows {
                let x = b.load(x, 4 * row as i64, DType::F32, 1);
                let x = b.op(Operation::Splat(x, 16));
                for (half, y) in y.iter().enumerate() {
                    next.push(b.fma(x, *y, sums[2 * row + half]));
                }
            }
            next
        });
        for (index, sum) in sums.iter().enumerate() {
            b.store(out, 64 * index as i64, *sum, DType::F32);
        }
        let mut left: Vec<f32> = (0..rows * depth).map(|i| (i % 7) as f32 - 3.0).collect();
        let mut right: Vec<f32> = (0..columns * depth)
            .map(|i| (i % 11) as f32 - 5.0)
            .collect();
        let mut result = vec![0.0; rows * columns];
        let buffers: &mut [&mut [f32]] = &mut [&mut left, &mut right, &mut result];
        execute(&b.finish("tile"), &target, buffers, &[depth as i64]);
        for i in 0..rows {
            for j in 0..columns {
                let want: f32 = (0..depth)
                    .map(|k| left[k * rows + i] * right[k * columns + j])
                    .sum();
                assert_eq!(result[i * columns + j], want, "({i}, {j}) on {target}");
            }
        }
    }
}

#[test]
fn functions_share_a_blob() {
    for target in runnable() {
        let functions: Vec<Function> = (0..3)
            .map(|number| {
                let mut b = Builder::default();
                let out = b.op(Operation::Argument(0));
                let x = b.float(number as f32, 16);
                b.store(out, 64 * number, x, DType::F32);
                b.finish(format!("f{number}"))
            })
            .collect();
        let mapped = Mapped::new(&compile_functions(&functions, &target).unwrap());
        let mut out = [-1.0; 48];
        for name in ["f2", "f0", "f1"] {
            run(mapped.kernel(name), &mut [&mut out], &[], &[], 1);
        }
        for (i, x) in out.iter().enumerate() {
            assert_eq!(*x, (i / 16) as f32);
        }
        assert!(compile_functions(&[], &target).unwrap().bytes.is_empty());
    }
}
