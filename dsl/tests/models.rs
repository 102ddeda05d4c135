//! Every model file of the repository is legal, and its resolved text means the same.

use std::path::{Path, PathBuf};

use serde_json::Value;

use mm1_dsl::model::Model;
use mm1_dsl::study::Study;
use mm1_dsl::{diff, load};

/// Graph files under `models/` but components and presets.
fn model_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::from("../models")];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder is readable") {
            let path = entry.expect("is readable").path();
            let name = path
                .file_name()
                .expect("has a name")
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                if !["components", "presets", "studies", "weights"].contains(&name.as_str()) {
                    waiting.push(path);
                }
            } else if name.ends_with(".toml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_model_is_legal() {
    let files = model_files();
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        if let Err(diagnostics) = load(&file, &[]) {
            panic!("{}:\n{diagnostics}", file.display());
        }
    }
}

#[test]
fn every_study_is_legal() {
    let entries = std::fs::read_dir("../models/studies").expect("the folder is readable");
    let mut variants = 0;
    for entry in entries {
        let path = entry.expect("is readable").path();
        let study = Study::read(&path).unwrap_or_else(|error| panic!("{error}"));
        let base = study.load(&study.variants[0], &[]).expect("is legal");
        for variant in &study.variants[1..] {
            let model = study.load(variant, &[]);
            let model = model.unwrap_or_else(|error| panic!("{}:\n{error}", variant.name));
            for (key, value) in &variant.factors {
                let found = model.keys.get(key).expect("a key of the model");
                assert_eq!(found.to_string().trim_matches('"'), value);
            }
            // What the study sets for all runs lies under an overlay's chain, not beside it.
            assert_eq!(model.train.steps, base.train.steps, "{}", variant.name);
            variants += 1;
        }
    }
    assert!(variants >= 14, "{variants}");
}

#[test]
fn resolved_text_is_a_graph_file_of_the_same_model() {
    // Inside the project, where a file may name data, by their way from it.
    let folder = PathBuf::from(format!("tests/resolved-{}", std::process::id()));
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let here = here.canonicalize().expect("the folder exists");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for file in model_files() {
        let model = load(&file, &[]).expect("is legal");
        let path = folder.join("resolved.toml");
        // Data are named by their place; components of a project are in the text.
        let from_here = model
            .resolved
            .replace(&here.display().to_string(), "../../../models");
        std::fs::write(&path, from_here).expect("is writable");
        let again = load(&path, &[]).unwrap_or_else(|error| panic!("{}:\n{error}", file.display()));
        assert_eq!(diff(&model, &again).to_string(), "", "{}", file.display());
        assert_eq!(model.resolved, again.resolved);
        // The order of the sources decides which examples a run sees.
        let sources = |model: &Model| -> Vec<String> {
            let data = model.data.iter();
            data.flat_map(|it| it.sources.keys().cloned()).collect()
        };
        assert_eq!(sources(&model), sources(&again), "{}", file.display());
        assert!(
            again
                .keys
                .keys
                .values()
                .all(|key| key.origin.assigned().is_some()),
            "every key is stated"
        );
    }
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

#[test]
fn tiny_model_has_the_calls_that_the_compiler_reads() {
    let model = load(Path::new("../models/mm1-tiny.toml"), &[]).expect("is legal");
    let vision = model.vision.as_ref().expect("has an image side");
    assert_eq!(vision.encoder.grid(), 8);
    let encoder = model
        .components
        .instantiate_call(&vision.encoder.call, "encoder")
        .expect("is legal");
    assert_eq!(encoder.outputs["features"], "encoder.norm_final");
    let decoder = model
        .components
        .instantiate_call(&model.decoder.call, "decoder")
        .expect("is legal");
    assert!(
        decoder
            .nodes
            .iter()
            .any(|node| node.path == "decoder.blocks.3.mlp.down")
    );
    let data = model.data.expect("has data");
    assert_eq!(
        data.sources.keys().collect::<Vec<_>>(),
        ["captions", "questions", "documents"]
    );
}

#[test]
fn parameter_count_follows_the_shapes() {
    let model = load(Path::new("../models/mm1-tiny.toml"), &[]).expect("is legal");
    // Per block: qkv and out 4 d^2, gated MLP 3 d f, two norms of d; then the final norm.
    let (d, f) = (128, 352);
    let expected = 4 * (4 * d * d + 3 * d * f + 2 * d) + d;
    assert_eq!(model.decoder.non_embedding_parameters(), Some(expected));
}

#[test]
fn presets_have_the_sizes_of_their_names() {
    // Published sizes in millions of non-embedding parameters; docs/family.md has the counts.
    for (name, published) in [
        ("9m", 9.0),
        ("85m", 85.0),
        ("302m", 302.0),
        ("1.2b", 1200.0),
        ("3b", 2900.0),
        ("7b", 6400.0),
        ("30b", 30_000.0),
    ] {
        // The sizes of the file go with the change of the variant.
        let sets = [format!("decoder.variant = \"{name}\"")];
        let model = load(Path::new("../models/mm1-tiny.toml"), &sets)
            .unwrap_or_else(|error| panic!("{error}"));
        let count = model
            .decoder
            .non_embedding_parameters()
            .expect("is built in");
        let share = count as f64 / (published * 1e6);
        assert!((0.97..=1.03).contains(&share), "{name}: {count}");
        // The learning-rate law covers all of them.
        assert!((9e6..=3e10).contains(&(count as f64)), "{name}: {count}");
    }
}

/// The subschema of `path`, through `properties` and, for names that a file chooses, `additionalProperties`.
fn schema_at<'a>(schema: &'a serde_json::Value, path: &[String]) -> Option<&'a serde_json::Value> {
    path.iter().try_fold(schema, |schema, segment| {
        schema["properties"].get(segment).or_else(|| {
            let open = schema.get("additionalProperties")?;
            open.is_object().then_some(open)
        })
    })
}

