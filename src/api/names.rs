//! Cuts model names into the naming study's segments.

use super::error::ApiError;
use super::extract::Query;
use crate::versioning::name::{Name, parse_name};
use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

/// Hubs allow 96 characters a part; twice that is no name.
const MAX_NAME_BYTES: usize = 256;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NameParams {
    /// `owner/name` or `name`.
    #[param(min_length = 1, max_length = 256, example = "org/model-7b-v2")]
    name: String,
}

/// The segments of a name, and the convention that they follow.
#[utoipa::path(
    get, path = "/name", operation_id = "parse_name", tag = "names", params(NameParams),
    responses((status = OK, body = Name))
)]
pub async fn parse(Query(params): Query<NameParams>) -> Result<Json<Name>, ApiError> {
    let bytes = params.name.len();
    if bytes == 0 || bytes > MAX_NAME_BYTES {
        return Err(ApiError::Rejected {
            status: StatusCode::BAD_REQUEST,
            detail: format!("a name has from 1 to {MAX_NAME_BYTES} bytes, not {bytes}"),
        });
    }
    Ok(Json(parse_name(&params.name)))
}
