//! What holds for every graph.
//!
//! `MM1C_FUZZ=FROM..TO` runs the seeds of that range instead of the first ones; a failure names
//! its seed.

use std::cell::Cell;
use std::ops::Range;

use mm1_compiler::autodiff::differentiate;
use mm1_compiler::codegen::Backend;
use mm1_compiler::graph::text::{parse, print};
use mm1_compiler::graph::verify::verify;
use mm1_compiler::graph::{DType, Graph, InputRole, Op, Unary, Value};
use mm1_compiler::interpret::Tensor;
use mm1_compiler::passes::{Options, optimize};
use mm1_dsl::model::Recompute;
use mm1_tests::differences::{Point, adjoint, dot};
use mm1_tests::random::Random;

use crate::generate::{Example, example, outputs};
use crate::kernels::{Outputs, by_kernels, by_machine};

/// Largest difference that a pass may make, as a share of 1 + the output's magnitude.
const EXACT: f64 = 1e-9;
/// The same for f32 kernels.
const KERNELS: f64 = 2e-5;
/// The same for derivatives by differences.
const SLOPES: f64 = 1e-6;

/// Refusals that are no faults: two states that replace each other have no order in place.
const REFUSALS: [&str; 1] = ["a state is read after it is replaced"];

/// `default` seeds from 0, or those that the environment asks for.
fn seeds(default: u64) -> Range<u64> {
    let Ok(asked) = std::env::var("MM1C_FUZZ") else {
        return 0..default;
    };
    let range = asked
        .split_once("..")
        .and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.unwrap_or_else(|| panic!("MM1C_FUZZ is FROM..TO, not `{asked}`"))
}

/// Runs a check over seeds, on smooth graphs and others in turn; the worst of a failure is that
/// nobody can repeat it, so it says its seed and graph.
fn each(default: u64, check: impl Fn(u64, &Example) -> Result<bool, String>) -> usize {
    let mut done = 0;
    let mut failures = Vec::new();
    for seed in seeds(default) {
        let example = example(seed, seed % 2 == 0);
        match check(seed, &example) {
            Ok(counted) => done += usize::from(counted),
            Err(error) => failures.push(format!(
                "seed {seed}: {error}\n{:?}\n{}",
                example.point.extents,
                print(&example.graph)
            )),
        }
    }
    let lines: Vec<&str> = failures.iter().filter_map(|it| it.lines().next()).collect();
    assert!(
        failures.is_empty(),
        "{} failures:\n{}\nthe first:\n{}",
        failures.len(),
        lines.join("\n"),
        failures[0]
    );
    done
}

fn compare<'v>(
    found: impl IntoIterator<Item = (&'v String, &'v Vec<f64>)>,
    wanted: &Outputs,
    tolerance: f64,
) -> Result<(), String> {
    let mut compared = 0;
    for (name, found) in found {
        let wanted = &wanted[name];
        if found.len() != wanted.len() {
            return Err(format!(
                "`{name}` has {} elements instead of {}",
                found.len(),
                wanted.len()
            ));
        }
        let finite = wanted.iter().filter(|x| x.is_finite());
        let scale = 1.0 + finite.fold(0.0, |most: f64, x| most.max(x.abs()));
        for (element, (a, b)) in found.iter().zip(wanted).enumerate() {
            if !(a == b || (a - b).abs() <= tolerance * scale) {
                return Err(format!("`{name}`[{element}] is {a:e} instead of {b:e}"));
            }
        }
        compared += 1;
    }
    if compared == wanted.len() {
        Ok(())
    } else {
        Err(format!("{compared} of {} outputs", wanted.len()))
    }
}

fn meaning(graph: &Graph, point: &Point) -> Result<Outputs, String> {
    let values = outputs(graph, point)?;
    Ok(values
        .into_iter()
        .map(|(name, it)| (name, it.data))
        .collect())
}

fn legal(graph: &Graph, when: &str) -> Result<(), String> {
    verify(graph).map_err(|found| format!("{when}: {found:?}"))
}

fn plain() -> Options {
    Options {
        mixed_precision: None,
        rounded_weights: false,
        recompute: Recompute::Products,
        most_products: usize::MAX,
        verify: true,
    }
}

#[test]
fn text_says_all_of_a_graph() {
    let done = each(300, |_, example| {
        legal(&example.graph, "as it was made")?;
        let text = print(&example.graph);
        let read = parse(&text).map_err(|error| error.to_string())?;
        legal(&read, "as it was read")?;
        if print(&read) != text {
            return Err(format!("it is printed as\n{}", print(&read)));
        }
        let (a, b) = (
            meaning(&example.graph, &example.point)?,
            meaning(&read, &example.point)?,
        );
        match a == b || a.values().flatten().any(|x| x.is_nan()) {
            true => Ok(true),
            false => Err("what was read means something else".to_owned()),
        }
    });
    assert!(done > 0);
}

