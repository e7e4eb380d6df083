//! How far crawls and comparisons are.

use super::{Result, Store};

/// A piece of work that runs, waits, or has just ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkRow {
    /// `crawl:7`, `diff:0199…`
    pub id: String,
    /// crawl, diff
    pub kind: String,
    /// queued, running, done, failed
    pub status: String,
    pub done: i64,
    pub total: Option<i64>,
    pub ended: bool,
}

impl Store {
    /// All work that has not ended, and those of `watched` whether they have or not.
    pub async fn work_in_progress(&self, watched: &[String]) -> Result<Vec<WorkRow>> {
        Ok(sqlx::query_as!(
            WorkRow,
            r#"SELECT 'crawl:' || id AS "id!", 'crawl' AS "kind!",
                      CASE WHEN finished_at IS NULL THEN 'running' WHEN error IS NULL THEN 'done' ELSE 'failed' END AS "status!",
                      packages AS "done!", package_limit AS total, finished_at IS NOT NULL AS "ended!"
               FROM crawls WHERE finished_at IS NULL OR 'crawl:' || id = ANY($1)
               UNION ALL
               SELECT 'diff:' || id, 'diff', status, bytes_done, bytes_total, status IN ('done', 'failed')
               FROM diffs WHERE status IN ('queued', 'running') OR 'diff:' || id = ANY($1)
               ORDER BY 1"#,
            watched
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
