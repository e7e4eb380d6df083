//! Runs over a hub's listing: where they are, which of their packages are still open, what they found, and what failed.
//!
//! The rows are the truth of a crawl. Whoever works on one (this process, or jobs of a queue on many machines) asks what is open, does
//! it, and says so here; doing a package twice changes nothing and is counted once.

use super::{Result, Store, StoreError, fingerprints::level_name, fingerprints::level_of};
use crate::fingerprint::Level;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

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
#[derive(Debug, Clone, PartialEq)]
pub struct OpenCrawl {
    pub id: i64,
    pub plan: CrawlPlan,
    pub stage: Stage,
    /// The page to go on with; `None` is the first.
    pub cursor: Option<String>,
    /// Names listed on the pages before it.
    pub listed: u64,
    pub resumed: bool,
    pub started_at: OffsetDateTime,
    /// The last run of the same plan that came to its end.
    pub previous: Option<FinishedCrawl>,
}

/// What a finished crawl leaves to the next one of its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedCrawl {
    pub id: i64,
    /// The latest change it saw, by the hub's clock.
    pub newest_modified: Option<OffsetDateTime>,
    /// Of the first page of its listing.
    pub listing_validator: Option<String>,
}

/// One page of a listing, as a crawl takes it.
#[derive(Debug, Clone, Default)]
pub struct CrawlPage {
    /// Packages to be visited.
    pub open: Vec<String>,
    /// Packages of which nothing is new.
    pub settled: Vec<String>,
    /// How many of both the listing named; others were added to them.
    pub listed: u64,
    /// The next page; `None` after the last.
    pub next: Option<String>,
    /// Entries that could not be read, one sentence each.
    pub skipped: Vec<String>,
    pub newest_modified: Option<OffsetDateTime>,
    pub listing_validator: Option<String>,
}

/// How far a crawl has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Pages are being listed, and their packages taken.
    Listing,
    /// All pages are listed; packages are open.
    Packages,
    /// All packages are done; the lineage of their families is being inferred.
    Lineage,
}

/// What came of one package of a crawl.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageOutcome {
    pub new_revisions: u64,
    pub fingerprints: u64,
    pub failures: Vec<CrawlFailure>,
}

impl PackageOutcome {
    /// A package of which nothing could be taken.
    pub fn failed(name: &str, reason: String) -> Self {
        let failure = CrawlFailure {
            package: name.to_owned(),
            reason,
        };
        Self {
            failures: vec![failure],
            ..Self::default()
        }
    }
}

/// What came of a crawl so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CrawlTotals {
    /// Packages done, those that failed included.
    pub packages: u64,
    pub unchanged: u64,
    pub new_revisions: u64,
    pub fingerprints: u64,
}

