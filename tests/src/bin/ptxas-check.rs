//! `ptxas-check PTXAS [MODEL…]`: every kernel of models through ptxas, with the time that takes.
//!
//! Without models: those of [`GOLDEN`], in f32 and bf16, compared with `tests/ptxas.txt`
//! (`MM1C_BLESS=1` rewrites it), whose head says what is compared. A product or attention that spills and a matrix
//! instruction that is serialized are failures either way.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use mm1_compiler::codegen::mlir::llvm_version;
use mm1_tests::assemble::{ARCHITECTURE, Line, Module, assemble, faults, held, modules, ptx};
use mm1_tests::golden;

/// Models of the table, by file under `models`.
const GOLDEN: [&str; 6] = [
    "bench/tiny.toml",
    "mm1-tiny.toml",
    "tiny/attention-pool.toml",
    "tiny/c-abstractor.toml",
    "tiny/mlp.toml",
    "tiny/moe.toml",
];

/// Head of the table.
fn header() -> String {
    format!(
        "\
# Every kernel of bench/tiny, mm1-tiny, one model per connector and one of experts, in f32 and bf16, as
# ptxas takes it for {ARCHITECTURE}: name | schedule | registers, spills, shared memory | the first model that has it.
# scripts/ptxas-check compares names, schedules, shared memory and models. Registers and spills are those
# of LLVM {} and differ with its patch level, so they are here to be read; but products and attention
# must not spill, and ptxas must neither refuse a kernel nor serialize its matrix instructions.
",
        llvm_version()
    )
}

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
        failures.extend(compare(&root.join("ptxas.txt"), &table.concat()).err());
    } else {
        print!("{}", table.concat());
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures.join("\n")),
    }
}

/// Compares a table with the kept one, or rewrites that.
fn compare(path: &Path, table: &str) -> Result<(), String> {
    let found = header() + table;
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    if !golden::bless() && kept != found && held(&kept) == held(&found) {
        eprintln!("registers or spills differ from {}", path.display());
        return Ok(());
    }
    golden::check(path, &found)
}