#[test]
fn the_schema_and_the_reference_have_every_key() {
    let schema = mm1_dsl::schema::json_schema();
    let reference = mm1_dsl::schema::reference();
    for file in model_files() {
        let model = load(&file, &[]).expect("is legal");
        for path in model.keys.keys.keys() {
            // A component of a project brings its own.
            let kind = model.keys.text("connector.kind");
            if kind.is_some_and(|kind| kind.ends_with(".toml")) && path.starts_with("connector.") {
                continue;
            }
            let segments = mm1_dsl::resolved::split_path(path);
            let found = schema_at(&schema, &segments).unwrap_or_else(|| panic!("{path}"));
            assert!(found["description"].is_string(), "{path}");
        }
    }
    for key in mm1_dsl::keys::KEYS {
        assert!(
            reference.contains(&format!("| `{}` |", key.leaf())),
            "{}",
            key.path
        );
    }
    assert_eq!(
        schema["properties"]["train"]["properties"]["steps"]["minimum"],
        1
    );
    assert_eq!(schema["properties"]["train"]["additionalProperties"], false);
    assert_eq!(
        schema["properties"]["encoder"]["properties"]["activation"]["enum"][0],
        "gelu"
    );
}

/// Whether `value` is valid under `schema`, of the words that our schema uses.
fn is_valid(schema: &Value, value: &Value) -> bool {
    let Some(words) = schema.as_object() else {
        return schema
            .as_bool()
            .expect("a schema is an object or a boolean");
    };
    words.iter().all(|(word, wanted)| match word.as_str() {
        "$schema" | "description" | "default" => true,
        "type" => match wanted.as_str().expect("a name") {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64(),
            "number" => value.is_number(),
            other => panic!("unknown type {other}"),
        },
        "const" => value == wanted,
        "enum" => wanted.as_array().expect("values").contains(value),
        "anyOf" => wanted
            .as_array()
            .expect("schemas")
            .iter()
            .any(|it| is_valid(it, value)),
        "minimum" => value.as_f64() >= wanted.as_f64(),
        "maximum" => value.as_f64() <= wanted.as_f64(),
        "pattern" => {
            assert_eq!(wanted, "\\.toml$");
            value.as_str().is_some_and(|text| text.ends_with(".toml"))
        }
        "items" => value
            .as_array()
            .is_some_and(|items| items.iter().all(|item| is_valid(wanted, item))),
        "minItems" => value.as_array().map(|it| it.len() as u64) >= wanted.as_u64(),
        "maxItems" => value.as_array().map(|it| it.len() as u64) <= wanted.as_u64(),
        "properties" => value.as_object().is_some_and(|table| {
            table
                .iter()
                .all(|(key, value)| wanted.get(key).is_none_or(|schema| is_valid(schema, value)))
        }),
        "additionalProperties" => {
            let known = words.get("properties").and_then(Value::as_object);
            value.as_object().is_some_and(|table| {
                table.iter().all(|(key, value)| {
                    known.is_some_and(|known| known.contains_key(key)) || is_valid(wanted, value)
                })
            })
        }
        other => panic!("unknown word {other}"),
    })
}

