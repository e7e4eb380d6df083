//! An existing Hugging Face cache as a hub: `models--owner--name/{refs,snapshots,blobs}`.
//!
//! Enters: the cache folder. Leaves: what was downloaded there before; the cache holds no dates and no history beyond its
//! snapshots. The digest of an LFS file is the name of the blob its snapshot links to.

use crate::dir::describe_folder;
use crate::{
    FileEntry, Hub, HubError, ListFilter, NO_OWNER, Package, Page, Revision, check_package_name, disk,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::ops::Range;
use std::path::{Path, PathBuf};

const PAGE_NAMES: usize = 1000;
const MAX_REF_BYTES: u64 = 1024;
const SHA256_HEX_CHARS: usize = 64;

/// A Hugging Face cache folder, read afresh at each call.
#[derive(Debug, Clone)]
pub struct CacheHub {
    root: PathBuf,
}

/// Where the Hugging Face clients keep their cache: `HF_HUB_CACHE`, else `hub` below `HF_HOME`, else below
/// `~/.cache/huggingface`.
#[must_use]
pub fn default_folder() -> PathBuf {
    match std::env::var_os("HF_HUB_CACHE") {
        Some(folder) => folder.into(),
        None => crate::hf::home_folder().join("hub"),
    }
}

impl CacheHub {
    pub fn open(path: impl AsRef<Path>) -> Result<Self, HubError> {
        let path = path.as_ref();
        let root = path
            .canonicalize()
            .map_err(|error| HubError::disk(path, error, 0))?;
        let hub = Self { root };
        if hub.names()?.is_empty() {
            return Err(HubError::NoPackages {
                path: path.to_owned(),
                expected: "expected folders models--<owner>--<name>, as in ~/.cache/huggingface/hub",
            });
        }
        Ok(hub)
    }

    fn names(&self) -> Result<Vec<String>, HubError> {
        let mut names: Vec<String> = disk::children(&self.root)?
            .into_iter()
            .filter(|(_, path)| path.join("snapshots").is_dir())
            .filter_map(|(folder, _)| package_name(&folder))
            .collect();
        names.sort();
        Ok(names)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, HubError> {
        let (owner, short) = check_package_name(name)?;
        let folder = if owner == NO_OWNER {
            format!("models--{short}")
        } else {
            format!("models--{owner}--{short}")
        };
        let folder = self.root.join(folder);
        if folder.join("snapshots").is_dir() {
            return Ok(folder);
        }
        Err(HubError::NotFound {
            endpoint: self.endpoint(),
            what: name.to_owned(),
        })
    }

    /// Snapshots, newest first: the one `refs/main` names, then the others by when they were stored.
    fn history(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let folder = self.folder(name)?;
        let references = read_references(&folder.join("refs"))?;
        let main = references
            .iter()
            .find(|(reference, _)| reference == "main")
            .map(|(_, id)| id.clone());
        let mut snapshots = Vec::new();
        for (id, path) in disk::children(&folder.join("snapshots"))? {
            let stored = path.metadata().and_then(|metadata| metadata.modified());
            snapshots.push((Some(&id) == main.as_ref(), stored.ok(), id));
        }
        snapshots.sort();
        Ok(snapshots
            .into_iter()
            .rev()
            .map(|(_, _, id)| Revision {
                tags: references
                    .iter()
                    .filter(|(reference, target)| *target == id && reference != "main")
                    .map(|(reference, _)| reference.clone())
                    .collect(),
                id,
                date: None,
                title: String::new(),
                message: String::new(),
                authors: Vec::new(),
            })
            .collect())
    }

    fn snapshot(&self, name: &str, revision: &str) -> Result<PathBuf, HubError> {
        let history = self.history(name)?;
        let found = match revision {
            "main" | "HEAD" => history.first(),
            other => history
                .iter()
                .find(|entry| entry.id == other || entry.tags.iter().any(|tag| tag == other)),
        };
        let found = found.ok_or_else(|| HubError::RevisionNotFound {
            package: name.to_owned(),
            revision: revision.to_owned(),
        })?;
        Ok(self.folder(name)?.join("snapshots").join(&found.id))
    }

    fn find_file(&self, name: &str, revision: &str, path: &str) -> Result<PathBuf, HubError> {
        let snapshot = self.snapshot(name, revision)?;
        disk::locate(&self.root, &snapshot, name, path)?.ok_or_else(|| HubError::FileNotFound {
            package: name.to_owned(),
            revision: revision.to_owned(),
            path: path.to_owned(),
        })
    }

    fn package_now(&self, name: &str) -> Result<Package, HubError> {
        let head = self.history(name)?.into_iter().next();
        let folder = self.folder(name)?;
        let snapshot = head
            .as_ref()
            .map_or(folder.clone(), |head| folder.join("snapshots").join(&head.id));
        let mut package = describe_folder(&self.root, name, &snapshot)?;
        package.hub = self.id().to_owned();
        package.endpoint = self.endpoint();
        package.revision = head.map(|head| head.id);
        Ok(package)
    }

    fn files_now(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        let snapshot = self.snapshot(name, revision)?;
        disk::walk(&self.root, &snapshot)?
            .into_iter()
            .map(|path| self.file_entry(&snapshot, path))
            .collect()
    }

    fn file_entry(&self, snapshot: &Path, path: String) -> Result<FileEntry, HubError> {
        let blob = disk::contained(&self.root, &snapshot.join(&path))?;
        let size = blob
            .metadata()
            .map_err(|error| HubError::disk(&blob, error, 0))?
            .len();
        let blob_id = blob
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .map(str::to_owned);
        Ok(FileEntry {
            path,
            size: Some(size),
            sha256: blob_id.clone().filter(|id| id.len() == SHA256_HEX_CHARS),
            blob_id,
        })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, HubError> + Send + 'static,
    ) -> Result<T, HubError> {
        let hub = self.clone();
        disk::blocking(move || work(&hub)).await
    }
}

fn package_name(folder: &str) -> Option<String> {
    let rest = folder.strip_prefix("models--")?;
    let name = match rest.split_once("--") {
        Some((owner, name)) => format!("{owner}/{name}"),
        None => format!("{NO_OWNER}/{rest}"),
    };
    check_package_name(&name).is_ok().then_some(name)
}

/// Branches and tags by name; their files hold a commit id. `refs/pr/1` is a file in a folder.
fn read_references(folder: &Path) -> Result<Vec<(String, String)>, HubError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut references = Vec::new();
    for reference in disk::walk(folder, folder)? {
        let bytes = disk::read_whole(&folder.join(&reference), MAX_REF_BYTES)?;
        references.push((reference, String::from_utf8_lossy(&bytes).trim().to_owned()));
    }
    Ok(references)
}

#[async_trait]
impl Hub for CacheHub {
    fn id(&self) -> &'static str {
        "cache"
    }

    fn endpoint(&self) -> String {
        self.root.display().to_string()
    }

    fn is_local(&self) -> bool {
        true
    }

    async fn list(&self, filter: &ListFilter, cursor: Option<&str>) -> Result<Page, HubError> {
        let names = self.blocking(Self::names).await?;
        Ok(disk::page_of(names, filter, cursor, PAGE_NAMES))
    }

    async fn package(&self, name: &str) -> Result<Package, HubError> {
        let name = name.to_owned();
        self.blocking(move |hub| hub.package_now(&name)).await
    }

    async fn revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let name = name.to_owned();
        self.blocking(move |hub| hub.history(&name)).await
    }

    async fn files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        let (name, revision) = (name.to_owned(), revision.to_owned());
        self.blocking(move |hub| hub.files_now(&name, &revision)).await
    }

    async fn read(
        &self,
        name: &str,
        revision: &str,
        path: &str,
        range: Range<u64>,
    ) -> Result<Bytes, HubError> {
        let (name, revision, path) = (name.to_owned(), revision.to_owned(), path.to_owned());
        self.blocking(move |hub| disk::read_range(&hub.find_file(&name, &revision, &path)?, range))
            .await
    }

    async fn read_whole(
        &self,
        name: &str,
        revision: &str,
        path: &str,
        limit: u64,
    ) -> Result<Bytes, HubError> {
        let (name, revision, path) = (name.to_owned(), revision.to_owned(), path.to_owned());
        self.blocking(move |hub| disk::read_whole(&hub.find_file(&name, &revision, &path)?, limit))
            .await
    }

    async fn download(
        &self,
        name: &str,
        revision: &str,
        file: &FileEntry,
        target: &Path,
    ) -> Result<u64, HubError> {
        let (name, revision) = (name.to_owned(), revision.to_owned());
        let (file, target) = (file.clone(), target.to_owned());
        self.blocking(move |hub| {
            disk::copy_checked(&hub.find_file(&name, &revision, &file.path)?, &file, &target)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const OLD: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn sample() -> tempfile::TempDir {
        let cache = tempfile::tempdir().unwrap();
        let package = cache.path().join("models--acme--tiny--v2");
        for folder in ["refs", "blobs"] {
            fs::create_dir_all(package.join(folder)).unwrap();
        }
        fs::write(package.join("refs/main"), HEAD).unwrap();
        fs::write(package.join("refs/v1.0"), OLD).unwrap();
        let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(b"weights"));
        fs::write(package.join("blobs").join(&digest), "weights").unwrap();
        for id in [HEAD, OLD] {
            let snapshot = package.join("snapshots").join(id);
            fs::create_dir_all(&snapshot).unwrap();
            fs::write(snapshot.join("README.md"), "---\nlicense: mit\n---\n").unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink(
                format!("../../blobs/{digest}"),
                snapshot.join("model.safetensors"),
            )
            .unwrap();
        }
        cache
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_cache_is_listed_and_read() {
        let cache = sample();
        let hub = CacheHub::open(cache.path()).unwrap();
        let page = hub.list(&ListFilter::default(), None).await.unwrap();
        assert_eq!(page.names, ["acme/tiny--v2"]);
        let package = hub.package("acme/tiny--v2").await.unwrap();
        assert_eq!(package.revision.as_deref(), Some(HEAD));
        assert_eq!(package.licence.as_deref(), Some("MIT"));
        let history = hub.revisions("acme/tiny--v2").await.unwrap();
        assert_eq!(
            history.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(),
            [HEAD, OLD]
        );
        assert_eq!(history[1].tags, ["v1.0"]);
        let files = hub.files("acme/tiny--v2", "v1.0").await.unwrap();
        assert_eq!(files[1].path, "model.safetensors");
        assert_eq!(files[1].sha256.as_ref().map(String::len), Some(64));
        let bytes = hub
            .read("acme/tiny--v2", OLD, "model.safetensors", 2..4)
            .await
            .unwrap();
        assert_eq!(bytes, "ig");
        let target = cache.path().join("copy");
        assert_eq!(
            hub.download("acme/tiny--v2", OLD, &files[1], &target)
                .await
                .unwrap(),
            7
        );
    }

    #[test]
    fn an_empty_folder_is_not_a_cache() {
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(
            CacheHub::open(empty.path()),
            Err(HubError::NoPackages { .. })
        ));
    }
}
