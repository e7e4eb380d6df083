//! A package as a hub serves it: revisions of files, each with a card.
//!
//! Leaves: a folder in the layout that `heirloom hub` serves: the newest revision's files, earlier ones under `.revisions/`.

use anyhow::Context;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Contents by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// One commit of a package.
#[derive(Debug, Clone)]
pub struct Revision {
    /// A commit id of the publisher; else one is derived from the content.
    pub sha: Option<String>,
    /// RFC 3339.
    pub date: String,
    pub message: String,
    pub tags: Vec<String>,
    pub files: Files,
}

/// A package with its history, oldest revision first.
#[derive(Debug, Clone)]
pub struct Package {
    /// `owner/name`
    pub name: String,
    pub history: Vec<Revision>,
}

#[derive(Serialize)]
struct IndexEntry<'a> {
    sha: String,
    date: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
}

impl Package {
    /// The commit ids of its history, oldest first.
    pub fn shas(&self) -> Vec<String> {
        self.history
            .iter()
            .map(|revision| revision.id(&self.name))
            .collect()
    }

    /// Writes it below `hub`.
    pub fn write(&self, hub: &Path) -> anyhow::Result<()> {
        let folder = hub.join(&self.name);
        let revisions = folder.join(".revisions");
        let Some((head, earlier)) = self.history.split_last() else {
            anyhow::bail!("package {} has no revision", self.name)
        };
        for revision in earlier {
            write_files(&revisions.join(revision.id(&self.name)), &revision.files)?;
        }
        write_files(&folder, &head.files)?;
        let index: Vec<IndexEntry<'_>> = self
            .history
            .iter()
            .map(|revision| IndexEntry {
                sha: revision.id(&self.name),
                date: &revision.date,
                message: &revision.message,
                tags: &revision.tags,
            })
            .collect();
        write_file(&revisions.join("index.json"), &to_json(&index)?)
    }
}

impl Revision {
    fn id(&self, package: &str) -> String {
        self.sha.clone().unwrap_or_else(|| {
            let mut hash = Sha256::new();
            for part in [package, &self.date, &self.message] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
            for (path, content) in &self.files {
                hash.update((path.len() as u64).to_le_bytes());
                hash.update(path);
                hash.update(Sha256::digest(content));
            }
            hash.finalize()[..20]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect()
        })
    }
}

fn write_files(folder: &Path, files: &Files) -> anyhow::Result<()> {
    files
        .iter()
        .try_for_each(|(path, content)| write_file(&folder.join(path), content))
}

/// Writes one file and the folders above it.
pub fn write_file(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// Indented JSON with a newline.
pub fn to_json(value: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}
