//! What the loops ask of a machine that runs a package's programs.
//!
//! [`crate::executor::Executor`] is the one implementation outside of tests; a test puts a
//! model of a few lines of arithmetic in its place and so checks the loops' own arithmetic.

use std::fmt;
use std::path::{Path, PathBuf};

use mm1_package::ModelFacts;

use crate::data::DataError;
use crate::executor::{Executor, ExecutorError};
use crate::tokenizer::TokenizerError;

/// Why a loop stopped.
#[derive(Debug)]
pub enum RunError {
    /// A file could not be read or written.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The package lacks a program or a tensor that the command needs.
    Missing(String),
    /// A program could not be run.
    Engine(String),
    /// The data could not be read, or its bad samples exceed the budget.
    Data(String),
    /// Too many non-finite steps in a row.
    Diverged(String),
    /// Something that the caller asked for cannot be done.
    Invalid(String),
}

impl RunError {
    /// An error of the file system at `path`.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "`{}`: {source}", path.display()),
            Self::Missing(text)
            | Self::Engine(text)
            | Self::Data(text)
            | Self::Diverged(text)
            | Self::Invalid(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for RunError {}

impl From<ExecutorError> for RunError {
    fn from(error: ExecutorError) -> Self {
        Self::Engine(error.to_string())
    }
}

impl From<DataError> for RunError {
    fn from(error: DataError) -> Self {
        Self::Data(error.to_string())
    }
}

impl From<TokenizerError> for RunError {
    fn from(error: TokenizerError) -> Self {
        Self::Data(error.to_string())
    }
}

/// A loaded package with its memory.
pub trait Engine {
    /// The model's facts.
    fn facts(&self) -> &ModelFacts;

    /// Names of the inputs of `program`, or `None` where the package lacks it.
    fn inputs(&self, program: &str) -> Option<Vec<String>>;

    /// Sets the run-time size `name`; an unknown name is ignored, a value past the bound is an error.
    fn set_extent(&mut self, name: &str, value: u64) -> Result<(), RunError>;

    /// Writes an f32 input, at its run-time sizes.
    fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<(), RunError>;

    /// Writes an i32 input, at its run-time sizes.
    fn write_i32(&mut self, name: &str, values: &[i32]) -> Result<(), RunError>;

    /// The f32 tensor `name` after a run, at its run-time sizes.
    fn read_f32(&self, name: &str) -> Result<Vec<f32>, RunError>;

    /// Runs a program.
    fn run(&mut self, program: &str) -> Result<(), RunError>;

    /// Sets every gradient to zero.
    fn zero_gradients(&mut self) -> Result<(), RunError>;

    /// The first trained parameter whose gradient holds a value that is not finite.
    fn nonfinite_gradient(&self) -> Option<String>;
}

impl Engine for Executor {
    fn facts(&self) -> &ModelFacts {
        &self.package().model
    }

    fn inputs(&self, program: &str) -> Option<Vec<String>> {
        self.package()
            .program(program)
            .map(|program| program.inputs.clone())
    }

    fn set_extent(&mut self, name: &str, value: u64) -> Result<(), RunError> {
        match Executor::set_extent(self, name, value) {
            Err(ExecutorError::UnknownExtent(_)) => Ok(()),
            other => Ok(other?),
        }
    }

    fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<(), RunError> {
        Ok(self.write(name, values)?)
    }

    fn write_i32(&mut self, name: &str, values: &[i32]) -> Result<(), RunError> {
        Ok(self.write(name, values)?)
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, RunError> {
        Ok(Executor::read_f32(self, name)?)
    }

    fn run(&mut self, program: &str) -> Result<(), RunError> {
        Ok(Executor::run(self, program)?)
    }

    fn zero_gradients(&mut self) -> Result<(), RunError> {
        match self.fill_region("gradients", 0) {
            Err(ExecutorError::UnknownRegion(_)) => {
                Err(RunError::Missing("the package has no gradients".into()))
            }
            other => Ok(other?),
        }
    }

    fn nonfinite_gradient(&self) -> Option<String> {
        self.package()
            .tensors
            .iter()
            .filter(|tensor| tensor.parameter.as_ref().is_some_and(|it| it.trained))
            .find(|tensor| {
                self.read_gradient(&tensor.name)
                    .is_ok_and(|values| values.iter().any(|value| !value.is_finite()))
            })
            .map(|tensor| tensor.name.clone())
    }
}

/// Writes and reads that the loops share.
pub(crate) trait EngineExt: Engine {
    /// Writes a scalar.
    fn write_scalar(&mut self, name: &str, value: f32) -> Result<(), RunError> {
        self.write_f32(name, &[value])
    }

    /// Reads a scalar.
    fn read_scalar(&self, name: &str) -> Result<f32, RunError> {
        self.read_f32(name)?
            .first()
            .copied()
            .ok_or_else(|| RunError::Engine(format!("tensor `{name}` is empty")))
    }

    /// An error naming the first of `programs` that the package lacks.
    fn require(&self, programs: &[&str]) -> Result<(), RunError> {
        match programs.iter().find(|name| self.inputs(name).is_none()) {
            None => Ok(()),
            Some(name) => Err(RunError::Missing(format!(
                "the package of `{}` has no program `{name}`",
                self.facts().name
            ))),
        }
    }
}

impl<E: Engine + ?Sized> EngineExt for E {}
