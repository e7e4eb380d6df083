//! An answer that is no success becomes the error it stands for.
//!
//! Hugging Face says why in `X-Error-Code` and `X-Error-Message`; other hubs only by status.

use super::pace;
use crate::HubError;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use std::time::Duration;

const DISABLED: &str = "Access to this resource is disabled.";
/// When a 429 does not say how long to wait.
const USUAL_LIMIT_WAIT: Duration = Duration::from_secs(30);
const MAX_REASON_CHARS: usize = 200;

/// What a request was about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    Hub,
    Package(&'a str),
    Revision(&'a str, &'a str),
    File(&'a str, &'a str, &'a str),
}

impl Subject<'_> {
    fn without_file(self) -> Self {
        match self {
            Self::File(package, revision, _) => Self::Revision(package, revision),
            other => other,
        }
    }

    pub fn package(&self) -> Option<&str> {
        match self {
            Self::Hub => None,
            Self::Package(package) | Self::Revision(package, _) | Self::File(package, ..) => Some(package),
        }
    }
}

/// `body` is the start of the answer's text.
pub fn refusal(
    endpoint: &str,
    url: &str,
    subject: Subject<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
) -> HubError {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let package = subject.package().unwrap_or("it");
    let endpoint = endpoint.to_owned();
    if text("x-error-message") == Some(DISABLED) {
        return HubError::Disabled {
            package: package.to_owned(),
        };
    }
    match (text("x-error-code"), status) {
        (_, StatusCode::TOO_MANY_REQUESTS) => HubError::RateLimited {
            endpoint,
            wait: pace::asked_wait(headers).unwrap_or(USUAL_LIMIT_WAIT),
        },
        (Some("GatedRepo"), _) => HubError::Gated {
            package: package.to_owned(),
        },
        // The hub answers 401 for packages that do not exist as well, lest it tell which private ones do.
        (Some("RepoNotFound"), _) => HubError::NotFound {
            endpoint,
            what: package.to_owned(),
        },
        (Some("RevisionNotFound"), _) => not_found(endpoint, url, subject.without_file()),
        (Some("EntryNotFound"), _) | (None, StatusCode::NOT_FOUND) => not_found(endpoint, url, subject),
        (_, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => HubError::Unauthorised {
            endpoint,
            what: package.to_owned(),
        },
        _ => HubError::Status {
            url: url.to_owned(),
            status: status.as_u16(),
            reason: reason(status, text("x-error-message"), body),
        },
    }
}

fn not_found(endpoint: String, url: &str, subject: Subject<'_>) -> HubError {
    match subject {
        Subject::Hub => HubError::NotAHub {
            endpoint,
            reason: format!("there is nothing at {url}"),
        },
        Subject::Package(package) => HubError::NotFound {
            endpoint,
            what: package.to_owned(),
        },
        Subject::Revision(package, revision) => HubError::RevisionNotFound {
            package: package.to_owned(),
            revision: revision.to_owned(),
        },
        Subject::File(package, revision, path) => HubError::FileNotFound {
            package: package.to_owned(),
            revision: revision.to_owned(),
            path: path.to_owned(),
        },
    }
}

/// One line of what the server says: its message header, its JSON `error`, or the status' own name.
fn reason(status: StatusCode, message: Option<&str>, body: &str) -> String {
    let said = serde_json::from_str::<serde_json::Value>(body)
        .ok()
        .and_then(|json| json["error"].as_str().map(str::to_owned))
        .or_else(|| message.map(str::to_owned))
        .unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned());
    said.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_REASON_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        subject: Subject<'_>,
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> String {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    reqwest::header::HeaderName::from_static(name),
                    reqwest::header::HeaderValue::from_static(value),
                )
            })
            .collect();
        let status = StatusCode::from_u16(status).unwrap_or_default();
        refusal("https://hub", "https://hub/x", subject, status, &headers, body).to_string()
    }

    #[test]
    fn each_refusal_is_one_sentence() {
        let file = Subject::File("o/n", "main", "a.bin");
        for (message, expect) in [
            (
                check(
                    Subject::Package("o/n"),
                    401,
                    &[("x-error-code", "RepoNotFound")],
                    "",
                ),
                "o/n is not on https://hub, or it is private and needs a token",
            ),
            (
                check(file, 404, &[("x-error-code", "RevisionNotFound")], ""),
                "revision \"main\" of o/n does not exist",
            ),
            (
                check(file, 404, &[("x-error-code", "EntryNotFound")], ""),
                "o/n has no file \"a.bin\" at revision main",
            ),
            (
                check(Subject::Revision("o/n", "v1"), 404, &[], ""),
                "revision \"v1\" of o/n does not exist",
            ),
            (
                check(file, 403, &[("x-error-code", "GatedRepo")], ""),
                "o/n is gated: accept its terms on the hub and set HF_TOKEN to a token of that account",
            ),
            (
                check(file, 403, &[("x-error-message", DISABLED)], ""),
                "o/n was disabled by the hub",
            ),
            (
                check(file, 429, &[("ratelimit", "\"api\";r=0;t=55")], ""),
                "https://hub limits the request rate; try again in 56 s",
            ),
            (
                check(Subject::Hub, 500, &[], r#"{"error": "out of\nmemory"}"#),
                "https://hub/x answered 500: out of memory",
            ),
            (
                check(Subject::Hub, 404, &[], ""),
                "https://hub does not answer like a model hub: there is nothing at https://hub/x; check the endpoint",
            ),
        ] {
            assert_eq!(message, expect);
        }
    }
}
