//! The REST API under /api/v1 and the dashboard at /.
//!
//! Enters: HTTP requests. Leaves: JSON described by the OpenAPI document that the handlers' annotations make, problem details for
//! every error, the dashboard's files. Handlers ask the store and shape its rows; they run no SQL and compute no evidence.

mod access;
mod atlas;
mod atom;
mod bom;
mod changes;
mod conditional;
mod crawls;
mod cursor;
mod dashboard;
mod diffs;
mod error;
mod extract;
mod facets;
mod graph;
mod health;
mod hubs;
mod jobs;
mod keys;
mod layers;
mod licences;
mod lineage;
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
mod study;
mod tensors;

pub use access::{KEY_PREFIX, key_digest, make_key};
pub use error::Problem;
pub use openapi::document;
pub use operations::operations;

use crate::store::Store;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// No request body is larger: references and names, never weights.
const MAX_BODY_BYTES: usize = 1 << 20;
/// No answer takes longer.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What handlers work with.
#[derive(Clone)]
pub struct AppState {
    pub store: Store,
}

/// The whole server: API, dashboard, limits and headers.
pub fn router(state: AppState) -> Router {
    let (api, _) = routes().split_for_parts();
    let api = api.layer(from_fn_with_state(state.clone(), access::require_right));
    let api = layers::answer_conditionally(api).layer(from_fn(operations::count_request));
    let api = api.with_state(state.clone()).merge(operations(state));
    layers::protect(api.fallback(get(dashboard::serve)), TIME_LIMIT)
}

/// Every route of the API, with its documentation.
fn routes() -> OpenApiRouter<AppState> {
    let v1 = OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(overview::overview))
        .routes(routes!(models::list))
        .routes(routes!(facets::count))
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
        .routes(routes!(tensors::list))
        .routes(routes!(tensors::holders))
        .routes(routes!(diffs::request, diffs::find))
        .routes(routes!(diffs::show))
        .routes(routes!(changes::list))
        .routes(routes!(changes::follow))
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
        .route("/openapi.json", get(openapi::show));
    OpenApiRouter::with_openapi(openapi::header()).nest("/api/v1", v1)
}
