//! Crawls of hubs that break, change and hide things, on a real Postgres: what fails is contained, counted and named, what changed
//! is followed, and what was cut off goes on where it was.

#![allow(clippy::unwrap_used)]

mod bad_answers;
mod faults;
mod following;
#[path = "../harness/mod.rs"]
mod harness;
mod killed;
mod real_hubs;
#[path = "../../crawler/tests/hostile/server.rs"]
#[allow(dead_code, reason = "shared with the crawler's own tests")]
mod server;

use heirloom::fingerprint::Level;
use heirloom::jobs::{CrawlOptions, CrawlReport, Silent, crawl};
use heirloom::store::Store;
use heirloom_crawler::Hub;
use heirloom_crawler::RetryPolicy;
use heirloom_crawler::hf::{HfConfig, HfHub};
use std::sync::Arc;
use std::time::Duration;

/// A client that waits milliseconds where the usual one waits seconds.
fn client(url: &str, change: impl FnOnce(&mut HfConfig)) -> Arc<dyn Hub> {
    let mut config = HfConfig::new(url);
    config.retry = RetryPolicy {
        attempts: 8,
        first_wait: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    change(&mut config);
    Arc::new(HfHub::new(config).unwrap())
}

async fn run(store: &Store, hub: Arc<dyn Hub>, change: impl FnOnce(&mut CrawlOptions)) -> CrawlReport {
    try_run(store, hub, change).await.unwrap()
}

async fn try_run(
    store: &Store,
    hub: Arc<dyn Hub>,
    change: impl FnOnce(&mut CrawlOptions),
) -> anyhow::Result<CrawlReport> {
    let scratch = tempfile::tempdir().unwrap();
    let mut options = CrawlOptions {
        author: None,
        search: None,
        limit: None,
        level: Level::Full,
        relist: false,
        scratch: scratch.path().to_owned(),
    };
    change(&mut options);
    crawl(store, hub, &options, Arc::new(Silent)).await
}

/// `owner/name` and the column asked for, of all packages.
async fn stored(store: &Store, column: &'static str) -> Vec<(String, Option<String>)> {
    let query = format!("SELECT owner || '/' || name, {column}::text FROM packages ORDER BY 1");
    sqlx::query_as(sqlx::AssertSqlSafe(query))
        .fetch_all(store.pool())
        .await
        .unwrap()
}
