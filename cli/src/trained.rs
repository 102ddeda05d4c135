//! A run directory and what it keeps: graph file, tokenizer, checkpoints.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mm1_dsl::component::Argument;
use mm1_dsl::model::{Model, Objective};
use mm1_runtime::checkpoint::{self, Store};
use mm1_runtime::data::{DataConfig, first_texts};
use mm1_runtime::executor::Executor;
use mm1_runtime::init::{Allowed, PositionTable, load_part};
use mm1_runtime::tokenizer::Tokenizer;

use crate::args::TrainedArgs;
use crate::compile::{package_of, threads};
use crate::convert::data_config;
use crate::failure::Failure;
use crate::sparse::copy_dense;
use crate::{device, given};

/// Texts that a `builtin` tokenizer is trained on.
pub const TOKENIZER_TEXTS: usize = 10_000;
/// Entries of the tokenizer of a model that reads no text.
const UNREAD_VOCABULARY: usize = 512;
/// The resolved graph file of a run.
pub const CONFIG: &str = "config.resolved.toml";
/// The tokenizer of a run.
pub const TOKENIZER: &str = "tokenizer.json";
/// The checkpoints of a run.
pub const CHECKPOINTS: &str = "ckpt";

/// The folder of a run of `model` where none is given.
pub fn default_run_dir(model: &Model) -> PathBuf {
    Path::new("runs").join(model.name.replace('/', "-"))
}

/// The newest folder in `runs/` that keeps a graph file.
fn newest_run() -> Option<PathBuf> {
    let mut runs: Vec<_> = std::fs::read_dir("runs")
        .ok()?
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let time = std::fs::metadata(folder.join(CONFIG))
                .ok()?
                .modified()
                .ok()?;
            Some((time, folder))
        })
        .collect();
    runs.sort();
    runs.pop().map(|(_, folder)| folder)
}

/// The tokenizer of `model`: its file, the one that the run keeps, or a new one.
///
/// # Errors
/// A tokenizer that cannot be read or made, or has more entries than the embedding has rows.
pub fn tokenizer(
    model: &Model,
    data: &DataConfig,
    run_dir: &Path,
) -> Result<Arc<Tokenizer>, Failure> {
    let word = model
        .data
        .as_ref()
        .map_or("builtin", |it| it.tokenizer.as_str());
    let kept = run_dir.join(TOKENIZER);
    // Without a decoder nothing learns the texts, but the mixture may count their tokens.
    let rows = match model.objective {
        Objective::Reconstruction { .. } => UNREAD_VOCABULARY,
        Objective::Language | Objective::Contrastive { .. } => model.decoder.vocabulary as usize,
    };
    let tokenizer = if word != "builtin" {
        Tokenizer::load(Path::new(word))?
    } else if kept.exists() {
        Tokenizer::load(&kept)?
    } else {
        train_tokenizer(data, rows, TOKENIZER_TEXTS)?
    };
    if tokenizer.vocabulary() > rows {
        return Err(Failure::new(format!(
            "the tokenizer has {} entries, but `decoder.vocabulary` is {rows}",
            tokenizer.vocabulary()
        )));
    }
    Ok(Arc::new(tokenizer))
}

/// A tokenizer trained on the first texts of the sources.
///
/// # Errors
/// Sources that cannot be read, or hold no text.
pub fn train_tokenizer(
    data: &DataConfig,
    vocabulary: usize,
    texts: usize,
) -> Result<Tokenizer, Failure> {
    let texts = first_texts(data, texts)?;
    if texts.is_empty() {
        return Err(Failure::new(
            "the sources hold no text to train a tokenizer on",
        ));
    }
    Ok(Tokenizer::train(texts, vocabulary)?)
}

/// The files that `[init]` names, by part.
///
/// # Errors
/// A run without a checkpoint; names that only a site could know.
pub fn initial_weights(model: &Model) -> Result<Vec<(String, PathBuf)>, Failure> {
    let encoder = model
        .vision
        .as_ref()
        .and_then(|it| it.encoder.weights.as_ref());
    for (part, name) in [
        ("encoder", encoder),
        ("decoder", model.decoder.weights.as_ref()),
    ] {
        if let (Some(name), false) = (name, model.init.contains_key(part)) {
            return Err(Failure::new(format!(
                "`{part}.weights = \"{name}\"`: no file is known by this name; give one with \
                 --set init.{part}='\"FILE\"'"
            )));
        }
    }
    let files = model.init.iter().map(|(part, from)| {
        let path = match from.strip_prefix("run:") {
            Some(folder) => newest_checkpoint(Path::new(folder))?.join("parameters.safetensors"),
            None => PathBuf::from(from),
        };
        Ok((part.clone(), path))
    });
    files.collect()
}

