//! `ptxas-check PTXAS [MODEL…]`: every kernel of models through ptxas, with the time that takes.
//!
//! Without models: those of [`GOLDEN`], in f32 and bf16, compared with `tests/ptxas.txt`
//! (`MM1C_BLESS=1` rewrites it). A product or attention that spills and a matrix instruction that
//! is serialized are failures either way.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use mm1_tests::assemble::{Line, Module, assemble, faults, modules, ptx};
use mm1_tests::golden;

/// Models of the table, by file under `models`.
const GOLDEN: [&str; 5] = [
    "bench/tiny.toml",
    "mm1-tiny.toml",
    "tiny/attention-pool.toml",
    "tiny/c-abstractor.toml",
    "tiny/mlp.toml",
];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let Some(ptxas) = arguments.next() else {
        eprintln!("usage: ptxas-check PTXAS [MODEL…]");
        return ExitCode::from(2);
    };
    let models: Vec<PathBuf> = arguments.collect();
    match check(&ptxas, &models) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check(ptxas: &Path, models: &[PathBuf]) -> Result<(), String> {
    let begin = Instant::now();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = BTreeSet::new();
    let mut all: Vec<Module> = Vec::new();
    if models.is_empty() {
        for model in GOLDEN {
            let path = root.join("../models").join(model);
            for precision in ["f32", "bf16"] {
                all.extend(modules(&path, Some(precision), &mut seen)?);
            }
        }
    } else {
        for model in models {
            let known = all.len();
            all.extend(modules(model, None, &mut seen)?);
            let new = all.len() - known;
            eprintln!("{}: {new} kernels that none before has", model.display());
        }
    }
    let planned = begin.elapsed();
    let texts = ptx(&all)?;
    let compiled = begin.elapsed();
    let reports = assemble(ptxas, &texts)?;
    let assembled = begin.elapsed();
    let mut table: Vec<String> = all
        .iter()
        .zip(&reports)
        .map(|(module, report)| format!("{}\n", Line(module, report)))
        .collect();
    let spilling = reports.iter().filter(|report| report.spills > 0).count();
    eprintln!(
        "{} kernels, {spilling} of them spill: planned in {:.1} s, PTX in {:.1} s, assembled in {:.1} s",
        all.len(),
        planned.as_secs_f64(),
        (compiled - planned).as_secs_f64(),
        (assembled - compiled).as_secs_f64(),
    );
    let mut failures = faults(&all, &reports);
    if models.is_empty() {
        table.sort();
        failures.extend(golden::check(&root.join("ptxas.txt"), &table.concat()).err());
    } else {
        print!("{}", table.concat());
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures.join("\n")),
    }
}
