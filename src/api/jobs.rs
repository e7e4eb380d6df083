//! The job queue: what waits, what runs, what was given up and why.

use super::AppState;
use super::error::ApiError;
use super::extract::Path;
use crate::jobs::{cancel_job, retry_job};
use crate::store::queued::QueuedJob;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A job that is not done.
#[derive(Serialize, ToSchema)]
pub struct Job {
    id: i64,
    /// `crawl`, `diff`
    kind: String,
    /// `waiting`, `running`, `failed`
    state: String,
    attempts: i16,
    /// After so many it is given up.
    max_attempts: i16,
    /// When it began to wait, or will be tried again.
    #[serde(with = "time::serde::rfc3339")]
    run_at: OffsetDateTime,
    /// Why the last attempt failed.
    reason: Option<String>,
    /// What makes it one of its kind: the plan of a crawl, the id of a comparison.
    key: Option<String>,
}

impl From<QueuedJob> for Job {
    fn from(job: QueuedJob) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            state: job.state,
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            run_at: job.run_at,
            reason: job.reason,
            key: job.key,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct JobList {
    items: Vec<Job>,
}

/// All jobs that are not done, oldest first.
#[utoipa::path(get, path = "/jobs", operation_id = "list_jobs", tag = "service", responses((status = OK, body = JobList)))]
pub async fn list(State(state): State<AppState>) -> Result<Json<JobList>, ApiError> {
    let jobs = state.store.queued_jobs().await?;
    Ok(Json(JobList {
        items: jobs.into_iter().map(Job::from).collect(),
    }))
}

/// Tries a job that waits or was given up again now, with all its attempts.
#[utoipa::path(
    post, path = "/jobs/{id}/retry", operation_id = "retry_job", tag = "service", params(("id" = i64, Path)),
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn retry(State(state): State<AppState>, Path(id): Path<i64>) -> Result<StatusCode, ApiError> {
    idle(&state, id).await?;
    retry_job(&state.store, id).await.map_err(ApiError::Queue)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives up a job that waits.
#[utoipa::path(
    delete, path = "/jobs/{id}", operation_id = "cancel_job", tag = "service", params(("id" = i64, Path)),
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn cancel(State(state): State<AppState>, Path(id): Path<i64>) -> Result<StatusCode, ApiError> {
    idle(&state, id).await?;
    cancel_job(&state.store, id).await.map_err(ApiError::Queue)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses a job that is not there, or runs.
async fn idle(state: &AppState, id: i64) -> Result<(), ApiError> {
    let jobs = state.store.queued_jobs().await?;
    match jobs.iter().any(|job| job.id == id && job.state != "running") {
        true => Ok(()),
        false => Err(ApiError::UnknownJob { id }),
    }
}
