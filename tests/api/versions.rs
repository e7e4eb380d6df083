//! Version requirements and release lines through REST.

use crate::app::TestApp;
use crate::seed::revision_id;
use axum::http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn a_requirement_chooses_the_newest_revision_of_the_highest_version() {
    let app = TestApp::seeded().await;
    let check = async |requirement: &str, version: &str, position: i64| {
        let path = format!("/api/v1/resolve?model=hf:lab/base&require={requirement}");
        let found = app.get(&path).await.json();
        let revision = revision_id("base", position);
        assert_eq!(found["version"], version, "{requirement}");
        assert_eq!(found["reference"], format!("hf:lab/base@{revision}"));
    };
    check("^1", "1.2.0", 2).await;
    check("%5E1.0,%20%3C1.2", "1.1.0", 1).await;
    check("=1.0.0", "1.0.0", 0).await;
    check("*", "1.2.0", 2).await;
}

#[tokio::test]
async fn what_cannot_be_resolved_says_why() {
    let app = TestApp::seeded().await;
    let check = async |query: &str, status: StatusCode, kind: &str, words: &str| {
        let answer = app.get(&format!("/api/v1/resolve?{query}")).await;
        let problem = answer.json();
        assert_eq!(answer.status, status, "{problem}");
        assert_eq!(problem["type"], format!("urn:heirloom:problem:{kind}"));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
    };
    let (bad, missing) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND);
    check(
        "model=hf:lab/base&require=%5E2",
        missing,
        "no-version",
        "no version of hf:lab/base is admitted by ^2",
    )
    .await;
    check(
        "model=hf:lab/base&require=newest",
        bad,
        "invalid-requirement",
        "\"newest\" is not a version requirement",
    )
    .await;
    check(
        "model=hf:lab/base@v1&require=*",
        bad,
        "invalid-reference",
        "hf:lab/base@v1",
    )
    .await;
    check(
        "model=/etc/passwd&require=*",
        bad,
        "invalid-reference",
        "/etc/passwd",
    )
    .await;
    check(
        "model=hf:no/such&require=*",
        missing,
        "unknown-model",
        "hf:no/such",
    )
    .await;
}

#[tokio::test]
async fn a_name_without_version_is_in_no_line() {
    let app = TestApp::seeded().await;
    let releases = app.get("/api/v1/models/hf/lab/base/releases").await;
    assert_eq!(releases.json(), json!({"items": []}));
}

#[tokio::test]
async fn an_empty_database_can_be_studied() {
    let app = TestApp::new().await;
    let study = app.get("/api/v1/study").await.json();
    assert_eq!(study["names"]["names"], 0);
    assert_eq!(study["packages"]["all"]["packages"], 0);
    let page = app.get("/api/v1/study.html").await;
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert!(
        page.header("content-disposition")
            .unwrap()
            .contains("heirloom-study.html")
    );
}
