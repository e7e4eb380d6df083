//! A hub that only a proxy can reach: `HTTP_PROXY` and `HTTPS_PROXY` are honoured, files and redirects to the storage host included.

use super::fixture;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// A name that no resolver knows.
const HIDDEN_HOST: &str = "hub.invalid";

struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Passes requests for the hidden host on to the same port of this machine, `default_port` where they name none.
async fn proxy(default_port: u16) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                // A client that leaves ends the connection, and with it this task.
                let _ = pass_on(stream, default_port, &seen).await;
            });
        }
    });
    Proxy { url, asked }
}

async fn pass_on(mut client: TcpStream, default_port: u16, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let line = head.lines().next().unwrap_or_default().to_owned();
    seen.lock().unwrap().push(line.clone());
    let Some((method, rest)) = line.split_once(&format!(" http://{HIDDEN_HOST}")) else {
        return client
            .write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
            .await;
    };
    let (port, path) = match rest.strip_prefix(':').and_then(|rest| rest.split_once('/')) {
        Some((port, path)) => (port.parse().unwrap(), format!("/{path}")),
        None => (default_port, rest.to_owned()),
    };
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    let rest_of_head = head.split_once("\r\n").map_or("", |(_, rest)| rest);
    // One request a connection, so that each is seen here.
    let passed = format!("{method} {path}\r\nconnection: close\r\n{rest_of_head}");
    server.write_all(passed.as_bytes()).await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

async fn fingerprint(endpoint: &str, proxy: &Proxy) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_heirloom"))
        .args(["--json", "fingerprint", "hf:acme/tiny"])
        .env("HF_ENDPOINT", endpoint)
        .env("HTTP_PROXY", &proxy.url)
        .env("http_proxy", &proxy.url)
        .env("HTTPS_PROXY", &proxy.url)
        .env("https_proxy", &proxy.url)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env_remove("HF_TOKEN")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .await
        .unwrap()
}

fn port_of(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_hub_behind_a_proxy_is_read_through_it() {
    let fixture = fixture::start().await;
    let proxy = proxy(port_of(&fixture.hub.url)).await;
    let output = fingerprint(&format!("http://{HIDDEN_HOST}"), &proxy).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let asked = proxy.asked.lock().unwrap().clone();
    let storage = format!("http://{HIDDEN_HOST}:{}/", port_of(&fixture.hub.storage_url));
    assert!(
        asked.iter().any(|line| line.contains("/api/models/acme/tiny")),
        "{asked:?}"
    );
    assert!(asked.iter().any(|line| line.contains(&storage)), "{asked:?}");
}

#[tokio::test]
async fn https_goes_through_a_tunnel() {
    let proxy = proxy(1).await;
    let output = fingerprint(&format!("https://{HIDDEN_HOST}"), &proxy).await;
    assert!(!output.status.success());
    let asked = proxy.asked.lock().unwrap().clone();
    assert!(
        asked
            .iter()
            .all(|line| line.starts_with(&format!("CONNECT {HIDDEN_HOST}:443")))
            && !asked.is_empty(),
        "{asked:?}"
    );
}
