//! The service as its operator sees it: settings, secrets, backups, health, metrics and a stop in time. The real binary is run.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::hub::{conclusions, hub_folder};
use harness::{TestDatabase, cluster_folder};
use heirloom::fingerprint::Level;
use heirloom::jobs::{CrawlOptions, Silent, crawl, queue_crawl};
use heirloom::store::Store;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(20);

fn heirloom(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heirloom"));
    command.arg("--data-dir").arg(data);
    // A file or a hub of whoever runs the tests must not be read.
    command
        .current_dir(data)
        .env_remove("DATABASE_URL")
        .env_remove("HF_TOKEN");
    command
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
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

async fn fill(store: &Store, folder: &Path) {
    let hub = heirloom_crawler::open("dir", folder.to_str()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    crawl(store, hub, &options(scratch.path()), Arc::new(Silent))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_backup_is_restored_whole() {
    let folder = hub_folder();
    let work = tempfile::tempdir().unwrap();
    let dump = work.path().join("heirloom.dump");
    let from = TestDatabase::new().await;
    fill(&from.store, folder.path()).await;
    let run = |arguments: &[&str], url: &str| {
        let mut command = heirloom(work.path());
        command
            .args(arguments)
            .arg(&dump)
            .env("DATABASE_URL", url)
            .output()
            .unwrap()
    };
    let backup = run(&["backup"], &from.url);
    assert!(backup.status.success(), "{}", text(&backup));
    let again = run(&["backup"], &from.url);
    assert!(text(&again).contains("never overwritten"), "{}", text(&again));

    let to = TestDatabase::empty().await;
    let restore = run(&["restore"], &to.url);
    assert!(restore.status.success(), "{}", text(&restore));
    assert!(text(&restore).contains("restored 5 models"), "{}", text(&restore));
    assert_eq!(conclusions(&to.store).await, conclusions(&from.store).await);

    // What is there is not overwritten unasked; asked, it is replaced.
    let refused = run(&["restore"], &to.url);
    assert!(
        text(&refused).contains("holds tables already"),
        "{}",
        text(&refused)
    );
    let replaced = run(&["restore", "--replace"], &to.url);
    assert!(replaced.status.success(), "{}", text(&replaced));
    assert_eq!(conclusions(&to.store).await, conclusions(&from.store).await);

    // A damaged backup leaves nothing half done.
    let bytes = std::fs::read(&dump).unwrap();
    std::fs::write(&dump, &bytes[..bytes.len() / 2]).unwrap();
    let empty = TestDatabase::empty().await;
    let damaged = run(&["restore"], &empty.url);
    assert!(!damaged.status.success(), "{}", text(&damaged));
    assert!(empty.store.is_empty().await.unwrap());
}

#[test]
fn every_setting_says_where_it_came_from() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("heirloom.toml"), "[workers]\nconcurrency = 3\n").unwrap();
    let output = heirloom(data.path())
        .args(["config", "--json"])
        .env("DATABASE_URL", "postgres://me:hunter2@db/models")
        .output()
        .unwrap();
    let lines: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let find = |key: &str| {
        lines
            .as_array()
            .unwrap()
            .iter()
            .find(|line| line["key"] == key)
            .unwrap()
    };
    assert_eq!(find("data_dir")["origin"]["from"], "flag");
    assert_eq!(find("workers.concurrency")["value"], "3");
    assert_eq!(find("workers.concurrency")["origin"]["at"], "heirloom.toml");
    assert_eq!(find("database_url")["origin"]["at"], "DATABASE_URL");
    assert_eq!(find("database_url")["value"], "postgres://me:***@db/models");
    assert_eq!(find("listen")["origin"]["from"], "default");
}

#[tokio::test]
async fn secrets_stay_out_of_logs_and_errors() {
    let data = tempfile::tempdir().unwrap();
    let hub = hub_folder();
    let served = heirloom::hubserver::serve(hub.path(), Default::default())
        .await
        .unwrap();
    let database = TestDatabase::new().await;
    let address = database.url.split_once('@').unwrap().1;
    let cases = [
        // The right database, the right hub, a token: everything is said at debug level.
        (vec!["crawl", "hf"], database.url.clone(), served.url.clone()),
        (vec!["doctor"], database.url.clone(), served.url.clone()),
        // Wrong password, no server, no database, no URL.
        (
            vec!["doctor"],
            format!("postgres://nobody:hunter2@{address}"),
            served.url.clone(),
        ),
        (
            vec!["migrate"],
            "postgres://me:hunter2@127.0.0.1:1/x".to_owned(),
            served.url.clone(),
        ),
        (
            vec!["migrate"],
            "postgres//me:hunter2@x".to_owned(),
            served.url.clone(),
        ),
        (
            vec!["backup", "out.dump"],
            "postgres://me:hunter2@127.0.0.1:1/x".to_owned(),
            served.url.clone(),
        ),
        // A hub that is not there.
        (
            vec!["crawl", "hf"],
            database.url.clone(),
            "http://127.0.0.1:1".to_owned(),
        ),
    ];
    let password = database
        .url
        .split_once("://")
        .unwrap()
        .1
        .split_once('@')
        .unwrap()
        .0;
    let password = password.split_once(':').map(|(_, password)| password.to_owned());
    for (arguments, url, endpoint) in cases {
        let arguments_said = format!("{arguments:?}");
        let output = tokio::task::spawn_blocking({
            let data = data.path().to_owned();
            move || {
                heirloom(&data)
                    .arg("-vv")
                    .args(arguments)
                    .env("RUST_LOG", "trace")
                    .env("DATABASE_URL", url)
                    .env("HF_ENDPOINT", endpoint)
                    .env("HF_TOKEN", "hf_secretsecretsecret")
                    .output()
                    .unwrap()
            }
        });
        let said = text(&output.await.unwrap());
        assert!(!said.is_empty(), "{arguments_said} said nothing");
        for secret in ["hunter2", "hf_secret"].into_iter().chain(password.as_deref()) {
            assert!(
                !said.contains(secret),
                "{arguments_said} gave {secret} away:\n{said}"
            );
        }
    }
    served.stop().await;
}

/// A process with the address it serves at, read off its first line.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(data: &Path, url: &str, arguments: &[&str]) -> Self {
        let mut child = heirloom(data)
            .args(arguments)
            .env("DATABASE_URL", url)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, address)) = line.split_once("http://") {
                break format!("http://{}", address.trim());
            }
        };
        // Nobody reads on, but the process must not block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// Says how long the process took to end after SIGTERM.
    fn terminate(mut self) -> Duration {
        let start = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        start.elapsed()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn get(address: &str, path: &str) -> (u16, String) {
    let response = reqwest::get(format!("{address}{path}")).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn an_api_server_and_a_worker_share_the_work_and_stop_in_time() {
    let folder = hub_folder();
    let data = cluster_folder();
    let database = TestDatabase::new().await;
    let server = Service::start(
        data.path(),
        &database.url,
        &["serve", "--no-workers", "--listen", "127.0.0.1:0"],
    );
    let worker = Service::start(data.path(), &database.url, &["worker", "--listen", "127.0.0.1:0"]);
    for service in [&server, &worker] {
        assert_eq!(get(&service.address, "/health/live").await.0, 200);
        assert_eq!(get(&service.address, "/health/ready").await.0, 200);
    }
    let hub = heirloom_crawler::open("dir", folder.path().to_str()).unwrap();
    let plan = options(data.path()).plan(hub.as_ref());
    queue_crawl(&database.store, plan).await.unwrap();
    while database
        .store
        .list_crawls(1)
        .await
        .unwrap()
        .iter()
        .all(|crawl| crawl.finished_at.is_none())
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (status, body) = get(&server.address, "/api/v1/models").await;
    assert_eq!(
        (status, body.matches("\"reference\"").count()),
        (200, 5),
        "{body}"
    );

    let (_, metrics) = get(&worker.address, "/metrics").await;
    for line in [
        r#"heirloom_packages_total{hub="dir",outcome="changed"} 4"#,
        r#"heirloom_packages_total{hub="dir",outcome="failed"} 1"#,
        r#"heirloom_fingerprints_total{hub="dir"} 4"#,
        r#"heirloom_jobs_total{kind="package",outcome="done"} 5"#,
        "heirloom_lineage_due_packages 0",
    ] {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
    let (_, metrics) = get(&server.address, "/metrics").await;
    let line = r#"heirloom_http_requests_total{method="GET",route="/api/v1/models",status="200"} 1"#;
    assert!(metrics.contains(line), "no {line} in\n{metrics}");
    assert!(
        !metrics.contains("heirloom_jobs_total{"),
        "a server without workers works"
    );
    for service in [server, worker] {
        let took = service.terminate();
        assert!(took < STOP_WITHIN, "{took:?}");
    }
}

#[tokio::test]
async fn several_processes_may_bring_the_schema_up_to_date_at_once() {
    let database = TestDatabase::empty().await;
    let stores = [
        database.store.clone(),
        Store::connect(&database.url).await.unwrap(),
    ];
    let [one, other] = stores.map(|store| tokio::spawn(async move { store.migrate().await }));
    one.await.unwrap().unwrap();
    other.await.unwrap().unwrap();
}
