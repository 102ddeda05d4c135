//! The pages of a column, one at a time and within limits.
//!
//! A file says how large its pages become; here nothing is allocated because a file says so. Sizes
//! are held against the bytes that are there before any memory is asked for, and decompression stops
//! at the size that was promised. Pages that are passed over are not decompressed.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding};
use ::parquet::column::page::{Page, PageMetadata, PageReader};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::ColumnChunkMetaData;
use bytes::Bytes;

use super::thrift::{Compact, ThriftFault};

/// Largest page that is read, bytes, packed or not: writers put up to a thousand pictures in one.
const MAX_PAGE: usize = 512 << 20;
/// Longest header of a page; statistics of long values stand in it.
const MAX_HEADER: usize = 16 << 20;
/// Most values in a page; their levels are laid out at two bytes each.
const MAX_VALUES: u32 = 1 << 22;

/// An error of this reader.
pub(super) fn fault<T>(why: impl Into<String>) -> Result<T> {
    Err(ParquetError::General(why.into()))
}

/// What a header says of its page.
#[derive(Clone, Copy, Debug)]
struct Header {
    packed: usize,
    unpacked: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Dictionary {
        values: u32,
    },
    /// Levels and values are packed together.
    First {
        values: u32,
        encoding: Encoding,
        definition: Encoding,
        repetition: Encoding,
    },
    /// Levels come first, unpacked.
    Second {
        values: u32,
        nulls: u32,
        rows: u32,
        encoding: Encoding,
        definition: u32,
        repetition: u32,
        packed: bool,
    },
    /// Nothing to read.
    Other,
}

/// A size in a header.
fn size(value: Option<i64>) -> Result<u32> {
    match value.and_then(|value| u32::try_from(value).ok()) {
        Some(size) if size <= i32::MAX as u32 => Ok(size),
        _ => fault("a page header lacks a size, or it is negative"),
    }
}

/// An encoding of values or levels by its number in the format.
fn encoding(number: Option<i64>) -> Result<Encoding> {
    Ok(match number {
        Some(0) => Encoding::PLAIN,
        Some(2) => Encoding::PLAIN_DICTIONARY,
        Some(3) => Encoding::RLE,
        Some(8) => Encoding::RLE_DICTIONARY,
        // Their decoder allocates what the data say.
        Some(5..=7) => {
            return fault(
                "values in a delta encoding are not read; write the column plain or with a \
                 dictionary",
            );
        }
        _ => return fault("an unknown encoding"),
    })
}

/// An encoding of levels.
#[allow(deprecated, reason = "writers name it for levels that are not there")]
fn levels(number: Option<i64>) -> Result<Encoding> {
    match number {
        Some(3) => Ok(Encoding::RLE),
        Some(4) => Ok(Encoding::BIT_PACKED),
        _ => fault("levels in an unknown encoding"),
    }
}

impl Header {
    /// A header at the start of `bytes`, and its length; `None` where more bytes are needed.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>> {
        let mut message = Compact::new(bytes);
        let ([kind, unpacked, packed], inner) = match message.page() {
            Ok(found) => found,
            Err(ThriftFault::Short) => return Ok(None),
            Err(ThriftFault::Malformed) => return fault("a damaged page header"),
        };
        let kind = match (kind, inner) {
            (Some(0), Some((5, [values, values_as, definition, repetition, ..]))) => Kind::First {
                values: size(values)?,
                encoding: encoding(values_as)?,
                definition: levels(definition)?,
                repetition: levels(repetition)?,
            },
            (Some(2), Some((7, [values, values_as, ..]))) => match encoding(values_as)? {
                Encoding::PLAIN | Encoding::PLAIN_DICTIONARY => Kind::Dictionary {
                    values: size(values)?,
                },
                _ => return fault("a dictionary in an unknown encoding"),
            },
            (Some(3), Some((8, found))) => {
                let [
                    values,
                    nulls,
                    rows,
                    values_as,
                    definition,
                    repetition,
                    packed,
                ] = found;
                Kind::Second {
                    values: size(values)?,
                    nulls: size(nulls)?,
                    rows: size(rows)?,
                    encoding: encoding(values_as)?,
                    definition: size(definition)?,
                    repetition: size(repetition)?,
                    packed: packed != Some(0),
                }
            }
            (Some(1), _) => Kind::Other,
            _ => return fault("a page of an unknown type"),
        };
        // Some writers end a page where a row begins and put an empty one in between, at which the
        // crate would stop.
        let kind = match kind {
            Kind::First { values: 0, .. } | Kind::Second { values: 0, .. } => Kind::Other,
            kind => kind,
        };
        let header = Self {
            packed: size(packed)? as usize,
            unpacked: size(unpacked)? as usize,
            kind,
        };
        Ok(Some((header, message.at)))
    }
}

