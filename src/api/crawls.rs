//! Past and running crawls.

use super::AppState;
use super::error::ApiError;
use crate::store::crawls::CrawlFailure;
use crate::store::overview::CrawlRow;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

const LISTED: i64 = 100;

#[derive(Serialize, ToSchema)]
pub struct Crawl {
    id: i64,
    hub: String,
    endpoint: String,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    /// `null` while it runs, or where it was interrupted.
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    packages: i64,
    /// Why it ended before the listing did, in one sentence.
    error: Option<String>,
    failures: Vec<CrawlFailure>,
}

impl From<CrawlRow> for Crawl {
    fn from(row: CrawlRow) -> Self {
        Self {
            id: row.id,
            hub: row.hub,
            endpoint: row.endpoint,
            started_at: row.started_at,
            finished_at: row.finished_at,
            packages: row.packages,
            error: row.error,
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
pub async fn list(State(state): State<AppState>) -> Result<Json<CrawlList>, ApiError> {
    let rows = state.store.list_crawls(LISTED).await?;
    Ok(Json(CrawlList {
        items: rows.into_iter().map(Crawl::from).collect(),
    }))
}
