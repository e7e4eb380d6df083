//! Who may do what: reading is free, whatever writes or spends takes a key once the first key exists.
//!
//! Enters: a request, perhaps with `Authorization: Bearer hl_…`. Leaves: the same request, or 401 or 403.

use super::AppState;
use super::error::ApiError;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};

/// All keys begin so, for scanners that look for leaked secrets.
pub const KEY_PREFIX: &str = "hl_";

/// Scopes that may write.
const WRITING: [&str; 2] = ["write", "admin"];

/// What is stored of a key.
pub fn key_digest(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// Middleware: refuses writing without the right to.
pub async fn require_right(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(header) = request.headers().get(header::AUTHORIZATION) else {
        let writes = !request.method().is_safe();
        if writes && state.store.has_api_keys().await? {
            return Err(ApiError::KeyMissing);
        }
        return Ok(next.run(request).await);
    };
    let key = header
        .to_str()
        .ok()
        .and_then(|header| header.strip_prefix("Bearer "));
    let key = key.ok_or(ApiError::KeyInvalid)?.trim();
    let scope = state.store.use_api_key(&key_digest(key)).await?;
    let scope = scope.ok_or(ApiError::KeyInvalid)?;
    if !request.method().is_safe() && !WRITING.contains(&scope.as_str()) {
        return Err(ApiError::ScopeMissing { scope });
    }
    Ok(next.run(request).await)
}
