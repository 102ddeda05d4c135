//! `mm1c diff`: two models by their resolved keys, and what the difference costs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use mm1_compiler::summary::{Component, KernelUse, Summary};
use serde_json::json;

use super::{columns, summary};
use crate::args::DiffArgs;
use crate::compile::load_model;
use crate::failure::Failure;

/// Compares; exit code 1 where the resolved files differ, as `diff` has it.
///
/// # Errors
/// The findings of either file.
pub fn run(args: &DiffArgs) -> Result<ExitCode, Failure> {
    let left = load_model(&args.left, &args.sets)?;
    let right = load_model(&args.right, &args.sets)?;
    let diff = mm1_dsl::diff(&left, &right);
    let code = match diff.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    };
    if args.keys {
        out!("{diff}");
        return Ok(code);
    }
    let costs = [summary::of(&left)?, summary::of(&right)?];
    if args.json {
        let value = |value: &Option<_>| value.as_ref().map(ToString::to_string);
        let keys: Vec<_> = diff
            .changes
            .iter()
            .map(|it| json!({ "key": it.path, "left": value(&it.left), "right": value(&it.right) }))
            .collect();
        let kernels = Kernels::new(&costs[0], &costs[1]);
        let out = json!({
            "keys": keys,
            "left": costs[0],
            "right": costs[1],
            "kernels": {
                "shared": kernels.shared, "removed": kernels.removed, "added": kernels.added,
            },
        });
        outln!("{}", serde_json::to_string_pretty(&out)?);
        return Ok(code);
    }
    out!("{diff}");
    if !diff.is_empty() {
        outln!();
    }
    out!("{}", text(&costs[0], &costs[1]));
    Ok(code)
}

/// Kernels by content.
struct Kernels<'a> {
    shared: Vec<&'a KernelUse>,
    removed: Vec<&'a KernelUse>,
    added: Vec<&'a KernelUse>,
}

impl<'a> Kernels<'a> {
    fn new(left: &'a Summary, right: &'a Summary) -> Self {
        let without = |list: &'a Summary, other: &Summary| {
            let known = |it: &&KernelUse| other.kernels.iter().any(|known| known.hash == it.hash);
            list.kernels.iter().partition(known)
        };
        let (shared, removed) = without(left, right);
        let (_, added): (Vec<_>, _) = without(right, left);
        Self {
            shared,
            removed,
            added,
        }
    }
}

/// Costs side by side: parts that differ, totals, memory, kernels.
fn text(left: &Summary, right: &Summary) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, of: &dyn Fn(u64) -> String, a: u64, b: u64, always: bool| {
        if a != b || always {
            let change = match (a, b) {
                (a, b) if a == b => "=".to_owned(),
                (0, _) => "new".to_owned(),
                (a, b) => format!("{:+.2} %", (b as f64 / a as f64 - 1.0) * 100.0),
            };
            rows.push(vec![name.to_owned(), of(a), of(b), change]);
        }
    };
    let parts = [left, right].map(|it| by_name(&it.components));
    let mut names: Vec<&str> = parts[0].iter().map(|(name, _)| *name).collect();
    names.extend(
        parts[1]
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !parts[0].iter().any(|(known, _)| known == name)),
    );
    let [of_left, of_right] = parts.map(|it| it.into_iter().collect::<BTreeMap<_, _>>());
    for name in names {
        let [a, b] = [&of_left, &of_right]
            .map(|it| it.get(name).map(|it| it.costs))
            .map(Option::unwrap_or_default);
        let (count, giga) = (&summary::grouped, &summary::giga);
        row(
            &format!("{name}: parameters"),
            count,
            a.parameters,
            b.parameters,
            false,
        );
        row(
            &format!("{name}: GFLOP forward"),
            giga,
            a.forward_flops,
            b.forward_flops,
            false,
        );
        row(
            &format!("{name}: GFLOP training"),
            giga,
            a.training_flops,
            b.training_flops,
            false,
        );
    }
    for (name, of) in [
        (
            "total: parameters",
            (|it: &Summary| it.total.parameters) as fn(&Summary) -> u64,
        ),
        ("total: trained", |it| it.total.trained),
    ] {
        row(name, &summary::grouped, of(left), of(right), true);
    }
    for (name, of) in [
        (
            "total: GFLOP forward",
            (|it: &Summary| it.flops.forward) as fn(&Summary) -> u64,
        ),
        ("total: GFLOP training", |it| it.flops.training),
    ] {
        row(name, &summary::giga, of(left), of(right), true);
    }
    for (name, of) in [
        (
            "memory: parameters, gradients, moments (MiB)",
            (|it: &Summary| it.memory.parameters + it.memory.gradients + it.memory.moments)
                as fn(&Summary) -> u64,
        ),
        ("memory: arena (MiB)", |it| it.memory.arena),
        ("memory: state (MiB)", |it| it.memory.state),
        ("memory: total (MiB)", |it| it.memory.total),
    ] {
        row(name, &summary::mib, of(left), of(right), true);
    }
    let head = ["", &left.model, &right.model, "change"].map(str::to_owned);
    let mut out = columns(&head, &rows);
    let kernels = Kernels::new(left, right);
    let _ = writeln!(
        out,
        "\nkernels: {} shared, {} removed, {} added",
        kernels.shared.len(),
        kernels.removed.len(),
        kernels.added.len()
    );
    for (sign, list) in [("-", &kernels.removed), ("+", &kernels.added)] {
        for kernel in list {
            let _ = writeln!(
                out,
                "{sign} {} {} ({} calls)",
                kernel.hash, kernel.name, kernel.calls
            );
        }
    }
    out
}

/// All parts of both levels, in order.
fn by_name(components: &[Component]) -> Vec<(&str, &Component)> {
    components
        .iter()
        .flat_map(|it| std::iter::once(it).chain(&it.parts))
        .map(|it| (it.name.as_str(), it))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn bench(name: &str, sets: &[&str]) -> Summary {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../models/bench")
            .join(format!("{name}.toml"));
        let sets: Vec<String> = sets.iter().map(|it| (*it).to_owned()).collect();
        summary::of(&load_model(&path, &sets).expect("a correct file")).expect("it compiles")
    }

    #[test]
    fn a_connector_changes_nothing_but_the_connector() {
        let (left, right) = (bench("tiny", &[]), bench("tiny-cabstractor", &[]));
        let text = text(&left, &right);
        assert!(text.contains("connector: parameters"), "{text}");
        assert!(!text.contains("encoder"), "{text}");
        assert!(!text.contains("decoder"), "{text}");
        let kernels = Kernels::new(&left, &right);
        assert!(!kernels.shared.is_empty() && !kernels.added.is_empty());
        assert_eq!(
            kernels.shared.len() + kernels.removed.len(),
            left.kernels.len()
        );
        assert_eq!(
            kernels.shared.len() + kernels.added.len(),
            right.kernels.len()
        );
    }

    #[test]
    fn a_learning_rate_changes_no_kernel() {
        let (left, right) = (bench("tiny", &[]), bench("tiny", &["train.lr=1e-5"]));
        let kernels = Kernels::new(&left, &right);
        assert!(kernels.removed.is_empty() && kernels.added.is_empty());
        assert_eq!(left.total, right.total);
    }
}
