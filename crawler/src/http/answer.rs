//! A successful answer, read within limits: JSON, whole bytes, or exactly the range that was asked for.

use super::refusal::{Subject, refusal};
use super::{pace, shown};
use crate::HubError;
use bytes::{Bytes, BytesMut};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use serde_json::Value;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use url::Url;

/// How much of a refusal's text is read for its reason.
const MAX_REFUSAL_BYTES: u64 = 16 << 10;
/// Bytes that may be read and thrown away where a server ignores `Range`.
const MAX_SKIPPED_BYTES: u64 = 8 << 20;
/// The first allocation for a body; it grows with what really arrives.
const MAX_FIRST_ALLOCATION: u64 = 1 << 20;

/// See the module's text. Holds its host's turn until it was read.
#[derive(Debug)]
pub struct Answer {
    response: reqwest::Response,
    url: Url,
    idle: Duration,
    _turn: pace::Turn,
}

impl Answer {
    pub fn new(response: reqwest::Response, url: Url, turn: pace::Turn, idle: Duration) -> Self {
        Self {
            response,
            url,
            idle,
            _turn: turn,
        }
    }

    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub fn header(&self, name: HeaderName) -> Option<&HeaderValue> {
        self.response.headers().get(name)
    }

    /// Where a redirect points.
    pub fn redirects_to(&self) -> Option<&HeaderValue> {
        let status = self.status();
        self.header(LOCATION)
            .filter(|_| status.is_redirection() && status != StatusCode::NOT_MODIFIED)
    }

    /// A success, or the word that a range lies past the end of the file.
    pub fn is_usable(&self) -> bool {
        self.status().is_success() || self.status() == StatusCode::RANGE_NOT_SATISFIABLE
    }

    pub fn content_length(&self) -> Option<u64> {
        self.response.content_length()
    }

    pub fn shown(&self) -> String {
        shown(&self.url)
    }

    /// The next piece of the body; `None` at its end.
    async fn chunk(&mut self) -> Result<Option<Bytes>, HubError> {
        self.response
            .chunk()
            .await
            .map_err(|error| transport_error(&self.shown(), &self.url, self.idle, &error))
    }

    /// The whole body, at most `limit` bytes after decompression.
    pub async fn into_bytes(self, limit: u64) -> Result<Bytes, HubError> {
        let url = self.shown();
        if !self.status().is_success() {
            return Err(HubError::Status {
                url,
                status: self.status().as_u16(),
                reason: "the answer to a request without a range".to_owned(),
            });
        }
        match self.read_up_to(limit).await? {
            (bytes, true) => Ok(bytes),
            (_, false) => Err(HubError::TooLarge {
                what: format!("the answer of {url}"),
                limit,
            }),
        }
    }

