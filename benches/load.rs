//! Many clients at once while a crawl and its fingerprints go on: errors, latency, memory.
//!
//!     heirloom postgres -- cargo bench --bench load -- --clients 1000 --seconds 60
//!
//! Loads the synthetic hub of benches/catalogue, runs the real `heirloom serve` over it with a crawl of `--packages` small packages, and has
//! every client ask one question after another over a connection of its own. Any answer but 2xx and 429 is an error.
#![allow(clippy::unwrap_used, reason = "a benchmark ends where its own data is wrong")]

#[path = "../tests/harness/mod.rs"]
mod harness;

mod catalogue;

use catalogue::{Catalogue, Names, Weights};
use clap::Parser;
use harness::TestDatabase;
use harness::hub::many_packages;
use heirloom::fingerprint::Level;
use heirloom::jobs::{CrawlOptions, queue_crawl};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SEED: u64 = 11;
const BATCH: usize = 500;

#[derive(Parser)]
struct Args {
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Models that are there to be asked about.
    #[arg(long, default_value_t = 5_000)]
    models: usize,
    /// Packages of the crawl that goes on meanwhile.
    #[arg(long, default_value_t = 2000)]
    packages: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one client, or all of them, got.
#[derive(Default)]
struct Tally {
    /// By status; 0 is no answer at all.
    answers: BTreeMap<u16, u64>,
    /// Milliseconds of the answers that were 2xx.
    took: Vec<f32>,
    /// The first that went wrong.
    trouble: Option<String>,
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let database = TestDatabase::new().await;
    let names = load(&database, args.models).await;
    let folder = many_packages(args.packages);
    let data = tempfile::tempdir().unwrap();
    let options = CrawlOptions {
        author: None,
        search: None,
        limit: None,
        level: Level::Full,
        relist: false,
        scratch: data.path().to_owned(),
    };
    let (mut server, address) = serve(data.path(), &database.url);
    let hub = heirloom_crawler::open("dir", folder.path().to_str()).unwrap();
    queue_crawl(&database.store, options.plan(hub.as_ref()))
        .await
        .unwrap();

    let questions: Arc<Vec<String>> = Arc::new(questions(&address, &names));
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(args.clients)
        .build()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(args.seconds);
    let clients: Vec<_> = (0..args.clients as u64)
        .map(|seed| tokio::spawn(ask_until(deadline, client.clone(), questions.clone(), seed)))
        .collect();
    let mut total = Tally::default();
    for client in clients {
        let tally = client.await.unwrap();
        for (status, count) in tally.answers {
            *total.answers.entry(status).or_default() += count;
        }
        total.took.extend(tally.took);
        total.trouble = total.trouble.or(tally.trouble);
    }
    let crawl = database.store.list_crawls(1).await.unwrap().remove(0);
    report(
        &args,
        total,
        peak_memory(server.id()),
        crawl.packages,
        crawl.finished_at.is_some(),
    );
    server.kill().unwrap();
    server.wait().unwrap();
}

fn report(args: &Args, mut total: Tally, peak: u64, crawled: i64, finished: bool) {
    total.took.sort_by(f32::total_cmp);
    let count: u64 = total.answers.values().sum();
    let at = |share: f64| total.took[((total.took.len() - 1) as f64 * share) as usize];
    let is_error = |status: u16| status != 429 && !(200..300).contains(&status);
    let errors: u64 = total
        .answers
        .iter()
        .filter(|(status, _)| is_error(**status))
        .map(|(_, count)| count)
        .sum();
    eprintln!(
        "{} clients for {} s over {} models; by status: {:?} (0: no answer)",
        args.clients, args.seconds, args.models, total.answers
    );
    eprintln!(
        "crawled meanwhile: {crawled} of {} packages, finished: {finished}",
        args.packages
    );
    if let Some(trouble) = &total.trouble {
        eprintln!("the first that went wrong: {trouble}");
    }
    let clients = args.clients;
    println!(
        "| {clients} clients: answers | {:.0} /s | | | |",
        count as f64 / args.seconds as f64
    );
    println!("| {clients} clients: errors but 429 | {errors} | | | 0 |");
    println!("| {clients} clients: latency p50 | {:.0} ms | | | |", at(0.5));
    println!("| {clients} clients: latency p95 | {:.0} ms | | | |", at(0.95));
    println!("| {clients} clients: latency p99 | {:.0} ms | | | |", at(0.99));
    println!(
        "| {clients} clients: peak memory of the server | {} MB | | | |",
        peak >> 20
    );
}

/// Names of some of the models.
async fn load(database: &TestDatabase, models: usize) -> Vec<String> {
    let mut catalogue = Catalogue::new(SEED, Names::composed(), Weights::None);
    let mut names = Vec::new();
    for _ in 0..models.div_ceil(BATCH) {
        let batch = catalogue.batch(BATCH);
        names.extend(
            batch
                .iter()
                .step_by(7)
                .map(|bulk| format!("{}/{}", bulk.package.owner, bulk.package.name)),
        );
        database.store.load_packages(&batch).await.unwrap();
    }
    database.store.analyze().await.unwrap();
    names
}

/// What a dashboard and a script ask, models' pages most.
fn questions(address: &str, names: &[String]) -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut questions = Vec::new();
    for _ in 0..2000 {
        let name = names.choose(&mut random).unwrap();
        let path = match random.random_range(0..10) {
            0..4 => format!("models/hf/{name}"),
            4 => format!("models/hf/{name}/revisions"),
            5 => format!("models/hf/{name}/lineage"),
            6 => "models?limit=50".to_owned(),
            7 => format!("models?search={}", name.split(['/', '-']).next_back().unwrap()),
            8 => "changes?limit=50".to_owned(),
            _ => "crawls".to_owned(),
        };
        questions.push(format!("{address}/api/v1/{path}"));
    }
    questions
}

async fn ask_until(
    deadline: Instant,
    client: reqwest::Client,
    questions: Arc<Vec<String>>,
    seed: u64,
) -> Tally {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    while Instant::now() < deadline {
        let question = questions.choose(&mut random).unwrap();
        let start = Instant::now();
        let answer = async {
            let response = client.get(question).send().await?;
            let status = response.status();
            response.bytes().await?;
            Ok::<_, reqwest::Error>(status)
        };
        match answer.await {
            Ok(status) => {
                *tally.answers.entry(status.as_u16()).or_default() += 1;
                if status.is_success() {
                    tally.took.push(start.elapsed().as_secs_f32() * 1e3);
                } else if status.as_u16() != 429 {
                    tally
                        .trouble
                        .get_or_insert_with(|| format!("{status} {question}"));
                }
            }
            Err(error) => {
                *tally.answers.entry(0).or_default() += 1;
                tally.trouble.get_or_insert_with(|| format!("{error:?}"));
            }
        }
    }
    tally
}

/// The server and its address, read off its first line.
fn serve(data: &std::path::Path, url: &str) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_heirloom"))
        .arg("--data-dir")
        .arg(data)
        .args(["--quiet", "serve", "--listen", "127.0.0.1:0"])
        .env("DATABASE_URL", url)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some((_, address)) = line.split_once("http://") {
            break format!("http://{}", address.trim());
        }
    };
    std::thread::spawn(move || lines.for_each(drop));
    (server, address)
}

/// The most memory a process has had, in bytes.
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}
