//! The jobs that tend a crawl: lists pages while few packages are open, queues their packages, and when all are done their families.
//!
//! A look at a crawl does what it can and comes again: when the open packages run low, when the last is done, and now and then in case nobody told
//! it. All it knows it reads from the store.

use super::family::queue_families;
use super::names::{crawl_key, crawl_lane, package_lane};
use super::package::PackageJob;
use super::work::{Shared, measured, shared};
use crate::jobs::conclude::conclude_versions;
use crate::jobs::crawl::list_page;
use crate::jobs::may_pass;
use crate::sentence::sentence;
use crate::store::crawls::{CrawlPlan, OpenCrawl, PackageOutcome, Stage};
use crate::store::queued::package_key;
use anyhow::Context;
use graphile_worker::{IntoTaskHandlerResult, JobKeyMode, JobSpec, TaskHandler, WorkerContext, WorkerUtils};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const CRAWL_ATTEMPTS: i16 = 10;
/// No further page is listed while so many packages are open.
const ENOUGH_OPEN: u64 = 1000;
/// The next page is listed when so few are left.
pub const FEW_OPEN: u64 = 500;
/// How soon a crawl is looked at when nobody says that it has come on.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Begins a crawl, or goes on with one of the same plan that was cut off.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CrawlJob(pub CrawlPlan);

impl TaskHandler for CrawlJob {
    const IDENTIFIER: &'static str = "crawl";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let shared = shared(&context)?;
        measured(Self::IDENTIFIER, self.begin(&shared)).await
    }
}

impl CrawlJob {
    async fn begin(self, shared: &Shared) -> anyhow::Result<()> {
        let crawl = shared.store.open_crawl(&self.0).await?;
        look(shared, crawl).await
    }
}

/// Another look at a crawl that was begun. It names the crawl and not its plan: a look that comes late must not begin another one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LookJob {
    crawl: i64,
}

impl TaskHandler for LookJob {
    const IDENTIFIER: &'static str = "look";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let shared = shared(&context)?;
        measured(Self::IDENTIFIER, self.look(&shared)).await
    }
}

impl LookJob {
    async fn look(self, shared: &Shared) -> anyhow::Result<()> {
        match shared.store.unfinished_crawl(self.crawl).await? {
            Some(crawl) => look(shared, crawl).await,
            None => Ok(()),
        }
    }
}

/// Queues a crawl, unless the same is queued already.
pub async fn add_crawl(queue: &WorkerUtils, plan: CrawlPlan) -> anyhow::Result<()> {
    let spec = JobSpec {
        job_key: Some(crawl_key(&plan)?),
        job_key_mode: Some(JobKeyMode::PreserveRunAt),
        ..look_spec(&plan)
    };
    let queued = queue.add_job(CrawlJob(plan), spec).await;
    queued.context("cannot queue the crawl")?;
    Ok(())
}

/// Has a crawl looked at now: its packages run low, or the last of them is done.
pub async fn look_now(queue: &WorkerUtils, crawl: i64, plan: &CrawlPlan) -> anyhow::Result<()> {
    add_look(queue, crawl, JobKeyMode::Replace, look_spec(plan)).await
}

async fn look_later(shared: &Shared, crawl: i64, plan: &CrawlPlan) -> anyhow::Result<()> {
    let spec = JobSpec {
        run_at: Some(shared.after(LOOK_AGAIN).await?.into()),
        ..look_spec(plan)
    };
    add_look(&shared.queue, crawl, JobKeyMode::PreserveRunAt, spec).await
}

async fn add_look(queue: &WorkerUtils, crawl: i64, mode: JobKeyMode, spec: JobSpec) -> anyhow::Result<()> {
    let spec = JobSpec {
        job_key: Some(format!("look {crawl}")),
        job_key_mode: Some(mode),
        ..spec
    };
    let queued = queue.add_job(LookJob { crawl }, spec).await;
    queued.context("cannot queue a look at the crawl")?;
    Ok(())
}

/// Looks at crawls of one hub take turns, and come before its packages.
fn look_spec(plan: &CrawlPlan) -> JobSpec {
    JobSpec {
        queue_name: Some(crawl_lane(plan)),
        max_attempts: Some(CRAWL_ATTEMPTS),
        priority: Some(-1),
        ..JobSpec::default()
    }
}

