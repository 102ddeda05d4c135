//! Every derivative against finite differences, on random small shapes.
//!
//! A case is graph text with random sizes. Its inputs are drawn so that no kink (of `relu`, `max`,
//! an argument's sign) is near; the gradient of Σ adjoint·y that autodiff makes is compared,
//! element by element, with differences of the interpreter's f64.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mm1_compiler::autodiff::differentiate;
use mm1_compiler::graph::table::OPS;
use mm1_compiler::graph::text::parse;
use mm1_compiler::graph::verify::verify;
use mm1_compiler::graph::{DType, Graph, Op, Value};
use mm1_compiler::interpret::Tensor;
use mm1_tests::differences::{Point, adjoint, sizes};
use mm1_tests::random::Random;

/// Step of the differences.
const STEP: f64 = 1e-3;
/// Largest difference, as a share of 1 + the largest derivative of the tensor.
const TOLERANCE: f64 = 1e-8;
/// Shapes drawn per case.
const SHAPES: u64 = 3;

/// Graph text; its values are named by these rules: `p…` is at least ½, `b…` lies between the
/// values of other inputs, an i32 input is listed with its numbers.
#[derive(Default)]
struct Case {
    text: String,
    integers: BTreeMap<&'static str, Vec<i64>>,
    extents: BTreeMap<String, u64>,
}

