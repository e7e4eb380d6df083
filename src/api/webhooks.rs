//! Webhooks: who is told of what. Each caller sees and removes their own; an admin all.

use super::AppState;
use super::access::Caller;
use super::change::ChangeKind;
use super::error::ApiError;
use super::extract::{Json, Path, word};
use crate::store::api_keys::Scope;
use crate::store::webhooks::{NewWebhook, WebhookRow};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

const SECRET_BYTES: usize = 32;
const MAX_OF_ONE_CALLER: usize = 100;

/// What to be told of; what is left out does not filter.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookRequest {
    /// Where to POST: https, and not on a private network unless the operator allows it.
    #[schema(example = "https://ci.example.org/heirloom")]
    url: String,
    #[serde(default)]
    kinds: Vec<ChangeKind>,
    hub: Option<String>,
    owner: Option<String>,
    /// Name of a model; takes `hub` and `owner`.
    name: Option<String>,
    /// The whole family of that model: its ancestors, its descendants and theirs.
    #[serde(default)]
    family: bool,
}

/// A webhook, as its maker sees it.
#[derive(Serialize, ToSchema)]
pub struct Webhook {
    id: Uuid,
    /// Who made it.
    actor: String,
    url: String,
    kinds: Vec<String>,
    hub: Option<String>,
    owner: Option<String>,
    name: Option<String>,
    family: bool,
    /// Failed attempts since the last that succeeded.
    failures: i32,
    #[serde(with = "time::serde::rfc3339::option")]
    last_attempt_at: Option<OffsetDateTime>,
    /// Why the last attempt failed.
    last_error: Option<String>,
    /// When it was given up.
    #[serde(with = "time::serde::rfc3339::option")]
    disabled_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<WebhookRow> for Webhook {
    fn from(row: WebhookRow) -> Self {
        Self {
            id: row.id,
            actor: row.actor,
            url: row.url,
            kinds: row.kinds,
            hub: row.hub,
            owner: row.owner,
            name: row.name,
            family: row.family,
            failures: row.failures,
            last_attempt_at: row.last_attempt_at,
            last_error: row.last_error,
            disabled_at: row.disabled_at,
            created_at: row.created_at,
        }
    }
}

/// A webhook that was just made.
#[derive(Serialize, ToSchema)]
pub struct NewWebhookResponse {
    #[serde(flatten)]
    webhook: Webhook,
    /// Shown this once. Verify deliveries with it as Standard Webhooks describes.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

#[derive(Serialize, ToSchema)]
pub struct WebhookList {
    items: Vec<Webhook>,
}

/// Be told of changes from now on.
#[utoipa::path(
    post, path = "/webhooks", operation_id = "add_webhook", tag = "webhooks", request_body = WebhookRequest,
    responses((status = CREATED, body = NewWebhookResponse))
)]
pub async fn add(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Json(request): Json<WebhookRequest>,
) -> Result<(StatusCode, axum::Json<NewWebhookResponse>), ApiError> {
    let refused = |detail| ApiError::WebhookRefused { detail };
    let url = state.config.webhooks.check(&request.url).map_err(refused)?;
    let model = request.hub.is_some() && request.owner.is_some() && request.name.is_some();
    if !model && (request.family || request.name.is_some()) {
        return Err(refused(
            "a model is named by hub, owner and name together".to_owned(),
        ));
    }
    if state.store.list_webhooks(Some(&caller.actor)).await?.len() >= MAX_OF_ONE_CALLER {
        return Err(refused(format!(
            "you have {MAX_OF_ONE_CALLER} webhooks; remove one first"
        )));
    }
    let mut secret = vec![0_u8; SECRET_BYTES];
    OsRng
        .try_fill_bytes(&mut secret)
        .map_err(|error| ApiError::Unreadable(error.to_string()))?;
    let new = NewWebhook {
        actor: caller.actor,
        url: url.into(),
        secret,
        kinds: request.kinds.into_iter().map(word).collect(),
        hub: request.hub,
        owner: request.owner,
        name: request.name,
        family: request.family,
        sees_restricted: caller.sees_restricted,
        position: state.store.number_changes().await?,
    };
    let id = state.store.add_webhook(&new).await?;
    let row = state
        .store
        .webhook(id)
        .await?
        .ok_or(ApiError::UnknownWebhook { id })?;
    let secret = format!("whsec_{}", STANDARD.encode(&row.secret));
    let webhook = row.into();
    Ok((
        StatusCode::CREATED,
        axum::Json(NewWebhookResponse { webhook, secret }),
    ))
}

/// Your webhooks, newest first.
#[utoipa::path(
    get, path = "/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    responses(
        (status = OK, body = WebhookList),
        (status = FORBIDDEN, body = super::Problem, content_type = "application/problem+json")
    )
)]
pub async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
) -> Result<axum::Json<WebhookList>, ApiError> {
    caller.require(Scope::Crawl)?;
    let of = (caller.scope != Some(Scope::Admin)).then_some(caller.actor.as_str());
    let rows = state.store.list_webhooks(of).await?;
    Ok(axum::Json(WebhookList {
        items: rows.into_iter().map(Webhook::from).collect(),
    }))
}

/// Be told no more.
#[utoipa::path(
    delete, path = "/webhooks/{id}", operation_id = "remove_webhook", tag = "webhooks", params(("id" = Uuid, Path)),
    responses(
        (status = NO_CONTENT),
        (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json")
    )
)]
pub async fn remove(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    let found = state.store.webhook(id).await?;
    let own = |row: &WebhookRow| caller.scope == Some(Scope::Admin) || row.actor == caller.actor;
    if !found.as_ref().is_some_and(own) {
        return Err(ApiError::UnknownWebhook { id });
    }
    state.store.remove_webhook(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
