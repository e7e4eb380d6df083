//! A model's history with the version each revision deserves.

use super::AppState;
use super::error::ApiError;
use super::extract::{ModelPath, Path, parse_word};
use crate::store::revisions::RevisionRow;
use crate::versioning::{Bump, Reason};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Revision {
    revision: String,
    /// 0 is the oldest.
    position: i32,
    #[serde(with = "time::serde::rfc3339::option")]
    date: Option<OffsetDateTime>,
    title: String,
    message: String,
    authors: Vec<String>,
    tags: Vec<String>,
    /// Inferred from the weights and files.
    version: Option<String>,
    /// Declared by a tag or the name.
    declared: Option<String>,
    /// The step from the revision before; `null` for the first.
    bump: Option<Bump>,
    /// The weights changed and nothing says so.
    silent: bool,
    weights_changed: Option<bool>,
    reasons: Vec<Reason>,
    model_digest: Option<String>,
    parameters: Option<i64>,
    /// Why its weights could not be read.
    failure: Option<String>,
}

impl TryFrom<RevisionRow> for Revision {
    type Error = ApiError;
    fn try_from(row: RevisionRow) -> Result<Self, ApiError> {
        Ok(Self {
            bump: row.bump.as_deref().map(parse_word).transpose()?,
            revision: row.revision,
            position: row.position,
            date: row.date,
            title: row.title,
            message: row.message,
            authors: row.authors,
            tags: row.tags,
            version: row.version,
            declared: row.declared,
            silent: row.silent,
            weights_changed: row.weights_changed,
            reasons: row.reasons.0,
            model_digest: row.model_digest,
            parameters: row.parameters,
            failure: row.failure,
        })
    }
}

#[derive(Serialize, ToSchema)]
pub struct RevisionList {
    items: Vec<Revision>,
}

/// All revisions of one model, newest first.
#[utoipa::path(
    get, path = "/models/{hub}/{owner}/{name}/revisions", operation_id = "list_revisions", tag = "models", params(ModelPath),
    responses((status = OK, body = RevisionList), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn list(
    State(state): State<AppState>,
    Path(path): Path<ModelPath>,
) -> Result<Json<RevisionList>, ApiError> {
    let Some(model) = state.store.model_id(&path.hub, &path.owner, &path.name).await? else {
        return Err(path.unknown());
    };
    let rows = state.store.list_revisions(model).await?;
    let items = rows
        .into_iter()
        .map(Revision::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Json(RevisionList { items }))
}
