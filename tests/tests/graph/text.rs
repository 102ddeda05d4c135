//! The text form and the verifier, on a graph that uses every op.

use mm1_compiler::fuse::fuse;
use mm1_compiler::graph::table::{OPS, bytes, flops};
use mm1_compiler::graph::text::{display, parse, print};
use mm1_compiler::graph::verify::verify;
use mm1_compiler::passes::{Options, optimize};
use mm1_dsl::model::Recompute;
use mm1_tests::random::Random;

const EVERY_OP: &str = include_str!("../../graphs/every-op.txt");

/// The message of the only violation of a text.
fn violation(text: &str) -> String {
    let violations = verify(&parse(text).unwrap()).unwrap_err();
    assert_eq!(violations.len(), 1, "{violations:?}");
    violations[0].to_string()
}

#[test]
fn every_op_is_printed_read_and_verified() {
    let graph = parse(EVERY_OP).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(print(&graph), EVERY_OP);
    if let Err(violations) = verify(&graph) {
        panic!("{violations:#?}");
    }
    for row in OPS {
        assert!(
            graph.nodes().any(|id| graph.op(id).name() == row.name),
            "`{}` is not in the file",
            row.name
        );
    }
}

#[test]
fn what_is_read_equals_what_was_written() {
    let first = parse(EVERY_OP).unwrap();
    let second = parse(&print(&first)).unwrap();
    for (a, b) in first.nodes().zip(second.nodes()) {
        let (x, y) = (first.node(a), second.node(b));
        assert_eq!((&x.name, &x.op, &x.types), (&y.name, &y.op, &y.types));
        assert_eq!(first.operands(a), second.operands(b));
    }
    assert_eq!(first.extents, second.extents);
    let outputs = |graph: &mm1_compiler::graph::Graph| format!("{:?}", graph.outputs);
    assert_eq!(outputs(&first), outputs(&second));
}

#[test]
fn display_leaves_bytes_out_and_says_so_when_read() {
    let text = display(&parse(EVERY_OP).unwrap());
    assert!(text.contains("%big: f32[17] = constant() {hash=628b73b1c26e2c17}"));
    let error = parse(&text).unwrap_err();
    assert!(error.message.contains("left out"), "{error}");
}

/// Cut, doubled and exchanged characters: an error or a graph, never a panic.
#[test]
fn damaged_text_is_refused_without_a_panic() {
    let replacements = [
        "",
        "%",
        "0",
        "9999999999999999999",
        "\"",
        "[",
        "]",
        "#7",
        "é",
        "}",
    ];
    let mut accepted = 0;
    for (at, c) in EVERY_OP.char_indices() {
        // All replacements near the end of each line would be slow; three per place suffice.
        for replacement in replacements.iter().skip(at % 4).step_by(4) {
            let end = at + c.len_utf8();
            let text = format!("{}{replacement}{}", &EVERY_OP[..at], &EVERY_OP[end..]);
            if let Ok(graph) = parse(&text) {
                accepted += 1;
                let _ = verify(&graph);
            }
        }
    }
    assert!(accepted > 0);
}

/// Lines exchanged, dropped and doubled, and numbers replaced: what the verifier accepts of that,
/// passes and fusion take without a panic, whatever it says.
#[test]
fn damaged_graphs_are_refused_or_compiled_without_a_panic() {
    let numbers = ["0", "1", "2", "3", "7", "64", "9223372036854775807"];
    let mut random = Random::new(4);
    let (mut refused, mut fused) = (0, 0);
    for _ in 0..3000 {
        let mut lines: Vec<String> = EVERY_OP.lines().map(str::to_owned).collect();
        for _ in 0..random.between(1, 3) {
            let at = random.below(lines.len() as u64) as usize;
            match random.below(4) {
                0 => {
                    lines.remove(at);
                }
                1 => {
                    let other = random.below(lines.len() as u64) as usize;
                    lines.swap(at, other);
                }
                _ => {
                    let places: Vec<(usize, char)> = lines[at]
                        .char_indices()
                        .filter(|(_, c)| c.is_ascii_digit())
                        .collect();
                    if let Some((place, _)) = places.get(random.below(20) as usize) {
                        lines[at]
                            .replace_range(*place..place + 1, numbers[random.below(7) as usize]);
                    }
                }
            }
        }
        let Ok(mut graph) = parse(&lines.join("\n")) else {
            refused += 1;
            continue;
        };
        if verify(&graph).is_err() {
            refused += 1;
            continue;
        }
        let options = Options {
            mixed_precision: None,
            rounded_weights: false,
            recompute: Recompute::None,
            most_products: usize::MAX,
            verify: true,
        };
        optimize(&mut graph, &options).unwrap();
        fused += usize::from(fuse(&graph).is_ok());
    }
    assert!(
        refused > 1000 && fused > 100,
        "{refused} refused, {fused} fused"
    );
}

