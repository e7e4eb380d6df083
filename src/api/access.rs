//! Who may do what: reading is free, whatever writes or spends takes a key once the first key exists.
//!
//! Enters: a request, perhaps with `Authorization: Bearer hl_…`. Leaves: the same request, or 401 or 403.

use super::AppState;
use super::error::ApiError;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

/// All keys begin so, for scanners that look for leaked secrets.
pub const KEY_PREFIX: &str = "hl_";

/// Scopes that may write.
const WRITING: [&str; 2] = ["write", "admin"];

/// Keys themselves are seen, made and revoked by this scope only.
const ADMIN: &str = "admin";

/// A new key. It is shown once; only its digest is kept.
pub fn make_key() -> Result<String, rand::rand_core::OsError> {
    let mut secret = [0_u8; 32];
    OsRng.try_fill_bytes(&mut secret)?;
    Ok(format!("{KEY_PREFIX}{}", hex::encode(secret)))
}

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
        let guarded = !request.method().is_safe() || is_about_keys(&request);
        if guarded && state.store.has_api_keys().await? {
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
    if is_about_keys(&request) && scope != ADMIN {
        return Err(ApiError::ScopeMissing { scope, needed: ADMIN });
    }
    if !request.method().is_safe() && !WRITING.contains(&scope.as_str()) {
        return Err(ApiError::ScopeMissing {
            scope,
            needed: "write",
        });
    }
    Ok(next.run(request).await)
}

fn is_about_keys(request: &Request) -> bool {
    let path = request.uri().path();
    path == "/api/v1/keys" || path.starts_with("/api/v1/keys/")
}
