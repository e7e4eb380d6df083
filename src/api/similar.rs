//! Models alike in their weights: to a crawled model, or to digests that a caller sends. Weights themselves are never sent.

use super::AppState;
use super::error::ApiError;
use super::extract::{Json, ModelPath, Path, Query, bounded, decode_digest};
use crate::store::similar::{SimilarRow, WeightsQuery};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;
/// The largest models have some tens of thousands of tensors; 1 MiB of body holds about as many digests.
const MAX_DIGESTS: usize = 20_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SimilarParams {
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct SimilarModels {
    /// Distinct tensor digests that were looked for.
    tensors: i64,
    /// Most tensors in common first.
    items: Vec<SimilarModel>,
}

#[derive(Serialize, ToSchema)]
pub struct SimilarModel {
    reference: String,
    parameters: i64,
    tensors: i64,
    /// Tensors in common, bit for bit.
    shared_tensors: i64,
    /// The same shapes, whatever the values.
    same_architecture: bool,
    /// The same multiset of tensors, whatever their names.
    same_weights: bool,
}

impl From<SimilarRow> for SimilarModel {
    fn from(row: SimilarRow) -> Self {
        Self {
            reference: row.reference,
            parameters: row.parameters,
            tensors: row.tensors,
            shared_tensors: row.shared,
            same_architecture: row.same_architecture,
            same_weights: row.same_weights,
        }
    }
}

/// Models that share tensors or the architecture with one.
#[utoipa::path(
    get, path = "/models/{hub}/{owner}/{name}/similar", operation_id = "find_similar", tag = "models",
    params(ModelPath, SimilarParams),
    responses((status = OK, body = SimilarModels), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn of_model(
    State(state): State<AppState>,
    Path(path): Path<ModelPath>,
    Query(params): Query<SimilarParams>,
) -> Result<axum::Json<SimilarModels>, ApiError> {
    let limit = bounded("limit", params.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let store = &state.store;
    let Some(model) = store.model_id(&path.hub, &path.owner, &path.name).await? else {
        return Err(path.unknown());
    };
    let Some(fingerprint) = store.newest_fingerprint(model).await? else {
        return Err(ApiError::NoFingerprint {
            reference: path.reference(),
            failure: None,
        });
    };
    let query = WeightsQuery {
        digests: store.tensor_digests(fingerprint.id).await?,
        architecture: Some(fingerprint.architecture),
        model_digest: fingerprint.model_digest,
        except: Some(model),
    };
    find(&state, &query, limit).await
}

/// What a caller knows of some weights: the fields of `heirloom fingerprint --json` by the same names.
#[derive(Debug, Deserialize, ToSchema)]
pub struct IdentifyRequest {
    #[serde(default)]
    model_digest: Option<String>,
    /// Digest of the multiset of shapes.
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    tensors: Vec<IdentifyTensor>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct IdentifyTensor {
    /// SHA-256 of dtype, shape and bytes, in hexadecimal.
    digest: Option<String>,
}

/// Which crawled models hold these tensors? Takes a fingerprint, never weights.
#[utoipa::path(
    post, path = "/identify", operation_id = "identify", tag = "models", params(SimilarParams),
    request_body = IdentifyRequest, responses((status = OK, body = SimilarModels))
)]
pub async fn identify(
    State(state): State<AppState>,
    Query(params): Query<SimilarParams>,
    Json(request): Json<IdentifyRequest>,
) -> Result<axum::Json<SimilarModels>, ApiError> {
    let limit = bounded("limit", params.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let digests = request
        .tensors
        .iter()
        .filter_map(|tensor| tensor.digest.as_deref());
    let mut digests: Vec<Vec<u8>> = digests.map(decode_digest).collect::<Result<_, _>>()?;
    digests.sort();
    digests.dedup();
    if digests.len() > MAX_DIGESTS {
        return Err(ApiError::TooManyDigests {
            given: digests.len(),
            max: MAX_DIGESTS,
        });
    }
    let query = WeightsQuery {
        digests,
        architecture: request.architecture,
        model_digest: request.model_digest,
        except: None,
    };
    find(&state, &query, limit).await
}

async fn find(
    state: &AppState,
    query: &WeightsQuery,
    limit: u32,
) -> Result<axum::Json<SimilarModels>, ApiError> {
    let rows = state.store.find_similar(query, i64::from(limit)).await?;
    Ok(axum::Json(SimilarModels {
        tensors: i64::try_from(query.digests.len()).unwrap_or(i64::MAX),
        items: rows.into_iter().map(SimilarModel::from).collect(),
    }))
}
