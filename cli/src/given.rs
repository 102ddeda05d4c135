//! A path on the command line that may be a graph file or a package of it.
//!
//! A package keeps its resolved graph file, so it is all that a machine without a code generator
//! needs: data, schedule and evaluation come from that file, with `--set` over it.

use std::io::Read as _;
use std::path::Path;

use mm1_dsl::model::Model;
use mm1_package::Package;
use mm1_runtime::rundir::compare;

use crate::args::{BackendArgs, ProgramArgs};
use crate::compile::{load_model, read_package, rendered};
use crate::failure::Failure;

/// First bytes of a package.
const MAGIC: &[u8] = b"mm1c-pkg";

/// Keys, or tables of keys, that no kernel depends on: `--set` may change them for a package.
const NOT_COMPILED: &[&str] = &[
    "name",
    "data",
    "init",
    "image.fit",
    "image.filter",
    "image.mean",
    "image.std",
    "image.tiles",
    "image.tile_grid",
    "image.least_tiles",
    "image.most_tiles",
    "image.overview",
    "image.tiled_pictures",
    "decoder.moe.load_balance_weight",
    "decoder.moe.router_z_weight",
    "train.seed",
    "train.steps",
    "train.global_batch_sequences",
    "train.lr",
    "train.schedule",
    "train.warmup_steps",
    "train.lr_floor",
    "train.weight_decay",
    "train.weight_decay_convention",
    "train.clip_norm",
    "train.loss_normalization",
    "train.z_loss",
    "train.log_every",
    "train.evaluate_every",
    "train.checkpoint_every",
    "train.keep_checkpoints",
    "train.evaluation_examples",
    "train.generate_tokens",
    "train.nonfinite_limit",
];

/// Whether `path` is a package, by its name or by its first bytes.
pub fn is_package(path: &Path) -> bool {
    let named = path.extension().is_some_and(|it| it == "mm1pkg");
    named || {
        let mut first = [0; MAGIC.len()];
        let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut first));
        read.is_ok() && first == MAGIC
    }
}

/// The model at `path`, and what to run of it: where `path` is a package, the model is the one
/// that it keeps, and the package itself runs.
///
/// # Errors
/// A file that cannot be read or is refused; a package together with arguments that compile; a
/// `--set` that would need another package.
pub fn open(
    path: &Path,
    sets: &[String],
    program: &ProgramArgs,
) -> Result<(Model, ProgramArgs), Failure> {
    if !is_package(path) {
        return Ok((load_model(path, sets)?, program.clone()));
    }
    if program.package.is_some() {
        return Err(Failure::new(format!(
            "`{}` is a package already: leave out --package",
            path.display()
        )));
    }
    refuse_compiling(&program.backend)?;
    let model = model_of(path, &read_package(path)?, sets)?;
    let program = ProgramArgs {
        package: Some(path.to_path_buf()),
        ..program.clone()
    };
    Ok((model, program))
}

/// Refuses arguments that say how to compile.
///
/// # Errors
/// If there are any.
pub fn refuse_compiling(args: &BackendArgs) -> Result<(), Failure> {
    match (args.backend, &args.target, &args.schedules) {
        (None, None, None) => Ok(()),
        _ => Err(Failure::new(
            "a package is compiled already: --backend, --target and --schedules need a graph file",
        )),
    }
}

/// The model that the package at `path` keeps, under `sets`.
///
/// # Errors
/// A `--set` that is wrong, or that would need another package.
pub fn model_of(path: &Path, package: &Package, sets: &[String]) -> Result<Model, Failure> {
    let resolved = &package.model.resolved;
    let model = rendered(mm1_dsl::load_text(path, resolved, sets))?;
    let free = |key: &str| {
        NOT_COMPILED.iter().any(|it| {
            key.strip_prefix(it)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let bound: Vec<String> = compare(resolved, &model.resolved)
        .into_iter()
        .filter(|change| !free(&change.key))
        .map(|change| format!("\n  {}", change.key))
        .collect();
    match bound.is_empty() {
        true => Ok(model),
        false => Err(Failure::new(format!(
            "`{}` was compiled with other values of these keys; --set changes them for a graph \
             file only:{}",
            path.display(),
            bound.concat()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::args::Backend;
    use crate::compile::{Request, options};

    fn tiny() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/tiny/tokens-4.toml")
    }

    fn program() -> ProgramArgs {
        ProgramArgs {
            package: None,
            backend: BackendArgs {
                backend: None,
                target: None,
                schedules: None,
            },
            device: mm1_runtime::device::Choice::Cpu,
            threads: None,
        }
    }

    /// A package in a folder of its own, without any graph file beside it.
    fn package(folder: &Path, name: &str) -> PathBuf {
        let model = load_model(&tiny(), &[]).expect("a correct file");
        let request = Request {
            backend: Some(Backend::Cranelift),
            target: Some("cpu:x86-64-v3".to_owned()),
            ..Request::default()
        };
        let options = options(&request).expect("a known target");
        let purpose = mm1_compiler::build::Purpose::All;
        let package = mm1_compiler::compile::compile(&model, purpose, &options);
        let path = folder.join(name);
        let bytes = package.expect("a model that compiles").to_bytes();
        std::fs::write(&path, bytes).expect("writable");
        path
    }

    #[test]
    fn a_package_stands_in_for_its_graph_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = package(folder.path(), "a.package");
        assert!(is_package(&path) && !is_package(&tiny()));
        let sets = ["train.steps=700", "data.shuffle_seed=3"].map(str::to_owned);
        let (model, run) = open(&path, &sets, &program()).expect("a package that opens");
        assert_eq!((model.train.steps, run.package), (700, Some(path.clone())));
        let (file, run) = open(&tiny(), &[], &program()).expect("a file that opens");
        assert_eq!(run.package, None);
        let kept = open(&path, &[], &program())
            .expect("a package that opens")
            .0;
        assert_eq!(kept.resolved, file.resolved);
    }

    #[test]
    fn what_was_compiled_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = package(folder.path(), "a.mm1pkg");
        for set in [
            "train.precision=\"f32\"",
            "decoder.depth=3",
            "train.beta1=0.5",
        ] {
            let error = open(&path, &[set.to_owned()], &program()).expect_err("refused");
            let key = set.split('=').next().expect("a key");
            assert!(error.to_string().contains(key), "{error}");
        }
        let mut compiling = program();
        compiling.backend.target = Some("cpu:x86-64-v3".to_owned());
        assert!(open(&path, &[], &compiling).is_err());
        let twice = ProgramArgs {
            package: Some(path.clone()),
            ..program()
        };
        assert!(open(&path, &[], &twice).is_err());
    }

    #[test]
    fn every_free_key_exists() {
        for key in NOT_COMPILED.iter().filter(|it| it.contains('.')) {
            let path: Vec<&str> = key.split('.').collect();
            assert!(mm1_dsl::keys::find(&path).is_some(), "{key}");
        }
    }
}
