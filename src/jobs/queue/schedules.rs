//! Crawls that come again: queued as their time comes.

use super::crawl::add_crawl;
use crate::jobs::next_run;
use crate::sentence::sentence;
use crate::store::Store;
use graphile_worker::WorkerUtils;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often schedules are looked at; cron has minutes.
const LOOK_AT_SCHEDULES: Duration = Duration::from_secs(10);
/// A run that is later than this was missed.
const MISSED_AFTER: Duration = Duration::from_secs(300);

/// Queues the crawls of schedules as they become due. Several processes may do so at once: a job has one key, and a schedule moves on
/// only from the run that was seen due.
pub async fn keep_schedules(queue: WorkerUtils, store: Store, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = queue_due_schedules(&queue, &store).await {
            tracing::warn!("schedules are not looked at for now: {}", sentence(&error));
        }
        tokio::time::sleep(LOOK_AT_SCHEDULES).await;
    }
}

async fn queue_due_schedules(queue: &WorkerUtils, store: &Store) -> anyhow::Result<()> {
    // The database's clock, which all workers share: theirs may jump.
    let now = store.now().await?;
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
