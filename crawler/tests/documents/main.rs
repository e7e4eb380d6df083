//! Hubs that are a few documents, from small fixtures and, where `HEIRLOOM_SHARED_DATA` names a folder with the real ones, from
//! those: `onnx_manifests/`, `pytorch_hub/`, `modelhub_ai/`.

#![allow(clippy::unwrap_used)]

mod real;
mod small;

use heirloom_crawler::{Hub, ListFilter, Page};
use std::sync::Arc;

async fn list_all(hub: &Arc<dyn Hub>) -> Page {
    hub.list(&ListFilter::default(), None).await.unwrap()
}
