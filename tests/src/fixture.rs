//! Files of `fixtures/parity`, made by `make_parity.py`, whose head describes the tensors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mm1_compiler::interpret::Tensor;
use mm1_runtime::data::Batch;
use safetensors::{Dtype, SafeTensors};

/// The folder of the fixtures and of the models beside them.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parity")
}

/// A fixture's path without its extension: `NAME` is in [`folder`], `FOLDER/NAME` in one beside it.
pub fn place(name: &str) -> PathBuf {
    match name.contains('/') {
        true => folder().with_file_name(name),
        false => folder().join(name),
    }
}

/// One file: tensors by name, all as f64 (f32 and i32 values are exact in it).
#[derive(Clone, Debug)]
pub struct Fixture {
    /// By name.
    pub tensors: BTreeMap<String, Tensor>,
    /// The model as the generator was told.
    pub config: serde_json::Value,
}

impl Fixture {
    /// Reads `NAME.safetensors` of [`folder`], or of a folder beside it that the name begins with.
    ///
    /// # Panics
    /// If the file is missing or is no fixture.
    pub fn load(name: &str) -> Self {
        let path = place(name).with_extension("safetensors");
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("the fixture has a header");
        let config = header.metadata().as_ref().and_then(|it| it.get("config"));
        let config = config.expect("the fixture states its model");
        let file = SafeTensors::deserialize(&bytes).expect("the fixture is whole");
        let tensors = file
            .iter()
            .map(|(name, view)| {
                let data = match view.dtype() {
                    Dtype::F64 => numbers(view.data(), f64::from_le_bytes),
                    Dtype::F32 => numbers(view.data(), |b| f32::from_le_bytes(b).into()),
                    Dtype::I32 => numbers(view.data(), |b| i32::from_le_bytes(b).into()),
                    other => panic!("{name}: unexpected {other:?}"),
                };
                let dims: Vec<u64> = view.shape().iter().map(|n| *n as u64).collect();
                let tensor = Tensor::new(dims, data).expect("the shape is that of the data");
                (name.to_owned(), tensor)
            })
            .collect();
        Self {
            tensors,
            config: serde_json::from_str(config).expect("the generator writes JSON"),
        }
    }

    /// A tensor that must be there.
    ///
    /// # Panics
    /// If it is not.
    pub fn get(&self, name: &str) -> &Tensor {
        let found = self.tensors.get(name);
        found.unwrap_or_else(|| panic!("the fixture has no `{name}`"))
    }

    /// The elements as f32.
    pub fn f32(&self, name: &str) -> Vec<f32> {
        self.get(name).data.iter().map(|x| *x as f32).collect()
    }

    /// The elements as i32.
    pub fn i32(&self, name: &str) -> Vec<i32> {
        self.get(name).data.iter().map(|x| *x as i32).collect()
    }

    /// Tensors under `PREFIX/`, by the rest of their names.
    pub fn under(&self, prefix: &str) -> BTreeMap<String, &Tensor> {
        let prefix = format!("{prefix}/");
        self.tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor)))
            .collect()
    }

    /// The batch whose tensors' names begin with `prefix`.
    pub fn batch(&self, prefix: &str) -> Batch {
        let i32 = |name: &str| self.i32(&format!("{prefix}{name}"));
        let f32 = |name: &str| self.f32(&format!("{prefix}{name}"));
        // A text-only model has no pictures.
        let images = self.tensors.get(&format!("{prefix}images"));
        let tokens = i32("tokens");
        Batch {
            image_rows: match images {
                Some(_) => i32("image_rows"),
                None => vec![-1; tokens.len()],
            },
            tokens,
            positions: i32("positions"),
            segment_begin: i32("segment_begin"),
            image_count: images.map_or(0, |images| images.dims[0] as usize),
            images: images.map_or(Vec::new(), |_| f32("images")),
            loss_rows: i32("loss_rows"),
            loss_targets: i32("loss_targets"),
            loss_weights: f32("loss_weights"),
            ..Batch::default()
        }
    }
}

fn numbers<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    data.chunks_exact(N)
        .map(|word| number(word.try_into().expect("chunks have N bytes")))
        .collect()
}
