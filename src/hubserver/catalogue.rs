//! The folder as the hub's clients see it: commits with git-like ids and dates, files with LFS and git digests.
//!
//! Reads the disk; [`off_runtime`] keeps that off the runtime's threads.

use super::refuse::Refusal;
use heirloom_crawler::dir::{ContentDigest, DirHub, FolderRevision};
use heirloom_crawler::{HubError, Package, Revision, check_package_name};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use time::OffsetDateTime;

const COMMIT_ID_CHARS: usize = 40;
/// Files that `git lfs` would track at the real hub.
const WEIGHT_EXTENSIONS: [&str; 16] = [
    "bin",
    "ckpt",
    "gguf",
    "h5",
    "jit",
    "joblib",
    "model",
    "msgpack",
    "npy",
    "npz",
    "onnx",
    "pkl",
    "pt",
    "pth",
    "safetensors",
    "tflite",
];
const LFS_FROM_BYTES: u64 = 10 << 20;

#[derive(Debug, Clone)]
pub struct Catalogue {
    hub: DirHub,
}

/// A revision under the id that clients see.
#[derive(Debug, Clone)]
pub struct Commit {
    pub id: String,
    /// Clients demand a date; where the folder states none, it is that of the newest file.
    pub date: OffsetDateTime,
    pub revision: Revision,
    pub folder: PathBuf,
}

impl Commit {
    /// Its date as the hub's clients read it.
    pub fn shown_date(&self) -> String {
        timestamp(self.date)
    }
}

/// A file at a commit.
#[derive(Debug, Clone)]
pub struct ServedFile {
    pub path: String,
    pub digest: ContentDigest,
    pub is_lfs: bool,
}

impl Catalogue {
    pub fn new(hub: DirHub) -> Self {
        Self { hub }
    }

    pub fn names(&self) -> Result<Vec<String>, HubError> {
        self.hub.names()
    }

    /// Commits of a package, oldest first; never empty.
    pub fn commits(&self, package: &str) -> Result<Vec<Commit>, HubError> {
        check_package_name(package)?;
        self.hub
            .history(package)?
            .into_iter()
            .map(|entry| to_commit(package, entry))
            .collect()
    }

    /// The commit that a branch, a tag, an id or a full reference names, and its position.
    pub fn find(&self, package: &str, revision: &str) -> Result<(usize, Commit), HubError> {
        let mut commits = self.commits(package)?;
        position_of(&commits, revision)
            .map(|position| (position, commits.swap_remove(position)))
            .ok_or_else(|| HubError::RevisionNotFound {
                package: package.to_owned(),
                revision: revision.to_owned(),
            })
    }

    pub fn describe(&self, package: &str, commit: &Commit) -> Result<Package, HubError> {
        self.hub.describe(package, &commit.folder)
    }

    /// The paths of the files at a commit, without reading them.
    pub fn paths(&self, commit: &Commit) -> Result<Vec<String>, HubError> {
        self.hub.paths(&commit.folder)
    }

    /// Where a file at a commit lies.
    pub fn locate(&self, package: &str, commit: &Commit, path: &str) -> Result<PathBuf, HubError> {
        self.hub
            .locate(package, &commit.folder, path)?
            .ok_or_else(|| HubError::FileNotFound {
                package: package.to_owned(),
                revision: commit.id.clone(),
                path: path.to_owned(),
            })
    }

    pub fn files(&self, commit: &Commit) -> Result<Vec<ServedFile>, HubError> {
        let contents = self.hub.contents(&commit.folder)?;
        Ok(contents
            .into_iter()
            .map(|(path, digest)| ServedFile {
                is_lfs: is_lfs(&path, digest.size),
                path,
                digest,
            })
            .collect())
    }

    /// One file at a commit, and where it lies.
    pub fn file(
        &self,
        package: &str,
        commit: &Commit,
        path: &str,
    ) -> Result<(ServedFile, PathBuf), HubError> {
        let location = self.locate(package, commit, path)?;
        let digest = self.hub.digest(&location)?;
        let file = ServedFile {
            is_lfs: is_lfs(path, digest.size),
            path: path.to_owned(),
            digest,
        };
        Ok((file, location))
    }
}

/// `2024-01-31T12:00:00.000Z`, the only spelling all clients parse.
pub fn timestamp(date: OffsetDateTime) -> String {
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    );
    date.to_offset(time::UtcOffset::UTC)
        .format(&format)
        .unwrap_or_default()
}

/// Runs disk work on the runtime's blocking threads.
pub async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Refusal::from(HubError::Client {
            reason: error.to_string(),
        }))
    })
}

pub fn position_of(commits: &[Commit], revision: &str) -> Option<usize> {
    let named = revision
        .strip_prefix("refs/heads/")
        .or_else(|| revision.strip_prefix("refs/tags/"))
        .unwrap_or(revision);
    if matches!(named, "main" | "HEAD") {
        return commits.len().checked_sub(1);
    }
    commits.iter().rposition(|commit| {
        commit.id == named
            || commit.revision.id == named
            || commit.revision.tags.iter().any(|tag| tag == named)
    })
}

fn to_commit(package: &str, entry: FolderRevision) -> Result<Commit, HubError> {
    let date = match entry.revision.date {
        Some(date) => date,
        None => newest_file(&entry.folder)?,
    };
    Ok(Commit {
        id: commit_id(package, &entry.revision.id),
        date,
        revision: entry.revision,
        folder: entry.folder,
    })
}

/// Ids that do not look like git's are hashed into such, for clients refuse others.
fn commit_id(package: &str, id: &str) -> String {
    if id.len() == COMMIT_ID_CHARS && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return id.to_owned();
    }
    let mut digest = hex::encode(Sha256::digest(format!("{package}\0{id}")));
    digest.truncate(COMMIT_ID_CHARS);
    digest
}

fn newest_file(folder: &Path) -> Result<OffsetDateTime, HubError> {
    let fail = |error| HubError::disk(folder, error, 0);
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let modified = entry
            .and_then(|entry| entry.metadata()?.modified())
            .map_err(fail)?;
        newest = newest.max(modified);
    }
    Ok(newest.into())
}

fn is_lfs(path: &str, size: u64) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    size >= LFS_FROM_BYTES || WEIGHT_EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_commits() {
        let real = "8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b";
        assert_eq!(commit_id("o/n", real), real);
        let made = commit_id("o/n", "r1");
        assert_eq!(made.len(), 40);
        assert_ne!(made, commit_id("o/m", "r1"));
    }

    #[test]
    fn weights_are_lfs_files_whatever_their_size() {
        assert!(is_lfs("a/model.SAFETENSORS", 1));
        assert!(is_lfs("vocabulary.txt", LFS_FROM_BYTES));
        assert!(!is_lfs("config.json", 100));
        assert!(!is_lfs("LICENSE", 100));
    }
}
