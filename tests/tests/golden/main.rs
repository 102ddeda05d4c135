//! The golden tree: `in/NAME.toml` → `out/NAME/STAGE.txt`, every stage of the compiler that is a
//! function of the model alone, and the kernels of all of them in `out/kernels.txt`.
//!
//! `MM1C_BLESS=1` rewrites what differs and removes what nothing makes any more.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "mlir")]
mod kernels;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mm1_compiler::build::Purpose;
use mm1_compiler::compile::{CompileError, Planned, distinct_kernels, plan_model};
use mm1_compiler::emit;
use mm1_compiler::graph::Graph;
use mm1_compiler::graph::text::{parse, print};
use mm1_compiler::graph::verify::verify;
use mm1_compiler::passes::run;
use mm1_dsl::diagnostic::Diagnostics;
use mm1_dsl::model::{Model, Precision};
use mm1_tests::golden;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Names of the models, sorted.
fn names() -> Vec<String> {
    let entries = fs::read_dir(root().join("in")).unwrap();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".toml").map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

/// Diagnostics as a person reads them, paths from this folder on.
fn refusal(diagnostics: Diagnostics) -> String {
    let folder = format!("{}/", root().join("in").display());
    diagnostics.sorted().render(false).replace(&folder, "")
}

fn compiled(name: &str) -> Result<(Model, Planned), String> {
    let path = root().join("in").join(format!("{name}.toml"));
    let model = mm1_dsl::load(&path, &[]).map_err(refusal)?;
    match plan_model(&model, Purpose::All, true) {
        Ok(planned) => Ok((model, planned)),
        Err(CompileError::Model(list)) => {
            let sources = model.sources().clone();
            Err(refusal(Diagnostics { list, sources }))
        }
        Err(CompileError::Internal(error)) => panic!("{name}: {error}"),
    }
}

/// File name → text.
fn stages(name: &str, kernels: &mut BTreeMap<String, String>) -> Vec<(&'static str, String)> {
    let (model, mut planned) = match compiled(name) {
        Ok(found) => found,
        Err(error) => return vec![("error.txt", error)],
    };
    for kernel in distinct_kernels(&planned) {
        kernels.insert(
            format!("{} {}", kernel.name, kernel.hash()),
            kernel.to_string(),
        );
    }
    // Components and data of a project are named by their place on this machine.
    let here = root().join("..").canonicalize().unwrap();
    let here = format!("{}/", here.display());
    let calls = emit::calls(&planned, true);
    // The others are parts of these.
    let shown = ["accumulate", "apply", "decode"];
    let programs = &mut planned.programs;
    programs.retain(|program| shown.contains(&program.source.name.as_str()));
    vec![
        ("model.txt", model.resolved.replace(&here, "")),
        ("graph.txt", emit::graphs(&planned, true)),
        ("fused.txt", calls),
        ("plan.txt", emit::plans(&planned)),
        ("params.txt", emit::parameters(&planned.built.layout)),
    ]
}

/// Kept files, relative to `out`.
fn kept(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            kept(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn stages_are_as_kept() {
    let names = names();
    assert!(names.len() >= 12);
    let out = root().join("out");
    let mut failures = Vec::new();
    let mut made = Vec::new();
    let mut kernels = BTreeMap::new();
    let mut check = |path: PathBuf, text: &str| {
        failures.extend(golden::check(&path, text).err());
        made.push(path);
    };
    for name in &names {
        for (file, text) in stages(name, &mut kernels) {
            check(out.join(name).join(file), &text);
        }
    }
    let kernels: Vec<String> = kernels.into_values().collect();
    check(out.join("kernels.txt"), &kernels.join("\n"));
    let mut stale = Vec::new();
    kept(&out, &mut stale);
    stale.retain(|path| !made.contains(path));
    stale.sort();
    for path in stale {
        if golden::bless() {
            fs::remove_file(&path).unwrap();
        } else {
            failures.push(format!("nothing makes {}", path.display()));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn graphs_parse_back() {
    let mut programs = 0;
    for (_, planned) in names().iter().filter_map(|name| compiled(name).ok()) {
        for program in &planned.programs {
            let text = print(&program.source.graph);
            let parsed = parse(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(print(&parsed), text, "{}", program.source.name);
            verify(&parsed).unwrap_or_else(|violations| panic!("{violations:#?}"));
            programs += 1;
        }
    }
    assert!(programs > 50, "{programs} programs");
}

/// A second run of all passes finds nothing to do (in f32: element types are assigned once).
#[test]
fn passes_are_idempotent() {
    // Nodes are printed by age where the operands leave a choice.
    let lines = |graph: &Graph| {
        let text = print(graph);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("\n")
    };
    for (model, planned) in names().iter().filter_map(|name| compiled(name).ok()) {
        if model.train.precision != Precision::F32 {
            continue;
        }
        for program in &planned.programs {
            let mut graph = program.source.graph.clone();
            run(&mut graph, &model.train, true).unwrap();
            let (first, second) = (lines(&program.source.graph), lines(&graph));
            let what = format!("{}, {}", model.name, program.source.name);
            assert!(first == second, "{what}\n{}", golden::diff(&first, &second));
        }
    }
}
