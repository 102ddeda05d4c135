//! Products whose folded axis is split: two kernels with a buffer of partial sums between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use mm1_compiler::codegen::nvgpu::gemm::{Facts, schedule, split};
use mm1_compiler::compile::compile_graph;
use mm1_compiler::graph::text::parse;
use mm1_compiler::graph::{Binary, Unary};
use mm1_compiler::interpret::{Tensor, interpret};
use mm1_compiler::kernel::evaluate::evaluate;
use mm1_compiler::kernel::{AxisId, AxisSize, Coordinate, Expr};
use mm1_package::DType;
use mm1_runtime::executor::Executor;
use mm1_tests::emulator::Emulator;
use mm1_tests::programs::card;

use super::build::{Building, address, difference, numbers};
use super::hand::product;
use super::run::{Compiled, Way, two_orders};

/// One of the two kernels: where its parts are, and its arguments as numbers of the whole's.
#[derive(Clone, Copy)]
enum Half {
    Partial,
    Total,
}

/// What a half reads: the given buffers and the partial sums.
fn given(split: &split::Split, half: Half, buffers: &[Vec<u8>], parts: &[u8]) -> Vec<Vec<u8>> {
    let numbers = match half {
        Half::Partial => &split.partial_args,
        Half::Total => &split.total_args,
    };
    let mut given: Vec<Vec<u8>> = numbers.iter().map(|at| buffers[*at].clone()).collect();
    match half {
        Half::Partial => given.push(parts.to_vec()),
        Half::Total => given.insert(0, parts.to_vec()),
    }
    given
}

/// NaN in all places.
fn unwritten(split: &split::Split) -> Vec<u8> {
    vec![0xff; 4 * split.elements as usize]
}

/// Results of the second kernel in the places of the whole's.
fn placed(split: &split::Split, buffers: &[Vec<u8>], found: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut all = buffers.to_vec();
    for (number, result) in split.total_args.iter().zip(found.into_iter().skip(1)) {
        all[*number] = result;
    }
    all
}

/// Both kernels by what they mean.
fn by_meaning(split: &split::Split, buffers: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut first = given(split, Half::Partial, buffers, &unwritten(split));
    evaluate(&split.partial, &mut first, &[]).unwrap();
    let parts = first.pop().unwrap();
    let mut second = given(split, Half::Total, buffers, &parts);
    evaluate(&split.total, &mut second, &[]).unwrap();
    placed(split, buffers, second)
}

