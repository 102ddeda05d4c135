//! PTX of models through `ptxas`: what each kernel takes of a card, without one.
//!
//! Kernels that are equal by content, of whatever model, are made and assembled once.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mm1_compiler::build::Purpose;
use mm1_compiler::codegen::{Backend, mlir};
use mm1_compiler::compile::{Body, Options, Scheduled, plan_for, schedule_kernels};
use mm1_compiler::kernel::StageKind;
use mm1_compiler::target::{GPU_TARGETS, GpuTarget, Target};
use mm1_dsl::model::Precision;

/// The architecture that ptxas is asked for.
pub const ARCHITECTURE: &str = "sm_90a";

/// A kernel as a driver would be given it.
pub struct Module {
    /// Model and precision that it was first found in.
    pub from: String,
    /// What it computes.
    pub name: String,
    /// How.
    pub schedule: String,
    /// Content.
    pub hash: String,
    /// Whether it multiplies matrices: products and attention must not spill.
    pub product: bool,
    /// Shared memory that the launch asks for, bytes.
    pub shared: u32,
    /// MLIR text.
    pub mlir: String,
}

/// What ptxas says of a kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Registers of a thread.
    pub registers: u32,
    /// Bytes of spill stores and loads.
    pub spills: u32,
    /// Shared memory of a block beside the launch's, bytes.
    pub shared: u32,
    /// Warnings and remarks on performance.
    pub notes: Vec<String>,
}

/// The card whose kernels are assembled.
///
/// # Panics
/// Where the table of targets has none.
pub fn card() -> GpuTarget {
    let found = GPU_TARGETS.into_iter().find(|it| it.wgmma);
    found.expect("the table of targets names Hopper")
}

/// Kernels of a model file that are not in `seen`, with its own precision or another.
///
/// # Errors
/// What is wrong with the model, or no schedule.
pub fn modules(
    model: &Path,
    precision: Option<&str>,
    seen: &mut BTreeSet<String>,
) -> Result<Vec<Module>, String> {
    let sets: Vec<String> = precision
        .iter()
        .map(|precision| format!("train.precision=\"{precision}\""))
        .collect();
    let loaded = mm1_dsl::load(model, &sets)
        .map_err(|diagnostics| diagnostics.sorted().render(false).to_string())?;
    let fault = |error: String| format!("{}: {error}", model.display());
    let options = Options::new(Target::Gpu(card()), Backend::Mlir);
    let planned =
        plan_for(&loaded, Purpose::All, &options).map_err(|error| fault(error.to_string()))?;
    let scheduled = schedule_kernels(&planned, &options).map_err(fault)?;
    let precision = match loaded.train.precision {
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
    };
    let from = format!("{} {precision}", loaded.name);
    let mut found = Vec::new();
    for it in scheduled {
        if !seen.insert(it.hash.clone()) {
            continue;
        }
        let product = it.kernel.stages.iter().any(|stage| {
            matches!(
                stage.kind,
                StageKind::Contract { .. } | StageKind::SoftmaxContract { .. }
            )
        });
        let Scheduled {
            kernel,
            schedule,
            hash,
            body,
            ..
        } = it;
        let Body::Gpu { text, launch } = body else {
            return Err(fault(format!("kernel `{}` is for a CPU", kernel.name)));
        };
        found.push(Module {
            from: from.clone(),
            name: kernel.name,
            schedule,
            hash,
            product,
            shared: launch.shared_bytes,
            mlir: text,
        });
    }
    Ok(found)
}

/// PTX of each module, in order.
///
/// # Errors
/// The first that does not compile.
pub fn ptx(modules: &[Module]) -> Result<Vec<String>, String> {
    let texts: Vec<&str> = modules.iter().map(|module| module.mlir.as_str()).collect();
    let found = mlir::compile_modules_to_ptx(&texts, &card(), threads());
    let named = modules.iter().zip(found);
    named
        .map(|(module, ptx)| ptx.map_err(|error| format!("kernel `{}`: {error}", module.name)))
        .collect()
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Assembles each PTX text, as many at once as there are processors.
///
/// # Errors
/// ptxas cannot be run, or what it refuses.
pub fn assemble(ptxas: &Path, texts: &[String]) -> Result<Vec<Report>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<Option<Result<Report, String>>>> =
        texts.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(text) = texts.get(index)
        {
            let report = one(ptxas, folder.path(), index, text);
            if let Ok(mut slot) = slots[index].lock() {
                *slot = Some(report);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads().min(texts.len()) {
            scope.spawn(work);
        }
        work();
    });
    let reports = slots.into_iter().map(|slot| {
        let report = slot.into_inner().ok().flatten();
        report.unwrap_or_else(|| Err("a thread of the assembler ended early".to_owned()))
    });
    reports.collect()
}

fn one(ptxas: &Path, folder: &Path, index: usize, text: &str) -> Result<Report, String> {
    let file = |extension: &str| -> PathBuf { folder.join(format!("{index}.{extension}")) };
    std::fs::write(file("ptx"), text).map_err(|error| error.to_string())?;
    let output = Command::new(ptxas)
        .arg(format!("-arch={ARCHITECTURE}"))
        .arg("-v")
        .arg(file("ptx"))
        .arg("-o")
        .arg(file("cubin"))
        .output()
        .map_err(|error| format!("{}: {error}", ptxas.display()))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("ptxas refuses a kernel: {said}\n{text}"));
    }
    // Nothing reads the machine code.
    let _ = std::fs::remove_file(file("cubin"));
    parse(&said)
}

