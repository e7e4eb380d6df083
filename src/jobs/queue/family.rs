//! One family's lineage as a job: edges and verdicts of everything connected with a package.

use super::crawl::look_now;
use super::work::{Shared, measured, shared};
use crate::jobs::conclude::{conclude_family, find_family};
use anyhow::Context;
use graphile_worker::{IntoTaskHandlerResult, JobSpec, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const FAMILY_ATTEMPTS: i16 = 5;
/// Due packages are looked at in batches of this many.
const BATCH: i64 = 1000;

/// The family of one package.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FamilyJob {
    pub package: i64,
}

impl TaskHandler for FamilyJob {
    const IDENTIFIER: &'static str = "family";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let shared = shared(&context)?;
        measured(Self::IDENTIFIER, self.infer(&shared)).await
    }
}

impl FamilyJob {
    async fn infer(&self, shared: &Shared) -> anyhow::Result<()> {
        let store = &shared.store;
        let family = find_family(store, self.package).await?;
        if store.is_lineage_due_of(&family).await? {
            conclude_family(store, &family).await?;
        }
        if !store.is_lineage_due().await? {
            for crawl in store.crawls_at_lineage().await? {
                look_now(&shared.queue, crawl.id, &crawl.plan).await?;
            }
        }
        Ok(())
    }
}

/// Queues the family of every package whose lineage is due, each family once.
pub async fn queue_families(shared: &Shared) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    let mut after = 0;
    loop {
        let due = shared.store.lineage_due_after(after, BATCH).await?;
        let Some(last) = due.last() else {
            return Ok(());
        };
        after = *last;
        let mut jobs = Vec::new();
        for package in due {
            if seen.contains(&package) {
                continue;
            }
            let family = find_family(&shared.store, package).await?;
            let package = family.first().copied().unwrap_or(package);
            seen.extend(family);
            jobs.push(FamilyJob { package });
        }
        add(shared, jobs).await?;
    }
}

async fn add(shared: &Shared, jobs: Vec<FamilyJob>) -> anyhow::Result<()> {
    let spec = |job: &FamilyJob| JobSpec {
        job_key: Some(format!("family {}", job.package)),
        max_attempts: Some(FAMILY_ATTEMPTS),
        ..JobSpec::default()
    };
    let specs: Vec<JobSpec> = jobs.iter().map(spec).collect();
    let jobs: Vec<(FamilyJob, &JobSpec)> = jobs.into_iter().zip(&specs).collect();
    if !jobs.is_empty() {
        shared
            .queue
            .add_jobs(&jobs)
            .await
            .context("cannot queue the families")?;
    }
    Ok(())
}
