//! The stages of a compilation as text, for `mm1c compile --emit`.

use std::fmt::Write as _;

use mm1_compiler::build::Purpose;
use mm1_compiler::codegen::cranelift;
use mm1_compiler::compile::{
    Options, Planned, Scheduled, distinct_kernels, plan_for, schedule_kernels,
};
use mm1_compiler::fuse::{self, Home};
use mm1_compiler::summary::Summary;
use mm1_compiler::{graph, loops};
use mm1_dsl::model::Model;

use crate::commands::summary;
use crate::compile::{Request, options, refused};
use crate::failure::Failure;

/// Stages that [`stage`] prints, in the order of compilation.
pub const STAGES: &[&str] = &[
    "model", "graph", "fused", "kernels", "plan", "loops", "mlir", "clif", "ptx",
];

/// The text of one stage of the compilation of `model`.
///
/// # Errors
/// A model that the compiler refuses, or a stage that does not exist or not for this target.
pub fn stage(model: &Model, name: &str, request: &Request) -> Result<String, Failure> {
    let print: fn(&Planned, &Options) -> Result<String, Failure> = match name {
        "model" => return Ok(model.resolved.clone()),
        "graph" => |planned, _| {
            Ok(by_program(planned, |it| {
                graph::text::print(&it.source.graph)
            }))
        },
        "fused" => |planned, _| Ok(by_program(planned, |it| fuse::text::print(&it.fused))),
        "kernels" => |planned, _| {
            let kernels = distinct_kernels(planned);
            Ok(kernels.iter().map(ToString::to_string).collect())
        },
        "plan" => |planned, _| Ok(by_program(planned, plan)),
        "loops" => |planned, options| {
            each_kernel(planned, options, |it| {
                Ok(loops::text::print(it.function()?))
            })
        },
        "mlir" => mlir,
        "clif" => |planned, options| {
            // Cranelift's own schedule, whatever else is asked for.
            let options = Options {
                backend: mm1_compiler::codegen::Backend::Cranelift,
                ..options.clone()
            };
            each_kernel(planned, &options, |it| {
                cranelift::function_text(it.function()?)
            })
        },
        "ptx" => ptx,
        unknown => {
            return Err(Failure::new(format!(
                "there is no stage `{unknown}` to print; there is {}",
                STAGES.join(", ")
            )));
        }
    };
    let options = Options {
        verify: true,
        ..options(request)?
    };
    let planned = plan_for(model, Purpose::All, &options).map_err(|error| refused(model, error))?;
    print(&planned, &options)
}

/// What a run directory shows of a compilation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// Graphs of all programs after the passes, long constants as hashes.
    pub graph: String,
    /// Memory plans.
    pub plan: String,
    /// Parameters, FLOPs and memory per component.
    pub summary: String,
}

impl Texts {
    /// Those of a planned model.
    pub fn new(model: &Model, planned: &Planned) -> Self {
        Self {
            graph: by_program(planned, |it| graph::text::display(&it.source.graph)),
            plan: by_program(planned, plan),
            summary: summary::text(&Summary::of(model, planned)),
        }
    }
}

fn by_program(
    planned: &Planned,
    text: impl Fn(&mm1_compiler::compile::PlannedProgram) -> String,
) -> String {
    let programs = planned.programs.iter();
    programs
        .map(|it| format!("# program {}\n{}\n", it.source.name, text(it)))
        .collect()
}

fn each_kernel(
    planned: &Planned,
    options: &Options,
    text: impl Fn(&Scheduled) -> Result<String, String>,
) -> Result<String, Failure> {
    let mut out = String::new();
    let kernels = schedule_kernels(planned, options).map_err(Failure::new)?;
    for it in &kernels {
        let text = text(it).map_err(Failure::new)?;
        let (name, schedule) = (&it.kernel.name, &it.schedule);
        let _ = writeln!(out, "# {} {name}: {schedule}\n{text}", it.hash);
    }
    Ok(out)
}

