//! Who may read what: gated packages answer to known tokens only, private ones do not even show themselves to others, disabled ones
//! answer to nobody, and renamed ones point to their new name.

use super::refuse::Refusal;
use super::state::Hub;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which packages are closed, and to whom they open.
#[derive(Clone, Default)]
pub struct Access {
    /// Listed and described to all, files with a token only.
    pub gated: BTreeSet<String>,
    /// Unknown to whoever has no token.
    pub private: BTreeSet<String>,
    /// Listed, and refused to everybody.
    pub disabled: BTreeSet<String>,
    /// Old names and the packages that have others by now.
    pub renamed: BTreeMap<String, String>,
    pub tokens: BTreeSet<String>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Access")
            .field("gated", &self.gated)
            .field("private", &self.private)
            .field("disabled", &self.disabled)
            .field("renamed", &self.renamed)
            .field("tokens", &self.tokens.len())
            .finish()
    }
}

impl Access {
    /// Whether the package may be listed and described to the caller.
    pub fn is_visible(&self, package: &str, headers: &HeaderMap) -> bool {
        !self.private.contains(package) || self.is_known(headers)
    }

    /// A private package is, to strangers, one that does not exist.
    pub fn check_visible(&self, package: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.disabled.contains(package) {
            return Err(Refusal::disabled());
        }
        if self.is_visible(package, headers) {
            return Ok(());
        }
        Err(if headers.contains_key(AUTHORIZATION) {
            Refusal::repository_not_found()
        } else {
            Refusal::sign_in()
        })
    }

    pub fn check_readable(&self, package: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        self.check_visible(package, headers)?;
        if !self.gated.contains(package) || self.is_known(headers) {
            return Ok(());
        }
        Err(Refusal::gated(package, headers.contains_key(AUTHORIZATION)))
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|token| self.tokens.contains(token))
    }
}

/// Middleware: a request for an old name is sent to the new one, below the same address.
pub async fn redirect_renamed(State(hub): State<Arc<Hub>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (prefix, rest) = match path.strip_prefix("/api/models/") {
        Some(rest) => ("/api/models/", rest),
        None => ("/", path.trim_start_matches('/')),
    };
    let end = rest.match_indices('/').nth(1).map_or(rest.len(), |(end, _)| end);
    let Some(new_name) = hub.access.renamed.get(&rest[..end]) else {
        return next.run(request).await;
    };
    let query = request
        .uri()
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    let target = format!("{prefix}{new_name}{}{query}", &rest[end..]);
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, target)]).into_response()
}
