//! Models: the list with its filters, and one model with its identity.

use super::AppState;
use super::cursor;
use super::error::ApiError;
use super::extract::{ModelPath, Path, Query, bounded, empty_is_none, parse_word, word};
use super::lineage::Edge;
use crate::lineage::identity::{Identity, identity_line};
use crate::lineage::{Relation, Verdict};
use crate::store::Store;
use crate::store::models::{ModelDetailRow, ModelFilter, ModelPosition, ModelSummaryRow};
use crate::weights::Finding;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// One model as lists show it.
#[derive(Serialize, ToSchema)]
pub struct ModelSummary {
    #[schema(example = "hf:owner/name")]
    pub reference: String,
    pub hub: String,
    pub owner: String,
    pub name: String,
    pub url: Option<String>,
    /// Newest revision, as the hub names it.
    pub head: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub created_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub modified_at: Option<OffsetDateTime>,
    pub architecture: Option<String>,
    pub task: Option<String>,
    pub library: Option<String>,
    pub licence: Option<String>,
    pub downloads: Option<i64>,
    pub likes: Option<i64>,
    pub gated: bool,
    /// Stored elements of the newest fingerprinted revision.
    pub parameters: Option<i64>,
    /// Inferred version of the newest revision.
    pub version: Option<String>,
    pub relation: Option<Relation>,
    pub technique: Option<String>,
    /// References of the parents; two or more for a merge.
    pub parents: Vec<String>,
    pub verdict: Option<Verdict>,
    pub revisions: i64,
    /// Revisions whose weights changed without a word.
    pub silent_changes: i64,
    /// Why the newest revision's weights could not be read.
    pub failure: Option<String>,
}

impl TryFrom<ModelSummaryRow> for ModelSummary {
    type Error = ApiError;
    fn try_from(row: ModelSummaryRow) -> Result<Self, ApiError> {
        Ok(Self {
            relation: row.relation.as_deref().map(parse_word).transpose()?,
            verdict: row.verdict.as_deref().map(parse_word).transpose()?,
            reference: row.reference,
            hub: row.hub,
            owner: row.owner,
            name: row.name,
            url: row.url,
            head: row.head,
            created_at: row.created_at,
            modified_at: row.modified_at,
            architecture: row.architecture,
            task: row.task,
            library: row.library,
            licence: row.licence,
            downloads: row.downloads,
            likes: row.likes,
            gated: row.gated,
            parameters: row.parameters,
            version: row.version,
            technique: row.technique,
            parents: row.parents,
            revisions: row.revisions,
            silent_changes: row.silent_changes,
            failure: row.failure,
        })
    }
}

/// Shapes many rows.
pub fn summaries(rows: Vec<ModelSummaryRow>) -> Result<Vec<ModelSummary>, ApiError> {
    rows.into_iter().map(ModelSummary::try_from).collect()
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Part of `owner/name`, in any case.
    #[serde(default, deserialize_with = "empty_is_none")]
    search: Option<String>,
    #[serde(default, deserialize_with = "empty_is_none")]
    hub: Option<String>,
    #[serde(default, deserialize_with = "empty_is_none")]
    owner: Option<String>,
    /// How it derives from its parents.
    relation: Option<Relation>,
    /// What the weights say of its declared base.
    verdict: Option<Verdict>,
    #[serde(default, deserialize_with = "empty_is_none")]
    task: Option<String>,
    #[serde(default, deserialize_with = "empty_is_none")]
    library: Option<String>,
    /// As the model's page shows it: an SPDX expression, or the hub's own word.
    #[serde(default, deserialize_with = "empty_is_none")]
    licence: Option<String>,
    #[serde(default, deserialize_with = "empty_is_none")]
    architecture: Option<String>,
    /// `owner/name` of a base, declared by the card or found in the weights.
    #[serde(default, deserialize_with = "empty_is_none")]
    base: Option<String>,
    #[param(minimum = 0)]
    min_parameters: Option<i64>,
    #[param(minimum = 0)]
    max_parameters: Option<i64>,
    /// Changed at or after this time.
    #[serde(default, with = "time::serde::rfc3339::option")]
    modified_since: Option<OffsetDateTime>,
    /// Only models whose weights changed without a word.
    #[serde(default)]
    silent: bool,
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "empty_is_none")]
    cursor: Option<String>,
}

impl ListParams {
    /// Which models are meant, whatever the page.
    pub fn into_filter(self) -> ModelFilter {
        ModelFilter {
            search: self.search,
            hub: self.hub,
            owner: self.owner,
            relation: self.relation.map(word),
            verdict: self.verdict.map(word),
            task: self.task,
            library: self.library,
            licence: self.licence,
            architecture: self.architecture,
            base: self.base,
            min_parameters: self.min_parameters,
            max_parameters: self.max_parameters,
            modified_since: self.modified_since,
            silent: self.silent,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct ModelPage {
    items: Vec<ModelSummary>,
    /// Cursor of the next page; `null` on the last.
    next: Option<String>,
    /// Models that match, over all pages.
    total: i64,
}

/// Models, most recently changed first.
#[utoipa::path(get, path = "/models", operation_id = "list_models", tag = "models", params(ListParams), responses((status = OK, body = ModelPage)))]
pub async fn list(
    State(state): State<AppState>,
    Query(params): Query<ListParams>,
) -> Result<Json<ModelPage>, ApiError> {
    let limit = bounded("limit", params.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = params
        .cursor
        .as_deref()
        .map(cursor::decode::<ModelPosition>)
        .transpose()?;
    let filter = params.into_filter();
    let total = state.store.count_models(&filter).await?;
    let mut rows = state
        .store
        .list_models(&filter, after.as_ref(), i64::from(limit) + 1)
        .await?;
    let next = cursor::cut(&mut rows, limit, ModelSummaryRow::position)?;
    Ok(Json(ModelPage {
        items: summaries(rows)?,
        next,
        total,
    }))
}

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
    let children = store.edges_from(row.id, MAX_LIMIT.into()).await?;
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
