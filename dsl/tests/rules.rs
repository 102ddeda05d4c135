//! Inheritance, overlays, tag changes, `remove`, `--set`, presets, provenance and diff.

use std::path::{Path, PathBuf};

use mm1_dsl::codes::{self, Code};
use mm1_dsl::component::Argument;
use mm1_dsl::diagnostic::Diagnostics;
use mm1_dsl::model::{MixtureUnit, Model, Precision};
use mm1_dsl::resolved::Origin;
use mm1_dsl::{diff, load, resolve};

/// A folder of graph files that goes away at the end; it is its own project.
struct Project {
    folder: PathBuf,
}

impl Project {
    fn new(test: &str, files: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("mm1-dsl-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let project = Self { folder };
        project.write("mm1c.toml", "");
        project.write("base.toml", BASE);
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        let parent = path.parent().expect("has a parent");
        std::fs::create_dir_all(parent).expect("the folder can be made");
        std::fs::write(path, text).expect("is writable");
    }

    fn try_load(&self, name: &str, sets: &[&str]) -> Result<Model, Diagnostics> {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_string()).collect();
        load(&self.folder.join(name), &sets)
    }

    fn load(&self, name: &str, sets: &[&str]) -> Model {
        self.try_load(name, sets)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn codes(&self, name: &str, sets: &[&str]) -> Vec<Code> {
        let diagnostics = self.try_load(name, sets).expect_err("is wrong");
        diagnostics
            .list
            .iter()
            .map(|diagnostic| diagnostic.code)
            .collect()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const BASE: &str = include_str!("wrong/parts/base.toml");

#[test]
fn an_overlay_changes_one_key() {
    let project = Project::new(
        "overlay",
        &[(
            "over.toml",
            "extends = \"base.toml\"\n[data.sources.captions]\nweight = 0.25\n[encoder]\nfeatures = { block = 0 }\n",
        )],
    );
    let (base, over) = (
        project.load("base.toml", &[]),
        project.load("over.toml", &[]),
    );
    assert_eq!(
        diff(&base, &over).to_string(),
        "~ encoder.features.block: -1 -> 0\n~ data.sources.captions.weight: 1.0 -> 0.25\n"
    );
    // An inline table merges like any other: `final_norm` of the base stays.
    assert_eq!(over.keys.bool("encoder.features.final_norm"), Some(true));
    assert_eq!(over.name, "base", "a name is inherited too");
}

#[test]
fn chains_of_parents_merge_from_the_root() {
    let project = Project::new(
        "chain",
        &[
            (
                "a/one.toml",
                "extends = \"../base.toml\"\n[train]\nsteps = 200\nseed = 1\n",
            ),
            (
                "a/b/two.toml",
                "extends = \"../one.toml\"\n[train]\nsteps = 300\n",
            ),
        ],
    );
    let model = project.load("a/b/two.toml", &["train.seed=7"]);
    assert_eq!(
        (
            model.train.steps,
            model.train.seed,
            model.train.warmup_steps
        ),
        (300, 7, 10)
    );
}

#[test]
fn arrays_are_replaced_whole() {
    let project = Project::new(
        "arrays",
        &[
            (
                "one.toml",
                "extends = \"base.toml\"\n[train]\nfreeze = [\"encoder.*\", \"decoder.*\"]\n",
            ),
            (
                "two.toml",
                "extends = \"one.toml\"\n[train]\nfreeze = [\"connector.*\"]\n",
            ),
        ],
    );
    assert_eq!(project.load("two.toml", &[]).train.freeze, ["connector.*"]);
}

#[test]
fn a_change_of_kind_drops_the_keys_of_the_old_one() {
    let project = Project::new(
        "kind",
        &[
            (
                "c.toml",
                "extends = \"base.toml\"\n[connector]\nkind = \"c-abstractor\"\nhidden = 64\ndepth = 2\nimage_tokens = 9\n",
            ),
            (
                "mlp.toml",
                "extends = \"c.toml\"\n[connector]\nkind = \"mlp\"\n",
            ),
            (
                "same.toml",
                "extends = \"c.toml\"\n[connector]\nkind = \"c-abstractor\"\n",
            ),
            (
                "kept.toml",
                "extends = \"c.toml\"\n[connector]\nkind = \"mlp\"\nhidden = 80\n",
            ),
        ],
    );
    let model = project.load("mlp.toml", &[]);
    let dropped: Vec<&str> = model
        .keys
        .dropped
        .iter()
        .map(|dropped| dropped.path.as_str())
        .collect();
    assert_eq!(dropped, ["connector.hidden", "connector.depth"]);
    // The default of the new kind, not the inherited 64; tokens belong to every kind.
    assert_eq!(
        model.keys.int("connector.hidden"),
        Some(64),
        "the decoder's width"
    );
    assert!(matches!(
        model.keys.keys["connector.hidden"].origin,
        Origin::Computed(_)
    ));
    assert_eq!(model.keys.int("connector.image_tokens"), Some(9));
    let text = resolve::with_provenance(&model);
    assert!(text.contains("# connector.depth ("), "{text}");
    assert!(text.contains("because connector.kind changed"), "{text}");

    let same = project.load("same.toml", &[]);
    assert!(same.keys.dropped.is_empty(), "the kind did not change");
    assert_eq!(same.keys.int("connector.depth"), Some(2));

    let kept = project.load("kept.toml", &[]);
    assert_eq!(kept.keys.int("connector.hidden"), Some(80));
    assert_eq!(
        kept.keys.dropped.len(),
        1,
        "what the overlay writes itself is not listed"
    );

    // `--set` is an overlay like any other.
    let set = project.load("c.toml", &["connector.kind=avg-pool"]);
    assert_eq!(set.keys.dropped.len(), 2);
}

#[test]
fn a_variant_fills_what_is_not_written_beside_it() {
    let project = Project::new(
        "variant",
        &[
            (
                "preset.toml",
                "extends = \"base.toml\"\n[decoder]\nvariant = \"85m\"\ndepth = 3\n",
            ),
            (
                "other.toml",
                "extends = \"preset.toml\"\n[decoder]\nvariant = \"9m\"\n",
            ),
        ],
    );
    let model = project.load("preset.toml", &[]);
    assert_eq!(
        (
            model.decoder.width,
            model.decoder.depth,
            model.decoder.heads
        ),
        (768, 3, 12)
    );
    assert_eq!(
        model.decoder.vocabulary, 300,
        "no preset governs the vocabulary"
    );
    assert!(
        matches!(&model.keys.keys["decoder.width"].origin, Origin::Preset { name, .. } if name == "85m")
    );
    let dropped: Vec<&str> = model
        .keys
        .dropped
        .iter()
        .map(|dropped| dropped.path.as_str())
        .collect();
    assert_eq!(
        dropped,
        ["decoder.width", "decoder.heads", "decoder.mlp_width"]
    );

    let other = project.load("other.toml", &[]);
    assert_eq!(
        (other.decoder.width, other.decoder.depth),
        (384, 6),
        "the depth belonged to the old variant"
    );
}

#[test]
fn remove_deletes_inherited_tables_and_keys() {
    let project = Project::new(
        "remove",
        &[(
            "text.toml",
            "extends = \"base.toml\"\nremove = [\"encoder\", \"connector\", \"data.sources.captions\", \"train.warmup_steps\"]\n\
             [data.sources.words]\nkind = \"scenes\"\ntask = \"text\"\n[data]\nmax_images = 0\n",
        )],
    );
    let model = project.load("text.toml", &[]);
    assert!(model.vision.is_none());
    assert_eq!(
        model
            .data
            .expect("has data")
            .sources
            .keys()
            .collect::<Vec<_>>(),
        ["words"]
    );
    assert_eq!(model.train.warmup_steps, 10, "a tenth of the steps");
    assert!(model.keys.get("encoder.width").is_none());
    assert_eq!(
        project.codes("base.toml", &["remove=[\"image.fit\"]"]),
        [codes::REMOVES_NOTHING]
    );
}

#[test]
fn set_is_toml_and_bare_words_are_strings() {
    let project = Project::new("set", &[]);
    let model = project.load(
        "base.toml",
        &[
            "train.lr=1e-3",
            "train.precision=bf16",
            "train.freeze=[\"encoder.*\"]",
            "train.lr_scale.\"connector.*\" = 2",
            "data.mixture_unit = \"token\"",
            "name=a/b-c.d",
        ],
    );
    assert_eq!(model.train.peak_lr, 1e-3);
    assert_eq!(model.train.precision, Precision::Bf16);
    assert_eq!(model.train.freeze, ["encoder.*"]);
    assert_eq!(model.train.lr_scale["connector.*"], 2.0);
    assert_eq!(
        model.data.as_ref().expect("has data").mixture_unit,
        MixtureUnit::Token
    );
    assert_eq!(model.name, "a/b-c.d");
    assert!(
        model
            .resolved
            .contains("[train.lr_scale]\n\"connector.*\" = 2.0\n"),
        "{}",
        model.resolved
    );
    for bad in [
        "train.steps",
        "train.steps=",
        "=3",
        "train.lr=[1",
        "a b=3",
        "train.steps=3\nname=4",
    ] {
        assert!(project.try_load("base.toml", &[bad]).is_err(), "{bad}");
    }
    assert_eq!(
        project.codes("base.toml", &["extends=other.toml"]),
        [codes::BAD_SET]
    );
}

#[test]
fn data_paths_resolve_against_their_writer() {
    let project = Project::new(
        "paths",
        &[(
            "sub/files.toml",
            "extends = \"../base.toml\"\n[data.sources.photos]\nkind = \"webdataset\"\npath = \"../shards/{000..003}.tar\"\n",
        )],
    );
    let model = project.load(
        "sub/files.toml",
        &["data.sources.photos.evaluation_path=/srv/held-out-*.tar"],
    );
    let photos = &model.data.as_ref().expect("has data").sources["photos"];
    let path = photos.path.as_deref().expect("is given");
    assert!(
        Path::new(path).is_absolute()
            && path.ends_with("shards/{000..003}.tar")
            && !path.contains("/../"),
        "{path}"
    );
    assert_eq!(
        photos.evaluation_path.as_deref(),
        Some("/srv/held-out-*.tar")
    );
    let relative = project.load("sub/files.toml", &["data.sources.photos.path=here/x.tar"]);
    let path = relative.data.expect("has data").sources["photos"]
        .path
        .clone()
        .expect("is given");
    assert_eq!(
        Path::new(&path),
        std::env::current_dir()
            .expect("is known")
            .join("here/x.tar")
    );
    project.write(
        "escape.toml",
        "extends = \"base.toml\"\n[data]\ntokenizer = \"../../tokenizer.json\"\n",
    );
    assert_eq!(project.codes("escape.toml", &[]), [codes::OUTSIDE_PROJECT]);
}

#[cfg(unix)]
#[test]
fn a_link_does_not_leave_the_project() {
    let outside = Project::new("link-target", &[]);
    let project = Project::new("link", &[("over.toml", "extends = \"link.toml\"\n")]);
    std::os::unix::fs::symlink(
        outside.folder.join("base.toml"),
        project.folder.join("link.toml"),
    )
    .expect("can be made");
    assert_eq!(project.codes("over.toml", &[]), [codes::OUTSIDE_PROJECT]);
}

#[test]
fn every_default_is_stated_and_marked() {
    let project = Project::new("defaults", &[]);
    let model = project.load("base.toml", &[]);
    for key in [
        "encoder.norm_epsilon",
        "image.filter",
        "train.weight_decay_convention",
        "train.loss_normalization",
        "train.residual",
        "train.init_std",
    ] {
        assert!(model.keys.get(key).is_some(), "{key}");
        assert!(model.keys.keys[key].origin.assigned().is_none(), "{key}");
        assert!(!model.assigned.contains_key(key), "{key}");
    }
    let span = model.assigned["encoder.width"];
    assert_eq!(model.sources().slice(span), "48");
    assert!(model.sources().place(span).ends_with("base.toml:7:9"));
}

#[test]
fn learning_rate_law_uses_the_decoder() {
    let project = Project::new("law", &[]);
    let model = project.load("base.toml", &["train.lr=mm1"]);
    let count = model
        .decoder
        .non_embedding_parameters()
        .expect("is built in") as f64;
    assert_eq!(model.train.peak_lr, mm1_dsl::mm1_learning_rate(count));
    assert_eq!(model.warnings.len(), 1, "far below 9 M parameters");
    assert!(
        model
            .render_warnings(false)
            .starts_with("warning[MM1C0050]")
    );
    let large = project.load("base.toml", &["train.lr=mm1", "decoder.variant=85m"]);
    assert!(large.warnings.is_empty());
}

#[test]
fn feature_blocks_count_from_either_end() {
    let project = Project::new("blocks", &[]);
    for (block, run) in [(-1, 2), (-2, 1), (0, 1), (1, 2)] {
        let model = project.load("base.toml", &[&format!("encoder.features.block={block}")]);
        let call = &model
            .vision
            .as_ref()
            .expect("has an image side")
            .encoder
            .call;
        assert_eq!(call.arguments["run_blocks"], Argument::Int(run), "{block}");
    }
}

#[test]
fn encoder_variants_choose_their_components() {
    let project = Project::new("encoder", &[]);
    let model = project.load(
        "base.toml",
        &[
            "encoder.variant=siglip-b/16",
            "encoder.resolution=64",
            "encoder.features.final_norm=false",
        ],
    );
    let call = &model
        .vision
        .as_ref()
        .expect("has an image side")
        .encoder
        .call;
    let encoder = model
        .components
        .instantiate_call(call, "encoder")
        .expect("is legal");
    let has = |path: &str| encoder.nodes.iter().any(|node| node.path == path);
    assert!(has("encoder.patch") && !has("encoder.norm_pre") && !has("encoder.norm_final"));
    assert!(
        !encoder
            .nodes
            .iter()
            .any(|node| node.path.contains("class_token"))
    );
    let position = encoder
        .nodes
        .iter()
        .find(|node| node.path == "encoder.position")
        .expect("is there");
    assert_eq!(
        position.attributes["shape"],
        Argument::List(vec![Argument::Int(16), Argument::Int(768)])
    );
}

const MEAN_CONNECTOR: &str = r#"
parameters = ["grid", "in_width", "out_width", "image_tokens", "stride"]
[inputs]
features = ["images", "=grid*grid", "=in_width"]
[[node]]
name = "pooled"
op = "adaptive-average-pool-2d"
input = "features"
grid = ["=grid", "=grid"]
output_grid = ["=grid/stride", "=grid/stride"]
[[node]]
name = "out"
use = "parts/head.toml"
input = "pooled"
width = "=out_width"
[outputs]
tokens = "out"
"#;

const HEAD: &str = r#"
parameters = ["width"]
[inputs]
x = ["..", 48]
[[node]]
name = "linear"
op = "linear"
input = "x"
out_width = "=width"
bias = false
[outputs]
x = "linear"
"#;

#[test]
fn a_project_component_is_a_connector() {
    let over = "extends = \"base.toml\"\n[connector]\nkind = \"own/mean.toml\"\nstride = 2\n";
    let project = Project::new(
        "component",
        &[
            ("over.toml", over),
            ("own/mean.toml", MEAN_CONNECTOR),
            ("own/parts/head.toml", HEAD),
            (
                "back.toml",
                "extends = \"over.toml\"\n[connector]\nkind = \"avg-pool\"\n",
            ),
        ],
    );
    let model = project.load("over.toml", &[]);
    let call = &model
        .vision
        .as_ref()
        .expect("has an image side")
        .connector
        .call;
    assert_eq!(call.arguments["stride"], Argument::Int(2));
    let connector = model
        .components
        .instantiate_call(call, "connector")
        .expect("is legal");
    assert_eq!(connector.outputs["tokens"], "connector.out.linear");
    // Going back to a built-in kind drops the key that only the component read.
    let back = project.load("back.toml", &[]);
    assert_eq!(back.keys.dropped[0].path, "connector.stride");
    // A fault in the component points at the assignment.
    let diagnostics = project
        .try_load("over.toml", &["connector.stride=3"])
        .expect_err("4 / 3 leaves a remainder");
    assert_eq!(diagnostics.list[0].code, codes::INEXACT_DIVISION);
    let label = diagnostics.list[0].primary.as_ref().expect("has a place");
    assert_eq!(diagnostics.sources.slice(label.span), "3");
}

#[test]
fn tokenizer_and_init_are_kept() {
    let project = Project::new("init", &[]);
    let model = project.load(
        "base.toml",
        &["init.decoder=run:runs/one", "data.tokenizer=tok.json"],
    );
    assert_eq!(model.init["decoder"], "run:runs/one");
    assert!(
        model
            .data
            .expect("has data")
            .tokenizer
            .ends_with("/tok.json")
    );
    assert!(model.init.get("encoder").is_none());
}