/// Loads the weights that `[init]` names, part by part.
///
/// # Errors
/// As [`initial_weights`]; files that cannot be read or do not fit.
pub fn load_initial_weights(model: &Model, executor: &mut Executor) -> Result<(), Failure> {
    let allowed = Allowed {
        tables: position_tables(model),
        unused: unused_names(model),
    };
    for (part, path) in &initial_weights(model)? {
        // The output head is the decoder's.
        let has_head = executor.package().tensor("head.weight").is_some();
        let prefixes: &[&str] = match part.as_str() {
            "decoder" if has_head => &["decoder.", "head."],
            "decoder" => &["decoder."],
            "connector" => &["connector."],
            _ => &["encoder."],
        };
        if let ("decoder", Some(moe)) = (part.as_str(), &model.decoder.moe)
            && moe.from_dense
        {
            let count = copy_dense(model, moe, executor, path)?;
            eprintln!(
                "{part}: {count} tensors from the dense `{}`",
                path.display()
            );
            continue;
        }
        let mut count = 0;
        for prefix in prefixes {
            let loaded = load_part(executor, path, prefix, &allowed)
                .map_err(|error| Failure::new(format!("`init.{part}`: {error}")))?;
            count += loaded.count;
            if loaded.unused > 0 {
                eprintln!(
                    "{part}: {} tensors of blocks or norms that this model does not run",
                    loaded.unused
                );
            }
            for (name, from, to) in loaded.resized {
                eprintln!("{part}: `{name}` resized from {from}×{from} to {to}×{to}");
            }
        }
        eprintln!("{part}: {count} tensors from `{}`", path.display());
    }
    Ok(())
}

/// What the names of an encoder's tensors begin with that a model may do without: blocks that do not
/// run, and the final norm.
fn unused_names(model: &Model) -> Vec<String> {
    let Some(vision) = &model.vision else {
        return Vec::new();
    };
    let run = match vision.encoder.call.arguments.get("run_blocks") {
        Some(Argument::Int(run)) => u64::try_from(*run).unwrap_or(0),
        _ => vision.encoder.depth,
    };
    let blocks = (run..vision.encoder.depth).map(|block| format!("encoder.blocks.{block}."));
    blocks.chain(["encoder.norm_final.".to_owned()]).collect()
}

/// Learned position tables over the patches of a picture, which may have another grid in a file.
pub fn position_tables(model: &Model) -> Vec<PositionTable> {
    let Some(vision) = &model.vision else {
        return Vec::new();
    };
    let table = |name: &str, before, resize: &str| PositionTable {
        name: name.to_owned(),
        before,
        antialias: resize == "bicubic-antialias",
    };
    let mut tables = Vec::new();
    if let Some(resize) = &vision.encoder.position_resize {
        let before = u64::from(vision.encoder.class_token);
        tables.push(table("encoder.position", before, resize));
    }
    if let Some(resize) = &vision.connector.position_resize {
        tables.push(table("connector.position", 0, resize));
    }
    tables
}

/// The newest complete checkpoint of a run.
///
/// # Errors
/// A run without one.
pub fn newest_checkpoint(run_dir: &Path) -> Result<PathBuf, Failure> {
    let store = Store::new(run_dir.join(CHECKPOINTS), 1);
    let newest = store.list().pop();
    newest
        .map(|(_, path)| path)
        .ok_or_else(|| Failure::new(format!("`{}` holds no checkpoint", run_dir.display())))
}

/// A trained model, ready to run.
pub struct Trained {
    /// Its model.
    pub model: Model,
    /// Its parameters, loaded.
    pub executor: Executor,
    /// Its tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// Its data.
    pub data: DataConfig,
    /// Steps that it was trained.
    pub step: u64,
}

/// Opens what `args` name.
///
/// # Errors
/// Whatever is missing or does not fit.
pub fn open(args: &TrainedArgs) -> Result<Trained, Failure> {
    let ((model, program), run_dir) = match (&args.model, &args.run_dir) {
        (Some(path), run_dir) => {
            let opened = given::open(path, &args.sets, &args.program)?;
            let run_dir = run_dir
                .clone()
                .unwrap_or_else(|| default_run_dir(&opened.0));
            (opened, run_dir)
        }
        (None, run_dir) => {
            let run_dir = run_dir.clone().or_else(newest_run).ok_or_else(|| {
                Failure::new("no run in runs/: name a graph file, or a run with --run-dir")
            })?;
            let opened = given::open(&run_dir.join(CONFIG), &args.sets, &args.program)?;
            (opened, run_dir)
        }
    };
    let device = device::open(program.device, threads(program.threads))?;
    let checkpoint = match &args.checkpoint {
        Some(path) => path.clone(),
        None => newest_checkpoint(&run_dir)?,
    };
    let data = data_config(&model)?;
    let tokenizer = tokenizer(&model, &data, &run_dir)?;
    let package = package_of(&model, &program)?;
    let mut executor = Executor::with_device(package, device)?;
    let snapshot = checkpoint::load(&checkpoint, &mut executor)?;
    eprintln!("`{}`, step {}", checkpoint.display(), snapshot.step);
    Ok(Trained {
        model,
        executor,
        tokenizer,
        data,
        step: snapshot.step,
    })
}
