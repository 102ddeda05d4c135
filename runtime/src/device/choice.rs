//! Which device a command runs on.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::cpu::CpuDevice;
use super::{Device, DeviceError};

/// A device as the command line names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The host's processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU by its number.
    Cuda(u32),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let fault = || format!("`{word}` is no device: give `cpu`, `cuda` or `cuda:N`");
        match word {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let number = word.strip_prefix("cuda:").ok_or_else(fault)?;
                // `parse` also takes a sign.
                match number.bytes().all(|it| it.is_ascii_digit()) {
                    true => number.parse().map(Self::Cuda).map_err(|_| fault()),
                    false => Err(fault()),
                }
            }
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

/// What a device is opened with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads: those of a CPU's kernels, and those that work on the host may use.
    pub threads: usize,
    /// Folder for the machine code that a driver makes of PTX; `None` keeps none.
    pub cache: Option<PathBuf>,
}

/// Opens a device.
///
/// # Errors
/// A device that this machine or this build lacks.
pub fn open(choice: Choice, settings: Settings) -> Result<Box<dyn Device>, DeviceError> {
    match choice {
        Choice::Cpu => Ok(Box::new(CpuDevice::new(settings.threads))),
        #[cfg(feature = "cuda")]
        Choice::Cuda(number) => Ok(Box::new(super::cuda::CudaDevice::open(number, settings)?)),
        #[cfg(not(feature = "cuda"))]
        Choice::Cuda(_) => Err(DeviceError::NotBuilt(
            "this mm1c was built without CUDA: build it with `--features cuda`".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names() {
        for (word, choice) in [
            ("cpu", Choice::Cpu),
            ("cuda", Choice::Cuda(0)),
            ("cuda:0", Choice::Cuda(0)),
            ("cuda:3", Choice::Cuda(3)),
        ] {
            assert_eq!(word.parse(), Ok(choice));
        }
        for word in ["", "gpu", "cuda:", "cuda:-1", "cuda:+1", "cuda:x", "CPU"] {
            let error = word.parse::<Choice>().unwrap_err();
            assert!(error.contains("`cuda:N`"), "{error}");
        }
        assert_eq!(Choice::Cuda(2).to_string(), "cuda:2");
    }

    /// Machines that build this have no driver; one that has it opens the device.
    #[test]
    fn a_device_that_is_not_there_is_a_coded_error() {
        let settings = Settings {
            threads: 1,
            cache: None,
        };
        let Err(error) = open(Choice::Cuda(4096), settings) else {
            panic!("no machine has 4097 cards");
        };
        let expected = match cfg!(feature = "cuda") {
            true => ["MM1C0511", "MM1C0512"],
            false => ["MM1C0517"; 2],
        };
        assert!(expected.contains(&error.code()), "{error}");
    }
}
