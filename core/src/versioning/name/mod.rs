//! Cuts a package's name into the segments of the naming study.
//!
//! Enters: a name (`owner/name` or `name`). Leaves: its [`Segment`]s in order, each of one of twelve kinds or honestly
//! ambiguous, and the convention they follow. What words mean is in the lists under data/, which a person can extend; what
//! is recognised by shape (sizes, versions, dates, hyperparameters) is in `shape`.

mod grammar;
mod lexicon;
mod shape;
#[cfg(test)]
mod tests;
mod token;

pub use grammar::{is_base_word, parse_name};

use serde::{Deserialize, Serialize};

/// The study's kinds of segment.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Identifier,
    BaseModel,
    Size,
    TrainingMechanism,
    VariantType,
    Description,
    Version,
    Task,
    Dataset,
    Language,
    CreationDate,
    Nationality,
    /// A number or a mark that could be of several kinds.
    Ambiguous,
}

impl Kind {
    /// Every kind, in the study's order.
    pub const ALL: [Self; 13] = [
        Self::Identifier,
        Self::BaseModel,
        Self::Size,
        Self::TrainingMechanism,
        Self::VariantType,
        Self::Description,
        Self::Version,
        Self::Task,
        Self::Dataset,
        Self::Language,
        Self::CreationDate,
        Self::Nationality,
        Self::Ambiguous,
    ];

    /// As the study writes it in conventions: `base-model`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::BaseModel => "base-model",
            Self::Size => "size",
            Self::TrainingMechanism => "training-mechanism",
            Self::VariantType => "variant-type",
            Self::Description => "description",
            Self::Version => "version",
            Self::Task => "task",
            Self::Dataset => "dataset",
            Self::Language => "language",
            Self::CreationDate => "creation-date",
            Self::Nationality => "nationality",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// A piece of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Segment {
    /// As it stands in the name, separators inside it included.
    pub text: String,
    pub kind: Kind,
}

/// A name and its segments. Between segments stand separators only, so no character is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Name {
    /// The whole name as it was given.
    pub name: String,
    pub segments: Vec<Segment>,
    /// `{base-model}{size}{variant-type}`
    pub convention: String,
}

impl Name {
    /// The first segment of a kind.
    pub fn first(&self, kind: Kind) -> Option<&str> {
        let found = self.segments.iter().find(|segment| segment.kind == kind);
        found.map(|segment| segment.text.as_str())
    }
}
