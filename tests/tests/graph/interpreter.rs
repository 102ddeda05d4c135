//! The interpreter's edges: run-time sizes, missing rows, empty key ranges, rounding, errors.

use std::collections::BTreeMap;

use mm1_compiler::graph::Value;
use mm1_compiler::graph::text::parse;
use mm1_compiler::graph::verify::verify;
use mm1_compiler::interpret::{Tensor, interpret, interpret_rounded, round_bf16};

/// Evaluates the outputs of a text; inputs are (name, sizes, elements).
fn run(
    text: &str,
    extents: &[(&str, u64)],
    inputs: &[(&str, &[u64], &[f64])],
    round: bool,
) -> Result<BTreeMap<String, Tensor>, String> {
    let graph = parse(text).unwrap_or_else(|error| panic!("{error}"));
    verify(&graph).unwrap_or_else(|violations| panic!("{violations:#?}"));
    let extents = extents
        .iter()
        .map(|(n, size)| ((*n).to_owned(), *size))
        .collect();
    let inputs = inputs
        .iter()
        .map(|(name, dims, data)| {
            let tensor = Tensor::new(dims.to_vec(), data.to_vec()).unwrap();
            ((*name).to_owned(), tensor)
        })
        .collect();
    let wanted: Vec<Value> = graph.outputs.iter().map(|output| output.value).collect();
    let evaluate = if round { interpret_rounded } else { interpret };
    let results = evaluate(&graph, &extents, &inputs, &wanted)?;
    let named = graph.outputs.iter();
    Ok(named
        .map(|output| (output.name.clone(), results[&output.value].clone()))
        .collect())
}

const ROWS: &str = "\
extent n <= 6
extent head <= 4 = n - 0
extent tail <= 4 = n - 4
%x: f32[n, 2] = input()
%head: f32[head, 2] = slice(%x) {axis=0, start=0}
%tail: f32[tail, 2] = slice(%x) {axis=0, start=4}
%sum: f32[2] = reduce_sum(%x) {axes=[0]}
%largest: f32[2] = reduce_max(%x) {axes=[0]}
%gram: f32[2, 2] = matmul(%x, %x) {transpose_a}
%flat: f32[n*2] = reshape(%x)
output head = %head
output tail = %tail
output sum = %sum
output largest = %largest
output gram = %gram
output flat = %flat
";

#[test]
fn run_time_sizes_cut_tensors_and_0_is_legal() {
    let x: Vec<f64> = (0..10).map(f64::from).collect();
    let results = run(ROWS, &[("n", 5)], &[("x", &[5, 2], &x)], false).unwrap();
    assert_eq!(results["head"].dims, [4, 2]);
    assert_eq!(
        results["tail"],
        Tensor::new([1, 2], vec![8.0, 9.0]).unwrap()
    );
    assert_eq!(results["sum"].data, [20.0, 25.0]);
    assert_eq!(results["gram"].data, [120.0, 140.0, 140.0, 165.0]);
    assert_eq!(results["flat"].dims, [10]);

    let results = run(ROWS, &[("n", 0)], &[("x", &[0, 2], &[])], false).unwrap();
    assert_eq!(results["tail"].dims, [0, 2]);
    assert_eq!(results["sum"].data, [0.0; 2]);
    assert_eq!(results["largest"].data, [f64::NEG_INFINITY; 2]);
    assert_eq!(results["gram"].data, [0.0; 4]);
}

