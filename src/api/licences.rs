//! Licences along the lineage: a derivative that lets go of what its parent's licence asks for.

use super::AppState;
use super::error::ApiError;
use super::extract::{ModelPath, Path, parse_word};
use crate::lineage::Relation;
use crate::store::Store;
use crate::store::licences::LicenceLink;
use crate::versioning::licence_conflict;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// Edges among which conflicts are looked for, newest first.
const NEWEST_EDGES: i64 = 50_000;

/// A model and one of its parents, with the licence of each.
#[derive(Serialize, ToSchema)]
pub struct LicenceStep {
    child: String,
    child_licence: Option<String>,
    parent: String,
    parent_licence: Option<String>,
    relation: Relation,
    /// What the child's licence lets go of that the parent's asks for; `null` where nothing does, or the two cannot be ordered.
    conflict: Option<String>,
}

impl TryFrom<LicenceLink> for LicenceStep {
    type Error = ApiError;
    fn try_from(link: LicenceLink) -> Result<Self, ApiError> {
        let conflict = match (&link.parent_licence, &link.child_licence) {
            (Some(parent), Some(child)) => licence_conflict(parent, child),
            _ => None,
        };
        Ok(Self {
            relation: parse_word(&link.relation)?,
            conflict,
            child: link.child,
            child_licence: link.child_licence,
            parent: link.parent,
            parent_licence: link.parent_licence,
        })
    }
}

#[derive(Serialize, ToSchema)]
pub struct LicenceChain {
    /// From the model up to all its ancestors, nearest first.
    items: Vec<LicenceStep>,
}

/// The licences of a model and of all that its weights derive from.
#[utoipa::path(
    get, path = "/models/{hub}/{owner}/{name}/licences", operation_id = "show_licences", tag = "lineage", params(ModelPath),
    responses((status = OK, body = LicenceChain), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn chain(
    State(state): State<AppState>,
    Path(path): Path<ModelPath>,
) -> Result<Json<LicenceChain>, ApiError> {
    let Some(id) = state.store.model_id(&path.hub, &path.owner, &path.name).await? else {
        return Err(path.unknown());
    };
    let links = state.store.licence_chain(id).await?;
    Ok(Json(LicenceChain { items: shape(links)? }))
}

/// The conflicts among the newest edges, at most `limit`.
pub async fn conflicts(store: &Store, limit: i64) -> Result<Vec<LicenceStep>, ApiError> {
    let mut pairs = store.licence_pairs(NEWEST_EDGES).await?;
    pairs.retain(|(parent, child)| licence_conflict(parent, child).is_some());
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    shape(store.links_with_licences(&pairs, NEWEST_EDGES, limit).await?)
}

fn shape(links: Vec<LicenceLink>) -> Result<Vec<LicenceStep>, ApiError> {
    links.into_iter().map(LicenceStep::try_from).collect()
}
