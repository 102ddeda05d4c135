//! The component language: embedded components, expansion, expressions, caps.

use indexmap::IndexMap;
use mm1_dsl::codes::{self, Code};
use mm1_dsl::component::{Argument, Instance, Library, Size};
use mm1_dsl::diagnostic::Diagnostic;

fn arguments(list: &[(&str, Argument)]) -> IndexMap<String, Argument> {
    list.iter()
        .map(|(name, value)| ((*name).to_string(), value.clone()))
        .collect()
}

fn int(value: i64) -> Argument {
    Argument::Int(value)
}

fn text(value: &str) -> Argument {
    Argument::Text(value.to_string())
}

fn decoder_arguments() -> IndexMap<String, Argument> {
    arguments(&[
        ("depth", int(2)),
        ("width", int(128)),
        ("heads", int(4)),
        ("kv_heads", int(2)),
        ("head_width", int(32)),
        ("mlp_width", int(344)),
        ("mlp", text("swiglu")),
        ("activation", text("silu")),
        ("bias", Argument::Bool(false)),
        ("qkv_bias", Argument::Bool(false)),
        ("norm", text("rms-norm")),
        ("norm_epsilon", Argument::Float(1e-5)),
        ("post_norm", text("identity")),
        ("qk_norm", text("identity")),
        ("attention_scale", Argument::Float(0.25)),
        ("attention_softcap", Argument::Float(0.0)),
        ("rotation", text("rotary")),
        ("rotary_base", Argument::Float(10000.0)),
        ("position_table", text("identity")),
        ("max_sequence_length", int(128)),
    ])
}

fn node<'a>(instance: &'a Instance, path: &str) -> &'a mm1_dsl::component::FlatNode {
    instance
        .nodes
        .iter()
        .find(|node| node.path == path)
        .unwrap_or_else(|| panic!("no node {path}"))
}

/// Instantiates `main` of a library made of the given files.
fn expand(files: &[(&str, &str)], list: &[(&str, Argument)]) -> Result<Instance, Vec<Diagnostic>> {
    let mut library = Library::default();
    for (name, text) in files {
        library.add(name, &format!("{name}.toml"), text)?;
    }
    library.instantiate("main", &arguments(list), "")
}

fn code_of(result: Result<Instance, Vec<Diagnostic>>) -> Code {
    result.expect_err("is refused")[0].code
}

