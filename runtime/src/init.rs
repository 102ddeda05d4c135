//! Parameters at step 0: drawn from the seed, or loaded from a file.
//!
//! A parameter's values depend on the seed, its own name and the element's index alone, so
//! a change in one part of a model leaves the initial weights of the others as they were.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use mm1_package::{DType, Init, Role, Tensor};

use crate::checkpoint::files::FileError;
use crate::checkpoint::tensors::{self, Content, Item, TensorsError, TensorsFile};
use crate::executor::{Executor, ExecutorError};
use crate::normal::Normals;
use crate::philox::{Philox, stream_of};
use crate::resize::resize_table;

/// Below this many elements a thread costs more than it saves.
const SHARE_ELEMENTS: usize = 1 << 15;
/// Draws every parameter from its distribution. Optimizer state and gradients are left as
/// they are (zero in a new executor).
pub fn initialize(executor: &mut Executor, seed: u64) -> Result<(), ExecutorError> {
    let threads = executor.threads();
    for (tensor, init) in parameters(executor, |it| it.parameter.as_ref().map(|p| p.init)) {
        if let Ok(normals) = normals(seed, &tensor.name, init)
            && executor.draw(&tensor.name, &normals)?
        {
            continue;
        }
        let elements = tensor.bound_elements(&executor.package().extents) as usize;
        let values = draw(seed, &tensor.name, init, elements, threads);
        store(executor, &tensor, &values)?;
    }
    Ok(())
}

/// The initial values of the parameter `name`: the same for any number of threads.
pub fn draw(seed: u64, name: &str, init: Init, elements: usize, threads: usize) -> Vec<f32> {
    let normals = match normals(seed, name, init) {
        Ok(normals) => normals,
        Err(value) => return vec![value; elements],
    };
    let mut values = vec![0.0; elements];
    // Even, so that pairs stay whole.
    let share = elements
        .div_ceil(threads.max(1))
        .max(SHARE_ELEMENTS)
        .next_multiple_of(2);
    if elements <= share {
        normals.fill(0, &mut values);
        return values;
    }
    std::thread::scope(|scope| {
        for (index, part) in values.chunks_mut(share).enumerate() {
            scope.spawn(move || normals.fill(index * share, part));
        }
    });
    values
}

/// The distribution of the values, or the value that all have.
fn normals(seed: u64, name: &str, init: Init) -> Result<Normals, f32> {
    let (std, bound) = match init {
        Init::Zeros => return Err(0.0),
        Init::Ones => return Err(1.0),
        Init::Constant(value) => return Err(value),
        Init::Normal(std) => (std, f64::INFINITY),
        Init::TruncatedNormal(std) => (std, 2.0),
    };
    Ok(Normals {
        philox: Philox::new(seed, stream_of(name)),
        std: f64::from(std),
        bound,
    })
}

/// Why weights cannot be loaded or saved.
#[derive(Debug)]
pub enum WeightsError {
    /// The file cannot be read or is no safetensors file.
    File(TensorsError),
    /// The file cannot be written.
    Write(FileError),
    /// File and model differ; nothing was loaded.
    Mismatch(Box<Mismatch>),
    /// The executor refused a write.
    Executor(ExecutorError),
}

/// Everything in which a weights file differs from a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// The file.
    pub path: PathBuf,
    /// Parameters that the file lacks.
    pub missing: Vec<String>,
    /// Tensors that the model lacks.
    pub unexpected: Vec<String>,
    /// Name, sizes in the model, sizes in the file.
    pub shape: Vec<(String, Vec<u64>, Vec<u64>)>,
    /// Name and type in the file, which does not convert to a float.
    pub dtype: Vec<(String, String)>,
}

impl Mismatch {
    /// Whether file and model agree.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
            && self.unexpected.is_empty()
            && self.shape.is_empty()
            && self.dtype.is_empty()
    }
}

impl WeightsError {
    /// Stable code for documentation and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "MM1C0611",
            Self::Write(_) => "MM1C0612",
            Self::Mismatch(_) => "MM1C0613",
            Self::Executor(error) => error.code(),
        }
    }
}

