//! `mm1c train`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use mm1_dsl::model::Model;
use mm1_package::Package;
use mm1_runtime::checkpoint::{self, Code, Snapshot, Store};
use mm1_runtime::data::{DataConfig, Evaluation, Pipeline};
use mm1_runtime::engine::RunError;
use mm1_runtime::evaluate;
use mm1_runtime::events::{Event, Log};
use mm1_runtime::executor::Executor;
use mm1_runtime::metrics::Metrics;
use mm1_runtime::rundir::{Resume, RunDir, Verdict, compare, describe};
use mm1_runtime::signal::Stop;
use mm1_runtime::tokenizer::Tokenizer;
use mm1_runtime::train::{Ending, Run, State, split_threads, train};

use super::print_table;
use crate::args::{ProgramArgs, TrainArgs};
use crate::compile::{package_and_texts, threads};
use crate::convert::{batch_shape, data_config, train_config};
use crate::failure::Failure;
use crate::trained::{TOKENIZER, default_run_dir, load_initial_weights, tokenizer};
use crate::{device, given};

/// Trains, and prints the held-out results; `begun` is when the process began.
///
/// # Errors
/// Everything that can be wrong with a model, its data, its run directory or the run itself.
pub fn run(args: &TrainArgs, begun: Instant) -> Result<(), Failure> {
    let (model, program) = given::open(&args.model.model, &args.model.sets, &args.program)?;
    let directory = args.run_dir.clone();
    let directory = directory.unwrap_or_else(|| default_run_dir(&model));
    let job = Job {
        model: &model,
        program: &program,
        directory: &directory,
        resume: &args.resume,
        peak_gflops: args.peak_gflops,
        stop: None,
    };
    match job.train(begun)? {
        Ending::Stopped(_) => {}
        Ending::Finished(results) => {
            if !results.is_empty() {
                let (head, rows) = evaluate::table(&results);
                print_table(&head, &rows);
                eprintln!("{}", evaluate::TABLE_NOTE);
            }
            eprintln!("report: {}", directory.join("report.html").display());
        }
    }
    Ok(())
}

/// One run.
pub struct Job<'a> {
    /// What is trained.
    pub model: &'a Model,
    /// What to run of it.
    pub program: &'a ProgramArgs,
    /// Folder of the run.
    pub directory: &'a Path,
    /// `auto`, `never` or a checkpoint.
    pub resume: &'a str,
    /// Peak rate of the machine.
    pub peak_gflops: Option<f64>,
    /// What is asked whether to stop; without it the run listens to signals itself once it begins.
    pub stop: Option<&'a Stop>,
}

impl Job<'_> {
    /// Trains from the start or from a checkpoint; `begun` is when that was asked for.
    ///
    /// # Errors
    /// As [`run`].
    pub fn train(&self, begun: Instant) -> Result<Ending, Failure> {
        let Job { model, program, .. } = self;
        let (kernels, loaders) = split_threads(threads(program.threads), program.device);
        // Before anything is compiled or written.
        let device = device::open(program.device, kernels)?;
        let mut config = train_config(model)?;
        let data = data_config(model)?;
        let directory = RunDir::open(self.directory)?;
        let store = directory.checkpoints(model.train.keep_checkpoints as usize);
        let origin = Origin::choose(self.resume, &directory, &store, model)?;
        let tokenizer = tokenizer(model, &data, directory.path())?;
        let (package, texts) = package_and_texts(model, program)?;
        config.load_ahead = loaders > 0;
        config.peak_flops = self.peak_gflops.map(|gflops| gflops * 1e9);
        let pipeline = open_pipeline(&data, &package, &tokenizer)?;
        let shape = batch_shape(&package.model);
        let held_out = evaluate::open(&data, &tokenizer, shape, config.evaluation.examples)?;
        for fault in held_out.iter().flat_map(|it| &it.faults) {
            eprintln!("skipped: {fault}");
        }
        let mut executor = Executor::with_device(Arc::clone(&package), device)?;
        let Beginning { state, events } = begin(model, origin, &store, &mut executor, &pipeline)?;
        // Only now, when nothing is left that could refuse the run.
        let kept_tokenizer = directory.path().join(TOKENIZER);
        directory.write(&kept_tokenizer, tokenizer.json().as_bytes())?;
        directory.write(&directory.resolved(), model.resolved.as_bytes())?;
        let environment = environment(&executor, kernels, loaders);
        directory.write(&directory.environment(), environment.as_bytes())?;
        directory.write(&directory.graph(), texts.graph.as_bytes())?;
        directory.write(&directory.plan(), texts.plan.as_bytes())?;
        directory.write(&directory.summary(), texts.summary.as_bytes())?;
        let mut log = Log::open(&directory.log())?;
        log.push(&Event::Start {
            model: model.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            code: Code::of(&package),
            kernel_threads: kernels,
            loader_threads: loaders,
            steps: config.steps,
        })?;
        for event in events.into_iter().chain(bad_samples(&pipeline, &held_out)) {
            log.push(&event)?;
        }
        let mut save = |executor: &Executor, state: &State| save(&store, model, executor, state);
        let stop = match self.stop {
            Some(stop) => stop.clone(),
            None => Stop::listen()?,
        };
        let run = Run {
            engine: &mut executor,
            pipeline,
            evaluations: &held_out,
            metrics: Metrics::open(&directory.metrics(), state.step)?
                .with_board(&directory.board(), state.step)?,
            log,
            begun,
            directory: directory.path().to_path_buf(),
            save: &mut save,
            stop: &|| stop.asked(),
        };
        Ok(train(&config, run, state)?)
    }
}

