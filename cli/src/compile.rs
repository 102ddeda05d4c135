//! From a path on the command line to a model and a package.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mm1_compiler::build::Purpose;
use mm1_compiler::codegen;
use mm1_compiler::compile::{
    CompileError, Options, package_of as package_of_planned, plan_for, plan_model,
};
use mm1_compiler::schedules::Schedules;
use mm1_compiler::target::{CpuTarget, GPU_TARGETS, Target};
use mm1_dsl::diagnostic::Diagnostics;
use mm1_dsl::model::Model;
use mm1_package::Package;
use mm1_runtime::device::Choice;
use mm1_runtime::device::cpu::release_leftovers;

use crate::args::{Backend, BackendArgs, ProgramArgs};
use crate::cache::Entry;
use crate::failure::Failure;
use crate::schedules::ScheduleFile;
use crate::stages::Texts;

/// What a package is compiled for, besides the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Code generator; `None` takes the best one of this build.
    pub backend: Option<Backend>,
    /// Named target; `None` takes this machine's.
    pub target: Option<String>,
    /// File of measured schedules.
    pub schedules: Option<PathBuf>,
    /// Tensors that the program `run` is to have as outputs.
    pub fetch: Vec<String>,
    /// Parameters whose gradients it is to have as outputs, `all` for all.
    pub gradients: Vec<String>,
}

impl From<&BackendArgs> for Request {
    fn from(args: &BackendArgs) -> Self {
        Self {
            backend: args.backend,
            target: args.target.clone(),
            schedules: args.schedules.clone(),
            ..Self::default()
        }
    }
}

impl Request {
    /// The request of a command that runs on `device`.
    pub fn new(args: &BackendArgs, device: Choice) -> Self {
        let mut request = Self::from(args);
        if matches!(device, Choice::Cuda(_)) {
            request.target.get_or_insert(GPU_TARGETS[0].name.to_owned());
        }
        request
    }
}

/// Compiles `model`. This is the only place where the command line asks for code.
///
/// # Errors
/// A model or request that the compiler refuses.
pub fn compile(model: &Model, request: &Request) -> Result<Package, Failure> {
    let options = options(request)?;
    let (fetch, gradients) = (&request.fetch[..], &request.gradients[..]);
    if !fetch.is_empty() || !gradients.is_empty() {
        let purpose = Purpose::Fetch { fetch, gradients };
        return mm1_compiler::compile::compile(model, purpose, &options)
            .map_err(|error| refused(model, error));
    }
    let entry = Entry::of(model, &options);
    match entry.as_ref().and_then(Entry::load) {
        Some(kept) => Ok(kept),
        None => compile_all(model, &options, entry).map(|(package, _)| package),
    }
}

/// Compiles all programs, and keeps the package with its texts.
fn compile_all(
    model: &Model,
    options: &Options,
    entry: Option<Entry>,
) -> Result<(Package, Texts), Failure> {
    let planned = plan_for(model, Purpose::All, options).map_err(|error| refused(model, error))?;
    let texts = Texts::new(model, &planned);
    let package = package_of_planned(model, &planned, options)
        .map_err(|error| refused(model, CompileError::Internal(error)))?;
    if let Some(entry) = entry {
        entry.store(&package, &texts);
    }
    // A run lasts much longer than its compilation and needs none of the compiler's memory.
    drop(planned);
    release_leftovers();
    Ok((package, texts))
}

/// As [`package_of`], with the texts of the compilation. A kept package comes with its texts; for
/// one that does not, the model is planned again, which needs no machine code.
///
/// # Errors
/// As [`package_of`].
pub fn package_and_texts(
    model: &Model,
    args: &ProgramArgs,
) -> Result<(Arc<Package>, Texts), Failure> {
    let plan = |target: Option<&Options>| {
        let planned = match target {
            Some(options) => plan_for(model, Purpose::All, options),
            None => plan_model(model, Purpose::All, cfg!(debug_assertions)),
        };
        let planned = planned.map_err(|error| refused(model, error))?;
        Ok::<_, Failure>(Texts::new(model, &planned))
    };
    if args.package.is_some() {
        let package = package_of(model, args)?;
        let target = Target::parse(&package.target).ok();
        let target = target.map(|target| Options {
            verify: cfg!(debug_assertions),
            ..Options::new(target, codegen::Backend::preferred())
        });
        return Ok((package, plan(target.as_ref())?));
    }
    let options = options(&Request::new(&args.backend, args.device))?;
    let entry = Entry::of(model, &options);
    let Some(package) = entry.as_ref().and_then(Entry::load) else {
        let (package, texts) = compile_all(model, &options, entry)?;
        return Ok((Arc::new(package), texts));
    };
    if let Some(texts) = entry.as_ref().and_then(Entry::load_texts) {
        return Ok((Arc::new(package), texts));
    }
    let texts = plan(Some(&options))?;
    if let Some(entry) = &entry {
        // A cache that cannot be written is no error.
        let _ = entry.store_texts(&texts);
    }
    Ok((Arc::new(package), texts))
}

