//! kill -9 of Heirloom and of its Postgres, at random moments of a crawl: in the end the database must hold exactly what an undisturbed
//! run leaves there.
//!
//! A few rounds run with the other tests; HEIRLOOM_CRASH_ROUNDS=100 runs the long version.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::hub::{conclusions, hub_folder, without_dates};
use harness::{TestDatabase, cluster_folder};
use heirloom::fingerprint::Level;
use heirloom::jobs::{CrawlOptions, Silent, crawl};
use heirloom::postgres::Database;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const ROUNDS: u32 = 6;

#[tokio::test]
async fn nothing_is_lost_or_done_twice_whatever_is_killed() {
    let rounds = std::env::var("HEIRLOOM_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let hub = hub_folder();
    let expected = undisturbed(hub.path()).await;
    let data = cluster_folder();
    // The cluster exists before the first round, so that the rounds hit the crawl and not only initdb.
    open(data.path()).await.close().await.unwrap();

    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut finished = 0;
    for round in 0..rounds {
        let mut crawling = spawn(data.path(), hub.path());
        let moment = Duration::from_millis(random.random_range(50..2500));
        let ended = wait(&mut crawling, moment).await;
        finished += u32::from(ended);
        let kill_the_server = random.random_bool(0.4);
        if kill_the_server {
            kill_postmaster(data.path());
        }
        crawling.kill().unwrap();
        crawling.wait().unwrap();
        println!("round {round}: after {moment:?}, ended {ended}, server killed {kill_the_server}");
        if ended {
            // Everything was stored: begin anew, so that later rounds have something to interrupt.
            let database = open(data.path()).await;
            check(&database, &expected).await;
            empty(&database).await;
            database.close().await.unwrap();
        }
    }
    println!("{rounds} rounds, of which {finished} ended before the kill");

    let output = spawn(data.path(), hub.path()).wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let database = open(data.path()).await;
    check(&database, &expected).await;
    database.close().await.unwrap();
}

async fn undisturbed(hub: &Path) -> Value {
    let database = TestDatabase::new().await;
    let scratch = tempfile::tempdir().unwrap();
    let options = CrawlOptions {
        author: None,
        search: None,
        limit: None,
        level: Level::Full,
        scratch: scratch.path().to_owned(),
    };
    let hub = heirloom_crawler::open("dir", hub.to_str()).unwrap();
    crawl(&database.store, hub, &options, Arc::new(Silent))
        .await
        .unwrap();
    without_dates(conclusions(&database.store).await)
}

async fn check(database: &Database, expected: &Value) {
    let found = without_dates(conclusions(&database.store).await);
    assert_eq!(&found, expected);
}

async fn open(data: &Path) -> Database {
    heirloom::postgres::open(data, None).await.unwrap()
}

async fn empty(database: &Database) {
    sqlx::query("TRUNCATE packages, fingerprints, texts, crawls CASCADE")
        .execute(database.store.pool())
        .await
        .unwrap();
}

fn spawn(data: &Path, hub: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_heirloom"))
        .arg("--data-dir")
        .arg(data)
        .args(["--quiet", "crawl", "dir"])
        .arg(hub)
        .env_remove("DATABASE_URL")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits at most `moment`; true when the process ended by itself, which must then have gone well.
async fn wait(child: &mut Child, moment: Duration) -> bool {
    let deadline = std::time::Instant::now() + moment;
    while std::time::Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

fn kill_postmaster(data: &Path) {
    let Ok(content) = std::fs::read_to_string(data.join("postgres/data/postmaster.pid")) else {
        return;
    };
    let pid = content
        .lines()
        .next()
        .and_then(|line| Pid::from_raw(line.parse().ok()?));
    let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
}