impl Case {
    fn new(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    fn point(&self, graph: &Graph, random: &mut Random) -> Point {
        let mut point = Point {
            extents: self.extents.clone(),
            ..Point::default()
        };
        for id in graph.nodes() {
            let node = graph.node(id);
            if !matches!(node.op, Op::Input(_)) {
                continue;
            }
            let dims = sizes(graph, &point.extents, &node.types[0]);
            let count = dims.iter().product::<u64>();
            let data: Vec<f64> = match node.types[0].dtype {
                DType::I32 => self.integers[node.name.as_str()]
                    .iter()
                    .map(|x| *x as f64)
                    .collect(),
                // A grid of tenths a little off zero, and for `b…` the middles between.
                _ => (0..count)
                    .map(|_| {
                        let (grid, shift) = (random.below(20) as f64, random.unit() * 0.01);
                        match node.name.as_bytes()[0] {
                            b'p' => 0.5 + grid * 0.08 + shift,
                            b'b' => grid * 0.1 - 0.92 + shift,
                            _ => grid * 0.1 - 0.97 + shift,
                        }
                    })
                    .collect(),
            };
            let tensor = Tensor::new(dims, data).unwrap_or_else(|error| {
                panic!("`{}`: {error}", node.name);
            });
            point.inputs.insert(node.name.clone(), tensor);
        }
        point
    }
}

/// Differentiates the case's output `y` by all of its numbers and compares; returns what went
/// wrong, how many numbers were compared, and the same after each gradient grew by a thousandth.
fn compare(case: &Case, random: &mut Random) -> (Result<usize, String>, Result<usize, String>) {
    let mut graph = parse(&case.text).unwrap_or_else(|error| panic!("{error}\n{}", case.text));
    let leaves: Vec<Value> = graph
        .nodes()
        .filter(|id| matches!(graph.op(*id), Op::Input(_)))
        .map(Value::from)
        .filter(|value| graph.ty(*value).dtype != DType::I32)
        .collect();
    let y = graph.outputs[0].value;
    let (seed, name) = adjoint(&mut graph, y);
    let gradients = differentiate(&mut graph, &[(y, seed)], &leaves)
        .unwrap_or_else(|error| panic!("{error}\n{}", case.text));
    verify(&graph).unwrap_or_else(|found| panic!("{found:#?}\n{}", case.text));
    let point = case.point(&graph, random);
    let seeds = [(y, name)];
    let wanted: Vec<Value> = leaves.iter().map(|leaf| gradients[leaf]).collect();
    let found = point.values(&graph, &wanted).unwrap();
    let (mut right, mut planted) = (Ok(0), Ok(0));
    for (leaf, found) in leaves.iter().zip(found) {
        let name = graph.node(leaf.node).name.clone();
        let count = found.data.len();
        let wanted: Vec<f64> = (0..count)
            .map(|element| {
                let mut direction = vec![0.0; count];
                direction[element] = 1.0;
                point
                    .slope(&graph, &seeds, &name, &direction, STEP)
                    .unwrap_or_else(|error| panic!("{error}\n{}", case.text))
            })
            .collect();
        let largest = wanted.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let judge = |so_far: &mut Result<usize, String>, factor: f64| {
            for (element, (found, wanted)) in found.data.iter().zip(&wanted).enumerate() {
                let error = (found * factor - wanted).abs();
                if error.is_nan() || error > TOLERANCE * (1.0 + largest) {
                    *so_far = Err(format!(
                        "d({name})[{element}] is {}, the differences say {wanted}, in\n{}",
                        found * factor,
                        case.text
                    ));
                    return;
                }
            }
            if let Ok(compared) = so_far {
                *compared += count;
            }
        };
        judge(&mut right, 1.0);
        if largest > 1e-3 {
            judge(&mut planted, 1.001);
        }
    }
    (right, planted)
}

fn shape(dims: &[u64]) -> String {
    let dims: Vec<String> = dims.iter().map(u64::to_string).collect();
    format!("f32[{}]", dims.join(", "))
}

fn numbers(random: &mut Random, count: u64, low: i64, bound: i64) -> Vec<i64> {
    (0..count)
        .map(|_| low + random.below((bound - low) as u64) as i64)
        .collect()
}

fn unary(name: &str, random: &mut Random) -> Case {
    let x = match name {
        "log" | "sqrt" | "rsqrt" | "reciprocal" => "p",
        _ => "x",
    };
    let ty = shape(&[random.between(1, 3), random.between(1, 4)]);
    Case::new(format!(
        "%{x}: {ty} = input()\n%y: {ty} = {name}(%{x})\noutput y = %y\n"
    ))
}

/// Operands of equal sizes, stretched ones, of lower rank, or the same one twice.
fn binary(name: &str, variant: usize, random: &mut Random) -> Case {
    let sizes = [
        random.between(2, 3),
        random.between(2, 3),
        random.between(2, 4),
    ];
    let whole = shape(&sizes);
    let b = if name == "div" { "p" } else { "b" };
    let (left, right) = match variant {
        0 => (whole.clone(), whole.clone()),
        1 => (shape(&[sizes[0], 1, sizes[2]]), shape(&sizes[1..])),
        2 => (whole.clone(), shape(&[])),
        3 => (shape(&sizes[2..]), shape(&[sizes[0], sizes[1], 1])),
        _ => {
            let ty = shape(&sizes[1..]);
            let x = if name == "div" { "p" } else { "x" };
            // max(x, x) has a kink everywhere.
            let (first, more) = match name {
                "max" | "min" | "less" => ("%t", format!("%t: {ty} = exp(%{x})\n")),
                _ => ("%x1", format!("%x1: {ty} = reshape(%{x})\n")),
            };
            return Case::new(format!(
                "%{x}: {ty} = input()\n{more}%y: {ty} = {name}({first}, %{x})\noutput y = %y\n"
            ));
        }
    };
    Case::new(format!(
        "%x: {left} = input()\n%{b}: {right} = input()\n%y: {whole} = {name}(%x, %{b})\noutput y = %y\n"
    ))
}

fn movement(what: &str, random: &mut Random) -> Case {
    let [a, b, c] = [
        random.between(1, 3),
        random.between(2, 4),
        random.between(2, 3),
    ];
    let x = shape(&[a, b, c]);
    let mut text = format!("%x: {x} = input()\n");
    match what {
        // The other value only says when.
        "after" => {
            let _ = writeln!(text, "%z: {x} = add(%x, %x)\n%y: {x} = after(%x, %z)");
        }
        "reshape" => {
            let _ = writeln!(text, "%y: {} = reshape(%x)", shape(&[b * c, a]));
        }
        "transpose" => {
            let order = random.permutation(3);
            let dims: Vec<u64> = order.iter().map(|axis| [a, b, c][*axis]).collect();
            let order: Vec<String> = order.iter().map(usize::to_string).collect();
            let order = order.join(", ");
            let ty = shape(&dims);
            let _ = writeln!(text, "%y: {ty} = transpose(%x) {{permutation=[{order}]}}");
        }
        // Slices that leave a gap, overlap, and are joined in another order.
        "slice" => {
            let short = shape(&[a, b - 1, c]);
            let thin = shape(&[a, b, 1]);
            let all = shape(&[a, 2 * (b - 1), c]);
            let _ = write!(
                text,
                "%l: {short} = slice(%x) {{axis=1, start=0}}\n\
                 %r: {short} = slice(%x) {{axis=1, start=1}}\n\
                 %j: {all} = concat(%r, %l) {{axis=1}}\n\
                 %s: {} = reduce_sum(%j) {{axes=[1]}}\n\
                 %t: {thin} = slice(%x) {{axis=2, start={}}}\n\
                 %u: {} = reduce_sum(%t) {{axes=[1, 2]}}\n\
                 %v: {} = reshape(%u)\n\
                 %y: {} = mul(%s, %v)\n",
                shape(&[a, c]),
                c - 1,
                shape(&[a]),
                shape(&[a, 1]),
                shape(&[a, c]),
            );
        }
        // Parts that tile the axis: their adjoints are joined, not added.
        "split" => {
            let part = shape(&[a, b, 1]);
            for at in 0..c {
                let _ = writeln!(text, "%x{at}: {part} = slice(%x) {{axis=2, start={at}}}");
            }
            let _ = writeln!(text, "%y: {part} = mul(%x0, %x{})", c - 1);
        }
        "concat" => {
            let axis = random.below(3) as usize;
            let mut other = [a, b, c];
            other[axis] = random.between(1, 3);
            let mut whole = other;
            whole[axis] = 2 * [a, b, c][axis] + other[axis];
            let _ = write!(
                text,
                "%z: {} = input()\n%y: {} = concat(%x, %z, %x) {{axis={axis}}}\n",
                shape(&other),
                shape(&whole)
            );
        }
        "broadcast" => {
            let _ = write!(
                text,
                "%s: {} = input()\n%w: {} = broadcast(%s)\n%y: {} = broadcast(%x)\n%m: {} = add(%w, %y)\n",
                shape(&[b, 1]),
                shape(&[2, a, b, c]),
                shape(&[2, a, b, c]),
                shape(&[2, a, b, c]),
            );
            return Case::new(text + "output y = %m\n");
        }
        "cast" => {
            let narrow = x.replace("f32", "bf16");
            let _ = write!(text, "%n: {narrow} = cast(%x)\n%y: {x} = cast(%n)\n");
        }
        "reduce_sum" => {
            let mut axes: Vec<usize> = (0..3).filter(|_| !random.one_in(3)).collect();
            if axes.is_empty() {
                axes = vec![0, 2];
            }
            let kept: Vec<u64> = (0..3)
                .filter(|axis| !axes.contains(axis))
                .map(|axis| [a, b, c][axis])
                .collect();
            let ty = shape(&kept);
            let _ = writeln!(text, "%y: {ty} = reduce_sum(%x) {{axes={axes:?}}}");
        }
        other => panic!("no case `{other}`"),
    }
    Case::new(text + "output y = %y\n")
}

fn rows(name: &str, random: &mut Random) -> Case {
    let (table, width) = (random.between(2, 4), random.between(1, 3));
    let (m, n) = (random.between(1, 3), random.between(2, 3));
    let (from, to) = (shape(&[table, width]), shape(&[m, n, width]));
    let (from, to) = if name == "gather_rows" {
        (from, to)
    } else {
        (to, from)
    };
    let mut case = Case::new(format!(
        "%x: {from} = input()\n%i: i32[{m}, {n}] = input()\n%y: {to} = {name}(%x, %i)\noutput y = %y\n"
    ));
    let mut indices = numbers(random, m * n, -1, table as i64);
    // Always a row that is nowhere, and one that is twice there unless it is alone.
    indices[0] = -1;
    let last = indices.len() - 1;
    indices[last] = indices[last.saturating_sub(1)].max(0);
    case.integers.insert("i", indices);
    case
}

/// Batches of a and b: both, two of each, only a, only b, none.
fn matmul(flags: usize, batches: usize, random: &mut Random) -> Case {
    let [m, k, n] = [
        random.between(1, 3),
        random.between(1, 4),
        random.between(2, 3),
    ];
    let (p, q) = (random.between(1, 2), random.between(2, 3));
    let (batch_a, batch_b): (&[u64], &[u64]) = match batches {
        0 => (&[q], &[q]),
        1 => (&[p, q], &[p, q]),
        2 => (&[p, q], &[]),
        3 => (&[], &[q]),
        _ => (&[], &[]),
    };
    let (ta, tb) = (flags & 1 != 0, flags & 2 != 0);
    let join = |batch: &[u64], matrix: [u64; 2]| shape(&[batch, &matrix].concat());
    let a = join(batch_a, if ta { [k, m] } else { [m, k] });
    let b = join(batch_b, if tb { [n, k] } else { [k, n] });
    let longest = if batch_a.len() > batch_b.len() {
        batch_a
    } else {
        batch_b
    };
    let y = join(longest, [m, n]);
    let words: Vec<&str> = [(ta, "transpose_a"), (tb, "transpose_b")]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word))
        .collect();
    let attributes = match words[..] {
        [] => String::new(),
        _ => format!(" {{{}}}", words.join(", ")),
    };
    Case::new(format!(
        "%a: {a} = input()\n%c: {b} = input()\n%y: {y} = matmul(%a, %c){attributes}\noutput y = %y\n"
    ))
}

