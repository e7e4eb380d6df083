//! The steps as jobs of a durable queue in Postgres: what `heirloom serve` works on.
//!
//! The queue (graphile_worker) keeps a job until it is done: a worker that is stopped hands its jobs back, the jobs of one that
//! died are taken over once its heartbeat is old, failures are tried again with growing delays and kept with their reason.

use super::{CrawlOptions, Silent, crawl, may_pass, next_run, run_diff};
use crate::sentence::sentence;
use crate::store::Store;
use crate::store::crawls::CrawlPlan;
use crate::store::diffs::DIFFS_CHANNEL;
use anyhow::{Context, ensure};
use graphile_worker::worker_utils::types::RescheduleJobOptions;
use graphile_worker::{
    IntoTaskHandlerResult, JobKeyMode, JobSpec, TaskHandler, WorkerContext, WorkerOptions, WorkerUtils,
};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgListener;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The queue's own tables.
const QUEUE_SCHEMA: &str = "graphile_worker";
/// Jobs at the same time in one process. A crawl mostly waits for its hub; comparisons take turns.
const CONCURRENCY: usize = 4;
/// How long a running job may go on after the process was told to stop; then it is handed back.
const GRACE: Duration = Duration::from_secs(15);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A worker that was silent for so long is dead, and its jobs are given to others.
const DEAD_AFTER: Duration = Duration::from_secs(30);
const CRAWL_ATTEMPTS: i16 = 10;
const DIFF_ATTEMPTS: i16 = 3;
/// Requests are announced; this is how soon one is found whose announcement was lost with a connection.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How often schedules are looked at; cron has minutes.
const LOOK_AT_SCHEDULES: Duration = Duration::from_secs(10);
/// A run that is later than this was missed.
const MISSED_AFTER: Duration = Duration::from_secs(300);
/// How soon workers that lost the database look for it again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// The workers of this process.
pub struct Workers {
    queue: WorkerUtils,
    running: JoinHandle<()>,
    listening: JoinHandle<()>,
    scheduling: JoinHandle<()>,
}

impl Workers {
    /// Starts working until `stop`; downloads pass through `scratch`.
    pub async fn start(store: &Store, scratch: PathBuf, stop: CancellationToken) -> anyhow::Result<Self> {
        let queue = queue_of(store).await?;
        let shared = Shared {
            store: store.clone(),
            scratch,
            stop: stop.clone(),
        };
        Ok(Self {
            running: tokio::spawn(work(shared)),
            listening: tokio::spawn(queue_diffs(queue.clone(), store.clone(), stop.clone())),
            scheduling: tokio::spawn(keep_schedules(queue.clone(), store.clone(), stop)),
            queue,
        })
    }

    /// Queues a crawl, unless the same is queued already.
    pub async fn queue_crawl(&self, plan: CrawlPlan) -> anyhow::Result<()> {
        add_crawl(&self.queue, plan).await
    }

    /// Waits until the running jobs are done or handed back, after `stop` was cancelled.
    pub async fn finish(self) -> anyhow::Result<()> {
        self.listening.abort();
        self.scheduling.abort();
        Ok(self.running.await?)
    }
}

async fn add_crawl(queue: &WorkerUtils, plan: CrawlPlan) -> anyhow::Result<()> {
    let key = format!("crawl {}", serde_json::to_string(&plan)?);
    let spec = JobSpec {
        // One crawl of a hub at a time, by however many workers.
        queue_name: Some(format!("{} {}", plan.hub, plan.endpoint)),
        job_key: Some(key),
        job_key_mode: Some(JobKeyMode::PreserveRunAt),
        max_attempts: Some(CRAWL_ATTEMPTS),
        ..JobSpec::default()
    };
    let queued = queue.add_job(CrawlJob(plan), spec).await;
    queued.context("cannot queue the crawl")?;
    Ok(())
}

/// Works until told to stop. The queue gives up when it loses the database; then it is started again.
async fn work(shared: Shared) {
    while !shared.stop.is_cancelled() {
        if let Err(error) = work_once(&shared).await {
            tracing::warn!("the workers stopped and will start again: {}", sentence(&error));
            shared
                .stop
                .run_until_cancelled(tokio::time::sleep(RESTART_AFTER))
                .await;
        }
    }
}

async fn work_once(shared: &Shared) -> anyhow::Result<()> {
    let worker = WorkerOptions::default()
        .pg_pool(shared.store.pool().clone())
        .schema(QUEUE_SCHEMA)
        .concurrency(CONCURRENCY)
        .heartbeat_interval(HEARTBEAT)
        .sweep_interval(DEAD_AFTER)
        .sweep_threshold(DEAD_AFTER)
        .listen_os_shutdown_signals(false)
        .shutdown_signal(shared.stop.clone().cancelled_owned())
        .shutdown_grace_period(GRACE)
        .shutdown_interrupted_job_retry_delay(Duration::from_secs(1))
        .add_extension(shared.clone())
        .define_job::<CrawlJob>()
        .define_job::<DiffJob>()
        .init()
        .await?;
    Ok(worker.run().await?)
}

/// What tasks find in their context.
#[derive(Clone, Debug)]
struct Shared {
    store: Store,
    scratch: PathBuf,
    stop: CancellationToken,
}

/// The queue keeps a failed job's error by its `Debug` form; this one's is the sentence itself.
struct Reason(anyhow::Error);

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

fn shared(context: &WorkerContext) -> Result<Shared, Reason> {
    let shared = context.get_ext::<Shared>().cloned();
    shared.ok_or_else(|| Reason(anyhow::anyhow!("the worker was started without its store")))
}

