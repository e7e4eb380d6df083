//! The shapes each hub's documents take, and what becomes of damaged entries.

use super::list_all;
use heirloom_crawler::{Hub, HubError, open};
use std::sync::Arc;

fn fixture(hub: &str) -> Arc<dyn Hub> {
    let folder = format!("{}/tests/documents/fixtures/{hub}", env!("CARGO_MANIFEST_DIR"));
    open(hub, Some(&folder)).unwrap()
}

#[tokio::test]
async fn manifests_in_date_order_give_each_file_its_history() {
    let hub = fixture("onnx");
    let page = list_all(&hub).await;
    assert_eq!(
        page.names,
        ["onnx/bvlcalexnet-7", "onnx/mnist-7", "onnx/resnet18-v1-7"]
    );
    let history = hub.revisions("onnx/bvlcalexnet-7").await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|revision| (revision.id.as_str(), revision.title.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("ddbbd127", "moved in the manifest"),
            ("e77240a6", "digest changed in the manifest"),
            ("8d345e63", "listed in the manifest"),
        ]
    );
    let digest = |revision: &'static str| {
        let hub = Arc::clone(&hub);
        async move {
            hub.files("onnx/bvlcalexnet-7", revision)
                .await
                .unwrap()
                .swap_remove(0)
                .sha256
                .unwrap()
        }
    };
    assert_eq!(digest("8d345e63").await, "a".repeat(64));
    assert_eq!(digest("main").await, "c".repeat(64));
    let package = hub.package("onnx/bvlcalexnet-7").await.unwrap();
    assert_eq!(package.task.as_deref(), Some("classification"));
    assert_eq!(package.created_at.unwrap().date().to_string(), "2021-08-20");
    assert_eq!(package.modified_at.unwrap().date().to_string(), "2023-12-26");
    assert_eq!(package.raw["metadata"]["io_ports"]["inputs"][0]["name"], "data");
    assert_eq!(package.licence, None);
}

#[tokio::test]
async fn what_the_newest_manifest_lacks_was_removed_and_damaged_entries_are_counted() {
    let hub = fixture("onnx");
    let removed = hub.package("onnx/mnist-7").await.unwrap();
    assert_eq!(removed.raw["removed"], true);
    let skipped = list_all(&hub).await.skipped;
    assert_eq!(skipped.len(), 3, "{skipped:?}");
    assert!(
        skipped[0].starts_with("02_2022-08-03_e77240a6.json entry 2: model_path"),
        "{skipped:?}"
    );
    assert!(
        skipped[1].contains("could lead outside its folder"),
        "{skipped:?}"
    );
    assert!(skipped[2].contains("model_sha"), "{skipped:?}");
}

#[tokio::test]
async fn files_beside_the_manifests_are_read_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = r#"[{"model_path": "m/tiny-7.onnx", "metadata": {"model_sha": "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5", "model_bytes": 5}}]"#;
    std::fs::write(folder.path().join("ONNX_HUB_MANIFEST.json"), manifest).unwrap();
    std::fs::create_dir(folder.path().join("m")).unwrap();
    std::fs::write(folder.path().join("m/tiny-7.onnx"), "12345").unwrap();
    let hub = open("onnx", folder.path().to_str()).unwrap();
    assert_eq!(
        hub.read("onnx/tiny-7", "main", "m/tiny-7.onnx", 1..3)
            .await
            .unwrap(),
        "23"
    );
    let file = hub.files("onnx/tiny-7", "main").await.unwrap().swap_remove(0);
    let target = folder.path().join("copy");
    assert_eq!(
        hub.download("onnx/tiny-7", "main", &file, &target).await.unwrap(),
        5
    );
    let refused = hub
        .read("onnx/tiny-7", "main", "ONNX_HUB_MANIFEST.json", 0..1)
        .await;
    assert!(matches!(refused, Err(HubError::FileNotFound { .. })));
}

#[tokio::test]
async fn cards_of_pytorch_hub() {
    let hub = fixture("pytorch-hub");
    let page = list_all(&hub).await;
    assert_eq!(page.names, ["pytorch/vision_tiny"]);
    assert_eq!(page.skipped.len(), 2, "{:?}", page.skipped);
    let package = hub.package("pytorch/vision_tiny").await.unwrap();
    assert_eq!(package.tags, ["vision", "scriptable"]);
    assert_eq!(package.papers, ["arxiv:1512.03385"]);
    assert_eq!(package.raw["load"][1]["entry"], "tiny_wide");
    let revision = hub.revisions("pytorch/vision_tiny").await.unwrap().swap_remove(0);
    assert_eq!(revision.tags, ["v0.10.0"]);
    assert_eq!(revision.id.len(), 40);
    let card = hub
        .text("pytorch/vision_tiny", "v0.10.0", "pytorch_vision_tiny.md")
        .await
        .unwrap();
    assert!(card.starts_with("---\nlayout"));
}

#[tokio::test]
async fn the_index_of_modelhub_ai() {
    let hub = fixture("modelhub-ai");
    let page = list_all(&hub).await;
    assert_eq!(page.names, ["modelhub-ai/squeezenet", "someone/unet"]);
    assert_eq!(page.skipped.len(), 2);
    let [squeezenet, unet] = &page.packages[..] else {
        panic!("two packages were expected")
    };
    assert_eq!(
        (squeezenet.library.as_deref(), unet.library.as_deref()),
        (None, Some("pytorch"))
    );
    assert_eq!(squeezenet.task.as_deref(), Some("ImageNet classification"));
    assert_eq!(squeezenet.endpoint, hub.endpoint());
}

#[tokio::test]
async fn a_folder_without_the_documents_says_so() {
    let empty = tempfile::tempdir().unwrap();
    for id in ["onnx", "pytorch-hub", "modelhub-ai"] {
        let hub = open(id, empty.path().to_str()).unwrap();
        let error = hub.package("o/n").await.unwrap_err();
        assert!(matches!(error, HubError::NoPackages { .. }), "{id}: {error}");
    }
    std::fs::write(empty.path().join("models.json"), r#"{"not": "a list"}"#).unwrap();
    for id in ["onnx", "modelhub-ai"] {
        let hub = open(id, empty.path().to_str()).unwrap();
        assert!(
            matches!(hub.package("o/n").await, Err(HubError::Malformed { .. })),
            "{id}"
        );
    }
}
