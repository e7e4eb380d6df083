//! An existing Hugging Face cache as a hub: `models--owner--name/{refs,snapshots,blobs}`.
//!
//! Enters: the cache folder. Leaves: what was downloaded there before; the cache holds no dates and no history beyond its
//! snapshots. The digest of an LFS file is the name of the blob its snapshot links to.

use crate::dir::describe_folder;
use crate::local::LocalHub;
use crate::{Content, FileEntry, HubError, NO_OWNER, Package, Revision, check_package_name, disk};
use std::path::{Path, PathBuf};

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
        if hub.find_names()?.is_empty() {
            return Err(HubError::NoPackages {
                path: path.to_owned(),
                expected: "expected folders models--<owner>--<name>, as in ~/.cache/huggingface/hub",
            });
        }
        Ok(hub)
    }

    fn package_folder(&self, name: &str) -> Result<PathBuf, HubError> {
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
            endpoint: self.root.display().to_string(),
            what: name.to_owned(),
        })
    }

    fn snapshot(&self, name: &str, revision: &str) -> Result<PathBuf, HubError> {
        let history = self.find_revisions(name)?;
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
        Ok(self.package_folder(name)?.join("snapshots").join(&found.id))
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
            xet_hash: None,
        })
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

impl LocalHub for CacheHub {
    const ID: &'static str = "cache";

    fn folder(&self) -> &Path {
        &self.root
    }

    fn find_names(&self) -> Result<Vec<String>, HubError> {
        let mut names: Vec<String> = disk::children(&self.root)?
            .into_iter()
            .filter(|(_, path)| path.join("snapshots").is_dir())
            .filter_map(|(folder, _)| package_name(&folder))
            .collect();
        names.sort();
        Ok(names)
    }

    fn find_package(&self, name: &str) -> Result<Package, HubError> {
        let head = self.find_revisions(name)?.into_iter().next();
        let folder = self.package_folder(name)?;
        let snapshot = head
            .as_ref()
            .map_or(folder.clone(), |head| folder.join("snapshots").join(&head.id));
        let mut package = describe_folder(&self.root, name, &snapshot)?;
        package.revision = head.map(|head| head.id);
        Ok(package)
    }

    /// Snapshots, newest first: the one `refs/main` names, then the others by when they were stored.
    fn find_revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let folder = self.package_folder(name)?;
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
                ..Revision::default()
            })
            .collect())
    }

    fn find_files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        let snapshot = self.snapshot(name, revision)?;
        disk::walk(&self.root, &snapshot)?
            .into_iter()
            .map(|path| self.file_entry(&snapshot, path))
            .collect()
    }

    fn find_content(&self, name: &str, revision: &str, path: &str) -> Result<Content<'static>, HubError> {
        let snapshot = self.snapshot(name, revision)?;
        disk::locate(&self.root, &snapshot, name, path)?
            .map(Content::on_disk)
            .ok_or_else(|| HubError::FileNotFound {
                package: name.to_owned(),
                revision: revision.to_owned(),
                path: path.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Hub, ListFilter};
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
