//! Callers who are slow on purpose.

use crate::app::TestApp;
use heirloom::api::connections::serve;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn who_dribbles_a_head_is_cut_off_and_others_are_answered() {
    let app = TestApp::new().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(
        listener,
        app.router(),
        Duration::from_millis(300),
        stop.clone(),
    ));

    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /health/live HTTP/1.1\r\nHost: a\r\nX-")
            .await
            .unwrap();
        slow.push(stream);
    }
    let answer = reqwest::get(format!("http://{address}/health/live"))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    for mut stream in slow {
        // Nobody waits for what never comes: the server ends each of them.
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.unwrap();
        assert!(!said.starts_with(b"HTTP/1.1 200"));
    }
    stop.cancel();
    serving.await.unwrap();
}
