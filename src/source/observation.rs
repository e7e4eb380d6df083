//! A source as versioning sees it: files with their digests, texts, and the fingerprint of its weights.
//!
//! Enters: an opened [`Source`]. Leaves: an [`Observation`] that lends [`Snapshot`]s. A hub gives digests; files of this machine
//! are hashed here.

use super::Source;
use crate::fingerprint::{Fingerprint, Level, fingerprint};
use crate::sentence::sentence;
use crate::versioning::{Snapshot, SnapshotFile};
use anyhow::Context;
use heirloom_crawler::{FileEntry, Revision};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

const READ_BYTES: usize = 1 << 20;

/// One source, read whole.
pub struct Observation {
    pub source: Source,
    pub files: Vec<SnapshotFile>,
    /// `None` when it holds no weights that heirloom reads, or [`Observation::failure`] says why not.
    pub fingerprint: Option<Fingerprint>,
    /// Why its weights could not be read, in one sentence.
    pub failure: Option<String>,
}

impl Observation {
    /// Reads every byte of the weights. `progress` is told the bytes fingerprinted since its last call.
    pub async fn read(
        source: Source,
        progress: impl Fn(u64) + Sync + Send + 'static,
    ) -> anyhow::Result<Self> {
        let copies = tempfile::tempdir().context("cannot make a folder for downloaded weights")?;
        let opened = if source.has_weights() {
            Some(source.download_checkpoint(copies.path()).await)
        } else {
            None
        };
        tokio::task::spawn_blocking(move || {
            let read = opened.map(|checkpoint| {
                checkpoint.and_then(|checkpoint| Ok(fingerprint(&checkpoint, Level::Full, &progress)?))
            });
            drop(copies);
            let (fingerprint, failure) = match read {
                Some(Ok(fingerprint)) => (Some(fingerprint), None),
                Some(Err(error)) => (None, Some(sentence(&error))),
                None => (None, None),
            };
            Ok(Self {
                files: digests(&source)?,
                source,
                fingerprint,
                failure,
            })
        })
        .await?
    }

    /// What a consumer can observe.
    pub fn snapshot(&self) -> Snapshot<'_> {
        let revision = self.source.revision.as_ref();
        Snapshot {
            revision: revision.map(|revision| revision.id.clone()).unwrap_or_default(),
            name: self.source.package().unwrap_or_default().to_owned(),
            message: revision.map(Revision::full_message).unwrap_or_default(),
            files: self.files.clone(),
            fingerprint: self.fingerprint.as_ref(),
            texts: self.source.texts.clone(),
            tags: revision.map(|revision| revision.tags.clone()).unwrap_or_default(),
        }
    }
}

/// SHA-256 of every file: the hub's where it gives one, else of the text or of the file here. Falls back to the hub's own id.
/// Reads files of this machine whole: call from a blocking thread.
pub fn digests(source: &Source) -> anyhow::Result<Vec<SnapshotFile>> {
    let files = source.files.par_iter().map(|file| {
        Ok(SnapshotFile {
            path: file.path.clone(),
            size: file.size,
            digest: digest(source, file)?,
        })
    });
    files.collect()
}

fn digest(source: &Source, file: &FileEntry) -> anyhow::Result<Option<String>> {
    if let Some(sha256) = &file.sha256 {
        return Ok(Some(sha256.clone()));
    }
    if let Some(text) = source.texts.get(&file.path) {
        return Ok(Some(hex::encode(Sha256::digest(text))));
    }
    match source.folder() {
        Some(folder) => Ok(Some(hash_file(&folder.join(&file.path))?)),
        None => Ok(file.blob_id.clone()),
    }
}

fn hash_file(path: &Path) -> anyhow::Result<String> {
    let read = || -> std::io::Result<String> {
        let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hex::encode(hasher.finalize())),
                filled => hasher.update(&buffer[..filled]),
            }
        }
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}
