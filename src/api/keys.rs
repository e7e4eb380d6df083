//! Keys of this API: made, listed, revoked. Once the first exists, only a key of scope admin may do any of it.

use super::AppState;
use super::access::{key_digest, make_key};
use super::error::ApiError;
use super::extract::{Json, Path, bounded, checked_name};
use crate::store::api_keys::{self as store, ApiKeyRow, Scope};
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

const MAX_REQUESTS: u32 = 1_000_000;

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyScope {
    Read,
    Crawl,
    Admin,
}

impl From<KeyScope> for Scope {
    fn from(scope: KeyScope) -> Self {
        match scope {
            KeyScope::Read => Self::Read,
            KeyScope::Crawl => Self::Crawl,
            KeyScope::Admin => Self::Admin,
        }
    }
}

/// A key as lists show it, never the key itself.
#[derive(Serialize, ToSchema)]
pub struct ApiKey {
    name: String,
    scope: String,
    /// Whether it is shown gated and private packages; an admin is.
    sees_restricted: bool,
    requests_per_minute: i32,
    /// Of answers; `null` is without a bound.
    bytes_per_day: Option<i64>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
}

impl From<ApiKeyRow> for ApiKey {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            name: row.name,
            scope: row.scope,
            sees_restricted: row.sees_restricted,
            requests_per_minute: row.requests_per_minute,
            bytes_per_day: row.bytes_per_day,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct ApiKeyList {
    items: Vec<ApiKey>,
}

/// All keys, revoked ones too.
#[utoipa::path(get, path = "/keys", operation_id = "list_keys", tag = "access", responses((status = OK, body = ApiKeyList)))]
pub async fn list(State(state): State<AppState>) -> Result<axum::Json<ApiKeyList>, ApiError> {
    let keys = state.store.list_api_keys().await?;
    Ok(axum::Json(ApiKeyList {
        items: keys.into_iter().map(ApiKey::from).collect(),
    }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    name: String,
    scope: KeyScope,
    /// Show it gated and private packages.
    #[serde(default)]
    sees_restricted: bool,
    #[schema(minimum = 1, default = 600)]
    requests_per_minute: Option<u32>,
    #[schema(minimum = 1)]
    bytes_per_day: Option<u32>,
}

/// A key with its secret.
#[derive(Serialize, ToSchema)]
pub struct MadeKey {
    name: String,
    scope: KeyScope,
    /// Shown this once; what is kept is its digest.
    key: String,
}

/// Makes a key. The first one closes the server: from then on whoever writes takes one.
#[utoipa::path(
    post, path = "/keys", operation_id = "add_key", tag = "access", request_body = NewKey,
    responses((status = CREATED, body = MadeKey), (status = CONFLICT, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn add(
    State(state): State<AppState>,
    Json(new): Json<NewKey>,
) -> Result<(StatusCode, axum::Json<MadeKey>), ApiError> {
    let name = checked_name(new.name)?;
    let key = make_key().map_err(ApiError::NoRandomness)?;
    let scope = new.scope;
    let digest = key_digest(&key);
    let mut wanted = store::NewKey::new(&name, &digest, scope.into());
    wanted.sees_restricted = new.sees_restricted;
    if let Some(rate) = new.requests_per_minute {
        let rate = bounded("requests_per_minute", Some(rate), rate, MAX_REQUESTS)?;
        wanted.requests_per_minute = i32::try_from(rate).unwrap_or(i32::MAX);
    }
    if let Some(bytes) = new.bytes_per_day {
        let bytes = bounded("bytes_per_day", Some(bytes), bytes, u32::MAX)?;
        wanted.bytes_per_day = Some(bytes.into());
    }
    if !state.store.add_api_key(&wanted).await? {
        return Err(ApiError::KeyNameTaken { name });
    }
    Ok((StatusCode::CREATED, axum::Json(MadeKey { name, scope, key })))
}

/// Revokes a key for good.
#[utoipa::path(
    delete, path = "/keys/{name}", operation_id = "revoke_key", tag = "access", params(("name" = String, Path)),
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn revoke(State(state): State<AppState>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    match state.store.revoke_api_key(&name).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::UnknownKey { name }),
    }
}
