//! Parameters and FLOPs of the models under `models/` against PyTorch's own counts of the same networks
//! (`fixtures/make_counts.py`), part by part.
//!
//! PyTorch's counter takes matrix products and convolutions, as mm1c does, with two differences:
//! it takes scores over all pairs of positions where mm1c takes half of them under a causal mask, and
//! pooling is nothing to it, where mm1c counts a product with a constant table.

use std::collections::BTreeMap;

use mm1_compiler::build::Purpose;
use mm1_compiler::compile::{Planned, plan_model};
use mm1_compiler::graph::{Op, table};
use mm1_compiler::passes;
use mm1_compiler::summary::Summary;
use mm1_dsl::load;
use serde_json::Value;

use super::models;

/// Counted by PyTorch: parameters, trained ones, FLOPs forward and with the backward pass.
type Counts = [u64; 4];

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// PyTorch's counts of a part, scores under a causal mask halved.
fn theirs(name: &str, part: &Value) -> Counts {
    let flops = |key: &str| {
        let (products, scores) = (number(&part[key][0]), number(&part[key][1]));
        products
            + if name == "decoder" {
                scores / 2
            } else {
                scores
            }
    };
    let count = |key: &str| number(&part[key]);
    [
        count("parameters"),
        count("trained"),
        flops("forward"),
        flops("training"),
    ]
}

/// Products with constant tables, forward and in training, by part.
fn tables(planned: &Planned) -> BTreeMap<String, [u64; 2]> {
    let mut found: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for program in &planned.programs {
        let index = match program.source.name.as_str() {
            "evaluate" => 0,
            "accumulate" => 1,
            _ => continue,
        };
        let graph = &program.source.graph;
        for id in graph.nodes() {
            let mut operands = graph.operands(id).into_iter();
            let constant = operands.any(|it| matches!(graph.op(it.node), Op::Constant(_)));
            let name = &graph.node(id).name;
            let product = matches!(graph.op(id), Op::MatMul { .. });
            if product && constant && !passes::is_recomputed(name) {
                let inner = name.strip_prefix("d(").unwrap_or(name);
                let part = inner.split('.').next().unwrap().to_owned();
                found.entry(part).or_default()[index] += table::flops(graph, id);
            }
        }
    }
    found
}

#[test]
fn parameters_and_flops_are_those_that_pytorch_counts() {
    let text = include_str!("../../fixtures/counts.json");
    let networks: Vec<Value> = serde_json::from_str(text).unwrap();
    let (mut checked, mut wrong, mut pooled, mut sparse) = (0, Vec::new(), 0, 0);
    for network in &networks {
        let files = network["files"].as_array().unwrap();
        let file = files[0].as_str().unwrap();
        let model = load(&models().join(file), &[]).unwrap();
        let planned = plan_model(&model, Purpose::All, false).unwrap();
        let summary = Summary::of(&model, &planned);
        let tables = tables(&planned);
        let parts = network["parts"].as_object().unwrap();
        let mut total = [0; 4];
        for (name, part) in parts {
            let expected = theirs(name, part);
            let costs = summary.components.iter().find(|it| it.name == *name);
            let costs = costs.map(|it| it.costs).unwrap_or_default();
            let [forward, training] = tables.get(name).copied().unwrap_or_default();
            pooled += u64::from(forward > 0);
            let ours = [
                costs.parameters,
                costs.trained,
                costs.forward_flops - forward,
                costs.training_flops - training,
            ];
            if ours != expected {
                wrong.push(format!("{file} {name}: {ours:?}, PyTorch {expected:?}"));
            }
            total = [0, 1, 2, 3].map(|it| total[it] + expected[it]);
        }
        let sums: [u64; 2] = tables
            .values()
            .fold([0; 2], |sum, it| [sum[0] + it[0], sum[1] + it[1]]);
        let ours = [
            summary.total.parameters,
            summary.total.trained,
            summary.flops.forward - sums[0],
            summary.flops.training - sums[1],
        ];
        if ours != total {
            wrong.push(format!("{file}: {ours:?}, PyTorch {total:?}"));
        }
        sparse += u64::from(model.decoder.moe.is_some());
        checked += files.len();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let seen = format!("{checked} files, {} networks", networks.len());
    assert!(checked > 100 && networks.len() > 30, "{seen}");
    assert!(pooled > 10 && sparse >= 2, "{seen}, {pooled}, {sparse}");
}

/// A file that is not in the fixture's group any more would go unseen.
#[test]
fn files_of_a_group_have_equal_counts() {
    let text = include_str!("../../fixtures/counts.json");
    let networks: Vec<Value> = serde_json::from_str(text).unwrap();
    for network in &networks {
        let files = network["files"].as_array().unwrap();
        let mut sizes = files.iter().map(|file| {
            let model = load(&models().join(file.as_str().unwrap()), &[]).unwrap();
            let keys = model.keys.keys.iter().filter(|(key, _)| {
                let part = ["encoder.", "connector.", "decoder."]
                    .iter()
                    .any(|it| key.starts_with(it));
                let named = key.ends_with(".weights") || key.ends_with(".variant");
                let bounds = ["train.micro_batch_sequences", "train.micro_batch_images"];
                part && !named || bounds.contains(&key.as_str()) || *key == "train.freeze"
            });
            let keys: Vec<String> = keys
                .map(|(key, it)| format!("{key} = {}", it.value))
                .collect();
            keys
        });
        let first = sizes.next().unwrap();
        assert!(sizes.all(|it| it == first), "{files:?}");
    }
}