/// Samples that were found to be unusable before the first step.
fn bad_samples(pipeline: &Pipeline, held_out: &[Evaluation]) -> Vec<Event> {
    let lost = pipeline.lost();
    let faults = lost.iter().flat_map(|(_, _, faults)| faults);
    faults
        .chain(held_out.iter().flat_map(|it| &it.faults))
        .map(|fault| Event::BadSample {
            step: 0,
            fault: fault.to_string(),
        })
        .collect()
}

/// Opens the sources and says which of their samples cannot be used.
fn open_pipeline(
    data: &DataConfig,
    package: &Package,
    tokenizer: &Arc<Tokenizer>,
) -> Result<Arc<Pipeline>, Failure> {
    let shape = batch_shape(&package.model);
    let pipeline = Pipeline::open(data.clone(), shape, Arc::clone(tokenizer))?;
    for (source, count, faults) in pipeline.lost() {
        if count > 0 {
            eprintln!("source `{source}`: {count} samples cannot be used");
            faults.iter().for_each(|fault| eprintln!("  {fault}"));
        }
    }
    Ok(Arc::new(pipeline))
}

/// Where a run begins.
enum Origin {
    /// At step 0.
    Start,
    /// At the newest checkpoint of its directory.
    Newest,
    /// At this checkpoint.
    From(PathBuf),
}

/// Where the loop begins, and what the log says of it.
struct Beginning {
    state: State,
    events: Vec<Event>,
}

impl Origin {
    /// Decides by `--resume`, and refuses a checkpoint of another model before anything
    /// expensive happens.
    fn choose(
        word: &str,
        directory: &RunDir,
        store: &Store,
        model: &Model,
    ) -> Result<Self, Failure> {
        let newest = store.list().pop().map(|(_, path)| path);
        let Ok(resume) = word.parse::<Resume>();
        let (origin, path) = match (resume, newest) {
            (Resume::Auto | Resume::Never, None) => return Ok(Self::Start),
            (Resume::Never, Some(_)) => {
                return Err(Failure::new(format!(
                    "`{}` holds a run already: name another directory with --run-dir, or remove it",
                    directory.path().display()
                )));
            }
            (Resume::Auto, Some(path)) => (Self::Newest, path),
            (Resume::From(path), _) => (Self::From(path.clone()), path),
        };
        let changes = compare(&checkpoint::peek(&path)?.resolved, &model.resolved);
        if changes
            .iter()
            .any(|change| change.verdict == Verdict::Refused)
        {
            return Err(Failure::new(format!(
                "the run cannot go on from `{}`; what changed since:\n{}take the refused changes \
                 back, or start another run with --run-dir",
                path.display(),
                describe(&changes)
            )));
        }
        if !changes.is_empty() {
            eprint!("changed since the checkpoint:\n{}", describe(&changes));
        }
        Ok(origin)
    }
}

