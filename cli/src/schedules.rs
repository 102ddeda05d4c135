//! The file of schedules that `mm1c tune` writes and `--schedules` takes.
//!
//! ```toml
//! target = "cuda:sm_90a"
//! device = "NVIDIA H200"
//!
//! [[products]]
//! kernel = "5d1f0c2ab7e39641"
//! name = "decoder.0.mlp.down"
//! microseconds = 41.2
//! estimate_microseconds = 55.0
//! parts = 4
//! multiplies = "90ad3c11c6e0fb27"
//! tile = [128, 256]
//! blocks = 1
//! ```

use std::path::Path;

use mm1_compiler::schedules::{Schedule, Schedules};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Schedules that one card has been measured for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleFile {
    /// Named target.
    pub target: String,
    /// The card's name.
    pub device: String,
    /// What was measured, by the hash of the kernel.
    #[serde(default)]
    pub products: Vec<Measured>,
}

/// One product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Hash of the kernel as fusion makes it.
    pub kernel: String,
    /// Its first launch in the model that it was measured in.
    pub name: String,
    /// Time of a launch on average, as scheduled here.
    pub microseconds: f64,
    /// And as the compiler would schedule it by itself.
    pub estimate_microseconds: f64,
    /// Parts of the folded axis.
    pub parts: u64,
    /// Hash of the kernel that multiplies.
    pub multiplies: String,
    /// Rows and columns of a tile.
    pub tile: [u32; 2],
    /// Blocks on one multiprocessor.
    pub blocks: u32,
}

impl ScheduleFile {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read, or says something else: with the place.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::at(path, error))?;
        toml::from_str(&text).map_err(|error| Failure::at(path, error))
    }

    #[cfg(any(feature = "mlir", test))]
    /// Writes the file; a reader never sees half of it.
    ///
    /// # Errors
    /// A place that cannot be written to.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let head = "# Schedules of products, measured by `mm1c tune`; --schedules takes them.\n";
        let text = toml::to_string(self).map_err(|error| Failure::at(path, error))?;
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        std::fs::write(&temporary, format!("{head}{text}"))
            .and_then(|()| std::fs::rename(&temporary, path))
            .map_err(|error| Failure::at(path, error))
    }

    /// What the compiler takes.
    ///
    /// # Errors
    /// Schedules for another target.
    pub fn schedules(&self, path: &Path, target: &str) -> Result<Schedules, Failure> {
        if self.target != target {
            return Err(Failure::at(
                path,
                format!(
                    "these schedules are for `{}`, and this compiles for `{target}`: name their target \
                     with --target, or leave out --schedules",
                    self.target
                ),
            ));
        }
        let mut schedules = Schedules::default();
        for it in &self.products {
            let schedule = Schedule {
                parts: it.parts,
                multiplies: it.multiplies.clone(),
                tile: it.tile,
                blocks: it.blocks,
            };
            schedules.insert(it.kernel.clone(), schedule);
        }
        Ok(schedules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_and_faults_name_their_line() {
        let file = ScheduleFile {
            target: "cuda:sm_90a".to_owned(),
            device: "a card".to_owned(),
            products: vec![Measured {
                kernel: "5d1f0c2ab7e39641".to_owned(),
                name: "decoder.0.mlp.down".to_owned(),
                microseconds: 41.25,
                estimate_microseconds: 55.0,
                parts: 4,
                multiplies: "90ad3c11c6e0fb27".to_owned(),
                tile: [128, 256],
                blocks: 1,
            }],
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("schedules.toml");
        file.write(&path).unwrap();
        assert_eq!(ScheduleFile::read(&path).unwrap(), file);
        let schedules = file.schedules(&path, "cuda:sm_90a").unwrap();
        assert_eq!(schedules.parts("5d1f0c2ab7e39641"), Some(4));
        assert_eq!(schedules.blocks("90ad3c11c6e0fb27"), Some(([128, 256], 1)));
        let other = file.schedules(&path, "cuda:sm_80").unwrap_err().to_string();
        assert!(other.contains("are for `cuda:sm_90a`"), "{other}");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("blocks = 1", "blocks = \"one\"")).unwrap();
        let fault = ScheduleFile::read(&path).unwrap_err().to_string();
        assert!(fault.contains("line 13"), "{fault}");
    }
}