fn norm(name: &str, random: &mut Random) -> Case {
    let dims = [
        random.between(1, 3),
        random.between(1, 2),
        random.between(2, 5),
    ];
    let (x, row, width) = (shape(&dims), shape(&dims[..2]), shape(&dims[2..]));
    let epsilon = random.of(&["1e-5", "1e-2", "0"]);
    let (bias, statistics, parameters) = match name {
        "layer_norm" => (format!("%v: {width} = input()\n"), 2, "%w, %v"),
        _ => (String::new(), 1, "%w"),
    };
    let statistics = format!(", {row}").repeat(statistics);
    Case::new(format!(
        "%x: {x} = input()\n%w: {width} = input()\n{bias}\
         %y: {x}{statistics} = {name}(%x, {parameters}) {{epsilon={epsilon}}}\noutput y = %y\n"
    ))
}

fn rotary(inverse: bool, random: &mut Random) -> Case {
    let [b, t, h, d] = [
        random.between(1, 2),
        random.between(1, 3),
        random.between(1, 2),
        2 * random.between(1, 2),
    ];
    let x = shape(&[b, t, h, d]);
    let table: Vec<String> = (0..5 * d)
        .map(|_| format!("{:?}", random.unit() * 2.0 - 1.0))
        .collect();
    let flag = if inverse { " {inverse}" } else { "" };
    let mut case = Case::new(format!(
        "%x: {x} = input()\n%t: f32[5, {d}] = constant() {{values=[{}]}}\n\
         %i: i32[{b}, {t}] = input()\n%y: {x} = rotary(%x, %t, %i){flag}\noutput y = %y\n",
        table.join(", ")
    ));
    case.integers.insert("i", numbers(random, b * t, 0, 5));
    case
}

