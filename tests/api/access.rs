//! Keys: none is needed until the first is made; then whoever writes takes one.

use crate::app::{Answer, TestApp};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use heirloom::api::{KEY_PREFIX, key_digest};
use serde_json::json;

async fn request(app: &TestApp, method: Method, path: &str, key: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .body(Body::from(json!({"tensors": []}).to_string()));
    app.send(request.unwrap()).await
}

async fn identify(app: &TestApp, key: &str) -> StatusCode {
    request(app, Method::POST, "/api/v1/identify", key).await.status
}

#[tokio::test]
async fn the_first_key_closes_the_server_to_anonymous_writing() {
    let app = TestApp::new().await;
    let anonymous = json!({"tensors": []});
    assert_eq!(
        app.post("/api/v1/identify", &anonymous).await.status,
        StatusCode::OK
    );
    let key = format!("{KEY_PREFIX}one");
    app.store()
        .add_api_key("one", &key_digest(&key), "write")
        .await
        .unwrap();
    let refused = app.post("/api/v1/identify", &anonymous).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    assert_eq!(refused.json()["type"], "urn:heirloom:problem:key-missing");
    assert_eq!(app.get("/api/v1/models").await.status, StatusCode::OK);
    assert_eq!(identify(&app, &key).await, StatusCode::OK);
}

#[tokio::test]
async fn a_key_gives_its_scope_and_no_more() {
    let app = TestApp::new().await;
    for (name, scope, expect) in [
        ("reader", "read", StatusCode::FORBIDDEN),
        ("writer", "write", StatusCode::OK),
        ("admin", "admin", StatusCode::OK),
    ] {
        app.store()
            .add_api_key(name, &key_digest(name), scope)
            .await
            .unwrap();
        assert_eq!(identify(&app, name).await, expect, "{name}");
        assert_eq!(
            request(&app, Method::GET, "/api/v1/models", name).await.status,
            StatusCode::OK
        );
    }
    assert_eq!(identify(&app, "stranger").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_revoked_key_is_worth_nothing_and_keeps_its_name() {
    let app = TestApp::new().await;
    let store = app.store();
    assert!(
        store
            .add_api_key("ci", &key_digest("old"), "write")
            .await
            .unwrap()
    );
    assert!(store.revoke_api_key("ci").await.unwrap());
    assert!(!store.revoke_api_key("ci").await.unwrap());
    assert_eq!(identify(&app, "old").await, StatusCode::UNAUTHORIZED);
    assert!(
        !store
            .add_api_key("ci", &key_digest("new"), "write")
            .await
            .unwrap()
    );
    let keys = store.list_api_keys().await.unwrap();
    assert!(keys[0].revoked_at.is_some() && keys[0].last_used_at.is_none());
}