/// Target and code generator that a request means.
///
/// # Errors
/// A target or code generator that this build does not know.
pub fn options(request: &Request) -> Result<Options, Failure> {
    let unsupported = || {
        Failure::new("this machine is none of the targets that mm1c knows: name one with --target")
    };
    let target = match &request.target {
        Some(name) => Target::parse(name).map_err(|error| Failure::new(error.to_string()))?,
        None => CpuTarget::host().map(Target::Cpu).ok_or_else(unsupported)?,
    };
    if cfg!(not(feature = "mlir")) && matches!(target, Target::Gpu(_)) {
        return Err(Failure::new(format!(
            "MM1C0401: this mm1c was built without MLIR and makes no code for `{target}`: give a \
             package that was compiled elsewhere, in the graph file's place"
        )));
    }
    let schedules = match &request.schedules {
        None => Schedules::default(),
        Some(path) => ScheduleFile::read(path)?.schedules(path, &target.to_string())?,
    };
    Ok(Options {
        target,
        backend: match request.backend {
            Some(Backend::Mlir) => codegen::Backend::parse("mlir").map_err(Failure::new)?,
            Some(Backend::Cranelift) => codegen::Backend::Cranelift,
            Some(Backend::Reference) => {
                return Err(Failure::new(
                    "the reference interpreter compiles nothing; only `mm1c run` takes it",
                ));
            }
            None => codegen::Backend::preferred(),
        },
        verify: cfg!(debug_assertions),
        schedules,
    })
}

/// Runs the compiler's own checks of `model`: shapes, and patterns that match no parameter.
///
/// # Errors
/// What it finds, rendered.
pub fn check(model: &Model) -> Result<(), Failure> {
    let found = findings(model);
    match found.list.is_empty() {
        true => Ok(()),
        false => Err(Failure::rendered(found.render(colour()))),
    }
}

/// What [`check`] finds.
pub fn findings(model: &Model) -> Diagnostics {
    let list = mm1_compiler::build::build(model, Purpose::All).err();
    Diagnostics {
        list: list.unwrap_or_default(),
        sources: model.sources().clone(),
    }
    .sorted()
}

/// The compiler's refusal as a person reads it.
pub fn refused(model: &Model, error: CompileError) -> Failure {
    match error {
        CompileError::Model(list) => {
            let sources = model.sources().clone();
            Failure::rendered(Diagnostics { list, sources }.sorted().render(colour()))
        }
        internal => Failure::new(internal.to_string()),
    }
}

/// Whether standard error shows colours.
pub fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Loads a graph file; warnings go to standard error.
///
/// # Errors
/// All findings of the language, rendered.
pub fn load_model(path: &Path, sets: &[String]) -> Result<Model, Failure> {
    rendered(mm1_dsl::load(path, sets))
}

/// A loaded model, its warnings said, or its errors as a person reads them.
///
/// # Errors
/// All findings of the language, rendered.
pub fn rendered(loaded: Result<Model, Diagnostics>) -> Result<Model, Failure> {
    let model = loaded.map_err(|diagnostics| Failure::rendered(diagnostics.render(colour())))?;
    let warnings = model.render_warnings(colour());
    if !warnings.is_empty() {
        eprint!("{warnings}");
    }
    Ok(model)
}

/// Reads a package.
///
/// # Errors
/// A file that cannot be read, or is no package of this version.
pub fn read_package(path: &Path) -> Result<Package, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::at(path, error))?;
    Package::from_bytes(&bytes).map_err(|error| Failure::at(path, error))
}

/// The package to run for `model`: the one given, if it is of this model, or a new one.
///
/// # Errors
/// As [`compile`] and [`read_package`]; a package of another model.
pub fn package_of(model: &Model, args: &ProgramArgs) -> Result<Arc<Package>, Failure> {
    let Some(path) = &args.package else {
        return compile(model, &Request::new(&args.backend, args.device)).map(Arc::new);
    };
    let package = read_package(path)?;
    let facts = &package.model;
    let (train, decoder) = (&model.train, &model.decoder);
    let tokens = model
        .vision
        .as_ref()
        .map_or(0, |it| it.connector.image_tokens);
    let side = model.vision.as_ref().map_or(0, |it| it.encoder.resolution);
    let differences: Vec<String> = [
        (
            "train.micro_batch_sequences",
            facts.sequences,
            train.micro_batch_sequences,
        ),
        (
            "decoder.max_sequence_length",
            facts.length,
            decoder.max_sequence_length,
        ),
        ("decoder.vocabulary", facts.vocabulary, decoder.vocabulary),
        ("connector.image_tokens", facts.image_tokens, tokens),
        ("encoder.resolution", facts.resolution, side),
    ]
    .into_iter()
    .filter(|(_, package, model)| package != model)
    .map(|(key, package, model)| {
        format!("\n  {key}: {package} in the package, {model} in the file")
    })
    .collect();
    if differences.is_empty() {
        return Ok(Arc::new(package));
    }
    Err(Failure::new(format!(
        "`{}` is a package of another model:{}",
        path.display(),
        differences.concat()
    )))
}

/// Threads that a command may use: those asked for, or one per core.
pub fn threads(asked: Option<usize>) -> usize {
    asked
        .or_else(|| std::thread::available_parallelism().ok().map(Into::into))
        .unwrap_or(1)
        .max(1)
}