#[test]
fn every_embedded_component_parses() {
    let library = Library::embedded();
    let mut names: Vec<String> = std::fs::read_dir("../models/components")
        .expect("the folder exists")
        .map(|entry| {
            entry
                .expect("is readable")
                .path()
                .file_stem()
                .expect("has a stem")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    let embedded: Vec<&str> = library.names().collect();
    let mut sorted = embedded.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted, names,
        "every file of models/components is embedded and well-formed"
    );
}

#[test]
fn decoder_expands_with_paths_of_the_calls() {
    let library = Library::embedded();
    let instance = library
        .instantiate("decoder", &decoder_arguments(), "decoder")
        .expect("is legal");
    assert_eq!(instance.outputs["x"], "decoder.norm");
    let qkv = node(&instance, "decoder.blocks.1.qkv");
    assert_eq!(qkv.attributes["out_width"], int(8 * 32));
    assert_eq!(qkv.inputs, ["decoder.blocks.1.norm_1"]);
    assert_eq!(
        node(&instance, "decoder.blocks.1.norm_1").inputs,
        ["decoder.blocks.0.residual_2"]
    );
    assert_eq!(node(&instance, "decoder.blocks.0.norm_1").inputs, ["x"]);
    assert_eq!(
        node(&instance, "decoder.blocks.1.q_rotated").inputs,
        ["decoder.blocks.1.q_heads", "positions"]
    );
    assert_eq!(
        node(&instance, "decoder.blocks.0.mlp.gate_up").attributes["out_width"],
        int(688)
    );
    assert_eq!(
        instance.inputs[0],
        (
            "x".to_string(),
            vec![
                Size::Symbol("sequences".to_string()),
                Size::Symbol("length".to_string()),
                Size::Known(128)
            ]
        )
    );
}

#[test]
fn identity_disappears() {
    let mut list = decoder_arguments();
    list.insert("rotation".to_string(), text("identity"));
    list.insert("position_table".to_string(), text("learned-position"));
    let instance = Library::embedded()
        .instantiate("decoder", &list, "decoder")
        .expect("is legal");
    assert_eq!(
        node(&instance, "decoder.blocks.0.attention").inputs[0],
        "decoder.blocks.0.q_heads"
    );
    assert_eq!(
        node(&instance, "decoder.blocks.0.norm_1").inputs,
        ["decoder.position.placed"]
    );
    assert!(
        instance
            .nodes
            .iter()
            .all(|node| node.op != "identity" && node.op != "rotary")
    );
}

#[test]
fn connectors_expand_at_any_square() {
    let library = Library::embedded();
    let common = [
        ("in_width", int(128)),
        ("out_width", int(96)),
        ("image_tokens", int(9)),
    ];
    let extra: [(&str, Vec<(&str, Argument)>); 4] = [
        ("avg-pool", vec![("grid", int(8))]),
        (
            "attention-pool",
            vec![
                ("feature_tokens", int(65)),
                ("heads", int(2)),
                ("norm_epsilon", Argument::Float(1e-5)),
            ],
        ),
        (
            "c-abstractor",
            vec![
                ("grid", int(8)),
                ("hidden", int(64)),
                ("depth", int(3)),
                ("shortcut", text("regnet-shortcut")),
                ("norm_epsilon", Argument::Float(1e-5)),
            ],
        ),
        (
            "mlp",
            vec![
                ("grid", int(8)),
                ("hidden", int(64)),
                ("activation", text("gelu")),
            ],
        ),
    ];
    for (name, extra) in extra {
        let mut list = arguments(&common);
        list.extend(arguments(&extra));
        let instance = library.instantiate(name, &list, "connector").expect(name);
        assert!(instance.outputs.contains_key("tokens"), "{name}");
        for node in &instance.nodes {
            for input in &node.inputs {
                let known = input == "features"
                    || instance.nodes.iter().any(|earlier| &earlier.path == input);
                assert!(known, "{name}: {input} of {}", node.path);
            }
        }
    }
}

const CHAIN: &str = r#"
parameters = ["count"]
[inputs]
x = ["length", 4]
[[node]]
name = "step"
op = "silu"
input = "x"
repeat = "=count"
[[node]]
name = "scaled"
op = "reshape"
input = "step"
shape = ["length", "=2*count+1"]
[outputs]
y = "step"
"#;

#[test]
fn repeat_zero_stands_for_its_input() {
    let instance = expand(&[("main", CHAIN)], &[("count", int(0))]).expect("is legal");
    assert_eq!(instance.outputs["y"], "x");
    let instance = expand(&[("main", CHAIN)], &[("count", int(2))]).expect("is legal");
    assert_eq!(instance.outputs["y"], "step.1");
    assert_eq!(instance.nodes[1].inputs, ["step.0"]);
}

#[test]
fn repeat_refuses_negative_counts_and_caps_large_ones() {
    assert_eq!(
        code_of(expand(&[("main", CHAIN)], &[("count", int(-1))])),
        codes::BAD_REPEAT
    );
    assert_eq!(
        code_of(expand(&[("main", CHAIN)], &[("count", text("2"))])),
        codes::BAD_EXPRESSION
    );
    assert_eq!(
        code_of(expand(&[("main", CHAIN)], &[("count", int(1_000_000_000))])),
        codes::EXPANSION_CAP
    );
}

#[test]
fn arguments_are_exactly_the_declared_ones() {
    assert_eq!(
        code_of(expand(&[("main", CHAIN)], &[])),
        codes::BAD_ARGUMENTS
    );
    let extra = [("count", int(1)), ("cuont", int(1))];
    assert_eq!(
        code_of(expand(&[("main", CHAIN)], &extra)),
        codes::BAD_ARGUMENTS
    );
}

fn caller(body: &str) -> String {
    format!("parameters = []\n[inputs]\nx = [\"length\"]\n{body}\n[outputs]\ny = \"n\"\n")
}

#[test]
fn recursion_is_refused() {
    let main = caller("[[node]]\nname = \"n\"\nuse = \"other\"\ninput = \"x\"");
    let other = caller("[[node]]\nname = \"n\"\nuse = \"main\"\ninput = \"x\"");
    assert_eq!(
        code_of(expand(&[("main", &main), ("other", &other)], &[])),
        codes::RECURSION
    );
}

#[test]
fn deep_and_wide_calls_are_capped() {
    let files: Vec<(String, String)> = (0..40)
        .map(|level| {
            let name = if level == 0 {
                "main".to_string()
            } else {
                format!("c{level}")
            };
            let body = format!(
                "[[node]]\nname = \"n\"\nuse = \"c{}\"\ninput = \"x\"",
                level + 1
            );
            (name, caller(&body))
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert_eq!(code_of(expand(&files, &[])), codes::EXPANSION_CAP);

    // Each level calls the next 100 times: 100^5 leaves without a single node.
    let files: Vec<(String, String)> = (0..5)
        .map(|level| {
            let name = if level == 0 {
                "main".to_string()
            } else {
                format!("c{level}")
            };
            let body = if level == 4 {
                "[[node]]\nname = \"n\"\nop = \"silu\"\ninput = \"x\"".to_string()
            } else {
                format!(
                    "[[node]]\nname = \"n\"\nuse = \"c{}\"\ninput = \"x\"\nrepeat = 100",
                    level + 1
                )
            };
            (name, caller(&body))
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert_eq!(code_of(expand(&files, &[])), codes::EXPANSION_CAP);
}

#[test]
fn choices_are_closed() {
    let main = r#"
parameters = ["kind"]
[choices]
kind = ["gelu", "silu", "identity"]
[inputs]
x = ["length"]
[[node]]
name = "n"
op = "{kind}"
input = "x"
[outputs]
y = "n"
"#;
    assert_eq!(
        expand(&[("main", main)], &[("kind", text("silu"))])
            .expect("is legal")
            .nodes[0]
            .op,
        "silu"
    );
    assert_eq!(
        expand(&[("main", main)], &[("kind", text("identity"))])
            .expect("is legal")
            .outputs["y"],
        "x"
    );
    assert_eq!(
        code_of(expand(&[("main", main)], &[("kind", text("relu"))])),
        codes::NOT_A_CHOICE
    );
    assert_eq!(
        code_of(expand(&[("main", main)], &[("kind", int(3))])),
        codes::NOT_A_CHOICE
    );
}

#[test]
fn outputs_of_calls_are_named() {
    let two = r#"
parameters = []
[inputs]
x = ["length"]
[[node]]
name = "a"
op = "silu"
input = "x"
[[node]]
name = "b"
op = "gelu"
input = "x"
[outputs]
first = "a"
second = "b"
"#;
    let main = |output: &str| {
        caller(&format!(
            "[[node]]\nname = \"call\"\nuse = \"two\"\ninput = \"x\"\n[[node]]\nname = \"n\"\nop = \"tanh\"\ninput = \"{output}\""
        ))
    };
    for (output, path) in [
        ("call", "call.a"),
        ("call.first", "call.a"),
        ("call.second", "call.b"),
    ] {
        let instance = expand(&[("main", &main(output)), ("two", two)], &[]).expect("is legal");
        assert_eq!(instance.nodes[2].inputs, [path]);
    }
    assert_eq!(
        code_of(expand(&[("main", &main("call.third")), ("two", two)], &[])),
        codes::UNKNOWN_OPERAND
    );
}

#[test]
fn malformed_files_report_everything_at_once() {
    let file = r#"
parameters = ["a", "index", "a"]
colour = 3
[choices]
b = []
[inputs]
x = ["lengths", { y = 1 }]
[[node]]
name = "n"
op = "line-ar"
input = "x"
[[node]]
name = "x"
op = "linear"
input = "missing"
width = 3
out_width = "=a+"
[[node]]
op = "silu"
[outputs]
"#;
    let mut library = Library::default();
    let diagnostics = library
        .add("bad", "bad.toml", file)
        .expect_err("is refused");
    let mut found: Vec<Code> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect();
    found.sort();
    found.dedup();
    for code in [
        codes::UNKNOWN_KEY,
        codes::BAD_COMPONENT,
        codes::UNKNOWN_OP,
        codes::BAD_ATTRIBUTE,
        codes::UNKNOWN_OPERAND,
        codes::BAD_EXPRESSION,
        codes::DUPLICATE_NAME,
    ] {
        assert!(found.contains(&code), "{code} is missing from {found:?}");
    }
}

#[test]
fn attributes_are_checked_against_the_op_table() {
    let with = |line: &str| {
        caller(&format!(
            "[[node]]\nname = \"n\"\nop = \"linear\"\ninput = \"x\"\n{line}"
        ))
    };
    for line in [
        "out_width = 0\nbias = true",
        "out_width = 2.5\nbias = true",
        "out_width = 4\nbias = \"yes\"",
        "out_width = 4",
    ] {
        assert_eq!(
            code_of(expand(&[("main", &with(line))], &[])),
            codes::BAD_ATTRIBUTE,
            "{line}"
        );
    }
    let two = caller("[[node]]\nname = \"n\"\nop = \"add\"\ninput = \"x\"");
    assert_eq!(
        code_of(expand(&[("main", &two)], &[])),
        codes::BAD_ARGUMENTS
    );
}
