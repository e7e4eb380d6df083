//! The steps as jobs of a durable queue in Postgres: what `heirloom serve` and `heirloom worker` work on, on one machine or many.
//!
//! The queue (graphile_worker) keeps a job until it is done: a worker that is stopped hands its jobs back, the jobs of one that died
//! are taken over once its heartbeat is old, failures are tried again with growing delays and kept with their reason. A crawl is one
//! job that lists, one job a package, and one job a family when the packages are done; each can be cut off anywhere and run again.

mod crawl;
mod delivery;
mod diff;
mod family;
mod manage;
mod names;
mod package;
mod schedules;
mod work;

pub use crawl::CrawlJob;
pub use manage::{cancel_job, retry_job};

use crate::jobs::delivery::WebhookPolicy;
use crate::store::Store;
use crate::store::crawls::CrawlPlan;
use anyhow::Context;
use graphile_worker::WorkerUtils;
use heirloom_crawler::{Hub, HubError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The queue's own tables.
const QUEUE_SCHEMA: &str = "graphile_worker";

/// How the workers of one process work.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Downloads pass through this folder.
    pub scratch: PathBuf,
    /// Jobs at the same time in this process.
    pub concurrency: usize,
    /// Packages of one hub at the same time, over all processes on the database.
    pub hub_concurrency: u32,
    /// A worker that was silent for so long is dead, and its jobs are given to others.
    pub dead_after: Duration,
    /// Tries of one package, those included in which its worker died.
    pub package_attempts: i16,
    /// Packages of a hub that does not answer are looked at again after this.
    pub hub_away: Duration,
    /// Where webhooks may be.
    pub webhooks: WebhookPolicy,
}

/// How the hub of a crawl is opened.
pub type OpenHub = Arc<dyn Fn(&CrawlPlan) -> Result<Arc<dyn Hub>, HubError> + Send + Sync>;

impl WorkerOptions {
    /// What suits one machine and a hub on the network.
    pub fn new(scratch: PathBuf) -> Self {
        Self {
            scratch,
            concurrency: 4,
            hub_concurrency: 8,
            dead_after: Duration::from_secs(30),
            // The pauses between them add up to half an hour.
            package_attempts: 8,
            hub_away: Duration::from_secs(60),
            webhooks: WebhookPolicy::default(),
        }
    }
}

/// The workers of this process.
pub struct Workers {
    queue: WorkerUtils,
    running: JoinHandle<()>,
    listening: JoinHandle<()>,
    scheduling: JoinHandle<()>,
    telling: JoinHandle<()>,
}

impl Workers {
    /// Starts working until `stop`.
    pub async fn start(
        store: &Store,
        options: WorkerOptions,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let open_hub: OpenHub = Arc::new(|plan| heirloom_crawler::open(&plan.hub, Some(&plan.endpoint)));
        Self::start_with(store, options, open_hub, stop).await
    }

    /// Likewise, with hubs opened by `open_hub`.
    pub async fn start_with(
        store: &Store,
        options: WorkerOptions,
        open_hub: OpenHub,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let queue = queue_of(store).await?;
        let shared = work::Shared::new(store.clone(), queue.clone(), options, open_hub, stop.clone());
        Ok(Self {
            running: tokio::spawn(work::work(shared)),
            listening: tokio::spawn(diff::queue_diffs(queue.clone(), store.clone(), stop.clone())),
            scheduling: tokio::spawn(schedules::keep_schedules(
                queue.clone(),
                store.clone(),
                stop.clone(),
            )),
            telling: tokio::spawn(delivery::queue_deliveries(queue.clone(), store.clone(), stop)),
            queue,
        })
    }

    /// Queues a crawl, unless the same is queued already.
    pub async fn queue_crawl(&self, plan: CrawlPlan) -> anyhow::Result<()> {
        crawl::add_crawl(&self.queue, plan).await
    }

    /// Waits until the running jobs are done or handed back, after `stop` was cancelled.
    pub async fn finish(self) -> anyhow::Result<()> {
        self.listening.abort();
        self.scheduling.abort();
        self.telling.abort();
        Ok(self.running.await?)
    }
}

/// Queues a crawl for whoever works on the database, unless the same is queued already.
pub async fn queue_crawl(store: &Store, plan: CrawlPlan) -> anyhow::Result<()> {
    crawl::add_crawl(&queue_of(store).await?, plan).await
}

async fn queue_of(store: &Store) -> anyhow::Result<WorkerUtils> {
    let queue = WorkerUtils::new(store.pool().clone(), QUEUE_SCHEMA);
    queue.migrate().await.context("cannot prepare the job queue")?;
    Ok(queue)
}
