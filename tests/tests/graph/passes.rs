//! Passes on graph text: `tests/passes/PASS/CASE.txt` holds a graph, a line `---` and the graph
//! after the pass. `MM1C_BLESS=1` rewrites what follows the line.
//!
//! Besides the text, meaning is compared: the outputs of both graphs under the interpreter.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mm1_compiler::graph::text::{parse, print};
use mm1_compiler::graph::verify::verify;
use mm1_compiler::graph::{DType, Dim, Graph, Op, Value};
use mm1_compiler::interpret::{Tensor, interpret};
use mm1_compiler::passes::{Options, PASSES, optimize};
use mm1_dsl::model::Recompute;

/// Outputs for made-up inputs at one less than the bounds of the run-time sizes.
fn outputs(graph: &Graph) -> BTreeMap<String, Tensor> {
    let extents: BTreeMap<String, u64> = graph
        .extents
        .iter()
        .map(|extent| (extent.name.clone(), extent.bound - 1))
        .collect();
    let mut inputs = BTreeMap::new();
    for id in graph.nodes() {
        let node = graph.node(id);
        if !matches!(node.op, Op::Input(_)) {
            continue;
        }
        let ty = &node.types[0];
        let size = |dim: &Dim| match *dim {
            Dim::Fixed(n) => n,
            Dim::Scaled { extent, scale } => (graph.extents[extent.0 as usize].bound - 1) * scale,
        };
        let dims: Vec<u64> = ty.dims.iter().map(size).collect();
        // A copy of a weight has its numbers; nothing is rounded here.
        let weight = node.name.strip_prefix("rounded.").unwrap_or(&node.name);
        let seed = weight.bytes().map(u64::from).sum::<u64>();
        let data = (0..dims.iter().product::<u64>())
            .map(|i| match ty.dtype {
                DType::I32 => (i % 3) as f64,
                _ => (((i + seed) * 7919 % 1009) as f64 / 1009.0 - 0.4) * 1.5,
            })
            // Second moments are not negative.
            .map(|x: f64| if node.name == "v" { x.abs() } else { x })
            .collect();
        inputs.insert(node.name.clone(), Tensor::new(dims, data).unwrap());
    }
    let wanted: Vec<Value> = graph.outputs.iter().map(|output| output.value).collect();
    let results = interpret(graph, &extents, &inputs, &wanted).unwrap();
    graph
        .outputs
        .iter()
        .map(|output| (output.name.clone(), results[&output.value].clone()))
        .collect()
}

/// `// residual: bf16` in the first line asks for mixed precision, `// recompute: cheap` for
/// copies, `// rounded` for reads of rounded weights.
fn options(text: &str) -> Options {
    let first = text.lines().next().unwrap_or_default();
    let residual = first.strip_prefix("// residual: ");
    let recompute = match first.strip_prefix("// recompute: ") {
        None => Recompute::None,
        Some("cheap") => Recompute::Cheap,
        Some("products") => Recompute::Products,
        Some(other) => panic!("`{other}` is no policy"),
    };
    Options {
        mixed_precision: residual.map(|name| DType::from_name(name).unwrap()),
        rounded_weights: first == "// rounded",
        recompute,
        most_products: usize::MAX,
        verify: true,
    }
}

fn check(pass: &str, path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).unwrap();
    let (input, wanted) = text.split_once("---\n").ok_or("a line `---` is missing")?;
    let mut graph = parse(input).map_err(|error| error.to_string())?;
    verify(&graph).map_err(|violations| format!("before: {violations:#?}"))?;
    let before = outputs(&graph);
    let options = options(input);
    if pass == "optimize" {
        optimize(&mut graph, &options)?;
    } else {
        let pass = PASSES.iter().find(|known| known.name == pass);
        pass.ok_or("no such pass")?.run(&mut graph, &options);
    }
    verify(&graph).map_err(|violations| format!("after: {violations:#?}"))?;
    for (name, after) in outputs(&graph) {
        let before = &before[&name];
        // Without rounding, passes change values by f32 rounding of constants only.
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-6 * a.abs().max(1.0);
        if before.dims != after.dims || !before.data.iter().zip(&after.data).all(close) {
            return Err(format!("output `{name}` has another value"));
        }
    }
    let found = print(&graph);
    if std::env::var_os("MM1C_BLESS").is_some() {
        fs::write(path, format!("{input}---\n{found}")).unwrap();
    } else if found != wanted {
        return Err(format!("found\n{found}\nwanted\n{wanted}"));
    }
    Ok(())
}

#[test]
fn passes_change_graphs_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("passes");
    let mut failures = Vec::new();
    let mut cases = 0;
    let list = |path: &Path| {
        let entries = fs::read_dir(path).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    for folder in list(&root) {
        let pass = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for path in list(&folder) {
            cases += 1;
            if let Err(error) = check(&pass, &path) {
                failures.push(format!("{}: {error}", path.display()));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    for pass in PASSES {
        assert!(root.join(pass.name).is_dir(), "`{}` has no test", pass.name);
    }
    assert!(cases >= PASSES.len());
}

#[test]
fn an_ill_formed_graph_is_named() {
    let mut graph = parse("%x: f32[4] = input()\n%y: f32[5] = exp(%x)\noutput y = %y\n").unwrap();
    let options = Options {
        mixed_precision: None,
        rounded_weights: false,
        recompute: Recompute::None,
        most_products: usize::MAX,
        verify: true,
    };
    let error = optimize(&mut graph, &options).unwrap_err();
    assert!(error.starts_with("before the passes, the graph is ill-formed:\n  `y`:"));
}
