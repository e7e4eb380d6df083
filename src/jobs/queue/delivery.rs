//! Changes for webhooks, as jobs: one for each change that a webhook waits for.

use super::work::{Shared, measured, shared};
use crate::jobs::delivery::Courier;
use crate::sentence::sentence;
use crate::store::Store;
use crate::store::changes::ChangeFilter;
use crate::store::watch::{CHANGES_CHANNEL, WatchFilter};
use crate::store::webhooks::WebhookRow;
use graphile_worker::{IntoTaskHandlerResult, JobKeyMode, JobSpec, TaskHandler, WorkerContext, WorkerUtils};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgListener;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How soon a change is found whose announcement was lost with a connection.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Changes queued at a time for one webhook.
const BATCH: i64 = 500;
/// With the queue's growing delays, about an hour of tries.
const ATTEMPTS: i16 = 9;
/// As far as a family is followed.
const FAMILY_DEPTH: u32 = 50;
const FAMILY_SIZE: usize = 10_000;

/// A change to be told to a webhook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliveryJob {
    webhook: Uuid,
    position: i64,
}

impl TaskHandler for DeliveryJob {
    const IDENTIFIER: &'static str = "delivery";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Shared { store, options, .. } = shared(&context)?;
        let told = async {
            let courier = Courier::new(options.webhooks)?;
            courier.deliver(&store, self.webhook, self.position).await
        };
        measured(Self::IDENTIFIER, told).await
    }
}

/// Queues deliveries until `stop`.
pub async fn queue_deliveries(queue: WorkerUtils, store: Store, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = follow(&queue, &store).await {
            tracing::warn!("webhooks are not told for now: {}", sentence(&error));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn follow(queue: &WorkerUtils, store: &Store) -> anyhow::Result<()> {
    let mut listener = PgListener::connect_with(store.pool()).await?;
    listener.listen(CHANGES_CHANNEL).await?;
    loop {
        queue_new(queue, store).await?;
        if let Ok(announced) = tokio::time::timeout(LOOK_AGAIN, listener.recv()).await {
            announced?;
        }
    }
}

/// Queues what is new for every webhook. The job first: cut off in between, the next look queues the same job under the same key.
async fn queue_new(queue: &WorkerUtils, store: &Store) -> anyhow::Result<()> {
    let newest = store.number_changes().await?;
    for webhook in store.webhooks_behind(newest).await? {
        let mut position = webhook.position;
        while position < newest {
            let filter = filter(store, &webhook).await?;
            let sight = if webhook.sees_restricted {
                store.whole()
            } else {
                store.public()
            };
            let changes = sight.changes_between(position, newest, &filter, BATCH).await?;
            let whole = i64::try_from(changes.len()).is_ok_and(|count| count < BATCH);
            position = match (whole, changes.last()) {
                (false, Some(last)) => last.position,
                _ => newest,
            };
            for change in changes {
                let job = DeliveryJob {
                    webhook: webhook.id,
                    position: change.position,
                };
                queue.add_job(job, spec(&webhook, change.position)).await?;
            }
            store.advance_webhook(webhook.id, position).await?;
        }
    }
    Ok(())
}

fn spec(webhook: &WebhookRow, position: i64) -> JobSpec {
    JobSpec {
        job_key: Some(format!("delivery {} {position}", webhook.id)),
        job_key_mode: Some(JobKeyMode::UnsafeDedupe),
        max_attempts: Some(ATTEMPTS),
        ..JobSpec::default()
    }
}

async fn filter(store: &Store, webhook: &WebhookRow) -> anyhow::Result<WatchFilter> {
    let kinds = webhook.kinds.clone();
    let WebhookRow { hub, owner, name, .. } = webhook;
    if let (true, Some(hub), Some(owner), Some(name)) = (webhook.family, hub, owner, name) {
        let packages = match store.model_id(hub, owner, name).await? {
            Some(root) => store.family(root, FAMILY_DEPTH, FAMILY_SIZE).await?.members,
            None => Vec::new(),
        };
        return Ok(WatchFilter {
            kinds,
            packages: Some(packages),
            ..WatchFilter::default()
        });
    }
    Ok(WatchFilter {
        kinds,
        changes: ChangeFilter {
            kind: None,
            hub: hub.clone(),
            owner: owner.clone(),
            name: name.clone(),
        },
        packages: None,
    })
}
