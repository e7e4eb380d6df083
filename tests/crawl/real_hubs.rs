//! The published documents of three hubs of PTMTorrent, crawled into the database. They are not in the repository: they are read from
//! `HEIRLOOM_SHARED_DATA`, else from `../shared/data`; without them a test says so and passes.

use super::harness::TestDatabase;
use super::{run, stored};
use heirloom::fingerprint::Level;
use heirloom::jobs::CrawlReport;
use heirloom::store::Store;
use std::fs;
use std::path::{Path, PathBuf};

/// New revisions per manifest, in date order: entries added, replaced under their name, or moved.
const NEW_REVISIONS: [u64; 17] = [120, 6, 53, 3, 0, 2, 2, 0, 3, 3, 1, 9, 3, 3, 2, 184, 184];

fn shared(folder: &str) -> Option<PathBuf> {
    let data = std::env::var_os("HEIRLOOM_SHARED_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let folder = data.join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no {}", folder.display());
    None
}

async fn crawl_folder(store: &Store, hub: &str, folder: &Path) -> CrawlReport {
    let hub = heirloom_crawler::open(hub, folder.to_str()).unwrap();
    run(store, hub, |options| options.level = Level::Metadata).await
}

async fn count(store: &Store, query: &'static str) -> i64 {
    let (count,): (i64,) = sqlx::query_as(query).fetch_one(store.pool()).await.unwrap();
    count
}

/// Each manifest arrives after the one before it, as it did; the database then holds what was added, replaced and moved when.
#[tokio::test]
async fn seventeen_manifests_of_the_onnx_zoo_in_date_order() {
    let Some(manifests) = shared("onnx_manifests") else {
        return;
    };
    let mut dated: Vec<PathBuf> = fs::read_dir(manifests)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().contains('_'))
        .collect();
    dated.sort();
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::new().await;
    let store = &database.store;
    let mut new_revisions = Vec::new();
    for manifest in &dated {
        fs::copy(manifest, folder.path().join(manifest.file_name().unwrap())).unwrap();
        let report = crawl_folder(store, "onnx", folder.path()).await;
        // The weights are not beside the manifests, and that is all that fails.
        let is_weights = |reason: &str| reason.contains("has no file");
        assert!(
            report.failures.iter().all(|failure| is_weights(&failure.reason)),
            "{report:?}"
        );
        new_revisions.push(report.totals.new_revisions);
    }
    assert_eq!(new_revisions, NEW_REVISIONS);

    assert_eq!(count(store, "SELECT count(*) FROM packages").await, 184);
    for (query, expect) in [
        ("SELECT count(*) FROM revisions WHERE title = 'listed in the manifest'", 184),
        ("SELECT count(*) FROM revisions WHERE title = 'digest changed in the manifest'", 26),
        ("SELECT count(*) FROM revisions WHERE title = 'moved in the manifest'", 2 * 184),
        // The same told by the stored digests themselves.
        (
            "SELECT count(*) FROM (SELECT f.sha256, lag(f.sha256) OVER (PARTITION BY r.package_id ORDER BY r.position) AS before
             FROM revisions r JOIN files f ON f.revision_id = r.id) step WHERE before IS NOT NULL AND before <> sha256",
            26,
        ),
        // Dates never run backwards along a history.
        (
            "SELECT count(*) FROM (SELECT date, lag(date) OVER (PARTITION BY package_id ORDER BY position) AS before FROM revisions) step
             WHERE before > date",
            0,
        ),
        ("SELECT count(*) FROM packages WHERE io_ports IS NULL", 22),
        // Nothing was ever removed from the manifest.
        ("SELECT count(*) FROM packages WHERE availability <> 'public'", 0),
    ] {
        assert_eq!(count(store, query).await, expect, "{query}");
    }
}

/// A manifest that lacks what the one before it listed: the package stays, and is recorded as gone.
#[tokio::test]
async fn a_removal_from_the_manifest_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |name: &str| {
        format!(
            r#"{{"model_path": "vision/x/{name}.onnx", "metadata": {{"model_sha": "{}", "model_bytes": 1}}}}"#,
            "a".repeat(64)
        )
    };
    let write = |name: &str, entries: &[String]| {
        fs::write(folder.path().join(name), format!("[{}]", entries.join(","))).unwrap();
    };
    write("01_2024-01-01_aaaa.json", &[entry("stays"), entry("goes")]);
    let database = TestDatabase::new().await;
    crawl_folder(&database.store, "onnx", folder.path()).await;
    write("02_2024-02-01_bbbb.json", &[entry("stays")]);
    crawl_folder(&database.store, "onnx", folder.path()).await;
    let availability = stored(&database.store, "availability").await;
    let word = |word: &str| Some(word.to_owned());
    assert_eq!(
        availability,
        [
            ("onnx/goes".to_owned(), word("gone")),
            ("onnx/stays".to_owned(), word("public"))
        ]
    );
}

#[tokio::test]
async fn all_entries_of_modelhub_ai() {
    let Some(folder) = shared("modelhub_ai") else {
        return;
    };
    let database = TestDatabase::new().await;
    let report = crawl_folder(&database.store, "modelhub-ai", &folder).await;
    assert_eq!(
        (report.totals.packages, report.failures.len()),
        (33, 0),
        "{report:?}"
    );
    let tasks = stored(&database.store, "task").await;
    assert!(tasks.iter().all(|(_, task)| task.is_some()), "{tasks:?}");
}

#[tokio::test]
async fn all_cards_of_pytorch_hub() {
    let Some(folder) = shared("pytorch_hub") else {
        return;
    };
    let database = TestDatabase::new().await;
    let report = crawl_folder(&database.store, "pytorch-hub", &folder).await;
    assert_eq!(
        (report.totals.packages, report.failures.len()),
        (52, 0),
        "{report:?}"
    );
    assert!(
        count(
            &database.store,
            "SELECT count(*) FROM revisions WHERE tags <> '{}'"
        )
        .await
            > 0
    );
    assert!(
        count(
            &database.store,
            "SELECT count(*) FROM packages WHERE card IS NOT NULL"
        )
        .await
            == 52
    );
}