async fn look(shared: &Shared, crawl: OpenCrawl) -> anyhow::Result<()> {
    let (id, plan) = (crawl.id, crawl.plan.clone());
    // Dropped in the middle, a crawl goes on at its next look where it was.
    let Some(outcome) = shared.stop.run_until_cancelled(tend(shared, crawl)).await else {
        anyhow::bail!("the worker was stopped; the crawl goes on from here")
    };
    match outcome {
        Ok(true) => Ok(()),
        Ok(false) => look_later(shared, id, &plan).await,
        Err(error) if may_pass(&error) => Err(error),
        Err(error) => {
            // Its row in `crawls` says why; another try would fail likewise.
            tracing::error!(endpoint = plan.endpoint, "crawl failed: {}", sentence(&error));
            Ok(shared.store.finish_crawl(id, Some(&sentence(&error))).await?)
        }
    }
}

/// Brings a crawl on; true when it is finished.
async fn tend(shared: &Shared, mut crawl: OpenCrawl) -> anyhow::Result<bool> {
    let store = &shared.store;
    let hub = shared.hub(&crawl.plan)?;
    give_up_dead_packages(shared, crawl.id).await?;
    queue_packages(shared, &crawl).await?;
    while crawl.stage == Stage::Listing && store.count_open_packages(crawl.id).await? < ENOUGH_OPEN {
        list_page(store, hub.as_ref(), &mut crawl).await?;
        queue_packages(shared, &crawl).await?;
    }
    if crawl.stage == Stage::Listing || store.count_open_packages(crawl.id).await? > 0 {
        return Ok(false);
    }
    if crawl.stage == Stage::Packages {
        // Those of workers that were cut off between a package's facts and its versions.
        conclude_versions(store).await?;
        queue_families(shared).await?;
        store.begin_crawl_lineage(crawl.id).await?;
    }
    if store.is_lineage_due().await? && store.count_live_jobs("family").await? > 0 {
        return Ok(false);
    }
    finish(shared, &crawl).await?;
    Ok(true)
}

async fn finish(shared: &Shared, crawl: &OpenCrawl) -> anyhow::Result<()> {
    let totals = shared.store.crawl_totals(crawl.id).await?;
    shared.store.finish_crawl(crawl.id, None).await?;
    tracing::info!(
        endpoint = crawl.plan.endpoint,
        packages = totals.packages,
        revisions = totals.new_revisions,
        fingerprints = totals.fingerprints,
        "crawl finished"
    );
    Ok(())
}

/// Queues every open package that no job is there for: those just listed, and those whose listing was cut off before this point.
async fn queue_packages(shared: &Shared, crawl: &OpenCrawl) -> anyhow::Result<()> {
    let names = shared.store.packages_without_job(crawl.id).await?;
    let specs: Vec<JobSpec> = names
        .iter()
        .map(|name| package_spec(shared, crawl.id, &crawl.plan, name))
        .collect();
    let jobs: Vec<(PackageJob, &JobSpec)> = names
        .into_iter()
        .map(|name| PackageJob {
            crawl: crawl.id,
            name,
        })
        .zip(&specs)
        .collect();
    if !jobs.is_empty() {
        shared
            .queue
            .add_jobs(&jobs)
            .await
            .context("cannot queue the packages")?;
    }
    Ok(())
}

/// How a package of a crawl is queued.
pub fn package_spec(shared: &Shared, crawl: i64, plan: &CrawlPlan, name: &str) -> JobSpec {
    JobSpec {
        queue_name: Some(package_lane(plan, name, shared.options.hub_concurrency)),
        job_key: Some(package_key(crawl, name)),
        max_attempts: Some(shared.options.package_attempts),
        ..JobSpec::default()
    }
}

/// Closes the packages whose jobs were given up without a word: every worker that took one of them died of it.
async fn give_up_dead_packages(shared: &Shared, crawl: i64) -> anyhow::Result<()> {
    let tries = shared.options.package_attempts;
    for dead in shared.store.dead_packages(crawl).await? {
        let reason = dead
            .reason
            .unwrap_or_else(|| format!("the worker ended {tries} times while it worked on this package"));
        tracing::error!(package = dead.name, "given up: {reason}");
        let outcome = PackageOutcome::failed(&dead.name, reason);
        shared.store.finish_package(crawl, &dead.name, &outcome).await?;
    }
    Ok(())
}
