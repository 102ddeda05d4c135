//! `mm1c explain`: what the tables say of a code, key, operation or kernel.

use mm1_compiler::build::Purpose;
use mm1_compiler::compile::{Planned, plan_model};
use mm1_compiler::graph::table::{OPS, OpRow};
use mm1_dsl::explain;
use mm1_dsl::nearest::{did_you_mean, nearest};
use mm1_runtime::codes;

use crate::args::ExplainArgs;
use crate::compile::{load_model, refused};
use crate::failure::Failure;

/// Prints what is known of a name.
///
/// # Errors
/// A name that no table has, with the nearest that one has.
pub fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let name = args.name.as_str();
    let mut parts: Vec<String> = explain::explain(name).into_iter().collect();
    parts.extend(run_code(name));
    parts.extend(OpRow::by_name(name).map(graph_op));
    let mut names = explain::names();
    names.extend(codes::CODES.iter().map(|row| row.code.to_string()));
    names.extend(OPS.iter().map(|row| row.name.to_string()));
    if let Some(model) = &args.model {
        let model = load_model(model, &args.sets)?;
        let planned = plan_model(&model, Purpose::All, cfg!(debug_assertions))
            .map_err(|error| refused(&model, error))?;
        parts.extend(kernels(&planned, name, &mut names));
    }
    if parts.is_empty() {
        let near = nearest(name, names.iter().map(String::as_str));
        let help = did_you_mean(&near).unwrap_or_else(|| {
            "codes are those of messages, keys those of `mm1c resolve`; kernels belong to a model: \
             name it with `--model`"
                .to_string()
        });
        return Err(Failure::new(format!(
            "nothing is called `{name}`\nhelp: {help}"
        )));
    }
    out!("{}", parts.join("\n"));
    Ok(())
}

/// A code of the runtime.
fn run_code(name: &str) -> Option<String> {
    let upper = name.to_uppercase();
    let row = codes::CODES
        .iter()
        .find(|row| row.code == upper || row.code.strip_prefix("MM1C") == Some(upper.as_str()))?;
    Some(format!("{}: {}\n\n{}\n", row.code, row.title, row.doc))
}

/// An operation of the graph.
fn graph_op(row: &OpRow) -> String {
    let list = |names: &[&str]| match names {
        [] => "none".to_string(),
        names => names.join(", "),
    };
    format!(
        "op `{}` of graphs: {}\n\n  operands   {}\n  results    {}\n",
        row.name,
        row.doc,
        list(row.operands),
        list(row.results)
    )
}

/// The kernels called `name`, or whose hash begins so: what they compute, and who calls them.
fn kernels(planned: &Planned, name: &str, names: &mut Vec<String>) -> Vec<String> {
    let mut found: Vec<(String, String)> = Vec::new();
    for program in &planned.programs {
        for call in &program.fused.calls {
            let kernel = &call.kernel;
            let hash = kernel.hash();
            names.push(kernel.name.clone());
            if kernel.name != name && !(name.len() >= 6 && hash.starts_with(name)) {
                continue;
            }
            let line = format!(
                "  {} of {}: {} FLOPs\n",
                call.name, program.source.name, call.flops
            );
            match found.iter_mut().find(|(known, _)| *known == hash) {
                Some((_, text)) => text.push_str(&line),
                None => {
                    let text = format!(
                        "kernel {} {hash}\n\n{kernel}\ncalled by\n{line}",
                        kernel.name
                    );
                    found.push((hash, text));
                }
            }
        }
    }
    found.into_iter().map(|(_, text)| text).collect()
}
