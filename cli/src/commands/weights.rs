//! `mm1c weights`: what a weights file holds, and weights of other programs by name maps.

use std::collections::BTreeMap;
use std::path::Path;

use mm1_dsl::model::Model;
use mm1_dsl::weights::{self as maps, WeightMap};

use super::print_table;
use crate::args::{ConvertArgs, InspectWeightsArgs, WeightsCommand};
use crate::compile::{colour, load_model};
use crate::failure::Failure;
use crate::weights::{Comparison, Shards, export, exported, import, parameters, write};

/// Runs the command.
///
/// # Errors
/// Files that cannot be read or written, and weights that do not fit the model.
pub fn run(command: &WeightsCommand) -> Result<(), Failure> {
    match command {
        WeightsCommand::Inspect(args) => inspect(args),
        WeightsCommand::Convert(args) if args.export => export_weights(args),
        WeightsCommand::Convert(args) => import_weights(args),
    }
}

/// The map that `--map` names.
fn map(name: &str, model: &Model) -> Result<WeightMap, Failure> {
    let read = if name.ends_with(".toml") {
        let path = Path::new(name);
        let text = std::fs::read_to_string(path).map_err(|error| Failure::at(path, error))?;
        maps::read(name, &text, model)
    } else {
        maps::embedded(name, model)
    };
    read.map_err(|found| Failure::rendered(found.render(colour())))
}

fn inspect(args: &InspectWeightsArgs) -> Result<(), Failure> {
    let shards = Shards::open(&args.file)?;
    if let (Some(path), Some(name)) = (&args.model, &args.map) {
        let model = load_model(path, &args.sets)?;
        let map = map(name, &model)?;
        let found = Comparison::new(&map, &shards, &parameters(&model, &map.part)?);
        out!("{}", found.text());
        let verdict = match found.is_complete() {
            true => "the file makes every one",
            false => "the file does not fit",
        };
        outln!(
            "{} parameters of the {}: {verdict}",
            found.matched.len(),
            map.part
        );
        return Ok(());
    }
    let head = ["tensor", "type", "sizes", "bytes"].map(String::from);
    let mut rows = Vec::new();
    let mut bytes = 0;
    for (name, stored) in shards.tensors() {
        let shape: Vec<String> = stored.shape.iter().map(ToString::to_string).collect();
        bytes += stored.bytes();
        rows.push(vec![
            name.to_owned(),
            stored.dtype.to_string(),
            shape.join("×"),
            stored.bytes().to_string(),
        ]);
    }
    print_table(&head, &rows);
    outln!("{} tensors, {bytes} bytes", rows.len());
    Ok(())
}

fn import_weights(args: &ConvertArgs) -> Result<(), Failure> {
    let model = load_model(&args.model.model, &args.model.sets)?;
    let map = map(&args.map, &model)?;
    let mut shards = Shards::open(&args.from)?;
    let found = Comparison::new(&map, &shards, &parameters(&model, &map.part)?);
    if !found.is_complete() {
        let text = format!("does not fit the model:\n{}", found.text());
        return Err(Failure::at(&args.from, text));
    }
    let tensors: Vec<(String, Vec<u64>)> = found
        .matched
        .iter()
        .map(|(rule, dims)| (rule.ours.clone(), dims.clone()))
        .collect();
    let resize = |vision: &mm1_dsl::model::Vision| vision.encoder.position_resize.clone();
    let resize = model.vision.as_ref().and_then(resize);
    let antialias = resize.as_deref() == Some("bicubic-antialias");
    write(&args.output, &tensors, |index| {
        let (rule, dims) = &found.matched[index];
        import(&found, (rule, dims), &mut shards, antialias)
    })?;
    eprint!("{}", found.text());
    eprintln!("`{}`: {} parameters", args.output.display(), tensors.len());
    Ok(())
}

