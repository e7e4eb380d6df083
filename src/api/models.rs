//! One model with its identity.

use super::AppState;
use super::error::ApiError;
use super::extract::{ModelPath, Path};
use super::family::Edge;
use super::model_summary::ModelSummary;
use crate::lineage::identity::{Identity, identity_line};
use crate::store::Store;
use crate::store::models::ModelDetailRow;
use crate::weights::Finding;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Children shown on a model's page; its lineage has all.
const MAX_CHILDREN: i64 = 200;

/// One model: what it is, what it was made from, what was made from it.
#[derive(Serialize, ToSchema)]
pub struct ModelDetail {
    #[serde(flatten)]
    summary: ModelSummary,
    /// One line that says what it is.
    #[schema(example = "Fine-tune (merged low rank, rank 8) of hf:a/b; declared base confirmed")]
    identity: String,
    tags: Vec<String>,
    datasets: Vec<String>,
    papers: Vec<String>,
    /// Base models as its card declares them.
    base_models: Vec<String>,
    base_model_relation: Option<String>,
    /// The card, Markdown with its front matter.
    card: Option<String>,
    edge: Option<Edge>,
    /// What was made from it, at most 200.
    children: Vec<Edge>,
    fingerprint: Option<FingerprintSummary>,
    /// Where it was crawled from.
    endpoint: String,
    #[serde(with = "time::serde::rfc3339")]
    crawled_at: OffsetDateTime,
}

/// The newest fingerprint, without its tensors.
#[derive(Serialize, ToSchema)]
pub struct FingerprintSummary {
    revision: String,
    /// How much of the weights was read: `metadata` or `full`.
    level: String,
    parameters: i64,
    bytes: i64,
    /// SHA-256 over the multiset of tensor digests: equal whatever the tensors are called.
    model_digest: Option<String>,
    /// SHA-256 over (name, tensor digest).
    named_digest: Option<String>,
    /// Digest of the multiset of shapes.
    architecture: String,
    tensors: i64,
    /// What the weight files would run when loaded with the usual tools, most harmful first.
    findings: Vec<Finding>,
}

/// One model with its identity, edge, children and fingerprint.
#[utoipa::path(
    get, path = "/models/{hub}/{owner}/{name}", operation_id = "show_model", tag = "models", params(ModelPath),
    responses((status = OK, body = ModelDetail), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn show(
    State(state): State<AppState>,
    Path(path): Path<ModelPath>,
) -> Result<Json<ModelDetail>, ApiError> {
    let store = &state.store;
    let Some(row) = store.find_model(&path.hub, &path.owner, &path.name).await? else {
        return Err(path.unknown());
    };
    let edge = store.edge_of(row.id).await?.map(Edge::try_from).transpose()?;
    let children = store.edges_from(row.id, MAX_CHILDREN).await?;
    let children = children
        .into_iter()
        .map(Edge::try_from)
        .collect::<Result<_, _>>()?;
    let fingerprint = fingerprint_summary(store, &path, row.id).await?;
    let detail = store.model_detail(row.id).await?;
    let summary = ModelSummary::try_from(row)?;
    Ok(Json(detail_response(
        summary,
        detail,
        edge,
        children,
        fingerprint,
    )))
}

async fn fingerprint_summary(
    store: &Store,
    path: &ModelPath,
    id: i64,
) -> Result<Option<FingerprintSummary>, ApiError> {
    let Some(row) = store.newest_fingerprint(id).await? else {
        return Ok(None);
    };
    let ModelPath { hub, owner, name } = path;
    let fingerprint = store.fingerprint(hub, owner, name, Some(&row.revision)).await?;
    Ok(Some(FingerprintSummary {
        revision: row.revision,
        level: row.level,
        parameters: row.parameters,
        bytes: row.bytes,
        model_digest: row.model_digest,
        named_digest: row.named_digest,
        architecture: row.architecture,
        tensors: row.tensors,
        findings: fingerprint
            .map(|fingerprint| fingerprint.findings)
            .unwrap_or_default(),
    }))
}

fn detail_response(
    summary: ModelSummary,
    detail: ModelDetailRow,
    edge: Option<Edge>,
    children: Vec<Edge>,
    fingerprint: Option<FingerprintSummary>,
) -> ModelDetail {
    let identity = identity_line(&Identity {
        edge: edge.as_ref().map(Edge::derivation),
        verdict: summary.verdict,
        declared: &detail.base_models,
        fingerprinted: fingerprint.is_some(),
        failure: summary.failure.as_deref(),
    });
    ModelDetail {
        identity,
        summary,
        tags: detail.tags,
        datasets: detail.datasets,
        papers: detail.papers,
        base_models: detail.base_models,
        base_model_relation: detail.base_model_relation,
        card: detail.card,
        edge,
        children,
        fingerprint,
        endpoint: detail.endpoint,
        crawled_at: detail.crawled_at,
    }
}
