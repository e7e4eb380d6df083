//! Listed packages per second from a local hub into Postgres, beside a raw COPY of the same rows in the same run, and the most memory
//! this process held.
//!
//! `cargo bench --bench ingest` takes 20,000 packages, with `HEIRLOOM_BENCH_SCALE=full` 200,000. Standard output holds rows of
//! docs/benchmarks.md, standard error what they mean. The hub answers over HTTP on loopback, in the shape of Hugging Face's listing,
//! and is part of this process. The COPY goes into a table with the same columns, indexes and constraints, from a file that holds
//! the very rows the crawl stored.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run says so")]

use axum::Router;
use axum::extract::Query;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::TryStreamExt;
use heirloom::fingerprint::Level;
use heirloom::jobs::list_page;
use heirloom::postgres::{Cluster, Durability};
use heirloom::store::Store;
use heirloom::store::crawls::{CrawlPlan, Stage};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PACKAGES: usize = 20_000;
const PACKAGES_AT_FULL_SCALE: usize = 200_000;
const COPY_BLOCK_BYTES: usize = 1 << 20;

#[tokio::main]
async fn main() {
    let packages = match std::env::var("HEIRLOOM_BENCH_SCALE").as_deref() {
        Ok("full") => PACKAGES_AT_FULL_SCALE,
        _ => PACKAGES,
    };
    let folder = tempfile::tempdir().unwrap();
    let url = match std::env::var("DATABASE_URL") {
        Ok(url) => Server::Other(url),
        Err(_) => {
            open_to_all(folder.path());
            Server::Own(
                Cluster::start(folder.path(), Durability::Throwaway)
                    .await
                    .unwrap(),
            )
        }
    };
    let database = create_database(&url.url()).await;
    let store = Store::connect(&database).await.unwrap();
    store.migrate().await.unwrap();

    let hub = serve(packages).await;
    let ingested = ingest(&store, &hub).await;
    assert_eq!(count(&store, "packages").await, packages as i64);
    let memory = peak_memory_bytes();
    let (indexed, plain) = copy_again(&database, &folder.path().join("rows")).await;

    let rate = |took: Duration| packages as f64 / took.as_secs_f64();
    let (ours, raw, bare) = (rate(ingested), rate(indexed), rate(plain));
    eprintln!(
        "{packages} packages from a local hub's listing into Postgres: {:.2} s; the same rows by COPY: {:.2} s, without indexes {:.2} s",
        ingested.as_secs_f64(),
        indexed.as_secs_f64(),
        plain.as_secs_f64()
    );
    println!(
        "| ingest: {packages} listed packages | {ours:.0} packages/s | raw COPY {raw:.0} rows/s | {:.2} | at least 0.50 |",
        ours / raw
    );
    println!(
        "| ingest: beside a COPY without indexes | {ours:.0} packages/s | raw COPY {bare:.0} rows/s | {:.2} | |",
        ours / bare
    );
    let mebibytes = memory as f64 / f64::from(1 << 20);
    println!("| ingest: peak memory | {mebibytes:.0} MiB | | | under 300 MiB |");
}

enum Server {
    Own(Cluster),
    Other(String),
}

impl Server {
    fn url(&self) -> String {
        match self {
            Self::Own(cluster) => cluster.url(),
            Self::Other(url) => url.clone(),
        }
    }
}

/// As root the server runs as another user, who must be able to pass.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

async fn create_database(server: &str) -> String {
    let name = format!("bench_{}", std::process::id());
    let mut connection = PgConnection::connect(server).await.unwrap();
    for statement in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name}"),
    ] {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let (address, query) = server.split_once('?').unwrap_or((server, ""));
    let (host, _) = address.rsplit_once('/').unwrap();
    format!("{host}/{name}?{query}")
}

async fn ingest(store: &Store, hub: &str) -> Duration {
    let hub = heirloom_crawler::open("hf", Some(hub)).unwrap();
    let plan = CrawlPlan {
        hub: "hf".to_owned(),
        endpoint: hub.endpoint(),
        author: None,
        search: None,
        limit: None,
        level: Level::Metadata,
    };
    let started = Instant::now();
    let mut crawl = store.open_crawl(&plan).await.unwrap();
    while crawl.stage == Stage::Listing {
        list_page(store, hub.as_ref(), &mut crawl).await.unwrap();
    }
    started.elapsed()
}

