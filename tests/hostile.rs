//! What strangers may upload and hubs may answer, run against the live service: every format damaged and inflated, cards with YAML bombs
//! and script, names that reach for other folders. Nothing may end the service, leave its folder, or come out as anything but data.
#![allow(clippy::unwrap_used)]

mod harness;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use harness::TestDatabase;
use heirloom::api::{AppState, Config, router};
use heirloom::fingerprint::Level;
use heirloom::jobs::{CrawlOptions, WorkerOptions, Workers, queue_crawl};
use heirloom::store::Store;
use heirloom::store::crawls::CrawlPlan;
use heirloom::store::overview::CrawlRow;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const SCRIPT: &str = "<script>document.title='owned'</script><img src=x onerror=alert(1)>";

/// A service with workers on a socket, over a database of its own.
struct Live {
    address: String,
    database: TestDatabase,
    workers: Workers,
    stop: CancellationToken,
    folder: tempfile::TempDir,
}

impl Live {
    async fn start() -> Self {
        let database = TestDatabase::new().await;
        let folder = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let options = WorkerOptions {
            package_attempts: 1,
            ..WorkerOptions::new(folder.path().join("downloads"))
        };
        let workers = Workers::start(&database.store, options, stop.clone())
            .await
            .unwrap();
        let state = AppState::new(database.store.clone(), Config::default());
        Self {
            address: serve(router(state)).await,
            database,
            workers,
            stop,
            folder,
        }
    }

    async fn crawl(&self, hub: &str, endpoint: &str) -> CrawlRow {
        let hub = heirloom_crawler::open(hub, Some(endpoint)).unwrap();
        let options = CrawlOptions {
            author: None,
            search: None,
            limit: None,
            level: Level::Full,
            relist: false,
            scratch: PathBuf::new(),
        };
        let plan: CrawlPlan = options.plan(hub.as_ref());
        queue_crawl(&self.database.store, plan).await.unwrap();
        finished(&self.database.store).await
    }

    async fn get(&self, path: &str) -> (StatusCode, String, String) {
        let response = reqwest::get(format!("{}{path}", self.address)).await.unwrap();
        let status = StatusCode::from_u16(response.status().as_u16()).unwrap();
        let kind = response.headers()[header::CONTENT_TYPE.as_str()]
            .to_str()
            .unwrap()
            .to_owned();
        (status, kind, response.text().await.unwrap())
    }

    async fn stop(self) -> tempfile::TempDir {
        self.stop.cancel();
        self.workers.finish().await.unwrap();
        self.folder
    }
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    format!("http://{address}")
}

