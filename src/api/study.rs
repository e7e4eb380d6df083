//! The naming study's measures over everything that was crawled.

use super::AppState;
use super::error::ApiError;
use crate::versioning::study::Study;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use tokio::task::spawn_blocking;

/// What the study measured, over this database: conventions, base models, modification methods, steps, gaps.
#[utoipa::path(
    get, path = "/study", operation_id = "show_study", tag = "study", responses((status = OK, body = Study))
)]
pub async fn show(State(state): State<AppState>) -> Result<Json<Study>, ApiError> {
    Ok(Json(measure(&state).await?))
}

/// The same as one HTML page that needs nothing else, to be saved and sent on.
#[utoipa::path(
    get, path = "/study.html", operation_id = "save_study", tag = "study",
    responses((status = OK, body = String, content_type = "text/html"))
)]
pub async fn save(State(state): State<AppState>) -> Result<impl IntoResponse, ApiError> {
    let page = measure(&state).await?.to_html();
    let attachment = "attachment; filename=\"heirloom-study.html\"";
    Ok(([(header::CONTENT_DISPOSITION, attachment)], Html(page)))
}

async fn measure(state: &AppState) -> Result<Study, ApiError> {
    let facts = state.store.study_facts().await?;
    spawn_blocking(move || Study::of_packages("the database", &facts, None))
        .await
        .map_err(|error| ApiError::Unreadable(error.to_string()))
}
