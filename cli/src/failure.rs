//! What a command ends with when it fails: a text for standard error.

use std::fmt::{self, Display};
use std::path::Path;

/// A failure in words, one or more lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    text: String,
    /// Rendered diagnostics carry their own `error:` heads.
    rendered: bool,
}

impl Failure {
    /// A failure with its reason.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            rendered: false,
        }
    }

    /// Diagnostics, rendered.
    pub fn rendered(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            rendered: true,
        }
    }

    /// A file-system error at `path`.
    pub fn at(path: &Path, error: impl Display) -> Self {
        Self::new(format!("`{}`: {error}", path.display()))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.rendered {
            f.write_str("error: ")?;
        }
        f.write_str(self.text.trim_end())
    }
}

/// Errors of the libraries, whose texts say what happened.
macro_rules! from_error {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.to_string())
            }
        })*
    };
}

from_error!(
    mm1_package::PackageError,
    mm1_runtime::checkpoint::CheckpointError,
    mm1_runtime::checkpoint::tensors::TensorsError,
    mm1_runtime::data::DataError,
    mm1_runtime::engine::RunError,
    mm1_runtime::executor::ExecutorError,
    mm1_runtime::init::WeightsError,
    mm1_runtime::rundir::RunDirError,
    mm1_runtime::tokenizer::TokenizerError,
    serde_json::Error,
    std::io::Error,
);
