//! Packages that are no longer to be had: gone, disabled, renamed.

use super::{Result, Store};
use crate::fingerprint::Level;
use time::OffsetDateTime;

/// The packages that a crawl's listing is about.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub hub: &'a str,
    pub endpoint: &'a str,
    pub author: Option<&'a str>,
    pub search: Option<&'a str>,
}

/// What became of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence<'a> {
    /// Deleted, or made private: hubs do not tell strangers which.
    Gone,
    Disabled,
    /// It has another name by now.
    Renamed(&'a str),
}

impl Store {
    /// Notes that `owner/name` is no longer to be had; what is stored of it stays. False where nothing is.
    pub async fn mark_absent(&self, hub: &str, full_name: &str, absence: Absence<'_>) -> Result<bool> {
        let (word, renamed_to) = match absence {
            Absence::Gone => ("gone", None),
            Absence::Disabled => ("disabled", None),
            Absence::Renamed(to) => ("renamed", Some(to)),
        };
        let (owner, name) = full_name.split_once('/').unwrap_or_default();
        let done = sqlx::query!(
            "UPDATE packages SET availability = $4, renamed_to = $5, crawled_at = now()
             WHERE hub = $1 AND owner = $2 AND name = $3",
            hub,
            owner,
            name,
            word,
            renamed_to
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes that a package was asked for, whatever came of it.
    pub async fn mark_seen(&self, hub: &str, full_name: &str) -> Result<()> {
        let (owner, name) = full_name.split_once('/').unwrap_or_default();
        sqlx::query!(
            "UPDATE packages SET crawled_at = now() WHERE hub = $1 AND owner = $2 AND name = $3",
            hub,
            owner,
            name
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Full names of at most `limit` packages of `scope` that a whole listing should have named since `since` and did not.
    pub async fn unlisted_packages(
        &self,
        scope: &Scope<'_>,
        since: OffsetDateTime,
        limit: i64,
    ) -> Result<Vec<String>> {
        let names = sqlx::query_scalar!(
            r#"SELECT owner || '/' || name AS "name!" FROM packages
               WHERE hub = $1 AND endpoint = $2 AND crawled_at < $5 AND availability IN ('public', 'private')
                 AND ($3::text IS NULL OR lower(owner) = lower($3))
                 AND ($4::text IS NULL OR strpos(lower(owner || '/' || name), lower($4)) > 0)
               ORDER BY id LIMIT $6"#,
            scope.hub,
            scope.endpoint,
            scope.author,
            scope.search,
            since,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(names)
    }

    /// Full names of packages of `scope` with weights that are not read at `level` yet, and are not known to be damaged.
    pub async fn pending_packages(&self, scope: &Scope<'_>, level: Level) -> Result<Vec<String>> {
        let ids = sqlx::query_scalar!(
            "SELECT id FROM packages
             WHERE hub = $1 AND endpoint = $2 AND availability IN ('public', 'private')
               AND ($3::text IS NULL OR lower(owner) = lower($3))
               AND ($4::text IS NULL OR strpos(lower(owner || '/' || name), lower($4)) > 0)",
            scope.hub,
            scope.endpoint,
            scope.author,
            scope.search
        )
        .fetch_all(&self.pool)
        .await?;
        let pending = self.packages_with_pending(&ids, level).await?;
        let names = sqlx::query_scalar!(
            r#"SELECT owner || '/' || name AS "name!" FROM packages WHERE id = ANY($1) ORDER BY id"#,
            &pending
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(names)
    }
}