#[test]
fn minus_one_gives_zeros_and_is_dropped() {
    let text = "\
%table: f32[3, 2] = input()
%i: i32[4] = input()
%cache: f32[2, 3, 2] = input()
%new: f32[2, 2, 2] = input()
%at: i32[2, 2] = input()
%rows: f32[4, 2] = gather_rows(%table, %i)
%sums: f32[3, 2] = scatter_add_rows(%rows, %i)
%cache.new: f32[2, 3, 2] = update_rows(%cache, %new, %at)
output rows = %rows
output sums = %sums
output cache = %cache.new
";
    let inputs: [(&str, &[u64], &[f64]); 5] = [
        ("table", &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        ("i", &[4], &[2.0, -1.0, 2.0, 0.0]),
        ("cache", &[2, 3, 2], &[0.0; 12]),
        ("new", &[2, 2, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]),
        ("at", &[2, 2], &[2.0, 0.0, -1.0, 1.0]),
    ];
    let results = run(text, &[], &inputs, false).unwrap();
    assert_eq!(
        results["rows"].data,
        [5.0, 6.0, 0.0, 0.0, 5.0, 6.0, 1.0, 2.0]
    );
    assert_eq!(results["sums"].data, [1.0, 2.0, 0.0, 0.0, 10.0, 12.0]);
    let cache = [3.0, 4.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 7.0, 8.0, 0.0, 0.0];
    assert_eq!(results["cache"].data, cache);
}

/// Query 0 sees nothing; an end beyond the keys and a negative begin are cut.
#[test]
fn an_empty_key_range_gives_zeros_and_no_gradient() {
    let text = "\
%q: f32[1, 3, 1, 2] = input()
%k: f32[1, 2, 1, 2] = input()
%begin: i32[1, 3] = input()
%end: i32[1, 3] = input()
%a: f32[1, 3, 1, 2], f32[1, 1, 3] = attention(%q, %k, %k, %begin, %end) {scale=1, begin, end}
%d: f32[1, 3, 1, 2], f32[1, 2, 1, 2], f32[1, 2, 1, 2] = attention_grad(%q, %q, %k, %k, %a, %a#1, %begin, %end) {scale=1, begin, end}
output out = %a
output lse = %a#1
output dq = %d
";
    let q = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
    let inputs: [(&str, &[u64], &[f64]); 4] = [
        ("q", &[1, 3, 1, 2], &q),
        ("k", &[1, 2, 1, 2], &[2.0, 3.0, 2.0, 5.0]),
        ("begin", &[1, 3], &[1.0, -7.0, 1.0]),
        ("end", &[1, 3], &[1.0, 9.0, 2.0]),
    ];
    let results = run(text, &[], &inputs, false).unwrap();
    let wanted = [0.0, 0.0, 2.0, 4.0, 2.0, 5.0];
    let pairs = results["out"].data.iter().zip(wanted);
    assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-14));
    let lse = &results["lse"].data;
    assert_eq!(lse[0], f64::NEG_INFINITY);
    assert!((lse[1] - (2.0 + 2f64.ln())).abs() < 1e-15 && lse[2] == 5.0);
    assert_eq!(results["dq"].data[..2], [0.0, 0.0]);
    assert!(results["dq"].data.iter().all(|x| x.is_finite()));
}

#[test]
fn only_bf16_values_are_rounded_and_only_on_request() {
    // 257 lies between 256 and 258: a tie, and 256's last bit is even.
    for (x, rounded) in [
        (257.0, 256.0),
        (259.0, 260.0),
        (257.01, 258.0),
        (-0.1, -0.100_097_656_25),
    ] {
        assert_eq!(round_bf16(x), rounded);
    }
    assert_eq!(round_bf16(f64::INFINITY), f64::INFINITY);
    let text = "\
%x: f32[2] = input()
%h: bf16[2] = cast(%x)
%y: bf16[2] = add(%h, %h)
%z: f32[2] = cast(%y)
%w: f32[2] = add(%x, %z)
output h = %h
output w = %w
";
    let inputs: [(&str, &[u64], &[f64]); 1] = [("x", &[2], &[257.0, 0.1])];
    let exact = run(text, &[], &inputs, false).unwrap();
    assert_eq!(exact["h"].data, [257.0, 0.1]);
    let rounded = run(text, &[], &inputs, true).unwrap();
    assert_eq!(rounded["h"].data[0], 256.0);
    assert_eq!(rounded["w"].data[0], 257.0 + 512.0);
    assert_eq!(rounded["w"].data[1], 0.1 + 2.0 * rounded["h"].data[1]);
}

#[test]
fn bad_input_is_refused_by_name() {
    let text = "\
extent n <= 4
%x: f32[n, 2] = input()
%i: i32[2] = input()
%y: f32[2, 2] = gather_rows(%x, %i)
output y = %y
";
    let x: (&str, &[u64], &[f64]) = ("x", &[3, 2], &[0.0; 6]);
    let cases: [(&[(&str, u64)], Vec<(&str, &[u64], &[f64])>, &str); 6] = [
        (&[], vec![x], "run-time size `n` is not given, `x` needs it"),
        (
            &[("n", 5)],
            vec![x],
            "run-time size `n` exceeds its bound 4",
        ),
        (&[("n", 3)], vec![x], "`i`: the input is not given"),
        (
            &[("n", 2)],
            vec![x],
            "`x`: the given sizes [3, 2] (6 elements) are not [2, 2]",
        ),
        (
            &[("n", 3)],
            vec![x, ("i", &[2], &[0.0, 3.0])],
            "`y`: index 3 is not below 3",
        ),
        (
            &[("n", 3)],
            vec![x, ("i", &[2], &[-2.0, 0.0])],
            "`y`: index -2 is not below 3",
        ),
    ];
    for (extents, inputs, message) in cases {
        assert_eq!(run(text, extents, &inputs, false), Err(message.to_owned()));
    }
}
