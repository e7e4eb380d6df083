//! The web hubs beside Hugging Face, each against a loopback server that answers as the hub's interface is documented; no public
//! hub is reached. The shapes are those that the hubs' own clients read.

#![allow(clippy::unwrap_used)]

mod civitai;
mod kaggle;
mod modelscope;
mod modelzoo;
mod ngc;
mod oci;
#[path = "../hostile/server.rs"]
#[allow(dead_code, reason = "shared with the tests of hostile answers")]
mod server;

use serde_json::Value;
use server::{Reply, Server, answer, json};
use sha2::{Digest, Sha256};

/// The path and query a request asks for.
fn target(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

/// A server of `routes`: the first whose start the request's target has answers; others are 404.
async fn serve(routes: Vec<(&'static str, Value)>) -> Server {
    Server::start(move |_, head| {
        let route = routes.iter().find(|(start, _)| target(head).starts_with(start));
        match route {
            Some((_, Value::String(file))) => file_reply(head, file.as_bytes()),
            Some((_, body)) => json(body.to_string()),
            None => answer("404 Not Found", "", ""),
        }
    })
    .await
}

/// A file, or the range of it that is asked for.
fn file_reply(head: &str, content: &[u8]) -> Reply {
    let head = head.to_lowercase();
    let range = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="))
        .and_then(|range| range.split_once('-'));
    let Some((first, last)) = range else {
        return answer("200 OK", "", content);
    };
    let first: usize = first.parse().unwrap();
    let last = last.parse().map_or(content.len(), |last: usize| last + 1);
    let headers = format!("content-range: bytes {first}-{}/{}\r\n", last - 1, content.len());
    answer("206 Partial Content", &headers, &content[first..last])
}

fn digest(content: &str) -> String {
    hex::encode(Sha256::digest(content))
}
