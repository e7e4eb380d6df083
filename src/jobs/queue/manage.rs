//! What a person does with jobs: try again, give up.

use super::queue_of;
use crate::store::Store;
use anyhow::ensure;
use graphile_worker::worker_utils::types::RescheduleJobOptions;

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
