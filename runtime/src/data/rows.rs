//! Rows of tables: JSON lines and parquet files, each row an example.
//!
//! A row's pictures, prompts and texts are columns, each a value or a list. Lists go side by side, as
//! published documents have them: of entry i first the picture, then the prompt, then the text, and
//! what is null is not there. A picture is its file's bytes (parquet), or the path of its file, which
//! is looked for beside the table and never outside the table's folder.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::DataError;
use crate::data::files::Files;
use crate::data::folder::read_capped;
use crate::data::image::decode;
use crate::data::lines::{self, Line};
use crate::data::parquet::{Leaf, Table};
use crate::data::source::{Fault, MAX_IMAGE_BYTES, MAX_TEXT_BYTES, Part, Source};

/// Names of columns, where they are not those of the task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Columns {
    /// Pictures: `image`, in documents `images`.
    pub image: Option<String>,
    /// Texts to learn: `text`, in documents `texts`.
    pub text: Option<String>,
    /// Texts that are shown only; none.
    pub prompt: Option<String>,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// One picture and its caption.
    Caption,
    /// A document of pictures and texts.
    Interleaved,
    /// Texts.
    Text,
}

/// Where a picture is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Here: its file's bytes.
    Bytes(Vec<u8>),
    /// In the file of this path, from the table's folder.
    Path(String),
}

/// The columns of a row; `None` stands for null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) pictures: Vec<Option<At>>,
    pub(crate) prompts: Vec<Option<String>>,
    pub(crate) texts: Vec<Option<String>>,
}

/// The columns that are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) image: Option<&'a str>,
    pub(crate) prompt: Option<&'a str>,
    pub(crate) text: &'a str,
}

/// A parquet file that can be read.
#[derive(Debug)]
struct Tabled {
    file: u32,
    table: Table,
    /// Rows in the files before it.
    before: u64,
    columns: Leaves,
}

/// Where its columns are.
#[derive(Clone, Copy, Debug)]
struct Leaves {
    /// The column itself, or the bytes in a structure.
    image: Option<Leaf>,
    /// The path in a structure.
    path: Option<Leaf>,
    prompt: Option<Leaf>,
    text: Leaf,
    label: Option<Leaf>,
}

#[derive(Debug)]
enum Store {
    Lines(Vec<Line>),
    Tables(Vec<Tabled>),
}

/// The rows of a set of files.
#[derive(Debug)]
pub struct Rows {
    files: Files,
    store: Store,
    task: Task,
    image: String,
    text: String,
    prompt_column: Option<String>,
    /// Shown before a caption whose row has no prompt.
    prompt: String,
}

impl Rows {
    /// Opens JSON lines: a file, a folder of `*.jsonl`, or a pattern as of webdataset shards.
    ///
    /// # Errors
    /// No such files, or not one line in them.
    pub fn lines(
        pattern: &str,
        task: Task,
        columns: &Columns,
        prompt: &str,
    ) -> Result<Self, DataError> {
        let mut files = Files::open(pattern, "jsonl")?;
        let mut found = Vec::new();
        for at in 0..files.paths.len() {
            lines::index(&mut files, at, &mut found)?;
        }
        if found.is_empty() {
            return Err(files.unusable(pattern, "line"));
        }
        Ok(Self::new(files, Store::Lines(found), task, columns, prompt))
    }

    /// Opens parquet files: a file, a folder of `*.parquet`, or a pattern.
    ///
    /// # Errors
    /// No such files, not one row in them, or a file without one of the columns.
    pub fn tables(
        pattern: &str,
        task: Task,
        columns: &Columns,
        prompt: &str,
    ) -> Result<Self, DataError> {
        let files = Files::open(pattern, "parquet")?;
        let mut rows = Self::new(files, Store::Tables(Vec::new()), task, columns, prompt);
        let (mut tables, mut before) = (Vec::new(), 0);
        let (mut read_bytes, mut unread_bytes) = (0, Vec::new());
        for (file, path) in rows.files.paths.clone().iter().enumerate() {
            let size = path.metadata().map_or(0, |data| data.len());
            let table = match Table::open(path) {
                Ok(table) => table,
                Err(why) => {
                    unread_bytes.push(size);
                    rows.files.fault(path.display().to_string(), why);
                    continue;
                }
            };
            read_bytes += size;
            let columns = rows.leaves(path, &table)?;
            let count = table.rows();
            tables.push(Tabled {
                file: file as u32,
                table,
                before,
                columns,
            });
            before += count;
        }
        // How many rows a broken file held is not known: estimated from the others.
        let mean = (read_bytes / before.max(1)).max(64);
        rows.files.lost += unread_bytes.iter().map(|b| (b / mean).max(1)).sum::<u64>();
        if before == 0 {
            return Err(rows.files.unusable(pattern, "row"));
        }
        rows.store = Store::Tables(tables);
        Ok(rows)
    }