/// The flags say causal, begin, end and a bound on the scores; some queries see nothing.
fn attention(flags: usize, random: &mut Random) -> Case {
    let groups = random.between(1, 2);
    let [b, heads, d] = [
        random.between(1, 2),
        groups * random.between(1, 3),
        random.between(1, 3),
    ];
    let (queries, keys) = (random.between(1, 4), random.between(1, 5));
    let (causal, begin, end) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
    let cap = if flags & 8 != 0 { ", softcap=0.6" } else { "" };
    let (q, k) = (shape(&[b, queries, heads, d]), shape(&[b, keys, groups, d]));
    let lse = shape(&[b, heads, queries]);
    let mut text = format!("%q: {q} = input()\n%k: {k} = input()\n%v: {k} = input()\n");
    let (mut operands, mut words) = ("%q, %k, %v".to_owned(), String::new());
    let mut integers = BTreeMap::new();
    if causal {
        words += ", causal";
    }
    for (flag, name) in [(begin, "begin"), (end, "end")] {
        if flag {
            let _ = writeln!(text, "%{name}: i32[{b}, {queries}] = input()");
            operands = format!("{operands}, %{name}");
            words = format!("{words}, {name}");
            let bound = keys as i64 + if name == "end" { 2 } else { 0 };
            integers.insert(name, numbers(random, b * queries, -1, bound));
        }
    }
    let _ = write!(
        text,
        "%y: {q}, {lse} = attention({operands}) {{scale=0.7{cap}{words}}}\noutput y = %y\n"
    );
    Case {
        text,
        integers,
        extents: BTreeMap::new(),
    }
}