    /// The body up to `limit` bytes, and whether that was all of it.
    async fn read_up_to(mut self, limit: u64) -> Result<(Bytes, bool), HubError> {
        let announced = self.response.content_length();
        if announced.is_some_and(|length| length > limit) {
            return Ok((Bytes::new(), false));
        }
        let first = announced.unwrap_or(0).min(MAX_FIRST_ALLOCATION);
        let mut body = BytesMut::with_capacity(first as usize);
        while let Some(chunk) = self.chunk_expecting(announced, body.len() as u64).await? {
            if (body.len() + chunk.len()) as u64 > limit {
                return Ok((body.freeze(), false));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((body.freeze(), true))
    }

    /// The next piece of the body, `None` at its end. A connection that ends early is told apart where the length was announced.
    pub async fn chunk_expecting(
        &mut self,
        announced: Option<u64>,
        got: u64,
    ) -> Result<Option<Bytes>, HubError> {
        match (self.chunk().await, announced) {
            (Err(HubError::Disconnected { url, .. }), Some(expected)) if got < expected => {
                Err(HubError::Truncated { url, expected, got })
            }
            (other, _) => other,
        }
    }

    pub async fn into_json(self, endpoint: &str, limit: u64) -> Result<(Value, HeaderMap), HubError> {
        let headers = self.response.headers().clone();
        let url = self.shown();
        let bytes = self.into_bytes(limit).await?;
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok((value, headers)),
            Err(_) if looks_like_a_page(&headers, &bytes) => Err(HubError::NotAHub {
                endpoint: endpoint.to_owned(),
                reason: format!("{url} is not JSON"),
            }),
            Err(error) => Err(HubError::Malformed {
                url,
                field: format!("line {} column {}", error.line(), error.column()),
                reason: reason_of(&error, &bytes),
            }),
        }
    }

    /// Exactly `range`, whether the server honours ranges or not, as long as little must be thrown away.
    pub async fn into_range(self, range: Range<u64>) -> Result<Bytes, HubError> {
        let skip = match self.status() {
            StatusCode::PARTIAL_CONTENT => {
                self.check_content_range(&range)?;
                0
            }
            StatusCode::RANGE_NOT_SATISFIABLE => return Err(self.out_of_range(&range)),
            _ if range.start > MAX_SKIPPED_BYTES => {
                return Err(HubError::RangeIgnored {
                    url: self.shown(),
                    start: range.start,
                });
            }
            _ => range.start,
        };
        self.read_exactly(skip, range.end - range.start).await
    }

    async fn read_exactly(mut self, skip: u64, length: u64) -> Result<Bytes, HubError> {
        let mut body = BytesMut::with_capacity(length.min(MAX_FIRST_ALLOCATION) as usize);
        let mut to_skip = skip;
        while (body.len() as u64) < length {
            let got = body.len() as u64;
            let Some(mut chunk) = self.chunk_expecting(Some(length), got).await? else {
                return Err(HubError::Truncated {
                    url: self.shown(),
                    expected: length,
                    got,
                });
            };
            let skipped = chunk.len().min(usize::try_from(to_skip).unwrap_or(usize::MAX));
            to_skip -= skipped as u64;
            let chunk = chunk.split_off(skipped);
            let wanted = usize::try_from(length - got).unwrap_or(usize::MAX);
            body.extend_from_slice(&chunk[..chunk.len().min(wanted)]);
        }
        Ok(body.freeze())
    }

    /// A 206 must answer what was asked: `Content-Range: bytes first-last/size`.
    fn check_content_range(&self, range: &Range<u64>) -> Result<(), HubError> {
        let header = self.header(CONTENT_RANGE).and_then(|value| value.to_str().ok());
        let Some(got) = header.and_then(parse_content_range) else {
            return Err(self.malformed_range("it is missing or no byte range"));
        };
        if got == *range {
            return Ok(());
        }
        if got.start == range.start && got.end < range.end {
            return Err(HubError::OutOfRange {
                file: self.shown(),
                start: range.start,
                end: range.end,
                size: got.end,
            });
        }
        Err(self.malformed_range(&format!("bytes {got:?} were sent where {range:?} were asked for")))
    }

    /// A 416 states the size: `Content-Range: bytes */100`.
    fn out_of_range(&self, range: &Range<u64>) -> HubError {
        let size = self
            .header(CONTENT_RANGE)
            .and_then(|value| value.to_str().ok()?.rsplit_once('/')?.1.trim().parse().ok());
        HubError::OutOfRange {
            file: self.shown(),
            start: range.start,
            end: range.end,
            size: size.unwrap_or(range.start),
        }
    }

    fn malformed_range(&self, reason: &str) -> HubError {
        HubError::Malformed {
            url: self.shown(),
            field: "Content-Range".to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// The error an unsuccessful answer stands for.
    pub async fn into_refusal(self, endpoint: &str, subject: Subject<'_>) -> HubError {
        let (status, headers, url) = (self.status(), self.response.headers().clone(), self.shown());
        let body = match self.read_up_to(MAX_REFUSAL_BYTES).await {
            Ok((bytes, _)) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => String::new(),
        };
        refusal(endpoint, &url, subject, status, &headers, &body)
    }
}

/// `bytes 0-9/100` → `0..10`.
pub fn parse_content_range(header: &str) -> Option<Range<u64>> {
    let (range, _) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse::<u64>().ok()?);
    (first <= last).then_some(first..last.checked_add(1)?)
}

fn looks_like_a_page(headers: &HeaderMap, body: &[u8]) -> bool {
    let html = headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.contains("html"));
    html || body.trim_ascii_start().starts_with(b"<")
}

fn reason_of(error: &serde_json::Error, bytes: &[u8]) -> String {
    match (error.is_eof(), std::str::from_utf8(bytes)) {
        (true, _) => "the JSON ends early".to_owned(),
        (_, Err(_)) => "the text is not UTF-8".to_owned(),
        _ => "this is not JSON".to_owned(),
    }
}

/// What went wrong below HTTP.
pub fn transport_error(endpoint: &str, url: &Url, idle: Duration, error: &reqwest::Error) -> HubError {
    if error.is_timeout() && !error.is_connect() {
        return HubError::TimedOut {
            url: shown(url),
            waited: idle,
        };
    }
    if error.is_connect() {
        return HubError::Unreachable {
            endpoint: endpoint.to_owned(),
            reason: root_cause(error),
        };
    }
    HubError::Disconnected {
        url: shown(url),
        reason: root_cause(error),
    }
}

/// The innermost cause, which is the one that says something: `Connection refused (os error 111)`.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// File bytes a crawl may still read.
#[derive(Debug)]
pub struct ByteBudget {
    limit: Option<u64>,
    spent: AtomicU64,
}

impl ByteBudget {
    pub fn new(limit: Option<u64>) -> Self {
        Self {
            limit,
            spent: AtomicU64::new(0),
        }
    }

    /// Takes `bytes` off what is left, or leaves it as it is and fails.
    pub fn reserve(&self, bytes: u64) -> Result<(), HubError> {
        let Some(limit) = self.limit else { return Ok(()) };
        self.spent
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |spent| {
                spent.checked_add(bytes).filter(|sum| *sum <= limit)
            })
            .map(|_| ())
            .map_err(|_| HubError::BudgetSpent { limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        for (header, expect) in [
            ("bytes 0-9/100", Some(0..10)),
            ("bytes 5-5/*", Some(5..6)),
            ("bytes */100", None),
            ("bytes 9-0/100", None),
            ("items 0-9/100", None),
            ("bytes 0-18446744073709551615/1", None),
        ] {
            assert_eq!(parse_content_range(header), expect, "{header}");
        }
    }

    #[test]
    fn a_budget_is_never_overdrawn() {
        let budget = ByteBudget::new(Some(10));
        assert!(budget.reserve(6).is_ok());
        assert!(matches!(
            budget.reserve(5),
            Err(HubError::BudgetSpent { limit: 10 })
        ));
        assert!(budget.reserve(4).is_ok());
        assert!(ByteBudget::new(None).reserve(u64::MAX).is_ok());
    }
}
