//! Our crawler against our hub.

use super::fixture::{self, FIRST, GATED, PRIVATE, SECOND, TOKEN};
use heirloom_crawler::hf::{HfConfig, HfHub};
use heirloom_crawler::{FileEntry, Hub, HubError, ListFilter, Listing};
use sha2::{Digest, Sha256};
use std::sync::Arc;

#[tokio::test]
async fn lists_every_page_once_with_what_the_hub_says() {
    let fixture = fixture::start().await;
    let mut listing = Listing::new(Arc::new(fixture.client()), ListFilter::default());
    let (mut names, mut packages) = (Vec::new(), Vec::new());
    while let Some(page) = listing.next_page().await.unwrap() {
        assert!(page.names.len() <= 2 && page.skipped.is_empty());
        names.extend(page.names);
        packages.extend(page.packages);
    }
    names.sort();
    assert_eq!(names, ["acme/base", "acme/gated", "acme/tiny", "other/plain"]);
    let tiny = packages.iter().find(|package| package.name == "tiny").unwrap();
    assert_eq!(tiny.revision.as_deref(), Some(SECOND));
    assert_eq!(tiny.architecture.as_deref(), Some("TinyForCausalLM"));
    assert_eq!(tiny.raw["safetensors"]["total"], 200_000);
    assert!(
        packages
            .iter()
            .find(|package| package.name == "gated")
            .unwrap()
            .gated
    );
}

#[tokio::test]
async fn a_listing_goes_on_where_it_stopped() {
    let fixture = fixture::start().await;
    let hub: Arc<dyn Hub> = Arc::new(fixture.client());
    let mut listing = Listing::new(Arc::clone(&hub), ListFilter::default());
    let first = listing.next_page().await.unwrap().unwrap();
    let stored = listing.cursor().map(str::to_owned);
    let mut resumed = Listing::resume(hub, ListFilter::default(), stored);
    let second = resumed.next_page().await.unwrap().unwrap();
    assert!(first.names.iter().all(|name| !second.names.contains(name)));
    assert_eq!(first.names.len() + second.names.len(), 4);
    assert!(resumed.next_page().await.unwrap().is_none());
}

#[tokio::test]
async fn filters_by_author_and_search() {
    let fixture = fixture::start().await;
    let hub = fixture.client();
    let names = |author: Option<&str>, search: Option<&str>| {
        let filter = ListFilter {
            author: author.map(str::to_owned),
            search: search.map(str::to_owned),
            ..ListFilter::default()
        };
        let hub = hub.clone();
        async move { hub.list(&filter, None).await.unwrap().names }
    };
    assert_eq!(names(Some("other"), None).await, ["other/plain"]);
    assert_eq!(names(None, Some("TIN")).await, ["acme/tiny"]);
    assert!(names(Some("other"), Some("tiny")).await.is_empty());
}

#[tokio::test]
async fn inspects_a_package_and_its_history() {
    let fixture = fixture::start().await;
    let hub = fixture.client();
    let package = hub.package("acme/tiny").await.unwrap();
    assert_eq!(package.licence.as_deref(), Some("Apache-2.0"));
    assert_eq!(package.task.as_deref(), Some("text-generation"));
    assert_eq!(package.base_models, ["acme/base"]);
    assert_eq!(package.base_model_relation.as_deref(), Some("finetune"));
    assert_eq!(
        package.created_at.unwrap().to_string(),
        "2024-01-01 0:00:00.0 +00:00:00"
    );
    assert!(package.card.unwrap().ends_with("# Tiny\n"));
    let history = hub.revisions("acme/tiny").await.unwrap();
    let ids: Vec<_> = history.iter().map(|revision| revision.id.as_str()).collect();
    assert_eq!(ids, [SECOND, FIRST]);
    assert_eq!(history[0].title, "Train longer");
    assert_eq!(history[0].message, "For two more epochs.");
    assert_eq!(history[0].authors, ["ann"]);
    assert_eq!(history[1].tags, ["v1.0"]);
}

#[tokio::test]
async fn lists_the_files_of_each_revision_with_digests() {
    let fixture = fixture::start().await;
    let hub = fixture.client();
    let files = hub.files("acme/tiny", SECOND).await.unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "README.md",
            "config.json",
            "model.safetensors",
            "onnx/deep/model.onnx"
        ]
    );
    let weights = &files[2];
    let bytes = fixture::new_weights();
    assert_eq!(weights.size, Some(bytes.len() as u64));
    assert_eq!(weights.sha256, Some(hex::encode(Sha256::digest(&bytes))));
    assert_eq!(files[1].sha256, None);
    assert_eq!(hub.files("acme/tiny", "v1.0").await.unwrap().len(), 1);
}

#[tokio::test]
async fn reads_ranges_by_way_of_the_storage_host() {
    let fixture = fixture::start().await;
    let hub = fixture.client();
    let bytes = fixture::new_weights();
    for range in [
        0..8,
        100..1100,
        (bytes.len() as u64 - 3)..bytes.len() as u64,
        5..5,
    ] {
        let got = hub
            .read("acme/tiny", SECOND, "model.safetensors", range.clone())
            .await
            .unwrap();
        assert_eq!(got, bytes[range.start as usize..range.end as usize], "{range:?}");
    }
    let small = hub.read("acme/tiny", "main", "config.json", 2..15).await.unwrap();
    assert_eq!(small, "architectures");
    let length = bytes.len() as u64;
    let past_the_end = hub
        .read("acme/tiny", SECOND, "model.safetensors", length - 1..length + 1)
        .await;
    assert!(
        matches!(past_the_end, Err(HubError::OutOfRange { .. })),
        "{past_the_end:?}"
    );
}

