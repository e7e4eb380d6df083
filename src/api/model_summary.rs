//! A model as lists show it.

use super::error::ApiError;
use super::extract::parse_word;
use crate::lineage::{Relation, Verdict};
use crate::store::models::ModelSummaryRow;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// One model as lists show it.
#[derive(Serialize, ToSchema)]
pub struct ModelSummary {
    #[schema(example = "hf:owner/name")]
    pub reference: String,
    pub hub: String,
    pub owner: String,
    pub name: String,
    pub url: Option<String>,
    /// Newest revision, as the hub names it.
    pub head: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub created_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub modified_at: Option<OffsetDateTime>,
    pub architecture: Option<String>,
    pub task: Option<String>,
    pub library: Option<String>,
    pub licence: Option<String>,
    pub downloads: Option<i64>,
    pub likes: Option<i64>,
    pub gated: bool,
    /// Stored elements of the newest fingerprinted revision.
    pub parameters: Option<i64>,
    /// Inferred version of the newest revision.
    pub version: Option<String>,
    pub relation: Option<Relation>,
    pub technique: Option<String>,
    /// References of the parents; two or more for a merge.
    pub parents: Vec<String>,
    pub verdict: Option<Verdict>,
    pub revisions: i64,
    /// Revisions whose weights changed without a word.
    pub silent_changes: i64,
    /// Why the newest revision's weights could not be read.
    pub failure: Option<String>,
}

impl TryFrom<ModelSummaryRow> for ModelSummary {
    type Error = ApiError;
    fn try_from(row: ModelSummaryRow) -> Result<Self, ApiError> {
        Ok(Self {
            relation: row.relation.as_deref().map(parse_word).transpose()?,
            verdict: row.verdict.as_deref().map(parse_word).transpose()?,
            reference: row.reference,
            hub: row.hub,
            owner: row.owner,
            name: row.name,
            url: row.url,
            head: row.head,
            created_at: row.created_at,
            modified_at: row.modified_at,
            architecture: row.architecture,
            task: row.task,
            library: row.library,
            licence: row.licence,
            downloads: row.downloads,
            likes: row.likes,
            gated: row.gated,
            parameters: row.parameters,
            version: row.version,
            technique: row.technique,
            parents: row.parents,
            revisions: row.revisions,
            silent_changes: row.silent_changes,
            failure: row.failure,
        })
    }
}

/// Shapes many rows.
pub fn summaries(rows: Vec<ModelSummaryRow>) -> Result<Vec<ModelSummary>, ApiError> {
    rows.into_iter().map(ModelSummary::try_from).collect()
}
