//! What went wrong with a request, as problem details (RFC 9457).
//!
//! Enters: a cause ([`ApiError`], or any bare error response of the framework). Leaves: a status and an
//! `application/problem+json` body. What went wrong inside goes to the log, never to the caller.

use crate::store::StoreError;
use crate::store::api_keys::Scope;
use axum::extract::Request;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection, StringRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::time::Duration;
use uuid::Uuid;

/// Why a request was not answered. The text is shown to the caller unless the status is 5xx.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("nothing answers {path}; /api/v1/openapi.json lists the routes")]
    UnknownRoute { path: String },
    #[error(
        "{hub}:{owner}/{name} is not in the database; crawl it: {}",
        crawl_command(hub, owner, name)
    )]
    UnknownModel {
        hub: String,
        owner: String,
        name: String,
    },
    #[error("{reference} has no revision {revision}; list its revisions and pick one")]
    UnknownRevision { reference: String, revision: String },
    #[error("no weights of {reference} are fingerprinted{}", reason(failure))]
    NoFingerprint {
        reference: String,
        failure: Option<String>,
    },
    #[error("no crawled model holds a tensor with the digest {digest}")]
    UnknownTensor { digest: String },
    #[error("there is no diff {what}; ask for one with POST /api/v1/diffs")]
    UnknownDiff { what: String },
    #[error(
        "{text:?} is not a reference to a crawled model; write hub:owner/name or hub:owner/name@revision"
    )]
    InvalidReference { text: String },
    #[error(
        "{text:?} is not a version requirement: {reason}; write one as Cargo does, such as ^1.2 or >=1, <3"
    )]
    InvalidRequirement { text: String, reason: String },
    #[error(
        "no version of {reference} is admitted by {requirement}; list its revisions for the versions there are"
    )]
    NoVersion { reference: String, requirement: String },
    #[error("{text:?} is not a tensor's digest; it has 64 hexadecimal digits")]
    InvalidDigest { text: String },
    #[error("{given} digests are more than the {max} that one request may hold; send the largest tensors")]
    TooManyDigests { given: usize, max: usize },
    #[error("this is not a lock file that `heirloom lock` wrote: {reason}")]
    InvalidLock { reason: String },
    #[error("nothing is known of what {reference} was made from")]
    NoEdge { reference: String },
    #[error("q must hold from 1 to {max} bytes")]
    InvalidSearch { max: usize },
    #[error("the cursor is not one that this route gave; start again without it")]
    InvalidCursor,
    #[error("{parameter} must be from {min} to {max}, not {value}")]
    OutOfRange {
        parameter: &'static str,
        min: u32,
        max: u32,
        value: u32,
    },
    #[error("the request body is over {max} bytes")]
    BodyTooLarge { max: usize },
    #[error("this server takes writing requests with a key only; send it as Authorization: Bearer KEY")]
    KeyMissing,
    #[error("the key is not valid; ask the operator for another (`heirloom user add`)")]
    KeyInvalid,
    #[error("a key of scope {scope} may not do this; ask the operator for one of scope {needed}")]
    ScopeMissing { scope: Scope, needed: Scope },
    #[error("more than {rate} requests a minute; try again in {} s", whole_seconds(*wait))]
    TooManyRequests { rate: u32, wait: Duration },
    #[error("this key was answered its {bytes} bytes of today (UTC); try again in {} s", whole_seconds(*wait))]
    BudgetSpent { bytes: i64, wait: Duration },
    #[error("{detail}")]
    WebhookRefused { detail: String },
    #[error("there is no webhook {id} of yours; list them with GET /api/v1/webhooks")]
    UnknownWebhook { id: Uuid },
    #[error("as many clients follow this server as it lets; try again later")]
    TooManyStreams,
    #[error("there is or was a key named {name}; choose another name")]
    KeyNameTaken { name: String },
    #[error("there is no valid key named {name}; GET /api/v1/keys lists all")]
    UnknownKey { name: String },
    #[error("{name:?} names no key or schedule; use 1 to 64 letters, digits, dots, hyphens or underscores")]
    InvalidName { name: String },
    #[error("there is no schedule named {name}; GET /api/v1/schedules lists all")]
    UnknownSchedule { name: String },
    #[error("{reason}")]
    InvalidSchedule { reason: String },
    #[error("{endpoint} is no address of {hub} that this server crawls; GET /api/v1/hubs lists them")]
    UnknownHub { hub: String, endpoint: String },
    #[error("there is no crawl {id}; GET /api/v1/crawls lists the last hundred")]
    UnknownCrawl { id: i64 },
    #[error("no job {id} waits or was given up; GET /api/v1/jobs lists all")]
    UnknownJob { id: i64 },
    #[error("{detail}")]
    Rejected { status: StatusCode, detail: String },
    #[error("text must not hold the NUL character")]
    NulCharacter,
    #[error(transparent)]
    Store(StoreError),
    #[error("the database holds something this version cannot read: {0}")]
    Unreadable(String),
    #[error("the job queue failed: {0:#}")]
    Queue(anyhow::Error),
    #[error("the system gives no random numbers: {0}")]
    NoRandomness(rand::rand_core::OsError),
}

