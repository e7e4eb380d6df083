//! The step from one revision to the next: every kind of change looks at both snapshots, and the largest bump wins.

use super::announcement::{self, Announcement};
use super::{Snapshot, changes};
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

impl Bump {
    /// The word used in JSON, in the database and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }
}

impl std::fmt::Display for Bump {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl std::str::FromStr for Bump {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::None, Self::Patch, Self::Minor, Self::Major]
            .into_iter()
            .find(|bump| bump.as_str() == word)
            .ok_or_else(|| format!("{word:?} is not a bump; use none, patch, minor or major"))
    }
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

impl Reason {
    pub(super) fn new(kind: &str, bump: Bump, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            bump,
            detail: detail.into(),
        }
    }
}

/// The step from one revision to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BumpDecision {
    pub bump: Bump,
    pub reasons: Vec<Reason>,
    /// True when tensor values changed. `None` when the weights could not be compared.
    pub weights_changed: Option<bool>,
    /// The first place that speaks of changed weights, whether or not they changed.
    pub announced: Option<Announcement>,
    /// Weights changed, and neither name, tag, commit message nor card says so.
    pub silent: bool,
}

/// Decides the bump from `old` to `new`. Reasons come largest bump first.
pub fn decide_bump(old: &Snapshot<'_>, new: &Snapshot<'_>) -> BumpDecision {
    let weights = changes::weights::compare(old, new);
    let step = changes::Step {
        old,
        new,
        weights_changed: weights.changed,
    };
    let mut reasons = weights.reasons;
    for compare in changes::KINDS {
        reasons.extend(compare(&step));
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.bump));
    let announced = announcement::find(old, new);
    BumpDecision {
        bump: reasons
            .iter()
            .map(|reason| reason.bump)
            .max()
            .unwrap_or(Bump::None),
        reasons,
        weights_changed: weights.changed,
        announced,
        silent: weights.changed == Some(true) && announced.is_none(),
    }
}
