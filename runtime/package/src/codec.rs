//! Bytes of a package: magic, version, content hash, postcard body.

use std::fmt;

use crate::{Package, VERSION};

const MAGIC: &[u8; 8] = b"mm1c-pkg";
const HEADER: usize = 8 + 4 + 32;

/// Why bytes are not a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageError {
    /// Too short or another kind of file.
    NotAPackage,
    /// Written by another version of mm1c.
    Version(u32),
    /// The content hash does not match: truncated or damaged.
    Damaged,
    /// The hash matches but the body does not parse.
    Malformed(String),
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPackage => write!(f, "not an mm1c package"),
            Self::Version(found) => {
                write!(
                    f,
                    "package format {found}, this mm1c reads {VERSION}: compile the model again"
                )
            }
            Self::Damaged => write!(
                f,
                "the package is damaged (its content hash does not match): compile the model again"
            ),
            Self::Malformed(what) => write!(f, "the package does not parse: {what}"),
        }
    }
}

impl std::error::Error for PackageError {}

impl Package {
    /// Serialises; the same package always gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = postcard::to_stdvec(self).expect("a package has no type that postcard refuses");
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(blake3::hash(&body).as_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Reads what [`Package::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PackageError> {
        if bytes.len() < HEADER || &bytes[..8] != MAGIC {
            return Err(PackageError::NotAPackage);
        }
        let version = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        if version != VERSION {
            return Err(PackageError::Version(version));
        }
        let body = &bytes[HEADER..];
        if blake3::hash(body).as_bytes() != &bytes[12..HEADER] {
            return Err(PackageError::Damaged);
        }
        postcard::from_bytes(body).map_err(|error| PackageError::Malformed(error.to_string()))
    }
}

/// A hash of byte strings in order, as hex; the boundaries between them count.
pub fn content_hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