/// Fills the parameters and says where the loop begins.
fn begin(
    model: &Model,
    origin: Origin,
    store: &Store,
    executor: &mut Executor,
    pipeline: &Pipeline,
) -> Result<Beginning, Failure> {
    let mut warn = |text: &str| eprintln!("warning: {text}");
    let snapshot = match origin {
        Origin::Start => None,
        Origin::Newest => store.load_newest(executor, &mut warn)?,
        Origin::From(path) => Some(checkpoint::load(&path, executor)?),
    };
    let Some(snapshot) = snapshot else {
        mm1_runtime::init::initialize(executor, model.train.seed)?;
        load_initial_weights(model, executor)?;
        return Ok(Beginning {
            state: State::start(pipeline),
            events: Vec::new(),
        });
    };
    let state = state_of(&snapshot)?;
    pipeline.check(&state.cursor)?;
    eprintln!("going on after step {}", state.step);
    let changes = compare(&snapshot.resolved, &model.resolved).into_iter();
    let mut events = vec![Event::Resume {
        step: state.step,
        changed: changes
            .map(|change| (change.key, [change.before, change.after]))
            .collect(),
    }];
    let (before, after) = (snapshot.code, Code::of(executor.package()));
    if before.differs(&after) {
        warn(&format!(
            "the checkpoint is from code of {before}, this run has code of {after}: \
             last digits may differ from a run that was not interrupted"
        ));
        events.push(Event::CodeChanged { before, after });
    }
    Ok(Beginning { state, events })
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

fn save(store: &Store, model: &Model, executor: &Executor, state: &State) -> Result<(), RunError> {
    let fault = |error: &dyn std::fmt::Display| RunError::Engine(error.to_string());
    let mut counters = serde_json::to_value(state).map_err(|error| fault(&error))?;
    let data = counters
        .as_object_mut()
        .and_then(|map| map.remove("cursor"))
        .ok_or_else(|| fault(&"the state has no cursor"))?;
    let snapshot = Snapshot {
        step: state.step,
        counters,
        data,
        resolved: model.resolved.clone(),
        code: Code::of(executor.package()),
    };
    store
        .save(executor, &snapshot)
        .map(|_| ())
        .map_err(|error| fault(&error))
}

/// What a reader of the run must know besides its graph file.
fn environment(executor: &Executor, kernels: usize, loaders: usize) -> String {
    let package = executor.package();
    let mut text = String::new();
    let command: Vec<String> = std::env::args().collect();
    for (key, value) in [
        ("version", env!("CARGO_PKG_VERSION").to_string()),
        ("command", command.join(" ")),
        ("target", package.target.clone()),
        ("backend", package.backend.clone()),
        ("device", executor.device_name()),
    ] {
        // A JSON string is a TOML basic string but for the escaped slash, which is not written.
        let _ = writeln!(text, "{key} = {}", serde_json::Value::String(value));
    }
    let _ = writeln!(
        text,
        "kernel_threads = {kernels}\nloader_threads = {loaders}"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use mm1_runtime::data::Cursor;
    use mm1_runtime::metrics::Consumed;

    #[test]
    fn the_state_comes_back_from_a_snapshot() {
        let state = State {
            step: 5,
            updates: 4,
            skipped: 1,
            skipped_in_row: 0,
            consumed: Consumed {
                examples: 9,
                text_tokens: u64::MAX,
                ..Consumed::default()
            },
            cursor: Cursor {
                batches: 10,
                draws: 3,
                sources: Vec::new(),
            },
        };
        let mut counters = serde_json::to_value(&state).expect("integers");
        let data = counters
            .as_object_mut()
            .and_then(|map| map.remove("cursor"))
            .expect("a cursor");
        let snapshot = Snapshot {
            step: 5,
            counters,
            data,
            resolved: String::new(),
            code: Code::default(),
        };
        assert_eq!(state_of(&snapshot), Ok(state));
        let other = Snapshot {
            counters: serde_json::json!({"step": 5}),
            ..snapshot
        };
        assert!(state_of(&other).is_err());
    }
}
