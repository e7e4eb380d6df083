//! A crawl as jobs of the queue: shared by many workers, and brought to its end whatever fails on the way.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::TestDatabase;
use harness::faults::{Fault, FaultyHub};
use harness::hub::{conclusions, hub_folder, without_dates};
use heirloom::fingerprint::Level;
use heirloom::jobs::{CrawlOptions, OpenHub, Silent, WorkerOptions, Workers, crawl, next_run, retry_job};
use heirloom::store::Store;
use heirloom::store::crawls::{CrawlPage, CrawlPlan};
use heirloom::store::overview::CrawlRow;
use heirloom::store::schedules::Schedule;
use heirloom_crawler::Hub;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The workers of one machine.
struct Machine {
    workers: Workers,
    stop: CancellationToken,
    _scratch: TempDir,
}

impl Machine {
    /// Works on hubs as they are, or on `hub` whatever the crawl names.
    async fn start(url: &str, hub: Option<Arc<FaultyHub>>) -> Self {
        let store = Store::connect(url).await.unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let options = WorkerOptions {
            dead_after: Duration::from_secs(2),
            package_attempts: 2,
            hub_away: Duration::from_millis(200),
            ..WorkerOptions::new(scratch.path().to_owned())
        };
        let stop = CancellationToken::new();
        let workers = match hub {
            None => Workers::start(&store, options, stop.clone()).await,
            Some(hub) => {
                let open_hub: OpenHub = Arc::new(move |_| Ok(hub.clone()));
                Workers::start_with(&store, options, open_hub, stop.clone()).await
            }
        };
        Self {
            workers: workers.unwrap(),
            stop,
            _scratch: scratch,
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.workers.finish().await.unwrap();
    }
}

fn open(folder: &Path) -> Arc<dyn Hub> {
    heirloom_crawler::open("dir", folder.to_str()).unwrap()
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

fn plan(folder: &Path) -> CrawlPlan {
    options(folder).plan(open(folder).as_ref())
}

async fn finished(store: &Store) -> CrawlRow {
    loop {
        let crawls = store.list_crawls(1).await.unwrap_or_default();
        if let Some(crawl) = crawls.into_iter().find(|crawl| crawl.finished_at.is_some()) {
            return crawl;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn found(store: &Store) -> Value {
    without_dates(conclusions(store).await)
}

async fn undisturbed(folder: &Path) -> Value {
    let database = TestDatabase::new().await;
    let scratch = tempfile::tempdir().unwrap();
    crawl(
        &database.store,
        open(folder),
        &options(scratch.path()),
        Arc::new(Silent),
    )
    .await
    .unwrap();
    found(&database.store).await
}

/// Crawls `folder` by one machine whose hub has `fault`, and says what became of the crawl.
async fn crawl_with(database: &TestDatabase, hub: &Arc<FaultyHub>, folder: &Path) -> CrawlRow {
    let machine = Machine::start(&database.url, Some(hub.clone())).await;
    machine.workers.queue_crawl(plan(folder)).await.unwrap();
    let crawl = finished(&database.store).await;
    machine.stop().await;
    crawl
}

#[tokio::test]
async fn three_machines_share_a_crawl_and_end_like_one_process() {
    let folder = hub_folder();
    let expected = undisturbed(folder.path()).await;
    let database = TestDatabase::new().await;
    let mut machines = Vec::new();
    for _ in 0..3 {
        machines.push(Machine::start(&database.url, None).await);
    }
    machines[0]
        .workers
        .queue_crawl(plan(folder.path()))
        .await
        .unwrap();
    let crawl = finished(&database.store).await;
    assert_eq!((crawl.packages, crawl.failed, crawl.error), (5, 1, None));
    assert!(crawl.failures[0].package.starts_with("other/damaged@"));
    for machine in machines {
        machine.stop().await;
    }
    assert_eq!(found(&database.store).await, expected);
    assert_eq!(database.store.queued_jobs().await.unwrap(), []);
}

#[tokio::test]
async fn a_poisoned_package_is_given_up_with_its_reason_and_does_not_hold_the_crawl() {
    let folder = hub_folder();
    let expected = undisturbed(folder.path()).await;
    let database = TestDatabase::new().await;
    let store = &database.store;
    let hub = FaultyHub::new(open(folder.path()), Some(("org/base", Fault::ServerError)));
    let hub = Arc::new(hub);
    let crawl = crawl_with(&database, &hub, folder.path()).await;
    assert_eq!((crawl.packages, crawl.failed), (5, 2));
    let failure = crawl
        .failures
        .iter()
        .find(|failure| failure.package == "org/base")
        .unwrap();
    assert!(failure.reason.contains("answered 500"), "{failure:?}");
    let dead = store.queued_jobs().await.unwrap();
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!(
        (dead[0].kind.as_str(), dead[0].state.as_str(), dead[0].attempts),
        ("package", "failed", 2)
    );
    assert!(
        dead[0].reason.as_ref().unwrap().contains("answered 500"),
        "{dead:?}"
    );

    // The hub is mended and the package tried again: everything is as if nothing had happened.
    hub.mend();
    let machine = Machine::start(&database.url, Some(hub)).await;
    retry_job(store, dead[0].id).await.unwrap();
    while !store.queued_jobs().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    machine.stop().await;
    assert_eq!(found(store).await, expected);
}

#[tokio::test]
async fn a_package_that_ends_its_worker_is_given_up() {
    let folder = hub_folder();
    let database = TestDatabase::new().await;
    let hub = FaultyHub::new(open(folder.path()), Some(("org/base", Fault::Panic)));
    let crawl = crawl_with(&database, &Arc::new(hub), folder.path()).await;
    assert_eq!((crawl.packages, crawl.failed), (5, 2));
    assert!(crawl.failures.iter().any(|failure| failure.package == "org/base"));
}

#[tokio::test]
async fn a_hub_that_was_away_costs_no_package_its_tries() {
    let folder = hub_folder();
    let expected = undisturbed(folder.path()).await;
    let database = TestDatabase::new().await;
    let hub = Arc::new(FaultyHub::new(open(folder.path()), None));
    let machine = Machine::start(&database.url, Some(hub.clone())).await;
    // The listing passes, then every request fails for a while, those by which the hub is looked at included.
    let names = open(folder.path())
        .list(&Default::default(), None)
        .await
        .unwrap()
        .names;
    let crawl = database.store.open_crawl(&plan(folder.path())).await.unwrap();
    let page = CrawlPage {
        listed: names.len() as u64,
        open: names,
        ..CrawlPage::default()
    };
    database.store.add_crawl_page(&crawl, &page).await.unwrap();
    hub.go_away(60);
    machine.workers.queue_crawl(plan(folder.path())).await.unwrap();
    let crawl = finished(&database.store).await;
    machine.stop().await;
    assert_eq!((crawl.packages, crawl.failed), (5, 1), "{:?}", crawl.failures);
    assert_eq!(found(&database.store).await, expected);
}

#[tokio::test]
async fn lost_connections_lose_nothing() {
    let folder = hub_folder();
    let expected = undisturbed(folder.path()).await;
    let database = TestDatabase::new().await;
    let machine = Machine::start(&database.url, None).await;
    machine.workers.queue_crawl(plan(folder.path())).await.unwrap();
    for _ in 0..6 {
        database.end_connections().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    finished(&database.store).await;
    machine.stop().await;
    assert_eq!(found(&database.store).await, expected);
}

#[tokio::test]
async fn a_full_disk_stops_the_crawl_and_costs_no_package() {
    let folder = hub_folder();
    let expected = undisturbed(folder.path()).await;
    let database = TestDatabase::new().await;
    let store = &database.store;
    let scratch = tempfile::tempdir().unwrap();
    let run = async |hub: Arc<dyn Hub>| crawl(store, hub, &options(scratch.path()), Arc::new(Silent)).await;

    // The disk of this machine.
    let hub = Arc::new(FaultyHub::new(
        open(folder.path()),
        Some(("org/base-tuned", Fault::DiskFull)),
    ));
    let error = format!("{:#}", run(hub).await.unwrap_err());
    assert!(error.contains("disk"), "{error}");

    // The disk of the Postgres server, which says so by SQLSTATE 53100.
    database.fill_disk().await;
    let error = format!("{:#}", run(open(folder.path())).await.unwrap_err());
    assert!(
        error.contains("the disk of the Postgres server is full"),
        "{error}"
    );

    database.clear_disk().await;
    let report = run(open(folder.path())).await.unwrap();
    assert!(report.resumed);
    assert_eq!(report.failures.len(), 1, "{:?}", report.failures);
    assert_eq!(found(store).await, expected);
}

#[tokio::test]
async fn after_a_jump_of_the_clock_a_schedule_runs_once_or_not_at_all() {
    let folder = hub_folder();
    let database = TestDatabase::new().await;
    let store = &database.store;
    let now = store.now().await.unwrap();
    let schedule = |name: &str, catch_up: &str, next_run| Schedule {
        name: name.to_owned(),
        cron: "*/5 * * * *".to_owned(),
        time_zone: "UTC".to_owned(),
        plan: plan(folder.path()),
        catch_up: catch_up.to_owned(),
        paused: false,
        next_run,
        last_run: None,
    };
    // Three days of runs every five minutes were jumped over.
    let missed = now - time::Duration::days(3);
    store
        .save_schedule(&schedule("once", "once", missed))
        .await
        .unwrap();
    store
        .save_schedule(&schedule("skip", "skip", missed))
        .await
        .unwrap();
    // The clock was put back: the next run lies ahead.
    let ahead = now + time::Duration::days(3);
    store
        .save_schedule(&schedule("ahead", "once", ahead))
        .await
        .unwrap();
    let machine = Machine::start(&database.url, None).await;
    finished(store).await;
    machine.stop().await;
    assert_eq!(
        store.list_crawls(10).await.unwrap().len(),
        1,
        "one run for all that was missed"
    );
    for schedule in store.schedules().await.unwrap() {
        assert_eq!(
            schedule.last_run.is_some(),
            schedule.name == "once",
            "{schedule:?}"
        );
        let expect = match schedule.name.as_str() {
            "ahead" => ahead - time::Duration::seconds(1),
            _ => next_run("*/5 * * * *", "UTC", now).unwrap(),
        };
        assert!(schedule.next_run >= expect, "{schedule:?}");
    }
}
