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
    /// crawl, look (at a crawl), package, family, diff
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

/// A package whose job was given up before it could say what came of it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DeadPackage {
    pub name: String,
    pub reason: Option<String>,
}

/// Jobs of one kind in one state.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct QueueDepth {
    pub kind: String,
    pub state: String,
    pub count: i64,
}

const DEPTH: &str = "SELECT task_identifier AS kind,
    CASE WHEN locked_at IS NOT NULL THEN 'running' WHEN attempts >= max_attempts THEN 'failed' ELSE 'waiting' END AS state,
    count(*) AS count
    FROM graphile_worker.jobs GROUP BY 1, 2";

/// The key of the job that takes one package of a crawl.
pub fn package_key(crawl: i64, name: &str) -> String {
    format!("package {crawl} {name}")
}

const COUNT_LIVE: &str = "SELECT count(*) FROM graphile_worker.jobs
    WHERE task_identifier = $1 AND (attempts < max_attempts OR locked_at IS NOT NULL)";
const WITHOUT_JOB: &str =
    "SELECT name FROM crawl_packages p WHERE crawl_id = $1 AND NOT done AND NOT EXISTS (
        SELECT 1 FROM graphile_worker.jobs j WHERE j.key = $2 || p.name)
    ORDER BY name";
const DEAD_PACKAGES: &str = "SELECT p.name, j.last_error AS reason
    FROM crawl_packages p JOIN graphile_worker.jobs j ON j.key = $2 || p.name
    WHERE p.crawl_id = $1 AND NOT p.done AND j.attempts >= j.max_attempts AND j.locked_at IS NULL
    ORDER BY p.name";

impl Store {
    /// All jobs that are not done, oldest first.
    pub async fn queued_jobs(&self) -> Result<Vec<QueuedJob>> {
        if !self.has_queue().await? {
            return Ok(Vec::new());
        }
        Ok(sqlx::query_as(JOBS).fetch_all(&self.pool).await?)
    }

    /// How many jobs there are of each kind in each state.
    pub async fn queue_depth(&self) -> Result<Vec<QueueDepth>> {
        if !self.has_queue().await? {
            return Ok(Vec::new());
        }
        Ok(sqlx::query_as(DEPTH).fetch_all(&self.pool).await?)
    }

    /// How many jobs of a kind wait, run or will be tried again.
    pub async fn count_live_jobs(&self, kind: &str) -> Result<i64> {
        let count = sqlx::query_scalar(COUNT_LIVE).bind(kind).fetch_one(&self.pool);
        Ok(count.await?)
    }

    /// Open packages of a crawl that no job will take.
    pub async fn packages_without_job(&self, crawl: i64) -> Result<Vec<String>> {
        let names = sqlx::query_scalar(WITHOUT_JOB)
            .bind(crawl)
            .bind(package_key(crawl, ""))
            .fetch_all(&self.pool);
        Ok(names.await?)
    }

    /// Open packages of a crawl whose job was given up.
    pub async fn dead_packages(&self, crawl: i64) -> Result<Vec<DeadPackage>> {
        let dead = sqlx::query_as(DEAD_PACKAGES)
            .bind(crawl)
            .bind(package_key(crawl, ""))
            .fetch_all(&self.pool);
        Ok(dead.await?)
    }

    async fn has_queue(&self) -> Result<bool> {
        let found =
            sqlx::query_scalar!(r#"SELECT to_regclass('graphile_worker.jobs') IS NOT NULL AS "found!""#);
        Ok(found.fetch_one(&self.pool).await?)
    }
}
