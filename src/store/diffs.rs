//! Element-wise comparisons asked for through REST: requested here, computed by a worker, kept for the next who asks.

use super::{Result, Store};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// Where workers hear of new requests.
pub const DIFFS_CHANNEL: &str = "heirloom_diffs";

/// A comparison of two revisions and how far it is.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffRow {
    pub id: Uuid,
    /// `hub:owner/name@revision`
    pub a: String,
    pub b: String,
    /// 0 when no rank was asked for.
    pub max_rank: i32,
    /// queued, running, done, failed
    pub status: String,
    pub bytes_done: i64,
    pub bytes_total: Option<i64>,
    pub error: Option<String>,
    /// [`crate::delta::DiffReport`]
    pub report: Option<Value>,
    /// [`crate::lineage::PairOutcome`]
    pub outcome: Option<Value>,
    /// [`crate::versioning::BumpDecision`]
    pub bump: Option<Value>,
    pub created_at: OffsetDateTime,
}

/// What a worker found.
#[derive(Debug, Clone)]
pub struct DiffResult {
    pub report: Value,
    pub outcome: Option<Value>,
    pub bump: Option<Value>,
}

/// A revision of a crawled package: enough to open its weights again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedRevision {
    pub id: i64,
    pub package_id: i64,
    pub hub: String,
    /// `owner/name`
    pub name: String,
    pub revision: String,
    pub endpoint: String,
    pub weight_files: Vec<String>,
    pub failure: Option<String>,
}

impl ResolvedRevision {
    /// `hub:owner/name@revision`
    pub fn reference(&self) -> String {
        format!("{}:{}@{}", self.hub, self.name, self.revision)
    }
}

impl Store {
    /// Finds a crawled revision: `revision` in full, by a prefix of at least six characters, by tag, or the newest one with
    /// weights when `None`.
    pub async fn resolve_revision(
        &self,
        hub: &str,
        owner: &str,
        name: &str,
        revision: Option<&str>,
    ) -> Result<Option<ResolvedRevision>> {
        Ok(sqlx::query_as!(
            ResolvedRevision,
            r#"SELECT r.id, p.id AS package_id, p.hub, p.owner || '/' || p.name AS "name!", r.revision, p.endpoint, r.weight_files,
                      r.failure
               FROM packages p JOIN revisions r ON r.package_id = p.id
               WHERE p.hub = $1 AND p.owner = $2 AND p.name = $3
                 AND ($4::text IS NULL OR r.revision = $4 OR $4 = ANY(r.tags)
                      OR (length($4) >= 6 AND starts_with(r.revision, $4)))
               ORDER BY r.revision = $4 DESC NULLS LAST, r.weight_files <> '{}' DESC, r.position DESC LIMIT 1"#,
            hub,
            owner,
            name,
            revision
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Asks for a comparison: the one that is there already, or a new row in state queued. One that failed is queued again.
    pub async fn request_diff(&self, a: &str, b: &str, max_rank: i32) -> Result<DiffRow> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO diffs AS old (id, a, b, max_rank) VALUES ($1, $2, $3, $4)
             ON CONFLICT (a, b, max_rank) DO UPDATE SET status = 'queued', error = NULL, bytes_done = 0, created_at = now(),
                 finished_at = NULL
             WHERE old.status = 'failed'",
            Uuid::now_v7(),
            a,
            b,
            max_rank
        )
        .execute(&mut *transaction)
        .await?;
        let row = sqlx::query_as!(
            DiffRow,
            "SELECT id, a, b, max_rank, status, bytes_done, bytes_total, error, report, outcome, bump, created_at
             FROM diffs WHERE a = $1 AND b = $2 AND max_rank = $3",
            a,
            b,
            max_rank
        )
        .fetch_one(&mut *transaction)
        .await?;
        if row.status == "queued" {
            // Workers listen; one that is not there yet looks for queued rows when it starts.
            sqlx::query!("SELECT pg_notify($1, $2)", DIFFS_CHANNEL, row.id.to_string())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(row)
    }

    /// One comparison by id.
    pub async fn diff(&self, id: Uuid) -> Result<Option<DiffRow>> {
        Ok(sqlx::query_as!(
            DiffRow,
            "SELECT id, a, b, max_rank, status, bytes_done, bytes_total, error, report, outcome, bump, created_at
             FROM diffs WHERE id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The comparison of `a` and `b` with the greatest rank bound that anyone asked for; finished ones first.
    pub async fn find_diff(&self, a: &str, b: &str) -> Result<Option<DiffRow>> {
        Ok(sqlx::query_as!(
            DiffRow,
            "SELECT id, a, b, max_rank, status, bytes_done, bytes_total, error, report, outcome, bump, created_at
             FROM diffs WHERE a = $1 AND b = $2 ORDER BY status = 'done' DESC, max_rank DESC LIMIT 1",
            a,
            b
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Comparisons that wait for a worker or were left half done by one.
    pub async fn open_diffs(&self) -> Result<Vec<Uuid>> {
        Ok(sqlx::query_scalar!(
            "SELECT id FROM diffs WHERE status IN ('queued', 'running') ORDER BY created_at"
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// A worker begins.
    pub async fn start_diff(&self, id: Uuid, bytes_total: i64) -> Result<()> {
        sqlx::query!(
            "UPDATE diffs SET status = 'running', bytes_done = 0, bytes_total = $2 WHERE id = $1",
            id,
            bytes_total
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A worker has read `bytes_done` so far.
    pub async fn advance_diff(&self, id: Uuid, bytes_done: i64) -> Result<()> {
        sqlx::query!(
            "UPDATE diffs SET bytes_done = $2 WHERE id = $1 AND status = 'running'",
            id,
            bytes_done
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A worker is done.
    pub async fn finish_diff(&self, id: Uuid, result: &DiffResult) -> Result<()> {
        sqlx::query!(
            "UPDATE diffs SET status = 'done', report = $2, outcome = $3, bump = $4, error = NULL,
                 bytes_done = coalesce(bytes_total, bytes_done), finished_at = now()
             WHERE id = $1",
            id,
            result.report,
            result.outcome,
            result.bump
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A worker gave up, for the reason in `error` (one sentence).
    pub async fn fail_diff(&self, id: Uuid, error: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE diffs SET status = 'failed', error = $2, finished_at = now() WHERE id = $1 AND status <> 'done'",
            id,
            error
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
