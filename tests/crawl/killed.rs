//! kill -9 in the middle of a listing: the next run goes on at the page it was at, and asks for none before it again.

use super::harness::cluster_folder;
use super::server::{Reply, Server, answer};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PAGES: usize = 5;
const HANGS_AT: usize = 3;

fn page_of(head: &str) -> usize {
    let target = head.split(' ').nth(1).unwrap_or_default();
    target
        .split_once("cursor=")
        .and_then(|(_, cursor)| cursor.parse().ok())
        .unwrap_or(0)
}

fn spawn(data: &Path, url: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_heirloom"))
        .arg("--data-dir")
        .arg(data)
        .args([
            "--quiet",
            "--json",
            "crawl",
            "hf",
            "--level",
            "metadata",
            "--endpoint",
            url,
        ])
        .env_remove("DATABASE_URL")
        .env_remove("HF_TOKEN")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn the_cursor_outlives_the_crawler() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let server = Server::start(move |_, head| {
        if !head.starts_with("GET /api/models?") {
            return answer("404 Not Found", "", "");
        }
        let page = page_of(head);
        if page == HANGS_AT && !is_well.load(Ordering::SeqCst) {
            return Reply::ThenSilence(Vec::new());
        }
        let link = match page + 1 < PAGES {
            true => format!("link: </api/models?cursor={}>; rel=\"next\"\r\n", page + 1),
            false => String::new(),
        };
        answer(
            "200 OK",
            &link,
            format!(r#"[{{"id": "o/p{page}", "sha": "{page}"}}]"#),
        )
    })
    .await;
    let data = cluster_folder();
    let mut first = spawn(data.path(), &server.url);
    let asked = || {
        server
            .requests()
            .iter()
            .filter(|request| request.starts_with("get /api/models?"))
            .map(|request| page_of(request))
            .collect::<Vec<_>>()
    };
    // The page before is stored while the one that hangs is asked for.
    while asked().last() != Some(&HANGS_AT) {
        assert!(first.try_wait().unwrap().is_none(), "it ended by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    first.kill().unwrap();
    first.wait().unwrap();
    let before = asked().len();

    well.store(true, Ordering::SeqCst);
    let second = tokio::task::spawn_blocking({
        let child = spawn(data.path(), &server.url);
        move || child.wait_with_output().unwrap()
    })
    .await
    .unwrap();
    assert!(second.status.success(), "{second:?}");
    let report: serde_json::Value = serde_json::from_slice(&second.stdout).unwrap();
    assert_eq!(report["resumed"], true, "{report}");
    assert_eq!(asked()[before..], [HANGS_AT, HANGS_AT + 1], "{:?}", asked());
}
