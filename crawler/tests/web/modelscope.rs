use super::{Server, answer, digest, json, target};
use heirloom_crawler::{HubError, ListFilter, open};
use serde_json::{Value, json as value};

const WEIGHTS: &str = "qwen weights";

fn model() -> Value {
    value!({"id": "Qwen/Qwen3", "display_name": "Qwen3", "downloads": 9, "likes": 2, "license": "apache-2.0", "tags": ["llm"],
            "tasks": ["text-generation"], "created_at": "2025-04-01T00:00:00Z", "last_modified": "2025-05-01T00:00:00Z", "private": false})
}

fn small_repository(head: &str) -> super::Reply {
    let target = target(head);
    if target.starts_with("/openapi/v1/models?") {
        let models = value!([model(), {"id": "../.."}]);
        return json(value!({"success": true, "data": {"models": models, "total_count": 4000}}).to_string());
    }
    if target.starts_with("/api/v1/models/Qwen/Qwen3/repo/files?") {
        let files = value!([
            {"Path": "README.md", "Type": "blob", "Size": 40, "Sha256": "c".repeat(64)},
            {"Path": "weights", "Type": "tree"},
            {"Path": "weights/model.safetensors", "Type": "blob", "Size": WEIGHTS.len(), "Sha256": digest(WEIGHTS)}
        ]);
        return json(value!({"Code": 200, "Data": {"Files": files}}).to_string());
    }
    match target {
        "/openapi/v1/models/Qwen/Qwen3" => json(value!({"success": true, "data": model()}).to_string()),
        "/api/v1/models/Qwen/Qwen3/revisions" => json(
            value!({"Data": {"RevisionMap": {
                "Branches": [{"Revision": "master", "CreatedAt": 1_745_000_000}],
                "Tags": [{"Revision": "v1.0", "CreatedAt": 1_744_000_000}, {"Revision": "v1.1", "CreatedAt": 1_744_500_000}]}}})
            .to_string(),
        ),
        "/api/v1/models/Qwen/Qwen3/repo?Revision=master&FilePath=README.md" => {
            super::file_reply(head, b"---\nbase_model: Qwen/Qwen2\n---\n# Qwen3\n")
        }
        "/api/v1/models/Qwen/Qwen3/repo?Revision=master&FilePath=weights%2Fmodel.safetensors" => {
            super::file_reply(head, WEIGHTS.as_bytes())
        }
        _ => answer("404 Not Found", "", ""),
    }
}

#[tokio::test]
async fn the_main_branch_is_named_by_its_content_and_tags_by_themselves() {
    let server = Server::start(|_, head| small_repository(head)).await;
    let hub = open("modelscope", Some(&server.url)).unwrap();
    let page = hub.list(&ListFilter::default(), None).await.unwrap();
    assert_eq!(
        (page.names.as_slice(), page.next.as_deref()),
        (&["Qwen/Qwen3".to_owned()][..], Some("2"))
    );
    assert_eq!(page.skipped.len(), 1);
    let package = hub.package("Qwen/Qwen3").await.unwrap();
    assert_eq!(
        (package.licence.as_deref(), package.downloads),
        (Some("Apache-2.0"), Some(9))
    );
    assert_eq!(package.base_models, ["Qwen/Qwen2"]);
    let head = package.revision.unwrap();
    assert_eq!(head.len(), 40);
    let ids: Vec<_> = hub
        .revisions("Qwen/Qwen3")
        .await
        .unwrap()
        .into_iter()
        .map(|revision| revision.id)
        .collect();
    assert_eq!(ids, [head.as_str(), "v1.1", "v1.0"]);
    let files = hub.files("Qwen/Qwen3", &head).await.unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["README.md", "weights/model.safetensors"]);
    assert_eq!(
        hub.read("Qwen/Qwen3", &head, paths[1], 5..12).await.unwrap(),
        "weights"
    );
    let folder = tempfile::tempdir().unwrap();
    hub.download("Qwen/Qwen3", &head, &files[1], &folder.path().join("copy"))
        .await
        .unwrap();
    let stale = hub.files("Qwen/Qwen3", &"0".repeat(40)).await;
    assert!(
        matches!(stale, Err(HubError::RevisionNotFound { .. })),
        "{stale:?}"
    );
}

#[tokio::test]
async fn a_listing_that_is_cut_says_so() {
    let server = Server::start(|_, head| small_repository(head)).await;
    let hub = open("modelscope", Some(&server.url)).unwrap();
    let last = hub.list(&ListFilter::default(), Some("30")).await.unwrap();
    assert_eq!(last.next, None);
    assert!(
        last.skipped[1].contains("3000 of its 4000 models"),
        "{:?}",
        last.skipped
    );
}

/// 3000 entries mean that there may be more, which only folders asked for by themselves show.
#[tokio::test]
async fn a_file_list_that_is_cut_is_read_folder_by_folder() {
    let entry = |path: String, kind: &str| value!({"Path": path, "Type": kind, "Size": 1});
    let server = Server::start(move |_, head| {
        let target = target(head);
        if target.ends_with("/revisions") {
            return json(
                value!({"Data": {"RevisionMap": {"Branches": [{"Revision": "master"}], "Tags": []}}})
                    .to_string(),
            );
        }
        let folder = ["a", "b"]
            .into_iter()
            .find(|folder| target.ends_with(&format!("Root={folder}")));
        let files: Vec<Value> = match folder {
            Some(folder) => (0..2000)
                .map(|number| entry(format!("{folder}/{number}"), "blob"))
                .collect(),
            None if target.contains("Recursive=True") => (0..3000)
                .map(|number| entry(format!("a/{number}"), "blob"))
                .collect(),
            None => vec![
                entry("a".into(), "tree"),
                entry("b".into(), "tree"),
                entry("top".into(), "blob"),
            ],
        };
        json(value!({"Data": {"Files": files}}).to_string())
    })
    .await;
    let hub = open("modelscope", Some(&server.url)).unwrap();
    assert_eq!(hub.files("o/n", "main").await.unwrap().len(), 4001);
}
