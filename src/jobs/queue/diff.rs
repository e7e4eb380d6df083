//! Comparisons asked for through REST, as jobs.

use super::work::{Shared, measured, shared};
use crate::jobs::run_diff;
use crate::sentence::sentence;
use crate::store::Store;
use crate::store::diffs::DIFFS_CHANNEL;
use graphile_worker::{IntoTaskHandlerResult, JobKeyMode, JobSpec, TaskHandler, WorkerContext, WorkerUtils};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgListener;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const DIFF_ATTEMPTS: i16 = 3;
/// Requests are announced; this is how soon one is found whose announcement was lost with a connection.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A comparison asked for through REST.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DiffJob {
    id: Uuid,
}

impl TaskHandler for DiffJob {
    const IDENTIFIER: &'static str = "diff";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Shared { store, .. } = shared(&context)?;
        measured(Self::IDENTIFIER, run_diff(&store, self.id)).await
    }
}

/// Turns requested comparisons into jobs: those that wait already, then each as it is announced.
pub async fn queue_diffs(queue: WorkerUtils, store: Store, stop: CancellationToken) {
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