/// A crawl of one hub.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CrawlJob(pub CrawlPlan);

impl TaskHandler for CrawlJob {
    const IDENTIFIER: &'static str = "crawl";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        run_crawl(self.0, shared(&context)?).await.map_err(Reason)
    }
}

async fn run_crawl(plan: CrawlPlan, shared: Shared) -> anyhow::Result<()> {
    let endpoint = plan.endpoint.clone();
    let hub = heirloom_crawler::open(&plan.hub, Some(&plan.endpoint))?;
    let options = CrawlOptions {
        author: plan.author,
        search: plan.search,
        limit: plan.limit,
        level: plan.level,
        scratch: shared.scratch,
    };
    let crawling = crawl(&shared.store, hub, &options, Arc::new(Silent));
    // Dropped in the middle, a crawl goes on at its next run where it was.
    let Some(outcome) = shared.stop.run_until_cancelled(crawling).await else {
        anyhow::bail!("the worker was stopped; the crawl goes on from here")
    };
    match outcome {
        Ok(report) => {
            tracing::info!(
                endpoint,
                packages = report.packages,
                revisions = report.new_revisions,
                fingerprints = report.fingerprints,
                failures = report.failures.len(),
                "crawl finished"
            );
            Ok(())
        }
        Err(error) if may_pass(&error) => Err(error),
        Err(error) => {
            // Its row in `crawls` says why; another try would fail likewise.
            tracing::error!(endpoint, "crawl failed: {}", sentence(&error));
            Ok(())
        }
    }
}

/// A comparison asked for through REST.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct DiffJob {
    id: Uuid,
}

impl TaskHandler for DiffJob {
    const IDENTIFIER: &'static str = "diff";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Shared { store, .. } = shared(&context)?;
        run_diff(&store, self.id).await.map_err(Reason)
    }
}

/// Turns requested comparisons into jobs: those that wait already, then each as it is announced.
async fn queue_diffs(queue: WorkerUtils, store: Store, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = queue_diffs_once(&queue, &store).await {
            tracing::warn!("comparisons are not taken on for now: {}", sentence(&error));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn queue_diffs_once(queue: &WorkerUtils, store: &Store) -> anyhow::Result<()> {
    let mut listener = PgListener::connect_with(store.pool()).await?;
    listener.listen(DIFFS_CHANNEL).await?;
    loop {
        for id in store.open_diffs().await? {
            let spec = JobSpec {
                queue_name: Some("diffs".to_owned()),
                job_key: Some(format!("diff {id}")),
                job_key_mode: Some(JobKeyMode::UnsafeDedupe),
                max_attempts: Some(DIFF_ATTEMPTS),
                priority: Some(-1),
                ..JobSpec::default()
            };
            queue.add_job(DiffJob { id }, spec).await?;
        }
        // Whether announced or not, the rows say what is to be done.
        if let Ok(announced) = tokio::time::timeout(LOOK_AGAIN, listener.recv()).await {
            announced?;
        }
    }
}

/// Queues the crawls of schedules as they become due. Several processes may do so at once: a job has one key, and a schedule moves on
/// only from the run that was seen due.
async fn keep_schedules(queue: WorkerUtils, store: Store, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = queue_due_schedules(&queue, &store).await {
            tracing::warn!("schedules are not looked at for now: {}", sentence(&error));
        }
        tokio::time::sleep(LOOK_AT_SCHEDULES).await;
    }
}

async fn queue_due_schedules(queue: &WorkerUtils, store: &Store) -> anyhow::Result<()> {
    let now = OffsetDateTime::now_utc();
    for schedule in store.due_schedules(now).await? {
        let missed = now - schedule.next_run > MISSED_AFTER;
        let runs = !missed || schedule.catch_up == "once";
        // The job first: if this process dies in between, the next look queues the same job under the same key.
        if runs {
            add_crawl(queue, schedule.plan).await?;
        }
        let next = next_run(&schedule.cron, &schedule.time_zone, now)?;
        store
            .advance_schedule(&schedule.name, schedule.next_run, next, runs)
            .await?;
        tracing::info!(schedule = schedule.name, runs, "schedule was due");
    }
    Ok(())
}

/// Queues a crawl for whoever works on the queue, unless the same is queued already.
pub async fn queue_crawl(store: &Store, plan: CrawlPlan) -> anyhow::Result<()> {
    add_crawl(&queue_of(store).await?, plan).await
}

/// Tries a job again now, with all its attempts.
pub async fn retry_job(store: &Store, id: i64) -> anyhow::Result<()> {
    let options = RescheduleJobOptions {
        attempts: Some(0),
        ..RescheduleJobOptions::default()
    };
    let changed = queue_of(store).await?.reschedule_jobs(&[id], options).await?;
    ensure!(
        !changed.is_empty(),
        "no job {id} waits or was given up; see `heirloom jobs`"
    );
    Ok(())
}

/// Gives up a job that waits.
pub async fn cancel_job(store: &Store, id: i64) -> anyhow::Result<()> {
    let queue = queue_of(store).await?;
    let changed = queue.permanently_fail_jobs(&[id], "cancelled").await?;
    ensure!(!changed.is_empty(), "no job {id} waits; see `heirloom jobs`");
    Ok(())
}

async fn queue_of(store: &Store) -> anyhow::Result<WorkerUtils> {
    let queue = WorkerUtils::new(store.pool().clone(), QUEUE_SCHEMA);
    queue.migrate().await.context("cannot prepare the job queue")?;
    Ok(queue)
}