#[tokio::test]
async fn downloads_whole_files_and_checks_them() {
    let fixture = fixture::start().await;
    let hub = fixture.client();
    let target = fixture.folder.path().join("copy");
    let files = hub.files("acme/tiny", SECOND).await.unwrap();
    let size = hub
        .download("acme/tiny", SECOND, &files[2], &target)
        .await
        .unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), fixture::new_weights());
    assert_eq!(Some(size), files[2].size);
    std::fs::remove_file(&target).unwrap();
    for wrong in [
        FileEntry {
            sha256: Some("0".repeat(64)),
            ..files[2].clone()
        },
        FileEntry {
            size: Some(size - 1),
            ..files[2].clone()
        },
    ] {
        let refused = hub.download("acme/tiny", SECOND, &wrong, &target).await;
        assert!(
            matches!(
                refused,
                Err(HubError::WrongDigest { .. } | HubError::WrongSize { .. })
            ),
            "{refused:?}"
        );
        assert!(!target.exists());
    }
    let left: Vec<_> = std::fs::read_dir(fixture.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "temporary files stay behind: {left:?}");
}

#[tokio::test]
async fn texts_are_read_whole_and_within_their_limit() {
    let fixture = fixture::start().await;
    let hub = fixture.client();
    assert!(
        hub.text("acme/tiny", "main", "config.json")
            .await
            .unwrap()
            .contains("hidden_size")
    );
    let refused = hub
        .read_whole("acme/tiny", "main", "model.safetensors", 1000)
        .await;
    assert!(matches!(refused, Err(HubError::TooLarge { limit: 1000, .. })));
}

#[tokio::test]
async fn gated_and_private_packages_open_to_their_token_only() {
    let fixture = fixture::start().await;
    let stranger = fixture.client();
    assert!(stranger.package(GATED).await.unwrap().card.is_none());
    let refused = stranger.read(GATED, "main", "model.safetensors", 0..8).await;
    assert!(matches!(refused, Err(HubError::Gated { .. })), "{refused:?}");
    assert!(matches!(
        stranger.package(PRIVATE).await,
        Err(HubError::NotFound { .. })
    ));
    let wrong = fixture.client_with_token("hf_wrong");
    assert!(matches!(
        wrong.read(GATED, "main", "model.safetensors", 0..8).await,
        Err(HubError::Gated { .. })
    ));
    // The storage host answers a request that carries the token with an error, so this also proves it is not sent there.
    let member = fixture.client_with_token(TOKEN);
    assert_eq!(
        member
            .read(GATED, "main", "model.safetensors", 0..8)
            .await
            .unwrap()
            .len(),
        8
    );
    assert!(member.package(PRIVATE).await.is_ok());
}

#[tokio::test]
async fn each_mistake_is_one_sentence() {
    let fixture = fixture::start().await;
    let hub = fixture.client();
    let url = &fixture.hub.url;
    let said = |error: HubError| error.to_string();
    assert_eq!(
        said(hub.package("acme/none").await.unwrap_err()),
        format!("acme/none is not on {url}, or it is private and needs a token")
    );
    assert_eq!(
        said(hub.files("acme/tiny", "v9").await.unwrap_err()),
        r#"revision "v9" of acme/tiny does not exist"#
    );
    assert_eq!(
        said(
            hub.read("acme/tiny", SECOND, "absent.bin", 0..1)
                .await
                .unwrap_err()
        ),
        format!(r#"acme/tiny has no file "absent.bin" at revision {SECOND}"#)
    );
    assert!(said(hub.package("../etc").await.unwrap_err()).contains("not a safe package name"));
    let nobody = HfHub::new(HfConfig {
        retry: fixture::quick_retries(),
        ..HfConfig::new("http://127.0.0.1:1")
    })
    .unwrap();
    assert!(
        said(nobody.list(&ListFilter::default(), None).await.unwrap_err())
            .starts_with("cannot reach http://127.0.0.1:1: ")
    );
    for endpoint in ["ftp://127.0.0.1", "127.0.0.1:80", "http://user:secret@127.0.0.1/"] {
        let refused = HfHub::new(HfConfig::new(endpoint)).unwrap_err().to_string();
        assert!(
            refused.contains("is not an address of a hub") && !refused.contains("secret"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn the_byte_budget_ends_reading() {
    let fixture = fixture::start().await;
    let hub = fixture.client_with(|config| config.byte_budget = Some(10));
    assert!(
        hub.read("acme/tiny", "main", "model.safetensors", 0..8)
            .await
            .is_ok()
    );
    let refused = hub.read("acme/tiny", "main", "model.safetensors", 8..16).await;
    assert!(matches!(refused, Err(HubError::BudgetSpent { limit: 10 })));
}
