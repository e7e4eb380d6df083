//! kill -9 of a crawl, a worker, a server, a migration and of Postgres, at random moments: in the end the database must hold exactly what
//! an undisturbed run leaves there.
//!
//! A few rounds run with the other tests; HEIRLOOM_CRASH_ROUNDS=100 runs the long version.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::hub::{conclusions, hub_folder, without_dates};
use harness::{TestDatabase, cluster_folder};
use heirloom::fingerprint::Level;
use heirloom::jobs::{CrawlOptions, Silent, crawl, queue_crawl};
use heirloom::postgres::{Database, open};
use heirloom::store::Store;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const ROUNDS: u32 = 8;

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Crawl,
    Worker,
    Server,
    Migration,
}

const VICTIMS: [Victim; 4] = [Victim::Crawl, Victim::Worker, Victim::Server, Victim::Migration];

/// A folder crawled into a private cluster, again and again.
struct Scene<'a> {
    data: &'a Path,
    hub: &'a Path,
    expected: Value,
    random: ChaCha8Rng,
    /// Kills by victim and by what the crawl was at.
    tally: BTreeMap<(Victim, &'static str), u32>,
    compared: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_done_twice_whatever_is_killed() {
    let rounds = std::env::var("HEIRLOOM_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let hub = hub_folder();
    let data = cluster_folder();
    // The cluster exists before the first round, so that the rounds hit the work and not only initdb.
    open(data.path(), None).await.unwrap().close().await.unwrap();
    let mut scene = Scene {
        data: data.path(),
        hub: hub.path(),
        expected: undisturbed(hub.path()).await,
        random: ChaCha8Rng::seed_from_u64(7),
        tally: BTreeMap::new(),
        compared: 0,
    };
    for round in 0..rounds {
        let victim = *VICTIMS.choose(&mut scene.random).unwrap();
        scene.round(round, victim).await;
    }
    for victim in [Victim::Crawl, Victim::Worker, Victim::Server] {
        scene.end(victim).await;
    }
    for ((victim, stage), count) in &scene.tally {
        println!("{victim:?} killed {stage}: {count}");
    }
    println!(
        "{rounds} rounds, {} comparisons with an undisturbed run, all equal",
        scene.compared
    );
}

impl Scene<'_> {
    /// Starts `victim` on what the last round left, kills it, sometimes with its Postgres, and compares where the crawl had ended.
    async fn round(&mut self, round: u32, victim: Victim) {
        if victim == Victim::Migration {
            self.clear().await;
        }
        let mut child = self.spawn(victim).await;
        let longest = if victim == Victim::Migration { 700 } else { 2500 };
        let moment = Duration::from_millis(self.random.random_range(20..longest));
        let ended = wait(&mut child, moment).await;
        let with_postgres = self.random.random_bool(0.4);
        if with_postgres {
            kill_postmaster(self.data);
        }
        let _ = child.kill();
        child.wait().unwrap();
        let database = open(self.data, None).await.unwrap();
        let stage = stage(&database.store).await;
        println!(
            "round {round}: {victim:?} after {moment:?} ({stage}), ended {ended}, Postgres killed {with_postgres}"
        );
        *self.tally.entry((victim, stage)).or_default() += 1;
        if stage == "after the crawl" {
            self.compare(&database).await;
            database.store.drop_everything().await.unwrap();
        }
        database.close().await.unwrap();
    }

    /// Lets `victim` finish what is left, and compares.
    async fn end(&mut self, victim: Victim) {
        let mut child = self.spawn(victim).await;
        let database = loop {
            if let Some(status) = child.try_wait().unwrap().filter(|status| !status.success()) {
                let said = std::fs::read_to_string(self.said()).unwrap();
                panic!("{victim:?} could not finish what was left: {status}\n{said}");
            }
            let database = open(self.data, None).await.unwrap();
            if stage(&database.store).await == "after the crawl" {
                break database;
            }
            database.close().await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        let _ = child.kill();
        child.wait().unwrap();
        self.compare(&database).await;
        database.store.drop_everything().await.unwrap();
        database.close().await.unwrap();
    }

    async fn compare(&mut self, database: &Database) {
        let found = without_dates(conclusions(&database.store).await);
        assert_eq!(found, self.expected);
        self.compared += 1;
    }

    /// Where what a victim says on standard error is kept.
    fn said(&self) -> PathBuf {
        self.data.join("said")
    }

    /// Drops all tables, so that a migration has something to do.
    async fn clear(&self) {
        let database = open(self.data, None).await.unwrap();
        database.store.drop_everything().await.unwrap();
        database.close().await.unwrap();
    }

    async fn spawn(&self, victim: Victim) -> Child {
        if matches!(victim, Victim::Worker | Victim::Server) {
            let database = open(self.data, None).await.unwrap();
            let hub = heirloom_crawler::open("dir", self.hub.to_str()).unwrap();
            queue_crawl(&database.store, options(self.data).plan(hub.as_ref()))
                .await
                .unwrap();
            database.close().await.unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_heirloom"));
        command.arg("--data-dir").arg(self.data).arg("--quiet");
        match victim {
            Victim::Crawl => command.args(["crawl", "dir"]).arg(self.hub),
            Victim::Worker => command.args(["worker", "--listen", "127.0.0.1:0"]),
            Victim::Server => command.args(["serve", "--listen", "127.0.0.1:0"]),
            Victim::Migration => command.arg("migrate"),
        };
        command
            .env_remove("DATABASE_URL")
            .env("HEIRLOOM_DEAD_AFTER_SECONDS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.said()).unwrap())
            .spawn()
            .unwrap()
    }
}

/// What the newest crawl is at.
async fn stage(store: &Store) -> &'static str {
    let newest: Option<(bool, String, i64)> = sqlx::query_as(
        "SELECT finished_at IS NOT NULL, stage, (SELECT count(*) FROM fingerprints) FROM crawls ORDER BY id DESC LIMIT 1",
    )
    .fetch_optional(store.pool())
    .await
    .unwrap();
    match newest {
        None => "before the crawl",
        Some((true, ..)) => "after the crawl",
        Some((_, stage, _)) if stage == "listing" => "at the listing",
        Some((_, stage, _)) if stage == "lineage" => "at lineage",
        Some((_, _, 0)) => "at the packages",
        Some(_) => "at the fingerprints",
    }
}

fn options(scratch: &Path) -> CrawlOptions {
    CrawlOptions {
        author: None,
        search: None,
        limit: None,
        level: Level::Full,
        relist: false,
        scratch: scratch.to_owned(),
    }
}

async fn undisturbed(hub: &Path) -> Value {
    let database = TestDatabase::new().await;
    let scratch = tempfile::tempdir().unwrap();
    let hub = heirloom_crawler::open("dir", hub.to_str()).unwrap();
    crawl(&database.store, hub, &options(scratch.path()), Arc::new(Silent))
        .await
        .unwrap();
    without_dates(conclusions(&database.store).await)
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
