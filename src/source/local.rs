//! Files and folders of this machine as a [`Source`].

use super::{Place, Source, is_observed_text};
use anyhow::{Context, ensure};
use heirloom_crawler::FileEntry;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A package folder holds at most this many files; more means that somebody pointed at a home directory.
const MAX_FILES: usize = 10_000;

/// Opens a weight file, or a package folder with all that is below it (hidden files and folders left out).
pub fn open(path: &Path) -> anyhow::Result<Source> {
    let metadata = fs::metadata(path).with_context(|| format!("cannot open {}", path.display()))?;
    let (folder, files) = if metadata.is_dir() {
        (path.to_owned(), list(path)?)
    } else {
        let name = path
            .file_name()
            .with_context(|| format!("{} has no file name", path.display()))?;
        let entry = entry(name.to_string_lossy().into_owned(), metadata.len());
        (path.parent().unwrap_or(Path::new("")).to_owned(), vec![entry])
    };
    let texts = read_texts(&folder, &files);
    Ok(Source {
        label: path.display().to_string(),
        files,
        texts,
        revision: None,
        place: Place::Local(folder),
    })
}

fn entry(path: String, size: u64) -> FileEntry {
    FileEntry {
        path,
        size: Some(size),
        sha256: None,
        blob_id: None,
        ..FileEntry::default()
    }
}

fn list(root: &Path) -> anyhow::Result<Vec<FileEntry>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let here = root.join(&folder);
        for item in fs::read_dir(&here).with_context(|| format!("cannot list {}", here.display()))? {
            let item = item.with_context(|| format!("cannot list {}", here.display()))?;
            // Names that are not UTF-8 cannot be a hub's.
            let Ok(name) = item.file_name().into_string() else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let relative = folder.join(&name);
            // Followed: a Hugging Face cache links its files into `blobs`.
            let Ok(metadata) = fs::metadata(item.path()) else {
                continue;
            };
            match (metadata.is_dir(), item.file_type()?.is_symlink()) {
                (true, false) => folders.push(relative),
                (true, true) => {}
                (false, _) => files.push(entry(relative.to_string_lossy().into_owned(), metadata.len())),
            }
            ensure!(
                files.len() <= MAX_FILES,
                "{} holds more than {MAX_FILES} files: name a package folder",
                root.display()
            );
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read_texts(folder: &Path, files: &[FileEntry]) -> BTreeMap<String, String> {
    let observed = files
        .iter()
        .filter(|file| is_observed_text(&file.path, file.size));
    observed
        .filter_map(|file| {
            let bytes = fs::read(folder.join(&file.path)).ok()?;
            Some((
                file.path.clone(),
                String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}"),
            ))
        })
        .collect()
}
