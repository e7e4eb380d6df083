//! Plain git checkouts: commits are revisions, tags their tags, blobs the files, git-LFS pointers stand for their content.
//!
//! Enters: a checkout, or a folder of `<owner>/<name>/` checkouts. Objects are read from `.git` itself; no git program, hook,
//! filter or configuration runs, for a checkout may come from anywhere. The work tree is not looked at.

mod objects;
mod pack;
mod references;
mod repository;
#[cfg(test)]
mod tests;

use crate::dir::describe;
use crate::local::LocalHub;
use crate::{Content, FileEntry, HubError, NO_OWNER, Package, Revision, check_package_name, disk};
use repository::{Blob, Repository};
use std::path::{Path, PathBuf};

const MAX_CARD_BYTES: u64 = 4 << 20;

/// See the module's text.
#[derive(Debug, Clone)]
pub struct Checkouts {
    root: PathBuf,
}

impl Checkouts {
    pub fn open(path: impl AsRef<Path>) -> Result<Self, HubError> {
        let path = path.as_ref();
        let root = path
            .canonicalize()
            .map_err(|error| HubError::disk(path, error, 0))?;
        let hub = Self { root };
        if hub.find_names()?.is_empty() {
            return Err(HubError::NoPackages {
                path: path.to_owned(),
                expected: "expected a git checkout, or folders <owner>/<name>/ that are",
            });
        }
        Ok(hub)
    }

    /// The name of a folder that is itself a checkout.
    fn own_name(&self) -> Option<String> {
        let folder = self.root.file_name()?.to_str()?;
        let name = format!("{NO_OWNER}/{folder}");
        (is_checkout(&self.root) && check_package_name(&name).is_ok()).then_some(name)
    }

    fn repository(&self, name: &str) -> Result<Repository, HubError> {
        check_package_name(name)?;
        let folder = match self.own_name() {
            Some(own) if own == name => self.root.clone(),
            _ => self.root.join(name),
        };
        if !is_checkout(&folder) {
            return Err(HubError::NotFound {
                endpoint: self.root.display().to_string(),
                what: name.to_owned(),
            });
        }
        Repository::open(&disk::contained(&self.root, &folder.join(".git"))?)
    }

    /// The commit an id, a tag, `main` or `HEAD` names.
    fn commit(repository: &Repository, name: &str, revision: &str) -> Result<repository::Id, HubError> {
        let found = match revision {
            "main" | "HEAD" => repository.head()?,
            other => repository.commit(other)?,
        };
        found.ok_or_else(|| HubError::RevisionNotFound {
            package: name.to_owned(),
            revision: revision.to_owned(),
        })
    }

    /// A small text of a commit; `None` where it is absent or too long to be one.
    fn text(repository: &Repository, blobs: &[Blob], path: &str) -> Result<Option<String>, HubError> {
        match blobs.iter().find(|blob| blob.path == path) {
            Some(blob) if blob.size <= MAX_CARD_BYTES => {
                let bytes = repository.read(blob)?;
                Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
            }
            _ => Ok(None),
        }
    }
}

fn is_checkout(folder: &Path) -> bool {
    folder.join(".git/objects").is_dir()
}

impl LocalHub for Checkouts {
    const ID: &'static str = "git";

    fn folder(&self) -> &Path {
        &self.root
    }

    fn find_names(&self) -> Result<Vec<String>, HubError> {
        if let Some(own) = self.own_name() {
            return Ok(vec![own]);
        }
        let mut names = Vec::new();
        for (owner, folder) in disk::children(&self.root)? {
            if owner.starts_with('.') || !folder.is_dir() {
                continue;
            }
            for (name, checkout) in disk::children(&folder)? {
                let full = format!("{owner}/{name}");
                if is_checkout(&checkout) && check_package_name(&full).is_ok() {
                    names.push(full);
                }
            }
        }
        Ok(names)
    }

    fn find_package(&self, name: &str) -> Result<Package, HubError> {
        let repository = self.repository(name)?;
        let history = repository.history()?;
        let blobs = match repository.head()? {
            Some(head) => repository.blobs(name, &head)?,
            None => Vec::new(),
        };
        let card = Self::text(&repository, &blobs, "README.md")?;
        let config = Self::text(&repository, &blobs, "config.json")?;
        let mut package = describe(name, card, config.as_deref())?;
        package.revision = history.first().map(|revision| revision.id.clone());
        package.modified_at = history.first().and_then(|revision| revision.date);
        package.created_at = history.last().and_then(|revision| revision.date);
        Ok(package)
    }

    fn find_revisions(&self, name: &str) -> Result<Vec<Revision>, HubError> {
        self.repository(name)?.history()
    }

    fn find_files(&self, name: &str, revision: &str) -> Result<Vec<FileEntry>, HubError> {
        let repository = self.repository(name)?;
        let commit = Self::commit(&repository, name, revision)?;
        let blobs = repository.blobs(name, &commit)?;
        Ok(blobs.iter().map(Blob::to_entry).collect())
    }

    fn find_content(&self, name: &str, revision: &str, path: &str) -> Result<Content<'static>, HubError> {
        let repository = self.repository(name)?;
        let commit = Self::commit(&repository, name, revision)?;
        let blob = repository
            .blobs(name, &commit)?
            .into_iter()
            .find(|blob| blob.path == path)
            .ok_or_else(|| HubError::FileNotFound {
                package: name.to_owned(),
                revision: revision.to_owned(),
                path: path.to_owned(),
            })?;
        let Some(pointer) = &blob.pointer else {
            return Ok(Content::in_memory(path, repository.read(&blob)?.into()));
        };
        let stored = repository.lfs_object(pointer);
        if !stored.is_file() {
            return Err(HubError::NotFetched {
                package: name.to_owned(),
                path: path.to_owned(),
            });
        }
        Ok(Content::on_disk(disk::contained(&self.root, &stored)?))
    }
}
