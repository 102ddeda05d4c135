//! What can go wrong between a package and its results.

use std::fmt;

use crate::device::DeviceError;

/// Why a package cannot be loaded or used as asked.
#[derive(Debug)]
pub enum ExecutorError {
    /// The package contradicts itself; the text says where.
    Invalid(String),
    /// The device cannot take it in, or has failed.
    Device(DeviceError),
    /// No such program in this package.
    UnknownProgram {
        /// Name asked for.
        name: String,
        /// Names that exist.
        known: Vec<String>,
    },
    /// No such tensor in this package.
    UnknownTensor(String),
    /// No such region in this package.
    UnknownRegion(String),
    /// Bytes beyond a region's end.
    Range {
        /// Name of the region.
        region: String,
        /// First byte asked for.
        offset: u64,
        /// Bytes asked for.
        bytes: u64,
        /// Bytes that it has.
        size: u64,
    },
    /// No such run-time size in this package.
    UnknownExtent(String),
    /// The size follows from another one and cannot be set.
    DerivedExtent(String),
    /// The size exceeds what the package was compiled for.
    ExtentBound {
        /// Name of the size.
        name: String,
        /// Value asked for.
        value: u64,
        /// Largest value.
        bound: u64,
    },
    /// Data of another element type.
    DType {
        /// Name of the tensor.
        tensor: String,
        /// Its type and what was offered or asked for.
        what: String,
    },
    /// Data of another length.
    Length {
        /// Name of the tensor.
        tensor: String,
        /// Elements at the run-time sizes.
        elements: u64,
        /// Elements at the bounds.
        bound: u64,
        /// Elements given.
        found: u64,
    },
    /// The tensor has no gradient in this package.
    NoGradient(String),
}

impl ExecutorError {
    /// Stable code for documentation and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "MM1C0501",
            Self::Device(error) => error.code(),
            Self::UnknownProgram { .. } => "MM1C0505",
            Self::UnknownTensor(_) | Self::UnknownRegion(_) => "MM1C0506",
            Self::UnknownExtent(_) | Self::DerivedExtent(_) | Self::ExtentBound { .. } => {
                "MM1C0507"
            }
            Self::DType { .. } => "MM1C0508",
            Self::Length { .. } | Self::Range { .. } => "MM1C0509",
            Self::NoGradient(_) => "MM1C0510",
        }
    }
}

impl fmt::Display for ExecutorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code())?;
        match self {
            Self::Invalid(what) => write!(f, "the package is inconsistent: {what}"),
            Self::Device(error) => write!(f, "{error}"),
            Self::UnknownProgram { name, known } => write!(
                f,
                "the package has no program `{name}`; it has {}",
                known.join(", ")
            ),
            Self::UnknownTensor(name) => write!(f, "the package has no tensor `{name}`"),
            Self::UnknownRegion(name) => write!(f, "the package has no region `{name}`"),
            Self::Range {
                region,
                offset,
                bytes,
                size,
            } => write!(
                f,
                "{bytes} bytes from byte {offset} of region `{region}`, which has {size}"
            ),
            Self::UnknownExtent(name) => write!(f, "the package has no run-time size `{name}`"),
            Self::DerivedExtent(name) => {
                write!(f, "run-time size `{name}` follows from another one")
            }
            Self::ExtentBound { name, value, bound } => write!(
                f,
                "run-time size `{name}` = {value} exceeds {bound}, for which the package was \
                 compiled"
            ),
            Self::DType { tensor, what } => write!(f, "tensor `{tensor}` is {what}"),
            Self::Length {
                tensor,
                elements,
                bound,
                found,
            } => {
                write!(f, "tensor `{tensor}` has {elements} elements")?;
                if bound != elements {
                    write!(f, " (at most {bound})")?;
                }
                write!(f, ", {found} were given")
            }
            Self::NoGradient(name) => write!(f, "tensor `{name}` has no gradient in this package"),
        }
    }
}

impl std::error::Error for ExecutorError {}

impl From<DeviceError> for ExecutorError {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}
