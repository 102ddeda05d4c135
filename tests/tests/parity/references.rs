//! Components against other libraries: decoders and encoders of transformers, encoders of open_clip
//! at another resolution than their file's, AIM's definition, connectors of timm and one of a project
//! (fixtures/references), by the interpreter to 1e-9 and by kernels to 2e-5; and what changing one
//! constant does to the comparison.

use mm1_compiler::codegen::Backend;
use mm1_compiler::passes;
use mm1_tests::case::{Case, REFERENCES};
use mm1_tests::compare::{errors, within};

use crate::per_backend;

/// Bound on the interpreter's distance from float64.
const EXACT: f64 = 1e-9;
/// Bound on the kernels'.
const TOLERANCE: f64 = 2e-5;

/// (fixture, change): a constant or convention other than the library's.
const CHANGES: [(&str, &str); 45] = [
    ("llama", "decoder.norm_epsilon=1e-6"),
    ("llama", "decoder.activation=\"gelu\""),
    ("llama", "decoder.rotary_base=9000.0"),
    ("qwen2", "decoder.norm_epsilon=1e-5"),
    ("qwen2", "decoder.rotary_base=9e5"),
    ("qwen3", "decoder.norm_epsilon=1e-5"),
    ("qwen3", "decoder.activation=\"gelu\""),
    ("gemma2", "decoder.norm_epsilon=1e-5"),
    ("gemma2", "decoder.activation=\"gelu\""),
    ("gemma2", "decoder.norm=\"rms-norm\""),
    ("gemma2", "decoder.attention_softcap=2.2"),
    ("gemma2", "decoder.attention_scale=0.45"),
    ("gemma2", "decoder.logit_softcap=3.2"),
    ("gemma2", "decoder.embedding_scale=1.0"),
    ("gpt2", "decoder.norm_epsilon=1e-6"),
    ("gpt2", "decoder.activation=\"gelu\""),
    ("mixtral", "decoder.moe.top_k=1"),
    ("mixtral", "decoder.moe.load_balance_layers=\"mean\""),
    (
        "mixtral",
        "decoder.moe.load_balance_convention=\"first-choice\"",
    ),
    ("gshard", "decoder.moe.capacity_factor=1.25"),
    ("gshard", "decoder.moe.group=\"micro-batch\""),
    ("gshard", "decoder.moe.load_balance_weight=0.06"),
    ("gshard", "decoder.moe.router_z_weight=0.04"),
    ("clip-openai", "encoder.norm_epsilon=1e-6"),
    ("clip-openai", "encoder.activation=\"gelu\""),
    ("clip-openclip", "encoder.norm_epsilon=1e-6"),
    ("clip-openclip", "encoder.activation=\"quick-gelu\""),
    ("siglip", "encoder.norm_epsilon=1e-5"),
    ("siglip", "encoder.activation=\"gelu\""),
    ("dinov2", "encoder.norm_epsilon=1e-5"),
    ("dinov2", "encoder.activation=\"gelu-tanh\""),
    ("aim", "encoder.norm_epsilon=1e-5"),
    ("aim", "encoder.activation=\"gelu-tanh\""),
    ("aim", "encoder.attention=\"causal\""),
    ("aim-prefix", "encoder.attention_prefix=4"),
    ("aim-prefix", "encoder.norm_epsilon=1e-5"),
    ("open-clip-larger", "encoder.norm_epsilon=1e-6"),
    ("open-clip-larger", "encoder.activation=\"gelu\""),
    ("open-clip-smaller", "encoder.norm_epsilon=1e-6"),
    ("open-clip-smaller", "encoder.activation=\"quick-gelu\""),
    ("timm-c-abstractor", "connector.norm_epsilon=1e-6"),
    ("timm-identity", "connector.norm_epsilon=1e-6"),
    ("pixel-shuffle", "connector.epsilon=1e-6"),
    ("pixel-shuffle", "connector.function=\"gelu-tanh\""),
    ("pixel-shuffle", "connector.function=\"silu\""),
];

per_backend! {
    kernels_agree_with_the_libraries => kernels_agree,
    generation_agrees_with_the_libraries => generation_agrees,
}

#[test]
fn definitions_agree_with_the_libraries() {
    for name in REFERENCES {
        let case = Case::load(name, &[]);
        let mut graph = case.graph();
        let worst = within(&case.interpreted(&graph), &case.wanted(), EXACT)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name}: {worst:.1e}");
        let train = &case.model.train;
        passes::run(&mut graph, train, true).unwrap_or_else(|error| panic!("{name}: {error}"));
        within(&case.interpreted(&graph), &case.wanted(), EXACT)
            .unwrap_or_else(|error| panic!("{name} after the passes: {error}"));
    }
}

#[test]
fn a_changed_constant_of_a_library_is_seen() {
    for (name, change) in CHANGES {
        let case = Case::load(&format!("references/{name}"), &[change]);
        let found = case.interpreted(&case.graph());
        let (tensor, error) = errors(&found, &case.wanted()).swap_remove(0);
        println!("{name}: {change} moves {tensor} by {error:.1e}");
        assert!(error > 10.0 * TOLERANCE, "{name}: {change}: {error:e}");
    }
}

fn kernels_agree(backend: Backend) {
    each(&REFERENCES, |case| {
        within(&case.fetched(backend), &case.wanted(), TOLERANCE)
    });
}

/// Training programs and, through caches, `prefill`: of the decoders, whose blocks differ.
fn generation_agrees(backend: Backend) {
    let decoders: Vec<&str> = REFERENCES
        .into_iter()
        .filter(|name| {
            let model = Case::load(name, &[]).model;
            // Generation drops no choice, so where training does it is another function.
            let drops = |moe: mm1_dsl::model::Moe| moe.capacity_factor.is_some();
            model.vision.is_none() && !model.decoder.moe.is_some_and(drops)
        })
        .collect();
    assert_eq!(decoders.len(), 6);
    each(&decoders, |case| {
        let mut wanted = case.wanted();
        for name in ["hidden", "load_balance"] {
            wanted.remove(name);
        }
        wanted.insert("evaluated".to_owned(), wanted["loss"].clone());
        within(&case.trained(backend, 2), &wanted, TOLERANCE)
    });
}

/// Compares all models before it fails, so that a failure shows which ones do.
fn each(names: &[&str], compare: impl Fn(&Case) -> Result<f64, String>) {
    let mut failures = Vec::new();
    for name in names {
        match compare(&Case::load(name, &[])) {
            Ok(worst) => println!("{name}: {worst:.1e}"),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
