//! `mm1c doctor`: what is installed, and which targets work.
//!
//! A target works if code for it was made just now, of a model of one block, and loaded into the
//! device that it is for; nothing is concluded from versions alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use mm1_compiler::build::Purpose;
use mm1_compiler::codegen::Backend;
use mm1_compiler::compile::{Options, compile};
use mm1_compiler::target::{CPU_TARGETS, GPU_TARGETS, Target};
use mm1_dsl::model::Model;
use mm1_package::Package;
use mm1_runtime::device::choice::Settings;
use mm1_runtime::device::{self, Choice};
use serde_json::{Value, json};

use crate::args::DoctorArgs;
use crate::cache;
use crate::compile::threads;
use crate::failure::Failure;

/// A model of one block; its code is made in a moment.
const SMALL: &str = r#"
name = "doctor"
[decoder]
width = 16
depth = 1
heads = 2
mlp_width = 32
vocabulary = 272
max_sequence_length = 16
[train]
global_batch_sequences = 1
"#;

/// Prints what is installed; the exit code is 0 unless no target works.
///
/// # Errors
/// None of this machine: what is wrong is what is printed.
pub fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let model = mm1_dsl::load_text(Path::new("doctor.toml"), SMALL, &[])
        .map_err(|found| Failure::rendered(found.render(false)))?;
    let targets = targets(&model);
    let works = targets.iter().any(|target| target["works"] == true);
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "processor": processor(),
        "threads": threads(None),
        "memory_gib": memory_gib(),
        "features": features(),
        "code_generators": generators(),
        "nvidia_driver": driver(),
        "ptxas": ptxas(),
        "targets": targets,
        "cache": kept(),
        "works": works,
    });
    match args.json {
        true => outln!("{}", serde_json::to_string_pretty(&report)?),
        false => out!("{}", text(&report)),
    }
    Ok(match works {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The processor's name, where the system tells.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// Memory in all, GiB.
fn memory_gib() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kib / 1024.0 / 1024.0 * 10.0).round() / 10.0)
}

/// What targets may want of the processor, and whether it has it.
fn features() -> Value {
    let wanted: BTreeSet<&str> = CPU_TARGETS.iter().flat_map(|it| it.required()).collect();
    let has = wanted.into_iter().map(|name| {
        let has = mm1_package::cpu::has(name);
        (name.to_string(), json!(has))
    });
    Value::Object(has.collect())
}

fn generators() -> Vec<&'static str> {
    match cfg!(feature = "mlir") {
        true => vec!["mlir", "cranelift"],
        false => vec!["cranelift"],
    }
}

/// The first line that a program prints, if it is there.
fn first_line(program: &str, arguments: &[&str], wanted: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let out = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(wanted))?;
    Some(line.trim().to_string())
}

/// The version of the kernel's driver, where the system tells.
fn driver() -> Option<String> {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    Some(text.lines().next()?.trim().to_string())
}

/// `ptxas`, which mm1c does not need: the driver makes machine code of PTX.
fn ptxas() -> Option<String> {
    first_line("ptxas", &["--version"], "release")
}

/// Every target, and whether it works; where not, why.
fn targets(model: &Model) -> Vec<Value> {
    let mut rows = Vec::new();
    for target in CPU_TARGETS {
        let missing: Vec<&str> = target
            .required()
            .filter(|name| !mm1_package::cpu::has(name))
            .collect();
        for generator in generators() {
            let outcome = match missing.is_empty() {
                true => tried(model, Target::Cpu(target), generator, Choice::Cpu),
                false => Err(format!("the processor lacks {}", missing.join(", "))),
            };
            rows.push(row(target.name, generator, outcome));
        }
    }
    for target in GPU_TARGETS {
        let outcome = tried(model, Target::Gpu(target), "mlir", Choice::Cuda(0));
        rows.push(row(target.name, "mlir", outcome));
    }
    rows
}

