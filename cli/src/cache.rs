//! Compiled packages kept between runs, so that a second start compiles nothing.
//!
//! A package is found by everything that it depends on: the resolved model, the text of every
//! graph file and component, target, code generator, measured schedules, and the very binary that
//! compiled it.
//! The folder is `$MM1C_CACHE`, else `$XDG_CACHE_HOME/mm1c`, else `~/.cache/mm1c`;
//! `MM1C_CACHE=off` turns it off. A cache that cannot be read or written is no error.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mm1_compiler::compile::Options;
use mm1_dsl::model::Model;
use mm1_package::{Package, content_hash};

use crate::stages::Texts;

/// Packages kept; the oldest go first.
const KEPT: usize = 64;
/// Endings of the texts beside a package: what a run directory shows of it.
const TEXTS: [&str; 3] = ["graph.txt", "plan.txt", "summary.txt"];

/// The place of one model's package.
pub struct Entry {
    path: PathBuf,
}

impl Entry {
    /// The entry of `model` under `options`; `None` without a cache.
    pub fn of(model: &Model, options: &Options) -> Option<Self> {
        let mut parts: Vec<Vec<u8>> = vec![
            model.resolved.clone().into_bytes(),
            options.target.name().as_bytes().to_vec(),
            options.backend.to_string().into_bytes(),
            format!("{:?}", options.schedules).into_bytes(),
            compiler_identity()?,
        ];
        let sources = model.sources();
        parts.extend(
            (0..)
                .map_while(|index| sources.get(index))
                .map(|source| source.text.clone().into_bytes()),
        );
        let key = content_hash(parts.iter().map(Vec::as_slice));
        Some(Self {
            path: folder()?.join(format!("{key}.mm1pkg")),
        })
    }

    /// The package, if it is kept and whole.
    pub fn load(&self) -> Option<Package> {
        Package::from_bytes(&std::fs::read(&self.path).ok()?).ok()
    }

    /// The texts of the package, if they are kept.
    pub fn load_texts(&self) -> Option<Texts> {
        let read = |name| std::fs::read_to_string(self.path.with_extension(name)).ok();
        let [graph, plan, summary] = TEXTS.map(read);
        Some(Texts {
            graph: graph?,
            plan: plan?,
            summary: summary?,
        })
    }

    /// Keeps a package and its texts; a reader never sees half of a file.
    pub fn store(&self, package: &Package, texts: &Texts) {
        let written = self.store_texts(texts).and_then(|()| {
            // Last: who finds the package finds its texts.
            self.write(&self.path, &package.to_bytes())
        });
        if let (Ok(()), Some(folder)) = (written, self.path.parent()) {
            prune(folder);
        }
    }

    /// Keeps the texts of a package.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn store_texts(&self, texts: &Texts) -> std::io::Result<()> {
        let all = [&texts.graph, &texts.plan, &texts.summary];
        for (name, text) in TEXTS.iter().zip(all) {
            self.write(&self.path.with_extension(name), text.as_bytes())?;
        }
        Ok(())
    }

    fn write(&self, path: &Path, content: &[u8]) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let temporary = self
            .path
            .with_extension(format!("{}.tmp", std::process::id()));
        std::fs::write(&temporary, content)?;
        std::fs::rename(&temporary, path)
    }
}

/// The folder of everything that is kept; `None` keeps nothing.
pub fn folder() -> Option<PathBuf> {
    match std::env::var_os("MM1C_CACHE") {
        Some(off) if off == "off" => None,
        Some(folder) => Some(folder.into()),
        None => match std::env::var_os("XDG_CACHE_HOME") {
            Some(folder) => Some(Path::new(&folder).join("mm1c")),
            None => Some(Path::new(&std::env::var_os("HOME")?).join(".cache/mm1c")),
        },
    }
}

/// Length and time of the running binary: another build may compile differently.
fn compiler_identity() -> Option<Vec<u8>> {
    let facts = std::fs::metadata(std::env::current_exe().ok()?).ok()?;
    let time = facts
        .modified()
        .ok()?
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    Some(format!("{} {}", facts.len(), time.as_nanos()).into_bytes())
}

fn prune(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut packages: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "mm1pkg")
        })
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    packages.sort();
    let surplus = packages.len().saturating_sub(KEPT);
    for (_, path) in packages.into_iter().take(surplus) {
        // Another process may have removed them first.
        for name in TEXTS {
            let _ = std::fs::remove_file(path.with_extension(name));
        }
        let _ = std::fs::remove_file(path);
    }
}