#[test]
fn every_model_names_the_schema_and_is_valid_under_it() {
    let path = Path::new("../models/schema.json");
    if std::env::var_os("MM1C_BLESS").is_some() {
        std::fs::write(path, mm1_dsl::schema::schema_text()).expect("is writable");
    }
    let text = std::fs::read_to_string(path).expect("is readable");
    assert!(
        text == mm1_dsl::schema::schema_text(),
        "models/schema.json is out of date; `mm1c schema` prints it"
    );
    let schema: Value = serde_json::from_str(&text).expect("is JSON");
    let read = |text: &str| toml::from_str::<Value>(text).expect("is TOML");
    for file in model_files() {
        let text = std::fs::read_to_string(&file).expect("is readable");
        let named = text
            .strip_prefix("#:schema ")
            .and_then(|it| it.lines().next());
        let named = named.unwrap_or_else(|| panic!("{} names no schema", file.display()));
        let named = file.parent().expect("has a folder").join(named);
        assert_eq!(
            named.canonicalize().expect("the schema exists"),
            path.canonicalize().expect("the schema exists"),
            "{}",
            file.display()
        );
        assert!(is_valid(&schema, &read(&text)), "{}", file.display());
    }
    for wrong in [
        "encodre = {}",
        "encoder.patch = 0",
        "encoder.patch = \"8\"",
        "encoder.activation = \"gleu\"",
        "image.mean = [0.5, 0.5]",
        "train.freeze = [1]",
        "data.sources.a.kind = \"scene\"",
        "train.lr = \"mm2\"",
    ] {
        assert!(!is_valid(&schema, &read(wrong)), "{wrong}");
    }
}

#[test]
fn generated_pages_are_up_to_date() {
    for (path, text) in [
        ("../docs/reference/keys.md", mm1_dsl::schema::reference()),
        ("../docs/reference/ops.md", mm1_dsl::schema::op_reference()),
        (
            "../docs/reference/codes.md",
            mm1_dsl::schema::code_reference(),
        ),
        ("../docs/reference/presets.md", mm1_dsl::pages::presets()),
        (
            "../docs/reference/components.md",
            mm1_dsl::pages::components(),
        ),
        ("../docs/reference/maps.md", mm1_dsl::pages::maps()),
    ] {
        if std::env::var_os("MM1C_BLESS").is_some() {
            std::fs::create_dir_all("../docs/reference").expect("the folder can be made");
            std::fs::write(path, &text).expect("is writable");
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            found == text,
            "{path} is out of date; `MM1C_BLESS=1 cargo test -p mm1-dsl --test models` rewrites it"
        );
    }
}

/// A resolved file needs no other, wherever it lies and from wherever it is read; names do not depend on that.
#[test]
fn a_resolved_file_holds_the_components_of_its_project() {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [project, away] = ["held-project", "held-away"].map(|name| temporary.join(name));
    let at = |name: &str| project.join(name);
    std::fs::create_dir_all(at("parts")).expect("is writable");
    std::fs::create_dir_all(&away).expect("is writable");
    std::fs::write(at("mm1c.toml"), "").expect("is writable");
    let here = Path::new("../models");
    let shuffle = here.join("custom/components/pixel-shuffle.toml");
    std::fs::copy(shuffle, at("parts/shuffle.toml")).expect("is readable");
    let custom = std::fs::read_to_string(here.join("custom/pixel-shuffle.toml")).expect("is text");
    let tiny = std::fs::read_to_string(here.join("mm1-tiny.toml")).expect("is text");
    std::fs::write(at("tiny.toml"), tiny).expect("is writable");
    let custom = custom
        .replace("../mm1-tiny.toml", "tiny.toml")
        .replace("components/pixel-shuffle.toml", "parts/shuffle.toml");
    std::fs::write(at("model.toml"), custom).expect("is writable");
    let model = load(&at("model.toml"), &[]).expect("is legal");
    assert!(model.resolved.contains("kind = \"parts/shuffle.toml\""));
    let path = away.join("resolved.toml");
    std::fs::write(&path, &model.resolved).expect("is writable");
    std::fs::remove_dir_all(&project).expect("is writable");
    let again = load(&path, &[]).expect("is legal by itself");
    assert_eq!(again.resolved, model.resolved);
    let text = mm1_dsl::load_text(Path::new("gone.mm1pkg"), &model.resolved, &[]);
    assert_eq!(text.expect("is legal").resolved, model.resolved);
    let lacking = model.resolved.split("[components]").next().expect("text");
    let fault = mm1_dsl::load_text(&path, lacking, &[]).expect_err("the file is gone");
    assert!(fault.render(false).contains("shuffle.toml"));
}