fn convolution(random: &mut Random) -> Case {
    let [n, h, w, c] = [
        random.between(1, 2),
        random.between(1, 3),
        random.between(2, 4),
        random.between(1, 2),
    ];
    let kernel = *random.of(&[1, 3, 5]);
    let x = shape(&[n, h * w, c]);
    let window = shape(&[c, kernel, kernel]);
    Case::new(format!(
        "%x: {x} = input()\n%w: {window} = input()\n\
         %y: {x} = depthwise_conv2d(%x, %w) {{grid=[{h}, {w}], kernel={kernel}}}\noutput y = %y\n"
    ))
}

/// The first result, the second, or both.
fn softmax(part: usize, random: &mut Random) -> Case {
    let [rows, width] = [random.between(1, 3), random.between(1, 5)];
    let (x, row) = (shape(&[rows, width]), shape(&[rows]));
    let column = shape(&[rows, 1]);
    let results = ["%p", "%lse", "%both"][part];
    let y = if part == 1 { &column } else { &x };
    let more = match part {
        2 => format!("%both: {x} = mul(%p, %lse)\n"),
        _ => String::new(),
    };
    Case::new(format!(
        "%x: {x} = input()\n%p: {x}, {row} = softmax(%x)\n%lse: {column} = reshape(%p#1)\n{more}\
         %y: {y} = tanh({results})\noutput y = %y\n"
    ))
}

/// Rows sent to experts and back, weighted; the flags turn the matrix and bound the capacity.
/// Choices are given, as a choice of the largest has a kink.
fn experts(flags: usize, random: &mut Random) -> Case {
    let (groups, size, count) = (
        random.between(1, 2),
        random.between(1, 3),
        random.between(1, 2),
    );
    let (tokens, experts) = (groups * size, random.between(1, 3));
    let (k, n) = (random.between(1, 3), random.between(1, 3));
    let all = tokens * count;
    let turned = flags & 1 != 0;
    let (w, flag) = match turned {
        true => (shape(&[experts, n, k]), " {transpose_b}"),
        false => (shape(&[experts, k, n]), ""),
    };
    let capacity = match flags & 2 != 0 {
        true => format!(", capacity={}", random.between(1, 2)),
        false => String::new(),
    };
    let [x, gates, flat, rows, products, y] = [
        [tokens, k],
        [tokens, count],
        [all, 1],
        [all, k],
        [all, n],
        [tokens, n],
    ]
    .map(|dims| shape(&dims));
    let mut case = Case::new(format!(
        "%x: {x} = input()\n%w: {w} = input()\n%g: {gates} = input()\n\
         %c: i32[{tokens}, {count}] = input()\n\
         %s: i32[{tokens}, {count}], i32[{all}], i32[{all}], i32[{experts}], i32[{experts}] = \
         sort_choices(%c) {{experts={experts}, groups={groups}{capacity}}}\n\
         %r: {rows} = take_rows(%x, %s#2, %s)\n\
         %h: {products} = grouped_matmul(%r, %w, %s#3, %s#4){flag}\n\
         %f: {flat} = reshape(%g)\n%b: i32[{all}, 1] = reshape(%s)\n\
         %t: {flat} = take_rows(%f, %s#1, %b)\n%z: {products} = mul(%h, %t)\n\
         %y: {y} = sum_rows(%z, %s, %s#2)\noutput y = %y\n"
    ));
    let mut choices = numbers(random, all, -1, experts as i64);
    choices[0] = 0;
    case.integers.insert("c", choices);
    case
}

