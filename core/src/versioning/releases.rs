//! The step from one release of a line to the next, where each is a package of its own.
//!
//! Enters: the newest snapshots of two packages, and the versions in their names. Leaves: a [`ReleaseStep`], with the declared step
//! beside the inferred one.

use super::history::disagreement;
use super::{BumpDecision, Snapshot, decide_bump, next_version};
use semver::Version;

/// A release beside the one before it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseStep {
    /// A disagreement between names and changes is a reason of kind `declared`.
    pub decision: BumpDecision,
    /// The lowest version that the changes ask for, counted from the version that the release before declares.
    pub inferred: Version,
}

/// Compares a release with the one before it. Each is a snapshot and the version in its package's name.
pub fn release_step(before: (&Snapshot<'_>, &Version), after: (&Snapshot<'_>, &Version)) -> ReleaseStep {
    let mut decision = decide_bump(before.0, after.0);
    let disagreement = disagreement("name", before.1, after.1, decision.bump);
    decision.reasons.extend(disagreement);
    ReleaseStep {
        inferred: next_version(before.1, decision.bump),
        decision,
    }
}
