//! Which version number does a revision deserve?
//!
//! Enters: two [`Snapshot`]s of one package (what a consumer can observe at a revision), or a history of them. Leaves: a
//! [`BumpDecision`] with reasons, SemVer versions, silent changes; and [`Name`]s cut into segments. Reads no weights, knows
//! no SQL. The rules are published in docs/versioning.md.

mod announcement;
mod card;
mod changelog;
mod changes;
mod decision;
mod declared;
mod history;
mod interval;
pub mod lines;
pub mod lock;
pub mod name;
mod releases;
mod requirement;
mod snapshot;
pub mod study;
#[cfg(test)]
mod tests;

pub use announcement::Announcement;
pub use changelog::changelog;
pub use changes::licence::licence_conflict;
pub use decision::{Bump, BumpDecision, Reason, decide_bump};
pub use declared::{declared_version, is_prerelease};
pub use history::{AssignedVersion, assign_versions, next_version};
pub use interval::Interval;
pub use name::{Kind, Name, Segment, parse_name};
pub use releases::{ReleaseStep, release_step};
pub use requirement::{resolve, resolve_text};
pub use snapshot::{Snapshot, SnapshotFile};
