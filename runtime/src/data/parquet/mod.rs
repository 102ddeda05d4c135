//! Parquet files: footers, and single rows of the columns that are asked for.
//!
//! The `parquet` crate reads footers, levels and values; [`pages`] feeds it, as it believes the sizes
//! that files claim. A row is found by its page: pages before it are passed over by their headers,
//! except in columns of lists whose pages do not count rows, which are read up to it.

mod pages;
mod thrift;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use ::parquet::column::reader::ColumnReaderImpl;
use ::parquet::data_type::{ByteArray, ByteArrayType};
use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaDataReader};
use ::parquet::schema::types::{ColumnDescriptor, Type};

use pages::Pages;
use thrift::{Compact, ThriftFault};

/// Longest footer that is read, bytes.
const MAX_FOOTER: u64 = 16 << 20;
/// Ends a file, after the footer and its length.
const MAGIC: &[u8; 4] = b"PAR1";

/// A column of byte strings that is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    /// Number among the file's columns.
    index: usize,
    /// Whether a row has a list of them.
    pub(crate) list: bool,
    /// Whether they are marked as text.
    pub(crate) text: bool,
    /// Definition levels of an entry of the list, and of a value.
    entry: i16,
    value: i16,
}

/// Rows that were written together.
#[derive(Debug)]
struct Group {
    /// Rows before it in the file.
    before: u64,
    columns: Vec<ColumnChunkMetaData>,
}

/// A file whose footer is read.
#[derive(Debug)]
pub(crate) struct Table {
    length: u64,
    rows: u64,
    groups: Vec<Group>,
    /// Names of the byte columns, from the top to the leaf, each with its levels.
    leaves: Vec<(Vec<String>, Leaf)>,
    /// Names of all columns at the top.
    names: Vec<String>,
}

/// The crate's panics are answers about a damaged file, not of this program.
fn guarded<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let failed = || Err("the reader failed on this file".to_owned());
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| failed())
}