fn export_weights(args: &ConvertArgs) -> Result<(), Failure> {
    let model = load_model(&args.model.model, &args.model.sets)?;
    let map = map(&args.map, &model)?;
    let mut shards = Shards::open(&args.from)?;
    let wanted = parameters(&model, &map.part)?;
    let rules: BTreeMap<&str, _> = map.rules.iter().map(|rule| (&*rule.ours, rule)).collect();
    // Under its own names, every parameter is held by itself.
    let own = WeightMap {
        prefixes: vec![String::new()],
        ignore: vec!["*".to_owned()],
        rules: map.rules.iter().map(maps::Rule::own).collect(),
        ..map.clone()
    };
    let found = Comparison::new(&own, &shards, &wanted);
    if !found.is_complete() {
        let text = format!("does not fit the model:\n{}", found.text());
        return Err(Failure::at(&args.from, text));
    }
    let mut tensors = Vec::new();
    let mut sources = Vec::new();
    for (own, dims) in &found.matched {
        let rule = rules[own.ours.as_str()];
        for (at, (name, shape)) in exported(rule, dims).into_iter().enumerate() {
            tensors.push((format!("{}{name}", args.prefix), shape));
            sources.push((own, dims, rule, at));
        }
    }
    write(&args.output, &tensors, |index| {
        let (own, dims, rule, at) = sources[index];
        let values = import(&found, (own, dims), &mut shards, false)?;
        Ok(export(rule, dims, &values).swap_remove(at))
    })?;
    eprintln!("`{}`: {} tensors", args.output.display(), tensors.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ModelArgs;
    use std::path::PathBuf;

    const DECODER: &str = "name = \"w\"\n[decoder]\nwidth = 8\ndepth = 2\nheads = 2\nkv_heads = 1\n\
        mlp_width = 6\nvocabulary = 5\nmax_sequence_length = 4\n";

    const ENCODER: &str = "[encoder]\nresolution = 12\npatch = 4\nwidth = 8\ndepth = 1\nheads = 2\n\
        mlp_width = 8\nactivation = \"gelu\"\npatch_bias = true\nfeatures.final_norm = true\n\
        [connector]\nkind = \"avg-pool\"\nimage_tokens = 1\n";

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new(model: &str) -> Self {
            let folder = tempfile::tempdir().expect("a folder can be made");
            std::fs::write(folder.path().join("model.toml"), model).expect("is writable");
            Self(folder)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn model(&self) -> Model {
            load_model(&self.path("model.toml"), &[]).expect("a correct file")
        }

        fn convert(&self, map: &str, from: &str, to: &str, export: bool) -> Result<(), Failure> {
            run(&WeightsCommand::Convert(ConvertArgs {
                model: ModelArgs {
                    model: self.path("model.toml"),
                    sets: Vec::new(),
                },
                map: map.to_owned(),
                from: self.path(from),
                output: self.path(to),
                export,
                prefix: String::new(),
            }))
        }

        /// Writes tensors whose values count on.
        fn store(&self, name: &str, tensors: &[(String, Vec<u64>)]) {
            let mut next = 0.0;
            write(&self.path(name), tensors, |index| {
                let count = tensors[index].1.iter().product::<u64>();
                Ok((0..count)
                    .map(|_| {
                        next += 1.0;
                        next
                    })
                    .collect())
            })
            .expect("is writable");
        }
    }

    fn own(model: &Model, part: &str) -> Vec<(String, Vec<u64>)> {
        parameters(model, part)
            .expect("a model that builds")
            .into_iter()
            .collect()
    }

    fn read(path: &Path) -> BTreeMap<String, Vec<f32>> {
        let mut shards = Shards::open(path).expect("is readable");
        // A fixture also holds integers.
        let floats = shards
            .tensors()
            .filter(|(_, stored)| mm1_runtime::checkpoint::tensors::is_float(stored.dtype));
        let names: Vec<String> = floats.map(|(name, _)| name.to_owned()).collect();
        let mut value = |name: String| {
            let values = shards.read(&name).expect("is f32");
            (name, values)
        };
        names.into_iter().map(&mut value).collect()
    }

    /// The weights by our names of a fixture that also holds what its library saved, and what `map`
    /// makes of that for the fixture's model, changed by `keys`.
    fn of_library(name: &str, map: &str, change: [&str; 2]) -> [BTreeMap<String, Vec<f32>>; 2] {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/references");
        let file = fixtures.join(name).with_extension("safetensors");
        let shards = Shards::open(&file).expect("is readable");
        let theirs: Vec<(String, Vec<u64>)> = shards
            .tensors()
            .filter_map(|(name, stored)| {
                let shape = stored.shape.iter().map(|&size| size as u64).collect();
                Some((name.strip_prefix("theirs/")?.to_owned(), shape))
            })
            .collect();
        let values = read(&file);
        let text = std::fs::read_to_string(file.with_extension("toml")).expect("is text");
        let folder = Folder::new(&text.replace(change[0], change[1]));
        write(&folder.path("theirs"), &theirs, |index| {
            Ok(values[&format!("theirs/{}", theirs[index].0)].clone())
        })
        .expect("is writable");
        let done = folder.convert(map, "theirs", "ours", false);
        done.unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = read(&folder.path("ours"));
        assert!(found.len() >= 15, "{name}");
        let wanted = found.keys().map(|parameter| {
            let values = values[&format!("weights/{parameter}")].clone();
            (parameter.clone(), values)
        });
        [wanted.collect(), found]
    }

    /// Files that transformers saved, kept in the fixtures of tests/ beside the weights by our names.
    #[test]
    fn files_of_transformers_give_the_weights_that_they_were_made_of() {
        for (name, map) in [
            ("llama", "llama"),
            ("gemma2", "gemma2"),
            ("gpt2", "gpt2"),
            ("mixtral", "mixtral"),
            ("clip-openai", "clip"),
            ("siglip", "siglip"),
            ("dinov2", "dinov2"),
        ] {
            let [wanted, found] = of_library(name, map, ["", ""]);
            for (parameter, found) in found {
                assert!(found == wanted[&parameter], "{name}: `{parameter}`");
            }
        }
    }

    /// Files of open_clip at another resolution than the model's: its table of positions becomes the
    /// one that open_clip's own `resize_pos_embed` makes, everything else stays.
    #[test]
    fn files_of_open_clip_are_resized_as_open_clip_does() {
        let table = "encoder.position";
        let farthest = |[wanted, found]: &[BTreeMap<String, Vec<f32>>; 2]| {
            let pairs = wanted[table].iter().zip(&found[table]);
            let differences = pairs.map(|(wanted, found)| (wanted - found).abs());
            differences.fold(0.0, f32::max)
        };
        for name in ["open-clip-larger", "open-clip-smaller"] {
            let both = of_library(name, "open-clip", ["", ""]);
            for (parameter, found) in &both[1] {
                if parameter != table {
                    assert!(*found == both[0][parameter], "{name}: `{parameter}`");
                }
            }
            // Both are made in f64 of values around 0.05 and rounded to f32.
            assert!(farthest(&both) < 1e-8, "{name}: {:e}", farthest(&both));
            let change = ["\"bicubic-antialias\"", "\"bicubic\""];
            let other = farthest(&of_library(name, "open-clip", change));
            assert!(
                other > 1e-3,
                "{name}: another filter moves by {other:e} only"
            );
        }
    }

    #[test]
    fn what_is_exported_comes_back_bit_for_bit() {
        for (map, keys) in [
            ("llama", ""),
            ("qwen", "qkv_bias = true\nqk_norm = true\n"),
            (
                "gemma2",
                "post_norm = true\nnorm = \"zero-centered-rms-norm\"\ntied_head = true\n",
            ),
            (
                "gpt2",
                "mlp = \"gelu-mlp\"\nbias = true\nnorm = \"layer-norm\"\nposition = \"learned\"\n\
                 tied_head = true\n",
            ),
            (
                "mixtral",
                "[decoder.moe]\nexperts = 3\nevery = 1\noffset = 0\ntop_k = 2\n",
            ),
        ] {
            let text = DECODER.replace("kv_heads = 1\n", "");
            let folder = Folder::new(&format!("{text}{keys}"));
            folder.store("ours", &own(&folder.model(), "decoder"));
            let check = |done: Result<(), Failure>| done.unwrap_or_else(|it| panic!("{map}: {it}"));
            check(folder.convert(map, "ours", "theirs", true));
            check(folder.convert(map, "theirs", "again", false));
            let read = |name: &str| read(&folder.path(name));
            assert_eq!(read("ours"), read("again"), "{map}");
            assert!(read("theirs").len() > 10, "{map}");
        }
    }

    #[test]
    fn every_mismatch_is_listed() {
        let folder = Folder::new(DECODER);
        folder.store("ours", &own(&folder.model(), "decoder"));
        folder
            .convert("llama", "ours", "theirs", true)
            .expect("is exported");
        let shards = Shards::open(&folder.path("theirs")).expect("is readable");
        let mut tensors: Vec<(String, Vec<u64>)> = shards
            .tensors()
            .map(|(name, stored)| {
                (
                    name.to_owned(),
                    stored.shape.iter().map(|&size| size as u64).collect(),
                )
            })
            .collect();
        tensors.retain(|(name, _)| name != "model.norm.weight");
        for (name, shape) in &mut tensors {
            if name == "model.layers.1.self_attn.k_proj.weight" {
                shape[0] = 8;
            }
        }
        tensors.push(("model.layers.2.mlp.up_proj.weight".to_owned(), vec![6, 8]));
        folder.store("wrong", &tensors);
        let error = folder
            .convert("llama", "wrong", "again", false)
            .expect_err("does not fit");
        let error = error.to_string();
        for line in [
            "missing: `decoder.norm.weight`",
            "unexpected: `model.layers.2.mlp.up_proj.weight`",
            "shape: `model.layers.1.self_attn.k_proj.weight` is [8, 8], [4, 8] is wanted",
        ] {
            assert!(error.contains(line), "{line}: {error}");
        }
        assert!(!folder.path("again").exists());
    }

    #[test]
    fn a_table_of_another_grid_is_resized_and_prefixes_are_found() {
        let folder = Folder::new(&format!("{DECODER}{ENCODER}"));
        let model = folder.model();
        let map = maps::embedded("clip", &model).unwrap_or_else(|error| panic!("{error}"));
        let wanted = parameters(&model, "encoder").expect("a model that builds");
        let mut tensors = Vec::new();
        for rule in &map.rules {
            let Some(dims) = wanted.get(&rule.ours) else {
                continue;
            };
            for (name, mut shape) in exported(rule, dims) {
                if rule.before.is_some() {
                    // A class token and a grid of 5×5.
                    shape[0] = 26;
                }
                tensors.push((format!("vision_model.{name}"), shape));
            }
        }
        tensors.push(("text_model.final_layer_norm.weight".to_owned(), vec![8]));
        folder.store("clip", &tensors);
        let shards = Shards::open(&folder.path("clip")).expect("is readable");
        let found = Comparison::new(&map, &shards, &wanted);
        assert_eq!(found.prefix, "vision_model.");
        // CLIP's patches have no bias.
        assert_eq!(found.missing, ["encoder.patch.bias"]);
        assert_eq!(found.resized, [("encoder.position".to_owned(), 5, 3)]);
        assert!(
            found.unexpected.is_empty() && found.shape.is_empty(),
            "{}",
            found.text()
        );
    }
}
