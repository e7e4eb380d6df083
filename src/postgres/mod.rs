//! The private Postgres cluster: found, initialised, started, shared and stopped by Heirloom itself.
//!
//! Enters: a data folder. Leaves: the URL of a running server on a private Unix socket. Installs nothing and knows no SQL.
//!
//! The rule for sharing one cluster between processes: whoever comes first starts it, the others attach, and the last one out
//! stops it. Each holds a shared lock while it uses the cluster; the kernel drops the lock of a process that was killed, so a
//! server whose users all died is found running by the next, which attaches and stops it in turn.

mod account;
mod binaries;
mod cluster;
mod dump;
mod error;
mod lock;
mod orphans;

pub use cluster::{Cluster, Durability};
pub use dump::{dump, restore};
pub use error::PostgresError;

use crate::store::{Store, StoreError};
use std::path::Path;
use std::time::Duration;

/// How soon a private server that died is found.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// How long children of a killed server take to notice.
const DYING: Duration = Duration::from_millis(500);

/// An open database: the private cluster's, or that of DATABASE_URL.
#[derive(Debug)]
pub struct Database {
    pub store: Store,
    pub url: String,
    cluster: Option<Cluster>,
}

/// Opens `database_url`, or the private cluster in `data_dir` where there is none, and brings the schema up to date.
pub async fn open(data_dir: &Path, database_url: Option<&str>) -> anyhow::Result<Database> {
    let (url, cluster) = match database_url {
        Some(url) => (url.to_owned(), None),
        None => {
            let cluster = Cluster::start(data_dir, Durability::Safe).await?;
            (cluster.url(), Some(cluster))
        }
    };
    let (store, cluster) = connect(&url, cluster).await?;
    store.migrate().await?;
    Ok(Database { store, url, cluster })
}

/// Connects. A private server that was killed a moment ago may still hold its socket: then it is started again, once.
async fn connect(url: &str, cluster: Option<Cluster>) -> anyhow::Result<(Store, Option<Cluster>)> {
    match (Store::connect(url).await, cluster) {
        (Err(StoreError::Unreachable { .. }), Some(cluster)) => {
            tokio::time::sleep(DYING).await;
            let cluster = tokio::task::spawn_blocking(move || cluster.revive().map(|_| cluster)).await??;
            Ok((Store::connect(url).await?, Some(cluster)))
        }
        (connected, cluster) => Ok((connected?, cluster)),
    }
}

impl Database {
    /// Watches over the private cluster for as long as it is polled, and starts its server again if that dies.
    pub async fn keep_running(&self) {
        let Some(cluster) = &self.cluster else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(WATCH_EVERY).await;
            match tokio::task::block_in_place(|| cluster.revive()) {
                Ok(false) => {}
                Ok(true) => tracing::warn!("the private Postgres had died and was started again"),
                Err(error) => tracing::error!("the private Postgres has died: {error}"),
            }
        }
    }

    /// Closes the connections, and stops the private cluster if no other process uses it.
    pub async fn close(self) -> Result<(), PostgresError> {
        self.store.close().await;
        match self.cluster {
            Some(cluster) => cluster.stop().await,
            None => Ok(()),
        }
    }
}
