//! Conditional GET (RFC 9110 section 13): an entity tag over each JSON answer, and 304 for a caller who has it already.

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Larger answers and streams are passed through without a tag.
const MAX_TAGGED_BYTES: u64 = 16 << 20;

/// Middleware: tags complete answers to GET, and answers 304 where the tag matches `If-None-Match`.
pub async fn answer_conditionally(request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let wanted = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    let complete = response
        .body()
        .size_hint()
        .exact()
        .is_some_and(|bytes| bytes <= MAX_TAGGED_BYTES);
    if response.status() != StatusCode::OK || !complete {
        return response;
    }
    tag_response(response, wanted).await
}

async fn tag_response(response: Response, wanted: Option<HeaderValue>) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = match to_bytes(body, MAX_TAGGED_BYTES as usize).await {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::error!(%error, "an answer broke off");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    // Weak: the same answer may leave compressed or not.
    let tag = format!("W/\"{}\"", hex::encode(&Sha256::digest(&bytes)[..12]));
    let known = wanted.is_some_and(|wanted| matches_tag(&wanted, &tag));
    tag_headers(&mut parts.headers, &tag);
    if known {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn tag_headers(headers: &mut HeaderMap, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache"));
}

/// The weak comparison of RFC 9110 section 8.8.3.2 over the list in `If-None-Match`.
pub fn matches_tag(if_none_match: &HeaderValue, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if_none_match.to_str().is_ok_and(|list| {
        list.split(',')
            .any(|candidate| candidate.trim() == "*" || opaque(candidate) == opaque(tag))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let check = |list: &'static str, expect: bool| {
            assert_eq!(
                matches_tag(&HeaderValue::from_static(list), "W/\"a1\""),
                expect,
                "{list}"
            );
        };
        check("W/\"a1\"", true);
        check("\"a1\"", true);
        check("\"zz\", W/\"a1\"", true);
        check("*", true);
        check("\"zz\"", false);
        check("", false);
    }
}
