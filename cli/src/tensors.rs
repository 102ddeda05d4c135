//! Safetensors files of `mm1c run`.

use std::collections::BTreeMap;
use std::path::Path;

use mm1_runtime::checkpoint::tensors::TensorsFile;
use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize_to_file};

use crate::failure::Failure;

/// Elements of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Floats.
    F32(Vec<f32>),
    /// Integers.
    I32(Vec<i32>),
}

/// A float tensor as f32.
///
/// # Errors
/// A tensor of another kind, or a file that cannot be read.
pub fn read_f32(file: &mut TensorsFile, name: &str) -> Result<Vec<f32>, Failure> {
    let values = file.read_f32(name)?;
    values.ok_or_else(|| Failure::at(file.path(), format!("`{name}` is not of a float type")))
}

/// An integer tensor as i32.
///
/// # Errors
/// A tensor of another kind, a value beyond i32, or a file that cannot be read.
pub fn read_i32(file: &mut TensorsFile, name: &str) -> Result<Vec<i32>, Failure> {
    let bytes = file.read(name)?;
    let dtype = file.tensors().get(name).map(|stored| stored.dtype);
    let values: Option<Vec<i32>> = match dtype {
        Some(Dtype::I32) => Some(
            bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|&value| i32::from_le_bytes(value))
                .collect(),
        ),
        Some(Dtype::I64) => {
            let values = bytes.as_chunks::<8>().0.iter();
            values
                .map(|&value| i64::from_le_bytes(value).try_into().ok())
                .collect()
        }
        _ => None,
    };
    values.ok_or_else(|| {
        Failure::at(
            file.path(),
            format!("`{name}` does not hold 32-bit integers"),
        )
    })
}

/// Writes tensors by name with their sizes.
///
/// # Errors
/// A file that cannot be written.
pub fn write(path: &Path, tensors: &BTreeMap<String, (Vec<usize>, Values)>) -> Result<(), Failure> {
    let bytes: Vec<Vec<u8>> = tensors
        .values()
        .map(|(_, values)| match values {
            Values::F32(values) => values.iter().flat_map(|it| it.to_le_bytes()).collect(),
            Values::I32(values) => values.iter().flat_map(|it| it.to_le_bytes()).collect(),
        })
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, (shape, values)), bytes)| {
            let dtype = match values {
                Values::F32(_) => Dtype::F32,
                Values::I32(_) => Dtype::I32,
            };
            TensorView::new(dtype, shape.clone(), bytes).map(|view| (name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::at(path, error))?;
    serialize_to_file(views, None, path).map_err(|error| Failure::at(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_come_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("t.safetensors");
        let tensors: BTreeMap<String, (Vec<usize>, Values)> = [
            ("a".to_string(), (vec![2, 1], Values::F32(vec![1.5, -2.0]))),
            ("b".to_string(), (vec![3], Values::I32(vec![-1, 0, 7]))),
        ]
        .into();
        write(&path, &tensors).expect("writable");
        let mut file = TensorsFile::open(&path).expect("a file of the format");
        assert_eq!(read_f32(&mut file, "a"), Ok(vec![1.5, -2.0]));
        assert_eq!(read_i32(&mut file, "b"), Ok(vec![-1, 0, 7]));
        assert!(read_i32(&mut file, "a").is_err());
        assert!(read_f32(&mut file, "b").is_err());
        assert!(write(&folder.path().join("no/t"), &tensors).is_err());
    }
}