/// Run-time sizes, 0 among them: rows that are multiplied, summed, stretched and folded.
fn run_time_size(size: u64, random: &mut Random) -> Case {
    let width = random.between(2, 3);
    let text = format!(
        "extent n <= 4\n%x: f32[n*2, {width}] = input()\n%w: f32[{width}, 3] = input()\n\
         %b: f32[3] = input()\n%h: f32[n*2, 3] = matmul(%x, %w)\n%s: f32[n*2, 3] = add(%h, %b)\n\
         %g: f32[n, 2, 3] = reshape(%s)\n%t: f32[n, 2, 3] = tanh(%g)\n\
         %m: f32[2, 3] = reduce_sum(%t) {{axes=[0]}}\n\
         %k: f32[2, 2] = matmul(%m, %m) {{transpose_b}}\noutput y = %k\n"
    );
    Case {
        text,
        extents: BTreeMap::from([("n".to_owned(), size)]),
        ..Case::default()
    }
}

/// Every case; the name says what it is about.
fn cases(random: &mut Random) -> Vec<(String, Case)> {
    let mut cases: Vec<(String, Case)> = Vec::new();
    for name in [
        "neg",
        "exp",
        "log",
        "sqrt",
        "rsqrt",
        "reciprocal",
        "square",
        "relu",
        "step",
        "tanh",
        "sigmoid",
        "erf",
        "gelu",
        "gelu_tanh",
        "quick_gelu",
        "silu",
    ] {
        cases.push((name.to_owned(), unary(name, random)));
    }
    for name in ["add", "sub", "mul", "div", "max", "min", "equal", "less"] {
        for variant in 0..5 {
            let case = binary(name, variant, random);
            cases.push((format!("{name} {variant}"), case));
        }
    }
    for name in [
        "after",
        "reshape",
        "transpose",
        "slice",
        "split",
        "concat",
        "broadcast",
        "cast",
        "reduce_sum",
    ] {
        cases.push((name.to_owned(), movement(name, random)));
    }
    for name in ["gather_rows", "scatter_add_rows"] {
        cases.push((name.to_owned(), rows(name, random)));
    }
    for flags in 0..4 {
        for batches in 0..5 {
            let case = matmul(flags, batches, random);
            cases.push((format!("matmul {flags} {batches}"), case));
        }
    }
    for name in ["layer_norm", "rms_norm"] {
        cases.push((name.to_owned(), norm(name, random)));
    }
    for inverse in [false, true] {
        cases.push((format!("rotary {inverse}"), rotary(inverse, random)));
    }
    for flags in 0..16 {
        cases.push((format!("attention {flags}"), attention(flags, random)));
    }
    cases.push(("depthwise_conv2d".to_owned(), convolution(random)));
    for part in 0..3 {
        cases.push((format!("softmax {part}"), softmax(part, random)));
    }
    for flags in 0..4 {
        cases.push((format!("experts {flags}"), experts(flags, random)));
    }
    for size in [0, 1, 4] {
        let case = run_time_size(size, random);
        cases.push((format!("run-time size {size}"), case));
    }
    cases
}

/// Ops without a derivative.
const NONE: [&str; 18] = [
    "update_rows",
    "reduce_max",
    "top_k",
    "sort_choices",
    "grouped_matmul_weight_grad",
    "gelu_grad",
    "gelu_tanh_grad",
    "quick_gelu_grad",
    "silu_grad",
    "layer_norm_input_grad",
    "rms_norm_input_grad",
    "layer_norm_weight_grad",
    "rms_norm_weight_grad",
    "attention_grad",
    "depthwise_conv2d_weight_grad",
    "cross_entropy",
    "linear_cross_entropy",
    "adamw",
];

#[test]
fn every_derivative_is_that_of_finite_differences() {
    let mut random = Random::new(1);
    let (mut compared, mut planted) = (0, 0);
    let mut covered: BTreeSet<&str> = NONE.into_iter().collect();
    for _ in 0..SHAPES {
        for (name, case) in cases(&mut random) {
            let graph = parse(&case.text).unwrap_or_else(|error| panic!("{error}\n{}", case.text));
            covered.extend(graph.nodes().map(|id| graph.op(id).name()));
            let (right, wrong) = compare(&case, &mut random);
            compared += right.unwrap_or_else(|error| panic!("{name}: {error}"));
            // A gradient a thousandth too large must not pass, wherever there is a gradient.
            match wrong {
                Err(_) => planted += 1,
                Ok(0) => {}
                Ok(_) => panic!("{name}: a wrong gradient was not noticed"),
            }
        }
    }
    let sources = ["input", "parameter", "state", "constant", "splat"];
    for row in OPS.iter().filter(|row| !sources.contains(&row.name)) {
        assert!(covered.contains(row.name), "`{}` is not covered", row.name);
    }
    assert!(compared > 4000, "only {compared} numbers were compared");
    assert!(planted > 200, "only {planted} planted mistakes");
}

