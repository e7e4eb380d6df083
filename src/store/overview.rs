//! Reads the state of the whole catalogue.

use super::crawls::CrawlFailure;
use super::{Result, Store};
use sqlx::types::Json;
use time::OffsetDateTime;

/// Failures told with a crawl: a hub of millions has thousands.
const LISTED_FAILURES: i64 = 100;

/// How much there is.
pub struct CatalogueCounts {
    pub packages: i64,
    pub revisions: i64,
    pub fingerprints: i64,
    pub tensors: i64,
    pub edges: i64,
    pub silent_changes: i64,
    pub failures: i64,
}

/// What happened since some moment.
pub struct RecentCounts {
    pub new_models: i64,
    pub revisions: i64,
    pub major: i64,
    pub silent: i64,
    pub unreadable: i64,
}

/// How often a relation or a verdict occurs.
pub struct WordCount {
    pub word: String,
    pub count: i64,
}

/// A revision whose weights changed without a word.
pub struct SilentChangeRow {
    pub reference: String,
    pub revision: String,
    pub version: String,
    pub date: Option<OffsetDateTime>,
    pub detail: String,
}

/// One run over a hub's listing.
pub struct CrawlRow {
    pub id: i64,
    pub hub: String,
    pub endpoint: String,
    pub author: Option<String>,
    pub search: Option<String>,
    pub package_limit: Option<i64>,
    pub level: String,
    pub started_at: OffsetDateTime,
    pub finished_at: Option<OffsetDateTime>,
    pub active_at: OffsetDateTime,
    pub listed: i64,
    pub packages: i64,
    pub error: Option<String>,
    pub failed: i64,
    /// The first of those that failed.
    pub failures: Json<Vec<CrawlFailure>>,
}

impl Store {
    pub async fn count_catalogue(&self) -> Result<CatalogueCounts> {
        Ok(sqlx::query_as!(
            CatalogueCounts,
            r#"SELECT (SELECT count(*) FROM packages) AS "packages!",
                      (SELECT count(*) FROM revisions) AS "revisions!",
                      (SELECT count(*) FROM fingerprints) AS "fingerprints!",
                      (SELECT count(*) FROM tensors) AS "tensors!",
                      (SELECT count(*) FROM edges) AS "edges!",
                      (SELECT count(*) FROM versions WHERE silent) AS "silent_changes!",
                      (SELECT count(*) FROM revisions WHERE failure IS NOT NULL) AS "failures!""#
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// What hubs published, and what was found in it, since `since`.
    pub async fn count_recent(&self, since: OffsetDateTime) -> Result<RecentCounts> {
        Ok(sqlx::query_as!(
            RecentCounts,
            r#"SELECT count(*) FILTER (WHERE r.position = 0) AS "new_models!",
                      count(*) AS "revisions!",
                      count(*) FILTER (WHERE v.bump = 'major') AS "major!",
                      count(*) FILTER (WHERE v.silent) AS "silent!",
                      count(*) FILTER (WHERE r.failure IS NOT NULL) AS "unreadable!"
               FROM revisions r LEFT JOIN versions v ON v.revision_id = r.id
               WHERE r.date >= $1"#,
            since
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// Relations by how many edges have them.
    pub async fn count_relations(&self) -> Result<Vec<WordCount>> {
        Ok(sqlx::query_as!(
            WordCount,
            r#"SELECT relation AS word, count(*) AS "count!" FROM edges GROUP BY relation ORDER BY 2 DESC, 1"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Verdicts by how many models have them.
    pub async fn count_verdicts(&self) -> Result<Vec<WordCount>> {
        Ok(sqlx::query_as!(
            WordCount,
            r#"SELECT verdict AS "word!", count(*) AS "count!" FROM packages
               WHERE verdict IS NOT NULL GROUP BY verdict ORDER BY 2 DESC, 1"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The newest silent changes, each with what is known of the weights.
    pub async fn list_silent_changes(&self, limit: i64) -> Result<Vec<SilentChangeRow>> {
        Ok(sqlx::query_as!(
            SilentChangeRow,
            r#"SELECT p.hub || ':' || p.owner || '/' || p.name AS "reference!", r.revision, v.version, r.date,
                      coalesce((SELECT reason ->> 'detail' FROM jsonb_array_elements(v.reasons) reason
                                ORDER BY reason ->> 'kind' <> 'weights' LIMIT 1), '') AS "detail!"
               FROM versions v
               JOIN revisions r ON r.id = v.revision_id
               JOIN packages p ON p.id = r.package_id
               WHERE v.silent
               ORDER BY v.at DESC, v.revision_id DESC LIMIT $1"#,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Crawls, newest first.
    pub async fn list_crawls(&self, limit: i64) -> Result<Vec<CrawlRow>> {
        Ok(sqlx::query_as!(
            CrawlRow,
            r#"SELECT id, hub, endpoint, author, search, package_limit, level, started_at, finished_at, active_at, listed,
                      packages, error,
                      (SELECT count(*) FROM crawl_failures f WHERE f.crawl_id = crawls.id) AS "failed!",
                      (SELECT coalesce(jsonb_agg(jsonb_build_object('package', package, 'reason', reason) ORDER BY package), '[]')
                       FROM (SELECT package, reason FROM crawl_failures f WHERE f.crawl_id = crawls.id ORDER BY package LIMIT $2)
                            first) AS "failures!: Json<Vec<CrawlFailure>>"
               FROM crawls ORDER BY started_at DESC, id DESC LIMIT $1"#,
            limit,
            LISTED_FAILURES
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