fn row(target: &str, generator: &str, outcome: Result<String, String>) -> Value {
    match outcome {
        Ok(device) => {
            json!({ "target": target, "code": generator, "works": true, "device": device })
        }
        Err(why) => json!({ "target": target, "code": generator, "works": false, "why": why }),
    }
}

/// Makes code and loads it; the device's name.
fn tried(model: &Model, target: Target, generator: &str, choice: Choice) -> Result<String, String> {
    let first = |text: String| text.lines().next().unwrap_or_default().to_string();
    let settings = Settings {
        threads: 1,
        cache: None,
    };
    // A card that is not there needs no code.
    let opened = device::open(choice, settings).map_err(|error| first(error.to_string()));
    let mut device = match (opened, choice) {
        (Err(why), Choice::Cuda(_)) => return Err(format!("no card: {why}")),
        (opened, _) => opened?,
    };
    if generator == "mlir" && cfg!(not(feature = "mlir")) {
        return Err(
            "this mm1c was built without MLIR and makes no code for it; packages made \
                    elsewhere run"
                .to_string(),
        );
    }
    let options = Options::new(target, Backend::parse(generator)?);
    let package: Package =
        compile(model, Purpose::All, &options).map_err(|error| first(error.to_string()))?;
    device
        .load(Arc::new(package))
        .map_err(|error| first(error.to_string()))?;
    Ok(device.name())
}

/// The cache's folder with its files and bytes.
fn kept() -> Value {
    let Some(folder) = cache::folder() else {
        return Value::Null;
    };
    let (mut files, mut bytes) = (0u64, 0u64);
    let mut waiting: Vec<PathBuf> = vec![folder.clone()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(facts) if facts.is_dir() => waiting.push(entry.path()),
                Ok(facts) => {
                    files += 1;
                    bytes += facts.len();
                }
                Err(_) => {}
            }
        }
    }
    json!({ "folder": folder.display().to_string(), "files": files, "bytes": bytes })
}

/// The report for a person.
fn text(report: &Value) -> String {
    let word = |name: &str| match &report[name] {
        Value::Null => "not found".to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut text = String::new();
    let _ = writeln!(
        text,
        "mm1c             {}, {}",
        word("version"),
        word("system")
    );
    let _ = writeln!(
        text,
        "processor        {}, {} threads, {} GiB",
        word("processor"),
        word("threads"),
        word("memory_gib")
    );
    let features = |wanted: bool| -> String {
        let map = report["features"].as_object().into_iter().flatten();
        let names = map
            .filter(|(_, has)| **has == wanted)
            .map(|(name, _)| name.as_str());
        let names: Vec<&str> = names.collect();
        match names.is_empty() {
            true => "none".to_string(),
            false => names.join(" "),
        }
    };
    let _ = writeln!(text, "  it has         {}", features(true));
    let _ = writeln!(text, "  it lacks       {}", features(false));
    let generators = report["code_generators"].as_array().into_iter().flatten();
    let generators: Vec<&str> = generators.filter_map(Value::as_str).collect();
    let _ = writeln!(text, "code generators  {}", generators.join(", "));
    let _ = writeln!(text, "NVIDIA driver    {}", word("nvidia_driver"));
    let _ = writeln!(text, "ptxas            {} (not needed)", word("ptxas"));
    let cache = match &report["cache"] {
        Value::Null => "off".to_string(),
        cache => format!(
            "{}: {} files, {} MiB",
            cache["folder"].as_str().unwrap_or_default(),
            cache["files"],
            cache["bytes"].as_u64().unwrap_or(0) >> 20
        ),
    };
    let _ = writeln!(text, "cache            {cache}\n");
    for target in report["targets"].as_array().into_iter().flatten() {
        let name = target["target"].as_str().unwrap_or_default();
        let code = target["code"].as_str().unwrap_or_default();
        let outcome = match target["why"].as_str() {
            None => format!("works ({})", target["device"].as_str().unwrap_or_default()),
            Some(why) => format!("no: {why}"),
        };
        let _ = writeln!(text, "{name:20} {code:10} {outcome}");
    }
    text
}
