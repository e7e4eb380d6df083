//! A folder as a hub: `<folder>/<owner>/<name>/…`, with earlier revisions below `.revisions`.
//!
//! Enters: a folder. Leaves: packages with the facts their card and configuration state, history, files with digests. Also what
//! `heirloom hub` serves.

mod layout;
#[cfg(test)]
mod tests;

pub use crate::disk::ContentDigest;
pub use layout::FolderRevision;

use crate::disk::{self, DigestCache};
use crate::{FileEntry, Hub, HubError, ListFilter, Package, Page, Revision, card, check_package_name};
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PAGE_NAMES: usize = 1000;
const MAX_CARD_BYTES: u64 = 4 << 20;

/// A folder of packages, read afresh at each call: what changes on disk is seen.
#[derive(Debug, Clone)]
pub struct DirHub {
    root: PathBuf,
    digests: Arc<DigestCache>,
}

impl DirHub {
    pub fn open(path: impl AsRef<Path>) -> Result<Self, HubError> {
        let path = path.as_ref();
        let root = path
            .canonicalize()
            .map_err(|error| HubError::disk(path, error, 0))?;
        let hub = Self {
            root,
            digests: Arc::default(),
        };
        if hub.names()?.is_empty() {
            return Err(HubError::NoPackages {
                path: path.to_owned(),
                expected: "expected folders <owner>/<name>/ with the files of one package each",
            });
        }
        Ok(hub)
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All packages, sorted by name.
    pub fn names(&self) -> Result<Vec<String>, HubError> {
        layout::package_names(&self.root)
    }

    /// The history of a package, oldest first; never empty.
    pub fn history(&self, name: &str) -> Result<Vec<FolderRevision>, HubError> {
        layout::history(&self.root, &self.digests, name, &self.folder(name)?)
    }

    /// The paths of the files in a revision's folder, sorted.
    pub fn paths(&self, folder: &Path) -> Result<Vec<String>, HubError> {
        disk::walk(&self.root, folder)
    }

    /// The digest of one file, computed once as long as the file stays the same.
    pub fn digest(&self, location: &Path) -> Result<ContentDigest, HubError> {
        self.digests.digest(location)
    }

    /// The files of a revision with their digests, sorted by path.
    pub fn contents(&self, folder: &Path) -> Result<Vec<(String, ContentDigest)>, HubError> {
        disk::walk(&self.root, folder)?
            .into_iter()
            .map(|path| {
                let digest = self.digests.digest(&folder.join(&path))?;
                Ok((path, digest))
            })
            .collect()
    }

    /// Where the file `path` of a revision's folder lies; `None` where it has no such file.
    pub fn locate(&self, name: &str, folder: &Path, path: &str) -> Result<Option<PathBuf>, HubError> {
        disk::locate(&self.root, folder, name, path)
    }

    /// What the card and the configuration in `folder` say of the package.
    pub fn describe(&self, name: &str, folder: &Path) -> Result<Package, HubError> {
        let mut package = describe_folder(&self.root, name, folder)?;
        package.hub = self.id().to_owned();
        package.endpoint = self.endpoint();
        Ok(package)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, HubError> {
        check_package_name(name)?;
        let folder = self.root.join(name);
        if !folder.is_dir() {
            return Err(HubError::NotFound {
                endpoint: self.endpoint(),
                what: name.to_owned(),
            });
        }
        disk::contained(&self.root, &folder)
    }

    /// The revision an id, a tag, `main` or `HEAD` names.
    pub fn find_revision(&self, name: &str, revision: &str) -> Result<FolderRevision, HubError> {
        let mut history = self.history(name)?;
        let position = match revision {
            "main" | "HEAD" => history.len().checked_sub(1),
            other => history.iter().rposition(|entry| {
                entry.revision.id == other || entry.revision.tags.iter().any(|tag| tag == other)
            }),
        };
        position
            .map(|position| history.swap_remove(position))
            .ok_or_else(|| HubError::RevisionNotFound {
                package: name.to_owned(),
                revision: revision.to_owned(),
            })
    }

    fn find_file(&self, name: &str, revision: &str, path: &str) -> Result<PathBuf, HubError> {
        let found = self.find_revision(name, revision)?;
        self.locate(name, &found.folder, path)?
            .ok_or_else(|| HubError::FileNotFound {
                package: name.to_owned(),
                revision: revision.to_owned(),
                path: path.to_owned(),
            })
    }

    fn package_now(&self, name: &str) -> Result<Package, HubError> {
        let history = self.history(name)?;
        let mut package = self.describe(name, &self.folder(name)?)?;
        package.revision = history.last().map(|entry| entry.revision.id.clone());
        package.created_at = history.first().and_then(|entry| entry.revision.date);
        package.modified_at = history.last().and_then(|entry| entry.revision.date);
        Ok(package)
    }

    fn files_now(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        let found = self.find_revision(name, revision)?;
        let contents = self.contents(&found.folder)?;
        Ok(contents
            .into_iter()
            .map(|(path, digest)| FileEntry {
                path,
                size: Some(digest.size),
                sha256: Some(digest.sha256),
                blob_id: Some(digest.git_oid),
            })
            .collect())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, HubError> + Send + 'static,
    ) -> Result<T, HubError> {
        let hub = self.clone();
        disk::blocking(move || work(&hub)).await
    }
}

#[async_trait]
impl Hub for DirHub {
    fn id(&self) -> &'static str {
        "dir"
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
        let history = self.blocking(move |hub| hub.history(&name)).await?;
        Ok(history.into_iter().rev().map(|entry| entry.revision).collect())
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

/// What the card and the configuration in `folder` say of the package `name`.
pub(crate) fn describe_folder(root: &Path, name: &str, folder: &Path) -> Result<Package, HubError> {
    let (owner, short) = check_package_name(name)?;
    let card_text = small_text(root, name, folder, "README.md")?;
    let card_data = card_text.as_deref().and_then(card::front_matter);
    let config = small_text(root, name, folder, "config.json")?
        .and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let mut package = Package {
        owner: owner.to_owned(),
        name: short.to_owned(),
        architecture: config.as_ref().and_then(card::architecture_of),
        raw: json!({ "cardData": card_data, "config": config }),
        ..Package::default()
    };
    card::apply(&mut package, card_data.as_ref());
    package.card = card_text;
    Ok(package)
}

/// A text of the package, or `None` where it is absent or too long to be one.
fn small_text(root: &Path, name: &str, folder: &Path, path: &str) -> Result<Option<String>, HubError> {
    let Some(file) = disk::locate(root, folder, name, path)? else {
        return Ok(None);
    };
    match disk::read_whole(&file, MAX_CARD_BYTES) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(HubError::TooLarge { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
