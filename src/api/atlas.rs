//! The whole graph in large pages, each model as little as a map needs of it.

use super::AppState;
use super::cursor;
use super::error::ApiError;
use super::extract::{Query, bounded, empty_is_none, parse_word};
use crate::lineage::{Relation, Verdict};
use crate::store::atlas::AtlasRow;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u32 = 5_000;
const MAX_LIMIT: u32 = 20_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AtlasParams {
    #[param(minimum = 1, maximum = 20_000, default = 5_000)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "empty_is_none")]
    cursor: Option<String>,
}

/// A model as a point of the map.
#[derive(Serialize, ToSchema)]
pub struct AtlasModel {
    id: i64,
    #[schema(example = "hf:owner/name")]
    reference: String,
    #[serde(with = "time::serde::rfc3339::option")]
    created_at: Option<OffsetDateTime>,
    /// How it derives from its parents.
    relation: Option<Relation>,
    verdict: Option<Verdict>,
    /// `id`s of its parents, which may be on another page.
    parents: Vec<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct AtlasPage {
    items: Vec<AtlasModel>,
    /// Cursor of the next page; `null` on the last.
    next: Option<String>,
    /// Models over all pages.
    total: i64,
}

/// All models and the edges between them, in the order in which they were crawled first.
#[utoipa::path(get, path = "/atlas", operation_id = "list_atlas", tag = "lineage", params(AtlasParams), responses((status = OK, body = AtlasPage)))]
pub async fn list(
    State(state): State<AppState>,
    Query(params): Query<AtlasParams>,
) -> Result<Json<AtlasPage>, ApiError> {
    let limit = bounded("limit", params.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = params.cursor.as_deref().map(cursor::decode::<i64>).transpose()?;
    let total = state.store.count_packages().await?;
    let mut rows = state.store.list_atlas(after, i64::from(limit) + 1).await?;
    let next = cursor::cut(&mut rows, limit, |row| row.id)?;
    let items = rows.into_iter().map(AtlasModel::try_from);
    Ok(Json(AtlasPage {
        items: items.collect::<Result<_, _>>()?,
        next,
        total,
    }))
}

impl TryFrom<AtlasRow> for AtlasModel {
    type Error = ApiError;
    fn try_from(row: AtlasRow) -> Result<Self, ApiError> {
        Ok(Self {
            relation: row.relation.as_deref().map(parse_word).transpose()?,
            verdict: row.verdict.as_deref().map(parse_word).transpose()?,
            id: row.id,
            reference: row.reference,
            created_at: row.created_at,
            parents: row.parents,
        })
    }
}