async fn count(store: &Store, table: &str) -> i64 {
    let query = format!("SELECT count(*) FROM {table}");
    let (count,): (i64,) = sqlx::query_as(AssertSqlSafe(query))
        .fetch_one(store.pool())
        .await
        .unwrap();
    count
}

/// Copies the stored rows into a table like theirs, and into one without indexes; returns how long each took.
async fn copy_again(database: &str, file: &Path) -> (Duration, Duration) {
    let mut connection = PgConnection::connect(database).await.unwrap();
    let mut out = tokio::fs::File::create(file).await.unwrap();
    {
        let mut rows = connection
            .copy_out_raw("COPY packages TO STDOUT (FORMAT binary)")
            .await
            .unwrap();
        while let Some(block) = rows.try_next().await.unwrap() {
            out.write_all(&block).await.unwrap();
        }
    }
    out.flush().await.unwrap();
    let indexed = copy_into(&mut connection, "raw_indexed", "INCLUDING ALL", file).await;
    let plain = copy_into(
        &mut connection,
        "raw_plain",
        "INCLUDING DEFAULTS INCLUDING GENERATED",
        file,
    )
    .await;
    (indexed, plain)
}

async fn copy_into(connection: &mut PgConnection, table: &str, like: &str, file: &Path) -> Duration {
    let create = format!("CREATE TABLE {table} (LIKE packages {like})");
    sqlx::query(AssertSqlSafe(create))
        .execute(&mut *connection)
        .await
        .unwrap();
    let mut input = tokio::fs::File::open(file).await.unwrap();
    let started = Instant::now();
    let mut copy = connection
        .copy_in_raw(&format!("COPY {table} FROM STDIN (FORMAT binary)"))
        .await
        .unwrap();
    let mut block = vec![0; COPY_BLOCK_BYTES];
    loop {
        let read = input.read(&mut block).await.unwrap();
        if read == 0 {
            break;
        }
        copy.send(&block[..read]).await.unwrap();
    }
    copy.finish().await.unwrap();
    started.elapsed()
}

/// The most this process held at once, as the system counted it.
fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// A hub that lists `packages`; its pages are made when asked for.
async fn serve(packages: usize) -> String {
    let list = move |Query(query): Query<HashMap<String, String>>| async move { page(&query, packages) };
    let routes = Router::new().route("/api/models", get(list));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

fn page(query: &HashMap<String, String>, packages: usize) -> Response {
    let number = |key: &str, usual: usize| query.get(key).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (start, length) = (number("cursor", 0), number("limit", 1000).min(1000));
    let end = (start + length).min(packages);
    let listed: Vec<Value> = (start..end).map(package).collect();
    let body = axum::Json(listed);
    if end == packages {
        return body.into_response();
    }
    let next = format!("</api/models?limit={length}&cursor={end}>; rel=\"next\"");
    ([(LINK, next)], body).into_response()
}

/// About as long as the real hub's entries, and as varied where an index is on it.
fn package(number: usize) -> Value {
    let owner = format!("organisation-{}", number % 20_011);
    let base = format!("organisation-{}/model-{}-base", number % 977, number % 4_001);
    json!({
        "_id": format!("{number:024x}"),
        "id": format!("{owner}/model-{number}-7b-instruct-v0.{}", number % 9),
        "author": owner,
        "sha": format!("{number:040x}"),
        "lastModified": format!("2024-{:02}-{:02}T10:{:02}:00.000Z", number % 12 + 1, number % 28 + 1, number % 60),
        "createdAt": "2024-01-01T00:00:00.000Z",
        "private": false, "gated": false, "disabled": false,
        "downloads": number % 100_000, "likes": number % 1_000,
        "library_name": "transformers", "pipeline_tag": "text-generation",
        "tags": ["transformers", "safetensors", "llama", "text-generation", "conversational", "en", "license:apache-2.0",
                 format!("base_model:{base}"), format!("base_model:finetune:{base}"), "text-generation-inference", "region:us"],
        "config": {"architectures": ["LlamaForCausalLM"], "model_type": "llama",
                   "tokenizer_config": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}},
        "cardData": {"license": "apache-2.0", "language": ["en"], "base_model": base, "datasets": ["organisation/instructions"]},
        "safetensors": {"parameters": {"BF16": 7_241_732_096_u64}, "total": 7_241_732_096_u64}
    })
}
