//! Samples of a source as a webdataset shard: what `mm1c data export` writes.

use std::io::Write;

use crate::data::source::Part;
use crate::data::{DataConfig, DataError, open_source};

/// Writes the first `count` samples of the source called `name` to `out` as a tar file, captioned
/// pictures for [`crate::data::tar`], anything else for [`crate::data::documents`]. `side` is that of
/// generated pictures. The bytes depend on the samples alone.
///
/// # Errors
/// No such source, a sample that cannot be read, or a file that cannot be written.
pub fn export(
    config: &DataConfig,
    name: &str,
    side: usize,
    count: u64,
    out: impl Write,
) -> Result<u64, DataError> {
    let source = config.sources.iter().find(|source| source.name == name);
    let source = source.ok_or_else(|| {
        let known: Vec<&str> = config.sources.iter().map(|it| it.name.as_str()).collect();
        let known = known.join(", ");
        DataError::Config(format!("no source is called `{name}`; there are {known}"))
    })?;
    let captions = source.task == "caption";
    let opened = open_source(source, config.shuffle_seed, side)?;
    let mut shard = tar::Builder::new(out);
    let written = |e: std::io::Error| DataError::io("the shard".as_ref(), e);
    let count = count.min(opened.samples());
    for n in 0..count {
        let parts = opened.read(n, true);
        let parts = parts.map_err(|fault| DataError::Source(fault.to_string()))?;
        for (place, part) in parts.iter().enumerate() {
            let (bytes, extension) = match part {
                Part::Picture(picture) => {
                    let fault = |e| DataError::Source(format!("{}: {e}", opened.name(n)));
                    (picture.png().map_err(fault)?, "png")
                }
                // A caption's prompt is a key of the source that reads it.
                Part::Prompt(_) if captions => continue,
                Part::Prompt(text) => (text.clone().into_bytes(), "prompt"),
                Part::Text(text) => (text.clone().into_bytes(), "txt"),
            };
            let entry = match captions {
                true => format!("{n:06}.{extension}"),
                false => format!("{n:06}.{place:03}.{extension}"),
            };
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            shard
                .append_data(&mut header, entry, &bytes[..])
                .map_err(written)?;
        }
    }
    shard
        .into_inner()
        .and_then(|mut out| out.flush())
        .map_err(written)?;
    Ok(count)
}
