//! Who may read what: gated packages answer to known tokens only, private ones do not even show themselves to others.

use super::refuse::Refusal;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use std::collections::BTreeSet;

/// Which packages are closed, and to whom they open.
#[derive(Clone, Default)]
pub struct Access {
    /// Listed and described to all, files with a token only.
    pub gated: BTreeSet<String>,
    /// Unknown to whoever has no token.
    pub private: BTreeSet<String>,
    pub tokens: BTreeSet<String>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Access")
            .field("gated", &self.gated)
            .field("private", &self.private)
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
