//! `models.lock`: which weights a project was built on, and whether they are still the same.
//!
//! Enters: what was observed of each model. Leaves: a [`Lock`] as TOML, and the [`Difference`]s between what was locked and what
//! is there now. Reads no files and asks no hub.

use super::SnapshotFile;
use crate::fingerprint::Fingerprint;
use semver::VersionReq;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the file format.
const LOCK_VERSION: u32 = 1;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    pub version: u32,
    #[serde(default, rename = "model")]
    pub models: Vec<LockedModel>,
}

/// One locked model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LockedModel {
    /// `hf:owner/name`, or a path; without a revision.
    pub reference: String,
    /// The revision asked for by name, where one was: a tag must go on meaning the same commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The commit; none for a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Versions that may be locked here: `^1.2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirement: Option<VersionReq>,
    /// Version inferred for the revision, where its history was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inferred: Option<String>,
    /// Hex SHA-256 of the weights, whatever their names and files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Hex SHA-256 over names and tensors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensors: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<u64>,
    /// Digest of every file that the hub or the disk gives one for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
}

/// Why a lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("the lock file is not valid: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("the lock file has version {found}, and this heirloom reads version {LOCK_VERSION}; lock again")]
    Version { found: u32 },
    #[error("the lock file cannot be written: {0}")]
    Write(#[from] toml::ser::Error),
}

impl Default for Lock {
    fn default() -> Self {
        Self {
            version: LOCK_VERSION,
            models: Vec::new(),
        }
    }
}

impl Lock {
    /// Reads the text of a lock file.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let lock: Self = toml::from_str(text)?;
        match lock.version {
            LOCK_VERSION => Ok(lock),
            found => Err(LockError::Version { found }),
        }
    }

    /// The text of the lock file, models in the order of their references.
    pub fn to_toml(&self) -> Result<String, LockError> {
        let header = "# Written by `heirloom lock`; `heirloom verify` compares it with what is there.\n\n";
        Ok(format!("{header}{}", toml::to_string(self)?))
    }

    /// Adds a model, or replaces the entry of the same reference.
    pub fn insert(&mut self, model: LockedModel) {
        self.models.retain(|other| other.reference != model.reference);
        self.models.push(model);
        self.models.sort_by(|a, b| a.reference.cmp(&b.reference));
    }
}

impl LockedModel {
    /// Fills in what was observed of the weights and files.
    pub fn observe(&mut self, fingerprint: Option<&Fingerprint>, files: &[SnapshotFile]) {
        self.weights = fingerprint.and_then(|fingerprint| fingerprint.model_digest.clone());
        self.tensors = fingerprint.and_then(|fingerprint| fingerprint.named_digest.clone());
        self.parameters = fingerprint.map(|fingerprint| fingerprint.parameters);
        let digested = files
            .iter()
            .filter_map(|file| Some((file.path.clone(), file.digest.clone()?)));
        self.files = digested.collect();
    }
}

/// One thing that is not as it was locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `revision`, `weights`, `tensors`, `file`
    pub what: &'static str,
    pub detail: String,
}

/// What differs between a locked model and the same model now. Empty when it is as it was locked.
pub fn differences(locked: &LockedModel, now: &LockedModel) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut push = |what, detail| differences.push(Difference { what, detail });
    if locked.revision != now.revision {
        let show = |revision: &Option<String>| revision.clone().unwrap_or_else(|| "none".to_owned());
        let name = locked.tag.as_deref().unwrap_or("it");
        let (a, b) = (show(&locked.revision), show(&now.revision));
        push("revision", format!("{name} named {a} and now names {b}"));
    }
    match (&locked.weights, &now.weights) {
        (Some(a), Some(b)) if a != b => push("weights", format!("values changed: {a:.12} → {b:.12}")),
        (Some(a), None) => push("weights", format!("weights {a:.12} can no longer be read")),
        (Some(_), Some(_)) if locked.tensors != now.tensors => {
            push(
                "tensors",
                "tensors were renamed; their values are the same".to_owned(),
            );
        }
        _ => {}
    }
    for (path, digest) in &locked.files {
        match now.files.get(path) {
            None => push("file", format!("{path} is gone")),
            Some(other) if other != digest => {
                push("file", format!("{path} changed: {digest:.12} → {other:.12}"))
            }
            Some(_) => {}
        }
    }
    for path in now.files.keys().filter(|path| !locked.files.contains_key(*path)) {
        push("file", format!("{path} is new"));
    }
    differences
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn model(weights: &str, file: &str) -> LockedModel {
        LockedModel {
            reference: "hf:a/b".to_owned(),
            tag: Some("v1.0".to_owned()),
            revision: Some("c0ffee".to_owned()),
            requirement: Some(VersionReq::parse("^1.2").unwrap()),
            inferred: Some("1.2.0+w.3fa9c1d2".to_owned()),
            weights: Some(weights.to_owned()),
            tensors: Some("t".to_owned()),
            parameters: Some(7),
            files: [("model.safetensors".to_owned(), file.to_owned())].into(),
        }
    }

    #[test]
    fn a_lock_file_reads_back_as_it_was_written() {
        let mut lock = Lock::default();
        lock.insert(model("aa", "1"));
        lock.insert(model("bb", "2"));
        assert_eq!(lock.models.len(), 1);
        let text = lock.to_toml().unwrap();
        assert_eq!(Lock::parse(&text).unwrap(), lock);
        insta::assert_snapshot!(text, @r#"
        # Written by `heirloom lock`; `heirloom verify` compares it with what is there.

        version = 1

        [[model]]
        reference = "hf:a/b"
        tag = "v1.0"
        revision = "c0ffee"
        requirement = "^1.2"
        inferred = "1.2.0+w.3fa9c1d2"
        weights = "bb"
        tensors = "t"
        parameters = 7

        [model.files]
        "model.safetensors" = "2"
        "#);
    }

    #[test]
    fn other_versions_and_other_texts_are_refused() {
        assert!(matches!(
            Lock::parse("version = 2"),
            Err(LockError::Version { found: 2 })
        ));
        assert!(matches!(Lock::parse("models = ["), Err(LockError::Syntax(_))));
    }

    #[test]
    fn what_is_not_as_it_was_locked_is_named() {
        let locked = model("aaaa", "1");
        assert_eq!(differences(&locked, &locked), []);
        let whats = |now: &LockedModel| -> Vec<&str> {
            differences(&locked, now)
                .iter()
                .map(|difference| difference.what)
                .collect()
        };
        assert_eq!(whats(&model("bbbb", "2")), ["weights", "file"]);
        let mut moved = model("aaaa", "1");
        moved.revision = Some("decade".to_owned());
        moved.tensors = Some("u".to_owned());
        moved.files = [("other".to_owned(), "1".to_owned())].into();
        assert_eq!(whats(&moved), ["revision", "tensors", "file", "file"]);
    }
}