/// Reads what `ptxas -v` prints about one kernel.
///
/// # Errors
/// Text that states no registers or no spills.
pub fn parse(said: &str) -> Result<Report, String> {
    let number_before = |line: &str, unit: &str| {
        let head = &line[..line.find(unit)?];
        let word = head.rsplit([' ', ',']).find(|word| !word.is_empty())?;
        word.parse::<u32>().ok()
    };
    let mut report = Report::default();
    let (mut registers, mut spills) = (false, false);
    for line in said.lines() {
        if let Some(found) = number_before(line, " registers") {
            report.registers = found;
            report.shared = number_before(line, " bytes smem").unwrap_or(0);
            registers = true;
        } else if let (Some(stored), Some(loaded)) = (
            number_before(line, " bytes spill stores"),
            number_before(line, " bytes spill loads"),
        ) {
            report.spills = stored + loaded;
            spills = true;
        } else {
            let usual = [
                "Compiling entry function",
                "Function properties",
                "bytes gmem",
                "Compile time",
            ];
            if !line.trim().is_empty() && !usual.iter().any(|it| line.contains(it)) {
                // The function's name changes with every schedule.
                let words = line.split_whitespace().filter(|word| !is_name(word));
                let note = words.collect::<Vec<_>>().join(" ");
                if !report.notes.contains(&note) {
                    report.notes.push(note);
                }
            }
        }
    }
    match registers && spills {
        true => Ok(report),
        false => Err(format!("ptxas states no registers or no spills: {said}")),
    }
}

/// Whether a word is a kernel's symbol.
fn is_name(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    word.len() == 17 && word.starts_with('k') && word[1..].chars().all(|c| c.is_ascii_hexdigit())
}

/// One line of the table.
pub struct Line<'a>(pub &'a Module, pub &'a Report);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(module, report) = self;
        let shared = module.shared + report.shared;
        write!(
            f,
            "{} | {} | {} registers, {} B spilled, {shared} B shared | {}",
            module.name, module.schedule, report.registers, report.spills, module.from,
        )?;
        report
            .notes
            .iter()
            .try_for_each(|note| write!(f, " | {note}"))
    }
}

/// What a table's lines state whatever LLVM made of the kernels, sorted: all but comments,
/// registers, spills and notes.
pub fn held(table: &str) -> Vec<String> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let mut held: Vec<String> = lines
        .map(|line| {
            let parts: Vec<&str> = line.split(" | ").collect();
            let shared = parts
                .get(2)
                .and_then(|numbers| numbers.rsplit(", ").next())
                .unwrap_or_default();
            let part = |at: usize| parts.get(at).copied().unwrap_or_default();
            [part(0), part(1), shared, part(3)].join(" | ")
        })
        .collect();
    held.sort();
    held
}

/// What no kernel may do: products that spill, matrix instructions that wait for each other.
pub fn faults(modules: &[Module], reports: &[Report]) -> Vec<String> {
    let mut found = Vec::new();
    for (module, report) in modules.iter().zip(reports) {
        let serialized = report.notes.iter().any(|note| note.contains("serialized"));
        let spills = module.product && report.spills > 0;
        if serialized || spills {
            let mut line = String::new();
            let why = match serialized {
                true => "its matrix instructions are serialized",
                false => "a product or attention spills registers",
            };
            let _ = write!(line, "{why}: {}", Line(module, report));
            found.push(line);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Report, held, parse};

    #[test]
    fn registers_spills_shared_memory_and_notes_are_read() {
        let said = "ptxas info    : 0 bytes gmem\n\
            ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are \
            serialized due to x in function 'k0123456789abcdef'\n\
            ptxas info    : Compiling entry function 'k0123456789abcdef' for 'sm_90a'\n\
            ptxas info    : Function properties for k0123456789abcdef\n    \
            8 bytes stack frame, 8 bytes spill stores, 16 bytes spill loads\n\
            ptxas info    : Used 40 registers, used 1 barriers, 48 bytes smem\n";
        let wanted = Report {
            registers: 40,
            spills: 24,
            shared: 48,
            notes: vec![
                "ptxas info : (C7510) Potential Performance Loss: wgmma.mma_async instructions \
                 are serialized due to x in function"
                    .to_owned(),
            ],
        };
        assert_eq!(parse(said), Ok(wanted));
        assert!(parse("ptxas info    : 0 bytes gmem").is_err());
    }

    #[test]
    fn registers_and_spills_are_not_held_but_schedules_are() {
        let table = |schedule: &str, registers: u32, spills: u32| {
            let numbers = format!("{registers} registers, {spills} B spilled, 64 B shared");
            format!("# kept\nadd | {schedule} | {numbers} | tiny f32\n")
        };
        let kept = held(&table("rows", 40, 0));
        assert_eq!(kept, ["add | rows | 64 B shared | tiny f32"]);
        assert_eq!(kept, held(&table("rows", 32, 16)));
        assert_ne!(kept, held(&table("columns", 40, 0)));
    }
}
