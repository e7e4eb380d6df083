//! Which version number does a revision deserve?
//!
//! Enters: two [`Snapshot`]s of one package (what a consumer can observe at a revision), or a history of them. Leaves: a
//! [`BumpDecision`] with reasons, SemVer versions, silent changes. Reads no weights, knows no SQL.

use crate::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};

/// Size of the version step between two revisions.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Bump {
    None,
    Patch,
    Minor,
    Major,
}

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
    /// Commit title and message.
    pub message: String,
    pub files: Vec<SnapshotFile>,
    pub fingerprint: Option<&'a Fingerprint>,
    /// Text of the small files that matter, by path: `config.json`, `tokenizer.json`, `tokenizer_config.json`,
    /// `generation_config.json`, `README.md`, ... Missing when the hub did not serve it.
    pub texts: std::collections::BTreeMap<String, String>,
    /// Tags that point at this revision.
    pub tags: Vec<String>,
}

/// Why a bump: one observed change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reason {
    /// e.g. `weights`, `architecture`, `config`, `tokenizer`, `licence`, `card`, `format`, `files`.
    pub kind: String,
    pub bump: Bump,
    /// One sentence with the numbers.
    pub detail: String,
}

/// The step from one revision to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BumpDecision {
    pub bump: Bump,
    pub reasons: Vec<Reason>,
    /// True when tensor values changed. `None` when the weights could not be compared.
    pub weights_changed: Option<bool>,
    /// Weights changed, and neither name, tag, commit message nor card says so.
    pub silent: bool,
}

/// A revision's place in the version history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssignedVersion {
    pub revision: String,
    /// `1.2.0+w.3fa9c1d2`
    pub version: semver::Version,
    /// The version its tags or name declare, where they do.
    pub declared: Option<String>,
    /// `None` for the first revision.
    pub decision: Option<BumpDecision>,
}

/// Decides the bump from `old` to `new`.
pub fn decide_bump(old: &Snapshot<'_>, new: &Snapshot<'_>) -> BumpDecision {
    let _ = (old, new);
    unimplemented!()
}

/// Versions a history, oldest first. `package` is the name (`owner/name`), whose version segment seeds the first version.
pub fn assign_versions(package: &str, history: &[Snapshot<'_>]) -> Vec<AssignedVersion> {
    let _ = (package, history);
    unimplemented!()
}
