//! What is in the job queue: waiting, running, given up.
//!
//! The tables belong to the queue's library, which makes them when workers start; so these statements are not checked at compile time,
//! and a database without the tables has an empty queue.

use super::{Result, Store};
use serde::Serialize;
use time::OffsetDateTime;

/// A job of the queue.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
pub struct QueuedJob {
    pub id: i64,
    /// crawl, diff
    pub kind: String,
    /// waiting, running, failed
    pub state: String,
    pub attempts: i16,
    pub max_attempts: i16,
    #[serde(with = "time::serde::rfc3339")]
    pub run_at: OffsetDateTime,
    /// Why the last attempt failed.
    pub reason: Option<String>,
    /// What makes it one of its kind: the plan of a crawl, the id of a comparison.
    pub key: Option<String>,
}

const JOBS: &str = "SELECT id, task_identifier AS kind, attempts, max_attempts, run_at, last_error AS reason, key,
    CASE WHEN locked_at IS NOT NULL THEN 'running' WHEN attempts >= max_attempts THEN 'failed' ELSE 'waiting' END AS state
    FROM graphile_worker.jobs ORDER BY id";

impl Store {
    /// All jobs that are not done, oldest first.
    pub async fn queued_jobs(&self) -> Result<Vec<QueuedJob>> {
        if !self.has_queue().await? {
            return Ok(Vec::new());
        }
        Ok(sqlx::query_as(JOBS).fetch_all(&self.pool).await?)
    }

    async fn has_queue(&self) -> Result<bool> {
        let found =
            sqlx::query_scalar!(r#"SELECT to_regclass('graphile_worker.jobs') IS NOT NULL AS "found!""#);
        Ok(found.fetch_one(&self.pool).await?)
    }
}