impl Table {
    /// Reads the footer of the file at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| e.to_string())?;
        let data = file.metadata().map_err(|e| e.to_string())?;
        if !data.is_file() {
            return Err("not a regular file".to_owned());
        }
        let length = data.len();
        let mut tail = [0; 8];
        if length < 12 || file.read_exact_at(&mut tail, length - 8).is_err() || tail[4..] != *MAGIC
        {
            return Err("not a parquet file, or one that lacks its end".to_owned());
        }
        let footer = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
        if footer > length - 12 || footer > MAX_FOOTER {
            return Err(format!(
                "a footer of {footer} bytes in a file of {length}; at most {MAX_FOOTER} are read"
            ));
        }
        let mut bytes = vec![0; footer as usize];
        file.read_exact_at(&mut bytes, length - 8 - footer)
            .map_err(|e| e.to_string())?;
        match Compact::new(&bytes).schema_is_deep() {
            Ok(false) => guarded(|| Self::parse(&bytes, length)),
            Ok(true) => Err("its schema is nested too deep".to_owned()),
            Err(ThriftFault::Short | ThriftFault::Malformed) => Err("a damaged footer".to_owned()),
        }
    }

    fn parse(footer: &[u8], length: u64) -> Result<Self, String> {
        let found = ParquetMetaDataReader::decode_metadata(footer).map_err(|e| e.to_string())?;
        let schema = found.file_metadata().schema_descr();
        let columns = schema.columns().iter().enumerate();
        let leaves = columns.filter_map(|(index, column)| {
            let leaf = leaf(schema.root_schema(), column, index)?;
            Some((column.path().parts().to_vec(), leaf))
        });
        let leaves: Vec<_> = leaves.collect();
        let names = schema.root_schema().get_fields().iter();
        let names = names.map(|field| field.name().to_owned()).collect();
        let (mut groups, mut rows) = (Vec::new(), 0u64);
        for group in found.row_groups() {
            let count = u64::try_from(group.num_rows()).map_err(|_| "a damaged footer")?;
            let wanted = leaves.iter().map(|(_, leaf)| leaf.index);
            // Columns of other types are not kept: there may be thousands.
            let columns = wanted.map(|index| group.columns().get(index).cloned());
            groups.push(Group {
                before: rows,
                columns: columns.collect::<Option<_>>().ok_or("a damaged footer")?,
            });
            rows = rows.checked_add(count).ok_or("a damaged footer")?;
        }
        if rows > u64::from(u32::MAX) {
            return Err(format!("{rows} rows, more than 2^32"));
        }
        let mut table = Self {
            length,
            rows,
            groups,
            leaves,
            names,
        };
        for (at, (_, leaf)) in table.leaves.iter_mut().enumerate() {
            leaf.index = at;
        }
        Ok(table)
    }

    /// Rows.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The column `name`, or its part `part` where it is a structure.
    pub(crate) fn leaf(&self, name: &str, part: Option<&str>) -> Option<Leaf> {
        let fits = |path: &[String]| {
            let own = path.first().is_some_and(|first| first == name);
            // A structure's part is its last name; a list's levels have names of their own.
            own && part.is_none_or(|part| path.len() > 1 && path.last().is_some_and(|l| l == part))
        };
        let mut found = self.leaves.iter().filter(|(path, _)| fits(path));
        let (_, leaf) = found.next()?;
        found.next().is_none().then_some(*leaf)
    }

    /// Names of the columns, for a person.
    pub(crate) fn names(&self) -> String {
        let shown: Vec<_> = self
            .names
            .iter()
            .take(20)
            .map(|n| format!("`{n}`"))
            .collect();
        shown.join(", ")
    }

    /// The values of a row in a column: one, or those of its list.
    pub(crate) fn read(
        &self,
        path: &Path,
        leaf: Leaf,
        row: u64,
        most: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, String> {
        guarded(|| {
            let after = self.groups.partition_point(|group| group.before <= row);
            let group = &self.groups[after - 1];
            let file = Arc::new(File::open(path).map_err(|e| e.to_string())?);
            let column = &group.columns[leaf.index];
            let read = || -> ::parquet::errors::Result<_> {
                let pages = Pages::new(&file, self.length, column)?;
                let descriptor = column.column_descr_ptr();
                let mut reader =
                    ColumnReaderImpl::<ByteArrayType>::new(descriptor, Box::new(pages));
                let before = (row - group.before) as usize;
                if reader.skip_records(before)? != before {
                    return pages::fault("a column ends before the row");
                }
                let (mut defined, mut repeated, mut values) = (vec![], vec![], vec![]);
                let (levels, starts) = (Some(&mut defined), Some(&mut repeated));
                let (records, ..) = reader.read_records(1, levels, starts, &mut values)?;
                if records != 1 {
                    return pages::fault("a column ends before the row");
                }
                Ok((defined, values))
            };
            let (defined, values) = read().map_err(|e| e.to_string())?;
            entries(leaf, &defined, values, most)
        })
    }
}

/// Lays values out among the entries that have none.
fn entries(
    leaf: Leaf,
    defined: &[i16],
    values: Vec<ByteArray>,
    most: u64,
) -> Result<Vec<Option<Vec<u8>>>, String> {
    let copy = |value: ByteArray| match value.len() as u64 {
        bytes if bytes > most => Err(format!("a value of {bytes} bytes, more than {most}")),
        _ => Ok(Some(value.data().to_vec())),
    };
    let mut values = values.into_iter();
    if leaf.value == 0 {
        return values.map(copy).collect();
    }
    let mut found = Vec::new();
    for level in defined {
        if *level == leaf.value {
            let value = values.next().ok_or("a value is missing")?;
            found.push(copy(value)?);
        } else if !leaf.list || *level >= leaf.entry {
            found.push(None);
        }
    }
    Ok(found)
}

/// What a column of byte strings is, alone or in one list; `None` for others.
fn leaf(root: &Type, column: &ColumnDescriptor, index: usize) -> Option<Leaf> {
    if column.physical_type() != Physical::BYTE_ARRAY || column.max_rep_level() > 1 {
        return None;
    }
    let (mut at, mut level, mut entry) = (root, 0, 0);
    for name in column.path().parts() {
        at = at.get_fields().iter().find(|field| field.name() == name)?;
        match at.get_basic_info().repetition() {
            Repetition::REQUIRED => {}
            Repetition::OPTIONAL => level += 1,
            Repetition::REPEATED => {
                level += 1;
                entry = level;
            }
        }
    }
    let text = column.converted_type() == ConvertedType::UTF8
        || matches!(column.logical_type_ref(), Some(LogicalType::String));
    Some(Leaf {
        index,
        list: column.max_rep_level() == 1,
        text,
        entry,
        value: column.max_def_level(),
    })
}