/// Both by PTX, each on several grids and orders of warps, which all must give the same bytes.
fn by_ptx(split: &split::Split, buffers: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, String> {
    let facts = Facts::of(&split.partial);
    let first = Compiled::of(&split.partial, schedule(&split.partial, &facts)?);
    let second = Compiled::by_teams(&split.total);
    let same = |compiled: &Compiled, given: &[Vec<u8>], ways: &[Way]| {
        let mut results = ways.iter().map(|way| Ok(compiled.run(given, &[], way)?.0));
        let first: Vec<Vec<u8>> = results.next().ok_or("no way to run")??;
        match results.all(|other: Result<_, String>| other.as_ref() == Ok(&first)) {
            true => Ok(first),
            false => Err("other bytes".to_owned()),
        }
    };
    let ways = [(None, 0), (Some(1), 7), (Some(3), 2)].map(|(blocks, order)| Way {
        blocks,
        order,
        only: None,
    });
    let given_first = given(split, Half::Partial, buffers, &unwritten(split));
    let mut found = same(&first, &given_first, &ways)?;
    let parts = found.pop().ok_or("no parts")?;
    let found = same(
        &second,
        &given(split, Half::Total, buffers, &parts),
        &two_orders(),
    )?;
    Ok(placed(split, buffers, found))
}

/// The largest difference from the whole kernel, in units of what is allowed.
fn off(it: &Building, found: &[Vec<u8>]) -> f64 {
    let mut want = it.buffers();
    evaluate(&it.kernel, &mut want, &[]).unwrap();
    let pairs = found.iter().zip(&want).zip(&it.kernel.buffers);
    pairs
        .map(|((found, want), buffer)| difference(buffer.dtype, found, want).0)
        .fold(0.0, f64::max)
}

fn plain([m, n, k]: [u64; 3], a: [i64; 2], b: [i64; 2]) -> Building {
    product([m, n, k], (DType::Bf16, a), (DType::Bf16, b))
}

/// Bias, activation and two results beside a batch.
fn with_epilogue(k: u64) -> Building {
    let [batch, m, n] = [2u64, 40, 72];
    let [ni, ki] = [n as i64, k as i64];
    let mut it = Building::new("epilogue");
    let axes = [batch, m, n].map(|size| it.axis(size, true));
    let [b, rows, columns] = axes;
    let folded = it.axis(k, false);
    let terms = [(b, m as i64 * ki), (rows, ki), (folded, 1)];
    let lhs = it.load(DType::Bf16, (batch * m * k) as usize, &terms);
    let terms = [(columns, 1), (folded, ni)];
    let rhs = it.load(DType::Bf16, (n * k) as usize, &terms);
    let (_, tile) = it.contract(&[b, rows, folded, columns], &[folded], lhs, rhs);
    let bias = it.load(DType::F32, n as usize, &[(columns, 1)]);
    let sum = it.kernel.expr(Expr::Binary(Binary::Add, tile, bias));
    let gelu = it.kernel.expr(Expr::Unary(Unary::Gelu, sum));
    let elements = (batch * m * n) as usize;
    let place = address(&[(b, m as i64 * ni), (rows, ni), (columns, 1)]);
    let first = it.buffer(DType::F32, elements, true);
    let second = it.buffer(DType::Bf16, elements, true);
    it.store(
        &axes,
        vec![(first, place.clone(), sum), (second, place, gelu)],
    );
    it
}

/// (kernel, parts, elements of a part, whether all are as long).
fn cases() -> Vec<(Building, u64, u64, bool)> {
    vec![
        // Every order of operands, ragged edges of the result.
        (plain([40, 72, 384], [1, 40], [1, 72]), 3, 128, true),
        (plain([40, 72, 384], [384, 1], [384, 1]), 6, 64, true),
        (plain([136, 40, 384], [1, 136], [384, 1]), 2, 192, true),
        // A short last part: of copies along either axis, by a whole step and by odd rows.
        (plain([40, 72, 328], [328, 1], [1, 72]), 3, 128, false),
        (plain([72, 40, 333], [1, 72], [1, 40]), 2, 192, false),
        (plain([8, 64, 129], [1, 8], [1, 64]), 3, 64, false),
        // Elements that no bulk copy reads: odd lines, odd results.
        (plain([37, 23, 199], [199, 1], [199, 1]), 2, 128, false),
        (plain([1, 1, 257], [257, 1], [257, 1]), 5, 64, false),
        (with_epilogue(384), 3, 128, true),
        (with_epilogue(200), 2, 128, false),
    ]
}

#[test]
fn parts_add_up_to_the_whole() {
    for (it, parts, length, even) in cases() {
        let split = split::into(&it.kernel, parts).unwrap();
        assert_eq!((split.parts, split.even), (parts, even));
        let what = format!("{parts} parts of {length}\n{}", it.kernel);
        let facts = Facts::of(&split.partial);
        let summary = schedule(&split.partial, &facts).unwrap().summary;
        let stated = format!(", {parts} parts of {length},");
        assert!(summary.contains(&stated), "{summary}: {what}");
        let buffers = it.buffers();
        assert!(off(&it, &by_meaning(&split, &buffers)) <= 1.0, "{what}");
        let found = by_ptx(&split, &buffers).unwrap_or_else(|fault| panic!("{fault}: {what}"));
        assert!(off(&it, &found) <= 1.0, "{what}");
    }
}

#[test]
fn parts_are_read_by_bulk_copies_also_where_the_last_is_short() {
    for k in [384, 333] {
        let it = plain([72, 40, k], [1, 72], [1, 40]);
        let split = split::into(&it.kernel, 2).unwrap();
        let schedule = schedule(&split.partial, &Facts::of(&split.partial)).unwrap();
        assert_eq!(schedule.launch.tensor_maps.len(), 2, "{}", schedule.summary);
    }
}

#[test]
fn no_part_is_empty_and_none_is_shorter_than_a_step_but_the_last() {
    let it = plain([40, 72, 384], [384, 1], [384, 1]);
    for parts in [0, 1, 4, 5, 7, 12] {
        assert!(split::into(&it.kernel, parts).is_none(), "{parts}");
    }
    for parts in [2, 3, 6] {
        assert!(split::into(&it.kernel, parts).is_some(), "{parts}");
    }
}

#[test]
fn planted_mistakes_are_noticed() {
    let it = plain([72, 40, 333], [1, 72], [1, 40]);
    let buffers = it.buffers();
    let right = split::into(&it.kernel, 3).unwrap();
    assert!(off(&it, &by_ptx(&right, &buffers).unwrap()) <= 1.0);
    let part = AxisId(it.kernel.axes.len() as u32);
    let parts = |kernel: &mut mm1_compiler::kernel::Kernel, count: u64| {
        let axis = &mut kernel.axes[part.0 as usize];
        assert_eq!(axis.size, AxisSize::Fixed(3));
        axis.size = AxisSize::Fixed(count);
    };
    let noticed = |what: &str, wrong: &split::Split| {
        let found = by_ptx(wrong, &buffers);
        let noticed = found.as_ref().map_or(true, |found| off(&it, found) > 1.0);
        assert!(noticed, "{what}");
    };
    let mut wrong = right.clone();
    parts(&mut wrong.total, 2);
    noticed("the last part is not added", &wrong);
    let mut wrong = right.clone();
    parts(&mut wrong.total, 4);
    noticed("one part more than there is is added", &wrong);
    let mut wrong = right.clone();
    parts(&mut wrong.partial, 2);
    noticed("the last part is not made", &wrong);
    let mut wrong = right.clone();
    parts(&mut wrong.partial, 4);
    noticed("one part more than there is room for is made", &wrong);
    // A part that starts elsewhere, in one operand, for copies and guards alike.
    let mut wrong = right.clone();
    for expr in &mut wrong.partial.exprs {
        if let Expr::Load {
            address, guards, ..
        } = expr
        {
            let mut terms = address.terms.iter_mut();
            let term = terms.find(|(at, _)| *at == Coordinate::Axis(part));
            term.unwrap().1 /= 2;
            guards[0].terms[1].1 /= 2;
            break;
        }
    }
    noticed("the parts of one operand overlap", &wrong);
    let mut wrong = right.clone();
    for expr in &mut wrong.partial.exprs {
        if let Expr::Load { guards, .. } = expr {
            guards[0].bound -= 1;
        }
    }
    noticed("the last element is left out", &wrong);
    // Blocks of the last part that never run leave what was there.
    let facts = Facts::of(&right.partial);
    let compiled = Compiled::of(&right.partial, schedule(&right.partial, &facts).unwrap());
    let tiles: u64 = compiled.counts(&[]).iter().product();
    let way = Way {
        only: Some((0..tiles as u32 - 1).collect()),
        ..Way::default()
    };
    let given_first = given(&right, Half::Partial, &buffers, &unwritten(&right));
    let (mut found, _) = compiled.run(&given_first, &[], &way).unwrap();
    let sums = found.pop().unwrap();
    let second = Compiled::by_teams(&right.total);
    let given_second = given(&right, Half::Total, &buffers, &sums);
    let (found, _) = second.run(&given_second, &[], &Way::default()).unwrap();
    assert!(off(&it, &placed(&right, &buffers, found)) > 1.0);
}

#[test]
fn work_for_all_is_not_split_and_little_of_it_is() {
    let parts = |m: u64, n: u64, k: u64| {
        let it = plain([m, n, k], [1, m as i64], [1, n as i64]);
        split::best(&it.kernel).map(|split| split.parts)
    };
    assert_eq!(parts(4096, 4096, 4096), None);
    assert_eq!(parts(2048, 8192, 1024), None);
    assert_eq!(parts(64, 64, 64), None);
    for k in [16384, 16383] {
        let few = parts(256, 256, k).unwrap();
        assert!((4..=32).contains(&few), "{few} parts");
    }
    // Sums must not depend on the bound of a run-time size.
    let mut it = plain([256, 256, 16384], [1, 256], [1, 256]);
    it.kernel.axes[2].size = AxisSize::Runtime(0);
    assert!(split::best(&it.kernel).is_none());
}

/// dy·x by the program of a package, for which the plan counts the parts.
fn gradient(k: usize) {
    let [m, n] = [64usize, 32];
    let text = format!(
        "\
%dy: bf16[{k}, {m}] = input()
%x: bf16[{k}, {n}] = input()
%before: f32[{m}, {n}] = state() {{region=\"state\"}}
%w.product: f32[{m}, {n}] = matmul(%dy, %x) {{transpose_a}}
%w.sum: f32[{m}, {n}] = add(%before, %w.product)
update %before = %w.sum
"
    );
    let graph = parse(&text).unwrap();
    let whole = compile_graph(graph.clone(), &card("sm_80")).unwrap();
    assert_eq!(whole.programs[0].launches.len(), 1);
    assert_eq!(whole.programs[0].arena_bytes, 0);
    let package = compile_graph(graph.clone(), &card("sm_90a")).unwrap();
    assert_eq!(
        package,
        compile_graph(graph.clone(), &card("sm_90a")).unwrap()
    );
    let [first, second] = &package.programs[0].launches[..] else {
        panic!("{} launches", package.programs[0].launches.len());
    };
    let of_part = (4 * m * n) as u64;
    let arena = package.programs[0].arena_bytes;
    assert!(
        arena >= 2 * of_part && arena.is_multiple_of(of_part),
        "{arena}"
    );
    assert_eq!(package.programs[0].largest_live_bytes, arena);
    assert_eq!(first.args.last(), second.args.first());
    assert_eq!(first.flops, whole.programs[0].launches[0].flops);
    let device = Box::new(Emulator::new(mm1_ptx::Options::default()));
    let mut executor = Executor::with_device(Arc::new(package), device).unwrap();
    let mut inputs = BTreeMap::new();
    for (name, rows, columns, seed) in [("dy", k, m, 1), ("x", k, n, 2)] {
        let values: Vec<half::bf16> = numbers(rows * columns, seed)
            .into_iter()
            .map(half::bf16::from_f32)
            .collect();
        executor.write(name, &values).unwrap();
        let data = values.iter().map(|x| x.to_f64()).collect();
        let dims = vec![rows as u64, columns as u64];
        inputs.insert(name.to_owned(), Tensor { dims, data });
    }
    let before = numbers(m * n, 3);
    executor.write("before", &before).unwrap();
    let data = before.into_iter().map(f64::from).collect();
    let dims = vec![m as u64, n as u64];
    inputs.insert("before".to_owned(), Tensor { dims, data });
    executor.run("run").unwrap();
    let value = graph.outputs[0].value;
    let want = interpret(&graph, &BTreeMap::new(), &inputs, &[value]).unwrap();
    let got = executor.read_f32("before").unwrap();
    for (got, want) in got.iter().zip(&want[&value].data) {
        assert!((f64::from(*got) - want).abs() < 1e-3, "{got}, not {want}");
    }
}

#[test]
fn a_package_states_the_memory_of_parts_and_its_results_are_right() {
    gradient(4096);
    gradient(4001);
}
