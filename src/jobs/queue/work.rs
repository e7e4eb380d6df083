//! The loop that takes jobs, and what every job finds in its context.

use super::crawl::{CrawlJob, LookJob};
use super::delivery::DeliveryJob;
use super::diff::DiffJob;
use super::family::FamilyJob;
use super::package::PackageJob;
use super::{OpenHub, QUEUE_SCHEMA, WorkerOptions};
use crate::jobs::in_flight::InFlight;
use crate::metrics::metrics;
use crate::sentence::sentence;
use crate::store::Store;
use crate::store::crawls::CrawlPlan;
use graphile_worker::{WorkerContext, WorkerUtils};
use heirloom_crawler::{Hub, HubError};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio_util::sync::CancellationToken;

/// How long a running job may go on after the process was told to stop; then it is handed back.
const GRACE: Duration = Duration::from_secs(12);
/// Beats in the time after which a silent worker is taken for dead.
const BEATS_UNTIL_DEAD: u32 = 6;
/// How soon workers that lost the database look for it again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// Hubs by id and endpoint.
type OpenHubs = HashMap<(String, String), Arc<dyn Hub>>;

/// What jobs find in their context.
#[derive(Clone)]
pub struct Shared {
    pub store: Store,
    pub queue: WorkerUtils,
    pub options: WorkerOptions,
    pub stop: CancellationToken,
    open_hub: OpenHub,
    pub in_flight: Arc<InFlight>,
    hubs: Arc<Mutex<OpenHubs>>,
}

impl Shared {
    pub fn new(
        store: Store,
        queue: WorkerUtils,
        options: WorkerOptions,
        open_hub: OpenHub,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store,
            queue,
            options,
            stop,
            open_hub,
            in_flight: Arc::default(),
            hubs: Arc::default(),
        }
    }

    /// The hub of a crawl. All jobs of this process share one client of it, and so its pace.
    pub fn hub(&self, plan: &CrawlPlan) -> Result<Arc<dyn Hub>, HubError> {
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (plan.hub.clone(), plan.endpoint.clone());
        if let Some(hub) = hubs.get(&key) {
            return Ok(hub.clone());
        }
        let hub = (self.open_hub)(plan)?;
        hubs.insert(key, hub.clone());
        Ok(hub)
    }
}

impl Shared {
    /// The moment `wait` from now by the database's clock: the queue goes by it, whatever the clock of this machine says.
    pub async fn after(&self, wait: Duration) -> anyhow::Result<SystemTime> {
        Ok(SystemTime::from(self.store.now().await?) + wait)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The queue keeps a failed job's error by its `Debug` form; this one's is the sentence itself.
pub struct Reason(pub anyhow::Error);

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sentence(&self.0))
    }
}

/// Runs a job; what came of it and how long it took is counted.
pub async fn measured(kind: &str, job: impl Future<Output = anyhow::Result<()>>) -> Result<(), Reason> {
    let start = Instant::now();
    let outcome = job.await;
    metrics().count_job(kind, outcome.is_ok(), start.elapsed());
    outcome.map_err(Reason)
}

/// What the worker gave its jobs.
pub fn shared(context: &WorkerContext) -> Result<Shared, Reason> {
    let shared = context.get_ext::<Shared>().cloned();
    shared.ok_or_else(|| Reason(anyhow::anyhow!("the worker was started without its store")))
}

/// Works until told to stop. The queue gives up when it loses the database; then it is started again.
pub async fn work(shared: Shared) {
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
    let dead_after = shared.options.dead_after;
    let worker = graphile_worker::WorkerOptions::default()
        .pg_pool(shared.store.pool().clone())
        .schema(QUEUE_SCHEMA)
        .concurrency(shared.options.concurrency)
        .heartbeat_interval(dead_after / BEATS_UNTIL_DEAD)
        .sweep_interval(dead_after)
        .sweep_threshold(dead_after)
        .listen_os_shutdown_signals(false)
        .shutdown_signal(shared.stop.clone().cancelled_owned())
        .shutdown_grace_period(GRACE)
        .shutdown_interrupted_job_retry_delay(Duration::from_secs(1))
        .add_extension(shared.clone())
        .define_job::<CrawlJob>()
        .define_job::<LookJob>()
        .define_job::<PackageJob>()
        .define_job::<FamilyJob>()
        .define_job::<DiffJob>()
        .define_job::<DeliveryJob>()
        .init()
        .await?;
    Ok(worker.run().await?)
}
