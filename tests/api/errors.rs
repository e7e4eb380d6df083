//! Each error a caller can provoke is a problem document with one sentence.

use crate::app::{Answer, TestApp};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;

fn assert_problem(answer: &Answer, status: StatusCode, kind: &str, detail: &str) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{body}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.headers.contains_key("x-request-id"));
    let expect = json!({
        "type": format!("urn:heirloom:problem:{kind}"),
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    });
    assert_eq!(answer.json(), expect);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let app = TestApp::seeded().await;
    let check = async |path: &str, kind: &str, detail: &str| {
        assert_problem(&app.get(path).await, StatusCode::NOT_FOUND, kind, detail);
    };
    let route = "nothing answers /api/v1/nope; /api/v1/openapi.json lists the routes";
    check("/api/v1/nope", "unknown-route", route).await;
    let route = "nothing answers /api; /api/v1/openapi.json lists the routes";
    check("/api", "unknown-route", route).await;
    let model = "hf:no/such is not in the database; crawl it: `heirloom crawl hf --author no --search such`";
    for path in ["", "/revisions", "/lineage", "/tensors"] {
        check(
            &format!("/api/v1/models/hf/no/such{path}"),
            "unknown-model",
            model,
        )
        .await;
    }
    check(
        "/api/v1/models/hf/lab/base/tensors?revision=zzz",
        "unknown-revision",
        "hf:lab/base has no revision zzz; list its revisions and pick one",
    )
    .await;
    let digest = "ab".repeat(32);
    check(
        &format!("/api/v1/tensors/{digest}"),
        "unknown-tensor",
        &format!("no crawled model holds a tensor with the digest {digest}"),
    )
    .await;
    let id = "00000000-0000-4000-8000-000000000000";
    let diff = format!("there is no diff {id}; ask for one with POST /api/v1/diffs");
    check(&format!("/api/v1/diffs/{id}"), "unknown-diff", &diff).await;
}

#[tokio::test]
async fn weights_that_were_not_read_say_why() {
    let app = TestApp::seeded().await;
    let answer = app.get("/api/v1/models/hf/lab/broken/tensors").await;
    let revision = crate::seed::revision_id("broken", 0);
    let detail = format!(
        "no weights of hf:lab/broken@{revision} are fingerprinted: model.safetensors: the header is cut off"
    );
    assert_problem(&answer, StatusCode::NOT_FOUND, "no-fingerprint", &detail);
}

#[tokio::test]
async fn bad_parameters_are_refused() {
    let app = TestApp::new().await;
    let check = async |path: &str, kind: &str, detail: &str| {
        assert_problem(&app.get(path).await, StatusCode::BAD_REQUEST, kind, detail);
    };
    let limit = "limit must be from 1 to 200, not 0";
    check("/api/v1/models?limit=0", "out-of-range", limit).await;
    let limit = "limit must be from 1 to 200, not 201";
    check("/api/v1/models?limit=201", "out-of-range", limit).await;
    let depth = "depth must be from 1 to 50, not 51";
    check("/api/v1/models/hf/a/b/lineage?depth=51", "out-of-range", depth).await;
    let cursor = "the cursor is not one that this route gave; start again without it";
    check("/api/v1/models?cursor=xyz", "invalid-cursor", cursor).await;
    let digest = "\"xyz\" is not a tensor's digest; it has 64 hexadecimal digits";
    check("/api/v1/tensors/xyz", "invalid-digest", digest).await;
    let reference = "\"/etc/passwd\" is not a reference to a crawled model; write hub:owner/name or hub:owner/name@revision";
    check(
        "/api/v1/diffs?a=/etc/passwd&b=hf:a/b",
        "invalid-reference",
        reference,
    )
    .await;
    let nul = "text must not hold the NUL character";
    check("/api/v1/models?search=%00", "nul-character", nul).await;
    check("/api/v1/models/hf/a/%00", "nul-character", nul).await;
}

#[tokio::test]
async fn what_the_framework_refuses_looks_the_same() {
    let app = TestApp::new().await;
    let rejected = async |answer: Answer, status: u16| {
        assert_eq!(answer.status.as_u16(), status);
        let problem = answer.json();
        assert_eq!(problem["type"], "urn:heirloom:problem:rejected-request");
        problem["detail"].as_str().unwrap().to_owned()
    };
    insta::assert_snapshot!(rejected(app.get("/api/v1/models?relation=cousin").await, 400).await);
    insta::assert_snapshot!(rejected(app.get("/api/v1/models?serach=x").await, 400).await);
    insta::assert_snapshot!(rejected(app.get("/api/v1/models?limit=-1").await, 400).await);
    insta::assert_snapshot!(rejected(app.get("/api/v1/diffs?a=hf:a/b").await, 400).await);
    insta::assert_snapshot!(rejected(app.get("/api/v1/diffs/not-a-uuid").await, 400).await);
    let wanted = json!({"a": "hf:a/b"});
    insta::assert_snapshot!(rejected(app.post("/api/v1/diffs", &wanted).await, 422).await);
    let broken = Request::post("/api/v1/diffs").header(header::CONTENT_TYPE, "application/json");
    let answer = app.send(broken.body(Body::from("{\"a\":")).unwrap()).await;
    insta::assert_snapshot!(rejected(answer, 400).await);
    let untyped = Request::post("/api/v1/diffs").body(Body::from("{}")).unwrap();
    insta::assert_snapshot!(rejected(app.send(untyped).await, 415).await);
}

#[tokio::test]
async fn a_wrong_method_says_what_is_allowed() {
    let app = TestApp::new().await;
    let answer = app.request(Method::DELETE, "/api/v1/models").await;
    let detail = "/api/v1/models does not answer DELETE; the Allow header lists what it does";
    assert_problem(&answer, StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail);
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
}

#[tokio::test]
async fn a_large_body_is_refused() {
    let app = TestApp::new().await;
    let wanted = json!({"a": "x".repeat(1 << 20), "b": "hf:a/b"});
    let answer = app.post("/api/v1/diffs", &wanted).await;
    let detail = "the request body is over 1048576 bytes";
    assert_problem(&answer, StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail);
}

#[tokio::test]
async fn a_database_that_is_away_is_said_and_not_shown() {
    let app = TestApp::new().await;
    app.store().close().await;
    for path in ["/api/v1/health", "/api/v1/models", "/api/v1/overview"] {
        let detail = "the database does not answer; try again in a moment";
        let answer = app.get(path).await;
        assert_problem(&answer, StatusCode::SERVICE_UNAVAILABLE, "database-away", detail);
    }
}
