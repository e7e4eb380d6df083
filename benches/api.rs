//! Latency of the REST API over a synthetic hub, beside a bare `SELECT 1` in the same run.
//!
//! `cargo bench --bench api` makes a throwaway Postgres with HEIRLOOM_BENCH_MODELS models (100 000; 2 000 000 with HEIRLOOM_BENCH_SCALE=full) and
//! five parent links for each, serves it on loopback, and asks with HEIRLOOM_BENCH_CLIENTS clients at a time (1 by default) over
//! connections that are kept. Prints the 99th percentile of each question, as a client sees it.

#![allow(clippy::unwrap_used)]

use futures::StreamExt;
use futures::stream;
use heirloom::api::{AppState, Config, router};
use heirloom::fingerprint::{Level, fingerprint};
use heirloom::postgres::{Cluster, Durability};
use heirloom::store::Store;
use heirloom::weights::{Checkpoint, WeightFile};
use safetensors::tensor::{Dtype, TensorView};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const REQUESTS: usize = 1000;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().unwrap())
}

#[tokio::main]
async fn main() {
    // `cargo test --benches` and friends pass flags; only `cargo bench` means it.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let full = std::env::var("HEIRLOOM_BENCH_SCALE").is_ok_and(|scale| scale == "full");
    let models = number("HEIRLOOM_BENCH_MODELS", if full { 2_000_000 } else { 100_000 });
    let clients = number("HEIRLOOM_BENCH_CLIENTS", 1);
    let folder = std::env::var("HEIRLOOM_BENCH_DIR").map_or_else(
        |_| std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-api"),
        std::path::PathBuf::from,
    );
    let cluster = Cluster::start(&folder, Durability::Throwaway).await.unwrap();
    let store = Store::connect(&cluster.url()).await.unwrap();
    store.migrate().await.unwrap();
    fill(&store, models).await;
    let url = serve(&store).await;

    let links = links(&store).await;
    eprintln!(
        "{models} models, {links} parent links, {clients} clients, {REQUESTS} requests each; p99, median in brackets"
    );
    let floor = measure(clients, |_| async {
        sqlx::query("SELECT 1").execute(store.pool()).await.unwrap();
    });
    let floor = floor.await;
    let client = reqwest::Client::new();
    for question in QUESTIONS {
        let times = measure(clients, |index| {
            let path = (question.path)(pick(index, models), models);
            let (client, url) = (client.clone(), url.clone());
            async move {
                let answer = client.get(format!("{url}/api/v1{path}")).send().await.unwrap();
                assert_eq!(answer.status(), 200, "{path}");
                answer.bytes().await.unwrap();
            }
        });
        print_row(&question, models, &times.await, &floor);
    }
    store.close().await;
    cluster.stop().await.unwrap();
}

struct Question {
    name: &'static str,
    /// Milliseconds at the 99th percentile.
    aim: u32,
    path: fn(usize, usize) -> String,
}

const QUESTIONS: [Question; 9] = [
    Question {
        name: "look-up of a model",
        aim: 10,
        path: |model, _| format!("/models/hf/{}/{}", owner(model), name(model)),
    },
    Question {
        name: "revisions of a model",
        aim: 10,
        path: |model, _| format!("/models/hf/{}/{}/revisions", owner(model), name(model)),
    },
    Question {
        name: "first page of all models",
        aim: 50,
        path: |_, _| "/models".to_owned(),
    },
    Question {
        name: "filter: one family of names, one relation",
        aim: 50,
        path: |model, _| {
            format!(
                "/models?search={}-&relation=quantized",
                WORDS[model % WORDS.len()]
            )
        },
    },
    Question {
        name: "filter: declared or found base",
        aim: 50,
        path: |model, models| {
            format!(
                "/models?base={}/{}",
                owner(model % (models / 100)),
                name(model % (models / 100))
            )
        },
    },
    Question {
        name: "full text",
        aim: 50,
        path: |model, _| format!("/models?text={}+card", WORDS[model % WORDS.len()]),
    },
    Question {
        name: "search by part of a name",
        aim: 50,
        path: |model, _| format!("/search?q={}-7b-{}", WORDS[model % WORDS.len()], model % 1000),
    },
    Question {
        name: "search with a letter wrong",
        aim: 50,
        path: |model, _| format!("/search?q={}x-{model}", WORDS[model % WORDS.len()]),
    },
    Question {
        name: "lineage, ten generations",
        aim: 50,
        path: |model, _| format!("/models/hf/{}/{}/lineage?depth=10", owner(model), name(model)),
    },
];

const WORDS: [&str; 10] = [
    "llama", "mistral", "qwen", "bert", "gemma", "phi", "falcon", "whisper", "roberta", "deepseek",
];

fn owner(model: usize) -> String {
    format!("owner-{}", model % 50_000)
}

fn name(model: usize) -> String {
    format!("{}-7b-{model}", WORDS[model % WORDS.len()])
}

/// Models all over the catalogue, the same in every run.
fn pick(index: usize, models: usize) -> usize {
    1 + (index * 7_919_317 + 13) % (models - 1)
}

async fn serve(store: &Store) -> String {
    let config = Config {
        only_loopback: true,
        ..Config::default()
    };
    let service =
        router(AppState::new(store.clone(), config)).into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, service).into_future());
    url
}

