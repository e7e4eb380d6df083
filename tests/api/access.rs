//! Keys, the operator's own machine, bounds, and the audit log.

use crate::app::{Answer, TestApp};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode, header};
use heirloom::api::{Config, LocalTrust, key_digest};
use heirloom::store::api_keys::{NewKey, Scope};
use serde_json::json;
use std::net::SocketAddr;

const ELSEWHERE: ConnectInfo<SocketAddr> = ConnectInfo(SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)),
    4000,
));

/// Asks for a comparison of models that are there.
fn writing() -> axum::http::request::Builder {
    Request::post("/api/v1/diffs").header(header::CONTENT_TYPE, "application/json")
}

fn wanted() -> Body {
    Body::from(json!({"a": "hf:lab/base", "b": "hf:lab/mixed"}).to_string())
}

async fn write_with(app: &TestApp, key: &str) -> Answer {
    let request = writing().header(header::AUTHORIZATION, format!("Bearer {key}"));
    app.send(request.body(wanted()).unwrap()).await
}

async fn read_with(app: &TestApp, key: &str, path: &str) -> Answer {
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {key}"));
    app.send(request.body(Body::empty()).unwrap()).await
}

async fn add_key(app: &TestApp, name: &str, scope: Scope) {
    let digest = key_digest(name);
    assert!(
        app.store()
            .add_api_key(&NewKey::new(name, &digest, scope))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn the_operator_needs_no_key_until_the_first_is_made() {
    let app = TestApp::seeded().await;
    let status = async || app.send(writing().body(wanted()).unwrap()).await;
    assert_eq!(status().await.status, StatusCode::ACCEPTED);
    add_key(&app, "one", Scope::Crawl).await;
    let refused = status().await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    assert_eq!(refused.json()["type"], "urn:heirloom:problem:key-missing");
    assert_eq!(app.get("/api/v1/models").await.status, StatusCode::OK);
    assert_eq!(write_with(&app, "one").await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn only_the_operators_own_machine_is_trusted() {
    let app = TestApp::seeded().await;
    let check = async |header: (&str, &str), expect: StatusCode| {
        let request = writing().header(header.0, header.1);
        let answer = app.send(request.body(wanted()).unwrap()).await;
        assert_eq!(answer.status, expect, "{header:?}");
    };
    check(("host", "localhost:7878"), StatusCode::ACCEPTED).await;
    check(("host", "rebound.example"), StatusCode::UNAUTHORIZED).await;
    check(("origin", "https://evil.example"), StatusCode::UNAUTHORIZED).await;
    check(("x-forwarded-for", "127.0.0.1"), StatusCode::UNAUTHORIZED).await;
    let mut remote = writing().body(wanted()).unwrap();
    remote.extensions_mut().insert(ELSEWHERE);
    assert_eq!(app.send(remote).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn trust_is_the_operators_to_give() {
    let with = async |only_loopback, local_trust| {
        let config = Config {
            only_loopback,
            local_trust,
            ..Config::default()
        };
        let app = TestApp::with(config).await;
        crate::seed::catalogue(app.store()).await;
        app.send(writing().body(wanted()).unwrap()).await.status
    };
    assert_eq!(with(false, LocalTrust::UntilKey).await, StatusCode::UNAUTHORIZED);
    assert_eq!(with(true, LocalTrust::Never).await, StatusCode::UNAUTHORIZED);
    assert_eq!(with(false, LocalTrust::Always).await, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_key_gives_its_scope_and_no_more() {
    let app = TestApp::seeded().await;
    for (name, scope, expect) in [
        ("reader", Scope::Read, StatusCode::FORBIDDEN),
        ("crawler", Scope::Crawl, StatusCode::ACCEPTED),
        ("admin", Scope::Admin, StatusCode::ACCEPTED),
    ] {
        add_key(&app, name, scope).await;
        assert_eq!(write_with(&app, name).await.status, expect, "{name}");
        assert_eq!(
            read_with(&app, name, "/api/v1/models").await.status,
            StatusCode::OK
        );
    }
    assert_eq!(
        write_with(&app, "stranger").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        read_with(&app, "stranger", "/api/v1/models").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_revoked_key_is_worth_nothing_and_keeps_its_name() {
    let app = TestApp::new().await;
    let store = app.store();
    add_key(&app, "ci", Scope::Crawl).await;
    assert!(store.revoke_api_key("ci").await.unwrap());
    assert!(!store.revoke_api_key("ci").await.unwrap());
    assert_eq!(write_with(&app, "ci").await.status, StatusCode::UNAUTHORIZED);
    let again = key_digest("new");
    assert!(
        !store
            .add_api_key(&NewKey::new("ci", &again, Scope::Crawl))
            .await
            .unwrap()
    );
    let keys = store.list_api_keys().await.unwrap();
    assert!(keys[0].revoked_at.is_some() && keys[0].last_used_at.is_none());
}

#[tokio::test]
async fn requests_and_bytes_run_out() {
    let app = TestApp::seeded().await;
    let digests = [key_digest("hasty"), key_digest("greedy")];
    let hasty = NewKey {
        requests_per_minute: 2,
        ..NewKey::new("hasty", &digests[0], Scope::Read)
    };
    let greedy = NewKey {
        bytes_per_day: Some(1000),
        ..NewKey::new("greedy", &digests[1], Scope::Read)
    };
    for key in [hasty, greedy] {
        app.store().add_api_key(&key).await.unwrap();
    }
    let first = read_with(&app, "hasty", "/api/v1/crawls").await;
    assert_eq!(first.header("ratelimit-policy"), Some("\"requests\";q=2;w=60"));
    assert_eq!(first.header("ratelimit"), Some("\"requests\";r=1;t=30"));
    read_with(&app, "hasty", "/api/v1/crawls").await;
    let refused = read_with(&app, "hasty", "/api/v1/crawls").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.json()["type"], "urn:heirloom:problem:too-many-requests");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=31).contains(&wait), "{wait}");

    assert_eq!(
        read_with(&app, "greedy", "/api/v1/models").await.status,
        StatusCode::OK
    );
    // What was answered is counted after the answer.
    let spent = loop {
        let answer = read_with(&app, "greedy", "/api/v1/crawls").await;
        if answer.status != StatusCode::OK {
            break answer;
        }
    };
    assert_eq!(spent.json()["type"], "urn:heirloom:problem:budget-spent");
    assert_eq!(spent.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(spent.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn what_wanted_to_write_is_noted_and_what_read_is_not() {
    let app = TestApp::seeded().await;
    app.get("/api/v1/models").await;
    app.post("/api/v1/identify", &json!({"tensors": []})).await;
    app.send(writing().body(wanted()).unwrap()).await;
    add_key(&app, "reader", Scope::Read).await;
    write_with(&app, "reader").await;
    write_with(&app, "stranger").await;
    app.request(Method::DELETE, "/api/v1/models").await;
    let log = app.store().audit_log(10).await.unwrap();
    let lines: Vec<_> = log
        .iter()
        .rev()
        .map(|row| (row.actor.as_str(), row.action.as_str(), row.status.unwrap()))
        .collect();
    assert_eq!(
        lines,
        [
            ("local", "POST /api/v1/diffs", 202),
            ("reader", "POST /api/v1/diffs", 403),
            ("", "POST /api/v1/diffs", 401),
            ("anonymous", "DELETE /api/v1/models", 401),
        ]
    );
    assert!(log.iter().all(|row| row.request_id.is_some()));
}

#[tokio::test]
async fn only_pages_of_named_sites_may_read() {
    let config = Config {
        cors_origins: vec!["https://example.org".parse().unwrap()],
        ..Config::default()
    };
    let app = TestApp::with(config).await;
    let allowed = async |origin: &str| {
        let request = Request::get("/api/v1/crawls").header(header::ORIGIN, origin);
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(
        allowed("https://example.org").await.as_deref(),
        Some("https://example.org")
    );
    assert_eq!(allowed("https://other.example").await, None);
}
