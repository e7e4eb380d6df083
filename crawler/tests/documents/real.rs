//! The published documents themselves, which are not part of this repository.

use super::list_all;
use heirloom_crawler::{Hub, open};
use std::path::PathBuf;
use std::sync::Arc;

fn real(hub: &str, folder: &str) -> Option<Arc<dyn Hub>> {
    let data = std::env::var_os("HEIRLOOM_SHARED_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    let folder = data.join(folder);
    if !folder.is_dir() {
        println!("skipped: no {}", folder.display());
        return None;
    }
    open(hub, folder.to_str()).ok()
}

#[tokio::test]
async fn the_onnx_zoo_from_2021_to_2023() {
    let Some(hub) = real("onnx", "onnx_manifests") else {
        return;
    };
    let page = list_all(&hub).await;
    assert_eq!(
        (page.names.len(), page.skipped.len()),
        (184, 0),
        "{:?}",
        page.skipped
    );
    let (mut listed, mut changed, mut moved) = (0, 0, 0);
    for name in &page.names {
        for revision in hub.revisions(name).await.unwrap() {
            match revision.title.split(' ').next() {
                Some("listed") => listed += 1,
                Some("digest") => changed += 1,
                _ => moved += 1,
            }
        }
    }
    // 26 digests changed; every file moved to archive/ and back in December 2023.
    assert_eq!((listed, changed, moved), (184, 26, 2 * 184));
    assert!(
        page.packages
            .iter()
            .all(|package| package.raw.get("removed").is_none())
    );
}

#[tokio::test]
async fn the_cards_of_pytorch_hub() {
    let Some(hub) = real("pytorch-hub", "pytorch_hub") else {
        return;
    };
    let page = list_all(&hub).await;
    assert!(page.skipped.is_empty(), "{:?}", page.skipped);
    assert_eq!(page.names.len(), 52);
}

#[tokio::test]
async fn the_index_of_modelhub_ai() {
    let Some(hub) = real("modelhub-ai", "modelhub_ai") else {
        return;
    };
    let page = list_all(&hub).await;
    assert_eq!(
        (page.names.len(), page.skipped.len()),
        (33, 0),
        "{:?}",
        page.skipped
    );
}
