//! Code generators: loop programs in, machine code out.

pub mod cranelift;
#[cfg(test)]
pub(crate) mod mapped;

/// Position-independent machine code of some functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeBlob {
    /// Code and its read-only data; to be mapped at a multiple of 64.
    pub bytes: Vec<u8>,
    /// Name and byte offset of each function.
    pub entries: Vec<(String, usize)>,
}
