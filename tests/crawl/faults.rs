//! Crawls of our own hub on a bad day.

use super::harness::TestDatabase;
use super::harness::hub::{conclusions, hub_folder, without_dates};
use super::{client, run};
use heirloom::hubserver::{FaultPlan, Options, Running, serve};
use heirloom_crawler::HubError;
use std::path::Path;
use std::time::Duration;

async fn hub(folder: &Path, faults: &[&str]) -> Running {
    let faults = FaultPlan {
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        seed: 3,
        delay: Duration::from_millis(20),
    };
    let options = Options {
        faults,
        ..Options::default()
    };
    serve(folder, options).await.unwrap()
}

#[tokio::test]
async fn what_passes_leaves_no_trace() {
    let folder = hub_folder();
    let calm = TestDatabase::new().await;
    let clean = hub(folder.path(), &[]).await;
    run(&calm.store, client(&clean.url, |_| {}), |_| {}).await;
    let expected = without_dates(conclusions(&calm.store).await);

    let database = TestDatabase::new().await;
    let faulty = hub(
        folder.path(),
        &["5xx=0.2", "truncated=0.2", "slow=0.2", "429=0.03"],
    )
    .await;
    let report = run(&database.store, client(&faulty.url, |_| {}), |_| {}).await;
    // The one upload that is damaged at the hub itself.
    assert_eq!(report.failures.len(), 1, "{report:?}");
    assert_eq!(without_dates(conclusions(&database.store).await), expected);
}

#[tokio::test]
async fn a_package_that_only_breaks_is_named_and_taken_when_the_hub_is_well() {
    let folder = hub_folder();
    let database = TestDatabase::new().await;
    let faulty = hub(folder.path(), &["corrupt=1@/org/base-tuned/"]).await;
    let report = run(&database.store, client(&faulty.url, |_| {}), |_| {}).await;
    let failed: Vec<_> = report
        .failures
        .iter()
        .map(|failure| failure.package.split('@').next().unwrap())
        .collect();
    assert_eq!((failed.len(), report.totals.fingerprints), (2, 3), "{report:?}");
    assert!(
        failed.contains(&"org/base-tuned") && failed.contains(&"other/damaged"),
        "{report:?}"
    );

    let clean = hub(folder.path(), &[]).await;
    let report = run(&database.store, client(&clean.url, |_| {}), |_| {}).await;
    assert_eq!(
        (report.totals.fingerprints, report.failures.len()),
        (1, 0),
        "{report:?}"
    );
}

#[tokio::test]
async fn corrupt_weights_are_found_by_their_digest_and_believed_by_nobody() {
    let folder = hub_folder();
    let database = TestDatabase::new().await;
    let faulty = hub(folder.path(), &["corrupt=1@/model.safetensors"]).await;
    let report = run(&database.store, client(&faulty.url, |_| {}), |_| {}).await;
    assert_eq!(
        (report.totals.fingerprints, report.failures.len()),
        (0, 6),
        "{report:?}"
    );
    assert!(
        report
            .failures
            .iter()
            .all(|failure| failure.reason.contains("digest")),
        "{report:?}"
    );

    let clean = hub(folder.path(), &[]).await;
    let report = run(&database.store, client(&clean.url, |_| {}), |_| {}).await;
    assert_eq!(
        (report.totals.fingerprints, report.failures.len()),
        (4, 1),
        "only what is damaged at the hub: {report:?}"
    );
}

#[tokio::test]
async fn a_hub_that_is_down_leaves_the_crawl_to_be_resumed() {
    let folder = hub_folder();
    let database = TestDatabase::new().await;
    let faulty = hub(folder.path(), &["5xx=1@/api/models"]).await;
    let scratch = tempfile::tempdir().unwrap();
    let options = heirloom::jobs::CrawlOptions {
        author: None,
        search: None,
        limit: None,
        level: heirloom::fingerprint::Level::Full,
        relist: false,
        scratch: scratch.path().to_owned(),
    };
    let progress = std::sync::Arc::new(heirloom::jobs::Silent);
    let failed =
        heirloom::jobs::crawl(&database.store, client(&faulty.url, |_| {}), &options, progress).await;
    let error = failed.unwrap_err();
    assert!(
        error
            .chain()
            .any(|cause| matches!(cause.downcast_ref(), Some(HubError::Status { status: 503, .. }))),
        "{error:?}"
    );
    let (unfinished,): (i64,) = sqlx::query_as("SELECT count(*) FROM crawls WHERE finished_at IS NULL")
        .fetch_one(database.store.pool())
        .await
        .unwrap();
    assert_eq!(unfinished, 1);
}