async fn finished(store: &Store) -> CrawlRow {
    loop {
        let newest = store.list_crawls(1).await.unwrap();
        if let Some(crawl) = newest.into_iter().find(|crawl| crawl.finished_at.is_some()) {
            return crawl;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn write(folder: &Path, package: &str, files: &[(&str, Vec<u8>)]) {
    let package = folder.join(package);
    std::fs::create_dir_all(&package).unwrap();
    for (name, bytes) in files {
        std::fs::write(package.join(name), bytes).unwrap();
    }
}

/// A pickle that would create `path` were it executed, as the first bytes of a PyTorch file.
fn executing_pickle(path: &Path) -> Vec<u8> {
    format!("cos\nsystem\n(S'touch {}'\ntR.", path.display()).into_bytes()
}

/// An archive whose one entry inflates to 256 MiB of zeros.
fn zip_bomb() -> Vec<u8> {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    archive.start_file("archive/data.pkl", options).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..256 {
        archive.write_all(&zeros).unwrap();
    }
    archive.start_file("../../../escaped", options).unwrap();
    archive.write_all(b"escaped").unwrap();
    archive.finish().unwrap().into_inner()
}

/// Nine levels of nine references each: 387 million nodes were they expanded.
fn yaml_bomb() -> String {
    let mut yaml = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..9 {
        let below = format!("*a{}", level - 1);
        yaml += &format!("a{level}: &a{level} [{}]\n", vec![below; 9].join(","));
    }
    format!("---\n{yaml}base_model: *a8\n---\n# bomb\n")
}

fn header_that_claims(length: u64) -> Vec<u8> {
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend_from_slice(b"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}");
    bytes
}

fn hostile_folder(canary: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let gguf = |counts: [u64; 2]| {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        counts
            .iter()
            .for_each(|count| bytes.extend_from_slice(&count.to_le_bytes()));
        bytes.resize(200, 0xFF);
        bytes
    };
    let huge =
        br#"{"x":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,4]}}"#;
    let mut overflowing = (huge.len() as u64).to_le_bytes().to_vec();
    overflowing.extend_from_slice(huge);
    let mut nested = (100_000u64).to_le_bytes().to_vec();
    nested.resize(100_008, b'[');
    write(
        at,
        "evil/header",
        &[("model.safetensors", header_that_claims(u64::MAX))],
    );
    write(
        at,
        "evil/short",
        &[("model.safetensors", header_that_claims(1 << 40))],
    );
    write(at, "evil/overflow", &[("model.safetensors", overflowing)]);
    write(at, "evil/nested", &[("model.safetensors", nested)]);
    write(at, "evil/gguf", &[("model.gguf", gguf([u64::MAX, u64::MAX]))]);
    write(at, "evil/gguf-many", &[("model.gguf", gguf([1 << 40, 1]))]);
    write(at, "evil/onnx", &[("model.onnx", vec![0xFF; 4096])]);
    write(at, "evil/npz", &[("weights.npz", zip_bomb())]);
    write(at, "evil/zip", &[("pytorch_model.bin", zip_bomb())]);
    write(
        at,
        "evil/pickle",
        &[("pytorch_model.bin", executing_pickle(canary))],
    );
    write(
        at,
        "evil/empty",
        &[
            ("model.safetensors", Vec::new()),
            ("pytorch_model.bin", Vec::new()),
        ],
    );
    let weightless = |card: String| vec![("README.md", card.into_bytes()), ("config.json", SCRIPT.into())];
    write(at, "evil/yaml", &weightless(yaml_bomb()));
    write(
        at,
        "evil/deep",
        &weightless(format!("---\n{}\n---\n", "[".repeat(50_000))),
    );
    let script = format!(
        "---\nlicense: \"{SCRIPT}\"\ntags: [\"{SCRIPT}\"]\nbase_model: \"../../etc/passwd\"\n---\n{SCRIPT}\n[x](javascript:alert(1))\n"
    );
    write(at, "evil/script", &weightless(script));
    write(
        at,
        "evil/config",
        &[
            ("config.json", "{\"a\":".repeat(100_000).into_bytes()),
            ("tokenizer.json", vec![0; 4096]),
        ],
    );
    folder
}

/// Every path below `folder`.
fn everything(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_packages_are_findings_and_the_service_lives_on() {
    let live = Live::start().await;
    let canary = live.folder.path().join("executed");
    let folder = hostile_folder(&canary);
    let before = everything(folder.path());
    let packages = std::fs::read_dir(folder.path().join("evil")).unwrap().count();

    let crawl = live.crawl("dir", folder.path().to_str().unwrap()).await;
    assert_eq!((crawl.packages, crawl.error), (packages as i64, None));
    for failure in crawl.failures.iter() {
        assert!(
            !failure.reason.contains('\n') && failure.reason.len() < 1000,
            "{failure:?}"
        );
    }
    assert!(crawl.failed >= 9, "{:#?}", crawl.failures);
    for entry in std::fs::read_dir(folder.path().join("evil")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        for route in ["", "/revisions", "/lineage", "/similar", "/bom"] {
            let path = format!("/api/v1/models/dir/evil/{name}{route}");
            let (status, kind, body) = live.get(&path).await;
            assert!(
                status.is_success() || status == StatusCode::NOT_FOUND,
                "{path}: {status} {body}"
            );
            assert!(
                kind.contains("json"),
                "{path} is {kind}: a browser may take it for a page"
            );
        }
    }
    assert!(live.get("/api/v1/overview").await.0.is_success());
    assert_eq!(everything(folder.path()), before, "a package changed its hub");
    let left = live.stop().await;
    let stray: Vec<_> = everything(left.path())
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name != "downloads"))
        .collect();
    assert_eq!(
        stray,
        Vec::<PathBuf>::new(),
        "something was executed, or left behind"
    );
}

/// A hub that answers with whatever harms most.
async fn hostile_hub(request: Request) -> axum::response::Response {
    let path = request.uri().path().to_owned();
    let sha = "a".repeat(40);
    let nul = "a\u{0}b";
    if path == "/api/models" {
        return axum::Json(json!([
            { "id": "../../etc/passwd" }, { "id": "/etc/passwd" }, { "id": "a/b/c/d" }, { "id": "evil/.." }, { "id": 7 }, null,
            { "id": "evil/paths" }, { "id": "evil/deep" }, { "id": "evil/text" }, { "id": "evil/types" }, { "id": SCRIPT },
        ]))
        .into_response();
    }
    if path.ends_with("/evil/deep") {
        return ([(header::CONTENT_TYPE, "application/json")], "[".repeat(1 << 20)).into_response();
    }
    if path.contains("/tree/") || path.contains("/commits/") {
        return axum::Json(match path.contains("/tree/") {
            true => json!([
                { "type": "file", "path": "../../../../tmp/escaped.safetensors", "size": 8, "oid": "x" },
                { "type": "file", "path": "/tmp/escaped.safetensors", "size": 8, "oid": "x" },
                { "type": "file", "path": nul, "size": -1, "oid": "x" },
                { "type": "file", "path": "model.safetensors", "size": u64::MAX, "oid": "x" },
            ]),
            false => json!([{ "id": sha, "title": SCRIPT, "message": nul, "date": "yesterday", "authors": [{ "user": SCRIPT }] }]),
        })
        .into_response();
    }
    let name = path
        .trim_start_matches("/api/models/")
        .split("/revision")
        .next()
        .unwrap_or_default()
        .to_owned();
    axum::Json(json!({
        "id": name, "sha": sha, "author": SCRIPT, "tags": [SCRIPT, nul], "pipeline_tag": SCRIPT, "downloads": -1, "likes": "many",
        "createdAt": "9999-99-99", "siblings": [{ "rfilename": "../../escaped" }], "cardData": { "base_model": { "a": [1] }, "license": SCRIPT },
        "config": "not an object", "gated": {}
    }))
    .into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_answers_of_a_hub_are_findings_and_the_service_lives_on() {
    let live = Live::start().await;
    let hub = serve(Router::new().fallback(hostile_hub)).await;
    let crawl = live.crawl("hf", &hub).await;
    assert!(!Path::new("/tmp/escaped.safetensors").exists());
    assert!(
        crawl.packages >= 4,
        "the honest names are crawled: {}",
        crawl.packages
    );
    for failure in crawl.failures.iter() {
        assert!(!failure.reason.contains('\n'), "{failure:?}");
    }
    let (status, kind, body) = live.get("/api/v1/crawls").await;
    assert!(status.is_success() && kind.contains("json"), "{status} {body}");
    let (status, _, body) = live.get("/api/v1/models?limit=100").await;
    assert!(status.is_success(), "{body}");
    assert!(!body.contains("passwd") && !body.contains("escaped"), "{body}");
    let left = live.stop().await;
    let stray = everything(left.path())
        .into_iter()
        .filter(|path| path.is_file())
        .count();
    assert_eq!(stray, 0, "something was left behind");
}
