//! A server on a socket, asked by programs that are not ours: the Python client, schemathesis, and validators of published schemas.
//!
//! `HEIRLOOM_PYTHON` names an interpreter with what tests/live/requirements.txt lists (`scripts/setup python` makes one); without it
//! these tests say that they are skipped.

#![allow(clippy::unwrap_used)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../api/seed.rs"]
mod seed;

use harness::TestDatabase;
use heirloom::api::{AppState, Config, router};
use heirloom::bulk;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;
use tokio::process::Command;

struct Server {
    url: String,
    database: TestDatabase,
}

/// Serves the catalogue of [`seed`] on a port of its own.
async fn serve() -> Server {
    let database = TestDatabase::new().await;
    seed::catalogue(&database.store).await;
    let config = Config {
        only_loopback: true,
        ..Config::default()
    };
    let service = router(AppState::new(database.store.clone(), config))
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, service).into_future());
    Server { url, database }
}

fn python() -> Option<PathBuf> {
    let python = std::env::var_os("HEIRLOOM_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("skipped: HEIRLOOM_PYTHON names no interpreter; `scripts/setup python` makes one");
    }
    python
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

async fn succeed(command: &mut Command) {
    let output = command.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

#[tokio::test]
async fn the_python_client_asks_the_server() {
    let Some(python) = python() else { return };
    let server = serve().await;
    let mut command = Command::new(python);
    command
        .arg(file("tests/live/client.py"))
        .env("PYTHONPATH", file("clients/python"))
        .env("HEIRLOOM_URL", &server.url);
    succeed(&mut command).await;
}

#[tokio::test]
async fn documents_are_valid_after_their_published_schemas() {
    let Some(python) = python() else { return };
    let server = serve().await;
    let export = tempfile::tempdir().unwrap();
    bulk::export_ptmtorrent(&server.database.store, export.path())
        .await
        .unwrap();
    let mut command = Command::new(python);
    command
        .arg(file("tests/live/documents.py"))
        .arg(&server.url)
        .arg(export.path());
    succeed(&mut command).await;
}

/// Every operation of the document is asked with inputs made from its schemas, the wrong ones too: no answer is a server error, has a
/// status that is not documented, or a body unlike its schema.
#[tokio::test]
async fn the_server_keeps_to_its_openapi_document() {
    let Some(python) = python() else { return };
    let server = serve().await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(python.with_file_name("schemathesis"));
    command
        .current_dir(folder.path())
        .args(["run", &format!("{}/api/v1/openapi.json", server.url)])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args(["--phases", "examples,coverage,fuzzing"])
        // Streams never end.
        .args(["--exclude-path-regex", "/stream$"])
        .args([
            "--max-examples",
            "15",
            "--seed",
            "20260101",
            "--generation-deterministic",
        ])
        .args([
            "--request-timeout",
            "30",
            "--suppress-health-check",
            "all",
            "--no-color",
        ]);
    succeed(&mut command).await;
}
