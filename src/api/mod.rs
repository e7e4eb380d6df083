//! The REST API under /api/v1 and the dashboard at /.
//!
//! Enters: HTTP requests. Leaves: JSON described by the OpenAPI document that the handlers' annotations make, problem details for
//! every error, the dashboard's files. Handlers ask the store and shape its rows; they run no SQL and compute no evidence.

mod access;
mod atlas;
mod atom;
mod bom;
mod change;
mod changes;
mod conditional;
pub mod connections;
mod crawls;
mod cursor;
mod dashboard;
mod diffs;
mod docs;
mod error;
mod extract;
mod facets;
mod family;
mod graph;
mod health;
mod hubs;
mod jobs;
mod keys;
mod layers;
mod licences;
mod lineage;
mod model_list;
mod model_summary;
mod models;
mod names;
mod openapi;
mod operations;
mod overview;
mod releases;
mod resolve;
mod revisions;
mod schedules;
mod similar;
mod streams;
mod study;
mod tensors;
mod webhooks;

pub use access::{LocalTrust, key_digest, make_key};
pub use error::Problem;
pub use openapi::document;
pub use operations::operations;

use crate::jobs::WebhookPolicy;
use crate::store::Store;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::{Extension, Router};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// No request body is larger: references and names, never weights.
const MAX_BODY_BYTES: usize = 1 << 20;
/// No answer takes longer.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What an operator decides.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Nobody but this machine can connect.
    pub only_loopback: bool,
    pub local_trust: LocalTrust,
    /// Sites whose pages may read answers: `https://example.org`.
    pub cors_origins: Vec<HeaderValue>,
    pub webhooks: WebhookPolicy,
    /// Ends the streams, which would go on for ever.
    pub stop: CancellationToken,
}

/// What handlers work with.
#[derive(Clone)]
pub struct AppState {
    /// What the caller may see.
    pub store: Store,
    config: Arc<Config>,
    limits: Arc<access::Limits>,
    streams: Arc<Semaphore>,
}

impl AppState {
    pub fn new(store: Store, config: Config) -> Self {
        Self {
            store,
            config: Arc::new(config),
            limits: Arc::default(),
            streams: Arc::new(Semaphore::new(streams::MAX_STREAMS)),
        }
    }
}

/// The whole server: API, dashboard, limits and headers.
pub fn router(state: AppState) -> Router {
    let open = catalogue(AppState {
        store: state.store.public(),
        ..state.clone()
    });
    let whole = catalogue(state.clone());
    let by_right = async move |Extension(caller): Extension<access::Caller>, request: Request| {
        let router = if caller.sees_restricted { whole } else { open };
        router.oneshot(request).await
    };
    let cors = layers::cors(&state.config.cors_origins);
    let admitted = Router::new()
        .fallback(by_right)
        .layer(from_fn_with_state(state, access::admit));
    layers::protect(admitted.layer(cors), TIME_LIMIT)
}

/// The API over one sight of the catalogue, and the dashboard.
fn catalogue(state: AppState) -> Router {
    let (api, _) = routes().split_for_parts();
    let api = layers::answer_conditionally(api).layer(from_fn(operations::count_request));
    let api = api.with_state(state.clone()).merge(operations(state));
    api.fallback(get(dashboard::serve))
}

/// Every route of the API, with its documentation.
fn routes() -> OpenApiRouter<AppState> {
    let v1 = OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(overview::overview))
        .routes(routes!(model_list::list))
        .routes(routes!(facets::count))
        .routes(routes!(model_list::search))
        .routes(routes!(models::show))
        .routes(routes!(revisions::list))
        .routes(routes!(releases::list))
        .routes(routes!(resolve::show))
        .routes(routes!(lineage::show))
        .routes(routes!(licences::chain))
        .routes(routes!(atlas::list))
        .routes(routes!(similar::of_model))
        .routes(routes!(similar::identify))
        .routes(routes!(bom::show))
        .routes(routes!(bom::of_lock))
        .routes(routes!(bom::provenance::show))
        .routes(routes!(tensors::list))
        .routes(routes!(tensors::holders))
        .routes(routes!(diffs::request, diffs::find))
        .routes(routes!(diffs::show))
        .routes(routes!(changes::list))
        .routes(routes!(changes::follow))
        .routes(routes!(streams::changes))
        .routes(routes!(streams::progress))
        .routes(routes!(webhooks::list, webhooks::add))
        .routes(routes!(webhooks::remove))
        .routes(routes!(crawls::list, crawls::start))
        .routes(routes!(crawls::again))
        .routes(routes!(hubs::list))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::retry))
        .routes(routes!(jobs::cancel))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::save, schedules::remove))
        .routes(routes!(schedules::preview))
        .routes(routes!(keys::list, keys::add))
        .routes(routes!(keys::revoke))
        .routes(routes!(names::parse))
        .routes(routes!(study::show))
        .routes(routes!(study::save))
        .route("/docs", get(docs::show))
        .route("/docs.css", get(docs::style))
        .route("/openapi.json", get(openapi::show));
    OpenApiRouter::with_openapi(openapi::header()).nest("/api/v1", v1)
}