impl fmt::Display for WeightsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => write!(f, "{}: {error}", self.code()),
            Self::Write(error) => write!(f, "{}: {error}", self.code()),
            Self::Executor(error) => write!(f, "{error}"),
            Self::Mismatch(mismatch) => write!(f, "{}: {mismatch}", self.code()),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not fit the model:", self.path.display())?;
        for name in &self.missing {
            write!(f, "\n  missing: `{name}`")?;
        }
        for name in &self.unexpected {
            write!(f, "\n  unexpected: `{name}`")?;
        }
        for (name, model, file) in &self.shape {
            write!(
                f,
                "\n  shape: `{name}` is {file:?}, the model has {model:?}"
            )?;
        }
        for (name, dtype) in &self.dtype {
            write!(
                f,
                "\n  dtype: `{name}` is {dtype}, not a float that converts"
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for WeightsError {}

impl From<TensorsError> for WeightsError {
    fn from(error: TensorsError) -> Self {
        Self::File(error)
    }
}

impl From<ExecutorError> for WeightsError {
    fn from(error: ExecutorError) -> Self {
        Self::Executor(error)
    }
}

/// Loads the parameters whose names begin with `prefix` (`""`: all) from a safetensors file
/// with the same names; returns how many. f32, bf16, f16 and f64 are converted to the
/// parameter's type. Tensors of other prefixes are ignored; any other difference is an error
/// that lists all of them, and then nothing is loaded.
pub fn load_weights(
    executor: &mut Executor,
    path: &Path,
    prefix: &str,
) -> Result<usize, WeightsError> {
    load_part(executor, path, prefix, &Allowed::default()).map(|loaded| loaded.count)
}

/// A table of learned positions `[before + side², width]`, which may have another grid in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionTable {
    /// Its name.
    pub name: String,
    /// Rows that are no point of the grid.
    pub before: u64,
    /// Whether the kernel is stretched where the grid shrinks.
    pub antialias: bool,
}

impl PositionTable {
    /// Sides of the grid in a file and in a model, where both tables are such and their widths agree.
    pub fn sides(&self, there: &[u64], model: &[u64]) -> Option<[usize; 2]> {
        let side = |rows: u64| {
            let points = usize::try_from(rows.checked_sub(self.before)?).ok()?;
            let side = points.isqrt();
            (side > 0 && side * side == points).then_some(side)
        };
        let ([from, width], [to, wanted]) = (there, model) else {
            return None;
        };
        (width == wanted).then_some([side(*from)?, side(*to)?])
    }
}

/// In what a file may differ from the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Position tables, which may have another grid.
    pub tables: Vec<PositionTable>,
    /// What the names of tensors begin with that the model may lack.
    pub unused: Vec<String>,
}

/// What [`load_part`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Parameters.
    pub count: usize,
    /// Position tables of another grid: name, side in the file, side in the model.
    pub resized: Vec<(String, usize, usize)>,
    /// Tensors of the file that the model has no use for.
    pub unused: usize,
}

/// As [`load_weights`]; tables of another grid are interpolated ([`resize_table`]).
pub fn load_part(
    executor: &mut Executor,
    path: &Path,
    prefix: &str,
    allowed: &Allowed,
) -> Result<Loaded, WeightsError> {
    let mut file = TensorsFile::open(path)?;
    let wanted = parameters(executor, |tensor| {
        let bounds = shape(executor, tensor);
        tensor.name.starts_with(prefix).then_some(bounds)
    });
    let mut mismatch = Mismatch {
        path: path.to_path_buf(),
        ..Mismatch::default()
    };
    let mut resized = Vec::new();
    for (tensor, model) in &wanted {
        let name = &tensor.name;
        let Some(stored) = file.tensors().get(name) else {
            mismatch.missing.push(name.clone());
            continue;
        };
        let there: Vec<u64> = stored.shape.iter().map(|&size| size as u64).collect();
        let table = allowed.tables.iter().find(|table| table.name == *name);
        let sides = table.and_then(|table| Some((table, table.sides(&there, model)?)));
        if let (Some((table, sides)), true) = (sides, *model != there) {
            resized.push((name.clone(), table, sides));
        } else if *model != there {
            mismatch.shape.push((name.clone(), model.clone(), there));
        }
        if !tensors::is_float(stored.dtype) {
            let dtype = (name.clone(), stored.dtype.to_string());
            mismatch.dtype.push(dtype);
        }
    }
    let known: BTreeSet<&str> = wanted.iter().map(|(tensor, _)| &*tensor.name).collect();
    let names = file.tensors().keys();
    let others = names.filter(|name| name.starts_with(prefix) && !known.contains(name.as_str()));
    let (unused, unexpected): (Vec<String>, Vec<String>) = others.cloned().partition(|name| {
        let begins = |it: &String| name.starts_with(it.as_str());
        allowed.unused.iter().any(begins)
    });
    mismatch.unexpected = unexpected;
    if !mismatch.is_empty() {
        return Err(WeightsError::Mismatch(Box::new(mismatch)));
    }
    for (tensor, dims) in &wanted {
        let mut values = file
            .read_f32(&tensor.name)?
            .expect("every type was checked above");
        if let Some((_, table, sides)) = resized.iter().find(|(name, ..)| *name == tensor.name) {
            let (width, before) = (dims[1] as usize, table.before as usize);
            values = resize_table(&values, width, before, *sides, table.antialias);
        }
        store(executor, tensor, &values)?;
    }
    Ok(Loaded {
        count: wanted.len(),
        resized: resized
            .into_iter()
            .map(|(name, _, [from, to])| (name, from, to))
            .collect(),
        unused: unused.len(),
    })
}

