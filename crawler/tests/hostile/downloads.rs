//! Ranges that are ignored or wrong, and downloads whose connection breaks.

use super::server::{Reply, Server, answer};
use heirloom_crawler::{FileEntry, Hub, HubError};
use sha2::{Digest, Sha256};

fn partial(range: &str, body: &str) -> Reply {
    answer(
        "206 Partial Content",
        &format!("content-range: bytes {range}\r\n"),
        body,
    )
}

#[tokio::test]
async fn a_server_without_ranges_is_read_from_the_start() {
    let server = Server::start(|_, _| answer("200 OK", "", "0123456789")).await;
    let hub = server.hub();
    assert_eq!(hub.read("o/n", "main", "a", 3..6).await.unwrap(), "345");
    let error = hub.read("o/n", "main", "a", 5..11).await.unwrap_err();
    assert!(
        matches!(
            error,
            HubError::Truncated {
                expected: 6,
                got: 5,
                ..
            }
        ),
        "{error}"
    );
    let far = 1 << 30;
    let error = hub.read("o/n", "main", "a", far..far + 1).await.unwrap_err();
    assert!(matches!(error, HubError::RangeIgnored { .. }), "{error}");
}

#[tokio::test]
async fn a_range_that_was_not_asked_for_is_not_taken() {
    for (range, body) in [("0-2/9", "abc"), ("4-6/9", "abc"), ("nonsense", "abc")] {
        let server = Server::start(move |_, _| partial(range, body)).await;
        let error = server.hub().read("o/n", "main", "a", 3..6).await.unwrap_err();
        assert!(matches!(error, HubError::Malformed { .. }), "{range}: {error}");
    }
    let server = Server::start(|_, _| partial("3-4/5", "ab")).await;
    let error = server.hub().read("o/n", "main", "a", 3..6).await.unwrap_err();
    assert!(matches!(error, HubError::OutOfRange { size: 5, .. }), "{error}");
    let server = Server::start(|_, _| answer("416 No", "content-range: bytes */5\r\n", "")).await;
    let error = server.hub().read("o/n", "main", "a", 9..10).await.unwrap_err();
    assert!(matches!(error, HubError::OutOfRange { size: 5, .. }), "{error}");
}

const CONTENT: &str = "the quick brown fox";

fn file() -> FileEntry {
    FileEntry {
        path: "a.bin".into(),
        size: Some(CONTENT.len() as u64),
        sha256: Some(hex::encode(Sha256::digest(CONTENT))),
        blob_id: None,
        ..FileEntry::default()
    }
}

/// Announces everything and breaks off after nine bytes.
fn cut() -> Reply {
    Reply::Bytes(
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\netag: \"v1\"\r\n\r\n{}",
            CONTENT.len(),
            &CONTENT[..9]
        )
        .into_bytes(),
    )
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.bin");
    let server = Server::start(|number, head| match number {
        0 => cut(),
        _ => {
            assert!(
                head.contains("range: bytes=9-") && head.contains("if-range: \"v1\""),
                "{head}"
            );
            partial("9-18/19", &CONTENT[9..])
        }
    })
    .await;
    let size = server
        .hub()
        .download("o/n", "main", &file(), &target)
        .await
        .unwrap();
    assert_eq!(
        (size, std::fs::read_to_string(&target).unwrap().as_str()),
        (19, CONTENT)
    );
}

#[tokio::test]
async fn a_server_that_starts_over_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.bin");
    let server = Server::start(|number, _| {
        if number == 0 {
            cut()
        } else {
            answer("200 OK", "", CONTENT)
        }
    })
    .await;
    server
        .hub()
        .download("o/n", "main", &file(), &target)
        .await
        .unwrap();
    assert_eq!(std::fs::read_to_string(&target).unwrap(), CONTENT);
}

#[tokio::test]
async fn a_download_that_stays_broken_or_is_exchanged_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.bin");
    type Expectation = fn(&HubError) -> bool;
    let cases: [(Reply, Expectation); 3] = [
        (cut(), |error| {
            matches!(
                error,
                HubError::Truncated {
                    expected: 19,
                    got: 9,
                    ..
                }
            )
        }),
        (answer("200 OK", "", CONTENT.replace('q', "Q")), |error| {
            matches!(error, HubError::WrongDigest { .. })
        }),
        (answer("200 OK", "", format!("{CONTENT}!")), |error| {
            matches!(error, HubError::WrongSize { .. })
        }),
    ];
    for (reply, expected) in cases {
        // Ranges are ignored, so each attempt starts over.
        let server = Server::start(move |_, _| reply.clone()).await;
        let error = server
            .hub()
            .download("o/n", "main", &file(), &target)
            .await
            .unwrap_err();
        assert!(expected(&error), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
