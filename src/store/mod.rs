//! Every SQL statement of Heirloom, one file per aggregate, each function one question or one transaction.
//!
//! Enters: facts from the crawler and conclusions from the pure modules. Leaves: rows in Postgres, and typed answers.
//! Queries are checked at compile time against `.sqlx/` (`make sqlx` after a change). Decides nothing.

#![expect(
    deprecated,
    reason = "the job queue turns on sqlx's chrono types beside time's; sqlx then prefers time, which is what we use, and says so"
)]

pub mod api_keys;
pub mod atlas;
pub mod audit;
pub mod availability;
pub mod bom;
pub mod bulk;
pub mod changes;
pub mod crawls;
pub mod diffs;
pub mod error;
pub mod facets;
pub mod families;
pub mod fingerprints;
pub mod licences;
pub mod lineage;
mod listing;
pub mod model_list;
pub mod models;
pub mod neighbours;
pub mod overview;
pub mod packages;
pub mod progress;
pub mod ptmtorrent;
pub mod queued;
pub mod releases;
pub mod revisions;
pub mod schedules;
pub mod server;
pub mod similar;
pub mod study;
pub mod tables;
pub mod tensors;
pub mod versions;
pub mod watch;
pub mod webhooks;

pub use error::StoreError;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Answers of this module.
pub type Result<T> = std::result::Result<T, StoreError>;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
const OPEN_CATALOGUE: &str = include_str!("open_catalogue.sql");

/// Connections of one process. A server and its workers stay well under Postgres' default of 100.
const MAX_CONNECTIONS: u32 = 16;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may say that it is starting.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A connected database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// One of the two below.
    pool: sqlx::PgPool,
    whole: sqlx::PgPool,
    /// Connections that see nothing restricted: `open_catalogue.sql`.
    open: sqlx::PgPool,
}

impl Store {
    /// Connects to `url`. The first connection is made here, so that a wrong URL fails now and with a clear sentence.
    pub async fn connect(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|source| StoreError::Url { source })?
            .application_name("heirloom");
        first_connection(&options).await?.close().await?;
        // Filters are written as `$1 IS NULL OR …`: only a plan for the values at hand drops those that are not given.
        let options = options.options([("plan_cache_mode", "force_custom_plan")]);
        let pool = || {
            PgPoolOptions::new()
                .max_connections(MAX_CONNECTIONS)
                .acquire_timeout(CONNECT_TIMEOUT)
        };
        let open = options
            .clone()
            .options([("search_path", "open_catalogue,public")]);
        let whole = pool().connect_lazy_with(options);
        Ok(Self {
            pool: whole.clone(),
            whole,
            open: pool().connect_lazy_with(open),
        })
    }

    /// The same database over connections of its own, which nobody else can use up. To be closed by itself.
    pub fn with_own_connections(&self) -> Self {
        let again = |pool: &sqlx::PgPool| {
            pool.options()
                .clone()
                .connect_lazy_with(pool.connect_options().as_ref().clone())
        };
        let whole = again(&self.whole);
        Self {
            pool: whole.clone(),
            whole,
            open: again(&self.open),
        }
    }

    /// The same catalogue without what gated and private packages hold, whatever is asked of it.
    pub fn public(&self) -> Self {
        Self {
            pool: self.open.clone(),
            ..self.clone()
        }
    }

    /// The whole catalogue again, and what belongs to no package.
    pub fn whole(&self) -> Self {
        Self {
            pool: self.whole.clone(),
            ..self.clone()
        }
    }

    /// Brings the schema up to date. Several processes may call this at once: they take turns.
    pub async fn migrate(&self) -> Result<()> {
        // A connection of its own: closing it gives the turn to the next, whatever happens here.
        let mut turn = self.pool.acquire().await?.detach();
        sqlx::raw_sql("SELECT pg_advisory_lock(hashtext('heirloom migrate'))")
            .execute(&mut turn)
            .await?;
        let migrated = self.migrate_in_turn().await;
        turn.close().await?;
        migrated
    }

    async fn migrate_in_turn(&self) -> Result<()> {
        let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
        let newest = newest.unwrap_or_default();
        let version = self.open_catalogue_version().await?;
        if version.is_some_and(|version| version >= newest) {
            MIGRATIONS.run(&self.pool).await?;
            return Ok(());
        }
        // Its views would be in the way of migrations, and are made of what these leave.
        sqlx::raw_sql("DROP SCHEMA IF EXISTS open_catalogue CASCADE")
            .execute(&self.pool)
            .await?;
        MIGRATIONS.run(&self.pool).await?;
        self.make_open_catalogue(newest).await
    }

    /// Version of the schema that the views of `open_catalogue` were made of.
    async fn open_catalogue_version(&self) -> Result<Option<i64>> {
        let comment: Option<String> = sqlx::query_scalar(
            "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'open_catalogue'",
        )
        .fetch_optional(&self.pool)
        .await?
        .flatten();
        Ok(comment.and_then(|version| version.parse().ok()))
    }

    async fn make_open_catalogue(&self, version: i64) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        sqlx::raw_sql(OPEN_CATALOGUE).execute(&mut *transaction).await?;
        let comment = format!("COMMENT ON SCHEMA open_catalogue IS '{version}'");
        sqlx::raw_sql(AssertSqlSafe(comment))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// One round trip: is the database there?
    pub async fn ping(&self) -> Result<()> {
        sqlx::query!("SELECT 1 AS one").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// The pool, for the job queue's own tables.
    pub fn pool(&self) -> &sqlx::PgPool {
        &self.pool
    }

    /// Closes every connection; later calls fail.
    pub async fn close(&self) {
        self.open.close().await;
        self.whole.close().await;
    }
}

/// Connects once; waits only for a server that says it is starting, as one that recovers from a crash does.
async fn first_connection(options: &PgConnectOptions) -> Result<PgConnection> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match PgConnection::connect_with(options).await {
            Ok(connection) => return Ok(connection),
            Err(source) if error::is_starting(&source) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(source) => return Err(StoreError::connect(options, source)),
        }
    }
}
