//! Listings that run in circles, leave the hub, or hold rubbish among packages.

use super::server::{Server, answer, json};
use heirloom_crawler::{Hub, HubError, ListFilter, Listing};
use std::sync::Arc;

#[tokio::test]
async fn a_page_that_is_its_own_next_is_a_loop() {
    let server = Server::start(|_, head| {
        let path = head.split(' ').nth(1).unwrap().to_owned();
        answer("200 OK", &format!("link: <{path}>; rel=\"next\"\r\n"), "[]")
    })
    .await;
    let error = server.hub().list(&ListFilter::default(), None).await.unwrap_err();
    assert!(matches!(error, HubError::CursorLoop { .. }), "{error}");
}

#[tokio::test]
async fn cursors_that_come_back_end_the_listing() {
    let server = Server::start(|number, _| {
        answer(
            "200 OK",
            &format!("link: </api/models?cursor={}>; rel=\"next\"\r\n", number % 3),
            "[]",
        )
    })
    .await;
    let mut listing = Listing::new(Arc::new(server.hub()), ListFilter::default());
    let error = loop {
        match listing.next_page().await {
            Ok(Some(_)) => assert!(server.requests().len() < 10),
            Ok(None) => panic!("the listing has no end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, HubError::CursorLoop { .. }), "{error}");
    assert!(listing.next_page().await.unwrap().is_none());
}

#[tokio::test]
async fn pages_of_a_tree_that_come_back_are_a_loop() {
    let server = Server::start(|number, _| {
        let link = format!(
            "link: </api/models/o/n/tree/main?cursor={}>; rel=\"next\"\r\n",
            number % 2
        );
        answer("200 OK", &link, "[]")
    })
    .await;
    let error = server.hub().files("o/n", "main").await.unwrap_err();
    assert!(matches!(error, HubError::CursorLoop { .. }), "{error}");
}

#[tokio::test]
async fn a_next_page_on_another_host_is_refused() {
    for next in [
        "https://evil.example/api/models",
        "file:///etc/passwd",
        "http://127.0.0.1:1/",
    ] {
        let server =
            Server::start(move |_, _| answer("200 OK", &format!("link: <{next}>; rel=\"next\"\r\n"), "[]"))
                .await;
        let hub = server.hub();
        let error = hub.list(&ListFilter::default(), None).await.unwrap_err();
        assert!(matches!(error, HubError::CrossHostRedirect { .. }), "{error}");
        // The same address out of a database that someone wrote to.
        let error = hub.list(&ListFilter::default(), Some(next)).await.unwrap_err();
        assert!(matches!(error, HubError::CrossHostRedirect { .. }), "{error}");
    }
}

#[tokio::test]
async fn rubbish_among_packages_is_left_out_and_counted() {
    let server = Server::start(|_, _| {
        json(r#"[{"id": "o/a"}, 7, {"id": "../../x"}, {"name": "no id"}, {"id": "o/b", "tags": 3}]"#)
    })
    .await;
    let page = server.hub().list(&ListFilter::default(), None).await.unwrap();
    assert_eq!(page.names, ["o/a", "o/b"]);
    assert_eq!(page.skipped.len(), 3);
}

#[tokio::test]
async fn an_object_where_a_list_belongs_is_named() {
    let server = Server::start(|_, _| json(r#"{"models": []}"#)).await;
    let error = server.hub().list(&ListFilter::default(), None).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("at the top level: a list was expected, not an object"),
        "{error}"
    );
}
