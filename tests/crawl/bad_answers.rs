//! One bad package between two good ones: each bad answer is its own failure in the report, repeated only where that can help.

use super::harness::TestDatabase;
use super::server::{Reply, Server, answer, json};
use super::{run, stored};
use heirloom::fingerprint::Level;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

const SHA: &str = "1111111111111111111111111111111111111111";

fn target(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

/// What a hub says of a package without weights.
fn good(target: &str) -> Reply {
    let name = target.split('/').nth(4).unwrap_or_default();
    let info =
        format!(r#"{{"id": "o/{name}", "sha": "{SHA}", "siblings": [{{"rfilename": "config.json"}}]}}"#);
    let last = target.split('?').next().unwrap_or_default().rsplit('/').next();
    match (target, last) {
        (target, _) if target.starts_with("/api/models?") => json(format!(
            r#"[{{"id": "o/first", "sha": "{SHA}"}}, {{"id": "o/bad", "sha": "{SHA}"}}, {{"id": "o/last", "sha": "{SHA}"}}, {{"id": "../../x"}}]"#
        )),
        (_, Some("refs")) => json(r#"{"branches": [], "tags": []}"#),
        (target, _) if target.contains("/commits/") => json(format!(
            r#"[{{"id": "{SHA}", "title": "Add", "message": "", "date": "2024-01-01T00:00:00.000Z", "authors": []}}]"#
        )),
        (target, _) if target.contains("/tree/") => {
            json(r#"[{"type": "file", "oid": "abc", "size": 2, "path": "config.json"}]"#)
        }
        (target, _) if target.contains("/resolve/") => answer("200 OK", "", "{}"),
        _ => json(info),
    }
}

/// Crawls the three packages, of which `bad` answers for one; returns its failure and how often it was asked for.
async fn crawl_with(bad: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> (String, usize) {
    let server = Server::start(move |_, head| {
        let target = target(head);
        let reply = target.contains("/o/bad").then(|| bad(target)).flatten();
        reply.unwrap_or_else(|| good(target))
    })
    .await;
    let database = TestDatabase::new().await;
    let report = run(&database.store, Arc::new(server.hub()), |options| {
        options.level = Level::Metadata;
    })
    .await;
    assert_eq!(
        (report.totals.packages, report.totals.new_revisions),
        (3, 2),
        "{report:?}"
    );
    let stored = stored(&database.store, "head").await;
    let heads: Vec<_> = stored
        .iter()
        .map(|(name, head)| (name.as_str(), head.is_some()))
        .collect();
    assert_eq!(heads, [("o/bad", false), ("o/first", true), ("o/last", true)]);
    let reasons: Vec<_> = report
        .failures
        .iter()
        .filter(|failure| failure.package == "o/bad")
        .collect();
    assert_eq!((reasons.len(), report.failures.len()), (1, 2), "{report:?}");
    assert!(!reasons[0].reason.contains('\n'), "one sentence: {reasons:?}");
    let asked = server
        .requests()
        .iter()
        .filter(|request| request.starts_with("get /api/models/o/bad "))
        .count();
    (reasons[0].reason.clone(), asked)
}

async fn check(reply: Reply, reason: &str, requests: usize) {
    let (said, asked) = crawl_with(move |target| target.ends_with("/o/bad").then(|| reply.clone())).await;
    assert!(said.contains(reason), "{said}");
    assert_eq!(asked, requests, "{said}");
}

#[tokio::test]
async fn truncated_json() {
    check(json(r#"{"id": "o/bad", "tags": ["#), "the JSON ends early", 1).await;
}

#[tokio::test]
async fn wrong_types() {
    check(json(r#"{"id": 7}"#), "malformed at id", 1).await;
    check(json("[]"), "malformed at id", 1).await;
}

#[tokio::test]
async fn text_that_is_not_utf_8() {
    check(json(b"{\"id\": \"o/\xff\"}"), "not UTF-8", 1).await;
}

#[tokio::test]
async fn redirects_to_other_schemes_and_hosts() {
    let redirect = |to: &str| answer("302 Found", &format!("location: {to}\r\n"), "");
    check(
        redirect("file:///etc/passwd"),
        "not a public web address; refused",
        1,
    )
    .await;
    check(
        redirect("ftp://example.org/x"),
        "not a public web address; refused",
        1,
    )
    .await;
    check(redirect("http://127.0.0.1:1/x"), "another host", 1).await;
}

#[tokio::test]
async fn headers_without_end() {
    let line = format!("x-filler: {}\r\n", "a".repeat(8000)).into_bytes();
    check(
        Reply::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), line),
        "the connection to",
        3,
    )
    .await;
}

#[tokio::test]
async fn a_body_of_ten_gigabytes() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n".to_vec();
    check(Reply::ThenSilence(head), "larger than the limit", 1).await;
}

#[tokio::test]
async fn a_gzip_bomb() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..80 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    check(
        answer("200 OK", "content-encoding: gzip\r\n", bomb),
        "larger than the limit",
        1,
    )
    .await;
}

#[tokio::test]
async fn a_hub_that_hangs() {
    check(Reply::ThenSilence(Vec::new()), "gave no answer within", 3).await;
    let drip = Reply::Drip(
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".to_vec(),
        Duration::from_secs(9),
    );
    check(drip, "gave no answer within", 3).await;
}

#[tokio::test]
async fn refusals_and_failures_of_the_server() {
    check(answer("500 Oh", "", ""), "answered 500", 3).await;
    check(answer("403 No", "", ""), "not authorised", 1).await;
}

#[tokio::test]
async fn file_names_that_leave_the_folder() {
    let tree = r#"[{"type": "file", "oid": "x", "size": 1, "path": "../../etc/passwd"}]"#;
    let (said, _) = crawl_with(move |target| target.contains("/tree/").then(|| json(tree))).await;
    assert!(said.contains("could lead outside its folder"), "{said}");
}

#[tokio::test]
async fn pages_in_a_circle() {
    let (said, _) = crawl_with(|target| {
        let link = format!("link: <{target}>; rel=\"next\"\r\n");
        target.contains("/tree/").then(|| answer("200 OK", &link, "[]"))
    })
    .await;
    assert!(said.contains("repeats cursor"), "{said}");
}
