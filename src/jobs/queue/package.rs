//! One package of a crawl as a job. A package that fails does not hold the crawl: what no further try can mend is noted at once, what
//! may pass is tried again a few times, and while the hub itself is away its packages wait without spending their tries.

use super::crawl::{FEW_OPEN, look_now, package_spec};
use super::family::queue_families;
use super::work::{Shared, measured, shared};
use crate::jobs::crawl::{PackageStep, Taken};
use crate::jobs::{Progress, may_pass, stops_everything};
use crate::metrics::metrics;
use crate::sentence::sentence;
use crate::store::crawls::{CrawlPlan, PackageOutcome};
use anyhow::{Context, anyhow};
use graphile_worker::{IntoTaskHandlerResult, JobSpec, TaskHandler, WorkerContext};
use heirloom_crawler::{Hub, ListFilter};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One package of a crawl.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PackageJob {
    pub crawl: i64,
    pub name: String,
}

impl TaskHandler for PackageJob {
    const IDENTIFIER: &'static str = "package";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let job = context.job();
        let is_last_try = job.attempts() >= job.max_attempts();
        let shared = shared(&context)?;
        measured(Self::IDENTIFIER, self.take(&shared, is_last_try)).await
    }
}

impl PackageJob {
    async fn take(&self, shared: &Shared, is_last_try: bool) -> anyhow::Result<()> {
        let Some(plan) = shared.store.crawl_plan(self.crawl).await? else {
            return Ok(());
        };
        std::fs::create_dir_all(&shared.options.scratch)
            .with_context(|| format!("cannot make the folder {}", shared.options.scratch.display()))?;
        let hub = shared.hub(&plan)?;
        let progress: Arc<dyn Progress> = Arc::new(Counted);
        let step = PackageStep {
            store: &shared.store,
            hub: &hub,
            level: plan.level,
            scratch: &shared.options.scratch,
            progress: &progress,
            in_flight: &shared.in_flight,
        };
        let (outcome, trouble) = match step.run(&self.name).await {
            Ok(Taken {
                outcome,
                may_pass: true,
            }) => {
                let reason = outcome
                    .failures
                    .first()
                    .map_or_else(String::new, |failure| failure.reason.clone());
                (outcome, Some(anyhow!(reason)))
            }
            Ok(taken) => (taken.outcome, None),
            Err(error) if stops_everything(&error) => return Err(error),
            Err(error) => {
                let outcome = PackageOutcome::failed(&self.name, sentence(&error));
                (outcome, may_pass(&error).then_some(error))
            }
        };
        match trouble {
            None => self.close(shared, plan, &outcome).await,
            Some(_) if is_away(hub.as_ref()).await => self.postpone(shared, &plan).await,
            Some(trouble) if is_last_try => {
                // The job stays in the queue with its reason; the crawl goes on without it.
                self.close(shared, plan, &outcome).await?;
                Err(trouble)
            }
            Some(trouble) => Err(trouble),
        }
    }

    /// Notes what came of the package, and has the crawl looked at where it may come on now.
    async fn close(&self, shared: &Shared, plan: CrawlPlan, outcome: &PackageOutcome) -> anyhow::Result<()> {
        if !shared
            .store
            .finish_package(self.crawl, &self.name, outcome)
            .await?
        {
            // The crawl is over: someone had this package tried again.
            return queue_families(shared).await;
        }
        let failed = !outcome.failures.is_empty();
        metrics().count_package(&plan.hub, outcome.new_revisions, outcome.fingerprints, failed);
        let open = shared.store.count_open_packages(self.crawl).await?;
        if open == 0 || open == FEW_OPEN {
            look_now(&shared.queue, self.crawl, &plan).await?;
        }
        Ok(())
    }

    /// Comes again with all its tries.
    async fn postpone(&self, shared: &Shared, plan: &CrawlPlan) -> anyhow::Result<()> {
        let spec = JobSpec {
            run_at: Some(shared.after(shared.options.hub_away).await?.into()),
            ..package_spec(shared, self.crawl, plan, &self.name)
        };
        let queued = shared.queue.add_job(self.clone(), spec).await;
        queued.context("cannot queue the package")?;
        Ok(())
    }
}

/// A worker's progress is told by its metrics.
struct Counted;

impl Progress for Counted {
    fn listed(&self, _count: u64) {}
    fn package_done(&self, _name: &str) {}
    fn read(&self, bytes: u64) {
        metrics().weights_read.inc_by(bytes);
    }
    fn inferring(&self) {}
}

/// Is it the hub that does not answer, and not this package of it?
async fn is_away(hub: &dyn Hub) -> bool {
    let listed = hub.list(&ListFilter::default(), None).await;
    listed.is_err_and(|error| error.is_retryable())
}
