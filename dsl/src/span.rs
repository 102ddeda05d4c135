//! Where a piece of a graph file stands.

use serde::{Deserialize, Serialize};

/// A byte range in one of the loaded sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// Index into [`crate::source::Sources`].
    pub source: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end` of source `source`; positions past 4 GiB saturate
    /// (the loader refuses such files long before).
    pub fn new(source: u32, range: std::ops::Range<usize>) -> Self {
        let clamp = |position: usize| u32::try_from(position).unwrap_or(u32::MAX);
        Self {
            source,
            start: clamp(range.start),
            end: clamp(range.end),
        }
    }
}
