//! The releases of a model that are packages of their own, and the step from each to the next.

use super::AppState;
use super::error::ApiError;
use super::extract::{ModelPath, Path, parse_word};
use crate::store::releases::ReleaseRow;
use crate::versioning::{Bump, Reason};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A package of a release line.
#[derive(Serialize, ToSchema)]
pub struct Release {
    reference: String,
    #[serde(with = "time::serde::rfc3339::option")]
    date: Option<OffsetDateTime>,
    /// The version in its name.
    declared: String,
    /// Version of its newest revision, by its own history.
    version: Option<String>,
    /// The release before it.
    predecessor: Option<String>,
    /// The lowest version that the changes since ask for.
    inferred: Option<String>,
    /// The step from the release before; `null` for the first.
    bump: Option<Bump>,
    silent: bool,
    weights_changed: Option<bool>,
    /// A disagreement between names and changes is a reason of kind `declared`.
    reasons: Vec<Reason>,
}

impl TryFrom<ReleaseRow> for Release {
    type Error = ApiError;
    fn try_from(row: ReleaseRow) -> Result<Self, ApiError> {
        Ok(Self {
            bump: row.bump.as_deref().map(parse_word).transpose()?,
            reference: row.reference,
            date: row.date,
            declared: row.declared,
            version: row.version,
            predecessor: row.predecessor,
            inferred: row.inferred,
            silent: row.silent,
            weights_changed: row.weights_changed,
            reasons: row.reasons.0,
        })
    }
}

#[derive(Serialize, ToSchema)]
pub struct ReleaseList {
    items: Vec<Release>,
}

/// The packages whose names differ from this one's in their version alone, lowest version first.
#[utoipa::path(
    get, path = "/models/{hub}/{owner}/{name}/releases", operation_id = "list_releases", tag = "models", params(ModelPath),
    responses((status = OK, body = ReleaseList), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn list(
    State(state): State<AppState>,
    Path(path): Path<ModelPath>,
) -> Result<Json<ReleaseList>, ApiError> {
    let Some(model) = state.store.model_id(&path.hub, &path.owner, &path.name).await? else {
        return Err(path.unknown());
    };
    let mut rows = state.store.list_releases(model).await?;
    rows.sort_by_cached_key(|row| row.declared.parse::<semver::Version>().ok());
    let items = rows.into_iter().map(Release::try_from);
    Ok(Json(ReleaseList {
        items: items.collect::<Result<_, _>>()?,
    }))
}