/// Reads the pages of a column's part in a row group.
pub(super) struct Pages {
    file: Arc<File>,
    compression: Compression,
    /// Where the next page begins, and where the column ends.
    at: u64,
    end: u64,
    /// Header of the page at `at` and its length.
    peeked: Option<(Header, usize)>,
}

impl Pages {
    /// The pages of `column` in `file`, which has `length` bytes.
    pub(super) fn new(file: &Arc<File>, length: u64, column: &ColumnChunkMetaData) -> Result<Self> {
        let dictionary = column.dictionary_page_offset().filter(|at| *at > 0);
        let first = column.data_page_offset();
        let at = u64::try_from(dictionary.map_or(first, |at| at.min(first))).ok();
        let bytes = u64::try_from(column.compressed_size()).ok();
        let end = at.zip(bytes).and_then(|(at, bytes)| at.checked_add(bytes));
        match (at, end) {
            (Some(at), Some(end)) if end <= length => Ok(Self {
                file: Arc::clone(file),
                compression: column.compression(),
                at,
                end,
                peeked: None,
            }),
            _ => fault("a column lies outside its file"),
        }
    }

    /// The next page's header, which stays to be read.
    fn header(&mut self) -> Result<Option<(Header, usize)>> {
        if self.at >= self.end {
            return Ok(None);
        }
        if self.peeked.is_none() {
            let left = self.end - self.at;
            let mut length = left.min(512) as usize;
            self.peeked = loop {
                let mut bytes = vec![0; length];
                self.file.read_exact_at(&mut bytes, self.at)?;
                if let Some(found) = Header::parse(&bytes)? {
                    break Some(found);
                }
                if length as u64 == left || length >= MAX_HEADER {
                    return fault("a page header without an end");
                }
                length = left.min(length as u64 * 8) as usize;
            };
            let packed = self
                .peeked
                .map_or(0, |(header, length)| header.packed + length);
            if packed as u64 > left {
                return fault("a page ends past its column");
            }
        }
        Ok(self.peeked)
    }

    /// Passes over the page whose header was peeked.
    fn advance(&mut self) {
        if let Some((header, length)) = self.peeked.take() {
            self.at += (header.packed + length) as u64;
        }
    }

    /// The bytes of a page, the first `levels` of which are never packed.
    fn bytes(&self, header: &Header, length: usize, levels: usize, packed: bool) -> Result<Bytes> {
        if header.packed > MAX_PAGE || header.unpacked > MAX_PAGE {
            let most = header.packed.max(header.unpacked);
            return fault(format!("a page of {most} bytes, more than {MAX_PAGE}"));
        }
        if levels > header.packed || levels > header.unpacked {
            return fault("levels longer than their page");
        }
        // Not more than the file has: `header` looked.
        let mut bytes = vec![0; header.packed];
        self.file
            .read_exact_at(&mut bytes, self.at + length as u64)?;
        if packed && self.compression != Compression::UNCOMPRESSED {
            let mut whole = bytes[..levels].to_vec();
            unpack(
                self.compression,
                &bytes[levels..],
                header.unpacked - levels,
                &mut whole,
            )?;
            bytes = whole;
        }
        if bytes.len() != header.unpacked {
            let (is, was) = (bytes.len(), header.unpacked);
            return fault(format!(
                "a page has {is} bytes, where its header says {was}"
            ));
        }
        Ok(Bytes::from(bytes))
    }
}

