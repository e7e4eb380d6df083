//! Changes in the order in which they were found, for whoever follows them.

use super::changes::{ChangeFilter, ChangeRow};
use super::{Result, Store};

/// Where followers hear that there are new changes.
pub const CHANGES_CHANNEL: &str = "heirloom_changes";

/// A change and its place in the order.
pub struct FollowedChange {
    pub position: i64,
    pub change: ChangeRow,
}

/// Which changes to follow.
#[derive(Debug, Clone, Default)]
pub struct WatchFilter {
    pub changes: ChangeFilter,
    /// Only these kinds; empty for all.
    pub kinds: Vec<String>,
    /// Only these packages.
    pub packages: Option<Vec<i64>>,
}

impl Store {
    /// Gives changes that have none their position, and returns the newest. One process at a time, so that a later position is always a
    /// later commit.
    pub async fn number_changes(&self) -> Result<i64> {
        let mut transaction = self.whole.begin().await?;
        let new =
            sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM change_log WHERE position IS NULL) AS "new!""#);
        if new.fetch_one(&mut *transaction).await? {
            sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('change_log'))")
                .execute(&mut *transaction)
                .await?;
            sqlx::query!(
                "UPDATE change_log l SET position = new.position
                 FROM (SELECT id, (SELECT coalesce(max(position), 0) FROM change_log) + row_number() OVER (ORDER BY id) AS position
                       FROM change_log WHERE position IS NULL) new
                 WHERE l.id = new.id"
            )
            .execute(&mut *transaction)
            .await?;
        }
        let newest = sqlx::query_scalar!(r#"SELECT coalesce(max(position), 0) AS "newest!" FROM change_log"#)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(newest)
    }

    /// Changes after a position up to another, oldest first. What was withdrawn since it was found is left out.
    pub async fn changes_between(
        &self,
        after: i64,
        until: i64,
        filter: &WatchFilter,
        limit: i64,
    ) -> Result<Vec<FollowedChange>> {
        let rows = sqlx::query!(
            r#"SELECT l.position AS "position!", c.kind AS "kind!", c.source_id AS "source_id!", c.package_id AS "package_id!",
                      c.at AS "at!", c.hub AS "hub!", c.owner AS "owner!", c.name AS "name!", c.revision, c.version,
                      c.detail AS "detail!"
               FROM change_log l
               JOIN changes c ON c.kind = l.kind AND c.source_id = l.source_id AND c.package_id = l.package_id
               WHERE l.position > $1 AND l.position <= $2
                 AND ($3::text IS NULL OR c.kind = $3) AND ($4::text IS NULL OR c.hub = $4)
                 AND ($5::text IS NULL OR c.owner = $5) AND ($6::text IS NULL OR c.name = $6)
                 AND (cardinality($7::text[]) = 0 OR c.kind = ANY($7))
                 AND ($8::bigint[] IS NULL OR c.package_id = ANY($8))
               ORDER BY l.position LIMIT $9"#,
            after,
            until,
            filter.changes.kind,
            filter.changes.hub,
            filter.changes.owner,
            filter.changes.name,
            &filter.kinds,
            filter.packages.as_deref(),
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let followed = rows.into_iter().map(|row| FollowedChange {
            position: row.position,
            change: ChangeRow {
                kind: row.kind,
                source_id: row.source_id,
                package_id: row.package_id,
                at: row.at,
                hub: row.hub,
                owner: row.owner,
                name: row.name,
                revision: row.revision,
                version: row.version,
                detail: row.detail,
            },
        });
        Ok(followed.collect())
    }
}
