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
use crate::local::LocalHub;
use crate::{Content, FileEntry, HubError, Package, Revision, card, check_package_name};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
        layout::history(&self.root, &self.digests, name, &self.package_folder(name)?)
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
        describe_folder(&self.root, name, folder)
    }

    fn package_folder(&self, name: &str) -> Result<PathBuf, HubError> {
        check_package_name(name)?;
        let folder = self.root.join(name);
        if !folder.is_dir() {
            return Err(HubError::NotFound {
                endpoint: self.root.display().to_string(),
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
}

impl LocalHub for DirHub {
    const ID: &'static str = "dir";

    fn folder(&self) -> &Path {
        &self.root
    }

    fn find_names(&self) -> Result<Vec<String>, HubError> {
        self.names()
    }

    fn find_package(&self, name: &str) -> Result<Package, HubError> {
        let history = self.history(name)?;
        let mut package = self.describe(name, &self.package_folder(name)?)?;
        package.revision = history.last().map(|entry| entry.revision.id.clone());
        package.created_at = history.first().and_then(|entry| entry.revision.date);
        package.modified_at = history.last().and_then(|entry| entry.revision.date);
        Ok(package)
    }

    fn find_revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        let history = self.history(name)?;
        Ok(history.into_iter().rev().map(|entry| entry.revision).collect())
    }

    fn find_files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        let found = self.find_revision(name, revision)?;
        let contents = self.contents(&found.folder)?;
        Ok(contents
            .into_iter()
            .map(|(path, digest)| FileEntry {
                path,
                size: Some(digest.size),
                sha256: Some(digest.sha256),
                blob_id: Some(digest.git_oid),
                xet_hash: None,
            })
            .collect())
    }

    fn find_content(&self, name: &str, revision: &str, path: &str) -> Result<Content<'static>, HubError> {
        let found = self.find_revision(name, revision)?;
        self.locate(name, &found.folder, path)?
            .map(Content::on_disk)
            .ok_or_else(|| HubError::FileNotFound {
                package: name.to_owned(),
                revision: revision.to_owned(),
                path: path.to_owned(),
            })
    }
}

/// What the card and the configuration in `folder` say of the package `name`.
pub(crate) fn describe_folder(root: &Path, name: &str, folder: &Path) -> Result<Package, HubError> {
    let card = small_text(root, name, folder, "README.md")?;
    let config = small_text(root, name, folder, "config.json")?;
    describe(name, card, config.as_deref())
}

/// What a card and a configuration say of the package `name`.
pub(crate) fn describe(
    name: &str,
    card_text: Option<String>,
    config: Option<&str>,
) -> Result<Package, HubError> {
    let (owner, short) = check_package_name(name)?;
    let card_data = card_text.as_deref().and_then(card::front_matter);
    let config = config.and_then(|text| serde_json::from_str::<Value>(text).ok());
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
