#![allow(clippy::unwrap_used)]
use super::*;
use crate::{Hub, ListFilter};
use std::fs;

const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn sample() -> (tempfile::TempDir, DirHub) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "truth.json", "{}");
    write(
        root,
        "acme/tiny/README.md",
        "---\nlicense: apache-2.0\nbase_model: acme/base\n---\n# Tiny",
    );
    write(
        root,
        "acme/tiny/config.json",
        r#"{"architectures": ["TinyModel"]}"#,
    );
    write(root, "acme/tiny/model.safetensors", "new weights");
    write(
        root,
        "acme/tiny/.revisions/index.json",
        &format!(
            r#"[{{"sha": "{FIRST}", "date": "2024-01-01", "message": "First\n\nbody", "tags": ["v1.0"]}},
                {{"sha": "{SECOND}", "date": "2024-02-01T00:00:00Z", "message": "Second"}}]"#
        ),
    );
    write(
        root,
        &format!("acme/tiny/.revisions/{FIRST}/model.safetensors"),
        "old",
    );
    write(root, "acme/base/model.safetensors", "base");
    write(root, "acme/base/.git/config", "");
    let hub = DirHub::open(root).unwrap();
    (folder, hub)
}

#[tokio::test]
async fn facts_come_from_card_configuration_and_index() {
    let (_folder, hub) = sample();
    let package = hub.package("acme/tiny").await.unwrap();
    assert_eq!(package.revision.as_deref(), Some(SECOND));
    assert_eq!(package.architecture.as_deref(), Some("TinyModel"));
    assert_eq!(package.licence.as_deref(), Some("Apache-2.0"));
    assert_eq!(package.base_models, ["acme/base"]);
    assert_eq!(
        package.created_at.unwrap().to_string(),
        "2024-01-01 0:00:00.0 +00:00:00"
    );
    assert!(package.card.unwrap().ends_with("# Tiny"));
}

#[tokio::test]
async fn history_is_newest_first_and_each_revision_has_its_files() {
    let (_folder, hub) = sample();
    let history = hub.revisions("acme/tiny").await.unwrap();
    assert_eq!(history[0].id, SECOND);
    assert_eq!(
        (history[1].title.as_str(), history[1].message.as_str()),
        ("First", "body")
    );
    assert_eq!(history[1].tags, ["v1.0"]);
    for revision in [FIRST, "v1.0"] {
        let files = hub.files("acme/tiny", revision).await.unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].size, Some(3));
    }
    let files = hub.files("acme/tiny", "main").await.unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["README.md", "config.json", "model.safetensors"]);
    assert_eq!(
        hub.read("acme/tiny", "main", "model.safetensors", 4..11)
            .await
            .unwrap(),
        "weights"
    );
}

#[tokio::test]
async fn a_package_without_history_is_named_by_its_content() {
    let (folder, hub) = sample();
    let id = |hub: DirHub| async move { hub.revisions("acme/base").await.unwrap().swap_remove(0).id };
    let before = id(hub.clone()).await;
    assert_eq!(before.len(), 40);
    assert_eq!(before, id(DirHub::open(folder.path()).unwrap()).await);
    write(folder.path(), "acme/base/model.safetensors", "other");
    assert_ne!(before, id(hub).await);
}

#[tokio::test]
async fn lists_in_pages_and_filters() {
    let (_folder, hub) = sample();
    let page = hub.list(&ListFilter::default(), None).await.unwrap();
    assert_eq!(page.names, ["acme/base", "acme/tiny"]);
    let filter = ListFilter {
        author: Some("ACME".into()),
        search: Some("tin".into()),
        ..ListFilter::default()
    };
    assert_eq!(hub.list(&filter, None).await.unwrap().names, ["acme/tiny"]);
    let names: Vec<String> = ["a/a", "a/b", "a/c"].map(String::from).into();
    let first = disk::page_of(names.clone(), &ListFilter::default(), None, 2);
    assert_eq!((first.names.len(), first.next.as_deref()), (2, Some("a/b")));
    let second = disk::page_of(names, &ListFilter::default(), Some("a/b"), 2);
    assert_eq!((second.names, second.next), (vec!["a/c".to_owned()], None));
}

#[tokio::test]
async fn what_is_missing_or_damaged_is_named() {
    let (folder, hub) = sample();
    let message = |error: HubError| error.to_string();
    assert!(message(hub.package("acme/none").await.unwrap_err()).starts_with("acme/none is not on "));
    assert!(matches!(
        hub.files("acme/tiny", "v9").await,
        Err(HubError::RevisionNotFound { .. })
    ));
    assert!(matches!(
        hub.read("acme/tiny", "main", "x", 0..1).await,
        Err(HubError::FileNotFound { .. })
    ));
    assert!(matches!(
        hub.read("acme/tiny", "main", "../base/model.safetensors", 0..1)
            .await,
        Err(HubError::UnsafePath { .. })
    ));
    write(
        folder.path(),
        "acme/tiny/.revisions/index.json",
        r#"[{"sha": "../../..", "date": null}, {"sha": "a"}]"#,
    );
    assert!(matches!(
        hub.package("acme/tiny").await,
        Err(HubError::UnsafePath { .. })
    ));
    write(
        folder.path(),
        "acme/tiny/.revisions/index.json",
        r#"[{"sha": "a", "date": "yesterday"}]"#,
    );
    assert!(message(hub.package("acme/tiny").await.unwrap_err()).contains("[0].date"));
}

#[tokio::test]
async fn a_download_is_checked_and_leaves_nothing_behind_on_failure() {
    let (folder, hub) = sample();
    let target = folder.path().join("copy");
    let mut file = hub.files("acme/base", "main").await.unwrap().swap_remove(0);
    assert_eq!(
        hub.download("acme/base", "main", &file, &target).await.unwrap(),
        4
    );
    fs::remove_file(&target).unwrap();
    file.sha256 = Some("0".repeat(64));
    assert!(matches!(
        hub.download("acme/base", "main", &file, &target).await,
        Err(HubError::WrongDigest { .. })
    ));
    assert!(!target.exists());
}
