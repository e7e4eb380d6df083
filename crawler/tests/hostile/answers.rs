//! Bodies that are cut, wrong, endless or bombs.

use super::server::{Reply, Server, answer, json};
use heirloom_crawler::{Hub, HubError};
use std::io::Write;

async fn package_error(reply: Reply) -> (HubError, usize) {
    let server = Server::start(move |_, _| reply.clone()).await;
    let error = server.hub().package("o/n").await.unwrap_err();
    (error, server.requests().len())
}

#[tokio::test]
async fn json_that_ends_early_is_not_asked_for_again() {
    let (error, requests) = package_error(json(r#"{"id": "o/n", "tags": ["#)).await;
    assert!(
        error
            .to_string()
            .ends_with("line 1 column 23: the JSON ends early"),
        "{error}"
    );
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn text_that_is_not_utf_8_or_not_json_is_named() {
    let (error, _) = package_error(json(b"{\"id\": \"o/\xff\xfe\"}")).await;
    assert!(error.to_string().ends_with("the text is not UTF-8"), "{error}");
    let (error, _) = package_error(json("hello")).await;
    assert!(error.to_string().ends_with("this is not JSON"), "{error}");
    let (error, _) = package_error(answer("200 OK", "content-type: text/html\r\n", "<!doctype html>")).await;
    assert!(matches!(error, HubError::NotAHub { .. }), "{error}");
}

#[tokio::test]
async fn wrong_types_name_the_field() {
    for (body, field) in [("[]", "id"), ("3", "id"), (r#"{"id": 7}"#, "id"), ("null", "id")] {
        let (error, _) = package_error(json(body)).await;
        assert!(
            matches!(&error, HubError::Malformed { field: named, .. } if named == field),
            "{body}: {error}"
        );
    }
}

#[tokio::test]
async fn a_body_cut_short_is_asked_for_again() {
    let server = Server::start(|number, _| match number {
        0 | 1 => Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\"".to_vec()),
        _ => json(r#"{"id": "o/n"}"#),
    })
    .await;
    assert_eq!(server.hub().package("o/n").await.unwrap().name, "n");
    assert_eq!(server.requests().len(), 3);
    let (error, requests) = package_error(Reply::Bytes(
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\"".to_vec(),
    ))
    .await;
    assert!(
        matches!(error, HubError::Truncated { expected: 100, .. }),
        "{error}"
    );
    assert_eq!(requests, 3);
}

#[tokio::test]
async fn an_answer_announced_too_long_is_not_read() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n".to_vec();
    let (error, requests) = package_error(Reply::ThenSilence(head)).await;
    assert!(matches!(error, HubError::TooLarge { .. }), "{error}");
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let mut piece = b"10000\r\n".to_vec();
    piece.extend([b' '; 0x10000]);
    piece.extend(b"\r\n");
    let (error, _) = package_error(Reply::Endless(head, piece)).await;
    assert!(matches!(error, HubError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_gzip_bomb_is_counted_as_it_unfolds() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..128 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 18);
    let (error, _) = package_error(answer("200 OK", "content-encoding: gzip\r\n", bomb)).await;
    assert!(matches!(error, HubError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let line = format!("x-filler: {}\r\n", "a".repeat(8000)).into_bytes();
    let (error, _) = package_error(Reply::Endless(head, line)).await;
    assert!(matches!(error, HubError::Disconnected { .. }), "{error}");
}

#[tokio::test]
async fn file_names_that_leave_the_folder_are_refused() {
    for path in [
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "a\\\\..\\\\b",
        "C:x",
        "a\\u0000b",
    ] {
        let tree = format!(r#"[{{"type": "file", "oid": "x", "size": 1, "path": "{path}"}}]"#);
        let server = Server::start(move |_, _| json(&tree)).await;
        let error = server.hub().files("o/n", "main").await.unwrap_err();
        assert!(matches!(error, HubError::UnsafePath { .. }), "{path}: {error}");
    }
}
