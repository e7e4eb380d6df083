//! What HTTP promises: conditional requests, compression, request ids, secure headers.

use crate::app::TestApp;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};

#[tokio::test]
async fn an_unchanged_answer_is_not_sent_again() {
    let app = TestApp::seeded().await;
    let first = app.get("/api/v1/models").await;
    let tag = first.header("etag").unwrap();
    let conditional = |tag: &str| {
        let request = Request::get("/api/v1/models").header(header::IF_NONE_MATCH, tag);
        app.send(request.body(Body::empty()).unwrap())
    };
    let again = conditional(tag).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert_eq!(again.header("etag"), Some(tag));
    assert!(again.body.is_empty());
    assert_eq!(conditional("W/\"other\"").await.body, first.body);
}

#[tokio::test]
async fn errors_carry_no_entity_tag() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/api/v1/models/hf/no/such").await.header("etag"), None);
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_can_read_it() {
    let app = TestApp::seeded().await;
    let request = Request::get("/api/v1/models").header(header::ACCEPT_ENCODING, "gzip");
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert!(answer.body.len() < app.get("/api/v1/models").await.body.len());
}

#[tokio::test]
async fn a_request_id_is_given_or_kept() {
    let app = TestApp::new().await;
    let given = app.get("/api/v1/health").await;
    assert!(given.headers.contains_key("x-request-id"));
    let request = Request::get("/api/v1/health").header("x-request-id", "mine");
    let kept = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(kept.header("x-request-id"), Some("mine"));
}

#[tokio::test]
async fn every_answer_carries_the_secure_headers() {
    let app = TestApp::new().await;
    for path in ["/", "/api/v1/health", "/api/v1/nope"] {
        let answer = app.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let app = TestApp::new().await;
    let answer = app.request(Method::HEAD, "/api/v1/health").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.is_empty());
}
