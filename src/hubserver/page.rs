//! Lists in pages: a cursor in the query, and the next page's address in `Link`.

use super::refuse::Refusal;
use axum::http::header::{CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, LINK};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

/// The request as far as paging goes.
#[derive(Debug)]
pub struct Asked {
    pub query: Vec<(String, String)>,
    path: String,
    host: String,
    /// The validator of the answer the client holds.
    known: Option<String>,
}

impl Asked {
    pub fn new(uri: &Uri, headers: &HeaderMap) -> Self {
        let query = uri.query().unwrap_or_default();
        Self {
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            path: uri.path().to_owned(),
            host: host_of(headers).to_owned(),
            known: headers
                .get(IF_NONE_MATCH)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        }
    }

    pub fn first(&self, key: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be repeated.
    pub fn all(&self, key: &str) -> Vec<&str> {
        self.query
            .iter()
            .filter(|(name, _)| name == key || name.strip_suffix("[]") == Some(key))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// `true`, `True` and `1`, as the clients write it.
    pub fn is_set(&self, key: &str) -> bool {
        self.first(key)
            .is_some_and(|value| matches!(value, "1") || value.eq_ignore_ascii_case("true"))
    }

    /// The page the cursor asks for, of at most `longest` elements.
    pub fn page<T: Serialize>(&self, mut elements: Vec<T>, longest: usize) -> Result<Response, Refusal> {
        let number = |key: &str| match self.first(key) {
            None => Ok(None),
            Some(text) => text
                .parse::<usize>()
                .map(Some)
                .map_err(|_| Refusal::bad_request(format!("{key} must be a number"))),
        };
        let start = number("cursor")?.unwrap_or(0).min(elements.len());
        let length = number("limit")?.unwrap_or(longest).clamp(1, longest);
        let end = (start + length).min(elements.len());
        let more = end < elements.len();
        let page: Vec<T> = elements.drain(start..end).collect();
        let link = more.then(|| self.next_link(end));
        let body = serde_json::to_vec(&page).map_err(|error| Refusal::bad_request(error.to_string()))?;
        let etag = etag_of(&body, link.as_deref());
        if self.known.as_deref() == Some(&etag) {
            return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response());
        }
        let headers = [(CONTENT_TYPE, "application/json".to_owned()), (ETAG, etag)];
        let mut response = (headers, body).into_response();
        if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }

    fn next_link(&self, cursor: usize) -> String {
        let kept = self.query.iter().filter(|(name, _)| name != "cursor");
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .append_pair("cursor", &cursor.to_string())
            .finish();
        format!("<http://{}{}?{query}>; rel=\"next\"", self.host, self.path)
    }
}

/// Weak, as the real hub's are: it says that the page is the same, not each of its bytes.
fn etag_of(body: &[u8], link: Option<&str>) -> String {
    let mut digest = Sha256::new();
    digest.update(body);
    digest.update(link.unwrap_or_default());
    let mut digest = hex::encode(digest.finalize());
    digest.truncate(32);
    format!("W/\"{digest}\"")
}

/// The name the client knows this server by.
pub fn host_of(headers: &HeaderMap) -> &str {
    headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost")
}
