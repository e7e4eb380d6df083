//! What those who run the service ask: is it alive, can it work, what has it counted. Served by every process, workers included.

use super::AppState;
use super::error::ApiError;
use crate::metrics::{CONTENT_TYPE, QueueLabels, metrics};
use crate::store::{self, Store};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::time::{Duration, Instant};

/// A database that does not answer within this time is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// `/metrics`, `/health/live` and `/health/ready`.
pub fn operations(state: AppState) -> Router {
    Router::new()
        .route("/metrics", get(show_metrics))
        .route("/health/live", get(|| async { "alive\n" }))
        .route("/health/ready", get(show_readiness))
        .with_state(state)
}

async fn show_metrics(State(state): State<AppState>) -> Result<Response, ApiError> {
    // What this process has counted is worth telling also while the database is away.
    if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, read_database(&state.store)).await {
        tracing::warn!("metrics of the database are left as they were: {error}");
    }
    let text = metrics()
        .render()
        .map_err(|error| ApiError::Unreadable(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

async fn read_database(store: &Store) -> store::Result<()> {
    let metrics = metrics();
    metrics.connections.set(i64::from(store.pool().size()));
    let depth = store.queue_depth().await?;
    metrics.queue.clear();
    for jobs in depth {
        let labels = QueueLabels {
            kind: jobs.kind,
            state: jobs.state,
        };
        metrics.queue.get_or_create(&labels).set(jobs.count);
    }
    metrics.lineage_due.set(store.count_lineage_due().await?);
    metrics.database.set(store.database_bytes().await?);
    Ok(())
}

/// Ready is who can reach the database; a process that cannot is left out until it can.
async fn show_readiness(State(state): State<AppState>) -> Response {
    match tokio::time::timeout(PATIENCE, state.store.ping()).await {
        Ok(Ok(())) => "ready\n".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response(),
    }
}

/// Middleware: counts and times every answer of the API by its route.
pub async fn count_request(request: Request, next: Next) -> Response {
    let start = Instant::now();
    // Anybody may invent methods; a label has few values.
    let method = match *request.method() {
        Method::GET | Method::HEAD => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("other", MatchedPath::as_str)
        .to_owned();
    let response = next.run(request).await;
    metrics().count_request(method, &route, response.status().as_u16(), start.elapsed());
    response
}