#[test]
fn passes_keep_the_meaning() {
    each(300, |seed, example| {
        let before = meaning(&example.graph, &example.point)?;
        let mut graph = example.graph.clone();
        optimize(&mut graph, &plain())?;
        compare(&meaning(&graph, &example.point)?, &before, EXACT)?;
        // Casts round nothing under this interpreter.
        let residual = [DType::F32, DType::Bf16][(seed % 3 == 0) as usize];
        let mut graph = example.graph.clone();
        let options = Options {
            mixed_precision: Some(residual),
            rounded_weights: false,
            ..plain()
        };
        optimize(&mut graph, &options).map_err(|error| format!("in bf16: {error}"))?;
        compare(&meaning(&graph, &example.point)?, &before, EXACT)
            .map_err(|error| format!("in bf16: {error}"))?;
        Ok(true)
    });
}

/// A graph with the gradients of Σ adjoint·output in every f32 input as further outputs.
struct Differentiated {
    graph: Graph,
    point: Point,
    seeds: Vec<(Value, String)>,
    /// Input and gradient.
    gradients: Vec<(String, Value)>,
}

fn differentiated(seed: u64, example: &Example) -> Result<Option<Differentiated>, String> {
    let mut graph = example.graph.clone();
    let mut point = example.point.clone();
    let mut random = Random::new(seed ^ 0xd1ff);
    let mut seeds = Vec::new();
    let mut adjoints = Vec::new();
    for output in example.graph.outputs.iter().take(3) {
        let (input, name) = adjoint(&mut graph, output.value);
        let tensor = outputs(&example.graph, &example.point)?[&output.name].clone();
        let data = tensor.data.iter();
        let data = data
            .map(|_| f64::from((random.unit() - 0.5) as f32))
            .collect();
        let tensor = Tensor::new(tensor.dims, data)?;
        point.inputs.insert(name.clone(), tensor);
        adjoints.push((output.value, input));
        seeds.push((output.value, name));
    }
    let leaves: Vec<Value> = example
        .graph
        .nodes()
        .filter(|id| {
            matches!(
                graph.op(*id),
                Op::Input(InputRole::Data | InputRole::State(_))
            )
        })
        .map(Value::from)
        .filter(|value| graph.ty(*value).dtype != DType::I32)
        .collect();
    if leaves.is_empty() {
        return Ok(None);
    }
    let found = differentiate(&mut graph, &adjoints, &leaves)?;
    legal(&graph, "after differentiation")?;
    let mut gradients = Vec::new();
    for leaf in leaves {
        let name = graph.node(leaf.node).name.clone();
        let gradient = found[&leaf];
        graph.output(format!("gradient of {name}"), gradient);
        gradients.push((name, gradient));
    }
    Ok(Some(Differentiated {
        graph,
        point,
        seeds,
        gradients,
    }))
}

#[test]
fn gradients_agree_with_differences() {
    let (steep, compared) = (Cell::new(0), Cell::new(0));
    each(400, |seed, example| {
        if seed % 2 == 1 {
            return Ok(false);
        }
        let Some(it) = differentiated(seed, example)? else {
            return Ok(false);
        };
        let mut random = Random::new(seed ^ 0xd1ec);
        for (leaf, gradient) in &it.gradients {
            let gradient = it.point.values(&it.graph, &[*gradient])?.remove(0);
            let count = gradient.data.len();
            if count == 0 {
                continue;
            }
            for _ in 0..2 {
                let direction: Vec<f64> = (0..count).map(|_| random.unit() - 0.5).collect();
                let along = |h| it.point.slope(&it.graph, &it.seeds, leaf, &direction, h);
                let (wide, narrow) = (along(1e-3)?, along(1e-4)?);
                let scale = 1.0 + narrow.abs() + count as f64;
                // Where the two steps disagree, a kink is near and nothing is said.
                if (wide - narrow).abs() > SLOPES * scale / 10.0 {
                    steep.set(steep.get() + 1);
                    continue;
                }
                compared.set(compared.get() + 1);
                let found = dot(&gradient.data, &direction);
                if (found - narrow).abs() > SLOPES * scale {
                    return Err(format!(
                        "the gradient of `{leaf}` says {found}, the differences {narrow}\n{}",
                        print(&it.graph)
                    ));
                }
            }
        }
        Ok(true)
    });
    let (steep, compared) = (steep.get(), compared.get());
    assert!(
        steep <= compared,
        "{steep} of {} places are steep",
        steep + compared
    );
}

