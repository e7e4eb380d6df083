//! Element-wise comparisons of two revisions: asked for here, made by a worker, kept.

use super::AppState;
use super::error::ApiError;
use super::extract::{Json, ModelPath, Path, Query, bounded, parse_reference, parse_word};
use crate::delta::DiffReport;
use crate::lineage::PairOutcome;
use crate::store::diffs::DiffRow;
use crate::versioning::BumpDecision;
use axum::extract::State;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const MAX_RANK: u32 = 256;

/// Which two revisions to compare; a reference without a revision means the newest.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiffRequest {
    /// Before.
    #[schema(example = "hf:owner/name@revision")]
    a: String,
    /// After.
    #[schema(example = "hf:owner/name")]
    b: String,
    /// Estimate the rank of each matrix's delta up to this bound.
    #[schema(minimum = 1, maximum = 256)]
    max_rank: Option<u32>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiffStatus {
    Queued,
    Running,
    Done,
    Failed,
}

/// A comparison of the weights of `a` (before) and `b` (after).
#[derive(Serialize, ToSchema)]
pub struct Diff {
    id: Uuid,
    a: String,
    b: String,
    status: DiffStatus,
    bytes_done: i64,
    bytes_total: Option<i64>,
    /// Why it failed, in one sentence.
    error: Option<String>,
    report: Option<DiffReport>,
    /// How `b` looks as a child of `a`.
    outcome: Option<PairOutcome>,
    /// Which version step `b` deserves over `a`.
    bump: Option<BumpDecision>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl TryFrom<DiffRow> for Diff {
    type Error = ApiError;
    fn try_from(row: DiffRow) -> Result<Self, ApiError> {
        Ok(Self {
            status: parse_word(&row.status)?,
            id: row.id,
            a: row.a,
            b: row.b,
            bytes_done: row.bytes_done,
            bytes_total: row.bytes_total,
            error: row.error,
            report: row.report.map(read_json).transpose()?,
            outcome: row.outcome.map(read_json).transpose()?,
            bump: row.bump.map(read_json).transpose()?,
            created_at: row.created_at,
        })
    }
}

fn read_json<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_json::from_value(value).map_err(|error| ApiError::Unreadable(error.to_string()))
}

/// Asks for a comparison; answers with the kept one where there is one.
#[utoipa::path(
    post, path = "/diffs", operation_id = "request_diff", tag = "diffs", request_body = DiffRequest,
    responses(
        (status = OK, description = "Compared before", body = Diff),
        (status = ACCEPTED, description = "In the queue", body = Diff),
        (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json")
    )
)]
pub async fn request(
    State(state): State<AppState>,
    Json(request): Json<DiffRequest>,
) -> Result<(StatusCode, axum::Json<Diff>), ApiError> {
    let max_rank = match request.max_rank {
        Some(rank) => bounded("max_rank", Some(rank), rank, MAX_RANK)?,
        None => 0,
    };
    let max_rank = i32::try_from(max_rank).unwrap_or(i32::MAX);
    let a = resolve(&state, &request.a).await?;
    let b = resolve(&state, &request.b).await?;
    let row = state.store.request_diff(&a, &b, max_rank).await?;
    let status = match row.status.as_str() {
        "done" => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    };
    Ok((status, axum::Json(Diff::try_from(row)?)))
}

/// Where a comparison stands, and its result once it is done.
#[utoipa::path(
    get, path = "/diffs/{id}", operation_id = "show_diff", tag = "diffs", params(("id" = Uuid, Path)),
    responses((status = OK, body = Diff), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn show(State(state): State<AppState>, Path(id): Path<Uuid>) -> Result<axum::Json<Diff>, ApiError> {
    let row = state.store.diff(id).await?;
    let row = row.ok_or_else(|| ApiError::UnknownDiff { what: id.to_string() })?;
    Ok(axum::Json(Diff::try_from(row)?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FindParams {
    /// Before: `hub:owner/name` or `hub:owner/name@revision`.
    a: String,
    /// After, likewise.
    b: String,
}

/// The kept comparison of two revisions.
#[utoipa::path(
    get, path = "/diffs", operation_id = "find_diff", tag = "diffs", params(FindParams),
    responses((status = OK, body = Diff), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn find(
    State(state): State<AppState>,
    Query(params): Query<FindParams>,
) -> Result<axum::Json<Diff>, ApiError> {
    let a = resolve(&state, &params.a).await?;
    let b = resolve(&state, &params.b).await?;
    let row = state.store.find_diff(&a, &b).await?;
    let row = row.ok_or_else(|| ApiError::UnknownDiff {
        what: format!("of {a} and {b}"),
    })?;
    Ok(axum::Json(Diff::try_from(row)?))
}

/// A reference with its revision filled in: `hub:owner/name@revision`. Only what was crawled can be named, never a path.
async fn resolve(state: &AppState, text: &str) -> Result<String, ApiError> {
    let (model, revision) = parse_reference(text)?;
    let ModelPath { hub, owner, name } = &model;
    if let Some(found) = state.store.resolve_revision(hub, owner, name, revision).await? {
        return Ok(found.reference());
    }
    if state.store.model_id(hub, owner, name).await?.is_none() {
        return Err(model.unknown());
    }
    let reference = model.reference();
    match revision.map(str::to_owned) {
        Some(revision) => Err(ApiError::UnknownRevision { reference, revision }),
        None => Err(ApiError::NoFingerprint {
            reference,
            failure: None,
        }),
    }
}
