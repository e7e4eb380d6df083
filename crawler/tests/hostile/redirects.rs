//! Redirects off the hub, off the web and in circles; the token stays at home.

use super::server::{Reply, Server, answer, json};
use heirloom_crawler::{Hub, HubError};

fn redirect(location: &str) -> Reply {
    answer("302 Found", &format!("location: {location}\r\n"), "")
}

async fn read_error(location: &'static str) -> HubError {
    let server = Server::start(move |_, _| redirect(location)).await;
    server.hub().read("o/n", "main", "a.bin", 0..4).await.unwrap_err()
}

#[tokio::test]
async fn other_schemes_are_refused() {
    for location in [
        "file:///etc/passwd",
        "ftp://example.com/x",
        "data:text/plain,x",
        "http://user:pass@example.com/",
    ] {
        let error = read_error(location).await;
        assert!(
            matches!(error, HubError::UnsafeRedirect { .. }),
            "{location}: {error}"
        );
    }
}

#[tokio::test]
async fn circles_end() {
    let error = read_error("/o/n/resolve/main/a.bin").await;
    assert!(matches!(error, HubError::RedirectLoop { .. }), "{error}");
}

#[tokio::test]
async fn the_api_may_move_on_its_own_host_only() {
    let server = Server::start(|number, _| match number {
        0 => redirect("/api/models/new/name"),
        _ => json(r#"{"id": "new/name"}"#),
    })
    .await;
    assert_eq!(server.hub().package("old/name").await.unwrap().owner, "new");
    let elsewhere = Server::start(|_, _| json(r#"{"id": "o/n"}"#)).await;
    let target = elsewhere.url.clone();
    let server = Server::start(move |_, _| redirect(&target)).await;
    let error = server.hub().package("o/n").await.unwrap_err();
    assert!(matches!(error, HubError::CrossHostRedirect { .. }), "{error}");
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn the_token_goes_to_the_hub_and_not_to_its_storage_host() {
    let storage =
        Server::start(|_, _| answer("206 Partial Content", "content-range: bytes 0-3/9\r\n", "data")).await;
    let target = format!("{}/blob?signature=s", storage.url);
    let server = Server::start(move |_, _| redirect(&target)).await;
    let hub = server.hub_with_token("hf_secret");
    assert_eq!(hub.read("o/n", "main", "a.bin", 0..4).await.unwrap(), "data");
    assert_eq!(hub.read("o/n", "main", "a.bin", 0..4).await.unwrap(), "data");
    assert!(server.requests()[0].contains("authorization: bearer hf_secret"));
    assert!(!storage.requests().concat().contains("secret"));
    // The second range went to the storage host at once.
    assert_eq!((server.requests().len(), storage.requests().len()), (1, 2));
}

#[tokio::test]
async fn a_storage_address_that_no_longer_holds_is_asked_for_again() {
    let storage = Server::start(|number, _| match number {
        1 => answer("403 Forbidden", "", "expired"),
        _ => answer("206 Partial Content", "content-range: bytes 0-3/9\r\n", "data"),
    })
    .await;
    let target = storage.url.clone();
    let server = Server::start(move |_, _| redirect(&target)).await;
    let hub = server.hub();
    for _ in 0..2 {
        assert_eq!(hub.read("o/n", "main", "a.bin", 0..4).await.unwrap(), "data");
    }
    assert_eq!((server.requests().len(), storage.requests().len()), (2, 3));
}

#[tokio::test]
async fn errors_and_debug_output_hold_no_token_and_no_signature() {
    let server = Server::start(|_, _| answer("500 Oops", "", "")).await;
    let hub = server.hub_with_token("hf_secret");
    let error = hub.package("o/n").await.unwrap_err();
    assert!(!format!("{error} {error:?} {hub:?}").contains("secret"));
    let error = read_error("https://user:hunter2@example.com/x?signature=s").await;
    assert!(!error.to_string().contains("signature"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