    fn new(files: Files, store: Store, task: Task, columns: &Columns, prompt: &str) -> Self {
        let [image, text] = match task {
            Task::Caption => ["image", "text"],
            Task::Interleaved => ["images", "texts"],
            Task::Text => ["", "text"],
        };
        let or = |given: &Option<String>, usual: &str| given.clone().unwrap_or(usual.to_owned());
        Self {
            files,
            store,
            task,
            image: or(&columns.image, image),
            text: or(&columns.text, text),
            prompt_column: columns.prompt.clone(),
            prompt: prompt.to_owned(),
        }
    }

    /// The columns of a table.
    fn leaves(&self, path: &Path, table: &Table) -> Result<Leaves, DataError> {
        let missing = |name: &str, key: &str| {
            DataError::Source(format!(
                "{}: no column of texts or bytes `{name}` (`{key}`); it has {}",
                path.display(),
                table.names()
            ))
        };
        let (mut image, mut inner) = (None, None);
        if self.task != Task::Text {
            image = table.leaf(&self.image, None);
            if image.is_none() {
                image = table.leaf(&self.image, Some("bytes"));
                inner = table.leaf(&self.image, Some("path"));
            }
            if image.or(inner).is_none() {
                return Err(missing(&self.image, "image_column"));
            }
        }
        let prompt = match &self.prompt_column {
            Some(name) => {
                let leaf = table.leaf(name, None);
                Some(leaf.ok_or_else(|| missing(name, "prompt_column"))?)
            }
            None => None,
        };
        let text = table.leaf(&self.text, None);
        Ok(Leaves {
            image,
            path: inner,
            prompt,
            text: text.ok_or_else(|| missing(&self.text, "text_column"))?,
            label: table.leaf("label", None),
        })
    }

    /// The table of row `n`, and the row's number in it.
    fn tabled<'a>(&self, tables: &'a [Tabled], n: u64) -> (&'a Tabled, u64) {
        let after = tables.partition_point(|table| table.before <= n);
        let found = &tables[after - 1];
        (found, n - found.before)
    }

    /// File and number of row `n`.
    fn at(&self, n: u64) -> (usize, u32) {
        match &self.store {
            Store::Lines(lines) => (lines[n as usize].file as usize, lines[n as usize].number),
            Store::Tables(tables) => {
                let (found, row) = self.tabled(tables, n);
                (found.file as usize, row as u32)
            }
        }
    }

    fn row(&self, n: u64, pictures: bool) -> Result<Row, String> {
        let path = &self.files.paths[self.at(n).0];
        match &self.store {
            Store::Lines(lines) => {
                let wanted = Wanted {
                    image: (pictures && self.task != Task::Text).then_some(&*self.image),
                    prompt: self.prompt_column.as_deref(),
                    text: &self.text,
                };
                lines::read(path, lines[n as usize], &wanted)
            }
            Store::Tables(tables) => {
                let (found, row) = self.tabled(tables, n);
                found.read(path, row, pictures)
            }
        }
    }

    fn parts(&self, n: u64, pictures: bool) -> Result<Vec<Part>, String> {
        let row = self.row(n, pictures)?;
        let folder = self.files.paths[self.at(n).0].parent();
        let folder = folder.filter(|path| !path.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let is_caption = self.task == Task::Caption;
        if is_caption {
            let [pictures_here, texts] = [
                row.pictures.iter().flatten().count(),
                row.texts.iter().flatten().count(),
            ];
            if texts != 1 || (pictures && pictures_here != 1) {
                return Err(match pictures {
                    true => format!(
                        "{pictures_here} pictures and {texts} texts, where one of each is a caption"
                    ),
                    false => format!("{texts} texts, where one is a caption"),
                });
            }
        }
        let given = row.prompts.iter().flatten().any(|it| !it.trim().is_empty());
        let mut parts = Vec::new();
        let mut has_text = false;
        let longest = row
            .pictures
            .len()
            .max(row.prompts.len())
            .max(row.texts.len());
        let text_at = |texts: &[Option<String>], i: usize| -> Result<Option<String>, String> {
            let Some(text) = texts.get(i).and_then(Option::as_ref) else {
                return Ok(None);
            };
            if text.len() as u64 > MAX_TEXT_BYTES {
                return Err(format!(
                    "a text of {} bytes, more than {MAX_TEXT_BYTES}",
                    text.len()
                ));
            }
            let text = text.trim();
            Ok((!text.is_empty()).then(|| text.to_owned()))
        };
        // A caption's prompt follows its picture, wherever they stand in their columns.
        for picture in row
            .pictures
            .iter()
            .take(if is_caption { longest } else { 0 })
        {
            parts.extend(open(folder, picture.as_ref())?);
        }
        if is_caption && !given && !self.prompt.is_empty() {
            parts.push(Part::Prompt(self.prompt.clone()));
        }
        for i in 0..longest {
            if !is_caption {
                parts.extend(open(folder, row.pictures.get(i).and_then(Option::as_ref))?);
            }
            parts.extend(text_at(&row.prompts, i)?.map(Part::Prompt));
            let text = text_at(&row.texts, i)?;
            has_text |= text.is_some();
            parts.extend(text.map(Part::Text));
        }
        match has_text {
            true => Ok(parts),
            false => Err(format!("its `{}` is empty", self.text)),
        }
    }
}

