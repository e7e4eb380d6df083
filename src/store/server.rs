//! What the database server says of itself: for `heirloom doctor`, metrics and benchmarks.

use super::{Result, Store};
use time::OffsetDateTime;

/// How large a table is, its indexes and its oversized values included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSize {
    pub table: String,
    pub bytes: i64,
    /// Of these, in indexes.
    pub index_bytes: i64,
}

/// The server itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerState {
    pub version: String,
    pub clock: OffsetDateTime,
    pub connections: i64,
    pub max_connections: i64,
    /// Whether names are searched by index (the extension pg_trgm).
    pub has_trigrams: bool,
}

impl Store {
    /// Bytes of the whole database.
    pub async fn database_bytes(&self) -> Result<i64> {
        let bytes = sqlx::query_scalar!(r#"SELECT pg_database_size(current_database()) AS "bytes!""#);
        Ok(bytes.fetch_one(&self.pool).await?)
    }

    /// Our tables, largest first.
    pub async fn table_sizes(&self) -> Result<Vec<TableSize>> {
        Ok(sqlx::query_as!(
            TableSize,
            r#"SELECT relname AS "table!", pg_total_relation_size(oid) AS "bytes!", pg_indexes_size(oid) AS "index_bytes!"
               FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Brings the planner's statistics up to date after a load.
    pub async fn analyze(&self) -> Result<()> {
        sqlx::query("VACUUM (ANALYZE)").execute(&self.pool).await?;
        Ok(())
    }

    /// Has the database none of our tables?
    pub async fn is_empty(&self) -> Result<bool> {
        let tables = sqlx::query_scalar!(
            r#"SELECT NOT EXISTS (SELECT 1 FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace) AS "none!""#
        );
        Ok(tables.fetch_one(&self.pool).await?)
    }

    /// Drops every table, ours and the queue's. There is no way back but a backup.
    pub async fn drop_everything(&self) -> Result<()> {
        sqlx::raw_sql(
            "DROP SCHEMA IF EXISTS open_catalogue CASCADE; DROP SCHEMA IF EXISTS graphile_worker CASCADE;
             DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The server's clock.
    pub async fn now(&self) -> Result<OffsetDateTime> {
        let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#);
        Ok(now.fetch_one(&self.pool).await?)
    }

    pub async fn server_state(&self) -> Result<ServerState> {
        Ok(sqlx::query_as!(
            ServerState,
            r#"SELECT current_setting('server_version') AS "version!", clock_timestamp() AS "clock!",
                      (SELECT count(*) FROM pg_stat_activity) AS "connections!",
                      current_setting('max_connections')::bigint AS "max_connections!",
                      EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm') AS "has_trigrams!""#
        )
        .fetch_one(&self.pool)
        .await?)
    }
}
