//! Past and running crawls.

use super::AppState;
use super::error::ApiError;
use super::extract::{Json, Path};
use super::schedules::Plan;
use crate::jobs::queue_crawl;
use crate::store::crawls::CrawlFailure;
use crate::store::overview::CrawlRow;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

const LISTED: i64 = 100;

#[derive(Serialize, ToSchema)]
pub struct Crawl {
    id: i64,
    hub: String,
    endpoint: String,
    author: Option<String>,
    search: Option<String>,
    /// Most packages to take from the listing.
    limit: Option<i64>,
    /// How much of the weights is read: `metadata` or `full`.
    level: String,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    /// `null` while it runs, or where it was interrupted.
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    /// When it last got on. Not finished and still for minutes: it was cut off, and its next run goes on from there.
    #[serde(with = "time::serde::rfc3339")]
    active_at: OffsetDateTime,
    /// Packages on the pages of the listing that are done.
    listed: i64,
    packages: i64,
    /// Why it ended before the listing did, in one sentence.
    error: Option<String>,
    /// How many packages or revisions failed.
    failed: i64,
    /// The first hundred of them.
    failures: Vec<CrawlFailure>,
}

impl From<CrawlRow> for Crawl {
    fn from(row: CrawlRow) -> Self {
        Self {
            id: row.id,
            hub: row.hub,
            endpoint: row.endpoint,
            author: row.author,
            search: row.search,
            limit: row.package_limit,
            level: row.level,
            started_at: row.started_at,
            finished_at: row.finished_at,
            active_at: row.active_at,
            listed: row.listed,
            packages: row.packages,
            error: row.error,
            failed: row.failed,
            failures: row.failures.0,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct CrawlList {
    items: Vec<Crawl>,
}

/// The last hundred crawls, newest first.
#[utoipa::path(get, path = "/crawls", operation_id = "list_crawls", tag = "service", responses((status = OK, body = CrawlList)))]
pub async fn list(State(state): State<AppState>) -> Result<axum::Json<CrawlList>, ApiError> {
    let rows = state.store.list_crawls(LISTED).await?;
    Ok(axum::Json(CrawlList {
        items: rows.into_iter().map(Crawl::from).collect(),
    }))
}

/// Queues a crawl, unless the same waits already.
#[utoipa::path(
    post, path = "/crawls", operation_id = "start_crawl", tag = "service", request_body = Plan,
    responses((status = ACCEPTED), (status = BAD_REQUEST, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn start(State(state): State<AppState>, Json(plan): Json<Plan>) -> Result<StatusCode, ApiError> {
    let plan = plan.checked(&state).await?;
    queue_crawl(&state.store, plan).await.map_err(ApiError::Queue)?;
    Ok(StatusCode::ACCEPTED)
}

/// Queues a crawl once more. What has not changed is not read again; what failed is tried again.
#[utoipa::path(
    post, path = "/crawls/{id}/again", operation_id = "crawl_again", tag = "service", params(("id" = i64, Path)),
    responses((status = ACCEPTED), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn again(State(state): State<AppState>, Path(id): Path<i64>) -> Result<StatusCode, ApiError> {
    let plan = state.store.crawl_plan(id).await?;
    let plan = plan.ok_or(ApiError::UnknownCrawl { id })?;
    queue_crawl(&state.store, plan).await.map_err(ApiError::Queue)?;
    Ok(StatusCode::ACCEPTED)
}
