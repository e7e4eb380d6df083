//! The `hf-hub` crate, which shares no code with ours, against our hub.

use super::fixture::{self, FIRST, Fixture, GATED, SECOND, TOKEN};
use futures::TryStreamExt;
use hf_hub::HFClient;
use hf_hub::repository::{HFRepository, RepoTreeEntry, RepoTypeModel};

/// Retries are left to the test: this client's own ignore what the hub asks for.
fn client(fixture: &Fixture, token: Option<&str>) -> HFClient {
    let builder = HFClient::builder()
        .endpoint(&fixture.hub.url)
        .cache_dir(fixture.folder.path().join(".client-cache"))
        .retry_max_attempts(0);
    match token {
        Some(token) => builder.token(token),
        None => builder,
    }
    .build()
    .unwrap()
}

fn tiny(fixture: &Fixture) -> HFRepository<RepoTypeModel> {
    client(fixture, None).model("acme", "tiny")
}

#[tokio::test]
async fn lists_models_over_all_pages() {
    let fixture = fixture::start().await;
    let models: Vec<_> = client(&fixture, None)
        .list_models()
        .full(true)
        .card_data(true)
        .send()
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let mut ids: Vec<_> = models.iter().map(|model| model.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["acme/base", "acme/gated", "acme/tiny", "other/plain"]);
    let tagged: Vec<_> = client(&fixture, None)
        .list_models()
        .filter("license:apache-2.0")
        .send()
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(tagged.len(), 1);
}

#[tokio::test]
async fn inspects_a_model() {
    let fixture = fixture::start().await;
    let repository = tiny(&fixture);
    let info = repository.info().send().await.unwrap();
    assert_eq!(info.sha.as_deref(), Some(SECOND));
    assert_eq!(info.safetensors.unwrap().total, 200_000);
    assert_eq!(info.siblings.unwrap().len(), 4);
    let old = repository.info().revision("v1.0").send().await.unwrap();
    assert_eq!(old.sha.as_deref(), Some(FIRST));
    let refs = repository.list_refs().send().await.unwrap();
    assert_eq!(refs.tags[0].name, "v1.0");
    let commits: Vec<_> = repository
        .list_commits()
        .send()
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        commits
            .iter()
            .map(|commit| commit.id.as_str())
            .collect::<Vec<_>>(),
        [SECOND, FIRST]
    );
    assert_eq!(commits[0].title, "Train longer");
}

#[tokio::test]
async fn walks_the_tree_and_asks_for_paths() {
    let fixture = fixture::start().await;
    let repository = tiny(&fixture);
    let entries: Vec<_> = repository
        .list_tree()
        .recursive(true)
        .expand(true)
        .send()
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let paths: Vec<_> = entries
        .iter()
        .map(|entry| match entry {
            RepoTreeEntry::File {
                path, last_commit, ..
            } => {
                assert!(last_commit.is_some(), "{path}");
                path.as_str()
            }
            RepoTreeEntry::Directory { path, .. } => path.as_str(),
        })
        .collect();
    assert_eq!(
        paths,
        [
            "README.md",
            "config.json",
            "model.safetensors",
            "onnx",
            "onnx/deep",
            "onnx/deep/model.onnx"
        ]
    );
    let wanted = vec!["config.json".to_owned(), "onnx".to_owned(), "absent".to_owned()];
    assert_eq!(
        repository
            .get_paths_info()
            .paths(wanted)
            .send()
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn downloads_files_and_a_snapshot() {
    let fixture = fixture::start().await;
    let repository = tiny(&fixture);
    let bytes = repository
        .download_file_to_bytes()
        .filename("model.safetensors")
        .send()
        .await
        .unwrap();
    assert_eq!(bytes, fixture::new_weights());
    let range = repository
        .download_file_to_bytes()
        .filename("model.safetensors")
        .range(8..16)
        .send()
        .await
        .unwrap();
    assert_eq!(range, fixture::new_weights()[8..16]);
    let folder = repository.snapshot_download().send().await.unwrap();
    assert_eq!(
        std::fs::read(folder.join("model.safetensors")).unwrap(),
        fixture::new_weights()
    );
    // A second time, everything is known by its ETag.
    assert_eq!(repository.snapshot_download().send().await.unwrap(), folder);
    let cache = heirloom_crawler::cache::CacheHub::open(fixture.folder.path().join(".client-cache")).unwrap();
    let package = heirloom_crawler::Hub::package(&cache, "acme/tiny").await.unwrap();
    assert_eq!(package.revision.as_deref(), Some(SECOND));
}

#[tokio::test]
async fn a_gated_model_needs_its_token() {
    let fixture = fixture::start().await;
    let download = |token| {
        let model = client(&fixture, token).model("acme", "gated");
        async move {
            model
                .download_file_to_bytes()
                .filename("model.safetensors")
                .send()
                .await
        }
    };
    let refused = download(None).await.unwrap_err();
    assert!(
        format!("{refused:?}").to_lowercase().contains("gated"),
        "{refused:?} for {GATED}"
    );
    assert!(download(Some(TOKEN)).await.is_ok());
}
