//! The whole pipeline over a small hub folder, on a real Postgres: packages, fingerprints, edges, versions, failures, reruns.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::TestDatabase;
use heirloom::fingerprint::Level;
use heirloom::jobs::{CrawlOptions, CrawlReport, Silent, crawl, run_diff};
use heirloom::store::Store;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// Deterministic values without structure, as trained weights look from afar.
fn values(seed: u64, count: usize) -> Vec<f32> {
    use rand::{Rng, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| random.random_range(-0.1_f32..0.1)).collect()
}

/// A two-layer model from `weights`, in the given element type.
fn safetensors_bytes(weights: &[f32], dtype: Dtype) -> Vec<u8> {
    const SIDE: usize = 64;
    let tensors: Vec<(String, Vec<u8>)> = weights
        .chunks(SIDE * SIDE)
        .enumerate()
        .map(|(layer, chunk)| {
            let bytes = match dtype {
                Dtype::F32 => chunk.iter().flat_map(|x| x.to_le_bytes()).collect(),
                Dtype::BF16 => chunk
                    .iter()
                    .flat_map(|x| half::bf16::from_f32(*x).to_le_bytes())
                    .collect(),
                other => panic!("{other:?}"),
            };
            (format!("layers.{layer}.weight"), bytes)
        })
        .collect();
    let views: HashMap<String, TensorView<'_>> = tensors
        .iter()
        .map(|(name, bytes)| {
            let view = TensorView::new(dtype, vec![SIDE, SIDE], bytes).unwrap();
            (name.clone(), view)
        })
        .collect();
    safetensors::serialize(&views, None).unwrap()
}

fn write(folder: &Path, files: &[(&str, &[u8])]) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

/// A hub folder: a base with two revisions, a cast and a fine-tune of it, a stranger, and a damaged upload.
fn hub_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let base = values(1, 2 * 64 * 64);
    let config = br#"{"architectures":["Tiny"]}"#;
    let f32_base = safetensors_bytes(&base, Dtype::F32);
    let package = |name: &str| folder.path().join(name);

    write(
        &package("org/base"),
        &[
            ("model.safetensors", &f32_base),
            ("config.json", config),
            ("README.md", b"# Base\n\nNow documented.\n"),
        ],
    );
    write(
        &package("org/base/.revisions/aaaa000000000000000000000000000000000001"),
        &[("model.safetensors", &f32_base), ("config.json", config)],
    );
    let index = json!([
        {"sha": "aaaa000000000000000000000000000000000001", "date": "2024-01-01T00:00:00Z", "message": "Upload the model"},
        {"sha": "aaaa000000000000000000000000000000000002", "date": "2024-01-02T00:00:00Z", "message": "Write the card"}
    ]);
    std::fs::write(package("org/base/.revisions/index.json"), index.to_string()).unwrap();

    let card = b"---\nbase_model: org/base\n---\n# A child\n";
    let cast = safetensors_bytes(&base, Dtype::BF16);
    write(
        &package("org/base-bf16"),
        &[("model.safetensors", &cast), ("README.md", card)],
    );
    let noise = values(2, base.len());
    let tuned: Vec<f32> = base.iter().zip(&noise).map(|(x, n)| x + 0.05 * n).collect();
    let tuned = safetensors_bytes(&tuned, Dtype::F32);
    write(
        &package("org/base-tuned"),
        &[("model.safetensors", &tuned), ("README.md", card)],
    );
    let stranger = safetensors_bytes(&values(3, base.len()), Dtype::F32);
    write(
        &package("other/stranger"),
        &[("model.safetensors", &stranger), ("README.md", card)],
    );
    let damaged = &f32_base[..f32_base.len() - 1000];
    write(
        &package("other/damaged"),
        &[("model.safetensors", damaged), ("config.json", config)],
    );
    folder
}

async fn run(store: &Store, folder: &Path) -> CrawlReport {
    let hub = heirloom_crawler::open("dir", folder.to_str()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let options = CrawlOptions {
        author: None,
        search: None,
        limit: None,
        level: Level::Full,
        scratch: scratch.path().to_owned(),
    };
    crawl(store, hub, &options, Arc::new(Silent)).await.unwrap()
}

/// Everything concluded, in one value that must not change when nothing else did.
async fn conclusions(store: &Store) -> Value {
    let row: (Value,) = sqlx::query_as(
        "SELECT jsonb_build_object(
            'edges', (SELECT jsonb_object_agg(c.name, jsonb_build_array(e.relation, e.technique, p.name, c.verdict, e.made_at))
                      FROM edges e JOIN packages c ON c.id = e.child_id JOIN edge_parents ep ON ep.edge_id = e.id
                      JOIN packages p ON p.id = ep.parent_id),
            'verdicts', (SELECT jsonb_object_agg(name, verdict) FROM packages),
            'versions', (SELECT jsonb_agg(jsonb_build_array(p.name, r.position, v.version, v.bump, v.silent) ORDER BY p.name, r.position)
                         FROM versions v JOIN revisions r ON r.id = v.revision_id JOIN packages p ON p.id = r.package_id),
            'fingerprints', (SELECT count(*) FROM fingerprints),
            'texts', (SELECT count(*) FROM texts),
            'due', (SELECT count(*) FROM packages WHERE versions_due OR lineage_due))",
    )
    .fetch_one(store.pool())
    .await
    .unwrap();
    row.0
}

#[tokio::test]
async fn a_folder_becomes_edges_and_versions() {
    let database = TestDatabase::new().await;
    let folder = hub_folder();
    let report = run(&database.store, folder.path()).await;
    assert_eq!((report.packages, report.new_revisions), (5, 6), "{report:?}");
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

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let database = TestDatabase::new().await;
    let folder = hub_folder();
    run(&database.store, folder.path()).await;
    let before = conclusions(&database.store).await;
    let report = run(&database.store, folder.path()).await;
    assert_eq!((report.new_revisions, report.fingerprints), (0, 0), "{report:?}");
    assert_eq!(report.unchanged, 5, "{report:?}");
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

fn without_dates(mut conclusions: Value) -> Value {
    for edge in conclusions["edges"].as_object_mut().unwrap().values_mut() {
        edge.as_array_mut().unwrap().pop();
    }
    conclusions
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
