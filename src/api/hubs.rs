//! The hubs that a caller may have crawled: the usual ones, and those the operator has used. Never an address a caller chooses.

use super::AppState;
use super::error::ApiError;
use crate::store::Store;
use axum::Json;
use axum::extract::State;
use heirloom_crawler::Pace;
use serde::Serialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Hubs with an address of their own.
const PUBLIC: [&str; 4] = ["hf", "onnx", "pytorch-hub", "modelhub-ai"];

/// A hub, and how gently it is read.
#[derive(Serialize, ToSchema)]
pub struct HubAddress {
    #[schema(example = "hf")]
    hub: String,
    endpoint: String,
    /// True for a folder of this machine, which is read without limits.
    local: bool,
    /// `null` for no limit but the hub's own.
    requests_per_second: Option<u32>,
    concurrent_requests: usize,
}

#[derive(Serialize, ToSchema)]
pub struct HubList {
    items: Vec<HubAddress>,
}

/// Hubs that may be crawled, with the limits kept for each process. What a hub itself asks for (`Retry-After`, `RateLimit`) comes first.
#[utoipa::path(get, path = "/hubs", operation_id = "list_hubs", tag = "service", responses((status = OK, body = HubList)))]
pub async fn list(State(state): State<AppState>) -> Result<Json<HubList>, ApiError> {
    let items = known(&state.store).await?.into_iter().map(|(hub, endpoint)| {
        let pace = Pace::usual(&endpoint);
        HubAddress {
            local: !endpoint.starts_with("http"),
            requests_per_second: pace.requests_per_second.map(u32::from),
            concurrent_requests: pace.concurrent_requests,
            hub,
            endpoint,
        }
    });
    Ok(Json(HubList {
        items: items.collect(),
    }))
}

/// The endpoint a caller means: the hub's first known one, or the one given, where it is known.
pub async fn endpoint_of(store: &Store, hub: &str, endpoint: Option<&str>) -> Result<String, ApiError> {
    let known = known(store).await?;
    let mut found = known.into_iter().filter(|(known_hub, known_endpoint)| {
        known_hub == hub && endpoint.is_none_or(|given| given == known_endpoint)
    });
    match found.next() {
        Some((_, endpoint)) => Ok(endpoint),
        None => Err(ApiError::UnknownHub {
            hub: hub.to_owned(),
            endpoint: endpoint.unwrap_or("its usual address").to_owned(),
        }),
    }
}

async fn known(store: &Store) -> Result<BTreeSet<(String, String)>, ApiError> {
    let usual = PUBLIC.iter().filter_map(|hub| {
        let endpoint = heirloom_crawler::open(hub, None).ok()?.endpoint();
        endpoint
            .starts_with("http")
            .then(|| ((*hub).to_owned(), endpoint))
    });
    let mut known: BTreeSet<_> = usual.collect();
    known.extend(store.used_endpoints().await?);
    Ok(known)
}