/// Never sooner than it is worth trying.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

/// The command that brings a missing model into the database.
fn crawl_command(hub: &str, owner: &str, name: &str) -> String {
    match hub {
        "hf" => format!("`heirloom crawl hf --author {owner} --search {name}`"),
        hub => format!("`heirloom crawl {hub}`"),
    }
}

fn reason(failure: &Option<String>) -> String {
    match failure {
        Some(failure) => format!(": {failure}"),
        None => " yet; run `heirloom crawl` at level full".to_owned(),
    }
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownRoute { .. }
            | Self::UnknownModel { .. }
            | Self::UnknownRevision { .. }
            | Self::NoFingerprint { .. }
            | Self::UnknownTensor { .. }
            | Self::NoVersion { .. }
            | Self::UnknownDiff { .. }
            | Self::UnknownWebhook { .. }
            | Self::NoEdge { .. }
            | Self::UnknownKey { .. }
            | Self::UnknownSchedule { .. }
            | Self::UnknownCrawl { .. }
            | Self::UnknownJob { .. } => StatusCode::NOT_FOUND,
            Self::KeyNameTaken { .. } => StatusCode::CONFLICT,
            Self::InvalidReference { .. }
            | Self::InvalidRequirement { .. }
            | Self::InvalidDigest { .. }
            | Self::TooManyDigests { .. }
            | Self::InvalidCursor
            | Self::InvalidSearch { .. }
            | Self::InvalidLock { .. }
            | Self::OutOfRange { .. }
            | Self::InvalidName { .. }
            | Self::InvalidSchedule { .. }
            | Self::UnknownHub { .. }
            | Self::WebhookRefused { .. }
            | Self::NulCharacter => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::KeyMissing | Self::KeyInvalid => StatusCode::UNAUTHORIZED,
            Self::ScopeMissing { .. } => StatusCode::FORBIDDEN,
            Self::TooManyRequests { .. } | Self::BudgetSpent { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Rejected { status, .. } => *status,
            Self::Store(error) if error.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooManyStreams => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Unreadable(_) | Self::Queue(_) | Self::NoRandomness(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Stable name of the cause, the last part of the problem's `type`.
    fn kind(&self) -> &'static str {
        match self {
            Self::UnknownRoute { .. } => "unknown-route",
            Self::UnknownModel { .. } => "unknown-model",
            Self::UnknownRevision { .. } => "unknown-revision",
            Self::NoFingerprint { .. } => "no-fingerprint",
            Self::UnknownTensor { .. } => "unknown-tensor",
            Self::UnknownDiff { .. } => "unknown-diff",
            Self::UnknownWebhook { .. } => "unknown-webhook",
            Self::WebhookRefused { .. } => "webhook-refused",
            Self::TooManyStreams => "too-many-streams",
            Self::InvalidReference { .. } => "invalid-reference",
            Self::InvalidRequirement { .. } => "invalid-requirement",
            Self::NoVersion { .. } => "no-version",
            Self::InvalidDigest { .. } => "invalid-digest",
            Self::TooManyDigests { .. } => "too-many-digests",
            Self::InvalidCursor => "invalid-cursor",
            Self::InvalidSearch { .. } => "invalid-search",
            Self::InvalidLock { .. } => "invalid-lock",
            Self::NoEdge { .. } => "no-edge",
            Self::OutOfRange { .. } => "out-of-range",
            Self::NulCharacter => "nul-character",
            Self::BodyTooLarge { .. } => "body-too-large",
            Self::KeyMissing => "key-missing",
            Self::KeyInvalid => "key-invalid",
            Self::ScopeMissing { .. } => "scope-missing",
            Self::TooManyRequests { .. } => "too-many-requests",
            Self::BudgetSpent { .. } => "budget-spent",
            Self::KeyNameTaken { .. } => "key-name-taken",
            Self::UnknownKey { .. } => "unknown-key",
            Self::InvalidName { .. } => "invalid-name",
            Self::UnknownSchedule { .. } => "unknown-schedule",
            Self::InvalidSchedule { .. } => "invalid-schedule",
            Self::UnknownHub { .. } => "unknown-hub",
            Self::UnknownCrawl { .. } => "unknown-crawl",
            Self::UnknownJob { .. } => "unknown-job",
            Self::Rejected { .. } => "rejected-request",
            Self::Store(error) if error.is_transient() => "database-away",
            Self::Store(_) | Self::Unreadable(_) | Self::Queue(_) | Self::NoRandomness(_) => "server-error",
        }
    }

    /// What the caller is told.
    fn detail(&self) -> String {
        match self {
            Self::Store(error) if error.is_transient() => {
                "the database does not answer; try again in a moment".to_owned()
            }
            Self::TooManyStreams => self.to_string(),
            error if error.status().is_server_error() => SERVER_ERROR.to_owned(),
            error => error.to_string(),
        }
    }
}

const SERVER_ERROR: &str =
    "the server failed to answer; its log has the reason under the x-request-id of this response";

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error.is_nul_character() {
            true => Self::NulCharacter,
            false => Self::Store(error),
        }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::rejected(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::rejected(rejection.status(), rejection.body_text())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::rejected(rejection.status(), rejection.body_text())
    }
}

