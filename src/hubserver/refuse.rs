//! Answers that refuse, with the headers by which clients tell them apart.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use heirloom_crawler::HubError;
use serde_json::json;

const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");

/// An error answer of the hub.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: Option<&'static str>,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub fn repository_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Some("RepoNotFound"),
            "Repository not found",
        )
    }

    pub fn revision_not_found(revision: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Some("RevisionNotFound"),
            format!("Invalid rev id: {revision}"),
        )
    }

    pub fn entry_not_found(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Some("EntryNotFound"),
            format!("Entry not found: {path}"),
        )
    }

    /// What a stranger gets for a private package, and for one that is not there on the real hub.
    pub fn sign_in() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            Some("RepoNotFound"),
            "Invalid username or password.",
        )
    }

    pub fn gated(package: &str, signed_in: bool) -> Self {
        let status = if signed_in {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::UNAUTHORIZED
        };
        Self::new(
            status,
            Some("GatedRepo"),
            format!("Access to model {package} is restricted."),
        )
    }

    /// Real hubs give disabled packages no error code; clients know them by this very text.
    pub fn disabled() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            None,
            "Access to this resource is disabled.",
        )
    }

    pub fn rate_limited() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, None, "Too many requests.")
    }

    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, None, "Service unavailable.")
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, None, message)
    }

    pub fn forbidden(message: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, None, message)
    }
}

impl From<HubError> for Refusal {
    fn from(error: HubError) -> Self {
        match error {
            HubError::NotFound { .. } | HubError::UnsafeName { .. } => Self::repository_not_found(),
            HubError::RevisionNotFound { revision, .. } => Self::revision_not_found(&revision),
            HubError::FileNotFound { path, .. } => Self::entry_not_found(&path),
            error @ HubError::UnsafePath { .. } => Self::bad_request(error.to_string()),
            error => {
                tracing::error!(%error, "a package cannot be served");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    None,
                    "this package cannot be served; the server's log says why",
                )
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.message }))).into_response();
        let headers = response.headers_mut();
        if let Some(code) = self.code {
            headers.insert(ERROR_CODE, HeaderValue::from_static(code));
        }
        if let Ok(message) = HeaderValue::from_str(&self.message) {
            headers.insert(ERROR_MESSAGE, message);
        }
        response
    }
}

pub async fn no_such_route() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        None,
        "Sorry, we can't find the page you are looking for.",
    )
}
