//! The feed of changes: silent changes, major versions, contradicted bases, new descendants; JSON and Atom.

use super::AppState;
use super::atom;
use super::change::{Change, ChangeKind};
use super::cursor;
use super::error::ApiError;
use super::extract::{Query, bounded, empty_is_none, word};
use crate::store::changes::{ChangeFilter, ChangePosition, ChangeRow};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangeParams {
    kind: Option<ChangeKind>,
    #[serde(default, deserialize_with = "empty_is_none")]
    hub: Option<String>,
    #[serde(default, deserialize_with = "empty_is_none")]
    owner: Option<String>,
    /// Name of the model, without its owner.
    #[serde(default, deserialize_with = "empty_is_none")]
    name: Option<String>,
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "empty_is_none")]
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct ChangePage {
    items: Vec<Change>,
    next: Option<String>,
}

/// What happened to models, newest first.
#[utoipa::path(
    get, path = "/changes", operation_id = "list_changes", tag = "changes", params(ChangeParams),
    responses((status = OK, body = ChangePage))
)]
pub async fn list(
    State(state): State<AppState>,
    Query(params): Query<ChangeParams>,
) -> Result<Json<ChangePage>, ApiError> {
    page(&state, params).await.map(Json)
}

/// The same as an Atom feed, for feed readers.
#[utoipa::path(
    get, path = "/changes.atom", operation_id = "follow_changes", tag = "changes", params(ChangeParams),
    responses((status = OK, body = String, content_type = "application/atom+xml"))
)]
pub async fn follow(
    State(state): State<AppState>,
    Query(params): Query<ChangeParams>,
) -> Result<impl IntoResponse, ApiError> {
    let page = page(&state, params).await?;
    let feed = atom::render(&page.items).map_err(|error| ApiError::Unreadable(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/atom+xml")], feed))
}

async fn page(state: &AppState, params: ChangeParams) -> Result<ChangePage, ApiError> {
    let limit = bounded("limit", params.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = params.cursor.as_deref();
    let after = after.map(cursor::decode::<ChangePosition>).transpose()?;
    let filter = ChangeFilter {
        kind: params.kind.map(word),
        hub: params.hub,
        owner: params.owner,
        name: params.name,
    };
    let mut rows = state
        .store
        .list_changes(&filter, after.as_ref(), i64::from(limit) + 1)
        .await?;
    let next = cursor::cut(&mut rows, limit, ChangeRow::position)?;
    let items = rows.into_iter().map(Change::try_from);
    Ok(ChangePage {
        items: items.collect::<Result<_, _>>()?,
        next,
    })
}
