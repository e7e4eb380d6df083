//! Who may do what: reading what is public is free; writing, spending and seeing what is restricted takes a right.
//!
//! Enters: a request, perhaps with `Authorization: Bearer hl_…`. Leaves: the request with its [`Caller`], or 401, 403 or 429; and a
//! line in the audit log for each request that wanted to write. The operator on a loopback server without keys needs none: see
//! [`caller`].

mod caller;
mod limits;

pub use caller::{Caller, LocalTrust, key_digest, make_key};
pub use limits::Limits;

use super::AppState;
use super::error::ApiError;
use crate::store::api_keys::Scope;
use crate::store::audit::AuditEntry;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// POST requests that only ask, with a question too long for a URL.
const QUESTIONS: [&str; 3] = ["/api/v1/bom", "/api/v1/identify", "/api/v1/resolve"];
/// Keys are seen, made and revoked by admins only.
const KEYS: &str = "/api/v1/keys";
const KEYS_BELOW: &str = "/api/v1/keys/";
/// Asked by machines that watch over this one, often.
const UNLIMITED: &str = "/api/v1/health";

/// Middleware: finds out who asks, and whether they may.
pub async fn admit(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let path = request.uri().path();
    if !path.starts_with("/api/") || path == UNLIMITED {
        request.extensions_mut().insert(Caller::anonymous(None));
        return Ok(next.run(request).await);
    }
    let needed = needed_scope(request.method(), path);
    let writes = needed != Scope::Read;
    let mut entry = AuditEntry {
        action: format!("{} {path}", request.method()),
        request_id: super::layers::request_id(&request),
        ..AuditEntry::default()
    };
    let identified = caller::identify(&state, request.headers(), request.extensions()).await;
    if let Ok(caller) = &identified {
        entry.actor.clone_from(&caller.actor);
    }
    let response = match identified {
        Ok(caller) => answer(&state, caller, needed, request, next).await,
        Err(error) => error.into_response(),
    };
    if writes {
        entry.status = i16::try_from(response.status().as_u16()).ok();
        state.store.whole().note_action(&entry).await?;
    }
    Ok(response)
}

async fn answer(
    state: &AppState,
    caller: Caller,
    needed: Scope,
    mut request: Request,
    next: Next,
) -> Response {
    let allowance = match state.limits.take(&caller) {
        Ok(allowance) => allowance,
        Err(error) => return error.into_response(),
    };
    let mut response = match caller.require(needed) {
        Ok(()) => {
            request.extensions_mut().insert(caller.clone());
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    allowance.describe(response.headers_mut());
    limits::meter(response, &caller, &state.store.whole())
}

fn needed_scope(method: &Method, path: &str) -> Scope {
    if path == KEYS || path.starts_with(KEYS_BELOW) {
        return Scope::Admin;
    }
    match method.is_safe() || QUESTIONS.contains(&path) {
        true => Scope::Read,
        false => Scope::Crawl,
    }
}
