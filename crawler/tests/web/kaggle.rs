use super::serve;
use heirloom_crawler::{HubError, ListFilter, open};
use serde_json::{Value, json};

fn model() -> Value {
    json!({
        "id": 3301, "ref": "google/gemma", "title": "Gemma", "slug": "gemma", "isPrivate": false, "description": "A family.",
        "tags": [{"name": "text generation"}], "publishTime": "2024-02-21T13:00:00Z", "updateTime": "2024-04-01T00:00:00Z",
        "voteCount": 40,
        "instances": [
            {"slug": "2b", "framework": "MODEL_FRAMEWORK_PY_TORCH", "versionNumber": 2, "licenseName": "Apache 2.0", "overview": "Two billion.",
             "trainingData": ["web"], "baseModelInstanceInformation": {"owner": {"slug": "google"}, "modelSlug": "gemma",
             "instanceSlug": "7b", "framework": "MODEL_FRAMEWORK_PY_TORCH"}},
            {"slug": "7b", "framework": "keras", "versionNumber": 1}
        ]
    })
}

fn routes() -> Vec<(&'static str, Value)> {
    vec![
        (
            "/api/v1/models/list",
            json!({"models": [model(), {"ref": 3, "instances": [{}]}], "nextPageToken": ""}),
        ),
        ("/api/v1/models/google/gemma/get", model()),
        (
            "/api/v1/models/google/gemma/pyTorch/2b/list?pageSize=100&pageToken=more",
            json!({"versionList": {"versions": [{"versionNumber": 2}]}, "nextPageToken": ""}),
        ),
        (
            "/api/v1/models/google/gemma/pyTorch/2b/list",
            json!({"versionList": {"versions": [{"versionNumber": 1}]}, "nextPageToken": "more"}),
        ),
        (
            "/api/v1/models/google/gemma/pyTorch/2b/2/files",
            json!({"files": [{"name": "model.ckpt", "size": 7}, {"name": "config.json", "size": 2}], "nextPageToken": ""}),
        ),
        (
            "/api/v1/models/google/gemma/pyTorch/2b/2/download?path=model.ckpt",
            json!("weights"),
        ),
        (
            "/api/v1/models/google/gemma/keras/7b/list",
            json!({"versionList": {"versions": []}, "nextPageToken": "again"}),
        ),
    ]
}

#[tokio::test]
async fn variations_are_packages_and_versions_revisions() {
    let server = serve(routes()).await;
    let hub = open("kaggle", Some(&server.url)).unwrap();
    let page = hub.list(&ListFilter::default(), None).await.unwrap();
    assert_eq!(
        page.names,
        ["google/gemma--pyTorch--2b", "google/gemma--keras--7b"]
    );
    assert_eq!((page.skipped.len(), page.next), (1, None));
    let name = "google/gemma--pyTorch--2b";
    let package = hub.package(name).await.unwrap();
    assert_eq!(
        (package.revision.as_deref(), package.library.as_deref()),
        (Some("2"), Some("pyTorch"))
    );
    assert_eq!(package.base_models, ["google/gemma--pyTorch--7b"]);
    assert_eq!(
        (package.likes, package.datasets.as_slice()),
        (Some(40), &["web".to_owned()][..])
    );
    let ids: Vec<_> = hub
        .revisions(name)
        .await
        .unwrap()
        .into_iter()
        .map(|revision| revision.id)
        .collect();
    assert_eq!(ids, ["2", "1"]);
    let files = hub.files(name, "2").await.unwrap();
    assert_eq!(
        (files[0].path.as_str(), files[0].size, &files[0].sha256),
        ("model.ckpt", Some(7), &None)
    );
    assert_eq!(hub.read(name, "2", "model.ckpt", 0..4).await.unwrap(), "weig");
}

#[tokio::test]
async fn what_is_missing_or_goes_in_circles_is_named() {
    let server = serve(routes()).await;
    let hub = open("kaggle", Some(&server.url)).unwrap();
    let looped = hub.revisions("google/gemma--keras--7b").await;
    assert!(matches!(looped, Err(HubError::CursorLoop { .. })), "{looped:?}");
    let missing = hub.package("google/gemma--jax--2b").await;
    assert!(matches!(missing, Err(HubError::NotFound { .. })), "{missing:?}");
    let missing = hub.files("google/gemma--pyTorch--2b", "9").await;
    assert!(
        matches!(missing, Err(HubError::RevisionNotFound { .. })),
        "{missing:?}"
    );
    let unsafe_name = hub.package("google/gemma").await;
    assert!(
        matches!(unsafe_name, Err(HubError::UnsafeName { .. })),
        "{unsafe_name:?}"
    );
}
