//! Files of packages that lie on this machine: walked, digested, read by range, copied with a check.
//!
//! Shared by all local hubs. Symbolic links are followed only inside the hub's root.

use crate::{FileEntry, HubError, ListFilter, Page, check_file_path};
use bytes::Bytes;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

/// Folders inside a package that are not its content.
const NOT_CONTENT: [&str; 3] = [".revisions", ".git", ".cache"];
const MAX_FILES: usize = 100_000;
const MAX_DEPTH: usize = 32;
const BLOCK_BYTES: usize = 1 << 20;

/// The relative paths of all files below `folder`, sorted, with `/` between segments.
pub fn walk(root: &Path, folder: &Path) -> Result<Vec<String>, HubError> {
    let mut found = Vec::new();
    let mut pending = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((current, prefix, depth)) = pending.pop() {
        for (name, path) in children(&current)? {
            let relative = format!("{prefix}{name}");
            let metadata = contained(root, &path)?
                .metadata()
                .map_err(|error| HubError::disk(&path, error, 0))?;
            if metadata.is_dir() {
                if depth < MAX_DEPTH && !(depth == 0 && NOT_CONTENT.contains(&name.as_str())) {
                    pending.push((path, format!("{relative}/"), depth + 1));
                }
                continue;
            }
            if found.len() == MAX_FILES {
                return Err(HubError::TooLarge {
                    what: format!("the file list of {}", folder.display()),
                    limit: MAX_FILES as u64,
                });
            }
            found.push(relative);
        }
    }
    found.sort();
    Ok(found)
}

/// Names and paths of a folder's entries; names that are not UTF-8 are left out with a warning.
pub fn children(folder: &Path) -> Result<Vec<(String, PathBuf)>, HubError> {
    let fail = |error| HubError::disk(folder, error, 0);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        match entry.file_name().into_string() {
            Ok(name) => entries.push((name, entry.path())),
            Err(name) => tracing::warn!(?name, folder = %folder.display(), "left out: the name is not UTF-8"),
        }
    }
    entries.sort();
    Ok(entries)
}

/// The real path behind `path`, if it lies inside `root` (which is canonical already).
pub fn contained(root: &Path, path: &Path) -> Result<PathBuf, HubError> {
    let real = path
        .canonicalize()
        .map_err(|error| HubError::disk(path, error, 0))?;
    if real.starts_with(root) {
        Ok(real)
    } else {
        Err(HubError::UnsafePath {
            package: root.display().to_string(),
            path: path.display().to_string(),
        })
    }
}

/// The file `path` of a package folder, checked and resolved; `None` where there is no such file.
pub fn locate(root: &Path, folder: &Path, package: &str, path: &str) -> Result<Option<PathBuf>, HubError> {
    check_file_path(package, path)?;
    let candidate = folder.join(path);
    if !candidate.is_file() {
        return Ok(None);
    }
    contained(root, &candidate).map(Some)
}

/// Runs file work on the runtime's blocking threads.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HubError> + Send + 'static,
) -> Result<T, HubError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(HubError::Client {
            reason: format!("the runtime is shutting down: {error}"),
        }),
    }
}

/// One page of sorted `names`; the cursor is the last name of the page before.
pub fn page_of(names: Vec<String>, filter: &ListFilter, cursor: Option<&str>, page: usize) -> Page {
    let mut rest = names
        .into_iter()
        .filter(|name| cursor.is_none_or(|last| name.as_str() > last))
        .filter(|name| filter.accepts(name));
    let names: Vec<String> = rest.by_ref().take(page).collect();
    let next = rest.next().and_then(|_| names.last().cloned());
    Page {
        names,
        next,
        ..Page::default()
    }
}

pub fn read_range(path: &Path, range: Range<u64>) -> Result<Bytes, HubError> {
    let fail = |error| HubError::disk(path, error, 0);
    let mut file = File::open(path).map_err(fail)?;
    let size = file.metadata().map_err(fail)?.len();
    if range.end > size || range.start > range.end {
        return Err(HubError::OutOfRange {
            file: path.display().to_string(),
            start: range.start,
            end: range.end,
            size,
        });
    }
    file.seek(SeekFrom::Start(range.start)).map_err(fail)?;
    let mut buffer = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
    file.read_exact(&mut buffer).map_err(fail)?;
    Ok(buffer.into())
}