impl Tabled {
    fn read(&self, path: &Path, row: u64, pictures: bool) -> Result<Row, String> {
        let read = |leaf: Option<Leaf>, most: u64| match leaf {
            Some(leaf) => self.table.read(path, leaf, row, most),
            None => Ok(Vec::new()),
        };
        let texts = |leaf: Option<Leaf>| {
            let values = read(leaf, MAX_TEXT_BYTES)?.into_iter();
            let text = |bytes: Vec<u8>| String::from_utf8(bytes);
            let texts = values.map(|value| value.map(text).transpose());
            texts
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| "a text is not UTF-8".to_owned())
        };
        let mut found = Row {
            pictures: Vec::new(),
            prompts: texts(self.columns.prompt)?,
            texts: texts(Some(self.columns.text))?,
        };
        if pictures {
            let image = self.columns.image.filter(|leaf| !leaf.text);
            let paths = self
                .columns
                .path
                .or(self.columns.image.filter(|leaf| leaf.text));
            let bytes = read(image, MAX_IMAGE_BYTES)?;
            // A structure has both; its path says where the bytes came from.
            let mut paths = texts(paths)?;
            paths.resize(paths.len().max(bytes.len()), None);
            let mut bytes = bytes.into_iter();
            found.pictures = paths
                .into_iter()
                .map(|path| {
                    let bytes = bytes.next().flatten();
                    bytes.map(At::Bytes).or(path.map(At::Path))
                })
                .collect();
        }
        Ok(found)
    }
}

/// The picture at `at`, if there is one.
fn open(folder: &Path, at: Option<&At>) -> Result<Option<Part>, String> {
    let bytes = match at {
        None => return Ok(None),
        Some(At::Bytes(bytes)) => bytes,
        Some(At::Path(path)) => &read_capped(&inside(folder, path)?, MAX_IMAGE_BYTES)?,
    };
    Ok(Some(Part::Picture(decode(bytes).map_err(|e| e.0)?)))
}

/// The file at `path` in `folder`, links followed; never one outside.
fn inside(folder: &Path, path: &str) -> Result<PathBuf, String> {
    if path.contains("://") {
        return Err(format!(
            "picture `{path}` is an address; fetch the pictures, and give their paths"
        ));
    }
    let outside = || format!("picture `{path}` leads out of the folder of its table");
    let mut parts = Path::new(path).components();
    if !parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(outside());
    }
    let real = |path: &Path| {
        path.canonicalize()
            .map_err(|e| format!("{}: {e}", path.display()))
    };
    let found = real(&folder.join(path))?;
    match found.starts_with(real(folder)?) {
        true => Ok(found),
        false => Err(outside()),
    }
}

impl Source for Rows {
    fn samples(&self) -> u64 {
        match &self.store {
            Store::Lines(lines) => lines.len() as u64,
            Store::Tables(tables) => tables.last().map_or(0, |it| it.before + it.table.rows()),
        }
    }

    fn lost(&self) -> (u64, &[Fault]) {
        self.files.lost()
    }

    fn read(&self, n: u64, pictures: bool) -> Result<Vec<Part>, Fault> {
        let pictures = pictures && self.task != Task::Text;
        self.parts(n, pictures).map_err(|why| {
            let (file, number) = self.at(n);
            Fault {
                place: self.files.place(file, number),
                why,
            }
        })
    }

    fn name(&self, n: u64) -> String {
        let (file, number) = self.at(n);
        self.files.name(file, number)
    }

    fn label(&self, n: u64) -> Option<String> {
        let path = &self.files.paths[self.at(n).0];
        match &self.store {
            Store::Lines(lines) => lines::label(path, lines[n as usize]),
            Store::Tables(tables) => {
                let (found, row) = self.tabled(tables, n);
                let leaf = found.columns.label?;
                let values = found.table.read(path, leaf, row, MAX_TEXT_BYTES).ok()?;
                String::from_utf8(values.into_iter().next()??).ok()
            }
        }
    }
}
