//! `mm1c train`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mm1_dsl::model::Model;
use mm1_runtime::checkpoint::{self, Snapshot, Store};
use mm1_runtime::data::Pipeline;
use mm1_runtime::evaluate;
use mm1_runtime::executor::Executor;
use mm1_runtime::metrics::Metrics;
use mm1_runtime::rundir::RunDir;
use mm1_runtime::train::{Ending, Run, State, split_threads, train};

use super::print_table;
use crate::args::TrainArgs;
use crate::compile::{load_model, package_of, threads};
use crate::convert::{batch_shape, data_config, train_config};
use crate::failure::Failure;
use crate::resume::check_changes;
use crate::trained::{
    CHECKPOINTS, CONFIG, TOKENIZER, default_run_dir, load_initial_weights, tokenizer,
};

/// Trains, and prints the held-out results.
///
/// # Errors
/// Everything that can be wrong with a model, its data, its run directory or the run itself.
pub fn run(args: &TrainArgs) -> Result<(), Failure> {
    let model = load_model(&args.model.model, &args.model.sets)?;
    let mut config = train_config(&model)?;
    let data = data_config(&model)?;
    let directory = args
        .run_dir
        .clone()
        .unwrap_or_else(|| default_run_dir(&model));
    let lock = RunDir::open(&directory)?;
    let resume = Resume::choose(&args.resume, &directory)?;
    let tokenizer = tokenizer(&model, &data, &directory)?;
    let package = package_of(&model, &args.program)?;
    let (kernels, loaders) = split_threads(threads(args.program.threads));
    config.load_ahead = loaders > 0;
    config.peak_flops = args.peak_gflops.map(|gflops| gflops * 1e9);
    let pipeline = Arc::new(Pipeline::open(
        data.clone(),
        batch_shape(&package.model),
        Arc::clone(&tokenizer),
    )?);
    for (source, count, faults) in pipeline.lost() {
        if count > 0 {
            eprintln!("source `{source}`: {count} samples are unusable");
            faults.iter().for_each(|fault| eprintln!("  {fault}"));
        }
    }
    let side = package.model.resolution as usize;
    let held_out = evaluate::open(&data, &tokenizer, side, config.evaluation.examples)?;
    let mut executor = Executor::new(package, kernels)?;
    let store = Store::new(
        directory.join(CHECKPOINTS),
        model.train.keep_checkpoints as usize,
    );
    let state = begin(&model, resume, &store, &mut executor, &pipeline)?;
    // Only now, when nothing is left that could refuse the run.
    write(&directory.join(TOKENIZER), tokenizer.json())?;
    write(&directory.join(CONFIG), &model.resolved)?;
    let metrics = Metrics::open(&directory.join("metrics.jsonl"), state.step)?;
    let mut save = |executor: &Executor, state: &State| save(&store, &model, executor, state);
    let stop = mm1_runtime::signal::watch()?;
    let ending = train(
        &config,
        Run {
            engine: &mut executor,
            pipeline,
            evaluations: &held_out,
            metrics,
            directory: directory.clone(),
            save: &mut save,
            stop: &|| stop.asked(),
        },
        state,
    )?;
    drop(lock);
    if let Ending::Finished(results) = ending {
        if !results.is_empty() {
            let (head, rows) = evaluate::table(&results);
            print_table(&head, &rows);
            eprintln!("{}", evaluate::TABLE_NOTE);
        }
        eprintln!("report: {}", directory.join("report.html").display());
    }
    Ok(())
}

/// Where a run begins.
enum Resume {
    /// At step 0.
    Fresh,
    /// At the newest checkpoint of its directory.
    Newest,
    /// At this checkpoint.
    From(PathBuf),
}

impl Resume {
    fn choose(word: &str, directory: &Path) -> Result<Self, Failure> {
        let checkpoints = Store::new(directory.join(CHECKPOINTS), 1).list();
        match (word, checkpoints.is_empty()) {
            ("auto", true) | ("never", true) => Ok(Self::Fresh),
            ("auto", false) => Ok(Self::Newest),
            ("never", false) => Err(Failure::new(format!(
                "`{}` holds a run already: name another with --run-dir, or remove it",
                directory.display()
            ))),
            (path, _) => Ok(Self::From(PathBuf::from(path))),
        }
    }
}

/// Fills the parameters and says where the loop begins.
fn begin(
    model: &Model,
    resume: Resume,
    store: &Store,
    executor: &mut Executor,
    pipeline: &Pipeline,
) -> Result<State, Failure> {
    let mut warn = |text: &str| eprintln!("warning: {text}");
    let snapshot = match resume {
        Resume::Fresh => None,
        Resume::Newest => store.load_newest(executor, &mut warn)?,
        Resume::From(path) => Some(checkpoint::load(&path, executor)?),
    };
    let Some(snapshot) = snapshot else {
        mm1_runtime::init::initialize(executor, model.train.seed)?;
        load_initial_weights(model, executor)?;
        return Ok(State::start(pipeline));
    };
    for line in check_changes(&snapshot.resolved, model)? {
        eprintln!("changed since the checkpoint: {line}");
    }
    let state = state_of(&snapshot)?;
    pipeline.check(&state.cursor)?;
    eprintln!("going on after step {}", state.step);
    Ok(state)
}

/// The loop's state as a checkpoint keeps it.
fn state_of(snapshot: &Snapshot) -> Result<State, Failure> {
    let mut value = snapshot.counters.clone();
    if let Some(map) = value.as_object_mut() {
        map.insert("cursor".into(), snapshot.data.clone());
    }
    serde_json::from_value(value).map_err(|error| {
        Failure::new(format!(
            "the checkpoint's counters are of another version: {error}"
        ))
    })
}

fn save(
    store: &Store,
    model: &Model,
    executor: &Executor,
    state: &State,
) -> Result<(), mm1_runtime::engine::RunError> {
    let fault = |text: String| mm1_runtime::engine::RunError::Engine(text);
    let mut counters = serde_json::to_value(state).map_err(|error| fault(error.to_string()))?;
    let data = counters
        .as_object_mut()
        .and_then(|map| map.remove("cursor"))
        .ok_or_else(|| fault("the state has no cursor".into()))?;
    let snapshot = Snapshot {
        step: state.step,
        counters,
        data,
        resolved: model.resolved.clone(),
    };
    store
        .save(executor, &snapshot)
        .map(|_| ())
        .map_err(|error| fault(error.to_string()))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::at(path, error))
}