/// Times of all requests, sorted.
async fn measure<F: Future<Output = ()>>(clients: usize, ask: impl Fn(usize) -> F) -> Vec<Duration> {
    for index in 0..50 {
        ask(index).await;
    }
    let timed = |index| {
        let asked = ask(index);
        async move {
            let start = Instant::now();
            asked.await;
            start.elapsed()
        }
    };
    let mut times: Vec<Duration> = stream::iter(0..REQUESTS)
        .map(timed)
        .buffer_unordered(clients)
        .collect()
        .await;
    times.sort();
    times
}

/// What, measured, a bare SELECT 1 in the same run, how many times as long, the aim.
fn print_row(question: &Question, models: usize, times: &[Duration], floor: &[Duration]) {
    let at = |times: &[Duration], share: f64| {
        times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3
    };
    let (median, p99, bare) = (at(times, 0.5), at(times, 0.99), at(floor, 0.99));
    println!(
        "| REST, {models} models: {} | {p99:.1} ms ({median:.1}) | {bare:.2} ms `SELECT 1` | {:.0} | {} ms |",
        question.name,
        p99 / bare,
        question.aim
    );
}

async fn links(store: &Store) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM edge_parents")
        .fetch_one(store.pool())
        .await
        .unwrap()
}

/// A hub whose models derive from one another: model i from model i / 3, so that ten generations up reach the roots; four more parent
/// links each, as merges have.
async fn fill(store: &Store, models: usize) {
    let (filled,): (i64,) = sqlx::query_as("SELECT count(*) FROM packages")
        .fetch_one(store.pool())
        .await
        .unwrap();
    if filled == models as i64 {
        return;
    }
    let start = Instant::now();
    let words = WORDS.map(|word| format!("'{word}'")).join(",");
    let name = format!("(ARRAY[{words}])[1 + i % 10] || '-7b-' || i");
    let data = hex::encode(fingerprint_bytes());
    let statements = [
        "ALTER TABLE edge_parents DISABLE TRIGGER note_change".to_owned(),
        "TRUNCATE packages, fingerprints, change_log CASCADE".to_owned(),
        format!(
            "INSERT INTO fingerprints (id, version, level, weights_key, parameters, bytes, architecture, data) OVERRIDING SYSTEM VALUE
             SELECT i, 1, 'full', md5(i::text), i * 1000, i * 4000, 'architecture-' || i % 5000, '\\x{data}' FROM generate_series(1, {models}) i"
        ),
        format!(
            "INSERT INTO packages (id, hub, owner, name, endpoint, head, created_at, modified_at, architecture, task, licence, downloads,
                 base_models, card, raw, fingerprint_id, versions_due, lineage_due) OVERRIDING SYSTEM VALUE
             SELECT i, 'hf', 'owner-' || i % 50000, {name}, 'https://hub.example', md5(i::text), now() - i * interval '1 second',
                    now() - (i::bigint * 7919 % {models}) * interval '1 second', 'Arch' || i % 500, 'text-generation', 'apache-2.0',
                    i::bigint * 31 % 100000, CASE WHEN i % 3 = 0 THEN ARRAY['owner-' || i / 3 % 50000 || '/' ||
                    (ARRAY[{words}])[1 + i / 3 % 10] || '-7b-' || i / 3] ELSE '{{}}' END, 'The card of a synthetic model.', '{{}}', i, false, false
             FROM generate_series(1, {models}) i"
        ),
        format!(
            "INSERT INTO revisions (id, package_id, revision, position, date, title, message, fingerprint_id) OVERRIDING SYSTEM VALUE
             SELECT i, i, md5(i::text), 0, now(), 'Upload', '', i FROM generate_series(1, {models}) i"
        ),
        format!("INSERT INTO versions (revision_id, version, silent) SELECT i, '1.' || i % 20 || '.0', false FROM generate_series(1, {models}) i"),
        format!(
            "INSERT INTO edges (id, child_id, relation, technique, params, confidence, explanation, evidence) OVERRIDING SYSTEM VALUE
             SELECT i, i, (ARRAY['finetune','quantized','merge','adapter'])[1 + i / 10 % 4], 'full', '{{}}', 0.9, 'A synthetic edge.', '[]'
             FROM generate_series(3, {models}) i"
        ),
        format!(
            "INSERT INTO edge_parents (edge_id, position, parent_id)
             SELECT i, 0, i / 3 FROM generate_series(3, {models}) i
             UNION ALL
             SELECT i, p, 1 + (i::bigint * (p * 1009 + 7)) % (i - 1) FROM generate_series(3, {models}) i, generate_series(1, 4) p"
        ),
        "VACUUM ANALYZE".to_owned(),
    ];
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(store.pool())
            .await
            .unwrap();
    }
    eprintln!("filled in {:.0} s", start.elapsed().as_secs_f64());
}

/// The stored form of a model with one small tensor: what every synthetic model has.
fn fingerprint_bytes() -> Vec<u8> {
    let values: Vec<u8> = (0..16_u8)
        .flat_map(|value| f32::from(value).to_le_bytes())
        .collect();
    let tensor = TensorView::new(Dtype::F32, vec![4, 4], &values).unwrap();
    let file = WeightFile {
        name: "model.safetensors".to_owned(),
        bytes: Arc::new(safetensors::serialize([("weight", tensor)], None).unwrap()),
    };
    let checkpoint = Checkpoint::open(vec![file]).unwrap();
    fingerprint(&checkpoint, Level::Full, &|_| {}).unwrap().to_bytes()
}