/// Writes every parameter by its name to a safetensors file, in its own type, replacing the
/// file only when the new one is complete.
pub fn save_weights(executor: &Executor, path: &Path) -> Result<(), WeightsError> {
    let mut items = Vec::new();
    let parameters = parameters(executor, |tensor| Some(shape(executor, tensor)));
    for (tensor, shape) in &parameters {
        let start = tensor.slot.offset;
        let length = shape.iter().product::<u64>() * tensor.dtype.size();
        items.push(Item {
            name: tensor.name.clone(),
            dtype: tensor.dtype,
            shape: shape.clone(),
            content: Content::Region {
                executor,
                region: &executor.package().regions[tensor.slot.region as usize].name,
                range: start..start + length,
            },
        });
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    let partial = path.with_file_name(name);
    // What a killed process may have left.
    let _ = fs::remove_file(&partial);
    tensors::write(&partial, &items).map_err(WeightsError::Write)?;
    fs::rename(&partial, path).map_err(|source| {
        WeightsError::Write(FileError {
            action: "rename",
            path: partial.clone(),
            bytes: None,
            source,
        })
    })
}

/// Parameters for which `fact` gives something, with it.
fn parameters<T>(executor: &Executor, fact: impl Fn(&Tensor) -> Option<T>) -> Vec<(Tensor, T)> {
    let tensors = executor.package().tensors.iter();
    tensors
        .filter(|tensor| tensor.role == Role::Parameter)
        .filter_map(|tensor| Some((tensor.clone(), fact(tensor)?)))
        .collect()
}

fn shape(executor: &Executor, tensor: &Tensor) -> Vec<u64> {
    let extents = &executor.package().extents;
    tensor.dims.iter().map(|dim| dim.bound(extents)).collect()
}

fn store(executor: &mut Executor, tensor: &Tensor, values: &[f32]) -> Result<(), ExecutorError> {
    match tensor.dtype {
        DType::Bf16 => {
            let rounded: Vec<half::bf16> =
                values.iter().map(|&x| half::bf16::from_f32(x)).collect();
            executor.write(&tensor.name, &rounded)
        }
        DType::F32 => executor.write(&tensor.name, values),
        DType::I32 => Err(ExecutorError::DType {
            tensor: tensor.name.clone(),
            what: "i32, which no parameter is".into(),
        }),
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::checkpoint::tests::{package, parameters_of};

    type Parameters<'a> = &'a [(&'a str, DType, &'a [u64], bool)];

    fn executor(parameters: Parameters<'_>, init: Init, threads: usize) -> Executor {
        let mut package = package(parameters);
        for tensor in &mut package.tensors {
            tensor.parameter.as_mut().unwrap().init = init;
        }
        Executor::new(Arc::new(package), threads).unwrap()
    }

    #[test]
    fn values_depend_on_seed_and_name_alone() {
        let normal = Init::Normal(0.5);
        let weight: Parameters<'_> = &[
            ("connector.weight", DType::F32, &[7, 3], true),
            ("decoder.weight", DType::F32, &[300, 301], true),
        ];
        let other: Parameters<'_> = &[
            ("connector.pooled.weight", DType::F32, &[50], true),
            ("decoder.weight", DType::F32, &[300, 301], true),
        ];
        let values = |parameters, seed, threads| {
            let mut executor = executor(parameters, normal, threads);
            initialize(&mut executor, seed).unwrap();
            executor.read_f32("decoder.weight").unwrap()
        };
        let first = values(weight, 1, 1);
        assert_eq!(first, values(weight, 1, 3));
        assert_eq!(first, values(other, 1, 2));
        assert_ne!(first, values(weight, 2, 1));
        assert_ne!(first[..21], draw(1, "connector.weight", normal, 21, 1));
        // A longer parameter of the same name begins with the same values.
        assert_eq!(first[..999], draw(1, "decoder.weight", normal, 999, 1));
    }

    #[test]
    fn values_stay_as_they_were_when_first_released() {
        let values = draw(42, "decoder.blocks.0.qkv.weight", Init::Normal(1.0), 3, 1);
        let bits: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, EXPECTED_BITS, "{values:?}");
    }

    #[test]
    fn distributions_have_their_moments() {
        let moments = |init| {
            let values = draw(3, "w", init, 100_000, 2);
            let n = values.len() as f64;
            let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
            let square = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / n;
            let largest = values.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            (mean, square.sqrt(), largest)
        };
        assert_eq!(moments(Init::Zeros), (0.0, 0.0, 0.0));
        assert_eq!(moments(Init::Ones), (1.0, 1.0, 1.0));
        let (mean, std, largest) = moments(Init::Normal(0.02));
        assert!(mean.abs() < 3e-4 && (std - 0.02).abs() < 2e-4 && largest > 0.07);
        // The standard normal cut at ±2 has a standard deviation of 0.8796.
        let (mean, std, largest) = moments(Init::TruncatedNormal(0.02));
        assert!(mean.abs() < 3e-4 && (std / 0.02 - 0.8796).abs() < 0.01);
        assert!(largest <= 0.04 && largest > 0.039);
    }

    #[test]
    fn weights_come_back_from_their_file() {
        let parameters: Parameters<'_> = &[
            ("decoder.weight", DType::F32, &[5, 3], true),
            ("encoder.weight", DType::Bf16, &[4], false),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let mut source = executor(parameters, Init::Normal(1.0), 1);
        initialize(&mut source, 5).unwrap();
        save_weights(&source, &path).unwrap();
        save_weights(&source, &path).unwrap();
        let mut target = executor(parameters, Init::Zeros, 1);
        assert_eq!(load_weights(&mut target, &path, "encoder.").unwrap(), 1);
        assert_eq!(target.read_f32("decoder.weight").unwrap(), [0.0; 15]);
        assert_eq!(load_weights(&mut target, &path, "").unwrap(), 2);
        assert_eq!(parameters_of(&source), parameters_of(&target));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Writes a safetensors file with the crate's own writer.
    fn file(path: &Path, tensors: &[(&str, safetensors::Dtype, &[usize], Vec<u8>)]) {
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            let view = safetensors::tensor::TensorView::new(*dtype, shape.to_vec(), bytes);
            (*name, view.unwrap())
        });
        let views: Vec<_> = views.collect();
        fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }

    #[test]
    fn floats_are_converted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let f64s = [0.1f64, -2.5].iter().flat_map(|x| x.to_le_bytes());
        let f16 = half::f16::from_f32(1.5).to_le_bytes();
        let f32s = 1.003_f32.to_le_bytes();
        file(
            &path,
            &[
                ("a", safetensors::Dtype::F64, &[2], f64s.collect()),
                ("b", safetensors::Dtype::F16, &[], f16.to_vec()),
                ("c", safetensors::Dtype::F32, &[1], f32s.to_vec()),
            ],
        );
        let parameters: Parameters<'_> = &[
            ("a", DType::F32, &[2], true),
            ("b", DType::F32, &[], true),
            ("c", DType::Bf16, &[1], false),
        ];
        let mut executor = executor(parameters, Init::Zeros, 1);
        load_weights(&mut executor, &path, "").unwrap();
        assert_eq!(executor.read_f32("a").unwrap(), [0.1, -2.5]);
        assert_eq!(executor.read_f32("b").unwrap(), [1.5]);
        assert_eq!(executor.read_f32("c").unwrap(), [1.0]);
    }

    #[test]
    fn every_mismatch_is_listed_and_nothing_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        file(
            &path,
            &[
                ("good", safetensors::Dtype::F32, &[1], vec![1; 4]),
                ("turned", safetensors::Dtype::F32, &[1, 2], vec![1; 8]),
                ("whole", safetensors::Dtype::I32, &[1], vec![1; 4]),
                ("extra", safetensors::Dtype::F32, &[1], vec![1; 4]),
            ],
        );
        let parameters: Parameters<'_> = &[
            ("good", DType::F32, &[1], true),
            ("turned", DType::F32, &[2, 1], true),
            ("whole", DType::F32, &[1], true),
            ("lost", DType::F32, &[1], true),
        ];
        let mut executor = executor(parameters, Init::Zeros, 1);
        let error = load_weights(&mut executor, &path, "").unwrap_err();
        assert_eq!(error.code(), "MM1C0613");
        let text = error.to_string();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "  missing: `lost`",
                "  unexpected: `extra`",
                "  shape: `turned` is [1, 2], the model has [2, 1]",
                "  dtype: `whole` is I32, not a float that converts",
            ]
        );
        assert_eq!(executor.read_f32("good").unwrap(), [0.0]);
        let error = load_weights(&mut executor, &folder.path().join("none"), "").unwrap_err();
        assert_eq!(error.code(), "MM1C0611");
    }

    #[test]
    fn a_position_table_of_another_grid_is_resized() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let values: Vec<u8> = (0..10u8).flat_map(|x| f32::from(x).to_le_bytes()).collect();
        let stored = ("p", safetensors::Dtype::F32, &[5usize, 2][..], values);
        file(&path, &[stored]);
        let parameters: Parameters<'_> = &[("p", DType::F32, &[10, 2], true)];
        let mut executor = executor(parameters, Init::Zeros, 1);
        let table = |name: &str, before| Allowed {
            tables: vec![PositionTable {
                name: name.to_owned(),
                before,
                antialias: false,
            }],
            unused: Vec::new(),
        };
        // Another tensor's, or rows that are no grid.
        for wrong in [table("q", 1), table("p", 0)] {
            let error = load_part(&mut executor, &path, "", &wrong).unwrap_err();
            assert_eq!(error.code(), "MM1C0613");
        }
        let loaded = load_part(&mut executor, &path, "", &table("p", 1)).unwrap();
        assert_eq!(loaded.resized, [("p".to_owned(), 2, 3)]);
        let found = executor.read_f32("p").unwrap();
        assert_eq!(found[..2], [0.0, 1.0]);
        // The middle of 2×2 is the mean of its corners.
        assert!((found[2 * (1 + 4)] - 5.0).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn tensors_that_a_model_does_not_run_may_be_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let one = || 1f32.to_le_bytes().to_vec();
        let shape = &[1usize][..];
        let float = safetensors::Dtype::F32;
        let names = ["a.0.w", "a.1.w", "a.norm"];
        let stored = names.map(|name| (name, float, shape, one()));
        file(&path, &stored);
        let parameters: Parameters<'_> = &[("a.0.w", DType::F32, &[1], true)];
        let mut executor = executor(parameters, Init::Zeros, 1);
        let mut allowed = Allowed {
            unused: vec!["a.1.".to_owned()],
            ..Allowed::default()
        };
        let error = load_part(&mut executor, &path, "a.", &allowed).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("unexpected: `a.norm`") && !text.contains("a.1.w"),
            "{text}"
        );
        allowed.unused.push("a.norm".to_owned());
        let loaded = load_part(&mut executor, &path, "a.", &allowed).unwrap();
        assert_eq!((loaded.count, loaded.unused), (1, 2));
        assert_eq!(executor.read_f32("a.0.w").unwrap(), [1.0]);
    }

    /// −1.0602531, 0.7295422, −0.2591664.
    const EXPECTED_BITS: [u32; 3] = [0xbf87_b660, 0x3f3a_c347, 0xbe84_b175];
}
