//! Every comparison can fail: definitions are changed on purpose, one at a time.

use mm1_tests::case::Case;
use mm1_tests::compare::errors;

/// (fixture, change): an epsilon or an activation other than PyTorch's.
pub const CHANGES: [(&str, &str); 14] = [
    ("avg-pool", "encoder.norm_epsilon=1e-6"),
    ("avg-pool", "encoder.activation=\"gelu-tanh\""),
    ("avg-pool", "decoder.norm_epsilon=1e-6"),
    ("avg-pool", "decoder.activation=\"gelu\""),
    ("avg-pool", "decoder.rotary_base=9000.0"),
    ("attention-pool", "connector.norm_epsilon=1e-6"),
    ("attention-pool", "encoder.activation=\"gelu\""),
    ("c-abstractor", "connector.norm_epsilon=1e-6"),
    ("c-abstractor", "decoder.activation=\"gelu\""),
    ("mlp", "connector.activation=\"gelu-tanh\""),
    ("mlp", "decoder.activation=\"gelu-tanh\""),
    ("mlp", "decoder.norm_epsilon=1e-6"),
    ("packed", "train.z_loss=0.04"),
    ("packed", "encoder.norm_epsilon=1e-6"),
];

/// Average pooling of 4×4 to 3×3 in the component language, window by window; `{ends}` is one
/// past the last row of each window, the first is 0, 1, 2.
fn pooling(lengths: [u64; 3]) -> String {
    let mut text = "parameters = [\"in_width\", \"out_width\"]\n\n[inputs]\n\
        features = [\"images\", 16, \"=in_width\"]\n\n[[node]]\nname = \"grid\"\nop = \"reshape\"\n\
        input = \"features\"\nshape = [\"images\", 4, 4, \"=in_width\"]\n"
        .to_owned();
    for (axis, source, result) in [(1, "grid", "rows"), (2, "rows", "columns")] {
        for (window, length) in lengths.iter().enumerate() {
            text += &format!(
                "\n[[node]]\nname = \"{result}_{window}\"\nop = \"slice\"\ninput = \"{source}\"\n\
                 axis = {axis}\nstart = {window}\nlength = {length}\n\
                 \n[[node]]\nname = \"{result}_{window}_mean\"\nop = \"mean\"\n\
                 input = \"{result}_{window}\"\naxis = {axis}\n"
            );
        }
        text += &format!(
            "\n[[node]]\nname = \"{result}\"\nop = \"concat\"\naxis = {axis}\n\
             inputs = [\"{result}_0_mean\", \"{result}_1_mean\", \"{result}_2_mean\"]\n"
        );
    }
    text += "\n[[node]]\nname = \"pooled\"\nop = \"reshape\"\ninput = \"columns\"\n\
        shape = [\"images\", 9, \"=in_width\"]\n\n[[node]]\nname = \"projected\"\nop = \"linear\"\n\
        input = \"pooled\"\nout_width = \"=out_width\"\nbias = true\n\n[outputs]\n\
        tokens = \"projected\"\n";
    text
}

/// The avg-pool fixture with a connector of these windows.
pub fn with_windows(lengths: [u64; 3]) -> Case {
    let folder = tempfile::tempdir().unwrap();
    let own = mm1_tests::fixture::folder().join("avg-pool.toml");
    let model = std::fs::read_to_string(own).unwrap();
    let model = model.replace("kind = \"avg-pool\"", "kind = \"pool.toml\"");
    let path = folder.path().join("model.toml");
    std::fs::write(&path, model).unwrap();
    std::fs::write(folder.path().join("pool.toml"), pooling(lengths)).unwrap();
    Case::with_model("avg-pool", &path, &[])
}

/// Largest error of the interpreter.
fn worst(case: &Case) -> (String, f64) {
    let found = case.interpreted(&case.graph());
    errors(&found, &case.wanted()).swap_remove(0)
}

#[test]
fn a_changed_epsilon_or_activation_is_seen() {
    for (name, change) in CHANGES {
        let (tensor, error) = worst(&Case::load(name, &[change]));
        println!("{name}: {change} moves {tensor} by {error:.1e}");
        assert!(error > 2e-4, "{name}: {change} would pass, {error:e}");
    }
}

#[test]
fn a_changed_pooling_window_is_seen() {
    let (tensor, error) = worst(&with_windows([2, 2, 2]));
    assert!(error < 1e-9, "{tensor}: {error:e}");
    for wrong in [[1, 1, 2], [2, 3, 2], [2, 2, 1]] {
        let (_, error) = worst(&with_windows(wrong));
        assert!(error > 2e-4, "windows {wrong:?} would pass, {error:e}");
    }
}