impl From<StringRejection> for ApiError {
    fn from(rejection: StringRejection) -> Self {
        Self::rejected(rejection.status(), rejection.body_text())
    }
}

impl ApiError {
    /// The framework's rejection texts are sentences; ours have no capital at the start.
    fn rejected(status: StatusCode, text: String) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::BodyTooLarge {
                max: super::MAX_BODY_BYTES,
            };
        }
        let mut characters = text.chars();
        let detail = characters
            .next()
            .map(|first| first.to_lowercase().chain(characters).collect())
            .unwrap_or_default();
        Self::Rejected { status, detail }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() && !matches!(self, Self::TooManyStreams) {
            tracing::error!(error = error_chain(&self), "request failed");
        }
        let mut response = Problem::new(status, self.kind(), self.detail()).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Self::TooManyRequests { wait, .. } | Self::BudgetSpent { wait, .. } = &self {
            let seconds = HeaderValue::from(whole_seconds(*wait));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// An error with what caused it, for the log.
fn error_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

/// RFC 9457 problem details.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// Stable name of the cause: `urn:heirloom:problem:unknown-model`, ...
    pub r#type: String,
    pub title: String,
    pub status: u16,
    /// One sentence that says what to do.
    pub detail: String,
}

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

impl Problem {
    fn new(status: StatusCode, kind: &str, detail: String) -> Self {
        Self {
            r#type: format!("urn:heirloom:problem:{kind}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_JSON);
        response
    }
}

/// Middleware: gives the bare errors of the framework (wrong method, time-out, body too large) the same envelope as ours.
pub async fn render_bare_errors(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status();
    let bare = (status.is_client_error() || status.is_server_error())
        && response.headers().get(header::CONTENT_TYPE) != Some(&PROBLEM_JSON);
    if !bare {
        return response;
    }
    let (kind, detail) = match status {
        StatusCode::METHOD_NOT_ALLOWED => (
            "wrong-method",
            format!("{path} does not answer {method}; the Allow header lists what it does"),
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            let max = super::MAX_BODY_BYTES;
            return ApiError::BodyTooLarge { max }.into_response();
        }
        StatusCode::SERVICE_UNAVAILABLE => (
            "time-out",
            "the answer took too long; ask for less at a time".to_owned(),
        ),
        status if status.is_server_error() => ("server-error", SERVER_ERROR.to_owned()),
        _ => ("rejected-request", format!("{method} {path} was refused")),
    };
    let mut problem = Problem::new(status, kind, detail).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

/// Answers for a handler that panicked.
pub fn render_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = text, "a handler panicked");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "server-error",
        SERVER_ERROR.to_owned(),
    )
    .into_response()
}
