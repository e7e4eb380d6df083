//! An element-wise comparison that someone asked for through REST.

use super::may_pass;
use crate::delta::{DiffOptions, DiffReport, diff};
use crate::lineage::compare_pair;
use crate::sentence::sentence;
use crate::source::{Reference, Source};
use crate::store::Store;
use crate::store::diffs::{DiffResult, DiffRow, ResolvedRevision};
use crate::versioning::decide_bump;
use crate::weights::Checkpoint;
use anyhow::Context;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// How often the bytes done are written down for whoever watches.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// Computes the comparison `id` and stores its result. What makes it impossible (a damaged file, a package that is gone) is its
/// result too; an error means that it is worth another try.
pub async fn run_diff(store: &Store, id: Uuid) -> anyhow::Result<()> {
    let Some(row) = store.diff(id).await? else {
        return Ok(());
    };
    if row.status == "done" {
        return Ok(());
    }
    match compare(store, &row).await {
        Ok(result) => store.finish_diff(id, &result).await?,
        Err(error) if may_pass(&error) => return Err(error),
        Err(error) => store.fail_diff(id, &sentence(&error)).await?,
    }
    Ok(())
}

async fn compare(store: &Store, row: &DiffRow) -> anyhow::Result<DiffResult> {
    let a = resolve(store, &row.a).await?;
    let b = resolve(store, &row.b).await?;
    let before = open(store, &a).await?;
    let after = open(store, &b).await?;
    let options = DiffOptions {
        max_rank: u32::try_from(row.max_rank).ok().filter(|rank| *rank > 0),
    };
    let report = compare_weights(store, row.id, before, after, options).await?;
    Ok(DiffResult {
        report: serde_json::to_value(report)?,
        outcome: outcome(store, &a, &b).await?,
        bump: Some(bump(store, &a, &b).await?),
    })
}

async fn resolve(store: &Store, reference: &str) -> anyhow::Result<ResolvedRevision> {
    let Reference::Hub { hub, name, revision } = Reference::parse_hub(reference)? else {
        anyhow::bail!("{reference} is not a package of a hub");
    };
    let (owner, model) = name.split_once('/').context("a package is called owner/name")?;
    let found = store
        .resolve_revision(&hub, owner, model, revision.as_deref())
        .await?;
    found.with_context(|| format!("{reference} is no longer in the database; crawl it again"))
}

async fn open(store: &Store, revision: &ResolvedRevision) -> anyhow::Result<Checkpoint> {
    let hub = heirloom_crawler::open(&revision.hub, Some(&revision.endpoint))?;
    let files = store.revision_files(revision.id, &revision.weight_files).await?;
    let source = Source::of_weights(hub, &revision.name, &revision.revision, files);
    tokio::task::spawn_blocking(move || source.checkpoint()).await?
}

/// Compares in a blocking thread while the bytes done are written down.
async fn compare_weights(
    store: &Store,
    id: Uuid,
    before: Checkpoint,
    after: Checkpoint,
    options: DiffOptions,
) -> anyhow::Result<DiffReport> {
    let total = i64::try_from(before.bytes() + after.bytes()).unwrap_or(i64::MAX);
    store.start_diff(id, total).await?;
    let done = Arc::new(AtomicI64::new(0));
    let counter = done.clone();
    let mut comparing = tokio::task::spawn_blocking(move || {
        diff(&before, &after, options, &|bytes| {
            counter.fetch_add(i64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
        })
    });
    loop {
        tokio::select! {
            report = &mut comparing => return Ok(report.context("the comparison stopped")??),
            () = tokio::time::sleep(REPORT_EVERY) => {
                store.advance_diff(id, done.load(Ordering::Relaxed).min(total)).await?;
            }
        }
    }
}

/// What the stored fingerprints say of the pair; `None` where one of them has none.
async fn outcome(
    store: &Store,
    a: &ResolvedRevision,
    b: &ResolvedRevision,
) -> anyhow::Result<Option<serde_json::Value>> {
    let (Some(parent), Some(child)) = (
        store.revision_fingerprint_value(a.id).await?,
        store.revision_fingerprint_value(b.id).await?,
    ) else {
        return Ok(None);
    };
    let outcome = tokio::task::spawn_blocking(move || compare_pair(&parent, &child)).await?;
    Ok(Some(serde_json::to_value(outcome)?))
}

async fn bump(
    store: &Store,
    a: &ResolvedRevision,
    b: &ResolvedRevision,
) -> anyhow::Result<serde_json::Value> {
    let old = store
        .history(a.package_id, Some(std::slice::from_ref(&a.revision)))
        .await?;
    let new = store
        .history(b.package_id, Some(std::slice::from_ref(&b.revision)))
        .await?;
    let (old, new) = (old.snapshots(), new.snapshots());
    let (Some(old), Some(new)) = (old.first(), new.first()) else {
        anyhow::bail!("a revision is no longer in the database");
    };
    Ok(serde_json::to_value(decide_bump(old, new))?)
}