#[cfg(feature = "mlir")]
fn mlir(planned: &Planned, options: &Options) -> Result<String, Failure> {
    use mm1_compiler::codegen::{Backend, mlir};
    use mm1_compiler::compile::Body;
    use mm1_compiler::target::Target;
    let options = Options {
        backend: Backend::Mlir,
        ..options.clone()
    };
    let text = each_kernel(planned, &options, |it| match (&it.body, &options.target) {
        (Body::Loops(function), Target::Cpu(target)) => {
            mlir::emit_function(function, target).map_err(|it| it.to_string())
        }
        (Body::Gpu { text, .. }, _) => Ok(text.clone()),
        (Body::Loops(_), Target::Gpu(_)) => it.function().map(|_| String::new()),
    })?;
    // `#` begins no comment in MLIR.
    Ok(text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(head) => format!("// {head}\n"),
            None => format!("{line}\n"),
        })
        .collect())
}

/// PTX of every kernel, for a target that is a card.
#[cfg(feature = "mlir")]
fn ptx(planned: &Planned, options: &Options) -> Result<String, Failure> {
    use mm1_compiler::codegen::nvgpu;
    use mm1_compiler::target::Target;
    let Target::Gpu(target) = &options.target else {
        return Err(Failure::new(format!(
            "there is no PTX for `{}`; name a card with --target",
            options.target
        )));
    };
    let kernels = schedule_kernels(planned, options).map_err(Failure::new)?;
    let (code, entries) = nvgpu::compile(&kernels, target).map_err(Failure::new)?;
    let mut out = String::new();
    for (it, (entry, launch)) in kernels.iter().zip(&entries) {
        let length = launch.as_ref().map_or(0, |launch| launch.ptx_bytes);
        let module = &code[*entry as usize..(*entry + length) as usize];
        let (name, schedule) = (&it.kernel.name, &it.schedule);
        let module = String::from_utf8_lossy(module);
        let _ = writeln!(out, "// {} {name}: {schedule}\n{module}", it.hash);
    }
    Ok(out)
}

#[cfg(not(feature = "mlir"))]
fn ptx(_: &Planned, _: &Options) -> Result<String, Failure> {
    Err(Failure::new(
        "this mm1c was built without MLIR, which PTX comes from",
    ))
}

#[cfg(not(feature = "mlir"))]
fn mlir(_: &Planned, _: &Options) -> Result<String, Failure> {
    Err(Failure::new("this mm1c was built without MLIR"))
}

/// Totals, then each buffer of the arena by offset.
fn plan(program: &mm1_compiler::compile::PlannedProgram) -> String {
    let plan = &program.plan;
    let mut text = format!(
        "{} launches, arena {} bytes, largest live set {} bytes\n",
        program.fused.calls.len(),
        plan.arena_bytes,
        plan.largest_live_bytes
    );
    let mut placed: Vec<(u64, u64, &str)> = program
        .fused
        .buffers
        .iter()
        .zip(&plan.offsets)
        .filter(|(info, _)| info.home == Home::Arena)
        .filter_map(|(info, offset)| Some(((*offset)?, info.bytes(), info.name.as_str())))
        .collect();
    placed.sort_unstable();
    for (offset, bytes, name) in placed {
        let _ = writeln!(text, "{offset:>12} {bytes:>12} {name}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Backend;
    use crate::compile::load_model;
    use std::path::PathBuf;

    #[test]
    fn every_stage_prints_and_others_are_refused() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/tiny/tokens-4.toml");
        let model = load_model(&path, &[]).expect("a correct file");
        let request = Request {
            backend: Some(Backend::Cranelift),
            target: Some("cpu:x86-64-v3".to_owned()),
            ..Request::default()
        };
        for (name, content) in [
            ("model", "[decoder]"),
            ("graph", "# program accumulate\n"),
            ("fused", " -> "),
            ("kernels", "\n  s0[a0"),
            ("plan", "largest live set"),
            ("loops", "  for %"),
            ("clif", "function "),
        ] {
            let text = stage(&model, name, &request).expect("a stage");
            assert!(text.contains(content), "{name}: {text}");
        }
        #[cfg(feature = "mlir")]
        {
            let text = stage(&model, "mlir", &request).expect("a stage");
            assert!(text.contains("llvm.") || text.contains("func."), "{text}");
        }
        let refused = |name| {
            stage(&model, name, &request)
                .expect_err("refused")
                .to_string()
        };
        assert!(refused("ptx").contains("PTX"));
        assert!(refused("asm").contains("graph, fused, kernels"));
    }
}
