//! Runs over a hub's listing: where they are, what they found, and what failed.

use super::{Result, Store, StoreError, fingerprints::level_name, lineage::to_json};
use crate::fingerprint::Level;
use serde::{Deserialize, Serialize};

/// What to crawl. Two runs with equal plans are the same crawl: a run that was cut off is resumed by the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrawlPlan {
    pub hub: String,
    pub endpoint: String,
    pub author: Option<String>,
    pub search: Option<String>,
    /// Most packages to take from the listing.
    pub limit: Option<u64>,
    pub level: Level,
}

/// A package that could not be crawled, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CrawlFailure {
    /// `owner/name`, with `@revision` where one revision is meant.
    pub package: String,
    /// One sentence.
    pub reason: String,
}

/// A crawl that was begun or is resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCrawl {
    pub id: i64,
    /// The page to go on with; `None` is the first.
    pub cursor: Option<String>,
    /// Names listed on the pages before it.
    pub listed: u64,
    pub resumed: bool,
}

impl Store {
    /// Resumes the newest unfinished crawl of this plan, else begins one.
    pub async fn open_crawl(&self, plan: &CrawlPlan) -> Result<OpenCrawl> {
        let limit = plan.limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let unfinished = sqlx::query!(
            "SELECT id, cursor, listed FROM crawls
             WHERE hub = $1 AND endpoint = $2 AND author IS NOT DISTINCT FROM $3 AND search IS NOT DISTINCT FROM $4
               AND package_limit IS NOT DISTINCT FROM $5 AND level = $6 AND finished_at IS NULL
             ORDER BY id DESC LIMIT 1",
            plan.hub,
            plan.endpoint,
            plan.author,
            plan.search,
            limit,
            level_name(plan.level)
        )
        .fetch_optional(&self.pool)
        .await?;
        if let Some(row) = unfinished {
            sqlx::query!("UPDATE crawls SET active_at = now() WHERE id = $1", row.id)
                .execute(&self.pool)
                .await?;
            return Ok(OpenCrawl {
                id: row.id,
                cursor: row.cursor,
                listed: u64::try_from(row.listed).unwrap_or(0),
                resumed: true,
            });
        }
        let id = sqlx::query_scalar!(
            "INSERT INTO crawls (hub, endpoint, author, search, package_limit, level) VALUES ($1, $2, $3, $4, $5, $6)
             RETURNING id",
            plan.hub,
            plan.endpoint,
            plan.author,
            plan.search,
            limit,
            level_name(plan.level)
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(OpenCrawl {
            id,
            cursor: None,
            listed: 0,
            resumed: false,
        })
    }

    /// Notes that all pages before `cursor` are done.
    pub async fn advance_crawl(&self, id: i64, cursor: &str, listed: u64) -> Result<()> {
        sqlx::query!(
            "UPDATE crawls SET cursor = $2, listed = $3, active_at = now() WHERE id = $1",
            id,
            cursor,
            i64::try_from(listed).unwrap_or(i64::MAX)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Counts one more package that was crawled, whatever came of it.
    pub async fn count_package(&self, id: i64) -> Result<()> {
        sqlx::query!(
            "UPDATE crawls SET packages = packages + 1, active_at = now() WHERE id = $1",
            id
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Adds one failure; the same package failing the same way again is noted once.
    pub async fn add_crawl_failure(&self, id: i64, failure: &CrawlFailure) -> Result<()> {
        let entry = to_json("a crawl's failure", &[failure])?;
        sqlx::query!(
            "UPDATE crawls SET failures = failures || $2 WHERE id = $1 AND NOT failures @> $2",
            id,
            entry
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends a crawl; `error` says why it ended before its listing did.
    pub async fn finish_crawl(&self, id: i64, error: Option<&str>) -> Result<()> {
        sqlx::query!(
            "UPDATE crawls SET finished_at = now(), error = $2 WHERE id = $1 AND finished_at IS NULL",
            id,
            error
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What a crawl took from its hub.
    pub async fn crawl_plan(&self, id: i64) -> Result<Option<CrawlPlan>> {
        let row = sqlx::query!(
            "SELECT hub, endpoint, author, search, package_limit, level FROM crawls WHERE id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let level = serde_json::from_value(row.level.into()).map_err(|source| StoreError::Json {
            what: "a crawl's level",
            source,
        })?;
        Ok(Some(CrawlPlan {
            hub: row.hub,
            endpoint: row.endpoint,
            author: row.author,
            search: row.search,
            limit: row.package_limit.and_then(|limit| u64::try_from(limit).ok()),
            level,
        }))
    }

    /// Hubs and their addresses as crawls and schedules have used them.
    pub async fn used_endpoints(&self) -> Result<Vec<(String, String)>> {
        let rows = sqlx::query!(
            r#"SELECT hub AS "hub!", endpoint AS "endpoint!" FROM crawls
               UNION SELECT plan ->> 'hub', plan ->> 'endpoint' FROM schedules ORDER BY 1, 2"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.hub, row.endpoint)).collect())
    }
}