/// Appends what `packed` holds, which must be `size` bytes; never more than one above that.
fn unpack(compression: Compression, packed: &[u8], size: usize, out: &mut Vec<u8>) -> Result<()> {
    if size == 0 {
        // A page of nulls; some writers pack nothing, some the empty string.
        return Ok(());
    }
    let most = size as u64 + 1;
    match compression {
        Compression::SNAPPY => {
            // Three bytes repeat 64 at best, so more is not in there.
            if size > packed.len().saturating_mul(24) {
                return fault("a page is said to be larger than what it holds");
            }
            let before = out.len();
            out.resize(before + size, 0);
            let got = snap::raw::Decoder::new().decompress(packed, &mut out[before..]);
            let got = got.map_err(|e| ParquetError::General(format!("snappy: {e}")))?;
            out.truncate(before + got);
        }
        Compression::GZIP(_) => {
            let reader = flate2::read::MultiGzDecoder::new(packed);
            reader.take(most).read_to_end(out)?;
        }
        Compression::ZSTD(_) => {
            if zstd_window(packed)? > (size as u64).max(8 << 20) {
                return fault("zstd: a window larger than the page");
            }
            let reader = ruzstd::decoding::StreamingDecoder::new(packed);
            let reader = reader.map_err(|e| ParquetError::General(format!("zstd: {e}")))?;
            reader.take(most).read_to_end(out)?;
        }
        Compression::UNCOMPRESSED
        | Compression::LZO
        | Compression::BROTLI(_)
        | Compression::LZ4
        | Compression::LZ4_RAW => {
            return fault(format!(
                "compression {compression} is not read; write snappy, zstd, gzip or none"
            ));
        }
    }
    Ok(())
}

/// Bytes that decoding a zstd frame looks back on (RFC 8878, 3.1.1.1), which decoders allocate.
fn zstd_window(frame: &[u8]) -> Result<u64> {
    let byte = |at: usize| frame.get(at).copied();
    let Some(descriptor) = byte(4) else {
        return fault("zstd: no frame");
    };
    let single = descriptor & 0x20 != 0;
    if !single {
        let Some(window) = byte(5) else {
            return fault("zstd: no frame");
        };
        let base = 1u64 << (10 + (window >> 3));
        return Ok(base + base / 8 * u64::from(window & 7));
    }
    let at = 5 + [0, 1, 2, 4][usize::from(descriptor & 3)];
    let length = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let Some(size) = frame.get(at..at + length) else {
        return fault("zstd: no frame");
    };
    let size = size
        .iter()
        .rev()
        .fold(0, |size, byte| size << 8 | u64::from(*byte));
    Ok(size + if length == 2 { 256 } else { 0 })
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let (header, length) = loop {
            match self.header()? {
                None => return Ok(None),
                Some((
                    Header {
                        kind: Kind::Other, ..
                    },
                    _,
                )) => self.advance(),
                Some(found) => break found,
            }
        };
        let page = match header.kind {
            Kind::Dictionary { values } => {
                let buf = self.bytes(&header, length, 0, true)?;
                // Each has a length of four bytes.
                if values as usize > buf.len() / 4 {
                    return fault("a dictionary has fewer values than its header says");
                }
                Page::DictionaryPage {
                    buf,
                    num_values: values,
                    encoding: Encoding::PLAIN,
                    is_sorted: false,
                }
            }
            Kind::First {
                values,
                encoding,
                definition,
                repetition,
            } => Page::DataPage {
                buf: self.bytes(&header, length, 0, true)?,
                num_values: few(values)?,
                encoding,
                def_level_encoding: definition,
                rep_level_encoding: repetition,
                statistics: None,
            },
            Kind::Second {
                values,
                nulls,
                rows,
                encoding,
                definition,
                repetition,
                packed,
            } => {
                let levels = definition as usize + repetition as usize;
                Page::DataPageV2 {
                    buf: self.bytes(&header, length, levels, packed)?,
                    num_values: few(values)?,
                    encoding,
                    num_nulls: nulls,
                    num_rows: rows,
                    def_levels_byte_len: definition,
                    rep_levels_byte_len: repetition,
                    is_compressed: packed,
                    statistics: None,
                }
            }
            Kind::Other => return fault("a page of an unknown type"),
        };
        self.advance();
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        loop {
            let Some((header, _)) = self.header()? else {
                return Ok(None);
            };
            let (rows, levels) = match header.kind {
                Kind::Dictionary { .. } => (None, None),
                Kind::First { values, .. } => (None, Some(values as usize)),
                Kind::Second { values, rows, .. } => (Some(rows as usize), Some(values as usize)),
                Kind::Other => {
                    self.advance();
                    continue;
                }
            };
            return Ok(Some(PageMetadata {
                num_rows: rows,
                num_levels: levels,
                is_dict: matches!(header.kind, Kind::Dictionary { .. }),
            }));
        }
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.header()?;
        self.advance();
        Ok(())
    }
}

/// A number of values that is laid out.
fn few(values: u32) -> Result<u32> {
    match values {
        0..=MAX_VALUES => Ok(values),
        _ => fault(format!("{values} values in a page, more than {MAX_VALUES}")),
    }
}