pub fn read_whole(path: &Path, limit: u64) -> Result<Bytes, HubError> {
    let size = path
        .metadata()
        .map_err(|error| HubError::disk(path, error, 0))?
        .len();
    if size > limit {
        return Err(HubError::TooLarge {
            what: path.display().to_string(),
            limit,
        });
    }
    read_range(path, 0..size)
}

/// Copies `source` to `target`, checking size and SHA-256 where `file` knows them.
pub fn copy_checked(source: &Path, file: &FileEntry, target: &Path) -> Result<u64, HubError> {
    let input = File::open(source).map_err(|error| HubError::disk(source, error, 0))?;
    write_checked(input, source, file, target)
}

/// Writes what `input` holds to `target` by way of a temporary file beside it, checked as in [`copy_checked`].
pub fn write_checked(
    mut input: impl Read,
    source: &Path,
    file: &FileEntry,
    target: &Path,
) -> Result<u64, HubError> {
    let folder = target.parent().unwrap_or(Path::new("."));
    let needed = file.size.unwrap_or(0);
    let fail = |error| HubError::disk(target, error, needed);
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let read = input
            .read(&mut block)
            .map_err(|error| HubError::disk(source, error, 0))?;
        if read == 0 {
            break;
        }
        hash.update(&block[..read]);
        temporary.write_all(&block[..read]).map_err(fail)?;
        size += read as u64;
    }
    check_content(file, size, &hex::encode(hash.finalize()))?;
    temporary.persist(target).map_err(|error| fail(error.error))?;
    Ok(size)
}

/// Compares what arrived with what the hub promised.
pub fn check_content(file: &FileEntry, size: u64, sha256: &str) -> Result<(), HubError> {
    if let Some(expected) = file.size.filter(|expected| *expected != size) {
        return Err(HubError::WrongSize {
            file: file.path.clone(),
            expected,
            actual: size,
        });
    }
    match &file.sha256 {
        Some(expected) if !expected.eq_ignore_ascii_case(sha256) => Err(HubError::WrongDigest {
            file: file.path.clone(),
            expected: expected.clone(),
            actual: sha256.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// What identifies a file's content: to LFS its SHA-256, to git the SHA-1 of its blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentDigest {
    pub size: u64,
    pub sha256: String,
    pub git_oid: String,
}

/// Digests of files, computed once as long as size and modification time stay.
#[derive(Debug, Default)]
pub struct DigestCache(Mutex<HashMap<PathBuf, (SystemTime, ContentDigest)>>);

impl DigestCache {
    pub fn digest(&self, path: &Path) -> Result<ContentDigest, HubError> {
        let fail = |error| HubError::disk(path, error, 0);
        let metadata = path.metadata().map_err(fail)?;
        let modified = metadata.modified().map_err(fail)?;
        if let Some((then, digest)) = self.lock().get(path)
            && *then == modified
            && digest.size == metadata.len()
        {
            return Ok(digest.clone());
        }
        let digest = compute_digest(path).map_err(fail)?;
        self.lock().insert(path.to_owned(), (modified, digest.clone()));
        Ok(digest)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, (SystemTime, ContentDigest)>> {
        // A panic while the lock is held leaves the map whole: entries are inserted in one step.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn compute_digest(path: &Path) -> io::Result<ContentDigest> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut sha256 = Sha256::new();
    let mut git = Sha1::new();
    git.update(format!("blob {size}\0").as_bytes());
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        sha256.update(&block[..read]);
        git.update(&block[..read]);
    }
    Ok(ContentDigest {
        size,
        sha256: hex::encode(sha256.finalize()),
        git_oid: hex::encode(git.finalize()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn digests_agree_with_git_and_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "hello\n").unwrap();
        let digest = DigestCache::default().digest(&path).unwrap();
        assert_eq!(digest.git_oid, "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(
            digest.sha256,
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_out_of_the_root_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        assert!(matches!(
            locate(&root, &root, "o/n", "link"),
            Err(HubError::UnsafePath { .. })
        ));
        assert!(matches!(
            locate(&root, &root, "o/n", "../secret"),
            Err(HubError::UnsafePath { .. })
        ));
        assert!(walk(&root, &root).is_err());
        assert_eq!(locate(&root, &root, "o/n", "absent").unwrap(), None);
    }

    #[test]
    fn ranges_past_the_end_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read_range(&path, 2..5).unwrap(), "234");
        assert!(read_range(&path, 0..0).unwrap().is_empty());
        assert!(matches!(
            read_range(&path, 5..11),
            Err(HubError::OutOfRange { size: 10, .. })
        ));
    }
}
