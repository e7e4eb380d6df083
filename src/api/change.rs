//! A change as every feed tells it.

use super::error::ApiError;
use super::extract::parse_word;
use crate::store::changes::ChangeRow;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Weights changed and nothing says so.
    SilentChange,
    /// Something a consumer relies on broke.
    MajorVersion,
    /// The weights contradict the declared base.
    ContradictedBase,
    /// Another model was found to derive from it.
    NewDescendant,
}

/// Something that happened to a model.
#[derive(Serialize, ToSchema)]
pub struct Change {
    pub kind: ChangeKind,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The model it happened to.
    pub reference: String,
    pub revision: Option<String>,
    pub version: Option<String>,
    pub detail: String,
    /// The same change has the same id in every answer.
    pub id: String,
}

impl TryFrom<ChangeRow> for Change {
    type Error = ApiError;
    fn try_from(row: ChangeRow) -> Result<Self, ApiError> {
        Ok(Self {
            id: row.urn(),
            reference: row.reference(),
            kind: parse_word(&row.kind)?,
            at: row.at,
            revision: row.revision,
            version: row.version,
            detail: row.detail,
        })
    }
}
