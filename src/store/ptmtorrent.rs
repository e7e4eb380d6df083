//! Reads packages as PTMTorrent records them.

use super::{Result, Store, StoreError};
use futures::{Stream, TryStreamExt};
use serde_json::Value;

/// A package of a hub, with the hub's own JSON.
pub struct TorrentRow {
    pub id: i64,
    pub hub: String,
    pub owner: String,
    pub name: String,
    pub url: Option<String>,
    pub endpoint: String,
    pub head: String,
    pub architecture: Option<String>,
    pub task: Option<String>,
    pub datasets: Vec<String>,
    pub papers: Vec<String>,
    pub raw: Value,
}

impl Store {
    /// All packages with a history, one hub after the other.
    pub fn torrent_rows(&self) -> impl Stream<Item = Result<TorrentRow>> + '_ {
        sqlx::query_as!(
            TorrentRow,
            r#"SELECT id, hub, owner, name, url, endpoint, head AS "head!", architecture, task, datasets, papers, raw
               FROM packages WHERE head IS NOT NULL ORDER BY hub, id"#
        )
        .fetch(&self.pool)
        .map_err(StoreError::from)
    }
}
