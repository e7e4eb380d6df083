use super::digest;
use heirloom_crawler::{HubError, ListFilter, open};
use serde_json::{Value, json};

const WEIGHTS: &str = "the weights of version two";

fn model(server: &str) -> Value {
    json!({
        "id": 827_184, "name": "My Mix (SDXL)", "type": "Checkpoint", "tags": ["anime", "base model"],
        "description": "<p>A mix.</p>", "creator": {"username": "ann"},
        "stats": {"downloadCount": 12, "thumbsUpCount": 3},
        "modelVersions": [
            {"id": 2, "name": "v2.0", "baseModel": "SDXL 1.0", "publishedAt": "2025-12-18T09:16:12.062Z", "description": "more",
             "files": [
                {"name": "mix.safetensors", "sizeKB": WEIGHTS.len() as f64 / 1024.0, "hashes": {"SHA256": digest(WEIGHTS).to_uppercase()},
                 "downloadUrl": format!("{server}/api/download/models/2")},
                {"name": "../up", "downloadUrl": format!("{server}/x")},
                {"name": "elsewhere.bin", "downloadUrl": "https://evil.example/x"}
             ]},
            {"id": 1, "name": "v1.0", "baseModel": "SD 1.5", "createdAt": "2025-01-01T00:00:00Z", "files": []},
            {"name": "no id"}
        ]
    })
}

#[tokio::test]
async fn versions_are_revisions_and_names_hold_the_id() {
    let server = super::Server::start(|_, head| {
        let host = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("host: ").map(str::to_owned))
            .map(|host| format!("http://{host}"))
            .unwrap_or_default();
        let target = super::target(head);
        if target.starts_with("/api/v1/models?") {
            let next = if target.contains("cursor=abc") { Value::Null } else { json!("abc") };
            return super::json(
                json!({"items": [model(&host), 7, {"id": 5, "name": "x", "creator": {"username": "../.."}}], "metadata": {"nextCursor": next}})
                    .to_string(),
            );
        }
        match target {
            "/api/v1/models/827184" => super::json(model(&host).to_string()),
            "/api/download/models/2" => super::file_reply(head, WEIGHTS.as_bytes()),
            _ => super::answer("404 Not Found", "", ""),
        }
    })
    .await;
    let hub = open("civitai", Some(&server.url)).unwrap();
    let filter = ListFilter {
        author: Some("ann".into()),
        ..ListFilter::default()
    };
    let page = hub.list(&filter, None).await.unwrap();
    assert_eq!(page.names, ["ann/827184-my-mix-sdxl"]);
    assert_eq!((page.skipped.len(), page.next.as_deref()), (2, Some("abc")));
    assert!(server.requests()[0].contains("username=ann"));
    assert_eq!(hub.list(&filter, Some("abc")).await.unwrap().next, None);

    let name = page.names[0].as_str();
    let package = hub.package(name).await.unwrap();
    assert_eq!(
        (package.revision.as_deref(), package.architecture.as_deref()),
        (Some("2"), Some("SDXL 1.0"))
    );
    assert_eq!(
        (package.downloads, package.likes, package.licence),
        (Some(12), Some(3), None)
    );
    assert!(package.base_models.is_empty(), "a family is no parent");
    let history = hub.revisions(name).await.unwrap();
    let titles: Vec<_> = history.iter().map(|revision| revision.title.as_str()).collect();
    assert_eq!(titles, ["v2.0", "v1.0"]);
    let files = hub.files(name, "2").await.unwrap();
    assert_eq!(files.len(), 2, "{files:?}");
    assert_eq!(files[0].size, Some(WEIGHTS.len() as u64));
    assert_eq!(
        hub.read(name, "2", "mix.safetensors", 4..11).await.unwrap(),
        "weights"
    );
    let folder = tempfile::tempdir().unwrap();
    hub.download(name, "2", &files[0], &folder.path().join("copy"))
        .await
        .unwrap();
    let refused = hub.read(name, "2", "elsewhere.bin", 0..1).await;
    assert!(
        matches!(refused, Err(HubError::CrossHostRedirect { .. })),
        "{refused:?}"
    );
    let missing = hub.package("ann/9-none").await;
    assert!(matches!(missing, Err(HubError::NotFound { .. })), "{missing:?}");
}
