//! `mm1c diff`: two models by their resolved keys, and what the difference costs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use mm1_compiler::summary::{Component, KernelUse, Summary};
use mm1_dsl::component::Argument;
use mm1_dsl::diff::Diff;
use serde_json::json;

use super::{columns, summary};
use crate::args::DiffArgs;
use crate::compile::load_model;
use crate::failure::Failure;
use crate::seen::{Estimate, Seen, Tokenizers};

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
    if args.keys || (diff.is_empty() && !args.json) {
        out!("{diff}");
        return Ok(code);
    }
    let costs = [summary::of(&left)?, summary::of(&right)?];
    let mut tokenizers = Tokenizers::default();
    let seen = [(&left, &costs[0]), (&right, &costs[1])]
        .map(|(model, costs)| Seen::of(model, costs, &mut tokenizers));
    let verdict = verdict(&diff, &costs, &seen);
    if args.json {
        let out = json(&verdict, &diff, &costs, &seen);
        outln!("{}", serde_json::to_string_pretty(&out)?);
        return Ok(code);
    }
    outln!("{verdict}\n");
    outln!("{}", diff.with_places());
    out!("{}", text(&costs[0], &costs[1]));
    out!("\n{}", data(&costs, &seen));
    Ok(code)
}

/// Everything for a program.
fn json(verdict: &str, diff: &Diff, costs: &[Summary; 2], seen: &[Seen; 2]) -> serde_json::Value {
    let value = |value: &Option<Argument>| value.as_ref().map(ToString::to_string);
    let keys: Vec<_> = diff
        .changes
        .iter()
        .map(|it| {
            json!({
                "key": it.path,
                "left": value(&it.left), "right": value(&it.right),
                "left_from": it.from[0], "right_from": it.from[1],
            })
        })
        .collect();
    let components: Vec<_> = diff
        .components
        .iter()
        .map(|it| {
            let [left, right] = it.lines;
            json!({
                "component": it.name, "left_lines": left, "right_lines": right,
                "first_line": it.first,
            })
        })
        .collect();
    let follows: Vec<_> = diff
        .follows
        .iter()
        .map(|it| {
            let [left, right] = [0, 1].map(|side: usize| value(&it.values[side]));
            json!({ "figure": it.name, "of": it.of, "left": left, "right": right })
        })
        .collect();
    let kernels = Kernels::new(&costs[0], &costs[1]);
    json!({
        "verdict": verdict,
        "keys": keys,
        "components": components,
        "follows": follows,
        "left": costs[0],
        "right": costs[1],
        "kernels": {
            "shared": kernels.shared, "removed": kernels.removed, "added": kernels.added,
        },
        "data": { "left": seen[0], "right": seen[1] },
    })
}

/// How far `b` is from `a`, in words.
fn against(a: f64, b: f64, what: &str) -> String {
    match (a, b) {
        (a, b) if a == b => format!("as many {what}"),
        (0.0, _) => format!("{what} where there were none"),
        (a, b) => format!("{} {what}", percent(a, b)),
    }
}

/// The change from `a`, which is not 0, to `b`; as a factor where it is large.
fn percent(a: f64, b: f64) -> String {
    match b / a {
        ratio if ratio >= 3.0 => format!("{ratio:.2} times the"),
        ratio => format!("{:+.2} %", (ratio - 1.0) * 100.0),
    }
}

/// One line: how much differs, and what it comes to.
fn verdict(diff: &Diff, costs: &[Summary; 2], seen: &[Seen; 2]) -> String {
    let [left, right] = costs;
    let kernels = Kernels::new(left, right);
    let named = |it: &mm1_dsl::diff::Change| it.path != "name";
    let keys = diff.changes.iter().filter(|it| named(it)).count();
    let components = diff.components.len();
    let mut head = match keys {
        0 if components == 0 => return format!("{}: the same under another name", right.model),
        1 => "1 key".to_owned(),
        _ => format!("{keys} keys"),
    };
    if components > 0 {
        let _ = write!(head, " and {components} component files");
    }
    head += match keys + components {
        1 => " differs",
        _ => " differ",
    };
    let number = |of: fn(&Summary) -> u64| [of(left) as f64, of(right) as f64];
    let [parameters, work, memory] = [
        number(|it| it.total.parameters),
        number(|it| it.flops.training_step),
        number(|it| it.memory.total),
    ];
    let network = parameters[0] == parameters[1]
        && work[0] == work[1]
        && kernels.removed.is_empty()
        && kernels.added.is_empty();
    let network = match network {
        true => "the same network and kernels".to_owned(),
        false => [
            against(parameters[0], parameters[1], "parameters"),
            against(work[0], work[1], "FLOPs in a step"),
            against(memory[0], memory[1], "bytes"),
            format!(
                "{} of {} kernels shared",
                kernels.shared.len(),
                right.kernels.len()
            ),
        ]
        .join(", "),
    };
    let sequences = [0, 1].map(|side: usize| seen[side].sequences as f64);
    let mut out = format!(
        "{} against {}: {head}; {network}; {}",
        right.model,
        left.model,
        against(sequences[0], sequences[1], "sequences seen"),
    );
    if let (Some(a), Some(b)) = (&seen[0].estimate, &seen[1].estimate) {
        let [a, b] = [a.examples as f64, b.examples as f64];
        let _ = write!(out, ", about {}", against(a, b, "examples"));
    }
    out
}