/// What the table calls a derivative is one: it is refused to go on from there.
#[test]
fn ops_without_a_derivative_say_so() {
    let graph = parse(include_str!("../../graphs/every-op.txt")).unwrap();
    let mut refused = BTreeSet::new();
    for id in graph.nodes() {
        let name = graph.op(id).name();
        let flipped = matches!(graph.op(id), Op::DepthwiseConv2d { flip: true, .. });
        let operands = graph.operands(id);
        if !(NONE.contains(&name) || flipped) {
            continue;
        }
        let mut graph = graph.clone();
        let y = Value::from(id);
        let (seed, _) = adjoint(&mut graph, y);
        let error = differentiate(&mut graph, &[(y, seed)], &operands[..1]).unwrap_err();
        assert!(error.ends_with("has no derivative"), "{error}");
        refused.insert(name);
    }
    assert_eq!(refused.len(), NONE.len() + 1, "{refused:?}");
}

/// The gradients that cross-entropy gives beside its losses, with and without z-loss.
#[test]
fn gradients_of_cross_entropy_are_those_of_finite_differences() {
    for (seed, z_weight, cap) in [
        (1, 0.0, ""),
        (2, 0.3, ""),
        (3, 1.5, ""),
        (4, 0.3, ", softcap=0.8"),
    ] {
        let mut random = Random::new(seed);
        let [rows, classes, width] = [
            random.between(2, 4),
            random.between(2, 5),
            random.between(1, 3),
        ];
        let text = format!(
            "%x: f32[{rows}, {width}] = input()\n%w: f32[{classes}, {width}] = input()\n\
             %i: i32[{rows}] = input()\n%p: f32[{rows}] = input()\n\
             %z: f32[] = splat() {{value={z_weight:?}}}\n%l: f32[{rows}, {classes}] = input()\n\
             %ce: f32[{rows}], f32[{rows}], f32[{rows}, {classes}] = cross_entropy(%l, %i, %p, %z)\n\
             %f: f32[], f32[], f32[{rows}, {width}], f32[{classes}, {width}] = \
             linear_cross_entropy(%x, %w, %i, %p, %z) {{chunk=2, gradient{cap}}}\noutput y = %ce\n"
        );
        let mut case = Case::new(text);
        case.integers
            .insert("i", numbers(&mut random, rows, 0, classes as i64));
        let graph = parse(&case.text).unwrap();
        verify(&graph).unwrap();
        let mut point = case.point(&graph, &mut random);
        let value = |name: &str| Value::from(graph.find(name).unwrap());
        for (name, dims) in [("loss", vec![rows]), ("total", Vec::new())] {
            let count = dims.iter().product::<u64>() as usize;
            let ones = Tensor::new(dims.clone(), vec![1.0; count]).unwrap();
            let zs = Tensor::new(dims, vec![z_weight; count]).unwrap();
            point.inputs.insert(name.to_owned(), ones);
            point.inputs.insert(format!("{name} z"), zs);
        }
        for (node, adjoint, pairs) in [
            ("ce", "loss", vec![("l", 2)]),
            ("f", "total", vec![("x", 2), ("w", 3)]),
        ] {
            let y = value(node);
            let seeds = [
                (y, adjoint.to_owned()),
                (y.sibling(1), format!("{adjoint} z")),
            ];
            for (leaf, result) in pairs {
                let found = point
                    .values(&graph, &[y.sibling(result)])
                    .unwrap()
                    .remove(0);
                assert!(found.data.iter().any(|x| x.abs() > 1e-3));
                for (element, found) in found.data.iter().enumerate() {
                    let mut direction = vec![0.0; point.inputs[leaf].data.len()];
                    direction[element] = 1.0;
                    let wanted = point.slope(&graph, &seeds, leaf, &direction, STEP).unwrap();
                    let error = (found - wanted).abs();
                    assert!(error < TOLERANCE, "d({leaf})[{element}]: {found}, {wanted}");
                }
            }
        }
    }
}
