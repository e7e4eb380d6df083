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
pub mod models;
pub mod neighbours;
pub mod overview;
pub mod packages;
pub mod queued;
pub mod releases;
pub mod revisions;
pub mod schedules;
pub mod server;
pub mod similar;
pub mod study;
pub mod tensors;
pub mod versions;

pub use error::StoreError;

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Answers of this module.
pub type Result<T> = std::result::Result<T, StoreError>;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Connections of one process. A server and its workers stay well under Postgres' default of 100.
const MAX_CONNECTIONS: u32 = 16;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may say that it is starting.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A connected database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: sqlx::PgPool,
}

impl Store {
    /// Connects to `url`. The first connection is made here, so that a wrong URL fails now and with a clear sentence.
    pub async fn connect(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|source| StoreError::Url { source })?
            .application_name("heirloom");
        first_connection(&options).await?.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// Brings the schema up to date. Several processes may call this at once: the migrator takes a lock.
    pub async fn migrate(&self) -> Result<()> {
        MIGRATIONS.run(&self.pool).await?;
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
        self.pool.close().await;
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
