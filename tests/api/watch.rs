//! Webhooks and streams: changes reach whoever follows them, and nobody else.

use crate::app::TestApp;
use crate::seed;
use axum::body::Body;
use axum::extract::{Request as AxumRequest, State};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use heirloom::api::{Config, key_digest};
use heirloom::jobs::{WebhookPolicy, WorkerOptions, Workers};
use heirloom::store::api_keys::{NewKey, Scope};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What a receiver was sent.
type Inbox = Arc<Mutex<Vec<(String, HeaderMap, String)>>>;

/// Takes everything, but the first request to each path; what is sent to /moved is redirected to /taken.
async fn receive(State(inbox): State<Inbox>, request: AxumRequest) -> Response {
    let path = request.uri().path().to_owned();
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    if path == "/moved" {
        return Redirect::temporary("/taken").into_response();
    }
    let mut inbox = inbox.lock().unwrap();
    let first = !inbox.iter().any(|(other, ..)| other == &path);
    inbox.push((path, parts.headers, String::from_utf8(body.to_vec()).unwrap()));
    match first {
        true => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        false => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn receiver() -> (SocketAddr, Inbox) {
    let inbox = Inbox::default();
    let router = axum::Router::new().fallback(receive).with_state(inbox.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    (address, inbox)
}

fn policy() -> WebhookPolicy {
    WebhookPolicy {
        allowed_hosts: vec!["127.0.0.1".to_owned()],
    }
}

async fn app() -> TestApp {
    TestApp::with(Config {
        only_loopback: true,
        webhooks: policy(),
        ..Config::default()
    })
    .await
}

async fn add(app: &TestApp, wanted: Value) -> Value {
    let answer = app.post("/api/v1/webhooks", &wanted).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    answer.json()
}

/// Waits until `ready`; the test's own time limit ends a wait in vain.
async fn until<F: Future<Output = bool>>(ready: impl Fn() -> F) {
    while !ready().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_signed(secret: &str, headers: &HeaderMap, body: &str) -> bool {
    let secret = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let text = |name: &str| headers[name].to_str().unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
    mac.update(format!("{}.{}.{body}", text("webhook-id"), text("webhook-timestamp")).as_bytes());
    let signature = STANDARD
        .decode(text("webhook-signature").strip_prefix("v1,").unwrap())
        .unwrap();
    mac.verify_slice(&signature).is_ok()
}

#[tokio::test]
async fn a_webhook_is_told_each_change_once_it_answers() {
    let app = app().await;
    let (address, inbox) = receiver().await;
    let url = |path: &str| format!("http://{address}{path}");
    let all = add(&app, json!({"url": url("/all")})).await;
    let silent = add(
        &app,
        json!({"url": url("/silent"), "kinds": ["silent-change"], "owner": "lab"}),
    )
    .await;
    let moved = add(
        &app,
        json!({"url": url("/moved"), "kinds": ["contradicted-base"]}),
    )
    .await;
    let stop = CancellationToken::new();
    let scratch = tempfile::tempdir().unwrap();
    let options = WorkerOptions {
        webhooks: policy(),
        ..WorkerOptions::new(scratch.path().to_owned())
    };
    let workers = Workers::start(app.store(), options, stop.clone()).await.unwrap();
    seed::catalogue(app.store()).await;

    let changes = app.get("/api/v1/changes").await.json();
    let changes = changes["items"].as_array().unwrap().clone();
    let silent_changes = changes
        .iter()
        .filter(|change| change["kind"] == "silent-change")
        .count();
    // The first to each path was refused, and came again.
    let sent = |path: &str| inbox.lock().unwrap().iter().filter(|(to, ..)| to == path).count();
    until(async || sent("/all") > changes.len() && sent("/silent") > silent_changes).await;
    let failure = async || {
        let row = app
            .store()
            .webhook(moved["id"].as_str().unwrap().parse().unwrap())
            .await
            .unwrap();
        row.unwrap().last_error.unwrap_or_default()
    };
    until(async || failure().await.contains("307")).await;
    stop.cancel();
    workers.finish().await.unwrap();

    assert_eq!(sent("/taken"), 0, "a redirect was followed");
    let inbox = inbox.lock().unwrap();
    for (path, headers, body) in inbox.iter() {
        let secret = if path == "/all" {
            &all["secret"]
        } else {
            &silent["secret"]
        };
        assert!(is_signed(secret.as_str().unwrap(), headers, body));
        let body: Value = serde_json::from_str(body).unwrap();
        assert!(changes.contains(&body["data"]), "{body}");
        assert_eq!(body["type"], body["data"]["kind"]);
        assert!(path == "/all" || body["type"] == "silent-change");
    }
    let told = changes.iter().all(|change| {
        let mut sent = inbox.iter().filter(|(path, ..)| path == "/all");
        sent.any(|(_, _, body)| serde_json::from_str::<Value>(body).unwrap()["data"] == *change)
    });
    assert!(told);
}

#[tokio::test]
async fn a_family_is_followed_through_its_edges() {
    use heirloom::store::watch::WatchFilter;
    let app = TestApp::seeded().await;
    let store = app.store();
    let root = store.model_id("hf", "lab", "tuned").await.unwrap().unwrap();
    let filter = WatchFilter {
        packages: Some(store.family(root, 50, 100).await.unwrap().members),
        ..WatchFilter::default()
    };
    let newest = store.number_changes().await.unwrap();
    let told = store.changes_between(0, newest, &filter, 100).await.unwrap();
    let models: std::collections::BTreeSet<String> =
        told.iter().map(|told| told.change.reference()).collect();
    assert_eq!(
        models.into_iter().collect::<Vec<_>>(),
        ["hf:lab/base", "hf:lab/mixed", "hf:lab/tuned"]
    );
}

#[tokio::test]
async fn addresses_that_are_not_allowed_are_refused() {
    let app = TestApp::new().await;
    for url in [
        "http://example.org/",
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://localhost/",
        "ftp://example.org/",
        "nonsense",
    ] {
        let answer = app.post("/api/v1/webhooks", &json!({"url": url})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{url}");
        assert_eq!(answer.json()["type"], "urn:heirloom:problem:webhook-refused");
    }
    let half = json!({"url": "https://example.org/", "name": "base"});
    assert_eq!(
        app.post("/api/v1/webhooks", &half).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn webhooks_are_their_makers_own() {
    let app = app().await;
    for (name, scope) in [
        ("one", Scope::Crawl),
        ("other", Scope::Crawl),
        ("reader", Scope::Read),
    ] {
        let digest = key_digest(name);
        app.store()
            .add_api_key(&NewKey::new(name, &digest, scope))
            .await
            .unwrap();
    }
    let ask = async |method: Method, path: &str, key: &str, body: Value| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json");
        app.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    };
    let wanted = json!({"url": "https://example.org/hook"});
    let made = ask(Method::POST, "/api/v1/webhooks", "one", wanted).await.json();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let list = async |key: &str| ask(Method::GET, "/api/v1/webhooks", key, Value::Null).await;
    let listed = list("one").await.json();
    assert_eq!(listed["items"][0]["id"], made["id"]);
    assert!(listed["items"][0].get("secret").is_none());
    assert_eq!(list("other").await.json()["items"], json!([]));
    assert_eq!(list("reader").await.status, StatusCode::FORBIDDEN);
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    let remove = async |key: &str| ask(Method::DELETE, &path, key, Value::Null).await.status;
    assert_eq!(remove("other").await, StatusCode::NOT_FOUND);
    assert_eq!(remove("one").await, StatusCode::NO_CONTENT);
    assert_eq!(remove("one").await, StatusCode::NOT_FOUND);
}

/// The first `count` events of a stream: their fields by name.
async fn events(app: &TestApp, request: Request<Body>, count: usize) -> Vec<Vec<(String, String)>> {
    let response = app.open(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let mut text = String::new();
    let mut events = Vec::new();
    while events.len() < count {
        text += std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap();
        while let Some((event, rest)) = text.split_once("\n\n") {
            let fields = event.lines().filter_map(|line| line.split_once(": "));
            let fields: Vec<(String, String)> = fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            if !fields.is_empty() {
                events.push(fields);
            }
            text = rest.to_owned();
        }
    }
    events
}

fn field<'a>(event: &'a [(String, String)], name: &str) -> &'a str {
    &event.iter().find(|(field, _)| field == name).unwrap().1
}

#[tokio::test]
async fn changes_are_streamed_and_go_on_where_they_were() {
    let app = TestApp::seeded().await;
    let feed = app.get("/api/v1/changes").await.json();
    let feed = feed["items"].as_array().unwrap();
    let all = Request::get("/api/v1/changes/stream?after=0")
        .body(Body::empty())
        .unwrap();
    let all = events(&app, all, feed.len()).await;
    for event in &all {
        assert_eq!(field(event, "event"), "change");
        let change: Value = serde_json::from_str(field(event, "data")).unwrap();
        assert!(feed.contains(&change), "{change}");
    }
    let rest = Request::get("/api/v1/changes/stream").header("last-event-id", field(&all[0], "id"));
    let rest = events(&app, rest.body(Body::empty()).unwrap(), feed.len() - 1).await;
    assert_eq!(rest, all[1..]);
}

#[tokio::test]
async fn progress_is_streamed_until_the_work_has_ended() {
    let app = TestApp::seeded().await;
    let wanted = json!({"a": "hf:lab/base", "b": "hf:lab/tuned"});
    let id = app.post("/api/v1/diffs", &wanted).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let request = Request::get("/api/v1/progress/stream")
        .body(Body::empty())
        .unwrap();
    let store = app.store().clone();
    let work = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        store
            .fail_diff(id.parse().unwrap(), "no such luck")
            .await
            .unwrap();
    };
    let (events, ()) = tokio::join!(events(&app, request, 2), work);
    let statuses: Vec<Value> = events
        .iter()
        .map(|event| serde_json::from_str(field(event, "data")).unwrap())
        .collect();
    assert_eq!(statuses[0]["id"], format!("diff:{id}"));
    assert_eq!(
        (&statuses[0]["status"], &statuses[1]["status"]),
        (&json!("queued"), &json!("failed"))
    );
}
