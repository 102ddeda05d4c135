//! Safetensors files, one tensor at a time: a model is never held twice in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use mm1_package::DType;
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::files::{FileError, Writer};
use crate::executor::Executor;

/// Longest header that is read; the format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// Why a file is not safetensors.
#[derive(Debug)]
pub enum TensorsError {
    /// It cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Its content makes no sense.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl fmt::Display for TensorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Malformed { path, what } => {
                write!(f, "{} is no safetensors file: {what}", path.display())
            }
        }
    }
}

impl std::error::Error for TensorsError {}

/// What a file says of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Element type.
    pub dtype: Dtype,
    /// Sizes.
    pub shape: Vec<usize>,
    /// First byte, from the start of the file.
    offset: u64,
    bytes: usize,
}

impl Stored {
    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// An open safetensors file.
#[derive(Debug)]
pub struct TensorsFile {
    file: File,
    path: PathBuf,
    tensors: BTreeMap<String, Stored>,
}

impl TensorsFile {
    /// Opens a file and checks its header: sizes, offsets and file length must agree.
    pub fn open(path: &Path) -> Result<Self, TensorsError> {
        let read = |source| TensorsError::Read {
            path: path.to_path_buf(),
            source,
        };
        let malformed = |what: String| TensorsError::Malformed {
            path: path.to_path_buf(),
            what,
        };
        let mut file = File::open(path).map_err(read)?;
        let length = file.metadata().map_err(read)?.len();
        if length < 8 {
            return Err(malformed("it is shorter than 8 bytes".into()));
        }
        let mut prefix = [0; 8];
        file.read_exact(&mut prefix).map_err(read)?;
        let header_bytes = u64::from_le_bytes(prefix);
        if header_bytes > MAX_HEADER || header_bytes > length - 8 {
            return Err(malformed(format!("a header of {header_bytes} bytes")));
        }
        let mut header = vec![0; header_bytes as usize];
        file.read_exact(&mut header).map_err(read)?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| malformed(error.to_string()))?;
        let start = 8 + header_bytes;
        let mut tensors = BTreeMap::new();
        for name in metadata.offset_keys() {
            let Some(info) = metadata.info(&name) else {
                continue;
            };
            let (begin, end) = info.data_offsets;
            let bytes = info
                .shape
                .iter()
                .try_fold(info.dtype.bitsize(), |bits, &size| bits.checked_mul(size))
                .filter(|bits| bits % 8 == 0)
                .map(|bits| bits / 8);
            let inside = end as u64 <= length - start;
            if end < begin || bytes != Some(end - begin) || !inside {
                return Err(malformed(format!(
                    "tensor `{name}` of shape {:?} at bytes {begin}..{end}",
                    info.shape
                )));
            }
            let stored = Stored {
                dtype: info.dtype,
                shape: info.shape.clone(),
                offset: start + begin as u64,
                bytes: end - begin,
            };
            tensors.insert(name, stored);
        }
        Ok(Self {
            file,
            path: path.to_path_buf(),
            tensors,
        })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Stored> {
        &self.tensors
    }

    /// The bytes of one tensor.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, TensorsError> {
        let Some(stored) = self.tensors.get(name) else {
            return Err(TensorsError::Malformed {
                path: self.path.clone(),
                what: format!("tensor `{name}` is missing"),
            });
        };
        let mut bytes = vec![0; stored.bytes];
        self.file
            .seek(SeekFrom::Start(stored.offset))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|source| TensorsError::Read {
                path: self.path.clone(),
                source,
            })?;
        Ok(bytes)
    }

    /// A float tensor as f32; `None` if its type is no float that converts.
    pub fn read_f32(&mut self, name: &str) -> Result<Option<Vec<f32>>, TensorsError> {
        let bytes = self.read(name)?;
        Ok(self
            .tensors
            .get(name)
            .and_then(|stored| widen(stored.dtype, &bytes)))
    }
}

/// The format's name for a type.
pub(crate) fn dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::Bf16 => Dtype::BF16,
        DType::I32 => Dtype::I32,
    }
}

/// Whether values of `dtype` convert to f32.
pub fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::BF16 | Dtype::F16 | Dtype::F64)
}

/// Little-endian values as f32; f64 is rounded to nearest even.
fn widen(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    fn each<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let (values, _) = bytes.as_chunks::<N>();
        values.iter().map(|&value| convert(value)).collect()
    }
    match dtype {
        Dtype::F32 => Some(each(bytes, f32::from_le_bytes)),
        Dtype::F64 => Some(each(bytes, |value| f64::from_le_bytes(value) as f32)),
        Dtype::BF16 => Some(each(bytes, |value| {
            half::bf16::from_le_bytes(value).to_f32()
        })),
        Dtype::F16 => Some(each(bytes, |value| {
            half::f16::from_le_bytes(value).to_f32()
        })),
        _ => None,
    }
}

/// One tensor to write.
pub(crate) struct Item<'a> {
    /// Name in the file.
    pub(crate) name: String,
    /// Element type.
    pub(crate) dtype: DType,
    /// Sizes.
    pub(crate) shape: Vec<u64>,
    /// Little-endian elements, row-major.
    pub(crate) content: Content<'a>,
}

