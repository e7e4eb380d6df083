//! Hubs that hang, drip, fail for a while or limit the rate.

use super::server::{Reply, Server, answer, json};
use heirloom_crawler::{Hub, HubError, ListFilter};
use std::time::Duration;

#[tokio::test]
async fn silence_is_a_time_out() {
    for head in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
        let server = Server::start(move |_, _| Reply::ThenSilence(head.to_vec())).await;
        let hub = server.hub_with(|config| config.timeouts.idle = Duration::from_millis(50));
        let error = hub.package("o/n").await.unwrap_err();
        assert!(matches!(error, HubError::TimedOut { .. }), "{error}");
        assert_eq!(server.requests().len(), 3);
    }
}

#[tokio::test]
async fn a_drip_is_a_time_out_too() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let server = Server::start(move |_, _| Reply::Drip(head.clone(), Duration::from_millis(5))).await;
    let hub = server.hub_with(|config| {
        config.timeouts.answer = Duration::from_millis(100);
        config.retry.attempts = 1;
    });
    let error = hub.package("o/n").await.unwrap_err();
    assert!(matches!(error, HubError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_recovers_is_asked_again_and_one_that_refuses_is_not() {
    let server = Server::start(|number, _| match number {
        0 => answer("503 Busy", "", ""),
        1 => answer("502 Bad Gateway", "", ""),
        _ => json("[]"),
    })
    .await;
    assert!(
        server
            .hub()
            .list(&ListFilter::default(), None)
            .await
            .unwrap()
            .names
            .is_empty()
    );
    for status in ["400 Bad Request", "403 Forbidden", "410 Gone"] {
        let server = Server::start(move |_, _| answer(status, "", "")).await;
        assert!(server.hub().package("o/n").await.is_err());
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_out_or_named() {
    let server = Server::start(|number, _| match number {
        0 => answer("429 Slow Down", "retry-after: 0\r\n", ""),
        _ => json(r#"{"id": "o/n"}"#),
    })
    .await;
    assert!(server.hub().package("o/n").await.is_ok());
    let server = Server::start(|_, _| answer("429 Slow Down", "ratelimit: \"api\";r=0;t=7200\r\n", "")).await;
    let hub = server.hub();
    let error = hub.package("o/n").await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("limits the request rate; try again in 7201 s"),
        "{error}"
    );
    // The limit is remembered: the next request is not even sent.
    assert!(matches!(
        hub.package("o/n").await,
        Err(HubError::RateLimited { .. })
    ));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn requests_say_who_asks() {
    let server = Server::start(|_, _| json("[]")).await;
    server.hub().list(&ListFilter::default(), None).await.unwrap();
    assert!(server.requests()[0].contains(concat!("user-agent: heirloom/", env!("CARGO_PKG_VERSION"))));
}
