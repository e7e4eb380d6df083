//! A small catalogue, written through the store as a crawl would.
//!
//! `hf:lab/base` (three revisions, the last a silent change), `hf:lab/tuned` (a fine-tune of it, confirmed), `hf:lab/mixed` (a
//! merge of both, which declares another base), `hf:lab/broken` (weights that cannot be read), `dir:local/copy` (undated).

use heirloom::fingerprint::{Fingerprint, Level, fingerprint};
use heirloom::lineage::{Edge, Feature, Relation, Verdict};
use heirloom::store::Store;
use heirloom::store::crawls::{CrawlPage, CrawlPlan, PackageOutcome};
use heirloom::store::lineage::FamilyConclusion;
use heirloom::store::packages::{PackageFacts, RevisionFacts};
use heirloom::versioning::{Announcement, AssignedVersion, Bump, BumpDecision, Reason};
use heirloom::weights::{Checkpoint, WeightFile};
use heirloom_crawler::{FileEntry, Package, Revision};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;

pub async fn catalogue(store: &Store) {
    let base = model(store, "hf", "lab", "base", 3, |package| {
        package.task = Some("image-classification".to_owned());
        package.licence = Some("Apache-2.0".to_owned());
        package.downloads = Some(1200);
        package.tags = vec!["vision".to_owned()];
        package.card = Some("---\nlicense: apache-2.0\n---\n# Base\n".to_owned());
    })
    .await;
    let tuned = model(store, "hf", "lab", "tuned", 1, |package| {
        package.base_models = vec!["lab/base".to_owned()];
        package.base_model_relation = Some("finetune".to_owned());
        package.gated = true;
    })
    .await;
    let mixed = model(store, "hf", "lab", "mixed", 1, |package| {
        package.base_models = vec!["lab/other".to_owned()];
    })
    .await;
    let broken = model(store, "hf", "lab", "broken", 1, |_| {}).await;
    let copy = model(store, "dir", "local", "copy", 1, |package| {
        package.created_at = None;
        package.modified_at = None;
    })
    .await;
    for (id, values) in [(base, 1.0), (tuned, 1.5), (mixed, 1.25), (copy, 1.0)] {
        weights(store, id, values).await;
    }
    let pending = store.pending_revisions(broken, Level::Full).await.unwrap();
    let failure = "model.safetensors: the header is cut off";
    store.save_failure(broken, pending[0].id, failure).await.unwrap();
    lineage(store, base, tuned, mixed).await;
    versions(store, base).await;
    crawl(store).await;
    // The store notes when it saw a package; what is derived from that would differ from run to run.
    sqlx::query("UPDATE packages SET crawled_at = '2024-10-08T00:00:00Z'")
        .execute(store.pool())
        .await
        .unwrap();
}

async fn model(
    store: &Store,
    hub: &str,
    owner: &str,
    name: &str,
    revisions: i64,
    describe: impl Fn(&mut Package),
) -> i64 {
    let mut package = Package {
        hub: hub.to_owned(),
        owner: owner.to_owned(),
        name: name.to_owned(),
        url: Some(format!("https://hub.example/{owner}/{name}")),
        endpoint: "https://hub.example".to_owned(),
        revision: Some(revision_id(name, revisions - 1)),
        created_at: Some(day(1)),
        modified_at: Some(day(revisions)),
        raw: json!({}),
        ..Package::default()
    };
    describe(&mut package);
    let history: Vec<Revision> = (0..revisions)
        .map(|position| Revision {
            id: revision_id(name, position),
            date: Some(day(position + 1)),
            title: format!("Change {position}"),
            message: String::new(),
            authors: vec!["ada".to_owned()],
            tags: if position == 0 {
                vec!["v1.0".to_owned()]
            } else {
                vec![]
            },
        })
        .collect();
    let new_revisions = history
        .iter()
        .map(|revision| RevisionFacts {
            revision: revision.clone(),
            files: vec![FileEntry {
                path: "model.safetensors".to_owned(),
                size: Some(64),
                sha256: None,
                blob_id: None,
                ..FileEntry::default()
            }],
            texts: BTreeMap::new(),
            weight_files: vec!["model.safetensors".to_owned()],
            weights_key: None,
        })
        .collect();
    let facts = PackageFacts {
        package,
        history,
        new_revisions,
    };
    store.save_package(&facts).await.unwrap()
}

/// `base0000...2` for the third revision of base.
pub fn revision_id(name: &str, position: i64) -> String {
    format!("{name:0<39}{position}")
}

