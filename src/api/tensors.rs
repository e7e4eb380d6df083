//! Tensors: those of one revision with their statistics, and who holds a tensor with a given digest.

use super::AppState;
use super::cursor;
use super::error::ApiError;
use super::extract::{ModelPath, Path, Query, bounded, decode_digest, empty_is_none};
use crate::fingerprint::{Fingerprint, Stats};
use crate::store::tensors::{HolderRow, RevisionFingerprintRow};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u32 = 200;
const MAX_LIMIT: u32 = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TensorParams {
    /// A revision or a tag; the newest fingerprinted revision without it.
    #[serde(default, deserialize_with = "empty_is_none")]
    revision: Option<String>,
    #[param(minimum = 1, maximum = 1000, default = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "empty_is_none")]
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct TensorPage {
    revision: String,
    items: Vec<TensorRow>,
    next: Option<String>,
    total: i64,
}

/// One tensor of a revision.
#[derive(Serialize, ToSchema)]
pub struct TensorRow {
    name: String,
    dtype: String,
    shape: Vec<i64>,
    /// SHA-256 of dtype, shape and bytes; `null` where only the headers were read.
    digest: Option<String>,
    /// Other packages that hold a tensor with this digest.
    held_by: i64,
    stats: Option<TensorStats>,
}

/// Statistics of a tensor's finite values.
#[derive(Serialize, ToSchema)]
pub struct TensorStats {
    mean: f64,
    std: f64,
    l2: f64,
    abs_max: f64,
    zeros: u64,
    /// Distinct values, counted up to 4096.
    distinct: u32,
    count: u64,
}

impl From<&Stats> for TensorStats {
    fn from(stats: &Stats) -> Self {
        Self {
            mean: stats.mean,
            std: stats.std,
            l2: stats.l2,
            abs_max: stats.abs_max,
            zeros: stats.zeros,
            distinct: stats.distinct,
            count: stats.count,
        }
    }
}

/// The tensors of one revision, by name.
#[utoipa::path(
    get, path = "/models/{hub}/{owner}/{name}/tensors", operation_id = "list_tensors", tag = "tensors", params(ModelPath, TensorParams),
    responses((status = OK, body = TensorPage), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn list(
    State(state): State<AppState>,
    Path(path): Path<ModelPath>,
    Query(params): Query<TensorParams>,
) -> Result<Json<TensorPage>, ApiError> {
    let limit = bounded("limit", params.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = params
        .cursor
        .as_deref()
        .map(cursor::decode::<String>)
        .transpose()?;
    let store = &state.store;
    let Some(model) = store.model_id(&path.hub, &path.owner, &path.name).await? else {
        return Err(path.unknown());
    };
    let found = store
        .revision_fingerprint(model, params.revision.as_deref())
        .await?;
    let (revision, fingerprint) = require_fingerprint(&path, params.revision, found)?;
    let mut rows = store
        .list_tensors(fingerprint, model, after.as_deref(), i64::from(limit) + 1)
        .await?;
    let next = cursor::cut(&mut rows, limit, |row| row.name.clone())?;
    let total = store.count_tensors(fingerprint).await?;
    let stats = read_stats(&store.fingerprint_data(fingerprint).await?)?;
    let items = rows
        .into_iter()
        .map(|row| TensorRow {
            stats: stats.get(&row.name).map(TensorStats::from),
            name: row.name,
            dtype: row.dtype,
            shape: row.shape,
            digest: row.digest,
            held_by: row.held_by,
        })
        .collect();
    Ok(Json(TensorPage {
        revision,
        items,
        next,
        total,
    }))
}

fn require_fingerprint(
    path: &ModelPath,
    wanted: Option<String>,
    found: Option<RevisionFingerprintRow>,
) -> Result<(String, i64), ApiError> {
    let reference = path.reference();
    match (found, wanted) {
        (Some(row), _) => match row.fingerprint {
            Some(fingerprint) => Ok((row.revision, fingerprint)),
            None => Err(ApiError::NoFingerprint {
                reference: format!("{reference}@{}", row.revision),
                failure: row.failure,
            }),
        },
        (None, Some(revision)) => Err(ApiError::UnknownRevision { reference, revision }),
        (None, None) => Err(ApiError::NoFingerprint {
            reference,
            failure: None,
        }),
    }
}

/// Statistics by tensor name; they are kept only in the fingerprint's own bytes.
fn read_stats(data: &[u8]) -> Result<HashMap<String, Stats>, ApiError> {
    let fingerprint =
        Fingerprint::from_bytes(data).map_err(|error| ApiError::Unreadable(error.to_string()))?;
    let named = fingerprint
        .tensors
        .into_iter()
        .filter_map(|tensor| Some((tensor.name, tensor.stats?)));
    Ok(named.collect())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HolderParams {
    #[param(minimum = 1, maximum = 1000, default = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "empty_is_none")]
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct TensorHolders {
    digest: String,
    items: Vec<TensorHolder>,
    next: Option<String>,
}

/// A place where a tensor is found.
#[derive(Serialize, ToSchema)]
pub struct TensorHolder {
    reference: String,
    revision: String,
    name: String,
    dtype: String,
    shape: Vec<i64>,
}

/// Who holds the tensor with this digest.
#[utoipa::path(
    get, path = "/tensors/{digest}", operation_id = "find_tensor", tag = "tensors",
    params(("digest" = String, Path, description = "SHA-256 in hexadecimal", pattern = "^[0-9a-fA-F]{64}$"), HolderParams),
    responses((status = OK, body = TensorHolders), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn holders(
    State(state): State<AppState>,
    Path(digest): Path<String>,
    Query(params): Query<HolderParams>,
) -> Result<Json<TensorHolders>, ApiError> {
    let limit = bounded("limit", params.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = params
        .cursor
        .as_deref()
        .map(cursor::decode::<(i64, String)>)
        .transpose()?;
    let bytes = decode_digest(&digest)?;
    let after_key = after.as_ref().map(|(revision, name)| (*revision, name.as_str()));
    let mut rows = state
        .store
        .tensor_holders(&bytes, after_key, i64::from(limit) + 1)
        .await?;
    if rows.is_empty() && after.is_none() {
        return Err(ApiError::UnknownTensor { digest });
    }
    let next = cursor::cut(&mut rows, limit, |row| (row.revision_id, row.name.clone()))?;
    let items = rows.into_iter().map(TensorHolder::from).collect();
    Ok(Json(TensorHolders {
        digest: digest.to_lowercase(),
        items,
        next,
    }))
}

impl From<HolderRow> for TensorHolder {
    fn from(row: HolderRow) -> Self {
        Self {
            reference: row.reference,
            revision: row.revision,
            name: row.name,
            dtype: row.dtype,
            shape: row.shape,
        }
    }
}
