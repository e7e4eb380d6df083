//! A server that answers with whatever bytes a test gives it, and remembers what it was asked.

use heirloom_crawler::hf::{HfConfig, HfHub};
use heirloom_crawler::{RetryPolicy, Timeouts, Token};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What to do with one connection after the request was read.
#[derive(Clone)]
pub enum Reply {
    /// Send these bytes and close.
    Bytes(Vec<u8>),
    /// Send these bytes, then nothing, and keep the connection open.
    ThenSilence(Vec<u8>),
    /// Send the head, then this piece again and again until the client leaves.
    Endless(Vec<u8>, Vec<u8>),
    /// Send the head, then one byte at a time with this pause.
    Drip(Vec<u8>, Duration),
}

pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answer` gets the number of the request, from 0, and its head.
    pub async fn start(answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    // A client that gives up is what most of these tests are about.
                    let _ = serve(stream, &seen, answer.as_ref()).await;
                });
            }
        });
        Self { url, requests }
    }

    /// The heads of all requests so far, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub fn hub(&self) -> HfHub {
        self.hub_with(|_| {})
    }

    /// A client that waits milliseconds where the usual one waits seconds.
    pub fn hub_with(&self, change: impl FnOnce(&mut HfConfig)) -> HfHub {
        let mut config = HfConfig::new(&self.url);
        config.retry = RetryPolicy {
            attempts: 3,
            first_wait: Duration::from_millis(1),
            ..RetryPolicy::default()
        };
        config.timeouts = Timeouts {
            idle: Duration::from_millis(500),
            answer: Duration::from_secs(20),
            ..Timeouts::default()
        };
        change(&mut config);
        HfHub::new(config).unwrap()
    }

    pub fn hub_with_token(&self, token: &str) -> HfHub {
        self.hub_with(|config| config.token = Token::new(token))
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<String>>,
    answer: &(dyn Fn(usize, &str) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(head.to_lowercase());
        seen.len() - 1
    };
    match answer(number, &head) {
        Reply::Bytes(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Reply::ThenSilence(bytes) => {
            stream.write_all(&bytes).await?;
            // Until the client closes its side.
            stream.read_to_end(&mut Vec::new()).await.map(|_| ())
        }
        Reply::Endless(head, piece) => {
            stream.write_all(&head).await?;
            loop {
                stream.write_all(&piece).await?;
            }
        }
        Reply::Drip(head, pause) => {
            stream.write_all(&head).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// An answer with `headers` (each ending in CRLF) and a body of the length it announces.
pub fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    Reply::Bytes(bytes)
}

pub fn json(body: impl AsRef<[u8]>) -> Reply {
    answer("200 OK", "content-type: application/json\r\n", body)
}