fn day(day: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000 + day)
}

/// Fingerprints every revision of a model: `shared.weight` is the same everywhere, `head.weight` is `values` + its position.
async fn weights(store: &Store, model: i64, values: f32) {
    let mut pending = store.pending_revisions(model, Level::Full).await.unwrap();
    pending.reverse();
    for (position, revision) in pending.iter().enumerate() {
        let fingerprint = read(values + position as f32);
        store
            .save_fingerprint(model, revision, &fingerprint)
            .await
            .unwrap();
    }
}

fn read(value: f32) -> Fingerprint {
    let shared: Vec<u8> = (0..16_u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
    let head: Vec<u8> = [value, -value, 0.0, 2.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let tensors = [
        (
            "head.weight",
            TensorView::new(Dtype::F32, vec![2, 2], &head).unwrap(),
        ),
        (
            "shared.weight",
            TensorView::new(Dtype::F32, vec![4, 4], &shared).unwrap(),
        ),
    ];
    let bytes = safetensors::serialize(tensors, None).unwrap();
    let file = WeightFile {
        name: "model.safetensors".to_owned(),
        bytes: Arc::new(bytes),
    };
    let checkpoint = Checkpoint::open(vec![file]).unwrap();
    fingerprint(&checkpoint, Level::Full, &|_| {}).unwrap()
}

async fn lineage(store: &Store, base: i64, tuned: i64, mixed: i64) {
    let edge = |child, parents, relation, technique: &str, params: serde_json::Value| Edge {
        child,
        parents,
        relation,
        technique: technique.to_owned(),
        params: serde_json::from_value(params).unwrap(),
        confidence: 0.97,
        explanation: "Both share a tensor. The rest differs by a small delta.".to_owned(),
        evidence: vec![Feature {
            name: "tensors_identical".to_owned(),
            value: 0.5,
            meaning: "share of tensors with equal digests".to_owned(),
        }],
    };
    let members = store.declared_bases(&[base, tuned, mixed]).await.unwrap();
    let conclusion = FamilyConclusion {
        members,
        edges: vec![
            edge(
                tuned,
                vec![base],
                Relation::Finetune,
                "lora-merged",
                json!({"rank": 8}),
            ),
            edge(
                mixed,
                vec![base, tuned],
                Relation::Merge,
                "linear",
                json!({"coefficients": [0.5, 0.5]}),
            ),
        ],
        verdicts: BTreeMap::from([(tuned, Verdict::Confirmed), (mixed, Verdict::Contradicted)]),
    };
    store.save_family(&conclusion).await.unwrap();
}

async fn versions(store: &Store, base: i64) {
    let decision = |bump, silent: bool| BumpDecision {
        bump,
        reasons: vec![Reason {
            kind: "weights".to_owned(),
            bump,
            detail: "4 of 20 elements changed in 1 of 2 tensors".to_owned(),
        }],
        weights_changed: Some(true),
        announced: (!silent).then_some(Announcement::Message),
        silent,
    };
    let version = |position, version: &str, decision| AssignedVersion {
        revision: revision_id("base", position),
        version: version.parse().unwrap(),
        declared: (position == 0).then(|| "1.0".to_owned()),
        decision,
    };
    let assigned = [
        version(0, "1.0.0", None),
        version(1, "1.1.0", Some(decision(Bump::Minor, false))),
        version(2, "1.2.0", Some(decision(Bump::Minor, true))),
    ];
    let history = store.history(base, None).await.unwrap();
    store.save_versions(&history, &assigned).await.unwrap();
}

async fn crawl(store: &Store) {
    let plan = CrawlPlan {
        hub: "hf".to_owned(),
        endpoint: "https://hub.example".to_owned(),
        author: Some("lab".to_owned()),
        search: None,
        limit: None,
        level: Level::Full,
    };
    let crawl = store.open_crawl(&plan).await.unwrap();
    let name = "lab/broken".to_owned();
    let reason = "model.safetensors: the header is cut off".to_owned();
    let outcome = PackageOutcome::failed(&name, reason);
    let page = CrawlPage {
        open: vec![name.clone()],
        listed: 1,
        ..CrawlPage::default()
    };
    store.add_crawl_page(&crawl, &page).await.unwrap();
    store.finish_package(crawl.id, &name, &outcome).await.unwrap();
    store.finish_crawl(crawl.id, None).await.unwrap();
}