/// Where the bytes of a tensor to write are.
pub(crate) enum Content<'a> {
    /// Here.
    #[cfg_attr(not(test), allow(dead_code))]
    Bytes(&'a [u8]),
    /// In a region of an executor.
    Region {
        /// Whose region.
        executor: &'a Executor,
        /// Its name.
        region: &'a str,
        /// First byte and the one past the last.
        range: Range<u64>,
    },
}

impl Content<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Region { range, .. } => range.end - range.start,
        }
    }

    fn write(&self, writer: &mut Writer) -> Result<(), FileError> {
        match self {
            _ if self.len() == 0 => Ok(()),
            Self::Bytes(bytes) => writer.write(bytes),
            Self::Region {
                executor,
                region,
                range,
            } => executor.visit_region(region, range.clone(), &mut |bytes| writer.write(bytes)),
        }
    }
}

/// Writes `items` in their order; returns the file's length and hash.
pub(crate) fn write(path: &Path, items: &[Item<'_>]) -> Result<(u64, String), FileError> {
    #[derive(serde::Serialize)]
    struct Entry<'a> {
        dtype: Dtype,
        shape: &'a [u64],
        data_offsets: [u64; 2],
    }
    // Serialised by hand as a map, entry by entry, to keep the items' order.
    let mut header = String::from("{");
    let mut offset = 0;
    for item in items {
        let end = offset + item.content.len();
        let entry = Entry {
            dtype: dtype(item.dtype),
            shape: &item.shape,
            data_offsets: [offset, end],
        };
        if header.len() > 1 {
            header.push(',');
        }
        header.push_str(&serde_json::Value::from(item.name.as_str()).to_string());
        header.push(':');
        header.push_str(&serde_json::to_string(&entry).expect("integers and text serialise"));
        offset = end;
    }
    header.push('}');
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut writer = Writer::create(path)?;
    let mut start = (header.len() as u64).to_le_bytes().to_vec();
    start.extend_from_slice(header.as_bytes());
    writer.write(&start)?;
    for item in items {
        item.content.write(&mut writer)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_that_of_the_crate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let floats: Vec<u8> = [1.0f32, -2.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let items = [
            Item {
                name: "z\"quoted".into(),
                dtype: DType::F32,
                shape: vec![2, 1],
                content: Content::Bytes(&floats),
            },
            Item {
                name: "a".into(),
                dtype: DType::Bf16,
                shape: vec![],
                content: Content::Bytes(&half::bf16::from_f32(3.0).to_le_bytes()),
            },
            Item {
                name: "empty".into(),
                dtype: DType::I32,
                shape: vec![0, 4],
                content: Content::Bytes(&[]),
            },
        ];
        let (length, hash) = write(&path, &items).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(length, bytes.len() as u64);
        assert_eq!(hash, blake3::hash(&bytes).to_hex().to_string());
        let parsed = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(parsed.tensor("z\"quoted").unwrap().data(), floats);
        assert_eq!(parsed.tensor("z\"quoted").unwrap().shape(), [2, 1]);
        assert_eq!(parsed.tensor("a").unwrap().dtype(), Dtype::BF16);

        let mut file = TensorsFile::open(&path).unwrap();
        assert_eq!(file.tensors().len(), 3);
        assert_eq!(file.read_f32("z\"quoted").unwrap().unwrap(), [1.0, -2.0]);
        assert_eq!(file.read_f32("a").unwrap().unwrap(), [3.0]);
        assert_eq!(file.read_f32("empty").unwrap(), None);
        assert!(file.read("b").is_err());
    }

    #[test]
    fn hostile_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let file = |header: &str, data: usize| {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend_from_slice(header.as_bytes());
            bytes.resize(bytes.len() + data, 0);
            bytes
        };
        let tensor = |shape: &str, offsets: &str| {
            format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
        };
        let bad = [
            vec![],
            vec![0; 7],
            u64::MAX.to_le_bytes().to_vec(),
            file("{", 0),
            file(&tensor("[2]", "[0,8]"), 7),
            file(&tensor("[3]", "[0,8]"), 8),
            file(&tensor("[2]", "[8,0]"), 8),
            file(&tensor("[2]", "[8,16]"), 8),
            file(&tensor("[4611686018427387904,4,2]", "[0,8]"), 8),
        ];
        for bytes in bad {
            std::fs::write(&path, &bytes).unwrap();
            let error = TensorsFile::open(&path).unwrap_err();
            assert!(matches!(error, TensorsError::Malformed { .. }), "{error}");
        }
        std::fs::write(&path, file(&tensor("[2]", "[0,8]"), 8)).unwrap();
        assert!(TensorsFile::open(&path).is_ok());
        assert!(TensorsFile::open(&folder.path().join("none")).is_err());
    }

    #[test]
    fn floats_convert() {
        let f64s: Vec<u8> = [0.1f64].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(widen(Dtype::F64, &f64s), Some(vec![0.1f32]));
        let f16 = half::f16::from_f32(-1.5).to_le_bytes();
        assert_eq!(widen(Dtype::F16, &f16), Some(vec![-1.5]));
        assert_eq!(widen(Dtype::I64, &f64s), None);
        assert!(!is_float(Dtype::I32));
    }
}
