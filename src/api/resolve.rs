//! From a version requirement to the revision that it chooses.

use super::AppState;
use super::error::ApiError;
use super::extract::{Query, parse_reference};
use crate::versioning::resolve_text;
use axum::Json;
use axum::extract::State;
use semver::VersionReq;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ResolveParams {
    /// `hub:owner/name`
    #[param(example = "hf:org/model")]
    model: String,
    /// As Cargo reads it: `^1.2`, `~1.2.3`, `>=1, <3`, `=1.0.0`.
    #[param(example = "^1.2")]
    require: String,
}

/// The newest revision of the highest version that a requirement admits.
#[derive(Serialize, ToSchema)]
pub struct Resolved {
    /// `hub:owner/name@revision`
    reference: String,
    revision: String,
    version: String,
    declared: Option<String>,
    tags: Vec<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    date: Option<OffsetDateTime>,
    model_digest: Option<String>,
}

/// Which revision to load for a version requirement.
#[utoipa::path(
    get, path = "/resolve", operation_id = "resolve_version", tag = "models", params(ResolveParams),
    responses((status = OK, body = Resolved), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn show(
    State(state): State<AppState>,
    Query(params): Query<ResolveParams>,
) -> Result<Json<Resolved>, ApiError> {
    let (model, revision) = parse_reference(&params.model)?;
    if revision.is_some() {
        return Err(ApiError::InvalidReference { text: params.model });
    }
    let requirement = VersionReq::parse(&params.require).map_err(|error| ApiError::InvalidRequirement {
        text: params.require.clone(),
        reason: error.to_string(),
    })?;
    let Some(id) = state
        .store
        .model_id(&model.hub, &model.owner, &model.name)
        .await?
    else {
        return Err(model.unknown());
    };
    let mut rows = state.store.list_revisions(id).await?;
    rows.reverse();
    let chosen = resolve_text(&requirement, rows.iter().map(|row| row.version.as_deref()));
    let Some((version, row)) = chosen.and_then(|at| Some((rows[at].version.clone()?, rows.swap_remove(at))))
    else {
        return Err(ApiError::NoVersion {
            reference: model.reference(),
            requirement: params.require,
        });
    };
    Ok(Json(Resolved {
        reference: format!("{}@{}", model.reference(), row.revision),
        revision: row.revision,
        version,
        declared: row.declared,
        tags: row.tags,
        date: row.date,
        model_digest: row.model_digest,
    }))
}