#[test]
fn errors_name_the_place() {
    let cases = [
        (
            "%x: f32[4] = input()\n%y: f32[4] = gelu(%z)",
            2,
            19,
            "`%z` does not stand above",
        ),
        ("%x: f16[4] = input()", 1, 5, "`f16` is no element type"),
        (
            "%x: f32[n] = input()",
            1,
            9,
            "no run-time size is called `n`",
        ),
        ("%x: f32[4] = inputs()", 1, 14, "`inputs` is no operation"),
        (
            "%x: f32[4] = input() {a}",
            1,
            14,
            "`input` has no attribute `a`",
        ),
        ("%x: f32[4] = input() 5", 1, 22, "the line should end here"),
        (
            "%x: f32[4] = splat() {value=q}",
            1,
            14,
            "`q` is no value of `value`",
        ),
        (
            "%x: f32[4] = input()\n%x: f32[4] = input()",
            2,
            2,
            "`%x` stands twice",
        ),
        (
            "%x: f32[4] = input()\noutput y = %x#1",
            2,
            12,
            "`%x` has 1 results",
        ),
        (
            "\n\"é\" output",
            2,
            1,
            "`extent`, `output`, `update` or `%NAME` expected",
        ),
    ];
    for (text, line, column, message) in cases {
        let error = parse(text).unwrap_err();
        assert_eq!(
            (error.line, error.column, error.message.as_str()),
            (line, column, message),
            "{text}"
        );
    }
}

#[test]
fn the_verifier_names_broken_rules() {
    let head = "extent n <= 4\n%x: f32[n, 6] = input()\n%i: i32[n] = input()\n\
                %s: f32[6] = state() {region=\"r\"}\n%k: f32[4, 6] = input()\n";
    let cases = [
        (
            "%y: f32[6, n] = input()",
            "a run-time size stands in place 1 of a shape",
        ),
        (
            "%y: f32[n] = input()\n%z: f32[n, 6] = add(%x)",
            "add has 1 operands",
        ),
        (
            "%y: f32[n, 5] = gelu(%x)",
            "result 0 has type f32[n, 5], which should be f32[n, 6]",
        ),
        ("%y: f32[n, 6], f32[n] = gelu(%x)", "2 results instead of 1"),
        (
            "%y: i32[n] = neg(%i)",
            "x is i32, which is not for arithmetic",
        ),
        (
            "%y: f32[n, 6] = gather_rows(%k, %k)",
            "indices is f32 instead of i32",
        ),
        (
            "%y: f32[n, 5] = reshape(%x)",
            "f32[n, 6] cannot become f32[n, 5]",
        ),
        (
            "%y: f32[n, 3] = slice(%x) {axis=1, start=4}",
            "f32[n, 3] is not within f32[n, 6] from 4 along axis 1",
        ),
        (
            "%y: f32[2, 6] = slice(%x) {axis=0, start=0}",
            "f32[2, 6] is not within f32[n, 6] from 0 along axis 0",
        ),
        (
            "%y: f32[n, 6] = slice(%k) {axis=0, start=1}",
            "f32[n, 6] is not within f32[4, 6] from 1 along axis 0",
        ),
        (
            "%y: f32[3, 4, 7] = broadcast(%k)",
            "f32[4, 6] does not stretch to f32[3, 4, 7]",
        ),
        ("%y: i32[n, 6] = cast(%x)", "a cast to i32"),
        (
            "%y: f32[3] = constant() {values=[1, 2]}",
            "2 numbers as f32[3]",
        ),
        (
            "%y: f32[n, 6], f32[n] = rms_norm(%x, %s) {epsilon=-1}",
            "ε = -1",
        ),
        (
            "%y: f32[4, 6] = scatter_add_rows(%k, %i)",
            "updates has sizes",
        ),
        (
            "%y: f32[99999999999, 99999999999] = input()",
            "the tensor is larger than an address space",
        ),
        ("output y = %x\noutput y = %k", "the output stands twice"),
        (
            "update %s = %x",
            "the replacement has type f32[n, 6], which should be f32[6]",
        ),
        (
            "update %x = %x",
            "only a parameter or state can be replaced",
        ),
        (
            "update %s = %s\nupdate %s as t = %s",
            "it is replaced twice",
        ),
        ("extent d <= 9 = n - 2", ""),
    ];
    for (tail, message) in cases {
        let text = format!("{head}{tail}\n");
        if message.is_empty() {
            assert_eq!(verify(&parse(&text).unwrap()), Ok(()), "{tail}");
        } else {
            let found = violation(&text);
            assert!(found.contains(message), "{tail}\n  {found}\n  {message}");
        }
    }
}

#[test]
fn costs_follow_the_sizes() {
    let graph = parse(EVERY_OP).unwrap();
    let node = |name: &str| graph.find(name).unwrap();
    let cases = [
        ("y", 2 * 36 * 6 * 4, 4 * (36 * 4 + 6 * 4 + 36 * 6)),
        ("gram", 2 * 4 * 4 * 36, 4 * (2 * 36 * 4 + 16)),
        // 2 · 2 contractions · q elements · keys, half of it for the causal one.
        ("a.open", 4 * 40 * 5, 4 * (40 + 2 * 20 + 10 + 40 + 20)),
        ("a", 4 * 40 * 5 / 2, 4 * (40 + 2 * 20 + 2 * 10 + 40 + 20)),
        ("conv", 2 * 4 * 9 * 6 * 9, 4 * (2 * 4 * 9 * 6 + 6 * 9)),
        (
            "lce",
            3 * 2 * 10 * 4 * 6,
            4 * (10 * 4 + 6 * 4 + 10 + 10 + 1 + 2 + 10 * 4 + 6 * 4),
        ),
        ("embedded", 0, 4 * (2 * 40 + 10)),
        ("u.gelu", 0, 4 * 2 * 36 * 6),
        ("heads", 0, 0),
    ];
    for (name, wanted_flops, wanted_bytes) in cases {
        let found = (flops(&graph, node(name)), bytes(&graph, node(name)));
        assert_eq!(found, (wanted_flops, wanted_bytes), "{name}");
    }
}
