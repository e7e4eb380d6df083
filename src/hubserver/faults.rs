//! Answers spoilt on purpose, so that clients can be tried against a hub on a bad day.
//!
//! Which answers are spoilt follows from the seed, the path and how often it was asked for: two runs of one client see the same
//! faults, in whatever order its requests arrive.

use super::refuse::Refusal;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bodies to be cut or changed are held whole.
const MAX_SPOILT_BYTES: usize = 1 << 30;

/// What to do to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// 429 with `Retry-After: 1`.
    RateLimited,
    /// 503
    Unavailable,
    /// Late by [`FaultPlan::delay`].
    Slow,
    /// The connection breaks half-way through the body.
    Truncated,
    /// One bit in the middle of the body is flipped.
    Corrupt,
}

/// A kind of fault, the share of answers that have it, and where: written `429=0.3`, `truncated=1@/resolve/`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub kind: FaultKind,
    /// Above 0, at most 1.
    pub share: f64,
    /// Only paths that contain this; all where it is empty.
    pub path: String,
}

/// All faults of a server.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    pub faults: Vec<Fault>,
    pub seed: u64,
    /// How late a slow answer is.
    pub delay: Duration,
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self {
            faults: Vec::new(),
            seed: 0,
            delay: Duration::from_secs(2),
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no fault; write KIND=SHARE[@PATH], as in 429=0.3, 5xx=0.1, slow=1, truncated=0.5@/resolve/ or corrupt=1@org/name"
)]
pub struct BadFault(String);

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let bad = || BadFault(text.to_owned());
        let (kind, rest) = text.split_once('=').ok_or_else(bad)?;
        let (share, path) = rest.split_once('@').unwrap_or((rest, ""));
        let kind = match kind {
            "429" => FaultKind::RateLimited,
            "5xx" => FaultKind::Unavailable,
            "slow" => FaultKind::Slow,
            "truncated" => FaultKind::Truncated,
            "corrupt" => FaultKind::Corrupt,
            _ => return Err(bad()),
        };
        let share = share
            .parse()
            .ok()
            .filter(|share| *share > 0.0 && *share <= 1.0)
            .ok_or_else(bad)?;
        let path = path.to_owned();
        Ok(Self { kind, share, path })
    }
}

/// The plan of one server, and how often each path was asked for.
#[derive(Debug)]
pub struct Faults {
    plan: FaultPlan,
    /// Random start of the server's paths, which no fault may depend on.
    prefix: String,
    asked: Mutex<HashMap<String, u64>>,
}

impl Faults {
    pub fn new(plan: FaultPlan, prefix: String) -> Arc<Self> {
        Arc::new(Self {
            plan,
            prefix,
            asked: Mutex::default(),
        })
    }

    /// The first fault that strikes this answer.
    fn next(&self, path: &str) -> Option<FaultKind> {
        let path = path.strip_prefix(&self.prefix).unwrap_or(path);
        if self.plan.faults.is_empty() {
            return None;
        }
        let time = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let times = asked.entry(path.to_owned()).or_default();
            *times += 1;
            *times
        };
        let strikes =
            |fault: &&Fault| path.contains(&fault.path) && self.chance(fault, path, time) < fault.share;
        self.plan.faults.iter().find(strikes).map(|fault| fault.kind)
    }

    /// In `0..1`, evenly spread over paths and times.
    fn chance(&self, fault: &Fault, path: &str, time: u64) -> f64 {
        let preimage = format!("{}\0{:?}\0{path}\0{time}", self.plan.seed, fault.kind);
        let digest = Sha256::digest(preimage);
        let word = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
        f64::from(word) / (f64::from(u32::MAX) + 1.0)
    }
}

/// Middleware of both servers.
pub async fn inject(State(faults): State<Arc<Faults>>, request: Request, next: Next) -> Response {
    match faults.next(request.uri().path()) {
        None => next.run(request).await,
        Some(FaultKind::RateLimited) => rate_limited(),
        Some(FaultKind::Unavailable) => Refusal::unavailable().into_response(),
        Some(FaultKind::Slow) => {
            tokio::time::sleep(faults.plan.delay).await;
            next.run(request).await
        }
        Some(kind) => spoil(next.run(request).await, kind).await,
    }
}

fn rate_limited() -> Response {
    let mut response = Refusal::rate_limited().into_response();
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

async fn spoil(response: Response, kind: FaultKind) -> Response {
    let (head, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_SPOILT_BYTES).await else {
        return Refusal::unavailable().into_response();
    };
    if bytes.is_empty() {
        return Response::from_parts(head, Body::empty());
    }
    let middle = bytes.len() / 2;
    let body = match kind {
        FaultKind::Truncated => broken_off(bytes.slice(..middle)),
        _ => Body::from(flip_bit(&bytes, middle)),
    };
    Response::from_parts(head, body)
}

fn broken_off(bytes: Bytes) -> Body {
    let pieces = [Ok(bytes), Err(std::io::Error::other("broken off on purpose"))];
    Body::from_stream(futures::stream::iter(pieces))
}

fn flip_bit(bytes: &[u8], position: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(byte) = bytes.get_mut(position) {
        *byte ^= 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(texts: &[&str], seed: u64) -> Arc<Faults> {
        let plan = FaultPlan {
            faults: texts.iter().filter_map(|text| text.parse().ok()).collect(),
            seed,
            ..FaultPlan::default()
        };
        Faults::new(plan, "/key".to_owned())
    }

    #[test]
    fn faults_are_written_as_kind_share_and_path() {
        let fault = |kind, share, path: &str| {
            let path = path.to_owned();
            Ok(Fault { kind, share, path })
        };
        assert_eq!("429=0.3".parse(), fault(FaultKind::RateLimited, 0.3, ""));
        assert_eq!("corrupt=1@o/n".parse(), fault(FaultKind::Corrupt, 1.0, "o/n"));
        for bad in [
            "", "429", "429=0", "429=1.5", "429=NaN", "429=x", "teapot=1", "=1",
        ] {
            assert_eq!(bad.parse::<Fault>(), Err(BadFault(bad.to_owned())));
        }
    }

    #[test]
    fn the_seed_decides_and_the_share_holds() {
        let struck = |seed| -> Vec<bool> {
            let faults = faults(&["5xx=0.3@/a"], seed);
            (0..1000).map(|_| faults.next("/key/a").is_some()).collect()
        };
        assert_eq!(struck(1), struck(1));
        assert_ne!(struck(1), struck(2));
        let count = struck(1).iter().filter(|struck| **struck).count();
        assert!((250..350).contains(&count), "{count}");
        assert_eq!(faults(&["5xx=1@/a"], 0).next("/b"), None);
    }
}