/// The graphs whose kernels are compared: as made, or with gradients; after the passes.
fn compiled(seed: u64, example: &Example) -> Result<(Graph, Point), String> {
    let (mut graph, point) = match seed % 4 {
        // Even seeds are smooth.
        0 => match differentiated(seed, example)? {
            Some(it) => (it.graph, it.point),
            None => (example.graph.clone(), example.point.clone()),
        },
        _ => (example.graph.clone(), example.point.clone()),
    };
    if !seed.is_multiple_of(3) {
        optimize(&mut graph, &plain())?;
    }
    Ok((graph, point))
}

fn judged(result: Result<Outputs, String>, wanted: &Outputs) -> Result<bool, String> {
    match result {
        Err(error) if REFUSALS.iter().any(|known| error.contains(known)) => Ok(false),
        Err(error) => Err(error),
        Ok(found) => compare(&found, wanted, KERNELS).map(|()| true),
    }
}

#[test]
fn kernels_mean_what_the_graph_means() {
    let done = each(300, |seed, example| {
        let (graph, point) = compiled(seed, example)?;
        let wanted = meaning(&graph, &point)?;
        judged(by_kernels(&graph, &point), &wanted)
            .map_err(|error| format!("{error}\n{}", print(&graph)))
    });
    assert!(done > 0);
}

/// One query, whose axis appears in no address: found by seed 208.
#[test]
fn a_single_query_has_gradients() {
    for (queries, keys, flags) in [
        (1, 3, ""),
        (1, 2, ", causal"),
        (1, 1, ""),
        (3, 1, ", causal"),
    ] {
        let (q, k) = (
            format!("f32[2, {queries}, 2, 4]"),
            format!("f32[2, {keys}, 1, 4]"),
        );
        let lse = format!("f32[2, 2, {queries}]");
        let text = format!(
            "%q: {q} = input()\n%k: {k} = input()\n%v: {k} = input()\n%dy: {q} = input()\n\
             %a: {q}, {lse} = attention(%q, %k, %v) {{scale=0.5{flags}}}\n\
             %d: {q}, {k}, {k} = attention_grad(%dy, %q, %k, %v, %a, %a#1) {{scale=0.5{flags}}}\n\
             output a = %a\noutput dq = %d\noutput dk = %d#1\noutput dv = %d#2\n"
        );
        let graph = parse(&text).unwrap();
        let mut random = Random::new(9);
        let mut point = Point::default();
        for (name, count, rows) in [
            ("q", 2, queries),
            ("dy", 2, queries),
            ("k", 1, keys),
            ("v", 1, keys),
        ] {
            let data = (0..2 * rows * count * 4).map(|_| f64::from(random.unit() as f32));
            let tensor = Tensor::new([2, rows, count, 4], data.collect()).unwrap();
            point.inputs.insert(name.to_owned(), tensor);
        }
        let wanted = meaning(&graph, &point).unwrap();
        let found = by_machine(&graph, &point, Backend::Cranelift, 1);
        assert_eq!(judged(found, &wanted), Ok(true), "{text}");
    }
}

/// The comparison sees a kernel that computes another function.
#[test]
fn a_changed_function_is_noticed() {
    let noticed = each(120, |_, example| {
        let mut changed = example.graph.clone();
        let tanh = changed
            .nodes()
            .find(|id| matches!(changed.op(*id), Op::Unary(Unary::Tanh)));
        let Some(tanh) = tanh else {
            return Ok(false);
        };
        changed.set_op(tanh, Op::Unary(Unary::Erf));
        let wanted = meaning(&example.graph, &example.point)?;
        let seen = compare(&meaning(&changed, &example.point)?, &wanted, 1e-3).is_err();
        match judged(by_kernels(&changed, &example.point), &wanted) {
            Ok(true) if seen => Err("another function was not noticed".to_owned()),
            _ => Ok(seen),
        }
    });
    assert!(noticed > 0);
}

#[test]
fn machine_code_of_cranelift_means_what_the_graph_means() {
    machine_code(Backend::Cranelift, 200);
}

#[cfg(feature = "mlir")]
#[test]
fn machine_code_of_mlir_means_what_the_graph_means() {
    machine_code(Backend::Mlir, 24);
}

fn machine_code(backend: Backend, default: u64) {
    let done = each(default, |seed, example| {
        let (graph, point) = compiled(seed, example)?;
        let wanted = meaning(&graph, &point)?;
        let found = by_machine(&graph, &point, backend, 1 + (seed % 2) as usize);
        judged(found, &wanted).map_err(|error| format!("{error}\n{}", print(&graph)))
    });
    assert!(done > 0);
}
