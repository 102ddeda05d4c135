//! Mixtures of experts: what a run logs of them, and a start from a dense run.

use crate::support::{checkpoint, folder, losses, steps, tensors, train};

/// Experts in the second of two blocks.
const SPARSE: [&str; 5] = [
    "decoder.depth=2",
    "decoder.moe.experts=4",
    "decoder.moe.every=2",
    "decoder.moe.capacity_factor=1.0",
    "decoder.moe.load_balance_weight=0.05",
];

fn with(more: &[&str]) -> Vec<String> {
    let sets = SPARSE.iter().chain(more);
    sets.map(|set| (*set).to_owned()).collect()
}

#[test]
fn experts_train_and_their_load_is_logged() {
    let folder = folder();
    let sets = with(&["train.steps=40"]);
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    train(folder.path(), &sets).ok();
    let losses = losses(folder.path());
    assert!(losses[39] < 0.8 * losses[0], "{losses:?}");
    for record in steps(folder.path()) {
        let experts = &record["experts"];
        let number = |name: &str| experts[name].as_f64().expect(name);
        assert!((0.5..4.5).contains(&number("load_balance")), "{experts}");
        assert!(number("router_z") > 0.0, "{experts}");
        // There is room for one choice a position, and most positions hold a token with two.
        assert!((0.2..0.9).contains(&number("dropped")), "{experts}");
        let load = experts["load"].as_array().expect("a list of layers");
        assert_eq!(load.len(), 1);
        let shares: Vec<f64> = load[0]
            .as_array()
            .expect("a list of experts")
            .iter()
            .map(|share| share.as_f64().expect("a share"))
            .collect();
        assert_eq!(shares.len(), 4);
        assert!(
            (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9,
            "{shares:?}"
        );
    }
}

#[test]
fn a_dense_run_becomes_experts_that_are_copies() {
    let (dense, sparse) = (folder(), folder());
    train(dense.path(), &["decoder.depth=2", "train.steps=3"]).ok();
    let init = format!("init.decoder=\"run:{}\"", dense.path().display());
    let sets = with(&[
        "decoder.moe.from_dense=true",
        &init,
        // Nothing is learnt, so the weights stay what they start from.
        "train.steps=1",
        "train.lr=0.0",
        "train.weight_decay=0.0",
    ]);
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    train(sparse.path(), &sets).ok();
    let read = |folder: &std::path::Path, step| {
        tensors(&checkpoint(folder, step).join("parameters.safetensors"))
    };
    let (from, to) = (read(dense.path(), 3), read(sparse.path(), 1));
    assert_eq!(
        to["decoder.layers.0.before.0.mlp.down.weight"],
        from["decoder.blocks.0.mlp.down.weight"]
    );
    assert_eq!(
        to["decoder.layers.0.sparse.qkv.weight"],
        from["decoder.blocks.1.qkv.weight"]
    );
    let experts = &to["decoder.layers.0.sparse.moe.experts.gate_up.weight"];
    let copies = from["decoder.blocks.1.mlp.gate_up.weight"].repeat(4);
    assert!(*experts == copies);
}
