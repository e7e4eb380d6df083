//! Versions of a whole history: each revision gets the last version raised by its bump.

use super::declared::tag_version;
use super::{Bump, BumpDecision, Reason, Snapshot, decide_bump, declared_version, is_prerelease};
use semver::{BuildMetadata, Prerelease, Version};
use serde::{Deserialize, Serialize};

/// Hex digits of the model digest in a version's build metadata.
const DIGEST_DIGITS: usize = 8;

/// A revision's place in the version history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssignedVersion {
    pub revision: String,
    /// `1.2.0+w.3fa9c1d2`
    pub version: Version,
    /// The version its tags or name declare, where they do.
    pub declared: Option<String>,
    /// `None` for the first revision.
    pub decision: Option<BumpDecision>,
}

/// Versions a history, oldest first. `package` is the name (`owner/name`), whose version segment seeds the first version.
///
/// Where a revision's tag declares a version, the step it declares is set against the inferred one, and a disagreement is
/// given as a reason of kind `declared`.
pub fn assign_versions(package: &str, history: &[Snapshot<'_>]) -> Vec<AssignedVersion> {
    let prerelease = is_prerelease(package);
    let name_version = declared_version(package);
    let mut assigned: Vec<AssignedVersion> = Vec::with_capacity(history.len());
    let mut since_tag = SinceTag::default();
    for (position, snapshot) in history.iter().enumerate() {
        let tagged = tag_of(snapshot);
        let (version, decision) = match assigned.last() {
            None => (
                first_version(tagged.as_ref().or(name_version.as_ref()), prerelease),
                None,
            ),
            Some(last) => {
                let mut decision = decide_bump(&history[position - 1], snapshot);
                decision
                    .reasons
                    .extend(since_tag.judge(decision.bump, tagged.as_ref()));
                (raise(&last.version, decision.bump, prerelease), Some(decision))
            }
        };
        if let Some(tagged) = &tagged {
            since_tag = SinceTag::at(tagged.clone());
        }
        assigned.push(AssignedVersion {
            revision: snapshot.revision.clone(),
            version: with_digest(version, snapshot),
            declared: tagged.as_ref().or(name_version.as_ref()).map(Version::to_string),
            decision,
        });
    }
    assigned
}

/// The highest version among a revision's tags.
fn tag_of(snapshot: &Snapshot<'_>) -> Option<Version> {
    snapshot.tags.iter().filter_map(|tag| tag_version(tag)).max()
}

fn first_version(declared: Option<&Version>, prerelease: Option<&str>) -> Version {
    let mut version = declared.cloned().unwrap_or(Version::new(1, 0, 0));
    if version.pre.is_empty() {
        version.pre = first_prerelease(prerelease);
    }
    version
}

fn first_prerelease(word: Option<&str>) -> Prerelease {
    let text = word.map(|word| format!("{word}.1")).unwrap_or_default();
    Prerelease::new(&text).unwrap_or(Prerelease::EMPTY)
}

/// The lowest version that a step of this size leads to.
pub fn next_version(last: &Version, bump: Bump) -> Version {
    raise(last, bump, None)
}

/// The next version. Below 1.0.0 the second number carries breaking changes and the third all others, as Cargo reads
/// `^0.1`, so that a requirement never admits a breaking change.
fn raise(last: &Version, bump: Bump, prerelease: Option<&str>) -> Version {
    let mut next = match (bump, last.major) {
        (Bump::None, _) => return last.clone(),
        (Bump::Major, 0) => Version::new(0, last.minor + 1, 0),
        (Bump::Minor | Bump::Patch, 0) => Version::new(0, last.minor, last.patch + 1),
        (Bump::Major, _) => Version::new(last.major + 1, 0, 0),
        (Bump::Minor, _) => Version::new(last.major, last.minor + 1, 0),
        (Bump::Patch, _) => Version::new(last.major, last.minor, last.patch + 1),
    };
    next.pre = first_prerelease(prerelease);
    next
}

/// Build metadata that names the weights: `w.3fa9c1d2`. None without a digest.
fn with_digest(mut version: Version, snapshot: &Snapshot<'_>) -> Version {
    let digest = snapshot
        .fingerprint
        .and_then(|fingerprint| fingerprint.model_digest.as_deref())
        .and_then(|digest| digest.get(..DIGEST_DIGITS));
    version.build = digest
        .and_then(|digest| BuildMetadata::new(&format!("w.{digest}")).ok())
        .unwrap_or(BuildMetadata::EMPTY);
    version
}

/// What happened since the last tagged version.
#[derive(Default)]
struct SinceTag {
    version: Option<Version>,
    bump: Option<Bump>,
}

impl SinceTag {
    fn at(version: Version) -> Self {
        Self {
            version: Some(version),
            bump: None,
        }
    }

    /// Takes in a revision's bump; where the revision is tagged, says how the declared step differs from the inferred one.
    fn judge(&mut self, bump: Bump, tagged: Option<&Version>) -> Option<Reason> {
        let inferred = self.bump.unwrap_or(Bump::None).max(bump);
        self.bump = Some(inferred);
        disagreement("tag", self.version.as_ref()?, tagged?, inferred)
    }
}

/// How the step that a tag or a name declares differs from the one that was found; `None` where they agree.
pub(super) fn disagreement(who: &str, from: &Version, to: &Version, inferred: Bump) -> Option<Reason> {
    let declared = declared_step(from, to)?;
    let detail = match declared.cmp(&inferred) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Less => format!(
            "the {who} declares a {declared} step ({from} → {to}), and the changes since amount to {inferred}"
        ),
        std::cmp::Ordering::Greater => format!(
            "the {who} declares a {declared} step ({from} → {to}), more than the {inferred} that was found"
        ),
    };
    Some(Reason::new("declared", Bump::None, detail))
}

/// The bump that leads from one declared version to a later one; `None` backwards.
pub(super) fn declared_step(from: &Version, to: &Version) -> Option<Bump> {
    if to < from {
        return None;
    }
    Some(
        if to.major != from.major || (from.major == 0 && to.minor != from.minor) {
            Bump::Major
        } else if to.minor != from.minor {
            Bump::Minor
        } else if to.patch != from.patch || to.pre != from.pre {
            Bump::Patch
        } else {
            Bump::None
        },
    )
}