impl Store {
    /// Resumes the newest unfinished crawl of this plan, else begins one.
    pub async fn open_crawl(&self, plan: &CrawlPlan) -> Result<OpenCrawl> {
        let limit = plan.limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let unfinished = sqlx::query!(
            "SELECT id, cursor, listed, stage, started_at FROM crawls
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
                plan: plan.clone(),
                stage: stage(&row.stage)?,
                cursor: row.cursor,
                listed: u64::try_from(row.listed).unwrap_or(0),
                resumed: true,
                started_at: row.started_at,
                previous: self.finished_crawl(plan, limit).await?,
            });
        }
        let row = sqlx::query!(
            "INSERT INTO crawls (hub, endpoint, author, search, package_limit, level) VALUES ($1, $2, $3, $4, $5, $6)
             RETURNING id, started_at",
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
            id: row.id,
            plan: plan.clone(),
            stage: Stage::Listing,
            cursor: None,
            listed: 0,
            resumed: false,
            started_at: row.started_at,
            previous: self.finished_crawl(plan, limit).await?,
        })
    }

    async fn finished_crawl(&self, plan: &CrawlPlan, limit: Option<i64>) -> Result<Option<FinishedCrawl>> {
        let found = sqlx::query_as!(
            FinishedCrawl,
            "SELECT id, newest_modified, listing_validator FROM crawls
             WHERE hub = $1 AND endpoint = $2 AND author IS NOT DISTINCT FROM $3 AND search IS NOT DISTINCT FROM $4
               AND package_limit IS NOT DISTINCT FROM $5 AND level = $6 AND finished_at IS NOT NULL AND error IS NULL
             ORDER BY id DESC LIMIT 1",
            plan.hub,
            plan.endpoint,
            plan.author,
            plan.search,
            limit,
            level_name(plan.level)
        );
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// Names of packages that failed in a crawl, each once.
    pub async fn failed_packages(&self, crawl: i64) -> Result<Vec<String>> {
        let names = sqlx::query_scalar!(
            r#"SELECT DISTINCT split_part(package, '@', 1) AS "name!" FROM crawl_failures WHERE crawl_id = $1 ORDER BY 1"#,
            crawl
        );
        Ok(names.fetch_all(&self.pool).await?)
    }

    /// The plan of a crawl, finished or not.
    pub async fn crawl_plan(&self, id: i64) -> Result<Option<CrawlPlan>> {
        let row = sqlx::query_as!(
            CrawlStateRow,
            "SELECT id, hub, endpoint, author, search, package_limit, level, stage, cursor, listed, started_at FROM crawls WHERE id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(CrawlStateRow::crawl).transpose()?.map(|crawl| crawl.plan))
    }

    /// A crawl that was begun and is not finished.
    pub async fn unfinished_crawl(&self, id: i64) -> Result<Option<OpenCrawl>> {
        let row = sqlx::query_as!(
            CrawlStateRow,
            "SELECT id, hub, endpoint, author, search, package_limit, level, stage, cursor, listed, started_at FROM crawls
             WHERE id = $1 AND finished_at IS NULL",
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let limit = row.package_limit;
        let mut crawl = row.crawl()?;
        crawl.previous = self.finished_crawl(&crawl.plan, limit).await?;
        Ok(Some(crawl))
    }

    /// The crawls that wait for lineage only.
    pub async fn crawls_at_lineage(&self) -> Result<Vec<OpenCrawl>> {
        let rows = sqlx::query_as!(
            CrawlStateRow,
            "SELECT id, hub, endpoint, author, search, package_limit, level, stage, cursor, listed, started_at FROM crawls
             WHERE stage = 'lineage' AND finished_at IS NULL ORDER BY id"
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(CrawlStateRow::crawl).collect()
    }

    /// Adds the packages of one page, those to be visited as open ones, and moves on, in one step. Says how many were not known yet.
    pub async fn add_crawl_page(&self, crawl: &OpenCrawl, page: &CrawlPage) -> Result<u64> {
        let bigint = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut transaction = self.pool.begin().await?;
        let mut added = 0;
        for (names, done) in [(&page.open, false), (&page.settled, true)] {
            let inserted = sqlx::query!(
                "INSERT INTO crawl_packages (crawl_id, name, done) SELECT $1, unnest($2::text[]), $3 ON CONFLICT DO NOTHING",
                crawl.id,
                names,
                done
            );
            let inserted = inserted.execute(&mut *transaction).await?.rows_affected();
            added += inserted;
        }
        let reasons: Vec<String> = page
            .skipped
            .iter()
            .map(|reason| reason.replace('\0', ""))
            .collect();
        sqlx::query!(
            "INSERT INTO crawl_failures (crawl_id, package, reason)
             SELECT $1, '(entry ' || n || ' after ' || coalesce($2, 'the start') || ')', reason
             FROM unnest($3::text[]) WITH ORDINALITY AS skipped (reason, n) ON CONFLICT DO NOTHING",
            crawl.id,
            crawl.cursor,
            &reasons
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "UPDATE crawls SET cursor = $2, listed = listed + $3, packages = packages + $4, active_at = now(),
                 newest_modified = greatest(newest_modified, $5), listing_validator = coalesce(listing_validator, $6),
                 stage = CASE WHEN $2::text IS NULL THEN 'packages' ELSE stage END
             WHERE id = $1",
            crawl.id,
            page.next,
            bigint(page.listed),
            bigint(page.settled.len() as u64),
            page.newest_modified,
            page.listing_validator
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(added)
    }

    /// Packages of a crawl that are not done, in a stable order.
    pub async fn open_packages(&self, crawl: i64, limit: i64) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar!(
            "SELECT name FROM crawl_packages WHERE crawl_id = $1 AND NOT done ORDER BY name LIMIT $2",
            crawl,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// How many packages of a crawl are listed and not done.
    pub async fn count_open_packages(&self, crawl: i64) -> Result<u64> {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM crawl_packages WHERE crawl_id = $1 AND NOT done"#,
            crawl
        );
        Ok(u64::try_from(count.fetch_one(&self.pool).await?).unwrap_or(0))
    }

    /// Closes one package of a crawl. A second report of it changes nothing but the reasons of its failures. False when the crawl is
    /// over and has forgotten its packages.
    pub async fn finish_package(&self, crawl: i64, name: &str, outcome: &PackageOutcome) -> Result<bool> {
        let mut transaction = self.pool.begin().await?;
        for failure in &outcome.failures {
            sqlx::query!(
                "INSERT INTO crawl_failures (crawl_id, package, reason) VALUES ($1, $2, $3)
                 ON CONFLICT (crawl_id, package) DO UPDATE SET reason = excluded.reason",
                crawl,
                failure.package.replace('\0', ""),
                failure.reason.replace('\0', "")
            )
            .execute(&mut *transaction)
            .await?;
        }
        let closed = sqlx::query!(
            "UPDATE crawl_packages SET done = true, new_revisions = $3, fingerprints = $4, failed = $5
             WHERE crawl_id = $1 AND name = $2 AND NOT done",
            crawl,
            name,
            i32::try_from(outcome.new_revisions).unwrap_or(i32::MAX),
            i32::try_from(outcome.fingerprints).unwrap_or(i32::MAX),
            !outcome.failures.is_empty()
        )
        .execute(&mut *transaction)
        .await?;
        if closed.rows_affected() == 1 {
            sqlx::query!(
                "UPDATE crawls SET packages = packages + 1, active_at = now() WHERE id = $1",
                crawl
            )
            .execute(&mut *transaction)
            .await?;
        }
        let is_open = sqlx::query_scalar!(
            r#"SELECT finished_at IS NULL AS "open!" FROM crawls WHERE id = $1"#,
            crawl
        )
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(is_open.unwrap_or(false))
    }

    /// Notes that every package is done and that lineage follows.
    pub async fn begin_crawl_lineage(&self, crawl: i64) -> Result<()> {
        sqlx::query!(
            "UPDATE crawls SET stage = 'lineage', active_at = now() WHERE id = $1",
            crawl
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What came of an unfinished crawl so far.
    pub async fn crawl_totals(&self, crawl: i64) -> Result<CrawlTotals> {
        let row = sqlx::query!(
            r#"SELECT count(*) AS "packages!",
                      count(*) FILTER (WHERE new_revisions = 0 AND NOT failed) AS "unchanged!",
                      coalesce(sum(new_revisions), 0) AS "new_revisions!", coalesce(sum(fingerprints), 0) AS "fingerprints!"
               FROM crawl_packages WHERE crawl_id = $1 AND done"#,
            crawl
        )
        .fetch_one(&self.pool)
        .await?;
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        Ok(CrawlTotals {
            packages: count(row.packages),
            unchanged: count(row.unchanged),
            new_revisions: count(row.new_revisions),
            fingerprints: count(row.fingerprints),
        })
    }

    /// What failed in a crawl, by package.
    pub async fn crawl_failures(&self, crawl: i64) -> Result<Vec<CrawlFailure>> {
        Ok(sqlx::query_as!(
            CrawlFailure,
            "SELECT package, reason FROM crawl_failures WHERE crawl_id = $1 ORDER BY package",
            crawl
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Ends a crawl; `error` says why it ended before its listing did. Its packages are forgotten, its failures are kept.
    pub async fn finish_crawl(&self, id: i64, error: Option<&str>) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query!(
            "UPDATE crawls SET finished_at = now(), error = $2 WHERE id = $1 AND finished_at IS NULL",
            id,
            error
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!("DELETE FROM crawl_packages WHERE crawl_id = $1", id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
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

struct CrawlStateRow {
    id: i64,
    hub: String,
    endpoint: String,
    author: Option<String>,
    search: Option<String>,
    package_limit: Option<i64>,
    level: String,
    stage: String,
    cursor: Option<String>,
    listed: i64,
    started_at: OffsetDateTime,
}

impl CrawlStateRow {
    fn crawl(self) -> Result<OpenCrawl> {
        let plan = CrawlPlan {
            hub: self.hub,
            endpoint: self.endpoint,
            author: self.author,
            search: self.search,
            limit: self.package_limit.and_then(|limit| u64::try_from(limit).ok()),
            level: level_of(&self.level)?,
        };
        Ok(OpenCrawl {
            id: self.id,
            plan,
            stage: stage(&self.stage)?,
            cursor: self.cursor,
            listed: u64::try_from(self.listed).unwrap_or(0),
            resumed: true,
            started_at: self.started_at,
            previous: None,
        })
    }
}

fn stage(word: &str) -> Result<Stage> {
    match word {
        "listing" => Ok(Stage::Listing),
        "packages" => Ok(Stage::Packages),
        "lineage" => Ok(Stage::Lineage),
        other => Err(StoreError::Value {
            value: other.to_owned(),
            expected: "the stage of a crawl",
        }),
    }
}
