//! The whole pipeline over a small hub folder, on a real Postgres: packages, fingerprints, edges, versions, failures, reruns.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::TestDatabase;
use harness::hub::{conclusions, hub_folder, without_dates};
use heirloom::fingerprint::Level;
use heirloom::jobs::{CrawlOptions, CrawlReport, Silent, crawl, run_diff};
use heirloom::store::Store;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

async fn run(store: &Store, folder: &Path) -> CrawlReport {
    let hub = heirloom_crawler::open("dir", folder.to_str()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let options = CrawlOptions {
        author: None,
        search: None,
        limit: None,
        level: Level::Full,
        relist: false,
        scratch: scratch.path().to_owned(),
    };
    crawl(store, hub, &options, Arc::new(Silent)).await.unwrap()
}

#[tokio::test]
async fn a_folder_becomes_edges_and_versions() {
    let database = TestDatabase::new().await;
    let folder = hub_folder();
    let report = run(&database.store, folder.path()).await;
    assert_eq!(
        (report.totals.packages, report.totals.new_revisions),
        (5, 6),
        "{report:?}"
    );
    assert_eq!(report.failures.len(), 1, "{report:?}");
    assert!(
        report.failures[0].package.starts_with("other/damaged@"),
        "{report:?}"
    );
    assert!(!report.failures[0].reason.contains('\n'));

    let found = conclusions(&database.store).await;
    let edge = |child: &str| -> Vec<&str> {
        let parts = found["edges"][child].as_array();
        parts.map_or(vec![], |parts| {
            parts[..4].iter().filter_map(Value::as_str).collect()
        })
    };
    assert_eq!(
        edge("base-bf16"),
        ["duplicate", "cast", "base", "confirmed"],
        "{found:#}"
    );
    assert_eq!(edge("base-tuned")[0], "finetune", "{found:#}");
    assert_eq!(edge("base-tuned")[2..], ["base", "confirmed"], "{found:#}");
    assert!(
        edge("stranger").is_empty() && edge("base").is_empty(),
        "{found:#}"
    );
    assert_eq!(found["verdicts"]["stranger"], "contradicted", "{found:#}");
    // Four sets of weights are readable; the two revisions of the base share one.
    assert_eq!(found["fingerprints"], 4, "{found:#}");
    assert_eq!(found["due"], 0, "{found:#}");
    let versions = found["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 6, "{found:#}");
    assert_eq!(versions[1][3], "patch", "the card alone: {found:#}");
}

/// The index leads from weights to the nearest stored ones: themselves, then a cast, then a fine-tune; a stranger is far.
#[tokio::test]
async fn the_nearest_weights_are_found() {
    let database = TestDatabase::new().await;
    let folder = hub_folder();
    run(&database.store, folder.path()).await;
    let store = &database.store;
    let base = store.fingerprint("dir", "org", "base", None).await.unwrap();
    let signature = base.expect("the base was read").signature().unwrap();
    let distances: Vec<f64> = store
        .nearest(&signature, 10)
        .await
        .unwrap()
        .iter()
        .map(|neighbour| neighbour.distance)
        .collect();
    assert!(distances.len() >= 3 && distances[0] == 0.0, "{distances:?}");
    assert!(distances[1] < 0.01 && distances.is_sorted(), "{distances:?}");
    assert_eq!(store.nearest(&signature, 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let database = TestDatabase::new().await;
    let folder = hub_folder();
    run(&database.store, folder.path()).await;
    let before = conclusions(&database.store).await;
    let report = run(&database.store, folder.path()).await;
    assert_eq!(
        (report.totals.new_revisions, report.totals.fingerprints),
        (0, 0),
        "{report:?}"
    );
    assert_eq!(report.totals.unchanged, 5, "{report:?}");
    assert_eq!(conclusions(&database.store).await, before);
}

#[tokio::test]
async fn a_cut_off_crawl_ends_like_an_undisturbed_one() {
    let undisturbed = TestDatabase::new().await;
    let folder = hub_folder();
    run(&undisturbed.store, folder.path()).await;
    let expected = without_dates(conclusions(&undisturbed.store).await);

    let database = TestDatabase::new().await;
    let hub = || heirloom_crawler::open("dir", folder.path().to_str()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let options = CrawlOptions {
        author: None,
        search: None,
        limit: None,
        level: Level::Full,
        relist: false,
        scratch: scratch.path().to_owned(),
    };
    for cut in [1, 5, 20, 60, 150, 400] {
        let time = std::time::Duration::from_millis(cut);
        let crawling = crawl(&database.store, hub(), &options, Arc::new(Silent));
        // Dropped wherever it is, as when the process ends.
        let _ = tokio::time::timeout(time, crawling).await;
    }
    crawl(&database.store, hub(), &options, Arc::new(Silent))
        .await
        .unwrap();
    assert_eq!(without_dates(conclusions(&database.store).await), expected);
}

#[tokio::test]
async fn a_comparison_is_computed_once_and_kept() {
    let database = TestDatabase::new().await;
    let store = &database.store;
    let folder = hub_folder();
    run(store, folder.path()).await;
    let reference = async |owner: &str, name: &str| {
        let found = store.resolve_revision("dir", owner, name, None).await.unwrap();
        found.unwrap().reference()
    };
    let a = reference("org", "base").await;
    let b = reference("org", "base-tuned").await;
    let row = store.request_diff(&a, &b, 0).await.unwrap();
    assert_eq!(row.status, "queued");
    run_diff(store, row.id).await.unwrap();
    let done = store.diff(row.id).await.unwrap().unwrap();
    assert_eq!(done.status, "done", "{:?}", done.error);
    assert_eq!(done.report.as_ref().unwrap()["changed_tensors"], 2);
    assert_eq!(done.outcome.as_ref().unwrap()["relation"], "finetune");
    assert_eq!(store.request_diff(&a, &b, 0).await.unwrap(), done, "kept");

    let damaged = reference("other", "damaged").await;
    let row = store.request_diff(&a, &damaged, 0).await.unwrap();
    run_diff(store, row.id).await.unwrap();
    let failed = store.diff(row.id).await.unwrap().unwrap();
    assert_eq!(failed.status, "failed");
    assert!(failed.error.unwrap().contains("model.safetensors"));
    let again = store.request_diff(&a, &damaged, 0).await.unwrap();
    assert_eq!(
        (again.id, again.status.as_str()),
        (row.id, "queued"),
        "tried again when asked again"
    );
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_one_sentence() {
    let database = TestDatabase::new().await;
    let hub = heirloom_crawler::open("hf", Some("http://127.0.0.1:1")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let options = CrawlOptions {
        author: None,
        search: None,
        limit: None,
        level: Level::Full,
        relist: false,
        scratch: scratch.path().to_owned(),
    };
    let error = crawl(&database.store, hub, &options, Arc::new(Silent))
        .await
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains("http://127.0.0.1:1") && !text.contains('\n'),
        "{text}"
    );
}
