//! What a consumer can observe of a package at one revision.

use crate::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A file of the package at the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFile {
    pub path: String,
    pub size: Option<u64>,
    /// Hex digest as the hub gives it (LFS sha256 where there is one, else the git blob id).
    pub digest: Option<String>,
}

/// What a consumer can observe of a package at one revision.
#[derive(Debug, Clone, Default)]
pub struct Snapshot<'a> {
    pub revision: String,
    /// The package's name (`owner/name`); empty when it has none (a folder on this machine). Compared between releases that
    /// live in different packages.
    pub name: String,
    /// Commit title and message.
    pub message: String,
    pub files: Vec<SnapshotFile>,
    pub fingerprint: Option<&'a Fingerprint>,
    /// Text of the small files that matter, by path: `config.json`, `tokenizer.json`, `tokenizer_config.json`,
    /// `generation_config.json`, `README.md`, ... Missing when the hub did not serve it.
    pub texts: BTreeMap<String, String>,
    /// Tags that point at this revision.
    pub tags: Vec<String>,
}

impl Snapshot<'_> {
    pub(super) fn file(&self, path: &str) -> Option<&SnapshotFile> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// The file as JSON. Text that is not JSON counts as absent: its bytes still differ in the file list.
    pub(super) fn json(&self, path: &str) -> Option<serde_json::Value> {
        serde_json::from_str(self.text(path)?).ok()
    }
}

impl SnapshotFile {
    /// Whether the two hold the same bytes. `None` when a digest is missing or the two are of different kinds (a file that
    /// moved into LFS has another digest for the same bytes).
    pub(super) fn same_bytes(&self, other: &Self) -> Option<bool> {
        match (&self.digest, &other.digest) {
            (Some(a), Some(b)) if a.len() == b.len() => Some(a == b),
            _ => None,
        }
    }
}