/// Data seen, side by side.
fn data(costs: &[Summary; 2], seen: &[Seen; 2]) -> String {
    let [left, right] = seen;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, a: Option<f64>, b: Option<f64>, text: &dyn Fn(f64) -> String| {
        let show = |it: Option<f64>| it.map_or_else(|| "?".to_owned(), text);
        let change = match (a, b) {
            (Some(a), Some(b)) if a == b => "=".to_owned(),
            (Some(a), Some(b)) if a != 0.0 => format!("{:+.2} %", (b / a - 1.0) * 100.0),
            _ => String::new(),
        };
        rows.push(vec![name.to_owned(), show(a), show(b), change]);
    };
    let count = |it: f64| summary::grouped(it as u64);
    let share = |it: f64| format!("{:.1} %", it * 100.0);
    for (name, of) in [
        ("steps", (|it: &Seen| it.steps) as fn(&Seen) -> u64),
        ("sequences", |it| it.sequences),
        ("positions", |it| it.positions),
        ("images, at most", |it| it.images),
        ("image tokens, at most", |it| it.image_tokens),
    ] {
        row(name, Some(of(left) as f64), Some(of(right) as f64), &count);
    }
    let names: std::collections::BTreeSet<&String> =
        left.shares.keys().chain(right.shares.keys()).collect();
    for name in names {
        let [a, b] = [left, right].map(|it| it.shares.get(name).copied().unwrap_or(0.0));
        if a != b {
            row(&format!("share of {name}"), Some(a), Some(b), &share);
        }
    }
    let estimates = [left, right].map(|it| it.estimate.as_ref());
    if estimates.iter().any(Option::is_some) {
        for (name, of, text) in [
            (
                "examples, about",
                (|it: &Estimate| it.examples as f64) as fn(&Estimate) -> f64,
                &count as &dyn Fn(f64) -> String,
            ),
            ("text tokens, about", |it| it.text_tokens as f64, &count),
            ("image tokens, about", |it| it.image_tokens as f64, &count),
            ("positions filled, about", |it| it.fill_rate, &share),
        ] {
            row(name, estimates[0].map(of), estimates[1].map(of), text);
        }
    }
    let head = [
        "seen by the run",
        &costs[0].model,
        &costs[1].model,
        "change",
    ];
    let mut out = columns(&head.map(str::to_owned), &rows);
    let read: Vec<u64> = estimates.iter().flatten().map(|it| it.read).collect();
    if let Some(most) = read.iter().max() {
        let _ = writeln!(out, "about: by the first {most} micro-batches of each");
    }
    for (costs, seen) in costs.iter().zip(seen) {
        if let Some(why) = &seen.unread {
            let _ = writeln!(out, "the data of {} were not read: {why}", costs.model);
        }
    }
    out
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
        ("total: GFLOP of a step", |it| it.flops.training_step),
        ("total: GFLOP of a step's kernels", |it| {
            it.flops.executed * it.batch.micro_batches
        }),
    ] {
        row(name, &summary::giga, of(left), of(right), true);
    }
    for (name, of) in [
        (
            "memory: parameters (MiB)",
            (|it: &Summary| it.memory.parameters + it.memory.rounded) as fn(&Summary) -> u64,
        ),
        ("memory: gradients (MiB)", |it| it.memory.gradients),
        ("memory: optimizer (MiB)", |it| it.memory.moments),
        ("memory: arena (MiB)", |it| it.memory.arena),
        ("memory: state (MiB)", |it| it.memory.state),
        ("memory: total (MiB)", |it| it.memory.total),
    ] {
        row(name, &summary::mib, of(left), of(right), true);
    }
    let head = ["", &left.model, &right.model, "change"].map(str::to_owned);
    let mut out = columns(&head, &rows);
    let kernels = Kernels::new(left, right);
    let calls = |list: &[&KernelUse]| list.iter().map(|it| it.calls).sum::<u64>();
    let _ = writeln!(
        out,
        "\nkernels: {} shared ({} calls), {} removed ({}), {} added ({})",
        kernels.shared.len(),
        calls(&kernels.shared),
        kernels.removed.len(),
        calls(&kernels.removed),
        kernels.added.len(),
        calls(&kernels.added)
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
