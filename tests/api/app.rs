//! A server without a socket over a database of its own.

use crate::harness::TestDatabase;
use crate::seed;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use heirloom::api::{AppState, Config, router};
use heirloom::store::Store;
use serde_json::Value;
use std::net::SocketAddr;
use tower::ServiceExt;

pub struct TestApp {
    router: Router,
    database: TestDatabase,
}

impl TestApp {
    /// Over an empty database.
    pub async fn new() -> Self {
        Self::with(Config {
            only_loopback: true,
            ..Config::default()
        })
        .await
    }

    /// Over an empty database, as `config` says.
    pub async fn with(config: Config) -> Self {
        let database = TestDatabase::new().await;
        let state = AppState::new(database.store.clone(), config);
        Self {
            router: router(state),
            database,
        }
    }

    /// Over the catalogue of [`seed`].
    pub async fn seeded() -> Self {
        let app = Self::new().await;
        seed::catalogue(app.store()).await;
        app
    }

    pub fn router(&self) -> Router {
        self.router.clone()
    }

    pub fn store(&self) -> &Store {
        &self.database.store
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    pub async fn request(&self, method: Method, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends from this machine, unless the request says from where; the answer's body is still to come.
    pub async fn open(&self, mut request: Request<Body>) -> Response {
        let extensions = request.extensions_mut();
        extensions.get_or_insert_with(|| ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000))));
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.open(request).await;
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: to_bytes(body, usize::MAX).await.unwrap(),
        }
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The JSON body with what differs from run to run blanked.
    pub fn stable_json(&self) -> Value {
        let mut value = self.json();
        blank(&mut value);
        value
    }
}

const RUN_DEPENDENT: [&str; 4] = ["started_at", "finished_at", "active_at", "next"];

/// Ids of diffs are random; other ids count from one in a fresh database.
fn differs(name: &str, value: &Value) -> bool {
    let random = || value.as_str().is_some_and(|id| uuid::Uuid::parse_str(id).is_ok());
    !value.is_null() && (RUN_DEPENDENT.contains(&name) || name == "id" && random())
}

fn blank(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(blank),
        Value::Object(fields) => {
            for (name, value) in fields {
                match differs(name, value) {
                    true => *value = Value::from(format!("[{name}]")),
                    false => blank(value),
                }
            }
        }
        _ => {}
    }
}
