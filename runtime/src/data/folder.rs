//! Image folders: `IMG` beside a caption `STEM.txt`, or class folders whose name is the text.

use std::path::{Path, PathBuf};

use crate::data::DataError;
use crate::data::files::KEPT_FAULTS;
use crate::data::source::{
    Fault, FileKind, MAX_IMAGE_BYTES, MAX_TEXT_BYTES, Part, Source, captioned, kind_of,
};

/// Folders below the root that are searched.
const MAX_DEPTH: usize = 8;

/// The pictures under a folder, in the order of their paths.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// Paths relative to the root.
    pictures: Vec<PathBuf>,
    prompt: String,
    lost: u64,
    faults: Vec<Fault>,
}

impl Folder {
    /// Lists a folder. A picture with a `.txt` of the same stem has that caption; another
    /// one in a sub-folder is named after the folder (`_` and `-` read as spaces); one with
    /// neither is lost. Links to folders are not followed. `prompt` goes before captions.
    pub fn open(root: &str, prompt: &str) -> Result<Self, DataError> {
        let root = PathBuf::from(root);
        let mut found = Vec::new();
        walk(&root, Path::new(""), 0, &mut found)?;
        found.sort();
        let mut folder = Self {
            root,
            pictures: Vec::new(),
            prompt: prompt.to_owned(),
            lost: 0,
            faults: Vec::new(),
        };
        for picture in found {
            if folder.caption_file(&picture).is_file() || class_of(&picture).is_some() {
                folder.pictures.push(picture);
                continue;
            }
            folder.lost += 1;
            if folder.faults.len() < KEPT_FAULTS {
                folder.faults.push(Fault {
                    place: folder.root.join(picture).display().to_string(),
                    why: "neither a caption (.txt) nor a class folder".to_owned(),
                });
            }
        }
        if folder.pictures.is_empty() {
            let root = folder.root.display();
            return Err(DataError::Source(format!("{root}: no captioned picture")));
        }
        Ok(folder)
    }

    fn caption_file(&self, picture: &Path) -> PathBuf {
        self.root.join(picture).with_extension("txt")
    }
}

/// The class that a relative path stands for: its folder's name, if it is in one.
fn class_of(picture: &Path) -> Option<String> {
    let folder = picture.parent()?.file_name()?.to_str()?;
    Some(folder.replace(['_', '-'], " "))
}

/// Collects the pictures below `root`/`at`.
fn walk(root: &Path, at: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), DataError> {
    let folder = root.join(at);
    for entry in std::fs::read_dir(&folder).map_err(|e| DataError::io(&folder, e))? {
        let entry = entry.map_err(|e| DataError::io(&folder, e))?;
        let relative = at.join(entry.file_name());
        let kind = entry.file_type().map_err(|e| DataError::io(&folder, e))?;
        if kind.is_dir() {
            if depth < MAX_DEPTH {
                walk(root, &relative, depth + 1, found)?;
            }
            continue;
        }
        let extension = relative.extension().and_then(|e| e.to_str());
        if extension.and_then(kind_of) == Some(FileKind::Image) {
            found.push(relative);
        }
    }
    Ok(())
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read_capped(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let data = std::fs::metadata(path).map_err(|e| e.to_string())?;
    // A pipe or device in place of a picture would hang the loader.
    if !data.is_file() {
        return Err("not a regular file".to_owned());
    }
    if data.len() > limit {
        return Err(format!("{} bytes: more than {limit}", data.len()));
    }
    std::fs::read(path).map_err(|e| e.to_string())
}

impl Source for Folder {
    fn samples(&self) -> u64 {
        self.pictures.len() as u64
    }

    fn lost(&self) -> (u64, &[Fault]) {
        (self.lost, &self.faults)
    }

    fn read(&self, n: u64, pictures: bool) -> Result<Vec<Part>, Fault> {
        let relative = &self.pictures[n as usize];
        let path = self.root.join(relative);
        let read = || {
            let caption_file = self.caption_file(relative);
            let caption = match class_of(relative) {
                Some(class) if !caption_file.is_file() => class.into_bytes(),
                _ => read_capped(&caption_file, MAX_TEXT_BYTES)?,
            };
            let picture = match pictures {
                true => Some(read_capped(&path, MAX_IMAGE_BYTES)?),
                false => None,
            };
            captioned(picture.as_deref(), &self.prompt, caption)
        };
        read().map_err(|why| Fault {
            place: path.display().to_string(),
            why,
        })
    }

    fn name(&self, n: u64) -> String {
        self.pictures[n as usize].display().to_string()
    }

    fn label(&self, n: u64) -> Option<String> {
        class_of(&self.pictures[n as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::jpeg;

    #[test]
    fn captions_and_classes() {
        let root = tempfile::tempdir().expect("folder");
        let put = |name: &str, bytes: &[u8]| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("has one")).expect("creates");
            std::fs::write(path, bytes).expect("writes");
        };
        let picture = jpeg(3, 8, 8);
        put("b.JPG", &picture);
        put("b.txt", b"a red barn");
        put("fire_truck/1.jpg", &picture);
        put("fire_truck/2.jpg", b"\xFF\xD8\xFFdamaged");
        put("alone.png", b"");
        put("notes.md", b"");
        let folder = Folder::open(root.path().to_str().expect("UTF-8"), "").expect("opens");
        assert_eq!((folder.samples(), folder.lost().0), (3, 1));
        let text = |n| folder.read(n, false).expect("reads").pop();
        assert_eq!(text(0), Some(Part::Text("a red barn".to_owned())));
        assert_eq!(text(1), Some(Part::Text("fire truck".to_owned())));
        assert_eq!(folder.label(1).as_deref(), Some("fire truck"));
        assert_eq!(folder.read(1, true).expect("reads").len(), 2);
        let fault = folder.read(2, true).expect_err("damaged");
        assert!(fault.place.ends_with("fire_truck/2.jpg"), "{fault}");
        assert!(Folder::open("/nowhere", "").is_err());
        let empty = tempfile::tempdir().expect("folder");
        assert!(Folder::open(empty.path().to_str().expect("UTF-8"), "").is_err());
    }
}
