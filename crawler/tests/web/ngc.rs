use super::{digest, serve};
use base64::Engine;
use heirloom_crawler::{HubError, ListFilter, open};
use serde_json::{Value, json};

const WEIGHTS: &str = "tao weights";

fn routes() -> Vec<(&'static str, Value)> {
    let sha = base64::engine::general_purpose::STANDARD.encode(hex::decode(digest(WEIGHTS)).unwrap());
    vec![
        (
            "/v2/search/catalog/resources/MODEL",
            json!({"resultPageTotal": 2, "results": [
                {"groupValue": "MODEL", "resources": [{"resourceId": "nvidia/tao/peoplenet"}, {"resourceId": "nvidia/bert"}, {"name": "no id"}]},
                {"groupValue": "CONTAINER", "resources": [{"resourceId": "nvidia/cuda"}]}
            ]}),
        ),
        (
            "/v2/models/nvidia/tao/peoplenet/versions/v1.0/files/models/net.onnx",
            json!(WEIGHTS),
        ),
        (
            "/v2/models/nvidia/tao/peoplenet/versions/v1.0/files",
            json!({"modelFiles": [{"path": "models/net.onnx", "sizeInBytes": WEIGHTS.len(), "sha256_base64": sha}],
                   "paginationInfo": {"index": 0, "totalPages": 1}}),
        ),
        (
            "/v2/models/nvidia/tao/peoplenet/versions?page-number=1",
            json!({"modelVersions": [{"versionId": "v2.0", "createdDate": "2024-02-01T00:00:00.000Z"}],
                   "paginationInfo": {"index": 1, "totalPages": 2}}),
        ),
        (
            "/v2/models/nvidia/tao/peoplenet/versions",
            json!({"modelVersions": [{"versionId": "v1.0", "createdDate": "2024-01-01T00:00:00.000Z", "description": "first"}],
                   "paginationInfo": {"index": 0, "totalPages": 2}}),
        ),
        (
            "/v2/models/nvidia/tao/peoplenet",
            json!({"model": {"name": "peoplenet", "application": "Object Detection", "framework": "TAO", "latestVersionIdStr": "v2.0",
                   "createdDate": "2024-01-01T00:00:00.000Z", "updatedDate": "2024-02-01T00:00:00.000Z", "canGuestDownload": true,
                   "labels": [{"key": "general", "values": ["people"]}], "description": "# PeopleNet"}}),
        ),
    ]
}

#[tokio::test]
async fn teams_are_part_of_the_name_and_versions_are_revisions() {
    let server = serve(routes()).await;
    let hub = open("ngc", Some(&server.url)).unwrap();
    let page = hub.list(&ListFilter::default(), None).await.unwrap();
    assert_eq!(page.names, ["nvidia/tao--peoplenet", "nvidia/bert"]);
    assert_eq!((page.skipped.len(), page.next.as_deref()), (1, Some("1")));
    assert_eq!(
        hub.list(&ListFilter::default(), Some("1")).await.unwrap().next,
        None
    );
    let name = "nvidia/tao--peoplenet";
    let package = hub.package(name).await.unwrap();
    assert_eq!(
        (package.revision.as_deref(), package.task.as_deref()),
        (Some("v2.0"), Some("Object Detection"))
    );
    assert_eq!(
        (package.tags.as_slice(), package.gated),
        (&["people".to_owned()][..], false)
    );
    let ids: Vec<_> = hub
        .revisions(name)
        .await
        .unwrap()
        .into_iter()
        .map(|revision| revision.id)
        .collect();
    assert_eq!(ids, ["v2.0", "v1.0"]);
    let files = hub.files(name, "v1.0").await.unwrap();
    assert_eq!(files[0].sha256, Some(digest(WEIGHTS)));
    let folder = tempfile::tempdir().unwrap();
    hub.download(name, "v1.0", &files[0], &folder.path().join("copy"))
        .await
        .unwrap();
    assert_eq!(
        hub.read(name, "v1.0", "models/net.onnx", 4..11).await.unwrap(),
        "weights"
    );
    let refused = hub.read(name, "v1.0", "../../x", 0..1).await;
    assert!(matches!(refused, Err(HubError::UnsafePath { .. })), "{refused:?}");
}
